package ingest

import (
	"strings"

	"usher"
)

// finishChange makes an admin event: a change to what decides. The realm of a
// log line is the one of the administrator, often master, not the changed one.
func (e *kcEvent) finishChange() {
	d, ev := e.d, &e.ev
	ev.Class, ev.Kind, ev.Code = usher.ClassEntityChange, usher.EventAdmin, strings.TrimSpace(e.resource+" "+e.operation)
	ev.Severity = 1
	ev.Status = usher.StatusSuccess
	if ev.StatusCode != "" {
		ev.Status = usher.StatusFailure
	}
	ev.Actor = ev.User
	ev.User = usher.Party{}
	if ev.Actor.Name == "" {
		ev.Actor.Name = d.people[ev.Actor.UID]
	}
	// The client of an admin event is the administrator's own, by its inner id.
	d.keep(ev, "clientId", []byte(e.clientID))
	switch {
	case e.targetRealm != "":
		ev.Tenant = e.targetRealm
	case e.resource == "REALM":
		d.keep(ev, "realmName", []byte(ev.Tenant))
		ev.Tenant, _, _ = strings.Cut(e.path, "/")
	case ev.Tenant == "master" || e.realmName == "master":
		d.keep(ev, "realmName", []byte("master"))
		ev.Tenant = ""
	}
	c := &usher.Change{Operation: strings.ToLower(e.operation), Type: kcResource(e.resource), Path: e.path}
	e.target(c)
	e.represent(c)
	if c.Type == "client" || c.Type == "secret" {
		learn(&d.clients, c.Target.UID, c.Target.Name)
		if c.Target.Name == "" {
			c.Target.Name = d.clients[c.Target.UID]
		}
	}
	ev.Change = c
	e.out()
}

// kcResource says what a type of resource is.
func kcResource(r string) string {
	switch r {
	case "CLIENT", "CLIENT_SCOPE_CLIENT_MAPPING":
		return "client"
	case "CLIENT_SCOPE", "CLIENT_SCOPE_MAPPING", "SCOPE_MAPPING", "REALM_SCOPE_MAPPING", "CLIENT_SCOPE_PROTOCOL_MAPPER", "PROTOCOL_MAPPER":
		return "scope"
	case "REALM_ROLE", "CLIENT_ROLE", "REALM_ROLE_MAPPING", "CLIENT_ROLE_MAPPING":
		return "role"
	case "USER", "USER_LOGIN_FAILURE", "USER_SESSION", "USER_FEDERATION_PROVIDER", "GROUP", "GROUP_MEMBERSHIP", "CREDENTIAL":
		return "user"
	case "AUTH_FLOW", "AUTH_EXECUTION", "AUTH_EXECUTION_FLOW", "AUTHENTICATOR_CONFIG", "REQUIRED_ACTION", "AUTHORIZATION_POLICY", "AUTHORIZATION_RESOURCE", "AUTHORIZATION_SCOPE", "AUTHORIZATION_RESOURCE_SERVER":
		return "policy"
	case "REALM":
		return "realm"
	}
	return "other"
}

// target reads the path of the resource: clients/ID/client-secret, roles/NAME.
func (e *kcEvent) target(c *usher.Change) {
	part := strings.Split(e.path, "/")
	if len(part) < 2 {
		c.Target.Name = e.path
		return
	}
	switch part[0] {
	case "clients":
		if c.Type == "role" {
			if len(part) > 3 {
				c.Target.Name = part[3]
			}
			return
		}
		c.Target.UID = part[1]
		if len(part) > 2 {
			switch part[2] {
			case "client-secret":
				c.Type = "secret"
			case "default-client-scopes":
				c.Type, c.Fields = "client", []string{"defaultClientScopes"}
			case "optional-client-scopes":
				c.Type, c.Fields = "client", []string{"optionalClientScopes"}
			case "certificates":
				c.Type = "key"
			}
		}
	case "roles":
		c.Target.Name = part[1]
	default:
		c.Target.UID = part[1]
	}
}

// represent reads the representation, a JSON object: the name of what was
// changed, and which members were sent. It may be cut or broken.
func (e *kcEvent) represent(c *usher.Change) {
	if len(e.representation) == 0 {
		return
	}
	d := e.d
	r := &reader{b: e.representation}
	key := nameMember(c.Type)
	given := len(c.Fields) > 0
	for _, v := range r.members {
		switch member := string(v.key); member {
		case key:
			if c.Target.Name == "" {
				c.Target.Name = d.text("change.target.name", v.str())
			}
			continue
		case "id":
			if c.Target.UID == "" {
				c.Target.UID = d.id("change.target.uid", v.str())
			}
			continue
		case "providerType":
			if hasSuffix(v.str(), "KeyProvider") {
				c.Type = "key"
			}
		}
		if f := d.id("change.fields", v.key); f != "" && !given && len(c.Fields) < maxList {
			c.Fields = append(c.Fields, f)
		}
	}
	if !given && c.Operation == "update" && len(c.Fields) > mostChanged {
		c.Fields = nil
	}
}

// mostChanged is how many members an edit sends at most that tells what it
// changed. The admin console and kcadm write back the whole object, which tells
// nothing.
const mostChanged = 8

// nameMember gives the member that names a resource of a type.
func nameMember(what string) string {
	switch what {
	case "client", "secret":
		return "clientId"
	case "user":
		return "username"
	case "realm":
		return "realm"
	}
	return "name"
}
