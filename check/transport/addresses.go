package transport

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"usher"
	"usher/check"
)

var credentialsInURI = &check.Check{
	ID: "credentials-in-uri", Group: check.GroupTransport, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "No secret and no token stands in an address",
	Judged: "The queries of requests, their Referer, and the paths in logs are looked through for client_secret, code_verifier, access_token, refresh_token, id_token, client_assertion and password.",
	Cause:  "",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Send it in the Authorization header or in the body of a POST."),
		check.Tightening("Replace what was sent: addresses stand in logs, histories and referrers. Clean the logs."),
	},
	References: []string{"RFC 6749 section 2.3.1", "RFC 6750 section 2.3", "RFC 9700 section 4.3.2"},
	Judge:      func(t *check.Target) []check.Verdict { return inAddresses(t) },
}

// addresses collects what was found where.
type addresses struct {
	looked int
	proof  []usher.Proof
	names  []string
	client string
}

func (a *addresses) query(place, client, address string) {
	if address == "" {
		return
	}
	a.looked++
	address, _, _ = strings.Cut(address, "#") // what stands behind it is sent to nobody
	_, query, ok := strings.Cut(address, "?")
	if !ok {
		return
	}
	a.pairs(place, client, bare(address), query)
}

func (a *addresses) pairs(place, client, where, query string) {
	for range 200 {
		if query == "" {
			return
		}
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		if value == "" || !secretName(name) {
			continue
		}
		if len(a.proof) < 12 {
			a.proof = append(a.proof, usher.Proof{Place: place, Quote: where + "?" + check.Clip(name, 40) + "=...", Expected: "in a header or in the body", Got: name + " in the query"})
		}
		if !slices.Contains(a.names, name) {
			a.names = append(a.names, name)
		}
		if a.client == "" {
			a.client = client
		}
	}
}

func secretName(name string) bool {
	switch strings.ToLower(name) {
	case "client_secret", "code_verifier", "access_token", "refresh_token", "id_token", "client_assertion", "password", "subject_token", "actor_token":
		return true
	}
	return false
}

func inAddresses(t *check.Target) []check.Verdict {
	var a addresses
	const most = 2000
	for i, c := range t.AuthCalls {
		if i == most {
			break
		}
		client := ""
		if c.Request != nil && !c.Partial {
			client = c.Request.ClientID
			a.looked++
			posted := c.Exchange != nil && c.Exchange.Method == http.MethodPost // its parameters stand in the body
			for name, values := range c.Request.Params {
				if !posted && secretName(name) && len(values) > 0 && values[0] != "" {
					a.pairs(c.Place, client, bare(c.Request.Endpoint), name+"=x")
				}
			}
		}
		if r := c.Response; r != nil && !r.Fragment && c.Exchange == nil {
			// The address of the way back, as it was given.
			a.looked++
			if r.AccessToken != "" {
				a.pairs(c.ResponsePlace, client, bare(r.Endpoint), "access_token=x")
			}
			if r.IDToken != "" {
				a.pairs(c.ResponsePlace, client, bare(r.Endpoint), "id_token=x")
			}
		}
		if x := c.Exchange; x != nil {
			a.query(c.Place, client, x.Request.Get("Referer"))
			a.query(c.Place, client, x.Header.Get("Location"))
			if x.Method == http.MethodPost {
				a.query(c.Place, client, x.URL)
			}
		}
	}
	for i, c := range t.TokenCalls {
		if i == most {
			break
		}
		if c.Request != nil {
			a.query(c.Place, c.Request.ClientID, c.Request.Endpoint)
		}
		if x := c.Exchange; x != nil && (c.Request == nil || x.URL != c.Request.Endpoint) {
			a.query(c.Place, "", x.URL)
		}
	}
	for i, c := range t.APICalls {
		if i == most {
			break
		}
		if x := c.Exchange; x != nil {
			a.query(c.Place, "", x.URL)
			a.query(c.Place, "", x.Request.Get("Referer"))
		}
	}
	for i, e := range t.Events {
		if i == most {
			break
		}
		if strings.Contains(e.Request.Path, "?") {
			a.query(check.RecordPlace(e), e.Client.UID, e.Request.Path)
		} else if e.Request.Path != "" {
			a.looked++
		}
	}
	switch {
	case len(a.proof) > 0:
		return check.Only(check.Wrong("In an address stands "+strings.Join(a.names, ", "), "Addresses are written to logs of servers and proxies, kept in histories, and given away as referrers.", a.proof...).Of(a.client))
	case a.looked == 0:
		return check.Only(check.Unknown(check.NeedTokenRequest, ""))
	}
	return check.Only(check.OK("none of " + check.Count(a.looked, "address", "addresses") + " holds a secret or a token"))
}

var proxyForwarded = &check.Check{
	ID: "proxy-forwarded", Group: check.GroupTransport, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "Behind a proxy the provider builds the right addresses",
	Judged: "Scheme, host and port of the document's addresses and of redirects against those that the browser or the client used.",
	Needs:  []check.Need{check.NeedDiscovery}, Cause: "redirect-scheme-proxy",
	Step: usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Neutral("Let the proxy send X-Forwarded-Proto, -Host and -Port (or Forwarded), and let the provider believe them from this proxy alone."),
		check.Neutral("Or set the provider's public address in its configuration."),
	},
	References: []string{"RFC 9700 section 4.13", "RFC 7239"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, m := range t.Metadata {
			out = append(out, forwarded(t, m))
		}
		return out
	},
}

func forwarded(t *check.Target, m *check.Metadata) check.Verdict {
	var used []seenURL
	for _, u := range [...]seenURL{{m.URL, "the document was got from"}, {httpOnly(t.Issuer), "the issuer that was asked for is"}} {
		if u.address != "" {
			used = append(used, u)
		}
	}
	if len(used) == 0 && strings.HasPrefix(m.Issuer, "https://") {
		used = append(used, seenURL{m.Issuer, "the issuer is"})
	}
	looked := false
	for _, s := range used {
		u, err := url.Parse(s.address)
		if err != nil || u.Host == "" {
			continue
		}
		if s.address != m.Issuer {
			looked = true
		}
		portKnown := knowsPort(m, u)
		for _, a := range m.Addresses() {
			e, err := url.Parse(a.URL)
			if err != nil || e.Host == "" {
				continue
			}
			if how := proxied(u, e); how != "" && !(how == "in the port" && portKnown) {
				return check.Wrong("The document says "+bare(a.URL)+", and "+s.what+" "+bare(s.address), "They differ "+how+": the provider does not know how it is seen from outside.",
					usher.Proof{Place: m.Place, Quote: `"` + a.Name + `": "` + check.Clip(a.URL, 160) + `"`, Expected: u.Scheme + "://" + u.Host + "/...", Got: check.Clip(a.URL, 160)})
			}
		}
	}
	for _, c := range t.AuthCalls {
		if c.Request == nil || c.Request.Endpoint == "" || m.AuthorizationEndpoint == "" {
			continue
		}
		u, err1 := url.Parse(c.Request.Endpoint)
		e, err2 := url.Parse(m.AuthorizationEndpoint)
		if err1 != nil || err2 != nil || u.Host == "" || e.Host == "" || u.Path != e.Path {
			continue
		}
		looked = true
		if how := proxied(u, e); how != "" {
			return check.Wrong("The browser went to "+bare(c.Request.Endpoint)+", the document says "+bare(m.AuthorizationEndpoint), "They differ "+how+".",
				usher.Proof{Place: c.Place, Quote: bare(c.Request.Endpoint), Expected: bare(m.AuthorizationEndpoint), Got: bare(c.Request.Endpoint)})
		}
	}
	for _, c := range t.AuthCalls {
		x := c.Exchange
		if x == nil || x.Header.Get("Location") == "" {
			continue
		}
		u, err1 := url.Parse(x.URL)
		l, err2 := url.Parse(x.Header.Get("Location"))
		if err1 != nil || err2 != nil || l.Host == "" {
			continue
		}
		looked = true
		if u.Scheme == "https" && l.Scheme == "http" && strings.EqualFold(u.Hostname(), l.Hostname()) {
			return check.Wrong("The provider, asked over https, sends the browser to http on its own host", "It does not know that a proxy ends TLS before it.",
				usher.Proof{Place: c.Place, Quote: "Location: " + bare(l.String()), Expected: "https", Got: "http"})
		}
	}
	if !looked {
		return check.Unknown(check.NeedNetwork, "nothing tells how the provider is seen from outside")
	}
	return check.OK("", usher.Proof{Place: m.Place, Quote: "its addresses are those that are used"})
}

// knowsPort tells whether the issuer or the authorization endpoint has the port
// that is used: then another port beside it is meant (certificates, back
// channels), and no proxy changed it.
func knowsPort(m *check.Metadata, used *url.URL) bool {
	for _, address := range [...]string{m.Issuer, m.AuthorizationEndpoint} {
		if u, err := url.Parse(address); err == nil && u.Host != "" && u.Scheme == used.Scheme && strings.EqualFold(u.Hostname(), used.Hostname()) && check.PortOf(u) == check.PortOf(used) {
			return true
		}
	}
	return false
}

// seenURL is an address that works, as somebody used it.
type seenURL struct{ address, what string }

func httpOnly(issuer string) string {
	if strings.HasPrefix(issuer, "http") {
		return issuer
	}
	return ""
}

// proxied tells in what an address that was built differs from one that works,
// where a proxy is the likely reason: same host with another scheme or port, or
// an inside host in place of a public one.
func proxied(works, built *url.URL) string {
	sameHost := strings.EqualFold(works.Hostname(), built.Hostname())
	switch {
	case sameHost && works.Scheme == "https" && built.Scheme == "http":
		return "in the scheme"
	case sameHost && works.Scheme == built.Scheme && check.PortOf(works) != check.PortOf(built):
		return "in the port"
	case !sameHost && !loopback(works.Host) && strings.Contains(works.Hostname(), ".") && (loopback(built.Host) || !strings.Contains(built.Hostname(), ".") && !strings.Contains(built.Hostname(), ":")):
		return "in the host"
	}
	return ""
}

var tokenPostOnly = &check.Check{
	ID: "token-endpoint-post-only", Group: check.GroupTransport, Mode: check.Active, Severity: usher.SeverityMedium,
	Title:  "The token endpoint refuses GET",
	Judged: "A GET without parameters must be refused.",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerProvider,
	Fix:        []usher.FixStep{check.Tightening("Let the token endpoint take POST alone.")},
	References: []string{"RFC 6749 section 3.2"},
	Probe:      &check.Probe{What: "GET of the token endpoint with no parameters", Safety: check.S0},
	Judge:      func(t *check.Target) []check.Verdict { return t.FromProbe("token-endpoint-post-only", check.NeedProbe) },
}
