package transport

import (
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"usher"
	"usher/check"
)

var tokenNoStore = &check.Check{
	ID: "token-response-no-store", Group: check.GroupTransport, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Answers with tokens or personal data are not kept by caches",
	Judged: "Cache-Control of the answers of the token, introspection and UserInfo endpoints must say no-store.",
	Cause:  "",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Tightening("Send Cache-Control: no-store with these answers; look whether a proxy takes it away.")},
	References: []string{"RFC 6749 section 5.1", "RFC 7662 section 4"},
	Judge:      func(t *check.Target) []check.Verdict { return check.Only(noStore(t)) },
}

func noStore(t *check.Target) check.Verdict {
	var wrong, fine []usher.Proof
	seen := 0
	look := func(place string, h http.Header) {
		if len(h) == 0 || seen > 500 {
			return
		}
		seen++
		value := strings.Join(h.Values("Cache-Control"), ", ")
		p := usher.Proof{Place: place, Quote: "Cache-Control: " + check.Clip(value, 120), Expected: "no-store", Got: check.Clip(value, 120)}
		if value == "" {
			p.Quote, p.Got = "no Cache-Control", "absent"
		}
		if check.Directive(value, "no-store") {
			fine = append(fine, p)
		} else {
			wrong = append(wrong, p)
		}
	}
	for _, c := range t.TokenCalls {
		if x := c.Exchange; x != nil && x.Status == 200 {
			look(c.Place, x.Header)
		}
	}
	for _, c := range t.Introspected {
		if x := c.Exchange; x != nil && x.Status == 200 {
			look(c.Place, x.Header)
		}
	}
	for _, a := range t.Answers {
		switch a.Role {
		case "token":
			if len(t.TokenCalls) > 0 {
				continue // seen above
			}
		case "introspect", "introspection":
			if len(t.Introspected) > 0 {
				continue
			}
		case "userinfo":
		default:
			continue
		}
		if a.Status == 200 {
			look(placeOf(a), a.Header)
		}
	}
	switch {
	case len(wrong) > 0:
		return check.Wrong(check.Count(len(wrong), "answer with tokens or personal data", "answers with tokens or personal data")+" may be kept by a cache", "A proxy or a browser may keep it and hand it to the next one who asks.", wrong...)
	case len(fine) > 0:
		return check.OK("", fine...)
	case t.Has(check.NeedTokenResponse):
		return check.Unknown(check.NeedHeaders, "the answer was given without its headers")
	}
	return check.Unknown(check.NeedTokenResponse, "")
}

var redirect307 = &check.Check{
	ID: "redirect-307", Group: check.GroupTransport, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The sign-in form is not sent on by 307",
	Judged: "After a POST the authorization endpoint must redirect with 302 or 303: 307 and 308 send the form with the password on.",
	Step:   usher.StepAuthResponse, Fixer: usher.FixerProvider,
	Fix:        []usher.FixStep{check.Tightening("Redirect with 303 after a form.")},
	References: []string{"RFC 9700 section 4.12"},
	Judge: func(t *check.Target) []check.Verdict {
		var fine []usher.Proof
		for _, c := range t.AuthCalls {
			x := c.Exchange
			if x == nil || x.Method != http.MethodPost || x.Status < 300 || x.Status > 399 || !holdsSignIn(x.RequestBody) {
				continue
			}
			p := usher.Proof{Place: c.Place, Quote: x.Method + " " + bare(x.URL) + ": " + strconv.Itoa(x.Status), Expected: "303 or 302", Got: strconv.Itoa(x.Status)}
			if x.Status == 307 || x.Status == 308 {
				return check.Only(check.Wrong("The provider sends the sign-in form on with "+p.Got, "The browser repeats the form, with name and password, to the address that the app named.", p))
			}
			fine = append(fine, p)
		}
		for _, a := range t.Answers {
			if a.Role != "authorization" || !strings.HasPrefix(a.Place, "POST ") || a.Status < 300 || a.Status > 399 {
				continue
			}
			p := usher.Proof{Place: placeOf(a), Quote: "status " + strconv.Itoa(a.Status), Expected: "303 or 302", Got: strconv.Itoa(a.Status)}
			if a.Status == 307 || a.Status == 308 {
				return check.Only(check.Wrong("The provider sends the sign-in form on with "+p.Got, "The browser repeats the form, with name and password, to the address that the app named.", p))
			}
			fine = append(fine, p)
		}
		if len(fine) == 0 {
			return check.Only(check.Unknown(check.NeedAuthResponse, "no form of the sign-in was seen"))
		}
		return check.Only(check.OK("", fine...))
	},
}

// holdsSignIn tells whether a form may hold a password or a code of a second
// factor. One that is an authorization request and nothing more does not
// (OpenID Connect Core section 3.1.2.1 lets it be posted).
func holdsSignIn(form string) bool {
	if !strings.Contains(form, "response_type=") && !strings.Contains(form, "request_uri=") {
		return true
	}
	lower := strings.ToLower(form)
	for _, field := range [...]string{"pass", "pwd", "otp", "pin="} {
		if strings.Contains(lower, field) {
			return true
		}
	}
	return false
}

var clickjacking = &check.Check{
	ID: "clickjacking-login", Group: check.GroupTransport, Mode: check.Passive, Severity: usher.SeverityMedium,
	Title:  "The sign-in page cannot be framed",
	Judged: "Content-Security-Policy with frame-ancestors, or X-Frame-Options, with the page of the authorization endpoint.",
	Needs:  []check.Need{check.NeedHeaders},
	Step:   usher.StepSignIn, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Send Content-Security-Policy: frame-ancestors 'none' (or the pages that may frame it), and X-Frame-Options: DENY for old browsers, with the sign-in page."),
	},
	References: []string{"RFC 9700 section 4.16", "RFC 6749 section 10.13"},
	Probe:      &check.Probe{What: "GET of the authorization endpoint for the client", Safety: check.S0},
	Judge: func(t *check.Target) []check.Verdict {
		for _, a := range t.Answers {
			if a.Role != "authorization" || a.Status != 200 || !strings.Contains(a.Header.Get("Content-Type"), "html") {
				continue
			}
			csp := strings.ToLower(strings.Join(a.Header.Values("Content-Security-Policy"), "; "))
			xfo := strings.ToUpper(strings.TrimSpace(a.Header.Get("X-Frame-Options")))
			switch {
			case strings.Contains(csp, "frame-ancestors") && !anyAncestor(csp):
				return check.Only(check.OK("", header(a, "Content-Security-Policy", "")))
			case strings.Contains(csp, "frame-ancestors"):
				return check.Only(check.Wrong("Every page may frame the sign-in page", framed, header(a, "Content-Security-Policy", "frame-ancestors 'none' or 'self'")))
			case xfo == "DENY" || xfo == "SAMEORIGIN":
				return check.Only(check.OK("", header(a, "X-Frame-Options", "")))
			}
			return check.Only(check.Wrong("Any page may frame the sign-in page", framed, header(a, "Content-Security-Policy", "frame-ancestors"), header(a, "X-Frame-Options", "DENY")))
		}
		return check.Only(check.Unknown(check.NeedClient, "the sign-in page was not seen"))
	},
}

const framed = "A page of somebody else can lay itself over it and steal the click on consent."

func anyAncestor(csp string) bool {
	_, rest, _ := strings.Cut(csp, "frame-ancestors")
	rest, _, _ = strings.Cut(rest, ";")
	for _, source := range strings.Fields(rest) {
		if source == "*" || source == "https:" || source == "http:" {
			return true
		}
	}
	return false
}

var referrerLeak = &check.Check{
	ID: "referrer-leak", Group: check.GroupTransport, Mode: check.Passive, Severity: usher.SeverityMedium,
	Title:  "The callback page does not give the code away as referrer",
	Judged: "Referrer-Policy of the callback page, and the scripts that it loads; a callback that redirects on at once is in order.",
	Needs:  []check.Need{check.NeedHeaders},
	Step:   usher.StepAuthResponse, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Send Referrer-Policy: no-referrer with the callback, and redirect to an address without the code as soon as it is redeemed."),
		check.Tightening("Load nothing of others (fonts, counters, scripts) on the callback page."),
	},
	References: []string{"RFC 9700 section 4.2.4"},
	Probe:      &check.Probe{What: "GET of the app's own callback address without parameters", Safety: check.S0},
	Judge: func(t *check.Target) []check.Verdict {
		var fine, wrong []usher.Proof
		for _, a := range t.Answers {
			if a.Role != "callback" || a.Status == 0 || a.Status >= 500 {
				continue
			}
			p := header(a, "Referrer-Policy", "no-referrer or strict-origin")
			if script := foreignScript(a); script != "" {
				return check.Only(check.Wrong("The callback page runs a script of "+script, "A script of others on this page reads its address, with the code in it, whatever the policy says.",
					usher.Proof{Place: placeOf(a), Quote: "a script from " + script, Expected: "scripts of its own alone", Got: script}))
			}
			if a.Status >= 300 && a.Status < 400 {
				p.Quote, p.Got, p.Expected = "status "+strconv.Itoa(a.Status), "", ""
				fine = append(fine, p)
				continue
			}
			if safePolicy(a.Header.Values("Referrer-Policy")) {
				fine = append(fine, p)
			} else {
				wrong = append(wrong, p)
			}
		}
		switch {
		case len(wrong) > 0:
			return check.Only(check.Wrong("The callback page says nothing safe about referrers", "What it loads or links to learns its address, with the code in it.", wrong...))
		case len(fine) > 0:
			return check.Only(check.OK("", fine...))
		}
		return check.Only(check.Unknown(check.NeedClient, "the callback page was not looked at"))
	},
}

// foreignScript gives the host of a script that a page loads from elsewhere.
func foreignScript(a *check.Answer) string {
	u, err := url.Parse(a.URL)
	if err != nil || a.Body == "" {
		return ""
	}
	body := strings.ToLower(a.Body)
	for range 200 {
		_, rest, ok := strings.Cut(body, "<script")
		if !ok {
			return ""
		}
		tag, after, _ := strings.Cut(rest, ">")
		body = after
		_, src, ok := strings.Cut(tag, "src=")
		if !ok {
			continue
		}
		src = strings.TrimLeft(src, `"' `)
		if i := strings.IndexAny(src, `"' `); i >= 0 {
			src = src[:i]
		}
		if s, err := u.Parse(src); err == nil && s.Host != "" && !strings.EqualFold(s.Hostname(), u.Hostname()) {
			return check.Clip(s.Hostname(), 100)
		}
	}
	return ""
}

// safePolicy tells whether the last known word of a policy keeps the path of an
// address from others.
func safePolicy(values []string) bool {
	safe := false
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		switch strings.ToLower(strings.TrimSpace(part)) {
		case "no-referrer", "same-origin", "strict-origin", "origin", "strict-origin-when-cross-origin", "origin-when-cross-origin":
			safe = true
		case "unsafe-url", "no-referrer-when-downgrade":
			safe = false
		}
	}
	return safe
}

var hsts = &check.Check{
	ID: "hsts", Group: check.GroupTransport, Mode: check.Passive, Severity: usher.SeverityLow,
	Title:  "Browsers are told to come by https alone",
	Judged: "Strict-Transport-Security of the hosts that a browser visits: sign-in and callback.",
	Needs:  []check.Need{check.NeedHeaders},
	Step:   usher.StepSignIn, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Tightening("Send Strict-Transport-Security: max-age=31536000 from these hosts.")},
	References: []string{"RFC 6797 section 7.1"},
	Probe:      &check.Probe{What: "GET of what is public on these hosts", Safety: check.S0},
	Judge:      func(t *check.Target) []check.Verdict { return check.Only(strict(t)) },
}

func strict(t *check.Target) check.Verdict {
	signIn := map[string]bool{}
	for _, m := range t.Metadata {
		if u, err := url.Parse(m.AuthorizationEndpoint); err == nil {
			signIn[u.Host] = true
		}
	}
	with, without := map[string]usher.Proof{}, map[string]usher.Proof{}
	var order []string
	nameless := false
	for _, a := range t.Answers {
		u, err := url.Parse(a.URL)
		if err != nil || a.Status == 0 || a.Role != "callback" && a.Role != "authorization" && !signIn[u.Host] {
			continue
		}
		if _, err := netip.ParseAddr(u.Hostname()); err == nil || loopback(u.Host) {
			nameless = true // HSTS knows names alone
			continue
		}
		if u.Scheme != "https" {
			continue // said over http it does not count
		}
		p := header(a, "Strict-Transport-Security", "max-age")
		if _, seen := with[u.Host]; !seen {
			if _, seen := without[u.Host]; !seen {
				order = append(order, u.Host)
			}
		}
		if v := a.Header.Get("Strict-Transport-Security"); v != "" && !strings.Contains(strings.ReplaceAll(v, " ", ""), "max-age=0") {
			with[u.Host] = p
		} else {
			without[u.Host] = p
		}
	}
	var wrong, fine []usher.Proof
	for _, host := range order {
		if p, ok := with[host]; ok {
			fine = append(fine, p)
		} else {
			wrong = append(wrong, without[host])
		}
	}
	switch {
	case len(wrong) > 0:
		return check.Wrong(check.Count(len(wrong), "host", "hosts")+" of sign-in or callback without HSTS", "The first visit by http can be turned aside before it is sent on to https.", wrong...)
	case len(fine) > 0:
		return check.OK("", fine...)
	case nameless:
		return check.NotApplicable("the hosts are this machine or have no names, which HSTS does not know")
	}
	return check.Unknown(check.NeedNetwork, "no answer of these hosts was seen over https")
}
