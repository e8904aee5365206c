package broker

import (
	"time"

	"usher"
)

// Config is a connection as somebody set it up. It holds no secret.
type Config struct {
	ID       string `json:"id"`                 // small letters, digits, hyphens: "shop-gateway"
	Preset   string `json:"preset,omitempty"`   // name of the preset that it was made from
	Provider string `json:"provider,omitempty"` // name of a configured provider, where it is one
	Issuer   string `json:"issuer,omitempty"`   // that ID tokens and authorization responses (RFC 9207) must name

	Endpoints Endpoints `json:"endpoints"`

	Grant      string `json:"grant_type"`                 // one of Grants
	ClientID   string `json:"client_id"`                  // RFC 6749 section 2.2
	AuthMethod string `json:"token_endpoint_auth_method"` // RFC 7591 section 2; always set, never tried out

	Scopes    []string          `json:"scopes,omitempty"`     // asked for
	Audience  string            `json:"audience,omitempty"`   // parameter "audience" (Auth0, RFC 8693)
	Resources []string          `json:"resources,omitempty"`  // parameter "resource", RFC 8707
	Extra     map[string]string `json:"parameters,omitempty"` // further parameters of the token request, none secret

	// Authorize are further parameters of the authorization request: prompt,
	// access_type.
	Authorize map[string]string `json:"authorization_parameters,omitempty"`

	// Of the JWT bearer grant (RFC 7523) and of private_key_jwt.
	AssertionIssuer  string `json:"assertion_issuer,omitempty"`
	AssertionSubject string `json:"assertion_subject,omitempty"`
	KeyID            string `json:"kid,omitempty"`

	// Subject names the connection whose token is exchanged (RFC 8693), and what
	// is asked for in its place.
	Subject            string `json:"subject_connection,omitempty"`
	SubjectTokenType   string `json:"subject_token_type,omitempty"`
	RequestedTokenType string `json:"requested_token_type,omitempty"`

	// AssertionAudience is aud of the JWT bearer grant's assertion and of the
	// client's own (private_key_jwt; Auth0 wants the tenant); empty: the token
	// endpoint.
	AssertionAudience string `json:"assertion_audience,omitempty"`

	// ReuseGrace is how long after its first use the provider takes a refresh
	// token a second time and gives the same session (Okta's grace period,
	// Auth0's leeway); 0: not at all. It decides what is done about a request
	// whose answer was lost.
	ReuseGrace usher.Duration `json:"refresh_reuse_grace,omitempty"`

	Role     string   `json:"role,omitempty"`    // of the callers, for lifespan policies
	Policy   string   `json:"policy,omitempty"`  // name of the lifespan policy; empty: the default
	Owner    string   `json:"owner,omitempty"`   // who is asked and warned
	Callers  []string `json:"callers,omitempty"` // names of the keys that may take the token; none: every key that may use connections
	Targets  []string `json:"targets,omitempty"` // origins that the egress proxy may send the token to; none: nowhere
	Disabled bool     `json:"disabled,omitempty"`

	Made   time.Time `json:"made"`
	MadeBy string    `json:"made_by,omitempty"`
}

// Endpoints of the provider, absolute URLs; empty where there is none.
type Endpoints struct {
	Token               string `json:"token_endpoint"`
	Authorization       string `json:"authorization_endpoint,omitempty"`
	DeviceAuthorization string `json:"device_authorization_endpoint,omitempty"` // RFC 8628
	Revocation          string `json:"revocation_endpoint,omitempty"`           // RFC 7009
	Introspection       string `json:"introspection_endpoint,omitempty"`        // RFC 7662
	JWKS                string `json:"jwks_uri,omitempty"`
	// IssuerInResponse tells that authorization responses carry iss, RFC 9207.
	IssuerInResponse bool `json:"authorization_response_iss_parameter_supported,omitempty"`
}

// The grants that a connection can live by.
const (
	GrantCode              = "authorization_code"                              // a person connects on the hosted page; renewed by refresh tokens
	GrantClientCredentials = "client_credentials"                              // no person; renewed by asking again
	GrantRefresh           = "refresh_token"                                   // a refresh token that was handed in
	GrantDevice            = "urn:ietf:params:oauth:grant-type:device_code"    // RFC 8628
	GrantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // RFC 7523
	GrantTokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693
)

// Grants lists the grants.
var Grants = []string{GrantCode, GrantClientCredentials, GrantRefresh, GrantDevice, GrantJWTBearer, GrantTokenExchange}

// Interactive tells whether only a person can begin a grant anew.
func Interactive(grant string) bool {
	return grant == GrantCode || grant == GrantDevice || grant == GrantRefresh
}

// Keys are the secrets of a connection, kept sealed.
type Keys struct {
	ClientSecret usher.Secret // empty with private_key_jwt and none
	PrivateKey   usher.Secret // PEM or JWK, of private_key_jwt and the JWT bearer grant
	// Credential names the managed secret (package credential) that ClientSecret
	// comes from; then ClientSecret is empty here.
	Credential string
}

// State is where a connection stands.
type State string

// The states of a connection.
const (
	StateNew     State = "new"     // nobody has connected yet
	StateAlive   State = "alive"   // its token can be used and is renewed
	StateFailing State = "failing" // renewing fails for now and is tried again
	StateWaiting State = "waiting" // somebody has to act: see Trouble.Turn
	StateStopped State = "stopped" // given up, or disabled
)

// Tokens are what a grant gave, kept sealed.
type Tokens struct {
	Access  usher.Secret
	Refresh usher.Secret // empty: there is none
	ID      usher.Secret
}

// Status is where a connection stands and why. It holds no secret.
type Status struct {
	State       State     `json:"state"`
	Generation  int64     `json:"generation"`                 // counts the answers that were stored, from 1; 0: none yet
	Version     int64     `json:"version"`                    // counts every write
	Obtained    time.Time `json:"obtained,omitzero"`          // when the access token was received
	Expires     time.Time `json:"expires,omitzero"`           // of the access token, as the policy reads the answer; zero: unknown
	Refreshes   time.Time `json:"refresh_expires,omitzero"`   // of the refresh token; zero: unknown
	Absolute    time.Time `json:"absolute_expires,omitzero"`  // when a person must connect again, by policy or provider; zero: never
	Connected   time.Time `json:"connected,omitzero"`         // when the grant began
	Used        time.Time `json:"used,omitzero"`              // when a caller last took the token, to the minute
	RenewAt     time.Time `json:"renew_at,omitzero"`          // when it is renewed, or tried again; zero: not by itself
	TokenType   string    `json:"token_type,omitempty"`       // "Bearer", "DPoP"
	Scopes      []string  `json:"scopes_granted,omitempty"`   // nil: not told, so as asked for
	ExpiresIn   int64     `json:"expires_in,omitempty"`       // seconds, as the provider said; 0: it did not
	User        string    `json:"user,omitempty"`             // sub of the ID token, or what the answer names
	Notes       []string  `json:"notes,omitempty"`            // oddities of the last answer that were forgiven
	Trouble     *Trouble  `json:"trouble,omitempty"`          // what is wrong; nil: nothing
	Healed      *Trouble  `json:"healed,omitempty"`           // the last trouble that went away, and when
	Attempt     *Attempt  `json:"attempt,omitempty"`          // a request that may be under way
	Refreshable bool      `json:"refreshable,omitempty"`      // there is a refresh token that may be presented
	Rotates     string    `json:"rotates,omitempty"`          // whether the provider gave a new refresh token for the last: "yes", "no"; empty: not seen yet
	Narrowed    []string  `json:"scopes_narrowed,omitempty"`  // asked for in place of the configured scopes
	Forced      int       `json:"forced,omitempty"`           // renewals in a row because an API refused a fresh token
	ForcedAt    time.Time `json:"forced_at,omitzero"`         // the last of them
	Spent       string    `json:"spent_refresh_id,omitempty"` // fingerprint of the refresh token that Attempt presents, or without one, that a server's error may have spent
}

// Trouble is why a token cannot be renewed.
type Trouble struct {
	Cause    string      `json:"cause"`                       // label of the taxonomy; "unknown" where none could be told
	Strategy string      `json:"strategy"`                    // name of the strategy: retry, authenticate, ask, rotate, narrow, give-up
	Title    string      `json:"title"`                       // "the refresh token was revoked"
	Turn     usher.Fixer `json:"turn,omitempty"`              // whose turn it is; empty: nobody's, the broker tries again
	Link     string      `json:"link,omitempty"`              // of the hosted page where a person connects again
	Code     string      `json:"error,omitempty"`             // RFC 6749 section 5.2, or the provider's code
	Detail   string      `json:"error_description,omitempty"` // masked
	Status   int         `json:"http_status,omitempty"`       // 0: no answer came
	Since    time.Time   `json:"since"`
	Last     time.Time   `json:"last"`
	Tries    int         `json:"tries"`
	Ended    time.Time   `json:"ended,omitzero"`     // of a healed one
	Endpoint bool        `json:"endpoint,omitempty"` // the fault is the endpoint's: whoever needs a token may try as soon as it is back
}

// Attempt is a request to the token endpoint that was begun: written down before
// it is sent, and taken away with its answer. One that stays tells that whoever
// sent it is gone, and that a single-use refresh token may be spent.
type Attempt struct {
	Fence  int64     `json:"fence"`  // of the lease under which it was begun
	Holder string    `json:"holder"` // replica
	Began  time.Time `json:"began"`
	Until  time.Time `json:"until"` // when the sender has surely given up
	// First is when the same refresh token may have been presented first, by an
	// attempt that this one replaced; zero: Began.
	First time.Time `json:"first,omitzero"`
}

// Record is a connection in the store.
type Record struct {
	Config   Config
	Revision int64  // of the configuration
	Keys     []byte // Keys, sealed
	Status   Status
	Tokens   []byte // Tokens, sealed; nil: none
}
