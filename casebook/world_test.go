package casebook_test

import (
	"fmt"
	"time"

	"usher"
	"usher/casebook"
	"usher/catalog"
)

// world is a book, a store and a clock.
type world struct {
	t    tester
	tx   *memory
	book *casebook.Book
	now  time.Time
	n    int
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// at gives a time of the day: "10:02" or "10:02:30".
func at(clock string) time.Time {
	t, err := time.Parse(time.TimeOnly, (clock + ":00")[:8])
	if err != nil {
		panic(err)
	}
	return noon.Truncate(24 * time.Hour).Add(t.Sub(t.Truncate(24 * time.Hour)))
}

func newWorld(t tester, change ...func(*casebook.Options)) *world {
	w := &world{t: t, tx: newMemory(), now: noon}
	opt := casebook.Options{
		Now: func() time.Time { return w.now },
		Cause: func(label string) (usher.Cause, bool) {
			if e := catalog.Cause(label); e != nil {
				return e.Cause, true
			}
			return usher.Cause{}, false
		},
		ConsequenceOf: func(label string) []string {
			if e := catalog.Cause(label); e != nil {
				return e.ConsequenceOf
			}
			return nil
		},
	}
	for _, c := range change {
		c(&opt)
	}
	w.book = casebook.New(opt)
	return w
}

func (w *world) uid() string { w.n++; return fmt.Sprintf("event-%03d", w.n) }

// store puts an event down, as the store does before the book hears of it.
func (w *world) store(ev *usher.Event) *usher.Event {
	if ev.UID == "" {
		ev.UID = w.uid()
	}
	w.tx.add(ev)
	return ev
}

func (w *world) refuse(ev usher.Event, f usher.Finding) []*usher.Case {
	w.t.Helper()
	ev.Status = usher.StatusFailure
	return w.must(w.book.Refusal(w.tx, w.store(&ev), f))
}

func (w *world) succeed(ev usher.Event) []*usher.Case {
	w.t.Helper()
	ev.Status = usher.StatusSuccess
	ev.StatusCode, ev.OAuth.Error = "", ""
	return w.must(w.book.Success(w.tx, w.store(&ev)))
}

func (w *world) change(ev usher.Event) []*usher.Case {
	w.t.Helper()
	return w.must(w.book.Change(w.tx, w.store(&ev)))
}

func (w *world) must(cases []*usher.Case, err error) []*usher.Case {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return cases
}

func (w *world) tick(now time.Time) []*usher.Case {
	w.t.Helper()
	w.now = now
	return w.must(w.book.Tick(w.tx, now))
}

// only gives the one case there is.
func (w *world) only() *usher.Case {
	w.t.Helper()
	if w.tx.last != 1 {
		w.t.Fatalf("there are %d cases, not one: %s", w.tx.last, titles(w.tx.all()))
	}
	return w.get(1)
}

func (w *world) get(id int64) *usher.Case {
	w.t.Helper()
	c, _ := w.tx.Case(id)
	if c == nil {
		w.t.Fatalf("there is no case %d", id)
	}
	return c
}

// plan gives the plan of a run, the zero one where there is none.
func (w *world) plan(id int64, run string) (plan usher.FixPlan) {
	c, _ := w.tx.Case(id)
	if c == nil {
		return plan
	}
	for _, r := range c.Runs {
		if r.ID == run {
			plan = r.Plan
		}
	}
	return plan
}

func (w *world) state(id int64, want usher.CaseState) *usher.Case {
	w.t.Helper()
	c := w.get(id)
	if c.State != want {
		w.t.Fatalf("case %d (%s) is %s, not %s:\n%s", id, c.Title, c.State, want, story(c))
	}
	return c
}

func titles(cases []*usher.Case) (s string) {
	for _, c := range cases {
		s += fmt.Sprintf("\n%d %s behind %d: %s", c.ID, c.State, c.Behind, c.Title)
	}
	return s
}

func story(c *usher.Case) (s string) {
	for _, e := range c.Timeline {
		s += e.Time.Format("15:04:05") + " " + string(e.Kind) + ": " + e.Text + "\n"
	}
	return s
}

// has tells whether the timeline holds an entry of a kind.
func has(c *usher.Case, kind usher.EntryKind) bool {
	for _, e := range c.Timeline {
		if e.Kind == kind {
			return true
		}
	}
	return false
}

// The events of the tests.

func signIn(clock, user, ip string) usher.Event {
	return usher.Event{
		Kind: usher.EventSignIn, Time: at(clock), Tenant: "corp", Client: usher.Party{UID: "shop"},
		User: usher.Party{UID: "id-" + user, Name: user}, Source: usher.Endpoint{IP: ip},
	}
}

func wrongPassword(clock, user, ip string) (usher.Event, usher.Finding) {
	ev := signIn(clock, user, ip)
	ev.Code, ev.StatusCode = "LOGIN_ERROR", "invalid_user_credentials"
	return ev, finding("password-wrong", 0.9)
}

func redirect(clock, uri, ip string) (usher.Event, usher.Finding) {
	ev := usher.Event{
		Kind: usher.EventSignIn, Time: at(clock), Tenant: "shop", Client: usher.Party{UID: "shop"}, Source: usher.Endpoint{IP: ip},
		Code: "LOGIN_ERROR", StatusCode: "invalid_redirect_uri", OAuth: usher.OAuthFacts{Endpoint: "authorize", RedirectURI: uri},
	}
	f := finding("redirect-uri-mismatch", 0.96)
	f.Proof = []usher.Proof{{Place: "keycloak.log:1", Quote: "…", Expected: "https://shop.test/cb", Got: uri}}
	return ev, f
}

func finding(cause string, confidence float64) usher.Finding {
	f := usher.Finding{Cause: cause, Outcome: usher.OutcomeWrong, Confidence: confidence, Title: cause}
	if e := catalog.Cause(cause); e != nil {
		f.Title, f.Step, f.Fixer = e.Title, e.Step, e.Fixer
	}
	return f
}

func edit(clock, kind, target string, fields ...string) usher.Event {
	return usher.Event{
		Kind: usher.EventAdmin, Time: at(clock), Tenant: "master", Status: usher.StatusSuccess, Actor: usher.Party{Name: "admin"},
		Change: &usher.Change{Operation: "update", Type: kind, Target: usher.Party{Name: target}, Fields: fields},
	}
}

func secondsOf(n int) time.Duration { return time.Duration(n) * time.Second }

// tester is what a *testing.T and a *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}
