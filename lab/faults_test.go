package lab_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"usher/catalog"
	"usher/lab"
	"usher/oauth"
)

// provocations are one for each fault: they switch it on, provoke it with a
// real client, hold the answers against the protocol and put each piece of
// evidence before usher; then they fix it as the fault says, and see it work.
var provocations = map[string]func(*bench){
	"redirect-uri-mismatch": func(b *bench) {
		b.on("redirect-uri-mismatch")
		r := b.authorize(oauth2.GenerateVerifier())
		if r.status != http.StatusBadRequest || r.to != nil || !strings.Contains(r.body, "Invalid parameter: redirect_uri") {
			b.t.Fatalf("want a page of refusal and no redirect, got %d %v\n%s", r.status, r.to, r.body)
		}
		explains(b.t, "redirect-uri-mismatch", "page", r.body)
		explains(b.t, "redirect-uri-mismatch", "log", last(b.t, b.log.take(), "LOGIN_ERROR"))
		b.conf.RedirectURL += "/"
		b.signIn()
	},
	"client-secret-invalid": func(b *bench) {
		b.on("client-secret-invalid")
		_, err := b.trySignIn()
		body := refused(b.t, err, http.StatusUnauthorized, "unauthorized_client")
		_ = body // Keycloak's words for a wrong secret and for an unknown client are nearly the same
		explains(b.t, "client-secret-invalid", "log", last(b.t, b.log.take(), "CODE_TO_TOKEN_ERROR"))
		_, value, err := b.lab.AddSecret("shop")
		if err != nil {
			b.t.Fatal(err)
		}
		b.conf.ClientSecret = value.Reveal()
		b.signIn()
	},
	"client-secret-expired": func(b *bench) {
		b.entra()
		b.on("client-secret-expired")
		_, err := b.trySignIn()
		explains(b.t, "client-secret-expired", "body", refused(b.t, err, http.StatusUnauthorized, "invalid_client"))
		explains(b.t, "client-secret-expired", "record", last(b.t, b.log.take(), "7000222"))
		_, value, err := b.lab.AddSecret("shop")
		if err != nil {
			b.t.Fatal(err)
		}
		b.conf.ClientSecret = value.Reveal()
		b.signIn()
	},
	"client-secret-id-used": func(b *bench) {
		b.entra()
		b.on("client-secret-id-used")
		b.conf.ClientSecret = b.lab.Secret("shop").Reveal()
		_, err := b.trySignIn()
		body := refused(b.t, err, http.StatusUnauthorized, "invalid_client") // the same as for any wrong secret
		explains(b.t, "client-secret-id-used", "exchange", "POST "+b.conf.Endpoint.TokenURL+" HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\n"+
			"grant_type=authorization_code&code=x&client_id="+b.conf.ClientID+"&client_secret="+b.conf.ClientSecret+"\n\nHTTP/1.1 401 Unauthorized\nContent-Type: application/json\n\n"+body)
		explains(b.t, "client-secret-id-used", "record", last(b.t, b.log.take(), "7000215"))
		_, value, err := b.lab.AddSecret("shop")
		if err != nil {
			b.t.Fatal(err)
		}
		b.conf.ClientSecret = value.Reveal()
		b.signIn()
	},
	"token-expired": func(b *bench) {
		b.on("token-expired")
		tok := b.signIn()
		b.wantChallenge(tok, http.StatusUnauthorized, "invalid_token", "token-expired")
		tok, err := b.renew(tok)
		if err != nil {
			b.t.Fatal(err)
		}
		b.wantOrders(tok)
	},
	"token-wrong-audience": func(b *bench) {
		b.on("token-wrong-audience")
		tok := b.signIn()
		b.wantChallenge(tok, http.StatusUnauthorized, "invalid_token", "token-wrong-audience")
		b.wantOrders(b.signIn(oauth2.SetAuthURLParam("resource", "https://orders.lab.test")))
	},
	"token-key-not-found": func(b *bench) {
		b.on("token-key-not-found")
		tok := b.signIn()
		b.wantChallenge(tok, http.StatusUnauthorized, "invalid_token", "token-key-not-found")
		b.off("token-key-not-found")
		b.wantOrders(tok)
	},
	"clock-skew": func(b *bench) {
		b.on("clock-skew")
		tok := b.signIn()
		b.wantChallenge(tok, http.StatusUnauthorized, "invalid_token", "clock-skew")
		b.off("clock-skew")
		b.wantOrders(b.signIn())
	},
	"scope-insufficient": func(b *bench) {
		b.on("scope-insufficient")
		tok := b.signIn()
		if got, _ := tok.Extra("scope").(string); strings.Contains(got, "orders") {
			b.t.Errorf("the answer says scope=%q", got)
		}
		b.wantChallenge(tok, http.StatusForbidden, "insufficient_scope", "scope-insufficient")
		b.off("scope-insufficient")
		b.wantOrders(b.signIn())
	},
	"consent-required": func(b *bench) {
		b.entra()
		tok := b.signIn()
		b.on("consent-required")
		_, err := b.renew(tok)
		explains(b.t, "consent-required", "body", refused(b.t, err, http.StatusBadRequest, "invalid_grant"))
		explains(b.t, "consent-required", "record", last(b.t, b.log.take(), "65001"))
		silent := b.authorize(oauth2.GenerateVerifier(), oauth2.SetAuthURLParam("prompt", "none"))
		if silent.to == nil || silent.to.Query().Get("error") != "consent_required" {
			b.t.Errorf("prompt=none gives %d %v", silent.status, silent.to)
		} else {
			explains(b.t, "consent-required", "redirect", silent.to.String())
		}
		page := b.authorize(oauth2.GenerateVerifier())
		b.post(page, "consent", "accept")
		if _, err := b.renew(tok); err != nil {
			b.t.Errorf("after the consent: %v", err)
		}
	},
	"refresh-token-reused": func(b *bench) {
		tok := b.signIn()
		b.on("refresh-token-reused")
		_, err := b.renew(tok)
		var re *oauth2.RetrieveError
		if err == nil || errors.As(err, &re) {
			b.t.Fatalf("the first answer is to be lost, got %v", err)
		}
		_, err = b.renew(tok)
		explains(b.t, "refresh-token-reused", "body", refused(b.t, err, http.StatusBadRequest, "invalid_grant"))
		explains(b.t, "refresh-token-reused", "log", last(b.t, b.log.take(), "REFRESH_TOKEN_ERROR"))
		b.off("refresh-token-reused")
		if tok, err = b.renew(b.signIn()); err != nil {
			b.t.Fatal(err)
		}
		if _, err = b.renew(tok); err != nil {
			b.t.Fatal(err)
		}
	},
	"policy-device": func(b *bench) {
		b.entra()
		tok := b.signIn()
		b.on("policy-device")
		page := b.authorize(oauth2.GenerateVerifier())
		if page.to != nil || !strings.Contains(page.body, "53003") {
			b.t.Fatalf("want the page of 53003, got %d %v\n%s", page.status, page.to, page.body)
		}
		explains(b.t, "policy-device", "record", last(b.t, b.log.take(), `"isInteractive":true`))
		_, err := b.renew(tok)
		body := refused(b.t, err, http.StatusBadRequest, "invalid_grant")
		explains(b.t, "policy-blocked", "body", body) // it does not tell the condition
		explains(b.t, "policy-device", "record of the refresh", last(b.t, b.log.take(), "53003"))
		b.device = b.lab.Enrol("laptop", true)
		b.signIn()
		if _, err := b.renew(tok); err != nil {
			b.t.Errorf("from a compliant device: %v", err)
		}
	},
}

func TestFaults(t *testing.T) {
	for _, f := range lab.Faults {
		t.Run(f.Name, func(t *testing.T) {
			provoke, ok := provocations[f.Name]
			if !ok {
				t.Fatal("nobody provokes this fault")
			}
			b := newBench(t, lab.Options{})
			provoke(b)
		})
	}
}

// TestFaultsAreDocumented holds the table to the catalog: a fault's name is the
// label of a cause, and it says everything that a person needs.
func TestFaultsAreDocumented(t *testing.T) {
	for _, f := range lab.Faults {
		if catalog.Cause(f.Name) == nil {
			t.Errorf("%s is no cause of the catalog", f.Name)
		}
		for name, text := range map[string]string{"title": f.Title, "does": f.Does, "provoke": f.Provoke, "shows": f.Shows, "fix": f.Fix, "proof": f.Proof} {
			if len(text) < 20 {
				t.Errorf("%s: %s says %q", f.Name, name, text)
			}
		}
	}
}

func (b *bench) on(name string) {
	b.t.Helper()
	if err := b.lab.Switch(name, true); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) off(name string) {
	b.t.Helper()
	if err := b.lab.Switch(name, false); err != nil {
		b.t.Fatal(err)
	}
}

// wantOrders wants the API to answer.
func (b *bench) wantOrders(tok *oauth2.Token) {
	b.t.Helper()
	b.log.take()
	r := b.call(tok)
	if r.status != http.StatusOK || !strings.Contains(r.body, "Lamp") {
		b.t.Fatalf("the API says %s", challenge(r))
	}
	if line := last(b.t, b.log.take(), `"kind":"api"`); !strings.Contains(line, `"status_id":1`) {
		b.t.Errorf("the event of the call is %s", line)
	}
}

// wantChallenge wants the API to refuse, in the form of RFC 6750, and usher to
// tell why from the answer and from the API's own event.
func (b *bench) wantChallenge(tok *oauth2.Token, status int, code, cause string) {
	b.t.Helper()
	b.log.take()
	r := b.call(tok)
	header := r.header.Get("WWW-Authenticate")
	if r.status != status || !strings.HasPrefix(header, "Bearer realm=") || !strings.Contains(header, `error="`+code+`"`) {
		b.t.Fatalf("the API says %d with %s, want %d with error %s", r.status, header, status, code)
	}
	parsed, err := oauth.ParseChallenges(header)
	if err != nil || len(parsed) != 1 || len(parsed[0].Repeated) > 0 || parsed[0].Params["error"] != code {
		b.t.Errorf("the challenge is read as %+v (%v): %s", parsed, err, header)
	} else if text := parsed[0].Params["error_description"]; text == "" || strings.ContainsAny(text, "\"\\") || strings.Count(header, `"`) != 2*strings.Count(header, "=\"") {
		b.t.Errorf("error_description has characters that RFC 6750 section 3 forbids: %s", header)
	}
	explains(b.t, cause, "challenge", challenge(r))
	explains(b.t, cause, "event", last(b.t, b.log.take(), `"kind":"api"`))
}

// post sends the form of a page.
func (b *bench) post(page reply, name, value string) reply {
	b.t.Helper()
	_, rest, ok := strings.Cut(page.body, `action="`)
	action, _, _ := strings.Cut(rest, `"`)
	if !ok {
		b.t.Fatalf("there is no form: %d %v\n%s", page.status, page.to, page.body)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+strings.ReplaceAll(action, "&amp;", "&"), strings.NewReader(name+"="+value))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(b.browser, req)
}
