package broker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"usher"
	"usher/broker"
	"usher/broker/grant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestClientCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		c, k := machine()
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		first := h.token(b, broker.Ask{})
		if first.Access != "access-1" || first.Type != "Bearer" || first.Generation != 1 || first.Short != "" {
			t.Errorf("%+v", first)
		}
		if again := h.token(b, broker.Ask{}); again.Access != first.Access || h.provider.requests() != 1 {
			t.Error("a token that lives is asked for again")
		}
		p := h.provider.params[0]
		if p.Get("grant_type") != "client_credentials" || p.Get("scope") != "pay" {
			t.Errorf("%v", p)
		}
		time.Sleep(time.Hour - 30*time.Second) // below the promised minute
		if next := h.token(b, broker.Ask{}); next.Access != "access-2" || next.Short != "" {
			t.Errorf("%+v", next)
		}
	})
}

// TestScheduler renews without a caller, before anybody could be given less life
// than was promised.
func TestScheduler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one", rarely)
		stop := h.run(b)
		c, k := machine()
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		for range 24 * 60 {
			time.Sleep(time.Minute)
			if v := h.view(b); v.Status.Generation == 0 || time.Until(v.Status.Expires) < time.Minute {
				t.Fatalf("%v: %+v", time.Now(), v.Status)
			}
		}
		if n := h.provider.requests(); n < 24 || n > 40 {
			t.Errorf("%d requests in a day of hours", n)
		}
		stop()
	})
}

// TestThousandAtOnce has a thousand callers come to three replicas at the moment
// of expiry, and the provider take its time.
func TestThousandAtOnce(t *testing.T) {
	for _, takes := range []time.Duration{50 * time.Millisecond, 2500 * time.Millisecond, 30 * time.Second} {
		t.Run(takes.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				replicas := []*broker.Broker{h.replica("one"), h.replica("two"), h.replica("three")}
				h.connected(replicas[0])
				for _, b := range replicas {
					h.token(b, broker.Ask{})
				}
				time.Sleep(time.Hour)
				h.provider.set(func(p *provider) { p.takes = takes })
				var all sync.WaitGroup
				for i := range 1000 {
					all.Go(func() {
						tok, err := replicas[i%3].Token(t.Context(), shop, broker.Ask{})
						if err != nil || tok.Access != "access-2" || tok.Short != "" {
							t.Errorf("%+v %v", tok, err)
						}
					})
				}
				all.Wait()
				if n := h.provider.requests(); n != 1 {
					t.Errorf("%d requests", n)
				}
				if h.provider.revokedFamilies() != 0 {
					t.Error("a family was revoked")
				}
			})
		})
	}
}

// TestCallerLeaves has the caller who began a renewal leave: it goes on for the
// others.
func TestCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		h.connected(b)
		h.provider.set(func(p *provider) { p.takes = 30 * time.Second })
		time.Sleep(time.Hour)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			time.Sleep(10 * time.Millisecond)
			if tok := h.token(b, broker.Ask{}); tok.Access != "access-2" {
				t.Errorf("%+v", tok)
			}
		})
		if _, err := b.Token(impatient, shop, broker.Ask{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		all.Wait()
		if n := h.provider.requests(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// TestShort gives what lives still while the provider is away, and says so.
func TestShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		h.connected(b)
		h.provider.set(func(p *provider) { p.down = true })
		time.Sleep(time.Hour - 30*time.Second)
		if tok := h.token(b, broker.Ask{}); tok.Access != "access-1" || tok.Short != "the provider is away" {
			t.Errorf("%+v", tok)
		}
		time.Sleep(31 * time.Second)
		_, err := b.Token(t.Context(), shop, broker.Ask{})
		var u *broker.Unavailable
		if !errors.As(err, &u) || u.Trouble.Cause != "provider-outage" || u.State != broker.StateFailing || u.Retry.IsZero() {
			t.Fatalf("%v %+v", err, u)
		}
		h.provider.set(func(p *provider) { p.down = false })
		time.Sleep(2 * time.Second)
		if tok := h.token(b, broker.Ask{}); tok.Access != "access-2" || tok.Short != "" {
			t.Errorf("it is back: %+v", tok)
		}
		last := h.events.list()[len(h.events.list())-1]
		if last.Status != usher.StatusSuccess || last.Unmapped["healed"] != "provider-outage" {
			t.Errorf("%+v", last)
		}
		if v := h.view(b); v.Status.Trouble != nil || v.Status.Healed == nil || v.Status.Healed.Ended.IsZero() || v.Status.State != broker.StateAlive {
			t.Errorf("%+v", v.Status)
		}
	})
}

// TestRevoked asks a person where the refresh token is dead, with the link, and
// asks the provider no more.
func TestRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		h.connected(b)
		h.provider.set(func(p *provider) { clear(p.active) })
		time.Sleep(time.Hour)
		for range 100 {
			_, err := b.Token(t.Context(), shop, broker.Ask{})
			var u *broker.Unavailable
			if !errors.As(err, &u) || u.State != broker.StateWaiting || u.Trouble.Turn != usher.FixerUser || u.Trouble.Link != "https://usher.example/connect/"+shop || !u.Retry.IsZero() {
				t.Fatalf("%v %+v", err, u)
			}
			time.Sleep(time.Minute)
		}
		if n := h.provider.requests(); n != 1 {
			t.Errorf("%d requests", n)
		}
		if n := len(h.events.list()); n != 2 { // connected, refused
			t.Errorf("%d events", n)
		}
	})
}

// TestRefused renews a token that an API refuses, and does not let an API that
// always refuses hammer the provider.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		one, two := h.replica("one"), h.replica("two")
		h.connected(one)
		first := h.token(one, broker.Ask{})
		h.token(two, broker.Ask{})
		next := h.token(one, broker.Ask{Refused: first.Access})
		if next.Access == first.Access {
			t.Fatal("the refused token is given again")
		}
		if tok := h.token(two, broker.Ask{Refused: first.Access}); tok.Access != next.Access || h.provider.requests() != 1 {
			t.Errorf("renewed meanwhile elsewhere: %+v, %d requests", tok, h.provider.requests())
		}
		bad := next.Access
		for range 3600 {
			for _, b := range []*broker.Broker{one, two} {
				if tok, err := b.Token(t.Context(), shop, broker.Ask{Refused: bad}); err == nil {
					if tok.Access == bad {
						t.Fatal("the refused token is given again")
					}
					bad = tok.Access
				}
			}
			time.Sleep(time.Second)
		}
		if n := h.provider.requests(); n > 9 {
			t.Errorf("%d requests in an hour for an API that always refuses", n)
		}
	})
}

// TestFeed brings a renewal, a new configuration and a removal to another
// replica within a second.
func TestFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		one, two := h.replica("one"), h.replica("two")
		stop := h.run(two)
		ctx, cancel := context.WithCancel(t.Context())
		changes := two.Subscribe(ctx, shop)
		h.connected(one)
		time.Sleep(time.Second) // else two may have read it before the person had connected
		h.token(two, broker.Ask{})
		if _, err := one.Renew(t.Context(), shop); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if tok := h.token(two, broker.Ask{}); tok.Access != "access-2" {
			t.Errorf("%+v", tok)
		}
		v := h.view(one)
		v.Config.Callers = []string{"till"}
		if _, err := one.Configure(t.Context(), v.Revision, v.Config, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := two.Token(t.Context(), shop, broker.Ask{Caller: "key other"}); !errors.Is(err, broker.ErrForbidden) {
			t.Error(err)
		}
		if _, err := two.Token(t.Context(), shop, broker.Ask{Caller: "key till"}); err != nil {
			t.Error(err)
		}
		if err := one.Remove(t.Context(), shop); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := two.Token(t.Context(), shop, broker.Ask{}); !errors.Is(err, broker.ErrNotFound) {
			t.Error(err)
		}
		var last broker.Change
		for !last.Removed {
			last = <-changes
		}
		cancel()
		for range changes {
		}
		stop()
	})
}

// TestClocksApart has two replicas whose clocks are ten minutes apart: both go by
// the store's.
func TestClocksApart(t *testing.T) {
	for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			right := h.replica("right")
			wrong := h.replica("wrong", func(o *broker.Options) { o.Now = func() time.Time { return time.Now().Add(off) } })
			h.connected(right)
			time.Sleep(time.Hour - 5*time.Minute)
			if tok := h.token(wrong, broker.Ask{}); tok.Access != "access-1" || h.provider.requests() != 0 {
				t.Errorf("%v: a living token was renewed", off)
			}
			time.Sleep(5 * time.Minute)
			if tok := h.token(wrong, broker.Ask{}); tok.Access != "access-2" {
				t.Errorf("%v: a dead token was given", off)
			}
			if tok := h.token(right, broker.Ask{}); tok.Access != "access-2" {
				t.Errorf("%v: %+v", off, tok)
			}
			if d := time.Until(h.view(wrong).Status.Expires); d < time.Hour-2*time.Second || d > time.Hour {
				t.Errorf("%v: the store says that it lives %v", off, d)
			}
		})
	}
}

// TestSoftRotation keeps a refresh token that an answer does not replace, and
// renews at once after a kill where the provider never rotates.
func TestSoftRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		h.connected(b)
		h.provider.set(func(p *provider) { p.keeps = true })
		for i := range 3 {
			time.Sleep(time.Hour)
			if tok := h.token(b, broker.Ask{}); tok.Access != usher.Secret(fmt.Sprintf("access-%d", i+2)) {
				t.Errorf("%+v", tok)
			}
		}
		if v := h.view(b); v.Status.Rotates != "no" || !v.Status.Refreshable {
			t.Errorf("%+v", v.Status)
		}
	})
}

func TestDPoPIsNotGivenAsBearer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		h.connected(b)
		h.provider.set(func(p *provider) { p.oddly = func(a *grant.Answer) { a.TokenType = "DPoP" } })
		time.Sleep(time.Hour)
		_, err := b.Token(t.Context(), shop, broker.Ask{})
		var u *broker.Unavailable
		if !errors.As(err, &u) || u.Trouble.Cause != "token-wrong-type" || !strings.Contains(u.Trouble.Title, "DPoP") {
			t.Fatalf("%v", err)
		}
		h.provider.set(func(p *provider) { p.oddly = nil })
		if _, err := b.Renew(t.Context(), shop); err != nil { // the refresh token that came with it was kept
			t.Fatal(err)
		}
		if h.provider.revokedFamilies() != 0 {
			t.Error("the family was revoked")
		}
		last := h.events.list()[len(h.events.list())-1]
		if last.Unmapped["healed"] != "token-wrong-type" {
			t.Errorf("%+v", last)
		}
	})
}
