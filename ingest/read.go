package ingest

import (
	"bytes"
	"fmt"
	"strings"

	"usher"
)

// maxIgnored is the number of ignored parts that Read names.
const maxIgnored = 100

// MaxRead is the size of the largest export that Read takes, in bytes.
const MaxRead = 256 << 20

// Read gives the events of a whole export: a JSON array, {"records":[...]},
// {"value":[...]}, one object a line, or a log file, each told by its content.
// Rows of one sign-in become one event. Ignored says which parts were broken;
// lines that are no events at all are not named. The error is that of an input
// that cannot be an export; its code is usher.ErrUnreadable or ErrTooLarge.
func Read(data []byte, opt Options) ([]usher.Event, []usher.Ignored, error) {
	name := opt.Source
	if name == "" {
		name = "the export"
	}
	if len(data) > MaxRead {
		return nil, nil, &usher.Error{
			Code: usher.ErrTooLarge, Message: fmt.Sprintf("%s is %d MiB long, the limit is %d", name, len(data)>>20, MaxRead>>20),
			Hint: "cut it by day, or name the file as a source of usher serve",
		}
	}
	if bytes.IndexByte(data[:min(len(data), 1<<12)], 0) >= 0 {
		return nil, nil, &usher.Error{Code: usher.ErrUnreadable, Message: name + " is not text in UTF-8", Hint: "export it as JSON or as text in UTF-8"}
	}
	d, err := NewDecoder(KindAuto, opt)
	if err != nil {
		return nil, nil, err
	}
	r := newMerger()
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if whole(data) {
		d.whole(data, r)
	} else {
		for len(data) > 0 {
			line, rest, _ := bytes.Cut(data, []byte{'\n'})
			data = rest
			events, err := d.Line(line)
			r.add(events)
			if err != nil {
				r.ignore(err, opt.Source, d.line)
			}
		}
	}
	return r.events, r.ignored, nil
}

// whole tells whether data is JSON over several lines, not an object a line.
func whole(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	if len(data) == 0 || data[0] != '{' && data[0] != '[' {
		return false
	}
	line, rest, _ := bytes.Cut(data, []byte{'\n'})
	if len(bytes.TrimSpace(rest)) == 0 {
		return true // one line of any length
	}
	if data[0] == '[' && len(data) > 1 && strings.IndexByte("{[ \t\r\n]\"", data[1]) < 0 {
		return false // a log line that begins with a bracket
	}
	r := &reader{b: line}
	r.skip()
	return r.bad != 0
}

// whole reads JSON documents that stand one behind the other.
func (d *Decoder) whole(data []byte, m *merger) {
	r := &reader{b: data}
	d.line = 1
	for counted := 0; r.peek() == '{' || r.peek() == '['; {
		at := r.i
		r.skip()
		d.line += bytes.Count(data[counted:at], []byte{'\n'})
		counted = at
		d.out, d.errs = nil, nil
		d.document(data[at:r.i])
		m.add(d.out)
		for _, e := range d.errs {
			m.ignore(d.error(e), d.opt.Source, d.line)
		}
	}
	if r.bad == 0 && r.peek() != 0 {
		m.ignore(d.error(fmt.Sprintf("text behind the JSON, at byte %d", r.i+1)), d.opt.Source, d.line)
	}
}

// merger collects events, one for each UID.
type merger struct {
	events  []usher.Event
	ignored []usher.Ignored
	at      map[string]int
}

func newMerger() *merger { return &merger{at: map[string]int{}} }

func (m *merger) add(events []usher.Event) {
	for i := range events {
		if n, known := m.at[events[i].UID]; known {
			Merge(&m.events[n], &events[i])
			continue
		}
		m.at[events[i].UID] = len(m.events)
		m.events = append(m.events, events[i])
	}
}

func (m *merger) ignore(err error, source string, line int) {
	if len(m.ignored) >= maxIgnored {
		return
	}
	if source == "" {
		source = "line"
	}
	m.ignored = append(m.ignored, usher.Ignored{Place: fmt.Sprintf("%s:%d", source, line), Reason: err.Error()})
}
