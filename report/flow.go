package report

import (
	"strings"

	"usher"
)

// flowRow is one step of the flow as it is drawn.
type flowRow struct {
	Step    usher.Step
	State   string // one of the usher.Flow constants
	Name    string
	Mark    string
	Words   string
	Summary string
	Place   string
}

// maxFlow is the number of steps that are drawn.
const maxFlow = 60

// viewFlow gives the steps to draw. Where the evidence shows no flow but a
// cause is named, the step at which it shows is all that is known: what came
// before is not drawn as passed.
func viewFlow(a *usher.Answer, named bool) []flowRow {
	steps := a.Flow
	if len(steps) == 0 && named && a.Findings[0].Step.Valid() {
		failed := usher.FlowStep{Step: a.Findings[0].Step, State: usher.FlowFailed}
		if len(a.Findings[0].Proof) > 0 {
			failed.Place = a.Findings[0].Proof[0].Place
		}
		steps = []usher.FlowStep{failed}
	}
	rows := make([]flowRow, 0, len(steps))
	for i, s := range steps {
		if i == maxFlow {
			break
		}
		row := flowRow{Step: s.Step, State: s.State, Name: StepName(s.Step), Summary: prose(s.Summary), Place: prose(s.Place)}
		row.Mark, row.Words = stateWords(s.State)
		switch s.State {
		case usher.FlowPassed, usher.FlowFailed, usher.FlowNotReached:
		default:
			row.State = usher.FlowUnknown
		}
		rows = append(rows, row)
	}
	return rows
}

// flowChain draws the flow as one sentence of arrows, in as few lines as fit.
func flowChain(rows []flowRow, limit int) []string {
	var lines []string
	line := ""
	for i, row := range rows {
		link := row.Name + " " + row.Mark
		if i > 0 {
			link = "→ " + link
		}
		switch {
		case line == "":
			line = link
		case columns(line)+1+columns(link) > limit:
			lines = append(lines, line)
			line = link
		default:
			line += " " + link
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// flowAlternative tells the drawing in words, for who cannot see it.
func flowAlternative(rows []flowRow) string {
	told := make([]string, len(rows))
	for i, row := range rows {
		told[i] = row.Name + ": " + row.Words
		if row.State == usher.FlowFailed && row.Summary != "" {
			told[i] += " (" + strings.TrimRight(row.Summary, ".") + ")"
		}
	}
	return sentence(capital(strings.Join(told, "; ")))
}
