package evidence

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// source is one text that places refer to: a decoded input, or a body in a HAR.
type source struct {
	name string // "error.json"
	text string
	// line is the line of the input where text starts, less one.
	line int
	// flat marks a source that has no lines of its own: every place in it is name.
	flat bool
	// marks holds the number of line breaks before every block of the text,
	// so that a place costs one block and not the whole text.
	marks []int32
}

const markEvery = 64 << 10

// lineAt gives the line of the input at an offset, from 1.
func (s *source) lineAt(off int) int {
	off = max(0, min(off, len(s.text)))
	if off < markEvery {
		return s.line + 1 + strings.Count(s.text[:off], "\n")
	}
	if s.marks == nil {
		n := 0
		for i := 0; i < len(s.text); i += markEvery {
			s.marks = append(s.marks, int32(n))
			n += strings.Count(s.text[i:min(len(s.text), i+markEvery)], "\n")
		}
	}
	block := min(off/markEvery, len(s.marks)-1)
	return s.line + 1 + int(s.marks[block]) + strings.Count(s.text[block*markEvery:off], "\n")
}

// maxColumn is the length of a line up to which columns are told.
const maxColumn = 1 << 16

// place gives FILE:LINE, or FILE:LINE:COLUMN for what does not start a line.
func (s *source) place(off int) string {
	if s.flat {
		return s.name
	}
	off = max(0, min(off, len(s.text)))
	out := s.name + ":" + strconv.Itoa(s.lineAt(off))
	start := max(0, off-maxColumn)
	head := s.text[start:off]
	if i := strings.LastIndexByte(head, '\n'); i >= 0 {
		head = head[i+1:]
	} else if start > 0 {
		return out // deep in an endless line
	}
	if head == "" {
		return out
	}
	return out + ":" + strconv.Itoa(utf8.RuneCountInString(head)+1)
}

// piece is a part of a source that one reader looks at.
type piece struct {
	src  *source
	text string
	// base is the offset of text in the source. A decoded text has no offsets
	// of its own: fixed is set and base is where the whole of it stands.
	base  int
	fixed bool
	depth int // how many times something was unpacked to come here
	// origin says where a part comes from, as "body" or "header"; empty at the top.
	origin string
	head   string  // the start of text without leading white space
	folded *folded // text in lower case, with its marks
}

// maxUnpack is how many times a text within a text is looked into.
const maxUnpack = 5

func (p *piece) off(i int) int {
	if p.fixed {
		return p.base
	}
	return p.base + i
}

func (p *piece) place(i int) string { return p.src.place(p.off(i)) }
func (p *piece) line(i int) int     { return p.src.lineAt(p.off(i)) }

// part gives text[from:to] as a piece of its own.
func (p *piece) part(from, to int) piece {
	return piece{src: p.src, text: p.text[from:to], base: p.off(from), fixed: p.fixed, depth: p.depth, origin: p.origin}
}

// inside gives a decoded text that was found at offset i.
func (p *piece) inside(i int, text, origin string) piece {
	return piece{src: p.src, text: text, base: p.off(i), fixed: true, depth: p.depth + 1, origin: origin}
}

// fold gives the text in lower case; the length is unchanged.
func (p *piece) fold() *folded {
	if p.folded == nil {
		p.folded = fold(p.text)
	}
	return p.folded
}

func (p *piece) start() string {
	if p.head == "" {
		p.head = strings.TrimLeft(p.text[:min(len(p.text), 4096)], " \t\n\u00a0")
	}
	return p.head
}

// lowerASCII gives s with its ASCII letters in lower case, of the same length.
func lowerASCII(s string) string {
	i := 0
	for i < len(s) && (s[i] < 'A' || s[i] > 'Z') {
		i++
	}
	if i == len(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	b.WriteString(s[:i])
	var buf [128]byte
	for i < len(s) {
		n := copy(buf[:], s[i:])
		for j, c := range buf[:n] {
			if c-'A' < 26 {
				buf[j] = c + 'a' - 'A'
			}
		}
		b.Write(buf[:n])
		i += n
	}
	return b.String()
}
