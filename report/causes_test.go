package report_test

import (
	"bytes"
	"strings"
	"testing"

	"usher"
	"usher/report"
)

func causeList() ([]usher.Cause, map[string][]report.CodeRow) {
	causes := []usher.Cause{
		{
			Label: "redirect-uri-mismatch", Title: "The redirect URI that the app sends is not registered",
			Meaning: "The provider compares redirect_uri with the registered ones. A slash | a case | a port is enough to differ.",
			Step:    usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
			Fix:       []usher.FixStep{{Text: "Send the registered URI.", Risk: usher.RiskNeutral}, {Text: "Register a wildcard", Risk: usher.RiskWeakening}},
			Verify:    "The sign-in page opens.",
			Questions: []string{"Which URI does the request carry?", "Which ones are registered?"},
			References: []string{
				"RFC 6749 section 3.1.2.3", "https://datatracker.ietf.org/doc/html/rfc9700#section-2.1",
			},
		},
		{Label: "policy-blocked", Title: "A policy blocks this sign-in", Fixer: usher.FixerTenantAdmin, Step: usher.StepSignIn},
		{Label: "no|table [x](y)", Title: "A | B <script>alert(1)</script>", Fixer: usher.FixerNobody},
	}
	codes := map[string][]report.CodeRow{
		"redirect-uri-mismatch": {
			{Provider: "okta", Code: "redirect_uri_mismatch", Meaning: "The URI is not in the list."},
			{Provider: "entra", Code: "AADSTS500112", Name: "ReplyAddress|Wrong", Meaning: "Reply address `differs` | from the code's."},
			{Provider: "entra", Code: "AADSTS50011", Name: "InvalidReplyTo", Meaning: "The reply address is not registered."},
		},
		"policy-blocked": {{Provider: "entra", Code: "AADSTS53003", Name: "BlockedByConditionalAccess", Meaning: "Blocked."}},
	}
	return causes, codes
}

func TestCauses(t *testing.T) {
	causes, codes := causeList()
	var b bytes.Buffer
	if err := report.Causes(&b, causes, codes); err != nil {
		t.Fatal(err)
	}
	golden(t, "causes.txt.golden", b.Bytes())
	b.Reset()
	if err := report.CausesMarkdown(&b, causes, codes); err != nil {
		t.Fatal(err)
	}
	golden(t, "causes.md.golden", b.Bytes())

	// Every row of a table has the cells of its head, whatever stands in them.
	head := 0
	for _, line := range strings.Split(b.String(), "\n") {
		if !strings.HasPrefix(line, "|") {
			head = 0
			continue
		}
		bars := strings.Count(line, "|") - strings.Count(line, `\|`)
		if head == 0 {
			head = bars
		}
		if bars != head {
			t.Errorf("row has %d bars, its head %d: %s", bars, head, line)
		}
	}
	if codes["redirect-uri-mismatch"][0].Provider != "okta" {
		t.Error("the caller's codes were sorted")
	}
}
