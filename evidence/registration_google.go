package evidence

import (
	"strings"
)

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
		reg := &Registration{
			Provider: "google", Shape: "google-client", ClientID: c.get("client_id").str(), Name: c.get("project_id").str(),
			WebOrigins: c.get("javascript_origins").strs(), Public: ptr(kind == "installed"),
		}
		reg.RedirectURIs = uris(c.get("redirect_uris"), p, kind)
		reg.ApplicationType = applicationType(kind)
		reg.note("RedirectURIs", c.get("redirect_uris"))
		reg.note("WebOrigins", c.get("javascript_origins"))
		r.secretOf(reg, c.get("client_secret"), p)
		return reg
	}
	return nil
}
