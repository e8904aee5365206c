package lab

import (
	"net/url"
	"strings"
)

// Settings is what a program needs to use a lab, ready to be copied. It holds
// no secret: SecretAt says where to get it.
type Settings struct {
	Version  int               `json:"version"` // 1
	Base     string            `json:"base"`
	Keycloak DialectSettings   `json:"keycloak"`
	Entra    DialectSettings   `json:"entra"`
	SecretAt string            `json:"secret_at"` // URL: GET gives the client with its secret
	Redirect string            `json:"redirect_uri"`
	API      string            `json:"api"`
	Users    []string          `json:"users"` // the password is the name with "-password" behind it, of the lab's own users
	Faults   []FaultSettings   `json:"faults"`
	Admin    map[string]string `json:"admin,omitempty"` // client id of the one that may change registrations, and where its secret is
}

// DialectSettings are the addresses of one dialect.
type DialectSettings struct {
	Issuer    string `json:"issuer"`
	ClientID  string `json:"client_id"`
	Authorize string `json:"authorization_endpoint"`
	Token     string `json:"token_endpoint"`
	Keys      string `json:"jwks_uri"`
}

// FaultSettings is a fault with its command filled in.
type FaultSettings struct {
	*Fault
	On      bool   `json:"on"`
	Command string `json:"command"` // bash, curl and jq
}

// Settings gives the settings of a lab that is reached at base
// ("http://127.0.0.1:5304").
func (l *Lab) Settings(base string) Settings {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.opt.Issuer != "" {
		base = l.opt.Issuer
	}
	c := l.target()
	kc := base + "/realms/" + url.PathEscape(l.opt.Realm)
	en := base + "/" + l.opt.Tenant
	s := Settings{
		Version: 1, Base: base, API: base + "/api/orders", SecretAt: base + "/lab/clients/" + url.PathEscape(c.ID),
		Keycloak: DialectSettings{kc, c.ID, kc + "/protocol/openid-connect/auth", kc + "/protocol/openid-connect/token", kc + "/protocol/openid-connect/certs"},
		Entra:    DialectSettings{en + "/v2.0", c.AppID, en + "/oauth2/v2.0/authorize", en + "/oauth2/v2.0/token", en + "/discovery/v2.0/keys"},
	}
	if len(c.RedirectURIs) > 0 {
		s.Redirect = c.RedirectURIs[0]
	}
	if restored, ok := l.sent[c.ID]; ok {
		s.Redirect = restored
	}
	for _, u := range l.users {
		s.Users = append(s.Users, u.Name)
	}
	for _, each := range l.clients {
		if len(each.Roles) > 0 {
			s.Admin = map[string]string{"client_id": each.ID, "secret_at": base + "/lab/clients/" + url.PathEscape(each.ID)}
		}
	}
	for _, f := range Faults {
		s.Faults = append(s.Faults, FaultSettings{f, l.on[f.Name], s.fill(f, c)})
	}
	return s
}

// fill puts the addresses of the fault's dialect into its command.
func (s Settings) fill(f *Fault, c *client) string {
	d, scope := s.Keycloak, "openid+orders"
	if f.Dialect == DialectEntra {
		d, scope = s.Entra, "openid+offline_access+"+url.QueryEscape(apiEntra+"/orders")
	}
	return strings.NewReplacer(
		"{base}", s.Base, "{client}", url.PathEscape(c.ID), "{id}", d.ClientID, "{authorize}", d.Authorize, "{token}", d.Token,
		"{redirect}", url.QueryEscape(s.Redirect), "{scope}", scope, "{api}", s.API,
	).Replace(f.Command)
}
