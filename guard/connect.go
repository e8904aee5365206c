package guard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"usher"
)

// Stages of a Connection, in their order.
const (
	StageResolve = "resolve"
	StageConnect = "connect"
	StageTLS     = "tls"
	StageDone    = "done"
)

// Hello says what a look offers. The zero value offers everything that Go's TLS
// knows, also what nobody should speak any more, so that a server that speaks
// nothing better is seen as well.
type Hello struct {
	Min, Max uint16   // versions; 0 is TLS 1.0, and the newest
	Suites   []uint16 // of TLS 1.2 and older; nil is every suite
}

// Connection is a look at the way to an origin: what it resolved to, whether it
// can be connected to and what it speaks.
type Connection struct {
	Addresses []netip.Addr
	// Resolved, Connected and Shaken are how long each step took; zero for one
	// that was not reached.
	Resolved, Connected, Shaken time.Duration
	Stage                       string // where it ended: StageDone when nothing failed
	TLS                         *tls.ConnectionState
	// Chain tells why the certificate does not hold for the host now: its
	// names, its dates or its authority. The look goes on all the same.
	Chain error
	Err   error // an *usher.Error; nil with StageDone
}

// Connect looks at the way to the origin of a URL and sends nothing to it: it
// resolves, connects and shakes hands under the same rules as a request, and
// hangs up, within Timeout. Since nothing is sent, a certificate that does not hold is reported
// rather than refused.
func (c *Client) Connect(ctx context.Context, u *url.URL, hello Hello) *Connection {
	look := &Connection{Stage: StageResolve}
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	conn, o, err := c.look(ctx, u, look)
	if err != nil {
		look.Err = Explain(u, err)
		return look
	}
	defer func() { _ = conn.Close() }()
	if o.scheme == "https" {
		look.Stage = StageTLS
		if err := c.shake(ctx, conn, o, hello, look); err != nil {
			look.Err = Explain(u, err)
			return look
		}
	}
	look.Stage = StageDone
	return look
}

// look resolves and connects.
func (c *Client) look(ctx context.Context, u *url.URL, look *Connection) (net.Conn, origin, error) {
	if c.err != nil {
		return nil, origin{}, c.err
	}
	o, err := originOf(u)
	if err != nil {
		return nil, o, err
	}
	if c.gate.proxy != nil {
		return nil, o, refused("the way to "+o.String()+" leads through a proxy, so that nothing of it can be seen from here", "look at it from a machine that needs no proxy")
	}
	trusted := c.trusts(ctx, o)
	if !trusted && o.scheme != "https" {
		return nil, o, notHTTPS(u)
	}
	lookup, refuses := c.pins.lookup, func(netip.Addr) string { return "" }
	if !trusted {
		lookup, refuses = c.freshly, c.pins.inside
	}
	d := &dialer{
		lookup: func(ctx context.Context, dialled, host string) ([]netip.Addr, error) {
			start := time.Now()
			addrs, err := lookup(ctx, dialled, host)
			look.Resolved, look.Addresses = time.Since(start), addrs
			if err == nil && len(addrs) > 0 {
				look.Stage = StageConnect
			}
			return addrs, err
		},
		refuses: refuses,
	}
	start := time.Now()
	conn, err := d.dial(ctx, "tcp", o.dialled())
	if err != nil {
		return nil, o, err
	}
	look.Connected = time.Since(start) - look.Resolved
	return conn, o, nil
}

// shake shakes hands and judges the certificate by itself.
func (c *Client) shake(ctx context.Context, conn net.Conn, o origin, hello Hello, look *Connection) error {
	roots, err := c.roots()
	if err != nil {
		return err
	}
	if hello.Min == 0 {
		hello.Min = tls.VersionTLS10
	}
	if hello.Suites == nil {
		hello.Suites = everySuite()
	}
	// #nosec G402 -- nothing is sent: what is weak or does not hold is what is looked for
	conf := &tls.Config{
		ServerName: o.host, InsecureSkipVerify: true, MinVersion: hello.Min, MaxVersion: hello.Max,
		CipherSuites: hello.Suites, NextProtos: []string{"h2", "http/1.1"},
	}
	start := time.Now()
	tc := tls.Client(conn, conf)
	if err := tc.HandshakeContext(ctx); err != nil {
		return err
	}
	look.Shaken = time.Since(start)
	state := tc.ConnectionState()
	look.TLS = &state
	look.Chain = c.holds(state.PeerCertificates, o.host, roots)
	return nil
}

// holds tells why a chain does not hold for a host.
func (c *Client) holds(chain []*x509.Certificate, host string, roots *x509.CertPool) error {
	if len(chain) == 0 {
		return errors.New("no certificate was sent")
	}
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: between, CurrentTime: c.opt.Now()})
	return err
}

func everySuite() []uint16 {
	var ids []uint16
	for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
		for _, s := range list {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// Alias gives the name that the record of a host points to (CNAME); empty when
// it points to none, and when the resolver cannot tell.
func (c *Client) Alias(ctx context.Context, host string) string {
	r, ok := c.opt.Resolver.(interface {
		LookupCNAME(ctx context.Context, host string) (string, error)
	})
	if _, err := netip.ParseAddr(host); !ok || err == nil {
		return ""
	}
	name, err := r.LookupCNAME(ctx, host)
	name = strings.TrimSuffix(name, ".")
	if err != nil || strings.EqualFold(name, strings.TrimSuffix(host, ".")) {
		return ""
	}
	return name
}

func notHTTPS(u *url.URL) error {
	return &usher.Error{
		Code: usher.ErrRefused, Message: "the URL " + shown(u) + " is not https, and was not configured",
		Hint: "what a document names is asked over https only; if this address is yours, add its origin to the configuration",
	}
}
