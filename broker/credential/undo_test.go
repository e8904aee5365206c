package credential_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker/credential"
	"usher/provider"
)

// TestUndoTellsOfTheOldOne: what was found out about the new one is not told of
// the old one that is handed out again.
func TestUndoTellsOfTheOldOne(t *testing.T) {
	w := newWorld(t, kinds["entra"])
	w.add(shop())
	_, err := w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.run(time.Minute, 5*time.Second)
	w.idp.mu.Lock()
	w.idp.secrets[0].retired = w.clock.now() // somebody ended the old one
	w.idp.mu.Unlock()
	w.must(w.m.Undo(ctx, "shop", "ann"))
	if v := w.get(); v.Version != 1 || v.Health.Outcome == usher.OutcomeOK || !v.Health.At.IsZero() {
		t.Errorf("version %d works: %+v", v.Version, v.Health)
	}
	w.must(w.m.Tick(ctx))
	if v := w.get(); v.Health.Outcome != usher.OutcomeWrong {
		t.Errorf("it was not tried anew: %+v", v.Health)
	}
}

// TestOnlyOneIsNotAnother: the one secret that a client has at the provider is
// not taken for the one that usher was given, where it was made later.
func TestOnlyOneIsNotAnother(t *testing.T) {
	for _, later := range []bool{false, true} {
		w := newWorld(t, kinds["entra"])
		if later {
			w.idp.secrets[0].Created = w.clock.now().Add(time.Hour)
		}
		w.idp.secrets[0].Expires = w.clock.now().Add(90 * 24 * time.Hour)
		w.add(shop())
		w.clock.pass(2 * time.Hour)
		_, err := w.m.Rotate(ctx, "shop", "", "ann")
		w.must(err)
		w.run(time.Minute, 5*time.Second)
		w.must(w.m.Undo(ctx, "shop", "ann"))
		v := w.get()
		if known := v.ID != "" && !v.Expires.IsZero(); known == later || v.ID == "" != v.Expires.IsZero() {
			t.Errorf("made later %v: its id is %q, it ends at %s", later, v.ID, v.Expires)
		}
	}
}

// TestUndoWhereTheOldOneEnds: where the provider ends the old one by itself and
// can end no other, the new one is handed out again in time, and nobody is left
// with a dead one.
func TestUndoWhereTheOldOneEnds(t *testing.T) {
	w := newWorld(t, kinds["keycloak with a rotation policy"])
	w.idp.grace = 2 * time.Hour
	w.add(shop())
	has, value := w.fetch("key a", 0)
	_, err := w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.run(time.Minute, 5*time.Second)
	ends := w.get().Old.Ends
	w.must(w.m.Undo(ctx, "shop", "ann"))
	v := w.get()
	if v.Version != 1 || ends.IsZero() || !v.Expires.Equal(ends) || v.Turn != usher.FixerTenantAdmin || !strings.Contains(v.Next, "by itself") {
		t.Errorf("version %d ends at %s, want %s: %s", v.Version, v.Expires, ends, v.Next)
	}
	if _, err := w.m.Retire(ctx, "shop", "", "ann"); err == nil {
		t.Error("what cannot be ended is retired")
	}
	for range 4 * 60 {
		w.run(time.Minute, time.Minute)
		n, fresh := w.fetch("key a", has)
		if fresh != "" {
			has, value = n, fresh
		}
		w.idp.mu.Lock()
		if s := w.idp.secrets[0]; s.retired.IsZero() && !w.clock.now().Before(ends) {
			s.retired = w.clock.now()
		}
		w.idp.mu.Unlock()
		if _, taken := w.idp.take(value); !taken {
			t.Fatalf("%s: the program has a dead one, version %d", w.clock.now().Format(time.TimeOnly), has)
		}
	}
	if v := w.get(); v.Version != 2 || v.Rotation != nil {
		t.Errorf("version %d: %s", v.Version, v.Next)
	}
}

// TestLeakIsOver: the case of a leak is closed when the version that leaked has
// ended and is refused, whatever else the rotation waits for; and not before.
func TestLeakIsOver(t *testing.T) {
	w := newWorld(t, kinds["keycloak"])
	w.add(shop())
	w.fetch("key late", 0)
	_, err := w.m.Leaked(ctx, credential.Seen{Value: "first-value", Source: "scanner"})
	w.must(err)
	w.run(time.Minute, 10*time.Second)
	if len(w.found(credential.CheckLeaked, usher.OutcomeOK)) != 0 {
		t.Fatal("closed while it works")
	}
	_, err = w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.idp.rules.Overlap = false
	w.must(w.m.Tick(ctx))
	w.idp.mu.Lock()
	alive := w.idp.secrets[0].retired
	w.idp.mu.Unlock()
	w.run(time.Minute, 10*time.Second)
	if v := w.get(); v.Rotation == nil || alive.IsZero() {
		t.Fatal("nobody is late")
	}
	if f := w.found(credential.CheckLeaked, usher.OutcomeOK); len(f) != 1 || len(f[0].Proof) == 0 {
		t.Errorf("closed %d times", len(f))
	}
}

// TestLeakIsNotOver: an ended version that the provider takes all the same keeps
// its case open until it does not.
func TestLeakIsNotOver(t *testing.T) {
	w := newWorld(t, kinds["okta"])
	w.add(shop())
	w.fetch("key a", 0)
	_, err := w.m.Leaked(ctx, credential.Seen{Value: "first-value", Source: "scanner"})
	w.must(err)
	_, err = w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.run(time.Minute, 5*time.Second)
	w.fetch("key a", 2)
	w.idp.stubborn = true
	w.run(time.Hour, time.Minute)
	if v := w.get(); v.Rotation != nil || len(w.found(credential.CheckLeaked, usher.OutcomeOK)) != 0 {
		t.Fatalf("closed while the provider takes it: %s", v.Next)
	}
	w.idp.mu.Lock()
	w.idp.secrets[0].retired = w.clock.now()
	w.idp.mu.Unlock()
	w.run(2*time.Hour, time.Minute)
	if n := len(w.found(credential.CheckLeaked, usher.OutcomeOK)); n != 1 {
		t.Errorf("closed %d times", n)
	}
}

// TestWords: what a person is told of a wait and of a plan can be acted on.
func TestWords(t *testing.T) {
	w := newWorld(t, provider.SecretRules{Kind: "x", Place: "the tenant t", Overlap: true, Told: true, Most: 2, Creates: "POST /api/v2/clients/{id}/rotate-secret"})
	c := shop()
	c.QuietFor = usher.Duration(time.Hour)
	w.add(c)
	plan, err := w.m.Plan(ctx, "shop")
	w.must(err)
	if plan.Object != "client 'shop-client' of the tenant t" || !slices.ContainsFunc(plan.Steps, func(s credential.PlanStep) bool { return strings.Contains(s.Request, "/clients/shop-client/") }) {
		t.Errorf("%+v", plan)
	}
	w.fetch("key a@10.0.0.7", 0)
	w.fetch("key a@10.0.0.8", 0)
	_, err = w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.run(time.Minute, 5*time.Second)
	v := w.get()
	if !strings.HasSuffix(v.Next, "and so has 1 more caller") {
		t.Error(v.Next)
	}
	quiet := v.Rotation.Holds[slices.IndexFunc(v.Rotation.Holds, func(h credential.Hold) bool { return h.Kind == "quiet" })]
	if !strings.Contains(quiet.Text, "for 1h15m (the quiet time of 1h,") || !quiet.Until.Equal(v.Rotation.Moved.Add(75*time.Minute)) {
		t.Errorf("%s until %s", quiet.Text, quiet.Until)
	}
	if n, err := w.m.Forget(ctx, "shop", "a@10.0.0.7", "ann"); n != 1 || err != nil {
		t.Error(n, err)
	}
	if n, err := w.m.Forget(ctx, "shop", "a@*", "ann"); n != 1 || err != nil {
		t.Error(n, err)
	}
}
