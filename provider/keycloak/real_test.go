package keycloak_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/guard"
	"usher/provider"
	"usher/provider/keycloak"
)

// real is a realm of its own at the Keycloak that USHER_KEYCLOAK names.
type real struct {
	*testing.T
	base, realm, bearer string
	admin               *keycloak.Admin
	client              *guard.Client
}

const (
	serviceID     = "usher"
	serviceSecret = "for this test alone"
)

// newReal makes the realm; without a Keycloak the test is skipped, or fails
// where the systems are required.
func newReal(t *testing.T, roles ...string) *real {
	base := os.Getenv("USHER_KEYCLOAK")
	if base == "" {
		if os.Getenv("USHER_SYSTEMS") == "require" {
			t.Fatal("USHER_KEYCLOAK names no Keycloak, and USHER_SYSTEMS requires one")
		}
		t.Skip("SKIPPED: set USHER_KEYCLOAK=http://127.0.0.1:8080 (a Keycloak with admin/admin) to run this against a real one")
	}
	r := &real{T: t, base: strings.TrimRight(base, "/"), realm: "usher-test-" + strings.ToLower(t.Name()[strings.LastIndex(t.Name(), "Real")+4:])}
	r.signIn()
	_, _ = r.ask(http.MethodDelete, "/admin/realms/"+r.realm, nil)
	r.must(http.MethodPost, "/admin/realms", map[string]any{"realm": r.realm, "enabled": true, "adminPermissionsEnabled": true})
	t.Cleanup(func() { r.signIn(); _, _ = r.ask(http.MethodDelete, "/admin/realms/"+r.realm, nil) })
	r.make(map[string]any{"clientId": serviceID, "secret": serviceSecret, "serviceAccountsEnabled": true, "standardFlowEnabled": false})
	r.give(roles...)
	issuer := r.base + "/realms/" + r.realm
	r.client = guard.New(guard.Options{Trusted: []string{issuer}})
	var err error
	r.admin, err = keycloak.New(keycloak.Config{Issuer: issuer, ClientID: serviceID, Secret: serviceSecret, HTTP: r.client.HTTP()})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *real) signIn() {
	r.Helper()
	resp, err := http.PostForm(r.base+"/realms/master/protocol/openid-connect/token", url.Values{
		"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {"admin"},
	})
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		r.Fatalf("no token for admin/admin: %v", err)
	}
	r.bearer = answer.AccessToken
}

func (r *real) ask(method, path string, in any) (int, []byte) {
	r.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		r.Fatal(err)
	}
	req, err := http.NewRequest(method, r.base+path, bytes.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.bearer)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	out, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, out
}

func (r *real) must(method, path string, in any) []byte {
	r.Helper()
	status, out := r.ask(method, path, in)
	if status/100 != 2 {
		r.Fatalf("%s %s: %d %s", method, path, status, out)
	}
	return out
}

func (r *real) in(path string) string { return "/admin/realms/" + r.realm + path }

func (r *real) make(rep map[string]any) (uid string) {
	r.Helper()
	r.must(http.MethodPost, r.in("/clients"), rep)
	return r.uid(rep["clientId"].(string))
}

func (r *real) uid(clientID string) string {
	r.Helper()
	var list []struct{ ID string }
	if err := json.Unmarshal(r.must(http.MethodGet, r.in("/clients?clientId="+url.QueryEscape(clientID)), nil), &list); err != nil || len(list) != 1 {
		r.Fatalf("client %s: %v", clientID, err)
	}
	return list[0].ID
}

func (r *real) raw(uid string) map[string]any {
	r.Helper()
	rep := map[string]any{}
	if err := json.Unmarshal(r.must(http.MethodGet, r.in("/clients/"+uid), nil), &rep); err != nil {
		r.Fatal(err)
	}
	return rep
}

// give gives roles of realm-management to the service account.
func (r *real) give(roles ...string) {
	r.Helper()
	management := r.uid("realm-management")
	var account struct{ ID string }
	if err := json.Unmarshal(r.must(http.MethodGet, r.in("/clients/"+r.uid(serviceID)+"/service-account-user"), nil), &account); err != nil {
		r.Fatal(err)
	}
	for _, role := range roles {
		var rep any
		if err := json.Unmarshal(r.must(http.MethodGet, r.in("/clients/"+management+"/roles/"+role), nil), &rep); err != nil {
			r.Fatal(err)
		}
		r.must(http.MethodPost, r.in("/users/"+account.ID+"/role-mappings/clients/"+management), []any{rep})
	}
}

// permit gives fine-grained permissions on one client.
func (r *real) permit(uid string, scopes ...string) {
	r.Helper()
	server := r.in("/clients/" + r.uid("admin-permissions") + "/authz/resource-server")
	r.must(http.MethodPost, server+"/policy/client", map[string]any{"name": "it is usher", "clients": []string{r.uid(serviceID)}})
	r.must(http.MethodPost, server+"/permission/scope", map[string]any{
		"name": "usher repairs it", "resourceType": "Clients", "resources": []string{uid}, "scopes": scopes, "policies": []string{"it is usher"},
	})
}

func (r *real) full() map[string]any {
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

// TestRealChangesNothingElse: only the named member of a client changes, and
// its authorization services keep what they hold.
func TestRealChangesNothingElse(t *testing.T) {
	r := newReal(t, "manage-clients")
	ctx := context.Background()
	uid := r.make(r.full())
	r.must(http.MethodPost, r.in("/clients/"+uid+"/authz/resource-server/resource"), map[string]any{"name": "precious"})
	before := r.raw(uid)

	to := []string{"https://full.test/cb", "https://full.test/cb/"}
	for range 2 { // the second time it is so already
		if err := r.admin.SetRedirectURIs(ctx, "full", []string{"https://full.test/cb"}, to); err != nil {
			t.Fatal(err)
		}
	}
	after := r.raw(uid)
	before["redirectUris"], after["redirectUris"] = nil, nil
	was, _ := json.Marshal(before)
	is, _ := json.Marshal(after)
	if !bytes.Equal(was, is) {
		t.Errorf("more was changed:\n%s\n%s", was, is)
	}
	if got := r.must(http.MethodGet, r.in("/clients/"+uid+"/authz/resource-server/resource"), nil); !bytes.Contains(got, []byte("precious")) {
		t.Errorf("the authorization services lost their resource: %s", got)
	}
	c, err := r.admin.Client(ctx, "full")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.RedirectURIs, to) || c.PKCE != "S256" || c.Public || c.Disabled || !c.Consent || c.Tenant != r.realm || c.UID != uid ||
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

func TestRealScopeEnableSecret(t *testing.T) {
	r := newReal(t, "manage-clients", "view-users")
	ctx := context.Background()
	uid := r.make(map[string]any{"clientId": "app", "redirectUris": []string{"https://app.test/cb"}, "enabled": false})
	r.must(http.MethodPost, r.in("/client-scopes"), map[string]any{"name": "orders.read", "protocol": "openid-connect"})
	r.must(http.MethodPost, r.in("/roles"), map[string]any{"name": "buyer"})

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

	r.must(http.MethodPost, r.in("/users"), map[string]any{"username": "ada"})
	var users []struct{ ID string }
	_ = json.Unmarshal(r.must(http.MethodGet, r.in("/users?username=ada"), nil), &users)
	if p, err := r.admin.User(ctx, users[0].ID); err != nil || p.Name != "ada" {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestRealFineGrained: view and manage on one client with query-clients are
// enough for that client, and for nothing else.
func TestRealFineGrained(t *testing.T) {
	r := newReal(t, "query-clients")
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

func TestRealViewOnly(t *testing.T) {
	r := newReal(t, "view-clients")
	uid := r.make(r.full())
	ctx := context.Background()
	err := r.admin.SetRedirectURIs(ctx, "full", []string{"https://full.test/cb"}, []string{"https://full.test/new"})
	var told *usher.Error
	if !errors.Is(err, provider.ErrForbidden) || !errors.As(err, &told) || !strings.Contains(told.Hint, "the role manage-clients of realm-management in realm '"+r.realm+"'") {
		t.Errorf("got %v", err)
	}
	if got := r.raw(uid)["redirectUris"].([]any); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

func TestRealNoRights(t *testing.T) {
	r := newReal(t)
	r.make(r.full())
	if _, err := r.admin.Client(context.Background(), "full"); !errors.Is(err, provider.ErrForbidden) {
		t.Errorf("got %v", err)
	}
	a, err := keycloak.New(keycloak.Config{Issuer: r.base + "/realms/" + r.realm, ClientID: serviceID, Secret: "wrong", HTTP: r.client.HTTP()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Client(context.Background(), "full")
	if !errors.Is(err, provider.ErrForbidden) || !strings.Contains(err.Error(), "its secret is another one") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("got %v", err)
	}
	a, _ = keycloak.New(keycloak.Config{Issuer: r.base + "/realms/" + r.realm + "-none", ClientID: serviceID, Secret: "wrong", HTTP: r.client.HTTP()})
	if _, err = a.Client(context.Background(), "full"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("no such realm: %v", err)
	}
}
