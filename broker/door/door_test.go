package door_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/door"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const secretToken = "eyJhbGciOi.planted-access-token.sig"

// source answers by the id of the connection.
type source struct {
	mu   sync.Mutex
	asks []broker.Ask
	wait chan struct{} // of "slow"
}

func (s *source) Token(ctx context.Context, id string, ask broker.Ask) (broker.Token, error) {
	s.mu.Lock()
	s.asks = append(s.asks, ask)
	s.mu.Unlock()
	trouble := broker.Trouble{
		Cause: "refresh-token-revoked", Strategy: "ask", Title: "the refresh token was revoked", Turn: usher.FixerUser,
		Link: "https://usher.example/connect/x", Detail: "Token " + secretToken + " revoked",
	}
	switch id {
	case "shop-gateway":
		return broker.Token{
			Connection: id, Access: secretToken, Type: "Bearer", Expires: noon.Add(9*time.Minute + 900*time.Millisecond), Generation: 7, Scopes: []string{"a", "b"},
		}, nil
	case "odd":
		return broker.Token{Connection: id, Access: "with \"quotes\"\n<and>", Type: "Bearer", Short: "the provider is away"}, nil
	case "away":
		return broker.Token{}, &broker.Unavailable{ID: id, State: broker.StateFailing, Trouble: trouble, Retry: noon.Add(2500 * time.Millisecond)}
	case "busy":
		trouble.Turn = ""
		return broker.Token{}, &broker.Unavailable{ID: id, State: broker.StateFailing, Trouble: trouble, Retry: noon.Add(time.Second)}
	case "waiting":
		return broker.Token{}, &broker.Unavailable{ID: id, State: broker.StateWaiting, Trouble: trouble}
	case "others":
		return broker.Token{}, broker.ErrForbidden
	case "broken":
		return broker.Token{}, errors.New("sql: planted detail of a database")
	case "slow":
		select {
		case <-ctx.Done():
			return broker.Token{}, ctx.Err()
		case <-s.wait:
		}
	}
	return broker.Token{}, broker.ErrNotFound
}

func (s *source) last(t *testing.T) broker.Ask {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asks) == 0 {
		t.Fatal("nobody asked the broker")
	}
	return s.asks[len(s.asks)-1]
}

// site is a door with keys that can be taken away.
type site struct {
	*httptest.Server
	source *source
	door   *door.Door
	told   chan door.Told
	looks  atomic.Int64
	used   atomic.Int64
	now    atomic.Int64 // offset of the clock

	mu      sync.Mutex
	keys    map[string]door.Key // by hash
	failing error
	hangs   bool
}

func hash(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

func start(t testing.TB, change ...func(*door.Options)) *site {
	s := &site{source: &source{wait: make(chan struct{})}, told: make(chan door.Told, 10), keys: map[string]door.Key{
		hash("operator"): {ID: "1", Name: "ops"},
		hash("every"):    {ID: "2", Name: "checkout", Connections: door.AllConnections},
		hash("two"):      {ID: "3", Name: "ledger", Connections: "shop-ledger shop-gateway"},
		hash("old"):      {ID: "4", Name: "old", Connections: door.AllConnections, Expires: noon},
	}}
	opt := door.Options{
		Source: s.source, Now: func() time.Time { return noon.Add(time.Duration(s.now.Load())) },
		Key: func(ctx context.Context, hash string) (door.Key, error) {
			s.looks.Add(1)
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.hangs {
				s.mu.Unlock()
				<-ctx.Done()
				s.mu.Lock()
				return door.Key{}, ctx.Err()
			}
			if s.failing != nil {
				return door.Key{}, s.failing
			}
			k, ok := s.keys[hash]
			if !ok {
				return k, door.ErrNotFound
			}
			return k, nil
		},
		Used:    func(string, time.Time) { s.used.Add(1) },
		Watch:   func(context.Context, []string) <-chan door.Told { return s.told },
		Trusted: func(context.Context) bool { return false },
	}
	for _, c := range change {
		c(&opt)
	}
	s.door = door.New(opt)
	s.Server = httptest.NewServer(s.door)
	t.Cleanup(s.Close)
	return s
}

func (s *site) drop(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, hash(value))
}

func (s *site) ask(t testing.TB, path, key string, change ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for _, c := range change {
		c(req)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func post(form url.Values) func(*http.Request) {
	return func(r *http.Request) {
		r.Method = http.MethodPost
		body := form.Encode()
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
}

// TestAnswers: status, what is told, what must not be, and the challenge.
func TestAnswers(t *testing.T) {
	s := start(t)
	for _, tc := range []struct {
		name, path, key  string
		change           func(*http.Request)
		status           int
		want, never      string
		challenge, retry string
	}{
		{name: "a token", path: "/connections/shop-gateway/token", key: "every", status: 200, want: `{"access_token":"` + secretToken + `","token_type":"Bearer","expires_in":540,"connection":"shop-gateway","generation":7,"scope":"a b"}`},
		{name: "of one of two", path: "/connections/shop-gateway/token", key: "two", status: 200, want: secretToken},
		{name: "an operator's", path: "/connections/shop-gateway/token", key: "operator", status: 200, want: secretToken},
		{name: "odd characters, no end", path: "/connections/odd/token", key: "every", status: 200, want: `{"access_token":"with \"quotes\"\n\u003cand\u003e","token_type":"Bearer","connection":"odd","generation":0,"short":"the provider is away"}`},
		{name: "nobody", path: "/connections/shop-gateway/token", status: 401, challenge: `Bearer realm="usher"`, never: secretToken},
		{name: "another scheme", path: "/connections/shop-gateway/token", change: header("Authorization", "Basic b3BlcmF0b3I6"), status: 400, challenge: `Bearer realm="usher", error="invalid_request"`},
		{name: "an unknown key", path: "/connections/shop-gateway/token", key: "made-up", status: 401, challenge: `Bearer realm="usher", error="invalid_token"`, never: "made-up"},
		{name: "an expired key", path: "/connections/shop-gateway/token", key: "old", status: 401, challenge: `error="invalid_token"`},
		{name: "a long key", path: "/connections/shop-gateway/token", key: strings.Repeat("x", 400), status: 400, challenge: `error="invalid_request"`},
		{name: "another's connection", path: "/connections/shop-calendar/token", key: "two", status: 403, challenge: `error="insufficient_scope"`, want: "this key is not for this connection"},
		{name: "another's, that is not there", path: "/connections/none/token", key: "two", status: 403, challenge: `error="insufficient_scope"`},
		{name: "not a caller of it", path: "/connections/others/token", key: "every", status: 403, challenge: `error="insufficient_scope"`},
		{name: "none of that name", path: "/connections/none/token", key: "every", status: 404, want: `"error":"not_found"`},
		{name: "away", path: "/connections/away/token", key: "every", status: 503, retry: "3", want: `{"error":"temporarily_unavailable","connection":"away","state":"failing","cause":"refresh-token-revoked","title":"the refresh token was revoked","turn":"user"}`, never: "link"},
		{name: "away, and nobody's turn", path: "/connections/busy/token", key: "every", status: 503, retry: "1", want: `"turn":"nobody"`},
		{name: "waiting for a person", path: "/connections/waiting/token", key: "every", status: 503, retry: "60", never: "connect/x"},
		{name: "waiting, told to an operator", path: "/connections/waiting/token", key: "operator", status: 503, retry: "60", want: `"link":"https://usher.example/connect/x"`, never: secretToken},
		{name: "a defect", path: "/connections/broken/token", key: "every", status: 503, retry: "1", never: "planted"},
		{name: "slow", path: "/connections/slow/token", key: "every", change: header("Prefer", "respond-async, wait=0"), status: 503, retry: "1", want: "the provider has not answered yet"},
		{name: "least life", path: "/connections/shop-gateway/token?least_life=5m", key: "every", status: 200, want: secretToken},
		{name: "least life in seconds", path: "/connections/shop-gateway/token?least_life=300", key: "every", status: 200, want: secretToken},
		{name: "least life that is none", path: "/connections/shop-gateway/token?least_life=long", key: "every", status: 400, challenge: `error="invalid_request"`, want: "least_life"},
		{name: "least life twice", path: "/connections/shop-gateway/token?least_life=5m&least_life=6m", key: "every", status: 400, want: "more than once"},
		{name: "least life below nothing", path: "/connections/shop-gateway/token?least_life=-5m", key: "every", status: 400},
		{name: "least life of a year", path: "/connections/shop-gateway/token?least_life=8760h", key: "every", status: 400},
		{name: "a parameter that is not known", path: "/connections/shop-gateway/token?min_life=5m", key: "every", status: 400, want: `min_life`},
		{name: "the key in the URL", path: "/connections/shop-gateway/token?access_token=every", status: 401},
		{name: "the key in the URL too", path: "/connections/shop-gateway/token?access_token=every", key: "every", status: 400, want: "ends in logs"},
		{name: "a refused token in the URL", path: "/connections/shop-gateway/token?refused=planted-refused", key: "every", status: 400, want: "Usher-Refused-Token", never: "planted-refused"},
		{name: "a broken query", path: "/connections/shop-gateway/token?a=%zz", key: "every", status: 400},
		{name: "another method", path: "/connections/shop-gateway/token", key: "every", change: func(r *http.Request) { r.Method = http.MethodDelete }, status: 405},
		{name: "JSON", path: "/connections/shop-gateway/token", key: "every", change: func(r *http.Request) { post(nil)(r); r.Header.Set("Content-Type", "application/json") }, status: 400, want: "form"},
		{name: "a body without end", path: "/connections/shop-gateway/token", key: "every", change: post(url.Values{"refused": {strings.Repeat("x", 50_000)}}), status: 400},
		{name: "a body with the key", path: "/connections/shop-gateway/token", key: "every", change: post(url.Values{"access_token": {"every"}}), status: 400},
		{name: "no address", path: "/connections//token", key: "every", status: 404},
		{name: "no address of ours", path: "/connections/shop-gateway", key: "every", status: 404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			change := []func(*http.Request){}
			if tc.change != nil {
				change = append(change, tc.change)
			}
			resp, body := s.ask(t, tc.path, tc.key, change...)
			if resp.StatusCode != tc.status {
				t.Fatalf("status %d, want %d: %s", resp.StatusCode, tc.status, body)
			}
			if !strings.Contains(body, tc.want) {
				t.Errorf("got %s, want %s", body, tc.want)
			}
			if tc.never != "" && strings.Contains(body+fmt.Sprint(resp.Header), tc.never) {
				t.Errorf("it tells %s: %s %v", tc.never, body, resp.Header)
			}
			if got := resp.Header.Get("WWW-Authenticate"); !strings.Contains(got, tc.challenge) || tc.challenge == `Bearer realm="usher"` && got != tc.challenge {
				t.Errorf("challenge %q, want %q", got, tc.challenge)
			}
			if got := resp.Header.Get("Retry-After"); got != tc.retry {
				t.Errorf("Retry-After %q, want %q", got, tc.retry)
			}
			if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Content-Type-Options") != "nosniff" || !json.Valid([]byte(body)) {
				t.Errorf("%v %s", resp.Header, body)
			}
		})
	}
}

// TestAsk: what the caller says reaches the broker.
func TestAsk(t *testing.T) {
	s := start(t)
	s.ask(t, "/connections/shop-gateway/token?least_life=5m", "two", header(door.RefusedHeader, "dead-token"))
	if got, want := s.source.last(t), (broker.Ask{Caller: "key ledger", LeastLife: 5 * time.Minute, Refused: "dead-token"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	s.ask(t, "/connections/shop-gateway/token", "every", post(url.Values{"refused": {"dead-token"}, "least_life": {"90"}}))
	if got, want := s.source.last(t), (broker.Ask{Caller: "key checkout", LeastLife: 90 * time.Second, Refused: "dead-token"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestTrusted: the machine's owner needs no key and is told the link.
func TestTrusted(t *testing.T) {
	s := start(t, func(o *door.Options) { o.Trusted = func(context.Context) bool { return true } })
	if resp, body := s.ask(t, "/connections/shop-gateway/token", ""); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if _, body := s.ask(t, "/connections/waiting/token", ""); !strings.Contains(body, "connect/x") {
		t.Error(body)
	}
}

// TestKeyCache: many requests are few looks at the store; a key that is taken
// away is refused within two seconds, here at once.
func TestKeyCache(t *testing.T) {
	s := start(t)
	status := func() int {
		resp, _ := s.ask(t, "/connections/shop-gateway/token", "every")
		return resp.StatusCode
	}
	for range 50 {
		if status() != 200 {
			t.Fatal("refused")
		}
	}
	if n := s.looks.Load(); n != 1 {
		t.Errorf("the store was asked %d times for 50 requests", n)
	}
	s.drop("every")
	if status() != 200 {
		t.Error("it is asked at every request")
	}
	s.now.Store(int64(2 * time.Second))
	if got := status(); got != 401 {
		t.Errorf("%d after two seconds", got)
	}
	s.mu.Lock()
	s.keys[hash("every")] = door.Key{ID: "2", Name: "checkout", Connections: door.AllConnections}
	s.mu.Unlock()
	s.now.Store(int64(4 * time.Second))
	if status() != 200 {
		t.Error("a new key is refused")
	}
	s.drop("every")
	s.door.Forget()
	if got := status(); got != 401 {
		t.Errorf("%d at once, where it was taken away", got)
	}
	if n := s.used.Load(); n == 0 || n > 3 {
		t.Errorf("its use was noted %d times", n)
	}
}

// TestKeyRefreshedBeside: a key in use is looked up beside the requests, and
// what is found there counts.
func TestKeyRefreshedBeside(t *testing.T) {
	s := start(t)
	s.ask(t, "/connections/shop-gateway/token", "every")
	s.now.Store(int64(1200 * time.Millisecond))
	s.drop("every")
	if resp, _ := s.ask(t, "/connections/shop-gateway/token", "every"); resp.StatusCode != 200 {
		t.Fatal("the request waited for the store")
	}
	for begun := time.Now(); ; {
		if resp, _ := s.ask(t, "/connections/shop-gateway/token", "every"); resp.StatusCode == 401 {
			break
		}
		if time.Since(begun) > 5*time.Second {
			t.Fatal("nobody looked")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestKeySilence: a store that neither answers nor fails holds up a known key
// once, and those of whom nobody knows not at all; and a key that was taken away
// is refused as soon as it answers, whoever asks with made-up ones meanwhile.
func TestKeySilence(t *testing.T) {
	s := start(t)
	s.ask(t, "/connections/shop-gateway/token", "every")
	s.mu.Lock()
	s.hangs = true
	s.mu.Unlock()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for i := range 50 { // they take every place there is for keys that are not known
		go func() {
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/connections/shop-gateway/token", nil)
			req.Header.Set("Authorization", fmt.Sprintf("Bearer made-up-%d", i))
			if resp, err := s.Client().Do(req); err == nil {
				_ = resp.Body.Close()
			}
		}()
	}
	for begun := time.Now(); s.looks.Load() < 9; time.Sleep(time.Millisecond) { // 8, and that of "every"
		if time.Since(begun) > 10*time.Second {
			t.Fatal("nobody asked")
		}
	}
	s.now.Store(int64(10 * time.Second))
	for range 20 {
		if resp, body := s.ask(t, "/connections/shop-gateway/token", "every"); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	if n := s.looks.Load(); n > 12 {
		t.Errorf("the store was asked %d times while it was silent", n)
	}
	s.drop("every")
	s.mu.Lock()
	s.hangs = false
	s.mu.Unlock()
	s.now.Store(int64(11 * time.Second))
	if resp, _ := s.ask(t, "/connections/shop-gateway/token", "every"); resp.StatusCode != 401 {
		t.Errorf("%d although it was taken away", resp.StatusCode)
	}
}

// TestKeyOutage: while the store gives no answer a known key counts for a
// while, an unknown one does not, and neither counts for ever.
func TestKeyOutage(t *testing.T) {
	s := start(t)
	s.ask(t, "/connections/shop-gateway/token", "every")
	s.mu.Lock()
	s.failing = errors.New("the database is away: planted")
	s.mu.Unlock()
	s.now.Store(int64(10 * time.Second))
	if resp, body := s.ask(t, "/connections/shop-gateway/token", "every"); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body := s.ask(t, "/connections/shop-gateway/token", "two")
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || strings.Contains(body, "planted") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	s.now.Store(int64(time.Minute))
	if resp, _ := s.ask(t, "/connections/shop-gateway/token", "every"); resp.StatusCode != 503 {
		t.Errorf("%d after a minute without the store", resp.StatusCode)
	}
}

// TestUnknownKeys: who guesses does not make the store work.
func TestUnknownKeys(t *testing.T) {
	s := start(t)
	for range 100 {
		s.ask(t, "/connections/shop-gateway/token", "made-up")
	}
	if n := s.looks.Load(); n != 1 {
		t.Errorf("the store was asked %d times for one made-up key", n)
	}
	for i := range 3000 {
		_, _, err := s.door.Caller(t.Context(), usher.Secret(fmt.Sprintf("made-up-%d", i)))
		if !errors.Is(err, door.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if n := s.door.Remembered(); n > 2000 {
		t.Errorf("%d made-up keys are remembered", n)
	}
}

// TestParallel: many at once, with keys that come and go (for -race).
func TestParallel(t *testing.T) {
	s := start(t)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 100 {
				s.now.Add(int64(50 * time.Millisecond))
				_, _, err := s.door.Caller(context.Background(), "every")
				if err != nil {
					t.Error(err)
				}
				if i == 0 && j%10 == 0 {
					s.door.Forget()
				}
			}
		})
	}
	all.Wait()
}

// lines reads a stream.
func (s *site) stream(t *testing.T, path, key string) (lines <-chan string, closed func() bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(resp.StatusCode, resp.Header)
	}
	out := make(chan string, 100)
	go func() {
		defer close(out)
		defer resp.Body.Close() //nolint:errcheck // read only
		for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
			if data, ok := strings.CutPrefix(scan.Text(), "data: "); ok {
				out <- data
			}
		}
	}()
	return out, func() bool {
		select {
		case _, open := <-out:
			return !open
		case <-time.After(10 * time.Second):
			return false
		}
	}
}

// TestEvents: a subscriber is told of its connections, never a token, and of the
// link only where it is an operator.
func TestEvents(t *testing.T) {
	s := start(t)
	trouble := &broker.Trouble{Cause: "refresh-token-revoked", Title: "the refresh token was revoked", Turn: usher.FixerUser, Link: "https://usher.example/connect/x", Since: noon}
	s.told <- door.Told{Connection: "shop-calendar", Generation: 9} // not of this key
	s.told <- door.Told{Connection: "shop-ledger", Generation: 9, Callers: []string{"another"}}
	s.told <- door.Told{Connection: "shop-gateway", Generation: 2, State: broker.StateWaiting, Expires: noon, Trouble: trouble}
	got, closed := s.stream(t, "/connections/events", "two")
	if line, want := <-got, `{"connection":"shop-gateway","generation":2,"state":"waiting","expires":"2026-11-25T12:00:00Z","trouble":{"cause":"refresh-token-revoked","title":"the refresh token was revoked","turn":"user","since":"2026-11-25T12:00:00Z"}}`; line != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}
	s.told <- door.Told{Connection: "shop-gateway", Generation: 3, State: broker.StateAlive, Healed: &broker.Trouble{Cause: "refresh-token-revoked", Title: "the refresh token was revoked", Since: noon, Ended: noon.Add(time.Minute)}}
	if line := <-got; !strings.Contains(line, `"generation":3`) || !strings.Contains(line, `"ended":"2026-11-25T12:01:00Z"`) {
		t.Error(line)
	}
	s.drop("two")
	s.door.Forget()
	if !closed() {
		t.Error("who has no key any more listens on")
	}
	s.told <- door.Told{Connection: "shop-gateway", Generation: 2, State: broker.StateWaiting, Trouble: trouble}
	got, _ = s.stream(t, "/connections/events", "operator")
	if line := <-got; !strings.Contains(line, "connect/x") {
		t.Error(line)
	}
	if resp, _ := s.ask(t, "/connections/events?connection=shop-gateway&connection=other", "two"); resp.StatusCode != 401 {
		t.Errorf("%d for a key that is gone", resp.StatusCode)
	}
	if resp, body := s.ask(t, "/connections/events", ""); resp.StatusCode != 401 || strings.Contains(body, "data") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestEventsOfOthers: who asks for a connection that is not for its key is refused.
func TestEventsOfOthers(t *testing.T) {
	s := start(t)
	if resp, _ := s.ask(t, "/connections/events?connection=shop-calendar", "two"); resp.StatusCode != 403 {
		t.Errorf("%d", resp.StatusCode)
	}
}

// TestEventsStop: a server that stops ends its streams.
func TestEventsStop(t *testing.T) {
	stop := make(chan struct{})
	s := start(t, func(o *door.Options) { o.Stop = stop })
	_, closed := s.stream(t, "/connections/events", "every")
	close(stop)
	if !closed() {
		t.Error("the stream goes on")
	}
}

func TestRoute(t *testing.T) {
	for path, want := range map[string]bool{
		"/connections/a/token": true, "/connections/events": true, "/connections/a": false, "/connections": false, "/connections/a/b/token": false,
		"/connections//token": false, "/connections/token": false, "/api/v1/connections/a/token": false, "/connections/events/": false,
	} {
		if door.Route(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}
