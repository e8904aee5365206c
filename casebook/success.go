package casebook

import (
	"slices"

	"usher"
)

// Success takes a success: it may prove a case, escalate an attack or neither.
// What an attacker succeeds in proves nothing.
func (b *Book) Success(tx Tx, ev *usher.Event) ([]*usher.Case, error) {
	if !proves(ev) {
		return nil, nil
	}
	t := b.turn(tx)
	ev = t.bounded(ev)
	attack, err := t.attackFrom(ev)
	if err != nil {
		return nil, err
	}
	if attack != nil {
		return t.done(t.gotIn(attack, ev, ""))
	}
	keys := append(keysClient(ev), keysUser(ev)...)
	keys = append(keys, keyTenant(ev.Tenant))
	if id := ev.Connection(); id != "" {
		keys = append(keys, keyConnection(id))
	}
	if at := ev.TokenEndpoint(); at != "" {
		keys = append(keys, keyEndpoint(at))
	}
	cases, err := t.under(keys...)
	if err != nil {
		return nil, err
	}
	for _, c := range cases {
		if c.Kind != usher.CaseFailure {
			continue
		}
		if err := t.succeed(c, ev); err != nil {
			return nil, err
		}
	}
	return t.changed, nil
}

// proves tells whether an event is a success of the kind that can prove
// anything: somebody got in or got a token, or a token was taken.
func proves(ev *usher.Event) bool {
	if ev.Status != usher.StatusSuccess || ev.Interrupted {
		return false
	}
	switch ev.Kind {
	case usher.EventAdmin, usher.EventConsent, usher.EventOther:
		return false
	}
	return true
}

// succeed holds a success against a case: it is fixed, or the reason why it is
// not is written down, or the success has nothing to do with it.
func (t *turn) succeed(c *usher.Case, ev *usher.Event) error {
	if !can(c, actProof) {
		return nil
	}
	reason := ""
	list := t.candidates(c)
	for _, cand := range list {
		v, err := t.judge(c, cand, ev)
		if err != nil {
			return err
		}
		if v.holds {
			return t.prove(c, cand, ev, v.fields)
		}
		if reason == "" && (cand.run != nil || list[0].run == nil || v.suspect) { // of what was carried out, where anything was
			reason = v.near
		}
	}
	if reason == "" || ev.Time.Before(c.First) {
		return nil
	}
	if told, err := t.sameSignIn(c, ev); err != nil || told || !t.noteUnproven(c, ev, reason) {
		return err
	}
	return t.save(c)
}

// sameSignIn tells whether it was said already of another record of the same
// sign-in that it proves nothing: a provider writes one when the person is in
// and one when the app fetches the tokens.
func (t *turn) sameSignIn(c *usher.Case, ev *usher.Event) (bool, error) {
	if ev.Session == "" && ev.Correlation == "" {
		return false, nil
	}
	for i := range c.Timeline {
		e := &c.Timeline[i]
		if e.Kind != usher.EntryUnproven || e.Event == "" {
			continue
		}
		other, err := t.tx.Event(e.Event)
		if err != nil {
			return false, err
		}
		if other != nil && other.Tenant == ev.Tenant && other.Client.Is(ev.Client) &&
			(ev.Session != "" && ev.Session == other.Session || ev.Correlation != "" && ev.Correlation == other.Correlation) {
			return true, nil
		}
	}
	return false, nil
}

// prove makes a case fixed.
func (t *turn) prove(c *usher.Case, cand candidate, ev *usher.Event, fields []usher.Comparison) error {
	if err := move(c, actProof); err != nil {
		return err
	}
	c.Proven = &usher.Proven{Fix: cand.fix.ID, Event: *ev, Fields: fields, At: t.now, Comment: t.proofComment(c, cand, ev)}
	note(c, usher.Entry{Time: ev.Time, Kind: usher.EntryProven, Text: c.Proven.Comment, Event: ev.UID})
	if err := t.detach(c); err != nil {
		return err
	}
	if err := t.release(c); err != nil {
		return err
	}
	return t.save(c)
}

// candidate is one fix whose proof a success may be.
type candidate struct {
	fix *usher.Fix
	run *usher.FixRun // nil: nobody carried it out
}

// candidates lists the fixes of a case whose proof may come: first those that
// were carried out, the latest first, then the others in their order.
func (t *turn) candidates(c *usher.Case) (list []candidate) {
	if crowded(c) {
		return nil // it holds many things: no one success speaks for all
	}
	var ran []string
	for i := range slices.Backward(c.Runs) {
		if r := &c.Runs[i]; done(r) {
			list = append(list, candidate{&r.Plan.Fix, r})
			ran = append(ran, r.Plan.Fix.ID)
		}
	}
	for i := range c.Fixes {
		if f := &c.Fixes[i]; !slices.Contains(ran, f.ID) {
			list = append(list, candidate{f, nil})
		}
	}
	return list
}
