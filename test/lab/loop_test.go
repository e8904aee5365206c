// Package lab_test runs every fault of the lab through the whole loop: a real
// client provokes it, usher reads what the provider and the API write and opens
// a case with the right cause, it is fixed by usher or by a person, and a later
// success proves it. Without the fix it is never called fixed.
package lab_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"usher"
	"usher/console"
	"usher/lab"
	"usher/provider/keycloak"
	"usher/serve"
)

// world is a lab, a client of it, and an usher that watches it.
type world struct {
	t      *testing.T
	lab    *lab.Lab
	url    string
	engine *serve.Engine
	conf   *oauth2.Config
	token  *oauth2.Token // that the client holds
	device string        // header X-Lab-Device
	more   []oauth2.AuthCodeOption
	secret usher.Secret // that usher made
	other  usher.Secret // of another client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "l") // short: a socket's path is bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	open := func(name string) io.Writer {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	w := &world{t: t}
	w.lab = lab.New(lab.Options{Log: open("keycloak.log"), Records: open("entra.ndjson"), Events: open("api.ndjson"), Control: true})
	server := httptest.NewServer(w.lab)
	t.Cleanup(server.Close)
	w.url = server.URL
	w.other = w.lab.Secret("usher")
	w.conf = &oauth2.Config{ClientSecret: w.lab.Secret("shop").Reveal(), RedirectURL: "https://shop.test/cb"}
	w.keycloak()

	cfg := serve.Default()
	cfg.Data, cfg.Listen = filepath.Join(dir, "data"), "127.0.0.1:0"
	source := func(kind, name string) serve.Source {
		return serve.Source{Kind: kind, Path: filepath.Join(dir, name), Zone: "Local", From: "start"}
	}
	cfg.Providers = []serve.Provider{{
		Name: "shop", Kind: "lab", Issuer: w.url + "/realms/shop", Tenants: []string{"shop", lab.DefaultTenant},
		Admin:   &serve.Admin{ClientID: "usher", ClientSecretEnv: "SECRET"},
		Sources: []serve.Source{source("keycloak", "keycloak.log"), source("entra", "entra.ndjson"), source("usher", "api.ndjson")},
	}}
	s := serve.New(cfg, serve.Env{Getenv: func(string) string { return w.other.Reveal() }})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	w.engine = s.Engine()
	return w
}

func (w *world) keycloak() {
	p := w.url + "/realms/shop/protocol/openid-connect"
	w.conf.ClientID, w.conf.Scopes = "shop", []string{"openid", "orders"}
	w.conf.Endpoint = oauth2.Endpoint{AuthURL: p + "/auth", TokenURL: p + "/token", AuthStyle: oauth2.AuthStyleInHeader}
}

func (w *world) entra() {
	p := w.url + "/" + lab.DefaultTenant + "/oauth2/v2.0"
	w.conf.ClientID, w.conf.Scopes = w.lab.AppID("shop"), []string{"openid", "offline_access", "api://orders/orders"}
	w.conf.Endpoint = oauth2.Endpoint{AuthURL: p + "/authorize", TokenURL: p + "/token", AuthStyle: oauth2.AuthStyleInParams}
}

// RoundTrip sends the device's header with every request.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.device != "" {
		r = r.Clone(r.Context())
		r.Header.Set("X-Lab-Device", w.device)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (w *world) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &http.Client{
		Jar: jar, Timeout: 10 * time.Second, Transport: w,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (w *world) context() context.Context {
	return context.WithValue(w.t.Context(), oauth2.HTTPClient, &http.Client{Timeout: 10 * time.Second, Transport: w})
}

// errRefused is any refusal that a client sees.
var errRefused = errors.New("refused")

// signIn signs dana in with the client; the token is kept.
func (w *world) signIn() error {
	verifier := oauth2.GenerateVerifier()
	options := append([]oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("login_hint", "lab:dana")}, w.more...)
	browser := w.browser()
	resp, err := browser.Get(w.conf.AuthCodeURL("s", options...))
	if err != nil {
		return err
	}
	page, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return err
	}
	if _, rest, consent := strings.Cut(string(page), `action="`); consent { // the person accepts
		action, _, _ := strings.Cut(rest, `"`)
		if resp, err = browser.PostForm(w.url+strings.ReplaceAll(action, "&amp;", "&"), url.Values{"consent": {"accept"}}); err != nil {
			return err
		}
		_ = resp.Body.Close()
	}
	to, err := resp.Location()
	if err != nil || to.Query().Get("code") == "" {
		return fmt.Errorf("%w: %d", errRefused, resp.StatusCode)
	}
	token, err := w.conf.Exchange(w.context(), to.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	w.token = token
	return nil
}

// renew refreshes; a client that saves what it gets keeps it.
func (w *world) renew(save bool) error {
	old := *w.token
	old.Expiry = time.Now().Add(-time.Minute)
	token, err := w.conf.TokenSource(w.context(), &old).Token()
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	if save {
		w.token = token
	}
	return nil
}

// service signs the client in as itself.
func (w *world) service() error {
	conf := clientcredentials.Config{
		ClientID: w.conf.ClientID, ClientSecret: w.conf.ClientSecret, TokenURL: w.conf.Endpoint.TokenURL, AuthStyle: w.conf.Endpoint.AuthStyle,
	}
	if strings.HasSuffix(conf.TokenURL, "/v2.0/token") {
		conf.Scopes = []string{"api://orders/.default"}
	}
	if _, err := conf.Token(w.context()); err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	return nil
}

// orders asks the API with the token that the client holds.
func (w *world) orders() error {
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+"/api/orders", nil)
	if err != nil {
		return err
	}
	w.token.SetAuthHeader(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s", errRefused, resp.Header.Get("WWW-Authenticate"))
	}
	return nil
}

// signInAndOrder is a visit to the shop.
func (w *world) signInAndOrder() error {
	if err := w.signIn(); err != nil {
		return err
	}
	return w.orders()
}

func (w *world) on(name string) error  { return w.lab.Switch(name, true) }
func (w *world) off(name string) error { return w.lab.Switch(name, false) }

// newSecret is what a person does at the portal and in the app.
func (w *world) newSecret() error {
	_, value, err := w.lab.AddSecret("shop")
	w.conf.ClientSecret = value.Reveal()
	return err
}

// loop is how one fault goes through the loop.
type loop struct {
	before func(*world) error // while all is well
	try    func(*world) error // what the client does: refused while the fault is there
	after  func(*world) error // what a person does at the client or at the lab, besides what usher does
	prove  func(*world) error // what succeeds then; nil: try
}

var loops = map[string]loop{
	"redirect-uri-mismatch": {before: (*world).signIn, try: (*world).signIn},
	"client-secret-invalid": {
		before: (*world).service, try: (*world).service,
		after: func(w *world) error { w.conf.ClientSecret = w.secret.Reveal(); return nil },
	},
	"client-secret-expired": {
		before: func(w *world) error { w.entra(); return w.service() }, try: (*world).service, after: (*world).newSecret,
	},
	"client-secret-id-used": {
		before: func(w *world) error { w.entra(); return w.service() },
		try: func(w *world) error {
			if secret := w.lab.Secret("shop").Reveal(); len(secret) == 36 { // what the settings show is put into the app
				w.conf.ClientSecret = secret
			}
			return w.service()
		},
		after: (*world).newSecret, prove: (*world).service,
	},
	"token-expired": {
		before: (*world).signInAndOrder,
		try: func(w *world) error {
			if w.token.Extra("stale") == nil {
				if err := w.signIn(); err != nil {
					return err
				}
				w.token = w.token.WithExtra(map[string]any{"stale": true})
			}
			return w.orders()
		},
		after: func(w *world) error { return w.renew(true) }, prove: (*world).orders,
	},
	"token-wrong-audience": {
		before: (*world).signInAndOrder, try: (*world).signInAndOrder,
		after: func(w *world) error {
			w.more = append(w.more, oauth2.SetAuthURLParam("resource", "https://orders.lab.test"))
			return nil
		},
	},
	"token-key-not-found": {
		before: (*world).signInAndOrder, try: (*world).signInAndOrder,
		after: func(w *world) error { return w.off("token-key-not-found") },
	},
	"clock-skew": {
		before: (*world).signInAndOrder, try: (*world).signInAndOrder,
		after: func(w *world) error { return w.off("clock-skew") },
	},
	"scope-insufficient": {
		before: (*world).signInAndOrder, try: (*world).signInAndOrder,
		after: func(w *world) error { // the person does it at the provider's admin API
			admin, err := keycloak.New(keycloak.Config{
				Issuer: w.url + "/realms/shop", ClientID: "usher", Secret: w.lab.Secret("usher"), HTTP: http.DefaultClient,
			})
			if err != nil {
				return err
			}
			return admin.AllowScope(w.t.Context(), "shop", "orders")
		},
	},
	"consent-required": {
		before: func(w *world) error { w.entra(); return w.signIn() },
		try:    func(w *world) error { return w.renew(false) },
		after:  (*world).signIn,
	},
	"refresh-token-reused": {
		before: func(w *world) error { return errors.Join(w.signIn(), w.renew(true)) },
		try: func(w *world) error {
			_ = w.renew(false) // the answer is lost
			return w.renew(false)
		},
		after: func(w *world) error { return errors.Join(w.off("refresh-token-reused"), w.signIn()) },
		prove: func(w *world) error { return w.renew(true) },
	},
	"policy-device": {
		before: func(w *world) error {
			w.entra()
			w.device = w.lab.Enrol("old laptop", false)
			return w.signIn()
		},
		try:   (*world).signIn,
		after: func(w *world) error { w.device = w.lab.Enrol("new laptop", true); return nil },
	},
}

func TestLoop(t *testing.T) {
	for _, f := range lab.Faults {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			l, ok := loops[f.Name]
			if !ok {
				t.Fatal("nobody takes this fault through the loop")
			}
			w := newWorld(t)
			if err := l.before(w); err != nil {
				t.Fatalf("while all is well: %v", err)
			}
			if err := w.on(f.Name); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				time.Sleep(2 * time.Millisecond) // lines of one millisecond that are the same are one event
				if err := l.try(w); !errors.Is(err, errRefused) {
					t.Fatalf("the client is to be refused, got %v", err)
				}
			}
			k := w.await("a case with this cause", func(k *usher.Case) bool { return k.Finding.Cause == f.Name })
			if k.State != usher.CaseOpen || k.Finding.Confidence < usher.Confident {
				t.Errorf("the case is %s with confidence %.2f", k.State, k.Finding.Confidence)
			}
			w.neverByItself(k, f, l)
			w.fix(k, f)
			if l.after != nil {
				if err := l.after(w); err != nil {
					t.Fatalf("what the person does: %v", err)
				}
			}
			if f.Dialect == lab.DialectEntra { // its records tell times in whole seconds
				time.Sleep(1100 * time.Millisecond)
			}
			prove := l.prove
			if prove == nil {
				prove = l.try
			}
			if err := prove(w); err != nil {
				t.Fatalf("after the fix: %v", err)
			}
			k = w.await("fixed", func(c *usher.Case) bool { return c.ID == k.ID && c.State == usher.CaseFixed })
			if k.Proven == nil {
				t.Error("it is called fixed without a proof")
			}
		})
	}
}

// neverByItself: neither further tries nor another client's success nor time
// make a case fixed.
func (w *world) neverByItself(k *usher.Case, f *lab.Fault, l loop) {
	w.t.Helper()
	_ = l.try(w)
	mine := *w
	mine.keycloak()
	mine.conf = &oauth2.Config{ClientID: "usher", ClientSecret: w.other.Reveal(), Endpoint: mine.conf.Endpoint}
	w.restore(f)
	if err := mine.service(); err != nil {
		w.t.Fatalf("another client: %v", err)
	}
	time.Sleep(700 * time.Millisecond)
	now, err := w.engine.Case(w.t.Context(), k.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	if now.State == usher.CaseFixed || now.Proven != nil {
		w.t.Fatalf("nobody fixed anything, and the case is %s: %+v", now.State, now.Proven)
	}
}

// restore puts the client back into the fault's dialect.
func (w *world) restore(f *lab.Fault) {
	if f.Dialect == lab.DialectEntra {
		w.entra()
		return
	}
	w.keycloak()
}

// fix carries out what usher can, and declares the rest done, as the person
// says who does it.
func (w *world) fix(k *usher.Case, f *lab.Fault) {
	w.t.Helper()
	ctx := w.t.Context()
	const by = "the person of the test"
	for deadline := time.Now().Add(60 * time.Second); f.Action != ""; time.Sleep(100 * time.Millisecond) {
		now, err := w.engine.Case(ctx, k.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, fix := range now.Fixes {
			if fix.Action == nil || fix.Action.Kind != f.Action {
				continue
			}
			plan, err := w.engine.Plan(ctx, k.ID, fix.ID, by)
			if err != nil {
				w.t.Fatal(err)
			}
			done, err := w.engine.Apply(ctx, k.ID, console.Confirm{Fix: fix.ID, Plan: plan.ID}, by)
			if err != nil {
				w.t.Fatal(err)
			}
			w.secret = done.Secret
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("usher offers no %s, but %s", f.Action, titles(now.Fixes))
		}
	}
	now, err := w.engine.Case(ctx, k.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, fix := range now.Fixes {
		if fix.Action == nil {
			if _, err := w.engine.Declare(ctx, k.ID, console.Declaration{Fix: fix.ID}, by); err != nil {
				w.t.Fatal(err)
			}
			return
		}
	}
	w.t.Fatalf("there is nothing for a person to do: %s", titles(now.Fixes))
}

func titles(fixes []usher.Fix) string {
	var list []string
	for _, f := range fixes {
		list = append(list, f.Title)
	}
	return strings.Join(list, "; ")
}

// await waits for a case to be as wanted.
func (w *world) await(what string, want func(*usher.Case) bool) *usher.Case {
	w.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		list, err := w.engine.List(w.t.Context(), console.Filter{All: true})
		if err != nil {
			w.t.Fatal(err)
		}
		for i := range list {
			if want(&list[i]) {
				return &list[i]
			}
		}
		if time.Now().After(deadline) {
			var have []string
			for i := range list {
				k := &list[i]
				line := fmt.Sprintf("case %d: %s %.2f, %s, %d tries, kind %s, user %q, device %q", k.ID, k.Finding.Cause, k.Finding.Confidence, k.State, k.Count, k.Refusal.Kind, k.Refusal.User, k.Refusal.Device.UID)
				for _, e := range k.Timeline {
					line += "\n    " + string(e.Kind) + ": " + e.Text
				}
				have = append(have, line)
			}
			w.t.Fatalf("no case is %s; there are:\n%s", what, strings.Join(have, "\n"))
		}
	}
}
