package redirects_test

import (
	"net/http"
	"strings"
	"testing"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

// TestTitles: a title says what is wrong with the words that differ.
func TestTitles(t *testing.T) {
	for _, c := range []struct {
		name   string
		target *check.Target
		check  string
		title  string
		cause  string
	}{
		{"differs", target(entries("https://other.example/x", cb), sends(cb+"/")), "redirect-registered", "The app sends https://shop.example/cb/, registered is https://shop.example/cb", "redirect-uri-mismatch"},
		{"left out", target(entries(cb, cb+"2"), sends("")), "redirect-registered", "The request has no redirect_uri", "redirect-uri-mismatch"},
		{"out of band", target(of("google"), entries(cb), sends("urn:ietf:wg:oauth:2.0:oob")), "redirect-registered", "The app sends urn:ietf:wg:oauth:2.0:oob, which the provider has switched off", "redirect-uri-invalid"},
		{"nothing registered", target(none, sends(cb)), "redirect-registered", "The app sends https://shop.example/cb, and no redirect URI is registered", "redirect-uri-mismatch"},
		{"not taken", target(of("google"), entries("http://shop.example/cb"), sends("http://shop.example/cb")), "redirect-registered", "The entry http://shop.example/cb is one that google does not take", "redirect-uri-invalid"},
		{"several entries", target(entries("http://a.example", "http://b.example", "http://c.example")), "redirect-https", "The entry http://a.example sends codes over http, in the clear, and 2 more", ""},
		{"the registration names the provider", target(entries("https://shop.example/*/cb"), reg(func(r *evidence.Registration) { r.Provider = "keycloak" })), "redirect-wildcard-literal", "The entry https://shop.example/*/cb has a star that keycloak does not fill in", "redirect-uri-mismatch"},
	} {
		if f := worst(t, c.target, c.check); f.Title != c.title || f.Cause != c.cause || f.Subject.Client != "shop" {
			t.Errorf("%s: %q, cause %q, client %q", c.name, f.Title, f.Cause, f.Subject.Client)
		}
	}
}

// TestThreeSides: the entry that is nearest, what was sent, and the rule.
func TestThreeSides(t *testing.T) {
	f := worst(t, target(of("entra"), entries("https://other.example/x", cb), sends(cb+"/")), "redirect-registered")
	want := []usher.Proof{
		{Place: "app.json:3", Quote: cb},
		{Place: "sign-in.har#1", Quote: cb + "/", Expected: cb, Got: cb + "/"},
		{Place: "redirect rule of entra", Quote: f.Proof[2].Quote, Got: "trailing-slash"},
	}
	for i := range want {
		if f.Proof[i] != want[i] {
			t.Errorf("proof %d: %+v, want %+v", i, f.Proof[i], want[i])
		}
	}
	for _, words := range []string{"letter for letter", "the port of http://localhost", "first label", "who may redeem", "http for this machine"} {
		if !strings.Contains(f.Proof[2].Quote, words) {
			t.Errorf("the rule %q does not say %q", f.Proof[2].Quote, words)
		}
	}
	if strings.Contains(f.Proof[2].Quote, "sub-domains") {
		t.Errorf("the rule %q says what Entra does not", f.Proof[2].Quote)
	}
	g := worst(t, target(none, sends(cb)), "redirect-registered")
	if g.Proof[0].Quote != "no redirect URI is registered" || g.Proof[2].Place != "redirect rule of the standard" {
		t.Errorf("%+v", g.Proof)
	}
	if h := worst(t, target(entries(cb), sends(cb)), "redirect-registered"); h.Proof[1].Expected != "" || h.Proof[1].Got != "" {
		t.Errorf("what is in order expects something: %+v", h.Proof[1])
	}
}

// TestFixes: what to do, in order, and what it does to security.
func TestFixes(t *testing.T) {
	n, w, g := usher.RiskNeutral, usher.RiskWeakening, usher.RiskTightening
	for _, c := range []struct {
		name   string
		target *check.Target
		says   []string
		risk   []usher.Risk
	}{
		{"slash", target(entries(cb), sends(cb+"/")), []string{"send https://shop.example/cb,", "egister https://shop.example/cb/"}, []usher.Risk{n, n}},
		{"slash and scheme", target(entries(cb), sends("http://shop.example/cb/")), []string{"send", "egister"}, []usher.Risk{n, w}},
		{"host", target(entries(cb), sends("https://evil.example/cb")), []string{"send", "egister https://evil.example/cb"}, []usher.Risk{n, w}},
		{"path", target(entries(cb), sends("https://shop.example/cd")), []string{"send", "egister"}, []usher.Risk{n, w}},
		{"proxy", target(entries(cb), sends("http://shop.example/cb")), []string{"X-Forwarded-Proto", "egister"}, []usher.Risk{g, w}},
		{"blank", target(entries(cb), sends(cb+" ")), []string{"send"}, []usher.Risk{n}},
		{"dots", target(entries(cb), sends("https://shop.example/x/../cb")), []string{"send"}, []usher.Risk{n}},
		{"left out", target(entries(cb, cb+"2"), sends("")), []string{"send redirect_uri"}, []usher.Risk{n}},
		{"out of band", target(of("google"), entries(cb), sends("urn:ietf:wg:oauth:2.0:oob")), []string{"127.0.0.1"}, []usher.Risk{g}},
		{"nothing registered", target(none, sends(cb)), []string{"Register https://shop.example/cb at the client shop"}, []usher.Risk{n}},
		{"nothing registered, http", target(none, sends("http://shop.example/cb")), []string{"with https", "Register http://shop.example/cb"}, []usher.Risk{n, w}},
		{"not taken", target(of("google"), entries("http://shop.example/cb"), sends("http://shop.example/cb")), []string{"Replace the entry"}, []usher.Risk{g}},
	} {
		f := worst(t, c.target, "redirect-registered")
		if len(f.Fix) != len(c.says) {
			t.Errorf("%s: %+v", c.name, f.Fix)
			continue
		}
		for i, step := range f.Fix {
			if !strings.Contains(step.Text, c.says[i]) || step.Risk != c.risk[i] {
				t.Errorf("%s, step %d: %+v, want %s %q", c.name, i, step, c.risk[i], c.says[i])
			}
		}
	}
}

// TestSeverities: what is half as bad weighs less, and the worst entry counts.
func TestSeverities(t *testing.T) {
	for _, c := range []struct {
		name   string
		target *check.Target
		check  string
		want   usher.Severity
	}{
		{"every host", target(entries("https://*")), "redirect-wildcard-global", usher.SeverityCritical},
		{"names below", target(entries("https://*.shop.example/cb")), "redirect-wildcard-global", usher.SeverityHigh},
		{"both", target(entries("https://*.shop.example/cb", "*")), "redirect-wildcard-global", usher.SeverityCritical},
		{"both, the other way", target(entries("*", "https://*.shop.example/cb")), "redirect-wildcard-global", usher.SeverityCritical},
		{"placeholder", target(entries("https://{x}.shop.example/cb")), "redirect-wildcard", usher.SeverityMedium},
		{"origin of another site", target(entries(cb), reg(func(r *evidence.Registration) { r.WebOrigins = []string{"https://other.example"} })), "redirect-logout-cors-origins", usher.SeverityLow},
	} {
		if f := worst(t, c.target, c.check); f.Severity != c.want {
			t.Errorf("%s: %s, want %s", c.name, f.Severity, c.want)
		}
	}
}

// TestContext: what beside the two strings decides is read from the evidence.
func TestContext(t *testing.T) {
	const inside = "https://shop-svc/cb"
	proxy := func(options ...option) bool {
		return strings.Contains(worst(t, target(append([]option{sends(inside)}, options...)...), "redirect-registered").Detail, "X-Forwarded-Host")
	}
	if !proxy(entries(cb + " (web)")) {
		t.Error("a server app is not pointed to its proxy")
	}
	if proxy(entries(cb+" (spa)")) || proxy(entries(cb+" (publicClient)")) || proxy(entries(cb+" (installed)")) {
		t.Error("an app without a proxy is pointed to one")
	}
	if proxy(entries(cb), reg(func(r *evidence.Registration) { r.ApplicationType = "spa" })) {
		t.Error("a single-page app is pointed to a proxy")
	}
	if proxy(entries(cb), redeems(http.Header{"Origin": {"https://shop.example"}})) {
		t.Error("an app whose codes a browser redeems is pointed to a proxy")
	}
	other := func(t *check.Target) { t.TokenCalls[0].Request.ClientID = "other" }
	if !proxy(entries(cb), redeems(http.Header{"Origin": {"https://shop.example"}}), other) {
		t.Error("the token request of another client counts")
	}
	refresh := func(t *check.Target) { t.TokenCalls[0].Request.GrantType = oauth.GrantRefreshToken }
	if !proxy(entries(cb), redeems(http.Header{"Origin": {"https://shop.example"}}), refresh) {
		t.Error("a token request without a code counts")
	}
	realm := func(t *check.Target) {
		t.Registrations = append(t.Registrations, &evidence.Registration{Provider: "keycloak", Shape: "keycloak-realm", Place: "realm.json:1"})
	}
	if f := worst(t, target(entries(cb), reg(func(r *evidence.Registration) { r.ClientID = "" }), realm, sends(cb)), "redirect-registered"); f.Outcome != ok {
		t.Errorf("the export of a realm counts as a client: %s %s", f.Outcome, f.Detail)
	}
}
