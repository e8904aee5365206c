package oauth

// Verdict is what a provider says to a redirect URI.
type Verdict string

// The verdicts.
const (
	RedirectMatch           Verdict = "match"
	RedirectMismatch        Verdict = "mismatch"
	RedirectRegisterRefused Verdict = "register-refused" // the provider does not let this entry be registered
)

// RegisteredRedirect is one entry of the registered list.
type RegisteredRedirect struct {
	URI      string
	Platform string // Entra: "web", "spa", "publicClient"; empty elsewhere or unknown
}

// RedirectContext is what the comparison depends on beside the two strings. The
// zero value is an OAuth request of a confidential web client.
type RedirectContext struct {
	OpenID           bool   // scope holds openid: redirect_uri is needed
	Audience         string // Entra's signInAudience
	RedeemedFrom     string // "browser" or "server": who redeems the code; empty unknown
	ClientType       string // Google: "web", "desktop", "android", ...
	ApplicationType  string // Zitadel, OIDC registration: "web", "native"
	WildcardRedirect string // Okta: "SUBDOMAIN" or "DISABLED"
	Organization     string // Auth0: organization of the transaction
	ThirdParty       bool   // Auth0: third-party app with enhanced controls
	Public           bool   // the client has no secret
}

// RedirectResult is the answer of CompareRedirect.
type RedirectResult struct {
	Verdict Verdict
	// Difference is the one difference that explains the verdict, a word of
	// the design's list ("trailing-slash"), or "none". With a match it may
	// name what made it match ("wildcard") or what goes wrong later
	// ("platform-type").
	Difference string
	Second     string // a second difference, when one alone does not explain
	Closest    string // the registered entry nearest to the requested value
	Expected   string // the differing part of Closest
	Got        string // the differing part of the requested value
	// Explanation is one sentence for a person that names the difference.
	Explanation string
	Position    int // byte offset in the requested value where it departs from Closest, -1 with none
}

// CompareRedirect says whether a provider with this rule accepts the requested
// redirect URI for a client with these registered entries, which entry is the
// nearest and what the difference is. An empty requested value means that the
// parameter was left out.
func CompareRedirect(rule RedirectRule, registered []RegisteredRedirect, requested string, ctx RedirectContext) RedirectResult {
	return RedirectResult{Position: -1}
}
