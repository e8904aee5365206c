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
	"sync/atomic"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/all"
	"usher/check/live"
	"usher/check/probe"
	"usher/check/read"
	"usher/guard"
	"usher/lab"
)

const (
	labSecret = "lab-s3cr3t-0f-the-shop"
	labCB     = "https://shop.test/cb"
)

// labServer is a lab whose clock can be put forward.
func labServer(t *testing.T, faults ...string) (l *lab.Lab, base string, forward *atomic.Int64) {
	t.Helper()
	forward = &atomic.Int64{}
	clients := lab.DefaultClients()
	clients[0].Secret = labSecret
	l = lab.New(lab.Options{Clients: clients, Faults: faults, Now: func() time.Time { return time.Now().Add(time.Duration(forward.Load())) }})
	s := httptest.NewServer(l)
	t.Cleanup(s.Close)
	return l, s.URL, forward
}

// probed gathers and probes the lab, and judges.
func probed(t *testing.T, issuer string, opt probe.Options) map[string]usher.Finding {
	t.Helper()
	c := guard.New(guard.Options{Trusted: []string{issuer}})
	t.Cleanup(c.HTTP().CloseIdleConnections)
	target := read.Target(nil, time.Now(), "")
	if err := live.Gather(context.Background(), c, target, live.Options{Issuer: issuer, ClientID: opt.ClientID}); err != nil {
		t.Fatal(err)
	}
	read.Settle(target, map[bool]string{true: "entra", false: "keycloak"}[strings.HasSuffix(issuer, "/v2.0")])
	opt.Wait = time.Microsecond
	if err := probe.Run(context.Background(), c, target, opt); err != nil {
		t.Fatal(err)
	}
	findings, _ := check.Run(target, all.Checks())
	out := map[string]usher.Finding{}
	for _, f := range findings {
		if strings.Contains(text(f), labSecret) {
			t.Errorf("%s shows the secret", f.Check)
		}
		if had, ok := out[f.Check]; !ok || had.Outcome != usher.OutcomeWrong {
			out[f.Check] = f
		}
	}
	return out
}

// TestLabSecrets: the lab speaks as Keycloak and as Entra do; each state of a
// client's credential is told apart.
func TestLabSecrets(t *testing.T) {
	for _, c := range []struct {
		name    string
		entra   bool
		fault   string
		change  func(l *lab.Lab, o *probe.Options)
		outcome usher.Outcome
		cause   string
	}{
		{"right", false, "", nil, usher.OutcomeOK, ""},
		{"wrong", false, "", func(_ *lab.Lab, o *probe.Options) { o.Secret = "another" }, usher.OutcomeWrong, "client-secret-invalid"},
		{"unknown client", false, "", func(_ *lab.Lab, o *probe.Options) { o.ClientID = "nobody" }, usher.OutcomeWrong, "client-unknown"},
		{"right", true, "", nil, usher.OutcomeOK, ""},
		{"wrong", true, "", func(_ *lab.Lab, o *probe.Options) { o.Secret = "another" }, usher.OutcomeWrong, "client-secret-invalid"},
		{"expired", true, "client-secret-expired", nil, usher.OutcomeWrong, "client-secret-expired"},
		{"the id", true, "client-secret-id-used", func(l *lab.Lab, o *probe.Options) { o.Secret = l.Secret("shop") }, usher.OutcomeWrong, "client-secret-id-used"},
		{"unknown client", true, "", func(_ *lab.Lab, o *probe.Options) { o.ClientID = "5d0c5f60-0000-4f0e-9a57-3f6d0e2b8c41" }, usher.OutcomeWrong, "client-unknown"},
	} {
		var faults []string
		if c.fault != "" {
			faults = []string{c.fault}
		}
		l, base, _ := labServer(t, faults...)
		issuer := base + "/realms/shop"
		opt := probe.Options{ClientID: "shop", RedirectURI: labCB, Secret: labSecret, Only: []string{"secret-valid"}}
		if c.entra {
			issuer, opt.ClientID = base+"/"+lab.DefaultTenant+"/v2.0", l.AppID("shop")
		}
		if c.change != nil {
			c.change(l, &opt)
		}
		got := probed(t, issuer, opt)
		f := got["secret-valid"]
		if c.cause == "client-unknown" {
			// Told once, of the client; the secret of one that there is not is unknown.
			if f.Outcome != usher.OutcomeUnknown {
				t.Errorf("%s (Entra: %v): %s", c.name, c.entra, text(f))
			}
			f = got["client-id-known"]
		}
		if f.Outcome != c.outcome || f.Cause != c.cause {
			t.Errorf("%s (Entra: %v): %s, %s: %s", c.name, c.entra, f.Outcome, f.Cause, text(f))
		}
	}
}

// TestLabProbes: all safe probes against the lab as Keycloak.
func TestLabProbes(t *testing.T) {
	_, base, _ := labServer(t)
	got := probed(t, base+"/realms/shop", probe.Options{ClientID: "shop", RedirectURI: labCB, Secret: labSecret})
	for id, want := range map[string]usher.Outcome{
		"client-id-known": usher.OutcomeOK, "secret-valid": usher.OutcomeOK, "redirect-server-exact": usher.OutcomeOK,
		"redirect-error-no-redirect": usher.OutcomeOK, "token-endpoint-post-only": usher.OutcomeOK, "unknown-parameters": usher.OutcomeOK,
		"cors-authorization": usher.OutcomeOK, "par-required": usher.OutcomeNotApplicable,
		// The lab asks public clients alone for PKCE, as Keycloak does by default.
		"pkce-enforced": usher.OutcomeWrong,
	} {
		if f := got[id]; f.Outcome != want {
			t.Errorf("%s: %s, want %s: %s", id, f.Outcome, want, text(f))
		}
	}
	spa := probed(t, base+"/realms/shop", probe.Options{ClientID: "shop-spa", RedirectURI: "https://shop.test/spa", Only: []string{"pkce-enforced"}})
	if f := spa["pkce-enforced"]; f.Outcome != usher.OutcomeOK {
		t.Errorf("a public client: %s", text(f))
	}
}

// labToken gets a token of the lab.
func labToken(t *testing.T, base, resource string) usher.Secret {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"shop"}, "client_secret": {labSecret}}
	if resource != "" {
		form.Set("resource", resource)
	}
	resp, err := http.PostForm(base+"/realms/shop/protocol/openid-connect/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.Token == "" {
		t.Fatalf("no token: %v", err)
	}
	return usher.Secret(out.Token)
}

// TestLabAPI: what must be tried against the lab alone. Its API refuses all of
// it; an API that only decodes takes all of it, and each is told.
func TestLabAPI(t *testing.T) {
	_, base, forward := labServer(t)
	expired := labToken(t, base, "")
	forward.Store(int64(time.Hour))
	tokens := probe.LabAPI{Good: labToken(t, base, ""), Expired: expired, Elsewhere: labToken(t, base, "https://other.example")}

	careless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(r.Header.Get("Authorization"), ".")
		if r.Header.Get("X-Client-Cert") != "" {
			return
		}
		if len(parts) != 3 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if _, err := base64.RawURLEncoding.DecodeString(parts[1]); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, "[]")
	}))
	defer careless.Close()
	ids := []string{"api-expiry-enforced", "api-audience-enforced", "api-signature-enforced", "mtls-header-spoof"}
	for api, want := range map[string]usher.Outcome{base + "/api/orders": usher.OutcomeOK, careless.URL + "/": usher.OutcomeWrong} {
		c := guard.New(guard.Options{Trusted: []string{api}})
		target := read.Target(nil, time.Now(), "")
		tokens.URL = api
		if err := probe.Lab(context.Background(), c, target, tokens); err != nil {
			t.Fatal(err)
		}
		findings, _ := check.Run(target, all.Checks())
		for _, id := range ids {
			for _, f := range findings {
				if f.Check == id && f.Outcome != want {
					t.Errorf("%s at %s: %s, want %s: %s", id, api, f.Outcome, want, text(f))
				}
				if strings.Contains(text(f), tokens.Good.Reveal()) || strings.Contains(text(f), expired.Reveal()) {
					t.Errorf("%s shows a token", f.Check)
				}
			}
		}
		for _, id := range ids {
			if target.Probed[id] == nil || target.Probed[id].Verdict == nil {
				t.Errorf("%s was not tried: %+v", id, target.Probed[id])
			}
		}
	}
	tokens.URL = "https://api.example/orders"
	if err := probe.Lab(context.Background(), guard.New(guard.Options{}), &check.Target{}, tokens); err == nil {
		t.Error("an API that is not on this machine was tried")
	}
}
