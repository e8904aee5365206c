package clients

import (
	"strings"

	"usher/check"
	"usher/evidence"
)

// fault is what a provider does not like of a client assertion.
type fault string

const (
	faultNone     fault = ""
	faultKey      fault = "key"
	faultAudience fault = "audience"
	faultClaims   fault = "claims" // times, iss, sub, jti
)

// refused is the verdict for an assertion that the provider refused.
func (f fault) refused(client, place string, e *evidence.ErrorBody) check.Verdict {
	whose := "the client assertion"
	if client != "" {
		whose += " of " + client
	}
	quote := proof(place, quoteOf(e), "", "")
	v := check.Verdict{}
	switch f {
	case faultKey:
		v = check.Wrong("The provider holds no key that verifies "+whose, "The client signs with another key or certificate than the registered one, or the header names it in another way.", quote)
	case faultAudience:
		v = check.Wrong("The provider says that "+whose+" is not for it", "Its aud is neither the issuer nor the token endpoint, as the provider writes them.", quote)
	default:
		v = check.Wrong("The provider does not take the claims of "+whose, "Its time is over or has not come (compare the clocks), it was used before, or iss and sub are not the client id.", quote)
		if timed(e) {
			v.Title = "The provider says that " + whose + " is outside its time"
			v.Detail = "It was made too early, kept in a cache, or the clock of the machine that made it is wrong."
			return v.Because(causeAssertion).Do("Make a new assertion for each token request, and set the clock of the machine that makes it (NTP).")
		}
	}
	return v.Because(causeAssertion)
}

func timed(e *evidence.ErrorBody) bool {
	for i, code := range e.Codes {
		if i == 8 {
			break
		}
		if code == "AADSTS700024" || code == "client_assertion_expired_token" {
			return true
		}
	}
	text := strings.ToLower(e.Description)
	return strings.Contains(text, "expired") || strings.Contains(text, "lifetime") || strings.Contains(text, "not active")
}

// faultOf reads a refusal of a client assertion: by the provider's codes, else
// by its words.
func faultOf(e *evidence.ErrorBody) fault {
	if e == nil {
		return faultNone
	}
	for i, code := range e.Codes {
		if i == 8 {
			break
		}
		switch code {
		case "AADSTS700027", "AADSTS50012", "AADSTS700026", "AADSTS700028", "AADSTS700029", "AADSTS700030", "AADSTS7000214",
			"client_assertion_invalid_signature", "client_assertion_invalid_kid":
			return faultKey
		case "AADSTS5002723", "client_assertion_invalid_audience":
			return faultAudience
		case "AADSTS700021", "AADSTS700024", "AADSTS50048", "client_assertion_expired_token", "client_assertion_already_used":
			return faultClaims
		}
	}
	if len(e.Codes) > 0 || len(e.Description) > 4<<10 {
		return faultNone
	}
	text := strings.ToLower(e.Description)
	if !strings.Contains(text, "assertion") && !(strings.Contains(text, "jwt") && strings.Contains(text, "client")) {
		return faultNone
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
	case has("audience", "'aud'", `"aud"`, "(aud)", "aud claim"):
		return faultAudience
	case has("signature", "signing key", "certificate", "kid", "public key"):
		return faultKey
	case has("expired", "lifetime", "not active", "'exp'", "'iat'", "jti", "replay", "already been used", "reuse", "issuer", "subject"):
		return faultClaims
	}
	return faultNone
}
