package tokens

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/token"
)

var replay = &check.Check{
	ID: "token-replay", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "No token is used from two places at once",
	Judged: "In the logs, one token (by its id) does not come within ten minutes from two countries, or from two networks with two kinds of program.",
	Needs:  []check.Need{check.NeedLogs}, Cause: "", Step: usher.StepAPICall, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("End the session and revoke its tokens, and look at what the second place did with it."),
		check.Tightening("Bind tokens to their sender (DPoP or certificates), so that a copy is worth nothing."),
	},
	References: []string{"RFC 9700 section 4.10", "RFC 6819 section 4.6.2"},
	Judge: func(t *check.Target) []check.Verdict {
		last := map[string]*usher.Event{}
		var all verdicts
		told, first := 0, usher.Proof{}
		for _, e := range t.Events {
			id := e.OAuth.TokenUID
			if id == "" || e.Source.IP == "" && e.Source.Country == "" {
				continue
			}
			if told++; told == 1 {
				first = useOf(e)
			}
			before := last[id]
			last[id] = e
			if before == nil || e.Time.Sub(before.Time).Abs() > 10*time.Minute {
				continue
			}
			if why := apart(before, e); why != "" {
				all.add(check.Wrong("One token is used from two places within ten minutes", "The two uses come from "+why+". A copy of the token is in other hands, unless a VPN or a proxy lies between.",
					useOf(before), useOf(e)).Of(e.Client.UID))
			}
		}
		if told == 0 {
			return []check.Verdict{check.Unknown(check.NeedLogs, "the logs tell no ids of tokens with the address that they came from")}
		}
		return all.or(check.OK(fmt.Sprintf("%d uses of %d tokens: none from two places at once.", told, len(last)), first))
	},
}

// apart says why two uses of a token are not of one sender.
func apart(a, b *usher.Event) string {
	switch {
	case a.Source.Country != "" && b.Source.Country != "" && a.Source.Country != b.Source.Country:
		return "two countries, " + a.Source.Country + " and " + b.Source.Country
	case a.UserAgent == "" || b.UserAgent == "" || a.UserAgent == b.UserAgent || a.Source.IP == b.Source.IP:
		return ""
	case a.Source.ASN != 0 && b.Source.ASN != 0:
		if a.Source.ASN != b.Source.ASN {
			return "two networks, with two programs"
		}
		return ""
	case farAddresses(a.Source.IP, b.Source.IP):
		return "two networks, with two programs"
	}
	return ""
}

// farAddresses tells whether two public addresses are of different networks by
// their first half.
func farAddresses(a, b string) bool {
	x, err1 := netip.ParseAddr(a)
	y, err2 := netip.ParseAddr(b)
	if err1 != nil || err2 != nil || x.IsPrivate() || y.IsPrivate() || x.IsLoopback() || y.IsLoopback() || x.Is4() != y.Is4() {
		return false
	}
	bits := 16
	if x.Is6() {
		bits = 32
	}
	p, err := x.Prefix(bits)
	return err == nil && !p.Contains(y)
}

func useOf(e *usher.Event) usher.Proof {
	return usher.Proof{Place: check.RecordPlace(e), Quote: strings.Join(strings.Fields(e.Time.UTC().Format(time.RFC3339)+" "+e.Source.IP+" "+e.Source.Country+" "+token.Printable(e.UserAgent)), " ")}
}

var inLogs = &check.Check{
	ID: "token-in-logs", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "No tokens are logged",
	Judged: "No field of the logs holds an access token, ID token, refresh token, code or password; usher masked what it met when it read them.",
	// An access log holds no events: Judge says what is missing.
	Cause: "", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Revoke what was logged: end the sessions, replace the secrets. Whoever could read the log may have them."),
		check.Tightening("Mask Authorization, Cookie and these parameters where the log is written (access log format, tracing, error reports)."),
		check.Tightening("Send tokens in headers only; addresses are logged everywhere."),
	},
	References: []string{"RFC 6750 section 5.3", "RFC 9700 section 4.3"},
	Judge: func(t *check.Target) []check.Verdict {
		var all verdicts
		var leaks []*leak
		looked, place := 0, ""
		for _, l := range t.Logs {
			looked++
			place = cmp.Or(place, l.Place)
			if what := credential(oauth.Redact(l.Text)); what != "" {
				leaks = noted(leaks, cmp.Or(l.Place, "log"), "the record", what)
			}
			if looked == maxRecords {
				all.add(check.Unknown(check.NeedNothing, "only the first 20000 records are looked at"))
				break
			}
		}
		for _, e := range t.Events {
			if len(t.Logs) > 0 {
				break // they are the same records
			}
			if e.Message == "" && e.Request.Path == "" && e.StatusDetail == "" && len(e.Unmapped) == 0 && len(e.Masked) == 0 {
				continue
			}
			looked++
			place = cmp.Or(place, check.RecordPlace(e))
			if field, what := leaked(e); what != "" {
				leaks = noted(leaks, check.RecordPlace(e), field, what)
			}
		}
		for _, l := range leaks {
			v := check.Wrong(fmt.Sprintf("The log holds %s, in %s", l.what, token.Printable(l.field)), fmt.Sprintf("%d of %d records. Everybody who can read the log, its copies and its backups can use them until they end.", l.count, looked),
				usher.Proof{Place: l.place, Quote: token.Printable(l.field) + ": " + l.what + " (masked)", Expected: "none", Got: l.what})
			if l.what == authCodes { // good once, and for a minute
				v = v.As(usher.SeverityMedium)
			}
			all.add(v)
		}
		if looked == 0 {
			return []check.Verdict{check.Unknown(check.NeedLogs, "what the records say of sign-ins was read; their texts are not there to look for tokens")}
		}
		return all.or(check.OK(fmt.Sprintf("%d records: no token was met in them.", looked), usher.Proof{Place: place, Quote: "the first record"}))
	},
}

const (
	maxRecords = 20000
	authCodes  = "authorization codes"
)

// leak is one kind of credential in one field of a log.
type leak struct {
	field, what, place string
	count              int
}

func noted(leaks []*leak, place, field, what string) []*leak {
	for _, l := range leaks {
		if l.field == field && l.what == what {
			l.count++
			return leaks
		}
	}
	if len(leaks) == maxWrong {
		return leaks
	}
	return append(leaks, &leak{field, what, place, 1})
}

// leaked names the first credential that a record held, by the name before its
// mask: what is masked for its shape alone may be an id.
func leaked(e *usher.Event) (field, what string) {
	for _, f := range [...]struct{ name, text string }{
		{"http_request.path", e.Request.Path},
		{"message", e.Message},
		{"status_detail", e.StatusDetail},
		{"oauth.error_description", e.OAuth.Description},
		{"oauth.redirect_uri", e.OAuth.RedirectURI},
		{"user_agent", e.UserAgent},
	} {
		if what := credential(f.text); what != "" {
			return f.name, what
		}
	}
	if len(e.Unmapped) > 0 && len(e.Unmapped) < 500 {
		for name, text := range e.Unmapped {
			if field != "" && field < name {
				continue // the first by name, so that every run says the same
			}
			if w := cmp.Or(credential(text), credential(name+"="+text)); w != "" {
				field, what = name, w
			}
		}
	}
	return field, what
}

// credential names the credential that stands, masked or not, in a text.
func credential(text string) string {
	if len(text) < 8 {
		return ""
	}
	if i := strings.Index(text, "eyJ"); i >= 0 && strings.Count(text[i:], ".") >= 2 && len(text)-i > 40 {
		return "a JWT"
	}
	if !strings.Contains(text, "[secret") {
		return ""
	}
	low := strings.ToLower(text)
	for _, c := range [...]struct{ before, what string }{
		{"access_token", "access tokens"},
		{"refresh_token", "refresh tokens"},
		{"id_token", "ID tokens"},
		{"client_secret", "client secrets"},
		{"client_assertion", "client assertions"},
		{"code_verifier", "code verifiers"},
		{"password", "passwords"},
		{"bearer ", "access tokens"},
		{"authorization", "Authorization headers"},
		{"code", authCodes},
	} {
		for from := 0; ; {
			i := strings.Index(low[from:], c.before)
			if i < 0 {
				break
			}
			i += from
			from = i + len(c.before)
			rest := strings.TrimLeft(low[from:], `"'=: `)
			if (i == 0 || !letter(low[i-1])) && strings.HasPrefix(rest, "[secret") {
				return c.what
			}
		}
	}
	return ""
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || c == '_' || '0' <= c && c <= '9' }

var storageBrowser = &check.Check{
	ID: "token-storage-browser", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "A browser app keeps its tokens safely",
	Judged: "An app that runs in the browser does not keep tokens in local storage; long-lived ones are best kept by a back end, behind a cookie.",
	Cause:  "", Step: usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Put a back end before the app that keeps the tokens and gives the browser an HttpOnly, SameSite cookie."),
		check.Tightening("Without one: keep tokens in memory only, let refresh tokens rotate and end within a day, and set a Content-Security-Policy."),
	},
	References: []string{"draft-ietf-oauth-browser-based-apps section 6"},
	Judge: func(t *check.Target) []check.Verdict {
		for _, f := range t.Settings {
			low := strings.ToLower(f.Key + " " + f.Value)
			if strings.Contains(low, "localstorage") && !off(f.Value) {
				return []check.Verdict{check.Wrong("The app keeps its tokens in local storage", "Every script on the page, also one that was slipped in, reads it, and it outlives the tab.",
					usher.Proof{Place: f.Place, Quote: cmp.Or(token.Printable(f.Quote), f.Key+": "+f.Value), Expected: "memory, or a back end", Got: "localStorage"})}
			}
			if strings.Contains(low, "cachelocation") && strings.Contains(low, "memory") {
				return []check.Verdict{check.OK("The app keeps its tokens in memory.", usher.Proof{Place: f.Place, Quote: cmp.Or(token.Printable(f.Quote), f.Key+": "+f.Value)})}
			}
		}
		if !t.Has(check.NeedRegistration) {
			return []check.Verdict{check.Unknown(check.NeedRegistration, "")}
		}
		var all verdicts
		for _, r := range t.Registrations {
			browser, place := browserApp(r)
			p := usher.Proof{Place: cmp.Or(place, r.Place), Quote: "a browser app"}
			switch {
			case !browser && r.Public == nil && len(r.RedirectURIs) == 0:
				all.add(check.Unknown(check.NeedRegistration, "the registration does not say whether it is a browser app").Of(r.ClientID))
			case !browser:
				all.add(check.NotApplicable("the client is no browser app").Of(r.ClientID))
			case implicit(r):
				all.add(check.Wrong("The browser app gets its tokens in the address (implicit)", "They stand in the browser's history and in whatever reads the address.",
					usher.Proof{Place: r.Place, Quote: "response types: " + quoted(r.ResponseTypes), Expected: "code", Got: quoted(r.ResponseTypes)}).Of(r.ClientID))
			default:
				all.add(check.Unknown(check.NeedSettings, "it is a browser app; where it keeps its tokens the registration does not say", p).Of(r.ClientID))
			}
		}
		return all.or(check.NotApplicable("no browser app is there"))
	},
}

// off tells whether a setting is switched off.
func off(value string) bool {
	switch strings.ToLower(strings.Trim(strings.TrimSpace(value), `"'`)) {
	case "false", "off", "no", "0", "null", "none":
		return true
	}
	return false
}

func implicit(r *evidence.Registration) bool {
	for _, rt := range r.ResponseTypes {
		for _, w := range strings.Fields(rt) {
			if w == "token" {
				return true
			}
		}
	}
	return false
}

// browserApp tells whether a registration is of an app that runs in the browser.
func browserApp(r *evidence.Registration) (yes bool, place string) {
	for _, u := range r.RedirectURIs {
		if u.Platform == "spa" {
			return true, u.Place
		}
	}
	if r.Public != nil && *r.Public && len(r.WebOrigins) > 0 {
		for _, u := range r.RedirectURIs {
			if strings.HasPrefix(u.URI, "https://") {
				return true, u.Place
			}
		}
	}
	return false, ""
}

var passthrough = &check.Check{
	ID: "passthrough", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "A token that was received is not passed on",
	Judged: "The same token is not sent to the APIs of two sites: an API that calls another gets a token of its own for that.",
	Needs:  []check.Need{check.NeedAPIRequest}, Cause: "", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Exchange the token for one for the next API (RFC 8693 token exchange, Entra's on-behalf-of flow)."),
		check.Tightening("Let each API refuse tokens that are not for it (aud)."),
	},
	References: []string{"RFC 9700 section 4.9", "RFC 8693 section 1"},
	Judge: func(t *check.Target) []check.Verdict {
		type use struct {
			sent, host string
			call       *check.APICall
		}
		var first []use
		var all verdicts
		for i, c := range t.APICalls {
			if i == maxCalls || len(first) == maxTokens {
				break
			}
			sent, host := sentToken(c.Exchange), hostOf(c.Exchange)
			if how := scheme(c.Exchange); sent == "" || host == "" || masked(sent) || how != "bearer" && how != "dpop" || ofProvider(t, host) || isUserinfo(t, c) {
				continue
			}
			known := false
			for _, u := range first {
				if u.sent != sent {
					continue
				}
				if known = known || u.host == host || check.SameSite(u.host, host); known {
					continue
				}
				all.add(twoSites(t, u.call, c, u.host, host))
				known = true
				break
			}
			if !known {
				first = append(first, use{sent, host, c})
			}
		}
		if len(first) == 0 {
			return []check.Verdict{check.Unknown(check.NeedAPIRequest, "no call shows the token that it is made with")}
		}
		return all.or(check.OK("Each token goes to one site only.", usher.Proof{Place: first[0].call.Place, Quote: "a token to " + token.Printable(first[0].host)}))
	},
}

// ofProvider tells whether a host is the provider's own.
func ofProvider(t *check.Target, host string) bool {
	if t.Issuer != "" && hostOf(&evidence.Exchange{URL: t.Issuer}) == host {
		return true
	}
	for _, m := range t.Metadata {
		if m.Metadata == nil {
			continue
		}
		for _, a := range [...]string{m.Issuer, m.UserinfoEndpoint, m.TokenEndpoint} {
			if a != "" && hostOf(&evidence.Exchange{URL: a}) == host {
				return true
			}
		}
	}
	return false
}

// twoSites judges one token that goes to two sites: by its audience, where that
// tells.
func twoSites(t *check.Target, a, b *check.APICall, first, second string) check.Verdict {
	proofs := []usher.Proof{
		{Place: a.Place, Quote: "Authorization: the token, to " + token.Printable(first)},
		{Place: b.Place, Quote: "Authorization: the same token, to " + token.Printable(second), Expected: "another token", Got: "the same"},
	}
	forFirst, forSecond, told := false, false, false
	if b.Token != nil && b.Token.Parsed != nil {
		for _, aud := range list(b.Token.Claims["aud"]) {
			host := hostOf(&evidence.Exchange{URL: aud})
			told = told || host != ""
			forFirst, forSecond = forFirst || host == first, forSecond || host == second
		}
	}
	switch {
	case forFirst && forSecond:
		return check.OK("The token is for both of the sites that it goes to.", proofs[0])
	case told && (forFirst || forSecond), t.Profile != nil && t.Profile.Name == "mcp":
		return check.Wrong(fmt.Sprintf("The same token goes to %s and to %s", token.Printable(first), token.Printable(second)),
			"One of the two is not who the token is for, and can use it at the other in the person's name.", proofs...)
	}
	proofs[1].Expected, proofs[1].Got = "", ""
	return check.Unknown(check.NeedPolicy, "the same token goes to two sites; whether it is meant for both, nothing in it says", proofs...)
}
