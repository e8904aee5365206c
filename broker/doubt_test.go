package broker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
)

// asker is a provider of whose answers a test changes some.
type asker struct {
	*provider
	ask        func(context.Context, grant.Request) (*grant.Answer, error)
	introspect func() (bool, error)
}

func (a *asker) Ask(ctx context.Context, r grant.Request) (*grant.Answer, error) {
	if a.ask == nil {
		return a.provider.Ask(ctx, r)
	}
	return a.ask(ctx, r)
}

func (a *asker) Introspect(ctx context.Context, r grant.Request, token usher.Secret, hint string) (bool, error) {
	if a.introspect == nil {
		return a.provider.Introspect(ctx, r, token, hint)
	}
	return a.introspect()
}

// TestFrontLosesPatience has what stands before the provider give up after ten
// seconds, with a status that does not say so, and the provider work on for
// twenty: an introspection right after the error would find the refresh token
// active still.
func TestFrontLosesPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.provider.set(func(p *provider) { p.takes = 30 * time.Second })
		b := h.replica("one", func(o *broker.Options) {
			o.Ask = &asker{provider: h.provider, ask: func(ctx context.Context, r grant.Request) (*grant.Answer, error) {
				ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
				defer cancel()
				_, err := h.provider.Ask(ctx, r)
				return nil, &grant.Refusal{Kind: grant.Lost, Endpoint: r.Endpoint, Status: 502, Err: err}
			}}
		})
		h.connected(b)
		stop := h.run(b)
		time.Sleep(58 * time.Minute)
		h.once(1)
		if v := h.view(b); v.Status.State != broker.StateWaiting || v.Status.Trouble.Cause != "refresh-token-reused" {
			t.Errorf("%+v", v.Status)
		}
		stop()
	})
}

// TestClockSet has the clock of the replica that comes after a killed one be set
// five minutes ahead: it looks at the store's time before it takes the attempt to
// be over.
func TestClockSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var ahead time.Duration
		two := h.replica("two", func(o *broker.Options) { o.Now = func() time.Time { return time.Now().Add(ahead) } })
		one, _ := h.mortal("one", func(m *mortal, step string) {
			if step == "ask" {
				time.AfterFunc(time.Second, m.kill)
			}
		})
		h.connected(two)
		h.provider.set(func(p *provider) { p.takes = 40 * time.Second })
		time.Sleep(time.Hour)
		renewInVain(t, one)
		time.Sleep(12 * time.Second) // its lease has run out
		ahead = 5 * time.Minute
		_, _ = two.Token(t.Context(), shop, broker.Ask{})
		time.Sleep(5 * time.Minute)
		h.once(1)
	})
}

// TestGraceCountsFromTheFirstUse kills two holders one after the other: the
// second presents the token in the grace period of the first, and begins none.
func TestGraceCountsFromTheFirstUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.provider.grace = 30 * time.Second
		three := h.replica("three")
		one, _ := h.mortal("one", killAt("asked"))
		two, _ := h.mortal("two", killAt("asked"))
		h.connected(three, func(c *broker.Config) { c.ReuseGrace = usher.Duration(30 * time.Second) })
		time.Sleep(50 * time.Minute)
		renewInVain(t, one)
		time.Sleep(11 * time.Second)
		renewInVain(t, two)
		time.Sleep(22 * time.Second)
		if _, err := three.Renew(t.Context(), shop); err == nil {
			t.Error("it has a new token: where from?")
		}
		h.once(2)
		if v := h.view(three); v.Status.State != broker.StateWaiting {
			t.Errorf("%+v", v.Status)
		}
	})
}

// TestGraceAfterRefusal has the second presentation refused for now: that does
// not make the first one undone.
func TestGraceAfterRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.provider.grace = 30 * time.Second
		two := h.replica("two")
		one, _ := h.mortal("one", killAt("asked"))
		h.connected(two, func(c *broker.Config) { c.ReuseGrace = usher.Duration(30 * time.Second) })
		time.Sleep(50 * time.Minute)
		renewInVain(t, one)
		h.provider.set(func(p *provider) { p.down = true })
		time.Sleep(11 * time.Second)
		_, _ = two.Renew(t.Context(), shop)
		if n := h.provider.requests(); n != 2 {
			t.Fatalf("%d requests", n)
		}
		time.Sleep(30 * time.Second)
		h.provider.set(func(p *provider) { p.down = false })
		stop := h.run(two)
		time.Sleep(5 * time.Minute)
		h.once(2)
		if v := h.view(two); v.Status.State != broker.StateWaiting {
			t.Errorf("%+v", v.Status)
		}
		stop()
	})
}

// TestGraceWithoutCallers presents a refresh token again within the grace period
// although nobody waits for it.
func TestGraceWithoutCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.provider.grace = 30 * time.Second
		b := h.replica("one")
		h.connected(b, func(c *broker.Config) { c.ReuseGrace, c.Endpoints.Introspection = usher.Duration(30*time.Second), "" })
		h.provider.swallows = true
		stop := h.run(b)
		for h.provider.requests() == 0 {
			time.Sleep(time.Second)
		}
		h.provider.set(func(p *provider) { p.swallows = false })
		time.Sleep(2 * time.Minute)
		if v := h.view(b); v.Status.State != broker.StateAlive || v.Status.Generation != 2 {
			t.Errorf("%+v", v.Status)
		}
		h.once(2)
		stop()
	})
}

// TestServerErrorInDoubt presents a refresh token that a server's error may have
// spent not before its time, whoever wants it, where nobody can be asked.
func TestServerErrorInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		h.connected(b, func(c *broker.Config) { c.Endpoints.Introspection = "" })
		h.provider.refuses = func(r grant.Request) *grant.Refusal {
			return &grant.Refusal{Kind: grant.Unreadable, Endpoint: r.Endpoint, Status: 500}
		}
		time.Sleep(30 * time.Minute)
		if _, err := b.Renew(t.Context(), shop); err == nil {
			t.Fatal("it was renewed")
		}
		h.provider.set(func(p *provider) { p.refuses = nil })
		time.Sleep(5 * time.Minute)
		if tok := h.token(b, broker.Ask{LeastLife: 40 * time.Minute}); tok.Access != "access-1" || tok.Short == "" {
			t.Errorf("%+v", tok)
		}
		if _, err := b.Renew(t.Context(), shop); err == nil {
			t.Error("it was renewed")
		}
		h.once(1)
		if tok := h.token(b, broker.Ask{Refused: "access-1"}); tok.Access == "access-1" {
			t.Error("the refused token was given again")
		}
		h.once(2)
	})
}

// TestIntrospectionBreaksOff takes an error that is no refusal for what it is: it
// does not say that a token is spent.
func TestIntrospectionBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		a := &asker{provider: h.provider, introspect: func() (bool, error) { return false, errors.New("cut off") }}
		two := h.replica("two", func(o *broker.Options) { o.Ask = a })
		one, _ := h.mortal("one", killAt("begun"))
		h.connected(two)
		time.Sleep(50 * time.Minute)
		renewInVain(t, one)
		time.Sleep(2 * time.Minute)
		_, _ = two.Renew(t.Context(), shop)
		a.introspect = nil
		time.Sleep(2 * time.Second)
		if _, err := two.Renew(t.Context(), shop); err != nil {
			t.Error(err)
		}
		h.once(1)
	})
}
