package look

import (
	"slices"

	"usher"
	"usher/provider/knowledge"
)

// maxQuirks bounds the notes on quirks: the worst findings have them.
const maxQuirks = 3

// quirks tells how a provider departs from the standard, where that bears on
// what is wrong: the configuration may be right, and the provider odd.
func quirks(p *knowledge.Provider, findings []usher.Finding) (notes []string) {
	var told []string
	for i := range findings { // the worst first
		f := &findings[i]
		if f.Outcome != usher.OutcomeWrong {
			continue
		}
		for j := range p.Quirks {
			q := &p.Quirks[j]
			if !slices.Contains(q.Checks, f.Check) || slices.Contains(told, q.ID) {
				continue
			}
			told = append(told, q.ID)
			notes = append(notes, "to know of "+p.Title+" with "+f.Check+": "+q.Says+" ("+q.Standard+" has it otherwise). What follows: "+q.Effect)
			if len(notes) == maxQuirks {
				return notes
			}
		}
	}
	return notes
}
