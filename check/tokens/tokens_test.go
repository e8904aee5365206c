package tokens_test

import (
	"slices"
	"strings"
	"testing"

	"usher"
	"usher/catalog"
	"usher/check"
	tokenchecks "usher/check/tokens"
)

// row is a target with what one check must say of it.
type row struct {
	id, name string
	target   *check.Target
	want     usher.Outcome // the worst
	says     string        // words of its title, detail or proof
}

const (
	ok      = usher.OutcomeOK
	wrong   = usher.OutcomeWrong
	unknown = usher.OutcomeUnknown
	na      = usher.OutcomeNotApplicable
)

func rows() []row {
	return slices.Concat(formRows(), signatureRows(), timeRows(), readerRows(), claimRows(), signinRows(), challengeRows(), sendingRows(),
		keepingRows(), refreshRows(), endingRows(), introspectionRows(), boundRows(), exchangeRows(), apiRows(), probeRows())
}

func find(t *testing.T, id string) *check.Check {
	t.Helper()
	for _, c := range tokenchecks.Checks {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("there is no check %s", id)
	return nil
}

func TestChecks(t *testing.T) {
	for _, r := range rows() {
		t.Run(r.id+"/"+r.name, func(t *testing.T) {
			c := find(t, r.id)
			found, _ := check.Run(r.target, []*check.Check{c})
			if found[0].Outcome != r.want {
				t.Fatalf("%s: %s (%s), want %s", found[0].Outcome, found[0].Title, found[0].Detail, r.want)
			}
			if r.says != "" && !strings.Contains(text(found[0]), r.says) {
				t.Errorf("says %q, without %q", text(found[0]), r.says)
			}
			for _, f := range found {
				if f.Outcome == wrong {
					wellSaid(t, c, f)
				}
				if f.Outcome == ok && len(f.Proof) == 0 {
					t.Errorf("ok without proof: %s", f.Detail)
				}
			}
		})
	}
}

// wellSaid holds a finding to what a person needs of it.
func wellSaid(t *testing.T, c *check.Check, f usher.Finding) {
	t.Helper()
	if f.Title == c.Title || f.Title == "" || f.Detail == "" {
		t.Errorf("title %q and detail %q do not say what is wrong", f.Title, f.Detail)
	}
	if len(f.Proof) == 0 {
		t.Error("wrong without proof")
	}
	for _, p := range f.Proof {
		if p.Place == "" || p.Quote == "" {
			t.Errorf("a proof without place or quotation: %+v", p)
		}
	}
	if len(f.Fix) == 0 || f.Fix[0].Risk == usher.RiskWeakening {
		t.Errorf("no fix, or a weakening one first: %+v", f.Fix)
	}
	if f.Cause != "" && catalog.Cause(f.Cause) == nil {
		t.Errorf("%s is no cause", f.Cause)
	}
	if all := text(f); strings.Contains(all, "eyJ") || strings.Contains(all, "rt-") {
		t.Errorf("a token is quoted: %s", all)
	}
}

func text(f usher.Finding) string {
	out := f.Title + " | " + f.Detail
	for _, p := range f.Proof {
		out += " | " + p.Place + " " + p.Quote + " " + p.Expected + " " + p.Got
	}
	for _, s := range f.Fix {
		out += " | " + s.Text
	}
	return out
}

// TestEveryCheckIsTried fails when a check has no row where it is wrong, or
// none where it is ok.
func TestEveryCheckIsTried(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows() {
		seen[r.id+string(r.want)] = true
	}
	for _, c := range tokenchecks.Checks {
		for _, o := range []usher.Outcome{ok, wrong} {
			if !seen[c.ID+string(o)] {
				t.Errorf("%s: no row where it is %s", c.ID, o)
			}
		}
	}
}

// TestNothingGiven holds every check to saying nothing of what is not there.
func TestNothingGiven(t *testing.T) {
	for name, given := range map[string]*check.Target{"nothing": target(), "metadata": target(metadata(nil), issuer(iss))} {
		for _, c := range tokenchecks.Checks {
			found, missing := check.Run(given, []*check.Check{c})
			if found[0].Outcome != unknown && found[0].Outcome != na {
				t.Errorf("%s, %s: %s", name, c.ID, found[0].Outcome)
			}
			if found[0].Outcome == unknown && len(missing) == 0 {
				t.Errorf("%s, %s: unknown, and nothing that would help", name, c.ID)
			}
		}
	}
}
