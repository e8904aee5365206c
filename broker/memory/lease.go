package memory

import (
	"context"
	"strings"
	"time"

	"usher/broker"
)

// Acquire takes a lease for a time, or ErrHeld.
func (s *Store) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (broker.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return broker.Lease{}, err
	}
	now := s.now()
	if l, ok := s.leases[name]; ok && now.Before(l.until) {
		return broker.Lease{}, broker.ErrHeld
	}
	s.fences[name]++
	l := broker.Lease{Name: name, Holder: holder, Fence: s.fences[name]}
	s.keep(l, now.Add(ttl))
	return l, nil
}

// Extend keeps a lease for ttl from now, or ErrLost.
func (s *Store) Extend(ctx context.Context, l broker.Lease, ttl time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.holds(l) {
		return broker.ErrLost
	}
	s.keep(l, s.now().Add(ttl))
	return nil
}

// Release gives a lease back.
func (s *Store) Release(ctx context.Context, l broker.Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.leases[l.Name].Lease == l {
		delete(s.leases, l.Name)
		s.leased(l.Name, time.Time{})
	}
	return nil
}

// keep files a lease; the lock is held.
func (s *Store) keep(l broker.Lease, until time.Time) {
	s.leases[l.Name] = lease{l, until}
	s.leased(l.Name, until)
}

func (s *Store) leased(name string, until time.Time) {
	if id, ok := strings.CutPrefix(name, "connection/"); ok && s.records[id] != nil {
		s.records[id].leased = until
	}
}

// holds tells whether a lease is held still; the lock is held.
func (s *Store) holds(l broker.Lease) bool {
	held, ok := s.leases[l.Name]
	return ok && held.Lease == l && s.now().Before(held.until)
}
