// Package diagnose turns evidence and check results into ranked causes with
// proof, or says what is missing.
//
// Knowledge comes from the catalog (codes, signatures, situations) and from
// the comparisons in this package (times against a clock, a redirect URI
// against a registration, a policy's conditions). Each gives candidates with a
// confidence; ranking puts consequences behind their cause.
package diagnose

import (
	"time"

	"usher"
	"usher/catalog"
	"usher/evidence"
)

// Options are what a caller may say about the evidence.
type Options struct {
	// Now is the moment of the failure or of the question; zero: unknown, then
	// times are compared only with those in the evidence.
	Now time.Time
	// ShowClaims puts the decoded claims of tokens into the answer.
	ShowClaims bool
}

// Explainer explains one set of evidence after the other; it is for one
// goroutine at a time.
type Explainer struct {
	scanner *catalog.Scanner
	hits    []hit
}

// New gives an Explainer.
func New() *Explainer {
	return &Explainer{scanner: catalog.NewScanner(), hits: make([]hit, catalog.Patterns())}
}

// Explain names the causes that the evidence supports, ranked, with proof.
func (x *Explainer) Explain(set *evidence.Set, opt Options) usher.Answer {
	s := newSituation(x, set, opt)
	s.run()
	return s.answer()
}

// run gathers everything that speaks for a cause.
func (s *situation) run() {
	s.scanTexts()
	s.deriveFacts()
	s.applyFactRules()
	s.applyCodes()
	s.applySignatures()
	s.inspectTokens()
	s.compareRedirects()
	s.checkClients()
	s.readPolicies()
	s.comparePairs()
	s.applySituations()
	s.dropPassedInterrupts()
}

// Explain is New().Explain for a single question.
func Explain(set *evidence.Set, opt Options) usher.Answer { return New().Explain(set, opt) }
