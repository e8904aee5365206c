package report

import (
	"strconv"
	"strings"
	"time"

	"usher"
)

// stateMeaning says what the state of a case means for the reader. Nothing but
// a proof is ever called fixed.
func stateMeaning(c *usher.Case) string {
	attack := c.Kind == usher.CaseAttack
	switch c.State {
	case usher.CaseOpen:
		switch {
		case attack && !c.Escalated.IsZero():
			return "An attacker got in, and nothing proves yet that what was stolen is dead."
		case attack:
			return "The attack goes on, and nobody has done anything about it yet."
		}
		return "It goes on, and nobody has done anything about it yet."
	case usher.CaseFixing:
		return "A fix is being carried out."
	case usher.CaseVerifying:
		return "A fix was carried out; the case closes when it is proven, not before."
	case usher.CaseFixed:
		return "It is proven fixed."
	case usher.CaseIntended:
		return "The refusal is right; nothing has to be fixed."
	case usher.CaseQuiet:
		return "The tries have stopped. Nothing proves that it is fixed."
	case usher.CaseRegressed:
		return "It was proven fixed and is back."
	}
	return "What this state means is not known to this version."
}

// stateTone is the class of a state: wrong asks for somebody, open waits, fine
// is proven, calm is at rest without a proof.
func stateTone(s usher.CaseState) string {
	switch s {
	case usher.CaseOpen, usher.CaseRegressed:
		return "wrong"
	case usher.CaseFixing, usher.CaseVerifying:
		return "open"
	case usher.CaseFixed:
		return "fine"
	}
	return "calm"
}

func toneInk(tone string) string {
	switch tone {
	case "wrong":
		return red
	case "open":
		return yellow
	case "fine":
		return green
	}
	return dim
}

func kindWords(k usher.CaseKind) string {
	switch k {
	case usher.CaseFailure, "":
		return ""
	case usher.CaseAttack:
		return "attack"
	case usher.CaseExposure:
		return "exposure"
	case usher.CaseConfiguration:
		return "configuration"
	}
	return label(string(k))
}

func riskWords(r usher.Risk) string {
	switch r {
	case usher.RiskNeutral:
		return "neutral"
	case usher.RiskTightening:
		return "tightens security"
	case usher.RiskWeakening:
		return "weakens security"
	case "":
		return "risk not known"
	}
	return label(string(r))
}

// riskClass is the class of a risk's badge.
func riskClass(r usher.Risk) string {
	switch r {
	case usher.RiskNeutral:
		return "even"
	case usher.RiskTightening:
		return "good"
	}
	return "warn" // what is not known may weaken
}

func riskInk(class string) string {
	switch class {
	case "good":
		return green
	case "warn":
		return red
	}
	return dim
}

// runWords says how a carrying out ended.
func runWords(r *usher.FixRun) (mark, words string) {
	if r.State == usher.RunApplied && len(r.Plan.Diff) == 0 {
		return "✓", "was so already"
	}
	switch r.State {
	case usher.RunApplying:
		return "…", "is being carried out"
	case usher.RunApplied:
		return "✓", "carried out"
	case usher.RunUndone:
		return "↶", "taken back"
	case usher.RunFailed:
		return "✗", "could not be carried out"
	case usher.RunDeclared:
		return "✓", "declared as done"
	}
	return "?", label(string(r.State))
}

// entryMark is the mark of a line of the timeline.
func entryMark(k usher.EntryKind) string {
	switch k {
	case usher.EntryChange:
		return "△"
	case usher.EntryFirst, usher.EntryTries:
		return "✗"
	case usher.EntryProven:
		return "✓"
	case usher.EntryFailed, usher.EntryEscalated:
		return "!"
	case usher.EntryUnproven:
		return "?"
	}
	return "·"
}

func entryInk(k usher.EntryKind) string {
	switch k {
	case usher.EntryProven:
		return green
	case usher.EntryFirst, usher.EntryTries, usher.EntryFailed, usher.EntryEscalated:
		return red
	case usher.EntryChange, usher.EntryUnproven:
		return yellow
	}
	return dim
}

// proofWords says a condition of proof where it does not say itself.
func proofWords(p usher.ProofCondition) string {
	if p.Text != "" {
		return prose(p.Text)
	}
	if p.Check != "" {
		return "the check " + label(p.Check) + " passes"
	}
	if len(p.Equal)+len(p.Differ) == 0 {
		return ""
	}
	parts := make([]string, 0, 2)
	if len(p.Equal) > 0 {
		parts = append(parts, "the same "+fieldNames(p.Equal))
	}
	if len(p.Differ) > 0 {
		parts = append(parts, "another "+fieldNames(p.Differ))
	}
	text := "a later success has " + strings.Join(parts, " and ")
	if p.Applied {
		text += ", after the fix"
	}
	if p.Within > 0 {
		text += ", within " + span(time.Duration(p.Within))
	}
	return text
}

func fieldNames(paths []string) string {
	names := make([]string, 0, len(paths))
	for i, p := range paths {
		if i == 8 {
			names = append(names, "…")
			break
		}
		names = append(names, label(usher.FieldName(p)))
	}
	return joined(names)
}

// joined lists words as a sentence does.
func joined(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// span says how long something is, in one unit.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "no time"
	case d < time.Minute:
		return plural(int(d/time.Second), "second", "seconds")
	case d < 100*time.Minute:
		return plural(int(d/time.Minute), "minute", "minutes")
	case d <= 72*time.Hour:
		return plural(int(d/time.Hour), "hour", "hours")
	}
	return plural(int(d/(24*time.Hour)), "day", "days")
}

// dial tells times to people: in one zone, with the day where it is not today.
type dial struct {
	zone *time.Location
	now  time.Time
}

func newDial(opt CaseOptions) dial {
	d := dial{opt.Location, opt.Now}
	if d.zone == nil {
		d.zone = time.UTC
	}
	return d
}

func (d dial) day(t time.Time) string { return t.In(d.zone).Format("2006-01-02") }

// short is the time of the day, with the day where it is another one than now.
func (d dial) short(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	if !d.now.IsZero() && d.day(t) == d.day(d.now) {
		return t.In(d.zone).Format("15:04")
	}
	return t.In(d.zone).Format("2006-01-02 15:04")
}

// full is the time with day and zone.
func (d dial) full(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.In(d.zone).Format("2006-01-02 15:04:05 MST")
}

// ago says how long ago a time is, where now is known.
func (d dial) ago(t time.Time) string {
	if d.now.IsZero() || t.IsZero() || t.After(d.now) {
		return ""
	}
	if d.now.Sub(t) < time.Second {
		return "now"
	}
	return span(d.now.Sub(t)) + " ago"
}

func (d dial) shortAgo(t time.Time) string {
	if ago := d.ago(t); ago != "" {
		return d.short(t) + " (" + ago + ")"
	}
	return d.short(t)
}

func count(n int) string {
	if n >= 1000 { // told apart up to here
		return "1000 or more"
	}
	return strconv.Itoa(n)
}

func counted(n int, one, many string) string {
	if n >= 1000 {
		return count(n) + " " + many
	}
	return plural(n, one, many)
}
