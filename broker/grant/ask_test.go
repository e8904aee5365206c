package grant_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"usher"
	"usher/broker/grant"
	"usher/guard"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// asker gives an Asker that may go to a test's server, with the clock of tests.
func asker(s *httptest.Server) *grant.Asker {
	return grant.New(grant.Options{HTTP: guard.New(guard.Options{Trusted: []string{s.URL}}), Now: func() time.Time { return now }})
}

// endpoint serves one answer and keeps what was asked.
type endpoint struct {
	*httptest.Server
	asked atomic.Int32
	form  url.Values
	head  http.Header
	body  string
}

func serve(t *testing.T, status int, kind, body string) *endpoint {
	t.Helper()
	e := &endpoint{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.asked.Add(1)
		raw, _ := io.ReadAll(r.Body)
		e.body, e.head = string(raw), r.Header.Clone()
		e.form, _ = url.ParseQuery(e.body)
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Date", now.Format(http.TimeFormat))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(e.Close)
	return e
}

func request(endpoint, method string) grant.Request {
	r := grant.Request{
		Endpoint: endpoint + "/token", AuthMethod: method, ClientID: "shop", Secret: "s3cret-of-the-shop-77",
		Params: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt-old-very-secret-1234"}, "scope": {"a b"}},
	}
	if method == "none" || method == "private_key_jwt" {
		r.Secret = ""
	}
	return r
}

const good = `{"access_token":"at-1","token_type":"Bearer","expires_in":3600}`

// TestJSON: an endpoint that is known to take JSON gets it, with the client's
// authentication where it belongs; others, and other requests, are forms.
func TestJSON(t *testing.T) {
	e := serve(t, 200, "application/json", good)
	token := e.URL + "/token"
	a := grant.New(grant.Options{
		HTTP: guard.New(guard.Options{Trusted: []string{e.URL}}), Now: func() time.Time { return now },
		JSON: func(endpoint string) bool { return endpoint == token },
	})
	r := request(e.URL, "client_secret_post")
	r.Secret, r.Params["resource"] = `a&b<"cä`, []string{"https://a.test", "https://b.test"}
	if _, err := a.Ask(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	const want = `{"client_id":"shop","client_secret":"a&b<\"cä","grant_type":"refresh_token","refresh_token":"rt-old-very-secret-1234","resource":["https://a.test","https://b.test"],"scope":"a b"}`
	if e.body != want || e.head.Get("Content-Type") != "application/json" {
		t.Errorf("got %s %s", e.head.Get("Content-Type"), e.body)
	}
	if _, err := a.Ask(t.Context(), request(e.URL, "client_secret_basic")); err != nil || e.head.Get("Authorization") == "" || strings.Contains(e.body, "client_id") {
		t.Errorf("by Basic: %v %s", err, e.body)
	}
	elsewhere := request(e.URL, "client_secret_post")
	elsewhere.Endpoint += "2"
	if _, err := a.Ask(t.Context(), elsewhere); err != nil || e.form.Get("client_id") != "shop" {
		t.Errorf("to another endpoint: %v %s", err, e.body)
	}
	about := request(e.URL, "client_secret_post")
	about.Params = nil
	_, _ = a.Introspect(t.Context(), about, "at-1", "access_token")
	if e.form.Get("token") != "at-1" {
		t.Errorf("an introspection: %s", e.body)
	}
}

// TestStyles: each way to authenticate is sent as it is written, alone.
func TestStyles(t *testing.T) {
	ask := func(t *testing.T, change func(*grant.Request), method string) *endpoint {
		e := serve(t, 200, "application/json", good)
		r := request(e.URL, method)
		if change != nil {
			change(&r)
		}
		if _, err := asker(e.Server).Ask(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if e.head.Get("Content-Type") != "application/x-www-form-urlencoded" || e.head.Get("Accept") != "application/json" {
			t.Errorf("headers: %v", e.head)
		}
		if e.form.Get("grant_type") != "refresh_token" || e.form.Get("refresh_token") != "rt-old-very-secret-1234" {
			t.Errorf("form: %v", e.form)
		}
		return e
	}
	t.Run("client_secret_basic", func(t *testing.T) {
		e := ask(t, func(r *grant.Request) { r.ClientID, r.Secret = "shop:1 ä", "a+b%c&d=e f/ü" }, "client_secret_basic")
		// RFC 6749 section 2.3.1 and appendix B: form-encoded, then joined.
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte("shop%3A1+%C3%A4:a%2Bb%25c%26d%3De+f%2F%C3%BC"))
		if got := e.head.Get("Authorization"); got != want {
			t.Errorf("got %s", got)
		}
		if e.form.Has("client_id") || e.form.Has("client_secret") {
			t.Errorf("a second style is in the form: %v", e.form)
		}
	})
	t.Run("client_secret_post", func(t *testing.T) {
		e := ask(t, func(r *grant.Request) { r.Secret = "a+b%c&d=e" }, "client_secret_post")
		if e.form.Get("client_id") != "shop" || e.form.Get("client_secret") != "a+b%c&d=e" || e.head.Get("Authorization") != "" {
			t.Errorf("got %v %v", e.form, e.head)
		}
	})
	t.Run("none", func(t *testing.T) {
		e := ask(t, func(r *grant.Request) { r.Secret = "left over" }, "none")
		if e.form.Get("client_id") != "shop" || e.head.Get("Authorization") != "" || strings.Contains(e.body, "left") {
			t.Errorf("got %v %v", e.form, e.head)
		}
	})
	t.Run("client_secret_jwt", func(t *testing.T) {
		for _, secret := range []usher.Secret{"short", "a secret that is longer than thirty-two bytes, which is the hash"} {
			e := ask(t, func(r *grant.Request) { r.Secret = secret }, "client_secret_jwt")
			claims := verified(t, e, []byte(secret.Reveal()), jose.HS256, "")
			if claims["aud"] != e.URL+"/token" || strings.Contains(e.body, secret.Reveal()) {
				t.Errorf("got %v", claims)
			}
		}
	})
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	ecKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	for _, tt := range []struct {
		name   string
		key    usher.Secret
		public any
		alg    jose.SignatureAlgorithm
		kid    string
	}{
		{"PKCS8 RSA", pkcs8(t, rsaKey), rsaKey.Public(), jose.RS256, "k-config"},
		{"PKCS1 RSA", usher.Secret(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})), rsaKey.Public(), jose.RS256, "k-config"},
		{"PKCS8 EC", pkcs8(t, ecKey), ecKey.Public(), jose.ES256, "k-config"},
		{"SEC1 EC", sec1(t, ecKey), ecKey.Public(), jose.ES256, "k-config"},
		{"PKCS8 Ed25519", pkcs8(t, edKey), edKey.Public(), jose.EdDSA, "k-config"},
		{"JWK RSA", jwk(t, rsaKey, "k-jwk", ""), rsaKey.Public(), jose.RS256, "k-jwk"},
		{"JWK RSA with PS256", jwk(t, rsaKey, "k-jwk", "PS256"), rsaKey.Public(), jose.PS256, "k-jwk"},
		{"JWK EC", jwk(t, ecKey, "k-jwk", "ES256"), ecKey.Public(), jose.ES256, "k-jwk"},
		{"JWK Ed25519 without kid", jwk(t, edKey, "", ""), edKey.Public(), jose.EdDSA, "k-config"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := ask(t, func(r *grant.Request) { r.Key, r.KeyID, r.Audience = tt.key, "k-config", "https://issuer.example" }, "private_key_jwt")
			claims := verified(t, e, tt.public, tt.alg, tt.kid)
			if claims["aud"] != "https://issuer.example" || claims["iss"] != "shop" || claims["sub"] != "shop" || claims["exp"] != float64(now.Unix()+240) || claims["iat"] != float64(now.Unix()) || len(claims["jti"].(string)) < 20 {
				t.Errorf("claims: %v", claims)
			}
		})
	}
}

func pkcs8(t *testing.T, key any) usher.Secret {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return usher.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func sec1(t *testing.T, key *ecdsa.PrivateKey) usher.Secret {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return usher.Secret(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

func jwk(t *testing.T, key any, kid, alg string) usher.Secret {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: alg})
	if err != nil {
		t.Fatal(err)
	}
	return usher.Secret(b)
}

// verified gives the claims of the assertion that was sent.
func verified(t *testing.T, e *endpoint, key any, alg jose.SignatureAlgorithm, kid string) map[string]any {
	t.Helper()
	if e.head.Get("Authorization") != "" || e.form.Has("client_secret") || e.form.Get("client_id") != "shop" ||
		e.form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		t.Errorf("form: %v", e.form)
	}
	if secret, ok := key.([]byte); ok && len(secret) < 32 { // as HMAC does by itself
		key = append(secret, make([]byte, 32-len(secret))...)
	}
	parsed, err := jwt.ParseSigned(e.form.Get("client_assertion"), []jose.SignatureAlgorithm{alg})
	if err != nil {
		t.Fatal(err)
	}
	if parsed.Headers[0].KeyID != kid || parsed.Headers[0].ExtraHeaders["typ"] != "JWT" {
		t.Errorf("header: %+v", parsed.Headers[0])
	}
	claims := map[string]any{}
	if err := parsed.Claims(key, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// TestCertificate: Entra knows a key by its certificate.
func TestCertificate(t *testing.T) {
	key, _ := rsa.GenerateKey(rand.Reader, 2048)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("any bytes")})) + pkcs8(t, key).Reveal()
	signed, err := grant.Assertion{Issuer: "shop", Audience: "x", Issued: now, Key: usher.Secret(text)}.Sign()
	if err != nil {
		t.Fatal(err)
	}
	head, _ := base64.RawURLEncoding.DecodeString(strings.Split(signed.Reveal(), ".")[0])
	if !strings.Contains(string(head), `"x5t#S256":"`) || !strings.Contains(string(head), `"x5t":"`) {
		t.Errorf("header: %s", head)
	}
}

// TestMisused: what cannot be sent right is not sent at all.
func TestMisused(t *testing.T) {
	e := serve(t, 200, "application/json", good)
	weak, _ := rsa.GenerateKey(rand.Reader, 1024)
	public, _ := json.Marshal(jose.JSONWebKey{Key: ed25519.PublicKey(make([]byte, 32))})
	for name, change := range map[string]func(*grant.Request){
		"no style":          func(r *grant.Request) { r.AuthMethod = "" },
		"unknown style":     func(r *grant.Request) { r.AuthMethod = "tls_client_auth" },
		"no secret, basic":  func(r *grant.Request) { r.Secret = "" },
		"no secret, post":   func(r *grant.Request) { r.AuthMethod, r.Secret = "client_secret_post", "" },
		"no secret, jwt":    func(r *grant.Request) { r.AuthMethod, r.Secret = "client_secret_jwt", "" },
		"no key":            func(r *grant.Request) { r.AuthMethod = "private_key_jwt" },
		"no key in it":      func(r *grant.Request) { r.AuthMethod, r.Key = "private_key_jwt", "planted-secret-no-key" },
		"public key":        func(r *grant.Request) { r.AuthMethod, r.Key = "private_key_jwt", usher.Secret(public) },
		"broken JWK":        func(r *grant.Request) { r.AuthMethod, r.Key = "private_key_jwt", `{"kty":"planted-secret-RSA"}` },
		"weak key":          func(r *grant.Request) { r.AuthMethod, r.Key = "private_key_jwt", pkcs8(t, weak) },
		"no client":         func(r *grant.Request) { r.ClientID = "" },
		"no grant":          func(r *grant.Request) { r.Params = url.Values{} },
		"no endpoint":       func(r *grant.Request) { r.Endpoint = "" },
		"relative endpoint": func(r *grant.Request) { r.Endpoint = "/token" },
		"other scheme":      func(r *grant.Request) { r.Endpoint = "ftp://x/token" },
		"user in endpoint":  func(r *grant.Request) { r.Endpoint = strings.Replace(r.Endpoint, "://", "://u:planted-secret@", 1) },
		"fragment":          func(r *grant.Request) { r.Endpoint += "#f" },
		"untrusted origin":  func(r *grant.Request) { r.Endpoint = "http://127.0.0.1:9/token" },
		"untrusted https":   func(r *grant.Request) { r.Endpoint = "https://127.0.0.1:9/token" },
	} {
		t.Run(name, func(t *testing.T) {
			r := request(e.URL, "client_secret_basic")
			change(&r)
			_, err := asker(e.Server).Ask(t.Context(), r)
			refusal := refusalOf(t, err)
			if refusal.Kind != grant.Misused || refusal.Unsure() {
				t.Errorf("got %s: %v", refusal.Kind, err)
			}
			if strings.Contains(err.Error(), "planted") || strings.Contains(refusal.Endpoint, "planted") {
				t.Errorf("a secret is told: %v", err)
			}
		})
	}
	if e.asked.Load() != 0 {
		t.Errorf("%d requests were sent", e.asked.Load())
	}
}

func refusalOf(t *testing.T, err error) *grant.Refusal {
	t.Helper()
	r, ok := err.(*grant.Refusal)
	if !ok {
		t.Fatalf("want a refusal, got %T: %v", err, err)
	}
	return r
}

// TestOnce: whatever the answer, it is asked once, and no redirect is followed.
func TestOnce(t *testing.T) {
	for _, status := range []int{200, 301, 302, 307, 308, 400, 401, 403, 408, 421, 425, 429, 500, 502, 503, 504} {
		e := &endpoint{}
		e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			e.asked.Add(1)
			w.Header().Set("Location", e.URL+"/elsewhere")
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(status)
		}))
		_, err := asker(e.Server).Ask(t.Context(), request(e.URL, "client_secret_post"))
		if err == nil {
			t.Errorf("%d: a token", status)
		}
		if n := e.asked.Load(); n != 1 {
			t.Errorf("%d: asked %d times", status, n)
		}
		e.Close()
	}
}

func TestIntrospect(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		active bool
		kind   grant.RefusalKind
	}{
		{200, `{"active":true,"sub":"x"}`, true, ""},
		{200, `{"active":false}`, false, ""},
		{200, `{"active":"true"}`, true, ""},
		{200, `{"active":1}`, false, grant.Unreadable},
		{200, `{}`, false, grant.Unreadable},
		{200, `<html>`, false, grant.Unreadable},
		{401, `{"error":"invalid_client"}`, false, grant.Refused},
		{403, `{"active":true}`, false, grant.Unreadable},
		{503, ``, false, grant.Busy},
	} {
		e := serve(t, tt.status, "application/json", tt.body)
		r := request(e.URL, "client_secret_basic")
		r.Params = nil
		active, err := asker(e.Server).Introspect(t.Context(), r, "rt-9", "refresh_token")
		if active != tt.active || (err == nil) != (tt.kind == "") || err != nil && refusalOf(t, err).Kind != tt.kind {
			t.Errorf("%d %s: %v %v", tt.status, tt.body, active, err)
		}
		if e.form.Get("token") != "rt-9" || e.form.Get("token_type_hint") != "refresh_token" || e.form.Has("grant_type") {
			t.Errorf("form: %v", e.form)
		}
	}
}

func TestRevoke(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		kind   grant.RefusalKind
	}{
		{200, ``, ""},
		{200, `{}`, ""},
		{204, ``, ""},
		{400, `{"error":"invalid_token"}`, ""},
		{400, `{"error":"unsupported_token_type"}`, grant.Refused},
		{401, `{"error":"invalid_client"}`, grant.Refused},
		{503, `busy`, grant.Busy},
		{404, `<html>`, grant.Unreadable},
	} {
		e := serve(t, tt.status, "application/json", tt.body)
		err := asker(e.Server).Revoke(t.Context(), request(e.URL, "client_secret_post"), "at-9", "access_token")
		if (err == nil) != (tt.kind == "") || err != nil && refusalOf(t, err).Kind != tt.kind {
			t.Errorf("%d %s: %v", tt.status, tt.body, err)
		}
	}
}

// TestCancelled: who goes away before anything was sent has sent nothing; while
// the answer is on its way, it is lost.
func TestCancelled(t *testing.T) {
	began := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		close(began)
		<-r.Context().Done()
	}))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	_, err := asker(s).Ask(ctx, request(s.URL, "client_secret_post"))
	if r := refusalOf(t, err); r.Kind != grant.Lost || !r.Unsure() {
		t.Errorf("got %s: %v", r.Kind, err)
	}
	_, err = asker(s).Ask(ctx, request(s.URL, "client_secret_post"))
	if r := refusalOf(t, err); r.Kind != grant.Unreachable || r.Unsure() {
		t.Errorf("got %s: %v", r.Kind, err)
	}
}
