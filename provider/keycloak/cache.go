package keycloak

import (
	"sync"
	"time"
)

// cache keeps answers for a while, at most mostCached of them.
type cache[V any] struct {
	now  func() time.Time
	ttl  time.Duration
	mu   sync.Mutex
	kept map[string]kept[V]
}

type kept[V any] struct {
	value V
	err   error // of what is missing
	until time.Time
}

const mostCached = 2048

func newCache[V any](now func() time.Time, ttl time.Duration) *cache[V] {
	return &cache[V]{now: now, ttl: ttl, kept: map[string]kept[V]{}}
}

func (c *cache[V]) get(key string) (value V, found, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.kept[key]
	if !ok || !c.now().Before(k.until) {
		return value, false, false
	}
	return k.value, k.err == nil, true
}

func (c *cache[V]) missing(key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept[key].err
}

func (c *cache[V]) put(key string, v V) { c.keep(key, kept[V]{value: v, until: c.now().Add(c.ttl)}) }

// putMissing keeps that there is none, for a tenth of the time: it may be about
// to be made.
func (c *cache[V]) putMissing(key string, err error) {
	c.keep(key, kept[V]{err: err, until: c.now().Add(c.ttl / 10)})
}

func (c *cache[V]) keep(key string, k kept[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.kept[key]; !ok && len(c.kept) >= mostCached {
		for other := range c.kept { // any one goes; the order of a map is no order
			delete(c.kept, other)
			break
		}
	}
	c.kept[key] = k
}

func (c *cache[V]) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, key)
}
