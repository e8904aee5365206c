package casebook

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"usher"
	"usher/detect"
)

// followsFrom tells whether one cause is a consequence of another.
func (t *turn) followsFrom(cause, of string) bool {
	return cause != of && slices.Contains(t.opt.ConsequenceOf(cause), of)
}

// leads tells whether a cause may have consequences.
func (t *turn) leads(cause string) bool {
	return t.opt.HasConsequences == nil || t.opt.HasConsequences(cause)
}

// follows tells whether a case is a consequence of another: by cause, at the
// same tenant and client, of the same person where the cause lies there, and
// tried by nobody else.
func (t *turn) follows(c, of *usher.Case) (bool, error) {
	a, b := &c.Refusal, &of.Refusal
	if c == of || !failure(c) || !failure(of) || crowded(of) || a.Tenant != b.Tenant || !t.followsFrom(c.Finding.Cause, of.Finding.Cause) {
		return false, nil
	}
	if a.Connection() != b.Connection() || a.FaultyEndpoint() != "" || b.FaultyEndpoint() != "" {
		return false, nil // each connection has a token of its own, and a fault of an endpoint stands for itself
	}
	if p, q := refusing(a), refusing(b); p.Known() && q.Known() && !p.Is(q) {
		return false, nil // another policy refuses for reasons of its own
	}
	if redirects(t.cause(&c.Finding)) && redirects(t.cause(&of.Finding)) && (crowded(c) || !sameButScheme(a.OAuth.RedirectURI, b.OAuth.RedirectURI)) {
		return false, nil // another redirect URI, which is wrong or right for reasons of its own
	}
	return t.covered(c, of)
}

// failure tells whether a case is of refusals whose cause is known.
func failure(c *usher.Case) bool { return c.Kind == usher.CaseFailure && rank(&c.Finding) > 0 }

// redirects tells whether a cause lies with one redirect URI.
func redirects(cause usher.Cause) bool { return slices.Contains(scope(cause), "oauth.redirect_uri") }

// sameButScheme tells whether two redirect URIs are equal but for http and
// https.
func sameButScheme(a, b string) bool {
	_, a, ok := strings.Cut(a, "://")
	_, b, ok2 := strings.Cut(b, "://")
	return ok && ok2 && a != "" && a == b
}

// arrange puts the cases around one behind their causes, and takes out those
// that do not belong there any more. Where a case stands follows from the cases
// that there are and from who tried them, whichever of them came first.
func (t *turn) arrange(c *usher.Case) error {
	if !failure(c) {
		return nil
	}
	around, err := t.around(c)
	if err != nil {
		return err
	}
	causes := map[int64]*usher.Case{} // behind which each belongs
	for _, k := range around {
		if causes[k.ID], err = t.causeOf(k, around, causes); err != nil {
			return err
		}
	}
	for _, k := range around {
		if err := t.put(k, causes[k.ID]); err != nil {
			return err
		}
	}
	if c.Behind != 0 {
		return nil
	}
	for _, other := range around {
		if !ended(other, c) {
			continue
		}
		if ok, err := t.follows(c, other); err != nil || !ok {
			if err != nil {
				return err
			}
			continue
		}
		if err := t.hide(c, other); err != nil || c.Behind == 0 {
			return err
		}
		return t.await(c, other)
	}
	return nil
}

// around gives the cases that may have to do with one, itself among them, by id.
func (t *turn) around(c *usher.Case) ([]*usher.Case, error) {
	if c.Refusal.FaultyEndpoint() != "" {
		return []*usher.Case{c}, nil
	}
	cases, err := t.under(append(keysClient(&c.Refusal), keysUser(&c.Refusal)...)...)
	if err != nil {
		return nil, err
	}
	for _, id := range append(slices.Clone(c.Consequences), c.ID, c.Behind) {
		if id == 0 || slices.ContainsFunc(cases, func(k *usher.Case) bool { return k.ID == id }) {
			continue
		}
		k, err := t.get(id)
		if err != nil {
			return nil, err
		}
		if k != nil {
			cases = append(cases, k)
		}
	}
	slices.SortFunc(cases, func(a, b *usher.Case) int { return cmp.Compare(a.ID, b.ID) })
	return cases, nil
}

// causeOf gives the case behind which one belongs, or nil: of those from which
// it follows and that stand on their own, the one that began first.
func (t *turn) causeOf(c *usher.Case, around []*usher.Case, known map[int64]*usher.Case) (*usher.Case, error) {
	if cause, ok := known[c.ID]; ok {
		return cause, nil
	}
	if !failure(c) || !c.State.Active() || c.Behind == 0 && len(c.Runs) > 0 {
		return nil, nil
	}
	known[c.ID] = nil
	var best *usher.Case
	for _, of := range around {
		if !of.State.Active() || of.Behind != 0 && !slices.ContainsFunc(around, func(k *usher.Case) bool { return k.ID == of.Behind && holdsBack(k) }) {
			continue
		}
		ok, err := t.follows(c, of)
		if err != nil {
			return nil, err
		}
		if !ok || best != nil && !before(of.First, of.Fingerprint, best.First, best.Fingerprint) {
			continue
		}
		root, err := t.causeOf(of, around, known) // no cause follows from itself, so this ends
		if err != nil {
			return nil, err
		}
		if root == nil {
			best = of
		}
	}
	known[c.ID] = best
	return best, nil
}

// holdsBack tells whether a case is of those behind which others come and go.
func holdsBack(c *usher.Case) bool { return c.Kind == usher.CaseFailure && c.State.Active() }

// put puts a case behind another, or lets it stand on its own where that is
// nil. What stands behind a case that is closed, or behind an attack, stays.
func (t *turn) put(c, behind *usher.Case) error {
	if c.Behind != 0 {
		old, err := t.get(c.Behind)
		if err != nil {
			return err
		}
		if old == nil || old == behind || !holdsBack(old) {
			return nil
		}
		if behind == nil {
			text := fmt.Sprintf("It stands on its own: it does not follow from case %d any more.", old.ID)
			if t.followsFrom(c.Finding.Cause, old.Finding.Cause) {
				text = fmt.Sprintf("It stands on its own: others meet it than meet case %d.", old.ID)
			}
			note(c, usher.Entry{Time: t.now, Kind: usher.EntryConsequent, Text: text})
		}
		if err := t.detach(c); err != nil {
			return err
		}
		if behind == nil {
			return t.save(c)
		}
	}
	if behind == nil {
		return nil
	}
	return t.hide(c, behind)
}

// ended tells whether a cause was proven fixed after the last try of an open
// case: then its tries were only told late.
func ended(cause, c *usher.Case) bool {
	return cause.State == usher.CaseFixed && cause.Proven != nil && !c.Last.After(cause.Proven.Event.Time) &&
		(c.State == usher.CaseOpen || c.State == usher.CaseRegressed)
}

// hide puts a case behind another, together with what is hidden behind it.
func (t *turn) hide(c, behind *usher.Case) error {
	if c == behind || len(behind.Consequences) >= maxHidden {
		return nil
	}
	c.Behind = behind.ID
	attach(behind, c.ID)
	note(c, usher.Entry{Time: t.now, Kind: usher.EntryConsequent, Text: fmt.Sprintf("It is a consequence of case %d and stands behind it.", behind.ID)})
	note(behind, usher.Entry{Time: t.now, Kind: usher.EntryConsequent, Text: fmt.Sprintf("Case %d is a consequence of this one.", c.ID)})
	for _, id := range c.Consequences {
		other, err := t.get(id)
		if err != nil {
			return err
		}
		if other == nil || other == behind {
			continue
		}
		other.Behind = behind.ID
		attach(behind, id)
		if err := t.save(other); err != nil {
			return err
		}
	}
	c.Consequences = nil
	if err := t.save(c); err != nil {
		return err
	}
	return t.save(behind)
}

func attach(behind *usher.Case, id int64) {
	if at, found := slices.BinarySearch(behind.Consequences, id); !found {
		behind.Consequences = slices.Insert(behind.Consequences, at, id)
	}
}

// surface brings a case out from behind another that is closed, or is an attack,
// when a new try shows that it stands on its own: it goes on, or it is tried by
// others.
func (t *turn) surface(c *usher.Case, ev *usher.Event) error {
	if c.Behind == 0 {
		return nil
	}
	cause, err := t.get(c.Behind)
	if err != nil {
		return err
	}
	reason := ""
	switch {
	case cause == nil:
		reason = "What it stood behind is gone."
	case cause.Kind == usher.CaseAttack && slices.Contains(cause.Sources, detect.Source(ev.Source.IP)):
		return nil
	case cause.Kind == usher.CaseAttack:
		reason = fmt.Sprintf("It comes from elsewhere than the attack of case %d.", cause.ID)
	case cause.State.Active():
		return nil
	default:
		shared, err := t.covered(c, cause)
		if err != nil {
			return err
		}
		late := ev.UID != c.Refusal.UID || cause.State == usher.CaseFixed && cause.Proven != nil && !ev.Time.After(cause.Proven.Event.Time)
		switch {
		case !shared:
			reason = fmt.Sprintf("It stands on its own: others meet it than met case %d.", cause.ID)
		case late:
			return nil // from before the cause was closed
		default:
			reason = fmt.Sprintf("It goes on although case %d is %s.", cause.ID, cause.State)
		}
	}
	note(c, usher.Entry{Time: ev.Time, Kind: usher.EntryConsequent, Text: reason, Event: ev.UID})
	if c.State == usher.CaseVerifying && finished(c).IsZero() {
		if err := move(c, actRefused); err != nil {
			return err
		}
	}
	return t.detach(c)
}

// detach takes a case out from behind another.
func (t *turn) detach(c *usher.Case) error {
	if c.Behind == 0 {
		return nil
	}
	cause, err := t.get(c.Behind)
	c.Behind = 0
	if err != nil || cause == nil {
		return err
	}
	cause.Consequences = slices.DeleteFunc(cause.Consequences, func(id int64) bool { return id == c.ID })
	return t.save(cause)
}

// release makes the consequences of a case that was fixed wait for a success of
// their own. They stay behind it: if nothing comes any more, they fall quiet
// without a word.
func (t *turn) release(c *usher.Case) error {
	for _, id := range slices.Clone(c.Consequences) {
		k, err := t.get(id)
		if err != nil {
			return err
		}
		if k == nil || k.Kind != usher.CaseFailure || k.State != usher.CaseOpen && k.State != usher.CaseRegressed {
			continue
		}
		if c.Proven != nil && k.Last.After(c.Proven.Event.Time) { // it went on since, which came first
			note(k, usher.Entry{Time: t.now, Kind: usher.EntryConsequent, Text: fmt.Sprintf("It goes on although case %d is %s.", c.ID, c.State)})
			if err := t.detach(k); err != nil {
				return err
			}
			if err := t.save(k); err != nil {
				return err
			}
			continue
		}
		if err := t.await(k, c); err != nil {
			return err
		}
	}
	return nil
}

// await makes a consequence of a case that is fixed wait for its own proof.
func (t *turn) await(k, cause *usher.Case) error {
	if err := move(k, actAwait); err != nil {
		return err
	}
	note(k, usher.Entry{Time: t.now, Kind: usher.EntryState, Text: fmt.Sprintf("Its cause, case %d, is fixed: this one waits for its own proof.", cause.ID)})
	return t.save(k)
}
