package serve

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"usher"
	"usher/detect"
	"usher/diagnose"
	"usher/evidence"
	"usher/ingest"
	"usher/store"
)

// batch is what is kept in one transaction.
type batch struct {
	source string      // for the metrics: the kind of the source
	from   *configured // whose source it is; nil: of usher's own doors
	events []usher.Event
	cursor *store.Cursor

	// What prepare finds out, by the index of the event.
	findings []usher.Finding
	late     []bool // the registration of its client did not come in time
	alerts   [][]detect.Alert
	observed bool
	unseen   []bool // of a shared store: what the watch sees once it is known to be new
}

// lookupWait is how long a batch waits for registrations and names. Then it
// goes on without them.
const lookupWait = 500 * time.Millisecond

// sourceReader turns the lines of one source into batches.
type sourceReader struct {
	engine  *Engine
	from    *configured
	kind    string
	name    string
	path    string // of the file, the same for every replica
	decoder *ingest.Decoder
	seen    func(time.Time) // is told the time of every event
}

// take decodes lines and keeps their events with the cursor. It tries again
// until it can, or until ctx ends.
func (s *sourceReader) take(ctx context.Context, lines [][]byte, cursor store.Cursor) error {
	e := s.engine
	if e.spot != nil {
		e.spot(s.path, lines, cursor.Offset)
	}
	b := &batch{source: s.kind, from: s.from, cursor: &cursor}
	for _, line := range lines {
		events, err := s.decode(line)
		if err != nil {
			e.metrics.broken.inc()
			e.log.Warn("a line claims to be an event and is not read", "source", s.name, "error", err)
		}
		for _, ev := range events {
			if err := ev.Validate(); err != nil {
				e.metrics.broken.inc()
				e.log.Warn("an event is not kept", "source", s.name, "error", err)
				continue
			}
			b.events = append(b.events, ev)
			s.seen(ev.Time)
		}
	}
	e.prepare(ctx, b)
	return e.keepPatiently(ctx, b)
}

// decode is Line that survives a defect of a decoder.
func (s *sourceReader) decode(line []byte) (events []usher.Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			events, err = nil, fmt.Errorf("a defect of usher: %v", p)
			s.engine.log.Error("a decoder broke off", "source", s.name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	return s.decoder.Line(line)
}

// prepare does what is slow for a batch, before its transaction: names, and the
// explanation of refusals.
func (e *Engine) prepare(ctx context.Context, b *batch) {
	b.findings, b.late = make([]usher.Finding, len(b.events)), make([]bool, len(b.events))
	if e.observe != nil {
		for i := range b.events {
			e.observe(ctx, &b.events[i])
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupWait)
	defer cancel()
	e.nameChanges(ctx, b)
	for i := range b.events { // ask for all before waiting for one
		ev := &b.events[i]
		if p := e.providerOf(ev.Tenant, ev.Provider, b.from); ev.Refused() && p != nil && p.regs != nil && ev.Client.Known() {
			p.regs.ask(ev.Client.String())
		}
	}
	for i := range b.events {
		ev := &b.events[i]
		if !ev.Refused() {
			continue
		}
		p := e.providerOf(ev.Tenant, ev.Provider, b.from)
		var reg *usher.Client
		if p != nil && p.regs != nil && ev.Client.Known() {
			reg, b.late[i] = e.registration(ctx, p, ev)
		}
		b.findings[i] = e.explain(ev, p, reg)
	}
}

// registration gives what the provider knows of the event's client, if it tells
// in time; late tells that it did not.
func (e *Engine) registration(ctx context.Context, p *configured, ev *usher.Event) (reg *usher.Client, late bool) {
	if p.slow(e.now()) {
		quick, cancel := context.WithTimeout(ctx, slowWait)
		defer cancel()
		return p.regs.get(quick, ev.Client.String())
	}
	reg, late = p.regs.get(ctx, ev.Client.String())
	if ctx.Err() != nil {
		p.wasSlow(e.now())
	}
	return reg, late
}

// slowWait is how long a slow provider is waited for.
const slowWait = 20 * time.Millisecond

// explain gives the best finding about a refusal, or the zero Finding.
func (e *Engine) explain(ev *usher.Event, p *configured, reg *usher.Client) (f usher.Finding) {
	begun := time.Now()
	x := e.explains.Get().(*diagnose.Explainer)
	defer func() {
		if broke := recover(); broke != nil { // x is not given back: it may be in any state
			e.log.Error("an explanation broke off", "panic", fmt.Sprint(broke), "stack", string(debug.Stack()))
			f = usher.Finding{}
			return
		}
		e.explains.Put(x)
		e.metrics.explaining.observe(time.Since(begun))
	}()
	if f, ok := e.connectionFinding(x, ev); ok {
		return f
	}
	set := &evidence.Set{Items: []evidence.Item{evidence.FromEvent(ev)}}
	if reg != nil {
		place := p.place
		if place == "" {
			place = "registration at " + p.Name
		}
		set.Items = append(set.Items, evidence.FromClient(reg, ev.Provider, place))
	}
	answer := x.Explain(set, diagnose.Options{Now: ev.Time})
	for _, f := range answer.Findings {
		if f.Outcome == usher.OutcomeWrong {
			return f
		}
	}
	return usher.Finding{}
}

// explainAgain explains events that were kept once more, with a registration
// that came late.
func (e *Engine) explainAgain(p *configured, reg *usher.Client, waiting []usher.Event) {
	findings := make([]usher.Finding, len(waiting))
	for i := range waiting {
		findings[i] = e.explain(&waiting[i], p, reg)
	}
	_, err := e.update(e.ctx, func(tx *store.Tx) (changed []*usher.Case, err error) {
		for i := range waiting {
			ev := &waiting[i]
			if known, err := tx.Event(ev.UID); err != nil {
				return nil, err
			} else if known == nil {
				continue // it was removed in the meantime
			}
			list, err := e.refuse(tx, ev, findings[i])
			if err != nil {
				return nil, err
			}
			changed = append(changed, list...)
		}
		return changed, nil
	})
	if err != nil && e.ctx.Err() == nil {
		e.log.Warn("a registration came late and its cases are not explained again", "client", reg.ID, "error", err)
	}
}

// keep stores a batch in one transaction.
func (e *Engine) keep(ctx context.Context, b *batch) (added int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !b.observed {
		b.observed = true
		b.alerts = make([][]detect.Alert, len(b.events))
		if e.store.Shared() {
			b.unseen = slices.Repeat([]bool{true}, len(b.events))
		} else {
			for i := range b.events {
				b.alerts[i] = e.watch.Observe(&b.events[i])
			}
		}
	}
	last := int64(0)
	var changed []*usher.Case
	err = e.store.Update(ctx, func(tx *store.Tx) error {
		added, changed = 0, nil
		if e.store.Shared() {
			if err := e.newsOfOthers(tx); err != nil {
				return err
			}
		}
		for i := range b.events {
			list, isNew, err := e.keepEvent(tx, b, i)
			if err != nil {
				return err
			}
			if isNew {
				added++
			}
			changed = append(changed, list...)
		}
		if b.cursor != nil {
			if err := tx.SetCursor(*b.cursor); err != nil {
				return err
			}
		}
		if e.store.Shared() {
			last, err = tx.LastEvent()
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	e.others.event = max(e.others.event, last)
	for i := range b.events {
		e.metrics.event(b.source, b.events[i].Status)
	}
	e.tell(changed)
	e.awaitLate(b)
	return added, nil
}

// awaitLate lets the events of a batch that was kept wait for the registrations
// that did not come in time. Before it was kept there was nothing to explain again.
func (e *Engine) awaitLate(b *batch) {
	for i, late := range b.late {
		if ev := &b.events[i]; late {
			if p := e.providerOf(ev.Tenant, ev.Provider, b.from); p != nil && p.regs != nil {
				p.regs.await(ev.Client.String(), ev)
			}
		}
	}
}

// keepEvent keeps one event and gives the cases that it changed.
func (e *Engine) keepEvent(tx *store.Tx, b *batch, i int) (changed []*usher.Case, isNew bool, err error) {
	ev := &b.events[i]
	if isNew, err = tx.AddEvent(ev); err != nil || !isNew {
		return nil, false, err
	}
	e.seeOwn(b, i)
	// A success that gives an attack away is the attacker's: it must not prove
	// anything before that is known.
	before := ev.Status == usher.StatusSuccess
	if before {
		if changed, err = e.alert(tx, ev, b.alerts[i]); err != nil {
			return nil, false, err
		}
	}
	var list []*usher.Case
	switch {
	case ev.Kind == usher.EventAdmin || ev.Kind == usher.EventConsent && ev.Change != nil:
		list, err = e.book.Change(tx, ev)
	case ev.Refused():
		list, err = e.refuse(tx, ev, b.findings[i])
	case ev.Status == usher.StatusSuccess:
		list, err = e.book.Success(tx, ev)
	}
	if changed = append(changed, list...); err != nil || before {
		return changed, true, err
	}
	list, err = e.alert(tx, ev, b.alerts[i])
	return append(changed, list...), true, err
}

// alert gives the alerts that an event set off to the book.
func (e *Engine) alert(tx *store.Tx, ev *usher.Event, alerts []detect.Alert) (changed []*usher.Case, err error) {
	for _, a := range alerts {
		list, err := e.book.Alert(tx, ev, a)
		if err != nil {
			return nil, err
		}
		changed = append(changed, list...)
	}
	return changed, nil
}

// refuse gives a refusal to the book, and notes with the event what it was
// diagnosed as.
func (e *Engine) refuse(tx *store.Tx, ev *usher.Event, f usher.Finding) ([]*usher.Case, error) {
	changed, err := e.book.Refusal(tx, ev, f)
	if err == nil && f.Cause != "" {
		err = tx.SetCause(ev.UID, f.Cause)
	}
	return changed, err
}

// keepPatiently keeps a batch of a source, as often as it takes. What a source
// told is not lost for an error of the disk; and one event over which the book
// breaks off is put aside, so that it does not hold up the others.
func (e *Engine) keepPatiently(ctx context.Context, b *batch) error {
	wait := 50 * time.Millisecond
	for try := 1; ; try++ {
		_, err := e.keepSafely(ctx, b)
		if err == nil {
			e.storeFailed(nil)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e.storeFailed(err)
		if try >= 3 && !storeTrouble(err) {
			if b = e.without(ctx, b); b == nil {
				return ctx.Err()
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, maxBackoff)
	}
}

// storeTrouble tells an error that passes, or that a person must end, from one
// that an event brings about every time: of its own troubles the store says that
// it cannot be read, and the book says nothing like that.
func storeTrouble(err error) bool {
	var known *usher.Error
	return errors.As(err, &known) && known.Code == usher.ErrUnreadable
}

// keepSafely is keep that survives a defect of the book.
func (e *Engine) keepSafely(ctx context.Context, b *batch) (added int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a defect of usher: %v", p)
			e.log.Error("keeping events broke off", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	return e.keep(ctx, b)
}

// untold takes back that the attacks of a batch were told, because the batch is
// not kept: their next try tells them again.
func (e *Engine) untold(b *batch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, alerts := range b.alerts {
		for _, a := range alerts {
			e.watch.Untold(a)
		}
	}
}

// without keeps the events of a batch one by one, drops what cannot be kept,
// and gives what is left to do: the cursor.
func (e *Engine) without(ctx context.Context, b *batch) *batch {
	for i := range b.events {
		one := &batch{source: b.source, from: b.from, events: b.events[i : i+1], findings: b.findings[i : i+1], late: b.late[i : i+1], alerts: b.alerts[i : i+1], observed: b.observed}
		if b.unseen != nil {
			one.unseen = b.unseen[i : i+1]
		}
		if _, err := e.keepSafely(ctx, one); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			e.untold(one)
			e.metrics.broken.inc()
			e.log.Error("an event cannot be kept and is put aside", "event", b.events[i].UID, "error", err)
		}
	}
	return &batch{source: b.source, from: b.from, cursor: b.cursor, observed: true}
}
