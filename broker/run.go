package broker

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// Broker keeps the tokens of connections alive. It is safe for concurrent use.
//
// What it holds to, whatever dies in between:
//   - A refresh token that may be spent is never presented again: an attempt is
//     on the disk before a request is sent, and one that stands is waited for,
//     then asked about.
//   - A new token is on the disk before anybody is given it, and an answer is
//     stored by the generation that it follows, whoever holds the lease by then.
//   - In a process there is one renewal of a connection at a time, over replicas
//     one lease.
//   - A token from the cache lives as long as was promised, or says that it does
//     not.
type Broker struct {
	opt   Options
	clock clock
	cache cache

	// ctx is that of renewals: it outlives callers, and Run by Options.Grace.
	ctx     context.Context
	cancel  context.CancelFunc
	flights group

	unsent  unsent
	gatesMu sync.Mutex
	gates   map[string]*gate

	subscribers subscribers
	kick        chan struct{} // wakes the scheduler
	fed         atomic.Int64  // when the change feed last answered, local ns
	timed       atomic.Bool   // the store's time is known
}

// New makes a broker. It asks nobody yet: Run does. Token works without Run too,
// but then nothing is renewed before it is asked for.
func New(opt Options) *Broker {
	opt.fill()
	b := &Broker{opt: opt, gates: map[string]*gate{}, kick: make(chan struct{}, 1)}
	b.clock.now = opt.Now
	b.cache.seed = maphash.MakeSeed()
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// Run renews tokens when they are due and follows what other replicas write,
// until ctx ends. It waits then for requests that are under way, as long as
// Options.Grace says; the broker is of no more use after it.
func (b *Broker) Run(ctx context.Context) error {
	b.tellTime(ctx)
	s := &scheduler{b: b, off: map[string]deferral{}, at: map[*gate]int{}, done: make(chan ended)}
	f := &follower{b: b}
	var parts sync.WaitGroup
	parts.Go(func() { s.run(ctx) })
	parts.Go(func() { f.run(ctx) })
	parts.Go(func() { b.noteUse(ctx) })
	<-ctx.Done()
	b.Close()
	parts.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	b.flushUse(last)
	return nil
}

// Close waits for renewals that are under way, as long as Options.Grace says,
// and ends the others. Run does it at its end.
func (b *Broker) Close() {
	select {
	case <-b.flights.idle():
	case <-time.After(b.opt.Grace):
		b.opt.Log.Warn("renewals that are under way are cut off")
	}
	b.cancel()
	<-b.flights.idle()
}

// wake has the scheduler look at once.
func (b *Broker) wake() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

// group counts what is under way; unlike a sync.WaitGroup it may grow while
// somebody waits.
type group struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n falls to 0
}

func (g *group) Add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n += n
}

func (g *group) Done() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 && g.none != nil {
		close(g.none)
		g.none = nil
	}
}

// idle is closed when nothing is under way.
func (g *group) idle() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.none == nil {
		g.none = make(chan struct{})
	}
	none := g.none
	if g.n == 0 {
		close(none)
		g.none = nil
	}
	return none
}
