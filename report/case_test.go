package report_test

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"usher"
	"usher/report"
)

var caseFormats = map[string]report.Format{"txt": report.FormatText, "md": report.FormatMarkdown, "html": report.FormatHTML, "json": report.FormatJSON}

func renderCase(t interface{ Fatal(...any) }, c usher.Case, opt report.CaseOptions) map[string]string {
	out := map[string]string{}
	for ext, format := range caseFormats {
		var one, list bytes.Buffer
		if err := report.Case(&one, &c, format, opt); err != nil {
			t.Fatal(err)
		}
		if err := report.Cases(&list, []usher.Case{c, c}, format, opt); err != nil {
			t.Fatal(err)
		}
		out[ext], out["list."+ext] = one.String(), list.String()
	}
	return out
}

func TestGoldenCases(t *testing.T) {
	var all []usher.Case
	for i, s := range caseSamples() {
		for ext, format := range caseFormats {
			var b bytes.Buffer
			if err := report.Case(&b, &s.c, format, caseOptions); err != nil {
				t.Fatal(err)
			}
			golden(t, s.name+"."+ext+".golden", b.Bytes())
		}
		s.c.ID = int64(i + 1)
		all = append(all, s.c)
	}
	for name, list := range map[string][]usher.Case{"case-list": all, "case-list-none": nil} {
		for ext, format := range caseFormats {
			var b bytes.Buffer
			if err := report.Cases(&b, list, format, caseOptions); err != nil {
				t.Fatal(err)
			}
			golden(t, name+"."+ext+".golden", b.Bytes())
		}
	}
	for name, opt := range map[string]report.TextOptions{"color": {Color: true}, "narrow": {Width: 44}} {
		var b bytes.Buffer
		c := fixedCase()
		withWidth := caseOptions
		withWidth.TextOptions = opt
		withWidth.Location = time.FixedZone("CET", 3600)
		if err := report.Case(&b, &c, report.FormatText, withWidth); err != nil {
			t.Fatal(err)
		}
		if err := report.Cases(&b, all[:3], report.FormatText, withWidth); err != nil {
			t.Fatal(err)
		}
		golden(t, "case-"+name+".txt.golden", b.Bytes())
	}
}

// TestCaseStory holds the text to what the reader has to find in it.
func TestCaseStory(t *testing.T) {
	for _, test := range []struct {
		c          usher.Case
		has, lacks []string
	}{
		{openCase(), []string{
			"Sign-ins to 'shop' are refused", "14 tries from 3 addresses, 2 users (ana, ben)", "10:01  admin edited the client 'shop' (redirectUris)",
			"authorization request ✗", "[neutral]", "[weakens security]", "usher cases fix 1\n", "usher cases declare 1 --fix 2", "usher cases fix 1 --fix 3 --weaken",
			"another redirect URI", "usher cases intend 1", "It goes on",
		}, []string{"proven fixed", "THE PROOF", "authorization request ✓"}},
		{verifyingCase(), []string{"closes when it is proven", "+ redirectUris: https://shop.test/cb/", "- redirectUris: https://shop.test/old", "403 Forbidden", "usher cases undo 1"}, []string{"THE PROOF"}},
		{fixedCase(), []string{"It is proven fixed", "✓ redirect URI", "equal"}, []string{"WAYS OUT", "usher cases fix"}},
		{quietCase(), []string{"Nothing proves", "Cases 4, 7 are consequences", "usher cases declare 1 --fix 2"}, []string{"is proven fixed"}},
		{intendedCase(), []string{"says security@shop.test: the old app is switched off on purpose.", "2027-02-25", "usher cases reopen 1"}, []string{"usher cases fix"}},
		{regressedCase(), []string{"is back", "consequence of case 3"}, []string{"It is proven fixed"}},
		{attackCase(), []string{"An attacker got in", "ana at shop", "not proven dead", "dead since 10:12: the password was reset by admin", "1040 tries from 2 addresses, 1000 or more users", "[tightens security]"}, []string{"intend"}},
		{usher.Case{}, []string{"is not known"}, []string{"fixed"}},
	} {
		var b bytes.Buffer
		if err := report.Case(&b, &test.c, report.FormatText, caseOptions); err != nil {
			t.Fatal(err)
		}
		for _, want := range test.has {
			if !strings.Contains(strings.Join(strings.Fields(b.String()), " "), strings.Join(strings.Fields(want), " ")) {
				t.Errorf("%s: the text lacks %q:\n%s", test.c.State, want, b.String())
			}
		}
		for _, not := range test.lacks {
			if strings.Contains(b.String(), not) {
				t.Errorf("%s: the text says %q", test.c.State, not)
			}
		}
	}
}

// TestCaseWidth keeps the text within its width, but for what is to be typed or
// has no blank to break at.
func TestCaseWidth(t *testing.T) {
	for _, width := range []int{40, 60, 80, 100} {
		for _, s := range caseSamples() {
			if s.name == "case-hostile" {
				continue
			}
			opt := caseOptions
			opt.Width = width
			for _, text := range []string{renderCase(t, s.c, opt)["txt"], renderCase(t, s.c, opt)["list.txt"]} {
				for _, line := range strings.Split(text, "\n") {
					if utf8.RuneCountInString(line) > width && !strings.Contains(line, "usher cases") && !strings.Contains(line, "https://") {
						t.Errorf("%s at %d columns: %q", s.name, width, line)
					}
				}
			}
		}
	}
}

func TestHostileCases(t *testing.T) {
	benign := renderCase(t, hostileCase("z"), caseOptions)
	rapid.Check(t, func(t *rapid.T) {
		s := hostileString(t)
		out := renderCase(t, hostileCase(s), caseOptions)
		checkVisible(t, out)
		for _, ext := range []string{"md", "list.md"} {
			if got, want := caseSkeleton(t, out[ext]), caseSkeleton(t, benign[ext]); !slices.Equal(got, want) {
				t.Fatalf("Markdown changed its structure:\n%q\n%q\n%s", got, want, out[ext])
			}
		}
		for _, ext := range []string{"html", "list.html"} {
			checkHTML(t, out[ext], caseElements, caseAttributes)
		}
		var got usher.Case
		if err := json.Unmarshal([]byte(out["json"]), &got); err != nil {
			t.Fatal(err)
		}
		var list struct {
			Version int
			Cases   []usher.Case
		}
		if err := json.Unmarshal([]byte(out["list.json"]), &list); err != nil || list.Version != 1 || len(list.Cases) != 2 {
			t.Fatalf("the list is %+v, %v", list, err)
		}
	})
}

// caseSkeleton is skeleton for Markdown with tables, whose pipes it counts.
func caseSkeleton(t interface{ Fatalf(string, ...any) }, md string) []string {
	var plain []string
	for _, line := range strings.Split(md, "\n") {
		if !strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "|-") {
			// A list within a list, and the marks of our own.
			plain = append(plain, nested.ReplaceAllString(line, "- "))
			continue
		}
		pipes := strings.Count(strings.ReplaceAll(strings.ReplaceAll(line, `\\`, ""), `\|`, ""), "|")
		plain = append(plain, strings.Repeat("cell ", pipes))
	}
	return skeleton(t, strings.Join(plain, "\n"))
}

var nested = regexp.MustCompile(`^ {2,3}- `)

// TestCommandsAreInert: what is offered to be typed holds nothing that somebody
// else wrote.
func TestCommandsAreInert(t *testing.T) {
	for _, id := range []string{"1; rm -rf ~", "$(id)", "--yes", "`id`", "", "2\n3", strings.Repeat("x", 200)} {
		c := openCase()
		c.Fixes[1].ID = id
		var b bytes.Buffer
		if err := report.Case(&b, &c, report.FormatText, caseOptions); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(b.String(), "\n") {
			if command, ok := strings.CutPrefix(strings.TrimSpace(line), "usher cases "); ok && strings.Contains(command, "declare") {
				t.Errorf("the id %q gives the command %q", id, line)
			}
		}
	}
}

func TestCaseSecretsNeverComeOut(t *testing.T) {
	for name, planted := range map[string]struct{ text, secret string }{
		"jwt":      {"got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg here", "c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"},
		"form":     {"grant_type=client_credentials&client_secret=Zq8~made.up-9Qx1LrT2vB7nW4&scope=a", "Zq8~made.up-9Qx1LrT2vB7nW4"},
		"bearer":   {"Authorization: Bearer madeUpOpaqueAccessToken0123456789ABCDEF", "madeUpOpaqueAccessToken0123456789ABCDEF"},
		"redirect": {"https://app.example/cb?code=madeUpAuthorizationCode0123456789&state=x", "madeUpAuthorizationCode0123456789"},
	} {
		for ext, text := range renderCase(t, hostileCase(planted.text), caseOptions) {
			plain := strings.Join(strings.Fields(strings.ReplaceAll(text, "│", "")), "")
			if strings.Contains(plain, planted.secret) || strings.Contains(text, planted.secret) {
				t.Errorf("%s: %s shows the secret", name, ext)
			}
		}
	}
}

// TestCaseJSONKeepsItsIDs: programs go on with what they read.
func TestCaseJSONKeepsItsIDs(t *testing.T) {
	c := fixedCase()
	var got usher.Case
	var b bytes.Buffer
	if err := report.Case(&b, &c, report.FormatJSON, report.CaseOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Runs[1].Plan.ID != c.Runs[1].Plan.ID || got.Refusal.UID != c.Refusal.UID || got.Fingerprint != c.Fingerprint {
		t.Errorf("ids were masked: %+v", got)
	}
	b.Reset()
	if err := report.Cases(&b, nil, report.FormatJSON, report.CaseOptions{}); err != nil || !strings.Contains(b.String(), `"cases": []`) {
		t.Errorf("no case is %s, %v", b.String(), err)
	}
	if err := report.Case(io.Discard, &c, "nonsense", report.CaseOptions{}); err == nil {
		t.Error("an unknown format was written")
	}
}

// TestMayUndo: only what can be taken back is offered to be.
func TestMayUndo(t *testing.T) {
	changed := []usher.Difference{{Field: "enabled", From: "false", To: "true"}}
	tests := []struct {
		state  usher.RunState
		action *usher.Action
		diff   []usher.Difference
		want   bool
	}{
		{usher.RunApplied, &usher.Action{Kind: usher.ActionEnableClient}, changed, true},
		{usher.RunApplied, &usher.Action{Kind: usher.ActionEnableClient}, nil, false}, // it was so already
		{usher.RunApplied, &usher.Action{Kind: usher.ActionReplaceSecret}, changed, false},
		{usher.RunApplied, nil, changed, false},
		{usher.RunUndone, &usher.Action{Kind: usher.ActionEnableClient}, changed, false},
		{usher.RunDeclared, &usher.Action{Kind: usher.ActionEnableClient}, nil, false},
	}
	for _, tt := range tests {
		run := usher.FixRun{ID: "1", State: tt.state, Plan: usher.FixPlan{Fix: usher.Fix{Title: "A fix", Action: tt.action}, Diff: tt.diff, Undo: "by switching it off"}}
		if got := report.MayUndo(&run); got != tt.want {
			t.Errorf("%s, %+v, %v: %v", tt.state, tt.action, tt.diff, got)
		}
		c := usher.Case{ID: 7, State: usher.CaseVerifying, Runs: []usher.FixRun{run}}
		text := renderCase(t, c, report.CaseOptions{})["txt"]
		if got := strings.Contains(text, "usher cases undo 7"); got != tt.want {
			t.Errorf("%s, %+v: undo is offered: %v\n%s", tt.state, tt.action, got, text)
		}
		if already := tt.state == usher.RunApplied && tt.diff == nil; already != strings.Contains(text, "was so already") || already && strings.Contains(text, "To take it back") {
			t.Errorf("%s without a difference: %s", tt.state, text)
		}
	}
}

// TestFixesByID: ids are not places, for they stay when a better way out comes
// in front.
func TestFixesByID(t *testing.T) {
	c := openCase()
	for i, id := range []string{"3", "4", "1"} {
		c.Fixes[i].ID = id
	}
	forms := renderCase(t, c, caseOptions)
	for form, want := range map[string][]string{
		"txt":  {"  3.  Register", "usher cases fix 1 --fix 3", "  4.  Make the app", "usher cases declare 1 --fix 4", "  1.  Register", "usher cases fix 1 --fix 1 --weaken"},
		"md":   {"- **Fix 3:** Register", "- **Fix 4:** Make the app", "- **Fix 1:** Register"},
		"html": {`<span class="number">3.</span>`, `<span class="number">4.</span>`, `<span class="number">1.</span>`},
	} {
		rest := forms[form]
		for _, w := range want {
			_, after, ok := strings.Cut(rest, w)
			if !ok {
				t.Errorf("%s lacks %q, or has it elsewhere:\n%s", form, w, forms[form])
				break
			}
			rest = after
		}
	}
}

// TestListSaysWhatIsHidden: a case that stands behind another is not counted
// with those that ask for somebody, and a list that was cut says so.
func TestListSaysWhatIsHidden(t *testing.T) {
	first, second := openCase(), openCase()
	second.ID, second.Behind = 2, 1
	list := func(format report.Format, cases ...usher.Case) string {
		var b bytes.Buffer
		if err := report.Cases(&b, cases, format, caseOptions); err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(b.String()), " ")
	}
	for _, format := range []report.Format{report.FormatText, report.FormatMarkdown, report.FormatHTML} {
		got := list(format, first, second)
		if !strings.Contains(got, "2 cases: 1 open, 1 hidden behind another.") || strings.Count(got, "(behind case 1") != 1 {
			t.Errorf("%s: %s", format, got)
		}
	}
	if got := list(report.FormatText, slices.Repeat([]usher.Case{first}, 1000)...); !strings.HasPrefix(got, "The first 1000 cases: 1000 open. There may be more") {
		t.Errorf("%.200s", got)
	}
	if got := list(report.FormatText, slices.Repeat([]usher.Case{first}, 999)...); !strings.HasPrefix(got, "999 cases: 999 open.") {
		t.Errorf("%.200s", got)
	}
}

func TestCapital(t *testing.T) {
	for s, want := range map[string]string{
		"the app sends it": "The app sends it", "invalid_redirect_uri: it fits": "invalid_redirect_uri: it fits", "": "", "Yes": "Yes",
		"https://shop.test/cb is refused": "https://shop.test/cb is refused", "unknown: nobody": "Unknown: nobody", "ok.": "Ok.",
	} {
		if got := report.Capital(s); got != want {
			t.Errorf("%q becomes %q", s, got)
		}
	}
}

// TestWeakening: a step that forbids is not marked as one that weakens.
func TestWeakening(t *testing.T) {
	for text, want := range map[string]bool{
		"Register a wildcard.": true, "Do not register wildcards.": false, "Never accept alg none.": false, "Only for a test: switch it off.": true,
	} {
		if got := report.Weakening(usher.FixStep{Text: text, Risk: usher.RiskWeakening}); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if report.Weakening(usher.FixStep{Text: "Register it.", Risk: usher.RiskNeutral}) {
		t.Error("a neutral step weakens")
	}
}
