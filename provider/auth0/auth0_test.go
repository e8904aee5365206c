package auth0_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"usher/guard"
	"usher/provider"
	"usher/provider/auth0"
)

// TestKinds tells clients that have a secret from those that have none. The rest
// of the API is played by the lab, see package lab.
func TestKinds(t *testing.T) {
	for body, want := range map[string]error{
		`{"client_id":"shop","client_secret":"s","token_endpoint_auth_method":"client_secret_post"}`:                        nil,
		`{"client_id":"shop","token_endpoint_auth_method":"client_secret_basic","client_authentication_methods":null}`:      nil,
		`{"client_id":"shop","client_authentication_methods":{"private_key_jwt":{"credentials":[{"id":"c"}]}}}`:             nil,
		`{"client_id":"shop","client_authentication_methods":{"tls_client_auth":{"credentials":[{"id":"c"}]}}}`:             provider.ErrUnsupported,
		`{"client_id":"shop","client_authentication_methods":{"self_signed_tls_client_auth":{"credentials":[{"id":"c"}]}}}`: provider.ErrUnsupported,
		`{"client_id":"shop","token_endpoint_auth_method":"none"}`:                                                          provider.ErrUnsupported,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/oauth/token":
				_, _ = io.WriteString(w, `{"access_token":"t","expires_in":86400}`)
			case r.Method == http.MethodGet && r.URL.Path == "/api/v2/clients/shop":
				_, _ = io.WriteString(w, body)
			default:
				t.Errorf("%s %s is asked for %s", r.Method, r.URL.Path, body)
				w.WriteHeader(http.StatusNotFound)
			}
		}))
		a, err := auth0.New(auth0.Config{Domain: s.URL, ClientID: "usher", Secret: "planted", HTTP: guard.New(guard.Options{Trusted: []string{s.URL}}).HTTP()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.SecretRules(t.Context(), "shop"); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if want != nil { // nothing is changed of one that has no secret
			if _, _, err := a.CreateSecret(t.Context(), "shop", provider.NewSecret{}); !errors.Is(err, want) {
				t.Errorf("%s: created: %v", body, err)
			}
		}
		s.Close()
	}
}
