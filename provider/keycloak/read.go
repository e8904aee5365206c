package keycloak

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/oauth"
	"usher/provider"
)

// clientRep is what usher reads of a client representation.
type clientRep struct {
	ID                 string            `json:"id"`
	ClientID           string            `json:"clientId"`
	Name               string            `json:"name"`
	Enabled            bool              `json:"enabled"`
	Public             bool              `json:"publicClient"`
	Secret             string            `json:"secret"`
	AuthenticatorType  string            `json:"clientAuthenticatorType"`
	RedirectURIs       []string          `json:"redirectUris"`
	WebOrigins         []string          `json:"webOrigins"`
	RootURL            string            `json:"rootUrl"`
	StandardFlow       bool              `json:"standardFlowEnabled"`
	ImplicitFlow       bool              `json:"implicitFlowEnabled"`
	DirectAccess       bool              `json:"directAccessGrantsEnabled"`
	ServiceAccounts    bool              `json:"serviceAccountsEnabled"`
	FullScope          bool              `json:"fullScopeAllowed"`
	Consent            bool              `json:"consentRequired"`
	DefaultScopes      []string          `json:"defaultClientScopes"`
	OptionalScopes     []string          `json:"optionalClientScopes"`
	Attributes         map[string]string `json:"attributes"`
	Protocol           string            `json:"protocol"`
	AuthorizationServe bool              `json:"authorizationServicesEnabled"`
}

// read gives a client as Keycloak describes it, whole.
func (a *Admin) read(ctx context.Context, clientID string, need right) (*clientRep, map[string]json.RawMessage, error) {
	what := "client '" + short(clientID) + "'"
	var list []map[string]json.RawMessage
	if err := a.get(ctx, what, need, "/clients?clientId="+url.QueryEscape(clientID), &list); err != nil {
		return nil, nil, err
	}
	for _, raw := range list {
		var id string
		if json.Unmarshal(raw["clientId"], &id) != nil || id != clientID {
			continue // some answer with what is like it
		}
		whole, err := json.Marshal(raw)
		rep := &clientRep{}
		if err != nil || json.Unmarshal(whole, rep) != nil || rep.ID == "" {
			return nil, nil, a.unreachable(a.place+" described "+what+" in a way that cannot be read", nil)
		}
		a.names.put(rep.ID, rep.ClientID)
		return rep, raw, nil
	}
	return nil, nil, a.notFound(what)
}

// Client implements provider.Admin.
func (a *Admin) Client(ctx context.Context, clientID string) (*usher.Client, error) {
	ctx, cancel := a.bounded(ctx)
	defer cancel()
	rep, _, err := a.read(ctx, clientID, right{"view-clients"})
	if err != nil {
		return nil, err
	}
	c := rep.client(a.realm)
	if scopes, err := a.realmScopes(ctx); err == nil && len(scopes) > 0 {
		c.AddableScopes = []string{}
		for _, s := range scopes {
			if !slices.Contains(c.Scopes, s.Name) {
				c.AddableScopes = append(c.AddableScopes, s.Name)
			}
		}
		slices.Sort(c.AddableScopes)
	}
	return c, nil
}

func (r *clientRep) client(realm string) *usher.Client {
	c := &usher.Client{
		ID: r.ClientID, UID: r.ID, Tenant: realm, Name: r.Name, Disabled: !r.Enabled, Public: r.Public,
		RootURL: r.RootURL, FullScope: r.FullScope, Consent: r.Consent,
		RedirectURIs: sorted(r.RedirectURIs), WebOrigins: sorted(r.WebOrigins),
		DefaultScopes: sorted(r.DefaultScopes), OptionalScopes: sorted(r.OptionalScopes),
		PKCE: r.Attributes["pkce.code.challenge.method"], AuthMethod: r.authMethod(), GrantTypes: r.grants(),
		SecretCreated: seconds(r.Attributes["client.secret.creation.time"]), SecretExpires: seconds(r.Attributes["client.secret.expiration.time"]),
		Attributes: maps.Clone(r.Attributes),
	}
	c.Scopes = sorted(slices.Concat(c.DefaultScopes, c.OptionalScopes))
	if !r.Public && r.Secret != "" {
		c.SecretMark = usher.Secret(r.Secret).Fingerprint()
	}
	for name := range c.Attributes {
		// A rotated secret is kept among the attributes, in the clear.
		if lower := strings.ToLower(name); strings.Contains(lower, "secret") && !strings.HasSuffix(lower, ".time") || strings.Contains(lower, "private.key") || strings.Contains(lower, "password") {
			delete(c.Attributes, name)
		}
	}
	return c
}

func (r *clientRep) authMethod() string {
	switch {
	case r.Public:
		return "none"
	case r.AuthenticatorType == "client-jwt":
		return "private_key_jwt"
	case r.AuthenticatorType == "client-secret-jwt":
		return "client_secret_jwt"
	case r.AuthenticatorType == "client-x509":
		return "tls_client_auth"
	}
	return "client_secret_basic"
}

func (r *clientRep) grants() (list []string) {
	for _, g := range []struct {
		on   bool
		name string
	}{
		{r.StandardFlow, oauth.GrantAuthorizationCode},
		{r.ImplicitFlow, "implicit"},
		{r.DirectAccess, oauth.GrantPassword},
		{r.ServiceAccounts, oauth.GrantClientCredentials},
		{r.StandardFlow || r.DirectAccess, oauth.GrantRefreshToken},
		{r.Attributes["oauth2.device.authorization.grant.enabled"] == "true", oauth.GrantDeviceCode},
	} {
		if g.on {
			list = append(list, g.name)
		}
	}
	return list
}

// sorted gives a set in one order: Keycloak gives lists in any.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// seconds reads a time of an attribute; what is none is unknown.
func seconds(text string) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// scopeRep is what usher reads of a client scope.
type scopeRep struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Protocol    string `json:"protocol"`
}

// realmScopes gives the realm's client scopes of OpenID Connect. An account
// that may not see them is given an empty list, which tells nothing.
func (a *Admin) realmScopes(ctx context.Context) ([]scopeRep, error) {
	if list, found, known := a.scopes.get(""); known && found {
		return list, nil
	}
	var list []scopeRep
	err := a.get(ctx, "the client scopes", right{"view-clients"}, "/client-scopes", &list)
	if err != nil && !errors.Is(err, provider.ErrForbidden) {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(s scopeRep) bool {
		return s.ID == "" || s.Name == "" || s.Protocol != "" && s.Protocol != "openid-connect"
	})
	a.scopes.put("", list)
	return list, nil
}

// Scope implements provider.Admin.
func (a *Admin) Scope(ctx context.Context, name string) (*provider.Scope, error) {
	ctx, cancel := a.bounded(ctx)
	defer cancel()
	rep, err := a.scope(ctx, name)
	if err != nil {
		return nil, err
	}
	s := &provider.Scope{Scope: usher.Scope{Name: rep.Name, Description: rep.Description}}
	var mapped struct {
		Realm   []struct{ Name string } `json:"realmMappings"`
		Clients map[string]struct {
			Client   string                  `json:"client"`
			Mappings []struct{ Name string } `json:"mappings"`
		} `json:"clientMappings"`
	}
	err = a.get(ctx, "the roles of scope '"+short(name)+"'", right{"view-clients"}, "/client-scopes/"+url.PathEscape(rep.ID)+"/scope-mappings", &mapped)
	if err != nil {
		if errors.Is(err, provider.ErrForbidden) || errors.Is(err, provider.ErrNotFound) {
			s.RolesUnknown = true
			return s, nil
		}
		return nil, err
	}
	for _, r := range mapped.Realm {
		s.Roles = append(s.Roles, r.Name)
	}
	for client, m := range mapped.Clients {
		for _, r := range m.Mappings {
			s.Roles = append(s.Roles, client+": "+r.Name)
		}
	}
	slices.Sort(s.Roles)
	return s, nil
}

func (a *Admin) scope(ctx context.Context, name string) (*scopeRep, error) {
	find := func() (*scopeRep, int, error) {
		list, err := a.realmScopes(ctx)
		if err != nil {
			return nil, 0, err
		}
		for i := range list {
			if list[i].Name == name {
				return &list[i], len(list), nil
			}
		}
		return nil, len(list), nil
	}
	s, n, err := find()
	if err == nil && s == nil {
		a.scopes.drop("") // it may have been made just now
		s, n, err = find()
	}
	switch {
	case err != nil:
		return nil, err
	case s != nil:
		return s, nil
	case n == 0:
		return nil, a.forbidden("the client scopes", right{"view-clients"})
	}
	return nil, &usher.Error{
		Code: usher.ErrNotFound, Message: a.place + " has no client scope '" + short(name) + "'", Err: silent{provider.ErrNotFound},
		Hint: "see whether the app spells the scope as the realm does: Client scopes",
	}
}
