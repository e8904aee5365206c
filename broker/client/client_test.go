package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/client"
	"usher/broker/client/local"
)

const key = usher.Secret("planted-key")

// door is a server that gives tokens as usher's door does.
type door struct {
	*httptest.Server
	mu      sync.Mutex
	gen     int64
	life    int
	asks    int
	refused []string
	status  int    // of a refusal; 0: tokens are given
	body    string // of it
	slow    chan struct{}
	events  chan string
}

func open(t *testing.T) *door {
	t.Helper()
	d := &door{gen: 1, life: 600, events: make(chan string)}
	d.Server = httptest.NewServer(d)
	t.Cleanup(d.Close)
	return d
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+key.Reveal() {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.URL.Path == "/connections/events" {
		d.stream(w, r)
		return
	}
	d.mu.Lock()
	d.asks++
	slow := d.slow
	d.mu.Unlock()
	if slow != nil {
		<-slow
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if no := r.Header.Get("Usher-Refused-Token"); no != "" {
		d.refused = append(d.refused, no)
		if no == d.token() {
			d.gen++
		}
	}
	if d.status != 0 {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(d.status)
		_, _ = io.WriteString(w, d.body)
		return
	}
	life := d.life
	if least, _ := strconv.Atoi(r.URL.Query().Get("least_life")); least > life {
		life = least
		d.gen++
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": d.token(), "token_type": "Bearer", "expires_in": life, "generation": d.gen, "scope": "a b"})
}

func (d *door) token() string { return fmt.Sprintf("planted-token-%d", d.gen) }

func (d *door) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, ": listening\n\n")
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case text := <-d.events:
			if text == "" {
				return
			}
			_, _ = io.WriteString(w, "event: connection\ndata: "+text+"\n\n")
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func (d *door) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func (d *door) asked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asks
}

// clock is one that the test turns.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *clock) turn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func start(t *testing.T) (*door, *client.Client, *clock) {
	t.Helper()
	d := open(t)
	turned := &clock{t: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	return d, client.New(client.Options{Server: d.URL, Key: key, Now: turned.now}), turned
}

func want(t *testing.T, c *client.Client, ask client.Ask, token string) {
	t.Helper()
	got, err := c.Token(t.Context(), "shop", ask)
	if err != nil || got.Access.Reveal() != token {
		t.Errorf("the token is %s (%v), want %s", got.Access.Reveal(), err, token)
	}
}

func TestKeepsTokensUntilNearTheirEnd(t *testing.T) {
	d, c, clock := start(t)
	for range 5 {
		want(t, c, client.Ask{}, "planted-token-1")
	}
	if d.asked() != 1 {
		t.Errorf("asked %d times", d.asked())
	}
	d.set(func() { d.gen = 2 })
	clock.turn(59 * time.Second)
	want(t, c, client.Ask{}, "planted-token-1")
	clock.turn(2 * time.Second) // nobody listens: the server is asked now and then
	want(t, c, client.Ask{}, "planted-token-2")

	d.set(func() { d.life, d.gen = 20, 3 })
	clock.turn(2 * time.Minute)
	want(t, c, client.Ask{}, "planted-token-3")
	d.set(func() { d.gen = 4 })
	clock.turn(17 * time.Second)
	want(t, c, client.Ask{}, "planted-token-3")
	clock.turn(2 * time.Second) // a tenth of its life is left
	want(t, c, client.Ask{}, "planted-token-4")
	want(t, c, client.Ask{LeastLife: time.Minute}, "planted-token-5")
}

func TestAsksOnceForMany(t *testing.T) {
	d, c, _ := start(t)
	d.set(func() { d.slow = make(chan struct{}) })
	var wait, hurried sync.WaitGroup
	for i := range 100 {
		if i%10 == 0 { // who gives up does not end it for the others
			hurried.Go(func() {
				short, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
				defer cancel()
				if _, err := c.Token(short, "shop", client.Ask{}); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("who has no time is told %v", err)
				}
			})
			continue
		}
		wait.Go(func() {
			if _, err := c.Token(context.Background(), "shop", client.Ask{}); err != nil {
				t.Error(err)
			}
		})
	}
	hurried.Wait()
	close(d.slow)
	wait.Wait()
	if d.asked() != 1 {
		t.Errorf("asked %d times", d.asked())
	}
}

func TestServerAway(t *testing.T) {
	d, c, clock := start(t)
	want(t, c, client.Ask{}, "planted-token-1")
	for name, away := range map[string]struct {
		status int
		body   string
	}{
		"a proxy says 502": {502, "<html>"}, "its database is away": {503, `{"error":"temporarily_unavailable"}`},
		"a proxy says 429": {429, ""},
	} {
		d.set(func() { d.status, d.body = away.status, away.body })
		clock.turn(61 * time.Second)
		got, err := c.Token(t.Context(), "shop", client.Ask{})
		if err != nil || got.Access != "planted-token-1" || got.Short == "" {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	asked := d.asked()
	for range 50 {
		want(t, c, client.Ask{}, "planted-token-1")
	}
	if n := d.asked() - asked; n > 0 {
		t.Errorf("a server in trouble was asked %d times more", n)
	}
	url := d.URL
	d.Close()
	clock.turn(2 * time.Second)
	want(t, c, client.Ask{}, "planted-token-1")
	if _, err := c.Token(t.Context(), "shop", client.Ask{Refused: "planted-token-1"}); err == nil {
		t.Error("a token that was refused is given again")
	}
	clock.turn(20 * time.Minute)
	_, err := c.Token(t.Context(), "shop", client.Ask{})
	var told *client.Error
	if !errors.As(err, &told) || strings.Contains(err.Error(), "planted-") || strings.Contains(err.Error(), url) {
		t.Errorf("without server and token: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	d, c, clock := start(t)
	want(t, c, client.Ask{}, "planted-token-1")
	d.set(func() {
		d.status, d.body = 503, `{"error":"temporarily_unavailable","connection":"shop","state":"waiting","cause":"refresh-token-revoked","title":"the refresh token was revoked","turn":"user","link":"https://usher.example/connect/shop"}`
	})
	clock.turn(2 * time.Minute)
	_, err := c.Token(t.Context(), "shop", client.Ask{})
	var told *client.Error
	if !errors.As(err, &told) || told.Cause != "refresh-token-revoked" || told.Turn != "user" || told.Link == "" || told.Status != 503 {
		t.Fatalf("%#v", err)
	}
	if want := clock.now().Add(7 * time.Second); !told.Retry.Equal(want) {
		t.Errorf("to be asked again at %v, want %v", told.Retry, want)
	}
	d.set(func() { d.status, d.body = 403, `{"error":"insufficient_scope"}` })
	if _, err = c.Token(t.Context(), "shop", client.Ask{}); !errors.As(err, &told) || told.Status != 403 {
		t.Errorf("%v", err)
	}
	for _, body := range []string{"", "null", "{}", `{"access_token":""}`, `{"access_token":"a\r\nX: y"}`, `{"access_token":1}`, "<html>", strings.Repeat("x", 2<<20)} {
		d.set(func() { d.status, d.body = 200, body })
		if got, err := c.Token(t.Context(), "shop", client.Ask{}); err == nil {
			t.Errorf("%.30q gives a token: %v", body, got)
		}
	}
	d.set(func() { d.status, d.body = 302, "" })
	if _, err := c.Token(t.Context(), "shop", client.Ask{}); err == nil || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("%v", err)
	}
}

// The key goes to the server alone, not where its answer leads.
func TestRedirectIsNotFollowed(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer other.Close()
	for _, given := range []*http.Client{nil, {}} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
		}))
		c := client.New(client.Options{Server: s.URL, Key: key, HTTP: given})
		if _, err := c.Token(t.Context(), "shop", client.Ask{}); err == nil || !strings.Contains(err.Error(), "elsewhere") {
			t.Errorf("%v", err)
		}
		if err := c.Watch(t.Context(), nil); err == nil {
			t.Error("a redirect of the events is followed")
		}
		s.Close()
	}
}

func TestOptions(t *testing.T) {
	for server, fine := range map[string]bool{
		"http://127.0.0.1:5303": true, "http://localhost:1": true, "https://usher.example": true, "https://usher.example/below/": true, "http://[::1]:1": true,
		"http://usher.example": false, "": false, "usher.example": false, "ftp://127.0.0.1": false, "https://user:pass@usher.example": false, "https://usher.example/?key=x": false,
		"http://127.0.0.1.evil.test": false,
	} {
		c := client.New(client.Options{Server: server, Key: key})
		if (c.Err() == nil) != fine {
			t.Errorf("%q: %v", server, c.Err())
		}
		if _, err := c.Token(t.Context(), "x", client.Ask{}); !fine && !errors.Is(err, c.Err()) {
			t.Errorf("%q: %v", server, err)
		}
	}
	if client.New(client.Options{Server: "https://usher.example"}).Err() == nil {
		t.Error("without a key")
	}
	if client.New(client.Options{Server: "http://usher.example", Key: key, InsecurePlainHTTP: true}).Err() != nil {
		t.Error("plain http that was asked for")
	}
}

// api wants the newest token.
func api(t *testing.T, good func() string, challenge string) (*httptest.Server, *[]string) {
	t.Helper()
	var mu sync.Mutex
	var got []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, r.Method+" "+r.Header.Get("Authorization")+" "+string(body))
		mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer "+good() {
			if challenge != "" {
				w.Header().Set("WWW-Authenticate", challenge)
			}
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	return s, &got
}

func TestTransportSendsAgainOnce(t *testing.T) {
	const invalid = `Bearer error="invalid_token"`
	for _, c := range []struct {
		name, method, body string
		idempotency        string
		challenge          string
		again              bool
	}{
		{"GET", "GET", "", "", invalid, true},
		{"PUT", "PUT", "x", "", invalid, true},
		{"POST", "POST", "x", "", invalid, false},
		{"POST with a key", "POST", "x", "k", invalid, true},
		{"no challenge", "GET", "", "", "", true},
		{"Basic", "GET", "", "", `Basic realm="x"`, false},
		{"step up", "GET", "", "", `Bearer error="insufficient_user_authentication"`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, cl, _ := start(t)
			s, got := api(t, func() string { return "planted-token-2" }, c.challenge)
			var body io.Reader
			if c.body != "" {
				body = strings.NewReader(c.body)
			}
			req, _ := http.NewRequestWithContext(t.Context(), c.method, s.URL, body)
			if c.idempotency != "" {
				req.Header.Set("Idempotency-Key", c.idempotency)
			}
			resp, err := cl.HTTP("shop", s.URL).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if n := len(*got); (resp.StatusCode == 200) != c.again || (n == 2) != c.again {
				t.Errorf("%d after %q", resp.StatusCode, *got)
			}
			if req.Header.Get("Authorization") != "" {
				t.Error("the caller's request was changed")
			}
			if c.name == "POST" { // the next one has another token
				resp, err := cl.HTTP("shop", s.URL).Post(s.URL, "", strings.NewReader("y"))
				if err != nil || resp.StatusCode != 200 || d.refused[0] != "planted-token-1" {
					t.Errorf("the next: %v %v", resp, err)
				}
			}
		})
	}
}

func TestTransportGoesToTargetsAlone(t *testing.T) {
	_, cl, _ := start(t)
	other, got := api(t, func() string { return "" }, "")
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/x", http.StatusFound)
	}))
	defer first.Close()
	resp, err := cl.HTTP("shop", first.URL).Get(first.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if len(*got) != 1 || strings.Contains((*got)[0], "planted-") {
		t.Errorf("the other origin got %q", *got)
	}
	for _, targets := range [][]string{nil, {"api.example"}, {"https://api.example/v1"}, {"https://u@api.example"}} {
		if _, err := cl.HTTP("shop", targets...).Get(other.URL); err == nil {
			t.Errorf("targets %q are taken", targets)
		}
	}
}

func TestNeverTwice(t *testing.T) {
	_, cl, _ := start(t)
	s, got := api(t, func() string { return "never" }, `Bearer error="invalid_token"`)
	resp, err := cl.HTTP("shop", s.URL).Get(s.URL)
	if err != nil || resp.StatusCode != 401 || len(*got) != 2 {
		t.Errorf("%v %v after %q", resp, err, *got)
	}
}

func TestWatchDropsWhatWasReplaced(t *testing.T) {
	d, c, clock := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan client.Change)
	ended := make(chan error)
	go func() { ended <- c.Watch(ctx, func(one client.Change) { heard <- one }, "shop") }()
	tell := func(text string) {
		t.Helper()
		select {
		case d.events <- text:
		case <-time.After(30 * time.Second):
			t.Fatal("nobody listens")
		}
		if text != "" {
			<-heard
		}
	}
	tell(`{"connection":"shop","generation":1,"state":"alive"}`)
	want(t, c, client.Ask{}, "planted-token-1")
	clock.turn(5 * time.Minute) // who listens does not ask
	want(t, c, client.Ask{}, "planted-token-1")
	if d.asked() != 1 {
		t.Errorf("asked %d times", d.asked())
	}
	d.set(func() { d.gen = 2 })
	tell(`{"connection":"other","generation":9,"state":"alive"}`)
	want(t, c, client.Ask{}, "planted-token-1")
	tell(`{"connection":"shop","generation":2,"state":"alive"}`)
	want(t, c, client.Ask{}, "planted-token-2")
	d.set(func() { d.gen = 3 })
	tell(`{"connection":"shop","generation":2,"state":"stopped","trouble":{"cause":"x"}}`)
	want(t, c, client.Ask{}, "planted-token-3")
	tell("") // the connection breaks, and comes back
	tell(`{"connection":"shop","generation":3,"state":"alive"}`)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	bad := client.New(client.Options{Server: d.URL, Key: "wrong"})
	if err := bad.Watch(t.Context(), nil); err == nil {
		t.Error("a key that is refused")
	}
}

// An answer that was under way when a newer token came is not kept.
func TestLateAnswerIsNotKept(t *testing.T) {
	d, c, clock := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard := make(chan client.Change)
	go func() { _ = c.Watch(ctx, func(one client.Change) { heard <- one }, "shop") }()
	want(t, c, client.Ask{}, "planted-token-1")
	clock.turn(595 * time.Second)
	slow := make(chan struct{})
	d.set(func() { d.slow = slow })
	got := make(chan client.Token)
	go func() { one, _ := c.Token(ctx, "shop", client.Ask{}); got <- one }()
	for d.asked() < 2 {
		time.Sleep(time.Millisecond)
	}
	d.events <- `{"connection":"shop","generation":2,"state":"alive"}`
	<-heard
	close(slow)
	<-got
	d.set(func() { d.gen, d.slow = 2, nil })
	want(t, c, client.Ask{}, "planted-token-2")
}

// Nor is one that was under way when the connection was stopped, and nor is one
// that an API refused meanwhile.
func TestDeadAnswerIsNotKept(t *testing.T) {
	d, c, clock := start(t)
	heard := make(chan client.Change)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = c.Watch(ctx, func(one client.Change) { heard <- one }, "shop") }()
	d.events <- `{"connection":"shop","generation":1,"state":"alive"}`
	<-heard
	late := func(meanwhile func()) {
		t.Helper()
		slow, asked := make(chan struct{}), d.asked()
		d.set(func() { d.slow = slow })
		got := make(chan client.Token)
		go func() { one, _ := c.Token(ctx, "shop", client.Ask{LeastLife: 595 * time.Second}); got <- one }()
		for d.asked() == asked {
			time.Sleep(time.Millisecond)
		}
		meanwhile()
		close(slow)
		<-got
		d.set(func() { d.slow = nil })
	}
	late(func() {
		d.events <- `{"connection":"shop","generation":1,"state":"stopped"}`
		<-heard
	})
	d.set(func() { d.gen = 2 })
	want(t, c, client.Ask{}, "planted-token-2")

	// A POST without a key finds out that the token is dead while somebody asks for
	// one with more life, and is given the same.
	clock.turn(10 * time.Second)
	s, _ := api(t, func() string { return "planted-token-3" }, `Bearer error="invalid_token"`)
	late(func() {
		resp, err := c.HTTP("shop", s.URL).Post(s.URL, "", strings.NewReader("x"))
		if err != nil || resp.StatusCode != 401 {
			t.Errorf("%v %v", resp, err)
		}
	})
	want(t, c, client.Ask{}, "planted-token-3")
}

// A connection that was removed while nobody listened is not told of: tokens of
// before are asked for anew.
func TestTokensOfBeforeListening(t *testing.T) {
	d, c, clock := start(t)
	want(t, c, client.Ask{}, "planted-token-1")
	clock.turn(time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard := make(chan client.Change)
	go func() { _ = c.Watch(ctx, func(one client.Change) { heard <- one }) }()
	d.events <- `{"connection":"other","generation":1,"state":"alive"}`
	<-heard
	want(t, c, client.Ask{}, "planted-token-1")
	clock.turn(time.Minute)
	d.set(func() { d.status, d.body = 404, `{"error":"not_found"}` })
	if got, err := c.Token(ctx, "shop", client.Ask{}); err == nil {
		t.Errorf("a connection that is gone gives %s", got.Access.Reveal())
	}
}

func TestInProcess(t *testing.T) {
	c := local.New(fixed{}, "worker")
	got, err := c.Token(t.Context(), "shop", client.Ask{LeastLife: time.Minute})
	if err != nil || got.Access != "planted-worker-1m0s" {
		t.Errorf("%v %v", got, err)
	}
	token, err := c.TokenSource(t.Context(), "shop").Token()
	if err != nil || token.AccessToken != "planted-worker-0s" {
		t.Errorf("%v %v", token, err)
	}
	var told *client.Error
	_, err = c.Token(t.Context(), "dead", client.Ask{})
	if !errors.As(err, &told) || told.Cause != "throttled" {
		t.Errorf("%v", err)
	}
	if _, err = c.Token(t.Context(), "none", client.Ask{}); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

type fixed struct{}

func (fixed) Token(_ context.Context, id string, ask broker.Ask) (broker.Token, error) {
	switch id {
	case "dead":
		return broker.Token{}, &broker.Unavailable{ID: id, Trouble: broker.Trouble{Cause: "throttled"}}
	case "none":
		return broker.Token{}, broker.ErrNotFound
	}
	return broker.Token{Access: usher.Secret("planted-" + ask.Caller + "-" + ask.LeastLife.String())}, nil
}

// A program that wants a token does not carry a broker.
func TestFewDependencies(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "usher/broker/client").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.Lines(string(out)) {
		pkg = strings.TrimSpace(pkg)
		switch {
		case pkg == "usher", pkg == "usher/broker/client", strings.HasPrefix(pkg, "golang.org/x/oauth2"):
		case strings.Contains(strings.Split(pkg, "/")[0], "."), strings.HasPrefix(pkg, "usher/"):
			t.Errorf("it needs %s", pkg)
		}
	}
}
