package report_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"usher"
	"usher/report"
)

// hostileString draws strings made of what ends, opens or hides things in one
// of the formats. It ends with a letter, so that no part of the page is left
// out for being empty.
func hostileString(t *rapid.T) string {
	parts := rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom([]string{
			"\x1b[31m", "\x1b]8;;http://e.example\x07", "\u009b2J", "\x00", "\x7f", "\u202e", "\u2066", "\u200b", "\u2028", "\ufeff", "\U000e0041", "\xff", "\xed\xa0\x80",
			"<script>", "</script>", "</pre>", "</style>", "<!--", "]]>", "<img src=x onerror=alert(1)>", "\" onload=\"x", "' x='", "{{.}}", "&lt;", "&#x1b;",
			"|", "\\|", "\\", "`", "``", "```", "````", "~~~", "\n```\n", "\n# x\n", "\n\n---\n", "\n- ", "\n1. ", "1)", "+", "=", "===", "> ", "#", "*", "**", "_", "__a__", "~~", "$$", "[x](http://e.example)", "![x](x)", "[a]: http://e.example", "<http://e.example>", "http://e.example", "https://e.example/a?b=c&d", "www.e.example", "@team", "mail@e.example", "#1", "\t", " ", "    ", "\r", "\r\n", "\n",
			"日本語", "e\u0301", "é", "👩\u200d💻", "javascript:alert(1)",
		}),
		rapid.StringN(0, 6, 24),
	), 0, 12).Draw(t, "parts")
	return strings.Join(parts, "") + "z"
}

func render(t interface{ Fatal(...any) }, a usher.Answer) map[string]string {
	out := map[string]string{}
	for _, f := range formats {
		var b bytes.Buffer
		if err := f.write(&b, &a); err != nil {
			t.Fatal(err)
		}
		out[f.ext] = b.String()
	}
	var b bytes.Buffer
	if err := report.JSONLine(&b, &a); err != nil {
		t.Fatal(err)
	}
	out["jsonl"] = b.String()
	return out
}

func TestHostileStrings(t *testing.T) {
	benign := render(t, hostileAnswer("z"))
	rapid.Check(t, func(t *rapid.T) {
		s := hostileString(t)
		out := render(t, hostileAnswer(s))
		checkVisible(t, out)
		if n := strings.Count(out["jsonl"], "\n"); n != 1 {
			t.Fatalf("a row has %d lines", n)
		}
		for _, ext := range []string{"html", "json", "jsonl"} {
			if strings.Contains(strings.ToLower(out[ext]), "<script") {
				t.Fatalf("%s: a script", ext)
			}
		}
		if got, want := skeleton(t, out["md"]), skeleton(t, benign["md"]); !slices.Equal(got, want) {
			t.Fatalf("Markdown changed its structure:\n%q\n%q\n%s", got, want, out["md"])
		}
		checkHTML(t, out["html"], answerElements, answerAttributes)
		checkJSON(t, out["json"], hostileAnswer(s))
	})
}

// skeleton is the structure of Markdown, one word a line outside code blocks.
// It fails on any character that could still mean something.
func skeleton(t interface{ Fatalf(string, ...any) }, md string) []string {
	var out []string
	fence := ""
	for _, line := range strings.Split(md, "\n") {
		bare := strings.TrimLeft(line, " ")
		run := bare[:len(bare)-len(strings.TrimLeft(bare, "`"))]
		if fence != "" {
			if len(run) >= len(fence) && strings.TrimSpace(bare) == run {
				fence = ""
			}
			continue
		}
		if len(run) >= 3 && bare == run+"text" {
			fence = run
			out = append(out, "code")
			continue
		}
		head := blockStart.FindString(line)
		rest := line[len(head):]
		if autolink.MatchString(rest) {
			rest = ""
		}
		out = append(out, digits.ReplaceAllString(head, "N"))
		text := inlineText(t, rest)
		if i := strings.IndexAny(text, "`*_[]<>|#@~$\\"); i >= 0 {
			t.Fatalf("Markdown: %q is left unescaped in %q", text[i:], line)
		}
		if strings.Contains(text, "://") || strings.Contains(strings.ToLower(text), "www.") {
			t.Fatalf("Markdown: a link in %q", line)
		}
		if setext.MatchString(text) {
			t.Fatalf("Markdown: an underline or a list in %q", line)
		}
	}
	if fence != "" {
		t.Fatalf("Markdown: a code block never ends")
	}
	return out
}

var (
	blockStart = regexp.MustCompile(`^(#{1,2} |- |\d+\. | {2,3})?`)
	digits     = regexp.MustCompile(`\d+`)
	autolink   = regexp.MustCompile(`^<https://[A-Za-z0-9.-]+[A-Za-z0-9:/?#=&.,;%+~_-]*>$`)
	setext     = regexp.MustCompile(`^([-+=]|\d+[.)]( |$))`)
)

// inlineText takes code spans, escapes, entities and our own bold marks out of
// a line, in the way that CommonMark reads it.
func inlineText(t interface{ Fatalf(string, ...any) }, s string) string {
	var b strings.Builder
	bolds := 0
	for i := 0; i < len(s); {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] < 0x80 && unicode.In(rune(s[i+1]), unicode.P, unicode.S):
			b.WriteByte('x')
			i += 2
		case s[i] == '`':
			end := i
			for end < len(s) && s[end] == '`' {
				end++
			}
			n := end - i
			closed := -1
			for j := end; j < len(s); {
				if s[j] != '`' {
					j++
					continue
				}
				k := j
				for k < len(s) && s[k] == '`' {
					k++
				}
				if k-j == n {
					closed = k
					break
				}
				j = k
			}
			if closed < 0 {
				t.Fatalf("Markdown: code never ends in %q", s)
			}
			b.WriteByte('c')
			i = closed
		case strings.HasPrefix(s[i:], "**"):
			bolds++
			i += 2
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	if bolds%2 != 0 {
		t.Fatalf("Markdown: bold never ends in %q", s)
	}
	return b.String()
}

// checkVisible: in every format all is UTF-8, and nothing acts or hides.
func checkVisible(t *rapid.T, out map[string]string) {
	for ext, text := range out {
		if !utf8.ValidString(text) {
			t.Fatalf("%s: not UTF-8", ext)
		}
		for _, r := range text {
			if r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Fatalf("%s: %U came through", ext, r)
			}
		}
	}
}

// What the page of an answer is made of, and what the page of a case has beside.
const (
	answerElements   = "html head meta title style body main header footer section figure figcaption div span p b br h1 h2 h3 ol ul li dl dt dd pre code mark a svg desc rect line text g path polygon circle"
	answerAttributes = "lang charset http-equiv content name class id aria-labelledby aria-label aria-hidden role href rel tabindex viewbox viewBox width height x y x1 x2 y1 y2 r rx cx cy d points text-anchor transform"
	caseElements     = answerElements + " table thead tbody tr th td time"
	caseAttributes   = answerAttributes + " scope"
)

// checkHTML parses the page as a browser does: no element, attribute or
// address is there that the template did not write.
func checkHTML(t *rapid.T, page, elements, attributes string) {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.CommentNode {
			t.Fatalf("HTML: a comment %q", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		if !slices.Contains(strings.Fields(elements), n.Data) {
			t.Fatalf("HTML: an element %s", n.Data)
		}
		for _, a := range n.Attr {
			if !slices.Contains(strings.Fields(attributes), a.Key) {
				t.Fatalf("HTML: an attribute %s of %s", a.Key, n.Data)
			}
			if a.Key == "href" && !strings.HasPrefix(a.Val, "https://") {
				t.Fatalf("HTML: a link to %s", a.Val)
			}
		}
	}
}

// checkJSON reads the JSON back: what is escaped still means the same.
func checkJSON(t *rapid.T, text string, a usher.Answer) {
	var got usher.Answer
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := strings.ToValidUTF8(report.Masked(a).Notes[0], "\ufffd")
	if strings.ReplaceAll(got.Notes[0], "\ufffd", "") != strings.ReplaceAll(want, "\ufffd", "") {
		t.Fatalf("JSON: %q became %q", want, got.Notes[0])
	}
}

// TestSecretsNeverComeOut plants secrets of several shapes into every field.
func TestSecretsNeverComeOut(t *testing.T) {
	for name, planted := range map[string]struct{ text, secret string }{
		"jwt":         {"got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg here", "c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"},
		"form":        {"grant_type=client_credentials&client_secret=Zq8~made.up-9Qx1LrT2vB7nW4&scope=a", "Zq8~made.up-9Qx1LrT2vB7nW4"},
		"json":        {`{"refresh_token": "0.AXoAmadeUpRefreshTokenValue1234567890abcdef"}`, "AXoAmadeUpRefreshTokenValue1234567890abcdef"},
		"bearer":      {"Authorization: Bearer madeUpOpaqueAccessToken0123456789ABCDEF", "madeUpOpaqueAccessToken0123456789ABCDEF"},
		"redirect":    {"https://app.example/cb?code=madeUpAuthorizationCode0123456789&state=x", "madeUpAuthorizationCode0123456789"},
		"second time": {"client_secret=firstMadeUpSecret0123 and client_secret=secondMadeUpSecret0123", "secondMadeUpSecret0123"},
	} {
		t.Run(name, func(t *testing.T) {
			for ext, text := range render(t, hostileAnswer(planted.text)) {
				plain := strings.Join(strings.Fields(strings.ReplaceAll(text, "│", "")), "")
				if strings.Contains(plain, planted.secret) || strings.Contains(text, planted.secret) {
					t.Errorf("%s shows the secret", ext)
				}
			}
		})
	}
}
