package catalog

import "strings"

// pattern is a compiled message pattern. The written form is plain text, in
// any case, in which
//
//	a blank     matches white space, and quotation marks beside it
//	'           matches any run of quotation marks and backslashes, or nothing
//	"           the same, but at least one
//	*           matches up to maxGap bytes
//	{name}      matches like * and captures
//	< and >     at either end: a word boundary
//
// A pattern of digits alone is a number: it does not match inside a longer one.
type pattern struct {
	elements  []element
	wordStart bool
	wordEnd   bool
	number    bool
}

type elementKind uint8

const (
	literal elementKind = iota
	spaces
	quotes
	gap // captures when it has a name
)

type element struct {
	kind    elementKind
	literal string
	name    string
	must    bool // quotes: at least one
}

// maxGap bounds what * and {name} may skip. It is long enough for a URL.
const maxGap = 300

func compile(text string) pattern {
	var p pattern
	text = Fold(strings.TrimSpace(text))
	if strings.HasPrefix(text, "<") {
		p.wordStart, text = true, text[1:]
	}
	if strings.HasSuffix(text, ">") {
		p.wordEnd, text = true, text[:len(text)-1]
	}
	p.number = strings.Trim(text, "0123456789") == ""
	for text != "" {
		switch c := text[0]; c {
		case ' ':
			p.elements = append(p.elements, element{kind: spaces})
			text = strings.TrimLeft(text, " ")
		case '\'', '"':
			p.elements = append(p.elements, element{kind: quotes, must: c == '"'})
			text = text[1:]
		case '*':
			p.elements = append(p.elements, element{kind: gap})
			text = text[1:]
		case '{':
			name, rest, ok := strings.Cut(text[1:], "}")
			if !ok {
				name, rest = text[1:], ""
			}
			p.elements = append(p.elements, element{kind: gap, name: name})
			text = rest
		default:
			n := strings.IndexAny(text, " '\"*{")
			if n < 0 {
				n = len(text)
			}
			p.elements = append(p.elements, element{kind: literal, literal: text[:n]})
			text = text[n:]
		}
	}
	return p
}

func (p *pattern) firstLiteral() int {
	for i, e := range p.elements {
		if e.kind == literal {
			return i
		}
	}
	return 0
}

// grams gives every run of size bytes (3 or 4) of the literals, with its
// element and offset.
func (p *pattern) grams(size int, give func(element, offset int, g uint32)) {
	for i, e := range p.elements {
		for j := 0; e.kind == literal && j+size <= len(e.literal); j++ {
			give(i, j, gramOf(e.literal[j:], size))
		}
	}
}

// verify tells whether the pattern matches with its element number el (a
// literal) at offset at of the folded text. What stands before that element
// is matched backwards, what stands behind it forwards.
func (p *pattern) verify(text string, at, el int) (Match, bool) {
	lit := p.elements[el].literal
	if at < 0 || at+len(lit) > len(text) || text[at:at+len(lit)] != lit {
		return Match{}, false
	}
	var m Match
	end, ok := p.forward(text, at+len(lit), el+1, &m)
	if !ok {
		return Match{}, false
	}
	start, ok := p.backward(text, at, el-1, &m)
	if !ok {
		return Match{}, false
	}
	if p.number && (start > 0 && isDigit(text[start-1]) || end < len(text) && isDigit(text[end])) {
		return Match{}, false
	}
	m.Start, m.End = start, end
	return m, true
}

func (p *pattern) forward(text string, at, el int, m *Match) (int, bool) {
	for ; el < len(p.elements); el++ {
		e := &p.elements[el]
		switch e.kind {
		case literal:
			if !strings.HasPrefix(text[at:], e.literal) {
				return 0, false
			}
			at += len(e.literal)
		case spaces:
			n, ok := skipSpaces(text, at)
			if !ok {
				return 0, false
			}
			at = n
		case quotes:
			n := skipQuotes(text, at)
			if e.must && n == at && (at == 0 || !isQuote(text[at-1])) { // a blank before it may have taken the marks
				return 0, false
			}
			at = n
		case gap:
			if el == len(p.elements)-1 { // a capture at the end takes the word
				end := at
				for end < len(text) && end-at < maxGap && !strings.ContainsRune(" '\"`,;<>)", rune(text[end])) {
					end++
				}
				m.capture(e.name, at, end)
				return end, p.atWordEnd(text, end)
			}
			limit := min(len(text), at+maxGap)
			for n := at; n <= limit; n++ {
				mark := len(m.Captures)
				m.capture(e.name, at, n)
				if end, ok := p.forward(text, n, el+1, m); ok {
					return end, true
				}
				m.Captures = m.Captures[:mark]
			}
			return 0, false
		}
	}
	return at, p.atWordEnd(text, at)
}

func (p *pattern) backward(text string, at, el int, m *Match) (int, bool) {
	for ; el >= 0; el-- {
		e := &p.elements[el]
		switch e.kind {
		case literal:
			if !strings.HasSuffix(text[:at], e.literal) {
				return 0, false
			}
			at -= len(e.literal)
		case spaces:
			n, ok := skipSpacesBack(text, at)
			if !ok {
				return 0, false
			}
			at = n
		case quotes:
			n := skipQuotesBack(text, at)
			if e.must && n == at && (at == len(text) || !isQuote(text[at])) {
				return 0, false
			}
			at = n
		case gap:
			limit := max(0, at-maxGap)
			for n := at; n >= limit; n-- {
				mark := len(m.Captures)
				m.capture(e.name, n, at)
				if start, ok := p.backward(text, n, el-1, m); ok {
					return start, true
				}
				m.Captures = m.Captures[:mark]
			}
			return 0, false
		}
	}
	if p.wordStart && at > 0 && isWord(text[at-1]) {
		return 0, false
	}
	return at, true
}

func (p *pattern) atWordEnd(text string, at int) bool {
	return !p.wordEnd || at >= len(text) || !isWord(text[at])
}

func (m *Match) capture(name string, start, end int) {
	if name != "" {
		m.Captures = append(m.Captures, Capture{name, start, end})
	}
}

func isQuote(c byte) bool { return c == '\'' || c == '"' || c == '`' || c == '\\' || c >= 0x80 }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 0x80
}

// quoteMarks are the quotation marks of UTF-8 texts beside the ASCII ones.
var quoteMarks = [...]string{"\u2018", "\u2019", "\u201c", "\u201d", "\u00ab", "\u00bb"}

func skipQuotes(text string, at int) int {
next:
	for at < len(text) {
		switch text[at] {
		case '\'', '"', '`', '\\':
			at++
			continue
		}
		if text[at] < 0x80 {
			return at
		}
		for _, q := range quoteMarks {
			if strings.HasPrefix(text[at:], q) {
				at += len(q)
				continue next
			}
		}
		return at
	}
	return at
}

func skipQuotesBack(text string, at int) int {
next:
	for at > 0 {
		switch text[at-1] {
		case '\'', '"', '`', '\\':
			at--
			continue
		}
		if text[at-1] < 0x80 {
			return at
		}
		for _, q := range quoteMarks {
			if strings.HasSuffix(text[:at], q) {
				at -= len(q)
				continue next
			}
		}
		return at
	}
	return at
}

// skipSpaces passes over white space with quotation marks around it.
func skipSpaces(text string, at int) (end int, ok bool) {
	at = skipQuotes(text, at)
	n := at
	for n < len(text) && text[n] == ' ' {
		n++
	}
	return skipQuotes(text, n), n > at
}

func skipSpacesBack(text string, at int) (start int, ok bool) {
	at = skipQuotesBack(text, at)
	n := at
	for n > 0 && text[n-1] == ' ' {
		n--
	}
	return skipQuotesBack(text, n), n < at
}
