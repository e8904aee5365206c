package tokens_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/check"
	tokenchecks "usher/check/tokens"
	"usher/evidence"
	"usher/oauth"
	"usher/token"
)

// TestHollow runs every check on evidence that is there in part only.
func TestHollow(t *testing.T) {
	empty := &check.Target{
		Metadata: []*check.Metadata{{}}, KeySets: []*check.KeySet{{}}, Resources: []*check.ResourceMetadata{{}}, Registrations: []*evidence.Registration{{}},
		AuthCalls: []*check.AuthCall{{}, {Request: &oauth.AuthorizationRequest{}}, {Response: &oauth.AuthorizationResponse{}}},
		TokenCalls: []*check.TokenCall{
			{},
			{Request: &oauth.TokenRequest{}},
			{Response: &check.TokenResponse{}},
			{Response: &check.TokenResponse{Error: &evidence.ErrorBody{}}},
			{Request: &oauth.TokenRequest{GrantType: oauth.GrantRefreshToken, RefreshToken: "r"}, Response: &check.TokenResponse{AccessToken: "a", RefreshToken: "b"}},
			{Request: &oauth.TokenRequest{GrantType: oauth.GrantTokenExchange}, Response: &check.TokenResponse{AccessToken: "a"}},
		},
		APICalls:     []*check.APICall{{}, {Exchange: &evidence.Exchange{Status: 401}}, {Exchange: &evidence.Exchange{Status: 200, URL: "::/userinfo"}, Token: &check.Token{}}, {Challenges: []oauth.Challenge{{}}}},
		Introspected: []*check.Introspection{{}, {JWT: &token.Parsed{}}, {Exchange: &evidence.Exchange{}}},
		Tokens:       []*check.Token{{}, {Parsed: &token.Parsed{}}, {Raw: "x"}, {Parsed: &token.Parsed{Form: token.FormJWS, Claims: obj{}}, Type: token.TypeID}, {Parsed: &token.Parsed{Form: token.FormJWS, Header: obj{}}, Raw: "a.b.c"}},
		Events:       []*usher.Event{{}, {OAuth: usher.OAuthFacts{GrantType: "refresh_token", TokenUID: "x"}, Status: usher.StatusFailure}},
		Answers:      []*check.Answer{{}, {Role: "logout"}},
		Settings:     []evidence.Fact{{}},
		Probed:       map[string]*check.ProbeAnswer{"introspection-auth": {}},
		Profile:      &check.Profile{}, Now: now,
	}
	for _, c := range tokenchecks.Checks {
		found, _ := check.Run(empty, []*check.Check{c})
		if len(found) == 0 {
			t.Errorf("%s: no finding", c.ID)
		}
		one := *c
		one.Needs = nil // Judge itself, whatever is missing
		check.Run(&check.Target{Profile: &check.Profile{}}, []*check.Check{&one})
	}
}

// TestOddClaims gives every claim every type of JSON.
func TestOddClaims(t *testing.T) {
	names := []string{"iss", "sub", "aud", "exp", "iat", "nbf", "nonce", "at_hash", "c_hash", "auth_time", "acr", "azp", "client_id", "tid", "jti", "scope", "scp", "cnf", "act", "events", "groups", "_claim_names", "hasgroups", "email", "email_verified", "token_use", "typ", "password", "oid"}
	for _, v := range []any{nil, true, -1, 1e300, json.Number("1e999"), "", "x", []any{}, []any{1, nil, obj{}}, obj{}, obj{"jkt": 1, "sub": 2, "jwk": 3}} {
		claims := obj{}
		for _, n := range names {
			claims[n] = v
		}
		for _, kind := range []token.Type{token.TypeAny, token.TypeAccess, token.TypeID, token.TypeLogout, token.TypeDPoP, token.TypeAssertion} {
			tok := &check.Token{Parsed: &token.Parsed{Form: token.FormJWS, Header: obj{"alg": v, "kid": v, "typ": v, "crit": v, "jwk": v}, Claims: claims}, Type: kind, Place: "t", Raw: "a.b.c"}
			given := target(tokens(tok), keys, issuer(iss), metadata(nil), expect(check.Expect{Audiences: []string{api}, Clients: []string{client}, Tenants: []string{"x"}}), asked("nonce=n1&max_age=1", ""), call(200, api, now))
			given.APICalls[0].Token = tok
			check.Run(given, tokenchecks.Checks)
		}
	}
}

// TestMuch holds the checks to a second for more than anybody should give.
func TestMuch(t *testing.T) {
	big := target(keys, issuer(iss), metadata(nil))
	for i := range 1200 {
		tok := access(obj{"jti": fmt.Sprint(i), "groups": []string{strings.Repeat("g", 100)}})
		big.Tokens = append(big.Tokens, tok)
		x := &evidence.Exchange{Method: "GET", URL: fmt.Sprintf("https://h%d.example/userinfo", i), Status: 401, Request: http.Header{"Authorization": {bearer(tok)[len("Authorization: "):]}}, Header: http.Header{}, Started: now}
		big.APICalls = append(big.APICalls, &check.APICall{Place: "call", Exchange: x, Token: tok, Time: now, Challenges: []oauth.Challenge{{Scheme: "Bearer", Params: map[string]string{"error": oauth.ErrInsufficientUserAuth, "acr_values": fmt.Sprint(i)}}}})
		big.TokenCalls = append(big.TokenCalls, &check.TokenCall{Place: "call", Time: now.Add(time.Duration(i) * time.Second), Request: &oauth.TokenRequest{GrantType: oauth.GrantRefreshToken, RefreshToken: usher.Secret(fmt.Sprint(i)), Scope: []string{"a"}}, Response: &check.TokenResponse{AccessToken: tok.Raw, RefreshToken: usher.Secret(fmt.Sprint(i + 1)), Error: &evidence.ErrorBody{Code: "invalid_grant", Claims: `{"a":{"b":1}}`}}})
		big.AuthCalls = append(big.AuthCalls, &check.AuthCall{Request: &oauth.AuthorizationRequest{Claims: `{"a":{"c":1}}`}, Time: now.Add(time.Hour)})
		big.Events = append(big.Events, kcRefresh(fmt.Sprint(i%50), time.Duration(i)*time.Second))
	}
	start := time.Now()
	for _, c := range tokenchecks.Checks {
		at := time.Now()
		got := 0
		for _, v := range c.Judge(big) {
			got += len(v.Proof)
		}
		if took := time.Since(at); took > 10*time.Second {
			t.Errorf("%s takes %s", c.ID, took)
		}
	}
	t.Logf("all of it took %s", time.Since(start))
}

// FuzzCall gives an API call any headers: nothing panics, and a finding never
// holds the token.
func FuzzCall(f *testing.F) {
	for _, h := range []string{"", "Bearer", "Bearer x", "DPoP:", "bearer=", "Bearer \"eyJ.eyJ.x\"", "Bearer Bearer x", "Bearer \n", "eyJhbGciOiJub25lIn0.e30.", "Bearer undefined"} {
		f.Add(h, "DPoP error=\"use_dpop_nonce\"", "https://api.example/x?access_token=y", ":YQ==:")
	}
	f.Fuzz(func(t *testing.T, authorization, challenge, address, cert string) {
		tok := access(obj{"cnf": obj{"jkt": thumbprint(key), "x5t#S256": "AAAA"}})
		given := target(tokens(tok), metadata(nil), call(401, address, now, bearer(tok), "Client-Cert: "+cert, "", "Www-Authenticate: "+challenge), call(200, address, now))
		given.APICalls[1].Exchange.Request["Authorization"] = []string{authorization}
		given.APICalls[1].Exchange.Request["Dpop"] = []string{authorization}
		given.APICalls[1].Exchange.Body = challenge
		given.APICalls[0].Token = tok
		found, _ := check.Run(given, tokenchecks.Checks)
		for _, x := range found {
			if strings.Contains(text(x), tok.Raw.Reveal()) {
				t.Errorf("%s quotes the token", x.Check)
			}
		}
	})
}

func BenchmarkRegistration(b *testing.B) {
	given := target(metadata(nil), issuer(iss), registered(evidence.Registration{ClientID: client, RedirectURIs: []evidence.RegisteredURI{{URI: "https://a.example/cb"}}}))
	b.ReportAllocs()
	for b.Loop() {
		check.Run(given, tokenchecks.Checks)
	}
}
