package broker_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"usher/broker/memory"
)

// TestRenewRenews asks for renewals as fast as they go. One that is asked for
// while another one comes to its end is not told that nothing was renewed.
func TestRenewRenews(t *testing.T) {
	br, ids := quick(t, memory.New(nil), 64)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for {
				i := int(next.Add(1))
				if i > 3000 {
					return
				}
				if _, err := br.Renew(t.Context(), ids[i%len(ids)]); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
