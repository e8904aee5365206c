package tokens_test

import (
	"strings"

	"usher/check"
	"usher/evidence"
	"usher/token"
)

func claimRows() []row {
	rfc9068 := func(changes obj) *check.Token {
		return made(token.TypeAccess, sign(key, header(obj{"typ": "at+jwt"}), accessClaims(changes)))
	}
	entra := obj{"iss": "https://login.microsoftonline.com/" + tenant1 + "/v2.0", "tid": tenant1, "email": "a@b.example"}
	return []row{
		{"token-sub", "there", target(tokens(id(nil))), ok, ""},
		{"token-sub", "missing", target(tokens(access(obj{"sub": nil}))), wrong, "no sub"},
		{"token-sub", "cut off", target(tokens(made(token.TypeAccess, "eyJhbGciOiJub25lIn0.e30"))), unknown, ""},
		{"token-sub", "a number", target(tokens(id(obj{"sub": 7}))), wrong, "a number"},
		{"token-sub", "too long", target(tokens(id(obj{"sub": strings.Repeat("x", 300)}))), wrong, "300"},
		{"token-sub", "the address", target(tokens(id(obj{"sub": "a@b.example", "email": "a@b.example"}))), wrong, "as sub"},

		{"token-required-claims", "ID token", target(tokens(id(nil))), ok, ""},
		{"token-required-claims", "ID token lacks", target(tokens(id(obj{"iat": nil, "aud": nil}))), wrong, "aud and iat"},
		{"token-required-claims", "RFC 9068", target(tokens(rfc9068(nil))), ok, ""},
		{"token-required-claims", "RFC 9068 lacks", target(tokens(rfc9068(obj{"jti": nil, "client_id": nil}))), wrong, "client_id and jti"},
		{"token-required-claims", "not RFC 9068", target(tokens(access(obj{"jti": nil, "client_id": nil}))), ok, ""},
		{"token-required-claims", "Cognito", target(tokens(access(obj{"iss": "https://cognito-idp.eu-west-1.amazonaws.com/x", "token_use": "access", "aud": nil}))), ok, ""},
		{"token-required-claims", "wrong type", target(tokens(id(obj{"exp": "1795608000"}))), wrong, "exp of the wrong type"},

		{"token-unique", "jti", target(tokens(access(nil))), ok, ""},
		{"token-unique", "uti", target(tokens(access(obj{"jti": nil, "uti": "x"}))), ok, ""},
		{"token-unique", "none", target(tokens(access(obj{"jti": nil}))), wrong, "no jti"},
		{"token-unique", "twice", target(tokens(access(nil), access(obj{"sub": "u2"}))), wrong, "same jti"},
		{"token-unique", "of one answer", target(tokens(access(obj{"jti": nil, "uti": "x"}), id(obj{"uti": "x"}))), ok, ""},
		{"token-unique", "ID token", target(tokens(id(nil))), na, ""},

		{"token-pii", "none", target(tokens(access(nil))), ok, ""},
		{"token-pii", "address", target(tokens(access(obj{"email": "a@b.example", "phone_number": "1"}))), wrong, "email, phone_number"},
		{"token-pii", "a password", target(tokens(id(obj{"password": "hunter2"}))), wrong, "password"},
		{"token-pii", "ID token", target(tokens(id(obj{"email": "a@b.example"}))), na, ""},

		{"email-verified", "verified", target(tokens(id(obj{"email": "a@b.example", "email_verified": true}))), ok, ""},
		{"email-verified", "not verified", target(tokens(id(obj{"email": "a@b.example", "email_verified": false}))), wrong, "not verified"},
		{"email-verified", "many tenants", target(tokens(id(entra)), registered(evidence.Registration{ClientID: client, Audience: "AzureADMultipleOrgs"})), wrong, "many tenants"},
		{"email-verified", "one tenant", target(tokens(id(entra)), registered(evidence.Registration{ClientID: client, Audience: "AzureADMyOrg"})), unknown, ""},
		{"email-verified", "no address", target(tokens(id(nil))), na, ""},
	}
}
