package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"usher"
)

// Event reads the one event of a line in usher's own form, as strictly as Line
// reads a source of KindUsher. The error names the member and no value, and no
// place: whoever took the line knows it.
func (d *Decoder) Event(line []byte) (usher.Event, error) {
	d.out, d.errs = nil, nil
	d.masked, d.places = d.masked[:0], d.places[:0]
	r := &reader{b: bytes.TrimSpace(line)}
	switch {
	case len(line) > MaxLine:
		d.problem("the line is %d KiB long, the limit is %d", len(line)>>10, MaxLine>>10)
	case r.peek() != '{':
		d.problem("no JSON object")
	default:
		if r.skip(); r.bad != 0 {
			d.problem("the JSON is broken at byte %d", r.bad)
		} else if r.peek() != 0 {
			d.problem("text behind the JSON, at byte %d", r.i+1)
		} else {
			d.own(r.b)
		}
	}
	if len(d.errs) > 0 || len(d.out) != 1 {
		return usher.Event{}, errors.New(strings.Join(d.errs, "; "))
	}
	return d.out[0], nil
}

// own reads an event in usher's own form, from its own doors. What it does not
// know is refused, with the name of the member: a door that writes another form
// than the server reads is a mistake to be told at once. Strings are masked
// once more.
func (d *Decoder) own(b []byte) {
	r := &reader{b: b}
	if wrong := d.known(r, reflect.TypeFor[usher.Event](), ""); wrong != "" {
		d.problem("%s", wrong)
		return
	}
	if r.bad != 0 {
		d.problem("the JSON is broken at byte %d", r.bad)
		return
	}
	var ev usher.Event
	if err := json.Unmarshal(b, &ev); err != nil {
		d.problem("%s", jsonFault(err))
		return
	}
	ev.Time, ev.Logged = ev.Time.UTC(), utc(ev.Logged)
	if err := ev.Validate(); err != nil {
		d.problem("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	d.masked = append(d.masked, ev.Masked...)
	d.scrub(reflect.ValueOf(&ev).Elem(), "")
	d.emit(&ev)
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// jsonFault says what is wrong without quoting the value.
func jsonFault(err error) string {
	if e, ok := err.(*json.UnmarshalTypeError); ok {
		return fmt.Sprintf("%s: a %s cannot stand there", cut(e.Field, 80), e.Value[:min(len(e.Value), strings.IndexByte(e.Value+" ", ' '))])
	}
	if e, ok := err.(*time.ParseError); ok {
		return "time: no time of RFC 3339: " + cut(e.Message, 40)
	}
	return "the JSON is broken"
}

// form is the JSON form of a struct: its members by name.
type form map[string]reflect.Type

// forms are the forms of the structs of an event.
var forms = sync.OnceValue(func() map[reflect.Type]form {
	all := map[reflect.Type]form{}
	var add func(t reflect.Type)
	add = func(t reflect.Type) {
		t = element(t)
		if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() || all[t] != nil {
			return
		}
		f := form{}
		all[t] = f
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			f[name] = t.Field(i).Type
			add(t.Field(i).Type)
		}
	}
	add(reflect.TypeFor[usher.Event]())
	return all
})

// element gives the type behind pointers and lists.
func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

// known tells what the object at r holds that t has not, or holds twice.
func (d *Decoder) known(r *reader, t reflect.Type, path string) (wrong string) {
	f := forms()[t]
	seen := make(map[string]bool, 16)
	for _, v := range r.members {
		key := string(v.key[:min(len(v.key), maxKey)])
		field, ok := f[key]
		switch {
		case !ok:
			told, _ := cleaned(key, false)
			return fmt.Sprintf("%s%s: no member of an event has this name", path, told)
		case seen[key]:
			return fmt.Sprintf("%s%s is given twice", path, key)
		}
		seen[key] = true
		field = element(field)
		if field.Kind() == reflect.Map && v.peek() == '{' {
			if twice := givenTwice(v); twice != "" {
				told, _ := cleaned(cut(twice, maxKey), false)
				return fmt.Sprintf("%s%s.%s is given twice", path, key, told)
			}
		}
		if forms()[field] == nil {
			continue
		}
		switch v.peek() {
		case '{':
			wrong = d.known(v, field, path+key+".")
		case '[':
			for _, w := range v.items {
				if w.peek() == '{' && wrong == "" {
					wrong = d.known(w, field, path+key+".")
				}
			}
		}
		if wrong != "" {
			return wrong
		}
	}
	return ""
}

// givenTwice gives the first name that an object with free names holds twice.
func givenTwice(r *reader) string {
	seen := make(map[string]bool, 8)
	for _, v := range r.members {
		key := string(v.key)
		if seen[key] {
			return key
		}
		seen[key] = true
	}
	return ""
}

// ownID tells whether a field of an event holds an identifier by nature.
func ownID(path string) bool {
	return strings.HasSuffix(path, "uid") || strings.HasSuffix(path, "ip") || strings.HasSuffix(path, "code") || strings.HasSuffix(path, "type")
}

// scrub cleans every string of an event, and bounds its lists.
func (d *Decoder) scrub(v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.String:
		if v.Len() > 0 {
			s := d.clean(path, []byte(v.String()), ownID(path))
			if v.String() == "null" {
				s = "null"
			}
			v.SetString(s)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			d.scrub(v.Field(i), strings.TrimPrefix(path+"."+name, "."))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			d.scrub(v.Elem(), path)
		}
	case reflect.Slice:
		limit := maxList
		if path == "policies" || path == "evidence" {
			limit = maxPolicies
		}
		if v.Len() > limit {
			v.Set(v.Slice(0, limit))
		}
		for i := range v.Len() {
			d.scrub(v.Index(i), path)
		}
	case reflect.Map:
		clean := make(map[string]string, min(v.Len(), maxUnknown))
		for _, key := range sortedKeys(v) {
			if len(clean) < maxUnknown {
				name, _ := cleaned(cut(key, maxKey), false)
				clean[name] = d.clean(path+"."+name, []byte(v.MapIndex(reflect.ValueOf(key)).String()), false)
			}
		}
		if v.Len() > 0 {
			v.Set(reflect.ValueOf(clean))
		}
	}
}

// sortedKeys gives the keys of a map of strings in one order.
func sortedKeys(v reflect.Value) []string {
	keys := make([]string, 0, v.Len())
	for _, k := range v.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	return keys
}
