// Package evidence recognises and reads whatever a person has.
//
// [Read] takes everything of one call, finds out what each input is and gives
// its content in one form: [Item]. An input may hold several things: a log
// line with a JSON body in it, a HAR with a whole flow. What was not used is
// in Ignored, and why.
//
// Every limit is fixed, so that time and memory stay bounded whatever comes
// in: see MaxStructured and the constants beside it. Nothing that the evidence
// names is opened, followed or run.
package evidence

import (
	"fmt"
	"strconv"
	"strings"

	"usher"
	"usher/ingest"
)

// maxItems is the number of items that one call gives at most.
const maxItems = 400

// maxIgnored bounds what is said of the ignored parts.
const maxIgnored = 100

// reader holds the state of one call.
type reader struct {
	set     *Set
	context bool
	known   map[string]bool
	longest []usher.Secret // the set's secrets by length, the longest first
	full    bool
	work    int // bytes that embedded texts may still cost
	started int // items before this input

	decoders map[string]*ingest.Decoder // of the records of providers, see ingested
}

// Read recognises and reads every input. What could not be used is in the
// set's Ignored; the error, a *usher.Error that names the place, is for a call
// in which no input could be read at all.
func Read(inputs []Input) (*Set, error) {
	r := &reader{set: &Set{}}
	var first error
	for i := range inputs {
		if err := r.input(&inputs[i]); err != nil {
			if first == nil {
				first = err
			}
			r.ignore(inputs[i].Name, err.Error())
		}
	}
	if len(r.set.Items) == 0 {
		if first == nil && len(r.set.Ignored) > 0 {
			i := r.set.Ignored[0]
			first = &usher.Error{
				Code: usher.ErrUnreadable, Message: i.Place + ": " + i.Reason,
				Hint: "give the error text, the log line or the whole answer",
			}
		}
		if first == nil {
			first = &usher.Error{
				Code: usher.ErrUsage, Message: "nothing was given to read",
				Hint: "paste the error text, or name a file that holds it",
			}
		}
		return nil, first
	}
	return r.set, nil
}

func (r *reader) input(in *Input) error {
	r.context = in.Context
	r.started = len(r.set.Items)
	name := in.Name
	if name == "" {
		name = "input"
	}
	if len(in.Data) > MaxStructured {
		head, tail, tailLine, note := windows(name, in.Data)
		d, err := decode(name, head)
		if err != nil {
			return err
		}
		r.note(note)
		r.notes(d.notes)
		r.whole(&source{name: name, text: d.text})
		if d, err := decode(name, tail); err == nil {
			r.whole(&source{name: name, text: d.text, line: tailLine})
		}
		return nil
	}
	d, err := decode(name, in.Data)
	if err != nil {
		return err
	}
	r.notes(d.notes)
	ignored := len(r.set.Ignored)
	r.whole(&source{name: name, text: d.text})
	if len(r.set.Items) == r.started && len(r.set.Ignored) == ignored {
		r.ignore(name, "nothing in it was recognised")
	}
	return nil
}

// whole reads one decoded text.
func (r *reader) whole(src *source) {
	r.work = 4*len(src.text) + 1<<16
	p := piece{src: src, text: src.text}
	r.read(&p)
}

// add keeps an item. It gives false when there are too many.
func (r *reader) add(it *Item) bool {
	if len(r.set.Items) >= maxItems {
		if !r.full {
			r.full = true
			r.ignore(it.Place, fmt.Sprintf("there are more than %d pieces of evidence; the rest from here on was left out", maxItems))
		}
		return false
	}
	it.Context = r.context
	if it.Context && (it.Kind == usher.KindStatement || it.Kind == usher.KindErrorText) {
		it.Kind = usher.KindContext
	}
	it.derive()
	it.Summary = r.shown(it.Summary)
	r.set.Items = append(r.set.Items, *it)
	return true
}

func (r *reader) ignore(place, reason string) {
	if len(r.set.Ignored) < maxIgnored {
		r.set.Ignored = append(r.set.Ignored, usher.Ignored{Place: place, Reason: r.mask(reason)})
	}
}

func (r *reader) note(s string) {
	if len(r.set.Notes) >= maxIgnored {
		return
	}
	for _, n := range r.set.Notes {
		if n == s {
			return
		}
	}
	r.set.Notes = append(r.set.Notes, s)
}

func (r *reader) notes(list []string) {
	for _, n := range list {
		r.note(n)
	}
}

// maxSummary is the length of a summary before it is masked and shortened.
const maxSummary = 16 << 10

// summary takes the first line of a text. Shortening it is left to shown: half
// a credential cannot be masked any more.
func summary(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		s = s[:i]
	}
	if len(s) <= maxSummary {
		return s
	}
	s = s[:maxSummary]
	if i := strings.LastIndexByte(s, ' '); i >= 0 {
		return s[:i] // the last word may be cut
	}
	return "a line of more than 16 KiB"
}

// shown masks the credentials of a line and makes it short enough for a list.
func (r *reader) shown(s string) string {
	const most = 120
	s = r.mask(summary(s))
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "\u2026"
}

func itoa(n int) string { return strconv.Itoa(n) }
