package evidence

// auth0Registration reads a client of Auth0's management API.
func (r *reader) auth0Registration(v *value, p *piece) *Registration {
	if v.get("client_id").str() == "" || v.get("callbacks") == nil && v.get("app_type") == nil && v.get("is_first_party") == nil {
		return nil
	}
	reg := &Registration{Provider: "auth0", Shape: "auth0-client", ClientID: v.get("client_id").str(), Name: v.get("name").str()}
	reg.RedirectURIs = uris(v.get("callbacks"), p, "")
	reg.GrantTypes = v.get("grant_types").strs()
	reg.WebOrigins = append(v.get("web_origins").strs(), v.get("allowed_origins").strs()...)
	if m := v.get("token_endpoint_auth_method").str(); m != "" {
		reg.AuthMethods = []string{m}
		reg.Public = ptr(m == "none")
	}
	for i := range reg.RedirectURIs {
		reg.RedirectURIs[i].Platform = v.get("app_type").str()
	}
	r.secretOf(reg, v.get("client_secret"), p)
	reg.LogoutURIs = uris(v.get("allowed_logout_urls"), p, "")
	reg.ApplicationType = applicationType(v.get("app_type").str())
	if b := truthOf(v.get("is_first_party")); b != nil {
		reg.ThirdParty = ptr(!*b)
	}
	reg.Notes = v.get("description").str()
	reg.note("RedirectURIs", v.get("callbacks"))
	reg.note("GrantTypes", v.get("grant_types"))
	reg.note("WebOrigins", v.get("web_origins"))
	reg.note("LogoutURIs", v.get("allowed_logout_urls"))
	return reg
}

// applicationType gives a provider's word for what a client runs as in ours.
func applicationType(word string) string {
	switch word {
	case "regular_web", "web":
		return "web"
	case "browser", "spa":
		return "spa"
	case "native", "installed":
		return "native"
	case "service", "non_interactive":
		return "service"
	}
	return ""
}
