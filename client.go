package usher

import "time"

// Client is an OAuth client that a door manages, RFC 7591.
type Client struct {
	ID           string   `json:"client_id"`
	Name         string   `json:"client_name,omitempty"`
	Public       bool     `json:"public"`
	RedirectURIs []string `json:"redirect_uris,omitempty"`
	GrantTypes   []string `json:"grant_types,omitempty"`
	Scopes       []string `json:"scopes,omitempty"` // that it is given or may ask for
	Disabled     bool     `json:"disabled,omitempty"`

	// What follows is known of clients that were asked for at a provider.

	UID            string   `json:"uid,omitempty"`              // the provider's own id, where it is not the client id
	Tenant         string   `json:"tenant_uid,omitempty"`       // realm, tenant or organisation
	RootURL        string   `json:"root_url,omitempty"`         // what relative redirect URIs are relative to
	WebOrigins     []string `json:"web_origins,omitempty"`      // origins that may call from a browser (CORS); "+" is those of the redirect URIs
	DefaultScopes  []string `json:"default_scopes,omitempty"`   // given without asking
	OptionalScopes []string `json:"optional_scopes,omitempty"`  // given when asked for
	AddableScopes  []string `json:"addable_scopes,omitempty"`   // that the tenant has and the client may not ask for; nil is unknown
	FullScope      bool     `json:"full_scope,omitempty"`       // its tokens hold every role of the user
	Consent        bool     `json:"consent_required,omitempty"` // users are asked before the first token
	AuthMethod     string   `json:"token_endpoint_auth_method,omitempty"`
	PKCE           string   `json:"pkce_method,omitempty"` // the code_challenge_method that is demanded, empty: none

	SecretCreated time.Time `json:"secret_created,omitzero"`    // of the secret in use; zero is unknown
	SecretMark    string    `json:"-"`                          // stands for the secret in use within this process, see Secret.Fingerprint
	SecretExpires time.Time `json:"secret_expires_at,omitzero"` // zero: never, or unknown

	// Attributes are the provider's further settings of the client, none of
	// them secret.
	Attributes map[string]string `json:"attributes,omitempty"`
}

// User is a person or a service account that a door manages.
type User struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Roles    []string `json:"roles,omitempty"` // names of Role
	Disabled bool     `json:"disabled,omitempty"`
}

// Role is a named set of scopes.
type Role struct {
	Name   string   `json:"name"`
	Scopes []string `json:"scopes"` // names of Scope
}

// Scope is one permission that a client may ask for, RFC 6749 section 3.3.
type Scope struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Resource    string `json:"resource,omitempty"`
}

// Grant is what a user allowed a client.
type Grant struct {
	ID      string    `json:"id"`
	User    string    `json:"user"`
	Client  string    `json:"client"`
	Scopes  []string  `json:"scopes"`
	Given   time.Time `json:"given"`
	Expires time.Time `json:"expires,omitzero"`
}

// Connection is a grant at somebody else's provider that the broker keeps alive.
type Connection struct {
	ID       string    `json:"id"`
	Provider string    `json:"provider"`
	Client   string    `json:"client"`
	Scopes   []string  `json:"scopes,omitempty"`
	Expires  time.Time `json:"expires,omitzero"` // of the access token
}
