package broker

import (
	"context"
	"time"
)

// flight is the one renewal of a connection that is under way in this process.
// Whoever wants a token meanwhile shares what it comes to. It belongs to the
// broker and not to the caller who began it: callers may leave.
type flight struct {
	done chan struct{} // closed when the fields below are set
	held *held         // nil: there is no such connection, or nothing could be read
	err  error

	tried bool      // the provider was asked, or would have been but for its patience
	until time.Time // by the store's clock: not worth trying before; zero: nothing is said
}

// fly begins a renewal, or gives the one that is under way. p is a pass that the
// scheduler has for it.
func (b *Broker) fly(e *entry, w want, p *pass) *flight {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flight != nil {
		p.giveBack()
		return e.flight
	}
	f := &flight{done: make(chan struct{})}
	e.flight = f
	b.flights.Add(1)
	go func() {
		defer b.flights.Done()
		f.held, f.err = b.renew(b.ctx, e, w, f, p)
		e.mu.Lock()
		e.flight = nil
		e.mu.Unlock()
		if e.held.Load() == nil {
			b.cache.drop(e) // nothing is kept of names that nobody could look up
		}
		close(f.done)
	}()
	return f
}

// flying tells whether a renewal is under way.
func (e *entry) flying() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.flight != nil
}

// sleep waits, by the machine's clock. It gives the error of ctx when that ends
// before.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
