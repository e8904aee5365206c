// Package ingest turns sign-in logs, access logs and audit logs of every format
// into events.
//
// A Decoder reads a source line by line as it grows; Read reads a whole export.
// Both give the same events for the same records, and an event never holds a
// secret: what looks like one is masked, and Event.Masked names the field.
package ingest

import (
	"fmt"
	"time"

	"usher"
)

// Kinds of sources that a Decoder reads.
const (
	KindKeycloak = "keycloak" // event lines in Keycloak's log, its JSON logs, events of its admin API
	KindEntra    = "entra"    // sign-ins of Entra in each of their four shapes
	KindUsher    = "usher"    // events in usher's own form, from its own doors
	KindAuto     = "auto"     // each line tells for itself
)

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
}

// NewDecoder gives a decoder for a kind of source.
func NewDecoder(kind string, opt Options) (*Decoder, error) {
	switch kind {
	case KindKeycloak, KindEntra, KindUsher, KindAuto:
	default:
		return nil, &usher.Error{
			Code: usher.ErrUsage, Message: fmt.Sprintf("no kind of source is called %q", kind),
			Hint: "use keycloak, entra, usher or auto",
		}
	}
	return &Decoder{kind: kind, opt: opt}, nil
}

// Line gives the events of one line, without its line end. A line that is no
// event gives none and no error. A line that claims to be one and is broken
// gives an error that says what is wrong with it, or an event of kind other
// that does; nothing is known of it then.
func (d *Decoder) Line(line []byte) ([]usher.Event, error) {
	d.line++
	return nil, nil
}

// Read gives the events of a whole export: a JSON array, {"records":[...]},
// {"value":[...]}, one object a line, or a log file, each told by its content.
// Rows of one sign-in become one event. Ignored says which parts were no
// events, up to a limit.
func Read(data []byte, opt Options) ([]usher.Event, []usher.Ignored, error) {
	return nil, nil, nil
}
