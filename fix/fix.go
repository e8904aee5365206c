// Package fix carries out what usher may repair: plan (the exact difference), apply (idempotent), undo, prove.
package fix

import (
	"context"
	"errors"
	"time"

	"usher"
	"usher/provider"
)

// Propose gives the ways out of a case, the one to take first in front. The
// registration may be nil (unknown). An empty name of the provider tells that
// usher may change nothing there; then only steps for people are given.
func Propose(c *usher.Case, cause usher.Cause, reg *usher.Client, providerName string) []usher.Fix {
	return nil
}

// Options of a Fixer.
type Options struct {
	Admins map[string]provider.Admin // by the name of the provider in the configuration
	Now    func() time.Time
}

// Fixer plans, applies and undoes fixes.
type Fixer struct{ opt Options }

// New makes a Fixer.
func New(opt Options) *Fixer { return &Fixer{opt} }

// Confirm is what a person says to a plan.
type Confirm struct {
	Plan   string // FixPlan.ID that was shown
	Weaken bool   // yes, although it weakens
}

// Result is what an Apply did.
type Result struct {
	// Plan is the plan as it was carried out; its Diff is empty when it was so
	// already. Store this one in the run, for Undo.
	Plan    usher.FixPlan
	Already bool         // nothing was to do
	Secret  usher.Secret // of replace-secret: show it once, never store it
}

// ErrStale tells that the plan is not what would be done now.
var ErrStale = errors.New("changed since you looked")

// Plan reads the provider and gives the exact difference that a fix of the case
// would make there.
func (f *Fixer) Plan(ctx context.Context, c *usher.Case, fixID string) (usher.FixPlan, error) {
	return usher.FixPlan{}, provider.ErrUnsupported
}

// Apply carries out a plan that was confirmed.
func (f *Fixer) Apply(ctx context.Context, plan usher.FixPlan, confirm Confirm) (Result, error) {
	return Result{}, provider.ErrUnsupported
}

// Resume looks at the provider after a crash in the middle of Apply: was the
// run's plan carried out?
func (f *Fixer) Resume(ctx context.Context, run usher.FixRun) (applied bool, note string, err error) {
	return false, "", provider.ErrUnsupported
}

// Undo takes back exactly what a run did.
func (f *Fixer) Undo(ctx context.Context, run usher.FixRun) error { return provider.ErrUnsupported }
