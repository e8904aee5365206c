package casebook

import (
	"time"

	"usher"
)

// Tick takes the passing of time: cases go quiet, intended ones are asked
// again. Once a minute is often enough.
func (b *Book) Tick(tx Tx, now time.Time) ([]*usher.Case, error) {
	t := b.turn(tx)
	t.now = now.UTC()
	due, err := tx.Due(t.now)
	if err != nil {
		return nil, err
	}
	for _, c := range due {
		c = t.hold(c)
		if err := t.tick(c); err != nil {
			return nil, err
		}
		if err := t.save(c); err != nil { // in any case: its next time to wake follows
			return nil, err
		}
	}
	return t.changed, nil
}

func (t *turn) tick(c *usher.Case) error {
	switch {
	case c.State == usher.CaseIntended && !c.Expires.After(t.now):
		note(c, usher.Entry{Time: t.now, Kind: usher.EntryState, Text: "The time for which it was intended has passed (" + usher.EscapeValue(c.Reason) + "): the case is open again."})
		return move(c, actExpire)
	case c.State.Active() && !lasting(c) && !moved(c).Add(t.opt.QuietAfter).After(t.now):
		note(c, usher.Entry{Time: t.now, Kind: usher.EntryState, Text: "No try for " + span(t.opt.QuietAfter) + ": the case is quiet, not proven fixed."})
		return move(c, actSilence)
	}
	return nil
}
