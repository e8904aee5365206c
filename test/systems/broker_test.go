package systems_test

import (
	"context"
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

	"usher"
	"usher/broker"
	"usher/broker/connect"
	"usher/broker/grant"
	"usher/broker/memory"
	"usher/broker/preset"
	"usher/broker/seal"
	"usher/guard"
)

// brokered is a broker of three replicas with its connect pages, before a real
// provider.
type brokered struct {
	*testing.T
	ctx      context.Context
	replicas []*broker.Broker
	h        *connect.Handler
	url      string
	http     *guard.Client
	log      lockedBuffer

	mu     sync.Mutex
	events []usher.Event
	shown  strings.Builder // every page of usher that a person saw
	secret []string        // what no page, log and event may hold
}

// ring keeps the ring of data keys in the store, as serve does.
type ring struct{ store broker.Store }

func (r ring) Ring(ctx context.Context) (seal.Document, error) {
	blob, err := r.store.Blob(ctx, "seal", "ring")
	if err != nil {
		return seal.Document{}, nil
	}
	return seal.Document{Version: blob.Version, Body: blob.Body}, nil
}

func (r ring) PutRing(ctx context.Context, d seal.Document) error {
	return r.store.PutBlob(ctx, broker.Blob{Kind: "seal", Name: "ring", Version: d.Version, Body: d.Body})
}

// newBrokered starts the replicas before a provider at this address.
func newBrokered(t *testing.T, provider string) *brokered {
	t.Helper()
	b := &brokered{T: t}
	b.http = guard.New(guard.Options{Trusted: []string{provider}, Timeout: 90 * time.Second, Patience: 90 * time.Second, PerHost: 256})
	store := memory.New(time.Now)
	kms, err := seal.EnvKey("the test", seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	box := seal.New(kms, ring{store}, time.Now)
	asker := grant.New(grant.Options{HTTP: b.http})
	log := slog.New(slog.NewTextHandler(&b.log, nil))
	emit := func(_ context.Context, e usher.Event) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.events = append(b.events, e)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, ok := strings.CutPrefix(r.URL.Path, "/assets/"); ok && (name == "console.css" || name == "icon.svg") {
			http.ServeFile(w, r, "../../console/assets/"+name)
			return
		}
		b.h.ServeHTTP(w, r)
	}))
	b.url = "http://" + srv.Listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	b.ctx = ctx
	var running sync.WaitGroup
	for i := range 3 {
		r := broker.New(broker.Options{
			Store: store, Seal: box, Ask: asker, Emit: emit, Log: log, Holder: fmt.Sprintf("replica-%d", i), Poll: 100 * time.Millisecond,
			ConnectURL: func(id string) string { return b.h.Page(id) },
		})
		b.replicas = append(b.replicas, r)
		running.Go(func() { _ = r.Run(ctx) })
	}
	if b.h, err = connect.New(connect.Options{Broker: b.replicas[0], Store: store, Seal: box, Ask: asker, HTTP: b.http, URL: b.url, Emit: emit, Log: log, Version: "test"}); err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Close(); b.h.Close(); stop(); running.Wait(); b.http.HTTP().CloseIdleConnections() })
	return b
}

// add discovers an issuer and makes a connection of it.
func (b *brokered) add(id, issuer string, change func(*broker.Config), secret usher.Secret) broker.View {
	b.Helper()
	c, err := preset.Discover(b.ctx, b.http, issuer)
	if err != nil {
		b.Fatal(err)
	}
	c.ID, c.Owner, c.Callers = id, "payments", nil
	change(&c)
	v, err := b.replicas[0].Add(b.ctx, c, broker.Keys{ClientSecret: secret}, broker.Tokens{})
	if err != nil {
		b.Fatalf("add %s: %v", id, err)
	}
	b.secret = append(b.secret, secret.Reveal())
	return v
}

func (b *brokered) get(id string) broker.View {
	b.Helper()
	v, err := b.replicas[0].Get(b.ctx, id)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// token takes the token from one of the replicas.
func (b *brokered) token(id string, ask broker.Ask) broker.Token {
	b.Helper()
	t, err := b.replicas[1].Token(b.ctx, id, ask)
	if err != nil {
		b.Fatalf("the token of %s: %v\n%s", id, err, b.log.String())
	}
	b.keep(t.Access)
	return t
}

func (b *brokered) keep(s usher.Secret) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.secret = append(b.secret, s.Reveal())
}

// herd is a hundred callers over three replicas whose token was refused at once.
// They get one new token, the same for all.
func (b *brokered) herd(id string) {
	b.Helper()
	old := b.token(id, broker.Ask{})
	var all sync.WaitGroup
	got, errs := make([]broker.Token, 100), make([]error, 100)
	start := make(chan struct{})
	for i := range got {
		all.Go(func() {
			<-start
			got[i], errs[i] = b.replicas[i%len(b.replicas)].Token(b.ctx, id, broker.Ask{Caller: "herd", Refused: old.Access})
		})
	}
	began := time.Now()
	close(start)
	all.Wait()
	for i := range got {
		if errs[i] != nil {
			b.Fatalf("caller %d: %v", i, errs[i])
		}
		if got[i].Access.Reveal() != got[0].Access.Reveal() || got[i].Access.Reveal() == old.Access.Reveal() {
			b.Fatalf("caller %d has another token, or the refused one", i)
		}
		b.keep(got[i].Access)
	}
	b.Logf("100 callers over 3 replicas have one new token after %v", time.Since(began).Round(time.Millisecond))
}

// gone holds that the connection waits for a person, with the link ready, and
// that one event says so with its cause.
func (b *brokered) gone(id string, causes ...string) *broker.Trouble {
	b.Helper()
	_, err := b.replicas[2].Renew(b.ctx, id)
	if err == nil {
		b.Fatalf("%s is renewed though it was taken back", id)
	}
	v := b.get(id)
	tr := v.Status.Trouble
	if v.Status.State != broker.StateWaiting || tr == nil {
		b.Fatalf("%s is %s: %+v (%v)", id, v.Status.State, tr, err)
	}
	if !slices.Contains(causes, tr.Cause) || tr.Strategy != "ask" || tr.Link != b.h.Page(id) {
		b.Errorf("cause %s (want one of %v), strategy %s, link %s: %s", tr.Cause, causes, tr.Strategy, tr.Link, tr.Title)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.events, func(e usher.Event) bool {
		return e.Refused() && e.Resource.Name == id && e.Unmapped["cause"] == tr.Cause
	})
	if i < 0 {
		b.Errorf("no event tells of it: %+v", b.events)
	}
	b.Logf("%s: %s (%s), %s, turn %s", id, tr.Title, tr.Cause, tr.Strategy, tr.Turn)
	return tr
}

// healed holds that the connection lives again and says what was wrong.
func (b *brokered) healed(id, cause string) {
	b.Helper()
	v := b.get(id)
	if v.Status.State != broker.StateAlive || v.Status.Trouble != nil || v.Status.Healed == nil || v.Status.Healed.Cause != cause {
		b.Errorf("%s is %s, trouble %+v, healed %+v", id, v.Status.State, v.Status.Trouble, v.Status.Healed)
	}
	b.mu.Lock()
	i := slices.IndexFunc(b.events, func(e usher.Event) bool { return e.Status == usher.StatusSuccess && e.Resource.Name == id })
	b.mu.Unlock()
	if i < 0 {
		b.Errorf("no event tells of the success")
	}
	b.token(id, broker.Ask{})
}

// keepsSecrets holds that nothing that people or programs see has a secret in it.
func (b *brokered) keepsSecrets() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.shown.String() + b.log.String() + fmt.Sprintf("%+v", b.events)
	for _, secret := range b.secret {
		if secret != "" && strings.Contains(all, secret) {
			b.Errorf("a page, the log or an event holds a secret")
			return
		}
	}
}

// someone is a person with a browser that has no scripts: it follows links and
// redirects, and fills in forms as a person would.
type someone struct {
	b      *brokered
	c      *http.Client
	fields map[string]string // what the person types, by the name of the field
}

func (b *brokered) someone(fields map[string]string) *someone {
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	return &someone{b, &http.Client{Jar: jar, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, fields}
}

type sight struct {
	url    string
	status int
	text   string
}

var (
	formTag   = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputTag  = regexp.MustCompile(`(?is)<(?:input|button)\b([^>]*)>`)
	attribute = regexp.MustCompile(`(?is)([a-z-]+)\s*=\s*"([^"]*)"`)
	metaNext  = regexp.MustCompile(`(?is)<meta http-equiv="refresh" content="\d+;\s*url=([^"]+)"`)
	userCode  = regexp.MustCompile(`<pre[^>]*>([^<]+)</pre>`)
	// codeAddress is where the code is in the address already.
	codeAddress = regexp.MustCompile(`href="([^"]+)" rel="noreferrer">Open it here`)
	heading     = regexp.MustCompile(`(?is)<h1[^>]*>(.*?)</h1>`)
)

func attributes(text string) map[string]string {
	list := map[string]string{}
	for _, m := range attribute.FindAllStringSubmatch(text, -1) {
		list[strings.ToLower(m[1])] = html.UnescapeString(m[2])
	}
	return list
}

func (s *someone) send(req *http.Request) sight {
	s.b.Helper()
	resp, err := s.c.Do(req)
	if err != nil {
		s.b.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if strings.HasPrefix(req.URL.String(), s.b.url) {
		s.b.mu.Lock()
		s.b.shown.Write(text)
		s.b.mu.Unlock()
	}
	seen := sight{req.URL.String(), resp.StatusCode, string(text)}
	if to, err := resp.Location(); err == nil && resp.StatusCode/100 == 3 {
		seen.text = "\x00" + to.String()
	}
	return seen
}

// visit goes to an address, and on from page to page, until one has nothing more
// to do, or until told.
func (s *someone) visit(address string, until func(sight) bool) sight {
	s.b.Helper()
	req, _ := http.NewRequest(http.MethodGet, address, nil)
	for range 30 {
		seen := s.send(req)
		if until != nil && until(seen) {
			return seen
		}
		if to, ok := strings.CutPrefix(seen.text, "\x00"); ok {
			req, _ = http.NewRequest(http.MethodGet, to, nil)
			continue
		}
		if m := metaNext.FindStringSubmatch(seen.text); m != nil && !strings.Contains(seen.url, "/device/") {
			req, _ = http.NewRequest(http.MethodGet, html.UnescapeString(m[1]), nil)
			continue
		}
		next, ok := s.fill(seen)
		if !ok {
			return seen
		}
		req = next
	}
	s.b.Fatal("the person goes round in circles")
	return sight{}
}

// fill answers the first form of a page with what the person knows.
func (s *someone) fill(seen sight) (*http.Request, bool) {
	m := formTag.FindStringSubmatch(seen.text)
	if m == nil {
		return nil, false
	}
	form, at := url.Values{}, attributes(m[1])
	for _, in := range inputTag.FindAllStringSubmatch(m[2], -1) {
		a := attributes(in[1])
		if a["name"] == "" || a["type"] == "checkbox" || a["name"] == "abort" || a["name"] == "cancel" {
			continue
		}
		value := a["value"]
		if known, ok := s.fields[a["name"]]; ok {
			value = known
		}
		if form.Get(a["name"]) == "" {
			form.Set(a["name"], value)
		}
	}
	base, _ := url.Parse(seen.url)
	to, err := base.Parse(at["action"])
	if err != nil {
		return nil, false
	}
	req, _ := http.NewRequest(http.MethodPost, to.String(), strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", base.Scheme+"://"+base.Host)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return req, true
}

// code opens a link for a connection by device grant, and gives the code that its
// page shows and the address to go to with it.
func (s *someone) code(id string) (code, address string) {
	s.b.Helper()
	link, err := s.b.h.Link(s.b.ctx, id)
	if err != nil {
		s.b.Fatal(err)
	}
	seen := s.visit(link, nil)
	shown, at := userCode.FindStringSubmatch(seen.text), codeAddress.FindStringSubmatch(seen.text)
	if shown == nil || at == nil {
		s.b.Fatalf("status %d, no code:\n%s", seen.status, seen.text)
	}
	return html.UnescapeString(shown[1]), html.UnescapeString(at[1])
}

// connects opens a link for a connection and goes all the way.
func (s *someone) connects(id string) sight {
	s.b.Helper()
	link, err := s.b.h.Link(s.b.ctx, id)
	if err != nil {
		s.b.Fatal(err)
	}
	seen := s.visit(link, nil)
	if seen.status != http.StatusOK || !strings.Contains(seen.text, "<h1>Connected</h1>") {
		s.b.Fatalf("the person ends at %s, status %d, %q:\n%s", strings.SplitN(seen.url, "?", 2)[0], seen.status, heading.FindString(seen.text), seen.text)
	}
	return seen
}
