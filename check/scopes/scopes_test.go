package scopes_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/scopes"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
	"usher/token"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

type option func(*check.Target)

func target(options ...option) *check.Target {
	t := &check.Target{Now: now, Provider: &knowledge.Provider{Name: "generic", Redirect: "standard"}, Profile: &check.Profile{}}
	for _, o := range options {
		o(t)
	}
	return t
}

func of(provider string, known ...knowledge.Scope) option {
	return func(t *check.Target) { t.Provider = &knowledge.Provider{Name: provider, Scopes: known} }
}

func metadata(list ...string) option {
	return func(t *check.Target) {
		t.Metadata = append(t.Metadata, &check.Metadata{Place: "discovery.json:1", Metadata: &oauth.Metadata{ScopesSupported: list, UserinfoEndpoint: "https://login.example/userinfo"}})
	}
}

// asks sends the browser away with a scope and further parameters.
func asks(scope string, params ...string) option {
	return func(t *check.Target) {
		raw := "https://login.example/authorize?response_type=code&client_id=shop&scope=" + url.QueryEscape(scope)
		for _, p := range params {
			raw += "&" + p
		}
		q, err := oauth.ParseAuthorizationRequest(raw)
		if err != nil {
			panic(err)
		}
		t.AuthCalls = append(t.AuthCalls, &check.AuthCall{Place: "sign-in.har#1", Request: q})
	}
}

// tells makes a token request with its answer. An empty grant is none, and an
// answer without a scope is "-".
func tells(grant, asked, granted string, change ...func(*check.TokenCall)) option {
	return func(t *check.Target) {
		c := &check.TokenCall{Place: "sign-in.har#2", Response: &check.TokenResponse{Place: "sign-in.har#2", AccessToken: "at", Raw: map[string]json.RawMessage{}}}
		if grant != "" {
			c.Request = &oauth.TokenRequest{GrantType: grant, ClientID: "shop", Scope: strings.Fields(asked), Params: url.Values{"scope": {asked}}}
		}
		if granted != "-" {
			c.Response.Scope, c.Response.HasScope = strings.Fields(granted), true
		}
		for _, f := range change {
			f(c)
		}
		t.TokenCalls = append(t.TokenCalls, c)
	}
}

func refuses(code, description string, codes ...string) func(*check.TokenCall) {
	return func(c *check.TokenCall) {
		c.Response.Error = &evidence.ErrorBody{Code: code, Description: description, Codes: codes}
	}
}

func refreshToken(c *check.TokenCall) { c.Response.RefreshToken = "rt" }

const (
	code    = oauth.GrantAuthorizationCode
	refresh = oauth.GrantRefreshToken
	app     = oauth.GrantClientCredentials
)

func registered(change func(*evidence.Registration)) option {
	return func(t *check.Target) {
		r := &evidence.Registration{ClientID: "shop", Place: "app.json:1"}
		if change != nil {
			change(r)
		}
		t.Registrations = append(t.Registrations, r)
	}
}

func tok(claims string) option {
	return func(t *check.Target) {
		p := &token.Parsed{Form: token.FormJWS, Typ: "at+jwt"}
		d := json.NewDecoder(strings.NewReader(claims))
		d.UseNumber()
		if err := d.Decode(&p.Claims); err != nil {
			panic(err)
		}
		k := &check.Token{Parsed: p, Place: "token.txt:1"}
		if n := len(t.TokenCalls); n > 0 {
			k.Call = t.TokenCalls[n-1]
		}
		t.Tokens = append(t.Tokens, k)
	}
}

// api calls the API; the last token was sent.
func api(status int, body string, challenges ...string) option {
	return func(t *check.Target) {
		c := &check.APICall{Place: "api.har#1", Time: now, Exchange: &evidence.Exchange{
			Method: "GET", URL: "https://api.example/orders", Status: status, Body: body, Header: http.Header{"Date": {"x"}}, Request: http.Header{"Authorization": {"Bearer x"}},
		}}
		for _, text := range challenges {
			list, err := oauth.ParseChallenges(text)
			if err != nil {
				panic(err)
			}
			c.Challenges = append(c.Challenges, list...)
		}
		if n := len(t.Tokens); n > 0 {
			c.Token = t.Tokens[n-1]
		}
		t.APICalls = append(t.APICalls, c)
	}
}

func event(daysAgo int, change func(*usher.Event)) option {
	return func(t *check.Target) {
		e := &usher.Event{Time: now.AddDate(0, 0, -daysAgo), Kind: usher.EventToken, Client: usher.Party{UID: "shop"}, Status: usher.StatusSuccess}
		if change != nil {
			change(e)
		}
		t.Events = append(t.Events, e)
	}
}

func requested(list ...string) func(*usher.Event) {
	return func(e *usher.Event) { e.OAuth.Requested = list }
}

func by(grant string) func(*usher.Event) { return func(e *usher.Event) { e.OAuth.GrantType = grant } }

func kind(k usher.EventKind) func(*usher.Event) { return func(e *usher.Event) { e.Kind = k } }

func called(list ...string) func(*usher.Event) {
	return func(e *usher.Event) { e.Kind, e.OAuth.Granted = usher.EventAPI, list }
}

func roleChanged(user string) func(*usher.Event) {
	return func(e *usher.Event) {
		e.Kind, e.Client, e.User = usher.EventAdmin, usher.Party{}, usher.Party{UID: user}
		e.Change = &usher.Change{Operation: "update", Type: "role"}
	}
}

func roles(t *check.Target) {
	t.Expect = &check.Expect{Roles: map[string][]string{"seller": {"orders.read", "orders.write"}, "viewer": {"orders.read"}}}
}

const (
	ok      = usher.OutcomeOK
	wrong   = usher.OutcomeWrong
	unknown = usher.OutcomeUnknown
	na      = usher.OutcomeNotApplicable
)

type row struct {
	check   string
	name    string
	target  *check.Target
	outcome usher.Outcome
	says    string
}

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

func scoped(list ...string) option {
	return registered(func(r *evidence.Registration) { r.Scopes = list })
}

func permitted(list ...evidence.Permission) option {
	return registered(func(r *evidence.Registration) {
		r.Provider, r.Permissions, r.RedirectURIs = "entra", list, []evidence.RegisteredURI{{URI: "https://shop.example/cb"}}
	})
}

func granted(list ...evidence.Grant) func(*evidence.Registration) {
	return func(r *evidence.Registration) { r.Grants = list }
}

var graph = []knowledge.Scope{
	{Name: "User.Read", Risk: "low"},
	{Name: "Mail.Read", Risk: "broad", Note: "it reads all mail of the person; Mail.ReadBasic leaves bodies out"},
	{Name: "*.ReadWrite.All", Risk: "admin", Note: "it writes for the whole tenant"},
	{Name: "Sites.Read.All", Risk: "low"},
}

func mcp(t *check.Target) { t.Profile = &check.Profile{Name: "mcp"} }

func metadataOf(resource string) option {
	return func(t *check.Target) { t.Resources = append(t.Resources, &check.ResourceMetadata{Resource: resource}) }
}

// otherApp is a sign-in of another app itself: the log holds such.
func otherApp(t *check.Target) {
	event(1, func(e *usher.Event) { e.Kind, e.Client = usher.EventAppSignIn, usher.Party{UID: "job"} })(t)
}

func signIns(n int) option {
	return func(t *check.Target) {
		for i := range n {
			event(i, kind(usher.EventSignIn))(t)
		}
	}
}

func iat(daysAgo int) string {
	data, _ := json.Marshal(map[string]any{"sub": "ann", "jti": "j1", "scope": "orders.read", "iat": now.AddDate(0, 0, -daysAgo).Unix(), "exp": now.AddDate(0, 0, 1).Unix()})
	return string(data)
}

func table() []row {
	return slices.Concat(requestRows(), grantRows(), apiRows(), rightRows(), useRows())
}

func requestRows() []row {
	return []row{
		{"scope-syntax", "very long", target(asks(strings.Repeat("orders ", 20000))), wrong, ""},
		{"scope-syntax", "good", target(asks("openid orders.read https://x.example/a")), ok, ""},
		{"scope-syntax", "commas", target(asks("openid,profile,email")), wrong, "commas"},
		{"scope-syntax", "commas and blanks", target(asks("openid, profile")), wrong, "commas"},
		{"scope-syntax", "commas at Slack", target(of("slack"), asks("chat:write,channels:read")), ok, ""},
		{"scope-syntax", "a comma in a name", target(metadata("a,b"), asks("a,b")), ok, ""},
		{"scope-syntax", "two blanks", target(asks("openid  profile")), wrong, "blank too many"},
		{"scope-syntax", "plus written out", target(asks("openid\tprofile")), wrong, "tab"},
		{"scope-syntax", "quotes", target(asks(`"openid"`)), wrong, ""},
		{"scope-syntax", "twice", target(asks("openid profile openid")), wrong, "stands twice"},
		{"scope-syntax", "parameter twice", target(asks("openid", "scope=profile")), wrong, "more than once"},
		{"scope-syntax", "at the token endpoint", target(tells(app, "a,b", "-")), wrong, "commas"},
		{"scope-syntax", "none", target(asks("")), na, ""},
		{"scope-syntax", "nothing", target(), unknown, ""},

		{"scope-known", "published", target(metadata("openid", "profile", "orders"), asks("openid orders email")), ok, ""},
		{"scope-known", "registered", target(scoped("orders"), asks("orders")), ok, ""},
		{"scope-known", "known of the provider", target(of("entra", graph...), asks("https://graph.microsoft.com/user.read Mail.Read openid")), ok, ""},
		{"scope-known", "covered by a pattern of the provider", target(of("entra", graph...), asks("Fils.ReadWrite.All")), unknown, ""},
		{"scope-known", "slip", target(metadata("openid", "orders"), asks("openid ordres")), wrong, "orders is"},
		{"scope-known", "case", target(metadata("openid", "orders"), asks("Orders")), wrong, "orders is"},
		{"scope-known", "slip at the provider", target(of("entra", graph...), asks("User.Reed")), wrong, "User.Read is"},
		{"scope-known", "v1 and v2 are two", target(metadata("openid", "orders.v1"), asks("orders.v2")), unknown, ""},
		{"scope-known", "API left out", target(of("entra", graph...), registered(func(r *evidence.Registration) {
			r.ClientID, r.Provider, r.IdentifierURIs, r.DefinedScopes = "api", "entra", []string{"api://orders"}, []string{"access"}
		}), asks("access")), wrong, "api://orders/access is"},
		{"scope-known", "with the API", target(of("entra", graph...), registered(func(r *evidence.Registration) {
			r.ClientID, r.Provider, r.IdentifierURIs, r.DefinedScopes = "api", "entra", []string{"api://orders"}, []string{"access"}
		}), asks("api://orders/access")), ok, ""},
		{"scope-known", "whole list", target(registered(func(r *evidence.Registration) { r.Provider, r.Scopes = "keycloak", []string{"profile", "orders"} }), asks("openid invoices")), wrong, "may not ask for the scope invoices"},
		{"scope-known", "refused", target(metadata("openid"), asks("invoices"), func(t *check.Target) {
			t.AuthCalls[0].Response = &oauth.AuthorizationResponse{Error: "invalid_scope"}
		}), wrong, "refused"},
		{"scope-known", "granted", target(metadata("openid"), asks("invoices"), tells(code, "", "invoices")), ok, ""},
		{"scope-known", "case at Entra", target(of("entra"), metadata("openid", "Orders"), asks("orders")), ok, ""},
		{"scope-known", "joined with commas", target(metadata("openid", "profile"), asks("openid,profile")), na, ""},
		{"scope-known", "in no list", target(metadata("openid"), asks("invoices")), unknown, "invoices"},
		{"scope-known", "no list", target(asks("invoices")), unknown, "discovery"},
		{"scope-known", "no request", target(metadata("openid")), unknown, ""},

		{"scope-openid", "there", target(asks("openid profile", "nonce=1")), ok, ""},
		{"scope-openid", "nonce", target(asks("profile", "nonce=1")), wrong, "nonce"},
		{"scope-openid", "id_token", target(func(t *check.Target) {
			t.AuthCalls = []*check.AuthCall{{Request: &oauth.AuthorizationRequest{ResponseType: "code id_token", ClientID: "shop"}}}
		}), wrong, "response_type"},
		{"scope-openid", "userinfo", target(metadata(), asks("profile"), api(200, ""), func(t *check.Target) { t.APICalls[0].Exchange.URL = "https://login.example/userinfo?x=1" }), wrong, "userinfo"},
		{"scope-openid", "plain OAuth", target(asks("repo")), na, ""},
		{"scope-openid", "pushed", target(func(t *check.Target) {
			t.AuthCalls = []*check.AuthCall{{Request: &oauth.AuthorizationRequest{RequestURI: "urn:x", ClientID: "shop"}}}
		}), unknown, ""},

		{"scope-offline", "came", target(asks("openid"), tells(code, "", "-", refreshToken)), ok, ""},
		{"scope-offline", "asked and not come", target(asks("openid offline_access"), tells(code, "", "openid")), wrong, "none came"},
		{"scope-offline", "Google", target(of("google"), asks("openid", "access_type=offline"), tells(code, "", "openid")), wrong, "access_type=offline"},
		{"scope-offline", "refreshes", target(asks("openid"), tells(code, "", "openid"), tells(refresh, "", "-", refuses("invalid_grant", ""))), wrong, "refreshes"},
		{"scope-offline", "registered for it", target(registered(func(r *evidence.Registration) { r.GrantTypes = []string{"refresh_token"} }), asks("openid"), tells(code, "", "openid")), wrong, "registered for refresh tokens"},
		{"scope-offline", "not expected", target(asks("openid"), tells(code, "", "openid")), na, ""},
		{"scope-offline", "no answer", target(asks("openid")), unknown, ""},
		{"scope-offline", "answer of the app itself", target(asks("openid"), tells(app, "", "-")), unknown, ""},

		{"scope-resource", "one API", target(of("entra"), asks("openid api://orders/read")), ok, ""},
		{"scope-resource", "paths of one host", target(tells(refresh, "https://api.example/scope https://api.example/scope/sell", "-")), ok, ""},
		{"scope-resource", "not named, held to MCP", target(mcp, asks("orders")), wrong, "authorization request does not name"},
		{"scope-resource", "named in one alone, held to MCP", target(mcp, asks("orders", "resource=https%3A%2F%2Fapi.example"), tells(code, "", "-")), wrong, "token request does not name"},
		{"scope-resource", "named in both, held to MCP", target(mcp, asks("orders", "resource=https%3A%2F%2Fapi.example"), tells(code, "", "-", func(c *check.TokenCall) { c.Request.Resource = []string{"https://api.example"} })), ok, ""},
		{"scope-resource", "another than its metadata", target(metadataOf("https://api.example/mcp"), asks("orders", "resource=https%3A%2F%2Fapi.example")), wrong, "its metadata https://api.example/mcp"},
		{"scope-resource", "with a slash more", target(metadataOf("https://api.example/"), asks("orders", "resource=https%3A%2F%2Fapi.example")), ok, ""},
		{"scope-resource", "not named, and the API publishes", target(metadataOf("https://api.example/mcp"), asks("orders")), wrong, "does not name"},
		{"scope-resource", "not named, and nothing demands it", target(asks("orders")), na, ""},
		{"scope-resource", "two hosts", target(tells(refresh, "https://api.example/scope https://b.example/scope", "-")), wrong, ""},
		{"scope-resource", "two in one token request", target(of("entra"), tells(refresh, "api://orders/read api://invoices/read", "-")), wrong, "api://orders and api://invoices"},
		{"scope-resource", "Graph and another", target(of("entra"), tells(refresh, "User.Read api://invoices/read", "-")), wrong, "graph.microsoft.com"},
		{"scope-resource", "two in the consent", target(of("entra"), asks("api://orders/read api://invoices/read")), unknown, ""},
		{"scope-resource", "two in the consent, one redeemed", target(of("entra"), asks("api://orders/read api://invoices/read"), tells(code, "api://orders/read", "-")), ok, ""},
		{"scope-resource", "Google's are one", target(of("google"), asks("https://www.googleapis.com/auth/drive https://mail.google.com/")), na, ""},
		{"scope-resource", "token for two", target(tok(`{"aud":["https://a.example","https://b.example"],"scope":"x"}`)), wrong, "a.example"},
		{"scope-resource", "token for one and userinfo", target(tok(`{"iss":"https://login.example/","aud":["https://a.example","https://login.example/userinfo"],"scope":"x"}`)), ok, ""},
		{"scope-resource", "nothing", target(), unknown, ""},

		{"scope-authorization-details", "good", target(asks("openid", "authorization_details="+url.QueryEscape(`[{"type":"payment"}]`)), tells(code, "", "-", func(c *check.TokenCall) {
			c.Response.Raw["authorization_details"] = json.RawMessage(`[{"type":"payment","amount":1}]`)
		})), ok, ""},
		{"scope-authorization-details", "no list", target(asks("openid", "authorization_details="+url.QueryEscape(`{"type":"payment"}`))), wrong, "no JSON list"},
		{"scope-authorization-details", "no type", target(asks("openid", "authorization_details="+url.QueryEscape(`[{"amount":1}]`))), wrong, "without a type"},
		{"scope-authorization-details", "type not published", target(func(t *check.Target) {
			t.Metadata = []*check.Metadata{{Metadata: &oauth.Metadata{Raw: map[string]json.RawMessage{"authorization_details_types_supported": json.RawMessage(`["account"]`)}}}}
		}, asks("openid", "authorization_details="+url.QueryEscape(`[{"type":"payment"}]`))), wrong, "does not publish"},
		{"scope-authorization-details", "not come back", target(asks("openid", "authorization_details="+url.QueryEscape(`[{"type":"payment"}]`)), tells(code, "", "openid")), wrong, "does not say which"},
		{"scope-authorization-details", "other came back", target(asks("openid", "authorization_details="+url.QueryEscape(`[{"type":"payment"}]`)), tells(code, "", "-", func(c *check.TokenCall) {
			c.Response.Raw["authorization_details"] = json.RawMessage(`[{"type":"account"}]`)
		})), wrong, "payment was not granted"},
		{"scope-authorization-details", "answer not given", target(asks("openid", "authorization_details="+url.QueryEscape(`[{"type":"payment"}]`))), unknown, "well formed"},
		{"scope-authorization-details", "none", target(asks("openid")), na, ""},
	}
}

func grantRows() []row {
	old, young := now.AddDate(-2, 0, 0), now.AddDate(0, -2, 0)
	return []row{
		{"scope-granted-less", "same", target(tells(app, "a b", "b a")), ok, ""},
		{"scope-granted-less", "not told", target(tells(app, "a b", "-")), ok, "RFC 6749 section 5.1"},
		{"scope-granted-less", "GitHub, one in another", target(of("github"), asks("user user:email repo:status repo"), tells(code, "", "repo,user")), ok, ""},
		{"scope-granted-less", "GitHub, less", target(of("github"), asks("user gist"), tells(code, "", "user")), wrong, "gist is missing"},
		{"scope-granted-less", "GitHub, the narrower", target(of("github"), asks("repo"), tells(code, "", "public_repo")), wrong, "repo is missing"},
		{"scope-granted-less", "less", target(tells(app, "a b", "a")), wrong, "b is missing"},
		{"scope-granted-less", "of the authorization request", target(asks("openid orders"), tells(code, "", "openid")), wrong, "orders is missing"},
		{"scope-granted-less", "openid shows in the ID token", target(asks("openid orders"), tells(code, "", "orders", func(c *check.TokenCall) { c.Response.IDToken = "it" })), ok, ""},
		{"scope-granted-less", "openid shows in the ID token though others are told", target(asks("openid profile a"), tells(code, "", "profile a", func(c *check.TokenCall) { c.Response.IDToken = "it" })), ok, ""},
		{"scope-granted-less", "offline_access shows in the refresh token", target(asks("openid offline_access a"), tells(code, "", "openid a", refreshToken)), ok, ""},
		{"scope-granted-less", "neither names any", target(asks(""), tells(code, "", "-")), na, ""},
		{"scope-granted-less", "Entra without the API", target(of("entra"), asks("openid offline_access https://graph.microsoft.com/User.Read"), tells(code, "", "profile openid User.Read")), ok, ""},
		{"scope-granted-less", "Google's long names", target(of("google"), asks("openid email"), tells(code, "", "openid https://www.googleapis.com/auth/userinfo.email")), ok, ""},
		{"scope-granted-less", "commas of GitHub", target(of("github"), asks("repo user"), tells(code, "", "repo,user")), ok, ""},
		{"scope-granted-less", "commas of a provider not known", target(asks("openid email"), tells(code, "", "email,openid")), ok, ""},
		{"scope-granted-less", "a comma in a name", target(tells(app, "a,b c", "a,b")), wrong, "c is missing"},
		{"scope-granted-less", "a device", target(tells(oauth.GrantDeviceCode, "", "a")), unknown, ""},
		{"scope-granted-less", ".default", target(of("entra"), tells(app, "api://orders/.default", "read write")), ok, ""},
		{"scope-granted-less", "asked is not known", target(tells("", "", "a")), unknown, ""},
		{"scope-granted-less", "asked for none", target(tells(app, "", "a")), na, ""},
		{"scope-granted-less", "refused", target(tells(app, "a", "-", refuses("invalid_scope", ""))), na, ""},
		{"scope-granted-less", "nothing", target(), unknown, ""},

		{"scope-granted-less", "of a token in the answer", target(asks("a b"), func(t *check.Target) {
			t.AuthCalls[0].Response = &oauth.AuthorizationResponse{AccessToken: "at", Params: url.Values{"scope": {"a"}}}
			tells(app, "x", "x")(t)
		}), wrong, "b is missing"},

		{"scope-granted-more", "same", target(tells(app, "a b", "a b")), ok, ""},
		{"scope-granted-more", "more", target(tells(app, "a", "a b")), wrong, "more than asked: b"},
		{"scope-granted-more", "more in the token", target(tells(app, "a", "a"), tok(`{"scope":"a c"}`)), wrong, "c"},
		{"scope-granted-more", "scopes of OpenID Connect", target(asks("a"), tells(code, "", "a openid profile")), ok, ""},
		{"scope-granted-more", "default scopes", target(registered(func(r *evidence.Registration) { r.DefaultScopes = []string{"b"} }), tells(app, "a", "a b")), ok, ""},
		{"scope-granted-more", ".default", target(tells(app, "api://x/.default", "a b")), na, ""},
		{"scope-granted-more", "with earlier ones, as asked", target(of("google"), asks("openid", "include_granted_scopes=true"), tells(code, "", "openid https://mail.google.com/")), na, ""},
		{"scope-granted-more", "commas of a provider not known", target(asks("a b"), tells(code, "", "a,b")), ok, ""},
		{"scope-granted-more", "not told", target(tells(app, "a", "-")), unknown, ""},
		{"scope-granted-more", "asked for none", target(tells(app, "", "a")), na, ""},

		{"scope-consent-missing", "granted", target(registered(granted(evidence.Grant{Scopes: []string{"a"}})), asks("openid a")), ok, ""},
		{"scope-consent-missing", "no grant", target(registered(granted(evidence.Grant{Scopes: []string{"a"}})), asks("a b")), wrong, "consented to b"},
		{"scope-consent-missing", "no grant of a permission", target(registered(func(r *evidence.Registration) {
			r.Permissions, r.Known = []evidence.Permission{{Name: "Mail.Read"}}, []string{"Grants"}
		})), wrong, "Mail.Read"},
		{"scope-consent-missing", "permission known by its id", target(registered(func(r *evidence.Registration) {
			r.Permissions, r.Grants = []evidence.Permission{{Name: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"}}, []evidence.Grant{{Scopes: []string{"a"}}}
		})), unknown, "by its id"},
		{"scope-consent-missing", "refused", target(asks("a"), tells(code, "", "-", refuses("invalid_grant", "AADSTS65001: no", "AADSTS65001"))), wrong, "consent is missing"},
		{"scope-consent-missing", "answered with it", target(asks("a"), func(t *check.Target) {
			t.AuthCalls[0].Response = &oauth.AuthorizationResponse{Error: "consent_required"}
		}), wrong, ""},
		{"scope-consent-missing", "token came", target(asks("a"), tells(code, "", "a")), ok, ""},
		{"scope-consent-missing", "grants not told", target(registered(nil), asks("a")), unknown, ""},
		{"scope-consent-missing", "nothing", target(), unknown, ""},

		{"scope-consent-stale", "young", target(registered(granted(evidence.Grant{Scopes: []string{"a"}, Given: young}))), ok, ""},
		{"scope-consent-stale", "old", target(registered(granted(evidence.Grant{Scopes: []string{"a"}, Given: old}))), wrong, "2024-11-25"},
		{"scope-consent-stale", "old and reviewed", target(registered(granted(evidence.Grant{Scopes: []string{"a"}, Given: old, Reviewed: young}))), ok, ""},
		{"scope-consent-stale", "no dates", target(registered(granted(evidence.Grant{Scopes: []string{"a"}}))), unknown, ""},
		{"scope-consent-stale", "none", target(registered(func(r *evidence.Registration) { r.Known = []string{"Grants"} })), na, ""},
	}
}

func apiRows() []row {
	const challenge = `Bearer error="insufficient_scope", scope="orders.write"`
	return []row{
		{"scope-insufficient", "fine", target(tok(`{"scope":"a"}`), api(200, "")), ok, ""},
		{"scope-insufficient", "lacks it", target(tok(`{"scope":"orders.read"}`), api(403, "", challenge)), wrong, "needs orders.write, and the token holds orders.read"},
		{"scope-insufficient", "holds it", target(tok(`{"scp":["orders.write"]}`), api(403, "", challenge)), wrong, "though the token holds"},
		{"scope-insufficient", "token not known", target(api(403, "", challenge)), wrong, "orders.write"},
		{"scope-insufficient", "says it in the body", target(tok(`{"scope":"a"}`), api(403, `{"reason":"ACCESS_TOKEN_SCOPE_INSUFFICIENT"}`)), wrong, "does not say which"},
		{"scope-insufficient", "403 for whatever", target(api(403, "no")), unknown, ""},
		{"scope-insufficient", "401", target(api(401, "")), na, ""},
		{"scope-insufficient", "nothing", target(), unknown, ""},

		{"scope-challenge-present", "there", target(api(403, "", challenge)), ok, ""},
		{"scope-challenge-present", "without the scope", target(api(403, "", `Bearer error="insufficient_scope"`)), wrong, "does not name"},
		{"scope-challenge-present", "in the body alone", target(api(403, "insufficient_scope")), wrong, "without WWW-Authenticate"},
		{"scope-challenge-present", "says nothing", target(api(403, "")), wrong, "nothing of why"},
		{"scope-challenge-present", "another reason", target(api(403, "", `Bearer error="invalid_token"`)), na, ""},
		{"scope-challenge-present", "no token was sent", target(api(403, ""), func(t *check.Target) { t.APICalls[0].Exchange.Request = nil }), na, ""},
		{"scope-challenge-present", "a token was sent", target(tok(`{"scope":"a"}`), api(403, ""), func(t *check.Target) { t.APICalls[0].Exchange.Request = nil }), wrong, ""},
		{"scope-challenge-present", "no headers known", target(api(403, ""), func(t *check.Target) { t.APICalls[0].Exchange.Header = nil }), unknown, ""},
		{"scope-challenge-present", "no refusal", target(api(200, "")), na, ""},

		{"scope-format-claim", "string", target(tok(`{"scope":"a b"}`)), ok, ""},
		{"scope-format-claim", "list", target(tok(`{"scope":["a","b"]}`)), wrong, "no string"},
		{"scope-format-claim", "two that differ", target(tok(`{"scope":"a","scp":["b"]}`)), wrong, "different things"},
		{"scope-format-claim", "two that agree", target(tok(`{"scope":"a","scp":["a"]}`)), ok, ""},
		{"scope-format-claim", "scp at Okta", target(of("okta"), tok(`{"scp":["a"]}`)), ok, "scp"},
		{"scope-format-claim", "scp elsewhere", target(tok(`{"scp":["a"]}`)), wrong, "scp alone"},
		{"scope-format-claim", "scp of a strange kind", target(tok(`{"scp":{"a":1}}`)), wrong, "neither"},
		{"scope-format-claim", "no scopes", target(tok(`{"sub":"a"}`)), na, ""},
		{"scope-format-claim", "no token", target(), unknown, ""},

		{"scope-role-map", "fits", target(roles, tok(`{"scope":"openid orders.read","roles":["viewer"]}`)), ok, ""},
		{"scope-role-map", "more than the role", target(roles, tok(`{"scope":"orders.read orders.write","roles":["viewer"]}`)), wrong, "viewer do not give orders.write"},
		{"scope-role-map", "Keycloak's roles", target(roles, tok(`{"scope":"orders.write","realm_access":{"roles":["viewer","offline"]}}`)), wrong, ""},
		{"scope-role-map", "two roles", target(roles, tok(`{"scope":"orders.write","roles":["viewer","seller"]}`)), ok, ""},
		{"scope-role-map", "no roles", target(roles, tok(`{"scope":"orders.write"}`)), unknown, ""},
		{"scope-role-map", "roles not known", target(roles, tok(`{"scope":"orders.write","roles":["x"]}`)), unknown, ""},
		{"scope-role-map", "no expectations", target(tok(`{"scope":"orders.write","roles":["x"]}`)), unknown, ""},

		{"scope-role-change", "used after", target(tok(iat(5)), api(200, ""), event(2, roleChanged("ann"))), wrong, "used after it"},
		{"scope-role-change", "used after, in the log", target(tok(iat(5)), event(2, roleChanged("ann")), event(1, func(e *usher.Event) { e.OAuth.TokenUID = "j1" })), wrong, ""},
		{"scope-role-change", "used after, by the audit log's target", target(tok(iat(5)), api(200, ""), event(2, func(e *usher.Event) {
			roleChanged("")(e)
			e.Change.Target.UID = "ann"
		})), wrong, "used after it"},
		{"scope-role-change", "use not known", target(tok(iat(5)), event(2, roleChanged("ann"))), unknown, "whether it was used"},
		{"scope-role-change", "refused after", target(tok(iat(5)), api(401, ""), event(2, roleChanged("ann"))), unknown, ""},
		{"scope-role-change", "issued after", target(tok(iat(1)), api(200, ""), event(2, roleChanged("ann"))), ok, ""},
		{"scope-role-change", "another person", target(tok(iat(5)), api(200, ""), event(2, roleChanged("bob"))), ok, ""},
		{"scope-role-change", "log without roles", target(tok(iat(5)), api(200, ""), event(2, nil)), unknown, "audit log"},
	}
}

func rightRows() []row {
	own := evidence.Permission{Name: "Mail.Send", Application: true, Place: "app.json:5"}
	return []row{
		{"scope-broad", "narrow", target(of("entra", graph...), permitted(evidence.Permission{Name: "User.Read"})), ok, ""},
		{"scope-broad", "broad", target(of("entra", graph...), permitted(evidence.Permission{Name: "Mail.Read"})), wrong, "Mail.ReadBasic"},
		{"scope-broad", "administration", target(of("entra", graph...), permitted(evidence.Permission{Name: "Mail.Read"}, evidence.Permission{Name: "Directory.ReadWrite.All"})), wrong, "Directory.ReadWrite.All is registered: it writes for the whole tenant"},
		{"scope-broad", "whole name before a star", target(of("entra", graph...), asks("Sites.Read.All")), ok, ""},
		{"scope-broad", "asked for", target(of("entra", graph...), asks("https://graph.microsoft.com/mail.read")), wrong, "asked for"},
		{"scope-broad", "granted", target(of("entra", graph...), registered(func(r *evidence.Registration) {
			r.Provider, r.Grants = "entra", []evidence.Grant{{Scopes: []string{"Mail.Read"}}}
		})), wrong, "granted"},
		{"scope-broad", ".default of many", target(of("entra", graph...), permitted(slices.Repeat([]evidence.Permission{{Name: "User.Read"}}, 11)...), asks("https://graph.microsoft.com/.default")), wrong, "all 11 permissions"},
		{"scope-broad", ".default of few", target(func(t *check.Target) { t.Provider = knowledge.Named("entra") }, permitted(evidence.Permission{Name: "User.Read"}), asks("https://graph.microsoft.com/.default")), ok, ""},
		{"scope-broad", ".default of what", target(asks("https://graph.microsoft.com/.default")), unknown, ""},
		{"scope-broad", "own API at Auth0", target(func(t *check.Target) { t.Provider = knowledge.Named("auth0") }, asks("create:orders", "audience=https%3A%2F%2Fapi.example")), ok, ""},
		{"scope-broad", "management API of Auth0", target(func(t *check.Target) { t.Provider = knowledge.Named("auth0") }, asks("create:users", "audience=https%3A%2F%2Fx.auth0.com%2Fapi%2Fv2%2F")), wrong, "create:users"},
		{"scope-broad", "ordinary at a provider not known", target(func(t *check.Target) { t.Provider = knowledge.Named("generic") }, asks("openid orders.read")), ok, ""},
		{"scope-broad", "star", target(asks("orders:*")), wrong, "star"},
		{"scope-broad", "name of administration", target(scoped("api.admin")), wrong, "administration"},
		{"scope-broad", "name of everything", target(asks("files.full_access")), wrong, "everything"},
		{"scope-broad", "ordinary names", target(asks("openid orders.read api://admin-portal/orders read:all user_impersonation administer-nothing wallets.read")), ok, ""},
		{"scope-broad", "no scopes", target(registered(nil)), unknown, ""},
		{"scope-broad", "nothing", target(), unknown, ""},

		{"scope-app-vs-delegated", "people alone", target(permitted(evidence.Permission{Name: "User.Read"})), ok, ""},
		{"scope-app-vs-delegated", "never alone", target(permitted(own), signIns(4), otherApp), wrong, "Mail.Send"},
		{"scope-app-vs-delegated", "a log of people alone", target(permitted(own), signIns(4)), unknown, "service principal"},
		{"scope-app-vs-delegated", "acts alone", target(permitted(own), signIns(4), event(1, by(app))), ok, ""},
		{"scope-app-vs-delegated", "acts alone in a request", target(permitted(own), tells(app, "", "-")), ok, ""},
		{"scope-app-vs-delegated", "no log", target(permitted(own)), unknown, ""},
		{"scope-app-vs-delegated", "permissions not told", target(registered(func(r *evidence.Registration) { r.Provider = "entra" })), unknown, ""},
		{"scope-app-vs-delegated", "Okta", target(registered(func(r *evidence.Registration) { r.Provider = "okta" })), na, ""},

		{"scope-full-allowed", "off", target(registered(func(r *evidence.Registration) { r.FullScope = no() })), ok, ""},
		{"scope-full-allowed", "on", target(registered(func(r *evidence.Registration) { r.FullScope = yes() })), wrong, "every role"},
		{"scope-full-allowed", "not told", target(registered(func(r *evidence.Registration) { r.Provider = "keycloak" })), unknown, ""},
		{"scope-full-allowed", "Okta", target(registered(func(r *evidence.Registration) { r.Provider = "okta" })), na, ""},

		{"scope-collision", "own names", target(registered(func(r *evidence.Registration) { r.DefinedScopes = []string{"orders.read"} })), ok, ""},
		{"scope-collision", "profile", target(registered(func(r *evidence.Registration) { r.DefinedScopes = []string{"orders.read", "profile"} })), wrong, "profile"},
		{"scope-collision", "client of Keycloak", target(registered(func(r *evidence.Registration) { r.Provider, r.Scopes = "keycloak", []string{"profile", "email"} })), na, ""},
	}
}

func useRows() []row {
	return []row{
		{"scope-unused", "asked for", target(scoped("a", "b", "profile"), event(1, requested("a", "b")), event(100, nil)), ok, ""},
		{"scope-unused", "not asked for", target(scoped("a", "b"), event(1, requested("a")), event(100, nil)), wrong, "Not asked for in 90 days: b"},
		{"scope-unused", "asked for long ago", target(scoped("a", "b"), event(1, requested("a")), event(100, requested("b"))), wrong, ""},
		{"scope-unused", "not used at the API", target(scoped("a", "b"), event(1, requested("a", "b")), event(1, called("a")), event(100, nil)), wrong, "Not used at the API in 90 days: b"},
		{"scope-unused", "a log that ended long ago and is short", target(scoped("a", "b"), event(80, requested("a")), event(120, nil)), unknown, "40 days"},
		{"scope-unused", "log too short", target(scoped("a", "b"), event(1, requested("a")), event(10, nil)), unknown, "9 days"},
		{"scope-unused", "log without scopes", target(scoped("a"), event(1, nil), event(100, nil)), unknown, ""},
		{"scope-unused", "no scopes", target(registered(nil), event(1, nil)), na, ""},

		{"scope-offline-unneeded", "used", target(asks("openid offline_access"), event(3, by(refresh)), event(40, by(code))), ok, ""},
		{"scope-offline-unneeded", "never", target(asks("openid offline_access"), event(3, by(code)), event(40, by(code))), wrong, "30 days"},
		{"scope-offline-unneeded", "by default", target(registered(func(r *evidence.Registration) { r.DefaultScopes = []string{"offline_access"} }), event(3, by(code)), event(40, by(code))), wrong, ""},
		{"scope-offline-unneeded", "in the log", target(event(3, requested("offline_access")), event(3, by(code)), event(40, by(code))), wrong, ""},
		{"scope-offline-unneeded", "log too short", target(asks("offline_access"), event(3, by(code))), unknown, "0 days"},
		{"scope-offline-unneeded", "log without grants", target(asks("offline_access"), event(3, nil), event(40, nil)), unknown, ""},
		{"scope-offline-unneeded", "not asked", target(asks("openid"), event(3, by(code))), na, ""},
	}
}

func byID(id string) *check.Check {
	i := slices.IndexFunc(scopes.Checks, func(c *check.Check) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return scopes.Checks[i]
}

func worst(tb testing.TB, t *check.Target, id string) usher.Finding {
	tb.Helper()
	c := byID(id)
	if c == nil {
		tb.Fatalf("no check %s", id)
	}
	findings, _ := check.Run(t, []*check.Check{c})
	return findings[0]
}

func TestChecks(t *testing.T) {
	got := map[string]map[usher.Outcome]bool{}
	for _, r := range table() {
		if got[r.check] == nil {
			got[r.check] = map[usher.Outcome]bool{}
		}
		got[r.check][r.outcome] = true
		t.Run(r.check+"/"+r.name, func(t *testing.T) {
			f := worst(t, r.target, r.check)
			if f.Outcome == wrong && f.Detail == "" {
				t.Error("nothing says what it means")
			}
			for _, p := range f.Proof {
				if n := max(len(p.Quote), len(p.Expected), len(p.Got), len(f.Title)); n > 700 {
					t.Errorf("words of %d bytes in a proof or title", n)
				}
			}
			if f.Outcome != r.outcome || !strings.Contains(f.Title+"\n"+f.Detail, r.says) {
				t.Errorf("got %s %q (%s), want %s with %q", f.Outcome, f.Title, f.Detail, r.outcome, r.says)
			}
			wellFormed(t, f)
		})
	}
	for _, c := range scopes.Checks {
		if !got[c.ID][wrong] || !got[c.ID][ok] || !got[c.ID][unknown] && !got[c.ID][na] {
			t.Errorf("%s: no case for each outcome: %v", c.ID, got[c.ID])
		}
	}
}

func wellFormed(t *testing.T, f usher.Finding) {
	t.Helper()
	switch f.Outcome {
	case wrong:
		if f.Title == byID(f.Check).Title || f.Title == "" {
			t.Errorf("the title does not say what is wrong: %q", f.Title)
		}
		if len(f.Fix) == 0 || f.Fix[0].Risk == usher.RiskWeakening {
			t.Errorf("fix %v", f.Fix)
		}
		if len(f.Proof) == 0 {
			t.Error("no proof")
		}
	case ok:
		if len(f.Proof) == 0 {
			t.Error("ok without a proof that it was looked at")
		}
	}
}
