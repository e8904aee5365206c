package credential_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usher"
	"usher/broker/credential"
)

// TestStateMachine does what people, callers, logs, providers and kills do, in
// any order: there is one current version always, which the provider takes; no
// secret is retired that a caller has, unless a person said so twice; no
// rotation makes two that live; and where all is quiet it comes to an end.
func TestStateMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := kinds[rapid.SampledFrom(kindNames()).Draw(t, "provider")]
		w := newWorld(t, rules)
		w.add(shop())
		type program struct {
			has   int64
			value usher.Secret
		}
		programs := map[string]*program{}
		names := []string{"key a", "key b@one", "key b@two"}
		forced := false
		alive := func() {
			if w.life.dead {
				w.clock.pass(2 * time.Hour)
				w.start(0, false)
			}
		}
		fetch := func(name string) {
			p := programs[name]
			if p == nil {
				p = &program{}
				programs[name] = p
			}
			if g, err := w.m.Fetch(ctx, "shop", name, p.has); err == nil && g.Value != "" {
				p.has, p.value = g.Version, g.Value
			}
			if p.has == 0 {
				delete(programs, name)
			}
		}
		tick := func(d time.Duration) {
			w.clock.pass(d)
			_ = w.m.Tick(w.life.ctx)
		}
		t.Repeat(map[string]func(*rapid.T){
			"rotate": func(t *rapid.T) { alive(); _, _ = w.m.Rotate(ctx, "shop", "", "ann") },
			"undo":   func(t *rapid.T) { alive(); _ = w.m.Undo(ctx, "shop", "ann") },
			"fetch":  func(t *rapid.T) { alive(); fetch(rapid.SampledFrom(names).Draw(t, "caller")) },
			"lost": func(t *rapid.T) { // the answer does not arrive
				alive()
				name := rapid.SampledFrom(names).Draw(t, "caller")
				if p := programs[name]; p != nil && p.has > 0 {
					_, _ = w.m.Fetch(ctx, "shop", name, p.has)
				}
			},
			"use": func(t *rapid.T) {
				alive()
				for _, p := range programs {
					if id, taken := w.idp.take(p.value); taken && rules.UseTold {
						w.m.Observe(ctx, event(w, id, usher.StatusSuccess))
					}
				}
			},
			"soon":  func(t *rapid.T) { tick(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second) },
			"later": func(t *rapid.T) { tick(time.Duration(rapid.IntRange(1, 40).Draw(t, "minutes")) * time.Minute) },
			"kill": func(t *rapid.T) {
				alive()
				w.start(rapid.IntRange(1, 12).Draw(t, "at"), rapid.Bool().Draw(t, "after"))
			},
			"away": func(t *rapid.T) { w.idp.fail = errDead },
			"back": func(t *rapid.T) { w.idp.fail = nil },
			"retire": func(t *rapid.T) {
				alive()
				if shown, err := w.m.Retire(ctx, "shop", "", "ann"); err == nil && !shown.Done && rapid.Bool().Draw(t, "means it") {
					_, _ = w.m.Retire(ctx, "shop", shown.Confirm, "ann")
					forced = true // also where usher died before it could answer
				}
			},
			"": func(t *rapid.T) { // what must hold always
				if w.life.dead {
					return
				}
				v, err := w.m.Get(ctx, "shop")
				if err != nil {
					return // killed in this moment
				}
				current := 0
				for _, n := range v.Versions {
					if n.State == credential.VersionCurrent {
						current++
					}
				}
				if current != 1 {
					t.Fatalf("%d versions are current", current)
				}
				if live := len(w.idp.live()); live > 3 || !rules.Overlap && live != 1 {
					t.Fatalf("%d secrets live at the provider", live)
				}
				if !rules.Overlap || forced {
					return
				}
				for name, p := range programs {
					if !slices.Contains(w.idp.live(), idOf(w, p.value)) {
						t.Fatalf("the secret that %s has was retired", name)
					}
				}
			},
		})
		// Everything comes back, everybody asks and uses what he has: it ends.
		w.idp.fail = nil
		for range 60 {
			alive()
			// Also who was given nothing, for usher died: it may know of them.
			for _, name := range names {
				fetch(name)
				fetch(name)
			}
			for _, p := range programs {
				if id, taken := w.idp.take(p.value); taken && rules.UseTold {
					w.m.Observe(ctx, event(w, id, usher.StatusSuccess))
				}
			}
			tick(5 * time.Minute)
			tick(time.Second)
			if v, err := w.m.Get(ctx, "shop"); err == nil && v.Rotation == nil {
				break
			}
		}
		w.start(0, false)
		v := w.get()
		if v.Rotation != nil {
			t.Fatalf("it does not end: %s", v.Next)
		}
		if live := w.idp.live(); len(live) != 1 {
			t.Fatalf("at the end the provider takes %q", live)
		}
		if g, err := w.m.Fetch(ctx, "shop", "key z", 0); err != nil || idOf(w, g.Value) != w.idp.live()[0] {
			t.Fatalf("what is handed out is not what the provider takes: %v", err)
		}
	})
}

// idOf gives the provider's id of a value.
func idOf(w *world, value usher.Secret) string {
	w.idp.mu.Lock()
	defer w.idp.mu.Unlock()
	for _, s := range w.idp.secrets {
		if s.value == value {
			return s.ID
		}
	}
	return ""
}
