package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/report"
)

// Bounds of what is shown of one string, in characters.
const (
	maxShown = 300
	maxText  = 2000
)

// show prepares somebody else's string for a page; html/template escapes it
// besides.
func show(s string) string { return report.Line(s, maxShown) }

// text is show for what may be a paragraph.
func text(s string) string { return report.Line(s, maxText) }

func capital(s string) string { return report.Capital(s) }

// sentence ends a line with a full stop, unless it has an end.
func sentence(s string) string {
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".?!:") {
		return s
	}
	return s + "."
}

func hintAfter(hint string) string {
	if hint == "" {
		return ""
	}
	return " " + sentence(capital(hint))
}

func count(n int, one, many string) string {
	switch {
	case n == 1:
		return "1 " + one
	case n >= 1000 && (one == "address" || one == "person"):
		return "1,000 or more " + many // counted no further
	}
	return thousands(n) + " " + many
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// moment is a time as a page shows it: short to read, whole on a closer look.
type moment struct {
	ISO, Short, Full string
}

// moment gives a time of today by its clock only.
func (c *console) moment(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	t = t.In(c.opt.Location)
	now := c.opt.Now().In(c.opt.Location)
	layout := "2 Jan 2006 15:04"
	switch {
	case t.Year() == now.Year() && t.YearDay() == now.YearDay():
		layout = "15:04"
	case t.Year() == now.Year():
		layout = "2 Jan 15:04"
	}
	return moment{ISO: t.UTC().Format(time.RFC3339), Short: t.Format(layout), Full: t.Format("Monday, 2 January 2006, 15:04:05 MST")}
}

// span says how long something lasts in its two largest units.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Second:
		return "less than a second"
	case d < time.Minute:
		return count(int(d/time.Second), "second", "seconds")
	case d < time.Hour:
		return count(int(d/time.Minute), "minute", "minutes")
	case d < 48*time.Hour:
		h, m := int(d/time.Hour), int(d%time.Hour/time.Minute)
		if m == 0 {
			return count(h, "hour", "hours")
		}
		return fmt.Sprintf("%d h %d min", h, m)
	}
	return count(int(d/(24*time.Hour)), "day", "days")
}

// stateWord is a state as its chip says it.
func stateWord(s usher.CaseState) string {
	switch s {
	case usher.CaseRegressed:
		return "Back again"
	case usher.CaseIntended:
		return "Intended"
	}
	return capital(show(string(s)))
}

func kindWord(k usher.CaseKind) string {
	switch k {
	case usher.CaseAttack:
		return "Attack"
	case usher.CaseExposure:
		return "Exposure"
	case usher.CaseConfiguration:
		return "Configuration"
	}
	return ""
}

func riskWord(r usher.Risk) string {
	switch r {
	case usher.RiskNeutral:
		return "keeps security as it is"
	case usher.RiskTightening:
		return "tightens security"
	case usher.RiskWeakening:
		return "weakens security"
	}
	return ""
}

// plainWord gives a word of ours as a class of the style, and nothing else that
// may stand in its place.
func plainWord[W ~string](w W) W {
	for _, r := range string(w) {
		if r != '-' && (r < 'a' || r > 'z') {
			return "unknown"
		}
	}
	return w[:min(len(w), 40)]
}
