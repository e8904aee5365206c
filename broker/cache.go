package broker

import (
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// cache keeps the connections that this process has used. Reading takes no lock
// and allocates nothing: each shard is a map that is never changed, only
// replaced by a copy.
type cache struct {
	seed   maphash.Seed
	shards [256]shard
}

type shard struct {
	mu   sync.Mutex // of replacing
	read atomic.Pointer[map[string]*entry]
}

// entry is a connection in the cache.
type entry struct {
	id   string
	held atomic.Pointer[held]
	used atomic.Int64 // minute since 1970 in which a caller last took a token
	told atomic.Int64 // minute that the store knows

	mu     sync.Mutex // of flight, and of replacing held
	flight *flight    // the renewal under way; nil: none
}

// held is what the cache holds of a connection. It is never changed. Times are
// by the local clock, in ns since 1970.
type held struct {
	config *Config
	status Status
	record int64 // revision of the configuration

	token   Token
	lives   bool          // token holds an access token
	ends    int64         // when it is no longer used
	promise time.Duration // life that callers count on
	life    time.Duration // that it had when it was given; 0: not known

	// Until calm nobody asks the provider: a token that lives is given with
	// short, and without one there is why.
	calm  int64
	short string
	why   *Unavailable
}

func (c *cache) shard(id string) *shard {
	return &c.shards[maphash.String(c.seed, id)%uint64(len(c.shards))]
}

// get gives the entry of a connection; nil: there is none.
func (c *cache) get(id string) *entry {
	if m := c.shard(id).read.Load(); m != nil {
		return (*m)[id]
	}
	return nil
}

// entry gives the entry of a connection and makes it where there is none.
func (c *cache) entry(id string) *entry {
	if e := c.get(id); e != nil {
		return e
	}
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.read.Load()
	next := map[string]*entry{}
	if old != nil {
		if e := (*old)[id]; e != nil {
			return e
		}
		next = maps.Clone(*old)
	}
	e := &entry{id: id}
	next[id] = e
	s.read.Store(&next)
	return e
}

// drop forgets an entry.
func (c *cache) drop(e *entry) {
	s := c.shard(e.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.read.Load()
	if old == nil || (*old)[e.id] != e {
		return
	}
	next := maps.Clone(*old)
	delete(next, e.id)
	s.read.Store(&next)
	e.held.Store(nil)
}

// all gives every entry.
func (c *cache) all(yield func(*entry) bool) {
	for i := range c.shards {
		if m := c.shards[i].read.Load(); m != nil {
			for _, e := range *m {
				if !yield(e) {
					return
				}
			}
		}
	}
}
