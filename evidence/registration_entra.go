package evidence

import (
	"strings"

	"usher"
)

// entraRegistration reads an application of Entra: the manifest of the portal,
// in its old and its new form, and the application of Graph.
func (r *reader) entraRegistration(v *value, p *piece) *Registration {
	if v.get("appId").str() == "" {
		return nil
	}
	old := v.get("replyUrlsWithType") != nil || v.get("oauth2AllowImplicitFlow") != nil || v.get("accessTokenAcceptedVersion") != nil && v.get("api") == nil
	graph := v.get("web").is(jsonObject) || v.get("spa").is(jsonObject) || v.get("publicClient").is(jsonObject) || v.get("signInAudience") != nil
	principal := v.get("servicePrincipalType") != nil || v.get("appRoleAssignmentRequired") != nil
	if !old && !graph && !principal {
		return nil
	}
	reg := &Registration{
		Provider: "entra", Shape: "graph-application", ClientID: v.get("appId").str(), Name: v.first("displayName", "name").str(),
		Audience: v.get("signInAudience").str(), IdentifierURIs: v.get("identifierUris").strs(),
	}
	for _, name := range [...]string{"web", "spa", "publicClient"} {
		reg.RedirectURIs = append(reg.RedirectURIs, uris(v.path(name, "redirectUris"), p, name)...)
	}
	reg.Public = truthOf(v.first("isFallbackPublicClient", "allowPublicClient"))
	reg.TokenVersion = v.path("api", "requestedAccessTokenVersion").str()
	api := v.get("api")
	if old {
		reg.Shape = "entra-manifest"
		for _, e := range v.get("replyUrlsWithType").list() {
			platform := e.get("type").str()
			switch strings.ToLower(platform) {
			case "web":
				platform = "web"
			case "spa":
				platform = "spa"
			case "installedclient":
				platform = "publicClient"
			}
			if u := e.get("url"); u.str() != "" && len(reg.RedirectURIs) < 1000 {
				reg.RedirectURIs = append(reg.RedirectURIs, RegisteredURI{URI: u.str(), Platform: platform, Place: p.place(int(u.at))})
			}
		}
		reg.TokenVersion = v.get("accessTokenAcceptedVersion").str()
		api = v
	}
	if m := v.first("accessTokenAcceptedVersion"); m == nil && (v.get("accessTokenAcceptedVersion") != nil || api.get("requestedAccessTokenVersion") != nil) && reg.TokenVersion == "" {
		reg.TokenVersion = "1" // null means version 1
	}
	if principal && !old && v.get("web") == nil {
		reg.Shape = "graph-service-principal"
		reg.Enabled = truthOf(v.get("accountEnabled"))
		reg.RedirectURIs = append(reg.RedirectURIs, uris(v.get("replyUrls"), p, "")...)
	}
	if d := v.get("disabledByMicrosoftStatus").str(); d != "" && d != "NotDisabled" {
		reg.Enabled = ptr(false)
	}
	if b, _ := v.path("web", "implicitGrantSettings", "enableIdTokenIssuance").truth(); b {
		reg.ResponseTypes = append(reg.ResponseTypes, "id_token")
	}
	if b, _ := v.path("web", "implicitGrantSettings", "enableAccessTokenIssuance").truth(); b {
		reg.ResponseTypes = append(reg.ResponseTypes, "token")
	}
	if b, _ := v.get("oauth2AllowIdTokenImplicitFlow").truth(); b {
		reg.ResponseTypes = append(reg.ResponseTypes, "id_token")
	}
	if b, _ := v.get("oauth2AllowImplicitFlow").truth(); b {
		reg.ResponseTypes = append(reg.ResponseTypes, "token")
	}
	for _, s := range v.first2(api, "oauth2PermissionScopes", "oauth2Permissions").list() {
		if name := s.get("value").str(); name != "" && len(reg.Scopes) < 500 {
			reg.Scopes = append(reg.Scopes, name)
			reg.DefinedScopes = append(reg.DefinedScopes, name)
		}
	}
	for _, c := range v.get("passwordCredentials").list() {
		reg.Credentials = append(reg.Credentials, r.credential(&c, "secret", p))
	}
	for _, c := range v.get("keyCredentials").list() {
		reg.Credentials = append(reg.Credentials, r.credential(&c, "certificate", p))
	}
	r.entraMore(reg, v, p)
	return reg
}

// entraMore reads what an application or a service principal says beside what
// an explanation asks for.
func (r *reader) entraMore(reg *Registration, v *value, p *piece) {
	if old := v.get("replyUrlsWithType"); old != nil || v.get("web") != nil || v.get("spa") != nil || v.get("publicClient") != nil {
		reg.Known = append(reg.Known, "RedirectURIs")
	}
	reg.note("ResponseTypes", v.first("oauth2AllowImplicitFlow"))
	reg.note("ResponseTypes", v.path("web", "implicitGrantSettings"))
	reg.note("Credentials", v.first("passwordCredentials", "keyCredentials"))
	reg.note("Permissions", v.get("requiredResourceAccess"))
	reg.note("Owners", v.get("owners"))
	reg.note("Notes", v.first("notes", "description"))
	reg.note("Federated", v.get("federatedIdentityCredentials"))
	reg.AssignmentRequired = truthOf(v.get("appRoleAssignmentRequired"))
	reg.Notes = v.first("notes", "description").str()
	reg.Created = moment(v.first("createdDateTime"))
	reg.LastSignIn = moment(v.path("lastSignInActivity", "lastSignInDateTime"))
	for _, u := range []*value{v.get("logoutUrl"), v.path("web", "logoutUrl")} {
		if s := u.str(); s != "" {
			reg.LogoutURIs = append(reg.LogoutURIs, RegisteredURI{URI: s, Place: p.place(int(u.at))})
		}
	}
	for _, o := range v.get("owners").list() {
		if name := o.first("userPrincipalName", "displayName", "id").str(); name != "" && len(reg.Owners) < 100 {
			reg.Owners = append(reg.Owners, name)
		}
	}
	for _, api := range v.get("requiredResourceAccess").list() {
		for _, a := range api.get("resourceAccess").list() {
			if len(reg.Permissions) < 500 {
				reg.Permissions = append(reg.Permissions, Permission{
					Name: graphPermission(a.get("id").str()), Resource: api.get("resourceAppId").str(),
					Application: a.get("type").str() == "Role", Place: p.place(int(a.at)),
				})
			}
		}
	}
	for _, f := range v.get("federatedIdentityCredentials").list() {
		reg.Federated = append(reg.Federated, federated(&f, p))
	}
	for _, g := range v.get("oauth2PermissionGrants").list() {
		reg.Grants = append(reg.Grants, Grant{
			Scopes: strings.Fields(g.get("scope").str()), Resource: g.get("resourceId").str(),
			AllUsers: g.get("consentType").str() == "AllPrincipals", User: g.get("principalId").str(),
			Given: moment(g.get("startTime")), Place: p.place(int(g.at)),
		})
	}
	for _, g := range v.get("appRoleAssignments").list() {
		reg.Grants = append(reg.Grants, Grant{
			Scopes: []string{graphPermission(g.get("appRoleId").str())}, Resource: g.first("resourceDisplayName", "resourceId").str(),
			Application: true, AllUsers: true, Given: moment(g.get("createdDateTime")), Place: p.place(int(g.at)),
		})
	}
	reg.note("Grants", v.first("oauth2PermissionGrants", "appRoleAssignments"))
}

func federated(f *value, p *piece) Federated {
	return Federated{
		Name: f.get("name").str(), Issuer: f.get("issuer").str(), Subject: f.get("subject").str(),
		Audiences: f.get("audiences").strs(), Place: p.place(int(f.at)),
	}
}

// entraFederated reads a federated identity credential that stands alone, as
// Graph's list has it.
func (r *reader) entraFederated(v *value, p *piece) *Registration {
	if v.get("issuer").str() == "" || v.get("subject").str() == "" || !v.get("audiences").is(jsonArray) || len(v.kids) > 10 {
		return nil
	}
	return &Registration{Provider: "entra", Shape: "entra-federated-credential", Name: v.get("name").str(), Federated: []Federated{federated(v, p)}, Known: []string{"Federated"}}
}

// entraTenant reads Graph's authorizationPolicy: what users may consent to.
func (r *reader) entraTenant(v *value, _ *piece) *Registration {
	role := v.get("defaultUserRolePermissions")
	list := v.get("permissionGrantPolicyIdsAssignedToDefaultUserRole")
	if list == nil {
		list = role.get("permissionGrantPoliciesAssigned")
	}
	if !role.is(jsonObject) || list == nil {
		return nil
	}
	reg := &Registration{Provider: "entra", Shape: "entra-authorization-policy", Name: v.get("displayName").str(), UserConsent: "none"}
	for _, id := range list.strs() {
		switch {
		case strings.HasSuffix(id, "microsoft-user-default-legacy"):
			reg.UserConsent = "all"
		case strings.HasPrefix(id, "ManagePermissionGrantsForSelf.") && reg.UserConsent == "none":
			reg.UserConsent = "low"
		}
	}
	return reg
}

// graphPermission names a permission of Microsoft Graph by its id, for those
// that weigh much or are common; others keep their id.
func graphPermission(id string) string {
	switch strings.ToLower(id) {
	case "e1fe6dd8-ba31-4d61-89e7-88639da4683d":
		return "User.Read"
	case "37f7f235-527c-4136-accd-4a02d197296e":
		return "openid"
	case "14dad69e-099b-42c9-810b-d002981feec1":
		return "profile"
	case "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0":
		return "email"
	case "7427e0e9-2fba-42fe-b0c0-848c9e6a8182":
		return "offline_access"
	case "570282fd-fa5c-430d-a7fd-fc8dc98a9dca":
		return "Mail.Read"
	case "e383f46e-2787-4529-855e-0e479a3ffac0":
		return "Mail.Send"
	case "024d486e-b451-40bb-833d-3e66d98c5c73":
		return "Mail.ReadWrite"
	case "810c84a8-4a9e-49e6-bf7d-12d183f40d01":
		return "Mail.Read" // application
	case "e2a3a72e-5f79-4c64-b1b1-878b674786c9":
		return "Mail.ReadWrite" // application
	case "b633e1c5-b582-4048-a93e-9f11b44c7e96":
		return "Mail.Send" // application
	case "a154be20-db9c-4678-8ab7-66f6cc099a59", "df021288-bdef-4463-88db-98f22de89214":
		return "User.Read.All"
	case "204e0828-b5ca-4ad8-b9f3-f32a958e7cc4", "741f803b-c850-494e-b5df-cde7c675a1ca":
		return "User.ReadWrite.All"
	case "06da0dbc-49e2-44d2-8312-53f166ab848a", "7ab1d382-f21e-4acd-a863-ba3e13f7da61":
		return "Directory.Read.All"
	case "c5366453-9fb0-48a5-a156-24f0c49a4b84", "19dbc75e-c2e2-444c-a770-ec69d8559fc7":
		return "Directory.ReadWrite.All"
	case "bdfbf15f-ee85-4955-8675-146e8e5296b5", "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9":
		return "Application.ReadWrite.All"
	case "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8":
		return "RoleManagement.ReadWrite.Directory"
	case "06b708a9-e830-4db3-a914-8e69da51d44f":
		return "AppRoleAssignment.ReadWrite.All"
	case "01d4889c-1287-42c6-ac1f-5d1e02578ef6", "df85f4d6-205c-4ac5-a5ea-6bf408dba283":
		return "Files.Read.All"
	case "863451e7-0667-486c-a5d6-d135439485f0", "75359482-378d-4052-8f01-80520e7db3cd":
		return "Files.ReadWrite.All"
	case "a82116e5-55eb-4c41-a434-62fe8a61c773":
		return "Sites.FullControl.All"
	}
	return id
}

// first2 gives the first of two lists: in the object inner or in v itself.
func (v *value) first2(inner *value, names ...string) *value {
	for _, name := range names {
		if m := inner.get(name); m != nil {
			return m
		}
		if m := v.get(name); m != nil {
			return m
		}
	}
	return nil
}

func (r *reader) credential(c *value, kind string, p *piece) Credential {
	r.secret(c.first("secretText", "value").str())
	out := Credential{ID: c.get("keyId").str(), Kind: kind, Name: c.get("displayName").str(), Hint: c.get("hint").str(), Place: p.place(int(c.at))}
	out.Thumbprint = c.get("customKeyIdentifier").str()
	if s := c.first("secretText", "value").str(); s != "" {
		out.Value = usher.Secret(s)
	}
	out.Expires, _ = parseTime(c.first("endDateTime", "endDate").str())
	out.Starts, _ = parseTime(c.first("startDateTime", "startDate").str())
	return out
}
