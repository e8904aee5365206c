package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"modernc.org/sqlite"

	"usher"
)

// Name of the database file in the data directory. SQLite keeps a -wal and a
// -shm file beside it while it is open.
const fileName = "usher.db"

// Options are what a store may be told. The zero value is right.
type Options struct {
	Now     func() time.Time // nil is time.Now
	Readers int              // transactions of View at one time; 0 is 4

	// MaxPages bounds the database to so many pages of 4 KiB; 0 leaves it to
	// the disk. What does not fit is refused with ErrFull.
	MaxPages int

	// URL names a PostgreSQL, as postgres://user@host/database, that keeps the
	// state in place of SQLite; empty or "sqlite" is SQLite. The password may
	// stand in it, or in PGPASSWORD or the file that PGPASSFILE names.
	// search_path=NAME in its query names a schema of the database.
	URL string

	otherSchema *schema       // of a test
	patience    time.Duration // of a test; 0 is patience
}

func (o Options) schema() schema {
	if o.otherSchema != nil {
		return *o.otherSchema
	}
	return ownSchema(o.remote())
}

func (o Options) remote() bool { return o.URL != "" && o.URL != "sqlite" }

// Store is the state of one usher in one directory, or of all that share a
// PostgreSQL. Its methods may be used by any number of goroutines at a time.
type Store struct {
	dir     string
	path    string  // of the file of SQLite; empty on PostgreSQL
	where   string  // the database, for messages
	remote  *remote // nil on SQLite
	now     func() time.Time
	lock    *lockFile
	writing *pool // of one connection
	reading *pool
	replica string // name of this usher among those who share the state
	notes   []string
	unclean bool

	close func() error
}

// Open opens the state in a directory, which it makes when there is none, and
// brings its schema up to date. Its errors, for errors.Is: ErrLocked,
// ErrNewer, ErrDamaged, ErrAway.
func Open(ctx context.Context, dir string) (*Store, error) { return OpenWith(ctx, dir, Options{}) }

// OpenWith is Open with options.
func OpenWith(ctx context.Context, dir string, opt Options) (_ *Store, err error) {
	if dir == "" {
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "no data directory is named", Hint: "write data: usher-data into the configuration"}
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the data directory %s: %w", dir, err)
	}
	s := &Store{dir: dir, now: opt.Now}
	if s.now == nil {
		s.now = time.Now
	}
	if opt.Readers <= 0 {
		opt.Readers = 4
	}
	if s.notes, err = prepareDir(dir); err != nil {
		return nil, err
	}
	if s.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.closeAll()
		}
	}()
	if s.replica, err = replicaName(dir); err != nil {
		return nil, err
	}
	if opt.remote() {
		err = s.openRemote(ctx, opt)
	} else {
		err = s.openFile(ctx, opt)
	}
	if err != nil {
		return nil, err
	}
	if err := s.probe(ctx); err != nil {
		return nil, s.explain(err)
	}
	s.close = sync.OnceValue(s.closeAll)
	return s, nil
}

// openFile opens SQLite.
func (s *Store) openFile(ctx context.Context, opt Options) error {
	s.path = filepath.Join(s.dir, fileName)
	s.where = s.path
	notes, err := prepareFile(s.path)
	s.notes = append(s.notes, notes...)
	if err != nil {
		return err
	}
	s.unclean = sizeOf(s.path+"-wal") > 0
	if err := opt.schema().migrate(ctx, s.path); err != nil {
		return explain(err, s.path)
	}
	if s.writing, err = openPool(s.path, 1, true, opt.MaxPages); err != nil {
		return err
	}
	s.reading, err = openPool(s.path, opt.Readers, false, 0)
	return err
}

// Close writes everything into the database file and gives the directory free.
// It waits for what is under way. A second call does nothing.
func (s *Store) Close() error { return s.close() }

func (s *Store) closeAll() error {
	var errs []error
	if s.reading != nil { // first, so that the writer is the last and tidies up
		errs = append(errs, s.reading.close())
	}
	if s.writing != nil {
		errs = append(errs, s.writing.close())
	}
	if s.remote != nil && s.remote.short != nil {
		errs = append(errs, s.remote.short.close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.release())
	}
	return errors.Join(errs...)
}

// Dir is the data directory, absolute.
func (s *Store) Dir() string { return s.dir }

// Notes are what Open noticed, one sentence each: rights of files that others
// could read and that it put right; of PostgreSQL, settings by which something
// may be lost or read on the way.
func (s *Store) Notes() []string { return s.notes }

// Unclean tells whether the last usher that worked here was ended before it
// could tidy up. Nothing is lost by that; after a failure of the machine it is a
// good time for Check. PostgreSQL sees to that by itself: it is never unclean.
func (s *Store) Unclean() bool { return s.unclean }

// Update runs f in a transaction that may write. When f gives an error, or
// panics, nothing of it is kept; when Update gives nil, all of it is on the
// disk. Only one Update runs at a time, on PostgreSQL over all who share it. f
// must not call Update of the same store, and must not keep its Tx.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) error {
	if s.remote != nil {
		return s.run(ctx, s.writing, true, remoteUpdate, f)
	}
	return s.run(ctx, s.writing, true, []string{"BEGIN IMMEDIATE"}, f)
}

// View runs f in a transaction that only reads, and sees one state throughout.
func (s *Store) View(ctx context.Context, f func(*Tx) error) error {
	if s.remote != nil {
		return s.run(ctx, s.reading, false, remoteView, f)
	}
	return s.run(ctx, s.reading, false, []string{"BEGIN"}, f)
}

// begin takes a connection and begins a transaction on it.
func (s *Store) begin(ctx context.Context, p *pool, begin []string) (*connection, error) {
	for try := 1; ; try++ {
		c, err := p.take(ctx)
		if err != nil {
			return nil, err
		}
		for _, statement := range begin {
			if err == nil {
				_, err = c.exec(ctx, statement)
			}
		}
		if err == nil {
			return c, nil
		}
		p.give(c, false)
		// Nothing was done yet: where a connection was cut another is taken, and
		// all that were idle may have been cut.
		if s.remote == nil || try > cap(p.idle) || ctx.Err() != nil || serverSaid(err) != nil && !isFatal(err) {
			return nil, fmt.Errorf("begin a transaction: %w", err)
		}
	}
}

func (s *Store) run(ctx context.Context, p *pool, write bool, begin []string, f func(*Tx) error) (err error) {
	c, err := s.begin(ctx, p, begin)
	if err != nil {
		return s.explain(err)
	}
	sound := false
	defer func() { p.give(c, sound) }()
	end := func(how string) error {
		ctx, cancel := s.bounded(context.WithoutCancel(ctx), 1)
		defer cancel()
		_, err := c.exec(ctx, how)
		return s.late(ctx, err)
	}
	done := false
	rollback := func() {
		done = true
		sound = end("ROLLBACK") == nil // on some errors SQLite has rolled back by itself: a new connection then
	}
	defer func() {
		if !done { // a panic
			rollback()
		}
	}()
	inner, cancel := ctx, func() {}
	if write { // who only reads may read for long, and is in nobody's way
		inner, cancel = s.bounded(ctx, 4)
	}
	defer cancel()
	tx := &Tx{ctx: inner, c: c, s: s, write: write}
	err = f(tx)
	tx.c = nil
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) { // SQLite says only that it was interrupted
		err = errors.Join(ctx.Err(), err)
	}
	if err == nil && tx.broken != nil {
		err = fmt.Errorf("a statement was refused, and that was not told: %w", tx.broken)
	}
	if err != nil {
		rollback()
		if ctx.Err() == nil {
			err = s.late(inner, err)
		}
		return s.explain(err)
	}
	if err := end("COMMIT"); err != nil {
		rollback()
		return s.explain(fmt.Errorf("commit: %w", err))
	}
	done, sound = true, true
	return nil
}

// direct runs f without a transaction, for single statements. repeat says that
// it does no harm when all of it is done twice: it is, where the connection was
// cut and nobody knows what became of it.
func (s *Store) direct(outer context.Context, repeat bool, f func(*Tx) error) error {
	p := s.reading
	if s.remote != nil {
		p = s.remote.short
	}
	ctx, cancel := s.bounded(outer, 1)
	defer cancel()
	for try := 1; ; try++ {
		c, err := p.take(ctx)
		var tx *Tx
		if err == nil {
			tx = &Tx{ctx: ctx, c: c, s: s, write: s.remote != nil}
			err = f(tx)
			tx.c = nil
			cut := tx.broken != nil && serverSaid(tx.broken) == nil
			p.give(c, !cut && !isFatal(tx.broken))
			switch {
			case err == nil:
				return nil
			case s.remote == nil || ctx.Err() != nil || try > cap(p.idle):
			case collided(tx.broken), isFatal(tx.broken): // the server did nothing of it
				continue
			case cut && (repeat || errors.Is(err, driver.ErrBadConn)): // ErrBadConn: nothing was sent
				continue
			}
		}
		switch {
		case outer.Err() == nil:
			err = s.late(ctx, err)
		case !errors.Is(err, outer.Err()):
			err = errors.Join(outer.Err(), err)
		}
		return s.explain(err)
	}
}

// bounded gives a PostgreSQL a time in which it must have answered: a way that
// swallows everything tells nothing. SQLite answers always.
func (s *Store) bounded(ctx context.Context, times time.Duration) (context.Context, context.CancelFunc) {
	if s.remote == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, times*s.remote.patience)
}

// late says of an error that it came because that time was over.
func (s *Store) late(ctx context.Context, err error) error {
	if err == nil || s.remote == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return s.remote.away(errors.New("it did not answer in time"))
}

// probe reads a little of every table, along one path of each tree: what is
// grossly damaged shows at the start, at a cost that does not grow with the
// file. Check reads all.
func (s *Store) probe(ctx context.Context) error {
	return s.View(ctx, func(tx *Tx) error {
		for _, q := range []string{
			"SELECT count(*) FROM (SELECT body FROM events ORDER BY uid DESC LIMIT 1) AS a",
			"SELECT count(*) FROM (SELECT body FROM events ORDER BY time DESC LIMIT 1) AS a",
			"SELECT count(*) FROM (SELECT body FROM cases ORDER BY id DESC LIMIT 1) AS a",
			"SELECT count(*) FROM (SELECT body FROM cases ORDER BY id LIMIT 1) AS a",
			"SELECT count(*) FROM cursors",
			"SELECT count(*) FROM accounts",
			"SELECT count(*) FROM (SELECT status FROM connections ORDER BY id LIMIT 1) AS a",
		} {
			var n int
			if err := tx.row(q).Scan(&n); err != nil {
				return fmt.Errorf("look into the database: %w", err)
			}
		}
		return nil
	})
}

// Check reads the whole database and gives ErrDamaged when something in it does
// not fit together. It takes about a second for each 100 MB; other
// transactions go on meanwhile. On PostgreSQL it reads every body; pg_amcheck
// looks at the rest.
func (s *Store) Check(ctx context.Context) error {
	if s.remote != nil {
		return s.checkRemote(ctx)
	}
	return s.View(ctx, func(tx *Tx) error {
		var said string
		if err := tx.row("PRAGMA quick_check(1)").Scan(&said); err != nil {
			return err
		}
		if said != "ok" {
			return damaged(s.path, said)
		}
		return nil
	})
}

// Copy writes a whole and tidy copy of the database into a new file, for its
// owner alone, while other transactions go on. Opened in a directory of its
// own as usher.db, it is a store. It is SQLite's: a PostgreSQL is copied with
// pg_dump, and the error says so.
func (s *Store) Copy(ctx context.Context, name string) error {
	if s.remote != nil {
		return &usher.Error{
			Code: usher.ErrUsage, Message: "the state is in " + s.where + ", which usher does not copy into a file",
			Hint: "pg_dump --format custom (docs/data.md, \"PostgreSQL\")",
		}
	}
	if _, err := os.Lstat(name); err == nil {
		return &usher.Error{Code: usher.ErrUsage, Message: name + " exists already", Hint: "name a new file"}
	}
	connector, err := sqlite.NewConnector(dsn(s.path, true, 0))
	if err != nil {
		return fmt.Errorf("set up SQLite: %w", err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	db.SetMaxOpenConns(1)
	return s.explain(told(copyTo(ctx, db, name), "copy the database to "+name))
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
