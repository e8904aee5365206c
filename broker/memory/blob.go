package memory

import (
	"cmp"
	"context"
	"slices"

	"usher/broker"
)

// Blobs gives the documents of a kind, by name.
func (s *Store) Blobs(ctx context.Context, kind string) ([]broker.Blob, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []broker.Blob
	for key, b := range s.blobs {
		if key[0] == kind {
			b.Body = slices.Clone(b.Body)
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b broker.Blob) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// Blob gives one, or ErrNotFound.
func (s *Store) Blob(ctx context.Context, kind, name string) (broker.Blob, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return broker.Blob{}, err
	}
	b, ok := s.blobs[[2]string{kind, name}]
	if !ok {
		return broker.Blob{}, broker.ErrNotFound
	}
	b.Body = slices.Clone(b.Body)
	return b, nil
}

// PutBlob keeps a document where the version is still the same.
func (s *Store) PutBlob(ctx context.Context, b broker.Blob) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	key := [2]string{b.Kind, b.Name}
	if s.blobs[key].Version != b.Version {
		return broker.ErrStale
	}
	b.Version++
	b.Body = slices.Clone(b.Body)
	s.blobs[key] = b
	return nil
}

// DropBlob removes it where the version is still the same.
func (s *Store) DropBlob(ctx context.Context, b broker.Blob) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	key := [2]string{b.Kind, b.Name}
	if s.blobs[key].Version != b.Version {
		return broker.ErrStale
	}
	delete(s.blobs, key)
	return nil
}
