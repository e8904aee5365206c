package broker_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"usher/broker"
	"usher/broker/memory"
)

// BenchmarkToken takes a token from the cache.
func BenchmarkToken(b *testing.B) {
	h := &house{store: memory.New(nil), provider: newProvider(), events: &events{t: b, uids: map[string]bool{}}}
	br := broker.New(broker.Options{Store: h.store, Seal: plain{}, Ask: h.provider, Decide: decide})
	defer br.Close()
	c, k := machine()
	if _, err := br.Add(context.Background(), c, k, broker.Tokens{}); err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	if _, err := br.Token(ctx, shop, broker.Ask{Caller: "key till"}); err != nil {
		b.Fatal(err)
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := br.Token(ctx, shop, broker.Ask{Caller: "key till"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := br.Token(ctx, shop, broker.Ask{Caller: "key till"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("p99", func(b *testing.B) {
		took := make([]time.Duration, 0, 1<<20)
		for b.Loop() {
			start := time.Now()
			_, _ = br.Token(ctx, shop, broker.Ask{Caller: "key till"})
			if len(took) < cap(took) {
				took = append(took, time.Since(start))
			}
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
	})
}
