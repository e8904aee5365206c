package check_test

import (
	"encoding/json"
	"strings"
	"testing"

	"usher"
	"usher/check"
	"usher/provider/knowledge"
)

// TestRunMasks: no string of a finding holds a secret that is known, wherever a
// check put it.
func TestRunMasks(t *testing.T) {
	const met, own = "kW8vQ2nLz4RtY7xC", "hJ3bN9sDf6GkP1mV"
	say := func(what string) string { return what + " " + met + " " + own + "." }
	v := check.Wrong(say("Title"), say("Detail"), usher.Proof{Place: say("Place"), Quote: say("Quote"), Expected: say("Expected"), Got: say("Got")}).Do(say("Do"))
	v.Verify = say("Verify")
	c := &check.Check{ID: "x", Severity: usher.SeverityLow, Title: "X", Judge: func(*check.Target) []check.Verdict { return []check.Verdict{v} }}
	target := &check.Target{
		Profile: check.Profiles()[0], Provider: knowledge.Named(""),
		Secrets: []usher.Secret{met}, Secret: own, // the operator's own counts although nothing else met it
	}
	findings, _ := check.Run(target, []*check.Check{c})
	text, err := json.Marshal(findings)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{met, own} {
		if n := strings.Count(string(text), s); n > 0 {
			t.Errorf("a secret stands %d times in %s", n, text)
		}
	}
	for _, word := range []string{"Title", "Detail", "Place", "Quote", "Expected", "Got", "Do", "Verify"} {
		if !strings.Contains(string(text), word+" ") {
			t.Errorf("%s is lost: %s", word, text)
		}
	}
}

// TestRunMissing: a check is named once for what it lacks, however many of its
// verdicts lack it.
func TestRunMissing(t *testing.T) {
	lacks := func(id string, needs ...check.Need) *check.Check {
		return &check.Check{ID: id, Judge: func(*check.Target) (all []check.Verdict) {
			for _, n := range needs {
				all = append(all, check.Unknown(n, ""))
			}
			return all
		}}
	}
	target := &check.Target{Profile: check.Profiles()[0], Provider: knowledge.Named("")}
	_, missing := check.Run(target, []*check.Check{
		lacks("a", check.NeedToken, check.NeedLogs, check.NeedToken), lacks("b", check.NeedToken), lacks("c", check.NeedNothing),
	})
	if len(missing) != 2 || strings.Join(missing[0].Decides, " ") != "a b" || strings.Join(missing[1].Decides, " ") != "a" {
		t.Errorf("%+v", missing)
	}
}
