package token

import (
	"time"

	"usher"
)

// Type is what a token is meant to be.
type Type string

// The types that Inspect knows. The empty type checks what every JWT shares.
const (
	TypeAny       Type = ""                 // any JWT, RFC 7519
	TypeAccess    Type = "access"           // RFC 9068
	TypeID        Type = "id"               // OpenID Connect Core section 2
	TypeDPoP      Type = "dpop"             // RFC 9449
	TypeLogout    Type = "logout"           // OpenID Connect Back-Channel Logout section 2.4
	TypeAssertion Type = "client-assertion" // RFC 7523, OpenID Connect Core section 9
	TypeJWS       Type = "jws"              // a signature over any content; claims are not looked at
)

// Types lists the types by name.
var Types = []Type{TypeAccess, TypeID, TypeDPoP, TypeLogout, TypeAssertion, TypeJWS}

// Expect is what a token is held against. The zero value checks what can be
// checked without any expectation; a field that is empty is not checked, and
// the report says so.
type Expect struct {
	Type Type
	// Keys are the issuer's keys (the client's keys for a client assertion;
	// unused for DPoP, whose key is in the proof). Nil: the signature stays unknown.
	Keys *KeySet
	// Algs are the allowed signature algorithms. Empty: every asymmetric
	// algorithm of RFC 7518 and RFC 8037, and HMAC where Keys hold a secret for it.
	Algs []string
	// MinRSABits is the least RSA modulus; 0 means 2048, RFC 7518 section 3.3.
	MinRSABits int

	Issuer   string   // expected iss; for a client assertion an acceptable audience
	Audience []string // acceptable audiences; one of them must be in aud
	ClientID string   // audience and azp of ID and logout tokens; iss and sub of client assertions
	// Typ are values of the header's typ that are accepted besides those of
	// Type's standard ("JWT" for providers whose access tokens do not follow
	// RFC 9068). A token accepted through it needs only iss, aud and exp.
	Typ []string

	// MaxBytes is the most bytes of the token; 0 means 16 KiB for what travels in
	// HTTP headers (access tokens and DPoP proofs), else MaxToken.
	MaxBytes int

	Now    func() time.Time // nil: time.Now
	Leeway time.Duration    // clock difference to forgive; 0 means 60 s, negative means none
	// MaxLifetime is the most time from iat (or now) to exp; 0: not checked.
	MaxLifetime time.Duration

	Nonce       *string       // nonce of the authorization request, or of the DPoP-Nonce challenge
	AccessToken usher.Secret  // for at_hash and ath
	Code        usher.Secret  // for c_hash
	MaxAge      time.Duration // max_age of the request; 0: none was sent, negative: max_age=0
	ACR         []string      // acr values of which one is essential

	Method string        // DPoP: HTTP method of the request
	URL    string        // DPoP: target URI of the request
	JKT    string        // DPoP: thumbprint that the access token is bound to (cnf.jkt)
	Window time.Duration // DPoP: oldest acceptable iat; 0 means 300 s

	TokenEndpoint string // client assertion: another acceptable audience
}
