package credential_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker/credential"
	"usher/provider"
)

// TestRotation goes the whole way at every kind of provider: the new one is
// handed out once it works, and the old one ends when nobody uses it.
func TestRotation(t *testing.T) {
	for _, name := range kindNames() {
		t.Run(name, func(t *testing.T) {
			rules := kinds[name]
			w := newWorld(t, rules)
			w.add(shop())
			has, value := w.fetch("key shop", 0)
			if has != 1 || value.Reveal() != "first-value" {
				t.Fatalf("version %d", has)
			}
			has, _ = w.fetch("key shop", has)
			if _, err := w.m.Rotate(ctx, "shop", "a test", "ann"); err != nil {
				t.Fatal(err)
			}
			if _, err := w.m.Rotate(ctx, "shop", "a test", "ann"); err == nil {
				t.Error("two rotations at once")
			}
			w.must(w.m.Tick(ctx))
			for range 40 { // the caller asks on, and uses what it has
				if _, taken := w.idp.take(value); !taken && rules.Overlap {
					t.Fatal("the secret that the caller has is refused")
				}
				w.run(time.Second, time.Second)
				if n, v := w.fetch("key shop", has); v != "" {
					has, value = n, v
				}
			}
			if has != 2 {
				t.Fatalf("after 40 s the caller has version %d: %s", has, w.get().Next)
			}
			if rules.UseTold { // the log tells of the new one
				w.m.Observe(ctx, &usher.Event{Time: w.clock.now(), Status: usher.StatusSuccess, Client: usher.Party{UID: "shop-client"}, OAuth: usher.OAuthFacts{Credential: "id-2"}})
			}
			w.run(20*time.Minute, 30*time.Second)
			if rules.UseTold {
				// Nothing was ever told of the old one, so the log counts from its first word.
				w.m.Observe(ctx, &usher.Event{Time: w.clock.now(), Status: usher.StatusSuccess, Client: usher.Party{UID: "shop-client"}, OAuth: usher.OAuthFacts{Credential: "id-2"}})
				w.run(time.Minute, 10*time.Second)
			}
			if v := w.get(); v.Rotation != nil || v.Version != 2 {
				t.Fatalf("it is not over: %+v %s", v.Rotation, v.Next)
			}
			if live := w.idp.live(); !slices.Equal(live, []string{"id-2"}) {
				t.Errorf("the provider takes %q", live)
			}
			if w.idp.count() != 2 {
				t.Errorf("%d secrets were made", w.idp.count()-1)
			}
			if _, taken := w.idp.take(value); !taken {
				t.Error("the secret that the caller has is refused")
			}
		})
	}
}

// TestDelay: a provider that takes 30 s to tell its parts of a new secret makes
// nobody fail.
func TestDelay(t *testing.T) {
	w := newWorld(t, kinds["entra"])
	w.add(shop())
	w.fetch("key shop", 0)
	_, err := w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	for range 29 {
		w.run(time.Second, time.Second)
		if n, _ := w.fetch("key shop", 0); n != 1 {
			t.Fatal("a secret that does not work yet was handed out")
		}
	}
	w.run(5*time.Second, time.Second)
	if n, v := w.fetch("key shop", 0); n != 2 {
		t.Errorf("version %d: %s", n, w.get().Next)
	} else if _, taken := w.idp.take(v); !taken {
		t.Error("the new one is refused")
	}
}

// TestNeverWorks: a new secret that the provider never takes is given up, and
// nobody ever had it.
func TestNeverWorks(t *testing.T) {
	rules := kinds["entra"]
	w := newWorld(t, rules)
	w.add(shop())
	_, err := w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.must(w.m.Tick(ctx))
	w.idp.mu.Lock()
	w.idp.secrets[1].works = w.clock.now().Add(1000 * time.Hour)
	w.idp.mu.Unlock()
	w.run(5*time.Minute, 5*time.Second)
	v := w.get()
	if v.Rotation != nil || v.Version != 1 || len(v.Past) != 1 || !strings.Contains(v.Past[0].How, "given up") {
		t.Errorf("%+v", v)
	}
	if live := w.idp.live(); !slices.Equal(live, []string{"id-1"}) {
		t.Errorf("the provider takes %q", live)
	}
}

// TestUnknownIsNotHandedOut: where nobody can tell whether the new one works,
// nobody is given it, and a person is told.
func TestUnknownIsNotHandedOut(t *testing.T) {
	w := newWorld(t, kinds["okta"])
	w.add(shop())
	_, err := w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.idp.silent = true
	w.run(10*time.Minute, 10*time.Second)
	if n, _ := w.fetch("key shop", 0); n != 1 {
		t.Error("a secret of which nothing is known was handed out")
	}
	if v := w.get(); v.Turn != usher.FixerDeveloper || len(w.found(credential.CheckRotated, usher.OutcomeWrong)) != 1 {
		t.Errorf("nobody is told: %+v", v.Next)
	}
	w.idp.silent = false
	w.run(3*time.Minute, 5*time.Second)
	if n, _ := w.fetch("key shop", 0); n != 2 {
		t.Errorf("it does not go on: %s", w.get().Next)
	}
}

// TestHolds: each reason to wait holds the old secret by itself, for ever.
func TestHolds(t *testing.T) {
	long := 30 * 24 * time.Hour
	rotated := func(t *testing.T, rules provider.SecretRules, c credential.Config, before func(w *world)) *world {
		w := newWorld(t, rules)
		w.add(c)
		if before != nil {
			before(w)
		}
		_, err := w.m.Rotate(ctx, "shop", "", "ann")
		w.must(err)
		w.run(2*time.Minute, 10*time.Second)
		return w
	}
	holds := func(t *testing.T, w *world, kind string) {
		t.Helper()
		w.run(long, 6*time.Hour)
		v := w.get()
		if v.Rotation == nil || v.Rotation.Step != credential.StepMoving {
			t.Fatalf("the old one was retired: %+v", v.Past)
		}
		if !slices.ContainsFunc(v.Rotation.Holds, func(h credential.Hold) bool { return h.Kind == kind }) {
			t.Errorf("it waits for %+v, and not for %s", v.Rotation.Holds, kind)
		}
		if len(w.idp.live()) != 2 {
			t.Errorf("the provider takes %q", w.idp.live())
		}
	}
	t.Run("a caller that does not move", func(t *testing.T) {
		w := rotated(t, kinds["okta"], shop(), func(w *world) { w.fetch("key a", 0); w.fetch("key b", 0) })
		w.fetch("key a", 0)
		holds(t, w, "caller")
		if v := w.get(); !slices.Equal(v.Old.Users, []string{"key b"}) {
			t.Errorf("who still has it: %q", v.Old.Users)
		}
		w.fetch("key b", 0)
		w.run(time.Hour, time.Minute)
		if w.get().Rotation != nil {
			t.Errorf("it waits on: %s", w.get().Next)
		}
	})
	t.Run("a caller whose answer was lost", func(t *testing.T) {
		w := rotated(t, kinds["okta"], shop(), func(w *world) { n, _ := w.fetch("key a", 0); w.fetch("key a", n) })
		w.fetch("key a", 1) // it is given 2, and does not come back
		holds(t, w, "caller")
	})
	t.Run("an instance of a caller", func(t *testing.T) {
		w := rotated(t, kinds["okta"], shop(), func(w *world) { w.fetch("key a@one", 0); w.fetch("key a@two", 0) })
		w.fetch("key a@one", 0)
		holds(t, w, "caller")
		if n, err := w.m.Forget(ctx, "shop", "key a@t*", "ann"); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		w.run(time.Hour, time.Minute)
		if w.get().Rotation != nil {
			t.Errorf("it waits on: %s", w.get().Next)
		}
	})
	t.Run("a caller that is named and never came", func(t *testing.T) {
		c := shop()
		c.Callers = []string{"a", "b"}
		w := rotated(t, kinds["okta"], c, func(w *world) { w.fetch("key a", 0) })
		w.fetch("key a", 0)
		holds(t, w, "caller")
		if n, _ := w.fetch("key b@one", 0); n != 2 {
			t.Fatal(n)
		}
		w.run(time.Hour, time.Minute)
		if w.get().Rotation != nil {
			t.Errorf("it waits on: %s", w.get().Next)
		}
	})
	t.Run("nobody is known", func(t *testing.T) {
		holds(t, rotated(t, kinds["okta"], shop(), nil), "unknown")
	})
	t.Run("a log that is silent altogether", func(t *testing.T) {
		w := rotated(t, kinds["entra"], shop(), func(w *world) {
			w.fetch("key a", 0)
			// The log spoke once, so its silence means something.
			_, err := w.m.Rotate(ctx, "shop", "", "ann")
			w.must(err)
			w.must(w.m.Tick(ctx))
			w.must(w.m.Tick(ctx))
			w.m.Observe(ctx, event(w, "id-1", usher.StatusSuccess))
			w.run(3*time.Minute, 5*time.Second)
			w.must(w.m.Undo(ctx, "shop", "ann"))
			w.fetch("key a", 0)
			w.m.Observe(ctx, event(w, "id-1", usher.StatusSuccess))
			w.run(time.Hour, time.Minute)
			w.m.Observe(ctx, event(w, "id-1", usher.StatusSuccess))
			w.run(2*time.Hour, time.Minute)
			if v := w.get(); v.Rotation != nil {
				t.Fatalf("the undone one is not over: %s", v.Next)
			}
		})
		w.fetch("key a", 0)
		holds(t, w, "log")
		w.m.Observe(ctx, event(w, "id-3", usher.StatusSuccess))
		w.run(time.Hour, time.Minute)
		if w.get().Rotation != nil {
			t.Errorf("it waits on: %s", w.get().Next)
		}
	})
}

func event(w *world, id string, s usher.Status) *usher.Event {
	return &usher.Event{
		UID: "e", Time: w.clock.now(), Kind: usher.EventToken, Status: s, Client: usher.Party{UID: "shop-client"},
		OAuth: usher.OAuthFacts{Credential: id}, Source: usher.Endpoint{IP: "192.0.2.7"},
	}
}

// TestUseHolds: as long as the log tells of uses of the old one, it stays.
func TestUseHolds(t *testing.T) {
	w := newWorld(t, kinds["entra"])
	w.add(shop())
	w.fetch("key a", 0)
	_, err := w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.run(time.Minute, 5*time.Second)
	w.fetch("key a", 0)
	for range 100 {
		w.run(9*time.Minute, time.Minute)
		w.m.Observe(ctx, event(w, "id-1", usher.StatusSuccess))
		w.m.Observe(ctx, event(w, "id-2", usher.StatusSuccess))
	}
	v := w.get()
	if v.Rotation == nil || v.Old.UsedBy != "192.0.2.7" {
		t.Fatalf("it was retired in use, or nobody says who uses it: %+v", v.Past)
	}
	// Refusals are no use.
	for range 4 {
		w.run(9*time.Minute, time.Minute)
		w.m.Observe(ctx, event(w, "id-1", usher.StatusFailure))
		w.m.Observe(ctx, event(w, "id-2", usher.StatusSuccess))
	}
	if v := w.get(); v.Rotation != nil {
		t.Errorf("it waits on: %s", v.Next)
	}
}

// TestUndo: until the old one is retired it can be handed out again.
func TestUndo(t *testing.T) {
	w := newWorld(t, kinds["okta"])
	w.add(shop())
	n, _ := w.fetch("key a", 0)
	_, err := w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.run(time.Minute, 5*time.Second)
	n, _ = w.fetch("key a", n)
	n, _ = w.fetch("key a", n)
	if n != 2 {
		t.Fatalf("version %d", n)
	}
	w.must(w.m.Undo(ctx, "shop", "ann"))
	got, value := w.fetch("key a", n)
	if got != 1 || value.Reveal() != "first-value" {
		t.Fatalf("version %d", got)
	}
	w.run(time.Hour, time.Minute)
	if w.get().Rotation == nil {
		t.Fatal("the new one was retired and the caller has it still")
	}
	w.fetch("key a", got)
	w.run(time.Hour, time.Minute)
	if v := w.get(); v.Rotation != nil || v.Version != 1 || !slices.Equal(w.idp.live(), []string{"id-1"}) {
		t.Errorf("%s, %q", v.Next, w.idp.live())
	}
	if err := w.m.Undo(ctx, "shop", "ann"); err == nil {
		t.Error("there is nothing to undo")
	}
}

// TestUndoBeforeAnybodyHasIt ends the new one.
func TestUndoBeforeAnybodyHasIt(t *testing.T) {
	w := newWorld(t, kinds["entra"])
	w.add(shop())
	_, err := w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.must(w.m.Tick(ctx))
	w.must(w.m.Undo(ctx, "shop", "ann"))
	w.run(time.Minute, time.Second)
	if v := w.get(); v.Rotation != nil || v.Version != 1 || !slices.Equal(w.idp.live(), []string{"id-1"}) {
		t.Errorf("%s, %q", v.Next, w.idp.live())
	}
}

// TestRetireTwice: a person may retire what is in use, having said so twice.
func TestRetireTwice(t *testing.T) {
	w := newWorld(t, kinds["okta"])
	w.add(shop())
	w.fetch("key a", 0)
	if _, err := w.m.Retire(ctx, "shop", "", "ann"); err == nil {
		t.Error("there is nothing to retire")
	}
	_, err := w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.run(time.Minute, 5*time.Second)
	shown, err := w.m.Retire(ctx, "shop", "", "ann")
	w.must(err)
	if shown.Done || len(shown.Holds) == 0 || shown.Confirm == "" {
		t.Fatalf("%+v", shown)
	}
	w.run(time.Minute, 5*time.Second)
	if len(w.idp.live()) != 2 {
		t.Fatal("once was enough")
	}
	w.fetch("key b", 0) // moves nothing: b has the new one
	n, _ := w.fetch("key a", 0)
	if _, err := w.m.Retire(ctx, "shop", shown.Confirm, "ann"); !changed(err) {
		t.Errorf("what was shown is not so any more (a has %d): %v", n, err)
	}
	shown, err = w.m.Retire(ctx, "shop", "", "ann")
	w.must(err)
	done, err := w.m.Retire(ctx, "shop", shown.Confirm, "ann")
	w.must(err)
	w.run(time.Minute, 5*time.Second)
	if v := w.get(); !done.Done || v.Rotation != nil || !strings.Contains(v.Past[0].How, "ann") {
		t.Errorf("%+v %+v", done, v)
	}
}

func changed(err error) bool {
	var e *usher.Error
	return errors.As(err, &e) && e.Code == usher.ErrChanged
}

// TestKill kills the process at every call, before and after it arrives, at
// every kind of provider; another one goes on. No secret is lost or made twice,
// the caller's works at the end, and exactly one is left.
func TestKill(t *testing.T) {
	for _, name := range kindNames() {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after %v", name, after), func(t *testing.T) {
				for at := 1; ; at++ {
					if !killedAt(t, kinds[name], at, after) {
						if at < 15 {
							t.Errorf("a rotation makes %d calls only: nothing was killed", at)
						}
						return
					}
				}
			})
		}
	}
}

// killedAt tells whether the process lived long enough to be killed there.
func killedAt(t *testing.T, rules provider.SecretRules, at int, after bool) bool {
	w := newWorld(t, rules)
	c := shop()
	c.QuietFor = usher.Duration(time.Minute)
	w.add(c)
	has, value := w.fetch("key a", 0)
	_, err := w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.start(at, after)
	killed := w.life
	restarts := 0
	for range 400 {
		_ = w.m.Tick(w.life.ctx) // of a dead one it fails
		if rules.Overlap {
			if _, taken := w.idp.take(value); !taken {
				t.Fatalf("killed at %d: the secret that the caller has is refused", at)
			}
		}
		if w.life.dead {
			w.clock.pass(2 * time.Hour) // longer than the lease
			w.start(0, false)
			restarts++
			continue
		}
		if v, err := w.m.Get(ctx, "shop"); err == nil && v.Rotation == nil {
			break
		}
		w.clock.pass(30 * time.Second)
		if g, err := w.m.Fetch(ctx, "shop", "key a", has); err == nil && g.Value != "" {
			has, value = g.Version, g.Value
		}
		if w.life.dead {
			continue
		}
		if rules.UseTold {
			if id, taken := w.idp.take(value); taken {
				w.m.Observe(ctx, event(w, id, usher.StatusSuccess))
			}
		}
	}
	died := killed.dead
	w.start(0, false)
	v := w.get()
	if v.Rotation != nil || v.Version != 2 {
		t.Fatalf("killed at %d: it does not end: %s", at, v.Next)
	}
	if id, taken := w.idp.take(value); !taken || !slices.Equal(w.idp.live(), []string{id}) {
		t.Fatalf("killed at %d: the caller has %s, the provider takes %q", at, id, w.idp.live())
	}
	most := 2
	if !rules.Told {
		most = 3 // the one whose value went with the process, which was retired
	}
	if n := w.idp.count(); n > most {
		t.Fatalf("killed at %d: %d secrets were made", at, n-1)
	}
	return died && restarts > 0
}
