package console

import (
	"fmt"
)

// part is a piece of a value: what both have, or what one has alone.
type part struct {
	Text string
	Only bool
}

// contrast is two values side by side, with the characters that differ.
type contrast struct {
	Expected, Got []part
	Words         string // the difference for who cannot see the marks; empty: hardly anything is alike
}

// maxCompared bounds the values that are compared character by character.
const maxCompared = 600

// compare marks where two values differ. Both have been made exact already.
func compare(expected, got string) contrast {
	a, b := []rune(expected), []rune(got)
	if len(a) == 0 || len(b) == 0 || len(a) > maxCompared || len(b) > maxCompared {
		return contrast{Expected: whole(expected), Got: whole(got)}
	}
	inA, inB, same := common(a, b)
	if pieces(inA) > 3 || pieces(inB) > 3 {
		inA, inB, same = edges(a, b)
	}
	if 2*same < max(len(a), len(b)) {
		return contrast{Expected: whole(expected), Got: whole(got)} // two different things: marks would be confetti
	}
	return contrast{split(a, inA), split(b, inB), differenceWords(len(a)-same, len(b)-same, inA, inB)}
}

func whole(s string) []part { return []part{{Text: s}} }

// common finds the longest sequence of characters that both hold, as a mark on
// each character of either.
func common(a, b []rune) (inA, inB []bool, same int) {
	width := len(b) + 1
	length := make([]uint16, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i*width+j] = length[(i+1)*width+j+1] + 1
			} else {
				length[i*width+j] = max(length[(i+1)*width+j], length[i*width+j+1])
			}
		}
	}
	inA, inB = make([]bool, len(a)), make([]bool, len(b))
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			inA[i], inB[j] = true, true
			same, i, j = same+1, i+1, j+1
		case length[(i+1)*width+j] >= length[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return inA, inB, same
}

// edges marks what both begin and end with.
func edges(a, b []rune) (inA, inB []bool, same int) {
	inA, inB = make([]bool, len(a)), make([]bool, len(b))
	shorter := min(len(a), len(b))
	head := 0
	for head < shorter && a[head] == b[head] {
		inA[head], inB[head] = true, true
		head++
	}
	tail := 0
	for tail < shorter-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		inA[len(a)-1-tail], inB[len(b)-1-tail] = true, true
		tail++
	}
	return inA, inB, head + tail
}

// pieces counts the runs of characters that the other one lacks.
func pieces(in []bool) int {
	n := 0
	for i := range in {
		if !in[i] && (i == 0 || in[i-1]) {
			n++
		}
	}
	return n
}

func split(s []rune, in []bool) []part {
	var parts []part
	for start := 0; start < len(s); {
		end := start
		for end < len(s) && in[end] == in[start] {
			end++
		}
		parts = append(parts, part{string(s[start:end]), !in[start]})
		start = end
	}
	return parts
}

// differenceWords says the difference in a few words.
func differenceWords(lost, gained int, inA, inB []bool) string {
	switch {
	case lost == 0 && gained == 0:
		return "the two are equal"
	case lost == 0:
		return count(gained, "character", "characters") + " too many" + where(inB)
	case gained == 0:
		return count(lost, "character", "characters") + " missing" + where(inA)
	case lost == gained:
		return count(lost, "character differs", "characters differ")
	}
	return fmt.Sprintf("%s expected, %d sent in their place", count(lost, "other character", "other characters"), gained)
}

// where says at which end the only difference lies.
func where(in []bool) string {
	switch {
	case pieces(in) != 1:
		return ""
	case !in[len(in)-1]:
		return " at the end"
	case !in[0]:
		return " at the beginning"
	}
	return ""
}
