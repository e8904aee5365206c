package broker

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
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
	done chan ended
}

type deferral struct {
	until time.Time // by the store's clock
	gate  *gate     // that it waits for; nil: none
}

type ended struct {
	id string
	f  *flight
	g  *gate
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

// round begins the renewal of what is due and gives when to look again.
func (s *scheduler) round(ctx context.Context) time.Time {
	b := s.b
	now := b.clock.store()
	next := now.Add(time.Second)
	maps.DeleteFunc(s.off, func(_ string, d deferral) bool { return !d.until.After(now) })
	free := b.opt.Workers - int(s.busy.Load())
	if free <= 0 {
		return next // a renewal that ends wakes it
	}
	ids, err := b.opt.Store.Due(ctx, now, free+int(s.busy.Load())+len(s.off))
	if err != nil {
		b.opt.Log.Warn("the store does not say what is due", "err", err)
		return next
	}
	for _, id := range ids {
		if free == 0 {
			return next
		}
		if _, off := s.off[id]; off {
			continue
		}
		if s.begin(ctx, id, now) {
			free--
		}
	}
	if at, err := b.opt.Store.Next(ctx, now); err == nil && !at.IsZero() && at.Before(next) {
		next = at
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
		var err error
		if p, err = g.enter(ctx, false); err != nil {
			s.putOff(id, g, now, err)
			return false
		}
	}
	f := s.b.fly(e, want{scheduled: true}, p)
	s.busy.Add(1)
	go func() {
		<-f.done
		s.done <- ended{id, f, g}
	}()
	return true
}

// putOff has a connection wait for its endpoint. Those that wait for the same one
// are spread, so that they do not all come back at once.
func (s *scheduler) putOff(id string, g *gate, now time.Time, err error) {
	until := now.Add(5 * time.Second)
	var closed *notYet
	if errors.As(err, &closed) {
		until = closed.until
	}
	spread := min(time.Duration(len(s.off)+1)*time.Second/50, 30*time.Second)
	s.off[id] = deferral{until: until.Add(rand.N(spread)), gate: g}
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
			now := s.b.clock.store()
			if h := d.f.held; h == nil || d.f.until.After(now) || !h.status.RenewAt.After(now) {
				s.off[d.id] = deferral{until: later(d.f.until, now.Add(time.Second)), gate: d.g}
			}
			if full {
				return
			}
		}
	}
}
