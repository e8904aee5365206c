package systems_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/provider"
	"usher/provider/keycloak"
)

// admin is how usher changes the shop's realm, with a client's own rights.
func (s *shop) admin(clientID string, secret usher.Secret) *keycloak.Admin {
	s.t.Helper()
	a, err := keycloak.New(keycloak.Config{
		Issuer: s.kc.Issuer(s.realm), ClientID: clientID, Secret: secret, HTTP: &http.Client{Timeout: 10 * time.Second},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// leastRights: what usher asks of Keycloak's admin API works with the one role
// that examples/first-case gives it, touches nothing else, and is refused with
// less.
func leastRights(s *shop) {
	t := s.t
	ctx := t.Context()
	a := s.admin("usher", "the-secret-of-usher")
	before := s.registration()
	differs := func(what string, want ...string) {
		t.Helper()
		if diff := changed(before, s.registration()); !slices.Equal(diff, want) {
			t.Errorf("%s makes the difference %q, want %q", what, diff, want)
		}
	}
	fine := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}

	client, err := a.Client(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(client.RedirectURIs, []string{withSlash}) || client.Disabled || client.Public || client.UID == "" {
		t.Errorf("the client: %+v", client)
	}
	if id, err := a.Resolve(ctx, client.UID); id != "shop" || err != nil {
		t.Errorf("the client id of %s is %q, %v", client.UID, id, err)
	}
	if _, err := a.Client(ctx, "nobody"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("a client that is not there: %v", err)
	}

	// Each change is itself alone, and twice is once.
	for range 2 {
		fine("a redirect URI", a.SetRedirectURIs(ctx, "shop", []string{withSlash}, []string{withSlash, noSlash}))
		differs("a redirect URI", `redirectUris: ["https://shop.test/cb/"] -> ["https://shop.test/cb","https://shop.test/cb/"]`)
	}
	if err := a.SetRedirectURIs(ctx, "shop", []string{"https://elsewhere.test/"}, []string{noSlash}); !errors.Is(err, provider.ErrChanged) {
		t.Errorf("a change planned against another state: %v", err)
	}
	fine("taken back", a.SetRedirectURIs(ctx, "shop", []string{noSlash, withSlash}, []string{withSlash}))
	differs("taken back")
	for range 2 {
		fine("disabling", a.SetEnabled(ctx, "shop", false))
		differs("disabling", "enabled: true -> false")
	}
	fine("enabling", a.SetEnabled(ctx, "shop", true))
	differs("enabling")

	fine("a new scope", s.kc.Admin(ctx, http.MethodPost, s.realm+"/client-scopes", map[string]any{"name": "orders", "protocol": "openid-connect"}, nil))
	if scope, err := a.Scope(ctx, "orders"); err != nil || scope.Name != "orders" || len(scope.Roles) > 0 {
		t.Errorf("the scope: %+v, %v", scope, err)
	}
	if _, err := a.Scope(ctx, "no-such-scope"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("a scope that is not there: %v", err)
	}
	for range 2 {
		fine("allowing a scope", a.AllowScope(ctx, "shop", "orders"))
	}
	if diff := changed(before, s.registration()); len(diff) != 1 || !strings.Contains(diff[0], `"orders"`) {
		t.Errorf("allowing a scope makes the difference %q", diff)
	}
	fine("disallowing it", a.DisallowScope(ctx, "shop", "orders"))
	differs("disallowing it")

	client, err = a.Client(ctx, "shop")
	fine("the client", err)
	secret, err := a.ReplaceSecret(ctx, client)
	fine("a new secret", err)
	if got := s.registration()["secret"]; secret.Reveal() != got || got == "the-secret-of-shop" {
		t.Errorf("the new secret is not what Keycloak has")
	}
	if _, err := a.ReplaceSecret(ctx, client); !errors.Is(err, provider.ErrChanged) {
		t.Errorf("replacing a secret that was replaced: %v", err)
	}
	s.secret = secret.Reveal()
	s.succeeds(nil)

	// What the role does not give is refused, with a word on what it takes.
	if _, err := a.User(ctx, "00000000-0000-0000-0000-000000000000"); !errors.Is(err, provider.ErrForbidden) || !strings.Contains(hint(err), "view-users") {
		t.Errorf("a user: %v (%s)", err, hint(err))
	}
	// A client without any role, and a wrong secret.
	fine("a client", s.kc.Admin(ctx, http.MethodPost, s.realm+"/clients", map[string]any{
		"clientId": "nothing", "secret": "the-secret-of-nothing", "serviceAccountsEnabled": true, "standardFlowEnabled": false,
	}, nil))
	nothing := s.admin("nothing", "the-secret-of-nothing")
	before = s.registration()
	if err := nothing.SetEnabled(ctx, "shop", false); !errors.Is(err, provider.ErrForbidden) {
		t.Errorf("without a role: %v (%s)", err, hint(err))
	}
	if _, err := nothing.Client(ctx, "shop"); err == nil {
		t.Error("without a role the client can be read")
	}
	_, err = s.admin("usher", "not-the-secret-of-usher").Client(ctx, "shop")
	if err == nil || strings.Contains(err.Error()+hint(err), "not-the-secret") {
		t.Errorf("with a wrong secret: %v (%s)", err, hint(err))
	}
	differs("what was refused")
}

func hint(err error) string {
	var e *usher.Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

// TestKeycloakAdmin is leastRights with a Keycloak, and without usher's server.
func TestKeycloakAdmin(t *testing.T) {
	leastRights(openRealm(t, theKeycloak(t), startRelyingParty(t)))
}
