package tokens

import (
	"fmt"
	"strconv"

	"usher"
	"usher/check"
)

const (
	maxTokens = 64 // distinct tokens that are judged
	maxWrong  = 16 // wrong verdicts of one check
	maxProofs = 4  // proofs of a verdict that gathers several
)

// verdicts gathers what was found of many things, so that a reader sees each
// that is wrong, and the others together.
type verdicts struct {
	wrong           []check.Verdict
	ok, unknown, na *check.Verdict
	oks, more       int
}

// add takes one verdict; one without an outcome is of something that the check
// is not about.
func (s *verdicts) add(v check.Verdict) {
	switch v.Outcome {
	case usher.OutcomeWrong:
		for i := range s.wrong {
			w := &s.wrong[i]
			if w.Title == v.Title && w.Subject == v.Subject && w.Detail == v.Detail {
				if len(w.Proof) < maxProofs {
					w.Proof = append(w.Proof, v.Proof...)
				}
				return
			}
		}
		if len(s.wrong) == maxWrong {
			s.more++
			return
		}
		s.wrong = append(s.wrong, v)
	case usher.OutcomeOK:
		s.oks++
		if s.ok == nil {
			s.ok = &v
		} else if len(s.ok.Proof) < maxProofs {
			s.ok.Proof = append(s.ok.Proof, v.Proof...)
		}
	case usher.OutcomeUnknown:
		if s.unknown == nil {
			s.unknown = &v
		}
	case usher.OutcomeNotApplicable:
		if s.na == nil {
			s.na = &v
		}
	}
}

// end gives the verdicts, or none when nothing was there for the check.
func (s *verdicts) end() []check.Verdict {
	out := s.wrong
	if s.more > 0 {
		out[len(out)-1].Detail += fmt.Sprintf(" (%d more are like this.)", s.more)
	}
	if s.ok != nil {
		if s.oks > 1 {
			s.ok.Detail += " (" + strconv.Itoa(s.oks) + " looked at.)"
		}
		out = append(out, *s.ok)
	}
	if s.unknown != nil {
		out = append(out, *s.unknown)
	}
	if len(out) == 0 && s.na != nil {
		out = append(out, *s.na)
	}
	return out
}

// or gives the verdicts, or otherwise when nothing was there for the check.
func (s *verdicts) or(otherwise check.Verdict) []check.Verdict {
	if out := s.end(); len(out) > 0 {
		return out
	}
	return []check.Verdict{otherwise}
}
