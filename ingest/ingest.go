// Package ingest turns sign-in logs, access logs and audit logs of every format
// into events.
//
// A Decoder reads a source line by line as it grows; Read reads a whole export.
// Both give the same events for the same records, and an event never holds a
// secret: what looks like one is masked, and Event.Masked names the field.
//
// An event's UID is made of the kind of source and the record's own id, so the
// same sign-in in another shape, or read twice, is the same event. A log line
// has no id: its UID is made of the whole line. Two lines that are equal to the
// last byte (time, thread, session) therefore count once. That is what a log
// shipper's second delivery looks like, and it keeps UIDs the same wherever in
// a file the reading began; two real tries that differ in nothing, within one
// millisecond and one thread, are the price.
package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"usher"
)

// Kinds of sources that a Decoder reads.
const (
	KindKeycloak = "keycloak" // event lines in Keycloak's log, its JSON logs, events of its admin API
	KindEntra    = "entra"    // sign-ins of Entra in each of their four shapes, and its audit log
	KindUsher    = "usher"    // events in usher's own form, from its own doors
	KindAuto     = "auto"     // each line tells for itself
)

// MaxLine is the length of the longest line that is read, in bytes.
const MaxLine = 1 << 20

// Options say what a record itself does not tell.
type Options struct {
	// Location is the zone of times that name none; nil is UTC.
	Location *time.Location
	// Source names the input in places and errors: a file name, "stdin".
	Source string
	// Now is the clock for times that lack a day (WildFly's log lines); nil is
	// time.Now.
	Now func() time.Time
	// Places asks for Event.Evidence: where in the record each value stood.
	Places bool
	// Partial also gives records that lack a time, as people paste them.
	// Validate refuses such events.
	Partial bool
}

// Decoder turns the lines of one source into events. It keeps a little state
// between lines and is for one goroutine.
type Decoder struct {
	kind string
	opt  Options
	line int
	keycloakState

	words  *words
	masked []string           // fields of the record at hand in which something was masked
	places []usher.FieldPlace // of the record at hand
	out    []usher.Event
	errs   []string
	buf    []byte
}

// NewDecoder gives a decoder for a kind of source.
func NewDecoder(kind string, opt Options) (*Decoder, error) {
	switch kind {
	case KindKeycloak, KindEntra, KindUsher, KindAuto:
	default:
		return nil, &usher.Error{
			Code: usher.ErrUsage, Message: fmt.Sprintf("no kind of source is called %q", cut(kind, 40)),
			Hint: "use keycloak, entra, usher or auto",
		}
	}
	if opt.Location == nil {
		opt.Location = time.UTC
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Decoder{kind: kind, opt: opt, words: &words{seed: maphash.MakeSeed()}}, nil
}

// Line gives the events of one line, without its line end. A line that is no
// event gives none and no error. A line that claims to be one and cannot be
// believed gives an event of kind other, status unknown, whose StatusDetail
// says why; one that is broken gives an error. With an error there may still be
// events: those of the line's other records.
func (d *Decoder) Line(line []byte) ([]usher.Event, error) {
	d.line++
	d.out, d.errs = nil, nil
	line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	line = bytes.TrimRight(line, " \t\r\n")
	if len(line) > MaxLine {
		return nil, d.error(fmt.Sprintf("the line is %d KiB long, the limit is %d", len(line)>>10, MaxLine>>10))
	}
	start := len(line) - len(bytes.TrimLeft(line, " \t"))
	switch b := line[start:]; {
	case len(b) == 0:
	case b[0] == '{' || b[0] == '[' && len(b) > 1 && (b[1] == '{' || b[1] == ']'):
		d.document(bytes.TrimSuffix(b, []byte(",")))
	case d.kind == KindKeycloak || d.kind == KindAuto:
		d.keycloakLine(line)
	}
	if len(d.errs) > 0 {
		return d.out, d.error(strings.Join(d.errs, "; "))
	}
	return d.out, nil
}

// error says what is wrong with the line at hand.
func (d *Decoder) error(what string) error {
	where := fmt.Sprintf("line %d", d.line)
	if d.opt.Source != "" {
		where = fmt.Sprintf("%s:%d", d.opt.Source, d.line)
	}
	return &usher.Error{Code: usher.ErrUnreadable, Message: where + ": " + what}
}

// problem notes that a record is broken.
func (d *Decoder) problem(format string, args ...any) {
	if len(d.errs) < 8 {
		d.errs = append(d.errs, fmt.Sprintf(format, args...))
	}
}

// document reads the records of one JSON text: an object, a list, or a list in
// the wrapping of an export.
func (d *Decoder) document(b []byte) {
	r := &reader{b: b}
	if r.peek() == '[' {
		for _, v := range r.items {
			if v.peek() != '{' {
				continue
			}
			at := v.i
			v.skip()
			d.object(v.b[at:v.i])
		}
	} else if d.kind == KindEntra {
		r.i = d.object(b) // one walk is enough, and this is where speed counts
	} else if r.skip(); r.bad == 0 {
		d.object(b[:r.i])
	}
	if r.bad == 0 && r.peek() != 0 {
		d.problem("text behind the JSON, at byte %d", r.i+1)
	}
	if r.bad != 0 {
		d.problem("the JSON is broken at byte %d", r.bad)
	}
}

// object reads the JSON object that b begins with: a record, or the wrapping of
// several. It gives the object's length.
func (d *Decoder) object(b []byte) int {
	kind, list := d.sniff(b)
	if list != nil {
		r := &reader{b: b}
		r.skip()
		d.document(list)
		return r.i
	}
	d.masked, d.places = d.masked[:0], d.places[:0]
	switch kind {
	case KindEntra:
		return d.entra(b)
	case KindKeycloak:
		d.keycloakJSON(b)
	case KindUsher:
		d.own(b)
	}
	return len(b)
}

// sniff tells what an object is by the names of its members, never by one
// alone. list is the list in a wrapping.
func (d *Decoder) sniff(b []byte) (kind string, list []byte) {
	const (
		uid = 1 << iota
		status
		kindWord
		typeWord
		realm
		operation
		resource
		message
		logger
	)
	seen, n := 0, 0
	r := &reader{b: b}
	for name, v := range r.members {
		n++
		switch string(name) {
		case "records", "value":
			if v.peek() == '[' {
				at := v.i
				v.skip()
				list = v.b[at:v.i]
			}
		case "uid":
			seen |= uid
		case "status_id":
			seen |= status
		case "kind":
			seen |= kindWord
		case "type":
			seen |= typeWord
		case "realmid", "realmname":
			seen |= realm
		case "operationtype":
			seen |= operation
		case "resourcetype", "resourcepath":
			seen |= resource
		case "message", "msg", "log":
			seen |= message
		case "loggername", "logger", "log.logger", "loggerclassname", "stream", "ecs.version":
			seen |= logger
		}
		if d.kind == KindEntra && list == nil && n == 4 {
			return KindEntra, nil // the wrapping has its list among the first
		}
	}
	if list != nil && n <= 4 {
		return "", list
	}
	if d.kind != KindAuto {
		return d.kind, nil
	}
	has := func(bits int) bool { return seen&bits == bits }
	switch {
	case has(uid | kindWord | status):
		return KindUsher, nil
	case has(typeWord | realm), has(operation | resource), has(message | logger):
		return KindKeycloak, nil
	}
	return KindEntra, nil
}

// emit gives an event out.
func (d *Decoder) emit(ev *usher.Event) {
	if ev.Time.IsZero() && !d.opt.Partial {
		d.problem("a record of %s has no time that can be read", cut(ev.Provider, 20))
		return
	}
	if len(d.masked) > 0 {
		slices.Sort(d.masked)
		ev.Masked = slices.Clone(slices.Compact(d.masked))
	}
	if len(d.places) > 0 {
		ev.Evidence = slices.Clone(d.places)
	}
	d.out = append(d.out, *ev)
}

// at notes where in the record the value of a field stood.
func (d *Decoder) at(field, place string) {
	if d.opt.Places && len(d.places) < 256 {
		d.places = append(d.places, usher.FieldPlace{Field: field, Place: place})
	}
}

// hash makes a UID of the kind of source and what makes the record itself.
func hash(kind string, record []byte) string {
	h := sha256.New()
	h.Write([]byte(kind))
	h.Write([]byte{'\n'})
	h.Write(record)
	var sum [sha256.Size]byte
	return hex.EncodeToString(h.Sum(sum[:0])[:16])
}

// keep puts what has no field into Unmapped.
func (d *Decoder) keep(ev *usher.Event, name string, b []byte) {
	if len(b) == 0 || len(ev.Unmapped) >= maxUnknown || len(name) > maxKey {
		return
	}
	field := "unmapped." + name
	if s := d.clean(field, b, strings.HasSuffix(name, "Id") || strings.HasSuffix(name, "_id")); s != "" {
		if ev.Unmapped == nil {
			ev.Unmapped = make(map[string]string, 8)
		}
		ev.Unmapped[name] = s
	}
}
