package serve

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"usher"
	"usher/store"
)

// Follow runs a tail for tests.
func Follow(ctx context.Context, path string, fromStart bool, cursor store.Cursor, give func([][]byte, store.Cursor) error, note func(string)) error {
	t := &tail{name: "test", path: path, fromStart: fromStart, poll: 2 * time.Millisecond, note: note}
	return t.follow(ctx, cursor, give)
}

// MarkApplying notes that a plan is about to be carried out, and goes no further.
func MarkApplying(t *testing.T, s *Server, plan usher.FixPlan) {
	t.Helper()
	_, err := s.engine.update(context.Background(), func(tx *store.Tx) ([]*usher.Case, error) {
		return s.engine.book.Applying(tx, plan.Case, plan, "ann")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// SetRunState changes the state of the first run of case 1 in a stopped server's data.
func SetRunState(t *testing.T, dir string, state usher.RunState) {
	t.Helper()
	st, err := store.Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	err = st.Update(context.Background(), func(tx *store.Tx) error {
		c, err := tx.Case(1)
		if err != nil {
			return err
		}
		c.Runs[0].State, c.State = state, usher.CaseFixing
		return tx.SaveCase(c, []string{"is:" + c.Fingerprint, "underway"}, time.Time{})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TakeSlowly is Engine.Take with something that happens after the provider was
// waited for and before the events are kept.
func TakeSlowly(t *testing.T, s *Server, events []usher.Event, between func()) {
	t.Helper()
	b := &batch{source: "doors", events: events}
	s.engine.prepare(t.Context(), b)
	between()
	if _, err := s.engine.keep(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// TellBroker tells an event as the broker does.
func TellBroker(s *Server, ev usher.Event) { s.broker.events.add(context.Background(), ev) }

// Registered tells whether the registration of a client is there.
func Registered(s *Server, client string) bool { return s.engine.providers[0].regs.peek(client) != nil }

// ResumeBusy looks at the runs that are under way while somebody carries out a
// fix of a case, and gives how many are to be looked at again.
func ResumeBusy(t *testing.T, s *Server, id int64) int {
	t.Helper()
	release, err := s.engine.plans.take(id)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	left, err := s.engine.resumeOnce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// StoreTrouble shows storeTrouble to the tests.
func StoreTrouble(err error) bool { return storeTrouble(err) }

// ClientUID gives the provider's own id of a client, once it is known.
func ClientUID(s *Server, tenant, client string) string { return s.engine.clientUID(tenant, client) }

// Telling shows telling to the tests.
func Telling(findings []usher.Finding, least usher.Severity) []usher.Finding {
	return telling(findings, least)
}

// TakeFix makes a case busy, as somebody does who carries out a fix of it.
func TakeFix(t *testing.T, s *Server, id int64) (release func()) {
	t.Helper()
	release, err := s.engine.takeFix(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// ResumeOnce looks once at the runs that are under way and gives how many stay so.
func ResumeOnce(t *testing.T, s *Server) int {
	t.Helper()
	left, err := s.engine.resumeOnce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// CursorOf gives the cursor of a server's first source.
func CursorOf(t *testing.T, s *Server) (c store.Cursor) {
	t.Helper()
	err := s.store.View(t.Context(), func(tx *store.Tx) (err error) {
		c, err = tx.Cursor(s.sources[0].path + "@" + s.store.Replica())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// EventQueue is the queue of the broker's events, for the tests.
type EventQueue struct{ q *eventQueue }

const MaxQueued = maxQueued

func NewEventQueue(engine interface {
	Take(ctx context.Context, events []usher.Event) (int, error)
},
) *EventQueue {
	return &EventQueue{&eventQueue{engine: engine, log: slog.New(slog.DiscardHandler), news: make(chan struct{}, 1)}}
}

func (e *EventQueue) Add(ctx context.Context, ev usher.Event) { e.q.add(ctx, ev) }
func (e *EventQueue) Run(ctx context.Context) error           { return e.q.run(ctx) }
func (e *EventQueue) Length() int                             { return e.q.length() }
