package ingest

import (
	"time"

	"usher"
)

// keycloakJSON reads an object of Keycloak: a line of a JSON log, whose message
// is an event line, or an event as the admin API and the event store give it.
func (d *Decoder) keycloakJSON(b []byte) {
	r := &reader{b: b}
	var message, logger, stamp []byte
	var when time.Time
	e := kcEvent{d: d, under: "/"}
	e.ev = usher.Event{Provider: KindKeycloak, LogName: "keycloak-json"}
	stored := false
	for name, v := range r.members {
		switch string(name) {
		case "message", "msg", "log":
			if v.peek() == '{' { // ECS nests log.level and log.logger
				for inner, w := range v.members {
					if string(inner) == "logger" {
						logger = w.str()
					}
				}
				continue
			}
			message = v.str()
		case "loggername", "logger", "log.logger", "category":
			logger = v.str()
		case "timestamp", "@timestamp":
			stamp = v.str()
		case "time":
			if v.peek() == '"' {
				stamp = v.str()
			} else if n, ok := v.number(); ok && n > 0 && n < 1<<53 {
				when = unixMilli(n)
			}
			d.at("time", "/time")
		case "details":
			e.under = "/details/"
			for _, w := range v.members {
				if !headerKey(string(w.key)) {
					e.member(w)
				}
			}
			e.under = "/"
		case "authdetails":
			e.actor(v)
		case "type", "operationtype":
			stored = true
			e.member(v)
		case "id", "realmid", "realmname", "clientid", "userid", "sessionid", "ipaddress", "error", "resourcetype", "resourcepath", "representation":
			e.member(v)
		}
	}
	if r.bad != 0 {
		d.problem("the JSON is broken at byte %d", r.bad)
		return
	}
	if t, _, ok := parseTime(string(stamp), d.opt.Location); ok {
		when = t
	}
	if message != nil && !stored {
		d.keycloakMessage(message, logger, when, b)
		return
	}
	if !stored || e.realmID == "" && e.realmName == "" && !e.changed || !eventName(e.ev.Code) && !e.changed {
		return
	}
	e.ev.Time = when
	d.buf = compact(d.buf[:0], b)
	e.ev.UID = hash("keycloak-json", d.buf)
	if e.changed {
		e.targetRealm = e.realmID
		if e.realmName != "" {
			e.targetRealm = e.realmName
		}
	}
	e.finish()
}

// eventName tells whether s is written as Keycloak writes types of events.
func eventName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && c != '_' && (c < '0' || c > '9') {
			return false
		}
	}
	return len(s) > 2
}

// keycloakMessage reads the message of a JSON log line. What stands in a JSON
// string cannot leave it, so nothing here can be a forged line.
func (d *Decoder) keycloakMessage(message, logger []byte, when time.Time, record []byte) {
	if len(logger) > 0 && !hasSuffix(logger, "events") {
		return
	}
	at, ok := eventAt(message)
	if !ok {
		return
	}
	if when.IsZero() || len(logger) == 0 { // a container's wrapping of a text log
		if t, ok := d.prefixTime(string(message[:at])); ok {
			when = t
		}
	}
	d.buf = compact(d.buf[:0], record)
	uid := hash("keycloak-log", d.buf)
	for len(message) > 0 && (message[len(message)-1] == '\n' || message[len(message)-1] == '\r') {
		message = message[:len(message)-1]
	}
	d.keycloakText(message[at:], when, uid)
	d.open = 0
}

func hasSuffix(b []byte, s string) bool { return len(b) >= len(s) && string(b[len(b)-len(s):]) == s }

// member takes a member of the event's JSON.
func (e *kcEvent) member(v *reader) {
	key := string(v.key)
	if len(key) > maxKey {
		return
	}
	if c := v.peek(); c == '{' || c == '[' {
		return
	}
	if val := v.str(); len(val) > 0 {
		e.field(key, val)
	}
}

// actor reads authDetails: who made a change.
func (e *kcEvent) actor(v *reader) {
	e.changed, e.under = true, "/authDetails/"
	for name, w := range v.members {
		switch string(name) {
		case "userid", "clientid", "ipaddress":
			e.member(w)
		case "username":
			e.ev.User.Name = e.d.text("actor.name", w.str())
		}
	}
	e.under = "/"
}
