package report

func (m *marking) caseList(p *listPage) {
	m.line("# ", mdText(p.Headline))
	if len(p.Rows) > 0 {
		m.line("\n| case | state | last try | tries | what |\n|---:|---|---|---:|---|")
		for _, r := range p.Rows {
			m.line("| ", r.ID, " | ", mdCell(r.State), " | ", mdCell(r.Last), " | ", r.Tries, " | ", guardPipes(mdSentence(listTitle(r))), " |")
		}
	}
	m.nextSteps(p.Next)
}

func (m *marking) oneCase(p *casePage) {
	m.line("# ", mdSentence(sentence(p.Title)), "\n")
	head := "**Case " + p.ID + ": " + mdText(p.State) + "**"
	if p.Kind != "" {
		head += " · " + mdText(p.Kind)
	}
	if p.Cause != "" {
		head += " · " + mdCode(p.Cause)
	}
	m.line(head, "\n\n", mdText(p.Meaning), "\n\n", mdText(p.Extent))
	if p.Behind != "" {
		m.line("\n", mdText(p.Behind))
	}
	m.pairs("What the attacker has", p.Attack)
	if len(p.Changed) > 0 {
		m.heading("What changed before")
		for _, c := range p.Changed {
			m.line("- ", mdText(c.Time), ": ", mdText(c.Text))
		}
	}
	if p.Detail != "" || len(p.Proof) > 0 || p.Sure != "" {
		m.heading("Why")
		if p.Sure != "" {
			m.line("**", p.Sure, " (", p.Number, ")**\n")
		}
		if p.Detail != "" {
			m.line(mdText(p.Detail), "\n")
		}
		for _, q := range p.Proof {
			m.line("- ", mdCode(q.Place))
			m.block("  ", q.lines(76))
		}
	}
	m.flow(p.Flow, nil)
	m.pairs("The last try", p.Facts)
	m.caseFixes(p.Fixes)
	m.nextSteps(p.Next)
	m.caseRuns(p.Runs)
	m.proven(p.Proven)
	if len(p.Timeline) > 0 {
		m.heading("Timeline")
		for _, r := range p.Timeline {
			switch {
			case r.Left > 0:
				m.line("- … ", mdText(r.Text))
				continue
			case r.Day != "":
				m.line("- **", mdText(r.Day), "** ", r.Time, " ", r.Mark, " ", mdSentence(r.Text))
			default:
				m.line("- ", r.Time, " ", r.Mark, " ", mdSentence(r.Text))
			}
		}
	}
	if len(p.References) > 0 {
		m.heading("References")
		for _, r := range p.References {
			m.line("- ", mdReference(r))
		}
	}
}

func (m *marking) pairs(heading string, list []pair) {
	if len(list) == 0 {
		return
	}
	m.heading(heading)
	for _, a := range list {
		if a.Name == "" {
			m.line("- ", mdText(a.Value))
		} else {
			m.line("- ", a.Name, ": ", mdText(a.Value))
		}
	}
}

func (m *marking) caseFixes(list []caseFix) {
	if len(list) == 0 {
		return
	}
	m.heading("Ways out")
	for _, f := range list {
		risk := mdText(f.Risk)
		if f.RiskClass == "warn" {
			risk = "**" + risk + "**"
		}
		text := mdText(sentence(f.Title)) + " (" + risk
		if f.By != "" {
			text += ", by " + mdText(f.By)
		}
		// A numbered list would be counted anew, and the id is what one types.
		m.line("- **Fix ", mdText(f.ID), ":** ", text, ")")
		const indent = "  "
		if f.Action != "" {
			m.line(indent, "- usher can do it: it ", mdText(sentence(f.Action)))
		}
		for _, s := range f.Steps {
			text := mdText(s.Text)
			if s.Weakening {
				text += " **(weakens security)**"
			}
			m.line(indent, "- ", text)
		}
		if f.Proof != "" {
			m.line(indent, "- Proven when: ", mdText(sentence(f.Proof)))
		}
		if f.Command != "" {
			m.line(indent, "- ", mdCode(f.Command))
		}
	}
}

func (m *marking) nextSteps(list []nextStep) {
	if len(list) == 0 {
		return
	}
	m.heading("Next")
	for _, n := range list {
		m.line("- ", mdCode(n.Command), ": ", mdText(n.Text))
	}
}

func (m *marking) caseRuns(list []caseRun) {
	if len(list) == 0 {
		return
	}
	m.heading("What was done")
	for _, r := range list {
		text := r.Mark + " " + mdText(r.When) + " " + mdText(r.State)
		if r.By != "" {
			text += " by " + mdText(r.By)
		}
		m.line("- ", text, ": ", mdText(r.Title))
		if r.Error != "" {
			m.line("  - **", mdText(sentence(r.Error)), "**")
		}
		if r.Object != "" {
			m.line("  - ", mdText(r.Object))
		}
		var lines []string
		for _, d := range r.Diff {
			lines = append(lines, labelled(d.Sign+" "+d.Field+": ", d.Value, 76)...)
		}
		m.block("  ", lines)
		if r.Undo != "" {
			m.line("  - To take it back: ", mdText(r.Undo))
		}
	}
}

func (m *marking) proven(p *provenView) {
	if p == nil {
		return
	}
	m.heading("The proof")
	if p.Comment != "" {
		m.line(mdSentence(p.Comment))
	}
	if len(p.Fields) == 0 {
		return
	}
	m.line("\n| | field | in the refusal | in the success | must |\n|---|---|---|---|---|")
	for _, f := range p.Fields {
		m.line("| ", f.Mark, " | ", mdCell(f.Field), " | ", mdCellCode(f.Refusal), " | ", mdCellCode(f.Success), " | ", mdCell(f.Must), " |")
	}
}
