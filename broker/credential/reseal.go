package credential

import (
	"context"
	"errors"

	"usher/broker/seal"
)

// Reseal seals the values of all versions anew, for a data key that is to be
// dropped. It is a seal.Reseal.
func (m *Manager) Reseal(ctx context.Context, again seal.Again) (n int, err error) {
	all, err := m.records(ctx)
	if err != nil {
		return 0, err
	}
	for _, r := range all {
		done := 0
		_, err := m.change(ctx, r.Config.Name, func(r *record) error {
			done = 0
			for i := range r.Versions {
				v := &r.Versions[i]
				if len(v.Sealed) == 0 {
					continue
				}
				fresh, changed, err := again(ctx, purpose(r.Config.Name, v.N), v.Sealed)
				if err != nil {
					return err
				}
				if changed {
					v.Sealed = fresh
					done++
				}
			}
			if done == 0 {
				return errKeep
			}
			return nil
		})
		if errors.Is(err, ErrNotFound) {
			continue // it was removed meanwhile
		}
		if err != nil {
			return n, err
		}
		n += done
	}
	return n, nil
}

var _ seal.Reseal = (*Manager)(nil).Reseal
