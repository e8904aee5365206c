package oauth

import (
	"net/url"
	"slices"
	"strings"
)

// RedirectVerdict is the outcome of comparing a redirect URI.
type RedirectVerdict string

// The verdicts of CompareRedirect.
const (
	RedirectMatch    RedirectVerdict = "match"            // the provider would go on
	RedirectMismatch RedirectVerdict = "mismatch"         // the provider would show an error page
	RedirectRefused  RedirectVerdict = "register-refused" // the provider does not let such an entry be registered
)

// RegisteredRedirect is one entry of a client's list of redirect URIs.
type RegisteredRedirect struct {
	URI string
	// Platform is the type of the entry where the provider has types: Entra's
	// web, spa, native. Empty when unknown.
	Platform string
}

// RedirectContext is what beside the two strings decides. The zero value is a
// plain OAuth request of a client about which nothing is known.
type RedirectContext struct {
	OpenID           bool   // the request asks for the scope openid, so that redirect_uri is needed
	Audience         string // Entra signInAudience: AzureADMyOrg, AzureADandPersonalMicrosoftAccount ...
	Platform         string // Entra: the type of entries that name none
	RedeemedFrom     string // where the code is redeemed: browser or server
	ClientType       string // Google: web or desktop
	WildcardRedirect string // Okta: DISABLED (also when empty) or SUBDOMAIN
	ThirdParty       bool   // Auth0: third-party app with enhanced controls
	Organization     string // Auth0: the organization of the transaction
	Public           bool   // a client without secret
	ApplicationType  string // OpenID Connect Registration: native or web
}

// RedirectResult says whether a redirect URI passes, and if not, why.
type RedirectResult struct {
	Verdict RedirectVerdict
	// Difference is the one that explains the verdict ("trailing-slash");
	// Second is set when one alone does not. A match needs none, but one that
	// comes through a wildcard or has a trap behind it names that. A mismatch
	// and a refusal always name one.
	Difference, Second string
	Closest            string // the registered entry that is nearest, as registered
	Expected, Got      string // the differing parts of the registered and the requested URI, masked
	Explanation        string // one sentence for a person, masked; never empty
	Position           int    // byte of the request where it departs from Closest, -1 if it does not
	Rule               string // whose rule judged: the provider, or "standard"
}

const (
	// maxRedirect is the longest URI, in bytes, that is looked into; longer
	// ones are only compared byte for byte.
	maxRedirect = 16 << 10
	// maxNear is how many of the entries that look nearest are looked into.
	maxNear = 8
)

// outOfBand is the value with which old native apps showed the code to the
// person, to be copied.
const outOfBand = "urn:ietf:wg:oauth:2.0:oob"

// CompareRedirect judges by a provider's rule whether a requested redirect URI
// passes against the registered ones (RFC 6749 section 3.1.2, RFC 8252 section
// 7.3, RFC 9700 section 4.1.3), and names what explains a refusal. The
// requested value is what arrives after one decode of the query; empty means
// that the parameter was left out. Equal strings match, unless the provider
// lets nobody register them, or changes the request before it compares.
func CompareRedirect(rule RedirectRule, registered []RegisteredRedirect, requested string, ctx RedirectContext) RedirectResult {
	m := &redirectMatcher{rule, ctx}
	entries := m.read(registered)
	result, decided := m.withoutComparing(entries, requested)
	if !decided {
		result = m.compare(entries, requested)
	}
	result.Rule = first(rule.Name, "standard")
	result.Position = -1
	if result.Closest != "" && requested != "" {
		result.Position = departs(result.Closest, requested)
	}
	return m.say(result, entries, requested)
}

// redirectEntry is a registered entry, taken apart.
type redirectEntry struct {
	RegisteredRedirect
	uri    redirectURI
	long   bool
	fault  string // why it may not be registered
	why    string
	filled bool // a placeholder was filled in
	score  int
}

// read takes the entries apart; blank ones are none.
func (m *redirectMatcher) read(registered []RegisteredRedirect) []redirectEntry {
	entries := make([]redirectEntry, 0, len(registered))
	for _, r := range registered {
		if strings.TrimSpace(r.URI) == "" {
			continue
		}
		e := redirectEntry{RegisteredRedirect: r}
		e.Platform = strings.ToLower(first(r.Platform, m.ctx.Platform))
		if e.long = len(r.URI) > maxRedirect; e.long {
			if e.Platform == "" && m.rule.MaxLength > 0 {
				e.fault, e.why = "too-long", "is far too long"
			}
			entries = append(entries, e)
			continue
		}
		e.fault, e.why = m.registrationFault(r.URI, splitRedirect(r.URI))
		e.uri, e.filled = m.fillIn(r.URI)
		entries = append(entries, e)
	}
	return entries
}

// fillIn puts the organization in the place of its placeholder.
func (m *redirectMatcher) fillIn(raw string) (u redirectURI, filled bool) {
	const placeholder = "{organization_name}"
	if m.rule.Placeholders && m.ctx.Organization != "" && strings.Contains(raw, placeholder) {
		return splitRedirect(strings.ReplaceAll(raw, placeholder, m.ctx.Organization)), true
	}
	return splitRedirect(raw), false
}

// withoutComparing decides what needs no comparison: a parameter that was left
// out, out-of-band, clients that need no entry.
func (m *redirectMatcher) withoutComparing(entries []redirectEntry, requested string) (RedirectResult, bool) {
	match, mismatch := RedirectResult{Verdict: RedirectMatch}, RedirectResult{Verdict: RedirectMismatch}
	u := redirectURI{}
	if len(requested) <= maxRedirect {
		u = splitRedirect(requested)
	}
	loopback := u.scheme == "http" && u.loopback() && !u.hasUser
	switch {
	case requested == "":
		if len(entries) == 1 {
			match.Closest = entries[0].URI
		}
		if len(entries) > 0 && m.rule.Optional || len(entries) == 1 && !m.ctx.OpenID && !m.rule.Needed && entries[0].fault == "" {
			return match, true
		}
		mismatch.Difference, mismatch.Closest = "missing", match.Closest
		return mismatch, true
	case requested == outOfBand && m.rule.OutOfBand == OutOfBandOff:
		mismatch.Difference, mismatch.Got = "oob", requested
		return mismatch, true
	case requested == outOfBand && m.rule.OutOfBand == OutOfBandPublic && m.ctx.Public && len(entries) == 0,
		loopback && m.rule.UnregisteredLoopback == LoopbackDesktop && m.ctx.ClientType == "desktop",
		loopback && m.rule.UnregisteredLoopback == LoopbackPublic && m.ctx.Public && len(entries) == 0:
		return match, true
	case len(entries) == 0:
		mismatch.Difference, mismatch.Got = "unregistered", requested
		return mismatch, true
	}
	if loopback && m.rule.UnregisteredLoopback == LoopbackPublic && m.ctx.Public && !slices.ContainsFunc(entries, func(e redirectEntry) bool { return e.uri.loopback() }) {
		mismatch.Difference, mismatch.Got, mismatch.Closest = "unregistered", requested, entries[0].URI
		return mismatch, true
	}
	return RedirectResult{}, false
}

// compare looks for an entry that matches, and else for the nearest one.
func (m *redirectMatcher) compare(entries []redirectEntry, requested string) RedirectResult {
	seen := requested // what the provider compares
	if m.rule.DecodesAgain {
		if plain, err := url.QueryUnescape(requested); err == nil {
			seen = plain
		}
	}
	if len(seen) > maxRedirect {
		return m.compareLong(entries, seen)
	}
	request := splitRedirect(seen)
	var matching []redirectEntry
	remark := ""
	for _, e := range entries {
		if e.fault != "" || e.long {
			continue
		}
		if ok, r := m.matches(e.uri, request); ok {
			if e.filled {
				r = "placeholder"
			}
			if matching == nil || e.URI == requested && matching[0].URI != requested {
				// The entry that is equal goes first, since it needs no remark.
				matching, remark = append([]redirectEntry{e}, matching...), r
				continue
			}
			matching = append(matching, e)
		}
	}
	if matching == nil {
		return m.nearest(entries, request)
	}
	result := RedirectResult{Verdict: RedirectMatch, Difference: remark, Closest: matching[0].URI}
	if trap := m.platformTrap(matching); trap != "" {
		result.Difference, result.Explanation = "platform-type", "the URI passes, but "+trap
	}
	return result
}

// compareLong compares without looking inside.
func (m *redirectMatcher) compareLong(entries []redirectEntry, requested string) RedirectResult {
	closest := entries[0]
	for _, e := range entries {
		if e.URI == requested && e.fault == "" {
			return RedirectResult{Verdict: RedirectMatch, Closest: e.URI}
		}
		if e.URI == requested {
			closest = e
		}
	}
	verdict := RedirectMismatch
	if closest.fault != "" {
		verdict = RedirectRefused
	}
	return RedirectResult{Verdict: verdict, Difference: "too-long", Closest: closest.URI}
}

// platformTrap tells why the code will be refused though the URI passes: the
// type of the entry does not fit where the code is redeemed, or entries of
// several types match alike, so that the provider takes any. Empty if not.
func (m *redirectMatcher) platformTrap(matching []redirectEntry) string {
	if !m.rule.PlatformTypes {
		return ""
	}
	spa, other := false, false
	for _, e := range matching {
		spa = spa || e.Platform == "spa"
		other = other || e.Platform != "spa" && e.Platform != ""
	}
	switch {
	case spa && other:
		return "entries of the type spa and of another match it alike, so that either may be taken (AADSTS7000218 or AADSTS9002326 follow): tell them apart by path and not by port"
	case spa && m.ctx.RedeemedFrom == "server":
		return "its entry has the type spa and the code is redeemed by a server, which sends no Origin header (AADSTS9002327): register it as web"
	case other && m.ctx.RedeemedFrom == "browser":
		return "its entry does not have the type spa and the code is redeemed by a browser, across origins (AADSTS9002326): register it as spa"
	}
	return ""
}

// nearest explains the refusal by the entry that needs the fewest changes.
func (m *redirectMatcher) nearest(entries []redirectEntry, request redirectURI) RedirectResult {
	near := slices.Clone(entries)
	raw := request.String()
	for i := range near {
		near[i].score = roughDistance(near[i], request, raw)
	}
	slices.SortStableFunc(near, func(a, b redirectEntry) int { return a.score - b.score })
	near = near[:min(len(near), maxNear)]

	var best *redirectEntry
	var found []redirectDifference
	for i := range near {
		e := &near[i]
		if e.long {
			continue
		}
		if e.fault != "" && e.URI == raw {
			best = e // nothing is nearer than what is equal
			break
		}
		differences := m.differences(e.uri, request)
		if best == nil || len(differences) < len(found) {
			best, found = e, differences
		}
	}
	if best == nil {
		return RedirectResult{Verdict: RedirectMismatch, Difference: "too-long", Closest: near[0].URI}
	}
	if best.fault != "" {
		return RedirectResult{Verdict: RedirectRefused, Difference: best.fault, Closest: best.URI}
	}
	result := RedirectResult{
		Verdict: RedirectMismatch, Difference: found[0].name, Closest: best.URI,
		Expected: found[0].expected, Got: found[0].got,
	}
	for _, d := range found[1:] {
		if d.name != result.Difference {
			result.Second = d.name
			break
		}
	}
	return result
}

// roughDistance orders entries by how much of them differs: first by the
// number of components, then by the length of the stretch between the common
// beginning and the common end.
func roughDistance(e redirectEntry, request redirectURI, raw string) int {
	const component = 2 * maxRedirect
	if e.long {
		return 8 * component
	}
	n := 0
	for _, differs := range [...]bool{
		e.uri.scheme != request.scheme, e.uri.authority() != request.authority(),
		e.uri.host != request.host, e.uri.path != request.path, e.uri.query != request.query,
	} {
		if differs {
			n += component
		}
	}
	a, b := e.URI, raw
	start := max(departs(a, b), 0)
	a, b = a[min(start, len(a)):], b[min(start, len(b)):]
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return n + max(len(a), len(b))
}

// departs gives the first byte at which b is not a, or -1 when they are equal.
func departs(a, b string) int {
	if a == b {
		return -1
	}
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
