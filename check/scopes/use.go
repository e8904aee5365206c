package scopes

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

const (
	review      = 90 * 24 * time.Hour // how long a scope may go unused
	refreshTime = 30 * 24 * time.Hour // how long a refresh token may
)

var unused = &check.Check{
	ID: "scope-unused", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Every scope that the client has is used",
	Judged: "Each scope of registration and grants was seen in the client's log within 90 days: in calls of the API where the log tells those, else in requests for tokens. Said only when the log covers as long.",
	Needs:  []check.Need{check.NeedRegistration, check.NeedLogs},
	Step:   usher.StepRegistration, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Tightening("Take the scope from the client, and look whether anybody misses it before its consents are deleted.")},
	References: []string{"RFC 9700 section 2.3", "RFC 6819 section 5.1.5.1"},
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

// seen is what the log shows of a client.
type seen struct {
	covered   time.Duration // from its first record to the end of the log
	end       time.Time     // of the log: its last record, whose ever
	scopes    []string      // within the time of review
	toldCalls bool          // the scopes are of API calls
	refreshed time.Time     // last use of a refresh token
	tokens    int           // records that tell their grant
}

func look(t *check.Target, client string) seen {
	const most = 500
	var s seen
	for _, e := range t.Events {
		if e.Time.After(s.end) && !e.Time.After(t.Now) {
			s.end = e.Time
		}
	}
	var first time.Time
	var called, asked []string
	for _, e := range t.Events {
		if e.Client.UID != client || client == "" || e.Time.After(t.Now) {
			continue
		}
		if first.IsZero() || e.Time.Before(first) {
			first = e.Time
		}
		if e.OAuth.GrantType != "" {
			s.tokens++
		}
		if (e.OAuth.GrantType == oauth.GrantRefreshToken || e.OAuth.TokenIn == "refresh_token") && e.Time.After(s.refreshed) {
			s.refreshed = e.Time
		}
		if e.Time.Before(s.end.Add(-review)) {
			continue
		}
		into := &asked
		if e.Kind == usher.EventAPI {
			into = &called
		}
		for _, l := range [...][]string{e.OAuth.Requested, e.OAuth.Granted} {
			for _, scope := range l {
				if len(*into) < most && !slices.Contains(*into, scope) {
					*into = append(*into, scope)
				}
			}
		}
	}
	if !first.IsZero() {
		s.covered = s.end.Sub(first)
	}
	s.scopes, s.toldCalls = asked, false
	if len(called) > 0 {
		s.scopes, s.toldCalls = called, true
	}
	return s
}

func judgeUnused(t *check.Target, r *evidence.Registration) check.Verdict {
	var rights []string
	for _, h := range rightsOf(r) {
		if !standard(h.scope) && !everything(h.scope) && !slices.Contains(r.DefaultScopes, h.scope) && !slices.Contains(rights, h.scope) {
			rights = append(rights, h.scope)
		}
	}
	if len(rights) == 0 {
		return check.NotApplicable("the registration names no scopes that the client must ask for")
	}
	s := look(t, r.ClientID)
	if len(s.scopes) == 0 {
		return check.Unknown(check.NeedLogs, "the log tells no scopes of this client")
	}
	idle := without(t, rights, s.scopes)
	switch {
	case len(idle) == 0:
		return check.OK("", usher.Proof{Place: r.Place, Quote: list(rights)})
	case s.covered < review:
		return check.Unknown(check.NeedLogs, "the log covers "+strconv.Itoa(int(s.covered.Hours()/24))+" days, and 90 are needed to tell that a scope is not used")
	}
	how := "asked for"
	if s.toldCalls {
		how = "used at the API"
	}
	v := check.Wrong("Not "+how+" in 90 days: "+list(idle), "Judged by a log that ends "+s.end.Format(time.DateOnly)+". What nobody uses is of use to a thief alone.", usher.Proof{Place: r.Place, Quote: strings.Join(idle, " "), Expected: how + " within 90 days", Got: strings.Join(s.scopes, " ")})
	v.Subject.Scope = strings.Join(idle, " ")
	return v
}

var offlineUnneeded = &check.Check{
	ID: "scope-offline-unneeded", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "offline_access is asked for where refresh tokens are used",
	Judged: "A client that asks for offline_access used a refresh token within 30 days; said only when the log covers as long and tells grants.",
	Needs:  []check.Need{check.NeedLogs},
	Step:   usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Leave offline_access out of the request, and out of the client's default scopes.")},
	References: []string{"OpenID Connect Core section 11", "RFC 9700 section 2.3"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		done := func(client string) bool {
			return slices.ContainsFunc(out, func(v check.Verdict) bool { return v.Subject.Client == client })
		}
		for _, w := range wishes(t) {
			if slices.Contains(w.scopes, "offline_access") && !done(w.client) {
				out = append(out, judgeUnneeded(t, w.client, usher.Proof{Place: w.place, Quote: w.quote()}).Of(w.client))
			}
		}
		for _, r := range t.Registrations {
			if isClient(r) && slices.Contains(r.DefaultScopes, "offline_access") && !done(r.ClientID) {
				out = append(out, judgeUnneeded(t, r.ClientID, usher.Proof{Place: r.Place, Quote: "default scope offline_access"}).Of(r.ClientID))
			}
		}
		for _, e := range t.Events {
			if slices.Contains(e.OAuth.Requested, "offline_access") && len(out) < 32 && !done(e.Client.UID) {
				out = append(out, judgeUnneeded(t, e.Client.UID, usher.Proof{Place: check.RecordPlace(e), Quote: "offline_access"}).Of(e.Client.UID))
			}
		}
		if out == nil {
			return []check.Verdict{check.NotApplicable("nothing asks for offline_access")}
		}
		return out
	},
}

func judgeUnneeded(t *check.Target, client string, asked usher.Proof) check.Verdict {
	s := look(t, client)
	switch {
	case !s.refreshed.IsZero() && s.end.Sub(s.refreshed) <= refreshTime:
		return check.OK("", asked, usher.Proof{Place: "log", Quote: "a refresh token was used at " + s.refreshed.Format(time.DateOnly)})
	case s.tokens == 0:
		return check.Unknown(check.NeedLogs, "the log does not tell by which grant this client gets its tokens")
	case s.covered < refreshTime:
		return check.Unknown(check.NeedLogs, "the log covers "+strconv.Itoa(int(s.covered.Hours()/24))+" days, and 30 are needed")
	}
	got := "never"
	if !s.refreshed.IsZero() {
		got = s.refreshed.Format(time.DateOnly)
	}
	return check.Wrong("offline_access is asked for, and no refresh token was used in 30 days", "A refresh token that nobody needs is one more that can be stolen.",
		asked, usher.Proof{Place: "log", Quote: "grant refresh_token", Expected: "a use within 30 days", Got: got})
}
