package clients

import (
	"cmp"
	"fmt"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

// listsGrants tells whether a registration lists the grants that it allows,
// rather than leaving them to the provider.
func listsGrants(r *evidence.Registration) bool {
	return len(r.GrantTypes) > 0 || known(r, "GrantTypes")
}

var grantRegistered = &check.Check{
	ID: "grant-registered", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The client uses grants that it is allowed",
	Judged: "The grants that requests use, against those of the registration, of the provider, and its answers.",
	Cause:  causeGrant, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Use a grant that the client is registered for, or switch the one that it needs on at the provider."),
	},
	References: []string{"RFC 6749 section 5.2", "RFC 7591 section 2"},
	Judge:      judgeGrants,
}

func judgeGrants(t *check.Target) []check.Verdict {
	var b book
	for c := range tokenCalls(t) {
		g := grant(c.Request.GrantType)
		here := proof(c.Place, "grant_type="+c.Request.GrantType, "", "")
		switch {
		case granted(c):
			b.add(c.Request.ClientID, check.OK("the provider gave a token for "+short(g), here))
		case causeOf(t, errorOf(c)) == causeGrant, errorOf(c) != nil && errorOf(c).Code == oauth.ErrUnsupportedGrantType,
			errorOf(c) != nil && errorOf(c).Code == oauth.ErrUnauthorizedClient && causeOf(t, errorOf(c)) == "":
			b.add(c.Request.ClientID, check.Wrong("The provider refuses the grant "+short(g)+" to "+whom(c.Request.ClientID), "The client is known, and may not use this grant.",
				proof(placeOf(c), quoteOf(c.Response.Error), "", short(g)), here))
		default:
			b.add(c.Request.ClientID, allowed(t, c.Request.ClientID, g, c.Place, c.Request.Endpoint))
		}
	}
	for c := range requests(t) {
		r := c.Request
		if asksFor(r.ResponseType, "code") {
			b.add(r.ClientID, allowed(t, r.ClientID, oauth.GrantAuthorizationCode, c.Place, r.Endpoint))
		}
		if v, told := switchedOff(t, c); told {
			b.add(r.ClientID, v)
		} else if asksFor(r.ResponseType, "token") {
			b.add(r.ClientID, allowed(t, r.ClientID, "implicit", c.Place, r.Endpoint))
		}
	}
	return b.or(check.Unknown(check.NeedTokenRequest, ""))
}

// switchedOff judges a request for tokens from Entra's authorization endpoint by
// the two switches of the registration.
func switchedOff(t *check.Target, c *check.AuthCall) (check.Verdict, bool) {
	r := registration(t, c.Request.ClientID)
	if r == nil || r.Provider != "entra" || !known(r, "ResponseTypes") && len(r.ResponseTypes) == 0 {
		return check.Verdict{}, false
	}
	for _, word := range [...]string{"token", "id_token"} {
		if !asksFor(c.Request.ResponseType, word) || anyAsks(r.ResponseTypes, word) {
			continue
		}
		name := "ID tokens"
		if word == "token" {
			name = "Access tokens"
		}
		return check.Wrong("The request asks for "+c.Request.ResponseType+", and "+name+" are switched off for "+nameOf(r), "Entra refuses the request.",
			proof(c.Place, "response_type="+c.Request.ResponseType, "code", c.Request.ResponseType), proof(r.Place, "implicit grant and hybrid flows", "", cmp.Or(strings.Join(r.ResponseTypes, ", "), "none"))).
			Because("response-type-not-allowed").Do("Ask for response_type=code with PKCE; only a server app of the hybrid flow needs the switch for ID tokens (Authentication > Implicit grant and hybrid flows)."), true
	}
	return check.Verdict{}, false
}

// allowed judges one grant by what the registration and the provider list.
func allowed(t *check.Target, client, g, place, endpoint string) check.Verdict {
	here := proof(place, short(g), "", "")
	r := registration(t, client)
	switch {
	case r != nil && listsGrants(r) && listed(r, g):
		all := strings.Join(r.GrantTypes, ", ")
		if hasGrant(r.GrantTypes, g) {
			return check.OK("the registration allows it", here, proof(r.Place, "grant_types: "+all, "", ""))
		}
		return check.Wrong(fmt.Sprintf("The client %s uses %s, registered is %s", client, short(g), cmp.Or(all, "none")), "The provider refuses it, or ought to.",
			proof(place, short(g), cmp.Or(all, "none"), short(g)), proof(r.Place, "grant_types: "+cmp.Or(all, "none"), "", "")).
			Do("Switch the grant " + short(g) + " on for the client, if it is the right one for this app; or use one of " + cmp.Or(all, "none") + ".")
	}
	if m := metadataOf(t, endpoint); m != nil && len(m.GrantTypes) > 0 && g != "implicit" {
		if !hasGrant(m.GrantTypes, g) && listsEverything(m, g) {
			return check.Wrong("The provider does not offer the grant "+short(g)+" that "+whom(client)+" uses", "It offers "+strings.Join(m.GrantTypes, ", ")+".",
				proof(place, short(g), strings.Join(m.GrantTypes, ", "), short(g)), proof(m.Place, "grant_types_supported", "", "")).As(usher.SeverityMedium)
		}
	}
	return check.Unknown(check.NeedRegistration, "which grants the client may use is not in the registration that was given", here)
}

// listsEverything tells whether a grant's absence from a document means
// anything: many providers leave out what is no redirect flow.
func listsEverything(m *check.Metadata, g string) bool {
	switch g {
	case oauth.GrantPassword, oauth.GrantDeviceCode:
		return true
	case oauth.GrantClientCredentials:
		return hasGrant(m.GrantTypes, oauth.GrantRefreshToken) && hasGrant(m.GrantTypes, oauth.GrantAuthorizationCode) && len(m.GrantTypes) > 3
	}
	return false
}

// listed tells whether a provider's list of grants speaks of one at all.
func listed(r *evidence.Registration, g string) bool {
	switch r.Provider {
	case "keycloak":
		switch g {
		case oauth.GrantAuthorizationCode, "implicit", oauth.GrantPassword, oauth.GrantClientCredentials, oauth.GrantDeviceCode:
			return true
		}
		return false
	case "entra", "google":
		return false
	case "":
		// RFC 7591 has no word for everything, and refresh tokens are often
		// given without one.
		return g != oauth.GrantRefreshToken
	}
	return true
}

var grantImplicit = &check.Check{
	ID: "grant-implicit", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The implicit grant is off",
	Judged: "Whether the registration allows access tokens from the authorization endpoint, a request asks for one, or, where neither was given, the provider offers it.",
	Step:   usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Use response_type=code with PKCE, and switch the implicit grant off."),
	},
	References: []string{"RFC 9700 section 2.1.2", "OAuth 2.1 draft section 10.1"},
	Judge:      judgeImplicit,
}

func judgeImplicit(t *check.Target) []check.Verdict {
	var b book
	for c := range requests(t) {
		r := c.Request
		if pushed(r) && r.ResponseType == "" {
			continue
		}
		if asksFor(r.ResponseType, "token") {
			b.add(r.ClientID, check.Wrong(theClient(r.ClientID)+" asks for an access token in the address of the browser", "It ends up in history, logs and Referer headers, and nothing binds it to the app.",
				proof(c.Place, "response_type="+r.ResponseType, "code", r.ResponseType)))
		} else if reg := registration(t, r.ClientID); reg == nil {
			b.add(r.ClientID, check.OK("its requests ask for none", proof(c.Place, "response_type="+r.ResponseType, "", "")))
		}
	}
	for _, r := range t.Registrations {
		if r == nil || r.ClientID == "" {
			continue
		}
		b.add(r.ClientID, implicitOf(r))
	}
	if len(b.list) > 0 && !onlyUnknown(b.list) {
		return b.list
	}
	for _, m := range t.Metadata {
		if m == nil || m.Metadata == nil {
			continue
		}
		if len(b.list) > 0 {
			break // of a client that was given the provider's list says nothing
		}
		switch {
		case hasGrant(m.GrantTypes, "implicit"):
			return offered("The provider offers the implicit grant", "grant_types_supported", "implicit", m)
		case anyAsks(m.ResponseTypes, "token"):
			return offered("The provider gives access tokens from the authorization endpoint", "response_types_supported", strings.Join(m.ResponseTypes, ", "), m)
		case len(m.ResponseTypes) > 0:
			return []check.Verdict{check.OK("the provider does not offer it", proof(m.Place, "response_types_supported", "", strings.Join(m.ResponseTypes, ", ")))}
		}
	}
	return b.or(check.Unknown(check.NeedRegistration, ""))
}

func onlyUnknown(list []check.Verdict) bool {
	for i := range list {
		if list[i].Outcome != usher.OutcomeUnknown {
			return false
		}
	}
	return true
}

func anyAsks(types []string, word string) bool {
	for _, rt := range types {
		if asksFor(rt, word) {
			return true
		}
	}
	return false
}

// offered is the verdict for a provider that offers what no client should use.
func offered(title, member, got string, m *check.Metadata) []check.Verdict {
	return []check.Verdict{check.Wrong(title, "Which clients may use it stands in their registrations; a provider that serves none of them can switch it off.", proof(m.Place, member, "without it", got)).
		As(usher.SeverityMedium).Do("See that no client needs it, and switch it off at the provider; until then leave it off for each client.")}
}

// implicitOf judges the switches of a registration.
func implicitOf(r *evidence.Registration) check.Verdict {
	types := strings.Join(r.ResponseTypes, ", ")
	service := kindOf(r) == kindService
	switch {
	case anyAsks(r.ResponseTypes, "token") && !service:
		return check.Wrong(theClient(nameOf(r))+" may get access tokens from the authorization endpoint", "They travel in the address of the browser, where history, logs and other pages see them.",
			proof(r.Place, "response_types: "+types, "code", types))
	case hasGrant(r.GrantTypes, "implicit"):
		v := check.Wrong("The implicit grant is on for "+nameOf(r), "Tokens travel in the address of the browser, where history, logs and other pages see them.",
			proof(r.Place, "grant_types: "+strings.Join(r.GrantTypes, ", "), "authorization_code", "implicit"))
		if len(r.ResponseTypes) > 0 {
			return v.As(usher.SeverityMedium) // for ID tokens alone
		}
		return v
	case listsGrants(r):
		return check.OK("it is not among the grants", proof(r.Place, "grant_types: "+strings.Join(r.GrantTypes, ", "), "", ""))
	case r.Provider == "entra" && (known(r, "ResponseTypes") || len(r.ResponseTypes) > 0 || r.Shape == "entra-manifest"):
		return check.OK("the switch for access tokens is off", proof(r.Place, "response types: "+cmp.Or(types, "none"), "", ""))
	case len(r.ResponseTypes) > 0:
		return check.OK("its response types hold no access token", proof(r.Place, "response_types: "+types, "", ""))
	}
	return check.Unknown(check.NeedAuthRequest, "the registration does not say; an authorization request shows what the client asks for")
}

var grantPassword = &check.Check{
	ID: "grant-password", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The password grant is off",
	Judged: "Whether the registration allows the password grant, a request or a log shows it, or, where none was given, the provider offers it.",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Send people to the provider with the code flow and PKCE: passwords in the app break under a second factor and under policies, and the app sees them."),
		check.Tightening("Switch the grant off (Keycloak: Direct access grants; Entra: Allow public client flows)."),
	},
	References: []string{"RFC 9700 section 2.4", "OAuth 2.1 draft section 10"},
	Judge:      judgePassword,
}

func judgePassword(t *check.Target) []check.Verdict {
	var b book
	for c := range tokenCalls(t) {
		if grant(c.Request.GrantType) == oauth.GrantPassword {
			b.add(c.Request.ClientID, check.Wrong(theClient(c.Request.ClientID)+" sends people's passwords", "It sees every password, and a second factor or a policy stops it.", proof(c.Place, "grant_type="+c.Request.GrantType, "authorization_code", short(grant(c.Request.GrantType)))))
		} else if registration(t, c.Request.ClientID) == nil {
			b.add(c.Request.ClientID, check.OK("its requests use other grants", proof(c.Place, "grant_type="+c.Request.GrantType, "", "")))
		}
	}
	for _, e := range t.Events {
		if e != nil && (grant(e.OAuth.GrantType) == oauth.GrantPassword || strings.EqualFold(e.Protocol, "ropc") || strings.EqualFold(e.Unmapped["authenticationProtocol"], "ropc")) {
			b.add(e.Client.UID, check.Wrong(theClient(e.Client.String())+" signs people in with their passwords", "It sees every password, and a second factor or a policy stops it.", proof(check.RecordPlace(e), "grant password", "authorization_code", "password")))
		}
	}
	for _, r := range t.Registrations {
		if r == nil || r.ClientID == "" {
			continue
		}
		switch {
		case hasGrant(r.GrantTypes, oauth.GrantPassword):
			b.add(r.ClientID, check.Wrong("The password grant is on for "+nameOf(r), "Whoever knows a password needs no second factor, and the app sees it.", proof(r.Place, "grant_types: "+strings.Join(r.GrantTypes, ", "), "without password", "password")))
		case listsGrants(r):
			b.add(r.ClientID, check.OK("it is not among the grants", proof(r.Place, "grant_types: "+strings.Join(r.GrantTypes, ", "), "", "")))
		case r.Provider == "google":
			b.add(r.ClientID, check.NotApplicable("Google has no password grant"))
		default:
			b.add(r.ClientID, check.Unknown(check.NeedLogs, "the registration does not say; the sign-in log shows its use"))
		}
	}
	if len(b.list) > 0 {
		return b.list
	}
	for _, m := range t.Metadata {
		if m == nil || m.Metadata == nil {
			continue
		}
		if contains(m.ResponseTypes, oauth.GrantPassword) { // as glewlwyd lists it
			return offered("The provider offers the password grant", "response_types_supported", "password", m)
		}
		if hasGrant(m.GrantTypes, oauth.GrantPassword) {
			return offered("The provider offers the password grant", "grant_types_supported", "password", m)
		}
		if len(m.GrantTypes) > 0 {
			return []check.Verdict{check.OK("the provider does not offer it", proof(m.Place, "grant_types_supported", "", strings.Join(m.GrantTypes, ", ")))}
		}
	}
	return []check.Verdict{check.Unknown(check.NeedRegistration, "")}
}

var responseGrantConsistent = &check.Check{
	ID: "response-grant-consistent", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "What the client may ask for goes with its grants",
	Judged: "code goes with authorization_code, token and id_token go with implicit.",
	Needs:  []check.Need{check.NeedRegistration},
	Cause:  "response-type-not-allowed", Step: usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Register response_types [\"code\"] with grant_types [\"authorization_code\"] (and refresh_token), unless the client needs more."),
	},
	References: []string{"RFC 7591 section 2.1"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, judgeConsistent)
	},
}

func judgeConsistent(r *evidence.Registration) check.Verdict {
	switch r.Provider {
	case "keycloak", "entra", "google", "auth0":
		return check.NotApplicable("the provider keeps no two lists")
	}
	if kindOf(r) == kindService {
		return check.NotApplicable("a service uses no authorization endpoint")
	}
	types, grants := r.ResponseTypes, r.GrantTypes
	if len(types) == 0 && len(grants) == 0 {
		return check.OK("both are left out, which means code and authorization_code", proof(r.Place, "", "", ""))
	}
	said := "response_types: " + strings.Join(types, ", ") + "; grant_types: " + strings.Join(grants, ", ")
	if len(types) == 0 && !known(r, "ResponseTypes") {
		types = []string{"code"}
	}
	if len(grants) == 0 && !known(r, "GrantTypes") {
		grants = []string{oauth.GrantAuthorizationCode}
	}
	code, front := false, false
	for _, rt := range types {
		code = code || rt != "" && asksFor(rt, "code")
		front = front || asksFor(rt, "token") || asksFor(rt, "id_token")
	}
	auth, implicit := hasGrant(grants, oauth.GrantAuthorizationCode), hasGrant(grants, "implicit")
	wrong := func(title, want string) check.Verdict {
		return check.Wrong(nameOf(r)+" "+title, "Providers refuse such a registration, or quietly change it.", proof(r.Place, said, want, said))
	}
	switch {
	case code && !auth && len(r.ResponseTypes) > 0:
		return wrong("has the response type code without the grant authorization_code", "grant_types with authorization_code")
	case front && !implicit:
		return wrong("has response types with tokens without the grant implicit", "response_types: code")
	case auth && !code && len(r.GrantTypes) > 0:
		return wrong("has the grant authorization_code without the response type code", "response_types with code")
	case implicit && !front:
		return wrong("has the grant implicit without a response type for it", "grant_types without implicit")
	}
	return check.OK("they agree", proof(r.Place, said, "", ""))
}
