package broker

import (
	"context"
	"sync"
)

// subscriber is somebody who is told of changes. Of those that were not taken
// yet it keeps the last of each connection, so that a slow one costs no more
// than there are connections.
type subscriber struct {
	ids map[string]bool // nil: all

	mu      sync.Mutex
	pending map[string]Change
	order   []string
	wake    chan struct{} // buffered, one
}

// Subscribe tells how these connections (none: all) stand, and then each
// change, until ctx ends, which closes the channel. A subscriber that is slow
// is told the last of several changes to one connection.
func (b *Broker) Subscribe(ctx context.Context, ids ...string) <-chan Change {
	s := &subscriber{pending: map[string]Change{}, wake: make(chan struct{}, 1)}
	if len(ids) > 0 {
		s.ids = map[string]bool{}
		for _, id := range ids {
			s.ids[id] = true
		}
	}
	b.subscribers.add(s)
	out := make(chan Change)
	go func() {
		defer close(out)
		defer b.subscribers.remove(s)
		b.standing(ctx, s, ids)
		s.deliver(ctx, out)
	}()
	return out
}

// standing puts in how the connections stand, behind what came meanwhile.
func (b *Broker) standing(ctx context.Context, s *subscriber, ids []string) {
	put := func(rec Record) {
		s.put(b.changeOf(rec.Config, rec.Status), true)
	}
	if s.ids != nil {
		for _, id := range ids {
			if rec, err := b.opt.Store.Connection(ctx, id); err == nil {
				put(rec)
			}
		}
		return
	}
	for after := ""; ; {
		page, err := b.opt.Store.Connections(ctx, after, 500)
		if err != nil || len(page) == 0 {
			return
		}
		for _, rec := range page {
			put(rec)
		}
		after = page[len(page)-1].Config.ID
	}
}

// put keeps a change; first gives way to one that is there.
func (s *subscriber) put(c Change, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.pending[c.ID]; !there {
		s.order = append(s.order, c.ID)
	} else if first {
		return
	}
	s.pending[c.ID] = c
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take gives the next change.
func (s *subscriber) take() (Change, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) == 0 {
		return Change{}, false
	}
	id := s.order[0]
	s.order = s.order[1:]
	c := s.pending[id]
	delete(s.pending, id)
	return c, true
}

func (s *subscriber) deliver(ctx context.Context, out chan<- Change) {
	for {
		c, ok := s.take()
		if !ok {
			select {
			case <-s.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case out <- c:
		case <-ctx.Done():
			return
		}
	}
}

// subscribers are all of them.
type subscribers struct {
	mu  sync.RWMutex
	all map[*subscriber]bool
}

func (s *subscribers) add(one *subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*subscriber]bool{}
	}
	s.all[one] = true
}

func (s *subscribers) remove(one *subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, one)
}

// wanted tells whether somebody is told of a connection.
func (b *Broker) wanted(id string) bool {
	b.subscribers.mu.RLock()
	defer b.subscribers.mu.RUnlock()
	for s := range b.subscribers.all {
		if s.ids == nil || s.ids[id] {
			return true
		}
	}
	return false
}

// tell tells all who want to know.
func (b *Broker) tell(c Change) {
	b.subscribers.mu.RLock()
	defer b.subscribers.mu.RUnlock()
	for s := range b.subscribers.all {
		if s.ids == nil || s.ids[c.ID] {
			s.put(c, false)
		}
	}
}

// publish tells how a connection stands now.
func (b *Broker) publish(h *held) {
	b.tell(b.changeOf(*h.config, h.status))
}

func (b *Broker) changeOf(c Config, st Status) Change {
	ch := Change{ID: c.ID, Generation: st.Generation, State: st.State, Expires: st.Expires, Trouble: b.linked(c.ID, st.Trouble), Healed: st.Healed, Callers: c.Callers}
	if c.Disabled {
		ch.State = StateStopped
	}
	return ch
}
