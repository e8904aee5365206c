package casebook_test

import (
	"testing"

	"usher"
	"usher/casebook"
)

// TestProofByGrantedScope: a scope that was refused is proven by a success that
// was given it, whatever else it was given, and by no other.
func TestProofByGrantedScope(t *testing.T) {
	fix := usher.Fix{ID: "1", Title: "Allow orders", Proof: usher.ProofCondition{Equal: []string{"client"}, Granted: []string{"orders"}}}
	for name, tt := range map[string]struct {
		given []string
		state usher.CaseState
		says  bool
	}{
		"given with others": {[]string{"openid", "orders", "email"}, usher.CaseFixed, false},
		"given others only": {[]string{"openid", "email"}, usher.CaseOpen, true},
		"a part of a word":  {[]string{"orders.read"}, usher.CaseOpen, true},
		"not told":          {nil, usher.CaseOpen, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *casebook.Options) {
				o.Fixes = func(*usher.Case) []usher.Fix { return []usher.Fix{fix} }
			})
			ev := signIn("10:00", "ann", "10.0.0.1")
			ev.StatusCode, ev.OAuth.Requested = "invalid_scope", []string{"openid", "orders"}
			w.refuse(ev, finding("scope-invalid", 0.9))
			ev = signIn("10:05", "ann", "10.0.0.9")
			ev.OAuth.Granted = tt.given
			w.succeed(ev)
			c := w.state(1, tt.state)
			if has(c, usher.EntryUnproven) != tt.says {
				t.Errorf("what proves nothing is said: %v\n%s", !tt.says, story(c))
			}
		})
	}
}
