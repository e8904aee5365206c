package tokens

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
	"usher/token"
)

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
		return check.Wrong("The app refreshes in the first half of the token's life", "It throws good tokens away. Providers throttle that, and every refresh is a chance to lose the refresh token.", p)
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
