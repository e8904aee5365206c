package report_test

import (
	"strings"
	"testing"

	"usher"
)

// TestCaseSentences: the values of a case's sentences are shown as values, as
// they were sent, in every form.
func TestCaseSentences(t *testing.T) {
	plain := openCase()
	odd := openCase()
	odd.Title = "Sign-ins to '" + usher.EscapeValue("c`x`") + "' are refused: the app sends " + usher.MarkValue("https://shop.test/`code`<i>") + ", registered is " + usher.MarkValue("https://shop.test/cb")
	odd.Timeline[0].Text = odd.Title + "."
	for _, test := range []struct {
		name string
		c    usher.Case
		want map[string][]string
	}{
		{"plain", plain, map[string][]string{
			"txt":  {"sends `https://shop.test/cb/`, registered is `https://shop.test/cb` (1 character)."},
			"md":   {"# Sign-ins to 'shop' are refused: the app sends `https://shop.test/cb/`, registered is `https://shop.test/cb` (1 character)."},
			"html": {"<h1>Sign-ins to &#39;shop&#39; are refused: the app sends <code>https://shop.test/cb/</code>, registered"},
		}},
		{"odd", odd, map[string][]string{
			"txt":      {"Sign-ins to 'c`x`' are refused: the app sends https://shop.test/`code`<i>, registered is `https://shop.test/cb`."},
			"md":       {"# Sign-ins to '`` c`x` ``' are refused: the app sends ``https://shop.test/`code`<i>``, registered is `https://shop.test/cb`."},
			"list.md":  {"sends ``https://shop.test/`code`<i>``, registered"},
			"list.txt": {"sends https://shop.test/`code`<i>, registered"},
			"html": {
				"<h1>Sign-ins to &#39;<code>c`x`</code>&#39; are refused: the app sends <code>https://shop.test/`code`&lt;i&gt;</code>, registered is <code>https://shop.test/cb</code>.</h1>",
				"<title>Case 1: Sign-ins to &#39;c`x`&#39; are refused: the app sends https://shop.test/`code`&lt;i&gt;, registered is https://shop.test/cb",
			},
		}},
	} {
		forms := renderCase(t, test.c, caseOptions)
		for form, list := range test.want {
			said := strings.Join(strings.Fields(forms[form]), " ")
			for _, want := range list {
				if !strings.Contains(said, want) {
					t.Errorf("%s, %s lacks %s:\n%s", test.name, form, want, forms[form])
				}
			}
		}
		if n := strings.Count(forms["md"], strings.SplitN(strings.TrimPrefix(test.want["md"][0], "# "), ", registered", 2)[0]); test.name == "odd" && n != 2 {
			t.Errorf("the title and the timeline of the Markdown differ: %d", n)
		}
	}
}
