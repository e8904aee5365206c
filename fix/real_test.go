package fix_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"usher"
	"usher/fix"
	"usher/guard"
	"usher/provider"
	"usher/provider/keycloak"
)

// TestRealKeycloak plans, carries out and takes back every action at a real
// Keycloak, in a realm of its own.
func TestRealKeycloak(t *testing.T) {
	base := strings.TrimRight(os.Getenv("USHER_KEYCLOAK"), "/")
	if base == "" {
		if os.Getenv("USHER_SYSTEMS") == "require" {
			t.Fatal("USHER_KEYCLOAK names no Keycloak, and USHER_SYSTEMS requires one")
		}
		t.Skip("SKIPPED: set USHER_KEYCLOAK=http://127.0.0.1:8080 (a Keycloak with admin/admin) to run this against a real one")
	}
	k := console{T: t, base: base}
	k.signIn()
	const realm = "usher-test-fix"
	in := "/admin/realms/" + realm
	_, _ = k.ask(http.MethodDelete, in, nil)
	k.must(http.MethodPost, "/admin/realms", map[string]any{"realm": realm, "enabled": true})
	defer func() { k.signIn(); _, _ = k.ask(http.MethodDelete, in, nil) }()
	k.must(http.MethodPost, in+"/clients", map[string]any{"clientId": "usher", "secret": "for this test", "serviceAccountsEnabled": true})
	k.must(http.MethodPost, in+"/clients", map[string]any{
		"clientId": "shop", "secret": "old", "redirectUris": []string{"https://shop.test/cb"}, "authorizationServicesEnabled": true, "serviceAccountsEnabled": true, "enabled": false,
	})
	k.must(http.MethodPost, in+"/client-scopes", map[string]any{"name": "orders.read", "protocol": "openid-connect"})
	var account struct{ ID string }
	_ = json.Unmarshal(k.must(http.MethodGet, in+"/clients/"+k.uid(in, "usher")+"/service-account-user", nil), &account)
	management := k.uid(in, "realm-management")
	var role any
	_ = json.Unmarshal(k.must(http.MethodGet, in+"/clients/"+management+"/roles/manage-clients", nil), &role)
	k.must(http.MethodPost, in+"/users/"+account.ID+"/role-mappings/clients/"+management, []any{role})

	issuer := base + "/realms/" + realm
	admin, err := keycloak.New(keycloak.Config{Issuer: issuer, ClientID: "usher", Secret: "for this test", HTTP: guard.New(guard.Options{Trusted: []string{issuer}}).HTTP()})
	if err != nil {
		t.Fatal(err)
	}
	f := fix.New(fix.Options{Admins: map[string]provider.Admin{"sso": admin}})
	shop := in + "/clients/" + k.uid(in, "shop")
	before := k.client(shop)
	for _, a := range []usher.Action{
		{Kind: usher.ActionAddRedirectURI, URI: "https://shop.test/cb/"},
		{Kind: usher.ActionReplaceRedirectURI, From: "https://shop.test/cb", URI: "https://shop.test/cb/"},
		{Kind: usher.ActionAllowScope, Scope: "orders.read"},
		{Kind: usher.ActionEnableClient},
	} {
		p := plan(t, f, act(a), "1")
		if len(p.Diff) == 0 || len(p.Weakens) > 0 {
			t.Errorf("%s: %+v", a.Kind, p)
		}
		for i := range 2 {
			if r, err := f.Apply(ctx, p, yes(p)); err != nil || r.Already != (i == 1) {
				t.Errorf("%s: %+v, %v", a.Kind, r, err)
			}
		}
		if after := k.client(shop); after == before {
			t.Errorf("%s changed nothing", a.Kind)
		}
		if applied, _, err := f.Resume(ctx, usher.FixRun{Plan: p}); !applied || err != nil {
			t.Errorf("%s: %v, %v", a.Kind, applied, err)
		}
		if err := f.Undo(ctx, usher.FixRun{Plan: p}); err != nil {
			t.Errorf("%s: %v", a.Kind, err)
		}
		if after := k.client(shop); after != before {
			t.Errorf("%s was not taken back:\n%s\n%s", a.Kind, after, before)
		}
	}
	p := plan(t, f, act(usher.Action{Kind: usher.ActionReplaceSecret}), "1")
	r, err := f.Apply(ctx, p, yes(p))
	if err != nil || !strings.Contains(k.client(shop), r.Secret.Reveal()) {
		t.Errorf("the secret: %v", err)
	}
	p = plan(t, f, act(usher.Action{Kind: usher.ActionAllowScope, Scope: "offline_access"}), "1")
	if len(p.Diff) != 0 {
		t.Errorf("a scope that the client may ask for already: %+v", p.Diff)
	}
}

// console is the administrator.
type console struct {
	*testing.T
	base, bearer string
}

func (k *console) signIn() {
	resp, err := http.PostForm(k.base+"/realms/master/protocol/openid-connect/token", url.Values{
		"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {"admin"},
	})
	if err != nil {
		k.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		k.Fatal(err)
	}
	k.bearer = answer.AccessToken
}

func (k *console) ask(method, path string, in any) (int, []byte) {
	body, err := json.Marshal(in)
	if err != nil {
		k.Fatal(err)
	}
	req, err := http.NewRequest(method, k.base+path, bytes.NewReader(body))
	if err != nil {
		k.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+k.bearer)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		k.Fatal(err)
	}
	defer resp.Body.Close()
	out, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, out
}

func (k *console) must(method, path string, in any) []byte {
	k.Helper()
	status, out := k.ask(method, path, in)
	if status/100 != 2 {
		k.Fatalf("%s %s: %d %s", method, path, status, out)
	}
	return out
}

func (k *console) uid(in, clientID string) string {
	var list []struct{ ID string }
	if err := json.Unmarshal(k.must(http.MethodGet, in+"/clients?clientId="+clientID, nil), &list); err != nil || len(list) != 1 {
		k.Fatalf("client %s: %v", clientID, err)
	}
	return list[0].ID
}

// client gives a client's representation as one text; its lists are of one or
// two members here, and their order is Keycloak's.
func (k *console) client(path string) string {
	var rep map[string]any
	if err := json.Unmarshal(k.must(http.MethodGet, path, nil), &rep); err != nil {
		k.Fatal(err)
	}
	for _, name := range []string{"optionalClientScopes", "defaultClientScopes"} {
		var list []string
		for _, s := range rep[name].([]any) {
			list = append(list, s.(string))
		}
		slices.Sort(list)
		rep[name] = list
	}
	text, _ := json.Marshal(rep)
	return string(text)
}
