package knowledge_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/provider/knowledge"
)

var (
	abilities = []string{
		"pkce", "pkce-enforced", "iss-response", "par", "jar", "jarm", "dpop", "mtls", "private_key_jwt", "revocation", "introspection", "logout", "backchannel-logout", "refresh-rotation", "device", "password", "implicit", "token-exchange", "dcr", "cimd", "resource-indicators", "jwt-access-token", "form_post", "client_credentials", "two-secrets", "workload-federation",
	}
	limits = []string{"code-seconds", "refresh-idle-days", "refresh-max-days", "spa-refresh-hours", "redirect-uris", "redirect-uris-personal", "redirect-uri-length", "secrets", "secret-days", "access-minutes", "refresh-tokens"}
)

// TestFacts holds every fact to the form: a known name, a source, a date.
func TestFacts(t *testing.T) {
	want := []string{"entra", "google", "okta", "auth0", "keycloak", "cognito", "github", "gitlab", "apple", "salesforce", "slack", "ping", "adfs", "generic"}
	var got []string
	for _, p := range knowledge.All() {
		got = append(got, p.Name)
		if _, err := time.Parse(time.DateOnly, p.AsOf); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if p.Title == "" || len(p.Sources) == 0 || len(p.Scopes) == 0 {
			t.Errorf("%s: no title, source or scope", p.Name)
		}
		if r := p.RedirectRule(); r.Unknown != "" {
			t.Errorf("%s: no redirect rule %s", p.Name, p.Redirect)
		}
		for name, a := range p.Can {
			if !slices.Contains(abilities, name) || a.From == "" {
				t.Errorf("%s: %s: %+v", p.Name, name, a)
			}
		}
		for name, l := range p.Limits {
			if !slices.Contains(limits, name) || l.From == "" || l.Value <= 0 {
				t.Errorf("%s: %s: %+v", p.Name, name, l)
			}
		}
		for _, s := range p.Scopes {
			if !slices.Contains([]string{"low", "broad", "admin"}, s.Risk) || s.Name == "" {
				t.Errorf("%s: %+v", p.Name, s)
			}
		}
		for _, e := range p.Ended {
			if _, err := time.Parse(time.DateOnly, e.On); err != nil || e.What == "" || e.Instead == "" || e.From == "" || len(e.Match) == 0 {
				t.Errorf("%s: %+v: %v", p.Name, e, err)
			}
		}
		if p.Name != "generic" && len(p.Quirks) == 0 {
			t.Errorf("%s departs from nothing", p.Name)
		}
		for _, q := range p.Quirks {
			if !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(q.ID) || q.Says == "" || q.Effect == "" || q.From == "" ||
				!strings.HasPrefix(q.Standard, "RFC ") && !strings.HasPrefix(q.Standard, "OpenID ") && !strings.HasPrefix(q.Standard, "OAuth ") {
				t.Errorf("%s: %+v", p.Name, q)
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("providers %v", got)
	}
}

func TestOf(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://login.microsoftonline.com/{tenantid}/v2.0":                           "entra",
		"https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0": "entra",
		"https://login.microsoftonline.com/common/v2.0":                               "entra",
		"https://sts.windows.net/{tenantid}/":                                         "entra",
		"https://contoso.ciamlogin.com/72f988bf/v2.0":                                 "entra",
		"https://accounts.google.com":                                                 "google",
		"accounts.google.com":                                                         "google",
		"https://common.okta.com":                                                     "okta",
		"https://dev-1.okta.com/oauth2/default":                                       "okta",
		"https://tenant.eu.auth0.com/":                                                "auth0",
		"https://cognito-idp.us-east-1.amazonaws.com/us-east-1_BGU9CKFCM":             "cognito",
		"https://gitlab.com":                                                          "gitlab",
		"https://appleid.apple.com":                                                   "apple",
		"https://login.salesforce.com":                                                "salesforce",
		"https://acme.my.salesforce.com":                                              "salesforce",
		"https://slack.com":                                                           "slack",
		"http://localhost:8080/realms/master":                                         "keycloak",
		"https://sso.example.com/auth/realms/shop":                                    "keycloak",
		"https://auth.pingone.eu/5cb7/as":                                             "ping",
		"https://fs.example.com/adfs":                                                 "adfs",
		"https://EC2AMAZ-5A2FKI6.REDPANDA.COM/adfs":                                   "adfs",
		"https://login.example":                                                       "generic",
		"https://okta.com.evil.example":                                               "generic",
		"https://evil.example/.okta.com":                                              "generic",
		"https://evil.example/accounts.google.com":                                    "generic",
		"https://.okta.com":                                                           "generic",
		"":                                                                            "generic",
		"https://":                                                                    "generic",
	} {
		if got := knowledge.Of(issuer).Name; got != want {
			t.Errorf("%q is %s, want %s", issuer, got, want)
		}
	}
	if knowledge.Named("Keycloak").Name != "keycloak" || knowledge.Named("nobody").Name != "generic" {
		t.Error("Named")
	}
}

// FuzzOf: no issuer makes it panic or hang.
func FuzzOf(f *testing.F) {
	f.Add("https://a.okta.com/oauth2/b")
	f.Fuzz(func(t *testing.T, s string) {
		if knowledge.Of(s) == nil {
			t.Fatal("nil")
		}
	})
}
