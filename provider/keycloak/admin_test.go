package keycloak_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher"
	"usher/provider"
	"usher/provider/keycloak"
)

var ctx = context.Background()

func TestNew(t *testing.T) {
	for _, bad := range []string{
		"", "shop", "https://sso.example", "https://sso.example/realms/", "https://sso.example/realms/a/b", "ftp://sso.example/realms/a",
		"https://sso.example/realms/a?x=1", "https://u:p@sso.example/realms/a", "https://sso.example/realms/..", "https://sso.example/realms/%2e%2e",
	} {
		if _, err := keycloak.New(keycloak.Config{Issuer: bad, ClientID: "a", Secret: "b", HTTP: http.DefaultClient}); err == nil {
			t.Errorf("the issuer %q passes", bad)
		}
	}
	for _, missing := range []keycloak.Config{
		{Issuer: "https://a/realms/b", Secret: "b", HTTP: http.DefaultClient},
		{Issuer: "https://a/realms/b", ClientID: "b", HTTP: http.DefaultClient},
		{Issuer: "https://a/realms/b", ClientID: "b", Secret: "b"},
	} {
		if _, err := keycloak.New(missing); err == nil {
			t.Errorf("%+v passes", missing)
		}
	}
	a, err := keycloak.New(keycloak.Config{Issuer: "https://sso.example/auth/realms/my%20shop/", ClientID: "a", Secret: "b", HTTP: http.DefaultClient})
	if err != nil {
		t.Fatal(err)
	}
	got := a.Capabilities()
	if got.Place != "realm 'my shop' at https://sso.example/auth" || got.Tenant != "my shop" || got.Kind != "keycloak" ||
		got.Actions[usher.ActionEnableClient].Request != "PUT /auth/admin/realms/my%20shop/clients/{uid}" {
		t.Errorf("%+v", got)
	}
	for kind, c := range got.Actions {
		if c.Right == "" || c.Request == "" || c.Field == "" {
			t.Errorf("%s: %+v", kind, c)
		}
	}
}

func TestOldPrefixAndReading(t *testing.T) {
	for _, prefix := range []string{"", "/auth"} {
		d := newDouble(t, prefix)
		d.clients["u-2"] = map[string]any{"id": "u-2", "clientId": "shop-old", "enabled": true}
		c, err := d.admin().Client(ctx, "shop")
		if err != nil {
			t.Fatal(err)
		}
		if c.UID != "u-1" || c.Tenant != "shop" || c.Public || c.Disabled || !slices.Equal(c.AddableScopes, []string{"orders"}) ||
			!c.SecretCreated.Equal(time.Unix(1795603878, 0)) || c.AuthMethod != "client_secret_basic" {
			t.Errorf("%+v", c)
		}
		if text := fmt.Sprintf("%+v", c) + string(must(json.Marshal(c))); strings.Contains(text, "hidden-secret") {
			t.Errorf("the secret is in %s", text)
		}
		if _, err := d.admin().Client(ctx, "sho"); !errors.Is(err, provider.ErrNotFound) {
			t.Errorf("a prefix of a client id: %v", err)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestToken(t *testing.T) {
	d := newDouble(t, "")
	now := time.Unix(1_800_000_000, 0)
	d.now = func() time.Time { return now }
	a := d.admin()
	look := func(want int) {
		t.Helper()
		if _, err := a.Client(ctx, "shop"); err != nil {
			t.Fatal(err)
		}
		if d.issued != want {
			t.Errorf("%d tokens were asked for, want %d", d.issued, want)
		}
	}
	look(1)
	now = now.Add(35 * time.Second)
	look(1)
	now = now.Add(10 * time.Second) // 45 of 60 s: renewed before it expires
	look(2)
	clear(d.tokens) // revoked
	look(3)
	// One token serves all who ask at once.
	clear(d.tokens)
	now = now.Add(time.Hour)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := a.Client(ctx, "shop"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	look(4)
	// A token that is refused for good is no loop.
	d.lifetime = 0
	now = now.Add(time.Hour)
	before := d.issued
	if _, err := a.Client(ctx, "shop"); !errors.Is(err, provider.ErrForbidden) || d.issued > before+3 {
		t.Errorf("%v after %d tokens", err, d.issued-before)
	}
}

func TestSetRedirectURIs(t *testing.T) {
	d := newDouble(t, "")
	a := d.admin()
	old, both := []string{"https://shop.test/cb"}, []string{"https://shop.test/cb/", "https://shop.test/cb"}
	for range 2 {
		if err := a.SetRedirectURIs(ctx, "shop", old, both); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(slices.DeleteFunc(slices.Clone(d.calls), func(c string) bool { return !strings.HasPrefix(c, "PUT") })); n != 1 {
		t.Errorf("%d writes, want 1: %v", n, d.calls)
	}
	if err := a.SetRedirectURIs(ctx, "shop", old, []string{"https://shop.test/x"}); !errors.Is(err, provider.ErrChanged) {
		t.Errorf("got %v", err)
	}
	// The order that was planned against does not count.
	if err := a.SetRedirectURIs(ctx, "shop", []string{both[1], both[0]}, old); err != nil {
		t.Error(err)
	}
	// Somebody writes in the same moment.
	d.afterPut = func(rep map[string]any) { rep["redirectUris"] = []any{"https://shop.test/theirs"} }
	err := a.SetRedirectURIs(ctx, "shop", old, both)
	if !errors.Is(err, provider.ErrChanged) || !strings.Contains(err.Error(), "same moment") {
		t.Errorf("got %v", err)
	}
	if err := a.SetRedirectURIs(ctx, "missing", old, both); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestRace: of many who add to one list at once, through several Admins, each
// is told that it was changed or its URI is there in the end.
func TestRace(t *testing.T) {
	d := newDouble(t, "")
	var wg sync.WaitGroup
	var mu sync.Mutex
	added := []string{}
	for i := range 12 {
		a := d.admin()
		wg.Go(func() {
			uri := fmt.Sprint("https://shop.test/", i)
			for {
				c, err := a.Client(ctx, "shop")
				if err != nil {
					t.Error(err)
					return
				}
				err = a.SetRedirectURIs(ctx, "shop", c.RedirectURIs, append(slices.Clone(c.RedirectURIs), uri))
				if errors.Is(err, provider.ErrChanged) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				added = append(added, uri)
				mu.Unlock()
				return
			}
		})
	}
	wg.Wait()
	c, err := d.admin().Client(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	for _, uri := range added {
		if !slices.Contains(c.RedirectURIs, uri) {
			t.Errorf("%s was lost", uri)
		}
	}
	if len(added) != 12 {
		t.Errorf("%d of 12 were added", len(added))
	}
}

func TestScopes(t *testing.T) {
	d := newDouble(t, "")
	a := d.admin()
	for range 2 {
		if err := a.AllowScope(ctx, "shop", "orders"); err != nil {
			t.Fatal(err)
		}
	}
	if c, _ := a.Client(ctx, "shop"); !slices.Equal(c.OptionalScopes, []string{"orders", "phone"}) || len(c.AddableScopes) != 0 {
		t.Errorf("%+v", c)
	}
	if err := a.AllowScope(ctx, "shop", "email"); err != nil {
		t.Errorf("given by default already: %v", err)
	}
	for range 2 {
		if err := a.DisallowScope(ctx, "shop", "orders"); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.DisallowScope(ctx, "shop", "email"); !errors.Is(err, provider.ErrChanged) {
		t.Errorf("given by default: %v", err)
	}
	if err := a.AllowScope(ctx, "shop", "saml-roles"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("of another protocol: %v", err)
	}
	s, err := a.Scope(ctx, "orders")
	if err != nil || !slices.Equal(s.Roles, []string{"buyer", "realm-management: manage-users"}) {
		t.Errorf("%+v, %v", s, err)
	}
	d.forbid = "scope-mappings"
	if s, err = a.Scope(ctx, "orders"); err != nil || !s.RolesUnknown {
		t.Errorf("%+v, %v", s, err)
	}
	// A scope that was made a moment ago is found.
	d.forbid = ""
	d.scopes = append(d.scopes, map[string]any{"id": "s-9", "name": "new", "protocol": "openid-connect"})
	if err := a.AllowScope(ctx, "shop", "new"); err != nil {
		t.Error(err)
	}
	// An account that may not see scopes is given an empty list: unknown, not absent.
	d.scopes = nil
	a = d.admin()
	if c, err := a.Client(ctx, "shop"); err != nil || c.AddableScopes != nil {
		t.Errorf("%+v, %v", c, err)
	}
	if err := a.AllowScope(ctx, "shop", "other"); !errors.Is(err, provider.ErrForbidden) {
		t.Errorf("got %v", err)
	}
}

func TestSecret(t *testing.T) {
	d := newDouble(t, "")
	a := d.admin()
	was, err := a.Client(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	secret, err := a.ReplaceSecret(ctx, was)
	if err != nil || secret.Reveal() != d.clients["u-1"]["secret"] {
		t.Fatalf("%v, %v", secret, err)
	}
	if _, err := a.ReplaceSecret(ctx, was); !errors.Is(err, provider.ErrChanged) {
		t.Errorf("a second time: %v", err)
	}
	// Set by hand, which leaves the time of creation as it is.
	was, _ = a.Client(ctx, "shop")
	d.clients["u-1"]["secret"] = "by hand"
	if _, err := a.ReplaceSecret(ctx, was); !errors.Is(err, provider.ErrChanged) {
		t.Errorf("set by hand in between: %v", err)
	}
	was, _ = a.Client(ctx, "shop")
	d.clients["u-1"]["publicClient"] = true
	if _, err := a.ReplaceSecret(ctx, was); !errors.Is(err, provider.ErrUnsupported) {
		t.Errorf("public: %v", err)
	}
}

func TestResolveIsCachedAndBounded(t *testing.T) {
	d := newDouble(t, "")
	a := d.admin()
	for range 3 {
		if id, err := a.Resolve(ctx, "u-1"); id != "shop" || err != nil {
			t.Fatal(id, err)
		}
		if _, err := a.Resolve(ctx, "u-0"); !errors.Is(err, provider.ErrNotFound) {
			t.Fatal(err)
		}
		if p, err := a.User(ctx, "x"); p.Name != "ada" || err != nil {
			t.Fatal(p, err)
		}
	}
	if len(d.calls) != 3 {
		t.Errorf("asked %v", d.calls)
	}
	// An id is a path segment and no path.
	if _, err := a.Resolve(ctx, "../users/x"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestErrorsForAPerson(t *testing.T) {
	d := newDouble(t, "")
	a := d.admin()
	check := func(err error, is error, words string) {
		t.Helper()
		var told *usher.Error
		if !errors.Is(err, is) || !errors.As(err, &told) {
			t.Fatalf("got %v, want %v", err, is)
		}
		text := told.Error() + "\n" + told.Hint
		if !strings.Contains(text, words) {
			t.Errorf("%q does not say %q", text, words)
		}
		for _, never := range []string{"s3cr3t", "token-", "hidden-secret", "clientId="} {
			if strings.Contains(text, never) {
				t.Errorf("%q shows %q", text, never)
			}
		}
	}
	d.forbid = "PUT"
	err := a.SetEnabled(ctx, "shop", false)
	check(err, provider.ErrForbidden, "it needs the role manage-clients of realm-management in realm 'shop', or with fine-grained admin permissions view and manage on this client alone")
	d.forbid = "GET"
	_, err = a.Client(ctx, "shop")
	check(err, provider.ErrForbidden, "view-clients")
	_, err = a.User(ctx, "x")
	check(err, provider.ErrForbidden, "view-users")
	d.forbid = ""
	for _, broken := range []string{"<html>", "{}", `[{"clientId":"shop"}]`, `[{"clientId":"shop","id":7}]`, `[null]`, `null`, " "} {
		d.broken = broken
		if _, err := a.Client(ctx, "shop"); err == nil {
			t.Errorf("%q gives no error", broken)
		}
	}
	d.broken = ""
	slow, cancel := context.WithCancel(ctx)
	cancel()
	_, err = a.Client(slow, "shop")
	check(err, provider.ErrUnreachable, "")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not that it was cancelled", err)
	}
	d.server.Close()
	_, err = a.Client(ctx, "shop")
	check(err, provider.ErrUnreachable, "refused the connection")
}
