package demo

import (
	"context"
	"time"
)

// Careless has the payment gateway of the story shop charge before it looks at
// the token, and know no idempotency keys.
func (o *Options) Careless() { o.careless = true }

// Short plays the story shop in a few seconds, in which no token ends: they are
// revoked after two.
func (o *Options) Short() {
	o.pace = &pace{
		life: 20 * time.Second, every: 2 * time.Millisecond, away: 3 * time.Second, back: 3500 * time.Millisecond,
		revoke: 4 * time.Second, end: 7 * time.Second, least: time.Second,
	}
}

// Gateway is the payment gateway alone.
type Gateway = gateway

// OpenGateway starts one.
var OpenGateway = openGateway

// Clients of the gateway and their secrets.
func (g *gateway) Secret(client string) string   { return g.clients[client] }
func (g *gateway) Origins() (tokens, api string) { return g.tokens, g.api }
func (g *gateway) Revoke()                       { g.revoke() }
func (g *gateway) Away(away bool)                { g.away.Store(away) }
func (g *gateway) Taken(client string) (orders, twice int) {
	return g.taken(client)
}
func (g *gateway) Careless() { g.careless = true }

// Buy brings orders to two services that take each, for so long, and tells how
// many each got.
func Buy(ctx context.Context, end time.Duration) (with, without int64, err error) {
	p := &payments{pace: pace{every: time.Microsecond, end: end}}
	for _, s := range []**checkout{&p.with, &p.without} {
		service, stop, err := openCheckout(ctx, []payer{always{}}, func() int { return 1 })
		if err != nil {
			return 0, 0, err
		}
		defer stop(ctx) //nolint:errcheck // a test
		*s = service
	}
	p.buy(ctx)
	return p.done[0].Load() - p.fail[0].Load(), p.done[1].Load() - p.fail[1].Load(), nil
}

// always charges.
type always struct{}

func (always) charge(context.Context, []byte, string) (reply, error) {
	return reply{status: 201}, nil
}
