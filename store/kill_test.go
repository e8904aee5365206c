package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/store"
)

// TestMain lets the test program be the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("USHER_STORE_WRITES"); dir != "" {
		if err := write(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// write reads "lines" from where the cursor stands, without an end: each
// becomes an event, a try of one case, and moves the cursor, in batches of one
// to ten a transaction. After each transaction it tells the cursor.
func write(dir string) error {
	ctx := context.Background()
	s, err := store.OpenWith(ctx, dir, store.Options{URL: os.Getenv("USHER_STORE_URL")})
	if err != nil {
		return err
	}
	fmt.Println("open")
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	for {
		var at store.Cursor
		err := s.Update(ctx, func(tx *store.Tx) error {
			var err error
			if at, err = tx.Cursor("log"); err != nil {
				return err
			}
			for range 1 + r.IntN(10) {
				if err := take(tx, fmt.Sprint("e", at.Offset)); err != nil {
					return err
				}
				at.Offset++
			}
			return tx.SetCursor(at)
		})
		if err != nil {
			return err
		}
		fmt.Println(at.Offset)
		if r.IntN(20) == 0 { // folding in old ones belongs to a life as well
			if _, err := s.Prune(ctx, noon.Add(-time.Hour)); err != nil {
				return err
			}
		}
	}
}

func take(tx *store.Tx, uid string) error {
	ev := refusal(uid)
	ev.Source.IP = "192.0.2." + strconv.Itoa(len(uid))
	if added, err := tx.AddEvent(ev); err != nil || !added {
		return errors.Join(err, fmt.Errorf("%s added: %v", uid, added))
	}
	found, err := tx.CasesUnder("shop")
	if err != nil {
		return err
	}
	c := sample("f", usher.CaseOpen)
	c.Count = 0
	if len(found) > 0 {
		c = found[0]
	} else if err := tx.SaveCase(c, []string{"shop"}, noon); err != nil {
		return err
	}
	added, users, addresses, err := tx.AddTry(c.ID, ev)
	if err != nil || !added {
		return errors.Join(err, fmt.Errorf("try %s added: %v", uid, added))
	}
	c.Count, c.Users, c.Addresses, c.Refusal = c.Count+1, users, addresses, *ev
	return tx.SaveCase(c, []string{"shop"}, noon)
}

// TestKilled kills a writing process at random moments, the start among them,
// and holds what is left to what belongs together.
func TestKilled(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { killed(t, 12, openDir, func(string) string { return "" }) })
	t.Run("postgres", func(t *testing.T) {
		killed(t, 6, openPostgres, func(dir string) string { return schemaOf(t, dir) })
	})
}

func killed(t *testing.T, rounds int, open opener, urlOf func(dir string) string) {
	if os.Getenv("USHER_SOAK") != "" {
		rounds = 500
	}
	dir := filepath.Join(t.TempDir(), "data")
	r := rand.New(rand.NewPCG(5303, 7))
	written := int64(0)
	// On a slow machine nothing may be written in the first rounds: then more follow, with more time.
	for i := 0; i < rounds || written == 0 && i < 20*rounds; i++ {
		if i%6 == 5 { // a first start anew
			dir = filepath.Join(t.TempDir(), "data")
		}
		acknowledged := killedWriter(t, dir, urlOf(dir), time.Duration(r.IntN(150)*(1+i/rounds))*time.Millisecond)
		written += acknowledged
		checkWhole(t, open, dir, acknowledged)
		if t.Failed() {
			t.Fatalf("in round %d", i)
		}
	}
	if written == 0 {
		t.Error("nothing was ever written: the processes were killed too early")
	}
}

// killedWriter lets a process write for a while after its start, kills it, and
// gives the last cursor that it told.
func killedWriter(t *testing.T, dir, url string, after time.Duration) (acknowledged int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "USHER_STORE_WRITES="+dir, "USHER_STORE_URL="+url)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if n, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
			acknowledged = n
		}
	}
	err = cmd.Wait()
	if stderr.Len() > 0 {
		t.Errorf("the process ended by itself: %v\n%s", err, stderr.String())
	}
	return acknowledged
}

// checkWhole opens what a killed process left: the events, the count of the
// case and the cursor are those of one moment, not before the last one told.
func checkWhole(t *testing.T, open opener, dir string, acknowledged int64) {
	t.Helper()
	s := open(t, dir) // the lock of the killed process is no obstacle
	defer s.Close()
	view(t, s, func(tx *store.Tx) error {
		at, err := tx.Cursor("log")
		if err != nil {
			return err
		}
		if at.Offset < acknowledged {
			t.Errorf("the cursor stands at %d, %d was told to be on the disk", at.Offset, acknowledged)
		}
		c, err := tx.Case(1)
		if err != nil {
			return err
		}
		if at.Offset == 0 {
			if c != nil {
				t.Errorf("a case without a cursor: %+v", c)
			}
			return nil
		}
		if c == nil || int64(c.Count) != at.Offset || c.Refusal.UID != fmt.Sprint("e", at.Offset-1) {
			t.Errorf("the cursor stands at %d, the case is %+v", at.Offset, c)
		}
		for i := range at.Offset + 3 {
			ev, err := tx.Event(fmt.Sprint("e", i))
			if err != nil {
				return err
			}
			if (ev != nil) != (i < at.Offset) {
				t.Errorf("event %d of %d is there: %v", i, at.Offset, ev != nil)
			}
		}
		return nil
	})
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
