package ingest

import (
	"bytes"
	"strings"
	"time"

	"usher"
)

// auditRow is what only the audit log of Entra has: changes to applications,
// roles, policies, consents.
type auditRow struct {
	activity, operation, result, reason string
	when                                time.Time
	actor                               usher.Party
	actorIP                             string
	target                              usher.Party
	targetType, appID                   string
	fields                              []string
}

// auditMember takes a member that only the audit log has.
func (e *entraRow) auditMember(name []byte, v *reader) bool {
	a := &e.change
	switch string(name) {
	case "activitydisplayname":
		e.audit = true
		a.activity = e.d.text("change.operation", v.str())
	case "activitydatetime":
		e.when(&a.when, v)
	case "operationtype":
		e.put(&a.operation, "change.operation", v, true)
	case "result":
		e.put(&a.result, "status_id", v, true)
	case "resultreason":
		e.put(&a.reason, "status_detail", v, false)
	case "initiatedby":
		e.audit = true
		for kind, w := range v.members {
			what := string(kind)
			for member, x := range w.members {
				switch string(member) {
				case "id", "serviceprincipalid":
					e.put(&a.actor.UID, "actor.uid", x, true)
				case "userprincipalname":
					e.put(&a.actor.Name, "actor.name", x, false)
				case "displayname":
					if what == "app" {
						e.put(&a.actor.Name, "actor.name", x, false)
					}
				case "ipaddress":
					e.put(&a.actorIP, "src_endpoint.ip", x, true)
				}
			}
		}
	case "targetresources":
		e.audit = true
		for i, w := range v.items {
			if i == 0 && w.peek() == '{' {
				e.target(w)
			}
		}
	case "additionaldetails":
		for _, w := range v.items {
			var key, value []byte
			for member, x := range w.members {
				switch string(member) {
				case "key":
					key = x.str()
				case "value":
					value = x.str()
				}
			}
			if string(key) == "AppId" {
				a.appID = e.d.id("change.target.uid", value)
			}
		}
	default:
		return false
	}
	return true
}

// target reads what was changed.
func (e *entraRow) target(v *reader) {
	a := &e.change
	for member, x := range v.members {
		switch string(member) {
		case "id":
			a.target.UID = e.d.id("change.target.uid", x.str())
		case "displayname", "userprincipalname":
			if s := e.d.text("change.target.name", x.str()); s != "" {
				a.target.Name = s
			}
		case "type":
			a.targetType = e.d.id("change.type", x.str())
		case "modifiedproperties":
			for _, w := range x.items {
				var name string
				var value []byte
				for key, y := range w.members {
					switch string(key) {
					case "displayname":
						name = e.d.id("change.fields", y.str())
					case "newvalue":
						value = y.str()
					}
				}
				if name == "ServicePrincipal.AppId" || name == "AppId" {
					a.appID = e.d.id("change.target.uid", bytes.Trim(value, `"[] `))
				}
				if name != "" && len(a.fields) < maxList {
					a.fields = append(a.fields, name)
				}
			}
		}
	}
}

// finishAudit makes the event of a change.
func (e *entraRow) finishAudit() {
	ev, a := &e.ev, &e.change
	ev.Class, ev.Kind, ev.Severity = usher.ClassEntityChange, usher.EventAdmin, 1
	e.created = a.when
	e.times()
	ev.Code = e.category
	ev.Message = a.activity
	ev.Tenant = e.tenant
	if e.aadTenant != "" {
		ev.Tenant = e.aadTenant
	}
	ev.Actor, ev.User = a.actor, usher.Party{}
	if a.actorIP != "" {
		ev.Source.IP = a.actorIP
	}
	switch strings.ToLower(a.result) {
	case "success":
		ev.Status = usher.StatusSuccess
	case "failure":
		ev.Status, ev.Severity, ev.StatusDetail = usher.StatusFailure, 2, a.reason
	}
	c := &usher.Change{Operation: auditOperation(a.operation, a.activity), Type: auditType(a.activity, a.targetType), Target: a.target, Fields: a.fields}
	if a.appID != "" && (c.Type == "client" || c.Type == "secret" || c.Type == "consent") {
		if c.Target.UID != "" {
			e.d.keep(ev, "objectId", []byte(c.Target.UID))
		}
		c.Target.UID = a.appID
	}
	if c.Type == "consent" {
		ev.Kind = usher.EventConsent
	}
	ev.Change = c
}

// auditOperation gives create, update, delete or action.
func auditOperation(operation, activity string) string {
	word, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(activity)), " ")
	if operation != "" {
		word = strings.ToLower(operation)
	}
	switch word {
	case "add", "create", "assign", "invite", "consent":
		return "create"
	case "update", "set", "change", "reset", "restore", "enable", "disable":
		return "update"
	case "delete", "remove", "unassign", "hard", "revoke":
		return "delete"
	}
	return "action"
}

// auditType gives the kind of thing that was changed.
func auditType(activity, target string) string {
	activity, target = strings.ToLower(activity), strings.ToLower(target)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(activity, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("credential", "secret", "certificate"):
		return "secret"
	case has("consent", "delegated permission grant", "oauth2permissiongrant", "app role assignment"):
		return "consent"
	case has("role"):
		return "role"
	case has("policy", "named location") || target == "policy":
		return "policy"
	case target == "application" || target == "serviceprincipal" || has("application", "service principal"):
		return "client"
	case target == "user" || target == "group" || has("user", "group"):
		return "user"
	}
	return "other"
}
