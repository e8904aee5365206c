package evidence

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of the JSON reader. Deeper values are left out, wider ones are cut:
// both are said.
const (
	maxDepth = 200
	maxNodes = 400_000
)

type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// value is a node of a JSON document. Offsets count bytes of the parsed text,
// so that a finding can point at a member.
type value struct {
	kind  jsonKind
	plain bool   // text is the source as it stands, nothing was unescaped
	key   string // of a member
	text  string // of a string (decoded), number or word
	kids  []value
	keyAt int32
	at    int32
	end   int32
}

// get gives the first member of that name, or nil.
func (v *value) get(key string) *value {
	if v == nil || v.kind != jsonObject {
		return nil
	}
	for i := range v.kids {
		if v.kids[i].key == key {
			return &v.kids[i]
		}
	}
	return nil
}

// fold is get without regard to case, for logs whose exporters change it.
func (v *value) fold(keys ...string) *value {
	if v == nil || v.kind != jsonObject {
		return nil
	}
	for _, key := range keys {
		for i := range v.kids {
			if len(v.kids[i].key) == len(key) && strings.EqualFold(v.kids[i].key, key) {
				return &v.kids[i]
			}
		}
	}
	return nil
}

// path follows members without regard to case.
func (v *value) path(keys ...string) *value {
	for _, key := range keys {
		v = v.fold(key)
	}
	return v
}

// first gives the first member that is there and not empty.
func (v *value) first(keys ...string) *value {
	for _, key := range keys {
		if m := v.fold(key); m.str() != "" {
			return m
		}
	}
	return nil
}

// str gives a string, number or word as text; empty for everything else.
func (v *value) str() string {
	if v == nil {
		return ""
	}
	switch v.kind {
	case jsonString, jsonNumber, jsonBool:
		return v.text
	}
	return ""
}

// strs gives the texts of an array, or a single text as a list of one.
func (v *value) strs() []string {
	if v == nil {
		return nil
	}
	if v.kind != jsonArray {
		if s := v.str(); s != "" {
			return []string{s}
		}
		return nil
	}
	var out []string
	for i := range v.kids {
		if s := v.kids[i].str(); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// number gives an integer, also one that is written as a string.
func (v *value) number() (int, bool) {
	s := v.str()
	if s == "" || len(s) > 18 {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

func (v *value) is(kind jsonKind) bool { return v != nil && v.kind == kind }

func (v *value) truth() (b, known bool) {
	switch strings.ToLower(v.str()) {
	case "true", "1", "yes":
		return true, true
	case "false", "0", "no":
		return false, true
	}
	return false, false
}

// list gives the entries of an array, also of one that is written as a string
// (log exports keep lists in text columns), or the value itself as the only one.
func (v *value) list() []value {
	switch {
	case v == nil:
		return nil
	case v.kind == jsonArray:
		return v.kids
	case v.kind == jsonString:
		if inner := v.inner(); inner.is(jsonArray) {
			return inner.kids
		} else if inner != nil {
			return []value{*inner}
		}
		return nil
	case v.kind == jsonObject:
		return []value{*v}
	}
	return nil
}

// inner reads JSON that stands in a string. It gives nil when it is none.
// Offsets of what it gives are those of the string's start.
func (v *value) inner() *value {
	if v == nil || v.kind != jsonString {
		return nil
	}
	s := strings.TrimSpace(v.text)
	if len(s) < 2 || (s[0] != '{' && s[0] != '[') {
		return nil
	}
	doc := parseJSON(s, 0)
	if doc.failed || doc.end < len(s) {
		return nil
	}
	doc.root.shift(v.at)
	doc.root.key, doc.root.keyAt = v.key, v.keyAt
	return &doc.root
}

// shift moves every offset to one place: that of the string the JSON was in.
func (v *value) shift(at int32) {
	v.at, v.end, v.keyAt = at, at, at
	for i := range v.kids {
		v.kids[i].shift(at)
	}
}

// object gives the value as an object, looking into a string where needed.
func (v *value) object() *value {
	if v.is(jsonObject) {
		return v
	}
	if inner := v.inner(); inner.is(jsonObject) {
		return inner
	}
	return nil
}

// any gives the value in the form of encoding/json, with numbers as text.
func (v *value) any() any {
	if v == nil {
		return nil
	}
	switch v.kind {
	case jsonObject:
		m := make(map[string]any, len(v.kids))
		for i := range v.kids {
			if _, twice := m[v.kids[i].key]; !twice {
				m[v.kids[i].key] = v.kids[i].any()
			}
		}
		return m
	case jsonArray:
		list := make([]any, len(v.kids))
		for i := range v.kids {
			list[i] = v.kids[i].any()
		}
		return list
	case jsonString:
		return v.text
	case jsonNumber:
		if f, err := strconv.ParseFloat(v.text, 64); err == nil {
			return f
		}
		return v.text
	case jsonBool:
		return v.text == "true"
	}
	return nil
}

// document is what parseJSON could read.
type document struct {
	root      value
	end       int      // offset behind the value
	failed    bool     // it is no JSON
	truncated bool     // the text ends inside the value
	lenient   []string // what is not JSON and was forgiven
	repeated  []string // member names that are given twice
	repeatAt  []int
	tooDeep   int // offset of the first value left out for its depth, or -1
	cut       bool
}

type parser struct {
	s     string
	i     int
	nodes int
	doc   *document
	seen  uint8 // bits of forgiven things
}

const (
	sawTrailingComma = 1 << iota
	sawSingleQuotes
	sawCurlyQuotes
	sawBareKey
	sawPythonWord
)

// parseJSON reads the value at offset i of s: an object or an array. It
// forgives what people paste: trailing commas, curly and single quotes, bare
// member names, Python's words, a missing end. Its time is linear.
func parseJSON(s string, i int) document {
	doc := document{tooDeep: -1}
	p := &parser{s: s, i: i, doc: &doc}
	p.space()
	if p.i >= len(s) || (s[p.i] != '{' && s[p.i] != '[') {
		doc.failed = true
		return doc
	}
	if !p.value(&doc.root, 0) {
		doc.failed = true
	}
	doc.end = p.i
	for bit, name := range [...]string{"a trailing comma", "single quotes", "curly quotes", "member names without quotes", "words of Python"} {
		if p.seen&(1<<bit) != 0 {
			doc.lenient = append(doc.lenient, name)
		}
	}
	return doc
}

func (p *parser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\n', '\t', '\r':
			p.i++
			continue
		case 0xC2: // no-break space, as pages and editors put it
			if strings.HasPrefix(p.s[p.i:], "\u00a0") {
				p.i += 2
				continue
			}
		}
		return
	}
}

func (p *parser) value(v *value, depth int) bool {
	p.nodes++
	if p.nodes > maxNodes {
		p.doc.cut, p.doc.truncated = true, true
		p.i = len(p.s)
		return true
	}
	v.at = int32(p.i)
	ok := true
	switch c := p.s[p.i]; {
	case c == '{' || c == '[':
		if depth >= maxDepth {
			if p.doc.tooDeep < 0 {
				p.doc.tooDeep = p.i
			}
			p.skip()
			v.kind, v.text = jsonNull, ""
			break
		}
		if c == '{' {
			ok = p.object(v, depth)
		} else {
			ok = p.array(v, depth)
		}
	case c == '-' || c >= '0' && c <= '9':
		start := p.i
		for p.i < len(p.s) && strings.IndexByte("+-.eE0123456789", p.s[p.i]) >= 0 {
			p.i++
		}
		v.kind, v.text = jsonNumber, p.s[start:p.i]
	default:
		if p.quote() != "" {
			v.kind = jsonString
			v.text, v.plain, ok = p.str()
		} else {
			ok = p.word(v)
		}
	}
	v.end = int32(p.i)
	return ok
}

func (p *parser) object(v *value, depth int) bool {
	v.kind = jsonObject
	p.i++
	for {
		p.space()
		if p.i >= len(p.s) {
			p.doc.truncated = true
			return true
		}
		if p.s[p.i] == '}' {
			p.i++
			return true
		}
		if p.s[p.i] == ',' && len(v.kids) > 0 {
			p.i++
			p.seen |= sawTrailingComma
			continue
		}
		keyAt := p.i
		key, ok := p.key()
		if !ok {
			return p.atEnd()
		}
		p.space()
		if p.i >= len(p.s) {
			p.doc.truncated = true
			return true
		}
		if p.s[p.i] != ':' {
			return false
		}
		p.i++
		p.space()
		if p.i >= len(p.s) {
			p.doc.truncated = true
			return true
		}
		var m value
		if !p.value(&m, depth+1) {
			return false
		}
		if p.doc.cut {
			return true
		}
		m.key, m.keyAt = key, int32(keyAt)
		// Looking for a repeated name costs the square of the members, so it is
		// done for objects of a human size.
		if len(v.kids) < 64 && len(p.doc.repeated) < 8 && v.get(key) != nil {
			p.doc.repeated = append(p.doc.repeated, key)
			p.doc.repeatAt = append(p.doc.repeatAt, keyAt)
		}
		v.kids = append(v.kids, m)
		p.space()
		if p.i >= len(p.s) {
			p.doc.truncated = true
			return true
		}
		switch p.s[p.i] {
		case ',':
			p.i++
			p.space()
			if p.i < len(p.s) && p.s[p.i] == '}' {
				p.seen |= sawTrailingComma
			}
		case '}':
		default:
			return false
		}
	}
}

func (p *parser) array(v *value, depth int) bool {
	v.kind = jsonArray
	p.i++
	for {
		p.space()
		if p.i >= len(p.s) {
			p.doc.truncated = true
			return true
		}
		if p.s[p.i] == ']' {
			p.i++
			return true
		}
		var m value
		if !p.value(&m, depth+1) {
			return false
		}
		if p.doc.cut {
			return true
		}
		v.kids = append(v.kids, m)
		p.space()
		if p.i >= len(p.s) {
			p.doc.truncated = true
			return true
		}
		switch p.s[p.i] {
		case ',':
			p.i++
			p.space()
			if p.i < len(p.s) && p.s[p.i] == ']' {
				p.seen |= sawTrailingComma
			}
		case ']':
		default:
			return false
		}
	}
}

// quotePairs are the marks that open a string, with those that close it.
var quotePairs = [...]struct{ open, close string }{
	{`"`, `"`}, {`'`, `'`}, {"\u201c", "\u201d"}, {"\u201d", "\u201d"}, {"\u2018", "\u2019"}, {"`", "`"},
}

// quote gives the mark that opens a string here, or nothing.
func (p *parser) quote() string {
	for _, q := range quotePairs {
		if strings.HasPrefix(p.s[p.i:], q.open) {
			return q.open
		}
	}
	return ""
}

func (p *parser) key() (string, bool) {
	if p.quote() != "" {
		s, _, ok := p.str()
		return s, ok
	}
	start := p.i
	for p.i < len(p.s) && (isWordByte(p.s[p.i]) || p.s[p.i] == '-' || p.s[p.i] == '$' || p.s[p.i] == '.') {
		p.i++
	}
	if p.i == start {
		return "", false
	}
	p.seen |= sawBareKey
	return p.s[start:p.i], true
}

// str reads a string with any of the marks. plain tells that it holds no escape.
func (p *parser) str() (text string, plain, ok bool) {
	open := p.quote()
	closing := `"`
	for _, q := range quotePairs {
		if q.open == open {
			closing = q.close
		}
	}
	switch {
	case open == `"`:
	case open == `'`:
		p.seen |= sawSingleQuotes
	default:
		p.seen |= sawCurlyQuotes
	}
	p.i += len(open)
	start := p.i
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '\\':
			return p.escaped(start, closing)
		case c == closing[0] && strings.HasPrefix(p.s[p.i:], closing):
			text = p.s[start:p.i]
			p.i += len(closing)
			return text, true, true
		case c == '"' && len(closing) > 1: // opened curly, closed straight
			text = p.s[start:p.i]
			p.i++
			return text, true, true
		default:
			p.i++
		}
	}
	p.doc.truncated = true
	return p.s[start:], true, true
}

// escaped goes on with a string that holds escapes.
func (p *parser) escaped(start int, closing string) (string, bool, bool) {
	var b strings.Builder
	b.WriteString(p.s[start:p.i])
	for p.i < len(p.s) {
		c := p.s[p.i]
		if c == closing[0] && strings.HasPrefix(p.s[p.i:], closing) {
			p.i += len(closing)
			return b.String(), false, true
		}
		if c != '\\' || p.i+1 >= len(p.s) {
			b.WriteByte(c)
			p.i++
			continue
		}
		p.i += unescapeOne(p.s[p.i:], &b)
	}
	p.doc.truncated = true
	return b.String(), false, true
}

// unescapeOne writes the character of the escape at the start of s and gives
// the length of the escape.
func unescapeOne(s string, b *strings.Builder) int {
	switch s[1] {
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case 'b', 'f':
		b.WriteByte(' ')
	case 'u':
		r, ok := hex4(s)
		if !ok {
			b.WriteByte('u')
			return 2
		}
		n := 6
		if r >= 0xD800 && r < 0xDC00 && len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
			if low, ok := hex4(s[6:]); ok && low >= 0xDC00 && low < 0xE000 {
				r = (r-0xD800)<<10 + (low - 0xDC00) + 0x10000
				n = 12
			}
		}
		if r < 0x20 && r != '\n' && r != '\t' {
			r = 0x2400 + r // control characters stay visible
		}
		b.WriteRune(r) // a lone surrogate becomes U+FFFD
		return n
	default:
		b.WriteByte(s[1])
	}
	return 2
}

func hex4(s string) (rune, bool) {
	if len(s) < 6 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}

func (p *parser) word(v *value) bool {
	start := p.i
	for p.i < len(p.s) && (isWordByte(p.s[p.i]) && p.s[p.i] < utf8.RuneSelf) {
		p.i++
	}
	switch w := p.s[start:p.i]; w {
	case "true", "false":
		v.kind, v.text = jsonBool, w
	case "null":
		v.kind = jsonNull
	case "True", "False":
		p.seen |= sawPythonWord
		v.kind, v.text = jsonBool, strings.ToLower(w)
	case "None", "undefined", "NaN":
		p.seen |= sawPythonWord
		v.kind = jsonNull
	case "u", "b": // Python 2 text and bytes
		if p.i < len(p.s) && p.quote() != "" {
			var ok bool
			p.seen |= sawPythonWord
			v.kind = jsonString
			v.text, v.plain, ok = p.str()
			return ok
		}
		return p.atEnd()
	default:
		return p.atEnd()
	}
	return true
}

// atEnd tells that the text ended, which makes a defect a missing rest.
func (p *parser) atEnd() bool {
	if p.i >= len(p.s) {
		p.doc.truncated = true
		return true
	}
	return strings.TrimRight(p.s[p.i:], ". \n\u2026") == "" && p.truncate()
}

func (p *parser) truncate() bool {
	p.doc.truncated = true
	p.i = len(p.s)
	return true
}

// skip passes over a bracketed value without keeping it.
func (p *parser) skip() {
	depth := 0
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				p.i++
				return
			}
		case '"':
			for p.i++; p.i < len(p.s) && p.s[p.i] != '"'; p.i++ {
				if p.s[p.i] == '\\' {
					p.i++
				}
			}
		}
		p.i++
	}
	p.i = min(p.i, len(p.s))
	p.doc.truncated = true
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}
