package probe_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/probe"
	"usher/oauth"
)

// stateful is an authorization server that gives tokens and knows which live.
type stateful struct {
	*as
	codes   map[string]bool // with a challenge
	alive   map[string]string
	family  map[string]string // refresh token to its family
	spent   map[string]bool
	dead    map[string]bool // families
	clients map[string]bool // registered

	anyVerifier, keepsRotated, keepsFamily, noRotation, anyClient, deaf, takesAll, protectedDCR, bearer, nonce bool
	noRevocation                                                                                               bool
}

func newStateful(t *testing.T) *stateful {
	s := &stateful{
		as: newAS(t), codes: map[string]bool{}, alive: map[string]string{}, family: map[string]string{}, spent: map[string]bool{},
		dead: map[string]bool{}, clients: map[string]bool{},
	}
	s.doc["revocation_endpoint"] = s.URL + "/revoke"
	s.doc["registration_endpoint"] = s.URL + "/register"
	s.doc["dpop_signing_alg_values_supported"] = []string{"ES256"}
	s.doc["scopes_supported"] = []string{"openid", "offline_access"}
	s.token = s.grant
	s.noPKCE = true
	s.mux.HandleFunc("POST /revoke", func(_ http.ResponseWriter, r *http.Request) {
		token := r.Form.Get("token")
		if s.deaf {
			return
		}
		if f := s.family[token]; f != "" {
			s.end(f)
		}
		delete(s.alive, token)
	})
	s.mux.HandleFunc("POST /introspect/own", func(w http.ResponseWriter, r *http.Request) {
		_, ok := s.alive[r.Form.Get("token")]
		writeJSON(w, 200, map[string]any{"active": ok})
	})
	s.doc["introspection_endpoint"] = s.URL + "/introspect/own"
	s.mux.HandleFunc("POST /register", func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case s.protectedDCR:
			fail(w, 401, oauth.ErrInvalidToken, "")
		case s.takesAll:
			s.clients["c1"] = true
			writeJSON(w, 201, map[string]any{"client_id": "c1", "client_secret": "n3w-s3cr3t", "registration_client_uri": s.URL + "/register/c1", "registration_access_token": "r3g-t0ken"})
		default:
			fail(w, 400, oauth.ErrInvalidRedirectURI, "")
		}
	})
	s.mux.HandleFunc("DELETE /register/c1", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer r3g-t0ken" {
			delete(s.clients, "c1")
		}
		w.WriteHeader(204)
	})
	s.mux.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		kind, ok := s.alive[token]
		if !ok || !s.bearer && kind == "DPoP" && (scheme != "DPoP" || r.Header.Get("DPoP") == "") {
			w.WriteHeader(401)
		}
	})
	return s
}

func (s *stateful) end(family string) {
	s.dead[family] = true
	for token, f := range s.family {
		if f == family {
			delete(s.alive, token)
		}
	}
}

// give gives tokens of a family; without one, an access token alone.
func (s *stateful) give(w http.ResponseWriter, kind, family string) {
	access := rand.Text()
	s.alive[access] = kind
	out := map[string]any{"access_token": access, "token_type": kind, "expires_in": 300}
	if family != "" {
		s.family[access] = family
		refresh := rand.Text()
		s.alive[refresh], s.family[refresh] = "refresh", family
		out["refresh_token"] = refresh
	}
	writeJSON(w, 200, out)
}

func (s *stateful) grant(w http.ResponseWriter, r *http.Request) bool {
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.Form.Get("client_id"), r.Form.Get("client_secret")
	}
	own := id == clientID && secret == s.secret
	if !own && !s.anyClient {
		fail(w, 401, oauth.ErrInvalidClient, "")
		return true
	}
	switch r.Form.Get("grant_type") {
	case oauth.GrantClientCredentials:
		kind := "Bearer"
		if r.Header.Get("DPoP") != "" {
			if s.nonce && !strings.Contains(decode(r.Header.Get("DPoP")), `"nonce":"n1"`) {
				w.Header().Set("DPoP-Nonce", "n1")
				fail(w, 400, oauth.ErrUseDPoPNonce, "")
				return true
			}
			kind = "DPoP"
		}
		s.give(w, kind, "")
	case oauth.GrantAuthorizationCode:
		challenged, ok := s.codes[r.Form.Get("code")]
		delete(s.codes, r.Form.Get("code"))
		if !ok || !challenged && r.Form.Get("code_verifier") != "" && !s.anyVerifier {
			fail(w, 400, oauth.ErrInvalidGrant, "")
			return true
		}
		s.give(w, "Bearer", rand.Text())
	case oauth.GrantRefreshToken:
		token := r.Form.Get("refresh_token")
		family := s.family[token]
		switch {
		case family == "" || s.dead[family]:
			fail(w, 400, oauth.ErrInvalidGrant, "")
		case s.spent[token] && !s.keepsRotated:
			if !s.keepsFamily {
				s.end(family)
			}
			fail(w, 400, oauth.ErrInvalidGrant, "")
		case s.noRotation:
			access := rand.Text()
			s.alive[access], s.family[access] = "Bearer", family
			writeJSON(w, 200, map[string]any{"access_token": access, "token_type": "Bearer"})
		default:
			s.spent[token] = true
			s.give(w, "Bearer", family)
		}
	}
	return true
}

func decode(jws string) string {
	_, payload, _ := strings.Cut(jws, ".")
	payload, _, _ = strings.Cut(payload, ".")
	return unbase64(payload)
}

// signIn is a person at a browser.
func (s *stateful) signIn(_ context.Context, address string) (usher.Secret, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	q := u.Query()
	code := rand.Text()
	s.codes[code] = q.Get("code_challenge") != ""
	return usher.Secret(q.Get("redirect_uri") + "?code=" + code + "&state=" + q.Get("state")), nil
}

func TestChanges(t *testing.T) {
	for _, c := range []struct {
		name    string
		id      string
		change  func(*stateful)
		opt     func(*stateful, *probe.Options)
		outcome usher.Outcome
		words   string
		note    string
	}{
		{"no downgrade", "pkce-downgrade", nil, nil, usher.OutcomeOK, "refused", ""},
		{"a downgrade", "pkce-downgrade", func(s *stateful) { s.anyVerifier = true }, nil, usher.OutcomeWrong, "without a challenge", "undone: the refresh token"},
		{"PKCE is enforced", "pkce-downgrade", func(s *stateful) { s.noPKCE = false }, nil, usher.OutcomeOK, "no code can be got", ""},
		{"nobody signs in", "pkce-downgrade", nil, func(_ *stateful, o *probe.Options) { o.SignIn = nil }, "skipped", "who signs in", ""},
		{"the sign-in fails", "pkce-downgrade", nil, func(_ *stateful, o *probe.Options) {
			o.SignIn = func(context.Context, string) (usher.Secret, error) { return "", errors.New("the browser was closed") }
		}, "skipped", "browser was closed", ""},
		{"another state", "pkce-downgrade", nil, func(_ *stateful, o *probe.Options) {
			o.SignIn = func(context.Context, string) (usher.Secret, error) {
				return callback + "?code=c0de-s3cr3t&state=x", nil
			}
		}, "skipped", "another state", ""},

		{"registration is protected", "dcr-open", func(s *stateful) { s.protectedDCR = true }, nil, usher.OutcomeOK, "asks for a credential", ""},
		{"registration is open", "dcr-open", nil, nil, usher.OutcomeWrong, "Anybody may register", ""},
		{"registration takes all", "dcr-open", func(s *stateful) { s.takesAll = true }, nil, usher.OutcomeWrong, "refused twice", "undone: the client"},
		{"no registration", "dcr-open", func(s *stateful) { delete(s.doc, "registration_endpoint") }, nil, usher.OutcomeNotApplicable, "", ""},

		{"reuse ends the family", "refresh-reuse-detected", nil, nil, usher.OutcomeOK, "whole family", "undone"},
		{"reuse goes through", "refresh-reuse-detected", func(s *stateful) { s.keepsRotated = true }, nil, usher.OutcomeWrong, "rotated already", "undone"},
		{"the family lives", "refresh-reuse-detected", func(s *stateful) { s.keepsFamily = true }, nil, usher.OutcomeWrong, "successors live", "undone"},
		{"no rotation", "refresh-reuse-detected", func(s *stateful) { s.noRotation = true }, nil, usher.OutcomeNotApplicable, "does not rotate", "undone"},

		{"bound", "refresh-bound", nil, nil, usher.OutcomeOK, "its own client alone", "undone"},
		{"not bound", "refresh-bound", func(s *stateful) { s.anyClient = true }, nil, usher.OutcomeWrong, "without the client's credential", "undone"},
		{"no second client", "refresh-bound", nil, func(_ *stateful, o *probe.Options) { o.Secret, o.OtherClient = "", "" }, "skipped", "second client", ""},

		{"revoked is dead", "revocation-works", nil, nil, usher.OutcomeOK, "is dead", "undone"},
		{"revoked is alive", "revocation-works", func(s *stateful) { s.deaf = true }, nil, usher.OutcomeWrong, "still taken", ""},
		{"revoked, by the API", "revocation-works", func(s *stateful) { delete(s.doc, "introspection_endpoint") }, nil, usher.OutcomeOK, "is dead", "undone"},
		{"no revocation", "revocation-works", func(s *stateful) { delete(s.doc, "revocation_endpoint") }, nil, usher.OutcomeNotApplicable, "", ""},

		{"bound tokens", "dpop-required", nil, nil, usher.OutcomeOK, "with its proof alone", "undone"},
		{"bound tokens with a nonce", "dpop-required", func(s *stateful) { s.nonce = true }, nil, usher.OutcomeOK, "with its proof alone", "undone"},
		{"bound tokens as bearers", "dpop-required", func(s *stateful) { s.bearer = true }, nil, usher.OutcomeWrong, "as a bearer token", "undone"},
		{"no API", "dpop-required", nil, func(_ *stateful, o *probe.Options) { o.Resource = "" }, "skipped", "--resource", ""},
		{"no bound tokens", "dpop-required", func(s *stateful) { delete(s.doc, "dpop_signing_alg_values_supported") }, nil, usher.OutcomeNotApplicable, "binds", ""},
		{"it stays as no revocation is there", "dpop-required", func(s *stateful) { delete(s.doc, "revocation_endpoint"); s.noRevocation = true }, nil, usher.OutcomeOK, "proof alone", "not undone: the access token"},
	} {
		s := newStateful(t)
		if c.change != nil {
			c.change(s)
		}
		opt := s.options(c.id)
		opt.Change, opt.SignIn, opt.Resource, opt.OtherClient, opt.OtherSecret = true, s.signIn, s.URL+"/orders", "other", "0ther-s3cr3t"
		var steps []probe.Step
		opt.Announce = func(step probe.Step) bool { steps = append(steps, step); return true }
		if c.opt != nil {
			c.opt(s, &opt)
		}
		got := ask(t, s.as, opt)
		want(t, c.name, got, c.outcome, c.words)
		if !strings.Contains(got.Note, c.note) || c.note == "" && got.Note != "" && !s.deaf {
			t.Errorf("%s: note %q, want %q", c.name, got.Note, c.note)
		}
		if stays := strings.HasPrefix(c.note, "not undone"); got.Verdict != nil && strings.Contains(got.Verdict.Detail, "Not undone: the") != stays {
			t.Errorf("%s: a person reads %q", c.name, got.Verdict.Detail)
		}
		if !s.deaf && !s.noRevocation && (len(s.alive) > 0 || len(s.clients) > 0) {
			t.Errorf("%s: %d tokens and %d clients are left", c.name, len(s.alive), len(s.clients))
		}
		for _, step := range steps {
			if step.Safety != check.S2 || strings.Contains(step.Sends, s.secret) || strings.Contains(step.Sends, "0ther") {
				t.Errorf("%s: %+v", c.name, step)
			}
		}
		for _, text := range texts(got) {
			for _, secret := range []string{"0ther-s3cr3t", "n3w-s3cr3t", "r3g-t0ken", "c0de-s3cr3t"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s shows a secret: %s", c.name, text)
				}
			}
			for token := range s.family {
				if strings.Contains(text, token) {
					t.Errorf("%s shows a token: %s", c.name, text)
				}
			}
		}
	}
}

func TestReplay(t *testing.T) {
	key, text := newKey(t)
	for _, c := range []struct {
		name    string
		replay  bool
		deaf    bool
		outcome usher.Outcome
		words   string
	}{
		{"refused", true, false, usher.OutcomeOK, "second use"},
		{"taken", false, false, usher.OutcomeWrong, "same assertion twice"},
		{"not looked at", false, true, usher.OutcomeUnknown, "before it looks at assertions"},
	} {
		s := newAS(t)
		v := &verifier{key: key, audience: func(s *as) string { return s.URL }, longest: time.Hour, replay: c.replay}
		v.on(s)
		if c.deaf {
			s.token = func(w http.ResponseWriter, _ *http.Request) bool {
				fail(w, 400, oauth.ErrInvalidGrant, "")
				return true
			}
		}
		opt := s.options("assertion-replay")
		opt.Secret, opt.Key, opt.Change = "", text, true
		opt.Announce = func(probe.Step) bool { return true }
		want(t, c.name, ask(t, s, opt), c.outcome, c.words)
	}
}

// TestNobodyToAsk: what changes something is not done where nobody can be asked.
func TestNobodyToAsk(t *testing.T) {
	s := newStateful(t)
	opt := s.options("dcr-open", "revocation-works")
	opt.Change = true
	target := s.target()
	run(t, s.as, target, opt)
	for _, id := range opt.Only {
		want(t, id, target.Probed[id], "skipped", "nobody was there")
	}
	if len(s.requests) != 0 {
		t.Errorf("%d requests", len(s.requests))
	}
}

// TestUndoAfterTheEnd: what was made is undone also when time has run out.
func TestUndoAfterTheEnd(t *testing.T) {
	s := newStateful(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
		_, _ = io.WriteString(w, "")
	})
	opt := s.options("dpop-required")
	opt.Change, opt.Resource = true, s.URL+"/slow"
	opt.Announce = func(probe.Step) bool { return true }
	target := s.target()
	if err := probe.Run(ctx, trusting(s.as), target, opt); err == nil {
		t.Error("no error of a context that ended")
	}
	if len(s.alive) != 0 || !strings.Contains(target.Probed["dpop-required"].Note, "undone: the access token") {
		t.Errorf("%d tokens are left: %+v", len(s.alive), target.Probed["dpop-required"])
	}
}
