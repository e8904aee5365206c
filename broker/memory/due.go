package memory

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"
)

// due keeps connections sorted by when they are renewed, in buckets of a minute:
// a renewal moves one of them among a few hundred, however many there are.
type due struct {
	serial  int64
	buckets []bucket // by minute since 1970
}

type bucket struct {
	minute  int64
	entries []entry // those whose serial is old count no more
	untidy  bool    // there may be such, or they are in no order
}

type entry struct {
	at     time.Time
	r      *row
	serial int64
}

// file files a connection under its RenewAt, which takes an earlier filing back.
func (d *due) file(r *row) {
	d.unfile(r)
	if r.Status.RenewAt.IsZero() || r.Config.Disabled {
		return
	}
	at := r.Status.RenewAt
	i, found := d.bucket(at)
	if !found {
		d.buckets = slices.Insert(d.buckets, i, bucket{minute: at.Unix() / 60})
	}
	b := &d.buckets[i]
	if len(b.entries) == cap(b.entries) {
		b.entries = slices.DeleteFunc(b.entries, entry.stale)
	}
	b.entries = append(b.entries, entry{at, r, r.serial})
	b.untidy = true
	r.filed = at
}

// unfile takes a filing back.
func (d *due) unfile(r *row) {
	d.serial++
	r.serial = d.serial
	if i, found := d.bucket(r.filed); found {
		d.buckets[i].untidy = true
	}
	r.filed = time.Time{}
}

func (d *due) bucket(at time.Time) (i int, found bool) {
	return slices.BinarySearchFunc(d.buckets, at.Unix()/60, func(b bucket, m int64) int { return cmp.Compare(b.minute, m) })
}

func (e entry) stale() bool { return e.serial != e.r.serial }

// each gives the entries of the buckets in turn, from the one of a time on,
// until yield is false.
func (d *due) each(from time.Time, yield func(entry) bool) {
	i, _ := d.bucket(from)
	for ; i < len(d.buckets); i++ {
		b := &d.buckets[i]
		if b.untidy {
			b.tidy()
		}
		if len(b.entries) == 0 {
			d.buckets = slices.Delete(d.buckets, i, i+1)
			i--
			continue
		}
		for _, e := range b.entries {
			if !yield(e) {
				return
			}
		}
	}
}

func (b *bucket) tidy() {
	b.entries = slices.DeleteFunc(b.entries, entry.stale)
	slices.SortFunc(b.entries, func(a, b entry) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.r.Config.ID, b.r.Config.ID)) })
	b.untidy = false
}

// Due gives the ids that are due, the earliest first, without those whose lease
// is held.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil || limit <= 0 {
		return nil, err
	}
	var ids []string
	clock := s.now()
	s.due.each(time.Unix(math.MinInt32, 0), func(e entry) bool {
		if e.at.After(now) {
			return false
		}
		if e.r.leased.IsZero() || !clock.Before(e.r.leased) {
			ids = append(ids, e.r.Config.ID)
		}
		return len(ids) < limit
	})
	return ids, nil
}

// Next tells the earliest RenewAt after now; zero: there is none.
func (s *Store) Next(ctx context.Context, now time.Time) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	var next time.Time
	s.due.each(now, func(e entry) bool {
		if e.at.After(now) {
			next = e.at
		}
		return next.IsZero()
	})
	return next, nil
}
