package probe

import (
	"net/http"
	"strings"

	"usher/oauth"
)

// said is what an answer of the token endpoint says of the credential.
type said string

const (
	accepted  said = "accepted" // it complains of the grant alone
	wrong     said = "wrong"
	expired   said = "expired"
	idSent    said = "id"       // the secret's id in place of its value
	method    said = "method"   // it did not look where the credential was
	unknown   said = "unknown"  // there is no such client
	disabled  said = "disabled" // the client
	public    said = "public"   // the client has no credential
	wrongKey  said = "key"      // of an assertion
	audience  said = "audience"
	lifetime  said = "lifetime"
	replayed  said = "replayed"
	unclear   said = "unclear"
	throttled said = "throttled"
	gave      said = "gave" // a token, for a made-up code
)

// read reads what an answer says of the credential. provider is its name, where
// it is known: some have words of their own.
func read(r *reply, provider string) said {
	switch {
	case r.status == http.StatusTooManyRequests:
		return throttled
	case r.status >= 500 || r.status/100 == 3:
		return unclear
	case r.err == nil && r.status/100 == 2 && strings.Contains(r.body, `"access_token"`):
		return gave
	case r.err == nil && r.status == http.StatusUnauthorized:
		return wrong
	case r.err == nil:
		return unclear
	}
	for _, code := range r.err.Codes {
		if s := entra(code); s != "" {
			return s
		}
	}
	text := strings.ToLower(r.err.Description)
	switch r.err.Code {
	case oauth.ErrInvalidClient, "invalid_client_credentials", "incorrect_client_credentials", "bad_client_secret":
		return refusal(r.err.Code, text, provider)
	case "invalid_client_id":
		return unknown
	case oauth.ErrUnauthorizedClient:
		return unauthorized(r.status, text)
	case oauth.ErrInvalidGrant, oauth.ErrUnsupportedGrantType, oauth.ErrInvalidScope, oauth.ErrInvalidTarget, "bad_verification_code", "invalid_code":
		return accepted
	case oauth.ErrAccessDenied: // Auth0
		if r.status == http.StatusUnauthorized {
			return wrong
		}
	case oauth.ErrInvalidRequest:
		if has(text, "client_secret", "client secret", "client authentication", "authentication method", "client_assertion") {
			if s := assertionWords(text); s != "" {
				return s
			}
			return method
		}
	case oauth.ErrSlowDown, oauth.ErrTemporarilyUnavailable:
		return throttled
	}
	return unclear
}

// entra reads one of Entra's codes.
func entra(code string) said {
	switch code {
	case "AADSTS7000215":
		return wrong
	case "AADSTS7000222":
		return expired
	case "AADSTS7000216", "AADSTS7000218":
		return method
	case "AADSTS700025":
		return public
	case "AADSTS700016":
		return unknown
	case "AADSTS7000112":
		return disabled
	case "AADSTS700027":
		return wrongKey
	case "AADSTS700024":
		return lifetime
	case "AADSTS700212", "AADSTS5002723":
		return audience
	case "AADSTS70000", "AADSTS70008", "AADSTS54005", "AADSTS9002313", // of the code
		"AADSTS500011", "AADSTS70011", "AADSTS1002012": // of the scope
		return accepted // whether it looked at the credential before is asked with a wrong one
	}
	return ""
}

func refusal(code, text, provider string) said {
	if s := assertionWords(text); s != "" {
		return s
	}
	switch {
	case has(text, "expired"):
		return expired
	case has(text, "not provided", "no client authentication", "missing", "authentication method", "auth method", "auth_method", "must be authenticated using", "unsupported authentication"):
		return method
	case has(text, "client not found", "unknown client", "no such client", "client does not exist", "was not found", "client is not registered"):
		return unknown
	case has(text, "disabled"):
		return disabled
	case provider == "keycloak" && code == oauth.ErrInvalidClient:
		return unknown // a wrong secret is unauthorized_client there
	}
	return wrong
}

// unauthorized reads unauthorized_client: the RFC's meaning is that the client
// was told apart and may not use the grant; Keycloak's is a wrong secret.
func unauthorized(status int, text string) said {
	if s := assertionWords(text); s != "" {
		return s
	}
	switch {
	case has(text, "not provided"):
		return method
	case has(text, "credentials", "secret"):
		return wrong
	case has(text, "grant", "not allowed", "not enabled", "not authorized to", "flow"):
		return accepted
	case status == http.StatusUnauthorized:
		return wrong
	}
	return unclear
}

// assertionWords reads what is said of an assertion; empty when nothing is.
func assertionWords(text string) said {
	if !has(text, "assertion", "jwt", "token audience", "aud)", "\"aud\"", "'aud'", "signature", "public key", "signing key", "matching key", "jwks", "kid") {
		return ""
	}
	switch {
	case has(text, "audience", "aud)", "\"aud\"", "'aud'"):
		return audience
	case has(text, "replay", "reuse", "already been used", "already used", "jti"):
		return replayed
	case has(text, "expired", "not active", "exp ", "lifetime", "too far", "too long", "iat", "nbf", "valid time", "issued"):
		return lifetime
	case has(text, "signature", "key", "certificate", "jwks", "kid"):
		return wrongKey
	}
	return ""
}

func has(text string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}
