package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"usher/broker"
)

// anyOrder does what replicas do in any order, with old and new versions, fences
// and generations, and holds the store to a small model of one connection.
func anyOrder(t *testing.T, s broker.Store) {
	ctx := t.Context()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		m := &model{Store: s, ctx: ctx, id: fmt.Sprint("m", n)}
		rt.Repeat(map[string]func(*rapid.T){
			"add":       m.add,
			"remove":    m.remove,
			"configure": m.configure,
			"acquire":   m.acquire,
			"release":   m.release,
			"begin":     m.begin,
			"answer":    m.answer,
			"note":      m.note,
			"":          m.same,
		})
	})
}

type model struct {
	broker.Store
	ctx context.Context
	id  string

	there                         bool
	revision, version, generation int64
	born                          int64
	attempt                       int64
	tokens                        []byte
	last                          []byte // of the last answer, as long as its generation is the present one

	leases []broker.Lease
	held   bool // the last one of leases
	fence  int64
	count  int
}

func (m *model) expect(t *rapid.T, err, kind error) bool {
	if kind == nil && err != nil || kind != nil && !errors.Is(err, kind) {
		t.Fatalf("got the error %v, want %v", err, kind)
	}
	return kind == nil
}

func (m *model) add(t *rapid.T) {
	r := record(m.id)
	r.Status.Generation = 0
	var kind error
	if m.there {
		kind = broker.ErrExists
	}
	if !m.expect(t, m.Add(m.ctx, r), kind) {
		return
	}
	got, err := m.Connection(m.ctx, m.id)
	if err != nil {
		t.Fatal(err)
	}
	if got.Revision <= m.revision || got.Status.Version <= m.version {
		t.Fatalf("revision %d after %d, version %d after %d", got.Revision, m.revision, got.Status.Version, m.version)
	}
	m.there, m.revision, m.version, m.generation, m.attempt = true, got.Revision, got.Status.Version, 0, 0
	m.born, m.tokens, m.last = m.version, r.Tokens, nil
}

func (m *model) remove(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "seldom") > 0 {
		t.Skip("seldom")
	}
	m.expect(t, m.Remove(m.ctx, m.id), nil)
	m.there, m.held = false, false
}

func (m *model) configure(t *rapid.T) {
	at := m.revision - rapid.Int64Range(0, 1).Draw(t, "old")
	var kind error
	switch {
	case !m.there:
		kind = broker.ErrNotFound
	case at != m.revision:
		kind = broker.ErrStale
	}
	if m.expect(t, m.Configure(m.ctx, at, broker.Config{ID: m.id}, nil), kind) {
		m.revision++
	}
}

func (m *model) acquire(t *rapid.T) {
	l, err := m.Acquire(m.ctx, "connection/"+m.id, fmt.Sprint("r", rapid.IntRange(0, 2).Draw(t, "who")), long)
	var kind error
	if m.held {
		kind = broker.ErrHeld
	}
	if m.expect(t, err, kind) {
		if l.Fence <= m.fence {
			t.Fatalf("the fence %d came after %d", l.Fence, m.fence)
		}
		m.leases, m.held, m.fence = append(m.leases, l), true, l.Fence
	}
}

// some gives one of the leases that there were, most often the last.
func (m *model) some(t *rapid.T) (l broker.Lease, held bool) {
	if len(m.leases) == 0 {
		t.Skip("there was no lease yet")
	}
	at := len(m.leases) - 1
	if rapid.IntRange(0, 4).Draw(t, "an old one") == 0 {
		at = rapid.IntRange(0, at).Draw(t, "lease")
	}
	return m.leases[at], m.held && at == len(m.leases)-1
}

func (m *model) release(t *rapid.T) {
	l, held := m.some(t)
	m.expect(t, m.Release(m.ctx, l), nil)
	if held {
		m.held = false
	}
}

func (m *model) begin(t *rapid.T) {
	l, held := m.some(t)
	version := m.version - rapid.Int64Range(0, 1).Draw(t, "old version")
	replaces := rapid.SampledFrom([]int64{m.attempt, m.attempt, 0}).Draw(t, "replaces")
	next, err := m.Begin(m.ctx, m.id, l, version, attempt(l), "spent", replaces)
	var kind error
	switch {
	case !held:
		kind = broker.ErrLost
	case !m.there:
		kind = broker.ErrNotFound
	case version != m.version || replaces != m.attempt:
		kind = broker.ErrStale
	}
	if m.expect(t, err, kind) {
		if next != m.version+1 {
			t.Fatalf("the version %d came after %d", next, m.version)
		}
		m.version, m.attempt = next, l.Fence
	}
}

func (m *model) answer(t *rapid.T) {
	generation := m.generation + rapid.Int64Range(0, 2).Draw(t, "generation")
	version := max(0, m.version-rapid.Int64Range(0, 3).Draw(t, "version"))
	m.count++
	tokens := []byte(fmt.Sprint("tokens ", m.count))
	if m.last != nil && generation == m.generation && rapid.Bool().Draw(t, "again") {
		tokens = m.last
	}
	err := m.Answer(m.ctx, m.id, broker.Status{State: broker.StateAlive, Generation: generation, Version: version}, tokens)
	repeated := generation == m.generation && bytes.Equal(tokens, m.tokens)
	var kind error
	switch {
	case !m.there:
		kind = broker.ErrNotFound
	case version < m.born || generation != m.generation+1 && !repeated:
		kind = broker.ErrStale
	}
	if m.expect(t, err, kind) && generation == m.generation+1 {
		m.generation, m.tokens, m.last, m.attempt = generation, tokens, tokens, 0
		m.version++
	}
}

func (m *model) note(t *rapid.T) {
	l, held := m.some(t)
	version := m.version - rapid.Int64Range(0, 1).Draw(t, "old version")
	tokens := rapid.SampledFrom([][]byte{nil, nil, {}, []byte("noted")}).Draw(t, "tokens")
	next, err := m.Note(m.ctx, m.id, l, broker.Status{State: broker.StateFailing, Version: version}, tokens)
	var kind error
	switch {
	case !held:
		kind = broker.ErrLost
	case !m.there:
		kind = broker.ErrNotFound
	case version != m.version:
		kind = broker.ErrStale
	}
	if m.expect(t, err, kind) {
		m.version, m.attempt = next, 0
		if tokens != nil {
			m.tokens, m.last = tokens, nil
		}
	}
}

// same holds what is kept to the model, after every step.
func (m *model) same(t *rapid.T) {
	r, err := m.Connection(m.ctx, m.id)
	if !m.there {
		m.expect(t, err, broker.ErrNotFound)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	fence := int64(0)
	if r.Status.Attempt != nil {
		fence = r.Status.Attempt.Fence
	}
	if r.Revision != m.revision || r.Status.Version != m.version || r.Status.Generation != m.generation || fence != m.attempt || !bytes.Equal(r.Tokens, m.tokens) {
		t.Fatalf("revision %d version %d generation %d attempt %d tokens %q, want %d %d %d %d %q", r.Revision, r.Status.Version, r.Status.Generation, fence, r.Tokens,
			m.revision, m.version, m.generation, m.attempt, m.tokens)
	}
}
