package guard_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/guard"
)

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

// TestPacked: what is packed is unpacked within bounds on both sides, once, and
// only as it was asked for.
func TestPacked(t *testing.T) {
	w := newWorld(t)
	w.opt.Trusted, w.opt.Body = []string{w.private.URL}, 10_000
	serve := func(path, encoding string, body []byte) {
		w.mux.HandleFunc(path, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Encoding", encoding)
			rw.(http.Flusher).Flush() // no Content-Length
			_, _ = rw.Write(body)
		})
	}
	serve("/good", "gzip", gzipped([]byte("hello")))
	serve("/bomb", "gzip", gzipped(make([]byte, 1<<20)))
	serve("/nested", "gzip, gzip", gzipped(gzipped([]byte("hello"))))
	serve("/brotli", "br", []byte("hello"))
	serve("/deflate", "deflate", []byte("hello"))
	serve("/broken", "gzip", []byte("hello, this is no gzip at all"))
	serve("/cut", "gzip", gzipped([]byte("hello"))[:15])
	// Parts that are empty bring nothing and could go on for ever: what comes
	// packed is bounded as well.
	serve("/empty", "gzip", bytes.Repeat(gzipped(nil), 20_000/len(gzipped(nil))))
	c := w.client()
	if body, err := get(t, c, w.private.URL+"/good"); err != nil || body != "hello" {
		t.Errorf("good: %q, %v", body, err)
	}
	for path, code := range map[string]string{
		"/bomb": usher.ErrTooLarge, "/empty": usher.ErrTooLarge, "/nested": usher.ErrUnreadable, "/brotli": usher.ErrUnreadable,
		"/deflate": usher.ErrUnreadable, "/broken": usher.ErrUnreadable, "/cut": usher.ErrUnreadable,
	} {
		_, err := get(t, c, w.private.URL+path)
		wantCode(t, err, code, w.private.URL+path)
	}
	// Who asks by himself unpacks by himself.
	body, err := get(t, c, w.private.URL+"/brotli", func(r *http.Request) { r.Header.Set("Accept-Encoding", "br") })
	if err != nil || body != "hello" {
		t.Errorf("asked for: %q, %v", body, err)
	}
}

// TestNestedBomb: a bomb within a bomb is never unpacked twice.
func TestNestedBomb(t *testing.T) {
	w := newWorld(t)
	w.opt.Trusted, w.opt.Body = []string{w.private.URL}, 1<<20
	inner := gzipped(make([]byte, 8<<20))
	w.mux.HandleFunc("/bomb", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Encoding", "gzip")
		_, _ = rw.Write(gzipped(inner))
	})
	body, err := get(t, w.client(), w.private.URL+"/bomb")
	if err != nil || !bytes.Equal([]byte(body), inner) {
		t.Errorf("%d bytes, %v, want the inner one as it is", len(body), err)
	}
}

// TestDrip: a body that brings a byte now and then ends long before the time of
// the call does; one that is read slowly does not.
func TestDrip(t *testing.T) {
	w := newWorld(t)
	w.opt.Trusted, w.opt.Timeout, w.opt.Patience = []string{w.private.URL}, 20*time.Second, 200*time.Millisecond
	w.mux.HandleFunc("/drip", func(rw http.ResponseWriter, r *http.Request) {
		for range 200 {
			if _, err := io.WriteString(rw, "."); err != nil {
				return
			}
			rw.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	w.mux.HandleFunc("/silent", func(rw http.ResponseWriter, r *http.Request) {
		rw.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	w.mux.HandleFunc("/large", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(make([]byte, 1200)) })
	c := w.client()
	for _, path := range []string{"/drip", "/silent"} {
		start := time.Now()
		_, err := get(t, c, w.private.URL+path)
		wantCode(t, err, usher.ErrUnreachable, "drips: less than 512 bytes came in 200ms")
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("%s took %s", path, took)
		}
	}
	req, _ := http.NewRequest(http.MethodGet, w.private.URL+"/large", nil)
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 100)
	for total := 0; total < 1200; {
		n, err := resp.Body.Read(buf)
		total += n
		if err != nil && (!errors.Is(err, io.EOF) || total < 1200) {
			t.Fatalf("a slow reader is punished after %d bytes: %v", total, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestHeaders: headers are bounded in size and in time.
func TestHeaders(t *testing.T) {
	w := newWorld(t)
	w.mux.HandleFunc("/flood", func(rw http.ResponseWriter, _ *http.Request) {
		for i := range 200 {
			rw.Header().Set(fmt.Sprintf("X-Flood-%d", i), strings.Repeat("x", 1000))
		}
	})
	w.opt.Trusted = []string{w.private.URL, w.publicURL("")}
	c := w.client()
	for _, at := range []string{w.private.URL, w.publicURL("")} {
		_, err := get(t, c, at+"/flood")
		wantCode(t, err, usher.ErrTooLarge, "bytes of headers")
	}
	// A header that never ends, a byte at a time.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 1)) // what comes before the request is no answer to it
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Drip: ")
				for {
					if _, err := io.WriteString(conn, "."); err != nil {
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			}()
		}
	}()
	w.opt.Trusted, w.opt.Timeout = []string{"http://" + l.Addr().String()}, 300*time.Millisecond
	start := time.Now()
	_, err = get(t, w.client(), w.opt.Trusted[0]+"/")
	wantCode(t, err, usher.ErrUnreachable, "did not answer in time")
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestOnce(t *testing.T) {
	w := newWorld(t)
	w.opt.Trusted = []string{w.private.URL}
	w.mux.HandleFunc("/away", func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/ok", http.StatusFound) })
	c := w.client()
	req, _ := http.NewRequest(http.MethodPost, w.private.URL+"/away", strings.NewReader("client_secret=s3cr3t"))
	resp, err := c.Once(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/ok" || w.atPrivate.Load() != 1 {
		t.Errorf("status %d after %d requests", resp.StatusCode, w.atPrivate.Load())
	}
	req, _ = http.NewRequest(http.MethodGet, "https://inside.example/x", nil)
	if resp, err := c.Once(req); err == nil {
		resp.Body.Close()
		t.Error("it goes inside")
	}
}

// TestNamedBy: what a provider's document names is no more trusted at another
// place that the operator trusts than anywhere else.
func TestNamedBy(t *testing.T) {
	w := newWorld(t)
	w.opt.Trusted = []string{w.private.URL, w.publicURL("")}
	w.mux.HandleFunc("/in", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, w.private.URL+"/ok", http.StatusFound)
	})
	c := w.client()
	ask := func(ctx context.Context, u string) error {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
		resp, err := c.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	named := guard.NamedBy(context.Background(), w.publicURL("/realms/shop"))
	if err := ask(named, w.publicURL("/ok")); err != nil {
		t.Errorf("its own origin: %v", err)
	}
	wantCode(t, ask(named, w.private.URL+"/ok"), usher.ErrRefused, "not https")
	wantCode(t, ask(guard.NamedBy(context.Background()), w.private.URL+"/ok"), usher.ErrRefused, "not https")
	wantCode(t, ask(named, w.publicURL("/in")), usher.ErrRefused, "from https to http")
	if err := ask(guard.NamedBy(named, w.private.URL), w.private.URL+"/ok"); err != nil {
		t.Errorf("the origin that is named: %v", err)
	}
	if look := c.Connect(named, mustURL(w.private.URL), guard.Hello{}); look.Err == nil {
		t.Error("a look goes where a request does not")
	}
	// Naming gives no trust that was not there.
	before := w.atPrivate.Load()
	foreign := guard.New(guard.Options{Resolver: w.names})
	req, _ := http.NewRequestWithContext(guard.NamedBy(context.Background(), w.private.URL), http.MethodGet, w.private.URL+"/ok", nil)
	if resp, err := foreign.Do(req); err == nil {
		resp.Body.Close()
		t.Error("naming an origin makes it trusted")
	}
	if w.atPrivate.Load() != before {
		t.Error("the inner server was asked")
	}
}

func TestMayHaveCredentials(t *testing.T) {
	const issuer = "https://sso.example/realms/shop"
	for _, c := range []struct {
		issuer, published, endpoint string
		named                       []string
		words                       string // empty: it may
	}{
		{issuer, issuer, "https://sso.example/realms/shop/token", nil, ""},
		{issuer, issuer, "https://SSO.example:443/token", nil, ""},
		{issuer, issuer, "https://sso.example.evil.example/token", nil, "another origin"},
		{issuer, issuer, "https://sso.example:8443/token", nil, "another origin"},
		{issuer, issuer, "https://sso.example@evil.example/token", nil, "user name"},
		{issuer, issuer, "http://sso.example/token", nil, "not https"},
		{issuer, issuer, "https://oauth2.example/token", nil, "another origin"},
		{issuer, issuer, "https://oauth2.example/token", []string{"https://oauth2.example"}, ""},
		{issuer, issuer + "/", "https://sso.example/token", nil, "document is of the issuer"},
		{issuer, "https://evil.example", "https://sso.example/token", nil, "document is of the issuer"},
		{"", "", "https://sso.example/token", nil, "document is of the issuer"},
		{issuer, issuer, "", nil, "neither https nor http"},
		{issuer, issuer, "file:///etc/passwd", nil, "neither https nor http"},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080/token", nil, ""},
		{"http://keycloak.internal:8080", "http://keycloak.internal:8080", "http://keycloak.internal:8080/token", nil, "not https"},
	} {
		err := guard.MayHaveCredentials(c.issuer, c.published, c.endpoint, c.named...)
		if c.words == "" {
			if err != nil {
				t.Errorf("%s: %v", c.endpoint, err)
			}
			continue
		}
		wantCode(t, err, usher.ErrRefused, c.words)
	}
}

func TestConnect(t *testing.T) {
	w := newWorld(t)
	w.opt.Trusted = []string{w.private.URL}
	c := w.client()
	ctx := context.Background()

	look := c.Connect(ctx, mustURL(w.publicURL("/x")), guard.Hello{})
	if look.Err != nil || look.Stage != guard.StageDone || look.TLS == nil || look.TLS.Version != tls.VersionTLS13 || look.Chain != nil || len(look.Addresses) != 1 || look.Connected == 0 || look.Shaken == 0 {
		t.Errorf("public: %+v", look)
	}
	if look := c.Connect(ctx, mustURL(w.private.URL), guard.Hello{}); look.Err != nil || look.Stage != guard.StageDone || look.TLS != nil {
		t.Errorf("trusted, no TLS: %+v", look)
	}
	if n := w.atPublic.Load() + w.atPrivate.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}

	// The same rules as for a request hold.
	for _, u := range []string{"https://inside.example:" + port(w.private), "https://127.0.0.1:" + port(w.private), "https://[::ffff:7f00:1]:" + port(w.private), "http://public.example"} {
		look := c.Connect(ctx, mustURL(u), guard.Hello{})
		if look.Stage == guard.StageDone {
			t.Errorf("%s is connected to", u)
		}
		wantCode(t, look.Err, usher.ErrRefused, "")
	}
	look = c.Connect(ctx, mustURL("https://missing.example"), guard.Hello{})
	wantCode(t, look.Err, usher.ErrUnreachable, "does not resolve")
	if look.Stage != guard.StageResolve {
		t.Errorf("stage %s", look.Stage)
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	w.opt.Trusted = []string{closed.URL, "https://" + w.private.Listener.Addr().String()}
	c = w.client()
	look = c.Connect(ctx, mustURL(closed.URL), guard.Hello{})
	wantCode(t, look.Err, usher.ErrUnreachable, "refused the connection")
	if look.Stage != guard.StageConnect {
		t.Errorf("stage %s", look.Stage)
	}
	look = c.Connect(ctx, mustURL(w.opt.Trusted[1]), guard.Hello{})
	if look.Stage != guard.StageTLS || look.Err == nil {
		t.Errorf("no TLS behind it: %+v", look)
	}

	// A certificate that does not hold is told, not refused: nothing is sent.
	w.names.answers["other.test"] = [][]netip.Addr{addrs(publicIP)}
	look = c.Connect(ctx, mustURL("https://other.test:"+port(w.public)), guard.Hello{})
	var name x509.HostnameError
	if look.Err != nil || !errors.As(look.Chain, &name) {
		t.Errorf("%+v", look)
	}
	w.opt.Now = func() time.Time { return w.public.Certificate().NotAfter.Add(time.Hour) }
	var invalid x509.CertificateInvalidError
	if look := w.client().Connect(ctx, mustURL(w.publicURL("")), guard.Hello{}); !errors.As(look.Chain, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("%v", look.Chain)
	}
	look = c.Connect(ctx, mustURL(w.publicURL("")), guard.Hello{Min: tls.VersionTLS11, Max: tls.VersionTLS11})
	if look.Stage != guard.StageTLS || look.TLS != nil {
		t.Errorf("TLS 1.1: %+v", look)
	}
	w.opt.Proxy = "http://proxy.example:3128"
	wantCode(t, w.client().Connect(ctx, mustURL(w.publicURL("")), guard.Hello{}).Err, usher.ErrRefused, "through a proxy")
}

// TestConnectEnds: a look at who takes connections and says nothing ends by
// itself.
func TestConnectEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	silent := "https://" + l.Addr().String()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	look := guard.New(guard.Options{Trusted: []string{silent}, Timeout: 100 * time.Millisecond}).Connect(ctx, mustURL(silent), guard.Hello{})
	if look.Stage != guard.StageTLS || ctx.Err() != nil {
		t.Errorf("%+v, %v", look, ctx.Err())
	}
	wantCode(t, look.Err, usher.ErrUnreachable, "in time")
}

func TestAlias(t *testing.T) {
	c := guard.New(guard.Options{Resolver: aliases{}})
	for host, want := range map[string]string{"app.example": "app.cloud.example", "same.example": "", "127.0.0.1": "", "gone.example": ""} {
		if got := c.Alias(context.Background(), host); got != want {
			t.Errorf("%s: %q", host, got)
		}
	}
	if got := guard.New(guard.Options{Resolver: &names{}}).Alias(context.Background(), "app.example"); got != "" {
		t.Errorf("a resolver that cannot tell: %q", got)
	}
}

type aliases struct{}

func (aliases) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) { return nil, nil }

func (aliases) LookupCNAME(_ context.Context, host string) (string, error) {
	switch host {
	case "app.example":
		return "app.cloud.example.", nil
	case "same.example":
		return "same.example.", nil
	}
	return "", errors.New("no such host")
}

func TestNotJSON(t *testing.T) {
	for kind, want := range map[string]struct {
		why  string
		page bool
	}{
		"application/json": {}, "application/json; charset=utf-8": {}, "application/jwk-set+json": {}, "Application/JSON": {},
		"": {"no content type", false}, "text/html": {"a page", true}, "text/html; charset=utf-8": {"a page", true}, "application/xhtml+xml": {"a page", true},
		"text/plain": {"text/plain", false}, "image/svg+json": {"image/svg+json", false}, ";;": {"none", false}, "application/octet-stream": {"octet-stream", false},
	} {
		h := http.Header{}
		if kind != "" {
			h.Set("Content-Type", kind)
		}
		why, page := guard.NotJSON(h)
		if (why == "") != (want.why == "") || !strings.Contains(why, want.why) || page != want.page {
			t.Errorf("%q: %q, %v", kind, why, page)
		}
	}
}

// TestOptionsIsBare: a preflight carries nothing of ours and may go anywhere
// that a GET may.
func TestOptionsIsBare(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	req, _ := http.NewRequest(http.MethodOptions, w.publicURL("/ok"), nil)
	resp, err := c.Once(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	req, _ = http.NewRequest(http.MethodOptions, w.publicURL("/ok"), strings.NewReader("client_secret=s3cr3t"))
	_, err = c.Once(req)
	wantCode(t, err, usher.ErrRefused, "a body")
	req, _ = http.NewRequest(http.MethodOptions, "https://inside.example:"+port(w.private)+"/ok", nil)
	_, err = c.Once(req)
	wantCode(t, err, usher.ErrRefused, "may not be asked")
}

func mustURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}
