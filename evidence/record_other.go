package evidence

import (
	"strings"
	"time"

	"usher"
)

func unixMilli(n int64) time.Time { return time.UnixMilli(n).UTC() }

// oktaRecord reads an event of Okta's System Log.
func (r *reader) oktaRecord(v *value, p *piece) bool {
	kind := v.fold("eventType")
	outcome := v.fold("outcome").object()
	if !strings.Contains(kind.str(), ".") || outcome == nil || v.first("published", "uuid") == nil && v.fold("actor") == nil {
		return false
	}
	rec := r.newRecord("okta", v, p)
	it, ev := rec.it, rec.ev
	rec.when(v.fold("published"))
	ev.Code, ev.Original = rec.put("event-type", kind), v.fold("uuid").str()
	result, reason := outcome.fold("result").str(), outcome.fold("reason").str()
	rec.put("event-result", outcome.fold("result"))
	rec.put("event-reason", outcome.fold("reason"))
	debug := v.path("debugContext", "debugData").object()
	switch result {
	case "SUCCESS", "ALLOW":
		ev.Status = usher.StatusSuccess
	case "FAILURE", "DENY":
		rec.fail("", strings.TrimSpace(v.fold("displayMessage").str()+": "+reason), rec.at(v.fold("outcome")))
		ev.StatusCode = reason
		if reason != "" && !strings.Contains(reason, " ") {
			it.fact("event-error", reason, rec.at(v.fold("outcome")), reason)
			it.fact("code", "okta/"+reason, rec.at(v.fold("outcome")), reason)
		}
		if isErrorWord(lowerASCII(reason)) {
			it.Error.Code = lowerASCII(reason)
			it.fact("error", reason, rec.at(v.fold("outcome")), reason)
		}
	case "CHALLENGE":
		ev.Interrupted = true
	}
	actor := v.fold("actor").object()
	ev.User = usher.Party{UID: actor.fold("id").str(), Name: actor.fold("alternateId").str()}
	if strings.Contains(actor.fold("type").str(), "ClientApp") {
		ev.Client, ev.User = ev.User, usher.Party{}
		it.factIf("client-id", ev.Client.UID, rec.at(v.fold("actor")), ev.Client.UID)
	} else {
		it.factIf("user", ev.User.Name, rec.at(v.fold("actor")), ev.User.Name)
	}
	for _, t := range v.fold("target").list() {
		switch t.fold("type").str() {
		case "AppInstance", "PublicClientApp":
			ev.Client = usher.Party{UID: t.fold("id").str(), Name: t.first("displayName", "alternateId").str()}
			it.factIf("client-id", ev.Client.UID, rec.at(v.fold("target")), ev.Client.UID)
			it.factIf("client-name", ev.Client.Name, rec.at(v.fold("target")), ev.Client.Name)
		case "User":
			if ev.User.Name == "" {
				ev.User = usher.Party{UID: t.fold("id").str(), Name: t.fold("alternateId").str()}
				it.factIf("user", ev.User.Name, rec.at(v.fold("target")), ev.User.Name)
			}
		case "PolicyEntity", "PolicyRule", "Rule":
			it.factIf("policy", t.fold("displayName").str(), rec.at(v.fold("target")), t.fold("displayName").str())
		}
	}
	client := v.fold("client").object()
	if ip := client.fold("ipAddress"); ip.str() != "" {
		ipFacts(it, ip.str(), rec.at(ip))
		ev.Source.IP = ip.str()
	}
	rec.put("country", client.path("geographicalContext", "country"))
	ev.UserAgent = client.path("userAgent", "rawUserAgent").str()
	rec.put("device-platform", client.path("userAgent", "os"))
	ev.Correlation = rec.put("correlation", v.path("transaction", "id"))
	if g := debug.fold("grantType"); g.str() != "" {
		ev.OAuth.GrantType = grantName(g.str())
		it.factIf("grant", ev.OAuth.GrantType, it.Place, g.str())
		ev.Kind = usher.EventToken
	}
	if uri := debug.fold("redirectUri").str(); uri != "" {
		ev.OAuth.RedirectURI = uri
		redirectFacts(it, uri, it.Place)
	}
	scopeFacts(it, strings.ReplaceAll(debug.fold("requestedScopes").str(), ",", " "), it.Place)
	rec.put("client-auth", debug.fold("clientAuthType"))
	switch m := debug.fold("clientAuthType").str(); m {
	case "client_secret_basic":
		it.fact("auth-method", "basic", it.Place, m)
	case "client_secret_post":
		it.fact("auth-method", "post", it.Place, m)
	case "private_key_jwt", "none":
		it.fact("auth-method", m, it.Place, m)
	}
	rec.put("response-type", debug.fold("responseType"))
	rec.put("issuer", debug.fold("issuer"))
	rec.put("threat-suspected", debug.fold("threatSuspected"))
	return r.finish(rec, kind.str()+": "+strings.TrimSpace(result+" "+reason)+" ("+ev.User.Name+ev.Client.Name+")")
}

// auth0Record reads an event of Auth0's tenant log, bare or in the wrapping of
// a log stream.
func (r *reader) auth0Record(v *value, p *piece) bool {
	d := v
	if inner := v.fold("data").object(); inner != nil && (v.fold("log_id") != nil || inner.fold("log_id") != nil) {
		d = inner
	} else if inner := v.path("detail", "data").object(); inner != nil && inner.fold("type") != nil {
		d = inner
	}
	kind := d.fold("type").str()
	n := 0
	for _, name := range [...]string{"log_id", "client_id", "client_name", "connection", "connection_id", "user_agent", "strategy", "tenant_name", "hostname", "description", "ip", "isMobile", "user_name"} {
		if d.fold(name) != nil {
			n++
		}
	}
	if kind == "" || len(kind) > 40 || strings.ContainsAny(kind, " ./:") || d.fold("date") == nil || n < 2 {
		return false
	}
	rec := r.newRecord("auth0", v, p)
	it, ev := rec.it, rec.ev
	rec.when(d.fold("date"))
	ev.Code, ev.Original = rec.put("event-type", d.fold("type")), d.first("log_id", "_id").str()
	description := d.fold("description").str()
	it.fact("code", "auth0/"+kind, rec.at(d.fold("type")), kind)
	rec.put("event-reason", d.fold("description"))
	details := d.fold("details").object()
	errText := details.path("error", "message").str()
	if errText == "" {
		errText = details.first("error").str()
	}
	it.factIf("event-error", errText, rec.at(d.fold("details")), errText)
	if auth0Failed(kind) {
		rec.fail("", strings.TrimSpace(description+" "+errText), rec.at(d.fold("type")))
		it.Error.Code = kind
		ev.StatusCode = kind
		for _, w := range strings.FieldsFunc(lowerASCII(errText+" "+description), func(c rune) bool { return c != '_' && (c < 'a' || c > 'z') }) {
			if isErrorWord(w) {
				it.fact("error", w, rec.at(d.fold("details")), w)
			}
		}
	} else if strings.HasPrefix(kind, "s") {
		ev.Status = usher.StatusSuccess
	}
	it.factIf("grant", auth0Grant(kind), it.Place, kind)
	ev.OAuth.GrantType = auth0Grant(kind)
	ev.Client = usher.Party{UID: rec.put("client-id", d.fold("client_id")), Name: rec.put("client-name", d.fold("client_name"))}
	ev.User = usher.Party{UID: d.fold("user_id").str(), Name: rec.put("user", d.first("user_name", "user_id"))}
	if ip := d.first("client_ip", "ip"); ip.str() != "" {
		ipFacts(it, ip.str(), rec.at(ip))
		ev.Source.IP = ip.str()
	}
	ev.Tenant = rec.put("tenant-id", d.first("tenant_name"))
	rec.put("connection", d.fold("connection"))
	rec.put("resource", d.fold("audience"))
	if s := d.fold("scope"); s.is(jsonString) {
		scopeFacts(it, s.text, rec.at(s))
	} else {
		scopeFacts(it, strings.Join(s.strs(), " "), rec.at(s))
	}
	if uri := details.path("qs", "redirect_uri").str(); uri != "" {
		redirectFacts(it, uri, it.Place)
	}
	it.scan(v, p, rec.raw, fold(rec.raw))
	return r.finish(rec, "Auth0 event "+kind+": "+description+" "+errText)
}

// auth0Failed tells whether a type stands for a failure: most that begin with
// f, and some words.
func auth0Failed(kind string) bool {
	switch kind {
	case "fn", "fi", "limit_wc", "limit_sul", "limit_mu", "pwd_leak", "api_limit", "ferrt", "gd_auth_failed", "gd_auth_rejected", "limit_delegation":
		return kind != "fn" && kind != "fi"
	}
	return strings.HasPrefix(kind, "f") && len(kind) <= 10
}

func auth0Grant(kind string) string {
	switch strings.TrimLeft(kind, "sf") {
	case "eacft":
		return "authorization_code"
	case "eccft":
		return "client_credentials"
	case "ertft", "errt":
		return "refresh_token"
	case "epft":
		return "password"
	case "ede":
		return "device_code"
	}
	switch {
	case strings.HasSuffix(kind, "eacft"):
		return "authorization_code"
	case strings.HasSuffix(kind, "eccft"):
		return "client_credentials"
	case strings.HasSuffix(kind, "ertft"), kind == "ferrt":
		return "refresh_token"
	case strings.HasSuffix(kind, "epft"):
		return "password"
	}
	return ""
}

// googleRecord reads an activity of the Reports API of Google Workspace.
func (r *reader) googleRecord(v *value, p *piece) bool {
	app := v.path("id", "applicationName").str()
	events := v.fold("events")
	if app == "" && !strings.HasPrefix(v.fold("kind").str(), "admin#reports") {
		return false
	}
	rec := r.newRecord("google", v, p)
	it, ev := rec.it, rec.ev
	rec.when(v.path("id", "time"))
	ev.Original = v.path("id", "uniqueQualifier").str()
	ev.Tenant = rec.put("tenant-id", v.path("id", "customerId"))
	ev.User = usher.Party{UID: v.path("actor", "profileId").str(), Name: rec.put("user", v.path("actor", "email"))}
	if ip := v.fold("ipAddress"); ip.str() != "" {
		ipFacts(it, ip.str(), rec.at(ip))
		ev.Source.IP = ip.str()
	}
	name := ""
	for i, e := range events.list() {
		if i == 50 {
			break
		}
		if name == "" {
			name = e.fold("name").str()
			ev.Code = name
		}
		it.factIf("event-type", app+"."+e.fold("name").str(), it.Place, e.fold("name").str())
		for _, q := range e.fold("parameters").list() {
			val := q.first("value", "boolValue", "intValue").str()
			switch key := q.fold("name").str(); key {
			case "login_failure_type", "login_challenge_status":
				it.factIf("event-error", val, it.Place, val)
			case "client_id":
				it.factIf("client-id", val, it.Place, val)
				ev.Client.UID = val
			case "app_name":
				it.factIf("client-name", val, it.Place, val)
				ev.Client.Name = val
			case "scope":
				for _, s := range q.fold("multiValue").strs() {
					it.fact("scope", s, it.Place, s)
				}
			}
		}
		if e.fold("name").str() == "login_failure" {
			rec.fail("login_failure", "sign-in failed", it.Place)
		}
	}
	return r.finish(rec, "Google "+app+" event "+name+" of "+ev.User.Name)
}

// awsRecord reads an event of CloudTrail, that of Cognito among them.
func (r *reader) awsRecord(v *value, p *piece) bool {
	source, name := v.fold("eventSource").str(), v.fold("eventName").str()
	if name == "" || !strings.HasSuffix(source, ".amazonaws.com") {
		return false
	}
	rec := r.newRecord("aws", v, p)
	it, ev := rec.it, rec.ev
	if strings.HasPrefix(source, "cognito") {
		it.Provider, ev.Provider = "cognito", "cognito"
	}
	rec.when(v.fold("eventTime"))
	ev.Code, ev.Original = rec.put("event-type", v.fold("eventName")), v.fold("eventID").str()
	if code := v.first("errorCode"); code.str() != "" {
		rec.fail(code.str(), v.fold("errorMessage").str(), rec.at(code))
		it.Error.Code = code.str()
		rec.put("error", code)
	} else if s := v.path("responseElements", "ConsoleLogin").str(); s == "Failure" {
		rec.fail("", "console sign-in failed: "+v.fold("errorMessage").str(), it.Place)
	}
	if n, ok := v.path("additionalEventData", "responseParameters", "status").number(); ok && n >= 400 && n < 600 {
		it.body().Status = n
		it.fact("status", itoa(n), it.Place, itoa(n))
	}
	if q := v.path("additionalEventData", "requestParameters").object(); q != nil {
		for _, s := range q.fold("redirect_uri").strs() {
			redirectFacts(it, s, it.Place)
		}
		for _, s := range q.fold("client_id").strs() {
			it.fact("client-id", s, it.Place, s)
		}
	}
	rec.put("client-id", v.path("requestParameters", "clientId"))
	rec.put("auth-flow", v.path("requestParameters", "authFlow"))
	ev.User.Name = rec.put("user", v.path("userIdentity", "userName"))
	if ip := v.fold("sourceIPAddress"); ip.str() != "" {
		ipFacts(it, ip.str(), rec.at(ip))
		ev.Source.IP = ip.str()
	}
	ev.UserAgent = v.fold("userAgent").str()
	return r.finish(rec, source+" "+name+" "+v.fold("errorCode").str()+" "+v.fold("errorMessage").str())
}
