package serve

import (
	"context"
	"log/slog"
	"time"

	"usher/broker/seal"
)

// Times of sealing.
const (
	sealEvery  = time.Hour
	oldestSeal = 90 * 24 * time.Hour // of a data key
)

// keepSealed seals everything with the data key in use, until ctx ends: a data
// key that is old, or that an older key of the operator's sealed, is replaced at
// the start and now and then. Trouble is told, and tried again: nothing that can
// be read is lost by it.
func (b *brokerage) keepSealed(ctx context.Context, log *slog.Logger, more ...seal.Reseal) error {
	reseal := func(ctx context.Context, again seal.Again) (int, error) {
		all := 0
		for _, walk := range append([]seal.Reseal{b.Reseal}, more...) {
			n, err := walk(ctx, again)
			if all += n; err != nil {
				return all, err
			}
		}
		return all, nil
	}
	for {
		p, err := b.box.Renew(ctx, oldestSeal, reseal)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			log.Error("tokens and secrets are not all sealed with the newest key", "error", err)
		case p.Resealed > 0 || p.Rewrapped > 0 || len(p.Dropped) > 0:
			log.Info("tokens and secrets are sealed with the newest key", "data_key", p.Primary, "resealed", p.Resealed, "rewrapped", p.Rewrapped, "dropped", len(p.Dropped), "waiting", len(p.Waiting))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sealEvery):
		}
	}
}
