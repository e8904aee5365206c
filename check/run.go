package check

import (
	"cmp"
	"slices"

	"usher"
)

// Results are the verdicts by the id of their check.
type Results map[string][]Verdict

// Worst gives the outcome that counts for a check: wrong before unknown before
// ok before not applicable.
func (r Results) Worst(id string) usher.Outcome {
	worst := usher.OutcomeNotApplicable
	for _, v := range r[id] {
		if outcomeRank(v.Outcome) < outcomeRank(worst) {
			worst = v.Outcome
		}
	}
	return worst
}

func outcomeRank(o usher.Outcome) int {
	switch o {
	case usher.OutcomeWrong:
		return 0
	case usher.OutcomeUnknown:
		return 1
	case usher.OutcomeOK:
		return 2
	case usher.OutcomeNotApplicable:
		return 3
	}
	return 4
}

// Run holds the target against the checks and gives findings, the worst first,
// and what is missing to judge the rest.
func Run(t *Target, checks []*Check) ([]usher.Finding, []usher.Missing) {
	run := *t
	run.memo = &memo{}
	t = &run
	got := make(Results, len(checks))
	lacking := make(map[Need][]Verdict, 16)
	for _, c := range checks {
		if c.Judge != nil {
			got[c.ID] = judge(t, c, lacking)
		}
	}
	for _, c := range checks {
		if c.Sum != nil {
			got[c.ID] = c.Sum(t, got)
		}
	}
	mask := masker{done: make(map[string]string, 256)}
	for _, s := range t.Secrets {
		mask.Add(s)
	}
	mask.Add(t.Secret)
	for _, verdicts := range got {
		for i := range verdicts {
			mask.Show(verdicts[i].Subject.Client)
		}
	}
	for _, set := range t.KeySets {
		if set == nil || set.KeySet == nil {
			continue
		}
		for _, k := range set.Keys {
			mask.Show(k.Kid)
		}
	}
	missing := map[Need][]string{}
	found := make([]judged, 0, len(checks))
	var ranks [ranked]int // how many findings there are of each rank
	for _, c := range checks {
		verdicts := got[c.ID]
		if len(verdicts) == 0 {
			verdicts = notAsked
		}
		for i := range verdicts {
			v := &verdicts[i]
			if v.Outcome == usher.OutcomeUnknown && v.Missing != NeedNothing {
				// A check with several unknown verdicts is named once: it is the last.
				if ids := missing[v.Missing]; len(ids) == 0 || ids[len(ids)-1] != c.ID {
					missing[v.Missing] = append(ids, c.ID)
				}
			}
			severity := t.Profile.severity(c, v)
			rank := outcomeRank(v.Outcome)*severities + severity.Rank()
			found = append(found, judged{c, v, severity, rank})
			ranks[rank]++
		}
	}
	// A finding is large and there are hundreds: each is made where it belongs.
	for rank, at := 0, 0; rank < ranked; rank++ {
		ranks[rank], at = at, at+ranks[rank]
	}
	out := make([]usher.Finding, len(found))
	for i := range found {
		f := found[i]
		finding(&out[ranks[f.rank]], f.Check, f.Verdict, f.severity, &mask)
		ranks[f.rank]++
	}
	return out, missings(missing)
}

// judged is a verdict with its place among the others.
type judged struct {
	*Check
	*Verdict
	severity usher.Severity
	rank     int
}

const (
	severities = 6 // with what is none
	ranked     = 5 * severities
)

// judge asks a check, when what it needs is there. Most checks lack the same
// few things: lacking holds what is said of each.
func judge(t *Target, c *Check, lacking map[Need][]Verdict) []Verdict {
	for _, n := range c.Needs {
		said, asked := lacking[n]
		if !asked {
			if !t.Has(n) {
				said = []Verdict{Unknown(n, "")}
			}
			lacking[n] = said
		}
		if said != nil {
			return said
		}
	}
	return c.Judge(t)
}

// notAsked is what is said of a check that found nothing to judge.
var notAsked = []Verdict{NotApplicable("")}

// finding makes a finding of a verdict, with every string of the evidence masked.
func finding(f *usher.Finding, c *Check, v *Verdict, severity usher.Severity, mask *masker) {
	*f = usher.Finding{
		Check: c.ID, Outcome: v.Outcome, Confidence: 1, Step: c.Step, Subject: v.Subject,
		Title: c.Title, Severity: severity, Proof: []usher.Proof{}, Fix: []usher.FixStep{}, References: c.References,
	}
	if f.References == nil {
		f.References = []string{}
	}
	f.Detail = mask.Redact(v.Detail)
	if len(v.Proof) > 0 {
		f.Proof = make([]usher.Proof, len(v.Proof))
	}
	for i, p := range v.Proof {
		f.Proof[i] = usher.Proof{Place: mask.Redact(p.Place), Quote: mask.Redact(p.Quote), Expected: mask.Redact(p.Expected), Got: mask.Redact(p.Got)}
	}
	switch v.Outcome {
	case usher.OutcomeWrong:
		f.Cause = cmp.Or(v.Cause, c.Cause)
		if v.Title != "" {
			f.Title = mask.Redact(v.Title)
		}
		f.Fixer, f.Verify = c.Fixer, "usher check says ok for "+c.ID
		if v.Verify != "" {
			f.Verify = mask.Redact(v.Verify)
		}
		for _, step := range v.Fix {
			step.Text = mask.Redact(step.Text)
			f.Fix = append(f.Fix, step)
		}
		if len(f.Fix) == 0 {
			f.Fix = append(f.Fix, c.Fix...)
		}
	case usher.OutcomeUnknown:
		f.Confidence = 0
		if f.Detail == "" && v.Missing != NeedNothing {
			f.Detail = "not looked at without " + Needs[v.Missing].What
		}
	}
}

// missings says what to give next, the most telling first.
func missings(by map[Need][]string) []usher.Missing {
	out := make([]usher.Missing, 0, len(by))
	for n, ids := range by {
		out = append(out, usher.Missing{Evidence: Needs[n].What, Decides: ids, How: Needs[n].How})
	}
	slices.SortFunc(out, func(a, b usher.Missing) int {
		return cmp.Or(cmp.Compare(len(b.Decides), len(a.Decides)), cmp.Compare(a.Evidence, b.Evidence))
	})
	return out
}
