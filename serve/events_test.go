package serve_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"usher"
	"usher/console"
	"usher/serve"
)

// taker is an engine that is away, or refuses what is told to be wrong.
type taker struct {
	mu    sync.Mutex
	away  bool
	taken []string
	calls int
}

func (t *taker) Take(_ context.Context, events []usher.Event) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	if t.away {
		return 0, &usher.Error{Code: console.CodeUnavailable, Message: "not now"}
	}
	for i := range events {
		if events[i].UID == "wrong" {
			return 0, errors.New("it cannot be kept")
		}
	}
	for i := range events {
		t.taken = append(t.taken, events[i].UID)
	}
	return len(events), nil
}

func (t *taker) got() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string{}, t.taken...)
}

func (t *taker) set(away bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.away = away
}

// TestEventQueue: who tells an event never waits, nothing is lost while the
// store is away, the order stays, and one that cannot be kept holds up no other.
func TestEventQueue(t *testing.T) {
	engine := &taker{away: true}
	q := serve.NewEventQueue(engine)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = q.Run(ctx)
	}()
	var want []string
	began := time.Now()
	for i := range 1200 {
		uid := fmt.Sprint("event-", i)
		if i == 700 {
			q.Add(ctx, usher.Event{UID: "wrong"})
		}
		q.Add(ctx, usher.Event{UID: uid})
		want = append(want, uid)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("telling took %v while the store is away", took)
	}
	time.Sleep(100 * time.Millisecond)
	if n := len(engine.got()); n != 0 {
		t.Fatalf("%d events were kept by a store that is away", n)
	}
	engine.set(false)
	for end := time.Now().Add(20 * time.Second); len(engine.got()) < len(want); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d came", len(engine.got()), len(want))
		}
	}
	for i, uid := range engine.got() {
		if uid != want[i] {
			t.Fatalf("event %d is %s, not %s", i, uid, want[i])
		}
	}
	// What is told as the server stops is kept too.
	q.Add(ctx, usher.Event{UID: "last"})
	stop()
	<-done
	if got := engine.got(); got[len(got)-1] != "last" {
		t.Errorf("the last is %s", got[len(got)-1])
	}
}

// TestEventQueueBounded: a store that stays away does not fill the memory.
func TestEventQueueBounded(t *testing.T) {
	q := serve.NewEventQueue(&taker{away: true})
	for i := range serve.MaxQueued + 50 {
		q.Add(t.Context(), usher.Event{UID: fmt.Sprint(i)})
	}
	if n := q.Length(); n != serve.MaxQueued {
		t.Errorf("%d events wait", n)
	}
}
