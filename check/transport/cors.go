package transport

import (
	"strconv"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
)

var corsAuthorization = &check.Check{
	ID: "cors-authorization", Group: check.GroupTransport, Mode: check.Active, Severity: usher.SeverityMedium,
	Title:  "The authorization endpoint allows no CORS",
	Judged: "A preflight to the authorization endpoint must not be answered with Access-Control-Allow-Origin.",
	Step:   usher.StepAuthRequest, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Tightening("Take CORS away from the authorization endpoint; the token endpoint and the documents may have it.")},
	References: []string{"RFC 9700 section 2.6", "OAuth 2.1 draft section 3.1"},
	Probe:      &check.Probe{What: "OPTIONS of the authorization endpoint with an origin of nobody", Safety: check.S0},
	Judge:      func(t *check.Target) []check.Verdict { return t.FromProbe("cors-authorization", check.NeedProbe) },
}

var corsTokenSPA = &check.Check{
	ID: "cors-token-spa", Group: check.GroupTransport, Mode: check.Active, Severity: usher.SeverityHigh,
	Title:  "The browser app may call the token endpoint",
	Judged: "A preflight to the token endpoint from the app's origin must be answered with that origin; for apps that redeem the code in the browser.",
	Cause:  "cors-blocked",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Register the app's origin at the provider (Entra: the redirect URI under the platform single-page application; Okta: trusted origins; Auth0: allowed web origins; Keycloak: web origins)."),
	},
	References: []string{"RFC 9700 section 2.6", "Microsoft identity platform, single-page application redirect URIs"},
	Probe:      &check.Probe{What: "OPTIONS of the token endpoint with the app's registered origin", Safety: check.S0},
	Judge: func(t *check.Target) []check.Verdict {
		if len(t.Registrations) > 0 && t.Probed["cors-token-spa"] == nil {
			browser := false
			for _, r := range t.Registrations {
				browser = browser || maybeBrowser(r)
			}
			if !browser {
				return check.Only(check.NotApplicable("no client redeems its code in a browser"))
			}
		}
		return t.FromProbe("cors-token-spa", check.NeedProbe)
	},
}

// maybeBrowser tells whether a client may be one that lives in a browser: it is
// public, or it is not known to be confidential.
func maybeBrowser(r *evidence.Registration) bool {
	for _, u := range r.RedirectURIs {
		if u.Platform == "spa" {
			return true
		}
	}
	if r.Provider == "entra" && len(r.RedirectURIs) > 0 {
		return false // Entra says so by the platform
	}
	return r.Public == nil && len(r.Credentials) == 0 || r.Public != nil && *r.Public && webRedirect(r)
}

func webRedirect(r *evidence.Registration) bool {
	for _, u := range r.RedirectURIs {
		if strings.HasPrefix(u.URI, "https://") || strings.HasPrefix(u.URI, "http://localhost") {
			return true
		}
	}
	return false
}

var mtlsHeaderSpoof = &check.Check{
	ID: "mtls-header-spoof", Group: check.GroupTransport, Mode: check.Active, Severity: usher.SeverityCritical,
	Title:  "Nobody outside can send the header with the client certificate",
	Judged: "A request from outside with a made-up certificate header must be treated as one without certificate.",
	Step:   usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Take the header (X-Client-Cert, X-SSL-Client-Cert, X-Forwarded-Client-Cert, Client-Cert) away at the edge before setting it there.")},
	References: []string{"RFC 9700 section 4.13", "RFC 8705 section 6.5", "RFC 9440 section 3.1"},
	Probe:      &check.Probe{What: "a request with a made-up certificate header to the own gateway", Safety: check.Lab},
	Judge: func(t *check.Target) []check.Verdict {
		a := t.Probed["mtls-header-spoof"]
		if a == nil || a.Verdict != nil || a.Status == 0 {
			return t.FromProbe("mtls-header-spoof", check.NeedProbe)
		}
		p := usher.Proof{Place: a.Place, Quote: check.Clip(a.Sent, 200), Expected: "401 or 403", Got: "status " + strconv.Itoa(a.Status)}
		switch {
		case a.Status >= 200 && a.Status < 300:
			return check.Only(check.Wrong("A made-up certificate header is believed", "Whoever knows the header is whoever they want to be.", p))
		case a.Status == 401 || a.Status == 403 || a.Status == 400:
			return check.Only(check.OK("", p))
		}
		return check.Only(check.Unknown(check.NeedNothing, "the answer does not tell", p))
	},
}
