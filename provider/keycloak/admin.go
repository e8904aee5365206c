package keycloak

import (
	"context"
	"net/http"
	"time"

	"usher"
	"usher/provider"
)

// Config says which realm, and as whom.
type Config struct {
	Issuer   string        // "https://sso.example/realms/shop", also with the old /auth prefix
	ClientID string        // of the service account
	Secret   usher.Secret  // of the service account
	HTTP     *http.Client  // guard's; http.DefaultClient is never used
	Timeout  time.Duration // of one call; 0 is 10 s
	Now      func() time.Time
}

// Admin implements provider.Admin.
type Admin struct{ cfg Config }

var _ provider.Admin = (*Admin)(nil)

// New makes an Admin. It goes nowhere yet.
func New(cfg Config) (*Admin, error) { return &Admin{cfg}, nil }

// Capabilities implements provider.Admin.
func (a *Admin) Capabilities() provider.Capabilities { return provider.Capabilities{} }

// Client implements provider.Admin.
func (a *Admin) Client(context.Context, string) (*usher.Client, error) {
	return nil, provider.ErrNotFound
}

// Resolve implements provider.Admin.
func (a *Admin) Resolve(context.Context, string) (string, error) { return "", provider.ErrNotFound }

// User implements provider.Admin.
func (a *Admin) User(context.Context, string) (usher.Party, error) {
	return usher.Party{}, provider.ErrNotFound
}

// Scope implements provider.Admin.
func (a *Admin) Scope(context.Context, string) (*provider.Scope, error) {
	return nil, provider.ErrNotFound
}

// SetRedirectURIs implements provider.Admin.
func (a *Admin) SetRedirectURIs(context.Context, string, []string, []string) error {
	return provider.ErrUnsupported
}

// AllowScope implements provider.Admin.
func (a *Admin) AllowScope(context.Context, string, string) error { return provider.ErrUnsupported }

// DisallowScope implements provider.Admin.
func (a *Admin) DisallowScope(context.Context, string, string) error { return provider.ErrUnsupported }

// SetEnabled implements provider.Admin.
func (a *Admin) SetEnabled(context.Context, string, bool) error { return provider.ErrUnsupported }

// ReplaceSecret implements provider.Admin.
func (a *Admin) ReplaceSecret(context.Context, *usher.Client) (usher.Secret, error) {
	return "", provider.ErrUnsupported
}
