// Package casebook turns findings into cases and follows each until it is
// proven fixed.
//
// The book is pure logic over a Tx that the store gives it: it holds no state
// of its own, so a crash between two transactions loses nothing. A case is one
// cause at one tenant, client and whatever else makes it one thing (see
// fingerprint). Only a success that meets the condition of a proof makes it
// fixed; silence makes it quiet.
package casebook

import (
	"time"

	"usher"
)

// Options are what a Book needs to know of the world.
type Options struct {
	// Now gives the time; nil: time.Now.
	Now func() time.Time
	// Location is the zone in which titles and summaries tell times; nil: UTC.
	Location *time.Location
	// Cause gives what is known of a cause by its label; nil: nothing is known.
	Cause func(label string) (usher.Cause, bool)
	// ConsequenceOf gives the causes behind which a cause stands back; nil: none.
	ConsequenceOf func(label string) []string
	// HasConsequences tells whether any cause stands back behind a cause, which
	// saves looking for them; nil: it is not known.
	HasConsequences func(label string) bool
	// ClientUID gives the provider's own id of a client where it is known, else
	// the empty string: some providers name clients in their audit log by it
	// alone. nil: never known.
	ClientUID func(tenant, client string) string
	// UserName gives the name of a user by the provider's id, or the empty string;
	// nil: never known.
	UserName func(id string) string
	// Fixes gives the ways out of a case, best first, each with the condition of
	// its proof; nil: one for the person, made from the cause.
	Fixes func(c *usher.Case) []usher.Fix
	// QuietAfter is how long tries must stop before a case is quiet; 0: an hour.
	QuietAfter time.Duration
	// ProofWithin is how long after a fix was carried out its proof is awaited,
	// where the condition says nothing of its own; 0: 72 hours.
	ProofWithin time.Duration
}

// Book is the ledger of cases. It may be used by many goroutines, each with a
// transaction of its own.
type Book struct {
	opt Options
}

// New gives a Book.
func New(opt Options) *Book {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Location == nil {
		opt.Location = time.UTC
	}
	if opt.Cause == nil {
		opt.Cause = func(string) (usher.Cause, bool) { return usher.Cause{}, false }
	}
	if opt.ConsequenceOf == nil {
		opt.ConsequenceOf = func(string) []string { return nil }
	}
	if opt.QuietAfter <= 0 {
		opt.QuietAfter = time.Hour
	}
	if opt.ProofWithin <= 0 {
		opt.ProofWithin = 72 * time.Hour
	}
	return &Book{opt: opt}
}

// Intent says that a refusal is right.
type Intent struct {
	Owner   string    // who answers for it
	Reason  string    // why it is right
	Expires time.Time // when it is asked again
	By      string    // who says so; empty: the owner
}
