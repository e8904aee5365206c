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
// is filed under one gram, four bytes of a literal (three for a short one); a
// text position whose gram is in the filter is looked up and the pattern
// verified there.
type index struct {
	patterns []pattern
	four     gramTable
	three    gramTable
	loose    []int32 // patterns too short for a gram
}

// gramTable leads from a gram to the patterns that are filed under it.
type gramTable struct {
	filter  [1 << 12]uint64 // a bit for each hashed gram: 32 KiB
	entries map[uint32][]gramEntry
}

type gramEntry struct {
	pattern int32
	offset  int32 // of the gram behind the start of its literal
	element int32 // the literal's element in the pattern
}

func (t *gramTable) add(g uint32, e gramEntry) {
	h := gramHash(g)
	t.filter[h>>6] |= 1 << (h & 63)
	t.entries[g] = append(t.entries[g], e)
}

func (t *gramTable) has(g uint32) bool {
	h := gramHash(g)
	return t.filter[h>>6]&(1<<(h&63)) != 0
}

var ruleIndex = sync.OnceValue(func() *index { return newIndex(patternTexts) })

func newIndex(texts []string) *index {
	ix := &index{patterns: make([]pattern, len(texts))}
	ix.four.entries = make(map[uint32][]gramEntry, len(texts))
	ix.three.entries = make(map[uint32][]gramEntry, 64)
	shared := make([]uint16, 1<<18) // how many patterns hold a gram, by its hash: a measure of how common it is
	for i, text := range texts {
		ix.patterns[i] = compile(text)
		ix.patterns[i].grams(4, func(_, _ int, g uint32) { shared[gramHash(g)]++ })
	}
	for i := range ix.patterns {
		if !ix.file(int32(i), 4, &ix.four, shared) && !ix.file(int32(i), 3, &ix.three, shared) {
			ix.loose = append(ix.loose, int32(i))
		}
	}
	return ix
}

// file puts a pattern under its gram that the fewest patterns share.
func (ix *index) file(i int32, size int, table *gramTable, shared []uint16) bool {
	var best gramEntry
	var bestGram uint32
	least := uint16(0)
	filed := false
	ix.patterns[i].grams(size, func(element, offset int, g uint32) {
		if n := shared[gramHash(g)]; !filed || n < least {
			filed, least, bestGram, best = true, n, g, gramEntry{i, int32(offset), int32(element)}
		}
	})
	if filed {
		table.add(bestGram, best)
	}
	return filed
}

func gramOf(s string, size int) uint32 {
	g := uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16
	if size == 4 {
		g |= uint32(s[3]) << 24
	}
	return g
}

func gramHash(g uint32) uint32 { return g * 2654435761 >> 14 }

// Scan finds every pattern that occurs in the text and calls found once for
// each with its first match. The text must be folded with Fold; offsets are
// those of the unfolded text.
func (s *Scanner) Scan(folded string, found func(pattern int32, m Match)) {
	ix := s.ix
	clear(s.seen)
	for i := 0; i+3 <= len(folded); i++ {
		three := gramOf(folded[i:], 3)
		if ix.three.has(three) {
			s.verify(ix.three.entries[three], folded, i, found)
		}
		if i+4 > len(folded) {
			break
		}
		if four := three | uint32(folded[i+3])<<24; ix.four.has(four) {
			s.verify(ix.four.entries[four], folded, i, found)
		}
	}
	for _, p := range ix.loose {
		literal := ix.patterns[p].firstLiteral()
		for at := 0; at < len(folded) && !s.seen[p]; at++ {
			j := strings.Index(folded[at:], ix.patterns[p].elements[literal].literal)
			if j < 0 {
				break
			}
			at += j
			s.verify([]gramEntry{{p, 0, int32(literal)}}, folded, at, found)
		}
	}
}

// verify looks whether the patterns of a gram match at a position.
func (s *Scanner) verify(entries []gramEntry, folded string, at int, found func(int32, Match)) {
	for _, e := range entries {
		if s.seen[e.pattern] {
			continue
		}
		if m, ok := s.ix.patterns[e.pattern].verify(folded, at-int(e.offset), int(e.element)); ok {
			s.seen[e.pattern] = true
			found(e.pattern, m)
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

// Groups is the number of condition groups.
func Groups() int { return len(groups) }

// links lead from a pattern to the groups that hold it, and from a group to
// the rules whose first condition it is.
type links struct {
	groups [][]int32
	rules  [][]int32
	free   []int32 // rules without a pattern: facts alone decide
}

var ruleLinks = sync.OnceValue(func() *links {
	l := &links{groups: make([][]int32, len(patternTexts)), rules: make([][]int32, len(groups))}
	for g := range groups {
		for _, p := range groups[g].patterns {
			l.groups[p] = append(l.groups[p], int32(g))
		}
	}
	for i := range rules {
		if all := rules[i].All; len(all) > 0 {
			l.rules[all[0]] = append(l.rules[all[0]], int32(i))
		} else {
			l.free = append(l.free, int32(i))
		}
	}
	return l
})

// GroupsOf gives the groups of which a pattern is one of the alternatives.
func GroupsOf(pattern int32) []int32 { return ruleLinks().groups[pattern] }

// RulesBehind gives the indexes of the rules whose first condition is a group.
func RulesBehind(group int32) []int32 { return ruleLinks().rules[group] }

// RulesOfFacts gives the indexes of the rules that have no pattern.
func RulesOfFacts() []int32 { return ruleLinks().free }

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
