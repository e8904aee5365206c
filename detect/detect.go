// Package detect watches the stream of events for attacks and leaks: Sigma
// rules, correlations, fingerprints of secrets.
//
// What there is so far are two correlations over failed sign-ins: password
// sprays and brute force. They live on the time of the events, not on that of
// the machine, and within a stated memory.
package detect

import (
	"time"

	"usher"
)

// Options are what a Watch needs to know; every zero has a good default.
type Options struct {
	// Now bounds times: an event from later than five minutes after Now counts as
	// of Now. nil: times are taken as they are.
	Now func() time.Time
	// Window is how long a failed sign-in counts; 0: 30 minutes.
	Window time.Duration
	// SprayUsers is how many users must be tried before it is a spray; 0: 10.
	SprayUsers int
	// BruteTries is how often one user must be tried before it is brute force; 0: 50.
	BruteTries int
}

// Alert is an attack that the events of one tenant show.
type Alert struct {
	Finding     usher.Finding
	Kind        usher.CaseKind
	Tenant      string
	Sources     []string // addresses that it comes from, see Source, sorted
	Clients     []string // clients that it was tried at, sorted
	Fingerprint string   // the same for the same attack
	Events      []string // uids of the latest tries that gave it away, at most 200
}

// Watch watches a stream of events. It is for one goroutine at a time.
type Watch struct{ opt Options }

// New gives a Watch.
func New(opt Options) *Watch { return &Watch{opt: opt} }

// Observe takes one event and gives the attacks that it makes visible, or of
// which it shows more. A second delivery of an event changes nothing.
func (w *Watch) Observe(ev *usher.Event) []Alert { return nil }
