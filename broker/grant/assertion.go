package grant

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // #nosec G505 -- x5t is a SHA-1 by RFC 7515 section 4.1.7; it names a certificate and protects nothing
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"time"

	"github.com/go-jose/go-jose/v4"

	"usher"
)

// Assertion is a JWT of RFC 7523: of a client that authenticates by it, or of
// the JWT bearer grant.
type Assertion struct {
	Issuer   string
	Subject  string // empty: left out, as some service accounts want it
	Audience string // the token endpoint, or the issuer of the provider
	Issued   time.Time
	Life     time.Duration  // 0 is four minutes; providers take five (Auth0), ten or an hour at most
	Claims   map[string]any // further ones, as Google's scope

	Secret usher.Secret // of client_secret_jwt: HS256
	Key    usher.Secret // PEM or JWK; the algorithm follows from the key unless its JWK says one
	KeyID  string       // kid, where the JWK does not say
}

// assertionLife is how long an assertion is good for. It is used at once; the
// rest is for clocks: four minutes where ours is behind, and the one that lacks
// to Auth0's five where it is ahead.
const assertionLife = 4 * time.Minute

// Sign makes the JWT. Its error quotes nothing of the key.
func (a Assertion) Sign() (usher.Secret, error) {
	if a.Life <= 0 {
		a.Life = assertionLife
	}
	claims := map[string]any{}
	maps.Copy(claims, a.Claims)
	at := a.Issued.Unix()
	claims["iss"], claims["aud"], claims["iat"], claims["nbf"] = a.Issuer, a.Audience, at, at
	claims["exp"], claims["jti"] = a.Issued.Add(a.Life).Unix(), rand.Text()
	if a.Subject != "" {
		claims["sub"] = a.Subject
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", errors.New("its claims cannot be written as JSON")
	}
	key, opt, err := a.signingKey()
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(key, opt.WithType("JWT"))
	if err != nil {
		return "", errors.New("the key does not fit the algorithm " + string(key.Algorithm))
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", errors.New("the key cannot sign with " + string(key.Algorithm))
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		return "", errors.New("the assertion cannot be written")
	}
	return usher.Secret(text), nil
}

func (a Assertion) signingKey() (jose.SigningKey, *jose.SignerOptions, error) {
	opt := &jose.SignerOptions{}
	if a.Secret != "" {
		// go-jose takes no key shorter than the hash. HMAC fills a shorter one up
		// with zeros itself (RFC 2104), so this changes nothing but the length.
		key := []byte(a.Secret.Reveal())
		if short := sha256.Size - len(key); short > 0 {
			key = append(key, make([]byte, short)...)
		}
		return jose.SigningKey{Algorithm: jose.HS256, Key: key}, opt, nil
	}
	jwk, err := readKey(a.Key)
	if err != nil {
		return jose.SigningKey{}, nil, err
	}
	alg, err := algorithm(jwk)
	if err != nil {
		return jose.SigningKey{}, nil, err
	}
	kid := jwk.KeyID
	if kid == "" {
		kid = a.KeyID
	}
	if kid != "" {
		opt.WithHeader("kid", kid)
	}
	// Entra knows a key by the certificate that it belongs to.
	if len(jwk.CertificateThumbprintSHA256) > 0 {
		opt.WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(jwk.CertificateThumbprintSHA256))
	}
	if len(jwk.CertificateThumbprintSHA1) > 0 {
		opt.WithHeader("x5t", base64.RawURLEncoding.EncodeToString(jwk.CertificateThumbprintSHA1))
	}
	return jose.SigningKey{Algorithm: alg, Key: jwk.Key}, opt, nil
}

// readKey reads a private key: a JWK, or PEM in the form of PKCS #8, PKCS #1 or
// SEC 1, with its certificate or without.
func readKey(key usher.Secret) (*jose.JSONWebKey, error) {
	text := bytes.TrimSpace([]byte(key.Reveal()))
	if len(text) > 0 && text[0] == '{' {
		jwk := &jose.JSONWebKey{}
		if err := json.Unmarshal(text, jwk); err != nil {
			return nil, errors.New("the key is no JWK that can be read")
		}
		if jwk.IsPublic() || !jwk.Valid() {
			return nil, errors.New("the JWK holds no private key")
		}
		return jwk, nil
	}
	jwk := &jose.JSONWebKey{}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			if jwk.CertificateThumbprintSHA256 != nil {
				continue // the first is the key's own
			}
			long, short := sha256.Sum256(block.Bytes), sha1.Sum(block.Bytes) // #nosec G401 -- see the import
			jwk.CertificateThumbprintSHA256, jwk.CertificateThumbprintSHA1 = long[:], short[:]
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
			private, err := parsePrivate(block)
			if err != nil {
				return nil, err
			}
			if jwk.Key == nil {
				jwk.Key = private
			}
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("the key is encrypted with a passphrase; give it without one")
		}
	}
	if jwk.Key == nil {
		return nil, errors.New("the key is neither PEM nor JWK")
	}
	return jwk, nil
}

func parsePrivate(block *pem.Block) (any, error) {
	switch block.Type {
	case "RSA PRIVATE KEY":
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
	case "EC PRIVATE KEY":
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key, nil
		}
	default:
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
	}
	return nil, errors.New("the PEM holds no " + block.Type + " that can be read")
}

// algorithm gives the algorithm of a key: what its JWK says, or the usual one.
func algorithm(jwk *jose.JSONWebKey) (jose.SignatureAlgorithm, error) {
	var fits []jose.SignatureAlgorithm
	switch key := jwk.Key.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() < 2048 {
			return "", errors.New("the RSA key has less than 2048 bits")
		}
		fits = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.RS384, jose.PS384, jose.RS512, jose.PS512}
	case *ecdsa.PrivateKey:
		switch key.Curve {
		case elliptic.P256():
			fits = []jose.SignatureAlgorithm{jose.ES256}
		case elliptic.P384():
			fits = []jose.SignatureAlgorithm{jose.ES384}
		case elliptic.P521():
			fits = []jose.SignatureAlgorithm{jose.ES512}
		}
	case ed25519.PrivateKey:
		fits = []jose.SignatureAlgorithm{jose.EdDSA}
	}
	if len(fits) == 0 {
		return "", errors.New("the key is of a kind that no algorithm is known for here; RSA, P-256, P-384, P-521 and Ed25519 are")
	}
	if jwk.Algorithm == "" {
		return fits[0], nil
	}
	for _, alg := range fits {
		if string(alg) == jwk.Algorithm {
			return alg, nil
		}
	}
	return "", errors.New("the JWK's alg does not fit its key")
}
