package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"usher"
)

// page is an answer as a person reads it, in the order in which an expert would
// tell it. Every string in it is masked and inert; a renderer has only to
// escape for its own format.
type page struct {
	Row      string // the id, with --each-line
	Answered bool
	Headline string
	Lead     string // the sentence below the headline
	Top      entry  // the cause that is named; zero when none is
	Flow     []flowRow
	Others   []entry // further causes that fit, ranked
	Cleared  []entry
	Untested []entry
	Next     *missingView
	Later    []missingView
	Evidence []evidenceView
	Ignored  []ignoredView
	Notes    []string
	Claims   []claimsView
}

// entry is one finding.
type entry struct {
	Sure, Number string
	Percent      int
	Cause, Title string
	Detail       string
	Step         string
	Fixer        usher.Fixer
	FixerShort   string
	FixerLong    string
	About        []pair
	Proof        []proofView
	Fix          []fixView
	Verify       string
	References   []string
	Own          *proofView // of another cause: the proof that the named cause does not show already
}

type pair struct{ Name, Value string }

type fixView struct {
	Text       string
	Weakening  bool
	Tightening bool
}

type missingView struct {
	Evidence, How, Query string
	Decides              []string
}

type evidenceView struct{ Kind, Place, Provider, Summary string }

type ignoredView struct{ Place, Reason string }

type claimsView struct{ Place, Header, Claims string }

func newPage(answer *usher.Answer) *page {
	a := Masked(*answer)
	p := &page{}
	if a.ID != nil {
		p.Row = prose(rowID(a.ID))
	}
	named := a.Answered && len(a.Findings) > 0 && a.Findings[0].Outcome == usher.OutcomeWrong
	for i := range a.Findings {
		f := &a.Findings[i]
		switch f.Outcome {
		case usher.OutcomeWrong:
			if i == 0 && named {
				p.Top = viewFinding(f)
				continue
			}
			p.Others = append(p.Others, viewFinding(f))
		case usher.OutcomeOK:
			p.Cleared = append(p.Cleared, viewFinding(f))
		case usher.OutcomeNotApplicable:
		default: // whatever is not known to be something else is unknown
			p.Untested = append(p.Untested, viewFinding(f))
		}
	}
	p.Answered = named
	p.giveOwn()
	p.tellHeadline(len(a.Evidence))
	p.Flow = viewFlow(&a, named)
	for i, m := range a.Missing {
		view := missingView{Evidence: prose(m.Evidence), How: prose(m.How), Query: query(m.Query)}
		for _, l := range m.Decides {
			view.Decides = append(view.Decides, label(l))
		}
		if i == 0 {
			p.Next = &view
		} else {
			p.Later = append(p.Later, view)
		}
	}
	for _, e := range a.Evidence {
		p.Evidence = append(p.Evidence, evidenceView{kindName(e.Kind), prose(e.Place), ProviderName(e.Provider), prose(e.Summary)})
	}
	for _, ig := range a.Ignored {
		p.Ignored = append(p.Ignored, ignoredView{prose(ig.Place), prose(ig.Reason)})
	}
	for _, n := range a.Notes {
		p.Notes = append(p.Notes, prose(n))
	}
	for _, c := range a.Claims {
		p.Claims = append(p.Claims, claimsView{prose(c.Place), indented(c.Header), indented(c.Claims)})
	}
	return p
}

// giveOwn finds for every other cause the first quotation that is not already
// among the proof of the named one: what speaks for it and nobody has read yet.
func (p *page) giveOwn() {
	shown := map[proofView]bool{}
	if p.Answered {
		for _, q := range p.Top.Proof {
			shown[q] = true
		}
	}
	for i := range p.Others {
		for k, q := range p.Others[i].Proof {
			if !shown[q] {
				p.Others[i].Own = &p.Others[i].Proof[k]
				break
			}
		}
	}
}

// rowID shows an id as it stood in its row, a string without its quotes.
func rowID(id any) string {
	if s, ok := id.(string); ok {
		return s
	}
	b, err := json.Marshal(id)
	if err != nil {
		return fmt.Sprint(id)
	}
	return string(b)
}

// tellHeadline says the answer in a sentence and, where there is none, says so
// plainly and says why.
func (p *page) tellHeadline(evidence int) {
	if p.Answered {
		p.Headline = sentence(p.Top.Title)
		p.Lead = whoFixes(p.Top.Fixer)
		return
	}
	switch {
	case evidence == 0:
		p.Headline = "There is nothing to judge."
		p.Lead = "Nothing in the input was recognised as evidence of a sign-in, a token or an API call."
	case len(p.Others) == 1:
		p.Headline = "The cause cannot be told from this."
		p.Lead = "One candidate fits, but not well enough to be named as the cause."
	case len(p.Others) > 1:
		p.Headline = "The cause cannot be told from this."
		p.Lead = fmt.Sprintf("%d candidates fit, none of them well enough to be named as the cause.", len(p.Others))
	case len(p.Cleared) > 0 && len(p.Untested) == 0:
		p.Headline = "Nothing wrong was found."
		p.Lead = "Everything that could be tested is in order; the cause, if there is one, lies outside this evidence."
	case len(p.Cleared) > 0:
		p.Headline = "The cause cannot be told from this."
		p.Lead = "What could be tested is in order; the rest could not be tested."
	default:
		p.Headline = "The cause cannot be told from this."
		p.Lead = "The evidence was read, but nothing in it points to a cause."
	}
}

func viewFinding(f *usher.Finding) entry {
	e := entry{
		Sure: sureness(f.Confidence), Number: number(f.Confidence),
		Percent: min(100, max(0, int(f.Confidence*100+0.5))),
		Cause:   label(f.Cause), Title: prose(f.Title), Detail: prose(f.Detail),
		Step:  StepName(f.Step),
		Fixer: f.Fixer, FixerShort: FixerName(f.Fixer), FixerLong: fixerLong(f.Fixer),
		Verify: prose(f.Verify),
	}
	if e.Title == "" {
		e.Title = e.Cause
	}
	for _, about := range []pair{
		{"client", f.Subject.Client},
		{"user", f.Subject.User},
		{"resource", f.Subject.Resource},
		{"policy", f.Subject.Policy},
		{"tenant", f.Subject.Tenant},
		{"scope", f.Subject.Scope},
	} {
		if about.Value != "" {
			e.About = append(e.About, pair{about.Name, prose(about.Value)})
		}
	}
	for _, p := range f.Proof {
		e.Proof = append(e.Proof, viewProof(p))
	}
	for _, s := range f.Fix {
		e.Fix = append(e.Fix, fixView{prose(s.Text), Weakening(s), s.Risk == usher.RiskTightening})
	}
	for _, r := range f.References {
		e.References = append(e.References, prose(r))
	}
	return e
}

// indented shows decoded claims.
func indented(m map[string]any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return "not shown: " + prose(err.Error())
	}
	return shorten(strings.TrimSpace(string(PlainJSON(b.Bytes()))), maxQuery)
}

func ordinal(i int) string { return strconv.Itoa(i+1) + "." }
