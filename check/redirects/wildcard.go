package redirects

import (
	"strings"

	"golang.org/x/net/publicsuffix"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

var wildcard = &check.Check{
	ID: "redirect-wildcard", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "Every redirect URI is written out",
	Judged: "No entry has a star, a pattern or a placeholder that lets other URIs pass, and where the provider's own rule is a prefix, the entry names more than a host.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Register every URI that the app really sends, one by one, and take the pattern out."),
		check.Neutral("Carry what varies from request to request in state."),
	},
	References: []string{"RFC 9700 section 4.1.1", "RFC 9700 section 4.1.3", "OAuth 2.1 draft section 2.3.1"},
	Judge: func(t *check.Target) []check.Verdict {
		return eachEntry(t, "every entry lets other hosts pass, which redirect-wildcard-global judges", nil, func(r *evidence.Registration, e evidence.RegisteredURI, u uri) fault {
			rule := ruleFor(t, r)
			switch {
			case reachOf(t, r, e.URI, u) != ownHost:
				return fault{left: true} // redirect-wildcard-global judges it
			case strings.Contains(e.URI, "*") && covers(t, r, rule, e.URI) != literal:
				return fault{says: "lets other URIs pass by its star", means: anyPage, expected: "the URI written out"}
			case placeholder(e.URI):
				return fault{says: "has a placeholder that is filled in from the request", means: "Whoever starts a sign-in chooses what stands there, and with it where the code goes.", expected: "the URI written out", severity: usher.SeverityMedium}
			case expression(e.URI):
				return fault{says: "is a pattern", means: anyPage, expected: "the URI written out"}
			case rule.Wildcard == oauth.WildcardPrefix && u.web() && !u.loopback() && strings.Trim(u.path, "/") == "":
				return fault{says: "lets every path of the host pass, as " + ruleName(rule) + " compares", means: anyPage, expected: "the whole path of the callback", severity: usher.SeverityMedium}
			}
			return fault{}
		})
	},
}

const anyPage = "The code can be sent to every page that the pattern covers: an open redirector, an upload or a page that leaks its address among them is enough to steal it."

var wildcardGlobal = &check.Check{
	ID: "redirect-wildcard-global", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "No entry lets other hosts pass",
	Judged: "No entry is a lone star, has one in place of its host, or has one in its host that the provider fills in.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Take the entry out today, and register the callbacks of your own hosts one by one: with it anybody can have codes sent to a host of his.")},
	References: []string{"RFC 9700 section 4.1.1"},
	Judge: func(t *check.Target) []check.Verdict {
		return eachEntry(t, "", nil, func(r *evidence.Registration, e evidence.RegisteredURI, u uri) fault {
			switch reachOf(t, r, e.URI, u) {
			case anyHost:
				return fault{says: "lets every host pass", means: "Anybody can make a link of the trusted provider that sends the code of whoever follows it to a host of his own.", expected: "a host of your own, written out"}
			case lowerHosts:
				return fault{says: "lets every name below the domain pass", means: "Whoever holds one of these names, a forgotten one that points to a cloud too, gets the codes.", expected: "a host written out", severity: usher.SeverityHigh}
			}
			return fault{}
		})
	},
}

// wholeHost tells whether the star stands for a domain that anybody can get.
func wholeHost(host string) bool {
	rest := strings.TrimLeft(host[strings.LastIndexByte(host, '*')+1:], ".")
	if rest == "" {
		return true
	}
	rest = strings.ToLower(rest)
	suffix, _ := publicsuffix.PublicSuffix(rest)
	return suffix == rest
}

var wildcardLiteral = &check.Check{
	ID: "redirect-wildcard-literal", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Every star does what it is meant to",
	Judged: "Each star of an entry is tried against the provider's rule; one that the provider takes as it stands, or that it never lets in, covers nothing.",
	Needs:  []check.Need{check.NeedRegistration},
	Cause:  "redirect-uri-mismatch", Step: usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Write out the URIs that the star was meant to cover, and take the entry out.")},
	References: []string{"Keycloak: valid redirect URIs", "Auth0: subdomain URL placeholders", "RFC 9700 section 4.1.3"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, r := range t.Registrations {
			if isClient(r) {
				out = append(out, judgeLiteral(t, r))
			}
		}
		return out
	},
}

func judgeLiteral(t *check.Target, r *evidence.Registration) check.Verdict {
	rule := ruleFor(t, r)
	if rule.Unknown != "" || rule.Name == "standard" {
		for _, e := range r.RedirectURIs {
			if strings.Contains(e.URI, "*") {
				return check.Unknown(check.NeedIssuer, "how this provider takes a star is not known", usher.Proof{Place: e.Place, Quote: e.URI}).Of(r.ClientID)
			}
		}
	}
	return entriesOf(r, "no entry has a star", nil, func(r *evidence.Registration, e evidence.RegisteredURI, u uri) fault {
		if !strings.Contains(e.URI, "*") || covers(t, r, rule, e.URI) != literal {
			return fault{}
		}
		return fault{says: "has a star that " + ruleName(rule) + " does not fill in", means: "The provider compares the star as a letter, so what it was meant to cover is refused.", expected: "the URIs that it was meant to cover"}
	})
}

// How a star is taken.
const (
	literal = iota // as it stands
	live           // it is filled in
	unclear        // the provider's rule is not known
)

// sample stands for what a star may be filled with.
const sample = "usher0"

// covers tries every star of an entry against the provider's rule: whether
// something else in its place would pass. The worst of the stars counts for a
// literal one only when none is live.
func covers(t *check.Target, r *evidence.Registration, rule oauth.RedirectRule, entry string) int {
	if rule.Unknown != "" || rule.Name == "standard" {
		return unclear
	}
	ctx := starContext(t, r)
	if strings.Trim(entry, "*") == "" {
		return passes(rule, entry, "https://"+sample+".example/", ctx)
	}
	if rel := strings.HasPrefix(entry, "/"); rel && rule.Wildcard == oauth.WildcardTrailing {
		entry = "https://" + sample + ".example" + entry // below the client's root URL
	}
	const most = 8 // stars of one entry
	from := 0
	for range most {
		i := strings.IndexByte(entry[from:], '*')
		if i < 0 {
			break
		}
		i += from
		for _, fill := range [...]string{sample, "/" + sample, "443"} {
			if passes(rule, entry, entry[:i]+fill+entry[i+1:], ctx) == live {
				return live
			}
		}
		from = i + 1
	}
	return literal
}

// How far the stars of an entry reach beyond its host.
const (
	ownHost = iota
	lowerHosts
	anyHost
)

func reachOf(t *check.Target, r *evidence.Registration, entry string, u uri) int {
	if !strings.Contains(entry, "*") {
		return ownHost
	}
	rule, inHost := ruleFor(t, r), strings.Contains(u.host, "*")
	if rule.Unknown != "" || rule.Name == "standard" {
		switch {
		case strings.Trim(entry, "*") == "", strings.HasPrefix(entry, "*://"), inHost && wholeHost(u.host):
			return anyHost
		case inHost:
			return lowerHosts
		}
		return ownHost
	}
	ctx := starContext(t, r)
	for _, foreign := range [...]string{"https://" + sample + ".example/", "http://" + sample + ".example/"} {
		if passes(rule, entry, foreign, ctx) == live {
			return anyHost
		}
	}
	if !inHost {
		return ownHost
	}
	other := strings.Replace(entry, u.host, strings.ReplaceAll(u.host, "*", sample), 1)
	for _, o := range [...]string{other, strings.TrimSuffix(other, "*"), other + "/"} {
		if passes(rule, entry, o, ctx) != live {
			continue
		}
		if wholeHost(u.host) {
			return anyHost
		}
		return lowerHosts
	}
	return ownHost
}

// starsOn is Okta's setting for stars (wildcard_redirect) when it is on.
const starsOn = "SUBDOMAIN"

// starContext lets Okta's setting be on where it is not known: an entry with a
// star could not be there otherwise.
func starContext(t *check.Target, r *evidence.Registration) oauth.RedirectContext {
	ctx := contextOf(t, r, sent{client: r.ClientID})
	if ctx.WildcardRedirect == "" {
		ctx.WildcardRedirect = starsOn
	}
	return ctx
}

func passes(rule oauth.RedirectRule, entry, requested string, ctx oauth.RedirectContext) int {
	if oauth.CompareRedirect(rule, []oauth.RegisteredRedirect{{URI: entry}}, requested, ctx).Verdict == oauth.RedirectMatch {
		return live
	}
	return literal
}

// placeholder tells whether an entry has a part in braces.
func placeholder(s string) bool {
	i := strings.IndexByte(s, '{')
	return i >= 0 && strings.IndexByte(s[i:], '}') > 1
}

// expression tells whether an entry is a regular expression.
func expression(s string) bool {
	return strings.HasPrefix(s, "^") || strings.HasSuffix(s, "$") || strings.Contains(s, ".*") && strings.Contains(s, `\.`) ||
		strings.Contains(s, "[^") || strings.Contains(s, `\d`) || strings.Contains(s, ".+")
}
