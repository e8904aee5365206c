package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"usher"
	"usher/report"
)

// checked is an answer of check with every outcome in it.
func checked(s string) usher.Answer {
	return usher.Answer{
		Version: 1, Answered: true,
		Evidence: []usher.Evidence{{Kind: usher.KindRegistration, Place: "app.json:1", Provider: "keycloak", Summary: "registration of web" + s}},
		Findings: []usher.Finding{
			{
				Check: "redirect-registered", Cause: "redirect-uri-mismatch", Outcome: usher.OutcomeWrong, Severity: usher.SeverityCritical, Confidence: 1,
				Title: "The app sends https://shop.test/cb/, registered is https://shop.test/cb" + s, Detail: "One slash more." + s, Subject: usher.Subject{Client: "web" + s},
				Proof: []usher.Proof{
					{Place: "app.json:12:20", Quote: "https://shop.test/cb" + s, Expected: "https://shop.test/cb/" + s, Got: "https://shop.test/cb" + s},
					{Place: "request.har#entry3", Quote: "redirect_uri=https://shop.test/cb/" + s},
				},
				Fixer:  usher.FixerDeveloper,
				Fix:    []usher.FixStep{{Text: "Send https://shop.test/cb." + s, Risk: usher.RiskNeutral}, {Text: "Register a star." + s, Risk: usher.RiskWeakening}},
				Verify: "usher check says ok", References: []string{"RFC 9700 section 2.1", "https://example.test/page" + s},
			},
			{Check: "pkce-plain-announced", Outcome: usher.OutcomeWrong, Severity: usher.SeverityLow, Confidence: 1, Title: "plain is announced" + s, Proof: []usher.Proof{{Place: "GET https://id.test/.well-known/openid-configuration", Quote: "plain" + s}}, References: []string{"RFC 9700 section 2.1.1"}},
			{Check: "token-expired", Outcome: usher.OutcomeUnknown, Severity: usher.SeverityHigh, Title: "The token is not past", Detail: "not looked at without a token" + s},
			{Check: "issuer-identical", Outcome: usher.OutcomeOK, Severity: usher.SeverityHigh, Confidence: 1, Title: "The issuer is the one asked for" + s},
			{Check: "mtls-bound", Outcome: usher.OutcomeNotApplicable, Severity: usher.SeverityHigh, Title: "Bound tokens"},
		},
		Missing: []usher.Missing{{Evidence: "a token" + s, Decides: []string{"token-expired"}, How: "give a file with a token" + s}},
		Notes:   []string{"one note" + s},
	}
}

func checkOptions(s string) report.CheckOptions {
	opt := report.CheckOptions{Subject: "app.json" + s}
	for _, r := range [][2]string{{"redirect-registered", "redirect-uri"}, {"token-expired", "token"}, {"issuer-identical", "provider"}, {"pkce-plain-announced", "provider"}, {"mtls-bound", "token"}} {
		opt.Rules = append(opt.Rules, report.Rule{ID: r[0], Group: r[1], Title: "Title of " + r[0], Judged: "How it is judged.", Severity: usher.SeverityHigh, References: []string{"RFC 9700 section 2.1"}, Help: "Do this."})
	}
	return opt
}

var checkFormats = []report.Format{report.FormatText, report.FormatMarkdown, report.FormatHTML, report.FormatJSON, report.FormatSARIF, report.FormatJUnit}

func checkAs(t interface{ Fatal(...any) }, a usher.Answer, format report.Format, opt report.CheckOptions) []byte {
	var b bytes.Buffer
	if err := report.Check(&b, &a, format, opt); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCheckGolden(t *testing.T) {
	for name, s := range map[string]string{"check": "", "check-hostile": nasty} {
		for _, f := range checkFormats {
			golden(t, name+"."+string(f)+".golden", checkAs(t, checked(s), f, checkOptions(s)))
		}
	}
	verbose := checkOptions("")
	verbose.Verbose = true
	golden(t, "check-verbose.text.golden", checkAs(t, checked(""), report.FormatText, verbose))
}

func sarifSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open("testdata/sarif/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestSARIF holds the output against the schema that OASIS publishes, and the
// schema against outputs that are broken.
func TestSARIF(t *testing.T) {
	schema := sarifSchema(t)
	decode := func(b []byte) any {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, s := range []string{"", nasty} {
		if err := schema.Validate(decode(checkAs(t, checked(s), report.FormatSARIF, checkOptions(s)))); err != nil {
			t.Error(err)
		}
	}
	if err := schema.Validate(decode(checkAs(t, usher.Answer{}, report.FormatSARIF, report.CheckOptions{}))); err != nil {
		t.Error(err)
	}
	out := checkAs(t, checked(""), report.FormatSARIF, checkOptions(""))
	for _, broken := range [][2]string{{`"level": "error"`, `"level": "terrible"`}, {`"startLine": 12`, `"startLine": 0`}, {`"version": "2.1.0"`, `"version": "3"`}} {
		bad := strings.Replace(string(out), broken[0], broken[1], 1)
		if bad == string(out) {
			t.Errorf("%s is not in it", broken[0])
		} else if schema.Validate(decode([]byte(bad))) == nil {
			t.Errorf("the schema takes %s", broken[1])
		}
	}
	var log struct {
		Runs []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID string } }
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(out, &log); err != nil {
		t.Fatal(err)
	}
	r := log.Runs[0]
	if len(r.Results) != 2 {
		t.Fatalf("%d results: what is unknown or in order is none", len(r.Results))
	}
	first := r.Results[0]
	if r.Tool.Driver.Rules[first.RuleIndex].ID != first.RuleID || first.Level != "error" || r.Results[1].Level != "warning" {
		t.Errorf("%+v", r.Results)
	}
	if at := first.Locations[0].PhysicalLocation; at.ArtifactLocation.URI != "app.json" || at.Region.StartLine != 12 || at.Region.StartColumn != 20 {
		t.Errorf("%+v", at)
	}
}

// TestJUnit: a suite a group; what is mild enough is no failure, what is
// unknown is skipped.
func TestJUnit(t *testing.T) {
	opt := checkOptions("")
	opt.FailOn = usher.SeverityHigh
	var got struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(checkAs(t, checked(""), report.FormatJUnit, opt), &got); err != nil {
		t.Fatal(err)
	}
	if got.Tests != 4 || got.Failures != 1 || got.Skipped != 1 || len(got.Suites) != 3 {
		t.Fatalf("%+v", got)
	}
	for _, s := range got.Suites {
		for _, c := range s.Cases {
			if (c.Failure != nil) != strings.HasPrefix(c.Name, "redirect-registered") || (c.Skipped != nil) != (c.Name == "token-expired") {
				t.Errorf("%s: %+v", s.Name, c)
			}
		}
	}
}

// TestCheckHostile: whatever stands in the evidence, the shape of the output
// stays as it is without it.
func TestCheckHostile(t *testing.T) {
	schema := sarifSchema(t)
	elements := func(page []byte) (n int) {
		z := html.NewTokenizer(bytes.NewReader(page))
		for z.Next() != html.ErrorToken {
			n++
		}
		return n
	}
	benign := checkAs(t, checked("z"), report.FormatHTML, checkOptions("z"))
	rapid.Check(t, func(t *rapid.T) {
		s := hostileString(t)
		out := map[string]string{}
		for _, f := range checkFormats {
			out[string(f)] = string(checkAs(t, checked(s), f, checkOptions(s)))
		}
		checkVisible(t, out)
		if strings.Contains(out["html"], "<script") || elements([]byte(out["html"])) > elements(benign)+40 {
			t.Fatal("the page has more in it than it should")
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(out["sarif"]))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal([]byte(out["junit"]), new(struct{})); err != nil {
			t.Fatalf("%v\n%s", err, out["junit"])
		}
	})
}

// TestCheckSecrets: a secret that slipped into a finding comes out in no form.
func TestCheckSecrets(t *testing.T) {
	const secret = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl"
	for _, f := range checkFormats {
		if out := checkAs(t, checked(" "+secret), f, checkOptions("")); bytes.Contains(out, []byte(secret[:40])) || bytes.Contains(out, []byte("c2lnbmF0dXJl")) {
			t.Errorf("%s shows it:\n%s", f, out)
		}
	}
}

// TestFailOnNever: what lets nothing fail fails nothing in what a pipeline reads.
func TestFailOnNever(t *testing.T) {
	opt := checkOptions("")
	opt.FailOn = "never"
	if out := string(checkAs(t, checked(""), report.FormatJUnit, opt)); !strings.Contains(out, `failures="0"`) || strings.Contains(out, "<failure") {
		t.Error(out)
	}
	if out := string(checkAs(t, checked(""), report.FormatSARIF, opt)); strings.Contains(out, `"level": "error"`) {
		t.Error("an error in SARIF")
	}
}

// TestSARIFTwins: two findings of one check and one client are two alerts, and
// keep their fingerprints from run to run.
func TestSARIFTwins(t *testing.T) {
	a := checked("")
	a.Findings = append(a.Findings, a.Findings[0], a.Findings[0])
	prints := func() (list []string) {
		var log struct {
			Runs []struct {
				Results []struct{ PartialFingerprints map[string]string }
			}
		}
		if err := json.Unmarshal(checkAs(t, a, report.FormatSARIF, checkOptions("")), &log); err != nil {
			t.Fatal(err)
		}
		for _, r := range log.Runs[0].Results {
			list = append(list, r.PartialFingerprints["usherFinding/v1"])
		}
		return list
	}
	list := prints()
	if again := prints(); !slices.Equal(list, again) {
		t.Errorf("%v and then %v", list, again)
	}
	slices.Sort(list)
	if len(slices.Compact(list)) != 4 {
		t.Errorf("%v", list)
	}
}

// TestRecord: a value of a series is one line, and masked as any other.
func TestRecord(t *testing.T) {
	var b bytes.Buffer
	for range 2 {
		if err := report.Record(&b, map[string]any{"text": "two\nlines <b> client_secret=kW8vQ2nLz4RtY7xC", "list": []string{"a", "b"}}); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 2 || !json.Valid([]byte(lines[0])) || strings.Contains(lines[0], "kW8v") || strings.Contains(lines[0], "<") {
		t.Errorf("%q", lines)
	}
}
