package clients

import (
	"net/url"
	"strings"

	"usher"
	"usher/check"
	"usher/oauth"
)

var credentialsPerIssuer = &check.Check{
	ID: "credentials-per-issuer", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "Each issuer has credentials of its own",
	Judged: "Whether one client id and secret go to two authorization servers.",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Keep credentials under the issuer that they were registered with, and register anew when the issuer changes."),
	},
	References: []string{"MCP authorization, server discovery", "RFC 6749 section 2.2"},
	Judge:      judgePerIssuer,
}

func judgePerIssuer(t *check.Target) []check.Verdict {
	var b book
	type use struct {
		server, place string
		known         bool // the server is that of a document
	}
	bySecret, byID := map[usher.Secret]use{}, map[string]use{}
	note := func(client, endpoint, place string, secret usher.Secret) {
		server, told := serverOf(t, endpoint)
		if server == "" || client == "" || len(byID) > 1000 {
			return
		}
		now := use{server, place, told}
		if secret != "" {
			was, there := bySecret[secret]
			if there && was.server != server && !(was.known && told) && (ownDomain(was.server) || ownDomain(server) || oneOwner(was.server, server)) {
				b.add(client, check.Unknown(check.NeedDiscovery, "the secret goes to "+was.server+" and "+server+", which may be two names of one provider; their documents tell", proof(was.place, was.server, "", ""), proof(place, server, "", "")))
				return
			}
			if there && was.server != server {
				b.add(client, check.Wrong("The secret of "+whom(client)+" goes to "+was.server+" and to "+server, "The one learns what opens the other.", proof(was.place, was.server, "", ""), proof(place, secret.Fingerprint(), was.server, server)))
				return
			}
			bySecret[secret] = now
		}
		was, there := byID[client]
		switch {
		case !there:
			byID[client] = now
			b.add(client, check.OK("its credentials go to one server, as far as was given", proof(place, server, "", "")))
		case was.server == server, strings.HasPrefix(client, "https://"):
		case was.known && told && generated(client):
			b.add(client, check.Wrong("The client id "+client+" goes to "+was.server+" and to "+server, "An id belongs to the server that gave it; another one does not know it, or knows somebody else by it.", proof(was.place, was.server, "", ""), proof(place, "client_id="+client, was.server, server)))
		default:
			b.add(client, check.Unknown(check.NeedDiscovery, "the client id goes to "+was.server+" and "+server+"; whether they are one issuer stands in their documents", proof(was.place, was.server, "", ""), proof(place, server, "", "")))
		}
	}
	for c := range requests(t) {
		note(c.Request.ClientID, c.Request.Endpoint, c.Place, "")
	}
	for c := range tokenCalls(t) {
		note(c.Request.ClientID, c.Request.Endpoint, c.Place, c.Request.ClientSecret)
	}
	// One id, given by two providers in two registrations.
	for i, r := range t.Registrations {
		if r == nil || r.ClientID == "" || i > 200 {
			continue
		}
		for _, other := range t.Registrations[:i] {
			if other != nil && other.ClientID == r.ClientID && other.Provider != "" && r.Provider != "" && other.Provider != r.Provider && generated(r.ClientID) {
				b.add(r.ClientID, check.Wrong("The client id "+r.ClientID+" is registered at "+other.Provider+" and at "+r.Provider, "An id belongs to the provider that gave it.", proof(other.Place, other.Provider, "", ""), proof(r.Place, r.Provider, "an id of its own", r.ClientID)))
			}
		}
	}
	return b.or(check.Unknown(check.NeedTokenRequest, "requests show which servers the client's credentials go to"))
}

// ownDomain tells whether a host is one of a provider that gives its customers
// domains of their own beside.
func ownDomain(host string) bool {
	for _, end := range [...]string{".auth0.com", ".okta.com", ".oktapreview.com", ".okta-emea.com", ".amazoncognito.com", ".onelogin.com"} {
		if strings.HasSuffix(host, end) {
			return true
		}
	}
	return false
}

// oneOwner tells whether two hosts belong together: they lie in one domain, as
// login.salesforce.com and a customer's own there, or on this machine.
func oneOwner(a, b string) bool {
	return check.SameSite(a, b) || check.Loopback(a) && check.Loopback(b)
}

// serverOf names the authorization server of an endpoint: the issuer of the
// document that names it, else its host.
func serverOf(t *check.Target, endpoint string) (server string, told bool) {
	for _, m := range t.Metadata {
		if m != nil && m.Metadata != nil && endpoint != "" && (m.AuthorizationEndpoint == endpoint || m.TokenEndpoint == endpoint) {
			return m.Issuer, true
		}
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return "", false
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case host == "oauth2.googleapis.com" || host == "www.googleapis.com":
		return "accounts.google.com", false
	case strings.HasPrefix(host, "login.microsoftonline."), host == "login.windows.net", host == "sts.windows.net", host == "login.live.com":
		return "login.microsoftonline.com", false
	}
	return host, false
}

// generated tells whether a client id was given out by a provider rather than
// chosen: names such as "web" are used with every provider.
func generated(id string) bool {
	if oauth.IsGUID(id) {
		return true
	}
	return len(id) >= 16 && strings.ContainsAny(id, "0123456789")
}
