package strategy

import (
	"time"

	"usher"
)

// Row says what is done about one cause. FORMAT.md says how to write one.
type Row struct {
	Cause string // label of the catalog
	// Service is the strategy of grants that need no person, Person that of the
	// others.
	Service, Person Name
	Wait            time.Duration // before it is looked at again; 0: the back-off's with Retry, else not by itself
	Turn            usher.Fixer   // whose turn it is; empty: as the catalog says
	Endpoint        bool          // the fault is the endpoint's
	Dead            bool          // the refresh token that was presented is of no more use
	Revoked         bool          // access tokens that were given before are dead too, or should be
	Why             string        // why just this, where it is not plain
}

// How long is waited before something is looked at again that somebody has to
// mend, and of which no news comes when it is.
const (
	soon  = 5 * time.Minute  // a credential, a proxy: often mended within minutes
	later = time.Hour        // a policy, a consent, a registration
	slow  = 15 * time.Minute // what has a time limit of its own, or is mended by an administrator at a click
)

// Rows are the causes that a request to a token endpoint can meet, by label.
var Rows = [...]Row{
	{Cause: "account-type", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "admin-consent-required", Service: GiveUp, Person: GiveUp, Wait: later, Why: "the person cannot grant it; when the administrator has, the next look succeeds"},
	{Cause: "app-misconfigured", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "authorization-pending", Service: Retry, Person: Retry, Wait: 5 * time.Second, Turn: usher.FixerUser, Why: "RFC 8628 section 3.5: the interval is 5 s where none was told"},
	{Cause: "claims-config", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "client-assertion-invalid", Service: Rotate, Person: Rotate, Wait: soon, Why: "the key, or what the provider knows of it, is not the right one"},
	{Cause: "client-auth-method", Service: GiveUp, Person: GiveUp, Wait: later, Why: "another style is never tried out by itself: the second try could present the refresh token twice"},
	{Cause: "client-disabled", Service: GiveUp, Person: GiveUp, Wait: slow},
	{Cause: "client-secret-expired", Service: Rotate, Person: Rotate, Wait: soon},
	{Cause: "client-secret-id-used", Service: Rotate, Person: Rotate, Wait: soon, Why: "the value was never kept, and nobody can ask for it again: a new secret is quicker"},
	{Cause: "client-secret-invalid", Service: Rotate, Person: Rotate, Wait: soon},
	{Cause: "client-type-mismatch", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "client-unknown", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "clock-skew", Service: Retry, Person: Retry, Wait: soon, Why: "nothing is wrong with token and secret; a clock that is put right heals it"},
	{Cause: "code-expired", Service: Ask, Person: Ask},
	{Cause: "code-reused", Service: Ask, Person: Ask, Revoked: true, Why: "RFC 6749 section 4.1.2: tokens of that code should be revoked"},
	{Cause: "code-wrong-client", Service: Ask, Person: Ask, Wait: later, Turn: usher.FixerDeveloper, Why: "with the client id of before the refresh token is good again, so it is kept"},
	{Cause: "consent-declined", Service: Ask, Person: Ask},
	{Cause: "consent-required", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "device-credential-invalid", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "dpop-invalid", Service: GiveUp, Person: GiveUp, Wait: later, Why: "the provider wants tokens bound to a key; asking again in the same way changes nothing"},
	{Cause: "email-unverified", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "federation-failed", Service: GiveUp, Person: Ask, Wait: slow},
	{Cause: "grant-narrowed", Service: Narrow, Person: Narrow, Wait: later, Why: "what is still allowed goes on working; the rest needs a person or an administrator"},
	{Cause: "grant-not-allowed", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "guest-not-invited", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "interaction-required", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "legacy-auth", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "legal-age", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "license-missing", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "mfa-failed", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "mfa-registration-required", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "mfa-required", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "network-proxy", Service: Retry, Person: Retry, Endpoint: true},
	{Cause: "onprem-agent", Service: Retry, Person: Retry, Wait: soon},
	{Cause: "password-change-failed", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "password-expired", Service: GiveUp, Person: Ask, Wait: later, Why: "the person sets a new one, and the refresh token goes on: Entra keeps those of confidential clients, Keycloak every one"},
	{Cause: "password-wrong", Service: GiveUp, Person: Ask, Wait: later, Why: "a broker has no password; a refresh that meets it was revoked by a change of the password, or goes to a directory behind"},
	{Cause: "pkce-mismatch", Service: Ask, Person: Ask},
	{Cause: "pkce-missing", Service: Ask, Person: Ask, Turn: usher.FixerDeveloper},
	{Cause: "policy-blocked", Service: GiveUp, Person: Ask, Wait: later, Turn: usher.FixerTenantAdmin, Why: "never hammered: every try stands in the sign-in log as a refusal, and may raise the risk"},
	{Cause: "policy-client-app", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "policy-cross-tenant", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "policy-device", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "policy-flow", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "policy-location", Service: GiveUp, Person: GiveUp, Wait: later, Turn: usher.FixerTenantAdmin, Why: "what is refused is where usher asks from; a person who connects again changes nothing about that"},
	{Cause: "policy-risk", Service: GiveUp, Person: Ask, Wait: later, Revoked: true},
	{Cause: "policy-user", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "policy-workload", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "provider-outage", Service: Retry, Person: Retry, Endpoint: true},
	{Cause: "reauth-required", Service: Authenticate, Person: Ask, Dead: true},
	{Cause: "redirect-uri-mismatch", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "redirect-uri-platform", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "refresh-token-expired", Service: Authenticate, Person: Ask, Dead: true},
	{Cause: "refresh-token-missing", Service: Authenticate, Person: Ask, Turn: usher.FixerUser, Dead: true},
	{Cause: "refresh-token-reused", Service: Authenticate, Person: Ask, Turn: usher.FixerUser, Dead: true, Revoked: true, Why: "RFC 9700 section 4.14.2: the provider ends the family, and may end its access tokens"},
	{Cause: "refresh-token-revoked", Service: Authenticate, Person: Ask, Dead: true, Why: "it is said of every refresh token that the provider does not know (any more); most access tokens from before live on, and an API that refuses one says so"},
	{Cause: "request-malformed", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "resource-unknown", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "role-missing", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "scope-insufficient", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "scope-invalid", Service: Narrow, Person: Narrow, Wait: later},
	{Cause: "security-defaults", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "session-missing", Service: GiveUp, Person: Ask, Wait: later, Dead: true},
	{Cause: "session-revoked", Service: Authenticate, Person: Ask, Dead: true, Revoked: true},
	{Cause: "sso-interrupt", Service: GiveUp, Person: Ask, Wait: later, Turn: usher.FixerUser, Why: "a page wants to be shown, and only a person can see it"},
	{Cause: "step-up-required", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "tenant-unknown", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "terms-of-use", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "throttled", Service: Retry, Person: Retry, Wait: time.Minute, Turn: usher.FixerNobody, Endpoint: true},
	{Cause: "tls-trust", Service: Retry, Person: Retry, Wait: soon, Endpoint: true},
	{Cause: "token-expired", Service: Authenticate, Person: Ask, Wait: 30 * time.Second, Dead: true, Why: "the assertion or the subject token that was presented: the next one is signed, or taken, anew"},
	{Cause: "token-key-not-found", Service: Rotate, Person: Rotate, Wait: soon, Why: "the provider does not know the key of the assertion"},
	{Cause: "token-malformed", Service: Authenticate, Person: Ask, Wait: slow, Dead: true, Why: "the refresh token that is kept is none, or the assertion cannot be read"},
	{Cause: "token-not-yet-valid", Service: Retry, Person: Retry, Wait: 30 * time.Second, Why: "the provider's clock is behind; time heals it"},
	{Cause: "token-revoked", Service: Authenticate, Person: Ask, Dead: true, Revoked: true},
	{Cause: "token-signature-invalid", Service: Rotate, Person: Ask, Wait: slow, Dead: true, Why: "of an assertion it is the key; a refresh token that does not verify is from before the provider lost its keys"},
	{Cause: "token-wrong-audience", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "token-wrong-issuer", Service: GiveUp, Person: Ask, Wait: later, Dead: true, Why: "the provider has moved: tokens of its old name are of no use"},
	{Cause: "token-wrong-type", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "user-certificate-invalid", Service: GiveUp, Person: Ask, Wait: later},
	{Cause: "user-disabled", Service: GiveUp, Person: GiveUp, Wait: later, Revoked: true, Why: "the person cannot connect either, until the account is enabled"},
	{Cause: "user-locked", Service: Retry, Person: Retry, Wait: slow, Why: "locks end by themselves, and every try may prolong them"},
	{Cause: "user-not-assigned", Service: GiveUp, Person: GiveUp, Wait: later},
	{Cause: "user-unknown", Service: GiveUp, Person: Ask, Wait: later, Dead: true, Revoked: true},
	{Cause: "wrong-cloud", Service: GiveUp, Person: GiveUp, Wait: later},
}

// Unreachable are the causes of the catalog that no request to a token endpoint
// meets, each with the reason.
var Unreachable = [...][2]string{
	{"cookie-blocked", "a browser drops the cookie before anybody asks for a token"},
	{"cors-blocked", "a browser refuses it; usher is none"},
	{"discovery-failed", "the token endpoint is configured and nothing is discovered when a token is renewed"},
	{"embedded-browser", "the sign-in page refuses it, before there is a code"},
	{"issuer-mismatch", "it shows when metadata or a response to a browser is compared, in package connect"},
	{"nonce-mismatch", "who reads the ID token finds it, in package connect, after the token was given"},
	{"redirect-scheme-proxy", "the authorization endpoint meets it first; at the token endpoint it is a redirect-uri-mismatch"},
	{"redirect-uri-invalid", "it is refused when it is registered or at the authorization endpoint, before there is a code"},
	{"response-type-not-allowed", "only an authorization request has a response type"},
	{"saml-mismatch", "no grant of a connection carries a SAML message"},
	{"saml-request-invalid", "no grant of a connection carries a SAML message"},
	{"seamless-sso-failed", "it belongs to the sign-in page"},
	{"signout-error", "a token endpoint signs nobody out"},
	{"state-mismatch", "who gets the authorization response finds it, in package connect, before a token is asked for"},
	{"token-missing", "a token endpoint is asked without a token"},
}

// RowOf gives the row of a cause.
func RowOf(cause string) (Row, bool) {
	// Fewer than a hundred; they are in order of their labels.
	low, high := 0, len(Rows)
	for low < high {
		if mid := (low + high) / 2; Rows[mid].Cause < cause {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(Rows) && Rows[low].Cause == cause {
		return Rows[low], true
	}
	return Row{}, false
}
