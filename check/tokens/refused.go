package tokens

import (
	"cmp"
	"fmt"
	"strings"

	"usher"
	"usher/catalog"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/token"
)

var refreshRevokedCause = &check.Check{
	ID: "refresh-revoked-cause", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "No grant is refused; where one is, the reason is named",
	Judged: "invalid_grant says that a grant is no longer good and not why. The reason is read from the provider's own code, suberror or words: password changed, consent withdrawn, a policy, disuse, reuse, a user who is disabled, too many sessions.",
	Cause:  "", Step: usher.StepRefresh, Fixer: usher.FixerUser,
	Fix: []usher.FixStep{
		check.Neutral("Throw the refresh token away, and let the person sign in again; no other try with it helps."),
		check.Neutral("Look the trace id up in the provider's sign-in log: it names the policy, person and reason."),
	},
	References: []string{"RFC 6749 section 5.2"},
	Judge: func(t *check.Target) []check.Verdict {
		if !t.Has(check.NeedTokenResponse) && !t.Has(check.NeedLogs) {
			return []check.Verdict{check.Unknown(check.NeedTokenResponse, "")}
		}
		var all verdicts
		for i, c := range t.TokenCalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			switch r := c.Response; {
			case r == nil:
			case r.Error != nil && refused(r.Error):
				all.add(namedRefusal(t, c).Of(clientOfCall(c)))
			case r.Error == nil && r.AccessToken != "" && isRefresh(c):
				all.add(check.OK("The refresh token is taken.", usher.Proof{Place: cmp.Or(c.Place, r.Place), Quote: "grant_type=refresh_token, and an access token for it"}).Of(clientOfCall(c)))
			}
		}
		for _, v := range refusalsInLogs(t) {
			all.add(v)
		}
		return all.or(check.NotApplicable("no grant is refused"))
	},
}

// refused tells whether an error says that a grant is no longer good, or asks
// for the person.
func refused(e *evidence.ErrorBody) bool {
	return e.Code == oauth.ErrInvalidGrant || interaction(e.Code)
}

func namedRefusal(t *check.Target, c *check.TokenCall) check.Verdict {
	e := c.Response.Error
	what, refresh := "The grant", false
	switch {
	case c.Request == nil:
	case c.Request.GrantType == oauth.GrantRefreshToken:
		what, refresh = "The refresh token", true
	case c.Request.GrantType == oauth.GrantAuthorizationCode:
		what = "The code"
	case c.Request.GrantType == oauth.GrantPassword:
		what = "The password"
	}
	place := cmp.Or(c.Response.Place, c.Place)
	proofs := []usher.Proof{{Place: place, Quote: errorText(e)}}
	if e.Description != "" { // what errorText says of it stands in the detail
		proofs[0].Quote = "error_description: " + token.Printable(e.Description)
	}
	if why, ok := reason(providerOf(t, e.Codes), e, refresh); ok {
		v := check.Wrong(fmt.Sprintf("%s is refused%s: %s", what, inBrackets(why.code), why.title), strings.TrimSpace(why.means+" "+again(why.cause, e))+" It says: "+errorText(e)+".", proofs...).Because(why.cause)
		v.Fix = why.fix
		return v
	}
	return check.Wrong(fmt.Sprintf("%s is refused (%s), and the answer does not say why", what, token.Printable(e.Code)),
		"It has ended, was revoked (password changed, consent withdrawn, person disabled, too many sessions), was used before, or is of another client; the provider's log tells which. "+again("", e)+" It says: "+errorText(e)+".", proofs...)
}

// why is what a refusal stands for.
type why struct {
	code, cause string
	title       string // a clause
	means       string // a sentence, or nothing
	fix         []usher.FixStep
}

// reason finds out what a refusal stands for: by the provider's own code, else
// by its words, else by a code that says little.
func reason(provider string, e *evidence.ErrorBody, refresh bool) (why, bool) {
	var weak *catalog.Code
	for _, code := range e.Codes {
		k := catalog.LookupCode(provider, code)
		switch {
		case k == nil || k.Meaning == "":
		case k.Confidence < usher.Confident || oauth.KnownError(code):
			weak = k
		default:
			return ofCode(k), true
		}
	}
	if cause, says := reasonInWords(e, refresh); cause != "" {
		w := why{cause: cause, title: says}
		if entry := catalog.Cause(cause); entry != nil {
			w.fix = entry.Fix
		}
		return w, true
	}
	if weak != nil {
		return ofCode(weak), true
	}
	return why{}, false
}

func ofCode(k *catalog.Code) why {
	w := why{code: k.Code, cause: k.Cause, title: lower(k.Title), means: sentence(k.Meaning), fix: k.Fix}
	if entry := catalog.Cause(k.Cause); entry != nil {
		w.title = cmp.Or(w.title, lower(entry.Title))
		if len(w.fix) == 0 {
			w.fix = entry.Fix
		}
	}
	w.title = cmp.Or(w.title, lower(k.Meaning))
	return w
}

func inBrackets(code string) string {
	if code == "" {
		return ""
	}
	return " (" + code + ")"
}

// providerOf names the provider that codes are of.
func providerOf(t *check.Target, codes []string) string {
	for _, code := range codes {
		switch {
		case strings.HasPrefix(code, "AADSTS"):
			return "entra"
		case strings.HasPrefix(code, "E0000"):
			return "okta"
		}
	}
	if t.Provider != nil {
		return t.Provider.Name
	}
	return ""
}

// again says whether the person must sign in again, and whether that helps.
func again(cause string, e *evidence.ErrorBody) string {
	switch {
	case e.Claims != "" || interaction(e.Code):
		return "The person must take part again: in a new authorization request, with the claims that the answer asks for where it does."
	case cause == "user-disabled" || cause == "user-locked" || cause == "user-unknown" || cause == "user-not-assigned":
		return "Signing in again does not help until an administrator has changed that."
	case strings.HasPrefix(cause, "policy-"):
		return "Signing in again helps only when what the policy looks at has changed."
	case cause == "" || strings.HasPrefix(cause, "refresh-token-") || strings.HasPrefix(cause, "session-") || strings.HasPrefix(cause, "code-") || strings.HasPrefix(cause, "password-"):
		return "The person must sign in again."
	}
	if entry := catalog.Cause(cause); entry != nil {
		switch entry.Fixer {
		case usher.FixerDeveloper:
			return "The app must be mended first; then the person signs in again."
		case usher.FixerTenantAdmin:
			return "An administrator must change that first; then the person signs in again."
		}
	}
	return "The person must sign in again."
}

// reasonInWords reads the reason from suberror and description, as the
// providers write them that have no codes.
func reasonInWords(e *evidence.ErrorBody, refresh bool) (cause, why string) {
	switch strings.ToLower(e.Suberror) {
	case "invalid_rapt", "rapt_required":
		return "reauth-required", "the session for Google Cloud must be confirmed anew (invalid_rapt)"
	case "bad_token":
		return "refresh-token-revoked", "the token is no longer good (bad_token)"
	case "token_expired":
		return "refresh-token-expired", "the token has ended (token_expired)"
	case "consent_required":
		return "consent-required", "consent is lacking (consent_required)"
	case "basic_action", "additional_action", "user_password_expired":
		return "interaction-required", "the person must act (" + token.Printable(e.Suberror) + ")"
	case "protection_policy_required":
		return "policy-client-app", "an app protection policy is demanded (protection_policy_required)"
	case "device_authentication_failed":
		return "policy-device", "the device could not be proven (device_authentication_failed)"
	}
	words := strings.ToLower(e.Description)
	if !refresh && strings.Contains(words, "password") && !strings.Contains(words, "refresh") {
		if strings.Contains(words, "expired") || strings.Contains(words, "change") {
			return "password-expired", "the password has ended or must be changed"
		}
		return "password-wrong", "the name or the password is not right"
	}
	for _, w := range [...]struct{ has, cause, why string }{
		{"token has been expired or revoked", "refresh-token-revoked", "the token has ended or was revoked"},
		{"maximum allowed refresh token reuse exceeded", "refresh-token-reused", "it was used before"},
		{"already used", "refresh-token-reused", "it was used before"},
		{"reuse", "refresh-token-reused", "it was used before"},
		{"stale token", "refresh-token-reused", "it is older than the latest one"},
		{"session not active", "session-revoked", "the session has ended"},
		{"session doesn't have required client", "session-revoked", "the session no longer holds this client"},
		{"offline session not active", "refresh-token-revoked", "the offline session has ended"},
		{"token is not active", "refresh-token-expired", "the token has ended"},
		{"refresh token expired", "refresh-token-expired", "the token has ended"},
		{"refresh token is invalid or expired", "refresh-token-expired", "the token is not good or has ended"},
		{"has expired", "refresh-token-expired", "the token has ended"},
		{"user disabled", "user-disabled", "the person's account is disabled"},
		{"account disabled", "user-disabled", "the person's account is disabled"},
		{"user is disabled", "user-disabled", "the person's account is disabled"},
		{"user or client no longer has role", "refresh-token-revoked", "the right to offline access was taken away"},
		{"password", "refresh-token-revoked", "the password was changed"},
		{"unknown or invalid refresh token", "refresh-token-revoked", "the provider does not know it any more"},
		{"revoked", "refresh-token-revoked", "it was revoked"},
		{"code not valid", "code-expired", "the code has ended or was used before"},
	} {
		if !strings.Contains(words, w.has) {
			continue
		}
		if !refresh && strings.HasPrefix(w.cause, "refresh-token-") && !strings.Contains(words, "refresh") && w.cause != "refresh-token-revoked" {
			continue // it may be a code that has ended
		}
		return w.cause, w.why
	}
	return "", ""
}

// refusalsInLogs gathers the refreshes that the provider's log says were
// refused, by client and code.
func refusalsInLogs(t *check.Target) []check.Verdict {
	type group struct {
		client, code string
		first        *usher.Event
		count        int
	}
	var groups []*group
	for _, e := range t.Events {
		if e.OAuth.GrantType != oauth.GrantRefreshToken || !e.Refused() {
			continue
		}
		code := cmp.Or(e.StatusCode, e.OAuth.Error)
		found := false
		for _, g := range groups {
			if g.client == e.Client.UID && g.code == code {
				g.count++
				found = true
				break
			}
		}
		if !found && len(groups) < maxWrong {
			groups = append(groups, &group{e.Client.UID, code, e, 1})
		}
	}
	var out []check.Verdict
	for _, g := range groups {
		e := g.first
		p := usher.Proof{Place: check.RecordPlace(e), Quote: strings.TrimSpace(token.Printable(g.code) + " " + token.Printable(cmp.Or(e.StatusDetail, e.OAuth.Description)))}
		times := fmt.Sprintf("%d in the log.", g.count)
		codes := []string{g.code}
		if e.Provider == "entra" && !strings.HasPrefix(g.code, "AADSTS") {
			codes = []string{"AADSTS" + g.code}
		}
		body := &evidence.ErrorBody{Codes: codes, Description: cmp.Or(e.StatusDetail, e.OAuth.Description)}
		why, ok := reason(e.Provider, body, true)
		if !ok {
			out = append(out, check.Wrong(fmt.Sprintf("Refreshes are refused with %s", show(g.code)), times+" The log does not say why in words that are known here.", p).Of(g.client))
			continue
		}
		v := check.Wrong("Refreshes are refused"+inBrackets(why.code)+": "+why.title, strings.TrimSpace(times+" "+why.means)+" "+again(why.cause, &evidence.ErrorBody{}), p).Because(why.cause).Of(g.client)
		v.Fix = why.fix
		out = append(out, v)
	}
	return out
}
