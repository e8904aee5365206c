package protocol

import (
	"slices"
	"strconv"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

// sum is a check that adds up what others found, for one profile.
type sum struct {
	id, title, judged string
	severity          usher.Severity
	profile           string // whose requirements are added up
	references        []string
	// also finds what no check of its own is about; empty: nothing.
	also func(t *check.Target) (what string, proof usher.Proof)
	// applies says why the profile is not for this configuration; empty: it is.
	applies func(t *check.Target) (why string)
}

func (s sum) check() *check.Check {
	return &check.Check{
		ID: s.id, Group: check.GroupProtocol, Mode: check.Offline, Severity: s.severity,
		Title: s.title, Judged: s.judged, Fixer: usher.FixerDeveloper,
		Fix:        []usher.FixStep{check.Neutral("Mend what the named checks say, the worst first.")},
		References: s.references,
		Sum:        func(t *check.Target, got check.Results) []check.Verdict { return check.Only(s.judge(t, got)) },
	}
}

func (s sum) judge(t *check.Target, got check.Results) check.Verdict {
	named := t.Profile != nil && t.Profile.Name == s.profile
	if why := s.applies(t); why != "" && !named {
		return check.NotApplicable(why)
	}
	if !named && len(t.Registrations) == 0 && !t.Has(check.NeedAuthRequest) && !t.Has(check.NeedTokenRequest) && len(t.Resources) == 0 {
		return check.Unknown(check.NeedRegistration, "")
	}
	v := add(required(s.profile), got)
	if s.also != nil {
		if what, proof := s.also(t); what != "" {
			if v.Outcome != usher.OutcomeWrong {
				return check.Wrong(what, "The profile does not take it, whatever the rest is.", proof)
			}
			v.Detail = what + ". " + v.Detail
			v.Proof = append(v.Proof, proof)
		}
	}
	return v
}

// publicClient finds a client that cannot authenticate.
func publicClient(t *check.Target) (what string, proof usher.Proof) {
	for _, r := range t.Registrations {
		none := len(r.AuthMethods) > 0 && !slices.ContainsFunc(r.AuthMethods, func(m string) bool { return m != oauth.AuthNone })
		if r.Shape != "keycloak-realm" && (none || r.Public != nil && *r.Public) {
			return "The client " + check.Clip(r.ClientID, 80) + " is public, and FAPI 2.0 takes confidential clients alone", usher.Proof{Place: r.Place, Quote: "a public client", Expected: "private_key_jwt or mutual TLS", Got: oauth.AuthNone}
		}
	}
	return "", proof
}

// required gives what a profile demands.
func required(profile string) []string {
	if profile == "" {
		return basics
	}
	p, err := check.ProfileNamed(profile)
	if err != nil {
		return nil
	}
	return p.Requires
}

// basics are the rules of RFC 6749 that every configuration must keep.
var basics = []string{
	"redirect-registered", "redirect-absolute", "grant-registered", "response-grant-consistent", "auth-method-registered", "auth-method-double",
	"token-endpoint-redirect-uri", "code-once", "scope-syntax", "token-type", "token-response-no-store", "discovery-endpoints-https", "credentials-in-uri",
}

// add says whether all that is required is ok. What does not arise for the
// configuration is neither met nor not met.
func add(ids []string, got check.Results) check.Verdict {
	var wrong, unknown, fine []string
	var proof []usher.Proof
	var missing check.Need
	for _, id := range ids {
		verdicts, ran := got[id]
		if !ran {
			unknown = append(unknown, id)
			continue
		}
		switch got.Worst(id) {
		case usher.OutcomeWrong:
			wrong = append(wrong, id)
			proof = append(proof, proofOf(id, verdicts))
		case usher.OutcomeUnknown:
			unknown = append(unknown, id)
			for _, v := range verdicts {
				if missing == check.NeedNothing && v.Outcome == usher.OutcomeUnknown {
					missing = v.Missing
				}
			}
		case usher.OutcomeOK:
			fine = append(fine, id)
		}
	}
	switch {
	case len(wrong) > 0:
		detail := "What is required and not so: " + check.Names(wrong) + "."
		if len(unknown) > 0 {
			detail += " Not looked at: " + check.Names(unknown) + "."
		}
		return check.Wrong(count(len(wrong))+" not met: "+check.Names(wrong), detail, proof...)
	case len(unknown) > 0:
		return check.Unknown(missing, "not looked at: "+check.Names(unknown))
	}
	if len(fine) == 0 {
		return check.NotApplicable("none of what is required arises for this configuration")
	}
	detail := count(len(fine)) + " met"
	if rest := len(ids) - len(fine); rest > 0 {
		detail += ", " + strconv.Itoa(rest) + " do not arise here"
	}
	return check.OK(detail, usher.Proof{Place: "the checks of this run", Quote: check.Names(fine)})
}

func count(n int) string {
	if n == 1 {
		return "1 requirement is"
	}
	return strconv.Itoa(n) + " requirements are"
}

// proofOf quotes the first wrong verdict of a check.
func proofOf(id string, verdicts []check.Verdict) usher.Proof {
	for _, v := range verdicts {
		if v.Outcome == usher.OutcomeWrong {
			p := usher.Proof{Place: id, Quote: check.Clip(v.Title, 200)}
			if len(v.Proof) > 0 && v.Proof[0].Place != "" {
				p.Place = v.Proof[0].Place
				p.Quote = id + ": " + p.Quote
			}
			return p
		}
	}
	return usher.Proof{Place: id}
}

func always(*check.Target) string { return "" }

var profileOAuth20 = sum{
	id: "profile-oauth20", title: "The basics of OAuth 2.0 are kept", severity: usher.SeverityInfo,
	judged:     "What RFC 6749 says must be is added up from the checks of it.",
	references: []string{"RFC 6749"}, applies: always,
}.check()

var profileBCP = sum{
	id: "profile-bcp", title: "The best current practice for security is kept", severity: usher.SeverityHigh, profile: "rfc9700",
	judged:     "Exact redirect URIs, PKCE, no implicit and no password grant, refresh tokens rotated, no token in an address, added up from the checks of them.",
	references: []string{"RFC 9700 section 2"}, applies: always,
}.check()

var profileOAuth21 = sum{
	id: "profile-oauth21", title: "The configuration is ready for OAuth 2.1", severity: usher.SeverityMedium, profile: "oauth2.1",
	judged:     "What OAuth 2.1 demands is added up from the checks of it: the best current practice, S256, the rule for loopback.",
	references: []string{"OAuth 2.1 draft section 10"}, applies: always,
}.check()

var profileBrowser = sum{
	id: "profile-browser", title: "The browser app keeps to the practice for such", severity: usher.SeverityMedium, profile: "browser-based",
	judged:     "Code with PKCE, no implicit grant, no secret, rotation, origins one by one, added up from the checks of them; for clients that are registered as browser apps.",
	references: []string{"draft-ietf-oauth-browser-based-apps section 6"},
	applies: func(t *check.Target) string {
		for _, r := range t.Registrations {
			if browserApp(r) {
				return ""
			}
		}
		return "no client is registered as a browser app"
	},
}.check()

func browserApp(r *evidence.Registration) bool {
	if r.ApplicationType == "spa" {
		return true
	}
	for _, u := range r.RedirectURIs {
		if u.Platform == "spa" {
			return true
		}
	}
	return false
}

var profileNative = sum{
	id: "profile-native", title: "The native app keeps to RFC 8252", severity: usher.SeverityMedium, profile: "native",
	judged:     "The system's browser, PKCE, no secret, loopback or a claimed address, added up from the checks of them; for clients that are registered as native apps.",
	references: []string{"RFC 8252"},
	applies: func(t *check.Target) string {
		for _, r := range t.Registrations {
			if nativeApp(r) {
				return ""
			}
		}
		return "no client is registered as a native app"
	},
}.check()

// nativeApp tells whether a client is one: it says so, or each of its redirect
// URIs is one that no web server has.
func nativeApp(r *evidence.Registration) bool {
	if r.ApplicationType != "" {
		return r.ApplicationType == "native"
	}
	private := 0
	for _, u := range r.RedirectURIs {
		scheme, _, _ := strings.Cut(u.URI, ":")
		if u.Platform == "publicClient" || scheme != "http" && scheme != "https" && scheme != "" {
			private++
		}
	}
	return private > 0 && private == len(r.RedirectURIs)
}

var profileFAPI2 = sum{
	id: "profile-fapi2", title: "The FAPI 2.0 security profile is kept", severity: usher.SeverityInfo, profile: "fapi2",
	judged:     "Pushed requests, S256, keys in place of secrets, bound tokens, iss, strong algorithms, codes of a minute, added up from the checks of them.",
	references: []string{"FAPI 2.0 Security Profile section 5.3"},
	also:       publicClient,
	applies:    func(*check.Target) string { return "it is for clients that must: --profile fapi2" },
}.check()

var profileMCP = sum{
	id: "profile-mcp", title: "The rules of the Model Context Protocol are kept", severity: usher.SeverityInfo, profile: "mcp",
	judged:     "Resource metadata, the resource in both requests, S256 announced, the issuer compared, no token passed on, added up from the checks of them.",
	references: []string{"MCP 2026-07-28, authorization"},
	applies: func(t *check.Target) string {
		if len(t.Resources) > 0 {
			return ""
		}
		return "no resource metadata was given: --profile mcp"
	},
}.check()
