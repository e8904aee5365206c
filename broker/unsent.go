package broker

import "sync"

// unsent remembers attempts of this process that may be in the store although
// their requests were never sent: the store was cut off before it confirmed
// them. Nobody else can know that.
type unsent struct {
	mu sync.Mutex
	m  map[string]int64 // fence, by connection
}

// add notes the last one of a connection.
func (u *unsent) add(id string, a Attempt) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.m == nil {
		u.m = map[string]int64{}
	}
	u.m[id] = a.Fence
}

// has tells whether an attempt is one of them. A fence is given once.
func (u *unsent) has(id string, a Attempt) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	fence, ok := u.m[id]
	return ok && fence == a.Fence
}
