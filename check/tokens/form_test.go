package tokens_test

import (
	"fmt"
	"strings"
	"time"

	"usher/check"
	"usher/token"
)

func formRows() []row {
	good := access(nil)
	signedID := id(nil)
	groups := func(n int) []string {
		var g []string
		for i := range n {
			g = append(g, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
		}
		return g
	}
	twice := b64([]byte(`{"alg":"EdDSA","kid":"k1"}`)) + "." + b64([]byte(`{"sub":"a","sub":"b"}`)) + ".c2ln"
	return []row{
		{"token-well-formed", "good", target(tokens(good)), ok, ""},
		{"token-well-formed", "two parts", target(tokens(made(token.TypeAccess, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSJ9"))), wrong, ""},
		{"token-well-formed", "padding", target(tokens(made(token.TypeAccess, good.Raw.Reveal()+"=="))), wrong, ""},
		{"token-well-formed", "a member twice", target(tokens(made(token.TypeID, twice))), wrong, "sub"},
		{"token-well-formed", "opaque access token", target(tokens(made(token.TypeAccess, "0d1f5c1b8e2f4a6f9c1de2"))), na, ""},
		{"token-well-formed", "opaque ID token", target(tokens(made(token.TypeID, "0d1f5c1b8e2f4a6f9c1de2"))), wrong, "no JWT"},
		{"token-well-formed", "opaque, without its text", target(tokens(&check.Token{Parsed: &token.Parsed{Form: token.FormOpaque}, Place: "x", Type: token.TypeAccess})), na, ""},
		{"token-well-formed", "claims only", target(tokens(&check.Token{Parsed: good.Parsed, Place: "claims.json"})), unknown, ""},

		{"token-typ", "access token at an API", target(tokens(good)), ok, ""},
		{"token-typ", "ID token at the client", target(tokens(id(obj{"at_hash": "x"}))), ok, ""},
		{"token-typ", "at+jwt at an API", target(tokens(made(token.TypeAccess, sign(key, header(obj{"typ": "at+jwt"}), accessClaims(nil))))), ok, ""},
		{"token-typ", "logout token as ID token", target(tokens(made(token.TypeID, sign(key, header(obj{"typ": "logout+jwt"}), idClaims(nil))))), wrong, "logout+jwt"},
		{"token-typ", "access token as ID token", target(tokens(made(token.TypeID, sign(key, header(obj{"typ": "at+jwt"}), accessClaims(nil))))), wrong, "at+jwt"},
		{"token-typ", "Keycloak's ID token at an API", target(tokens(made(token.TypeAccess, sign(key, header(nil), idClaims(obj{"typ": "ID"}))))), wrong, "is an ID token"},
		{"token-typ", "Keycloak's refresh token at an API", target(tokens(made(token.TypeAccess, sign(key, header(nil), idClaims(obj{"typ": "Refresh"}))))), wrong, "refresh token"},
		{"token-typ", "nobody knows where", target(tokens(made(token.TypeAny, good.Raw.Reveal()))), unknown, ""},

		{"token-id-as-access", "access token", target(tokens(good), call(200, api, now, bearer(good))), ok, ""},
		{"token-id-as-access", "ID token", target(tokens(signedID), metadata(nil), func(t *check.Target) { t.Tokens[0].Type = token.TypeAccess }, clientNamed, call(200, api, now, bearer(signedID))), wrong, "sends its ID token"},
		{"token-id-as-access", "another service's token with aud of a URL", serviceToken(), ok, ""},
		{"token-id-as-access", "no token in the call", target(tokens(good), call(200, api, now)), unknown, ""},

		{"token-crit", "none", target(tokens(good)), ok, ""},
		{"token-crit", "unknown name", target(tokens(made(token.TypeAccess, sign(key, header(obj{"crit": []string{"exp2"}, "exp2": 1}), accessClaims(nil))))), wrong, "exp2"},
		{"token-crit", "empty", target(tokens(made(token.TypeAccess, sign(key, header(obj{"crit": []string{}}), accessClaims(nil))))), wrong, "empty"},

		{"token-size", "small", target(tokens(good)), ok, ""},
		{"token-size", "over 4 KiB", target(tokens(access(obj{"groups": groups(90)}))), wrong, "holds 90 groups"},
		{"token-size", "over 8 KiB", target(tokens(access(obj{"note": strings.Repeat("x", 9000)}))), wrong, "too large"},
		{"token-size", "overage", target(tokens(access(obj{"_claim_names": obj{"groups": "src1"}}))), wrong, "did not fit"},
	}
}

func clientNamed(t *check.Target) { asked("scope=openid", "")(t) }

func serviceToken() *check.Target {
	tok := made(token.TypeAccess, sign(key, header(nil), obj{"iss": "https://accounts.google.com", "aud": api, "azp": "118", "sub": "118", "iat": now.Unix(), "exp": now.Unix() + 3600}))
	return target(tokens(tok), call(200, api, now.Add(time.Minute), bearer(tok)))
}
