package protocol_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/protocol"
	"usher/evidence"
	"usher/oauth"
	"usher/token"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const (
	ok      = usher.OutcomeOK
	wrong   = usher.OutcomeWrong
	unknown = usher.OutcomeUnknown
	none    = usher.OutcomeNotApplicable
)

type (
	change func(t *check.Target)
	m      = map[string]any
)

func target(changes ...change) *check.Target {
	p, _ := check.ProfileNamed("")
	t := &check.Target{Now: now, Profile: p}
	for _, c := range changes {
		c(t)
	}
	return t
}

func held(name string) change {
	return func(t *check.Target) {
		p, err := check.ProfileNamed(name)
		if err != nil {
			panic(err)
		}
		t.Profile = p
	}
}

const issuer = "https://id.example"

func doc(members m) change {
	return func(t *check.Target) {
		all := m{"issuer": issuer, "authorization_endpoint": issuer + "/auth", "token_endpoint": issuer + "/token"}
		for k, v := range members {
			all[k] = v
		}
		data, _ := json.Marshal(all)
		meta, err := oauth.ParseMetadata(data)
		if err != nil {
			panic(err)
		}
		t.Metadata = append(t.Metadata, &check.Metadata{Metadata: meta, Place: "discovery.json"})
	}
}

func auth(address string) change {
	return func(t *check.Target) {
		r, err := oauth.ParseAuthorizationRequest(address)
		if err != nil {
			panic(err)
		}
		t.AuthCalls = append(t.AuthCalls, &check.AuthCall{Place: "flow.har#0", Request: r, Time: now})
	}
}

func request(query string) change { return auth(issuer + "/auth?client_id=web&" + query) }

func back(query string) change {
	return func(t *check.Target) {
		r, err := oauth.ParseAuthorizationResponse("https://app.example/cb?" + query)
		if err != nil {
			panic(err)
		}
		t.AuthCalls[len(t.AuthCalls)-1].Response = r
	}
}

func call(endpoint, form string) change {
	return func(t *check.Target) {
		r, err := oauth.ParseTokenRequest(endpoint, http.Header{}, form)
		if err != nil {
			panic(err)
		}
		t.TokenCalls = append(t.TokenCalls, &check.TokenCall{Place: "curl.txt", Request: r, Exchange: &evidence.Exchange{Method: "POST", URL: endpoint, RequestBody: form}})
	}
}

func jwt(header, claims m) string {
	part := func(v m) string {
		data, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(data)
	}
	return part(header) + "." + part(claims) + ".c2lnbmF0dXJl"
}

// object gives a request with a request object: the sound one with members
// changed; nil takes one out.
func object(header, changes m) change {
	claims := m{"iss": "web", "aud": issuer, "client_id": "web", "exp": now.Add(time.Minute).Unix(), "response_type": "code"}
	for k, v := range changes {
		if v == nil {
			delete(claims, k)
		} else {
			claims[k] = v
		}
	}
	if header == nil {
		header = m{"alg": "ES256", "kid": "c"}
	}
	return request("response_type=code&request=" + url.QueryEscape(jwt(header, claims)))
}

func keys(client string) change {
	return func(t *check.Target) {
		set, err := token.ParseKeySet([]byte(`{"keys":[{"kty":"EC","kid":"c","crv":"P-256","x":"YagiPqkSIETynKLJQwBVn2z4M1VNWyAu4Hndrh0V1_o","y":"XeUIWfe6uQ3eYTkMRRIPbcjzyq-WzCbU5x-yu7xq6-Y"}]}`))
		if err != nil {
			panic(err)
		}
		t.KeySets = append(t.KeySets, &check.KeySet{KeySet: set, Place: "keys.json", Client: client})
	}
}

func answer(header, claims m) change {
	return func(t *check.Target) {
		raw := jwt(header, claims)
		p, err := token.Parse(raw)
		if err != nil {
			panic(err)
		}
		t.Tokens = append(t.Tokens, &check.Token{Parsed: p, Place: "url.txt", Raw: usher.Secret(raw)})
	}
}

func registered(r evidence.Registration) change {
	return func(t *check.Target) { t.Registrations = append(t.Registrations, &r) }
}

func found(id string) change {
	return func(t *check.Target) {
		v := check.Wrong("found by the probe", "it is so", usher.Proof{Place: "GET x"})
		t.Probed = map[string]*check.ProbeAnswer{id: {Verdict: &v}}
	}
}

type row struct {
	id, name string
	target   *check.Target
	outcome  usher.Outcome
	words    string
}

func rows() []row {
	const v1, v2 = "https://login.microsoftonline.com/t/oauth2/", "https://login.microsoftonline.com/t/oauth2/v2.0/"
	const okta = "https://shop.okta.com/oauth2/"
	jarm := m{"iss": issuer, "aud": "web", "exp": now.Add(time.Minute).Unix(), "code": "abc"}
	without := func(name string, value any) m {
		out := m{}
		for k, v := range jarm {
			out[k] = v
		}
		if out[name] = value; value == nil {
			delete(out, name)
		}
		return out
	}
	es := m{"alg": "ES256", "kid": "c"}
	first := doc(m{"authorization_challenge_endpoint": issuer + "/challenge"})
	own := func(t *check.Target) { t.Expect = &check.Expect{Clients: []string{"web"}} }
	return []row{
		{"mixed-endpoint-versions", "one document", target(doc(nil), request("response_type=code"), call(issuer+"/token", "grant_type=authorization_code&client_id=web")), ok, ""},
		{"mixed-endpoint-versions", "Entra v1 and v2", target(auth(v1+"authorize?client_id=web"), call(v2+"token", "grant_type=authorization_code&client_id=web")), wrong, "v1.0 endpoint, the token request to Entra's v2.0"},
		{"mixed-endpoint-versions", "resource with v2", target(auth(v2 + "authorize?client_id=web&resource=https://graph.microsoft.com")), wrong, "resource is sent"},
		{"mixed-endpoint-versions", "scope with v1", target(auth(v1 + "authorize?client_id=web&scope=api://shop/orders")), wrong, "takes resource"},
		{"mixed-endpoint-versions", "openid with v1", target(auth(v1+"authorize?client_id=web&scope=openid+profile"), call(v1+"token", "grant_type=authorization_code&client_id=web")), ok, ""},
		{"mixed-endpoint-versions", "one request", target(auth(v1 + "authorize?client_id=web&scope=openid+profile")), unknown, ""},
		{"mixed-endpoint-versions", "Okta", target(auth(okta+"v1/authorize?client_id=web"), call(okta+"default/v1/token", "grant_type=authorization_code&client_id=web")), wrong, "Okta's server default"},
		{"mixed-endpoint-versions", "two documents", target(doc(nil), doc(m{"issuer": "https://b.example", "authorization_endpoint": "https://b.example/auth", "token_endpoint": "https://b.example/token"}), request(""), call("https://b.example/token", "grant_type=authorization_code&client_id=web")), wrong, "two providers"},
		{"mixed-endpoint-versions", "not of the document", target(doc(m{"authorization_endpoint": v2 + "authorize"}), auth(v1+"authorize?client_id=web")), wrong, "the document is of Entra's v2.0"},
		{"mixed-endpoint-versions", "two clients", target(auth(v1+"authorize?client_id=a"), call(v2+"token", "grant_type=authorization_code&client_id=b")), ok, ""},
		{"mixed-endpoint-versions", "nothing", target(doc(nil)), unknown, ""},

		{"jar-object", "none", target(request("response_type=code")), none, ""},
		{"jar-object", "right, no keys", target(doc(nil), object(nil, nil)), unknown, "not verified"},
		{"jar-object", "unsigned", target(object(m{"alg": "none"}, nil)), wrong, "not signed"},
		{"jar-object", "other client", target(object(nil, m{"client_id": "api"})), wrong, "client_id inside is api"},
		{"jar-object", "other iss", target(object(nil, m{"iss": "api"})), wrong, "iss of the request object"},
		{"jar-object", "other audience", target(doc(nil), object(nil, m{"aud": "https://other.example"})), wrong, "addressed to https://other.example"},
		{"jar-object", "differs outside", target(object(nil, m{"response_type": "token"})), wrong, "response_type says one thing"},
		{"jar-object", "ended", target(object(nil, m{"exp": now.Add(-time.Minute).Unix()})), wrong, "had ended"},
		{"jar-object", "no end", target(object(nil, m{"exp": nil})), wrong, "lacks exp"},
		{"jar-object", "one in another", target(object(nil, m{"request": "x"})), wrong, "another request object"},
		{"jar-object", "no JWT", target(request("request=abc")), wrong, "no JWT"},
		{"jar-object", "bad signature", target(doc(nil), keys("web"), object(nil, nil)), wrong, "does not verify"},
		{"jar-object", "no request", target(), unknown, ""},

		{"par-used-right", "none", target(request("response_type=code")), none, ""},
		{"par-used-right", "once", target(request("request_uri=urn:x:1"), request("request_uri=urn:x:2")), ok, ""},
		{"par-used-right", "not pushed, held to FAPI", target(held("fapi2"), request("response_type=code")), wrong, "was not pushed"},
		{"par-used-right", "pushed, held to FAPI", target(held("fapi2"), request("request_uri=urn:x:1")), ok, ""},
		{"par-used-right", "twice", target(request("request_uri=urn:x:1"), request("request_uri=urn:x:1")), wrong, "used twice"},
		{"par-used-right", "too late", target(request("request_uri=urn:x:1"), back("error=invalid_request_uri")), wrong, "too late"},
		{"par-used-right", "more beside", target(request("request_uri=urn:x:1&state=a&scope=openid")), wrong, "scope, state"},

		{"par-required", "demanded by another provider", target(doc(nil), doc(m{"issuer": "https://bank.example", "authorization_endpoint": "https://bank.example/auth", "require_pushed_authorization_requests": true}), request("response_type=code"), back("code=abc")), unknown, ""},
		{"par-required", "not demanded", target(doc(nil)), none, ""},
		{"par-required", "not asked", target(doc(m{"require_pushed_authorization_requests": true})), unknown, ""},
		{"par-required", "found", target(doc(m{"require_pushed_authorization_requests": true}), found("par-required")), wrong, ""},
		{"par-required", "taken plain", target(doc(m{"require_pushed_authorization_requests": true}), request("response_type=code"), back("code=abc")), wrong, "takes a plain one"},

		{"jarm-response", "not asked for", target(request("response_type=code")), none, ""},
		{"jarm-response", "not seen", target(request("response_mode=query.jwt")), unknown, "not seen"},
		{"jarm-response", "right, no keys", target(doc(nil), request("response_mode=jwt"), answer(es, jarm)), unknown, "not verified"},
		{"jarm-response", "other issuer", target(doc(nil), request("response_mode=jwt"), answer(es, without("iss", "https://other.example"))), wrong, "https://other.example"},
		{"jarm-response", "other client", target(doc(nil), request("response_mode=jwt"), answer(es, without("aud", "api"))), wrong, "not for this client"},
		{"jarm-response", "no end", target(doc(nil), request("response_mode=jwt"), answer(es, without("exp", nil))), wrong, "no end"},
		{"jarm-response", "unsigned", target(doc(nil), request("response_mode=jwt"), answer(m{"alg": "none"}, jarm)), wrong, "not signed"},
		{"jarm-response", "bad signature", target(doc(nil), keys(""), request("response_mode=jwt"), answer(es, jarm)), wrong, "does not verify"},

		{"unknown-parameters", "not asked", target(), unknown, ""},
		{"unknown-parameters", "found", target(found("unknown-parameters")), wrong, ""},

		{"profile-first-party", "none", target(doc(nil)), none, ""},
		{"profile-first-party", "not called", target(first), unknown, ""},
		{"profile-first-party", "own app", target(first, own, call(issuer+"/challenge", "grant_type=x&client_id=web")), ok, ""},
		{"profile-first-party", "stranger", target(first, own, call(issuer+"/challenge", "grant_type=x&client_id=other")), wrong, "none of the own apps"},
		{"profile-first-party", "unbound", target(first, own, call(issuer+"/challenge", "grant_type=x&client_id=web&auth_session=a")), wrong, "not bound"},
		{"profile-first-party", "nothing expected", target(first, call(issuer+"/challenge", "grant_type=x&client_id=web")), unknown, ""},
	}
}

func TestChecks(t *testing.T) {
	for _, r := range rows() {
		f := judge(t, r.target, r.id)
		said := fmt.Sprintf("%s | %s | %v", f.Title, f.Detail, f.Proof)
		if f.Outcome != r.outcome || !strings.Contains(said, r.words) {
			t.Errorf("%s, %s: %s %s; want %s with %q", r.id, r.name, f.Outcome, said, r.outcome, r.words)
		}
		if f.Outcome == wrong && (len(f.Proof) == 0 || f.Proof[0].Place == "" || f.Detail == "" || len(f.Fix) == 0) {
			t.Errorf("%s, %s: wrong without proof, place, detail or fix: %s", r.id, r.name, said)
		}
	}
}

func judge(t *testing.T, target *check.Target, id string, more ...*check.Check) usher.Finding {
	t.Helper()
	for _, c := range protocol.Checks {
		if c.ID != id {
			continue
		}
		findings, _ := check.Run(target, append([]*check.Check{c}, more...))
		for _, f := range findings {
			if f.Check == id {
				return f
			}
		}
	}
	t.Fatalf("there is no check %s", id)
	return usher.Finding{}
}

// sums are the checks that add others up, with a configuration that each is for
// and one that it is not for; nil: it is for every one.
var sums = []struct {
	id, profile   string
	applies, none []change
}{
	{"profile-oauth20", "", nil, nil},
	{"profile-bcp", "rfc9700", nil, nil},
	{"profile-oauth21", "oauth2.1", nil, nil},
	{"profile-browser", "browser-based", []change{registered(evidence.Registration{RedirectURIs: []evidence.RegisteredURI{{URI: "https://a", Platform: "spa"}}})}, []change{registered(evidence.Registration{RedirectURIs: []evidence.RegisteredURI{{URI: "https://a", Platform: "web"}}})}},
	{"profile-native", "native", []change{registered(evidence.Registration{RedirectURIs: []evidence.RegisteredURI{{URI: "com.example.app:/cb"}}})}, []change{registered(evidence.Registration{RedirectURIs: []evidence.RegisteredURI{{URI: "com.example.app:/cb"}, {URI: "https://a"}}})}},
	{"profile-fapi2", "fapi2", []change{held("fapi2")}, []change{}},
	{"profile-mcp", "mcp", []change{func(t *check.Target) { t.Resources = []*check.ResourceMetadata{{}} }}, []change{}},
}

// fake makes a check that always says one thing.
func fake(id string, v check.Verdict) *check.Check {
	return &check.Check{ID: id, Title: id, Judge: func(*check.Target) []check.Verdict { return []check.Verdict{v} }}
}

// TestSums: a profile is met when each thing that it requires is ok, not met
// when one is wrong, and not known when one is not.
func TestSums(t *testing.T) {
	for _, s := range sums {
		required := []string{"redirect-registered", "grant-registered"}
		if s.profile != "" {
			p, err := check.ProfileNamed(s.profile)
			if err != nil {
				t.Fatal(err)
			}
			required = p.Requires
		}
		config := func() *check.Target {
			return target(append([]change{registered(evidence.Registration{ClientID: "web"})}, s.applies...)...)
		}
		parts := func(v check.Verdict) []*check.Check {
			out := []*check.Check{fake(required[0], v)}
			for _, id := range required[1:] {
				out = append(out, fake(id, check.OK("")))
			}
			if s.profile == "" {
				for _, id := range []string{"redirect-absolute", "response-grant-consistent", "auth-method-registered", "auth-method-double", "token-endpoint-redirect-uri", "code-once", "scope-syntax", "token-type", "token-response-no-store", "discovery-endpoints-https", "credentials-in-uri"} {
					out = append(out, fake(id, check.NotApplicable("")))
				}
			}
			return out
		}
		bad := check.Wrong("it is so and so", "", usher.Proof{Place: "app.json:3"})
		for _, c := range []struct {
			part  check.Verdict
			want  usher.Outcome
			words string
		}{
			{check.OK(""), ok, ""}, {check.NotApplicable(""), ok, ""}, {check.Unknown(check.NeedAuthRequest, ""), unknown, required[0]}, {bad, wrong, required[0] + ": it is so and so"},
		} {
			f := judge(t, config(), s.id, parts(c.part)...)
			if said := fmt.Sprint(f.Title, f.Detail, f.Proof); f.Outcome != c.want || !strings.Contains(said, c.words) {
				t.Errorf("%s with %s %s: %s %s, want %s with %q", s.id, required[0], c.part.Outcome, f.Outcome, said, c.want, c.words)
			}
		}
		if f := judge(t, config(), s.id); f.Outcome != unknown {
			t.Errorf("%s without its parts: %s, want unknown", s.id, f.Outcome)
		}
		var nothing []*check.Check
		for _, p := range parts(check.NotApplicable("")) {
			nothing = append(nothing, fake(p.ID, check.NotApplicable("")))
		}
		if f := judge(t, config(), s.id, nothing...); f.Outcome != none {
			t.Errorf("%s of which nothing arises: %s %s, want not-applicable", s.id, f.Outcome, f.Detail)
		}
		if s.none != nil {
			if f := judge(t, target(s.none...), s.id, parts(bad)...); f.Outcome != none {
				t.Errorf("%s for what it is not for: %s, want not-applicable", s.id, f.Outcome)
			}
		}
	}
	if f := judge(t, target(doc(nil), held("fapi2")), "profile-fapi2", fake("par-supported", check.Wrong("x", "", usher.Proof{}))); f.Outcome != wrong {
		t.Errorf("profile-fapi2 of a provider alone, held to it: %s, want wrong", f.Outcome)
	}
	public := registered(evidence.Registration{ClientID: "app", Place: "app.json:1", AuthMethods: []string{"none"}})
	if f := judge(t, target(public, held("fapi2")), "profile-fapi2"); f.Outcome != wrong || !strings.Contains(f.Title, "app is public") {
		t.Errorf("profile-fapi2 of a public client: %s %q, want wrong", f.Outcome, f.Title)
	}
	if f := judge(t, target(public), "profile-fapi2"); f.Outcome != none {
		t.Errorf("profile-fapi2 of a public client that nobody holds to it: %s, want not-applicable", f.Outcome)
	}
	if f := judge(t, target(doc(nil)), "profile-bcp", fake("grant-implicit", check.Wrong("x", "", usher.Proof{}))); f.Outcome != unknown {
		t.Errorf("profile-bcp of a provider alone: %s, want unknown", f.Outcome)
	}
}

// TestDemands holds the profiles to what their standards say must be.
func TestDemands(t *testing.T) {
	for _, d := range []struct{ profile, id, by string }{
		{"oauth2.1", "refresh-rotation", "OAuth 2.1 section 4.3.1"},
		{"oauth2.1", "grant-implicit", "OAuth 2.1 section 10"},
		{"oauth2.1", "grant-password", "OAuth 2.1 section 10"},
		{"oauth2.1", "pkce-sent", "OAuth 2.1 section 7.5.1"},
		{"oauth2.1", "credentials-in-uri", "OAuth 2.1 section 10"},
		{"rfc9700", "redirect-https", "RFC 9700 section 2.6"},
		{"rfc9700", "redirect-registered", "RFC 9700 section 2.1"},
		{"rfc9700", "grant-password", "RFC 9700 section 2.4"},
		{"rfc9700", "refresh-rotation", "RFC 9700 section 2.2.2"},
		{"native", "redirect-distinct-per-issuer", "RFC 8252 section 8.10"},
		{"native", "embedded-webview", "RFC 8252 section 8.12"},
		{"native", "redirect-private-scheme", "RFC 8252 section 7.1"},
		{"fapi2", "tls-version", "FAPI 2.0 section 5.2.1"},
		{"fapi2", "tls-ciphers", "FAPI 2.0 section 5.2.2"},
		{"fapi2", "par-used-right", "FAPI 2.0 section 5.3.3"},
		{"fapi2", "iss-response-announced", "FAPI 2.0 section 5.3.2"},
		{"mcp", "token-aud", "MCP, token handling"},
		{"mcp", "scope-resource", "MCP, resource parameter"},
		{"mcp", "passthrough", "MCP, token passthrough"},
	} {
		p, err := check.ProfileNamed(d.profile)
		if err != nil || !slices.Contains(p.Requires, d.id) {
			t.Errorf("%s does not require %s, as %s does", d.profile, d.id, d.by)
		}
	}
}

// TestEachCheckIsTried: each check has a configuration that it finds wrong, and
// one that it does not.
func TestEachCheckIsTried(t *testing.T) {
	tried := map[string]map[bool]bool{}
	for _, r := range rows() {
		if tried[r.id] == nil {
			tried[r.id] = map[bool]bool{}
		}
		tried[r.id][r.outcome == wrong] = true
	}
	for _, s := range sums {
		tried[s.id] = map[bool]bool{true: true, false: true}
	}
	for _, c := range protocol.Checks {
		if !tried[c.ID][true] || !tried[c.ID][false] {
			t.Errorf("%s: a configuration that is wrong: %t, one that is not: %t", c.ID, tried[c.ID][true], tried[c.ID][false])
		}
	}
}
