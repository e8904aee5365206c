package evidence

import (
	"encoding/json"

	"usher"
	"usher/oauth"
)

// metadataMembers are members by which a discovery document is known.
var metadataMembers = [...]string{
	"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported", "subject_types_supported",
	"id_token_signing_alg_values_supported", "userinfo_endpoint", "end_session_endpoint", "scopes_supported", "grant_types_supported",
}

// discovery reads the metadata of a provider or an authorization server, and
// of a protected resource (RFC 9728).
func (r *reader) discovery(v *value, p *piece) bool {
	if !v.is(jsonObject) {
		return false
	}
	n := 0
	for _, name := range metadataMembers {
		if v.get(name) != nil {
			n++
		}
	}
	resource := v.get("resource") != nil && v.get("authorization_servers").is(jsonArray)
	endpoints := v.get("authorization_endpoint") != nil || v.get("token_endpoint") != nil || v.get("jwks_uri") != nil
	if !resource && (n < 2 || !endpoints) {
		return false
	}
	it, _, _ := r.newItem(usher.KindDiscovery, v, p)
	if data, err := json.Marshal(v.any()); err == nil {
		it.JSON = data
	}
	if !resource {
		if m, err := oauth.ParseMetadata(it.JSON); err == nil {
			it.Metadata = m
		} else {
			r.ignore(it.Place, err.Error())
		}
	}
	if m, ok := v.any().(map[string]any); ok {
		it.Object = m
	}
	at := func(key string) string {
		if m := v.get(key); m != nil {
			return p.place(int(m.keyAt))
		}
		return it.Place
	}
	it.factIf("issuer", v.get("issuer").str(), at("issuer"), v.get("issuer").str())
	for _, name := range [...][2]string{
		{"code_challenge_methods_supported", "supports-pkce"},
		{"grant_types_supported", "supports-grant"},
		{"response_types_supported", "supports-response-type"},
		{"token_endpoint_auth_methods_supported", "supports-auth-method"},
		{"id_token_signing_alg_values_supported", "supports-alg"},
	} {
		for _, s := range v.get(name[0]).strs() {
			it.fact(name[1], s, at(name[0]), s)
		}
	}
	it.Summary = summary("discovery document of " + v.get("issuer").str())
	if resource {
		it.fact("resource", v.get("resource").str(), at("resource"), v.get("resource").str())
		for _, s := range v.get("authorization_servers").strs() {
			it.fact("authorization-server", s, at("authorization_servers"), s)
		}
		it.Summary = summary("metadata of the protected resource " + v.get("resource").str())
	}
	r.add(it)
	return true
}

// policyObject reads a Conditional Access policy.
func (r *reader) policyObject(v *value, p *piece) bool {
	if !v.is(jsonObject) || !v.get("conditions").is(jsonObject) {
		return false
	}
	c := v.get("conditions")
	if v.get("grantControls") == nil && v.get("sessionControls") == nil && (v.get("state") == nil || c.get("users") == nil && c.get("applications") == nil) {
		return false
	}
	it, _, _ := r.newItem(usher.KindPolicy, v, p)
	it.Provider = "entra"
	if m, ok := v.any().(map[string]any); ok {
		it.Object = m
	}
	it.factIf("policy-state", v.get("state").str(), it.Place, v.get("state").str())
	for _, s := range v.path("grantControls", "builtInControls").strs() {
		it.fact("policy-grant", s, it.Place, s)
	}
	it.Summary = summary("Conditional Access policy " + v.get("displayName").str() + " (" + v.get("state").str() + ")")
	r.add(it)
	return true
}
