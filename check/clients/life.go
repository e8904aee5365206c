package clients

import (
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

var clientOwner = &check.Check{
	ID: "client-owner", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "The application has owners and a purpose",
	Judged: "Owners and notes in the registration, and the last sign-in.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Neutral("Name two owners and write down what the application is for; remove it if nobody knows."),
	},
	References: []string{"operator policy"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(r *evidence.Registration) check.Verdict {
			noOwner := len(r.Owners) == 0 && known(r, "Owners")
			noNotes := r.Notes == "" && known(r, "Notes")
			idle := !r.LastSignIn.IsZero() && t.Now.Sub(r.LastSignIn) > 90*oneDay
			switch {
			case noOwner:
				v := check.Wrong(nameOf(r)+" has no owner", "Nobody is told when its secret ends, and nobody can say whether it is still needed.", proof(r.Place, "owners", "two owners", "none"))
				if noNotes {
					v.Proof = joined(v.Proof, []usher.Proof{proof(r.Place, "notes", "what it is for", "nothing")})
				}
				return v
			case idle:
				return check.Wrong(nameOf(r)+" was last used on "+day(r.LastSignIn), "An application that nobody uses is one that nobody watches.", proof(r.Place, "last sign-in", "within 90 days", day(r.LastSignIn)))
			case len(r.Owners) > 0:
				return check.OK("it has "+itoa(len(r.Owners))+" owners", proof(r.Place, "owners", "", itoa(len(r.Owners))))
			}
			return check.Unknown(check.NeedRegistration, "the export does not hold its owners (Graph: $expand=owners)")
		})
	},
}

var clientUnused = &check.Check{
	ID: "client-unused", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "The application is used",
	Judged: "Whether the log shows a token for the client in the last 90 days.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Switch it off, wait for 30 days whether somebody misses it, and delete it."),
	},
	References: []string{"operator policy"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(r *evidence.Registration) check.Verdict { return judgeUse(t, r) })
	},
}

func judgeUse(t *check.Target, r *evidence.Registration) check.Verdict {
	begin := t.Now.Add(-90 * oneDay)
	if r.Created.After(begin) {
		return check.NotApplicable("it is younger than 90 days")
	}
	if r.Enabled != nil && !*r.Enabled {
		return check.NotApplicable("it is switched off")
	}
	last, first := r.LastSignIn, t.Now
	for _, e := range t.Events {
		if e == nil {
			continue
		}
		if e.Time.Before(first) {
			first = e.Time
		}
		if e.Status == usher.StatusSuccess && e.Change == nil && e.Time.After(last) && (sameClient(e.Client.UID, r.ClientID) || aboutClient(e.Client, usher.Party{}, r)) {
			last = e.Time
		}
	}
	switch {
	case last.After(begin):
		return check.OK("it was last used on "+day(last), proof(r.Place, r.ClientID, "", day(last)))
	case !last.IsZero() && !r.LastSignIn.IsZero():
		return check.Wrong(nameOf(r)+" was last used on "+day(last), "It can be asked for tokens all the same, by whoever finds its secret.", proof(r.Place, "last sign-in", "within 90 days", day(last)))
	case len(t.Events) == 0:
		return check.Unknown(check.NeedLogs, "")
	case first.After(begin):
		return check.Unknown(check.NeedLogs, "the log goes back "+days(t.Now.Sub(first))+", and 90 days are asked for")
	}
	return check.Wrong("Nothing in the log uses "+nameOf(r), "It can be asked for tokens all the same, by whoever finds its secret.", proof(r.Place, r.ClientID, "a use since "+day(begin), "none in a log that begins on "+day(first)))
}

var serviceAccountMixed = &check.Check{
	ID: "service-account-mixed", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "A client serves people or machines, not both",
	Judged: "Whether one client id is allowed, or seen with, client_credentials and a grant in which people sign in.",
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Split it into two clients: an API cannot tell the sub of a machine's token from a user's id, and the machine's rights come with every sign-in app's secret."),
	},
	References: []string{"RFC 9700 section 4.15"},
	Judge:      judgeMixed,
}

// withPeople tells whether people sign in by a grant.
func withPeople(g string) bool {
	switch g {
	case oauth.GrantAuthorizationCode, "implicit", oauth.GrantPassword, oauth.GrantDeviceCode:
		return true
	}
	return false
}

func judgeMixed(t *check.Target) []check.Verdict {
	var b book
	type uses struct{ machine, people usher.Proof }
	seen := map[string]*uses{}
	var order []string
	note := func(client string, machine bool, p usher.Proof) {
		u := seen[client]
		if u == nil {
			if client == "" || len(seen) > 1000 {
				return
			}
			u = &uses{}
			seen[client] = u
			order = append(order, client)
		}
		if machine && u.machine.Place == "" {
			u.machine = p
		} else if !machine && u.people.Place == "" {
			u.people = p
		}
	}
	for c := range tokenCalls(t) {
		g := grant(c.Request.GrantType)
		if g == oauth.GrantClientCredentials || withPeople(g) {
			note(c.Request.ClientID, g == oauth.GrantClientCredentials, proof(c.Place, "grant_type="+c.Request.GrantType, "", ""))
		}
	}
	for _, e := range t.Events {
		if e == nil || e.Status != usher.StatusSuccess {
			continue
		}
		g := grant(e.OAuth.GrantType)
		switch {
		case g == oauth.GrantClientCredentials || e.Kind == usher.EventAppSignIn:
			note(e.Client.UID, true, proof(check.RecordPlace(e), "a sign-in of the app itself", "", ""))
		case withPeople(g) || e.Kind == usher.EventSignIn:
			note(e.Client.UID, false, proof(check.RecordPlace(e), "a sign-in of a person", "", ""))
		}
	}
	for _, client := range order {
		if u := seen[client]; u.machine.Place != "" && u.people.Place != "" {
			b.add(client, check.Wrong(theClient(client)+" signs people in and acts by itself", "Both kinds of token have the same client id, and an API that looks at sub alone may take the one for the other.", u.machine, u.people))
		}
	}
	for _, r := range t.Registrations {
		if r == nil || r.ClientID == "" {
			continue
		}
		grants := strings.Join(r.GrantTypes, ", ")
		machine := hasGrant(r.GrantTypes, oauth.GrantClientCredentials)
		people := false
		for _, g := range r.GrantTypes {
			people = people || withPeople(grant(g))
		}
		switch {
		case machine && people:
			b.add(r.ClientID, check.Wrong(nameOf(r)+" may sign people in and act by itself", "Both kinds of token have the same client id, and an API that looks at sub alone may take the one for the other.", proof(r.Place, "grant_types: "+grants, "client_credentials alone, or without it", grants)))
		case listsGrants(r):
			b.add(r.ClientID, check.OK("its grants are of one kind", proof(r.Place, "grant_types: "+grants, "", "")))
		default:
			b.add(r.ClientID, check.Unknown(check.NeedLogs, "the registration lists no grants; the sign-in log shows which are used"))
		}
	}
	return b.or(check.Unknown(check.NeedRegistration, ""))
}

var userConsentOpen = &check.Check{
	ID: "user-consent-open", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "People cannot consent to everything",
	Judged: "The tenant's setting for consent by users.",
	Step:   usher.StepConsent, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Let users consent to apps of verified publishers with low-risk permissions alone, and switch on the workflow by which they ask an administrator for more (Entra: Enterprise applications > Consent and permissions)."),
	},
	References: []string{"OAuth 2.1 draft section 7.9"},
	Judge:      judgeConsent,
}

func judgeConsent(t *check.Target) []check.Verdict {
	var other *evidence.Registration
	for _, r := range t.Registrations {
		if r == nil {
			continue
		}
		v := check.Verdict{}
		switch r.UserConsent {
		case "all":
			v = check.Wrong("Every user may consent to every app", "One click gives a stranger's app the mail and files of a person; that is how consent phishing works.", proof(r.Place, "user consent", "verified publishers and low risk, or none", "all apps"))
		case "low":
			v = check.OK("users may consent to little", proof(r.Place, "user consent", "", "low risk"))
		case "none":
			v = check.OK("users may not consent by themselves", proof(r.Place, "user consent", "", "none"))
		default:
			other = r
			continue
		}
		return []check.Verdict{v}
	}
	if other != nil {
		switch other.Provider {
		case "keycloak", "okta", "auth0":
			return []check.Verdict{check.NotApplicable("users can consent only to clients that an administrator registered")}
		}
	}
	return []check.Verdict{check.Unknown(check.NeedRegistration, "the tenant's consent setting was not given (Graph: policies/authorizationPolicy)")}
}
