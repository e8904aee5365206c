package store

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"usher"
)

// AddEvent keeps an event. One whose UID is known already changes nothing, and
// added is false: a log that is read twice counts once. The event is masked
// once more on its way.
func (tx *Tx) AddEvent(ev *usher.Event) (added bool, err error) {
	if err := ev.Validate(); err != nil {
		return false, fmt.Errorf("keep an event: %w", err)
	}
	kept := masked(*ev)
	kept.UID = opaque(ev.UID)
	body, err := json.Marshal(&kept)
	if err != nil {
		return false, fmt.Errorf("keep event %s: %w", ev.UID, err)
	}
	change := kept.Change != nil && (kept.Kind == usher.EventAdmin || kept.Kind == usher.EventConsent)
	n, err := tx.changed(`INSERT INTO events (uid, time, kind, status, tenant, client, "user", user_name, address, change, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO NOTHING`,
		kept.UID, micros(kept.Time), string(kept.Kind), int(kept.Status), kept.Tenant, cmp.Or(kept.Client.UID, kept.Client.Name),
		cmp.Or(kept.User.UID, kept.User.Name), kept.User.Name, kept.Source.IP, bit(change), whole(body))
	if err != nil {
		return false, fmt.Errorf("keep event %s: %w", ev.UID, err)
	}
	return n > 0, nil
}

// SetCause notes with an event what it was diagnosed as.
func (tx *Tx) SetCause(uid, cause string) error {
	if _, err := tx.exec("UPDATE events SET cause = ? WHERE uid = ?", cause, opaque(uid)); err != nil {
		return fmt.Errorf("note the cause of event %s: %w", uid, err)
	}
	return nil
}

// Event gives one event, or nil where it is not known, or no longer.
func (tx *Tx) Event(uid string) (*usher.Event, error) {
	list, err := tx.events("WHERE uid = ?", opaque(uid))
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// Changes gives the events of the kinds admin and consent that hold a Change
// and have a time in [from, to], the latest first, at most 1,000.
func (tx *Tx) Changes(from, to time.Time) ([]*usher.Event, error) {
	return tx.events("WHERE change = 1 AND time BETWEEN ? AND ? ORDER BY time DESC, uid LIMIT 1000", micros(from), micros(to))
}

// Successes gives the events of status success of a tenant, other than those
// of the kinds admin and consent, with a time in [from, to], the earliest
// first, at most 1,000: of the client with this id (or, without one, name)
// where client is not empty, and from this source address where address is not
// empty.
func (tx *Tx) Successes(tenant, client, address string, from, to time.Time) ([]*usher.Event, error) {
	w := where{}
	w.and("tenant = ? AND status = 1 AND change = 0 AND kind NOT IN ('admin', 'consent') AND time BETWEEN ? AND ?", tenant, micros(from), micros(to))
	w.equal("client", client)
	w.equal("address", address)
	return tx.events(w.String()+" ORDER BY time, uid LIMIT 1000", w.args...)
}

// LastEvent gives the number of the event that was added last, by anybody who
// shares the store, and 0 where there is none.
func (tx *Tx) LastEvent() (seq int64, err error) {
	err = tx.row("SELECT coalesce(max(" + tx.eventSeq() + "), 0) FROM events").Scan(&seq)
	return seq, told(err, "ask for the last event")
}

// EventsAfter gives the events that were added after a number, in that order, at
// most limit, and the number of the last of them.
func (tx *Tx) EventsAfter(seq int64, limit int) (list []*usher.Event, last int64, err error) {
	last = seq
	err = tx.rows("SELECT "+tx.eventSeq()+", uid, body FROM events WHERE "+tx.eventSeq()+" > ? ORDER BY "+tx.eventSeq()+" LIMIT ?", []any{seq, limit}, func(row scanner) error {
		var uid, body string
		if err := row.Scan(&last, &uid, &body); err != nil {
			return err
		}
		ev := new(usher.Event)
		if err := json.Unmarshal([]byte(body), ev); err != nil {
			return damaged(tx.s.where, "event "+uid+" is no JSON")
		}
		list = append(list, ev)
		return nil
	})
	return list, last, told(err, "read the events that were added")
}

// eventSeq is the column that counts the events as they are added. SQLite's own
// is given anew after the last event was pruned, which does not matter to one
// process.
func (tx *Tx) eventSeq() string {
	if tx.s.remote != nil {
		return "seq"
	}
	return "rowid"
}

// EventFilter says which events are asked for. Empty fields ask for all.
type EventFilter struct {
	Kinds  []usher.EventKind
	Status []usher.Status
	Tenant string
	Client string // id or, of a client without one, name
	User   string // id or name
	Cause  string
	From   time.Time // not before
	To     time.Time // before
	Limit  int       // 0 is 100, and 1,000 is the most
}

// Events gives the events of a filter, the latest first.
func (tx *Tx) Events(f EventFilter) ([]*usher.Event, error) {
	w := where{}
	in(&w, "kind", f.Kinds)
	in(&w, "status", f.Status)
	w.equal("tenant", f.Tenant)
	w.equal("client", f.Client)
	w.equal("cause", f.Cause)
	if f.User != "" {
		w.and("(\"user\" = ? OR user_name = ?)", f.User, f.User)
	}
	if !f.From.IsZero() {
		w.and("time >= ?", micros(f.From))
	}
	if !f.To.IsZero() {
		w.and("time < ?", micros(f.To))
	}
	return tx.events(w.String()+" ORDER BY time DESC, uid LIMIT ?", append(w.args, min(cmp.Or(f.Limit, 100), 1000))...)
}

// events gives the events of the rest of a query.
func (tx *Tx) events(rest string, args ...any) ([]*usher.Event, error) {
	out := []*usher.Event{}
	err := tx.rows("SELECT uid, body FROM events "+rest, args, func(row scanner) error {
		var uid, body string
		if err := row.Scan(&uid, &body); err != nil {
			return err
		}
		ev := new(usher.Event)
		if err := json.Unmarshal([]byte(body), ev); err != nil {
			return damaged(tx.s.where, "event "+uid+" is no JSON")
		}
		out = append(out, ev)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return out, nil
}

// where collects the conditions of a query.
type where struct {
	parts []string
	args  []any
}

func (w *where) and(part string, args ...any) {
	w.parts = append(w.parts, part)
	w.args = append(w.args, args...)
}

func (w *where) equal(column, value string) {
	if value != "" {
		w.and(column+" = ?", value)
	}
}

func (w *where) String() string {
	if len(w.parts) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(w.parts, " AND ")
}

// in asks for one of a few values; none ask for all.
func in[T ~string | ~int](w *where, column string, values []T) {
	if len(values) == 0 {
		return
	}
	args := make([]any, len(values))
	for i, v := range values {
		if r := reflect.ValueOf(v); r.Kind() == reflect.String {
			args[i] = r.String()
		} else {
			args[i] = r.Int()
		}
	}
	w.and(column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", args...)
}
