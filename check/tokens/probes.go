package tokens

import (
	"cmp"
	"fmt"

	"usher"
	"usher/check"
	"usher/token"
)

// asked gives the verdict of a probe that judged by itself, or why there is
// none; ok tells that an answer is there to be judged here.
func asked(t *check.Target, id string, need check.Need, without string) (a *check.ProbeAnswer, v check.Verdict, ok bool) {
	a = t.Probed[id]
	switch {
	case a == nil:
		return nil, check.Unknown(need, without), false
	case a.Verdict != nil:
		return a, *a.Verdict, false
	case a.Skipped != "":
		return a, check.Unknown(check.NeedNothing, "not asked: "+a.Skipped), false // leave was given
	case a.Status == 0:
		return a, check.Unknown(check.NeedNetwork, cmp.Or(a.Note, "the probe got no answer"), answerProof(a, "")), false
	}
	return a, check.Verdict{}, true
}

// answerProof makes a proof of what came back of a probe.
func answerProof(a *check.ProbeAnswer, expected string) usher.Proof {
	got := fmt.Sprint(a.Status)
	if a.Status == 0 {
		got = "no answer"
	}
	if a.Error != nil && a.Error.Code != "" {
		got += " " + token.Printable(a.Error.Code)
	}
	return usher.Proof{Place: a.Place, Quote: "sent: " + token.Printable(a.Sent), Expected: expected, Got: got}
}

// refusal makes the judgement of a probe that must be refused: with one of the
// statuses it is in order, with a success wrong, and what else comes says nothing.
func refusal(id string, need check.Need, without, wrong, means string) func(t *check.Target) []check.Verdict {
	return func(t *check.Target) []check.Verdict {
		a, v, ok := asked(t, id, need, without)
		if !ok {
			return []check.Verdict{v}
		}
		switch {
		case a.Status >= 200 && a.Status < 300:
			return []check.Verdict{check.Wrong(wrong, means, answerProof(a, "a refusal"))}
		case a.Status == 400 || a.Status == 401 || a.Status == 403:
			return []check.Verdict{check.OK("It is refused.", answerProof(a, ""))}
		}
		return []check.Verdict{check.Unknown(check.NeedNothing, fmt.Sprintf("the answer %d neither accepts nor refuses", a.Status), answerProof(a, "a refusal"))}
	}
}

const (
	notAsked   = ""
	notChanged = ""
	ownOnly    = "tried against usher's own lab and servers that you own only: it sends a token that must be refused"
)

var refreshReuseDetected = &check.Check{
	ID: "refresh-reuse-detected", Group: check.GroupToken, Mode: check.Active, Severity: usher.SeverityHigh,
	Title:  "The server notices that an old refresh token is used again",
	Judged: "With a grant of a test client, a refresh token is used, then used once more: the second time is refused.",
	Cause:  "", Step: usher.StepRefresh, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Switch rotation and the detection of reuse on (Keycloak: Revoke Refresh Token, Refresh Token Max Reuse 0; Auth0: Rotation; Okta: rotate token after every use)."),
	},
	References: []string{"RFC 9700 section 4.14.2"},
	Probe:      &check.Probe{What: "refreshes a grant of a test client twice with the same refresh token, and revokes it", Safety: check.S2},
	Judge: refusal("refresh-reuse-detected", check.NeedChange, notChanged, "The server takes a refresh token that was already used",
		"A stolen refresh token goes on working beside the owner's, and nobody notices."),
}

var refreshBound = &check.Check{
	ID: "refresh-bound", Group: check.GroupToken, Mode: check.Active, Severity: usher.SeverityHigh,
	Title:  "A refresh token is good for its own client only",
	Judged: "A refresh token of one test client, sent by another or without authentication, is refused.",
	Cause:  "", Step: usher.StepRefresh, Fixer: usher.FixerProvider,
	Fix: []usher.FixStep{
		check.Tightening("Update the server, or set the client to confidential, so that the refresh token is held to it."),
	},
	References: []string{"RFC 6749 section 6", "RFC 9700 section 4.14"},
	Probe:      &check.Probe{What: "sends the refresh token of a test client as another one, and revokes it", Safety: check.S2},
	Judge: refusal("refresh-bound", check.NeedChange, notChanged, "The server takes a refresh token from a client that it was not issued to",
		"Whoever steals it needs no secret of the client."),
}

var revocationWorks = &check.Check{
	ID: "revocation-works", Group: check.GroupToken, Mode: check.Active, Severity: usher.SeverityMedium,
	Title:  "A token that was revoked stops working",
	Judged: "After a test token was revoked, introspection calls it inactive or the API refuses it.",
	Cause:  "", Step: usher.StepSignOut, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Shorten the time for which the API keeps what introspection said, or the life of access tokens."),
	},
	References: []string{"RFC 7009 section 2", "RFC 7662 section 2.2"},
	Probe:      &check.Probe{What: "revokes a token of a test client and asks whether it is still good", Safety: check.S2},
	Judge: refusal("revocation-works", check.NeedChange, notChanged, "A token that was revoked goes on working",
		"Logging out, or taking a right away, has no effect until the token ends."),
}

var introspectionAuth = &check.Check{
	ID: "introspection-auth", Group: check.GroupToken, Mode: check.Active, Severity: usher.SeverityHigh,
	Title:  "Introspection asks who asks",
	Judged: "A request with a made-up token and without credentials is refused.",
	Cause:  "", Step: usher.StepValidation, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Demand client authentication, or a token of its own, at the introspection endpoint."),
	},
	References: []string{"RFC 7662 section 2.1", "RFC 7662 section 4"},
	Probe:      &check.Probe{What: "POST to the introspection endpoint with a made-up token and no credentials", Safety: check.S0},
	Judge: refusal("introspection-auth", check.NeedProbe, notAsked, "Introspection answers everybody",
		"Whoever finds something that looks like a token can ask the provider what it is good for and of whom it is, and can try out guesses."),
}

var dpopRequired = &check.Check{
	ID: "dpop-required", Group: check.GroupToken, Mode: check.Active, Severity: usher.SeverityCritical,
	Title:  "The API refuses a bound token without its proof",
	Judged: "A test token that is bound to a key, sent as Bearer and without a proof, is refused.",
	Cause:  "", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Let the API look at cnf: a token with jkt is only good with the scheme DPoP and a proof by that key."),
	},
	References: []string{"RFC 9449 section 7.2"},
	Probe:      &check.Probe{What: "sends a bound token of a test client to your API as Bearer", Safety: check.S2},
	Judge: refusal("dpop-required", check.NeedChange, notChanged, "The API takes a bound token as Bearer",
		"The binding protects nothing: a stolen token works without the key."),
}

var apiAudience = &check.Check{
	ID: "api-audience-enforced", Group: check.GroupToken, Mode: check.Active, Severity: usher.SeverityCritical,
	Title:  "The API looks at aud",
	Judged: "A token of the same issuer for another audience is refused.",
	Cause:  "token-wrong-audience", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Give the API's verifier the audience that it must find in aud.")},
	References: []string{"RFC 9068 section 4", "RFC 9700 section 4.10.2"},
	Probe:      &check.Probe{What: "sends your API a token that was issued for another of your APIs", Safety: check.Lab},
	Judge: refusal("api-audience-enforced", check.NeedProbe, ownOnly, "The API takes a token for somebody else",
		"Any application of the provider's can call it in the name of its users."),
}

var apiExpiry = &check.Check{
	ID: "api-expiry-enforced", Group: check.GroupToken, Mode: check.Active, Severity: usher.SeverityCritical,
	Title:  "The API looks at exp",
	Judged: "A token that has ended is refused.",
	Cause:  "token-expired", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Have the API's verifier demand exp and refuse tokens that have ended.")},
	References: []string{"RFC 9068 section 4"},
	Probe:      &check.Probe{What: "sends your API a token of the lab's issuer that has ended", Safety: check.Lab},
	Judge: refusal("api-expiry-enforced", check.NeedProbe, ownOnly, "The API takes a token that has ended",
		"A token that was once seen opens it for ever."),
}

var apiSignature = &check.Check{
	ID: "api-signature-enforced", Group: check.GroupToken, Mode: check.Active, Severity: usher.SeverityCritical,
	Title:  "The API looks at signatures",
	Judged: "A token that was changed after it was signed is refused.",
	Cause:  "token-signature-invalid", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Have the API verify tokens with the issuer's keys instead of only decoding them.")},
	References: []string{"RFC 9068 section 4", "RFC 8725 section 3.3"},
	Probe:      &check.Probe{What: "sends your API a token of its own with one claim changed", Safety: check.Lab},
	Judge: refusal("api-signature-enforced", check.NeedProbe, ownOnly, "The API takes a token that was changed",
		"Anybody can write a token for anybody."),
}
