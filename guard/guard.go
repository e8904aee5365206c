// Package guard is the one HTTP client that goes out, and refuses where it must not go.
//
// An origin that the operator typed or configured is trusted: it may lie
// anywhere, is pinned to the addresses that it resolved to first, and is the
// only place that credentials go to. Every other URL was named by a document, a
// token or some other evidence, which an attacker may have written: it must be
// https, carry nothing of ours, and end at a public address, judged on the
// address that is really dialled. Redirects, bodies and time are bounded for
// both.
package guard

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"usher"
)

// What an Options leaves open is bounded by these.
const (
	DefaultTimeout   = 30 * time.Second
	DefaultBody      = 4 << 20
	DefaultRedirects = 3
	DefaultPatience  = 5 * time.Second
	DefaultPerHost   = 16
)

// Resolver looks up the addresses of a name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options say where the client may go. The zero value goes to public https
// addresses only, with nothing of ours.
type Options struct {
	// Trusted are the origins that the operator typed or configured
	// ("https://sso.example", "http://127.0.0.1:8080"). Whatever stands behind
	// the origin of a URL given here does not count.
	Trusted []string
	// CAFile is a PEM file of certificate authorities that are trusted beside
	// those of the system; read once, with Err or the first call.
	CAFile string
	// Proxy is the proxy that everything goes through, http or https. The
	// environment is never asked. The proxy resolves the names once more, so
	// what keeps untrusted names from leading inside is then the proxy's rules,
	// beside guard's own look.
	Proxy string

	Timeout   time.Duration // of a whole call with its body and redirects; 0 is DefaultTimeout
	Body      int64         // bytes of a response's body, unpacked; 0 is DefaultBody
	Redirects int           // at most; 0 is DefaultRedirects, less than 0 none
	// Patience is how long a body may drip: when so much time was waited for
	// less than 512 bytes, it is given up. 0 is DefaultPatience, less than 0
	// leaves it to Timeout.
	Patience  time.Duration
	UserAgent string // empty is "usher"
	// PerHost is how many connections to one host there may be at once; who
	// comes later waits, and that counts as time of the call. 0 is
	// DefaultPerHost.
	PerHost int

	Resolver Resolver // nil is the system's
	Now      func() time.Time
}

// Client is the guarded client. It is safe for concurrent use, keeps no
// cookies and asks no proxy that was not set.
type Client struct {
	opt     Options
	err     error
	trusted []origin
	pins    *pins
	roots   func() (*x509.CertPool, error) // what CAFile adds up to, read once
	gate    *gate
	http    *http.Client
	once    *http.Client // follows no redirect
}

// New makes a Client. It goes nowhere and reads nothing yet. What is wrong with
// the options is told by Err, and by every call.
func New(opt Options) *Client {
	opt.fill()
	c := &Client{opt: opt, pins: newPins(opt.Resolver, opt.Now)}
	c.roots = sync.OnceValues(func() (*x509.CertPool, error) { return readRoots(opt.CAFile) })
	for _, text := range opt.Trusted {
		o, err := parseOrigin(text)
		if err != nil && c.err == nil {
			c.err = err
		}
		if err == nil && !slices.Contains(c.trusted, o) {
			c.trusted = append(c.trusted, o)
		}
	}
	var proxy *url.URL
	if opt.Proxy != "" {
		var err error
		if proxy, err = parseProxy(opt.Proxy); err != nil && c.err == nil {
			c.err = err
		}
	}
	c.gate = newGate(c, proxy)
	c.http = &http.Client{Transport: c.gate, Timeout: opt.Timeout, CheckRedirect: c.checkRedirect}
	c.once = &http.Client{Transport: c.gate, Timeout: opt.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return c
}

func (o *Options) fill() {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Body <= 0 {
		o.Body = DefaultBody
	}
	if o.Redirects == 0 {
		o.Redirects = DefaultRedirects
	}
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	if o.PerHost <= 0 {
		o.PerHost = DefaultPerHost
	}
	if o.UserAgent == "" {
		o.UserAgent = "usher"
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Err tells what is wrong with the options, or nil. It reads CAFile, so that a
// file that cannot be used is told before anything is sent.
func (c *Client) Err() error {
	if c.err != nil {
		return c.err
	}
	_, err := c.roots()
	return err
}

// HTTP gives the client for those who need an *http.Client. Its Transport keeps
// every rule but the bounds of time and redirects, which are the client's own
// fields: do not copy parts of it.
func (c *Client) HTTP() *http.Client { return c.http }

// Do sends a request under guard. The error is an *usher.Error, also when the
// body turns out too large while it is read.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, Explain(req.URL, err)
	}
	return resp, nil
}

// Once sends a request as Do does and follows no redirect: the answer that says
// where to go is the answer.
func (c *Client) Once(req *http.Request) (*http.Response, error) {
	resp, err := c.once.Do(req)
	if err != nil {
		return nil, Explain(req.URL, err)
	}
	return resp, nil
}

// Trusts tells whether the origin of u was configured.
func (c *Client) Trusts(u *url.URL) bool {
	o, err := originOf(u)
	return err == nil && c.trusts(context.Background(), o)
}

// Forget drops the pinned addresses of an origin, for an operator who has moved
// the server and says so.
func (c *Client) Forget(originURL string) {
	if o, err := parseOrigin(originURL); err == nil {
		c.pins.forget(o.dialled())
		c.http.CloseIdleConnections()
	}
}

func refused(message, hint string) error {
	return &usher.Error{Code: usher.ErrRefused, Message: message, Hint: hint}
}
