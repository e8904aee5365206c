package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/store"
)

// filled makes a closed database with a few hundred events and cases and gives
// its bytes.
func filled(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	s := openDir(t, dir)
	update(t, s, func(tx *store.Tx) error {
		for i := range 300 {
			ev := refusal(fmt.Sprint("e", i))
			if _, err := tx.AddEvent(ev); err != nil {
				return err
			}
			if i%10 == 0 {
				if err := tx.SaveCase(sample(fmt.Sprint("f", i), usher.CaseOpen), []string{fmt.Sprint("k", i)}, noon); err != nil {
					return err
				}
			}
		}
		return tx.SetCursor(store.Cursor{Source: "log", Offset: 300})
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "usher.db"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// use opens what lies in a directory and does everything with it; the errors
// are given, a panic fails the test by itself.
func use(t *testing.T, dir string) error {
	s, err := store.Open(t.Context(), dir)
	if err != nil {
		return err
	}
	defer s.Close()
	return errors.Join(
		s.View(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Events(store.EventFilter{Limit: 1000})
			_, err2 := tx.Cases(store.CaseFilter{})
			_, err3 := tx.Changes(time.Time{}, noon)
			return errors.Join(err, err2, err3)
		}),
		s.Update(t.Context(), func(tx *store.Tx) error {
			if _, err := tx.AddEvent(refusal("after")); err != nil {
				return err
			}
			c, err := tx.Case(1)
			if err == nil && c != nil {
				err = tx.SaveCase(c, []string{"k", "l"}, noon)
			}
			return err
		}),
		s.Check(t.Context()))
}

func TestDamaged(t *testing.T) {
	whole := filled(t)
	for name, spoil := range map[string]func([]byte) []byte{
		"header":          func(b []byte) []byte { copy(b, "no SQLite at all"); return b },
		"text":            func([]byte) []byte { return []byte(strings.Repeat("this is no database\n", 500)) },
		"cut in the half": func(b []byte) []byte { return b[:len(b)/2] },
		"cut in a page":   func(b []byte) []byte { return b[:4096+17] },
		"zeros at end":    func(b []byte) []byte { clear(b[len(b)/4:]); return b },
		"schema":          func(b []byte) []byte { clear(b[200:4096]); return b },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "usher.db"), spoil(append([]byte{}, whole...)), 0o600); err != nil {
				t.Fatal(err)
			}
			err := use(t, dir)
			told(t, err, store.ErrDamaged, dir)
		})
	}
}

// TestDamagedAnywhere turns bytes at random places: whatever comes of it is an
// answer or an error, never a panic or a loop.
func TestDamagedAnywhere(t *testing.T) {
	whole := filled(t)
	rounds := 60
	if os.Getenv("USHER_SOAK") != "" {
		rounds = 5000
	}
	noticed := 0
	for i := range rounds {
		r := rand.New(rand.NewPCG(5303, uint64(i)))
		b := append([]byte{}, whole...)
		for range 1 + r.IntN(20) {
			at := r.IntN(len(b))
			for k := at; k < min(len(b), at+1+r.IntN(64)); k++ {
				b[k] = byte(r.Uint32())
			}
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "usher.db"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := use(t, dir); err != nil {
			noticed++
		}
	}
	if noticed < rounds/4 {
		t.Errorf("of %d damaged databases %d were noticed", rounds, noticed)
	}
}

// TestDamagedJournal spoils what a killed process left: what was finished before
// the damage is there, or an error tells.
func TestDamagedJournal(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	for i := range 20 {
		update(t, s, func(tx *store.Tx) error {
			if _, err := tx.AddEvent(refusal(fmt.Sprint("e", i))); err != nil {
				return err
			}
			return tx.SetCursor(store.Cursor{Source: "log", Offset: int64(i + 1)})
		})
	}
	db, err := os.ReadFile(filepath.Join(dir, "usher.db"))
	if err != nil {
		t.Fatal(err)
	}
	wal, err := os.ReadFile(filepath.Join(dir, "usher.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		left := t.TempDir()
		r := rand.New(rand.NewPCG(5303, uint64(i)))
		torn := append([]byte{}, wal[:r.IntN(len(wal))]...) // a write that was cut short
		if len(torn) > 100 && i%2 == 0 {
			torn[len(torn)-1-r.IntN(64)] ^= 0xff
		}
		if err := errors.Join(os.WriteFile(filepath.Join(left, "usher.db"), db, 0o600), os.WriteFile(filepath.Join(left, "usher.db-wal"), torn, 0o600)); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(t.Context(), left)
		if err != nil {
			told(t, err, store.ErrDamaged, left)
			continue
		}
		view(t, s, func(tx *store.Tx) error {
			events, err := tx.Events(store.EventFilter{})
			at, err2 := tx.Cursor("log")
			if int64(len(events)) != at.Offset {
				t.Errorf("%d events, the cursor at %d", len(events), at.Offset)
			}
			return errors.Join(err, err2)
		})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
