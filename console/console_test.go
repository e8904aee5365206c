package console_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"usher"
	"usher/console"
	"usher/console/consoletest"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// site is a console on a listener, with its memory and a clock that stands.
type site struct {
	memory      *consoletest.Memory
	connections *consoletest.Connections
	url         string
	host        string
	log         *lines
	derived     func() int64

	mu  sync.Mutex
	now time.Time
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, cases ...usher.Case) *site {
	t.Helper()
	return startWith(t, func(*console.Options) {}, cases...)
}

func startWith(t *testing.T, with func(*console.Options), cases ...usher.Case) *site {
	t.Helper()
	s := &site{now: noon, log: &lines{}}
	s.memory = consoletest.New(s.clock, cases...)
	s.connections = consoletest.SampleConnections(s.clock)
	stop := make(chan struct{})
	opt := console.Options{
		Cases: s.memory, Accounts: s.memory, Connections: s.connections, Secrets: consoletest.SampleSecrets(s.clock), Listen: "127.0.0.1:5303", Now: s.clock, Location: time.UTC, Version: "test", Stop: stop,
		Log:     slog.New(slog.NewTextHandler(s.log, nil)),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "usher_up 1\n") }),
	}
	with(&opt)
	handler, derived := console.NewCounted(opt)
	s.derived = derived
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Test-Socket") != "" {
			r = r.WithContext(console.Trusted(r.Context()))
		}
		if from := r.Header.Get("Test-From"); from != "" {
			r.RemoteAddr = from + ":1234"
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { close(stop); server.Close() })
	s.url, s.host = server.URL, strings.TrimPrefix(server.URL, "http://")
	return s
}

type answer struct {
	status int
	body   string
	header http.Header
}

type with func(*http.Request)

func header(name, value string) with {
	return func(r *http.Request) {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
}

// trusted makes a request come over the unix socket.
var trusted = header("Test-Socket", "yes")

// own makes a request come from a page of the console.
func (s *site) own(r *http.Request) {
	r.Header.Set("Origin", s.url)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
}

func (s *site) do(t *testing.T, method, path, body string, more ...with) answer {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, s.url+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range more {
		m(r)
	}
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       20 * time.Second,
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, string(text), res.Header}
}

// submit sends a form as a page of the console does.
func (s *site) submit(t *testing.T, path string, form url.Values, more ...with) answer {
	t.Helper()
	more = append([]with{s.own, header("Content-Type", "application/x-www-form-urlencoded")}, more...)
	return s.do(t, "POST", path, form.Encode(), more...)
}

// cookie gives the session that an answer sets.
func cookie(t *testing.T, a answer) *http.Cookie {
	t.Helper()
	res := http.Response{Header: a.header}
	for _, c := range res.Cookies() {
		if strings.HasSuffix(c.Name, "usher_session") && c.Value != "" {
			return c
		}
	}
	t.Fatalf("no session is set: %d %v", a.status, a.header)
	return nil
}

func withCookie(c *http.Cookie) with {
	return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value}) }
}

const goodPassword = "correct horse battery"

// signIn goes the whole way of the first person and gives the session.
func (s *site) signIn(t *testing.T) *http.Cookie {
	t.Helper()
	once, err := console.FirstPassword(t.Context(), s.memory, s.clock())
	if err != nil || once == "" {
		t.Fatalf("no one-time password: %v", err)
	}
	first := s.submit(t, "/signin", url.Values{"password": {once.Reveal()}})
	setup := cookie(t, first)
	set := s.submit(t, "/password", url.Values{"name": {"ada"}, "password": {goodPassword}, "again": {goodPassword}}, withCookie(setup))
	return cookie(t, set)
}
