package client

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"usher"
)

// Token is what the broker gave.
type Token struct {
	Connection string
	Access     usher.Secret
	Type       string    // "Bearer"
	Expires    time.Time // zero: nobody knows
	Generation int64
	Scopes     []string
	Short      string // why it lives less long than was promised; empty: it does not
}

// Ask says which token is wanted.
type Ask struct {
	LeastLife time.Duration // that it must have; 0: what the broker promises
	Refused   usher.Secret  // a token that an API has just refused as invalid
}

// Options are what New needs: Server and Key, or Fetch.
type Options struct {
	// Server is the address of usher: https, or http on this machine.
	Server string
	Key    usher.Secret // that may take the token
	// HTTP sends the requests to the server; nil is a client of its own. It
	// follows no redirects: the key would go along.
	HTTP *http.Client
	// InsecurePlainHTTP sends key and tokens over http to other machines.
	InsecurePlainHTTP bool

	// LeastLife is the life that a token must have to be used from memory; 0 is
	// 30 s, or a tenth of its life where that is less.
	LeastLife time.Duration
	// Fresh is how long a token is used without asking the server, unless Watch
	// listens; 0 is a minute. Then a token that was revoked is found out.
	Fresh time.Duration
	// Wait bounds how long the server is waited for; 0 is 75 s.
	Wait time.Duration

	// Fetch gets tokens in place of a server; it keeps them by itself.
	Fetch func(ctx context.Context, id string, ask Ask) (Token, error)

	Now func() time.Time
}

// Error is why there is no token, as the server says it.
type Error struct {
	Connection  string    `json:"connection"`
	Status      int       `json:"-"` // of HTTP; 0: there was no answer
	Code        string    `json:"error"`
	Description string    `json:"error_description"`
	State       string    `json:"state"` // of the connection
	Cause       string    `json:"cause"` // label of usher's taxonomy
	Title       string    `json:"title"`
	Turn        string    `json:"turn"` // whose turn it is; empty: usher tries again
	Link        string    `json:"link"` // where a person connects again, where the key may know it
	Retry       time.Time `json:"-"`    // when it is worth asking again
	Err         error     `json:"-"`
}

func (e *Error) Error() string {
	what := cmp.Or(e.Title, e.Description, e.Code)
	if e.Err != nil {
		what = e.Err.Error()
	}
	return "no token of the connection " + e.Connection + ": " + what
}

// Unwrap gives what was underneath.
func (e *Error) Unwrap() error { return e.Err }

// away tells that the server did not say anything about the connection: it is
// out of reach, in trouble itself, or asked too often.
func (e *Error) away() bool {
	switch e.Status {
	case 0, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return e.Status >= 500 && e.State == ""
}

// Client gets tokens. It is safe for concurrent use.
type Client struct {
	opt    Options
	server *url.URL
	err    error // of the options, told by every call

	mu    sync.Mutex
	kept  map[string]*entry
	heard map[string]time.Time // connections that Watch listens for, and since when; "" is all
}

// New makes a Client. It asks nobody yet; what is wrong with the options is told
// by Err, and by every call.
func New(opt Options) *Client {
	if opt.Fresh <= 0 {
		opt.Fresh = time.Minute
	}
	if opt.Wait <= 0 {
		opt.Wait = 75 * time.Second
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	c := &Client{opt: opt, kept: map[string]*entry{}, heard: map[string]time.Time{}}
	if opt.Fetch == nil {
		c.server, c.err = serverOf(&opt)
	}
	own := &http.Client{Transport: &http.Transport{
		ResponseHeaderTimeout: opt.Wait + 5*time.Second, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
	}}
	if opt.HTTP != nil {
		copied := *opt.HTTP
		own = &copied
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.opt.HTTP = own
	return c
}

// Err tells what is wrong with the options, or nil.
func (c *Client) Err() error { return c.err }

func serverOf(opt *Options) (*url.URL, error) {
	u, err := url.Parse(opt.Server)
	bad := func(what, hint string) (*url.URL, error) {
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "the address of usher " + what, Hint: hint}
	}
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return bad("is no web address", "write it as https://usher.example or http://127.0.0.1:5303")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return bad("has more in it than scheme, host and path", "write it as https://usher.example, and give the key as Key")
	case opt.Key == "":
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "there is no key to ask usher with", Hint: "an operator makes one that may take the token of a connection"}
	case u.Scheme == "http" && !opt.InsecurePlainHTTP && !onThisMachine(u.Hostname()):
		return bad("is http on another machine, so that everybody on the way reads key and tokens", "use https")
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, nil
}

func onThisMachine(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// Token gives a token, from memory where that one will do. Its error is an
// *Error, or that of ctx.
func (c *Client) Token(ctx context.Context, id string, ask Ask) (Token, error) {
	if c.err != nil {
		return Token{}, c.err
	}
	if c.opt.Fetch != nil {
		return c.opt.Fetch(ctx, id, ask)
	}
	return c.cached(ctx, id, ask)
}

// TokenSource gives the tokens of a connection to golang.org/x/oauth2. ctx is
// for the requests to the server.
func (c *Client) TokenSource(ctx context.Context, id string) oauth2.TokenSource {
	return source{c, ctx, id}
}

type source struct {
	c   *Client
	ctx context.Context //nolint:containedctx // an oauth2.TokenSource takes none
	id  string
}

// Token implements oauth2.TokenSource.
func (s source) Token() (*oauth2.Token, error) {
	t, err := s.c.Token(s.ctx, s.id, Ask{})
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: t.Access.Reveal(), TokenType: t.Type, Expiry: t.Expires}, nil
}

// unreachable is the error where no answer came.
func unreachable(id string, err error) *Error {
	var whole *url.Error
	if errors.As(err, &whole) {
		err = whole.Err // the rest repeats the address
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return &Error{Connection: id, Title: "usher cannot be reached", Err: op}
	}
	return &Error{Connection: id, Title: "usher cannot be reached", Err: err}
}
