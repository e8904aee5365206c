package redirects

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
)

// review is how long an entry may go unseen before it counts as unused.
const review = 90 * 24 * time.Hour

var unused = &check.Check{
	ID: "redirect-unused", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "Every entry is in use",
	Judged: "Each entry was seen in a request of the client within 90 days; said only when the log covers as long and tells redirect URIs.",
	Needs:  []check.Need{check.NeedRegistration, check.NeedLogs},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Take out entries that no app sends any more.")},
	References: []string{"RFC 9700 section 4.1.1"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, r := range t.Registrations {
			if isClient(r) {
				out = append(out, judgeUnused(t, r).Of(r.ClientID))
			}
		}
		return out
	},
}

func judgeUnused(t *check.Target, r *evidence.Registration) check.Verdict {
	if len(r.RedirectURIs) == 0 {
		return withoutEntries(r)
	}
	used, first, end := usedURIs(t, r)
	if len(used) == 0 {
		return check.Unknown(check.NeedLogs, "the log tells no redirect URI of this client")
	}
	rule, ctx, f := ruleFor(t, r), starContext(t, r), faults{}
	for _, e := range r.RedirectURIs {
		if !slices.ContainsFunc(used, func(u string) bool { return e.URI == u || covered(rule, ctx, e, u) }) {
			f.add(e, fault{says: "was not sent in 90 days", means: "It is one more place that codes may be sent to, and nobody watches it.", expected: "a request with it"})
		}
	}
	switch {
	case f.n == 0:
		return check.OK("Every entry was seen.", usher.Proof{Place: r.RedirectURIs[0].Place, Quote: r.RedirectURIs[0].URI})
	case end.Sub(first) < review:
		return check.Unknown(check.NeedLogs, "the log covers "+days(end.Sub(first))+", and 90 are needed to tell that an entry is not used")
	}
	return f.verdict(r)
}

// usedURIs gives the redirect URIs that the log shows of a client within the
// time of review, which ends with the log, and the time that its records cover.
func usedURIs(t *check.Target, r *evidence.Registration) (used []string, first, end time.Time) {
	const most = 256 // different ones
	for _, e := range t.Events {
		if e.Time.After(end) && !e.Time.After(t.Now) {
			end = e.Time
		}
	}
	for _, e := range t.Events {
		if e.Client.UID != r.ClientID || r.ClientID == "" {
			continue
		}
		if first.IsZero() || e.Time.Before(first) {
			first = e.Time
		}
		if u := e.OAuth.RedirectURI; u != "" && e.Time.After(end.Add(-review)) && len(used) < most && !slices.Contains(used, u) {
			used = append(used, u)
		}
	}
	return used, first, end
}

// covered tells whether an entry that need not be equal lets a redirect URI pass.
func covered(rule oauth.RedirectRule, ctx oauth.RedirectContext, e evidence.RegisteredURI, sentURI string) bool {
	u := split(e.URI)
	if !strings.ContainsAny(e.URI, "*{") && !u.loopback() && rule.Wildcard != oauth.WildcardPrefix {
		return false // equal or nothing
	}
	return oauth.CompareRedirect(rule, []oauth.RegisteredRedirect{{URI: e.URI}}, sentURI, ctx).Verdict == oauth.RedirectMatch
}

func days(d time.Duration) string {
	n := int(d.Hours() / 24)
	if n == 1 {
		return "1 day"
	}
	return strconv.Itoa(n) + " days"
}

var count = &check.Check{
	ID: "redirect-count", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "Number and length of the entries keep to the provider's limits",
	Judged: "The entries are counted and measured against the limits that are known of the provider.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Send one redirect URI from all places of the app and carry the rest in state; then take the others out.")},
	References: []string{"Entra: redirect URI restrictions"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, r := range t.Registrations {
			if isClient(r) {
				out = append(out, judgeCount(t, r).Of(r.ClientID))
			}
		}
		return out
	},
}

func judgeCount(t *check.Target, r *evidence.Registration) check.Verdict {
	if len(r.RedirectURIs) == 0 {
		return withoutEntries(r)
	}
	p, rule := providerOf(t, r), ruleFor(t, r)
	most, from := limit(p, knowledge.LimitRedirectURIs)
	if personal, f := limit(p, knowledge.LimitRedirectsPersonal); personal > 0 && strings.Contains(r.Audience, "Personal") {
		most, from = personal, f
	}
	longest, _ := limit(p, knowledge.LimitRedirectLength)
	if longest == 0 {
		longest = rule.MaxLength
	}
	if most == 0 && longest == 0 {
		return check.Unknown(check.NeedNothing, "no limit of this provider is known")
	}
	if n := len(r.RedirectURIs); most > 0 && n > most {
		return check.Wrong(strconv.Itoa(n)+" redirect URIs are registered, and the limit is "+strconv.Itoa(most), "The provider refuses further entries, or the whole registration when it is written next.",
			usher.Proof{Place: r.Place, Quote: strconv.Itoa(n) + " redirect URIs", Expected: "at most " + strconv.Itoa(most) + " (" + from + ")", Got: strconv.Itoa(n)})
	}
	f := faults{}
	for _, e := range r.RedirectURIs {
		if n := utf8.RuneCountInString(e.URI); longest > 0 && n > longest {
			f.add(e, fault{says: "has " + strconv.Itoa(n) + " characters, and the limit is " + strconv.Itoa(longest), means: "The provider refuses it, or cuts it off.", expected: "at most " + strconv.Itoa(longest) + " characters"})
		}
	}
	if f.n > 0 {
		return f.verdict(r)
	}
	return check.OK("", usher.Proof{Place: r.Place, Quote: strconv.Itoa(len(r.RedirectURIs)) + " redirect URIs"})
}

func limit(p *knowledge.Provider, name string) (value int, from string) {
	l := p.Limits[name]
	return int(l.Value), l.From
}

var distinctPerIssuer = &check.Check{
	ID: "redirect-distinct-per-issuer", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Each authorization server has a redirect URI of its own",
	Judged: "Where the app talks to several authorization servers, no two get the same redirect URI, unless all of them name themselves in their answers (iss).",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepAuthResponse, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Give each authorization server a callback path of its own, and take an answer there from that server alone."),
		check.Tightening("Or have every server send iss (RFC 9207) and the app compare it before it redeems a code."),
	},
	References: []string{"RFC 9700 section 4.4.2.2", "RFC 9207 section 2.4"},
	Judge:      judgeDistinct,
}

// home is a redirect URI at one authorization server.
type home struct{ uri, server, place string }

func judgeDistinct(t *check.Target) []check.Verdict {
	const most = 256
	var homes []home
	servers := map[string]bool{}
	add := func(h home) {
		if h.uri == "" || h.server == "" || len(homes) >= most {
			return
		}
		servers[h.server] = true
		homes = append(homes, h)
	}
	for _, c := range t.AuthCalls {
		if c.Request != nil {
			add(home{c.Request.RedirectURI, server(c.Request.Endpoint), c.Place})
		}
	}
	if len(servers) == 0 {
		for _, r := range t.Registrations {
			for _, e := range r.RedirectURIs {
				if isClient(r) && !split(e.URI).loopback() {
					add(home{e.URI, r.Provider, e.Place})
				}
			}
		}
	}
	if len(servers) < 2 {
		return []check.Verdict{check.NotApplicable("what was given shows one authorization server, so none can be taken for another")}
	}
	for i, a := range homes {
		for _, b := range homes[i+1:] {
			if a.uri != b.uri || a.server == b.server || allNameThemselves(t) {
				continue
			}
			return []check.Verdict{check.Wrong(show(a.uri)+" takes answers of "+show(a.server)+" and "+show(b.server),
				"An app that cannot tell whose answer it got may redeem the code of one server at another.",
				usher.Proof{Place: a.place, Quote: a.uri, Got: a.server}, usher.Proof{Place: b.place, Quote: b.uri, Got: b.server})}
		}
	}
	return []check.Verdict{check.OK("", usher.Proof{Place: homes[0].place, Quote: homes[0].uri})}
}

// server names an authorization server by its host. Tenants and realms of one
// host are not told apart: none of them gets at the codes of another.
func server(endpoint string) string { return strings.ToLower(split(endpoint).host) }

// allNameThemselves tells whether every provider of which metadata is known
// sends iss, and as many are known as there are to be told apart.
func allNameThemselves(t *check.Target) bool {
	for _, m := range t.Metadata {
		if !m.IssParameter {
			return false
		}
	}
	return len(t.Metadata) > 1
}

var logoutCORSOrigins = &check.Check{
	ID: "redirect-logout-cors-origins", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Origins and sign-out URIs are as strict as the redirect URIs",
	Judged: "No origin that may call from a browser, and no URI for the way back from sign-out, is a star, is http of another machine, or is of a site that no redirect URI is of.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("List the origins and sign-out URIs of the app one by one, with https, and take the rest out.")},
	References: []string{"RFC 9700 section 4.17", "OpenID Connect RP-Initiated Logout section 3.1"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, r := range t.Registrations {
			if isClient(r) {
				out = append(out, judgeOrigins(r).Of(r.ClientID))
			}
		}
		return out
	},
}

func judgeOrigins(r *evidence.Registration) check.Verdict {
	if len(r.WebOrigins) == 0 && len(r.LogoutURIs) == 0 {
		if slices.Contains(r.Known, "WebOrigins") && slices.Contains(r.Known, "LogoutURIs") {
			return check.NotApplicable("no origin and no sign-out URI is registered")
		}
		return check.Unknown(check.NeedRegistration, "the export holds no origins and no sign-out URIs of this client")
	}
	f := faults{}
	for _, o := range r.WebOrigins {
		if found := originFault(r, o); found.says != "" {
			found.says = "as an origin " + found.says
			f.add(evidence.RegisteredURI{URI: o, Place: r.Place}, found)
		}
	}
	for _, e := range r.LogoutURIs {
		if found := logoutFault(e.URI); found.says != "" {
			found.says = "for sign-out " + found.says
			f.add(e, found)
		}
	}
	if f.n > 0 {
		return f.verdict(r)
	}
	return check.OK("", usher.Proof{Place: r.Place, Quote: strconv.Itoa(len(r.WebOrigins)) + " origins, " + strconv.Itoa(len(r.LogoutURIs)) + " sign-out URIs"})
}

func originFault(r *evidence.Registration, origin string) fault {
	u := split(origin)
	switch {
	case origin == "+" || origin == "":
		return fault{} // Keycloak: those of the redirect URIs
	case strings.Trim(origin, "*") == "" || u.host == "*":
		return fault{says: "lets the pages of every host call", means: anyPageCalls, expected: "the origins of the app"}
	case strings.Contains(u.host, "*"):
		return fault{says: "lets the pages of every name below the domain call", means: anyPageCalls, expected: "the origins of the app"}
	case u.is("http") && !u.loopback() && !below(strings.ToLower(u.host), "localhost"):
		return fault{says: "is http", means: "Whoever is on the way can put a page of his own there, and call with it.", expected: "https"}
	case u.web() && !u.loopback() && foreignSite(r, u.host):
		return fault{says: "is of a site that no redirect URI is of", means: anyPageCalls, expected: "the origin of a redirect URI", severity: usher.SeverityLow}
	}
	return fault{}
}

const anyPageCalls = "A page of such an origin can redeem codes, refresh and read the answers from a person's browser."

func logoutFault(raw string) fault {
	u := split(raw)
	switch {
	case raw == "+" || raw == "-" || raw == "":
		return fault{} // Keycloak: those of the redirect URIs, or none
	case strings.Contains(raw, "*"):
		return fault{says: "lets other addresses pass by its star", means: "A link to the provider's sign-out can end at any page that the star covers.", expected: "the URI written out"}
	case u.hasFragment:
		return fault{says: "has a fragment (#)", means: "What stands behind # never reaches the app.", expected: "a URI without #"}
	case u.is("http") && !u.loopback() && !below(strings.ToLower(u.host), "localhost"):
		return fault{says: "is http", means: "Whoever is on the way can put a page of his own there.", expected: "https"}
	case runs(hiddenScheme(raw)):
		return fault{says: "has a scheme that a browser runs", means: "Whoever starts a sign-out with it runs script in the provider's page.", expected: "https"}
	}
	return fault{}
}

// foreignSite tells whether no redirect URI is of the site of a host.
func foreignSite(r *evidence.Registration, host string) bool {
	site, any := siteOf(host), false
	for _, e := range r.RedirectURIs {
		u := split(e.URI)
		if !u.web() || u.loopback() || u.host == "" {
			continue
		}
		any = true
		if siteOf(u.host) == site || strings.Contains(u.host, "*") {
			return false
		}
	}
	return any
}

func siteOf(host string) string {
	host = strings.ToLower(host)
	if site, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return site
	}
	return host
}
