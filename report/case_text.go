package report

import (
	"strings"
)

func (t *typing) caseList(p *listPage) {
	t.para("", p.Headline, bold)
	if len(p.Rows) > 0 {
		t.line("")
		if t.width < 60 {
			t.stackedList(p.Rows)
		} else {
			t.tabledList(p.Rows)
		}
	}
	t.nextSteps(p.Next)
}

// tabledList puts the titles into a column of their own, wrapped.
func (t *typing) tabledList(rows []listRow) {
	id, state, since, tries := 1, len("state"), len("last try"), len("tries")
	for _, r := range rows {
		id, state = max(id, columns(r.ID)), max(state, columns(r.State))
		since, tries = max(since, columns(r.Last)), max(tries, columns(r.Tries))
	}
	state, since = min(state, 12), min(since, 16)
	indent := id + state + since + tries + 8
	t.line(t.ink(pad("", id)+"  "+pad("state", state)+"  "+pad("last try", since)+"  "+padLeft("tries", tries)+"  what", dim))
	for _, r := range rows {
		if columns(r.State) > state {
			r.State, _ = cut(r.State, state)
		}
		lead := padLeft(r.ID, id) + "  " + t.ink(pad(r.State, state), toneInk(r.Tone)) + "  " + pad(r.Last, since) + "  " + padLeft(r.Tries, tries) + "  "
		t.hanging(lead, indent, SentenceText(listTitle(r)))
	}
}

func (t *typing) stackedList(rows []listRow) {
	for _, r := range rows {
		t.line(padLeft(r.ID, 3) + "  " + t.ink(r.State, toneInk(r.Tone)) + "  " + r.Last + "  " + r.Tries + " tries")
		t.para("     ", SentenceText(listTitle(r)))
	}
}

func listTitle(r listRow) string {
	title := r.Title
	if r.Kind != "" {
		title = r.Kind + ": " + title
	}
	if r.Behind != "" {
		title += " (" + r.Behind + ")"
	}
	return title
}

func pad(s string, n int) string     { return s + strings.Repeat(" ", max(0, n-columns(s))) }
func padLeft(s string, n int) string { return strings.Repeat(" ", max(0, n-columns(s))) + s }

func (t *typing) oneCase(p *casePage) {
	head, kind, cause := "case "+p.ID+" · ", "", ""
	if p.Kind != "" {
		kind = " · " + p.Kind
	}
	if p.Cause != "" {
		cause = " · " + p.Cause
	}
	fits := columns(head+p.State+kind+cause) <= t.width
	head = t.ink(head[:len(head)-len(" · ")], bold) + " · " + t.ink(p.State, bold, toneInk(p.Tone)) + kind
	if fits {
		t.line(head + t.ink(cause, dim))
	} else {
		t.line(head)
		t.para("", p.Cause, dim)
	}
	t.para("", SentenceText(sentence(p.Title)), bold)
	t.para("", p.Meaning)
	t.line("")
	t.para("", p.Extent)
	if p.Behind != "" {
		t.para("", p.Behind)
	}
	if len(p.Attack) > 0 {
		t.heading("WHAT THE ATTACKER HAS")
		t.pairs(p.Attack)
	}
	if len(p.Changed) > 0 {
		t.heading("WHAT CHANGED BEFORE")
		for _, c := range p.Changed {
			t.para("  "+c.Time+"  ", c.Text)
		}
	}
	t.caseWhy(p)
	t.flow(p.Flow, nil)
	if len(p.Facts) > 0 {
		t.heading("THE LAST TRY")
		t.pairs(p.Facts)
	}
	t.caseFixes(p.Fixes)
	t.nextSteps(p.Next)
	t.caseRuns(p.Runs)
	t.proven(p.Proven)
	t.timeline(p.Timeline)
	if len(p.References) > 0 {
		t.heading("REFERENCES")
		for _, r := range p.References {
			t.para("  ", r)
		}
	}
}

func (t *typing) pairs(list []pair) {
	widest := 0
	for _, a := range list {
		widest = max(widest, columns(a.Name))
	}
	for _, a := range list {
		t.para("  "+pad(a.Name, widest)+"  ", a.Value)
	}
}

func (t *typing) caseWhy(p *casePage) {
	if p.Detail == "" && len(p.Proof) == 0 && p.Sure == "" {
		return
	}
	t.heading("WHY")
	if p.Sure != "" {
		t.line("  " + t.ink(p.Sure+" ("+p.Number+")", sureInk(p.Sure)) + t.ink(" · "+p.Cause, dim))
	}
	if p.Detail != "" {
		t.para("  ", p.Detail)
	}
	for _, q := range p.Proof {
		t.line("")
		t.proof("  ", q)
	}
}

func (t *typing) caseFixes(list []caseFix) {
	if len(list) == 0 {
		return
	}
	t.heading("WAYS OUT")
	for i, f := range list {
		if i > 0 {
			t.line("")
		}
		lead := "  " + pad(f.ID+".", 3)
		t.para(lead+" ", f.Title, bold)
		indent := strings.Repeat(" ", columns(lead)+1)
		mark, by := "["+f.Risk+"]", ""
		if f.By != "" {
			by = " by " + f.By
		}
		if len(indent)+columns(mark)+columns(by) > t.width {
			t.line(indent + t.ink(mark, riskInk(f.RiskClass)))
			t.line(indent + t.ink(by[min(1, len(by)):], dim))
		} else {
			t.line(indent + t.ink(mark, riskInk(f.RiskClass)) + t.ink(by, dim))
		}
		if f.Action != "" {
			t.para(indent, "usher can do it: it "+sentence(f.Action))
		}
		for _, s := range f.Steps {
			text := s.Text
			if s.Weakening {
				text = sentence(text) + " [weakens security]"
			}
			t.para(indent+"- ", text)
		}
		if f.Proof != "" {
			t.para(indent, "Proven when: "+sentence(f.Proof))
		}
		if f.Command != "" {
			t.line(indent + t.ink(f.Command, bold))
		}
	}
}

// nextSteps are never wrapped: they are to be typed or pasted.
func (t *typing) nextSteps(list []nextStep) {
	if len(list) == 0 {
		return
	}
	t.heading("NEXT")
	for _, n := range list {
		t.line("  " + t.ink(n.Command, bold))
		t.para("      ", n.Text, dim)
	}
}

func (t *typing) caseRuns(list []caseRun) {
	if len(list) == 0 {
		return
	}
	t.heading("WHAT WAS DONE")
	for i, r := range list {
		if i > 0 {
			t.line("")
		}
		text := r.When + "  " + r.State
		if r.By != "" {
			text += " by " + r.By
		}
		inked := green
		if r.Failed {
			inked = red
		}
		t.hanging("  "+t.ink(r.Mark, inked)+" ", 4, text+": "+r.Title)
		if r.Error != "" {
			t.para("    ", r.Error, red)
		}
		if r.Object != "" {
			t.para("    ", r.Object, dim)
		}
		for _, d := range r.Diff {
			ink := green
			if d.Sign == "-" {
				ink = red
			}
			for k, row := range labelled(d.Sign+" "+d.Field+": ", d.Value, t.width-4) {
				if k == 0 {
					row = t.ink(row, ink)
				}
				t.line("    " + row)
			}
		}
		if r.Undo != "" {
			t.para("    ", "To take it back: "+r.Undo, dim)
		}
	}
}

// proven draws the proof as a table where that fits, and field by field where
// not.
func (t *typing) proven(p *provenView) {
	if p == nil {
		return
	}
	t.heading("THE PROOF")
	if p.Comment != "" {
		t.para("  ", SentenceText(p.Comment))
	}
	if len(p.Fields) == 0 {
		return
	}
	t.line("")
	head := provenField{Mark: " ", Field: "field", Must: "must", Refusal: "in the refusal", Success: "in the success"}
	widths := [4]int{}
	for _, f := range append([]provenField{head}, p.Fields...) {
		for i, s := range [...]string{f.Field, f.Refusal, f.Success, f.Must} {
			widths[i] = max(widths[i], columns(s))
		}
	}
	if widths[0]+widths[1]+widths[2]+widths[3]+10 <= t.width {
		row := func(f provenField) string {
			return " " + pad(f.Field, widths[0]) + "  " + pad(f.Refusal, widths[1]) + "  " + pad(f.Success, widths[2]) + "  " + f.Must
		}
		t.line("   " + t.ink(row(head), dim))
		for _, f := range p.Fields {
			t.line("  " + t.ink(f.Mark, holdsInk(f.Holds)) + row(f))
		}
		return
	}
	for _, f := range p.Fields {
		t.line("  " + t.ink(f.Mark, holdsInk(f.Holds)) + " " + f.Field + t.ink(" must "+f.Must, dim))
		for _, part := range [...]pair{{"refusal  ", f.Refusal}, {"success  ", f.Success}} {
			for _, line := range labelled(part.Name, part.Value, t.width-6) {
				t.line("      " + line)
			}
		}
	}
}

func holdsInk(holds bool) string {
	if holds {
		return green
	}
	return red
}

func (t *typing) timeline(rows []timeRow) {
	if len(rows) == 0 {
		return
	}
	t.heading("TIMELINE")
	for _, r := range rows {
		if r.Day != "" {
			t.line("  " + t.ink(r.Day, dim))
		}
		if r.Left > 0 {
			t.line("            " + t.ink("… "+r.Text, dim))
			continue
		}
		t.hanging("  "+r.Time+" "+t.ink(r.Mark, entryInk(r.Kind))+" ", 13, SentenceText(r.Text))
	}
}
