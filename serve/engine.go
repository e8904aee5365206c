package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"usher"
	"usher/casebook"
	"usher/catalog"
	"usher/console"
	"usher/detect"
	"usher/diagnose"
	"usher/fix"
	"usher/provider"
	"usher/store"
)

// Engine is the pipeline from lines to cases. It implements console.Cases.
//
// What is slow (decoding, looking registrations up, explaining) is done for a
// batch of events before its transaction, by each source for itself; the
// transactions follow one another.
type Engine struct {
	store   *store.Store
	book    *casebook.Book
	fixer   *fix.Fixer
	now     func() time.Time
	log     *slog.Logger
	metrics *metrics
	subs    subscribers
	plans   plans
	observe func(context.Context, *usher.Event)         // is told of every event before it is kept; nil: nobody
	spot    func(log string, lines [][]byte, end int64) // is shown every line of a log; nil: nobody

	providers []*configured
	byName    map[string]*configured

	ctx      context.Context // ends when the server stops
	group    sync.WaitGroup  // of everything that runs beside it
	started  time.Time
	explains sync.Pool // of *diagnose.Explainer

	mu    sync.Mutex // orders what watch sees and what the store keeps
	watch *detect.Watch

	others others // of a store that others share

	names nameMemory

	stateMu sync.Mutex
	states  map[int64]usher.CaseState // of every case, for the metrics

	failMu  sync.Mutex
	failure error // why the store does not keep what it is given, while it does not
}

var (
	_ console.Cases = (*Engine)(nil)
	_ casebook.Tx   = (*store.Tx)(nil)
)

// configured is a provider of the configuration with what usher may ask of it.
type configured struct {
	*Provider
	admin provider.Admin // nil: nothing may be asked there
	place string         // of its registrations, for a person
	regs  *registrations

	slowUntil atomic.Int64 // it did not answer in time: until then nobody waits for it
}

// slow tells whether the provider kept somebody waiting in vain not long ago.
func (p *configured) slow(now time.Time) bool { return now.UnixNano() < p.slowUntil.Load() }

// wasSlow notes that it kept somebody waiting in vain.
func (p *configured) wasSlow(now time.Time) { p.slowUntil.Store(now.Add(slowFor).UnixNano()) }

// slowFor is how long nobody waits for a provider that did not answer in time.
const slowFor = 10 * time.Second

// newEngine makes an engine that does nothing yet.
func newEngine(ctx context.Context, cfg *Config, st *store.Store, admins map[string]provider.Admin, env Env, log *slog.Logger, m *metrics) *Engine {
	e := &Engine{store: st, now: env.Now, log: log, metrics: m, ctx: ctx, byName: map[string]*configured{}, watch: detect.New(detect.Options{Now: env.Now})}
	e.others.kick = make(chan struct{}, 1)
	e.started = e.now()
	e.explains.New = func() any { return diagnose.New() }
	for i := range cfg.Providers {
		p := &configured{Provider: &cfg.Providers[i], admin: admins[cfg.Providers[i].Name]}
		if p.admin != nil {
			p.place = p.admin.Capabilities().Place
			p.regs = newRegistrations(ctx, &e.group, p.admin, e.now, func(reg *usher.Client, waiting []usher.Event) {
				e.explainAgain(p, reg, waiting)
			})
		}
		e.providers = append(e.providers, p)
		e.byName[p.Name] = p
	}
	e.fixer = fix.New(fix.Options{Admins: admins, Now: env.Now})
	e.book = casebook.New(casebook.Options{
		Now: env.Now, Location: time.Local,
		Cause: causeOf, ConsequenceOf: consequencesOf, HasConsequences: hasConsequences, Fixes: e.fixesOf, ClientUID: e.clientUID,
		UserName:   func(id string) string { return e.names.get(&e.names.users, id) },
		QuietAfter: time.Duration(cfg.Cases.QuietAfter), ProofWithin: time.Duration(cfg.Cases.ProofWithin),
	})
	return e
}

func causeOf(label string) (usher.Cause, bool) {
	if c := catalog.Cause(label); c != nil {
		return c.Cause, true
	}
	return usher.Cause{}, false
}

func consequencesOf(label string) []string {
	if c := catalog.Cause(label); c != nil {
		return c.ConsequenceOf
	}
	return nil
}

// hasConsequences tells whether any cause stands back behind a cause.
func hasConsequences(label string) bool { return leading()[label] }

var leading = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for _, c := range catalog.Causes() {
		for _, label := range c.ConsequenceOf {
			all[label] = true
		}
	}
	return all
})

// fixesOf gives the ways out of a case. It is called within a transaction, so
// it asks nobody: what is not known of the registration yet stays unknown.
func (e *Engine) fixesOf(c *usher.Case) []usher.Fix {
	cause, ok := causeOf(c.Finding.Cause)
	if !ok {
		cause = usher.Cause{Label: c.Finding.Cause}
	}
	if c.Refusal.Connection() != "" {
		return connectionFixes(c, cause)
	}
	p := e.providerOf(c.Refusal.Tenant, c.Refusal.Provider, nil)
	if p == nil || p.admin == nil {
		return fix.Propose(c, cause, nil, "")
	}
	return fix.Propose(c, cause, p.regs.peek(c.Refusal.Client.String()), p.Name)
}

// clientUID gives the provider's own id of a client where it is known.
func (e *Engine) clientUID(tenant, client string) string {
	if p := e.providerOf(tenant, "", nil); p != nil && p.regs != nil {
		if reg := p.regs.peek(client); reg != nil {
			return reg.UID
		}
	}
	return ""
}

// providerOf finds the provider that a tenant belongs to. from is the provider
// whose source told of it, or nil.
func (e *Engine) providerOf(tenant, kind string, from *configured) *configured {
	for _, p := range e.providers {
		for _, t := range p.Tenants {
			if t == tenant && speaks(p.Kind, kind) {
				return p
			}
		}
	}
	if from != nil && len(from.Tenants) == 0 {
		return from
	}
	// One provider without tenants is meant for everything of its kind.
	var only *configured
	for _, p := range e.providers {
		if len(p.Tenants) == 0 && speaks(p.Kind, kind) {
			if only != nil {
				return nil
			}
			only = p
		}
	}
	return only
}

// speaks tells whether a provider of a kind writes events of a kind: the lab
// speaks like Keycloak and like Entra.
func speaks(provider, event string) bool {
	return provider == event || event == "" || provider == "lab"
}

// storeFailed notes that the store does not keep what it is given, and nil that
// it does again.
func (e *Engine) storeFailed(err error) {
	e.failMu.Lock()
	before := e.failure
	e.failure = err
	e.failMu.Unlock()
	switch {
	case err != nil:
		e.metrics.storeErrors.inc()
		if before == nil || before.Error() != err.Error() {
			e.log.Error("nothing can be kept, it is tried again", "error", err)
		}
	case before != nil:
		e.log.Info("the store keeps what it is given again")
	}
}

// ready tells why the store does not keep what it is given, or nil.
func (e *Engine) ready() error {
	e.failMu.Lock()
	defer e.failMu.Unlock()
	return e.failure
}

// update runs a transaction that changes cases, and tells those who watch.
func (e *Engine) update(ctx context.Context, f func(*store.Tx) ([]*usher.Case, error)) ([]*usher.Case, error) {
	var changed []*usher.Case
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.store.Update(ctx, func(tx *store.Tx) (err error) {
		changed, err = f(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	e.tell(changed)
	return changed, nil
}

// tell tells those who watch which cases changed, each once, in order.
func (e *Engine) tell(changed []*usher.Case) {
	var changes []console.Change
	at := map[int64]int{}
	for _, c := range changed {
		if i, ok := at[c.ID]; ok {
			changes[i].State = c.State
			continue
		}
		at[c.ID] = len(changes)
		changes = append(changes, console.Change{ID: c.ID, State: c.State})
	}
	if len(changes) == 0 {
		return
	}
	e.stateMu.Lock()
	for _, c := range changed {
		if _, known := e.states[c.ID]; !known {
			e.metrics.opened(c, e.started, e.now())
		}
		e.states[c.ID] = c.State
	}
	e.stateMu.Unlock()
	if e.store.Shared() {
		e.told()
		return
	}
	e.subs.tell(changes)
}

// load reads what an engine keeps in memory beside the store.
func (e *Engine) load(ctx context.Context) error {
	err := e.store.View(ctx, func(tx *store.Tx) (err error) {
		if e.states, err = tx.States(); err != nil || !e.store.Shared() {
			return err
		}
		e.others.change, err = tx.LastChange()
		return err
	})
	if err != nil {
		return err
	}
	return e.warm(ctx)
}

// gauges adds the figures of the engine that are asked for.
func (e *Engine) gauges() {
	for _, state := range usher.CaseStates {
		e.metrics.gauge("usher_cases", "Cases by state.", map[string]string{"state": string(state)}, func() float64 {
			e.stateMu.Lock()
			defer e.stateMu.Unlock()
			n := 0
			for _, s := range e.states {
				if s == state {
					n++
				}
			}
			return float64(n)
		})
	}
	e.metrics.gauge("usher_watching", "Pages and programs that watch.", nil, func() float64 { return float64(e.subs.count()) })
}

// run begins what goes on by itself: the passing of time, and what a crash left
// half-done.
func (e *Engine) run(every time.Duration) {
	e.background(func(ctx context.Context) { e.tick(ctx, every) })
	e.background(e.resume)
	if e.store.Shared() {
		e.background(e.together)
		e.background(e.resumeAll)
	}
}

// background runs f until the server stops.
func (e *Engine) background(f func(context.Context)) {
	e.group.Add(1)
	go func() {
		defer e.group.Done()
		f(e.ctx)
	}()
}

func (e *Engine) tick(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for failed := false; ; {
		_, err := e.update(ctx, func(tx *store.Tx) ([]*usher.Case, error) { return e.book.Tick(tx, e.now()) })
		if ctx.Err() == nil && (err != nil || failed) { // what a source failed at, it tells itself
			failed = err != nil
			e.storeFailed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// tickEvery says how often cases are looked at for the passing of time.
func tickEvery(quietAfter time.Duration) time.Duration {
	return max(250*time.Millisecond, min(quietAfter/4, 30*time.Second))
}

// warm shows the watch for attacks what the store has of the last while, so
// that a restart does not hide one.
func (e *Engine) warm(ctx context.Context) error {
	const most, window = 20_000, time.Hour
	var events []*usher.Event
	err := e.store.View(ctx, func(tx *store.Tx) (err error) {
		if e.store.Shared() {
			if e.others.event, err = tx.LastEvent(); err != nil {
				return err
			}
		}
		// What is of the future says nothing of the last while.
		from, to := time.Time{}, e.now().Add(5*time.Minute)
		for len(events) < most {
			list, err := tx.Events(store.EventFilter{From: from, To: to, Limit: 1000})
			if err != nil || len(list) == 0 {
				return err
			}
			if from.IsZero() {
				from = list[0].Time.Add(-window)
			}
			for _, ev := range list {
				if ev.Time.Before(from) {
					return nil
				}
				events = append(events, ev)
			}
			last := list[len(list)-1].Time
			if len(list) < 1000 || !last.Before(to) {
				return nil
			}
			to = last
		}
		return nil
	})
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := len(events) - 1; i >= 0; i-- { // the earliest first
		e.watch.Observe(events[i])
	}
	return nil
}

// Take takes events of usher's own doors, all or none.
func (e *Engine) Take(ctx context.Context, events []usher.Event) (added int, err error) {
	for i := range events {
		if err := events[i].Validate(); err != nil {
			return 0, &usher.Error{Code: console.CodeUnprocessed, Message: fmt.Sprintf("event %d is none", i+1), Err: err, Hint: "docs/reference/event.md says what an event holds"}
		}
	}
	b := &batch{source: "doors", events: events}
	e.prepare(ctx, b)
	added, err = e.keep(ctx, b)
	if err != nil {
		e.untold(b)
	}
	if err != nil && ctx.Err() == nil {
		e.metrics.storeErrors.inc()
		return 0, &usher.Error{Code: console.CodeUnavailable, Message: "the events cannot be kept now", Err: err, Hint: "send them again later: what is known already changes nothing"}
	}
	return added, err
}

// wait waits for what runs beside the sources.
func (e *Engine) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		e.group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New("something is still running")
	}
}
