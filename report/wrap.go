package report

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// columns is the number of terminal cells that a string fills.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += cells(r)
	}
	return n
}

func cells(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// wrap breaks running text into lines of at most limit cells. A word that is
// longer stays whole on a line of its own, so that a URL can still be copied.
// Chinese and Japanese have no blanks; there a line may break between any two
// characters.
func wrap(s string, limit int) []string {
	if limit < 10 {
		limit = 10
	}
	var lines []string
	var line strings.Builder
	used := 0
	put := func(atom string, blank bool) {
		n := columns(atom)
		if used > 0 {
			gap := 0
			if blank {
				gap = 1
			}
			if used+gap+n > limit {
				lines = append(lines, line.String())
				line.Reset()
				used = 0
			} else if blank {
				line.WriteByte(' ')
				used++
			}
		}
		line.WriteString(atom)
		used += n
	}
	for _, word := range strings.Fields(s) {
		for i, atom := range atoms(word) {
			put(atom, i == 0)
		}
	}
	if used > 0 || len(lines) == 0 {
		lines = append(lines, line.String())
	}
	return lines
}

// atoms splits a word where a line may break inside it: before a wide
// character and after it, together with the marks that sit on it.
func atoms(word string) []string {
	ascii := true
	for i := 0; i < len(word); i++ {
		if word[i] >= 0x80 {
			ascii = false
			break
		}
	}
	if ascii {
		return []string{word}
	}
	var out []string
	start, wide := 0, false
	for i, r := range word {
		n := cells(r)
		if i > start && n > 0 && (wide || n == 2) {
			out = append(out, word[start:i])
			start = i
		}
		if n > 0 {
			wide = n == 2
		}
	}
	return append(out, word[start:])
}

// cut gives as much of s as fits into limit cells, and the rest.
func cut(s string, limit int) (head, rest string) {
	used := 0
	for i, r := range s {
		n := cells(r)
		if used+n > limit && i > 0 {
			return s[:i], s[i:]
		}
		used += n
	}
	return s, ""
}
