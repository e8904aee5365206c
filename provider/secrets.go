package provider

import (
	"context"
	"time"

	"usher"
)

// Secrets is what the rooms above know of the part of an admin API that client
// secrets live by. An Admin may implement it too. Implementations are safe for
// concurrent use, and every call is bounded in time; errors are those of Admin.
//
// A secret is known by its id. Most providers give its value once, with
// CreateSecret, and no one can ask for it again; SecretRules.Told says where it
// is otherwise.
type Secrets interface {
	// SecretRules says how the provider treats the secrets of a client: at some
	// it depends on the client, or on a policy of the tenant that it is under.
	SecretRules(ctx context.Context, clientID string) (SecretRules, error)
	// ClientSecrets lists the secrets of a client, the oldest first; ErrNotFound
	// where there is no such client, ErrUnsupported where it has none by its kind.
	ClientSecrets(ctx context.Context, clientID string) ([]ClientSecret, error)
	// CreateSecret makes a secret beside those that are there and gives its
	// value, this once. With SecretRules.Overlap false it takes the place of the
	// one that is there, which ends at once or with SecretRules.Grace. It gives
	// ErrFull where no more fit, and creates nothing then. After ErrUnreachable
	// it is unknown whether there is one more: list, and retire what nobody has.
	CreateSecret(ctx context.Context, clientID string, want NewSecret) (ClientSecret, usher.Secret, error)
	// RetireSecret ends a secret for good. One that is not there is no error.
	// The last secret that a client can use is refused with ErrLast.
	RetireSecret(ctx context.Context, clientID, id string) error
}

// SecretRules say how a provider treats the secrets of a client.
type SecretRules struct {
	Kind  string // kind of provider: "keycloak", "entra", "okta", "auth0"
	Place string // names the tenant for a person
	// Overlap tells that two secrets work at a time, so that callers can move
	// one after the other.
	Overlap bool
	// Grace is how long the old one goes on working beside the new one where the
	// provider itself makes an overlap and nobody can end it by id; 0: none.
	Grace time.Duration
	// Most is how many secrets a client may have; 0: no limit is documented.
	Most int
	// Delay is how long a new secret may be refused until every part of the
	// provider knows it; who verifies one asks until then.
	Delay time.Duration
	// Named tells that the provider keeps NewSecret.Name, so that a secret is
	// found again by it.
	Named bool
	// Told tells that ClientSecrets gives values: what was made is not lost with
	// the answer that told it.
	Told bool
	// UseTold tells that the provider's own log says with which secret a client
	// has authenticated (usher.Event OAuth.Credential holds its id).
	UseTold bool
	// Right is the smallest right that creating and retiring need, as the
	// provider names it; Reads what listing needs.
	Right, Reads string
	// Creates and Retires are the requests, method and path, as a plan shows them.
	Creates, Retires string
	// Note is what a person should know before the first rotation; empty: nothing.
	Note string
}

// ClientSecret is one secret of a client.
type ClientSecret struct {
	ID      string    `json:"id"`                   // the provider's
	Name    string    `json:"name,omitempty"`       // as it was labelled
	Hint    string    `json:"hint,omitempty"`       // first characters, where the provider shows them
	Created time.Time `json:"created,omitzero"`     // zero: not told
	Starts  time.Time `json:"starts,omitzero"`      // not valid before; zero: at once
	Expires time.Time `json:"expires,omitzero"`     // zero: never, or not told
	Off     bool      `json:"disabled,omitempty"`   // it is there and does not work
	Ending  bool      `json:"superseded,omitempty"` // it works for a grace only, beside the one that took its place
	// Value is told where SecretRules.Told says so, and never written down with
	// the rest.
	Value usher.Secret `json:"-"`
}

// NewSecret says what is wanted of a secret that is to be made.
type NewSecret struct {
	Name    string    // a label that tells who made it; not every provider keeps one
	Expires time.Time // zero: as the provider does by itself
}
