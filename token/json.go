package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// errDepth is what decodeJSON says of nesting over its limit.
var errDepth = errors.New("nested too deeply")

// decodeJSON reads one JSON value as RFC 8259 and RFC 7493 have it. It is
// stricter than encoding/json: names compare with case, invalid UTF-8 and lone
// surrogates are errors, and members given twice are reported by their path.
// Of those the first value is kept.
func decodeJSON(data []byte, depth int) (value any, twice []string, err error) {
	d := jsonDecoder{data: data}
	d.blank()
	value, err = d.value(depth, "")
	if err != nil {
		return nil, d.twice, err
	}
	d.blank()
	if d.at < len(data) {
		return nil, d.twice, fmt.Errorf("something follows the JSON value at byte %d", d.at)
	}
	return value, d.twice, nil
}

type jsonDecoder struct {
	data  []byte
	at    int
	twice []string
}

func (d *jsonDecoder) blank() {
	for d.at < len(d.data) {
		switch d.data[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

func (d *jsonDecoder) wrong() error {
	if d.at >= len(d.data) {
		return fmt.Errorf("the JSON ends too early, after %d bytes", d.at)
	}
	return fmt.Errorf("no JSON at byte %d", d.at)
}

func (d *jsonDecoder) peek() byte {
	if d.at < len(d.data) {
		return d.data[d.at]
	}
	return 0
}

func (d *jsonDecoder) value(depth int, path string) (any, error) {
	switch c := d.peek(); {
	case c == '{':
		if depth == 0 {
			return nil, errDepth
		}
		return d.object(depth-1, path)
	case c == '[':
		if depth == 0 {
			return nil, errDepth
		}
		return d.array(depth-1, path)
	case c == '"':
		return d.str()
	case c == '-' || '0' <= c && c <= '9':
		return d.number()
	}
	for _, word := range [...]struct {
		text  string
		value any
	}{{"true", true}, {"false", false}, {"null", nil}} {
		if len(d.data)-d.at >= len(word.text) && string(d.data[d.at:d.at+len(word.text)]) == word.text {
			d.at += len(word.text)
			return word.value, nil
		}
	}
	return nil, d.wrong()
}

func (d *jsonDecoder) object(depth int, path string) (any, error) {
	d.at++
	members := map[string]any{}
	d.blank()
	if d.peek() == '}' {
		d.at++
		return members, nil
	}
	for {
		d.blank()
		if d.peek() != '"' {
			return nil, d.wrong()
		}
		name, err := d.str()
		if err != nil {
			return nil, err
		}
		d.blank()
		if d.peek() != ':' {
			return nil, d.wrong()
		}
		d.at++
		d.blank()
		inner := name
		if path != "" {
			inner = path + "." + name
		}
		value, err := d.value(depth, inner)
		if err != nil {
			return nil, err
		}
		if _, there := members[name]; there {
			if len(d.twice) < 16 {
				d.twice = append(d.twice, inner)
			}
		} else {
			members[name] = value
		}
		d.blank()
		switch d.peek() {
		case ',':
			d.at++
		case '}':
			d.at++
			return members, nil
		default:
			return nil, d.wrong()
		}
	}
}

func (d *jsonDecoder) array(depth int, path string) (any, error) {
	d.at++
	items := []any{}
	d.blank()
	if d.peek() == ']' {
		d.at++
		return items, nil
	}
	for {
		d.blank()
		value, err := d.value(depth, path)
		if err != nil {
			return nil, err
		}
		items = append(items, value)
		d.blank()
		switch d.peek() {
		case ',':
			d.at++
		case ']':
			d.at++
			return items, nil
		default:
			return nil, d.wrong()
		}
	}
}

func (d *jsonDecoder) str() (string, error) {
	d.at++
	start := d.at
	for d.at < len(d.data) {
		c := d.data[d.at]
		if c == '"' {
			text := d.data[start:d.at]
			if !utf8.Valid(text) {
				return "", fmt.Errorf("the string at byte %d is not UTF-8", start)
			}
			d.at++
			return string(text), nil
		}
		if c == '\\' {
			return d.escaped(start)
		}
		if c < 0x20 {
			return "", fmt.Errorf("a control character in a string at byte %d", d.at)
		}
		d.at++
	}
	return "", d.wrong()
}

// escaped reads on from the first backslash of a string that began at start.
func (d *jsonDecoder) escaped(start int) (string, error) {
	var b strings.Builder
	b.Write(d.data[start:d.at])
	for d.at < len(d.data) {
		c := d.data[d.at]
		switch {
		case c == '"':
			d.at++
			if !utf8.ValidString(b.String()) {
				return "", fmt.Errorf("the string at byte %d is not UTF-8", start)
			}
			return b.String(), nil
		case c < 0x20:
			return "", fmt.Errorf("a control character in a string at byte %d", d.at)
		case c != '\\':
			b.WriteByte(c)
			d.at++
			continue
		}
		d.at++
		switch e := d.peek(); e {
		case '"', '\\', '/':
			b.WriteByte(e)
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r, err := d.hex4()
			if err != nil {
				return "", err
			}
			if utf16.IsSurrogate(r) {
				if d.at+2 >= len(d.data) || d.data[d.at+1] != '\\' || d.data[d.at+2] != 'u' {
					return "", fmt.Errorf("half a surrogate pair at byte %d", d.at)
				}
				d.at += 2
				low, err := d.hex4()
				if err != nil {
					return "", err
				}
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					return "", fmt.Errorf("half a surrogate pair at byte %d", d.at)
				}
			}
			b.WriteRune(r)
		default:
			return "", d.wrong()
		}
		d.at++
	}
	return "", d.wrong()
}

// hex4 reads the four digits behind \u and stops on the last of them.
func (d *jsonDecoder) hex4() (rune, error) {
	if d.at+4 >= len(d.data) {
		return 0, fmt.Errorf("the JSON ends too early, after %d bytes", len(d.data))
	}
	var r rune
	for range 4 {
		d.at++
		c := d.data[d.at]
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, d.wrong()
		}
	}
	return r, nil
}

func (d *jsonDecoder) number() (any, error) {
	start := d.at
	if d.peek() == '-' {
		d.at++
	}
	switch {
	case d.peek() == '0':
		d.at++
	case !d.digits():
		return nil, d.wrong()
	}
	if d.peek() == '.' {
		d.at++
		if !d.digits() {
			return nil, d.wrong()
		}
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		d.at++
		if c := d.peek(); c == '+' || c == '-' {
			d.at++
		}
		if !d.digits() {
			return nil, d.wrong()
		}
	}
	return json.Number(d.data[start:d.at]), nil
}

func (d *jsonDecoder) digits() bool {
	start := d.at
	for c := d.peek(); '0' <= c && c <= '9'; c = d.peek() {
		d.at++
	}
	return d.at > start
}
