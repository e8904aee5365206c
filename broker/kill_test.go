package broker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"usher"
	"usher/broker"
)

// killAt gives a hook that kills the replica at its first step of that name.
func killAt(at string) func(*mortal, string) {
	return func(m *mortal, step string) {
		if step == at {
			m.kill()
		}
	}
}

// TestKilledBeforeSending kills the holder between writing the attempt down and
// sending: when the attempt is over, another finds by introspection that the
// refresh token was not spent, and renews.
func TestKilledBeforeSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		two := h.replica("two")
		one, _ := h.mortal("one", killAt("begun"))
		h.connected(two)
		time.Sleep(50 * time.Minute)
		renewInVain(t, one)
		if tok := h.token(two, broker.Ask{}); tok.Access != "access-1" || tok.Short != "" {
			t.Errorf("%+v", tok)
		}
		time.Sleep(9*time.Minute + 30*time.Second)
		if tok := h.token(two, broker.Ask{}); tok.Access != "access-2" {
			t.Errorf("%+v", tok)
		}
		h.once(1)
	})
}

// TestKilledAtExpiry has callers wait for the attempt of a holder that was killed
// before it sent.
func TestKilledAtExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		two := h.replica("two")
		one, _ := h.mortal("one", killAt("begun"))
		h.connected(two)
		time.Sleep(time.Hour)
		renewInVain(t, one)
		began := time.Now()
		if tok := h.token(two, broker.Ask{}); tok.Access != "access-2" || time.Since(began) > 90*time.Second {
			t.Errorf("%+v after %v", tok, time.Since(began))
		}
		h.once(1)
	})
}

// TestKilledAfterSending kills the holder when the provider has spent the
// refresh token: it is never presented again, the access token is used while it
// lives, and a person is asked.
func TestKilledAfterSending(t *testing.T) {
	for _, step := range []string{"asked", "answer"} {
		for _, introspects := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				two := h.replica("two")
				one, _ := h.mortal("one", killAt(step))
				h.connected(two, func(c *broker.Config) {
					if !introspects {
						c.Endpoints.Introspection = ""
					}
				})
				time.Sleep(50 * time.Minute)
				renewInVain(t, one)
				stop := h.run(two)
				time.Sleep(5 * time.Minute)
				if tok := h.token(two, broker.Ask{}); tok.Access != "access-1" || tok.Short != "" {
					t.Errorf("%s: %+v", step, tok)
				}
				if v := h.view(two); v.Status.State != broker.StateWaiting || v.Status.Trouble.Link == "" || v.Status.Trouble.Turn != usher.FixerUser {
					t.Errorf("%s: %+v %+v", step, v.Status, v.Status.Trouble)
				}
				time.Sleep(4*time.Minute + 30*time.Second)
				if tok := h.token(two, broker.Ask{}); tok.Access != "access-1" || tok.Short == "" {
					t.Errorf("%s: %+v", step, tok)
				}
				time.Sleep(time.Hour)
				var u *broker.Unavailable
				if _, err := two.Token(t.Context(), shop, broker.Ask{}); !errors.As(err, &u) || u.Trouble.Cause != "refresh-token-reused" {
					t.Errorf("%s: %v", step, err)
				}
				h.once(1)
				h.connectedAgain(two)
				if tok := h.token(two, broker.Ask{}); tok.Short != "" {
					t.Errorf("%+v", tok)
				}
				stop()
			})
		}
	}
}

// TestKilledWhileTheProviderWorks kills the holder when its request lies in the
// provider's queue: who asks too early whether the refresh token is active is
// told that it is.
func TestKilledWhileTheProviderWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		two := h.replica("two")
		one, _ := h.mortal("one", func(m *mortal, step string) {
			if step == "ask" {
				time.AfterFunc(time.Second, m.kill)
			}
		})
		h.connected(two)
		h.provider.set(func(p *provider) { p.takes = 40 * time.Second })
		time.Sleep(48 * time.Minute)
		renewInVain(t, one)
		stop := h.run(two)
		time.Sleep(5 * time.Minute)
		h.once(1)
		if v := h.view(two); v.Status.State != broker.StateWaiting {
			t.Errorf("%+v", v.Status)
		}
		stop()
	})
}

// TestHolderComesBack stops the holder when it has the answer, for longer than
// its lease and its attempt: the answer counts all the same, for it holds the
// only successor.
func TestHolderComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		two := h.replica("two")
		one, _ := h.mortal("one", func(m *mortal, step string) {
			if step == "asked" {
				m.stop(10 * time.Minute)
			}
		})
		h.connected(two)
		time.Sleep(48 * time.Minute)
		done := make(chan error)
		go func() {
			_, err := one.Renew(t.Context(), shop)
			done <- err
		}()
		time.Sleep(time.Second)
		stop := h.run(two)
		time.Sleep(5 * time.Minute)
		if v := h.view(two); v.Status.State != broker.StateWaiting {
			t.Errorf("%+v", v.Status)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if tok := h.token(two, broker.Ask{}); tok.Access != "access-2" {
			t.Errorf("%+v", tok)
		}
		v := h.view(two)
		if v.Status.State != broker.StateAlive || v.Status.Trouble != nil || v.Status.Healed == nil || !v.Status.Refreshable {
			t.Errorf("%+v", v.Status)
		}
		time.Sleep(time.Hour)
		if tok := h.token(two, broker.Ask{}); tok.Access == "access-2" {
			t.Error("it is not renewed any more")
		}
		if h.provider.revokedFamilies() != 0 {
			t.Error("the family was revoked")
		}
		stop()
	})
}

// TestHolderStopsBeforeSending stops the holder between writing down and
// sending: when it goes on, another has renewed, and it must not send.
func TestHolderStopsBeforeSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		two := h.replica("two")
		one, _ := h.mortal("one", func(m *mortal, step string) {
			if step == "begun" {
				m.stop(3 * time.Minute)
			}
		})
		h.connected(two)
		time.Sleep(time.Hour)
		done := make(chan error)
		go func() {
			_, err := one.Renew(t.Context(), shop)
			done <- err
		}()
		time.Sleep(time.Second)
		if tok := h.token(two, broker.Ask{}); tok.Access != "access-2" {
			t.Errorf("%+v", tok)
		}
		if err := <-done; err != nil {
			t.Error(err) // what the other one renewed counts
		}
		h.once(1)
	})
}

// TestStoreAway takes the store away when the answer comes: it is kept, nobody
// is given it before it is stored, and it is not asked for again.
func TestStoreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		two := h.replica("two")
		one, m := h.mortal("one", func(m *mortal, step string) {
			if step == "asked" {
				m.storeAway(errors.New("connection refused"))
			}
		})
		h.connected(two)
		time.Sleep(59*time.Minute + 30*time.Second)
		hasty, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if tok, err := one.Token(hasty, shop, broker.Ask{}); err != nil || tok.Access != "access-1" || tok.Short == "" {
			t.Errorf("%+v %v", tok, err)
		}
		time.AfterFunc(40*time.Second, func() { m.storeAway(nil) })
		if tok := h.token(one, broker.Ask{}); tok.Access != "access-2" {
			t.Errorf("%+v", tok)
		}
		if tok := h.token(two, broker.Ask{}); tok.Access != "access-2" {
			t.Errorf("%+v", tok)
		}
		h.once(1)
	})
}

// TestMachineKilled asks again at once where nothing can be spent twice.
func TestMachineKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		two := h.replica("two")
		one, _ := h.mortal("one", killAt("asked"))
		c, k := machine()
		if _, err := two.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		renewInVain(t, one)
		began := time.Now()
		if tok := h.token(two, broker.Ask{}); tok.Access == "" || time.Since(began) > 11*time.Second { // the lease runs out
			t.Errorf("%+v after %v", tok, time.Since(began))
		}
	})
}

// TestGrace presents a refresh token again within the time in which the provider
// takes it twice.
func TestGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		two := h.replica("two")
		one, _ := h.mortal("one", killAt("begun"))
		h.connected(two, func(c *broker.Config) { c.ReuseGrace = usher.Duration(30 * time.Second) })
		time.Sleep(time.Hour)
		renewInVain(t, one)
		began := time.Now()
		if tok := h.token(two, broker.Ask{}); tok.Access != "access-2" || time.Since(began) > 11*time.Second {
			t.Errorf("%+v after %v", tok, time.Since(began))
		}
	})
}

// TestLeaseIsKept has a provider take longer than a lease: nobody else gets it.
func TestLeaseIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		h.connected(b)
		h.provider.set(func(p *provider) { p.takes = 30 * time.Second })
		time.Sleep(time.Hour)
		done := make(chan broker.Token)
		go func() { done <- h.token(b, broker.Ask{}) }()
		for range 29 {
			time.Sleep(time.Second)
			if _, err := h.store.Acquire(t.Context(), "connection/"+shop, "thief", time.Second); !errors.Is(err, broker.ErrHeld) {
				t.Fatal(err)
			}
		}
		<-done
		time.Sleep(time.Second)
		if _, err := h.store.Acquire(t.Context(), "connection/"+shop, "next", time.Second); err != nil {
			t.Error("it was not given back:", err)
		}
	})
}

// TestLost has the answer get lost on its way while the holder lives.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		h.connected(b)
		stop := h.run(b)
		h.provider.set(func(p *provider) { p.swallows = true })
		time.Sleep(50 * time.Minute)
		if v := h.view(b); v.Status.State != broker.StateWaiting || v.Status.Trouble.Cause != "refresh-token-reused" {
			t.Errorf("%+v", v.Status)
		}
		h.once(1)
		if h.provider.looks == 0 {
			t.Error("nobody asked whether the refresh token is active")
		}
		stop()
	})
}

// renewInVain has a replica renew that will be killed at it.
func renewInVain(t *testing.T, b *broker.Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := b.Renew(ctx, shop); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the replica should be dead: %v", err)
	}
}

// once tells how many requests arrived, and that no family was revoked.
func (h *house) once(requests int) {
	h.t.Helper()
	if n := h.provider.requests(); n != requests {
		h.t.Errorf("%d requests arrived, want %d", n, requests)
	}
	if n := h.provider.revokedFamilies(); n != 0 {
		h.t.Errorf("%d families were revoked", n)
	}
}
