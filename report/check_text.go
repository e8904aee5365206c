package report

import (
	"fmt"
	"io"
	"strings"

	"usher"
)

func checkText(w io.Writer, a *usher.Answer, opt CheckOptions) error {
	t := newTyping(opt.TextOptions)
	t.check(newCheckPage(a, opt), opt.Verbose)
	_, err := w.Write(t.out.Bytes())
	return err
}

func (t *typing) check(p *checkPage, verbose bool) {
	t.para("", p.Headline, bold)
	t.para("", p.Lead, dim)
	for _, level := range p.Levels {
		t.heading(strings.ToUpper(level.Severity))
		for i := range level.List {
			if i > 0 {
				t.line("")
			}
			t.wrong(&level.List[i], level.Severity)
		}
	}
	t.wanted(p)
	if verbose {
		t.checks("COULD NOT BE LOOKED AT", "?", yellow, p.Unknown)
		t.checks("IN ORDER", "✓", green, p.Fine)
	} else if len(p.Fine) > 0 {
		t.heading("IN ORDER")
		t.hanging("  "+t.ink("✓", green)+" ", 4, strings.Join(ids(p.Fine), ", "))
	}
	t.evidence(p.page)
}

// wrong tells one thing that is wrong: what, why, how it is seen, what to do.
func (t *typing) wrong(e *checkEntry, severity string) {
	inked := red
	if severity != string(usher.SeverityCritical) && severity != string(usher.SeverityHigh) {
		inked = yellow
	}
	t.hanging("  "+t.ink("✗", inked)+" ", 4, sentence(e.Title), bold)
	about := e.Check
	for _, a := range e.About {
		about += " · " + a.Name + " " + a.Value
	}
	if e.Cause != "" {
		about += " · " + e.Cause
	}
	t.para("    ", about, dim)
	if e.Detail != "" {
		t.para("    ", e.Detail)
	}
	for _, p := range e.Proof {
		t.proof("    ", p)
	}
	for i, step := range e.Fix {
		text := step.Text
		if step.Weakening {
			text = sentence(text) + " [weakens security]"
		}
		lead := "    to fix: "
		if i > 0 {
			lead = "            "
		}
		t.para(lead, text)
	}
	if len(e.References) > 0 {
		t.para("    ", strings.Join(e.References, "; "), dim)
	}
}

// wanted says what to give so that more can be judged, the most telling first.
func (t *typing) wanted(p *checkPage) {
	list := p.Later
	if p.Next != nil {
		list = append([]missingView{*p.Next}, list...)
	}
	if len(list) == 0 {
		return
	}
	t.heading("UNKNOWN, FOR WANT OF")
	for _, m := range list {
		n := "1 check"
		if len(m.Decides) > 1 {
			n = fmt.Sprintf("%d checks", len(m.Decides))
		}
		t.hanging("  "+t.ink("?", yellow)+" ", 4, sentence(capital(m.Evidence)+" ("+n+")")+" "+capital(m.How))
	}
}

func (t *typing) checks(heading, mark, inked string, list []checkEntry) {
	if len(list) == 0 {
		return
	}
	t.heading(heading)
	for _, e := range list {
		text := sentence(e.Check + ": " + e.Title)
		if e.Detail != "" {
			text += " " + capital(e.Detail)
		}
		t.hanging("  "+t.ink(mark, inked)+" ", 4, text)
	}
}
