package clients

import (
	"fmt"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

var clientTypeFits = &check.Check{
	ID: "client-type-fits", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The client is rightly registered as public or confidential",
	Judged: "What kind of app the registration is for, against whether it has a secret or key.",
	Cause:  causeType, Step: usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Register apps on devices and in browsers as public clients with PKCE, apps on servers as confidential ones; where one registration serves both, split it into two."),
	},
	References: []string{"RFC 6749 section 2.1", "RFC 8252 section 8.5", "RFC 9700 section 2.5"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, judgeType)
	},
}

func judgeType(r *evidence.Registration) check.Verdict {
	kind := kindOf(r)
	public, told := publicOf(r)
	if hasGrant(r.GrantTypes, oauth.GrantClientCredentials) && told && public {
		return check.Wrong("The public client "+nameOf(r)+" may use client_credentials", "That grant proves nothing but the client's own credential, and a public client has none.",
			proof(r.Place, "grant_types: client_credentials", "a confidential client", "public"))
	}
	switch {
	case kind == kindUnknown:
		return check.Unknown(check.NeedNothing, "the registration does not say what kind of app it is for")
	case kind == kindMixed && r.Provider == "entra":
		if public && told {
			return check.Wrong("One registration serves a server and apps on devices", "With public client flows allowed, whoever knows the client id can act as the app without its secret.",
				proof(r.Place, "isFallbackPublicClient: true", "two registrations", "redirect URIs of a server and of apps on devices in one")).As(usher.SeverityMedium)
		}
		return check.OK("each redirect URI has a platform of its own, which decides whether a secret is asked for", proof(r.Place, "platforms", "", "web and others"))
	case publicKind(kind) && r.Provider == "google":
		return check.OK("Google gives such apps a value that it does not take for a secret", proof(r.Place, "installed", "", ""))
	case publicKind(kind) && told && !public:
		return check.Wrong(fmt.Sprintf("%s is a %s app and registered as confidential", nameOf(r), kind),
			"Whoever has the app has the secret in it, so the secret proves nothing and cannot be changed.",
			proof(r.Place, methodsOf(r), "none, with PKCE", "a secret")).
			Do("Set the authentication method to none, demand PKCE with S256, and withdraw the secret.")
	case (kind == kindWeb || kind == kindService) && told && public:
		if r.Provider == "entra" {
			return check.Wrong(nameOf(r)+" runs on a server and allows public client flows", "Device code and password sign-ins work with nothing but its client id.",
				proof(r.Place, "isFallbackPublicClient: true", "false", "true")).As(usher.SeverityMedium).
				Do("Set \"Allow public client flows\" to No (Authentication > Advanced settings).")
		}
		return check.Wrong(fmt.Sprintf("%s is a %s app and registered as public", nameOf(r), kind),
			"A server can keep a credential, and without one anybody can redeem its codes and act as it.",
			proof(r.Place, methodsOf(r), "a secret or, better, a key", "none"))
	case told:
		return check.OK(fmt.Sprintf("a %s app, registered as it should be", kind), proof(r.Place, methodsOf(r), "", ""))
	case kind == kindWeb && r.Provider == "entra" && len(r.Credentials) > 0:
		return check.OK("an app on a server, with a credential", proof(r.Credentials[0].Place, r.Credentials[0].Kind, "", ""))
	}
	return check.Unknown(check.NeedTokenRequest, "the registration does not say whether the client has a credential")
}

// publicOf tells whether a client is registered without a credential.
func publicOf(r *evidence.Registration) (public, told bool) {
	switch {
	case r.Public != nil && *r.Public:
		return true, true
	case r.Provider == "entra" && publicKind(kindOf(r)):
		// Entra has no such switch: its platforms decide, and credentials tell.
		if len(r.Credentials) > 0 {
			return false, true
		}
		return true, known(r, "Credentials")
	case r.Provider == "entra":
		// The switch is about further flows; without it nothing is said of the app.
		if len(r.Credentials) > 0 || len(r.Federated) > 0 {
			return false, true
		}
		return false, false
	case r.Public != nil:
		return false, true
	}
	for _, m := range r.AuthMethods {
		return m == oauth.AuthNone, true
	}
	return false, false
}

func methodsOf(r *evidence.Registration) string {
	switch {
	case len(r.AuthMethods) > 0:
		return "token_endpoint_auth_method: " + strings.Join(r.AuthMethods, ", ")
	case r.Public != nil && *r.Public:
		return "public: true"
	case r.Public != nil:
		return "public: false"
	case len(r.Credentials) > 0:
		return itoa(len(r.Credentials)) + " credentials"
	}
	return ""
}

var secretInPublicClient = &check.Check{
	ID: "secret-in-public-client", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "An app that people hold holds no secret",
	Judged: "Whether a public client, or a page in a browser, sends a client secret.",
	Cause:  causeType, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Withdraw the secret at the provider: whoever has the app has it."),
		check.Tightening("Take it out of the app, and use the code flow with PKCE without a secret, or redeem the code on a server of your own."),
	},
	References: []string{"RFC 8252 section 8.5", "RFC 6749 section 10.1", "RFC 9700 section 2.5"},
	Judge:      judgeSecretInPublic,
}

func judgeSecretInPublic(t *check.Target) []check.Verdict {
	var b book
	for c := range tokenCalls(t) {
		r := registration(t, c.Request.ClientID)
		if c.Request.ClientID == "" && c.Request.ClientAssertion != "" {
			continue
		}
		sent := c.Request.ClientSecret != ""
		page := fromPage(c)
		public := r != nil && (publicKind(kindOf(r)) || r.Public != nil && *r.Public && kindOf(r) != kindMixed)
		switch {
		case sent && r != nil && vendor(t, r) == "google" && kindOf(r) == kindNative:
			b.add(c.Request.ClientID, check.OK("Google gives installed apps a value that it does not take for a secret", proof(c.Place, "client_secret", "", "")))
		case sent && page:
			b.add(c.Request.ClientID, check.Wrong("A page in the browser sends the client secret of "+whom(c.Request.ClientID),
				"Everybody who opens the page can read it, and act as the app.", proof(c.Place, "Origin: "+origin(c), "no client_secret", c.Request.AuthMethod)))
		case sent && public:
			b.add(c.Request.ClientID, check.Wrong("The public client "+c.Request.ClientID+" sends a secret",
				"It is registered as an app that people hold, so everybody who has the app has the secret.", proof(c.Place, c.Request.AuthMethod, "no client_secret", "a client_secret"), proof(r.Place, methodsOf(r), "", "")))
		case !sent && (page || public):
			b.add(c.Request.ClientID, check.OK("it sends no secret", proof(c.Place, c.Request.AuthMethod, "", "")))
		case sent && r == nil:
			b.add(c.Request.ClientID, check.Unknown(check.NeedRegistration, "it sends a secret; whether the app is one that people hold stands in its registration"))
		}
	}
	for _, r := range t.Registrations {
		if r == nil || r.ClientID == "" {
			continue
		}
		kind := kindOf(r)
		public, told := publicOf(r)
		if b.find(r.ClientID) >= 0 {
			continue
		}
		switch {
		case publicKind(kind) && told && !public, told && public && hasSecret(r):
			b.add(r.ClientID, check.Unknown(check.NeedTokenRequest, "the registration has a secret; whether the app ships it shows in its token request"))
		case told && public:
			b.add(r.ClientID, check.OK("the client is public, and no secret of it is registered", proof(r.Place, methodsOf(r), "", "")))
		case told && !publicKind(kind) && kind != kindUnknown && kind != kindMixed:
			b.add(r.ClientID, check.NotApplicable("the client runs on a server, which can keep a secret"))
		default:
			b.add(r.ClientID, check.Unknown(check.NeedTokenRequest, "whether the app is one that people hold, and ships a secret, shows in its token request"))
		}
	}
	return b.or(check.Unknown(check.NeedTokenRequest, ""))
}

func hasSecret(r *evidence.Registration) bool {
	for i := range r.Credentials {
		if r.Credentials[i].Kind == "secret" {
			return true
		}
	}
	return false
}

// fromPage tells whether the script of a page sent a token request: browsers
// say so in headers that scripts cannot set.
func fromPage(c *check.TokenCall) bool {
	if c.Exchange == nil {
		return false
	}
	if m := c.Exchange.Request.Get("Sec-Fetch-Mode"); m == "cors" || m == "same-origin" || m == "no-cors" {
		return true
	}
	return origin(c) != ""
}

func origin(c *check.TokenCall) string {
	if o := c.Exchange.Request.Get("Origin"); o != "null" {
		return o
	}
	return ""
}

// Kinds of apps, as checks tell them apart.
const (
	kindUnknown = ""
	kindWeb     = "web"     // runs on a server of its own
	kindService = "service" // runs on a server, without people
	kindBrowser = "browser"
	kindNative  = "native" // is installed on devices
	kindMixed   = "mixed"  // Entra: one registration for a server and for an app on devices or in browsers
)

// kindOf says what a client runs as, as far as its registration tells.
func kindOf(r *evidence.Registration) string {
	if k := kindNamed(r.ApplicationType); k != kindUnknown {
		return k
	}
	var web, browser, native bool
	for _, u := range r.RedirectURIs {
		switch kindNamed(u.Platform) {
		case kindWeb:
			web = true
		case kindBrowser:
			browser = true
		case kindNative:
			native = true
		case kindService:
			return kindService
		}
	}
	switch {
	case web && (browser || native):
		return kindMixed
	case native:
		return kindNative
	case browser:
		return kindBrowser
	case web:
		return kindWeb
	}
	for _, u := range r.RedirectURIs {
		if privateScheme(u.URI) {
			return kindNative
		}
	}
	return kindUnknown
}

func kindNamed(word string) string {
	switch word {
	case "web", "regular_web", "Web":
		return kindWeb
	case "service", "non_interactive", "m2m":
		return kindService
	case "spa", "browser", "Spa":
		return kindBrowser
	case "native", "publicClient", "installed", "InstalledClient":
		return kindNative
	}
	return kindUnknown
}

// privateScheme tells whether a redirect URI leads to an app on a device,
// RFC 8252 section 7.1.
func privateScheme(uri string) bool {
	scheme, _, ok := strings.Cut(uri, ":")
	if !ok || strings.ContainsAny(scheme, "/*?# ") {
		return false
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "urn", "":
		return false
	}
	return true
}

// publicKind tells whether whoever holds such an app holds everything in it.
func publicKind(kind string) bool { return kind == kindBrowser || kind == kindNative }
