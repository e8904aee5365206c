package tokens_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

func boundRows() []row {
	tok := access(obj{"cnf": obj{"jkt": thumbprint(key)}})
	orders := api + "/orders"
	sent := func(p string) *check.Target {
		return target(tokens(tok), call(200, orders, now, "Authorization: DPoP "+tok.Raw.Reveal(), "Dpop: "+p))
	}
	good := proof(key, obj{"ath": ath(tok)}, now)
	replayed := sent(good)
	call(200, orders, now, "Authorization: DPoP "+tok.Raw.Reveal(), "Dpop: "+good)(replayed)
	nonceAsked := func(t *check.Target) {
		call(401, orders, now, "Authorization: DPoP "+tok.Raw.Reveal(), "Dpop: "+good, "", `Www-Authenticate: DPoP error="use_dpop_nonce"`, "Dpop-Nonce: n-1")(t)
	}
	next := func(nonce any) func(*check.Target) {
		return call(200, orders, now, "Authorization: DPoP "+tok.Raw.Reveal(), "Dpop: "+proof(key, obj{"jti": "p2", "ath": ath(tok), "nonce": nonce}, now))
	}
	tokenNonce := func(t *check.Target) {
		refused(refresh("rt-1"), evidence.ErrorBody{Code: oauth.ErrUseDPoPNonce})(t)
		t.TokenCalls[len(t.TokenCalls)-1].Exchange = &evidence.Exchange{URL: "https://login.example/token", Request: http.Header{}, Header: http.Header{"Date": {"x"}}}
	}

	der := []byte("not a certificate, but its bytes")
	sum := sha256.Sum256(der)
	bound := access(obj{"cnf": obj{"x5t#S256": b64(sum[:])}})
	mtls := func(header string) *check.Target {
		return target(tokens(bound), call(200, api, now, bearer(bound), header))
	}
	return []row{
		{"dpop-proof", "good", sent(good), ok, ""},
		{"dpop-proof", "another method", sent(proof(key, obj{"ath": ath(tok), "htm": "POST"}, now)), wrong, "method"},
		{"dpop-proof", "another address", sent(proof(key, obj{"ath": ath(tok), "htu": "http://api.example/orders"}, now)), wrong, "proxy"},
		{"dpop-proof", "another key", sent(proof(other, obj{"ath": ath(tok)}, now)), wrong, "another key"},
		{"dpop-proof", "no ath", sent(proof(key, nil, now)), wrong, "ath"},
		{"dpop-proof", "old", sent(proof(key, obj{"ath": ath(tok)}, now.Add(-time.Hour))), wrong, "ago"},
		{"dpop-proof", "twice", replayed, wrong, "second request"},
		{"dpop-proof", "none", target(tokens(tok), call(200, orders, now, bearer(tok))), wrong, "without a proof"},
		{"dpop-proof", "not bound", target(tokens(access(nil)), call(200, orders, now)), na, ""},
		{"dpop-proof", "alone", target(tokens(made("dpop", good))), unknown, ""},
		{"dpop-proof", "alone, with its private key", target(tokens(made("dpop", sign(key, obj{"typ": "dpop+jwt", "alg": "EdDSA", "jwk": with(public(key), obj{"d": "AAAA"})}, obj{"jti": "p", "htm": "GET", "htu": orders, "iat": now.Unix()})))), wrong, "private key"},

		{"dpop-nonce", "answered", target(tokens(tok), nonceAsked, next("n-1")), ok, ""},
		{"dpop-nonce", "without", target(tokens(tok), nonceAsked, next(nil)), wrong, "does not have it"},
		{"dpop-nonce", "another", target(tokens(tok), nonceAsked, next("n-0")), wrong, "n-0"},
		{"dpop-nonce", "gives none", target(tokenNonce), wrong, "gives none"},
		{"dpop-nonce", "the last", target(tokens(tok), nonceAsked), unknown, ""},
		{"dpop-nonce", "not asked", sent(good), na, ""},

		{"mtls-bound", "Envoy's hash", mtls("X-Forwarded-Client-Cert: By=x;Hash=" + hex.EncodeToString(sum[:])), ok, ""},
		{"mtls-bound", "RFC 9440", mtls("Client-Cert: :" + base64.StdEncoding.EncodeToString(der) + ":"), ok, ""},
		{"mtls-bound", "another", mtls("Client-Cert: :" + base64.StdEncoding.EncodeToString([]byte("another one")) + ":"), wrong, "another certificate"},
		{"mtls-bound", "nobody knows", mtls("Accept: */*"), unknown, ""},
		{"mtls-bound", "not bound", target(tokens(access(nil))), na, ""},
	}
}

func exchangeRows() []row {
	exchange := func(more string, before, after obj) *check.Target {
		form := "grant_type=" + oauth.GrantTokenExchange + "&client_id=web&subject_token_type=x&subject_token=" + access(before).Raw.Reveal() + more
		return target(redeemed(form, fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer"}`, access(after).Raw.Reveal()), now))
	}
	next := obj{"aud": "https://next.example", "act": obj{"sub": "api"}}
	return []row{
		{"exchange-claims", "good", exchange("&audience=https://next.example&actor_token=a", nil, next), ok, ""},
		{"exchange-claims", "another person", exchange("", nil, obj{"sub": "u2"}), wrong, "another person"},
		{"exchange-claims", "more scopes", exchange("", nil, obj{"scope": "orders admin"}), wrong, "admin"},
		{"exchange-claims", "other scopes at another API", exchange("&audience=https://next.example", nil, with(next, obj{"scope": "files"})), ok, ""},
		{"exchange-claims", "old audience stays", exchange("&audience=https://next.example", nil, obj{"aud": []string{api, "https://next.example"}}), wrong, "stayed"},
		{"exchange-claims", "no act", exchange("&actor_token=a", nil, obj{"aud": "https://next.example"}), wrong, "who acts"},
		{"exchange-claims", "act alone", target(tokens(access(obj{"act": obj{"sub": "api"}}))), ok, ""},
		{"exchange-claims", "act is a string", target(tokens(access(obj{"act": "api"}))), wrong, "a string"},
		{"exchange-claims", "opaque", target(redeemed("grant_type="+oauth.GrantTokenExchange+"&subject_token=x&client_id=web", `{"access_token":"y","token_type":"Bearer"}`, now)), unknown, ""},
		{"exchange-claims", "none", target(tokens(access(nil))), na, ""},
	}
}

func apiRows() []row {
	old := access(obj{"iat": now.Unix() - 7200, "exp": now.Unix() - 3600})
	tok := access(nil)
	answered := func(status int, challenge string) *check.Target {
		return target(tokens(tok), call(status, api, now, bearer(tok), "", "Www-Authenticate: "+challenge))
	}
	res := func(url string, change func(*check.ResourceMetadata)) *check.Target {
		r := &check.ResourceMetadata{Place: "prm.json", URL: url, Resource: api, AuthorizationServers: []string{iss}, BearerMethods: []string{"header"}}
		if change != nil {
			change(r)
		}
		t := target()
		t.Resources = append(t.Resources, r)
		return t
	}
	withPRM := answered(401, `Bearer error="invalid_token"`)
	withPRM.Resources = []*check.ResourceMetadata{{Resource: api}}
	elsewhere := answered(401, `Bearer error="invalid_token"`)
	elsewhere.Resources = []*check.ResourceMetadata{{Resource: "https://files.example"}}
	bare := target(call(401, api, now, bearer(tok)))
	bare.APICalls[0].Exchange.Header = nil
	return []row{
		{"api-401-challenge", "good", answered(401, `Bearer error="invalid_token"`), ok, ""},
		{"api-401-challenge", "none", target(call(401, api, now, bearer(tok), "", "Date: x")), wrong, "without WWW-Authenticate"},
		{"api-401-challenge", "Basic", answered(401, `Basic realm="x"`), wrong, "Basic"},
		{"api-401-challenge", "no error", answered(401, `Bearer realm="x"`), wrong, "does not say what is wrong"},
		{"api-401-challenge", "no metadata", withPRM, wrong, "metadata"},
		{"api-401-challenge", "metadata of another API", elsewhere, ok, ""},
		{"api-401-challenge", "no headers", bare, unknown, ""},
		{"api-401-challenge", "200", target(call(200, api, now)), na, ""},

		{"api-401-vs-403", "right", answered(401, `Bearer error="invalid_token"`), ok, ""},
		{"api-401-vs-403", "401 for scope", answered(401, `Bearer error="insufficient_scope"`), wrong, "lacks a scope"},
		{"api-401-vs-403", "403 for a bad token", answered(403, `Bearer error="invalid_token"`), wrong, "not good"},
		{"api-401-vs-403", "403 for step-up", answered(403, `Bearer error="insufficient_user_authentication"`), wrong, "better sign-in"},
		{"api-401-vs-403", "403 for an ended token", target(tokens(old), call(403, api, now, bearer(old))), wrong, "has ended"},
		{"api-401-vs-403", "nobody knows", target(tokens(tok), call(403, api, now, bearer(tok))), unknown, ""},
		{"api-401-vs-403", "200", target(call(200, api, now)), na, ""},

		{"resource-metadata", "good", res(api, nil), ok, ""},
		{"resource-metadata", "of another", res("https://other.example", nil), wrong, "asked for was"},
		{"resource-metadata", "a slash", res(api+"/", nil), wrong, "slash"},
		{"resource-metadata", "nobody issues", res(api, func(r *check.ResourceMetadata) { r.AuthorizationServers = nil }), wrong, "no authorization server"},
		{"resource-metadata", "http", res(api, func(r *check.ResourceMetadata) { r.AuthorizationServers = []string{"http://login.example"} }), wrong, "https"},
		{"resource-metadata", "http, under a name that looks like this machine", res(api, func(r *check.ResourceMetadata) { r.AuthorizationServers = []string{"http://127.evil.example"} }), wrong, "https"},
		{"resource-metadata", "an unknown way", res(api, func(r *check.ResourceMetadata) { r.BearerMethods = []string{"cookie"} }), wrong, "cookie"},
		{"resource-metadata", "no resource", res(api, func(r *check.ResourceMetadata) { r.Resource = "" }), wrong, "no resource"},
		{"resource-metadata", "404", res(api, func(r *check.ResourceMetadata) { r.Answer = &check.Answer{Place: "GET x", Status: 404} }), wrong, "404"},
		{"resource-metadata", "a file", res("", nil), unknown, ""},
	}
}

var _ = usher.Secret("")
