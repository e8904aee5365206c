package broker_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"usher/broker"
	"usher/test/broker/strict"
)

// cutOff is a store whose connection breaks when an attempt has been written
// down and before that is confirmed.
type cutOff struct {
	broker.Store
	cuts *atomic.Int64
}

func (s cutOff) Begin(ctx context.Context, id string, l broker.Lease, version int64, a broker.Attempt, spent string, replaces int64) (int64, error) {
	next, err := s.Store.Begin(ctx, id, l, version, a, spent, replaces)
	if err == nil && s.cuts.Add(-1) >= 0 {
		return 0, errors.New("the connection to the database broke")
	}
	return next, err
}

// TestWhatWasNeverSentIsNotLost: a replica that wrote an attempt down, was not
// told so and sent nothing knows that the refresh token is not spent. At a
// provider that cannot be asked, nobody else does: no person is asked for it, and
// nobody waits until the attempt is surely over.
func TestWhatWasNeverSentIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := strict.New(time.Now, strict.Sleep)
		f := newLocal(t.Context(), 0, settings{Policies: policies()}, p)
		cuts := new(atomic.Int64)
		cuts.Store(2)
		f.store = cutOff{f.store, cuts}
		f.nodes = append(f.nodes, f.start())
		defer f.close()
		r := draw(rand.New(rand.NewPCG(1, 1)), 1, 10, "https://provider.test", 0)
		r.client = strict.Client{ID: r.client.ID, Secret: r.client.Secret, Style: r.client.Style, Blind: true}
		r.config.Endpoints.Introspection = ""
		r.config.Grant, r.config.Policy, r.life, r.moment, r.spread, r.api = broker.GrantCode, "tight", 10*time.Second, 0, 0, false
		if err := r.play(f, p, rand.New(rand.NewPCG(1, 1)), "", time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		finals, err := f.finals([]string{r.client.ID})
		if err != nil || finals[0].State != string(broker.StateAlive) || finals[0].Generation != 2 {
			t.Errorf("in the end: %+v, %v", finals, err)
		}
		h := f.log().history()
		p.History(h)
		if took := h.Requests[0].Arrived.Sub(h.Issued[0].At); len(h.Requests) != 1 || took > 20*time.Second {
			t.Errorf("%d requests, the first after %s", len(h.Requests), took)
		}
	})
}
