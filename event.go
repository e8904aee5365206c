package usher

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// EventKind sorts events for cases and rules.
type EventKind string

// The kinds of events.
const (
	EventSignIn       EventKind = "signin-interactive"
	EventSilentSignIn EventKind = "signin-silent"
	EventAppSignIn    EventKind = "signin-app"
	EventToken        EventKind = "token"
	EventConsent      EventKind = "consent"
	EventSession      EventKind = "session"
	EventAPI          EventKind = "api"
	EventAdmin        EventKind = "admin" // a change to what decides: registration, role, policy, key, secret
	EventOther        EventKind = "other"
)

// EventKinds lists every kind.
var EventKinds = []EventKind{
	EventSignIn, EventSilentSignIn, EventAppSignIn, EventToken, EventConsent, EventSession, EventAPI, EventAdmin, EventOther,
}

// Valid tells whether k is one of EventKinds.
func (k EventKind) Valid() bool { return slices.Contains(EventKinds, k) }

// Status is the result of an event, in the numbers of OCSF.
type Status int

// The statuses of OCSF's status_id. Zero is unknown, never success.
const (
	StatusUnknown Status = 0
	StatusSuccess Status = 1
	StatusFailure Status = 2
)

// Classes of OCSF that an event may belong to.
const (
	ClassAuthentication = 3002
	ClassAPIActivity    = 6003
	ClassEntityChange   = 3004 // Entity Management: a change to a client, policy, role, key or secret
)

// Event is one attempt to get, use, refresh or revoke a token or to sign in,
// or one change to the things that decide it. Names follow OCSF Authentication
// (3002), API Activity (6003) and Entity Management (3004). Absent stays
// absent; unknown is never false. Every string is masked: an event holds no
// secret.
type Event struct {
	// UID is this record's own id: a hash of the source and of the original id
	// (or of the record), so that a second import changes nothing.
	UID      string    `json:"uid"`
	Original string    `json:"original_event_uid,omitempty"` // the source's id of the record
	Class    int       `json:"class_uid,omitempty"`          // OCSF class: 3002, 6003 or 3004
	Kind     EventKind `json:"kind"`
	Code     string    `json:"event_code,omitempty"`  // the source's type or category: "LOGIN_ERROR", "SignInLogs"
	Provider string    `json:"provider,omitempty"`    // kind of provider: "keycloak", "entra", "usher"
	LogName  string    `json:"log_name,omitempty"`    // shape that it was read from: "keycloak-log", "graph"
	Tenant   string    `json:"tenant_uid,omitempty"`  // tenant, realm or organisation
	Time     time.Time `json:"time"`                  // when it happened, UTC
	Logged   time.Time `json:"logged_time,omitzero"`  // when the source wrote it down, where it tells
	Message  string    `json:"message,omitempty"`     // the record in the source's own words, one line
	Severity int       `json:"severity_id,omitempty"` // OCSF: 1 informational to 5 critical

	Correlation string `json:"correlation_uid,omitempty"`
	Session     string `json:"session_uid,omitempty"`

	Status       Status `json:"status_id"`
	StatusCode   string `json:"status_code,omitempty"` // the provider's code
	StatusDetail string `json:"status_detail,omitempty"`
	// Interrupted marks a step that was asked for, not a refusal.
	Interrupted bool `json:"interrupted,omitempty"`

	User     Party    `json:"user"`
	UserType string   `json:"user_type,omitempty"` // "user", "guest", "service-principal", "managed-identity", "system"
	UserHome string   `json:"user_home,omitempty"` // home tenant of the user, OCSF user.org.uid
	Actor    Party    `json:"actor"`               // who asked, where it is not the user: an administrator, a service
	Client   Party    `json:"client"`              // OCSF actor.app_uid: the OAuth client
	Resource Party    `json:"resource"`            // OCSF dst_endpoint: the API
	Source   Endpoint `json:"src_endpoint"`
	SeenIP   string   `json:"resource_seen_ip,omitempty"` // address seen by the resource, where it differs

	UserAgent string       `json:"user_agent,omitempty"`
	Request   Request      `json:"http_request"`
	MFA       *bool        `json:"is_mfa,omitempty"`
	Protocol  string       `json:"auth_protocol,omitempty"` // "openid", "oauth2", "saml", "basic"
	Device    Device       `json:"device"`
	OAuth     OAuthFacts   `json:"oauth"`
	Policies  []Decision   `json:"policies,omitempty"`
	Risk      string       `json:"risk,omitempty"`      // of the sign-in: none, low, medium, high
	UserRisk  string       `json:"user_risk,omitempty"` // of the user
	Risks     []string     `json:"risk_details,omitempty"`
	Change    *Change      `json:"change,omitempty"` // of kind admin and consent
	Evidence  []FieldPlace `json:"evidence,omitempty"`
	Masked    []string     `json:"masked,omitempty"` // fields of the record in which something was masked

	Unmapped map[string]string `json:"unmapped,omitempty"` // what the record holds beside, masked
}

// Party is a user, a client or a resource by its id and its name.
type Party struct {
	UID  string `json:"uid,omitempty"`
	Name string `json:"name,omitempty"`
}

// Known tells whether anything is known of p.
func (p Party) Known() bool { return p.UID != "" || p.Name != "" }

// Is tells whether p and q are surely the same: by id where both have one,
// otherwise by name. What is unknown is not the same.
func (p Party) Is(q Party) bool {
	if p.UID != "" && q.UID != "" {
		return p.UID == q.UID
	}
	return p.Name != "" && p.Name == q.Name
}

// String gives the name, or the id where there is no name.
func (p Party) String() string { return cmp.Or(p.Name, p.UID) }

// Endpoint is where a request came from.
type Endpoint struct {
	IP      string   `json:"ip,omitempty"`
	Country string   `json:"country,omitempty"` // ISO 3166-1 alpha-2
	Region  string   `json:"region,omitempty"`
	City    string   `json:"city,omitempty"`
	ASN     int      `json:"asn,omitempty"`
	Via     []string `json:"intermediate_ips,omitempty"`
}

// Request is the HTTP request as the source tells it, its query masked.
type Request struct {
	Method string `json:"http_method,omitempty"`
	Host   string `json:"hostname,omitempty"`
	Path   string `json:"path,omitempty"`
	UID    string `json:"uid,omitempty"`  // request id
	Status int    `json:"code,omitempty"` // of the response
}

// Device is what the provider knows of the device.
type Device struct {
	UID       string `json:"uid,omitempty"`
	Name      string `json:"name,omitempty"`
	OS        string `json:"os,omitempty"`
	Browser   string `json:"browser,omitempty"`
	Managed   *bool  `json:"is_managed,omitempty"`
	Compliant *bool  `json:"is_compliant,omitempty"`
	TrustType string `json:"trust_type,omitempty"`
}

// OAuthFacts are the facts that OCSF has no place for.
type OAuthFacts struct {
	Endpoint     string    `json:"endpoint,omitempty"` // authorize, token, callback, introspect, revoke, par, device, userinfo, api
	GrantType    string    `json:"grant_type,omitempty"`
	ClientAuth   string    `json:"client_auth,omitempty"` // token_endpoint_auth_method, RFC 7591 section 2
	Credential   string    `json:"credential_uid,omitempty"`
	RedirectURI  string    `json:"redirect_uri,omitempty"`
	ResponseType string    `json:"response_type,omitempty"`
	Requested    []string  `json:"scopes_requested,omitempty"`
	Granted      []string  `json:"scopes_granted,omitempty"`
	Audiences    []string  `json:"audiences,omitempty"`
	TokenIn      string    `json:"token_in,omitempty"`  // kind of token presented: access_token, refresh_token, id_token, jwt-bearer
	TokenUID     string    `json:"token_uid,omitempty"` // its jti or the provider's id of it
	KeyID        string    `json:"key_uid,omitempty"`   // kid of the token presented
	Expires      time.Time `json:"token_expires,omitzero"`
	ClientApp    string    `json:"client_app,omitempty"` // Entra's clientAppUsed
	OriginFlow   string    `json:"origin_flow,omitempty"`
	AuthRequired string    `json:"auth_requirement,omitempty"`
	AuthMethods  []string  `json:"auth_methods,omitempty"`
	Error        string    `json:"error,omitempty"` // RFC 6749 section 5.2, RFC 6750 section 3.1
	Description  string    `json:"error_description,omitempty"`
}

// Decision is what one policy said to one event.
type Decision struct {
	Policy     Party    `json:"policy"`
	Result     string   `json:"result"` // success, failure, notApplied, notEnabled, unknown, reportOnly...
	ReportOnly bool     `json:"report_only,omitempty"`
	Met        []string `json:"conditions_met,omitempty"`
	Unmet      []string `json:"conditions_unmet,omitempty"`
	Grant      []string `json:"grant_controls,omitempty"`
	Session    []string `json:"session_controls,omitempty"`
}

// Change is what an administrator, an owner or a program changed of the things
// that decide.
type Change struct {
	Operation string   `json:"operation"` // create, update, delete, action
	Type      string   `json:"type"`      // client, scope, role, user, policy, key, secret, consent, realm, other
	Target    Party    `json:"target"`    // of a client: its client id, or the provider's own id where only that is told
	Path      string   `json:"path,omitempty"`
	Fields    []string `json:"fields,omitempty"` // what was changed, where the record tells: "redirectUris"
}

// FieldPlace says where in the record a field's value stood.
type FieldPlace struct {
	Field string `json:"field"` // path as in Field: "client.uid"
	Place string `json:"place"` // JSON pointer, key of a log line, or column
}

// Validate gives every breach of what an event must hold.
func (e *Event) Validate() error {
	var errs []error
	if e.UID == "" {
		errs = append(errs, errors.New("uid: an event needs an id of its own"))
	}
	if e.Time.IsZero() {
		errs = append(errs, errors.New("time: an event needs a time"))
	}
	if !e.Kind.Valid() {
		errs = append(errs, fmt.Errorf("kind: %q is no kind of event", e.Kind))
	}
	if e.Status < StatusUnknown || e.Status > StatusFailure {
		errs = append(errs, errors.New("status_id: 0 (unknown), 1 (success) or 2 (failure)"))
	}
	if e.Interrupted && e.Status == StatusSuccess {
		errs = append(errs, errors.New("interrupted: an interrupt is no success"))
	}
	return errors.Join(errs...)
}

// Connection gives the id of the connection that an event of usher's own broker
// is about; empty: it is of something else. The broker tells it as the session,
// for it lives on from token to token.
func (e *Event) Connection() string {
	if e.Provider == "usher" && e.LogName == "broker" {
		return e.Session
	}
	return ""
}

// TokenEndpoint gives the host and path of the token endpoint that an event of
// usher's own broker is of, "id.example/token"; empty: it is of something else.
func (e *Event) TokenEndpoint() string {
	if e.Connection() == "" || e.Kind != EventToken || e.Request.Host == "" {
		return ""
	}
	return e.Request.Host + e.Request.Path
}

// FaultOfEndpoint marks, as Unmapped["fault"], a refusal whose fault is the token
// endpoint's and not that of the connection that met it.
const FaultOfEndpoint = "endpoint"

// FaultyEndpoint gives the TokenEndpoint whose fault a refusal is; empty: it is
// the connection's own, or of something else.
func (e *Event) FaultyEndpoint() string {
	if !e.Refused() || e.Unmapped["fault"] != FaultOfEndpoint {
		return ""
	}
	return e.TokenEndpoint()
}

// Refused tells whether the event is a refusal: a failure that is no step asked for.
func (e *Event) Refused() bool { return e.Status == StatusFailure && !e.Interrupted }

// fields are the values that proofs compare, by their path in the JSON form.
var fields = map[string]func(*Event) string{
	"kind":                   func(e *Event) string { return string(e.Kind) },
	"event_code":             func(e *Event) string { return e.Code },
	"provider":               func(e *Event) string { return e.Provider },
	"tenant_uid":             func(e *Event) string { return e.Tenant },
	"session_uid":            func(e *Event) string { return e.Session },
	"status_code":            func(e *Event) string { return e.StatusCode },
	"user":                   func(e *Event) string { return cmp.Or(e.User.UID, e.User.Name) },
	"user.uid":               func(e *Event) string { return e.User.UID },
	"user.name":              func(e *Event) string { return e.User.Name },
	"client":                 func(e *Event) string { return cmp.Or(e.Client.UID, e.Client.Name) },
	"client.uid":             func(e *Event) string { return e.Client.UID },
	"resource":               func(e *Event) string { return cmp.Or(e.Resource.UID, e.Resource.Name) },
	"resource.uid":           func(e *Event) string { return e.Resource.UID },
	"src_endpoint.ip":        func(e *Event) string { return e.Source.IP },
	"user_agent":             func(e *Event) string { return e.UserAgent },
	"http_request.path":      func(e *Event) string { return e.Request.Path },
	"device":                 device,
	"device.uid":             func(e *Event) string { return e.Device.UID },
	"oauth.endpoint":         func(e *Event) string { return e.OAuth.Endpoint },
	"oauth.grant_type":       func(e *Event) string { return e.OAuth.GrantType },
	"oauth.client_auth":      func(e *Event) string { return e.OAuth.ClientAuth },
	"oauth.redirect_uri":     func(e *Event) string { return e.OAuth.RedirectURI },
	"oauth.token_uid":        func(e *Event) string { return e.OAuth.TokenUID },
	"oauth.key_uid":          func(e *Event) string { return e.OAuth.KeyID },
	"oauth.client_app":       func(e *Event) string { return e.OAuth.ClientApp },
	"oauth.credential_uid":   func(e *Event) string { return e.OAuth.Credential },
	"oauth.scopes_requested": func(e *Event) string { return sortedWords(e.OAuth.Requested) },
	"oauth.scopes_granted":   func(e *Event) string { return sortedWords(e.OAuth.Granted) },
	"oauth.audiences":        func(e *Event) string { return sortedWords(e.OAuth.Audiences) },
}

// device gives the id of the device, or "unregistered" where the source says
// that the provider knows no such device.
func device(e *Event) string { return cmp.Or(e.Device.UID, e.Unmapped["device"]) }

// sortedWords makes one comparable value of a set.
func sortedWords(set []string) string {
	set = slices.Clone(set)
	slices.Sort(set)
	return strings.Join(slices.Compact(set), " ")
}

// Field gives the value at a path of FieldPaths, as proofs compare it; empty is
// unknown. A path that does not exist gives false.
func (e *Event) Field(path string) (value string, ok bool) {
	get, ok := fields[path]
	if !ok {
		return "", false
	}
	return get(e), true
}

// FieldPaths lists what Field knows, sorted.
func FieldPaths() []string { return slices.Sorted(maps.Keys(fields)) }
