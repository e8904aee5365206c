package clients_test

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"usher"
	"usher/catalog"
	"usher/check"
	"usher/check/clients"
)

// TestSpecification holds id, mode, severity and number of checks to the list
// that the room is held to.
func TestSpecification(t *testing.T) {
	f, err := os.Open("../testdata/checks.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	have := map[string]*check.Check{}
	for _, c := range clients.Checks {
		if have[c.ID] != nil {
			t.Errorf("%s is listed twice", c.ID)
		}
		have[c.ID] = c
	}
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		var want struct {
			ID, Group, Mode, Severity string
			Probe                     *struct{ Safety string }
		}
		if err := json.Unmarshal(s.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		if want.Group != "client" {
			continue
		}
		n++
		c := have[want.ID]
		if c == nil {
			t.Errorf("%s is missing", want.ID)
			continue
		}
		if string(c.Group) != want.Group || string(c.Mode) != want.Mode || string(c.Severity) != want.Severity {
			t.Errorf("%s: %s, %s, %s; the specification has %s, %s, %s", c.ID, c.Group, c.Mode, c.Severity, want.Group, want.Mode, want.Severity)
		}
		if (c.Probe == nil) != (want.Probe == nil) || c.Probe != nil && string(c.Probe.Safety) != want.Probe.Safety {
			t.Errorf("%s: its probe is not the one of the specification", c.ID)
		}
	}
	if n != len(clients.Checks) {
		t.Errorf("%d checks, the specification has %d", len(clients.Checks), n)
	}
}

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
