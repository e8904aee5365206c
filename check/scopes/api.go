package scopes

import (
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/oauth"
	"usher/token"
)

var insufficient = &check.Check{
	ID: "scope-insufficient", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The API finds the scopes that it needs",
	Judged: "No answer of the API says insufficient_scope; where one does, the scope that it names is held against the token that was sent.",
	Needs:  []check.Need{check.NeedAPIResponse},
	Cause:  "scope-insufficient", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Ask for the scope that the API names, with those that the token holds already, and send the person through consent once more.")},
	References: []string{"RFC 6750 section 3.1", "MCP 2026-07-28: scope challenges"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, c := range t.APICalls {
			if c.Exchange != nil && c.Exchange.Status != 0 && len(out) < 64 {
				out = append(out, judgeAPI(t, c).Of(claimText(sentToken(c), "azp")))
			}
		}
		return once(out)
	},
}

func judgeAPI(t *check.Target, c *check.APICall) check.Verdict {
	need, said, quote := scopeRefusal(c)
	if !said {
		switch {
		case c.Exchange.Status == 403:
			return check.Unknown(check.NeedNothing, "the API refused (403) and does not say whether for scope", usher.Proof{Place: c.Place, Quote: "403"})
		case c.Exchange.Status == 401:
			return check.NotApplicable("the API did not get as far as scopes: it refused the token (401)")
		}
		return check.OK("", usher.Proof{Place: c.Place, Quote: "no insufficient_scope"})
	}
	proof := usher.Proof{Place: c.Place, Quote: quote, Expected: strings.Join(need, " ")}
	held, claims := claimed(sentToken(c))
	if claims == nil {
		if len(need) == 0 {
			return check.Wrong("The API refuses for scope and does not say which", "A client cannot ask for what it is not told.", proof)
		}
		return check.Wrong("The API needs "+list(need)+", and refuses without it", "The call fails for every token without the scope, whoever the person is.", proof)
	}
	proof.Got = strings.Join(held, " ")
	lost := without(t, need, held)
	switch {
	case len(need) == 0:
		return check.Wrong("The API refuses for scope; the token holds "+list(held), "The API does not say which scope it needs.", proof)
	case len(lost) == 0:
		return check.Wrong("The API refuses for scope, though the token holds "+list(need),
			"The API reads another claim than the one that holds them ("+strings.Join(claims, ", ")+"), or compares them in another writing.", proof).
			Do("Have the API read the claim " + claims[0] + " of this provider's tokens.")
	}
	v := check.Wrong("The API needs "+list(lost)+", and the token holds "+list(held), "The call fails for every token without the scope, whoever the person is.", proof).
		Do("Ask for " + list(lost) + " along with the scopes that the token holds already, and send the person through consent once more.")
	v.Subject.Scope = strings.Join(lost, " ")
	return v
}

func sentToken(c *check.APICall) *token.Parsed {
	if c.Token == nil {
		return nil
	}
	return c.Token.Parsed
}

// scopeRefusal tells whether an answer refuses for scope, which scopes it
// names, and the words that say so.
func scopeRefusal(c *check.APICall) (need []string, said bool, quote string) {
	for _, ch := range c.Challenges {
		if ch.Params["error"] == oauth.ErrInsufficientScope {
			return strings.Fields(ch.Params["scope"]), true, ch.Scheme + " error=insufficient_scope scope=" + ch.Params["scope"]
		}
	}
	if c.Exchange == nil || c.Exchange.Status != 403 && c.Exchange.Status != 401 {
		return nil, false, ""
	}
	body := c.Exchange.Body
	if len(body) > 64<<10 {
		body = body[:64<<10]
	}
	for _, words := range [...]string{"insufficient_scope", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficient authentication scopes", "insufficientScopes"} {
		if strings.Contains(body, words) {
			return nil, true, words
		}
	}
	return nil, false, ""
}

var challengePresent = &check.Check{
	ID: "scope-challenge-present", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "The API says which scope it needs",
	Judged: "An answer of 403 to a token holds WWW-Authenticate with error=insufficient_scope and the scope that would do.",
	Needs:  []check.Need{check.NeedAPIResponse},
	Step:   usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Have the API answer with WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"...\", so that clients can ask for what they lack.")},
	References: []string{"RFC 6750 section 3"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, c := range t.APICalls {
			if c.Exchange != nil && c.Exchange.Status == 403 && len(out) < 64 {
				out = append(out, judgeChallenge(c).Of(claimText(sentToken(c), "azp")))
			}
		}
		if out == nil {
			return []check.Verdict{check.NotApplicable("the API refused nothing with 403")}
		}
		return once(out)
	},
}

const untoldScope = "A client cannot tell a scope that it could ask for from a right that the person does not have, and shows an error in place of asking."

func judgeChallenge(c *check.APICall) check.Verdict {
	need, said, quote := scopeRefusal(c)
	switch {
	case said && len(need) > 0:
		return check.OK("", usher.Proof{Place: c.Place, Quote: quote})
	case said && len(c.Challenges) > 0:
		return check.Wrong("The API refuses for scope and does not name the scope", untoldScope, usher.Proof{Place: c.Place, Quote: quote, Expected: `scope="..."`})
	case len(c.Exchange.Header) == 0:
		return check.Unknown(check.NeedHeaders, "")
	case said:
		return check.Wrong("The API refuses for scope without WWW-Authenticate", untoldScope, usher.Proof{Place: c.Place, Quote: quote, Expected: `WWW-Authenticate: Bearer error="insufficient_scope", scope="..."`})
	case !bearer(c):
		return check.NotApplicable("no bearer token was sent")
	case len(c.Challenges) == 0:
		return check.Wrong("The API refuses a token (403) and says nothing of why", untoldScope, usher.Proof{Place: c.Place, Quote: "403 without WWW-Authenticate", Expected: `WWW-Authenticate: Bearer error="insufficient_scope", scope="..."`})
	}
	return check.NotApplicable("the API refused for another reason than scope")
}

// bearer tells whether a call is known to have carried a token.
func bearer(c *check.APICall) bool {
	if c.Token != nil {
		return true
	}
	scheme, _, _ := strings.Cut(c.Exchange.Request.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "dpop")
}

var formatClaim = &check.Check{
	ID: "scope-format-claim", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The token holds its scopes in one form that APIs can read",
	Judged: "An access token has scope as one string with blanks between (RFC 9068), or what its provider documents: scp as a string or a list. A list in scope, or two claims that say different things, are wrong.",
	Needs:  []check.Need{check.NeedToken},
	Cause:  "claims-config", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Issue scope as one string with blanks between; have the API read scope and scp, each as a string or a list, where tokens of several providers come.")},
	References: []string{"RFC 9068 section 2.2.3", "RFC 8693 section 4.2"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, tok := range t.Tokens {
			if access(tok) && len(out) < 64 {
				out = append(out, judgeForm(t, tok).Of(claimText(tok.Parsed, "azp")))
			}
		}
		if out == nil {
			return []check.Verdict{check.NotApplicable("no access token that can be read was given")}
		}
		return once(out)
	},
}

func judgeForm(t *check.Target, tok *check.Token) check.Verdict {
	scope, hasScope := tok.Claims["scope"]
	scp, hasScp := tok.Claims["scp"]
	a, _ := claimWords(tok.Parsed, "scope")
	b, _ := claimWords(tok.Parsed, "scp")
	_, text := scope.(string)
	switch {
	case !hasScope && !hasScp:
		return check.NotApplicable("the token holds no scopes")
	case hasScope && hasScp && (len(oauth.MinusScope(a, b)) > 0 || len(oauth.MinusScope(b, a)) > 0):
		return check.Wrong("scope and scp of the token say different things", "Which of them counts depends on who reads.",
			usher.Proof{Place: tok.Place, Quote: "scope", Got: strings.Join(a, " ")}, usher.Proof{Place: tok.Place, Quote: "scp", Got: strings.Join(b, " ")})
	case hasScope && !text:
		return check.Wrong("scope of the token is no string", "Readers of the standard expect one string with blanks between and find no scope.",
			usher.Proof{Place: tok.Place, Quote: "scope", Expected: `"` + strings.Join(a, " ") + `"`, Got: "a list"})
	case text:
		return check.OK("", usher.Proof{Place: tok.Place, Quote: "scope", Got: strings.Join(a, " ")})
	}
	switch scp.(type) {
	case string, []any:
	default:
		return check.Wrong("scp of the token is neither a string nor a list", "No API reads scopes from it.", usher.Proof{Place: tok.Place, Quote: "scp"})
	}
	if slices.Contains([]string{"entra", "okta", "adfs"}, t.Provider.Name) {
		return check.OK("This provider holds scopes in scp; the API must read that.", usher.Proof{Place: tok.Place, Quote: "scp", Got: strings.Join(b, " ")})
	}
	return check.Wrong("The token holds its scopes in scp alone", "APIs that follow the standard read scope and find none.",
		usher.Proof{Place: tok.Place, Quote: "scp", Expected: "scope", Got: strings.Join(b, " ")}).As(usher.SeverityLow)
}
