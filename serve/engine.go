package serve

import (
	"context"

	"usher"
)

// Engine is the pipeline from lines to cases. It implements console.Cases.
type Engine struct{}

// Take takes events from usher's own doors, as console and demo give them, and
// returns when they are kept.
func (e *Engine) Take(ctx context.Context, events []usher.Event) error { return nil }
