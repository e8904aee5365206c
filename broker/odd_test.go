package broker_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/broker/memory"
	"usher/broker/strategy"
)

// sender sends once and follows nothing.
type sender struct{ c http.Client }

func (s *sender) Once(r *http.Request) (*http.Response, error) {
	s.c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s.c.Do(r)
}

// TestOddAnswers has a provider answer as no provider should. With the real
// reader of answers and the real strategies: the token that lives is handed out
// or there is one clear refusal, one event tells of it, no secret is anywhere,
// and the other connections are untouched.
func TestOddAnswers(t *testing.T) {
	tests := []struct {
		name   string
		status int
		kind   string
		body   string
		given  bool
		cause  string // where nothing is given; empty: any
	}{
		{"expires_in as text", 200, "application/json", `{"access_token":"access-odd","token_type":"Bearer","expires_in":"3600"}`, true, ""},
		{"expires_in zero", 200, "application/json", `{"access_token":"access-odd","token_type":"Bearer","expires_in":0}`, true, ""},
		{"expires_in negative", 200, "application/json", `{"access_token":"access-odd","token_type":"Bearer","expires_in":-5}`, true, ""},
		{"expires_in absurd", 200, "application/json", `{"access_token":"access-odd","token_type":"Bearer","expires_in":1e300}`, true, ""},
		{"expires_in absent", 200, "application/json", `{"access_token":"access-odd","token_type":"bearer"}`, true, ""},
		{"a narrower scope", 200, "application/json", `{"access_token":"access-odd","token_type":"Bearer","expires_in":3600,"scope":"read"}`, true, ""},
		{"DPoP", 200, "application/json", `{"access_token":"access-odd","token_type":"DPoP","expires_in":3600}`, false, "token-wrong-type"},
		{"an error with 200", 200, "application/json", `{"error":"invalid_client","error_description":"no s3cret"}`, false, ""},
		{"HTML", 200, "text/html", `<html><title>Sign in</title>access-odd</html>`, false, ""},
		{"nothing", 200, "application/json", ``, false, ""},
		{"a list", 200, "application/json", `[{"access_token":"access-odd"}]`, false, ""},
		{"no token", 200, "application/json", `{"token_type":"Bearer","expires_in":3600}`, false, ""},
		{"an empty token", 200, "application/json", `{"access_token":"","token_type":"Bearer"}`, false, ""},
		{"cut off", 200, "application/json", `{"access_token":"access-o`, false, ""},
		{"a redirect", 302, "text/html", `moved`, false, ""},
		{"a proxy's 502", 502, "text/html", `<h1>Bad Gateway</h1>`, false, ""},
		{"invalid_client", 401, "application/json", `{"error":"invalid_client"}`, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/well") {
					w.Header().Set("Content-Type", "application/json")
					fmt.Fprint(w, `{"access_token":"access-well","token_type":"Bearer","expires_in":3600}`)
					return
				}
				w.Header().Set("Content-Type", tt.kind)
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			}))
			defer srv.Close()
			seen := &events{t: t, uids: map[string]bool{}}
			s := &sender{c: http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
			b := broker.New(broker.Options{
				Store: memory.New(nil), Seal: plain{}, Ask: grant.New(grant.Options{HTTP: s}), Emit: seen.emit, Decide: strategy.Decide,
			})
			defer b.Close()
			c, k := machine()
			for _, id := range []string{shop, "well"} {
				c.ID, c.Endpoints.Token = id, srv.URL+"/token"
				if id == "well" {
					c.Endpoints.Token = srv.URL + "/well"
				}
				if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
					t.Fatal(err)
				}
			}
			var all sync.WaitGroup
			var tok broker.Token
			var err error
			all.Go(func() { tok, err = b.Token(t.Context(), shop, broker.Ask{}) })
			for range 20 {
				all.Go(func() { _, _ = b.Token(t.Context(), shop, broker.Ask{}) })
			}
			all.Wait()
			v, _ := b.Get(t.Context(), shop)
			if tt.given != (err == nil) {
				t.Errorf("%+v %v; %+v", tok, err, v.Status)
			}
			if tt.given && (tok.Access != "access-odd" || !tok.Expires.IsZero() && time.Until(tok.Expires) > 25*time.Hour) {
				t.Errorf("%+v", tok)
			}
			told := seen.list()
			if len(told) != 1 {
				t.Errorf("%d events: %+v", len(told), told)
			}
			if !tt.given {
				switch tr := v.Status.Trouble; {
				case tr == nil, tr.Title == "", tt.cause != "" && tr.Cause != tt.cause:
					t.Errorf("%+v", tr)
				case told[0].Unmapped["cause"] != tr.Cause || told[0].Status != usher.StatusFailure:
					t.Errorf("%+v", told[0])
				}
			}
			shown, _ := json.Marshal(v)
			for _, secret := range []string{"access-odd", "s3cret"} {
				if strings.Contains(string(shown)+fmt.Sprint(err), secret) {
					t.Errorf("%s is shown: %s %v", secret, shown, err)
				}
			}
			if tok, err := b.Token(t.Context(), "well", broker.Ask{}); err != nil || tok.Access != "access-well" || tok.Short != "" {
				t.Errorf("the other connection: %+v %v", tok, err)
			}
		})
	}
}
