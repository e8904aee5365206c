package provider

import (
	"context"
	"errors"

	"usher"
)

// What an Admin answers beside success. Each comes wrapped in an usher.Error
// that says where and what to do.
var (
	// ErrNotFound tells that the provider has no such object.
	ErrNotFound = errors.New("the provider has no such object")
	// ErrChanged tells that the object is not as it was planned against:
	// somebody changed it in between. Nothing was written.
	ErrChanged = errors.New("it was changed in between")
	// ErrForbidden tells that the credential lacks a right.
	ErrForbidden = errors.New("the credential lacks a right")
	// ErrUnsupported tells that this provider, or this object, has no such thing.
	ErrUnsupported = errors.New("not supported")
	// ErrUnreachable tells that no answer came, or none that could be read. Of
	// a change it is then unknown whether it was made.
	ErrUnreachable = errors.New("no usable answer")
	// ErrFull tells that the client has as many secrets as it may have.
	ErrFull = errors.New("the client has as many secrets as it may have")
	// ErrLast tells that it is the last secret that the client can use.
	ErrLast = errors.New("it is the last secret of the client")
)

// Admin is a provider's admin API: what usher asks of it and what usher may
// change through it. Implementations are safe for concurrent use, and every
// call is bounded in time.
//
// A change is told the state that it was planned against. It reads the object
// just before it writes; is the object already as wanted, it does nothing and
// gives no error; is it neither as planned nor as wanted, it gives ErrChanged
// and writes nothing. It writes the named value alone.
type Admin interface {
	// Capabilities says what can be done and what right each needs.
	Capabilities() Capabilities

	// Client gives a client by its client id, or ErrNotFound. The client holds
	// no secret.
	Client(ctx context.Context, clientID string) (*usher.Client, error)
	// Resolve gives the client id for the provider's own id of a client, as
	// records of admin events tell it, or ErrNotFound. Answers are cached.
	Resolve(ctx context.Context, uid string) (clientID string, err error)
	// User gives the id and the name of a user by the id, or ErrNotFound.
	// Answers are cached.
	User(ctx context.Context, uid string) (usher.Party, error)
	// Scope gives a scope that clients can be allowed, or ErrNotFound.
	Scope(ctx context.Context, name string) (*Scope, error)

	// SetRedirectURIs makes the registered redirect URIs be to; from is what
	// they were when it was planned. Order does not count.
	SetRedirectURIs(ctx context.Context, clientID string, from, to []string) error
	// AllowScope lets the client ask for a scope (optional, not given by default).
	AllowScope(ctx context.Context, clientID, scope string) error
	// DisallowScope takes back AllowScope. It gives ErrChanged when the scope
	// is given by default by now.
	DisallowScope(ctx context.Context, clientID, scope string) error
	// SetEnabled switches the client on or off.
	SetEnabled(ctx context.Context, clientID string, enabled bool) error
	// ReplaceSecret has the provider make a new secret and gives it, this once.
	// was is the client as it was planned against: ErrChanged when the secret
	// is another one by now.
	ReplaceSecret(ctx context.Context, was *usher.Client) (usher.Secret, error)
}

// Scope is a scope that a client can be allowed, with what it brings along.
type Scope struct {
	usher.Scope
	// Roles are the roles that tokens with this scope hold in addition, as the
	// provider names them ("realm-management: manage-users").
	Roles []string
	// RolesUnknown tells that the credential may not see the roles.
	RolesUnknown bool
}

// Capabilities is what an Admin can do.
type Capabilities struct {
	Kind string // kind of provider: "keycloak"
	// Place names the tenant for a person: "realm 'shop' at http://127.0.0.1:8080".
	Place   string
	Tenant  string
	Account string                          // client id of the service account that all this is done with
	BuiltIn []string                        // client ids of the provider's own clients, which its consoles sign in with
	Actions map[usher.ActionKind]Capability // what is missing cannot be done
}

// Capability is what one action needs and how it is carried out.
type Capability struct {
	Right   string // the smallest right, as the provider names it
	Request string // method and path with {uid} and {scope} in their places
	// Field is what it changes, as the provider names it: "redirectUris".
	Field string
}
