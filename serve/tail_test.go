package serve_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/serve"
	"usher/store"
)

// follower is a tail in a test, that can be killed and started again: what it
// had not kept is forgotten.
type follower struct {
	t         *testing.T
	path      string
	fromStart bool

	mu     sync.Mutex
	lines  []string
	cursor store.Cursor
	notes  []string
	cancel context.CancelFunc
	done   chan struct{}
}

func newFollower(t *testing.T, fromStart bool) *follower {
	f := &follower{t: t, path: filepath.Join(t.TempDir(), "kc.log"), fromStart: fromStart}
	t.Cleanup(f.stop)
	return f
}

func (f *follower) start() {
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel, f.done = cancel, make(chan struct{})
	go func() {
		defer close(f.done)
		_ = serve.Follow(ctx, f.path, f.fromStart, f.cursor, func(lines [][]byte, c store.Cursor) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if ctx.Err() != nil {
				return errors.New("killed")
			}
			for _, l := range lines {
				f.lines = append(f.lines, string(l))
			}
			f.cursor = c
			return nil
		}, func(m string) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.notes = append(f.notes, m)
		})
	}()
}

func (f *follower) stop() {
	if f.cancel != nil {
		f.cancel()
		<-f.done
		f.cancel = nil
	}
}

// settled waits until the tail has begun.
func (f *follower) settled() {
	f.t.Helper()
	f.wait("a cursor", func() bool { return f.cursor.File != "" })
}

func (f *follower) wait(what string, ok func() bool) {
	f.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		f.mu.Lock()
		good := ok()
		f.mu.Unlock()
		if good {
			return
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.t.Fatalf("waited for %s; lines %q, notes %q, cursor %+v", what, f.lines, f.notes, f.cursor)
}

func (f *follower) want(lines ...string) {
	f.t.Helper()
	f.wait(fmt.Sprintf("%q", lines), func() bool { return slices.Equal(f.lines, lines) })
}

func (f *follower) append(text string) {
	f.t.Helper()
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		f.t.Fatal(err)
	}
}

func (f *follower) rename(to string) {
	f.t.Helper()
	if err := os.Rename(f.path, filepath.Join(filepath.Dir(f.path), to)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *follower) copyTruncate(to string) {
	f.t.Helper()
	data, err := os.ReadFile(f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(f.path), to), data, 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Truncate(f.path, 0); err != nil {
		f.t.Fatal(err)
	}
}

func TestTailBeginsAtEnd(t *testing.T) {
	f := newFollower(t, false)
	f.append("old 1\nold 2\nhalf")
	f.start()
	f.settled()
	f.append(" a line\nnew\r\n")
	f.want("half a line", "new")
}

func TestTailBeginsAtStart(t *testing.T) {
	f := newFollower(t, true)
	f.append("old 1\n\nold 2\n")
	f.start()
	f.want("old 1", "old 2")
}

func TestTailMissingFile(t *testing.T) {
	f := newFollower(t, false)
	f.start()
	f.settled()
	f.stop()
	f.append("written while usher was away\n")
	f.start()
	f.append("and after\n")
	f.want("written while usher was away", "and after")
}

func TestTailHalfLines(t *testing.T) {
	f := newFollower(t, true)
	f.append("one\ntw")
	f.start()
	f.want("one")
	f.stop() // killed in the middle of a line
	f.append("o\nthr")
	f.start()
	f.want("one", "two")
	f.append("ee\n")
	f.want("one", "two", "three")
}

func TestTailRename(t *testing.T) {
	f := newFollower(t, true)
	f.append("1\n2\n")
	f.start()
	f.want("1", "2")
	old, err := os.OpenFile(f.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	f.rename("kc.log.1")
	fmt.Fprintln(old, "3 still goes to the old file")
	f.want("1", "2", "3 still goes to the old file")
	f.append("") // logrotate makes the new one
	fmt.Fprintln(old, "4 as well")
	fmt.Fprint(old, "5 without an end")
	f.append("6\n")
	f.want("1", "2", "3 still goes to the old file", "4 as well", "5 without an end", "6")
}

func TestTailRenameWhileAway(t *testing.T) {
	f := newFollower(t, true)
	f.append("1\n")
	f.start()
	f.want("1")
	f.stop()
	f.append("2\n")
	f.rename("kc.log.2")
	time.Sleep(10 * time.Millisecond)
	f.append("3\n")
	f.rename("kc.log.1")
	time.Sleep(10 * time.Millisecond)
	f.append("4\n")
	f.start()
	f.want("1", "2", "3", "4")
}

// TestTailNeighbour: the log of another server beside it is no older part of it.
func TestTailNeighbour(t *testing.T) {
	f := newFollower(t, true)
	f.append("1\n")
	f.start()
	f.want("1")
	f.stop()
	f.append("2\n")
	f.rename("kc.log.1")
	time.Sleep(10 * time.Millisecond)
	if err := os.WriteFile(filepath.Join(filepath.Dir(f.path), "kc2.log"), []byte("another's\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond)
	f.append("3\n")
	f.start()
	f.want("1", "2", "3")
}

func TestTailRotatedAndGone(t *testing.T) {
	f := newFollower(t, true)
	f.append("1\n")
	f.start()
	f.want("1")
	f.stop()
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	f.append("another file\n")
	f.start()
	f.want("1", "another file")
}

func TestTailCopyTruncate(t *testing.T) {
	f := newFollower(t, true)
	f.append("1\n2\n")
	f.start()
	f.want("1", "2")
	f.copyTruncate("kc.log.1")
	f.append("3\n")
	f.want("1", "2", "3")
}

// TestTailCopyTruncateGrown: the file has grown beyond the old place before it
// is looked at again, and the copy holds lines that were not read.
func TestTailCopyTruncateGrown(t *testing.T) {
	f := newFollower(t, true)
	f.append("1\n2\n")
	f.start()
	f.want("1", "2")
	f.stop()
	f.append("3\n")
	f.copyTruncate("kc.log.1")
	f.append("4 is much longer than what was there\n")
	f.start()
	f.want("1", "2", "3", "4 is much longer than what was there")
}

func TestTailHugeLine(t *testing.T) {
	f := newFollower(t, true)
	f.append("before\n")
	f.append(strings.Repeat("x", 3<<20))
	f.start()
	f.want("before")
	f.append("y\nafter\n" + strings.Repeat("z", 1<<20) + "\n")
	f.want("before", "after", strings.Repeat("z", 1<<20))
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.notes) != 1 || !strings.Contains(f.notes[0], "1 MiB") {
		t.Errorf("notes %q", f.notes)
	}
}

func TestTailFolder(t *testing.T) {
	f := newFollower(t, false)
	if err := os.Mkdir(f.path, 0o700); err != nil {
		t.Fatal(err)
	}
	f.start()
	f.wait("a note", func() bool { return len(f.notes) == 1 && strings.Contains(f.notes[0], "no plain file") })
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	f.append("x\n")
	f.wait("another note", func() bool { return len(f.notes) > 1 })
}

// TestTailKilledAnywhere: whatever happens to file and follower, every line is
// given once and in order.
func TestTailKilledAnywhere(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 5303))
			f := newFollower(t, true)
			f.start()
			var want []string
			rotations := 0
			for i := range 300 {
				line := fmt.Sprintf("%d %s", i, strings.Repeat("x", r.IntN(400)))
				want = append(want, line)
				cut := r.IntN(len(line) + 1)
				f.append(line[:cut])
				switch r.IntN(12) {
				case 0:
					f.stop()
					f.start()
				case 1:
					time.Sleep(5 * time.Millisecond)
				}
				f.append(line[cut:] + "\n")
				switch r.IntN(25) {
				case 0:
					f.stop()
				case 1: // between rotations, the follower comes to look
					rotations++
					f.start2()
					f.wait("what stands before a rotation", func() bool { return len(f.lines) >= len(want) })
					f.rename(fmt.Sprintf("kc.log.%d", rotations))
				case 2:
					rotations++
					f.start2()
					f.wait("what stands before a truncation", func() bool { return len(f.lines) >= len(want) })
					f.copyTruncate(fmt.Sprintf("kc.log.%d", rotations))
				}
				f.start2()
			}
			f.wait("the last line", func() bool { return len(f.lines) >= len(want) })
			f.mu.Lock()
			defer f.mu.Unlock()
			for i := range want {
				if f.lines[i] != want[i] {
					t.Fatalf("line %d is %.20q, want %.20q", i, f.lines[i], want[i])
				}
			}
			if len(f.lines) != len(want) {
				t.Fatalf("%d lines, want %d", len(f.lines), len(want))
			}
		})
	}
}

// start2 starts the follower if it does not run.
func (f *follower) start2() {
	if f.cancel == nil {
		f.start()
	}
}
