package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"usher"
)

// TextOptions says where the text goes.
type TextOptions struct {
	Color bool // the reader is a terminal that shows colours
	Width int  // columns; 0 is 80, and what is very narrow or wide is brought to 40 or 100
}

// Text writes an answer for a person at a terminal.
func Text(w io.Writer, a *usher.Answer, opt TextOptions) error {
	t := newTyping(opt)
	t.answer(newPage(a))
	_, err := w.Write(t.out.Bytes())
	return err
}

// typing is a page being typed.
type typing struct {
	out   bytes.Buffer
	color bool
	width int
}

func newTyping(opt TextOptions) *typing {
	switch {
	case opt.Width <= 0:
		opt.Width = 80
	case opt.Width < 40:
		opt.Width = 40
	case opt.Width > 100: // longer lines are hard to read
		opt.Width = 100
	}
	return &typing{color: opt.Color, width: opt.Width}
}

// The inks of a terminal, as parameters of SGR.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (t *typing) ink(s string, inks ...string) string {
	if !t.color || s == "" || len(inks) == 0 {
		return s
	}
	return "\x1b[" + strings.Join(inks, ";") + "m" + s + "\x1b[0m"
}

func (t *typing) line(s string) {
	t.out.WriteString(strings.TrimRight(s, " "))
	t.out.WriteByte('\n')
}

func (t *typing) heading(s string) {
	t.line("")
	t.line(t.ink(s, bold))
}

// para wraps running text behind a lead; the lines after the first stand under
// the text.
func (t *typing) para(lead, s string, inks ...string) {
	t.hanging(lead, columns(lead), s, inks...)
}

func (t *typing) answer(p *page) {
	if p.Row != "" {
		t.para("", "row "+p.Row, dim)
	}
	if p.Answered {
		t.para("", p.Headline+" "+p.Lead, bold)
		t.line(t.ink(p.Top.Sure+" ("+p.Top.Number+")", sureInk(p.Top.Sure)) + t.ink(" · "+p.Top.Cause, dim))
	} else {
		t.para("", p.Headline, bold)
		t.para("", p.Lead)
		t.others("CANDIDATES", p.Others)
		t.next(p)
	}
	t.flow(p.Flow, p.Top.About)
	if p.Answered {
		t.named(&p.Top)
		t.others("OTHER CAUSES THAT FIT", p.Others)
	}
	t.short("TESTED AND CLEARED", "✓", green, p.Cleared)
	t.short("COULD NOT BE TESTED", "?", yellow, p.Untested)
	if p.Answered {
		t.next(p)
	}
	t.evidence(p)
	t.claims(p.Claims)
	if len(p.Top.References) > 0 {
		t.heading("REFERENCES")
		for _, r := range p.Top.References {
			t.para("  ", r)
		}
	}
}

func sureInk(sure string) string {
	if sure == "possible" {
		return yellow
	}
	return green
}

func (t *typing) flow(rows []flowRow, about []pair) {
	if len(rows) == 0 && len(about) == 0 {
		return
	}
	t.heading("WHAT HAPPENED")
	if len(rows) > 1 {
		for _, line := range flowChain(rows, t.width-2) {
			t.line("  " + line)
		}
		t.line("")
	}
	widest := 0
	for _, row := range rows {
		widest = max(widest, columns(row.Name))
	}
	for _, row := range rows {
		told := row.Summary
		if told == "" {
			told = row.Words
		}
		if row.Place != "" {
			told += " (" + row.Place + ")"
		}
		lead := "  " + t.ink(row.Mark, stateInk(row.State)) + " " + row.Name
		if 6+widest > t.width/2 { // no room for two columns
			t.line(lead)
			t.para("    ", told)
			continue
		}
		t.hanging(lead+strings.Repeat(" ", widest-columns(row.Name)+2), 6+widest, told)
	}
	if len(rows) > 0 && len(about) > 0 {
		t.line("")
	}
	for _, a := range about {
		t.para(fmt.Sprintf("  %-8s  ", a.Name), a.Value)
	}
}

// hanging is para for a lead that holds ink and so cannot be measured.
func (t *typing) hanging(lead string, indent int, s string, inks ...string) {
	for i, line := range wrap(s, t.width-indent) {
		if i > 0 {
			lead = strings.Repeat(" ", indent)
		}
		t.line(lead + t.ink(line, inks...))
	}
}

func stateInk(state string) string {
	switch state {
	case usher.FlowPassed:
		return green
	case usher.FlowFailed:
		return red
	}
	return dim
}

// named tells everything about the cause that is named.
func (t *typing) named(e *entry) {
	if e.Detail != "" || len(e.Proof) > 0 {
		t.heading("WHY")
		if e.Detail != "" {
			t.para("  ", e.Detail)
		}
		for i, p := range e.Proof {
			if i > 0 || e.Detail != "" {
				t.line("")
			}
			t.proof("  ", p)
		}
	}
	if e.FixerLong != "" {
		t.heading("WHO CAN FIX IT")
		t.para("  ", e.FixerLong)
	}
	if len(e.Fix) > 0 {
		t.heading("HOW TO FIX IT")
		for i, step := range e.Fix {
			text := step.Text
			if step.Weakening {
				text = sentence(text) + " [weakens security]"
			}
			t.para(fmt.Sprintf("  %2s ", ordinal(i)), text)
		}
	}
	if e.Verify != "" {
		t.heading("HOW TO VERIFY")
		t.para("  ", e.Verify)
	}
}

func (t *typing) proof(indent string, p proofView) {
	t.para(indent, p.Place, dim)
	for _, line := range p.lines(t.width - len(indent) - 2) {
		if strings.Trim(line, " ^") == "" {
			line = t.ink(line, red)
		}
		t.line(indent + t.ink("│ ", dim) + line)
	}
}

func (t *typing) others(heading string, list []entry) {
	if len(list) == 0 {
		return
	}
	t.heading(heading)
	for i, e := range list {
		lead := fmt.Sprintf("  %2s ", ordinal(i))
		title := sentence(e.Title)
		if e.FixerShort != "" {
			title += " To fix: " + e.FixerShort + "."
		}
		t.para(lead, title)
		t.para("     ", e.Sure+" ("+e.Number+") · "+e.Cause, dim)
		if e.Detail != "" {
			t.para("     ", e.Detail)
		}
		if e.Own != nil {
			t.proof("     ", *e.Own)
		}
	}
}

// short lists findings that need a line or two each.
func (t *typing) short(heading, mark, inked string, list []entry) {
	if len(list) == 0 {
		return
	}
	t.heading(heading)
	for _, e := range list {
		text := e.Title
		if e.Detail != "" {
			text = sentence(text) + " " + e.Detail
		}
		t.hanging("  "+t.ink(mark, inked)+" ", 4, text)
	}
}

func (t *typing) next(p *page) {
	if p.Next == nil {
		return
	}
	t.heading("LOOK NEXT")
	t.para("  ", capital(p.Next.Evidence), bold)
	if p.Next.How != "" {
		t.para("  ", p.Next.How)
	}
	if len(p.Next.Decides) > 0 {
		t.para("  ", "It decides: "+strings.Join(p.Next.Decides, ", "), dim)
	}
	if p.Next.Query != "" {
		t.line("")
		for line := range strings.SplitSeq(p.Next.Query, "\n") {
			t.line("      " + line) // never wrapped: it is to be pasted
		}
	}
	for i, m := range p.Later {
		if i == 0 {
			t.line("")
			t.line("  After that:")
		}
		text := capital(m.Evidence)
		if m.How != "" {
			text = sentence(text) + " " + m.How
		}
		t.para("  - ", text)
	}
}

func (t *typing) evidence(p *page) {
	if len(p.Evidence) > 0 {
		t.heading("EVIDENCE READ")
		for _, e := range p.Evidence {
			text := e.Place + "  " + e.Kind
			if e.Provider != "" {
				text += " (" + e.Provider + ")"
			}
			if e.Summary != "" {
				text += ": " + e.Summary
			}
			t.para("  - ", text)
		}
	}
	if len(p.Ignored) > 0 {
		t.heading("EVIDENCE IGNORED")
		for _, ig := range p.Ignored {
			t.para("  - ", ig.Place+": "+ig.Reason)
		}
	}
	if len(p.Notes) > 0 {
		t.heading("NOTES")
		for _, n := range p.Notes {
			t.para("  - ", n)
		}
	}
}

func (t *typing) claims(list []claimsView) {
	for _, c := range list {
		t.heading("CLAIMS OF " + c.Place)
		for _, part := range []string{c.Header, c.Claims} {
			for line := range strings.SplitSeq(part, "\n") {
				t.line("  " + line)
			}
		}
	}
}
