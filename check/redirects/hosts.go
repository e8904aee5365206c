package redirects

import (
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
)

var localhostProduction = &check.Check{
	ID: "redirect-localhost-production", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "A client in production has no entries of development",
	Judged: "Beside entries of real hosts stand none of this machine, of tunnels and preview hosts, or of tools that show the answer. Installed apps may have loopback addresses.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Register a client of its own for development, and take these entries out of this one.")},
	References: []string{"RFC 8252 section 8.3", "RFC 9700 section 4.1.1"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, r := range t.Registrations {
			if isClient(r) {
				out = append(out, judgeDevelopment(t, r))
			}
		}
		return out
	},
}

func judgeDevelopment(t *check.Target, r *evidence.Registration) check.Verdict {
	if t.Expect != nil && t.Expect.Production != nil && !*t.Expect.Production {
		return check.NotApplicable("this is said to be no production client").Of(r.ClientID)
	}
	if len(r.RedirectURIs) == 0 {
		return withoutEntries(r)
	}
	said := t.Expect != nil && t.Expect.Production != nil
	f, real := faults{}, false
	for _, e := range r.RedirectURIs {
		u := split(e.URI)
		kind := development(u)
		switch {
		case kind == "" && u.web():
			real = true
		case kind != "" && !(u.loopback() && installed(r, e)):
			f.add(e, fault{says: kind, means: "Whoever runs something there, on any machine where a person signs in, gets codes of the client in production.", expected: "no entry of development"})
		}
	}
	switch {
	case f.n == 0:
		return check.OK("", usher.Proof{Place: r.RedirectURIs[0].Place, Quote: r.RedirectURIs[0].URI}).Of(r.ClientID)
	case !real && !said:
		return check.Unknown(check.NeedPolicy, "every web entry is of development, so this seems to be no production client; production: true in the expectations says that it is").Of(r.ClientID)
	}
	return f.verdict(r)
}

// installed tells whether an entry is of an app on a person's device, which
// listens at a loopback address by design.
func installed(r *evidence.Registration, e evidence.RegisteredURI) bool {
	return platform(e.Platform) == "native" || r.ApplicationType == "native"
}

// development says what of development an entry is of, as the rest of a
// sentence, or nothing.
func development(u uri) string {
	host := strings.ToLower(u.host)
	switch {
	case u.loopback() || below(host, "localhost"):
		return "is of a developer's machine"
	case below(host, "test"):
		return "is of a name that exists in tests alone"
	case u.is("exp"):
		return "is of Expo's development app"
	}
	for _, d := range [...]string{
		"ngrok.io", "ngrok.app", "ngrok.dev", "ngrok-free.app", "ngrok-free.dev", "trycloudflare.com", "loca.lt", "localtunnel.me", "serveo.net", "lhr.life",
		"localhost.run", "devtunnels.ms", "app.github.dev", "githubpreview.dev", "gitpod.io", "csb.app", "stackblitz.io", "webcontainer.io", "repl.co", "replit.dev",
	} {
		if below(host, d) {
			return "is of a tunnel or preview host (" + d + ")"
		}
	}
	if strings.HasPrefix(host, "deploy-preview-") && below(host, "netlify.app") || strings.Contains(host, "-git-") && below(host, "vercel.app") {
		return "is of a preview host"
	}
	for _, d := range [...]string{"oauth.pstmn.io", "oidcdebugger.com", "jwt.ms", "jwt.io", "openidconnect.net", "oauthdebugger.com", "oauth.tools", "webhook.site", "httpbin.org"} {
		if below(host, d) {
			return "is of a tool of somebody else that shows the answer (" + d + ")"
		}
	}
	if host == "developers.google.com" && strings.HasPrefix(u.path, "/oauthplayground") {
		return "is of a tool of somebody else that shows the answer (OAuth Playground)"
	}
	return ""
}

var sharedHost = &check.Check{
	ID: "redirect-shared-host", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Callbacks lie on hosts that others do not write to",
	Judged: "By name: no entry is on a host that many people publish on, in a folder of uploads, or on a host named for a wiki, a forum or uploads.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Give the callback a host of its own: a page of somebody else on the same host can read what arrives there.")},
	References: []string{"RFC 9700 section 4.1.1"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, r := range t.Registrations {
			if isClient(r) {
				out = append(out, judgeShared(r))
			}
		}
		return out
	},
}

func judgeShared(r *evidence.Registration) check.Verdict {
	v := entriesOf(r, "no entry is of the web", func(u uri) bool { return !u.web() || u.loopback() },
		func(r *evidence.Registration, e evidence.RegisteredURI, u uri) fault {
			if why := shared(u); why != "" {
				return fault{says: why, means: "A page of somebody else there can read what arrives, or lead it on.", expected: "a host of the app's own"}
			}
			return fault{}
		})
	if v.Outcome != usher.OutcomeOK {
		return v
	}
	for _, e := range r.RedirectURIs {
		label, _, _ := strings.Cut(strings.ToLower(split(e.URI).host), ".")
		switch label {
		case "wiki", "forum", "forums", "community", "blog", "blogs", "uploads", "upload", "files", "usercontent", "pages":
			return check.Unknown(check.NeedNothing, "the host of "+show(e.URI)+" is named for what people write themselves ("+label+"); whether they can put pages there is not to be seen from here",
				usher.Proof{Place: e.Place, Quote: e.URI}).Of(r.ClientID)
		}
	}
	v.Detail = "judged by the names of the hosts"
	return v
}

// shared says why others can put content beside the callback, as the rest of a
// sentence, or nothing.
func shared(u uri) string {
	host := strings.ToLower(u.host)
	switch host {
	case "sites.google.com", "docs.google.com", "drive.google.com", "script.google.com", "storage.googleapis.com", "storage.cloud.google.com", "s3.amazonaws.com",
		"github.com", "gist.github.com", "raw.githubusercontent.com", "gitlab.com", "bitbucket.org", "medium.com", "dropbox.com", "www.dropbox.com",
		"apps.facebook.com", "translate.google.com", "web.archive.org", "cdn.jsdelivr.net", "unpkg.com", "codepen.io", "jsfiddle.net", "notion.site":
		return "is on a host that many people publish on"
	}
	if strings.HasPrefix(host, "s3.") || strings.HasPrefix(host, "s3-") {
		if below(host, "amazonaws.com") {
			return "is on a host that many people publish on"
		}
	}
	path := strings.ToLower(u.path)
	if strings.HasPrefix(path, "/~") {
		return "is in one person's folder of a shared host"
	}
	for _, folder := range [...]string{"/uploads/", "/upload/", "/user-content/", "/usercontent/", "/user_content/", "/wp-content/"} {
		if strings.Contains(path, folder) {
			return "is in a folder of uploads (" + strings.Trim(folder, "/") + ")"
		}
	}
	return ""
}

var dangling = &check.Check{
	ID: "redirect-dangling", Group: check.GroupRedirectURI, Mode: check.Passive, Severity: usher.SeverityCritical,
	Title:  "The hosts of the entries are still ours",
	Judged: "Each host of an entry resolves, shows a certificate of its name, and is no cloud name that is free for anybody to take.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Take entries out that no app serves any more, and mend or delete the DNS record: whoever takes the name gets the codes.")},
	References: []string{"RFC 9700 section 4.1.1", "RFC 9700 section 4.11"},
	Probe:      &check.Probe{What: "looks up the hosts of the entries and opens a TLS connection to each", Safety: check.S0},
	Judge:      judgeDangling,
}

func judgeDangling(t *check.Target) []check.Verdict {
	var out []check.Verdict
	for _, r := range t.Registrations {
		if isClient(r) {
			out = append(out, danglingOf(t, r).Of(r.ClientID))
		}
	}
	return out
}

// danglingOf judges by the looks at the hosts, as far as they were looked at.
func danglingOf(t *check.Target, r *evidence.Registration) check.Verdict {
	if len(r.RedirectURIs) == 0 {
		return withoutEntries(r)
	}
	f, open, unclear, seen := faults{}, "", "", 0
	for _, e := range r.RedirectURIs {
		u := split(e.URI)
		if !u.web() || u.host == "" || u.loopback() || strings.Contains(u.host, "*") {
			continue
		}
		h := hostOf(t, u)
		switch {
		case h == nil:
			open = u.host
			continue
		case h.Err == "" && h.ChainErr == "":
			seen++
		case h.Stage == "resolve" && strings.Contains(h.Err, "does not resolve") && resolves(t):
			says, severity := "has a host that does not resolve", usher.SeverityHigh
			if free := takenOver(h.Alias, u.host); free != "" {
				says, severity = "has a host that does not resolve, and anybody can take its name at "+free, ""
			}
			f.add(e, fault{says: says, means: "Whoever gets hold of the name gets the codes that are sent there.", expected: "a host that resolves", severity: severity})
		case h.ChainErr != "":
			f.add(e, fault{says: "has a host whose certificate does not hold (" + show(h.ChainErr) + ")", means: "Browsers warn there. Where the certificate is of another name, the host may have passed to somebody else.", expected: "a certificate of the name", severity: usher.SeverityHigh})
		default:
			unclear = u.host + " was not reached: " + h.Err
		}
	}
	switch {
	case f.n > 0:
		return f.verdict(r)
	case open != "":
		return check.Unknown(check.NeedNetwork, "the host "+show(open)+" was not looked at")
	case unclear != "":
		return check.Unknown(check.NeedNetwork, show(unclear))
	case seen == 0:
		return check.NotApplicable("no entry leads to a host of the web")
	}
	return check.OK("Every host resolves and shows a certificate of its name.", usher.Proof{Place: r.RedirectURIs[0].Place, Quote: r.RedirectURIs[0].URI})
}

// hostOf finds the look at the host of an entry.
func hostOf(t *check.Target, u uri) *check.Host {
	port := u.port
	if port == "" {
		port = "443"
		if u.is("http") {
			port = "80"
		}
	}
	for _, h := range t.Hosts {
		if strings.EqualFold(h.Name, u.host+":"+port) || strings.EqualFold(h.Name, u.host) {
			return h
		}
	}
	return nil
}

// resolves tells whether the look found any name at all: else it is the name
// server that does not answer.
func resolves(t *check.Target) bool {
	for _, h := range t.Hosts {
		if h.Err == "" && h.Stage != "resolve" {
			if _, ip := split("//" + h.Name).address(); !ip {
				return true
			}
		}
	}
	return false
}

// takenOver gives the cloud at which a name that does not exist is free to be
// taken by anybody, if it is of one.
func takenOver(names ...string) string {
	for _, name := range names {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		for _, cloud := range [...]string{
			"azurewebsites.net", "cloudapp.net", "cloudapp.azure.com", "trafficmanager.net", "azureedge.net", "azurefd.net", "blob.core.windows.net", "azurestaticapps.net",
			"azure-api.net", "azurecontainer.io", "amazonaws.com", "elasticbeanstalk.com", "cloudfront.net", "herokuapp.com", "herokudns.com", "github.io", "gitlab.io",
			"netlify.app", "vercel.app", "pages.dev", "web.app", "firebaseapp.com", "appspot.com", "run.app", "fly.dev", "onrender.com", "surge.sh", "readthedocs.io", "ghost.io",
			"myshopify.com", "wordpress.com", "zendesk.com", "bitbucket.io", "fastly.net", "pantheonsite.io", "ondigitalocean.app",
		} {
			if name != cloud && below(name, cloud) {
				return cloud
			}
		}
	}
	return ""
}

var openRedirector = &check.Check{
	ID: "redirect-open-redirector", Group: check.GroupRedirectURI, Mode: check.Active, Severity: usher.SeverityHigh,
	Title:  "The callback leads nobody elsewhere",
	Judged: "The callback is opened with a parameter that names a foreign address (next, return and the like) and without a code; its answer does not lead there.",
	Step:   usher.StepAuthResponse, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Have the app take relative targets or those of a list alone, and refuse everything else.")},
	References: []string{"RFC 9700 section 4.11.1"},
	Probe:      &check.Probe{What: "opens the client's own callback with a harmless foreign target and without a code; never follows the answer", Safety: check.S0},
	Judge:      func(t *check.Target) []check.Verdict { return t.FromProbe("redirect-open-redirector", check.NeedProbe) },
}
