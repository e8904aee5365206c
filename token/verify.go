package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of the algorithms
	_ "crypto/sha512"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// algorithm is a signature algorithm of RFC 7518 section 3 or RFC 8037.
type algorithm struct {
	kty, crv string
	hash     crypto.Hash
	pss      bool
}

// lookupAlgorithm knows the algorithms that are verified here. Names compare
// with case, RFC 7515 section 4.1.1.
func lookupAlgorithm(name string) (algorithm, bool) {
	switch name {
	case "HS256":
		return algorithm{kty: "oct", hash: crypto.SHA256}, true
	case "HS384":
		return algorithm{kty: "oct", hash: crypto.SHA384}, true
	case "HS512":
		return algorithm{kty: "oct", hash: crypto.SHA512}, true
	case "RS256":
		return algorithm{kty: "RSA", hash: crypto.SHA256}, true
	case "RS384":
		return algorithm{kty: "RSA", hash: crypto.SHA384}, true
	case "RS512":
		return algorithm{kty: "RSA", hash: crypto.SHA512}, true
	case "PS256":
		return algorithm{kty: "RSA", hash: crypto.SHA256, pss: true}, true
	case "PS384":
		return algorithm{kty: "RSA", hash: crypto.SHA384, pss: true}, true
	case "PS512":
		return algorithm{kty: "RSA", hash: crypto.SHA512, pss: true}, true
	case "ES256":
		return algorithm{kty: "EC", crv: "P-256", hash: crypto.SHA256}, true
	case "ES384":
		return algorithm{kty: "EC", crv: "P-384", hash: crypto.SHA384}, true
	case "ES512":
		return algorithm{kty: "EC", crv: "P-521", hash: crypto.SHA512}, true
	case "EdDSA", "Ed25519": // RFC 8037; RFC 9864
		return algorithm{kty: "OKP", crv: "Ed25519"}, true
	}
	return algorithm{}, false
}

// sameAlgorithm tells whether a key's alg allows the header's: Ed25519 is the
// newer name of EdDSA on that curve.
func sameAlgorithm(key, header string) bool {
	if key == header {
		return true
	}
	ed := func(s string) bool { return s == "EdDSA" || s == "Ed25519" }
	return ed(key) && ed(header)
}

// unfit says why k must not verify a signature of the algorithm called name,
// or gives the empty string.
func (k *Key) unfit(name string, minRSABits int) string {
	alg, known := lookupAlgorithm(name)
	switch {
	case !known:
		return fmt.Sprintf("%s is no algorithm that is verified here", show(name))
	case k.Kty != alg.kty:
		return fmt.Sprintf("it is of type %s, %s needs %s", k.Kty, name, alg.kty)
	case alg.crv != "" && k.Crv != alg.crv:
		return fmt.Sprintf("it is on the curve %s, %s needs %s", k.Crv, name, alg.crv)
	case k.Alg != "" && !sameAlgorithm(k.Alg, name):
		return fmt.Sprintf("the key set binds it to alg %s, the token uses %s", show(k.Alg), name)
	case k.Use != "" && k.Use != "sig":
		return fmt.Sprintf("the key set publishes it for use %s, not for signatures", show(k.Use))
	case k.KeyOps != nil && !slices.Contains(k.KeyOps, "verify"):
		return fmt.Sprintf("its key_ops are %s, without verify", show(strings.Join(k.KeyOps, " ")))
	case k.weak != "":
		return k.weak
	}
	switch alg.kty {
	case "RSA":
		if k.Bits < minRSABits {
			return fmt.Sprintf("it has %d bits, at least %d are needed", k.Bits, minRSABits)
		}
	case "oct":
		if need := alg.hash.Size() * 8; k.Bits < need {
			return fmt.Sprintf("the secret has %d bits, %s needs at least %d (RFC 7518 section 3.2)", k.Bits, name, need)
		}
	}
	return ""
}

// errSignature is a signature of the right form that does not fit.
var errSignature = errors.New("the signature does not fit the content and this key")

// verify checks sig over input with k. Other errors than errSignature say what
// is wrong with the form of sig. The key must be fit.
func (k *Key) verify(name, input string, sig []byte) error {
	alg, _ := lookupAlgorithm(name)
	if len(sig) == 0 {
		return errors.New("the signature is empty: it was removed")
	}
	if public, isEd := k.public.(ed25519.PublicKey); isEd {
		if len(sig) != ed25519.SignatureSize {
			return fmt.Errorf("the signature has %d bytes, with %s it has %d", len(sig), name, ed25519.SignatureSize)
		}
		if !ed25519.Verify(public, []byte(input), sig) {
			return errSignature
		}
		return nil
	}
	if s, isSecret := k.public.(secret); isSecret {
		mac := hmac.New(alg.hash.New, []byte(s.Reveal()))
		mac.Write([]byte(input))
		if len(sig) != alg.hash.Size() {
			return fmt.Errorf("the signature has %d bytes, with %s it has %d", len(sig), name, alg.hash.Size())
		}
		if !hmac.Equal(mac.Sum(nil), sig) {
			return errSignature
		}
		return nil
	}
	h := alg.hash.New()
	h.Write([]byte(input))
	digest := h.Sum(nil)
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		size := (public.Params().BitSize + 7) / 8
		if len(sig) != 2*size {
			if sig[0] == 0x30 {
				return fmt.Errorf("the signature has %d bytes and begins like ASN.1 DER; JWS wants r and s side by side, %d bytes", len(sig), 2*size)
			}
			return fmt.Errorf("the signature has %d bytes, with %s it has %d", len(sig), name, 2*size)
		}
		r, s := new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:])
		if r.Sign() == 0 || s.Sign() == 0 {
			return errors.New("the signature has a zero for r or s, which fits everything in broken verifiers (CVE-2022-21449)")
		}
		if !ecdsa.Verify(public, digest, r, s) {
			return errSignature
		}
		return nil
	case *rsa.PublicKey:
		if len(sig) != public.Size() {
			return fmt.Errorf("the signature has %d bytes, this key makes %d", len(sig), public.Size())
		}
		if !alg.pss {
			if rsa.VerifyPKCS1v15(public, alg.hash, digest, sig) != nil {
				return errSignature
			}
			return nil
		}
		// Exactly the length of the hash, RFC 7518 section 3.5.
		if rsa.VerifyPSS(public, alg.hash, digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) != nil {
			if rsa.VerifyPSS(public, alg.hash, digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}) == nil {
				return fmt.Errorf("the salt of the signature has another length than the hash, which %s forbids", name)
			}
			return errSignature
		}
		return nil
	}
	return errSignature
}
