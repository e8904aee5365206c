package evidence

import (
	"encoding/json"
	"strings"
	"time"

	"usher"
)

// registrationReaders know what providers export of a client.
var registrationReaders = [...]func(*reader, *value, *piece) *Registration{
	(*reader).entraRegistration, (*reader).oktaRegistration, (*reader).auth0Registration, (*reader).keycloakRegistration,
	(*reader).googleRegistration, (*reader).standardRegistration,
}

func (r *reader) registration(v *value, p *piece) bool {
	if !v.is(jsonObject) {
		return false
	}
	if r.keycloakRealm(v, p) {
		return true
	}
	for _, read := range registrationReaders {
		if reg := read(r, v, p); reg != nil {
			r.registered(reg, v, p)
			return true
		}
	}
	return false
}

// registered makes the item of a registration.
func (r *reader) registered(reg *Registration, v *value, p *piece) {
	it, _, _ := r.newItem(usher.KindRegistration, v, p)
	reg.Place = it.Place
	it.Registration = reg
	it.Provider = reg.Provider
	if m, ok := v.any().(map[string]any); ok {
		it.Object = m
		it.JSON, _ = json.Marshal(m)
	}
	registrationFacts(it, reg)
	name := reg.Name
	if name == "" {
		name = reg.ClientID
	}
	it.Summary = summary("registration of " + name + " (" + reg.Shape + ") with " + itoa(len(reg.RedirectURIs)) + " redirect URIs")
	r.add(it)
}

func registrationFacts(it *Item, reg *Registration) {
	place := it.Place
	it.fact("registration", reg.Provider, place, reg.Shape)
	it.factIf("client-id", reg.ClientID, place, reg.ClientID)
	it.factIf("client-name", reg.Name, place, reg.Name)
	yesNo := func(key string, b *bool, quote string) {
		if b != nil {
			word := "false"
			if *b {
				word = "true"
			}
			it.fact(key, word, place, quote)
		}
	}
	yesNo("public-client", reg.Public, "")
	yesNo("client-enabled", reg.Enabled, "")
	yesNo("pkce-required", reg.PKCERequired, "")
	if len(reg.RedirectURIs) == 0 {
		it.fact("registered-redirect", "none", place, "")
	}
	for _, u := range reg.RedirectURIs {
		it.factIf("platform", u.Platform, u.Place, u.URI)
		scheme, host := splitURI(u.URI)
		if strings.Contains(u.URI, "*") {
			it.fact("registered-redirect", "wildcard", u.Place, u.URI)
		}
		if strings.HasSuffix(u.URI, "/") && strings.Count(u.URI, "/") > 2 {
			it.fact("registered-redirect", "trailing-slash", u.Place, u.URI)
		}
		if scheme == "http" && hostKind(host) == "public" {
			it.fact("registered-redirect", "http-public", u.Place, u.URI)
		}
		if strings.ContainsAny(u.URI, " ,") {
			it.fact("registered-redirect", "malformed", u.Place, u.URI)
		}
	}
	for _, o := range reg.WebOrigins {
		if strings.HasSuffix(o, "/") {
			it.fact("web-origin", "trailing-slash", place, o)
		}
		if o == "*" || o == "+" {
			it.fact("web-origin", o, place, o)
		}
	}
	if reg.Provider == "keycloak" && len(reg.WebOrigins) == 0 {
		it.fact("web-origin", "none", place, "")
	}
	for _, m := range reg.AuthMethods {
		it.fact("client-auth-setting", m, place, m)
	}
	for _, g := range reg.GrantTypes {
		it.fact("grant-setting", grantName(g), place, g)
	}
	for _, t := range reg.ResponseTypes {
		it.fact("response-type-setting", t, place, t)
	}
	it.factIf("audience-setting", reg.Audience, place, reg.Audience)
	it.factIf("token-version-setting", reg.TokenVersion, place, reg.TokenVersion)
	for _, s := range reg.Scopes {
		it.fact("scope-setting", s, place, s)
	}
	for _, c := range reg.Credentials {
		it.factIf("credential-id", c.ID, c.Place, c.ID)
		it.fact("client-credential", c.Kind, c.Place, c.Name)
	}
}

func truthOf(v *value) *bool {
	if b, known := v.truth(); known {
		return &b
	}
	return nil
}

func ptr(b bool) *bool { return &b }

// uris reads a list of redirect URIs with the place of each.
func uris(list *value, p *piece, platform string) []RegisteredURI {
	var out []RegisteredURI
	for _, e := range list.list() {
		if s := e.str(); s != "" && len(out) < 1000 {
			out = append(out, RegisteredURI{URI: s, Platform: platform, Place: p.place(int(e.at))})
		}
	}
	return out
}

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
		}
	}
	for _, c := range v.get("passwordCredentials").list() {
		reg.Credentials = append(reg.Credentials, r.credential(&c, "secret", p))
	}
	for _, c := range v.get("keyCredentials").list() {
		reg.Credentials = append(reg.Credentials, r.credential(&c, "certificate", p))
	}
	return reg
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
	out := Credential{ID: c.get("keyId").str(), Kind: kind, Name: c.first("displayName", "customKeyIdentifier").str(), Hint: c.get("hint").str(), Place: p.place(int(c.at))}
	out.Expires, _ = parseTime(c.first("endDateTime", "endDate").str())
	out.Starts, _ = parseTime(c.first("startDateTime", "startDate").str())
	return out
}

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
	r.secret(creds.get("client_secret").str())
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
	return reg
}

// auth0Registration reads a client of Auth0's management API.
func (r *reader) auth0Registration(v *value, p *piece) *Registration {
	if v.get("client_id").str() == "" || v.get("callbacks") == nil && v.get("app_type") == nil && v.get("is_first_party") == nil {
		return nil
	}
	reg := &Registration{Provider: "auth0", Shape: "auth0-client", ClientID: v.get("client_id").str(), Name: v.get("name").str()}
	r.secret(v.get("client_secret").str())
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
	return reg
}

// keycloakRegistration reads a client of Keycloak.
func (r *reader) keycloakRegistration(v *value, p *piece) *Registration {
	if v.get("clientId").str() == "" || v.get("redirectUris") == nil && v.get("publicClient") == nil && v.get("standardFlowEnabled") == nil {
		return nil
	}
	reg := &Registration{Provider: "keycloak", Shape: "keycloak-client", ClientID: v.get("clientId").str(), Name: v.get("name").str(), WebOrigins: v.get("webOrigins").strs()}
	r.secret(v.get("secret").str())
	reg.RedirectURIs = uris(v.get("redirectUris"), p, "")
	reg.Public, reg.Enabled = truthOf(v.get("publicClient")), truthOf(v.get("enabled"))
	for _, g := range [...][2]string{{"standardFlowEnabled", "authorization_code"}, {"implicitFlowEnabled", "implicit"}, {"directAccessGrantsEnabled", "password"}, {"serviceAccountsEnabled", "client_credentials"}} {
		if b, _ := v.get(g[0]).truth(); b {
			reg.GrantTypes = append(reg.GrantTypes, g[1])
		}
	}
	if b, _ := v.path("attributes", "oauth2.device.authorization.grant.enabled").truth(); b {
		reg.GrantTypes = append(reg.GrantTypes, "device_code")
	}
	if m := v.get("clientAuthenticatorType").str(); m != "" {
		reg.AuthMethods = []string{m}
	}
	if m := v.path("attributes", "pkce.code.challenge.method").str(); m != "" {
		reg.PKCERequired = ptr(true)
	}
	reg.Scopes = append(v.get("defaultClientScopes").strs(), v.get("optionalClientScopes").strs()...)
	return reg
}

// keycloakRealm reads the export of a realm: each client in it.
func (r *reader) keycloakRealm(v *value, p *piece) bool {
	if v.get("realm").str() == "" || !v.get("clients").is(jsonArray) {
		return false
	}
	n := 0
	for i := range v.get("clients").kids {
		c := &v.get("clients").kids[i]
		switch c.get("clientId").str() { // Keycloak's own
		case "account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console":
			continue
		}
		if reg := r.keycloakRegistration(c, p); reg != nil && n < 100 {
			n++
			r.registered(reg, c, p)
		}
	}
	it := &Item{Line: p.line(int(v.at))}
	it.Kind, it.Place, it.Provider = usher.KindRegistration, p.place(int(v.at)), "keycloak"
	it.Registration = &Registration{Provider: "keycloak", Shape: "keycloak-realm", Name: v.get("realm").str(), Enabled: truthOf(v.get("enabled")), Place: it.Place}
	it.Text = "realm " + v.get("realm").str()
	it.Summary = summary("export of the realm " + v.get("realm").str() + " with " + itoa(n) + " clients of its own")
	it.fact("registration", "keycloak", it.Place, "keycloak-realm")
	it.fact("tenant-id", v.get("realm").str(), it.Place, "realm")
	for _, name := range [...]string{"accessTokenLifespan", "ssoSessionIdleTimeout", "ssoSessionMaxLifespan", "revokeRefreshToken", "refreshTokenMaxReuse", "sslRequired", "bruteForceProtected"} {
		if m := v.get(name); m.str() != "" {
			it.fact("realm-setting", name+"="+m.str(), p.place(int(m.keyAt)), m.str())
		}
	}
	r.add(it)
	return true
}

// googleRegistration reads the client file that Google's console gives, and the
// key file of a service account.
func (r *reader) googleRegistration(v *value, p *piece) *Registration {
	if v.get("type").str() == "service_account" && v.get("client_email") != nil {
		r.secret(v.get("private_key").str())
		r.secret(strings.ReplaceAll(v.get("private_key").str(), "\n", `\n`))
		for _, line := range strings.Split(v.get("private_key").str(), "\n") {
			if len(line) >= 40 && !strings.HasPrefix(line, "-----") {
				r.secret(line)
			}
		}
		return &Registration{
			Provider: "google", Shape: "google-service-account", ClientID: v.get("client_id").str(), Name: v.get("client_email").str(),
			Public: ptr(false), Credentials: []Credential{{ID: v.get("private_key_id").str(), Kind: "certificate", Place: p.place(int(v.at))}},
		}
	}
	for _, kind := range [...]string{"web", "installed"} {
		c := v.get(kind)
		if !c.is(jsonObject) || c.get("client_id").str() == "" || c.get("redirect_uris") == nil && c.get("auth_uri") == nil && c.get("project_id") == nil {
			continue
		}
		r.secret(c.get("client_secret").str())
		reg := &Registration{
			Provider: "google", Shape: "google-client", ClientID: c.get("client_id").str(), Name: c.get("project_id").str(),
			WebOrigins: c.get("javascript_origins").strs(), Public: ptr(kind == "installed"),
		}
		reg.RedirectURIs = uris(c.get("redirect_uris"), p, kind)
		return reg
	}
	return nil
}

// standardRegistration reads client metadata of RFC 7591.
func (r *reader) standardRegistration(v *value, p *piece) *Registration {
	if v.get("redirect_uris") == nil || v.get("client_id") == nil && v.get("client_name") == nil && v.get("grant_types") == nil {
		return nil
	}
	r.secret(v.get("client_secret").str())
	r.secret(v.get("registration_access_token").str())
	reg := &Registration{
		Provider: "", Shape: "client-metadata", ClientID: v.get("client_id").str(), Name: v.get("client_name").str(),
		GrantTypes: v.get("grant_types").strs(), ResponseTypes: v.get("response_types").strs(), Scopes: strings.Fields(v.get("scope").str()),
	}
	reg.RedirectURIs = uris(v.get("redirect_uris"), p, "")
	if strings.HasPrefix(reg.ClientID, "0oa") {
		reg.Provider = "okta"
	}
	if m := v.get("token_endpoint_auth_method").str(); m != "" {
		reg.AuthMethods = []string{m}
		reg.Public = ptr(m == "none")
	}
	if n, ok := v.get("client_secret_expires_at").number(); ok && n > 0 {
		reg.Credentials = append(reg.Credentials, Credential{Kind: "secret", Expires: time.Unix(int64(n), 0).UTC(), Place: p.place(int(v.at))})
	}
	return reg
}
