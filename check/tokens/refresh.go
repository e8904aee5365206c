package tokens

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
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
				all.add(check.Wrong("Two refreshes with one refresh token within "+span(c.Time.Sub(before.Time)), twoAtOnce,
					usher.Proof{Place: before.Place, Quote: before.Time.UTC().Format(time.RFC3339) + " grant_type=refresh_token"},
					usher.Proof{Place: c.Place, Quote: c.Time.UTC().Format(time.RFC3339) + " grant_type=refresh_token", Expected: "one refresh", Got: "a second one with the same token"}).Of(c.Request.ClientID))
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
				all.add(check.Wrong("Two refreshes with one refresh token within "+span(e.Time.Sub(before.Time)), twoAtOnce,
					usher.Proof{Place: check.RecordPlace(before), Quote: before.Time.UTC().Format(time.RFC3339Nano) + " " + token.Printable(before.Code)},
					usher.Proof{Place: check.RecordPlace(e), Quote: strings.TrimSpace(e.Time.UTC().Format(time.RFC3339Nano) + " " + token.Printable(e.Code) + " " + token.Printable(e.StatusCode)), Expected: "one refresh", Got: "a second one with the same token"}).Of(e.Client.UID))
			}
			lastEvent[e.OAuth.TokenUID] = e
		}
		if timed == 0 {
			return []check.Verdict{check.Unknown(check.NeedLogs, "no refresh with its time is there")}
		}
		return all.or(check.OK(fmt.Sprintf("%d refreshes looked at, none beside another with the same token.", timed), first))
	},
}

const twoAtOnce = "Two workers, tabs or instances refresh at the same time. With rotation the second one comes with a token that is used up, and the provider ends the family."

var refreshEarly = &check.Check{
	ID: "refresh-early", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The app refreshes shortly before the end, and not all the time",
	Judged: "Between an answer and the refresh that follows lies at least half of its lifetime (three quarters and more is right), and no call is refused first because the token had ended.",
	Cause:  "", Step: usher.StepRefresh, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Refresh when between 75 and 95 percent of expires_in are over, with some chance in it so that many do not come at once."),
		check.Neutral("Keep the access token where every worker finds it, instead of refreshing for each call or process."),
	},
	References: []string{"RFC 6749 section 5.1"},
	Judge: func(t *check.Target) []check.Verdict {
		if !t.Has(check.NeedTokenRequest) && !t.Has(check.NeedLogs) {
			return []check.Verdict{check.Unknown(check.NeedTokenRequest, "")}
		}
		var all verdicts
		gave := map[usher.Secret]*check.TokenCall{}
		for _, c := range inOrder(t) {
			if isRefresh(c) {
				if from := gave[c.Request.RefreshToken]; from != nil && !c.Time.IsZero() && !from.Time.IsZero() {
					all.add(judgeEarly(t, from, c).Of(c.Request.ClientID))
				}
			}
			if r := c.Response; r != nil && r.Error == nil && r.AccessToken != "" {
				if r.RefreshToken != "" {
					gave[r.RefreshToken] = c
				} else if isRefresh(c) {
					gave[c.Request.RefreshToken] = c
				}
			}
		}
		for _, v := range tooOften(t) {
			all.add(v)
		}
		return all.or(check.Unknown(check.NeedTokenRequest, "no refresh is there with the answer before it and both their times"))
	},
}

func judgeEarly(t *check.Target, from, c *check.TokenCall) check.Verdict {
	life, ok := number(from.Response.ExpiresIn)
	if !ok || life <= 0 {
		return check.Unknown(check.NeedTokenResponse, "the answer before the refresh does not say how long the token lives")
	}
	waited := c.Time.Sub(from.Time)
	part := waited.Seconds() / life
	p := usher.Proof{Place: c.Place, Quote: fmt.Sprintf("refreshed %s after an answer with expires_in: %s", span(waited), token.Printable(from.Response.ExpiresIn)), Expected: "between 75 and 95 percent of the lifetime", Got: fmt.Sprintf("%.0f percent", 100*part)}
	if waited < 0 || near(from.Time, c.Time) && life < 60 {
		return check.Verdict{}
	}
	if part < 0.45 {
		return check.Wrong(fmt.Sprintf("The app refreshes after %.0f percent of the token's life", 100*part), "It throws good tokens away. Providers throttle that, and every refresh is a chance to lose the refresh token.", p)
	}
	if part > 1 {
		for i, a := range t.APICalls {
			if i == maxCalls {
				break
			}
			if a.Exchange != nil && a.Exchange.Status == 401 && sentToken(a.Exchange) == from.Response.AccessToken.Reveal() && a.Time.After(from.Time.Add(duration(life))) && !a.Time.After(c.Time) {
				return check.Wrong("The app refreshes only after a call was refused", "Each time the token ends, a call fails first; where it may not be repeated, it is lost.", p, usher.Proof{Place: a.Place, Quote: "401"})
			}
		}
		return check.NotApplicable("the app came back after the token had ended")
	}
	return check.OK(fmt.Sprintf("The app refreshes after %.0f percent of the token's life.", 100*part), p)
}

// tooOften finds in the logs who refreshes without need: a client and session
// that refreshes five times and more, mostly within a minute.
func tooOften(t *check.Target) []check.Verdict {
	type key struct{ client, user, session string }
	type run struct {
		last         time.Time
		count, short int
		first        *usher.Event
	}
	runs := map[key]*run{}
	var order []key
	for _, e := range t.Events {
		if e.OAuth.GrantType != oauth.GrantRefreshToken || e.Status != usher.StatusSuccess || e.Session == "" || e.Client.UID == "" || e.Time.IsZero() {
			continue
		}
		k := key{e.Client.UID, e.User.UID, e.Session}
		r := runs[k]
		if r == nil {
			r = &run{first: e}
			runs[k] = r
			order = append(order, k)
		} else if e.Time.Sub(r.last).Abs() < time.Minute {
			r.short++
		}
		r.count++
		r.last = e.Time
	}
	var out []check.Verdict
	for _, k := range order {
		r := runs[k]
		if r.count < 5 {
			continue
		}
		if 2*r.short >= r.count {
			out = append(out, check.Wrong("The app refreshes within a minute, again and again", fmt.Sprintf("%d refreshes in one session, %d of them within a minute of the one before. Access tokens live longer than that.", r.count, r.short),
				usher.Proof{Place: check.RecordPlace(r.first), Quote: fmt.Sprintf("the first of %d refreshes", r.count), Expected: "one refresh in the life of an access token", Got: fmt.Sprintf("%d within a minute", r.short)}).Of(k.client))
			continue
		}
		out = append(out, check.OK("In the log, refreshes lie apart.", usher.Proof{Place: check.RecordPlace(r.first), Quote: fmt.Sprintf("the first of %d refreshes", r.count)}).Of(k.client))
	}
	return out
}

var refreshIdle = &check.Check{
	ID: "refresh-idle", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Refresh tokens do not die unused",
	Judged: "The time since a refresh token was last given or used is within what its answer or the provider says it lives.",
	Cause:  "refresh-token-expired", Step: usher.StepRefresh, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Refresh often enough to keep it alive where the person's absence must not matter."),
		check.Neutral("Otherwise ask the person to sign in again before it ends, not when a job fails at night."),
	},
	References: []string{"RFC 9700 section 4.14.2"},
	Judge: func(t *check.Target) []check.Verdict {
		if !t.Has(check.NeedTokenResponse) && !t.Has(check.NeedLogs) {
			return []check.Verdict{check.Unknown(check.NeedTokenResponse, "")}
		}
		used := map[usher.Secret]bool{}
		for _, c := range t.TokenCalls {
			if isRefresh(c) && c.Response != nil && c.Response.Error == nil && c.Response.RefreshToken != "" && c.Response.RefreshToken != c.Request.RefreshToken {
				used[c.Request.RefreshToken] = true
			}
		}
		last := map[usher.Secret]*check.TokenCall{}
		var order []usher.Secret
		for _, c := range inOrder(t) {
			if c.Response == nil || c.Response.Error != nil || c.Response.AccessToken == "" {
				continue
			}
			rt := c.Response.RefreshToken
			if rt == "" && isRefresh(c) {
				rt = c.Request.RefreshToken
			}
			if rt == "" || used[rt] {
				continue
			}
			if last[rt] == nil {
				order = append(order, rt)
			}
			last[rt] = c
		}
		var all verdicts
		for _, rt := range order {
			all.add(judgeIdle(t, last[rt]).Of(clientOfCall(last[rt])))
		}
		return all.or(check.NotApplicable("no refresh token is there"))
	},
}

func judgeIdle(t *check.Target, c *check.TokenCall) check.Verdict {
	limit, whose, place := idleLimit(t, c)
	if limit == 0 {
		return check.Unknown(check.NeedNothing, "neither the answer nor what is known of the provider says how long its refresh tokens live")
	}
	if limit < 0 {
		return check.NotApplicable("the provider's refresh tokens do not end by disuse")
	}
	if c.Time.IsZero() {
		return check.Unknown(check.NeedLogs, "when the refresh token was last used is not known")
	}
	idle := t.Now.Sub(c.Time)
	p := usher.Proof{Place: cmp.Or(place, c.Place), Quote: "last used " + c.Time.UTC().Format(time.RFC3339), Expected: "a use within " + span(limit) + " (" + whose + ")", Got: span(idle) + " ago"}
	switch {
	case idle > limit:
		return check.Wrong(fmt.Sprintf("The refresh token has ended: it lives %s unused, and was last used %s ago", span(limit), span(idle)), "The next refresh is refused, and the person must sign in again.", p)
	case idle > limit*8/10 && limit > time.Hour:
		return check.Wrong(fmt.Sprintf("The refresh token ends in %s unless it is used", span(limit-idle)), "Then the person must sign in again.", p).As(usher.SeverityLow)
	}
	p.Expected = ""
	return check.OK(fmt.Sprintf("It was last used %s ago and lives %s.", span(idle), span(limit)), p)
}

// idleLimit says how long a refresh token lives unused, and whose word that is.
// Zero is unknown, negative for ever.
func idleLimit(t *check.Target, c *check.TokenCall) (limit time.Duration, whose, place string) {
	for _, name := range [...]string{"refresh_expires_in", "refresh_token_expires_in"} {
		if raw, there := c.Response.Raw[name]; there {
			if f, ok := number(string(raw)); ok {
				if f == 0 {
					return -1, "its answer", c.Response.Place
				}
				return duration(f), name + " of its answer", c.Response.Place
			}
		}
	}
	if t.Provider == nil {
		return 0, "", ""
	}
	if inBrowser(t, c) {
		if l, ok := t.Provider.Limits[knowledge.LimitSPARefreshHours]; ok {
			return time.Duration(l.Value) * time.Hour, "what " + t.Provider.Title + " gives browser apps", ""
		}
	}
	if l, ok := t.Provider.Limits[knowledge.LimitRefreshIdleDays]; ok && l.Value > 0 && l.Value < 36500 {
		return time.Duration(l.Value) * 24 * time.Hour, "what is known of " + t.Provider.Title, ""
	}
	return 0, "", ""
}

// inBrowser tells whether a token call is that of a browser app.
func inBrowser(t *check.Target, c *check.TokenCall) bool {
	if c.Exchange != nil && c.Exchange.Request.Get("Origin") != "" {
		return true
	}
	id := clientOfCall(c)
	return id != "" && slices.ContainsFunc(t.Registrations, func(r *evidence.Registration) bool {
		browser, _ := browserApp(r)
		return r.ClientID == id && browser
	})
}

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
