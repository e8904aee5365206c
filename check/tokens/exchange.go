package tokens

import (
	"fmt"
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/oauth"
	"usher/token"
)

var exchangeClaims = &check.Check{
	ID: "exchange-claims", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "An exchanged token keeps the chain",
	Judged: "Against the token that was given for it: sub stays, aud is that of the next API and not both, no scope is added, and where an actor was named, act says who acts.",
	Cause:  "", Step: usher.StepTokenRequest, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Limit which clients may exchange (may_act) and for which audiences, and let the exchange narrow the scope."),
		check.Tightening("Have the provider write act for delegation, so that the next API sees who calls for whom."),
	},
	References: []string{"RFC 8693 section 4.1", "RFC 8693 section 4.4"},
	Judge: func(t *check.Target) []check.Verdict {
		var all verdicts
		for i, c := range t.TokenCalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			if c.Request == nil || c.Response == nil || c.Response.AccessToken == "" || !exchanges(c.Request) {
				continue
			}
			all.add(judgeExchange(t, c).Of(c.Request.ClientID))
		}
		if out := all.end(); len(out) > 0 {
			return out
		}
		if !t.Has(check.NeedToken) {
			return []check.Verdict{check.Unknown(check.NeedToken, "")}
		}
		var lone verdicts
		for _, v := range each(t, readers, func(tok *check.Token, _ token.Type, _ *token.Report) check.Verdict { return judgeActor(tok) }) {
			lone.add(v)
		}
		return lone.or(check.NotApplicable("no token was exchanged"))
	},
}

// exchanges tells whether a request gives one token for another.
func exchanges(r *oauth.TokenRequest) bool {
	return r.GrantType == oauth.GrantTokenExchange || r.GrantType == oauth.GrantJWTBearer && r.Params.Get("requested_token_use") == "on_behalf_of"
}

func judgeExchange(t *check.Target, c *check.TokenCall) check.Verdict {
	given, err1 := token.Parse(c.Request.Assertion.Reveal())
	got, err2 := token.Parse(c.Response.AccessToken.Reveal())
	if err1 != nil || err2 != nil || given.Claims == nil || got.Claims == nil {
		return check.Unknown(check.NeedIntrospection, "one of the two tokens cannot be read here")
	}
	before := &check.Token{Parsed: given, Place: at(c.Place, "subject_token")}
	issued := &check.Token{Parsed: got, Place: at(c.Response.Place, "access_token")}
	var found []usher.Proof
	title := ""
	say := func(what string, proofs ...usher.Proof) {
		if title == "" {
			title = what
		}
		found = append(found, proofs...)
	}
	// Entra's sub is another one for each client; oid stays.
	who := "sub"
	if text(before, "oid") != "" && text(issued, "oid") != "" {
		who = "oid"
	}
	if text(before, who) != text(issued, who) && text(before, "iss") == text(issued, "iss") {
		say("The exchanged token is of another person", claim(before, who, ""), claim(issued, who, show(text(before, who))))
	}
	if more := oauth.MinusScope(scopes(issued), scopes(before)); len(more) > 0 && c.Request.GrantType == oauth.GrantTokenExchange && overlaps(list(before.Claims["aud"]), list(issued.Claims["aud"])) {
		say("The exchanged token has more scopes than the one that was given: "+quoted(more), usher.Proof{Place: at(issued.Place, "claims.scope"), Quote: "scope: " + quoted(scopes(issued)), Expected: "some of " + quoted(scopes(before)), Got: quoted(more) + " besides"})
	}
	from, to := list(before.Claims["aud"]), list(issued.Claims["aud"])
	if wanted := wantedAudience(c.Request); len(to) > 1 && len(from) > 0 && len(wanted) == 1 && slices.ContainsFunc(from, func(a string) bool { return slices.Contains(to, a) }) {
		say(fmt.Sprintf("The exchanged token is for %s: the old audience stayed beside the new one", quoted(to)), claim(before, "aud", ""), claim(issued, "aud", quoted(wanted)))
	}
	if _, acts := issued.Claims["act"].(map[string]any); !acts && c.Request.Params.Get("actor_token") != "" {
		say("An actor was named, and the exchanged token does not say who acts", usher.Proof{Place: at(issued.Place, "claims"), Quote: "no act", Expected: "act with the sub of the actor", Got: "nothing"})
	}
	if v := judgeActor(issued); v.Outcome == usher.OutcomeWrong {
		say(v.Title, v.Proof...)
	}
	if title != "" {
		return check.Wrong(title, "The next API cannot tell for whom it is called and by whom, or gets more than the exchange was for.", found...)
	}
	return check.OK("Person, audience and scopes are as an exchange should leave them.", usher.Proof{Place: issued.Place, Quote: got.Describe()})
}

func wantedAudience(r *oauth.TokenRequest) []string {
	if r.Audience != "" {
		return []string{r.Audience}
	}
	return r.Resource
}

func overlaps(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// judgeActor judges act of a token that stands alone: an object that names its
// actor, as often as it is nested.
func judgeActor(tok *check.Token) check.Verdict {
	if tok.Claims == nil {
		return check.Verdict{}
	}
	value, there := tok.Claims["act"]
	if !there {
		return check.NotApplicable("the token has no act, and nothing says that it was exchanged")
	}
	p := usher.Proof{Place: at(tok.Place, "claims.act"), Quote: "act: " + show(value), Expected: "an object with sub", Got: show(value)}
	depth := 0
	for act := value; act != nil; depth++ {
		m, isObject := act.(map[string]any)
		if !isObject || depth == 32 {
			return check.Wrong("act is "+kindOf(act)+", not an object that names who acts", "The API cannot tell who calls in the person's name.", p)
		}
		if sub, _ := m["sub"].(string); strings.TrimSpace(sub) == "" && m["client_id"] == nil {
			return check.Wrong("act does not name who acts", "The API cannot tell who calls in the person's name.", p)
		}
		act = m["act"]
	}
	p.Expected = ""
	return check.OK("act says who acts.", p)
}
