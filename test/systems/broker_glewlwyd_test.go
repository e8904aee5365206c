package systems_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"usher"
	"usher/broker"
)

// put calls an API of glewlwyd as somebody who is signed in.
func put(t *testing.T, c *http.Client, method, address string, in any) {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest(method, address, bytes.NewReader(text))
	req.Header.Set("Content-Type", "application/json")
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var said bytes.Buffer
	_, _ = said.ReadFrom(res.Body)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s: %s", method, address, res.Status, said.String())
	}
}

// TestBrokerGlewlwyd is the life of a connection before Debian's glewlwyd, whose
// refresh tokens are set to be used once.
func TestBrokerGlewlwyd(t *testing.T) {
	g := startGlewlwyd(t)
	issuer := g.plugin(t, "kept", g.key, map[string]any{"introspection-revocation-auth-scope": []string{}})
	b := newBrokered(t, g.url)
	const secret usher.Secret = "Vq3mT8sWz5LkY1nRc7HxJd0BfGu2PaE9"
	v := b.add("shop-gateway", issuer, func(c *broker.Config) { c.ClientID, c.Scopes = "web", []string{"openid"} }, secret)
	put(t, g.client, "POST", g.url+"/api/client/", map[string]any{
		"client_id": "web", "name": "The shop", "confidential": true, "enabled": true, "client_secret": secret.Reveal(), "password": secret.Reveal(),
		"redirect_uri": []string{b.h.RedirectURI(v.Config)}, "authorization_type": []string{"code", "refresh_token", "client_credentials"}, "scope": []string{"openid"},
		"token_endpoint_auth_method": []string{"client_secret_basic"},
	})
	put(t, g.client, "POST", g.url+"/api/user/", map[string]any{"username": "ana", "name": "Ana Li", "email": "ana@shop.example", "enabled": true, "password": "ana's password", "scope": []string{"openid"}})

	// Ana signs in and agrees at glewlwyd's API, which its page of scripts would call.
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	ana := b.someone(nil)
	ana.c.Jar = jar
	put(t, ana.c, "POST", g.url+"/api/auth/", map[string]string{"username": "ana", "password": "ana's password"})
	put(t, ana.c, "PUT", g.url+"/api/auth/grant/web/", map[string]string{"scope": "openid"})

	// Its page of scripts only goes on where nothing is left to ask: so does Ana.
	connects := func() {
		t.Helper()
		link, err := b.h.Link(b.ctx, "shop-gateway")
		if err != nil {
			t.Fatal(err)
		}
		seen := ana.visit(link, func(s sight) bool {
			return strings.Contains(s.text, "/login.html") || strings.Contains(s.url, "/login.html")
		})
		if to, ok := strings.CutPrefix(seen.text, "\x00"); ok {
			login, err := url.Parse(to)
			if err != nil {
				t.Fatal(err)
			}
			seen = ana.visit(login.Query().Get("callback_url")+"&g_continue", nil)
		}
		if !strings.Contains(seen.text, "<h1>Connected</h1>") {
			t.Fatalf("%s %d\n%.2000s", seen.url, seen.status, seen.text)
		}
	}
	connects()
	if _, err := b.replicas[0].Renew(b.ctx, "shop-gateway"); err != nil {
		t.Fatal(err)
	}
	before := b.get("shop-gateway").Status.Generation
	b.herd("shop-gateway")
	if got := b.get("shop-gateway").Status.Generation; got != before+1 {
		t.Errorf("%d answers were stored, want one more than %d", got, before)
	}

	// Ana takes the refresh tokens back, as on her page of glewlwyd.
	var tokens []struct {
		Hash    string `json:"token_hash"`
		Enabled bool   `json:"enabled"`
	}
	res, err := ana.c.Get(g.url + "/api/kept/token?limit=100")
	if err != nil {
		t.Fatal(err)
	}
	err = json.NewDecoder(res.Body).Decode(&tokens)
	_ = res.Body.Close()
	if err != nil || len(tokens) == 0 {
		t.Fatalf("%v %+v", err, tokens)
	}
	for _, token := range tokens {
		if token.Enabled {
			put(t, ana.c, "DELETE", g.url+"/api/kept/token/"+url.PathEscape(token.Hash), nil)
		}
	}
	tr := b.gone("shop-gateway", "unknown") // glewlwyd answers 400 and not a word
	connects()
	b.healed("shop-gateway", tr.Cause)
	b.keepsSecrets()
}
