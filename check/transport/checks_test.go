package transport_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/transport"
	"usher/evidence"
	"usher/oauth"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const (
	ok      = usher.OutcomeOK
	wrong   = usher.OutcomeWrong
	unknown = usher.OutcomeUnknown
	none    = usher.OutcomeNotApplicable
)

type change func(t *check.Target)

func target(changes ...change) *check.Target {
	p, _ := check.ProfileNamed("")
	t := &check.Target{Now: now, Profile: p}
	for _, c := range changes {
		c(t)
	}
	return t
}

func host(h check.Host) change {
	return func(t *check.Target) {
		if h.Name == "" {
			h.Name = "id.example:443"
		}
		t.Hosts = append(t.Hosts, &h)
	}
}

// good is a host in order.
func good() check.Host {
	return check.Host{
		Version: tls.VersionTLS13, Suite: tls.TLS_AES_128_GCM_SHA256, OldTried: true, WeakTried: true, Subject: "CN=id.example", Issuer: "CN=CA",
		NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(0, 2, 0), Resolved: time.Millisecond, Connected: time.Millisecond, Shaken: time.Millisecond, Stage: "done",
	}
}

func with(f func(h *check.Host)) change {
	h := good()
	f(&h)
	return host(h)
}

func headers(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

func answered(role, address string, status int, lines ...string) change {
	return func(t *check.Target) {
		t.Answers = append(t.Answers, &check.Answer{Place: "GET " + address, URL: address, Role: role, Status: status, Header: headers(lines...), At: now})
	}
}

func setting(quote string) change {
	return func(t *check.Target) {
		t.Settings = append(t.Settings, evidence.Fact{Key: "setting", Place: "app.yaml:3", Quote: quote})
	}
}

func doc(members string) change {
	return func(t *check.Target) {
		all := map[string]any{}
		if err := json.Unmarshal([]byte(members), &all); err != nil {
			panic(err)
		}
		data, _ := json.Marshal(all)
		m, err := oauth.ParseMetadata(data)
		if err != nil {
			panic(err)
		}
		t.Metadata = append(t.Metadata, &check.Metadata{Metadata: m, Place: "discovery.json"})
	}
}

const sound = `{"issuer":"https://id.example","authorization_endpoint":"https://id.example/auth","token_endpoint":"https://id.example/token"}`

func auth(address string, x *evidence.Exchange) change {
	return func(t *check.Target) {
		r, err := oauth.ParseAuthorizationRequest(address)
		if err != nil {
			panic(err)
		}
		t.AuthCalls = append(t.AuthCalls, &check.AuthCall{Place: "flow.har#0", Request: r, Exchange: x})
	}
}

func back(address string) change {
	return func(t *check.Target) {
		r, err := oauth.ParseAuthorizationResponse(address)
		if err != nil {
			panic(err)
		}
		t.AuthCalls = append(t.AuthCalls, &check.AuthCall{Place: "url.txt", ResponsePlace: "url.txt", Response: r})
	}
}

func call(endpoint, form string, x *evidence.Exchange) change {
	return func(t *check.Target) {
		r, err := oauth.ParseTokenRequest(endpoint, http.Header{}, form)
		if err != nil {
			panic(err)
		}
		t.TokenCalls = append(t.TokenCalls, &check.TokenCall{Place: "curl.txt", Request: r, Exchange: x, Response: &check.TokenResponse{AccessToken: "a"}})
	}
}

func api(address string, lines ...string) change {
	return func(t *check.Target) {
		t.APICalls = append(t.APICalls, &check.APICall{Place: "api.txt", Exchange: &evidence.Exchange{Method: "GET", URL: address, Request: headers(lines...), Status: 200}})
	}
}

func body(text string) change {
	return func(t *check.Target) { t.Answers[len(t.Answers)-1].Body = text }
}

func probed(id string, a check.ProbeAnswer) change {
	return func(t *check.Target) {
		if t.Probed == nil {
			t.Probed = map[string]*check.ProbeAnswer{}
		}
		t.Probed[id] = &a
	}
}

func found(id string) change {
	v := check.Wrong("found by the probe", "it is so", usher.Proof{Place: "GET x"})
	return probed(id, check.ProbeAnswer{Verdict: &v})
}

func registered(r evidence.Registration) change {
	return func(t *check.Target) { t.Registrations = append(t.Registrations, &r) }
}

func rows() []struct {
	id, name string
	target   *check.Target
	outcome  usher.Outcome
	words    string
} {
	public, confidential := true, false
	page := "Content-Type: text/html"
	at := func(u string) string { return "https://id.example/" + u }
	return []struct {
		id, name string
		target   *check.Target
		outcome  usher.Outcome
		words    string
	}{
		{"tls-version", "1.3", target(host(good())), ok, ""},
		{"tls-version", "1.0", target(with(func(h *check.Host) { h.Version = tls.VersionTLS10 })), wrong, "TLS 1.0"},
		{"tls-version", "1.1 as well", target(with(func(h *check.Host) { h.Old = []uint16{tls.VersionTLS11} })), wrong, "TLS 1.1"},
		{"tls-version", "old not tried", target(with(func(h *check.Host) { h.OldTried = false })), unknown, ""},
		{"tls-version", "http", target(host(check.Host{Stage: "done"})), none, ""},
		{"tls-version", "nothing", target(), unknown, ""},

		{"tls-certificate", "lasts", target(host(good())), ok, ""},
		{"tls-certificate", "ended", target(with(func(h *check.Host) { h.NotAfter = now.Add(-time.Hour) })), wrong, "ended 2026-11-25"},
		{"tls-certificate", "three days", target(with(func(h *check.Host) { h.NotAfter = now.Add(73 * time.Hour) })), wrong, "ends in 3 days"},
		{"tls-certificate", "not yet", target(with(func(h *check.Host) { h.NotBefore = now.Add(time.Hour) })), wrong, "not valid before"},
		{"tls-certificate", "chain", target(with(func(h *check.Host) { h.ChainErr = "signed by unknown authority" })), wrong, "unknown authority"},
		{"tls-certificate", "no connection", target(host(check.Host{Stage: "connect", Err: "refused"})), unknown, ""},

		{"tls-ciphers", "strong", target(host(good())), ok, ""},
		{"tls-ciphers", "CBC", target(with(func(h *check.Host) {
			h.Version, h.Suite = tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
		})), wrong, "CBC"},
		{"tls-ciphers", "weak as well", target(with(func(h *check.Host) { h.Weak = []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA} })), wrong, "nothing better"},
		{"tls-ciphers", "weak not tried", target(with(func(h *check.Host) { h.WeakTried = false })), unknown, ""},

		{"tls-verify-off", "nothing of it", target(setting("issuer: https://id.example")), unknown, "do not speak"},
		{"tls-verify-off", "private authority", target(setting("SSL_CERT_FILE=/etc/ca.pem")), ok, ""},
		{"tls-verify-off", "Go", target(setting("InsecureSkipVerify: true")), wrong, "does not verify"},
		{"tls-verify-off", "Node", target(setting("NODE_TLS_REJECT_UNAUTHORIZED=0")), wrong, "NODE_TLS"},
		{"tls-verify-off", "Python", target(setting("requests.post(url, verify=False)")), wrong, "verify=False"},
		{"tls-verify-off", "curl", target(setting("curl -k https://id.example/token")), wrong, "curl -k"},
		{"tls-verify-off", "not skipped", target(setting("insecure_skip_verify: false")), ok, ""},
		{"tls-verify-off", "skipped", target(setting("ssl_insecure_skip_verify = \"true\"")), wrong, "does not verify"},
		{"tls-verify-off", "verification of mail addresses", target(setting("email_verify: false")), unknown, ""},
		{"tls-verify-off", "verification of people", target(setting("USER_VERIFY=false, phone.verified: false")), unknown, ""},
		{"tls-verify-off", "another switch of curl", target(setting("curl -sS -X POST https://id.example/token")), unknown, ""},
		{"tls-verify-off", "curl, with others", target(setting("curl -sk https://id.example/token")), wrong, "curl -sk"},
		{"tls-verify-off", "git", target(setting("http.sslVerify=false")), wrong, ""},
		{"tls-verify-off", "JSON", target(setting("{\"rejectUnauthorized\": false}")), wrong, ""},
		{"tls-verify-off", ".NET", target(setting("options.RequireHttpsMetadata = false;")), wrong, ""},
		{"tls-verify-off", "on", target(setting("ssl_verify: true")), ok, ""},
		{"tls-verify-off", "http", target(call("http://id.example/token", "grant_type=client_credentials", nil)), wrong, "over http"},
		{"tls-verify-off", "http on loopback", target(call("http://localhost:8080/token", "grant_type=client_credentials", nil)), unknown, ""},

		{"egress-blocked", "reached", target(host(good())), ok, "TLS 1ms"},
		{"egress-blocked", "no name", target(host(check.Host{Stage: "resolve", Err: "no such host"})), wrong, "is not found"},
		{"egress-blocked", "no connection", target(host(check.Host{Stage: "connect", Err: "timeout"})), wrong, "No connection"},
		{"egress-blocked", "no TLS", target(host(check.Host{Stage: "tls", Err: "handshake failure"})), wrong, "TLS does not come about"},
		{"egress-blocked", "usher does not go there", target(host(good()), host(check.Host{Name: "10.0.0.1:443", Stage: "connect", Err: "10.0.0.1 is private", Code: usher.ErrRefused})), unknown, "10.0.0.1 is private"},
		{"egress-blocked", "callback alone", target(host(good()), host(check.Host{Name: "shop.example:443", Stage: "resolve", Err: "no such host", Roles: []string{"callback"}})), ok, ""},
		{"egress-blocked", "callback and issuer", target(host(check.Host{Stage: "resolve", Err: "no such host", Roles: []string{"callback", "issuer"}})), wrong, "is not found"},
		{"egress-blocked", "not tried", target(), unknown, ""},

		{"token-response-no-store", "no-store", target(call(at("token"), "grant_type=password", &evidence.Exchange{Status: 200, Header: headers("Cache-Control: no-store")})), ok, ""},
		{"token-response-no-store", "absent", target(call(at("token"), "grant_type=password", &evidence.Exchange{Status: 200, Header: headers("Content-Type: application/json")})), wrong, "may be kept"},
		{"token-response-no-store", "no-cache alone", target(call(at("token"), "grant_type=password", &evidence.Exchange{Status: 200, Header: headers("Cache-Control: no-cache")})), wrong, "no-cache"},
		{"token-response-no-store", "UserInfo", target(answered("userinfo", at("me"), 200, "Cache-Control: public")), wrong, "may be kept"},
		{"token-response-no-store", "refused", target(call(at("token"), "grant_type=password", &evidence.Exchange{Status: 400, Header: headers("Content-Type: application/json")})), unknown, ""},
		{"token-response-no-store", "no headers", target(call(at("token"), "grant_type=password", nil)), unknown, "without its headers"},

		{"token-endpoint-post-only", "not asked", target(), unknown, ""},
		{"token-endpoint-post-only", "found", target(found("token-endpoint-post-only")), wrong, "found by the probe"},

		{"credentials-in-uri", "none", target(auth(at("auth?client_id=a&response_type=code"), nil), call(at("token"), "grant_type=password&password=x", nil)), ok, ""},
		{"credentials-in-uri", "secret in the request", target(auth(at("auth?client_id=a&client_secret=s3cret"), nil)), wrong, "client_secret"},
		{"credentials-in-uri", "token call", target(call(at("token?client_secret=s3cret"), "grant_type=authorization_code", nil)), wrong, "client_secret"},
		{"credentials-in-uri", "API", target(api("https://api.example/orders?access_token=abc")), wrong, "access_token"},
		{"credentials-in-uri", "referrer", target(api("https://api.example/orders", "Referer: https://app.example/cb?id_token=abc")), wrong, "id_token"},
		{"credentials-in-uri", "empty", target(api("https://api.example/orders?access_token=")), ok, ""},
		{"credentials-in-uri", "hint is none", target(api("https://api.example/logout?id_token_hint=abc")), ok, ""},
		{"credentials-in-uri", "way back, query", target(back("https://app.example/cb?access_token=abc")), wrong, "access_token"},
		{"credentials-in-uri", "way back, fragment", target(back("https://app.example/cb#access_token=abc")), unknown, ""},
		{"credentials-in-uri", "behind the mark of a page", target(api("https://api.example/orders", "Referer: https://app.example/#/cb?access_token=abc")), ok, ""},
		{"credentials-in-uri", "sent on by a redirect", target(auth(at("auth?client_id=a"), &evidence.Exchange{Method: "GET", URL: at("auth"), Status: 302, Header: headers("Location: https://app.example/cb?access_token=abc")})), wrong, "access_token"},
		{"credentials-in-uri", "posted", target(auth(at("auth?client_id=a&password=x"), &evidence.Exchange{Method: "POST", URL: at("auth")})), ok, ""},
		{"credentials-in-uri", "log", target(func(t *check.Target) {
			t.Events = []*usher.Event{{UID: "e1", Request: usher.Request{Path: "/cb?refresh_token=[masked]"}}}
		}), wrong, "refresh_token"},
		{"credentials-in-uri", "nothing", target(), unknown, ""},

		{"referrer-leak", "policy", target(answered("callback", "https://app.example/cb", 200, "Referrer-Policy: no-referrer")), ok, ""},
		{"referrer-leak", "redirect", target(answered("callback", "https://app.example/cb", 302, "Location: /")), ok, ""},
		{"referrer-leak", "absent", target(answered("callback", "https://app.example/cb", 200, page)), wrong, "nothing safe"},
		{"referrer-leak", "unsafe", target(answered("callback", "https://app.example/cb", 200, "Referrer-Policy: unsafe-url")), wrong, "unsafe-url"},
		{"referrer-leak", "script of others", target(answered("callback", "https://app.example/cb", 200, "Referrer-Policy: no-referrer"), body(`<SCRIPT async src="//counter.test/x.js"></script>`)), wrong, "counter.test"},
		{"referrer-leak", "own script", target(answered("callback", "https://app.example/cb", 200, "Referrer-Policy: no-referrer"), body(`<script src='/app.js'></script><script>go()</script>`)), ok, ""},
		{"referrer-leak", "not looked at", target(answered("discovery", at(""), 200)), unknown, ""},

		{"clickjacking-login", "every https page", target(answered("authorization", at("auth"), 200, "Content-Type: text/html", "Content-Security-Policy: frame-ancestors https:")), wrong, "Every page may frame"},
		{"clickjacking-login", "CSP", target(answered("authorization", at("auth"), 200, page, "Content-Security-Policy: frame-ancestors 'none'")), ok, ""},
		{"clickjacking-login", "old header", target(answered("authorization", at("auth"), 200, page, "X-Frame-Options: sameorigin")), ok, ""},
		{"clickjacking-login", "absent", target(answered("authorization", at("auth"), 200, page)), wrong, "Any page may frame"},
		{"clickjacking-login", "star", target(answered("authorization", at("auth"), 200, page, "Content-Security-Policy: frame-ancestors *")), wrong, "Every page"},
		{"clickjacking-login", "a redirect", target(answered("authorization", at("auth"), 302)), unknown, ""},

		{"hsts", "sent", target(answered("authorization", at("auth"), 200, "Strict-Transport-Security: max-age=31536000")), ok, ""},
		{"hsts", "absent", target(answered("authorization", at("auth"), 302)), wrong, "without HSTS"},
		{"hsts", "ended", target(answered("authorization", at("auth"), 302, "Strict-Transport-Security: max-age=0")), wrong, "without HSTS"},
		{"hsts", "document of the sign-in host", target(doc(sound), answered("discovery", at(".well-known/openid-configuration"), 200)), wrong, "without HSTS"},
		{"hsts", "loopback", target(answered("authorization", "https://localhost:8443/auth", 200)), none, ""},
		{"hsts", "http", target(answered("authorization", "http://id.example/auth", 200)), unknown, ""},

		{"cors-authorization", "not asked", target(), unknown, ""},
		{"cors-authorization", "found", target(found("cors-authorization")), wrong, ""},
		{"cors-token-spa", "found", target(found("cors-token-spa")), wrong, ""},
		{"cors-token-spa", "no browser app", target(registered(evidence.Registration{Public: &confidential})), none, ""},
		{"cors-token-spa", "not asked", target(registered(evidence.Registration{Public: &public, RedirectURIs: []evidence.RegisteredURI{{URI: "https://app.example/cb"}}})), unknown, ""},

		{"redirect-307", "an authorization request that was posted", target(auth(at("auth?client_id=a"), &evidence.Exchange{Method: "POST", URL: at("auth"), RequestBody: "client_id=a&response_type=code", Status: 307, Header: headers("Location: /login")})), unknown, ""},
		{"redirect-307", "303", target(auth(at("auth?client_id=a"), &evidence.Exchange{Method: "POST", URL: at("login"), Status: 303})), ok, ""},
		{"redirect-307", "307", target(auth(at("auth?client_id=a"), &evidence.Exchange{Method: "POST", URL: at("login"), Status: 307})), wrong, "307"},
		{"redirect-307", "307 after GET", target(auth(at("auth?client_id=a"), &evidence.Exchange{Method: "GET", URL: at("login"), Status: 307})), unknown, ""},
		{"redirect-307", "nothing", target(), unknown, ""},

		{"proxy-forwarded", "as used", target(doc(sound), auth(at("auth?client_id=a"), nil)), ok, ""},
		{"proxy-forwarded", "http behind https", target(doc(`{"issuer":"http://id.example","token_endpoint":"http://id.example/token"}`), func(t *check.Target) { t.Metadata[0].URL = at(".well-known/openid-configuration") }), wrong, "in the scheme"},
		{"proxy-forwarded", "inside port", target(doc(`{"issuer":"https://id.example:8443","token_endpoint":"https://id.example:8443/token"}`), func(t *check.Target) { t.Issuer = "https://id.example" }), wrong, "in the port"},
		{"proxy-forwarded", "a port for certificates beside", target(doc(`{"issuer":"https://id.example","authorization_endpoint":"https://id.example/auth","token_endpoint":"https://id.example:49443/token"}`), func(t *check.Target) { t.Metadata[0].URL = at(".well-known/openid-configuration") }), ok, ""},
		{"proxy-forwarded", "mixed in one document", target(doc(`{"issuer":"https://id.example","token_endpoint":"http://id.example/token"}`)), wrong, "in the scheme"},
		{"proxy-forwarded", "inside host", target(doc(`{"issuer":"https://id.example","token_endpoint":"https://keycloak/token"}`)), wrong, "in the host"},
		{"proxy-forwarded", "redirect to http", target(doc(sound), auth(at("auth?client_id=a"), &evidence.Exchange{Method: "GET", URL: at("auth"), Status: 302, Header: headers("Location: http://id.example/login")})), wrong, "sends the browser to http"},
		{"proxy-forwarded", "all of one kind", target(doc(`{"issuer":"http://localhost:8080","token_endpoint":"http://localhost:8080/token"}`)), unknown, ""},

		{"mtls-header-spoof", "not tried", target(), unknown, ""},
		{"mtls-header-spoof", "believed", target(probed("mtls-header-spoof", check.ProbeAnswer{Place: "GET https://gw/", Sent: "X-Client-Cert: ...", Status: 200})), wrong, "believed"},
		{"mtls-header-spoof", "dropped", target(probed("mtls-header-spoof", check.ProbeAnswer{Place: "GET https://gw/", Sent: "X-Client-Cert: ...", Status: 401})), ok, ""},
	}
}

func TestChecks(t *testing.T) {
	byID := map[string]*check.Check{}
	for _, c := range transport.Checks {
		byID[c.ID] = c
	}
	for _, r := range rows() {
		c := byID[r.id]
		if c == nil {
			t.Fatalf("there is no check %s", r.id)
		}
		findings, _ := check.Run(r.target, []*check.Check{c})
		f := findings[0]
		said := fmt.Sprintf("%s | %s | %v", f.Title, f.Detail, f.Proof)
		if f.Outcome != r.outcome || !strings.Contains(said, r.words) {
			t.Errorf("%s, %s: %s %s; want %s with %q", r.id, r.name, f.Outcome, said, r.outcome, r.words)
		}
		if strings.Contains(said, "s3cret") {
			t.Errorf("%s, %s: a secret is shown: %s", r.id, r.name, said)
		}
		if f.Outcome == wrong && (len(f.Proof) == 0 || f.Proof[0].Place == "" || f.Detail == "" || f.Title == c.Title || len(f.Fix) == 0) {
			t.Errorf("%s, %s: wrong without proof, place, detail, fix or a title of its own: %s", r.id, r.name, said)
		}
	}
}

// TestEachCheckIsTried: each check has a configuration that it finds wrong, and
// one that it does not.
func TestEachCheckIsTried(t *testing.T) {
	tried := map[string]map[bool]bool{}
	for _, r := range rows() {
		if tried[r.id] == nil {
			tried[r.id] = map[bool]bool{}
		}
		tried[r.id][r.outcome == wrong] = true
	}
	for _, c := range transport.Checks {
		if !tried[c.ID][true] || !tried[c.ID][false] {
			t.Errorf("%s: a configuration that is wrong: %t, one that is not: %t", c.ID, tried[c.ID][true], tried[c.ID][false])
		}
	}
}
