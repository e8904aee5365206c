package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/oauth"
)

// client is a registration with everything that may be changed while the lab runs.
type client struct {
	Client
	secrets []credential
	keys    []clientKey  // of private_key_jwt at Auth0
	shown   usher.Secret // what the settings of the client show
	created time.Time
	extra   clientRep // what an administrator wrote and the lab only keeps
}

// credential is one secret of a client, as Entra lists them: an id that stays
// visible, and a value that does not.
type credential struct {
	id      string
	value   usher.Secret
	expires time.Time // zero: never
	name    string
	made    time.Time
	works   time.Time // not before: what was made through an admin API is not known everywhere at once
	off     bool      // Okta: INACTIVE
}

// scope is a client scope of Keycloak's realm.
type scope struct{ id, name, description string }

// fixedScopes are the scopes of a new realm. orders is the API's own.
var fixedScopes = []string{"profile", "email", "roles", "web-origins", "acr", "basic", "offline_access", "address", "phone", "orders", "orders.write"}

// shownScopes stand in a token's scope claim and in answers; the other ones of
// Keycloak only steer what is put into tokens.
func shownScope(name string) bool {
	return !slices.Contains([]string{"roles", "web-origins", "acr", "basic"}, name)
}

// scopeOrders is what /api/orders asks for.
const scopeOrders = "orders"

// DefaultClients are a shop that signs people in, a service of the shop, and
// usher's own client, which may change registrations.
func DefaultClients() []Client {
	return []Client{
		{
			ID: "shop", Name: "Shop", RedirectURIs: []string{"https://shop.test/cb"},
			Scopes: []string{"profile", "email", scopeOrders}, Optional: []string{"offline_access"}, Service: true,
		},
		{
			ID: "shop-spa", Name: "Shop in the browser", Public: true, RedirectURIs: []string{"https://shop.test/spa"},
			Scopes: []string{"profile", "email", scopeOrders}, Optional: []string{"offline_access"},
		},
		{ID: "usher", Name: "usher", Service: true, Roles: []string{"manage-clients", "view-clients", "view-users"}},
	}
}

// DefaultUsers are two people with their passwords.
func DefaultUsers() []User {
	return []User{
		{Name: "dana", Given: "Dana", Family: "Example", Password: "dana-password"},
		{Name: "kim", Given: "Kim", Family: "Example", Password: "kim-password"},
	}
}

// madeID makes an id in the form of a UUID out of words, the same each time.
func madeID(words ...string) string {
	sum := sha256.Sum256([]byte("usher lab\x00" + strings.Join(words, "\x00")))
	b := sum[:16]
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// populate fills the lab with what the options name.
func (l *Lab) populate() {
	list, users := l.opt.Clients, l.opt.Users
	if list == nil {
		list = DefaultClients()
	}
	if users == nil {
		users = DefaultUsers()
	}
	for _, name := range fixedScopes {
		l.scopes = append(l.scopes, scope{id: madeID("scope", l.opt.Realm, name), name: name})
	}
	for _, c := range list {
		l.add(c)
	}
	for _, u := range users {
		if u.ID == "" {
			u.ID = madeID("user", l.opt.Realm, u.Name)
		}
		if u.Email == "" {
			u.Email = u.Name + "@shop.test"
		}
		l.users = append(l.users, &u)
	}
}

func (l *Lab) add(c Client) *client {
	c.RedirectURIs, c.Scopes, c.Optional = slices.Clone(c.RedirectURIs), slices.Clone(c.Scopes), slices.Clone(c.Optional)
	if c.UUID == "" {
		c.UUID = madeID("client", l.opt.Realm, c.ID)
	}
	if c.AppID == "" {
		c.AppID = madeID("app", l.opt.Tenant, c.ID)
	}
	if c.Name == "" {
		c.Name = c.ID
	}
	kept := &client{Client: c, created: l.now()}
	if !c.Public {
		kept.setSecret(c.Secret, time.Time{})
		kept.shown = kept.Secret
	}
	for _, name := range append(slices.Clone(c.Scopes), c.Optional...) {
		if _, ok := l.scope(name); !ok && name != "openid" {
			l.scopes = append(l.scopes, scope{id: madeID("scope", l.opt.Realm, name), name: name})
		}
	}
	l.clients = append(l.clients, kept)
	return kept
}

// setSecret gives a client one secret in place of those that it had; an empty
// one is made up.
func (c *client) setSecret(value usher.Secret, expires time.Time) {
	if value == "" {
		value = usher.Secret(random(24))
	}
	c.secrets = []credential{{id: randomID(), value: value, expires: expires, made: c.created}}
	c.Secret = value
}

// client gives the client of a client id, in either dialect's words.
func (l *Lab) client(id string) *client {
	for _, c := range l.clients {
		if c.ID == id || c.AppID == id && id != "" {
			return c
		}
	}
	return nil
}

func (l *Lab) clientByUUID(uuid string) *client {
	for _, c := range l.clients {
		if c.UUID == uuid {
			return c
		}
	}
	return nil
}

func (l *Lab) user(name string) *User {
	for _, u := range l.users {
		if strings.EqualFold(u.Name, name) || strings.EqualFold(u.Email, name) {
			return u
		}
	}
	return nil
}

func (l *Lab) userByID(id string) *User {
	for _, u := range l.users {
		if u.ID == id {
			return u
		}
	}
	return nil
}

func (l *Lab) scope(name string) (scope, bool) {
	for _, s := range l.scopes {
		if s.name == name {
			return s, true
		}
	}
	return scope{}, false
}

func (l *Lab) scopeByID(id string) (scope, bool) {
	for _, s := range l.scopes {
		if s.id == id {
			return s, true
		}
	}
	return scope{}, false
}

// granted gives the scopes of a grant: openid if it was asked for, what the
// client always gets, and what it asked for and may have. Rest are those that
// it asked for in vain.
func (l *Lab) granted(c *client, asked []string) (scopes, rest []string) {
	for _, name := range asked {
		switch {
		case name == "openid":
			scopes = append(scopes, name)
		case slices.Contains(c.Optional, name), slices.Contains(c.Scopes, name):
		default:
			rest = append(rest, name)
		}
	}
	for _, name := range c.Scopes {
		if shownScope(name) {
			scopes = append(scopes, name)
		}
	}
	for _, name := range asked {
		if slices.Contains(c.Optional, name) && shownScope(name) && !slices.Contains(scopes, name) {
			scopes = append(scopes, name)
		}
	}
	return scopes, rest
}

// registered tells whether a redirect URI may be used, by the rule of the dialect.
func (c *client) registered(uri string, d Dialect) bool {
	var list []oauth.RegisteredRedirect
	for _, r := range c.RedirectURIs {
		list = append(list, oauth.RegisteredRedirect{URI: r})
	}
	return oauth.CompareRedirect(oauth.RedirectRuleFor(string(d)), list, uri, oauth.RedirectContext{}).Verdict == oauth.RedirectMatch
}
