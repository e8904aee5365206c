package broker_test

import (
	"sync"

	"usher/test/broker/history"
)

// book collects what replicas tell.
type book struct {
	mu      sync.Mutex
	stored  []history.Stored
	calls   []history.Call
	ends    []history.End
	errs    []string
	asked   map[string]int
	herds   map[string]map[int]*pending // by replica: those that are not through
	waiting int                         // herds that are not through
	changed chan struct{}
	next    int
}

type pending struct {
	herd
	left int
}

func newBook() *book {
	return &book{asked: map[string]int{}, herds: map[string]map[int]*pending{}, changed: make(chan struct{}, 1)}
}

// id gives a new herd's number.
func (b *book) id() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	return b.next
}

// wants counts callers that are sent, whichever replica answers them.
func (b *book) wants(conn string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked[conn] += n
}

func (b *book) sent(replica string, h herd) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.herds[replica] == nil {
		b.herds[replica] = map[int]*pending{}
	}
	b.herds[replica][h.ID] = &pending{h, h.Count}
	b.waiting++
}

func (b *book) note(replica string, r record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case r.Stored != nil:
		b.stored = append(b.stored, *r.Stored)
	case r.Call != nil:
		p := b.herds[replica][r.Herd]
		if p == nil {
			return // it was declared dead before this line was read
		}
		b.calls = append(b.calls, *r.Call)
		p.left -= r.Call.Count
		if r.Call.Refused != "" {
			p.left += r.Call.Count // who was refused asks twice
			b.asked[r.Call.Conn] += r.Call.Count
		}
	case r.Done:
		if b.herds[replica][r.Herd] != nil {
			delete(b.herds[replica], r.Herd)
			b.waiting--
			b.wake()
		}
	case r.Err != "":
		b.errs = append(b.errs, replica+": "+r.Err)
	}
}

func (b *book) wake() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// orphans gives the callers of a dead replica that it has not answered, as
// herds of their own.
func (b *book) orphans(replica string) []herd {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []herd
	for _, p := range b.herds[replica] {
		b.waiting--
		if p.left > 0 {
			h := p.herd
			b.next++
			h.ID, h.Count = b.next, p.left
			all = append(all, h)
		}
	}
	delete(b.herds, replica)
	b.wake()
	return all
}

func (b *book) end(e history.End) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ends = append(b.ends, e)
}

// left tells how many herds are not through.
func (b *book) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting
}

// history gives what was collected.
func (b *book) history() *history.History {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &history.History{
		Stored: append([]history.Stored(nil), b.stored...), Calls: append([]history.Call(nil), b.calls...),
		Ends: append([]history.End(nil), b.ends...), Asked: b.asked,
	}
}
