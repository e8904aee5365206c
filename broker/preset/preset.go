package preset

import (
	"time"

	"usher/broker"
)

// Preset is what is known of one API.
type Preset struct {
	Name  string `yaml:"-" json:"name"` // "paypal": the name of its file
	Title string `yaml:"title" json:"title"`
	Kind  string `yaml:"kind" json:"kind"` // one of Kinds
	// Provider names the provider in package knowledge, where it is one.
	Provider string `yaml:"provider" json:"provider,omitempty"`

	// Values are what somebody must say before there are addresses: a tenant, a
	// shop, an environment. They stand in braces in what follows.
	Values []Value `yaml:"values" json:"values,omitempty"`

	Issuer        string    `yaml:"issuer" json:"issuer,omitempty"`
	IssuerAliases []string  `yaml:"issuer_aliases" json:"issuer_aliases,omitempty"` // further issuers of ID tokens
	Endpoints     Endpoints `yaml:"endpoints" json:"endpoints"`

	Grants []string `yaml:"grants" json:"grants"`                           // short names, see GrantType; the usual one first
	Auth   []string `yaml:"auth" json:"token_endpoint_auth_methods"`        // the recommended one first
	Body   string   `yaml:"body" json:"token_request_body,omitempty"`       // "json" where token requests are JSON; empty: the form of RFC 6749
	PKCE   string   `yaml:"pkce" json:"pkce,omitempty"`                     // "off" where a verifier makes it another flow; empty: sent
	Omit   bool     `yaml:"omit_redirect_uri" json:"omit_redirect_uri"`     // the authorization request names no redirect URI
	Scopes Scopes   `yaml:"scopes" json:"scopes"`                           //
	Aud    string   `yaml:"audience" json:"audience,omitempty"`             // parameter of the token request
	Ask    Params   `yaml:"authorize" json:"authorize_parameters,omitzero"` // further parameters of the authorization request
	Token  Params   `yaml:"token" json:"token_parameters,omitzero"`         // further parameters of token requests

	Access  Access   `yaml:"access" json:"access_token"`
	Refresh Refresh  `yaml:"refresh" json:"refresh_token"`
	RenewAt Span     `yaml:"renew_at" json:"renew_after,omitzero"` // when the provider asks that tokens are renewed
	Quirks  []Quirk  `yaml:"quirks" json:"quirks,omitempty"`
	Sources []Source `yaml:"sources" json:"sources"`
}

// Params are parameters of a request.
type Params map[string]string

// IsZero tells whether there are none.
func (p Params) IsZero() bool { return len(p) == 0 }

// Kinds are what APIs are for.
var Kinds = []string{"payments", "accounting", "commerce", "code", "suite", "messages", "crm", "files", "meetings", "projects", "identity", "documents", "media"}

// Value is one thing to say before a preset can be used.
type Value struct {
	Name    string   `yaml:"name" json:"name"`
	Means   string   `yaml:"means" json:"means"`
	Example string   `yaml:"example" json:"example,omitempty"`
	Default string   `yaml:"default" json:"default,omitempty"`
	Form    string   `yaml:"form" json:"form,omitempty"`       // label (one part of a host), host, segment (one part of a path)
	Choices []Choice `yaml:"choices" json:"choices,omitempty"` // the first is the default
}

// Choice is one of several values, and what it makes of the braces.
type Choice struct {
	Name string `yaml:"name" json:"name"`
	Set  Params `yaml:"set" json:"set"`
}

// Endpoints of an API, with braces where a value belongs.
type Endpoints struct {
	Token               string `yaml:"token_endpoint" json:"token_endpoint"`
	Authorization       string `yaml:"authorization_endpoint" json:"authorization_endpoint,omitempty"`
	DeviceAuthorization string `yaml:"device_authorization_endpoint" json:"device_authorization_endpoint,omitempty"`
	Revocation          string `yaml:"revocation_endpoint" json:"revocation_endpoint,omitempty"`
	Introspection       string `yaml:"introspection_endpoint" json:"introspection_endpoint,omitempty"`
	JWKS                string `yaml:"jwks_uri" json:"jwks_uri,omitempty"`
	IssuerInResponse    bool   `yaml:"iss_in_response" json:"authorization_response_iss_parameter_supported,omitempty"`
}

// Scopes of an API.
type Scopes struct {
	Separator string   `yaml:"separator" json:"separator,omitempty"` // empty: a blank
	Default   []string `yaml:"default" json:"default,omitempty"`     // asked for where nobody said what
	// ClientCredentials are asked for with that grant where nobody said what.
	ClientCredentials []string `yaml:"client_credentials" json:"client_credentials,omitempty"`
	Refresh           string   `yaml:"refresh" json:"refresh,omitempty"` // without it there is no refresh token
}

// Told says how an answer tells when its access token ends.
type Told string

// The ways to tell.
const (
	ToldIn      Told = "expires_in" // RFC 6749 section 5.1
	ToldAt      Told = "expires_at" // a time
	ToldNot     Told = "no"
	ToldUnknown Told = "unknown"
)

// Access is what is known of access tokens.
type Access struct {
	Life      Span   `yaml:"life" json:"life,omitzero"` // usual; zero: unknown
	Told      Told   `yaml:"told" json:"told"`
	NeverEnds bool   `yaml:"never_ends" json:"never_ends,omitempty"`
	Note      string `yaml:"note" json:"note,omitempty"`
}

// Refresh is what is known of refresh tokens. Unknown is a value and is never
// taken for harmless: where nothing is known a refresh token counts as one that
// is used once.
type Refresh struct {
	Given     string `yaml:"given" json:"given"`           // always, scope, parameter, setting, never, unknown: what brings one
	Rotates   string `yaml:"rotates" json:"rotates"`       // always, sometimes, never, setting, unknown: whether a refresh brings another
	SingleUse string `yaml:"single_use" json:"single_use"` // yes, no, setting, unknown: whether one that was used is dead
	Grace     Span   `yaml:"grace" json:"grace,omitzero"`  // how long one that was used may be used again
	Life      Span   `yaml:"life" json:"life,omitzero"`    // at most, from when it was given
	Idle      Span   `yaml:"idle" json:"idle,omitzero"`    // unused
	NeverEnds bool   `yaml:"never_ends" json:"never_ends,omitempty"`
	Note      string `yaml:"note" json:"note,omitempty"`
}

// Quirk is one departure from what a client expects.
type Quirk struct {
	ID     string `yaml:"id" json:"id"`
	Says   string `yaml:"says" json:"says"`     // what the provider does
	Effect string `yaml:"effect" json:"effect"` // what that means here
	From   string `yaml:"from" json:"from"`     // the page
}

// Source is a page that facts were taken from.
type Source struct {
	URL     string `yaml:"url" json:"url"`
	Checked string `yaml:"checked" json:"checked"` // the day on which it, or a stored copy of it, was read
	For     string `yaml:"for" json:"for"`
}

// Span is a time that may be written in days ("60d") beside Go's units.
type Span time.Duration

// IsZero tells whether it is unknown.
func (s Span) IsZero() bool { return s == 0 }

// Duration gives it as Go has it.
func (s Span) Duration() time.Duration { return time.Duration(s) }

// GrantType gives the grant type of a short name as presets and the command line
// use it: "device_code", "jwt_bearer", "token_exchange", or a grant type itself.
func GrantType(name string) (string, bool) {
	switch name {
	case "device_code", "device":
		return broker.GrantDevice, true
	case "jwt_bearer":
		return broker.GrantJWTBearer, true
	case "token_exchange":
		return broker.GrantTokenExchange, true
	}
	for _, grant := range broker.Grants {
		if name == grant {
			return grant, true
		}
	}
	return "", false
}

// Separator gives what stands between scopes.
func (p *Preset) Separator() string {
	if p == nil || p.Scopes.Separator == "" {
		return " "
	}
	return p.Scopes.Separator
}
