package redirects_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/redirects"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// option changes a target.
type option func(*check.Target)

func target(options ...option) *check.Target {
	t := &check.Target{Now: now, Provider: &knowledge.Provider{Name: "generic", Redirect: "standard"}, Profile: &check.Profile{}}
	for _, o := range options {
		o(t)
	}
	return t
}

// entries registers redirect URIs with the client "shop"; "uri (type)" has a type.
func entries(uris ...string) option {
	return func(t *check.Target) {
		r := &evidence.Registration{ClientID: "shop", Place: "app.json:1"}
		for i, u := range uris {
			e := evidence.RegisteredURI{URI: u, Place: "app.json:" + string(rune('2'+i%8))}
			if before, platform, ok := strings.Cut(u, " ("); ok {
				e.URI, e.Platform = before, strings.TrimSuffix(platform, ")")
			}
			r.RedirectURIs = append(r.RedirectURIs, e)
		}
		t.Registrations = append(t.Registrations, r)
	}
}

// reg changes the registration that was added last.
func reg(change func(*evidence.Registration)) option {
	return func(t *check.Target) { change(t.Registrations[len(t.Registrations)-1]) }
}

func of(provider string) option {
	return func(t *check.Target) { t.Provider = &knowledge.Provider{Name: provider, Redirect: provider} }
}

func none(t *check.Target) {
	t.Registrations = append(t.Registrations, &evidence.Registration{ClientID: "shop", Place: "app.json:1", Known: []string{"RedirectURIs"}})
}

func blind(t *check.Target) {
	t.Registrations = append(t.Registrations, &evidence.Registration{ClientID: "shop", Place: "app.json:1", Shape: "graph-application", Provider: "entra"})
}

func sends(uri string) option { return sendsTo("https://login.example/authorize", uri) }

func sendsTo(endpoint, uri string) option {
	return func(t *check.Target) {
		t.AuthCalls = append(t.AuthCalls, &check.AuthCall{Place: "sign-in.har#1", Request: &oauth.AuthorizationRequest{
			Endpoint: endpoint, ResponseType: "code", ClientID: "shop", RedirectURI: uri, Params: url.Values{},
		}})
	}
}

func redeems(header http.Header) option {
	return func(t *check.Target) {
		t.TokenCalls = append(t.TokenCalls, &check.TokenCall{
			Place: "sign-in.har#2", Request: &oauth.TokenRequest{GrantType: "authorization_code", ClientID: "shop"}, Exchange: &evidence.Exchange{Method: "POST", Request: header},
		})
	}
}

func probe(id string, p *check.ProbeAnswer) option {
	return func(t *check.Target) { t.Probed = map[string]*check.ProbeAnswer{id: p} }
}

func host(h check.Host) option { return func(t *check.Target) { t.Hosts = append(t.Hosts, &h) } }

func seenAt(uri string, daysAgo ...int) option {
	return func(t *check.Target) {
		for _, d := range daysAgo {
			t.Events = append(t.Events, &usher.Event{Time: now.AddDate(0, 0, -d), Client: usher.Party{UID: "shop"}, OAuth: usher.OAuthFacts{RedirectURI: uri}})
		}
	}
}

const (
	ok      = usher.OutcomeOK
	wrong   = usher.OutcomeWrong
	unknown = usher.OutcomeUnknown
	na      = usher.OutcomeNotApplicable
)

type row struct {
	check   string
	name    string
	target  *check.Target
	outcome usher.Outcome
	says    string // in title or detail of the finding
}

const cb = "https://shop.example/cb"

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

func table() []row {
	limited := func(t *check.Target) {
		t.Provider = &knowledge.Provider{Name: "entra", Redirect: "entra", Limits: map[string]knowledge.Limit{
			knowledge.LimitRedirectURIs: {Value: 3, From: "its pages"}, knowledge.LimitRedirectsPersonal: {Value: 2}, knowledge.LimitRedirectLength: {Value: 60},
		}}
	}
	verdict := func(v check.Verdict) *check.ProbeAnswer { return &check.ProbeAnswer{Verdict: &v} }
	refused := verdict(check.OK("", usher.Proof{Place: "GET https://login.example/authorize", Quote: "status 400"}))
	led := verdict(check.Wrong("It leads there", "", usher.Proof{Place: "GET https://login.example/authorize", Quote: "status 302"}))
	skipped := &check.ProbeAnswer{Skipped: "the person said no"}
	const gone = "https://shop.example cannot be found: the name shop.example does not resolve"
	alive := check.Host{Name: "login.example:443", Stage: "done"}
	rows := []row{
		{"redirect-registered", "equal", target(entries(cb), sends(cb)), ok, "exactly what is registered"},
		{"redirect-registered", "other path", target(entries(cb), sends("https://shop.example/x")), wrong, "The app sends https://shop.example/x, registered is https://shop.example/cb"},
		{"redirect-registered", "missing", target(entries(cb, cb+"2"), sends("")), wrong, "no redirect_uri"},
		{"redirect-registered", "none registered", target(none, sends(cb)), wrong, "no redirect URI is registered"},
		{"redirect-registered", "export without URIs", target(blind, sends(cb)), unknown, "does not hold"},
		{"redirect-registered", "no request", target(entries(cb)), unknown, "authorization request"},
		{"redirect-registered", "other client", target(entries(cb), reg(func(r *evidence.Registration) { r.ClientID = "other" }), sends(cb)), unknown, "no registration"},
		{"redirect-registered", "pushed", target(entries(cb), func(t *check.Target) {
			t.AuthCalls = []*check.AuthCall{{Request: &oauth.AuthorizationRequest{ClientID: "shop", RequestURI: "urn:x", Params: url.Values{}}}}
		}), unknown, "pushed"},
		{"redirect-registered", "signed request", target(entries(cb), func(t *check.Target) {
			t.AuthCalls = []*check.AuthCall{{Request: &oauth.AuthorizationRequest{ClientID: "shop", ResponseType: "code", Params: url.Values{"request": {"e30"}}}}}
		}), unknown, "signed object"},
		{"redirect-registered", "operator typed no URI", target(entries(cb), func(t *check.Target) {
			t.Request = &oauth.AuthorizationRequest{ClientID: "shop", ResponseType: "code"}
			t.AuthCalls = []*check.AuthCall{{Request: t.Request}}
		}), unknown, "no request with a redirect URI"},
		{"redirect-registered", "star of Okta, setting not told", target(of("okta"), entries("https://*.shop.example/cb"), sends("https://eu.shop.example/cb")), unknown, "wildcard_redirect"},
		{"redirect-registered", "star of Okta, setting not told, another host", target(of("okta"), entries("https://*.contoso.example/cb"), sends("https://app.example/cb")), wrong, "registered is https://*.contoso.example/cb"},
		{"redirect-registered", "no registration", target(sends(cb)), unknown, "the client's registration"},
		{"redirect-registered", "no registration, and the provider refuses it", target(sends(cb), probe("redirect-registered", verdict(check.Wrong("The provider does not take it", "It shows a page.", usher.Proof{Place: "GET https://login.example/authorize", Quote: "redirect_uri"})))), wrong, "does not take it"},
		{"redirect-registered", "organization by id, another host", target(of("auth0"), entries("https://{organization_name}.shop.example/cb"), func(t *check.Target) {
			sends("https://app.example/cb")(t)
			t.AuthCalls[0].Request.Params = url.Values{"organization": {"org_123"}}
		}), wrong, "registered is"},
		{"redirect-registered", "organization by id", target(of("auth0"), entries("https://{organization_name}.shop.example/cb"), func(t *check.Target) {
			sends("https://acme.shop.example/cb")(t)
			t.AuthCalls[0].Request.Params.Set("organization", "org_1")
		}), unknown, "by its id"},
		{"redirect-registered", "rule of a provider that nothing else is known of", target(none, reg(func(r *evidence.Registration) { r.Provider, r.Public = "dex", yes() }), sends("http://localhost:991/bar")), ok, "needs no entry"},
		{"redirect-registered", "out of band", target(of("google"), entries(cb), sends("urn:ietf:wg:oauth:2.0:oob")), wrong, "switched off"},
		{"redirect-registered", "entry that cannot be", target(of("google"), entries("http://shop.example/cb"), sends("http://shop.example/cb")), wrong, "does not take"},
		{"redirect-registered", "client id of Entra in capitals", target(of("entra"), entries(cb), reg(func(r *evidence.Registration) { r.ClientID = "AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE" }), func(t *check.Target) {
			sends(cb)(t)
			t.AuthCalls[0].Request.ClientID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
		}), ok, ""},

		{"redirect-slash", "one more", target(entries(cb), sends(cb+"/")), wrong, "1 character more"},
		{"redirect-slash", "one less", target(entries(cb+"/"), sends(cb)), wrong, ""},
		{"redirect-slash", "bare host", target(entries("https://shop.example"), sends("https://shop.example/")), wrong, ""},
		{"redirect-slash", "equal", target(entries(cb), sends(cb)), ok, ""},
		{"redirect-slash", "another difference", target(entries(cb), sends("https://shop.example/CB")), ok, ""},
		{"redirect-slash", "two differences", target(entries(cb), sends("http://shop.example/cb/")), ok, ""},
		{"redirect-slash", "nothing sent", target(entries(cb, cb+"2"), sends("")), na, ""},
		{"redirect-slash", "no request", target(entries(cb)), unknown, ""},

		{"redirect-case", "path", target(entries(cb), sends("https://shop.example/CB")), wrong, ""},
		{"redirect-case", "host", target(entries(cb), sends("https://SHOP.example/cb")), wrong, ""},
		{"redirect-case", "scheme", target(entries(cb), sends("HTTPS://shop.example/cb")), wrong, ""},
		{"redirect-case", "equal", target(entries(cb), sends(cb)), ok, ""},
		{"redirect-case", "no registration", target(sends(cb)), unknown, ""},

		{"redirect-scheme", "http", target(entries(cb), sends("http://shop.example/cb")), wrong, "X-Forwarded-Proto"},
		{"redirect-scheme", "equal", target(entries(cb), sends(cb)), ok, ""},
		{"redirect-scheme", "no request", target(entries(cb)), unknown, ""},

		{"redirect-host-port", "www", target(entries(cb), sends("https://www.shop.example/cb")), wrong, "www."},
		{"redirect-host-port", "inside name", target(entries(cb), sends("https://shop-svc/cb")), wrong, "inside only"},
		{"redirect-host-port", "port", target(entries(cb), sends("https://shop.example:8443/cb")), wrong, ""},
		{"redirect-host-port", "own port", target(entries(cb), sends("https://shop.example:443/cb")), wrong, ""},
		{"redirect-host-port", "port of this machine", target(of("okta"), entries("http://localhost:3000/cb"), sends("http://localhost:4000/cb")), ok, ""},
		{"redirect-host-port", "equal", target(entries(cb), sends(cb)), ok, ""},

		{"redirect-query", "added", target(entries(cb), sends(cb+"?next=/cart")), wrong, ""},
		{"redirect-query", "missing", target(entries(cb+"?a=1"), sends(cb)), wrong, ""},
		{"redirect-query", "order", target(entries(cb+"?a=1&b=2"), sends(cb+"?b=2&a=1")), wrong, ""},
		{"redirect-query", "equal", target(entries(cb+"?a=1"), sends(cb+"?a=1")), ok, ""},

		{"redirect-encoding", "percent", target(entries("https://shop.example/a-b"), sends("https://shop.example/a%2Db")), wrong, ""},
		{"redirect-encoding", "twice", target(entries(cb), sends("https%3A%2F%2Fshop.example%2Fcb")), wrong, ""},
		{"redirect-encoding", "dots", target(entries(cb), sends("https://shop.example/x/../cb")), wrong, ""},
		{"redirect-encoding", "name", target(entries("https://xn--bcher-kva.example/cb"), sends("https://bücher.example/cb")), wrong, ""},
		{"redirect-encoding", "equal", target(entries(cb), sends(cb)), ok, ""},

		{"redirect-loopback-port", "free", target(entries("http://127.0.0.1/cb"), sends("http://127.0.0.1:51004/cb")), ok, "not compared"},
		{"redirect-loopback-port", "compared", target(of("okta"), entries("http://127.0.0.1/cb"), sends("http://127.0.0.1:51004/cb")), wrong, "compares the port"},
		{"redirect-loopback-port", "by name", target(of("gitlab"), entries("http://localhost:3000/cb"), sends("http://localhost:3001/cb")), wrong, ""},
		{"redirect-loopback-port", "entry with a port at Keycloak", target(of("keycloak"), entries("http://localhost:3000/cb"), sends("http://localhost:3001/cb")), wrong, "names none"},
		{"redirect-loopback-port", "no request", target(entries("http://127.0.0.1/cb")), unknown, ""},
		{"redirect-loopback-port", "no loopback", target(entries(cb)), na, ""},
		{"redirect-loopback-port", "sent elsewhere", target(entries(cb), sends(cb)), na, ""},

		{"redirect-localhost-name", "name sent", target(entries("http://127.0.0.1:3000/cb"), sends("http://localhost:3000/cb")), wrong, "is not 127.0.0.1"},
		{"redirect-localhost-name", "address sent", target(of("entra"), entries("http://localhost/cb"), sends("http://127.0.0.1/cb")), wrong, ""},
		{"redirect-localhost-name", "same", target(entries("http://localhost:3000/cb"), sends("http://localhost:3000/cb")), ok, ""},
		{"redirect-localhost-name", "none", target(entries(cb)), na, ""},
		{"redirect-localhost-name", "no request", target(entries("http://localhost:3000/cb")), unknown, ""},

		{"redirect-platform-type", "spa redeemed by a server", target(of("entra"), entries(cb+" (spa)"), sends(cb), redeems(http.Header{"Content-Type": {"x"}})), wrong, "AADSTS9002327"},
		{"redirect-platform-type", "web redeemed by a browser", target(of("entra"), entries(cb+" (web)"), sends(cb), redeems(http.Header{"Origin": {"https://shop.example"}})), wrong, "AADSTS9002326"},
		{"redirect-platform-type", "web redeemed by a server", target(of("entra"), entries(cb+" (web)"), sends(cb), redeems(http.Header{"Content-Type": {"x"}})), ok, ""},
		{"redirect-platform-type", "localhost entries clash", target(of("entra"), entries("http://localhost:3000 (spa)", "http://localhost:3030 (web)")), wrong, "port alone"},
		{"redirect-platform-type", "localhost entries with paths", target(of("entra"), entries("http://localhost:3000/a (spa)", "http://localhost:3030/b (web)")), unknown, ""},
		{"redirect-platform-type", "refused for it", target(of("entra"), entries(cb+" (web)"), func(t *check.Target) {
			t.TokenCalls = []*check.TokenCall{{Response: &check.TokenResponse{Error: &evidence.ErrorBody{Codes: []string{"AADSTS9002326"}}}}}
		}), wrong, "AADSTS9002326"},
		{"redirect-platform-type", "types not told", target(of("entra"), entries(cb)), unknown, "manifest"},
		{"redirect-platform-type", "no types", target(of("okta"), entries(cb)), na, ""},

		{"redirect-absolute", "good", target(entries(cb, "com.example.app:/cb", "http://127.0.0.1")), ok, ""},
		{"redirect-absolute", "relative", target(entries("/cb")), wrong, "no scheme"},
		{"redirect-absolute", "host alone", target(entries("shop.example/cb")), wrong, "no scheme"},
		{"redirect-absolute", "no host", target(entries("https:///cb")), wrong, "no host"},
		{"redirect-absolute", "fragment", target(entries(cb + "#x")), wrong, "fragment"},
		{"redirect-absolute", "relative at Keycloak", target(of("keycloak"), entries("/cb"), reg(func(r *evidence.Registration) { r.Provider = "keycloak" })), ok, ""},
		{"redirect-absolute", "star", target(entries("*")), na, ""},
		{"redirect-absolute", "none", target(none), na, ""},
		{"redirect-absolute", "not told", target(blind), unknown, ""},

		{"redirect-https", "good", target(entries(cb, "http://localhost:3000", "http://[::1]/cb", "http://app.localhost/cb")), ok, ""},
		{"redirect-https", "http", target(entries(cb, "http://shop.example/cb")), wrong, "http://shop.example/cb sends codes over http"},
		{"redirect-https", "looks like loopback", target(entries("http://127.0.0.1.evil.example/cb")), wrong, ""},
		{"redirect-https", "app alone", target(entries("com.example.app:/cb")), na, ""},

		{"redirect-dangerous-scheme", "good", target(entries(cb, "com.example.app:/cb")), ok, ""},
		{"redirect-dangerous-scheme", "script", target(entries("JavaScript:alert(1)")), wrong, ""},
		{"redirect-dangerous-scheme", "hidden", target(entries(" java\tscript:alert(1)")), wrong, ""},
		{"redirect-dangerous-scheme", "file", target(entries("file:///etc/passwd")), wrong, ""},

		{"redirect-private-scheme", "Android at Entra", target(of("entra"), entries("msauth://com.contoso.cli/2pmj9i4rSx0yEb%2FviWBYkE%2FZQrk%3D (publicClient)")), ok, ""},
		{"redirect-private-scheme", "the word alone", target(of("entra"), entries("msauth://cb (publicClient)")), wrong, "any app may claim"},
		{"redirect-private-scheme", "reversed", target(entries("com.example.app:/cb")), ok, ""},
		{"redirect-private-scheme", "short", target(entries("myapp://cb")), wrong, "myapp"},
		{"redirect-private-scheme", "msal", target(of("entra"), entries("msalshop://auth")), ok, ""},
		{"redirect-private-scheme", "msal of another", target(of("entra"), entries("msalother://auth")), wrong, ""},
		{"redirect-private-scheme", "extension", target(entries("chrome-extension://abc/cb")), ok, ""},
		{"redirect-private-scheme", "web alone", target(entries(cb)), na, ""},

		{"redirect-code-param", "good", target(entries(cb + "?tenant=a&codename=x")), ok, ""},
		{"redirect-code-param", "code", target(entries(cb + "?tenant=a&code=1")), wrong, "code"},
		{"redirect-code-param", "encoded", target(entries(cb + "?st%61te=1")), wrong, "state"},

		{"redirect-wildcard", "good", target(entries(cb, "com.example.app:/cb")), ok, ""},
		{"redirect-wildcard", "star, rule not known", target(entries("https://shop.example/*")), wrong, ""},
		{"redirect-wildcard", "trailing at Keycloak", target(of("keycloak"), entries("https://shop.example/*")), wrong, ""},
		{"redirect-wildcard", "relative at Keycloak", target(of("keycloak"), entries("/*")), wrong, ""},
		{"redirect-wildcard", "port at Keycloak", target(of("keycloak"), entries("https://shop.example:*")), wrong, ""},
		{"redirect-wildcard", "in the middle at Keycloak", target(of("keycloak"), entries("https://shop.example/*/cb")), ok, ""},
		{"redirect-wildcard", "label at Auth0", target(of("auth0"), entries("https://*.shop.example/cb")), na, ""},
		{"redirect-wildcard", "lone star, which redirect-wildcard-global judges", target(entries("*")), na, ""},
		{"redirect-wildcard", "lone star beside one of a path", target(entries("*", "https://shop.example/*")), wrong, "The entry https://shop.example/* lets"},
		{"redirect-wildcard", "placeholder", target(of("auth0"), entries("https://{organization_name}.shop.example/cb")), wrong, "placeholder"},
		{"redirect-wildcard", "expression", target(entries(`^https://shop\.example/.*$`)), wrong, ""},
		{"redirect-wildcard", "host alone at GitHub", target(of("github"), entries("https://shop.example/")), wrong, "every path"},
		{"redirect-wildcard", "path at GitHub", target(of("github"), entries(cb)), ok, ""},
		{"redirect-wildcard", "glob at Zitadel", target(of("zitadel"), entries("https://shop.example/**")), wrong, ""},

		{"redirect-wildcard-global", "good", target(entries(cb)), ok, ""},
		{"redirect-wildcard-global", "lone star", target(entries("*")), wrong, "every host"},
		{"redirect-wildcard-global", "lone star at Keycloak", target(of("keycloak"), entries("*")), wrong, "every host"},
		{"redirect-wildcard-global", "https at Keycloak", target(of("keycloak"), entries("https://*")), wrong, "every host"},
		{"redirect-wildcard-global", "prefix at Keycloak", target(of("keycloak"), entries("http*")), wrong, "every host"},
		{"redirect-wildcard-global", "path at Keycloak", target(of("keycloak"), entries("https://shop.example/*")), ok, ""},
		{"redirect-wildcard-global", "relative at Keycloak", target(of("keycloak"), entries("/*")), ok, ""},
		{"redirect-wildcard-global", "behind the host at Keycloak", target(of("keycloak"), entries("https://shop.example*")), ok, ""},
		{"redirect-wildcard-global", "label at Auth0", target(of("auth0"), entries("https://*.shop.example/cb")), wrong, "below the domain"},
		{"redirect-wildcard-global", "label at Okta", target(of("okta"), entries("https://*.shop.example/cb")), wrong, "below the domain"},
		{"redirect-wildcard-global", "domain, rule not known", target(entries("https://*.com/cb")), wrong, "every host"},
		{"redirect-wildcard-global", "domain at Auth0, taken as it stands", target(of("auth0"), entries("https://*.com")), ok, ""},

		{"redirect-wildcard-literal", "no star", target(of("keycloak"), entries(cb)), ok, ""},
		{"redirect-wildcard-literal", "works", target(of("keycloak"), entries("https://shop.example/*")), ok, ""},
		{"redirect-wildcard-literal", "middle", target(of("keycloak"), entries("https://shop.example/*/cb")), wrong, "keycloak does not fill in"},
		{"redirect-wildcard-literal", "after a question mark", target(of("keycloak"), entries("https://shop.example/logout?*")), wrong, ""},
		{"redirect-wildcard-literal", "second label at Auth0", target(of("auth0"), entries("https://a.*.shop.example/cb")), wrong, ""},
		{"redirect-wildcard-literal", "at a provider without stars", target(of("gitlab"), entries("https://*.shop.example/cb")), wrong, ""},
		{"redirect-wildcard-literal", "rule not known", target(entries("https://shop.example/*")), unknown, ""},

		{"redirect-localhost-production", "good", target(entries(cb)), ok, ""},
		{"redirect-localhost-production", "mixed", target(entries(cb, "http://localhost:3000/cb")), wrong, "developer's machine"},
		{"redirect-localhost-production", "tunnel", target(entries(cb, "https://abc.ngrok-free.app/cb")), wrong, "ngrok"},
		{"redirect-localhost-production", "tool", target(entries(cb, "https://oauth.pstmn.io/v1/callback")), wrong, "tool"},
		{"redirect-localhost-production", "name of tests", target(entries(cb, "https://shop.test/cb")), wrong, "tests alone"},
		{"redirect-localhost-production", "Expo", target(entries(cb, "exp://192.168.0.2:8081")), wrong, "Expo"},
		{"redirect-localhost-production", "preview", target(entries(cb, "https://deploy-preview-3--shop.netlify.app/cb")), wrong, "preview host"},
		{"redirect-localhost-production", "playground", target(entries(cb, "https://developers.google.com/oauthplayground")), wrong, "Playground"},
		{"redirect-localhost-production", "not told", target(blind), unknown, ""},
		{"redirect-localhost-production", "looks like a tunnel", target(entries(cb, "https://myngrok.io/cb")), ok, ""},
		{"redirect-localhost-production", "installed app", target(entries(cb, "http://localhost (publicClient)")), ok, ""},
		{"redirect-localhost-production", "development alone", target(entries("http://localhost:3000/cb")), unknown, ""},
		{"redirect-localhost-production", "said to be production", target(entries("http://localhost:3000/cb"), func(t *check.Target) { t.Expect = &check.Expect{Production: yes()} }), wrong, ""},
		{"redirect-localhost-production", "said to be none", target(entries(cb, "http://localhost:3000/cb"), func(t *check.Target) { t.Expect = &check.Expect{Production: no()} }), na, ""},

		{"redirect-shared-host", "good", target(entries(cb, "https://shop.github.io/cb")), ok, "by the names"},
		{"redirect-shared-host", "bucket", target(entries("https://storage.googleapis.com/shop/cb.html")), wrong, "many people"},
		{"redirect-shared-host", "uploads", target(entries("https://shop.example/uploads/cb.html")), wrong, "uploads"},
		{"redirect-shared-host", "bucket and a wiki", target(entries("https://wiki.shop.example/oauth/cb", "https://s3.eu-west-1.amazonaws.com/shop/cb.html")), wrong, "many people"},
		{"redirect-shared-host", "own name that begins alike", target(entries("https://s3.shop.example/cb")), ok, ""},
		{"redirect-shared-host", "one person's folder", target(entries("https://uni.example/~ann/cb")), wrong, "person's folder"},
		{"redirect-shared-host", "wiki", target(entries("https://wiki.shop.example/oauth/cb")), unknown, "wiki"},
		{"redirect-shared-host", "app alone", target(entries("com.example.app:/cb")), na, ""},

		{"redirect-dangling", "not looked at", target(entries(cb)), unknown, "not looked at"},
		{"redirect-dangling", "good", target(entries(cb), host(check.Host{Name: "shop.example:443", Stage: "done", Version: 0x304})), ok, ""},
		{"redirect-dangling", "gone", target(entries(cb), host(check.Host{Name: "shop.example:443", Stage: "resolve", Err: gone}), host(alive)), wrong, "does not resolve"},
		{"redirect-dangling", "free to take", target(entries("https://shop.azurewebsites.net/cb"), host(check.Host{Name: "shop.azurewebsites.net:443", Stage: "resolve", Err: gone}), host(alive)), wrong, "anybody can take"},
		{"redirect-dangling", "no name at all resolves", target(entries(cb), host(check.Host{Name: "shop.example:443", Stage: "resolve", Err: gone}), host(check.Host{Name: "192.0.2.1:443", Stage: "done"})), unknown, "does not resolve"},
		{"redirect-dangling", "certificate", target(entries(cb), host(check.Host{Name: "shop.example:443", Stage: "tls", ChainErr: "is of other.example"})), wrong, "certificate"},
		{"redirect-dangling", "no answer", target(entries(cb), host(check.Host{Name: "shop.example:443", Stage: "connect", Err: "timeout"})), unknown, "timeout"},
		{"redirect-dangling", "one of two", target(entries(cb, "https://other.example/cb"), host(check.Host{Name: "shop.example:443", Stage: "done"})), unknown, "other.example"},
		{"redirect-dangling", "not told", target(blind), unknown, "does not hold"},
		{"redirect-dangling", "alias that is free", target(entries(cb), host(check.Host{Name: "shop.example:443", Stage: "resolve", Err: gone, Alias: "shop.herokuapp.com."}), host(alive)), wrong, "herokuapp.com"},
		{"redirect-dangling", "by its port", target(entries("http://shop.example:8080/cb"), host(check.Host{Name: "shop.example:443", Stage: "done"})), unknown, "not looked at"},
		{"redirect-dangling", "this machine", target(entries("http://localhost/cb")), na, ""},

		{"redirect-open-redirector", "not asked", target(entries(cb)), unknown, ""},
		{"redirect-open-redirector", "asked something else", target(entries(cb), probe("pkce-enforced", led)), unknown, ""},
		{"redirect-open-redirector", "refused", target(entries(cb), probe("redirect-open-redirector", refused)), ok, ""},
		{"redirect-open-redirector", "led there", target(entries(cb), probe("redirect-open-redirector", led)), wrong, "leads there"},
		{"redirect-open-redirector", "left out", target(entries(cb), probe("redirect-open-redirector", skipped)), unknown, "said no"},
		{"redirect-server-exact", "not asked", target(entries(cb)), unknown, ""},
		{"redirect-server-exact", "asked something else", target(entries(cb), probe("pkce-enforced", led)), unknown, ""},
		{"redirect-server-exact", "refused", target(entries(cb), probe("redirect-server-exact", refused)), ok, ""},
		{"redirect-server-exact", "led there", target(entries(cb), probe("redirect-server-exact", led)), wrong, "leads there"},
		{"redirect-server-exact", "left out", target(entries(cb), probe("redirect-server-exact", skipped)), unknown, "said no"},
		{"redirect-error-no-redirect", "not asked", target(entries(cb)), unknown, ""},
		{"redirect-error-no-redirect", "asked something else", target(entries(cb), probe("pkce-enforced", led)), unknown, ""},
		{"redirect-error-no-redirect", "refused", target(entries(cb), probe("redirect-error-no-redirect", refused)), ok, ""},
		{"redirect-error-no-redirect", "led there", target(entries(cb), probe("redirect-error-no-redirect", led)), wrong, "leads there"},
		{"redirect-error-no-redirect", "left out", target(entries(cb), probe("redirect-error-no-redirect", skipped)), unknown, "said no"},

		{"redirect-unused", "seen", target(entries(cb), seenAt(cb, 1, 100)), ok, ""},
		{"redirect-unused", "not seen", target(entries(cb, cb+"2"), seenAt(cb, 1, 100)), wrong, "/cb2 was not sent in 90 days"},
		{"redirect-unused", "seen long ago", target(entries(cb, cb+"2"), seenAt(cb, 1), seenAt(cb+"2", 100)), wrong, ""},
		{"redirect-unused", "a log that ended long ago and is short", target(entries(cb, cb+"2"), seenAt(cb, 80, 120)), unknown, "40 days"},
		{"redirect-unused", "log too short", target(entries(cb, cb+"2"), seenAt(cb, 1, 20)), unknown, "19 days"},
		{"redirect-unused", "log without URIs", target(entries(cb), seenAt("", 1, 100)), unknown, ""},
		{"redirect-unused", "covered by a star", target(of("keycloak"), entries("https://shop.example/*"), seenAt(cb, 1, 100)), ok, ""},

		{"redirect-count", "few", target(limited, entries(cb)), ok, ""},
		{"redirect-count", "many", target(limited, entries(cb, cb, cb, cb)), wrong, "4 redirect URIs"},
		{"redirect-count", "many for personal accounts", target(limited, entries(cb, cb, cb), reg(func(r *evidence.Registration) { r.Audience = "AzureADandPersonalMicrosoftAccount" })), wrong, "limit is 2"},
		{"redirect-count", "long", target(limited, entries(cb+strings.Repeat("x", 60))), wrong, "characters"},
		{"redirect-count", "limit not known", target(entries(cb)), unknown, ""},

		{"redirect-distinct-per-issuer", "one server", target(entries(cb), sends(cb)), na, ""},
		{"redirect-distinct-per-issuer", "two servers", target(entries(cb), sendsTo("https://a.example/authorize", cb), sendsTo("https://b.example/authorize", cb)), wrong, "a.example and b.example"},
		{"redirect-distinct-per-issuer", "two tenants of one host", target(entries(cb), sendsTo("https://a.example/t1/oauth2/v2.0/authorize", cb), sendsTo("https://a.example/t2/oauth2/v2.0/authorize", cb)), na, ""},
		{"redirect-distinct-per-issuer", "two paths", target(entries(cb), sendsTo("https://a.example/authorize", cb), sendsTo("https://b.example/authorize", cb+"2")), ok, ""},
		{"redirect-distinct-per-issuer", "both name themselves", target(entries(cb), sendsTo("https://a.example/authorize", cb), sendsTo("https://b.example/authorize", cb), func(t *check.Target) {
			for range 2 {
				t.Metadata = append(t.Metadata, &check.Metadata{Metadata: &oauth.Metadata{IssParameter: true}})
			}
		}), ok, ""},
		{"redirect-distinct-per-issuer", "two registrations", target(entries(cb), reg(func(r *evidence.Registration) { r.Provider = "okta" }), entries(cb), reg(func(r *evidence.Registration) { r.Provider = "google" })), wrong, "okta and google"},
	}
	origins := func(list ...string) option {
		return reg(func(r *evidence.Registration) { r.WebOrigins = list })
	}
	logout := func(list ...string) option {
		return reg(func(r *evidence.Registration) {
			for _, u := range list {
				r.LogoutURIs = append(r.LogoutURIs, evidence.RegisteredURI{URI: u, Place: "app.json:9"})
			}
		})
	}
	return append(rows, []row{
		{"redirect-logout-cors-origins", "good", target(entries(cb), origins("https://shop.example", "https://api.shop.example", "+", "http://localhost:3000"), logout("https://shop.example/bye", "+")), ok, ""},
		{"redirect-logout-cors-origins", "star", target(entries(cb), origins("*")), wrong, "every host"},
		{"redirect-logout-cors-origins", "star in the host", target(entries(cb), origins("https://*.shop.example")), wrong, "below the domain"},
		{"redirect-logout-cors-origins", "http", target(entries(cb), origins("http://shop.example")), wrong, "is http"},
		{"redirect-logout-cors-origins", "other site", target(entries(cb), origins("https://other.example")), wrong, "no redirect URI is of"},
		{"redirect-logout-cors-origins", "sign-out star", target(entries(cb), logout("https://shop.example/*")), wrong, "for sign-out"},
		{"redirect-logout-cors-origins", "sign-out http", target(entries(cb), logout("http://shop.example/bye")), wrong, ""},
		{"redirect-logout-cors-origins", "not told", target(entries(cb)), unknown, ""},
		{"redirect-logout-cors-origins", "none", target(entries(cb), reg(func(r *evidence.Registration) { r.Known = []string{"WebOrigins", "LogoutURIs"} })), na, ""},
	}...)
}

func byID(id string) *check.Check {
	i := slices.IndexFunc(redirects.Checks, func(c *check.Check) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return redirects.Checks[i]
}

// worst gives the finding that counts.
func worst(tb testing.TB, t *check.Target, id string) usher.Finding {
	tb.Helper()
	c := byID(id)
	if c == nil {
		tb.Fatalf("no check %s", id)
	}
	findings, _ := check.Run(t, []*check.Check{c})
	return findings[0]
}

func TestChecks(t *testing.T) {
	got := map[string]map[usher.Outcome]bool{}
	for _, r := range table() {
		if got[r.check] == nil {
			got[r.check] = map[usher.Outcome]bool{}
		}
		got[r.check][r.outcome] = true
		t.Run(r.check+"/"+r.name, func(t *testing.T) {
			f := worst(t, r.target, r.check)
			if f.Outcome != r.outcome || !strings.Contains(f.Title+"\n"+f.Detail, r.says) {
				t.Errorf("got %s %q (%s), want %s with %q", f.Outcome, f.Title, f.Detail, r.outcome, r.says)
			}
			wellFormed(t, f)
		})
	}
	for _, c := range redirects.Checks {
		if !got[c.ID][wrong] || !got[c.ID][ok] {
			t.Errorf("%s has no wrong or no ok case in the table", c.ID)
		}
		if !got[c.ID][unknown] && !got[c.ID][na] {
			f := worst(t, target(), c.ID)
			if f.Outcome != unknown && f.Outcome != na {
				t.Errorf("%s says %s of an empty target", c.ID, f.Outcome)
			}
		}
	}
}

// wellFormed holds a finding to what a reader needs of it.
func wellFormed(t *testing.T, f usher.Finding) {
	t.Helper()
	switch f.Outcome {
	case wrong:
		if f.Title == byID(f.Check).Title || f.Title == "" {
			t.Errorf("the title does not say what is wrong: %q", f.Title)
		}
		if len(f.Fix) == 0 || f.Fix[0].Risk == usher.RiskWeakening {
			t.Errorf("fix %v", f.Fix)
		}
		if f.Detail == "" && f.Check != "redirect-server-exact" && f.Check != "redirect-error-no-redirect" && f.Check != "redirect-open-redirector" {
			t.Error("nothing says what it means") // what probes say is theirs
		}
		if len(f.Proof) == 0 {
			t.Error("no proof")
		}
	case ok:
		if len(f.Proof) == 0 {
			t.Error("ok without a proof that it was looked at")
		}
	}
}
