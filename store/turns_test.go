package store_test

import (
	"context"
	"sync/atomic"
	"time"

	"usher/broker"
)

// turns gives each call to the next of several stores that share their data.
type turns struct {
	stores []broker.Store
	n      atomic.Int64
}

func (t *turns) next() broker.Store {
	return t.stores[int(t.n.Add(1))%len(t.stores)]
}

func (t *turns) Connections(ctx context.Context, after string, limit int) ([]broker.Record, error) {
	return t.next().Connections(ctx, after, limit)
}

func (t *turns) Connection(ctx context.Context, id string) (broker.Record, error) {
	return t.next().Connection(ctx, id)
}
func (t *turns) Add(ctx context.Context, r broker.Record) error { return t.next().Add(ctx, r) }

func (t *turns) Configure(ctx context.Context, revision int64, c broker.Config, keys []byte) error {
	return t.next().Configure(ctx, revision, c, keys)
}
func (t *turns) Remove(ctx context.Context, id string) error { return t.next().Remove(ctx, id) }

func (t *turns) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return t.next().Due(ctx, now, limit)
}

func (t *turns) Next(ctx context.Context, now time.Time) (time.Time, error) {
	return t.next().Next(ctx, now)
}

func (t *turns) Changed(ctx context.Context, since time.Time) ([]broker.Changed, time.Time, error) {
	return t.next().Changed(ctx, since)
}

func (t *turns) Begin(ctx context.Context, id string, l broker.Lease, version int64, a broker.Attempt, spent string, replaces int64) (int64, error) {
	return t.next().Begin(ctx, id, l, version, a, spent, replaces)
}

func (t *turns) Answer(ctx context.Context, id string, s broker.Status, tokens []byte) error {
	return t.next().Answer(ctx, id, s, tokens)
}

func (t *turns) Note(ctx context.Context, id string, l broker.Lease, s broker.Status, tokens []byte) (int64, error) {
	return t.next().Note(ctx, id, l, s, tokens)
}

func (t *turns) Used(ctx context.Context, at map[string]time.Time) error {
	return t.next().Used(ctx, at)
}

func (t *turns) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (broker.Lease, error) {
	return t.next().Acquire(ctx, name, holder, ttl)
}

func (t *turns) Extend(ctx context.Context, l broker.Lease, ttl time.Duration) error {
	return t.next().Extend(ctx, l, ttl)
}

func (t *turns) Release(ctx context.Context, l broker.Lease) error { return t.next().Release(ctx, l) }

func (t *turns) Pace(ctx context.Context, name string) (broker.Pace, error) {
	return t.next().Pace(ctx, name)
}

func (t *turns) SetPace(ctx context.Context, p broker.Pace) error { return t.next().SetPace(ctx, p) }

func (t *turns) PutFlow(ctx context.Context, f broker.Flow) error { return t.next().PutFlow(ctx, f) }

func (t *turns) TakeFlow(ctx context.Context, hash string) (broker.Flow, error) {
	return t.next().TakeFlow(ctx, hash)
}

func (t *turns) Blobs(ctx context.Context, kind string) ([]broker.Blob, error) {
	return t.next().Blobs(ctx, kind)
}

func (t *turns) Blob(ctx context.Context, kind, name string) (broker.Blob, error) {
	return t.next().Blob(ctx, kind, name)
}

func (t *turns) PutBlob(ctx context.Context, b broker.Blob) error { return t.next().PutBlob(ctx, b) }

func (t *turns) DropBlob(ctx context.Context, b broker.Blob) error { return t.next().DropBlob(ctx, b) }
