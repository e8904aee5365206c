package broker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
)

// TestFaultOfEndpoint: the events tell a fault of the token endpoint, which many
// connections meet, from one of the connection, and both name the endpoint.
func TestFaultOfEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		c, k := machine()
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		last := func() usher.Event {
			_, _ = b.Renew(t.Context(), c.ID)
			return h.events.list()[len(h.events.list())-1]
		}
		at := broker.EndpointName(c.Endpoints.Token)
		if ev := last(); at == "" || ev.TokenEndpoint() != at || ev.FaultyEndpoint() != "" {
			t.Errorf("a success at %q: %q, %q", at, ev.TokenEndpoint(), ev.FaultyEndpoint())
		}
		h.provider.set(func(p *provider) { p.down = true })
		if ev := last(); ev.FaultyEndpoint() != at {
			t.Errorf("it is away: %q, want %q; %+v", ev.FaultyEndpoint(), at, ev)
		}
		time.Sleep(time.Hour)
		h.provider.set(func(p *provider) {
			p.down = false
			p.refuses = func(r grant.Request) *grant.Refusal {
				return &grant.Refusal{Kind: grant.Refused, Endpoint: r.Endpoint, Status: 401, Code: "invalid_client"}
			}
		})
		if ev := last(); ev.StatusCode != "invalid_client" || ev.TokenEndpoint() != at || ev.FaultyEndpoint() != "" {
			t.Errorf("its secret is wrong: %q, %q, %q", ev.StatusCode, ev.TokenEndpoint(), ev.FaultyEndpoint())
		}
	})
}
