package token

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

	public any // *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey or []byte
}

// LeftKey is an entry of a key set that was left out.
type LeftKey struct {
	Index int    // position in the set, from 0
	Kid   string // empty when there is none
	Why   string
}

// ParseKeySet reads a JWK Set, a single JWK, or PEM (public keys and
// certificates). Entries that cannot be used are left out and said in Left;
// the error is for input that is no key set at all.
func ParseKeySet(data []byte) (*KeySet, error) { panic("unwritten") }
