package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"usher"
)

// TestPickFix: what weakens is not picked for a person who did not ask for it.
func TestPickFix(t *testing.T) {
	act := &usher.Action{Kind: usher.ActionAddRedirectURI, Client: "shop", URI: "https://evil.example/cb"}
	byHand := usher.Fix{ID: "1", Title: "Make the app send what is registered", Risk: usher.RiskNeutral}
	weak := usher.Fix{ID: "2", Title: "Register https://evil.example/cb too", Risk: usher.RiskWeakening, Action: act}
	good := usher.Fix{ID: "3", Title: "Switch it on", Risk: usher.RiskNeutral, Action: act}
	tests := []struct {
		name  string
		cmd   CasesFixCmd
		fixes []usher.Fix
		want  string // id; empty: none, and exit status 1
	}{
		{"the first that usher can do", CasesFixCmd{}, []usher.Fix{byHand, good, weak}, "3"},
		{"not what weakens", CasesFixCmd{}, []usher.Fix{byHand, weak}, ""},
		{"nor with --yes", CasesFixCmd{Yes: true}, []usher.Fix{byHand, weak}, ""},
		{"but with --weaken", CasesFixCmd{Weaken: true}, []usher.Fix{byHand, weak}, "2"},
		{"and by its name", CasesFixCmd{Fix: "2"}, []usher.Fix{byHand, weak}, "2"},
		{"by hand by its name", CasesFixCmd{Fix: "1"}, []usher.Fix{byHand, weak}, ""},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		tt.cmd.ID = 7
		got, err := tt.cmd.pick(&Env{Stdout: &out}, &usher.Case{ID: 7, Fixes: tt.fixes})
		if tt.want == "" {
			var code exitCode
			if got != nil || !errors.As(err, &code) || code != exitWrong {
				t.Errorf("%s: %+v, %v", tt.name, got, err)
			}
			if tt.cmd.Fix == "" && !strings.Contains(out.String(), "This weakens security. usher can do it, if it has to be: usher cases fix 7 --fix 2") {
				t.Errorf("%s: %s", tt.name, out.String())
			}
			continue
		}
		if err != nil || got.ID != tt.want {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
}

// TestUnproven: a proof that does not come in time is "could not tell", and
// only what can be taken back is offered to be.
func TestUnproven(t *testing.T) {
	diff := []usher.Difference{{Field: "redirectUris", To: "https://shop.test/cb"}}
	tests := []struct {
		name string
		kind usher.ActionKind
		diff []usher.Difference
		undo bool
	}{
		{"changed", usher.ActionAddRedirectURI, diff, true},
		{"was so already", usher.ActionAddRedirectURI, nil, false},
		{"a new secret", usher.ActionReplaceSecret, []usher.Difference{{Field: "secret", From: "the old one", To: "a new one"}}, false},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		c := CasesFixCmd{caseNumber: caseNumber{7}}
		run := &usher.FixRun{State: usher.RunApplied, Plan: usher.FixPlan{Diff: tt.diff, Fix: usher.Fix{Action: &usher.Action{Kind: tt.kind}}}}
		var code exitCode
		if err := c.unproven(&Env{Stdout: &out}, run); !errors.As(err, &code) || code != exitUnknown {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := strings.Contains(out.String(), "usher cases undo 7"); got != tt.undo {
			t.Errorf("%s: %s", tt.name, out.String())
		}
	}
}

// TestDoneWords: a fix that finds it so already does not say that it did it.
func TestDoneWords(t *testing.T) {
	run := usher.FixRun{State: usher.RunApplied}
	if got := doneWords(&run); !strings.Contains(got, "nothing was changed") {
		t.Errorf("without a difference: %s", got)
	}
	run.Plan.Diff = []usher.Difference{{Field: "enabled", From: "false", To: "true"}}
	if got := doneWords(&run); got != "done." {
		t.Errorf("with a difference: %s", got)
	}
}
