package connect

import (
	"context"
	"time"
)

// SetSleep replaces how polls wait, for tests.
func (h *Handler) SetSleep(sleep func(ctx context.Context, d time.Duration) bool) { h.sleep = sleep }
