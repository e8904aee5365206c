package report

import (
	"io"
	"strconv"
	"strings"

	"usher"
)

// The formats that only the answer of check has.
const (
	FormatSARIF Format = "sarif" // SARIF 2.1.0, for code scanning
	FormatJUnit Format = "junit" // JUnit's XML, for the test report of a pipeline
)

// CheckOptions say how an answer of check is shown.
type CheckOptions struct {
	TextOptions
	// Subject is what was checked, in the operator's words: an issuer or files.
	Subject string
	// Rules are the checks that were asked, in the order of a reading person.
	// SARIF and JUnit name them.
	Rules []Rule
	// FailOn is the mildest severity that counts as a failure in JUnit and as
	// an error in SARIF; empty is low, a word that is no severity counts none.
	FailOn usher.Severity
	// Verbose lists in text what is in order and what could not be looked at
	// one by one.
	Verbose bool
}

// counts tells whether a severity is at or above what lets fail.
func counts(s, failOn usher.Severity) bool { return failOn.Valid() && s.Rank() <= failOn.Rank() }

// Rule is a check as SARIF wants to know it.
type Rule struct {
	ID, Title, Judged string
	Group             string
	Severity          usher.Severity
	References        []string
	Help              string // how it is mended
}

// Check writes the answer of check in one of the formats.
func Check(w io.Writer, a *usher.Answer, format Format, opt CheckOptions) error {
	if opt.FailOn == "" {
		opt.FailOn = usher.SeverityLow
	}
	switch format {
	case FormatText, "":
		return checkText(w, a, opt)
	case FormatJSON:
		return JSON(w, a)
	case FormatMarkdown:
		return checkMarkdown(w, a, opt)
	case FormatHTML:
		return checkHTML(w, a, opt)
	case FormatSARIF:
		return checkSARIF(w, a, opt)
	case FormatJUnit:
		return checkJUnit(w, a, opt)
	}
	_, err := ParseFormat(string(format))
	return err
}

// checkPage is the answer of check as a person reads it: what is wrong by
// severity, what could not be looked at by what is missing, what is in order.
// Every string in it is masked and inert.
type checkPage struct {
	*page
	Subject    string
	Levels     []checkLevel
	Fine       []checkEntry
	Unknown    []checkEntry
	Irrelevant int
	Wrong      int
}

type checkLevel struct {
	Severity string
	List     []checkEntry
}

type checkEntry struct {
	entry
	Check string
}

func newCheckPage(answer *usher.Answer, opt CheckOptions) *checkPage {
	a := Masked(*answer)
	shell := a
	shell.Findings = nil
	p := &checkPage{page: newPage(&shell), Subject: prose(opt.Subject)}
	for i := range a.Findings {
		f := &a.Findings[i]
		e := checkEntry{viewFinding(f), label(f.Check)}
		switch f.Outcome {
		case usher.OutcomeWrong:
			p.Wrong++
			if n := len(p.Levels); n == 0 || p.Levels[n-1].Severity != string(f.Severity) {
				p.Levels = append(p.Levels, checkLevel{Severity: string(f.Severity)})
			}
			last := &p.Levels[len(p.Levels)-1]
			last.List = append(last.List, e)
		case usher.OutcomeOK:
			p.Fine = append(p.Fine, e)
		case usher.OutcomeNotApplicable:
			p.Irrelevant++
		default:
			p.Unknown = append(p.Unknown, e)
		}
	}
	p.tellCheck()
	return p
}

// tellCheck says the answer in a sentence, and how much of it was looked at.
func (p *checkPage) tellCheck() {
	about := ""
	if p.Subject != "" {
		about = " with " + p.Subject
	}
	judged := p.Wrong + len(p.Fine)
	switch {
	case judged == 0:
		p.Headline = "Nothing could be judged" + about + "."
		p.Lead = "What is missing stands below."
		return
	case p.Wrong == 0:
		p.Headline = "Nothing is wrong" + about + ", as far as could be looked at."
	case p.Wrong == 1:
		p.Headline = "One thing is wrong" + about + "."
	default:
		p.Headline = strconv.Itoa(p.Wrong) + " things are wrong" + about + "."
	}
	parts := make([]string, 0, len(p.Levels)+2)
	for _, l := range p.Levels {
		parts = append(parts, strconv.Itoa(len(l.List))+" "+l.Severity)
	}
	if len(p.Fine) > 0 {
		parts = append(parts, strconv.Itoa(len(p.Fine))+" in order")
	}
	if len(p.Unknown) > 0 {
		parts = append(parts, strconv.Itoa(len(p.Unknown))+" unknown")
	}
	p.Lead = capital(strings.Join(parts, ", ")) + "."
}

// ids names checks, blank-separated, each once.
func ids(list []checkEntry) []string {
	var out []string
	for _, e := range list {
		if n := len(out); n == 0 || out[n-1] != e.Check {
			out = append(out, e.Check)
		}
	}
	return out
}
