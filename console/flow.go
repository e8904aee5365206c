package console

import (
	"cmp"
	"fmt"
	"slices"
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
	X          int
	Name, Who  string
	NameAnchor string
}

type flowStep struct {
	Name, State        string // State: a class, one of the usher.Flow constants or "fixed"
	Note               string // under the failing step
	Top, Height        int
	Y, TextX, TextY    int
	Anchor, Line, Head string
	Stop               int // x of the browser's dot on a redirect; 0: none
	BadgeY             int
	Badge              string
	NoteY              int
}

const (
	laneApp = iota
	laneBrowser
	laneProvider
	laneAPI
)

const (
	flowWidth  = 440
	flowTop    = 48
	rowHeight  = 45
	noteHeight = 20
	firstLane  = 82
	laneGap    = 104
	stateFixed = "fixed"
)

func laneX(l int) int { return firstLane + l*laneGap }

// route of a step: the lanes between which it goes. One lane: it happens inside.
func lanesOf(s usher.Step) (from, to int) {
	switch s {
	case usher.StepAuthRequest, usher.StepRegistration, usher.StepDiscovery, usher.StepTokenRequest, usher.StepRefresh:
		return laneApp, laneProvider
	case usher.StepSignIn, usher.StepConsent, usher.StepSignOut:
		return laneBrowser, laneProvider
	case usher.StepAuthResponse:
		return laneProvider, laneApp
	case usher.StepValidation:
		return laneAPI, laneAPI
	case usher.StepAPICall:
		return laneApp, laneAPI
	}
	return laneApp, laneApp
}

// stepsOf gives the steps of the flow that failed. What comes before the
// failing one is drawn only where the refusal itself proves that it was passed:
// nobody gets to the token request of a code without a code.
func stepsOf(c *usher.Case) []usher.Step {
	failed := c.Finding.Step
	if !failed.Valid() {
		return nil
	}
	code := []usher.Step{usher.StepAuthRequest, usher.StepSignIn, usher.StepAuthResponse, usher.StepTokenRequest, usher.StepAPICall}
	grant := c.Refusal.OAuth.GrantType
	var steps []usher.Step
	switch {
	case failed == usher.StepRefresh:
		steps = []usher.Step{usher.StepAuthRequest, usher.StepSignIn, usher.StepAuthResponse, usher.StepTokenRequest, usher.StepRefresh, usher.StepAPICall}
	case failed == usher.StepTokenRequest && grant != "authorization_code", c.Refusal.Kind == usher.EventAppSignIn,
		(failed == usher.StepAPICall || failed == usher.StepValidation) && grant == "":
		steps = []usher.Step{usher.StepTokenRequest, usher.StepAPICall}
	case failed == usher.StepSignOut:
		steps = append(code, usher.StepSignOut)
	default:
		steps = code
	}
	if !slices.Contains(steps, failed) {
		steps = append(steps, failed)
		slices.SortStableFunc(steps, func(a, b usher.Step) int { return slices.Index(usher.Steps, a) - slices.Index(usher.Steps, b) })
	}
	return steps
}

// drawFlow draws the flow of a case, and nothing where the step is not known.
func drawFlow(c *usher.Case) *flow {
	steps := stepsOf(c)
	if len(steps) == 0 {
		return nil
	}
	f := &flow{Width: flowWidth, Top: flowTop - 6}
	for i, name := range []string{"App", "Browser", "Provider", "API"} {
		who := ""
		switch i {
		case laneApp:
			who = cutTo(cmp.Or(c.Refusal.Client.UID, c.Finding.Subject.Client), 14)
		case laneProvider:
			who = cutTo(report.ProviderName(c.Refusal.Provider), 14)
		case laneAPI:
			who = cutTo(c.Refusal.Resource.String(), 12)
		}
		f.Lanes = append(f.Lanes, lane{X: laneX(i), Name: name, Who: who})
	}
	top, past := flowTop, false
	var told []string
	for _, s := range steps {
		state, note, words := usher.FlowPassed, "", "passed"
		switch {
		case s == c.Finding.Step && c.State == usher.CaseFixed:
			state, note, words, past = stateFixed, "refused before, succeeds now", "was refused, and succeeds now", true
		case s == c.Finding.Step:
			state, note, words, past = usher.FlowFailed, failNote(c), "refused here", true
		case past && c.State == usher.CaseFixed:
			state, words = usher.FlowUnknown, "follows"
		case past:
			state, words = usher.FlowNotReached, "not reached"
		}
		step := drawStep(s, state, top)
		if step.Note = note; note != "" {
			step.Height += noteHeight
			step.NoteY = step.Y + 21
		}
		top += step.Height
		f.Steps = append(f.Steps, step)
		told = append(told, report.StepName(s)+": "+words)
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
	from, to := lanesOf(s)
	r := flowStep{
		Name: report.StepName(s), State: state, Top: top, Height: rowHeight,
		Y: top + 32, TextY: top + 22, Anchor: "middle", BadgeY: top + 25, Badge: badgePath(state),
	}
	x1, x2 := laneX(from), laneX(to)
	if from == to { // inside one lane: a small loop, its words on the free side
		back := -1
		r.Anchor = "end"
		if from == laneApp {
			back, r.Anchor = 1, "start"
		}
		r.TextX, r.TextY = x1+back*30, r.Y
		r.Line = fmt.Sprintf("M%d %d h%d v12 h%d", x1, r.Y-10, back*20, -back*14)
		r.Head = arrowHead(x1+back*2, r.Y+2, -back)
		return r
	}
	direction := 1
	if x2 < x1 {
		direction = -1
	}
	r.TextX = (x1 + x2) / 2
	r.Line = fmt.Sprintf("M%d %d H%d", x1, r.Y, x2-direction*7)
	r.Head = arrowHead(x2-direction, r.Y, direction)
	if s == usher.StepAuthRequest || s == usher.StepAuthResponse {
		r.Stop = laneX(laneBrowser)
	}
	return r
}

func arrowHead(x, y, direction int) string {
	back := x - direction*9
	return fmt.Sprintf("%d,%d %d,%d %d,%d", x, y, back, y-5, back, y+5)
}

// badgePath draws the mark of a state, so that it needs no font and no colour.
func badgePath(state string) string {
	switch state {
	case usher.FlowPassed, stateFixed:
		return "M-4.5 0.5 L-1.5 3.5 L4.5 -3.5"
	case usher.FlowFailed:
		return "M-4 -4 L4 4 M4 -4 L-4 4"
	}
	return "M-3.5 0 H3.5"
}
