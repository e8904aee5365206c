package providers

import (
	"encoding/json"
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
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
		proof := usher.Proof{Place: call.Place, Quote: "acr_values: " + check.Clip(strings.Join(asked, " "), 160), Expected: check.Names(offered)}
		var strange []string
		for _, a := range asked {
			if !slices.Contains(offered, a) && !slices.Contains(strange, a) {
				strange = append(strange, a)
			}
		}
		switch {
		case !there:
			out = append(out, check.Unknown(check.NeedNothing, "the document does not list the levels", proof).Of(call.Request.ClientID))
		case len(strange) > 0:
			proof.Got = check.Names(strange)
			out = append(out, check.Wrong("The request asks for "+check.Clip(check.Names(strange), 160)+", on offer is "+check.Clip(check.Names(offered), 160),
				"A level that the provider does not know is passed over: the token comes without it, and the app asks again, or lets in people who did not prove enough.", proof, member(m, "acr_values_supported", "", "")).Of(call.Request.ClientID))
		default:
			out = append(out, check.OK("", proof).Of(call.Request.ClientID))
		}
		if len(out) == 20 {
			break
		}
	}
	if len(out) == 0 {
		return check.Only(check.NotApplicable("no request asks for a level"))
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
			if check.SameAddress(endpoint, m.AuthorizationEndpoint) || check.SameAddress(endpoint, m.TokenEndpoint) {
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
	place, cause        string
	worked              bool // the provider took it all the same
	proof               usher.Proof
}

// comparison is what one client uses, held against the lists of a document.
type comparison struct {
	held int // values that a list tells of
	gaps []gap
}

// hold compares one value with a list; offered tells whether it stands there.
// What is not said, or not listed at all, is not compared.
func (c *comparison) hold(m *check.Metadata, g gap, list []string, offered func(list []string, value string) bool) {
	if _, there := m.Raw[g.member]; !there || g.value == "" || len(list) == 0 {
		return
	}
	c.held++
	if offered(list, g.value) {
		return
	}
	g.proof = usher.Proof{Place: g.place, Quote: g.what + " " + check.Clip(g.value, 80), Expected: check.Names(list), Got: g.value}
	c.gaps = append(c.gaps, g)
}

func gaps(t *check.Target) []check.Verdict {
	if len(t.Registrations)+len(t.AuthCalls)+len(t.TokenCalls) == 0 {
		return check.Only(check.Unknown(check.NeedAuthRequest, ""))
	}
	var order []string
	found := map[string]*comparison{}
	of := func(client string) *comparison {
		c := found[client]
		if c == nil {
			c = &comparison{}
			found[client], order = c, append(order, client)
		}
		return c
	}
	for i, r := range t.Registrations {
		if m := documentFor(t, r); m != nil && i < 50 {
			of(r.ClientID).registered(r, m)
		}
	}
	for i, call := range t.AuthCalls {
		if call.Request != nil && i < 200 {
			of(call.Request.ClientID).authorization(call, documentOf(t, call.Request.Endpoint))
		}
	}
	for i, call := range t.TokenCalls {
		if call.Request != nil && i < 200 {
			of(call.Request.ClientID).token(call, documentOf(t, call.Request.Endpoint))
		}
	}
	if len(order) == 0 {
		return check.Only(check.Unknown(check.NeedAuthRequest, ""))
	}
	out := make([]check.Verdict, 0, len(order))
	for _, client := range order {
		out = append(out, gapVerdict(t, found[client]).Of(client))
	}
	return out
}

// documentFor gives the document of the provider that holds a registration: the
// only one, or the one that is known to be its own.
func documentFor(t *check.Target, r *evidence.Registration) *check.Metadata {
	if len(t.Metadata) == 1 {
		return t.Metadata[0]
	}
	for _, m := range t.Metadata {
		if r.Provider != "" && knowledge.Of(m.Issuer).Name == r.Provider {
			return m
		}
	}
	return nil
}

func gapVerdict(t *check.Target, c *comparison) check.Verdict {
	switch {
	case c.held == 0:
		return check.Unknown(check.NeedAuthRequest, "nothing that the client is known to use is of a kind that the document lists")
	case len(c.gaps) == 0:
		return check.OK("nothing is used that the document does not list", usher.Proof{Place: t.Metadata[0].Place, Quote: check.Count(c.held, "value", "values") + " compared with the lists of the document"})
	}
	var words []string
	var proof []usher.Proof
	worked := true
	for _, g := range c.gaps {
		word := g.what + " " + check.Clip(g.value, 60)
		if slices.Contains(words, word) {
			continue
		}
		words = append(words, word)
		proof = append(proof, g.proof)
		worked = worked && g.worked
	}
	v := check.Wrong("The client uses what the provider does not list: "+check.Names(words), "The provider will refuse it, or take it for something else.", proof...).Because(c.gaps[0].cause)
	if worked {
		v.Detail = "The provider took it all the same. Other clients configure themselves by the document, and will not use it."
		return v.As(usher.SeverityInfo)
	}
	return v
}

func (c *comparison) registered(r *evidence.Registration, m *check.Metadata) {
	for _, rt := range r.ResponseTypes {
		c.hold(m, gap{what: "response type", value: rt, member: "response_types_supported", place: r.Place, cause: "response-type-not-allowed"}, m.ResponseTypes, offersResponseType)
	}
	for _, g := range r.GrantTypes {
		c.hold(m, gap{what: "grant", value: g, member: "grant_types_supported", place: r.Place, cause: "grant-not-allowed"}, m.GrantTypes, offersGrant)
	}
	for _, a := range r.AuthMethods {
		if standardMethod(a) {
			c.hold(m, gap{what: "authentication", value: a, member: "token_endpoint_auth_methods_supported", place: r.Place, cause: "client-auth-method"}, m.AuthMethods, slices.Contains)
		}
	}
}

func (c *comparison) authorization(call *check.AuthCall, m *check.Metadata) {
	r := call.Request
	worked := call.Response != nil && call.Response.Error == "" && (call.Response.Code != "" || call.Response.IDToken != "" || call.Response.AccessToken != "")
	hold := func(what, value, member, cause string, list []string, offered func([]string, string) bool) {
		c.hold(m, gap{what: what, value: value, member: member, place: call.Place, cause: cause, worked: worked}, list, offered)
	}
	hold("response type", r.ResponseType, "response_types_supported", "response-type-not-allowed", m.ResponseTypes, offersResponseType)
	hold("response mode", r.ResponseMode, "response_modes_supported", "request-malformed", m.ResponseModes, slices.Contains)
	method := r.CodeChallengeMethod
	if method == "" && r.CodeChallenge != "" {
		method = "plain"
	}
	hold("PKCE method", method, "code_challenge_methods_supported", "request-malformed", m.CodeChallengeMethods, slices.Contains)
	if r.Prompt != "" {
		prompts, _ := m.List("prompt_values_supported")
		for _, p := range strings.Fields(r.Prompt) {
			hold("prompt", p, "prompt_values_supported", "request-malformed", prompts, slices.Contains)
		}
	}
}

func (c *comparison) token(call *check.TokenCall, m *check.Metadata) {
	r := call.Request
	worked := call.Response != nil && call.Response.Error == nil && (call.Response.AccessToken != "" || call.Response.IDToken != "")
	c.hold(m, gap{what: "grant", value: r.GrantType, member: "grant_types_supported", place: call.Place, cause: "grant-not-allowed", worked: worked}, m.GrantTypes, offersGrant)
	method := r.AuthMethod
	if method == oauth.AuthPrivateKeyJWT && slices.Contains(m.AuthMethods, oauth.AuthSecretJWT) {
		method = "" // the request does not tell a key from a secret
	}
	if method != oauth.AuthNone {
		c.hold(m, gap{what: "authentication", value: method, member: "token_endpoint_auth_methods_supported", place: call.Place, cause: "client-auth-method", worked: worked}, m.AuthMethods, slices.Contains)
	}
}

// offersResponseType compares response types as sets of words.
func offersResponseType(list []string, rt string) bool {
	want := words(rt)
	return slices.ContainsFunc(list, func(offered string) bool { return slices.Equal(words(offered), want) })
}

func words(s string) []string {
	list := strings.Fields(s)
	slices.Sort(list)
	return list
}

// offersGrant forgives what many documents do not list although it is on:
// refresh tokens, implicit, short names, and grants of the provider's own.
func offersGrant(list []string, grant string) bool {
	if grant == oauth.GrantRefreshToken || grant == "implicit" || strings.Contains(grant, "://") {
		return true
	}
	last := func(s string) string { return s[strings.LastIndexByte(s, ':')+1:] }
	return slices.ContainsFunc(list, func(offered string) bool { return last(offered) == last(grant) })
}

func standardMethod(a string) bool {
	switch a {
	case oauth.AuthBasic, oauth.AuthPost, oauth.AuthSecretJWT, oauth.AuthPrivateKeyJWT, oauth.AuthTLS, oauth.AuthSelfSignedTLS:
		return true
	}
	return false
}
