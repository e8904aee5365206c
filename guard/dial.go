package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// dialer dials one kind of origins.
type dialer struct {
	lookup func(ctx context.Context, dialled, host string) ([]netip.Addr, error)
	// refuses judges the address that the socket is about to connect to; empty
	// lets it pass. It stands between the look-up and the connection, so that no
	// answer of a name server gets past it. nil is for what was configured,
	// where the look-up is pinned.
	refuses func(a netip.Addr) (why string)
}

// errInside tells that an address was refused before it was connected to.
type errInside struct {
	host string
	addr netip.Addr
	why  string
}

func (e *errInside) Error() string {
	return fmt.Sprintf("%s leads to %s, %s", e.host, e.addr, e.why)
}

func (d *dialer) dial(ctx context.Context, network, dialled string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(dialled)
	if err != nil {
		return nil, err
	}
	addrs, err := d.lookup(ctx, dialled, host)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	var first error
	for i, a := range inTurn(addrs) {
		most := oneOfMany
		if i == len(addrs)-1 {
			most = lastOne
		}
		conn, err := d.one(ctx, network, host, net.JoinHostPort(a.String(), port), most)
		if err == nil {
			return conn, nil
		}
		var refused *errInside
		if first == nil || noRoute(first) || errors.As(err, &refused) {
			first = err // that there is no route to the one family tells nothing of the other
		}
	}
	return nil, first
}

// inTurn takes IPv6 and IPv4 in turn, beginning with the one that comes first: a
// machine may have a way out for one of them alone.
func inTurn(addrs []netip.Addr) []netip.Addr {
	var one, other []netip.Addr
	for _, a := range addrs {
		if a.Unmap().Is4() == addrs[0].Unmap().Is4() {
			one = append(one, a)
		} else {
			other = append(other, a)
		}
	}
	out := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(one), len(other)) {
		if i < len(one) {
			out = append(out, one[i])
		}
		if i < len(other) {
			out = append(out, other[i])
		}
	}
	return out
}

// How long an address may take: what is asked for may have little time, which
// the transport does not tell, so that one that swallows connections must leave
// the next its turn. A connection comes about in a second, if a packet is lost
// in two.
const (
	oneOfMany = 1500 * time.Millisecond
	lastOne   = 10 * time.Second
)

func (d *dialer) one(ctx context.Context, network, host, address string, most time.Duration) (net.Conn, error) {
	nd := net.Dialer{
		Timeout: most, KeepAlive: 30 * time.Second,
		Control: func(_, real string, _ syscall.RawConn) error {
			if d.refuses == nil {
				return nil
			}
			to, err := netip.ParseAddrPort(real)
			if err != nil {
				return &errInside{host, netip.Addr{}, "which cannot be judged"}
			}
			if why := d.refuses(to.Addr()); why != "" {
				return &errInside{host, to.Addr(), why}
			}
			return nil
		},
	}
	return nd.DialContext(ctx, network, address)
}
