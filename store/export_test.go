package store

import (
	"context"
	"database/sql"
	"io/fs"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

// OpenSchema is OpenWith with other migrations.
func OpenSchema(ctx context.Context, dir string, files fs.FS, latest int64) (*Store, error) {
	return OpenWith(ctx, dir, Options{otherSchema: &schema{files, latest}})
}

// OpenPatient is OpenWith that waits so long for a PostgreSQL.
func OpenPatient(ctx context.Context, dir, url string, patience time.Duration) (*Store, error) {
	return OpenWith(ctx, dir, Options{URL: url, patience: patience})
}

// OwnMigrations are the migrations of this usher.
func OwnMigrations() (fs.FS, int64) {
	sc := ownSchema(false)
	return sc.files, sc.latest
}

// Down takes all migrations back.
func Down(t *testing.T, path string) {
	t.Helper()
	db := RawDB(t, path)
	provider, err := ownSchema(false).provider(goose.DialectSQLite3, db)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// RawDB opens a database beside the store.
func RawDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	connector, err := sqlite.NewConnector(dsn(path, true, 0))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

// Masked is what the store does to all that it keeps.
func Masked[T any](v T) T { return masked(v) }
