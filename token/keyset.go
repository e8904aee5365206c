package token

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"

	"usher"
)

// KeySet is a JSON Web Key Set, RFC 7517 section 5.
type KeySet struct {
	Keys []*Key
	// Left are the entries that cannot be used, and why.
	Left []LeftKey
}

// Key is one key of a set.
type Key struct {
	Kid, Kty, Use, Alg, Crv string
	KeyOps                  []string
	// Issuer is the issuer that the key is published for: Entra's extension,
	// where {tenantid} stands for any tenant.
	Issuer string
	// Thumbprint is the SHA-256 thumbprint, RFC 7638.
	Thumbprint string
	// Bits is the length of an RSA modulus or a secret, or the size of a curve.
	Bits int
	// Private tells whether the entry holds a private key or a secret: such a
	// key must never be published.
	Private bool

	public any // *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey or secret
	// weak says why the key must not be trusted whatever it is used for.
	weak string
}

// secret is the value of an oct key. Its type keeps it out of prints.
type secret struct{ usher.Secret }

// LeftKey is an entry of a key set that was left out.
type LeftKey struct {
	Index int    // position in the set, from 0
	Kid   string // empty when there is none
	Why   string

	kty string
}

// String describes the key without its value.
func (k *Key) String() string {
	s := k.Kty
	if k.Crv != "" {
		s += " " + k.Crv
	} else if k.Bits > 0 {
		s += fmt.Sprintf(" of %d bits", k.Bits)
	}
	if k.Kid == "" {
		return s + ", no kid"
	}
	return s + ", kid " + show(k.Kid)
}

// GoString keeps secrets out of %#v.
func (k *Key) GoString() string { return "token.Key{" + k.String() + "}" }

// Format keeps secrets out of every verb.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// Lookup gives the keys with this kid, in the order of the set.
func (s *KeySet) Lookup(kid string) []*Key {
	var found []*Key
	for _, k := range s.Keys {
		if k.Kid == kid {
			found = append(found, k)
		}
	}
	return found
}

// mixed tells whether a secret stands beside public keys: such a set was
// published, or is about to be, and its secret is none.
func (s *KeySet) mixed() bool {
	var secrets, others bool
	for _, k := range s.Keys {
		if k.Kty == "oct" {
			secrets = true
		} else {
			others = true
		}
	}
	return secrets && others
}

// ParseKeySet reads a JWK Set, a single JWK, or PEM (public keys and
// certificates). Entries that cannot be used are left out and said in Left;
// the error, a *usher.Error, is for input that is no key set at all.
func ParseKeySet(data []byte) (*KeySet, error) {
	if len(data) > MaxKeySet {
		return nil, &usher.Error{Code: usher.ErrTooLarge, Message: fmt.Sprintf("the key set has %d bytes, at most %d are read", len(data), MaxKeySet)}
	}
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	if bytes.Contains(data, []byte("-----BEGIN ")) && !bytes.HasPrefix(data, []byte("{")) {
		return parsePEM(data)
	}
	value, twice, err := decodeJSON(data, MaxDepth)
	if err != nil {
		return nil, noKeySet("it is no JSON: " + err.Error())
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		return nil, noKeySet("it is " + kindOf(value))
	}
	list := []any{object}
	if keys, isSet := object["keys"]; isSet {
		var isArray bool
		if list, isArray = keys.([]any); !isArray {
			return nil, noKeySet("its member keys is " + kindOf(keys) + ", not an array")
		}
	} else if _, isKey := object["kty"]; !isKey {
		return nil, noKeySet("it has neither keys nor kty")
	}
	if len(list) > MaxKeys {
		return nil, &usher.Error{Code: usher.ErrTooLarge, Message: fmt.Sprintf("the key set has %d keys, at most %d are read", len(list), MaxKeys)}
	}
	set := &KeySet{}
	if len(twice) > 0 {
		// Which of the two values counts cannot be known, for any key.
		set.Left = append(set.Left, LeftKey{Index: 0, Why: fmt.Sprintf("the set gives %s twice", Printable(twice[0]))})
		return set, nil
	}
	for i, item := range list {
		members, isObject := item.(map[string]any)
		if !isObject {
			set.Left = append(set.Left, LeftKey{Index: i, Why: "it is " + kindOf(item) + ", not an object"})
			continue
		}
		key, err := parseKey(members)
		if err != nil {
			kid, _ := members["kid"].(string)
			kty, _ := members["kty"].(string)
			set.Left = append(set.Left, LeftKey{Index: i, Kid: kid, Why: err.Error(), kty: kty})
			continue
		}
		set.Keys = append(set.Keys, key)
	}
	return set, nil
}

func noKeySet(why string) error {
	return &usher.Error{
		Code: usher.ErrUnreadable, Message: "this is no key set: " + why,
		Hint: `give what the issuer's jwks_uri answers, {"keys":[...]}, or a public key in PEM`,
	}
}

func parsePEM(data []byte) (*KeySet, error) {
	set := &KeySet{}
	for i := 0; ; i++ {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if i >= MaxKeys {
			return nil, &usher.Error{Code: usher.ErrTooLarge, Message: fmt.Sprintf("the file has more than %d keys", MaxKeys)}
		}
		key, err := pemKey(block)
		if err != nil {
			set.Left = append(set.Left, LeftKey{Index: i, Why: err.Error()})
			continue
		}
		set.Keys = append(set.Keys, key)
	}
	if len(set.Keys)+len(set.Left) == 0 {
		return nil, noKeySet("its PEM cannot be decoded")
	}
	return set, nil
}

func pemKey(block *pem.Block) (*Key, error) {
	var public any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			public = cert.PublicKey
		}
	default:
		return nil, fmt.Errorf("a PEM block %s is neither a public key nor a certificate", show(block.Type))
	}
	if err != nil {
		return nil, fmt.Errorf("its %s cannot be read", Printable(block.Type))
	}
	k := &Key{public: public}
	switch public := public.(type) {
	case *rsa.PublicKey:
		k.Kty, k.Bits = "RSA", public.N.BitLen()
		k.weak = weakRSA(public)
	case *ecdsa.PublicKey:
		k.Kty, k.Crv, k.Bits = "EC", public.Params().Name, public.Params().BitSize
	case ed25519.PublicKey:
		k.Kty, k.Crv, k.Bits = "OKP", "Ed25519", 256
	default:
		return nil, errors.New("it is a key of a kind that signs no tokens")
	}
	return k, k.setThumbprint()
}

// parseKey reads one JWK.
func parseKey(m map[string]any) (*Key, error) {
	k := &Key{}
	for _, member := range [...]struct {
		name string
		to   *string
	}{{"kty", &k.Kty}, {"kid", &k.Kid}, {"use", &k.Use}, {"alg", &k.Alg}, {"crv", &k.Crv}, {"issuer", &k.Issuer}} {
		value, there := m[member.name]
		text, isString := value.(string)
		if there && !isString {
			return nil, fmt.Errorf("its %s is %s, not a string", member.name, kindOf(value))
		}
		*member.to = text
	}
	if value, there := m["key_ops"]; there {
		list, isArray := value.([]any)
		if !isArray {
			return nil, fmt.Errorf("its key_ops is %s, not an array", kindOf(value))
		}
		k.KeyOps = []string{}
		for _, item := range list {
			op, _ := item.(string)
			k.KeyOps = append(k.KeyOps, op)
		}
	}
	_, k.Private = m["d"]
	var err error
	switch k.Kty {
	case "RSA":
		err = k.rsa(m)
	case "EC":
		err = k.ec(m)
	case "OKP":
		err = k.okp(m)
	case "oct":
		err = k.oct(m)
	case "":
		err = errors.New("it has no kty")
	default:
		err = fmt.Errorf("its key type %s is not known here", show(k.Kty))
	}
	if err == nil {
		err = k.setThumbprint()
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

// octets reads a base64url member.
func octets(m map[string]any, name string) ([]byte, error) {
	value, there := m[name]
	if !there {
		return nil, fmt.Errorf("it has no %s", name)
	}
	text, isString := value.(string)
	if !isString {
		return nil, fmt.Errorf("its %s is %s, not a string", name, kindOf(value))
	}
	out, err := strictBase64(text)
	if err != nil {
		return nil, fmt.Errorf("its %s is not base64url: %w", name, err)
	}
	return out, nil
}

// maxRSABits bounds the work of one verification.
const maxRSABits = 16384

func (k *Key) rsa(m map[string]any) error {
	n, err := octets(m, "n")
	if err != nil {
		return err
	}
	e, err := octets(m, "e")
	if err != nil {
		return err
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	k.Bits = modulus.BitLen()
	switch {
	case k.Bits == 0:
		return errors.New("its modulus is empty")
	case k.Bits > maxRSABits:
		return fmt.Errorf("its modulus has %d bits, more than the %d that are computed with", k.Bits, maxRSABits)
	case exponent.BitLen() > 31:
		return fmt.Errorf("its exponent has %d bits, more than the 31 that are computed with", exponent.BitLen())
	}
	public := &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}
	k.public, k.weak = public, weakRSA(public)
	return nil
}

// weakRSA says why an RSA key gives no protection, beyond its length.
func weakRSA(public *rsa.PublicKey) string {
	switch {
	case public.E < 3:
		return fmt.Sprintf("its public exponent is %d, with which anybody can make signatures", public.E)
	case public.E%2 == 0:
		return fmt.Sprintf("its public exponent %d is even", public.E)
	case public.N.Bit(0) == 0:
		return "its modulus is even"
	case hasROCA(public.N):
		return "its modulus bears the fingerprint of ROCA (CVE-2017-15361): the private key can be computed from it"
	}
	return ""
}

// hasROCA looks for the fingerprint of keys that certain Infineon chips made:
// modulo each of these primes the modulus is a power of 65537.
func hasROCA(n *big.Int) bool {
	var prime, rest big.Int
	for _, p := range [...]int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157} {
		r := rest.Mod(n, prime.SetInt64(p)).Int64()
		power, found := int64(1), false
		for range p {
			if power == r {
				found = true
				break
			}
			power = power * 65537 % p
		}
		if !found {
			return false
		}
	}
	return true
}

func (k *Key) ec(m map[string]any) error {
	var curve elliptic.Curve
	switch k.Crv {
	case "P-256":
		curve = elliptic.P256()
	case "P-384":
		curve = elliptic.P384()
	case "P-521":
		curve = elliptic.P521()
	case "":
		return errors.New("it has no crv")
	default:
		return fmt.Errorf("its curve %s is not known here", show(k.Crv))
	}
	k.Bits = curve.Params().BitSize
	size := (k.Bits + 7) / 8
	point := []byte{4}
	for _, name := range [...]string{"x", "y"} {
		c, err := octets(m, name)
		if err != nil {
			return err
		}
		if len(c) != size {
			return fmt.Errorf("its %s has %d bytes, on %s it must have %d", name, len(c), k.Crv, size)
		}
		point = append(point, c...)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return fmt.Errorf("its point is not on the curve %s", k.Crv)
	}
	k.public = public
	return nil
}

func (k *Key) okp(m map[string]any) error {
	switch k.Crv {
	case "Ed25519":
	case "X25519", "X448":
		return fmt.Errorf("its curve %s is for encryption and cannot sign", k.Crv)
	case "":
		return errors.New("it has no crv")
	default:
		return fmt.Errorf("its curve %s is not known here", show(k.Crv))
	}
	x, err := octets(m, "x")
	if err != nil {
		return err
	}
	if len(x) != ed25519.PublicKeySize {
		return fmt.Errorf("its x has %d bytes, on Ed25519 it must have %d", len(x), ed25519.PublicKeySize)
	}
	k.Bits = 256
	k.public = ed25519.PublicKey(x)
	if smallOrder(x) {
		k.weak = "its point is of small order: one signature fits many messages"
	}
	return nil
}

// smallOrder knows the points of Ed25519 whose order divides eight, in every encoding.
func smallOrder(x []byte) bool {
	var y [32]byte // little endian, without the sign of x
	copy(y[:], x)
	y[31] &= 0x7f
	switch {
	case y == [32]byte{}, y == [32]byte{1}:
		return true
	}
	p := bytes.Repeat([]byte{0xff}, 32)
	p[31] = 0x7f
	for _, low := range [...]byte{0xec, 0xed, 0xee} { // -1, p, p+1
		p[0] = low
		if bytes.Equal(y[:], p) {
			return true
		}
	}
	// The two of order eight.
	a := [32]byte{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05}
	b := [32]byte{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}
	return y == a || y == b
}

func (k *Key) oct(m map[string]any) error {
	value, err := octets(m, "k")
	if err != nil {
		return errors.New("its k is missing or not base64url")
	}
	k.Private, k.Bits = true, len(value)*8
	k.public = secret{usher.Secret(value)}
	return nil
}

// setThumbprint computes the thumbprint of RFC 7638 section 3, of RFC 8037 for OKP.
func (k *Key) setThumbprint() error {
	b64 := base64.RawURLEncoding.EncodeToString
	var text string
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		text = fmt.Sprintf(`{"e":"%s","kty":"RSA","n":"%s"}`, b64(big.NewInt(int64(public.E)).Bytes()), b64(public.N.Bytes()))
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			return errors.New("its curve is not one for tokens")
		}
		size := (len(point) - 1) / 2
		text = fmt.Sprintf(`{"crv":"%s","kty":"EC","x":"%s","y":"%s"}`, k.Crv, b64(point[1:1+size]), b64(point[1+size:]))
	case ed25519.PublicKey:
		text = fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":"%s"}`, b64(public))
	case secret:
		// Of a secret no digest is shown: short ones could be guessed from it.
		return nil
	}
	sum := sha256.Sum256([]byte(text))
	k.Thumbprint = b64(sum[:])
	return nil
}
