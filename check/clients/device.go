package clients

import (
	"fmt"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

var grantDeviceExposure = &check.Check{
	ID: "grant-device-exposure", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Device codes are for devices only",
	Judged: "Whether an app with a browser of its own may use device codes, and whether the log shows device sign-ins from places where their user is not.",
	Step:   usher.StepSignIn, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Switch the device grant off for apps that have a browser; for the others allow it by policy to known users, devices and networks: it is used for phishing."),
	},
	References: []string{"RFC 8628 section 5.4"},
	Judge:      judgeDevice,
}

func judgeDevice(t *check.Target) []check.Verdict {
	var b book
	for _, r := range t.Registrations {
		if r == nil || r.ClientID == "" {
			continue
		}
		kind := kindOf(r)
		on := hasGrant(r.GrantTypes, oauth.GrantDeviceCode)
		webLike := kind == kindWeb || kind == kindBrowser || kind == kindUnknown && hasGrant(r.GrantTypes, oauth.GrantAuthorizationCode) && allHTTPS(r)
		switch {
		case on && webLike:
			b.add(r.ClientID, check.Wrong("The device grant is on for "+nameOf(r)+", which has a browser", "Nobody needs a code from another screen there, and whoever talks a person into typing one gets the person's tokens.",
				proof(r.Place, "grant_types: "+strings.Join(r.GrantTypes, ", "), "without device_code", "device_code")))
		case on && (kind == kindNative || kind == kindService):
			b.add(r.ClientID, check.OK("the app may need it", proof(r.Place, "grant_types: "+strings.Join(r.GrantTypes, ", "), "", "")))
		case on:
			b.add(r.ClientID, check.Unknown(check.NeedLogs, "the grant is on, and what kind of app it is for is not told"))
		case listsGrants(r) && listed(r, oauth.GrantDeviceCode):
			b.add(r.ClientID, check.OK("it is not among the grants", proof(r.Place, "grant_types: "+strings.Join(r.GrantTypes, ", "), "", "")))
		default:
			b.add(r.ClientID, check.Unknown(check.NeedLogs, "the registration does not say; the sign-in log shows its use"))
		}
	}
	deviceAbroad(t, &b)
	return b.or(check.Unknown(check.NeedRegistration, ""))
}

// allHTTPS tells whether every redirect URI leads to a server on the web.
func allHTTPS(r *evidence.Registration) bool {
	for _, u := range r.RedirectURIs {
		if !strings.HasPrefix(u.URI, "https://") {
			return false
		}
	}
	return len(r.RedirectURIs) > 0
}

func deviceFlow(e *usher.Event) bool {
	return grant(e.OAuth.GrantType) == oauth.GrantDeviceCode || strings.EqualFold(e.OAuth.OriginFlow, "deviceCodeFlow") || strings.EqualFold(e.Protocol, "deviceCode")
}

// deviceAbroad looks for device sign-ins from a country where the user was
// otherwise not seen.
func deviceAbroad(t *check.Target, b *book) {
	type user struct{ id, country string }
	seen := map[user]bool{}
	anywhere := map[string]bool{}
	for _, e := range t.Events {
		if e == nil || e.Source.Country == "" || deviceFlow(e) || e.Status != usher.StatusSuccess || len(seen) > 100_000 {
			continue
		}
		if id := party(e.User); id != "" {
			seen[user{id, e.Source.Country}] = true
			anywhere[id] = true
		}
	}
	for _, e := range t.Events {
		if e == nil || !deviceFlow(e) || e.Status != usher.StatusSuccess {
			continue
		}
		id := party(e.User)
		here := proof(check.RecordPlace(e), "device code sign-in of "+e.User.String(), "", e.Source.Country)
		switch {
		case id == "" || e.Source.Country == "" || !anywhere[id]:
			b.add(e.Client.UID, check.Unknown(check.NeedLogs, "a device sign-in was seen; where its user signs in otherwise is not in the log", here))
		case !seen[user{id, e.Source.Country}]:
			b.add(e.Client.UID, check.Wrong("A device code sign-in of "+e.User.String()+" came from "+e.Source.Country+", where the user is not seen otherwise", "That is how device code phishing looks: the person typed a code, and somebody elsewhere got the tokens.", here).
				As(usher.SeverityHigh).Do("Ask the user; if it was not meant, revoke the user's sessions and refresh tokens, and block the device flow by policy."))
		default:
			b.add(e.Client.UID, check.OK("device sign-ins come from where their users are", here))
		}
	}
}

func party(p usher.Party) string {
	if p.UID != "" {
		return p.UID
	}
	return p.Name
}

var devicePolling = &check.Check{
	ID: "device-polling", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "The device asks as often as it was told",
	Judged: "The times between token requests with one device code: the interval is kept, slow_down adds five seconds, and the client stops when it is told to.",
	Needs:  []check.Need{check.NeedTokenRequest},
	Cause:  "throttled", Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Wait for interval seconds between requests (five, where the answer names none), five more after each slow_down, and stop at expires_in or at any other error."),
	},
	References: []string{"RFC 8628 section 3.5"},
	Judge:      judgePolling,
}

// polls is what one device code was asked for.
type polls struct {
	last *check.TokenCall
	gap  time.Duration // the shortest so far
}

func judgePolling(t *check.Target) []check.Verdict {
	var b book
	by := map[string]*polls{}
	any := false
	for c := range tokenCalls(t) {
		any = true
		code := c.Request.Params.Get("device_code")
		if grant(c.Request.GrantType) != oauth.GrantDeviceCode || code == "" || len(by) > 1000 {
			continue
		}
		p := by[code]
		if p == nil {
			p = &polls{}
			by[code] = p
		}
		if v, told := p.ask(c); told {
			b.add(c.Request.ClientID, v)
		}
	}
	switch {
	case len(b.list) > 0:
		return b.list
	case len(by) > 0:
		return []check.Verdict{check.Unknown(check.NeedTokenRequest, "one request was seen; the times between several are needed")}
	case any:
		return []check.Verdict{check.NotApplicable("no token request that was given has a device code")}
	}
	return []check.Verdict{check.Unknown(check.NeedTokenRequest, "")}
}

// ask notes one request and judges the time since the one before.
func (p *polls) ask(c *check.TokenCall) (check.Verdict, bool) {
	was := p.last
	p.last = c
	if was == nil {
		return check.Verdict{}, false
	}
	e := errorOf(was)
	if e != nil && (e.Code == oauth.ErrExpiredToken || e.Code == oauth.ErrAccessDenied) {
		return check.Wrong("The device goes on asking after "+e.Code, "The provider has said the last word on this code.", proof(was.Place, e.Code, "a stop", "another request"), proof(c.Place, "device_code", "", "")), true
	}
	if was.Time.IsZero() || c.Time.IsZero() {
		return check.Verdict{}, false
	}
	gap := c.Time.Sub(was.Time)
	before := p.gap
	if p.gap == 0 || gap < p.gap {
		p.gap = gap
	}
	slow := e != nil && e.Code == oauth.ErrSlowDown
	switch {
	case slow && before > 0 && gap < before+4*time.Second:
		return check.Wrong("The device does not slow down when it is told to", "slow_down adds five seconds to the interval for good.", proof(was.Place, oauth.ErrSlowDown, seconds(before+5*time.Second), seconds(gap)), proof(c.Place, "the next request", "", "")), true
	case slow && gap < 5*time.Second:
		return check.Wrong("The device does not slow down when it is told to", "slow_down adds five seconds to the interval for good.", proof(was.Place, oauth.ErrSlowDown, "more than 5 s", seconds(gap)), proof(c.Place, "the next request", "", "")), true
	case gap >= 0 && gap < 900*time.Millisecond:
		return check.Wrong("The device asks every "+seconds(gap), "The shortest interval that a provider can name is a second, and without a name it is five.", proof(c.Place, "time since the last request", "5 s", seconds(gap))), true
	}
	return check.OK("it waits between requests", proof(c.Place, "time since the last request", "", seconds(gap))), true
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
