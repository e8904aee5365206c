// Package strict is a provider that forgives nothing: refresh tokens are good
// for one use, a spent one revokes its family without grace (RFC 9700 section
// 4.14.2), clients authenticate in the one style that they registered. It is
// slow, away or lying when a test says so, and remembers every request.
package strict

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"sync"
	"time"

	"usher/test/broker/history"
)

// Client is one client of the provider with one grant, which one connection
// uses.
type Client struct {
	ID     string
	Secret string
	Style  string // client_secret_basic, client_secret_post; empty: the first

	Life   time.Duration // of access tokens; 0: an hour
	Before time.Duration // until a request is acted on
	After  time.Duration // from then until it is answered
	// Lives lets the old access token live on when a new one is given.
	Lives bool
	// Stops makes the provider drop a request whose sender is gone before it was
	// acted on; else it goes on.
	Stops bool
	// Keeps gives no new refresh token: the old one stays good.
	Keeps bool
	// Lies are answers that are given in turn before the true ones.
	Lies []Lie
	// Garbles has the first request acted on and its answer replaced by a page:
	// the refresh token is spent, and nobody ever sees its successor.
	Garbles bool
	// Blind has no introspection.
	Blind bool
}

// Lie is an answer of the token endpoint that helps nobody. Nothing is spent.
type Lie struct {
	Status int
	Type   string // of the content; empty: application/json
	Body   string
	Retry  string // Retry-After
}

// Fault is how the provider is away.
type Fault string

// The faults.
const (
	Up      Fault = ""
	Resets  Fault = "resets"  // the connection is closed without an answer
	Refuses Fault = "refuses" // 503
	Proxy   Fault = "proxy"   // 502 and a page, of a proxy before it
	Hangs   Fault = "hangs"   // no answer ever
)

// Provider is the provider. It is an http.Handler: /token, /introspect, /api.
type Provider struct {
	// Watch is told how far each request has come, before it goes on; nil is
	// nobody. It is set before the first request.
	Watch func(phase Phase, conn, from string)
	// Brief keeps no history but counts requests by second: for tests of
	// millions. It is set before the first client.
	Brief bool

	seconds map[int64]int
	now     func() time.Time
	sleep   func(context.Context, time.Duration) error

	mu       sync.Mutex
	clients  map[string]*client
	access   map[string]*access
	refresh  map[string]*refresh
	requests []*history.Request
	issued   []*history.Issued
	revoked  []history.Revocation
	down     []history.Span
	fault    Fault
	retry    string
	asked    []Question
	used     map[string]int // by status: requests to /api
	counts   map[history.Outcome]int
}

type client struct {
	Client
	lies    int
	garbled bool
}

type family struct {
	client *client
	dead   bool
	all    []*access
	tokens []string // of all, and spent refresh tokens: those to forget where history is brief
}

type access struct {
	family *family
	issued *history.Issued
}

type refresh struct {
	family *family
	spent  bool
}

// Question is one request for introspection.
type Question struct {
	Conn   string
	At     time.Time
	Ref    string
	Active bool
}

// New makes a provider. now and sleep nil: the real ones.
func New(now func() time.Time, sleep func(context.Context, time.Duration) error) *Provider {
	if now == nil {
		now = time.Now
	}
	if sleep == nil {
		sleep = Sleep
	}
	return &Provider{
		now: now, sleep: sleep,
		clients: map[string]*client{}, access: map[string]*access{}, refresh: map[string]*refresh{}, used: map[string]int{},
		seconds: map[int64]int{}, counts: map[history.Outcome]int{},
	}
}

// Sleep waits, or ends with the context.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
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

// Register makes a client known, or changes it.
func (p *Provider) Register(c Client) {
	if c.Life == 0 {
		c.Life = time.Hour
	}
	if c.Style == "" {
		c.Style = "client_secret_basic"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.clients[c.ID]; old != nil {
		old.Client, old.lies, old.garbled = c, 0, false
		return
	}
	p.clients[c.ID] = &client{Client: c}
}

// Connect gives a new grant of a client, as if a person had just connected it,
// with an access token that lives for a time. This one counts as a seed.
func (p *Provider) Connect(id string, life time.Duration) (access, refresh string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := &family{client: p.clients[id]}
	issued, token := p.newAccess(f, life)
	issued.Seed = true
	return token, p.newRefresh(f)
}

// Revoke ends all grants of a client, as a person would who takes consent back.
func (p *Provider) Revoke(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.refresh {
		if r.family.client.ID == id && !r.family.dead {
			p.end(r.family, false)
		}
	}
}

// Fail makes the provider fail until it is told Up. retry is its Retry-After.
func (p *Provider) Fail(f Fault, retry string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	switch {
	case p.fault == Up && f != Up:
		p.down = append(p.down, history.Span{From: now})
	case p.fault != Up && f == Up:
		p.down[len(p.down)-1].Until = now
	}
	p.fault, p.retry = f, retry
}

// History adds what the provider knows to a history.
func (p *Provider) History(h *history.History) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.requests {
		h.Requests = append(h.Requests, *r)
	}
	for _, i := range p.issued {
		h.Issued = append(h.Issued, *i)
	}
	h.Revocations = append(h.Revocations, p.revoked...)
	h.Down = append(h.Down, p.down...)
}

// Questions lists the requests for introspection.
func (p *Provider) Questions() []Question {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Question(nil), p.asked...)
}

// Count tells how many requests the token endpoint had of a client, by outcome;
// an empty id counts all.
func (p *Provider) Count(id string) map[history.Outcome]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := map[history.Outcome]int{}
	if p.Brief {
		return p.counts
	}
	for _, r := range p.requests {
		if id == "" || r.Conn == id {
			n[r.Outcome]++
		}
	}
	return n
}

// Seconds tells how many requests came in each second since 1970, where history
// is brief.
func (p *Provider) Seconds() map[int64]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.seconds)
}

// Waiting tells how many requests of a client are being worked on.
func (p *Provider) Waiting(id string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, r := range p.requests {
		if r.Conn == id && r.Answered.IsZero() && r.Outcome == "" {
			n++
		}
	}
	return n
}

// newAccess makes an access token; the lock is held.
func (p *Provider) newAccess(f *family, life time.Duration) (*history.Issued, string) {
	token := random()
	now := p.now()
	i := &history.Issued{Conn: f.client.ID, Ref: history.Ref(token), At: now, Expires: now.Add(life)}
	a := &access{family: f, issued: i}
	if p.Brief {
		for _, old := range f.tokens {
			delete(p.access, old)
		}
		f.all, f.tokens = f.all[:0], append(f.tokens[:0], token)
	} else {
		p.issued = append(p.issued, i)
	}
	p.access[token] = a
	f.all = append(f.all, a)
	return i, token
}

// newRefresh makes a refresh token; the lock is held.
func (p *Provider) newRefresh(f *family) string {
	token := random()
	p.refresh[token] = &refresh{family: f}
	return token
}

// end revokes a family; the lock is held.
func (p *Provider) end(f *family, reuse bool) {
	f.dead = true
	now := p.now()
	for _, a := range f.all {
		if a.issued.Died.IsZero() {
			a.issued.Died = now
		}
	}
	p.revoked = append(p.revoked, history.Revocation{Conn: f.client.ID, At: now, Reuse: reuse})
}

func random() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
