package check_test

import (
	"strings"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/provider/knowledge"
)

// TestMaskedAnew: a text that was harmless in one run is masked in the next when
// it holds a secret of that one, and an id that was shown is not shown for ever.
func TestMaskedAnew(t *testing.T) {
	const id = "Qx8Zr5Tn1Yx7Ub3Mk9Lc4Vd6Pf2Gh0Js"
	say := func(detail, client string, secrets ...usher.Secret) string {
		c := &check.Check{ID: "x", Judge: func(*check.Target) []check.Verdict { return []check.Verdict{check.OK(detail).Of(client)} }}
		findings, _ := check.Run(&check.Target{Now: time.Now(), Provider: knowledge.Named(""), Profile: &check.Profile{}, Secrets: secrets}, []*check.Check{c})
		return findings[0].Detail
	}
	const plain = "the word orchard stands here"
	for range 2 {
		if got := say(plain, ""); got != plain {
			t.Fatal(got)
		}
	}
	if got := say(plain, "", "orchard"); strings.Contains(got, "orchard") {
		t.Errorf("a secret of this run is shown: %s", got)
	}
	if got := say("client "+id, id); !strings.Contains(got, id) {
		t.Errorf("the client is hidden: %s", got)
	}
	if got := say("client "+id, "another"); strings.Contains(got, id) {
		t.Errorf("what was a client's id in another run is shown: %s", got)
	}
}
