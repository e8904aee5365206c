package broker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"usher/broker"
	"usher/broker/grant"
)

// TestOutage has connections and three replicas live through hours without the
// provider: it is asked now and then, by one; when it is back, it is not run
// over, and every connection heals. The long form (USHER_SOAK) is a thousand
// connections for six hours.
func TestOutage(t *testing.T) {
	many, hours := 300, 2
	if os.Getenv("USHER_SOAK") != "" {
		many, hours = 1000, 6
	}
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var replicas []*broker.Broker
		var stops []func()
		for i := range 3 {
			b := h.replica(fmt.Sprint("replica-", i))
			replicas = append(replicas, b)
			stops = append(stops, h.run(b))
		}
		c, k := machine()
		for i := range many {
			c.ID = fmt.Sprint("c-", i)
			if _, err := replicas[i%3].Add(t.Context(), c, k, broker.Tokens{}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(90 * time.Minute)
		h.alive(replicas[0], many, time.Minute)
		before := h.provider.requests()

		down := time.Now()
		h.provider.set(func(p *provider) { p.down = true })
		time.Sleep(time.Duration(hours) * time.Hour)
		during := h.provider.requests() - before
		if during > hours*60+100 {
			t.Errorf("%d requests in %d hours of outage", during, hours)
		}
		var u *broker.Unavailable
		if _, err := replicas[1].Token(t.Context(), "c-7", broker.Ask{}); !errors.As(err, &u) || u.Trouble.Cause != "provider-outage" || time.Until(u.Retry) > 2*time.Minute {
			t.Errorf("%v %+v", err, u)
		}

		failing := 0
		views, _ := replicas[0].List(t.Context(), "", many)
		for _, v := range views {
			if v.Status.State == broker.StateFailing && v.Status.Trouble.Cause == "provider-outage" {
				failing++
			}
		}
		if failing < many*9/10 {
			t.Errorf("%d of %d connections are shown to fail", failing, many)
		}

		back := time.Now()
		h.provider.set(func(p *provider) { p.down = false })
		time.Sleep(15 * time.Minute)
		h.alive(replicas[0], many, time.Minute)
		perSecond := map[int]int{}
		most := 0
		h.provider.set(func(p *provider) {
			for _, at := range p.asked {
				if at.After(back) {
					s := int(at.Sub(back) / time.Second)
					perSecond[s]++
					most = max(most, perSecond[s])
				}
			}
		})
		if most > 100 {
			t.Errorf("%d requests in one second after an outage", most)
		}
		t.Logf("down %v: %d requests; back: %d in the busiest second", back.Sub(down), during, most)
		for _, stop := range stops {
			stop()
		}
	})
}

// alive tells that every connection has a token that lives so long.
func (h *house) alive(b *broker.Broker, many int, life time.Duration) {
	h.t.Helper()
	views, err := b.List(h.t.Context(), "", many+1)
	if err != nil || len(views) != many {
		h.t.Fatal(len(views), err)
	}
	dead := 0
	for _, v := range views {
		if time.Until(v.Status.Expires) < life || v.Status.State != broker.StateAlive {
			if dead++; dead < 3 {
				h.t.Errorf("%s: %+v %+v", v.Config.ID, v.Status, v.Status.Trouble)
			}
		}
	}
	if dead > 0 {
		h.t.Errorf("%d of %d connections do not live", dead, many)
	}
}

// TestRetryAfter leaves an endpoint alone for as long as it says, in every
// replica.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		one, two := h.replica("one"), h.replica("two")
		c, k := machine()
		for _, id := range []string{"a", "b"} {
			c.ID = id
			if _, err := one.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
				t.Fatal(err)
			}
		}
		h.provider.refuses = func(r grant.Request) *grant.Refusal {
			return &grant.Refusal{Kind: grant.Busy, Endpoint: r.Endpoint, Status: 429, RetryAfter: 2 * time.Minute}
		}
		var u *broker.Unavailable
		if _, err := one.Token(t.Context(), "a", broker.Ask{}); !errors.As(err, &u) {
			t.Fatal(err)
		}
		for range 100 {
			_, err := two.Token(t.Context(), "b", broker.Ask{})
			if !errors.As(err, &u) {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		// b is told so too after a minute; a is left alone for as long as it was told.
		if n := h.provider.requests(); n != 2 {
			t.Errorf("%d requests within Retry-After", n)
		}
		if d := time.Until(u.Retry); d < 15*time.Second || d > 2*time.Minute {
			t.Errorf("retry in %v", d)
		}
		h.provider.set(func(p *provider) { p.refuses = nil })
		time.Sleep(100 * time.Second)
		if _, err := two.Token(t.Context(), "b", broker.Ask{}); err != nil {
			t.Error(err)
		}
	})
}

// TestOneEndpointDoesNotStarveAnother has one provider away with many connections
// that are due, and another one well.
func TestOneEndpointDoesNotStarveAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one", func(o *broker.Options) { o.Workers = 8 })
		stop := h.run(b)
		h.provider.refuses = func(r grant.Request) *grant.Refusal {
			if r.Endpoint == "https://idp.example/token" {
				return &grant.Refusal{Kind: grant.Busy, Endpoint: r.Endpoint, Status: 503}
			}
			return nil
		}
		c, k := machine()
		for i := range 300 {
			c.ID = fmt.Sprint("away-", i)
			if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		c.ID, c.Endpoints.Token = "well", "https://other.example/token"
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if v, _ := b.Get(t.Context(), "well"); v.Status.State != broker.StateAlive {
			t.Errorf("%+v", v.Status)
		}
		stop()
	})
}

// TestSlowEndpointDoesNotStarveAnother has a provider that takes its time hold all
// renewals that the scheduler would give it, and another one be due behind it.
func TestSlowEndpointDoesNotStarveAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var slow atomic.Bool
		b := h.replica("one", func(o *broker.Options) {
			o.Workers = 8
			o.Ask = &asker{provider: h.provider, ask: func(ctx context.Context, r grant.Request) (*grant.Answer, error) {
				if slow.Load() && r.Endpoint == "https://idp.example/token" {
					time.Sleep(50 * time.Second)
				}
				return h.provider.Ask(ctx, r)
			}}
		})
		stop := h.run(b)
		c, k := machine()
		for i := range 200 {
			c.ID = fmt.Sprint("slow-", i)
			if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(30 * time.Second)
		slow.Store(true)
		time.Sleep(59 * time.Minute) // all of them are due, and most of them wait
		c.ID, c.Endpoints.Token = "well", "https://other.example/token"
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if v, _ := b.Get(t.Context(), "well"); v.Status.State != broker.StateAlive {
			t.Errorf("%+v", v.Status)
		}
		stop()
	})
}
