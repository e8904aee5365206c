package report

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"

	"usher/oauth"
)

// Value writes any value of a JSON contract as indented JSON, with every string
// masked but the public ids in show, and nothing in it that could act on a
// terminal.
func Value(w io.Writer, v any, show ...string) error { return value(w, v, "  ", show) }

// Record is Value in one line, for a series of values.
func Record(w io.Writer, v any, show ...string) error { return value(w, v, "", show) }

func value(w io.Writer, v any, indent string, show []string) error {
	m := masker{ids: answerIDs}
	for _, id := range show {
		m.known.Show(id)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", indent)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m.mask(reflect.ValueOf(v), "").Interface()); err != nil {
		return err
	}
	_, err := w.Write(PlainJSON(b.Bytes()))
	return err
}

// Lines writes wrapped lines for a person at a terminal, masked and inert.
type Lines struct {
	w     io.Writer
	t     *typing
	known oauth.Redactor
	err   error
}

// Inked makes Lines that mask everything but the public ids in show.
func Inked(w io.Writer, opt TextOptions, show ...string) *Lines {
	l := &Lines{w: w, t: newTyping(opt)}
	for _, id := range show {
		l.known.Show(id)
	}
	return l
}

// Bold writes a line that stands out.
func (l *Lines) Bold(s string) { l.t.para("", prose(l.known.Redact(s)), bold); l.flush() }

// Para writes running text behind a lead.
func (l *Lines) Para(lead, s string) { l.t.para(lead, prose(l.known.Redact(s))); l.flush() }

// Err tells the first error of writing.
func (l *Lines) Err() error { return l.err }

func (l *Lines) flush() {
	if l.err == nil {
		_, l.err = l.w.Write(l.t.out.Bytes())
	}
	l.t.out.Reset()
}
