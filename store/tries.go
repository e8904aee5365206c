package store

import (
	"cmp"
	"fmt"

	"usher"
)

// MaxDistinct is up to how many different users and addresses of a case are
// told apart.
const MaxDistinct = 1000

// AddTry counts the event as a try of the case, once for each pair of case and
// event: added is false where it was counted before. It gives how many
// different users (by User.UID, else User.Name; unknown ones do not count) and
// source addresses the tries of the case have, each up to MaxDistinct. An event
// that carries both id and name tells that a user who was counted by that name
// is the one with the id.
func (tx *Tx) AddTry(caseID int64, ev *usher.Event) (added bool, users, addresses int, err error) {
	added, users, addresses, err = tx.addTry(caseID, ev)
	if err != nil {
		err = fmt.Errorf("count event %s in case %d: %w", ev.UID, caseID, err)
	}
	return added, users, addresses, err
}

func (tx *Tx) addTry(caseID int64, ev *usher.Event) (added bool, users, addresses int, err error) {
	n, err := tx.changed("INSERT INTO tries (case_id, event, time) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", caseID, opaque(ev.UID), micros(ev.Time))
	if err != nil {
		return false, 0, 0, err
	}
	if n > 0 && ev.User.UID != "" && ev.User.Name != "" && ev.User.UID != ev.User.Name {
		if _, err := tx.exec("DELETE FROM affected WHERE case_id = ? AND what = 'user' AND value = ?", caseID, opaque(ev.User.Name)); err != nil {
			return false, 0, 0, err
		}
	}
	if users, err = tx.addDistinct(caseID, "user", opaque(cmp.Or(ev.User.UID, ev.User.Name)), n > 0); err != nil {
		return false, 0, 0, err
	}
	if addresses, err = tx.addDistinct(caseID, "address", opaque(ev.Source.IP), n > 0); err != nil {
		return false, 0, 0, err
	}
	return n > 0, users, addresses, nil
}

// addDistinct adds a value to those that a case has, up to the bound, and gives
// how many there are.
func (tx *Tx) addDistinct(caseID int64, what, value string, add bool) (n int, err error) {
	if err := tx.row("SELECT count(*) FROM affected WHERE case_id = ? AND what = ?", caseID, what).Scan(&n); err != nil {
		return 0, err
	}
	if !add || value == "" || n >= MaxDistinct {
		return n, nil
	}
	added, err := tx.changed("INSERT INTO affected (case_id, what, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", caseID, what, value)
	return n + added, err
}
