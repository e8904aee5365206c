package clients

import (
	"strconv"
	"strings"

	"usher/catalog"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

// Labels of the taxonomy that the checks of this folder stand for.
const (
	causeSecretID     = "client-secret-id-used" //nolint:gosec // a label
	causeSecretPast   = "client-secret-expired" //nolint:gosec // a label
	causeSecretWrong  = "client-secret-invalid" //nolint:gosec // a label
	causeMethod       = "client-auth-method"
	causeAssertion    = "client-assertion-invalid"
	causeUnknown      = "client-unknown"
	causeDisabled     = "client-disabled"
	causeType         = "client-type-mismatch"
	causeNotAssigned  = "user-not-assigned"
	causeGrant        = "grant-not-allowed"
	causePKCEMissing  = "pkce-missing"
	causePKCEMismatch = "pkce-mismatch"
	causeCodeReused   = "code-reused"
	causeCodeExpired  = "code-expired"
	causeState        = "state-mismatch"
	causeRedirect     = "redirect-uri-mismatch"
	causeIssuer       = "issuer-mismatch"
	causeCookie       = "cookie-blocked"
	causeEmbedded     = "embedded-browser"
	causeLegacy       = "legacy-auth"
	causePolicyApp    = "policy-client-app"
	causePolicyDevice = "policy-device"
	causeClock        = "clock-skew"
	causeSignout      = "signout-error"
)

// causeOf gives the label that a refusal points to: by its provider's codes,
// else by the words of its description. It is empty where the answer leaves
// open what is wrong, as invalid_client alone does.
func causeOf(t *check.Target, e *evidence.ErrorBody) string {
	if e == nil {
		return ""
	}
	best, sure := "", -1.0
	for i, code := range e.Codes {
		if i == 8 {
			break
		}
		if c := lookup(t, code); c != nil && c.Confidence > sure {
			best, sure = c.Cause, c.Confidence
		}
	}
	if best != "" {
		return best
	}
	if c := lookup(t, e.Code); c != nil && !oauth.KnownError(e.Code) {
		return c.Cause
	}
	return causeInWords(e.Description)
}

// lookup finds a provider's own code; what the protocol itself defines is too
// wide to name a cause.
func lookup(t *check.Target, code string) *catalog.Code {
	if code == "" {
		return nil
	}
	provider := ""
	if t.Provider != nil {
		provider = t.Provider.Name
	}
	if strings.HasPrefix(code, "AADSTS") {
		provider = "entra"
	}
	c := catalog.LookupCode(provider, code)
	if c == nil || c.Provider == "rfc" || c.Provider == "oidc" {
		return nil
	}
	return c
}

// causeInWords reads the descriptions of servers that say what is wrong.
func causeInWords(text string) string {
	if text == "" || len(text) > 4<<10 {
		return ""
	}
	text = strings.ToLower(text)
	// Ory and Doorkeeper list everything that invalid_client may mean.
	for _, list := range [...]string{
		"unknown client, no client authentication included, or unsupported authentication method",
		"unknown client, no client authentication included or unsupported authentication method",
	} {
		text = strings.Replace(text, list, "", 1)
	}
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("secret") && has("expired"):
		return causeSecretPast
	case has("auth_method", "authentication method", "auth method", "authentication type"):
		return causeMethod
	case has("client not found", "unknown client", "client does not exist", "no such client", "unregistered client", "client_id is invalid", "invalid client_id", "client id is invalid", "oauth client was not found"):
		return causeUnknown
	case has("client disabled", "disabled client", "client is disabled", "client is not enabled", "client was disabled"):
		return causeDisabled
	case has("assertion", "client_assertion", "jwt"):
		if has("client") {
			return causeAssertion
		}
	case has("client secret", "client_secret", "client credentials", "bad secret", "wrong secret"):
		return causeSecretWrong
	}
	return ""
}

// quoteOf gives the words of a refusal.
func quoteOf(e *evidence.ErrorBody) string {
	switch {
	case e == nil:
		return ""
	case e.Description == "":
		return e.Code
	case e.Code == "":
		return clip(e.Description)
	}
	return e.Code + ": " + clip(e.Description)
}

// clip shortens what a provider wrote.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

func itoa(n int) string { return strconv.Itoa(n) }

// errorOf gives the refusal of a token request, nil where there is none.
func errorOf(c *check.TokenCall) *evidence.ErrorBody {
	if c.Response == nil {
		return nil
	}
	return c.Response.Error
}
