package console_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"usher/console"
	"usher/console/consoletest"
)

func TestConnectionsPage(t *testing.T) {
	s := start(t)
	session := withCookie(s.signIn(t))
	got := s.do(t, "GET", "/connections", "", session)
	if got.status != 200 {
		t.Fatal(got.status, got.body)
	}
	for _, want := range []string{
		"<title>(1) Connections – usher</title>", `aria-current="page">Connections</a>`, `href="/connections/shop-gateway"`, "alive until", "9 minutes",
		"The refresh token was revoked.", "The turn is the user’s, to connect it again", "case #1", "nobody’s: usher tries again by itself", "Nobody has connected it yet.", "Disabled",
		`aria-label="The token was obtained at 11:57 and lives until 12:09. It is renewed at 12:06."`,
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("lacks %s", want)
		}
	}
	for _, never := range []string{"ticket=abc", "connect/shop-calendar?"} {
		if strings.Contains(got.body, never) {
			t.Errorf("tells %s", never)
		}
	}
}

func TestConnectionPage(t *testing.T) {
	s := start(t)
	session := withCookie(s.signIn(t))
	got := s.do(t, "GET", "/connections/shop-calendar", "", session)
	for _, want := range []string{
		"The refresh token was revoked.", "invalid_grant: Token has been &lt;b&gt;revoked&lt;/b&gt;", `href="/connect/shop-calendar"`, `href="/cases/1"`,
		`action="/connections/shop-calendar/renew"`, "The provider says 720 s.", "renew_at = 9m", "https://accounts.example/token",
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("lacks %s", want)
		}
	}
	if got := s.do(t, "GET", "/connections/none", "", session); got.status != 404 {
		t.Error(got.status)
	}
	if got := s.do(t, "GET", "/connections/shop-gateway", ""); got.status != 303 {
		t.Errorf("nobody: %d", got.status)
	}
}

// TestConnectionForms: what a person does, and what is refused with everything
// else in sight.
func TestConnectionForms(t *testing.T) {
	s := start(t)
	session := withCookie(s.signIn(t))
	if got := s.submit(t, "/connections/shop-gateway/renew", nil, session); got.status != 303 || got.header.Get("Location") != "/connections/shop-gateway" {
		t.Error(got.status, got.header)
	}
	if got := s.submit(t, "/connections/shop-calendar/connect", nil, session); got.status != 200 || !strings.Contains(got.body, "/connect/shop-calendar?ticket=abc") {
		t.Error(got.status, got.body)
	}
	if got := s.submit(t, "/connections/shop-gateway/secret", url.Values{"secret": {"  "}}, session); got.status != 422 || !strings.Contains(got.body, "There is no secret in the form") || !strings.Contains(got.body, "Why it lives so long") {
		t.Error(got.status)
	}
	if got := s.submit(t, "/connections/shop-gateway/secret", url.Values{"secret": {"new"}}, session); got.status != 303 {
		t.Error(got.status)
	}
	if got := s.submit(t, "/connections/shop-gateway/remove", url.Values{"id": {"shop"}}, session); got.status != 422 {
		t.Error(got.status)
	}
	if got := s.submit(t, "/connections/shop-gateway/remove", url.Values{"id": {"shop-gateway"}}, session); got.status != 303 || got.header.Get("Location") != "/connections" {
		t.Error(got.status)
	}
	if got := s.submit(t, "/connections/shop-gateway/renew", nil, session); got.status != 404 {
		t.Error(got.status)
	}
}

// TestNewConnection: what was typed stays when it is refused, but for the secret.
func TestNewConnection(t *testing.T) {
	s := start(t)
	session := withCookie(s.signIn(t))
	if got := s.do(t, "GET", "/connections/new", "", session); got.status != 200 || !strings.Contains(got.body, `<option value="paypal">PayPal`) {
		t.Fatal(got.status, got.body)
	}
	form := url.Values{"id": {"Shop Gateway"}, "preset": {"paypal"}, "client": {"shop-client"}, "secret": {"planted-secret"}}
	got := s.submit(t, "/connections", form, session)
	if got.status != 422 || !strings.Contains(got.body, `value="shop-client"`) || !strings.Contains(got.body, `<option value="paypal" selected>`) || strings.Contains(got.body, "planted-secret") {
		t.Errorf("%d %s", got.status, got.body)
	}
	form.Set("id", "shop-new")
	if got := s.submit(t, "/connections", form, session); got.status != 303 || got.header.Get("Location") != "/connections/shop-new" {
		t.Error(got.status, got.header)
	}
	if secrets := s.connections.Secrets(); len(secrets) == 0 || secrets[0] != "planted-secret" {
		t.Error(secrets)
	}
	got = s.do(t, "GET", "/connections/shop-new", "", session)
	if got.status != 200 || strings.Contains(got.body, "planted-secret") {
		t.Error(got.status)
	}
}

// TestWithoutBroker: where there are no connections nothing points at them.
func TestWithoutBroker(t *testing.T) {
	s := startWith(t, func(o *console.Options) { o.Connections = nil })
	session := withCookie(s.signIn(t))
	for _, path := range []string{"/connections", "/connections/new", "/connections/a", "/api/v1/connections", "/api/v1/connections/a", "/api/v1/presets"} {
		if got := s.do(t, "GET", path, "", session); got.status != 404 {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	if got := s.do(t, "GET", "/", "", session); strings.Contains(got.body, "/connections") {
		t.Error("the navigation leads nowhere")
	}
}

// TestWatchConnections: pages are told which connection changed.
func TestWatchConnections(t *testing.T) {
	s := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lines, _ := s.stream(t, ctx, trusted)
	await(t, lines, "watching")
	s.connections.Edit("shop-gateway", func(c *console.Connection) { c.Status.Generation++ })
	await(t, lines, `data: {"connection":"shop-gateway"}`)
}

// TestKeysWithRights: the page of keys says what each may do, and makes both.
func TestKeysWithRights(t *testing.T) {
	s := start(t)
	session := withCookie(s.signIn(t))
	if got := s.submit(t, "/keys", url.Values{"name": {"checkout"}, "days": {"0"}, "rights": {"connections"}, "connections": {"shop-gateway, shop-ledger"}}, session); got.status != 200 || !strings.Contains(got.body, "<code>shop-gateway</code>, <code>shop-ledger</code>") {
		t.Error(got.status, got.body)
	}
	if got := s.submit(t, "/keys", url.Values{"name": {"any"}, "days": {"0"}, "rights": {"connections"}}, session); got.status != 200 || !strings.Contains(got.body, "of every connection") {
		t.Error(got.status)
	}
	if got := s.submit(t, "/keys", url.Values{"name": {"ci"}, "days": {"0"}, "rights": {"all"}}, session); got.status != 200 || !strings.Contains(got.body, "everything") {
		t.Error(got.status)
	}
	if got := s.submit(t, "/keys", url.Values{"name": {"x"}, "days": {"0"}, "rights": {"root"}}, session); got.status != 400 {
		t.Error(got.status)
	}
}

// TestCallersKey: a key that is for tokens of connections opens no route that is
// not open to everybody, whatever else comes along with it.
func TestCallersKey(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	session := withCookie(s.signIn(t))
	const value = "usher_a-key-of-a-program"
	sum := sha256.Sum256([]byte(value))
	key := console.Key{ID: "caller", Hash: hex.EncodeToString(sum[:]), Name: "checkout", Made: noon, Connections: "shop-gateway"}
	if err := s.memory.PutKey(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	before := len(s.connections.Secrets())
	for _, r := range console.Routes() {
		if r.Open {
			continue
		}
		path := strings.NewReplacer("{$}", "", "/cases/{id}", "/cases/1", "/connections/{id}", "/connections/shop-gateway", "{key}", "caller", "{id}", "shop", "{name}", "shop").Replace(r.Path)
		kind, body := "application/x-www-form-urlencoded", "secret=planted-by-a-program"
		if r.API {
			kind, body = cmp.Or(r.TakesType, "application/json"), drive[r.ID].body
		}
		for who, also := range map[string]with{"alone": s.own, "with a session": session} {
			got := s.do(t, r.Method, path, body, s.own, header("Authorization", "Bearer "+value), header("Content-Type", kind), also)
			if got.status != 403 || strings.Contains(got.body, "planted") || !strings.Contains(got.body, "tokens of connections") {
				t.Errorf("%s %s, %s: %d %.200s", r.Method, path, who, got.status, got.body)
			}
		}
	}
	if keys, err := s.memory.Keys(t.Context()); err != nil || len(keys) != 1 || len(s.connections.Secrets()) != before {
		t.Errorf("%v %v", keys, err)
	}
}
