package clients

import (
	"strings"

	"usher"
	"usher/check"
	"usher/oauth"
)

var statePresent = &check.Check{
	ID: "state-present", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "Each sign-in has a state that cannot be guessed and comes back",
	Judged: "Whether state is sent (or PKCE or nonce stand in for it), is long enough, is new for each request, and is the same in the answer.",
	Step:   usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Send a new random state (16 bytes or more) with each request, keep it with the browser's session, and compare it when the browser comes back."),
	},
	References: []string{"RFC 6749 section 10.12", "RFC 9700 section 2.1", "RFC 9700 section 4.7"},
	Judge:      judgeState,
}

func judgeState(t *check.Target) []check.Verdict {
	var b book
	first := map[string]*check.AuthCall{}
	for c := range requests(t) {
		r := c.Request
		if pushed(r) && r.State == "" {
			b.add(r.ClientID, check.Unknown(check.NeedAuthRequest, "the parameters were pushed, or lie in a signed object", proof(c.Place, "request_uri", "", "")))
			continue
		}
		b.add(r.ClientID, stateOf(c))
		if r.State == "" {
			continue
		}
		if was := first[r.State]; was != nil && was.Request.ClientID == r.ClientID && renewed(was, c) {
			b.add(r.ClientID, check.Wrong(theClient(r.ClientID)+" sends one state with several requests", "A state that was seen once no longer tells whose request an answer belongs to.", proof(was.Place, "state", "", ""), proof(c.Place, "state", "a new one", "that of the earlier request")).As(usher.SeverityMedium))
		}
		if len(first) < 10_000 {
			first[r.State] = c
		}
	}
	for _, c := range t.AuthCalls {
		// Ways back that joined no request: the state is nobody's.
		if c == nil || c.Request != nil || c.Response == nil || len(first) == 0 || first[c.Response.State] != nil {
			continue
		}
		client, only := soleRequest(t)
		if only == nil || only.Response != nil || c.Response.Endpoint != "" && only.Request.RedirectURI != "" && withoutQuery(only.Request.RedirectURI) != c.Response.Endpoint {
			continue
		}
		title := "The answer brings another state than " + client + " sent"
		got := usher.Secret(c.Response.State).Fingerprint()
		if c.Response.State == "" {
			title, got = "The answer brings no state, and "+whom(client)+" sent one", "nothing"
		}
		b.add(client, check.Wrong(title, "The app must refuse it: the answer belongs to another request, or something on the way lost it.",
			proof(only.Place, "state="+usher.Secret(only.Request.State).Fingerprint(), "", ""), proof(c.Place, "state", usher.Secret(only.Request.State).Fingerprint(), got)).Because(causeState).
			Do("See what changes the state on the way: a second tab, a proxy that rewrites the address, or a sign-in that was started elsewhere."))
	}
	return b.or(check.Unknown(check.NeedAuthRequest, ""))
}

// renewed tells whether two requests are two sign-ins: a reload sends all the same.
func renewed(a, b *check.AuthCall) bool {
	if a.Response != nil && b.Response != nil && a.Response.Code != "" && b.Response.Code != "" && a.Response.Code != b.Response.Code {
		return true
	}
	return a.Request.Nonce != b.Request.Nonce || a.Request.CodeChallenge != b.Request.CodeChallenge
}

// withoutQuery cuts query and fragment off an address.
func withoutQuery(u string) string {
	if i := strings.IndexAny(u, "?#"); i >= 0 {
		return u[:i]
	}
	return u
}

// soleRequest gives the only authorization request that was seen.
func soleRequest(t *check.Target) (string, *check.AuthCall) {
	var only *check.AuthCall
	for c := range requests(t) {
		if only != nil {
			return "", nil
		}
		only = c
	}
	if only == nil {
		return "", nil
	}
	return only.Request.ClientID, only
}

func stateOf(c *check.AuthCall) check.Verdict {
	r := c.Request
	standIn := r.CodeChallenge != "" || r.Nonce != ""
	if c.Response != nil && r.State != "" && c.Response.State != r.State {
		title, got := "The answer brings another state than "+r.ClientID+" sent", usher.Secret(c.Response.State).Fingerprint()
		if c.Response.State == "" {
			title, got = "The answer brings no state, and "+whom(r.ClientID)+" sent one", "nothing"
		}
		return check.Wrong(title, "The app must refuse it: the answer belongs to another request, or something on the way lost it.",
			proof(c.Place, "state", usher.Secret(r.State).Fingerprint(), got)).Because(causeState).
			Do("See what changes the state on the way: a second tab, a proxy that rewrites the address, or a sign-in that was started elsewhere.")
	}
	switch {
	case r.State == "" && !standIn:
		return check.Wrong(theClient(r.ClientID)+" sends no state", "Anybody can have a person's browser finish a sign-in that the attacker began (login CSRF).", proof(c.Place, "state", "a random value", "nothing"))
	case r.State == "":
		return check.OK("PKCE or nonce stand in for state", proof(c.Place, "state", "", "nothing"))
	}
	bits, what := guess(r.State)
	if bits < 100 && !standIn { // of the 128 that are asked for; the estimate is low for mixed alphabets
		return check.Wrong("The state of "+whom(r.ClientID)+" can be guessed", "It has "+itoa(len(r.State))+" "+what+", about "+itoa(bits)+" bits, and neither PKCE nor nonce stands beside it.",
			proof(c.Place, "state", "at least 128 bits", "about "+itoa(bits)+" bits")).As(usher.SeverityMedium)
	}
	return check.OK("it is sent", proof(c.Place, "state", "", itoa(len(r.State))+" "+what))
}

var noncePresent = &check.Check{
	ID: "nonce-present", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Each sign-in has a nonce of its own",
	Judged: "nonce in requests for OpenID Connect: needed where an ID token comes from the authorization endpoint, wanted with code, and new for each. Whether the ID token brings it back, token-nonce judges.",
	Step:   usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Send a new random nonce with each request, keep it with the browser's session, and compare it with the ID token's."),
	},
	References: []string{"OpenID Connect Core section 3.1.2.1", "OpenID Connect Core section 15.5.2"},
	Judge:      judgeNonce,
}

func judgeNonce(t *check.Target) []check.Verdict {
	var b book
	first := map[string]*check.AuthCall{}
	for c := range requests(t) {
		r := c.Request
		front := asksFor(r.ResponseType, "id_token")
		openid := front || contains(r.Scope, "openid")
		here := proof(c.Place, "nonce", "a random value", "nothing")
		switch {
		case pushed(r) && r.Nonce == "":
			b.add(r.ClientID, check.Unknown(check.NeedAuthRequest, "the parameters were pushed, or lie in a signed object"))
		case !openid:
			b.add(r.ClientID, check.NotApplicable("no ID token is asked for"))
		case r.Nonce == "" && front:
			b.add(r.ClientID, check.Wrong(theClient(r.ClientID)+" asks for an ID token in the browser and sends no nonce", "A token of another sign-in can be slipped in; providers refuse the request.", here).As(usher.SeverityHigh).Because("request-malformed"))
		case r.Nonce == "" && r.CodeChallenge == "":
			b.add(r.ClientID, check.Wrong(theClient(r.ClientID)+" sends neither nonce nor PKCE", "A code of another sign-in can be slipped in.", here))
		case r.Nonce == "":
			b.add(r.ClientID, check.OK("PKCE stands in for it", proof(c.Place, "code_challenge", "", "")))
		case first[r.Nonce] != nil && otherRequest(first[r.Nonce].Request, r):
			b.add(r.ClientID, check.Wrong(theClient(r.ClientID)+" sends one nonce with several requests", "A nonce that was seen once binds nothing any more.", proof(first[r.Nonce].Place, "nonce", "", ""), proof(c.Place, "nonce", "a new one", "that of the earlier request")))
		default:
			b.add(r.ClientID, check.OK("it is sent", proof(c.Place, "nonce", "", "")))
		}
		if r.Nonce != "" && len(first) < 10_000 {
			first[r.Nonce] = c
		}
	}
	return b.or(check.Unknown(check.NeedAuthRequest, ""))
}

func otherRequest(a, b *oauth.AuthorizationRequest) bool {
	return a.State != b.State || a.CodeChallenge != b.CodeChallenge
}

var issResponseChecked = &check.Check{
	ID: "iss-response-checked", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The answer comes from the issuer that was asked",
	Judged: "iss of the authorization response, errors too, against the issuer of the request, byte for byte; and whether it is there where the provider announces it.",
	Needs:  []check.Need{check.NeedAuthResponse},
	Cause:  causeIssuer, Step: usher.StepAuthResponse, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Compare iss with the issuer that the request went to, as plain strings, before the code is sent anywhere; refuse an answer without it from a provider that announces it."),
	},
	References: []string{"RFC 9207 section 2.4", "RFC 9700 section 4.4.2.1"},
	Judge: func(t *check.Target) []check.Verdict {
		var b book
		for _, c := range t.AuthCalls {
			if c == nil || c.Response == nil {
				continue
			}
			b.add(clientOf(t, c), judgeIss(t, c))
		}
		return b.or(check.Unknown(check.NeedAuthResponse, ""))
	},
}

func judgeIss(t *check.Target, c *check.AuthCall) check.Verdict {
	place := backAt(c)
	issuer, announced := t.Issuer, false
	endpoint := ""
	if c.Request != nil {
		endpoint = c.Request.Endpoint
	}
	if m := metadataOf(t, endpoint); m != nil {
		issuer, announced = m.Issuer, m.IssParameter
	}
	redeemed := redeems(t, c)
	switch iss := c.Response.Issuer; {
	case iss == "" && announced && redeemed != nil:
		return check.Wrong("The app redeems a code from an answer without iss, which the provider announces", "An answer that lacks it may be of another provider; a client that knows of it refuses.",
			proof(place, "iss", issuer, "nothing"), proof(redeemed.Place, "the token request", "", ""))
	case iss == "" && announced:
		return check.Wrong("The answer has no iss, which the provider announces", "A client that goes by the announcement refuses it.", proof(place, "iss", issuer, "nothing")).As(usher.SeverityMedium)
	case iss == "":
		return check.NotApplicable("the provider neither announces nor sends iss")
	case issuer == "":
		return check.Unknown(check.NeedIssuer, "", proof(place, "iss="+iss, "", ""))
	case sameIssuer(issuer, iss):
		return check.OK("it is the issuer that was asked", proof(place, "iss="+iss, issuer, iss))
	case redeemed != nil:
		return check.Wrong("The app redeems a code of "+iss+", asked was "+issuer, "It does not compare iss, so an attacker's provider can get hold of codes of another (mix-up).",
			proof(place, "iss="+iss, issuer, iss), proof(redeemed.Place, "the token request", "", ""))
	default:
		return check.Wrong("The answer is of "+iss+", asked was "+issuer, "The client must refuse it. If the provider is the right one, its issuer in the client's settings or in its metadata is wrong.", proof(place, "iss="+iss, issuer, iss))
	}
}

// sameIssuer compares issuers; Entra's documents for all tenants hold a
// placeholder in place of the tenant.
func sameIssuer(want, got string) bool {
	if want == got {
		return true
	}
	before, after, ok := strings.Cut(want, "{tenantid}")
	if !ok || !strings.HasPrefix(got, before) || !strings.HasSuffix(got, after) || len(got) <= len(before)+len(after) {
		return false
	}
	return !strings.Contains(got[len(before):len(got)-len(after)], "/")
}

// redeems gives the token request for the code of an answer.
func redeems(t *check.Target, c *check.AuthCall) *check.TokenCall {
	if c.Response.Code == "" {
		return nil
	}
	for call := range tokenCalls(t) {
		if call.Request.Code == c.Response.Code {
			return call
		}
	}
	return nil
}
