package evidence

import (
	"strings"
	"time"
)

// standardRegistration reads client metadata of RFC 7591.
func (r *reader) standardRegistration(v *value, p *piece) *Registration {
	if v.get("redirect_uris") == nil || v.get("client_id") == nil && v.get("client_name") == nil && v.get("grant_types") == nil {
		return nil
	}
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
	r.secretOf(reg, v.get("client_secret"), p)
	if n, ok := v.get("client_secret_expires_at").number(); ok {
		if len(reg.Credentials) == 0 && n > 0 {
			reg.Credentials = append(reg.Credentials, Credential{Kind: "secret", Place: p.place(int(v.at))})
		}
		if n > 0 {
			reg.Credentials[0].Expires = time.Unix(int64(n), 0).UTC()
		} else {
			reg.Known = append(reg.Known, "Credentials.Expires")
		}
	}
	standardMembers(reg, v, p)
	reg.ApplicationType = applicationType(v.get("application_type").str())
	reg.Created = moment(v.get("client_id_issued_at"))
	reg.note("RedirectURIs", v.get("redirect_uris"))
	reg.note("GrantTypes", v.get("grant_types"))
	reg.note("ResponseTypes", v.get("response_types"))
	reg.note("LogoutURIs", v.get("post_logout_redirect_uris"))
	r.clientKeys(reg, v.get("jwks"), p)
	return reg
}
