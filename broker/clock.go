package broker

import (
	"sync/atomic"
	"time"
)

// clock keeps a replica on the store's time, so that replicas whose clocks are
// apart agree on what has ended. It measures how far its own clock is off each
// time that the store tells the time, and believes no difference that the way
// to the store and back explains.
type clock struct {
	now func() time.Time // this replica's
	off atomic.Int64     // ns that the store is ahead
}

// store tells the store's time.
func (c *clock) store() time.Time { return c.stored(c.now()) }

// stored gives the store's time of a local one.
func (c *clock) stored(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(time.Duration(c.off.Load())).Round(0).UTC()
}

// local gives the local time of one of the store's.
func (c *clock) local(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-time.Duration(c.off.Load()))
}

// learn takes the store's time, asked for between two local times. It tells
// whether the difference moved so far that what was converted before is wrong.
func (c *clock) learn(asked, store, told time.Time) (moved bool) {
	way := told.Sub(asked)
	off := store.Sub(asked.Add(way / 2))
	change := off - time.Duration(c.off.Load())
	if change.Abs() <= way/2+20*time.Millisecond {
		return false
	}
	c.off.Store(int64(off))
	return change.Abs() > time.Second
}
