package protocol

import (
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
)

var mixedVersions = &check.Check{
	ID: "mixed-endpoint-versions", Group: check.GroupProtocol, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "All requests go to the endpoints of one version",
	Judged: "Authorization and token requests of a client: Entra v1 against v2, resource with v2, Okta's organisation server against a custom one, endpoints of two documents.",
	Cause:  "request-malformed",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Take every endpoint from one discovery document: that of the issuer that the tokens shall have."),
	},
	References: []string{"RFC 8414 section 2", "Microsoft identity platform, v1.0 and v2.0 endpoints", "Okta, authorization servers"},
	Judge:      func(t *check.Target) []check.Verdict { return mixed(t) },
}

func mixed(t *check.Target) []check.Verdict {
	if !t.Has(check.NeedAuthRequest) && !t.Has(check.NeedTokenRequest) {
		return check.Only(check.Unknown(check.NeedAuthRequest, ""))
	}
	var out []check.Verdict
	auth := map[string]*check.AuthCall{}
	compared := 0
	for i, c := range t.AuthCalls {
		if c.Request == nil || c.Request.Endpoint == "" || i > 2000 {
			continue
		}
		compared++
		auth[c.Request.ClientID] = c
		if v, bad := parametersFit(c.Place, c.Request.Endpoint, c.Request.Resource, c.Request.Scope); bad {
			out = append(out, v.Of(c.Request.ClientID))
		}
		if v, bad := known(t, c.Place, c.Request.Endpoint, true); bad {
			out = append(out, v.Of(c.Request.ClientID))
		}
	}
	for i, c := range t.TokenCalls {
		if c.Request == nil || c.Request.Endpoint == "" || i > 2000 || len(out) > 20 {
			continue
		}
		compared++
		if v, bad := parametersFit(c.Place, c.Request.Endpoint, c.Request.Resource, c.Request.Scope); bad {
			out = append(out, v.Of(c.Request.ClientID))
		}
		a := auth[c.Request.ClientID]
		if a == nil || c.Request.GrantType != "authorization_code" && c.Request.GrantType != "refresh_token" {
			if v, bad := known(t, c.Place, c.Request.Endpoint, false); bad {
				out = append(out, v.Of(c.Request.ClientID))
			}
			continue
		}
		from, to := version(a.Request.Endpoint), version(c.Request.Endpoint)
		first, second := documentOf(t, a.Request.Endpoint, true), documentOf(t, c.Request.Endpoint, false)
		proof := []usher.Proof{
			{Place: a.Place, Quote: check.Clip(a.Request.Endpoint, 200)},
			{Place: c.Place, Quote: check.Clip(c.Request.Endpoint, 200), Expected: from, Got: to},
		}
		switch {
		case from != "" && to != "" && from != to:
			out = append(out, check.Wrong("The authorization request goes to "+from+", the token request to "+to, "A code or refresh token of the one is unknown to the other, or its token has another issuer.", proof...).Of(c.Request.ClientID))
		case first != nil && second != nil && first.Issuer != second.Issuer:
			out = append(out, check.Wrong("The two requests go to two providers: "+check.Clip(first.Issuer, 100)+" and "+check.Clip(second.Issuer, 100), "The code of the one is given to the other.", proof...).Of(c.Request.ClientID))
		}
	}
	switch {
	case len(out) > 0:
		return out
	case compared == 1 && len(t.Metadata) == 0:
		return check.Only(check.Unknown(check.NeedAuthRequest, "one request was seen, and nothing to hold it against"))
	case compared > 0:
		return check.Only(check.OK("no request goes to another version than the rest"))
	}
	return check.Only(check.Unknown(check.NeedAuthRequest, "the requests do not tell where they went"))
}

// version names the version or server that an endpoint belongs to, for
// providers that have several on one host; empty: it has one.
func version(endpoint string) string {
	_, rest, ok := strings.Cut(endpoint, "://")
	if !ok {
		return ""
	}
	host, path, _ := strings.Cut(rest, "/")
	host = strings.ToLower(host)
	segments := strings.Split(path, "/")
	switch {
	case entraHost(host) && len(segments) >= 3 && segments[1] == "oauth2":
		if segments[2] == "v2.0" {
			return "Entra's v2.0 endpoint"
		}
		return "Entra's v1.0 endpoint"
	case oktaHost(host) && len(segments) >= 3 && segments[0] == "oauth2":
		if segments[1] == "v1" {
			return "Okta's organisation server"
		}
		if segments[2] == "v1" {
			return "Okta's server " + check.Clip(segments[1], 40)
		}
	}
	return ""
}

func entraHost(host string) bool {
	switch host {
	case "login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "login.chinacloudapi.cn", "login.windows.net", "login.microsoft.com":
		return true
	}
	return false
}

func oktaHost(host string) bool {
	return strings.HasSuffix(host, ".okta.com") || strings.HasSuffix(host, ".oktapreview.com") || strings.HasSuffix(host, ".okta-emea.com") || strings.HasSuffix(host, ".okta-gov.com")
}

// parametersFit holds the parameters against the version of the endpoint.
func parametersFit(place, endpoint string, resource, scope []string) (check.Verdict, bool) {
	v := version(endpoint)
	proof := usher.Proof{Place: place, Quote: check.Clip(endpoint, 160)}
	switch {
	case v == "Entra's v2.0 endpoint" && len(resource) > 0:
		proof.Expected, proof.Got = "scope="+check.Clip(resource[0], 80)+"/.default", "resource="+check.Clip(resource[0], 80)
		return check.Wrong("resource is sent to "+v+", which takes scope", "It is refused with AADSTS901002, or passed over.", proof).
			Do("Put the API into scope, as " + check.Clip(resource[0], 80) + "/.default or with a permission of it, and leave resource out"), true
	case v == "Entra's v1.0 endpoint" && len(resource) == 0 && resourceScope(scope) != "":
		proof.Expected, proof.Got = "resource", "scope="+check.Clip(resourceScope(scope), 80)
		return check.Wrong("A scope of an API is sent to "+v+", which takes resource", "It is passed over: the token is for another API than was meant.", proof).
			Do("Use the v2.0 endpoints (…/oauth2/v2.0/authorize and …/token)"), true
	}
	return check.Verdict{}, false
}

// resourceScope gives a scope that names its API by an address.
func resourceScope(scope []string) string {
	for _, s := range scope {
		if strings.HasPrefix(s, "api://") || strings.HasPrefix(s, "https://") {
			return s
		}
	}
	return ""
}

// documentOf gives the document that an endpoint stands in.
func documentOf(t *check.Target, endpoint string, authorize bool) *check.Metadata {
	for _, m := range t.Metadata {
		if authorize && check.SameAddress(endpoint, m.AuthorizationEndpoint) || !authorize && (check.SameAddress(endpoint, m.TokenEndpoint) || check.SameAddress(endpoint, alias(m))) {
			return m
		}
	}
	return nil
}

func alias(m *check.Metadata) string {
	if _, there := m.Raw["mtls_endpoint_aliases"]; !there {
		return ""
	}
	return m.Endpoints()["mtls_endpoint_aliases.token_endpoint"]
}

// known holds an endpoint against the one document that was given: another
// version of the same host is a mix.
func known(t *check.Target, place, endpoint string, authorize bool) (check.Verdict, bool) {
	if len(t.Metadata) != 1 {
		return check.Verdict{}, false
	}
	m := t.Metadata[0]
	said := m.TokenEndpoint
	if authorize {
		said = m.AuthorizationEndpoint
	}
	used, published := version(endpoint), version(said)
	if used == "" || published == "" || used == published {
		return check.Verdict{}, false
	}
	return check.Wrong("The request goes to "+used+", the document is of "+published, "The token has another issuer than the document says, and is refused by those who verify it with the document.",
		usher.Proof{Place: place, Quote: check.Clip(endpoint, 200), Expected: check.Clip(said, 200), Got: check.Clip(endpoint, 200)}), true
}

var firstParty = &check.Check{
	ID: "profile-first-party", Group: check.GroupProtocol, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The challenge endpoint is used by own apps alone",
	Judged: "Where authorization_challenge_endpoint is announced: which clients call it, against those that are expected, and whether the session is bound to a key.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepSignIn, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Let own, attested apps alone use the endpoint; send all others through the browser."),
		check.Tightening("Bind auth_session to a key of the device (DPoP)."),
	},
	References: []string{"draft-ietf-oauth-first-party-apps"},
	Judge:      func(t *check.Target) []check.Verdict { return challenge(t) },
}

func challenge(t *check.Target) []check.Verdict {
	const name = "authorization_challenge_endpoint"
	endpoint := ""
	var m *check.Metadata
	for _, d := range t.Metadata {
		if e := d.Text(name); e != "" {
			endpoint, m = e, d
		}
	}
	if endpoint == "" {
		return check.Only(check.NotApplicable("the provider announces no such endpoint"))
	}
	var calls []*evidence.Exchange
	for _, c := range t.APICalls {
		calls = append(calls, c.Exchange)
	}
	for _, c := range t.TokenCalls {
		calls = append(calls, c.Exchange)
	}
	for _, c := range t.AuthCalls {
		calls = append(calls, c.Exchange)
	}
	var allowed []string
	if t.Expect != nil {
		allowed = t.Expect.Clients
	}
	var out []check.Verdict
	for i, x := range calls {
		if x == nil || i > 2000 || !check.SameAddress(endpoint, x.URL) || len(out) > 20 {
			continue
		}
		client := formValue(x.RequestBody, "client_id")
		proof := usher.Proof{Place: x.Method + " " + check.Clip(x.URL, 160), Quote: "client_id=" + check.Clip(client, 80)}
		switch {
		case allowed == nil:
			out = append(out, check.Unknown(check.NeedPolicy, "a client calls the endpoint; which clients are own apps was not said", proof).Of(client))
		case client != "" && !slices.Contains(allowed, client):
			proof.Expected, proof.Got = check.Names(allowed), client
			out = append(out, check.Wrong("The client "+check.Clip(client, 80)+" calls the challenge endpoint, and is none of the own apps", "It sees names and passwords of people, which is for own apps alone.", proof).Of(client))
		case strings.Contains(x.RequestBody, "auth_session=") && x.Request.Get("DPoP") == "":
			proof.Quote = "auth_session without a DPoP proof"
			out = append(out, check.Wrong("auth_session is not bound to a key", "Who steals it goes on with the sign-in of another.", proof).Of(client).As(usher.SeverityLow))
		default:
			out = append(out, check.OK("", proof).Of(client))
		}
	}
	if len(out) == 0 {
		return check.Only(check.Unknown(check.NeedTokenRequest, "the endpoint is announced; no call of it was seen", member(m, name)))
	}
	return out
}

// formValue gives one value of a form, without decoding the rest.
func formValue(form, name string) string {
	for range 200 {
		if form == "" {
			return ""
		}
		var pair string
		pair, form, _ = strings.Cut(form, "&")
		if n, v, ok := strings.Cut(pair, "="); ok && n == name {
			return v
		}
	}
	return ""
}
