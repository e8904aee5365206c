package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Inert makes a string harmless to a terminal and honest to an eye: control
// characters, terminal escapes, bidirectional overrides, invisible characters
// and bytes that are no UTF-8 come out as \x1b, \u202e or \U000e0041. Line feeds
// and tabs stay. What is visible already stays as it is.
func Inert(s string) string {
	if allVisible(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !hidden(r):
			b.WriteString(s[i : i+size])
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += size
	}
	return b.String()
}

// hidden tells whether a character acts on a terminal, reorders its
// neighbours or cannot be seen. Zero-width joiners count: inside a client id or
// a redirect URI they are the fault that is looked for.
func hidden(r rune) bool {
	if r < 0x80 {
		return (r < 0x20 && r != '\n' && r != '\t') || r == 0x7f
	}
	switch {
	case r < 0xa0: // C1: 0x9b alone starts a terminal sequence
		return true
	case r == 0x034f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x2800, r == 0x3164, r == 0xffa0:
		return true // blank, though no space: joiners, fillers, the empty braille cell
	case r >= 0xe0000 && r <= 0xe0fff:
		return true // tags and variation selectors, which smuggle text
	}
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs)
}

func allVisible(s string) bool {
	ascii := true
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			ascii = false
			break
		}
		if hidden(rune(s[i])) {
			return false
		}
	}
	if ascii {
		return true
	}
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if hidden(r) {
			return false
		}
	}
	return true
}

// Bounds of what is shown of one string, in characters. The JSON form is never
// shortened.
const (
	maxLabel = 60
	maxProse = 1500
	maxQuote = 4000
	maxQuery = 8000
)

// Line prepares somebody else's string for running text: one line, single
// blanks, at most so many characters (then it says how many more there are), and
// nothing in it that acts or hides. A page has to escape it besides.
func Line(s string, most int) string {
	return Inert(shorten(strings.Join(strings.Fields(s), " "), most))
}

// prose is Line for a sentence or a paragraph.
func prose(s string) string { return Line(s, maxProse) }

// label prepares a word of the contract. It is somebody else's string all the
// same, and a long one would push everything beside it off the page.
func label(s string) string { return Line(s, maxLabel) }

// quotation prepares quoted evidence: its lines stay, blanks that cannot be
// told from a space become visible, and so do those at the edge of a line,
// where they are often the whole fault.
func quotation(s string) string {
	s = Inert(shorten(strings.ReplaceAll(s, "\r\n", "\n"), maxQuote))
	lines := strings.Split(strings.Trim(s, "\n"), "\n")
	for i, line := range lines {
		line = strings.ReplaceAll(line, "\t", "    ")
		lines[i] = visibleBlanks(line)
	}
	return strings.Join(lines, "\n")
}

// Exact prepares a value whose every character counts, an expected or a got one,
// as a single line: line feeds, tabs, odd blanks and those at the ends become
// visible, and what acts or hides does not come through. It is bounded.
func Exact(s string) string {
	s = strings.ReplaceAll(Inert(shorten(s, maxQuote)), "\t", `\t`)
	s = visibleBlanks(strings.ReplaceAll(s, "\n", `\n`))
	lead := len(s) - len(strings.TrimLeft(s, " "))
	return strings.Repeat("␠", lead) + s[lead:]
}

func visibleBlanks(line string) string {
	if strings.ContainsFunc(line, oddBlank) {
		var b strings.Builder
		for _, r := range line {
			if oddBlank(r) {
				fmt.Fprintf(&b, `\u%04x`, r)
			} else {
				b.WriteRune(r)
			}
		}
		line = b.String()
	}
	kept := strings.TrimRight(line, " ")
	return kept + strings.Repeat("␠", len(line)-len(kept))
}

func oddBlank(r rune) bool { return r != ' ' && r >= 0x80 && unicode.Is(unicode.Zs, r) }

// query prepares a ready query: its lines stay so that it can be pasted. Tabs
// go, for a shell completes at them.
func query(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\t", "    ")
	s = Inert(shorten(s, maxQuery))
	return strings.Trim(s, "\n")
}

// shorten cuts a string to n characters and says how many are left out.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	count := utf8.RuneCountInString(s)
	if count <= n {
		return s
	}
	end := 0
	for i := 0; i < n; i++ {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return fmt.Sprintf("%s… (%d more characters)", s[:end], count-n)
}
