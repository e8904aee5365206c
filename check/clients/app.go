package clients

import (
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
)

var conditionalAccessClient = &check.Check{
	ID: "conditional-access-client", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "Policies can judge how people sign in",
	Judged: "The kind of app in the sign-in log: old protocols and embedded browsers bring no second factor, device or location; a refusal for want of a device shows whether the app brings one.",
	Needs:  []check.Need{check.NeedLogs},
	Cause:  causePolicyApp, Step: usher.StepSignIn, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Sign people in through the system browser or the platform's broker (Company Portal, Authenticator, WAM), which bring device and location with them."),
		check.Tightening("Move off protocols with a password in each request (IMAP, POP, SMTP with basic authentication, old Exchange ActiveSync)."),
	},
	References: []string{"RFC 8252 section 8.12"},
	Judge:      judgeApps,
}

func judgeApps(t *check.Target) []check.Verdict {
	var b book
	for _, e := range t.Events {
		if e == nil || e.Change != nil {
			continue
		}
		client := e.Client.UID
		if client == "" {
			client = e.Client.Name
		}
		app := e.OAuth.ClientApp
		here := proof(check.RecordPlace(e), "client app "+app, "", app)
		switch {
		case legacy(app) && e.Refused():
			here.Expected = "Browser, or Mobile Apps and Desktop clients"
			b.add(client, check.Wrong("Somebody signs in to "+e.Client.String()+" by an old protocol ("+app+") and is refused", "If it is a person's own app it has to be replaced; if not, somebody tries passwords.", here).As(usher.SeverityMedium).Because(causeLegacy))
		case legacy(app):
			here.Expected = "Browser, or Mobile Apps and Desktop clients"
			b.add(client, check.Wrong("People sign in to "+e.Client.String()+" by an old protocol ("+app+")", "No policy can ask for a second factor or look at the device there; it is blocked, or everything is let through.", here).Because(causeLegacy))
		case embeddedAgent(e.UserAgent):
			here.Quote, here.Got = e.UserAgent, "an embedded browser"
			b.add(client, check.Wrong("People sign in to "+e.Client.String()+" in an embedded browser", "It does not bring the device's identity, so a policy that asks for it refuses.", here).Because(causeEmbedded))
		case deviceMissing(t, e):
			here.Quote, here.Expected, here.Got = e.StatusCode, "a device id", "none"
			b.add(client, check.Wrong("A policy asks for a device, and the sign-in to "+e.Client.String()+" brings none", "The app or browser does not hand on the device's identity: the broker is missing, or the browser has no extension or profile for it.", here).Because(causePolicyDevice))
		case app != "" || e.UserAgent != "" && e.Kind == usher.EventSignIn:
			b.add(client, check.OK("the app is of a kind that policies can judge", here))
		}
	}
	return b.or(check.Unknown(check.NeedLogs, "the log that was given does not say how people signed in"))
}

// legacy tells whether Entra's clientAppUsed is a protocol from before modern
// authentication.
func legacy(app string) bool {
	switch strings.ToLower(app) {
	case "exchange activesync", "other clients", "imap", "imap4", "pop", "pop3", "smtp", "authenticated smtp", "autodiscover",
		"exchange online powershell", "exchange web services", "mapi over http", "offline address book", "outlook anywhere (rpc over http)",
		"reporting web services", "outlook service", "universal outlook":
		return true
	}
	return false
}

// deviceMissing tells whether a policy refused a sign-in for want of a device
// that the record does not have.
func deviceMissing(t *check.Target, e *usher.Event) bool {
	if !e.Refused() || e.Device.UID != "" || e.Device.TrustType != "" {
		return false
	}
	c := lookup(t, e.StatusCode)
	if c != nil && c.Cause == causePolicyDevice {
		return true
	}
	for _, d := range e.Policies {
		if d.Result != "failure" || d.ReportOnly {
			continue
		}
		for _, g := range d.Grant {
			if strings.Contains(strings.ToLower(g), "compliant") || strings.Contains(strings.ToLower(g), "domainjoined") {
				return true
			}
		}
	}
	return false
}

var embeddedWebview = &check.Check{
	ID: "embedded-webview", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "People sign in in a real browser",
	Judged: "The User-Agent of authorization requests and sign-ins, and refusals of embedded browsers.",
	Cause:  causeEmbedded, Step: usher.StepSignIn, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Open the system browser (ASWebAuthenticationSession, Custom Tabs, the default browser with a loopback redirect) or use the platform's broker."),
	},
	References: []string{"RFC 8252 section 8.12", "OAuth 2.1 draft section 8.5.1"},
	Judge:      judgeWebview,
}

func judgeWebview(t *check.Target) []check.Verdict {
	var b book
	judge := func(client, place, agent string) {
		if agent == "" {
			return
		}
		if embeddedAgent(agent) {
			b.add(client, check.Wrong("People sign in to "+whom(client)+" in an embedded browser", "The app can read what is typed there, and the person cannot see where it goes. Google and policies refuse it.", proof(place, clip(agent), "the system browser", "an embedded one")))
			return
		}
		b.add(client, check.OK("the browser is a real one", proof(place, clip(agent), "", "")))
	}
	for _, c := range t.AuthCalls {
		if c == nil {
			continue
		}
		client := clientOf(t, c)
		if c.Exchange != nil && c.Exchange.Request != nil && c.Request != nil {
			judge(client, c.Place, c.Exchange.Request.Get("User-Agent"))
		}
		if c.Response != nil && c.Response.Error != "" {
			e := &evidence.ErrorBody{Code: c.Response.Error, Description: c.Response.ErrorDescription, Codes: aadsts(c.Response.ErrorDescription)}
			if e.Code == "disallowed_useragent" || causeOf(t, e) == causeEmbedded {
				b.add(client, check.Wrong("The provider refuses the embedded browser of "+whom(client), "Nobody can sign in there until the app opens the system browser.", proof(c.Place, quoteOf(e), "the system browser", "an embedded one")))
			}
		}
	}
	for _, e := range t.Events {
		if e != nil && e.Kind == usher.EventSignIn {
			judge(e.Client.String(), check.RecordPlace(e), e.UserAgent)
		}
	}
	return b.or(check.Unknown(check.NeedLogs, "neither requests nor a sign-in log with the browser were given"))
}

// embeddedAgent tells whether a user agent is that of a browser inside an app.
// Brokers, which bring the device's identity, say PKeyAuth and are left out.
func embeddedAgent(agent string) bool {
	if agent == "" || len(agent) > 2<<10 || strings.Contains(agent, "PKeyAuth") {
		return false
	}
	switch {
	case strings.Contains(agent, "; wv)"): // Android's WebView
		return true
	case strings.Contains(agent, "Android") && strings.Contains(agent, "Version/4.0") && strings.Contains(agent, "Chrome/"):
		return true
	case (strings.Contains(agent, "iPhone") || strings.Contains(agent, "iPad")) && strings.Contains(agent, "AppleWebKit/") && strings.Contains(agent, "Mobile/") && !strings.Contains(agent, "Safari/"):
		return true
	}
	for _, app := range [...]string{"FBAN/", "FBAV/", "Instagram ", "MicroMessenger/", "Line/", "Electron/", "LinkedInApp"} {
		if strings.Contains(agent, app) {
			return true
		}
	}
	return false
}
