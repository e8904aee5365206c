package evidence

import (
	"cmp"
	"strings"

	"usher"
)

// FromEvent makes evidence of an event, so that it can be explained like a
// record that a person gave. The event's strings are masked already, so the
// item holds no secrets.
func FromEvent(ev *usher.Event) Item {
	it := Item{Event: ev}
	it.Kind, it.Provider, it.Place = usher.KindLogRecord, ev.Provider, "event "+ev.UID
	it.eventFacts(func(string) string { return it.Place })
	it.Text = eventText(ev)
	it.Summary = summary(eventSummary(ev))
	it.derive()
	return it
}

// eventText is what message signatures are matched against.
func eventText(ev *usher.Event) string {
	words := []string{ev.Message}
	if ev.Message == "" {
		words = []string{ev.StatusCode, ev.StatusDetail, ev.OAuth.Error, ev.OAuth.Description, ev.Unmapped["additionalDetails"], ev.Unmapped["logonError"], ev.Unmapped["reason"], ev.Client.Name, ev.OAuth.ClientApp}
	}
	text := ""
	for _, w := range words {
		if w != "" {
			text += w + "\n"
		}
	}
	return strings.TrimSuffix(text, "\n")
}

// eventSummary is one line for a person.
func eventSummary(ev *usher.Event) string {
	if c := ev.Change; c != nil && ev.Kind == usher.EventAdmin {
		return strings.TrimSpace(c.Operation + " of " + c.Type + " " + c.Target.String() + by(ev.Actor))
	}
	s := cmp.Or(ev.Code, string(ev.Kind))
	if ev.Provider == "entra" {
		s = "sign-in"
	}
	if who := ev.User.String(); who != "" {
		s += " of " + who
	}
	if app := ev.Client.String(); app != "" {
		s += " to " + app
	}
	if ev.Status == usher.StatusFailure {
		s += ": " + ev.StatusCode
		if ev.StatusDetail != "" {
			s += " " + ev.StatusDetail
		}
	}
	return s
}

func by(p usher.Party) string {
	if !p.Known() {
		return ""
	}
	return " by " + p.String()
}

// eventFacts draws the facts out of the item's event. at gives the place of a
// field's value.
func (it *Item) eventFacts(at func(field string) string) {
	ev := it.Event
	it.Time = ev.Time
	it.eventResult(at)
	add := func(key, val, field string) {
		if val != "" {
			it.fact(key, val, at(field), val)
		}
	}
	for _, f := range [...][3]string{
		{"client-id", ev.Client.UID, "client.uid"},
		{"client-name", ev.Client.Name, "client.name"},
		{"resource", ev.Resource.UID, "resource.uid"},
		{"resource-name", ev.Resource.Name, "resource.name"},
		{"tenant-id", ev.Tenant, "tenant_uid"},
		{"correlation", ev.Correlation, "correlation_uid"},
		{"client-app", ev.OAuth.ClientApp, "oauth.client_app"},
		{"auth-requirement", ev.OAuth.AuthRequired, "oauth.auth_requirement"},
		{"transfer-method", ev.OAuth.OriginFlow, "oauth.origin_flow"},
		{"incoming-token", ev.OAuth.TokenIn, "oauth.token_in"},
		{"response-type", ev.OAuth.ResponseType, "oauth.response_type"},
		{"risk", ev.Risk, "risk"},
		{"user-risk", ev.UserRisk, "user_risk"},
	} {
		add(f[0], f[1], f[2])
	}
	for _, r := range ev.Risks {
		add("risk-event", r, "risk_details")
	}
	it.eventPlace(at)
	it.eventDevice(at)
	it.eventPolicies(at)
	if uri := ev.OAuth.RedirectURI; uri != "" {
		redirectFacts(it, uri, at("oauth.redirect_uri"))
	}
	scopeFacts(it, strings.Join(ev.OAuth.Requested, " "), at("oauth.scopes"))
	scopeFacts(it, strings.Join(ev.OAuth.Granted, " "), at("oauth.scopes"))
	switch ev.Provider {
	case "entra":
		it.entraFacts(at)
	case "keycloak":
		it.keycloakFacts(at)
	default:
		it.ownFacts(at)
	}
	if e := it.Error; e != nil {
		e.Correlation, e.TraceID, e.Timestamp = ev.Correlation, ev.Original, ev.Time
	}
}

// eventResult tells how it ended: the code in the form of the catalog.
func (it *Item) eventResult(at func(string) string) {
	ev := it.Event
	place := at("status_code")
	switch {
	case ev.Status == usher.StatusSuccess && ev.Provider != "keycloak":
		it.fact("event-result", "success", place, "0")
	case ev.Status == usher.StatusFailure:
		e := it.body()
		e.Description = ev.StatusDetail
		switch {
		case ev.StatusCode == "":
		case ev.Provider == "entra":
			it.code("entra", ev.StatusCode, place, ev.StatusCode)
		default:
			e.Code = ev.StatusCode
			it.fact("event-error", ev.StatusCode, place, ev.StatusCode)
			it.fact("error", ev.StatusCode, place, ev.StatusCode)
			it.fact("code", cmp.Or(ev.Provider, "rfc")+"/"+ev.StatusCode, place, ev.StatusCode)
		}
		if ev.OAuth.Error != "" && e.Code != ev.OAuth.Error {
			if e.Code == "" {
				e.Code = ev.OAuth.Error
			}
			it.fact("error", ev.OAuth.Error, at("oauth.error"), ev.OAuth.Error)
		}
		if e.Description == "" {
			e.Description = ev.OAuth.Description
		}
		if ev.Request.Status >= 400 && ev.Request.Status < 600 {
			e.Status = ev.Request.Status
			it.fact("status", itoa(ev.Request.Status), at("http_request.code"), itoa(ev.Request.Status))
		}
		if ev.Provider == "entra" {
			it.fact("event-result", "failure", place, ev.StatusCode)
		}
	case ev.StatusCode != "":
		it.fact("event-error", ev.StatusCode, place, ev.StatusCode)
	}
}

// eventPlace tells where the request came from.
func (it *Item) eventPlace(at func(string) string) {
	ev := it.Event
	if ev.Source.IP != "" {
		ipFacts(it, ev.Source.IP, at("src_endpoint.ip"))
	}
	if ev.SeenIP != "" {
		place := at("resource_seen_ip")
		it.fact("resource-ip", ev.SeenIP, place, ev.SeenIP)
		if ev.SeenIP != ev.Source.IP {
			it.fact("ip-difference", "resource", place, ev.Source.IP+" and "+ev.SeenIP)
		}
	}
	switch {
	case ev.Source.Country != "":
		it.fact("country", ev.Source.Country, at("src_endpoint.country"), ev.Source.Country)
	case ev.Unmapped["location"] == "unknown":
		it.fact("country", "", at("src_endpoint.country"), "")
	}
	for _, kind := range listed(ev, "networkTypes") {
		it.fact("network-location", kind, it.Place, kind)
	}
	for _, name := range listed(ev, "networkNames") {
		it.fact("named-location", name, it.Place, name)
	}
}

// listed gives the entries of a list that an event keeps as one text.
func listed(ev *usher.Event, name string) []string {
	s := ev.Unmapped[name]
	if s == "" {
		return nil
	}
	return strings.Split(s, "; ")
}

// eventDevice tells what is known of the device.
func (it *Item) eventDevice(at func(string) string) {
	ev, dev := it.Event, &it.Event.Device
	place := at("device")
	it.factIf("device-platform", dev.OS, place, dev.OS)
	switch {
	case dev.UID != "" || dev.TrustType != "":
		it.factIf("device-state", dev.TrustType, place, dev.TrustType)
		it.fact("device-id", "present", place, dev.UID)
	case ev.Unmapped["device"] == "unregistered":
		it.fact("device-state", "unregistered", place, "no deviceId")
		it.fact("device-id", "absent", place, "")
	}
	for _, f := range [...]struct {
		known           *bool
		yes, no, member string
	}{{dev.Compliant, "compliant", "non-compliant", "isCompliant"}, {dev.Managed, "managed", "unmanaged", "isManaged"}} {
		if f.known == nil {
			continue
		}
		word := f.no
		if *f.known {
			word = f.yes
		}
		it.fact("device-state", word, place, f.member)
	}
	it.factIf("browser-name", dev.Browser, place, dev.Browser)
}

// eventPolicies names the policies that refused. A policy in report-only mode
// never refuses, whatever its result.
func (it *Item) eventPolicies(at func(string) string) {
	for i := range it.Event.Policies {
		d := &it.Event.Policies[i]
		name := d.Policy.Name
		refused := strings.EqualFold(d.Result, "failure")
		if !d.ReportOnly && !refused {
			continue
		}
		place := at("policies/" + itoa(i))
		if d.ReportOnly {
			it.fact("ca-report-only", name+" ("+d.Result+")", place, name)
			continue
		}
		it.factIf("ca-policy-failed", name, place, name)
		it.factIf("ca-policy-id", d.Policy.UID, place, d.Policy.UID)
		for _, f := range [...]struct {
			key  string
			list []string
		}{{"ca-condition", d.Met}, {"ca-unmet", d.Unmet}, {"ca-grant", d.Grant}, {"ca-session", d.Session}} {
			for _, word := range f.list {
				it.fact(f.key, word, place, name+": "+word)
			}
		}
		if e := it.Error; e != nil && d.Policy.UID != "" {
			e.PolicyIDs = appendNew(e.PolicyIDs, d.Policy.UID)
		}
	}
}

// entraFacts are the facts in Entra's own words.
func (it *Item) entraFacts(at func(string) string) {
	ev, place := it.Event, it.Place
	kept := func(key, name string) {
		if s := ev.Unmapped[name]; s != "" {
			it.fact(key, s, at("unmapped."+name), s)
		}
	}
	it.factIf("signin-category", ev.Code, at("event_code"), ev.Code)
	switch who := ev.User; {
	case ev.Kind == usher.EventAppSignIn:
		it.factIf("service-principal", who.Name, at("user.name"), who.Name)
		it.fact("signin-event", "serviceprincipal", at("user.uid"), who.UID)
	case who.Name != "":
		it.fact("user", who.Name, at("user.name"), who.Name)
	}
	if ev.LogName != "m365-audit" {
		switch ev.Kind {
		case usher.EventSignIn:
			it.fact("signin-event", "interactiveuser", place, "isInteractive")
		case usher.EventSilentSignIn:
			it.fact("signin-event", "noninteractiveuser", place, "isInteractive")
		}
	}
	it.factIf("request-id", ev.Original, at("original_event_uid"), ev.Original)
	it.factIf("client-credential-type", ev.OAuth.ClientAuth, at("oauth.client_auth"), ev.OAuth.ClientAuth)
	switch ev.UserType {
	case "user":
		it.fact("user-type", "member", at("user_type"), "member")
	case "guest":
		it.fact("user-type", "guest", at("user_type"), "guest")
	}
	for _, f := range [...][2]string{
		{"event-reason", "additionalDetails"},
		{"cross-tenant", "crossTenantAccessType"},
		{"issuer-type", "tokenIssuerType"},
		{"ca-status", "conditionalAccessStatus"},
		{"auth-protocol", "authenticationProtocol"},
		{"risk-detail", "riskDetail"},
		{"event-type", "operation"},
		{"event-error", "logonError"},
		{"request-type", "requestType"},
		{"device-platform", "OS"},
	} {
		kept(f[0], f[1])
	}
	for _, step := range listed(ev, "authenticationSteps") {
		it.fact("auth-step", step, place, step)
	}
	for _, p := range listed(ev, "authenticationRequirementPolicies") {
		it.fact("auth-requirement-policy", p, place, p)
	}
}

// keycloakFacts are the facts in Keycloak's own words.
func (it *Item) keycloakFacts(at func(string) string) {
	ev := it.Event
	for _, f := range [...][3]string{
		{"event-type", ev.Code, "event_code"},
		{"event-reason", cmp.Or(ev.StatusDetail, ev.Unmapped["reason"]), "status_detail"},
		{"user", ev.User.Name, "user.name"},
		{"response-mode", ev.Unmapped["response_mode"], "unmapped.response_mode"},
		{"client-auth", ev.Unmapped["client_auth_method"], "oauth.client_auth"},
		{"refresh-token-type", ev.Unmapped["refresh_token_type"], "unmapped.refresh_token_type"},
		{"auth-protocol", ev.Unmapped["auth_method"], "auth_protocol"},
		{"grant", ev.OAuth.GrantType, "oauth.grant_type"},
		{"endpoint", ev.OAuth.Endpoint, "oauth.endpoint"},
	} {
		it.factIf(f[0], f[1], at(f[2]), f[1])
	}
}

// ownFacts are the facts of an event that one of usher's own doors wrote.
func (it *Item) ownFacts(at func(string) string) {
	ev := it.Event
	for _, f := range [...][3]string{
		{"event-type", ev.Code, "event_code"},
		{"event-reason", ev.StatusDetail, "status_detail"},
		{"user", cmp.Or(ev.User.Name, ev.User.UID), "user.name"},
		{"client-auth", ev.OAuth.ClientAuth, "oauth.client_auth"},
		{"grant", grantName(ev.OAuth.GrantType), "oauth.grant_type"},
		{"endpoint", ev.OAuth.Endpoint, "oauth.endpoint"},
		{"method", ev.Request.Method, "http_request.http_method"},
		{"host", ev.Request.Host, "http_request.hostname"},
	} {
		it.factIf(f[0], f[1], at(f[2]), f[1])
	}
	switch m := ev.OAuth.ClientAuth; m {
	case "client_secret_basic":
		it.fact("auth-method", "basic", at("oauth.client_auth"), m)
	case "client_secret_post":
		it.fact("auth-method", "post", at("oauth.client_auth"), m)
	case "private_key_jwt", "none":
		it.fact("auth-method", m, at("oauth.client_auth"), m)
	}
}
