// Package knowledge is what is known of providers, as dated data: what each can
// do, which redirect rule it has, its limits, and how it departs from the
// standard.
package knowledge

import "usher/oauth"

// Provider is what is known of one provider. What is unknown is left out, and
// nil tells it from none.
type Provider struct {
	Name    string   // "entra", "generic"
	Title   string   // "Microsoft Entra ID"
	AsOf    string   // the day that it was last looked at, 2006-01-02
	Sources []string // pages it was read on
	// Issuers are patterns of its issuers without their scheme. A star stands for
	// any run of characters but a slash.
	Issuers []string
	// Hosts are further hosts that its documents name in good order.
	Hosts []string
	// Redirect names its redirect rule, see oauth.RedirectRuleFor.
	Redirect string
	// Can says what it can do although its metadata may be silent, and what it
	// cannot although one would expect it. The names are the closed
	// vocabulary of Capabilities.
	Can map[string]Ability
	// Limits by name, see Limits: days, seconds, counts.
	Limits map[string]Limit
	// Scopes are scopes and permissions with what they open.
	Scopes []Scope
	// Ended are things that it has switched off, or has said when it will.
	Ended []Ended
	// Quirks are departures from the standard.
	Quirks []Quirk
}

// Ability is whether a provider can do something.
type Ability struct {
	Can   bool   `json:"can"`
	Since string `json:"since,omitempty"` // version or day
	Note  string `json:"note,omitempty"`
	From  string `json:"from"` // where it is written
}

// Limit is one number that a provider keeps to.
type Limit struct {
	Value int64  `json:"value"`
	Note  string `json:"note,omitempty"`
	From  string `json:"from"`
}

// Scope is a scope with its risk.
type Scope struct {
	Name string // a star stands for any run of characters
	Risk string // "low", "broad", "admin"
	Note string
}

// Ended is something that a provider switched off or will.
type Ended struct {
	What string `json:"what"`
	// Match is text that gives its use away: a part of an endpoint, a host, a
	// grant, a library.
	Match   []string `json:"match"`
	On      string   `json:"on"` // 2006-01-02
	Instead string   `json:"instead"`
	From    string   `json:"from"`
}

// Quirk is one departure from the standard.
type Quirk struct {
	ID       string `json:"quirk"`
	Says     string `json:"says"`     // what it does
	Standard string `json:"standard"` // what it departs from: "RFC 6749 section 5.1"
	Effect   string `json:"effect"`   // what that means for a client
	From     string `json:"from"`
	// Checks are ids of checks: where one of them is wrong, the quirk may be why.
	Checks []string `json:"checks,omitempty"`
}

// RedirectRule gives the provider's rule for redirect URIs.
func (p *Provider) RedirectRule() oauth.RedirectRule { return oauth.RedirectRuleFor(p.Redirect) }

// Names of Provider.Can. Each is also a word for a person.
const (
	CanPKCE               = "pkce"
	CanEnforcePKCE        = "pkce-enforced"
	CanIssResponse        = "iss-response" // RFC 9207
	CanPAR                = "par"          // RFC 9126
	CanJAR                = "jar"          // RFC 9101
	CanJARM               = "jarm"
	CanDPoP               = "dpop" // RFC 9449
	CanMTLS               = "mtls" // RFC 8705
	CanPrivateKeyJWT      = "private_key_jwt"
	CanRevoke             = "revocation"    // RFC 7009
	CanIntrospect         = "introspection" // RFC 7662
	CanLogout             = "logout"        // RP-initiated
	CanBackchannelLogout  = "backchannel-logout"
	CanRotateRefresh      = "refresh-rotation"
	CanDevice             = "device"         // RFC 8628
	CanPassword           = "password"       //nolint:gosec // the grant's name
	CanImplicit           = "implicit"       // response_type token
	CanTokenExchange      = "token-exchange" //nolint:gosec // RFC 8693
	CanRegister           = "dcr"            // RFC 7591
	CanClientDocuments    = "cimd"
	CanResource           = "resource-indicators" // RFC 8707
	CanJWTAccessToken     = "jwt-access-token"    //nolint:gosec // RFC 9068
	CanFormPost           = "form_post"
	CanClientCredentials  = "client_credentials"
	CanTwoSecrets         = "two-secrets" // two valid secrets at once
	CanWorkloadFederation = "workload-federation"
)

// Names of Provider.Limits.
const (
	LimitCodeSeconds       = "code-seconds"      // life of an authorization code
	LimitRefreshIdleDays   = "refresh-idle-days" // a refresh token dies unused
	LimitRefreshMaxDays    = "refresh-max-days"  // ... or at all
	LimitSPARefreshHours   = "spa-refresh-hours" // of browser apps
	LimitRedirectURIs      = "redirect-uris"     // registered with one client
	LimitRedirectsPersonal = "redirect-uris-personal"
	LimitRedirectLength    = "redirect-uri-length" // characters
	LimitSecrets           = "secrets"             // at once
	LimitSecretDays        = "secret-days"         // longest life
	LimitAccessMinutes     = "access-minutes"      // default life of an access token
	LimitGrantTokens       = "refresh-tokens"      // per user and client; the oldest dies
)
