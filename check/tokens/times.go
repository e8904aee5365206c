package tokens

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/provider/knowledge"
	"usher/token"
)

var expired = &check.Check{
	ID: "token-expired", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The token is not past its end",
	Judged: "exp, with a minute for clocks that differ, lies after the time when the token was used; where no use is known, after now.",
	Needs:  []check.Need{check.NeedToken}, Cause: "token-expired", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Refresh before the end: keep the time of expires_in with the token, and refresh a minute earlier."),
		check.Neutral("If the token has just come, set the clock of the machine that judges it (NTP)."),
		check.Tightening("If something accepted it: let it check exp."),
	},
	References: []string{"RFC 7519 section 4.1.4"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, signed, func(tok *check.Token, kind token.Type, _ *token.Report) check.Verdict {
			now, when := t.ClockOf(tok)
			whose := cmp.Or(when, ourClock)
			if tok.Claims == nil {
				return expiredOpaque(t, tok, kind)
			}
			exp, there := seconds(tok, "exp")
			if !there {
				return check.Unknown(check.NeedNothing, "the token does not say when it ends", usher.Proof{Place: at(tok.Place, "claims"), Quote: "no exp that is a number"})
			}
			if exp >= 1e12 {
				return check.Unknown(check.NeedNothing, "exp is no number of seconds, see token-lifetime", claim(tok, "exp", "seconds since 1970"))
			}
			end := time.Unix(int64(max(exp, -6e10)), 0).UTC()
			p := claim(tok, "exp", "a time after "+now.UTC().Format(time.RFC3339))
			p.Got = end.Format(time.RFC3339)
			if !now.Before(end.Add(leeway)) {
				title := fmt.Sprintf("The %s expired %s ago", called(kind), span(now.Sub(end)))
				if when != "" {
					title = fmt.Sprintf("The %s had expired %s before, %s", called(kind), span(now.Sub(end)), whose)
				}
				detail := fmt.Sprintf("It ended at %s; the time is %s %s.", end.Format(time.RFC3339), now.UTC().Format(time.RFC3339), whose)
				if end.Year() < 1990 {
					detail += " A year like that is no lifetime that ran out: the issuer writes a wrong number, or the token was made by hand."
				}
				return check.Wrong(title, detail, p)
			}
			p.Expected = ""
			return check.OK(fmt.Sprintf("It ends at %s, %s after the time it is judged at (%s).", end.Format(time.RFC3339), span(end.Sub(now)), whose), p)
		})
	},
}

const (
	leeway   = time.Minute
	ourClock = "by our clock"
)

// expiredOpaque judges a token that cannot be read by what its answer said.
func expiredOpaque(t *check.Target, tok *check.Token, kind token.Type) check.Verdict {
	if tok.Call == nil || tok.Call.Response == nil || tok.Call.Time.IsZero() || kind == token.TypeID {
		return check.Unknown(check.NeedIntrospection, "the token cannot be read, and nothing else says when it ends")
	}
	life, ok := number(tok.Call.Response.ExpiresIn)
	if !ok {
		return check.Unknown(check.NeedIntrospection, "the token cannot be read, and its answer does not say when it ends")
	}
	now, when := t.ClockOf(tok)
	whose := cmp.Or(when, ourClock)
	end := tok.Call.Time.Add(duration(life))
	p := usher.Proof{Place: tok.Call.Response.Place, Quote: "expires_in: " + token.Printable(tok.Call.Response.ExpiresIn), Expected: "an end after " + now.UTC().Format(time.RFC3339), Got: end.UTC().Format(time.RFC3339)}
	if now.After(end.Add(leeway)) {
		return check.Wrong(fmt.Sprintf("The access token had expired %s before, %s", span(now.Sub(end)), whose), "By the lifetime that its answer told.", p)
	}
	p.Expected = ""
	return check.OK("By the lifetime that its answer told, it is still good "+whose+".", p)
}

// number reads expires_in, also where it stands in quotes.
func number(s string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.Trim(strings.TrimSpace(s), `"`), 64)
	return f, err == nil && f == f
}

// duration makes a length of time of seconds, within what a year or a hundred hold.
func duration(seconds float64) time.Duration {
	const most = 100 * 365 * 86400
	return time.Duration(min(max(seconds, -most), most) * float64(time.Second))
}

var notYet = &check.Check{
	ID: "token-not-yet", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The token is not used before its start",
	Judged: "nbf and iat do not lie in the future, with a minute for clocks that differ.",
	Needs:  []check.Need{check.NeedToken}, Cause: "token-not-yet-valid", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Set the clocks of issuer and reader by NTP; in containers and virtual machines that of the host."),
		check.Neutral("Give the verifier a leeway of a minute, not more than five."),
	},
	References: []string{"RFC 7519 section 4.1.5", "RFC 7519 section 4.1.6"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, signed, func(tok *check.Token, kind token.Type, _ *token.Report) check.Verdict {
			if v, ok := readable(tok); !ok {
				return v
			}
			now, when := t.ClockOf(tok)
			whose := cmp.Or(when, ourClock)
			looked := ""
			for _, name := range [...]string{"nbf", "iat"} {
				at, there := seconds(tok, name)
				if !there || at >= 1e12 {
					continue
				}
				looked = name
				start := time.Unix(int64(max(at, -6e10)), 0).UTC()
				if ahead := start.Sub(now); ahead > leeway {
					p := claim(tok, name, "a time up to "+now.UTC().Format(time.RFC3339))
					p.Got = start.Format(time.RFC3339)
					says := "becomes valid"
					if name == "iat" {
						says = "says that it was issued"
					}
					return check.Wrong(fmt.Sprintf("The %s %s %s in the future", called(kind), says, span(ahead)),
						fmt.Sprintf("%s is %s; the time is %s %s. Minutes mean that a clock is wrong, hours a time zone taken for UTC.", name, start.Format(time.RFC3339), now.UTC().Format(time.RFC3339), whose), p)
				}
			}
			if looked == "" {
				return check.Unknown(check.NeedNothing, "the token has neither nbf nor iat")
			}
			return check.OK("Neither nbf nor iat lies in the future.", claim(tok, looked, ""))
		})
	},
}

var lifetime = &check.Check{
	ID: "token-lifetime", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The lifetime of access tokens is within policy",
	Judged: "From iat to exp, and in expires_in: not longer than the operator allows (an hour and a half where nothing was said, or what the provider is known for), times are in seconds, and expires_in does not promise more than exp.",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Shorten the life of access tokens at the provider to between 5 and 60 minutes, and let clients refresh."),
		check.Neutral("Where a time is a thousand times too large, have the issuer write seconds, not milliseconds."),
	},
	References: []string{"RFC 6819 section 5.1.5.3"},
	Judge: func(t *check.Target) []check.Verdict {
		if !t.Has(check.NeedToken) && !t.Has(check.NeedTokenResponse) {
			return []check.Verdict{check.Unknown(check.NeedTokenResponse, "")}
		}
		limit := accessLimit(t)
		read := map[*check.TokenCall]bool{} // whose token told its life itself
		var all verdicts
		for _, v := range each(t, kinds{token.TypeAccess, token.TypeAny}, func(tok *check.Token, kind token.Type, _ *token.Report) check.Verdict {
			if stray(t, tok, kind) {
				return check.Unknown(check.NeedNothing, "nothing says that the token is an access token of the provider")
			}
			v := claimedLife(tok, kind, limit)
			if tok.Call != nil && v.Outcome != usher.OutcomeUnknown && v.Outcome != usher.OutcomeNotApplicable {
				read[tok.Call] = true
			}
			return v
		}) {
			if v.Outcome != usher.OutcomeNotApplicable {
				all.add(v)
			}
		}
		for i, c := range t.TokenCalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			if r := c.Response; r != nil && r.Error == nil && r.AccessToken != "" && r.ExpiresIn != "" && !read[c] {
				all.add(promisedLife(r, limit))
			}
		}
		return all.or(check.Unknown(check.NeedTokenResponse, "neither a token that can be read nor expires_in is there"))
	},
}

const maxCalls = 1000 // calls of one kind that a check looks at

// limit is the longest life of an access token, and whose word that is.
type limit struct {
	life  time.Duration
	slack time.Duration // Entra dates iat back by five minutes
	whose string
}

func accessLimit(t *check.Target) limit {
	l := limit{90 * time.Minute, 5 * time.Minute, "what is usual"}
	if t.Provider != nil {
		if known, ok := t.Provider.Limits[knowledge.LimitAccessMinutes]; ok && known.Value < 1<<20 {
			if life := time.Duration(known.Value) * time.Minute; life > l.life {
				l.life, l.whose = life, "what the provider gives by default"
			}
		}
	}
	if t.Expect != nil && t.Expect.AccessMax > 0 {
		l.life, l.whose = time.Duration(t.Expect.AccessMax), "your limit"
		if t.Provider == nil || t.Provider.Name != "entra" {
			l.slack = 0
		}
	}
	return l
}

func claimedLife(tok *check.Token, kind token.Type, most limit) check.Verdict {
	if v, ok := whole(tok); !ok {
		return v
	}
	exp, hasExp := seconds(tok, "exp")
	iat, hasIat := seconds(tok, "iat")
	if !hasIat {
		iat, hasIat = seconds(tok, "nbf")
	}
	for _, name := range [...]string{"exp", "iat", "nbf"} {
		if f, there := seconds(tok, name); there && f >= 1e12 {
			return check.Wrong(fmt.Sprintf("%s of the token is in milliseconds", name), "Times in a token are seconds since 1970. As it stands, the token lives for tens of thousands of years.", claim(tok, name, "seconds since 1970")).
				Do("Have the issuer divide by 1000 (in JavaScript, Date.now() is in milliseconds).")
		}
	}
	switch {
	case !hasExp:
		return check.Wrong(fmt.Sprintf("The %s never expires: it has no exp", called(kind)), "Whoever once gets hold of it keeps access until the key is withdrawn.", usher.Proof{Place: at(tok.Place, "claims"), Quote: "no exp", Expected: "exp", Got: "nothing"})
	case !hasIat:
		return check.Unknown(check.NeedNothing, "the token does not say when it was issued")
	}
	life := duration(exp - iat)
	p := claim(tok, "exp", "at most "+span(most.life)+" after iat")
	p.Got = span(life) + " after iat"
	if life > most.life+most.slack {
		return check.Wrong(fmt.Sprintf("The %s lives %s, longer than %s (%s)", called(kind), span(life), span(most.life), most.whose),
			"It cannot be taken back before its end, as APIs do not ask the issuer: a stolen one is good for as long, and a role that is withdrawn stays in it.", p)
	}
	p.Expected = ""
	if call := tok.Call; call != nil && call.Response != nil {
		if in, ok := number(call.Response.ExpiresIn); ok && duration(in) > life+time.Minute {
			return check.Wrong(fmt.Sprintf("expires_in promises %s, the token ends after %s", span(duration(in)), span(life)), "The client goes by expires_in and sends the token when it has ended.",
				usher.Proof{Place: call.Response.Place, Quote: "expires_in: " + token.Printable(call.Response.ExpiresIn), Expected: "at most " + span(life), Got: span(duration(in))}, p)
		}
	}
	return check.OK(fmt.Sprintf("It lives %s.", span(life)), p)
}

func promisedLife(r *check.TokenResponse, most limit) check.Verdict {
	in, ok := number(r.ExpiresIn)
	p := usher.Proof{Place: r.Place, Quote: "expires_in: " + token.Printable(r.ExpiresIn), Expected: "at most " + strconv.Itoa(int(most.life.Seconds())) + " seconds", Got: token.Printable(r.ExpiresIn)}
	switch {
	case !ok || in <= 0:
		return check.Verdict{} // token-expires-in says so
	case in >= 1e6 && int64(in)%1000 == 0 && duration(in/1000) <= most.life:
		return check.Wrong(fmt.Sprintf("expires_in is %s: milliseconds instead of seconds", token.Printable(r.ExpiresIn)), fmt.Sprintf("Clients take the token for good for %s.", span(duration(in))), p).
			Do("Have the server write seconds.")
	case in >= 1e9:
		return check.Wrong(fmt.Sprintf("expires_in is %s: a time, not a number of seconds from now", token.Printable(r.ExpiresIn)), "Clients add it to the present time.", p)
	case duration(in) > most.life+most.slack:
		return check.Wrong(fmt.Sprintf("The access token lives %s, longer than %s (%s)", span(duration(in)), span(most.life), most.whose), "A stolen one is good for as long.", p)
	}
	p.Expected = ""
	return check.OK(fmt.Sprintf("expires_in says %s.", span(duration(in))), p)
}

var expiresIn = &check.Check{
	ID: "token-expires-in", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The answer says how long the access token lives",
	Judged: "expires_in is there, is a number and positive, so that the client can refresh in time.",
	Needs:  []check.Need{check.NeedTokenResponse}, Step: usher.StepTokenRequest, Fixer: usher.FixerProvider,
	Fix: []usher.FixStep{
		check.Neutral("Have the server send expires_in, as a number of seconds."),
		check.Neutral("Until then, give the client a lifetime of its own, and let it refresh on 401 once. Refresh a minute before the end."),
	},
	References: []string{"RFC 6749 section 5.1"},
	Judge: func(t *check.Target) []check.Verdict {
		var all verdicts
		for i, c := range t.TokenCalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			r := c.Response
			if r == nil || r.Error != nil || r.AccessToken == "" {
				continue
			}
			all.add(judgeExpiresIn(t, r).Of(clientOfCall(c)))
		}
		return all.or(check.NotApplicable("no answer holds an access token"))
	},
}

func judgeExpiresIn(t *check.Target, r *check.TokenResponse) check.Verdict {
	raw := strings.TrimSpace(string(r.Raw["expires_in"]))
	in, isNumber := number(r.ExpiresIn)
	p := usher.Proof{Place: r.Place, Quote: "expires_in: " + token.Printable(r.ExpiresIn), Expected: "a number of seconds", Got: token.Printable(r.ExpiresIn)}
	var asString string
	switch {
	case r.ExpiresIn == "" && endless(t):
		return check.NotApplicable("the provider's tokens do not end by themselves, unless their rotation is switched on")
	case r.ExpiresIn == "" || raw == "null":
		p.Quote, p.Got = "no expires_in", "nothing"
		return check.Wrong("The answer does not say how long the access token lives: no expires_in",
			"The client learns of the end by a refusal only, or takes the token for good for ever.", p)
	case !isNumber:
		return check.Wrong(fmt.Sprintf("expires_in is %s, no number", token.Printable(r.ExpiresIn)), "Strict clients refuse the whole answer, others take the token for expired at once.", p)
	case in <= 0:
		return check.Wrong(fmt.Sprintf("expires_in is %s: the token has ended when it comes", token.Printable(r.ExpiresIn)), "The client refreshes with every call, or refuses the token.", p)
	case json.Unmarshal([]byte(raw), &asString) == nil && raw != "":
		return check.Wrong(fmt.Sprintf("expires_in is the string %q, not a number", token.Printable(asString)), "Strict clients refuse the whole answer.", p).As(usher.SeverityLow)
	}
	p.Expected = ""
	return check.OK(fmt.Sprintf("The access token lives %s.", span(duration(in))), p)
}

// endless tells whether a provider issues tokens without an end: GitHub's OAuth
// apps, and Slack's apps without token rotation.
func endless(t *check.Target) bool {
	return t.Provider != nil && (t.Provider.Name == "github" || t.Provider.Name == "slack")
}

// clientOfCall gives the client of a token call.
func clientOfCall(c *check.TokenCall) string {
	if c.Request != nil {
		return c.Request.ClientID
	}
	return ""
}
