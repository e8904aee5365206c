package broker

import "sync"

// unsent remembers attempts of this process that may stand in the store although
// they spent nothing: the store was cut off before it confirmed them, so that
// nothing was sent, or before what the provider refused was written down. Nobody
// else can know that.
type unsent struct {
	mu sync.Mutex
	m  map[string]int64 // fence, by connection
}

// add notes the last one of a connection.
func (u *unsent) add(id string, a Attempt) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !a.First.IsZero() {
		return // the one that it replaced may have spent something
	}
	if u.m == nil {
		u.m = map[string]int64{}
	}
	u.m[id] = a.Fence
}

// drop forgets a connection's: a later attempt stands, or none.
func (u *unsent) drop(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.m, id)
}

// has tells whether an attempt is one of them. A fence is given once.
func (u *unsent) has(id string, a Attempt) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	fence, ok := u.m[id]
	return ok && fence == a.Fence
}
