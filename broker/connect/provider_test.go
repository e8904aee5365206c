package connect_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"usher/token"
)

// provider is a small OpenID provider that is strict where real ones are, and
// that a test can make lie.
type provider struct {
	*httptest.Server
	now func() time.Time
	key *ecdsa.PrivateKey

	mu       sync.Mutex
	codes    map[string]issued // codes that were given and not redeemed
	spent    map[string]bool
	asked    int // token requests
	revoked  []string
	subject  string
	refresh  bool
	noIss    bool   // answers do not name their issuer
	iss      string // named in place of its own
	noPKCE   bool   // takes every verifier
	claims   func(jwt.MapClaims)
	sign     func(claims jwt.MapClaims) string
	noID     bool
	leak     bool // the key set holds the private key
	scope    string
	status   int // of token answers; 0: as it should be
	body     string
	pending  int      // device: answers before somebody agreed
	slow     int      // device: slow_down answers
	polls    []string // errors that polls were given
	device   string   // error in place of a token
	interval int
	// deviceChallenge is PKCE of the last device flow.
	deviceChallenge string
	expires         int
}

type issued struct{ client, redirect, challenge, nonce, scope string }

func newProvider(t *testing.T, now func() time.Time) *provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key, now: now, codes: map[string]issued{}, spent: map[string]bool{}, subject: "ana", refresh: true, interval: 1, expires: 300}
	p.sign = func(claims jwt.MapClaims) string { return signed(t, p.key, "k1", claims) }
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("POST /revoke", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.revoked = append(p.revoked, r.FormValue("token"))
	})
	mux.HandleFunc("POST /device", func(w http.ResponseWriter, r *http.Request) {
		if !client(r) {
			answer(w, 401, map[string]any{"error": "invalid_client"})
			return
		}
		challenge := r.FormValue("code_challenge")
		p.change(func() { p.deviceChallenge = challenge })
		answer(w, 200, map[string]any{"device_code": "the-device-code", "user_code": "WDJB-MJHT", "verification_uri": p.URL + "/activate", "verification_uri_complete": p.URL + "/activate?user_code=WDJB-MJHT", "expires_in": p.expires, "interval": p.interval})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		key := any(p.key.Public())
		if p.leak {
			key = p.key
		}
		answer(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func signed(t *testing.T, key *ecdsa.PrivateKey, kid string, claims jwt.MapClaims) string {
	tok := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	tok.Header["kid"] = kid
	text, err := tok.SignedString(key)
	if err != nil {
		t.Error(err)
	}
	return text
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// authorize is a person who is signed in and agrees to whatever is asked.
func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.mu.Lock()
	code := "code-" + rand.Text()
	p.codes[code] = issued{q.Get("client_id"), q.Get("redirect_uri"), q.Get("code_challenge"), q.Get("nonce"), q.Get("scope")}
	iss := p.URL
	if p.iss != "" {
		iss = p.iss
	}
	noIss := p.noIss
	p.mu.Unlock()
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	if !noIss {
		back.Set("iss", iss)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func client(r *http.Request) bool {
	id, secret, ok := r.BasicAuth()
	return ok && strings.HasPrefix(id, "the-client") && secret == theSecret
}

const theSecret = "S3cr3t-of-the-client-0123456789"

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	_ = r.ParseForm()
	no := func(code, description string) {
		answer(w, 400, map[string]any{"error": code, "error_description": description})
	}
	switch {
	case p.status != 0:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(p.status)
		_, _ = w.Write([]byte(p.body))
		return
	case !client(r):
		answer(w, 401, map[string]any{"error": "invalid_client"})
		return
	case r.PostForm.Get("grant_type") == "urn:ietf:params:oauth:grant-type:device_code":
		switch {
		case p.slow > 0:
			p.slow--
			p.polls = append(p.polls, "slow_down")
			no("slow_down", "")
			return
		case p.pending > 0:
			p.pending--
			p.polls = append(p.polls, "authorization_pending")
			no("authorization_pending", "")
			return
		case p.device != "":
			no(p.device, "")
			return
		case r.PostForm.Get("device_code") != "the-device-code":
			no("invalid_grant", "unknown device code")
			return
		case p.deviceChallenge == "" || p.deviceChallenge != challengeOf(r.PostForm.Get("code_verifier")):
			no("invalid_grant", "PKCE verification failed")
			return
		}
		p.give(w, issued{scope: "openid orders", client: "the-client"})
		return
	}
	code := r.PostForm.Get("code")
	i, ok := p.codes[code]
	if !ok || p.spent[code] {
		no("invalid_grant", "the code is unknown or was used")
		return
	}
	p.spent[code] = true
	id, _, _ := r.BasicAuth()
	switch {
	case i.client != id:
		no("invalid_grant", "the code was issued to another client")
	case i.redirect != r.PostForm.Get("redirect_uri"):
		no("invalid_grant", "redirect_uri differs")
	case !p.noPKCE && (i.challenge == "" || i.challenge != challengeOf(r.PostForm.Get("code_verifier"))):
		no("invalid_grant", "PKCE verification failed")
	default:
		p.give(w, i)
	}
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (p *provider) give(w http.ResponseWriter, i issued) {
	access := "at-" + rand.Text()
	body := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 3600}
	if p.refresh {
		body["refresh_token"] = "rt-" + rand.Text()
	}
	if p.scope != "" {
		body["scope"] = p.scope
	}
	if strings.Contains(i.scope, "openid") && !p.noID {
		now := p.now()
		claims := jwt.MapClaims{
			"iss": p.URL, "sub": p.subject, "aud": i.client, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "email": p.subject + "@shop.example", "at_hash": token.HalfHash("ES256", access),
		}
		if i.nonce != "" {
			claims["nonce"] = i.nonce
		}
		if p.claims != nil {
			p.claims(claims)
		}
		body["id_token"] = p.sign(claims)
	}
	answer(w, 200, body)
}

func (p *provider) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *provider) requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}
