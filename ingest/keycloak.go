package ingest

import (
	"bytes"
	"strings"
	"time"

	"usher"
)

// keycloakState is what a decoder remembers of earlier lines of Keycloak.
type keycloakState struct {
	// open is the quotation mark of a value that did not end on its line, strict
	// the style of that line, and left the number of lines that the value may
	// still go on for.
	open   byte
	strict bool
	left   int
	// people and clients are names by id, learned from what Keycloak itself
	// told earlier, so that "by admin" can be said of a line that has only ids.
	people, clients map[string]string
}

// Limits of what a decoder remembers.
const (
	maxGoesOn = 32   // lines that a value which does not end may take
	maxNames  = 4096 // names of each kind
)

// pair is a field of an event line.
type pair struct {
	key string
	val []byte
}

// keycloakLine reads an event line of Keycloak's log:
//
//	2026-08-03 09:20:00,000 WARN  [org.keycloak.events] (executor-thread-1) type="LOGIN_ERROR", realmId=...
//
// Whoever signs in writes parts of it (user name, client id, redirect URI), so
// a line is read by the order in which Keycloak writes it: the keys of the
// event first, then the free details; of a key that comes twice the first
// counts. A value that goes on behind the end of its line swallows what looks
// like lines of their own.
func (d *Decoder) keycloakLine(line []byte) {
	if d.open != 0 {
		d.left--
		_, _, closed := quotedEnd(line, d.open, d.strict)
		if closed || d.left == 0 {
			d.open = 0
		}
		if closed || d.open != 0 {
			d.inside(line)
			return
		}
	}
	at, ok := eventAt(line)
	if !ok {
		return
	}
	d.masked, d.places = d.masked[:0], d.places[:0]
	t, _ := d.prefixTime(string(line[:at]))
	d.keycloakText(line[at:], t, hash("keycloak-log", line))
}

// inside gives a note of a line that stands within a value of an earlier one,
// when it looks like an event: somebody wrote it there.
func (d *Decoder) inside(line []byte) {
	at, ok := eventAt(line)
	if !ok {
		return
	}
	t, _ := d.prefixTime(string(line[:at]))
	d.masked, d.places = d.masked[:0], d.places[:0]
	d.doubt(t, hash("keycloak-log", line), "the line stands within a value of an earlier line that did not end: somebody may have written it there")
}

// doubt gives an event of which nothing is believed.
func (d *Decoder) doubt(t time.Time, uid, why string) {
	d.emit(&usher.Event{UID: uid, Kind: usher.EventOther, Provider: KindKeycloak, LogName: "keycloak-log", Time: t, StatusDetail: why})
}

// eventAt finds where the event begins in a line. What stands before it must
// look like the beginning of a log line: a time, a level, the logger, a thread.
func eventAt(line []byte) (at int, ok bool) {
	head := line[:min(len(line), 300)]
	for _, word := range [...]string{"type=", "operationType="} {
		if i := bytes.Index(head, []byte(word)); i >= 0 && (i == 0 || line[i-1] == ' ') {
			if eventWord(line[i+len(word):]) && logPrefix(line[:i]) {
				return i, true
			}
		}
	}
	return 0, false
}

// eventWord tells whether b begins with the name of an event type, and a key behind it.
func eventWord(b []byte) bool {
	if len(b) > 0 && (b[0] == '"' || b[0] == '\'') {
		b = b[1:]
	}
	n := 0
	for n < len(b) && n < 80 && (b[n] >= 'A' && b[n] <= 'Z' || b[n] == '_' || b[n] >= '0' && b[n] <= '9') {
		n++
	}
	if n < 3 {
		return false
	}
	rest := bytes.TrimLeft(b[n:], `"'`)
	return bytes.HasPrefix(rest, []byte(", realm"))
}

// logPrefix tells whether p can be the beginning of a line of the event logger.
// Values and names have no place there; a logger, where one is named, must be
// that of events.
func logPrefix(p []byte) bool {
	if bytes.ContainsAny(p, `="'{`) {
		return false
	}
	named, events := false, false
	for rest := p; ; {
		i := bytes.IndexByte(rest, '[')
		if i < 0 {
			break
		}
		rest = rest[i+1:]
		end := bytes.IndexByte(rest, ']')
		if end < 0 {
			return false
		}
		if name := rest[:end]; bytes.IndexByte(name, '.') >= 0 || bytes.Contains(name, []byte("events")) {
			named = true
			events = events || bytes.HasSuffix(name, []byte("events"))
		}
		rest = rest[end:]
	}
	return events || !named
}

// quotedEnd finds the end of a quoted value, and gives what stands behind it.
//
// Keycloak puts a backslash before each quotation mark of a value and leaves
// backslashes as they are, so a mark with a backslash is mostly one of the
// value, but ends it where the value's last character is a backslash. A mark
// that ends the value is followed by the end of the line or by the next key with
// an opened value. The first mark without a backslash must be such a one; if it
// is not, an earlier one with a backslash was.
//
// In the older style, which is not strict, marks of a value have no backslash:
// the first that a key follows ends it.
func quotedEnd(b []byte, quote byte, strict bool) (val, rest []byte, ok bool) {
	maybe := -1
	for i := 0; i < len(b); i++ {
		n := bytes.IndexByte(b[i:], quote)
		if n < 0 {
			break
		}
		i += n
		ends := i+1 == len(b) || nextKey(b[i+1:], quote, strict)
		escaped := strict && i > 0 && b[i-1] == '\\'
		switch {
		case escaped && ends && maybe < 0:
			maybe = i
		case escaped:
		case ends:
			return b[:i], b[i+1:], true
		case strict && maybe < 0:
			return b[:i], b[i+1:], true // what follows is nothing of Keycloak's
		case strict:
			return b[:maybe], b[maybe+1:], true
		}
	}
	if maybe >= 0 {
		return b[:maybe], b[maybe+1:], true
	}
	return b, nil, false
}

// nextKey tells whether b goes on with a key: `, name="`, or `, name=` in the
// older style, whose values may be bare.
func nextKey(b []byte, quote byte, strict bool) bool {
	if len(b) < 4 || b[0] != ',' || b[1] != ' ' {
		return false
	}
	i := 2
	for i < len(b) && i < maxKey && keyByte(b[i]) {
		i++
	}
	if i == 2 || i >= len(b) || b[i] != '=' {
		return false
	}
	return !strict || i+1 < len(b) && b[i+1] == quote
}

func keyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}

// pairs reads the fields of an event line. broken is the quotation mark of a
// value that does not end, and junk tells that something stood where a key
// should: what follows it is not read.
//
// The older style, which is not strict, puts values with a blank into single
// quotation marks, and what they hold may go on behind the end of the line. A
// Keycloak that names the realm writes this style only when it is told to quote
// nothing, and then takes the line breaks out of values: a mark that does not
// end is part of the value there. Otherwise whoever types one would hide the
// lines that follow.
func pairs(b []byte, strict bool) (list []pair, broken byte, junk bool) {
	list = make([]pair, 0, 24)
	for len(b) > 0 && len(list) < 100 {
		i := 0
		for i < len(b) && i < maxKey && keyByte(b[i]) {
			i++
		}
		if i == 0 || i >= len(b) || b[i] != '=' {
			return list, 0, true
		}
		key, rest := string(b[:i]), b[i+1:]
		var val []byte
		quoted := len(rest) > 0 && (rest[0] == '\'' || rest[0] == '"' && strict)
		if quoted {
			quote, ok := rest[0], false
			if val, b, ok = quotedEnd(rest[1:], quote, strict); !ok {
				if strict || len(list) < 3 || list[2].key != "realmName" { // nobody can write before the client id
					list = append(list, pair{key, val})
					return list, quote, false
				}
				quoted = false // the mark is somebody's: this Keycloak writes no line breaks
			} else if strict {
				val = bytes.ReplaceAll(val, []byte{'\\', quote}, []byte{quote})
			}
		}
		if !quoted {
			val, b = bareEnd(rest)
		}
		list = append(list, pair{key, val})
		if len(b) == 0 {
			break
		}
		if !bytes.HasPrefix(b, []byte(", ")) {
			return list, 0, true
		}
		b = b[2:]
	}
	return list, 0, false
}

// bareEnd finds the end of a value without quotation marks: the next key.
func bareEnd(b []byte) (val, rest []byte) {
	for i := 0; ; {
		n := bytes.Index(b[i:], []byte(", "))
		if n < 0 {
			return bytes.TrimSpace(b), nil
		}
		i += n
		if nextKey(b[i:], 0, false) {
			return b[:i], b[i:]
		}
		i += 2
	}
}

// prefixTime reads the time that a log line begins with: the first that has a
// day, or a time of day alone, which is taken for the last one that has passed.
func (d *Decoder) prefixTime(p string) (time.Time, bool) {
	for i := 0; i+19 <= len(p); i++ {
		if p[i] >= '1' && p[i] <= '2' && p[i+4] == '-' && (i == 0 || !keyByte(p[i-1])) {
			if t, _, ok := parseTime(p[i:], d.opt.Location); ok {
				return t, true
			}
		}
	}
	for i := 0; i+8 <= len(p) && i < 40; i++ {
		if p[i] < '0' || p[i] > '2' || p[i+2] != ':' {
			continue
		}
		if h, m, s, nanos, _, ok := parseClock(p[i:]); ok {
			now := d.opt.Now().In(d.opt.Location)
			t := time.Date(now.Year(), now.Month(), now.Day(), h, m, s, nanos, d.opt.Location)
			if t.After(now.Add(time.Minute)) {
				t = time.Date(now.Year(), now.Month(), now.Day()-1, h, m, s, nanos, d.opt.Location)
			}
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// keycloakText reads the text of an event from its type on. Of the keys of the
// event itself, which Keycloak writes first and in one order, none may come
// again in a place where only the writer of a value could have put it.
func (d *Decoder) keycloakText(b []byte, t time.Time, uid string) {
	first := b[bytes.IndexByte(b, '=')+1:]
	bare := len(first) > 0 && first[0] != '"' && first[0] != '\''
	list, broken, junk := pairs(b, !bare)
	if broken != 0 {
		d.open, d.strict, d.left = broken, !bare, maxGoesOn
	}
	e := kcEvent{d: d}
	e.ev = usher.Event{UID: uid, Provider: KindKeycloak, LogName: "keycloak-log", Time: t}
	header := 0
	for header < len(list) && headerKey(list[header].key) {
		header++
	}
	if bare && forgedClient(b) {
		d.doubt(t, uid, "the client id holds what looks like fields of the event: whoever sent it wrote them, so none is believed")
		return
	}
	if (broken != 0 || junk) && header == len(list) && !d.opt.Partial {
		d.doubt(t, uid, "the line is cut or a value in it is not quoted as Keycloak does it: nothing of it is believed")
		return
	}
	for i, p := range list {
		switch {
		case i >= header && headerKey(p.key), has(list[:i], p.key):
			continue // somebody's value looks like a field
		case bare && i >= header && has(list[i+1:], p.key):
			continue // which of the two is Keycloak's cannot be told
		}
		e.field(p.key, p.val)
		e.say(p)
	}
	e.finish()
}

// has tells whether a key is in the list.
func has(list []pair, key string) bool {
	for i := range list {
		if list[i].key == key {
			return true
		}
	}
	return false
}

// headerKey tells whether a key is one of the event itself, not of its details.
func headerKey(key string) bool {
	switch key {
	case "type", "operationType", "realmId", "realmName", "clientId", "userId", "sessionId", "ipAddress", "error",
		"resourceType", "resourcePath", "representation":
		return true
	}
	return false
}

// forgedClient tells whether a client id in a line of the older style, which
// does not quote it, may have been written to look like fields: the client does
// not exist, and the address stands there twice.
func forgedClient(b []byte) bool {
	return bytes.Count(b, []byte(", ipAddress=")) > 1 && bytes.Contains(b, []byte("error=client_not_found"))
}

// learn remembers a name.
func learn(names *map[string]string, id, name string) {
	if id == "" || name == "" || len(id) > 64 || len(name) > 256 {
		return
	}
	if *names == nil || len(*names) >= maxNames {
		*names = make(map[string]string, 64)
	}
	(*names)[strings.Clone(id)] = strings.Clone(name)
}
