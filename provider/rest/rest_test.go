package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher"
	"usher/guard"
	"usher/provider"
	"usher/provider/rest"
)

const planted = "planted-secret-of-words"

// TestAnswers turns what an API answers into the errors that callers know, and
// passes on what it says without a secret in it.
func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		want   error
		says   string
	}{
		{200, `{"a":1}`, nil, ""},
		{204, ``, nil, ""},
		{200, `<html>`, provider.ErrUnreachable, "cannot be read"},
		{400, `{"error":{"code":"Request_BadRequest","message":"no such key"}}`, provider.ErrUnsupported, "Request_BadRequest no such key"},
		{401, `{}`, provider.ErrForbidden, ""},
		{403, `{"errorCode":"E0000006","errorSummary":"You do not have permission","errorCauses":[{"errorSummary":"ask"}]}`, provider.ErrForbidden, "You do not have permission ask"},
		{404, `{"statusCode":404,"error":"Not Found","message":"The client does not exist"}`, provider.ErrNotFound, "The client does not exist"},
		{409, `{}`, provider.ErrChanged, ""},
		{412, `{}`, provider.ErrChanged, ""},
		{429, `{}`, provider.ErrUnreachable, "429"},
		{500, `{}`, provider.ErrUnreachable, "500"},
		{503, `<html>`, provider.ErrUnreachable, "503"},
		{400, `{"message":"Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2lnbmF0dXJl is bad"}`, provider.ErrUnsupported, "is bad"},
		{200, strings.Repeat(" ", 2<<20), provider.ErrUnreachable, "too large"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		}))
		c := client(t, s, func(context.Context) (usher.Secret, time.Duration, error) { return "t", time.Hour, nil })
		var out map[string]any
		r := rest.Request{Method: "GET", URL: s.URL + "/x", What: "the thing", Right: "a right", Out: &out}
		if tt.status == 204 {
			r.Out = nil
		}
		err := c.Do(t.Context(), r)
		if tt.want == nil && err != nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%d: %v", tt.status, err)
		}
		if err != nil && (!strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "eyJ")) {
			t.Errorf("%d says %v", tt.status, err)
		}
		s.Close()
	}
}

func client(t *testing.T, s *httptest.Server, token func(context.Context) (usher.Secret, time.Duration, error)) *rest.Client {
	t.Helper()
	c := &rest.Client{HTTP: guard.New(guard.Options{Trusted: []string{s.URL}}).HTTP(), Place: "the place", Account: "the account", Token: token, Timeout: 5 * time.Second}
	if err := c.Ready(); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestToken asks for a token once for many calls, and once more for one that was
// refused; a change is sent again only then.
func TestToken(t *testing.T) {
	var asked, changed atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t2" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, _ := io.ReadAll(r.Body)
		if string(body) != `{"a":1}` {
			t.Errorf("body %q", body)
		}
		changed.Add(1)
		_ = json.NewEncoder(w).Encode(map[string]int{"b": 2})
	}))
	defer s.Close()
	c := client(t, s, func(context.Context) (usher.Secret, time.Duration, error) {
		return []usher.Secret{"t1", "t2"}[min(asked.Add(1)-1, 1)], time.Hour, nil
	})
	for range 3 {
		var out struct{ B int }
		if err := c.Do(t.Context(), rest.Request{Method: "POST", URL: s.URL, What: "x", In: map[string]int{"a": 1}, Out: &out}); err != nil || out.B != 2 {
			t.Fatal(err)
		}
	}
	if asked.Load() != 2 || changed.Load() != 3 {
		t.Errorf("asked %d times for a token, changed %d times", asked.Load(), changed.Load())
	}
}

// TestGrant echoes the secret that it is sent.
func TestGrant(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		want   error
	}{
		{200, `{"access_token":"t","expires_in":60}`, nil},
		{200, `{}`, provider.ErrUnreachable},
		{401, `{"error":"invalid_client","error_description":"the secret ` + planted + ` is wrong"}`, provider.ErrForbidden},
		{429, `{"error":"` + planted + `"}`, provider.ErrUnreachable},
		{500, planted, provider.ErrUnreachable},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		}))
		_, life, err := client(t, s, nil).Grant(t.Context(), s.URL+"/token", "usher", planted, nil)
		if tt.want == nil && (err != nil || life != time.Minute) || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%d: %v", tt.status, err)
		}
		if err != nil && strings.Contains(err.Error(), planted) {
			t.Errorf("the secret is told: %v", err)
		}
		s.Close()
	}
}

// TestAlone lets changes wait for each other, and for no longer than they have time.
func TestAlone(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	c := client(t, s, nil)
	release, err := c.Alone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := c.Alone(ctx); !errors.Is(err, provider.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	release()
	if release, err = c.Alone(t.Context()); err != nil {
		t.Fatal(err)
	}
	release()
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]bool{
		"0oa1B-x_Y": true, "": false, "..": false, "a/b": false, "a%2fb": false, "a?b": false, "a b": false, "\u00e4": false, "a;b": false,
	} {
		if rest.Plain(text) != want {
			t.Errorf("%q", text)
		}
	}
}
