package probe_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"usher/check"
	"usher/check/probe"
	"usher/guard"
)

// TestTrouble: an answer of somebody who has no time passes neither for a
// refusal nor for a fault.
func TestTrouble(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for id, after := range map[string]int{
			"client-id-known": 1, "pkce-enforced": 1, "unknown-parameters": 1, "redirect-server-exact": 2, "redirect-error-no-redirect": 0,
			"redirect-open-redirector": 0, "cors-authorization": 0, "cors-token-spa": 0,
		} {
			s := newAS(t)
			n := 0
			busy := func(w http.ResponseWriter) bool {
				if n++; n <= after {
					return false
				}
				w.WriteHeader(status)
				return true
			}
			s.authorize = func(w http.ResponseWriter, r *http.Request) bool {
				if busy(w) {
					return true
				}
				if id == "client-id-known" {
					_, _ = w.Write([]byte("<p>Sign in</p>"))
					return true
				}
				return false
			}
			for _, path := range []string{"OPTIONS /auth", "OPTIONS /token", "GET /cb"} {
				s.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { busy(w) })
			}
			opt := s.options(id)
			switch id {
			case "redirect-open-redirector":
				opt.RedirectURI = s.URL + "/cb"
			case "cors-token-spa":
				opt.Secret, opt.Origin = "", "https://app.example"
			}
			want(t, id, ask(t, s, opt), "skipped", "says nothing of what was asked")
		}
	}
}

// TestOutOfTime: what is left when time has run out says so, and does not ask
// for leave that was given.
func TestOutOfTime(t *testing.T) {
	s := newAS(t)
	ctx, cancel := context.WithCancel(context.Background())
	s.authorize = func(http.ResponseWriter, *http.Request) bool { cancel(); return false }
	target := s.target()
	err := probe.Run(ctx, guard.New(guard.Options{Trusted: []string{s.URL}}), target, s.options())
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for id, safety := range probe.IDs() {
		if a := target.Probed[id]; safety != check.S2 && (a == nil || a.Verdict == nil && a.Skipped == "") {
			t.Errorf("%s: nothing is said", id)
		}
	}
	if len(s.requests) > 1 {
		t.Errorf("%d requests", len(s.requests))
	}
}

// TestNoTokenInTheClear: a token goes to the own API over TLS alone.
func TestNoTokenInTheClear(t *testing.T) {
	s := newStateful(t)
	delete(s.doc, "introspection_endpoint")
	opt := s.options("revocation-works")
	opt.Change, opt.Announce, opt.Resource = true, func(probe.Step) bool { return true }, "http://api.example/orders"
	target := s.target()
	run(t, s.as, target, opt)
	want(t, "http", target.Probed["revocation-works"], "skipped", "no token is sent to http://api.example/orders: it is not https")
	if target.Probed["revocation-works"].Note == "" {
		t.Error("the token was not revoked")
	}
}
