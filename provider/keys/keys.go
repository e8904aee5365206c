// Package keys keeps a provider's keys at hand: fetched when they are needed,
// kept for a while after they are no longer published, and never fetched more
// often than once an interval, whatever key ids tokens name.
package keys

import (
	"context"
	"errors"
	"sync"
	"time"
)

// What an Options leaves open.
const (
	// DefaultInterval is the least time between two fetches.
	DefaultInterval = 5 * time.Minute
	// DefaultFresh is how long a set is used without asking again.
	DefaultFresh = 1 * time.Hour
	// DefaultKeep is how long a key stays usable after it was last published.
	// One large provider's keys vanish for up to 48 hours while tokens signed
	// with them live on.
	DefaultKeep = 72 * time.Hour
	// maxUnknown bounds what is remembered of key ids that were not found.
	maxUnknown = 4096
	// maxFetch bounds one fetch: those who wait for it must not wait for ever.
	maxFetch = 30 * time.Second
	// maxKept bounds the keys that are kept.
	maxKept = 1024
)

// ErrUnknownKey tells that the provider published no such key within Keep.
var ErrUnknownKey = errors.New("the provider publishes no such key")

// Options say where keys come from. Fetch is needed. K is the key as whoever
// verifies wants it.
type Options[K any] struct {
	// Fetch reads the provider's key set: the keys by their id. A key without an
	// id stands under the empty one.
	Fetch    func(ctx context.Context) (map[string][]K, error)
	Interval time.Duration    // least time between two fetches; 0 is DefaultInterval
	Fresh    time.Duration    // 0 is DefaultFresh
	Keep     time.Duration    // 0 is DefaultKeep
	Now      func() time.Time // nil is time.Now
}

// State says how it stands with the keys.
type State struct {
	Fetched time.Time // of the last set that was read; zero: none was
	Tried   time.Time // of the last attempt
	Err     error     // of the last attempt
	Known   int       // keys that are usable now
	Fetches int       // attempts so far
	Unknown int       // key ids that were asked for and are not known
}

// Cache is a provider's keys. It is safe for concurrent use.
type Cache[K any] struct {
	opt Options[K]

	mu      sync.Mutex
	kept    map[string]*kept[K]
	unknown map[string]time.Time // key id to the time of the fetch that did not have it
	state   State
	flight  chan struct{} // closed when the fetch under way is done; nil: none is
}

type kept[K any] struct {
	keys []K       // those of one key id, as last published
	last time.Time // when they were last published
}

// New makes a Cache. It fetches nothing yet.
func New[K any](opt Options[K]) *Cache[K] {
	if opt.Interval <= 0 {
		opt.Interval = DefaultInterval
	}
	if opt.Fresh <= 0 {
		opt.Fresh = DefaultFresh
	}
	if opt.Keep <= 0 {
		opt.Keep = DefaultKeep
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Cache[K]{opt: opt, kept: map[string]*kept[K]{}, unknown: map[string]time.Time{}}
}

// Lookup gives the keys with an id: those that are published, or were within
// Keep. Unknown ids, however many, cost at most one fetch an interval, and a key
// that is published later is found within one. The error is ErrUnknownKey, or
// why the keys could not be read when none were ever.
func (c *Cache[K]) Lookup(ctx context.Context, kid string) ([]K, error) {
	if keys := c.have(kid); keys != nil && !c.stale() {
		return keys, nil
	}
	err := c.refresh(ctx)
	if keys := c.have(kid); keys != nil {
		return keys, nil // perhaps stale ones: whoever cannot wait has them all the same
	}
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Fetched.IsZero() && c.state.Err != nil {
		return nil, c.state.Err
	}
	c.remember(kid)
	return nil, ErrUnknownKey
}

// All gives every usable key by its id.
func (c *Cache[K]) All(ctx context.Context) (map[string][]K, error) {
	if c.stale() {
		if err := c.refresh(ctx); err != nil && c.State().Known == 0 {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Fetched.IsZero() && c.state.Err != nil {
		return nil, c.state.Err
	}
	out, now := map[string][]K{}, c.opt.Now()
	for kid, k := range c.kept {
		if now.Sub(k.last) <= c.opt.Keep {
			out[kid] = k.keys
		}
	}
	return out, nil
}

// State says how it stands.
func (c *Cache[K]) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, now := c.state, c.opt.Now()
	for _, k := range c.kept {
		if now.Sub(k.last) <= c.opt.Keep {
			s.Known++
		}
	}
	s.Unknown = len(c.unknown)
	return s
}

func (c *Cache[K]) have(kid string) []K {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.kept[kid]; k != nil && c.opt.Now().Sub(k.last) <= c.opt.Keep {
		return k.keys
	}
	return nil
}

func (c *Cache[K]) stale() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opt.Now().Sub(c.state.Fetched) > c.opt.Fresh
}

// refresh fetches, unless the interval is not over. Those who come while a
// fetch is under way wait for it. The error is the context's alone: what a
// fetch says is in the state, and old keys serve on.
func (c *Cache[K]) refresh(ctx context.Context) error {
	c.mu.Lock()
	flight, now := c.flight, c.opt.Now()
	if flight == nil {
		if !c.state.Tried.IsZero() && now.Sub(c.state.Tried) < c.opt.Interval {
			c.mu.Unlock()
			return nil
		}
		flight = make(chan struct{})
		c.flight, c.state.Tried = flight, now
		c.state.Fetches++
		// Whoever asked first may leave; the others still want the answer.
		go c.fetch(context.WithoutCancel(ctx), flight, now)
	}
	c.mu.Unlock()
	select {
	case <-flight:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Cache[K]) fetch(ctx context.Context, flight chan struct{}, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, maxFetch)
	defer cancel()
	set, err := c.opt.Fetch(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(flight)
	c.flight, c.state.Err = nil, err
	if err == nil && set != nil {
		c.take(set, now)
	}
}

// take keeps what is published now, and drops what has not been for long.
func (c *Cache[K]) take(set map[string][]K, now time.Time) {
	c.state.Fetched = now
	fresh := map[string]*kept[K]{}
	for kid, list := range set {
		if len(fresh) < maxKept {
			fresh[kid] = &kept[K]{keys: list, last: now}
			delete(c.unknown, kid)
		}
	}
	for kid, k := range c.kept {
		if fresh[kid] == nil && now.Sub(k.last) <= c.opt.Keep && len(fresh) < maxKept {
			fresh[kid] = k
		}
	}
	c.kept = fresh
	for kid, at := range c.unknown {
		if now.Sub(at) >= c.opt.Interval {
			delete(c.unknown, kid)
		}
	}
}

// remember notes an id that is not known. The room is bounded: when it is full
// the ids are forgotten, and the interval alone bounds the fetches.
func (c *Cache[K]) remember(kid string) {
	if len(c.unknown) >= maxUnknown {
		clear(c.unknown)
	}
	c.unknown[kid] = c.state.Tried
}
