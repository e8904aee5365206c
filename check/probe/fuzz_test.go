package probe_test

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"usher/check/probe"
)

// FuzzPageText: of a page no tag, no script and no more than fits is left.
func FuzzPageText(f *testing.F) {
	f.Add("<p>Invalid <b>parameter</b></p><script>var secret = '<p>x</p>'</script>")
	f.Add("<style>p{}</style")
	f.Add("no page")
	f.Add("<<<>>>&#39;")
	f.Fuzz(func(t *testing.T, page string) {
		text := probe.PageText(page)
		if len(text) > len(page)*2+1 || utf8.ValidString(page) && !utf8.ValidString(text) {
			t.Errorf("%q becomes %q", page, text)
		}
		wrapped := probe.PageText("<script>" + strings.ReplaceAll(page, "<", "") + "</script>ok")
		if wrapped != "ok" {
			t.Errorf("a script is shown: %q", wrapped)
		}
		for _, code := range probe.VendorCodes(page) {
			if !strings.Contains(page, code) || len(code) < len("AADSTS0000") {
				t.Errorf("code %q of %q", code, page)
			}
		}
	})
}

// FuzzTokenAnswer: whatever a token endpoint answers, the probe of a secret ends
// with a verdict or a reason, and never says ok of a credential that the
// endpoint treats like any other.
func FuzzTokenAnswer(f *testing.F) {
	f.Add(401, `{"error":"invalid_client"}`)
	f.Add(400, `{"error":"invalid_grant","error_description":"AADSTS9002313"}`)
	f.Add(200, `{"access_token":"x"}`)
	f.Add(302, "")
	f.Add(200, `{"error":{"code":1,"message":["x"]}}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		s := newAS(t)
		defer s.Close()
		s.token = func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
		got := ask(t, s, s.options("secret-valid"))
		if got.Verdict == nil && got.Skipped == "" || got.Verdict != nil && got.Verdict.Outcome == "ok" {
			t.Errorf("%d %q: %+v", status, body, got)
		}
	})
}
