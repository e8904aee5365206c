package hostile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is a process of usher serve with a folder of its own.
type server struct {
	tb  testing.TB
	dir string // holds usher.yaml, and the data in d
	env []string

	mu     sync.Mutex
	cmd    *exec.Cmd
	done   chan struct{}
	stderr bytes.Buffer // of every process of this server
	http   *http.Client
}

// newServer makes the folder; its path is short, for the socket.
func newServer(tb testing.TB, env ...string) *server {
	tb.Helper()
	dir, err := os.MkdirTemp("", "usher")
	if err != nil {
		tb.Fatal(err)
	}
	s := &server{tb: tb, dir: dir, env: env}
	s.http = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(dir, "d", "usher.sock"))
	}}}
	tb.Cleanup(func() {
		s.kill()
		if tb.Failed() {
			tb.Logf("the server said:\n%s", s.stderr.String())
		}
		_ = os.RemoveAll(dir)
	})
	return s
}

func (s *server) config(text string) {
	s.tb.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "usher.yaml"), []byte(text), 0o600); err != nil {
		s.tb.Fatal(err)
	}
}

// start starts a process and waits until it answers; it gives how long that took.
func (s *server) start() time.Duration {
	s.tb.Helper()
	path, err := program()
	if err != nil {
		s.tb.Fatal(err)
	}
	s.mu.Lock()
	s.cmd = exec.Command(path, "serve", "--config", filepath.Join(s.dir, "usher.yaml"))
	s.cmd.Env = append(os.Environ(), s.env...)
	s.cmd.Stderr = &s.stderr
	begun := time.Now()
	if err := s.cmd.Start(); err != nil {
		s.mu.Unlock()
		s.tb.Fatal(err)
	}
	cmd, done := s.cmd, make(chan struct{})
	s.done = done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	s.mu.Unlock()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if status, _ := s.ask("GET", "/healthz", "", nil); status == http.StatusOK {
			return time.Since(begun)
		}
		select {
		case <-done:
			s.tb.Fatalf("the server ended: %s", s.stderr.String())
		default:
		}
		if time.Now().After(end) {
			s.tb.Fatal("the server does not answer")
		}
	}
}

// kill ends the process as a crash of the machine would.
func (s *server) kill() { s.end(syscall.SIGKILL) }

func (s *server) end(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig)
	<-s.done
	s.cmd = nil
}

func (s *server) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd.Process.Pid
}

// ask sends a request over the socket.
func (s *server) ask(method, path, body string, out any) (int, error) {
	req, err := http.NewRequest(method, "http://usher"+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if out != nil && resp.StatusCode/100 == 2 {
		return resp.StatusCode, json.Unmarshal(data, out)
	}
	return resp.StatusCode, nil
}

// resident gives the memory of a process in bytes, as Linux tells it.
func resident(tb testing.TB, pid int) int64 {
	tb.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Skip("NOT TESTED: this system does not tell the memory of a process: ", err)
	}
	for _, line := range strings.Split(string(data), "\n") {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			return kb << 10
		}
	}
	tb.Fatal("no VmRSS")
	return 0
}

const idleConfig = `
listen: 127.0.0.1:0
data: d
providers:
- {name: shop, kind: keycloak, tenants: [shop], sources: [{kind: keycloak, path: kc.log, zone: UTC}]}
`

// TestServerIsLight: an idle server, that has seen a thousand lines, stays
// within 64 MB, and answers within 200 ms of its start.
func TestServerIsLight(t *testing.T) {
	s := newServer(t)
	s.config(idleConfig)
	var fastest time.Duration
	for range 5 { // the machine may be busy with other tests
		if took := s.start(); fastest == 0 || took < fastest {
			fastest = took
		}
		s.end(syscall.SIGTERM)
	}
	s.start()
	var lines strings.Builder
	for i := range 1000 {
		at := time.Now().UTC().Add(time.Duration(i) * time.Millisecond)
		fmt.Fprintf(&lines, "%s WARN  [org.keycloak.events] (executor-thread-1) type=\"LOGIN_ERROR\", realmId=\"154ae83d\", realmName=\"shop\", clientId=\"shop\", userId=\"null\", ipAddress=\"192.0.2.%d\", error=\"invalid_redirect_uri\", redirect_uri=\"https://shop.test/cb/\"\n",
			at.Format("2006-01-02 15:04:05,000"), i%250)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "kc.log"), []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var list struct{ Cases []struct{ Count int } }
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := s.ask("GET", "/api/v1/cases", "", &list); err == nil && len(list.Cases) == 1 && list.Cases[0].Count == 1000 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("cases: %+v", list)
		}
	}
	time.Sleep(2 * time.Second)
	memory := resident(t, s.pid())
	t.Logf("answers after %v, resident %d MB", fastest.Round(time.Millisecond), memory>>20)
	if fastest > 200*time.Millisecond {
		t.Errorf("the server answers after %v", fastest)
	}
	if memory > 64<<20 {
		t.Errorf("the idle server takes %d MB", memory>>20)
	}
}

// TestServerStops: a signal ends the server in order and soon, also while
// somebody watches.
func TestServerStops(t *testing.T) {
	s := newServer(t)
	s.config(idleConfig)
	s.start()
	req, err := http.NewRequest("GET", "http://usher/api/v1/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	begun := time.Now()
	s.end(syscall.SIGTERM)
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("stopping took %v", took)
	}
	for _, left := range []string{"usher.sock", "usher.db-wal"} {
		if info, err := os.Stat(filepath.Join(s.dir, "d", left)); err == nil && (left == "usher.sock" || info.Size() > 0) {
			t.Errorf("%s is left behind", left)
		}
	}
}
