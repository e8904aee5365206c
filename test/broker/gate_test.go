package broker_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"usher/broker"
	"usher/test/broker/history"
)

// gate lets a replica in this process stand still, or die: it is passed before
// and after everything that the replica does outside. Whoever died stays in it
// until the test is over, and gets nothing but errors then.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // closed when it opens; nil: open
	dead bool
}

func newGate() *gate { return &gate{} }

var errDead = errors.New("the replica is dead")

func (g *gate) open(ctx context.Context) error {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut // not ctx: who stands still does not see that either
	}
	if g.isDead() {
		return errDead
	}
	return nil
}

func (g *gate) isDead() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.dead
}

// pause shuts it, and gives what opens it.
func (g *gate) pause() (resume func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		return func() {}
	}
	shut := make(chan struct{})
	g.shut = shut
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.shut == shut {
			g.shut = nil
			close(shut)
		}
	}
}

// kill shuts it for good; release lets what is caught in it end.
func (g *gate) kill() (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dead = true
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
	shut := g.shut
	return sync.OnceFunc(func() { close(shut) })
}

// ledger is a store that says when answers were stored, behind a gate.
type ledger struct {
	store broker.Store
	node  *node
	mu    sync.Mutex
	got   map[string]string // by connection: Ref of the access token of the last answer
}

var _ broker.Store = (*ledger)(nil)

// through does something outside: a replica may stand still or die before it,
// and after it.
func through[T any](ctx context.Context, l *ledger, do func() (T, error)) (T, error) {
	if err := l.node.gate.open(ctx); err != nil {
		var none T
		return none, err
	}
	out, err := do()
	if dead := l.node.gate.open(ctx); dead != nil {
		var none T
		return none, dead
	}
	return out, err
}

func only(ctx context.Context, l *ledger, do func() error) error {
	_, err := through(ctx, l, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (l *ledger) Connections(ctx context.Context, after string, limit int) ([]broker.Record, error) {
	return through(ctx, l, func() ([]broker.Record, error) { return l.store.Connections(ctx, after, limit) })
}

func (l *ledger) Connection(ctx context.Context, id string) (broker.Record, error) {
	return through(ctx, l, func() (broker.Record, error) { return l.store.Connection(ctx, id) })
}

func (l *ledger) Add(ctx context.Context, r broker.Record) error {
	return only(ctx, l, func() error { return l.store.Add(ctx, r) })
}

func (l *ledger) Configure(ctx context.Context, revision int64, c broker.Config, keys []byte) error {
	return only(ctx, l, func() error { return l.store.Configure(ctx, revision, c, keys) })
}

func (l *ledger) Remove(ctx context.Context, id string) error {
	return only(ctx, l, func() error { return l.store.Remove(ctx, id) })
}

func (l *ledger) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return through(ctx, l, func() ([]string, error) { return l.store.Due(ctx, now, limit) })
}

func (l *ledger) Next(ctx context.Context, now time.Time) (time.Time, error) {
	return through(ctx, l, func() (time.Time, error) { return l.store.Next(ctx, now) })
}

func (l *ledger) Changed(ctx context.Context, since time.Time) (changes []broker.Changed, now time.Time, err error) {
	changes, err = through(ctx, l, func() ([]broker.Changed, error) {
		var err error
		changes, now, err = l.store.Changed(ctx, since)
		return changes, err
	})
	return changes, now, err
}

func (l *ledger) Begin(ctx context.Context, id string, lease broker.Lease, version int64, a broker.Attempt, spent string, replaces int64) (int64, error) {
	return through(ctx, l, func() (int64, error) { return l.store.Begin(ctx, id, lease, version, a, spent, replaces) })
}

// Answer is where a token becomes durable: it says so before the broker knows.
// It is slow to begin, so that who does not wait for it is seen.
func (l *ledger) Answer(ctx context.Context, id string, s broker.Status, tokens []byte) error {
	return only(ctx, l, func() error {
		time.Sleep(20 * time.Millisecond)
		l.mu.Lock()
		ref := l.got[id]
		l.mu.Unlock()
		stored := history.Stored{Replica: l.node.name, Conn: id, Ref: ref, Generation: s.Generation, Begin: l.node.now()}
		l.node.log(record{Stored: &stored})
		err := l.store.Answer(ctx, id, s, tokens)
		if l.node.gate.isDead() {
			return errDead // whoever dies here does not tell
		}
		ended := stored
		ended.End = l.node.now()
		if err != nil {
			ended.Err, ended.Stale = err.Error(), errors.Is(err, broker.ErrStale)
		}
		l.node.log(record{Stored: &ended})
		return err
	})
}

func (l *ledger) Note(ctx context.Context, id string, lease broker.Lease, s broker.Status, tokens []byte) (int64, error) {
	return through(ctx, l, func() (int64, error) { return l.store.Note(ctx, id, lease, s, tokens) })
}

func (l *ledger) Used(ctx context.Context, at map[string]time.Time) error {
	return only(ctx, l, func() error { return l.store.Used(ctx, at) })
}

func (l *ledger) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (broker.Lease, error) {
	return through(ctx, l, func() (broker.Lease, error) { return l.store.Acquire(ctx, name, holder, ttl) })
}

func (l *ledger) Extend(ctx context.Context, lease broker.Lease, ttl time.Duration) error {
	return only(ctx, l, func() error { return l.store.Extend(ctx, lease, ttl) })
}

func (l *ledger) Release(ctx context.Context, lease broker.Lease) error {
	return only(ctx, l, func() error { return l.store.Release(ctx, lease) })
}

func (l *ledger) Pace(ctx context.Context, name string) (broker.Pace, error) {
	return through(ctx, l, func() (broker.Pace, error) { return l.store.Pace(ctx, name) })
}

func (l *ledger) SetPace(ctx context.Context, p broker.Pace) error {
	return only(ctx, l, func() error { return l.store.SetPace(ctx, p) })
}

func (l *ledger) PutFlow(ctx context.Context, f broker.Flow) error {
	return only(ctx, l, func() error { return l.store.PutFlow(ctx, f) })
}

func (l *ledger) TakeFlow(ctx context.Context, hash string) (broker.Flow, error) {
	return through(ctx, l, func() (broker.Flow, error) { return l.store.TakeFlow(ctx, hash) })
}

func (l *ledger) Blobs(ctx context.Context, kind string) ([]broker.Blob, error) {
	return through(ctx, l, func() ([]broker.Blob, error) { return l.store.Blobs(ctx, kind) })
}

func (l *ledger) Blob(ctx context.Context, kind, name string) (broker.Blob, error) {
	return through(ctx, l, func() (broker.Blob, error) { return l.store.Blob(ctx, kind, name) })
}

func (l *ledger) PutBlob(ctx context.Context, b broker.Blob) error {
	return only(ctx, l, func() error { return l.store.PutBlob(ctx, b) })
}

func (l *ledger) DropBlob(ctx context.Context, b broker.Blob) error {
	return only(ctx, l, func() error { return l.store.DropBlob(ctx, b) })
}
