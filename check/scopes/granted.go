package scopes

import (
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

var grantedLess = &check.Check{
	ID: "scope-granted-less", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "Everything that was asked for was granted",
	Judged: "The scopes in the answer of the token endpoint are held against those of its request, or of the authorization request before it; an answer without scope grants what was asked.",
	Needs:  []check.Need{check.NeedTokenResponse},
	Cause:  "consent-required", Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Give the consent or the assignment that is missing for the scopes that are named, or allow the client these scopes."),
		check.Neutral("Have the app read scope in the answer and do without what it was not granted."),
	},
	References: []string{"RFC 6749 section 5.1", "RFC 6749 section 3.3"},
	Judge:      judgeGrants(judgeLess),
}

var grantedMore = &check.Check{
	ID: "scope-granted-more", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Nothing was granted that was not asked for",
	Judged: "The scopes of the answer and of its access token are held against what was asked for; those that the provider adds to every sign-in do not count.",
	Needs:  []check.Need{check.NeedTokenResponse},
	Step:   usher.StepTokenRequest, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Take back the consents that the client does not need any more: providers add earlier ones to every token."),
		check.Tightening("Give each job a client of its own, and take scopes out of the client's defaults that not every token needs."),
	},
	References: []string{"RFC 6749 section 3.3", "RFC 9700 section 2.3"},
	Judge:      judgeGrants(judgeMore),
}

// judgeGrants judges each successful answer of the token endpoint.
func judgeGrants(judge func(*check.Target, grant) check.Verdict) func(*check.Target) []check.Verdict {
	return func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, g := range grants(t) {
			if len(out) < 64 {
				out = append(out, judge(t, g).Of(g.client))
			}
		}
		if out == nil {
			return []check.Verdict{check.NotApplicable("no answer of the token endpoint grants anything")}
		}
		return once(out)
	}
}

// given gives the scopes of an answer: those it names, and those that show in
// the tokens that came.
func given(t *check.Target, g grant) []string {
	r := g.call.Response
	out := g.granted(t)
	if r.IDToken != "" {
		out = append(out, "openid")
	}
	if r.RefreshToken != "" {
		out = append(out, "offline_access")
	}
	return out
}

func (g grant) proof(got string, expected string) []usher.Proof {
	return []usher.Proof{
		{Place: g.askedAt, Quote: brief("scope=" + strings.Join(g.asked, " "))},
		{Place: g.call.Response.Place, Quote: brief("scope=" + strings.Join(g.call.Response.Scope, " ")), Expected: expected, Got: got},
	}
}

func judgeLess(t *check.Target, g grant) check.Verdict {
	r := g.call.Response
	switch {
	case len(g.asked) == 0 && !r.HasScope:
		return check.NotApplicable("neither request nor answer names scopes")
	case len(g.asked) == 0 && g.byName():
		return check.NotApplicable("the request asked for no scopes by name")
	case len(g.asked) == 0:
		return check.Unknown(check.NeedAuthRequest, "what was asked for is not known")
	case !r.HasScope:
		return check.OK("The answer names no scope, which grants what was asked for (RFC 6749 section 5.1).",
			usher.Proof{Place: g.askedAt, Quote: brief("scope=" + strings.Join(g.asked, " "))}, usher.Proof{Place: r.Place, Quote: "no scope"})
	}
	lost := without(t, g.asked, given(t, g))
	lost = slices.DeleteFunc(lost, func(s string) bool {
		// What is asked for as a whole is granted by other names. Of the scopes
		// of OpenID Connect many answers tell none, though they were granted.
		return everything(s) || standard(s) && tellsNoStandard(t, r.Scope)
	})
	if len(lost) == 0 {
		return check.OK("", g.proof("", "")...)
	}
	v := check.Wrong("Granted is less than asked: "+list(lost)+" is missing", "Calls that need what is missing will be refused, though a token came.", g.proof(strings.Join(r.Scope, " "), strings.Join(g.asked, " "))...)
	if !slices.ContainsFunc(lost, func(s string) bool { return s != "offline_access" }) {
		v = v.As(usher.SeverityMedium)
	}
	if g.call.Request != nil && g.call.Request.GrantType == oauth.GrantRefreshToken {
		v = v.Because("grant-narrowed")
	}
	v.Subject.Scope = strings.Join(lost, " ")
	return v
}

// tellsNoStandard tells whether an answer leaves the scopes of OpenID Connect
// out of its list, as Entra does with offline_access and openid.
func tellsNoStandard(t *check.Target, scopes []string) bool {
	return t.Provider.Name == "entra" || !slices.ContainsFunc(scopes, func(s string) bool { return standard(fold(t, s)) })
}

func judgeMore(t *check.Target, g grant) check.Verdict {
	got := g.granted(t)
	inToken := 0
	for _, tok := range t.Tokens {
		if tok.Call != g.call || !access(tok) {
			continue
		}
		found, _ := claimed(tok.Parsed)
		for _, s := range found {
			if !slices.Contains(got, s) {
				got, inToken = append(got, s), inToken+1
			}
		}
	}
	switch {
	case len(got) == 0:
		return check.Unknown(check.NeedToken, "neither the answer nor its token names scopes")
	case len(g.asked) == 0 && g.byName():
		return check.NotApplicable("the request asked for no scopes by name, so the provider's default counts")
	case len(g.asked) == 0:
		return check.Unknown(check.NeedAuthRequest, "what was asked for is not known")
	case g.earlier:
		return check.NotApplicable("the request asks for what was granted before, too (include_granted_scopes)")
	case slices.ContainsFunc(g.asked, everything):
		return check.NotApplicable("the request asks for everything that is registered (.default)")
	}
	var defaults []string
	if reg := registrationOf(t, g.client); reg != nil {
		defaults = reg.DefaultScopes
	}
	more := slices.DeleteFunc(without(t, got, g.asked), func(s string) bool { return standard(fold(t, s)) || slices.Contains(defaults, s) })
	if len(more) == 0 {
		return check.OK("", g.proof("", "")...)
	}
	v := check.Wrong("Granted is more than asked: "+list(more), "Whoever gets hold of the token can do what nobody asked for.", g.proof(strings.Join(got, " "), strings.Join(g.asked, " "))...)
	v.Subject.Scope = strings.Join(more, " ")
	return v
}

var consentMissing = &check.Check{
	ID: "scope-consent-missing", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "What is asked for is consented to",
	Judged: "Where the grants of a client are known, each permission that it wants is in one of them; where an answer says that consent is missing, it is.",
	Cause:  "consent-required", Step: usher.StepConsent, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Neutral("Grant consent for exactly the scopes that are named: each person for himself, or the administrator for all."),
		check.Tightening("Or leave the scope out of the request, if the app does not need it."),
	},
	References: []string{"RFC 6749 section 4.1.2.1", "Entra: AADSTS65001"},
	Judge: func(t *check.Target) []check.Verdict {
		if v, ok := consentRefused(t); ok {
			return []check.Verdict{v}
		}
		var out []check.Verdict
		for _, r := range t.Registrations {
			if isClient(r) {
				out = append(out, judgeConsent(t, r).Of(r.ClientID))
			}
		}
		if out != nil {
			return out
		}
		for _, g := range grants(t) {
			return []check.Verdict{check.OK("A token was granted, so nothing had to be consented to any more.", usher.Proof{Place: g.call.Response.Place, Quote: brief("scope=" + strings.Join(g.call.Response.Scope, " "))}).Of(g.client)}
		}
		return []check.Verdict{check.Unknown(check.NeedRegistration, "")}
	},
}

// consentRefused finds an answer that says that consent is missing.
func consentRefused(t *check.Target) (check.Verdict, bool) {
	said := func(client, place, code, description string, codes []string) (check.Verdict, bool) {
		cause := ""
		switch {
		case slices.Contains(codes, "AADSTS90094"), slices.Contains(codes, "AADSTS90095"), strings.Contains(description, "AADSTS90094"):
			cause = "admin-consent-required"
		case code == oauth.ErrConsentRequired, slices.Contains(codes, "AADSTS65001"), strings.Contains(description, "AADSTS65001"):
			cause = "consent-required"
		default:
			return check.Verdict{}, false
		}
		return check.Wrong("The provider says that consent is missing", "No token comes until somebody consents who may.", usher.Proof{Place: place, Quote: strings.TrimSpace(code + " " + description)}).Because(cause).Of(client), true
	}
	for _, c := range t.AuthCalls {
		if c.Response == nil || c.Response.Error == "" {
			continue
		}
		client, place := "", c.ResponsePlace
		if c.Request != nil {
			client = c.Request.ClientID
		}
		if place == "" {
			place = c.Place
		}
		if v, ok := said(client, place, c.Response.Error, c.Response.ErrorDescription, nil); ok {
			return v, true
		}
	}
	for _, c := range t.TokenCalls {
		if c.Response == nil || c.Response.Error == nil {
			continue
		}
		client := ""
		if c.Request != nil {
			client = c.Request.ClientID
		}
		if v, ok := said(client, c.Response.Place, c.Response.Error.Code, c.Response.Error.Description, c.Response.Error.Codes); ok {
			return v, true
		}
	}
	return check.Verdict{}, false
}

func judgeConsent(t *check.Target, r *evidence.Registration) check.Verdict {
	if r.Grants == nil && !slices.Contains(r.Known, "Grants") {
		if r.Provider == "entra" {
			return check.Unknown(check.NeedRegistration, "the export does not hold what was consented to: give the service principal with its oauth2PermissionGrants and appRoleAssignments")
		}
		return check.Unknown(check.NeedRegistration, "the export does not hold what was consented to")
	}
	var wanted []string
	nameless := false // permissions of which only the id is known: grants tell their names
	for _, p := range r.Permissions {
		switch {
		case oauth.IsGUID(p.Name):
			nameless = true
		case p.Name != "":
			wanted = append(wanted, p.Name)
		}
	}
	for _, w := range wishes(t) {
		if w.client != r.ClientID {
			continue
		}
		for _, s := range w.scopes {
			if !everything(s) && !standard(s) && !slices.Contains(wanted, s) {
				wanted = append(wanted, s)
			}
		}
	}
	if len(wanted) == 0 && !nameless {
		return check.Unknown(check.NeedAuthRequest, "what the client asks for is not known")
	}
	var held []string
	for _, g := range r.Grants {
		held = append(held, g.Scopes...)
	}
	if lost := without(t, wanted, held); len(lost) > 0 {
		v := check.Wrong("Nobody consented to "+list(lost), "The provider asks the person at the next sign-in, or refuses where only an administrator may consent.", usher.Proof{Place: r.Place, Quote: "grants: " + strings.Join(held, " "), Expected: strings.Join(wanted, " "), Got: strings.Join(held, " ")})
		v.Subject.Scope = strings.Join(lost, " ")
		return v
	}
	if nameless {
		return check.Unknown(check.NeedNothing, "the registration names a permission by its id, and the grants name scopes")
	}
	return check.OK("", usher.Proof{Place: r.Place, Quote: "grants: " + strings.Join(held, " ")})
}

// stale is how long a consent may stand without a look at it.
const stale = 365 * 24 * time.Hour

var consentStale = &check.Check{
	ID: "scope-consent-stale", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "Consents are looked at once a year",
	Judged: "No grant of the client was given more than 12 months ago without a review since.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepConsent, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Tightening("Look at what the client was granted, and take back what it does not need.")},
	References: []string{"RFC 9700 section 2.3"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, r := range t.Registrations {
			if isClient(r) {
				out = append(out, judgeStale(t, r).Of(r.ClientID))
			}
		}
		return out
	},
}

func judgeStale(t *check.Target, r *evidence.Registration) check.Verdict {
	var proof []usher.Proof
	dated := 0
	for _, g := range r.Grants {
		if g.Given.IsZero() && g.Reviewed.IsZero() {
			continue
		}
		dated++
		last := g.Given
		if g.Reviewed.After(last) {
			last = g.Reviewed
		}
		if t.Now.Sub(last) > stale && len(proof) < 8 {
			proof = append(proof, usher.Proof{Place: g.Place, Quote: strings.Join(g.Scopes, " "), Expected: "looked at since " + t.Now.Add(-stale).Format(time.DateOnly), Got: last.Format(time.DateOnly)})
		}
	}
	switch {
	case len(proof) > 0:
		return check.Wrong("The consent to "+show(proof[0].Quote)+" is of "+proof[0].Got+" and was not looked at since", "What the app was trusted with then it can do still, whoever runs it today.", proof...)
	case dated == 0 && len(r.Grants) == 0 && slices.Contains(r.Known, "Grants"):
		return check.NotApplicable("nothing was consented to")
	case dated == 0:
		return check.Unknown(check.NeedRegistration, "the export does not tell when consent was given")
	}
	return check.OK("", usher.Proof{Place: r.Place, Quote: "the oldest consent is less than 12 months old"})
}
