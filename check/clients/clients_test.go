package clients_test

import (
	"slices"
	"strings"
	"testing"

	"usher"
	"usher/catalog"
	"usher/check"
	"usher/check/clients"
)

// TestDocumentation holds what a check says of itself.
func TestDocumentation(t *testing.T) {
	for _, c := range clients.Checks {
		if c.Title == "" || c.Judged == "" || len(c.Fix) == 0 || len(c.References) == 0 || !c.Step.Valid() || !c.Fixer.Valid() {
			t.Errorf("%s lacks title, judged, fix, references, step or fixer", c.ID)
		}
		if strings.HasSuffix(c.Title, ".") || !strings.HasSuffix(c.Judged, ".") {
			t.Errorf("%s: the title is a clause, what is judged a sentence", c.ID)
		}
		if len(c.Fix) > 0 && c.Fix[0].Risk == usher.RiskWeakening {
			t.Errorf("%s: a weakening step comes first", c.ID)
		}
		if c.Cause != "" && catalog.Cause(c.Cause) == nil {
			t.Errorf("%s: no cause %q in the catalog", c.ID, c.Cause)
		}
		if c.Judge == nil {
			t.Errorf("%s judges nothing", c.ID)
		}
	}
}

func named(id string) *check.Check {
	i := slices.IndexFunc(clients.Checks, func(c *check.Check) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return clients.Checks[i]
}
