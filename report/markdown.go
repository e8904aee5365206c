package report

import (
	"bytes"
	"io"
	"strings"

	"usher"
)

// Markdown writes an answer in GitHub's Markdown, for an issue or a chat. No
// string of the answer becomes a link, a mention, HTML or structure.
func Markdown(w io.Writer, a *usher.Answer) error {
	var m marking
	m.answer(newPage(a))
	_, err := w.Write(m.out.Bytes())
	return err
}

type marking struct{ out bytes.Buffer }

func (m *marking) line(parts ...string) {
	for _, p := range parts {
		m.out.WriteString(p)
	}
	m.out.WriteByte('\n')
}

func (m *marking) heading(s string) { m.line("\n## ", s, "\n") }

func (m *marking) answer(p *page) {
	if p.Answered {
		m.line("# ", mdText(p.Headline), "\n")
		head := "**" + p.Top.Sure + " (" + p.Top.Number + ")** · " + mdCode(p.Top.Cause)
		if p.Lead != "" {
			head += " · " + p.Lead
		}
		m.line(head)
	} else {
		m.line("# ", p.Headline, "\n")
		m.line(p.Lead)
	}
	if p.Row != "" {
		m.line("\nRow ", mdCode(p.Row))
	}
	if !p.Answered {
		m.others("Candidates", p.Others)
		m.next(p)
	}
	m.flow(p.Flow, p.Top.About)
	if p.Answered {
		m.named(&p.Top)
		m.others("Other causes that fit", p.Others)
	}
	m.short("Tested and cleared", "✓", p.Cleared)
	m.short("Could not be tested", "?", p.Untested)
	if p.Answered {
		m.next(p)
	}
	m.evidence(p)
	if len(p.Top.References) > 0 {
		m.heading("References")
		for _, r := range p.Top.References {
			m.line("- ", mdReference(r))
		}
	}
}

func (m *marking) flow(rows []flowRow, about []pair) {
	if len(rows) == 0 && len(about) == 0 {
		return
	}
	m.heading("What happened")
	if len(rows) > 1 {
		told := make([]string, len(rows))
		for i, row := range rows {
			told[i] = mdText(row.Name) + " " + row.Mark
			if row.State == usher.FlowFailed {
				told[i] = "**" + told[i] + "**"
			}
		}
		m.line(strings.Join(told, " → "), "\n")
	}
	for _, row := range rows {
		text := row.Mark + " " + mdText(row.Name) + ": "
		if row.Summary != "" {
			text += mdText(row.Summary)
		} else {
			text += row.Words
		}
		if row.Place != "" {
			text += " (" + mdCode(row.Place) + ")"
		}
		m.line("- ", text)
	}
	for _, a := range about {
		m.line("- ", a.Name, ": ", mdCode(a.Value))
	}
}

func (m *marking) named(e *entry) {
	if e.Detail != "" || len(e.Proof) > 0 {
		m.heading("Why")
		if e.Detail != "" {
			m.line(mdText(e.Detail), "\n")
		}
		for _, p := range e.Proof {
			m.line("- ", mdCode(p.Place))
			m.block("  ", p.lines(76))
		}
	}
	if e.FixerLong != "" {
		m.heading("Who can fix it")
		m.line(e.FixerLong)
	}
	if len(e.Fix) > 0 {
		m.heading("How to fix it")
		for i, step := range e.Fix {
			text := mdText(step.Text)
			if step.Weakening {
				text += " **(weakens security)**"
			}
			m.line(ordinal(i), " ", text)
		}
	}
	if e.Verify != "" {
		m.heading("How to verify")
		m.line(mdText(e.Verify))
	}
}

func (m *marking) others(heading string, list []entry) {
	if len(list) == 0 {
		return
	}
	m.heading(heading)
	for i, e := range list {
		text := mdText(sentence(e.Title)) + " " + e.Sure + " (" + e.Number + "), " + mdCode(e.Cause)
		if e.FixerShort != "" {
			text += "; to fix: " + mdText(e.FixerShort)
		}
		text += "."
		if e.Detail != "" {
			text += " " + mdText(e.Detail)
		}
		m.line(ordinal(i), " ", text)
		if e.Own != nil {
			indent := strings.Repeat(" ", len(ordinal(i))+1)
			m.line("\n", indent, mdCode(e.Own.Place))
			m.block(indent, e.Own.lines(76))
		}
	}
}

func (m *marking) short(heading, mark string, list []entry) {
	if len(list) == 0 {
		return
	}
	m.heading(heading)
	for _, e := range list {
		text := e.Title
		if e.Detail != "" {
			text = sentence(text) + " " + e.Detail
		}
		m.line("- ", mark, " ", mdText(text))
	}
}

func (m *marking) next(p *page) {
	if p.Next == nil {
		return
	}
	m.heading("Look next")
	m.line("**", mdText(capital(p.Next.Evidence)), "**")
	if p.Next.How != "" {
		m.line("\n", mdText(p.Next.How))
	}
	if len(p.Next.Decides) > 0 {
		labels := make([]string, len(p.Next.Decides))
		for i, d := range p.Next.Decides {
			labels[i] = mdCode(d)
		}
		m.line("\nIt decides: ", strings.Join(labels, ", "))
	}
	if p.Next.Query != "" {
		m.block("", strings.Split(p.Next.Query, "\n"))
	}
	for i, l := range p.Later {
		if i == 0 {
			m.line("\nAfter that:\n")
		}
		text := capital(l.Evidence)
		if l.How != "" {
			text = sentence(text) + " " + l.How
		}
		m.line("- ", mdText(text))
	}
}

func (m *marking) evidence(p *page) {
	if len(p.Evidence) > 0 {
		m.heading("Evidence read")
		for _, e := range p.Evidence {
			text := mdCode(e.Place) + " " + mdText(e.Kind)
			if e.Provider != "" {
				text += " (" + mdText(e.Provider) + ")"
			}
			if e.Summary != "" {
				text += ": " + mdText(e.Summary)
			}
			m.line("- ", text)
		}
	}
	if len(p.Ignored) > 0 {
		m.heading("Evidence ignored")
		for _, ig := range p.Ignored {
			m.line("- ", mdCode(ig.Place), ": ", mdText(ig.Reason))
		}
	}
	if len(p.Notes) > 0 {
		m.heading("Notes")
		for _, n := range p.Notes {
			m.line("- ", mdText(n))
		}
	}
	for _, c := range p.Claims {
		m.heading("Claims of " + mdCode(c.Place))
		m.block("", strings.Split(c.Header, "\n"))
		m.block("", strings.Split(c.Claims, "\n"))
	}
}

// mdReference links a reference that is an address, and nothing else.
func mdReference(r string) string {
	if url, ok := webLink(r); ok {
		return "<" + url + ">"
	}
	return mdText(r)
}

// block writes lines as a fenced code block whose fence is longer than any run
// of backticks inside it.
func (m *marking) block(indent string, lines []string) {
	if len(lines) == 0 {
		return
	}
	longest := 2
	for _, line := range lines {
		longest = max(longest, longestRun(line, '`'))
	}
	fence := strings.Repeat("`", longest+1)
	m.line("\n", indent, fence, "text")
	for _, line := range lines {
		m.line(strings.TrimRight(indent+line, " "))
	}
	m.line(indent, fence)
}

func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := 0; i < len(s); i++ {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
