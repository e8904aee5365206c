package seal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

func newKey() (id, []byte) {
	var name id
	key := make([]byte, keyBytes)
	_, _ = rand.Read(name[:]) // it never fails, as it documents
	_, _ = rand.Read(key)
	return name, key
}

// Again seals something again with the data key in use. It gives false where it
// is sealed with that already.
type Again func(ctx context.Context, purpose string, sealed []byte) ([]byte, bool, error)

// Reseal walks over everything that is sealed, calls again for each, and stores
// what it gives where the old one is still there. It says how many it found that
// were sealed with an older key, those that were changed meanwhile included. It
// may be stopped anywhere and begun anew.
type Reseal func(ctx context.Context, again Again) (old int, err error)

// Progress says how far a rotation is.
type Progress struct {
	Primary   string   // data key in use
	Resealed  int      // found to be sealed with an older key, and sealed anew
	Rewrapped int      // data keys that the KMS sealed anew
	Waiting   []string // older data keys that are kept for a while
	Dropped   []string // older data keys that are gone
}

// Rotate makes a new data key, seals everything with it, and drops the old ones
// once nothing has been sealed with them for Settle. A crash anywhere leaves all
// readable; Maintain, or Rotate, goes on where it ended.
func (b *Box) Rotate(ctx context.Context, reseal Reseal) (Progress, error) {
	// Who cannot open the key in use must not make one that others cannot open.
	if err := b.Ready(ctx); err != nil {
		return Progress{}, err
	}
	_, err := b.change(ctx, func(ctx context.Context, r *ring) (bool, error) {
		return true, b.add(ctx, r)
	})
	if err != nil {
		return Progress{}, fmt.Errorf("make a new data key: %w", err)
	}
	return b.Maintain(ctx, reseal)
}

// Renew is Rotate where it is time: the data key in use is older than oldest (0:
// never), or the KMS has another key in use than the one that sealed it, since
// whoever had that key may have the data key. Else it is Maintain.
func (b *Box) Renew(ctx context.Context, oldest time.Duration, reseal Reseal) (Progress, error) {
	if err := b.Ready(ctx); err != nil {
		return Progress{}, err
	}
	// Of replicas that begin at once one makes the new key: the others see it.
	_, err := b.change(ctx, func(ctx context.Context, r *ring) (bool, error) {
		k := r.find(r.Primary)
		if k.KEK == b.kms.KeyID() && (oldest <= 0 || b.now().Sub(k.Made) < oldest) {
			return false, nil
		}
		return true, b.add(ctx, r)
	})
	if err != nil {
		return Progress{}, fmt.Errorf("make a new data key: %w", err)
	}
	return b.Maintain(ctx, reseal)
}

// Maintain goes on with what was begun: data keys are sealed by the KMS's key in
// use, what is sealed with an older data key is sealed anew, and what has served
// is dropped. It is to be called at the start and now and then.
func (b *Box) Maintain(ctx context.Context, reseal Reseal) (Progress, error) {
	var p Progress
	if err := b.Ready(ctx); err != nil {
		return p, err
	}
	if err := b.rewrap(ctx, &p); err != nil {
		return p, err
	}
	clean, err := b.resealAll(ctx, reseal, &p)
	if err == nil && clean {
		err = b.drop(ctx, &p)
	}
	r, _ := b.known(ctx, false)
	p.Primary = r.Primary
	for _, k := range r.Keys {
		if k.ID != r.Primary {
			p.Waiting = append(p.Waiting, k.ID)
		}
	}
	return p, err
}

// rewrap has the KMS seal data keys with its key in use, one after the other.
func (b *Box) rewrap(ctx context.Context, p *Progress) error {
	r, err := b.known(ctx, true)
	if err != nil {
		return err
	}
	for _, k := range r.Keys {
		if k.KEK == b.kms.KeyID() {
			continue
		}
		key, err := b.key(ctx, r, k.ID)
		if err != nil {
			return err
		}
		ask, cancel := context.WithTimeout(ctx, kmsPatience)
		kek, wrapped, err := b.kms.Wrap(ask, purpose(k.ID), key)
		cancel()
		if err != nil {
			return kmsAway(b.kms.KeyID(), err)
		}
		// What cannot be opened again must not replace what can be.
		ask, cancel = context.WithTimeout(ctx, kmsPatience)
		back, err := b.kms.Unwrap(ask, kek, purpose(k.ID), wrapped)
		cancel()
		if err != nil || string(back) != string(key) {
			return kmsAway(kek, errors.Join(errors.New("it does not open what it has just sealed"), err))
		}
		_, err = b.change(ctx, func(_ context.Context, r *ring) (bool, error) {
			mine := r.find(k.ID)
			if mine == nil || mine.KEK == kek {
				return false, nil
			}
			mine.KEK, mine.Wrapped = kek, wrapped
			return true, nil
		})
		if err != nil {
			return err
		}
		p.Rewrapped++
	}
	return nil
}

// mostWalks bounds how often everything is looked at in one go.
const mostWalks = 5

// resealAll seals anew what older data keys seal, until a whole walk finds
// nothing; that is written down.
func (b *Box) resealAll(ctx context.Context, reseal Reseal, p *Progress) (clean bool, err error) {
	r, err := b.known(ctx, true)
	if err != nil || len(r.Keys) < 2 || reseal == nil {
		return false, err
	}
	for range mostWalks {
		began := b.now().UTC()
		old, err := reseal(ctx, b.again)
		p.Resealed += old
		if err != nil {
			return false, fmt.Errorf("seal everything with the new data key: %w", err)
		}
		clean = old == 0
		_, err = b.change(ctx, func(_ context.Context, now *ring) (bool, error) {
			return mark(now, &r, clean, began), nil
		})
		if err != nil || clean {
			return clean, err
		}
	}
	return false, nil // others are faster; the next Maintain goes on
}

// mark writes down what a walk found: since when nothing is sealed with the keys
// that were old when it began, or that something still was.
func mark(now, before *ring, clean bool, began time.Time) bool {
	changed := false
	for i := range now.Keys {
		k := &now.Keys[i]
		switch {
		case k.ID == now.Primary, k.ID == before.Primary, before.find(k.ID) == nil:
		case !clean && !k.Clean.IsZero():
			k.Clean, changed = time.Time{}, true
		case clean && k.Clean.IsZero():
			k.Clean, changed = began, true
		}
	}
	return changed
}

// again implements Again.
func (b *Box) again(ctx context.Context, purpose string, sealed []byte) ([]byte, bool, error) {
	if len(sealed) == 0 {
		return nil, false, nil
	}
	r, err := b.known(ctx, false)
	if err != nil {
		return nil, false, err
	}
	name, err := keyOf(sealed)
	if err != nil {
		return nil, false, unreadable(purpose, err)
	}
	if name.String() == r.Primary {
		return nil, false, nil
	}
	plain, err := b.Open(ctx, purpose, sealed)
	if err != nil {
		return nil, true, err
	}
	out, err := b.Seal(ctx, purpose, plain)
	return out, true, err
}

// drop takes the data keys out of the ring that nothing has been sealed with for
// Settle: the walk before found nothing, and so did one that long ago.
func (b *Box) drop(ctx context.Context, p *Progress) error {
	var gone []string
	_, err := b.change(ctx, func(_ context.Context, r *ring) (bool, error) {
		gone = nil
		keep := r.Keys[:0]
		for _, k := range r.Keys {
			age := b.now().Sub(k.Clean)
			if k.ID != r.Primary && !k.Clean.IsZero() && age >= b.settle() {
				gone = append(gone, k.ID)
				continue
			}
			keep = append(keep, k)
		}
		r.Keys = keep
		return len(gone) > 0, nil
	})
	if err == nil {
		p.Dropped = gone
	}
	return err
}
