package probe

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"usher"
)

// signer makes client assertions, RFC 7523 section 3 and OpenID Connect Core
// section 9.
type signer struct {
	key any
	alg jose.SignatureAlgorithm
	kid string
}

// readKey reads a private key, PEM or JWK. The error never holds it.
func readKey(text usher.Secret, kid string) (*signer, error) {
	bad := func(why string) error {
		return &usher.Error{Code: usher.ErrUnreadable, Message: "the client's key " + why, Hint: "give a private key as PEM (PKCS #8) or JWK"}
	}
	raw := strings.TrimSpace(text.Reveal())
	s := &signer{kid: kid}
	if strings.HasPrefix(raw, "{") {
		var k jose.JSONWebKey
		if json.Unmarshal([]byte(raw), &k) != nil {
			return nil, bad("is no JWK that can be used")
		}
		if k.IsPublic() {
			return nil, bad("is a public key, which signs nothing")
		}
		s.key, s.alg = k.Key, jose.SignatureAlgorithm(k.Algorithm)
		if s.kid == "" {
			s.kid = k.KeyID
		}
	} else {
		block, _ := pem.Decode([]byte(raw))
		if block == nil {
			return nil, bad("is neither PEM nor JWK")
		}
		if s.key = parsePEM(block.Bytes); s.key == nil {
			return nil, bad("is no private key that can be read (PEM type " + quote(block.Type) + ")")
		}
	}
	kind := algOf(s.key)
	if kind == "" { // a symmetric one, too: it would be the client's secret
		return nil, bad("is of a kind that signs no assertion")
	}
	if s.alg == "" {
		s.alg = kind
	}
	return s, nil
}

func parsePEM(der []byte) any {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return k
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k
	}
	return nil
}

func algOf(key any) jose.SignatureAlgorithm {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return jose.RS256
	case ed25519.PrivateKey:
		return jose.EdDSA
	case *ecdsa.PrivateKey:
		switch k.Curve {
		case elliptic.P256():
			return jose.ES256
		case elliptic.P384():
			return jose.ES384
		case elliptic.P521():
			return jose.ES512
		}
	}
	return ""
}

// other is a signer with a new key of the same kind, whose signature no
// provider can take.
func (s *signer) other() (*signer, error) {
	o := &signer{alg: s.alg, kid: s.kid}
	var err error
	switch k := s.key.(type) {
	case *rsa.PrivateKey:
		o.key, err = rsa.GenerateKey(rand.Reader, 2048)
	case ed25519.PrivateKey:
		_, o.key, err = ed25519.GenerateKey(rand.Reader)
	case *ecdsa.PrivateKey:
		o.key, err = ecdsa.GenerateKey(k.Curve, rand.Reader)
	}
	return o, err
}

// assertion signs who the client is, for an audience, for a while.
func (s *signer) assertion(client, audience string, now time.Time, life time.Duration) (usher.Secret, error) {
	claims := map[string]any{
		"iss": client, "sub": client, "aud": audience, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(life).Unix(),
	}
	return s.sign(claims, "JWT")
}

func (s *signer) sign(claims map[string]any, typ string) (usher.Secret, error) {
	opt := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	if s.kid != "" {
		opt = opt.WithHeader("kid", s.kid)
	}
	return sign(s.key, s.alg, opt, claims)
}

func sign(key any, alg jose.SignatureAlgorithm, opt *jose.SignerOptions, claims map[string]any) (usher.Secret, error) {
	unsigned := func(err error) error {
		return &usher.Error{Code: usher.ErrUnreadable, Message: "the key signs nothing with " + string(alg), Hint: "see whether its alg fits its kind", Err: err}
	}
	sig, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opt)
	if err != nil {
		return "", unsigned(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	jws, err := sig.Sign(body)
	if err != nil {
		return "", unsigned(err)
	}
	compact, err := jws.CompactSerialize()
	return usher.Secret(compact), err
}
