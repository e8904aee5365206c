package evidence

import (
	"strings"
	"sync"
)

// folded is a text in lower case with what is known of the marks in it: words
// and names that the readers ask for. All of them are looked for in one pass,
// since a search for each would cost more than everything else together.
type folded struct {
	s  string
	at []int32 // by mark: offset of its first occurrence, plus one; 0: it is not there
}

// markTable is every mark, and the index by which a text is searched for them:
// a mark is filed under its first four bytes.
type markTable struct {
	marks  []string
	number map[string]int32
	filter [256]uint64 // a bit set over hashed first bytes
	heads  map[uint32][]int32

	hosts, words, errors, pages, secrets []int32 // the numbers of each list's marks
}

var markIndex = sync.OnceValue(func() *markTable {
	t := &markTable{number: map[string]int32{}, heads: map[uint32][]int32{}}
	add := func(mark string) int32 {
		if n, have := t.number[mark]; have {
			return n
		}
		n := int32(len(t.marks))
		t.number[mark] = n
		t.marks = append(t.marks, mark)
		g := headOf(mark, 0)
		t.heads[g] = append(t.heads[g], n)
		h := headHash(g)
		t.filter[h>>6] |= 1 << (h & 63)
		return n
	}
	for i := range hostMarks {
		t.hosts = append(t.hosts, add(hostMarks[i].mark))
	}
	for i := range wordMarks {
		t.words = append(t.words, add(wordMarks[i].mark))
	}
	for _, m := range errorMarks {
		t.errors = append(t.errors, add(m))
	}
	for _, m := range pageMarks {
		t.pages = append(t.pages, add(m))
	}
	for _, m := range secretNames {
		t.secrets = append(t.secrets, add(m))
	}
	for _, list := range [...][]string{redirectLabels[:], otherMarks[:]} {
		for _, m := range list {
			add(m)
		}
	}
	for i := range codeMarks {
		if len(codeMarks[i].mark) >= 4 {
			add(codeMarks[i].mark)
		}
	}
	return t
})

// otherMarks are marks that single readers ask for.
var otherMarks = [...]string{
	"grant_type", "?code=", "&code=", "#code=", "&amp;code=", "bearer ", "dpop ", "basic ", "cookie:", "www-authenticate", "realm",
	"timestamp", "aadsts", "aadb2c", "device", "app id", "app name", "error code", "troubleshooting details", "curl ",
	"correlation id", "correlationid", "correlation_id", "trace id", "request id", "requestid", "trace_id", "x-ms-request-id",
}

func headOf(s string, i int) uint32 {
	return uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16 | uint32(s[i+3])<<24
}

func headHash(g uint32) uint32 { return g * 2654435761 >> 18 }

// fold gives a text in lower case with its marks.
func fold(text string) *folded {
	t := markIndex()
	f := &folded{s: lowerASCII(text), at: make([]int32, len(t.marks))}
	s := f.s
	if len(s) < 4 {
		return f
	}
	g := headOf(s, 0)
	filter := &t.filter
	for i := 0; ; i++ {
		if h := headHash(g); filter[(h>>6)&255]&(1<<(h&63)) != 0 {
			for _, n := range t.heads[g] {
				if f.at[n] == 0 && strings.HasPrefix(s[i:], t.marks[n]) {
					f.at[n] = int32(i) + 1
				}
			}
		}
		if i+4 >= len(s) {
			return f
		}
		g = g>>8 | uint32(s[i+4])<<24
	}
}

// index gives the first offset of a mark, or -1. A word that is no mark is
// searched for.
func (f *folded) index(mark string) int {
	if n, ok := markIndex().number[mark]; ok {
		return int(f.at[n]) - 1
	}
	return strings.Index(f.s, mark)
}

func (f *folded) has(mark string) bool { return f.index(mark) >= 0 }

// any tells whether one of the marks is there, within the first most bytes.
func (f *folded) any(numbers []int32, most int) bool {
	for _, n := range numbers {
		if at := int(f.at[n]); at > 0 && at <= most {
			return true
		}
	}
	return false
}

// each calls found with every offset of a mark until it gives the offset to go
// on from as negative.
func (f *folded) each(mark string, found func(at int) (next int)) {
	at := f.index(mark)
	for at >= 0 && at < len(f.s) {
		next := found(at)
		if next <= at {
			return
		}
		if next >= len(f.s) {
			return
		}
		i := strings.Index(f.s[next:], mark)
		if i < 0 {
			return
		}
		at = next + i
	}
}
