package strict_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usher/test/broker/history"
	"usher/test/broker/strict"
)

const basic = "client_secret_basic"

func refreshing(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}

func next(t *testing.T, r strict.Reply) (access, refresh string) {
	t.Helper()
	var body struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(r.Body, &body); err != nil || r.Status != 200 {
		t.Fatalf("status %d, %v: %s", r.Status, err, r.Body)
	}
	return body.Access, body.Refresh
}

// TestASpentTokenRevokesTheFamily is the whole point of the provider.
func TestASpentTokenRevokesTheFamily(t *testing.T) {
	p := strict.New(nil, nil)
	p.Register(strict.Client{ID: "shop", Secret: "s"})
	a1, r1 := p.Connect("shop", time.Minute)
	if !p.Accepts(a1) {
		t.Error("the first token is refused")
	}
	a2, r2 := next(t, p.Token(t.Context(), "shop", "s", basic, refreshing(r1)))
	if p.Accepts(a1) || !p.Accepts(a2) {
		t.Error("the old token lives, or the new one does not")
	}
	if reply := p.Token(t.Context(), "shop", "s", basic, refreshing(r1)); reply.Status != 400 {
		t.Errorf("a spent refresh token is answered with %d", reply.Status)
	}
	if p.Accepts(a2) {
		t.Error("the family lives on")
	}
	if reply := p.Token(t.Context(), "shop", "s", basic, refreshing(r2)); reply.Status != 400 {
		t.Errorf("a refresh token of a revoked family is answered with %d", reply.Status)
	}
	n := p.Count("shop")
	if n[history.Accepted] != 1 || n[history.Reused] != 1 || n[history.Dead] != 1 {
		t.Errorf("counted %v", n)
	}
	var h history.History
	p.History(&h)
	if len(h.Revocations) != 1 || !h.Revocations[0].Reuse || len(h.Check()) == 0 {
		t.Errorf("the history hides it: %+v", h)
	}
}

// TestOneUseUnderLoad: of many who present one token at once, one is served.
func TestOneUseUnderLoad(t *testing.T) {
	p := strict.New(nil, nil)
	p.Register(strict.Client{ID: "shop", Secret: "s", Before: time.Millisecond})
	_, r := p.Connect("shop", time.Minute)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { p.Token(t.Context(), "shop", "s", basic, refreshing(r)) })
	}
	wg.Wait()
	if n := p.Count("shop"); n[history.Accepted] != 1 || n[history.Reused] != 1 || n[history.Dead] != 48 {
		t.Errorf("counted %v", n)
	}
}

func TestOtherStylesAndSecretsAreStrangers(t *testing.T) {
	p := strict.New(nil, nil)
	p.Register(strict.Client{ID: "shop", Secret: "s"})
	_, r := p.Connect("shop", time.Minute)
	for _, c := range [][3]string{{"shop", "s", "client_secret_post"}, {"shop", "x", basic}, {"shop", "", "none"}, {"other", "s", basic}} {
		if reply := p.Token(t.Context(), c[0], c[1], c[2], refreshing(r)); reply.Status != 401 {
			t.Errorf("%v: %d", c, reply.Status)
		}
	}
	next(t, p.Token(t.Context(), "shop", "s", basic, refreshing(r))) // nothing was spent
}

func TestIntrospection(t *testing.T) {
	p := strict.New(nil, nil)
	p.Register(strict.Client{ID: "shop", Secret: "s", Lives: true})
	a, r := p.Connect("shop", time.Minute)
	active := func(token string) bool {
		yes, ok := p.Introspect("shop", "s", basic, token)
		if !ok {
			t.Error("may not ask")
		}
		return yes
	}
	if !active(a) || !active(r) || active("made up") {
		t.Error("before")
	}
	_, r2 := next(t, p.Token(t.Context(), "shop", "s", basic, refreshing(r)))
	if !active(a) || active(r) || !active(r2) {
		t.Error("after: the old access token lives here, the old refresh token does not")
	}
	if _, ok := p.Introspect("shop", "wrong", basic, r2); ok {
		t.Error("anybody may ask")
	}
	p.Revoke("shop")
	if active(a) || active(r2) {
		t.Error("revoked, and active")
	}
}

// TestDelays: it goes on although the sender is gone, or stops where it should.
func TestDelays(t *testing.T) {
	for _, stops := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := strict.New(nil, nil)
			p.Register(strict.Client{ID: "shop", Secret: "s", Before: 2 * time.Second, After: time.Second, Stops: stops})
			_, r := p.Connect("shop", time.Minute)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			p.Token(ctx, "shop", "s", basic, refreshing(r))
			active, _ := p.Introspect("shop", "s", basic, r)
			if active != stops {
				t.Errorf("stops %t: the refresh token is active %t", stops, active)
			}
		})
	}
}

func TestFaultsSpendNothing(t *testing.T) {
	p := strict.New(nil, nil)
	p.Register(strict.Client{ID: "shop", Secret: "s", Lies: []strict.Lie{{Status: 200, Body: `{"error":"invalid_grant"}`}}})
	_, r := p.Connect("shop", time.Minute)
	server := httptest.NewServer(p)
	defer server.Close()
	post := func() (int, string) {
		req, _ := http.NewRequest("POST", server.URL+"/token", strings.NewReader(refreshing(r).Encode()))
		req.SetBasicAuth("shop", "s")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		resp, err := server.Client().Do(req.WithContext(ctx))
		if err != nil {
			return 0, ""
		}
		defer resp.Body.Close() //nolint:errcheck // read only
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	for _, c := range []struct {
		fault  strict.Fault
		status int
	}{{strict.Resets, 0}, {strict.Refuses, 503}, {strict.Proxy, 502}, {strict.Hangs, 0}} {
		p.Fail(c.fault, "1")
		if status, _ := post(); status != c.status {
			t.Errorf("%s: %d", c.fault, status)
		}
	}
	p.Fail(strict.Up, "")
	if status, body := post(); status != 200 || !strings.Contains(body, "invalid_grant") {
		t.Errorf("the lie: %d %s", status, body)
	}
	if status, body := post(); status != 200 || !strings.Contains(body, "access_token") {
		t.Errorf("the truth: %d %s", status, body)
	}
	h := history.History{Rule: func(string) history.Rule { return history.Rule{Renew: time.Hour} }}
	p.History(&h)
	if len(h.Down) != 1 || h.Down[0].Until.IsZero() || len(h.Check()) != 0 || !h.Requests[5].Delivered {
		t.Errorf("history: %+v, %v", h, h.Check())
	}
	if n := p.Count(""); n[history.Away] != 4 || n[history.Lied] != 1 || n[history.Accepted] != 1 {
		t.Errorf("counted %v", n)
	}
}
