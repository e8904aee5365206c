package broker_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"usher/broker"
	"usher/test/broker/history"
	"usher/test/broker/strict"
)

// lax is a store without the defence: everybody gets the lease, and nobody sees
// another's attempt. It is what most token brokers have.
type lax struct {
	broker.Store
	n *atomic.Int64
}

func (s lax) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (broker.Lease, error) {
	return s.Store.Acquire(ctx, fmt.Sprintf("%s of %s, %d", name, holder, s.n.Add(1)), holder, ttl)
}

func (s lax) Connection(ctx context.Context, id string) (broker.Record, error) {
	r, err := s.Store.Connection(ctx, id)
	r.Status.Attempt, r.Status.Spent = nil, ""
	return r, err
}

func (s lax) Begin(ctx context.Context, id string, l broker.Lease, version int64, a broker.Attempt, spent string, replaces int64) (int64, error) {
	r, err := s.Store.Connection(ctx, id)
	if err != nil {
		return 0, err
	}
	if r.Status.Attempt != nil {
		replaces = r.Status.Attempt.Fence
		a.Fence = max(a.Fence, replaces+1)
	}
	return s.Store.Begin(ctx, id, l, r.Status.Version, a, spent, replaces)
}

// TestRoundsNeedTheDefence takes the lease and the attempt out: the rounds must
// see what comes of it.
func TestRoundsNeedTheDefence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pl := local100()
		pl.rounds, pl.callers, pl.chaos, pl.killed = 30, 100, 0, 0
		p := strict.New(time.Now, strict.Sleep)
		f := newLocal(t.Context(), 0, pl.settings, p)
		f.store = lax{f.store, new(atomic.Int64)}
		for range 3 {
			f.nodes = append(f.nodes, f.start())
		}
		defer f.close()
		seen := map[string]int{}
		for _, v := range pl.play(quiet{t}, f, p, "https://provider.test") {
			seen[v.Promise]++
		}
		t.Log(seen)
		for _, promise := range []string{history.NoReuse, history.NoRevoked} {
			if seen[promise] == 0 {
				t.Errorf("without lease and attempt, %q was kept?", promise)
			}
		}
	})
}

// quiet says nothing of what broke, where it must break.
type quiet struct{ testing.TB }

func (quiet) Error(...any)          {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Logf(string, ...any)   {}
func (quiet) Helper()               {}
