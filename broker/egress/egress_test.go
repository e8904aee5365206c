package egress_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/egress"
)

const (
	callerKey = "planted-caller-key"
	oldToken  = "planted-token-1"
)

// source gives planted tokens by generation; a refused one is replaced.
type source struct {
	mu   sync.Mutex
	gen  int64
	asks []broker.Ask
	err  error
	typ  string
	hold chan struct{} // a renewal waits for it
}

func (s *source) Token(ctx context.Context, id string, ask broker.Ask) (broker.Token, error) {
	s.mu.Lock()
	s.asks = append(s.asks, ask)
	hold, err := s.hold, s.err
	s.mu.Unlock()
	if id != "shop" {
		return broker.Token{}, broker.ErrNotFound
	}
	if ask.Refused != "" && hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return broker.Token{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && (ask.Refused != "" || !errors.Is(err, errOnlyRenew)) {
		return broker.Token{}, &broker.Unavailable{ID: id, State: broker.StateWaiting, Trouble: broker.Trouble{Cause: "refresh-token-revoked", Title: "the refresh token was revoked", Turn: usher.FixerUser}}
	}
	if ask.Refused.Reveal() == s.token() {
		s.gen++
	}
	return broker.Token{Connection: id, Access: usher.Secret(s.token()), Type: s.typ, Generation: s.gen}, nil
}

var errOnlyRenew = errors.New("only renewing fails")

func (s *source) token() string { return fmt.Sprintf("planted-token-%d", s.gen) }

// seen is a request as the API got it.
type seen struct {
	method, uri, host, body string
	header                  http.Header
}

type stage struct {
	*source
	api     *httptest.Server
	door    *httptest.Server
	proxy   *egress.Proxy
	mu      sync.Mutex
	got     []seen
	events  []usher.Event
	answer  http.HandlerFunc // of the API
	targets []string
}

func open(t *testing.T, change func(*egress.Options)) *stage {
	t.Helper()
	s := &stage{source: &source{gen: 1}}
	s.answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "done") }
	s.api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.got = append(s.got, seen{r.Method, r.RequestURI, r.Host, string(body), r.Header.Clone()})
		answer := s.answer
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.api.Close)
	s.targets = []string{s.api.URL}
	opt := egress.Options{
		Source: s.source,
		Config: func(_ context.Context, id string) (broker.Config, error) {
			if id != "shop" && id != "theirs" {
				return broker.Config{}, broker.ErrNotFound
			}
			c := broker.Config{ID: id, ClientID: "shop-client", Provider: "pay", Targets: s.targets}
			if id == "theirs" {
				c.Callers = []string{"somebody else"}
			}
			return c, nil
		},
		Caller: func(_ context.Context, key usher.Secret) (egress.Caller, error) {
			switch key {
			case callerKey:
				return egress.Caller{Name: "key shop", Key: "shop"}, nil
			case "narrow":
				return egress.Caller{Name: "key narrow", Key: "narrow", May: func(string) bool { return false }}, nil
			case "away":
				return egress.Caller{}, errors.New("the database is away")
			}
			return egress.Caller{}, egress.ErrKey
		},
		Emit: func(_ context.Context, ev usher.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, ev)
		},
	}
	if change != nil {
		change(&opt)
	}
	s.proxy = egress.New(opt)
	s.door = httptest.NewServer(s.proxy)
	t.Cleanup(s.door.Close)
	return s
}

// path of the API behind the door.
func (s *stage) path(rest string) string {
	return "/egress/shop/http/" + strings.TrimPrefix(s.api.URL, "http://") + rest
}

func (s *stage) ask(t *testing.T, method, rest string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.door.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = rest // as it is, uncleaned
	req.Header.Set("Usher-Key", callerKey)
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] == "" {
			req.Header.Del(header[i])
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func (s *stage) requests() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seen(nil), s.got...)
}

// told gives the events, and holds that no secret is in them.
func (s *stage) told(t *testing.T) []usher.Event {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ev := range s.events {
		if text := fmt.Sprintf("%+v", ev); strings.Contains(text, "planted-") {
			t.Errorf("an event holds a secret: %s", text)
		}
		if err := ev.Validate(); err != nil {
			t.Errorf("an event is not valid: %v", err)
		}
		if ev.Kind != usher.EventAPI {
			t.Errorf("an event is of kind %s", ev.Kind)
		}
	}
	return append([]usher.Event(nil), s.events...)
}

func (s *stage) on(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// refuses answers 401 to a token, and is content with every other.
func refuses(token, challenge string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer "+token {
			if challenge != "" {
				w.Header().Set("WWW-Authenticate", challenge)
			}
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, "refused")
			return
		}
		_, _ = io.WriteString(w, "done")
	}
}

const invalid = `Bearer error="invalid_token", error_description="The token is expired"`

func TestPutsTheTokenIn(t *testing.T) {
	s := open(t, nil)
	s.on(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Rate", "7")
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		w.Header().Set("Usher-Replayed", "1")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "made")
	})
	resp, text := s.ask(t, "POST", s.path("/v1/charges?a=1&b=%2F"), strings.NewReader("amount=1"),
		"Authorization", "Bearer planted-own", "Cookie", "planted=1", "Connection", "X-Private, Keep-Alive", "X-Private", "1", "Proxy-Authorization", "Basic planted",
		"Te", "trailers", "X-Forwarded-For", "10.0.0.1", "Forwarded", "for=x", "Content-Type", "text/x", "X-Mine", "kept", "Dpop", "planted-proof")
	if resp.StatusCode != http.StatusCreated || text != "made" || resp.Header.Get("X-Rate") != "7" {
		t.Fatalf("%d %q %v", resp.StatusCode, text, resp.Header)
	}
	if resp.Header.Get("X-Hop") != "" || resp.Header.Get("Usher-Replayed") != "" {
		t.Errorf("headers of one hop came through: %v", resp.Header)
	}
	got := s.requests()[0]
	if got.uri != "/v1/charges?a=1&b=%2F" || got.host != strings.TrimPrefix(s.api.URL, "http://") || got.body != "amount=1" {
		t.Errorf("the API got %+v", got)
	}
	if got.header.Get("Authorization") != "Bearer "+oldToken || got.header.Get("X-Mine") != "kept" || got.header.Get("Content-Type") != "text/x" {
		t.Errorf("the API got the headers %v", got.header)
	}
	for _, name := range []string{"Cookie", "X-Private", "Usher-Key", "Proxy-Authorization", "Te", "X-Forwarded-For", "Forwarded", "Dpop", "Connection"} {
		if got.header.Get(name) != "" {
			t.Errorf("the header %s was sent on: %s", name, got.header.Get(name))
		}
	}
	if n := len(s.told(t)); n != 0 {
		t.Errorf("%d events of a success", n)
	}
}

// Nothing is sent to whoever is not named, however the address is written.
func TestTargetsThatNobodyAllowed(t *testing.T) {
	s := open(t, nil)
	s.targets = []string{"https://api.example", "https://xn--pypal-4ve.example", "http://127.0.0.1:9999"}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.api.URL, "http://"))
	for _, c := range []struct {
		path string
		want int
	}{
		{"/egress/shop/http/127.0.0.1:" + port + "/x", 403}, // another port
		{"/egress/shop/http/api.example/x", 403},            // another scheme
		{"/egress/shop/https/api.example:8443/x", 403},
		{"/egress/shop/https/api.example.evil.test/x", 403},
		{"/egress/shop/https/evil.test/https/api.example/", 403},
		{"/egress/shop/https/localhost/x", 403},
		{"/egress/shop/https/169.254.169.254/latest/meta-data", 403},
		{"/egress/shop/https/2130706433:" + port + "/x", 403},
		{"/egress/shop/https/0x7f.1/x", 403},
		{"/egress/shop/https/[::1]/x", 403},
		{"/egress/shop/https/paypal.example/x", 403},
		{"/egress/shop/https/p%C3%A1ypal.example/x", 400},
		{"/egress/shop/https/api.example@evil.test/x", 400},
		{"/egress/shop/https/evil.test%2F@api.example/x", 400},
		{"/egress/shop/https/api.example%00.evil.test/x", 400},
		{"/egress/shop/https/api.example%0d%0aHost:evil/x", 400},
		{"/egress/shop/https/api.example:/x", 400},
		{"/egress/shop/https/api.example:0443/x", 400},
		{"/egress/shop/https/api.example:99999/x", 400},
		{"/egress/shop/https/[::1%25eth0]/x", 400},
		{"/egress/shop/https/[api.example]/x", 400},
		{"/egress/shop/https/[::ffff:1/x", 400},
		{"/egress/shop/https/..api.example/x", 400},
		{"/egress/shop/file/etc/passwd", 400},
		{"/egress/shop/https//x", 400},
		{"/egress/shop/https", 400},
		{"/egress/shop", 400},
		{"/egress//https/api.example/", 400},
		{"/egress/../https/api.example/", 400},
		{"/egress/SHOP/https/api.example/", 400},
		{"/egress/shop/https/api.example/../x", 400},
		{"/egress/shop/https/api.example/a/%2e%2e/x", 400},
		{"/egress/shop/https/api.example/a/..%2fx", 400},
		{"/egress/shop/https/api.example/a/..;p=1/x", 400},
		{"/egress/shop/https/api.example/a%5c..%5cx", 400},
		{"/egress/shop/https/api.example/a%0d%0aX-Y:1", 400},
		{"/egress/shop/https/api.example/a%00", 400},
		{"/egress/none/https/api.example/x", 404},
		{"/egress/theirs/https/api.example/x", 403},
		{"/other", 404},
		{"/", 404},
		{"//egress/shop/https/api.example/x", 407}, // the whole URL of a proxy's request
	} {
		before := len(s.told(t))
		resp, text := s.ask(t, "GET", c.path, nil)
		if resp.StatusCode != c.want {
			t.Errorf("%s: %d, want %d: %s", c.path, resp.StatusCode, c.want, text)
		}
		if resp.Header.Get("Usher-Error") == "" || !strings.Contains(text, `"cause":"`) || !strings.Contains(text, `"hint":"`) {
			t.Errorf("%s: no cause and hint: %s", c.path, text)
		}
		if strings.Contains(text, "planted-") {
			t.Errorf("%s: a secret in %s", c.path, text)
		}
		events := s.told(t)
		if len(events) != before+1 || events[before].Status != usher.StatusFailure || events[before].StatusCode == "" || events[before].Unmapped["cause"] == "" {
			t.Errorf("%s: %d events", c.path, len(events)-before)
		}
		if id := events[before].Connection(); id != "" && id != "shop" && id != "theirs" {
			t.Errorf("%s: an event of the connection %q, which nobody made", c.path, id)
		}
	}
	if len(s.requests()) != 0 {
		t.Errorf("something was sent: %+v", s.requests())
	}
	if len(s.asks) != 0 {
		t.Errorf("a token was asked for: %+v", s.asks)
	}
}

func TestSameOriginWrittenOtherwise(t *testing.T) {
	s := open(t, nil)
	s.targets = []string{strings.ToUpper(s.api.URL[:7]) + s.api.URL[7:] + "/", "nonsense", "http://user@127.0.0.1"}
	if resp, text := s.ask(t, "GET", s.path(""), nil); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if got := s.requests(); len(got) != 1 || got[0].uri != "/" {
		t.Errorf("%+v", got)
	}
	for bad, want := range map[string]string{
		"https://p\u0430ypal.example": "xn--", "https://user@api.example": "user name", "https://api.example/v1": "does not belong", "api.example": "neither https nor http",
	} {
		if _, err := egress.ParseTarget(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for _, good := range []string{"https://API.example:443", "https://api.example./", "https://api.example"} {
		o, err := egress.ParseTarget(good)
		if err != nil || o.String() != "https://api.example" {
			t.Errorf("%s is read as %v, %v", good, o, err)
		}
	}
}

// The name that the operator configured later leads inside: guard keeps to the
// address that it found first.
type rebinding struct{ asked int }

func (r *rebinding) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	r.asked++
	if r.asked == 1 {
		return []netip.Addr{netip.MustParseAddr("203.0.113.9")}, nil
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

func TestRebindingLeadsNowhere(t *testing.T) {
	clock := time.Now()
	s := open(t, func(o *egress.Options) {
		o.Resolver, o.Patience, o.Now = &rebinding{}, 300*time.Millisecond, func() time.Time { clock = clock.Add(time.Hour); return clock }
	})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.api.URL, "http://"))
	s.targets = []string{"http://api.example:" + port}
	for range 3 {
		resp, text := s.ask(t, "GET", "/egress/shop/http/api.example:"+port+"/x", nil)
		if resp.StatusCode != 502 && resp.StatusCode != 504 {
			t.Errorf("%d %s", resp.StatusCode, text)
		}
	}
	if len(s.requests()) != 0 {
		t.Error("the token went to where the name led later")
	}
}

func TestKeys(t *testing.T) {
	s := open(t, nil)
	for _, c := range []struct {
		header []string
		want   int
	}{
		{[]string{"Usher-Key", ""}, 401},
		{[]string{"Usher-Key", "wrong"}, 401},
		{[]string{"Usher-Key", "narrow"}, 403},
		{[]string{"Usher-Key", "away"}, 503},
		{[]string{"Usher-Key", strings.Repeat("x", 301)}, 400},
		{[]string{"Usher-Key", "", "Authorization", "Basic " + callerKey}, 400},
		{[]string{"Usher-Key", "", "Authorization", "Bearer " + callerKey}, 200},
	} {
		if resp, text := s.ask(t, "GET", s.path("/"), nil, c.header...); resp.StatusCode != c.want {
			t.Errorf("%v: %d, want %d: %s", c.header, resp.StatusCode, c.want, text)
		} else if c.want == 401 && resp.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%v: no challenge", c.header)
		}
	}
	if n := len(s.requests()); n != 1 {
		t.Errorf("%d requests were sent on", n)
	}
	if got := s.requests()[0].header.Get("Authorization"); got != "Bearer "+oldToken {
		t.Errorf("sent on with %s", got)
	}
}

func TestReplaysOnceWhereThatIsSafe(t *testing.T) {
	big := strings.Repeat("x", 70<<10)
	for _, c := range []struct {
		name, method string
		body         string
		chunked      bool
		header       []string
		challenge    string
		again        bool
	}{
		{name: "GET", method: "GET", challenge: invalid, again: true},
		{name: "HEAD", method: "HEAD", challenge: invalid, again: true},
		{name: "OPTIONS", method: "OPTIONS", challenge: invalid, again: true},
		{name: "DELETE", method: "DELETE", challenge: invalid, again: true},
		{name: "PUT with a body", method: "PUT", body: "small", challenge: invalid, again: true},
		{name: "PUT in chunks", method: "PUT", body: "small", chunked: true, challenge: invalid, again: true},
		{name: "PUT that is too large", method: "PUT", body: big, challenge: invalid},
		{name: "PUT too large in chunks", method: "PUT", body: big, chunked: true, challenge: invalid},
		{name: "POST", method: "POST", body: "amount=1", challenge: invalid},
		{name: "POST without a body", method: "POST", challenge: invalid},
		{name: "PATCH", method: "PATCH", body: "amount=1", challenge: invalid},
		{name: "POST with a key", method: "POST", body: "amount=1", header: []string{"Idempotency-Key", "k1"}, challenge: invalid, again: true},
		{name: "POST with PayPal's key", method: "POST", body: "amount=1", header: []string{"PayPal-Request-Id", "k1"}, challenge: invalid, again: true},
		{name: "POST with a blank key", method: "POST", body: "amount=1", header: []string{"Idempotency-Key", " "}, challenge: invalid},
		{name: "POST whose key stays here", method: "POST", body: "a", header: []string{"Idempotency-Key", "k1", "Connection", "Idempotency-Key"}, challenge: invalid},
		{name: "no challenge at all", method: "GET", again: true},
		{name: "bare challenge", method: "GET", challenge: `Bearer realm="x"`, again: true},
		{name: "Basic is wanted", method: "GET", challenge: `Basic realm="x"`},
		{name: "Basic or Bearer", method: "GET", challenge: `Basic realm="x", Bearer error="invalid_token"`, again: true},
		{name: "step up", method: "GET", challenge: `Bearer error="insufficient_user_authentication"`},
		{name: "malformed", method: "GET", challenge: `Bearer error="invalid_request"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, nil)
			s.on(refuses(oldToken, c.challenge))
			var body io.Reader
			if c.body != "" {
				body = strings.NewReader(c.body)
			}
			if c.chunked {
				body = io.MultiReader(body) // of unknown length
			}
			resp, _ := s.ask(t, c.method, s.path("/x"), body, c.header...)
			got := s.requests()
			events := s.told(t)
			if !c.again {
				if resp.StatusCode != 401 || len(got) != 1 || resp.Header.Get("Usher-Not-Replayed") == "" || resp.Header.Get("WWW-Authenticate") != c.challenge {
					t.Fatalf("%d after %d requests, %v", resp.StatusCode, len(got), resp.Header)
				}
				if len(events) != 1 {
					t.Errorf("%d events", len(events))
				}
				return
			}
			if resp.StatusCode != 200 || len(got) != 2 || resp.Header.Get("Usher-Replayed") != "1" {
				t.Fatalf("%d after %d requests, %v", resp.StatusCode, len(got), resp.Header)
			}
			for i, r := range got {
				if r.body != c.body || r.method != c.method || r.header.Get("Idempotency-Key") != got[0].header.Get("Idempotency-Key") {
					t.Errorf("request %d is %+v", i, r)
				}
			}
			if got[1].header.Get("Authorization") != "Bearer planted-token-2" {
				t.Errorf("sent again with %s", got[1].header.Get("Authorization"))
			}
			if len(events) != 2 || events[0].Status != usher.StatusFailure || events[1].Status != usher.StatusSuccess {
				t.Fatalf("events: %+v", events)
			}
			if c.challenge == invalid && (events[0].OAuth.Error != "invalid_token" || !strings.Contains(events[0].Message, "The token is expired")) {
				t.Errorf("the event is %+v", events[0])
			}
			if ev := events[0]; ev.Client.UID != "shop-client" || ev.Session != "shop" || ev.Tenant != "pay" || ev.Resource.UID != s.api.URL {
				t.Errorf("the event is %+v", ev)
			}
		})
	}
}

// An API that refuses everything is asked twice, and the provider is left alone
// for a while.
func TestNeverTwice(t *testing.T) {
	clock := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s := open(t, func(o *egress.Options) { o.Now = func() time.Time { return clock } })
	s.on(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", invalid)
		w.WriteHeader(401)
	})
	resp, _ := s.ask(t, "GET", s.path("/"), nil)
	if resp.StatusCode != 401 || len(s.requests()) != 2 || resp.Header.Get("Usher-Not-Replayed") == "" {
		t.Fatalf("%d after %d requests, %v", resp.StatusCode, len(s.requests()), resp.Header)
	}
	s.renewed(3) // the first time may have been a coincidence: the broker is told once more
	for range 20 {
		s.ask(t, "GET", s.path("/"), nil)
	}
	if n := len(s.requests()); n != 22 || s.gen != 3 {
		t.Errorf("%d requests and %d renewals in a while", n, s.gen-1)
	}
	clock = clock.Add(31 * time.Second)
	s.ask(t, "GET", s.path("/"), nil)
	if s.gen != 4 {
		t.Errorf("after a while it is not tried again: %d renewals", s.gen-1)
	}
	clock = clock.Add(31 * time.Second)
	s.ask(t, "GET", s.path("/"), nil)
	if s.gen != 4 {
		t.Errorf("the pause does not grow: %d renewals", s.gen-1)
	}
	// Somebody renewed it otherwise: a newer token is worth a try.
	s.source.mu.Lock()
	s.gen = 9
	s.source.mu.Unlock()
	s.on(refuses("planted-token-9", invalid))
	if resp, _ := s.ask(t, "GET", s.path("/"), nil); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
}

// One address that refuses every token, beside others that work, does not have
// the provider asked again and again.
func TestOneAddressThatRefuses(t *testing.T) {
	s := open(t, nil)
	s.on(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuses" {
			w.WriteHeader(401)
		}
	})
	for range 10 {
		if resp, _ := s.ask(t, "GET", s.path("/refuses"), nil); resp.StatusCode != 401 {
			t.Errorf("refuses: %d", resp.StatusCode)
		}
		s.renewed(3)
		if resp, _ := s.ask(t, "GET", s.path("/works"), nil); resp.StatusCode != 200 {
			t.Errorf("works: %d", resp.StatusCode)
		}
	}
	if s.gen != 3 {
		t.Errorf("%d renewals", s.gen-1)
	}
}

// A renewal is under way when all tokens are revoked: what it gives is as dead.
func TestRevokedDuringARenewal(t *testing.T) {
	s := open(t, nil)
	s.on(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer planted-token-3" {
			w.WriteHeader(401)
		}
	})
	if resp, _ := s.ask(t, "GET", s.path("/"), nil); resp.StatusCode != 401 || !s.renewed(3) {
		t.Fatalf("%d, and the broker is not told of the second token", resp.StatusCode)
	}
	if resp, _ := s.ask(t, "GET", s.path("/"), nil); resp.StatusCode != 200 {
		t.Errorf("the next one: %d", resp.StatusCode)
	}
}

// All tokens are revoked while a request is under way with one that was replaced
// just before: the newest is as dead, so that its refusal is told to the broker
// and not taken for one of a token that was renewed in vain.
func TestRevokedJustAfterARenewal(t *testing.T) {
	s := open(t, nil)
	s.on(func(w http.ResponseWriter, r *http.Request) {
		s.source.mu.Lock()
		s.gen = max(s.gen, 2) // renewed on schedule, and then all were revoked
		s.source.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer planted-token-3" {
			w.Header().Set("WWW-Authenticate", invalid)
			w.WriteHeader(401)
		}
	})
	if resp, _ := s.ask(t, "GET", s.path("/"), nil); resp.StatusCode != 401 || len(s.requests()) != 2 {
		t.Fatalf("%d after %d requests", resp.StatusCode, len(s.requests()))
	}
	if !s.renewed(3) {
		t.Error("the broker is not told that the newest token was refused")
	}
	if resp, _ := s.ask(t, "GET", s.path("/"), nil); resp.StatusCode != 200 {
		t.Errorf("the next one: %d", resp.StatusCode)
	}
}

// renewed waits until the tokens are of a generation.
func (s *stage) renewed(gen int64) bool {
	for range 2000 {
		s.source.mu.Lock()
		now := s.gen
		s.source.mu.Unlock()
		if now >= gen {
			return true
		}
		time.Sleep(5 * time.Millisecond)
	}
	return false
}

// A path is sent as it came, and what no path may hold is encoded.
func TestPathsAreSentAsTheyCame(t *testing.T) {
	s := open(t, nil)
	for path, want := range map[string]string{
		"/v1/a%2Fb/c%2fd//e;f=1": "/v1/a%2Fb/c%2fd//e;f=1",
		"/v1/{id}/a%2Fb":         "/v1/%7Bid%7D/a%2Fb",
		"/\"^`|<>%2F\xc3\xa9":    "/%22%5E%60%7C%3C%3E%2F%C3%A9",
		"/%7Bid%7D?q={a%2Fb}":    "/%7Bid%7D?q={a%2Fb}",
	} {
		if resp, text := s.ask(t, "GET", s.path(path), nil); resp.StatusCode != 200 {
			t.Errorf("%s: %d %s", path, resp.StatusCode, text)
			continue
		}
		s.raw(t, "GET "+s.api.URL+path+" HTTP/1.1\nHost: x\nConnection: close\nProxy-Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("shop:"+callerKey))+"\n\n")
		got := s.requests()
		for _, r := range got[len(got)-2:] {
			if r.uri != want {
				t.Errorf("%s is sent as %s, want %s", path, r.uri, want)
			}
		}
	}
}

// A POST without a key is not sent again, but the next caller has a good token.
func TestRefusedTokenIsToldAlsoWithoutReplay(t *testing.T) {
	s := open(t, nil)
	s.on(refuses(oldToken, invalid))
	if resp, _ := s.ask(t, "POST", s.path("/"), strings.NewReader("a")); resp.StatusCode != 401 {
		t.Fatalf("%d", resp.StatusCode)
	}
	s.renewed(2)
	if resp, _ := s.ask(t, "POST", s.path("/"), strings.NewReader("a")); resp.StatusCode != 200 {
		t.Errorf("the next one: %d", resp.StatusCode)
	}
}

func TestNoTokenToGive(t *testing.T) {
	s := open(t, nil)
	s.err = errors.New("away")
	resp, text := s.ask(t, "GET", s.path("/"), nil)
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(text, "refresh-token-revoked") || !strings.Contains(text, "user") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	s.err, s.typ = nil, "DPoP"
	if resp, text = s.ask(t, "GET", s.path("/"), nil); resp.StatusCode != 501 {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if len(s.requests()) != 0 {
		t.Error("something was sent without a token")
	}
	if n := len(s.told(t)); n != 1 { // what the broker lacks it tells by itself
		t.Errorf("%d events", n)
	}
	s.err, s.typ = errOnlyRenew, "bearer"
	s.on(refuses(oldToken, invalid))
	resp, text = s.ask(t, "GET", s.path("/"), nil)
	if resp.StatusCode != 401 || text != "refused" || !strings.Contains(resp.Header.Get("Usher-Not-Replayed"), "revoked") {
		t.Errorf("%d %q %v", resp.StatusCode, text, resp.Header)
	}
}

func TestPassesRefusalsOfAnotherKind(t *testing.T) {
	s := open(t, nil)
	for _, c := range []struct {
		status          int
		challenge, want string
	}{
		{403, `Bearer error="insufficient_scope", scope="charges:write"`, "insufficient_scope"},
		{429, "", "too_many_requests"},
	} {
		before := len(s.told(t))
		s.on(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3")
			if c.challenge != "" {
				w.Header().Set("WWW-Authenticate", c.challenge)
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, "as it is")
		})
		resp, text := s.ask(t, "GET", s.path("/"), nil)
		if resp.StatusCode != c.status || text != "as it is" || resp.Header.Get("Retry-After") != "3" || resp.Header.Get("WWW-Authenticate") != c.challenge {
			t.Errorf("%d %q %v", resp.StatusCode, text, resp.Header)
		}
		events := s.told(t)
		if len(events) != before+1 || events[before].OAuth.Error != c.want {
			t.Errorf("%d: %+v", c.status, events[before:])
		}
	}
	if s.gen != 1 {
		t.Error("the token was renewed")
	}
}

func TestRedirectsAreAnswers(t *testing.T) {
	s := open(t, nil)
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s.on(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) })
		resp, _ := s.ask(t, "GET", s.path("/"), nil)
		if resp.StatusCode != status || resp.Header.Get("Location") != other.URL {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
	}
}

func TestOtherProtocolsAreRefused(t *testing.T) {
	s := open(t, nil)
	for _, c := range []struct {
		method string
		header []string
		want   int
	}{
		{"GET", []string{"Connection", "Upgrade", "Upgrade", "websocket"}, 501},
		{"GET", []string{"Upgrade", "h2c"}, 501},
		{"TRACE", nil, 405},
		{"GET", []string{"Via", "1.1 usher-egress"}, 508},
		{"GET", []string{"X-Big", strings.Repeat("x", 65<<10)}, 431},
	} {
		if resp, text := s.ask(t, c.method, s.path("/"), nil, c.header...); resp.StatusCode != c.want {
			t.Errorf("%s %.40v: %d %s", c.method, c.header, resp.StatusCode, text)
		}
	}
	// An API that changes the protocol unasked.
	s.on(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
			_ = conn.Close()
		}
	})
	if resp, text := s.ask(t, "GET", s.path("/"), nil); resp.StatusCode != 502 {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if n := len(s.requests()); n != 1 {
		t.Errorf("%d requests were sent on", n)
	}
}

// raw sends bytes, and gives what comes back until the connection ends.
func (s *stage) raw(t *testing.T, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.door.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	// A half-closed connection is a caller who has gone, so the end of what is sent
	// is told only where nothing else ends the exchange.
	if c, ok := conn.(*net.TCPConn); ok && !strings.Contains(text, "Connection: close\n") {
		_ = c.CloseWrite()
	}
	back, _ := io.ReadAll(conn)
	return string(back)
}

// Requests that two servers could cut differently: the API never gets one that
// was not checked.
func TestSmuggling(t *testing.T) {
	head := func(s *stage, method string) string {
		return method + " " + s.path("/first") + " HTTP/1.1\nHost: x\nUsher-Key: " + callerKey + "\n"
	}
	hidden := "GET /hidden HTTP/1.1\nHost: api\n\n"
	for name, make := range map[string]func(*stage) string{
		"both lengths": func(s *stage) string {
			return head(s, "POST") + "Content-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n" + hidden
		},
		"two lengths":    func(s *stage) string { return head(s, "POST") + "Content-Length: 0\nContent-Length: 60\n\n" + hidden },
		"plus":           func(s *stage) string { return head(s, "POST") + "Content-Length: +0\n\n" + hidden },
		"strange coding": func(s *stage) string { return head(s, "POST") + "Transfer-Encoding: xchunked\n\n0\n\n" + hidden },
		"blank in name": func(s *stage) string {
			return head(s, "POST") + "Transfer-Encoding : chunked\nContent-Length: 60\n\n0\n\n" + hidden
		},
		"length of a GET": func(s *stage) string { return head(s, "GET") + "Content-Length: 37\n\n" + hidden },
		"bad chunk":       func(s *stage) string { return head(s, "PUT") + "Transfer-Encoding: chunked\n\n5;\r \n" + hidden },
		"folded header": func(s *stage) string {
			return head(s, "POST") + "X: 1\n Transfer-Encoding: chunked\nContent-Length: 0\n\n" + hidden
		},
		"bare line feed":    func(s *stage) string { return head(s, "GET") + "X: 1\rY: 2\n\n" + hidden },
		"whole second":      func(s *stage) string { return head(s, "GET") + "\n" + hidden },
		"hidden in a proxy": func(s *stage) string { return "GET " + s.api.URL + "/hidden HTTP/1.1\nHost: " + s.api.URL[7:] + "\n\n" },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil)
			back := s.raw(t, make(s))
			for _, r := range s.requests() {
				if !strings.HasPrefix(r.uri, "/first") {
					t.Errorf("the API got %s %s; the caller got %.200q", r.method, r.uri, back)
				}
			}
			if strings.Contains(back, "planted-") {
				t.Errorf("a secret comes back: %q", back)
			}
		})
	}
}

func TestExpectContinue(t *testing.T) {
	s := open(t, nil)
	ask := func(path string) string {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.door.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nUsher-Key: %s\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n", path, callerKey)
		in := bufio.NewReader(conn)
		line, _ := in.ReadString('\n')
		if strings.Contains(line, " 100 ") {
			_, _ = in.ReadString('\n')
			fmt.Fprint(conn, "body")
			line, _ = in.ReadString('\n')
			return "100, " + line
		}
		return line
	}
	if got := ask(s.path("/x")); !strings.Contains(got, "100, HTTP/1.1 200") {
		t.Errorf("%q", got)
	}
	// A refusal comes before the body is sent.
	if got := ask("/egress/shop/https/evil.test/"); !strings.Contains(got, " 403 ") || strings.Contains(got, "100") {
		t.Errorf("%q", got)
	}
	if got := s.requests(); len(got) != 1 || got[0].body != "body" || got[0].header.Get("Expect") != "" {
		t.Errorf("%+v", got)
	}
}

func TestAsProxy(t *testing.T) {
	s := open(t, nil)
	proxied := func(user *url.Userinfo, to string) (*http.Response, error) {
		door, _ := url.Parse(s.door.URL)
		door.User = user
		client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(door)}}
		req, _ := http.NewRequestWithContext(t.Context(), "GET", to, nil)
		req.Header.Set("Authorization", "Bearer planted-own")
		return client.Do(req)
	}
	resp, err := proxied(url.UserPassword("shop", callerKey), s.api.URL+"/v1/a%2Fb?x=1")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %v", resp, err)
	}
	if got := s.requests()[0]; got.uri != "/v1/a%2Fb?x=1" || got.header.Get("Authorization") != "Bearer "+oldToken || got.header.Get("Proxy-Authorization") != "" {
		t.Errorf("%+v", got)
	}
	for _, c := range []struct {
		user *url.Userinfo
		to   string
		want int
	}{
		{nil, s.api.URL, 407},
		{url.UserPassword("shop", "wrong"), s.api.URL, 401},
		{url.UserPassword("none", callerKey), s.api.URL, 404},
		{url.UserPassword("shop", callerKey), "http://localhost:1/", 403},
	} {
		resp, err := proxied(c.user, c.to)
		if err != nil || resp.StatusCode != c.want {
			t.Errorf("%s by %v: %v %v", c.to, c.user, resp, err)
		}
	}
	if _, err := proxied(url.UserPassword("shop", callerKey), "https://api.example/"); err == nil || !strings.Contains(err.Error(), "Method Not Allowed") {
		t.Errorf("a tunnel: %v", err)
	}
	if back := s.raw(t, "GET http://user:pass@"+s.api.URL[7:]+"/ HTTP/1.1\nHost: x\nProxy-Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("shop:"+callerKey))+"\n\n"); !strings.Contains(back, " 400 ") {
		t.Errorf("%.100q", back)
	}
}

// Both ways are passed on as they come, and half an answer is not taken for a
// whole one.
func TestStreams(t *testing.T) {
	s := open(t, nil)
	first, second := make(chan struct{}), make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in := bufio.NewReader(r.Body)
		_ = http.NewResponseController(w).EnableFullDuplex()
		for range 2 {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Error(err)
			}
			_, _ = io.WriteString(w, line)
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
	}))
	defer api.Close()
	s.targets = append(s.targets, api.URL)
	r, w := io.Pipe()
	req, _ := http.NewRequestWithContext(t.Context(), "POST", s.door.URL+"/egress/shop/http/"+api.URL[7:]+"/echo", r)
	req.Header.Set("Usher-Key", callerKey)
	go func() {
		_, _ = io.WriteString(w, "one\n")
		<-first
		_, _ = io.WriteString(w, "two\n")
		_ = w.Close()
		close(second)
	}()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	if line, err := in.ReadString('\n'); line != "one\n" || err != nil {
		t.Fatalf("%q %v", line, err)
	}
	close(first) // the second line is sent only now: nothing is held back
	if line, err := in.ReadString('\n'); line != "two\n" || err != nil {
		t.Fatalf("%q %v", line, err)
	}
	<-second

	s.on(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	req, _ = http.NewRequestWithContext(t.Context(), "GET", s.door.URL+s.path("/half"), nil)
	req.Header.Set("Usher-Key", callerKey)
	if resp, err = http.DefaultClient.Do(req); err == nil {
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("half an answer passes for a whole one: %q", text)
		}
	}

	// The same where nobody said how long it would be.
	s.on(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	req, _ = http.NewRequestWithContext(t.Context(), "GET", s.door.URL+s.path("/half"), nil)
	req.Header.Set("Usher-Key", callerKey)
	if resp, err = http.DefaultClient.Do(req); err == nil {
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("half an answer passes for a whole one: %q", text)
		}
	}

	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	s.on(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) })
	if _, text := s.ask(t, "PUT", s.path("/big"), bytes.NewReader(big)); text != string(big) {
		t.Errorf("%d bytes came back", len(text))
	}
	if got := s.requests(); got[len(got)-1].body != string(big) {
		t.Error("the body arrived otherwise")
	}
}

func TestSlowAndAway(t *testing.T) {
	const patience = 2 * time.Second // a busy machine answers within it
	s := open(t, func(o *egress.Options) { o.Patience = patience })
	s.on(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if resp, text := s.ask(t, "GET", s.path("/"), nil); resp.StatusCode != 504 {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	s.on(func(w http.ResponseWriter, _ *http.Request) { // slow, but it has begun
		_ = http.NewResponseController(w).Flush()
		time.Sleep(patience + 200*time.Millisecond)
		_, _ = io.WriteString(w, "late")
	})
	if resp, text := s.ask(t, "GET", s.path("/"), nil); resp.StatusCode != 200 || text != "late" {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	s.on(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Big", strings.Repeat("x", 70<<10)) })
	if resp, text := s.ask(t, "GET", s.path("/"), nil); resp.StatusCode != 502 {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	s.api.Close()
	if resp, text := s.ask(t, "GET", s.path("/"), nil); resp.StatusCode != 502 || !strings.Contains(text, "refused the connection") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if n := len(s.told(t)); n != 3 {
		t.Errorf("%d events", n)
	}
}

// When a token dies with a thousand requests under way, each is sent again once.
func TestManyAtOnce(t *testing.T) {
	s := open(t, nil)
	s.on(refuses(oldToken, invalid))
	var wait sync.WaitGroup
	for range 200 {
		wait.Go(func() {
			if resp, _ := s.ask(t, "GET", s.path("/"), nil); resp.StatusCode != 200 {
				t.Errorf("%d", resp.StatusCode)
			}
		})
	}
	wait.Wait()
	if s.gen != 2 {
		t.Errorf("%d renewals", s.gen-1)
	}
}

func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"/egress/shop/https/api.example/v1", "/egress/shop/https/api.example:443/", "/egress/shop/https/api.example@x/", "/egress/shop/https/[::1]:1/%2e%2e/"} {
		f.Add(seed)
	}
	p := egress.New(egress.Options{
		Source: fails{}, Caller: func(context.Context, usher.Secret) (egress.Caller, error) { return egress.Caller{}, nil },
		Config: func(context.Context, string) (broker.Config, error) {
			return broker.Config{Targets: []string{"https://api.example"}}, nil
		},
	})
	f.Fuzz(func(t *testing.T, uri string) {
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + uri + " HTTP/1.1\r\nHost: x\r\nUsher-Key: k\r\n\r\n")))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		p.ServeHTTP(w, req)
		// Only what is plainly the allowed origin gets as far as a token.
		if w.Code == http.StatusServiceUnavailable {
			_, rest, _ := strings.Cut(strings.ToLower(req.RequestURI), "/https/")
			if !strings.HasPrefix(rest, "api.example") || strings.ContainsAny(strings.TrimPrefix(rest, "api.example")[:min(1, len(rest)-11)], "@abcdefghijklmnopqrstuvwxyz-") {
				t.Fatalf("%q reaches a token", uri)
			}
		}
	})
}

type fails struct{}

func (fails) Token(context.Context, string, broker.Ask) (broker.Token, error) {
	return broker.Token{}, errors.New("none")
}

func BenchmarkForward(b *testing.B) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1024)) }))
	defer api.Close()
	src := &source{gen: 1}
	door := httptest.NewServer(egress.New(egress.Options{
		Source: fixed(src.token()), Caller: func(context.Context, usher.Secret) (egress.Caller, error) { return egress.Caller{}, nil },
		Config: func(context.Context, string) (broker.Config, error) {
			return broker.Config{ID: "shop", Targets: []string{api.URL}}, nil
		},
	}))
	defer door.Close()
	for name, to := range map[string]string{"direct": api.URL + "/x", "egress": door.URL + "/egress/shop/http/" + api.URL[7:] + "/x"} {
		b.Run(name, func(b *testing.B) {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					req, _ := http.NewRequestWithContext(b.Context(), "GET", to, nil)
					req.Header.Set("Usher-Key", "k")
					resp, err := client.Do(req)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			})
		})
	}
}

type fixed string

func (f fixed) Token(context.Context, string, broker.Ask) (broker.Token, error) {
	return broker.Token{Access: usher.Secret(f), Type: "Bearer", Generation: 1}, nil
}
