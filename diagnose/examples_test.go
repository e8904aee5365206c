package diagnose_test

import (
	"os"
	"testing"

	"usher"
	"usher/catalog/source"
	"usher/diagnose"
	"usher/evidence"
)

func load(t *testing.T) *source.Data {
	t.Helper()
	data, err := source.Load(os.DirFS("../catalog/data"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func explainText(t *testing.T, text string) usher.Answer {
	t.Helper()
	set, err := evidence.Read([]evidence.Input{{Name: "text", Data: []byte(text)}})
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return diagnose.Explain(set, diagnose.Options{})
}

func firstCause(a usher.Answer) string {
	if len(a.Findings) > 0 && a.Findings[0].Outcome == usher.OutcomeWrong {
		return a.Findings[0].Cause
	}
	return ""
}

// TestCauseExamples holds every cause to its own examples: the texts that must
// lead to it first, and those that must not.
func TestCauseExamples(t *testing.T) {
	for _, c := range load(t).Causes {
		for _, text := range c.Examples.Match {
			if got := firstCause(explainText(t, text)); got != c.Label {
				t.Errorf("%s: must match, but %q is first for %q", c.Label, got, text)
			}
		}
		for _, text := range c.Examples.Pass {
			if got := firstCause(explainText(t, text)); got == c.Label {
				t.Errorf("%s: must pass, but it is first for %q", c.Label, text)
			}
		}
	}
}

// TestSignatureExamples holds every signature to its examples: its cause must
// be among the candidates of the texts that match, and the signature must not
// speak for those that pass.
func TestSignatureExamples(t *testing.T) {
	for _, r := range load(t).Rules {
		for _, text := range r.Examples.Match {
			if !names(explainText(t, text), r.Cause) {
				t.Errorf("%s:%d %s: %s is no candidate for %q", r.File, r.Line, r.ID, r.Cause, text)
			}
			if !diagnose.Speaks(r.ID, text) {
				t.Errorf("%s:%d %s: does not speak for %q", r.File, r.Line, r.ID, text)
			}
		}
		for _, text := range r.Examples.Pass {
			if diagnose.Speaks(r.ID, text) {
				t.Errorf("%s:%d %s: speaks for %q, which must pass", r.File, r.Line, r.ID, text)
			}
		}
	}
}

func names(a usher.Answer, cause string) bool {
	for _, f := range a.Findings {
		if f.Cause == cause && f.Outcome == usher.OutcomeWrong {
			return true
		}
	}
	return false
}
