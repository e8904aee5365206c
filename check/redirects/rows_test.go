package redirects_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
)

// redirectRow is a row of the shared data set, kept in the room oauth.
type redirectRow struct {
	ID         string
	Provider   string
	Registered []string
	Requested  string
	Expect     oauth.RedirectVerdict
	Diff       string
	Second     string
	Options    struct {
		OpenID           bool   `json:"openid"`
		Audience         string `json:"audience"`
		Platform         string `json:"platform"`
		RedeemedFrom     string `json:"redeemed_from"`
		ClientType       string `json:"client_type"`
		WildcardRedirect string `json:"wildcard_redirect"`
		ThirdParty       bool   `json:"third_party"`
		Organization     string `json:"organization"`
		Public           bool   `json:"public"`
		ApplicationType  string `json:"application_type"`
	}
}

func readRows(t *testing.T, name string) (rows []redirectRow) {
	t.Helper()
	f, err := os.Open("../../oauth/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var row redirectRow
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// target makes of a row the evidence that a person would have.
func (r redirectRow) target() *check.Target {
	o := r.Options
	reg := &evidence.Registration{
		ClientID: "shop", Place: "app.json:1", Audience: o.Audience, WildcardRedirect: o.WildcardRedirect, ApplicationType: o.ApplicationType, Known: []string{"RedirectURIs"},
	}
	if o.ThirdParty {
		reg.ThirdParty = yes()
	}
	if o.Public {
		reg.Public = yes()
	}
	if o.ClientType == "desktop" {
		reg.ApplicationType = "native"
	}
	for _, u := range r.Registered {
		e := evidence.RegisteredURI{URI: u, Platform: o.Platform, Place: "app.json:2"}
		if before, platform, ok := strings.Cut(u, " ("); ok {
			e.URI, e.Platform = before, strings.TrimSuffix(platform, ")")
		}
		reg.RedirectURIs = append(reg.RedirectURIs, e)
	}
	q := &oauth.AuthorizationRequest{ResponseType: "code", ClientID: "shop", RedirectURI: r.Requested, Params: url.Values{}}
	if o.OpenID {
		q.Scope = []string{"openid"}
	}
	if o.Organization != "" {
		q.Params.Set("organization", o.Organization)
	}
	t := target(func(t *check.Target) {
		t.Provider = &knowledge.Provider{Name: r.Provider, Redirect: r.Provider}
		t.Registrations = []*evidence.Registration{reg}
		t.AuthCalls = []*check.AuthCall{{Place: "har#1", Request: q}}
	})
	switch o.RedeemedFrom {
	case "browser":
		redeems(http.Header{"Origin": {"https://shop.example"}})(t)
	case "server":
		redeems(http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})(t)
	}
	return t
}

// finer are the checks that stand for one difference each.
func finer(row redirectRow) string {
	loopback := strings.Contains(row.Requested, "localhost") || strings.Contains(row.Requested, "//127.") || strings.Contains(row.Requested, "[::1]")
	switch row.Diff {
	case "trailing-slash", "empty-path":
		return "redirect-slash"
	case "scheme-case", "host-case", "path-case":
		return "redirect-case"
	case "scheme":
		return "redirect-scheme"
	case "port", "default-port":
		if loopback {
			return "redirect-loopback-port"
		}
		return "redirect-host-port"
	case "host":
		return "redirect-host-port"
	case "query-added", "query-missing", "query-order":
		return "redirect-query"
	case "encoding", "double-encoding", "dot-segments", "idn", "backslash":
		return "redirect-encoding"
	case "loopback-name":
		return "redirect-localhost-name"
	}
	return ""
}

// TestRows: no row of the shared data set is judged otherwise than the room
// oauth judges it, all three sides are proven, and exactly the finer check that
// stands for the one difference is wrong.
func TestRows(t *testing.T) {
	n := 0
	for _, file := range []string{"redirect-uri-cases.jsonl", "redirect-more.jsonl"} {
		for _, row := range readRows(t, file) {
			n++
			t.Run(row.ID, func(t *testing.T) { judgeRow(t, row) })
		}
	}
	if n < 175 {
		t.Errorf("only %d rows", n)
	}
}

func judgeRow(t *testing.T, row redirectRow) {
	target := row.target()
	f := worst(t, target, "redirect-registered")
	want := wrong
	if row.Expect == oauth.RedirectMatch {
		want = ok
	}
	if f.Outcome != want {
		t.Fatalf("registered %q, requested %q: %s %q %q, want %s", row.Registered, row.Requested, f.Outcome, f.Title, f.Detail, want)
	}
	wellFormed(t, f)
	if len(f.Proof) != 3 || f.Proof[0].Place == "" || f.Proof[1].Place != "har#1" || !strings.Contains(f.Proof[2].Place, "rule of ") || f.Proof[2].Quote == "" {
		t.Errorf("the three sides are not proven: %+v", f.Proof)
	}
	if f.Outcome == wrong && f.Proof[2].Got != row.Diff {
		t.Errorf("names %q, want %q", f.Proof[2].Got, row.Diff)
	}
	stands := ""
	if row.Expect == oauth.RedirectMismatch && row.Second == "" && row.ID != "github-08" {
		stands = finer(row)
	}
	for _, id := range []string{"redirect-slash", "redirect-case", "redirect-scheme", "redirect-host-port", "redirect-query", "redirect-encoding", "redirect-loopback-port", "redirect-localhost-name"} {
		f := worst(t, target, id)
		if (f.Outcome == wrong) != (id == stands) || f.Outcome == unknown {
			t.Errorf("%s says %s %q; the difference is %s", id, f.Outcome, f.Title, row.Diff)
		}
	}
	if row.Diff == "platform-type" {
		if f := worst(t, target, "redirect-platform-type"); f.Outcome != wrong || f.Cause != "redirect-uri-platform" {
			t.Errorf("redirect-platform-type says %s %q", f.Outcome, f.Title)
		}
	}
}

// TestCause: http sent where https is registered points to the proxy.
func TestCause(t *testing.T) {
	for uri, want := range map[string]string{
		"http://shop.example/cb": "redirect-scheme-proxy", "https://shop.example/cb/": "redirect-uri-mismatch", "http://shop.example/x": "redirect-uri-mismatch",
	} {
		if f := worst(t, target(entries(cb), sends(uri)), "redirect-registered"); f.Cause != want {
			t.Errorf("%s: %s, want %s", uri, f.Cause, want)
		}
	}
}

// TestFixNeverOpensFirst: the app is put right first, and to register what a
// stranger may have chosen is marked.
func TestFixNeverOpensFirst(t *testing.T) {
	for _, row := range readRows(t, "redirect-uri-cases.jsonl") {
		f := worst(t, row.target(), "redirect-registered")
		if f.Outcome != wrong {
			continue
		}
		for i, step := range f.Fix {
			open := strings.Contains(step.Text, "egister "+row.Requested) && (strings.HasPrefix(row.Requested, "http://") && row.Diff != "trailing-slash" && row.Diff != "empty-path" || row.Diff == "host" || row.Diff == "path")
			if step.Risk == usher.RiskWeakening && i == 0 || open && step.Risk != usher.RiskWeakening {
				t.Errorf("%s: step %d: %+v", row.ID, i, step)
			}
		}
	}
}
