package ingest

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of the JSON reader.
const (
	maxNested = 8  // readers within readers: JSON in a text in JSON
	maxKey    = 64 // longer names are not ours
	maxEscape = 1 << 20
)

// reader walks once over a JSON text, without building a tree. It forgives a
// trailing comma and line breaks in strings, and remembers the first fault.
type reader struct {
	b   []byte
	i   int
	bad int // offset of the first fault plus one

	// key is the name of the member that members stands at, as written.
	key   []byte
	depth int
	name  [maxKey]byte // the key in small letters
}

// fault notes that the text is no JSON at offset i, and ends the walk.
func (r *reader) fault(i int) {
	if r.bad == 0 {
		r.bad = min(i, len(r.b)) + 1
	}
	r.i = len(r.b)
}

// peek gives the first byte of the next value, or 0 at the end.
func (r *reader) peek() byte {
	for r.i < len(r.b) {
		switch c := r.b[r.i]; c {
		case ' ', '\n', '\t', '\r':
			r.i++
		default:
			return c
		}
	}
	return 0
}

// quoted gives the bytes of the string at r.i, which is a quotation mark, as
// they stand, and goes behind it.
func (r *reader) quoted() (raw []byte, escaped bool) {
	start := r.i + 1
	for i := start; ; {
		n := bytes.IndexByte(r.b[i:], '"')
		if n < 0 {
			r.fault(len(r.b))
			return nil, false
		}
		if j := bytes.IndexByte(r.b[i:i+n], '\\'); j >= 0 {
			escaped = true
			i += j + 2
			if i > len(r.b) {
				r.fault(len(r.b))
				return nil, false
			}
			continue
		}
		r.i = i + n + 1
		return r.b[start : i+n], escaped
	}
}

// skip goes behind the next value.
func (r *reader) skip() {
	c := r.peek()
	switch c {
	case '"':
		r.quoted()
		return
	case '{', '[':
	case 0, '}', ']', ',', ':':
		r.fault(r.i)
		return
	default:
		r.word()
		return
	}
	for depth := 0; r.i < len(r.b); {
		switch r.b[r.i] {
		case '"':
			r.quoted()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		r.i++
		if depth == 0 {
			return
		}
	}
	r.fault(len(r.b))
}

// word gives a number or a word.
func (r *reader) word() []byte {
	start := r.i
	for r.i < len(r.b) {
		switch c := r.b[r.i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '+', c == '.':
			r.i++
			continue
		}
		break
	}
	w := r.b[start:r.i]
	if len(w) == 0 {
		r.fault(start)
		return nil
	}
	if c := w[0]; c >= '0' && c <= '9' || c == '-' {
		return w
	}
	switch string(w) {
	case "true", "false", "null":
		return w
	}
	r.fault(start)
	return nil
}

// str gives the next value as text: a string decoded, a number or a word as it
// stands, nothing for null, objects and lists. The bytes are those of the text
// where nothing had to be decoded.
func (r *reader) str() []byte {
	switch r.peek() {
	case '"':
		raw, escaped := r.quoted()
		if escaped {
			return unescape(raw)
		}
		return raw
	case '{', '[', 0, '}', ']', ',', ':':
		r.skip()
		return nil
	}
	w := r.word()
	if string(w) == "null" {
		return nil
	}
	return w
}

// unescape decodes the escapes of a string.
func unescape(raw []byte) []byte {
	out := make([]byte, 0, min(len(raw), maxEscape))
	for i := 0; i < len(raw) && len(out) < maxEscape; i++ {
		c := raw[i]
		if c != '\\' || i+1 >= len(raw) {
			out = append(out, c)
			continue
		}
		i++
		switch raw[i] {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'u':
			c, n := hex4(raw[i+1:])
			if n == 0 {
				out = append(out, '\\', 'u')
				continue
			}
			i += n
			if utf16.IsSurrogate(c) {
				pair := rune(utf8.RuneError)
				if i+2 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
					if low, n := hex4(raw[i+3:]); n != 0 {
						if pair = utf16.DecodeRune(c, low); pair != utf8.RuneError {
							i += 2 + n
						}
					}
				}
				c = pair
			}
			out = utf8.AppendRune(out, c)
		default:
			out = append(out, raw[i])
		}
	}
	return out
}

// hex4 reads the digits of \uXXXX; it gives 4 when they are there.
func hex4(b []byte) (c rune, n int) {
	if len(b) < 4 {
		return 0, 0
	}
	for _, d := range b[:4] {
		switch {
		case d >= '0' && d <= '9':
			c = c<<4 | rune(d-'0')
		case d >= 'a' && d <= 'f':
			c = c<<4 | rune(d-'a'+10)
		case d >= 'A' && d <= 'F':
			c = c<<4 | rune(d-'A'+10)
		default:
			return 0, 0
		}
	}
	return c, 4
}

// inner gives a reader that stands at an object or list: r itself, or one of
// the JSON that stands in a string (logs keep objects in text columns). It goes
// behind any other value and gives nil.
func (r *reader) inner(open byte) *reader {
	switch r.peek() {
	case open:
		return r
	case '"':
		b := bytes.TrimSpace(r.str())
		if len(b) < 2 || b[0] != open || r.depth >= maxNested {
			return nil
		}
		return &reader{b: b, depth: r.depth + 1}
	}
	r.skip()
	return nil
}

// members walks over the members of the object at r, which may stand in a
// string. It gives each name in small letters, and the reader that stands at
// the value; a value that is not taken is skipped. The name is good until the
// value is looked into.
func (r *reader) members(yield func(name []byte, v *reader) bool) {
	v := r.inner('{')
	if v == nil {
		return
	}
	v.i++
	for {
		switch v.peek() {
		case '}':
			v.i++
			return
		case ',':
			v.i++
			continue
		case '"':
		default:
			v.fault(v.i)
			r.bad = max(r.bad, v.bad)
			return
		}
		key, escaped := v.quoted()
		if escaped {
			key = unescape(key)
		}
		if v.peek() != ':' {
			v.fault(v.i)
			r.bad = max(r.bad, v.bad)
			return
		}
		v.i++
		v.peek()
		at := v.i
		v.key = key
		name := v.name[:0]
		if len(key) <= maxKey {
			for _, c := range key {
				if c >= 'A' && c <= 'Z' {
					c += 'a' - 'A'
				}
				name = append(name, c)
			}
		}
		if !yield(name, v) {
			return
		}
		if v.i == at && v.bad == 0 {
			v.skip()
		}
		if v.bad != 0 {
			r.bad = max(r.bad, v.bad)
			return
		}
	}
}

// items walks over the list at r, which may stand in a string, or over a lone
// value that is no list. A value that is not taken is skipped.
func (r *reader) items(yield func(i int, v *reader) bool) {
	switch r.peek() {
	case '[', '"':
	case '{':
		yield(0, r)
		return
	default:
		r.skip()
		return
	}
	v := r.inner('[')
	if v == nil {
		return
	}
	v.i++
	for n := 0; ; n++ {
		switch v.peek() {
		case ']':
			v.i++
			return
		case ',':
			v.i++
			n--
			continue
		case 0:
			v.fault(v.i)
			r.bad = max(r.bad, v.bad)
			return
		}
		at := v.i
		if !yield(n, v) {
			return
		}
		if v.i == at && v.bad == 0 {
			v.skip()
		}
		if v.bad != 0 {
			r.bad = max(r.bad, v.bad)
			return
		}
	}
}

// strs gives the texts of a list, or of a list in a string, at most n.
func (r *reader) strs(n int) [][]byte {
	if r.peek() == '"' {
		b := bytes.TrimSpace(r.str())
		if len(b) == 0 {
			return nil
		}
		if b[0] != '[' {
			return [][]byte{b}
		}
		r = &reader{b: b, depth: r.depth + 1}
		if r.depth > maxNested {
			return nil
		}
	}
	var out [][]byte
	for _, v := range r.items {
		if b := v.str(); len(b) > 0 && len(out) < n {
			out = append(out, b)
		}
	}
	return out
}

// number gives a whole number, also one that stands in a string.
func (r *reader) number() (n int64, ok bool) {
	b := r.str()
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil
}

// truth gives a truth value, also one that stands in a string, or nil.
func (r *reader) truth() *bool {
	b := r.str()
	if len(b) > 5 {
		return nil
	}
	var yes bool
	switch string(bytes.ToLower(b)) {
	case "true", "1", "yes":
		yes = true
	case "false", "0", "no":
	default:
		return nil
	}
	return &yes
}

// compact writes a JSON text without the blanks between its words.
func compact(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case ' ', '\n', '\t', '\r':
		case '"':
			start := i
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			dst = append(dst, b[start:min(i+1, len(b))]...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
