package catalog_test

import (
	"os"
	"strings"
	"testing"

	"usher/catalog"
	"usher/catalog/source"
)

// TestData holds the data files to FORMAT.md.
func TestData(t *testing.T) {
	data, err := source.Load(os.DirFS("data"))
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range data.Lint() {
		t.Error(problem)
	}
	if n := len(data.Causes); n != len(catalog.Causes()) {
		t.Errorf("%d causes are written, %d are generated: run make docs", n, len(catalog.Causes()))
	}
	if n := len(data.Codes); n != len(catalog.Codes()) || n < 1080 {
		t.Errorf("%d codes are written, %d are generated: run make docs", n, len(catalog.Codes()))
	}
}

// TestLintRefuses shows that the linter finds what it is for.
func TestLintRefuses(t *testing.T) {
	good := source.Cause{
		Label: "x", File: "causes/x.yaml", Title: "A title", Meaning: strings.Repeat("meaning ", 5), Step: "sign-in", Fixer: "user",
		Fix: []source.FixStep{{Text: "Do this and then that", Risk: "neutral"}}, Verify: strings.Repeat("verify ", 5), Decides: strings.Repeat("decides ", 5),
		How: strings.Repeat("how to get it ", 3), Questions: []string{"a", "b"}, References: []string{"RFC"}, Reviewed: "2026-11-25",
		Examples: source.Examples{Match: []string{"m"}, Pass: []string{"p"}},
	}
	if problems := (&source.Data{Causes: []source.Cause{good}}).Lint(); len(problems) != 0 {
		t.Fatalf("a good cause is refused: %q", problems)
	}
	for name, breakIt := range map[string]func(*source.Cause){
		"no title":         func(c *source.Cause) { c.Title = "" },
		"full stop":        func(c *source.Cause) { c.Title = "A title." },
		"unknown step":     func(c *source.Cause) { c.Step = "lunch" },
		"unknown fixer":    func(c *source.Cause) { c.Fixer = "somebody" },
		"no fix":           func(c *source.Cause) { c.Fix = nil },
		"weakening first":  func(c *source.Cause) { c.Fix = []source.FixStep{{Text: "Switch the check off", Risk: "weakening"}} },
		"no reference":     func(c *source.Cause) { c.References = nil },
		"no ladder":        func(c *source.Cause) { c.Questions = nil },
		"no examples":      func(c *source.Cause) { c.Examples = source.Examples{} },
		"consequence":      func(c *source.Cause) { c.ConsequenceOf = []string{"no-such-cause"} },
		"another file":     func(c *source.Cause) { c.File = "causes/y.yaml" },
		"nothing verified": func(c *source.Cause) { c.Verify = "" },
	} {
		c := good
		breakIt(&c)
		if len((&source.Data{Causes: []source.Cause{c}}).Lint()) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestLookupCode(t *testing.T) {
	for _, test := range []struct{ provider, code, cause string }{
		{"entra", "AADSTS53003", "policy-blocked"},
		{"entra", "aadsts7000222", "client-secret-expired"},
		{"okta", "E0000011", "token-expired"},
		{"somebody", "invalid_scope", "scope-invalid"},
		{"keycloak", "login_required", "session-missing"},
	} {
		if c := catalog.LookupCode(test.provider, test.code); c == nil || c.Cause != test.cause {
			t.Errorf("LookupCode(%q, %q) = %v, want %s", test.provider, test.code, c, test.cause)
		}
	}
	if c := catalog.LookupCode("entra", "AADSTS1"); c != nil {
		t.Errorf("a code that does not exist is %v", c)
	}
	if !catalog.KnownNumber("29204") || catalog.KnownNumber("1") {
		t.Error("KnownNumber does not tell listed numbers from others")
	}
}
