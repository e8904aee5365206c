package tokens

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/token"
)

var claimsChallenge = &check.Check{
	ID: "token-claims-challenge", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "A claims challenge is answered",
	Judged: "What an error answer or a WWW-Authenticate header asks for in claims stands in the claims parameter of the next authorization or token request.",
	Cause:  "interaction-required", Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Pass the claims value on unchanged: as the claims parameter of a new authorization request, in which the person can do what is asked."),
		check.Neutral("Let the client tell the challenge from other errors, and keep error_codes, suberror and the trace id for the logs."),
		check.Tightening("Announce the client capability cp1 only when the client does this."),
	},
	References: []string{"OpenID Connect Core section 5.5", "https://learn.microsoft.com/entra/identity-platform/claims-challenge"},
	Judge: func(t *check.Target) []check.Verdict {
		if !t.Has(check.NeedTokenResponse) && !t.Has(check.NeedAPIResponse) && !t.Has(check.NeedAuthResponse) {
			return []check.Verdict{check.Unknown(check.NeedTokenResponse, "")}
		}
		var all verdicts
		asked := 0
		for i, c := range t.TokenCalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			if r := c.Response; r != nil && r.Error != nil && r.Error.Claims != "" && asked < maxWrong {
				asked++
				all.add(answeredChallenge(t, challenge{place: cmp.Or(r.Place, c.Place), claims: r.Error.Claims, err: r.Error, token: c, client: clientOfCall(c)}))
			}
		}
		for i, c := range t.APICalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			for _, ch := range c.Challenges {
				if asked == maxWrong || ch.Params["claims"] == "" {
					continue
				}
				asked++
				if claims, err := ch.ClaimsChallenge(); err == nil && claims != "" {
					all.add(answeredChallenge(t, challenge{place: c.Place, claims: claims, api: c}))
				} else if err != nil {
					all.add(check.Wrong("The API sends a claims challenge that cannot be read", "It is neither JSON nor the base64 of it, so that no client can pass it on.",
						usher.Proof{Place: c.Place, Quote: "claims: " + show(ch.Params["claims"]), Expected: "a JSON object in base64", Got: show(ch.Params["claims"])}))
				}
			}
		}
		for i, c := range t.AuthCalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			if r := c.Response; r != nil && r.Error != "" && r.Params.Get("claims") != "" && asked < maxWrong {
				asked++
				all.add(answeredChallenge(t, challenge{place: cmp.Or(c.ResponsePlace, c.Place), claims: r.Params.Get("claims"), err: &evidence.ErrorBody{Code: r.Error, Description: r.ErrorDescription, Suberror: r.ErrorSubcode}, auth: c}))
			}
		}
		return all.or(check.NotApplicable("no answer holds a claims challenge"))
	},
}

// challenge is one demand for claims, of a token endpoint or of an API.
type challenge struct {
	place, claims, client string
	err                   *evidence.ErrorBody
	token                 *check.TokenCall
	api                   *check.APICall
	auth                  *check.AuthCall
}

func (c challenge) time() time.Time {
	switch {
	case c.token != nil:
		return c.token.Time
	case c.auth != nil:
		return c.auth.Time
	}
	return c.api.Time
}

func answeredChallenge(t *check.Target, c challenge) check.Verdict {
	p := usher.Proof{Place: c.place, Quote: "claims: " + token.Printable(c.claims), Expected: "the same claims in the next request", Got: "none"}
	proofs := []usher.Proof{p}
	who, cause := "The API", ""
	if c.err != nil {
		who = "The provider"
		if w, ok := reason(providerOf(t, c.err.Codes), c.err, true); ok {
			who += inBrackets(w.code)
			cause = w.cause
		}
		proofs = append(proofs, usher.Proof{Place: c.place, Quote: errorText(c.err)})
	}
	asked, passed := followUp(t, c)
	if passed != "" {
		proofs[0].Expected, proofs[0].Got = "", ""
		return check.OK("The claims that were asked for stand in the next request.", proofs[0], usher.Proof{Place: passed, Quote: "claims: " + token.Printable(c.claims)}).Of(c.client)
	}
	title := fmt.Sprintf("%s asks for more claims, and no request passes them on", who)
	detail := ""
	if asked != "" {
		title = fmt.Sprintf("%s asks for more claims, and the next request leaves them out", who)
		proofs[0].Got = "a request without them, " + asked
		detail = "The provider will refuse again with the same words. "
	}
	if c.err != nil {
		detail += "It says: " + errorText(c.err) + ". "
	}
	return check.Wrong(title, detail+"Only a sign-in that is asked for with these claims gives a token that passes; trying again or refreshing does not.", proofs...).Because(cause).Of(c.client)
}

// followUp gives the place of a request after the challenge that does not pass
// the claims on, and of one that does.
func followUp(t *check.Target, c challenge) (asked, passed string) {
	when, want := c.time(), parsedClaims(c.claims)
	for i, a := range t.AuthCalls {
		if i == maxCalls {
			break
		}
		if a.Request == nil || a == c.auth || !after(a.Time, when) {
			continue
		}
		if sameClaims(a.Request.Claims, c.claims, want) {
			return "", cmp.Or(a.Place, "authorization request")
		}
		if !a.Time.IsZero() && !when.IsZero() && a.Time.After(when) && asked == "" {
			asked = cmp.Or(a.Place, "authorization request")
		}
	}
	later := c.token == nil
	for i, k := range t.TokenCalls {
		if i == maxCalls {
			break
		}
		if k == c.token {
			later = true
			continue
		}
		if k.Request != nil && later && after(k.Time, when) && sameClaims(k.Request.Params.Get("claims"), c.claims, want) {
			return "", cmp.Or(k.Place, "token request")
		}
	}
	return asked, ""
}

// claimsAsked is a claims parameter: the places (id_token, access_token) with
// the claims of each.
type claimsAsked map[string]map[string]json.RawMessage

func parsedClaims(s string) claimsAsked {
	var c claimsAsked
	if len(s) > 64<<10 || json.Unmarshal([]byte(s), &c) != nil {
		return nil
	}
	return c
}

// sameClaims tells whether a request passes a challenge on: the same text, or
// the same claims, to which the client may have added what it wants beside.
func sameClaims(sent, asked string, want claimsAsked) bool {
	if sent == "" || sent == asked || len(want) == 0 {
		return sent != "" && sent == asked
	}
	got := parsedClaims(sent)
	for place, claims := range want {
		for name := range claims {
			if _, there := got[place][name]; !there {
				return false
			}
		}
	}
	return true
}

// errorText writes everything of an error answer that tells why, and by which
// the provider's own log is searched.
func errorText(e *evidence.ErrorBody) string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+" "+token.Printable(value))
		}
	}
	add("error", e.Code)
	add("code", strings.Join(e.Codes, ", "))
	add("suberror", e.Suberror)
	add("trace id", e.TraceID)
	add("correlation id", e.Correlation)
	add("policies", strings.Join(e.PolicyIDs, ", "))
	if len(parts) == 0 {
		add("description", e.Description)
	}
	return strings.Join(parts, ", ")
}

// interaction tells whether an error asks for the person.
func interaction(code string) bool {
	switch code {
	case oauth.ErrInteractionRequired, oauth.ErrLoginRequired, oauth.ErrConsentRequired, oauth.ErrAccountSelection:
		return true
	}
	return false
}
