package connect_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"usher"
	"usher/broker"
	"usher/broker/connect"
	"usher/broker/grant"
	"usher/broker/memory"
	"usher/guard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sealer seals as package seal does: the purpose is bound.
type sealer struct{ gcm cipher.AEAD }

func newSealer() sealer {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, _ := aes.NewCipher(key)
	gcm, _ := cipher.NewGCM(block)
	return sealer{gcm}
}

func (s sealer) Seal(_ context.Context, purpose string, plain []byte) ([]byte, error) {
	nonce := make([]byte, 12)
	_, _ = rand.Read(nonce)
	return s.gcm.Seal(nonce, nonce, plain, []byte(purpose)), nil
}

func (s sealer) Open(_ context.Context, purpose string, sealed []byte) ([]byte, error) {
	return s.gcm.Open(nil, sealed[:12], sealed[12:], []byte(purpose))
}

// keeper is a broker that only keeps.
type keeper struct {
	mu      sync.Mutex
	views   map[string]broker.View
	keys    broker.Keys
	answers map[string][]*grant.Answer
	err     error
	now     func() time.Time
}

func (k *keeper) Get(_ context.Context, id string) (broker.View, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.views[id]
	if !ok {
		return broker.View{}, broker.ErrNotFound
	}
	return v, nil
}

func (k *keeper) Open(ctx context.Context, id string) (broker.Config, broker.Keys, error) {
	v, err := k.Get(ctx, id)
	return v.Config, k.keys, err
}

func (k *keeper) Connected(_ context.Context, id string, a *grant.Answer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return k.err
	}
	k.answers[id] = append(k.answers[id], a)
	v := k.views[id]
	v.Status.State, v.Status.User, v.Status.Connected, v.Status.Trouble = broker.StateAlive, a.User, k.now(), nil
	k.views[id] = v
	return nil
}

func (k *keeper) change(id string, f func(*broker.View)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v := k.views[id]
	f(&v)
	k.views[id] = v
}

func (k *keeper) stored(id string) []*grant.Answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.answers[id])
}

// counting counts what is written.
type counting struct {
	*memory.Store
	mu    sync.Mutex
	flows int
	took  int
}

func (c *counting) PutFlow(ctx context.Context, f broker.Flow) error {
	c.mu.Lock()
	c.flows++
	c.mu.Unlock()
	return c.Store.PutFlow(ctx, f)
}

func (c *counting) TakeFlow(ctx context.Context, hash string) (broker.Flow, error) {
	c.mu.Lock()
	c.took++
	c.mu.Unlock()
	return c.Store.TakeFlow(ctx, hash)
}

// world is a server of usher with a provider behind it and a clock of its own.
type world struct {
	t      *testing.T
	mu     sync.Mutex
	at     time.Time
	p      *provider
	k      *keeper
	store  *counting
	h      *connect.Handler
	srv    *httptest.Server
	events []usher.Event
	log    bytes.Buffer
	seen   bytes.Buffer // every page
	op     string       // operator; empty: nobody is signed in
}

func (w *world) now() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.at }
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, at: time.Now().Truncate(time.Second)}
	w.p = newProvider(t, w.now)
	w.store = &counting{Store: memory.New(w.now)}
	w.k = &keeper{views: map[string]broker.View{}, answers: map[string][]*grant.Answer{}, keys: broker.Keys{ClientSecret: theSecret}, now: w.now}
	w.add("shop-gateway", nil)
	g := guard.New(guard.Options{Trusted: []string{w.p.URL}, Timeout: 10 * time.Second})
	w.srv = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.h.ServeHTTP(rw, r) }))
	w.srv.Start()
	var err error
	w.h, err = connect.New(connect.Options{
		Broker: w.k, Store: w.store, Seal: newSealer(), Ask: grant.New(grant.Options{HTTP: g, Now: w.now}), HTTP: g, URL: w.srv.URL, Now: w.now,
		Log: slog.New(slog.NewTextHandler(w, nil)), Version: "test",
		Emit: func(_ context.Context, e usher.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
		Operator: func(*http.Request) (string, bool) { return w.op, w.op != "" },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.srv.Close()
		w.h.Close()
		w.p.Close()
		http.DefaultClient.CloseIdleConnections()
		g.HTTP().CloseIdleConnections()
	})
	return w
}

// add makes a connection to the provider.
func (w *world) add(id string, change func(*broker.Config)) {
	c := broker.Config{
		ID: id, Issuer: w.p.URL, Grant: broker.GrantCode, ClientID: "the-client", AuthMethod: "client_secret_basic", Scopes: []string{"openid", "orders"}, Owner: "payments team", Callers: []string{"shop"},
		Endpoints: broker.Endpoints{
			Token: w.p.URL + "/token", Authorization: w.p.URL + "/authorize", DeviceAuthorization: w.p.URL + "/device", Revocation: w.p.URL + "/revoke", JWKS: w.p.URL + "/keys", IssuerInResponse: true,
		},
	}
	if change != nil {
		change(&c)
	}
	w.k.mu.Lock()
	defer w.k.mu.Unlock()
	w.k.views[id] = broker.View{Config: c, Status: broker.Status{State: broker.StateNew}}
}

// browser is a person's browser: it keeps cookies and does not go on by itself.
type browser struct {
	w *world
	c *http.Client
}

func (w *world) browser() *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{w, &http.Client{
		Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type shown struct {
	status int
	text   string
	header http.Header
}

func (b *browser) do(method, address string, form url.Values, header ...string) shown {
	b.w.t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.w.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.w.srv.URL)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		if req.Header.Set(header[i], header[i+1]); header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	resp, err := b.c.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if strings.HasPrefix(address, b.w.srv.URL) {
		b.w.mu.Lock()
		b.w.seen.Write(text)
		b.w.mu.Unlock()
	}
	return shown{resp.StatusCode, string(text), resp.Header}
}

func (b *browser) get(address string) shown { return b.do(http.MethodGet, address, nil) }

// begin presses the button and gives the address at the provider.
func (b *browser) begin(id string) string {
	b.w.t.Helper()
	link, err := b.w.h.Link(context.Background(), id)
	if err != nil {
		b.w.t.Fatal(err)
	}
	u, _ := url.Parse(link)
	page := b.get(link)
	if page.status != 200 || !strings.Contains(page.text, "<form") {
		b.w.t.Fatalf("the page: %d\n%s", page.status, page.text)
	}
	s := b.do(http.MethodPost, b.w.srv.URL+"/connect/"+id, url.Values{"t": {u.Query().Get("t")}})
	at := onward(s.text)
	if s.status != 200 || at == "" {
		b.w.t.Fatalf("the button: %d\n%s", s.status, s.text)
	}
	return at
}

var refreshed = regexp.MustCompile(`<meta http-equiv="refresh" content="\d+;url=([^"]+)">`)

func onward(page string) string {
	m := refreshed.FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// agree goes to the provider and gives the address that it sends back to.
func (b *browser) agree(at string) string {
	b.w.t.Helper()
	s := b.get(at)
	back := s.header.Get("Location")
	if s.status != http.StatusFound || back == "" {
		b.w.t.Fatalf("the provider: %d %s", s.status, s.text)
	}
	return back
}

// with changes parameters of an address; an empty value takes one away.
func with(address string, pairs ...string) string {
	u, _ := url.Parse(address)
	q := u.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		if q.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func (w *world) emitted() []usher.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

// nothing holds that nobody was connected and that the code was not redeemed.
func (w *world) nothing(id string, requests int) {
	w.t.Helper()
	if got := w.k.stored(id); len(got) > 0 {
		w.t.Errorf("%s was connected", id)
	}
	if got := w.p.requests(); got != requests {
		w.t.Errorf("the token endpoint was asked %d times, want %d", got, requests)
	}
}

// keepsSecrets holds that no page, log or event has a secret in it.
func (w *world) keepsSecrets(more ...string) {
	w.t.Helper()
	w.mu.Lock()
	all := w.seen.String() + w.log.String() + fmt.Sprintf("%+v", w.events)
	w.mu.Unlock()
	w.p.mu.Lock()
	for code := range w.p.codes {
		more = append(more, code)
	}
	w.p.mu.Unlock()
	for _, answers := range w.k.answers {
		for _, a := range answers {
			more = append(more, a.Access.Reveal(), a.Refresh.Reveal(), a.ID.Reveal())
		}
	}
	for _, secret := range append(more, theSecret, "the-device-code") {
		if secret != "" && strings.Contains(all, secret) {
			w.t.Errorf("a page, the log or an event holds the secret %s", secret)
		}
	}
}

func TestConnect(t *testing.T) {
	w := newWorld(t)
	w.k.change("shop-gateway", func(v *broker.View) {
		v.Status.State, v.Status.Trouble = broker.StateWaiting, &broker.Trouble{Title: "the refresh token was revoked", Since: w.now(), Cause: "refresh-token-revoked"}
	})
	b := w.browser()
	link, err := w.h.Link(context.Background(), "shop-gateway")
	if err != nil {
		t.Fatal(err)
	}
	page := b.get(link)
	for _, want := range []string{"shop-gateway", "orders", "payments team", "the-client", "The refresh token was revoked.", "who you are there", ">shop<"[1:5], "Continue to 127.0.0.1"} {
		if !strings.Contains(page.text, want) {
			t.Errorf("the page does not say %q:\n%s", want, page.text)
		}
	}
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Frame-Options":         "DENY", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
	} {
		if got := page.header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if strings.Contains(page.text, "<script") || strings.Contains(page.text, "style=") {
		t.Error("the page has a script or an inline style")
	}
	at := b.begin("shop-gateway")
	q, _ := url.Parse(at)
	a := q.Query()
	if !strings.HasPrefix(at, w.p.URL+"/authorize?") || a.Get("code_challenge_method") != "S256" || len(a.Get("code_challenge")) != 43 || len(a.Get("nonce")) != 43 || a.Get("scope") != "openid orders" ||
		a.Get("response_type") != "code" || a.Get("client_id") != "the-client" || len(a.Get("state")) < 60 {
		t.Errorf("the request: %s", at)
	}
	c, _, _ := w.k.Open(context.Background(), "shop-gateway")
	if a.Get("redirect_uri") != w.h.RedirectURI(c) || !strings.HasPrefix(w.h.RedirectURI(c), w.srv.URL+"/connect/callback/127.0.0.1-") {
		t.Errorf("redirect URI %s", a.Get("redirect_uri"))
	}
	done := b.get(b.agree(at))
	if done.status != 200 || !strings.Contains(done.text, "Connected") || !strings.Contains(done.text, "ana@shop.example") || !strings.Contains(done.text, "renews it before it ends") {
		t.Errorf("%d\n%s", done.status, done.text)
	}
	got := w.k.stored("shop-gateway")
	if len(got) != 1 || got[0].User != "ana" || got[0].Refresh == "" || got[0].ExpiresIn != time.Hour {
		t.Errorf("stored: %+v", got)
	}
	if e := w.emitted(); len(e) > 0 {
		t.Errorf("events: %+v", e)
	}
	w.keepsSecrets()
}

// TestLink: who may open the page, and that opening it changes nothing.
func TestLink(t *testing.T) {
	w := newWorld(t)
	w.add("other", nil)
	ctx := context.Background()
	link, err := w.h.Link(ctx, "shop-gateway")
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(link)
	tok := u.Query().Get("t")
	parts := strings.Split(tok, ".")
	page := func(id, t string) string { return w.srv.URL + "/connect/" + id + "?t=" + url.QueryEscape(t) }
	b := w.browser()
	before := w.store.flows
	for range 5 {
		if s := b.get(link); s.status != 200 {
			t.Fatalf("%d %s", s.status, s.text)
		}
		if s := b.do(http.MethodHead, link, nil); s.status != 200 {
			t.Fatalf("HEAD: %d", s.status)
		}
	}
	if w.store.flows != before || w.store.took != 0 || len(w.emitted()) != 0 || w.p.requests() != 0 {
		t.Error("opening the page changes something")
	}
	if u, _ := url.Parse(w.srv.URL); len(b.c.Jar.Cookies(u)) > 0 {
		t.Error("opening the page sets a cookie")
	}
	for name, address := range map[string]string{
		"none": w.srv.URL + "/connect/shop-gateway", "empty": page("shop-gateway", ""), "another connection's": page("other", tok), "no such connection": page("nothing", tok),
		"cut": page("shop-gateway", tok[:len(tok)-1]), "another end": page("shop-gateway", tok[:len(tok)-4]+"AAAA"), "lengthened": page("shop-gateway", "zzzzzzz."+parts[1]+"."+parts[2]),
		"another nonce": page("shop-gateway", parts[0]+".X."+parts[2]), "more parts": page("shop-gateway", tok+".x"), "long": page("shop-gateway", strings.Repeat("a.", 1000)),
	} {
		s := b.get(address)
		if s.status != http.StatusForbidden || strings.Contains(s.text, "<form") || strings.Contains(s.text, "payments team") || !strings.Contains(s.text, "This page needs a link") {
			t.Errorf("%s: %d\n%s", name, s.status, s.text)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(address, w.srv.URL+"/connect/"), "?")
		if s := b.do(http.MethodPost, w.srv.URL+"/connect/"+id, url.Values{"t": {strings.TrimPrefix(address, page(id, ""))}}); s.status != http.StatusForbidden {
			t.Errorf("%s, the button: %d", name, s.status)
		}
	}
	w.pass(72*time.Hour + time.Second)
	if s := b.get(link); s.status != http.StatusForbidden || !strings.Contains(s.text, "no longer good") {
		t.Errorf("after three days: %d\n%s", s.status, s.text)
	}
	// A link is over when somebody has connected.
	link, _ = w.h.Link(ctx, "shop-gateway")
	if s := b.get(b.agree(b.begin("shop-gateway"))); s.status != 200 {
		t.Fatalf("%d\n%s", s.status, s.text)
	}
	if s := b.get(link); s.status != http.StatusForbidden {
		t.Errorf("after somebody has connected: %d\n%s", s.status, s.text)
	}
	// An operator needs none.
	w.op = "eve"
	if s := b.get(w.srv.URL + "/connect/shop-gateway"); s.status != 200 || !strings.Contains(s.text, "<form") {
		t.Errorf("an operator: %d\n%s", s.status, s.text)
	}
	if s := b.get(w.srv.URL + "/connect/nothing"); s.status != http.StatusNotFound {
		t.Errorf("an operator, no such connection: %d", s.status)
	}
	if w.store.flows != 1 {
		t.Errorf("%d flows were kept, want 1", w.store.flows)
	}
}

// TestForm: a flow is begun by the button of our own page and by nothing else.
func TestForm(t *testing.T) {
	w := newWorld(t)
	link, _ := w.h.Link(context.Background(), "shop-gateway")
	u, _ := url.Parse(link)
	form := url.Values{"t": {u.Query().Get("t")}}
	b := w.browser()
	for name, header := range map[string][]string{
		"another site":           {"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"},
		"another port":           {"Origin", "http://127.0.0.1:1", "Sec-Fetch-Site", "same-site"},
		"no word of it":          {"Origin", "", "Sec-Fetch-Site", ""},
		"null":                   {"Origin", "null", "Sec-Fetch-Site", ""},
		"null, same origin":      {"Origin", "null"},
		"ours, cross-site":       {"Sec-Fetch-Site", "cross-site"},
		"theirs, no fetch site":  {"Origin", "https://evil.example", "Sec-Fetch-Site", ""},
		"typed":                  {"Origin", "", "Sec-Fetch-Site", "none"},
		"JSON":                   {"Content-Type", "application/json"},
		"text":                   {"Content-Type", "text/plain"},
		"another name":           {"Host", "evil.example"},
		"another name, own site": {"Host", "evil.example", "Origin", "http://evil.example"},
	} {
		if s := b.do(http.MethodPost, w.srv.URL+"/connect/shop-gateway", form, header...); s.status/100 != 4 || onward(s.text) != "" {
			t.Errorf("%s: %d\n%s", name, s.status, s.text)
		}
	}
	if w.store.flows != 0 {
		t.Errorf("%d flows were begun", w.store.flows)
	}
	if s := b.do(http.MethodPost, w.srv.URL+"/connect/shop-gateway", url.Values{"t": {strings.Repeat("x", 100<<10)}}); s.status != http.StatusRequestEntityTooLarge {
		t.Errorf("100 KB: %d", s.status)
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"} {
		if s := b.do(method, link, nil); s.status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, s.status)
		}
	}
	// Nothing in the form says where to go.
	form.Set("next", "https://evil.example")
	form.Set("redirect_uri", "https://evil.example")
	s := b.do(http.MethodPost, w.srv.URL+"/connect/shop-gateway?next=https://evil.example&redirect_uri=https://evil.example", form)
	if at := onward(s.text); !strings.HasPrefix(at, w.p.URL+"/authorize?") || strings.Contains(s.text, "evil.example") {
		t.Errorf("%s", s.text)
	}
}
