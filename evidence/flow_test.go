package evidence_test

import (
	"fmt"
	"strings"
	"testing"

	"usher"
	"usher/evidence"
)

func flowLines(set *evidence.Set) string {
	var b strings.Builder
	for _, s := range set.Flow {
		fmt.Fprintf(&b, "%s %s %s\n", s.Step, s.State, s.Place)
	}
	return b.String()
}

func TestHARFlow(t *testing.T) {
	set := readFile(t, "code-flow.har")
	want := `discovery passed code-flow.har#entry3
authorization-request passed code-flow.har#entry4
authorization-response passed code-flow.har#entry5
token-request failed code-flow.har#entry6
`
	if got := flowLines(set); got != want {
		t.Errorf("flow:\n%swant:\n%s", got, want)
	}
	wantItem(t, set, "kind=har flow-difference=redirect-uri token-request=browser failed-step=token-request !flow-difference=code-verifier !flow-difference=state")
	wantItem(t, set, "kind=error-response code=entra/aadsts500112 at=code-flow.har#entry6")
	wantItem(t, set, "kind=token-request at=code-flow.har#entry6 pkce=verifier")
	for _, secret := range []string{"0.AXkA8s9dF3kq7TzVb2Lw", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"} {
		if !holdsSecret(set, secret) {
			t.Errorf("%s is not among the secrets", secret)
		}
		for _, s := range set.Flow {
			if strings.Contains(s.Summary, secret) {
				t.Errorf("flow step %q shows a secret", s.Summary)
			}
		}
	}
}

func TestHARSilentRenew(t *testing.T) {
	set := readFile(t, "silent.har")
	wantItem(t, set, "kind=har prompt=none frame=iframe header=cookie-missing cors=blocked provider=keycloak")
	wantItem(t, set, "kind=http-exchange header-missing=authorization at=silent.har#entry3")
	if len(set.Flow) == 0 || set.Flow[0].Step != usher.StepAuthRequest || set.Flow[0].State != usher.FlowFailed {
		t.Errorf("flow = %v, want the authorization request to have failed", set.Flow)
	}
	if !strings.Contains(flowLines(set), "token-request not-reached") {
		t.Errorf("flow lacks the token request that was not reached:\n%s", flowLines(set))
	}
}

// entry writes one entry of a HAR.
func entry(method, url, headers, body string, status int, location string) string {
	return fmt.Sprintf(`{"request":{"method":%q,"url":%q,"headers":[%s],"postData":{"text":%q}},"response":{"status":%d,"headers":[{"name":"Location","value":%q}],"content":{"text":""}}}`,
		method, url, headers, body, status, location)
}

func TestHARDifferences(t *testing.T) {
	const authorize = "https://sso.example.net/realms/a/protocol/openid-connect/auth?client_id=c1&response_type=code&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb&state=s1&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
	const tokenURL = "https://sso.example.net/realms/a/protocol/openid-connect/token"
	const good = "grant_type=authorization_code&code=abcdefgh1234&client_id=c1&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	tests := []struct {
		name          string
		callback      string
		tokens        []string
		want          string
		callbackState string
	}{
		{name: "all well", tokens: []string{good}, want: "!flow-difference=redirect-uri !flow-difference=state !flow-difference=code-reused !flow-difference=client-id !flow-difference=code-verifier", callbackState: "s1"},
		{name: "state", tokens: []string{good}, want: "flow-difference=state", callbackState: "other"},
		{name: "code twice", tokens: []string{good, good}, want: "flow-difference=code-reused", callbackState: "s1"},
		{name: "client", tokens: []string{strings.Replace(good, "client_id=c1", "client_id=c2", 1)}, want: "flow-difference=client-id", callbackState: "s1"},
		{name: "verifier wrong", tokens: []string{good + "x"}, want: "flow-difference=code-verifier", callbackState: "s1"},
		{name: "verifier missing", tokens: []string{good[:strings.Index(good, "&code_verifier")]}, want: "flow-difference=code-verifier-missing", callbackState: "s1"},
		{name: "server side", want: "kind=har !token-request=browser", callbackState: "s1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			entries := []string{
				entry("GET", authorize, "", "", 302, "https://app.example.com/cb?code=abcdefgh1234&state="+tt.callbackState),
				entry("GET", "https://app.example.com/cb?code=abcdefgh1234&state="+tt.callbackState, "", "", 200, ""),
			}
			for _, body := range tt.tokens {
				entries = append(entries, entry("POST", tokenURL, "", body, 200, ""))
			}
			set := read(t, "x.har", `{"log":{"entries":[`+strings.Join(entries, ",")+`]}}`)
			wantItem(t, set, "kind=har "+tt.want)
			if len(tt.tokens) == 0 && !strings.Contains(flowLines(set), "token-request unknown") {
				t.Errorf("the token request of the server is not unknown:\n%s", flowLines(set))
			}
		})
	}
}
