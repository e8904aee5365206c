package casebook

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/detect"
)

// Refusal takes a refused try with the best finding about it (the zero Finding:
// nothing is known) and gives the cases that it changed. The event must be
// stored in the same transaction, as with every method that takes one.
func (b *Book) Refusal(tx Tx, ev *usher.Event, f usher.Finding) ([]*usher.Case, error) {
	if !ev.Refused() || ev.Kind == usher.EventAdmin {
		return nil, nil
	}
	t := b.turn(tx)
	ev = t.bounded(ev)
	attack, err := t.attackFrom(ev)
	if err != nil {
		return nil, err
	}
	if attack != nil && (detect.Guess(f.Cause) || pastPassword(&f) && ev.User.Known()) {
		return t.done(t.attackTry(attack, ev, &f))
	}
	return t.done(t.refuse(ev, &f))
}

// refuse files a try under its case, which it opens where there is none.
func (t *turn) refuse(ev *usher.Event, f *usher.Finding) error {
	c, err := t.place(ev, f)
	if err != nil {
		return err
	}
	fresh := c == nil
	if fresh {
		if c, err = t.open(ev, f); err != nil {
			return err
		}
	}
	try, err := t.join(c, ev)
	if err != nil {
		return err
	}
	better := !fresh && t.learn(c, ev, f)
	if !try.added && !better {
		return t.toldAgain(c)
	}
	if fresh {
		note(c, usher.Entry{Time: t.now, Kind: usher.EntryOpened, Text: "usher opened the case."})
	}
	if try.earliest || better {
		if err := t.explain(c); err != nil {
			return err
		}
	}
	slept, hidden := !c.State.Active(), c.Behind != 0
	if try.added {
		if err := t.tried(c, ev, try.latest); err != nil {
			return err
		}
		if err := t.surface(c, ev); err != nil {
			return err
		}
	}
	news := fresh || better || slept && c.State.Active()
	if news {
		t.propose(c) // which way out comes first depends on all of the above
	} else {
		t.proposeAction(c)
	}
	if news || hidden && c.Behind == 0 || try.stranger && (hidden || t.leads(c.Finding.Cause)) {
		if err := t.arrange(c); err != nil {
			return err
		}
	}
	if err := t.save(c); err != nil {
		return err
	}
	if try.latest {
		return t.provenAlready(c)
	}
	return nil
}

// toldAgain takes a refusal that a case has counted, of which nothing better is
// known. What is known of the client by now may show ways out all the same.
func (t *turn) toldAgain(c *usher.Case) error {
	before := c.Fixes
	t.propose(c)
	if reflect.DeepEqual(before, c.Fixes) {
		return nil
	}
	return t.save(c)
}

// place gives the case to which a refusal belongs, or nil for a new one. Three
// things join: the same fingerprint; a refusal of which less is known, which
// belongs to the case that it would join if its cause were that case's; and a
// refusal of which more is known, which tells the cause of a case that waited
// for it.
func (t *turn) place(ev *usher.Event, f *usher.Finding) (*usher.Case, error) {
	fp := t.fingerprint(ev, f)
	same, err := t.under(keyIs(fp))
	if err != nil || len(same) > 0 {
		return first(same), err
	}
	alike, err := t.under(keyCode(ev))
	if err != nil {
		return nil, err
	}
	mine := rank(f)
	for _, c := range alike {
		theirs := rank(&c.Finding)
		if c.Kind != usher.CaseFailure || theirs == mine || t.fingerprint(ev, &c.Finding) != c.Fingerprint {
			continue
		}
		if mine > theirs {
			c.Fingerprint = fp
		}
		return c, nil
	}
	crowd := t.crowd(ev, f)
	same, err = t.under(keyIs(crowd))
	return first(same), err
}

func first(cases []*usher.Case) *usher.Case {
	if len(cases) == 0 {
		return nil
	}
	return cases[0]
}

// open makes the case of a first try. It is saved at once, because tries are
// counted by the id of their case.
func (t *turn) open(ev *usher.Event, f *usher.Finding) (*usher.Case, error) {
	c := &usher.Case{
		Version: usher.CaseVersion, Fingerprint: t.fingerprint(ev, f), Kind: usher.CaseFailure, State: usher.CaseOpen,
		Finding: known(f), Refusal: *ev, First: ev.Time, Last: ev.Time, Opened: t.now,
	}
	alike, err := t.under(keyAlike(t.alike(ev, f)))
	if err != nil {
		return nil, err
	}
	if len(alike) >= maxAlike {
		c.Fingerprint = t.crowd(ev, f)
	}
	return c, t.save(c)
}

// known gives a finding as a case keeps it: where nothing was found, that is
// said, and lists are lists in JSON, if empty ones.
func known(f *usher.Finding) usher.Finding {
	found := *f
	if found.Outcome == "" {
		found.Outcome = usher.OutcomeUnknown
	}
	found.Proof = append([]usher.Proof{}, f.Proof...)
	found.Fix = append([]usher.FixStep{}, f.Fix...)
	found.References = append([]string{}, f.References...)
	return found
}

// joined says what a try is among those of its case.
type joined struct {
	added            bool // it was not counted before
	latest, earliest bool
	stranger         bool // nobody alike tried before
}

// join counts a try. Late ones count as if they had come in time.
func (t *turn) join(c *usher.Case, ev *usher.Event) (joined, error) {
	added, users, addresses, err := t.tx.AddTry(c.ID, identified(c, ev))
	if err != nil || !added {
		return joined{}, err
	}
	stranger := false
	if c.Kind == usher.CaseFailure { // by the event itself: what another one tells must not matter
		if stranger, err = t.tx.AddMark(c.ID, trierOf(ev).String()); err != nil {
			return joined{}, err
		}
	}
	j := joined{
		added:    true,
		stranger: stranger,
		latest:   c.Count == 0 || before(c.Refusal.Time, c.Refusal.UID, ev.Time, ev.UID),
		earliest: c.Count == 0 || ev.Time.Before(c.First),
	}
	if j.latest {
		c.Refusal = *ev
	}
	if j.earliest {
		c.First = ev.Time
	}
	if stranger && ev.FaultyEndpoint() != "" {
		c.Connections++
		if len(c.ConnectionIDs) < maxAffected {
			c.ConnectionIDs = append(c.ConnectionIDs, ev.Connection())
		}
	}
	c.Count++
	c.Users, c.Addresses = users, addresses
	c.Last = later(c.Last, ev.Time)
	affect(c, ev.User)
	noteTry(c, ev)
	return j, nil
}

// identified gives an event that tells its user by name alone with the id that
// an earlier try of the case told, so that the user is counted once.
func identified(c *usher.Case, ev *usher.Event) *usher.Event {
	if ev.User.UID != "" || ev.User.Name == "" {
		return ev
	}
	for _, known := range c.Affected {
		if known.UID != "" && known.Is(ev.User) {
			told := *ev
			told.User.UID = known.UID
			return &told
		}
	}
	return ev
}

// affect adds a user to the first ones that are named, by name. What several
// tries tell of one user, one the id and another the name, is one entry.
func affect(c *usher.Case, user usher.Party) {
	if !user.Known() {
		return
	}
	rest := c.Affected[:0:0]
	for _, other := range c.Affected {
		if user == other || user.Is(other) {
			user.UID, user.Name = cmp.Or(user.UID, other.UID), cmp.Or(user.Name, other.Name)
		} else {
			rest = append(rest, other)
		}
	}
	if len(rest) >= maxAffected {
		return
	}
	c.Affected = append(rest, user)
	slices.SortFunc(c.Affected, func(a, b usher.Party) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.UID, b.UID))
	})
}

// learn takes a better finding into a case: a cause in place of none, or the
// same with more confidence.
func (t *turn) learn(c *usher.Case, ev *usher.Event, f *usher.Finding) bool {
	was, is := rank(&c.Finding), rank(f)
	if is < was || is == was && (f.Cause != c.Finding.Cause || f.Confidence <= c.Finding.Confidence) {
		return false
	}
	news := is > was
	c.Finding = known(f)
	if news {
		note(c, usher.Entry{Time: t.now, Kind: usher.EntryDiagnosis, Text: "The cause is known better now: " + t.why(c) + ".", Event: ev.UID})
	}
	return true
}

// propose gives a case its ways out as they follow from what is known now, as
// long as nobody went one.
func (t *turn) propose(c *usher.Case) {
	if !settled(c) {
		c.Fixes = renew(c.Fixes, t.fixes(c))
	}
}

// proposeAction is propose for a further try of a case: who looks at its ways
// out finds the same ones, unless there is one now that usher can go and there
// was none, because the provider had not answered.
func (t *turn) proposeAction(c *usher.Case) {
	if settled(c) || slices.ContainsFunc(c.Fixes, acts) {
		return
	}
	if fixes := t.fixes(c); slices.ContainsFunc(fixes, acts) {
		c.Fixes = renew(c.Fixes, fixes)
	}
}

func settled(c *usher.Case) bool {
	return len(c.Runs) > 0 || c.State == usher.CaseFixing || c.State == usher.CaseFixed
}

// acts tells whether usher can carry a fix out.
func acts(f usher.Fix) bool { return f.Action != nil }

// fixes gives the ways out of a case.
func (t *turn) fixes(c *usher.Case) []usher.Fix {
	if t.opt.Fixes != nil {
		return append([]usher.Fix{}, t.opt.Fixes(c)...) // never null in JSON
	}
	if rank(&c.Finding) == 0 {
		return []usher.Fix{}
	}
	cause := t.cause(&c.Finding)
	fix := usher.Fix{ID: "1", Title: cause.Title, Risk: usher.RiskNeutral, Fixer: cause.Fixer, Steps: cause.Fix}
	if len(cause.Fix) > 0 {
		fix.Title, fix.Risk = cause.Fix[0].Text, cause.Fix[0].Risk
	}
	if cause.Proof != nil {
		fix.Proof = *cause.Proof
	}
	return []usher.Fix{fix}
}

// tried moves a case after a try that is the latest.
func (t *turn) tried(c *usher.Case, ev *usher.Event, latest bool) error {
	if !latest {
		return nil // it happened before what made the case what it is
	}
	switch c.State {
	case usher.CaseFixed:
		if c.Proven != nil && !ev.Time.After(c.Proven.Event.Time) {
			return t.judgeAgain(c)
		}
		note(c, usher.Entry{Time: ev.Time, Kind: usher.EntryState, Text: "It was fixed and is back.", Event: ev.UID})
		return move(c, actTry)
	case usher.CaseQuiet:
		if ev.Time.Add(t.opt.QuietAfter).Before(t.now) {
			return nil // an old one, as quiet as the case
		}
		note(c, usher.Entry{Time: ev.Time, Kind: usher.EntryState, Text: "It goes on: the case is open again.", Event: ev.UID})
		return move(c, actTry)
	case usher.CaseVerifying:
		if at := finished(c); !at.IsZero() && ev.Time.After(at.Add(settle)) {
			note(c, usher.Entry{Time: ev.Time, Kind: usher.EntryState, Text: "It is still refused after the fix: the case is open again.", Event: ev.UID})
			return move(c, actRefused)
		}
	}
	return move(c, actTry)
}

// judgeAgain holds a proof against a refusal from before it that came late: it
// does not bring the case back, but it may be just what the success did not
// differ from.
func (t *turn) judgeAgain(c *usher.Case) error {
	success := c.Proven.Event
	for _, cand := range t.candidates(c) {
		if cand.fix.ID != c.Proven.Fix {
			continue
		}
		v, err := t.judge(c, cand, &success)
		if err != nil || v.holds {
			return err
		}
		if err := move(c, actDoubt); err != nil {
			return err
		}
		t.noteUnproven(c, &success, cmp.Or(v.near, "a refusal that was told late is of something else"))
		return nil
	}
	return nil
}

// settle is how long after a fix refusals are put down to its spreading.
const settle = time.Minute

// finished gives when the last fix was carried out, or zero.
func finished(c *usher.Case) (at time.Time) {
	for i := range c.Runs {
		if r := &c.Runs[i]; done(r) {
			at = later(at, r.Finished)
		}
	}
	return at
}

// provenAlready looks whether a success that is later than the refusal was
// taken before it, as it happens with two sources or a late line.
func (t *turn) provenAlready(c *usher.Case) error {
	if !can(c, actProof) || len(t.candidates(c)) == 0 {
		return nil
	}
	client := ""
	if c.Refusal.FaultyEndpoint() == "" && slices.Contains(scope(t.cause(&c.Finding)), "client") {
		client = party(c.Refusal.Client)
	}
	later, err := t.tx.Successes(c.Refusal.Tenant, client, "", c.Refusal.Time, t.now.Add(maxAhead))
	if err != nil {
		return err
	}
	for _, s := range later {
		if err := t.succeed(c, s); err != nil || c.State == usher.CaseFixed {
			return err
		}
	}
	return nil
}
