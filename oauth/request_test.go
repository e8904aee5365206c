package oauth_test

import (
	"testing"

	"usher/oauth"
)

// Ways back to the app, RFC 6749 sections 4.1.2 and 4.2.2.
func TestParseAuthorizationResponse(t *testing.T) {
	for _, test := range []struct {
		name, raw                             string
		endpoint, err, description, code, iss string
		fragment                              bool
	}{
		{
			name: "code", raw: "https://app.example/cb?code=c0de&state=s&iss=https%3A%2F%2Fas.example",
			endpoint: "https://app.example/cb", code: "c0de", iss: "https://as.example",
		},
		{
			name: "error", raw: " https://app.example/cb?error=access_denied&error_description=The+user+said+no ",
			endpoint: "https://app.example/cb", err: "access_denied", description: "The user said no",
		},
		{
			name: "fragment", raw: "https://app.example/#error=login_required",
			endpoint: "https://app.example/", err: "login_required", fragment: true,
		},
		{
			name: "credentials of the address are left out", raw: "https://user:pass@app.example/cb?code=c0de",
			endpoint: "https://app.example/cb", code: "c0de",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := oauth.ParseAuthorizationResponse(test.raw)
			if err != nil {
				t.Fatal(err)
			}
			got := [...]string{r.Endpoint, r.Error, r.ErrorDescription, r.Code.Reveal(), r.Issuer}
			want := [...]string{test.endpoint, test.err, test.description, test.code, test.iss}
			if got != want || r.Fragment != test.fragment {
				t.Errorf("got %q, fragment %t; want %q, %t", got, r.Fragment, want, test.fragment)
			}
		})
	}
	for _, raw := range []string{"", "https://app.example/cb", "https://app.example/cb?state=s", "https://app.example/%zz?code=c0de"} {
		if r, err := oauth.ParseAuthorizationResponse(raw); err == nil {
			t.Errorf("%q is read as %+v", raw, r)
		}
	}
}
