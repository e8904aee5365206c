package broker

import (
	"context"
	"errors"
	"sync"
	"time"
)

// overlap is how far back the store is asked again: what was written at once may
// be seen late.
const overlap = 2 * time.Second

// follower takes in what other replicas write, so that a renewal, a new
// configuration or a removal elsewhere is known here within a second.
type follower struct {
	b     *Broker
	since time.Time
	seen  map[string]Changed // of the overlap
	away  bool
}

// run follows until ctx ends.
func (f *follower) run(ctx context.Context) {
	for {
		f.poll(ctx)
		if sleep(ctx, f.b.opt.Poll) != nil {
			return
		}
	}
}

// poll asks once.
func (f *follower) poll(ctx context.Context) {
	b := f.b
	if f.since.IsZero() {
		f.since = b.clock.store().Add(-overlap)
	}
	asked := b.clock.now()
	changes, now, err := b.opt.Store.Changed(ctx, f.since)
	if err != nil {
		if !f.away && ctx.Err() == nil {
			b.opt.Log.Warn("the store does not say what changed; tokens are given from the cache while they live", "err", err)
		}
		f.away = true
		return
	}
	f.away = false
	b.learn(asked, now)
	f.since = now.Add(-overlap)
	b.fed.Store(b.clock.now().UnixNano())

	seen := make(map[string]Changed, len(changes))
	var stale []*entry
	for _, c := range changes {
		seen[c.ID] = c
		if f.seen[c.ID] == c {
			continue
		}
		if e := b.cache.get(c.ID); e == nil || e.held.Load() == nil {
			b.wake() // it may be due sooner than the scheduler knows
		}
		if e := f.outdated(c); e != nil {
			stale = append(stale, e)
		}
	}
	f.seen = seen
	f.reload(ctx, stale)
}

// outdated gives the entry that a change makes old; nil: none.
func (f *follower) outdated(c Changed) *entry {
	b := f.b
	e := b.cache.get(c.ID)
	wanted := b.wanted(c.ID)
	if c.Removed {
		if e != nil {
			if h := e.held.Load(); h == nil || h.status.Version < c.Version {
				b.forget(e)
			}
		} else if wanted {
			b.tell(Change{ID: c.ID, Removed: true})
		}
		return nil
	}
	if e == nil {
		if !wanted {
			return nil
		}
		e = b.cache.entry(c.ID)
	}
	h := e.held.Load()
	if h != nil && h.status.Version >= c.Version && h.record >= c.Revision {
		return nil // written here
	}
	if !wanted && b.clock.now().Unix()/60-e.used.Load() > 10 && !e.flying() {
		b.cache.drop(e) // nobody uses it: who does reads it anew
		return nil
	}
	return e
}

// reload reads what is old anew, a few at a time.
func (f *follower) reload(ctx context.Context, stale []*entry) {
	var all sync.WaitGroup
	slots := make(chan struct{}, 16)
	for _, e := range stale {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			f.b.reload(ctx, e)
		})
	}
	all.Wait()
}

// reload reads one connection into the cache.
func (b *Broker) reload(ctx context.Context, e *entry) {
	rec, err := b.opt.Store.Connection(ctx, e.id)
	if err == nil {
		_, err = b.adopt(ctx, e, rec)
	}
	switch {
	case errors.Is(err, ErrNotFound):
		b.forget(e)
	case err != nil:
		e.mu.Lock()
		e.held.Store(nil) // it is old: who wants it asks the store
		e.mu.Unlock()
	}
}

// forget drops a connection that was taken away.
func (b *Broker) forget(e *entry) {
	known := e.held.Load() != nil
	b.cache.drop(e)
	if known {
		b.tell(Change{ID: e.id, Removed: true})
	}
}

// learn takes the store's time in, which was asked for at a local one. Where this
// replica's clock moved, what was converted by it is forgotten.
func (b *Broker) learn(asked, store time.Time) {
	if b.clock.learn(asked, store, b.clock.now()) {
		b.opt.Log.Warn("this machine's clock differs from the store's, which counts", "ahead", b.clock.now().Sub(store).Round(time.Millisecond).String())
		for e := range b.cache.all {
			e.mu.Lock()
			e.held.Store(nil)
			e.mu.Unlock()
		}
	}
	b.timed.Store(true)
}

// tellTime asks the store for its time where nobody has yet.
func (b *Broker) tellTime(ctx context.Context) {
	if b.timed.Load() {
		return
	}
	asked := b.clock.now()
	if _, now, err := b.opt.Store.Changed(ctx, asked); err == nil {
		b.learn(asked, now)
	}
}

// following tells whether changes are followed, so that the cache is right.
func (b *Broker) following() bool {
	return time.Duration(b.clock.now().UnixNano()-b.fed.Load()) < 3*time.Second+b.opt.Poll
}

// noteUse tells the store now and then when callers last took tokens.
func (b *Broker) noteUse(ctx context.Context) {
	for sleep(ctx, time.Minute) == nil {
		b.flushUse(ctx)
	}
}

func (b *Broker) flushUse(ctx context.Context) {
	at := map[string]time.Time{}
	for e := range b.cache.all {
		if used := e.used.Load(); used > e.told.Load() {
			at[e.id] = b.clock.stored(time.Unix(used*60, 0))
			e.told.Store(used)
		}
	}
	if len(at) == 0 {
		return
	}
	if err := b.opt.Store.Used(ctx, at); err != nil {
		b.opt.Log.Warn("when tokens were last taken could not be noted", "err", err)
		for id := range at {
			if e := b.cache.get(id); e != nil {
				e.told.Store(0)
			}
		}
	}
}
