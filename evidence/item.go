package evidence

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"usher"
	"usher/oauth"
	"usher/token"
)

// Input is one thing that the person gave: an argument, a file or standard input.
type Input struct {
	Name string // "error.json", "stdin", "argument 1": the start of every place
	Data []byte
	// Context marks facts of the setup rather than the failure itself.
	Context bool
}

// Set is everything that was read out of the inputs of one call.
type Set struct {
	Items   []Item
	Ignored []usher.Ignored
	Notes   []string       // what a person should know of the reading ("the file is UTF-16, it was converted")
	Secrets []usher.Secret // every credential met, so that no output can hold one
	// Cut are the places where a JSON document ended before it was whole.
	Cut []string
	// Flow is the flow as a HAR or a series of exchanges shows it, in order,
	// with the step that failed; empty when the evidence shows no flow.
	Flow []usher.FlowStep
}

// Item is one piece of evidence with its content, decoded. Which of the
// pointers are set follows from its kind; Text is always there.
type Item struct {
	usher.Evidence
	// Text is what message signatures are matched against: the content after
	// percent, HTML entity and JSON string decoding. It holds secrets.
	Text string
	// Line is the line of the input where Text starts, from 1.
	Line int
	// Context marks facts of the setup.
	Context bool
	// Time is when it happened, as far as the evidence tells.
	Time time.Time
	// Facts are the observations that knowledge can ask for, see Fact.
	Facts []Fact

	Error        *ErrorBody
	AuthRequest  *oauth.AuthorizationRequest
	AuthResponse *oauth.AuthorizationResponse
	TokenRequest *oauth.TokenRequest
	Challenges   []oauth.Challenge
	Metadata     *oauth.Metadata
	Token        *token.Parsed
	Raw          usher.Secret // the token itself, for a verification with keys
	Keys         *token.KeySet
	Registration *Registration
	Exchange     *Exchange
	Event        *usher.Event
	// Object is the decoded JSON of a log record or other object that has no
	// reader of its own, for knowledge that asks for a member.
	Object map[string]any
	// JSON is the document of a kind that knowledge asks for any member of: key
	// sets, metadata, registrations, answers of token, introspection and
	// registration endpoints. It holds secrets.
	JSON json.RawMessage
	// Origin is the member or parameter that a token was found in: "id_token".
	Origin string
	// KeysOf is the client whose keys these are; empty for a provider's.
	KeysOf string
	// Of is the exchange that it was found in, nil when it stood alone.
	Of *Exchange

	// from and to bound the item in src; src is nil where it has no text of its own there.
	src      *source
	from, to int
}

// PlaceOf gives the place of words that stand in Text or in a decoded member.
// Text is put together from parts for some kinds, so its lines are not those of
// the input: words that do not stand literally in the input have the item's
// place. It gives false where only Line and the lines of Text can tell.
func (it *Item) PlaceOf(words string) (place string, ok bool) {
	if it.src == nil {
		return "", false
	}
	if i := strings.Index(it.src.text[it.from:it.to], words); i >= 0 && words != "" {
		return it.src.place(it.from + i), true
	}
	return it.Place, true
}

// bound notes where an item stands in its input.
func (it *Item) bound(p *piece, from, to int) {
	if !p.fixed && !p.src.flat && 0 <= from && from < to && p.off(to) <= len(p.src.text) {
		it.src, it.from, it.to = p.src, p.off(from), p.off(to)
	}
}

// Fact is one observation in a closed vocabulary, "grant=refresh_token" or
// "status=401"; FactKeys lists the keys.
type Fact struct {
	Key   string
	Value string
	Place string // where it was seen, for the proof
	Quote string // what was seen, unmasked
}

// ErrorBody is an error as a provider, an API or a redirect reports it, all
// shapes in one: RFC 6749 section 5.2, Entra's v1 and v2 members, and the
// nested forms of Graph, Google, Okta, Cognito, Slack, Square and others.
type ErrorBody struct {
	Code        string   // the member error (RFC) or the vendor's code ("InvalidAuthenticationToken")
	Description string   // error_description, message, errorSummary, ...
	URI         string   // error_uri
	Codes       []string // provider codes met, in order: "AADSTS53003", "E0000004"
	Suberror    string   // Entra's suberror, Google's error_subtype
	Claims      string   // the claims challenge, decoded JSON
	PolicyIDs   []string // claims: access_token.capolids or polids values
	TraceID     string
	Correlation string
	Timestamp   time.Time
	State       string
	Issuer      string // iss of RFC 9207
	Status      int    // HTTP status where the body or its envelope tells it, otherwise 0
}

// Exchange is one HTTP request with its response.
type Exchange struct {
	Method  string
	URL     string
	Request http.Header
	Status  int // 0: no response seen
	Header  http.Header
	// Body of the request and of the response, decoded, at most 1 MiB each.
	RequestBody, Body string
	Started           time.Time
}

// Registration is what a provider knows of a client, in one form for all
// providers. An empty field is unknown unless Known holds its name.
type Registration struct {
	Provider       string // "entra", "okta", "auth0", "keycloak", "google"
	Shape          string // "entra-manifest", "graph-application", "okta-app", ...
	ClientID       string
	Name           string
	RedirectURIs   []RegisteredURI
	Public         *bool    // the client has no secret (public client flows allowed); nil: unknown
	AuthMethods    []string // token_endpoint_auth_method values
	GrantTypes     []string
	ResponseTypes  []string
	Scopes         []string // allowed or required scopes
	Audience       string   // Entra's signInAudience, Google's user type
	IdentifierURIs []string
	TokenVersion   string // Entra's accessTokenAcceptedVersion
	Enabled        *bool
	Credentials    []Credential
	WebOrigins     []string
	PKCERequired   *bool
	Place          string

	// Known are names of fields of this struct that the export held although
	// they are empty here: none is registered, rather than nothing known.
	Known []string
	// ApplicationType is what the client runs as, where the export says so for
	// the whole client: "web", "native", "spa", "service".
	ApplicationType  string
	WildcardRedirect string          // Okta's wildcard_redirect: "DISABLED", "SUBDOMAIN"
	ThirdParty       *bool           // Auth0: not first party
	LogoutURIs       []RegisteredURI // where a browser may be sent after sign-out
	FullScope        *bool           // Keycloak's fullScopeAllowed: tokens hold every role of the user
	DefaultScopes    []string        // given without being asked for; they stand among Scopes too
	DefinedScopes    []string        // that it defines itself, as an API (Entra's oauth2PermissionScopes)
	Permissions      []Permission    // of other APIs that it wants
	Grants           []Grant         // consents and assignments, as far as they were exported with it

	AssignmentRequired *bool // users need an assignment before they may sign in (Entra's appRoleAssignmentRequired)
	Owners             []string
	Notes              string // what it is for, in the words of its owner
	Created            time.Time
	LastSignIn         time.Time
	// UserConsent says, of a tenant's settings, which apps users may consent to
	// by themselves: "all", "low" (verified publishers or low risk), "none".
	UserConsent string
	Federated   []Federated // outside issuers whose tokens stand for the client
	KeysURI     string      // jwks_uri
	// TLSNames are the registered subject and alternative names of a client
	// certificate, RFC 8705 section 2.1.2, by member: "tls_client_auth_subject_dn".
	TLSNames map[string]string
}

// Federated is a trust in the tokens of an outside issuer, which the client may
// present in place of a credential of its own.
type Federated struct {
	Name, Issuer, Subject string
	Audiences             []string
	Place                 string
}

// Permission is one permission of another API that a client wants.
type Permission struct {
	Name        string // "Mail.Read", or the id where the export names no name
	Resource    string // the API, by its id or name
	Application bool   // the client's own, without a person; else on behalf of one
	Place       string
}

// Grant is a consent to permissions, or an assignment of them.
type Grant struct {
	Scopes      []string
	Resource    string
	Application bool
	AllUsers    bool      // given by an administrator for everybody
	User        string    // who gave it for himself
	Given       time.Time // zero: not told
	Reviewed    time.Time // zero: not told
	Place       string
}

// RegisteredURI is one registered redirect URI.
type RegisteredURI struct {
	URI      string
	Platform string // Entra's "web", "spa", "publicClient"; empty elsewhere
	Place    string
}

// Credential is a secret or certificate of a client.
type Credential struct {
	ID      string // Entra's keyId: the secret id that people paste for the value
	Kind    string // "secret", "certificate"
	Name    string
	Hint    string // first characters of the value, as Entra keeps them
	Expires time.Time
	Starts  time.Time
	Place   string
	// Value is the secret itself, where the export holds it (Okta, Auth0,
	// Keycloak, Google); empty where it is masked or kept back.
	Value usher.Secret
	// Thumbprint of a certificate as the provider writes it (Entra's
	// customKeyIdentifier): hexadecimal or base64 of a SHA-1 or SHA-256 hash.
	Thumbprint string
}
