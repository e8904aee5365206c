package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"usher"
)

// proofView is a proof whose strings are ready to be shown.
type proofView struct {
	Place, Quote, Expected, Got string
}

func viewProof(p usher.Proof) proofView {
	return proofView{prose(p.Place), quotation(p.Quote), Exact(p.Expected), Exact(p.Got)}
}

// hit finds the offending words of a quotation: the got value where it stands
// in it. A short value that stands there more than once marks nothing, for
// the wrong one would be as likely.
func (p proofView) hit() (start, end int, ok bool) {
	if p.Got == "" || strings.TrimSpace(p.Quote) == p.Got {
		return 0, 0, false
	}
	start = strings.Index(p.Quote, p.Got)
	if start < 0 || (len(p.Got) < 8 && strings.Count(p.Quote, p.Got) > 1) {
		return 0, 0, false
	}
	return start, start + len(p.Got), true
}

// told tells whether the marks in the quotation say all there is to say about
// the got value.
func (p proofView) told() bool {
	_, _, ok := p.hit()
	return ok && p.Expected == ""
}

// divergence gives the offset at which expected and got part, and false where
// the two have so little in common that the spot would say nothing.
func (p proofView) divergence() (at int, ok bool) {
	if p.Expected == "" || p.Got == "" || p.Expected == p.Got {
		return 0, false
	}
	shorter := min(len(p.Expected), len(p.Got))
	for at < shorter && p.Expected[at] == p.Got[at] {
		at++
	}
	same := 0
	for same < shorter-at && p.Expected[len(p.Expected)-1-same] == p.Got[len(p.Got)-1-same] {
		same++
	}
	if 2*(at+same) < shorter || at+same < 4 {
		return 0, false
	}
	for at > 0 && !(at == len(p.Got) || utf8.RuneStart(p.Got[at])) {
		at--
	}
	return at, true
}

// lines draws a proof for a fixed-width medium: the quotation with carets
// under the offending words, then expected and got below each other.
func (p proofView) lines(limit int) []string {
	var out []string
	if start, end, ok := p.hit(); ok {
		out = append(out, caretLines(p.Quote, start, end, limit)...)
	} else if p.Quote != "" && !(p.Got != "" && strings.TrimSpace(p.Quote) == p.Got) {
		out = append(out, foldLines(p.Quote, limit)...)
	}
	const lead = len("expected  ")
	if p.Expected != "" {
		out = append(out, labelled("expected  ", p.Expected, limit)...)
	}
	if p.Got != "" && !p.told() {
		out = append(out, labelled("got       ", p.Got, limit)...)
		if at, ok := p.divergence(); ok && lead+columns(p.Got) < limit && lead+columns(p.Expected) <= limit {
			out = append(out, strings.Repeat(" ", lead+columns(p.Got[:at]))+"^")
		}
	}
	return out
}

// labelled puts a value beside its label and folds what is too long under it.
func labelled(lead, s string, limit int) []string {
	rows := foldLines(s, limit-len(lead))
	for i := range rows {
		if i > 0 {
			lead = strings.Repeat(" ", len(lead))
		}
		rows[i] = lead + rows[i]
	}
	return rows
}

// foldLines breaks long lines hard, for a quotation must not gain or lose a
// blank, and leaves out what does not fit into a few rows.
func foldLines(s string, limit int) []string {
	const most = 8
	var rows []string
	for line := range strings.SplitSeq(s, "\n") {
		for {
			head, rest := cut(line, max(limit, 10))
			rows = append(rows, head)
			if line = rest; rest == "" {
				break
			}
		}
	}
	if len(rows) > most {
		rest := 0
		for _, row := range rows[most-1:] {
			rest += utf8.RuneCountInString(row)
		}
		rows = append(rows[:most-1], fmt.Sprintf("… (%d more characters)", rest))
	}
	return rows
}

// caretLines shows the line of the quotation that holds the words from start
// to end, cut to the width around them, and carets below them.
func caretLines(quote string, start, end, limit int) []string {
	first := strings.LastIndexByte(quote[:start], '\n') + 1
	last := len(quote)
	if i := strings.IndexByte(quote[end:], '\n'); i >= 0 {
		last = end + i
	}
	before, hit, after := quote[first:start], quote[start:end], quote[end:last]
	if columns(before)+columns(hit)+columns(after) > limit {
		// A third of the width at most goes to what stands before.
		if room := limit / 3; columns(before) > room {
			for columns(before) > room-1 {
				_, size := utf8.DecodeRuneInString(before)
				before = before[size:]
			}
			before = "…" + before
		}
		if room := limit - columns(before) - 1; columns(hit) > room {
			hit, _ = cut(hit, room)
			after = "…"
		} else if room -= columns(hit); columns(after) > room+1 {
			after, _ = cut(after, room)
			if room <= 0 {
				after = ""
			}
			after += "…"
		}
	}
	return []string{
		before + hit + after,
		strings.Repeat(" ", columns(before)) + strings.Repeat("^", max(1, columns(hit))),
	}
}
