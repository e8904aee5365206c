package memory

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// due keeps connections sorted by when they are renewed, in buckets of a minute:
// a renewal moves one of them among a few hundred, however many there are.
type due struct {
	serial  int64
	buckets []bucket // by minute
}

type bucket struct {
	minute  int64
	entries []entry // in no order; those whose serial is old count no more
}

type entry struct {
	at     time.Time
	r      *row
	serial int64
}

// file files a connection under its RenewAt, which takes an earlier filing back.
func (d *due) file(r *row) {
	d.serial++
	r.serial = d.serial
	if r.Status.RenewAt.IsZero() || r.Config.Disabled {
		return
	}
	at := r.Status.RenewAt
	minute := at.Unix() / 60
	i, found := slices.BinarySearchFunc(d.buckets, minute, func(b bucket, m int64) int { return cmp.Compare(b.minute, m) })
	if !found {
		d.buckets = slices.Insert(d.buckets, i, bucket{minute: minute})
	}
	b := &d.buckets[i]
	if len(b.entries) == cap(b.entries) {
		b.entries = slices.DeleteFunc(b.entries, entry.stale)
	}
	b.entries = append(b.entries, entry{at, r, r.serial})
}

func (e entry) stale() bool { return e.serial != e.r.serial }

// each gives the entries of the buckets in turn, a bucket's sorted, until yield
// is false.
func (d *due) each(s *Store, yield func(entry) bool) {
	for i := 0; i < len(d.buckets); i++ {
		b := &d.buckets[i]
		b.entries = slices.DeleteFunc(b.entries, func(e entry) bool { return e.stale() || s.records[e.r.Config.ID] != e.r })
		if len(b.entries) == 0 {
			d.buckets = slices.Delete(d.buckets, i, i+1)
			i--
			continue
		}
		slices.SortFunc(b.entries, func(a, b entry) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.r.Config.ID, b.r.Config.ID)) })
		for _, e := range b.entries {
			if !yield(e) {
				return
			}
		}
	}
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
	s.due.each(s, func(e entry) bool {
		if e.at.After(now) {
			return false
		}
		if l, ok := s.leases["connection/"+e.r.Config.ID]; !ok || !clock.Before(l.until) {
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
	s.due.each(s, func(e entry) bool {
		if e.at.After(now) {
			next = e.at
		}
		return next.IsZero()
	})
	return next, nil
}
