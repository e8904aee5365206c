package systems_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker"
	server "usher/test/systems/keycloak"
)

// kcBroker is a realm in which a refresh token is used once, and a broker before it.
type kcBroker struct {
	*brokered
	kc    *server.Server
	realm string
}

const kcSecret usher.Secret = "the-secret-of-the-brokered-shop"

func openKcBroker(t *testing.T) *kcBroker {
	t.Helper()
	k := &kcBroker{kc: theKeycloak(t), realm: "kept"}
	k.brokered = newBrokered(t, k.kc.URL)
	user := map[string]any{
		"username": "ana", "enabled": true, "email": "ana@shop.example", "emailVerified": true, "firstName": "Ana", "lastName": "Li",
		"credentials": []any{map[string]any{"type": "password", "value": "ana's password", "temporary": false}},
	}
	err := k.kc.Admin(t.Context(), http.MethodPost, "", map[string]any{
		"realm": k.realm, "enabled": true, "revokeRefreshToken": true, "refreshTokenMaxReuse": 0, "accessTokenLifespan": 300, "ssoSessionIdleTimeout": 1800,
		"eventsEnabled": true,
		"clients": []any{map[string]any{
			"clientId": "shop", "secret": kcSecret.Reveal(), "publicClient": false, "standardFlowEnabled": true, "serviceAccountsEnabled": true, "directAccessGrantsEnabled": false,
			"redirectUris": []string{k.url + "/connect/callback/" + "*"}, "consentRequired": false,
			"attributes": map[string]string{"pkce.code.challenge.method": "S256", "oauth2.device.authorization.grant.enabled": "true", "standard.token.exchange.enabled": "true"},
		}},
		"users": []any{user},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.kc.DeleteRealm(context.Background(), k.realm) })
	return k
}

// logged counts lines of Keycloak's log with all of these in them.
func (k *kcBroker) logged(words ...string) (n int) {
	k.Helper()
	text, err := os.ReadFile(k.kc.LogPath)
	if err != nil {
		k.Fatal(err)
	}
lines:
	for _, line := range bytes.Split(text, []byte("\n")) {
		for _, word := range append(words, `realmName="`+k.realm+`"`) {
			if !bytes.Contains(line, []byte(word)) {
				continue lines
			}
		}
		n++
	}
	return n
}

// herdOnce is herd, and holds that Keycloak saw one request of a kind.
func (k *kcBroker) herdOnce(id, kind string) {
	k.Helper()
	good, bad := k.logged(`type="`+kind+`"`), k.logged(`type="`+kind+`_ERROR"`)
	k.herd(id)
	time.Sleep(300 * time.Millisecond) // its log is written beside
	if g, b := k.logged(`type="`+kind+`"`)-good, k.logged(`type="`+kind+`_ERROR"`)-bad; g != 1 || b != 0 {
		k.Errorf("%s: Keycloak saw %d of %s, want 1, and refused %d", id, g, kind, b)
	}
}

// TestBrokerKeycloak is the life of connections before a real Keycloak.
func TestBrokerKeycloak(t *testing.T) {
	k := openKcBroker(t)
	issuer := k.kc.Issuer(k.realm)
	code := func(c *broker.Config) { c.ClientID, c.Scopes = "shop", []string{"openid", "email"} }
	v := k.add("shop-gateway", issuer, code, kcSecret)
	if e := v.Config.Endpoints; !e.IssuerInResponse || e.Introspection == "" || e.Revocation == "" || e.DeviceAuthorization == "" {
		t.Errorf("discovered: %+v", v.Config)
	}
	login := map[string]string{"username": "ana", "password": "ana's password"}
	k.secret = append(k.secret, "ana's password")

	t.Run("a person", func(t *testing.T) {
		ana := k.someone(login)
		seen := ana.connects("shop-gateway")
		if !strings.Contains(seen.text, "ana@shop.example") {
			t.Errorf("%s", seen.text)
		}
		if _, err := k.replicas[0].Renew(k.ctx, "shop-gateway"); err != nil {
			t.Fatal(err)
		}
		k.herdOnce("shop-gateway", "REFRESH_TOKEN")

		// An administrator ends the person's sessions.
		var users []struct{ ID string }
		if err := k.kc.Admin(t.Context(), http.MethodGet, k.realm+"/users?username=ana", nil, &users); err != nil || len(users) != 1 {
			t.Fatal(err, users)
		}
		if err := k.kc.Admin(t.Context(), http.MethodPost, k.realm+"/users/"+users[0].ID+"/logout", nil, nil); err != nil {
			t.Fatal(err)
		}
		tr := k.gone("shop-gateway", "session-revoked", "refresh-token-revoked", "refresh-token-expired")
		k.someone(login).connects("shop-gateway")
		k.healed("shop-gateway", tr.Cause)

		// And the account is disabled: that is not for the person to mend.
		if err := k.kc.Admin(t.Context(), http.MethodPut, k.realm+"/users/"+users[0].ID, map[string]any{"enabled": false}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := k.replicas[1].Renew(k.ctx, "shop-gateway"); err == nil {
			t.Error("a disabled user's token is renewed")
		} else if tr := k.get("shop-gateway").Status.Trouble; tr == nil || tr.Cause != "user-disabled" {
			t.Errorf("of a disabled user: %+v", tr)
		}
		if err := k.kc.Admin(t.Context(), http.MethodPut, k.realm+"/users/"+users[0].ID, map[string]any{"enabled": true}, nil); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("no and cancel", func(t *testing.T) {
		k.add("second", issuer, code, kcSecret)
		link, err := k.h.Link(k.ctx, "second")
		if err != nil {
			t.Fatal(err)
		}
		seen := k.someone(map[string]string{"username": "ana", "password": "wrong"}).visit(link, func(s sight) bool { return strings.Contains(s.text, "Invalid username or password") })
		if seen.status != http.StatusOK || k.get("second").Status.State != broker.StateNew {
			t.Errorf("%d", seen.status)
		}
		// A client that Keycloak does not know sends nobody back: its own page says so.
		k.add("third", issuer, func(c *broker.Config) { code(c); c.ClientID = "nobody" }, kcSecret)
		link, err = k.h.Link(k.ctx, "third")
		if err != nil {
			t.Fatal(err)
		}
		if seen := k.someone(login).visit(link, nil); !strings.HasPrefix(seen.url, k.kc.URL) || seen.status != http.StatusBadRequest {
			t.Errorf("%s %d", seen.url, seen.status)
		}
		// Asked for a scope that is not, it sends back with an error.
		k.add("fourth", issuer, func(c *broker.Config) { code(c); c.Scopes = []string{"openid", "nothing-like-it"} }, kcSecret)
		if link, err = k.h.Link(k.ctx, "fourth"); err != nil {
			t.Fatal(err)
		}
		seen = k.someone(login).visit(link, nil)
		if !strings.Contains(seen.text, "Not connected") || !strings.Contains(seen.text, "invalid_scope") || !strings.HasPrefix(seen.url, k.url) {
			t.Errorf("%s\n%s", seen.url, seen.text)
		}
	})

	t.Run("wrong secret", func(t *testing.T) {
		k.add("fifth", issuer, code, "another-secret-altogether")
		link, err := k.h.Link(k.ctx, "fifth")
		if err != nil {
			t.Fatal(err)
		}
		seen := k.someone(login).visit(link, nil)
		if !strings.Contains(seen.text, "Not connected") || k.get("fifth").Status.State != broker.StateNew {
			t.Errorf("%s", seen.text)
		}
		k.mu.Lock()
		last := k.events[len(k.events)-1]
		k.mu.Unlock()
		if last.Unmapped["cause"] != "client-secret-invalid" || last.OAuth.Endpoint != "token" || last.Resource.Name != "fifth" {
			t.Errorf("%+v", last)
		}
	})

	t.Run("client credentials", func(t *testing.T) {
		k.add("job", issuer, func(c *broker.Config) { c.ClientID, c.Grant, c.Scopes = "shop", broker.GrantClientCredentials, nil }, kcSecret)
		k.token("job", broker.Ask{})
		k.herdOnce("job", "CLIENT_LOGIN")
	})

	t.Run("token exchange", func(t *testing.T) {
		k.add("for-orders", issuer, func(c *broker.Config) {
			c.ClientID, c.Grant, c.Scopes, c.Subject = "shop", broker.GrantTokenExchange, nil, "job"
		}, kcSecret)
		tok := k.token("for-orders", broker.Ask{})
		if tok.Access.Reveal() == k.token("job", broker.Ask{}).Access.Reveal() {
			t.Error("the token was not exchanged")
		}
	})

	t.Run("device", func(t *testing.T) {
		k.add("till", issuer, func(c *broker.Config) { code(c); c.Grant = broker.GrantDevice }, kcSecret)
		_, at := k.someone(nil).code("till")
		k.someone(login).visit(at, nil)
		k.alive("till")
		k.herdOnce("till", "REFRESH_TOKEN")
	})
	k.keepsSecrets()
}
