package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"usher"
	"usher/report"
)

func TestParseFormat(t *testing.T) {
	for _, f := range report.Formats {
		if got, err := report.ParseFormat(string(f)); err != nil || got != f {
			t.Errorf("ParseFormat(%q) = %q, %v", f, got, err)
		}
	}
	_, err := report.ParseFormat("yaml\x1b[2J")
	var told *usher.Error
	if !errors.As(err, &told) || told.Code != usher.ErrUsage {
		t.Fatalf("ParseFormat of a wrong format: %v", err)
	}
	if strings.Contains(err.Error(), "\x1b") || !strings.Contains(told.Hint, "--format markdown") {
		t.Errorf("message %q, hint %q", err, told.Hint)
	}
}

func TestWrite(t *testing.T) {
	a := blocked()
	for format, want := range map[report.Format]string{
		"":                    "WHAT HAPPENED",
		report.FormatText:     "WHAT HAPPENED",
		report.FormatMarkdown: "## What happened",
		report.FormatHTML:     "<!DOCTYPE html>",
		report.FormatJSON:     `"version": 1`,
	} {
		var b bytes.Buffer
		if err := report.Write(&b, &a, format, report.TextOptions{}); err != nil || !strings.Contains(b.String(), want) {
			t.Errorf("Write as %q: %v, without %q", format, err, want)
		}
	}
	if err := report.Write(io.Discard, &a, "pdf", report.TextOptions{}); err == nil {
		t.Error("Write took a format that there is not")
	}
}

func TestWriteErrorsComeBack(t *testing.T) {
	a := blocked()
	for _, f := range report.Formats {
		if err := report.Write(full{}, &a, f, report.TextOptions{}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestInert(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                "plain",
		"two\nlines\tand tab":  "two\nlines\tand tab",
		"\x1b[2J":              `\x1b[2J`,
		"a\u009b31m":           `a\x9b31m`,
		"exe.\u202egnp":        `exe.\u202egnp`,
		"id\u200b":             `id\u200b`,
		"tag\U000e0041":        `tag\U000e0041`,
		"bad\xff":              `bad\xff`,
		"\ufffd":               "\ufffd",
		"Zoë 山田 e\u0301":       "Zoë 山田 e\u0301",
		"line\u2028separator":  `line\u2028separator`,
		"\rcarriage":           `\x0dcarriage`,
		"":                     "",
		"private\ue000use":     `private\ue000use`,
		"hangul\u3164filler":   `hangul\u3164filler`,
		"soft\u00adhyphen end": `soft\xadhyphen end`,
	} {
		if got := report.Inert(in); got != want {
			t.Errorf("Inert(%q) = %q, want %q", in, got, want)
		}
	}
}

// Lists of the contract are lists in JSON even where the answer has none.
func TestMaskedKeepsTheContract(t *testing.T) {
	a := usher.Answer{Findings: []usher.Finding{{}}, Missing: []usher.Missing{{}}, Claims: []usher.ShownClaims{{}}}
	var b bytes.Buffer
	if err := report.JSON(&b, &a); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "null") {
		t.Errorf("a null in %s", b.String())
	}
	if !strings.Contains(b.String(), `"version": 1`) {
		t.Error("the version is not set")
	}
	if a.Version != 0 || a.Findings[0].Proof != nil {
		t.Error("Masked changed the answer it was given")
	}
}

// Masking leaves what holds no secret as it was.
func TestMaskedIsACopy(t *testing.T) {
	for _, s := range samples() {
		if s.name == "hostile" {
			continue
		}
		want, _ := json.Marshal(normal(s.answer))
		got, _ := json.Marshal(normal(report.Masked(s.answer)))
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %s", s.name, firstDifference(got, want))
		}
		masked := report.Masked(s.answer)
		if len(masked.Findings) > 0 {
			masked.Findings[0].Title = "changed"
			if s.answer.Findings[0].Title == "changed" {
				t.Errorf("%s: the copy shares its findings", s.name)
			}
		}
	}
}

// What looks random and is none of the secrets stays readable: without the
// key id nobody can say which key is missing.
func TestIdentifiersStay(t *testing.T) {
	const kid = "3f2a9c7e1b5d4f8096a7c2e1d3b4f5a60718293a" // 40 hex digits, as Google has them
	const sub = "Q2x9vT7mK4pR8sW1zY6bN3cF5dG0hJ_LqXeUiOaP-tE"
	a := usher.Answer{
		Findings: []usher.Finding{{Proof: []usher.Proof{{Quote: `"kid": "` + kid + `"`, Got: kid}}}},
		Claims: []usher.ShownClaims{{
			Header: map[string]any{"kid": kid},
			Claims: map[string]any{"sub": sub, "client_secret": sub, "inner": map[string]any{"refresh_token": sub}, "list": []any{"Bearer " + sub}},
		}},
	}
	m := report.Masked(a)
	if got := m.Findings[0].Proof[0].Got; got != kid {
		t.Errorf("the quoted key id became %s", got)
	}
	if m.Claims[0].Header["kid"] != kid || m.Claims[0].Claims["sub"] != sub {
		t.Errorf("identifiers became %v %v", m.Claims[0].Header, m.Claims[0].Claims)
	}
	delete(m.Claims[0].Claims, "sub")
	if shown, _ := json.Marshal(m.Claims[0].Claims); strings.Contains(string(shown), sub) {
		t.Errorf("a secret stays in %s", shown)
	}
}

func normal(a usher.Answer) map[string]any {
	b, _ := json.Marshal(a)
	var m map[string]any
	_ = json.Unmarshal([]byte(strings.ReplaceAll(string(b), ":null", ":[]")), &m)
	return m
}

// The id of a row comes back as it was, whatever it was, and masked.
func TestRowID(t *testing.T) {
	for _, c := range []struct {
		id         any
		json, text string
	}{
		{"row-17", `"id":"row-17"`, "row row-17\n"},
		{17, `"id":17`, "row 17\n"},
		{1e6, `"id":1000000`, "row 1000000\n"},
		{json.RawMessage("12345678901234567890"), `"id":12345678901234567890`, "row 12345678901234567890\n"},
		{json.RawMessage(`"a\u001b"`), `"id":"a\u001b"`, `row a\x1b` + "\n"},
		{json.RawMessage("null"), `{"version":1,"evidence"`, "There is nothing"},
		{json.RawMessage("{"), `{"version":1,"evidence"`, "There is nothing"},
		{json.RawMessage(`"client_secret=madeUpSecretValue123"`), `"id":"client_secret=[secret `, "row client_secret=[secret "},
	} {
		a := usher.Answer{Version: 1, ID: c.id}
		var line, text bytes.Buffer
		if err := report.JSONLine(&line, &a); err != nil {
			t.Fatal(err)
		}
		if err := report.Text(&text, &a, report.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(line.String(), c.json) || !strings.HasPrefix(text.String(), c.text) {
			t.Errorf("id %s gives %s%s", c.id, line.String(), text.String())
		}
	}
}

// The JSON of an answer is read back as the same answer.
func TestJSONRoundTrip(t *testing.T) {
	for _, s := range samples() {
		if s.name == "hostile" { // bytes that are no UTF-8 are replaced
			continue
		}
		s.answer.Claims = nil // numbers come back as float64
		var b bytes.Buffer
		if err := report.JSON(&b, &s.answer); err != nil {
			t.Fatal(err)
		}
		var back usher.Answer
		if err := json.Unmarshal(b.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		want := report.Masked(s.answer)
		want.Claims = nil
		if got := report.Masked(back); !sameJSON(got, want) {
			t.Errorf("%s: another answer came back", s.name)
		}
	}
}

func sameJSON(a, b usher.Answer) bool { return reflect.DeepEqual(normal(a), normal(b)) }

// Text keeps to its width, but for words that must stay whole.
func TestTextWidth(t *testing.T) {
	for _, s := range samples() {
		if s.name == "hostile" {
			continue
		}
		for _, width := range []int{40, 60, 80, 100} {
			var b bytes.Buffer
			if err := report.Text(&b, &s.answer, report.TextOptions{Width: width}); err != nil {
				t.Fatal(err)
			}
			for _, line := range strings.Split(b.String(), "\n") {
				words := strings.Fields(line)
				longest := 0
				for _, w := range words {
					longest = max(longest, utf8.RuneCountInString(w))
				}
				ready := strings.HasPrefix(line, "      ") // a query is never wrapped
				if utf8.RuneCountInString(line) > width && longest < width-16 && !ready && !strings.Contains(line, `": `) {
					t.Errorf("%s at %d: %q", s.name, width, line)
				}
			}
		}
	}
}

// Colours add escapes and nothing else.
func TestColorOnlyAddsInk(t *testing.T) {
	ink := regexp.MustCompile("\x1b\\[[0-9;]+m")
	for _, s := range samples() {
		var plain, colored bytes.Buffer
		if err := report.Text(&plain, &s.answer, report.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := report.Text(&colored, &s.answer, report.TextOptions{Color: true}); err != nil {
			t.Fatal(err)
		}
		if !ink.Match(colored.Bytes()) {
			t.Errorf("%s: no colour", s.name)
		}
		if stripped := ink.ReplaceAll(colored.Bytes(), nil); !bytes.Equal(stripped, plain.Bytes()) {
			t.Errorf("%s: %s", s.name, firstDifference(stripped, plain.Bytes()))
		}
	}
}

// The page's policy lets in the style that the page has, and nothing else.
func TestHTMLPolicy(t *testing.T) {
	a := blocked()
	var b bytes.Buffer
	if err := report.HTML(&b, &a); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	if style == nil {
		t.Fatal("no style")
	}
	sum := sha256.Sum256([]byte(style[1]))
	hash := "sha256-" + strings.ReplaceAll(base64.StdEncoding.EncodeToString(sum[:]), "+", "&#43;")
	if !strings.Contains(page, "default-src 'none'; style-src '"+hash+"'; base-uri 'none'; form-action 'none'") {
		t.Errorf("the policy does not name %s", hash)
	}
	for _, outside := range []string{"src=", "url(", "@import", "<link", "style="} {
		if strings.Contains(page, outside) {
			t.Errorf("the page has %q", outside)
		}
	}
	for _, part := range []string{`role="img"`, "Sign-in: failed", "prefers-color-scheme: dark", "@media print", "<mark>AADSTS53003</mark>", "weakens security"} {
		if !strings.Contains(page, part) && !strings.Contains(page, strings.ToLower(part)) {
			t.Errorf("the page lacks %q", part)
		}
	}
}

func TestText(t *testing.T) {
	for name, want := range map[string][]string{
		"answered-flow":     {"authorization request ✓ → sign-in ✗ → consent ?", "likely (0.91)", "[weakens security]", "^^^^^^^^^^^", "not reached"},
		"not-answered":      {"The cause cannot be told from this.", "CANDIDATES", "possible (0.34)", "LOOK NEXT"},
		"redirect-mismatch": {"certain (0.98)", "│ expected  https://", "│ got       https://"},
		"unknowns":          {"  ? The signature.", "  ? An outcome that this version does not know."},
		"nothing":           {"There is nothing to judge."},
		"cleared":           {"Nothing wrong was found."},
	} {
		for _, s := range samples() {
			if s.name != name {
				continue
			}
			var b bytes.Buffer
			if err := report.Text(&b, &s.answer, report.TextOptions{}); err != nil {
				t.Fatal(err)
			}
			for _, w := range want {
				if !strings.Contains(b.String(), w) {
					t.Errorf("%s lacks %q:\n%s", name, w, b.String())
				}
			}
		}
	}
}

// A proof points at the very cell, also behind wide characters, and shows
// blanks that nobody would see.
func TestProofMarks(t *testing.T) {
	for name, c := range map[string]struct {
		proof usher.Proof
		want  string
	}{
		"wide characters": {
			usher.Proof{Place: "a", Quote: `"名前": "wrong-one"`, Got: "wrong-one"},
			"  │ \"名前\": \"wrong-one\"\n  │          ^^^^^^^^^\n",
		},
		"blank at the end": {
			usher.Proof{Place: "a", Expected: "https://app.example/cb", Got: "https://app.example/cb "},
			"  │ got       https://app.example/cb␠\n",
		},
		"no-break space": {
			usher.Proof{Place: "a", Quote: "scope=openid\u00a0profile"},
			`  │ scope=openid\u00a0profile`,
		},
		"short and ambiguous": {
			usher.Proof{Place: "a", Quote: "1 1 1", Got: "1"},
			"  │ 1 1 1\n  │ got       1\n",
		},
		"nothing in common": {
			usher.Proof{Place: "a", Expected: "RS256", Got: "none"},
			"  │ expected  RS256\n  │ got       none\n\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := usher.Answer{Version: 1, Answered: true, Evidence: []usher.Evidence{{Place: "a"}}, Findings: []usher.Finding{{
				Cause: "x", Title: "x", Outcome: usher.OutcomeWrong, Confidence: 1, Proof: []usher.Proof{c.proof}, Fixer: usher.FixerUser,
			}}}
			var b bytes.Buffer
			if err := report.Text(&b, &a, report.TextOptions{}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(b.String(), c.want) {
				t.Errorf("lacks\n%s\nin\n%s", c.want, b.String())
			}
		})
	}
}

// An answer that claims to be one without a wrong finding is not shown as one.
func TestAnsweredNeedsAFinding(t *testing.T) {
	for _, a := range []usher.Answer{
		{Answered: true},
		{Answered: true, Findings: []usher.Finding{{Outcome: usher.OutcomeUnknown, Title: "x"}}},
	} {
		for ext, text := range render(t, a) {
			if ext == "txt" && !strings.Contains(text, "There is nothing to judge.") {
				t.Errorf("%s", text)
			}
		}
	}
}

// A large answer stays bounded on paper, and whole in JSON.
func TestLongStringsAreBounded(t *testing.T) {
	a := hostileAnswer(strings.Repeat("long words ", 4_000))
	out := render(t, a)
	for _, ext := range []string{"txt", "md", "html"} {
		if len(out[ext]) > 1<<20 {
			t.Errorf("%s is %d bytes long", ext, len(out[ext]))
		}
	}
	if len(out["json"]) < 2<<20 {
		t.Error("the JSON was shortened")
	}
}

func BenchmarkText(b *testing.B) {
	a := blocked()
	b.ReportAllocs()
	for b.Loop() {
		if err := report.Text(io.Discard, &a, report.TextOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	a := blocked()
	b.ReportAllocs()
	for b.Loop() {
		if err := report.JSON(io.Discard, &a); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHTML(b *testing.B) {
	a := blocked()
	b.ReportAllocs()
	for b.Loop() {
		if err := report.HTML(io.Discard, &a); err != nil {
			b.Fatal(err)
		}
	}
}
