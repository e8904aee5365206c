package broker_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"usher"
	"usher/broker"
	"usher/policy/lifespan"
	"usher/test/broker/history"
	"usher/test/broker/strict"
)

// TestWeek lets connections live for a week at one provider that is away for six
// hours in the middle: nobody gets a token with less life than promised while
// the provider is up, and when it is back it is not overrun. The clock jumps.
// USHER_WEEK=10000 is the full one; it takes minutes.
func TestWeek(t *testing.T) {
	conns := number("USHER_WEEK", 250)
	if os.Getenv("USHER_SOAK") != "" && os.Getenv("USHER_WEEK") == "" {
		conns = 10000
	}
	if testing.Short() {
		conns = 100
	}
	synctest.Test(t, func(t *testing.T) { week(t, conns) })
}

const (
	leastLife = 2 * time.Minute
	weekRate  = 20 // requests a second that the provider is asked at most
	weekBurst = 40
)

func week(t *testing.T, conns int) {
	real := stopwatch()
	rnd := rand.New(rand.NewPCG(seed(), 8))
	p := strict.New(time.Now, strict.Sleep)
	p.Brief = true
	s := settings{
		Deadline: time.Minute, Lease: 10 * time.Second, Poll: time.Minute, Rate: weekRate, Burst: weekBurst, Workers: 64,
		Policies: []lifespan.Policy{{Name: "week", RenewAt: 0.75, RenewBefore: usher.Duration(6 * time.Minute), Jitter: 0.1, LeastLife: usher.Duration(leastLife)}},
	}
	f := newLocal(t.Context(), 3, s, p)
	defer f.close()
	began := time.Now()

	ids := make([]string, conns)
	var adding sync.WaitGroup
	for i := range conns {
		id := fmt.Sprintf("conn-%d", i)
		ids[i] = id
		life := time.Hour * []time.Duration{1, 2, 8, 8, 8, 8, 8, 12, 12, 12, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24}[rnd.IntN(20)]
		p.Register(strict.Client{ID: id, Secret: "s", Life: life, Before: time.Duration(rnd.IntN(300)) * time.Millisecond})
		c := broker.Config{
			ID: id, Grant: broker.GrantCode, ClientID: id, AuthMethod: "client_secret_basic", Policy: "week",
			Endpoints: broker.Endpoints{Token: "https://provider.test/token", Authorization: "https://provider.test/authorize", Introspection: "https://provider.test/introspect"},
		}
		adding.Go(func() {
			access, refresh := p.Connect(id, life)
			if err := f.add(i%3, c, "s", answer(access, refresh, life)); err != nil {
				t.Error(err)
			}
		})
	}
	adding.Wait()
	if t.Failed() {
		return
	}

	var asked, short, refused, late, wrong, last atomic.Int64
	outage, back := began.Add(72*time.Hour), began.Add(78*time.Hour)
	// What was due in the outage is asked for at the pace; it grows slowly from a
	// tenth of the rate.
	recovered := back.Add(30*time.Minute + time.Duration(conns/weekRate)*2*time.Second)
	complain := func(format string, args ...any) {
		if wrong.Add(1) <= 20 {
			t.Errorf(format, args...)
		}
	}
	ask := func(id string) {
		n := f.node(rand.IntN(3))
		at := time.Now()
		token, err := n.broker.Token(t.Context(), id, broker.Ask{Caller: "test"})
		now := time.Now()
		asked.Add(1)
		excused := now.After(outage) && at.Before(recovered)
		switch {
		case err != nil && excused:
			refused.Add(1)
			last.Store(int64(now.Sub(began)))
		case err != nil:
			complain("%s after %s: %s: refused although the provider is up: %v", now.Sub(began), now.Sub(at), id, err)
		case token.Expires.Sub(now) < leastLife && excused:
			short.Add(1)
			last.Store(int64(now.Sub(began)))
			if now.After(token.Expires) {
				complain("%s: %s: a dead token", now.Sub(began), id)
			}
		case token.Expires.Sub(now) < leastLife:
			complain("%s: %s: a token with %s to live, promised are %s (short: %q)", now.Sub(began), id, token.Expires.Sub(now), leastLife, token.Short)
		case !p.Accepts(token.Access.Reveal()) && !excused:
			late.Add(1) // replaced by another replica a moment before
		}
		if now.Sub(at) > 2*time.Minute && !excused {
			complain("%s: %s: a caller waited %s", now.Sub(began), id, now.Sub(at))
		}
	}
	var callers sync.WaitGroup
	down := false
	for minute := 0; time.Since(began) < 7*24*time.Hour; minute++ {
		if now := time.Now(); !down && !now.Before(outage) && now.Before(back) {
			down = true
			p.Fail(strict.Refuses, "")
		} else if down && !now.Before(back) {
			down = false
			p.Fail(strict.Up, "")
		}
		for i := minute % 120; i < conns; i += 120 { // each every two hours
			callers.Go(func() {
				time.Sleep(time.Duration(rand.Int64N(int64(time.Minute))))
				ask(ids[i])
			})
		}
		time.Sleep(time.Minute)
	}
	callers.Wait()

	n := p.Count("")
	if n[history.Reused]+n[history.Dead]+n[history.Stranger] != 0 {
		t.Errorf("at the provider: %v", n)
	}
	finals, err := f.finals(ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range finals {
		if f.State != string(broker.StateAlive) {
			complain("%s is %s in the end", f.Conn, f.State)
		}
	}
	// The herd, second by second.
	level, most, inOutage, mostAfter := float64(weekBurst), 0, 0, 0
	seconds := p.Seconds()
	var lastOver time.Time
	for at := began.Unix(); at <= time.Now().Unix(); at++ {
		here := seconds[at]
		most = max(most, here)
		if at > outage.Unix()+60 && at < back.Unix() {
			inOutage += here
		}
		if at >= back.Unix() && at < recovered.Unix() {
			mostAfter = max(mostAfter, here)
		}
		if level = min(weekBurst, level+weekRate) - float64(here); level < -weekRate && lastOver.IsZero() {
			lastOver = time.Unix(at, 0)
			t.Errorf("a herd: %d requests in the second %s after the start; %d a second and %d at once are allowed", here, lastOver.Sub(began), weekRate, weekBurst)
		}
	}
	t.Logf("%d connections, %d tokens asked for: %d short and %d refused in the outage and the half hour after it, %d replaced a moment before; provider: %v, at most %d a second, %d in the outage (%.2f a minute), at most %d a second after it; the last caller without a full token %s after the provider was back; took %s",
		conns, asked.Load(), short.Load(), refused.Load(), late.Load(), n, most, inOutage, float64(inOutage)/359, mostAfter, time.Duration(last.Load())-back.Sub(began), real())
}
