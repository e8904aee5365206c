package probe_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/probe"
	"usher/guard"
	"usher/oauth"
	"usher/provider/knowledge"
)

// as is a small authorization server with switches for what it does wrong.
type as struct {
	*httptest.Server
	t      *testing.T
	mux    *http.ServeMux
	doc    map[string]any
	secret string

	mu       sync.Mutex
	requests []*http.Request // with their forms parsed

	noPKCE, needPAR, prefix, open, strict, twice bool
	authorize                                    func(w http.ResponseWriter, r *http.Request) bool // true: done
	token                                        func(w http.ResponseWriter, r *http.Request) bool
}

const (
	clientID = "web"
	callback = "https://app.example/cb"
)

func newAS(t *testing.T) *as {
	s := &as{t: t, mux: http.NewServeMux(), secret: "right-s3cr3t-of-the-client"}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		s.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	s.doc = map[string]any{
		"issuer": s.URL, "authorization_endpoint": s.URL + "/auth", "token_endpoint": s.URL + "/token", "introspection_endpoint": s.URL + "/introspect",
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "private_key_jwt"},
	}
	s.mux.HandleFunc("GET /auth", s.auth)
	s.mux.HandleFunc("POST /token", s.tokens)
	s.mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" && !s.open {
			fail(w, 401, oauth.ErrInvalidClient, "")
			return
		}
		writeJSON(w, 200, map[string]any{"active": false})
	})
	return s
}

func (s *as) auth(w http.ResponseWriter, r *http.Request) {
	if s.authorize != nil && s.authorize(w, r) {
		return
	}
	q := r.URL.Query()
	redirect := q.Get("redirect_uri")
	page := func(text string) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "<html><style>p{}</style><p>"+text+"</p><script>var x</script></html>")
	}
	registered := redirect == callback || s.prefix && strings.HasPrefix(redirect, callback) || s.open
	switch {
	case q.Get("client_id") != clientID:
		page("Client not found.")
		return
	case !registered:
		page("Invalid parameter: redirect_uri")
		return
	}
	back := func(code string) {
		http.Redirect(w, r, redirect+"?error="+code+"&state="+q.Get("state"), http.StatusFound)
	}
	switch {
	case s.needPAR:
		back(oauth.ErrInvalidRequest)
	case q.Get("code_challenge") == "" && !s.noPKCE:
		back(oauth.ErrInvalidRequest)
	case len(q["state"]) > 1 && !s.twice:
		back(oauth.ErrInvalidRequest)
	case q.Get("usher_probe") != "" && s.strict:
		back(oauth.ErrInvalidRequest)
	default:
		back(oauth.ErrLoginRequired)
	}
}

func (s *as) tokens(w http.ResponseWriter, r *http.Request) {
	if s.token != nil && s.token(w, r) {
		return
	}
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.Form.Get("client_id"), r.Form.Get("client_secret")
	}
	if id != clientID || secret != s.secret {
		fail(w, 401, oauth.ErrInvalidClient, "")
		return
	}
	fail(w, 400, oauth.ErrInvalidGrant, "")
}

func fail(w http.ResponseWriter, status int, code, text string) {
	writeJSON(w, status, map[string]any{"error": code, "error_description": text})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// target is what check/live would have gathered.
func (s *as) target() *check.Target {
	raw, err := json.Marshal(s.doc)
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := oauth.ParseMetadata(raw)
	if err != nil {
		s.t.Fatal(err)
	}
	return &check.Target{Issuer: s.URL, Provider: knowledge.Named("generic"), Metadata: []*check.Metadata{{Metadata: m, URL: s.URL}}, Now: time.Now()}
}

func (s *as) options(only ...string) probe.Options {
	return probe.Options{ClientID: clientID, RedirectURI: callback, Scope: "openid", Secret: usher.Secret(s.secret), Only: only, Wait: time.Microsecond}
}

func run(t *testing.T, s *as, target *check.Target, opt probe.Options) {
	t.Helper()
	c := guard.New(guard.Options{Trusted: []string{s.URL}})
	t.Cleanup(c.HTTP().CloseIdleConnections)
	if err := probe.Run(context.Background(), c, target, opt); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, s *as, opt probe.Options) *check.ProbeAnswer {
	t.Helper()
	target := s.target()
	run(t, s, target, opt)
	got := target.Probed[opt.Only[0]]
	if got == nil {
		t.Fatalf("%s was not probed", opt.Only[0])
	}
	for _, text := range append(texts(got), opt.Key.Reveal()) {
		if opt.Secret != "" && strings.Contains(text, opt.Secret.Reveal()) {
			t.Errorf("%s shows the secret: %s", opt.Only[0], text)
		}
	}
	return got
}

// texts are all strings that a probe says.
func texts(a *check.ProbeAnswer) []string {
	list := []string{a.Place, a.Sent, a.Where, a.Note, a.Skipped}
	if v := a.Verdict; v != nil {
		list = append(list, v.Title, v.Detail)
		for _, p := range v.Proof {
			list = append(list, p.Place, p.Quote, p.Expected, p.Got)
		}
		for _, f := range v.Fix {
			list = append(list, f.Text)
		}
	}
	return list
}

func want(t *testing.T, name string, got *check.ProbeAnswer, outcome usher.Outcome, words string) {
	t.Helper()
	switch {
	case outcome == "skipped":
		if got.Verdict != nil || !strings.Contains(got.Skipped, words) {
			t.Errorf("%s: %+v, want skipped with %q", name, got, words)
		}
	case got.Verdict == nil:
		t.Errorf("%s: skipped: %s, want %s", name, got.Skipped, outcome)
	case got.Verdict.Outcome != outcome || !strings.Contains(strings.Join(texts(got), "\n"), words):
		t.Errorf("%s: %s %q %q, want %s with %q", name, got.Verdict.Outcome, got.Verdict.Title, got.Verdict.Detail, outcome, words)
	}
	if v := got.Verdict; v != nil && v.Outcome == usher.OutcomeWrong && (len(v.Proof) == 0 || v.Title == "" || v.Proof[0].Place == "") {
		t.Errorf("%s: a wrong verdict without proof or title: %+v", name, v)
	}
}

func page(status int, text string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
		return true
	}
}

func TestSafeProbes(t *testing.T) {
	for _, c := range []struct {
		name    string
		id      string
		change  func(*as)
		opt     func(*probe.Options)
		outcome usher.Outcome
		words   string
	}{
		{"known", "client-id-known", nil, nil, usher.OutcomeOK, "knows"},
		{"unknown client", "client-id-known", nil, func(o *probe.Options) { o.ClientID = "other" }, usher.OutcomeWrong, "does not know the client id other"},
		{"another redirect URI", "client-id-known", nil, func(o *probe.Options) { o.RedirectURI = "https://app.example/x" }, usher.OutcomeOK, "redirect URI alone"},
		{"a page that tells nothing", "client-id-known", func(s *as) { s.authorize = page(200, "Sign in") }, nil, usher.OutcomeUnknown, "made-up id"},
		{"a disabled client", "client-id-known", func(s *as) { s.authorize = page(400, "<p>Login requester not enabled</p>") }, nil, usher.OutcomeWrong, "switched it off"},
		{"Entra's unknown client", "client-id-known", func(s *as) {
			s.authorize = page(200, "<div>AADSTS700016: Application with identifier 'web' was not found in the directory</div>")
		}, nil, usher.OutcomeWrong, "AADSTS700016"},
		{"a page for known clients alone", "client-id-known", func(s *as) {
			s.authorize = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Query().Get("client_id") == clientID {
					return page(200, "Sign in")(w, r)
				}
				return page(404, "Sorry")(w, r)
			}
		}, nil, usher.OutcomeOK, "otherwise than for a client id that is made up"},
		{"no client", "client-id-known", nil, func(o *probe.Options) { o.ClientID = "" }, "skipped", "--client-id"},

		{"PKCE is enforced", "pkce-enforced", nil, nil, usher.OutcomeOK, "without code_challenge"},
		{"PKCE is not", "pkce-enforced", func(s *as) { s.noPKCE = true }, nil, usher.OutcomeWrong, "without PKCE"},
		{"everything is refused", "pkce-enforced", func(s *as) { s.needPAR = true }, nil, usher.OutcomeUnknown, "tells nothing of PKCE"},
		{"no redirect URI", "pkce-enforced", nil, func(o *probe.Options) { o.RedirectURI = "" }, "skipped", "--redirect-uri"},

		{"PAR is not required", "par-required", nil, nil, usher.OutcomeNotApplicable, ""},
		{"PAR is enforced", "par-required", func(s *as) { s.needPAR = true; s.doc["require_pushed_authorization_requests"] = true }, nil, usher.OutcomeOK, "not pushed"},
		{"PAR is said and not kept", "par-required", func(s *as) { s.doc["require_pushed_authorization_requests"] = true }, nil, usher.OutcomeWrong, "takes a plain one"},

		{"parameters in order", "unknown-parameters", nil, nil, usher.OutcomeOK, "ignored"},
		{"an unknown one is refused", "unknown-parameters", func(s *as) { s.strict = true }, nil, usher.OutcomeWrong, "does not know"},
		{"a doubled one is taken", "unknown-parameters", func(s *as) { s.twice = true }, nil, usher.OutcomeWrong, "twice"},
		{"nothing can be told", "unknown-parameters", func(s *as) { s.needPAR = true }, nil, usher.OutcomeUnknown, "refuses also"},

		{"exact", "redirect-server-exact", nil, nil, usher.OutcomeOK, "refuses every one"},
		{"a prefix will do", "redirect-server-exact", func(s *as) { s.prefix = true }, nil, usher.OutcomeWrong, "a longer path"},
		{"not registered", "redirect-server-exact", nil, func(o *probe.Options) { o.RedirectURI = "https://app.example/x" }, usher.OutcomeUnknown, "may not be registered"},
		{"a scheme of its own", "redirect-server-exact", nil, func(o *probe.Options) { o.RedirectURI = "com.example.app:/cb" }, "skipped", "no web address"},

		{"an error page", "redirect-error-no-redirect", nil, nil, usher.OutcomeOK, "does not send"},
		{"an open redirector", "redirect-error-no-redirect", func(s *as) { s.open = true }, nil, usher.OutcomeWrong, "nobody registered"},

		{"no GET", "token-endpoint-post-only", nil, nil, usher.OutcomeOK, "GET is refused"},
		{"GET", "token-endpoint-post-only", func(s *as) {
			s.mux.HandleFunc("GET /token", func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, 200, map[string]any{"access_token": "s3cr3t-t0ken"})
			})
		}, nil, usher.OutcomeWrong, "gives a token for GET"},
		{"GET like POST", "token-endpoint-post-only", func(s *as) {
			s.mux.HandleFunc("GET /token", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, map[string]any{"status": "ok"}) })
		}, nil, usher.OutcomeWrong, "as if it were POST"},
		{"a page for GET", "token-endpoint-post-only", func(s *as) {
			s.mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) { page(200, "<p>Docs</p>")(w, r) })
		}, nil, usher.OutcomeUnknown, "a page"},

		{"introspection is closed", "introspection-auth", nil, nil, usher.OutcomeOK, "without credentials is refused"},
		{"introspection is open", "introspection-auth", func(s *as) { s.open = true }, nil, usher.OutcomeWrong, "whoever asks"},
		{"no introspection", "introspection-auth", func(s *as) { delete(s.doc, "introspection_endpoint") }, nil, usher.OutcomeNotApplicable, ""},
		{"introspection elsewhere", "introspection-auth", func(s *as) { s.doc["introspection_endpoint"] = "https://elsewhere.example/i" }, nil, "skipped", "not configured"},

		{"no CORS", "cors-authorization", nil, nil, usher.OutcomeOK, "may not ask"},
		{"CORS", "cors-authorization", func(s *as) {
			s.mux.HandleFunc("OPTIONS /auth", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Access-Control-Allow-Origin", "*") })
		}, nil, usher.OutcomeWrong, "any page"},

		{"a client with a secret", "cors-token-spa", nil, nil, usher.OutcomeNotApplicable, "has a secret"},
		{"no leave for the app", "cors-token-spa", nil, func(o *probe.Options) { o.Secret, o.Origin = "", "https://app.example" }, usher.OutcomeWrong, "https://app.example"},
		{"leave for the app", "cors-token-spa", func(s *as) {
			s.mux.HandleFunc("OPTIONS /token", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
			})
		}, func(o *probe.Options) { o.Secret, o.AuthMethod = "", oauth.AuthNone }, usher.OutcomeOK, "may ask"},
		{"nobody knows what it is", "cors-token-spa", nil, func(o *probe.Options) { o.Secret = "" }, "skipped", "runs in a browser"},
	} {
		s := newAS(t)
		if c.change != nil {
			c.change(s)
		}
		opt := s.options(c.id)
		if c.opt != nil {
			c.opt(&opt)
		}
		want(t, c.name, ask(t, s, opt), c.outcome, c.words)
		for _, r := range s.requests {
			if r.URL.Path == "/auth" && r.URL.Query().Get("prompt") != "none" && r.Method == http.MethodGet {
				t.Errorf("%s: asked without prompt=none", c.name)
			}
			if r.Header.Get("Authorization") != "" || r.Form.Get("client_secret") != "" {
				t.Errorf("%s: a credential went out", c.name)
			}
		}
	}
}

func TestOpenRedirector(t *testing.T) {
	for _, follows := range []bool{true, false} {
		s := newAS(t)
		s.mux.HandleFunc("GET /cb", func(w http.ResponseWriter, r *http.Request) {
			if follows {
				http.Redirect(w, r, r.URL.Query().Get("next"), http.StatusFound)
			}
		})
		opt := s.options("redirect-open-redirector")
		opt.RedirectURI = s.URL + "/cb"
		outcome, words := usher.OutcomeOK, "no foreign address"
		if follows {
			outcome, words = usher.OutcomeWrong, "wherever a parameter says"
		}
		want(t, "redirector", ask(t, s, opt), outcome, words)
	}
}

// TestAll: the probes together say what they do before they do it, keep to
// their number, follow nothing and leave out what was not wanted.
func TestAll(t *testing.T) {
	s := newAS(t)
	var steps []probe.Step
	target := s.target()
	opt := s.options()
	opt.Announce = func(step probe.Step) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.requests) > len(steps) {
			t.Errorf("a request went out before it was told: %d, %d", len(s.requests), len(steps))
		}
		steps = append(steps, step)
		return true
	}
	run(t, s, target, opt)
	safe := 0
	for id, safety := range probe.IDs() {
		if safety == check.S2 {
			if target.Probed[id] != nil {
				t.Errorf("%s was probed without leave", id)
			}
			continue
		}
		safe++
		if got := target.Probed[id]; got == nil || got.Verdict == nil && got.Skipped == "" {
			t.Errorf("%s: %+v", id, got)
		}
	}
	if safe != 12 {
		t.Errorf("%d safe probes, want 12", safe)
	}
	count := map[string]int{}
	for _, step := range steps {
		count[step.Check]++
		if count[step.Check] > 10 {
			t.Errorf("%s sends more than ten requests", step.Check)
		}
		if step.What == "" || step.Sends == "" || strings.Contains(step.Sends, s.secret) || strings.Contains(step.URL, "?") || step.Safety == "" || step.Method == "" {
			t.Errorf("step %+v", step)
		}
	}
}

func TestLeftOut(t *testing.T) {
	s := newAS(t)
	target := s.target()
	opt := s.options()
	opt.Change = true
	opt.Announce = func(probe.Step) bool { return false }
	run(t, s, target, opt)
	if len(s.requests) != 0 {
		t.Errorf("%d requests went out", len(s.requests))
	}
	for id, a := range target.Probed {
		if a.Verdict != nil && a.Verdict.Outcome != usher.OutcomeNotApplicable || a.Verdict == nil && a.Skipped == "" {
			t.Errorf("%s: %+v", id, a)
		}
	}
	if a := target.Probed["token-endpoint-post-only"]; !strings.Contains(a.Skipped, "as you wished") {
		t.Errorf("%+v", a)
	}
}

// TestRedirectRefused: what the provider says of the redirect URI is kept for
// the check that stands for it, and a sign-in page that is handed the request
// refuses nothing.
func TestRedirectRefused(t *testing.T) {
	for name, c := range map[string]struct {
		redirect string
		to       string
		outcome  usher.Outcome
	}{
		"refused":                               {"https://app.example/x", "", usher.OutcomeWrong},
		"taken":                                 {callback, "", ""},
		"none":                                  {"", "", ""},
		"sign-in":                               {callback, "/login?", ""},
		"sign-in with the request in one piece": {callback, "/login?return=", ""},
	} {
		s := newAS(t)
		if c.to != "" {
			s.authorize = func(w http.ResponseWriter, r *http.Request) bool {
				query := r.URL.RawQuery
				if strings.HasSuffix(c.to, "return=") {
					query = url.QueryEscape("/auth?" + query)
				}
				http.Redirect(w, r, c.to+query, http.StatusFound)
				return true
			}
		}
		opt := s.options("client-id-known")
		opt.RedirectURI = c.redirect
		target := s.target()
		run(t, s, target, opt)
		got := target.Probed["redirect-registered"]
		if c.outcome == "" {
			if got != nil {
				t.Errorf("%s: %+v", name, got.Verdict)
			}
			if known := target.Probed["client-id-known"]; c.to != "" && strings.Contains(strings.Join(texts(known), " "), "redirect URI alone") {
				t.Errorf("%s: %+v", name, known.Verdict)
			}
			continue
		}
		want(t, name, got, c.outcome, "https://app.example/x")
	}
}

// TestPause: there is a pause between requests, whichever probe they are of.
func TestPause(t *testing.T) {
	s := newAS(t)
	opt := s.options("client-id-known", "redirect-error-no-redirect", "token-endpoint-post-only")
	opt.Wait = 40 * time.Millisecond
	start := time.Now()
	run(t, s, s.target(), opt)
	if took := time.Since(start); took < 80*time.Millisecond {
		t.Errorf("three requests in %s", took)
	}
}

// TestOtherIssuer: a document that says to be another issuer's gets nothing,
// and neither does an endpoint elsewhere get a credential.
func TestOtherIssuer(t *testing.T) {
	s := newAS(t)
	target := s.target()
	target.Issuer = s.URL + "/"
	run(t, s, target, s.options())
	if len(s.requests) != 0 || !strings.Contains(target.Probed["secret-valid"].Skipped, "configured is "+s.URL+"/") {
		t.Errorf("%d requests, %+v", len(s.requests), target.Probed["secret-valid"])
	}
	thief := newAS(t)
	s.doc["token_endpoint"] = thief.URL + "/token"
	target = s.target()
	c := guard.New(guard.Options{Trusted: []string{s.URL, thief.URL}}) // trusted for another reason
	if err := probe.Run(context.Background(), c, target, s.options("secret-valid", "token-endpoint-post-only")); err != nil {
		t.Fatal(err)
	}
	if len(thief.requests) != 0 || !strings.Contains(target.Probed["secret-valid"].Skipped, "with --token-endpoint") {
		t.Errorf("%d requests, %+v", len(thief.requests), target.Probed["secret-valid"])
	}
	opt := s.options("secret-valid")
	opt.TokenEndpoint = thief.URL + "/token"
	target = s.target()
	if err := probe.Run(context.Background(), c, target, opt); err != nil {
		t.Fatal(err)
	}
	if len(thief.requests) == 0 || target.Probed["secret-valid"].Verdict.Outcome != usher.OutcomeOK {
		t.Errorf("named by the operator: %+v", target.Probed["secret-valid"])
	}
}

// TestNothingIsFollowed: a redirect is an answer, wherever it leads.
func TestNothingIsFollowed(t *testing.T) {
	s := newAS(t)
	s.token = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		return true
	}
	s.authorize = s.token
	run(t, s, s.target(), s.options())
	for _, r := range s.requests {
		if r.URL.Path == "/elsewhere" {
			t.Error("a redirect was followed")
		}
	}
}

func TestNoSuchProbe(t *testing.T) {
	s := newAS(t)
	c := guard.New(guard.Options{Trusted: []string{s.URL}})
	if err := probe.Run(context.Background(), c, s.target(), s.options("pkce")); err == nil || !strings.Contains(err.Error(), "no probe of the check pkce") {
		t.Error(err)
	}
}

func TestNoMetadata(t *testing.T) {
	s := newAS(t)
	target := &check.Target{Issuer: s.URL}
	run(t, s, target, s.options())
	for id, a := range target.Probed {
		if !strings.Contains(a.Skipped, "metadata could not be read") {
			t.Errorf("%s: %+v", id, a)
		}
	}
}

func trusting(s *as) *guard.Client { return guard.New(guard.Options{Trusted: []string{s.URL}}) }

func unbase64(s string) string {
	b, _ := base64.RawURLEncoding.DecodeString(s)
	return string(b)
}

// TestEntraPKCE: Entra asks for PKCE when a code is redeemed, so that taking a
// request without it is no proof.
func TestEntraPKCE(t *testing.T) {
	s := newAS(t)
	s.noPKCE = true
	target := s.target()
	target.Provider = &knowledge.Provider{Name: "entra"}
	run(t, s, target, s.options("pkce-enforced"))
	want(t, "Entra", target.Probed["pkce-enforced"], usher.OutcomeUnknown, "when the code is redeemed")
}
