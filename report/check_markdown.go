package report

import (
	"fmt"
	"io"
	"strings"

	"usher"
)

func checkMarkdown(w io.Writer, a *usher.Answer, opt CheckOptions) error {
	var m marking
	m.check(newCheckPage(a, opt))
	_, err := w.Write(m.out.Bytes())
	return err
}

func (m *marking) check(p *checkPage) {
	m.line("# ", mdText(p.Headline), "\n")
	m.line(mdText(p.Lead))
	for _, level := range p.Levels {
		m.heading(capital(level.Severity))
		for i := range level.List {
			m.wrong(&level.List[i])
		}
	}
	m.wanted(p)
	if len(p.Fine) > 0 {
		m.heading("In order")
		names := ids(p.Fine)
		for i := range names {
			names[i] = mdCode(names[i])
		}
		m.line(strings.Join(names, ", "))
	}
	m.evidence(p.page)
}

func (m *marking) wrong(e *checkEntry) {
	m.line("### ", mdText(e.Title), "\n")
	about := mdCode(e.Check)
	for _, a := range e.About {
		about += " · " + a.Name + " " + mdCode(a.Value)
	}
	if e.Cause != "" {
		about += " · " + mdCode(e.Cause)
	}
	m.line(about, "\n")
	if e.Detail != "" {
		m.line(mdText(e.Detail), "\n")
	}
	for _, p := range e.Proof {
		m.line("- ", mdCode(p.Place))
		m.block("  ", p.lines(76))
	}
	if len(e.Fix) > 0 {
		m.line("\nTo fix:\n")
		for i, step := range e.Fix {
			text := mdText(step.Text)
			if step.Weakening {
				text += " **(weakens security)**"
			}
			m.line(ordinal(i), " ", text)
		}
	}
	if len(e.References) > 0 {
		refs := make([]string, len(e.References))
		for i, r := range e.References {
			refs[i] = mdReference(r)
		}
		m.line("\n", strings.Join(refs, "; "), "\n")
	}
}

func (m *marking) wanted(p *checkPage) {
	list := p.Later
	if p.Next != nil {
		list = append([]missingView{*p.Next}, list...)
	}
	if len(list) == 0 {
		return
	}
	m.heading("Unknown, for want of")
	for _, w := range list {
		m.line(fmt.Sprintf("- %s (%d): %s", mdText(w.Evidence), len(w.Decides), mdText(w.How)))
	}
}
