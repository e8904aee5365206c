package redirects

import (
	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

var loopbackPort = &check.Check{
	ID: "redirect-loopback-port", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The port of a loopback address is registered as the provider compares it",
	Judged: "Requests to this machine's own addresses are held against the entries; where the port alone is in the way, the provider's rule says whether it may vary.",
	Needs:  []check.Need{check.NeedRegistration},
	Cause:  "redirect-uri-mismatch", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Where the provider leaves the port of loopback addresses free, register http://127.0.0.1 without one; elsewhere register each port that the app may use, and have it use no other."),
	},
	References: []string{"RFC 8252 section 7.3", "RFC 9700 section 2.1"},
	Judge: judgeLoopback(func(l *look) (string, []usher.FixStep) {
		if !l.isThe([]string{"port", "default-port"}) {
			return "", nil
		}
		if l.rule.LoopbackPort == "" {
			return "The provider compares the port of loopback addresses: the app sends " + show(l.uri) + ", registered is " + show(l.result.Closest), []usher.FixStep{
				check.Neutral("Register each port that the app may listen on, at most a handful, and have it try those alone."),
			}
		}
		if split(l.result.Closest).hasPort && l.rule.LoopbackPortless {
			return "The port is free only where the entry names none: the app sends " + show(l.uri) + ", registered is " + show(l.result.Closest), []usher.FixStep{
				check.Neutral("Register the entry without its port."),
			}
		}
		return "The app sends " + show(l.uri) + ", registered is " + show(l.result.Closest), []usher.FixStep{
			check.Neutral("The provider leaves the port free for http://127.0.0.1 and http://[::1] only: register one of these without a port, and have the app send it."),
		}
	}),
}

var localhostName = &check.Check{
	ID: "redirect-localhost-name", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Both sides call this machine by the same name",
	Judged: "One side says localhost and the other 127.0.0.1 or [::1]: to the provider these are different hosts.",
	Needs:  []check.Need{check.NeedRegistration},
	Cause:  "redirect-uri-mismatch", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Have the app send the form that is registered; where both can be chosen take the address 127.0.0.1, which no resolver can lead elsewhere."),
	},
	References: []string{"RFC 8252 section 8.3", "OAuth 2.1 draft section 8.4.2"},
	Judge: judgeLoopback(func(l *look) (string, []usher.FixStep) {
		if !l.isThe([]string{"loopback-name"}) {
			return "", nil
		}
		return "The app sends " + show(l.uri) + ", registered is " + show(l.result.Closest), nil
	}),
}

// judgeLoopback judges the requests that lead to this machine. wrong gives a
// title for those that are, and may give a fix.
func judgeLoopback(wrong func(*look) (string, []usher.FixStep)) func(*check.Target) []check.Verdict {
	return func(t *check.Target) []check.Verdict {
		if !t.Has(check.NeedAuthRequest) {
			return loopbackWithoutRequests(t)
		}
		var out []check.Verdict
		for _, c := range compare(t) {
			out = append(out, loopbackOf(c, wrong).Of(c.client))
		}
		return out
	}
}

// loopbackWithoutRequests tells the clients to which the question applies.
func loopbackWithoutRequests(t *check.Target) []check.Verdict {
	var out []check.Verdict
	for _, r := range t.Registrations {
		if !isClient(r) {
			continue
		}
		v := check.NotApplicable("no entry leads to this machine itself").Of(r.ClientID)
		if len(r.RedirectURIs) == 0 {
			v = withoutEntries(r)
		}
		for _, e := range r.RedirectURIs {
			if split(e.URI).loopback() {
				v = check.Unknown(check.NeedAuthRequest, "").Of(r.ClientID)
				break
			}
		}
		out = append(out, v)
	}
	return out
}

func loopbackOf(c compared, wrong func(*look) (string, []usher.FixStep)) check.Verdict {
	if len(c.looks) == 0 {
		return c.unknown
	}
	var ok *look
	var proof []usher.Proof
	var bad check.Verdict
	for i := range c.looks {
		l := &c.looks[i]
		if !split(l.uri).loopback() || l.result.Closest != "" && !split(l.result.Closest).loopback() {
			continue
		}
		title, fix := wrong(l)
		switch {
		case title == "":
			ok = l
			continue
		case proof == nil:
			bad = check.Wrong(title, sentence(l.result.Explanation))
			bad.Fix = fix
		}
		if len(proof) < 3*maxProofs {
			proof = append(proof, l.threeSides()...)
		}
	}
	switch {
	case proof != nil:
		bad.Proof = proof
		return bad
	case ok != nil:
		return check.OK(sentence(ok.result.Explanation), ok.threeSides()...)
	}
	return check.NotApplicable("no request leads to this machine itself")
}

var platformType = &check.Check{
	ID: "redirect-platform-type", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The entry has the type of the app that redeems the code",
	Judged: "At Entra an entry is of the type web, spa or public client: a browser redeems codes of spa entries alone, a server of the others. Two entries for localhost that differ by port alone and have several types clash, since the port is not compared.",
	Needs:  []check.Need{check.NeedRegistration},
	Cause:  "redirect-uri-platform", Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Move the URI to the type of the app that redeems the code: single-page application for a browser, web for a server, mobile and desktop for an installed app."),
		check.Neutral("Tell apps on localhost apart by their path and not by their port."),
	},
	References: []string{"Entra: reply URL types (AADSTS9002326, AADSTS9002327, AADSTS7000218)", "RFC 9700 section 4.1.3"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, r := range t.Registrations {
			if isClient(r) {
				out = append(out, judgePlatform(t, r).Of(r.ClientID))
			}
		}
		return out
	},
}

func judgePlatform(t *check.Target, r *evidence.Registration) check.Verdict {
	rule := ruleFor(t, r)
	switch {
	case !rule.PlatformTypes:
		return check.NotApplicable("entries have no types at this provider")
	case len(r.RedirectURIs) == 0:
		return withoutEntries(r)
	}
	typed := false
	for _, e := range r.RedirectURIs {
		typed = typed || e.Platform != ""
	}
	if !typed {
		return check.Unknown(check.NeedRegistration, "the export does not tell the types of the entries; the manifest of the application does")
	}
	if a, b, ok := clash(r); ok {
		return check.Wrong(show(a.URI)+" ("+a.Platform+") and "+show(b.URI)+" ("+b.Platform+") differ by their port alone",
			"The port of localhost is not compared, so either entry may be taken, and the code is refused where the type does not fit.",
			usher.Proof{Place: a.Place, Quote: a.URI, Got: a.Platform}, usher.Proof{Place: b.Place, Quote: b.URI, Got: b.Platform},
		).Do("Give the two apps different paths, such as http://localhost/spa and http://localhost/web, and register these.")
	}
	return judgeRedeemed(t, r, rule)
}

// clash finds two entries for this machine that the provider cannot tell apart
// and that have types of which one is spa.
func clash(r *evidence.Registration) (a, b evidence.RegisteredURI, ok bool) {
	var local []evidence.RegisteredURI
	for _, e := range r.RedirectURIs {
		if e.Platform != "" && len(local) < 100 && split(e.URI).loopback() {
			local = append(local, e)
		}
	}
	for i, x := range local {
		for _, y := range local[i+1:] {
			u, v := split(x.URI), split(y.URI)
			if u.scheme == v.scheme && u.host == v.host && u.path == v.path && u.query == v.query && (x.Platform == "spa") != (y.Platform == "spa") {
				return x, y, true
			}
		}
	}
	return a, b, false
}

// judgeRedeemed holds the type of the entry of each redirect URI that was sent
// against the place where its code is redeemed.
func judgeRedeemed(t *check.Target, r *evidence.Registration, rule oauth.RedirectRule) check.Verdict {
	from := redeemedFrom(t, r.ClientID)
	uris := sentBy(t, r)
	for _, c := range t.TokenCalls {
		if c.Response == nil || c.Response.Error == nil || c.Request != nil && c.Request.ClientID != "" && c.Request.ClientID != r.ClientID {
			continue
		}
		for _, code := range c.Response.Error.Codes {
			if code == "AADSTS9002326" || code == "AADSTS9002327" {
				return check.Wrong("The provider refused the code for the type of the entry ("+code+")", "A browser may redeem codes of spa entries alone, a server those of the others.",
					usher.Proof{Place: c.Response.Place, Quote: code}, usher.Proof{Place: r.Place, Quote: show(r.RedirectURIs[0].URI), Got: r.RedirectURIs[0].Platform})
			}
		}
	}
	switch {
	case from == "":
		return check.Unknown(check.NeedTokenRequest, "whether a browser or a server redeems the code shows in the headers of the token request: give a HAR, or the request as a curl command")
	case len(uris) == 0:
		return check.Unknown(check.NeedAuthRequest, "")
	}
	entries := make([]oauth.RegisteredRedirect, 0, len(r.RedirectURIs))
	for _, e := range r.RedirectURIs {
		entries = append(entries, oauth.RegisteredRedirect{URI: e.URI, Platform: platform(e.Platform)})
	}
	matched := false
	for _, s := range uris {
		ctx := contextOf(t, r, s)
		ctx.Platform, ctx.RedeemedFrom = "", from
		result := oauth.CompareRedirect(rule, entries, s.uri, ctx)
		matched = matched || result.Verdict == oauth.RedirectMatch
		if result.Verdict != oauth.RedirectMatch || result.Difference != "platform-type" {
			continue
		}
		l := look{sent: s, reg: r, rule: rule, result: result}
		return check.Wrong("The code of "+show(s.uri)+" is redeemed by a "+from+", and its entry has another type", sentence(result.Explanation), l.threeSides()...)
	}
	if !matched {
		return check.Unknown(check.NeedAuthRequest, "no redirect URI that was sent is registered, so that no entry's type counts")
	}
	return check.OK("The code is redeemed by a "+from+", as the type of the entry asks.", usher.Proof{Place: uris[0].place, Quote: uris[0].uri})
}

// sentBy gives the redirect URIs that a client's requests hold, those of token
// requests too.
func sentBy(t *check.Target, r *evidence.Registration) []sent {
	var out []sent
	for _, s := range sentURIs(t) {
		if s.uri != "" && registrationFor(t, s.client) == r {
			out = append(out, s)
		}
	}
	for _, c := range t.TokenCalls {
		if q := c.Request; q != nil && q.RedirectURI != "" && len(out) < maxSent && registrationFor(t, q.ClientID) == r {
			out = append(out, sent{client: q.ClientID, uri: q.RedirectURI, place: c.Place})
		}
	}
	return out
}
