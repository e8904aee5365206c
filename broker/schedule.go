package broker

import (
	"context"
	"sync/atomic"
	"time"
)

// scheduler renews what is due. What cannot be renewed now (its endpoint is
// away, another replica has it) is put off in memory and costs the store nothing
// until then; what failed has a new RenewAt in the store.
type scheduler struct {
	b    *Broker
	off  map[string]deferral // by id
	busy atomic.Int64        // renewals under way
	at   map[*gate]int       // of them, by the gate that they went through
	done chan ended
}

// deferral is a connection that is due and cannot be renewed now.
type deferral struct {
	until time.Time // by the store's clock
	gate  *gate     // that it waits at; nil: none
}

type ended struct {
	id string
	f  *flight
	g  *gate // nil: not known
}

// run renews until ctx ends.
func (s *scheduler) run(ctx context.Context) {
	for ctx.Err() == nil {
		next := s.round(ctx)
		s.wait(ctx, next)
	}
	for s.busy.Load() > 0 {
		<-s.done
		s.busy.Add(-1)
	}
}

// lookAgain is how long the scheduler sleeps at most. It is woken by what is
// added, by the change feed and by renewals that end; nobody tells it that the
// lease of a replica that was killed has run out, nor that a caller has renewed.
// It is less than leastApart, so that nothing is due before it looks.
const lookAgain = 5 * time.Second

// round begins the renewal of what is due and gives when to look again.
func (s *scheduler) round(ctx context.Context) time.Time {
	b := s.b
	now := b.clock.store()
	next := now.Add(lookAgain)
	free := b.opt.Workers - int(s.busy.Load())
	if free <= 0 {
		return next // a renewal that ends wakes it
	}
	ids, err := b.opt.Store.Due(ctx, now, free+int(s.busy.Load())+len(s.off))
	if err != nil {
		b.opt.Log.Warn("the store does not say what is due", "err", err)
		return now.Add(time.Second)
	}
	for _, id := range ids {
		if d, off := s.off[id]; off {
			if d.until.After(now) {
				continue
			}
			if shut, ok := s.shut(d.gate, now); ok {
				s.off[id] = deferral{shut, d.gate}
				continue
			}
			delete(s.off, id)
		}
		if free == 0 {
			return next
		}
		if s.begin(ctx, id, now) {
			free--
		}
	}
	for id, d := range s.off {
		switch {
		case !d.until.After(now):
			delete(s.off, id) // it is not due any more
		case d.until.Before(next):
			next = d.until
		}
	}
	if at, err := b.opt.Store.Next(ctx, now); err == nil && !at.IsZero() && at.Before(next) {
		next = at
	}
	if least := now.Add(time.Second); len(s.off) > 100 && next.Before(least) {
		next = least // each look goes through all of them
	}
	return next
}

// begin begins one renewal, or puts it off.
func (s *scheduler) begin(ctx context.Context, id string, now time.Time) bool {
	e := s.b.cache.entry(id)
	if e.flying() {
		return false
	}
	var p *pass
	var g *gate
	if h := e.held.Load(); h != nil {
		g = s.b.gate(h.config.Endpoints.Token)
		if s.at[g] >= max(1, s.b.opt.Workers*3/4) {
			s.off[id] = deferral{until: now.Add(time.Second), gate: g} // the others are for other endpoints
			return false
		}
		var err error
		if p, err = g.enter(ctx, false); err != nil {
			s.off[id] = deferral{until: now.Add(5 * time.Second), gate: g}
			if shut, ok := s.shut(g, now); ok {
				s.off[id] = deferral{shut, g}
			}
			return false
		}
	}
	f := s.b.fly(e, want{scheduled: true}, p)
	s.busy.Add(1)
	s.at[g]++
	go func() {
		<-f.done
		s.done <- ended{id, f, g}
	}()
	return true
}

// shut tells until when a gate is known to be closed.
func (s *scheduler) shut(g *gate, now time.Time) (until time.Time, ok bool) {
	if g == nil {
		return until, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed.until, g.closed.until.After(now)
}

// wait sleeps until the next round, and takes in what has ended.
func (s *scheduler) wait(ctx context.Context, next time.Time) {
	t := time.NewTimer(max(next.Sub(s.b.clock.store()), 50*time.Millisecond))
	defer t.Stop()
	full := int(s.busy.Load()) >= s.b.opt.Workers
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			return
		case <-s.b.kick:
			return
		case d := <-s.done:
			s.busy.Add(-1)
			if s.at[d.g]--; s.at[d.g] <= 0 {
				delete(s.at, d.g)
			}
			now := s.b.clock.store()
			if h := d.f.held; h == nil || d.f.until.After(now) || !h.status.RenewAt.After(now) {
				until := later(d.f.until, now.Add(time.Second))
				s.off[d.id] = deferral{until: until}
				if until.Before(next) {
					next = until
					t.Reset(max(next.Sub(now), 50*time.Millisecond))
				}
			}
			if full {
				return
			}
		}
	}
}
