// Package probe_test holds the checks and the probes against servers: seven
// that answer as some do and most clients do not notice, and the lab.
package probe_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"usher"
	"usher/check"
	"usher/check/all"
	"usher/check/live"
	"usher/check/probe"
	"usher/check/read"
	"usher/evidence"
	"usher/guard"
)

// server is a provider whose token endpoint answers in one way, whoever asks.
type server struct {
	*httptest.Server
	key    *ecdsa.PrivateKey
	status int
	answer func(s *server) map[string]any
}

func newServer(t *testing.T, status int, answer func(s *server) map[string]any) *server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s := &server{Server: httptest.NewServer(mux), key: key, status: status, answer: answer}
	t.Cleanup(s.Close)
	give := func(path string, status int, v func() any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(v())
		})
	}
	give("/.well-known/openid-configuration", 200, func() any {
		return map[string]any{
			"issuer": s.URL, "authorization_endpoint": s.URL + "/auth", "token_endpoint": s.URL + "/token", "jwks_uri": s.URL + "/keys",
			"response_types_supported": []string{"code"}, "id_token_signing_alg_values_supported": []string{"ES256"}, "subject_types_supported": []string{"public"},
		}
	})
	give("/keys", 200, func() any {
		return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}}
	})
	give("/token", status, func() any { return answer(s) })
	return s
}

// idToken makes an ID token, in order but for what change does to it.
func (s *server) idToken(change func(claims map[string]any)) string {
	now := time.Now()
	claims := map[string]any{
		"iss": s.URL, "sub": "ann", "aud": "web", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "nonce": "n-0S6",
	}
	change(claims)
	body, _ := json.Marshal(claims)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", "k1"))
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign(body)
	if err != nil {
		panic(err)
	}
	text, _ := jws.CompactSerialize()
	return text
}

func (s *server) unsigned() string {
	part := func(v any) string { b, _ := json.Marshal(v); return base64.RawURLEncoding.EncodeToString(b) }
	return part(map[string]any{"alg": "none", "typ": "JWT"}) + "." + part(map[string]any{
		"iss": s.URL, "sub": "ann", "aud": "web", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}) + "."
}

// success is an answer that is in order, but for what is changed.
func success(s *server, change func(map[string]any)) map[string]any {
	out := map[string]any{
		"access_token": "2YotnFZFEjr1zCsicMWpAA-opaque", "token_type": "Bearer", "expires_in": 300, "scope": "openid orders payments",
		"id_token": s.idToken(func(map[string]any) {}),
	}
	change(out)
	return out
}

const (
	traceID       = "7a1f5c3e-2b64-4f0e-9a57-3f6d0e2b8c41"
	correlationID = "5d0c5f60-7c1b-4f0e-9a57-aa6d0e2b8c99"
)

// har is the exchange as a browser or a proxy keeps it: what the client in the
// middle saw, whatever it made of it.
func (s *server) har(t *testing.T) []byte {
	t.Helper()
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {"SplxlOBeZQQYbYS6WxSbIA"}, "redirect_uri": {"https://app.example/cb"}, "client_id": {"web"},
		"client_secret": {"s3cr3t-0f-the-client"}, "scope": {"openid orders payments"},
	}
	resp, err := http.PostForm(s.URL+"/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	var headers []map[string]string
	for name := range resp.Header {
		headers = append(headers, map[string]string{"name": name, "value": resp.Header.Get(name)})
	}
	entry := func(request, response map[string]any) map[string]any {
		return map[string]any{"startedDateTime": time.Now().UTC().Format(time.RFC3339Nano), "request": request, "response": response}
	}
	sent := s.URL + "/auth?response_type=code&client_id=web&redirect_uri=" + url.QueryEscape("https://app.example/cb") + "&scope=openid+orders+payments&state=af0ifjsldkj&nonce=n-0S6"
	back := "https://app.example/cb?code=SplxlOBeZQQYbYS6WxSbIA&state=af0ifjsldkj"
	har, err := json.Marshal(map[string]any{"log": map[string]any{"version": "1.2", "creator": map[string]any{"name": "test", "version": "1"}, "entries": []any{
		entry(map[string]any{"method": "GET", "url": sent, "headers": []any{}}, map[string]any{
			"status": 302, "headers": []any{map[string]string{"name": "Location", "value": back}}, "content": map[string]any{"mimeType": "text/html", "text": ""},
		}),
		entry(map[string]any{
			"method": "POST", "url": s.URL + "/token", "headers": []any{map[string]string{"name": "Content-Type", "value": "application/x-www-form-urlencoded"}},
			"postData": map[string]any{"mimeType": "application/x-www-form-urlencoded", "text": form.Encode()},
		}, map[string]any{"status": resp.StatusCode, "headers": headers, "content": map[string]any{"mimeType": "application/json", "text": string(body)}}),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return har
}

// judged is what usher says of the provider and of what passed.
func (s *server) judged(t *testing.T) []usher.Finding {
	t.Helper()
	set, err := evidence.Read([]evidence.Input{{Name: "flow.har", Data: s.har(t)}})
	if err != nil {
		t.Fatal(err)
	}
	target := read.Target(set, time.Now(), "")
	c := guard.New(guard.Options{Trusted: []string{s.URL}})
	if err := live.Gather(context.Background(), c, target, live.Options{Issuer: s.URL}); err != nil {
		t.Fatal(err)
	}
	findings, _ := check.Run(target, all.Checks())
	return findings
}

func text(f usher.Finding) string {
	list := []string{f.Title, f.Detail}
	for _, p := range f.Proof {
		list = append(list, p.Place, p.Quote, p.Expected, p.Got)
	}
	return strings.Join(list, "\n")
}

var sevenChecks = []string{"secret-valid", "token-claims-challenge", "token-type", "scope-granted-less", "token-iss", "token-alg-none", "token-expired"}

// TestSevenServers: what a client loses on its way, usher says.
func TestSevenServers(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		answer func(s *server) map[string]any
		check  string
		words  []string
	}{
		{"an AADSTS answer's codes and trace id", 401, func(*server) map[string]any {
			return map[string]any{
				"error": "invalid_client", "error_description": "AADSTS7000222: The provided client secret keys for app 'web' are expired.\r\nTrace ID: " + traceID + "\r\nCorrelation ID: " + correlationID + "\r\nTimestamp: 2026-07-01 10:00:00Z",
				"error_codes": []int{7000222}, "timestamp": "2026-07-01 10:00:00Z", "trace_id": traceID, "correlation_id": correlationID,
			}
		}, "secret-valid", []string{"7000222", traceID, correlationID}},
		{"an AADSTS answer's suberror and claims challenge", 400, func(*server) map[string]any {
			return map[string]any{
				"error": "interaction_required", "error_description": "AADSTS50076: Due to a configuration change made by your administrator, you must use multi-factor authentication to access the resource.",
				"error_codes": []int{50076}, "suberror": "basic_action", "trace_id": traceID, "correlation_id": correlationID,
				"claims": `{"access_token":{"capolids":{"essential":true,"values":["2c6f3d1e-8a44-4b0e-9d6a-71f05b3c9e10"]}}}`,
			}
		}, "token-claims-challenge", []string{"50076", "basic_action", "capolids", traceID}},
		{"a missing token_type", 200, func(s *server) map[string]any {
			return success(s, func(m map[string]any) { delete(m, "token_type") })
		}, "token-type", []string{"token_type"}},
		{"a scope narrower than asked", 200, func(s *server) map[string]any {
			return success(s, func(m map[string]any) { m["scope"] = "openid orders" })
		}, "scope-granted-less", []string{"payments"}},
		{"a wrong issuer", 200, func(s *server) map[string]any {
			return success(s, func(m map[string]any) {
				m["id_token"] = s.idToken(func(c map[string]any) { c["iss"] = "https://other.example" })
			})
		}, "token-iss", []string{"https://other.example"}},
		{"an unsigned token", 200, func(s *server) map[string]any {
			return success(s, func(m map[string]any) { m["id_token"] = s.unsigned() })
		}, "token-alg-none", []string{"none"}},
		{"a token of 1970", 200, func(s *server) map[string]any {
			return success(s, func(m map[string]any) {
				m["id_token"] = s.idToken(func(c map[string]any) { c["iat"], c["exp"] = 100, 3700 })
			})
		}, "token-expired", []string{"1970"}},
		{"an answer in order", 200, func(s *server) map[string]any { return success(s, func(map[string]any) {}) }, "", nil},
	} {
		s := newServer(t, c.status, c.answer)
		var found *usher.Finding
		for _, f := range s.judged(t) {
			for _, secret := range []string{"s3cr3t-0f-the-client", "SplxlOBeZQQYbYS6WxSbIA", "2YotnFZFEjr1zCsicMWpAA"} {
				if strings.Contains(text(f), secret) {
					t.Errorf("%s: %s shows a secret", c.name, f.Check)
				}
			}
			if f.Check == c.check && f.Outcome == usher.OutcomeWrong {
				found = &f
			}
			if f.Outcome == usher.OutcomeWrong && f.Check != c.check && slices.Contains(sevenChecks, f.Check) {
				t.Errorf("%s: %s cries wolf: %s", c.name, f.Check, f.Title)
			}
		}
		if c.check == "" {
			continue
		}
		if found == nil {
			t.Errorf("%s: %s does not say it", c.name, c.check)
			continue
		}
		for _, w := range c.words {
			if !strings.Contains(text(*found), w) {
				t.Errorf("%s: %s leaves out %s:\n%s", c.name, c.check, w, text(*found))
			}
		}
	}
}

// TestAADSTSProbed: the same by a probe of the client's own credential.
func TestAADSTSProbed(t *testing.T) {
	s := newServer(t, 401, func(*server) map[string]any {
		return map[string]any{
			"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.", "error_codes": []int{7000215},
			"suberror": "bad_token", "trace_id": traceID, "correlation_id": correlationID,
		}
	})
	c := guard.New(guard.Options{Trusted: []string{s.URL}})
	target := read.Target(nil, time.Now(), "")
	if err := live.Gather(context.Background(), c, target, live.Options{Issuer: s.URL}); err != nil {
		t.Fatal(err)
	}
	err := probe.Run(context.Background(), c, target, probe.Options{ClientID: "web", Secret: "an-0ld-s3cr3t", Only: []string{"secret-valid"}, Wait: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	findings, _ := check.Run(target, all.Checks())
	for _, f := range findings {
		if f.Check != "secret-valid" {
			continue
		}
		for _, w := range []string{"7000215", traceID, correlationID, "bad_token"} {
			if !strings.Contains(text(f), w) {
				t.Errorf("%s is lost:\n%s", w, text(f))
			}
		}
		if f.Cause != "client-secret-invalid" || f.Outcome != usher.OutcomeWrong || strings.Contains(text(f), "an-0ld-s3cr3t") {
			t.Errorf("%+v", f)
		}
	}
}
