package serve_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"usher"
	"usher/casebook"
	"usher/console"
	"usher/serve"
	"usher/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a server with a log file in a test.
type bench struct {
	t      *testing.T
	dir    string
	log    string // the log file that is read
	yaml   string
	server *serve.Server
	stderr *lockedBuffer
	told   *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// tempDir is t.TempDir with a path that is short enough for a socket.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "usher")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

const plainConfig = `
listen: 127.0.0.1:0
data: d
providers:
- name: shop
  kind: keycloak
  tenants: [shop]
  sources: [{kind: keycloak, path: kc.log, zone: UTC}]
`

func newBench(t *testing.T, yaml string) *bench {
	dir := tempDir(t)
	b := &bench{t: t, dir: dir, log: filepath.Join(dir, "kc.log"), yaml: yaml, stderr: &lockedBuffer{}, told: &lockedBuffer{}}
	t.Cleanup(func() {
		b.stop()
		if t.Failed() {
			t.Logf("the server's log:\n%s", b.stderr)
		}
	})
	return b
}

func (b *bench) start() {
	b.t.Helper()
	if err := b.tryStart(); err != nil {
		b.t.Fatal(err)
	}
}

// tryStart starts a server, or gives why it does not.
func (b *bench) tryStart() error {
	b.t.Helper()
	cfg, _, err := serve.Parse(filepath.Join(b.dir, "usher.yaml"), []byte(b.yaml), serve.LoadOptions{Static: true})
	if err != nil {
		b.t.Fatal(err.(serve.Problems).Text())
	}
	b.server = serve.New(cfg, serve.Env{Stderr: b.stderr, Terminal: b.told, Getenv: func(string) string { return "s3cr3t-of-usher" }})
	return b.server.Start(context.Background())
}

func (b *bench) stop() {
	b.t.Helper()
	if b.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.server.Stop(ctx); err != nil {
		b.t.Error(err)
	}
	b.server = nil
}

func (b *bench) write(lines ...string) {
	b.t.Helper()
	f, err := os.OpenFile(b.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.WriteString(f, strings.Join(lines, "\n")+"\n"); err != nil {
		b.t.Fatal(err)
	}
}

// socket is a client of the unix socket.
func (b *bench) socket() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(b.dir, "d", serve.SocketName))
	}}}
}

// ask sends a request over the socket.
func (b *bench) ask(method, path, body string, out any) int {
	b.t.Helper()
	req, err := http.NewRequest(method, "http://usher"+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := b.socket().Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if text, ok := out.(*string); ok {
		*text = string(data)
	} else if out != nil {
		if err := json.Unmarshal(data, out); err != nil {
			b.t.Fatalf("%s: %v", data, err)
		}
	}
	return resp.StatusCode
}

func (b *bench) cases() []usher.Case {
	b.t.Helper()
	list, err := b.server.Engine().List(context.Background(), console.Filter{All: true})
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

// wait waits until the cases are as wanted.
func (b *bench) wait(what string, ok func([]usher.Case) bool) []usher.Case {
	b.t.Helper()
	var list []usher.Case
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if list = b.cases(); ok(list) {
			return list
		}
	}
	text, _ := json.MarshalIndent(list, "", " ")
	b.t.Fatalf("waited for %s; cases:\n%s", what, text)
	return nil
}

func count(n int) func([]usher.Case) bool {
	return func(list []usher.Case) bool { return len(list) == 1 && list[0].Count == n }
}

// Lines as Keycloak 26 writes them.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05,000") }

func refusal(at time.Time, uri, ip string) string {
	return stamp(at) + ` WARN  [org.keycloak.events] (executor-thread-1) type="LOGIN_ERROR", realmId="154ae83d-cf18-4661-b649-4d8d95f38c42", realmName="shop", clientId="shop", userId="null", ipAddress="` + ip + `", error="invalid_redirect_uri", redirect_uri="` + uri + `"`
}

func success(at time.Time, uri, user, ip string) string {
	return stamp(at) + ` INFO  [org.keycloak.events] (executor-thread-1) type="LOGIN", realmId="154ae83d-cf18-4661-b649-4d8d95f38c42", realmName="shop", clientId="shop", userId="b1b8b7a4-bb0c-4b73-9d0c-111111111111", sessionId="4afc87ee-7624-7a3f-ca8a-1790b8826e77", ipAddress="` + ip + `", auth_method="openid-connect", auth_type="code", redirect_uri="` + uri + `", consent="no_consent_required", code_id="4afc87ee-7624-7a3f-ca8a-1790b8826e77", username="` + user + `"`
}

func TestFirstCaseInASecond(t *testing.T) {
	b := newBench(t, plainConfig)
	b.write("2026-11-25 10:40:14,095 INFO  [io.quarkus] (main) started")
	b.start()
	time.Sleep(time.Second) // the tail has begun
	begun := time.Now()
	b.write(refusal(begun, "https://shop.test/cb/", "192.0.2.1"))
	b.wait("a case", count(1))
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("the first case took %v", took)
	}
	b.write(refusal(begun.Add(time.Millisecond), "https://shop.test/cb/", "192.0.2.2"), "no event", refusal(begun.Add(2*time.Millisecond), "https://shop.test/cb/", "192.0.2.2"))
	list := b.wait("three tries", count(3))
	c := list[0]
	if c.ID != 1 || c.Finding.Cause != "redirect-uri-mismatch" || c.Addresses != 2 || c.State != usher.CaseOpen {
		t.Errorf("case %d, cause %s, %d addresses, %s", c.ID, c.Finding.Cause, c.Addresses, c.State)
	}
	var metrics string
	if status := b.ask("GET", "/metrics", "", &metrics); status != 200 {
		t.Errorf("metrics: %d", status)
	}
	for _, want := range []string{`usher_events_total{source="keycloak",status="failure"} 3`, `usher_cases{state="open"} 1`, "usher_time_to_visible_seconds_count 1", `usher_source_up{provider="shop",source="0"} 1`} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("the metrics do not say %q", want)
		}
	}
	for _, forbidden := range []string{"192.0.2", "shop.test", "154ae83d"} {
		if strings.Contains(metrics, forbidden) {
			t.Errorf("the metrics hold %q", forbidden)
		}
	}
}

// TestRestart: what was read is not counted again, and what came meanwhile is.
func TestRestart(t *testing.T) {
	b := newBench(t, plainConfig)
	b.start()
	time.Sleep(time.Second)
	now := time.Now()
	b.write(refusal(now, "https://shop.test/cb/", "192.0.2.1"), refusal(now.Add(time.Millisecond), "https://shop.test/cb/", "192.0.2.1"))
	b.wait("two tries", count(2))
	b.stop()
	b.write(refusal(now.Add(2*time.Millisecond), "https://shop.test/cb/", "192.0.2.3"))
	b.start()
	b.wait("three tries", count(3))
	b.write(refusal(now, "https://shop.test/cb/", "192.0.2.1")) // the first line again, as a copied log has it
	b.write(refusal(now.Add(3*time.Millisecond), "https://shop.test/cb/", "192.0.2.1"))
	b.wait("four tries", func(list []usher.Case) bool { return len(list) == 1 && list[0].Count >= 4 })
	if n := b.cases()[0].Count; n != 4 {
		t.Errorf("%d tries", n)
	}
}

func TestQuiet(t *testing.T) {
	b := newBench(t, plainConfig+"cases: {quiet_after: 1s}\n")
	b.start()
	time.Sleep(time.Second)
	b.write(refusal(time.Now(), "https://shop.test/cb/", "192.0.2.1"))
	b.wait("quiet", func(list []usher.Case) bool { return len(list) == 1 && list[0].State == usher.CaseQuiet })
}

// TestSocket: the owner of the data directory needs no sign-in there, others
// have no way in; over TCP one is needed.
func TestSocket(t *testing.T) {
	b := newBench(t, plainConfig)
	b.start()
	info, err := os.Stat(filepath.Join(b.dir, "d", serve.SocketName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket %v, %v", info.Mode(), err)
	}
	var list struct{ Cases []usher.Case }
	if status := b.ask("GET", "/api/v1/cases", "", &list); status != 200 {
		t.Errorf("over the socket: %d", status)
	}
	resp, err := http.Get(b.server.URL() + "/api/v1/cases")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("over TCP without a key: %d", resp.StatusCode)
	}
	if !strings.Contains(b.told.String(), "one-time password") || !strings.Contains(b.told.String(), b.server.URL()) {
		t.Errorf("told: %q", b.told)
	}
	password := b.told.String()[strings.LastIndex(b.told.String(), ": ")+2:]
	if strings.Contains(b.stderr.String(), strings.TrimSpace(password)) {
		t.Error("the log holds the one-time password")
	}
}

func TestSecondServer(t *testing.T) {
	b := newBench(t, plainConfig)
	b.start()
	cfg, _, err := serve.Parse(filepath.Join(b.dir, "usher.yaml"), []byte(b.yaml), serve.LoadOptions{Static: true})
	if err != nil {
		t.Fatal(err)
	}
	second := serve.New(cfg, serve.Env{})
	if err := second.Start(context.Background()); err == nil {
		t.Error("two servers work in one data directory")
	}
	cfg.Data, cfg.Listen = filepath.Join(b.dir, "other"), b.server.Addr()
	third := serve.New(cfg, serve.Env{})
	if err := third.Start(context.Background()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("two servers on one address: %v", err)
	}
	if status := b.ask("GET", "/healthz", "", nil); status != 200 {
		t.Errorf("the first one answers %d", status)
	}
}

// TestReady: a log file that may not be read is told.
func TestReady(t *testing.T) {
	b := newBench(t, plainConfig)
	if err := os.Mkdir(b.log, 0o700); err != nil {
		t.Fatal(err)
	}
	b.start()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var text string
		status := b.ask("GET", "/readyz", "", &text)
		if status == http.StatusServiceUnavailable {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("ready: %d %s", status, text)
		}
	}
	if err := os.Remove(b.log); err != nil {
		t.Fatal(err)
	}
	b.write("here it is")
	for end := time.Now().Add(30 * time.Second); b.ask("GET", "/readyz", "", nil) != 200; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not become ready again")
		}
	}
}

// TestReadyAgain: what the passing of time failed at is forgotten when it works
// again, also where no log line comes.
func TestReadyAgain(t *testing.T) {
	b := newBench(t, plainConfig+"cases: {quiet_after: 1s}\n")
	b.start()
	ev := usher.Event{UID: "e", Kind: usher.EventSignIn, Tenant: "shop", Time: time.Now(), Status: usher.StatusFailure, StatusCode: "oops", Client: usher.Party{UID: "shop"}}
	if _, err := b.server.Engine().Take(context.Background(), []usher.Event{ev}); err != nil {
		t.Fatal(err)
	}
	b.wait("quiet", func(list []usher.Case) bool { return len(list) == 1 && list[0].State == usher.CaseQuiet })
	db, err := sql.Open("sqlite", filepath.Join(b.dir, "d", "usher.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(query string) {
		t.Helper()
		if _, err := db.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	waitReady := func(want int) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); b.ask("GET", "/readyz", "", nil) != want; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it does not answer %d", want)
			}
		}
	}
	exec("UPDATE cases SET body = 'x' || body, wake = 1")
	waitReady(http.StatusServiceUnavailable)
	exec("UPDATE cases SET body = substr(body, 2), wake = 0")
	waitReady(http.StatusOK)
}

// TestStoreTrouble: what the store cannot do now is tried again for ever, what an
// event brings about is put aside after a while.
func TestStoreTrouble(t *testing.T) {
	st, err := store.OpenWith(t.Context(), tempDir(t), store.Options{MaxPages: 60})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	full := st.Update(t.Context(), func(tx *store.Tx) error {
		for i := range 2000 {
			ev := &usher.Event{UID: fmt.Sprint("e", i), Kind: usher.EventSignIn, Time: time.Now(), Message: strings.Repeat("words ", 100)}
			if _, err := tx.AddEvent(ev); err != nil {
				return err
			}
		}
		return nil
	})
	var refused error
	err = st.Update(t.Context(), func(tx *store.Tx) error {
		_, refused = casebook.New(casebook.Options{}).Reopen(tx, 7, "ann")
		return refused
	})
	if !errors.Is(err, refused) || refused == nil {
		t.Fatalf("%v, %v", err, refused)
	}
	for _, test := range []struct {
		err  error
		want bool
	}{{full, true}, {refused, false}, {errors.New("a defect of usher"), false}} {
		if got := serve.StoreTrouble(test.err); got != test.want {
			t.Errorf("%v: %t", test.err, got)
		}
	}
}

// TestSubscribers: one that reads sees every change, one that does not read is
// let go and holds up nobody.
func TestSubscribers(t *testing.T) {
	b := newBench(t, plainConfig)
	b.start()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	slow := b.server.Engine().Subscribe(ctx)
	for i := range 300 {
		ev := usher.Event{
			UID: fmt.Sprint("e", i), Kind: usher.EventSignIn, Code: "LOGIN_ERROR", Provider: "keycloak", Tenant: "shop", Time: time.Now(), Status: usher.StatusFailure,
			StatusCode: "invalid_redirect_uri", Client: usher.Party{UID: "shop"}, OAuth: usher.OAuthFacts{RedirectURI: "https://shop.test/cb/"},
		}
		added, err := b.server.Engine().Take(ctx, []usher.Event{ev, ev})
		if err != nil || added != 1 {
			t.Fatalf("added %d, %v", added, err)
		}
	}
	n := 0
	for range slow {
		n++
	}
	if n == 0 || n >= 300 {
		t.Errorf("the slow one got %d changes", n)
	}
	if c := b.cases(); len(c) != 1 || c[0].Count != 300 {
		t.Errorf("%d cases", len(c))
	}
}

// TestTakeAgain: an attack that is seen in events that could not be kept is seen
// again when they are sent again.
func TestTakeAgain(t *testing.T) {
	b := newBench(t, plainConfig)
	b.start()
	var events []usher.Event
	for i := range 12 {
		events = append(events, usher.Event{
			UID: fmt.Sprint("e", i), Kind: usher.EventSignIn, Provider: "keycloak", Tenant: "shop", Time: time.Now(), Status: usher.StatusFailure,
			StatusCode: "invalid_user_credentials", Client: usher.Party{UID: "shop"}, User: usher.Party{Name: fmt.Sprint("user", i)}, Source: usher.Endpoint{IP: "198.51.100.66"},
		})
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if _, err := b.server.Engine().Take(ended, events); err == nil {
		t.Fatal("events are kept for one who is gone")
	}
	if _, err := b.server.Engine().Take(context.Background(), events); err != nil {
		t.Fatal(err)
	}
	for _, c := range b.cases() {
		if c.Kind == usher.CaseAttack {
			return
		}
	}
	t.Error("the attack is not seen")
}

func TestTakeRefuses(t *testing.T) {
	b := newBench(t, plainConfig)
	b.start()
	_, err := b.server.Engine().Take(context.Background(), []usher.Event{{UID: "a", Kind: usher.EventAPI, Time: time.Now()}, {UID: "b"}})
	if err == nil {
		t.Error("an event without a time is taken")
	}
	if added, err := b.server.Engine().Take(context.Background(), []usher.Event{{UID: "a", Kind: usher.EventAPI, Time: time.Now()}}); err != nil || added != 1 {
		t.Errorf("all or none: added %d, %v", added, err)
	}
}
