package providers

import (
	"encoding/json"
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

var acrKnown = &check.Check{
	ID: "acr-values-known", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The levels of sign-in that are asked for are on offer",
	Judged: "acr_values of the requests, and acr in their claims, against acr_values_supported.",
	Needs:  []check.Need{check.NeedDiscovery, check.NeedAuthRequest}, Cause: "step-up-required",
	Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Ask for a level that the provider knows, as the document lists them."),
		check.Neutral("Or set the level up at the provider (Keycloak: ACR to LoA mapping; Okta: authentication policies)."),
	},
	References: []string{"OpenID Connect Core section 3.1.2.1", "RFC 9470 section 7"},
	Judge:      func(t *check.Target) []check.Verdict { return acrs(t) },
}

func acrs(t *check.Target) []check.Verdict {
	var out []check.Verdict
	for _, call := range t.AuthCalls {
		if call.Request == nil {
			continue
		}
		asked := strings.Fields(call.Request.ACRValues)
		asked = append(asked, claimedACR(call.Request.Claims)...)
		if len(asked) == 0 {
			continue
		}
		m := documentOf(t, call.Request.Endpoint)
		offered, there := m.List("acr_values_supported")
		proof := usher.Proof{Place: call.Place, Quote: "acr_values: " + shorten(strings.Join(asked, " "), 160), Expected: names(offered)}
		var strange []string
		for _, a := range asked {
			if !contains(offered, a) && !contains(strange, a) {
				strange = append(strange, a)
			}
		}
		switch {
		case !there:
			out = append(out, check.Unknown(check.NeedNothing, "the document does not list the levels", proof).Of(call.Request.ClientID))
		case len(strange) > 0:
			proof.Got = names(strange)
			out = append(out, check.Wrong("The request asks for "+shorten(names(strange), 160)+", on offer is "+shorten(names(offered), 160),
				"A level that the provider does not know is passed over: the token comes without it, and the app asks again, or lets in people who did not prove enough.", proof, member(m, "acr_values_supported", "", "")).Of(call.Request.ClientID))
		default:
			out = append(out, check.OK("", proof).Of(call.Request.ClientID))
		}
		if len(out) == 20 {
			break
		}
	}
	if len(out) == 0 {
		return one(check.NotApplicable("no request asks for a level"))
	}
	return out
}

// claimedACR gives the levels that a claims parameter asks for.
func claimedACR(claims string) []string {
	if claims == "" || len(claims) > 64<<10 {
		return nil
	}
	var c struct {
		IDToken struct {
			ACR struct {
				Value  string   `json:"value"`
				Values []string `json:"values"`
			} `json:"acr"`
		} `json:"id_token"`
	}
	_ = json.Unmarshal([]byte(claims), &c)
	out := c.IDToken.ACR.Values
	if v := c.IDToken.ACR.Value; v != "" {
		out = append(out, v)
	}
	return out
}

// documentOf gives the document whose endpoint a request went to, or the first.
func documentOf(t *check.Target, endpoint string) *check.Metadata {
	if len(t.Metadata) > 1 && endpoint != "" {
		for _, m := range t.Metadata {
			if sameAddress(endpoint, m.AuthorizationEndpoint) || sameAddress(endpoint, m.TokenEndpoint) {
				return m
			}
		}
	}
	return t.Metadata[0]
}

var capabilityGap = &check.Check{
	ID: "capability-gap", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "What the client uses is on the provider's lists",
	Judged: "Response type, response mode, PKCE method, prompt, grant and method of authentication of registrations and requests against the lists of the document; what the document does not list at all is not judged.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Use one of the values that the document lists, or switch the feature on at the provider."),
	},
	References: []string{"RFC 8414 section 2", "OpenID Connect Discovery section 3"},
	Judge:      func(t *check.Target) []check.Verdict { return gaps(t) },
}

// gap is one thing that is used and not listed.
type gap struct {
	what, value, member string
	proof               usher.Proof
	cause               string
	worked              bool // the provider took it all the same
}

func gaps(t *check.Target) []check.Verdict {
	if len(t.Registrations)+len(t.AuthCalls)+len(t.TokenCalls) == 0 {
		return one(check.Unknown(check.NeedAuthRequest, ""))
	}
	var order []string
	found := map[string][]gap{}
	add := func(client string, list []gap) {
		if _, there := found[client]; !there {
			order = append(order, client)
		}
		found[client] = append(found[client], list...)
	}
	for i, r := range t.Registrations {
		if i < 50 {
			add(r.ClientID, registeredGaps(r, documentOf(t, "")))
		}
	}
	for i, call := range t.AuthCalls {
		if call.Request != nil && i < 200 {
			add(call.Request.ClientID, requestGaps(t, call))
		}
	}
	for i, call := range t.TokenCalls {
		if call.Request != nil && i < 200 {
			add(call.Request.ClientID, tokenGaps(t, call))
		}
	}
	out := make([]check.Verdict, 0, len(order))
	for _, client := range order {
		out = append(out, gapVerdict(t, found[client]).Of(client))
	}
	return out
}

func gapVerdict(t *check.Target, list []gap) check.Verdict {
	if len(list) == 0 {
		return check.OK("nothing is used that the document does not list", usher.Proof{Place: t.Metadata[0].Place, Quote: "the lists of the document"})
	}
	var words []string
	var proof []usher.Proof
	worked := true
	for _, g := range list {
		word := g.what + " " + shorten(g.value, 60)
		if contains(words, word) {
			continue
		}
		words = append(words, word)
		proof = append(proof, g.proof)
		worked = worked && g.worked
	}
	v := check.Wrong("The client uses what the provider does not list: "+names(words), "The provider will refuse it, or take it for something else.", proof...).Because(list[0].cause)
	if worked {
		v.Detail = "The provider took it all the same. Other clients configure themselves by the document, and will not use it."
		return v.As(usher.SeverityInfo)
	}
	return v
}

// lacks tells whether a list is there and does not hold a value.
func lacks(m *check.Metadata, list []string, name, value string) bool {
	if _, there := m.Raw[name]; !there || value == "" || len(list) == 0 {
		return false
	}
	return !contains(list, value)
}

func registeredGaps(r *evidence.Registration, m *check.Metadata) (out []gap) {
	for _, rt := range r.ResponseTypes {
		if lacksResponseType(m, rt) {
			out = append(out, gap{what: "response type", value: rt, member: "response_types_supported", cause: "response-type-not-allowed", proof: usher.Proof{Place: r.Place, Quote: "response type " + shorten(rt, 80), Expected: names(m.ResponseTypes), Got: rt}})
		}
	}
	for _, g := range r.GrantTypes {
		if lacksGrant(m, g) {
			out = append(out, gap{what: "grant", value: g, member: "grant_types_supported", cause: "grant-not-allowed", proof: usher.Proof{Place: r.Place, Quote: "grant " + shorten(g, 80), Expected: names(m.GrantTypes), Got: g}})
		}
	}
	for _, a := range r.AuthMethods {
		if a != oauth.AuthNone && standardMethod(a) && lacks(m, m.AuthMethods, "token_endpoint_auth_methods_supported", a) {
			out = append(out, gap{what: "authentication", value: a, member: "token_endpoint_auth_methods_supported", cause: "client-auth-method", proof: usher.Proof{Place: r.Place, Quote: "authentication " + shorten(a, 80), Expected: names(m.AuthMethods), Got: a}})
		}
	}
	return out
}

func requestGaps(t *check.Target, call *check.AuthCall) (out []gap) {
	r, m := call.Request, documentOf(t, call.Request.Endpoint)
	worked := call.Response != nil && call.Response.Error == "" && (call.Response.Code != "" || call.Response.IDToken != "" || call.Response.AccessToken != "")
	add := func(what, value, member, cause string, list []string) {
		out = append(out, gap{what, value, member, usher.Proof{Place: call.Place, Quote: what + " " + shorten(value, 80), Expected: names(list), Got: value}, cause, worked})
	}
	if lacksResponseType(m, r.ResponseType) {
		add("response type", r.ResponseType, "response_types_supported", "response-type-not-allowed", m.ResponseTypes)
	}
	if lacks(m, m.ResponseModes, "response_modes_supported", r.ResponseMode) {
		add("response mode", r.ResponseMode, "response_modes_supported", "request-malformed", m.ResponseModes)
	}
	method := r.CodeChallengeMethod
	if method == "" && r.CodeChallenge != "" {
		method = "plain"
	}
	if lacks(m, m.CodeChallengeMethods, "code_challenge_methods_supported", method) {
		add("PKCE method", method, "code_challenge_methods_supported", "request-malformed", m.CodeChallengeMethods)
	}
	if prompts, there := m.List("prompt_values_supported"); there && r.Prompt != "" {
		for _, p := range strings.Fields(r.Prompt) {
			if !contains(prompts, p) {
				add("prompt", p, "prompt_values_supported", "request-malformed", prompts)
			}
		}
	}
	return out
}

func tokenGaps(t *check.Target, call *check.TokenCall) (out []gap) {
	r, m := call.Request, documentOf(t, call.Request.Endpoint)
	worked := call.Response != nil && call.Response.Error == nil && (call.Response.AccessToken != "" || call.Response.IDToken != "")
	if lacksGrant(m, r.GrantType) {
		out = append(out, gap{"grant", r.GrantType, "grant_types_supported", usher.Proof{Place: call.Place, Quote: "grant_type " + shorten(r.GrantType, 80), Expected: names(m.GrantTypes), Got: r.GrantType}, "grant-not-allowed", worked})
	}
	method := r.AuthMethod
	if method == oauth.AuthPrivateKeyJWT && contains(m.AuthMethods, oauth.AuthSecretJWT) {
		method = "" // the request does not tell a key from a secret
	}
	if method != oauth.AuthNone && lacks(m, m.AuthMethods, "token_endpoint_auth_methods_supported", method) {
		out = append(out, gap{"authentication", method, "token_endpoint_auth_methods_supported", usher.Proof{Place: call.Place, Quote: "authentication " + method, Expected: names(m.AuthMethods), Got: method}, "client-auth-method", worked})
	}
	return out
}

// lacksResponseType compares response types as sets of words.
func lacksResponseType(m *check.Metadata, rt string) bool {
	if _, there := m.Raw["response_types_supported"]; !there || rt == "" || len(m.ResponseTypes) == 0 {
		return false
	}
	want := words(rt)
	for _, offered := range m.ResponseTypes {
		if slices.Equal(words(offered), want) {
			return false
		}
	}
	return true
}

func words(s string) []string {
	list := strings.Fields(s)
	slices.Sort(list)
	return list
}

// lacksGrant forgives short names of grants, which some providers write.
func lacksGrant(m *check.Metadata, grant string) bool {
	if !lacks(m, m.GrantTypes, "grant_types_supported", grant) {
		return false
	}
	short := grant[strings.LastIndexByte(grant, ':')+1:]
	for _, g := range m.GrantTypes {
		if g[strings.LastIndexByte(g, ':')+1:] == short {
			return false
		}
	}
	// Refresh tokens and implicit are often not listed and on all the same.
	return grant != oauth.GrantRefreshToken && grant != "implicit"
}

func standardMethod(a string) bool {
	switch a {
	case oauth.AuthBasic, oauth.AuthPost, oauth.AuthSecretJWT, oauth.AuthPrivateKeyJWT, oauth.AuthTLS, oauth.AuthSelfSignedTLS:
		return true
	}
	return false
}
