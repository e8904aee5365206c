package redirects

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

// maxSent is how many different redirect URIs of requests are looked at.
const maxSent = 64

// sent is a redirect URI that a request holds.
type sent struct {
	client       string
	uri          string
	place        string
	openID       bool
	organization string
	hidden       string // why the request does not show it; empty when it does
}

// look is a redirect URI that was sent, held against the client's registration
// by the provider's rule.
type look struct {
	sent
	reg    *evidence.Registration
	rule   oauth.RedirectRule
	result oauth.RedirectResult
}

// compared is what was found of one client: looks, or why there is none.
type compared struct {
	client  string
	looks   []look
	unknown check.Verdict // where looks is empty
}

// compare holds every request against the registration of its client.
func compare(t *check.Target) []compared {
	var out []compared
	at := func(client string) *compared {
		i := slices.IndexFunc(out, func(c compared) bool { return c.client == client })
		if i < 0 {
			i, out = len(out), append(out, compared{client: client})
		}
		return &out[i]
	}
	for _, s := range sentURIs(t) {
		c := at(s.client)
		l, unknown, ok := compareOne(t, s)
		if ok {
			c.looks = append(c.looks, l)
		} else {
			c.unknown = unknown
		}
	}
	if out == nil {
		out = append(out, compared{unknown: check.Unknown(check.NeedAuthRequest, "no request with a redirect URI was given")})
	}
	return out
}

// sentURIs gives the redirect URIs of the authorization requests, each once.
func sentURIs(t *check.Target) []sent {
	var out []sent
	for _, c := range t.AuthCalls {
		q := c.Request
		if q == nil || q == t.Request && q.RedirectURI == "" || q.RedirectURI == "" && q.ResponseType == "" && q.RequestURI == "" {
			continue // what the operator typed, or a piece of a request, need not hold one
		}
		s := sent{client: q.ClientID, uri: q.RedirectURI, place: c.Place, openID: slices.Contains(q.Scope, "openid"), organization: q.Params.Get("organization")}
		switch {
		case q.RedirectURI != "":
		case q.RequestURI != "":
			s.hidden = "the request was pushed to the provider before (request_uri), so it does not show its redirect URI"
		case q.Params.Get("request") != "":
			s.hidden = "the request is a signed object (request), so it does not show its redirect URI"
		}
		same := func(o sent) bool { return o.client == s.client && o.uri == s.uri && o.openID == s.openID }
		if len(out) < maxSent && !slices.ContainsFunc(out, same) {
			out = append(out, s)
		}
	}
	return out
}

// registrationFor finds the registration of the client that sent a request; nil
// when none of those given is surely its own.
func registrationFor(t *check.Target, client string) *evidence.Registration {
	var only, found *evidence.Registration
	n := 0
	for _, r := range t.Registrations {
		if !isClient(r) {
			continue
		}
		n, only = n+1, r
		same := r.ClientID != "" && (r.ClientID == client || oauth.IsGUID(client) && strings.EqualFold(r.ClientID, client))
		if same && (found == nil || len(found.RedirectURIs) == 0) {
			found = r
		}
	}
	if found == nil && n == 1 && (client == "" || only.ClientID == "") {
		return only
	}
	return found
}

func compareOne(t *check.Target, s sent) (l look, unknown check.Verdict, ok bool) {
	r := registrationFor(t, s.client)
	switch {
	case s.hidden != "":
		return l, check.Unknown(check.NeedTokenRequest, s.hidden), false
	case r == nil:
		return l, check.Unknown(check.NeedRegistration, "the request is by the client "+show(s.client)+", and no registration that was given is its own"), false
	}
	l = look{sent: s, reg: r, rule: ruleFor(t, r)}
	entries := make([]oauth.RegisteredRedirect, 0, len(r.RedirectURIs))
	star, filled := false, false
	for _, e := range r.RedirectURIs {
		entries = append(entries, oauth.RegisteredRedirect{URI: e.URI, Platform: platform(e.Platform)})
		star = star || strings.Contains(e.URI, "*")
		filled = filled || filledWouldDo(e.URI, s.uri)
	}
	ctx := contextOf(t, r, s)
	untold := star && l.rule.WildcardSetting && r.WildcardRedirect == ""
	if untold {
		ctx.WildcardRedirect = starsOn // an entry with a star could not be there otherwise
	}
	l.result = oauth.CompareRedirect(l.rule, entries, s.uri, ctx)
	switch {
	case untold && l.result.Verdict == oauth.RedirectMatch && strings.Contains(l.result.Closest, "*"):
		return l, check.Unknown(check.NeedRegistration, "whether the star counts is a setting of the app (wildcard_redirect), which the export does not hold"), false
	case l.result.Verdict == oauth.RedirectMatch:
		return l, unknown, true
	case len(entries) == 0 && l.result.Difference == "unregistered" && !knowsNone(r) && r.Shape != "":
		return l, check.Unknown(check.NeedRegistration, "the export of this client does not hold its redirect URIs"), false
	case filled && l.rule.Placeholders && strings.HasPrefix(s.organization, "org_"):
		return l, check.Unknown(check.NeedNothing, "the request names the organization by its id, and the placeholder stands for its name"), false
	}
	return l, unknown, true
}

// filledWouldDo tells whether an entry lets pass what was sent with something
// in the place of its placeholder.
func filledWouldDo(entry, sentURI string) bool {
	before, rest, ok := strings.Cut(entry, "{")
	_, after, closed := strings.Cut(rest, "}")
	middle, starts := strings.CutPrefix(sentURI, before)
	middle, ends := strings.CutSuffix(middle, after)
	return ok && closed && starts && ends && middle != "" && !strings.ContainsAny(middle, "./:@?#")
}

// platform gives the type of an entry as the rules name it.
func platform(p string) string {
	if p == "publicClient" || p == "installed" {
		return "native"
	}
	return p
}

// contextOf gathers what beside the two strings decides.
func contextOf(t *check.Target, r *evidence.Registration, s sent) oauth.RedirectContext {
	ctx := oauth.RedirectContext{
		OpenID: s.openID, Audience: r.Audience, WildcardRedirect: r.WildcardRedirect, Organization: s.organization,
		ThirdParty: r.ThirdParty != nil && *r.ThirdParty, Public: r.Public != nil && *r.Public,
		RedeemedFrom: redeemedFrom(t, s.client), ApplicationType: r.ApplicationType,
	}
	spa := len(r.RedirectURIs) > 0 || r.ApplicationType == "spa"
	for _, e := range r.RedirectURIs {
		if ctx.ApplicationType == "" && platform(e.Platform) == "native" {
			ctx.ApplicationType = "native"
		}
		spa = spa && (e.Platform == "spa" || e.Platform == "browser" || r.ApplicationType == "spa")
	}
	if spa {
		ctx.Platform = "spa"
	}
	ctx.ClientType = "web"
	if ctx.ApplicationType == "native" || r.Provider == "google" && ctx.Public {
		ctx.ClientType = "desktop"
	}
	return ctx
}

// redeemedFrom tells where the client's codes are redeemed, by the header that
// a browser sends across origins and a server does not; empty where the headers
// of no such request are known.
func redeemedFrom(t *check.Target, client string) string {
	for _, c := range t.TokenCalls {
		if c.Request == nil || c.Request.GrantType != oauth.GrantAuthorizationCode || c.Request.ClientID != "" && client != "" && c.Request.ClientID != client {
			continue
		}
		switch {
		case c.Exchange == nil || len(c.Exchange.Request) == 0:
		case http.Header(c.Exchange.Request).Get("Origin") != "":
			return "browser"
		default:
			return "server"
		}
	}
	return ""
}

var registered = &check.Check{
	ID: "redirect-registered", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "The redirect URI that is sent is registered",
	Judged: "Every redirect URI of a request is held against the client's entries by the rule of its provider; the nearest entry and the one difference are named. Without the registration it is the provider that tells, when it is probed.",
	Needs:  []check.Need{check.NeedAuthRequest},
	Cause:  "redirect-uri-mismatch", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Have the app send one of the redirect URIs that are registered, letter for letter."),
		check.Neutral("If what it sends is right, register exactly that, and nothing wider."),
	},
	References: []string{"RFC 6749 section 3.1.2.3", "RFC 9700 section 4.1.3"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		if len(t.Registrations) == 0 {
			if t.Probed["redirect-registered"] != nil {
				return t.FromProbe("redirect-registered", check.NeedRegistration)
			}
			return []check.Verdict{check.Unknown(check.NeedRegistration, "")}
		}
		for _, c := range compare(t) {
			out = append(out, judgeRegistered(c).Of(c.client))
		}
		return out
	},
}

func judgeRegistered(c compared) check.Verdict {
	if len(c.looks) == 0 {
		return c.unknown
	}
	var proof []usher.Proof
	var bad *look
	for i := range c.looks {
		l := &c.looks[i]
		if l.result.Verdict == oauth.RedirectMatch {
			continue
		}
		if bad == nil {
			bad = l
		}
		if len(proof) < 3*maxProofs {
			proof = append(proof, l.threeSides()...)
		}
	}
	if bad == nil {
		return check.OK(sentence(c.looks[0].result.Explanation), c.looks[0].threeSides()...)
	}
	v := check.Wrong(bad.title(), sentence(bad.result.Explanation), proof...).Because(bad.cause())
	v.Fix = bad.fix()
	return v
}

// threeSides proves with what is registered, what the request sends, and what
// the provider's rule says.
func (l *look) threeSides() []usher.Proof {
	entry := usher.Proof{Place: l.reg.Place, Quote: "no redirect URI is registered"}
	if n := len(l.reg.RedirectURIs); n > 0 {
		entry = usher.Proof{Place: l.reg.RedirectURIs[0].Place, Quote: l.reg.RedirectURIs[0].URI}
	}
	for _, e := range l.reg.RedirectURIs {
		if e.URI == l.result.Closest {
			entry = usher.Proof{Place: e.Place, Quote: e.URI}
			break
		}
	}
	request := usher.Proof{Place: l.place, Quote: cmp.Or(l.uri, "no redirect_uri")}
	if l.result.Verdict != oauth.RedirectMatch {
		request.Expected, request.Got = l.result.Closest, cmp.Or(l.uri, "none")
	}
	return []usher.Proof{entry, request, {Place: "redirect rule of " + ruleName(l.rule), Quote: ruleWords(l.rule), Got: l.result.Difference}}
}

func (l *look) title() string {
	closest := show(l.result.Closest)
	switch {
	case l.result.Verdict == oauth.RedirectRefused:
		return "The entry " + closest + " is one that " + ruleName(l.rule) + " does not take"
	case l.uri == "":
		return "The request has no redirect_uri"
	case l.result.Difference == "oob":
		return "The app sends " + show(l.uri) + ", which the provider has switched off"
	case l.result.Closest == "":
		return "The app sends " + show(l.uri) + ", and no redirect URI is registered"
	}
	return "The app sends " + show(l.uri) + ", registered is " + closest
}

func (l *look) cause() string {
	switch {
	case l.result.Verdict == oauth.RedirectRefused || l.result.Difference == "oob":
		return "redirect-uri-invalid"
	case l.result.Difference == "scheme" && l.result.Second == "" && split(l.uri).is("http") && split(l.result.Closest).is("https"):
		return "redirect-scheme-proxy"
	}
	return "redirect-uri-mismatch"
}

// fix puts the app right first. To register what was sent comes after that, and
// counts as weakening wherever it would let codes go to another place.
func (l *look) fix() []usher.FixStep {
	sentURI, closest := show(l.uri), show(l.result.Closest)
	switch {
	case l.result.Verdict == oauth.RedirectRefused:
		return []usher.FixStep{check.Tightening("Replace the entry " + closest + " by one that " + ruleName(l.rule) + " takes, and have the app send exactly that.")}
	case l.uri == "":
		return []usher.FixStep{check.Neutral("Have the app send redirect_uri, with exactly one of the registered values.")}
	case l.result.Difference == "oob":
		return []usher.FixStep{check.Tightening("Have the app listen at http://127.0.0.1 with any free port, and send that.")}
	case l.result.Closest == "" && split(l.uri).is("https"):
		return []usher.FixStep{check.Neutral("Register " + sentURI + " at the client " + show(l.client) + ", if the app is meant to send it.")}
	case l.result.Closest == "":
		return []usher.FixStep{
			check.Neutral("Register the address of the app at the client " + show(l.client) + ", with https unless it is this machine's own, and have the app send exactly that."),
			check.Weakening("Register " + sentURI + " as it is sent."),
		}
	}
	steps := []usher.FixStep{check.Neutral("Have the app send " + closest + ", as it is registered.")}
	if l.cause() == "redirect-scheme-proxy" {
		steps = []usher.FixStep{check.Tightening("Have the app see the scheme that the browser uses: let the proxy that ends TLS set X-Forwarded-Proto (or Forwarded), and the app trust it from that proxy alone. It then sends " + closest + ".")}
	}
	register := "Or register " + sentURI + " as well, if the app is meant to send it."
	switch l.result.Difference {
	case "trailing-slash", "empty-path", "default-port", "host-case", "idn":
		if l.result.Second == "" {
			return append(steps, check.Neutral(register)) // the same page, written otherwise
		}
	case "whitespace", "special-character", "double-encoding", "userinfo", "backslash", "dot-segments", "fragment":
		return steps // nobody should register that
	}
	return append(steps, check.Weakening(register))
}

// sentence makes the explanation of a comparison a sentence of its own.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

func ruleName(rule oauth.RedirectRule) string {
	if rule.Unknown != "" || rule.Name == "" || rule.Name == "standard" {
		return "the standard"
	}
	return rule.Name
}

// ruleWords says a rule in a line: what may differ, and else nothing.
func ruleWords(rule oauth.RedirectRule) string {
	words := []string{"compared letter for letter"}
	add := func(when bool, say string) {
		if when {
			words = append(words, say)
		}
	}
	add(rule.LoopbackPort == oauth.LoopbackIP, "the port of http://127.0.0.1 and http://[::1] is free")
	add(rule.LoopbackPort == oauth.LoopbackNames && !rule.LoopbackPortless, "the port of http://localhost and of loopback addresses is free")
	add(rule.LoopbackPortless, "the port of http://localhost and of loopback addresses is free where the entry names none")
	add(rule.NativeLoopback, "a native app may depart in scheme, name and port of this machine")
	add(rule.Wildcard == oauth.WildcardLabel, "a star may stand in the first label of the host")
	add(rule.Wildcard == oauth.WildcardTrailing, "a star may stand at the end of path or port")
	add(rule.Wildcard == oauth.WildcardGlob, "stars are patterns of the path")
	add(rule.Wildcard == oauth.WildcardPrefix, "sub-domains and deeper paths pass")
	add(rule.PlatformTypes, "the type of the entry decides who may redeem the code")
	add(rule.HTTPForLoopbackOnly, "http for this machine only")
	add(rule.DecodesAgain, "the value is decoded once more before")
	add(rule.Unknown != "", "no rule of "+show(rule.Unknown)+" is known")
	return strings.Join(words, "; ")
}
