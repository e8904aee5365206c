package serve

import (
	"context"
	"time"

	"usher/store"
)

// Follow runs a tail for tests.
func Follow(ctx context.Context, path string, fromStart bool, cursor store.Cursor, give func([][]byte, store.Cursor) error, note func(string)) error {
	t := &tail{name: "test", path: path, fromStart: fromStart, poll: 2 * time.Millisecond, note: note}
	return t.follow(ctx, cursor, give)
}
