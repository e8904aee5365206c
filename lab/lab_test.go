package lab_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"usher"
	"usher/diagnose"
	"usher/evidence"
	"usher/lab"
)

// buffer is a log that the lab writes and a test reads.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// take gives what was written since the last take.
func (b *buffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.b.String()
	b.b.Reset()
	return s
}

// bench is a lab with a client of it.
type bench struct {
	t       *testing.T
	lab     *lab.Lab
	url     string
	log     *buffer // everything that the lab writes
	conf    *oauth2.Config
	browser *http.Client // follows no redirects, keeps cookies
	ctx     context.Context
	hint    string // login_hint
	device  string
}

func newBench(t *testing.T, opt lab.Options) *bench {
	t.Helper()
	log := &buffer{}
	opt.Log, opt.Zone, opt.Control = log, time.UTC, true
	l := lab.New(opt)
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	b := &bench{t: t, lab: l, url: server.URL, log: log, hint: "lab:dana"}
	b.conf = &oauth2.Config{
		ClientID: "shop", ClientSecret: l.Secret("shop").Reveal(), RedirectURL: "https://shop.test/cb", Scopes: []string{"openid", "orders"},
	}
	b.keycloak()
	b.newBrowser()
	plain := &http.Client{Timeout: 10 * time.Second, Transport: through{b}}
	b.ctx = context.WithValue(t.Context(), oauth2.HTTPClient, plain)
	return b
}

// through sends the header of the device with every request.
type through struct{ b *bench }

func (tr through) RoundTrip(r *http.Request) (*http.Response, error) {
	if tr.b.device != "" {
		r = r.Clone(r.Context())
		r.Header.Set("X-Lab-Device", tr.b.device)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (b *bench) newBrowser() {
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.browser = &http.Client{
		Jar: jar, Timeout: 10 * time.Second, Transport: through{b},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (b *bench) keycloak() {
	b.conf.Endpoint = oauth2.Endpoint{
		AuthURL:  b.url + "/realms/shop/protocol/openid-connect/auth",
		TokenURL: b.url + "/realms/shop/protocol/openid-connect/token", AuthStyle: oauth2.AuthStyleInHeader,
	}
}

func (b *bench) entra() {
	b.conf.ClientID = b.lab.AppID("shop")
	b.conf.Endpoint = oauth2.Endpoint{
		AuthURL:  b.url + "/" + lab.DefaultTenant + "/oauth2/v2.0/authorize",
		TokenURL: b.url + "/" + lab.DefaultTenant + "/oauth2/v2.0/token", AuthStyle: oauth2.AuthStyleInParams,
	}
	b.conf.Scopes = []string{"openid", "offline_access", "api://orders/orders"}
}

// reply is one answer as a person would paste it.
type reply struct {
	status int
	header http.Header
	body   string
	to     *url.URL // of a redirect
}

func (b *bench) get(c *http.Client, u string, header ...string) reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, u, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return b.do(c, req)
}

func (b *bench) do(c *http.Client, req *http.Request) reply {
	b.t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	to, _ := resp.Location()
	return reply{resp.StatusCode, resp.Header, string(body), to}
}

// authorize starts a sign-in and gives the answer.
func (b *bench) authorize(verifier string, more ...oauth2.AuthCodeOption) reply {
	b.t.Helper()
	more = append(more, oauth2.S256ChallengeOption(verifier))
	if b.hint != "" {
		more = append(more, oauth2.SetAuthURLParam("login_hint", b.hint))
	}
	return b.get(b.browser, b.conf.AuthCodeURL("state-1", more...))
}

// signIn signs dana in and gives her tokens.
func (b *bench) signIn(more ...oauth2.AuthCodeOption) *oauth2.Token {
	b.t.Helper()
	tok, err := b.trySignIn(more...)
	if err != nil {
		b.t.Fatal(err)
	}
	return tok
}

func (b *bench) trySignIn(more ...oauth2.AuthCodeOption) (*oauth2.Token, error) {
	b.t.Helper()
	verifier := oauth2.GenerateVerifier()
	r := b.authorize(verifier, more...)
	if r.to == nil || r.to.Query().Get("code") == "" {
		b.t.Fatalf("no code came back: %d %v\n%s", r.status, r.to, r.body)
	}
	if got := r.to.Query().Get("state"); got != "state-1" {
		b.t.Errorf("state came back as %q", got)
	}
	return b.conf.Exchange(b.ctx, r.to.Query().Get("code"), oauth2.VerifierOption(verifier))
}

// renew refreshes a token with the library.
func (b *bench) renew(tok *oauth2.Token) (*oauth2.Token, error) {
	old := *tok
	old.Expiry = time.Now().Add(-time.Minute)
	return b.conf.TokenSource(b.ctx, &old).Token()
}

// call asks the API.
func (b *bench) call(tok *oauth2.Token) reply {
	b.t.Helper()
	return b.get(http.DefaultClient, b.url+"/api/orders", "Authorization", "Bearer "+tok.AccessToken)
}

// refused wants an answer of the token endpoint with an error of the protocol.
func refused(t *testing.T, err error, status int, code string) string {
	t.Helper()
	var re *oauth2.RetrieveError
	if !errors.As(err, &re) {
		t.Fatalf("want a refusal, got %v", err)
	}
	if re.Response.StatusCode != status || re.ErrorCode != code {
		t.Errorf("refused with %d %s, want %d %s", re.Response.StatusCode, re.ErrorCode, status, code)
	}
	if got := re.Response.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q, want no-store (RFC 6749 section 5.1)", got)
	}
	if !json.Valid(re.Body) {
		t.Errorf("the body is no JSON: %s", re.Body)
	}
	return string(re.Body)
}

// explains wants usher to name the cause from each piece of evidence by itself.
func explains(t *testing.T, cause, what, text string) {
	t.Helper()
	if strings.TrimSpace(text) == "" {
		t.Errorf("%s: there is nothing to explain", what)
		return
	}
	set, err := evidence.Read([]evidence.Input{{Name: "evidence", Data: []byte(text)}})
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	answer := diagnose.Explain(set, diagnose.Options{Now: time.Now()})
	if len(answer.Findings) == 0 {
		t.Errorf("%s: nothing was found in\n%s", what, text)
		return
	}
	f := answer.Findings[0]
	if f.Cause != cause || f.Outcome != usher.OutcomeWrong || f.Confidence < usher.Confident {
		t.Errorf("%s: usher names %s (%s, %.2f), want %s with 0.8 at least, from\n%s", what, f.Cause, f.Outcome, f.Confidence, cause, text)
	}
}

// challenge is the answer of an API as curl -i shows it.
func challenge(r reply) string {
	return "HTTP/1.1 " + http.StatusText(r.status) + "\nWWW-Authenticate: " + r.header.Get("WWW-Authenticate") + "\n\n" + r.body
}

// last gives the last line of a log that holds a word.
func last(t *testing.T, log, word string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.Contains(lines[i], word) {
			return lines[i]
		}
	}
	t.Errorf("the log has no line with %s:\n%s", word, log)
	return ""
}
