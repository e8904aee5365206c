package strategy_test

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"usher"
	"usher/broker/grant"
	"usher/broker/strategy"
	"usher/guard"
	"usher/lab"
	"usher/oauth"
)

// bench is a real provider that fails on purpose, and a client of it.
type bench struct {
	*lab.Lab
	t                *testing.T
	asker            *grant.Asker
	authorize, token string
	scope            string
	client           string
	secret           usher.Secret
}

func newBench(t *testing.T, entra bool) *bench {
	t.Helper()
	l := lab.New(lab.Options{Log: io.Discard, Control: true})
	s := httptest.NewServer(l)
	t.Cleanup(s.Close)
	b := &bench{Lab: l, t: t, client: "shop", secret: l.Secret("shop"), scope: "openid orders"}
	b.asker = grant.New(grant.Options{HTTP: guard.New(guard.Options{Trusted: []string{s.URL}})})
	b.authorize, b.token = s.URL+"/realms/shop/protocol/openid-connect/auth", s.URL+"/realms/shop/protocol/openid-connect/token"
	if entra {
		b.authorize, b.token = s.URL+"/"+lab.DefaultTenant+"/oauth2/v2.0/authorize", s.URL+"/"+lab.DefaultTenant+"/oauth2/v2.0/token"
		b.client, b.scope = l.AppID("shop"), "openid offline_access api://orders/orders"
	}
	return b
}

func (b *bench) on(fault string) {
	b.t.Helper()
	if err := b.Switch(fault, true); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) ask(params url.Values) (*grant.Answer, error) {
	return b.asker.Ask(b.t.Context(), grant.Request{Endpoint: b.token, AuthMethod: oauth.AuthPost, ClientID: b.client, Secret: b.secret, Params: params})
}

// service asks for a token of the client's own.
func (b *bench) service() (*grant.Answer, error) {
	return b.ask(url.Values{"grant_type": {service}})
}

// connect signs dana in.
func (b *bench) connect() *grant.Answer {
	b.t.Helper()
	verifier := rand.Text() + rand.Text()
	challenge, err := oauth.PKCEChallenge("S256", verifier)
	if err != nil {
		b.t.Fatal(err)
	}
	back := "https://shop.test/cb"
	q := url.Values{
		"response_type": {"code"}, "client_id": {b.client}, "redirect_uri": {back}, "scope": {b.scope}, "login_hint": {"lab:dana"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"}, "state": {"s"},
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Get(b.authorize + "?" + q.Encode())
	if err != nil {
		b.t.Fatal(err)
	}
	_ = resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		b.t.Fatal(resp.Status, err)
	}
	a, err := b.ask(url.Values{"grant_type": {code}, "code": {to.Query().Get("code")}, "redirect_uri": {back}, "code_verifier": {verifier}})
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func (b *bench) renew(a *grant.Answer) (*grant.Answer, error) {
	return b.ask(url.Values{"grant_type": {refresh}, "refresh_token": {a.Refresh.Reveal()}})
}

// decide wants a refusal and decides about it.
func (b *bench) decide(grantType string, err error) strategy.Decision {
	b.t.Helper()
	r, ok := err.(*grant.Refusal)
	if !ok {
		b.t.Fatalf("no refusal: %v", err)
	}
	return strategy.Decide(strategy.Input{
		GrantType: grantType, Interactive: grantType == refresh, HasRefresh: grantType == refresh, Refusal: r,
		ClientID: b.client, AuthMethod: oauth.AuthPost, Now: now,
	})
}

// TestLab meets a provider that fails on purpose, and goes on when it is mended.
func TestLab(t *testing.T) {
	check := func(t *testing.T, d strategy.Decision, want want) {
		t.Helper()
		if d.Cause != want.cause || d.Strategy != want.strategy || marks(d) != want.marks {
			t.Errorf("got %s %s %s (%.2f), want %+v", d.Cause, d.Strategy, marks(d), d.Confidence, want)
		}
	}
	mended := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("it is mended, and refused: %v", err)
		}
	}
	t.Run("client-secret-expired", func(t *testing.T) {
		b := newBench(t, true)
		b.on("client-secret-expired")
		_, err := b.service()
		check(t, b.decide(service, err), want{"client-secret-expired", strategy.Rotate, "W"})
		if _, b.secret, err = b.AddSecret("shop"); err != nil {
			t.Fatal(err)
		}
		_, err = b.service()
		mended(t, err)
	})
	t.Run("client-secret-id-used", func(t *testing.T) {
		b := newBench(t, true)
		b.on("client-secret-id-used")
		b.secret = b.Secret("shop")
		_, err := b.service()
		check(t, b.decide(service, err), want{"client-secret-id-used", strategy.Rotate, "W"})
	})
	t.Run("client-secret-invalid", func(t *testing.T) {
		b := newBench(t, false)
		a := b.connect()
		b.on("client-secret-invalid")
		_, err := b.renew(a)
		check(t, b.decide(refresh, err), want{"client-secret-invalid", strategy.Rotate, "W"})
		if _, b.secret, err = b.AddSecret("shop"); err != nil {
			t.Fatal(err)
		}
		_, err = b.renew(a)
		mended(t, err)
	})
	t.Run("consent-required", func(t *testing.T) {
		b := newBench(t, true)
		a := b.connect()
		b.on("consent-required")
		_, err := b.renew(a)
		check(t, b.decide(refresh, err), want{"consent-required", strategy.Ask, "W"})
	})
	t.Run("policy-device", func(t *testing.T) {
		b := newBench(t, true)
		a := b.connect()
		b.on("policy-device")
		_, err := b.renew(a)
		d := b.decide(refresh, err)
		if d.Strategy != strategy.Ask || marks(d) != "W" || d.Wait < later {
			t.Errorf("got %+v", d)
		}
		if err := b.Switch("policy-device", false); err != nil {
			t.Fatal(err)
		}
		_, err = b.renew(a) // the refresh token was kept, so that nobody has to be asked
		mended(t, err)
	})
	// The answer to a refresh is lost. Who presents the token again ends the
	// family: that is what Unsure is for.
	t.Run("refresh-token-reused", func(t *testing.T) {
		b := newBench(t, false)
		a := b.connect()
		b.on("refresh-token-reused")
		_, err := b.renew(a)
		if r, ok := err.(*grant.Refusal); !ok || r.Kind != grant.Lost || !r.Unsure() {
			t.Fatalf("got %v", err)
		}
		check(t, b.decide(refresh, err), want{"provider-outage", strategy.Retry, "E"})
		_, err = b.renew(a)
		check(t, b.decide(refresh, err), want{"refresh-token-reused", strategy.Ask, "DR"})
		_, err = b.renew(b.connect()) // and lost again, of another family
		if r, ok := err.(*grant.Refusal); !ok || r.Kind != grant.Lost {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("unknown client", func(t *testing.T) {
		b := newBench(t, true)
		b.client = "00000000-0000-0000-0000-00000000beef"
		_, err := b.service()
		check(t, b.decide(service, err), want{"client-unknown", strategy.GiveUp, "W"})
	})
	t.Run("unknown scope", func(t *testing.T) {
		b := newBench(t, false)
		_, err := b.ask(url.Values{"grant_type": {service}, "scope": {"nope"}})
		check(t, b.decide(service, err), want{"scope-invalid", strategy.GiveUp, "W"})
	})
}

const later = 3600e9
