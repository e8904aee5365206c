package clients_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/provider/knowledge"
	"usher/token"
)

const (
	stateBack = "state=q0JRbzTzQkKpJkVQ8yBz6A"
	codeBack  = "code=SplxlOBeZQQYbYS6WxSbIA&" + stateBack
)

func pkceCases() []kase {
	demanded := func(r *evidence.Registration) { r.PKCERequired = yes() }
	return []kase{
		{check: "pkce-sent", name: "S256", target: target(authorize(), redeem()), want: ok},
		{check: "pkce-sent", name: "none", target: target(authorize("code_challenge", "", "code_challenge_method", "")), want: wrong, words: "sends no PKCE challenge", severity: usher.SeverityHigh},
		{check: "pkce-sent", name: "none, confidential", target: target(web(), authorize("code_challenge", "", "code_challenge_method", "", "nonce", "")), want: wrong, severity: usher.SeverityMedium},
		{check: "pkce-sent", name: "none, confidential with a nonce", target: target(web(), authorize("code_challenge", "", "code_challenge_method", "")), want: wrong, words: "nonce stands in", severity: usher.SeverityLow},
		{check: "pkce-sent", name: "none, though demanded", target: target(web(demanded), authorize("code_challenge", "", "code_challenge_method", "")), want: wrong, words: "registration demands", cause: "pkce-missing", severity: usher.SeverityHigh},
		{check: "pkce-sent", name: "none, and the provider has none", target: target(&knowledge.Provider{Name: "old", Can: map[string]knowledge.Ability{knowledge.CanPKCE: {}}}, authorize("code_challenge", "", "code_challenge_method", "")), want: na},
		{check: "pkce-sent", name: "plain", target: target(authorize("code_challenge_method", "plain")), want: wrong, words: "with plain"},
		{check: "pkce-sent", name: "no method", target: target(authorize("code_challenge_method", "")), want: wrong, words: "means plain"},
		{check: "pkce-sent", name: "misspelt", target: target(authorize("code_challenge_method", "s256")), want: wrong, words: "spelling"},
		{check: "pkce-verifier-form", name: "of a client that is not named", target: target(redeem("client_id", "", "code_verifier", "short")), want: wrong, words: "verifier of the client"},
		{check: "pkce-sent", name: "hexadecimal", target: target(authorize("code_challenge", strings.Repeat("a1", 32))), want: wrong, words: "64 characters"},
		{check: "pkce-sent", name: "no verifier", target: target(answered(authorize(), codeBack), redeem("code_verifier", "")), want: wrong, words: "then no verifier", cause: "pkce-missing"},
		{check: "pkce-sent", name: "no challenge", target: target(answered(authorize("code_challenge", "", "code_challenge_method", ""), codeBack), redeem()), want: wrong, words: "challenge"},
		{check: "pkce-sent", name: "pushed", target: target(authorize("code_challenge", "", "code_challenge_method", "", "request_uri", "urn:x")), want: unknown},
		{check: "pkce-sent", name: "redeemed without", target: target(gave(redeem("code_verifier", ""))), want: wrong, words: "redeems a code without PKCE"},
		{check: "pkce-sent", name: "the token request alone", target: target(redeem()), want: ok},
		{check: "pkce-sent", name: "the provider wants it", target: target(refused(redeem("code_verifier", ""), "invalid_grant", "AADSTS501471", "AADSTS501471")), want: wrong, cause: "pkce-missing"},
		{check: "pkce-sent", name: "no code", target: target(authorize("response_type", "id_token")), want: na},
		{check: "pkce-sent", name: "what the operator said is no request", target: target(func(t *check.Target) {
			c := authorize("code_challenge", "")
			c.Partial = true
			t.AuthCalls = append(t.AuthCalls, c)
		}), want: unknown},

		{check: "pkce-verifier-form", name: "right", target: target(redeem()), want: ok},
		{check: "pkce-verifier-form", name: "short", target: target(redeem("code_verifier", "tooshort-tooshort")), want: wrong, words: "at least 43", cause: "pkce-mismatch"},
		{check: "pkce-verifier-form", name: "base64", target: target(redeem("code_verifier", verifier[:40]+"+/==")), want: wrong, words: "base64"},
		{check: "pkce-verifier-form", name: "for two codes", target: target(redeem(), redeem("code", "another-code-0123456789")), want: wrong, words: "for two codes"},
		{check: "pkce-verifier-form", name: "none", target: target(redeem("code_verifier", "")), want: na},

		{check: "pkce-matches", name: "fits", target: target(answered(authorize(), codeBack), redeem()), want: ok},
		{check: "pkce-matches", name: "fits, the only pair", target: target(authorize(), redeem()), want: ok},
		{check: "pkce-matches", name: "does not fit", target: target(answered(authorize(), codeBack), redeem("code_verifier", strings.Repeat("a", 43))), want: wrong, words: "does not fit", cause: "pkce-mismatch"},
		{check: "pkce-matches", name: "of another sign-in", target: target(answered(authorize("code_challenge", strings.Repeat("b", 43)), codeBack), authorize(), redeem()), want: wrong, words: "another sign-in"},
		{check: "pkce-matches", name: "whose is not told", target: target(authorize(), authorize("state", "another"), redeem()), want: unknown},
		{check: "pkce-matches", name: "no verifier", target: target(authorize(), redeem("code_verifier", "")), want: na},
	}
}

func stateCases() []kase {
	bare := []string{"code_challenge", "", "code_challenge_method", "", "nonce", ""}
	with := func(more ...string) *check.AuthCall { return authorize(append(bare, more...)...) }
	iss := metadata(plain[:len(plain)-1] + `,"authorization_response_iss_parameter_supported":true}`)
	stray := &check.AuthCall{Place: "flow.har#2"}
	answered(stray, "code=x1234567&state=another-state-0123")
	return []kase{
		{check: "state-present", name: "sent", target: target(authorize()), want: ok},
		{check: "state-present", name: "none at all", target: target(with("state", "")), want: wrong, words: "sends no state"},
		{check: "state-present", name: "PKCE stands in", target: target(authorize("state", "")), want: ok, words: "stand in"},
		{check: "state-present", name: "short", target: target(with("state", "abc123")), want: wrong, words: "can be guessed", severity: usher.SeverityMedium},
		{check: "state-present", name: "very short", target: target(with("state", "s1")), want: wrong, words: "2 letters and digits, about 10 bits"},
		{check: "state-present", name: "short beside PKCE", target: target(authorize("state", "abc123")), want: ok},
		{check: "state-present", name: "one for two", target: target(authorize(), authorize("nonce", "another-nonce")), want: wrong, words: "one state with several"},
		{check: "state-present", name: "one for two sign-ins", target: target(answered(authorize(), "code=first-code&"+stateBack), answered(authorize(), "code=second-code&"+stateBack)), want: wrong, words: "one state with several"},
		{check: "state-present", name: "a reload", target: target(authorize(), authorize()), want: ok},
		{check: "state-present", name: "another comes back", target: target(answered(authorize(), "code=x1234567&state=another")), want: wrong, words: "another state", cause: "state-mismatch"},
		{check: "state-present", name: "none comes back", target: target(answered(authorize(), "code=x1234567")), want: wrong, words: "brings no state", cause: "state-mismatch"},
		{check: "state-present", name: "an answer of its own", target: target(authorize(), stray), want: wrong, words: "another state", cause: "state-mismatch"},
		{check: "state-present", name: "pushed", target: target(authorize("state", "", "request_uri", "urn:x")), want: unknown},

		{check: "nonce-present", name: "sent", target: target(authorize()), want: ok},
		{check: "nonce-present", name: "PKCE stands in", target: target(authorize("nonce", "")), want: ok},
		{check: "nonce-present", name: "neither", target: target(with()), want: wrong, words: "neither nonce nor PKCE"},
		{check: "nonce-present", name: "needed", target: target(authorize("nonce", "", "response_type", "id_token")), want: wrong, severity: usher.SeverityHigh},
		{check: "nonce-present", name: "one for two", target: target(authorize(), authorize("state", "another")), want: wrong, words: "one nonce"},
		{check: "nonce-present", name: "another in the token is token-nonce's matter", target: target(authorize(), func(t *check.Target) {
			tok := jwtToken(unsigned(`{"iss":"https://login.example","sub":"u","aud":"web","nonce":"another"}`), token.TypeID)
			tok.Call = gave(redeem())
			t.Tokens = append(t.Tokens, tok)
		}), want: ok},
		{check: "nonce-present", name: "no OpenID", target: target(authorize("scope", "orders", "nonce", "")), want: na},

		{check: "iss-response-checked", name: "the issuer", target: target(iss, answered(authorize(), codeBack+"&iss=https://login.example")), want: ok},
		{check: "iss-response-checked", name: "another, and redeemed", target: target(iss, answered(authorize(), codeBack+"&iss=https://evil.example"), redeem()), want: wrong, words: "redeems a code of https://evil.example", cause: "issuer-mismatch"},
		{check: "iss-response-checked", name: "another", target: target(iss, answered(authorize(), codeBack+"&iss=https://login.example/")), want: wrong, words: "asked was https://login.example"},
		{check: "iss-response-checked", name: "in an error", target: target(iss, answered(authorize(), "error=access_denied&"+stateBack+"&iss=https://evil.example")), want: wrong},
		{check: "iss-response-checked", name: "announced and not sent", target: target(iss, answered(authorize(), codeBack)), want: wrong, words: "has no iss"},
		{check: "iss-response-checked", name: "announced, not sent, redeemed", target: target(iss, answered(authorize(), codeBack), redeem()), want: wrong, severity: usher.SeverityHigh},
		{check: "iss-response-checked", name: "not announced", target: target(metadata(plain), answered(authorize(), codeBack)), want: na},
		{check: "iss-response-checked", name: "issuer not known", target: target(answered(authorize(), codeBack+"&iss=https://login.example")), want: unknown},
		{check: "iss-response-checked", name: "Entra's document for all tenants", target: target(metadata(strings.Replace(plain, `"https://login.example"`, `"https://login.example/{tenantid}/v2.0"`, 1)), answered(authorize(), codeBack+"&iss=https://login.example/0f8d2c1e/v2.0")), want: ok},
	}
}

func roundtripCases() []kase {
	modes := metadata(plain[:len(plain)-1] + `,"response_modes_supported":["query","fragment"]}`)
	start := func(from, cookie string) *check.Answer {
		h := http.Header{"Location": {"https://login.example/authorize?state=q0JRbzTzQkKpJkVQ8yBz6A"}}
		if cookie != "" {
			h.Add("Set-Cookie", cookie)
		}
		return &check.Answer{Place: "flow.har#0", URL: from, Status: 302, Header: h}
	}
	from := func(c *check.AuthCall, page string) *check.AuthCall { c.StartURL = must(url.Parse(page)); return c }
	const app = "https://app.example/login"
	return []kase{
		{check: "response-mode-fits", name: "default", target: target(authorize()), want: ok},
		{check: "response-mode-fits", name: "form_post", target: target(authorize("response_mode", "form_post")), want: ok},
		{check: "response-mode-fits", name: "Apple", target: target(authorize("endpoint", "https://appleid.apple.com/auth/authorize", "scope", "name email")), want: wrong, words: "form_post alone"},
		{check: "response-mode-fits", name: "tokens in the query", target: target(authorize("response_type", "code id_token", "response_mode", "query")), want: wrong, words: "tokens in the query"},
		{check: "response-mode-fits", name: "not offered", target: target(modes, authorize("response_mode", "form_post")), want: wrong, words: "does not offer"},
		{check: "response-mode-fits", name: "not offered, and answered", target: target(modes, answered(authorize("response_mode", "form_post"), codeBack)), want: ok},
		{check: "response-mode-fits", name: "to a frame of the page", target: target(modes, authorize("response_mode", "web_message")), want: unknown},
		{check: "response-mode-fits", name: "post to a device", target: target(authorize("response_mode", "form_post", "redirect_uri", "com.example.app:/cb")), want: wrong, words: "cannot post to"},
		{check: "response-mode-fits", name: "fragment to a server", target: target(web(), authorize("response_mode", "fragment")), want: wrong, words: "never arrives"},
		{check: "response-mode-fits", name: "pushed", target: target(authorize("request_uri", "urn:x")), want: unknown},

		{check: "samesite-state", name: "Lax", target: target(authorize(), start(app, "oidc_state=1; SameSite=Lax; Secure; HttpOnly")), want: ok},
		{check: "samesite-state", name: "Strict", target: target(authorize(), start(app, "oidc_state=1; SameSite=Strict; Secure")), want: wrong, words: "SameSite=Strict", cause: "cookie-blocked"},
		{check: "samesite-state", name: "Strict within one site", target: target(authorize("redirect_uri", "https://app.login.example/cb"), start("https://app.login.example/login", "oidc_state=1; SameSite=Strict; Secure")), want: ok},
		{check: "samesite-state", name: "Lax and form_post", target: target(authorize("response_mode", "form_post"), start(app, "oidc_state=1; SameSite=Lax; Secure")), want: wrong, words: "form_post"},
		{check: "samesite-state", name: "none named and form_post", target: target(authorize("response_mode", "form_post"), start(app, "oidc_state=1; Secure")), want: wrong, words: "two minutes", severity: usher.SeverityMedium},
		{check: "samesite-state", name: "None and form_post", target: target(authorize("response_mode", "form_post"), start(app, "oidc_state=1; SameSite=None; Secure")), want: ok},
		{check: "samesite-state", name: "None without Secure", target: target(authorize(), start(app, "oidc_state=1; SameSite=None")), want: wrong, words: "without Secure"},
		{check: "samesite-state", name: "another host", target: target(authorize(), start("https://www.app.example/login", "oidc_state=1; SameSite=Lax; Secure")), want: wrong, words: "comes back to app.example"},
		{check: "samesite-state", name: "Domain covers both", target: target(authorize(), start("https://www.app.example/login", "oidc_state=1; Domain=app.example; SameSite=Lax; Secure")), want: ok},
		{check: "samesite-state", name: "a Strict cookie for something else", target: target(authorize(), func() *check.Answer {
			a := start(app, "oidc_state=1; SameSite=Lax; Secure")
			a.Header.Add("Set-Cookie", "basket=1; SameSite=Strict; Secure")
			return a
		}()), want: ok},
		{check: "samesite-state", name: "no cookie", target: target(authorize(), start(app, "")), want: unknown},

		{check: "callback-host-consistent", name: "one host", target: target(from(authorize(), "https://app.example/")), want: ok},
		{check: "callback-host-consistent", name: "www", target: target(from(authorize(), "https://www.app.example/")), want: wrong, words: "starts on www.app.example", cause: "cookie-blocked"},
		{check: "callback-host-consistent", name: "two names of this machine", target: target(from(authorize("redirect_uri", "http://127.0.0.1:3000/cb"), "http://localhost:3000/")), want: wrong},
		{check: "callback-host-consistent", name: "the answer tells", target: target(authorize(), start("https://shop.example/login", "s=1")), want: wrong, words: "shop.example"},
		{check: "callback-host-consistent", name: "linked from elsewhere", target: target(from(authorize(), "https://portal.example/")), want: unknown},
		{check: "callback-host-consistent", name: "from the provider", target: target(from(authorize(), "https://login.example/")), want: unknown},
		{check: "callback-host-consistent", name: "a device", target: target(from(authorize("redirect_uri", "com.example.app:/cb"), "https://app.example/")), want: na},
		{check: "callback-host-consistent", name: "not known", target: target(authorize()), want: unknown},
	}
}

func codeCases() []kase {
	late := func(after time.Duration) *check.TokenCall { c := redeem(); c.Time = now.Add(after); return c }
	short := &knowledge.Provider{Name: "okta", Title: "Okta", Limits: map[string]knowledge.Limit{knowledge.LimitCodeSeconds: {Value: 60}}}
	back := func() *check.AuthCall { return answered(authorize(), codeBack) }
	signout := func(pairs ...string) *check.AuthCall {
		return authorize(append([]string{"response_type", "", "redirect_uri", "", "endpoint", "https://login.example/logout"}, pairs...)...)
	}
	logout := func(r *evidence.Registration) {
		r.LogoutURIs = []evidence.RegisteredURI{{URI: "https://app.example/bye"}}
	}
	return []kase{
		{check: "code-once", name: "once", target: target(redeem()), want: ok},
		{check: "code-once", name: "twice", target: target(redeem(), late(3*time.Second)), want: wrong, words: "2.0 seconds after the first", cause: "code-reused"},
		{check: "code-once", name: "given twice", target: target(redeem(), redeem()), want: unknown},
		{check: "code-once", name: "two codes", target: target(redeem(), redeem("code", "another-code-0123456789")), want: ok},
		{check: "code-once", name: "the provider says so", target: target(refused(redeem(), "invalid_grant", "AADSTS54005", "AADSTS54005")), want: wrong, words: "redeemed before"},
		{check: "code-once", name: "no code", target: target(ask()), want: unknown},

		{check: "code-fresh", name: "at once", target: target(back(), late(time.Second)), want: ok},
		{check: "code-fresh", name: "after a quarter of an hour", target: target(back(), late(15*time.Minute)), want: wrong, words: "after 15 minutes", cause: "code-expired"},
		{check: "code-fresh", name: "the provider is stricter", target: target(short, back(), late(90*time.Second)), want: wrong, words: "90.0 seconds"},
		{check: "code-fresh", name: "and was not", target: target(short, back(), gave(late(90*time.Second))), want: ok},
		{check: "code-fresh", name: "when it came is not known", target: target(authorize(), late(time.Hour)), want: unknown},
		{check: "code-fresh", name: "no code", target: target(ask()), want: na},

		{check: "token-endpoint-redirect-uri", name: "same", target: target(back(), redeem()), want: ok},
		{check: "token-endpoint-redirect-uri", name: "slash", target: target(back(), redeem("redirect_uri", "https://app.example/cb/")), want: wrong, words: "slash at the end", cause: "redirect-uri-mismatch"},
		{check: "token-endpoint-redirect-uri", name: "http", target: target(back(), redeem("redirect_uri", "http://app.example/cb")), want: wrong, words: "X-Forwarded-Proto"},
		{check: "token-endpoint-redirect-uri", name: "left out", target: target(back(), redeem("redirect_uri", "")), want: wrong, words: "names no redirect_uri"},
		{check: "token-endpoint-redirect-uri", name: "left out at OAuth 2.1", target: target(back(), gave(redeem("redirect_uri", ""))), want: ok},
		{check: "token-endpoint-redirect-uri", name: "taken all the same", target: target(back(), gave(redeem("redirect_uri", "https://other.example/"))), want: wrong, severity: usher.SeverityMedium},
		{check: "token-endpoint-redirect-uri", name: "whose is not told", target: target(authorize(), authorize("state", "another"), redeem()), want: unknown},

		{check: "logout-uri-registered", name: "registered", target: target(web(logout), signout("post_logout_redirect_uri", "https://app.example/bye")), want: ok},
		{check: "logout-uri-registered", name: "not registered", target: target(web(logout), signout("post_logout_redirect_uri", "https://app.example/")), want: wrong, words: "registered is https://app.example/bye", cause: "signout-error"},
		{check: "logout-uri-registered", name: "none registered", target: target(web(func(r *evidence.Registration) { r.Known = []string{"LogoutURIs"} }), signout("post_logout_redirect_uri", "https://app.example/")), want: wrong, words: "no such address is registered"},
		{check: "logout-uri-registered", name: "not told", target: target(web(), signout("post_logout_redirect_uri", "https://app.example/")), want: unknown},
		{check: "logout-uri-registered", name: "whose is not said", target: target(web(logout), &check.Answer{Place: "flow.har#9", URL: "https://login.example/logout?post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye"}), want: wrong, words: "does not say whose"},
		{check: "logout-uri-registered", name: "Keycloak's plus", target: target(web(func(r *evidence.Registration) {
			r.Provider, r.LogoutURIs = "keycloak", []evidence.RegisteredURI{{URI: "+"}}
		}), signout("post_logout_redirect_uri", "https://app.example/cb")), want: ok},
		{check: "logout-uri-registered", name: "no sign-out", target: target(web(logout)), want: unknown},
	}
}

func lifeCases() []kase {
	old := func(r *evidence.Registration) { r.Created = now.AddDate(-2, 0, 0) }
	ago := func(days int, f func(*usher.Event)) *usher.Event {
		return event(func(e *usher.Event) {
			e.Time = now.AddDate(0, 0, -days)
			if f != nil {
				f(e)
			}
		})
	}
	other := func(e *usher.Event) { e.Client.UID, e.Client.Name = "api", "API" }
	machine := func(e *usher.Event) { e.Kind, e.UID = usher.EventAppSignIn, "e2" }
	consent := func(what string) *evidence.Registration {
		return &evidence.Registration{Provider: "entra", Shape: "entra-authorization-policy", UserConsent: what, Place: "policy.json:1"}
	}
	return []kase{
		{check: "client-owner", name: "owned", target: target(web(func(r *evidence.Registration) { r.Owners = []string{"kim", "lee"} })), want: ok},
		{check: "client-owner", name: "no owner", target: target(web(func(r *evidence.Registration) { r.Known = []string{"Owners"} })), want: wrong, words: "has no owner"},
		{check: "client-owner", name: "idle", target: target(web(func(r *evidence.Registration) { r.Owners, r.LastSignIn = []string{"kim"}, now.AddDate(-1, 0, 0) })), want: wrong, words: "last used on 2025-11-25"},
		{check: "client-owner", name: "not told", target: target(web()), want: unknown},

		{check: "client-unused", name: "used", target: target(web(old), ago(3, nil)), want: ok},
		{check: "client-unused", name: "unused", target: target(web(old), ago(120, nil), ago(3, other)), want: wrong, words: "Nothing in the log uses Shop"},
		{check: "client-unused", name: "by its own date", target: target(web(old, func(r *evidence.Registration) { r.LastSignIn = now.AddDate(0, 0, -100) })), want: wrong, words: "last used"},
		{check: "client-unused", name: "short log", target: target(web(old), ago(20, other)), want: unknown, words: "90 days"},
		{check: "client-unused", name: "young", target: target(web(func(r *evidence.Registration) { r.Created = now.AddDate(0, 0, -5) }), ago(100, other)), want: na},

		{check: "service-account-mixed", name: "one kind", target: target(web()), want: ok},
		{check: "service-account-mixed", name: "both registered", target: target(web(func(r *evidence.Registration) { r.GrantTypes = []string{"authorization_code", "client_credentials"} })), want: wrong, words: "sign people in and act by itself"},
		{check: "service-account-mixed", name: "both in the log", target: target(entra(func(r *evidence.Registration) { r.ClientID = "web" }), ago(1, nil), ago(1, machine)), want: wrong, words: "signs people in and acts by itself"},
		{check: "service-account-mixed", name: "both requested", target: target(redeem(), ask("client_secret", good)), want: wrong},
		{check: "service-account-mixed", name: "not told", target: target(entra()), want: unknown},

		{check: "user-consent-open", name: "all", target: target(consent("all")), want: wrong, words: "consent to every app"},
		{check: "user-consent-open", name: "low", target: target(consent("low")), want: ok},
		{check: "user-consent-open", name: "none", target: target(consent("none")), want: ok},
		{check: "user-consent-open", name: "not told", target: target(entra()), want: unknown},
		{check: "user-consent-open", name: "Keycloak", target: target(web(func(r *evidence.Registration) { r.Provider = "keycloak" })), want: na},
	}
}

func dynamicCases() []kase {
	const self = "https://app.example/client.json"
	doc := func(members string, with ...func(*check.ClientDocument)) *check.ClientDocument {
		d := &check.ClientDocument{Place: "client.json", URL: self, Size: len(members), Answer: &check.Answer{Place: "GET " + self, URL: self, Status: 200, Header: http.Header{"Content-Type": {"application/json"}}}}
		if err := json.Unmarshal([]byte(members), &d.Raw); err != nil {
			panic(err)
		}
		for _, f := range with {
			f(d)
		}
		return d
	}
	const sound = `{"client_id":"` + self + `","redirect_uris":["https://app.example/cb"],"token_endpoint_auth_method":"none"}`
	status := func(n int) func(*check.ClientDocument) { return func(d *check.ClientDocument) { d.Answer.Status = n } }
	dcr := func(asked, got string) *check.DCRAnswer {
		a := &check.DCRAnswer{Place: "dcr.json"}
		for text, to := range map[string]*map[string]json.RawMessage{asked: &a.Request, got: &a.Raw} {
			if text != "" {
				if err := json.Unmarshal([]byte(text), to); err != nil {
					panic(err)
				}
			}
		}
		return a
	}
	elsewhere := func(c *check.TokenCall, endpoint string) *check.TokenCall { c.Request.Endpoint = endpoint; return c }
	guid := func(r *evidence.Registration) { r.ClientID = "bbbbbbbb-0000-4000-8000-000000000001" }
	return []kase{
		{check: "cimd-document", name: "sound", target: target(doc(sound)), want: ok},
		{check: "cimd-document", name: "another client_id", target: target(doc(strings.Replace(sound, "client.json", "other.json", 1))), want: wrong, words: "its client_id is https://app.example/other.json"},
		{check: "cimd-document", name: "a secret", target: target(doc(strings.Replace(sound, "{", `{"client_secret":"x",`, 1))), want: wrong, words: "holds client_secret", severity: usher.SeverityCritical},
		{check: "cimd-document", name: "a secret's method", target: target(doc(strings.Replace(sound, `"none"`, `"client_secret_post"`, 1))), want: wrong, words: "client_secret_post"},
		{check: "cimd-document", name: "redirect", target: target(doc(sound, status(302))), want: wrong, words: "behind a redirect"},
		{check: "cimd-document", name: "not there", target: target(doc(sound, status(404))), want: wrong, words: "status 404"},
		{check: "cimd-document", name: "a page", target: target(doc(sound, func(d *check.ClientDocument) { d.Answer.Header.Set("Content-Type", "text/html") })), want: wrong, words: "text/html"},
		{check: "cimd-document", name: "no redirect URIs", target: target(doc(`{"client_id":"` + self + `"}`)), want: wrong, words: "no redirect_uris"},
		{check: "cimd-document", name: "large", target: target(doc(sound, func(d *check.ClientDocument) { d.Size = 6000 })), want: wrong, words: "6000 bytes"},
		{check: "cimd-document", name: "no path", target: target(doc(sound, func(d *check.ClientDocument) { d.URL = "https://app.example" })), want: wrong, words: "no path"},
		{check: "cimd-document", name: "not https", target: target(doc(sound, func(d *check.ClientDocument) { d.URL = "http://app.example/client.json" })), want: wrong, words: "not https"},
		{check: "cimd-document", name: "dot segments", target: target(doc(sound, func(d *check.ClientDocument) { d.URL = "https://app.example/a/../client.json" })), want: wrong, words: "dot segments"},
		{check: "cimd-document", name: "fragment", target: target(doc(sound, func(d *check.ClientDocument) { d.URL += "#x" })), want: wrong, words: "fragment"},
		{check: "cimd-document", name: "user name", target: target(doc(sound, func(d *check.ClientDocument) { d.URL = "https://me@app.example/client.json" })), want: wrong, words: "user name"},
		{check: "cimd-document", name: "a file", target: target(doc(sound, func(d *check.ClientDocument) { d.URL, d.Answer = "", nil })), want: ok},
		{check: "cimd-document", name: "registered client", target: target(web()), want: na},
		{check: "cimd-document", name: "nothing", target: target(), want: unknown},

		{check: "dcr-response-kept", name: "kept", target: target(dcr(`{"scope":"a b","grant_types":["x","y"]}`, `{"client_id":"c","scope":"b a","grant_types":["y","x"]}`)), want: ok},
		{check: "dcr-response-kept", name: "changed", target: target(dcr(`{"grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"none"}`, `{"client_id":"c","grant_types":["authorization_code"],"token_endpoint_auth_method":"client_secret_basic"}`)), want: wrong, words: "another grant_types, token_endpoint_auth_method"},
		{check: "dcr-response-kept", name: "more than asked for", target: target(dcr(`{"scope":"a","grant_types":["authorization_code"]}`, `{"client_id":"c","scope":"a b","grant_types":["authorization_code","refresh_token"]}`)), want: wrong, words: "more grant_types, scope", severity: usher.SeverityLow},
		{check: "dcr-response-kept", name: "more, and another", target: target(dcr(`{"scope":"a","grant_types":["implicit"]}`, `{"client_id":"c","scope":"a b","grant_types":["authorization_code"]}`)), want: wrong, words: "another grant_types than", severity: usher.SeverityMedium},
		{check: "dcr-response-kept", name: "refused", target: target(dcr(`{}`, `{"error":"invalid_redirect_uri"}`)), want: wrong, words: "refuses the registration"},
		{check: "dcr-response-kept", name: "left out", target: target(dcr(`{"scope":"a"}`, `{"client_id":"c"}`)), want: unknown, words: "leaves out scope"},
		{check: "dcr-response-kept", name: "no request", target: target(dcr("", `{"client_id":"c"}`)), want: unknown},

		{check: "credentials-per-issuer", name: "one", target: target(ask("client_secret", good), ask("client_secret", good)), want: ok},
		{check: "credentials-per-issuer", name: "one secret for two", target: target(ask("client_secret", good), elsewhere(ask("client_secret", good), "https://staging.example/token")), want: wrong, words: "goes to login.example and to staging.example"},
		{check: "credentials-per-issuer", name: "two names of one tenant", target: target(ask("client_secret", good), elsewhere(ask("client_secret", good), "https://shop.eu.auth0.com/oauth/token")), want: unknown},
		{check: "credentials-per-issuer", name: "two names in one domain", target: target(elsewhere(ask("client_secret", good), "https://login.salesforce.com/services/oauth2/token"), elsewhere(ask("client_secret", good), "https://shop.my.salesforce.com/services/oauth2/token")), want: unknown},
		{check: "credentials-per-issuer", name: "two names of this machine", target: target(elsewhere(ask("client_secret", good), "http://localhost:8080/token"), elsewhere(ask("client_secret", good), "http://127.0.0.1:8080/token")), want: unknown},
		{check: "credentials-per-issuer", name: "a chosen name for two", target: target(redeem(), elsewhere(redeem(), "https://staging.example/token")), want: unknown},
		{check: "credentials-per-issuer", name: "a given id for two", target: target(metadata(plain), metadata(`{"issuer":"https://staging.example","token_endpoint":"https://staging.example/token"}`),
			redeem("client_id", "bbbbbbbb-0000-4000-8000-000000000001"), elsewhere(redeem("client_id", "bbbbbbbb-0000-4000-8000-000000000001"), "https://staging.example/token")), want: wrong, words: "and to https://staging.example"},
		{check: "credentials-per-issuer", name: "registered twice", target: target(entra(), web(guid, func(r *evidence.Registration) { r.Provider = "okta" })), want: wrong, words: "registered at entra and at okta"},
		{check: "credentials-per-issuer", name: "nothing", target: target(web()), want: unknown},
	}
}

func appCases() []kase {
	app := func(kind string) *usher.Event { return event(func(e *usher.Event) { e.OAuth.ClientApp = kind }) }
	agent := func(ua string) *usher.Event { return event(func(e *usher.Event) { e.UserAgent = ua }) }
	const (
		safari  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
		inApp   = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
		webview = "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0 Mobile Safari/537.36"
	)
	through := func(ua string) *check.AuthCall {
		c := authorize()
		c.Exchange = &evidence.Exchange{Method: "GET", Request: http.Header{"User-Agent": {ua}}}
		return c
	}
	return []kase{
		{check: "conditional-access-client", name: "browser", target: target(app("Browser")), want: ok},
		{check: "conditional-access-client", name: "old protocol", target: target(app("IMAP4")), want: wrong, words: "old protocol (IMAP4)", cause: "legacy-auth"},
		{check: "conditional-access-client", name: "old protocol, refused", target: target(event(func(e *usher.Event) { e.OAuth.ClientApp, e.Status = "IMAP4", usher.StatusFailure })), want: wrong, words: "is refused", severity: usher.SeverityMedium},
		{check: "conditional-access-client", name: "a policy's control", target: target(event(func(e *usher.Event) {
			e.Status, e.StatusCode = usher.StatusFailure, "AADSTS53003"
			e.Policies = []usher.Decision{{Policy: usher.Party{Name: "Devices"}, Result: "failure", Grant: []string{"compliantDevice"}}}
		})), want: wrong, words: "asks for a device"},
		{check: "conditional-access-client", name: "embedded", target: target(agent(webview)), want: wrong, words: "embedded browser", cause: "embedded-browser"},
		{check: "conditional-access-client", name: "device wanted and none there", target: target(event(func(e *usher.Event) { e.Status, e.StatusCode = usher.StatusFailure, "AADSTS53000" })), want: wrong, words: "asks for a device", cause: "policy-device"},
		{check: "conditional-access-client", name: "device there and not compliant", target: target(event(func(e *usher.Event) {
			e.Status, e.StatusCode, e.Device.UID, e.OAuth.ClientApp = usher.StatusFailure, "AADSTS53000", "d1", "Browser"
		})), want: ok},
		{check: "conditional-access-client", name: "an access log", target: target(event(func(e *usher.Event) { e.Kind, e.UserAgent = usher.EventOther, safari })), want: unknown},
		{check: "conditional-access-client", name: "not told", target: target(event(nil)), want: unknown},

		{check: "embedded-webview", name: "Safari", target: target(agent(safari)), want: ok},
		{check: "embedded-webview", name: "in an app on iOS", target: target(agent(inApp)), want: wrong, words: "embedded browser", cause: "embedded-browser"},
		{check: "embedded-webview", name: "a broker", target: target(agent(inApp + " PKeyAuth/1.0")), want: ok},
		{check: "embedded-webview", name: "Android", target: target(through(webview)), want: wrong},
		{check: "embedded-webview", name: "refused", target: target(answered(authorize(), "error=disallowed_useragent&"+stateBack)), want: wrong, words: "refuses the embedded browser"},
		{check: "embedded-webview", name: "not told", target: target(event(nil)), want: unknown},
	}
}
