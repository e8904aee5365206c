package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"usher"
	"usher/store"
)

// told checks an error for what a person is owed: its kind, where, and what to
// do.
func told(t *testing.T, err, kind error, where string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
	var e *usher.Error
	if !errors.As(err, &e) || e.Hint == "" || !strings.Contains(e.Message, where) {
		t.Errorf("%#v does not say where (%s) and what to do", err, where)
	}
}

func TestSecondProcessRefused(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	_, err := store.Open(t.Context(), dir)
	told(t, err, store.ErrLocked, dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The file that says so may stay: what counts is the lock.
	if _, err := os.Stat(filepath.Join(dir, "usher.lock")); err != nil {
		t.Fatal(err)
	}
	s = openDir(t, dir)
	defer s.Close()
}

func TestRights(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "data")
	s := openDir(t, dir)
	update(t, s, func(tx *store.Tx) error { _, err := tx.AddEvent(refusal("e1")); return err })
	check := func() {
		t.Helper()
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has the rights %v", path, info.Mode())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "usher.db-wal")); err != nil {
			t.Error("the journal was not there to be looked at")
		}
	}
	check()
	if len(s.Notes()) != 0 {
		t.Errorf("nothing was wrong, and it told %q", s.Notes())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Somebody opened it to others, or a restore did: it is closed, and told.
	for path, mode := range map[string]fs.FileMode{dir: 0o755, filepath.Join(dir, "usher.db"): 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	s = openDir(t, dir)
	defer s.Close()
	if notes := strings.Join(s.Notes(), "\n"); len(s.Notes()) != 2 || !strings.Contains(notes, "0755") || !strings.Contains(notes, "0644") {
		t.Errorf("told %q", notes)
	}
	update(t, s, func(tx *store.Tx) error { _, err := tx.AddEvent(refusal("e2")); return err })
	check()
}

func TestPlacesThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"no name": "", "a file": file, "in a file": filepath.Join(file, "data")} {
		t.Run(name, func(t *testing.T) {
			s, err := store.Open(t.Context(), dir)
			var e *usher.Error
			if s != nil || !errors.As(err, &e) || e.Hint == "" {
				t.Errorf("got %v, %v", s, err)
			}
		})
	}
}

func TestNamesOfDirectories(t *testing.T) {
	for _, name := range []string{"with blank", "per%20cent", "what?mode=memory", "hash#1", "ünïcode", "quo'te", "semi;colon&x=y"} {
		dir := filepath.Join(t.TempDir(), name)
		s := openDir(t, dir)
		update(t, s, func(tx *store.Tx) error { _, err := tx.AddEvent(refusal("e1")); return err })
		if err := s.Copy(t.Context(), filepath.Join(dir, "copy.db")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(dir, "usher.db")); err != nil || info.Size() == 0 {
			t.Errorf("%s: the database lies elsewhere: %v", name, err)
		}
	}
}

// next is the schema of a usher to come.
func next(t *testing.T, broken bool) fs.FS {
	t.Helper()
	own, latest := store.OwnMigrations()
	files := fstest.MapFS{}
	names, err := fs.Glob(own, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := fs.ReadFile(own, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: b}
	}
	text := "-- +goose Up\nALTER TABLE events ADD COLUMN more TEXT NOT NULL DEFAULT '';\nUPDATE events SET more = 'x';\n"
	if broken {
		text += "INSERT INTO nowhere VALUES (1);\n"
	}
	files[fmt.Sprintf("%05d_more.sql", latest+1)] = &fstest.MapFile{Data: []byte(text + "-- +goose Down\nALTER TABLE events DROP COLUMN more;\n")}
	return files
}

func TestMigrationKeepsACopy(t *testing.T) {
	dir := t.TempDir()
	_, latest := store.OwnMigrations()
	s := openDir(t, dir)
	update(t, s, func(tx *store.Tx) error { _, err := tx.AddEvent(refusal("e1")); return err })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, fmt.Sprintf("usher.db.schema-%d", latest))

	// A migration that breaks leaves everything as it was.
	if _, err := store.OpenSchema(t.Context(), dir, next(t, true), latest+1); err == nil {
		t.Fatal("a broken migration passed")
	}
	s = openDir(t, dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	first, err := os.Stat(copied)
	if err != nil {
		t.Fatal(err)
	}

	s, err = store.OpenSchema(t.Context(), dir, next(t, false), latest+1)
	if err != nil {
		t.Fatal(err)
	}
	view(t, s, func(tx *store.Tx) error {
		if ev, err := tx.Event("e1"); ev == nil {
			t.Errorf("the migration lost an event: %v", err)
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(copied)
	if err != nil || info.Mode().Perm() != 0o600 || !info.ModTime().Equal(first.ModTime()) {
		t.Errorf("the copy is %v, %v", info, err)
	}

	// The older usher refuses it, and names the copy to go back to.
	_, err = store.Open(t.Context(), dir)
	told(t, err, store.ErrNewer, dir)
	var e *usher.Error
	if !errors.As(err, &e) || !strings.Contains(e.Hint, filepath.Base(copied)) {
		t.Errorf("the hint does not name the copy: %q", e.Hint)
	}
	for _, name := range []string{"usher.db", "usher.db-wal", "usher.db-shm"} {
		_ = os.Remove(filepath.Join(dir, name))
	}
	if err := os.Rename(copied, filepath.Join(dir, "usher.db")); err != nil {
		t.Fatal(err)
	}
	s = openDir(t, dir)
	defer s.Close()
	view(t, s, func(tx *store.Tx) error {
		if ev, err := tx.Event("e1"); ev == nil {
			t.Errorf("the copy lacks an event: %v", err)
		}
		return nil
	})
}

func TestMigrationsGoDownAndUp(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "usher.db")
	schema := func() string {
		rows, err := store.RawDB(t, path).Query("SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite_%' ORDER BY 1")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var out []string
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
		}
		return strings.Join(out, "\n")
	}
	if err := openDir(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	before := schema()
	store.Down(t, path)
	if left := schema(); left != "" {
		t.Errorf("the way down leaves:\n%s", left)
	}
	if err := openDir(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	if after := schema(); after != before || before == "" {
		t.Errorf("down and up again gives another schema:\n%s\n---\n%s", before, after)
	}
	for _, name := range []string{"STRICT", "cases_active"} {
		if !strings.Contains(before, name) {
			t.Errorf("the schema has no %s", name)
		}
	}
}

func TestLastMigrationIsTheSchema(t *testing.T) {
	files, latest := store.OwnMigrations()
	names, err := fs.Glob(files, "*.sql")
	if err != nil || int64(len(names)) != latest {
		t.Errorf("there are %d migrations, the schema is number %d", len(names), latest)
	}
}

func TestForeignDatabase(t *testing.T) {
	dir := t.TempDir()
	db := store.RawDB(t, filepath.Join(dir, "usher.db"))
	if _, err := db.Exec("CREATE TABLE somebody (else_ TEXT)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	_, err := store.Open(t.Context(), dir)
	var e *usher.Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "another program") {
		t.Errorf("got %v", err)
	}
}

func TestCopy(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	defer s.Close()
	update(t, s, func(tx *store.Tx) error { _, err := tx.AddEvent(refusal("e1")); return err })
	other := t.TempDir()
	name := filepath.Join(other, "usher.db")
	// While somebody writes: what is not finished is not in the copy.
	update(t, s, func(tx *store.Tx) error {
		if _, err := tx.AddEvent(refusal("e2")); err != nil {
			return err
		}
		return s.Copy(t.Context(), name)
	})
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy is %v, %v", info, err)
	}
	if err := s.Copy(t.Context(), name); err == nil {
		t.Error("a file that was there was written over")
	}
	copied := openDir(t, other)
	defer copied.Close()
	view(t, copied, func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{})
		if uids(events) != "e1" {
			t.Errorf("the copy holds %q", uids(events))
		}
		return err
	})
}

func TestUnclean(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	if s.Unclean() {
		t.Error("a new store is unclean")
	}
	update(t, s, func(tx *store.Tx) error { _, err := tx.AddEvent(refusal("e1")); return err })
	// What a killed process leaves behind.
	left := t.TempDir()
	for _, name := range []string{"usher.db", "usher.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(left, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openDir(t, left)
	if !s.Unclean() {
		t.Error("what a killed process left behind counts as clean")
	}
	view(t, s, func(tx *store.Tx) error {
		if ev, err := tx.Event("e1"); ev == nil {
			t.Errorf("a finished transaction is lost: %v", err)
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openDir(t, left)
	defer s.Close()
	if s.Unclean() {
		t.Error("a closed store is unclean")
	}
}

func TestFull(t *testing.T) {
	dir := t.TempDir()
	s, err := store.OpenWith(t.Context(), dir, store.Options{MaxPages: 120})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kept := int64(0)
	big := strings.Repeat("the provider's own words go on and on. ", 200)
	batch := func() error {
		return s.Update(t.Context(), func(tx *store.Tx) error {
			for i := range 5 {
				ev := refusal(time.Now().Format(time.RFC3339Nano) + string(rune('a'+i)))
				ev.Message = big
				if _, err := tx.AddEvent(ev); err != nil {
					return err
				}
			}
			return tx.SetCursor(store.Cursor{Source: "log", Offset: kept + 5})
		})
	}
	for err = batch(); err == nil; err = batch() {
		if kept += 5; kept > 1000 {
			t.Fatal("it is never full")
		}
	}
	told(t, err, store.ErrFull, dir)
	for range 3 { // and again, and reading goes on
		told(t, batch(), store.ErrFull, dir)
		view(t, s, func(tx *store.Tx) error {
			events, err := tx.Events(store.EventFilter{Limit: 1000})
			at, err2 := tx.Cursor("log")
			if int64(len(events)) != kept || at.Offset != kept {
				t.Errorf("%d events, the cursor at %d, want %d", len(events), at.Offset, kept)
			}
			return errors.Join(err, err2)
		})
	}
	// With room again it goes on where it stopped.
	if _, err := s.Prune(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := batch(); err != nil {
		t.Errorf("after room was made: %v", err)
	}
}

// TestHeld: what another program holds is no defect of what is to be kept, and
// passes.
func TestHeld(t *testing.T) {
	t.Parallel() // it waits for five seconds
	dir := t.TempDir()
	s, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db := store.RawDB(t, filepath.Join(dir, "usher.db"))
	if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	add := func() error {
		return s.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.AddEvent(refusal("e1")); return err })
	}
	var known *usher.Error
	if err := add(); !errors.Is(err, store.ErrBusy) || !errors.As(err, &known) || known.Code != usher.ErrUnreadable || known.Hint == "" {
		t.Errorf("while it is held: %v", err)
	}
	if _, err := db.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := add(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
