package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"usher"
	"usher/store"
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
