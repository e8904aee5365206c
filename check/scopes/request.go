package scopes

import (
	"encoding/json"
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
			out = append(out, check.OK("", usher.Proof{Place: w.place, Quote: "scope=" + w.raw}).Of(w.client))
		case i < 0:
			out = append(out, check.Wrong(title, "", proof).Of(w.client).As(severity))
		case title != "" && out[i].Outcome == usher.OutcomeOK:
			out[i] = check.Wrong(title, "", proof).Of(w.client).As(severity)
		case title != "":
			out[i].Proof = append(out[i].Proof, proof)
			if severity == "" {
				out[i].Severity = ""
			}
		}
	}
	return out
}

func badSyntax(t *check.Target, w wish) (string, usher.Severity, usher.Proof) {
	proof := usher.Proof{Place: w.place, Quote: "scope=" + w.raw}
	if w.repeated {
		proof.Expected = "the parameter once"
		return "The parameter scope stands more than once", "", proof
	}
	if !commas(t, w.endpoint) && commaJoined(t, w.scopes) {
		proof.Expected = strings.ReplaceAll(w.raw, ",", " ")
		return "The scopes are joined with commas: " + show(w.raw), "", proof
	}
	if err := oauth.ValidScope(w.raw); err != nil {
		proof.Expected = strings.Join(strings.Fields(w.raw), " ")
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
	proof := usher.Proof{Place: c.Place, Quote: "scope=" + rawScope(q.Params.Get("scope"), q.Scope), Expected: "openid among them"}
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
	proof := []usher.Proof{{Place: c.Place, Quote: "scope=" + rawScope(c.Request.Params.Get("scope"), c.Request.Scope), Expected: how}, {Place: answer.Place, Quote: "the answer holds no refresh_token"}}
	if asked {
		return check.Wrong("A refresh token was asked for ("+how+") and none came",
			"Providers give one with the person's consent alone, and Google only with the first; and never to a client that is not registered for it.", proof...).
			Do("Send prompt=consent with the request once, so that the person is asked.", "Allow the client the grant refresh_token and the scope, where the provider has settings for these.")
	}
	r := registrationOf(t, c.Request.ClientID)
	switch {
	case tried:
		return check.Wrong("The client refreshes, and no request asks for a refresh token ("+how+")", "", proof...)
	case r != nil && slices.Contains(r.GrantTypes, "refresh_token"):
		return check.Wrong("The client is registered for refresh tokens, and asks for none ("+how+")", "When the access token runs out, the person has to sign in again.", proof...).As(usher.SeverityLow)
	}
	return check.NotApplicable("nothing shows that a refresh token is expected")
}

// asksOffline tells whether a request asks for a refresh token, and by what.
func asksOffline(t *check.Target, q *oauth.AuthorizationRequest) (asked bool, how string) {
	if t.Provider.Name == "google" || hostOf(q.Endpoint) == "accounts.google.com" {
		return q.Params.Get("access_type") == "offline", "access_type=offline"
	}
	return slices.Contains(words(t, q.Endpoint, q.Scope), "offline_access"), "offline_access"
}

var resource = &check.Check{
	ID: "scope-resource", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "A token is for one API",
	Judged: "A request names one API by resource, audience or the part before its scopes; a token has one API in aud.",
	Cause:  "scope-invalid", Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Ask for a token for each API, with the scopes of that API alone.")},
	References: []string{"RFC 8707 section 2", "RFC 9700 section 2.3"},
	Judge:      judgeResource,
}

func judgeResource(t *check.Target) []check.Verdict {
	all := wishes(t)
	var out []check.Verdict
	redeemed := map[string]bool{}
	for _, w := range all {
		redeemed[w.client] = redeemed[w.client] || w.token
	}
	for _, w := range all {
		apis := apisOf(t, w)
		if len(apis) == 0 {
			continue
		}
		proof := usher.Proof{Place: w.place, Quote: "scope=" + w.raw, Expected: "the scopes of one API", Got: strings.Join(apis, " ")}
		switch {
		case len(apis) > 1 && w.token:
			out = append(out, check.Wrong("One token request asks for "+show(apis[0])+" and "+show(apis[1]), "A token is for one API; providers refuse the request or leave the second out.", proof).Of(w.client))
		case len(apis) > 1 && !redeemed[w.client]:
			out = append(out, check.Unknown(check.NeedTokenRequest, "the request asks for scopes of "+show(apis[0])+" and "+show(apis[1])+" at once, which is well for consent if the token request then names one of them", proof).Of(w.client))
		default:
			out = append(out, check.OK("", usher.Proof{Place: w.place, Quote: "scope=" + w.raw, Got: apis[0]}).Of(w.client))
		}
	}
	for _, tok := range t.Tokens {
		if !access(tok) {
			continue
		}
		auds := apiAudiences(tok)
		proof := usher.Proof{Place: tok.Place, Quote: "aud", Expected: "one API", Got: strings.Join(auds, " ")}
		switch {
		case len(auds) > 1:
			v := check.Wrong("The token is for "+show(auds[0])+" and "+show(auds[1]), "Whichever API gets it can use it at the other.", proof)
			out = append(out, v.Because("token-wrong-audience"))
		case len(auds) == 1:
			out = append(out, check.OK("", usher.Proof{Place: tok.Place, Quote: "aud", Got: auds[0]}))
		}
	}
	if len(out) == 0 {
		if len(all) > 0 || len(t.Tokens) > 0 {
			return []check.Verdict{check.NotApplicable("neither scopes nor tokens name an API")}
		}
		return []check.Verdict{check.Unknown(check.NeedToken, "")}
	}
	return once(out)
}

// apisOf gives the APIs that a request names. Google's scopes are all of one
// API as far as tokens go.
func apisOf(t *check.Target, w wish) []string {
	var out []string
	bare := false
	for _, s := range w.scopes {
		if strings.HasPrefix(s, "https://www.googleapis.com/") || t.Provider.Name == "google" {
			continue
		}
		i := strings.LastIndexByte(s, '/')
		if i <= 0 || !strings.Contains(s[:i], "://") {
			bare = bare || !standard(s)
			continue
		}
		api := strings.TrimSuffix(s[:i], "/")
		if t.Provider.Name != "entra" && hostOf(s) != "" {
			api = hostOf(s) // only Entra writes the API before each scope; elsewhere the path is a name like any other
		}
		if !slices.Contains(out, api) {
			out = append(out, api)
		}
	}
	const graph = "https://graph.microsoft.com"
	if bare && t.Provider.Name == "entra" && !slices.Contains(out, graph) {
		out = append(out, graph) // a scope without an API is Graph's
	}
	return out
}

// apiAudiences gives the audiences of a token that are APIs of their own: not
// the client, and not what providers add for themselves.
func apiAudiences(tok *check.Token) []string {
	auds, ok := claimWords(tok.Parsed, "aud")
	if !ok {
		return nil
	}
	client, iss := claimText(tok.Parsed, "azp"), claimText(tok.Parsed, "iss")
	if client == "" {
		client = claimText(tok.Parsed, "client_id")
	}
	return slices.DeleteFunc(auds, func(a string) bool {
		return a == client && len(auds) > 1 || a == "account" || strings.HasSuffix(a, "/userinfo") || iss != "" && strings.TrimSuffix(a, "/") == strings.TrimSuffix(iss, "/")
	})
}

var authorizationDetails = &check.Check{
	ID: "scope-authorization-details", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "authorization_details is well formed and comes back as granted",
	Judged: "The parameter is a JSON list of objects with a type each, of the types that the provider publishes; the answer of the token endpoint repeats what was granted.",
	Cause:  "request-malformed", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Send a JSON list of objects, each with a type that the provider knows, and compare what came back with what was sent.")},
	References: []string{"RFC 9396 section 2", "RFC 9396 section 7"},
	Judge:      judgeDetails,
}

func judgeDetails(t *check.Target) []check.Verdict {
	var out []check.Verdict
	seen := false
	look := func(client, place, raw string) {
		if raw == "" || len(out) >= 32 {
			return
		}
		seen = true
		types, why := detailTypes(t, raw)
		proof := usher.Proof{Place: place, Quote: "authorization_details=" + raw}
		if why != "" {
			out = append(out, check.Wrong("authorization_details "+why, "", proof).Of(client))
			return
		}
		out = append(out, echoed(t, client, types, proof).Of(client))
	}
	asked := false
	for _, c := range t.AuthCalls {
		if c.Request != nil {
			asked = true
			look(c.Request.ClientID, c.Place, c.Request.Params.Get("authorization_details"))
		}
	}
	for _, c := range t.TokenCalls {
		if c.Request != nil {
			asked = true
			look(c.Request.ClientID, c.Place, c.Request.Params.Get("authorization_details"))
		}
	}
	switch {
	case seen:
		return once(out)
	case asked:
		return []check.Verdict{check.NotApplicable("no request has authorization_details")}
	}
	return []check.Verdict{check.Unknown(check.NeedAuthRequest, "")}
}

// detailTypes gives the types of authorization_details, or what is wrong with
// it, as the rest of a sentence.
func detailTypes(t *check.Target, raw string) (types []string, why string) {
	var details []map[string]json.RawMessage
	if len(raw) > 64<<10 {
		return nil, "is far too long"
	}
	if json.Unmarshal([]byte(raw), &details) != nil || details == nil {
		return nil, "is no JSON list of objects"
	}
	for i := range details {
		var kind string
		if json.Unmarshal(details[i]["type"], &kind) != nil || kind == "" {
			return nil, "has an object without a type"
		}
		for _, m := range t.Metadata {
			if supported, ok := m.List("authorization_details_types_supported"); ok && !slices.Contains(supported, kind) {
				return nil, "has the type " + show(kind) + ", which the provider does not publish"
			}
		}
		if !slices.Contains(types, kind) {
			types = append(types, kind)
		}
	}
	return types, ""
}

// echoed judges whether the answer of the token endpoint repeats the details.
func echoed(t *check.Target, client string, types []string, proof usher.Proof) check.Verdict {
	for _, c := range t.TokenCalls {
		if c.Response == nil || c.Response.Error != nil || c.Request != nil && c.Request.ClientID != "" && c.Request.ClientID != client {
			continue
		}
		raw, ok := c.Response.Raw["authorization_details"]
		if !ok {
			return check.Wrong("The answer of the token endpoint does not say which authorization_details it grants", "The client cannot know what it may do.",
				proof, usher.Proof{Place: c.Response.Place, Quote: "no authorization_details", Expected: "what was granted"}).Because("claims-config")
		}
		granted, why := detailTypes(&check.Target{}, string(raw))
		proof := []usher.Proof{proof, {Place: c.Response.Place, Quote: "authorization_details=" + string(raw)}}
		if lost := oauth.MinusScope(types, granted); why == "" && len(lost) > 0 {
			return check.Wrong("Of the authorization_details the type "+show(lost[0])+" was not granted", "", proof...).Because("consent-required")
		}
		if why != "" {
			return check.Wrong("The authorization_details of the answer "+why, "", proof...).Because("claims-config")
		}
		return check.OK("What was granted came back.", proof...)
	}
	return check.Unknown(check.NeedTokenResponse, "it is well formed; whether what is granted comes back shows in the answer of the token endpoint", proof)
}
