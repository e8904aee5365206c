package grant_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher"
	"usher/broker/grant"
	"usher/guard"
)

// raw is a server that does with each connection what a test says, and counts
// the requests that it read to their end.
type raw struct {
	net.Listener
	read atomic.Int32
	over chan struct{} // closed when the test ends
}

func (s *raw) url() string { return "http://" + s.Addr().String() }

func connections(t *testing.T, do func(s *raw, c *net.TCPConn)) *raw {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &raw{Listener: l, over: make(chan struct{})}
	t.Cleanup(func() { close(s.over) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go do(s, c.(*net.TCPConn))
		}
	}()
	return s
}

// take reads a request with its body.
func (s *raw) take(c net.Conn) bool {
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return false
	}
	if _, err := io.ReadAll(req.Body); err != nil {
		return false
	}
	s.read.Add(1)
	return true
}

// hang says nothing until the test ends.
func (s *raw) hang(c net.Conn) {
	<-s.over
	_ = c.Close()
}

// reset closes with a reset.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

func answerHead(c net.Conn, status, length int) {
	_, _ = fmt.Fprintf(c, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", status, length)
}

// TestLost tells what was sent from what was not, by every way in which a
// request can fail to bring an answer. To say that nothing was sent although it
// was costs a person their connection: the refresh token goes out a second time
// and the provider ends the family.
func TestLost(t *testing.T) {
	token := `{"access_token":"at-1","refresh_token":"rt-2","token_type":"Bearer","expires_in":3600}`
	for _, tt := range []struct {
		name string
		do   func(s *raw, c *net.TCPConn)
		kind grant.RefusalKind
		read int32 // requests that arrived whole
	}{
		{"reset before anything was read", func(_ *raw, c *net.TCPConn) { reset(c) }, grant.Lost, 0},
		{"closed before anything was read", func(_ *raw, c *net.TCPConn) { _ = c.Close() }, grant.Lost, 0},
		{"reset in the head of the request", func(_ *raw, c *net.TCPConn) { _, _ = c.Read(make([]byte, 16)); reset(c) }, grant.Lost, 0},
		{"reset after the request", func(s *raw, c *net.TCPConn) { s.take(c); reset(c) }, grant.Lost, 1},
		{"closed after the request", func(s *raw, c *net.TCPConn) { s.take(c); _ = c.Close() }, grant.Lost, 1},
		{"no answer in time", func(s *raw, c *net.TCPConn) { s.take(c); s.hang(c) }, grant.Lost, 1},
		{"swallows the request", func(s *raw, c *net.TCPConn) { s.hang(c) }, grant.Lost, 0},
		{"cut in the status line", func(s *raw, c *net.TCPConn) { s.take(c); _, _ = io.WriteString(c, "HTTP/1.1 2"); _ = c.Close() }, grant.Lost, 1},
		{"cut in the headers", func(s *raw, c *net.TCPConn) {
			s.take(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Ty")
			_ = c.Close()
		}, grant.Lost, 1},
		{"cut after the headers", func(s *raw, c *net.TCPConn) { s.take(c); answerHead(c, 200, len(token)); _ = c.Close() }, grant.Lost, 1},
		{"cut in the middle of the token", func(s *raw, c *net.TCPConn) {
			s.take(c)
			answerHead(c, 200, len(token))
			_, _ = io.WriteString(c, token[:40])
			_ = c.Close()
		}, grant.Lost, 1},
		{"cut in the middle of the token, reset", func(s *raw, c *net.TCPConn) {
			s.take(c)
			answerHead(c, 200, len(token))
			_, _ = io.WriteString(c, token[:40])
			reset(c)
		}, grant.Lost, 1},
		{"stalls in the middle of the token", func(s *raw, c *net.TCPConn) {
			s.take(c)
			answerHead(c, 200, len(token))
			_, _ = io.WriteString(c, token[:40])
			s.hang(c)
		}, grant.Lost, 1},
		{"cut chunks", func(s *raw, c *net.TCPConn) {
			s.take(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n"+token[:16]+"\r\n")
			_ = c.Close()
		}, grant.Lost, 1},
		{"ends early without a length", func(s *raw, c *net.TCPConn) {
			s.take(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"+token[:60])
			_ = c.Close()
		}, grant.Unreadable, 1}, // nothing says that it was cut; Unsure all the same
		{"no HTTP", func(s *raw, c *net.TCPConn) { s.take(c); _, _ = io.WriteString(c, "SSH-2.0-x\r\n"); _ = c.Close() }, grant.Lost, 1},
		{"too large a token answer", func(s *raw, c *net.TCPConn) { s.take(c); answerHead(c, 200, 64<<20); _ = c.Close() }, grant.Lost, 1},
		{"packed in an unknown way", func(s *raw, c *net.TCPConn) {
			s.take(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc")
			_ = c.Close()
		}, grant.Lost, 1},
		{"broken gzip", func(s *raw, c *net.TCPConn) {
			s.take(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
			_ = c.Close()
		}, grant.Lost, 1},
		{"headers without end", func(s *raw, c *net.TCPConn) {
			s.take(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 100))
			_ = c.Close()
		}, grant.Lost, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := connections(t, tt.do)
			timeout := time.Minute
			switch tt.name { // they take as long, however fast the machine is
			case "no answer in time", "swallows the request", "stalls in the middle of the token":
				timeout = 3 * time.Second
			}
			a := grant.New(grant.Options{HTTP: guard.New(guard.Options{Trusted: []string{s.url()}, Timeout: time.Minute}), Timeout: timeout, Now: func() time.Time { return now }})
			_, err := a.Ask(t.Context(), request(s.url(), "client_secret_post"))
			r := refusalOf(t, err)
			// A connection that breaks before it is handed over has carried nothing.
			early := r.Kind == grant.Unreachable && strings.HasSuffix(tt.name, "before anything was read") && !r.Unsure()
			if !early && (r.Kind != tt.kind || !r.Unsure()) {
				t.Errorf("got %s, unsure %v: %v", r.Kind, r.Unsure(), err)
			}
			if got := s.read.Load(); got != tt.read {
				t.Errorf("%d requests arrived whole, want %d", got, tt.read)
			}
			if strings.Contains(err.Error(), "rt-") || strings.Contains(err.Error(), "at-1") {
				t.Errorf("a secret is told: %v", err)
			}
		})
	}
}

// nowhere is a resolver that knows no name, or gives the addresses it is told.
type nowhere struct {
	addrs []netip.Addr
	err   error
}

func (n nowhere) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return n.addrs, n.err
}

// TestUnreachable: where no connection came about that a request could go out
// on, nothing was sent, and the refresh token is as good as before.
func TestUnreachable(t *testing.T) {
	gone := connections(t, func(*raw, *net.TCPConn) {})
	_ = gone.Close()
	port := strconv.Itoa(gone.Addr().(*net.TCPAddr).Port)
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	shakes := connections(t, func(_ *raw, c *net.TCPConn) { _, _ = c.Read(make([]byte, 16)); reset(c) })
	stalls := connections(t, func(s *raw, c *net.TCPConn) { s.hang(c) })
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10} // #nosec G402 -- what a test refuses
	old.StartTLS()
	t.Cleanup(old.Close)

	for _, tt := range []struct {
		name, url string
		resolver  guard.Resolver
	}{
		{"connection refused", "http://127.0.0.1:" + port, nil},
		{"no such name", "https://idp.example", nowhere{err: &net.DNSError{Err: "no such host", Name: "idp.example", IsNotFound: true}}},
		{"no name server", "https://idp.example", nowhere{err: &net.DNSError{Err: "i/o timeout", Name: "idp.example", IsTimeout: true}}},
		{"name without address", "https://idp.example", nowhere{}},
		{"no route", "https://idp.example:" + port, nowhere{addrs: []netip.Addr{netip.MustParseAddr("240.0.0.1")}}},
		{"unknown authority", untrusted.URL, nil},
		{"plain HTTP where TLS is wanted", strings.Replace(plain.URL, "http:", "https:", 1), nil},
		{"reset in the handshake", "https://" + shakes.Addr().String(), nil},
		{"stalls in the handshake", "https://" + stalls.Addr().String(), nil},
		{"TLS of the last century", old.URL, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := grant.New(grant.Options{HTTP: guard.New(guard.Options{Trusted: []string{tt.url}, Resolver: tt.resolver}), Timeout: time.Second})
			_, err := a.Ask(t.Context(), request(tt.url, "client_secret_post"))
			r := refusalOf(t, err)
			if r.Kind != grant.Unreachable || r.Unsure() {
				t.Errorf("got %s: %v", r.Kind, err)
			}
			var told *usher.Error
			if !errors.As(err, &told) || told.Hint == "" && !strings.Contains(told.Message, "cancelled") {
				t.Errorf("nobody says what to do: %v", err)
			}
		})
	}
}

// TestNoStaleConnection: a connection that was used before is not used again,
// since the other side may close it just when the next request is written on it.
// Nor does the transport send a request a second time by itself.
func TestNoStaleConnection(t *testing.T) {
	var open atomic.Int32
	s := connections(t, func(s *raw, c *net.TCPConn) {
		open.Add(1)
		defer func() { _ = c.Close() }()
		for s.take(c) {
			answerHead(c, 200, len(good))
			_, _ = io.WriteString(c, good)
			// It goes away without a word, like one behind a balancer: when the
			// other side has closed it, or writes the next request on it.
			_, _ = c.Read(make([]byte, 1))
			reset(c)
			return
		}
	})
	a := grant.New(grant.Options{HTTP: guard.New(guard.Options{Trusted: []string{s.url()}})})
	for range 5 {
		if _, err := a.Ask(t.Context(), request(s.url(), "client_secret_post")); err != nil {
			t.Fatal(err)
		}
	}
	if open.Load() != 5 || s.read.Load() != 5 {
		t.Errorf("%d connections, %d requests", open.Load(), s.read.Load())
	}
}

// TestHTTP2 is the same over HTTP/2, where the transport tries again by itself
// what a server says it has not processed.
func TestHTTP2(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		asked.Add(1)
		panic(http.ErrAbortHandler) // resets the stream
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	ca := t.TempDir() + "/ca.pem"
	writeCA(t, ca, s.Certificate())
	a := grant.New(grant.Options{HTTP: guard.New(guard.Options{Trusted: []string{s.URL}, CAFile: ca})})
	_, err := a.Ask(t.Context(), request(s.URL, "client_secret_post"))
	if r := refusalOf(t, err); r.Kind != grant.Lost {
		t.Errorf("got %s: %v", r.Kind, err)
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// TestGateway: what stands before the endpoint may say that it got no answer
// from it, or that it took nothing on.
func TestGateway(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		kind   grant.RefusalKind
		unsure bool
	}{
		{502, "<html>Bad Gateway</html>", grant.Lost, true},
		{504, "", grant.Lost, true},
		{500, "<html>oops</html>", grant.Unreadable, true},
		{500, `{"error":"server_error"}`, grant.Refused, false},
		{500, `{"error":"unknown_error"}`, grant.Refused, false},
		{500, `{"message":"Internal server error"}`, grant.Refused, true},
		{500, `{"timestamp":"2026-11-25T12:00:00Z","status":500,"error":"Internal Server Error"}`, grant.Refused, true},
		{502, `{"message":"An invalid response was received from the upstream server"}`, grant.Lost, true},
		{504, `{"message":"Endpoint request timed out"}`, grant.Lost, true},
		{504, `{"status":504,"error":"Gateway Timeout"}`, grant.Lost, true},
		{524, `{"error_code":524,"title":"Error 524: A timeout occurred"}`, grant.Refused, true},
		{502, `{"error":"temporarily_unavailable"}`, grant.Refused, false},
		{503, "<html>maintenance</html>", grant.Busy, false},
		{503, `{"error":"invalid_grant"}`, grant.Busy, false},
		{503, "upstream connect error or disconnect/reset before headers. reset reason: connection termination", grant.Lost, true},
		{503, "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: remote connection failure", grant.Busy, false},
		{503, "upstream connect error or disconnect/reset before headers. reset reason: overflow", grant.Busy, false},
		{503, "no healthy upstream", grant.Busy, false},
		{429, "", grant.Busy, false},
		{403, "<html>blocked</html>", grant.Unreadable, false},
		{404, "not found", grant.Unreadable, false},
		{302, "", grant.Unreadable, false},
		{200, "<html>sign in to the network</html>", grant.Unreadable, true},
		{200, "{}", grant.Unreadable, true},
		{204, "", grant.Unreadable, true},
		{400, `{"error":"invalid_grant"}`, grant.Refused, false},
		{200, `{"error":"bad_verification_code"}`, grant.Refused, false},
	} {
		e := serve(t, tt.status, "text/html", tt.body)
		_, err := asker(e.Server).Ask(t.Context(), request(e.URL, "client_secret_post"))
		if r := refusalOf(t, err); r.Kind != tt.kind || r.Unsure() != tt.unsure || r.Status != tt.status {
			t.Errorf("%d %q: got %s, unsure %v, status %d", tt.status, tt.body, r.Kind, r.Unsure(), r.Status)
		}
	}
}

// TestSlowBusy: who says only after a while that he takes nothing on has asked
// somebody else meanwhile, unless he says when to come again.
func TestSlowBusy(t *testing.T) {
	for _, tt := range []struct {
		took  time.Duration
		retry string
		kind  grant.RefusalKind
	}{{time.Second, "", grant.Busy}, {29 * time.Second, "", grant.Lost}, {29 * time.Second, "5", grant.Busy}} {
		for _, body := range []string{"Service Unavailable", `{"message":"Service Unavailable"}`, `{"error":"temporarily_unavailable"}`} {
			clock := now
			slow := sender(func(req *http.Request) (*http.Response, error) {
				clock = clock.Add(tt.took)
				return canned{status: 503, header: http.Header{"Retry-After": {tt.retry}}, body: body}.Once(req)
			})
			_, err := grant.New(grant.Options{HTTP: slow, Now: func() time.Time { return clock }}).Ask(t.Context(), request("https://idp.example", "client_secret_post"))
			want := tt.kind
			if strings.Contains(body, "temporarily") {
				want = grant.Busy // in the endpoint's own words
			}
			if r := refusalOf(t, err); r.Kind != want {
				t.Errorf("after %v, %q, %s: got %s", tt.took, tt.retry, body, r.Kind)
			}
		}
	}
}

type sender func(*http.Request) (*http.Response, error)

func (s sender) Once(req *http.Request) (*http.Response, error) { return s(req) }
