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
// rotations in a test, 1,000 with USHER_SOAK=1.
func TestSoak(t *testing.T) {
	rotations, patience := 40, 5*time.Minute
	if os.Getenv("USHER_SOAK") != "" {
		rotations, patience = 1000, 20*time.Minute
	} else if testing.Short() {
		t.Skip("NOT TESTED with -short: rotations under load")
	}
	s := newSoak(t, 8)
	ctx, stop := context.WithTimeout(t.Context(), patience)
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
	var done atomic.Int64
	for _, sub := range s.subjects {
		drivers.Go(func() {
			for int(done.Load()) < rotations && ctx.Err() == nil {
				if s.rotate(ctx, sub) && done.Add(1)%3 == 0 {
					select {
					case s.kill <- struct{}{}:
					default:
					}
				}
			}
		})
	}
	drivers.Wait()
	unload()
	load.Wait()
	s.end()
	requests, failed := 0, 0
	for _, sub := range s.subjects {
		r, f := sub.judge(t)
		requests, failed = requests+r, failed+f
	}
	t.Logf("%d rotations, %d requests, %d failed, %d processes killed", done.Load(), requests, failed, s.killed.Load())
	if int(done.Load()) < rotations {
		t.Errorf("%d of %d rotations came to an end", done.Load(), rotations)
	}
	if failed > 0 || requests < rotations || s.killed.Load() == 0 {
		t.Errorf("%d of %d requests failed", failed, requests)
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
		Pace: credential.Pace{Tick: 4 * time.Millisecond, Lease: 300 * time.Millisecond, Call: 300 * time.Millisecond, Again: 4 * time.Millisecond, InFlight: time.Millisecond},
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
		if v, err := s.any().Get(ctx, sub.name); err == nil && v.Rotation == nil {
			return true
		}
	}
	if v, err := s.any().Get(context.Background(), sub.name); err == nil {
		s.t.Errorf("%s does not end: %s", sub.name, v.Next)
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
