package store

import (
	"context"
	"time"

	"usher"
)

// DefaultRetention is how long events are kept when nothing else is said.
const DefaultRetention = 30 * 24 * time.Hour

// pruneStep bounds what one transaction removes, so that nobody waits for it.
const pruneStep = 500

// Prune removes the events from before a time, and what was counted of them,
// in many small transactions; it also ends sessions that have expired. Cases
// are kept, and so is every event that an active case names: its last refusal,
// the changes before it, its timeline. It gives the number of events removed.
// Between two steps it lets others write, and it stops with ctx.
func (s *Store) Prune(ctx context.Context, before time.Time) (removed int, err error) {
	needed, err := s.needed(ctx)
	if err != nil {
		return 0, told(err, "prune events")
	}
	limit := micros(before)
	at := place{}
	for more := true; more; {
		var n int
		err := s.Update(ctx, func(tx *Tx) (err error) {
			n, at, more, err = tx.pruneEvents(at, limit, needed)
			return err
		})
		if err != nil {
			return removed, told(err, "prune events")
		}
		removed += n
	}
	for more := true; more; {
		err := s.Update(ctx, func(tx *Tx) error {
			n, err := tx.changed(`DELETE FROM tries WHERE (case_id, event) IN
				(SELECT case_id, event FROM tries WHERE time < ? AND NOT EXISTS (SELECT 1 FROM events WHERE uid = event) LIMIT ?)`, limit, pruneStep)
			more = n == pruneStep
			return err
		})
		if err != nil {
			return removed, told(err, "prune tries")
		}
	}
	err = s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec("DELETE FROM sessions WHERE expires < ?", micros(s.now()))
		return err
	})
	return removed, told(err, "end expired sessions")
}

// place is where in the order of time a walk over the events has come to.
type place struct {
	time int64
	uid  string
}

// pruneEvents takes one step of the walk.
func (tx *Tx) pruneEvents(from place, limit int64, needed map[string]bool) (n int, to place, more bool, err error) {
	var old []string
	seen := 0
	to = from
	err = tx.rows("SELECT time, uid FROM events WHERE (time, uid) > (?, ?) AND time < ? ORDER BY time, uid LIMIT ?",
		[]any{from.time, from.uid, limit, pruneStep}, func(row scanner) error {
			err := row.Scan(&to.time, &to.uid)
			seen++
			if !needed[to.uid] {
				old = append(old, to.uid)
			}
			return err
		})
	if err != nil {
		return 0, from, false, err
	}
	for _, uid := range old {
		if _, err := tx.exec("DELETE FROM events WHERE uid = ?", uid); err != nil {
			return 0, from, false, err
		}
	}
	return len(old), to, seen == pruneStep, nil
}

// needed gives the events that active cases name. A case names a few hundred at
// most; what becomes active later was either never pruned or is told whole in
// the case itself.
func (s *Store) needed(ctx context.Context) (map[string]bool, error) {
	uids := map[string]bool{}
	last := int64(0)
	for more := true; more; {
		err := s.View(ctx, func(tx *Tx) error {
			list, err := tx.cases("WHERE active = 1 AND id > ? ORDER BY id LIMIT 100", last)
			for _, c := range list {
				name(uids, c)
				last = c.ID
			}
			more = len(list) == 100
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return uids, nil
}

func name(uids map[string]bool, c *usher.Case) {
	uids[c.Refusal.UID] = true
	for i := range c.Changed {
		uids[c.Changed[i].UID] = true
	}
	for i := range c.Timeline {
		uids[c.Timeline[i].Event] = true
	}
	if c.Proven != nil {
		uids[c.Proven.Event.UID] = true
	}
}
