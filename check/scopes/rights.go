package scopes

import (
	"slices"
	"strconv"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

var broad = &check.Check{
	ID: "scope-broad", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "No scope opens more than the app needs",
	Judged: "The scopes of requests, registration and grants are held against what is known of the provider's scopes and of names that stand for everything or for administration.",
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Replace the scope by the narrowest one that covers what the app does, and take the broad one out of request, registration and grants.")},
	References: []string{"RFC 9700 section 2.3"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		all := wishes(t)
		for _, r := range t.Registrations {
			if isClient(r) {
				out = append(out, judgeBroad(t, r, r.ClientID, all).Of(r.ClientID))
			}
		}
		for _, w := range all {
			if registrationOf(t, w.client) == nil && !slices.ContainsFunc(out, func(v check.Verdict) bool { return v.Subject.Client == w.client }) {
				out = append(out, judgeBroad(t, nil, w.client, all).Of(w.client))
			}
		}
		if out == nil {
			return []check.Verdict{check.Unknown(check.NeedAuthRequest, "")}
		}
		return out
	},
}

// held is one scope of a client with where it stands; audience is the API that
// it was asked for, where the request says.
type held struct{ scope, place, where, audience string }

func judgeBroad(t *check.Target, r *evidence.Registration, client string, all []wish) check.Verdict {
	var list []held
	if r != nil {
		list = rightsOf(r)
	}
	for _, w := range all {
		if w.client != client {
			continue
		}
		for _, s := range w.scopes {
			list = append(list, held{s, w.place, "asked for", w.audience})
		}
	}
	if len(list) == 0 {
		return check.Unknown(check.NeedAuthRequest, "neither the registration nor a request names scopes")
	}
	var proof []usher.Proof
	var worst held
	severity := usher.SeverityMedium
	why, seen := "", make([]string, 0, 8)
	for _, h := range list {
		note, admin := power(t, r, h)
		if everything(h.scope) {
			note, admin = wholeRegistration(r), false
		}
		if note == "" || slices.Contains(seen, h.scope) || len(seen) >= 8 {
			continue
		}
		seen = append(seen, h.scope)
		if why == "" || admin && severity != "" {
			worst, why = h, note
		}
		if admin {
			severity = ""
		}
		proof = append(proof, usher.Proof{Place: h.place, Quote: h.scope, Expected: note, Got: h.where})
	}
	if len(proof) == 0 {
		if r == nil && everything(list[0].scope) && len(list) == 1 {
			return check.Unknown(check.NeedRegistration, "the request asks for everything that is registered (.default), and the registration says what that is")
		}
		return check.OK("", usher.Proof{Place: list[0].place, Quote: list[0].scope})
	}
	title := show(worst.scope) + " is " + worst.where + ": " + why
	v := check.Wrong(title, "Whoever gets hold of a token or of the client can do all that the scope opens, not only what the app does with it.", proof...).As(severity)
	v.Subject.Scope = strings.Join(seen, " ")
	return v
}

// rightsOf gives the scopes and permissions of a registration and its grants.
func rightsOf(r *evidence.Registration) []held {
	var out []held
	for _, s := range allowed(r) {
		out = append(out, held{s, r.Place, "registered", ""})
	}
	for _, p := range r.Permissions {
		for i := range out {
			if out[i].scope == p.Name && p.Place != "" {
				out[i].place = p.Place
			}
		}
	}
	for _, g := range r.Grants {
		for _, s := range g.Scopes {
			out = append(out, held{s, g.Place, "granted", ""})
		}
	}
	return out
}

// power says what a scope opens beyond the usual, and whether that is
// administration; nothing for an ordinary one.
func power(t *check.Target, r *evidence.Registration, h held) (note string, admin bool) {
	scope, p := h.scope, providerOf(t, r)
	if s, exact := described(p, scope); s != nil && (exact || p.Name != "auth0" || strings.Contains(h.audience, "/api/v2")) {
		// At Auth0 the patterns are of its own management API; the scopes of
		// other APIs there may have any name.
		switch s.Risk {
		case "admin":
			return orElse(s.Note, "it gives administration"), true
		case "broad":
			return orElse(s.Note, "it opens much"), false
		}
		return "", false
	}
	if scope == "*" || strings.HasSuffix(scope, "/*") || strings.HasSuffix(scope, ":*") {
		return "its star stands for everything", true
	}
	last, read := "", false
	if strings.Contains(scope, "://") {
		scope = scope[strings.LastIndexByte(scope, '/')+1:] // what stands before it names the API
	}
	for _, w := range wordsOf(scope) {
		switch w {
		case "admin", "administrator", "root", "superuser", "sudo":
			return "its name speaks of administration (" + w + ")", true
		case "everything", "fullaccess":
			return "its name stands for everything (" + w + ")", false
		case "access":
			if last == "full" || last == "all" {
				return "its name stands for everything (" + last + " access)", false
			}
		case "read", "readonly", "view":
			read = true
		}
		last = w
	}
	if last == "all" && !read && scope != "all" {
		return "its name stands for everything (all)", false
	}
	return "", false
}

// many is from how many permissions on .default asks for too much at once.
const many = 10

// wholeRegistration says of .default that it opens much, when the registration
// shows it.
func wholeRegistration(r *evidence.Registration) string {
	if r == nil || len(r.Permissions) <= many {
		return ""
	}
	return "it stands for all " + strconv.Itoa(len(r.Permissions)) + " permissions of the registration"
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// wordsOf splits a name at what is no letter, and before capitals, in lower case.
func wordsOf(name string) []string {
	var out []string
	start, lower := -1, false
	end := func(i int) {
		if start >= 0 && len(out) < 32 {
			out = append(out, strings.ToLower(name[start:i]))
		}
		start = -1
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		small, big := 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z'
		if big && lower || !small && !big {
			end(i)
		}
		if (small || big) && start < 0 {
			start = i
		}
		lower = small
	}
	end(len(name))
	return out
}

var appVsDelegated = &check.Check{
	ID: "scope-app-vs-delegated", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "An app that acts for people has no permissions of its own",
	Judged: "A client with permissions of the application itself gets tokens without a person (client_credentials); one that is seen signing people in alone does not need them.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Replace the application permission by the delegated one of the same name, which reaches no further than the person who signs in."),
		check.Tightening("Where the app must act by itself, limit the permission to the resources that it needs (resource-specific consent), in a client of its own."),
	},
	References: []string{"RFC 9700 section 2.3", "Entra: application and delegated permissions"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, r := range t.Registrations {
			if isClient(r) {
				out = append(out, judgeApplication(t, r).Of(r.ClientID))
			}
		}
		return out
	},
}

func judgeApplication(t *check.Target, r *evidence.Registration) check.Verdict {
	var own []usher.Proof
	for _, p := range r.Permissions {
		if p.Application && len(own) < 8 {
			own = append(own, usher.Proof{Place: p.Place, Quote: p.Name, Expected: "a delegated permission", Got: "an application permission"})
		}
	}
	for _, g := range r.Grants {
		if g.Application && len(own) < 8 {
			own = append(own, usher.Proof{Place: g.Place, Quote: strings.Join(g.Scopes, " "), Expected: "a delegated permission", Got: "granted to the application"})
		}
	}
	switch {
	case r.Provider != "entra" && r.Provider != "" && len(own) == 0:
		return check.NotApplicable("this provider does not tell permissions of the app from those of people")
	case r.Permissions == nil && r.Grants == nil && !slices.Contains(r.Known, "Permissions"):
		return check.Unknown(check.NeedRegistration, "the export does not hold the permissions of the client")
	case len(own) == 0:
		return check.OK("It has permissions on behalf of people alone.", usher.Proof{Place: r.Place, Quote: "no application permission"})
	}
	alone, people := actsAlone(t, r), signsIn(t, r)
	switch {
	case alone != nil:
		return check.OK("The client gets tokens of its own.", *alone)
	case people != nil && !showsApps(t):
		return check.Unknown(check.NeedLogs, "people sign in with the client, which has permissions of its own; the log shows no sign-in of any app itself, so that it may not hold those: give them too (Entra: service principal sign-ins)", own...)
	case people == nil:
		return check.Unknown(check.NeedLogs, "the client has permissions of its own; whether it ever acts without a person shows in its sign-in log", own...)
	case len(r.RedirectURIs) == 0:
		return check.Unknown(check.NeedLogs, "the client has permissions of its own and no redirect URI", own...)
	}
	return check.Wrong("The client signs people in and has permissions of its own: "+show(own[0].Quote), "With them the app reaches the data of everybody, whoever signed in; a stolen secret does too.", append(own, *people)...)
}

// actsAlone finds a token that the client got without a person.
func actsAlone(t *check.Target, r *evidence.Registration) *usher.Proof {
	for _, c := range t.TokenCalls {
		if c.Request != nil && c.Request.GrantType == oauth.GrantClientCredentials && registrationOf(t, c.Request.ClientID) == r {
			return &usher.Proof{Place: c.Place, Quote: "grant_type=client_credentials"}
		}
	}
	for _, e := range t.Events {
		if e.Client.UID == r.ClientID && r.ClientID != "" && (e.Kind == usher.EventAppSignIn || e.OAuth.GrantType == oauth.GrantClientCredentials) {
			return &usher.Proof{Place: check.RecordPlace(e), Quote: "sign-in of the app itself"}
		}
	}
	return nil
}

// showsApps tells whether the log holds sign-ins of apps at all: providers keep
// them in a log of their own.
func showsApps(t *check.Target) bool {
	return slices.ContainsFunc(t.Events, func(e *usher.Event) bool {
		return e.Kind == usher.EventAppSignIn || e.OAuth.GrantType == oauth.GrantClientCredentials
	})
}

// signsIn finds sign-ins of people with the client. What one or two show is no
// habit.
func signsIn(t *check.Target, r *evidence.Registration) *usher.Proof {
	n := 0
	for _, e := range t.Events {
		if e.Client.UID != r.ClientID || r.ClientID == "" || e.Kind != usher.EventSignIn && e.Kind != usher.EventSilentSignIn {
			continue
		}
		if n++; n >= 3 {
			return &usher.Proof{Place: check.RecordPlace(e), Quote: "people sign in with it"}
		}
	}
	return nil
}

var fullAllowed = &check.Check{
	ID: "scope-full-allowed", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Tokens hold the roles of this client alone",
	Judged: "The client's setting by which its tokens hold every role of the person (Keycloak: full scope allowed) is off.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Tightening("Switch 'Full scope allowed' off in the client's dedicated scope, and assign the roles that its API really reads.")},
	References: []string{"RFC 9700 section 2.3", "Keycloak: role scope mappings"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, r := range t.Registrations {
			if !isClient(r) {
				continue
			}
			v := check.Unknown(check.NeedRegistration, "the export does not hold the setting (fullScopeAllowed)")
			switch {
			case r.FullScope != nil && *r.FullScope:
				v = check.Wrong("The tokens of this client hold every role of the person", "Whoever gets hold of one can use the person's rights at every other app of the realm.",
					usher.Proof{Place: r.Place, Quote: "fullScopeAllowed", Expected: "false", Got: "true"})
			case r.FullScope != nil:
				v = check.OK("", usher.Proof{Place: r.Place, Quote: "fullScopeAllowed", Got: "false"})
			case r.Provider != "keycloak" && r.Provider != "":
				v = check.NotApplicable("this provider has no such setting")
			}
			out = append(out, v.Of(r.ClientID))
		}
		return out
	},
}

var collision = &check.Check{
	ID: "scope-collision", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "Scopes of the API have names of their own",
	Judged: "No scope that a registration defines is named openid, profile, email, address, phone or offline_access.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Give the scope another name, best with the API before it (orders.read), and have clients ask for that.")},
	References: []string{"OAuth 2.1 draft section 1.4.1", "OpenID Connect Core section 5.4"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, r := range t.Registrations {
			if !isClient(r) {
				continue
			}
			own := defined(r)
			v := check.OK("", usher.Proof{Place: r.Place, Quote: list(own)})
			if i := slices.IndexFunc(own, standard); i >= 0 {
				v = check.Wrong("The API defines a scope "+own[i]+", which OpenID Connect has given a meaning", "A client that asks for it asks for a person's data, not for the API, and consent pages say so.", usher.Proof{Place: r.Place, Quote: own[i], Expected: "a name of its own"})
			} else if len(own) == 0 {
				v = check.NotApplicable("the registration defines no scopes")
			}
			out = append(out, v.Of(r.ClientID))
		}
		return out
	},
}
