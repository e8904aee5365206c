package tokens

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/oauth"
	"usher/token"
)

var refreshPresent = &check.Check{
	ID: "refresh-present", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "A refresh token comes where one was asked for",
	Judged: "Where offline use was asked for (offline_access, at Google access_type=offline), the answer holds a refresh token.",
	Needs:  []check.Need{check.NeedTokenResponse}, Cause: "refresh-token-missing", Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Ask for offline_access in the authorization request, and let the person or an administrator consent to it."),
		check.Neutral("Allow the client the refresh_token grant at the provider."),
	},
	References: []string{"RFC 6749 section 6", "OpenID Connect Core section 11"},
	Judge: func(t *check.Target) []check.Verdict {
		var all verdicts
		for i, c := range t.TokenCalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			if c.Response == nil || c.Response.Error != nil || c.Response.AccessToken == "" {
				continue
			}
			all.add(judgeRefreshPresent(t, c).Of(clientOfCall(c)))
		}
		return all.or(check.NotApplicable("no answer holds an access token"))
	},
}

func judgeRefreshPresent(t *check.Target, c *check.TokenCall) check.Verdict {
	if c.Response.RefreshToken != "" {
		return check.OK("The answer holds a refresh token.", usher.Proof{Place: c.Response.Place, Quote: "refresh_token is there"})
	}
	grant := ""
	if c.Request != nil {
		grant = c.Request.GrantType
	}
	switch grant {
	case oauth.GrantClientCredentials:
		return check.NotApplicable("a client that acts for itself asks again instead of refreshing")
	case oauth.GrantRefreshToken:
		return check.NotApplicable("the refresh token that was sent goes on being good")
	case oauth.GrantTokenExchange, oauth.GrantJWTBearer, oauth.GrantSAMLBearer:
		return check.NotApplicable("this grant usually comes without a refresh token")
	}
	where, quote := offlineAsked(t, c)
	if where == "" {
		if (grant == "" || grant == oauth.GrantAuthorizationCode) && seenRequest(t.SignInBefore(c)) == nil {
			return check.Unknown(check.NeedAuthRequest, "the answer holds no refresh token; whether one was asked for is not known")
		}
		return check.NotApplicable("no refresh token was asked for, and none came")
	}
	p := []usher.Proof{{Place: where, Quote: quote}, {Place: c.Response.Place, Quote: "no refresh_token", Expected: "refresh_token", Got: "nothing"}}
	v := check.Wrong("A refresh token was asked for, and none came", "When the access token ends, the person must sign in again.", p...)
	if strings.Contains(quote, "access_type") {
		return v.Do("Google gives one with the first consent only: ask with prompt=consent once, and keep it.", "If it was given before and lost, the person can remove the app at myaccount.google.com/permissions first.")
	}
	if c.Response.HasScope && !slices.Contains(c.Response.Scope, "offline_access") {
		v.Detail += " The granted scope leaves offline_access out: the provider or the person did not allow it."
	}
	return v
}

// offlineAsked gives the place where offline use was asked for.
func offlineAsked(t *check.Target, c *check.TokenCall) (place, quote string) {
	if c.Request != nil && slices.Contains(c.Request.Scope, "offline_access") {
		return cmp.Or(c.Place, "token request"), "scope: offline_access"
	}
	a := t.SignInBefore(c)
	if a == nil || a.Request == nil {
		return "", ""
	}
	switch {
	case slices.Contains(a.Request.Scope, "offline_access"):
		return cmp.Or(a.Place, "authorization request"), "scope: offline_access"
	case a.Request.Params.Get("access_type") == "offline":
		return cmp.Or(a.Place, "authorization request"), "access_type=offline"
	}
	return "", ""
}

// inOrder gives the token calls in the order of their times, where all have one.
func inOrder(t *check.Target) []*check.TokenCall {
	calls := t.TokenCalls
	if len(calls) > maxCalls {
		calls = calls[:maxCalls]
	}
	for _, c := range calls {
		if c.Time.IsZero() {
			return calls
		}
	}
	calls = slices.Clone(calls)
	slices.SortStableFunc(calls, func(a, b *check.TokenCall) int { return a.Time.Compare(b.Time) })
	return calls
}

func isRefresh(c *check.TokenCall) bool {
	return c.Request != nil && c.Request.GrantType == oauth.GrantRefreshToken && c.Request.RefreshToken != ""
}

// perhapsSame tells whether two refreshes may be one that was given twice, in a
// recording and as a command: neither their times nor their answers differ.
func perhapsSame(a, b *check.TokenCall) bool {
	if !a.Time.IsZero() && !b.Time.IsZero() && !a.Time.Equal(b.Time) {
		return false
	}
	return a.Response == nil || b.Response == nil || a.Response.Error == nil && b.Response.Error == nil && a.Response.RefreshToken == b.Response.RefreshToken
}

// atOnce is how near two refreshes are that run beside each other.
const atOnce = 10 * time.Second

func near(a, b time.Time) bool {
	return !a.IsZero() && !b.IsZero() && a.Sub(b).Abs() <= atOnce
}

var refreshRotation = &check.Check{
	ID: "refresh-rotation", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "A new refresh token is kept and used",
	Judged: "Where the answer to a refresh holds another refresh token, the next refresh uses that one and never the old one again.",
	Needs:  []check.Need{check.NeedTokenResponse, check.NeedTokenRequest}, Cause: "refresh-token-reused", Step: usher.StepRefresh, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Write the refresh token of every answer to the store, with the access token and before using it, in one transaction."),
		check.Neutral("Begin a new sign-in once: the old family may be dead by now."),
	},
	References: []string{"RFC 6749 section 6", "RFC 9700 section 4.14.2"},
	Judge: func(t *check.Target) []check.Verdict {
		old := map[usher.Secret]*check.TokenCall{}   // a used token and the call that replaced it
		fresh := map[usher.Secret]*check.TokenCall{} // a new token and the call that gave it
		var all verdicts
		refreshes := 0
		for _, c := range inOrder(t) {
			if isRefresh(c) {
				refreshes++
				sent := c.Request.RefreshToken
				before := old[sent]
				switch from := fresh[sent]; {
				case before != nil && perhapsSame(before, c):
					all.add(check.Unknown(check.NeedTokenRequest, "a refresh stands there twice, which may be one that was given twice").Of(c.Request.ClientID))
				case before != nil && !near(before.Time, c.Time):
					got := "the refresh token that was replaced"
					if c.Response != nil && c.Response.Error != nil {
						got += "; the answer is " + errorText(c.Response.Error)
					}
					all.add(check.Wrong("The app refreshes with a refresh token that was replaced", "It did not keep the new one. A provider that notices takes it for theft and ends the whole family, so that the person must sign in again.",
						usher.Proof{Place: cmp.Or(before.Response.Place, before.Place), Quote: "refresh_token: another one than was sent"},
						usher.Proof{Place: c.Place, Quote: "refresh_token: the one before", Expected: "the new refresh token", Got: got}).Of(c.Request.ClientID))
				case before == nil && from != nil:
					all.add(check.OK("The refresh uses the token of the answer before.", usher.Proof{Place: c.Place, Quote: "refresh_token: that of " + cmp.Or(from.Place, "the answer before")}).Of(c.Request.ClientID))
				}
			}
			if r := c.Response; r != nil && r.Error == nil && r.RefreshToken != "" {
				if isRefresh(c) && r.RefreshToken != c.Request.RefreshToken {
					if old[c.Request.RefreshToken] == nil {
						old[c.Request.RefreshToken] = c
					}
					fresh[r.RefreshToken] = c
				}
			}
		}
		switch {
		case refreshes == 0:
			return []check.Verdict{check.NotApplicable("no refresh is there")}
		case len(old) == 0:
			return []check.Verdict{check.NotApplicable("no refresh gave a new refresh token")}
		}
		return all.or(check.Unknown(check.NeedTokenRequest, "a new refresh token was given, and the next refresh is not there"))
	},
}

var refreshSingleFlight = &check.Check{
	ID: "refresh-single-flight", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "A token is refreshed once at a time",
	Judged: "No refresh token is sent twice within ten seconds, in the calls or in the provider's log.",
	Cause:  "refresh-token-reused", Step: usher.StepRefresh, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Hold a lock for each grant while refreshing (a row lock, a lease, one worker); whoever waits reads what the first one stored."),
		check.Neutral("In the browser, let one tab refresh for all (Web Locks, a shared worker)."),
		check.Weakening("A short grace for the old token at the provider hides the race, and gives a thief the same time."),
	},
	References: []string{"RFC 9700 section 4.14.2"},
	Judge: func(t *check.Target) []check.Verdict {
		if !t.Has(check.NeedTokenRequest) && !t.Has(check.NeedLogs) {
			return []check.Verdict{check.Unknown(check.NeedTokenRequest, "")}
		}
		var all verdicts
		last := map[usher.Secret]*check.TokenCall{}
		timed, first := 0, usher.Proof{Quote: "a refresh"}
		for _, c := range inOrder(t) {
			if !isRefresh(c) || c.Time.IsZero() {
				continue
			}
			timed++
			first.Place = cmp.Or(first.Place, c.Place)
			if before := last[c.Request.RefreshToken]; before != nil && near(before.Time, c.Time) && !perhapsSame(before, c) {
				all.add(check.Wrong(beside, twoAtOnce,
					usher.Proof{Place: before.Place, Quote: before.Time.UTC().Format(time.RFC3339) + " grant_type=refresh_token"},
					usher.Proof{Place: c.Place, Quote: c.Time.UTC().Format(time.RFC3339) + " grant_type=refresh_token", Expected: "one refresh", Got: "a second one with the same token within " + span(c.Time.Sub(before.Time))}).Of(c.Request.ClientID))
			}
			last[c.Request.RefreshToken] = c
		}
		lastEvent := map[string]*usher.Event{}
		for _, e := range t.Events {
			if e.OAuth.GrantType != oauth.GrantRefreshToken || e.OAuth.TokenUID == "" || e.OAuth.TokenIn != "" && !strings.Contains(strings.ToLower(e.OAuth.TokenIn), "refresh") || e.Provider == "entra" {
				continue // Entra's ids are of the tokens that were issued
			}
			timed++
			first.Place = cmp.Or(first.Place, check.RecordPlace(e))
			if before := lastEvent[e.OAuth.TokenUID]; before != nil && near(before.Time, e.Time) {
				all.add(check.Wrong(beside, twoAtOnce,
					usher.Proof{Place: check.RecordPlace(before), Quote: before.Time.UTC().Format(time.RFC3339Nano) + " " + token.Printable(before.Code)},
					usher.Proof{Place: check.RecordPlace(e), Quote: strings.TrimSpace(e.Time.UTC().Format(time.RFC3339Nano) + " " + token.Printable(e.Code) + " " + token.Printable(e.StatusCode)), Expected: "one refresh", Got: "a second one with the same token within " + span(e.Time.Sub(before.Time))}).Of(e.Client.UID))
			}
			lastEvent[e.OAuth.TokenUID] = e
		}
		if timed == 0 {
			return []check.Verdict{check.Unknown(check.NeedLogs, "no refresh with its time is there")}
		}
		return all.or(check.OK(fmt.Sprintf("%d refreshes looked at, none beside another with the same token.", timed), first))
	},
}

const beside = "One refresh token is sent twice at the same time"

const twoAtOnce = "Two workers, tabs or instances refresh at the same time. With rotation the second one comes with a token that is used up, and the provider ends the family."

var refreshScopeWiden = &check.Check{
	ID: "refresh-scope-widen", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "A refresh asks for nothing beyond the grant",
	Judged: "The scope of a refresh request is among those that were granted with the refresh token.",
	Needs:  []check.Need{check.NeedTokenRequest}, Cause: "scope-invalid", Step: usher.StepRefresh, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Leave scope out of the refresh, or ask for a part of what was granted."),
		check.Neutral("For a further scope, send the person to consent with a new authorization request."),
	},
	References: []string{"RFC 6749 section 6"},
	Judge: func(t *check.Target) []check.Verdict {
		granted := map[usher.Secret][]string{}
		var all verdicts
		for _, c := range inOrder(t) {
			if isRefresh(c) {
				all.add(judgeWiden(t, c, granted[c.Request.RefreshToken]).Of(c.Request.ClientID))
			}
			r := c.Response
			if r == nil || r.Error != nil || r.RefreshToken == "" {
				continue
			}
			scope := r.Scope
			if isRefresh(c) {
				// A refresh may ask for less; the refresh token keeps the whole grant.
				if before := granted[c.Request.RefreshToken]; before != nil {
					scope = before
				}
			}
			if !r.HasScope && !isRefresh(c) {
				scope = askedScope(t, c)
			}
			granted[r.RefreshToken] = scope
		}
		return all.or(check.NotApplicable("no refresh is there"))
	},
}

// askedScope gives the scope that was asked for with a token call.
func askedScope(t *check.Target, c *check.TokenCall) []string {
	if c.Request != nil && len(c.Request.Scope) > 0 {
		return c.Request.Scope
	}
	if a := t.SignInBefore(c); a != nil && a.Request != nil {
		return a.Request.Scope
	}
	return nil
}

func judgeWiden(t *check.Target, c *check.TokenCall, granted []string) check.Verdict {
	asked := c.Request.Scope
	if len(asked) == 0 {
		return check.OK("The refresh names no scope, which asks for what was granted.", usher.Proof{Place: c.Place, Quote: "no scope"})
	}
	if t.Provider != nil && t.Provider.Name == "entra" {
		return check.NotApplicable("Entra's refresh tokens are good for every scope that was consented to, of every API")
	}
	if granted == nil {
		if a := t.SignInBefore(c); a != nil && a.Request != nil {
			granted = a.Request.Scope
		}
	}
	if granted == nil {
		return check.Unknown(check.NeedTokenResponse, "which scopes were granted with the refresh token is not known")
	}
	more := oauth.MinusScope(asked, granted)
	more = slices.DeleteFunc(slices.Clone(more), func(s string) bool { return s == "openid" || s == "offline_access" })
	p := usher.Proof{Place: c.Place, Quote: "scope: " + token.Printable(strings.Join(asked, " ")), Expected: "some of " + token.Printable(strings.Join(granted, " "))}
	if len(more) == 0 {
		p.Expected = ""
		return check.OK("The refresh asks for nothing beyond the grant.", p)
	}
	p.Got = token.Printable(strings.Join(more, " ")) + " besides"
	v := check.Wrong(fmt.Sprintf("The refresh asks for %s, which was not granted", quoted(more)), "The provider refuses it (invalid_scope), or leaves it out without a word.", p)
	v.Subject.Scope = strings.Join(more, " ")
	return v
}
