package catalog

import (
	"strings"
	"sync"
)

// Rule is one piece of knowledge about messages and situations: when its
// conditions hold, it names a cause, or adds a fact that other rules ask for.
// FORMAT.md describes the written form.
type Rule struct {
	ID         string
	Cause      string // label; empty for a rule that only adds Fact
	Fact       string // "flow=device-code"; "issuer={value}" takes a capture
	Confidence float64
	Step       string   // overrides the cause's step
	All        []int32  // indexes of condition groups, each must match
	Within     int      // the hits of All must lie within so many bytes of one text; 0: anywhere
	None       []int32  // groups of which none may match
	Facts      []string // "key=a|b": a fact of that key with one of the values; "!key=a" none
	Given      []string // causes of which one must be a candidate already
	Demotes    []string // causes that stand behind this one when the rule holds
	Says       string   // a sentence for the person, with {capture} places
	Fix        string   // a better first fix step than the cause's, with {capture} places
}

// Match is where a pattern was found in a text.
type Match struct {
	Start, End int // byte offsets
	Captures   []Capture
}

// Capture is one named part of a match, as "expected" or "got".
type Capture struct {
	Name       string
	Start, End int
}

// group is a condition: one of its patterns must match.
type group struct{ patterns []int32 }

// index finds the patterns of all rules in one pass over a text. Each pattern
// is filed under one gram, four bytes of its longest literal; a text position
// whose gram is in the filter is looked up and the pattern verified there.
type index struct {
	patterns []pattern
	filter   [1 << 12]uint64        // bit set over hashed grams: 32 KiB
	grams    map[uint32][]gramEntry // gram to patterns
	loose    []int32                // patterns too short for a gram
}

type gramEntry struct {
	pattern int32
	offset  int32 // of the gram behind the start of its literal
	element int32 // the literal's element in the pattern
}

var ruleIndex = sync.OnceValue(func() *index { return newIndex(patternTexts) })

func newIndex(texts []string) *index {
	ix := &index{patterns: make([]pattern, len(texts)), grams: make(map[uint32][]gramEntry, len(texts))}
	for i, text := range texts {
		p := compile(text)
		ix.patterns[i] = p
		element, offset, ok := p.gram()
		if !ok {
			ix.loose = append(ix.loose, int32(i))
			continue
		}
		lit := p.elements[element].literal
		g := gramOf(lit[offset:])
		h := gramHash(g)
		ix.filter[h>>6] |= 1 << (h & 63)
		ix.grams[g] = append(ix.grams[g], gramEntry{int32(i), int32(offset), int32(element)})
	}
	return ix
}

func gramOf(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func gramHash(g uint32) uint32 { return g * 2654435761 >> 14 }

// Scan finds every pattern that occurs in the text and calls found once for
// each with its first match. The text must be folded with Fold; offsets are
// those of the unfolded text.
func (s *Scanner) Scan(folded string, found func(pattern int32, m Match)) {
	ix := s.ix
	clear(s.seen)
	if len(folded) >= 4 {
		g := gramOf(folded)
		for i := 0; ; i++ {
			if h := gramHash(g); ix.filter[h>>6]&(1<<(h&63)) != 0 {
				for _, e := range ix.grams[g] {
					if s.seen[e.pattern] {
						continue
					}
					if m, ok := ix.patterns[e.pattern].verify(folded, i-int(e.offset), int(e.element)); ok {
						s.seen[e.pattern] = true
						found(e.pattern, m)
					}
				}
			}
			if i+4 >= len(folded) {
				break
			}
			g = g>>8 | uint32(folded[i+4])<<24
		}
	}
	for _, p := range ix.loose {
		pat := &ix.patterns[p]
		lit := pat.elements[pat.firstLiteral()].literal
		for at := 0; ; {
			j := strings.Index(folded[at:], lit)
			if j < 0 {
				break
			}
			if m, ok := pat.verify(folded, at+j, pat.firstLiteral()); ok {
				found(p, m)
				break
			}
			at += j + 1
		}
	}
}

// Scanner holds the working memory of scans; one goroutine at a time.
type Scanner struct {
	ix   *index
	seen []bool
}

// NewScanner gives a scanner over the patterns of all rules.
func NewScanner() *Scanner {
	ix := ruleIndex()
	return &Scanner{ix: ix, seen: make([]bool, len(ix.patterns))}
}

// Rules gives every rule, facts first, in the order of the files. Read only.
func Rules() []Rule { return rules }

// Group gives the patterns of a condition group: one of them must match.
func Group(g int32) []int32 { return groups[g].patterns }

// Patterns is the number of patterns that Scan can find.
func Patterns() int { return len(patternTexts) }

// PatternText gives a pattern as it is written in the data.
func PatternText(p int32) string { return patternTexts[p] }

// Fold prepares a text for Scan: ASCII letters in lower case, every white
// space a blank, the length unchanged so that offsets hold.
func Fold(text string) string {
	b := []byte(text)
	for i, c := range b {
		switch {
		case c >= 'A' && c <= 'Z':
			b[i] = c + 'a' - 'A'
		case c == '\n' || c == '\t' || c == '\r':
			b[i] = ' '
		}
	}
	return string(b)
}
