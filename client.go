package usher

import "time"

// Client is an OAuth client that a door manages, RFC 7591.
type Client struct {
	ID           string   `json:"client_id"`
	Name         string   `json:"client_name,omitempty"`
	Public       bool     `json:"public"`
	RedirectURIs []string `json:"redirect_uris,omitempty"`
	GrantTypes   []string `json:"grant_types,omitempty"`
	Scopes       []string `json:"scopes,omitempty"`
	Disabled     bool     `json:"disabled,omitempty"`
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
