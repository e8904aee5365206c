package clients

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"usher"
	"usher/check"
)

var responseModeFits = &check.Check{
	ID: "response-mode-fits", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The response mode fits the client",
	Judged: "response_mode against what is asked for, what the provider offers, and what the redirect URI can take.",
	Needs:  []check.Need{check.NeedAuthRequest},
	Step:   usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Leave response_mode out for code in a web app; use form_post where the provider asks for it, with SameSite=None and Secure on the cookie that holds the state."),
	},
	References: []string{"OAuth 2.0 Form Post Response Mode", "OAuth 2.0 Multiple Response Types section 2.1"},
	Judge: func(t *check.Target) []check.Verdict {
		var b book
		for c := range requests(t) {
			if pushed(c.Request) && c.Request.ResponseMode == "" {
				b.add(c.Request.ClientID, check.Unknown(check.NeedAuthRequest, "the parameters were pushed, or lie in a signed object"))
				continue
			}
			b.add(c.Request.ClientID, judgeMode(t, c))
		}
		return b.or(check.Unknown(check.NeedAuthRequest, ""))
	},
}

func judgeMode(t *check.Target, c *check.AuthCall) check.Verdict {
	r := c.Request
	mode := r.ResponseMode
	here := proof(c.Place, "response_mode="+mode, "", mode)
	front := asksFor(r.ResponseType, "token") || asksFor(r.ResponseType, "id_token")
	if strings.HasPrefix(r.Endpoint, "https://appleid.apple.com/") && (contains(r.Scope, "name") || contains(r.Scope, "email")) && mode != "form_post" {
		here.Expected = "form_post"
		return check.Wrong("Apple gives name and email by form_post alone, and the app asks for "+cmp.Or(mode, "the default mode"), "Apple refuses the request.", here).As(usher.SeverityHigh).Because("request-malformed").
			Do("Send response_mode=form_post, take the answer as a POST, and set SameSite=None and Secure on the cookie that holds the state.")
	}
	if mode == "" {
		return check.OK("the default for what is asked for", here)
	}
	if mode == "query" && front {
		here.Expected = "fragment or form_post"
		return check.Wrong(theClient(r.ClientID)+" asks for tokens in the query", "They would stand in logs and Referer headers; providers refuse it.", here).As(usher.SeverityHigh)
	}
	if m := metadataOf(t, r.Endpoint); m != nil && len(m.ResponseModes) > 0 && !contains(m.ResponseModes, mode) && !wentOn(c) {
		if mode == "web_message" {
			return check.Unknown(check.NeedAuthResponse, "it is for an answer to a frame of the same page, which providers take without listing it", here, proof(m.Place, "response_modes_supported", "", strings.Join(m.ResponseModes, ", ")))
		}
		list := strings.Join(m.ResponseModes, ", ")
		here.Expected = list
		return check.Wrong(theClient(r.ClientID)+" asks for the response mode "+mode+", which the provider does not offer", "It offers "+list+".", here, proof(m.Place, "response_modes_supported", "", list))
	}
	switch {
	case mode == "form_post" && privateScheme(r.RedirectURI):
		return check.Wrong("The provider cannot post to "+r.RedirectURI, "An app on a device gets its answer as an address; form_post needs a server.", here)
	case mode == "fragment" && asksFor(r.ResponseType, "code") && !front:
		if reg := registration(t, r.ClientID); reg != nil && (kindOf(reg) == kindWeb || kindOf(reg) == kindService) {
			return check.Wrong("The app on a server asks for its code in the fragment", "Browsers do not send the fragment to the server, so the code never arrives.", here)
		}
	}
	return check.OK("it fits what is asked for", here)
}

// wentOn tells whether the provider answered a request with what was asked for.
func wentOn(c *check.AuthCall) bool { return c.Response != nil && c.Response.Error == "" }

var samesiteState = &check.Check{
	ID: "samesite-state", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The cookie that holds the state survives the round trip",
	Judged: "SameSite, Secure and the host of the cookies that the app sets when it sends the browser to the provider, against how the browser comes back.",
	Cause:  causeCookie, Step: usher.StepAuthResponse, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Set SameSite=Lax on it where the browser comes back by a redirect, SameSite=None with Secure where it comes back by form_post, and start the sign-in on the host of the callback."),
	},
	References: []string{"RFC 9700 section 4.7"},
	Judge:      judgeCookies,
}

func judgeCookies(t *check.Target) []check.Verdict {
	var b book
	asked := false
	for c := range requests(t) {
		asked = true
		a := startOf(t, c)
		if a == nil {
			continue
		}
		if v, told := cookies(c, a); told {
			b.add(c.Request.ClientID, v)
		}
	}
	if asked {
		return b.or(check.Unknown(check.NeedHeaders, "the answer of the app that sends the browser to the provider is needed, with its Set-Cookie headers"))
	}
	return b.or(check.Unknown(check.NeedAuthRequest, ""))
}

// startOf finds the answer of the app that sent the browser to the provider with
// a request: its Location holds the state.
func startOf(t *check.Target, c *check.AuthCall) *check.Answer {
	for _, a := range t.Answers {
		if a == nil || a.Status/100 != 3 {
			continue
		}
		loc := a.Header.Get("Location")
		if loc == "" || c.Request.Endpoint == "" || !strings.HasPrefix(loc, c.Request.Endpoint) {
			continue
		}
		if s := c.Request.State; s == "" || strings.Contains(loc, "state="+url.QueryEscape(s)) || strings.Contains(loc, "state="+s) {
			return a
		}
	}
	return nil
}

// cookies judges the cookies of the answer that starts a sign-in. Those whose
// names speak of it must survive; where none does, one of all must.
func cookies(c *check.AuthCall, a *check.Answer) (check.Verdict, bool) {
	start, err := url.Parse(a.URL)
	back, err2 := url.Parse(c.Request.RedirectURI)
	lines := a.Header.Values("Set-Cookie")
	if err != nil || err2 != nil || back.Host == "" || len(lines) == 0 {
		return check.Verdict{}, false
	}
	post := c.Request.ResponseMode == "form_post"
	cross := !sameSite(c.Request.Endpoint, c.Request.RedirectURI)
	var wrong, named []check.Verdict
	n := 0
	for i, line := range lines {
		if i == 50 {
			break
		}
		k, err := http.ParseSetCookie(line)
		if err != nil || k.MaxAge < 0 {
			continue
		}
		n++
		v := cookie(k, a, start, back, post, cross)
		if v.Outcome == usher.OutcomeWrong {
			wrong = append(wrong, v)
			if speaks(k.Name) {
				named = append(named, v)
			}
		}
	}
	switch {
	case len(named) > 0:
		return named[0], true
	case n > 0 && len(wrong) == n:
		return wrong[0], true
	case n == 0:
		return check.Verdict{}, false
	}
	return check.OK("it comes back with the browser", proof(a.Place, "Set-Cookie", "", itoa(n)+" cookies")), true
}

// speaks tells whether a cookie's name says that it belongs to a sign-in.
func speaks(name string) bool {
	name = strings.ToLower(name)
	for _, w := range [...]string{"state", "nonce", "correlation", "pkce", "oidc", "oauth", "openid"} {
		if strings.Contains(name, w) {
			return true
		}
	}
	return false
}

func cookie(k *http.Cookie, a *check.Answer, start, back *url.URL, post, cross bool) check.Verdict {
	site := "SameSite=Lax, the default"
	switch k.SameSite {
	case http.SameSiteStrictMode:
		site = "SameSite=Strict"
	case http.SameSiteLaxMode:
		site = "SameSite=Lax"
	case http.SameSiteNoneMode:
		site = "SameSite=None"
	}
	here := proof(a.Place, "Set-Cookie: "+k.Name, "", site)
	switch {
	case k.SameSite == http.SameSiteNoneMode && !k.Secure:
		here.Expected = "SameSite=None; Secure"
		return check.Wrong("The cookie "+k.Name+" has SameSite=None without Secure", "Browsers throw it away.", here)
	case k.SameSite == http.SameSiteStrictMode && cross:
		here.Expected = "SameSite=Lax"
		return check.Wrong("The cookie "+k.Name+" is SameSite=Strict", "The browser comes back from another site and does not send it, so the app does not know its own sign-in.", here)
	case post && cross && k.SameSite == 0:
		here.Expected = "SameSite=None; Secure"
		return check.Wrong("The cookie "+k.Name+" names no SameSite, and the browser comes back by form_post", "Chrome and Edge take that for Lax and send it with a POST from another site for its first two minutes alone: slow sign-ins fail. Firefox and Safari send it for now.", here).As(usher.SeverityMedium).
			Do("Set SameSite=None and Secure on " + k.Name + ", or let the answer come by a redirect (response_mode=query).")
	case post && cross && k.SameSite != http.SameSiteNoneMode:
		here.Expected = "SameSite=None; Secure"
		return check.Wrong("The cookie "+k.Name+" is "+site+", and the browser comes back by form_post", "A POST from another site brings no such cookie.", here).
			Do("Set SameSite=None and Secure on " + k.Name + ", or let the answer come by a redirect (response_mode=query).")
	case k.Secure && back.Scheme == "http" && !check.Loopback(back.Hostname()):
		here.Expected = "a callback over https"
		return check.Wrong("The cookie "+k.Name+" is Secure, and the callback is http", "The browser does not send it there.", here)
	case !reaches(k, start.Hostname(), back.Hostname()):
		here.Expected, here.Got = back.Hostname(), start.Hostname()
		return check.Wrong("The cookie "+k.Name+" is of "+start.Hostname()+", and the browser comes back to "+back.Hostname(), "It is not sent to another host.", here).
			Do("Start the sign-in on " + back.Hostname() + ": redirect to it before the cookie is set.")
	}
	return check.OK("", here)
}

// reaches tells whether a cookie that one host sets is sent to another, RFC 6265
// section 5.1.3.
func reaches(k *http.Cookie, from, to string) bool {
	from, to = strings.ToLower(from), strings.ToLower(to)
	domain := strings.ToLower(strings.TrimPrefix(k.Domain, "."))
	if domain == "" {
		return from == to
	}
	return to == domain || strings.HasSuffix(to, "."+domain)
}

// sameSite tells whether two addresses are of one site, as SameSite means it.
func sameSite(a, b string) bool {
	x, err := url.Parse(a)
	y, err2 := url.Parse(b)
	if err != nil || err2 != nil {
		return false
	}
	return check.SameSite(x.Hostname(), y.Hostname())
}

var callbackHostConsistent = &check.Check{
	ID: "callback-host-consistent", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The sign-in starts on the host that it comes back to",
	Judged: "The host of the page that sends the browser away, against the host of redirect_uri: cookies of the one are not sent to the other.",
	Needs:  []check.Need{check.NeedAuthRequest},
	Cause:  causeCookie, Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Redirect to the one host of the app before the sign-in starts, so that its cookies are there when the browser comes back."),
	},
	References: []string{"RFC 6265 section 5.1.3"},
	Judge: func(t *check.Target) []check.Verdict {
		var b book
		for c := range requests(t) {
			b.add(c.Request.ClientID, judgeHosts(t, c))
		}
		return b.or(check.Unknown(check.NeedAuthRequest, ""))
	},
}

func judgeHosts(t *check.Target, c *check.AuthCall) check.Verdict {
	back, err := url.Parse(c.Request.RedirectURI)
	if c.Request.RedirectURI == "" || err != nil {
		return check.Unknown(check.NeedAuthRequest, "the request names no redirect_uri")
	}
	if privateScheme(c.Request.RedirectURI) || back.Host == "" {
		return check.NotApplicable("an app on a device has no cookies to lose")
	}
	start := c.StartURL
	from := startOf(t, c)
	if from != nil {
		if u, err := url.Parse(from.URL); err == nil {
			start = u
		}
	}
	if start == nil || start.Host == "" {
		return check.Unknown(check.NeedAuthRequest, "the page that started the sign-in is not known; a HAR shows it")
	}
	here := proof(c.Place, start.Scheme+"://"+start.Host, back.Hostname(), start.Hostname())
	switch {
	case strings.EqualFold(start.Hostname(), back.Hostname()):
		return check.OK("both are "+back.Hostname(), here)
	case sameHost(c.Request.Endpoint, start.Hostname()):
		return check.Unknown(check.NeedAuthRequest, "the browser came from the provider itself, so the page of the app is not known")
	case from != nil && carried(from, start.Hostname(), back.Hostname()):
		return check.OK("the cookies of the one are sent to the other", here, proof(from.Place, "Set-Cookie with Domain", "", ""))
	case from == nil && !alias(start.Hostname(), back.Hostname()):
		// The page may have had its link to a sign-in on the other host.
		return check.Unknown(check.NeedHeaders, "the sign-in was linked from "+start.Hostname()+"; which host set the cookies shows in the answer that sent the browser away", here)
	}
	return check.Wrong("The sign-in starts on "+start.Hostname()+" and comes back to "+back.Hostname(), "The cookie with the state is left behind, and the app refuses its own answer.", here).
		Do("Redirect from " + start.Hostname() + " to " + back.Hostname() + " before the sign-in starts; or register and use a callback on " + start.Hostname() + ".")
}

func sameHost(endpoint, host string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && strings.EqualFold(u.Hostname(), host)
}

// alias tells whether two hosts are two names of one app: with and without www,
// or two names of this machine.
func alias(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return strings.TrimPrefix(a, "www.") == strings.TrimPrefix(b, "www.") || check.Loopback(a) && check.Loopback(b)
}

// carried tells whether any cookie of an answer is sent to another host too.
func carried(a *check.Answer, from, to string) bool {
	for i, line := range a.Header.Values("Set-Cookie") {
		if i == 50 {
			break
		}
		if k, err := http.ParseSetCookie(line); err == nil && reaches(k, from, to) {
			return true
		}
	}
	return false
}
