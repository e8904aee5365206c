package demo_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"usher"
	"usher/demo"
)

// telling is what a story tells, while it is told.
type telling struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *telling) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *telling) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"), goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

// TestFirstCase plays the story once; nothing is left of it on the disk.
func TestFirstCase(t *testing.T) {
	t.Setenv("TMPDIR", shortDir(t))
	var told telling
	end, err := demo.Play(t.Context(), demo.Options{Fast: true, Listen: "127.0.0.1:0", Tell: &told})
	if err != nil {
		t.Fatalf("%v\n%s", err, told.String())
	}
	k := end.Case
	if k.State != usher.CaseFixed || k.Proven == nil || k.Count != 14 || k.Addresses != 3 {
		t.Errorf("the case is %s after %d tries from %d addresses, proven %v", k.State, k.Count, k.Addresses, k.Proven != nil)
	}
	for _, want := range []string{"`https://shop.test/cb/`", "`https://shop.test/cb`", "(1 character)", "14 tries", "3 addresses", "(redirectUris) by admin"} {
		if !strings.Contains(k.Summary, want) {
			t.Errorf("the summary lacks %q: %s", want, k.Summary)
		}
	}
	if visible := k.Opened.Sub(k.First); visible > time.Second {
		t.Errorf("the case was visible after %s, want a second at most", visible)
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestLives: without Fast the story waits for a person, tells where to look,
// never calls the case fixed by itself, and ends with its context.
func TestLives(t *testing.T) {
	t.Setenv("TMPDIR", shortDir(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var told telling
	type end struct {
		*demo.Ending
		err error
	}
	done := make(chan end, 1)
	go func() {
		e, err := demo.Play(ctx, demo.Options{Listen: "127.0.0.1:0", Tell: &told})
		done <- end{e, err}
	}()
	for deadline := time.Now().Add(60 * time.Second); !strings.Contains(told.String(), "Ctrl-C"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the story does not get to its point:\n%s", told.String())
		}
	}
	for _, want := range []string{"/cases/1", "one-time password:", "usher cases fix 1 --data "} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("the story does not tell %q:\n%s", want, told.String())
		}
	}
	cancel()
	select {
	case e := <-done:
		if e.err != nil && !errors.Is(e.err, context.Canceled) {
			t.Errorf("it ends with %v", e.err)
		}
		if e.Ending == nil || e.Case.State != usher.CaseOpen {
			t.Errorf("nobody fixed anything, and the case is %+v", e.Ending)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("it does not end")
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestUnknownStory(t *testing.T) {
	_, err := demo.Play(t.Context(), demo.Options{Story: "nothing"})
	var known *usher.Error
	if !errors.As(err, &known) || known.Code != usher.ErrUsage {
		t.Errorf("an unknown story gives %v", err)
	}
}

// shortDir is a folder whose path leaves room for that of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "d")
	if err != nil {
		t.Skipf("NOT TESTED: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
