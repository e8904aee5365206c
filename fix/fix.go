// Package fix carries out what usher may repair: plan (the exact difference), apply (idempotent), undo, prove.
//
// Propose says what could be done, Plan what exactly that would change now, and
// Apply does it when a person has confirmed that very plan. What is asked for
// in a log line was written by whoever sent the request, so it is judged before
// it is ever proposed: see JudgeRedirect and JudgeScope.
package fix

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"usher"
	"usher/provider"
)

// Options of a Fixer.
type Options struct {
	Admins map[string]provider.Admin // by the name of the provider in the configuration
	Now    func() time.Time          // nil is time.Now
}

// Fixer plans, applies and undoes fixes. It is safe for concurrent use and
// keeps nothing: what must survive a crash is in the plan and in the run.
type Fixer struct{ opt Options }

// New makes a Fixer.
func New(opt Options) *Fixer {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Fixer{opt}
}

// Confirm is what a person says to a plan.
type Confirm struct {
	Plan   string // FixPlan.ID that was shown
	Weaken bool   // yes, although it weakens
}

// Result is what an Apply did.
type Result struct {
	// Plan is the plan as it was carried out; its Diff is empty when it was so
	// already. Store this one in the run: Undo takes back what it says.
	Plan    usher.FixPlan
	Already bool         // nothing was to do
	Secret  usher.Secret // of replace-secret: show it once, never store it
}

// ErrStale tells that the plan is not what would be done now.
var ErrStale = errors.New("changed since you looked")

// Plan reads the provider and gives the exact difference that a fix of the case
// would make there. Nothing is written. Errors are of the provider, or an
// *usher.Error of the code refused for what usher never does.
func (f *Fixer) Plan(ctx context.Context, c *usher.Case, fixID string) (usher.FixPlan, error) {
	i := slices.IndexFunc(c.Fixes, func(x usher.Fix) bool { return x.ID == fixID })
	if i < 0 {
		return usher.FixPlan{}, &usher.Error{
			Code: usher.ErrNotFound, Message: fmt.Sprintf("case %d has no fix %q", c.ID, clip(fixID)),
			Hint: fmt.Sprintf("usher cases show %d lists its fixes", c.ID),
		}
	}
	if c.Fixes[i].Action == nil {
		return usher.FixPlan{}, &usher.Error{
			Code: usher.ErrUsage, Message: fmt.Sprintf("fix %s of case %d is for a person, usher cannot carry it out", fixID, c.ID),
			Hint: "do what its steps say, and tell usher that it is done",
		}
	}
	s, err := f.survey(ctx, c.ID, c.Fixes[i], onPurpose(c, c.Fixes[i].Action.Kind))
	if err != nil {
		return usher.FixPlan{}, err
	}
	return s.plan, nil
}

// Apply carries out a plan that was confirmed. It looks again first: it gives
// ErrStale when what would be done now is not what was confirmed, and does
// nothing (and says so) when it is so already. A provider.ErrUnreachable leaves
// open whether it was done: ask Resume.
func (f *Fixer) Apply(ctx context.Context, plan usher.FixPlan, confirm Confirm) (Result, error) {
	if plan.Fix.Action == nil || plan.ID == "" {
		return Result{}, &usher.Error{Code: usher.ErrUsage, Message: "the plan holds nothing that usher could do", Hint: "plan a fix that has an action"}
	}
	if confirm.Plan != plan.ID {
		return Result{}, stale("the plan that was confirmed is another one than this")
	}
	// The reasons that come from the case are not seen at the provider; they
	// stay as they were.
	s, err := f.survey(ctx, plan.Case, plan.Fix, plan.Weakens)
	if err != nil {
		return Result{}, err
	}
	s.plan.Made = plan.Made
	if len(s.plan.Diff) == 0 {
		return Result{Plan: s.plan, Already: true}, nil
	}
	if s.plan.ID != plan.ID {
		return Result{}, stale("what the fix would do at " + s.plan.Object)
	}
	if len(s.plan.Weakens) > 0 && !confirm.Weaken {
		return Result{}, &usher.Error{
			Code: usher.ErrRefused, Message: "the fix would weaken security: " + s.plan.Weakens[0],
			Hint: "look for another fix of the case; if it has to be this one, say so twice (--weaken)",
		}
	}
	secret, err := s.write(ctx)
	if err != nil {
		return Result{}, err
	}
	return Result{Plan: s.plan, Secret: secret}, nil
}

func stale(what string) error {
	return &usher.Error{
		Code: usher.ErrChanged, Message: what + " has changed since you looked", Err: quiet{errors.Join(ErrStale, provider.ErrChanged)},
		Hint: "plan the fix again and look at the difference",
	}
}

// quiet keeps errors for errors.Is without repeating them to a person.
type quiet struct{ err error }

func (q quiet) Error() string { return "" }
func (q quiet) Unwrap() error { return q.err }

// Resume looks at the provider after a crash in the middle of Apply: was the
// plan of the run carried out? The note says what was seen, for a person.
func (f *Fixer) Resume(ctx context.Context, run usher.FixRun) (applied bool, note string, err error) {
	if len(run.Plan.Diff) == 0 {
		return true, "nothing was to do", nil
	}
	admin, err := f.admin(run.Plan.Fix.Action)
	if err != nil {
		return false, "", err
	}
	c, err := admin.Client(ctx, run.Plan.Fix.Action.Client)
	if errors.Is(err, provider.ErrNotFound) {
		return false, "the client is gone", nil
	}
	if err != nil {
		return false, "", err
	}
	if run.Plan.Fix.Action.Kind == usher.ActionReplaceSecret {
		if secretName(c) == run.Plan.Diff[0].From {
			return false, "the secret is still the old one", nil
		}
		return true, "the secret was replaced, but usher was interrupted before it could show the new one: read it at the provider, or replace it once more", nil
	}
	if reached(run.Plan.Fix.Action, c) {
		return true, "the provider shows that it was done", nil
	}
	return false, "the provider shows that it was not done", nil
}

// Undo takes back exactly what a run did, and nothing that others did since. Is
// it taken back already, there is no error; was the same thing changed
// otherwise since, it gives provider.ErrChanged. What cannot be taken back is
// refused with the reason.
func (f *Fixer) Undo(ctx context.Context, run usher.FixRun) error {
	a := run.Plan.Fix.Action
	admin, err := f.admin(a)
	if err != nil {
		return err
	}
	if len(run.Plan.Diff) == 0 {
		return nil // it was so already: it is not ours to take back
	}
	if a.Kind == usher.ActionReplaceSecret {
		return &usher.Error{
			Code: usher.ErrRefused, Message: "a secret that was replaced cannot be taken back: the provider has thrown the old one away", Err: quiet{provider.ErrUnsupported},
			Hint: "replace it once more if the new one is known to the wrong people",
		}
	}
	switch a.Kind {
	case usher.ActionAllowScope:
		return admin.DisallowScope(ctx, a.Client, a.Scope)
	case usher.ActionEnableClient:
		return admin.SetEnabled(ctx, a.Client, false)
	}
	c, err := admin.Client(ctx, a.Client)
	if err != nil {
		return err
	}
	back, err := redirectsBack(run.Plan.Diff, c.RedirectURIs)
	if err != nil || back == nil {
		return err
	}
	return admin.SetRedirectURIs(ctx, a.Client, c.RedirectURIs, back)
}

// redirectsBack gives the list without what was added and with what was taken
// out; nil when it is so already.
func redirectsBack(diff []usher.Difference, now []string) ([]string, error) {
	back := slices.Clone(now)
	gone, missing := 0, 0
	for _, d := range diff {
		if d.To != "" {
			i := slices.Index(back, d.To)
			if i < 0 {
				gone++
				continue
			}
			back = slices.Delete(back, i, i+1)
		}
	}
	for _, d := range diff {
		if d.From != "" && !slices.Contains(back, d.From) {
			back = append(back, d.From)
			missing++
		}
	}
	switch {
	case gone > 0 && missing == 0:
		return nil, nil
	case gone > 0:
		return nil, stale("the list of redirect URIs (what usher added is no longer there, and what it took out is not back)")
	}
	if back == nil {
		back = []string{}
	}
	return back, nil
}

// admin gives the admin API that an action is for.
func (f *Fixer) admin(a *usher.Action) (provider.Admin, error) {
	if a == nil {
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "the fix is for a person, usher cannot carry it out"}
	}
	admin := f.opt.Admins[a.Provider]
	if admin == nil {
		return nil, &usher.Error{
			Code: usher.ErrRefused, Message: "usher may change nothing at the provider '" + clip(a.Provider) + "'", Err: quiet{provider.ErrUnsupported},
			Hint: "name a service account under admin of this provider in the configuration; docs/fix.md tells the smallest rights",
		}
	}
	return admin, nil
}

// clip bounds a foreign text for a sentence, on one line.
func clip(s string) string {
	const most = 300
	r := []rune(s)
	if len(r) > most {
		r = append(r[:most:most], []rune("...")...)
	}
	for i, c := range r {
		if c < ' ' || c == 0x7f {
			r[i] = '\u2423'
		}
	}
	return string(r)
}
