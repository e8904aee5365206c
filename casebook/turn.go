package casebook

import (
	"slices"
	"time"

	"usher"
)

// turn is one call of the book: a transaction with the cases that it has in
// hand, so that a case that is reached by two ways is one value.
type turn struct {
	*Book
	tx      Tx
	now     time.Time
	cases   map[int64]*usher.Case
	changed []*usher.Case
}

func (b *Book) turn(tx Tx) *turn {
	return &turn{Book: b, tx: tx, now: b.opt.Now().UTC(), cases: map[int64]*usher.Case{}}
}

// hold makes one value of all the copies of a case.
func (t *turn) hold(c *usher.Case) *usher.Case {
	if c == nil {
		return nil
	}
	if held, ok := t.cases[c.ID]; ok {
		return held
	}
	t.cases[c.ID] = c
	return c
}

// get gives a case by its id, or nil.
func (t *turn) get(id int64) (*usher.Case, error) {
	if c, ok := t.cases[id]; ok {
		return c, nil
	}
	c, err := t.tx.Case(id)
	return t.hold(c), err
}

// find is get for a case that somebody names.
func (t *turn) find(id int64) (*usher.Case, error) {
	c, err := t.get(id)
	if err == nil && c == nil {
		err = noCase(id)
	}
	return c, err
}

// under gives the cases that are filed under one of the keys, by id.
func (t *turn) under(keys ...string) ([]*usher.Case, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	found, err := t.tx.CasesUnder(keys...)
	for i, c := range found {
		found[i] = t.hold(c)
	}
	return found, err
}

// save writes a case down: its words, its keys and its time to wake follow
// from what it holds.
func (t *turn) save(c *usher.Case) error {
	if c.Kind == usher.CaseAttack && c.ID != 0 && c.Count > 0 {
		if err := t.describe(c); err != nil {
			return err
		}
	}
	t.word(c)
	if err := t.tx.SaveCase(c, t.keys(c), t.wake(c)); err != nil {
		return err
	}
	t.cases[c.ID] = c
	if !slices.Contains(t.changed, c) {
		t.changed = append(t.changed, c)
	}
	return nil
}

// done gives what the turn changed, unless it went wrong.
func (t *turn) done(err error) ([]*usher.Case, error) {
	if err != nil {
		return nil, err
	}
	return t.changed, nil
}

// bounded gives the event as it counts: one from the future counts as of now,
// so that a wrong clock or a forged line can neither keep a case open for years
// nor hide every later success behind itself.
func (t *turn) bounded(ev *usher.Event) *usher.Event {
	if !ev.Time.After(t.now.Add(maxAhead)) {
		return ev
	}
	bounded := *ev
	bounded.Time = t.now
	return &bounded
}

// maxAhead is how far clocks may go ahead of ours.
const maxAhead = 5 * time.Minute
