package providers_test

import (
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/providers"
	"usher/evidence"
	"usher/provider/knowledge"
	"usher/token"
)

const (
	wellKnown = issuer + "/.well-known/openid-configuration"
	inserted  = "https://id.example/.well-known/oauth-authorization-server/realms/shop"
)

func entra(t *check.Target) { doc(m{"issuer": "https://login.example/{tenantid}/v2.0"})(t) }

func tenants(list ...string) change {
	return func(t *check.Target) { t.Expect = &check.Expect{Tenants: list} }
}

func knows(p knowledge.Provider) change { return func(t *check.Target) { t.Provider = &p } }

var day = 24 * time.Hour

func rows() []row {
	var all []row
	for _, list := range [][]row{issuers(), fetching(), documents(), addresses(), keySets(), histories(), algorithms(), features(), fitting(), clocks()} {
		all = append(all, list...)
	}
	return all
}

func issuers() []row {
	return []row{
		{"issuer-identical", "same", target(asked(issuer), doc(nil)), ok, ""},
		{"issuer-identical", "slash", target(asked(issuer+"/"), doc(nil)), wrong, "by the slash at the end"},
		{"issuer-identical", "case", target(asked("https://id.example/realms/Shop"), doc(nil)), wrong, "upper and lower case"},
		{"issuer-identical", "scheme", target(asked("http://id.example/realms/shop"), doc(nil)), wrong, "in the scheme"},
		{"issuer-identical", "tenant", target(asked("https://id.example/realms/other"), doc(nil)), wrong, "other against shop"},
		{"issuer-identical", "host", target(asked("https://other.example/realms/shop"), doc(nil)), wrong, "in the host"},
		{"issuer-identical", "no issuer in it", target(asked(issuer), doc(m{"issuer": nil})), wrong, "no issuer"},
		{"issuer-identical", "a template", target(asked("https://login.example/common/v2.0"), entra), none, ""},
		{"issuer-identical", "nobody asked", target(doc(nil)), unknown, ""},
		{"issuer-identical", "a file beside", target(asked(issuer), doc(m{"issuer": "https://else.example"}), doc(nil)), ok, ""},

		{"issuer-template", "one issuer", target(doc(nil)), ok, ""},
		{"issuer-template", "template", target(entra), wrong, "{tenantid}"},
		{"issuer-template", "token fits, tenant listed", target(entra, tenants("t1"), tokenOf(token.TypeID, "k", m{"iss": "https://login.example/t1/v2.0", "tid": "t1"})), ok, ""},
		{"issuer-template", "token fits, no list", target(entra, tokenOf(token.TypeID, "k", m{"iss": "https://login.example/t1/v2.0", "tid": "t1"})), wrong, "is a template"},
		{"issuer-template", "another tenant", target(entra, tenants("t1"), tokenOf(token.TypeID, "k", m{"iss": "https://login.example/t2/v2.0", "tid": "t2"})), wrong, "not allowed"},
		{"issuer-template", "v1 issuer", target(entra, tenants("t1"), tokenOf(token.TypeID, "k", m{"iss": "https://sts.example/t1/", "tid": "t1"})), wrong, "does not come of the template"},
		{"issuer-template", "an assertion of the client", target(entra, tenants("t1"), tokenOf(token.TypeAssertion, "k", m{"iss": "web"})), unknown, ""},
		{"issuer-template", "a token of another provider", target(entra, doc(nil), tenants("t1"), tokenOf(token.TypeID, "k", m{"iss": issuer})), unknown, ""},
		{"issuer-template", "listed, no token", target(entra, tenants("t1")), unknown, ""},

		{"issuer-url-form", "https", target(doc(nil)), ok, ""},
		{"issuer-url-form", "http", target(doc(m{"issuer": "http://id.example"})), wrong, "not https"},
		{"issuer-url-form", "query", target(doc(m{"issuer": "https://id.example?x=1"})), wrong, "query"},
		{"issuer-url-form", "fragment", target(doc(m{"issuer": "https://id.example#x"})), wrong, "fragment"},
		{"issuer-url-form", "no scheme", target(doc(m{"issuer": "id.example"})), wrong, "no scheme"},
		{"issuer-url-form", "template", target(entra), ok, ""},
		{"issuer-url-form", "loopback, asked for", target(asked("http://localhost:8080"), doc(m{"issuer": "http://localhost:8080"})), ok, "this machine"},
		{"issuer-url-form", "loopback, a file", target(doc(m{"issuer": "http://localhost:8080"})), wrong, "not https"},
		{"issuer-url-form", "none", target(doc(m{"issuer": nil})), none, ""},
	}
}

func fetching() []row {
	jsonType := "Content-Type: application/json; charset=utf-8"
	return []row{
		{"discovery-reachable", "in order", target(doc(nil), answered("discovery", wellKnown, 200, jsonType), got), ok, ""},
		{"discovery-reachable", "not found", target(answered("discovery", wellKnown, 404, "Content-Type: text/html")), wrong, "404"},
		{"discovery-reachable", "a page", target(answered("discovery", wellKnown, 200, "Content-Type: text/html")), wrong, "a page came"},
		{"discovery-reachable", "wrong type", target(doc(nil), answered("discovery", wellKnown, 200, "Content-Type: text/plain"), got), wrong, "text/plain"},
		{"discovery-reachable", "no answer", target(failed("discovery", wellKnown, "connection refused")), wrong, "refused"},
		{"discovery-reachable", "a file", target(doc(nil)), unknown, ""},

		{"discovery-path-form", "both", target(doc(nil), asked(issuer), answered("discovery", wellKnown, 200, jsonType), answered("discovery-form", inserted, 200, jsonType)), ok, ""},
		{"discovery-path-form", "suffix alone", target(doc(nil), asked(issuer), answered("discovery", wellKnown, 200, jsonType), answered("discovery-form", inserted, 404)), ok, "behind the path alone"},
		{"discovery-path-form", "inserted alone", target(doc(nil), asked(issuer), answered("discovery-form", wellKnown, 404), answered("discovery", inserted, 200, jsonType)), wrong, "RFC 8414 alone"},
		{"discovery-path-form", "neither", target(asked(issuer), answered("discovery-form", wellKnown, 404), answered("discovery", inserted, 404)), wrong, "none of the addresses"},
		{"discovery-path-form", "no path", target(asked("https://id.example"), answered("discovery", "https://id.example/.well-known/openid-configuration", 200, jsonType)), none, ""},
		{"discovery-path-form", "one tried", target(doc(nil), asked(issuer), answered("discovery", wellKnown, 200, jsonType)), unknown, ""},

		{"discovery-cache", "an hour", target(answered("discovery", wellKnown, 200, "Cache-Control: max-age=3600"), answered("jwks", issuer+"/keys", 200, "Cache-Control: public, max-age=3600")), ok, ""},
		{"discovery-cache", "no-store", target(answered("jwks", issuer+"/keys", 200, "Cache-Control: no-cache, no-store")), wrong, "no-store"},
		{"discovery-cache", "44 days", target(answered("jwks", issuer+"/keys", 200, "Cache-Control: max-age=3828277, must-revalidate")), wrong, "1063 hours"},
		{"discovery-cache", "a document for 44 days", target(answered("discovery", wellKnown, 200, "Cache-Control: max-age=3828277")), ok, ""},
		{"discovery-cache", "nothing seen", target(answered("token", issuer+"/token", 200)), unknown, ""},

		{"jwks-reachable", "in order", target(doc(nil), keys(rsaKey("a", nil)), answered("jwks", issuer+"/keys", 200, jsonType)), ok, ""},
		{"jwks-reachable", "refused", target(doc(nil), answered("jwks", issuer+"/keys", 503)), wrong, "503"},
		{"jwks-reachable", "a page", target(doc(nil), answered("jwks", issuer+"/keys", 200, "Content-Type: text/html")), wrong, "cannot be had"},
		{"jwks-reachable", "no key set", target(doc(nil), answered("jwks", issuer+"/keys", 200, jsonType)), wrong, "no key set"},
		{"jwks-reachable", "a body that is none", target(doc(nil), answered("jwks", issuer+"/keys", 200, jsonType), func(t *check.Target) { t.Answers[0].Defect = "has 1200 keys, at most 256 are read" }), wrong, "it has 1200 keys"},
		{"jwks-reachable", "encryption alone", target(doc(nil), keys(rsaKey("a", m{"use": "enc", "alg": "RSA-OAEP"}))), wrong, "no key that a token"},
		{"jwks-reachable", "another algorithm", target(doc(m{"id_token_signing_alg_values_supported": []string{"ES256"}}), keys(rsaKey("a", nil))), wrong, "no key that a token"},
		{"jwks-reachable", "HMAC for ID tokens alone", target(doc(m{"id_token_signing_alg_values_supported": []string{"HS256"}}), keys(rsaKey("a", nil)), answered("jwks", issuer+"/keys", 200, jsonType)), ok, ""},
		{"jwks-reachable", "HMAC for ID tokens alone, no keys", target(doc(m{"id_token_signing_alg_values_supported": []string{"HS256"}}), keys(), answered("jwks", issuer+"/keys", 200, jsonType)), ok, ""},
		{"jwks-reachable", "a kind that is not known here", target(doc(m{"id_token_signing_alg_values_supported": []string{"ML-DSA-44"}}), keys(m{"kty": "AKP", "kid": "a", "alg": "ML-DSA-44", "pub": "AAAA"})), unknown, "not known here"},
		{"jwks-reachable", "a file", target(doc(nil), keys(rsaKey("a", nil))), unknown, ""},
		{"jwks-reachable", "nothing", target(doc(nil)), unknown, ""},
	}
}

func documents() []row {
	return []row{
		{"discovery-required-fields", "all", target(doc(nil)), ok, ""},
		{"discovery-required-fields", "no token endpoint", target(doc(m{"token_endpoint": nil})), wrong, "token_endpoint"},
		{"discovery-required-fields", "implicit alone", target(doc(m{"token_endpoint": nil, "grant_types_supported": []string{"implicit"}})), ok, ""},
		{"discovery-required-fields", "plain OAuth", target(doc(m{"subject_types_supported": nil, "id_token_signing_alg_values_supported": nil, "userinfo_endpoint": nil, "scopes_supported": []string{"orders"}, "jwks_uri": nil})), ok, ""},
		{"discovery-required-fields", "machine alone", target(doc(m{"authorization_endpoint": nil, "subject_types_supported": nil, "id_token_signing_alg_values_supported": nil, "userinfo_endpoint": nil, "scopes_supported": nil, "grant_types_supported": []string{"client_credentials"}})), ok, ""},
		{"discovery-required-fields", "OpenID without algs", target(doc(m{"id_token_signing_alg_values_supported": nil})), wrong, "id_token_signing_alg_values_supported"},

		{"discovery-types", "right", target(doc(nil)), ok, ""},
		{"discovery-types", "one string", target(doc(m{"scopes_supported": "openid profile"})), wrong, "an array of strings"},
		{"discovery-types", "numbers", target(doc(m{"scopes_supported": []any{"openid", 1}})), wrong, "scopes_supported"},
		{"discovery-types", "quoted switch", target(doc(m{"request_parameter_supported": "true"})), wrong, "true or false"},
		{"discovery-types", "null endpoint", target(func(t *check.Target) {
			doc(nil)(t)
			t.Metadata[0].Raw["registration_endpoint"] = []byte("null")
		}), wrong, "registration_endpoint"},
		{"discovery-types", "own members", target(doc(m{"http_logout_supported": "yes", "tenant_region_scope": 1, "vp_formats_supported": m{}})), ok, ""},

		{"discovery-signed-metadata", "none", target(doc(nil)), none, ""},
		{"discovery-signed-metadata", "agrees, no keys", target(doc(m{"signed_metadata": jwt(m{"alg": "RS256"}, m{"iss": "x", "token_endpoint": issuer + "/token"}).Reveal()})), unknown, "not verified"},
		{"discovery-signed-metadata", "differs", target(doc(m{"signed_metadata": jwt(m{"alg": "RS256"}, m{"iss": "x", "token_endpoint": issuer + "/other"}).Reveal()})), wrong, "token_endpoint"},
		{"discovery-signed-metadata", "no JWT", target(doc(m{"signed_metadata": "abc"})), wrong, "cannot be read"},
		{"discovery-signed-metadata", "bad signature", target(doc(m{"signed_metadata": jwt(m{"alg": "RS256", "kid": "a"}, m{"iss": "x"}).Reveal()}), keys(rsaKey("a", nil))), wrong, "does not verify"},
	}
}

func addresses() []row {
	return []row{
		{"discovery-endpoints-https", "https", target(doc(nil)), ok, ""},
		{"discovery-endpoints-https", "http", target(doc(m{"token_endpoint": "http://id.example/token"})), wrong, "1 endpoint is not https: token_endpoint"},
		{"discovery-endpoints-https", "relative", target(doc(m{"token_endpoint": "/token"})), wrong, "token_endpoint"},
		{"discovery-endpoints-https", "iframe", target(doc(m{"check_session_iframe": "http://id.example/frame"})), wrong, "check_session_iframe"},
		{"discovery-endpoints-https", "a page for people", target(doc(m{"op_tos_uri": "http://id.example/terms"})), ok, ""},
		{"discovery-endpoints-https", "a wallet's scheme", target(doc(m{"authorization_endpoint": "openid4vp:"})), ok, ""},
		{"discovery-endpoints-https", "loopback, asked for", target(asked("http://127.0.0.1:9"), doc(m{"token_endpoint": "http://127.0.0.1:9/token"})), ok, "this machine"},
		{"discovery-endpoints-https", "loopback, not asked for", target(asked(issuer), doc(m{"token_endpoint": "http://127.0.0.1:9/token"})), wrong, "token_endpoint"},
		{"discovery-endpoints-https", "loopback in production", target(asked("http://127.0.0.1:9"), doc(m{"token_endpoint": "http://127.0.0.1:9/token"}), func(t *check.Target) { yes := true; t.Expect = &check.Expect{Production: &yes} }), wrong, ""},

		{"discovery-hosts-foreign", "two firms below one public suffix", target(doc(m{"issuer": "https://id.shop.co.uk", "token_endpoint": "https://id.other.co.uk/token"})), wrong, "tampered with"},
		{"discovery-hosts-foreign", "two apps of one cloud", target(doc(m{"issuer": "https://shop.azurewebsites.net", "authorization_endpoint": "https://other.azurewebsites.net/auth"})), wrong, "tampered with"},
		{"discovery-hosts-foreign", "own", target(doc(nil)), ok, ""},
		{"discovery-hosts-foreign", "own in capitals", target(doc(m{"token_endpoint": "https://ID.example/token"})), ok, ""},
		{"discovery-hosts-foreign", "foreign", target(doc(m{"token_endpoint": "https://evil.test/token"})), wrong, "evil.test"},
		{"discovery-hosts-foreign", "foreign resource page", target(doc(m{"service_documentation": "https://evil.test/docs", "op_policy_uri": "https://evil.test/p"})), ok, ""},
		{"discovery-hosts-foreign", "no issuer", target(doc(m{"issuer": nil})), none, ""},

		{"discovery-internal-host", "public", target(doc(nil)), ok, ""},
		{"discovery-internal-host", "loopback", target(doc(m{"token_endpoint": "http://localhost:8080/token"})), wrong, "localhost"},
		{"discovery-internal-host", "private address", target(doc(m{"token_endpoint": "https://10.1.2.3/token"})), wrong, "10.1.2.3"},
		{"discovery-internal-host", "mapped", target(doc(m{"token_endpoint": "https://[::ffff:192.168.1.1]/token"})), wrong, "192.168.1.1"},
		{"discovery-internal-host", "bare name", target(doc(m{"jwks_uri": "http://keycloak:8080/certs"})), wrong, "keycloak"},
		{"discovery-internal-host", "cluster", target(asked(issuer), doc(m{"jwks_uri": "http://kc.auth.svc.cluster.local/certs"})), wrong, "svc.cluster.local"},
		{"discovery-internal-host", "inside, and asked for", target(asked("http://kc.lan"), doc(m{"issuer": "http://kc.lan", "authorization_endpoint": "http://kc.lan/auth"})), none, "inside"},
		{"discovery-internal-host", "inside, another one", target(asked("http://kc.lan"), doc(m{"issuer": "http://kc.lan", "token_endpoint": "http://10.0.0.1/token"})), wrong, "10.0.0.1"},
	}
}

func keySets() []row {
	two := func(a, b m) *check.Target { return target(doc(nil), keys(a, b)) }
	return []row{
		{"jwks-no-private", "public", target(keys(rsaKey("a", nil))), ok, ""},
		{"jwks-no-private", "d", target(keys(rsaKey("a", m{"d": "AQAB"}))), wrong, "member d"},
		{"jwks-no-private", "p alone", target(keys(rsaKey("a", m{"p": "AQAB"}))), wrong, "member p"},
		{"jwks-no-private", "secret", target(keys(m{"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"})), wrong, "member k"},
		{"jwks-no-private", "nothing", target(), unknown, ""},

		{"jwks-symmetric-mix", "public", target(keys(rsaKey("a", nil))), ok, ""},
		{"jwks-symmetric-mix", "oct", target(keys(rsaKey("a", nil), m{"kty": "oct", "kid": "s", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"})), wrong, "symmetric"},

		{"jwks-key-size", "2048", target(keys(rsaKey("a", nil), ecKey("b", nil))), ok, ""},
		{"jwks-key-size", "1024", target(keys(rsaKey("a", m{"n": n1024}))), wrong, "1024 bits"},
		{"jwks-key-size", "exponent 1", target(keys(rsaKey("a", m{"e": "AQ"}))), wrong, "exponent is 1"},
		{"jwks-key-size", "even exponent", target(keys(rsaKey("a", m{"e": "BA"}))), wrong, "even"},
		{"jwks-key-size", "off the curve", target(keys(ecKey("a", m{"y": xP256}))), wrong, "not on the curve"},
		{"jwks-key-size", "ROCA", target(keys(rsaKey("a", m{"n": roca()}))), wrong, "ROCA"},
		{"jwks-key-size", "nothing readable", target(keys(m{"kty": "XYZ", "kid": "a"})), unknown, ""},

		{"jwks-kid-unique", "own", target(keys(rsaKey("a", nil), ecKey("b", nil))), ok, ""},
		{"jwks-kid-unique", "twice", target(keys(rsaKey("a", nil), ecKey("a", nil))), wrong, "One kid stands for several"},
		{"jwks-kid-unique", "absent", target(keys(rsaKey("a", nil), ecKey("", m{"kid": nil}))), wrong, "1 key has no kid"},
		{"jwks-kid-unique", "the only one", target(keys(rsaKey("", m{"kid": nil}))), wrong, "only key"},
		{"jwks-kid-unique", "empty set", target(keys()), unknown, ""},

		{"jwks-use-alg", "said", target(keys(rsaKey("a", nil))), ok, ""},
		{"jwks-use-alg", "no alg", target(keys(rsaKey("a", m{"alg": nil}))), wrong, "1 key has no alg"},
		{"jwks-use-alg", "mixed without use", two(rsaKey("a", m{"use": nil, "alg": nil}), rsaKey("b", m{"use": "enc", "alg": "RSA-OAEP"})), wrong, "signs or encrypts"},
		{"jwks-use-alg", "mixed, each said", two(rsaKey("a", nil), rsaKey("b", m{"use": "enc", "alg": "RSA-OAEP"})), ok, ""},

		{"jwks-x5c-consistent", "none", target(keys(rsaKey("a", nil))), none, ""},
		{"jwks-x5c-consistent", "fits", target(certified(nil)), ok, ""},
		{"jwks-x5c-consistent", "of another key", target(certified(m{"n": n2048})), wrong, "another key"},
		{"jwks-x5c-consistent", "another thumbprint", target(certified(m{"x5t#S256": "AAAA"})), wrong, "x5t#S256"},
		{"jwks-x5c-consistent", "no certificate", target(certified(m{"x5c": []string{"AAAA"}})), wrong, "no certificate that can be read"},
		{"jwks-x5c-consistent", "ended", target(certified(nil), func(t *check.Target) { t.Now = now.AddDate(30, 0, 0) }), wrong, "ended"},

		{"jwks-issuer-member", "none", target(keys(rsaKey("a", nil))), none, ""},
		{"jwks-issuer-member", "named", target(keys(rsaKey("a", m{"issuer": "https://login.example/{tenantid}/v2.0"}))), wrong, "published for an issuer"},
		{"jwks-issuer-member", "token fits", target(keys(rsaKey("a", m{"issuer": "https://login.example/{tenantid}/v2.0"})), tokenOf(token.TypeID, "a", m{"iss": "https://login.example/t1/v2.0", "tid": "t1"})), ok, ""},
		{"jwks-issuer-member", "token of another", target(keys(rsaKey("a", m{"issuer": "https://login.example/consumers/v2.0"})), tokenOf(token.TypeID, "a", m{"iss": "https://login.example/t1/v2.0", "tid": "t1"})), wrong, "consumers"},

		{"jwks-unknown-kty", "known", target(keys(rsaKey("a", nil))), none, ""},
		{"jwks-unknown-kty", "beside", target(keys(rsaKey("a", nil), m{"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44"})), ok, "usable ones remain"},
		{"jwks-unknown-kty", "alone", target(keys(m{"kty": "AKP", "kid": "pq"})), wrong, "no usable one"},
	}
}

func histories() []row {
	hour := func(n int) time.Time { return now.Add(time.Duration(n) * time.Hour) }
	return []row{
		{"discovery-drift", "same", target(doc(nil), seen(hour(-24), m{})), ok, ""},
		{"discovery-drift", "endpoint moved", target(doc(nil), seen(hour(-24), m{"token_endpoint": issuer + "/old"})), wrong, "token_endpoint"},
		{"discovery-drift", "algorithm dropped", target(doc(nil), seen(hour(-24), m{"id_token_signing_alg_values_supported": []string{"RS256", "ES256", "PS256"}})), wrong, "PS256"},
		{"discovery-drift", "PKCE announced", target(doc(nil), seen(hour(-24), m{"code_challenge_methods_supported": nil})), wrong, "send S256"},
		{"discovery-drift", "order alone", target(doc(nil), seen(hour(-24), m{"id_token_signing_alg_values_supported": []string{"ES256", "RS256"}})), ok, ""},
		{"discovery-drift", "claims alone", target(doc(m{"claims_supported": []string{"a"}}), seen(hour(-24), m{"claims_supported": []string{"b"}})), ok, ""},
		{"discovery-drift", "no earlier look", target(doc(nil)), unknown, ""},

		{"jwks-flapping", "steady", target(keys(rsaKey("a", nil)), seen(hour(-3), nil, "a"), seen(hour(-2), nil, "a")), ok, ""},
		{"jwks-flapping", "gone and back", target(keys(rsaKey("a", nil)), seen(hour(-3), nil, "a"), seen(hour(-2), nil, "b")), wrong, "2h0m0s"},
		{"jwks-flapping", "rotated", target(keys(rsaKey("b", nil)), seen(hour(-3), nil, "a"), seen(hour(-2), nil, "a", "b")), ok, ""},
		{"jwks-flapping", "two looks", target(keys(rsaKey("a", nil)), seen(hour(-3), nil, "b")), unknown, ""},

		{"jwks-rotation-overlap", "overlap", target(keys(rsaKey("b", nil)), seen(hour(-30), nil, "a"), seen(hour(-20), nil, "a", "b")), ok, ""},
		{"jwks-rotation-overlap", "all at once", target(keys(rsaKey("b", nil)), seen(hour(-1), nil, "a")), wrong, "exchanged at once"},
		{"jwks-rotation-overlap", "all after a long time", target(keys(rsaKey("b", nil)), seen(hour(-2000), nil, "a")), unknown, ""},
		{"jwks-rotation-overlap", "withdrawn too early", target(keys(rsaKey("b", nil)), seen(hour(-30), nil, "a", "b"), tokenOf(token.TypeAccess, "a", m{"iat": hour(-1).Unix(), "exp": hour(1).Unix()})), wrong, "withdrawn"},
		{"jwks-rotation-overlap", "signed before published", target(keys(rsaKey("a", nil), rsaKey("b", nil)), seen(hour(-3), nil, "a"), seen(hour(-1), nil, "a"), tokenOf(token.TypeAccess, "b", m{"iat": hour(-2).Unix(), "exp": hour(1).Unix()})), wrong, "before it was published"},
		{"jwks-rotation-overlap", "published, then signed", target(keys(rsaKey("a", nil), rsaKey("b", nil)), seen(hour(-3), nil, "a"), seen(hour(-2), nil, "a", "b"), tokenOf(token.TypeAccess, "b", m{"iat": hour(-1).Unix(), "exp": hour(1).Unix()})), ok, ""},
		{"jwks-rotation-overlap", "all at once, days ago", target(keys(rsaKey("b", nil)), seen(hour(-101), nil, "a"), seen(hour(-100), nil, "b")), unknown, ""},
		{"jwks-rotation-overlap", "all at once, a day ago", target(keys(rsaKey("b", nil)), seen(hour(-25), nil, "a"), seen(hour(-24), nil, "b")), wrong, "exchanged at once"},
		{"jwks-rotation-overlap", "no history", target(keys(rsaKey("a", nil))), unknown, ""},
	}
}

func algorithms() []row {
	return []row{
		{"alg-none-announced", "none of it", target(doc(nil)), ok, ""},
		{"alg-none-announced", "for ID tokens", target(doc(m{"id_token_signing_alg_values_supported": []string{"none", "RS256"}})), wrong, "id_token_signing_alg_values_supported"},
		{"alg-none-announced", "in capitals", target(doc(m{"token_endpoint_auth_signing_alg_values_supported": []string{"None"}})), wrong, "token_endpoint_auth"},
		{"alg-none-announced", "no lists", target(doc(m{"id_token_signing_alg_values_supported": nil, "dpop_signing_alg_values_supported": nil})), unknown, ""},

		{"alg-weak-announced", "HMAC and none", target(doc(m{"id_token_signing_alg_values_supported": []string{"none", "HS256"}})), wrong, "Nothing strong"},
		{"alg-weak-announced", "RS256 alone, held to FAPI", target(held("fapi2"), doc(m{"id_token_signing_alg_values_supported": []string{"RS256"}})), wrong, "FAPI 2.0"},
		{"alg-weak-announced", "PS256 beside RS256, held to FAPI", target(held("fapi2"), doc(m{"id_token_signing_alg_values_supported": []string{"RS256", "PS256"}})), ok, ""},
		{"alg-weak-announced", "strong", target(doc(nil)), ok, ""},
		{"alg-weak-announced", "HMAC alone", target(doc(m{"id_token_signing_alg_values_supported": []string{"HS256"}})), wrong, "id_token"},
		{"alg-weak-announced", "HMAC beside", target(doc(m{"id_token_signing_alg_values_supported": []string{"HS256", "RS256"}})), ok, ""},
		{"alg-weak-announced", "SHA-1", target(doc(m{"request_object_signing_alg_values_supported": []string{"RS1", "RS256"}})), wrong, "request_object"},
		{"alg-weak-announced", "RSA1_5 alone", target(doc(m{"id_token_encryption_alg_values_supported": []string{"RSA1_5"}})), wrong, "id_token_encryption"},
		{"alg-weak-announced", "RSA1_5 beside", target(doc(m{"id_token_encryption_alg_values_supported": []string{"RSA1_5", "RSA-OAEP"}})), unknown, "RSA1_5"},

		{"pkce-announced", "S256", target(doc(nil)), ok, ""},
		{"pkce-announced", "plain alone", target(doc(m{"code_challenge_methods_supported": []string{"plain"}})), wrong, "without S256"},
		{"pkce-announced", "silent", target(doc(m{"code_challenge_methods_supported": nil})), unknown, "does not prove"},
		{"pkce-announced", "silent, known to support it", target(doc(m{"code_challenge_methods_supported": nil}), knows(knowledge.Provider{Title: "Entra", Can: map[string]knowledge.Ability{knowledge.CanPKCE: {Can: true}}})), unknown, "Entra is known to support it"},
		{"pkce-announced", "silent, for MCP", target(held("mcp"), doc(m{"code_challenge_methods_supported": nil})), wrong, "must stop"},

		{"pkce-plain-announced", "S256 alone", target(doc(nil)), ok, ""},
		{"pkce-plain-announced", "plain", target(doc(m{"code_challenge_methods_supported": []string{"plain", "S256"}})), wrong, "plain"},
		{"pkce-plain-announced", "silent", target(doc(m{"code_challenge_methods_supported": nil})), unknown, ""},

		{"pkce-enforced", "not asked", target(doc(nil)), unknown, ""},
		{"pkce-enforced", "found by probe", target(probed("pkce-enforced", check.Wrong("no", "no", usher.Proof{Place: "p"}))), wrong, "no"},
		{"pkce-enforced", "a code without it", target(request("state=x"), response("code=abc&state=x")), wrong, "gave a code"},
		{"pkce-enforced", "refused without it", target(request("state=x"), response("error=invalid_request&error_description=Missing+parameter:+code_challenge_method")), ok, ""},
		{"pkce-enforced", "seen with it", target(request("code_challenge=abc"), response("code=abc")), unknown, ""},

		{"pkce-downgrade", "not asked", target(), unknown, ""},
		{"pkce-downgrade", "found", target(probed("pkce-downgrade", check.Wrong("no", "no", usher.Proof{Place: "p"}))), wrong, ""},
		{"pkce-downgrade", "refused", target(probed("pkce-downgrade", check.OK(""))), ok, ""},
	}
}

func features() []row {
	silent := doc(m{"authorization_response_iss_parameter_supported": nil})
	mtls := doc(m{"mtls_endpoint_aliases": m{"token_endpoint": "https://mtls.id.example/token"}})
	cert := registered(evidence.Registration{ClientID: "web", AuthMethods: []string{"tls_client_auth"}})
	return []row{
		{"iss-response-announced", "both", target(doc(nil), request(""), response("code=a&iss="+issuer)), ok, ""},
		{"iss-response-announced", "promised, not sent", target(doc(nil), request(""), response("code=a")), wrong, "promises iss"},
		{"iss-response-announced", "sent, not promised", target(silent, request(""), response("code=a&iss="+issuer)), wrong, "does not say so"},
		{"iss-response-announced", "neither", target(silent, request(""), response("code=a")), ok, "neither"},
		{"iss-response-announced", "neither, two providers", target(silent, doc(m{"issuer": "https://b.example", "authorization_endpoint": "https://b.example/auth"}), request(""), response("code=a")), wrong, "more than one provider"},
		{"iss-response-announced", "no answer", target(silent), unknown, ""},
		{"iss-response-announced", "FAPI", target(held("fapi2"), silent), wrong, "profile demands"},

		{"par-supported", "yes", target(doc(m{"require_pushed_authorization_requests": true})), ok, "demanded of every client"},
		{"par-supported", "no", target(doc(m{"pushed_authorization_request_endpoint": nil})), wrong, "cannot be pushed"},

		{"sender-constraint-supported", "DPoP", target(doc(nil)), ok, "DPoP"},
		{"sender-constraint-supported", "certificates", target(doc(m{"dpop_signing_alg_values_supported": nil, "tls_client_certificate_bound_access_tokens": true})), ok, "certificates"},
		{"sender-constraint-supported", "no", target(doc(m{"dpop_signing_alg_values_supported": nil, "tls_client_certificate_bound_access_tokens": false})), wrong, "neither"},

		{"mtls-aliases", "none", target(doc(nil)), none, ""},
		{"mtls-aliases", "called", target(mtls, cert, tokenRequest("https://mtls.id.example/token", "grant_type=client_credentials&client_id=web")), ok, ""},
		{"mtls-aliases", "not called", target(mtls, cert, tokenRequest(issuer+"/token", "grant_type=client_credentials&client_id=web")), wrong, "mtls.id.example"},
		{"mtls-aliases", "same address", target(doc(m{"mtls_endpoint_aliases": m{"token_endpoint": issuer + "/token"}})), ok, "the same"},
		{"mtls-aliases", "no client with one", target(mtls, registered(evidence.Registration{ClientID: "web", AuthMethods: []string{"client_secret_basic"}})), none, ""},
		{"mtls-aliases", "no call seen", target(mtls, cert), unknown, ""},
		{"mtls-aliases", "client unknown", target(mtls), unknown, ""},

		{"revocation-offered", "yes", target(doc(nil)), ok, ""},
		{"revocation-offered", "no", target(doc(m{"revocation_endpoint": nil})), wrong, "no way to revoke"},
		{"introspection-offered", "yes", target(doc(nil)), ok, ""},
		{"introspection-offered", "opaque", target(doc(m{"introspection_endpoint": nil}), opaque), wrong, "opaque"},
		{"introspection-offered", "opaque, of a provider that has APIs of its own", target(doc(m{"introspection_endpoint": nil}), knows(knowledge.Provider{Name: "google", Title: "Google"}), opaque), unknown, "APIs of Google itself"},
		{"introspection-offered", "opaque, sent to an own API", target(doc(m{"introspection_endpoint": nil}), knows(knowledge.Provider{Name: "auth0", Title: "Auth0"}), opaque, func(t *check.Target) {
			t.APICalls = append(t.APICalls, &check.APICall{Place: "flow.har#4", Token: t.Tokens[0], Exchange: &evidence.Exchange{URL: "https://api.shop.test/orders"}})
		}), wrong, "opaque"},
		{"introspection-offered", "JWT", target(doc(m{"introspection_endpoint": nil}), tokenOf(token.TypeAccess, "a", m{"iss": issuer})), none, ""},
		{"introspection-offered", "no token", target(doc(m{"introspection_endpoint": nil})), unknown, ""},
		{"logout-offered", "yes", target(doc(nil)), ok, ""},
		{"logout-offered", "back channel alone", target(doc(m{"end_session_endpoint": nil, "backchannel_logout_supported": true})), ok, ""},
		{"logout-offered", "no", target(doc(m{"end_session_endpoint": nil, "backchannel_logout_supported": false})), wrong, "no way to sign out"},

		{"dcr-open", "none", target(doc(nil)), none, ""},
		{"dcr-open", "not asked", target(doc(m{"registration_endpoint": issuer + "/register"})), unknown, ""},
		{"dcr-open", "open", target(doc(m{"registration_endpoint": issuer + "/register"}), probed("dcr-open", check.Wrong("open", "open", usher.Proof{Place: "p"}))), wrong, "open"},

		{"cimd-supported", "a registered client, held to MCP", target(held("mcp"), doc(nil), registered(evidence.Registration{ClientID: "web"})), none, ""},
		{"cimd-supported", "yes", target(doc(m{"client_id_metadata_document_supported": true})), ok, ""},
		{"cimd-supported", "nobody asks", target(doc(nil)), none, ""},
		{"cimd-supported", "a client asks", target(doc(nil), func(t *check.Target) { t.Documents = []*check.ClientDocument{{Place: "client.json"}} }), wrong, "does not take such"},
		{"cimd-supported", "MCP", target(held("mcp"), doc(nil)), wrong, "not taken"},
	}
}

func fitting() []row {
	acr := doc(m{"acr_values_supported": []string{"1", "2"}})
	return []row{
		{"acr-values-known", "known", target(acr, request("acr_values=2+1")), ok, ""},
		{"acr-values-known", "strange", target(acr, request("acr_values=2+phr")), wrong, "asks for phr"},
		{"acr-values-known", "in claims", target(acr, request(`claims={"id_token":{"acr":{"essential":true,"values":["phr"]}}}`)), wrong, "phr"},
		{"acr-values-known", "none asked", target(acr, request("")), none, ""},
		{"acr-values-known", "not listed", target(doc(nil), request("acr_values=2")), unknown, ""},

		{"capability-gap", "all listed", target(doc(nil), request("response_mode=query&code_challenge=a&code_challenge_method=S256")), ok, ""},
		{"capability-gap", "response mode", target(doc(nil), request("response_mode=web_message")), wrong, "response mode web_message"},
		{"capability-gap", "PKCE plain by default", target(doc(nil), request("code_challenge=a")), wrong, "PKCE method plain"},
		{"capability-gap", "grant", target(doc(nil), tokenRequest(issuer+"/token", "grant_type=client_credentials")), wrong, "grant client_credentials"},
		{"capability-gap", "short name of a grant", target(doc(m{"grant_types_supported": []string{"device_code"}}), tokenRequest(issuer+"/token", "grant_type=urn:ietf:params:oauth:grant-type:device_code")), ok, ""},
		{"capability-gap", "authentication", target(doc(nil), tokenRequest(issuer+"/token", "grant_type=authorization_code&client_id=a&client_secret=b")), wrong, "client_secret_post"},
		{"capability-gap", "public client", target(doc(nil), tokenRequest(issuer+"/token", "grant_type=authorization_code&client_id=a")), ok, ""},
		{"capability-gap", "not listed at all", target(doc(m{"grant_types_supported": nil}), tokenRequest(issuer+"/token", "grant_type=client_credentials")), unknown, "of a kind that the document lists"},
		{"capability-gap", "a client of which nothing is known", target(doc(nil), registered(evidence.Registration{ClientID: "web"})), unknown, ""},
		{"capability-gap", "a grant of the provider's own", target(doc(nil), registered(evidence.Registration{ClientID: "web", GrantTypes: []string{"authorization_code", "http://auth0.com/oauth/grant-type/password-realm"}})), ok, "nothing is used"},
		{"capability-gap", "a registration beside two documents", target(doc(nil), doc(m{"issuer": "https://accounts.google.com"}), registered(evidence.Registration{ClientID: "web", Provider: "okta", GrantTypes: []string{"client_credentials"}})), unknown, ""},
		{"capability-gap", "registration", target(doc(nil), registered(evidence.Registration{ClientID: "web", ResponseTypes: []string{"id_token token"}})), wrong, "response type id_token token"},
		{"capability-gap", "order of words", target(doc(m{"response_types_supported": []string{"token id_token"}}), registered(evidence.Registration{ClientID: "web", ResponseTypes: []string{"id_token token"}})), ok, ""},
		{"capability-gap", "no client", target(doc(nil)), unknown, ""},
	}
}

func clocks() []row {
	at := func(off time.Duration) string { return "Date: " + now.Add(off).Format("Mon, 02 Jan 2006 15:04:05 GMT") }
	ended := knows(knowledge.Provider{Name: "x", Title: "X", AsOf: "2026-11-01", Ended: []knowledge.Ended{
		{What: "the v1 endpoint", Match: []string{"/v1/old"}, On: "2026-01-01", Instead: "the v2 endpoint"},
		{What: "the other", Match: []string{"/v1/other"}, On: "2027-01-01"},
	}})
	setting := func(quote string) change {
		return func(t *check.Target) {
			t.Settings = append(t.Settings, evidence.Fact{Key: "setting", Place: "app.yaml:3", Quote: quote})
		}
	}
	return []row{
		{"provider-clock", "equal", target(answered("discovery", wellKnown, 200, at(2*time.Second))), ok, ""},
		{"provider-clock", "ahead", target(answered("discovery", wellKnown, 200, at(100*time.Second))), wrong, "1m40s behind"},
		{"provider-clock", "behind", target(answered("discovery", wellKnown, 200, at(-10*time.Minute))), wrong, "10m0s ahead of"},
		{"provider-clock", "from a cache", target(answered("jwks", issuer+"/keys", 200, at(-10*time.Minute), "Age: 600")), ok, ""},
		{"provider-clock", "of an app", target(answered("callback", "https://app.example", 200, at(time.Hour))), unknown, ""},
		{"provider-clock", "token of the future", target(tokenOf(token.TypeID, "a", m{"iat": now.Add(time.Hour).Unix()}), func(t *check.Target) { t.Tokens[0].Call = &check.TokenCall{Time: now} }), wrong, "1h0m0s"},
		{"provider-clock", "old token", target(tokenOf(token.TypeID, "a", m{"iat": now.Add(-time.Hour).Unix()}), func(t *check.Target) { t.Tokens[0].Call = &check.TokenCall{Time: now} }), unknown, ""},

		{"provider-end-of-life", "used, over", target(ended, tokenRequest("https://id.example/v1/old/token", "grant_type=password")), wrong, "ended 2026-01-01"},
		{"provider-end-of-life", "used, to come", target(ended, tokenRequest("https://id.example/v1/other/token", "grant_type=password")), wrong, "ends 2027-01-01"},
		{"provider-end-of-life", "not used", target(ended, tokenRequest(issuer+"/token", "grant_type=password")), ok, ""},
		{"provider-end-of-life", "in the document alone", target(ended, doc(m{"token_endpoint": "https://id.example/v1/old/token"})), unknown, "still names"},
		{"provider-end-of-life", "nothing known", target(tokenRequest(issuer+"/token", "grant_type=password")), unknown, ""},

		{"federation-keys-pinned", "issuer", target(setting("issuer: https://id.example")), ok, ""},
		{"federation-keys-pinned", "a key", target(setting("jwt_public_key: |\n  -----BEGIN PUBLIC KEY-----")), wrong, "written down"},
		{"federation-keys-pinned", "a key of push messages", target(setting("VAPID_PUBLIC_KEY=BOr1")), unknown, ""},
		{"federation-keys-pinned", "an assembly of .NET", target(setting("<assemblyIdentity name=\"System.IdentityModel.Tokens.Jwt\" publicKeyToken=\"31bf3856ad364e35\"/>")), unknown, ""},
		{"federation-keys-pinned", "an authority of TLS", target(setting("ca: -----BEGIN CERTIFICATE-----")), unknown, ""},
		{"federation-keys-pinned", "an address of keys", target(setting("public_key_url: https://id.example/keys/jwks")), ok, ""},
		{"federation-keys-pinned", "a client's own, registered", target(registered(evidence.Registration{ClientID: "web"}), keys(rsaKey("a", nil)), func(t *check.Target) { t.KeySets[0].Client = "web" }), wrong, "in place of an address"},
		{"federation-keys-pinned", "a client's own, by address", target(registered(evidence.Registration{ClientID: "web", KeysURI: "https://app.example/jwks"}), keys(rsaKey("a", nil)), func(t *check.Target) { t.KeySets[0].Client = "web" }), unknown, ""},
		{"federation-keys-pinned", "other settings", target(setting("port: 80")), unknown, ""},
		{"federation-keys-pinned", "no settings", target(), unknown, ""},
	}
}

func TestChecks(t *testing.T) { try(t, rows()) }

// TestEachCheckIsTried: each check has at least one configuration that it finds
// wrong, and one that it does not.
func TestEachCheckIsTried(t *testing.T) {
	tried := map[string]map[bool]bool{}
	for _, r := range rows() {
		if tried[r.id] == nil {
			tried[r.id] = map[bool]bool{}
		}
		tried[r.id][r.outcome == wrong] = true
	}
	for _, c := range providers.Checks {
		if !tried[c.ID][true] || !tried[c.ID][false] {
			t.Errorf("%s: a configuration that is wrong: %t, one that is not: %t", c.ID, tried[c.ID][true], tried[c.ID][false])
		}
	}
}
