package broker_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/broker/memory"
	"usher/broker/strategy"
	"usher/policy/lifespan"
)

// provider is a token endpoint as strict as they come: refresh tokens are good
// once, and one that is presented a second time ends the whole family.
type provider struct {
	mu       sync.Mutex
	now      func() time.Time
	life     time.Duration
	takes    time.Duration // to answer
	down     bool          // 503
	keeps    bool          // gives no new refresh token
	oddly    func(*grant.Answer)
	refuses  func(grant.Request) *grant.Refusal
	swallows bool          // does its work, and its answer is lost
	grace    time.Duration // a refresh token is taken once more so long after its first use
	used     map[string]time.Time

	serial   int
	active   map[string]bool // refresh tokens
	families int             // revoked
	asked    []time.Time     // requests that arrived
	params   []url.Values
	looks    int // introspections
	revoked  []string
}

func newProvider() *provider {
	return &provider{now: time.Now, life: time.Hour, active: map[string]bool{}, used: map[string]time.Time{}}
}

func (p *provider) Ask(ctx context.Context, r grant.Request) (*grant.Answer, error) {
	began := p.now()
	p.mu.Lock()
	p.asked = append(p.asked, began)
	p.params = append(p.params, r.Params)
	takes := p.takes
	p.mu.Unlock()
	// It works on, whether or not anybody waits for the answer.
	type result struct {
		a   *grant.Answer
		err error
	}
	done := make(chan result, 1)
	go func() {
		time.Sleep(takes)
		a, err := p.work(r, began)
		done <- result{a, err}
	}()
	select {
	case res := <-done:
		return res.a, res.err
	case <-ctx.Done():
		return nil, &grant.Refusal{Kind: grant.Lost, Endpoint: r.Endpoint, Err: ctx.Err()}
	}
}

func (p *provider) work(r grant.Request, began time.Time) (*grant.Answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return nil, &grant.Refusal{Kind: grant.Busy, Endpoint: r.Endpoint, Status: 503}
	}
	if p.refuses != nil {
		if refusal := p.refuses(r); refusal != nil {
			return nil, refusal
		}
	}
	p.serial++
	a := &grant.Answer{
		Access: usher.Secret(fmt.Sprintf("access-%d", p.serial)), TokenType: "Bearer",
		Received: began, ExpiresIn: p.life,
	}
	if refresh := r.Params.Get("refresh_token"); refresh != "" {
		first, used := p.used[refresh]
		if active, known := p.active[refresh]; !active && !(used && p.now().Sub(first) < p.grace) {
			if known {
				p.families++
				clear(p.active)
			}
			return nil, &grant.Refusal{Kind: grant.Refused, Endpoint: r.Endpoint, Status: 400, Code: "invalid_grant", Description: "the refresh token was used before"}
		}
		if !used {
			p.used[refresh] = p.now()
		}
		if !p.keeps {
			p.active[refresh] = false
			a.Refresh = usher.Secret(fmt.Sprintf("renewer-%d", p.serial))
			p.active[a.Refresh.Reveal()] = true
		}
	}
	if p.oddly != nil {
		p.oddly(a)
	}
	if p.swallows {
		return nil, &grant.Refusal{Kind: grant.Lost, Endpoint: r.Endpoint, Err: errors.New("connection reset")}
	}
	return a, nil
}

func (p *provider) Introspect(ctx context.Context, r grant.Request, token usher.Secret, hint string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looks++
	if p.down {
		return false, &grant.Refusal{Kind: grant.Busy, Endpoint: r.Endpoint, Status: 503}
	}
	return p.active[token.Reveal()], nil
}

func (p *provider) Revoke(ctx context.Context, r grant.Request, token usher.Secret, hint string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revoked = append(p.revoked, token.Reveal())
	return nil
}

// set changes the provider under its lock.
func (p *provider) set(f func(p *provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

func (p *provider) requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked)
}

func (p *provider) revokedFamilies() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.families
}

// plain is a sealer that binds to the purpose and hides nothing.
type plain struct{}

func (plain) Seal(_ context.Context, purpose string, b []byte) ([]byte, error) {
	return append([]byte(purpose+"\n"), b...), nil
}

func (plain) Open(_ context.Context, purpose string, b []byte) ([]byte, error) {
	body, ok := strings.CutPrefix(string(b), purpose+"\n")
	if !ok {
		return nil, errors.New("sealed for something else")
	}
	return []byte(body), nil
}

// events collects what a broker tells, and holds each to its contract.
type events struct {
	t    testing.TB
	mu   sync.Mutex
	all  []usher.Event
	uids map[string]bool
}

func (e *events) emit(_ context.Context, ev usher.Event) {
	if err := ev.Validate(); err != nil {
		e.t.Error("event:", err)
	}
	text := fmt.Sprintf("%+v", ev)
	for _, secret := range []string{"access-", "renewer-", "s3cret"} {
		if strings.Contains(text, secret) {
			e.t.Errorf("an event holds a secret: %s", text)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.uids[ev.UID] {
		e.t.Errorf("two events have the id %s", ev.UID)
	}
	e.uids[ev.UID] = true
	e.all = append(e.all, ev)
}

func (e *events) list() []usher.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

// house is a store, a provider, and brokers between them.
type house struct {
	t        *testing.T
	store    broker.Store
	provider *provider
	events   *events
}

func newHouse(t *testing.T) *house {
	t.Helper()
	return &house{t: t, store: memory.New(nil), provider: newProvider(), events: &events{t: t, uids: map[string]bool{}}}
}

// replica makes a broker that does not run.
func (h *house) replica(name string, change ...func(*broker.Options)) *broker.Broker {
	opt := broker.Options{
		Store: h.store, Seal: plain{}, Ask: h.provider, Holder: name, Emit: h.events.emit,
		ConnectURL: func(id string) string { return "https://usher.example/connect/" + id },
		Decide:     decide,
		Lifespans:  &lifespan.Set{},
	}
	for _, f := range change {
		f(&opt)
	}
	b := broker.New(opt)
	h.t.Cleanup(b.Close)
	return b
}

// rarely has a replica look rarely at what others write, for tests that take
// days and have one.
func rarely(o *broker.Options) { o.Poll = 10 * time.Second }

// run runs a broker until the test ends.
func (h *house) run(b *broker.Broker) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.Run(ctx)
	}()
	stop = func() { cancel(); <-done }
	h.t.Cleanup(stop)
	return stop
}

// decide is a small table of strategies.
func decide(in strategy.Input) strategy.Decision {
	r := in.Refusal
	switch {
	case r.Kind == grant.Busy, r.Kind == grant.Unreachable, r.Kind == grant.Lost, r.Status >= 500:
		return strategy.Decision{Cause: "provider-outage", Strategy: strategy.Retry, Title: "the provider is away", Endpoint: true, Turn: usher.FixerNobody}
	case r.Code == "invalid_grant" && in.HasRefresh:
		return strategy.Decision{Cause: "refresh-token-revoked", Strategy: strategy.Ask, Title: "the refresh token was revoked", Turn: usher.FixerUser, Dead: true}
	case r.Code == "invalid_client":
		return strategy.Decision{Cause: "client-secret-invalid", Strategy: strategy.Rotate, Title: "the client secret is wrong", Turn: usher.FixerDeveloper}
	case r.Code == "invalid_scope":
		return strategy.Decision{Cause: "scope-invalid", Strategy: strategy.Narrow, Title: "a scope is not allowed", Turn: usher.FixerDeveloper}
	case r.Code == "unauthorized_client":
		return strategy.Decision{Cause: "grant-not-allowed", Strategy: strategy.GiveUp, Title: "the grant is not allowed", Turn: usher.FixerTenantAdmin}
	}
	return strategy.Decision{Cause: "unknown", Strategy: strategy.Retry, Title: r.Error()}
}

const shop = "shop-gateway"

// machine is a connection without a person.
func machine() (broker.Config, broker.Keys) {
	return broker.Config{
		ID: shop, Grant: broker.GrantClientCredentials, ClientID: "shop", AuthMethod: "client_secret_basic",
		Endpoints: broker.Endpoints{Token: "https://idp.example/token"}, Scopes: []string{"pay"},
	}, broker.Keys{ClientSecret: "s3cret"}
}

// person is a connection that lives by a refresh token.
func person() (broker.Config, broker.Keys) {
	c, k := machine()
	c.Grant, c.Endpoints.Authorization = broker.GrantCode, "https://idp.example/authorize"
	c.Endpoints.Introspection = "https://idp.example/introspect"
	return c, k
}

// connected adds a person's connection with a token that lives for life, a second
// old.
func (h *house) connected(b *broker.Broker, change ...func(*broker.Config)) {
	h.t.Helper()
	c, k := person()
	for _, f := range change {
		f(&c)
	}
	if _, err := b.Add(h.t.Context(), c, k, broker.Tokens{}); err != nil {
		h.t.Fatal(err)
	}
	h.connectedAgain(b)
}

// connectedAgain has a person connect.
func (h *house) connectedAgain(b *broker.Broker) {
	h.t.Helper()
	var serial int
	var life time.Duration
	h.provider.set(func(p *provider) {
		p.serial++
		serial, life = p.serial, p.life
		p.active[fmt.Sprintf("renewer-%d", serial)] = true
	})
	err := b.Connected(h.t.Context(), shop, &grant.Answer{
		Access: usher.Secret(fmt.Sprintf("access-%d", serial)), Refresh: usher.Secret(fmt.Sprintf("renewer-%d", serial)),
		TokenType: "Bearer", Received: time.Now(), ExpiresIn: life, User: "anna",
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) token(b *broker.Broker, ask broker.Ask) broker.Token {
	h.t.Helper()
	tok, err := b.Token(h.t.Context(), shop, ask)
	if err != nil {
		h.t.Fatal(err)
	}
	return tok
}

func (h *house) view(b *broker.Broker) broker.View {
	h.t.Helper()
	v, err := b.Get(h.t.Context(), shop)
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}
