package tokens_test

import (
	"fmt"
	"strings"
	"testing"

	"usher"
	"usher/check"
	"usher/check/read"
	tokenchecks "usher/check/tokens"
	"usher/evidence"
)

// TestWhatOthersLose reads answers as they come from servers, and holds usher to
// saying what a popular command-line client drops or lets through.
func TestWhatOthersLose(t *testing.T) {
	answer := func(idToken string) string {
		return fmt.Sprintf(`{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer","expires_in":300,"id_token":%q}`, idToken)
	}
	unsigned := b64(jsonOf(obj{"alg": "none", "typ": "JWT"})) + "." + b64(jsonOf(idClaims(nil))) + "."
	for _, c := range []struct {
		name, text string
		want       map[string]string // check to words
	}{
		{
			"an answer of Entra",
			`{"error":"interaction_required","error_description":"AADSTS50076: Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '00000003-0000-0000-c000-000000000000'. Trace ID: e643e98a-cd6b-4b46-a02b-031746044800 Correlation ID: 8095dfab-2d47-4796-904f-37d31abceeaa Timestamp: 2026-11-25 11:10:03Z","error_codes":[50076],"timestamp":"2026-11-25 11:10:03Z","trace_id":"e643e98a-cd6b-4b46-a02b-031746044800","correlation_id":"8095dfab-2d47-4796-904f-37d31abceeaa","suberror":"basic_action","claims":"{\"access_token\":{\"capolids\":{\"essential\":true,\"values\":[\"c1d2e3f4-0000-4000-8000-000000000000\"]}}}"}`,
			map[string]string{
				"token-claims-challenge": "code AADSTS50076, suberror basic_action, trace id e643e98a-cd6b-4b46-a02b-031746044800",
				"refresh-revoked-cause":  "code AADSTS50076, suberror basic_action, trace id e643e98a-cd6b-4b46-a02b-031746044800",
			},
		},
		{"no token_type", `{"access_token":"2YotnFZFEjr1zCsicMWpAA","expires_in":300}`, map[string]string{"token-type": "no token_type"}},
		{"another issuer", answer(sign(key, header(nil), idClaims(obj{"iss": "https://evil.example"}))), map[string]string{"token-iss": "evil.example"}},
		{"not signed", answer(unsigned), map[string]string{"token-alg-none": "not signed"}},
		{"1970", answer(sign(key, header(nil), idClaims(obj{"iat": 0, "exp": 1}))), map[string]string{"token-expired": "56 years"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := evidence.Read([]evidence.Input{{Name: "answer.json", Data: []byte(c.text)}})
			if err != nil {
				t.Fatal(err)
			}
			target := read.Target(set, now, "")
			target.Issuer = iss
			found, _ := check.Run(target, tokenchecks.Checks)
			said := map[string]string{}
			for _, f := range found {
				if f.Outcome == usher.OutcomeWrong {
					said[f.Check] += text(f)
				}
			}
			for id, words := range c.want {
				if !strings.Contains(said[id], words) {
					t.Errorf("%s says %q, without %q", id, said[id], words)
				}
			}
			for id := range said {
				if c.want[id] == "" {
					t.Errorf("%s is wrong as well: %s", id, said[id])
				}
			}
		})
	}
}
