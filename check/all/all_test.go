package all_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"usher"
	"usher/catalog"
	"usher/check"
	"usher/check/all"
)

// row is one row of the list that the room is held to.
type row struct {
	ID       string         `json:"id"`
	Group    check.Group    `json:"group"`
	Title    string         `json:"title"`
	Mode     check.Mode     `json:"mode"`
	Severity usher.Severity `json:"severity"`
	Judge    string         `json:"judge"`
	Fix      string         `json:"fix"`
	Probe    *struct {
		Safety check.Safety `json:"safety"`
	} `json:"probe"`
}

func rows(tb testing.TB) map[string]row {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", "checks.jsonl"))
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string]row{}
	for line := range strings.Lines(string(data)) {
		var r row
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			tb.Fatal(err)
		}
		out[r.ID] = r
	}
	if len(out) != 238 {
		tb.Fatalf("the list has %d checks, want 238", len(out))
	}
	return out
}

// TestComplete: every check of the list is there once, as the list has it, and
// no other is.
func TestComplete(t *testing.T) {
	want, seen := rows(t), map[string]bool{}
	for _, c := range all.Checks() {
		r, listed := want[c.ID]
		switch {
		case !listed:
			t.Errorf("%s is not on the list", c.ID)
			continue
		case seen[c.ID]:
			t.Errorf("%s is there twice", c.ID)
		}
		seen[c.ID] = true
		if c.Group != r.Group || c.Mode != r.Mode || c.Severity != r.Severity {
			t.Errorf("%s: group %s, mode %s, severity %s; the list has %s, %s, %s", c.ID, c.Group, c.Mode, c.Severity, r.Group, r.Mode, r.Severity)
		}
		switch {
		case (c.Probe != nil) != (r.Probe != nil):
			t.Errorf("%s: it sends something: %t, by the list %t", c.ID, c.Probe != nil, r.Probe != nil)
		case c.Probe != nil && c.Probe.Safety != r.Probe.Safety:
			t.Errorf("%s: safety %s, the list has %s", c.ID, c.Probe.Safety, r.Probe.Safety)
		case c.Probe != nil && c.Probe.What == "":
			t.Errorf("%s: what its probe sends is not said", c.ID)
		}
		if c.Title == r.Title || c.Judged == r.Judge {
			t.Errorf("%s: its sentences are those of the list", c.ID)
		}
	}
	for id := range want {
		if !seen[id] {
			t.Errorf("%s is missing", id)
		}
	}
}

// TestWritten: what a person reads of each check is there.
func TestWritten(t *testing.T) {
	causes := map[string]bool{}
	for _, c := range catalog.Causes() {
		causes[c.Label] = true
	}
	reference := regexp.MustCompile(`^RFC \d`)
	section := regexp.MustCompile(`^RFC \d+( (section|sections|appendix) .+)?$`)
	for _, c := range all.Checks() {
		if c.Title == "" || c.Judged == "" || len(c.References) == 0 {
			t.Errorf("%s: title, judged and references must be there", c.ID)
		}
		if strings.HasSuffix(c.Title, ".") || !strings.HasSuffix(c.Judged, ".") {
			t.Errorf("%s: a title has no full stop, what is judged is a sentence", c.ID)
		}
		if (c.Judge == nil) == (c.Sum == nil) {
			t.Errorf("%s: it must judge or sum up, and not both", c.ID)
		}
		for _, ref := range c.References {
			if reference.MatchString(ref) && !section.MatchString(ref) {
				t.Errorf("%s: reference %q; written is: RFC 9700 section 2.1", c.ID, ref)
			}
		}
		if c.Cause != "" && !causes[c.Cause] {
			t.Errorf("%s: the cause %s is not in the catalog", c.ID, c.Cause)
		}
		if !c.Step.Valid() && (c.Sum == nil || c.Step != "") { // a sum is of no step
			t.Errorf("%s: %s is no step", c.ID, c.Step)
		}
		if !c.Fixer.Valid() {
			t.Errorf("%s: nobody can fix it", c.ID)
		}
		for i, f := range c.Fix {
			if f.Text == "" || !f.Risk.Valid() || i == 0 && f.Risk == usher.RiskWeakening {
				t.Errorf("%s: fix %d: %+v; a weakening one never comes first", c.ID, i+1, f)
			}
		}
		for _, n := range c.Needs {
			if m := check.Needs[n]; m.What == "" || m.How == "" {
				t.Errorf("%s needs %q, which nobody can give", c.ID, n)
			}
		}
		if len(c.Fix) == 0 {
			t.Errorf("%s: no fix", c.ID)
		}
	}
}

// TestProfilesNameChecks: a profile names checks that there are.
func TestProfilesNameChecks(t *testing.T) {
	known := rows(t)
	for _, p := range check.Profiles() {
		for _, id := range p.Requires {
			if _, ok := known[id]; !ok {
				t.Errorf("%s requires %s, which is no check", p.Name, id)
			}
			if !p.Counts(id) {
				t.Errorf("%s requires and skips %s", p.Name, id)
			}
		}
		for id := range p.Severity {
			if _, ok := known[id]; !ok {
				t.Errorf("%s weighs %s, which is no check", p.Name, id)
			}
		}
		for _, id := range p.Skips {
			if _, ok := known[id]; !ok {
				t.Errorf("%s skips %s, which is no check", p.Name, id)
			}
		}
	}
}

// TestEmpty: of nothing nothing is known, and nothing breaks.
func TestEmpty(t *testing.T) {
	profile, _ := check.ProfileNamed("")
	findings, missing := check.Run(&check.Target{Now: now, Profile: profile}, all.Checks())
	for _, f := range findings {
		if f.Outcome == usher.OutcomeWrong || f.Outcome == usher.OutcomeOK {
			t.Errorf("%s is %s of nothing: %s %s", f.Check, f.Outcome, f.Title, f.Detail)
		}
	}
	if len(missing) == 0 {
		t.Error("nothing is missing")
	}
}
