package scopes

import (
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

var known = &check.Check{
	ID: "scope-known", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "Every scope that is asked for exists",
	Judged: "Each scope is among those that the provider publishes, that the client is registered for, that an API defines, or that are known of the provider. Providers need not publish all: one that is in no list is wrong only where a list is whole, where the provider refused it, or where it is a slip of one that exists.",
	Needs:  []check.Need{check.NeedAuthRequest},
	Cause:  "scope-invalid", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Write the scope as the provider or the API publishes it, with what stands before it (api://..., https://...)."),
		check.Neutral("Or allow the client the scope at the provider, if it is meant to have it."),
	},
	References: []string{"RFC 6749 section 4.1.2.1", "RFC 8414 section 2"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		all := wishes(t)
		if len(all) == 0 {
			return []check.Verdict{withoutWishes(t)}
		}
		for _, w := range all {
			if !slices.ContainsFunc(out, func(v check.Verdict) bool { return v.Subject.Client == w.client && v.Outcome == usher.OutcomeWrong }) {
				out = append(out, judgeKnown(t, w).Of(w.client))
			}
		}
		return once(out)
	},
}

// catalogue are the scopes that exist, as far as they are known.
type catalogue struct {
	names []string
	// whole tells that the client can ask for no other: the provider refuses
	// what is not in its registration.
	whole bool
	place string
}

func catalogueOf(t *check.Target, w wish) (c catalogue) {
	for _, m := range t.Metadata {
		c.names = append(c.names, m.ScopesSupported...)
		if c.place == "" && len(m.ScopesSupported) > 0 {
			c.place = m.Place
		}
	}
	const most = 2000
	defer func() { c.names = c.names[:min(len(c.names), most)] }()
	for _, r := range t.Resources {
		c.names = append(c.names, r.Scopes...)
	}
	if r := registrationOf(t, w.client); r != nil {
		c.names = append(c.names, allowed(r)...)
		if r.Provider == "keycloak" && len(r.Scopes) > 0 {
			c.whole, c.place = true, r.Place
		}
	}
	for _, r := range t.Registrations {
		c.names = append(c.names, apiScopes(r)...)
	}
	for _, tc := range t.TokenCalls {
		if tc.Response != nil && tc.Response.Error == nil {
			c.names = append(c.names, tc.Response.Scope...) // what was granted exists
		}
	}
	return c
}

// apiScopes gives the scopes that a registration defines as an API, as clients
// ask for them.
func apiScopes(r *evidence.Registration) []string {
	names := defined(r)
	if len(r.IdentifierURIs) == 0 || r.Provider != "entra" {
		return names
	}
	const most = 500
	var out []string
	for _, uri := range r.IdentifierURIs {
		for _, n := range names {
			if len(out) < most {
				out = append(out, strings.TrimSuffix(uri, "/")+"/"+n)
			}
		}
	}
	return out
}

func judgeKnown(t *check.Target, w wish) check.Verdict {
	c := catalogueOf(t, w)
	refused := refusedScope(t, w)
	var lost []string
	joined := false
	for _, s := range w.scopes {
		if exists(t, c, s) {
			continue
		}
		if !commas(t, w.endpoint) && commaJoined(t, []string{s}) {
			joined = true // several in one: scope-syntax has it
			continue
		}
		lost = append(lost, s)
		proof := usher.Proof{Place: w.place, Quote: w.quote(), Got: s}
		if near := nearest(t, c, s); near != "" {
			proof.Expected = near
			v := check.Wrong("The scope "+show(s)+" is not known; "+show(near)+" is", "The provider refuses the request (invalid_scope), or leaves the scope out without a word.", proof, usher.Proof{Place: c.place, Quote: near}).
				Do("Ask for "+show(near)+", if that is what is meant.", "Or allow the client "+show(s)+" at the provider, if it exists.")
			if taken(t, w.client, s) {
				v.Detail = "The provider did not refuse it: either it left the scope out without a word, or the scope exists and is in no list."
				v = v.As(usher.SeverityLow)
			}
			return v
		}
		if c.whole && !standard(s) {
			proof.Expected = list(c.names)
			return check.Wrong("The client may not ask for the scope "+show(s), "The provider refuses scopes that are not in the client's registration.", proof, usher.Proof{Place: c.place, Quote: list(c.names)})
		}
	}
	switch {
	case len(lost) > 0 && refused != nil:
		return check.Wrong("The provider refused the scopes, and "+show(lost[0])+" is in no list of them", "No token comes while it is asked for.", usher.Proof{Place: w.place, Quote: w.quote(), Got: lost[0]}, *refused)
	case len(lost) > 0 && len(c.names) == 0 && len(t.Provider.Scopes) == 0:
		return check.Unknown(check.NeedDiscovery, "no list of scopes was given: discovery publishes one, and the registration may hold one")
	case len(lost) > 0:
		return check.Unknown(check.NeedNothing, "in none of the lists: "+list(lost)+"; a provider need not publish every scope", usher.Proof{Place: w.place, Quote: w.quote(), Got: lost[0]})
	}
	if joined {
		return check.NotApplicable("the scopes are joined with commas, so that they are none by themselves")
	}
	return check.OK("Every scope is known.", usher.Proof{Place: w.place, Quote: w.quote()})
}

func exists(t *check.Target, c catalogue, scope string) bool {
	same := func(n string) bool { return n == scope || t.Provider.Name == "entra" && strings.EqualFold(n, scope) }
	if slices.ContainsFunc(c.names, same) || everything(scope) {
		return true
	}
	if _, exact := described(t.Provider, scope); exact { // that a pattern covers it does not make it exist
		return true
	}
	if t.Provider.Name == "entra" || len(t.Metadata) > 0 {
		return standard(scope) && (t.Provider.Name == "entra" || slices.Contains(c.names, "openid")) // those that go with openid are seldom all published
	}
	return false
}

// taken tells whether a request of a client for a scope was answered with a code.
func taken(t *check.Target, client, scope string) bool {
	return slices.ContainsFunc(t.AuthCalls, func(c *check.AuthCall) bool {
		return c.Request != nil && c.Response != nil && c.Response.Code != "" && c.Request.ClientID == client && slices.Contains(c.Request.Scope, scope)
	})
}

// refusedScope gives the answer by which the provider refused a client's scopes.
func refusedScope(t *check.Target, w wish) *usher.Proof {
	for _, c := range t.AuthCalls {
		if c.Response != nil && c.Response.Error == oauth.ErrInvalidScope && (c.Request == nil || c.Request.ClientID == w.client) {
			place := c.ResponsePlace
			if place == "" {
				place = c.Place
			}
			return &usher.Proof{Place: place, Quote: "error=invalid_scope " + c.Response.ErrorDescription}
		}
	}
	for _, c := range t.TokenCalls {
		if c.Response != nil && c.Response.Error != nil && c.Response.Error.Code == oauth.ErrInvalidScope && (c.Request == nil || c.Request.ClientID == w.client) {
			return &usher.Proof{Place: c.Response.Place, Quote: "invalid_scope " + c.Response.Error.Description}
		}
	}
	return nil
}

// nearest finds the scope that is meant: the same but for case, with the API
// before it, or with one slip in it. Short names have too many neighbours.
func nearest(t *check.Target, c catalogue, scope string) string {
	const most = 1000
	names := c.names
	if len(names) > most {
		names = names[:most]
	}
	for _, n := range names {
		if strings.EqualFold(n, scope) || n[strings.LastIndexByte(n, '/')+1:] == scope && strings.Contains(n, "://") {
			return n
		}
	}
	for _, n := range names {
		if len(scope) >= 5 && slip(n, scope) {
			return n
		}
	}
	for i := range t.Provider.Scopes {
		if n := t.Provider.Scopes[i].Name; len(scope) >= 5 && !strings.Contains(n, "*") && slip(n, scope) {
			return n
		}
	}
	return ""
}

// slip tells whether two names differ by one letter that is wrong, too much or
// missing, or by two that changed places. Digits are never slips: v1 and v2 are
// two things.
func slip(a, b string) bool {
	if a == b || len(a) > len(b)+1 || len(b) > len(a)+1 {
		return false
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i < len(a) && digit(a[i]) || i < len(b) && digit(b[i]) {
		return false
	}
	x, y := a[i:], b[i:]
	switch {
	case len(x) > len(y):
		return x[1:] == y
	case len(x) < len(y):
		return x == y[1:]
	case x[1:] == y[1:]:
		return true
	}
	return len(x) > 1 && x[0] == y[1] && x[1] == y[0] && x[2:] == y[2:]
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
