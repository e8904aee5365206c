package broker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"usher/broker"
)

// A token that lives for seconds is due again before the scheduler would look by
// itself; nobody asks for it, and it never runs short.
func TestSchedulerKeepsShortLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.provider.set(func(p *provider) { p.life = 15 * time.Second })
		b := h.replica("one")
		stop := h.run(b)
		defer stop()
		c, k := machine()
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		for range 600 {
			if v := h.view(b); v.Status.Generation == 0 || time.Until(v.Status.RenewAt) < -time.Second {
				t.Fatalf("it was to be renewed at %s, and it is %s", v.Status.RenewAt, time.Now())
			}
			time.Sleep(time.Second)
		}
	})
}
