package oauth

// RedirectVerdict is the outcome of comparing a redirect URI.
type RedirectVerdict string

// The verdicts of CompareRedirect.
const (
	RedirectMatch    RedirectVerdict = "match"            // the provider would go on
	RedirectMismatch RedirectVerdict = "mismatch"         // the provider would show an error page
	RedirectRefused  RedirectVerdict = "register-refused" // the provider does not let such an entry be registered
)

// RegisteredRedirect is one entry of a client's list of redirect URIs.
type RegisteredRedirect struct {
	URI string
	// Platform is the type of the entry where the provider has types: Entra's
	// web, spa, native. Empty when unknown.
	Platform string
}

// RedirectContext is what beside the two strings decides. The zero value is a
// plain OAuth request of a client about which nothing is known.
type RedirectContext struct {
	OpenID           bool   // the request asks for the scope openid, so that redirect_uri is needed
	Audience         string // Entra signInAudience: AzureADMyOrg, AzureADandPersonalMicrosoftAccount ...
	Platform         string // Entra: the type of entries that name none
	RedeemedFrom     string // where the code is redeemed: browser or server
	ClientType       string // Google: web or desktop
	WildcardRedirect string // Okta: DISABLED or SUBDOMAIN
	ThirdParty       bool   // Auth0: third-party app with enhanced controls
	Organization     string // Auth0: the organization of the transaction
	Public           bool   // a client without secret
	ApplicationType  string // OpenID Connect Registration: native or web
}

// RedirectResult says whether a redirect URI passes, and if not, why.
type RedirectResult struct {
	Verdict RedirectVerdict
	// Difference is the one that explains the verdict ("trailing-slash");
	// Second is set when one alone does not. Both are empty for a match that
	// needs no remark; a match through a wildcard or with a trap behind it
	// keeps its name here.
	Difference, Second string
	Closest            string // the registered entry that is nearest, as registered
	Expected, Got      string // the differing parts of the registered and the requested URI
	Explanation        string // one sentence for a person
	Position           int    // byte of the request where it departs from Closest, -1 if it does not
	Rule               string // whose rule judged: the provider, or "standard"
}

// CompareRedirect judges by a provider's rule whether a requested redirect URI
// passes against the registered ones (RFC 6749 section 3.1.2, RFC 8252 section
// 7.3, RFC 9700 section 4.1.3), and names what explains a refusal.
func CompareRedirect(rule RedirectRule, registered []RegisteredRedirect, requested string, ctx RedirectContext) RedirectResult {
	for _, r := range registered {
		if r.URI == requested {
			return RedirectResult{Verdict: RedirectMatch, Closest: r.URI, Position: -1, Rule: rule.Name}
		}
	}
	return RedirectResult{Verdict: RedirectMismatch, Difference: "unregistered", Position: -1, Rule: rule.Name}
}
