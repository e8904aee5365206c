package broker

import (
	"context"
	"errors"
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
	ctx      context.Context
	cancel   context.CancelFunc
	flights  group
	precious group // of them, those whose answer is the only successor of a refresh token
	hushed   chan struct{}
	hush     func()

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
	b.hushed = make(chan struct{})
	b.hush = sync.OnceFunc(func() { close(b.hushed) })
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

// Hush is for a server that is about to stop: no request is begun any more, and
// callers who wait are given what there is, or told to ask again. Requests that
// are under way go on.
func (b *Broker) Hush() { b.hush() }

// errHushed tells that the broker begins nothing any more.
var errHushed = errors.New("this usher is stopping")

// stopping tells whether Hush was called.
func (b *Broker) stopping() bool {
	select {
	case <-b.hushed:
		return true
	default:
		return false
	}
}

// closeSoon is how long Close waits for requests that can be sent again.
const closeSoon = 5 * time.Second

// Close waits for renewals that are under way, and ends the others: a few seconds
// for those that can be asked for again, and as long as Options.Grace says for
// those that present a single-use refresh token, whose answer comes once. Run
// does it at its end.
func (b *Broker) Close() {
	b.Hush()
	select {
	case <-b.flights.idle():
	case <-time.After(min(b.opt.Grace, closeSoon)):
	}
	if n := b.precious.count(); n > 0 && b.opt.Grace > closeSoon {
		b.opt.Log.Info("usher waits for answers that come once: they hold the next refresh token", "renewals", n, "at_most", b.opt.Grace)
		select {
		case <-b.precious.idle():
		case <-time.After(b.opt.Grace - closeSoon):
		}
	}
	if n := b.precious.count(); n > 0 {
		b.opt.Log.Warn("renewals that are under way are cut off", "renewals", n)
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

// count tells how many are under way.
func (g *group) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.n
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
