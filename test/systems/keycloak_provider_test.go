package systems_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/guard"
	"usher/provider"
	"usher/provider/keycloak"
	server "usher/test/systems/keycloak"
)

// realm is an empty realm at the real Keycloak, for one test of a room, with a
// client of usher's in it.
type realm struct {
	*testing.T
	kc     *server.Server
	name   string
	admin  *keycloak.Admin // with the rights of usher's client
	client *guard.Client
}

// Who usher is in a realm.
const (
	serviceID     = "usher"
	serviceSecret = "for this test alone"
)

// newRealm makes a realm in which usher's client has these roles of
// realm-management.
func newRealm(t *testing.T, roles ...string) *realm {
	t.Helper()
	return newRealmAt(t, theKeycloak(t), roles...)
}

// newRealmAt is newRealm at one Keycloak.
func newRealmAt(t *testing.T, kc *server.Server, roles ...string) *realm {
	t.Helper()
	r := &realm{T: t, kc: kc, name: "usher-" + strings.ToLower(strings.NewReplacer("TestKeycloak", "", "/", "-", "_", "-").Replace(t.Name()))}
	if err := r.kc.Admin(t.Context(), http.MethodPost, "", map[string]any{"realm": r.name, "enabled": true, "adminPermissionsEnabled": true}, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.kc.DeleteRealm(context.Background(), r.name) })
	r.make(map[string]any{"clientId": serviceID, "secret": serviceSecret, "serviceAccountsEnabled": true, "standardFlowEnabled": false})
	r.give(roles...)
	issuer := r.kc.Issuer(r.name)
	r.client = guard.New(guard.Options{Trusted: []string{issuer}})
	r.admin = r.signedIn(issuer, serviceSecret)
	return r
}

// signedIn is usher's client of a realm, with a secret that may be right.
func (r *realm) signedIn(issuer string, secret usher.Secret) *keycloak.Admin {
	r.Helper()
	a, err := keycloak.New(keycloak.Config{Issuer: issuer, ClientID: serviceID, Secret: secret, HTTP: r.client.HTTP()})
	if err != nil {
		r.Fatal(err)
	}
	return a
}

// must calls the admin API as the administrator, below the realm.
func (r *realm) must(method, path string, in, out any) {
	r.Helper()
	if err := r.kc.Admin(r.Context(), method, r.name+path, in, out); err != nil {
		r.Fatal(err)
	}
}

func (r *realm) make(rep map[string]any) (uid string) {
	r.Helper()
	r.must(http.MethodPost, "/clients", rep, nil)
	return r.uid(rep["clientId"].(string))
}

func (r *realm) uid(clientID string) string {
	r.Helper()
	rep, err := r.kc.Client(r.Context(), r.name, clientID)
	if err != nil {
		r.Fatal(err)
	}
	return rep["id"].(string)
}

func (r *realm) raw(uid string) map[string]any {
	r.Helper()
	rep := map[string]any{}
	r.must(http.MethodGet, "/clients/"+uid, nil, &rep)
	return rep
}

// give gives roles of realm-management to the service account.
func (r *realm) give(roles ...string) {
	r.Helper()
	management := r.uid("realm-management")
	var account struct{ ID string }
	r.must(http.MethodGet, "/clients/"+r.uid(serviceID)+"/service-account-user", nil, &account)
	for _, role := range roles {
		var rep any
		r.must(http.MethodGet, "/clients/"+management+"/roles/"+role, nil, &rep)
		r.must(http.MethodPost, "/users/"+account.ID+"/role-mappings/clients/"+management, []any{rep}, nil)
	}
}

// permit gives fine-grained permissions on one client.
func (r *realm) permit(uid string, scopes ...string) {
	r.Helper()
	permissions := "/clients/" + r.uid("admin-permissions") + "/authz/resource-server"
	r.must(http.MethodPost, permissions+"/policy/client", map[string]any{"name": "it is usher", "clients": []string{r.uid(serviceID)}}, nil)
	r.must(http.MethodPost, permissions+"/permission/scope", map[string]any{
		"name": "usher repairs it", "resourceType": "Clients", "resources": []string{uid}, "scopes": scopes, "policies": []string{"it is usher"},
	}, nil)
}

func (r *realm) full() map[string]any {
	return map[string]any{
		"clientId": "full", "secret": "abc", "redirectUris": []string{"https://full.test/cb"}, "webOrigins": []string{"+"},
		"serviceAccountsEnabled": true, "authorizationServicesEnabled": true, "consentRequired": true, "frontchannelLogout": true,
		"rootUrl": "https://full.test", "baseUrl": "/x", "directAccessGrantsEnabled": true,
		"attributes": map[string]string{
			"oauth2.device.authorization.grant.enabled": "true", "post.logout.redirect.uris": "+", "pkce.code.challenge.method": "S256",
		},
		"defaultClientScopes": []string{"email"}, "optionalClientScopes": []string{"phone"},
		"protocolMappers": []any{map[string]any{
			"name": "m", "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-claim-mapper", "config": map[string]string{"claim.name": "a", "claim.value": "b"},
		}},
	}
}

// TestKeycloakChangesNothingElse: only the named member of a client changes, and
// its authorization services keep what they hold.
func TestKeycloakChangesNothingElse(t *testing.T) {
	r := newRealm(t, "manage-clients")
	ctx := context.Background()
	uid := r.make(r.full())
	r.must(http.MethodPost, "/clients/"+uid+"/authz/resource-server/resource", map[string]any{"name": "precious"}, nil)
	before := r.raw(uid)

	to := []string{"https://full.test/cb", "https://full.test/cb/"}
	for range 2 { // the second time it is so already
		if err := r.admin.SetRedirectURIs(ctx, "full", []string{"https://full.test/cb"}, to); err != nil {
			t.Fatal(err)
		}
	}
	after := r.raw(uid)
	if diff := changed(before, after); len(diff) != 1 || !strings.HasPrefix(diff[0], "redirectUris:") {
		t.Errorf("more was changed: %q", diff)
	}
	var resources []struct{ Name string }
	r.must(http.MethodGet, "/clients/"+uid+"/authz/resource-server/resource", nil, &resources)
	if !slices.ContainsFunc(resources, func(each struct{ Name string }) bool { return each.Name == "precious" }) {
		t.Errorf("the authorization services lost their resource: %v", resources)
	}
	c, err := r.admin.Client(ctx, "full")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.RedirectURIs, to) || c.PKCE != "S256" || c.Public || c.Disabled || !c.Consent || c.Tenant != r.name || c.UID != uid ||
		c.RootURL != "https://full.test" || !slices.Contains(c.DefaultScopes, "email") || !slices.Contains(c.OptionalScopes, "phone") ||
		!slices.Contains(c.GrantTypes, "client_credentials") || !slices.Contains(c.GrantTypes, "password") || !slices.Contains(c.AddableScopes, "address") {
		t.Errorf("read %+v", c)
	}
	if text, _ := json.Marshal(c); bytes.Contains(text, []byte("abc")) {
		t.Errorf("the client shows its secret: %s", text)
	}

	err = r.admin.SetRedirectURIs(ctx, "full", []string{"https://full.test/cb"}, []string{"https://full.test/other"})
	if !errors.Is(err, provider.ErrChanged) {
		t.Errorf("planned against what is no longer so: %v", err)
	}
	err = r.admin.SetRedirectURIs(ctx, "full", to, []string{"javascript:alert(1)"})
	if !errors.Is(err, provider.ErrUnsupported) || !strings.Contains(err.Error(), "illegal scheme") {
		t.Errorf("a script: %v", err)
	}
	if id, err := r.admin.Resolve(ctx, uid); id != "full" || err != nil {
		t.Errorf("Resolve gave %q, %v", id, err)
	}
	if _, err := r.admin.Resolve(ctx, "00000000-0000-4000-8000-000000000000"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("Resolve of nobody gave %v", err)
	}
	if _, err := r.admin.Client(ctx, "ful"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("Client of nobody gave %v", err)
	}
	if _, err := r.admin.User(ctx, "x"); !errors.Is(err, provider.ErrForbidden) {
		t.Errorf("User without view-users gave %v", err)
	}
}

func TestKeycloakScopeEnableSecret(t *testing.T) {
	r := newRealm(t, "manage-clients", "view-users")
	ctx := context.Background()
	uid := r.make(map[string]any{"clientId": "app", "redirectUris": []string{"https://app.test/cb"}, "enabled": false})
	r.must(http.MethodPost, "/client-scopes", map[string]any{"name": "orders.read", "protocol": "openid-connect"}, nil)
	r.must(http.MethodPost, "/roles", map[string]any{"name": "buyer"}, nil)

	for range 2 {
		if err := r.admin.AllowScope(ctx, "app", "orders.read"); err != nil {
			t.Fatal(err)
		}
		if err := r.admin.SetEnabled(ctx, "app", true); err != nil {
			t.Fatal(err)
		}
	}
	c, err := r.admin.Client(ctx, "app")
	if err != nil || c.Disabled || !slices.Contains(c.OptionalScopes, "orders.read") {
		t.Fatalf("%+v, %v", c, err)
	}
	for range 2 {
		if err := r.admin.DisallowScope(ctx, "app", "orders.read"); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.admin.AllowScope(ctx, "app", "orders.raed"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("no such scope: %v", err)
	}
	if _, err := r.admin.Scope(ctx, "email"); err != nil {
		t.Error(err)
	}

	c, err = r.admin.Client(ctx, "app")
	if err != nil {
		t.Fatal(err)
	}
	secret, err := r.admin.ReplaceSecret(ctx, c)
	if err != nil || secret.Reveal() == "" {
		t.Fatal(err)
	}
	if got := r.raw(uid)["secret"]; got != secret.Reveal() {
		t.Error("the secret given is not the one that Keycloak has")
	}
	after, err := r.admin.Client(ctx, "app")
	if err != nil || after.SecretCreated.IsZero() || time.Since(after.SecretCreated) > time.Minute {
		t.Errorf("the new secret is of %v, %v", after.SecretCreated, err)
	}
	if _, err := r.admin.ReplaceSecret(ctx, c); !errors.Is(err, provider.ErrChanged) {
		t.Errorf("replaced twice by one plan: %v", err)
	}

	r.must(http.MethodPost, "/users", map[string]any{"username": "ada"}, nil)
	var users []struct{ ID string }
	r.must(http.MethodGet, "/users?username=ada", nil, &users)
	if p, err := r.admin.User(ctx, users[0].ID); err != nil || p.Name != "ada" {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestKeycloakFineGrained: view and manage on one client with query-clients are
// enough for that client, and for nothing else.
func TestKeycloakFineGrained(t *testing.T) {
	r := newRealm(t, "query-clients")
	ctx := context.Background()
	uid := r.make(r.full())
	r.make(map[string]any{"clientId": "other", "redirectUris": []string{"https://other.test/cb"}})
	r.permit(uid, "view", "manage")
	c, err := r.admin.Client(ctx, "full")
	if err != nil {
		t.Fatal(err)
	}
	if c.AddableScopes != nil {
		t.Errorf("it claims to know the realm's scopes: %v", c.AddableScopes)
	}
	if err := r.admin.SetRedirectURIs(ctx, "full", c.RedirectURIs, []string{"https://full.test/new"}); err != nil {
		t.Error(err)
	}
	if raw := r.raw(uid); raw["authorizationServicesEnabled"] != true {
		t.Error("the authorization services were switched off")
	}
	if err := r.admin.SetEnabled(ctx, "full", false); err != nil {
		t.Error(err)
	}
	if _, err := r.admin.ReplaceSecret(ctx, c); err != nil {
		t.Error(err)
	}
	if err := r.admin.AllowScope(ctx, "full", "address"); !errors.Is(err, provider.ErrForbidden) {
		t.Errorf("a scope without view-clients: %v", err)
	}
	if _, err := r.admin.Client(ctx, "other"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("another client: %v", err)
	}
}

func TestKeycloakViewOnly(t *testing.T) {
	r := newRealm(t, "view-clients")
	uid := r.make(r.full())
	ctx := context.Background()
	err := r.admin.SetRedirectURIs(ctx, "full", []string{"https://full.test/cb"}, []string{"https://full.test/new"})
	var told *usher.Error
	if !errors.Is(err, provider.ErrForbidden) || !errors.As(err, &told) || !strings.Contains(told.Hint, "the role manage-clients of realm-management in realm '"+r.name+"'") {
		t.Errorf("got %v", err)
	}
	if got := r.raw(uid)["redirectUris"].([]any); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

func TestKeycloakNoRights(t *testing.T) {
	r := newRealm(t)
	r.make(r.full())
	if _, err := r.admin.Client(context.Background(), "full"); !errors.Is(err, provider.ErrForbidden) {
		t.Errorf("got %v", err)
	}
	_, err := r.signedIn(r.kc.Issuer(r.name), "wrong").Client(context.Background(), "full")
	if !errors.Is(err, provider.ErrForbidden) || !strings.Contains(err.Error(), "its secret is another one") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("got %v", err)
	}
	if _, err = r.signedIn(r.kc.Issuer(r.name+"-none"), "wrong").Client(context.Background(), "full"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("no such realm: %v", err)
	}
}
