package broker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
)

// ends is a store before which a test does something, once, when an answer comes.
type ends struct {
	broker.Store
	answer func()
}

func (s *ends) Answer(ctx context.Context, id string, st broker.Status, tokens []byte) error {
	if f := s.answer; f != nil {
		s.answer = nil
		f()
	}
	return s.Store.Answer(ctx, id, st, tokens)
}

// TestAnswerAtTheEnd ends the broker between the answer and its storing: the
// answer is stored all the same.
func TestAnswerAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		two := h.replica("two")
		h.connected(two)
		s := &ends{Store: h.store}
		one := h.replica("one", func(o *broker.Options) { o.Store, o.Grace = s, time.Millisecond })
		s.answer = func() {
			go one.Close()
			time.Sleep(time.Second)
		}
		time.Sleep(50 * time.Minute)
		_, _ = one.Renew(t.Context(), shop)
		one.Close()
		if v := h.view(two); v.Status.Generation != 2 || v.Status.Attempt != nil {
			t.Errorf("%+v", v.Status)
		}
	})
}

// TestConnectedWhileTheStoreIsAway keeps what a person's connecting gave, though
// the person has closed the page.
func TestConnectedWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		two := h.replica("two")
		h.connected(two)
		one, m := h.mortal("one", nil)
		m.storeAway(errors.New("connection refused"))
		time.AfterFunc(5*time.Second, func() { m.storeAway(nil) })
		closed, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := one.Connected(closed, shop, &grant.Answer{Access: "access-9", Refresh: "renewer-9", TokenType: "Bearer", Received: time.Now(), ExpiresIn: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if tok := h.token(two, broker.Ask{Refused: "access-1"}); tok.Access != "access-9" {
			t.Errorf("%+v", tok)
		}
	})
}

// TestStoodStill halts the only replica between writing down and sending: that
// is no fault of the provider, no event says so, and the caller is served.
func TestStoodStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		halted := false
		one, _ := h.mortal("one", func(m *mortal, step string) {
			if step == "begun" && !halted {
				halted = true
				m.stop(8 * time.Second)
			}
		})
		h.connected(one)
		time.Sleep(time.Hour)
		if tok := h.token(one, broker.Ask{}); tok.Access != "access-2" {
			t.Errorf("%+v", tok)
		}
		for _, ev := range h.events.list() {
			if ev.Status == usher.StatusFailure {
				t.Errorf("%+v", ev)
			}
		}
		h.once(1)
	})
}

// TestRefusalIsNotWrittenDown has the store go away when the provider says "not
// now": this replica knows still that nothing was spent, and asks no person.
func TestRefusalIsNotWrittenDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		one, m := h.mortal("one", func(m *mortal, step string) {
			if step == "note" {
				m.storeAway(errors.New("connection refused"))
			}
		})
		h.connected(one, func(c *broker.Config) { c.Endpoints.Introspection = "" })
		h.provider.down = true
		time.Sleep(50 * time.Minute)
		_, _ = one.Renew(t.Context(), shop)
		time.Sleep(time.Minute)
		m.at = nil
		m.storeAway(nil)
		h.provider.set(func(p *provider) { p.down = false })
		time.Sleep(2 * time.Minute)
		if _, err := one.Renew(t.Context(), shop); err != nil {
			t.Error(err)
		}
		h.once(2)
	})
}

// TestForbiddenAsksNobody has a caller who may not use a connection demand the
// most of it: no request goes out.
func TestForbiddenAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		h.connected(b, func(c *broker.Config) { c.Callers = []string{"shop"} })
		time.Sleep(2 * time.Hour)
		for _, ask := range []broker.Ask{
			{Caller: "key thief"}, {Caller: "key thief", LeastLife: time.Hour}, {Caller: "key thief", LeastLife: time.Hour, Refused: "access-0"},
		} {
			if _, err := b.Token(t.Context(), shop, ask); !errors.Is(err, broker.ErrForbidden) {
				t.Error(err)
			}
			if _, err := h.replica("two").Token(t.Context(), shop, ask); !errors.Is(err, broker.ErrForbidden) {
				t.Error(err)
			}
		}
		h.once(0)
	})
}

// contended is a store in whose pace others always write first, for a while.
type contended struct {
	broker.Store
	left int
}

func (s *contended) SetPace(ctx context.Context, p broker.Pace) error {
	if s.left > 0 {
		s.left--
		return broker.ErrStale
	}
	return s.Store.SetPace(ctx, p)
}

// TestPaceContended serves a caller though many replicas write the pace at once,
// and takes nothing that it could not write down.
func TestPaceContended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		s := &contended{Store: h.store, left: 50}
		b := h.replica("one", func(o *broker.Options) { o.Store = s })
		c, k := machine()
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		if tok := h.token(b, broker.Ask{}); tok.Access != "access-1" {
			t.Errorf("%+v", tok)
		}
		if s.left > 0 {
			t.Error("a request went out that no other replica can know of")
		}
	})
}

// TestStopWaitsForTheOnlyAnswer ends a running broker while its provider takes 30 s
// over a refresh token that is good once: the answer is waited for and stored, who
// waits for it meanwhile is told at once, and nothing new is begun.
func TestStopWaitsForTheOnlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		h.connected(b)
		stop := h.run(b)
		h.provider.set(func(p *provider) { p.takes = 30 * time.Second })
		told := make(chan time.Duration, 1)
		go func() {
			begun := time.Now()
			_, err := b.Token(t.Context(), shop, broker.Ask{Refused: "access-1"})
			var gone *broker.Unavailable
			if !errors.As(err, &gone) || gone.Retry.IsZero() {
				t.Errorf("a caller who waits is told %v", err)
			}
			told <- time.Since(begun)
		}()
		time.Sleep(time.Second)
		begun := time.Now()
		stop()
		if took := time.Since(begun); took < 25*time.Second || took > 40*time.Second {
			t.Errorf("stopped after %s", took)
		}
		if waited := <-told; waited > 2*time.Second {
			t.Errorf("a caller was held for %s", waited)
		}
		two := h.replica("two")
		if v := h.view(two); v.Status.Generation != 2 || v.Status.Attempt != nil {
			t.Errorf("%+v", v.Status)
		}
		if _, err := b.Renew(t.Context(), shop); err == nil {
			t.Error("it renews after its end")
		}
		h.once(1)
	})
}
