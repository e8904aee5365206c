package evidence

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"

	"usher"
	"usher/ingest"
)

// decoder gives the decoder of a kind of source. One is kept for all records of
// a call.
func (r *reader) decoder(kind string) *ingest.Decoder {
	if d := r.decoders[kind]; d != nil {
		return d
	}
	d, err := ingest.NewDecoder(kind, ingest.Options{Places: true, Partial: true})
	if err != nil {
		panic(err) // the kinds are ours
	}
	if r.decoders == nil {
		r.decoders = map[string]*ingest.Decoder{}
	}
	r.decoders[kind] = d
	return d
}

// ingested reads a record by way of the event that it becomes in a log, so that
// what a person pastes and what a server tails mean the same.
func (r *reader) ingested(kind string, v *value, p *piece) bool {
	it, raw, _ := r.newItem(usher.KindLogRecord, v, p)
	d := r.decoder(kind)
	events, err := d.Line([]byte(raw))
	if err != nil || len(events) != 1 { // the row of a table, or JSON with faults that were forgiven
		plain, err := json.Marshal(v.any())
		if err != nil {
			return false
		}
		if events, err = d.Line(plain); err != nil || len(events) != 1 {
			return false
		}
	}
	it.Event, it.Provider = &events[0], kind
	it.eventFacts(func(field string) string {
		for _, e := range it.Event.Evidence {
			if e.Field == field {
				if m := v.pointed(e.Place); m != v {
					return p.place(int(cmp.Or(m.keyAt, m.at))) // an element of a list has no key
				}
			}
		}
		return it.Place
	})
	it.Summary = summary(eventSummary(it.Event))
	if kind == "keycloak" {
		it.Summary = summary(keycloakSummary(it.Event))
	}
	if m, ok := v.any().(map[string]any); ok {
		it.Object = m
	}
	return r.add(it) || true
}

// pointed follows a JSON pointer as far as the members stand in the text.
func (v *value) pointed(pointer string) *value {
	for _, key := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		m := v.fold(key)
		if i, err := strconv.Atoi(key); err == nil && v.is(jsonArray) && 0 <= i && i < len(v.kids) {
			m = &v.kids[i]
		}
		if m == nil {
			if o := v.object(); o != nil && o != v {
				m = o.fold(key)
			}
		}
		if m == nil {
			return v
		}
		v = m
	}
	return v
}
