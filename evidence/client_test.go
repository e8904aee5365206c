package evidence_test

import (
	"slices"
	"testing"
	"time"

	"usher"
	"usher/evidence"
)

// TestClientForChecks: what a provider's admin API tells of a client is there for
// checks, and changes no fact that an explanation is drawn from.
func TestClientForChecks(t *testing.T) {
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := &usher.Client{
		ID: "shop", RedirectURIs: []string{"https://shop.test/cb"}, GrantTypes: []string{"authorization_code"}, WebOrigins: []string{"*"},
		FullScope: true, PKCE: "S256", AuthMethod: "client_secret_basic", SecretCreated: made,
	}
	it := evidence.FromClient(c, "keycloak", "the admin API")
	r := it.Registration
	if !slices.Equal(r.WebOrigins, []string{"*"}) || r.FullScope == nil || !*r.FullScope || r.PKCERequired == nil || !*r.PKCERequired ||
		len(r.Credentials) != 1 || !r.Credentials[0].Starts.Equal(made) || r.Credentials[0].Value != "" || !slices.Contains(r.Known, "RedirectURIs") {
		t.Errorf("%+v", r)
	}
	for _, f := range it.Facts {
		switch f.Key {
		case "web-origin":
			if f.Value != "*" {
				t.Errorf("%+v", f)
			}
		case "pkce-required", "client-credential", "client-auth-setting":
			t.Errorf("a fact that only an export tells: %+v", f)
		}
	}
}
