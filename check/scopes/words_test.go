package scopes_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
)

// TestWords: a title says what is wrong with the words that differ, and cause,
// severity, client and scopes are those of the case.
func TestWords(t *testing.T) {
	details := func(raw string) option {
		return asks("openid", "authorization_details="+url.QueryEscape(raw))
	}
	for _, c := range []struct {
		name     string
		target   *check.Target
		check    string
		title    string
		cause    string
		severity usher.Severity
		client   string
		scope    string
	}{
		{"less", target(tells(app, "a b c", "a")), "scope-granted-less", "Granted is less than asked: b c is missing", "consent-required", usher.SeverityHigh, "shop", "b c"},
		{"less after a refresh", target(tells(refresh, "a b", "a")), "scope-granted-less", "Granted is less than asked: b is missing", "grant-narrowed", usher.SeverityHigh, "shop", "b"},
		{"less by the refresh token alone", target(asks("openid offline_access a"), tells(code, "", "openid a")), "scope-granted-less", "Granted is less than asked: offline_access is missing", "consent-required", usher.SeverityMedium, "shop", "offline_access"},
		{"consent", target(asks("a"), tells(code, "", "-", refuses("invalid_grant", "no", "AADSTS65001"))), "scope-consent-missing", "The provider says that consent is missing", "consent-required", usher.SeverityHigh, "shop", ""},
		{"consent of an administrator", target(asks("a"), tells(code, "", "-", refuses("invalid_grant", "no", "AADSTS90094"))), "scope-consent-missing", "The provider says that consent is missing", "admin-consent-required", usher.SeverityHigh, "shop", ""},
		{"consent, in the description", target(asks("a"), func(t *check.Target) {
			t.AuthCalls[0].Response = &oauth.AuthorizationResponse{Error: "access_denied", ErrorDescription: "AADSTS65001: nobody did"}
		}), "scope-consent-missing", "The provider says that consent is missing", "consent-required", usher.SeverityHigh, "shop", ""},
		{"duplicate", target(asks("a a")), "scope-syntax", "The scope a stands twice", "scope-invalid", usher.SeverityLow, "shop", ""},
		{"duplicate and commas", target(asks("a a"), asks("a,b")), "scope-syntax", "The scope a stands twice", "scope-invalid", usher.SeverityHigh, "shop", ""},
		{"one of two requests", target(asks("a"), asks("b,c")), "scope-syntax", "The scopes are joined with commas: b,c", "scope-invalid", usher.SeverityHigh, "shop", ""},
		{"token for two", target(tok(`{"azp":"shop","aud":["https://a.example","https://b.example"],"scope":"x"}`)), "scope-resource", "The token is for https://a.example and https://b.example", "token-wrong-audience", usher.SeverityHigh, "", ""},
		{"broad", target(of("entra", graph...), permitted(evidence.Permission{Name: "Mail.Read"})), "scope-broad", "Mail.Read is registered: it reads all mail of the person; Mail.ReadBasic leaves bodies out", "", usher.SeverityMedium, "shop", "Mail.Read"},
		{"administration before broad", target(of("entra", graph...), permitted(evidence.Permission{Name: "Mail.Read"}, evidence.Permission{Name: "X.ReadWrite.All"})), "scope-broad", "X.ReadWrite.All is registered: it writes for the whole tenant", "", usher.SeverityHigh, "shop", "Mail.Read X.ReadWrite.All"},
		{"broad by its risk alone", target(of("github", knowledge.Scope{Name: "repo", Risk: "broad"}), asks("repo")), "scope-broad", "repo is asked for: it opens much", "", usher.SeverityMedium, "shop", "repo"},
		{"scp alone", target(tok(`{"azp":"shop","scp":["a"]}`)), "scope-format-claim", "The token holds its scopes in scp alone", "claims-config", usher.SeverityLow, "shop", ""},
		{"registered for refresh tokens", target(registered(func(r *evidence.Registration) { r.GrantTypes = []string{"refresh_token"} }), asks("openid"), tells(code, "", "openid")), "scope-offline", "The client is registered for refresh tokens, and asks for none (offline_access)", "refresh-token-missing", usher.SeverityLow, "shop", ""},
		{"details not granted", target(details(`[{"type":"a"},{"type":"b"}]`), tells(code, "", "-", func(c *check.TokenCall) { c.Response.Raw["authorization_details"] = json.RawMessage(`[{"type":"a"}]`) })), "scope-authorization-details", "Of the authorization_details the type b was not granted", "consent-required", usher.SeverityMedium, "shop", ""},
		{"details broken in the answer", target(details(`[{"type":"a"}]`), tells(code, "", "-", func(c *check.TokenCall) { c.Response.Raw["authorization_details"] = json.RawMessage(`{}`) })), "scope-authorization-details", "The authorization_details of the answer is no JSON list of objects", "claims-config", usher.SeverityMedium, "shop", ""},
		{"API says nothing", target(api(403, "insufficient_scope")), "scope-insufficient", "The API refuses for scope and does not say which", "scope-insufficient", usher.SeverityHigh, "", ""},
		{"API needs more", target(tok(`{"azp":"shop","scope":"a"}`), api(403, "", `Bearer error="insufficient_scope", scope="a b"`)), "scope-insufficient", "The API needs b, and the token holds a", "scope-insufficient", usher.SeverityHigh, "shop", "b"},
		{"roles", target(roles, tok(`{"azp":"shop","scope":"orders.write","roles":["viewer"]}`)), "scope-role-map", "The roles viewer do not give orders.write", "", usher.SeverityHigh, "shop", "orders.write"},
		{"unused", target(scoped("a", "b"), event(1, requested("a")), event(100, nil)), "scope-unused", "Not asked for in 90 days: b", "", usher.SeverityMedium, "shop", "b"},
	} {
		f := worst(t, c.target, c.check)
		if f.Title != c.title || f.Cause != c.cause || f.Severity != c.severity || f.Subject.Client != c.client || f.Subject.Scope != c.scope {
			t.Errorf("%s: %q, cause %q, %s, client %q, scope %q", c.name, f.Title, f.Cause, f.Severity, f.Subject.Client, f.Subject.Scope)
		}
	}
}

// TestCodeJoins: the token request is held against the authorization request
// whose code it redeems, and against none when that cannot be told.
func TestCodeJoins(t *testing.T) {
	answered := func(code usher.Secret) option {
		return func(t *check.Target) {
			t.AuthCalls[len(t.AuthCalls)-1].Response = &oauth.AuthorizationResponse{Code: code}
		}
	}
	redeems := func(code usher.Secret) func(*check.TokenCall) {
		return func(c *check.TokenCall) { c.Request.Code = code }
	}
	for _, c := range []struct {
		name   string
		target *check.Target
		want   usher.Outcome
	}{
		{"the second", target(asks("a"), answered("c1"), asks("a b"), answered("c2"), tells(code, "", "a", redeems("c2"))), wrong},
		{"the first", target(asks("a"), answered("c1"), asks("a b"), answered("c2"), tells(code, "", "a", redeems("c1"))), ok},
		{"neither", target(asks("a"), answered("c1"), asks("a b"), answered("c2"), tells(code, "", "a", redeems("c3"))), unknown},
		{"of another client", target(asks("a b"), tells(code, "", "a", func(c *check.TokenCall) { c.Request.ClientID = "other" })), unknown},
		{"no authorization request is completed by a refresh", target(asks("a b"), tells(refresh, "", "a")), unknown},
	} {
		if f := worst(t, c.target, "scope-granted-less"); f.Outcome != c.want {
			t.Errorf("%s: %s %q %s", c.name, f.Outcome, f.Title, f.Detail)
		}
	}
}

// TestProviders: what is known of real providers makes no good request wrong.
func TestProviders(t *testing.T) {
	good := map[string]string{
		"entra": "openid profile offline_access User.Read", "google": "openid email https://www.googleapis.com/auth/drive.file", "okta": "openid offline_access orders.read",
		"auth0": "openid profile read:orders", "keycloak": "openid email roles", "cognito": "openid", "github": "read:user user:email",
		"gitlab": "openid read_user", "apple": "name email", "salesforce": "openid refresh_token", "slack": "openid,profile,email", "ping": "openid", "adfs": "openid", "generic": "openid orders.read",
	}
	for _, p := range knowledge.All() {
		scope, ok := good[p.Name]
		if !ok {
			continue
		}
		tgt := target(func(t *check.Target) { t.Provider = p }, asks(scope))
		for _, id := range []string{"scope-syntax", "scope-known", "scope-resource", "scope-broad", "scope-openid"} {
			if f := worst(t, tgt, id); f.Outcome == wrong {
				t.Errorf("%s: %s says %q of %q", p.Name, id, f.Title, scope)
			}
		}
	}
}

// TestOneVerdict: many calls of one client make one verdict, the wrong one with
// the proofs of all.
func TestOneVerdict(t *testing.T) {
	const challenge = `Bearer error="insufficient_scope", scope="b"`
	other := func(t *check.Target) { t.APICalls[len(t.APICalls)-1].Place = "api.har#9" }
	tgt := target(tok(`{"azp":"shop","scope":"a"}`), api(200, ""), api(403, "", challenge), api(200, ""), api(403, "", challenge), other, api(403, "", challenge), other)
	findings, _ := check.Run(tgt, []*check.Check{byID("scope-insufficient")})
	if len(findings) != 1 || findings[0].Outcome != wrong || findings[0].Subject.Client != "shop" || len(findings[0].Proof) != 2 {
		t.Errorf("%d findings: %+v", len(findings), findings)
	}
	findings, _ = check.Run(target(tok(`{"azp":"shop","scp":["a"]}`), tok(`{"azp":"shop","scope":["a"]}`), tok(`{"azp":"other","scope":"a"}`)), []*check.Check{byID("scope-format-claim")})
	if len(findings) != 2 || findings[0].Outcome != wrong || findings[0].Severity != usher.SeverityMedium || findings[1].Outcome != ok {
		t.Errorf("%+v", findings)
	}
}

// TestTakenSlip: a slip that the provider took weighs little.
func TestTakenSlip(t *testing.T) {
	slip := target(metadata("orders.read"), asks("openid order.read"))
	if f := worst(t, slip, "scope-known"); f.Outcome != wrong || f.Severity != usher.SeverityHigh {
		t.Errorf("a slip: %s %s", f.Outcome, f.Severity)
	}
	slip.AuthCalls[0].Response = &oauth.AuthorizationResponse{Code: "abc"}
	if f := worst(t, slip, "scope-known"); f.Outcome != wrong || f.Severity != usher.SeverityLow || !strings.Contains(f.Detail, "did not refuse") {
		t.Errorf("a slip that was taken: %s %s %q", f.Outcome, f.Severity, f.Detail)
	}
}
