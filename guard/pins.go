package guard

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A trusted name that lies in public moves by itself (load balancers), so that
// its addresses are looked up again after a while; one that lies inside stays
// where it was found.
const pinnedPublic = 5 * time.Minute

// pins keep the addresses that trusted origins resolved to.
type pins struct {
	resolver Resolver
	now      func() time.Time
	mu       sync.Mutex
	byName   map[string]*pin
	inside   func(netip.Addr) string // inside, but in tests
}

// pin is where one host lies.
type pin struct {
	turn   chan struct{} // held during a look-up and while the rest is read
	addrs  []netip.Addr
	public bool // all of them
	until  time.Time
}

func newPins(r Resolver, now func() time.Time) *pins {
	return &pins{resolver: r, now: now, byName: map[string]*pin{}, inside: inside}
}

func (p *pins) forget(dialled string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byName, dialled)
}

func (p *pins) get(dialled string) *pin {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byName[dialled] == nil {
		p.byName[dialled] = &pin{turn: make(chan struct{}, 1)}
	}
	return p.byName[dialled]
}

// lookup gives the pinned addresses of a host. The map is bounded by the number
// of trusted origins: nobody else is pinned.
func (p *pins) lookup(ctx context.Context, dialled, host string) ([]netip.Addr, error) {
	n := p.get(dialled)
	select {
	case n.turn <- struct{}{}:
		defer func() { <-n.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if n.addrs != nil && (!n.public || p.now().Before(n.until)) {
		return n.addrs, nil
	}
	found, err := resolve(ctx, p.resolver, host)
	if err != nil {
		if n.addrs != nil {
			return n.addrs, nil // a name server that is away does not move the host
		}
		return nil, err
	}
	public := !slices.ContainsFunc(found, func(a netip.Addr) bool { return p.inside(a) != "" })
	if n.addrs != nil && !public {
		// It was outside and now leads inside: rebinding. What was known stays.
		return n.addrs, nil
	}
	n.addrs, n.public, n.until = found, public, p.now().Add(pinnedPublic)
	return n.addrs, nil
}

// resolve gives the addresses of a name or of a literal.
func resolve(ctx context.Context, r Resolver, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	found, err := r.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	const most = 16
	return found[:min(len(found), most)], nil
}
