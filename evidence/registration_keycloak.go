package evidence

import (
	"strings"

	"usher"
)

// keycloakRegistration reads a client of Keycloak.
func (r *reader) keycloakRegistration(v *value, p *piece) *Registration {
	if v.get("clientId").str() == "" || v.get("redirectUris") == nil && v.get("publicClient") == nil && v.get("standardFlowEnabled") == nil {
		return nil
	}
	reg := &Registration{Provider: "keycloak", Shape: "keycloak-client", ClientID: v.get("clientId").str(), Name: v.get("name").str(), WebOrigins: v.get("webOrigins").strs()}
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
	r.keycloakMore(reg, v, p)
	return reg
}

// keycloakMore reads what a client says beside what an explanation asks for.
func (r *reader) keycloakMore(reg *Registration, v *value, p *piece) {
	attributes := v.get("attributes")
	r.secretOf(reg, v.get("secret"), p)
	if n := len(reg.Credentials); n > 0 {
		c := &reg.Credentials[n-1]
		c.Starts, c.Expires = moment(attributes.get("client.secret.creation.time")), moment(attributes.get("client.secret.expiration.time"))
	} else if t := moment(attributes.get("client.secret.creation.time")); !t.IsZero() {
		reg.Credentials = append(reg.Credentials, Credential{Kind: "secret", Starts: t, Expires: moment(attributes.get("client.secret.expiration.time")), Place: p.place(int(v.at))})
	}
	reg.DefaultScopes = v.get("defaultClientScopes").strs()
	reg.FullScope = truthOf(v.get("fullScopeAllowed"))
	reg.Notes = v.get("description").str()
	reg.note("RedirectURIs", v.get("redirectUris"))
	reg.note("WebOrigins", v.get("webOrigins"))
	reg.note("GrantTypes", v.get("standardFlowEnabled"))
	reg.note("Notes", v.get("description"))
	if logout := attributes.get("post.logout.redirect.uris"); logout.str() != "" {
		for _, u := range strings.SplitN(logout.str(), "##", 1000) {
			reg.LogoutURIs = append(reg.LogoutURIs, RegisteredURI{URI: u, Place: p.place(int(logout.at))})
		}
	}
	if on, _ := attributes.get("use.jwks.url").truth(); on {
		reg.KeysURI = attributes.get("jwks.url").str()
	}
	if dn := attributes.get("x509.subjectdn").str(); dn != "" {
		reg.TLSNames = map[string]string{"tls_client_auth_subject_dn": dn}
	}
	r.clientKeys(reg, attributes.get("jwks.string"), p)
}

// maxClients bounds the clients that are read of one realm, so that room is left
// for what else was given.
const maxClients = 300

// keycloakRealm reads the export of a realm: each client in it.
func (r *reader) keycloakRealm(v *value, p *piece) bool {
	if v.get("realm").str() == "" || !v.get("clients").is(jsonArray) {
		return false
	}
	n, left := 0, 0
	for i := range v.get("clients").kids {
		c := &v.get("clients").kids[i]
		switch c.get("clientId").str() { // Keycloak's own
		case "account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console":
			continue
		}
		if n == maxClients {
			left++
			continue
		}
		if reg := r.keycloakRegistration(c, p); reg != nil {
			n++
			r.registered(reg, c, p)
		}
	}
	if left > 0 {
		r.ignore(p.place(int(v.at)), "the realm has more than "+itoa(maxClients)+" clients; "+itoa(left)+" were left out: export them one by one")
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
