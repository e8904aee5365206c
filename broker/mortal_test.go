package broker_test

import (
	"context"
	"sync"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
)

// mortal is a replica's way to its store and its provider, which a test can cut
// (the process was killed) or halt (it was stopped, and goes on later).
type mortal struct {
	broker.Store
	asker broker.Asker

	// at is called before and after what a replica does: "begin", "begun",
	// "ask", "asked", "answer", "answered", "note".
	at func(m *mortal, step string)

	mu   sync.Mutex
	dead bool
	halt chan struct{} // closed when it goes on; nil: it runs
	away error         // what the store answers; nil: it is there
}

func (m *mortal) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
}

// stop halts the process for a time.
func (m *mortal) stop(d time.Duration) {
	m.mu.Lock()
	halt := make(chan struct{})
	m.halt = halt
	m.mu.Unlock()
	time.Sleep(d)
	m.mu.Lock()
	m.halt = nil
	m.mu.Unlock()
	close(halt)
}

func (m *mortal) storeAway(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = err
}

// live waits while the process is halted, and for ever when it is dead.
func (m *mortal) live(ctx context.Context) error {
	m.mu.Lock()
	dead, halt, away := m.dead, m.halt, m.away
	m.mu.Unlock()
	if dead {
		<-ctx.Done()
		return ctx.Err()
	}
	if halt != nil {
		<-halt
	}
	return away
}

// runs is live for what does not need the store.
func (m *mortal) runs(ctx context.Context) error {
	if err := m.live(ctx); ctx.Err() != nil {
		return err
	}
	return nil
}

func (m *mortal) step(name string) {
	if m.at != nil {
		m.at(m, name)
	}
}

func (m *mortal) Connection(ctx context.Context, id string) (broker.Record, error) {
	if err := m.live(ctx); err != nil {
		return broker.Record{}, err
	}
	return m.Store.Connection(ctx, id)
}

func (m *mortal) Changed(ctx context.Context, since time.Time) ([]broker.Changed, time.Time, error) {
	if err := m.live(ctx); err != nil {
		return nil, time.Time{}, err
	}
	return m.Store.Changed(ctx, since)
}

func (m *mortal) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	if err := m.live(ctx); err != nil {
		return nil, err
	}
	return m.Store.Due(ctx, now, limit)
}

func (m *mortal) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (broker.Lease, error) {
	if err := m.live(ctx); err != nil {
		return broker.Lease{}, err
	}
	return m.Store.Acquire(ctx, name, holder, ttl)
}

func (m *mortal) Extend(ctx context.Context, l broker.Lease, ttl time.Duration) error {
	if err := m.live(ctx); err != nil {
		return err
	}
	return m.Store.Extend(ctx, l, ttl)
}

func (m *mortal) Release(ctx context.Context, l broker.Lease) error {
	if err := m.live(ctx); err != nil {
		return err
	}
	return m.Store.Release(ctx, l)
}

func (m *mortal) Begin(ctx context.Context, id string, l broker.Lease, version int64, a broker.Attempt, spent string, replaces int64) (int64, error) {
	m.step("begin")
	if err := m.live(ctx); err != nil {
		return 0, err
	}
	v, err := m.Store.Begin(ctx, id, l, version, a, spent, replaces)
	m.step("begun")
	if err := m.live(ctx); err != nil {
		return 0, err
	}
	return v, err
}

func (m *mortal) Answer(ctx context.Context, id string, s broker.Status, tokens []byte) error {
	m.step("answer")
	if err := m.live(ctx); err != nil {
		return err
	}
	err := m.Store.Answer(ctx, id, s, tokens)
	m.step("answered")
	if err := m.live(ctx); err != nil {
		return err
	}
	return err
}

func (m *mortal) Note(ctx context.Context, id string, l broker.Lease, s broker.Status, tokens []byte) (int64, error) {
	m.step("note")
	if err := m.live(ctx); err != nil {
		return 0, err
	}
	return m.Store.Note(ctx, id, l, s, tokens)
}

func (m *mortal) Pace(ctx context.Context, name string) (broker.Pace, error) {
	if err := m.live(ctx); err != nil {
		return broker.Pace{}, err
	}
	return m.Store.Pace(ctx, name)
}

func (m *mortal) SetPace(ctx context.Context, p broker.Pace) error {
	if err := m.live(ctx); err != nil {
		return err
	}
	return m.Store.SetPace(ctx, p)
}

func (m *mortal) Ask(ctx context.Context, r grant.Request) (*grant.Answer, error) {
	m.step("ask")
	if err := m.runs(ctx); err != nil {
		return nil, err
	}
	a, err := m.asker.Ask(ctx, r)
	m.step("asked")
	if err := m.runs(ctx); err != nil {
		return nil, err
	}
	return a, err
}

func (m *mortal) Introspect(ctx context.Context, r grant.Request, token usher.Secret, hint string) (bool, error) {
	if err := m.runs(ctx); err != nil {
		return false, err
	}
	return m.asker.Introspect(ctx, r, token, hint)
}

func (m *mortal) Revoke(ctx context.Context, r grant.Request, token usher.Secret, hint string) error {
	return m.asker.Revoke(ctx, r, token, hint)
}

// mortal makes a replica that a test can kill.
func (h *house) mortal(name string, at func(m *mortal, step string)) (*broker.Broker, *mortal) {
	m := &mortal{Store: h.store, asker: h.provider, at: at}
	b := h.replica(name, func(o *broker.Options) { o.Store, o.Ask, o.Grace = m, m, time.Millisecond })
	return b, m
}
