package tokens_test

import (
	"testing"

	"usher"
	"usher/check"
	tokenchecks "usher/check/tokens"
)

// TestLeaveWasGiven: of a probe that was left out for want of something else,
// leave is not asked for again.
func TestLeaveWasGiven(t *testing.T) {
	target := &check.Target{Profile: &check.Profile{Name: "default"}, Probed: map[string]*check.ProbeAnswer{}}
	for _, id := range []string{"refresh-reuse-detected", "refresh-bound", "revocation-works", "dpop-required"} {
		target.Probed[id] = &check.ProbeAnswer{Skipped: "it needs somebody who signs in"}
	}
	for _, c := range tokenchecks.Checks {
		if target.Probed[c.ID] == nil {
			continue
		}
		for _, v := range c.Judge(target) {
			if v.Outcome != usher.OutcomeUnknown || v.Missing != check.NeedNothing || v.Detail != "not asked: it needs somebody who signs in" {
				t.Errorf("%s: %+v", c.ID, v)
			}
		}
	}
}
