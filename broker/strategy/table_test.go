package strategy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker/strategy"
	"usher/catalog"
)

// TestTable holds the table to FORMAT.md.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	last := ""
	for _, r := range strategy.Rows {
		if r.Cause <= last {
			t.Errorf("%s stands behind %s", r.Cause, last)
		}
		last, seen[r.Cause] = r.Cause, true
		e := catalog.Cause(r.Cause)
		if e == nil {
			t.Errorf("%s is no cause of the catalog", r.Cause)
			continue
		}
		for _, s := range []strategy.Name{r.Service, r.Person} {
			if !slices.Contains([]strategy.Name{strategy.Retry, strategy.Authenticate, strategy.Ask, strategy.Rotate, strategy.Narrow, strategy.GiveUp}, s) {
				t.Errorf("%s: %q is no strategy", r.Cause, s)
			}
			switch s {
			case strategy.Retry:
				if r.Dead {
					t.Errorf("%s: a dead refresh token is presented again", r.Cause)
				}
			case strategy.GiveUp:
				if r.Wait < 10*time.Minute { // none: it would not heal when its cause goes
					t.Errorf("%s: it waits for somebody and is looked at again after %v", r.Cause, r.Wait)
				}
			}
		}
		if r.Turn != "" && !r.Turn.Valid() {
			t.Errorf("%s: %q is nobody's turn", r.Cause, r.Turn)
		}
		if (r.Person == strategy.Ask || r.Person == strategy.GiveUp) && e.Fixer == usher.FixerNobody && r.Turn == "" {
			t.Errorf("%s: somebody must act, and it is nobody's turn", r.Cause)
		}
		if r.Service == strategy.Ask && !slices.Contains([]string{"code-expired", "code-reused", "code-wrong-client", "consent-declined", "pkce-mismatch", "pkce-missing"}, r.Cause) {
			t.Errorf("%s: a grant without a person has nobody to ask", r.Cause)
		}
		if r.Service == strategy.Authenticate && r.Person != strategy.Ask {
			t.Errorf("%s: what a service begins anew, a person has to", r.Cause)
		}
		if r.Revoked && r.Person == strategy.Retry {
			t.Errorf("%s: tokens from before may be dead, and nothing is done", r.Cause)
		}
		if r.Endpoint && r.Person != strategy.Retry {
			t.Errorf("%s: the breaker opens for what does not go away", r.Cause)
		}
		if strings.HasSuffix(r.Why, ".") || strings.Contains(r.Why, "!") {
			t.Errorf("%s: why is a clause: %q", r.Cause, r.Why)
		}
		if got, ok := strategy.RowOf(r.Cause); !ok || got != r {
			t.Errorf("%s is not found", r.Cause)
		}
	}
	for _, u := range strategy.Unreachable {
		if seen[u[0]] {
			t.Errorf("%s has a row and is not reachable", u[0])
		}
		if seen[u[0]] = true; catalog.Cause(u[0]) == nil || len(u[1]) < 20 {
			t.Errorf("%s: %s", u[0], u[1])
		}
		if _, ok := strategy.RowOf(u[0]); ok {
			t.Errorf("%s has a row", u[0])
		}
	}
	for _, e := range catalog.Causes() {
		if !seen[e.Label] {
			t.Errorf("nobody says what is done about %s (%s): give it a row, or say why no token request meets it", e.Label, e.Title)
		}
	}
}
