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
	for _, a := range addrs {
		conn, err := d.one(ctx, network, host, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		var refused *errInside
		if first == nil || errors.As(err, &refused) {
			first = err
		}
	}
	return nil, first
}

func (d *dialer) one(ctx context.Context, network, host, address string) (net.Conn, error) {
	nd := net.Dialer{
		Timeout: 10 * time.Second, KeepAlive: 30 * time.Second,
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
