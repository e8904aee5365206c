package lab

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf16"
)

// pair is one key and value of a line.
type pair struct{ key, value string }

// userEvent is one event of Keycloak as its logging listener writes it.
type userEvent struct {
	realm   string // name; empty: the lab's
	kind    string // "LOGIN"; with failure the ending _ERROR is added
	client  string
	user    string // id
	session string
	ip      string
	failure string // Keycloak's error code
	details []pair
	parent  string // authSessionParentId, where there is a tab
	tab     string // authSessionTabId
}

// realmID gives the internal id of a realm.
func realmID(name string) string { return madeID("realm", name) }

// logEvent writes a user event. Keycloak writes an absent client or user as null.
func (l *Lab) logEvent(e userEvent) {
	orNull := func(s string) string {
		if s == "" {
			return "null"
		}
		return s
	}
	level, kind, realm := "INFO ", e.kind, cmp.Or(e.realm, l.opt.Realm)
	if e.failure != "" {
		level, kind = "WARN ", e.kind+"_ERROR"
	}
	line := []pair{
		{"type", kind},
		{"realmId", realmID(realm)},
		{"realmName", realm},
		{"clientId", orNull(e.client)},
		{"userId", orNull(e.user)},
	}
	if e.session != "" {
		line = append(line, pair{"sessionId", e.session})
	}
	line = append(line, pair{"ipAddress", e.ip})
	if e.failure != "" {
		line = append(line, pair{"error", e.failure})
	}
	line = append(line, javaOrder(e.details)...)
	if e.tab != "" {
		line = append(line, pair{"authSessionParentId", e.parent}, pair{"authSessionTabId", e.tab})
	}
	l.logLine(level, line)
}

// adminEvent is a change to the realm as Keycloak's listener writes it.
type adminEvent struct {
	operation      string // CREATE, UPDATE, DELETE, ACTION
	realm          string // the name of the actor's realm
	client, user   string // internal ids of the actor's client and user
	ip             string
	resource, path string
	representation string // JSON, secrets masked
}

func (l *Lab) logAdmin(e adminEvent) {
	line := []pair{
		{"operationType", e.operation},
		{"realmId", realmID(e.realm)},
		{"realmName", e.realm},
		{"clientId", e.client},
		{"userId", e.user},
		{"ipAddress", e.ip},
		{"resourceType", e.resource},
		{"resourcePath", e.path},
	}
	if e.representation != "" {
		line = append(line, pair{"representation", e.representation})
	}
	l.logLine("INFO ", line)
}

func (l *Lab) logLine(level string, pairs []pair) {
	var b strings.Builder
	b.WriteString(strings.Replace(l.now().In(l.opt.Zone).Format("2006-01-02 15:04:05.000"), ".", ",", 1))
	b.WriteString(" " + level + " [org.keycloak.events] (executor-thread-1) ")
	for i, p := range pairs {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.key + `="`)
		writeQuoted(&b, p.value)
		b.WriteByte('"')
	}
	l.log.line([]byte(b.String()))
}

// writeQuoted writes a value as Keycloak does: quotes behind a backslash, and
// one blank for each run of white space, so that no value makes a line. A
// backslash stays as it is.
func writeQuoted(b *strings.Builder, value string) {
	blank := false
	for _, r := range value {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			if !blank {
				b.WriteByte(' ')
			}
			blank = true
			continue
		}
		blank = false
		if r == '"' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
}

// javaOrder puts details into the order in which Keycloak's HashMap gives them.
func javaOrder(details []pair) []pair {
	size := 16
	for len(details)*4 > size*3 {
		size *= 2
	}
	buckets := make([][]pair, size)
	for _, d := range details {
		h := javaHash(d.key)
		h ^= h >> 16
		i := int(h & uint32(size-1)) //nolint:gosec // size is small
		buckets[i] = append(buckets[i], d)
	}
	var sorted []pair
	for _, b := range buckets {
		sorted = append(sorted, b...)
	}
	return sorted
}

// javaHash is String.hashCode.
func javaHash(s string) uint32 {
	var h uint32
	for _, u := range utf16.Encode([]rune(s)) {
		h = 31*h + uint32(u)
	}
	return h
}
