package lab_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"usher"
	"usher/lab"
	"usher/provider"
	"usher/provider/keycloak"
)

// adminLines makes the changes of an administrator that the real log has: a
// person at the console, in the realm master.
func (b *bench) adminLines() {
	b.on("client-secret-invalid")
	b.on("scope-insufficient")
}

// admin gives usher's own way to the lab's registrations.
func (b *bench) admin() *keycloak.Admin {
	b.t.Helper()
	a, err := keycloak.New(keycloak.Config{
		Issuer: b.url + "/realms/shop", ClientID: "usher", Secret: b.lab.Secret("usher"), HTTP: http.DefaultClient,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// TestUsherRepairs lets the code that repairs a Keycloak repair the lab.
func TestUsherRepairs(t *testing.T) {
	b := newBench(t, lab.Options{})
	a := b.admin()
	ctx := t.Context()

	b.on("redirect-uri-mismatch")
	c, err := a.Client(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.RedirectURIs, []string{"https://shop.test/cb/"}) {
		t.Fatalf("registered is %v", c.RedirectURIs)
	}
	want := append(slices.Clone(c.RedirectURIs), "https://shop.test/cb")
	if err := a.SetRedirectURIs(ctx, "shop", c.RedirectURIs, want); err != nil {
		t.Fatal(err)
	}
	b.signIn()
	log := b.log.take()
	line := last(t, log, `operationType="UPDATE"`)
	if !strings.Contains(line, `realmName="shop"`) || strings.Contains(line, b.lab.Secret("shop").Reveal()) {
		t.Errorf("the admin event is %s", line)
	}

	b.on("scope-insufficient")
	if err := a.AllowScope(ctx, "shop", "orders"); err != nil {
		t.Fatal(err)
	}
	b.wantOrders(b.signIn())
	if err := a.DisallowScope(ctx, "shop", "orders"); err != nil {
		t.Fatal(err)
	}

	b.on("client-secret-invalid")
	_, err = b.trySignIn()
	refused(t, err, http.StatusUnauthorized, "unauthorized_client")
	if c, err = a.Client(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	secret, err := a.ReplaceSecret(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	b.conf.ClientSecret = secret.Reveal()
	b.signIn()

	if err := a.SetEnabled(ctx, "shop", false); err != nil {
		t.Fatal(err)
	}
	if r := b.authorize("x"); r.status != http.StatusBadRequest {
		t.Errorf("a client that is switched off gets %d", r.status)
	}
	if err := a.SetEnabled(ctx, "shop", true); err != nil {
		t.Fatal(err)
	}
	b.signIn()
	if _, err := a.Client(ctx, "nobody"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("an unknown client gives %v", err)
	}
}

// TestRights: a client without the right changes nothing.
func TestRights(t *testing.T) {
	b := newBench(t, lab.Options{})
	a, err := keycloak.New(keycloak.Config{
		Issuer: b.url + "/realms/shop", ClientID: "shop", Secret: b.lab.Secret("shop"), HTTP: http.DefaultClient,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Client(t.Context(), "shop"); !errors.Is(err, provider.ErrForbidden) {
		t.Errorf("reading without the right gives %v", err)
	}
	var known *usher.Error
	if err := a.SetRedirectURIs(t.Context(), "shop", nil, []string{"https://evil.test/"}); err == nil || !errors.As(err, &known) {
		t.Errorf("writing without the right gives %v", err)
	}
	if r := b.get(http.DefaultClient, b.url+"/admin/realms/shop/clients"); r.status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", r.status)
	}
}
