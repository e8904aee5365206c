package console_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/console"
	"usher/console/consoletest"
)

// stream opens a watch and gives its lines.
func (s *site) stream(t *testing.T, ctx context.Context, more ...with) (<-chan string, *http.Response) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", s.url+"/api/v1/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range more {
		m(r)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	out := make(chan string, 1000)
	go func() {
		defer close(out)
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			out <- lines.Text()
		}
	}()
	return out, res
}

// await reads lines until one holds the text.
func await(t *testing.T, lines <-chan string, text string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatalf("the stream ended before %q", text)
			}
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			t.Fatalf("%q did not come", text)
		}
	}
}

func ended(t *testing.T, lines <-chan string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case _, ok := <-lines:
			if !ok {
				return
			}
		case <-deadline:
			t.Fatal("the stream goes on")
		}
	}
}

func TestWatch(t *testing.T) {
	defer console.Beat(20*time.Millisecond, 10*time.Second)()
	s := start(t, consoletest.Story(noon)...)
	lines, res := s.stream(t, t.Context(), trusted, header("Last-Event-ID", "12"))
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("the stream is %s", got)
	}
	await(t, lines, ": watching")
	s.memory.Edit(6, func(c *usher.Case) { c.State = usher.CaseRegressed })
	await(t, lines, "event: case")
	await(t, lines, `data: {"id":6,"state":"regressed"}`)
	await(t, lines, ": beat")
}

// TestWatchEnds: with the session, and with the client.
func TestWatchEnds(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	session := s.signIn(t)
	lines, _ := s.stream(t, t.Context(), withCookie(session))
	await(t, lines, ": watching")
	s.submit(t, "/signout", nil, withCookie(session))
	s.memory.Edit(1, func(c *usher.Case) { c.Count++ })
	ended(t, lines)

	ctx, cancel := context.WithCancel(t.Context())
	lines, _ = s.stream(t, ctx, trusted)
	await(t, lines, ": watching")
	cancel()
	ended(t, lines)
	for deadline := time.Now().Add(30 * time.Second); s.memory.Watching() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d subscriptions are left", s.memory.Watching())
		}
	}
}

// TestWatchIsNoUse: a page that is left open does not keep its session alive.
func TestWatchIsNoUse(t *testing.T) {
	defer console.Beat(10*time.Millisecond, 10*time.Second)()
	s := start(t, consoletest.Story(noon)...)
	lines, _ := s.stream(t, t.Context(), withCookie(s.signIn(t)))
	await(t, lines, ": watching")
	for range 11 {
		s.pass(time.Hour)
		await(t, lines, ": beat")
		await(t, lines, ": beat") // begun after the hour
	}
	s.pass(2 * time.Hour)
	ended(t, lines)
}

// TestWatchStops: a server that stops does not wait for who watches.
func TestWatchStops(t *testing.T) {
	stop := make(chan struct{})
	s := startWith(t, func(o *console.Options) { o.Stop = stop }, consoletest.Story(noon)...)
	lines, _ := s.stream(t, t.Context(), trusted)
	await(t, lines, ": watching")
	close(stop)
	ended(t, lines)
}

// TestWatchSlow: who does not read is let go, and nobody waits for them.
func TestWatchSlow(t *testing.T) {
	defer console.Beat(time.Hour, 200*time.Millisecond)()
	cases := consoletest.Story(noon)
	for i := range 3000 {
		c := cases[0]
		c.ID = int64(100 + i)
		cases = append(cases, c)
	}
	s := start(t, cases...)
	conn, err := net.Dial("tcp", s.host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(2048)
	fmt.Fprintf(conn, "GET /api/v1/watch HTTP/1.1\r\nHost: %s\r\nTest-Socket: yes\r\n\r\n", s.host)
	for deadline := time.Now().Add(30 * time.Second); s.memory.Watching() == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	started := time.Now()
	deadline := started.Add(20 * time.Second)
	for s.memory.Watching() > 0 {
		for i := range 3000 {
			s.memory.Edit(int64(100+i), func(c *usher.Case) { c.Count++ })
		}
		if time.Now().After(deadline) {
			t.Fatal("who does not read is still subscribed")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestWatchMany bounds the streams.
func TestWatchMany(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 256 {
		lines, _ := s.stream(t, ctx, trusted)
		await(t, lines, ": watching")
	}
	if got := s.do(t, "GET", "/api/v1/watch", "", trusted); got.status != 503 {
		t.Errorf("the 257th: %d", got.status)
	}
}
