package report

import (
	"encoding/xml"
	"io"
	"strings"

	"usher"
)

// JUnit's XML, in the form that GitLab, Jenkins and GitHub's reporters read: a
// suite a group, a case a check and subject. What is unknown is skipped, with
// what is missing as its message.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		ClassName string        `xml:"classname,attr"`
		Time      string        `xml:"time,attr"`
		File      string        `xml:"file,attr,omitempty"`
		Failure   *junitMessage `xml:"failure"`
		Skipped   *junitMessage `xml:"skipped"`
		SystemOut string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

func checkJUnit(w io.Writer, answer *usher.Answer, opt CheckOptions) error {
	a := Masked(*answer)
	groups := map[string]string{}
	var order []string
	for _, r := range opt.Rules {
		groups[r.ID] = r.Group
		if len(order) == 0 || order[len(order)-1] != r.Group {
			order = append(order, r.Group)
		}
	}
	suites := map[string]*junitSuite{}
	all := junitSuites{Name: "usher check"}
	for i := range a.Findings {
		f := &a.Findings[i]
		if f.Outcome == usher.OutcomeNotApplicable {
			continue
		}
		group := groups[f.Check]
		if group == "" {
			group = "other"
		}
		s := suites[group]
		if s == nil {
			s = &junitSuite{Name: "usher." + group}
			suites[group] = s
		}
		s.add(f, group, opt.FailOn)
	}
	for _, group := range append(order, "other") {
		s := suites[group]
		if s == nil {
			continue
		}
		delete(suites, group)
		all.Tests, all.Failures, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Skipped+s.Skipped
		all.Suites = append(all.Suites, *s)
	}
	data, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(append([]byte(xml.Header), data...), '\n'))
	return err
}

func (s *junitSuite) add(f *usher.Finding, group string, failOn usher.Severity) {
	c := junitCase{Name: f.Check, ClassName: "usher." + group, Time: "0"}
	if f.Subject.Client != "" {
		c.Name += " (" + Inert(f.Subject.Client) + ")"
	}
	s.Tests++
	switch text := checkPlain(f); {
	case f.Outcome == usher.OutcomeUnknown:
		s.Skipped++
		c.Skipped = &junitMessage{Message: Inert(f.Detail)}
	case f.Outcome == usher.OutcomeWrong && counts(f.Severity, failOn):
		s.Failures++
		c.Failure = &junitMessage{Message: Inert(f.Title), Type: string(f.Severity), Text: text}
	case f.Outcome == usher.OutcomeWrong:
		c.SystemOut = Inert(f.Title) + "\n" + text
	}
	if file, _ := splitPlace(f); file != "" {
		c.File = file
	}
	s.Cases = append(s.Cases, c)
}

// checkPlain tells a finding in plain lines, for what shows text alone.
func checkPlain(f *usher.Finding) string {
	var b strings.Builder
	if f.Detail != "" {
		b.WriteString(Inert(f.Detail) + "\n")
	}
	for _, p := range f.Proof {
		b.WriteString(Inert(p.Place))
		for _, part := range [...][2]string{{"", p.Quote}, {"expected ", p.Expected}, {"got ", p.Got}} {
			if part[1] != "" {
				b.WriteString(": " + part[0] + Inert(shorten(part[1], 300)))
			}
		}
		b.WriteByte('\n')
	}
	for i, step := range f.Fix {
		b.WriteString("to fix " + ordinal(i) + " " + Inert(step.Text))
		if step.Risk == usher.RiskWeakening {
			b.WriteString(" [weakens security]")
		}
		b.WriteByte('\n')
	}
	if len(f.References) > 0 {
		b.WriteString("see " + Inert(strings.Join(f.References, "; ")) + "\n")
	}
	return b.String()
}
