package casebook

import (
	"cmp"
	"slices"
	"strings"

	"usher"
)

// Change takes a change to what decides: it may explain a case, take back a
// proof that it undermines, or prove that what an attack got hold of is dead.
func (b *Book) Change(tx Tx, ev *usher.Event) ([]*usher.Case, error) {
	if ev.Change == nil || ev.Status == usher.StatusFailure {
		return nil, nil
	}
	t := b.turn(tx)
	ev = t.bounded(ev)
	if err := t.kill(ev); err != nil {
		return nil, err
	}
	cases, err := t.under(changeKeys(ev)...)
	if err != nil {
		return nil, err
	}
	for _, c := range cases {
		if c.Kind == usher.CaseAttack || c.Kind == usher.CaseConfiguration || !t.concerns(c, ev) {
			continue
		}
		if err := t.doubt(c, ev); err != nil {
			return nil, err
		}
		if ev.Time.After(c.First) || ev.Time.Before(c.First.Add(-changeWindow)) {
			continue
		}
		if addChange(c, ev) {
			noteChanges(t, c)
			t.propose(c)
			if err := t.save(c); err != nil {
				return nil, err
			}
		}
	}
	if id := ev.Connection(); id != "" && ev.Change.Operation == "delete" {
		if err := t.removed(id, ev); err != nil {
			return nil, err
		}
	}
	return t.changed, nil
}

// removed ends the cases of a connection that was taken away. Nothing is proven
// by that, and nothing is left that could be.
func (t *turn) removed(id string, ev *usher.Event) error {
	cases, err := t.under(keyConnection(id))
	if err != nil {
		return err
	}
	for _, c := range cases {
		if c.Refusal.Connection() != id || c.Connections > 1 || !c.State.Active() || !can(c, actSilence) || applying(c) || ev.Time.Before(c.Last) {
			continue
		}
		note(c, usher.Entry{Time: ev.Time, Kind: usher.EntryState, Text: "The connection was removed: the case is quiet, not proven fixed.", By: ev.Actor.String(), Event: ev.UID})
		if err := move(c, actSilence); err != nil {
			return err
		}
		if err := t.save(c); err != nil {
			return err
		}
	}
	return nil
}

// changeKeys lists where the cases are filed that a change may concern.
func changeKeys(ev *usher.Event) (keys []string) {
	for _, what := range changeTargets(ev) {
		keys = append(keys, keyTarget(what))
	}
	if wide(ev.Change.Type) && ev.Tenant != "" {
		keys = append(keys, keyTarget(ev.Tenant))
	}
	return keys
}

// changeTargets lists the ids and names of what was changed.
func changeTargets(ev *usher.Event) []string {
	targets := []string{ev.Change.Target.UID, ev.Change.Target.Name}
	if ev.Change.Type == "consent" {
		targets = append(targets, ev.Client.UID, ev.Client.Name)
	}
	segments := strings.FieldsFunc(ev.Change.Path, func(r rune) bool { return r == '/' })
	targets = append(targets, segments[:min(len(segments), 10)]...)
	targets = slices.DeleteFunc(targets, func(s string) bool { return s == "" })
	slices.Sort(targets)
	return slices.Compact(targets)
}

// wide are the types of things that decide for a whole tenant.
func wide(kind string) bool { return kind == "realm" || kind == "key" || kind == "policy" }

// concerns tells whether a change is of something that decides the case. A
// realm and a client may well have the same name, so of a name alone nothing
// follows for the tenant.
func (t *turn) concerns(c *usher.Case, ev *usher.Event) bool {
	tenant, changed := c.Refusal.Tenant, changeTargets(ev)
	ofTenant := tenant != "" && (ev.Tenant == tenant || slices.Contains(changed, tenant))
	switch ev.Change.Type {
	case "realm", "key":
		return ofTenant
	case "policy":
		if ofTenant && t.policed(c) {
			return true
		}
	}
	of := t.targets(c)
	return slices.ContainsFunc(changed, func(what string) bool { return slices.Contains(of, what) })
}

// policed tells whether a policy that is not known may be behind a case.
func (t *turn) policed(c *usher.Case) bool {
	return !refusing(&c.Refusal).Known() && c.Finding.Subject.Policy == "" && ruled(t.step(c))
}

// explain lists what was changed before the first try.
func (t *turn) explain(c *usher.Case) error {
	changes, err := t.tx.Changes(c.First.Add(-changeWindow), c.First)
	if err != nil {
		return err
	}
	c.Changed = nil
	for _, ev := range changes {
		if ev.Change != nil && ev.Status != usher.StatusFailure && t.concerns(c, ev) {
			addChange(c, ev)
		}
	}
	noteChanges(t, c)
	return nil
}

// addChange keeps the latest changes, the latest first.
func addChange(c *usher.Case, ev *usher.Event) bool {
	if slices.ContainsFunc(c.Changed, func(e usher.Event) bool { return e.UID == ev.UID }) {
		return false
	}
	c.Changed = append(c.Changed, *ev)
	slices.SortFunc(c.Changed, func(a, b usher.Event) int {
		return cmp.Or(b.Time.Compare(a.Time), strings.Compare(b.UID, a.UID))
	})
	if len(c.Changed) > maxChanged {
		c.Changed = c.Changed[:maxChanged]
		return slices.ContainsFunc(c.Changed, func(e usher.Event) bool { return e.UID == ev.UID })
	}
	return true
}

// noteChanges makes the timeline tell the changes that the case tells.
func noteChanges(t *turn, c *usher.Case) {
	c.Timeline = slices.DeleteFunc(c.Timeline, func(e usher.Entry) bool { return e.Kind == usher.EntryChange })
	for i := range slices.Backward(c.Changed) {
		ev := &c.Changed[i]
		note(c, usher.Entry{Time: ev.Time, Kind: usher.EntryChange, Text: upper(t.changeText(c, ev)) + ".", By: ev.Actor.String(), Event: ev.UID})
	}
}

// doubt takes a proof back when a late event shows that a rule was weakened
// between the last refusal and the success.
func (t *turn) doubt(c *usher.Case, ev *usher.Event) error {
	if c.State != usher.CaseFixed || c.Proven == nil {
		return nil
	}
	success := c.Proven.Event
	if !ev.Time.After(c.Last) || ev.Time.After(success.Time) || !t.loosens(c, ev) {
		return nil
	}
	for _, cand := range t.candidates(c) {
		if cand.fix.ID != c.Proven.Fix {
			continue
		}
		reason, err := t.weakened(c, cand, success.Time)
		if err != nil || reason == "" {
			return err
		}
		if err := move(c, actDoubt); err != nil {
			return err
		}
		t.noteUnproven(c, &success, reason)
		if err := t.save(c); err != nil {
			return err
		}
		return t.provenAlready(c) // by one before the change, perhaps
	}
	return nil
}
