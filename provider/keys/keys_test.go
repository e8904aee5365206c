package keys_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"usher/provider/keys"
)

type row struct {
	Issuer string    `json:"issuer"`
	Seen   time.Time `json:"seen"`
	Kids   []string  `json:"kids"`
}

func timeline(t *testing.T) map[string][]row {
	t.Helper()
	f, err := os.Open("testdata/jwks-timeline.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out, n := map[string][]row{}, 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		out[r.Issuer] = append(out[r.Issuer], r)
		n++
	}
	if n < 300 {
		t.Fatalf("only %d rows", n)
	}
	return out
}

func setOf(kids ...string) map[string][]string {
	s := map[string][]string{}
	for _, kid := range kids {
		s[kid] = []string{"key " + kid}
	}
	return s
}

// provider publishes what a timeline says at the clock's time.
type provider struct {
	rows    []row
	now     time.Time
	fetches []time.Time
}

func (p *provider) fetch(context.Context) (map[string][]string, error) {
	p.fetches = append(p.fetches, p.now)
	current := p.rows[0].Kids
	for _, r := range p.rows {
		if r.Seen.After(p.now) {
			break
		}
		current = r.Kids
	}
	return setOf(current...), nil
}

// TestTimeline replays months of real key rotation: every key that was ever
// published is asked for in every half hour from its first to its last
// publication, also while it is not published, and must be there each time.
func TestTimeline(t *testing.T) {
	for issuer, rows := range timeline(t) {
		t.Run(issuer, func(t *testing.T) {
			first, last := map[string]time.Time{}, map[string]time.Time{}
			for _, r := range rows {
				for _, kid := range r.Kids {
					if first[kid].IsZero() {
						first[kid] = r.Seen
					}
					last[kid] = r.Seen
				}
			}
			p := &provider{rows: rows, now: rows[0].Seen}
			c := keys.New(keys.Options[string]{Fetch: p.fetch, Now: func() time.Time { return p.now }})
			asked := 0
			for end := rows[len(rows)-1].Seen; !p.now.After(end); p.now = p.now.Add(30 * time.Minute) {
				for kid := range first {
					if p.now.Before(first[kid]) || p.now.After(last[kid]) {
						continue
					}
					asked++
					if _, err := c.Lookup(context.Background(), kid); err != nil {
						t.Fatalf("%s at %s: %v", kid, p.now, err)
					}
				}
			}
			for i := 1; i < len(p.fetches); i++ {
				if d := p.fetches[i].Sub(p.fetches[i-1]); d < keys.DefaultInterval {
					t.Fatalf("two fetches within %v", d)
				}
			}
			if asked < 100 {
				t.Fatalf("only %d lookups", asked)
			}
		})
	}
}

// TestTimelineNeedsKeep: without the time after the last publication, keys are
// missed; so the replay above does prove something.
func TestTimelineNeedsKeep(t *testing.T) {
	rows := timeline(t)["entra-common"]
	p := &provider{rows: rows, now: rows[0].Seen}
	c := keys.New(keys.Options[string]{Fetch: p.fetch, Keep: time.Minute, Now: func() time.Time { return p.now }})
	missed := 0
	for i, r := range rows {
		p.now = r.Seen
		if i == 0 {
			continue
		}
		for _, kid := range rows[i-1].Kids {
			if _, err := c.Lookup(context.Background(), kid); err != nil {
				missed++
			}
		}
	}
	if missed == 0 {
		t.Fatal("no key was missed without keeping: the replay cannot fail")
	}
}

// TestFlood asks for 100,000 key ids that do not exist.
func TestFlood(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fetches := 0
	c := keys.New(keys.Options[string]{
		Fetch: func(context.Context) (map[string][]string, error) { fetches++; return setOf("good"), nil },
		Now:   func() time.Time { return now },
	})
	for i := range 100_000 {
		if i%1000 == 0 {
			now = now.Add(time.Second) // 100 seconds in all, less than one interval
		}
		if _, err := c.Lookup(context.Background(), fmt.Sprintf("bad-%d", i)); !errors.Is(err, keys.ErrUnknownKey) {
			t.Fatal(err)
		}
		if i%1000 == 0 {
			if _, err := c.Lookup(context.Background(), "good"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if fetches != 1 {
		t.Fatalf("%d fetches within one interval", fetches)
	}
	if s := c.State(); s.Unknown > 4096 || s.Known != 1 {
		t.Fatalf("%+v", s)
	}
	now = now.Add(keys.DefaultInterval)
	for i := range 1000 {
		_, _ = c.Lookup(context.Background(), fmt.Sprintf("worse-%d", i))
	}
	if fetches != 2 {
		t.Fatalf("%d fetches after a second interval", fetches)
	}
}

// TestTogether: many at once cost one fetch.
func TestTogether(t *testing.T) {
	var fetches atomic.Int32
	c := keys.New(keys.Options[string]{Fetch: func(context.Context) (map[string][]string, error) {
		fetches.Add(1)
		time.Sleep(20 * time.Millisecond)
		return setOf("a"), nil
	}})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := c.Lookup(context.Background(), "a"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := fetches.Load(); n != 1 {
		t.Fatalf("%d fetches", n)
	}
}

// TestLeave: one who leaves takes the answer from nobody.
func TestLeave(t *testing.T) {
	release := make(chan struct{})
	c := keys.New(keys.Options[string]{Fetch: func(ctx context.Context) (map[string][]string, error) {
		<-release
		return setOf("a"), ctx.Err()
	}})
	ctx, leave := context.WithCancel(context.Background())
	left := make(chan error)
	go func() { _, err := c.Lookup(ctx, "a"); left <- err }()
	for c.State().Fetches == 0 {
		time.Sleep(time.Millisecond)
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(release)
	if _, err := c.Lookup(context.Background(), "a"); err != nil {
		t.Fatal(err)
	}
}

// TestOutage: a provider that is down takes no key away, and is asked once an
// interval.
func TestOutage(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	down, fetches := false, 0
	c := keys.New(keys.Options[string]{Now: func() time.Time { return now }, Fetch: func(context.Context) (map[string][]string, error) {
		fetches++
		if down {
			return nil, errors.New("no route")
		}
		return setOf("a"), nil
	}})
	ctx := context.Background()
	if _, err := c.Lookup(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	down = true
	for range 100 {
		now = now.Add(30 * time.Minute)
		if _, err := c.Lookup(ctx, "a"); err != nil {
			t.Fatalf("after %v: %v", now, err)
		}
	}
	if c.State().Err == nil {
		t.Fatal("the state hides the outage")
	}
	now = now.Add(keys.DefaultKeep)
	if _, err := c.Lookup(ctx, "a"); !errors.Is(err, keys.ErrUnknownKey) {
		t.Fatalf("a key is used for longer than it is kept: %v", err)
	}
	if fetches > 102 {
		t.Fatalf("%d fetches", fetches)
	}
}

// TestNever: where nothing was ever read, the reason is told.
func TestNever(t *testing.T) {
	want := errors.New("no route")
	c := keys.New(keys.Options[string]{Fetch: func(context.Context) (map[string][]string, error) { return nil, want }})
	if _, err := c.Lookup(context.Background(), "a"); !errors.Is(err, want) {
		t.Fatal(err)
	}
	if _, err := c.All(context.Background()); !errors.Is(err, want) {
		t.Fatal(err)
	}
}

// BenchmarkLookup is a key that is known, and one that is not.
func BenchmarkLookup(b *testing.B) {
	c := keys.New(keys.Options[string]{Fetch: func(context.Context) (map[string][]string, error) { return setOf("a"), nil }})
	ctx := context.Background()
	for _, kid := range []string{"a", "unknown"} {
		b.Run(kid, func(b *testing.B) {
			for b.Loop() {
				_, _ = c.Lookup(ctx, kid)
			}
		})
	}
}

// TestPublishedLate: a key that is asked for all the time before it is published
// is found within one interval of its publication. Being asked for does not
// put the next fetch off.
func TestPublishedLate(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	start, set := now, setOf("a")
	c := keys.New(keys.Options[string]{
		Fetch: func(context.Context) (map[string][]string, error) { return set, nil },
		Now:   func() time.Time { return now },
	})
	for ; now.Sub(start) < time.Hour; now = now.Add(10 * time.Second) {
		if now.Sub(start) > 2*time.Minute {
			set = setOf("a", "b")
		}
		_, err := c.Lookup(context.Background(), "b")
		if err == nil {
			break
		}
	}
	if d := now.Sub(start); d > keys.DefaultInterval+2*time.Minute {
		t.Fatalf("found after %v", d)
	}
}

// TestSlowFetch: whoever has no time to wait for a fetch gets the keys that are
// there, and a fetch that never ends is given up.
func TestSlowFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := false
		c := keys.New(keys.Options[string]{Fetch: func(ctx context.Context) (map[string][]string, error) {
			if hang {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return setOf("a"), nil
		}})
		if _, err := c.Lookup(context.Background(), "a"); err != nil {
			t.Fatal(err)
		}
		hang = true
		time.Sleep(2 * time.Hour)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := c.Lookup(ctx, "a"); err != nil {
			t.Error("a key that is kept:", err)
		}
		if all, err := c.All(ctx); err != nil || len(all) != 1 {
			t.Error("the keys that are kept:", all, err)
		}
		start := time.Now()
		if _, err := c.Lookup(context.Background(), "b"); !errors.Is(err, keys.ErrUnknownKey) || time.Since(start) > time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
