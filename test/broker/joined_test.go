package broker_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"usher/broker"
	"usher/test/broker/strict"
)

// eager is a store whose Due tells of connections although another replica has
// just taken them: as who asked a moment before sees it.
type eager struct{ broker.Store }

func (s eager) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	list, err := s.Connections(ctx, "", limit)
	var ids []string
	for _, r := range list {
		if !r.Status.RenewAt.IsZero() && !r.Status.RenewAt.After(now) {
			ids = append(ids, r.Config.ID)
		}
	}
	return ids, err
}

// TestJoinedCallersWait: two schedulers find a connection due at once, and the
// provider takes 30 s. The callers of the one that came second wait as those of
// the first do, whatever its scheduler thought of it: neither are they refused
// nor given what lives too short.
func TestJoinedCallersWait(t *testing.T) {
	for _, moment := range []time.Duration{promised - 100*time.Millisecond, 0} {
		synctest.Test(t, func(t *testing.T) {
			s := settings{Policies: policies()}
			p := strict.New(time.Now, strict.Sleep)
			f := newLocal(t.Context(), 1, s, p)
			f.store = eager{f.store}
			f.nodes = append(f.nodes, f.start())
			defer f.close()
			r := draw(rand.New(rand.NewPCG(1, 1)), 1, 100, "https://provider.test", 0)
			r.client.Before, r.client.After, r.client.Lives, r.life, r.moment, r.spread = 30*time.Second, 0, true, 10*time.Second, moment, 0
			r.config.Grant, r.config.Policy = broker.GrantCode, "tight"
			if err := r.play(f, p, rand.New(rand.NewPCG(1, 1)), "", time.Minute); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
			h := f.log().history()
			p.History(h)
			for _, c := range h.Calls {
				if c.Generation != 2 {
					t.Errorf("%s before the end: %s: %d callers got generation %d (short %t, %s %s)", moment, c.Replica, c.Count, c.Generation, c.Short, c.State, c.Err)
				}
			}
		})
	}
}
