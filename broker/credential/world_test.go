package credential_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/credential"
	"usher/broker/memory"
	"usher/provider"
)

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// there is one secret at the provider.
type there struct {
	provider.ClientSecret
	value   usher.Secret
	works   time.Time // from when on: the provider is slow to tell its parts
	retired time.Time
}

// use is one request with a secret, as the history has it.
type use struct {
	at    time.Time
	id    string
	taken bool
}

// idp is a provider that keeps a history of what was used and what was retired.
type idp struct {
	now   func() time.Time
	rules provider.SecretRules

	mu       sync.Mutex
	secrets  []*there
	made     int
	uses     []use
	fail     error         // of every call
	blocked  bool          // a policy shuts every right secret out
	silent   bool          // nobody can tell whether a secret works
	stubborn bool          // what it was told to end it takes on
	grace    time.Duration // the older one ends by itself, and it alone can be ended, as at Keycloak
}

func newIDP(now func() time.Time, rules provider.SecretRules) *idp {
	p := &idp{now: now, rules: rules}
	p.add("by hand", "first-value", now().Add(-rules.Delay))
	return p
}

func (p *idp) add(name string, value usher.Secret, at time.Time) *there {
	p.made++
	s := &there{ClientSecret: provider.ClientSecret{ID: fmt.Sprintf("id-%d", p.made), Created: at}, value: value, works: at.Add(p.rules.Delay)}
	if p.rules.Named {
		s.Name = name
	}
	p.secrets = append(p.secrets, s)
	return s
}

func (p *idp) SecretRules(context.Context, string) (provider.SecretRules, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rules, p.fail
}

func (p *idp) ClientSecrets(context.Context, string) ([]provider.ClientSecret, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []provider.ClientSecret
	for _, s := range p.secrets {
		if !s.retired.IsZero() || p.now().Before(s.works) && p.rules.Delay > 0 && !p.rules.Told {
			continue // what was made is shown late, too
		}
		one := s.ClientSecret
		if newest := p.secrets[len(p.secrets)-1]; p.grace > 0 && s != newest {
			one.Ending, one.Expires = true, newest.Created.Add(p.grace)
			one.Off = !p.now().Before(one.Expires)
		}
		if p.rules.Told {
			one.Value = s.value
		}
		list = append(list, one)
	}
	return list, p.fail
}

func (p *idp) CreateSecret(_ context.Context, _ string, want provider.NewSecret) (provider.ClientSecret, usher.Secret, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return provider.ClientSecret{}, "", p.fail
	}
	live := 0
	for _, s := range p.secrets {
		if s.retired.IsZero() {
			live++
			if !p.rules.Overlap {
				s.retired = p.now()
			}
		}
	}
	if p.rules.Overlap && p.rules.Most > 0 && live >= p.rules.Most {
		return provider.ClientSecret{}, "", provider.ErrFull
	}
	s := p.add(want.Name, usher.Secret(fmt.Sprintf("value-%d-of-the-provider", p.made+1)), p.now())
	return s.ClientSecret, s.value, nil
}

func (p *idp) RetireSecret(_ context.Context, _ string, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return p.fail
	}
	for _, s := range p.secrets {
		if p.grace > 0 && s.ID == id && s == p.secrets[len(p.secrets)-1] {
			return provider.ErrLast
		}
		if s.ID == id && s.retired.IsZero() && !p.stubborn {
			s.retired = p.now()
		}
	}
	return nil
}

// take is a request with a secret; the history keeps it.
func (p *idp) take(value usher.Secret) (id string, taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for _, s := range p.secrets {
		if s.value == value {
			taken = s.retired.IsZero() && !now.Before(s.works)
			p.uses = append(p.uses, use{now, s.ID, taken})
			return s.ID, taken
		}
	}
	p.uses = append(p.uses, use{now, "", false})
	return "", false
}

func (p *idp) verify(_ context.Context, _ credential.Config, value usher.Secret) credential.Verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.silent || p.fail != nil:
		return credential.Verdict{Outcome: usher.OutcomeUnknown, Title: "no answer"}
	}
	for _, s := range p.secrets {
		if s.value == value && s.retired.IsZero() && !p.now().Before(s.works) {
			return credential.Verdict{Outcome: usher.OutcomeOK, Title: "taken", Blocked: p.blocked}
		}
	}
	return credential.Verdict{Outcome: usher.OutcomeWrong, Cause: "client-secret-invalid", Title: "refused"}
}

// live gives the ids that the provider takes, or will.
func (p *idp) live() (ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.secrets {
		if s.retired.IsZero() {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func (p *idp) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}

// box seals for tests: what was sealed for one purpose opens for no other.
type box struct{}

func (box) Seal(_ context.Context, purpose string, plain []byte) ([]byte, error) {
	return []byte(purpose + "\x00" + strings.ToUpper(fmt.Sprintf("%x", plain))), nil
}

func (box) Open(_ context.Context, purpose string, sealed []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(purpose+"\x00"))
	if !ok {
		return nil, errors.New("sealed for something else")
	}
	var plain []byte
	_, err := fmt.Sscanf(string(rest), "%X", &plain)
	return plain, err
}

// errDead is what a process that was killed gets.
var errDead = errors.New("the process was killed")

// life is one process: it is killed at its nth call of the store or the
// provider, before the call arrives or after it was carried out.
type life struct {
	mu    sync.Mutex
	calls int
	at    int  // 0: never
	after bool // the call is carried out, and its answer lost
	dead  bool
	ctx   context.Context // ends with it
	end   func()
}

func (l *life) call(do func() error) error {
	l.mu.Lock()
	l.calls++
	if l.dead {
		l.mu.Unlock()
		return errDead
	}
	kill := l.calls == l.at
	l.dead = l.dead || kill
	l.mu.Unlock()
	if kill {
		defer l.end()
	}
	if kill && !l.after {
		return errDead
	}
	err := do()
	if kill {
		return errDead
	}
	return err
}

// mortal is a store as one process reaches it.
type mortal struct {
	credential.Store
	*life
}

func (m mortal) Blobs(ctx context.Context, kind string) (list []broker.Blob, err error) {
	err = m.call(func() error { list, err = m.Store.Blobs(ctx, kind); return err })
	return list, err
}

func (m mortal) Blob(ctx context.Context, kind, name string) (b broker.Blob, err error) {
	err = m.call(func() error { b, err = m.Store.Blob(ctx, kind, name); return err })
	return b, err
}

func (m mortal) PutBlob(ctx context.Context, b broker.Blob) error {
	return m.call(func() error { return m.Store.PutBlob(ctx, b) })
}

func (m mortal) DropBlob(ctx context.Context, b broker.Blob) error {
	return m.call(func() error { return m.Store.DropBlob(ctx, b) })
}

func (m mortal) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (l broker.Lease, err error) {
	err = m.call(func() error { l, err = m.Store.Acquire(ctx, name, holder, ttl); return err })
	return l, err
}

func (m mortal) Release(ctx context.Context, l broker.Lease) error {
	return m.call(func() error { return m.Store.Release(ctx, l) })
}

// mortalIDP is a provider as one process reaches it.
type mortalIDP struct {
	*idp
	*life
}

func (m mortalIDP) SecretRules(ctx context.Context, client string) (r provider.SecretRules, err error) {
	err = m.call(func() error { r, err = m.idp.SecretRules(ctx, client); return err })
	return r, err
}

func (m mortalIDP) ClientSecrets(ctx context.Context, client string) (list []provider.ClientSecret, err error) {
	err = m.call(func() error { list, err = m.idp.ClientSecrets(ctx, client); return err })
	return list, err
}

func (m mortalIDP) CreateSecret(ctx context.Context, client string, want provider.NewSecret) (s provider.ClientSecret, v usher.Secret, err error) {
	err = m.call(func() error { s, v, err = m.idp.CreateSecret(ctx, client, want); return err })
	if err != nil {
		return provider.ClientSecret{}, "", err
	}
	return s, v, err
}

func (m mortalIDP) RetireSecret(ctx context.Context, client, id string) error {
	return m.call(func() error { return m.idp.RetireSecret(ctx, client, id) })
}

// world is a store, a provider and a process after the other.
type world struct {
	t       tester
	clock   *clock
	store   *memory.Store
	idp     *idp
	m       *credential.Manager
	life    *life
	mu      sync.Mutex
	reports []usher.Finding
	events  []usher.Event
	cap     credential.Cap
}

func newWorld(t tester, rules provider.SecretRules) *world {
	t.Helper()
	c := newClock()
	w := &world{t: t, clock: c, store: memory.New(c.now), idp: newIDP(c.now, rules), cap: credential.Cap{PerHour: 1 << 30, Apart: time.Hour}}
	w.start(0, false)
	return w
}

// start begins a process that is killed at its nth call.
func (w *world) start(killAt int, after bool) {
	w.life = &life{at: killAt, after: after}
	w.life.ctx, w.life.end = context.WithCancel(ctx)
	life := w.life
	w.m = credential.New(credential.Options{
		Store: mortal{w.store, life}, Seal: box{}, Now: w.clock.now, Cap: w.cap,
		Provider: func(name string) (provider.Secrets, bool) { return mortalIDP{w.idp, life}, name == "sso" },
		Verify:   w.idp.verify,
		Report: func(_ context.Context, r credential.Report) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.reports = append(w.reports, r.Findings...)
			return nil
		},
		Emit: func(_ context.Context, ev usher.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, ev)
		},
		Pace: credential.Pace{Lease: time.Hour},
	})
}

var ctx = context.Background()

// shop is the secret that the tests manage.
func shop() credential.Config {
	return credential.Config{Name: "shop", Provider: "sso", ClientID: "shop-client", TokenEndpoint: "https://sso.test/token", Owner: "payments team", QuietFor: usher.Duration(10 * time.Minute)}
}

func (w *world) add(c credential.Config) {
	w.t.Helper()
	w.must(w.m.Add(ctx, c, credential.Handed{Value: "first-value"}))
	w.must(w.m.Tick(ctx))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%v", err)
	}
}

func (w *world) get() credential.View {
	w.t.Helper()
	v, err := w.m.Get(ctx, "shop")
	w.must(err)
	return v
}

// fetch is a caller that keeps what it was given, as a program does.
func (w *world) fetch(caller string, have int64) (int64, usher.Secret) {
	w.t.Helper()
	g, err := w.m.Fetch(ctx, "shop", caller, have)
	w.must(err)
	return g.Version, g.Value
}

// run lets time pass in steps.
func (w *world) run(d, step time.Duration) {
	w.t.Helper()
	for end := w.clock.now().Add(d); w.clock.now().Before(end); {
		w.clock.pass(step)
		w.must(w.m.Tick(ctx))
	}
}

// found gives the reports of a check.
func (w *world) found(check string, outcome usher.Outcome) (list []usher.Finding) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.reports {
		if f.Check == check && f.Outcome == outcome {
			list = append(list, f)
		}
	}
	return list
}

// The rules of the providers there are, by what they differ in.
var kinds = map[string]provider.SecretRules{
	"keycloak with a rotation policy": {Kind: "keycloak", Overlap: true, Most: 2, Told: true},
	"keycloak":                        {Kind: "keycloak", Most: 1, Told: true},
	"entra":                           {Kind: "entra", Overlap: true, Named: true, Delay: 30 * time.Second, UseTold: true},
	"okta":                            {Kind: "okta", Overlap: true, Most: 2, Told: true},
}

// kindNames gives them in order.
func kindNames() (names []string) {
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var _ tester = (*testing.T)(nil)
