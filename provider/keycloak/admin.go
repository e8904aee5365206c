package keycloak

import (
	"context"
	"errors"
	"hash/maphash"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher"
	"usher/provider"
)

// Config says which realm, and as whom.
type Config struct {
	Issuer   string       // "https://sso.example/realms/shop", also with the old /auth prefix
	ClientID string       // of the service account
	Secret   usher.Secret // of the service account
	HTTP     *http.Client // guard's; there is no default, since nothing goes out unguarded
	// Timeout bounds one call of Admin with all its requests; 0 is 10 s.
	Timeout time.Duration
	Now     func() time.Time
}

// Admin implements provider.Admin for one realm.
type Admin struct {
	cfg    Config
	issuer string // without a slash at its end
	admin  string // the realm in the admin API
	place  string // for a person
	realm  string
	token  token
	names  *cache[string]      // uid of a client to its client id
	users  *cache[usher.Party] // by id
	scopes *cache[[]scopeRep]  // one entry: the realm's client scopes
}

var _ provider.Admin = (*Admin)(nil)

// New makes an Admin. It goes nowhere yet.
func New(cfg Config) (*Admin, error) {
	bad := func(message, hint string) (*Admin, error) {
		return nil, &usher.Error{Code: usher.ErrUsage, Message: message, Hint: hint}
	}
	u, err := url.Parse(strings.TrimRight(cfg.Issuer, "/"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return bad("the issuer is no web address of a realm", "write it as https://sso.example/realms/shop")
	}
	i := strings.LastIndex(u.EscapedPath(), "/realms/")
	if i < 0 {
		return bad("the issuer "+u.String()+" names no realm", "write it as https://sso.example/realms/shop")
	}
	prefix, name := u.EscapedPath()[:i], u.EscapedPath()[i+len("/realms/"):]
	realm, err := url.PathUnescape(name)
	if err != nil || realm == "" || strings.ContainsAny(realm, "/") || realm == "." || realm == ".." {
		return bad("the issuer "+u.String()+" names no realm", "write it as https://sso.example/realms/shop")
	}
	if cfg.ClientID == "" || cfg.Secret == "" {
		return bad("there is no service account to change "+u.String()+" with", "set client_id and client_secret_env (or client_secret_file) under admin")
	}
	if cfg.HTTP == nil {
		return nil, &usher.Error{Code: usher.ErrInternal, Message: "keycloak.New needs an HTTP client"}
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	origin := u.Scheme + "://" + u.Host
	return &Admin{
		cfg: cfg, issuer: u.String(), admin: origin + prefix + "/admin/realms/" + name, realm: realm,
		place:  "realm '" + realm + "' at " + origin + prefix,
		token:  token{turn: make(chan struct{}, 1)},
		names:  newCache[string](cfg.Now, 10*time.Minute),
		users:  newCache[usher.Party](cfg.Now, 10*time.Minute),
		scopes: newCache[[]scopeRep](cfg.Now, time.Minute),
	}, nil
}

// Capabilities implements provider.Admin.
func (a *Admin) Capabilities() provider.Capabilities {
	right := "the role manage-clients of realm-management in realm '" + a.realm + "', or the fine-grained permissions view and manage on this client alone, with the role query-clients"
	put := "PUT " + pathOf(a.admin) + "/clients/{uid}"
	return provider.Capabilities{
		Kind: "keycloak", Place: a.place, Tenant: a.realm, Account: a.cfg.ClientID,
		BuiltIn: []string{"account", "account-console", "admin-cli", "admin-permissions", "broker", "realm-management", "security-admin-console"},
		Actions: map[usher.ActionKind]provider.Capability{
			usher.ActionAddRedirectURI:     {Right: right, Request: put, Field: "redirectUris"},
			usher.ActionReplaceRedirectURI: {Right: right, Request: put, Field: "redirectUris"},
			usher.ActionEnableClient:       {Right: right, Request: put, Field: "enabled"},
			usher.ActionAllowScope: {
				Right:   right + " and view-clients, to find the scope",
				Request: put + "/optional-client-scopes/{scope}", Field: "optionalClientScopes",
			},
			usher.ActionReplaceSecret: {Right: right, Request: "POST " + pathOf(a.admin) + "/clients/{uid}/client-secret", Field: "secret"},
		},
	}
}

func pathOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.EscapedPath()
}

// Resolve implements provider.Admin.
func (a *Admin) Resolve(ctx context.Context, uid string) (string, error) {
	return remembered(a.names, uid, func() (string, error) {
		ctx, cancel := a.bounded(ctx)
		defer cancel()
		var rep clientRep
		what := "the client with the id " + short(uid)
		if err := a.get(ctx, what, right{"view-clients"}, "/clients/"+url.PathEscape(uid), &rep); err != nil {
			return "", err
		}
		if rep.ClientID == "" {
			return "", a.notFound(what)
		}
		return rep.ClientID, nil
	})
}

// User implements provider.Admin.
func (a *Admin) User(ctx context.Context, uid string) (usher.Party, error) {
	return remembered(a.users, uid, func() (usher.Party, error) {
		ctx, cancel := a.bounded(ctx)
		defer cancel()
		var rep struct {
			ID       string `json:"id"`
			Username string `json:"username"`
		}
		what := "the user with the id " + short(uid)
		if err := a.get(ctx, what, right{"view-users"}, "/users/"+url.PathEscape(uid), &rep); err != nil {
			return usher.Party{}, err
		}
		if rep.ID == "" {
			return usher.Party{}, a.notFound(what)
		}
		return usher.Party{UID: rep.ID, Name: rep.Username}, nil
	})
}

// remembered asks once and keeps the answer; that there is none is kept too.
func remembered[V any](c *cache[V], key string, ask func() (V, error)) (V, error) {
	if v, found, known := c.get(key); known {
		if !found {
			return v, c.missing(key)
		}
		return v, nil
	}
	v, err := ask()
	switch {
	case err == nil:
		c.put(key, v)
	case errors.Is(err, provider.ErrNotFound):
		c.putMissing(key, err)
	}
	return v, err
}

func (a *Admin) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, a.cfg.Timeout)
}

// short bounds a foreign id for a sentence.
func short(s string) string {
	const most = 80
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// stripes serialise the changes of one client within this process, whichever
// Admin makes them: Keycloak has no conditional write. They are few, so two
// clients may wait for each other.
var (
	stripes    [64]chan struct{}
	stripeSeed = maphash.MakeSeed()
)

func init() {
	for i := range stripes {
		stripes[i] = make(chan struct{}, 1)
	}
}

func (a *Admin) lock(ctx context.Context, clientID string) (unlock func(), err error) {
	turn := stripes[maphash.String(stripeSeed, a.admin+"\x00"+clientID)%uint64(len(stripes))]
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, a.unreachable("the client '"+short(clientID)+"' is being changed by somebody else in usher", ctx.Err())
	}
}
