package evidence

// oktaRegistration reads an application of Okta's API.
func (r *reader) oktaRegistration(v *value, p *piece) *Registration {
	settings := v.path("settings", "oauthClient")
	creds := v.path("credentials", "oauthClient")
	if !settings.is(jsonObject) && !creds.is(jsonObject) {
		return nil
	}
	reg := &Registration{Provider: "okta", Shape: "okta-app", ClientID: creds.get("client_id").str(), Name: v.get("label").str()}
	if reg.ClientID == "" {
		reg.ClientID = v.get("id").str()
	}
	reg.RedirectURIs = uris(settings.get("redirect_uris"), p, "")
	reg.GrantTypes, reg.ResponseTypes = settings.get("grant_types").strs(), settings.get("response_types").strs()
	if m := creds.get("token_endpoint_auth_method").str(); m != "" {
		reg.AuthMethods = []string{m}
		reg.Public = ptr(m == "none")
	}
	reg.PKCERequired = truthOf(creds.get("pkce_required"))
	if s := v.get("status").str(); s != "" {
		reg.Enabled = ptr(s == "ACTIVE")
	}
	for i := range reg.RedirectURIs {
		reg.RedirectURIs[i].Platform = settings.get("application_type").str()
	}
	for _, c := range creds.get("secrets").list() {
		reg.Credentials = append(reg.Credentials, r.credential(&c, "secret", p))
	}
	r.secretOf(reg, creds.get("client_secret"), p)
	standardMembers(reg, settings, p)
	reg.ApplicationType = applicationType(settings.get("application_type").str())
	reg.WildcardRedirect = settings.get("wildcard_redirect").str()
	reg.Created = moment(v.get("created"))
	reg.Notes = v.first("description", "notes").str()
	reg.note("RedirectURIs", settings.get("redirect_uris"))
	reg.note("GrantTypes", settings.get("grant_types"))
	reg.note("ResponseTypes", settings.get("response_types"))
	reg.note("LogoutURIs", settings.get("post_logout_redirect_uris"))
	for _, g := range v.path("_embedded", "grants").list() {
		if s := g.get("scopeId").str(); s != "" {
			reg.Grants = append(reg.Grants, Grant{Scopes: []string{s}, AllUsers: true, Given: moment(g.get("created")), Place: p.place(int(g.at))})
		}
	}
	r.clientKeys(reg, settings.get("jwks"), p)
	return reg
}
