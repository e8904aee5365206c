package clients

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
)

// each asks a question of every client's registration; settings of a realm or a
// tenant are no client's.
func each(t *check.Target, judge func(r *evidence.Registration) check.Verdict) []check.Verdict {
	var out []check.Verdict
	for _, r := range t.Registrations {
		if r != nil && r.ClientID != "" {
			out = append(out, judge(r).Of(r.ClientID))
		}
	}
	if out == nil {
		return []check.Verdict{check.Unknown(check.NeedRegistration, "")}
	}
	return out
}

// registration gives the registration of a client; of a request that names
// none, the only one there is. It gives nil where there is none or which is
// meant cannot be told.
func registration(t *check.Target, client string) *evidence.Registration {
	var found *evidence.Registration
	for _, r := range t.Registrations {
		switch {
		case r == nil || r.ClientID == "":
		case client != "" && sameClient(r.ClientID, client):
			return r
		case client == "" && found != nil:
			return nil
		case client == "":
			found = r
		}
	}
	return found
}

// theClient names a client at the start of a sentence.
func theClient(id string) string {
	if id == "" {
		return "The client"
	}
	return "The client " + id
}

// whom names a client in the midst of a sentence.
func whom(id string) string { return cmp.Or(id, "the client") }

// sameClient compares client ids. Those that are GUIDs are written in either case.
func sameClient(a, b string) bool {
	return a == b || len(a) == len(b) && oauth.IsGUID(a) && strings.EqualFold(a, b)
}

// secretMethod tells whether a method of authentication rests on a shared secret.
func secretMethod(m string) bool {
	return m == oauth.AuthBasic || m == oauth.AuthPost || m == oauth.AuthSecretJWT
}

// known tells whether the export held a field although it is empty.
func known(r *evidence.Registration, field string) bool {
	for _, k := range r.Known {
		if k == field {
			return true
		}
	}
	return false
}

// grant gives the name of a grant as RFC 7591 writes it, from the words that
// providers use for it.
func grant(word string) string {
	switch word {
	case "device_code", "deviceCode", "urn:ietf:params:oauth:grant-type:device_code":
		return oauth.GrantDeviceCode
	case "http://auth0.com/oauth/grant-type/password-realm", "http://auth0.com/oauth/grant-type/password", "ropc":
		return oauth.GrantPassword
	case "token-exchange":
		return oauth.GrantTokenExchange
	case "jwt-bearer":
		return oauth.GrantJWTBearer
	}
	return word
}

func hasGrant(list []string, want string) bool {
	for _, g := range list {
		if grant(g) == want {
			return true
		}
	}
	return false
}

// short gives the name of a grant for a person.
func short(g string) string {
	if i := strings.LastIndexByte(g, ':'); i >= 0 {
		return g[i+1:]
	}
	return g
}

// entraAt tells whether an endpoint is one of Entra's.
func entraAt(endpoint string) bool {
	rest, ok := strings.CutPrefix(endpoint, "https://")
	if !ok {
		return false
	}
	host, _, _ := strings.Cut(rest, "/")
	switch host {
	case "login.windows.net", "login.microsoft.com", "sts.windows.net", "login.chinacloudapi.cn", "login.partner.microsoftonline.cn":
		return true
	}
	return strings.HasPrefix(host, "login.microsoftonline.")
}

// metadataOf gives the document whose endpoint a request went to, or the only
// document there is.
func metadataOf(t *check.Target, endpoint string) *check.Metadata {
	for _, m := range t.Metadata {
		if m == nil || m.Metadata == nil || endpoint == "" {
			continue
		}
		if m.AuthorizationEndpoint == endpoint || m.TokenEndpoint == endpoint {
			return m
		}
	}
	if len(t.Metadata) == 1 && t.Metadata[0] != nil && t.Metadata[0].Metadata != nil {
		return t.Metadata[0]
	}
	return nil
}

// can tells whether the provider can do something, and whether that is known.
func can(t *check.Target, what string) (yes, told bool) {
	if t.Provider == nil {
		return false, false
	}
	a, told := t.Provider.Can[what]
	return a.Can, told
}

// knownOf gives what is known of the provider that a client is registered at:
// the registration says which, else it is the one that is asked. Nil is unknown.
func knownOf(t *check.Target, r *evidence.Registration) *knowledge.Provider {
	if r.Provider == "" || t.Provider != nil && t.Provider.Name == r.Provider {
		return t.Provider
	}
	return knowledge.Named(r.Provider)
}

// elsewhere tells whether a client is registered at another provider than the
// one that is known to be asked.
func elsewhere(t *check.Target, r *evidence.Registration) bool {
	return r.Provider != "" && t.Provider != nil && t.Provider.Name != "generic" && t.Provider.Name != r.Provider
}

func providerIs(t *check.Target, name string) bool {
	return t.Provider != nil && t.Provider.Name == name
}

// vendor gives the provider of a registration.
func vendor(t *check.Target, r *evidence.Registration) string {
	if r != nil && r.Provider != "" {
		return r.Provider
	}
	if t.Provider != nil && t.Provider.Name != "generic" {
		return t.Provider.Name
	}
	return ""
}

// days gives a time span in words.
func days(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	switch n := int(d.Hours() / 24); {
	case d < 2*time.Minute:
		return itoa(int(d.Seconds())) + " seconds"
	case d < 2*time.Hour:
		return itoa(int(d.Minutes())) + " minutes"
	case n < 2:
		return itoa(int(d.Hours())) + " hours"
	default:
		return itoa(n) + " days"
	}
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

func contains(list []string, s string) bool { return slices.Contains(list, s) }
