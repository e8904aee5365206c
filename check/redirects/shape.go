package redirects

import (
	"net/url"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
)

var absolute = &check.Check{
	ID: "redirect-absolute", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "Registered redirect URIs are absolute and have no fragment",
	Judged: "Every entry has a scheme, and a host where it is of the web; none has a #. Keycloak completes entries that begin with a slash.",
	Needs:  []check.Need{check.NeedRegistration},
	Cause:  "redirect-uri-invalid", Step: usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Write the entry out from scheme to path, and leave the fragment away: what stands behind # never reaches the app's server.")},
	References: []string{"RFC 6749 section 3.1.2"},
	Judge: func(t *check.Target) []check.Verdict {
		return eachEntry(t, "the entries are wildcards, which another check judges", func(u uri) bool { return !u.hasScheme && u.path == "*" },
			func(r *evidence.Registration, e evidence.RegisteredURI, u uri) fault {
				switch {
				case u.hasFragment:
					return fault{says: "has a fragment (#)", means: "Providers refuse it, or put their answer where the app does not look for it.", expected: "a URI without #"}
				case !u.hasScheme && r.Provider == "keycloak" && strings.HasPrefix(u.path, "/"):
					return fault{} // Keycloak puts the client's root URL before it
				case !u.hasScheme:
					return fault{says: "has no scheme, so that it is no absolute URI", means: "No request can send it: what an app sends has a scheme.", expected: "scheme://host/path"}
				case u.web() && u.host == "":
					return fault{says: "names no host", means: "A browser cannot go there.", expected: "scheme://host/path"}
				}
				return fault{}
			})
	},
}

var encrypted = &check.Check{
	ID: "redirect-https", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "Registered redirect URIs use https",
	Judged: "http is for this machine itself (localhost and loopback addresses); everywhere else the code would cross the network in the clear.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Serve the callback over https, register that, and take the http entry out.")},
	References: []string{"RFC 9700 section 2.6", "RFC 6749 section 3.1.2.1"},
	Judge: func(t *check.Target) []check.Verdict {
		return eachEntry(t, "no entry is of the web", func(u uri) bool { return !u.web() },
			func(r *evidence.Registration, e evidence.RegisteredURI, u uri) fault {
				if u.is("https") || u.loopback() || strings.HasSuffix(strings.ToLower(u.host), ".localhost") {
					return fault{}
				}
				return fault{says: "sends codes over http, in the clear", means: "Whoever is on the way between browser and app reads the code, and can change the answer.", expected: "https"}
			})
	},
}

var dangerousScheme = &check.Check{
	ID: "redirect-dangerous-scheme", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "No entry has a scheme that runs what follows",
	Judged: "No entry has the scheme javascript, data, file, vbscript, blob or another that a browser acts on in place of going there.",
	Needs:  []check.Need{check.NeedRegistration},
	Cause:  "redirect-uri-invalid", Step: usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Take the entry out now: whoever starts a sign-in with it runs script in the provider's page or reads a file.")},
	References: []string{"RFC 9700 section 4.11", "RFC 6749 section 10.15"},
	Judge: func(t *check.Target) []check.Verdict {
		return eachEntry(t, "", nil, func(r *evidence.Registration, e evidence.RegisteredURI, u uri) fault {
			if runs(hiddenScheme(e.URI)) {
				return fault{says: "has a scheme that a browser runs", means: "Script in the provider's page reads its forms and sessions; a file or blob shows the code to other pages.", expected: "https, or the app's own scheme"}
			}
			return fault{}
		})
	},
}

// hiddenScheme gives the scheme as a browser reads it: it drops blanks and
// control characters before it, and line breaks and tabs within.
func hiddenScheme(raw string) string {
	before, _, ok := strings.Cut(raw, ":")
	if !ok {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, before)
}

var privateScheme = &check.Check{
	ID: "redirect-private-scheme", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Private schemes are reversed domain names",
	Judged: "The scheme of an installed app has a dot, as com.example.app has: a short word may be claimed by any other app on the device. Schemes that the platform or the provider gives out for one app alone count as in order.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Use a scheme of a domain that you hold, reversed, such as com.example.app:/callback; or links of https that the operating system ties to the app.")},
	References: []string{"RFC 8252 section 7.1", "OAuth 2.1 draft section 2.3.1"},
	Judge: func(t *check.Target) []check.Verdict {
		return eachEntry(t, "no entry has a private scheme", func(u uri) bool { return !u.private() },
			func(r *evidence.Registration, e evidence.RegisteredURI, u uri) fault {
				if strings.Contains(u.scheme, ".") || givenOut(r, u.scheme) || androidBroker(u) {
					return fault{}
				}
				return fault{says: "has the scheme " + show(u.scheme) + ", which any app may claim", means: "Another app on the device that claims the same word gets the code; PKCE alone keeps it from being redeemed.", expected: "a scheme with a dot, such as com.example." + show(u.scheme)}
			})
	},
}

// givenOut tells whether a scheme without a dot is one that no other app can
// claim, or that the provider prescribes.
func givenOut(r *evidence.Registration, scheme string) bool {
	scheme = strings.ToLower(scheme)
	switch scheme {
	case "chrome-extension", "moz-extension", "safari-web-extension", "ms-browser-extension", // tied to the extension's id
		"ms-appx-web", "ms-app", "brk-multihub": // Entra's brokers
		return true
	}
	id, ok := strings.CutPrefix(scheme, "msal")
	return ok && id != "" && id == strings.ToLower(r.ClientID) // MSAL: the client id makes it one of a kind
}

// androidBroker knows what Entra demands of every app for Android,
// msauth://package/hash-of-its-signature: the system gives the address to the
// app that was signed so.
func androidBroker(u uri) bool {
	return u.is("msauth") && strings.Contains(u.host, ".") && len(u.path) > 1
}

var codeParam = &check.Check{
	ID: "redirect-code-param", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "No entry has a parameter of the answer in its query",
	Judged: "The query of an entry holds none of code, state, error, iss and the like: the app would get two of them and might take the wrong one.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Give the parameter another name, and better carry it in state.")},
	References: []string{"RFC 9700 section 4.5"},
	Judge: func(t *check.Target) []check.Verdict {
		return eachEntry(t, "", nil, func(r *evidence.Registration, e evidence.RegisteredURI, u uri) fault {
			if name := answerParam(u.query); name != "" {
				return fault{says: "has the parameter " + name + " of its own, as the answer has", means: "The app gets the parameter twice, and which of the two it reads depends on its framework.", expected: "a query without " + name}
			}
			return fault{}
		})
	},
}

// answerParam gives the first parameter of a query that answers have too.
func answerParam(query string) string {
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		switch name {
		case "code", "state", "error", "error_description", "error_uri", "iss", "access_token", "id_token", "token_type", "session_state", "response":
			return name
		}
	}
	return ""
}
