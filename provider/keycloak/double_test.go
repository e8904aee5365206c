package keycloak_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/guard"
	"usher/provider/keycloak"
)

// double is a Keycloak that is stricter than the real one: it knows the paths
// that usher may use and fails the test on any other, on a body that leaves out
// a member, and on a credential in the wrong place.
type double struct {
	*testing.T
	mu       sync.Mutex
	prefix   string // "/auth" of old ones
	clients  map[string]map[string]any
	scopes   []map[string]any
	tokens   map[string]time.Time // good ones, until when
	lifetime time.Duration
	now      func() time.Time
	issued   int
	calls    []string                 // method and path, without the token endpoint
	forbid   string                   // part of "METHOD path" that is forbidden
	broken   string                   // what is answered in place of everything
	afterPut func(rep map[string]any) // somebody else, right after a client was written
	server   *httptest.Server
}

func newDouble(t *testing.T, prefix string) *double {
	d := &double{T: t, prefix: prefix, clients: map[string]map[string]any{}, tokens: map[string]time.Time{}, lifetime: time.Minute, now: time.Now}
	d.server = httptest.NewServer(d)
	t.Cleanup(d.server.Close)
	d.clients["u-1"] = map[string]any{
		"id": "u-1", "clientId": "shop", "enabled": true, "secret": "hidden-secret", "redirectUris": []any{"https://shop.test/cb"},
		"authorizationServicesEnabled": true, "frontchannelLogout": true, "attributes": map[string]any{"client.secret.creation.time": "1795603878"},
		"defaultClientScopes": []any{"email"}, "optionalClientScopes": []any{"phone"}, "standardFlowEnabled": true,
		"access": map[string]any{"manage": true},
	}
	d.scopes = []map[string]any{
		{"id": "s-1", "name": "email", "protocol": "openid-connect"},
		{"id": "s-2", "name": "phone", "protocol": "openid-connect"},
		{"id": "s-3", "name": "orders", "protocol": "openid-connect"},
		{"id": "s-4", "name": "saml-roles", "protocol": "saml"},
	}
	return d
}

func (d *double) admin() *keycloak.Admin {
	issuer := d.server.URL + d.prefix + "/realms/shop"
	a, err := keycloak.New(keycloak.Config{
		Issuer: issuer + "/", ClientID: "usher:1", Secret: "s3cr3t %", Now: d.now,
		HTTP: guard.New(guard.Options{Trusted: []string{issuer}}).HTTP(),
	})
	if err != nil {
		d.Fatal(err)
	}
	return a
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	path, ok := strings.CutPrefix(r.URL.Path, d.prefix)
	if !ok || r.Header.Get("Cookie") != "" {
		d.Errorf("unexpected request %s %s", r.Method, r.URL)
	}
	if path == "/realms/shop/protocol/openid-connect/token" {
		d.token(w, r)
		return
	}
	d.calls = append(d.calls, r.Method+" "+path)
	if d.broken != "" {
		_, _ = fmt.Fprint(w, d.broken)
		return
	}
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if until, ok := d.tokens[bearer]; !ok || !d.now().Before(until) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if d.forbid != "" && strings.Contains(r.Method+" "+path, d.forbid) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprint(w, `{"error":"HTTP 403 Forbidden"}`)
		return
	}
	rest, ok := strings.CutPrefix(path, "/admin/realms/shop/")
	if !ok {
		d.Errorf("unexpected path %s", r.URL.Path)
	}
	d.serve(w, r, strings.Split(rest, "/"))
}

func (d *double) token(w http.ResponseWriter, r *http.Request) {
	// RFC 6749 section 2.3.1: form-encoded, then Basic.
	id, secret, _ := r.BasicAuth()
	if id != "usher%3A1" || secret != "s3cr3t+%25" || r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("client_secret") != "" {
		d.Errorf("token request with %q, %q, %v", id, secret, r.PostForm)
	}
	d.issued++
	name := fmt.Sprint("token-", d.issued)
	d.tokens[name] = d.now().Add(d.lifetime)
	answer(w, map[string]any{"access_token": name, "expires_in": int(d.lifetime.Seconds()), "token_type": "Bearer"})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (d *double) serve(w http.ResponseWriter, r *http.Request, part []string) {
	what := r.Method + " " + part[0]
	if len(part) > 2 {
		what += " " + part[2]
	} else if len(part) > 1 {
		what += " one"
	}
	var client map[string]any
	if part[0] == "clients" && len(part) > 1 {
		if client = d.clients[part[1]]; client == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
	}
	switch what {
	case "GET clients":
		list := []any{}
		for _, c := range d.clients {
			// Deliberately more than what was asked for: a prefix matches.
			if strings.HasPrefix(c["clientId"].(string), r.URL.Query().Get("clientId")) {
				list = append(list, c)
			}
		}
		answer(w, list)
	case "GET clients one":
		answer(w, client)
	case "PUT clients one":
		d.put(w, r, part[1], client)
	case "GET client-scopes":
		answer(w, d.scopes)
	case "GET client-scopes scope-mappings":
		answer(w, map[string]any{
			"realmMappings":  []any{map[string]any{"name": "buyer"}},
			"clientMappings": map[string]any{"realm-management": map[string]any{"client": "realm-management", "mappings": []any{map[string]any{"name": "manage-users"}}}},
		})
	case "PUT clients optional-client-scopes", "DELETE clients optional-client-scopes":
		d.optional(w, r, client, part[3])
	case "POST clients client-secret":
		client["secret"] = fmt.Sprint("new-secret-", len(d.calls))
		client["attributes"].(map[string]any)["client.secret.creation.time"] = fmt.Sprint(d.now().Unix())
		answer(w, map[string]any{"type": "secret", "value": client["secret"]})
	case "GET users one":
		answer(w, map[string]any{"id": part[1], "username": "ada"})
	default:
		d.Errorf("unexpected request %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusNotImplemented)
	}
}

func (d *double) put(w http.ResponseWriter, r *http.Request, uid string, client map[string]any) {
	var rep map[string]any
	if err := json.NewDecoder(r.Body).Decode(&rep); err != nil || r.Header.Get("Content-Type") != "application/json" {
		d.Errorf("a body that is no JSON: %v", err)
	}
	for name, value := range client {
		if name == "access" || name == "redirectUris" || name == "enabled" {
			continue
		}
		if !reflect.DeepEqual(rep[name], value) {
			d.Errorf("the body has %s = %v, and it was %v", name, rep[name], value)
		}
	}
	rep["access"] = client["access"]
	// A set, in any order.
	list := rep["redirectUris"].([]any)
	slices.Reverse(list)
	if d.afterPut != nil {
		d.afterPut(rep)
	}
	d.clients[uid] = rep
	w.WriteHeader(http.StatusNoContent)
}

func (d *double) optional(w http.ResponseWriter, r *http.Request, client map[string]any, scope string) {
	i := slices.IndexFunc(d.scopes, func(s map[string]any) bool { return s["id"] == scope })
	if i < 0 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	name := d.scopes[i]["name"]
	list := slices.DeleteFunc(slices.Clone(client["optionalClientScopes"].([]any)), func(s any) bool { return s == name })
	if r.Method == http.MethodPut {
		list = append(list, name)
	}
	client["optionalClientScopes"] = list
	w.WriteHeader(http.StatusNoContent)
}
