package evidence

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/token"
)

// registrationReaders know what providers export of a client.
var registrationReaders = [...]func(*reader, *value, *piece) *Registration{
	(*reader).entraRegistration, (*reader).entraTenant, (*reader).entraFederated, (*reader).oktaRegistration, (*reader).auth0Registration, (*reader).keycloakRegistration,
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
	r.misshapen(v, p)
	registrationFacts(it, reg)
	name := reg.Name
	if name == "" {
		name = reg.ClientID
	}
	it.Summary = summary("registration of " + name + " (" + reg.Shape + ") with " + itoa(len(reg.RedirectURIs)) + " redirect URIs")
	r.add(it)
}

// misshapen says which members of a registration were not read for their form,
// so that nobody takes a client without redirect URIs for one that has none.
func (r *reader) misshapen(v *value, p *piece) {
	for i := range v.kids {
		m := &v.kids[i]
		want := ""
		switch m.key {
		case "redirectUris", "redirect_uris", "callbacks", "webOrigins", "web_origins", "grant_types", "response_types", "replyUrls", "replyUrlsWithType",
			"passwordCredentials", "keyCredentials", "requiredResourceAccess", "defaultClientScopes", "optionalClientScopes", "post_logout_redirect_uris", "allowed_logout_urls":
			if !m.is(jsonArray) && len(m.list()) == 0 {
				want = "a list"
			}
		case "enabled", "publicClient", "standardFlowEnabled", "implicitFlowEnabled", "directAccessGrantsEnabled", "serviceAccountsEnabled", "fullScopeAllowed", "accountEnabled", "appRoleAssignmentRequired":
			if _, known := m.truth(); !known {
				want = "true or false"
			}
		}
		if want != "" && !m.is(jsonNull) {
			r.ignore(p.place(int(m.keyAt)), m.key+" is not "+want+", as it must be, and was not read")
		}
	}
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

// note says that the export held a field although it is empty.
func (reg *Registration) note(field string, v *value) {
	if v != nil {
		reg.Known = append(reg.Known, field)
	}
}

// secretOf keeps a secret that stands in an export, unless it is masked there.
func (r *reader) secretOf(reg *Registration, v *value, p *piece) {
	s := v.str()
	if s == "" || strings.Trim(s, "*") == "" {
		return
	}
	r.secret(s)
	reg.Credentials = append(reg.Credentials, Credential{Kind: "secret", Value: usher.Secret(s), Place: p.place(int(v.at))})
}

// standardMembers are those of RFC 7591 and RFC 8705 that other exports have, too.
func standardMembers(reg *Registration, v *value, p *piece) {
	reg.KeysURI = v.get("jwks_uri").str()
	reg.LogoutURIs = append(reg.LogoutURIs, uris(v.get("post_logout_redirect_uris"), p, "")...)
	for _, name := range [...]string{"tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri", "tls_client_auth_san_ip", "tls_client_auth_san_email"} {
		if s := v.get(name).str(); s != "" {
			if reg.TLSNames == nil {
				reg.TLSNames = map[string]string{}
			}
			reg.TLSNames[name] = s
		}
	}
}

// clientKeys makes an item of the keys that are registered with a client.
func (r *reader) clientKeys(reg *Registration, v *value, p *piece) {
	set := v
	if v.is(jsonString) { // Keycloak keeps them as text
		doc := parseJSON(v.text, 0)
		if doc.failed {
			return
		}
		set = &doc.root
	}
	if !set.is(jsonObject) || !set.get("keys").is(jsonArray) {
		return
	}
	data, err := json.Marshal(set.any())
	if err != nil {
		return
	}
	keys, err := token.ParseKeySet(data)
	if err != nil {
		return
	}
	it := &Item{Line: p.line(int(v.at)), Keys: keys, JSON: data, KeysOf: reg.ClientID, Text: "keys of the client " + reg.ClientID}
	it.Kind, it.Place, it.Provider = usher.KindKeySet, p.place(int(v.at)), reg.Provider
	it.Summary = summary("keys of the client " + reg.ClientID + ": " + itoa(len(keys.Keys)))
	r.add(it)
}

// moment reads a time that is written as a date or as seconds since 1970.
func moment(v *value) time.Time {
	if n, ok := v.number(); ok && n > 0 && n < 1<<40 {
		return time.Unix(int64(n), 0).UTC()
	}
	if n, err := strconv.ParseInt(v.str(), 10, 40); err == nil && n > 0 {
		return time.Unix(n, 0).UTC()
	}
	t, _ := parseTime(v.str())
	return t
}
