package provider

import (
	"context"
	"time"

	"usher"
)

// Secrets is what usher asks of a provider to replace the secret of a client
// while programs go on using it: make another one beside the old, see what is
// there, and retire one. It is all that a further provider has to implement.
// Implementations are safe for concurrent use, every call is bounded in time,
// and errors are those of Admin (ErrNotFound, ErrForbidden, ErrUnsupported,
// ErrUnreachable), wrapped in an usher.Error. No error holds a secret.
type Secrets interface {
	// Rules says what this provider allows with the secrets of a client, before
	// anything is changed.
	Rules(ctx context.Context, clientID string) (SecretRules, error)
	// List gives the secrets of a client that the provider keeps, the newest
	// first, those that have ended with them as long as they are told.
	List(ctx context.Context, clientID string) ([]Secret, error)
	// Create has the provider make a further secret and gives it with its value.
	// Where the provider keeps names, name is what it is called there, and
	// Create makes a second one of a name only when it is called twice: who does
	// not know whether a call arrived looks with List first. Where only one
	// secret can be (SecretRules.AtOnce is 1) the old one ends with this call.
	Create(ctx context.Context, clientID, name string) (Secret, error)
	// Retire ends a secret for good. One that is not there, or has ended, is no
	// error. It never ends another one than it was asked for: where the provider
	// tells secrets apart only by their place ("the old one"), it looks before.
	Retire(ctx context.Context, clientID, id string) error
}

// SecretState says whether a provider takes a secret.
type SecretState string

// The states of a secret at its provider.
const (
	SecretActive SecretState = "active" // it is taken, until Expires
	SecretEnding SecretState = "ending" // it is taken beside a newer one, and ends by itself at Expires
	SecretEnded  SecretState = "ended"  // it is taken no more: expired, or switched off
)

// Secret is one secret of a client at its provider.
type Secret struct {
	ID      string      // the provider's own; the same for as long as the secret is there; no secret
	Name    string      // that it was made with; empty where the provider keeps none
	Hint    string      // what the provider shows of it, such as its first characters
	Created time.Time   // zero: not told
	Expires time.Time   // zero: never, or not told
	State   SecretState //
	// Value is told by Create always, and by List where the provider shows a
	// secret more than once; else it is empty.
	Value usher.Secret
}

// SecretRules is what a provider allows with the secrets of a client.
type SecretRules struct {
	Kind  string // kind of provider: "keycloak"
	Place string // for a person: "client 'shop' of realm 'shop' at http://127.0.0.1:8080"
	// AtOnce is how many secrets a client can have at once. 1: there is no
	// overlap, the old one ends in the moment in which the new one is made.
	AtOnce int
	// AtOnceWhy says for a person where the number comes from, and how there
	// could be an overlap where there is none.
	AtOnceWhy string
	// OldLife is how long the old one lives beside the new one when nobody
	// retires it; 0: until it is retired or expires.
	OldLife time.Duration
	// Delay is the longest time after which a new one works and is seen.
	Delay time.Duration
	// Named tells that names are kept, so that a secret is found again by it.
	Named bool
	// Told tells that List gives values: what was made is not lost with an answer.
	Told bool
	// Logged tells that the provider's log says which secret was used (the field
	// credential_uid of an event is Secret.ID then).
	Logged bool
	Right  string            // the smallest right, as the provider names it
	Asks   map[string]string // of "create" and "retire": method and path, for the plan
}
