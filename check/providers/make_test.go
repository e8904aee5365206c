package providers_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/providers"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
	"usher/provider/snapshot"
	"usher/token"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const issuer = "https://id.example/realms/shop"

// make fills an empty target of a sound provider.
type change func(t *check.Target)

func target(changes ...change) *check.Target {
	p, _ := check.ProfileNamed("")
	t := &check.Target{Now: now, Provider: &knowledge.Provider{Name: "generic", Title: "an OpenID provider"}, Profile: p}
	for _, c := range changes {
		c(t)
	}
	return t
}

// members of a sound document.
func sound() map[string]any {
	at := func(s string) string { return issuer + "/" + s }
	return map[string]any{
		"issuer": issuer, "authorization_endpoint": at("auth"), "token_endpoint": at("token"), "jwks_uri": at("keys"), "userinfo_endpoint": at("me"),
		"revocation_endpoint": at("revoke"), "introspection_endpoint": at("introspect"), "end_session_endpoint": at("bye"),
		"pushed_authorization_request_endpoint": at("par"), "dpop_signing_alg_values_supported": []string{"ES256"},
		"response_types_supported": []string{"code"}, "response_modes_supported": []string{"query", "form_post"}, "grant_types_supported": []string{"authorization_code", "refresh_token"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
		"code_challenge_methods_supported": []string{"S256"}, "token_endpoint_auth_methods_supported": []string{"client_secret_basic", "private_key_jwt"},
		"scopes_supported": []string{"openid", "orders"}, "authorization_response_iss_parameter_supported": true,
	}
}

// doc adds a document: the sound one with members changed; nil takes one out.
func doc(members map[string]any) change {
	return func(t *check.Target) {
		all := sound()
		for k, v := range members {
			if v == nil {
				delete(all, k)
			} else {
				all[k] = v
			}
		}
		data, err := json.Marshal(all)
		if err != nil {
			panic(err)
		}
		m, err := oauth.ParseMetadata(data)
		if err != nil {
			panic(err)
		}
		t.Metadata = append(t.Metadata, &check.Metadata{Metadata: m, Place: "discovery.json"})
	}
}

type m = map[string]any

// Keys of the tests: an RSA key of 2048 bits, one of 1024, and one on P-256.
const (
	n2048 = "0oIKtrYhnGvbPzVPKzq7hE6i6fAnwjBqwGTiueCAKS5mya53dsTkYcK9NIKy5RSsNqGEk-C0T5Err9txJZ23HHyUpysZCLfApUcYAzQQ3-CTLjqQ8S6X4-f5xdRReGsEtyqyeynp-ppSA-EfumnzgiPPPZJYw6mw0tizCasKcgFmd5wh-uAmiXBb_Qy7PB9tXM0nwy4C47T_bh67vZ8UtNdtsav24E_5AzSRem1X399FviqOL0eLfIS3GLA3Bexh7MYWRoYWrFk9qm_24PRgiVSc-jzMY6tMk5HmwlkUahlOHUuZILmov0loxH1KyEK5B21de26go69z0qIwaLMeRQ"
	n1024 = "o5K9Y1wHn9eCeMGHDqRRpS20_RQzV2wK2L40NI1quJLHfc9cICItGER5X2VRRhk7HJ8xKQDDjGUAunT_Y4b8z4n610U_iiOQFO39xea9GQUGHyB6K8u_dkhytfLZTswkrqhmZA2NvyAVzb08qBt14kxYIm4_QZf7xgFTeCUCvR8"
	xP256 = "YagiPqkSIETynKLJQwBVn2z4M1VNWyAu4Hndrh0V1_o"
	yP256 = "XeUIWfe6uQ3eYTkMRRIPbcjzyq-WzCbU5x-yu7xq6-Y"
)

func rsaKey(kid string, more m) m {
	return merge(m{"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": n2048, "e": "AQAB"}, more)
}

func ecKey(kid string, more m) m {
	return merge(m{"kty": "EC", "kid": kid, "use": "sig", "alg": "ES256", "crv": "P-256", "x": xP256, "y": yP256}, more)
}

func merge(a, b m) m {
	for k, v := range b {
		if v == nil {
			delete(a, k)
		} else {
			a[k] = v
		}
	}
	return a
}

func keys(list ...m) change {
	return func(t *check.Target) {
		data, _ := json.Marshal(m{"keys": append([]m{}, list...)})
		set, err := token.ParseKeySet(data)
		if err != nil {
			panic(err)
		}
		t.KeySets = append(t.KeySets, &check.KeySet{KeySet: set, Place: "jwks.json", Raw: data})
	}
}

func asked(iss string) change { return func(t *check.Target) { t.Issuer = iss } }

func held(profile string) change {
	return func(t *check.Target) {
		p, err := check.ProfileNamed(profile)
		if err != nil {
			panic(err)
		}
		t.Profile = p
	}
}

// answered adds an HTTP answer: headers as "Name: value".
func answered(role, address string, status int, headers ...string) change {
	return func(t *check.Target) {
		h := http.Header{}
		for _, line := range headers {
			name, value, _ := strings.Cut(line, ": ")
			h.Add(name, value)
		}
		t.Answers = append(t.Answers, &check.Answer{Place: "GET " + address, URL: address, Role: role, Status: status, Header: h, At: now})
	}
}

func failed(role, address, why string) change {
	return func(t *check.Target) {
		t.Answers = append(t.Answers, &check.Answer{Place: "GET " + address, URL: address, Role: role, Err: why, At: now})
	}
}

// got joins the first document to the first answer of its role.
func got(t *check.Target) {
	for _, a := range t.Answers {
		if a.Role == "discovery" {
			t.Metadata[0].Answer, t.Metadata[0].URL = a, a.URL
			return
		}
	}
}

// jwt makes a token; its signature is none that verifies.
func jwt(header, claims m) usher.Secret {
	part := func(v m) string {
		data, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(data)
	}
	return usher.Secret(part(header) + "." + part(claims) + ".c2lnbmF0dXJl")
}

func tokenOf(typ token.Type, kid string, claims m) change {
	return func(t *check.Target) {
		raw := jwt(m{"alg": "RS256", "kid": kid}, claims)
		p, err := token.Parse(raw.Reveal())
		if err != nil {
			panic(err)
		}
		t.Tokens = append(t.Tokens, &check.Token{Parsed: p, Place: "token.txt", Type: typ, Raw: raw})
	}
}

func opaque(t *check.Target) {
	p, err := token.Parse("opaque-token-0123456789abcdef")
	if err != nil {
		panic(err)
	}
	t.Tokens = append(t.Tokens, &check.Token{Parsed: p, Place: "token.txt", Type: token.TypeAccess})
}

func request(query string) change {
	return func(t *check.Target) {
		r, err := oauth.ParseAuthorizationRequest(issuer + "/auth?client_id=web&response_type=code&" + query)
		if err != nil {
			panic(err)
		}
		t.AuthCalls = append(t.AuthCalls, &check.AuthCall{Place: "flow.har#0", Request: r})
	}
}

// response gives the last request its answer.
func response(query string) change {
	return func(t *check.Target) {
		r, err := oauth.ParseAuthorizationResponse("https://app.example/cb?" + query)
		if err != nil {
			panic(err)
		}
		if len(t.AuthCalls) == 0 {
			t.AuthCalls = append(t.AuthCalls, &check.AuthCall{Place: "flow.har#0"})
		}
		t.AuthCalls[len(t.AuthCalls)-1].Response = r
	}
}

func tokenRequest(endpoint, form string) change {
	return func(t *check.Target) {
		r, err := oauth.ParseTokenRequest(endpoint, http.Header{}, form)
		if err != nil {
			panic(err)
		}
		t.TokenCalls = append(t.TokenCalls, &check.TokenCall{Place: "curl.txt", Request: r})
	}
}

func registered(r evidence.Registration) change {
	return func(t *check.Target) {
		r.Place = "app.json"
		t.Registrations = append(t.Registrations, &r)
	}
}

func seen(at time.Time, members map[string]any, kids ...string) change {
	return func(t *check.Target) {
		s := snapshot.OfKids(at, kids...)
		if members != nil {
			helper := &check.Target{}
			doc(members)(helper)
			s.Metadata = helper.Metadata[0].Raw
		}
		t.Previous = append(t.Previous, s)
	}
}

func probed(id string, v check.Verdict) change {
	return func(t *check.Target) {
		if t.Probed == nil {
			t.Probed = map[string]*check.ProbeAnswer{}
		}
		t.Probed[id] = &check.ProbeAnswer{Verdict: &v}
	}
}

// row is one configuration with what a check must say of it.
type row struct {
	id, name string
	target   *check.Target
	outcome  usher.Outcome
	words    string // in title, detail or proof
}

const (
	ok      = usher.OutcomeOK
	wrong   = usher.OutcomeWrong
	unknown = usher.OutcomeUnknown
	none    = usher.OutcomeNotApplicable
)

func byID(tb testing.TB, id string) *check.Check {
	for _, c := range providers.Checks {
		if c.ID == id {
			return c
		}
	}
	tb.Fatalf("there is no check %s", id)
	return nil
}

// judge runs one check and gives its worst finding.
func judge(tb testing.TB, t *check.Target, id string) usher.Finding {
	findings, _ := check.Run(t, []*check.Check{byID(tb, id)})
	return findings[0]
}

func said(f usher.Finding) string {
	return fmt.Sprintf("%s | %s | %v | %v", f.Title, f.Detail, f.Proof, f.Fix)
}

func try(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		f := judge(t, r.target, r.id)
		if f.Outcome != r.outcome || !strings.Contains(said(f), r.words) {
			t.Errorf("%s, %s: %s %s; want %s with %q", r.id, r.name, f.Outcome, said(f), r.outcome, r.words)
		}
		if f.Outcome == wrong {
			if len(f.Proof) == 0 || f.Proof[0].Place == "" || f.Detail == "" || f.Title == byID(t, r.id).Title || len(f.Fix) == 0 {
				t.Errorf("%s, %s: wrong without proof, place, detail, fix or a title of its own: %s", r.id, r.name, said(f))
			}
		}
	}
}
