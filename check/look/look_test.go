package look_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"usher/check/all"
	"usher/check/look"
	"usher/evidence"
	"usher/provider/knowledge"
)

func at(t *testing.T, text string) []string {
	t.Helper()
	res, err := look.At(context.Background(), look.Request{Inputs: []evidence.Input{{Name: "app.json", Data: []byte(text)}}})
	if err != nil {
		t.Fatal(err)
	}
	return res.Answer.Notes
}

// TestQuirks: how a provider departs from the standard is told where it bears
// on what is wrong, and nowhere else.
func TestQuirks(t *testing.T) {
	const quirk = "a star at the end of a redirect URI covers every path"
	told := func(notes []string) bool {
		return slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, quirk) })
	}
	star := at(t, `{"clientId":"shop","publicClient":false,"redirectUris":["https://shop.test/*"],"standardFlowEnabled":true,"fullScopeAllowed":true}`)
	if !told(star) {
		t.Errorf("%q", star)
	}
	if len(star) > 3 {
		t.Errorf("%d notes", len(star))
	}
	if whole := at(t, `{"clientId":"shop","publicClient":false,"redirectUris":["https://shop.test/cb"],"standardFlowEnabled":true}`); told(whole) {
		t.Errorf("%q", whole)
	}
	if other := at(t, `{"client_id":"shop","client_name":"Shop","redirect_uris":["https://shop.test/*"]}`); told(other) {
		t.Errorf("a provider that is not known: %q", other)
	}
}

// TestQuirkChecks: each check that a quirk names is there.
func TestQuirkChecks(t *testing.T) {
	ids := map[string]bool{}
	for _, c := range all.Checks() {
		ids[c.ID] = true
	}
	n := 0
	for _, p := range knowledge.All() {
		for _, q := range p.Quirks {
			for _, id := range q.Checks {
				if n++; !ids[id] {
					t.Errorf("%s, %s: there is no check %s", p.Name, q.ID, id)
				}
			}
		}
	}
	if n < 30 {
		t.Errorf("the quirks name %d checks", n)
	}
}
