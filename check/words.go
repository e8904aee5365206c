package check

import (
	"strconv"
	"strings"
)

// Only makes the verdicts of a check that judges the configuration as a whole.
func Only(v Verdict) []Verdict { return []Verdict{v} }

// Clip cuts words of the evidence so that they fit a proof: at most n bytes,
// with three dots where something was left out.
func Clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "..."
	}
	return s
}

// Names joins names for a sentence, a dozen of them.
func Names(list []string) string {
	const most = 12
	if len(list) > most {
		return strings.Join(list[:most], ", ") + " and " + strconv.Itoa(len(list)-most) + " more"
	}
	return strings.Join(list, ", ")
}

// Count says how many, with the word in its right form.
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// Directive tells whether a header that is a list has a member, Cache-Control
// for instance. Letter case does not count.
func Directive(header, name string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if strings.EqualFold(strings.TrimSpace(part), name) {
			return true
		}
	}
	return false
}
