package serve

import (
	"context"
	"sync"

	"usher/console"
)

// subscriberRoom is how many changes a subscriber may be behind.
const subscriberRoom = 256

// subscribers tells those who watch which cases changed. It never waits for
// them: one that does not keep up is let go, and may ask again.
type subscribers struct {
	mu     sync.Mutex
	all    map[chan console.Change]bool
	closed bool
}

// subscribe gives a channel that is closed when ctx ends, when its reader does
// not keep up, or when the server stops.
func (s *subscribers) subscribe(ctx context.Context) <-chan console.Change {
	ch := make(chan console.Change, subscriberRoom)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		close(ch)
		return ch
	}
	if s.all == nil {
		s.all = map[chan console.Change]bool{}
	}
	s.all[ch] = true
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.drop(ch)
	})
	return ch
}

// drop lets one go; the lock is held.
func (s *subscribers) drop(ch chan console.Change) {
	if s.all[ch] {
		delete(s.all, ch)
		close(ch)
	}
}

func (s *subscribers) tell(changes []console.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch := range s.all {
		for _, c := range changes {
			select {
			case ch <- c:
				continue
			default:
				s.drop(ch)
			}
			break
		}
	}
}

// close lets everyone go.
func (s *subscribers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for ch := range s.all {
		s.drop(ch)
	}
}

func (s *subscribers) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}
