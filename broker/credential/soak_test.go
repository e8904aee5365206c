package credential_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher"
	"usher/broker/credential"
	"usher/broker/memory"
	"usher/provider"
)

// TestSoak rotates secrets while 500 requests a second use them and processes
// are killed: no request fails, and no secret is retired while it is in use. Forty
// rotations in a test, fewer where the machine is slow; 1,000 with USHER_SOAK=1.
// It waits for progress and not for the clock: a machine that is busy makes
// fewer requests too.
func TestSoak(t *testing.T) {
	rotations, least, subjects, enough := 40, 8, 4, 8*time.Second
	if os.Getenv("USHER_SOAK") != "" {
		rotations, least, subjects, enough = 1000, 1000, 8, 0
	} else if testing.Short() {
		t.Skip("NOT TESTED with -short: rotations under load")
	}
	s := newSoak(t, subjects)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load, drivers sync.WaitGroup
	loaded, unload := context.WithCancel(ctx)
	for _, sub := range s.subjects {
		for i := range 4 {
			load.Go(func() { s.call(loaded, sub, fmt.Sprintf("key app@%d", i), 500/(len(s.subjects)*4)) })
		}
		load.Go(func() { s.tell(loaded, sub) })
	}
	load.Go(func() { s.killing(loaded) })
	begun := time.Now()
	more := func() bool {
		done := int(s.done.Load())
		return ctx.Err() == nil && done < rotations && (done < least || s.killed.Load() == 0 || enough == 0 || time.Since(begun) < enough)
	}
	for _, sub := range s.subjects {
		drivers.Go(func() {
			for more() {
				if s.rotate(ctx, sub) && s.done.Add(1)%3 == 0 {
					select {
					case s.kill <- struct{}{}:
					default:
					}
				}
			}
		})
	}
	load.Go(func() { s.watch(loaded, stop) })
	drivers.Wait()
	unload()
	load.Wait()
	s.end()
	requests, failed := 0, 0
	for _, sub := range s.subjects {
		r, f := sub.judge(t)
		requests, failed = requests+r, failed+f
	}
	t.Logf("%d rotations, %d given up, %d requests, %d failed, %d processes killed", s.done.Load(), s.gaveUp.Load(), requests, failed, s.killed.Load())
	if int(s.done.Load()) < least {
		t.Errorf("%d rotations came to an end, want %d", s.done.Load(), least)
	}
	if s.gaveUp.Load()*10 > s.done.Load() {
		t.Errorf("a person had to give %d rotations up", s.gaveUp.Load())
	}
	if failed > 0 || requests < least || s.killed.Load() == 0 {
		t.Errorf("%d of %d requests failed", failed, requests)
	}
}

// soakHangs is how many requests are made without a rotation that ends before
// that is a fault: at full speed those of 40 seconds.
const soakHangs = 20000

// watch ends a run that makes no progress.
func (s *soak) watch(ctx context.Context, stop func()) {
	done, since := int64(-1), int64(0)
	for pause(ctx, 100*time.Millisecond) {
		if now := s.done.Load(); now != done {
			done, since = now, s.sent.Load()
		}
		if s.sent.Load()-since < soakHangs {
			continue
		}
		for _, sub := range s.subjects {
			if v, err := s.any().Get(context.Background(), sub.name); err == nil && v.Rotation != nil {
				s.t.Errorf("%s does not end: %s", sub.name, v.Next)
			}
		}
		s.t.Errorf("no rotation came to an end in %d requests", soakHangs)
		stop()
		return
	}
}

// subject is one secret with its provider.
type subject struct {
	name string
	idp  *idp
	log  chan usher.Event // of the provider, in order
}

type soak struct {
	t        *testing.T
	store    *memory.Store
	subjects []*subject
	killed   atomic.Int64
	done     atomic.Int64 // rotations that came to an end
	gaveUp   atomic.Int64 // rotations that a person took back, for they asked for that
	sent     atomic.Int64 // requests
	kill     chan struct{}

	mu       sync.Mutex
	replicas []*replica
}

// replica is one process.
type replica struct {
	m    *credential.Manager
	life *life
	done chan struct{}
}

// soakStall is for how long a process may get no time on a busy machine and is
// not taken for dead: each time that happens while the provider is asked is one
// of the few tries that a rotation has.
const soakStall = time.Second

const soakQuiet = 60 * time.Millisecond

func newSoak(t *testing.T, n int) *soak {
	s := &soak{t: t, store: memory.New(nil), kill: make(chan struct{}, 1)}
	rules := []provider.SecretRules{
		{Kind: "okta", Overlap: true, Most: 2, Told: true},
		{Kind: "entra", Overlap: true, Named: true, Delay: 40 * time.Millisecond, UseTold: true},
	}
	for i := range n {
		s.subjects = append(s.subjects, &subject{name: fmt.Sprintf("s%d", i), idp: newIDP(time.Now, rules[i%2]), log: make(chan usher.Event, 1000)})
	}
	s.replicas = []*replica{s.start(), s.start()}
	for _, sub := range s.subjects {
		c := credential.Config{Name: sub.name, Provider: sub.name, ClientID: sub.name + "-client", TokenEndpoint: "https://sso.test/token", QuietFor: usher.Duration(soakQuiet), VerifyEvery: usher.Duration(time.Hour)}
		if err := s.any().Add(ctx, c, credential.Handed{Value: "first-value"}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *soak) start() *replica {
	l := &life{}
	l.ctx, l.end = context.WithCancel(context.Background())
	r := &replica{life: l, done: make(chan struct{})}
	r.m = credential.New(credential.Options{
		Store: mortal{s.store, l}, Seal: box{},
		Provider: func(name string) (provider.Secrets, bool) {
			for _, sub := range s.subjects {
				if sub.name == name {
					return mortalIDP{sub.idp, l}, true
				}
			}
			return nil, false
		},
		Verify: func(ctx context.Context, c credential.Config, v usher.Secret) credential.Verdict {
			for _, sub := range s.subjects {
				if sub.name == c.Name {
					return sub.idp.verify(ctx, c, v)
				}
			}
			return credential.Verdict{Outcome: usher.OutcomeUnknown}
		},
		Cap:  credential.Cap{PerHour: 1 << 30},
		Pace: credential.Pace{Tick: 10 * time.Millisecond, Lease: soakStall, Call: soakStall, Again: 10 * time.Millisecond, InFlight: time.Millisecond},
	})
	go func() {
		defer close(r.done)
		r.m.Run(l.ctx)
	}()
	return r
}

// any gives a process that lives, as a load balancer does.
func (s *soak) any() *credential.Manager {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replicas[rand.IntN(len(s.replicas))].m
}

// killing kills a process after every few rotations, in the midst of others, at
// one of its next calls, and starts another one in its place.
func (s *soak) killing(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.kill:
		}
		if !pause(ctx, time.Duration(rand.IntN(100))*time.Millisecond) {
			return
		}
		s.mu.Lock()
		i := rand.IntN(len(s.replicas))
		old := s.replicas[i]
		s.replicas[i] = s.start()
		s.mu.Unlock()
		old.life.mu.Lock()
		old.life.at, old.life.after = old.life.calls+1+rand.IntN(10), rand.IntN(2) == 0
		old.life.mu.Unlock()
		if !pause(ctx, 20*time.Millisecond) {
			old.life.end()
			return
		}
		old.life.end()
		<-old.done
		s.killed.Add(1)
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// call is a program: it keeps the secret, asks for it anew now and then, and
// sends requests with it.
func (s *soak) call(ctx context.Context, sub *subject, name string, perSecond int) {
	var has int64
	var value usher.Secret
	poll := time.Time{}
	for range time.Tick(time.Second / time.Duration(perSecond)) {
		if ctx.Err() != nil {
			return
		}
		if time.Now().After(poll) {
			poll = time.Now().Add(40 * time.Millisecond)
			if g, err := s.any().Fetch(ctx, sub.name, name, has); err == nil && g.Value != "" {
				has, value = g.Version, g.Value
			}
		}
		if has == 0 {
			continue
		}
		sent := value
		if !pause(ctx, time.Duration(rand.IntN(5))*time.Millisecond) { // on the way
			return
		}
		id, taken := sub.idp.take(sent)
		s.sent.Add(1)
		if taken && sub.idp.rules.UseTold {
			sub.log <- usher.Event{Time: time.Now(), Status: usher.StatusSuccess, Client: usher.Party{UID: sub.name + "-client"}, OAuth: usher.OAuthFacts{Credential: id}}
		}
	}
}

// tell is the provider's log, which is read late and in order.
func (s *soak) tell(ctx context.Context, sub *subject) {
	for {
		select {
		case <-ctx.Done():
			for range len(sub.log) {
				<-sub.log
			}
			return
		case ev := <-sub.log:
			if wait := time.Until(ev.Time.Add(15 * time.Millisecond)); wait > 0 {
				pause(ctx, wait)
			}
			s.any().Observe(ctx, &ev)
		}
	}
}

// rotate rotates a secret, and tells whether that came to an end.
func (s *soak) rotate(ctx context.Context, sub *subject) bool {
	if _, err := s.any().Rotate(ctx, sub.name, "soak", "test"); err != nil {
		return !pause(ctx, 10*time.Millisecond) && false
	}
	for pause(ctx, 5*time.Millisecond) {
		v, err := s.any().Get(ctx, sub.name)
		switch {
		case err != nil:
		case v.Rotation == nil:
			return true
		case v.Rotation.Step == credential.StepCreating && v.Rotation.Turn == usher.FixerTenantAdmin:
			// Five times who asked was killed: usher says so, and a person does what it says.
			if s.any().Undo(ctx, sub.name, "a person") == nil {
				s.gaveUp.Add(1)
				return false
			}
		}
	}
	return false
}

func (s *soak) end() {
	for _, r := range s.replicas {
		r.life.end()
		<-r.done
	}
}

// judge holds the history against what must be: every request was taken, and
// between the last use of a secret and its end lies the quiet time.
func (sub *subject) judge(t *testing.T) (requests, failed int) {
	sub.idp.mu.Lock()
	defer sub.idp.mu.Unlock()
	last := map[string]time.Time{}
	for _, u := range sub.idp.uses {
		requests++
		if !u.taken {
			failed++
			t.Errorf("%s: a request with %q failed at %s", sub.name, u.id, u.at.Format(time.StampMilli))
		}
		if u.at.After(last[u.id]) {
			last[u.id] = u.at
		}
	}
	live := 0
	for _, s := range sub.idp.secrets {
		switch used := last[s.ID]; {
		case s.retired.IsZero():
			live++
		case !used.IsZero() && used.After(s.retired):
			t.Errorf("%s: %s was retired at %s and used at %s", sub.name, s.ID, s.retired.Format(time.StampMilli), used.Format(time.StampMilli))
		case !used.IsZero() && s.retired.Sub(used) < soakQuiet/2:
			// Half: what was on its way when its caller moved is not seen by everybody.
			t.Errorf("%s: %s was retired %s after its last use", sub.name, s.ID, s.retired.Sub(used))
		}
	}
	if live > 2 {
		t.Errorf("%s: %d secrets are left", sub.name, live)
	}
	return requests, failed
}
