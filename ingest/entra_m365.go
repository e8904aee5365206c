package ingest

import (
	"net/netip"
	"strings"
	"time"

	"usher"
)

// m365Row is what only the Microsoft 365 audit log has.
type m365Row struct {
	operation, workload, logonError, errorNumber string
	recordType                                   int64
	created                                      time.Time
	client, object, organization, inter, intra   string
	actorIP, clientIP, userKey, actor            string
	requestType                                  string
}

// m365member takes a member that only the Microsoft 365 audit log has.
func (e *entraRow) m365member(name []byte, v *reader) bool {
	m := &e.m365
	switch string(name) {
	case "creationtime":
		e.when(&m.created, v)
	case "operation":
		e.put(&m.operation, "event_code", v, true)
	case "workload":
		e.put(&m.workload, "log_name", v, true)
	case "recordtype":
		m.recordType, _ = v.number()
	case "logonerror":
		e.put(&m.logonError, "unmapped.logonError", v, true)
	case "errornumber":
		e.put(&m.errorNumber, "status_code", v, true)
	case "applicationid":
		e.put(&m.client, "client.uid", v, true)
	case "objectid":
		e.put(&m.object, "resource.uid", v, true)
	case "organizationid":
		e.put(&m.organization, "tenant_uid", v, true)
	case "intersystemsid":
		e.put(&m.inter, "correlation_uid", v, true)
	case "intrasystemid":
		e.put(&m.intra, "original_event_uid", v, true)
	case "actoripaddress":
		e.put(&m.actorIP, "src_endpoint.ip", v, true)
	case "clientip":
		e.put(&m.clientIP, "src_endpoint.ip", v, true)
	case "userkey":
		e.put(&m.userKey, "user.uid", v, true)
	case "actor":
		for _, w := range v.items {
			id, kind := "", int64(-1)
			for member, x := range w.members {
				switch string(member) {
				case "id":
					id = e.d.id("user.uid", x.str())
				case "type":
					kind, _ = x.number()
				}
			}
			if kind == 0 && m.actor == "" {
				m.actor = id
			}
		}
	case "extendedproperties", "deviceproperties":
		e.properties365(v)
	case "resultstatus", "azureactivedirectoryeventtype", "version", "supportticketid", "targetcontextid", "actorcontextid", "modifiedproperties", "target":
		v.skip()
	default:
		return false
	}
	return true
}

// properties365 reads a list of names and values.
func (e *entraRow) properties365(v *reader) {
	for _, w := range v.items {
		var name, value []byte
		for member, x := range w.members {
			switch string(member) {
			case "name":
				name = x.str()
			case "value":
				value = x.str()
			}
		}
		switch string(name) {
		case "UserAgent":
			e.ev.UserAgent = e.d.text("user_agent", value)
		case "RequestType":
			e.m365.requestType = e.d.id("unmapped.requestType", value)
		case "SessionId":
			e.ev.Session = e.d.id("session_uid", value)
		case "Id":
			e.ev.Device.UID = e.d.id("device.uid", value)
		case "TrustType":
			e.ev.Device.TrustType = e.d.id("device.trust_type", value)
		case "OS", "UserAuthenticationMethod", "KeepMeSignedIn", "BrowserType":
			e.d.keep(&e.ev, string(name), value)
		}
	}
}

// finishM365 makes the event of a sign-in of the Microsoft 365 audit log. Its
// ResultStatus says Success even of failures: the error number counts.
func (e *entraRow) finishM365() {
	ev, m := &e.ev, &e.m365
	ev.Class, ev.Severity = usher.ClassAuthentication, 1
	ev.Time = m.created
	audit := ev.Original
	if m.intra != "" {
		ev.Original = m.intra
		if audit != m.intra {
			e.d.keep(ev, "auditId", []byte(audit))
		}
	}
	// UserId is the name here. The key is an object id in newer records.
	ev.User = usher.Party{Name: ev.User.UID}
	for _, id := range [...]string{m.actor, m.userKey} {
		if ev.User.UID == "" && id != ev.User.Name && !strings.Contains(id, "@") {
			ev.User.UID = id
		}
	}
	ev.UserType = ""
	ev.Client.UID, ev.Resource.UID, ev.Tenant, ev.Correlation = m.client, m.object, m.organization, m.inter
	ev.Source.IP = address(m.actorIP)
	if ev.Source.IP == "" {
		ev.Source.IP = address(m.clientIP)
	}
	ev.Kind = usher.EventOther
	switch kind, _, _ := strings.Cut(m.requestType, ":"); kind {
	case "Login", "OAuth2", "SAS", "Kmsi", "Saml2", "WsFed", "Consent", "DeviceAuth":
		ev.Kind = usher.EventSignIn
		if strings.EqualFold(m.requestType, "OAuth2:Token") {
			ev.Kind = usher.EventSilentSignIn
		}
	}
	for _, f := range [...][2]string{{"operation", m.operation}, {"logonError", m.logonError}, {"requestType", m.requestType}} {
		e.d.keep(ev, f[0], []byte(f[1]))
	}
	e.code = m.errorNumber
	switch {
	case m.operation == "UserLoggedIn" && (e.code == "" || e.code == "0"):
		ev.Status = usher.StatusSuccess
	case allDigits(e.code) && e.code != "0":
		e.result()
	case strings.Contains(m.operation, "Failed"):
		ev.Status, ev.Severity = usher.StatusFailure, 2
	}
}

// address takes a port off an address.
func address(s string) string {
	if _, err := netip.ParseAddr(s); err == nil || s == "" {
		return s
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().String()
	}
	return s
}
