package fix_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"usher"
	"usher/provider"
)

// memory is a provider with one realm, by the letter of provider.Admin.
type memory struct {
	mu      sync.Mutex
	clients map[string]*usher.Client
	scopes  map[string]*provider.Scope
	writes  int
	secrets int
	before  func() // called before each write, unlocked: another admin
	fail    error  // of every call
	lost    bool   // writes are made, and their answer is lost
}

func newMemory(c *usher.Client) *memory {
	return &memory{clients: map[string]*usher.Client{c.ID: c}, scopes: map[string]*provider.Scope{
		"orders.read":    {Scope: usher.Scope{Name: "orders.read"}},
		"offline_access": {Scope: usher.Scope{Name: "offline_access"}},
		"innocent":       {Scope: usher.Scope{Name: "innocent"}, Roles: []string{"realm-management: manage-users"}},
		"dark":           {Scope: usher.Scope{Name: "dark"}, RolesUnknown: true},
	}}
}

func shop(uris ...string) *usher.Client {
	return &usher.Client{
		ID: "shop", UID: "u-1", Tenant: "shop", RedirectURIs: uris, DefaultScopes: []string{"email"}, OptionalScopes: []string{"phone"},
		Scopes: []string{"email", "phone"}, SecretCreated: time.Unix(1_700_000_000, 0).UTC(), SecretMark: "[secret 0000]",
	}
}

func (m *memory) Capabilities() provider.Capabilities {
	actions := map[usher.ActionKind]provider.Capability{}
	for kind, field := range map[usher.ActionKind]string{
		usher.ActionAddRedirectURI: "redirectUris", usher.ActionReplaceRedirectURI: "redirectUris", usher.ActionAllowScope: "optionalClientScopes",
		usher.ActionEnableClient: "enabled", usher.ActionReplaceSecret: "secret",
	} {
		actions[kind] = provider.Capability{Right: "manage-clients", Request: "PUT /clients/{uid}/" + string(kind) + "/{scope}", Field: field}
	}
	return provider.Capabilities{Kind: "keycloak", Place: "realm 'shop' at http://sso.test", Tenant: "shop", Account: "usher", BuiltIn: []string{"account"}, Actions: actions}
}

func copyOf(c *usher.Client) *usher.Client {
	d := *c
	d.RedirectURIs, d.DefaultScopes, d.OptionalScopes = slices.Clone(c.RedirectURIs), slices.Clone(c.DefaultScopes), slices.Clone(c.OptionalScopes)
	d.Scopes, d.WebOrigins = slices.Clone(c.Scopes), slices.Clone(c.WebOrigins)
	return &d
}

func (m *memory) Client(_ context.Context, id string) (*usher.Client, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	if m.clients[id] == nil {
		return nil, provider.ErrNotFound
	}
	return copyOf(m.clients[id]), nil
}

func (m *memory) Resolve(context.Context, string) (string, error) { return "", provider.ErrNotFound }

func (m *memory) User(context.Context, string) (usher.Party, error) {
	return usher.Party{}, provider.ErrNotFound
}

func (m *memory) Scope(_ context.Context, name string) (*provider.Scope, error) {
	if m.scopes[name] == nil {
		return nil, provider.ErrNotFound
	}
	return m.scopes[name], nil
}

// write changes a client unless it is so already or is not as planned.
func (m *memory) write(id string, done, planned func(*usher.Client) bool, change func(*usher.Client)) error {
	if m.before != nil {
		m.before()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.clients[id]
	switch {
	case m.fail != nil:
		return m.fail
	case c == nil:
		return provider.ErrNotFound
	case done(c):
		return nil
	case !planned(c):
		return provider.ErrChanged
	}
	change(c)
	m.writes++
	if m.lost {
		return fmt.Errorf("the line broke: %w", provider.ErrUnreachable)
	}
	return nil
}

func same(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func always(*usher.Client) bool { return true }

func (m *memory) SetRedirectURIs(_ context.Context, id string, from, to []string) error {
	return m.write(id, func(c *usher.Client) bool { return same(c.RedirectURIs, to) }, func(c *usher.Client) bool { return same(c.RedirectURIs, from) },
		func(c *usher.Client) { c.RedirectURIs = slices.Clone(to) })
}

func (m *memory) AllowScope(_ context.Context, id, scope string) error {
	return m.write(id, func(c *usher.Client) bool {
		return slices.Contains(c.OptionalScopes, scope) || slices.Contains(c.DefaultScopes, scope)
	}, always, func(c *usher.Client) { c.OptionalScopes = append(c.OptionalScopes, scope) })
}

func (m *memory) DisallowScope(_ context.Context, id, scope string) error {
	return m.write(id, func(c *usher.Client) bool {
		return !slices.Contains(c.OptionalScopes, scope) && !slices.Contains(c.DefaultScopes, scope)
	}, func(c *usher.Client) bool { return !slices.Contains(c.DefaultScopes, scope) },
		func(c *usher.Client) {
			c.OptionalScopes = slices.DeleteFunc(c.OptionalScopes, func(s string) bool { return s == scope })
		})
}

func (m *memory) SetEnabled(_ context.Context, id string, enabled bool) error {
	return m.write(id, func(c *usher.Client) bool { return c.Disabled == !enabled }, always, func(c *usher.Client) { c.Disabled = !enabled })
}

func (m *memory) ReplaceSecret(_ context.Context, was *usher.Client) (usher.Secret, error) {
	err := m.write(was.ID, func(*usher.Client) bool { return false }, func(c *usher.Client) bool {
		return c.SecretMark == was.SecretMark && c.SecretCreated.Equal(was.SecretCreated)
	},
		func(c *usher.Client) {
			m.secrets++
			c.SecretMark = fmt.Sprintf("[secret %04x]", m.secrets)
			c.SecretCreated = c.SecretCreated.Add(time.Hour)
		})
	if err != nil {
		return "", err
	}
	return usher.Secret(fmt.Sprint("a-new-secret-", m.secrets)), nil
}
