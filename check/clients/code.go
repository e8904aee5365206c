package clients

import (
	"fmt"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/oauth"
	"usher/provider/knowledge"
)

var codeOnce = &check.Check{
	ID: "code-once", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The client redeems a code once",
	Judged: "Whether two token requests hold the same code, or the provider says that a code was redeemed before.",
	Cause:  causeCodeReused, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Redeem a code in one place and once: let a second visit of the callback find the session that the first one made, and do not retry a redemption by itself."),
	},
	References: []string{"RFC 6749 section 4.1.2"},
	Judge:      judgeCodeOnce,
}

func judgeCodeOnce(t *check.Target) []check.Verdict {
	var b book
	first := map[usher.Secret]*check.TokenCall{}
	for c := range tokenCalls(t) {
		code := c.Request.Code
		if code == "" || c.Request.GrantType != oauth.GrantAuthorizationCode {
			continue
		}
		was := first[code]
		switch {
		case was != nil && sameCall(was, c):
			b.add(c.Request.ClientID, check.Unknown(check.NeedTokenRequest, "the code stands in two requests without times, which may be one that was given twice", proof(was.Place, "code="+code.Fingerprint(), "", ""), proof(c.Place, "code="+code.Fingerprint(), "", "")))
		case was != nil:
			v := check.Wrong(theClient(c.Request.ClientID)+" redeems one code twice", "A double click, a prefetch, a reload of the callback or a retry. The provider refuses the second request and may revoke what the first one gave.",
				proof(was.Place, "code="+code.Fingerprint(), "", ""), proof(c.Place, "code="+code.Fingerprint(), "a code once", "again"))
			if gap := c.Time.Sub(was.Time); gap >= 0 {
				v.Detail = "The second request came " + spoken(gap) + " after the first. " + v.Detail
			}
			b.add(c.Request.ClientID, v)
		case causeOf(t, errorOf(c)) == causeCodeReused:
			b.add(c.Request.ClientID, check.Wrong("The provider says that the code of "+whom(c.Request.ClientID)+" was redeemed before", "Another request of the app, or another instance of it, was first.", proof(placeOf(c), quoteOf(errorOf(c)), "", "")))
		default:
			b.add(c.Request.ClientID, check.OK("the code was sent once", proof(c.Place, "code="+code.Fingerprint(), "", "")))
		}
		if was == nil && len(first) < 10_000 {
			first[code] = c
		}
	}
	for _, e := range t.Events {
		if e == nil || !e.Refused() {
			continue
		}
		if c := lookup(t, e.StatusCode); c != nil && c.Cause == causeCodeReused && c.Confidence >= usher.Confident {
			b.add(e.Client.UID, check.Wrong("The log shows a code of "+e.Client.String()+" that was redeemed before", c.Meaning, proof(check.RecordPlace(e), e.StatusCode, "", "")))
		}
	}
	return b.or(check.Unknown(check.NeedTokenRequest, ""))
}

func spoken(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.1f seconds", d.Seconds())
	}
	return days(d)
}

var codeFresh = &check.Check{
	ID: "code-fresh", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The client redeems a code in time",
	Judged: "The time between the answer with the code and the token request, against the life that the provider gives a code, at most ten minutes.",
	Needs:  []check.Need{check.NeedTokenRequest},
	Cause:  causeCodeExpired, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Redeem the code at once, in the request that brings it; look for queues, cold starts and people who reload an old address."),
	},
	References: []string{"RFC 6749 section 4.1.2"},
	Judge: func(t *check.Target) []check.Verdict {
		var b book
		for c := range tokenCalls(t) {
			if c.Request.Code != "" && c.Request.GrantType == oauth.GrantAuthorizationCode {
				b.add(c.Request.ClientID, judgeFresh(t, c))
			}
		}
		return b.or(check.NotApplicable("no token request that was given has a code"))
	},
}

func judgeFresh(t *check.Target, c *check.TokenCall) check.Verdict {
	most, whose := 10*time.Minute, "the ten minutes that the standard allows"
	if t.Provider != nil {
		if l := t.Provider.Limits[knowledge.LimitCodeSeconds]; l.Value > 0 {
			most, whose = time.Duration(l.Value)*time.Second, "the life of a code at "+t.Provider.Title
		}
	}
	var gap time.Duration
	timed := false
	if a := t.SignInBefore(c); a != nil {
		when := a.Returned
		if when.IsZero() && a.Response != nil && a.Exchange != nil && a.Exchange.Status/100 == 3 {
			when = a.Time
		}
		if !when.IsZero() && !c.Time.IsZero() && !c.Time.Before(when) {
			gap, timed = c.Time.Sub(when), true
		}
	}
	here := proof(c.Place, "code", "at most "+spoken(most), "")
	if timed {
		here.Got = spoken(gap)
	}
	switch {
	case granted(c):
		return check.OK("it was in time: the provider gave a token", here)
	case timed && gap > most:
		return check.Wrong(theClient(c.Request.ClientID)+" redeems a code after "+spoken(gap), "That is more than "+whose+".", here)
	case causeOf(t, errorOf(c)) == causeCodeExpired && len(errorOf(c).Codes) > 0:
		v := check.Wrong("The provider says that the code of "+whom(c.Request.ClientID)+" ran out", "When the code came is not known: a queue, a cold start, or a reload of an old address lies between.", proof(placeOf(c), quoteOf(errorOf(c)), "", ""), here)
		if timed {
			v.Detail = "It was redeemed " + spoken(gap) + " after it came: if that is soon, another instance, a cache or a reload sent an old one."
		}
		return v
	case timed:
		return check.OK("it was redeemed in time", here)
	}
	return check.Unknown(check.NeedAuthResponse, "when the code came is not known; a HAR of the whole sign-in shows it", here)
}

var tokenEndpointRedirectURI = &check.Check{
	ID: "token-endpoint-redirect-uri", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "Both requests name the same redirect URI",
	Judged: "redirect_uri of the token request against that of the authorization request, byte for byte.",
	Needs:  []check.Need{check.NeedAuthRequest, check.NeedTokenRequest},
	Cause:  causeRedirect, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Keep the redirect URI of the authorization request with its state, and send the same string with the code."),
	},
	References: []string{"RFC 6749 section 4.1.3", "OAuth 2.1 draft section 10.2"},
	Judge: func(t *check.Target) []check.Verdict {
		var b book
		for c := range tokenCalls(t) {
			if c.Request.GrantType == oauth.GrantAuthorizationCode {
				b.add(c.Request.ClientID, judgeBothURIs(t, c))
			}
		}
		return b.or(check.NotApplicable("no token request that was given has a code"))
	},
}

func judgeBothURIs(t *check.Target, c *check.TokenCall) check.Verdict {
	a := requestOf(t, c)
	got := c.Request.RedirectURI
	if a == nil {
		return check.Unknown(check.NeedAuthRequest, "which authorization request the code comes from cannot be told", proof(c.Place, "redirect_uri="+got, "", ""))
	}
	want := a.Request.RedirectURI
	p := []usher.Proof{proof(a.Place, "redirect_uri="+want, "", ""), proof(c.Place, "redirect_uri="+got, want, got)}
	switch {
	case pushed(a.Request) && want == "":
		return check.Unknown(check.NeedAuthRequest, "the parameters of the authorization request were pushed, or lie in a signed object", p...)
	case got == want:
		return check.OK("they are the same", p...)
	case want == "":
		return check.OK("the authorization request named none, so the provider compares with the registration", p...)
	case got == "" && granted(c):
		return check.OK("the token request names none, and the provider does not ask for it (as in OAuth 2.1)", p...)
	case got == "":
		return check.Wrong("The token request names no redirect_uri, the authorization request named "+want, "A provider of OAuth 2.0 refuses the code then; one of OAuth 2.1 does not look.", p...).
			Do("Send redirect_uri=" + want + " with the code.")
	}
	detail := "The provider compares them byte for byte and refuses the code."
	switch {
	case strings.TrimSuffix(got, "/") == strings.TrimSuffix(want, "/"):
		detail = "They differ in the slash at the end. " + detail
	case strings.EqualFold(got, want):
		detail = "They differ in upper and lower case. " + detail
	case strings.TrimPrefix(got, "http://") == strings.TrimPrefix(want, "https://"):
		detail = "They differ in http and https: behind a proxy the app does not know its own address (X-Forwarded-Proto). " + detail
	}
	v := check.Wrong("The token request names "+got+", the authorization request named "+want, detail, p...).Do("Send redirect_uri=" + want + " with the code.")
	if granted(c) {
		v.Detail = "This provider gave a token all the same, so it does not compare; another one refuses the code."
		return v.As(usher.SeverityMedium)
	}
	return v
}
