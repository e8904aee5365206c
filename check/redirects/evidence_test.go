package redirects_test

import (
	"strings"
	"testing"

	"usher"
	"usher/check"
	"usher/check/read"
	"usher/check/redirects"
	"usher/evidence"
	"usher/oauth"
)

// TestFromEvidence: what a person gives is judged as it is read.
func TestFromEvidence(t *testing.T) {
	const manifest = `{"appId":"11111111-2222-4333-8444-555555555555","displayName":"shop","signInAudience":"AzureADMyOrg",
"web":{"redirectUris":["https://shop.example/signin-oidc","http://localhost:3030"]},"spa":{"redirectUris":["http://localhost:3000"]},"publicClient":{"redirectUris":[]}}`
	const client = `{"clientId":"shop","enabled":true,"publicClient":false,"standardFlowEnabled":true,"redirectUris":["https://shop.example/*","https://shop.example/*/cb"],"webOrigins":["*"]}`
	request := func(clientID, uri string) string {
		return "https://login.example/authorize?response_type=code&client_id=" + clientID + "&redirect_uri=" + uri + "&scope=openid&state=s1234567"
	}
	for _, c := range []struct {
		name   string
		inputs []string
		check  string
		want   usher.Outcome
		says   string
	}{
		{"Entra, http behind a proxy", []string{manifest, request("11111111-2222-4333-8444-555555555555", "http%3A%2F%2Fshop.example%2Fsignin-oidc")}, "redirect-registered", wrong, "registered is https://shop.example/signin-oidc"},
		{"Entra, right", []string{manifest, request("11111111-2222-4333-8444-555555555555", "https%3A%2F%2Fshop.example%2Fsignin-oidc")}, "redirect-registered", ok, ""},
		{"Entra, localhost of two types", []string{manifest}, "redirect-platform-type", wrong, "port alone"},
		{"Entra, development entries", []string{manifest}, "redirect-localhost-production", wrong, "developer's machine"},
		{"Keycloak, star", []string{client}, "redirect-wildcard", wrong, "https://shop.example/*"},
		{"Keycloak, star in the middle", []string{client}, "redirect-wildcard-literal", wrong, "/*/cb"},
		{"Keycloak, origins", []string{client}, "redirect-logout-cors-origins", wrong, "every host"},
		{"Keycloak, covered", []string{client, request("shop", "https%3A%2F%2Fshop.example%2Fx%2Fy")}, "redirect-registered", ok, "wildcard"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var inputs []evidence.Input
			for i, text := range c.inputs {
				inputs = append(inputs, evidence.Input{Name: "file" + string(rune('1'+i)), Data: []byte(text)})
			}
			set, err := evidence.Read(inputs)
			if err != nil {
				t.Fatal(err)
			}
			target := read.Target(set, now, "")
			f := worst(t, target, c.check)
			if f.Outcome != c.want || !strings.Contains(f.Title+"\n"+f.Detail, c.says) {
				t.Errorf("got %s %q (%s), want %s with %q", f.Outcome, f.Title, f.Detail, c.want, c.says)
			}
			for _, p := range f.Proof {
				if p.Place == "" {
					t.Errorf("a proof without a place: %+v", p)
				}
			}
		})
	}
}

// TestHostile: empty and odd evidence is judged without a panic, and no secret
// of an entry is shown.
func TestHostile(t *testing.T) {
	empty := &evidence.Registration{}
	long := strings.Repeat("*/", 1000)
	odd := &evidence.Registration{Provider: "keycloak", WebOrigins: []string{"", "*", "://", long}}
	for _, u := range []string{"", " ", ":", "//", "://", "http://", "http://[", "https://]", "*", "**", "https://*", "https://*.*.*", "{", "{}", "%", "%zz", "a:b:c", "\x00", "é://é", long, "https://" + long, "https://ann:hunter2secret@shop.example/cb", "#", "?code", "https://shop.example:*/*"} {
		odd.RedirectURIs = append(odd.RedirectURIs, evidence.RegisteredURI{URI: u})
		odd.LogoutURIs = append(odd.LogoutURIs, evidence.RegisteredURI{URI: u})
	}
	for _, provider := range []string{"generic", "keycloak", "entra", "auth0", "okta", "github", "zitadel"} {
		tgt := target(of(provider), func(t *check.Target) {
			t.Registrations = []*evidence.Registration{empty, odd}
			t.AuthCalls = []*check.AuthCall{{}, {Request: &oauth.AuthorizationRequest{}}}
			t.TokenCalls = []*check.TokenCall{{}, {Request: &oauth.TokenRequest{GrantType: "authorization_code"}}, {Response: &check.TokenResponse{}}}
			t.Events = []*usher.Event{{}}
			t.Hosts = []*check.Host{{}}
			t.Probed = map[string]*check.ProbeAnswer{"redirect-server-exact": {Status: 302, Sent: "redirect_uri=", Where: ":"}}
		})
		for _, e := range odd.RedirectURIs {
			sends(e.URI)(tgt)
		}
		findings, _ := check.Run(tgt, redirects.Checks)
		for _, f := range findings {
			said := f.Title + f.Detail
			for _, p := range f.Proof {
				said += p.Quote + p.Expected + p.Got
			}
			if strings.Contains(said, "hunter2secret") {
				t.Errorf("%s: %s shows a password: %s", provider, f.Check, said)
			}
			if len(f.Title) > 1000 {
				t.Errorf("%s: a title of %d bytes", f.Check, len(f.Title))
			}
		}
	}
}

func BenchmarkRegistration(b *testing.B) {
	tgt := target(of("entra"), entries(cb+" (web)", "https://shop.example/signin-oidc (web)", "http://localhost:3000 (spa)"))
	b.ReportAllocs()
	for b.Loop() {
		check.Run(tgt, redirects.Checks)
	}
}
