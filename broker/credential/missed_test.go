package credential_test

import (
	"testing"
	"time"

	"usher"
)

// TestMissedUse: a use that one replica saw and could not write down holds up
// all of them, once it can write again.
func TestMissedUse(t *testing.T) {
	w := newWorld(t, kinds["entra"])
	w.add(shop())
	w.fetch("key a", 0)
	_, err := w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.run(time.Minute, 5*time.Second)
	w.fetch("key a", 2)
	reader, life := w.m, w.life
	reader.Observe(ctx, event(w, "id-2", usher.StatusSuccess))
	w.start(0, false) // another replica, which does the rest
	w.run(5*time.Minute, 30*time.Second)
	setDead := func(dead bool) {
		life.mu.Lock()
		defer life.mu.Unlock()
		life.dead = dead
	}
	setDead(true)
	reader.Observe(ctx, event(w, "id-1", usher.StatusSuccess)) // of the old one
	setDead(false)
	w.run(6*time.Minute, 30*time.Second)
	reader.Observe(ctx, event(w, "id-2", usher.StatusSuccess))
	back := w.clock.now()
	for range 11 {
		w.run(time.Minute, 30*time.Second)
		reader.Observe(ctx, event(w, "id-2", usher.StatusSuccess))
	}
	if v := w.get(); v.Old == nil || v.Old.Used.Before(back) {
		t.Fatalf("what was missed counts for nothing: %+v, %s", v.Old, v.Next)
	}
	for range 15 {
		w.run(time.Minute, 30*time.Second)
		reader.Observe(ctx, event(w, "id-2", usher.StatusSuccess))
	}
	if v := w.get(); v.Rotation != nil {
		t.Errorf("it waits on: %s", v.Next)
	}
}
