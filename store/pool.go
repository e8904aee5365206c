package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"modernc.org/sqlite"
)

// pool holds connections to one database, each with its prepared statements. A
// transaction has one connection for itself.
type pool struct {
	db     *sql.DB
	idle   chan *connection // nil: not opened yet
	remote bool             // PostgreSQL
}

type connection struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	// Of PostgreSQL, which may have gone away in between: when it was last used.
	remote bool
	used   time.Time
}

// newPool prepares n connections; each is opened when it is first needed.
func newPool(connector driver.Connector, n int, remote bool) *pool {
	p := &pool{db: sql.OpenDB(connector), idle: make(chan *connection, n), remote: remote}
	p.db.SetMaxOpenConns(n)
	for range n {
		p.idle <- nil
	}
	return p
}

// openPool is a pool of a file of SQLite.
func openPool(path string, n int, write bool, maxPages int) (*pool, error) {
	connector, err := sqlite.NewConnector(dsn(path, write, maxPages))
	if err != nil {
		return nil, fmt.Errorf("set up SQLite: %w", err)
	}
	return newPool(connector, n, false), nil
}

// dsn names the database with the settings of a connection.
//
// synchronous=FULL: a commit is on the disk before it is told. In WAL mode a
// killed process loses nothing even with NORMAL, but a failed machine would
// lose the last commits: a fix that was begun at a provider, an event that a
// door had acknowledged, a session that was ended. One fsync a batch is cheap
// beside that (docs/data.md).
func dsn(path string, write bool, maxPages int) string {
	q := url.Values{}
	q.Set("_busy_timeout", "5000") // only another program can be in the way: a backup, the sqlite3 shell
	q.Add("_pragma", "foreign_keys(1)")
	q.Add("_pragma", "trusted_schema(0)")
	q.Add("_pragma", "cell_size_check(1)")
	q.Add("_pragma", "temp_store(memory)")
	if write {
		q.Add("_pragma", "journal_mode(wal)")
		q.Add("_pragma", "synchronous(full)")
		q.Add("_pragma", "journal_size_limit(8388608)")
		q.Add("_pragma", "cache_size(-2048)") // KiB
		if maxPages > 0 {
			q.Add("_pragma", "max_page_count("+strconv.Itoa(maxPages)+")")
		}
	} else {
		q.Add("_pragma", "query_only(1)")
		q.Add("_pragma", "cache_size(-1024)")
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	return u.String()
}

var errClosed = errors.New("the store is closed")

func (p *pool) take(ctx context.Context) (*connection, error) {
	select {
	case c, ok := <-p.idle:
		if !ok {
			return nil, errClosed
		}
		if c != nil && p.alive(ctx, c) {
			return c, nil
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	conn, err := p.db.Conn(ctx)
	if err != nil {
		p.idle <- nil
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return &connection{conn: conn, stmts: map[string]*sql.Stmt{}, remote: p.remote, used: time.Now()}, nil
}

// alive asks a connection over the network that was idle for a while whether it
// still is one; a dead one is closed.
func (p *pool) alive(ctx context.Context, c *connection) bool {
	if !c.remote || time.Since(c.used) < idleUnasked {
		return true
	}
	if c.conn.PingContext(ctx) == nil {
		return true
	}
	c.close()
	return false
}

// idleUnasked is for how long a connection over the network is believed to be
// there.
const idleUnasked = time.Second

// give takes a connection back; one that is not sound is closed and opened anew
// when it is needed.
func (p *pool) give(c *connection, sound bool) {
	if !sound {
		c.close()
		c = nil
	} else if c.remote {
		c.used = time.Now()
	}
	p.idle <- c
}

// close waits until every connection was given back.
func (p *pool) close() error {
	for range cap(p.idle) {
		if c := <-p.idle; c != nil {
			c.close()
		}
	}
	close(p.idle)
	return p.db.Close()
}

func (c *connection) close() {
	for _, st := range c.stmts {
		_ = st.Close()
	}
	// The driver's connection is dropped, not kept for the next one.
	_ = c.conn.Raw(func(any) error { return errDrop })
	_ = c.conn.Close()
}

// errDrop tells database/sql that a connection is of no more use.
var errDrop = driver.ErrBadConn

// mostStatements bounds the prepared statements of a connection; filters make
// a few dozen different ones.
const mostStatements = 100

func (c *connection) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if st, ok := c.stmts[query]; ok {
		return st, nil
	}
	if len(c.stmts) >= mostStatements {
		for q, st := range c.stmts {
			_ = st.Close()
			delete(c.stmts, q)
		}
	}
	text := query
	if c.remote {
		text = remoteText(query)
	}
	st, err := c.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = st
	return st, nil
}

func (c *connection) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	st, err := c.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args...)
}
