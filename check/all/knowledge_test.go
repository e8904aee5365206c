package all_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"usher/check"
	"usher/provider/knowledge"
)

// announced gives the member of the metadata that says what a provider can do.
var announced = map[string]func(m *check.Metadata) bool{
	knowledge.CanPKCE:              listed("code_challenge_methods_supported", "S256"),
	knowledge.CanIssResponse:       said("authorization_response_iss_parameter_supported"),
	knowledge.CanPAR:               named("pushed_authorization_request_endpoint"),
	knowledge.CanDPoP:              named("dpop_signing_alg_values_supported"),
	knowledge.CanMTLS:              said("tls_client_certificate_bound_access_tokens"),
	knowledge.CanPrivateKeyJWT:     listed("token_endpoint_auth_methods_supported", "private_key_jwt"),
	knowledge.CanRevoke:            named("revocation_endpoint"),
	knowledge.CanIntrospect:        named("introspection_endpoint"),
	knowledge.CanLogout:            named("end_session_endpoint"),
	knowledge.CanBackchannelLogout: said("backchannel_logout_supported"),
	knowledge.CanDevice:            named("device_authorization_endpoint"),
	knowledge.CanRegister:          named("registration_endpoint"),
	knowledge.CanFormPost:          listed("response_modes_supported", "form_post"),
	knowledge.CanClientCredentials: listed("grant_types_supported", "client_credentials"),
	knowledge.CanTokenExchange:     listed("grant_types_supported", "urn:ietf:params:oauth:grant-type:token-exchange"),
}

func named(member string) func(*check.Metadata) bool {
	return func(m *check.Metadata) bool { return m.Raw[member] != nil }
}

func said(member string) func(*check.Metadata) bool {
	return func(m *check.Metadata) bool { yes, _ := m.Bool(member); return yes }
}

func listed(member, word string) func(*check.Metadata) bool {
	return func(m *check.Metadata) bool {
		list, _ := m.List(member)
		for _, w := range list {
			if w == word {
				return true
			}
		}
		return false
	}
}

// TestKnowledge: what is known of a provider says of nothing that it cannot do
// it which its own metadata announces.
func TestKnowledge(t *testing.T) {
	files, err := filepath.Glob("testdata/discovery/*.json")
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		m := stored(t, name).Metadata[0]
		p := knowledge.Of(m.Issuer)
		for can, says := range announced {
			a, known := p.Can[can]
			if !known {
				continue
			}
			held++
			if !a.Can && says(m) {
				t.Errorf("%s: %s announces %s", name, p.Name, can)
			}
		}
	}
	if held < 60 {
		t.Errorf("only %d facts were held against a document", held)
	}
}
