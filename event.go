package usher

import (
	"errors"
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

// Status is the result of an event, in the numbers of OCSF.
type Status int

// The statuses of OCSF's status_id. Zero is unknown, never success.
const (
	StatusUnknown Status = 0
	StatusSuccess Status = 1
	StatusFailure Status = 2
)

// Event is one attempt to get, use, refresh or revoke a token or to sign in,
// or one change to the things that decide it. Names follow OCSF Authentication
// (3002) and API Activity (6003). Absent stays absent; unknown is never false.
type Event struct {
	UID      string    `json:"uid"` // of this record, stable over repeated imports
	Original string    `json:"original_event_uid,omitempty"`
	Kind     EventKind `json:"kind"`
	Code     string    `json:"event_code,omitempty"` // the source's type or category
	Provider string    `json:"provider,omitempty"`
	Tenant   string    `json:"tenant_uid,omitempty"`
	Time     time.Time `json:"time"`

	Correlation string `json:"correlation_uid,omitempty"`
	Session     string `json:"session_uid,omitempty"`

	Status       Status `json:"status_id"`
	StatusCode   string `json:"status_code,omitempty"` // the provider's code
	StatusDetail string `json:"status_detail,omitempty"`
	// Interrupted marks a step that was asked for, not a refusal.
	Interrupted bool `json:"interrupted,omitempty"`

	User     Party    `json:"user"`
	Client   Party    `json:"client"`   // OCSF service: the OAuth client
	Resource Party    `json:"resource"` // OCSF dst_endpoint: the API
	Source   Endpoint `json:"src_endpoint"`
	SeenIP   string   `json:"resource_seen_ip,omitempty"` // address seen by the resource, where it differs

	UserAgent string     `json:"user_agent,omitempty"`
	MFA       *bool      `json:"is_mfa,omitempty"`
	Device    Device     `json:"device"`
	OAuth     OAuthFacts `json:"oauth"`
	Policies  []Decision `json:"policies,omitempty"`
	Risk      string     `json:"risk,omitempty"`      // of the sign-in: none, low, medium, high
	UserRisk  string     `json:"user_risk,omitempty"` // of the user

	Unmapped map[string]string `json:"unmapped,omitempty"`
}

// Party is a user, a client or a resource by its id and its name.
type Party struct {
	UID  string `json:"uid,omitempty"`
	Name string `json:"name,omitempty"`
}

// Endpoint is where a request came from.
type Endpoint struct {
	IP      string `json:"ip,omitempty"`
	Country string `json:"country,omitempty"` // ISO 3166-1 alpha-2
	City    string `json:"city,omitempty"`
	ASN     int    `json:"asn,omitempty"`
}

// Device is what the provider knows of the device.
type Device struct {
	UID       string `json:"uid,omitempty"`
	OS        string `json:"os,omitempty"`
	Managed   *bool  `json:"is_managed,omitempty"`
	Compliant *bool  `json:"is_compliant,omitempty"`
	TrustType string `json:"trust_type,omitempty"`
}

// OAuthFacts are the facts that OCSF has no place for.
type OAuthFacts struct {
	Endpoint     string   `json:"endpoint,omitempty"` // authorize, token, callback, introspect, revoke, par, device, userinfo, api
	GrantType    string   `json:"grant_type,omitempty"`
	ClientAuth   string   `json:"client_auth,omitempty"`
	RedirectURI  string   `json:"redirect_uri,omitempty"`
	Requested    []string `json:"scopes_requested,omitempty"`
	Granted      []string `json:"scopes_granted,omitempty"`
	Audiences    []string `json:"audiences,omitempty"`
	ClientApp    string   `json:"client_app,omitempty"` // Entra's clientAppUsed
	OriginFlow   string   `json:"origin_flow,omitempty"`
	AuthRequired string   `json:"auth_requirement,omitempty"`
	AuthMethods  []string `json:"auth_methods,omitempty"`
	Error        string   `json:"error,omitempty"`
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

// Validate gives every breach of what an event must hold.
func (e *Event) Validate() error {
	var errs []error
	if e.UID == "" {
		errs = append(errs, errors.New("uid: an event needs an id of its own"))
	}
	if e.Time.IsZero() {
		errs = append(errs, errors.New("time: an event needs a time"))
	}
	if e.Status < StatusUnknown || e.Status > StatusFailure {
		errs = append(errs, errors.New("status_id: 0 (unknown), 1 (success) or 2 (failure)"))
	}
	if e.Interrupted && e.Status == StatusSuccess {
		errs = append(errs, errors.New("interrupted: an interrupt is no success"))
	}
	return errors.Join(errs...)
}
