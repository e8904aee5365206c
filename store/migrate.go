package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"

	"usher"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// schemaVersion is the number of the last migration.
const schemaVersion = 1

// migrate brings the schema up to date. The usual start finds it so and asks
// only for its number; the migration library comes in only when there is
// something to do.
func migrate(ctx context.Context, path string, now time.Time) error {
	connector, err := sqlite.NewConnector(dsn(path, true, 0))
	if err != nil {
		return fmt.Errorf("set up SQLite: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	defer db.Close()
	at, err := readVersion(ctx, db)
	switch {
	case err != nil:
		return fmt.Errorf("read the schema's version: %w", err)
	case at == schemaVersion:
		return nil
	case at > schemaVersion:
		return &usher.Error{
			Code:    usher.ErrUsage,
			Message: fmt.Sprintf("the data in %s was written by a newer usher (schema %d; this one knows %d)", path, at, schemaVersion),
			Hint:    fmt.Sprintf("run the newer usher, or put back the copy that it made before its migration (%s)", backupName(path, schemaVersion)),
			Err:     ErrNewer,
		}
	case at > 0:
		if err := keepCopy(ctx, db, path, at); err != nil {
			return err
		}
	}
	provider, err := migrations(db)
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema from version %d to %d: %w", at, schemaVersion, err)
	}
	return nil
}

// migrations gives goose's view of the migrations.
func migrations(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return provider, nil
}

// readVersion gives the number of the last migration that was done; 0 is an
// empty database.
func readVersion(ctx context.Context, db *sql.DB) (int64, error) {
	var tables, known int
	err := db.QueryRowContext(ctx, "SELECT count(*), count(*) FILTER (WHERE name = 'goose_db_version') FROM sqlite_schema WHERE type = 'table'").Scan(&tables, &known)
	if err != nil {
		return 0, err
	}
	if known == 0 {
		if tables > 0 {
			return 0, &usher.Error{
				Code: usher.ErrUsage, Message: "there is a database of another program in usher's place",
				Hint: "give usher a data directory of its own",
			}
		}
		return 0, nil
	}
	var at int64
	// Of each number the last row counts: a migration may have been taken back.
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version AS v
		WHERE is_applied AND id = (SELECT max(id) FROM goose_db_version WHERE version_id = v.version_id)`).Scan(&at)
	return at, err
}

func backupName(path string, version int64) string {
	return fmt.Sprintf("%s.before-%d", path, version+1)
}

// keepCopy writes the database as it is before a migration beside it. One copy
// of each version is kept: the first, should a migration be tried again.
func keepCopy(ctx context.Context, db *sql.DB, path string, version int64) error {
	name := backupName(path, version)
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	if err := copyTo(ctx, db, name); err != nil {
		return fmt.Errorf("keep a copy before the migration in %s: %w", name, err)
	}
	return nil
}

// copyTo writes a whole, tidy copy of the database into a new file, which has
// its name only when it is whole and on the disk.
func copyTo(ctx context.Context, db interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, name string,
) error {
	part := name + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(part)
	defer f.Close()
	if _, err := db.ExecContext(ctx, "VACUUM INTO '"+strings.ReplaceAll(part, "'", "''")+"'"); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(part, name)
}
