package broker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// grip is a lease that is held and extended until it is let go. A lease that is
// lost all the same (the process stood still, the store was away) does not stop
// what is under way: attempts and generations keep it safe, the lease only keeps
// others from waiting in vain.
type grip struct {
	b    *Broker
	l    Lease
	lost atomic.Bool
	stop context.CancelFunc
	done sync.WaitGroup
}

// grip takes the lease of a connection, or ErrHeld.
func (b *Broker) grip(ctx context.Context, id string) (*grip, error) {
	l, err := b.opt.Store.Acquire(ctx, "connection/"+id, b.opt.Holder, b.opt.Lease)
	if err != nil {
		return nil, err
	}
	keep, stop := context.WithCancel(context.WithoutCancel(ctx))
	g := &grip{b: b, l: l, stop: stop}
	g.done.Go(func() { g.keep(keep) })
	return g, nil
}

// keep extends the lease every third of its time.
func (g *grip) keep(ctx context.Context) {
	for sleep(ctx, g.b.opt.Lease/3) == nil {
		err := g.b.opt.Store.Extend(ctx, g.l, g.b.opt.Lease)
		if errors.Is(err, ErrLost) {
			g.lost.Store(true)
			return
		}
	}
}

// letGo gives the lease back. Where the store is away it runs out by itself.
func (g *grip) letGo() {
	g.stop()
	g.done.Wait()
	if g.lost.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := g.b.opt.Store.Release(ctx, g.l); err != nil {
		g.b.opt.Log.Debug("a lease was not given back and runs out by itself", "lease", g.l.Name, "err", err)
	}
}
