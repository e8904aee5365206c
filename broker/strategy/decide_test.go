package strategy_test

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"usher"
	"usher/broker/grant"
	"usher/broker/strategy"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// canned answers every request in the same way.
type canned struct {
	status int
	kind   string
	body   string
	header http.Header
}

func (c canned) Once(req *http.Request) (*http.Response, error) {
	h := http.Header{"Content-Type": {c.kind}}
	for name, list := range c.header {
		h[name] = list
	}
	return &http.Response{StatusCode: c.status, Header: h, Body: io.NopCloser(strings.NewReader(c.body)), Request: req}, nil
}

// refusal is what an Asker makes of an answer.
func refusal(t testing.TB, endpoint, grantType string, c canned) *grant.Refusal {
	t.Helper()
	params := url.Values{"grant_type": {grantType}, "refresh_token": {"a-refresh-token-of-words"}}
	_, err := grant.New(grant.Options{HTTP: c, Now: func() time.Time { return now }}).Ask(context.Background(), grant.Request{
		Endpoint: endpoint, AuthMethod: "client_secret_post", ClientID: "shop", Secret: "a-secret-of-words", Params: params,
	})
	r, ok := err.(*grant.Refusal)
	if !ok {
		t.Fatalf("no refusal: %v", err)
	}
	return r
}

func json(status int, body string) canned {
	return canned{status: status, kind: "application/json", body: body}
}

func entra(status int, code, text string) canned {
	return json(status, `{"error":"`+code+`","error_description":"`+text+` Trace ID: 0e1b9a62-0d7a-4d5f-9b0d-1b0f6d3f2400 Correlation ID: 6c1f0b5e-7a57-4a1c-8f44-3f1f5f8d9a11 Timestamp: 2026-11-25 12:00:00Z","error_codes":[`+strings.TrimPrefix(strings.SplitN(text, ":", 2)[0], "AADSTS")+`],"timestamp":"2026-11-25 12:00:00Z","trace_id":"0e1b9a62-0d7a-4d5f-9b0d-1b0f6d3f2400","correlation_id":"6c1f0b5e-7a57-4a1c-8f44-3f1f5f8d9a11"}`)
}

const (
	refresh = "refresh_token"
	service = "client_credentials"
	bearer  = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	change  = "urn:ietf:params:oauth:grant-type:token-exchange"
	code    = "authorization_code"
	device  = "urn:ietf:params:oauth:grant-type:device_code"

	atEntra    = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"
	atKeycloak = "https://sso.example/realms/shop/protocol/openid-connect/token"
	atOkta     = "https://dev-1.okta.com/oauth2/default/v1/token"
	atAuth0    = "https://shop.eu.auth0.com/oauth/token"
	atGoogle   = "https://oauth2.googleapis.com/token"
	atGitHub   = "https://github.com/login/oauth/access_token"
	anywhere   = "https://idp.example/token"
)

// want is what a decision must be: cause (empty: any), strategy, and marks.
type want struct {
	cause    string
	strategy strategy.Name
	marks    string // of D dead, R revoked, E endpoint, W looked at again by itself; in that order
}

func marks(d strategy.Decision) string {
	var s string
	if d.Dead {
		s += "D"
	}
	if d.Revoked {
		s += "R"
	}
	if d.Endpoint {
		s += "E"
	}
	if d.Wait > 0 {
		s += "W"
	}
	return s
}

// TestAnswers decides about answers as providers give them.
func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, endpoint, grant string
		answer                canned
		want                  want
	}{
		// The kinds of invalid_grant.
		{"Entra: unused for too long", atEntra, refresh, entra(400, "invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity. The token was issued on 2026-01-01T00:00:00Z and was inactive for 90.00:00:00."), want{"refresh-token-expired", strategy.Ask, "D"}},
		{"Entra: expired or revoked", atEntra, refresh, entra(400, "invalid_grant", "AADSTS70008: The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource."), want{"refresh-token-expired", strategy.Ask, "D"}},
		{"Entra: bad refresh token", atEntra, refresh, entra(400, "invalid_grant", "AADSTS70000: Provided grant is invalid or malformed."), want{"", strategy.Ask, "D"}},
		{"Entra: password changed", atEntra, refresh, entra(400, "invalid_grant", "AADSTS50173: The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password. The grant was issued on '2026-01-01T00:00:00.0000000Z' and the TokensValidFrom date (before which tokens are not valid) for this user is '2026-02-01T00:00:00.0000000Z'."), want{"refresh-token-revoked", strategy.Ask, "D"}},
		{"Entra: session revoked", atEntra, refresh, entra(400, "invalid_grant", "AADSTS50132: The session is not valid due to the following reasons: password expiration or recent password change, SSO Artifact is invalid or expired, session is not fresh enough for the application."), want{"session-revoked", strategy.Ask, "DR"}},
		{"Entra: issued to another client", atEntra, refresh, entra(400, "invalid_grant", "AADSTS700005: Provided Authorization Code is intended to use against other tenant, thus rejected."), want{"code-wrong-client", strategy.Ask, "W"}},
		{"Keycloak: ended", atKeycloak, refresh, json(400, `{"error":"invalid_grant","error_description":"Token is not active"}`), want{"refresh-token-expired", strategy.Ask, "D"}},
		{"Keycloak: reused", atKeycloak, refresh, json(400, `{"error":"invalid_grant","error_description":"Maximum allowed refresh token reuse exceeded"}`), want{"refresh-token-reused", strategy.Ask, "DR"}},
		{"Keycloak: session gone", atKeycloak, refresh, json(400, `{"error":"invalid_grant","error_description":"Session not active"}`), want{"", strategy.Ask, "D"}},
		{"Keycloak: user disabled", atKeycloak, refresh, json(400, `{"error":"invalid_grant","error_description":"User disabled"}`), want{"user-disabled", strategy.GiveUp, "RW"}},
		{"Okta: invalid or expired", atOkta, refresh, json(400, `{"error":"invalid_grant","error_description":"The refresh token is invalid or expired."}`), want{"", strategy.Ask, "D"}},
		{"Auth0: reused", atAuth0, refresh, json(403, `{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}`), want{"", strategy.Ask, "D"}},
		{"Google: expired or revoked", atGoogle, refresh, json(400, `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`), want{"", strategy.Ask, "D"}},
		{"Google: bad request", atGoogle, refresh, json(400, `{"error":"invalid_grant","error_description":"Bad Request"}`), want{"", strategy.Ask, "D"}},
		{"GitHub: bad refresh token", atGitHub, refresh, json(200, `{"error":"bad_refresh_token","error_description":"The refresh token passed is incorrect or expired.","error_uri":"https://docs.github.com"}`), want{"", strategy.Ask, "D"}},
		{"Slack", "https://slack.com/api/oauth.v2.access", refresh, json(200, `{"ok":false,"error":"invalid_refresh_token"}`), want{"", strategy.Ask, "D"}},
		{"Facebook: password changed", "https://graph.facebook.com/v19.0/oauth/access_token", refresh, json(400, `{"error":{"message":"Error validating access token: The session has been invalidated because the user changed their password or Facebook has changed the session for security reasons.","type":"OAuthException","code":190,"error_subcode":460}}`), want{"", strategy.Ask, "DR"}},
		{"bare", anywhere, refresh, json(400, `{"error":"invalid_grant"}`), want{"", strategy.Ask, "D"}},
		{"bare, a service", anywhere, "refresh_token!service", json(400, `{"error":"invalid_grant"}`), want{"", strategy.Authenticate, "D"}},
		{"a code", atKeycloak, code, json(400, `{"error":"invalid_grant","error_description":"Code not valid"}`), want{"", strategy.Ask, ""}},

		// The kinds of invalid_client.
		{"Entra: secret expired", atEntra, service, entra(401, "invalid_client", "AADSTS7000222: The provided client secret keys for app '11111111-2222-3333-4444-555555555555' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."), want{"client-secret-expired", strategy.Rotate, "W"}},
		{"Entra: wrong secret", atEntra, service, entra(401, "invalid_client", "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '11111111-2222-3333-4444-555555555555'."), want{"client-secret-invalid", strategy.Rotate, "W"}},
		{"Entra: unknown client", atEntra, service, entra(400, "unauthorized_client", "AADSTS700016: Application with identifier 'x' was not found in the directory 'Contoso'."), want{"client-unknown", strategy.GiveUp, "W"}},
		{"Entra: client disabled", atEntra, service, entra(400, "unauthorized_client", "AADSTS7000112: Application '11111111-2222-3333-4444-555555555555'(shop) is disabled."), want{"client-disabled", strategy.GiveUp, "W"}},
		{"Entra: assertion", atEntra, service, entra(401, "invalid_client", "AADSTS700027: The certificate with identifier used to sign the client assertion is not registered on application."), want{"client-assertion-invalid", strategy.Rotate, "W"}},
		{"Entra: a secret where a public client is registered", atEntra, refresh, entra(401, "invalid_client", "AADSTS700025: Client is public so neither 'client_assertion' nor 'client_secret' should be presented."), want{"client-type-mismatch", strategy.GiveUp, "W"}},
		{"Keycloak: wrong secret", atKeycloak, service, json(401, `{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}`), want{"client-secret-invalid", strategy.Rotate, "W"}},
		{"Okta: wrong secret", atOkta, service, json(401, `{"error":"invalid_client","error_description":"The client secret supplied for a confidential client is invalid."}`), want{"client-secret-invalid", strategy.Rotate, "W"}},
		{"bare client", anywhere, service, json(401, `{"error":"invalid_client"}`), want{"", strategy.Rotate, "W"}},

		// What asks for somebody, and must not be hammered.
		{"Entra: Conditional Access", atEntra, refresh, entra(400, "invalid_grant", "AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."), want{"policy-blocked", strategy.Ask, "W"}},
		{"Entra: Conditional Access of a service", atEntra, service, entra(400, "invalid_grant", "AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."), want{"", strategy.GiveUp, "W"}},
		{"Entra: second factor", atEntra, refresh, entra(400, "invalid_grant", "AADSTS50076: Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '00000003-0000-0000-c000-000000000000'."), want{"mfa-required", strategy.Ask, "W"}},
		{"Entra: consent", atEntra, refresh, entra(400, "invalid_grant", "AADSTS65001: The user or administrator has not consented to use the application with ID 'x' named 'shop'. Send an interactive authorization request for this user and resource."), want{"consent-required", strategy.Ask, "W"}},
		{"Entra: user disabled", atEntra, refresh, entra(400, "invalid_grant", "AADSTS50057: The user account is disabled."), want{"user-disabled", strategy.GiveUp, "RW"}},
		{"Entra: locked", atEntra, refresh, entra(400, "invalid_grant", "AADSTS50053: The account is locked, you've tried to sign in too many times with an incorrect user ID or password."), want{"user-locked", strategy.Retry, "W"}},
		{"interaction required", anywhere, refresh, json(400, `{"error":"interaction_required"}`), want{"interaction-required", strategy.Ask, "W"}},
		{"access denied", anywhere, refresh, json(400, `{"error":"access_denied"}`), want{"", strategy.Ask, "W"}},

		{"Entra: password expired", atEntra, refresh, entra(400, "invalid_grant", "AADSTS50055: The password is expired."), want{"password-expired", strategy.Ask, "W"}},
		{"Keycloak: something is required of the user", atKeycloak, refresh, json(400, `{"error":"invalid_grant","error_description":"Account is not fully set up"}`), want{"password-expired", strategy.Ask, "W"}},
		{"Auth0: wrong secret", atAuth0, refresh, json(401, `{"error":"access_denied","error_description":"Unauthorized"}`), want{"", strategy.Rotate, "W"}},
		{"the client's assertion, in words that fit a token", anywhere, refresh, json(401, `{"error":"invalid_client","error_description":"JWT signature is invalid"}`), want{"", strategy.Rotate, "W"}},
		{"the client's own user", anywhere, refresh, json(401, `{"error":"invalid_client","error_description":"user not found"}`), want{"", strategy.Rotate, "W"}},
		{"a token that was sent and did not come", anywhere, refresh, json(400, `{"error":"invalid_request","error_description":"Missing required parameter: refresh_token"}`), want{"", strategy.GiveUp, "W"}},
		{"a service's session", anywhere, bearer, json(400, `{"error":"invalid_grant","error_description":"user not found"}`), want{"", strategy.GiveUp, "W"}},
		{"Slack, a code that nobody knows", "https://slack.com/api/oauth.v2.access", refresh, json(200, `{"ok":false,"error":"weird_thing"}`), want{"unknown", strategy.GiveUp, "W"}},
		{"a revoked session of a service", atEntra, bearer, entra(400, "invalid_grant", "AADSTS50132: The session is not valid due to the following reasons: password expiration or recent password change."), want{"session-revoked", strategy.Authenticate, "RW"}},
		{"Keycloak: user gone, perhaps", atKeycloak, refresh, json(400, `{"error":"invalid_grant","error_description":"user not found"}`), want{"user-unknown", strategy.Ask, "D"}},
		{"Entra: user gone", atEntra, refresh, entra(400, "invalid_grant", "AADSTS50034: The user account does not exist in the directory."), want{"user-unknown", strategy.Ask, "DR"}},

		// What is configured wrong.
		{"Keycloak: no service account", atKeycloak, service, json(401, `{"error":"unauthorized_client","error_description":"Client not enabled to retrieve service account"}`), want{"grant-not-allowed", strategy.GiveUp, "W"}},
		{"unsupported grant", anywhere, service, json(400, `{"error":"unsupported_grant_type"}`), want{"grant-not-allowed", strategy.GiveUp, "W"}},
		{"unauthorized client", anywhere, service, json(400, `{"error":"unauthorized_client"}`), want{"", strategy.GiveUp, "W"}},
		{"Keycloak: scope", atKeycloak, service, json(400, `{"error":"invalid_scope","error_description":"Invalid scopes: nope"}`), want{"scope-invalid", strategy.GiveUp, "W"}},
		{"invalid request", anywhere, service, json(400, `{"error":"invalid_request","error_description":"Missing parameter: x"}`), want{"", strategy.GiveUp, "W"}},
		{"invalid target", anywhere, service, json(400, `{"error":"invalid_target"}`), want{"", strategy.GiveUp, "W"}},
		{"DPoP wanted", anywhere, refresh, json(400, `{"error":"use_dpop_nonce"}`), want{"dpop-invalid", strategy.GiveUp, "W"}},

		// What goes away.
		{"throttled", anywhere, service, canned{status: 429, header: http.Header{"Retry-After": {"7"}}}, want{"throttled", strategy.Retry, "EW"}},
		{"throttled, in words of another kind", anywhere, refresh, json(429, `{"error":"invalid_grant"}`), want{"throttled", strategy.Retry, "EW"}},
		{"away", anywhere, service, canned{status: 503, kind: "text/html", body: "<html>We are back soon"}, want{"provider-outage", strategy.Retry, "E"}},
		{"away, in words of another kind", anywhere, refresh, json(503, `{"error":"invalid_grant","error_description":"Token is not active"}`), want{"provider-outage", strategy.Retry, "E"}},
		{"away, and it names a secret", atEntra, service, entra(503, "invalid_client", "AADSTS7000222: The provided client secret keys for app 'x' are expired."), want{"provider-outage", strategy.Retry, "E"}},
		{"server error", anywhere, service, json(500, `{"error":"server_error"}`), want{"provider-outage", strategy.Retry, "E"}},
		{"temporarily unavailable", anywhere, refresh, json(400, `{"error":"temporarily_unavailable"}`), want{"provider-outage", strategy.Retry, "E"}},
		{"Entra: transient", atEntra, refresh, entra(400, "invalid_grant", "AADSTS90033: A transient error has occurred. Please try again."), want{"provider-outage", strategy.Retry, "E"}},
		{"500 page", anywhere, refresh, canned{status: 500, kind: "text/html", body: "<html>oops"}, want{"", strategy.Retry, "E"}},
		{"gateway", anywhere, refresh, canned{status: 504}, want{"provider-outage", strategy.Retry, "E"}},
		{"captive portal", anywhere, refresh, canned{status: 200, kind: "text/html", body: "<!doctype html><title>Sign in to the network</title>"}, want{"", strategy.Retry, "E"}},
		{"empty", anywhere, refresh, canned{status: 200}, want{"", strategy.Retry, "E"}},
		{"device, pending", anywhere, device, json(400, `{"error":"authorization_pending"}`), want{"authorization-pending", strategy.Retry, "W"}},
		{"device, slow down", anywhere, device, json(400, `{"error":"slow_down"}`), want{"", strategy.Retry, "EW"}},
		{"device, too late", anywhere, device, json(400, `{"error":"expired_token"}`), want{"", strategy.Ask, ""}},

		// Statuses without a word.
		{"400 of a refresh", anywhere, refresh, canned{status: 400}, want{"unknown", strategy.Ask, "W"}},
		{"400 of a service", anywhere, service, canned{status: 400}, want{"unknown", strategy.Retry, "E"}},
		{"a realm with a word in it", "https://broker.federation.example/realms/brokered/protocol/openid-connect/token", refresh, json(400, `{"error":"invalid_grant","error_description":"User disabled"}`), want{"user-disabled", strategy.GiveUp, "RW"}},
		{"a bare refusal of such a realm", "https://saml.example/realms/federation/protocol/openid-connect/token", refresh, json(400, `{"error":"invalid_grant"}`), want{"refresh-token-revoked", strategy.Ask, "D"}},
		{"moved", anywhere, service, canned{status: 301}, want{"", strategy.Retry, "E"}},
		{"captive redirect", anywhere, refresh, canned{status: 302, kind: "text/html", body: `<a href="http://portal">`}, want{"", strategy.Retry, "E"}},
		{"not there, a page", anywhere, service, canned{status: 404, kind: "text/html", body: "<html>nginx"}, want{"", strategy.Retry, "E"}},
		{"not there", anywhere, service, canned{status: 404, kind: "text/plain", body: "no such route"}, want{"", strategy.GiveUp, "W"}},
		{"401 page", anywhere, service, canned{status: 401, kind: "text/html", body: "<html>Unauthorized"}, want{"", strategy.Retry, "E"}},
		{"401", anywhere, service, canned{status: 401, kind: "text/plain", body: "Unauthorized"}, want{"", strategy.Rotate, "W"}},
		{"401, nothing", anywhere, service, canned{status: 401}, want{"", strategy.Retry, "E"}},
		{"403", anywhere, service, canned{status: 403, kind: "text/html", body: "<html>Forbidden"}, want{"", "", "W"}},
		{"teapot", anywhere, service, canned{status: 418, kind: "text/plain", body: "short and stout"}, want{"", strategy.GiveUp, "W"}},
		{"unknown code", anywhere, service, json(400, `{"error":"quota_of_the_moon"}`), want{"unknown", strategy.GiveUp, "W"}},
		{"assertion of a grant", anywhere, bearer, json(400, `{"error":"invalid_grant"}`), want{"", "", "W"}},
		{"exchange", anywhere, change, json(400, `{"error":"invalid_grant"}`), want{"", strategy.Authenticate, "W"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			grantType, alone := strings.CutSuffix(tt.grant, "!service")
			r := refusal(t, tt.endpoint, grantType, tt.answer)
			interactive := !alone && (grantType == refresh || grantType == code || grantType == device)
			d := strategy.Decide(strategy.Input{
				GrantType: grantType, Interactive: interactive, HasRefresh: grantType == refresh, Refusal: r,
				ClientID: "shop", AuthMethod: "client_secret_post", Requested: []string{"a"}, Now: now,
			})
			if tt.want.cause != "" && d.Cause != tt.want.cause {
				t.Errorf("cause %s (%.2f), want %s", d.Cause, d.Confidence, tt.want.cause)
			}
			if tt.want.strategy != "" && d.Strategy != tt.want.strategy || marks(d) != tt.want.marks {
				t.Errorf("got %s %s, want %s %s; cause %s (%.2f)", d.Strategy, marks(d), tt.want.strategy, tt.want.marks, d.Cause, d.Confidence)
			}
			sound(t, d, interactive)
		})
	}
}

// sound holds a decision to what is true of every one.
func sound(t *testing.T, d strategy.Decision, interactive bool) {
	t.Helper()
	switch {
	case d.Title == "" || d.Cause == "":
		t.Errorf("nothing is said: %+v", d)
	case strings.HasSuffix(d.Title, "."):
		t.Errorf("title: %q", d.Title)
	case d.Strategy == strategy.Retry && d.Dead, d.Strategy == strategy.Narrow && d.Dead:
		t.Errorf("a dead token is presented again: %+v", d)
	case d.Strategy == strategy.Authenticate && interactive, d.Strategy == strategy.Ask && !interactive:
		t.Errorf("interactive %v: %+v", interactive, d)
	case (d.Strategy == strategy.Ask || d.Strategy == strategy.GiveUp) && d.Turn == "":
		t.Errorf("somebody must act, and nobody is told: %+v", d)
	case d.Turn == usher.FixerNobody:
		t.Errorf("turn: %+v", d)
	case (d.Strategy == strategy.Ask || d.Strategy == strategy.GiveUp) && d.Wait > 0 && d.Wait < 10*time.Minute:
		t.Errorf("hammered: %+v", d)
	}
}

// TestSettled fits decisions to what a connection has.
func TestSettled(t *testing.T) {
	secret := refusal(t, anywhere, service, json(401, `{"error":"invalid_client","error_description":"invalid client secret"}`))
	scope := refusal(t, anywhere, service, json(400, `{"error":"invalid_scope"}`))
	away := func(kind grant.RefusalKind, err error) *grant.Refusal {
		return &grant.Refusal{Kind: kind, Endpoint: anywhere, Err: err}
	}
	for _, tt := range []struct {
		name string
		in   strategy.Input
		ok   func(strategy.Decision) bool
	}{
		{"a managed secret is rotated by usher", strategy.Input{Refusal: secret, AuthMethod: "client_secret_post", Managed: true}, func(d strategy.Decision) bool {
			return d.Strategy == strategy.Rotate && d.Turn == ""
		}},
		{"another is the developer's", strategy.Input{Refusal: secret, AuthMethod: "client_secret_post"}, func(d strategy.Decision) bool {
			return d.Strategy == strategy.Rotate && d.Turn == usher.FixerDeveloper
		}},
		{"a public client has none", strategy.Input{Refusal: secret, AuthMethod: "none"}, func(d strategy.Decision) bool { return d.Strategy == strategy.GiveUp }},
		{"less can be asked for", strategy.Input{Refusal: scope, Requested: []string{"a", "b"}, Granted: []string{"a"}}, func(d strategy.Decision) bool { return d.Strategy == strategy.Narrow }},
		{"nothing less is known", strategy.Input{Refusal: scope, Requested: []string{"a", "b"}}, func(d strategy.Decision) bool { return d.Strategy == strategy.GiveUp }},
		{"no less was granted", strategy.Input{Refusal: scope, Requested: []string{"a"}, Granted: []string{"a", "b"}}, func(d strategy.Decision) bool { return d.Strategy == strategy.GiveUp }},
		{"a wrong configuration", strategy.Input{Refusal: away(grant.Misused, &usher.Error{Code: usher.ErrUsage, Message: "it has no secret"}), Interactive: true, HasRefresh: true}, func(d strategy.Decision) bool {
			return d.Strategy == strategy.GiveUp && marks(d) == "" && d.Turn == usher.FixerDeveloper && strings.Contains(d.Title, "it has no secret")
		}},
		{"no network here", strategy.Input{Refusal: away(grant.Unreachable, &usher.Error{Message: "no route", Err: syscall.ENETUNREACH}), HasRefresh: true}, func(d strategy.Decision) bool {
			return d.Strategy == strategy.Retry && !d.Endpoint && d.Cause == "network-proxy"
		}},
		{"nothing listens there", strategy.Input{Refusal: away(grant.Unreachable, &usher.Error{Message: "refused", Err: syscall.ECONNREFUSED}), HasRefresh: true}, func(d strategy.Decision) bool {
			return d.Strategy == strategy.Retry && d.Endpoint && !d.Dead && d.Cause == "provider-outage" && d.Turn == usher.FixerProvider && strings.Contains(d.Title, "refused")
		}},
		{"a gateway that got no answer", strategy.Input{Refusal: refusal(t, anywhere, service, canned{status: 502, kind: "text/html", body: "<html>"})}, func(d strategy.Decision) bool {
			return strings.Contains(d.Title, "(status 502)") && d.Strategy == strategy.Retry
		}},
		{"an answer that broke off", strategy.Input{Refusal: &grant.Refusal{Kind: grant.Lost, Status: 200}}, func(d strategy.Decision) bool {
			return strings.Contains(d.Title, "broke off (status 200)")
		}},
		{"an answer that is too large", strategy.Input{Refusal: away(grant.Lost, &usher.Error{Code: usher.ErrTooLarge, Message: "sends more than 4 MiB"})}, func(d strategy.Decision) bool {
			return strings.HasSuffix(d.Title, "cannot be taken: sends more than 4 MiB")
		}},
		{"an answer that is empty", strategy.Input{Refusal: refusal(t, anywhere, service, canned{status: 200})}, func(d strategy.Decision) bool {
			return d.Title == "the provider answered with status 200 and nothing that can be read: its answer is empty"
		}},
		{"a redirect", strategy.Input{Refusal: refusal(t, anywhere, service, canned{status: 307})}, func(d strategy.Decision) bool {
			return d.Title == "the token endpoint sends elsewhere (status 307), and a secret is not sent along"
		}},
		{"a certificate", strategy.Input{Refusal: away(grant.Unreachable, &usher.Error{Message: "unknown authority", Err: x509.UnknownAuthorityError{}}), HasRefresh: true}, func(d strategy.Decision) bool {
			return d.Strategy == strategy.Retry && d.Cause == "tls-trust" && d.Turn == usher.FixerDeveloper && d.Wait > 0
		}},
		{"lost", strategy.Input{Refusal: away(grant.Lost, nil), HasRefresh: true, Interactive: true}, func(d strategy.Decision) bool {
			return d.Strategy == strategy.Retry && marks(d) == "E"
		}},
		{"a redirect that stays", strategy.Input{Refusal: refusal(t, anywhere, service, canned{status: 302}), Tries: 9}, func(d strategy.Decision) bool {
			return d.Strategy == strategy.GiveUp && d.Turn == usher.FixerDeveloper && d.Wait > 0
		}},
		{"a page that stays", strategy.Input{Refusal: refusal(t, anywhere, service, canned{status: 200, kind: "text/html", body: "<html>"}), Tries: 9}, func(d strategy.Decision) bool {
			return d.Strategy == strategy.Retry
		}},
		{"nothing is known", strategy.Input{}, func(d strategy.Decision) bool { return d.Strategy == strategy.Retry && d.Cause == "unknown" }},
		{"throttled for as long as is told", strategy.Input{Refusal: &grant.Refusal{Kind: grant.Busy, Status: 429, RetryAfter: 7 * time.Second}}, func(d strategy.Decision) bool { return d.Wait == 7*time.Second }},
		{"Retry-After counts", strategy.Input{Refusal: &grant.Refusal{Kind: grant.Busy, Status: 503, RetryAfter: time.Hour}}, func(d strategy.Decision) bool { return d.Wait == time.Hour }},
	} {
		d := strategy.Decide(tt.in)
		if !tt.ok(d) {
			t.Errorf("%s: %+v", tt.name, d)
		}
	}
}

// TestTitles are shown to people, and hold no secret.
func TestTitles(t *testing.T) {
	r := refusal(t, anywhere, refresh, json(400, `{"error":"ghp_`+strings.Repeat("a1B2", 9)+`"}`))
	if d := strategy.Decide(strategy.Input{Refusal: r}); strings.Contains(d.Title, "ghp_") {
		t.Errorf("title: %q", d.Title)
	}
	d := strategy.Decide(strategy.Input{Refusal: refusal(t, atKeycloak, refresh, json(400, `{"error":"invalid_grant","error_description":"Maximum allowed refresh token reuse exceeded"}`)), HasRefresh: true, Interactive: true})
	if d.Title != "a refresh token was used again after it had been rotated" {
		t.Errorf("title: %q", d.Title)
	}
}

// FuzzDecide: whatever is answered, a decision is made that a person can read,
// and none that another try would make worse.
func FuzzDecide(f *testing.F) {
	f.Add(400, `{"error":"invalid_grant","error_description":"Token is not active"}`, true, true)
	f.Add(401, `{"error":"invalid_client"}`, false, false)
	f.Add(503, `<html>`, true, true)
	f.Add(200, `{"ok":false,"error":"token_revoked"}`, true, false)
	f.Fuzz(func(t *testing.T, status int, body string, interactive, has bool) {
		status = 100 + (status&0x7fffffff)%500
		if status/100 == 2 && strings.Contains(body, "oken") {
			return // may be a token
		}
		r := refusal(t, anywhere, refresh, canned{status: status, kind: "application/json", body: body})
		d := strategy.Decide(strategy.Input{GrantType: refresh, Interactive: interactive, HasRefresh: has, Refusal: r, AuthMethod: "client_secret_basic", ClientID: "shop", Now: now})
		sound(t, d, interactive)
		if !has && d.Dead {
			t.Errorf("there was none, and it is dead: %+v", d)
		}
		if strings.Contains(d.Title, "a-refresh-token-of-words") || len(d.Title) > 1000 {
			t.Errorf("title: %q", d.Title)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	in := strategy.Input{
		GrantType: refresh, Interactive: true, HasRefresh: true, ClientID: "shop", AuthMethod: "client_secret_basic", Now: now,
		Refusal: refusal(b, atEntra, refresh, entra(400, "invalid_grant", "AADSTS50173: The provided grant has expired due to it being revoked, a fresh auth token is needed.")),
	}
	for b.Loop() {
		strategy.Decide(in)
	}
}
