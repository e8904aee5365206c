package probe

import "context"

func pkceDowngrade(ctx context.Context, a *asking)   { a.skip("todo") }
func dcrOpen(ctx context.Context, a *asking)         { a.skip("todo") }
func assertionReplay(ctx context.Context, a *asking) { a.skip("todo") }
func refreshReuse(ctx context.Context, a *asking)    { a.skip("todo") }
func refreshBound(ctx context.Context, a *asking)    { a.skip("todo") }
func revocationWorks(ctx context.Context, a *asking) { a.skip("todo") }
func dpopRequired(ctx context.Context, a *asking)    { a.skip("todo") }
func (a *asking) undo(ctx context.Context)           {}
