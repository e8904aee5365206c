package casebook

import (
	"time"

	"usher"
)

// Tx is what the book needs of the store, within one transaction. It speaks of
// nothing but the nouns, so that a store implements it without knowing this
// room. A store knows nothing of what a key means: the book chooses under
// which keys a case is filed, and asks for them later.
type Tx interface {
	// Case gives the case with an id, or nil where there is none. The caller
	// may change what it gets; nothing counts before SaveCase.
	Case(id int64) (*usher.Case, error)
	// CasesUnder gives every case that is filed under one of the keys, each
	// once, by id.
	CasesUnder(keys ...string) ([]*usher.Case, error)
	// SaveCase stores the case and files it under exactly these keys in place
	// of those of before. An id of 0 is new: the case gets the next one, from 1,
	// written into c. wake is when Due gives the case; zero: never.
	SaveCase(c *usher.Case, keys []string, wake time.Time) error
	// Due gives the cases whose wake time is not after now, the earliest first,
	// at most 1,000.
	Due(now time.Time) ([]*usher.Case, error)

	// AddTry counts the event as a try of the case, once for each pair of case
	// and event: added is false where it was counted before. It gives how many
	// different users (by User.UID, else User.Name; unknown ones do not count)
	// and source addresses the tries of the case have, each up to 1,000. An event
	// that carries both id and name tells that a user who was counted by that
	// name is the one with the id.
	AddTry(caseID int64, ev *usher.Event) (added bool, users, addresses int, err error)

	// AddMark notes a word with a case, once: added is false where the case has it
	// already, or has 1,000 others. Marks gives them all, in any order.
	AddMark(caseID int64, mark string) (added bool, err error)
	Marks(caseID int64) ([]string, error)

	// Event gives a stored event, or nil where it is not known (any more).
	Event(uid string) (*usher.Event, error)
	// Changes gives the stored events of the kinds admin and consent that hold
	// a Change and have a time in [from, to], latest first, at most 1,000.
	Changes(from, to time.Time) ([]*usher.Event, error)
	// Successes gives the stored events of status success of the tenant, other
	// than those of the kinds admin and consent, with a time in [from, to], the
	// earliest first, at most 1,000: of the client with this UID (or, without
	// one, name) where client is not empty, and from this source address where
	// address is not empty.
	Successes(tenant, client, address string, from, to time.Time) ([]*usher.Event, error)
}
