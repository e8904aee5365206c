package serve_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher"
	"usher/serve"
)

const rightSecret = "pX7vN2qLz8RkT4wYc1Jb6Hs9Dm3Fg5Ae"

// standIn is a small provider on loopback: a document, keys, and a token
// endpoint that knows one secret.
type standIn struct {
	*httptest.Server
	down   atomic.Bool  // it answers nothing of use
	moved  atomic.Bool  // the document names another issuer
	hangs  atomic.Bool  // nothing answers any more
	secret atomic.Value // string
	seen   atomic.Int64 // requests to the token endpoint
}

func newStandIn(t *testing.T) *standIn {
	p := &standIn{}
	p.secret.Store(rightSecret)
	mux := http.NewServeMux()
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.hangs.Load() {
			<-r.Context().Done()
			return
		}
		if p.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	mux.HandleFunc("GET /realms/shop/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		iss := p.URL + "/realms/shop"
		published := iss
		if p.moved.Load() {
			published += "/"
		}
		writeJSON(w, map[string]any{
			"issuer": published, "authorization_endpoint": iss + "/auth", "token_endpoint": iss + "/token", "jwks_uri": iss + "/certs",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
			"grant_types_supported": []string{"authorization_code", "refresh_token"}, "code_challenge_methods_supported": []string{"S256"}, "token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		})
	})
	mux.HandleFunc("GET /realms/shop/certs", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, map[string]any{"keys": []any{}}) })
	mux.HandleFunc("POST /realms/shop/token", func(w http.ResponseWriter, r *http.Request) {
		p.seen.Add(1)
		_, secret, _ := r.BasicAuth()
		if secret == "" {
			secret = r.FormValue("client_secret")
		}
		w.Header().Set("Content-Type", "application/json")
		code, status := "invalid_grant", http.StatusBadRequest
		if secret != p.secret.Load() {
			code, status = `unauthorized_client","error_description":"Invalid client or Invalid client credentials`, http.StatusUnauthorized
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"error":"` + code + `"}`))
	})
	return p
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// TestChecks: the schedule looks at a provider and a client; what is wrong is a
// case, which closes by itself when the check passes.
func TestChecks(t *testing.T) {
	p := newStandIn(t)
	b := newBench(t, "")
	cfg, _, err := serve.Parse(filepath.Join(b.dir, "usher.yaml"), []byte(`
listen: 127.0.0.1:0
data: d
checks: {every: 1h}
providers:
- name: shop
  kind: keycloak
  issuer: `+p.URL+`/realms/shop
  tenants: [shop]
  clients:
  - {client_id: web, redirect_uri: "https://shop.test/cb", client_secret_env: WEB_SECRET}
`), serve.LoadOptions{Static: true})
	if err != nil {
		t.Fatal(err.(serve.Problems).Text())
	}
	cfg.Checks.Every = usher.Duration(300 * time.Millisecond)
	p.secret.Store("Qw8Zr5Tn1Yx7Ub3Mk9Lc4Vd6Pf2Gh0Js")
	b.server = serve.New(cfg, serve.Env{Stderr: b.stderr, Terminal: b.told, Getenv: func(string) string { return rightSecret }})
	if err := b.server.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	byCheck := func(check string) *usher.Case {
		for _, c := range b.cases() {
			if c.Finding.Check == check {
				return &c
			}
		}
		return nil
	}
	open := func(check string) {
		t.Helper()
		b.wait(check, func([]usher.Case) bool { c := byCheck(check); return c != nil && c.State == usher.CaseOpen })
	}
	open("secret-valid")
	// Now the document is another provider's: a look finds it, and the secret
	// goes nowhere.
	p.moved.Store(true)
	open("issuer-identical")
	sent := p.seen.Load()
	looked := byCheck("issuer-identical").Count
	b.wait("two more looks", func([]usher.Case) bool { return byCheck("issuer-identical").Count >= looked+2 })
	if n := p.seen.Load(); n > sent+1 { // one may have been under way
		t.Errorf("the secret was sent %d times to a provider that is another one", n-sent)
	}
	if c := byCheck("secret-valid"); c.Kind != usher.CaseConfiguration || c.Finding.Subject.Client != "web" || c.Refusal.Tenant != "shop" {
		t.Fatalf("%+v", c)
	}
	p.moved.Store(false)
	p.secret.Store(rightSecret)
	for _, check := range []string{"issuer-identical", "secret-valid"} {
		b.wait("the proof of "+check, func([]usher.Case) bool { c := byCheck(check); return c.State == usher.CaseFixed && c.Proven != nil })
	}
	// The change of the document is news, which no quiet hour takes away.
	if c := byCheck("discovery-drift"); c != nil && c.State != usher.CaseOpen {
		t.Errorf("the change is %s", c.State)
	}
	if strings.Contains(b.stderr.String(), rightSecret) || p.seen.Load() == 0 {
		t.Errorf("%d requests; the log:\n%s", p.seen.Load(), b.stderr)
	}
}

// TestChecksDown: a provider that answers nothing any more has mended nothing,
// and does not keep the server from stopping while it is waited for.
func TestChecksDown(t *testing.T) {
	p := newStandIn(t)
	b := newBench(t, "")
	cfg, _, err := serve.Parse(filepath.Join(b.dir, "usher.yaml"), []byte(`
listen: 127.0.0.1:0
data: d
checks: {every: 1h}
providers:
- {name: shop, kind: keycloak, issuer: `+p.URL+`/realms/shop, tenants: [shop]}
`), serve.LoadOptions{Static: true})
	if err != nil {
		t.Fatal(err.(serve.Problems).Text())
	}
	cfg.Checks.Every = usher.Duration(100 * time.Millisecond)
	p.moved.Store(true)
	b.server = serve.New(cfg, serve.Env{Stderr: b.stderr, Terminal: b.told})
	if err := b.server.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.wait("issuer-identical", func(list []usher.Case) bool { return len(list) > 0 })
	p.hangs.Store(true)
	time.Sleep(500 * time.Millisecond) // a look is under way, and waits
	for _, c := range b.cases() {
		if c.State != usher.CaseOpen {
			t.Errorf("%s is %s although nobody answers", c.Finding.Check, c.State)
		}
	}
	start := time.Now()
	b.stop()
	if d := time.Since(start); d > 8*time.Second {
		t.Errorf("stopping took %v", d)
	}
}

// TestTelling: what is mild opens no case, and what is ok beside it proves none.
func TestTelling(t *testing.T) {
	f := func(check, client string, o usher.Outcome, s usher.Severity) usher.Finding {
		return usher.Finding{Check: check, Outcome: o, Severity: s, Subject: usher.Subject{Client: client}}
	}
	got := serve.Telling([]usher.Finding{
		f("a", "web", usher.OutcomeWrong, usher.SeverityLow), f("a", "web", usher.OutcomeOK, usher.SeverityHigh), f("a", "app", usher.OutcomeOK, usher.SeverityHigh),
		f("b", "web", usher.OutcomeWrong, usher.SeverityHigh), f("b", "web", usher.OutcomeOK, usher.SeverityHigh), f("c", "web", usher.OutcomeUnknown, usher.SeverityLow),
	}, usher.SeverityHigh)
	var told []string
	for _, x := range got {
		told = append(told, x.Check+" "+x.Subject.Client+" "+string(x.Outcome))
	}
	if want := "a app ok, b web wrong, b web ok, c web unknown"; strings.Join(told, ", ") != want {
		t.Errorf("%q", told)
	}
}

// TestChecksOutage: one look at a provider that is down is no case; a second is
// one case, which closes when the provider is back.
func TestChecksOutage(t *testing.T) {
	p := newStandIn(t)
	p.down.Store(true)
	b := newBench(t, "")
	cfg, _, err := serve.Parse(filepath.Join(b.dir, "usher.yaml"), []byte(`
listen: 127.0.0.1:0
data: d
checks: {every: 1h}
providers:
- {name: shop, kind: keycloak, issuer: `+p.URL+`/realms/shop, tenants: [shop]}
`), serve.LoadOptions{Static: true})
	if err != nil {
		t.Fatal(err.(serve.Problems).Text())
	}
	cfg.Checks.Every = usher.Duration(500 * time.Millisecond)
	b.server = serve.New(cfg, serve.Env{Stderr: b.stderr, Terminal: b.told})
	if err := b.server.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	list := b.wait("a case", func(list []usher.Case) bool { return len(list) > 0 })
	if !strings.Contains(b.stderr.String(), "cannot be read; if it cannot at the next look either") {
		t.Error("the first look was a case already")
	}
	b.wait("two more looks", func(now []usher.Case) bool { return now[0].Count >= list[0].Count+2 })
	if list = b.cases(); len(list) != 1 || list[0].Finding.Check != "discovery-reachable" {
		t.Fatalf("%d cases, the first of %s", len(list), list[0].Finding.Check)
	}
	p.down.Store(false)
	b.wait("the proof", func(now []usher.Case) bool {
		return slices.ContainsFunc(now, func(c usher.Case) bool { return c.ID == list[0].ID && c.State == usher.CaseFixed })
	})
}

// TestChecksInside: a provider inside, with an authority of its own.
func TestChecksInside(t *testing.T) {
	p := newStandIn(t)
	p.moved.Store(true)
	tls := httptest.NewUnstartedServer(p.Config.Handler)
	tls.StartTLS()
	t.Cleanup(tls.Close)
	b := newBench(t, "")
	ca := filepath.Join(b.dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := serve.Parse(filepath.Join(b.dir, "usher.yaml"), []byte(`
listen: 127.0.0.1:0
data: d
checks: {every: 1h}
providers:
- {name: inside, kind: other, issuer: "`+tls.URL+`/realms/shop", ca_file: ca.pem, trust: ["`+p.URL+`"]}
`), serve.LoadOptions{})
	if err != nil {
		t.Fatal(err.(serve.Problems).Text())
	}
	b.server = serve.New(cfg, serve.Env{Stderr: b.stderr, Terminal: b.told})
	if err := b.server.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	// The document is read, over TLS: it names another issuer.
	list := b.wait("a case", func(list []usher.Case) bool { return len(list) > 0 })
	if !slices.ContainsFunc(list, func(c usher.Case) bool { return c.Finding.Check == "issuer-identical" }) {
		t.Errorf("%s: %s", list[0].Finding.Check, list[0].Title)
	}
	_, _, err = serve.Parse(filepath.Join(b.dir, "usher.yaml"), []byte("providers:\n- {name: a, kind: okta, issuer: https://a.test, ca_file: nowhere.pem, trust: [nothing]}\n"), serve.LoadOptions{})
	var problems serve.Problems
	if !errors.As(err, &problems) || !strings.Contains(problems.Text(), "nowhere.pem") || !strings.Contains(problems.Text(), "this is no origin") {
		t.Errorf("%v", err)
	}
}
