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

var clientIDKnown = &check.Check{
	ID: "client-id-known", Group: check.GroupClient, Mode: check.Active, Severity: usher.SeverityCritical,
	Title:  "The provider knows the client id",
	Judged: "The provider's answer to a request with this client id, and the id compared with the registration that was given.",
	Cause:  causeUnknown, Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Copy the client id from the registration of the right app, in the tenant and environment that the request goes to."),
	},
	References: []string{"RFC 6749 section 4.1.2.1", "RFC 6749 section 5.2"},
	Probe:      &check.Probe{What: "an authorization request with prompt=none", Safety: check.S0},
	Judge:      judgeClientIDKnown,
}

func judgeClientIDKnown(t *check.Target) []check.Verdict {
	var b book
	strayID(t, &b)
	for _, c := range t.AuthCalls {
		if c == nil || c.Response == nil {
			continue
		}
		client, place := clientOf(t, c), backAt(c)
		e := &evidence.ErrorBody{Code: c.Response.Error, Description: c.Response.ErrorDescription, Codes: aadsts(c.Response.ErrorDescription)}
		if c.Response.Error == "" {
			e = nil
		}
		if v := knownBy(t, e, place, client); v.Outcome != usher.OutcomeUnknown {
			b.add(client, v)
		}
	}
	for _, c := range t.TokenCalls {
		if c == nil || c.Response == nil || c.Response.Error == nil && !granted(c) {
			continue
		}
		client := t.SoleClient()
		if c.Request != nil {
			client = c.Request.ClientID
		}
		if v := knownBy(t, c.Response.Error, placeOf(c), client); v.Outcome != usher.OutcomeUnknown {
			b.add(client, v)
		}
	}
	client := askedClient(t)
	if v, told := unknownAtToken(t, client); told {
		b.add(client, v)
	}
	if len(b.list) > 0 && t.Probed["client-id-known"] == nil {
		return b.list
	}
	for _, v := range probed(t, "client-id-known", check.NeedProbe, func(a *check.ProbeAnswer) check.Verdict {
		v := knownBy(t, a.Error, a.Place, client)
		if a.Error == nil && a.Status >= 400 {
			return check.Unknown(check.NeedNothing, fmt.Sprintf("the provider answered with a page of status %d, which may be about the client id or the redirect URI", a.Status), proof(a.Place, a.Note, "", ""))
		}
		return v
	}) {
		b.add(client, v)
	}
	return b.list
}

// unknownAtToken reads the probe of the secret: the token endpoint may say that
// there is no such client where the authorization endpoint shows a page.
func unknownAtToken(t *check.Target, client string) (check.Verdict, bool) {
	a := t.Probed["secret-valid"]
	switch o := idProbed(t); {
	case a == nil || o == usher.OutcomeWrong || o == usher.OutcomeOK:
		return check.Verdict{}, false
	case a.Verdict != nil:
		return *a.Verdict, a.Verdict.Outcome == usher.OutcomeWrong && a.Verdict.Cause == causeUnknown
	case causeOf(t, a.Error) == causeUnknown:
		return knownBy(t, a.Error, a.Place, client), true
	}
	return check.Verdict{}, false
}

// strayID finds an id that none of the registrations has, although all that
// was given speaks of one client.
func strayID(t *check.Target, b *book) {
	sent, place, several := "", "", false
	note := func(id, at string) {
		switch {
		case id == "" || strings.HasPrefix(id, "https://"):
		case sent == "":
			sent, place = id, at
		case !sameClient(sent, id):
			several = true
		}
	}
	if t.Request != nil {
		note(t.Request.ClientID, "what was asked for")
	}
	if sent == "" {
		for _, c := range t.AuthCalls {
			if c != nil && c.Request != nil {
				note(c.Request.ClientID, c.Place)
			}
		}
		for c := range tokenCalls(t) {
			note(c.Request.ClientID, c.Place)
		}
	}
	if sent == "" || several {
		return
	}
	var only *evidence.Registration
	for _, r := range t.Registrations {
		if r == nil || r.ClientID == "" {
			continue
		}
		if sameClient(r.ClientID, sent) {
			return
		}
		if only != nil {
			return // of many registrations, one may be missing
		}
		only = r
	}
	if only == nil {
		return
	}
	detail := "The registration that was given belongs to another client id than the request. One of them is of another app, tenant or environment."
	switch got := strings.TrimSpace(sent); {
	case got != sent && sameClient(got, only.ClientID):
		detail = "The id that is sent has blanks around it."
	case strings.EqualFold(got, only.ClientID):
		detail = "The two differ only in upper and lower case, which counts."
	case got == only.Name:
		detail = "The app sends its name; the provider wants the id."
	}
	b.add(sent, check.Wrong(fmt.Sprintf("The app sends the client id %s, the registration has the client id %s", sent, only.ClientID), detail,
		proof(place, "client_id="+sent, "client_id="+only.ClientID, "client_id="+sent), proof(only.Place, "client_id="+only.ClientID, "", "")).
		Do("Send the client id "+only.ClientID+", or look at the registration of client id "+sent+"."))
}

// knownBy says of an answer whether the provider knew the client. e is nil when
// it refused nothing.
func knownBy(t *check.Target, e *evidence.ErrorBody, place, client string) check.Verdict {
	if e == nil {
		return check.OK("the provider went on with this client id", proof(place, "no error", "", ""))
	}
	switch causeOf(t, e) {
	case causeUnknown:
		return check.Wrong("The provider knows no client "+cmp.Or(client, "of this id"),
			"It refused the client id itself: the id has a typing error, or is of another app, tenant, realm or environment.",
			proof(place, quoteOf(e), "an id that the provider knows", client))
	case "", "tenant-unknown", "wrong-cloud", "throttled", "provider-outage", "request-malformed", "resource-unknown":
		// looked at before the client, or of no client
	case causeSecretWrong:
		if either(e) {
			break
		}
		return check.OK("the provider refused the secret of this client, so it knew the client", proof(place, quoteOf(e), "", ""))
	default:
		return check.OK("the provider refused something else, so it knew the client", proof(place, quoteOf(e), "", ""))
	}
	switch e.Code {
	case oauth.ErrLoginRequired, oauth.ErrInteractionRequired, oauth.ErrConsentRequired, oauth.ErrAccountSelection,
		oauth.ErrInvalidScope, oauth.ErrAccessDenied, oauth.ErrInvalidGrant, oauth.ErrUnsupportedResponseType, oauth.ErrUnauthorizedClient:
		return check.OK("the provider answered "+e.Code+", which it does only for a client that it knows", proof(place, quoteOf(e), "", ""))
	}
	return check.Unknown(check.NeedProbe, "the answer does not tell whether the client id or something else was refused", proof(place, quoteOf(e), "", ""))
}

// either tells whether a refusal leaves open whether it is of the client or of
// its credential, as Keycloak's "Invalid client or Invalid client credentials".
func either(e *evidence.ErrorBody) bool {
	return strings.Contains(strings.ToLower(e.Description), "invalid client or invalid client credentials")
}

// askedClient gives the client that the operator asks for.
func askedClient(t *check.Target) string {
	if t.Request != nil {
		return t.Request.ClientID
	}
	return ""
}

// placeOf gives the place of the answer to a token request.
func placeOf(c *check.TokenCall) string {
	if c.Response != nil && c.Response.Place != "" {
		return c.Response.Place
	}
	return c.Place
}

// aadsts finds the code that an error description of Entra begins with.
func aadsts(text string) []string {
	i := strings.Index(text, "AADSTS")
	if i < 0 {
		return nil
	}
	end := i + len("AADSTS")
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	return []string{text[i:end]}
}

var clientDisabled = &check.Check{
	ID: "client-disabled", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The application is switched on, and its users may use it",
	Judged: "The switch and the demand for an assignment in the registration, and what answers of the provider say of them.",
	Cause:  causeDisabled, Step: usher.StepRegistration, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Neutral("Switch the application on (Entra: Enterprise applications > app > Properties > Enabled for users to sign in; Okta: Activate; Keycloak: Clients > client > Enabled)."),
		check.Neutral("Where an assignment is needed, assign the user or a group directly."),
	},
	References: []string{"RFC 6749 section 4.1.2.1"},
	Judge:      judgeClientDisabled,
}

func judgeClientDisabled(t *check.Target) []check.Verdict {
	var b book
	for _, r := range t.Registrations {
		switch {
		case r == nil:
		case r.ClientID == "" && r.Shape == "keycloak-realm" && r.Enabled != nil && !*r.Enabled:
			v := check.Wrong("The realm "+r.Name+" is switched off", "No client of it gets a token while it is.", proof(r.Place, "enabled: false", "true", "false")).
				Do("Switch the realm on: Realm settings > General > Enabled.").Because("tenant-unknown")
			v.Subject.Tenant = r.Name
			b.add("", v)
		case r.ClientID == "":
		case r.Enabled != nil && !*r.Enabled:
			b.add(r.ClientID, check.Wrong("The application "+nameOf(r)+" is switched off", "Every request with its client id is refused until it is switched on.", proof(r.Place, "enabled", "true", "false")))
		case r.AssignmentRequired != nil && *r.AssignmentRequired:
			b.add(r.ClientID, check.Unknown(check.NeedLogs, "the application is for assigned users only; whether the user is assigned shows in the sign-in log", proof(r.Place, "appRoleAssignmentRequired: true", "", "")))
		case r.Enabled != nil:
			b.add(r.ClientID, check.OK("the registration is switched on", proof(r.Place, "enabled", "", "true")))
		case r.AssignmentRequired == nil:
			b.add(r.ClientID, check.Unknown(check.NeedRegistration, "this export does not say whether the application is switched on (Entra keeps that at the enterprise application, accountEnabled)"))
		}
	}
	for _, c := range t.AuthCalls {
		if c == nil || c.Response == nil || c.Response.Error == "" {
			continue
		}
		client, place := clientOf(t, c), backAt(c)
		refusedClient(t, &b, client, place, &evidence.ErrorBody{Code: c.Response.Error, Description: c.Response.ErrorDescription, Codes: aadsts(c.Response.ErrorDescription)})
	}
	for c := range tokenCalls(t) {
		if c.Response != nil {
			refusedClient(t, &b, c.Request.ClientID, placeOf(c), c.Response.Error)
		}
	}
	return b.or(check.Unknown(check.NeedRegistration, ""))
}

// refusedClient notes a refusal because of the application's switch or of a
// missing assignment.
func refusedClient(t *check.Target, b *book, client, place string, e *evidence.ErrorBody) {
	switch causeOf(t, e) {
	case causeDisabled:
		b.add(client, check.Wrong("The provider says that the application "+client+" is switched off", "Every request with its client id is refused until it is switched on.", proof(place, quoteOf(e), "", "")))
	case causeNotAssigned:
		b.add(client, check.Wrong("A user of "+whom(client)+" is not assigned to it", "The application is for assigned users only, and membership in a nested group does not count.", proof(place, quoteOf(e), "", "")).
			Because(causeNotAssigned).Do("Assign the user, or a group that the user is a direct member of, to the application."))
	}
}

// nameOf names a client for a person, by its name where it has one.
func nameOf(r *evidence.Registration) string { return whom(cmp.Or(r.Name, r.ClientID)) }
