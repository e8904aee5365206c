package serve

import (
	"context"
	"errors"
	"sync"
	"time"

	"usher"
	"usher/provider"
)

// Bounds of the registrations that are kept.
const (
	keepRegistration = time.Minute      // what was found
	keepAbsence      = 20 * time.Second // that there is no such client
	keepFailure      = 5 * time.Second  // that the provider did not answer
	maxRegistrations = 2000             // a provider
	lookupTimeout    = 10 * time.Second
	maxLookups       = 8   // at a time
	maxWaiting       = 100 // events that are explained again when a registration arrives
)

// registrations keeps what a provider knows of its clients for a while. One
// question is asked once at a time, whoever waits for its answer.
type registrations struct {
	admin provider.Admin
	now   func() time.Time
	// late is told of a registration that came after events were kept without it.
	late func(client *usher.Client, waiting []usher.Event)

	ctx   context.Context // of the server
	group *sync.WaitGroup
	slots chan struct{}

	mu      sync.Mutex
	entries map[string]*registration
}

type registration struct {
	client  *usher.Client
	err     error
	got     time.Time     // zero while it is asked
	ready   chan struct{} // closed when it is there
	waiting []usher.Event
	stale   bool // something changed while it was asked
}

func newRegistrations(ctx context.Context, group *sync.WaitGroup, admin provider.Admin, now func() time.Time, late func(*usher.Client, []usher.Event)) *registrations {
	return &registrations{admin: admin, now: now, late: late, ctx: ctx, group: group, slots: make(chan struct{}, maxLookups), entries: map[string]*registration{}}
}

// fresh tells whether an answer may still be used.
func (e *registration) fresh(now time.Time) bool {
	age := now.Sub(e.got)
	switch {
	case e.got.IsZero():
		return true // it is being asked
	case e.err == nil:
		return age < keepRegistration
	case errors.Is(e.err, provider.ErrNotFound):
		return age < keepAbsence
	}
	return age < keepFailure
}

// ask begins to look a client up where that is needed.
func (r *registrations) ask(clientID string) *registration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if e := r.entries[clientID]; e != nil && e.fresh(now) {
		return e
	}
	if len(r.entries) >= maxRegistrations {
		r.evict(now)
	}
	e := &registration{ready: make(chan struct{})}
	r.entries[clientID] = e
	r.group.Add(1)
	go r.look(clientID, e)
	return e
}

// evict makes room: what is no longer fresh first, then anything that is there.
func (r *registrations) evict(now time.Time) {
	for id, e := range r.entries {
		if !e.fresh(now) {
			delete(r.entries, id)
		}
	}
	for id, e := range r.entries {
		if len(r.entries) < maxRegistrations*9/10 {
			return
		}
		if !e.got.IsZero() {
			delete(r.entries, id)
		}
	}
}

func (r *registrations) look(clientID string, e *registration) {
	defer r.group.Done()
	ctx, cancel := context.WithTimeout(r.ctx, lookupTimeout)
	defer cancel()
	var client *usher.Client
	var err error
	select {
	case r.slots <- struct{}{}:
		client, err = r.admin.Client(ctx, clientID)
		<-r.slots
	case <-ctx.Done():
		err = ctx.Err()
	}
	r.mu.Lock()
	e.client, e.err, e.got = client, err, r.now()
	if e.stale {
		e.got = e.got.Add(-keepRegistration)
	}
	close(e.ready)
	r.mu.Unlock()
	r.tell(e)
}

// tell tells of a registration that is there, if events wait for it.
func (r *registrations) tell(e *registration) {
	r.mu.Lock()
	client, waiting := e.client, e.waiting
	e.waiting = nil
	r.mu.Unlock()
	if client != nil && len(waiting) > 0 {
		r.late(client, waiting)
	}
}

// get gives the registration of a client, waiting for it until ctx ends. late
// tells that it did not come in time.
func (r *registrations) get(ctx context.Context, clientID string) (client *usher.Client, late bool) {
	e := r.ask(clientID)
	select {
	case <-e.ready:
	default:
		select {
		case <-e.ready:
		case <-ctx.Done():
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return e.client, e.got.IsZero()
}

// await lets an event wait that was kept without the registration of its
// client. It may have come in the meantime.
func (r *registrations) await(clientID string, ev *usher.Event) {
	e := r.ask(clientID)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(e.waiting) < maxWaiting {
		e.waiting = append(e.waiting, *ev)
	}
	if !e.got.IsZero() && len(e.waiting) == 1 {
		r.group.Add(1)
		go func() {
			defer r.group.Done()
			r.tell(e)
		}()
	}
}

// peek gives a registration that is there, however old, and asks nobody.
func (r *registrations) peek(clientID string) *usher.Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[clientID]; e != nil && !e.got.IsZero() {
		return e.client
	}
	return nil
}

// forget drops what is known of a client that was changed, or of every one.
func (r *registrations) forget(clientID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, e := range r.entries {
		if clientID != "" && id != clientID {
			continue
		}
		if e.got.IsZero() {
			e.stale = true
			continue
		}
		delete(r.entries, id)
	}
}
