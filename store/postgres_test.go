package store_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/store"
	"usher/test/postgres"
)

// openAt opens a store at a URL, in a directory of its own, until the test ends.
func openAt(t *testing.T, url string) *store.Store {
	t.Helper()
	s, err := store.OpenWith(t.Context(), filepath.Join(t.TempDir(), "data"), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestAnswersSurviveKill: PostgreSQL is killed while tokens are stored through
// two ushers. Each answer that was told to be kept is there afterwards, none is
// half there, and the ushers go on by themselves.
func TestAnswersSurviveKill(t *testing.T) {
	rounds := 2
	if os.Getenv("USHER_SOAK") != "" {
		rounds = 40
	}
	server := postgres.New(t)
	url := server.Schema(t)
	stores := []*store.Store{openAt(t, url), openAt(t, url)}
	const writers = 4
	var told [writers]atomic.Int64
	for i := range writers {
		r := broker.Record{Config: broker.Config{ID: fmt.Sprint("c", i)}}
		if err := stores[0].Broker().Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	tokens := func(i int, generation int64) string { return fmt.Sprintf("tokens of c%d, %d", i, generation) }
	for range rounds {
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() {
				b := stores[i%2].Broker()
				id := fmt.Sprint("c", i)
				for ctx.Err() == nil {
					r, err := b.Connection(ctx, id)
					if err == nil {
						r.Status.Generation++
						err = b.Answer(ctx, id, r.Status, []byte(tokens(i, r.Status.Generation)))
					}
					var known *usher.Error
					switch {
					case err == nil:
						told[i].Store(r.Status.Generation)
					case ctx.Err() == nil && (!errors.Is(err, store.ErrAway) || !errors.As(err, &known) || known.Code != usher.ErrUnreadable):
						t.Errorf("while the database was away: %v", err)
						return
					default:
						time.Sleep(20 * time.Millisecond)
					}
				}
			})
		}
		// When each has kept something, and has written on for a while.
		var started [writers]int64
		for i := range started {
			started[i] = told[i].Load()
		}
		progress(t, &told, &started)
		time.Sleep(100 * time.Millisecond)
		server.Kill(t)
		time.Sleep(100 * time.Millisecond)
		var before [writers]int64
		for i := range before {
			before[i] = told[i].Load()
		}
		server.Start(t)
		for i := range writers {
			r, err := stores[(i+1)%2].Broker().Connection(t.Context(), fmt.Sprint("c", i))
			if err != nil {
				t.Fatal(err)
			}
			if r.Status.Generation < before[i] {
				t.Errorf("of c%d the generation %d was told to be kept, %d is there", i, before[i], r.Status.Generation)
			}
			if string(r.Tokens) != tokens(i, r.Status.Generation) {
				t.Errorf("of c%d generation %d holds %q", i, r.Status.Generation, r.Tokens)
			}
		}
		progress(t, &told, &before)
		stop()
		all.Wait()
	}
}

// progress waits until each writer has been told of a later generation than that.
func progress(t *testing.T, told *[4]atomic.Int64, than *[4]int64) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		on := 0
		for i := range told {
			if told[i].Load() > than[i] {
				on++
			}
		}
		if on == len(told) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d write on", on, len(told))
		}
	}
}

// TestCutConnections: connections that the server or something on the way ends
// while nobody uses them are nobody's trouble.
func TestCutConnections(t *testing.T) {
	server := postgres.New(t, postgres.Fast...)
	s := openAt(t, server.Schema(t))
	b := s.Broker()
	if err := b.Add(t.Context(), broker.Record{Config: broker.Config{ID: "c"}}); err != nil {
		t.Fatal(err)
	}
	for i, wait := range []time.Duration{0, 0, 1100 * time.Millisecond} {
		update(t, s, func(tx *store.Tx) error { return tx.SetSetting("a", fmt.Sprint(i)) })
		view(t, s, func(tx *store.Tx) error { _, err := tx.Setting("a"); return err })
		server.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'usher'")
		time.Sleep(wait + 50*time.Millisecond)
		if _, err := b.Acquire(t.Context(), fmt.Sprint("l", i), "h", time.Minute); err != nil {
			t.Errorf("a lease: %v", err)
		}
		update(t, s, func(tx *store.Tx) error { return tx.SetSetting("b", fmt.Sprint(i)) })
		view(t, s, func(tx *store.Tx) error { _, err := tx.Setting("b"); return err })
	}
}

// TestUpdatesOfTwo: Update is one at a time over all who share a database, and
// the broker waits for none of it; whatever isolation the server gives by default.
func TestUpdatesOfTwo(t *testing.T) {
	for _, isolation := range []string{"read committed", "repeatable read"} {
		t.Run(isolation, func(t *testing.T) {
			updatesOfTwo(t, postgres.Shared(t).Schema(t)+"&default_transaction_isolation="+url.PathEscape(isolation))
		})
	}
}

func updatesOfTwo(t *testing.T, url string) {
	stores := []*store.Store{openAt(t, url), openAt(t, url), openAt(t, url)}
	var all sync.WaitGroup
	var inside atomic.Int32
	for _, s := range stores {
		all.Go(func() {
			for range 20 {
				err := s.Update(t.Context(), func(tx *store.Tx) error {
					if inside.Add(1) != 1 {
						t.Error("two are inside at once")
					}
					defer inside.Add(-1)
					c, err := tx.Cursor("log")
					if err != nil {
						return err
					}
					c.Offset++
					return tx.SetCursor(c)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	view(t, stores[0], func(tx *store.Tx) error {
		c, err := tx.Cursor("log")
		if c.Offset != 60 {
			t.Errorf("60 transactions added up to %d", c.Offset)
		}
		return err
	})
	update(t, stores[0], func(*store.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if _, err := stores[1].Broker().Acquire(ctx, "a", "h", time.Minute); err != nil {
			t.Errorf("a lease during somebody's Update: %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := stores[1].Update(ctx, func(*store.Tx) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("another's Update did not wait: %v", err)
		}
		return nil
	})
	update(t, stores[1], func(tx *store.Tx) error { return tx.SetSetting("a", "b") }) // who gave up holds nobody up
}

// TestStartAtOnce: of several that start on an empty database one makes the
// tables, and all work.
func TestStartAtOnce(t *testing.T) {
	url := postgres.Shared(t).Schema(t)
	var all sync.WaitGroup
	for range 4 {
		dir := filepath.Join(t.TempDir(), "data")
		all.Go(func() {
			s, err := store.OpenWith(t.Context(), dir, store.Options{URL: url})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.SetSetting("a", "b") }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestSwallowed: a statement that was refused undoes the transaction, and that is
// told even where its error was not looked at.
func TestSwallowed(t *testing.T) {
	s := openAt(t, postgres.Shared(t).Schema(t))
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.AddEvent(refusal("e1")); err != nil {
			return err
		}
		_, _ = tx.AddMark(99, "of a case that there is not")
		return nil
	})
	if err == nil {
		t.Error("a transaction of which nothing is kept was told to be kept")
	}
	nothing(t, s)
}

// TestStrangeText: what a stranger wrote into a log is kept, whatever it is.
func TestStrangeText(t *testing.T) {
	for name, open := range map[string]opener{"sqlite": openDir, "postgres": openPostgres} {
		t.Run(name, func(t *testing.T) {
			s := fresh(t, open)
			long := strings.Builder{}
			for i := range 20_000 {
				fmt.Fprintf(&long, "%x", i*2654435761)
			}
			for i, text := range []string{"zero \x00 byte", "not \xff\xfe UTF-8", long.String(), "'; DROP TABLE events; --", "?", "{now}{share}$1"} {
				ev := refusal(fmt.Sprint("e", i))
				ev.Client, ev.User, ev.Tenant = usher.Party{UID: text}, usher.Party{UID: text, Name: text}, text
				ev.Source.IP, ev.StatusCode = text, text
				update(t, s, func(tx *store.Tx) error {
					if _, err := tx.AddEvent(ev); err != nil {
						return err
					}
					c := sample(text, usher.CaseOpen)
					c.Refusal = *ev
					if err := tx.SaveCase(c, []string{text}, noon); err != nil {
						return err
					}
					_, _, _, err := tx.AddTry(c.ID, ev)
					_, err2 := tx.AddMark(c.ID, text)
					return errors.Join(err, err2)
				})
				view(t, s, func(tx *store.Tx) error {
					events, err := tx.Events(store.EventFilter{Client: text})
					cases, err2 := tx.CasesUnder(text)
					if len(events) != 1 || len(cases) != 1 {
						t.Errorf("%.20q: %d events and %d cases are found again", text, len(events), len(cases))
					}
					return errors.Join(err, err2)
				})
			}
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTicketsOfTwo: the one-time password that each told is good, and when
// somebody is in, all are spent.
func TestTicketsOfTwo(t *testing.T) {
	url := postgres.Shared(t).Schema(t)
	a, b := openAt(t, url), openAt(t, url)
	if a.Replica() == b.Replica() || len(a.Replica()) != 16 || !a.Shared() {
		t.Errorf("the names are %q and %q", a.Replica(), b.Replica())
	}
	update(t, a, func(tx *store.Tx) error { return tx.PutTicket(store.Ticket{Hash: hash("a"), Expires: noon}) })
	update(t, b, func(tx *store.Tx) error { return tx.PutTicket(store.Ticket{Hash: hash("b"), Expires: noon}) })
	update(t, b, func(tx *store.Tx) error { return tx.PutTicket(store.Ticket{Hash: hash("c"), Expires: noon}) })
	update(t, b, func(tx *store.Tx) error {
		if _, err := tx.TakeTicket(hash("b")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a replaced one: %v", err)
		}
		_, err := tx.TakeTicket(hash("a"))
		return err
	})
	update(t, b, func(tx *store.Tx) error {
		if _, err := tx.TakeTicket(hash("c")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after somebody came in: %v", err)
		}
		return nil
	})
}

// TestNumbers: who has read events and cases up to a number is given those after
// it, whoever wrote them.
func TestNumbers(t *testing.T) {
	for name, open := range map[string]opener{"sqlite": openDir, "postgres": openPostgres} {
		t.Run(name, func(t *testing.T) {
			s := fresh(t, open)
			c := sample("f1", usher.CaseOpen)
			update(t, s, func(tx *store.Tx) error {
				for i := range 3 {
					if _, err := tx.AddEvent(refusal(fmt.Sprint("e", i))); err != nil {
						return err
					}
				}
				return errors.Join(tx.SaveCase(c, nil, noon), tx.SaveCase(sample("f2", usher.CaseOpen), nil, noon))
			})
			var seen, changed int64
			view(t, s, func(tx *store.Tx) (err error) {
				list, last, err := tx.EventsAfter(0, 2)
				if err != nil || uids(list) != "e0 e1" {
					t.Errorf("got %q, %v", uids(list), err)
				}
				if list, last, err = tx.EventsAfter(last, 2); err != nil || uids(list) != "e2" {
					t.Errorf("got %q, %v", uids(list), err)
				}
				if seen, err = tx.LastEvent(); err != nil || seen != last {
					t.Errorf("the last is %d, %d was given, %v", seen, last, err)
				}
				changed, err = tx.LastChange()
				return err
			})
			c.State = usher.CaseFixing
			update(t, s, func(tx *store.Tx) error {
				_, err := tx.AddEvent(refusal("e3"))
				return errors.Join(err, tx.SaveCase(c, nil, noon))
			})
			view(t, s, func(tx *store.Tx) error {
				list, _, err := tx.EventsAfter(seen, 10)
				cases, err2 := tx.CasesChanged(changed, 10)
				if uids(list) != "e3" || len(cases) != 1 || cases[0].ID != 1 || cases[0].State != usher.CaseFixing {
					t.Errorf("after the numbers: %q, %+v", uids(list), cases)
				}
				all, err3 := tx.CasesChanged(0, 10)
				if len(all) != 2 || all[0].ID != 2 || all[1].ID != 1 || all[0].Seq >= all[1].Seq {
					t.Errorf("all: %+v", all)
				}
				return errors.Join(err, err2, err3)
			})
		})
	}
}

// TestPostgresSays: each way to fail says what happened, where, and what to do.
func TestPostgresSays(t *testing.T) {
	server := postgres.New(t, postgres.Fast...)
	good := server.Schema(t)
	openAt(t, good)
	edit := func(f func(u *url.URL)) string {
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		f(u)
		return u.String()
	}
	foreign, newer := server.Schema(t), server.Schema(t)
	if err := postgres.Exec(t, foreign, "CREATE TABLE somebody (n int)"); err != nil {
		t.Fatal(err)
	}
	openAt(t, newer)
	if err := postgres.Exec(t, newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)"); err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(good)
	password, _ := u.User.Password()
	for name, test := range map[string]struct {
		url, says string
		kind      error
	}{
		"nobody there":   {edit(func(u *url.URL) { u.Host = "127.0.0.1:1" }), "127.0.0.1:1", store.ErrAway},
		"no such host":   {edit(func(u *url.URL) { u.Host = "nowhere.invalid" }), "nowhere.invalid", store.ErrAway},
		"wrong password": {edit(func(u *url.URL) { u.User = url.UserPassword("usher", "another-secret") }), "not", nil},
		"no database":    {edit(func(u *url.URL) { u.Path = "/nowhere" }), "nowhere", nil},
		"no schema":      {edit(func(u *url.URL) { u.RawQuery = "search_path=nowhere" }), "no schema", nil},
		"foreign":        {foreign, "another program", nil},
		"newer":          {newer, "newer usher", store.ErrNewer},
		"no URL":         {"mysql://root:another-secret@127.0.0.1/x", "neither sqlite nor", nil},
		"read only":      {edit(func(u *url.URL) { u.RawQuery += "&default_transaction_read_only=on" }), u.Host, store.ErrAway},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := store.OpenWith(t.Context(), filepath.Join(t.TempDir(), "data"), store.Options{URL: test.url})
			var known *usher.Error
			if !errors.As(err, &known) || known.Hint == "" || !strings.Contains(known.Message, test.says) || test.kind != nil && !errors.Is(err, test.kind) {
				t.Errorf("got %v (%+v)", err, known)
			}
			if text := fmt.Sprintf("%v %+v %#v", err, known, known); strings.Contains(text, password) || strings.Contains(text, "another-secret") {
				t.Errorf("the password is told: %s", text)
			}
		})
	}
	// What the server refuses in the middle.
	s := openAt(t, good)
	for code, kind := range map[string]error{"53100": store.ErrFull, "40001": store.ErrBusy, "XX001": store.ErrDamaged, "57P01": store.ErrAway} {
		server.Exec(t, "DROP TRIGGER IF EXISTS fails ON "+u.Query().Get("search_path")+".settings")
		server.Exec(t, "CREATE OR REPLACE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'as wanted' USING ERRCODE = '"+code+"'; END $$")
		server.Exec(t, "CREATE TRIGGER fails BEFORE INSERT ON "+u.Query().Get("search_path")+".settings EXECUTE FUNCTION fails()")
		err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.SetSetting("a", "b") })
		told(t, err, kind, u.Host)
	}
	server.Exec(t, "DROP TRIGGER fails ON "+u.Query().Get("search_path")+".settings")
	update(t, s, func(tx *store.Tx) error { return tx.SetSetting("a", "b") })
	if err := s.Copy(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "does not copy") {
		t.Errorf("a copy: %v", err)
	}
}

// TestPasswordIsNeverTold: a URL may be written wrong in many ways, and its
// password may then stand where nobody expects it.
func TestPasswordIsNeverTold(t *testing.T) {
	const secret = "Zq8made9Qx1LrT2v"
	for _, text := range []string{
		"postgres://usher:" + secret + "@127.0.0.1:1/usher",
		"postgres://usher:" + secret + "/x@127.0.0.1:1/usher",
		"postgres://usher:12/" + secret + "@127.0.0.1:1/usher",
		"postgres://usher:12?" + secret + "@127.0.0.1:1/usher",
		"postgres://usher:12?x=" + secret + "@127.0.0.1:1/usher",
		"postgres://usher:12#" + secret + "@127.0.0.1:1/usher",
		"postgres://usher:" + secret + "#@127.0.0.1:1/usher",
		"postgres://usher:%zz" + secret + "@127.0.0.1:1/usher",
		"postgres://usher:" + secret + " @127.0.0.1:1/usher",
		"postgres://127.0.0.1:1/usher?password=" + secret,
		"postgres://127.0.0.1:1/usher?password=" + secret + "&sslmode=wrong",
		"postgres://usher:" + secret + "@[::1/usher",
		"postgres://usher:" + secret + "@127.0.0.1:port/usher",
		"postgres://usher:" + secret + "@127.0.0.1:1,127.0.0.1:2/usher?connect_timeout=x",
		"host=127.0.0.1 port=1 user=usher password=" + secret,
		"postgresql://" + secret,
	} {
		_, err := store.OpenWith(t.Context(), filepath.Join(t.TempDir(), "data"), store.Options{URL: text})
		var known *usher.Error
		if !errors.As(err, &known) || known.Hint == "" {
			t.Errorf("%s: %v", text, err)
		}
		if text == "postgresql://"+secret {
			continue // that is the name of a host
		}
		if told := fmt.Sprintf("%v|%+v|%#v", err, known, known); strings.Contains(told, secret) {
			t.Errorf("of %s it is told: %s", text, told)
		}
	}
	// From the environment, as other programs of PostgreSQL take it.
	server := postgres.New(t, postgres.Fast...)
	u, err := url.Parse(server.Schema(t))
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	u.User = url.User("usher")
	if _, err := store.OpenWith(t.Context(), filepath.Join(t.TempDir(), "data"), store.Options{URL: u.String()}); err == nil {
		t.Error("nobody asked for the password")
	}
	t.Run("PGPASSWORD", func(t *testing.T) {
		t.Setenv("PGPASSWORD", password)
		openAt(t, u.String())
	})
	t.Run("PGPASSFILE", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "pgpass")
		if err := os.WriteFile(file, []byte("127.0.0.1:*:*:usher:"+strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(password)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PGPASSFILE", file)
		openAt(t, u.String())
	})
}

// TestPostgresNotes: what may lose something is told at the start.
func TestPostgresNotes(t *testing.T) {
	server := postgres.New(t, postgres.Fast...)
	dir := t.TempDir()
	if err := openDir(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	s, err := store.OpenWith(t.Context(), dir, store.Options{URL: server.Schema(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	notes := strings.Join(s.Notes(), "\n")
	for _, want := range []string{"fsync", "synchronous_commit off", "usher.db is not used"} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q is not told: %s", want, notes)
		}
	}
	if s.Unclean() {
		t.Error("it is unclean")
	}
}

// hole is a way to a server that swallows everything when it is told to.
type hole struct {
	net.Listener
	to     string
	closed atomic.Bool
}

func newHole(t *testing.T, to string) *hole {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hole{Listener: l, to: to}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			go h.pass(in, out)
			go h.pass(out, in)
		}
	}()
	return h
}

func (h *hole) pass(from, to net.Conn) {
	defer to.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		if h.closed.Load() {
			continue // as if it had been sent
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// TestSwallowingWay: a network that takes everything and gives nothing back
// holds nobody up for long, and when it is whole again all goes on.
func TestSwallowingWay(t *testing.T) {
	u, err := url.Parse(postgres.Shared(t).Schema(t))
	if err != nil {
		t.Fatal(err)
	}
	h := newHole(t, u.Host)
	u.Host = h.Addr().String()
	const patience = 2 * time.Second
	s, err := store.OpenPatient(t.Context(), filepath.Join(t.TempDir(), "data"), u.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b := s.Broker()
	if err := b.Add(t.Context(), broker.Record{Config: broker.Config{ID: "c"}}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = b.Connection(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	h.closed.Store(true)
	_, err = b.Connection(t.Context(), "c")
	told(t, err, store.ErrAway, u.Host)
	_, err = b.Acquire(t.Context(), "a", "h", time.Minute)
	told(t, err, store.ErrAway, u.Host)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := b.Connection(ctx, "c"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("who has less time is told: %v", err)
	}
	h.closed.Store(false)
	err = s.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.SetSetting("a", "b"); err != nil {
			return err
		}
		h.closed.Store(true)
		err := tx.SetSetting("a", "c")
		if err == nil {
			t.Error("a swallowed statement was done")
		}
		h.closed.Store(false)
		return nil // it was not looked at
	})
	told(t, err, store.ErrAway, u.Host)
	if took := time.Since(start); took > 60*time.Second {
		t.Errorf("it took %v", took)
	}
	update(t, s, func(tx *store.Tx) error { return tx.SetSetting("a", "d") })
	if _, err := b.Acquire(t.Context(), "a", "h", time.Minute); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
