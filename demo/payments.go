package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"usher"
	"usher/broker"
	"usher/console"
	"usher/serve"
)

// connectionID is the connection that the shop's payments go over.
const connectionID = "shop-gateway"

// pace is how fast the story goes: what happens when, from the first checkout
// on.
type pace struct {
	life   time.Duration // of the gateway's tokens
	every  time.Duration // between two checkouts, at each of the two services
	away   time.Duration // when its token endpoint goes away
	back   time.Duration
	revoke time.Duration // when all tokens are revoked
	end    time.Duration
	least  time.Duration // life that callers are promised
}

// paceOf gives the day as it is, or compressed. usher's own pauses (2 s, 4 s, ...
// between tries) are not compressed, so that the compressed run is the harder one.
// All tokens are revoked when no renewal is due: a charge whose two tries meet the
// old token and one that was given just before could not be saved.
func paceOf(fast bool) pace {
	if fast {
		return pace{
			life: 20 * time.Second, every: 5 * time.Millisecond, away: 19 * time.Second, back: 24 * time.Second,
			revoke: 31 * time.Second, end: 34 * time.Second, least: time.Second,
		}
	}
	return pace{
		life: time.Minute, every: 5 * time.Millisecond, away: 57 * time.Second, back: 87 * time.Second,
		revoke: 98 * time.Second, end: 117 * time.Second, least: 4 * time.Second,
	}
}

// Tally is what became of one service's checkouts.
type Tally struct {
	Checkouts    int `json:"checkouts"`
	Failed       int `json:"failed"`       // those whose buyer was told that the payment did not work
	ChargedTwice int `json:"chargedTwice"` // orders that the gateway took money for more than once
}

// payments is what runs in the story shop, beside usher.
type payments struct {
	gateway *gateway
	with    *checkout
	without *checkout
	close   []func() // of HTTP clients
	started atomic.Int64
	pace    pace
	now     func() time.Time
	fail    [2]atomic.Int64
	done    [2]atomic.Int64
	took    time.Duration // from the first order until the last was done

	mu   sync.Mutex
	whys [2]map[string]int // why checkouts failed, as the services noted it
}

// tills is how many orders are under way at once: who comes when all tills are
// busy waits, as in a shop. On a machine that is slow the shop takes fewer orders
// a second, and says how many they were.
const tills = 100

// leastOrders is how many orders make a story. The shop stays open until they
// have come.
const leastOrders = 1000

// buildPayments starts the gateway, usher with a broker, and two checkout
// services.
func buildPayments(ctx context.Context, c *company) error {
	p := &payments{pace: paceOf(c.opt.Fast), now: c.opt.Now}
	if c.opt.pace != nil {
		p.pace = *c.opt.pace
	}
	c.pay = p
	log := filepath.Join(c.dir, "gateway.ndjson")
	g, stop, err := openGateway(ctx, c.opt.Now, p.pace.life, log)
	if err != nil {
		return err
	}
	c.onClose(stop)
	g.careless = c.opt.careless
	p.gateway = g
	if err := c.openPaymentsUsher(ctx, log); err != nil {
		return err
	}
	key, err := c.connect(ctx, g)
	if err != nil {
		return err
	}
	up := func() int { return p.up() }
	client, done := pooled()
	p.close = append(p.close, done)
	c.onClose(func(context.Context) error {
		for _, f := range p.close {
			f()
		}
		return nil
	})
	through := "http://" + c.usher.EgressAddr() + "/egress/" + connectionID + "/" + strings.Replace(g.api, "://", "/", 1) + "/v1/charges"
	var with, without []payer
	for range workers {
		with = append(with, &brokered{client: client, to: through, key: key})
		own, done := pooled()
		p.close = append(p.close, done)
		without = append(without, &naive{client: own, gateway: g, id: alone, secret: g.clients[alone]})
	}
	for _, s := range []struct {
		at  **checkout
		pay []payer
	}{{&p.with, with}, {&p.without, without}} {
		service, stop, err := openCheckout(ctx, s.pay, up)
		if err != nil {
			return err
		}
		c.onClose(stop)
		*s.at = service
	}
	return nil
}

// openPaymentsUsher starts usher with the configuration that a person would
// write: examples/shop/usher.yaml is the same.
func (c *company) openPaymentsUsher(ctx context.Context, log string) error {
	cfg := c.configuration(ctx)
	p := c.pay.pace
	cfg.Providers = []serve.Provider{{
		Name: gatewayName, Kind: "lab", Tenants: []string{gatewayName},
		Sources: []serve.Source{{Kind: "usher", Path: log, Zone: "Local", From: "start"}},
	}}
	cfg.Broker = serve.Broker{
		Policy: []serve.Life{{
			Name: "payments", RenewAt: 0.25, RenewBefore: usher.Duration(p.life * 3 / 4), LeastLife: usher.Duration(p.least),
		}},
		Egress: &serve.Egress{Listen: "127.0.0.1:0"},
	}
	return c.startUsher(ctx, cfg, serve.Env{Getenv: func(string) string { return "" }})
}

// connect adds the connection and makes a key that may use it and nothing else.
func (c *company) connect(ctx context.Context, g *gateway) (usher.Secret, error) {
	wish := console.NewConnection{
		Config: broker.Config{
			ID: connectionID, Endpoints: broker.Endpoints{Token: g.tokens + "/oauth/token"}, Grant: broker.GrantClientCredentials,
			ClientID: withUsher, AuthMethod: "client_secret_basic", Scopes: []string{"charges"}, Policy: "payments", Targets: []string{g.api},
		},
		ClientSecret: g.clients[withUsher],
	}
	if err := c.operate(ctx, http.MethodPost, "/api/v1/connections", wish, nil); err != nil {
		return "", err
	}
	var made struct {
		Value string `json:"value"`
	}
	err := c.operate(ctx, http.MethodPost, "/api/v1/keys", map[string]any{"name": withUsher, "connections": []string{connectionID}}, &made)
	return usher.Secret(made.Value), err
}

// up is how many workers of each service run: they come one after the other, as
// a deployment starts them, so that their tokens do not all end at once.
func (p *payments) up() int {
	began := p.started.Load()
	if began == 0 {
		return 1
	}
	return min(1+int(time.Duration(time.Now().UnixNano()-began)*workers/p.pace.life), workers)
}

// shopStory: tokens expire, the provider goes away, all tokens are revoked; and
// people buy all the time.
func shopStory(ctx context.Context, c *company) (*Ending, error) {
	p := c.pay
	c.tellShop()
	traffic, cancel := context.WithCancel(ctx)
	defer cancel()
	p.started.Store(time.Now().UnixNano())
	over := make(chan struct{})
	go func() {
		defer close(over)
		p.buy(traffic)
	}()
	end := &Ending{}
	found := make(chan *usher.Case, 1)
	go func() { found <- c.awaitShop(traffic) }()
	if err := c.faults(ctx, found); err != nil {
		cancel()
		<-over
		return end, err
	}
	<-over
	c.voice.say("The shop closes. %s", p.score())
	end.With, end.Without = p.tally(0), p.tally(1)
	var missing error
	end.Case, missing = c.caseOf(ctx, alone, shopCause)
	return end, c.tellEnd(ctx, end, missing)
}

// shopCause is what the case of the service without usher is to say.
const shopCause = "token-expired"

func (c *company) tellShop() {
	p := c.pay.pace
	c.voice.line("A shop that takes %d orders a second, twice: two checkout services, each with %d workers, get the same orders.", time.Second/p.every, workers)
	c.voice.line("One sends its charges through usher, which puts the token in. The other sees to its tokens by itself, as people write it.")
	c.voice.line("The payment gateway's tokens live for %s; its token endpoint will be away for %s; then somebody revokes all tokens.", p.life, p.back-p.away)
	if c.opt.Fast {
		slow := paceOf(false)
		c.voice.line("Compressed: tokens live for %s in place of %s, and it is away for %s in place of %s. Orders come as fast, and usher's own pauses are as long, as ever.",
			p.life, slow.life, p.back-p.away, slow.back-slow.away)
	}
	c.voice.line("")
	c.voice.point("Look at the cases:", c.usher.URL()+"/cases")
	if c.password != "" {
		c.voice.point("one-time password:", c.password)
	}
	c.voice.point("or in a terminal:", fmt.Sprintf("usher connections show %s --data %s", connectionID, c.data()))
	c.voice.line("")
}

// faults lets happen what the story tells, and tells it.
func (c *company) faults(ctx context.Context, found <-chan *usher.Case) error {
	p := c.pay
	began := time.Now()
	steps := []struct {
		at time.Duration
		do func()
	}{
		{0, func() { c.voice.say("People buy. Workers start one after the other, each with a token of its own.") }},
		{p.pace.away, func() {
			p.gateway.away.Store(true)
			c.voice.say("The gateway's token endpoint goes away. Charges still work, for who has a token.")
		}},
		{p.pace.back, func() {
			p.gateway.away.Store(false)
			c.voice.say("The token endpoint is back. %s", p.score())
		}},
		{p.pace.revoke, func() {
			p.gateway.revoke()
			c.voice.say("Somebody at the gateway presses \"revoke all tokens\".")
		}},
		{p.pace.end, func() {}},
	}
	tick := time.NewTicker(p.pace.life / 4)
	defer tick.Stop()
	for _, s := range steps {
		wait := time.NewTimer(s.at - time.Since(began))
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				wait.Stop()
				return ctx.Err()
			case <-tick.C:
				c.voice.say("%s", p.score())
			case k := <-found:
				found = nil
				if k != nil {
					c.voice.say("usher, which reads the gateway's log, has opened case %d: %s/cases/%d", k.ID, c.usher.URL(), k.ID)
					c.voice.quote(k.Summary)
				}
			case <-wait.C:
				waiting = false
			}
		}
		s.do()
	}
	return nil
}

func (p *payments) score() string {
	return fmt.Sprintf("With usher: %d orders, %d failed. Without: %d orders, %d failed.", p.done[0].Load(), p.fail[0].Load(), p.done[1].Load(), p.fail[1].Load())
}

// buy brings the same order to both services, one after the other at an even
// pace, whatever becomes of those before; and waits for the last ones. Who could
// not come in time, because this machine or the tills were busy, comes as soon as
// that is over.
func (p *payments) buy(ctx context.Context) {
	client, done := pooled()
	defer done()
	var under sync.WaitGroup
	began := time.Now()
	defer func() {
		under.Wait()
		p.took = time.Since(began)
	}()
	free := make(chan struct{}, tills)
	for n := 0; time.Since(began) < p.pace.end || n < leastOrders; n++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(began.Add(time.Duration(n) * p.pace.every))):
		}
		select {
		case <-ctx.Done():
			return
		case free <- struct{}{}:
		}
		order := fmt.Sprintf("order-%06d", n)
		under.Go(func() {
			defer func() { <-free }()
			var both sync.WaitGroup
			for side, service := range []*checkout{p.with, p.without} {
				both.Go(func() { p.order(ctx, client, side, service, order, n) })
			}
			both.Wait()
		})
	}
}

func (p *payments) order(ctx context.Context, client *http.Client, side int, service *checkout, order string, n int) {
	body, err := json.Marshal(map[string]any{"order": order, "number": n})
	if err != nil {
		return
	}
	answer, err := post(context.WithoutCancel(ctx), client, service.url+"/checkout", body, order)
	if err != nil || answer.status != http.StatusOK {
		p.fail[side].Add(1)
		why := answer.why
		if err != nil {
			why = "no answer"
		}
		p.mu.Lock()
		if p.whys[side] == nil {
			p.whys[side] = map[string]int{}
		}
		p.whys[side][why]++
		p.mu.Unlock()
	}
	p.done[side].Add(1)
}

// why tells in a line why checkouts failed.
func (p *payments) why(side int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for _, why := range slices.Sorted(maps.Keys(p.whys[side])) {
		list = append(list, fmt.Sprintf("%d times %s", p.whys[side][why], why))
	}
	return strings.Join(list, ", ")
}

func (p *payments) tally(side int) *Tally {
	_, twice := p.gateway.taken([]string{withUsher, alone}[side])
	return &Tally{Checkouts: int(p.done[side].Load()), Failed: int(p.fail[side].Load()), ChargedTwice: twice}
}

// caseOf waits for the case of a client with a cause.
func (c *company) caseOf(ctx context.Context, client, cause string) (*usher.Case, error) {
	ctx, cancel := context.WithTimeout(ctx, mostToSee)
	defer cancel()
	seen := "none"
	for {
		list, err := c.usher.Engine().List(ctx, console.Filter{All: true})
		var others []string
		for i := range list {
			k := &list[i]
			if k.Refusal.Client.UID == client && k.Finding.Cause == cause {
				return k, nil
			}
			others = append(others, k.Finding.Cause+" of "+k.Refusal.Client.UID)
		}
		switch {
		case ctx.Err() != nil: // what was seen before says more
		case err != nil:
			seen = "they cannot be read: " + err.Error()
		case len(others) > 0:
			seen = strings.Join(others, ", ")
		}
		select {
		case <-ctx.Done():
			return nil, &usher.Error{Code: usher.ErrInternal, Message: fmt.Sprintf("there is no case %s of %s; there are: %s", cause, client, seen)}
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// awaitShop gives the story's case as soon as it is there, nil at the end.
func (c *company) awaitShop(ctx context.Context) *usher.Case {
	for ctx.Err() == nil {
		if k, err := c.caseOf(ctx, alone, shopCause); err == nil {
			return k
		}
	}
	return nil
}

// tellEnd tells how it ended, and what of it is not as the story says.
func (c *company) tellEnd(ctx context.Context, end *Ending, missing error) error {
	p := c.pay
	charged, _ := p.gateway.taken(withUsher)
	c.voice.line("")
	c.voice.line("                 orders   failed   charged twice   tokens asked for")
	c.voice.line("with usher       %6d   %6d   %13d   %16d", end.With.Checkouts, end.With.Failed, end.With.ChargedTwice, p.gateway.given(withUsher))
	c.voice.line("without          %6d   %6d   %13d   %16d", end.Without.Checkouts, end.Without.Failed, end.Without.ChargedTwice, p.gateway.given(alone))
	c.voice.line("%.0f orders a second came to each.", float64(end.With.Checkouts)/p.took.Seconds())
	c.voice.line("")
	for side, name := range []string{"With usher", "Without"} {
		if why := p.why(side); why != "" {
			c.voice.say("%s, the gateway or usher answered: %s.", name, why)
		}
	}
	if end.Case != nil {
		c.voice.say("Why the payments without usher failed, case %d says:", end.Case.ID)
		c.voice.quote(end.Case.Summary)
	}
	if list, err := c.usher.Engine().List(ctx, console.Filter{All: true}); err == nil {
		for i := range list {
			if k := &list[i]; k.Refusal.Connection() == connectionID {
				c.voice.say("What befell the connection of the other service meanwhile is case %d (%s):", k.ID, k.State)
				c.voice.quote(k.Summary)
			}
		}
	}
	var wrong []string
	say := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	say(missing == nil, "%v", missing)
	say(end.With.Failed == 0, "with usher %d payments failed", end.With.Failed)
	say(end.With.ChargedTwice == 0, "with usher %d orders were charged twice", end.With.ChargedTwice)
	say(charged == end.With.Checkouts, "with usher %d of %d orders were charged", charged, end.With.Checkouts)
	say(end.Without.Failed > 0, "without usher no payment failed")
	say(end.With.Checkouts == end.Without.Checkouts, "the services did not get the same orders")
	say(end.With.Checkouts >= leastOrders, "only %d orders came", end.With.Checkouts)
	if len(wrong) > 0 {
		return &usher.Error{Code: usher.ErrInternal, Message: "the story did not come true: " + strings.Join(wrong, "; ")}
	}
	end.True = true
	return nil
}
