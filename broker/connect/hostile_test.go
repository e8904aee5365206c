package connect_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"usher"
	"usher/broker"
)

// TestHostileCallback: what comes back is refused before anything is sent, each
// for its own reason, and each as an event where a connection can be named.
func TestHostileCallback(t *testing.T) {
	const evil = "https://login.evil.example"
	for _, tc := range []struct {
		name   string
		setup  func(*world)
		back   func(w *world, back string) string
		says   string
		status int
		cause  string // of the event; empty: there is none
	}{
		{"wrong iss", nil, func(_ *world, b string) string { return with(b, "iss", evil) }, "another provider than the one that was asked", 403, "issuer-mismatch"},
		{"iss with a slash more", nil, func(w *world, b string) string { return with(b, "iss", w.p.URL+"/") }, "another provider", 403, "issuer-mismatch"},
		{"missing iss where it is promised", nil, func(_ *world, b string) string { return with(b, "iss", "") }, "does not say whose it is", 403, "issuer-mismatch"},
		{"wrong iss on an error", nil, func(_ *world, b string) string { return with(b, "code", "", "error", "access_denied", "iss", evil) }, "another provider", 403, "issuer-mismatch"},
		{
			"mix-up: the callback of another provider", func(w *world) { w.add("shop-gateway", func(c *broker.Config) { c.Endpoints.IssuerInResponse = false }) },
			func(w *world, b string) string {
				other := broker.Config{Issuer: evil}
				u, _ := url.Parse(b)
				return w.h.RedirectURI(other) + "?" + with("?"+u.RawQuery, "iss", "")[1:]
			}, "another provider", 403, "issuer-mismatch",
		},
		{"no state", nil, func(_ *world, b string) string { return with(b, "state", "") }, "belongs to nothing that was begun here", 400, ""},
		{"made-up state", nil, func(_ *world, b string) string { return with(b, "state", "AAAA.BBBB") }, "in this browser", 403, ""},
		{"state with another MAC", nil, func(_ *world, b string) string {
			u, _ := url.Parse(b)
			s := u.Query().Get("state")
			return with(b, "state", s[:len(s)-4]+"AAAA")
		}, "in this browser", 403, ""},
		{"long state", nil, func(_ *world, b string) string { return with(b, "state", strings.Repeat("a", 1000)) }, "belongs to nothing", 400, ""},
		{"neither code nor error", nil, func(_ *world, b string) string { return with(b, "code", "") }, "did not accept", 502, "*"},
		{"two states", nil, func(_ *world, b string) string { return b + "&state=x" }, "state twice", 400, ""},
		{"two codes", nil, func(_ *world, b string) string { return b + "&code=x" }, "code twice", 400, ""},
		{"two issuers", nil, func(_ *world, b string) string { return b + "&iss=x" }, "iss twice", 400, ""},
		{"100 KB", nil, func(_ *world, b string) string { return b + "&x=" + strings.Repeat("a", 100<<10) }, "too long", 414, ""},
		{"a code of 12 KB", nil, func(_ *world, b string) string { return with(b, "code", strings.Repeat("a", 12<<10)) }, "belongs to nothing", 400, ""},
		{"not a query", nil, func(_ *world, b string) string { return b + "&%zz=1" }, "cannot be read", 400, ""},
		{"after ten minutes", nil, func(w *world, b string) string { w.pass(10*time.Minute + time.Second); return b }, "longer than ten minutes", 410, ""},
		{"the connection was removed", nil, func(w *world, b string) string {
			w.k.mu.Lock()
			delete(w.k.views, "shop-gateway")
			w.k.mu.Unlock()
			return b
		}, "was removed", 410, ""},
		{"the token endpoint was changed in between", nil, func(w *world, b string) string {
			w.k.change("shop-gateway", func(v *broker.View) { v.Config.Endpoints.Token = w.p.URL + "/elsewhere" })
			return b
		}, "changed this connection", 409, "unknown"},
		{"the person said no", nil, func(_ *world, b string) string { return with(b, "code", "", "error", "access_denied") }, "access was not given", 403, "consent-declined"},
		{"interaction required", nil, func(_ *world, b string) string { return with(b, "code", "", "error", "interaction_required") }, "wanted to ask you something", 403, "*"},
		{"consent required", nil, func(_ *world, b string) string { return with(b, "code", "", "error", "consent_required") }, "wanted to ask you something", 403, "*"},
		{"wrong client", nil, func(_ *world, b string) string {
			return with(b, "code", "", "error", "unauthorized_client", "error_description", "The client is not authorized")
		}, "did not accept", 502, "*"},
		{"script in the description", nil, func(_ *world, b string) string {
			return with(b, "code", "", "error", "server_error", "error_description", `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`+"\u202e\x1b[2K")
		}, "&lt;script&gt;", 502, "*"},
		{"script in the code of the error", nil, func(_ *world, b string) string {
			return with(b, "code", "", "error", `<svg onload=alert(1)>`, "error_description", "javascript:alert(1)")
		}, "&lt;svg", 502, "*"},
		{"script in iss", nil, func(_ *world, b string) string { return with(b, "iss", `"><script>alert(1)</script>`) }, "&lt;script&gt;", 403, "issuer-mismatch"},
		{"a secret in the description", nil, func(_ *world, b string) string {
			return with(b, "code", "", "error", "server_error", "error_description", "client_secret="+theSecret+" was wrong")
		}, "did not accept", 502, "*"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			if tc.setup != nil {
				tc.setup(w)
			}
			b := w.browser()
			s := b.get(tc.back(w, b.agree(b.begin("shop-gateway"))))
			if s.status != tc.status || !strings.Contains(s.text, tc.says) {
				t.Errorf("%d, want %d and %q:\n%s", s.status, tc.status, tc.says, s.text)
			}
			for _, bad := range []string{"<script", "<img", "<svg onload", "onerror=alert(1)>", "\u202e", "\x1b"} {
				if strings.Contains(s.text, bad) {
					t.Errorf("the page holds %q", bad)
				}
			}
			w.nothing("shop-gateway", 0)
			e := w.emitted()
			switch {
			case tc.cause == "" && len(e) > 0:
				t.Errorf("events: %+v", e)
			case tc.cause != "" && len(e) != 1:
				t.Errorf("%d events, want 1", len(e))
			case tc.cause != "":
				if c := e[0].Unmapped["cause"]; tc.cause != "*" && c != tc.cause {
					t.Errorf("cause %s, want %s", c, tc.cause)
				}
				if err := e[0].Validate(); err != nil || !e[0].Refused() || e[0].Resource.Name != "shop-gateway" || e[0].Client.UID != "the-client" || e[0].Kind != usher.EventToken {
					t.Errorf("%v %+v", err, e[0])
				}
			}
			w.keepsSecrets()
		})
	}
}

// TestOtherBrowser: an answer that is brought into another browser is refused
// there (CSRF) and does not use up the flow of the one who began.
func TestOtherBrowser(t *testing.T) {
	w := newWorld(t)
	mine, theirs := w.browser(), w.browser()
	back := mine.agree(mine.begin("shop-gateway"))
	for range 3 {
		if s := theirs.get(back); s.status != http.StatusForbidden || !strings.Contains(s.text, "in this browser") {
			t.Errorf("%d\n%s", s.status, s.text)
		}
	}
	// Nor with a cookie of a flow of their own, under whatever name.
	theirs.begin("shop-gateway")
	u, _ := url.Parse(w.srv.URL)
	for _, c := range theirs.c.Jar.Cookies(u) {
		for _, m := range mine.c.Jar.Cookies(u) {
			theirs.c.Jar.SetCookies(u, []*http.Cookie{{Name: m.Name, Value: c.Value, Path: "/"}})
		}
	}
	if s := theirs.get(back); s.status != http.StatusForbidden {
		t.Errorf("with a cookie of their own: %d", s.status)
	}
	w.nothing("shop-gateway", 0)
	if s := mine.do(http.MethodHead, back, nil); s.status == 200 {
		t.Errorf("HEAD: %d", s.status)
	}
	if s := mine.get(back); s.status != 200 {
		t.Errorf("the one who began: %d\n%s", s.status, s.text)
	}
}

// TestReplay: an answer counts once, however often and at once it comes.
func TestReplay(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	back := b.agree(b.begin("shop-gateway"))
	u, _ := url.Parse(w.srv.URL)
	cookies := b.c.Jar.Cookies(u)
	var all sync.WaitGroup
	results := make([]shown, 20)
	for i := range results {
		all.Go(func() {
			other := w.browser()
			other.c.Jar.SetCookies(u, cookies)
			results[i] = other.get(back)
		})
	}
	all.Wait()
	good := 0
	for _, s := range results {
		switch {
		case s.status == 200 && strings.Contains(s.text, "Connected"):
			good++
		case s.status != http.StatusGone || !strings.Contains(s.text, "used already"):
			t.Errorf("%d\n%s", s.status, s.text)
		}
	}
	if good != 1 || w.p.requests() != 1 || len(w.k.stored("shop-gateway")) != 1 {
		t.Errorf("%d were connected with %d requests", good, w.p.requests())
	}
	// Later as well, also with another code.
	b.c.Jar.SetCookies(u, cookies)
	if s := b.get(with(back, "code", "another")); s.status != http.StatusGone || w.p.requests() != 1 {
		t.Errorf("%d, %d requests", s.status, w.p.requests())
	}
}

// TestReplayedCode: a code that was used is refused by the provider, and the
// page says so.
func TestReplayedCode(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	first := b.agree(b.begin("shop-gateway"))
	if s := b.get(first); s.status != 200 {
		t.Fatal(s.text)
	}
	second := b.agree(b.begin("shop-gateway"))
	u, _ := url.Parse(first)
	s := b.get(with(second, "code", u.Query().Get("code")))
	if s.status == 200 || !strings.Contains(s.text, "Not connected") || len(w.k.stored("shop-gateway")) != 1 {
		t.Errorf("%d\n%s", s.status, s.text)
	}
	if e := w.emitted(); len(e) != 1 || e[0].OAuth.Error != "invalid_grant" || e[0].OAuth.Endpoint != "token" {
		t.Errorf("%+v", e)
	}
}

// TestInjectedCode: a code that was given for somebody else's flow is of no use
// in this one: PKCE refuses it at the provider, the nonce does here.
func TestInjectedCode(t *testing.T) {
	for _, tc := range []struct {
		name  string
		setup func(*world)
	}{
		{"PKCE", func(w *world) { w.add("shop-gateway", func(c *broker.Config) { c.Scopes = []string{"orders"} }) }},
		{"nonce", func(w *world) { w.p.noPKCE = true }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			tc.setup(w)
			mine, theirs := w.browser(), w.browser()
			attack, _ := url.Parse(theirs.agree(theirs.begin("shop-gateway")))
			s := mine.get(with(mine.agree(mine.begin("shop-gateway")), "code", attack.Query().Get("code")))
			if s.status == 200 || !strings.Contains(s.text, "Not connected") || len(w.k.stored("shop-gateway")) != 0 {
				t.Errorf("%d\n%s", s.status, s.text)
			}
			if e := w.emitted(); len(e) != 1 {
				t.Errorf("%+v", e)
			} else if tc.name == "nonce" && e[0].Unmapped["cause"] != "nonce-mismatch" {
				t.Errorf("cause %s", e[0].Unmapped["cause"])
			}
			if tc.name == "nonce" && len(w.p.revoked) != 1 {
				t.Errorf("tokens that are not kept were not given back: %v", w.p.revoked)
			}
			w.keepsSecrets()
		})
	}
}

// TestStateOfAnotherConnection: what was begun for one connection ends at that
// one, whatever the answers were swapped to.
func TestStateOfAnotherConnection(t *testing.T) {
	w := newWorld(t)
	w.add("second", nil)
	b := w.browser()
	first, second := b.agree(b.begin("shop-gateway")), b.agree(b.begin("second"))
	u, _ := url.Parse(second)
	s := b.get(with(first, "state", u.Query().Get("state"))) // the code of one, the state of the other
	if s.status == 200 || len(w.k.stored("shop-gateway"))+len(w.k.stored("second")) != 0 {
		t.Errorf("%d\n%s", s.status, s.text)
	}
	// And of another provider, that does not name itself.
	w.add("third", func(c *broker.Config) { c.Issuer, c.Endpoints.IssuerInResponse = "https://login.honest.example", false })
	w.p.change(func() { w.p.noIss = true })
	third, _ := url.Parse(b.agree(b.begin("third")))
	asked := w.p.requests()
	s = b.get(with(with(b.agree(b.begin("second")), "iss", ""), "state", third.Query().Get("state")))
	if s.status != 403 || !strings.Contains(s.text, "another provider") || w.p.requests() != asked {
		t.Errorf("%d\n%s", s.status, s.text)
	}
}

// TestIDToken: who connects is verified before anything is stored.
func TestIDToken(t *testing.T) {
	foreign, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	for _, tc := range []struct {
		name, cause string
		change      func(*provider)
	}{
		{"signed by another", "token-signature-invalid", func(p *provider) { p.sign = func(c jwt.MapClaims) string { return signedBy(foreign, "k1", c) } }},
		{"unknown key", "token-key-not-found", func(p *provider) { p.sign = func(c jwt.MapClaims) string { return signedBy(foreign, "k9", c) } }},
		{"not signed", "token-signature-invalid", func(p *provider) {
			p.sign = func(c jwt.MapClaims) string {
				text, _ := jwt.NewWithClaims(jwt.SigningMethodNone, c).SignedString(jwt.UnsafeAllowNoneSignatureType)
				return text
			}
		}},
		{"signed with the secret", "*", func(p *provider) {
			p.sign = func(c jwt.MapClaims) string {
				text, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString([]byte(theSecret))
				return text
			}
		}},
		{"another issuer", "token-wrong-issuer", func(p *provider) { p.claims = func(c jwt.MapClaims) { c["iss"] = "https://login.evil.example" } }},
		{"another audience", "token-wrong-audience", func(p *provider) { p.claims = func(c jwt.MapClaims) { c["aud"] = "another-client" } }},
		{"another nonce", "nonce-mismatch", func(p *provider) { p.claims = func(c jwt.MapClaims) { c["nonce"] = "x" } }},
		{"no nonce", "*", func(p *provider) { p.claims = func(c jwt.MapClaims) { delete(c, "nonce") } }},
		{"over", "token-expired", func(p *provider) {
			p.claims = func(c jwt.MapClaims) { c["exp"] = p.now().Add(-2 * time.Minute).Unix() }
		}},
		{"of another access token", "token-signature-invalid", func(p *provider) { p.claims = func(c jwt.MapClaims) { c["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" } }},
		{"no subject", "*", func(p *provider) { p.claims = func(c jwt.MapClaims) { delete(c, "sub") } }},
		{"none", "token-missing", func(p *provider) { p.noID = true }},
		{"no token", "*", func(p *provider) { p.sign = func(jwt.MapClaims) string { return "x.y.z" } }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.p.change(func() { tc.change(w.p) })
			b := w.browser()
			s := b.get(b.agree(b.begin("shop-gateway")))
			if s.status == 200 || !strings.Contains(s.text, "could not be verified") || len(w.k.stored("shop-gateway")) != 0 {
				t.Errorf("%d\n%s", s.status, s.text)
			}
			if e := w.emitted(); len(e) != 1 || tc.cause != "*" && e[0].Unmapped["cause"] != tc.cause {
				t.Errorf("events: %+v, want cause %s", e, tc.cause)
			}
			if len(w.p.revoked) != 1 {
				t.Errorf("given back: %v", w.p.revoked)
			}
			w.keepsSecrets()
		})
	}
}

func signedBy(key *ecdsa.PrivateKey, kid string, claims jwt.MapClaims) string {
	tok := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	tok.Header["kid"] = kid
	text, _ := tok.SignedString(key)
	return text
}

// TestPrivateKeyPublished: whoever finds a private key in a key set can sign with
// it, so that it proves nothing.
func TestPrivateKeyPublished(t *testing.T) {
	w := newWorld(t)
	w.p.change(func() { w.p.leak = true })
	b := w.browser()
	s := b.get(b.agree(b.begin("shop-gateway")))
	if s.status == 200 || !strings.Contains(s.text, "could not be verified") || len(w.k.stored("shop-gateway")) != 0 {
		t.Errorf("%d\n%s", s.status, s.text)
	}
}

// TestAuthorizeParameters: the configuration may add to the request and change
// nothing of what defends it.
func TestAuthorizeParameters(t *testing.T) {
	w := newWorld(t)
	w.add("shop-gateway", func(c *broker.Config) {
		c.Authorize = map[string]string{
			"prompt": "login", "state": "evil", "nonce": "evil", "redirect_uri": "https://evil.example", "code_challenge": "evil", "code_challenge_method": "plain", "client_id": "evil",
			"response_type": "token", "response_mode": "fragment", "request_uri": "https://evil.example", "scope": "evil",
		}
		c.Audience, c.Resources = "https://api.shop.example", []string{"https://a.example", "https://b.example"}
	})
	at := w.browser().begin("shop-gateway")
	u, _ := url.Parse(at)
	q := u.Query()
	if strings.Contains(at, "evil") || q.Get("response_mode") != "" || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		t.Error(at)
	}
	if q.Get("prompt") != "login" || q.Get("audience") != "https://api.shop.example" || len(q["resource"]) != 2 {
		t.Error(at)
	}
}

// TestBadPage: a person is sent to an https page and to nothing else.
func TestBadPage(t *testing.T) {
	for _, address := range []string{"javascript:alert(1)", "http://login.example/authorize", "data:text/html,x", "//evil.example", "file:///etc/passwd"} {
		w := newWorld(t)
		w.add("shop-gateway", func(c *broker.Config) { c.Endpoints.Authorization = address })
		link, _ := w.h.Link(context.Background(), "shop-gateway")
		u, _ := url.Parse(link)
		b := w.browser()
		if s := b.do(http.MethodPost, w.srv.URL+"/connect/shop-gateway", url.Values{"t": {u.Query().Get("t")}}); s.status/100 == 2 || onward(s.text) != "" || w.store.flows != 0 {
			t.Errorf("%s: %d\n%s", address, s.status, s.text)
		}
	}
}

// TestOpenRedirect: this server sends nobody to a place that the request names.
func TestOpenRedirect(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for _, path := range []string{
		"/connect//evil.example", "/connect/https://evil.example", "/connect/%2f%2fevil.example", "/connect/..%2f..", "/connect/\\evil.example", "/connect/callback", "/connect/callback/", "/connect/", "/connect",
		"/connect/callback/x?redirect_uri=https://evil.example", "/connect/shop-gateway/as-other", "/connect/shop-gateway/x", "/connect/" + strings.Repeat("a", 5000), "/connect/shop-gateway/device/../x",
	} {
		s := b.do(http.MethodGet, w.srv.URL+strings.ReplaceAll(path, "\\", "%5c"), nil)
		if to := s.header.Get("Location"); s.status/100 != 4 || to != "" {
			t.Errorf("%.60s: %d to %s", path, s.status, to)
		}
	}
	// Another name leads to the configured one, and nowhere else.
	for _, host := range []string{"evil.example", "localhost:1", "usher.evil.example"} {
		s := b.do(http.MethodGet, w.srv.URL+"/connect/shop-gateway?t=x&next=//evil.example", nil, "Host", host)
		if to := s.header.Get("Location"); s.status != http.StatusSeeOther || !strings.HasPrefix(to, w.srv.URL+"/connect/shop-gateway?") {
			t.Errorf("%s: %d to %s", host, s.status, to)
		}
	}
}

// TestNotStored: what cannot be stored is given back and told.
func TestNotStored(t *testing.T) {
	w := newWorld(t)
	w.k.err = broker.ErrStale
	b := w.browser()
	s := b.get(b.agree(b.begin("shop-gateway")))
	if s.status != 500 || !strings.Contains(s.text, "could not store") || len(w.p.revoked) != 1 || len(w.emitted()) != 1 {
		t.Errorf("%d, given back %v\n%s", s.status, w.p.revoked, s.text)
	}
	w.keepsSecrets(w.p.revoked...)
}

// TestRefusedByTokenEndpoint: the provider's answers in plain words, none of
// them a connection.
func TestRefusedByTokenEndpoint(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		says   string
	}{
		{401, `{"error":"invalid_client"}`, "did not accept"},
		{400, `{"error":"invalid_grant","error_description":"<b>no</b>"}`, "&lt;b&gt;no"},
		{200, `{"error":"invalid_grant"}`, "did not accept"},
		{200, `{"ok":false,"error":"bad_redirect_uri"}`, "did not accept"},
		{200, `<html>maintenance</html>`, "Not connected"},
		{503, `{}`, "could not be reached"},
		{429, `{}`, "could not be reached"},
		{200, `{}`, "Not connected"},
		{200, strings.Repeat("x", 2<<20), "Not connected"},
	} {
		w := newWorld(t)
		w.p.change(func() { w.p.status, w.p.body = tc.status, tc.body })
		b := w.browser()
		s := b.get(b.agree(b.begin("shop-gateway")))
		if s.status == 200 || !strings.Contains(s.text, tc.says) || w.p.requests() != 1 || len(w.k.stored("shop-gateway")) != 0 || len(w.emitted()) != 1 {
			t.Errorf("%d %.40s: %d, %d requests, want %q\n%s", tc.status, tc.body, s.status, w.p.requests(), tc.says, s.text)
		}
	}
}

// TestScopeWords: a narrower scope, no refresh token and no expiry are said.
func TestScopeWords(t *testing.T) {
	w := newWorld(t)
	w.add("shop-gateway", func(c *broker.Config) { c.Scopes = []string{"orders", "refunds"} })
	w.p.change(func() { w.p.scope, w.p.refresh = "orders", false })
	b := w.browser()
	s := b.get(b.agree(b.begin("shop-gateway")))
	for _, want := range []string{"Not granted, though it was asked for: <code>refunds</code>", "gave no refresh token", "offline_access", "lives 60 minutes"} {
		if !strings.Contains(s.text, want) {
			t.Errorf("%q is missing:\n%s", want, s.text)
		}
	}
}

// TestNobodyCanConnect: connections that need no person say so and begin nothing.
func TestNobodyCanConnect(t *testing.T) {
	for name, change := range map[string]func(*broker.Config){
		"needs no person":     func(c *broker.Config) { c.Grant = broker.GrantClientCredentials },
		"handed in":           func(c *broker.Config) { c.Grant = broker.GrantRefresh },
		"switched off":        func(c *broker.Config) { c.Disabled = true },
		"no authorization":    func(c *broker.Config) { c.Endpoints.Authorization = "" },
		"no device":           func(c *broker.Config) { c.Grant, c.Endpoints.DeviceAuthorization = broker.GrantDevice, "" },
		"no issuer or no jwk": func(c *broker.Config) { c.Endpoints.JWKS = "" },
		"names no issuer":     func(c *broker.Config) { c.Issuer = "" },
	} {
		w := newWorld(t)
		w.add("shop-gateway", change)
		link, _ := w.h.Link(context.Background(), "shop-gateway")
		u, _ := url.Parse(link)
		b := w.browser()
		if s := b.get(link); s.status != 200 || strings.Contains(s.text, "<form") || !strings.Contains(s.text, name) {
			t.Errorf("%s: %d\n%s", name, s.status, s.text)
		}
		if s := b.do(http.MethodPost, w.srv.URL+"/connect/shop-gateway", url.Values{"t": {u.Query().Get("t")}}); s.status != http.StatusConflict || w.store.flows != 0 {
			t.Errorf("%s, the button: %d", name, s.status)
		}
	}
}
