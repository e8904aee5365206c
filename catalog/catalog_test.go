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
		How: strings.Repeat("how to get it ", 3), Questions: []string{"a", "b"},
		Proof: source.Proof{Equal: []string{"user", "client"}, Text: "a later sign-in of the same user succeeds"}, References: []string{"RFC"}, Reviewed: "2026-11-25",
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
		"its own cause":    func(c *source.Cause) { c.ConsequenceOf = []string{"x"} },
		"another file":     func(c *source.Cause) { c.File = "causes/y.yaml" },
		"nothing verified": func(c *source.Cause) { c.Verify = "" },
		"no day":           func(c *source.Cause) { c.Reviewed = "yesterday" },
		"no proof":         func(c *source.Cause) { c.Proof = source.Proof{} },
		"unknown field":    func(c *source.Cause) { c.Proof.Differ = []string{"shoe.size"} },
		"equal and other":  func(c *source.Cause) { c.Proof.Differ = []string{"user"} },
		"anybody's proof":  func(c *source.Cause) { c.Proof.Equal = []string{"kind"} },
		"silent proof":     func(c *source.Cause) { c.Proof.Text = "" },
		"none and some":    func(c *source.Cause) { c.Proof.None = "nothing ties a success to the refusal" },
		"unknown place":    func(c *source.Cause) { c.Query = map[string]string{"entra": "x == '{customer}'"} },
	} {
		c := good
		breakIt(&c)
		if len((&source.Data{Causes: []source.Cause{c}}).Lint()) == 0 {
			t.Errorf("%s: not found", name)
		}
	}

	code := source.Code{Provider: "p", Code: "C1", Meaning: "Something is wrong.", Cause: "x", Fixer: "user", Kind: "error", Source: "a page", File: "codes/p.jsonl", Line: 1}
	refuses(t, good, code, map[string]func(*source.Code){
		"code: no meaning":        func(c *source.Code) { c.Meaning = "" },
		"code: no source":         func(c *source.Code) { c.Source = "" },
		"code: unknown cause":     func(c *source.Code) { c.Cause = "y" },
		"code: unknown fixer":     func(c *source.Code) { c.Fixer = "somebody" },
		"code: unknown kind":      func(c *source.Code) { c.Kind = "warning" },
		"code: unknown step":      func(c *source.Code) { c.Step = "lunch" },
		"code: too confident":     func(c *source.Code) { c.Confidence = 1.5 },
		"code: weakening at once": func(c *source.Code) { c.Fix = []source.FixStep{{Text: "Switch the check off", Risk: "weakening"}} },
	}, func(d *source.Data, c source.Code) { d.Codes = append(d.Codes, c) })

	rule := source.Rule{
		ID: "r", Cause: "x", Confidence: 0.9, All: []source.Group{{"expected {expected} got"}}, Says: "It wants {expected}.",
		Examples: source.Examples{Match: []string{"m"}, Pass: []string{"p"}}, File: "signatures/s.yaml", Line: 1,
	}
	refuses(t, good, rule, map[string]func(*source.Rule){
		"rule: no id":            func(r *source.Rule) { r.ID = "" },
		"rule: unknown cause":    func(r *source.Rule) { r.Cause = "y" },
		"rule: cause and fact":   func(r *source.Rule) { r.Fact = "a=b" },
		"rule: a fact that says": func(r *source.Rule) { r.Cause, r.Fact, r.Confidence = "", "a=b", 0 },
		"rule: certain":          func(r *source.Rule) { r.Confidence = 1 },
		"rule: no condition":     func(r *source.Rule) { r.All = nil },
		"rule: empty group":      func(r *source.Rule) { r.All = append(r.All, source.Group{}) },
		"rule: no match":         func(r *source.Rule) { r.Examples.Match = nil },
		"rule: no pass":          func(r *source.Rule) { r.Examples.Pass = nil },
		"rule: unknown step":     func(r *source.Rule) { r.Step = "lunch" },
		"rule: unknown given":    func(r *source.Rule) { r.Given = []string{"y"} },
		"rule: unknown loser":    func(r *source.Rule) { r.Demotes = []string{"y"} },
		"rule: open place":       func(r *source.Rule) { r.Says = "It wants {other}." },
		"rule: fact without =":   func(r *source.Rule) { r.Facts = []string{"flow"} },
		"rule: five gaps":        func(r *source.Rule) { r.All = []source.Group{{"a * b * c * d * e * f"}}; r.Says = "" },
		"rule: leading gap":      func(r *source.Rule) { r.All = []source.Group{{"* failed"}}; r.Says = "" },
		"rule: open brace":       func(r *source.Rule) { r.All = []source.Group{{"got {x"}}; r.Says = "" },
		"rule: open number":      func(r *source.Rule) { r.All = []source.Group{{"53003"}}; r.Says = "" },
		"rule: short number":     func(r *source.Rule) { r.All = []source.Group{{"431>"}}; r.Says = "" },
		"rule: short pattern":    func(r *source.Rule) { r.All = []source.Group{{"x"}}; r.Says = "" },
	}, func(d *source.Data, r source.Rule) { d.Rules = append(d.Rules, r) })
}

// refuses breaks a good entry in every way and expects the linter to say so.
func refuses[T any](t *testing.T, cause source.Cause, good T, breaks map[string]func(*T), add func(*source.Data, T)) {
	t.Helper()
	lint := func(entry T) []string {
		d := &source.Data{Causes: []source.Cause{cause}}
		add(d, entry)
		return d.Lint()
	}
	if problems := lint(good); len(problems) != 0 {
		t.Fatalf("a good entry is refused: %q", problems)
	}
	for name, breakIt := range breaks {
		entry := good
		breakIt(&entry)
		if len(lint(entry)) == 0 {
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
