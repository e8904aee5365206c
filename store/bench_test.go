package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/store"
	"usher/test/postgres"
)

// BenchmarkUpdate is what the pipeline does with a batch of refusals: events,
// the case that they belong to, the cursor, one transaction, on the disk.
func BenchmarkUpdate(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("batch-%d", size), func(b *testing.B) {
			s := benchStore(b, b.TempDir())
			n := 0
			b.ResetTimer()
			for range b.N {
				err := s.Update(b.Context(), func(tx *store.Tx) error {
					for range size {
						n++
						if err := take(tx, fmt.Sprint("e", n)); err != nil {
							return err
						}
					}
					return tx.SetCursor(store.Cursor{Source: "log", Offset: int64(n)})
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkEvents keeps events alone, in batches of a hundred.
func BenchmarkEvents(b *testing.B) {
	s := benchStore(b, b.TempDir())
	fill(b, s, 0, 100) // statements are prepared
	b.ResetTimer()
	for i := range b.N {
		fill(b, s, (i+1)*100, 100)
	}
	b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkOpen is the start with 100,000 events and 200 cases.
func BenchmarkOpen(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "data")
	s := benchStore(b, dir)
	for i := range 100 {
		fill(b, s, i*1000, 1000)
	}
	err := s.Update(b.Context(), func(tx *store.Tx) error {
		for i := range 200 {
			if err := tx.SaveCase(sample(fmt.Sprint("f", i), usher.CaseOpen), []string{"k"}, noon); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		s := benchStore(b, dir)
		err := s.View(b.Context(), func(tx *store.Tx) error { _, err := tx.Cases(store.CaseFilter{Active: true, Limit: 50}); return err })
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		_ = s.Close()
		b.StartTimer()
	}
}

// BenchmarkLookUps are the questions that the casebook asks for an event, with
// 100,000 events there.
func BenchmarkLookUps(b *testing.B) {
	s := benchStore(b, b.TempDir())
	for i := range 100 {
		fill(b, s, i*1000, 1000)
	}
	for name, ask := range map[string]func(tx *store.Tx) error{
		"changes": func(tx *store.Tx) error { _, err := tx.Changes(noon.Add(-72*time.Hour), noon); return err },
		"successes": func(tx *store.Tx) error {
			_, err := tx.Successes("shop", "shop", "", noon, noon.Add(time.Hour))
			return err
		},
		"event": func(tx *store.Tx) error { _, err := tx.Event("e500"); return err },
		"due":   func(tx *store.Tx) error { _, err := tx.Due(noon); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				if err := s.View(b.Context(), ask); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchStore(b *testing.B, dir string) *store.Store {
	b.Helper()
	s, err := store.Open(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

func fill(b *testing.B, s *store.Store, from, n int) {
	b.Helper()
	err := s.Update(b.Context(), func(tx *store.Tx) error {
		for i := from; i < from+n; i++ {
			ev := refusal(fmt.Sprint("e", i))
			ev.Time = noon.Add(time.Duration(i) * time.Second)
			if i%50 == 0 {
				ev.Status = usher.StatusSuccess
			}
			if _, err := tx.AddEvent(ev); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkBroker is what the broker does with a store, on both databases; on
// PostgreSQL with fsync, over loopback. "off the disk" is SQLite in memory of
// the system, without the disk's own time.
func BenchmarkBroker(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchBroker(b, benchStore(b, b.TempDir())) })
	if dir, err := os.MkdirTemp("/dev/shm", "usher"); err == nil {
		defer os.RemoveAll(dir)
		b.Run("sqlite-off-the-disk", func(b *testing.B) {
			dir, err := os.MkdirTemp(dir, "data")
			if err != nil {
				b.Fatal(err)
			}
			benchBroker(b, benchStore(b, dir))
		})
	}
	b.Run("postgres", func(b *testing.B) {
		s, err := store.OpenWith(b.Context(), b.TempDir(), store.Options{URL: postgres.New(b).Schema(b)})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { s.Close() })
		benchBroker(b, s)
	})
}

func benchBroker(b *testing.B, st *store.Store) {
	s, ctx := st.Broker(), b.Context()
	tokens := make([]byte, 3000)
	for i := range 1000 {
		r := broker.Record{Config: broker.Config{ID: fmt.Sprintf("c%04d", i), Scopes: []string{"pay"}}, Status: broker.Status{State: broker.StateAlive, RenewAt: noon.Add(time.Duration(i) * time.Second)}, Keys: tokens[:200], Tokens: tokens}
		if err := s.Add(ctx, r); err != nil {
			b.Fatal(err)
		}
	}
	id := func(i int) string { return fmt.Sprintf("c%04d", i%1000) }
	each := func(name string, f func(i int) error) {
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				if err := f(i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	each("read", func(i int) error { _, err := s.Connection(ctx, id(i)); return err })
	each("due", func(int) error { _, err := s.Due(ctx, noon.Add(time.Minute), 100); return err })
	each("changed", func(int) error { _, _, err := s.Changed(ctx, time.Now().Add(time.Hour)); return err })
	each("acquire", func(int) error {
		_, err := s.Acquire(ctx, fmt.Sprint("l", time.Now().UnixNano()), "h", time.Minute)
		return err
	})
	each("answer", func(i int) error {
		r, err := s.Connection(ctx, id(i))
		if err != nil {
			return err
		}
		r.Status.Generation++
		return s.Answer(ctx, id(i), r.Status, tokens)
	})
	each("renewal", func(i int) error { // all of it: lease, read, begin, answer, release
		l, err := s.Acquire(ctx, "connection/"+id(i), "h", time.Minute)
		if err != nil {
			return err
		}
		r, err := s.Connection(ctx, id(i))
		if err != nil {
			return err
		}
		if _, err := s.Begin(ctx, id(i), l, r.Status.Version, broker.Attempt{Fence: l.Fence, Holder: "h"}, "f", 0); err != nil {
			return err
		}
		r.Status.Generation++
		if err := s.Answer(ctx, id(i), r.Status, tokens); err != nil {
			return err
		}
		return s.Release(ctx, l)
	})
}
