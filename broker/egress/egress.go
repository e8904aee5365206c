package egress

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"usher"
	"usher/broker"
	"usher/guard"
)

// What Options leave open is bounded by these.
const (
	DefaultReplay   = 64 << 10         // bytes of a body that is kept so that it can be sent again
	DefaultPatience = 60 * time.Second // until an API begins to answer
	DefaultLife     = time.Hour        // of a whole exchange
	DefaultMost     = 1024             // requests at once
	mostHeader      = 64 << 10         // bytes of headers that a caller may send
	mostKept        = 64 << 20         // bytes that all bodies kept may have
	mostOrigins     = 256              // that connections are kept to
)

// ErrKey is what Caller answers where there is no such key: the request is
// refused with 401.
var ErrKey = errors.New("there is no such key")

// Caller is a program that sends requests.
type Caller struct {
	Name string // as events name it: "key shop"
	Key  string // name of its key, which Config.Callers lists
	// May tells whether its key is for a connection; nil: for every one.
	May func(id string) bool
}

// Options are what New needs. Source, Config and Caller are required.
type Options struct {
	// Source gives the tokens.
	Source broker.Source
	// Config gives a connection, or broker.ErrNotFound. It is asked with every
	// request and should answer from memory.
	Config func(ctx context.Context, id string) (broker.Config, error)
	// Caller tells who has a key, or ErrKey; any other error is that keys cannot be
	// looked up now.
	Caller func(ctx context.Context, key usher.Secret) (Caller, error)
	// Emit is given an event for each refusal, and for the first success after one.
	Emit func(ctx context.Context, ev usher.Event)
	// KeyHeaders are the request headers that make a request safe to send again,
	// whatever its method; none: Idempotency-Key and PayPal-Request-Id.
	KeyHeaders []string

	Replay   int           // 0: DefaultReplay; less than 0: nothing is sent again that has a body
	Patience time.Duration // 0: DefaultPatience
	Life     time.Duration // 0: DefaultLife
	Most     int           // 0: DefaultMost

	CAFile   string
	Proxy    string
	Resolver guard.Resolver
	Now      func() time.Time
}

// Proxy is the handler. It must be given requests as they came: a ServeMux before
// it would clean paths. It is safe for concurrent use.
type Proxy struct {
	opt   Options
	turns chan struct{}
	kept  atomic.Int64 // bytes of bodies

	mu      sync.Mutex
	clients map[origin]*guard.Client
	refused map[place]*refusal
	asking  map[string]bool // connections whose refused token is told to the broker now
}

// New makes a Proxy. It goes nowhere yet.
func New(opt Options) *Proxy {
	if opt.Replay == 0 {
		opt.Replay = DefaultReplay
	}
	if opt.Patience <= 0 {
		opt.Patience = DefaultPatience
	}
	if opt.Life <= 0 {
		opt.Life = DefaultLife
	}
	if opt.Most <= 0 {
		opt.Most = DefaultMost
	}
	if opt.KeyHeaders == nil {
		opt.KeyHeaders = []string{"Idempotency-Key", "Paypal-Request-Id"}
	}
	if opt.Emit == nil {
		opt.Emit = func(context.Context, usher.Event) {}
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Proxy{
		opt: opt, turns: make(chan struct{}, opt.Most),
		clients: map[origin]*guard.Client{}, refused: map[place]*refusal{}, asking: map[string]bool{},
	}
}

// call is one request on its way.
type call struct {
	p      *Proxy
	w      http.ResponseWriter
	r      *http.Request
	id     string // of the connection
	to     origin
	path   string // as it is sent
	who    Caller
	config broker.Config
	began  time.Time
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{p: p, w: w, r: r, began: p.opt.Now()}
	if no := c.admit(); no != nil {
		c.refuse(no)
		return
	}
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	default:
		c.refuse(&problem{status: http.StatusServiceUnavailable, code: "busy", cause: "throttled", what: "too many requests are under way at once", hint: "send fewer at once, or raise the bound", retry: "1"})
		return
	}
	c.forward()
}

// admit tells why a request is not sent on; nil: it is.
func (c *call) admit() *problem {
	if no := c.readable(); no != nil {
		return no
	}
	key, no := c.address()
	if no != nil {
		return no
	}
	if key == "" {
		return &problem{status: http.StatusUnauthorized, code: "key_missing", cause: "token-missing", what: "the request has no key of usher", hint: "send it as \"Usher-Key: ...\" or \"Authorization: Bearer ...\""}
	}
	who, err := c.p.opt.Caller(c.r.Context(), key)
	switch {
	case errors.Is(err, ErrKey):
		return &problem{status: http.StatusUnauthorized, code: "key_unknown", cause: "client-secret-invalid", what: "the key is not known here, was taken away, or has expired", hint: "ask an operator for a new one"}
	case err != nil:
		return &problem{status: http.StatusServiceUnavailable, code: "key_unchecked", cause: "provider-outage", what: "the key cannot be looked up now", hint: "see whether the database answers", retry: "1"}
	}
	c.who = who
	if c.who.May != nil && !c.who.May(c.id) {
		return c.notForCaller()
	}
	c.config, err = c.p.opt.Config(c.r.Context(), c.id)
	switch {
	case errors.Is(err, broker.ErrNotFound):
		return &problem{status: http.StatusNotFound, code: "connection_unknown", cause: "client-unknown", what: "there is no connection " + clip(c.id), hint: "see: usher connections"}
	case err != nil:
		return &problem{status: http.StatusServiceUnavailable, code: "connection_unread", cause: "provider-outage", what: "the connection " + c.id + " cannot be looked up now", hint: "see whether the database answers", retry: "1"}
	}
	if len(c.config.Callers) > 0 && !slices.Contains(c.config.Callers, c.who.Key) {
		return c.notForCaller()
	}
	if !c.allowed() {
		return &problem{
			status: http.StatusForbidden, code: "target_not_allowed", cause: "resource-unknown",
			what: "the token of " + c.id + " may not go to " + c.to.String() + ": the connection does not name it as a target",
			hint: "if it is right, an operator adds the target " + c.to.String() + " to the connection " + c.id,
		}
	}
	return nil
}

func (c *call) notForCaller() *problem {
	return &problem{
		status: http.StatusForbidden, code: "caller_not_allowed", cause: "role-missing",
		what: "the connection " + clip(c.id) + " is not for this key", hint: "an operator adds the key's name to the callers of the connection, or gives a key that is for it",
	}
}

// allowed tells whether the connection names the target.
func (c *call) allowed() bool {
	return slices.ContainsFunc(c.config.Targets, func(text string) bool {
		o, err := ParseTarget(text)
		return err == nil && o == c.to
	})
}

// client gives the guarded client of an origin. Each has its own, which trusts
// nothing else and shares no connection with another.
func (p *Proxy) client(o origin) *guard.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.clients[o]; g != nil {
		return g
	}
	if len(p.clients) >= mostOrigins {
		for other, g := range p.clients {
			g.HTTP().CloseIdleConnections()
			delete(p.clients, other)
			break
		}
	}
	g := guard.New(guard.Options{
		Trusted: []string{o.String()}, CAFile: p.opt.CAFile, Proxy: p.opt.Proxy, Resolver: p.opt.Resolver, Now: p.opt.Now,
		Timeout: p.opt.Life, Body: 1 << 50, Redirects: -1, Patience: -1, PerHost: 256,
	})
	p.clients[o] = g
	return g
}
