package evidence

import (
	"strconv"
	"strings"

	"usher"
)

// conditionBits are the conditions of a Conditional Access policy by their bit
// in conditionsSatisfied, as Azure Monitor and Log Analytics write it.
var conditionBits = [...]string{
	"application", "users", "devicePlatform", "location", "clientType", "signInRisk", "userRisk", "time", "deviceState", "client",
	"ipAddressSeenByAzureAD", "ipAddressSeenByResourceProvider", "", "servicePrincipals", "servicePrincipalRisk", "authenticationFlows", "insiderRisk",
}

// conditionNames reads conditions in either form: a bit mask or a list of names.
func conditionNames(m *value) []string {
	s := m.str()
	if m.is(jsonArray) {
		return m.strs()
	}
	if n, err := strconv.Atoi(s); err == nil {
		var names []string
		for bit, name := range conditionBits {
			if n&(1<<bit) != 0 && name != "" {
				names = append(names, name)
			}
		}
		return names
	}
	var names []string
	for _, name := range strings.Split(s, ",") {
		if name = strings.TrimSpace(name); name != "" && name != "none" && len(names) < 32 {
			names = append(names, name)
		}
	}
	return names
}

// entraRecord reads a sign-in of Entra in the shapes of Azure Monitor, of Log
// Analytics and of Graph. Their columns hold objects or JSON as text.
func (r *reader) entraRecord(v *value, p *piece) bool {
	body := v
	category := v.fold("category").str()
	signIn := strings.HasSuffix(strings.ToLower(category), "signinlogs")
	if props := v.fold("properties").object(); props != nil {
		if !signIn && props.path("status", "errorCode") == nil && props.fold("appliedConditionalAccessPolicies") == nil {
			return false
		}
		body = props
	} else if !signIn && !strings.HasSuffix(strings.ToLower(v.fold("Type").str()), "signinlogs") {
		row := v.fold("ResultType") != nil && (v.fold("ConditionalAccessStatus") != nil || v.fold("UserPrincipalName") != nil || v.fold("ConditionalAccessPolicies") != nil)
		graph := v.fold("status").object().fold("errorCode") != nil &&
			(v.first("appId", "appDisplayName", "userPrincipalName", "conditionalAccessStatus", "createdDateTime", "servicePrincipalId", "clientAppUsed", "ipAddress", "resourceDisplayName") != nil || v.fold("appliedConditionalAccessPolicies") != nil)
		if !row && !graph {
			return false
		}
	}
	rec := r.newRecord("entra", v, p)
	ev := rec.ev
	get := func(names ...string) *value { // the inner record first, then its envelope
		if m := body.first(names...); m != nil {
			return m
		}
		return v.first(names...)
	}
	rec.when(body.fold("createdDateTime"), v.fold("createdDateTime"), v.fold("time"), v.fold("TimeGenerated"))
	ev.Code = rec.put("signin-category", v.fold("category"))
	rec.entraStatus(body, v)
	rec.entraParties(get)
	rec.entraPlace(body, v, get)
	rec.entraDevice(body)
	rec.entraPolicies(body, v)
	rec.entraMethods(body, get)

	who := ev.User.Name
	if who == "" {
		who = ev.User.UID
	}
	text := "sign-in"
	if who != "" {
		text += " of " + who
	}
	if ev.Client.Name != "" {
		text += " to " + ev.Client.Name
	}
	if ev.Status == usher.StatusFailure {
		text += ": " + ev.StatusCode + " " + ev.StatusDetail
	}
	return r.finish(rec, text)
}

func (rec *record) entraStatus(body, v *value) {
	status := body.fold("status").object()
	codeAt := status.first("errorCode")
	if codeAt == nil {
		codeAt = v.first("resultType")
	}
	code := codeAt.str()
	reason := status.fold("failureReason").str()
	if reason == "" || reason == "Other" || reason == "Other." {
		if d := v.fold("resultDescription").str(); d != "" && d != "Other" {
			reason = d
		}
	}
	switch {
	case code == "0":
		rec.ev.Status = usher.StatusSuccess
		rec.it.fact("event-result", "success", rec.at(codeAt), code)
	case allDigits(code):
		rec.fail("AADSTS"+code, reason, rec.at(codeAt))
		rec.it.fact("event-result", "failure", rec.at(codeAt), code)
	case code != "":
		rec.it.factIf("event-error", code, rec.at(codeAt), code)
		rec.ev.StatusCode = code
	}
	if d := status.fold("additionalDetails").str(); d != "" && len(d) < 1024 {
		rec.it.fact("event-reason", d, rec.at(status), d)
	}
}

func (rec *record) entraParties(get func(...string) *value) {
	it, ev := rec.it, rec.ev
	ev.Client.UID = rec.put("client-id", get("appId"))
	ev.Client.Name = rec.put("client-name", get("appDisplayName"))
	ev.User.Name = rec.put("user", get("userPrincipalName"))
	ev.User.UID = get("userId").str()
	if ev.User.Name == "" {
		ev.User.Name = rec.put("user", get("userDisplayName", "identity"))
	}
	if sp := get("servicePrincipalId").str(); sp != "" && ev.User.Name == "" {
		ev.Kind = usher.EventAppSignIn
		ev.User = usher.Party{UID: sp, Name: rec.put("service-principal", get("servicePrincipalName"))}
		it.fact("signin-event", "serviceprincipal", rec.at(get("servicePrincipalId")), sp)
	}
	// The resourceId of an envelope is the path of the tenant, not the API.
	res := get("resourceIdentity")
	if res == nil {
		if m := get("resourceId"); m != nil && !strings.HasPrefix(m.str(), "/") {
			res = m
		}
	}
	ev.Resource.UID = rec.put("resource", res)
	ev.Resource.Name = rec.put("resource-name", get("resourceDisplayName"))
	ev.Tenant = rec.put("tenant-id", get("AADTenantId", "resourceTenantId", "homeTenantId", "tenantId"))
	ev.Correlation = rec.put("correlation", get("correlationId"))
	ev.Original = rec.put("request-id", get("id", "originalRequestId"))
	e := it.Error
	if e != nil {
		e.Correlation, e.TraceID = ev.Correlation, ev.Original
	}
	rec.put("user-type", get("userType"))
	rec.put("cross-tenant", get("crossTenantAccessType"))
	if t := get("tokenIssuerType"); t.str() != "" && !strings.EqualFold(t.str(), "AzureAD") {
		rec.put("issuer-type", t)
	}
	if b, known := get("isInteractive").truth(); known && ev.Kind == usher.EventOther {
		ev.Kind = usher.EventSilentSignIn
		word := "noninteractiveuser"
		if b {
			ev.Kind, word = usher.EventSignIn, "interactiveuser"
		}
		it.fact("signin-event", word, it.Place, "isInteractive")
	}
}

func (rec *record) entraPlace(body, v *value, get func(...string) *value) {
	it, ev := rec.it, rec.ev
	if ip := get("ipAddress", "callerIpAddress"); ip != nil {
		ipFacts(it, ip.str(), rec.at(ip))
		ev.Source.IP = ip.str()
	}
	if ip := get("ipAddressFromResourceProvider"); ip.str() != "" {
		ev.SeenIP = ip.str()
		it.fact("resource-ip", ip.str(), rec.at(ip), ip.str())
		if ip.str() != ev.Source.IP {
			it.fact("ip-difference", "resource", rec.at(ip), ev.Source.IP+" and "+ip.str())
		}
	}
	where := body.fold("location")
	if where.object() == nil {
		where = v.fold("LocationDetails")
	}
	if o := where.object(); o != nil {
		c := o.fold("countryOrRegion")
		it.fact("country", c.str(), rec.at(where), c.str())
		ev.Source.Country, ev.Source.City = c.str(), o.fold("city").str()
	} else if c := v.fold("location"); c.is(jsonString) && len(c.text) == 2 {
		ev.Source.Country = rec.put("country", c)
	}
	if asn, ok := get("autonomousSystemNumber").number(); ok {
		ev.Source.ASN = asn
	}
	for _, n := range body.fold("networkLocationDetails").list() {
		rec.put("network-location", n.fold("networkType"))
		for _, name := range n.fold("networkNames").strs() {
			it.fact("named-location", name, it.Place, name)
		}
	}
	ev.UserAgent = get("userAgent").str()
	ev.OAuth.ClientApp = rec.put("client-app", get("clientAppUsed"))
}

func (rec *record) entraDevice(body *value) {
	field := body.fold("deviceDetail")
	d := field.object()
	if d == nil {
		return
	}
	it, dev := rec.it, &rec.ev.Device
	place := rec.at(field)
	dev.OS = d.fold("operatingSystem").str()
	it.factIf("device-platform", dev.OS, place, dev.OS)
	dev.UID, dev.TrustType = d.fold("deviceId").str(), d.fold("trustType").str()
	if dev.UID == "" && dev.TrustType == "" {
		it.fact("device-state", "unregistered", place, "no deviceId")
		it.fact("device-id", "absent", place, "")
	} else {
		it.factIf("device-state", dev.TrustType, place, dev.TrustType)
		it.fact("device-id", "present", place, dev.UID)
	}
	for _, f := range [...]struct {
		member, yes, no string
		to              **bool
	}{{"isCompliant", "compliant", "non-compliant", &dev.Compliant}, {"isManaged", "managed", "unmanaged", &dev.Managed}} {
		if b, known := d.fold(f.member).truth(); known {
			*f.to = &b
			word := f.no
			if b {
				word = f.yes
			}
			it.fact("device-state", word, place, f.member)
		}
	}
	rec.put("browser-name", d.fold("browser"))
}

// entraPolicies names the policies that refused. A policy in report-only mode
// never refuses, whatever its result.
func (rec *record) entraPolicies(body, v *value) {
	it, ev := rec.it, rec.ev
	if s := body.first("conditionalAccessStatus"); s != nil {
		rec.put("ca-status", s)
	} else {
		rec.put("ca-status", v.first("conditionalAccessStatus"))
	}
	field := body.fold("appliedConditionalAccessPolicies")
	list := field.list()
	if len(list) == 0 {
		field = body.fold("ConditionalAccessPolicies")
		list = field.list()
	}
	for i := range list {
		if i == 300 {
			break
		}
		pol := &list[i]
		result := pol.fold("result").str()
		d := usher.Decision{
			Policy: usher.Party{UID: pol.fold("id").str(), Name: pol.fold("displayName").str()}, Result: result,
			ReportOnly: strings.HasPrefix(strings.ToLower(result), "reportonly"),
			Met:        conditionNames(pol.fold("conditionsSatisfied")), Unmet: conditionNames(pol.fold("conditionsNotSatisfied")),
			Grant: pol.fold("enforcedGrantControls").strs(), Session: pol.fold("enforcedSessionControls").strs(),
		}
		if inner := pol.fold("enforcedGrantControls").inner(); inner != nil {
			d.Grant = inner.strs()
		}
		ev.Policies = append(ev.Policies, d)
		place := rec.at(field)
		if pol.at > 0 && field.is(jsonArray) {
			place = rec.p.place(int(pol.at))
		}
		switch {
		case d.ReportOnly:
			it.fact("ca-report-only", d.Policy.Name+" ("+result+")", place, d.Policy.Name)
		case strings.EqualFold(result, "failure"):
			it.factIf("ca-policy-failed", d.Policy.Name, place, d.Policy.Name)
			it.factIf("ca-policy-id", d.Policy.UID, place, d.Policy.UID)
			for _, c := range d.Met {
				it.fact("ca-condition", c, place, d.Policy.Name+": "+c)
			}
			for _, c := range d.Unmet {
				it.fact("ca-unmet", c, place, d.Policy.Name+": "+c)
			}
			for _, g := range d.Grant {
				it.fact("ca-grant", g, place, d.Policy.Name+": "+g)
			}
			for _, s := range d.Session {
				it.fact("ca-session", s, place, d.Policy.Name+": "+s)
			}
			if e := it.Error; e != nil && d.Policy.UID != "" {
				e.PolicyIDs = appendNew(e.PolicyIDs, d.Policy.UID)
			}
		}
	}
}

func (rec *record) entraMethods(body *value, get func(...string) *value) {
	it, ev := rec.it, rec.ev
	ev.OAuth.AuthRequired = rec.put("auth-requirement", get("authenticationRequirement"))
	rec.put("auth-protocol", get("authenticationProtocol"))
	ev.OAuth.OriginFlow = rec.put("transfer-method", get("originalTransferMethod"))
	rec.put("incoming-token", get("incomingTokenType"))
	rec.put("client-credential-type", get("clientCredentialType"))
	ev.Risk = rec.put("risk", get("riskLevelDuringSignIn"))
	ev.UserRisk = rec.put("user-risk", get("riskLevelAggregated"))
	if d := get("riskDetail"); d.str() != "" && d.str() != "none" {
		rec.put("risk-detail", d)
	}
	for _, name := range body.first("riskEventTypes_v2", "riskEventTypes").list() {
		it.factIf("risk-event", name.str(), it.Place, name.str())
	}
	for _, m := range body.fold("authenticationDetails").list() {
		name := m.fold("authenticationMethod").str()
		if name == "" {
			continue
		}
		ok, known := m.fold("succeeded").truth()
		word := "unknown"
		if known && ok {
			word = "ok"
		} else if known {
			word = "failed"
		}
		it.fact("auth-step", name+":"+word, it.Place, m.fold("authenticationStepResultDetail").str())
		if len(ev.OAuth.AuthMethods) < 32 {
			ev.OAuth.AuthMethods = append(ev.OAuth.AuthMethods, name)
		}
	}
	for _, m := range body.fold("authenticationRequirementPolicies").list() {
		it.factIf("auth-requirement-policy", m.fold("requirementProvider").str(), it.Place, m.fold("detail").str())
	}
}

// m365Record reads a sign-in of the Microsoft 365 audit log. Its ResultStatus
// says Success even of failures: only the error number counts.
func (r *reader) m365Record(v *value, p *piece) bool {
	op := v.fold("Operation").str()
	n, _ := v.fold("RecordType").number()
	if !strings.HasPrefix(op, "UserLog") && !(n == 15 && v.fold("Workload") != nil) {
		return false
	}
	rec := r.newRecord("entra", v, p)
	it, ev := rec.it, rec.ev
	rec.when(v.fold("CreationTime"))
	ev.Code, ev.Kind = rec.put("event-type", v.fold("Operation")), usher.EventSignIn
	if num := v.first("ErrorNumber"); num.str() != "" && num.str() != "0" && allDigits(num.str()) {
		rec.fail("AADSTS"+num.str(), v.fold("LogonError").str(), rec.at(num))
	} else if op == "UserLoggedIn" {
		ev.Status = usher.StatusSuccess
		it.fact("event-result", "success", it.Place, op)
	} else if strings.Contains(op, "Failed") {
		rec.fail("", v.fold("LogonError").str(), it.Place)
	}
	rec.put("event-error", v.fold("LogonError"))
	ev.Client.UID = rec.put("client-id", v.fold("ApplicationId"))
	ev.User.Name = rec.put("user", v.fold("UserId"))
	ev.User.UID = v.fold("UserKey").str()
	ev.Resource.UID = rec.put("resource", v.fold("ObjectId"))
	ev.Tenant = rec.put("tenant-id", v.fold("OrganizationId"))
	ev.Correlation = rec.put("correlation", v.fold("InterSystemsId"))
	ev.Original = rec.put("request-id", v.fold("IntraSystemId"))
	if ip := v.first("ActorIpAddress", "ClientIP"); ip != nil {
		ipFacts(it, ip.str(), rec.at(ip))
		ev.Source.IP = ip.str()
	}
	for _, e := range v.fold("ExtendedProperties").list() {
		switch e.fold("Name").str() {
		case "UserAgent":
			ev.UserAgent = e.fold("Value").str()
		case "RequestType":
			it.factIf("request-type", e.fold("Value").str(), it.Place, "RequestType")
		}
	}
	for _, e := range v.fold("DeviceProperties").list() {
		if e.fold("Name").str() == "OS" {
			it.factIf("device-platform", e.fold("Value").str(), it.Place, "OS")
		}
	}
	if it.Error != nil {
		it.Error.Correlation, it.Error.TraceID = ev.Correlation, ev.Original
	}
	return r.finish(rec, "sign-in of "+ev.User.Name+": "+op+" "+v.fold("LogonError").str()+" "+ev.StatusCode)
}
