package serve

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"usher/oauth"
)

// Problem is one mistake in a configuration, with its place.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`              // from 1; 0: the file as a whole
	Column  int    `json:"column"`            // from 1, in characters
	Key     string `json:"key,omitempty"`     // path of the key: "providers[0].issuer"
	Message string `json:"message"`           // what is wrong
	Hint    string `json:"hint,omitempty"`    // what to write
	Warning bool   `json:"warning,omitempty"` // the server starts all the same
	// Excerpt is the line, masked, and a caret line below it; empty where there
	// is nothing to show.
	Excerpt string `json:"excerpt,omitempty"`
}

// String gives the problem in one line: place, what is wrong.
func (p Problem) String() string {
	kind := ""
	if p.Warning {
		kind = "warning: "
	}
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s%s", p.File, kind, p.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s%s", p.File, p.Line, p.Column, kind, p.Message)
}

// Problems are the mistakes of one configuration, in the order of the file. As
// an error it holds at least one that is no warning.
type Problems []Problem

// Error gives the first problem and how many there are.
func (ps Problems) Error() string {
	n := 0
	var first Problem
	for _, p := range ps {
		if !p.Warning {
			if n == 0 {
				first = p
			}
			n++
		}
	}
	if n > 1 {
		return fmt.Sprintf("%s (and %d more)", first, n-1)
	}
	return first.String()
}

// Wrong tells whether any of them keeps the server from starting.
func (ps Problems) Wrong() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return !p.Warning })
}

// Text writes the problems for a person.
func (ps Problems) Text() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.String() + "\n")
		if p.Excerpt != "" {
			b.WriteString(p.Excerpt + "\n")
		}
		if p.Hint != "" {
			b.WriteString("  hint: " + p.Hint + "\n")
		}
	}
	return b.String()
}

// sort puts the problems into the order of the file, one of a kind a place.
func (ps Problems) sort() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(ps, func(a, b Problem) bool {
		return a.Line == b.Line && a.Column == b.Column && a.Message == b.Message
	})
}

// maxExcerpt bounds a shown line, in characters.
const maxExcerpt = 160

// excerpt shows a line with a caret under width characters from column on. What
// could be a secret is masked first; the caret is left out where that moved it.
func excerpt(text string, line, column, width int, secrets []string) string {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	plain := strings.TrimRight(lines[line-1], "\r")
	shown := plain
	for _, s := range secrets {
		if s != "" {
			shown = strings.ReplaceAll(shown, s, "[masked]")
		}
	}
	shown = oauth.Redact(shown)
	same := commonPrefix(plain, shown)
	shown = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || !printable(r) {
			return ' '
		}
		return r
	}, shown)
	if utf8.RuneCountInString(shown) > maxExcerpt {
		shown = string([]rune(shown)[:maxExcerpt]) + "..."
	}
	number := fmt.Sprint(line)
	out := fmt.Sprintf("  %s | %s", number, shown)
	if column < 1 || column > same+1 || column > maxExcerpt {
		return out
	}
	width = max(1, min(width, utf8.RuneCountInString(shown)-column+1))
	return out + fmt.Sprintf("\n  %s | %s%s", strings.Repeat(" ", len(number)), strings.Repeat(" ", column-1), strings.Repeat("^", width))
}

// printable leaves out what steers a terminal or hides.
func printable(r rune) bool {
	switch {
	case r >= 0x80 && r < 0xa0, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff, r == utf8.RuneError:
		return false
	}
	return true
}

// commonPrefix counts the characters that both begin with.
func commonPrefix(a, b string) int {
	ra, rb := []rune(a), []rune(b)
	n := 0
	for n < len(ra) && n < len(rb) && ra[n] == rb[n] {
		n++
	}
	return n
}
