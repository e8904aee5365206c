// Package consoletest keeps cases and accounts in memory and holds sample
// cases, so that every page can be seen and tested without a server behind it.
package consoletest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"

	"usher"
	"usher/console"
)

// Memory implements console.Cases and console.Accounts.
type Memory struct {
	Now func() time.Time
	// Fail, when it gives an error for the name of a method, is what that method answers.
	Fail func(method string) error

	mu       sync.Mutex
	cases    map[int64]*usher.Case
	events   map[string]usher.Event
	watching map[chan console.Change]bool
	applied  int

	accounts map[string]console.Account
	sessions map[string]console.Session
	ticket   console.Ticket
	keys     map[string]console.Key
	keyNames []string
}

// New gives a memory with these cases.
func New(now func() time.Time, cases ...usher.Case) *Memory {
	m := &Memory{
		Now: now, cases: map[int64]*usher.Case{}, events: map[string]usher.Event{}, watching: map[chan console.Change]bool{},
		accounts: map[string]console.Account{}, sessions: map[string]console.Session{}, keys: map[string]console.Key{},
	}
	for _, c := range cases {
		m.cases[c.ID] = &c
	}
	return m
}

func (m *Memory) enter(method string) (leave func(), err error) {
	m.mu.Lock()
	if m.Fail != nil {
		if err := m.Fail(method); err != nil {
			m.mu.Unlock()
			return nil, err
		}
	}
	return m.mu.Unlock, nil
}

// Set puts a case and tells who watches.
func (m *Memory) Set(c usher.Case) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cases[c.ID] = &c
	m.tell(&c)
}

// Edit changes a case and tells who watches.
func (m *Memory) Edit(id int64, change func(*usher.Case)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m.cases[id])
	m.tell(m.cases[id])
}

func (m *Memory) tell(c *usher.Case) {
	for ch := range m.watching {
		select {
		case ch <- console.Change{ID: c.ID, State: c.State}:
		default: // does not keep up
			delete(m.watching, ch)
			close(ch)
		}
	}
}

// Watching counts the subscribers.
func (m *Memory) Watching() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.watching)
}

// Applications counts what was carried out.
func (m *Memory) Applications() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.applied
}

func (m *Memory) List(_ context.Context, f console.Filter) ([]usher.Case, error) {
	leave, err := m.enter("List")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []usher.Case
	for _, c := range m.cases {
		if f.Match(c) {
			found = append(found, copied(c))
		}
	}
	slices.SortFunc(found, func(a, b usher.Case) int {
		return cmp.Or(cmp.Compare(slices.Index(usher.CaseStates, a.State), slices.Index(usher.CaseStates, b.State)), b.Last.Compare(a.Last))
	})
	if f.Limit > 0 && len(found) > f.Limit {
		found = found[:f.Limit]
	}
	return found, nil
}

func copied(c *usher.Case) usher.Case {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	var twin usher.Case
	if err := json.Unmarshal(text, &twin); err != nil {
		panic(err)
	}
	return twin
}

func (m *Memory) find(id int64) (*usher.Case, error) {
	c, ok := m.cases[id]
	if !ok {
		return nil, &usher.Error{Code: usher.ErrNotFound, Message: "there is no case " + strconv.FormatInt(id, 10)}
	}
	return c, nil
}

func (m *Memory) fix(id int64, fix string) (*usher.Case, usher.Fix, error) {
	c, err := m.find(id)
	if err != nil {
		return nil, usher.Fix{}, err
	}
	for _, f := range c.Fixes {
		if f.ID == fix {
			return c, f, nil
		}
	}
	return nil, usher.Fix{}, &usher.Error{Code: usher.ErrNotFound, Message: "this case has no such fix"}
}

func (m *Memory) Case(_ context.Context, id int64) (*usher.Case, error) {
	return m.change("Case", id, func(*usher.Case) {})
}

// change runs a change of one case and gives a copy of what came of it.
func (m *Memory) change(method string, id int64, do func(*usher.Case)) (*usher.Case, error) {
	leave, err := m.enter(method)
	if err != nil {
		return nil, err
	}
	defer leave()
	c, err := m.find(id)
	if err != nil {
		return nil, err
	}
	do(c)
	twin := copied(c)
	return &twin, nil
}

func (m *Memory) note(c *usher.Case, kind usher.EntryKind, by, text string) {
	c.Timeline = append(c.Timeline, usher.Entry{Time: m.Now().UTC(), Kind: kind, By: by, Text: text})
	m.tell(c)
}

func planOf(c *usher.Case, f usher.Fix, now time.Time) (usher.FixPlan, error) {
	if f.Action == nil {
		return usher.FixPlan{}, &usher.Error{Code: usher.ErrUsage, Message: "usher cannot carry out this fix", Hint: "do it by hand, then say so"}
	}
	p := usher.FixPlan{
		Case: c.ID, Fix: f, Made: now.UTC(), Object: "client '" + f.Action.Client + "' of realm 'shop' at https://sso.example",
		Request: "PUT /admin/realms/shop/clients/6d2a54c0", Right: "manage-clients", Undo: "usher takes out again what it put in",
	}
	switch f.Action.Kind {
	case usher.ActionAddRedirectURI:
		p.Diff = []usher.Difference{{Field: "redirectUris", To: f.Action.URI}}
	case usher.ActionReplaceRedirectURI:
		p.Diff = []usher.Difference{{Field: "redirectUris", From: f.Action.From, To: f.Action.URI}}
	case usher.ActionReplaceSecret:
		p.Diff = []usher.Difference{{Field: "secret", From: "the present secret", To: "a new random secret"}}
	case usher.ActionEnableClient:
		p.Diff = []usher.Difference{{Field: "enabled", From: "false", To: "true"}}
	case usher.ActionAllowScope:
		p.Diff = []usher.Difference{{Field: "optionalClientScopes", To: f.Action.Scope}}
	}
	if f.Risk == usher.RiskWeakening {
		p.Weakens = []string{"any path of the host would be let through, not only the one that the app uses"}
	}
	unstamped := p
	unstamped.Made = time.Time{}
	text, _ := json.Marshal(unstamped)
	sum := sha256.Sum256(text)
	p.ID = hex.EncodeToString(sum[:8])
	return p, nil
}

func (m *Memory) Plan(_ context.Context, id int64, fix, by string) (usher.FixPlan, error) {
	leave, err := m.enter("Plan")
	if err != nil {
		return usher.FixPlan{}, err
	}
	defer leave()
	c, f, err := m.fix(id, fix)
	if err != nil {
		return usher.FixPlan{}, err
	}
	p, err := planOf(c, f, m.Now())
	if err == nil {
		m.note(c, usher.EntryPlanned, by, "The exact difference of fix "+fix+" was shown.")
	}
	return p, err
}

func (m *Memory) Apply(_ context.Context, id int64, confirm console.Confirm, by string) (console.Applied, error) {
	leave, err := m.enter("Apply")
	if err != nil {
		return console.Applied{}, err
	}
	defer leave()
	c, f, err := m.fix(id, confirm.Fix)
	if err != nil {
		return console.Applied{}, err
	}
	p, err := planOf(c, f, m.Now())
	if err != nil {
		return console.Applied{}, err
	}
	if p.ID != confirm.Plan {
		return console.Applied{}, &usher.Error{Code: usher.ErrChanged, Message: "the client is no longer as it was when the difference was shown", Hint: "look at the difference once more"}
	}
	if len(p.Weakens) > 0 && !confirm.Weaken {
		return console.Applied{}, &usher.Error{Code: usher.ErrRefused, Message: "this fix weakens security", Hint: "say so twice"}
	}
	m.applied++
	now := m.Now().UTC()
	done := console.Applied{Run: m.run(c, usher.FixRun{Plan: p, State: usher.RunApplied, By: by, Started: now, Finished: now}, "Fix "+f.ID+" was carried out: "+f.Title+".")}
	if f.Action.Kind == usher.ActionReplaceSecret {
		done.Secret = "q1w2-new-secret-e3r4"
	}
	return done, nil
}

func (m *Memory) Undo(_ context.Context, id int64, run, by string) (usher.FixRun, error) {
	leave, err := m.enter("Undo")
	if err != nil {
		return usher.FixRun{}, err
	}
	defer leave()
	c, err := m.find(id)
	if err != nil {
		return usher.FixRun{}, err
	}
	for i := range c.Runs {
		if c.Runs[i].ID == run {
			c.Runs[i].State = usher.RunUndone
			c.State = usher.CaseOpen
			m.note(c, usher.EntryUndone, by, "The fix was taken back.")
			return c.Runs[i], nil
		}
	}
	return usher.FixRun{}, &usher.Error{Code: usher.ErrNotFound, Message: "this case has no such run"}
}

func (m *Memory) Declare(_ context.Context, id int64, d console.Declaration, by string) (usher.FixRun, error) {
	leave, err := m.enter("Declare")
	if err != nil {
		return usher.FixRun{}, err
	}
	defer leave()
	c, f, err := m.fix(id, d.Fix)
	if err != nil {
		return usher.FixRun{}, err
	}
	now := m.Now().UTC()
	plan := usher.FixPlan{Case: id, Fix: f, Made: now, Diff: []usher.Difference{}}
	return m.run(c, usher.FixRun{Plan: plan, State: usher.RunDeclared, By: by, Started: now, Finished: now}, by+" says that fix "+d.Fix+" is done."), nil
}

// run adds a run to a case, which waits for its proof then.
func (m *Memory) run(c *usher.Case, run usher.FixRun, text string) usher.FixRun {
	run.ID = strconv.Itoa(len(c.Runs) + 1)
	c.Runs = append(c.Runs, run)
	c.State = usher.CaseVerifying
	m.note(c, usher.EntryApplied, run.By, text)
	return run
}

func (m *Memory) Intend(_ context.Context, id int64, intent console.Intent, by string) (*usher.Case, error) {
	return m.change("Intend", id, func(c *usher.Case) {
		c.State, c.Owner, c.Reason, c.Expires = usher.CaseIntended, intent.Owner, intent.Reason, intent.Expires
		m.note(c, usher.EntryState, by, "Marked as intended.")
	})
}

func (m *Memory) Reopen(_ context.Context, id int64, by string) (*usher.Case, error) {
	return m.change("Reopen", id, func(c *usher.Case) {
		c.State, c.Proven = usher.CaseOpen, nil
		m.note(c, usher.EntryState, by, "Opened again.")
	})
}

func (m *Memory) Subscribe(ctx context.Context) <-chan console.Change {
	ch := make(chan console.Change, 16)
	m.mu.Lock()
	m.watching[ch] = true
	m.mu.Unlock()
	context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.watching[ch] {
			delete(m.watching, ch)
			close(ch)
		}
	})
	return ch
}

func (m *Memory) Take(_ context.Context, events []usher.Event) (int, error) {
	leave, err := m.enter("Take")
	if err != nil {
		return 0, err
	}
	defer leave()
	added := 0
	for _, e := range events {
		if _, known := m.events[e.UID]; !known {
			m.events[e.UID] = e
			added++
		}
	}
	return added, nil
}

// Events counts what was taken.
func (m *Memory) Events() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.events)
}
