package broker_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/broker"
	"usher/broker/memory"
	"usher/broker/seal"
	"usher/store"
	"usher/test/broker/strict"
	"usher/test/postgres"
)

// quick is a broker for measuring: a provider that answers at once.
func quick(b testing.TB, s broker.Store, conns int) (*broker.Broker, []string) {
	b.Helper()
	p := strict.New(nil, nil)
	p.Brief = true
	key, err := seal.EnvKey("the test", seal.NewKey())
	if err != nil {
		b.Fatal(err)
	}
	br := broker.New(broker.Options{
		Store: s, Seal: seal.New(key, ring{s}, nil), Ask: &strict.Asker{Provider: p, Now: time.Now},
		Rate: 1e6, Burst: 1e6, Grace: time.Second,
	})
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = br.Run(ctx)
	}()
	b.Cleanup(func() {
		cancel()
		<-over
	})
	ids := make([]string, conns)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i := range ids {
		ids[i] = fmt.Sprintf("conn-%d", i)
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			p.Register(strict.Client{ID: ids[i], Secret: "s"})
			c := broker.Config{
				ID: ids[i], Grant: broker.GrantClientCredentials, ClientID: ids[i], AuthMethod: "client_secret_basic",
				Endpoints: broker.Endpoints{Token: "https://provider.test/token"},
			}
			if _, err := br.Add(ctx, c, broker.Keys{ClientSecret: "s"}, broker.Tokens{}); err != nil {
				b.Error(err)
				return
			}
			if _, err := br.Token(ctx, ids[i], broker.Ask{}); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return br, ids
}

// BenchmarkCached takes tokens from the cache, of 1,000 connections in turn.
func BenchmarkCached(b *testing.B) {
	br, ids := quick(b, memory.New(nil), 1000)
	took := make([]time.Duration, b.N)
	ctx := b.Context()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		at := time.Now()
		if _, err := br.Token(ctx, ids[i%len(ids)], broker.Ask{Caller: "key shop"}); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(at)
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
	b.ReportMetric(float64(took[len(took)-1].Nanoseconds()), "max-ns")
}

// BenchmarkCachedParallel is the same from 100 goroutines, all of one connection.
func BenchmarkCachedParallel(b *testing.B) {
	br, ids := quick(b, memory.New(nil), 1)
	b.SetParallelism(100)
	var mu sync.Mutex
	var took []time.Duration
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var mine []time.Duration
		for pb.Next() {
			at := time.Now()
			if _, err := br.Token(b.Context(), ids[0], broker.Ask{Caller: "key shop"}); err != nil {
				b.Error(err)
				return
			}
			mine = append(mine, time.Since(at))
		}
		mu.Lock()
		took = append(took, mine...)
		mu.Unlock()
	})
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}

// BenchmarkRenew renews connections, 32 at a time, each renewal durable.
func BenchmarkRenew(b *testing.B) {
	stores := map[string]func(b *testing.B) broker.Store{
		"memory": func(*testing.B) broker.Store { return memory.New(nil) },
		"sqlite": func(b *testing.B) broker.Store { return opened(b, store.Options{}) },
		"postgres": func(b *testing.B) broker.Store {
			return opened(b, store.Options{URL: postgres.New(b).Schema(b)})
		},
	}
	for _, name := range []string{"memory", "sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			br, ids := quick(b, stores[name](b), 256)
			var next atomic.Int64
			b.ResetTimer()
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					for {
						i := int(next.Add(1)) - 1
						if i >= b.N {
							return
						}
						if _, err := br.Renew(b.Context(), ids[i%len(ids)]); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "renewals/s")
		})
	}
}

func opened(b *testing.B, o store.Options) broker.Store {
	b.Helper()
	s, err := store.OpenWith(b.Context(), b.TempDir(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s.Broker()
}

// BenchmarkMemory holds 10,000 connections, all used, and tells what one takes.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		s := opened(b, store.Options{})
		before := heap()
		br, ids := quick(b, s, 10000)
		after := heap()
		b.ReportMetric(float64(after-before)/10000, "B/connection")
		b.ReportMetric(float64(resident(b))/(1<<20), "resident-MB")
		if _, err := br.Token(b.Context(), ids[len(ids)-1], broker.Ask{Caller: "x"}); err != nil {
			b.Fatal(err)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// resident is the memory of this process, in bytes.
func resident(b testing.TB) int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("there is no /proc")
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n << 10
		}
	}
	return 0
}
