package report_test

import (
	"strings"
	"testing"

	"usher"
	"usher/report"
)

// TestCaseFlow: what comes before the failing step is passed only where the
// refusal proves it.
func TestCaseFlow(t *testing.T) {
	tests := []struct {
		name  string
		step  usher.Step
		event usher.Event
		want  string
	}{
		{"the first step", usher.StepAuthRequest, usher.Event{}, "authorization-request failed, sign-in not-reached, authorization-response not-reached, token-request not-reached, api-call not-reached"},
		{"a password was asked for", usher.StepSignIn, usher.Event{}, "authorization-request passed, sign-in failed, authorization-response not-reached, token-request not-reached, api-call not-reached"},
		{"consent has its place", usher.StepConsent, usher.Event{}, "authorization-request passed, sign-in passed, consent failed, authorization-response not-reached, token-request not-reached, api-call not-reached"},
		{"an error comes back from any step", usher.StepAuthResponse, usher.Event{}, "authorization-request unknown, sign-in unknown, authorization-response failed, token-request not-reached, api-call not-reached"},
		{"a code is there", usher.StepTokenRequest, usher.Event{OAuth: usher.OAuthFacts{GrantType: "authorization_code"}}, "authorization-request passed, sign-in passed, authorization-response passed, token-request failed, api-call not-reached"},
		{"nobody signs in", usher.StepTokenRequest, usher.Event{OAuth: usher.OAuthFacts{GrantType: "client_credentials"}}, "token-request failed, api-call not-reached"},
		{"where the token is from is not told", usher.StepAPICall, usher.Event{}, "token-request passed, api-call failed"},
		{"of a cause that is not known only the request is", "", usher.Event{Kind: usher.EventSignIn}, "authorization-request unknown, sign-in failed, authorization-response not-reached, token-request not-reached, api-call not-reached"},
		{"nothing is known", "", usher.Event{}, ""},
	}
	for _, tt := range tests {
		var got []string
		for _, s := range report.CaseFlow(&usher.Case{Finding: usher.Finding{Step: tt.step}, Refusal: tt.event}) {
			got = append(got, string(s.Step)+" "+s.State)
		}
		if text := strings.Join(got, ", "); text != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, text, tt.want)
		}
	}
}
