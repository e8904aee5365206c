package demo

import "time"

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
