package preset_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/preset"
	"usher/guard"
)

// publish serves a document at a path, made of the server's own address.
func publish(t *testing.T, path string, make func(origin string) any) (origin string, client *guard.Client) {
	t.Helper()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
		document := make(srv.URL)
		if text, ok := document.(string); ok {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(text))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(document)
	})
	return srv.URL, guard.New(guard.Options{Trusted: []string{srv.URL}, Timeout: 5 * time.Second})
}

type document = map[string]any

func standard(origin string) document {
	return document{
		"issuer": origin + "/realms/shop", "token_endpoint": origin + "/token", "authorization_endpoint": origin + "/authorize", "jwks_uri": origin + "/keys",
		"device_authorization_endpoint": origin + "/device", "revocation_endpoint": origin + "/revoke", "introspection_endpoint": origin + "/introspect",
		"scopes_supported": []string{"openid", "offline_access", "orders"}, "grant_types_supported": []string{"authorization_code", "client_credentials"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"}, "authorization_response_iss_parameter_supported": true,
		"response_types_supported": []string{"code"},
	}
}

func TestDiscover(t *testing.T) {
	for _, path := range []string{"/realms/shop/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/realms/shop", "/.well-known/openid-configuration/realms/shop"} {
		origin, client := publish(t, path, func(origin string) any { return standard(origin) })
		c, err := preset.Discover(context.Background(), client, origin+"/realms/shop")
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		want := broker.Config{
			Issuer: origin + "/realms/shop", Grant: broker.GrantCode, AuthMethod: "client_secret_basic", Scopes: []string{"openid", "offline_access"},
			Endpoints: broker.Endpoints{
				Token: origin + "/token", Authorization: origin + "/authorize", DeviceAuthorization: origin + "/device", Revocation: origin + "/revoke",
				Introspection: origin + "/introspect", JWKS: origin + "/keys", IssuerInResponse: true,
			},
		}
		if got, want := fmt.Sprintf("%+v", c), fmt.Sprintf("%+v", want); got != want {
			t.Errorf("%s:\n got %s\nwant %s", path, got, want)
		}
	}
}

// TestDiscoverUsual: grant and authentication are those that are offered.
func TestDiscoverUsual(t *testing.T) {
	for _, tc := range []struct {
		change      document
		grant, auth string
	}{
		{document{"grant_types_supported": nil, "token_endpoint_auth_methods_supported": nil}, broker.GrantCode, "client_secret_basic"},
		{document{"authorization_endpoint": ""}, broker.GrantClientCredentials, "client_secret_basic"},
		{document{"grant_types_supported": []string{"client_credentials"}, "token_endpoint_auth_methods_supported": []string{"private_key_jwt"}}, broker.GrantClientCredentials, "private_key_jwt"},
		{document{"grant_types_supported": []string{broker.GrantDevice}, "token_endpoint_auth_methods_supported": []string{"none"}}, broker.GrantDevice, "none"},
	} {
		origin, client := publish(t, "/realms/shop/.well-known/openid-configuration", func(origin string) any {
			d := standard(origin)
			for name, value := range tc.change {
				if d[name] = value; value == nil || value == "" {
					delete(d, name)
				}
			}
			return d
		})
		c, err := preset.Discover(context.Background(), client, origin+"/realms/shop")
		if err != nil || c.Grant != tc.grant || c.AuthMethod != tc.auth {
			t.Errorf("%v: %s, %s, %v; want %s, %s", tc.change, c.Grant, c.AuthMethod, err, tc.grant, tc.auth)
		}
	}
}

// TestDiscoverRefuses: a document that is another's, or that sends credentials
// elsewhere, makes no connection; the error names the member and says what to do.
func TestDiscoverRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		issuer string // behind the origin; empty: /realms/shop
		change func(origin string, d document)
		want   string
	}{
		{"another's document", "", func(_ string, d document) { d["issuer"] = "https://login.evil.example" }, "issuer: the document says that it is of https://login.evil.example"},
		{"a slash more", "", func(o string, d document) { d["issuer"] = o + "/realms/shop/" }, "the slash at the end decides"},
		{"no issuer", "", func(_ string, d document) { delete(d, "issuer") }, "issuer: the document says"},
		{"no token endpoint", "", func(_ string, d document) { delete(d, "token_endpoint") }, "token_endpoint: the document"},
		{"token endpoint elsewhere", "", func(_ string, d document) { d["token_endpoint"] = "https://evil.example/token" }, "token_endpoint: no credential is sent to https://evil.example"},
		{"revocation elsewhere", "", func(_ string, d document) { d["revocation_endpoint"] = "https://evil.example/r" }, "revocation_endpoint: no credential"},
		{"introspection elsewhere", "", func(_ string, d document) { d["introspection_endpoint"] = "https://evil.example/r" }, "introspection_endpoint: no credential"},
		{"device elsewhere", "", func(_ string, d document) { d["device_authorization_endpoint"] = "https://evil.example/r" }, "device_authorization_endpoint: no credential"},
		{"script for a page", "", func(_ string, d document) { d["authorization_endpoint"] = "javascript:alert(1)" }, "authorization_endpoint:"},
		{"plain page", "", func(_ string, d document) { d["authorization_endpoint"] = "http://login.example/a" }, "authorization_endpoint:"},
		{"plain page of a name like this machine", "", func(_ string, d document) { d["authorization_endpoint"] = "http://127.login.example/a" }, "authorization_endpoint:"},
		{"plain keys of a name like this machine", "", func(_ string, d document) { d["jwks_uri"] = "http://127.0.0.1.login.example/k" }, "jwks_uri:"},
		{"plain keys", "", func(_ string, d document) { d["jwks_uri"] = "http://login.example/k" }, "jwks_uri:"},
		{"not there", "/realms/other", func(string, document) {}, "404"},
	} {
		origin, client := publish(t, "/realms/shop/.well-known/openid-configuration", func(origin string) any {
			d := standard(origin)
			tc.change(origin, d)
			return d
		})
		issuer := tc.issuer
		if issuer == "" {
			issuer = "/realms/shop"
		}
		_, err := preset.Discover(context.Background(), client, origin+issuer)
		var told *usher.Error
		if !errors.As(err, &told) || !strings.Contains(told.Message+" "+told.Hint, tc.want) || told.Hint == "" {
			t.Errorf("%s: %v, want %q and a hint", tc.name, err, tc.want)
		}
	}
	for _, issuer := range []string{"", "login.example", "http://login.example", "http://127.login.example", "ftp://login.example", "https://u:p@login.example", "https://login.example?x", "https://login.example#x", "https://", "\x00", strings.Repeat("x", 100000)} {
		_, err := preset.Discover(context.Background(), guard.New(guard.Options{}), issuer)
		var told *usher.Error
		if !errors.As(err, &told) || !strings.HasPrefix(told.Message, "issuer:") || len(told.Message) > 300 {
			t.Errorf("%.30q: %v", issuer, err)
		}
	}
}

// TestDiscoverNamed: an origin that the operator names may have the credential.
func TestDiscoverNamed(t *testing.T) {
	origin, client := publish(t, "/realms/shop/.well-known/openid-configuration", func(origin string) any {
		d := standard(origin)
		d["token_endpoint"] = "https://tokens.example/token"
		return d
	})
	c, err := preset.Discover(context.Background(), client, origin+"/realms/shop", "https://tokens.example")
	if err != nil || c.Endpoints.Token != "https://tokens.example/token" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestDiscoverPage: an error page with status 200 is no document.
func TestDiscoverPage(t *testing.T) {
	origin, client := publish(t, "/realms/shop/.well-known/openid-configuration", func(string) any { return `{"issuer":"x","token_endpoint":"y"}` })
	if _, err := preset.Discover(context.Background(), client, origin+"/realms/shop"); err == nil {
		t.Error("a page is taken for metadata")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := preset.Discover(ctx, client, origin+"/realms/shop"); err == nil {
		t.Error("an ended context finds metadata")
	}
}
