package door

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"usher"
)

// A key is looked up anew in the background after freshFor, and counts no longer
// than goodFor without an answer of the store: that is how soon one that was
// taken away at another replica is refused here.
const (
	freshFor = time.Second
	goodFor  = 1900 * time.Millisecond
	// outageFor is how long a key that was known counts while the store gives no
	// answer at all: the tokens are in memory, and a database that is restarted
	// is no reason to stop payments. Nobody can take a key away in a store that
	// is not there.
	outageFor = 30 * time.Second
	// unknownFor is how long a key that is not known is refused unasked.
	unknownFor = time.Second
	maxUnknown = 1024
	maxLookups = 8 // at once: of keys that are in the cache, and of others
	// patience is how long a caller whose key was known waits for a store that
	// gives no answer. Others do not wait again until it has passed once more.
	patience = 500 * time.Millisecond
)

// keyCache remembers keys by the SHA-256 of their value.
type keyCache struct {
	mu      sync.RWMutex
	known   map[[32]byte]*knownKey
	unknown map[[32]byte]time.Time // until when

	again, first chan struct{} // lookups of keys that are known, and of others
	once         sync.Once
	silent       atomic.Int64 // when the store last gave no answer, in Unix nanoseconds
}

// knownKey is a key as the store had it.
type knownKey struct {
	Key
	caller string    // "key shop"
	asked  time.Time // when the store was asked
	minute time.Time // that was last noted as its use

	mu     sync.Mutex
	asking bool
}

// find gives the key with a value, or ErrNotFound, also when it has expired.
func (c *keyCache) find(ctx context.Context, value usher.Secret, now time.Time, look func(context.Context, string) (Key, error), used func(string, time.Time)) (*knownKey, error) {
	sum := sha256.Sum256([]byte(value))
	c.mu.RLock()
	k := c.known[sum]
	refused := c.unknown[sum]
	c.mu.RUnlock()
	var err error
	switch {
	case k == nil && now.Before(refused):
		return nil, ErrNotFound
	case k == nil:
		if k, err = c.ask(ctx, sum, now, look); err != nil {
			return nil, err
		}
	case now.Sub(k.asked) >= outageFor, now.Sub(k.asked) >= goodFor && !c.away(now):
		waits, cancel := context.WithTimeout(ctx, patience)
		again, err := c.ask(waits, sum, now, look)
		cancel()
		switch {
		case err == nil:
			k = again
		case errors.Is(err, ErrNotFound):
			return nil, ErrNotFound
		case now.Sub(k.asked) >= outageFor:
			return nil, err
		case ctx.Err() == nil:
			c.silent.Store(now.UnixNano())
		}
	case now.Sub(k.asked) >= freshFor && k.claim():
		go func() {
			defer k.release()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodFor)
			defer cancel()
			_, _ = c.ask(ctx, sum, now, look) // without an answer the next one asks and waits
		}()
	}
	if !k.Expires.IsZero() && !now.Before(k.Expires) {
		return nil, ErrNotFound
	}
	if used != nil {
		if minute := now.UTC().Truncate(time.Minute); k.use(minute) {
			used(k.ID, minute)
		}
	}
	return k, nil
}

// away tells whether the store has just given no answer.
func (c *keyCache) away(now time.Time) bool {
	since := now.UnixNano() - c.silent.Load()
	return since >= 0 && since < int64(patience)
}

// claim gives one of many the right to look the key up.
func (k *knownKey) claim() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asking {
		return false
	}
	k.asking = true
	return true
}

func (k *knownKey) release() {
	k.mu.Lock()
	k.asking = false
	k.mu.Unlock()
}

// use tells whether this is the first use in a minute.
func (k *knownKey) use(minute time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !minute.After(k.minute) {
		return false
	}
	k.minute = minute
	return true
}

// ask asks the store. What it answers counts from before it was asked.
func (c *keyCache) ask(ctx context.Context, sum [32]byte, now time.Time, look func(context.Context, string) (Key, error)) (*knownKey, error) {
	c.once.Do(func() { c.again, c.first = make(chan struct{}, maxLookups), make(chan struct{}, maxLookups) })
	c.mu.RLock()
	k := c.known[sum]
	c.mu.RUnlock()
	turn := c.first
	if k != nil { // who makes up keys does not hold up those that are good, nor keep one that was taken away
		turn = c.again
	}
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c.mu.RLock()
	k = c.known[sum]
	c.mu.RUnlock()
	if k != nil && now.Sub(k.asked) < freshFor { // somebody else has just asked
		return k, nil
	}
	got, err := look(ctx, hex.EncodeToString(sum[:]))
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errors.Is(err, ErrNotFound):
		delete(c.known, sum)
		if len(c.unknown) >= maxUnknown || c.unknown == nil {
			c.unknown = map[[32]byte]time.Time{}
		}
		c.unknown[sum] = now.Add(unknownFor)
		return nil, ErrNotFound
	case err != nil:
		return nil, err
	}
	if c.known == nil {
		c.known = map[[32]byte]*knownKey{}
	}
	fresh := &knownKey{Key: got, caller: "key " + got.Name, asked: now}
	if k != nil {
		k.mu.Lock()
		fresh.minute = k.minute
		k.mu.Unlock()
	}
	c.known[sum] = fresh
	delete(c.unknown, sum)
	return fresh, nil
}

// Forget drops what is known of keys, so that one that was taken away here is
// refused at once.
func (d *Door) Forget() {
	d.keys.mu.Lock()
	defer d.keys.mu.Unlock()
	d.keys.known, d.keys.unknown = nil, nil
}
