package oauth

import (
	"encoding/json"
	"errors"
)

// Metadata is what a provider publishes of itself: RFC 8414 section 2 and
// OpenID Connect Discovery section 3.
type Metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	ScopesSupported       []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	IDTokenAlgs           []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	CodeChallengeMethods  []string `json:"code_challenge_methods_supported"`
	DPoPAlgs              []string `json:"dpop_signing_alg_values_supported"`
	IssParameter          bool     `json:"authorization_response_iss_parameter_supported"`

	// Raw holds every member, also those without a field here.
	Raw map[string]json.RawMessage `json:"-"`
	// Wrong names members whose value has not the form that the standard asks for.
	Wrong []string `json:"-"`
	// Lacking names required members that are not there.
	Lacking []string `json:"-"`
}

// ParseMetadata reads a discovery document. A member of the wrong form is
// named in Wrong and left out; the error is for what is no JSON object or
// names neither issuer nor an endpoint.
func ParseMetadata(data []byte) (*Metadata, error) {
	m := &Metadata{}
	if err := json.Unmarshal(data, &m.Raw); err != nil {
		return nil, errors.New("the discovery document is no JSON object")
	}
	texts := map[string]*string{
		"issuer": &m.Issuer, "authorization_endpoint": &m.AuthorizationEndpoint, "token_endpoint": &m.TokenEndpoint,
		"userinfo_endpoint": &m.UserinfoEndpoint, "jwks_uri": &m.JWKSURI, "end_session_endpoint": &m.EndSessionEndpoint,
	}
	lists := map[string]*[]string{
		"scopes_supported": &m.ScopesSupported, "response_types_supported": &m.ResponseTypes, "response_modes_supported": &m.ResponseModes,
		"grant_types_supported": &m.GrantTypes, "subject_types_supported": &m.SubjectTypes, "id_token_signing_alg_values_supported": &m.IDTokenAlgs,
		"token_endpoint_auth_methods_supported": &m.AuthMethods, "code_challenge_methods_supported": &m.CodeChallengeMethods,
		"dpop_signing_alg_values_supported": &m.DPoPAlgs,
	}
	for name, raw := range m.Raw {
		var err error
		switch {
		case texts[name] != nil:
			err = json.Unmarshal(raw, texts[name])
		case lists[name] != nil:
			err = json.Unmarshal(raw, lists[name])
		case name == "authorization_response_iss_parameter_supported":
			err = json.Unmarshal(raw, &m.IssParameter)
		}
		if err != nil {
			m.Wrong = append(m.Wrong, name)
		}
	}
	if m.Issuer == "" && m.TokenEndpoint == "" && m.AuthorizationEndpoint == "" {
		return nil, errors.New("no issuer and no endpoint: this is no discovery document")
	}
	for _, name := range []string{"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported"} {
		if _, ok := m.Raw[name]; !ok {
			m.Lacking = append(m.Lacking, name)
		}
	}
	return m, nil
}
