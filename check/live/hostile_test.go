package live_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/all"
	"usher/check/live"
	"usher/guard"
	"usher/provider/knowledge"
)

// forbidden listens where no document may lead and counts who comes.
func forbidden(t *testing.T) (port string, came *atomic.Int32) {
	t.Helper()
	came = &atomic.Int32{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			_ = c.Close()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port, came
}

// packed is n zeros, packed as often as it is said.
func packed(n, times int) []byte {
	data := make([]byte, n)
	for range times {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(data)
		_ = z.Close()
		data = b.Bytes()
	}
	return data
}

// pour writes 50 MB without saying how much it will be.
func pour(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"keys":[`)
	chunk := bytes.Repeat([]byte(`{"kty":"RSA","kid":"x"},`), 1<<11)
	for written := 0; written < 50<<20; written += len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// drip writes a byte a second.
func drip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for range 60 {
		if _, err := io.WriteString(w, "{"); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func bomb(encoding string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", encoding)
		_, _ = w.Write(body)
	}
}

// TestHostile: a hostile provider costs little time and memory, leads nowhere,
// and is told.
func TestHostile(t *testing.T) {
	port, came := forbidden(t)
	once, twice := packed(8<<20, 1), packed(8<<20, 2)
	to := func(address string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, address, http.StatusFound) }
	}
	const discovery, keys = "/.well-known/openid-configuration", "/keys"
	inside := "127.0.0.1:" + port
	for _, c := range []struct {
		name    string
		path    string // what is answered by h
		h       http.HandlerFunc
		jwks    string // jwks_uri, when it is another
		code    string
		words   string
		finding string // check that tells it
		slow    bool   // what bounds it is time
	}{
		{"50 MB of metadata", discovery, func(w http.ResponseWriter, _ *http.Request) { pour(w) }, "", usher.ErrTooLarge, "larger than", "discovery-reachable", false},
		{"50 MB of keys", keys, func(w http.ResponseWriter, _ *http.Request) { pour(w) }, "", usher.ErrTooLarge, "larger than", "jwks-reachable", false},
		{"50 MB of keys, said before", keys, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "52428800"); pour(w) }, "", usher.ErrTooLarge, "larger than", "jwks-reachable", false},
		{"a byte a second of metadata", discovery, drip, "", usher.ErrUnreachable, "", "discovery-reachable", true},
		{"a byte a second of keys", keys, drip, "", usher.ErrUnreachable, "", "jwks-reachable", true},
		{"a silent server", discovery, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "", usher.ErrUnreachable, "in time", "discovery-reachable", true},
		{"a bomb", keys, bomb("gzip", once), "", usher.ErrTooLarge, "larger than", "jwks-reachable", false},
		{"a bomb in a bomb", keys, bomb("gzip", twice), "", usher.ErrUnreadable, "no JSON", "jwks-reachable", false},
		{"a bomb packed twice", keys, bomb("gzip, gzip", twice), "", usher.ErrUnreadable, "not asked for", "jwks-reachable", false},
		{"brotli", keys, bomb("br", []byte("\x0b\x02\x80{}\x03")), "", usher.ErrUnreadable, "not asked for", "jwks-reachable", false},
		{"a page for metadata", discovery, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>Sign in") }, "", usher.ErrUnreadable, "a page", "discovery-reachable", false},
		{"headers without end", discovery, func(w http.ResponseWriter, _ *http.Request) {
			for i := range 100 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 2000))
			}
		}, "", usher.ErrTooLarge, "headers", "discovery-reachable", false},
		{"redirected to the metadata service", discovery, to("http://169.254.169.254/latest/meta-data/"), "", usher.ErrRefused, "169.254.169.254", "discovery-reachable", false},
		{"redirected to the metadata service by TLS", keys, to("https://169.254.169.254/latest/meta-data/"), "", usher.ErrRefused, "169.254.169.254", "jwks-reachable", false},
		{"redirected to loopback", keys, to("https://" + inside + "/"), "", usher.ErrRefused, "loopback", "jwks-reachable", false},
		{"redirected in circles", discovery, to(discovery), "", usher.ErrRefused, "one redirect too many", "discovery-reachable", false},
		{"keys at the metadata service", "", nil, "https://169.254.169.254/keys", usher.ErrRefused, "169.254.169.254", "jwks-reachable", false},
		{"keys at loopback", "", nil, "https://" + inside + "/keys", usher.ErrRefused, "loopback", "jwks-reachable", false},
		{"keys at loopback without TLS", "", nil, "http://" + inside + "/keys", usher.ErrRefused, "not https", "jwks-reachable", false},
		{"keys at a mapped address", "", nil, "https://[::ffff:127.0.0.1]:" + port + "/keys", usher.ErrRefused, "loopback", "jwks-reachable", false},
		{"keys behind NAT64", "", nil, "https://[64:ff9b::7f00:1]:" + port + "/keys", usher.ErrRefused, "written as IPv6", "jwks-reachable", false},
		{"keys in a file", "", nil, "file:///etc/passwd", usher.ErrRefused, "neither https nor http", "jwks-reachable", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, "/x", false)
			p.issuer = p.URL
			p.doc = map[string]any{
				"issuer": p.URL, "jwks_uri": p.URL + keys, "authorization_endpoint": "https://" + inside + "/auth", "token_endpoint": "http://" + inside + "/token",
				"introspection_endpoint": "https://169.254.169.254/i", "response_types_supported": []string{"code"},
			}
			if c.jwks != "" {
				p.doc["jwks_uri"] = c.jwks
			}
			mux := http.NewServeMux()
			if c.h != nil {
				mux.HandleFunc(c.path, c.h)
			}
			if c.path != discovery {
				mux.HandleFunc(discovery, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, p.doc) })
			}
			p.mux.Handle("/", mux)
			target := &check.Target{Provider: knowledge.Named("generic"), Profile: &check.Profile{Name: "default"}}
			opt := live.Options{Issuer: p.issuer, ClientID: "web"}
			if c.slow {
				opt.One = time.Second // the document itself must come within it
			}
			if err := live.Gather(context.Background(), p.client(t), target, opt); err != nil {
				t.Fatal(err)
			}
			role := map[string]string{"discovery-reachable": "discovery", "jwks-reachable": "jwks"}[c.finding]
			a := answer(t, target, role)
			if a.Code != c.code || !strings.Contains(a.Err+a.Defect, c.words) {
				t.Errorf("%s: %q, err %q, defect %q", role, a.Code, a.Err, a.Defect)
			}
			for _, h := range target.Hosts {
				if strings.Contains(h.Name, "169.254") && (h.Code != usher.ErrRefused || h.Stage == guard.StageDone) {
					t.Errorf("%+v", h)
				}
			}
			findings, _ := check.Run(target, all.Checks())
			i := slices.IndexFunc(findings, func(f usher.Finding) bool { return f.Check == c.finding && f.Outcome == usher.OutcomeWrong })
			if i < 0 {
				t.Errorf("%s does not say what is wrong", c.finding)
			}
		})
	}
	t.Cleanup(func() {
		if n := came.Load(); n != 0 {
			t.Errorf("%d connections went where none may go", n)
		}
	})
}

// TestNothingStays: when a look is over, nothing of it goes on.
func TestNothingStays(t *testing.T) {
	p := newProvider(t, "", true)
	p.mux.HandleFunc("/.well-known/oauth-authorization-server", drip)
	p.mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	p.doc["jwks_uri"] = p.URL + "/slow"
	c := p.client(t)
	before := runtime.NumGoroutine()
	gather(t, c, live.Options{Issuer: p.issuer, ClientID: "web", RedirectURI: p.URL + "/cb", One: 200 * time.Millisecond})
	c.HTTP().CloseIdleConnections()
	p.CloseClientConnections()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	stacks := make([]byte, 64<<10)
	t.Errorf("%d goroutines more:\n%s", runtime.NumGoroutine()-before, stacks[:runtime.Stack(stacks, true)])
}

// TestHostileCost: all at once and in the worst order it costs at most 10 s and
// 64 MB.
func TestHostileCost(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED with -short: takes as long as a hostile provider may take")
	}
	port, came := forbidden(t)
	p := newProvider(t, "/x", false)
	twice := packed(16<<20, 1)
	doc := map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/auth"}
	for i := range 2000 {
		doc[fmt.Sprintf("x%d_endpoint", i)] = fmt.Sprintf("https://127.0.0.%d:%s/x", i%250+1, port)
	}
	p.mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, doc) })
	p.mux.HandleFunc("/.well-known/oauth-authorization-server", drip)
	p.mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { pour(w) })
	p.mux.HandleFunc("/auth", bomb("gzip", twice))
	p.mux.HandleFunc("/orders", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Www-Authenticate", `Bearer resource_metadata="http://169.254.169.254/latest"`)
		w.WriteHeader(401)
	})
	p.mux.HandleFunc("/.well-known/oauth-protected-resource/orders", func(w http.ResponseWriter, _ *http.Request) { pour(w) })
	p.mux.HandleFunc("/.well-known/oauth-protected-resource", drip)

	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	done := make(chan struct{})
	var peak uint64
	go func() {
		defer close(done)
		start := time.Now()
		target := gather(t, p.client(t), live.Options{Issuer: p.URL, ClientID: p.URL + "/client", Resource: p.URL + "/orders"})
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
		if len(target.Hosts) > 40 {
			t.Errorf("%d hosts were looked at", len(target.Hosts))
		}
		if a := answer(t, target, "jwks"); a.Code != usher.ErrTooLarge {
			t.Errorf("%+v", a)
		}
	}()
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		select {
		case <-done:
			tick.Stop()
			t.Logf("at most %d KB more", (max(peak, before.HeapAlloc)-before.HeapAlloc)>>10)
			if peak > before.HeapAlloc+64<<20 {
				t.Errorf("%d MB", (peak-before.HeapAlloc)>>20)
			}
			if n := came.Load(); n != 0 {
				t.Errorf("%d connections went where none may go", n)
			}
			return
		case <-tick.C:
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
		}
	}
}
