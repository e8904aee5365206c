package broker

import (
	"bytes"
	"context"
	"errors"

	"usher/broker/seal"
)

// Reseal walks over all keys and tokens and seals anew what an older data key
// sealed; it is a seal.Reseal. It says how many it found. A connection that is
// being renewed is counted and left alone: its new tokens are sealed with the new
// data key anyway, and the next walk looks at it again. What a person's flow
// keeps is not walked: it is over within minutes, and data keys stay for longer.
func (b *Broker) Reseal(ctx context.Context, again seal.Again) (old int, err error) {
	const page = 200
	after := ""
	for {
		records, err := b.opt.Store.Connections(ctx, after, page)
		if err != nil {
			return old, err
		}
		for _, rec := range records {
			n, err := b.resealOne(ctx, rec, again)
			old += n
			if err != nil {
				return old, err
			}
			after = rec.Config.ID
		}
		if len(records) < page {
			return old, nil
		}
	}
}

func (b *Broker) resealOne(ctx context.Context, rec Record, again seal.Again) (old int, err error) {
	id := rec.Config.ID
	keys, changed, err := again(ctx, "keys/"+id, rec.Keys)
	if err != nil {
		return 0, b.unsealable(id, err)
	}
	if changed {
		old++
		if err := b.opt.Store.Configure(ctx, rec.Revision, rec.Config, keys); err != nil && !passing(err) {
			return old, err
		}
	}
	tokens, changed, err := again(ctx, "tokens/"+id, rec.Tokens)
	if err != nil || !changed {
		return old, b.unsealable(id, err)
	}
	old++
	l, err := b.opt.Store.Acquire(ctx, "connection/"+id, b.opt.Holder, b.opt.Lease)
	if err != nil {
		if passing(err) {
			return old, nil
		}
		return old, err
	}
	defer func() { _ = b.opt.Store.Release(context.WithoutCancel(ctx), l) }()
	now, err := b.opt.Store.Connection(ctx, id)
	if err == nil && bytes.Equal(now.Tokens, rec.Tokens) {
		_, err = b.opt.Store.Note(ctx, id, l, now.Status, tokens)
	}
	if err != nil && !passing(err) {
		return old, err
	}
	return old, nil
}

// passing tells errors that the next walk makes good.
func passing(err error) bool {
	return errors.Is(err, ErrStale) || errors.Is(err, ErrHeld) || errors.Is(err, ErrLost) || errors.Is(err, ErrNotFound)
}

// unsealable passes an error of the sealer on and says whose it was. One record
// that cannot be opened holds the old data keys back and is told every time: what
// is sealed with them might still be wanted.
func (b *Broker) unsealable(id string, err error) error {
	if err != nil {
		b.opt.Log.Error("a connection cannot be sealed anew", "connection", id, "err", err)
	}
	return err
}
