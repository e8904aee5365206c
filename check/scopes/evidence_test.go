package scopes_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"usher"
	"usher/check"
	"usher/check/read"
	"usher/check/scopes"
	"usher/evidence"
	"usher/oauth"
	"usher/token"
)

// TestFromEvidence: what a person gives is judged as it is read.
func TestFromEvidence(t *testing.T) {
	const request = "https://login.example/authorize?response_type=code&client_id=shop&redirect_uri=https%3A%2F%2Fshop.example%2Fcb&state=s1234567&scope="
	const discovery = `{"issuer":"https://login.example","authorization_endpoint":"https://login.example/authorize","token_endpoint":"https://login.example/token","jwks_uri":"https://login.example/jwks","scopes_supported":["openid","profile","orders.read"],"response_types_supported":["code"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["RS256"]}`
	const exchange = "POST /token HTTP/1.1\nHost: login.example\nContent-Type: application/x-www-form-urlencoded\n\ngrant_type=client_credentials&client_id=shop&client_secret=hunter2secret&scope=orders.read+orders.write\n\nHTTP/1.1 200 OK\nContent-Type: application/json\n\n{\"access_token\":\"opaqueopaqueopaque1\",\"token_type\":\"Bearer\",\"expires_in\":300,\"scope\":\"orders.read\"}\n"
	const refusal = "GET /orders HTTP/1.1\nHost: api.example\nAuthorization: Bearer opaqueopaqueopaque1\n\nHTTP/1.1 403 Forbidden\nWWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"orders.write\"\n\n"
	for _, c := range []struct {
		name   string
		inputs []string
		check  string
		want   usher.Outcome
		says   string
	}{
		{"commas", []string{request + "openid%2Cprofile"}, "scope-syntax", wrong, "commas"},
		{"slip", []string{discovery, request + "openid+order.read"}, "scope-known", wrong, "orders.read is"},
		{"published", []string{discovery, request + "openid+orders.read"}, "scope-known", ok, ""},
		{"narrower than asked", []string{exchange}, "scope-granted-less", wrong, "orders.write is missing"},
		{"refused for scope", []string{refusal}, "scope-insufficient", wrong, "orders.write"},
		{"says which", []string{refusal}, "scope-challenge-present", ok, ""},
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
			f := worst(t, read.Target(set, now, ""), c.check)
			if f.Outcome != c.want || !strings.Contains(f.Title+"\n"+f.Detail, c.says) {
				t.Errorf("got %s %q (%s), want %s with %q", f.Outcome, f.Title, f.Detail, c.want, c.says)
			}
			for _, p := range f.Proof {
				if p.Place == "" || strings.Contains(p.Quote, "hunter2secret") {
					t.Errorf("proof %+v", p)
				}
			}
		})
	}
}

// TestHostile: empty and odd evidence is judged without a panic.
func TestHostile(t *testing.T) {
	long := strings.Repeat("a,b ", 8000)
	tgt := target(func(t *check.Target) {
		t.Expect = &check.Expect{Roles: map[string][]string{"x": nil}}
		t.Registrations = []*evidence.Registration{{}, {ClientID: "shop", Provider: "entra", Scopes: strings.Fields(long), Grants: []evidence.Grant{{}}, Permissions: []evidence.Permission{{}, {Application: true}}}}
		t.AuthCalls = []*check.AuthCall{{}, {Request: &oauth.AuthorizationRequest{}}, {Response: &oauth.AuthorizationResponse{AccessToken: "x"}}, {Response: &oauth.AuthorizationResponse{Error: "x"}}}
		t.TokenCalls = []*check.TokenCall{{}, {Request: &oauth.TokenRequest{}}, {Response: &check.TokenResponse{}}, {Response: &check.TokenResponse{Error: &evidence.ErrorBody{}}}}
		t.APICalls = []*check.APICall{{}, {Exchange: &evidence.Exchange{Status: 403}}, {Exchange: &evidence.Exchange{Status: 403, Header: map[string][]string{"A": nil}}, Token: &check.Token{}}}
		t.Tokens = []*check.Token{{}, {Parsed: &token.Parsed{}}, {Parsed: &token.Parsed{Claims: map[string]any{"scope": 1, "scp": []any{1, nil, map[string]any{}}, "aud": map[string]any{}, "iat": "x", "roles": 3, "realm_access": "x", "resource_access": map[string]any{"": 1}}}}}
		t.Events = []*usher.Event{{}, {Change: &usher.Change{Type: "role"}}}
		t.Metadata = []*check.Metadata{{Metadata: &oauth.Metadata{Raw: map[string]json.RawMessage{"authorization_details_types_supported": json.RawMessage(`{`)}}}}
	})
	for _, scope := range []string{"", " ", ",", "*", "/", "://", "https://", "\x00", "é", long, strings.Repeat("a", 1<<18), strings.Repeat("[", 1<<16)} {
		asks(scope, "authorization_details="+url.QueryEscape(scope))(tgt)
		tells(app, scope, scope)(tgt)
	}
	for _, provider := range []string{"generic", "entra", "google", "github"} {
		tgt.Provider.Name = provider
		findings, _ := check.Run(tgt, scopes.Checks)
		for _, f := range findings {
			if len(f.Title) > 2000 {
				t.Errorf("%s: a title of %d bytes", f.Check, len(f.Title))
			}
		}
	}
}

func BenchmarkRegistration(b *testing.B) {
	tgt := target(of("entra", graph...), metadata("openid", "profile"), permitted(evidence.Permission{Name: "User.Read"}, evidence.Permission{Name: "Mail.Read"}))
	b.ReportAllocs()
	for b.Loop() {
		check.Run(tgt, scopes.Checks)
	}
}
