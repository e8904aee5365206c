package casebook_test

import (
	"testing"

	"usher"
)

// TestAnotherPolicyIsNoConsequence: what one policy refuses does not follow
// from what another refuses, whatever their causes.
func TestAnotherPolicyIsNoConsequence(t *testing.T) {
	for name, tt := range map[string]struct {
		policy string
		behind int64
	}{"another policy": {"guests", 0}, "the same": {"countries", 1}, "not told": {"", 1}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ev := signIn("10:00", "ann", "10.0.0.1")
			ev.Policies = []usher.Decision{{Policy: usher.Party{UID: "countries"}, Result: "failure"}}
			w.refuse(ev, finding("policy-location", 0.9))
			ev = signIn("10:01", "ann", "10.0.0.2")
			if tt.policy != "" {
				ev.Policies = []usher.Decision{{Policy: usher.Party{UID: tt.policy}, Result: "failure"}}
			}
			w.refuse(ev, finding("policy-blocked", 0.9))
			if got := w.get(2).Behind; got != tt.behind {
				t.Errorf("it stands behind %d, want %d", got, tt.behind)
			}
		})
	}
}
