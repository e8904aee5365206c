package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"usher/broker"
)

// Store keeps everything in this process. It is safe for concurrent use; every
// method is one transaction under one lock.
type Store struct {
	now func() time.Time

	mu      sync.Mutex
	records map[string]*row
	removed map[string]broker.Changed // the last of each connection that was taken away
	order   []string                  // ids, sorted
	due     due
	log     []change       // by time
	gone    int            // changes that the log held before
	last    map[string]int // number of the last change of each connection, from the first ever
	leases  map[string]lease
	fences  map[string]int64
	paces   map[string]broker.Pace
	flows   map[string]broker.Flow
	blobs   map[[2]string]broker.Blob
}

type row struct {
	broker.Record
	serial int64     // of the entry in due that counts
	filed  time.Time // of that entry
	first  int64     // version with which it was added
	leased time.Time // until when its lease is held; zero: it is not
}

type lease struct {
	broker.Lease
	until time.Time
}

type change struct {
	broker.Changed
	at time.Time
}

var _ broker.Store = (*Store)(nil)

// New makes an empty store. now is its clock, which leases and changes go by;
// nil is time.Now.
func New(now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{
		now: now, records: map[string]*row{}, removed: map[string]broker.Changed{}, last: map[string]int{}, leases: map[string]lease{}, fences: map[string]int64{},
		paces: map[string]broker.Pace{}, flows: map[string]broker.Flow{}, blobs: map[[2]string]broker.Blob{},
	}
}

// Connections gives connections by id, those after an id, at most limit.
func (s *Store) Connections(ctx context.Context, after string, limit int) ([]broker.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	at, found := slices.BinarySearch(s.order, after)
	if found {
		at++
	}
	var out []broker.Record
	for _, id := range s.order[at:min(len(s.order), at+max(limit, 0))] {
		out = append(out, clone(s.records[id].Record))
	}
	return out, nil
}

// Connection gives one, or ErrNotFound.
func (s *Store) Connection(ctx context.Context, id string) (broker.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.row(ctx, id)
	if err != nil {
		return broker.Record{}, err
	}
	return clone(r.Record), nil
}

// Add keeps a new connection, or ErrExists.
func (s *Store) Add(ctx context.Context, rec broker.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.records[rec.Config.ID] != nil {
		return broker.ErrExists
	}
	rec = clone(rec)
	before := s.removed[rec.Config.ID]
	rec.Revision, rec.Status.Version = before.Revision+1, before.Version+1
	r := &row{Record: rec, first: rec.Status.Version}
	if l, held := s.leases["connection/"+rec.Config.ID]; held {
		r.leased = l.until
	}
	s.records[rec.Config.ID] = r
	at, _ := slices.BinarySearch(s.order, rec.Config.ID)
	s.order = slices.Insert(s.order, at, rec.Config.ID)
	s.written(r)
	return nil
}

// Configure replaces configuration and keys.
func (s *Store) Configure(ctx context.Context, revision int64, c broker.Config, keys []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.row(ctx, c.ID)
	if err != nil {
		return err
	}
	if r.Revision != revision {
		return broker.ErrStale
	}
	r.Config, r.Keys = cloneConfig(c), slices.Clone(keys)
	r.Revision++
	s.written(r)
	return nil
}

// Remove takes a connection away with its lease.
func (s *Store) Remove(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	delete(s.leases, "connection/"+id)
	r := s.records[id]
	if r == nil {
		return nil
	}
	delete(s.records, id)
	s.due.unfile(r)
	if at, found := slices.BinarySearch(s.order, id); found {
		s.order = slices.Delete(s.order, at, at+1)
	}
	for hash, f := range s.flows {
		if f.ID == id {
			delete(s.flows, hash)
		}
	}
	gone := broker.Changed{ID: id, Generation: r.Status.Generation, Version: r.Status.Version + 1, Revision: r.Revision + 1, Removed: true}
	s.removed[id] = gone
	s.tell(gone)
	return nil
}

// Begin writes down an attempt.
func (s *Store) Begin(ctx context.Context, id string, l broker.Lease, version int64, a broker.Attempt, spent string, replaces int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if !s.holds(l) {
		return 0, broker.ErrLost
	}
	r, err := s.row(ctx, id)
	if err != nil {
		return 0, err
	}
	standing := int64(0)
	if r.Status.Attempt != nil {
		standing = r.Status.Attempt.Fence
	}
	if r.Status.Version != version || standing != replaces {
		return 0, broker.ErrStale
	}
	r.Status.Attempt, r.Status.Spent = &a, spent
	r.Status.Version++
	s.written(r)
	return r.Status.Version, nil
}

// Answer stores a new token by its generation, whoever holds the lease.
func (s *Store) Answer(ctx context.Context, id string, st broker.Status, tokens []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.row(ctx, id)
	if err != nil {
		return err
	}
	if st.Version < r.first {
		return broker.ErrStale // of a connection of that name that was taken away
	}
	if r.Status.Generation == st.Generation && bytes.Equal(r.Tokens, tokens) {
		return nil // it was stored, and only the confirmation was lost
	}
	if r.Status.Generation != st.Generation-1 {
		return broker.ErrStale
	}
	st.Version, st.Attempt, st.Spent, st.Used = r.Status.Version+1, nil, "", r.Status.Used
	r.Status, r.Tokens = cloneStatus(st), slices.Clone(tokens)
	s.written(r)
	return nil
}

// Note stores a status without a new token.
func (s *Store) Note(ctx context.Context, id string, l broker.Lease, st broker.Status, tokens []byte) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if !s.holds(l) {
		return 0, broker.ErrLost
	}
	r, err := s.row(ctx, id)
	if err != nil {
		return 0, err
	}
	if r.Status.Version != st.Version {
		return 0, broker.ErrStale
	}
	st.Version++
	st.Generation, st.Used = r.Status.Generation, r.Status.Used
	r.Status = cloneStatus(st)
	if tokens != nil {
		r.Tokens = nil
		if len(tokens) > 0 {
			r.Tokens = slices.Clone(tokens)
		}
	}
	s.written(r)
	return st.Version, nil
}

// Used notes that callers took tokens.
func (s *Store) Used(ctx context.Context, at map[string]time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	for id, t := range at {
		if r := s.records[id]; r != nil {
			r.Status.Used = later(r.Status.Used, t.Truncate(time.Minute))
		}
	}
	return nil
}

// Changed gives what was written since, by this store's clock.
func (s *Store) Changed(ctx context.Context, since time.Time) ([]broker.Changed, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, time.Time{}, err
	}
	at, _ := slices.BinarySearchFunc(s.log, since, func(c change, t time.Time) int { return c.at.Compare(t) })
	var out []broker.Changed
	for i, c := range s.log[at:] {
		if s.last[c.ID] == s.gone+at+i {
			out = append(out, c.Changed)
		}
	}
	return out, s.now(), nil
}

// Pace gives what is known of an endpoint's patience.
func (s *Store) Pace(ctx context.Context, name string) (broker.Pace, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.paces[name]
	if !ok {
		p.Name = name
	}
	return p, ctx.Err()
}

// SetPace keeps it where the version is still the same.
func (s *Store) SetPace(ctx context.Context, p broker.Pace) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.paces[p.Name].Version != p.Version {
		return broker.ErrStale
	}
	p.Version++
	s.paces[p.Name] = p
	return nil
}

// PutFlow keeps a flow.
func (s *Store) PutFlow(ctx context.Context, f broker.Flow) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	now := s.now()
	maps.DeleteFunc(s.flows, func(_ string, f broker.Flow) bool { return f.Expires.Before(now) })
	f.Sealed = slices.Clone(f.Sealed)
	s.flows[f.Hash] = f
	return nil
}

// TakeFlow gives a flow and removes it, or ErrNotFound.
func (s *Store) TakeFlow(ctx context.Context, hash string) (broker.Flow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return broker.Flow{}, err
	}
	f, ok := s.flows[hash]
	delete(s.flows, hash)
	if !ok {
		return broker.Flow{}, broker.ErrNotFound
	}
	return f, nil
}

// row gives a connection; the lock is held.
func (s *Store) row(ctx context.Context, id string) (*row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r := s.records[id]; r != nil {
		return r, nil
	}
	return nil, broker.ErrNotFound
}

// written files a connection anew under when it is due, and tells of it.
func (s *Store) written(r *row) {
	s.due.file(r)
	s.tell(broker.Changed{ID: r.Config.ID, Generation: r.Status.Generation, Version: r.Status.Version, Revision: r.Revision})
}

// tell appends to the log of changes, which keeps one entry for each id when it
// has grown.
func (s *Store) tell(c broker.Changed) {
	now := s.now()
	if n := len(s.log); n > 0 && now.Before(s.log[n-1].at) {
		now = s.log[n-1].at // the clock was put back
	}
	s.last[c.ID] = s.gone + len(s.log)
	s.log = append(s.log, change{c, now})
	if len(s.log) < 1024+4*len(s.last) {
		return
	}
	kept := s.log[:0:0]
	for i, c := range s.log {
		if s.last[c.ID] == s.gone+i {
			kept = append(kept, c)
		}
	}
	s.gone += len(s.log) - len(kept)
	for i, c := range kept {
		s.last[c.ID] = s.gone + i
	}
	s.log = kept
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
