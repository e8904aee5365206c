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
