package broker

import (
	"context"
	"errors"
	"math"
	"net/url"
	"strings"
	"sync"
	"time"

	"usher/broker/strategy"
)

// How an endpoint is treated that fails. Its Pace is shared by all replicas
// through the store.
const (
	tripAfter  = 5                // failures in a row open the breaker
	openFirst  = 5 * time.Second  // it stays open so long at first,
	openMost   = time.Minute      // and so long at most
	slowRate   = 2.0              // requests a second when it is back
	doubling   = 10 * time.Second // the rate doubles in so long
	batchLapse = 2 * time.Second  // requests taken from the store and not sent lapse
	longestAsk = 5 * time.Minute  // the whole endpoint is left alone so long at most, its own connection as long as it was told
	longest429 = time.Minute      // so long where it said so to one client alone, as 429 may
	longestTry = 30 * time.Second // a caller's renewal waits so long for its turn
)

// notYet tells that an endpoint may not be asked now.
type notYet struct {
	until time.Time // by the store's clock
	down  bool      // it fails; else it is only asked too much
	name  string
}

func (n *notYet) Error() string { return n.name + " may not be asked before " + n.until.String() }

func (n *notYet) trouble(now time.Time) *Trouble {
	t := &Trouble{Cause: "provider-outage", Strategy: string(strategy.Retry), Title: host(n.name) + " is away, or wants to be left alone", Since: now, Last: now, Endpoint: true}
	if !n.down {
		t.Cause, t.Title = "throttled", "many tokens of "+host(n.name)+" are being renewed: this one's turn comes"
	}
	return t
}

func host(endpoint string) string {
	_, h, _ := strings.Cut(endpoint, "://")
	h, _, _ = strings.Cut(h, "/")
	return h
}

// gate lets requests through to one endpoint, as fast as its Pace allows. It
// takes from the store what it will need soon, so that one row is not written for
// each request, and all who wait here share one reading of it.
type gate struct {
	b    *Broker
	name string // the endpoint without its query: tenants of one host have each their own

	mu      sync.Mutex
	tokens  int       // taken from the store
	lapse   time.Time // when they may not be used any more
	closed  notYet    // until then the store need not be asked
	pace    Pace      // as last seen
	waiting []*waiter
	pumping bool
}

type waiter struct {
	urgent bool // a caller waits; the scheduler can come again
	since  time.Time
	served bool
	answer chan error // buffered
	pass   *pass
}

// pass is the right to send one request. A nil pass is none.
type pass struct {
	g     *gate
	trial bool // the one that tries whether the endpoint is back
	spent bool
}

// gate gives the gate of an endpoint.
func (b *Broker) gate(endpoint string) *gate {
	name := endpoint
	if u, err := url.Parse(endpoint); err == nil {
		name = u.Scheme + "://" + u.Host + u.Path
	}
	b.gatesMu.Lock()
	defer b.gatesMu.Unlock()
	g := b.gates[name]
	if g == nil {
		g = &gate{b: b, name: name}
		b.gates[name] = g
	}
	return g
}

// enter gives a pass. Its error is a *notYet, that of ctx, or the store's.
func (g *gate) enter(ctx context.Context, urgent bool) (*pass, error) {
	now := g.b.clock.store()
	g.mu.Lock()
	if g.closed.until.After(now) && (g.closed.down || !urgent) {
		closed := g.closed
		g.mu.Unlock()
		return nil, &closed
	}
	if g.tokens > 0 && g.lapse.After(now) && (urgent || len(g.waiting) == 0) {
		g.tokens--
		g.mu.Unlock()
		return &pass{g: g}, nil
	}
	w := &waiter{urgent: urgent, since: now, answer: make(chan error, 1), pass: &pass{g: g}}
	g.waiting = append(g.waiting, w)
	if !g.pumping {
		g.pumping = true
		g.b.flights.Add(1)
		go func() {
			defer g.b.flights.Done()
			g.pump()
		}()
	}
	g.mu.Unlock()
	select {
	case err := <-w.answer:
		if err != nil {
			return nil, err
		}
		return w.pass, nil
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		for i := range g.waiting {
			if g.waiting[i] == w {
				g.waiting = append(g.waiting[:i:i], g.waiting[i+1:]...)
				return nil, ctx.Err()
			}
		}
		if err := <-w.answer; err == nil { // it came at the same moment
			return w.pass, nil
		}
		return nil, ctx.Err()
	}
}

// pump serves those who wait until nobody does.
func (g *gate) pump() {
	for {
		g.mu.Lock()
		n := len(g.waiting)
		if n == 0 {
			g.pumping = false
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		got, trial, closed, err := g.take(n)
		if again := g.serve(got, trial, closed, err); !again.IsZero() {
			if sleep(g.b.ctx, max(again.Sub(g.b.clock.store()), 10*time.Millisecond)) != nil {
				g.serve(0, false, notYet{}, g.b.ctx.Err())
			}
		}
	}
}

// serve hands out what was taken, callers first, and sends away who need not
// wait. It tells when to take again; zero: now.
func (g *gate) serve(got int, trial bool, closed notYet, err error) (again time.Time) {
	now := g.b.clock.store()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
	for _, urgent := range []bool{true, false} {
		for _, w := range g.waiting {
			if w.urgent == urgent && got > 0 {
				got--
				w.pass.trial, trial = trial, false
				w.served = true
				w.answer <- nil
			}
		}
	}
	g.tokens, g.lapse = got, now.Add(batchLapse)
	left := g.waiting[:0]
	for _, w := range g.waiting {
		switch {
		case w.served:
		case err != nil:
			w.answer <- err
		case closed.until.IsZero():
			left = append(left, w) // more came while the store was asked
		case closed.down, !w.urgent, closed.until.Sub(w.since) > longestTry:
			refused := closed
			w.answer <- &refused
		default:
			left = append(left, w)
			again = closed.until
		}
	}
	clear(g.waiting[len(left):])
	g.waiting = left
	return again
}

// take takes from the store what n requests need, and a little more for the next
// ones. Else it tells until when there is nothing to take.
func (g *gate) take(n int) (got int, trial bool, closed notYet, err error) {
	closed.name = g.name
	err = g.change(func(p *Pace, now time.Time) bool {
		got, trial, closed.until, closed.down = 0, false, time.Time{}, false
		switch {
		case p.Blocked.After(now):
			closed.until, closed.down = p.Blocked, true
			return false
		case p.Failures >= tripAfter && p.Trial.After(now):
			// Another replica tries whether it is back; it may know in a moment.
			closed.until, closed.down = earlier(p.Trial, now.Add(time.Second)), true
			return false
		case p.Failures >= tripAfter:
			p.Trial = now.Add(g.b.opt.Deadline + margin)
			got, trial = 1, true
			return true
		case p.Tokens < 1:
			closed.until = now.Add(time.Duration((1 - p.Tokens) / p.Rate * float64(time.Second)))
			return false
		}
		ahead := n + int(p.Rate/4)
		got = min(ahead, max(1, int(p.Tokens/2)))
		p.Tokens -= float64(got)
		return true
	})
	switch {
	case errors.Is(err, ErrStale): // too many wrote at once
		return 0, false, notYet{name: g.name, until: g.b.clock.store().Add(50 * time.Millisecond)}, nil
	case err != nil: // what was not written down was not taken
		return 0, false, notYet{name: g.name}, err
	}
	return got, trial, closed, nil
}

// change reads the pace, filled up to now, and writes what f makes of it, where
// f is true. Of replicas that write at once one is first, the others look again.
func (g *gate) change(f func(p *Pace, now time.Time) bool) error {
	ctx := g.b.ctx
	for try := range 20 {
		p, err := g.b.opt.Store.Pace(ctx, g.name)
		if err != nil {
			return err
		}
		now := g.b.clock.store()
		g.fill(&p, now)
		write := f(&p, now)
		if write {
			err = g.b.opt.Store.SetPace(ctx, p)
		}
		if err == nil {
			g.mu.Lock()
			g.pace = p
			g.mu.Unlock()
			return nil
		}
		if !errors.Is(err, ErrStale) {
			return err
		}
		if err := sleep(ctx, jittered(time.Duration(try+1)*time.Millisecond)); err != nil {
			return err
		}
	}
	return ErrStale
}

// fill adds what came together since the pace was written: requests at its rate,
// and a rate that grows back to the full one.
func (g *gate) fill(p *Pace, now time.Time) {
	if p.Rate <= 0 {
		p.Name, p.Rate, p.Tokens, p.Filled = g.name, g.b.opt.Rate, g.b.opt.Burst, now
	}
	since := now.Sub(p.Filled)
	if since <= 0 {
		return
	}
	p.Tokens = min(p.Tokens+p.Rate*since.Seconds(), g.b.opt.Burst, max(1, p.Rate))
	if p.Failures == 0 {
		p.Rate = min(g.b.opt.Rate, p.Rate*math.Exp2(float64(min(since, doubling))/float64(doubling)))
	}
	p.Filled = now
}

// spend tells that the request was sent.
func (p *pass) spend() {
	if p != nil {
		p.spent = true
	}
}

// giveBack returns a pass that was not used.
func (p *pass) giveBack() {
	if p == nil || p.spent {
		return
	}
	p.spent = true
	if p.trial {
		_ = p.g.change(func(shared *Pace, now time.Time) bool {
			shared.Trial = time.Time{}
			return true
		})
		return
	}
	p.g.mu.Lock()
	defer p.g.mu.Unlock()
	p.g.tokens++
}

// report tells what became of the request: whether the endpoint is well, and how
// long it wants to be left alone.
func (p *pass) report(well bool, retryAfter time.Duration) {
	if p == nil {
		return
	}
	g := p.g
	g.mu.Lock()
	known := g.pace
	g.mu.Unlock()
	if well && !p.trial && known.Failures == 0 {
		return
	}
	var closed notYet
	err := g.change(func(s *Pace, now time.Time) bool {
		closed = notYet{name: g.name, down: true}
		if well {
			if s.Failures >= tripAfter {
				s.Tokens = 1 // it is back: the rate is slow still, for everybody waits for it
			}
			s.Failures, s.Blocked, s.Trial = 0, time.Time{}, time.Time{}
			return true
		}
		if s.Blocked.After(now) && !p.trial {
			return false // a late answer to a request from before it was closed
		}
		s.Failures++
		if retryAfter > 0 {
			s.Blocked = now.Add(jitteredUp(min(retryAfter, longestAsk)))
			s.Rate = max(min(slowRate, g.b.opt.Rate), s.Rate/2)
			s.Tokens = 0
		}
		if s.Failures >= tripAfter {
			open := min(openFirst<<min(s.Failures-tripAfter, 10), openMost)
			s.Blocked = later(s.Blocked, now.Add(jittered(open)))
			s.Rate, s.Tokens = min(slowRate, g.b.opt.Rate), 0
		}
		s.Trial = time.Time{}
		closed.until = s.Blocked
		return true
	})
	if err != nil {
		g.b.opt.Log.Warn("what an endpoint answered could not be shared", "endpoint", g.name, "err", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if well {
		g.closed = notYet{}
	} else if closed.until.After(g.closed.until) {
		g.closed, g.tokens = closed, 0
	}
}

func jitteredUp(d time.Duration) time.Duration { return d + jittered(d/10) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
