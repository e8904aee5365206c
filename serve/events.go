package serve

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"usher"
	"usher/console"
)

// eventQueue takes events of usher's own doors to the engine, in order and many
// at a time. Who tells one never waits for the store.
type eventQueue struct {
	engine interface {
		Take(ctx context.Context, events []usher.Event) (added int, err error)
	}
	log *slog.Logger

	mu      sync.Mutex
	waiting []usher.Event
	news    chan struct{}
	lost    int
}

// Bounds of the queue.
const (
	maxQueued = 100_000 // events
	maxAtOnce = 500
)

func newEventQueue(e *Engine, log *slog.Logger) *eventQueue {
	return &eventQueue{engine: e, log: log, news: make(chan struct{}, 1)}
}

// add takes an event. When the store was away for so long that the queue is
// full, the oldest goes: later ones tell how things stand.
func (q *eventQueue) add(_ context.Context, ev usher.Event) {
	q.mu.Lock()
	if len(q.waiting) >= maxQueued {
		q.waiting = q.waiting[1:]
		q.lost++
	}
	q.waiting = append(q.waiting, ev)
	q.mu.Unlock()
	select {
	case q.news <- struct{}{}:
	default:
	}
}

// length tells how many wait.
func (q *eventQueue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// run takes events to the engine until ctx ends, and then what is left.
func (q *eventQueue) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime/2)
			defer cancel()
			q.drain(last, false)
			return nil
		case <-q.news:
			q.drain(ctx, true)
		}
	}
}

// drain hands over all that waits; patiently tries again until ctx ends.
func (q *eventQueue) drain(ctx context.Context, patiently bool) {
	wait := 50 * time.Millisecond
	for ctx.Err() == nil {
		q.mu.Lock()
		n := min(len(q.waiting), maxAtOnce)
		batch := q.waiting[:n:n]
		q.waiting = q.waiting[n:]
		lost := q.lost
		q.lost = 0
		q.mu.Unlock()
		if lost > 0 {
			q.log.Error("events of the broker were lost: the store was away for too long", "events", lost)
		}
		if len(batch) == 0 {
			return
		}
		_, err := q.engine.Take(ctx, batch)
		if err != nil && len(batch) > 1 { // one of them may be at fault
			err = q.oneByOne(ctx, batch)
		} else if err != nil && !storeTrouble(err) && !unavailableNow(err) && ctx.Err() == nil {
			q.log.Error("an event of the broker is not kept", "error", err)
			err = nil
		}
		if err == nil {
			wait = 50 * time.Millisecond
			continue
		}
		q.mu.Lock()
		q.waiting = append(batch, q.waiting...)
		q.mu.Unlock()
		if !patiently {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, maxBackoff)
	}
}

// oneByOne hands a batch over event by event; one that the engine refuses is
// told in the log and left out.
func (q *eventQueue) oneByOne(ctx context.Context, batch []usher.Event) error {
	for i := range batch {
		if _, err := q.engine.Take(ctx, batch[i:i+1]); err != nil {
			if storeTrouble(err) || unavailableNow(err) || ctx.Err() != nil {
				return err
			}
			q.log.Error("an event of the broker is not kept", "error", err)
		}
	}
	return nil
}

// unavailableNow tells an answer of the engine that the store is away.
func unavailableNow(err error) bool {
	var known *usher.Error
	return errors.As(err, &known) && known.Code == console.CodeUnavailable
}
