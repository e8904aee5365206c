package broker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/policy/lifespan"
)

// TestConfigure renews a token whose request changed, leaves one whose rights
// changed, and has a stricter policy count at once.
func TestConfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one", func(o *broker.Options) {
			o.Lifespans = &lifespan.Set{Policies: []lifespan.Policy{{Name: "strict", MaxLife: usher.Duration(10 * time.Minute)}}}
		})
		stop := h.run(b)
		c, k := machine()
		v, err := b.Add(t.Context(), c, k, broker.Tokens{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		configure := func(f func(*broker.Config)) broker.View {
			t.Helper()
			v = h.view(b)
			f(&v.Config)
			if v, err = b.Configure(t.Context(), v.Revision, v.Config, nil); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			return h.view(b)
		}
		if v := configure(func(c *broker.Config) { c.Callers = []string{"till"} }); v.Status.Generation != 1 {
			t.Errorf("a token was renewed for its callers: %+v", v.Status)
		}
		if v := configure(func(c *broker.Config) { c.Scopes = []string{"pay", "refund"} }); v.Status.Generation != 2 {
			t.Errorf("other scopes need another token: %+v", v.Status)
		}
		if v := configure(func(c *broker.Config) { c.Policy = "strict" }); time.Until(v.Status.Expires) > 10*time.Minute {
			t.Errorf("%+v", v.Status)
		}
		if tok := h.token(b, broker.Ask{}); time.Until(tok.Expires) > 10*time.Minute {
			t.Errorf("%+v", tok)
		}
		if v := configure(func(c *broker.Config) { c.Disabled = true }); v.Status.State != broker.StateStopped {
			t.Errorf("%+v", v.Status)
		}
		var u *broker.Unavailable
		if _, err := b.Token(t.Context(), shop, broker.Ask{}); !errors.As(err, &u) || u.State != broker.StateStopped {
			t.Error(err)
		}
		n := h.provider.requests()
		time.Sleep(3 * time.Hour)
		if h.provider.requests() != n {
			t.Error("what is switched off is renewed")
		}
		configure(func(c *broker.Config) { c.Disabled = false })
		if tok := h.token(b, broker.Ask{}); tok.Short != "" {
			t.Errorf("%+v", tok)
		}
		if _, err := b.Configure(t.Context(), v.Revision-1, v.Config, nil); !errors.Is(err, broker.ErrStale) {
			t.Error(err)
		}
		reasons, err := b.Explain(t.Context(), shop)
		if err != nil || len(reasons) < 2 {
			t.Errorf("%v %v", reasons, err)
		}
		stop()
	})
}

// TestConnectedDuringRenewal has a person connect anew while a renewal of the old
// grant is under way: the new grant stays.
func TestConnectedDuringRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		h.connected(b)
		h.provider.set(func(p *provider) { p.takes = 20 * time.Second })
		time.Sleep(50 * time.Minute)
		done := make(chan error)
		go func() {
			_, err := b.Renew(t.Context(), shop)
			done <- err
		}()
		time.Sleep(time.Second)
		h.connectedAgain(b)
		mine := h.token(b, broker.Ask{})
		if err := <-done; err != nil {
			t.Error(err)
		}
		if tok := h.token(b, broker.Ask{}); tok.Access != mine.Access {
			t.Errorf("%+v", tok)
		}
		h.provider.set(func(p *provider) { p.takes = 0 })
		time.Sleep(time.Hour)
		h.token(b, broker.Ask{})
		if h.provider.revokedFamilies() != 0 {
			t.Error("the family was revoked")
		}
	})
}

// TestRemovedDuringRenewal takes a connection away while its renewal is under
// way.
func TestRemovedDuringRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		h.connected(b, func(c *broker.Config) { c.Endpoints.Revocation = "https://idp.example/revoke" })
		h.provider.set(func(p *provider) { p.takes = 20 * time.Second })
		time.Sleep(time.Hour)
		done := make(chan error)
		go func() {
			_, err := b.Token(t.Context(), shop, broker.Ask{})
			done <- err
		}()
		time.Sleep(time.Second)
		if err := b.Remove(t.Context(), shop); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, broker.ErrNotFound) {
			t.Error(err)
		}
		h.provider.set(func(p *provider) {
			if want := []string{"renewer-1", "access-1", "renewer-2", "access-2"}; !slices.Equal(p.revoked, want) {
				t.Errorf("revoked were %v, want %v", p.revoked, want)
			}
		})
	})
}

// TestShutdown waits for a request that is under way, so that its answer is not
// lost.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		h.connected(b)
		h.provider.set(func(p *provider) { p.takes = 10 * time.Second })
		time.Sleep(time.Hour)
		stop := h.run(b)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = b.Token(ctx, shop, broker.Ask{})
		stop()
		if tok := h.token(h.replica("two"), broker.Ask{}); tok.Access != "access-2" {
			t.Errorf("%+v", tok)
		}
		h.once(1)
	})
}

// TestSecretsStayInside holds all that is shown to the secrets that must not be.
func TestSecretsStayInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		h.connected(b)
		h.provider.refuses = func(r grant.Request) *grant.Refusal {
			return &grant.Refusal{Kind: grant.Refused, Endpoint: r.Endpoint, Status: 400, Code: "odd"}
		}
		time.Sleep(time.Hour)
		_, err := b.Token(t.Context(), shop, broker.Ask{})
		views, _ := b.List(t.Context(), "", 10)
		body, _ := json.Marshal(views)
		shown := fmt.Sprintf("%v %+v %s %+v", err, views, body, h.events.list())
		for _, secret := range []string{"access-1", "renewer-1", "s3cret"} {
			if strings.Contains(shown, secret) {
				t.Errorf("%s is shown", secret)
			}
		}
	})
}
