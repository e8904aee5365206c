package console_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usher/console"
	"usher/console/consoletest"
)

const form = "application/x-www-form-urlencoded"

// TestHost holds the server to the names that lead to it: a foreign one is how
// a web page reaches into a network.
func TestHost(t *testing.T) {
	for _, listen := range []struct {
		listen, url string
		good, bad   []string
	}{
		{"127.0.0.1:5303", "", []string{"127.0.0.1:5303", "localhost", "LOCALHOST:80", "[::1]:5303", "127.0.0.9", "localhost."}, []string{"evil.example", "127.0.0.1.evil.example", "192.0.2.1", "localhost.evil.example", ""}},
		{"usher.corp:5303", "https://usher.example", []string{"usher.corp:5303", "usher.example", "127.0.0.1"}, []string{"corp", "evil.usher.example", "192.0.2.1"}},
		{"0.0.0.0:5303", "", []string{"192.0.2.1:5303", "[2001:db8::1]:5303"}, []string{"evil.example"}},
	} {
		s := startWith(t, func(o *console.Options) { o.Listen, o.URL = listen.listen, listen.url })
		host := func(name string) with { return func(r *http.Request) { r.Host = name } }
		for _, name := range listen.good {
			if got := s.do(t, "GET", "/healthz", "", host(name)); got.status != 200 {
				t.Errorf("listening on %s, %q is refused: %d", listen.listen, name, got.status)
			}
		}
		for _, name := range listen.bad {
			if name == "" {
				continue
			}
			if got := s.do(t, "GET", "/healthz", "", host(name)); got.status != 403 {
				t.Errorf("listening on %s, %q is let in: %d", listen.listen, name, got.status)
			}
		}
		if got := s.do(t, "GET", "/healthz", "", host("evil.example"), trusted); got.status != 200 {
			t.Errorf("the unix socket has no name to be wrong, and got %d", got.status)
		}
	}
}

// TestForeignPages holds every route that changes something against requests
// that a page of somebody else can make.
func TestForeignPages(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	session := withCookie(s.signIn(t))
	foreign := map[string][]with{
		"another site":             {header("Origin", "https://evil.example"), header("Sec-Fetch-Site", "cross-site")},
		"another port":             {header("Origin", "http://127.0.0.1:8080"), header("Sec-Fetch-Site", "same-site")},
		"another site, no fetch":   {header("Origin", "https://evil.example")},
		"another port, no fetch":   {header("Origin", "http://127.0.0.1:8080")},
		"a sandboxed frame":        {header("Origin", "null"), header("Sec-Fetch-Site", "cross-site")},
		"an origin of nobody":      {header("Origin", "null")},
		"a wrong origin, all else": {header("Origin", "https://evil.example"), header("Sec-Fetch-Site", "same-origin")},
		"neither header":           {},
	}
	for _, r := range console.Routes() {
		if r.Method == "GET" {
			continue
		}
		path := strings.NewReplacer("{id}", "1", "{key}", "k").Replace(r.Path)
		kind := form
		if r.API {
			kind = "application/json"
			if r.TakesType != "" {
				kind = r.TakesType
			}
		}
		for name, headers := range foreign {
			got := s.do(t, r.Method, path, "fix=1", append(headers, session, header("Content-Type", kind))...)
			if got.status != 403 {
				t.Errorf("%s %s from %s: status %d", r.Method, path, name, got.status)
			}
		}
	}
	if got := s.submit(t, "/cases/1/declare", url.Values{"fix": {"2"}}, session); got.status != http.StatusSeeOther {
		t.Errorf("a form of our own page is refused: %d %s", got.status, got.body)
	}
	// A browser without Sec-Fetch-Site, on plain http: the origin tells.
	if got := s.do(t, "POST", "/cases/1/declare", "fix=2", session, header("Origin", s.url), header("Content-Type", form)); got.status != http.StatusSeeOther {
		t.Errorf("a form of our own page is refused without Sec-Fetch-Site: %d", got.status)
	}
	// What is only read cannot be used from elsewhere either, but may be led to.
	for _, site := range []string{"cross-site", "same-site"} {
		if got := s.do(t, "GET", "/api/v1/cases", "", session, header("Sec-Fetch-Site", site), header("Sec-Fetch-Mode", "no-cors")); got.status != 403 {
			t.Errorf("a %s page reads cases: %d", site, got.status)
		}
		if got := s.do(t, "GET", "/cases/1", "", session, header("Sec-Fetch-Site", site), header("Sec-Fetch-Mode", "navigate")); got.status != 200 {
			t.Errorf("a %s link is refused: %d", site, got.status)
		}
	}
}

// TestContentType holds bodies to their form, which keeps a foreign form from
// being taken for JSON.
func TestContentType(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	session := withCookie(s.signIn(t))
	for _, r := range console.Routes() {
		if r.Method == "GET" || r.Method == "DELETE" {
			continue
		}
		path := strings.NewReplacer("{id}", "1", "{key}", "k").Replace(r.Path)
		for _, kind := range []string{"text/plain", "multipart/form-data; boundary=x", ""} {
			got := s.do(t, r.Method, path, `{"fix":"1"}`, s.own, session, header("Content-Type", kind))
			if got.status != http.StatusUnsupportedMediaType {
				t.Errorf("%s %s as %q: status %d", r.Method, path, kind, got.status)
			}
		}
	}
	if got := s.do(t, "POST", "/api/v1/cases/1/plan", "fix=1", s.own, session, header("Content-Type", form)); got.status != http.StatusUnsupportedMediaType {
		t.Errorf("a form is taken for JSON: %d", got.status)
	}
}

// TestHeaders names what every answer tells a browser to refuse.
func TestHeaders(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	session := withCookie(s.signIn(t))
	for _, path := range []string{"/", "/cases/1", "/signin", "/keys", "/nothing", "/api/v1/cases", "/healthz"} {
		got := s.do(t, "GET", path, "", session)
		for name, want := range map[string]string{
			"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got.header.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got.header.Get(name), want)
			}
		}
		policy := got.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "script-src 'self'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy lacks %s", path, want)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: the policy is loose: %s", path, policy)
		}
		for _, inline := range []string{"<script>", "<style", " style=", " onclick=", " onload=", "javascript:", "http://", "https://cdn"} {
			if inline == "http://" && strings.HasPrefix(path, "/cases") || strings.HasPrefix(path, "/api") {
				continue
			}
			if strings.Contains(strings.ReplaceAll(got.body, "http://www.w3.org", ""), inline) {
				t.Errorf("%s holds %s", path, inline)
			}
		}
	}
	css := s.do(t, "GET", "/assets/console.css", "")
	if css.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(css.header.Get("Content-Type"), "text/css") {
		t.Errorf("the style without its hash: %v", css.header)
	}
	page := s.do(t, "GET", "/signin", "").body
	at := page[strings.Index(page, `/assets/console.css?v=`):]
	at = at[:strings.Index(at, `"`)]
	if got := s.do(t, "GET", at, ""); !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
		t.Errorf("%s may not be kept: %v", at, got.header)
	}
}

// TestNobody holds every route that is not open against who is not signed in.
func TestNobody(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	s.signIn(t)
	before := len(s.memory.Kept())
	for _, r := range console.Routes() {
		if r.Open {
			continue
		}
		path := strings.NewReplacer("{id}", "1", "{key}", "k", "{$}", "").Replace(r.Path)
		kind := form
		if r.API {
			kind = "application/json"
			if r.TakesType != "" {
				kind = r.TakesType
			}
		}
		for name, as := range map[string]with{
			"nobody":               func(*http.Request) {},
			"a made-up session":    withCookie(&http.Cookie{Name: "usher_session", Value: "AAAA"}),
			"a made-up key":        header("Authorization", "Bearer usher_AAAA"),
			"an empty key":         header("Authorization", "Bearer "),
			"the socket's user":    header("Usher-User", "root"),
			"another kind of auth": header("Authorization", "Basic cm9vdDpyb290"),
		} {
			got := s.do(t, r.Method, path, `{}`, s.own, header("Content-Type", kind), as)
			want := got.status == 401 || !r.API && got.status == 303 && strings.HasPrefix(got.header.Get("Location"), "/signin")
			if !want {
				t.Errorf("%s %s as %s: status %d %s", r.Method, path, name, got.status, got.header.Get("Location"))
			}
			if strings.Contains(got.body, "shop") {
				t.Errorf("%s %s as %s tells something: %s", r.Method, path, name, got.body)
			}
		}
	}
	if got := s.do(t, "GET", "/metrics", ""); got.status != 401 {
		t.Errorf("the metrics are open: %d", got.status)
	}
	open := startWith(t, func(o *console.Options) { o.OpenMetrics = true })
	if got := open.do(t, "GET", "/metrics", ""); got.status != 200 || !strings.Contains(got.body, "usher_up 1") {
		t.Errorf("the opened metrics answer %d %s", got.status, got.body)
	}
	if s.memory.Applications() != 0 || len(s.memory.Kept()) != before {
		t.Error("nobody has changed something")
	}
}

// TestNotFound tells what is not there, and how it may be asked for.
func TestNotFound(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/nothing", 404, ""},
		{"GET", "/api/v1/nothing", 404, ""},
		{"DELETE", "/api/v1/cases", 405, "GET"},
		{"PUT", "/api/v1/keys", 405, "GET, POST"},
		{"GET", "/api/v1/cases/1/plan", 405, "POST"},
		{"GET", "/cases/0", 404, ""},
		{"GET", "/cases/x", 404, ""},
		{"GET", "/cases/77", 404, ""},
		{"GET", "/?show=odd", 404, ""},
		{"GET", "/assets/nothing.css", 404, ""},
		{"GET", "/assets/..%2fnew.go", 404, ""},
	} {
		got := s.do(t, c.method, c.path, "", trusted)
		if got.status != c.status || got.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, got.status, got.header.Get("Allow"), c.status, c.allow)
		}
		isJSON := strings.HasPrefix(got.header.Get("Content-Type"), "application/json")
		if isJSON != strings.HasPrefix(c.path, "/api/") {
			t.Errorf("%s %s: answered as %s", c.method, c.path, got.header.Get("Content-Type"))
		}
	}
}

// TestLargeBodies bounds what is read.
func TestLargeBodies(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	large := `{"fix":"` + strings.Repeat("x", 1<<20) + `"}`
	if got := s.do(t, "POST", "/api/v1/cases/1/plan", large, trusted, header("Content-Type", "application/json")); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of 1 MiB: %d", got.status)
	}
	if got := s.do(t, "POST", "/signin", "password="+strings.Repeat("x", 1<<20), s.own, header("Content-Type", form)); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a form of 1 MiB: %d", got.status)
	}
	if got := s.do(t, "POST", "/api/v1/events", strings.Repeat("{}\n", 4<<20), trusted, header("Content-Type", "application/x-ndjson")); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("12 MiB of events: %d", got.status)
	}
}

// TestCookie names what the cookie says of itself.
func TestCookie(t *testing.T) {
	s := start(t)
	c := s.signIn(t)
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure || c.Name != "usher_session" {
		t.Errorf("on loopback: %+v", c)
	}
	s = startWith(t, func(o *console.Options) { o.URL = "https://usher.example" })
	if c := s.signIn(t); !c.Secure || c.Name != "__Host-usher_session" || !c.HttpOnly || c.Domain != "" {
		t.Errorf("behind https: %+v", c)
	}
}

// TestStrangeLinks: a link from a mail comes without the cookie; the page asks
// for itself once more, and only once.
func TestStrangeLinks(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	s.signIn(t)
	got := s.do(t, "GET", "/cases/1", "", header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Mode", "navigate"))
	if got.status != 200 || !strings.Contains(got.body, `http-equiv="refresh"`) || strings.Contains(got.body, "shop") {
		t.Errorf("a link from elsewhere: %d %s", got.status, got.body)
	}
	got = s.do(t, "GET", "/cases/1", "", header("Sec-Fetch-Site", "same-origin"), header("Sec-Fetch-Mode", "navigate"))
	if got.status != 303 || got.header.Get("Location") != "/signin?next=%2Fcases%2F1" {
		t.Errorf("the second time: %d %s", got.status, got.header.Get("Location"))
	}
}

func TestOwnPath(t *testing.T) {
	for next, want := range map[string]string{
		"/cases/1": "/cases/1", "/?show=fixed": "/?show=fixed", "/cases/1?plan=a": "/cases/1?plan=a",
		"": "/", "//evil.example": "/", "https://evil.example": "/", `/\evil.example`: "/", "/\tevil": "/", "javascript:alert(1)": "/",
		"/signin?next=/x": "/", "\\\\evil": "/", "/\n/evil.example": "/", "cases": "/",
	} {
		if got := console.OwnPath(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}

// TestReadyReason: why the server cannot do its work is told to who is signed
// in; it names files.
func TestReadyReason(t *testing.T) {
	s := startWith(t, func(o *console.Options) {
		o.Ready = func(context.Context) error { return errors.New("read /var/log/kc.log: is a directory") }
	})
	for _, who := range []struct {
		name string
		with []with
		told bool
	}{{"anybody", nil, false}, {"the owner", []with{trusted}, true}} {
		got := s.do(t, "GET", "/readyz", "", who.with...)
		if got.status != 503 || strings.Contains(got.body, "kc.log: is a directory") != who.told {
			t.Errorf("%s: %d %s", who.name, got.status, got.body)
		}
	}
}
