package memory

import (
	"maps"
	"slices"

	"usher/broker"
)

// clone copies a record, so that what a caller changes stays with the caller.
func clone(r broker.Record) broker.Record {
	r.Config, r.Status = cloneConfig(r.Config), cloneStatus(r.Status)
	r.Keys, r.Tokens = slices.Clone(r.Keys), slices.Clone(r.Tokens)
	return r
}

func cloneConfig(c broker.Config) broker.Config {
	c.Scopes, c.Resources = slices.Clone(c.Scopes), slices.Clone(c.Resources)
	c.Callers, c.Targets, c.Extra = slices.Clone(c.Callers), slices.Clone(c.Targets), maps.Clone(c.Extra)
	c.Authorize = maps.Clone(c.Authorize)
	return c
}

func cloneStatus(s broker.Status) broker.Status {
	s.Scopes, s.Narrowed, s.Notes = slices.Clone(s.Scopes), slices.Clone(s.Narrowed), slices.Clone(s.Notes)
	s.Trouble, s.Healed, s.Attempt = copied(s.Trouble), copied(s.Healed), copied(s.Attempt)
	return s
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}
