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
	scanner  *catalog.Scanner
	hits     []hit         // by pattern
	groups   []hit         // by group: the first pattern of it that was found
	found    []int32       // patterns that were found, to take back
	ruleList []int32       // working memory of rules
	facts    []observation // working memory
}

// New gives an Explainer.
func New() *Explainer {
	x := &Explainer{scanner: catalog.NewScanner(), hits: make([]hit, catalog.Patterns()), groups: make([]hit, catalog.Groups())}
	for i := range x.hits {
		x.hits[i].item = -1
	}
	for i := range x.groups {
		x.groups[i].item = -1
	}
	return x
}

// reset takes back what the last explanation found.
func (x *Explainer) reset() {
	for _, p := range x.found {
		x.hits[p] = hit{item: -1}
		for _, g := range catalog.GroupsOf(p) {
			x.groups[g] = hit{item: -1}
		}
	}
	x.found = x.found[:0]
}

// Explain names the causes that the evidence supports, ranked, with proof.
func (x *Explainer) Explain(set *evidence.Set, opt Options) usher.Answer {
	s := newSituation(x, set, opt)
	s.run()
	x.facts = s.facts
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
