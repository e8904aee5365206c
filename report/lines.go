package report

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
)

// Value writes any value of a JSON contract as indented JSON, with every string
// masked and nothing in it that could act on a terminal.
func Value(w io.Writer, v any) error { return value(w, v, "  ") }

// Record is Value in one line, for a series of values.
func Record(w io.Writer, v any) error { return value(w, v, "") }

func value(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", indent)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(maskValue(reflect.ValueOf(v)).Interface()); err != nil {
		return err
	}
	_, err := w.Write(PlainJSON(b.Bytes()))
	return err
}

// Lines writes wrapped lines for a person at a terminal, masked and inert.
type Lines struct {
	w   io.Writer
	t   *typing
	err error
}

// Inked makes Lines.
func Inked(w io.Writer, opt TextOptions) *Lines { return &Lines{w: w, t: newTyping(opt)} }

// Bold writes a line that stands out.
func (l *Lines) Bold(s string) { l.t.para("", prose(redact(s)), bold); l.flush() }

// Para writes running text behind a lead.
func (l *Lines) Para(lead, s string) { l.t.para(lead, prose(redact(s))); l.flush() }

// Err tells the first error of writing.
func (l *Lines) Err() error { return l.err }

func (l *Lines) flush() {
	if l.err == nil {
		_, l.err = l.w.Write(l.t.out.Bytes())
	}
	l.t.out.Reset()
}
