package catalog

import (
	"strings"
	"testing"
)

func scan(patterns []string, text string) map[string]Match {
	ix := newIndex(patterns)
	s := &Scanner{ix: ix, seen: make([]bool, len(patterns))}
	found := map[string]Match{}
	s.Scan(Fold(text), func(p int32, m Match) { found[patterns[p]] = m })
	return found
}

func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"access token", "The ACCESS\n  Token is old", true},
		{"access token", "the access_token", false},
		{"didn't match", "it didn’t match", true},
		{"didn't match", "it didnt match", true},
		{"include a code_challenge", "must include a 'code_challenge' when", true},
		{`"iss" claim`, `the "iss" claim`, true},
		{`"iss"`, "was issued", false},
		{`"iss"`, "an 'iss' there", true},
		{"<sso>", "your SSO login", true},
		{"<sso>", "the lessor", false},
		{"expected {a} got", `expected "x" got "y"`, true},
		{"tenant * not found", "Tenant 'token' not found", true},
		{"tenant * not found", "tenant " + strings.Repeat("x", maxGap+50) + " not found", false},
		{"407", "status 407 proxy", true},
		{"407", "AADSTS7704317", false},
		{"53003", "error code 53003.", true},
		{"ab", "cab", true},
	} {
		_, got := scan([]string{test.pattern}, test.text)[test.pattern]
		if got != test.want {
			t.Errorf("pattern %q in %q: %t, want %t", test.pattern, test.text, got, test.want)
		}
	}
}

func TestCaptures(t *testing.T) {
	text := `oidc: expected audience "Shop" got "Account"`
	m, ok := scan([]string{"expected audience '{expected}' got '{got}"}, text)["expected audience '{expected}' got '{got}"]
	if !ok || len(m.Captures) != 2 {
		t.Fatalf("match %+v, %t", m, ok)
	}
	for i, want := range []string{"Shop", "Account"} {
		if got := text[m.Captures[i].Start:m.Captures[i].End]; got != want {
			t.Errorf("capture %d is %q, want %q", i, got, want)
		}
	}
}

// TestEveryPatternIsFound plants every pattern of the catalog, in its plainest
// reading, in a text, and expects the scan to find it.
func TestEveryPatternIsFound(t *testing.T) {
	plain := strings.NewReplacer("'", "", `"`, "'", "*", "x", "{", "", "}", "")
	s := NewScanner()
	for p := range Patterns() {
		text := Fold("before. " + plain.Replace(strings.TrimSuffix(strings.TrimPrefix(PatternText(int32(p)), "<"), ">")) + " .after")
		found := false
		s.Scan(text, func(q int32, _ Match) { found = found || q == int32(p) })
		if !found {
			t.Errorf("pattern %q is not found in %q", PatternText(int32(p)), text)
		}
	}
}

// FuzzScan: whatever the text, every match lies inside it and its pattern's
// first literal stands there.
func FuzzScan(f *testing.F) {
	for _, text := range []string{"", "AADSTS53003: blocked", strings.Repeat("token ", 100), "expected \"a\" got \"b\"", "\xff\xfe\x00", strings.Repeat("'", 50)} {
		f.Add(text)
	}
	s := NewScanner()
	f.Fuzz(func(t *testing.T, text string) {
		folded := Fold(text)
		if len(folded) != len(text) {
			t.Fatal("folding changes the length")
		}
		s.Scan(folded, func(p int32, m Match) {
			if m.Start < 0 || m.End > len(folded) || m.Start > m.End {
				t.Fatalf("pattern %q matches outside: %+v of %d", PatternText(p), m, len(folded))
			}
			for _, c := range m.Captures {
				if c.Start < m.Start-1 || c.End > m.End+1 || c.Start > c.End {
					t.Fatalf("pattern %q captures outside: %+v", PatternText(p), m)
				}
			}
		})
	})
}

func BenchmarkScan(b *testing.B) {
	text := Fold(strings.Repeat("AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.\n", 20))
	s := NewScanner()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		s.Scan(text, func(int32, Match) {})
	}
}
