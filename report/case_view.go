package report

import (
	"cmp"
	"strconv"
	"strings"

	"usher"
)

// casePage is a case as a person reads it, in the order of its story. Every
// string in it is masked and inert; a renderer has only to escape for its own
// format.
type casePage struct {
	ID      string
	State   string
	Tone    string // wrong, open, fine or calm
	Kind    string // empty for a failure
	Cause   string
	Sure    string
	Number  string
	Percent int
	Title   string
	Meaning string // of the state
	Extent  string // since when, how often, from where, who
	Behind  string // the cases that hang together with this one

	Attack  []pair // what an attack got hold of, and where it comes from
	Changed []dated
	Detail  string
	Proof   []proofView
	Flow    []flowRow
	Facts   []pair

	Fixes    []caseFix
	Next     []nextStep
	Runs     []caseRun
	Proven   *provenView
	Timeline []timeRow

	References []string
}

type dated struct{ Time, Text string }

type caseFix struct {
	ID        string
	Title     string
	Risk      string
	RiskClass string // even, good or warn
	By        string // who does it
	Action    string // what usher would do
	Steps     []fixView
	Proof     string
	Command   string
}

// nextStep is a command to type and what it does. Its words are ours alone.
type nextStep struct{ Command, Text string }

type caseRun struct {
	Mark, State string
	Title       string
	When, By    string
	Object      string
	Diff        []diffLine
	Error       string
	Undo        string
	Failed      bool
}

type diffLine struct {
	Sign  string // + or -
	Field string
	Value string
}

type provenView struct {
	Comment string
	Fields  []provenField
}

type provenField struct {
	Mark, Field, Must, Refusal, Success string
	Holds                               bool
}

// timeRow is one line of the timeline; Day is set on the first line of a day,
// and Left on one that stands for so many others.
type timeRow struct {
	Day, Time, Mark, Text string
	Kind                  usher.EntryKind
	Left                  int
}

// Bounds of what is shown of one case. The JSON form has all of it.
const (
	mostShown    = 12 // fixes, runs, changes, proofs
	mostFields   = 30
	mostTimeline = 60
	firstEntries = 10 // of a long timeline
	mostNames    = 8
)

func newCasePage(from *usher.Case, opt CaseOptions) *casePage {
	masked := maskedCase(from)
	c, d := &masked, newDial(opt)
	f := viewFinding(&c.Finding)
	p := &casePage{
		ID: strconv.FormatInt(c.ID, 10), State: label(string(c.State)), Tone: stateTone(c.State), Kind: kindWords(c.Kind),
		Cause: f.Cause, Title: prose(caseTitle(c)), Meaning: stateMeaning(c), Extent: extent(c, d), Behind: behind(c),
		Detail: sentence(capital(f.Detail)), Flow: viewFlow(&usher.Answer{Flow: CaseFlow(c)}, false), References: f.References,
	}
	if c.Finding.Outcome == usher.OutcomeWrong && c.Finding.Cause != "" {
		p.Sure, p.Number, p.Percent = f.Sure, f.Number, f.Percent
	}
	p.Proof = f.Proof[:min(len(f.Proof), mostShown)]
	if c.State == usher.CaseIntended {
		p.Meaning = intended(c, d)
	}
	p.Attack = attackPairs(c, d)
	for i := range c.Changed[:min(len(c.Changed), mostShown)] {
		ev := &c.Changed[i]
		p.Changed = append(p.Changed, dated{d.short(ev.Time), changeWords(ev)})
	}
	p.Facts = caseFacts(c, d)
	p.Next = nextSteps(c)
	if c.State != usher.CaseFixed { // then what was done says it
		for i := range c.Fixes[:min(len(c.Fixes), mostShown)] {
			p.Fixes = append(p.Fixes, viewFix(c, i, c.State != usher.CaseIntended))
		}
	}
	for i := len(c.Runs) - 1; i >= 0 && len(p.Runs) < mostShown; i-- {
		p.Runs = append(p.Runs, viewRun(&c.Runs[i], d))
	}
	if c.Proven != nil {
		p.Proven = viewProven(c.Proven)
	}
	p.Timeline = viewTimeline(c.Timeline, d)
	return p
}

func caseTitle(c *usher.Case) string {
	return cmp.Or(c.Title, usher.EscapeValue(cmp.Or(c.Finding.Title, c.Finding.Cause)), "A case without a title")
}

// extent is the sentence that says since when, how often, from where and who.
func extent(c *usher.Case, d dial) string {
	text := plural(c.Count, "try", "tries")
	if c.Addresses > 0 {
		text += " from " + counted(c.Addresses, "address", "addresses")
	}
	if c.Users > 0 {
		text += ", " + counted(c.Users, "user", "users")
		if names := partyNames(c.Affected); names != "" {
			text += " (" + names + ")"
		}
	}
	if c.First.IsZero() {
		return capital(text) + "."
	}
	since := "Since " + d.full(c.First)
	if ago := d.ago(c.First); ago != "" {
		since += " (" + ago + ")"
	}
	if c.Count > 1 && c.Last.After(c.First) {
		text += "; the last one at " + d.shortAgo(c.Last)
	}
	return since + ": " + text + "."
}

func partyNames(list []usher.Party) string {
	var names []string
	for _, p := range list {
		if len(names) == mostNames {
			names = append(names, "…")
			break
		}
		if p.Known() {
			names = append(names, label(p.String()))
		}
	}
	return strings.Join(names, ", ")
}

// behind says which other cases hang together with this one.
func behind(c *usher.Case) string {
	var parts []string
	if c.Behind != 0 {
		parts = append(parts, "It is a consequence of case "+strconv.FormatInt(c.Behind, 10)+" and is hidden behind it.")
	}
	if n := len(c.Consequences); n > 0 {
		var numbers []string
		for _, id := range c.Consequences[:min(n, mostNames)] {
			numbers = append(numbers, strconv.FormatInt(id, 10))
		}
		if n > mostNames {
			numbers = append(numbers, "…")
		}
		if n == 1 {
			parts = append(parts, "Case "+numbers[0]+" is a consequence of this one and is hidden behind it.")
		} else {
			parts = append(parts, "Cases "+strings.Join(numbers, ", ")+" are consequences of this one and are hidden behind it.")
		}
	}
	return strings.Join(parts, " ")
}

func intended(c *usher.Case, d dial) string {
	text := "The refusal is right"
	if c.Owner != "" {
		text += ", says " + prose(c.Owner)
	}
	if c.Reason != "" {
		text += ": " + sentence(prose(c.Reason))
	} else {
		text += "."
	}
	if !c.Expires.IsZero() {
		text += " It is asked again on " + d.day(c.Expires) + "."
	}
	return text
}

func attackPairs(c *usher.Case, d dial) (out []pair) {
	if c.Kind != usher.CaseAttack {
		return nil
	}
	if !c.Escalated.IsZero() {
		out = append(out, pair{"got in", d.full(c.Escalated)})
	}
	for i := range c.Compromised {
		if i == mostShown {
			out = append(out, pair{"", plural(len(c.Compromised)-i, "more user", "more users")})
			break
		}
		v := &c.Compromised[i]
		text := label(cmp.Or(v.User.String(), "an unknown user"))
		if v.Client.Known() {
			text += " at " + label(v.Client.String())
		}
		text += ", last used by the attacker at " + d.short(v.At)
		if v.Dead.IsZero() {
			text += "; not proven dead"
		} else {
			text += "; dead since " + d.short(v.Dead)
			if v.How != "" {
				text += ": " + prose(usher.PlainSentence(v.How))
			}
		}
		out = append(out, pair{"user", text})
	}
	if n := len(c.Sources); n > 0 {
		var list []string
		for _, s := range c.Sources[:min(n, mostShown)] {
			list = append(list, label(s))
		}
		text := strings.Join(list, ", ")
		if n > mostShown {
			text += " and " + strconv.Itoa(n-mostShown) + " more"
		}
		out = append(out, pair{"from", text})
	}
	return out
}

// changeWords tells a change as a sentence would: who did what to what.
func changeWords(ev *usher.Event) string {
	who := prose(cmp.Or(ev.Actor.String(), ev.User.String(), "somebody"))
	if ev.Change == nil {
		return who + ": " + prose(cmp.Or(ev.Message, ev.Code, "a change that is not told"))
	}
	ch := ev.Change
	verb := map[string]string{"create": "created", "update": "edited", "delete": "deleted"}[ch.Operation]
	if verb == "" {
		verb = "changed"
	}
	text := who + " " + verb + " the " + label(strings.ReplaceAll(cmp.Or(ch.Type, "object"), "-", " "))
	if ch.Target.Known() {
		text += " '" + label(ch.Target.String()) + "'"
	}
	if len(ch.Fields) > 0 {
		var names []string
		for _, f := range ch.Fields[:min(len(ch.Fields), mostNames)] {
			names = append(names, label(f))
		}
		text += " (" + strings.Join(names, ", ") + ")"
	}
	if ev.Source.IP != "" {
		text += " from " + label(ev.Source.IP)
	}
	return text
}

// caseFacts are what the last try was.
func caseFacts(c *usher.Case, d dial) (out []pair) {
	ev := &c.Refusal
	add := func(name, value string) {
		if value != "" {
			out = append(out, pair{name, value})
		}
	}
	add("client", partyWords(ev.Client))
	add("API", partyWords(ev.Resource))
	add("user", partyWords(ev.User))
	add("tenant", prose(ev.Tenant))
	add("address", label(ev.Source.IP))
	add("with", prose(ev.UserAgent))
	add("answer", prose(strings.TrimSpace(ev.StatusCode+" "+ev.StatusDetail)))
	if !ev.Time.IsZero() {
		add("at", d.full(ev.Time))
	}
	return out
}

func partyWords(p usher.Party) string {
	if p.Name != "" && p.UID != "" && p.Name != p.UID {
		return prose(p.Name + " (" + p.UID + ")")
	}
	return prose(p.String())
}

// viewFix gives one way out, with the command that takes it.
func viewFix(c *usher.Case, i int, open bool) caseFix {
	f := &c.Fixes[i]
	v := caseFix{
		ID: label(f.ID), Title: prose(f.Title), Risk: riskWords(f.Risk), RiskClass: riskClass(f.Risk), By: FixerName(f.Fixer),
		Action: actionWords(f.Action), Proof: proofWords(f.Proof),
	}
	if v.Title == "" {
		v.Title = "A way out without a title"
	}
	for _, s := range f.Steps[:min(len(f.Steps), mostShown)] {
		v.Steps = append(v.Steps, fixView{prose(s.Text), Weakening(s), s.Risk == usher.RiskTightening})
	}
	if open {
		v.Command = fixCommand(c, f)
	}
	return v
}

// fixCommand is what to type for a fix: empty where its id could mean something
// to a shell.
func fixCommand(c *usher.Case, f *usher.Fix) string {
	if f.ID == "" || len(f.ID) > 20 || strings.Trim(f.ID, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.") != "" || f.ID[0] == '-' {
		return ""
	}
	id := strconv.FormatInt(c.ID, 10)
	if f.Action == nil { // a person does it; usher is told, and looks for the proof
		return "usher cases declare " + id + " --fix " + f.ID
	}
	command := "usher cases fix " + id
	if f.ID != "1" || bestFix(c) != f { // another would be picked without it
		command += " --fix " + f.ID
	}
	if riskClass(f.Risk) == "warn" {
		command += " --weaken"
	}
	return command
}

func actionWords(a *usher.Action) string {
	if a == nil {
		return ""
	}
	client := "the client '" + prose(a.Client) + "'"
	text := ""
	switch a.Kind {
	case usher.ActionAddRedirectURI:
		text = "adds the redirect URI " + Exact(a.URI) + " to " + client
	case usher.ActionReplaceRedirectURI:
		text = "replaces the redirect URI " + Exact(a.From) + " of " + client + " by " + Exact(a.URI)
	case usher.ActionAllowScope:
		text = "allows " + client + " the scope " + Exact(a.Scope)
	case usher.ActionEnableClient:
		text = "enables " + client
	case usher.ActionReplaceSecret:
		text = "gives " + client + " a new secret, which it shows once"
	default:
		text = label(string(a.Kind)) + " for " + client
	}
	if a.Provider != "" {
		text += " at " + prose(a.Provider)
	}
	return text
}

// nextSteps says what to type now.
func nextSteps(c *usher.Case) (out []nextStep) {
	id := strconv.FormatInt(c.ID, 10)
	var last *usher.FixRun
	if len(c.Runs) > 0 {
		last = &c.Runs[len(c.Runs)-1]
	}
	switch c.State {
	case usher.CaseOpen, usher.CaseRegressed, usher.CaseQuiet, usher.CaseFixing:
		if c.State == usher.CaseFixing && last != nil && last.State == usher.RunApplying {
			return append(out, nextStep{"usher cases watch", "tells when it was carried out"})
		}
		if f := bestFix(c); f != nil {
			if command := fixCommand(c, f); command != "" {
				text := "once it is done: says so, and waits for the proof"
				if f.Action != nil {
					text = "shows the exact difference, asks, makes it, and waits for the proof"
				}
				out = append(out, nextStep{command, text})
			}
		}
		if c.Kind != usher.CaseAttack && c.State != usher.CaseQuiet && c.State != usher.CaseFixing {
			out = append(out, nextStep{"usher cases intend " + id + " --owner NAME --reason WHY --expires DATE", "if the refusal is right"})
		}
	case usher.CaseIntended:
		out = append(out, nextStep{"usher cases reopen " + id, "if the refusal is wrong after all"})
	case usher.CaseVerifying:
		out = append(out, nextStep{"usher cases watch", "tells when it is proven"})
		if last != nil && MayUndo(last) {
			out = append(out, nextStep{"usher cases undo " + id, "takes the fix back"})
		}
	}
	return out
}

// bestFix is the first that usher can carry out and that weakens nothing, else
// the first that weakens nothing.
func bestFix(c *usher.Case) *usher.Fix {
	var best *usher.Fix
	for i := range c.Fixes {
		f := &c.Fixes[i]
		if riskClass(f.Risk) == "warn" {
			continue
		}
		if f.Action != nil {
			return f
		}
		if best == nil {
			best = f
		}
	}
	return best
}

// MayUndo tells whether a run can be taken back: it was carried out, it changed
// something, and the provider has not thrown away what was there before.
func MayUndo(r *usher.FixRun) bool {
	a := r.Plan.Fix.Action
	return r.State == usher.RunApplied && len(r.Plan.Diff) > 0 && a != nil && a.Kind != usher.ActionReplaceSecret
}

func viewRun(r *usher.FixRun, d dial) caseRun {
	v := caseRun{
		Title: prose(cmp.Or(r.Plan.Fix.Title, "a fix")), By: prose(r.By), Object: prose(r.Plan.Object), Error: prose(r.Error),
		Failed: r.State == usher.RunFailed,
	}
	v.Mark, v.State = runWords(r)
	if r.State != usher.RunApplied || len(r.Plan.Diff) > 0 { // else there is nothing to take back
		v.Undo = prose(r.Plan.Undo)
	}
	v.When = d.short(r.Started)
	if !r.Finished.IsZero() {
		v.When = d.short(r.Finished)
	}
	for i, diff := range r.Plan.Diff {
		if i == mostFields {
			break
		}
		if diff.From != "" {
			v.Diff = append(v.Diff, diffLine{"-", label(diff.Field), Exact(diff.From)})
		}
		if diff.To != "" {
			v.Diff = append(v.Diff, diffLine{"+", label(diff.Field), Exact(diff.To)})
		}
	}
	return v
}

func viewProven(p *usher.Proven) *provenView {
	v := &provenView{Comment: prose(p.Comment)}
	for _, f := range p.Fields[:min(len(p.Fields), mostFields)] {
		row := provenField{Mark: "✗", Field: label(usher.FieldName(f.Field)), Must: label(f.Must), Refusal: Exact(f.Refusal), Success: Exact(f.Success), Holds: f.Holds}
		if f.Holds {
			row.Mark = "✓"
		}
		if row.Refusal == "" {
			row.Refusal = "unknown"
		}
		if row.Success == "" {
			row.Success = "unknown"
		}
		v.Fields = append(v.Fields, row)
	}
	return v
}

// viewTimeline gives the lines of the timeline, of a long one the first and the
// last.
func viewTimeline(list []usher.Entry, d dial) []timeRow {
	rows := make([]timeRow, 0, min(len(list), mostTimeline+1))
	day := ""
	for i := 0; i < len(list); i++ {
		if len(list) > mostTimeline && i == firstEntries {
			skip := len(list) - mostTimeline
			rows = append(rows, timeRow{Mark: "…", Text: plural(skip, "more line", "more lines"), Left: skip})
			i += skip - 1
			continue
		}
		e := &list[i]
		row := timeRow{Mark: entryMark(e.Kind), Text: prose(e.Text), Kind: e.Kind}
		if row.Text == "" {
			row.Text = label(string(e.Kind))
		}
		if e.By != "" && !strings.Contains(e.Text, usher.EscapeValue(e.By)) {
			row.Text = strings.TrimRight(row.Text, ".") + ", by " + usher.EscapeValue(prose(e.By)) + "."
		}
		if e.Time.IsZero() {
			row.Time = "--:--:--"
		} else {
			row.Time = e.Time.In(d.zone).Format("15:04:05")
			if on := d.day(e.Time); on != day {
				day, row.Day = on, on
			}
		}
		rows = append(rows, row)
	}
	return rows
}
