package grant

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// members are those of an answer, whatever it was written in.
type members struct {
	values map[string]json.RawMessage
	twice  []string // names that stood there with two values
	form   bool     // it came as a form, where everything is text
}

// maxMembers bounds an object. A token answer has a dozen.
const maxMembers = 512

// readObject reads a JSON object and tells which names stand twice, of which
// the last counts (RFC 8259 section 4), and how many bytes follow it.
func readObject(body []byte) (m members, rest int, err error) {
	m.values = map[string]json.RawMessage{}
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return m, 0, errors.New("it is no JSON object")
	}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return m, 0, errors.New("its JSON breaks off or is broken")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return m, 0, errors.New("its JSON breaks off or is broken")
		}
		if before, ok := m.values[name]; ok && !bytes.Equal(before, value) {
			m.twice = append(m.twice, name)
		} else if !ok && len(m.values) >= maxMembers {
			return m, 0, errors.New("its JSON has more than 512 members")
		}
		m.values[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return m, 0, errors.New("its JSON breaks off or is broken")
	}
	return m, len(bytes.TrimSpace(body[dec.InputOffset():])), nil
}

// readForm reads an answer that is written as a form, as GitHub and Facebook
// once gave them all.
func readForm(body []byte) (members, bool) {
	values, err := url.ParseQuery(string(body))
	if err != nil || len(values) > maxMembers {
		return members{}, false
	}
	m := members{values: map[string]json.RawMessage{}, form: true}
	for name, list := range values {
		for _, v := range list[1:] {
			if v != list[0] {
				m.twice = append(m.twice, name)
			}
		}
		raw, err := json.Marshal(list[len(list)-1])
		if err != nil {
			return members{}, false
		}
		m.values[name] = raw
	}
	return m, len(m.text("access_token")) > 0 || len(m.text("error")) > 0
}

// has tells whether a member is there and says something.
func (m members) has(name string) bool {
	raw, ok := m.values[name]
	return ok && !bytes.Equal(raw, []byte("null"))
}

// text gives a member that is text or a number; else it is empty.
func (m members) text(name string) string { return text(m.values[name]) }

func text(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	switch c := raw[0]; {
	case c == '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return s
		}
	case c == '-', c >= '0' && c <= '9':
		return string(raw)
	}
	return ""
}

// first gives the first of some members that is text.
func (m members) first(names ...string) string {
	for _, name := range names {
		if s := m.text(name); s != "" {
			return s
		}
	}
	return ""
}

// object gives a member that is an object.
func (m members) object(name string) (members, bool) {
	raw := m.values[name]
	if len(raw) == 0 || raw[0] != '{' {
		return members{}, false
	}
	inner, _, err := readObject(raw)
	return inner, err == nil
}

// number reads a member as a number of seconds. quoted tells that it came as
// text; ok is false for what is no number.
func (m members) number(name string) (n float64, quoted, ok bool) {
	raw := m.values[name]
	s := strings.TrimSpace(text(raw))
	if s == "" || len(s) > 400 {
		return 0, false, false
	}
	// Not strconv.ParseFloat, which takes "inf", "0x1p3" and "1_000".
	if strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789+-.eE", r) }) {
		return 0, false, false
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false, false
	}
	return n, len(raw) > 0 && raw[0] == '"' && !m.form, true
}
