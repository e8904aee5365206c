package ingest

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"usher"
)

// entraRow is a record of Entra on its way into an event. The four shapes of a
// sign-in name most fields alike, so all are read in one pass, and what the
// record is shows at its end.
type entraRow struct {
	d     *Decoder
	ev    usher.Event
	inner bool // within "properties": what stands there counts more than its wrapping

	properties, signIn, policies, hinted, audit   bool
	table                                         string // Log Analytics: Type
	category                                      string
	created, logged, wrapped                      time.Time
	code                                          string // of the result
	coded                                         bool
	reason, description                           string
	display                                       string
	country                                       string
	resourceTenant, homeTenant, aadTenant, tenant string
	interactive                                   *bool
	eventType                                     string // Graph beta: signInEventTypes
	servicePrincipal                              usher.Party
	requestID                                     string // originalRequestId
	m365                                          m365Row
	change                                        auditRow
}

// entra reads the record of Entra that b begins with, and gives its length.
func (d *Decoder) entra(b []byte) int {
	e := entraRow{d: d}
	r := &reader{b: b}
	for name, v := range r.members {
		e.member(name, v)
	}
	if r.bad != 0 {
		d.problem("the JSON is broken at byte %d", r.bad)
		return len(b)
	}
	e.ev.Provider = KindEntra
	switch e.shape() {
	case "":
		return r.i
	case "m365-audit":
		e.finishM365()
	case "audit":
		e.finishAudit()
	default:
		e.finishSignIn()
	}
	if e.ev.Original != "" {
		e.ev.UID = hash(KindEntra, []byte(e.ev.Original))
	} else {
		d.buf = compact(d.buf[:0], b[:r.i])
		e.ev.UID = hash(KindEntra, d.buf)
	}
	d.emit(&e.ev)
	return r.i
}

// shape tells what the record is, and sets LogName.
func (e *entraRow) shape() string {
	signInCategory := hasFoldSuffix(e.category, "signinlogs")
	switch {
	case strings.HasPrefix(e.m365.operation, "UserLog"), e.m365.recordType == 15 && e.m365.workload != "":
		e.ev.LogName = "m365-audit"
		return "m365-audit"
	case e.audit && !signInCategory && !e.coded:
		e.ev.LogName = "graph-audit"
		if e.properties {
			e.ev.LogName = "azure-monitor-audit"
		} else if e.table != "" {
			e.ev.LogName = "log-analytics-audit"
		}
		return "audit"
	case e.properties && (signInCategory || e.coded || e.policies):
		e.ev.LogName = "azure-monitor"
	case !e.properties && (signInCategory || hasFoldSuffix(e.table, "signinlogs")):
		e.ev.LogName = "log-analytics"
	case !e.properties && e.description+e.code != "" && e.signIn && e.table+e.aadTenant != "":
		e.ev.LogName = "log-analytics"
	case !e.properties && e.coded && e.hinted, !e.properties && e.code != "" && e.signIn:
		e.ev.LogName = "graph"
	default:
		return ""
	}
	return "signin"
}

func hasFoldSuffix(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

// put takes a text. A value within "properties" replaces that of its wrapping.
func (e *entraRow) put(to *string, field string, v *reader, id bool) {
	key := v.key
	b := v.str()
	if len(b) == 0 || *to != "" && !e.inner {
		return
	}
	if s := e.d.clean(field, b, id); s != "" {
		*to = s
		e.at(field, key)
	}
}

// at notes the place of a member.
func (e *entraRow) at(field string, key []byte) {
	if !e.d.opt.Places {
		return
	}
	place := "/" + string(key)
	if e.inner {
		place = "/properties" + place
	}
	e.d.at(field, place)
}

// when reads a time. Times of Entra without a zone are UTC, wherever the server
// that reads them stands.
func (e *entraRow) when(to *time.Time, v *reader) {
	key := v.key
	if t, _, ok := parseTime(string(v.str()), time.UTC); ok && (to.IsZero() || e.inner) {
		*to = t
		e.at("time", key)
	}
}

// keep puts a member without a field into Unmapped, unless it says nothing.
func (e *entraRow) keep(v *reader) {
	key := v.key
	if c := v.peek(); c == '{' || c == '[' {
		return
	}
	b := v.str()
	switch string(b) {
	case "", "none", "None", "[]", "{}", "false", "0":
		return
	}
	name := string(key)
	if name[0] >= 'A' && name[0] <= 'Z' {
		name = string(name[0]+'a'-'A') + name[1:]
	}
	e.d.keep(&e.ev, name, b)
}

// member takes one member of the record or of its properties.
func (e *entraRow) member(name []byte, v *reader) {
	ev := &e.ev
	switch string(name) {
	case "properties":
		if !e.inner {
			e.properties, e.inner = true, true
			for name, w := range v.members {
				e.member(name, w)
			}
			e.inner = false
		}
	case "id":
		e.put(&ev.Original, "original_event_uid", v, true)
	case "originalrequestid":
		e.put(&e.requestID, "original_event_uid", v, true)
	case "createddatetime":
		e.hinted = true
		e.when(&e.created, v)
	case "timegenerated":
		e.when(&e.logged, v)
	case "time":
		e.when(&e.wrapped, v)
	case "category":
		e.put(&e.category, "event_code", v, true)
	case "type":
		e.put(&e.table, "event_code", v, true)
	case "resulttype":
		if e.code == "" {
			e.put(&e.code, "status_code", v, true)
		} else {
			v.skip()
		}
	case "resultdescription":
		e.put(&e.description, "status_detail", v, false)
	case "status":
		e.status(v)
	case "userprincipalname":
		e.hinted, e.signIn = true, true
		e.put(&ev.User.Name, "user.name", v, false)
	case "userid":
		e.put(&ev.User.UID, "user.uid", v, true)
	case "userdisplayname", "identity":
		e.put(&e.display, "user.name", v, false)
	case "usertype":
		e.put(&ev.UserType, "user_type", v, true)
	case "appid":
		e.hinted = true
		e.put(&ev.Client.UID, "client.uid", v, true)
	case "appdisplayname":
		e.hinted = true
		e.put(&ev.Client.Name, "client.name", v, false)
	case "resourceid":
		key := v.key
		if b := v.str(); len(b) > 0 && b[0] != '/' && (ev.Resource.UID == "" || e.inner) { // of a wrapping it is the path of the tenant
			ev.Resource.UID = e.d.id("resource.uid", b)
			e.at("resource.uid", key)
		}
	case "resourceidentity":
		e.put(&ev.Resource.UID, "resource.uid", v, true)
	case "resourcedisplayname":
		e.hinted = true
		e.put(&ev.Resource.Name, "resource.name", v, false)
	case "serviceprincipalid":
		e.hinted = true
		e.put(&e.servicePrincipal.UID, "user.uid", v, true)
	case "serviceprincipalname":
		e.put(&e.servicePrincipal.Name, "user.name", v, false)
	case "serviceprincipalcredentialkeyid", "federatedcredentialid":
		e.put(&ev.OAuth.Credential, "oauth.credential_uid", v, true)
	case "clientcredentialtype":
		e.put(&ev.OAuth.ClientAuth, "oauth.client_auth", v, true)
	case "correlationid":
		e.put(&ev.Correlation, "correlation_uid", v, true)
	case "sessionid":
		e.put(&ev.Session, "session_uid", v, true)
	case "uniquetokenidentifier":
		e.put(&ev.OAuth.TokenUID, "oauth.token_uid", v, true)
	case "incomingtokentype":
		e.put(&ev.OAuth.TokenIn, "oauth.token_in", v, true)
	case "originaltransfermethod":
		e.put(&ev.OAuth.OriginFlow, "oauth.origin_flow", v, true)
	case "authenticationprotocol":
		e.protocol(v)
	case "authenticationrequirement":
		e.put(&ev.OAuth.AuthRequired, "oauth.auth_requirement", v, true)
	case "authenticationdetails":
		e.methods(v)
	case "authenticationrequirementpolicies":
		e.requirements(v)
	case "clientappused":
		e.hinted = true
		e.put(&ev.OAuth.ClientApp, "oauth.client_app", v, false)
	case "redirecturl":
		e.put(&ev.OAuth.RedirectURI, "oauth.redirect_uri", v, false)
	case "useragent":
		e.put(&ev.UserAgent, "user_agent", v, false)
	case "ipaddress":
		e.hinted = true
		e.put(&ev.Source.IP, "src_endpoint.ip", v, true)
	case "calleripaddress":
		e.put(&ev.Source.IP, "src_endpoint.ip", v, true)
	case "ipaddressfromresourceprovider":
		e.put(&ev.SeenIP, "resource_seen_ip", v, true)
	case "autonomoussystemnumber":
		if n, ok := v.number(); ok && n > 0 && n < 1<<32 {
			ev.Source.ASN = int(n)
		}
	case "location", "locationdetails":
		e.location(v)
	case "networklocationdetails":
		e.networks(v)
	case "devicedetail":
		e.device(v)
	case "risklevelduringsignin":
		e.put(&ev.Risk, "risk", v, true)
	case "risklevelaggregated":
		e.put(&ev.UserRisk, "user_risk", v, true)
	case "riskeventtypes_v2", "riskeventtypes":
		for _, b := range v.strs(maxList) {
			if s := e.d.id("risk_details", b); !hasString(ev.Risks, s) {
				ev.Risks = append(ev.Risks, s)
			}
		}
	case "conditionalaccessstatus":
		e.hinted, e.signIn = true, true
		e.keep(v)
	case "appliedconditionalaccesspolicies", "conditionalaccesspolicies":
		e.hinted, e.signIn, e.policies = true, true, true
		e.decisions(v)
	case "isinteractive":
		e.interactive = v.truth()
	case "signineventtypes":
		for _, b := range v.strs(1) {
			e.eventType = string(b)
		}
	case "resourcetenantid":
		e.put(&e.resourceTenant, "tenant_uid", v, true)
	case "hometenantid":
		e.put(&e.homeTenant, "user_home", v, true)
	case "aadtenantid":
		e.put(&e.aadTenant, "tenant_uid", v, true)
	case "tenantid":
		e.put(&e.tenant, "tenant_uid", v, true)
	case "tokenissuertype":
		if b := v.str(); !bytes.EqualFold(b, []byte("AzureAD")) {
			e.d.keep(ev, "tokenIssuerType", b)
		}
	case "durationms", "resultsignature", "level", "sourcesystem", "resource", "resourcegroup", "resourceprovider", "operationversion",
		"processingtimeinmilliseconds", "alternatesigninname", "flaggedforreview", "tokenissuername", "signinidentifier", "signinidentifiertype",
		"authenticationprocessingdetails", "authenticationmethodsused", "isrisky", "mfadetail", "p_event_time", "p_log_type":
		v.skip()
	case "operationname":
		if e.change.activity == "" {
			e.put(&e.change.activity, "change.operation", v, false)
		} else {
			v.skip()
		}
	default:
		if !e.m365member(name, v) && !e.auditMember(name, v) {
			e.keep(v)
		}
	}
}

func hasString(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}

// status reads the status of a sign-in, also where it is a JSON text.
func (e *entraRow) status(v *reader) {
	key := v.key
	for name, w := range v.members {
		switch string(name) {
		case "errorcode":
			if b := w.str(); len(b) > 0 {
				e.code, e.coded = e.d.id("status_code", b), true
				e.at("status_code", append(append([]byte{}, key...), "/errorCode"...))
			}
		case "failurereason":
			e.reason = e.d.text("status_detail", w.str())
		case "additionaldetails":
			e.d.keep(&e.ev, "additionalDetails", w.str())
		}
	}
}

// protocol sorts authenticationProtocol.
func (e *entraRow) protocol(v *reader) {
	b := v.str()
	e.d.keep(&e.ev, "authenticationProtocol", b)
	switch word := strings.ToLower(string(b[:min(len(b), 40)])); word {
	case "oauth2", "devicecode", "ropc", "authenticationtransfer", "nativeauth":
		e.ev.Protocol = "oauth2"
		switch word {
		case "devicecode":
			e.ev.OAuth.GrantType = "device_code"
		case "ropc":
			e.ev.OAuth.GrantType = "password"
		}
	case "openidconnect":
		e.ev.Protocol = "openid"
	case "saml20":
		e.ev.Protocol = "saml"
	case "wsfederation":
		e.ev.Protocol = "ws-federation"
	}
}

// methods reads the steps of the authentication.
func (e *entraRow) methods(v *reader) {
	var steps []byte
	for _, w := range v.items {
		name, word := "", ":unknown"
		for member, x := range w.members {
			switch string(member) {
			case "authenticationmethod":
				name = e.d.id("oauth.auth_methods", x.str())
			case "succeeded":
				if ok := x.truth(); ok != nil {
					word = ":failed"
					if *ok {
						word = ":ok"
					}
				}
			}
		}
		if name == "" || len(e.ev.OAuth.AuthMethods) >= maxList {
			continue
		}
		e.ev.OAuth.AuthMethods = append(e.ev.OAuth.AuthMethods, name)
		if len(steps) > 0 {
			steps = append(steps, "; "...)
		}
		steps = append(append(steps, name...), word...)
	}
	e.d.keep(&e.ev, "authenticationSteps", steps)
}

// requirements reads what asked for more than one factor.
func (e *entraRow) requirements(v *reader) {
	var list []byte
	for _, w := range v.items {
		for member, x := range w.members {
			if string(member) == "requirementprovider" {
				if len(list) > 0 {
					list = append(list, "; "...)
				}
				if len(list) < maxText {
					list = append(list, x.str()...)
				}
			}
		}
	}
	e.d.keep(&e.ev, "authenticationRequirementPolicies", list)
}

// location reads where the sign-in came from: an object, or a country.
func (e *entraRow) location(v *reader) {
	key := v.key
	if v.peek() == '"' && !bytes.HasPrefix(v.b[v.i:], []byte(`"{`)) {
		if b := v.str(); len(b) == 2 {
			e.country = e.d.id("src_endpoint.country", b)
		}
		return
	}
	for name, w := range v.members {
		switch string(name) {
		case "city":
			e.ev.Source.City = e.d.text("src_endpoint.city", w.str())
		case "state":
			e.ev.Source.Region = e.d.text("src_endpoint.region", w.str())
		case "countryorregion":
			e.ev.Source.Country = e.d.id("src_endpoint.country", w.str())
			e.at("src_endpoint.country", append(append([]byte{}, key...), "/countryOrRegion"...))
			if e.ev.Source.Country == "" {
				e.d.keep(&e.ev, "location", []byte("unknown"))
			}
		}
	}
}

// networks reads the named locations that the address belongs to.
func (e *entraRow) networks(v *reader) {
	var kinds, names []byte
	add := func(list, b []byte) []byte {
		if len(b) == 0 || len(list) > maxText {
			return list
		}
		if len(list) > 0 {
			list = append(list, "; "...)
		}
		return append(list, b...)
	}
	for _, w := range v.items {
		for member, x := range w.members {
			switch string(member) {
			case "networktype":
				kinds = add(kinds, x.str())
			case "networknames":
				for _, b := range x.strs(maxList) {
					names = add(names, b)
				}
			}
		}
	}
	e.d.keep(&e.ev, "networkTypes", kinds)
	e.d.keep(&e.ev, "networkNames", names)
}

// device reads what Entra knows of the device.
func (e *entraRow) device(v *reader) {
	dev, d := &e.ev.Device, e.d
	key, seen := v.key, false
	for name, w := range v.members {
		seen = true
		switch string(name) {
		case "deviceid":
			dev.UID = d.id("device.uid", w.str())
		case "displayname":
			dev.Name = d.text("device.name", w.str())
		case "operatingsystem":
			dev.OS = d.id("device.os", w.str())
		case "browser":
			dev.Browser = d.id("device.browser", w.str())
		case "iscompliant":
			dev.Compliant = w.truth()
		case "ismanaged":
			dev.Managed = w.truth()
		case "trusttype":
			dev.TrustType = d.id("device.trust_type", w.str())
		}
	}
	if seen {
		e.at("device", key)
		if dev.UID == "" && dev.TrustType == "" {
			d.keep(&e.ev, "device", []byte("unregistered"))
		}
	}
}

// decisions reads what each policy said.
func (e *entraRow) decisions(v *reader) {
	if len(e.ev.Policies) > 0 {
		v.skip()
		return
	}
	d := e.d
	key := v.key
	for i, w := range v.items {
		if w.peek() != '{' || i >= maxPolicies {
			continue
		}
		var p usher.Decision
		for name, x := range w.members {
			switch string(name) {
			case "id":
				p.Policy.UID = d.id("policies.policy.uid", x.str())
			case "displayname":
				p.Policy.Name = d.text("policies.policy.name", x.str())
			case "result":
				p.Result = d.id("policies.result", x.str())
				p.ReportOnly = len(p.Result) >= 10 && strings.EqualFold(p.Result[:10], "reportonly")
			case "conditionssatisfied":
				p.Met = e.conditions(x)
			case "conditionsnotsatisfied":
				p.Unmet = e.conditions(x)
			case "enforcedgrantcontrols":
				p.Grant = e.list(x)
			case "enforcedsessioncontrols":
				p.Session = e.list(x)
			}
		}
		if p.Policy.Known() || p.Result != "" {
			if e.ev.Policies == nil {
				e.ev.Policies = make([]usher.Decision, 0, 12)
			}
			if d.opt.Places {
				e.at("policies/"+strconv.Itoa(len(e.ev.Policies)), append(append([]byte{}, key...), "/"+strconv.Itoa(i)...))
			}
			e.ev.Policies = append(e.ev.Policies, p)
		}
	}
}

// maxPolicies is the number of policies that is read of one sign-in; a tenant
// can have 240.
const maxPolicies = 300

func (e *entraRow) list(v *reader) []string {
	if v.peek() == '[' { // mostly empty or short
		var out []string
		for _, w := range v.items {
			if s := e.d.id("policies", w.str()); s != "" && len(out) < maxList {
				out = append(out, s)
			}
		}
		return out
	}
	var out []string
	for _, b := range v.strs(maxList) {
		if s := e.d.id("policies", b); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// conditionBits are the conditions of a policy by their bit, as Azure Monitor
// and Log Analytics write them.
var conditionBits = [...]string{
	"application", "users", "devicePlatform", "location", "clientType", "signInRisk", "userRisk", "time", "deviceState", "client",
	"ipAddressSeenByAzureAD", "ipAddressSeenByResourceProvider", "", "servicePrincipals", "servicePrincipalRisk", "authenticationFlows", "insiderRisk",
}

// conditions reads conditions in each form: a bit mask, a list of names in a
// text, a list.
func (e *entraRow) conditions(v *reader) []string {
	if v.peek() == '[' {
		return e.list(v)
	}
	b := v.str()
	if n, err := strconv.Atoi(string(b)); err == nil {
		if n <= 0 {
			return nil
		}
		names := make([]string, 0, 4)
		for bit, name := range conditionBits {
			if n&(1<<bit) != 0 && name != "" {
				names = append(names, name)
			}
		}
		return names
	}
	var names []string
	for _, name := range bytes.Split(b, []byte(",")) {
		if name = bytes.TrimSpace(name); len(name) > 0 && string(name) != "none" && len(names) < maxList {
			names = append(names, e.d.id("policies", name))
		}
	}
	return names
}
