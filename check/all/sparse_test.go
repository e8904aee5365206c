package all_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/all"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
	"usher/provider/snapshot"
	"usher/token"
)

// sparse are pieces of evidence with next to nothing in them, as torn or
// hostile inputs give.
var sparse = []struct {
	name string
	add  func(t *check.Target)
}{
	{"metadata", func(t *check.Target) { t.Metadata = append(t.Metadata, &check.Metadata{Metadata: &oauth.Metadata{}}) }},
	{"odd metadata", func(t *check.Target) {
		raw := map[string]json.RawMessage{}
		for _, name := range []string{"issuer", "token_endpoint", "jwks_uri", "scopes_supported", "mtls_endpoint_aliases", "signed_metadata", "acr_values_supported", "require_pushed_authorization_requests"} {
			raw[name] = json.RawMessage(`{"a":[1,{}]}`)
		}
		t.Metadata = append(t.Metadata, &check.Metadata{Metadata: &oauth.Metadata{Issuer: "://%zz{", AuthorizationEndpoint: "%", TokenEndpoint: "//", Raw: raw}, URL: "%"})
	}},
	{"keys", func(t *check.Target) {
		t.KeySets = append(t.KeySets, &check.KeySet{KeySet: &token.KeySet{}}, &check.KeySet{KeySet: &token.KeySet{Keys: []*token.Key{{}}, Left: []token.LeftKey{{}}}, Client: "a", Raw: json.RawMessage(`{"keys":[1,null,{}]}`)})
	}},
	{"resource", func(t *check.Target) {
		t.Resources = append(t.Resources, &check.ResourceMetadata{})
	}},
	{"client document", func(t *check.Target) {
		t.Documents = append(t.Documents, &check.ClientDocument{}, &check.ClientDocument{URL: "%", Raw: map[string]json.RawMessage{"redirect_uris": json.RawMessage(`7`), "client_id": json.RawMessage(`[]`)}})
	}},
	{"registration", func(t *check.Target) {
		t.Registrations = append(t.Registrations, &evidence.Registration{}, &evidence.Registration{Provider: "entra", RedirectURIs: []evidence.RegisteredURI{{}, {URI: "%"}, {URI: "://"}}, Credentials: []evidence.Credential{{}}, Scopes: []string{""}, GrantTypes: []string{""}, AuthMethods: []string{""}})
	}},
	{"authorization call", func(t *check.Target) {
		t.AuthCalls = append(t.AuthCalls, &check.AuthCall{}, &check.AuthCall{Request: &oauth.AuthorizationRequest{}}, &check.AuthCall{Response: &oauth.AuthorizationResponse{}},
			&check.AuthCall{Request: &oauth.AuthorizationRequest{Endpoint: "%", RedirectURI: "%", Params: url.Values{"request": {"..."}, "claims": {"["}}, Claims: "[", RequestURI: "urn:"}, Response: &oauth.AuthorizationResponse{Code: "c"}, Exchange: &evidence.Exchange{}})
	}},
	{"token call", func(t *check.Target) {
		t.TokenCalls = append(t.TokenCalls, &check.TokenCall{}, &check.TokenCall{Request: &oauth.TokenRequest{}}, &check.TokenCall{Response: &check.TokenResponse{}},
			&check.TokenCall{Request: &oauth.TokenRequest{Endpoint: "%", ClientAssertion: "...", CodeVerifier: "v", Code: "c"}, Response: &check.TokenResponse{Error: &evidence.ErrorBody{}, ExpiresIn: "x", Raw: map[string]json.RawMessage{"scope": json.RawMessage("1")}}, Exchange: &evidence.Exchange{URL: "%"}})
	}},
	{"API call", func(t *check.Target) {
		t.APICalls = append(t.APICalls, &check.APICall{}, &check.APICall{Exchange: &evidence.Exchange{URL: "%", Status: 401}, Challenges: []oauth.Challenge{{}}}, &check.APICall{Exchange: &evidence.Exchange{Method: "GET", Request: http.Header{"Authorization": {"Bearer"}, "Dpop": {"..."}}}, Token: &check.Token{}})
	}},
	{"introspection", func(t *check.Target) {
		t.Introspected = append(t.Introspected, &check.Introspection{}, &check.Introspection{Raw: map[string]json.RawMessage{"active": json.RawMessage(`"x"`)}, JWT: &token.Parsed{}})
	}},
	{"registration answer", func(t *check.Target) {
		t.Registered = append(t.Registered, &check.DCRAnswer{}, &check.DCRAnswer{Request: map[string]json.RawMessage{"redirect_uris": json.RawMessage("1")}, Raw: map[string]json.RawMessage{"redirect_uris": json.RawMessage("{}")}})
	}},
	{"token", func(t *check.Target) {
		t.Tokens = append(t.Tokens, &check.Token{}, &check.Token{Parsed: &token.Parsed{}}, &check.Token{Parsed: &token.Parsed{Form: token.FormJWS, Kid: "a", Claims: map[string]any{
			"iss": 1, "aud": []any{1, nil}, "exp": "x", "iat": json.Number("1e400"), "nbf": json.Number("-1"), "scp": 1, "scope": []any{}, "cnf": "x", "act": 1, "tid": nil,
		}}, Type: token.TypeAccess, Raw: "x"})
	}},
	{"event", func(t *check.Target) {
		t.Events = append(t.Events, &usher.Event{}, &usher.Event{Kind: usher.EventToken, Time: time.Unix(1, 0), OAuth: usher.OAuthFacts{KeyID: "a", RedirectURI: "%"}, Change: &usher.Change{}})
	}},
	{"answer", func(t *check.Target) {
		t.Answers = append(t.Answers, &check.Answer{})
		for _, role := range []string{"discovery", "jwks", "token", "authorization", "userinfo", "callback", "resource", "client"} {
			t.Answers = append(t.Answers, &check.Answer{Role: role}, &check.Answer{Role: role, URL: "%", Status: 200, Body: "<script src="})
		}
	}},
	{"host", func(t *check.Target) { t.Hosts = append(t.Hosts, &check.Host{}, &check.Host{Version: 1}) }},
	{"earlier look", func(t *check.Target) {
		t.Previous = append(t.Previous, &snapshot.Look{}, &snapshot.Look{Keys: make([]snapshot.Key, 2), Metadata: map[string]json.RawMessage{"issuer": nil}}, snapshot.OfKids(time.Time{}, "a"), snapshot.OfKids(time.Time{}, "b"))
	}},
	{"setting", func(t *check.Target) { t.Settings = append(t.Settings, evidence.Fact{}) }},
	{"probe", func(t *check.Target) {
		t.Probed = map[string]*check.ProbeAnswer{}
		for i, c := range all.Checks() {
			t.Probed[c.ID] = [...]*check.ProbeAnswer{{}, {Status: 200}, {Skipped: "no"}, nil}[i%4]
		}
	}},
	{"expectation", func(t *check.Target) { t.Expect = &check.Expect{} }},
	{"request", func(t *check.Target) { t.Request = &oauth.AuthorizationRequest{ClientID: "a", RedirectURI: "%"} }},
	{"issuer", func(t *check.Target) { t.Issuer = "://%zz" }},
}

// TestSparse: no check breaks on evidence that holds next to nothing, alone, in
// pairs or all at once.
func TestSparse(t *testing.T) {
	profile, err := check.ProfileNamed("")
	if err != nil {
		t.Fatal(err)
	}
	try := func(name string, add ...func(t *check.Target)) {
		target := &check.Target{Now: now, Profile: profile, Provider: knowledge.Named("entra")}
		for _, f := range add {
			f(target)
		}
		for _, c := range all.Checks() {
			func() {
				defer func() {
					if p := recover(); p != nil {
						t.Errorf("%s breaks on %s: %v", c.ID, name, p)
					}
				}()
				for _, f := range run(target, c) {
					if f.Outcome == usher.OutcomeWrong && f.Title == "" {
						t.Errorf("%s on %s: wrong without a title", c.ID, name)
					}
				}
			}()
		}
	}
	var every []func(t *check.Target)
	for i, a := range sparse {
		every = append(every, a.add)
		try(a.name, a.add)
		for _, b := range sparse[i+1:] {
			try(fmt.Sprintf("%s and %s", a.name, b.name), a.add, b.add)
		}
	}
	try("everything", every...)
}

func run(t *check.Target, c *check.Check) []usher.Finding {
	findings, _ := check.Run(t, []*check.Check{c})
	return findings
}
