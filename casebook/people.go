package casebook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"usher"
)

// maxRuns is how many fixes of one case are kept.
const maxRuns = 100

// Planned notes that somebody looked at what a fix would change. That is no act:
// the case stays as it is, and a further look of the same person is not noted.
func (b *Book) Planned(tx Tx, id int64, plan usher.FixPlan, by string) ([]*usher.Case, error) {
	t := b.turn(tx)
	c, err := t.find(id)
	if err != nil {
		return nil, err
	}
	if err := move(c, actPlan); err != nil {
		return nil, err
	}
	look := usher.Entry{Time: t.now, Kind: usher.EntryPlanned, Text: "Looked at what a fix would change: " + said(plan.Fix.Title, 300) + ".", By: by}
	if slices.ContainsFunc(c.Timeline, func(e usher.Entry) bool { return e.Kind == look.Kind && e.Text == look.Text && e.By == by }) {
		return nil, nil
	}
	note(c, look)
	return t.done(t.save(c))
}

// Applying notes that a plan is about to be carried out, before the provider is
// asked. The run is the last of the case's Runs.
func (b *Book) Applying(tx Tx, id int64, plan usher.FixPlan, by string) ([]*usher.Case, error) {
	return b.change(tx, id, actApply, func(t *turn, c *usher.Case) error {
		if plan.Case != id {
			return &usher.Error{
				Code: usher.ErrUsage, Message: fmt.Sprintf("the plan belongs to case %d, not to case %d", plan.Case, id),
				Hint: "plan the fix of this case",
			}
		}
		if applying(c) {
			return &usher.Error{
				Code: usher.ErrUsage, Message: fmt.Sprintf("a fix of case %d is being carried out", id),
				Hint: "wait until it has ended",
			}
		}
		return t.run(c, usher.FixRun{Plan: plan, State: usher.RunApplying, By: by, Started: t.now})
	})
}

// UnderWay gives the cases of which a fix is being carried out, or was when the
// process ended.
func (b *Book) UnderWay(tx Tx) ([]*usher.Case, error) { return tx.CasesUnder(keyUnderWay) }

// Applied notes that a run was carried out, and the plan as it was carried out:
// what was so already is not in it, so that it is not taken back later. The case
// waits for its proof. It is the same as often as it is said.
func (b *Book) Applied(tx Tx, id int64, run string, plan usher.FixPlan) ([]*usher.Case, error) {
	return b.ended(tx, id, run, actApplied, usher.RunApplied, func(t *turn, r *usher.FixRun) usher.Entry {
		r.Finished, r.Plan = t.now, plan
		return usher.Entry{Kind: usher.EntryApplied, Text: "The fix was carried out: " + said(r.Plan.Fix.Title, 300) + ".", By: r.By}
	})
}

// Failed notes that a run could not be carried out, and why.
func (b *Book) Failed(tx Tx, id int64, run, reason string) ([]*usher.Case, error) {
	return b.ended(tx, id, run, actFail, usher.RunFailed, func(t *turn, r *usher.FixRun) usher.Entry {
		r.Finished, r.Error = t.now, clip(reason, 500)
		return usher.Entry{Kind: usher.EntryFailed, Text: "The fix could not be carried out: " + usher.EscapeValue(strings.TrimRight(r.Error, ".")) + ".", By: r.By}
	})
}

// ended ends a run that is being carried out.
func (b *Book) ended(tx Tx, id int64, run string, a act, state usher.RunState, end func(*turn, *usher.FixRun) usher.Entry) ([]*usher.Case, error) {
	t := b.turn(tx)
	c, err := t.find(id)
	if err != nil {
		return nil, err
	}
	r, err := runOf(c, run)
	if err != nil {
		return nil, err
	}
	switch r.State {
	case state:
		return nil, nil
	case usher.RunApplying:
	default:
		return nil, notSo(c, r)
	}
	if err := move(c, a); err != nil {
		return nil, err
	}
	r.State = state
	e := end(t, r)
	e.Time = t.now
	note(c, e)
	return t.done(t.save(c))
}

// Undone notes that a run was taken back; the case is open again.
func (b *Book) Undone(tx Tx, id int64, run, by string) ([]*usher.Case, error) {
	return b.change(tx, id, actUndo, func(t *turn, c *usher.Case) error {
		r, err := runOf(c, run)
		if err != nil {
			return err
		}
		if !undoable(*r) {
			return notSo(c, r)
		}
		r.State = usher.RunUndone
		note(c, usher.Entry{Time: t.now, Kind: usher.EntryUndone, Text: "The fix was taken back: " + said(r.Plan.Fix.Title, 300) + ".", By: by})
		return nil
	})
}

// Declare notes that a person says that a fix is done, by the id of the Fix;
// the case waits for its proof. An attack needs a reason, because nothing else
// speaks for it.
func (b *Book) Declare(tx Tx, id int64, fix, by, reason string) ([]*usher.Case, error) {
	return b.change(tx, id, actDeclare, func(t *turn, c *usher.Case) error {
		i := slices.IndexFunc(c.Fixes, func(f usher.Fix) bool { return f.ID == fix })
		if i < 0 {
			return &usher.Error{Code: usher.ErrNotFound, Message: fmt.Sprintf("case %d has no fix %q", id, clip(fix, 40)), Hint: "usher cases show " + strconv.FormatInt(id, 10) + " lists its fixes"}
		}
		if c.Kind == usher.CaseAttack && strings.TrimSpace(reason) == "" {
			return &usher.Error{
				Code: usher.ErrUsage, Message: fmt.Sprintf("case %d is an attack: declaring it ended needs a reason", id),
				Hint: "say what was done and by whom: the password of which user, which sessions, which addresses",
			}
		}
		f := c.Fixes[i]
		text := "Declared as done: " + said(f.Title, 300) + "."
		if reason != "" {
			text += " " + said(reason, 300)
		}
		err := t.run(c, usher.FixRun{Plan: usher.FixPlan{Case: id, Fix: f, Made: t.now}, State: usher.RunDeclared, By: by, Started: t.now, Finished: t.now})
		note(c, usher.Entry{Time: t.now, Kind: usher.EntryApplied, Text: text, By: by})
		return err
	})
}

// Intend notes that the refusals of a case are right, until a day.
func (b *Book) Intend(tx Tx, id int64, in Intent) ([]*usher.Case, error) {
	return b.change(tx, id, actIntend, func(t *turn, c *usher.Case) error {
		switch {
		case strings.TrimSpace(in.Owner) == "":
			return &usher.Error{Code: usher.ErrUsage, Message: "an intended refusal needs an owner", Hint: "name who answers for it"}
		case strings.TrimSpace(in.Reason) == "":
			return &usher.Error{Code: usher.ErrUsage, Message: "an intended refusal needs a reason", Hint: "say why it is right"}
		case !in.Expires.After(t.now):
			return &usher.Error{Code: usher.ErrUsage, Message: "an intended refusal needs a day in the future on which it is asked again", Hint: "give a day within the next year"}
		}
		c.Owner, c.Reason, c.Expires = clip(in.Owner, 200), clip(in.Reason, 1000), in.Expires.UTC()
		by := in.By
		if by == "" {
			by = c.Owner
		}
		note(c, usher.Entry{Time: t.now, Kind: usher.EntryState, Text: "Intended until " + t.day(c.Expires) + ", owner " + usher.EscapeValue(c.Owner) + ": " + usher.EscapeValue(c.Reason), By: by})
		return nil
	})
}

// Reopen notes that a person wants a case to be open again.
func (b *Book) Reopen(tx Tx, id int64, by string) ([]*usher.Case, error) {
	return b.change(tx, id, actReopen, func(t *turn, c *usher.Case) error {
		if applying(c) {
			return &usher.Error{Code: usher.ErrUsage, Message: fmt.Sprintf("a fix of case %d is being carried out", id), Hint: "wait until it has ended"}
		}
		note(c, usher.Entry{Time: t.now, Kind: usher.EntryState, Text: "The case was opened again.", By: by})
		return nil
	})
}

// change does an act of a person to a case. The act is checked before anything
// is written into the case, and done before it is saved.
func (b *Book) change(tx Tx, id int64, a act, write func(*turn, *usher.Case) error) ([]*usher.Case, error) {
	t := b.turn(tx)
	c, err := t.find(id)
	if err != nil {
		return nil, err
	}
	if err := move(c, a); err != nil {
		return nil, err
	}
	if err := write(t, c); err != nil {
		return nil, err
	}
	return t.done(t.save(c))
}

// run adds a run to a case.
func (t *turn) run(c *usher.Case, r usher.FixRun) error {
	if len(c.Runs) >= maxRuns {
		return &usher.Error{Code: usher.ErrTooLarge, Message: fmt.Sprintf("case %d had %d fixes already", c.ID, maxRuns), Hint: "look for its cause by hand"}
	}
	r.ID = strconv.Itoa(len(c.Runs) + 1)
	c.Runs = append(c.Runs, r)
	return nil
}

func runOf(c *usher.Case, id string) (*usher.FixRun, error) {
	for i := range c.Runs {
		if c.Runs[i].ID == id {
			return &c.Runs[i], nil
		}
	}
	return nil, &usher.Error{
		Code: usher.ErrNotFound, Message: fmt.Sprintf("case %d has no run %q of a fix", c.ID, clip(id, 40)),
		Hint: "usher cases show " + strconv.FormatInt(c.ID, 10) + " lists what was carried out",
	}
}

func notSo(c *usher.Case, r *usher.FixRun) error {
	return &usher.Error{
		Code: usher.ErrUsage, Message: fmt.Sprintf("run %s of case %d is %s", r.ID, c.ID, r.State),
		Hint: "only a run that is being carried out can end, and only one that was carried out can be undone",
	}
}
