package live_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/live"
	"usher/guard"
)

// provider is a small provider whose documents a test may change.
type provider struct {
	*httptest.Server
	mux    *http.ServeMux
	issuer string
	doc    map[string]any
	mu     sync.Mutex
	asked  []string
}

func newProvider(t testing.TB, path string, secure bool) *provider {
	p := &provider{mux: http.NewServeMux()}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r.Method+" "+r.URL.Path)
		p.mu.Unlock()
		p.mux.ServeHTTP(w, r)
	}))
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure {
		p.StartTLS()
	} else {
		p.Start()
	}
	t.Cleanup(p.Close)
	p.issuer = p.URL + path
	p.doc = map[string]any{
		"issuer": p.issuer, "authorization_endpoint": p.issuer + "/auth", "token_endpoint": p.issuer + "/token",
		"jwks_uri": p.issuer + "/keys", "response_types_supported": []string{"code"},
	}
	p.mux.HandleFunc(path+"/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, p.doc) })
	p.mux.HandleFunc(path+"/keys", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{"keys": []any{map[string]any{
			"kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "alg": "ES256",
			"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
		}}})
	})
	p.mux.HandleFunc(path+"/auth", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Frame-Options", "DENY")
		_, _ = io.WriteString(w, "<title>Sign in</title>")
	})
	return p
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// client trusts the provider and its certificate.
func (p *provider) client(t testing.TB, more ...string) *guard.Client {
	opt := guard.Options{Trusted: append([]string{p.URL}, more...), Timeout: 8 * time.Second}
	if cert := p.Certificate(); cert != nil {
		opt.CAFile = filepath.Join(t.TempDir(), "ca.pem")
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
		if err := os.WriteFile(opt.CAFile, block, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := guard.New(opt)
	if err := c.Err(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.HTTP().CloseIdleConnections)
	return c
}

func gather(t testing.TB, c *guard.Client, opt live.Options) *check.Target {
	t.Helper()
	target := &check.Target{}
	if err := live.Gather(context.Background(), c, target, opt); err != nil {
		t.Fatal(err)
	}
	return target
}

func answer(t testing.TB, target *check.Target, role string) *check.Answer {
	t.Helper()
	var found *check.Answer
	for _, a := range target.Answers {
		if a.Role == role {
			if found != nil {
				t.Fatalf("two answers of %s", role)
			}
			found = a
		}
	}
	if found == nil {
		t.Fatalf("no answer of %s", role)
	}
	return found
}

func TestGather(t *testing.T) {
	for _, path := range []string{"", "/realms/shop"} {
		for _, secure := range []bool{false, true} {
			p := newProvider(t, path, secure)
			target := gather(t, p.client(t), live.Options{Issuer: p.issuer, ClientID: "web", RedirectURI: p.URL + "/cb"})
			if len(target.Metadata) != 1 || target.Metadata[0].Issuer != p.issuer || target.Issuer != p.issuer {
				t.Fatalf("%q: metadata %v", path, target.Metadata)
			}
			if len(target.KeySets) != 1 || len(target.KeySets[0].Keys) != 1 || target.KeySets[0].Answer == nil {
				t.Fatalf("%q: keys %v", path, target.KeySets)
			}
			if a := answer(t, target, "discovery"); a.Status != 200 || a.Err != "" || a.Defect != "" || a.Header.Get("Date") == "" || !target.Has(check.NeedNetwork) {
				t.Errorf("%q: discovery %+v", path, a)
			}
			if a := answer(t, target, "authorization"); a.Header.Get("X-Frame-Options") != "DENY" || !strings.Contains(a.Body, "Sign in") {
				t.Errorf("%q: page %+v", path, a)
			}
			if a := answer(t, target, "callback"); a.Status != 404 {
				t.Errorf("%q: callback %+v", path, a)
			}
			others := 0
			for _, a := range target.Answers {
				if a.Role == "discovery-form" {
					others++
					if a.Status != 404 {
						t.Errorf("%q: %+v", path, a)
					}
				}
			}
			if want := map[string]int{"": 1, "/realms/shop": 2}[path]; others != want {
				t.Errorf("%q: %d other forms, want %d", path, others, want)
			}
			if len(target.Hosts) != 1 {
				t.Fatalf("%q: hosts %v", path, target.Hosts)
			}
			h := target.Hosts[0]
			if h.Stage != guard.StageDone || h.Err != "" || h.Connected == 0 || !slices.Equal(h.Roles, []string{"callback", "endpoint", "issuer"}) {
				t.Errorf("%q: host %+v", path, h)
			}
			if secure && (h.Version != tls.VersionTLS13 || !h.OldTried || h.Old != nil || !h.WeakTried || h.ChainErr != "" || h.NotAfter.IsZero() || h.Shaken == 0) {
				t.Errorf("%q: TLS %+v", path, h)
			}
		}
	}
}

// BenchmarkGather is a live look at a provider on loopback, over TLS and with
// nothing kept from the look before: what usher check ISSUER waits for. It is
// to stay below 300 ms.
func BenchmarkGather(b *testing.B) {
	p := newProvider(b, "/realms/shop", true)
	for b.Loop() {
		c := p.client(b)
		target := gather(b, c, live.Options{Issuer: p.issuer, ClientID: "web", RedirectURI: p.URL + "/cb"})
		if len(target.KeySets) != 1 || len(target.Hosts) != 1 {
			b.Fatal("half of it was not looked at")
		}
		c.HTTP().CloseIdleConnections()
	}
}

// TestOldAndWeak: a server that speaks what nobody should is seen, and so is a
// certificate that does not hold.
func TestOldAndWeak(t *testing.T) {
	p := newProvider(t, "", true)
	p.TLS.MinVersion = tls.VersionTLS10
	p.TLS.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	c := guard.New(guard.Options{Trusted: []string{p.URL}})
	target := gather(t, c, live.Options{Issuer: p.issuer})
	h := target.Hosts[0]
	if !slices.Equal(h.Old, []uint16{tls.VersionTLS11, tls.VersionTLS10}) || !slices.Equal(h.Weak, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}) {
		t.Errorf("old %v, weak %v", h.Old, h.Weak)
	}
	if !strings.Contains(h.ChainErr, "authority is not known") || h.Stage != guard.StageDone || h.NotAfter.IsZero() {
		t.Errorf("%+v", h)
	}
	if a := answer(t, target, "discovery"); a.Status != 0 || a.Code != usher.ErrUnreachable || !strings.Contains(a.Err, "certificate of an authority") {
		t.Errorf("%+v", a)
	}
}

// TestForms: where a document stands under one of its addresses only, it is found.
func TestForms(t *testing.T) {
	for _, form := range []string{
		"/realms/shop/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/realms/shop", "/.well-known/openid-configuration/realms/shop",
	} {
		mux := http.NewServeMux()
		s := httptest.NewServer(mux)
		mux.HandleFunc(form, func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, map[string]any{"issuer": s.URL + "/realms/shop"})
		})
		target := gather(t, guard.New(guard.Options{Trusted: []string{s.URL}}), live.Options{Issuer: s.URL + form})
		if target.Issuer != s.URL+"/realms/shop" {
			t.Errorf("%s: issuer %q", form, target.Issuer)
		}
		if a := answer(t, target, "discovery"); a.Status != 200 || a.URL != s.URL+form {
			t.Errorf("%s: %+v", form, a)
		}
		s.Close()
	}
}

func TestWellKnown(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://a":        "https://a/.well-known/openid-configuration https://a/.well-known/oauth-authorization-server",
		"https://a/":       "https://a/.well-known/openid-configuration https://a/.well-known/oauth-authorization-server",
		"https://a:8/t/v2": "https://a:8/t/v2/.well-known/openid-configuration https://a:8/.well-known/oauth-authorization-server/t/v2 https://a:8/.well-known/openid-configuration/t/v2",
		"https://a/t/":     "https://a/t/.well-known/openid-configuration https://a/.well-known/oauth-authorization-server/t https://a/.well-known/openid-configuration/t",
	} {
		if got := strings.Join(live.WellKnown(issuer), " "); got != want {
			t.Errorf("%s: %s", issuer, got)
		}
		for _, address := range live.WellKnown(issuer) {
			if got := live.IssuerOf(address); got != strings.TrimSuffix(issuer, "/") {
				t.Errorf("%s: issuer %s", address, got)
			}
		}
	}
}

// TestNotADocument: what answers and is no metadata is told apart.
func TestNotADocument(t *testing.T) {
	serve := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, c := range map[string]struct {
		h      http.HandlerFunc
		defect string
		code   string
		read   bool
	}{
		"a page":            {serve("text/html; charset=utf-8", `{"issuer":"x"}`), "is text/html, a page", usher.ErrUnreadable, false},
		"no JSON":           {serve("application/json", "hello"), "no JSON object", usher.ErrUnreadable, false},
		"not metadata":      {serve("application/json", "{}"), "no issuer", usher.ErrUnreadable, false},
		"another type":      {serve("text/plain", `{"issuer":"x"}`), "is told to be text/plain", usher.ErrUnreadable, true},
		"no type":           {serve("", `{"issuer":"x"}`), "has no content type", usher.ErrUnreadable, true},
		"a deep nest":       {serve("application/json", strings.Repeat("[", 200<<10)), "no JSON object", usher.ErrUnreadable, false},
		"a large document":  {serve("application/json", `{"issuer":"`+strings.Repeat("x", 300<<10)+`"}`), "larger than 256 KiB", usher.ErrTooLarge, false},
		"a page that fails": {http.NotFound, "", "", false},
	} {
		s := httptest.NewServer(c.h)
		target := gather(t, guard.New(guard.Options{Trusted: []string{s.URL}}), live.Options{Issuer: s.URL})
		a := answer(t, target, "discovery")
		if !strings.Contains(a.Defect, c.defect) || a.Code != c.code || (len(target.Metadata) == 1) != c.read || a.Err != "" {
			t.Errorf("%s: %+v, %d documents", name, a, len(target.Metadata))
		}
		s.Close()
	}
}

func TestNoNetwork(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	issuer := "http://" + l.Addr().String() + "/realms/shop"
	target := gather(t, guard.New(guard.Options{Trusted: []string{issuer}}), live.Options{Issuer: issuer, ClientID: "web"})
	a := answer(t, target, "discovery")
	if a.Code != usher.ErrUnreachable || !strings.Contains(a.Err, "refused the connection") || a.Status != 0 || len(target.Metadata) != 0 {
		t.Errorf("%+v", a)
	}
	if h := target.Hosts[0]; h.Stage != guard.StageConnect || h.Err == "" || h.Code != usher.ErrUnreachable {
		t.Errorf("%+v", h)
	}
}

// nameless is a name server that is away, or that knows nobody.
type nameless struct{ knows bool }

func (n nameless) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: !n.knows, IsNotFound: n.knows}
}

// TestNoNameServer: that no name server answers is told apart from a name that
// there is not.
func TestNoNameServer(t *testing.T) {
	for _, n := range []nameless{{false}, {true}} {
		const issuer = "https://sso.example/realms/shop"
		target := gather(t, guard.New(guard.Options{Trusted: []string{issuer}, Resolver: n}), live.Options{Issuer: issuer})
		if a := answer(t, target, "discovery"); a.NoNetwork == n.knows || a.Code != usher.ErrUnreachable {
			t.Errorf("%+v: %+v", n, a)
		}
	}
}

func TestResourceAndClient(t *testing.T) {
	p := newProvider(t, "", false)
	p.mux.HandleFunc("/orders", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Www-Authenticate", `Bearer resource_metadata="`+p.URL+`/meta"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	meta := func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{"resource": p.URL + "/orders", "authorization_servers": []string{p.issuer}, "scopes_supported": []string{"orders"}})
	}
	p.mux.HandleFunc("/meta", meta)
	p.mux.HandleFunc("/client.json", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{"client_id": p.URL + "/client.json"})
	})
	c := p.client(t)
	target := gather(t, c, live.Options{Resource: p.URL + "/orders", ClientID: p.URL + "/client.json"})
	if len(target.Resources) != 1 || target.Resources[0].Resource != p.URL+"/orders" || target.Resources[0].Place != p.URL+"/meta" || target.Resources[0].Scopes[0] != "orders" {
		t.Errorf("%+v", target.Resources)
	}
	if len(target.APICalls) != 1 || len(target.APICalls[0].Challenges) != 1 || !target.Has(check.NeedAPIResponse) {
		t.Errorf("%+v", target.APICalls)
	}
	if len(target.Documents) != 1 || target.Documents[0].Raw["client_id"] == nil || target.Documents[0].Size == 0 {
		t.Errorf("%+v", target.Documents)
	}
	p.mux.HandleFunc("/.well-known/oauth-protected-resource/items", meta)
	target = gather(t, c, live.Options{Resource: p.URL + "/items"})
	if len(target.Resources) != 1 || target.Resources[0].URL != p.URL+"/items" {
		t.Errorf("%+v", target.Resources)
	}
}

func TestBadOptions(t *testing.T) {
	for _, opt := range []live.Options{{Issuer: "login.example"}, {Issuer: "ftp://a"}, {Issuer: "https://u:p@a"}, {Resource: "orders"}} {
		err := live.Gather(context.Background(), guard.New(guard.Options{}), &check.Target{}, opt)
		if err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%+v: %v", opt, err)
		}
	}
}

// TestSignInPage: the page is got as a browser gets it, with the cookies that
// lead from one to the next; nothing goes to the client, and no value is shown.
func TestSignInPage(t *testing.T) {
	p := newProvider(t, "", false)
	step := func(path, cookie, to, body string) {
		p.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if c, err := r.Cookie("s"); cookie != "" && (err != nil || c.Value != cookie) {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			http.SetCookie(w, &http.Cookie{Name: "s", Value: "c00kie-s3cr3t", HttpOnly: true, SameSite: http.SameSiteLaxMode})
			if to != "" {
				http.Redirect(w, r, to, http.StatusFound)
				return
			}
			w.Header().Set("X-Frame-Options", "DENY")
			_, _ = io.WriteString(w, body)
		})
	}
	step("/start", "", "/page", "")
	step("/page", "c00kie-s3cr3t", "", "Sign in")
	step("/known", "", p.URL+"/cb?code=c0de-s3cr3t&state=x", "")
	step("/far", "", "https://elsewhere.example/login", "")
	for path, want := range map[string]struct {
		status   int
		body     string
		location string
	}{
		"/start": {200, "Sign in", ""}, "/known": {302, "", p.URL + "/cb?code=masked&state=x"}, "/far": {302, "", "https://elsewhere.example/login"},
	} {
		p.doc["authorization_endpoint"] = p.URL + path
		p.asked = nil
		target := gather(t, p.client(t), live.Options{Issuer: p.issuer, ClientID: "web", RedirectURI: p.URL + "/cb"})
		a := answer(t, target, "authorization")
		if a.Status != want.status || !strings.Contains(a.Body, want.body) || a.Header.Get("Location") != want.location {
			t.Errorf("%s: %+v", path, a)
		}
		said, _ := json.Marshal(target.Answers)
		if strings.Contains(string(said), "s3cr3t") || !strings.Contains(a.Header.Get("Set-Cookie"), "; HttpOnly; SameSite=Lax") {
			t.Errorf("%s: %s", path, said)
		}
		if n := len(slices.DeleteFunc(p.asked, func(a string) bool { return a != "GET /cb" })); n != 1 {
			t.Errorf("%s: the client's page was asked for %d times, want once, for its own sake", path, n)
		}
	}
}

// TestKeysOfAnotherType: keys that can be read are keys, whatever their type is
// told to be; a page is not.
func TestKeysOfAnotherType(t *testing.T) {
	for kind, good := range map[string]bool{"application/jwk-set+json": true, "text/plain": true, "application/octet-stream": true, "": true, "text/html": false} {
		p := newProvider(t, "", false)
		p.mux.HandleFunc("/k", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{kind}
			_, _ = io.WriteString(w, `{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`)
		})
		p.doc["jwks_uri"] = p.URL + "/k"
		target := gather(t, p.client(t), live.Options{Issuer: p.issuer})
		if a := answer(t, target, "jwks"); (a.Defect == "") != good || (len(target.KeySets) == 1) != good {
			t.Errorf("%s: %+v, %d key sets", kind, a, len(target.KeySets))
		}
	}
}

// TestManyHops: a page that leads on and on is an answer, too.
func TestManyHops(t *testing.T) {
	p := newProvider(t, "", false)
	p.mux.HandleFunc("/hop/{n}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/hop/"+r.PathValue("n")+"1", http.StatusFound)
	})
	p.doc["authorization_endpoint"] = p.URL + "/hop/1"
	if a := answer(t, gather(t, p.client(t), live.Options{Issuer: p.issuer, ClientID: "web"}), "authorization"); a.Status != http.StatusFound || a.URL != p.URL+"/hop/111" {
		t.Errorf("%+v", a)
	}
}

// TestOldNotTried: a host to which no second connection comes about has not
// refused old TLS.
func TestOldNotTried(t *testing.T) {
	p := newProvider(t, "", true)
	l, err := tls.Listen("tcp", "127.0.0.1:0", p.TLS)
	if err != nil {
		t.Fatal(err)
	}
	go func() { // takes one connection
		conn, err := l.Accept()
		_ = l.Close()
		if err == nil {
			_ = conn.(*tls.Conn).Handshake()
			_, _ = conn.Read(make([]byte, 1))
			_ = conn.Close()
		}
	}()
	p.doc["token_endpoint"] = "https://" + l.Addr().String() + "/token"
	own := "https://" + l.Addr().String()
	target := gather(t, p.client(t, own), live.Options{Issuer: p.issuer, Trust: []string{own}})
	for _, h := range target.Hosts {
		if h.Name == l.Addr().String() && (h.Version != tls.VersionTLS13 || h.OldTried || h.WeakTried) {
			t.Errorf("%+v", h)
		}
	}
	if len(target.Hosts) != 2 {
		t.Errorf("%d hosts", len(target.Hosts))
	}
}

// TestOutOfTime: a host that had no time to answer is not told to be out of reach.
func TestOutOfTime(t *testing.T) {
	p := newProvider(t, "", false)
	l, err := net.Listen("tcp", "127.0.0.1:0") // speaks no TLS, and nothing at all
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	own := "https://" + l.Addr().String()
	p.doc["token_endpoint"] = own + "/token"
	target := gather(t, p.client(t, own), live.Options{Issuer: p.issuer, Trust: []string{own}, Total: time.Second})
	for _, h := range target.Hosts {
		if h.Name == l.Addr().String() && (h.Stage != "" || !strings.Contains(h.Err, "time had run out")) {
			t.Errorf("%+v", h)
		}
	}
}

// FuzzWellKnown: every address of an issuer leads back to it.
func FuzzWellKnown(f *testing.F) {
	f.Add("https://sso.example/realms/shop")
	f.Add("https://sso.example")
	f.Add("https://sso.example/a%2Fb")
	f.Fuzz(func(t *testing.T, issuer string) {
		u, err := url.Parse(issuer)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Contains(issuer, ".well-known") {
			return
		}
		want := (&url.URL{Scheme: u.Scheme, Host: u.Host}).String() + strings.TrimSuffix(u.EscapedPath(), "/")
		for _, address := range live.WellKnown(issuer) {
			if got := live.IssuerOf(address); got != strings.TrimSpace(want) {
				t.Errorf("%q: %q gives %q, want %q", issuer, address, got, want)
			}
		}
	})
}

// TestTimes: one read and the whole end in the time that each may take.
func TestTimes(t *testing.T) {
	p := newProvider(t, "", false)
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	p.mux.HandleFunc("/silent", silent)
	p.mux.HandleFunc("/.well-known/oauth-authorization-server", silent)
	p.doc["jwks_uri"] = p.URL + "/silent"
	for name, opt := range map[string]live.Options{
		"one": {One: 500 * time.Millisecond}, "all": {Total: time.Second},
	} {
		opt.Issuer = p.issuer
		start := time.Now()
		target := gather(t, p.client(t), opt)
		if took := time.Since(start); took > live.DefaultOne { // what it takes when the bound is not kept
			t.Errorf("%s: took %s", name, took)
		}
		if a := answer(t, target, "jwks"); a.Code != usher.ErrUnreachable || len(target.Metadata) != 1 {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// TestLargePage: of a page no more is read than is looked at.
func TestLargePage(t *testing.T) {
	p := newProvider(t, "", false)
	p.mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) })
	p.doc["authorization_endpoint"] = p.URL + "/large"
	a := answer(t, gather(t, p.client(t), live.Options{Issuer: p.issuer, ClientID: "web"}), "authorization")
	if len(a.Body) != 64<<10 || a.Size > 64<<10+1 || a.Status != 200 {
		t.Errorf("%d of %d bytes", len(a.Body), a.Size)
	}
}

// TestOtherTrust: a provider's document chooses nothing at another place that
// the operator trusts, unless it was said to be the provider's own.
func TestOtherTrust(t *testing.T) {
	p, inner := newProvider(t, "", false), newProvider(t, "", false)
	p.doc["jwks_uri"] = inner.URL + "/keys"
	target := gather(t, p.client(t, inner.URL), live.Options{Issuer: p.issuer})
	if a := answer(t, target, "jwks"); a.Code != usher.ErrRefused || len(inner.asked) != 0 || len(target.KeySets) != 0 {
		t.Errorf("%+v after %v", a, inner.asked)
	}
	target = gather(t, p.client(t, inner.URL), live.Options{Issuer: p.issuer, Trust: []string{inner.URL}})
	if len(target.KeySets) != 1 {
		t.Errorf("what is the provider's own is not asked: %+v", answer(t, target, "jwks"))
	}
}
