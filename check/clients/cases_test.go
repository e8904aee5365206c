package clients_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/clients"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
	"usher/token"
)

// kase is a target with what one check must say of it.
type kase struct {
	check, name string
	target      *check.Target
	want        usher.Outcome
	words       string // in title, detail or proof
	cause       string // of a wrong one; "" is not looked at
	severity    usher.Severity
}

const (
	ok      = usher.OutcomeOK
	wrong   = usher.OutcomeWrong
	unknown = usher.OutcomeUnknown
	na      = usher.OutcomeNotApplicable
)

func cases() []kase {
	return slices.Concat(knownCases(), secretCases(), expiryCases(), methodCases(), assertionCases(), bindingCases(),
		grantCases(), pkceCases(), stateCases(), roundtripCases(), codeCases(), lifeCases(), dynamicCases(), appCases())
}

func TestCases(t *testing.T) {
	for _, k := range cases() {
		t.Run(k.check+"/"+k.name, func(t *testing.T) {
			c := named(k.check)
			if c == nil {
				t.Fatalf("no check %q", k.check)
			}
			findings, _ := check.Run(k.target, []*check.Check{c})
			got := findings[0] // the worst comes first
			all, _ := json.Marshal(got)
			if got.Outcome != k.want || !strings.Contains(string(all), strings.Trim(string(must(json.Marshal(k.words))), `"`)) {
				t.Fatalf("want %s with %q, got\n%s", k.want, k.words, all)
			}
			if k.cause != "" && got.Cause != k.cause {
				t.Errorf("cause %q, want %q", got.Cause, k.cause)
			}
			if k.severity != "" && got.Severity != k.severity {
				t.Errorf("severity %q, want %q", got.Severity, k.severity)
			}
			if got.Outcome == wrong {
				if len(got.Fix) == 0 || got.Fix[0].Risk == usher.RiskWeakening || len(got.Proof) == 0 {
					t.Errorf("wrong without fix or proof, or with a weakening fix first: %s", all)
				}
				for _, p := range got.Proof {
					if p.Place == "" {
						t.Errorf("a proof without a place: %s", all)
					}
				}
				if got.Detail == "" {
					t.Errorf("it does not say what it means: %s", all)
				}
				if strings.Contains(got.Title, "  ") {
					t.Errorf("the title names nobody: %s", got.Title)
				}
				if got.Title == c.Title {
					t.Errorf("the title does not say what is wrong")
				}
			}
			for _, s := range k.target.Secrets {
				if strings.Contains(string(all), s.Reveal()) {
					t.Errorf("a secret in the finding: %s", all)
				}
			}
		})
	}
}

// TestCovered holds that each check has cases of ok, of wrong, and of neither.
func TestCovered(t *testing.T) {
	got := map[string]map[usher.Outcome]bool{}
	for _, k := range cases() {
		if got[k.check] == nil {
			got[k.check] = map[usher.Outcome]bool{}
		}
		got[k.check][k.want] = true
	}
	for _, c := range clients.Checks {
		if !got[c.ID][wrong] || !got[c.ID][ok] {
			t.Errorf("%s has no case of wrong or none of ok", c.ID)
		}
	}
}

// TestEmpty holds that nothing is called ok or wrong, and nothing breaks, where
// nothing was given, or only husks.
func TestEmpty(t *testing.T) {
	husk := target(&evidence.Registration{}, &evidence.Registration{ClientID: "x"}, &check.AuthCall{}, &check.AuthCall{Request: &oauth.AuthorizationRequest{}, Response: &oauth.AuthorizationResponse{}},
		&check.TokenCall{}, &check.TokenCall{Request: &oauth.TokenRequest{}, Response: &check.TokenResponse{}}, &check.TokenCall{Request: &oauth.TokenRequest{ClientAssertion: "x.y.z", Code: "c", GrantType: "authorization_code", CodeVerifier: "v", ClientSecret: "s"}, Response: &check.TokenResponse{Error: &evidence.ErrorBody{}}, Exchange: &evidence.Exchange{}},
		&check.Metadata{}, &check.Token{}, &check.KeySet{}, &check.Answer{}, &check.ClientDocument{}, &check.DCRAnswer{}, &usher.Event{})
	husk.Probed = map[string]*check.ProbeAnswer{"secret-valid": {}, "client-id-known": {}, "assertion-replay": {Status: 400}}
	nils := target()
	nils.Registrations, nils.AuthCalls, nils.TokenCalls = []*evidence.Registration{nil}, []*check.AuthCall{nil}, []*check.TokenCall{nil}
	nils.Tokens, nils.Events, nils.Metadata, nils.KeySets = []*check.Token{nil}, []*usher.Event{nil}, []*check.Metadata{nil}, []*check.KeySet{nil}
	for _, c := range clients.Checks {
		c.Judge(husk)
		for _, x := range []*check.Target{target(), {Now: now, Provider: nil, Profile: &check.Profile{}}} {
			findings, _ := check.Run(x, []*check.Check{c})
			for _, f := range findings {
				if f.Outcome != unknown {
					t.Errorf("%s says %s of nothing: %s", c.ID, f.Outcome, f.Title)
				}
			}
		}
	}
	_ = nils
}

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// target puts a target together from its parts.
func target(parts ...any) *check.Target {
	t := &check.Target{Now: now, Provider: &knowledge.Provider{Name: "generic", Title: "an OpenID provider"}, Profile: &check.Profile{Name: "default"}}
	for _, p := range parts {
		switch p := p.(type) {
		case *evidence.Registration:
			t.Registrations = append(t.Registrations, p)
		case *check.AuthCall:
			t.AuthCalls = append(t.AuthCalls, p)
		case *check.TokenCall:
			t.TokenCalls = append(t.TokenCalls, p)
			if p.Request != nil {
				t.Secrets = append(t.Secrets, some(p.Request.ClientSecret, p.Request.Code, p.Request.ClientAssertion, p.Request.CodeVerifier)...)
			}
		case *check.Metadata:
			t.Metadata = append(t.Metadata, p)
		case *usher.Event:
			t.Events = append(t.Events, p)
		case *check.Token:
			t.Tokens = append(t.Tokens, p)
		case *check.KeySet:
			t.KeySets = append(t.KeySets, p)
		case *check.Answer:
			t.Answers = append(t.Answers, p)
		case *check.ClientDocument:
			t.Documents = append(t.Documents, p)
		case *check.DCRAnswer:
			t.Registered = append(t.Registered, p)
		case *knowledge.Provider:
			t.Provider = p
		case func(*check.Target):
			p(t)
		default:
			panic(p)
		}
	}
	return t
}

func some(list ...usher.Secret) (out []usher.Secret) {
	for _, s := range list {
		if len(s) >= 12 {
			out = append(out, s)
		}
	}
	return out
}

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

// web is a confidential client on a server.
func web(with ...func(*evidence.Registration)) *evidence.Registration {
	r := &evidence.Registration{
		Shape: "client-metadata", ClientID: "web", Name: "Shop", Place: "reg.json:1", ApplicationType: "web",
		RedirectURIs: []evidence.RegisteredURI{{URI: "https://app.example/cb"}}, Public: no(), AuthMethods: []string{"client_secret_basic"},
		GrantTypes: []string{"authorization_code", "refresh_token"}, ResponseTypes: []string{"code"},
	}
	for _, f := range with {
		f(r)
	}
	return r
}

// entra is an app registration of Entra.
func entra(with ...func(*evidence.Registration)) *evidence.Registration {
	r := &evidence.Registration{
		Provider: "entra", Shape: "entra-manifest", ClientID: "bbbbbbbb-0000-4000-8000-000000000001", Name: "Shop", Place: "manifest.json:1",
		RedirectURIs: []evidence.RegisteredURI{{URI: "https://app.example/cb", Platform: "web"}},
	}
	for _, f := range with {
		f(r)
	}
	return r
}

func creds(list ...evidence.Credential) func(*evidence.Registration) {
	return func(r *evidence.Registration) {
		for i := range list {
			if list[i].Place == "" {
				list[i].Place = "manifest.json:9"
			}
		}
		r.Credentials = list
	}
}

// authorize is an authorization request with these parameters, over those of a
// sound one; an empty value takes a parameter out.
func authorize(pairs ...string) *check.AuthCall {
	q := url.Values{
		"response_type": {"code"}, "client_id": {"web"}, "redirect_uri": {"https://app.example/cb"}, "scope": {"openid"}, "state": {"q0JRbzTzQkKpJkVQ8yBz6A"}, "nonce": {"nRu0YXvY3cTg4bQeS1zVfA"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Del(pairs[i])
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	endpoint := "https://login.example/authorize"
	if q.Get("endpoint") != "" {
		endpoint = q.Get("endpoint")
		q.Del("endpoint")
	}
	return &check.AuthCall{Place: "flow.har#1", Request: must(oauth.ParseAuthorizationRequest(endpoint + "?" + q.Encode())), Time: now}
}

// answered adds the answer to an authorization request.
func answered(c *check.AuthCall, query string) *check.AuthCall {
	c.Response = must(oauth.ParseAuthorizationResponse("https://app.example/cb?" + query))
	c.ResponsePlace, c.Returned = "flow.har#2", now
	return c
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // of the challenge above, RFC 7636 appendix B

// redeem is a token request with these parameters, over those of a sound one.
func redeem(pairs ...string) *check.TokenCall {
	q := url.Values{"grant_type": {"authorization_code"}, "code": {"SplxlOBeZQQYbYS6WxSbIA"}, "redirect_uri": {"https://app.example/cb"}, "client_id": {"web"}, "code_verifier": {verifier}}
	return tokenCall(q, pairs)
}

// ask is a token request of a client by itself.
func ask(pairs ...string) *check.TokenCall {
	return tokenCall(url.Values{"grant_type": {"client_credentials"}, "client_id": {"web"}}, pairs)
}

func tokenCall(q url.Values, pairs []string) *check.TokenCall {
	header := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		switch k, v := pairs[i], pairs[i+1]; {
		case k == "basic":
			header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(v)))
		case k == "Origin" || k == "Client-Cert":
			header.Set(k, v)
		case v == "":
			q.Del(k)
		default:
			q.Set(k, v)
		}
	}
	const endpoint = "https://login.example/token"
	r := must(oauth.ParseTokenRequest(endpoint, header, q.Encode()))
	return &check.TokenCall{Place: "flow.har#3", Request: r, Time: now.Add(time.Second), Exchange: &evidence.Exchange{Method: "POST", URL: endpoint, Request: header, Started: now.Add(time.Second)}}
}

// gave answers a token request with a token.
func gave(c *check.TokenCall) *check.TokenCall {
	c.Response = &check.TokenResponse{Place: "flow.har#4", AccessToken: "an-access-token", TokenType: "Bearer", Status: 200}
	return c
}

// refused answers a token request with an error.
func refused(c *check.TokenCall, code, description string, codes ...string) *check.TokenCall {
	c.Response = &check.TokenResponse{Place: "flow.har#4", Status: 400, Error: &evidence.ErrorBody{Code: code, Description: description, Codes: codes}}
	return c
}

// alone is an answer of the token endpoint whose request is not known.
func alone(code, description string, codes ...string) *check.TokenCall {
	c := refused(&check.TokenCall{}, code, description, codes...)
	c.Place = c.Response.Place
	return c
}

func metadata(text string) *check.Metadata {
	return &check.Metadata{Metadata: must(oauth.ParseMetadata([]byte(text))), Place: "discovery.json"}
}

const plain = `{"issuer":"https://login.example","authorization_endpoint":"https://login.example/authorize","token_endpoint":"https://login.example/token"}`

func event(f func(*usher.Event)) *usher.Event {
	e := &usher.Event{UID: "e1", Kind: usher.EventSignIn, Time: now.Add(-time.Hour), Status: usher.StatusSuccess, Client: usher.Party{UID: "web", Name: "Shop"}, User: usher.Party{UID: "u1", Name: "kim"}}
	if f != nil {
		f(e)
	}
	return e
}

func vendor(name string) *knowledge.Provider { return &knowledge.Provider{Name: name, Title: name} }

func jwtToken(raw string, typ token.Type) *check.Token {
	return &check.Token{Parsed: must(token.Parse(raw)), Raw: usher.Secret(raw), Type: typ, Place: "token.txt"}
}

func unsigned(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256","kid":"k1"}`)) + "." + enc([]byte(claims)) + "." + enc([]byte("a signature that nobody checks"))
}
