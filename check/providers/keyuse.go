package providers

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // x5t is a SHA-1 thumbprint, RFC 7517 section 4.8
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/check"
)

type rawMessage = json.RawMessage

var jwksUseAlg = &check.Check{
	ID: "jwks-use-alg", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "The keys say what they are for",
	Judged: "Each key has alg; each has use or key_ops where keys for signatures and for encryption stand in one set.",
	Needs:  []check.Need{check.NeedKeys},
	Step:   usher.StepDiscovery, Fixer: usher.FixerProvider,
	Fix: []usher.FixStep{
		check.Tightening("Publish alg and use with each key, so that verifiers can refuse every other use."),
		check.Neutral("In the verifier: pin the algorithm by configuration; do not take it from the token."),
	},
	References: []string{"RFC 7517 section 4.2", "RFC 7517 section 4.4", "OpenID Connect Discovery section 3"},
	Judge: func(t *check.Target) []check.Verdict {
		return eachSet(t, func(k *check.KeySet) check.Verdict { return saysUse(t, k) })
	},
}

func saysUse(t *check.Target, k *check.KeySet) check.Verdict {
	var sig, enc, noUse int
	for _, key := range k.Keys {
		switch {
		case key.Use == "enc" || encAlg(key.Alg):
			enc++
		case key.Use == "" && key.KeyOps == nil && key.Alg == "":
			noUse++
		default:
			sig++
		}
	}
	var proof []usher.Proof
	noAlg, derivable := 0, true
	for _, key := range k.Keys {
		if key.Alg == "" {
			noAlg++
			derivable = derivable && oneAlg(t, key.Kty, key.Crv)
			proof = append(proof, usher.Proof{Place: k.Place, Quote: "kid " + check.Clip(key.Kid, 60) + " (" + key.Kty + ") has no alg", Expected: "alg", Got: "absent"})
		}
	}
	switch {
	case enc > 0 && noUse > 0:
		return check.Wrong(check.Count(noUse, "key does not say", "keys do not say")+" whether it signs or encrypts", "Keys for both stand in the set; a verifier may take the wrong one.", proof...)
	case noAlg > 0 && derivable:
		return check.Wrong(check.Count(noAlg, "key has", "keys have")+" no alg", "The document announces one algorithm for keys of the kind, so that a verifier can tell. Pin it.", proof...).As(usher.SeverityInfo)
	case noAlg > 0:
		return check.Wrong(check.Count(noAlg, "key has", "keys have")+" no alg", "A verifier has to take the algorithm from its configuration, or from the token, which it must not.", proof...)
	case len(k.Keys) == 0:
		return check.Unknown(check.NeedKeys, "no key of the set could be read")
	}
	return check.OK("", usher.Proof{Place: k.Place, Quote: keyCount(k)})
}

// oneAlg tells whether the announced algorithms leave one for a kind of key.
func oneAlg(t *check.Target, kty, crv string) bool {
	if len(t.Metadata) != 1 {
		return false
	}
	n := 0
	for _, alg := range t.Metadata[0].IDTokenAlgs {
		if fits(kty, crv, alg) {
			n++
		}
	}
	return n == 1
}

var jwksX5C = &check.Check{
	ID: "jwks-x5c-consistent", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The certificate of a key is of that key",
	Judged: "The first certificate of x5c is read: its public key against n and e or x and y, its thumbprints against x5t and x5t#S256, its dates.",
	Needs:  []check.Need{check.NeedKeys},
	Step:   usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Neutral("Publish the key anew with the certificate that was made for it, or leave x5c and x5t out: nobody needs them to verify a token.")},
	References: []string{"RFC 7517 section 4.7", "RFC 7517 section 4.8", "OpenID Connect Discovery section 3"},
	Judge: func(t *check.Target) []check.Verdict {
		return eachSet(t, func(k *check.KeySet) check.Verdict { return certificates(t.Now, k) })
	},
}

func certificates(now time.Time, k *check.KeySet) check.Verdict {
	var wrong, past []usher.Proof
	seen := 0
	for i, entry := range k.Entries() {
		var chain []string
		if raw, there := entry["x5c"]; !there || json.Unmarshal(raw, &chain) != nil || len(chain) == 0 {
			continue
		}
		seen++
		why, end := certificate(entry, chain[0])
		switch {
		case why != "":
			wrong = append(wrong, usher.Proof{Place: k.Place, Quote: keyName(entry, i) + ": " + why, Expected: "the certificate of this key"})
		case !now.IsZero() && end.Before(now):
			past = append(past, usher.Proof{Place: k.Place, Quote: keyName(entry, i) + ": its certificate ended " + end.UTC().Format(time.DateOnly), Expected: "a certificate that lasts", Got: end.UTC().Format(time.RFC3339)})
		}
	}
	switch {
	case len(wrong) > 0:
		return check.Wrong(check.Count(len(wrong), "key does not fit", "keys do not fit")+" its certificate", "Verifiers that trust x5c and those that trust the bare key would disagree about the same token.", wrong...)
	case len(past) > 0:
		return check.Wrong(check.Count(len(past), "key has a certificate that has ended", "keys have a certificate that has ended"), "A verifier that looks at the certificate refuses its tokens; most do not look.", past...).As(usher.SeverityLow)
	case seen == 0:
		return check.NotApplicable("no key has a certificate")
	}
	return check.OK("", usher.Proof{Place: k.Place, Quote: check.Count(seen, "certificate", "certificates")})
}

// certificate says in what a certificate does not fit its entry, and when it ends.
func certificate(entry map[string]rawMessage, text string) (why string, end time.Time) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "its x5c is not base64", end
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return "its x5c is no certificate that can be read", end
	}
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		n, e := octets(entry, "n"), octets(entry, "e")
		if check.Member(entry, "kty") != "RSA" || !bytes.Equal(n, key.N.Bytes()) || !bytes.Equal(e, big.NewInt(int64(key.E)).Bytes()) {
			return "the certificate is of another key", end
		}
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil || check.Member(entry, "kty") != "EC" || !bytes.Equal(point[1:], append(octets(entry, "x"), octets(entry, "y")...)) {
			return "the certificate is of another key", end
		}
	case ed25519.PublicKey:
		if !bytes.Equal(key, octets(entry, "x")) {
			return "the certificate is of another key", end
		}
	}
	one, two := sha1.Sum(der), sha256.Sum256(der) //nolint:gosec // see the import
	if !thumbprint(check.Member(entry, "x5t"), one[:]) {
		return "x5t is of another certificate", end
	}
	if !thumbprint(check.Member(entry, "x5t#S256"), two[:]) {
		return "x5t#S256 is of another certificate", end
	}
	return "", cert.NotAfter
}

// thumbprint compares; absent is no difference. Auth0 writes the hexadecimal
// digits of the hash where its octets belong.
func thumbprint(said string, is []byte) bool {
	if said == "" || strings.TrimRight(said, "=") == base64.RawURLEncoding.EncodeToString(is) {
		return true
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(said, "="))
	return err == nil && strings.EqualFold(string(text), hex.EncodeToString(is))
}

// octets decodes a number of a key, without leading zeros for RSA.
func octets(entry map[string]rawMessage, name string) []byte {
	b, _ := base64.RawURLEncoding.DecodeString(check.Member(entry, name))
	if name == "n" || name == "e" {
		return bytes.TrimLeft(b, "\x00")
	}
	return b
}

var jwksIssuer = &check.Check{
	ID: "jwks-issuer-member", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "A key signs for the issuer that it is published for",
	Judged: "A key with a member issuer (Entra) is held against iss of the tokens that name it, after {tenantid} was filled in.",
	Needs:  []check.Need{check.NeedKeys}, Cause: "",
	Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("In the verifier: use a key only for tokens whose iss equals the key's issuer, with the token's tid filled in."),
		check.Tightening("Or use the tenant's own address: its key set is for one issuer."),
	},
	References: []string{"RFC 8725 section 3.8", "Microsoft identity platform, signing keys: issuer of a key"},
	Judge: func(t *check.Target) []check.Verdict {
		return eachSet(t, func(k *check.KeySet) check.Verdict { return keyIssuer(t, k) })
	},
}

func keyIssuer(t *check.Target, k *check.KeySet) check.Verdict {
	var proof []usher.Proof
	for _, key := range k.Keys {
		if key.Issuer != "" {
			proof = append(proof, usher.Proof{Place: k.Place, Quote: "kid " + check.Clip(key.Kid, 60) + ": issuer " + check.Clip(key.Issuer, 120)})
		}
	}
	if len(proof) == 0 {
		return check.NotApplicable("no key names an issuer")
	}
	held := 0
	for _, tok := range t.Tokens {
		if tok.Parsed == nil || tok.Kid == "" {
			continue
		}
		iss, tid := claim(tok, "iss"), claim(tok, "tid")
		for _, key := range k.Lookup(tok.Kid) {
			if key.Issuer == "" || iss == "" {
				continue
			}
			held++
			open, end := strings.IndexByte(key.Issuer, '{'), strings.IndexByte(key.Issuer, '}')
			want := key.Issuer
			if open >= 0 && end > open {
				want = key.Issuer[:open] + tid + key.Issuer[end+1:]
			}
			if iss != want {
				return check.Wrong("The token's key is published for "+check.Clip(want, 160)+", the token says "+check.Clip(iss, 160),
					"A key of one issuer vouches for a token of another: a verifier that does not compare the two takes tokens of strangers.",
					usher.Proof{Place: tok.Place, Quote: "kid " + check.Clip(tok.Kid, 60) + ", iss " + check.Clip(iss, 160), Expected: want, Got: iss}).Because("token-wrong-issuer")
			}
		}
	}
	if held > 0 {
		return check.OK("every token that names such a key is of its issuer", proof[0])
	}
	return check.Wrong(check.Count(len(proof), "key is", "keys are")+" published for an issuer of its own",
		"The set serves several issuers. That is the provider's way, and sound when the verifier compares a key's issuer with iss; one that does not takes tokens of strangers. A token would tell whether it fits.", proof...).As(usher.SeverityInfo)
}

var jwksUnknown = &check.Check{
	ID: "jwks-unknown-kty", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "Keys of unknown kinds leave usable ones",
	Judged: "Entries whose type or curve is not known are counted, and whether a usable key remains.",
	Needs:  []check.Need{check.NeedKeys},
	Step:   usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("In the verifier: skip keys that it does not know and keep the rest; do not refuse the whole set."),
		check.Neutral("At the provider: publish a key of a common kind beside the new one, as long as verifiers learn."),
	},
	References: []string{"RFC 7517 section 5"},
	Judge: func(t *check.Target) []check.Verdict {
		return eachSet(t, func(k *check.KeySet) check.Verdict {
			var proof []usher.Proof
			for _, left := range k.Left {
				if strings.Contains(left.Why, "not known here") {
					proof = append(proof, usher.Proof{Place: k.Place, Quote: "key " + strconv.Itoa(left.Index+1) + ": " + check.Clip(left.Why, 120)})
				}
			}
			switch {
			case len(proof) == 0:
				return check.NotApplicable("every key is of a known kind")
			case usable(t, k):
				return check.OK(check.Count(len(proof), "key is", "keys are")+" of an unknown kind, and usable ones remain", proof...)
			}
			return check.Wrong("Beside keys of unknown kinds no usable one is there", "Verifiers that do not know the new kind can verify no token.", proof...)
		})
	},
}
