package console

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/report"
)

// caseView is the page of one case.
type caseView struct {
	Row     caseRow
	URL     string
	Stage   []stage
	State   stateView
	Flow    *flow
	Step    string
	Detail  string
	Compare *compareView
	Meaning string
	Quotes  []quoteView
	Changed []changeView
	Hidden  []caseLink // consequences
	Behind  *caseLink
	Fixes   []fixView
	Runs    []runView
	Proof   *proofTable
	Entries []entryView
	People  []string
	More    string // people beyond those named
	Facts   []fact

	MayAct    bool // fixes may be planned and declared
	Attack    bool // its end needs a reason
	MayIntend bool
	MayReopen bool
	Owner     string // prefilled
	Expires   string // prefilled, a day
	Soonest   string
	Reason    string
}

type stage struct{ Words, State string } // State: done, now, next

type stateView struct {
	Means, Next string
	Waits       bool
	Until       moment
}

type compareView struct {
	contrast
	Place, ExpectedWord, GotWord string
}

type quoteView struct{ Place, Quote string }

type changeView struct {
	Who, What, Where string
	Fields           string
	At               moment
	Before           string
}

type caseLink struct {
	ID    int64
	Title string
}

type fact struct{ Name, Value string }

type diffView struct {
	Field    string
	From, To []part
	Taken    bool // something is taken out
	Added    bool
}

type fixView struct {
	ID, Title       string
	Risk            usher.Risk
	RiskWord, Fixer string
	Steps           []stepView
	ByUsher         bool
	Preview         []diffView
	Where           string
	Proof           string
	Plan            *planView
	Expired         bool
	Done            bool // carried out already and awaiting proof
	First           bool
}

type stepView struct {
	Text     string
	RiskWord string
	Risk     usher.Risk
}

type planView struct {
	ID, Fix, Object, Request, Right, Undo string
	Diff                                  []diffView
	Weakens                               []string
	Weak                                  bool
	Type                                  string // what has to be typed to weaken
	Nothing                               bool
	Secret                                bool
}

type runView struct {
	ID, Title, By, Error string
	State                usher.RunState
	Words                string
	Started, Finished    moment
	Diff                 []diffView
	MayUndo              bool
	Undo                 string
}

type proofTable struct {
	Comment string
	At      moment
	Rows    []proofRow
	Refusal moment
	Success moment
	Fix     string
}

type proofRow struct {
	Field, Must string
	Compare     contrast
	Holds       bool
}

type entryView struct {
	Kind     usher.EntryKind
	At       moment
	Text, By string
	Word     string
}

func (c *console) casePage(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	return c.showCase(w, r, id, http.StatusOK, r.URL.Query().Get("plan"), nil)
}

// showCase renders a case; wrong is what went wrong with what the person just did.
func (c *console) showCase(w http.ResponseWriter, r *http.Request, id int64, status int, plan string, wrong error) error {
	found, err := c.opt.Cases.Case(r.Context(), id)
	if err != nil {
		return err
	}
	view := c.viewCase(r, found, plan)
	p := page{Title: fmt.Sprintf("Case %d: %s", id, usher.PlainSentence(show(found.Title))), View: view, Live: true, URL: view.URL, Section: "list"}
	if wrong != nil {
		var body problemBody
		body, status = c.asProblem(r, wrong)
		p.Problem = sentence(capital(body.Error.Message)) + hintAfter(body.Error.Hint)
	}
	c.render(w, r, status, "case", p)
	return nil
}

func (c *console) viewCase(r *http.Request, found *usher.Case, plan string) caseView {
	now := c.opt.Now()
	v := caseView{
		Row: c.caseRow(found), URL: fmt.Sprintf("/cases/%d", found.ID),
		Stage: stagesOf(found), State: c.stateOf(found),
		Flow: drawFlow(found), Step: report.StepName(found.Finding.Step),
		Detail: sentence(capital(text(found.Finding.Detail))),
		Proof:  c.proofOf(found),
	}
	if plan != "" {
		v.URL += "?plan=" + url.QueryEscape(plan)
	}
	if cause, ok := c.opt.Cause(found.Finding.Cause); ok {
		v.Meaning = text(cause.Meaning)
	}
	v.Compare, v.Quotes = evidenceOf(found)
	for _, e := range found.Changed {
		v.Changed = append(v.Changed, c.viewChange(&e, found.First))
	}
	v.linkCases(c, r, found)
	v.Attack = found.Kind == usher.CaseAttack
	v.MayAct = found.State != usher.CaseFixed && found.State != usher.CaseIntended
	v.MayIntend = found.State != usher.CaseIntended
	v.MayReopen = found.State == usher.CaseFixed || found.State == usher.CaseIntended || found.State == usher.CaseQuiet
	for i := range found.Fixes {
		v.Fixes = append(v.Fixes, c.viewFix(found, &found.Fixes[i], plan, i == 0))
	}
	for _, run := range slices.Backward(found.Runs) {
		v.Runs = append(v.Runs, c.viewRun(found, &run))
	}
	for _, e := range slices.Backward(found.Timeline) {
		v.Entries = append(v.Entries, entryView{plainWord(e.Kind), c.moment(e.Time), text(e.Text), show(e.By), entryWord(e.Kind)})
	}
	v.People, v.More = peopleOf(found)
	v.Facts = factsOf(found)
	v.Owner = show(cmp.Or(found.Owner, by(r)))
	v.Reason = text(found.Reason)
	v.Soonest = now.In(c.opt.Location).AddDate(0, 0, 1).Format(time.DateOnly)
	v.Expires = now.In(c.opt.Location).AddDate(0, 0, 90).Format(time.DateOnly)
	return v
}

// peopleOf names who is affected: people, or the connections that a fault of
// their token endpoint keeps from a token, and how many beyond those.
func peopleOf(found *usher.Case) (names []string, more string) {
	all := found.Users
	for _, p := range found.Affected {
		names = append(names, cutTo(p.String(), 60))
	}
	if found.Connections > 0 {
		names, all = nil, found.Connections
		for _, id := range found.ConnectionIDs {
			names = append(names, cutTo(id, 60))
		}
	}
	if n := all - len(names); n > 0 && len(names) > 0 {
		more = "and " + count(n, "other", "others")
	}
	return names, more
}

// stagesOf draws the way of a case from open to fixed.
func stagesOf(c *usher.Case) []stage {
	at := map[usher.CaseState]int{usher.CaseOpen: 0, usher.CaseRegressed: 0, usher.CaseFixing: 1, usher.CaseVerifying: 2, usher.CaseFixed: 3}
	now, ok := at[c.State]
	if !ok {
		return nil // quiet and intended lie beside the way
	}
	first := "Open"
	if c.State == usher.CaseRegressed {
		first = "Back again"
	}
	stages := []stage{{first, ""}, {"Fixing", ""}, {"Verifying", ""}, {"Proven fixed", ""}}
	for i := range stages {
		switch {
		case i < now || c.State == usher.CaseFixed:
			stages[i].State = "done"
		case i == now:
			stages[i].State = "now"
		default:
			stages[i].State = "next"
		}
	}
	return stages
}

// stateOf says what the state means and what happens next.
func (c *console) stateOf(found *usher.Case) stateView {
	switch found.State {
	case usher.CaseOpen:
		s := stateView{Means: "It still happens, and nobody has acted on it.", Next: "Choose a fix below. Nothing is changed before you have seen the exact difference and said yes."}
		if len(found.Fixes) == 0 {
			s.Next = "There is no fix to propose yet. Look at the evidence below; the case learns from every further try."
		}
		return s
	case usher.CaseRegressed:
		return stateView{Means: "It was proven fixed, and it is back.", Next: "Look first at what changed before, then choose a fix."}
	case usher.CaseFixing:
		return stateView{Means: "A fix is being carried out.", Next: "The case waits for its proof as soon as the provider has answered."}
	case usher.CaseVerifying:
		s := stateView{Means: "A fix was carried out. It counts once it is proven.", Next: "Waiting for the proof.", Waits: true}
		if fix, run := verifying(found); fix != nil {
			if fix.Proof.Text != "" {
				s.Next = "Waiting for the proof: " + sentence(text(fix.Proof.Text))
			}
			if within := time.Duration(fix.Proof.Within); within > 0 && run != nil {
				s.Until = c.moment(run.Finished.Add(within))
			}
		}
		return s
	case usher.CaseFixed:
		return stateView{Means: "A later success proves that it is fixed.", Next: "Nothing to do. If it comes back, this case opens again and says so."}
	case usher.CaseIntended:
		s := stateView{Means: "The refusal is right.", Next: "Tries are still counted. You will be asked again when this ends.", Until: c.moment(found.Expires)}
		if found.Owner != "" {
			s.Means = "The refusal is right, says " + show(found.Owner) + ": " + sentence(text(found.Reason))
		}
		return s
	case usher.CaseQuiet:
		return stateView{Means: "The tries have stopped, and nothing proves why.", Next: "It may be fixed, or people may have given up. If it was fixed, say so with the fix: the next success will prove it."}
	}
	return stateView{}
}

// verifying gives the fix whose proof is awaited, and its run.
func verifying(c *usher.Case) (*usher.Fix, *usher.FixRun) {
	for i := len(c.Runs) - 1; i >= 0; i-- {
		run := &c.Runs[i]
		if run.State == usher.RunApplied || run.State == usher.RunDeclared {
			return &run.Plan.Fix, run
		}
	}
	return nil, nil
}

// evidenceOf picks the one comparison that tells the story, and the quotations.
func evidenceOf(c *usher.Case) (*compareView, []quoteView) {
	var told *compareView
	var quotes []quoteView
	for _, p := range c.Finding.Proof {
		if told == nil && p.Expected != "" && p.Got != "" && p.Expected != p.Got {
			told = &compareView{contrast: compare(report.Exact(p.Expected), report.Exact(p.Got)), Place: show(p.Place), ExpectedWord: "Expected", GotWord: "Got"}
			if strings.Contains(c.Finding.Cause, "redirect") {
				told.ExpectedWord, told.GotWord = "Registered", "Sent by the app"
			}
		}
		if p.Quote != "" && len(quotes) < 12 {
			quotes = append(quotes, quoteView{show(p.Place), text(p.Quote)})
		}
	}
	return told, quotes
}

func (c *console) viewChange(e *usher.Event, first time.Time) changeView {
	v := changeView{Who: show(cmp.Or(e.Actor.String(), e.User.String())), At: c.moment(e.Time), What: "something was changed"}
	if v.Who == "" {
		v.Who = "somebody"
	}
	if ch := e.Change; ch != nil {
		verb := map[string]string{"create": "made", "update": "edited", "delete": "deleted", "action": "acted on"}[ch.Operation]
		v.What = cmp.Or(verb, "changed") + " the " + show(cmp.Or(ch.Type, "object"))
		v.Where = show(ch.Target.String())
		v.Fields = show(strings.Join(ch.Fields, ", "))
	}
	if gap := first.Sub(e.Time); gap >= 0 {
		v.Before = span(gap) + " before the first refusal"
	}
	return v
}

func (v *caseView) linkCases(c *console, r *http.Request, found *usher.Case) {
	link := func(id int64) caseLink {
		l := caseLink{ID: id}
		if other, err := c.opt.Cases.Case(r.Context(), id); err == nil {
			l.Title = show(other.Title)
		}
		return l
	}
	for i, id := range found.Consequences {
		if i == 20 {
			break
		}
		v.Hidden = append(v.Hidden, link(id))
	}
	if found.Behind != 0 {
		l := link(found.Behind)
		v.Behind = &l
	}
}

func (c *console) viewFix(found *usher.Case, f *usher.Fix, plan string, first bool) fixView {
	v := fixView{
		ID: f.ID, Title: sentence(show(f.Title)), Risk: plainWord(f.Risk), RiskWord: riskWord(f.Risk), Fixer: report.FixerName(f.Fixer),
		ByUsher: f.Action != nil, Proof: sentence(text(f.Proof.Text)), First: first,
	}
	for _, s := range f.Steps {
		step := stepView{Text: text(s.Text), Risk: plainWord(s.Risk)}
		if s.Risk != f.Risk && (s.Risk == usher.RiskTightening || report.Weakening(s)) {
			step.RiskWord = riskWord(s.Risk)
		}
		v.Steps = append(v.Steps, step)
	}
	if f.Action != nil {
		v.Preview = previewOf(f.Action)
		v.Where = show("client '" + f.Action.Client + "' at " + f.Action.Provider)
	}
	if _, run := verifying(found); run != nil && run.Plan.Fix.ID == f.ID && found.State == usher.CaseVerifying {
		v.Done = true
	}
	if plan != "" {
		if shown, ok := c.plans.find(found.ID, plan, c.opt.Now()); ok {
			if shown.Fix.ID == f.ID {
				v.Plan = viewPlan(&shown)
			}
		} else {
			v.Expired = first
		}
	}
	return v
}

// previewOf shows what an action is about before the provider is asked.
func previewOf(a *usher.Action) []diffView {
	switch a.Kind {
	case usher.ActionAddRedirectURI:
		return []diffView{viewDifference(usher.Difference{Field: "redirect URIs", To: a.URI})}
	case usher.ActionReplaceRedirectURI:
		return []diffView{viewDifference(usher.Difference{Field: "redirect URIs", From: a.From, To: a.URI})}
	case usher.ActionAllowScope:
		return []diffView{viewDifference(usher.Difference{Field: "allowed scopes", To: a.Scope})}
	case usher.ActionEnableClient:
		return []diffView{viewDifference(usher.Difference{Field: "enabled", From: "false", To: "true"})}
	case usher.ActionReplaceSecret:
		return []diffView{viewDifference(usher.Difference{Field: "client secret", From: "the present one", To: "a new one, shown to you once"})}
	}
	return nil
}

func viewDifference(d usher.Difference) diffView {
	v := diffView{Field: show(d.Field), Taken: d.From != "", Added: d.To != ""}
	from, to := report.Exact(d.From), report.Exact(d.To)
	if v.Taken && v.Added {
		both := compare(from, to)
		v.From, v.To = both.Expected, both.Got
		return v
	}
	v.From, v.To = whole(from), whole(to)
	return v
}

func viewDiff(diff []usher.Difference) []diffView {
	var rows []diffView
	for _, d := range diff {
		rows = append(rows, viewDifference(d))
	}
	return rows
}

func viewPlan(p *usher.FixPlan) *planView {
	v := &planView{
		ID: p.ID, Fix: p.Fix.ID, Object: text(p.Object), Request: text(p.Request), Right: show(p.Right), Undo: text(p.Undo),
		Diff: viewDiff(p.Diff), Nothing: len(p.Diff) == 0, Weak: weakens(p),
	}
	for _, w := range p.Weakens {
		v.Weakens = append(v.Weakens, sentence(capital(text(w))))
	}
	if a := p.Fix.Action; a != nil {
		v.Type = report.Exact(a.Client)
		v.Secret = a.Kind == usher.ActionReplaceSecret
	}
	return v
}

// weakens tells whether a plan must be said yes to twice.
func weakens(p *usher.FixPlan) bool { return len(p.Weakens) > 0 || p.Fix.Risk == usher.RiskWeakening }

func (c *console) viewRun(found *usher.Case, run *usher.FixRun) runView {
	v := runView{
		ID: run.ID, Title: sentence(show(run.Plan.Fix.Title)), By: show(run.By), Error: sentence(capital(text(run.Error))), State: plainWord(run.State),
		Started: c.moment(run.Started), Finished: c.moment(run.Finished), Diff: viewDiff(run.Plan.Diff), Undo: text(run.Plan.Undo),
	}
	switch run.State {
	case usher.RunApplying:
		v.Words = "being carried out"
	case usher.RunApplied:
		v.Words, v.MayUndo = "carried out", report.MayUndo(run)
		if len(run.Plan.Diff) == 0 {
			v.Words = "was so already"
		}
	case usher.RunUndone:
		v.Words = "taken back"
	case usher.RunFailed:
		v.Words = "could not be carried out"
	case usher.RunDeclared:
		v.Words = "declared done"
	}
	return v
}

func (c *console) proofOf(found *usher.Case) *proofTable {
	p := found.Proven
	if p == nil {
		return nil
	}
	t := &proofTable{Comment: sentence(text(p.Comment)), At: c.moment(p.At), Refusal: c.moment(found.Refusal.Time), Success: c.moment(p.Event.Time)}
	for _, f := range found.Fixes {
		if f.ID == p.Fix {
			t.Fix = sentence(show(f.Title))
		}
	}
	for _, f := range p.Fields {
		must := "must " + show(f.Must)
		if f.Must == "equal" {
			must = "must be equal"
		}
		t.Rows = append(t.Rows, proofRow{show(usher.FieldName(f.Field)), must, compare(report.Exact(f.Refusal), report.Exact(f.Success)), f.Holds})
	}
	return t
}

// entryWord names an entry for who cannot see its sign.
func entryWord(k usher.EntryKind) string {
	switch k {
	case usher.EntryChange:
		return "Changed"
	case usher.EntryFirst:
		return "First try"
	case usher.EntryOpened:
		return "Opened"
	case usher.EntryTries:
		return "Tries"
	case usher.EntryConsequent:
		return "Consequence"
	case usher.EntryUnproven:
		return "No proof"
	}
	return capital(show(string(k)))
}

// factsOf are the facts of the last refusal that are worth a line.
func factsOf(c *usher.Case) []fact {
	e := &c.Refusal
	var facts []fact
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, fact{name, report.Exact(value)})
		}
	}
	add("Provider", report.ProviderName(e.Provider))
	add("Tenant", e.Tenant)
	add("Client", e.Client.String())
	add("API", e.Resource.String())
	add("Person", e.User.String())
	add("Address", e.Source.IP)
	add("Said", strings.TrimSpace(e.StatusCode+" "+e.StatusDetail))
	add("Error", strings.TrimSpace(e.OAuth.Error+" "+e.OAuth.Description))
	add("Redirect URI", e.OAuth.RedirectURI)
	add("Grant", e.OAuth.GrantType)
	add("Scopes", strings.Join(e.OAuth.Requested, " "))
	add("Correlation", e.Correlation)
	return facts
}
