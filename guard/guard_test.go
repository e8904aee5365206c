package guard_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher"
	"usher/guard"
)

// TestMain sets a proxy in the environment that leads nowhere: whoever listens
// to it fails every test that names a host.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		_ = os.Setenv(name, "http://127.0.0.1:9")
	}
	os.Exit(m.Run())
}

// names is a name server that answers as it is told, one answer after the
// other, and keeps to the last.
type names struct {
	mu      sync.Mutex
	answers map[string][][]netip.Addr
	asked   map[string]int
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.answers[host]
	if list == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if n.asked == nil {
		n.asked = map[string]int{}
	}
	i := min(n.asked[host], len(list)-1)
	n.asked[host]++
	return list[i], nil
}

func addrs(texts ...string) (list []netip.Addr) {
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}

const publicIP = "127.0.0.2" // what the tests take for public

// world is a public https server and its opposite, each counting what reaches it.
type world struct {
	*testing.T
	opt     guard.Options
	public  *httptest.Server // https, at publicIP
	private *httptest.Server // http, at 127.0.0.1
	names   *names
	// Seen by the servers.
	atPublic, atPrivate atomic.Int32
	last                atomic.Pointer[http.Request]
	mux                 *http.ServeMux // of both
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, mux: http.NewServeMux(), names: &names{answers: map[string][][]netip.Addr{
		"public.example": {addrs(publicIP)}, "inside.example": {addrs("127.0.0.1")},
		"example.com": {addrs(publicIP)},
	}}}
	serve := func(count *atomic.Int32) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			count.Add(1)
			w.last.Store(r.Clone(context.Background()))
			w.mux.ServeHTTP(rw, r)
		})
	}
	w.mux.HandleFunc("/ok", func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "ok") })
	w.public = httptest.NewUnstartedServer(serve(&w.atPublic))
	l, err := net.Listen("tcp", publicIP+":0")
	if err != nil {
		t.Skip("NOT TESTED: needs 127.0.0.2, which this system does not have: " + err.Error())
	}
	_ = w.public.Listener.Close()
	w.public.Listener = l
	w.public.Config.ErrorLog = log.New(io.Discard, "", 0)
	w.public.StartTLS()
	w.private = httptest.NewServer(serve(&w.atPrivate))
	t.Cleanup(func() { w.public.Close(); w.private.Close() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.public.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	w.opt = guard.Options{Resolver: w.names, CAFile: ca, Timeout: 5 * time.Second}
	return w
}

func (w *world) client() *guard.Client {
	c := guard.New(w.opt)
	if err := c.Err(); err != nil {
		w.Fatal(err)
	}
	guard.PretendPublic(c, netip.MustParseAddr(publicIP))
	w.Cleanup(c.HTTP().CloseIdleConnections)
	return c
}

func port(s *httptest.Server) string {
	u, _ := url.Parse(s.URL)
	return u.Port()
}

// publicURL is at the public server, by a name that its certificate has.
func (w *world) publicURL(path string) string { return "https://example.com:" + port(w.public) + path }

func get(t *testing.T, c *guard.Client, u string, change ...func(*http.Request)) (string, error) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(req)
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func wantCode(t *testing.T, err error, code, word string) {
	t.Helper()
	var told *usher.Error
	if !errors.As(err, &told) {
		t.Fatalf("got %v, want an usher.Error", err)
	}
	if told.Code != code || !strings.Contains(told.Error()+" "+told.Hint, word) {
		t.Errorf("got code %s, %q (%s); want %s with %q", told.Code, told.Error(), told.Hint, code, word)
	}
	for _, secret := range []string{"s3cr3t", "user:pass", "?"} {
		if strings.Contains(told.Error()+told.Hint, secret) {
			t.Errorf("%q shows %q", told.Error()+told.Hint, secret)
		}
	}
}

func bearer(req *http.Request) { req.Header.Set("Authorization", "Bearer s3cr3t") }

func TestPublicAndTrusted(t *testing.T) {
	w := newWorld(t)
	if body, err := get(t, w.client(), w.publicURL("/ok")); err != nil || body != "ok" {
		t.Errorf("public https: %q, %v", body, err)
	}
	w.opt.Trusted = []string{w.private.URL + "/realms/shop"}
	if body, err := get(t, w.client(), w.private.URL+"/ok", bearer); err != nil || body != "ok" {
		t.Errorf("trusted, inside, with a credential: %q, %v", body, err)
	}
	if got := w.last.Load().Header; got.Get("Authorization") != "Bearer s3cr3t" || got.Get("User-Agent") != "usher" {
		t.Errorf("header %v", got)
	}
}

func TestMayNotLeadInside(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	for _, host := range []string{
		"inside.example", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "0.0.0.0", "[::]",
	} {
		// The port is open, so that without the guard it would connect.
		_, err := get(t, c, "https://"+host+":"+port(w.private)+"/ok?token=s3cr3t")
		wantCode(t, err, usher.ErrRefused, "may not be asked")
	}
	if n := w.atPrivate.Load(); n != 0 {
		t.Errorf("%d requests went inside", n)
	}
}

func TestInside(t *testing.T) {
	for _, text := range []string{
		"127.0.0.1", "127.255.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
		"0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "192.0.0.192", "198.18.0.1", "192.0.2.1", "203.0.113.9",
		"168.63.129.16", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1", "2001::1", "2002:7f00:1::1",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
		"::ffff:0:127.0.0.1", "100::1", "5f00::1", "3fff::1", "4000::1", "e000::1",
		"192.88.99.1", "198.51.100.1", "2620:4f:8000::1", "2001:10::1", "2002:a9fe:a9fe::1", "2001:0:7f00:1::1",
		"2606:2800:220:1:0:5efe:7f00:1", "2606:2800:220:1:200:5efe:a9fe:a9fe", "64:ff9b:1:ffff::a9fe:a9fe",
	} {
		if guard.Inside(netip.MustParseAddr(text)) == "" {
			t.Errorf("%s passes for public", text)
		}
	}
	for _, text := range []string{"93.184.216.34", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:2800:220:1::1", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:2800:220:1:0:5efe:808:808"} {
		if why := guard.Inside(netip.MustParseAddr(text)); why != "" {
			t.Errorf("%s is refused: %s", text, why)
		}
	}
	if guard.Inside(netip.Addr{}) == "" {
		t.Error("no address passes")
	}
}

// TestRebinding: what counts is the address that is dialled, however often the
// name server changes its mind.
func TestRebinding(t *testing.T) {
	w := newWorld(t)
	w.names.answers["evil.example"] = [][]netip.Addr{addrs("127.0.0.1"), addrs(publicIP), addrs("127.0.0.1"), addrs("169.254.169.254", "127.0.0.1")}
	c := w.client()
	for range 4 {
		_, err := get(t, c, "https://evil.example:"+port(w.private)+"/ok")
		if err == nil {
			t.Error("answered")
		}
		c.HTTP().CloseIdleConnections()
	}
	if n := w.atPrivate.Load(); n != 0 {
		t.Errorf("%d requests went inside", n)
	}
}

func TestPinned(t *testing.T) {
	w := newWorld(t)
	other := httptest.NewUnstartedServer(http.NotFoundHandler())
	l, err := net.Listen("tcp", "127.0.0.3:"+port(w.private))
	if err != nil {
		t.Skip("NOT TESTED: needs 127.0.0.3, which this system does not have: ", err)
	}
	_ = other.Listener.Close()
	other.Listener = l
	other.Start()
	defer other.Close()

	t.Run("an inner address stays", func(t *testing.T) {
		w.names.answers["sso.internal"] = [][]netip.Addr{addrs("127.0.0.1"), addrs("127.0.0.3")}
		w.opt.Trusted = []string{"http://sso.internal:" + port(w.private)}
		c := w.client()
		for i := range 3 {
			if body, err := get(t, c, w.opt.Trusted[0]+"/ok", bearer); err != nil || body != "ok" {
				t.Fatalf("%d: %q, %v", i, body, err)
			}
			c.HTTP().CloseIdleConnections()
		}
		if n := w.names.asked["sso.internal"]; n != 1 {
			t.Errorf("looked up %d times", n)
		}
		c.Forget(w.opt.Trusted[0])
		if body, err := get(t, c, w.opt.Trusted[0]+"/ok"); err != nil || body == "ok" {
			t.Errorf("after Forget: %q, %v, want the new place", body, err)
		}
	})
	t.Run("an inner address does not move outside", func(t *testing.T) {
		now := time.Now()
		w.opt.Now = func() time.Time { return now }
		w.names.answers["sso.internal"] = [][]netip.Addr{addrs("127.0.0.1"), addrs(publicIP)}
		w.names.asked = nil
		c := w.client()
		for i := range 2 {
			if body, err := get(t, c, w.opt.Trusted[0]+"/ok", bearer); err != nil || body != "ok" {
				t.Fatalf("%d: %q, %v", i, body, err)
			}
			c.HTTP().CloseIdleConnections()
			now = now.Add(time.Hour)
		}
	})
	t.Run("a public name does not move inside", func(t *testing.T) {
		now := time.Now()
		w.opt.Now = func() time.Time { return now }
		w.names.answers["example.com"] = [][]netip.Addr{addrs(publicIP), addrs("127.0.0.3")}
		w.names.asked = nil
		w.opt.Trusted = []string{w.publicURL("")}
		c := w.client()
		for i := range 3 {
			if body, err := get(t, c, w.publicURL("/ok"), bearer); err != nil || body != "ok" {
				t.Fatalf("%d: %q, %v", i, body, err)
			}
			c.HTTP().CloseIdleConnections()
			now = now.Add(time.Hour)
		}
		if w.names.asked["example.com"] < 2 {
			t.Error("a public name is looked up once only")
		}
	})
}

func TestCredentialsStayHome(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	_, err := get(t, c, w.publicURL("/ok"), bearer)
	wantCode(t, err, usher.ErrRefused, "not configured")
	for _, name := range []string{
		"Authorization", "Proxy-Authorization", "Cookie", "DPoP", "X-Api-Key", "Api-Key", "X-Auth-Token",
		"X-Access-Token", "X-CSRF-Token", "X-Amz-Security-Token", "X-Vault-Token", "Private-Token",
	} {
		_, err = get(t, c, w.publicURL("/ok"), func(r *http.Request) { r.Header.Set(name, "s3cr3t") })
		wantCode(t, err, usher.ErrRefused, http.CanonicalHeaderKey(name))
	}
	_, err = get(t, c, w.publicURL("/ok"), func(r *http.Request) { r.URL.User = url.UserPassword("user", "pass") })
	wantCode(t, err, usher.ErrRefused, "not configured")
	req, _ := http.NewRequest(http.MethodPost, w.publicURL("/ok"), strings.NewReader("client_secret=s3cr3t"))
	_, err = c.Do(req)
	wantCode(t, err, usher.ErrRefused, "POST")
	_, err = get(t, c, w.publicURL("/ok"), func(r *http.Request) { r.Host = "elsewhere.example" })
	wantCode(t, err, usher.ErrRefused, "another host")
	if n := w.atPublic.Load(); n != 0 {
		t.Errorf("%d requests went out", n)
	}
}

func TestRedirects(t *testing.T) {
	w := newWorld(t)
	w.opt.Trusted = []string{w.private.URL}
	to := ""
	w.mux.HandleFunc("/away", func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, to, http.StatusTemporaryRedirect) })
	w.mux.HandleFunc("/loop", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "/loop?x="+r.URL.Query().Get("x")+"x", http.StatusFound)
	})
	w.mux.HandleFunc("/one", func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/ok", http.StatusFound) })
	c := w.client()

	to = w.publicURL("/ok")
	if body, err := get(t, c, w.private.URL+"/away?secret=s3cr3t"); err != nil || body != "ok" {
		t.Errorf("bare, to public: %q, %v", body, err)
	}
	if ref := w.last.Load().Referer(); ref != "" {
		t.Errorf("Referer %q went along", ref)
	}
	before := w.atPublic.Load()
	_, err := get(t, c, w.private.URL+"/away", bearer)
	wantCode(t, err, usher.ErrRefused, "would go along")
	req, _ := http.NewRequest(http.MethodPost, w.private.URL+"/away", strings.NewReader("client_secret=s3cr3t"))
	_, err = c.Do(req)
	wantCode(t, err, usher.ErrRefused, "would go along")
	_, err = get(t, c, w.private.URL+"/away", func(r *http.Request) { r.Header.Set("X-Api-Key", "s3cr3t") })
	wantCode(t, err, usher.ErrRefused, "would go along")
	if w.atPublic.Load() != before {
		t.Error("a credential followed a redirect")
	}

	if body, err := get(t, c, w.private.URL+"/one", bearer); err != nil || body != "ok" {
		t.Errorf("within the origin: %q, %v", body, err)
	}
	_, err = get(t, c, w.private.URL+"/loop")
	wantCode(t, err, usher.ErrRefused, "one redirect too many")
	if got := w.last.Load().URL.RawQuery; got != "x=xxx" {
		t.Errorf("the last of the loop was asked with %q, want three redirects", got)
	}

	inside := w.atPrivate.Load()
	to = "https://inside.example:" + port(w.private) + "/ok"
	_, err = get(t, c, w.publicURL("/away"))
	wantCode(t, err, usher.ErrRefused, "may not be asked")
	to = w.private.URL + "/ok"
	_, err = get(t, c, w.publicURL("/away"))
	wantCode(t, err, usher.ErrRefused, "from https to http")
	to = "file:///etc/passwd"
	_, err = get(t, c, w.publicURL("/away"))
	wantCode(t, err, usher.ErrRefused, "neither https nor http")
	if w.atPrivate.Load() != inside {
		t.Error("a redirect led inside")
	}
}

// TestRedirectIntoTrust: a foreign page may not choose what is asked at a
// configured origin.
func TestRedirectIntoTrust(t *testing.T) {
	w := newWorld(t)
	w.names.answers["www.example.com"] = [][]netip.Addr{addrs(publicIP)}
	w.opt.Trusted = []string{w.publicURL("")}
	w.mux.HandleFunc("/away", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, w.publicURL("/ok"), http.StatusFound)
	})
	c := w.client()
	_, err := get(t, c, "https://www.example.com:"+port(w.public)+"/away")
	wantCode(t, err, usher.ErrRefused, "leads to the configured")
	if w.last.Load() != nil && w.last.Load().URL.Path == "/ok" {
		t.Error("the configured origin was asked")
	}
}

func TestOnlyHTTPSUnlessTrusted(t *testing.T) {
	w := newWorld(t)
	_, err := get(t, w.client(), "http://public.example:"+port(w.public)+"/ok?code=s3cr3t")
	wantCode(t, err, usher.ErrRefused, "not https")
	_, err = get(t, w.client(), "gopher://public.example/")
	wantCode(t, err, usher.ErrRefused, "neither https nor http")
}

func TestBodyIsBounded(t *testing.T) {
	w := newWorld(t)
	w.opt.Trusted, w.opt.Body = []string{w.private.URL}, 1000
	w.mux.HandleFunc("/size", func(rw http.ResponseWriter, r *http.Request) {
		n := map[string]int{"fits": 1000, "big": 1001, "huge": 1 << 20}[r.URL.Query().Get("n")]
		rw.(http.Flusher).Flush() // no Content-Length
		_, _ = rw.Write(bytes.Repeat([]byte("x"), n))
	})
	w.mux.HandleFunc("/told", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(bytes.Repeat([]byte("x"), 1500)) })
	w.mux.HandleFunc("/bomb", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(rw)
		_, _ = z.Write(make([]byte, 1<<20))
		_ = z.Close()
	})
	c := w.client()
	if body, err := get(t, c, w.private.URL+"/size?n=fits"); err != nil || len(body) != 1000 {
		t.Errorf("fits: %d bytes, %v", len(body), err)
	}
	req, _ := http.NewRequest(http.MethodGet, w.private.URL+"/told", nil)
	if resp, err := c.Do(req); err == nil {
		resp.Body.Close()
		t.Error("a length that is told is not believed")
	}
	for _, path := range []string{"/size?n=big", "/size?n=huge", "/told", "/bomb"} {
		body, err := get(t, c, w.private.URL+path)
		wantCode(t, err, usher.ErrTooLarge, "larger than 1000 bytes")
		if len(body) > 1000 {
			t.Errorf("%s: %d bytes were given", path, len(body))
		}
	}
}

func TestTimeIsBounded(t *testing.T) {
	w := newWorld(t)
	w.opt.Trusted, w.opt.Timeout = []string{w.private.URL}, 100*time.Millisecond
	w.mux.HandleFunc("/slow", func(rw http.ResponseWriter, r *http.Request) {
		for range 50 { // drips, so that no single read is slow
			if _, err := io.WriteString(rw, "."); err != nil {
				return
			}
			rw.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	start := time.Now()
	if _, err := get(t, w.client(), w.private.URL+"/slow"); err == nil || time.Since(start) > 15*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestNoProxyOfTheEnvironmentAndNoCookies(t *testing.T) {
	w := newWorld(t)
	proxied := atomic.Int32{}
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		proxied.Add(1)
		_, _ = io.WriteString(rw, "proxy")
	}))
	defer proxy.Close()
	w.names.answers["sso.internal"] = [][]netip.Addr{addrs("127.0.0.1")}
	w.opt.Trusted = []string{"http://sso.internal:" + port(w.private)}
	w.mux.HandleFunc("/cookie", func(rw http.ResponseWriter, r *http.Request) {
		http.SetCookie(rw, &http.Cookie{Name: "a", Value: "b"})
		_, _ = io.WriteString(rw, r.Header.Get("Cookie"))
	})
	c := w.client()
	for range 2 {
		if body, err := get(t, c, w.opt.Trusted[0]+"/cookie"); err != nil || body != "" {
			t.Errorf("%q, %v", body, err)
		}
	}
	w.opt.Proxy = proxy.URL
	if body, err := get(t, w.client(), w.opt.Trusted[0]+"/ok"); err != nil || body != "proxy" {
		t.Errorf("the configured proxy: %q, %v", body, err)
	}
	_, err := get(t, w.client(), "https://inside.example/ok")
	wantCode(t, err, usher.ErrRefused, "may not be asked")
	if n := proxied.Load(); n != 1 {
		t.Errorf("the proxy saw %d requests", n)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	w := newWorld(t)
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = w.public.TLS.Clone()
	old.TLS.MinVersion, old.TLS.MaxVersion = 0x0301, 0x0302
	old.Config.ErrorLog = w.public.Config.ErrorLog
	old.StartTLS()
	defer old.Close()
	w.opt.Trusted = []string{old.URL}
	_, err := get(t, w.client(), old.URL)
	wantCode(t, err, usher.ErrUnreachable, "gave no answer")
}

func TestErrorsForAPerson(t *testing.T) {
	w := newWorld(t)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	w.opt.Trusted = []string{closed.URL, "http://missing.example", "https://" + w.private.Listener.Addr().String()}
	c := w.client()
	_, err := get(t, c, closed.URL+"/?secret=s3cr3t")
	wantCode(t, err, usher.ErrUnreachable, "refused the connection")
	_, err = get(t, c, "http://missing.example/?secret=s3cr3t")
	wantCode(t, err, usher.ErrUnreachable, "does not resolve")
	_, err = get(t, c, w.opt.Trusted[2]+"/?secret=s3cr3t")
	wantCode(t, err, usher.ErrUnreachable, "does not speak TLS")
	w.opt.CAFile = ""
	_, err = get(t, w.client(), w.publicURL("/ok?x=s3cr3t"))
	wantCode(t, err, usher.ErrUnreachable, "authority that is not known")
	w.opt.CAFile = filepath.Join(t.TempDir(), "none.pem")
	_, err = get(t, guard.New(w.opt), w.publicURL("/ok?x=s3cr3t"))
	wantCode(t, err, usher.ErrUnreadable, "certificate authorities")
}

func TestBadOptions(t *testing.T) {
	for _, opt := range []guard.Options{
		{Trusted: []string{"ftp://a"}}, {Trusted: []string{"https://"}}, {Trusted: []string{"https://user:pass@a"}}, {Trusted: []string{"sso.example"}}, {Proxy: "proxy:3128"},
	} {
		c := guard.New(opt)
		wantCode(t, c.Err(), usher.ErrUsage, "")
		_, err := get(t, c, "https://public.example/")
		wantCode(t, err, usher.ErrUsage, "")
	}
}

// TestCAFileIsReadBefore: what cannot be read is the operator's file, not the
// other side's fault, and is told before anything is sent.
func TestCAFileIsReadBefore(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, words := range map[string]string{filepath.Join(dir, "none.pem"): "cannot be read", empty: "holds no certificate", dir: "cannot be read"} {
		wantCode(t, guard.New(guard.Options{CAFile: file}).Err(), usher.ErrUnreadable, words)
	}
	if err := guard.New(guard.Options{}).Err(); err != nil {
		t.Error(err)
	}
}

// FuzzInside: whatever the form, an address that holds a private IPv4 address
// in its end is refused when the IPv4 address is.
func FuzzInside(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1})
	f.Add([]byte{8, 8, 8, 8})
	f.Add(netip.MustParseAddr("64:ff9b::7f00:1").AsSlice())
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, ok := netip.AddrFromSlice(raw)
		if !ok {
			return
		}
		public := guard.Inside(a) == ""
		if public && (a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified()) {
			t.Errorf("%s passes", a)
		}
		if a.Is4() {
			b := a.As4()
			for _, head := range [][]byte{append(make([]byte, 10), 0xff, 0xff), {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}} {
				in6, _ := netip.AddrFromSlice(append(head, b[:]...))
				if (guard.Inside(in6) == "") != public {
					t.Errorf("%s is judged otherwise than %s", in6, a)
				}
			}
		}
	})
}
