package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"usher"
	"usher/casebook"
	"usher/console"
	"usher/fix"
	"usher/provider"
	"usher/store"
)

// plans remembers the plans that were shown and keeps two people from carrying
// out fixes of one case at the same time.
type plans struct {
	mu    sync.Mutex
	shown []usher.FixPlan // the latest last
	busy  map[int64]bool
}

// maxPlans bounds the plans that are remembered; one that is forgotten is made
// again and compared by its id.
const maxPlans = 200

func (p *plans) add(plan usher.FixPlan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = append(p.shown, plan)
	if n := len(p.shown) - maxPlans; n > 0 {
		p.shown = slices.Delete(p.shown, 0, n)
	}
}

func (p *plans) find(id string) (usher.FixPlan, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.shown) - 1; i >= 0; i-- {
		if p.shown[i].ID == id {
			return p.shown[i], true
		}
	}
	return usher.FixPlan{}, false
}

// take makes a case busy; release ends that.
func (p *plans) take(id int64) (release func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy[id] {
		return nil, &usher.Error{Code: console.CodeConflict, Message: fmt.Sprintf("somebody is carrying out a fix of case %d just now", id), Hint: "look at the case again in a moment"}
	}
	if p.busy == nil {
		p.busy = map[int64]bool{}
	}
	p.busy[id] = true
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.busy, id)
	}, nil
}

// List implements console.Cases.
func (e *Engine) List(ctx context.Context, f console.Filter) (cases []usher.Case, err error) {
	err = e.store.View(ctx, func(tx *store.Tx) (err error) {
		list, err := tx.Cases(store.CaseFilter{
			States: f.States, Client: f.Client, Active: len(f.States) == 0 && !f.All, Hidden: f.All || len(f.States) > 0, Limit: f.Limit,
		})
		cases = list
		return err
	})
	if err != nil {
		return nil, unavailable(err)
	}
	cases = slices.DeleteFunc(cases, func(c usher.Case) bool { return !f.Match(&c) })
	return cases, nil
}

// Case implements console.Cases.
func (e *Engine) Case(ctx context.Context, id int64) (c *usher.Case, err error) {
	err = e.store.View(ctx, func(tx *store.Tx) (err error) {
		c, err = tx.Case(id)
		return err
	})
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return nil, unavailable(err)
	case err != nil || c == nil:
		return nil, &usher.Error{Code: usher.ErrNotFound, Message: fmt.Sprintf("there is no case %d", id), Hint: "usher cases list --all shows every case"}
	}
	return c, nil
}

// unavailable says that the store does not answer; what is an answer already
// stays as it is.
func unavailable(err error) error {
	var known *usher.Error
	if errors.As(err, &known) && !storeTrouble(err) {
		return err
	}
	return &usher.Error{Code: console.CodeUnavailable, Message: "the cases cannot be read or kept now", Err: err, Hint: "the server's log says more; try again"}
}

// Plan implements console.Cases.
func (e *Engine) Plan(ctx context.Context, id int64, fixID, by string) (usher.FixPlan, error) {
	c, err := e.Case(ctx, id)
	if err != nil {
		return usher.FixPlan{}, err
	}
	plan, err := e.fixer.Plan(ctx, c, fixID)
	if err != nil {
		return usher.FixPlan{}, answer(err)
	}
	e.plans.add(plan)
	_, err = e.update(ctx, func(tx *store.Tx) ([]*usher.Case, error) { return e.book.Planned(tx, id, plan, by) })
	if err != nil {
		return usher.FixPlan{}, unavailable(err)
	}
	return plan, nil
}

// applyTimeout bounds the carrying out of a fix. It does not end with the
// request: what is begun is brought to an end.
const applyTimeout = time.Minute

// Apply implements console.Cases.
func (e *Engine) Apply(ctx context.Context, id int64, confirm console.Confirm, by string) (console.Applied, error) {
	release, err := e.takeFix(ctx, id)
	if err != nil {
		return console.Applied{}, err
	}
	defer release()
	c, err := e.Case(ctx, id)
	if err != nil {
		return console.Applied{}, err
	}
	plan, err := e.confirmed(ctx, c, confirm)
	if err != nil {
		return console.Applied{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyTimeout)
	defer cancel()
	changed, err := e.update(ctx, func(tx *store.Tx) ([]*usher.Case, error) { return e.book.Applying(tx, id, plan, by) })
	if err != nil {
		return console.Applied{}, unavailable(err)
	}
	run, err := lastRun(changed, id)
	if err != nil {
		return console.Applied{}, err
	}
	return e.carryOut(ctx, id, run, confirm)
}

// confirmed gives the plan that was shown, if it may be carried out.
func (e *Engine) confirmed(ctx context.Context, c *usher.Case, confirm console.Confirm) (usher.FixPlan, error) {
	plan, ok := e.plans.find(confirm.Plan)
	if !ok || plan.Case != c.ID {
		var err error
		if plan, err = e.fixer.Plan(ctx, c, confirm.Fix); err != nil {
			return plan, answer(err)
		}
		if plan.ID != confirm.Plan {
			return plan, &usher.Error{Code: usher.ErrChanged, Message: "what the fix would do has changed since you looked", Hint: "look at the difference again and confirm that"}
		}
	}
	if confirm.Fix != "" && plan.Fix.ID != confirm.Fix {
		return plan, &usher.Error{Code: usher.ErrChanged, Message: "the plan belongs to another fix of the case", Hint: "look at the difference again and confirm that"}
	}
	if len(plan.Weakens) > 0 && !confirm.Weaken {
		return plan, &usher.Error{Code: usher.ErrRefused, Message: "the fix would weaken security: " + plan.Weakens[0], Hint: "say so twice if you mean it: usher cases fix N --weaken"}
	}
	return plan, nil
}

func lastRun(changed []*usher.Case, id int64) (usher.FixRun, error) {
	for _, c := range changed {
		if c.ID == id && len(c.Runs) > 0 {
			return c.Runs[len(c.Runs)-1], nil
		}
	}
	return usher.FixRun{}, &usher.Error{Code: usher.ErrInternal, Message: "the run was not noted"}
}

// carryOut does what a run says, and notes how it ended.
func (e *Engine) carryOut(ctx context.Context, id int64, run usher.FixRun, confirm console.Confirm) (console.Applied, error) {
	defer e.forgetClient(run)
	result, err := e.fixer.Apply(ctx, run.Plan, fix.Confirm{Plan: confirm.Plan, Weaken: confirm.Weaken})
	if errors.Is(err, provider.ErrUnreachable) {
		// Whether it was done is not known: look, now or when the provider answers.
		e.background(e.resume)
		return console.Applied{}, answer(err)
	}
	if err != nil {
		reason := err.Error()
		if _, uerr := e.update(ctx, func(tx *store.Tx) ([]*usher.Case, error) { return e.book.Failed(tx, id, run.ID, reason) }); uerr != nil {
			e.log.Error("a failed fix is not noted", "case", id, "error", uerr)
		}
		return console.Applied{}, answer(err)
	}
	changed, err := e.update(ctx, func(tx *store.Tx) ([]*usher.Case, error) {
		return e.book.Applied(tx, id, run.ID, result.Plan)
	})
	if err != nil {
		// It is done and not noted: the next start looks at the provider and notes it.
		e.background(e.resume)
		return console.Applied{Run: run, Secret: result.Secret}, unavailable(err)
	}
	return console.Applied{Run: runOf(changed, id, run.ID, run), Secret: result.Secret}, nil
}

func (e *Engine) forgetClient(run usher.FixRun) {
	a := run.Plan.Fix.Action
	if a == nil {
		return
	}
	if p := e.byName[a.Provider]; p != nil && p.regs != nil {
		p.regs.forget(a.Client)
		p.regs.ask(a.Client)
	}
}

// Undo implements console.Cases.
func (e *Engine) Undo(ctx context.Context, id int64, runID, by string) (usher.FixRun, error) {
	release, err := e.takeFix(ctx, id)
	if err != nil {
		return usher.FixRun{}, err
	}
	defer release()
	c, err := e.Case(ctx, id)
	if err != nil {
		return usher.FixRun{}, err
	}
	i := slices.IndexFunc(c.Runs, func(r usher.FixRun) bool { return r.ID == runID })
	if i < 0 {
		return usher.FixRun{}, &usher.Error{Code: usher.ErrNotFound, Message: fmt.Sprintf("case %d has no run %q", id, runID), Hint: "usher cases show lists its runs"}
	}
	if c.Runs[i].State != usher.RunApplied {
		return usher.FixRun{}, &usher.Error{Code: console.CodeConflict, Message: fmt.Sprintf("run %s is %s: there is nothing to take back", runID, c.Runs[i].State)}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyTimeout)
	defer cancel()
	defer e.forgetClient(c.Runs[i])
	if err := e.fixer.Undo(ctx, c.Runs[i]); err != nil {
		return usher.FixRun{}, answer(err)
	}
	changed, err := e.update(ctx, func(tx *store.Tx) ([]*usher.Case, error) { return e.book.Undone(tx, id, runID, by) })
	if err != nil {
		return usher.FixRun{}, unavailable(err)
	}
	return runOf(changed, id, runID, c.Runs[i]), nil
}

func runOf(changed []*usher.Case, id int64, runID string, otherwise usher.FixRun) usher.FixRun {
	for _, c := range changed {
		for i := range c.Runs {
			if c.ID == id && c.Runs[i].ID == runID {
				return c.Runs[i]
			}
		}
	}
	return otherwise
}

// Declare implements console.Cases.
func (e *Engine) Declare(ctx context.Context, id int64, d console.Declaration, by string) (usher.FixRun, error) {
	changed, err := e.update(ctx, func(tx *store.Tx) ([]*usher.Case, error) { return e.book.Declare(tx, id, d.Fix, by, d.Reason) })
	if err != nil {
		return usher.FixRun{}, unavailable(err)
	}
	return lastRun(changed, id)
}

// Intend implements console.Cases.
func (e *Engine) Intend(ctx context.Context, id int64, in console.Intent, by string) (*usher.Case, error) {
	return e.one(ctx, id, func(tx *store.Tx) ([]*usher.Case, error) {
		return e.book.Intend(tx, id, casebook.Intent{Owner: in.Owner, Reason: in.Reason, Expires: in.Expires, By: by})
	})
}

// Reopen implements console.Cases.
func (e *Engine) Reopen(ctx context.Context, id int64, by string) (*usher.Case, error) {
	return e.one(ctx, id, func(tx *store.Tx) ([]*usher.Case, error) { return e.book.Reopen(tx, id, by) })
}

// one runs a change of one case and gives the case as it is then.
func (e *Engine) one(ctx context.Context, id int64, f func(*store.Tx) ([]*usher.Case, error)) (*usher.Case, error) {
	if _, err := e.update(ctx, f); err != nil {
		return nil, unavailable(err)
	}
	return e.Case(ctx, id)
}

// Subscribe implements console.Cases.
func (e *Engine) Subscribe(ctx context.Context) <-chan console.Change { return e.subs.subscribe(ctx) }

// resume makes good what was left in the middle: runs whose fix may or may not
// have been carried out. It asks until the provider answers.
func (e *Engine) resume(ctx context.Context) {
	wait := time.Second
	for {
		left, err := e.resumeOnce(ctx)
		if err != nil && ctx.Err() == nil {
			e.log.Warn("a fix that was under way is not looked at yet", "error", err)
		}
		if left == 0 && err == nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, time.Minute)
	}
}

// resumeOnce looks once at every run that is under way, and gives how many stay
// so. One that somebody carries out just now is left alone and looked at again:
// it may end without an answer.
func (e *Engine) resumeOnce(ctx context.Context) (left int, err error) {
	var cases []*usher.Case
	err = e.store.View(ctx, func(tx *store.Tx) (err error) {
		cases, err = e.book.UnderWay(tx)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, c := range cases {
		for _, run := range c.Runs {
			if run.State != usher.RunApplying {
				continue
			}
			release, busy := e.takeFix(ctx, c.ID)
			if busy != nil {
				left++
				continue
			}
			if rerr := e.resumeRun(ctx, c.ID, run); rerr != nil {
				left++
				err = rerr
			}
			release()
		}
	}
	return left, err
}

func (e *Engine) resumeRun(ctx context.Context, id int64, run usher.FixRun) error {
	ctx, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	applied, note, err := e.fixer.Resume(ctx, run)
	if errors.Is(err, provider.ErrUnreachable) {
		return err
	}
	if err != nil {
		note = err.Error()
	}
	_, uerr := e.update(ctx, func(tx *store.Tx) ([]*usher.Case, error) {
		c, err := tx.Case(id)
		if err != nil || c == nil || !slices.ContainsFunc(c.Runs, func(r usher.FixRun) bool { return r.ID == run.ID && r.State == usher.RunApplying }) {
			return nil, err // it has come to an end meanwhile
		}
		if applied {
			return e.book.Applied(tx, id, run.ID, run.Plan)
		}
		return e.book.Failed(tx, id, run.ID, note)
	})
	if uerr == nil {
		e.log.Info("a fix that was under way was looked at", "case", id, "run", run.ID, "applied", applied, "note", note)
		e.forgetClient(run)
	}
	return uerr
}

// answer gives an error of the provider or of a fix the code that tells what
// kind it is; its words stay.
func answer(err error) error {
	code := ""
	switch {
	case errors.Is(err, fix.ErrStale), errors.Is(err, provider.ErrChanged):
		code = usher.ErrChanged
	case errors.Is(err, provider.ErrForbidden):
		code = usher.ErrForbidden
	case errors.Is(err, provider.ErrUnsupported):
		code = usher.ErrRefused
	case errors.Is(err, provider.ErrUnreachable), errors.Is(err, context.DeadlineExceeded):
		code = usher.ErrUnreachable
	case errors.Is(err, provider.ErrNotFound):
		code = usher.ErrNotFound
	}
	var known *usher.Error
	switch {
	case errors.As(err, &known):
		return known
	case code == "":
		return err
	}
	return &usher.Error{Code: code, Message: err.Error()}
}
