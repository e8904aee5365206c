package scopes

import (
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/oauth"
)

var syntax = &check.Check{
	ID: "scope-syntax", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The scope parameter is well formed",
	Judged: "Scopes of visible ASCII without quotes and backslashes, one blank between two, no commas between them (where the provider does not document those), none twice, the parameter once.",
	Cause:  "scope-invalid", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Join the scopes with single blanks, and let the library encode the parameter once.")},
	References: []string{"RFC 6749 section 3.3"},
	Judge: func(t *check.Target) []check.Verdict {
		all := wishes(t)
		if len(all) == 0 {
			return []check.Verdict{withoutWishes(t)}
		}
		return perClient(all, func(w wish) (string, usher.Severity, usher.Proof) { return badSyntax(t, w) })
	},
}

// withoutWishes is the verdict where no request asks for scopes.
func withoutWishes(t *check.Target) check.Verdict {
	if t.Has(check.NeedAuthRequest) || t.Has(check.NeedTokenRequest) {
		return check.NotApplicable("no request asks for scopes")
	}
	return check.Unknown(check.NeedAuthRequest, "")
}

// perClient gives a verdict for each client: all its requests that are wrong in one.
func perClient(all []wish, wrong func(w wish) (title string, severity usher.Severity, proof usher.Proof)) []check.Verdict {
	var out []check.Verdict
	for _, w := range all {
		title, severity, proof := wrong(w)
		i := slices.IndexFunc(out, func(v check.Verdict) bool { return v.Subject.Client == w.client })
		switch {
		case i < 0 && title == "":
			out = append(out, check.OK("", usher.Proof{Place: w.place, Quote: w.quote()}).Of(w.client))
		case i < 0:
			out = append(out, check.Wrong(title, badScope, proof).Of(w.client).As(severity))
		case title != "" && out[i].Outcome == usher.OutcomeOK:
			out[i] = check.Wrong(title, badScope, proof).Of(w.client).As(severity)
		case title != "":
			out[i].Proof = append(out[i].Proof, proof)
			if severity == "" {
				out[i].Severity = ""
			}
		}
	}
	return out
}

const badScope = "Providers read it as one scope that nobody knows, take a part of it, or refuse the request."

func badSyntax(t *check.Target, w wish) (string, usher.Severity, usher.Proof) {
	proof := usher.Proof{Place: w.place, Quote: w.quote()}
	if w.repeated {
		proof.Expected = "the parameter once"
		return "The parameter scope stands more than once", "", proof
	}
	if !commas(t, w.endpoint) && commaJoined(t, w.scopes) {
		proof.Expected = brief(strings.ReplaceAll(w.raw, ",", " "))
		return "The scopes are joined with commas: " + show(w.raw), "", proof
	}
	if err := oauth.ValidScope(w.raw); err != nil {
		proof.Expected = brief(strings.Join(strings.Fields(w.raw), " "))
		return "The " + err.Error(), "", proof
	}
	for i, s := range w.scopes {
		if slices.Contains(w.scopes[:i], s) {
			proof.Got = s
			return "The scope " + show(s) + " stands twice", usher.SeverityLow, proof
		}
	}
	return "", "", proof
}

// commaJoined tells whether a comma stands where a blank should. A scope that
// the provider publishes with a comma in its name is one.
func commaJoined(t *check.Target, scopes []string) bool {
	for _, s := range scopes {
		before, after, ok := strings.Cut(s, ",")
		if !ok || strings.ContainsAny(s, "()") { // "dynamic(a,b)": part of a name
			continue
		}
		if before == "" && after == "" || published(t, s) {
			continue
		}
		return true
	}
	return false
}

func published(t *check.Target, scope string) bool {
	for _, m := range t.Metadata {
		if slices.Contains(m.ScopesSupported, scope) {
			return true
		}
	}
	return false
}

var openID = &check.Check{
	ID: "scope-openid", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "openid is asked for where an ID token is expected",
	Judged: "A request that wants an ID token, sends a nonce, or is followed by a call of userinfo has openid among its scopes.",
	Needs:  []check.Need{check.NeedAuthRequest},
	Cause:  "scope-invalid", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Add openid to the scopes of the request.")},
	References: []string{"OpenID Connect Core section 3.1.2.1"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, c := range t.AuthCalls {
			q := c.Request
			if q == nil || len(out) >= 32 || slices.ContainsFunc(out, func(v check.Verdict) bool { return v.Subject.Client == q.ClientID && v.Outcome == usher.OutcomeWrong }) {
				continue
			}
			out = append(out, judgeOpenID(t, c).Of(q.ClientID))
		}
		return once(out)
	},
}

func judgeOpenID(t *check.Target, c *check.AuthCall) check.Verdict {
	q := c.Request
	proof := usher.Proof{Place: c.Place, Quote: brief("scope=" + rawScope(q.Params.Get("scope"), q.Scope)), Expected: "openid among them"}
	if slices.Contains(words(t, q.Endpoint, q.Scope), "openid") {
		proof.Expected = ""
		return check.OK("", proof)
	}
	if q.RequestURI != "" || q.Params.Get("request") != "" {
		return check.Unknown(check.NeedTokenRequest, "the request was made elsewhere (request_uri or request), so it does not show its scopes")
	}
	why := ""
	switch {
	case slices.Contains(strings.Fields(q.ResponseType), "id_token"):
		why = "response_type asks for an ID token"
	case q.Nonce != "":
		why = "a nonce is sent, which only an ID token gives back"
	case userinfoCalled(t):
		why = "userinfo is called, which answers to tokens with openid alone"
	}
	if why == "" {
		return check.NotApplicable("nothing shows that an ID token is expected")
	}
	return check.Wrong("openid is not among the scopes, and "+why, "Without openid it is a plain OAuth request: no ID token comes, and userinfo refuses.", proof)
}

func userinfoCalled(t *check.Target) bool {
	for _, m := range t.Metadata {
		for _, c := range t.APICalls {
			if c.Exchange == nil || m.UserinfoEndpoint == "" {
				continue
			}
			if called, _, _ := strings.Cut(c.Exchange.URL, "?"); called == m.UserinfoEndpoint {
				return true
			}
		}
	}
	return false
}

var offline = &check.Check{
	ID: "scope-offline", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "A refresh token is asked for where one is expected",
	Judged: "A client that is registered for refresh tokens, or tries to refresh, asks for offline_access (at Google access_type=offline), and a refresh token comes.",
	Needs:  []check.Need{check.NeedAuthRequest, check.NeedTokenResponse},
	Cause:  "refresh-token-missing", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Ask for offline_access (at Google access_type=offline), with prompt=consent the first time, so that the person is asked for it.")},
	References: []string{"OpenID Connect Core section 11", "Google: offline access"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, c := range t.AuthCalls {
			if c.Request == nil || c.Request == t.Request && c.Request.ResponseType == "" || len(out) >= 32 ||
				slices.ContainsFunc(out, func(v check.Verdict) bool { return v.Subject.Client == c.Request.ClientID }) {
				continue
			}
			out = append(out, judgeOffline(t, c).Of(c.Request.ClientID))
		}
		return out
	},
}

func judgeOffline(t *check.Target, c *check.AuthCall) check.Verdict {
	var answer *check.TokenResponse
	tried := false
	for _, tc := range t.TokenCalls {
		q := tc.Request
		if q != nil && q.ClientID != "" && q.ClientID != c.Request.ClientID || q != nil && (q.GrantType == oauth.GrantClientCredentials || q.GrantType == oauth.GrantPassword) {
			continue
		}
		if q != nil && q.GrantType == oauth.GrantRefreshToken {
			tried = true
			continue
		}
		if tc.Response != nil && tc.Response.Error == nil && (answer == nil || tc.Response.RefreshToken != "") {
			answer = tc.Response
		}
	}
	switch {
	case answer == nil:
		return check.Unknown(check.NeedTokenResponse, "no answer of the token endpoint belongs to this request")
	case answer.RefreshToken != "":
		return check.OK("A refresh token came.", usher.Proof{Place: answer.Place, Quote: "refresh_token"})
	}
	asked, how := asksOffline(t, c.Request)
	proof := []usher.Proof{{Place: c.Place, Quote: brief("scope=" + rawScope(c.Request.Params.Get("scope"), c.Request.Scope)), Expected: how}, {Place: answer.Place, Quote: "the answer holds no refresh_token"}}
	if asked {
		return check.Wrong("A refresh token was asked for ("+how+") and none came",
			"Providers give one with the person's consent alone, and Google only with the first; and never to a client that is not registered for it.", proof...).
			Do("Send prompt=consent with the request once, so that the person is asked.", "Allow the client the grant refresh_token and the scope, where the provider has settings for these.")
	}
	r := registrationOf(t, c.Request.ClientID)
	switch {
	case tried:
		return check.Wrong("The client refreshes, and no request asks for a refresh token ("+how+")", "There is nothing to refresh with: the person has to sign in again.", proof...)
	case r != nil && slices.Contains(r.GrantTypes, "refresh_token"):
		return check.Wrong("The client is registered for refresh tokens, and asks for none ("+how+")", "When the access token runs out, the person has to sign in again.", proof...).As(usher.SeverityLow)
	}
	return check.NotApplicable("nothing shows that a refresh token is expected")
}

// asksOffline tells whether a request asks for a refresh token, and by what.
func asksOffline(t *check.Target, q *oauth.AuthorizationRequest) (asked bool, how string) {
	if t.Provider.Name == "google" || check.HostOf(q.Endpoint) == "accounts.google.com" {
		return q.Params.Get("access_type") == "offline", "access_type=offline"
	}
	return slices.Contains(words(t, q.Endpoint, q.Scope), "offline_access"), "offline_access"
}
