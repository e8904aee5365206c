package guard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"sync"
	"time"

	"usher"
)

const (
	maxHeader = 64 << 10 // bytes of headers that an answer may have
	mostRoots = 16 << 20 // bytes of a file of certificate authorities
)

// gate is the transport: it judges each request, also those of redirects, and
// sends it through the transport of its kind. The two kinds share no
// connections, so a connection to a trusted place never serves another.
type gate struct {
	c     *Client
	proxy *url.URL
	ready func() (trusted, foreign http.RoundTripper, err error)
}

func newGate(c *Client, proxy *url.URL) *gate {
	g := &gate{c: c, proxy: proxy}
	var trusted, foreign *http.Transport
	var err error
	var once sync.Once
	g.ready = func() (http.RoundTripper, http.RoundTripper, error) {
		once.Do(func() {
			var roots *x509.CertPool
			if roots, err = c.roots(); err == nil {
				trusted = g.transport(roots, &dialer{lookup: c.pins.lookup})
				foreign = g.transport(roots, &dialer{c.freshly, func(a netip.Addr) string { return c.pins.inside(a) }})
			}
		})
		return trusted, foreign, err
	}
	return g
}

func (c *Client) freshly(ctx context.Context, _, host string) ([]netip.Addr, error) {
	return resolve(ctx, c.opt.Resolver, host)
}

func (g *gate) transport(roots *x509.CertPool, d *dialer) *http.Transport {
	t := &http.Transport{
		DialContext:            d.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  g.c.opt.Timeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true, // unpacked here, within bounds on both sides
		MaxIdleConns:           16,
		MaxIdleConnsPerHost:    2,
		MaxConnsPerHost:        g.c.opt.PerHost,
		IdleConnTimeout:        30 * time.Second,
		ForceAttemptHTTP2:      true,
	}
	if n := g.c.opt.PerHost; n > DefaultPerHost {
		// Who has many at once keeps them: two kept of many is a handshake for
		// nearly every request.
		t.MaxIdleConns, t.MaxIdleConnsPerHost = n, n
	}
	if g.proxy != nil {
		// What is dialled is the proxy, which the operator configured.
		t.Proxy = http.ProxyURL(g.proxy)
		t.DialContext = (&dialer{lookup: g.c.freshly}).dial
	}
	return t
}

// readRoots gives the authorities of the system and those of a file; nil is the
// system's alone.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	unreadable := func(why string, err error) error {
		return &usher.Error{
			Code: usher.ErrUnreadable, Message: "the file of certificate authorities " + file + " " + why, Err: err,
			Hint: "give a PEM file with the certificate of the authority that signed the server's",
		}
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, unreadable("cannot be read", err)
	}
	defer func() { _ = f.Close() }()
	pem, err := io.ReadAll(io.LimitReader(f, mostRoots+1))
	if err != nil {
		return nil, unreadable("cannot be read", err)
	}
	if len(pem) > mostRoots {
		return nil, unreadable("is larger than 16 MiB", nil)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, unreadable("holds no certificate", nil)
	}
	return roots, nil
}

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	// A body that drips is ended by cancelling what it belongs to.
	ctx, cancel := context.WithCancel(req.Context())
	asked := req.Clone(ctx)
	unpack := packable(asked)
	if asked.Header.Get("User-Agent") == "" {
		asked.Header.Set("User-Agent", g.c.opt.UserAgent)
	}
	resp, err := g.send(asked)
	if err != nil {
		cancel()
		if req.Body != nil {
			_ = req.Body.Close() // as http.RoundTripper demands; a second close does no harm
		}
		return nil, err
	}
	resp.Request = req
	limit := g.c.opt.Body
	body := &paced{body: resp.Body, patience: g.c.opt.Patience, url: req.URL, cancel: cancel}
	if resp.ContentLength > limit {
		_ = body.Close()
		return nil, tooLarge(req.URL, limit)
	}
	resp.Body = &bounded{body: body, left: limit, url: req.URL, limit: limit}
	if err := g.unpack(resp, unpack); err != nil {
		_ = body.Close()
		return nil, err
	}
	return resp, nil
}

func (g *gate) send(req *http.Request) (*http.Response, error) {
	if g.c.err != nil {
		return nil, g.c.err
	}
	isTrusted, err := g.c.judge(req)
	if err != nil {
		return nil, err
	}
	trusted, foreign, err := g.ready()
	if err != nil {
		return nil, err
	}
	if isTrusted {
		return trusted.RoundTrip(req)
	}
	if g.proxy != nil {
		if err := g.c.lookBeforeProxy(req); err != nil {
			return nil, err
		}
	}
	return foreign.RoundTrip(req)
}

// lookBeforeProxy judges where an untrusted name leads as seen from here.
func (c *Client) lookBeforeProxy(req *http.Request) error {
	host := req.URL.Hostname()
	addrs, err := c.freshly(req.Context(), "", host)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if why := c.pins.inside(a); why != "" {
			return &errInside{host, a, why}
		}
	}
	return nil
}

// CloseIdleConnections lets http.Client close what is not in use.
func (g *gate) CloseIdleConnections() {
	trusted, foreign, err := g.ready()
	if err != nil {
		return
	}
	for _, t := range []http.RoundTripper{trusted, foreign} {
		t.(*http.Transport).CloseIdleConnections()
	}
}
