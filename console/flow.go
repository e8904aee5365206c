package console

import (
	"cmp"
	"strings"

	"usher"
	"usher/report"
)

// flow is the way of a sign-in as a sequence diagram with the failing step
// marked: four lanes, one row a step. It is made of numbers and words, the
// template turns it into SVG. It is narrow on purpose, so that its words can be
// read on a phone.
type flow struct {
	Width, Height, Top, Bottom int
	Lanes                      []lane
	Steps                      []flowStep
	Words                      string // the same for who cannot see it
}

type lane struct {
	X         int
	Name, Who string
}

type flowStep struct {
	report.Arrow
	Name, State      string // State: a class, one of the usher.Flow constants, "fixed" or "follows"
	Note             string // under the failing step
	Top, Height      int
	Y, TextY, BadgeY int
	Badge            string
	NoteY            int
}

const (
	flowWidth  = 440
	flowTop    = 48
	rowHeight  = 45
	noteHeight = 20
	firstLane  = 82
	laneGap    = 104

	// States of a step beside the usher.Flow constants, once the case is fixed.
	stateFixed   = "fixed"
	stateFollows = "follows"
)

func laneX(l int) int { return firstLane + l*laneGap }

// drawFlow draws the flow of a case, and nothing where the step is not known.
func drawFlow(c *usher.Case) *flow {
	steps := report.CaseFlow(c)
	if len(steps) == 0 {
		return nil
	}
	f := &flow{Width: flowWidth, Top: flowTop - 6}
	for i, name := range report.LaneNames {
		who := ""
		switch i {
		case report.LaneApp:
			who = cutTo(cmp.Or(c.Refusal.Client.UID, c.Finding.Subject.Client), 14)
		case report.LaneProvider:
			who = cutTo(report.ProviderName(c.Refusal.Provider), 14)
		case report.LaneAPI:
			who = cutTo(c.Refusal.Resource.String(), 12)
		}
		f.Lanes = append(f.Lanes, lane{X: laneX(i), Name: name, Who: who})
	}
	top := flowTop
	var told []string
	fixed := c.State == usher.CaseFixed
	for _, s := range steps {
		state, note, words := s.State, "", "passed"
		switch {
		case s.State == usher.FlowFailed && fixed:
			state, note, words = stateFixed, "refused before, succeeds now", "was refused, and succeeds now"
		case s.State == usher.FlowFailed:
			note, words = failNote(c), "refused here"
		case s.State == usher.FlowNotReached && fixed:
			state, words = stateFollows, "follows"
		case s.State == usher.FlowNotReached:
			words = "not reached"
		case s.State == usher.FlowUnknown:
			words = "not seen"
		}
		step := drawStep(s.Step, state, top)
		if step.Note = note; note != "" {
			step.Height += noteHeight
			step.NoteY = step.Y + 21
		}
		top += step.Height
		f.Steps = append(f.Steps, step)
		told = append(told, report.StepName(s.Step)+": "+words)
	}
	f.Bottom, f.Height = top+2, top+8
	f.Words = sentence(capital(strings.Join(told, "; ")))
	return f
}

// cutTo shortens a name for a narrow place.
func cutTo(s string, n int) string {
	r := []rune(show(s))
	if len(r) <= n {
		return string(r)
	}
	return string(r[:n-1]) + "…"
}

// failNote is what the provider said at the failing step.
func failNote(c *usher.Case) string {
	said := cmp.Or(c.Refusal.OAuth.Error, c.Refusal.StatusCode)
	if said == "" {
		return "refused here"
	}
	return "refused: " + cutTo(said, 36)
}

func drawStep(s usher.Step, state string, top int) flowStep {
	y := top + 32
	r := flowStep{
		Arrow: report.DrawArrow(s, y, laneX), Name: report.StepName(s), State: state, Top: top, Height: rowHeight,
		Y: y, TextY: top + 22, BadgeY: top + 25, Badge: badge(state),
	}
	if r.Inside {
		r.TextY = y
	}
	return r
}

// badge is the mark of a state.
func badge(state string) string {
	switch state {
	case stateFixed:
		state = usher.FlowPassed
	case stateFollows: // whether it does is not known, and nothing to ask about
		state = usher.FlowNotReached
	}
	return report.Badge(state)
}
