// Package postgres gives tests a PostgreSQL: the one that USHER_POSTGRES names,
// or one of their own, started from the programs that are installed, in a
// directory that goes away with the test.
//
// Where there is none, tests are skipped and say what was not tested; with
// USHER_SYSTEMS=require, as `make systems` sets it, they fail.
package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// Server is a PostgreSQL that runs.
type Server struct {
	url string // with a user who may create schemas
	own *process
}

// Fast are settings that make a server fast, for tests of what it answers and not of what
// it keeps.
var Fast = []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off"}

var (
	sharedOnce sync.Once
	shared     *Server
	sharedErr  error
)

// Shared gives a server that all tests of a process share; it ends with the
// process, however that ends. It may forget what it was told when it is killed.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	sharedOnce.Do(func() {
		if u := os.Getenv("USHER_POSTGRES"); u != "" {
			shared = &Server{url: u}
			return
		}
		shared, sharedErr = start(Fast)
	})
	if sharedErr != nil {
		missing(tb, sharedErr)
	}
	return shared
}

// New starts a server for one test, which may kill it: with all that a commit
// promises, unless settings say otherwise.
func New(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	s, err := start(settings)
	if err != nil {
		missing(tb, err)
	}
	tb.Cleanup(s.own.end)
	return s
}

func missing(tb testing.TB, why error) {
	tb.Helper()
	if os.Getenv("USHER_SYSTEMS") == "require" {
		tb.Fatalf("USHER_SYSTEMS=require, and %v", why)
	}
	tb.Skipf("NOT TESTED against PostgreSQL: %v (`make systems` installs what is missing)", why)
}

// Schema makes an empty schema and gives a URL of it; it is dropped when the
// test ends.
func (s *Server) Schema(tb testing.TB) string {
	tb.Helper()
	name, u := s.schema(tb)
	tb.Cleanup(func() {
		db, err := sql.Open("pgx", s.url)
		if err != nil {
			return
		}
		defer db.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, _ = db.ExecContext(ctx, "DROP SCHEMA "+name+" CASCADE") // the server may be gone
	})
	return u
}

// NewSchema is Schema that stays as long as the server does.
func (s *Server) NewSchema(tb testing.TB) string {
	tb.Helper()
	_, u := s.schema(tb)
	return u
}

func (s *Server) schema(tb testing.TB) (name, u string) {
	tb.Helper()
	name = "t" + random(8)
	s.Exec(tb, "CREATE SCHEMA "+name)
	return name, s.URL("search_path=" + name)
}

// URL names the server, with settings as "search_path=usher".
func (s *Server) URL(settings ...string) string {
	u, err := url.Parse(s.url)
	if err != nil {
		return s.url
	}
	q := u.Query()
	for _, pair := range settings {
		name, value, _ := strings.Cut(pair, "=")
		q.Set(name, value)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Exec runs a statement.
func (s *Server) Exec(tb testing.TB, statement string) {
	tb.Helper()
	if err := Exec(tb, s.url, statement); err != nil {
		tb.Fatal(err)
	}
}

// Exec runs a statement at a URL.
func Exec(tb testing.TB, url, statement string) error {
	tb.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(context.Background(), statement)
	return err
}

// Kill ends the server as a failure of power would, as far as a process can
// see: nothing more is written.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	if err := s.own.kill(); err != nil {
		tb.Fatal(err)
	}
}

// Start starts the server again after Kill, at the same place.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	if err := s.own.start(); err != nil {
		tb.Fatal(err)
	}
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// program finds a program of PostgreSQL: on the path, or where Debian puts it.
func program(name string) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	slices.Sort(found)
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		p := filepath.Join(dir, name)
		if info, err := os.Stat(p); err == nil && !info.IsDir() {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}
