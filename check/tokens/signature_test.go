package tokens_test

import (
	"strings"

	"usher/check"
	"usher/token"
)

func signatureRows() []row {
	good := access(nil)
	none := func(alg string) *check.Token {
		return made(token.TypeID, b64(jsonOf(obj{"alg": alg}))+"."+b64(jsonOf(idClaims(nil)))+".")
	}
	raw := good.Raw.Reveal()
	stripped := made(token.TypeAccess, raw[:strings.LastIndexByte(raw, '.')+1])
	hs := made(token.TypeAccess, b64(jsonOf(header(obj{"alg": "HS256"})))+"."+b64(jsonOf(accessClaims(nil)))+"."+strings.Repeat("A", 43))
	hsID := made(token.TypeID, b64(jsonOf(header(obj{"alg": "HS256"})))+"."+b64(jsonOf(idClaims(nil)))+"."+strings.Repeat("A", 43))
	foreign := made(token.TypeAccess, sign(other, header(obj{"jwk": public(other), "kid": nil}), accessClaims(nil)))
	harmless := made(token.TypeAccess, sign(key, header(obj{"jku": "https://login.example/keys"}), accessClaims(nil)))
	rotated := made(token.TypeAccess, sign(other, header(obj{"kid": "k2"}), accessClaims(nil)))
	elsewhere := made(token.TypeAccess, sign(other, header(obj{"kid": "k2"}), accessClaims(obj{"iss": "https://staging.example"})))
	changed := made(token.TypeAccess, sign(other, header(nil), accessClaims(nil)))
	graph := accessClaims(obj{"iss": "https://sts.windows.net/6b1a3b3c-0000-4000-8000-000000000001/", "aud": "00000003-0000-0000-c000-000000000000", "tid": "6b1a3b3c-0000-4000-8000-000000000001"})
	graphToken := made(token.TypeAccess, sign(other, header(obj{"nonce": "abc"}), graph))
	session := made(token.TypeAny, b64(jsonOf(obj{"alg": "HS256", "kid": "s"}))+"."+b64(jsonOf(obj{"sub": "u1", "exp": now.Unix() + 60}))+"."+strings.Repeat("A", 43))
	opaque := made(token.TypeAccess, "0d1f5c1b8e2f4a6f9c1de2")
	return []row{
		{"token-alg-none", "signed", target(tokens(good)), ok, ""},
		{"token-alg-none", "none", target(tokens(none("none"))), wrong, "not signed"},
		{"token-alg-none", "nOnE", target(tokens(none("nOnE"))), wrong, "nOnE"},
		{"token-alg-none", "signature taken off", target(tokens(stripped)), wrong, "taken off"},
		{"token-alg-none", "opaque", target(tokens(opaque)), na, ""},

		{"token-alg-allowed", "on the list", target(tokens(good), expect(check.Expect{Algs: []string{"EdDSA"}})), ok, "your list"},
		{"token-alg-allowed", "not on the list", target(tokens(good), expect(check.Expect{Algs: []string{"RS256"}})), wrong, "not on your list"},
		{"token-alg-allowed", "not announced", target(tokens(id(nil)), metadata(obj{"id_token_signing_alg_values_supported": []string{"RS256"}})), wrong, "does not announce"},
		{"token-alg-allowed", "no list", target(tokens(good)), ok, "No list"},
		{"token-alg-allowed", "secret, no list", target(tokens(hs)), unknown, ""},
		{"token-alg-allowed", "unheard of", target(tokens(made(token.TypeAccess, sign(key, header(obj{"alg": "RS1"}), accessClaims(nil))))), wrong, "RS1"},
		{"token-alg-allowed", "none", target(tokens(none("none"))), na, ""},

		{"token-key-confusion", "asymmetric", target(tokens(good), keys), ok, ""},
		{"token-key-confusion", "HS256 with public keys", target(tokens(hs), rsaKeys), wrong, "public ones"},
		{"token-key-confusion", "HS256 that is announced", target(tokens(hsID), rsaKeys, metadata(obj{"id_token_signing_alg_values_supported": []string{"RS256", "HS256"}})), unknown, ""},

		{"token-key-confusion", "the session of an app", target(tokens(session), rsaKeys, issuer(iss)), unknown, ""},

		{"token-embedded-key", "none", target(tokens(good)), ok, ""},
		{"token-embedded-key", "its own key", target(tokens(foreign), keys), wrong, "jwk"},
		{"token-embedded-key", "not used", target(tokens(harmless), keys), ok, "not used"},
		{"token-embedded-key", "no keys given", target(tokens(foreign)), unknown, ""},

		{"token-kid-found", "found", target(tokens(good), keys), ok, ""},
		{"token-kid-found", "not found", target(tokens(rotated), keys), wrong, `has kid "k1"`},
		{"token-kid-found", "when it was read", target(tokens(rotated), keys), wrong, "read 2026-11-25T12:00:00Z"},
		{"token-kid-found", "another environment", target(tokens(elsewhere), keys, issuer(iss)), wrong, "do not belong together"},
		{"token-kid-found", "opaque", target(tokens(opaque), keys), na, ""},

		{"token-signature", "good", target(tokens(good), keys), ok, "EdDSA"},
		{"token-signature", "another key", target(tokens(changed), keys), wrong, "does not hold"},
		{"token-signature", "kid is not there", target(tokens(rotated), keys), unknown, ""},
		{"token-signature", "Graph's", target(tokens(made(token.TypeAccess, sign(other, header(obj{"nonce": "abc"}), graph))), keys), na, ""},

		{"token-not-for-us", "ours", target(tokens(good)), ok, ""},
		{"token-not-for-us", "Graph's", target(tokens(graphToken)), wrong, "Microsoft Graph"},
		{"token-not-for-us", "Graph's, sent to Graph", target(tokens(graphToken), call(200, "https://graph.microsoft.com/v1.0/me", now, bearer(graphToken))), ok, ""},
	}
}
