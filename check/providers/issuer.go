package providers

import (
	"net/url"
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/token"
)

var issuerIdentical = &check.Check{
	ID: "issuer-identical", Group: check.GroupProvider, Mode: check.Passive, Severity: usher.SeverityHigh,
	Title:  "The published issuer is the one that was asked for",
	Judged: "The issuer of the document is compared byte for byte with the one that the client is configured with.",
	Needs:  []check.Need{check.NeedDiscovery, check.NeedIssuer}, Cause: "issuer-mismatch",
	Step: usher.StepDiscovery, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Configure the client with the issuer exactly as the provider publishes it, with or without the last slash as it stands there."),
		check.Neutral("If the provider publishes an inside name, set its public address there (hostname, frontend or base URL)."),
	},
	References: []string{"OpenID Connect Discovery section 4.3", "RFC 8414 section 3.3"},
	Probe:      getPublic,
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		found := false
		for _, m := range t.Metadata {
			if m.Issuer == t.Issuer {
				found = true
			}
		}
		for _, m := range t.Metadata {
			if found && m.Issuer != t.Issuer && m.URL == "" {
				continue // a file of another provider, beside the one that was asked for
			}
			out = append(out, identical(t, m))
		}
		return out
	},
}

// getPublic is the probe of checks that read what everybody may read.
var getPublic = &check.Probe{What: "GET of what the provider publishes to everybody: its discovery document and its keys", Safety: check.S0}

func identical(t *check.Target, m *check.Metadata) check.Verdict {
	proof := member(m, "issuer", t.Issuer, m.Issuer)
	switch {
	case m.Issuer == t.Issuer:
		return check.OK("", proof)
	case m.Issuer == "":
		return check.Wrong("The document names no issuer", "A client cannot tell whose document it is and must refuse it.", proof)
	case strings.Contains(m.Issuer, "{"):
		return check.NotApplicable("the document is one for many issuers: " + check.Clip(m.Issuer, 120))
	}
	how := difference(t.Issuer, m.Issuer)
	return check.Wrong("The issuer asked for is "+check.Clip(t.Issuer, 200)+", published is "+check.Clip(m.Issuer, 200),
		"They differ "+how+". Clients compare the two strings and refuse the document; tokens carry the published one.", proof).
		Do("Set the client's issuer to "+check.Clip(m.Issuer, 200), "If that is not the address that clients shall use, set the provider's public address instead.")
}

// difference says in which part two issuers differ.
func difference(asked, published string) string {
	if strings.TrimRight(asked, "/") == strings.TrimRight(published, "/") {
		return "by the slash at the end"
	}
	if strings.EqualFold(asked, published) {
		return "in upper and lower case"
	}
	a, err1 := url.Parse(asked)
	p, err2 := url.Parse(published)
	if err1 != nil || err2 != nil {
		return "in their form"
	}
	var parts []string
	if a.Scheme != p.Scheme {
		parts = append(parts, "in the scheme ("+check.Clip(a.Scheme, 20)+" against "+check.Clip(p.Scheme, 20)+")")
	}
	if a.Hostname() != p.Hostname() {
		parts = append(parts, "in the host ("+check.Clip(a.Hostname(), 80)+" against "+check.Clip(p.Hostname(), 80)+")")
	} else if a.Port() != p.Port() {
		parts = append(parts, "in the port")
	}
	if a.Path != p.Path {
		parts = append(parts, "in the path ("+pathDifference(a.Path, p.Path)+")")
	}
	if a.RawQuery != p.RawQuery || a.Fragment != p.Fragment {
		parts = append(parts, "in the query or fragment")
	}
	if len(parts) == 0 {
		return "in their spelling"
	}
	return strings.Join(parts, " and ")
}

// pathDifference names the first segment that differs.
func pathDifference(a, b string) string {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return check.Clip(as[i], 60) + " against " + check.Clip(bs[i], 60)
		}
	}
	if len(as) > len(bs) {
		return "asked for has " + check.Clip(strings.Join(as[len(bs):], "/"), 60) + " more"
	}
	return "published has " + check.Clip(strings.Join(bs[len(as):], "/"), 60) + " more"
}

var issuerTemplate = &check.Check{
	ID: "issuer-template", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The issuer is one, or its template is held to known tenants",
	Judged: "A published issuer with a placeholder such as {tenantid} is filled in with the tenant of the token and compared with iss; the tenant must be one that was allowed.",
	Needs:  []check.Need{check.NeedDiscovery}, Cause: "",
	Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Use the address of your own tenant in place of common or organizations: its document names one issuer."),
		check.Tightening("Or keep a list of allowed tenants: take tid from the token, refuse it when it is not on the list, fill it into the template, and compare the result with iss."),
	},
	References: []string{"OpenID Connect Discovery section 4.3", "RFC 8725 section 3.8"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict { return template(t, m) })
	},
}

func template(t *check.Target, m *check.Metadata) check.Verdict {
	open, end := strings.IndexByte(m.Issuer, '{'), strings.IndexByte(m.Issuer, '}')
	if open < 0 || end < open {
		return check.OK("", member(m, "issuer", "", m.Issuer))
	}
	proof := member(m, "issuer", "one issuer", m.Issuer)
	var allowed []string
	if t.Expect != nil {
		allowed = t.Expect.Tenants
	}
	seen := 0
	for _, tok := range t.Tokens {
		iss, tid := claim(tok, "iss"), claim(tok, "tid")
		if iss == "" || tok.Form != token.FormJWS || tok.Type == token.TypeAssertion || tok.Type == token.TypeDPoP || ofAnother(t, m, iss) {
			continue // of the client, or of another provider that was given too
		}
		place := usher.Proof{Place: tok.Place, Quote: "iss: " + check.Clip(iss, 160) + ", tid: " + check.Clip(tid, 80)}
		if want := m.Issuer[:open] + tid + m.Issuer[end+1:]; tid == "" || iss != want {
			place.Expected, place.Got = want, iss
			return check.Wrong("The token's issuer "+check.Clip(iss, 160)+" does not come of the template "+check.Clip(m.Issuer, 160),
				"Filled in with the token's tenant the template gives "+check.Clip(want, 160)+". The token is from another issuer (Entra: v1 and v2 differ), or these are not its keys.", proof, place)
		}
		if len(allowed) > 0 && !slices.Contains(allowed, tid) {
			place.Expected, place.Got = check.Names(allowed), tid
			return check.Wrong("The token is of the tenant "+check.Clip(tid, 80)+", which is not allowed", "Its issuer fits the template, as that of every tenant in the world does.", proof, place).As(usher.SeverityCritical)
		}
		seen++
	}
	switch {
	case seen > 0 && len(allowed) > 0:
		return check.OK("every token is of a tenant that is allowed", proof)
	case len(allowed) > 0:
		return check.Unknown(check.NeedToken, "the issuer is a template, and tenants are listed; a token would tell whether they are kept to", proof)
	}
	return check.Wrong("The issuer is a template: "+check.Clip(m.Issuer, 160),
		"The document is that of an endpoint for many tenants. Whoever compares iss with it as it stands refuses every token; whoever does not compare lets in every tenant.", proof)
}

// ofAnother tells whether an issuer is that of another document.
func ofAnother(t *check.Target, m *check.Metadata, issuer string) bool {
	for _, other := range t.Metadata {
		if other != m && other.Issuer == issuer {
			return true
		}
	}
	return false
}

func claim(tok *check.Token, name string) string {
	if tok.Parsed == nil {
		return ""
	}
	s, _ := tok.Claims[name].(string)
	return s
}

var issuerURLForm = &check.Check{
	ID: "issuer-url-form", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The issuer is an https address without query and fragment",
	Judged: "The published issuer is read as a URL: https, a host, and neither ? nor #.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Publish an https address as issuer, without query and fragment; behind a proxy, tell the provider its public address."),
		check.Neutral("Plan the change: every client compares the issuer, and tokens carry it."),
	},
	References: []string{"RFC 8414 section 2", "OpenID Connect Discovery section 3"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict { return issuerForm(t, m) })
	},
}

func issuerForm(t *check.Target, m *check.Metadata) check.Verdict {
	if m.Issuer == "" {
		return check.NotApplicable("the document names no issuer")
	}
	proof := member(m, "issuer", "https://host/path", m.Issuer)
	u, err := url.Parse(m.Issuer)
	why := ""
	switch {
	case err != nil:
		why = "is no address"
	case !strings.Contains(m.Issuer, "://"):
		why = "has no scheme"
	case u.Host == "":
		why = "has no host"
	case strings.Contains(m.Issuer, "?"):
		why = "has a query"
	case strings.Contains(m.Issuer, "#"):
		why = "has a fragment"
	case u.User != nil:
		why = "has a user name in it"
	case u.Scheme == "http" && lab(t) && check.Loopback(check.HostOf(m.Issuer)):
		return check.OK("http, which is sound on this machine alone", proof)
	case u.Scheme != "https":
		why = "is " + check.Clip(u.Scheme, 20) + ", not https"
	default:
		return check.OK("", member(m, "issuer", "", m.Issuer))
	}
	return check.Wrong("The issuer "+check.Clip(m.Issuer, 160)+" "+why, "Clients that keep to the standard refuse it, and over http anybody on the way can put in their own keys.", proof)
}
