package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"usher"
	"usher/broker"
	"usher/console"
	"usher/provider/snapshot"
	"usher/store"
)

// What several ushers that share a PostgreSQL settle among each other is here.
// One that has its state for itself does nothing of it.
//
// Transactions that change cases follow one another over all of them, and
// events and cases are numbered in that order. So each follows what the others
// write: events, for its watch over attacks; cases, for its pages and figures.
// What one of them must do alone, it does under a lease.

// togetherEvery is how often it is looked what the others wrote.
const togetherEvery = 500 * time.Millisecond

// others is how far a server has seen what is written to a shared store.
type others struct {
	event  int64 // the last one that its watch has seen; under Engine.mu
	change int64 // the last one of a case that was told
	kick   chan struct{}
}

// newsOfOthers shows the watch the events that other ushers have added, before
// it sees one of our own: whoever adds the last try of an attack knows of all
// before it. What they give away was told by who added them. Engine.mu is held.
func (e *Engine) newsOfOthers(tx *store.Tx) error {
	const step = 1000
	for {
		events, last, err := tx.EventsAfter(e.others.event, step)
		if err != nil {
			return err
		}
		for _, ev := range events {
			e.watch.Observe(ev)
		}
		e.others.event = last
		if len(events) < step {
			return nil
		}
	}
}

// seeOwn shows the watch an event of a batch that turned out to be new.
func (e *Engine) seeOwn(b *batch, i int) {
	if b.unseen != nil && b.unseen[i] {
		b.unseen[i] = false
		b.alerts[i] = e.watch.Observe(&b.events[i])
	}
}

// together follows what the others write, until ctx ends.
func (e *Engine) together(ctx context.Context) {
	t := time.NewTicker(togetherEvery)
	defer t.Stop()
	for failed := false; ; {
		err := e.lookTogether(ctx)
		if ctx.Err() == nil && (err != nil || failed) {
			failed = err != nil
			e.storeFailed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-e.others.kick:
		}
	}
}

func (e *Engine) lookTogether(ctx context.Context) error {
	const step = 1000
	var changes []console.Change
	err := func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.store.View(ctx, func(tx *store.Tx) error {
			changes = nil
			if err := e.newsOfOthers(tx); err != nil {
				return err
			}
			seen := e.others.change
			for {
				list, err := tx.CasesChanged(seen, step)
				if err != nil {
					return err
				}
				for _, c := range list {
					changes = append(changes, console.Change{ID: c.ID, State: c.State})
					seen = c.Seq
				}
				if len(list) < step {
					e.others.change = seen
					return nil
				}
			}
		})
	}()
	if err != nil || len(changes) == 0 {
		return err
	}
	e.stateMu.Lock()
	for _, c := range changes {
		e.states[c.ID] = c.State
	}
	e.stateMu.Unlock()
	e.subs.tell(changes)
	return nil
}

// told wakes together after a change of our own, which it tells too: so all who
// watch are told in one order, whoever changed a case.
func (e *Engine) told() {
	select {
	case e.others.kick <- struct{}{}:
	default:
	}
}

// resumeAll looks now and then for fixes whose usher is gone.
func (e *Engine) resumeAll(ctx context.Context) {
	for t := time.NewTicker(30 * time.Second); ; {
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		if _, err := e.resumeOnce(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("a fix that was under way is not looked at yet", "error", err)
		}
	}
}

// fixLease is for how long nobody else may touch a case whose fix is carried
// out: longer than that takes, with the look at the provider before it.
const fixLease = 2*applyTimeout + 30*time.Second

// takeFix makes a case busy, on every usher; release ends that.
func (e *Engine) takeFix(ctx context.Context, id int64) (release func(), err error) {
	here, err := e.plans.take(id)
	if err != nil || !e.store.Shared() {
		return here, err
	}
	leases := e.store.Broker()
	l, err := leases.Acquire(ctx, "fix/"+strconv.FormatInt(id, 10), e.store.Replica(), fixLease)
	if err != nil {
		here()
		if errors.Is(err, broker.ErrHeld) {
			return nil, &usher.Error{Code: console.CodeConflict, Message: fmt.Sprintf("somebody is carrying out a fix of case %d just now", id), Hint: "look at the case again in a moment"}
		}
		return nil, unavailable(err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = leases.Release(ctx, l) // it ends by itself
		here()
	}, nil
}

// myTurn tells whether this usher is the one that does a thing which one of all
// does in a time. Whoever asks first in that time does it; nobody waits for one
// that is gone.
func (s *Server) myTurn(ctx context.Context, what string, every time.Duration) bool {
	if !s.store.Shared() {
		return true
	}
	// A little less, so that who was first is not late by a moment the next time.
	_, err := s.store.Broker().Acquire(ctx, "turn/"+what, s.store.Replica(), every-every/10)
	if err != nil && !errors.Is(err, broker.ErrHeld) && ctx.Err() == nil {
		s.log.Warn("whose turn it is cannot be asked", "what", what, "error", err)
	}
	return err == nil
}

// cursorName names the cursor of a source: each usher reads its own files.
func (s *Server) cursorName(path string) string {
	if !s.store.Shared() {
		return path
	}
	return path + "@" + s.store.Replica()
}

// looks are the earlier looks at a provider: in the data directory, or where the
// state is shared there, for whoever looks next.
func (s *Server) looks(ctx context.Context, issuer string) (h *snapshot.History, keep func(*snapshot.History) error, err error) {
	if !s.store.Shared() {
		dir := snapshot.Dir(filepath.Join(s.store.Dir(), looksFolder))
		h, err := dir.Read(issuer)
		return h, dir.Write, err
	}
	const kind, most = "look", 4 << 20
	docs := s.store.Broker()
	doc, err := docs.Blob(ctx, kind, issuer)
	if errors.Is(err, broker.ErrNotFound) {
		doc, err = broker.Blob{Kind: kind, Name: issuer}, nil
	}
	h = &snapshot.History{Version: 1, Issuer: issuer}
	if err == nil && len(doc.Body) > 0 {
		err = json.Unmarshal(doc.Body, h)
	}
	return h, func(h *snapshot.History) error {
		body, err := json.Marshal(h)
		for err == nil && len(body) > most && len(h.Looks) > 1 {
			h.Looks = append([]*snapshot.Kept{}, h.Looks[(len(h.Looks)+1)/2:]...)
			body, err = json.Marshal(h)
		}
		if err != nil {
			return err
		}
		doc.Body = body
		return docs.PutBlob(ctx, doc)
	}, err
}

// unread counts in how many looks in a row a provider could not be read; read
// ends that. Whoever looks next goes on counting.
func (s *Server) unread(ctx context.Context, provider string, read bool) (n int) {
	if !s.store.Shared() {
		if read {
			delete(s.unreadHere, provider)
			return 0
		}
		s.unreadHere[provider]++
		return s.unreadHere[provider]
	}
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		name := "unread/" + provider
		was, err := tx.Setting(name)
		if err != nil || read && was == "" {
			return err
		}
		if read {
			return tx.SetSetting(name, "")
		}
		n, _ = strconv.Atoi(was)
		n++
		return tx.SetSetting(name, strconv.Itoa(n))
	})
	if err != nil && ctx.Err() == nil {
		s.log.Warn("it cannot be noted that a provider was not read", "provider", provider, "error", err)
	}
	return n
}
