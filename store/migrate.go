package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"

	"usher"
)

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrationFiles embed.FS

// schema is a run of migrations.
type schema struct {
	files  fs.FS // NNNNN_name.sql
	latest int64 // number of the last one
}

// ownSchema is the schema that this usher works with. It has one number on both
// databases.
func ownSchema(remote bool) schema {
	folder := "migrations/sqlite"
	if remote {
		folder = "migrations/postgres"
	}
	files, err := fs.Sub(migrationFiles, folder)
	if err != nil {
		panic(err) // the folder is embedded
	}
	return schema{files: files, latest: 3}
}

// migrate brings the database up to date. The usual start finds it so and asks
// only for its number; the migration library comes in only when there is
// something to do.
func (sc schema) migrate(ctx context.Context, path string) error {
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
		return told(err, "read the version of the schema")
	case at == sc.latest:
		return nil
	case at > sc.latest:
		return &usher.Error{
			Code:    usher.ErrUsage,
			Message: fmt.Sprintf("the data in %s was written by a newer usher: its schema is number %d, this usher knows %d", path, at, sc.latest),
			Hint:    "run the newer usher again, or put back the copy that it kept before it changed the schema: " + filepath.Base(copyName(path, sc.latest)),
			Err:     ErrNewer,
		}
	case at > 0:
		if err := keepCopy(ctx, db, path, at); err != nil {
			return err
		}
	}
	provider, err := sc.provider(goose.DialectSQLite3, db)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return told(err, fmt.Sprintf("bring the schema from number %d to %d", at, sc.latest))
}

// provider gives goose's view of the migrations.
func (sc schema) provider(dialect goose.Dialect, db *sql.DB) (*goose.Provider, error) {
	provider, err := goose.NewProvider(dialect, db, sc.files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	return provider, told(err, "read the migrations")
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
	err = db.QueryRowContext(ctx, lastMigration).Scan(&at)
	return at, err
}

// lastMigration asks for the number of the last migration that stands. Of each
// number the last row counts: a migration may have been taken back.
const lastMigration = `SELECT coalesce(max(version_id), 0) FROM goose_db_version AS v
	WHERE is_applied AND id = (SELECT max(id) FROM goose_db_version WHERE version_id = v.version_id)`

// copyName names the copy of a database whose schema has this number.
func copyName(path string, version int64) string { return fmt.Sprintf("%s.schema-%d", path, version) }

// keepCopy writes the database as it is before a migration beside it. When a
// migration is tried again, the copy of the first time stays.
func keepCopy(ctx context.Context, db *sql.DB, path string, version int64) error {
	name := copyName(path, version)
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	return told(copyTo(ctx, db, name), "keep a copy before the migration as "+name)
}

// copyTo writes a whole, tidy copy of the database into a new file, which has
// its name only when it is whole and on the disk.
func copyTo(ctx context.Context, db *sql.DB, name string) error {
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
