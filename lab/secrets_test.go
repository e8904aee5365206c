package lab_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher"
	"usher/broker/grant"
	"usher/guard"
	"usher/lab"
	"usher/provider"
	"usher/provider/auth0"
	"usher/provider/entra"
	"usher/provider/okta"
)

// vault is a provider with an admin API for secrets, and a client of it.
type vault struct {
	*lab.Lab
	url   string
	now   atomic.Int64 // the lab's clock
	http  *http.Client
	asker *grant.Asker
}

func newVault(t *testing.T, delay time.Duration) *vault {
	t.Helper()
	v := &vault{}
	v.now.Store(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC).UnixNano())
	clock := func() time.Time { return time.Unix(0, v.now.Load()) }
	v.Lab = lab.New(lab.Options{Log: io.Discard, Now: clock, SecretDelay: delay})
	s := httptest.NewServer(v.Lab)
	t.Cleanup(s.Close)
	g := guard.New(guard.Options{Trusted: []string{s.URL}})
	v.url, v.http, v.asker = s.URL, g.HTTP(), grant.New(grant.Options{HTTP: g, Now: clock})
	return v
}

func (v *vault) pass(d time.Duration) { v.now.Add(int64(d)) }

// works tells whether a client gets a token with a secret or a key.
func (v *vault) works(t *testing.T, endpoint, client string, secret usher.Secret) bool {
	t.Helper()
	r := grant.Request{
		Endpoint: v.url + endpoint, AuthMethod: "client_secret_post", ClientID: client, Secret: secret, Params: url.Values{"grant_type": {"client_credentials"}},
	}
	if strings.HasPrefix(secret.Reveal(), "{") || strings.HasPrefix(secret.Reveal(), "-----") {
		r.AuthMethod, r.Key, r.KeyID, r.Audience = "private_key_jwt", secret, "first-key-of-the-shop", v.url+"/"
	}
	_, err := v.asker.Ask(t.Context(), r)
	var refusal *grant.Refusal
	if errors.As(err, &refusal) && refusal.Status != http.StatusUnauthorized {
		t.Fatalf("%v", err)
	}
	return err == nil
}

func (v *vault) clock() time.Time { return time.Unix(0, v.now.Load()) }

func (v *vault) entra(t *testing.T, as string) provider.Secrets {
	t.Helper()
	a, err := entra.New(entra.Config{Tenant: lab.DefaultTenant, ClientID: v.AppID(as), Secret: v.Secret(as), HTTP: v.http, Login: v.url, Graph: v.url, Now: v.clock})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (v *vault) okta(t *testing.T, token usher.Secret) provider.Secrets {
	t.Helper()
	a, err := okta.New(okta.Config{Org: v.url, Token: token, HTTP: v.http, Now: v.clock})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (v *vault) auth0(t *testing.T, as string) provider.Secrets {
	t.Helper()
	a, err := auth0.New(auth0.Config{Domain: v.url, ClientID: as, Secret: v.Secret(as), HTTP: v.http, Now: v.clock})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestSecretsRotate changes secrets with an overlap at each provider that has
// one: the new one works after the delay and beside the old one, and the old one
// ends when it is retired and no earlier.
func TestSecretsRotate(t *testing.T) {
	const delay = 30 * time.Second
	for _, tt := range []struct {
		name, endpoint string
		client         func(*vault) string
		open           func(*testing.T, *vault) (provider.Secrets, usher.Secret)
		full           bool // a third one does not fit
	}{
		{"entra", "/" + lab.DefaultTenant + "/oauth2/v2.0/token", func(v *vault) string { return v.AppID("shop") }, func(t *testing.T, v *vault) (provider.Secrets, usher.Secret) {
			return v.entra(t, "usher"), v.Secret("shop")
		}, false},
		{"okta", "/oauth2/default/v1/token", func(*vault) string { return "shop" }, func(t *testing.T, v *vault) (provider.Secrets, usher.Secret) {
			return v.okta(t, v.OktaToken()), v.Secret("shop")
		}, true},
		{"auth0 with keys", "/oauth/token", func(*vault) string { return "shop" }, func(t *testing.T, v *vault) (provider.Secrets, usher.Secret) {
			key, _ := rsa.GenerateKey(rand.Reader, 2048)
			public, _ := x509.MarshalPKIXPublicKey(key.Public())
			private, _ := x509.MarshalPKCS8PrivateKey(key)
			if _, err := v.UsePrivateKey("shop", "first-key-of-the-shop", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))); err != nil {
				t.Fatal(err)
			}
			return v.auth0(t, "usher"), usher.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(t, delay)
			client, ctx := tt.client(v), t.Context()
			p, old := tt.open(t, v)
			if !v.works(t, tt.endpoint, client, old) {
				t.Fatal("it does not work before")
			}
			rules, err := p.SecretRules(ctx, client)
			if err != nil || !rules.Overlap || rules.Delay < delay || rules.Right == "" || rules.Creates == "" || rules.Retires == "" {
				t.Fatalf("rules %+v %v", rules, err)
			}
			before, err := p.ClientSecrets(ctx, client)
			if err != nil || len(before) != 1 || before[0].Off {
				t.Fatalf("before: %+v %v", before, err)
			}
			first := before[0].ID
			if rules.Told && before[0].Value != old {
				t.Error("its value is told, and is another one")
			}
			v.pass(time.Second)
			made, value, err := p.CreateSecret(ctx, client, provider.NewSecret{Name: "usher shop 2", Expires: v.clock().Add(90 * 24 * time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			if rules.Named && made.Name != "usher shop 2" || made.ID == "" || made.ID == first || value == "" {
				t.Errorf("made %+v", made)
			}
			if v.works(t, tt.endpoint, client, value) {
				t.Error("it works before every part of the provider knows it")
			}
			if !v.works(t, tt.endpoint, client, old) {
				t.Error("the old one ended when the new one was made")
			}
			v.pass(delay)
			if !v.works(t, tt.endpoint, client, value) || !v.works(t, tt.endpoint, client, old) {
				t.Error("both should work")
			}
			after, err := p.ClientSecrets(ctx, client)
			if err != nil || len(after) != 2 || after[0].ID != first || after[1].ID != made.ID {
				t.Fatalf("after: %+v %v", after, err)
			}
			if tt.full {
				if _, _, err := p.CreateSecret(ctx, client, provider.NewSecret{}); !errors.Is(err, provider.ErrFull) {
					t.Errorf("a third one: %v", err)
				}
				if list, _ := p.ClientSecrets(ctx, client); len(list) != 2 {
					t.Errorf("and something was made: %+v", list)
				}
			}
			for range 2 { // the second time there is nothing to do
				if err := p.RetireSecret(ctx, client, first); err != nil {
					t.Fatal(err)
				}
			}
			if v.works(t, tt.endpoint, client, old) || !v.works(t, tt.endpoint, client, value) {
				t.Error("the old one should have ended, and the new one not")
			}
			if err := p.RetireSecret(ctx, client, made.ID); !errors.Is(err, provider.ErrLast) {
				t.Errorf("the last one: %v", err)
			}
			if !v.works(t, tt.endpoint, client, value) {
				t.Error("the last one was ended")
			}
			if err := p.RetireSecret(ctx, client, "no-such-id"); err != nil {
				t.Errorf("one that is not there: %v", err)
			}
		})
	}
}

// TestAuth0Audience: an assertion for the token endpoint, as other providers want
// it, is refused by Auth0.
func TestAuth0Audience(t *testing.T) {
	v := newVault(t, 0)
	key, _ := rsa.GenerateKey(rand.Reader, 2048)
	public, _ := x509.MarshalPKIXPublicKey(key.Public())
	private, _ := x509.MarshalPKCS8PrivateKey(key)
	if _, err := v.UsePrivateKey("shop", "k", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))); err != nil {
		t.Fatal(err)
	}
	for audience, want := range map[string]bool{v.url + "/": true, v.url: false, "": false, v.url + "/oauth/token": false} {
		_, err := v.asker.Ask(t.Context(), grant.Request{
			Endpoint: v.url + "/oauth/token", AuthMethod: "private_key_jwt", ClientID: "shop", KeyID: "k", Audience: audience,
			Key: usher.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), Params: url.Values{"grant_type": {"client_credentials"}},
		})
		if (err == nil) != want {
			t.Errorf("audience %q: %v", audience, err)
		}
	}
}

// TestAuth0Secret has no overlap, and says so.
func TestAuth0Secret(t *testing.T) {
	v := newVault(t, 0)
	p, old := v.auth0(t, "usher"), v.Secret("shop")
	rules, err := p.SecretRules(t.Context(), "shop")
	if err != nil || rules.Overlap || rules.Grace != 0 || rules.Most != 1 || rules.Retires != "" || !rules.Told || !strings.Contains(rules.Note, "ends the old secret in the moment") {
		t.Fatalf("rules %+v %v", rules, err)
	}
	before, err := p.ClientSecrets(t.Context(), "shop")
	if err != nil || len(before) != 1 || before[0].Value != old {
		t.Fatalf("before %+v %v", before, err)
	}
	if err := p.RetireSecret(t.Context(), "shop", before[0].ID); !errors.Is(err, provider.ErrLast) {
		t.Errorf("retired: %v", err)
	}
	made, value, err := p.CreateSecret(t.Context(), "shop", provider.NewSecret{})
	if err != nil || made.ID == before[0].ID {
		t.Fatalf("made %+v %v", made, err)
	}
	if v.works(t, "/oauth/token", "shop", old) || !v.works(t, "/oauth/token", "shop", value) {
		t.Error("the new one should work alone")
	}
	if err := p.RetireSecret(t.Context(), "shop", before[0].ID); err != nil {
		t.Error(err)
	}
	after, err := p.ClientSecrets(t.Context(), "shop")
	if err != nil || len(after) != 1 || after[0].ID != made.ID || after[0].Value != value {
		t.Errorf("after %+v %v", after, err)
	}
}

// TestSecretsRefused is what the providers say to who may not, and to what is
// not there.
func TestSecretsRefused(t *testing.T) {
	v := newVault(t, 0)
	strange := "11111111-2222-3333-4444-555555555555"
	for _, tt := range []struct {
		name   string
		p      provider.Secrets
		client string
		want   error
	}{
		{"entra: not there", v.entra(t, "usher"), strange, provider.ErrNotFound},
		{"entra: no GUID", v.entra(t, "usher"), "shop')/../users('x", provider.ErrNotFound},
		{"entra: no right", v.entra(t, "shop"), v.AppID("shop"), provider.ErrForbidden},
		{"okta: not there", v.okta(t, v.OktaToken()), "nobody", provider.ErrNotFound},
		{"okta: a path", v.okta(t, v.OktaToken()), "../../users", provider.ErrNotFound},
		{"okta: wrong token", v.okta(t, "00-planted-secret-token"), "shop", provider.ErrForbidden},
		{"okta: public", v.okta(t, v.OktaToken()), "shop-spa", provider.ErrNotFound},
		{"auth0: not there", v.auth0(t, "usher"), "nobody", provider.ErrNotFound},
		{"auth0: a path", v.auth0(t, "usher"), "shop/../usher", provider.ErrNotFound},
		{"auth0: no right", v.auth0(t, "shop"), "shop", provider.ErrForbidden},
		{"auth0: public", v.auth0(t, "usher"), "shop-spa", provider.ErrUnsupported},
	} {
		_, err1 := tt.p.ClientSecrets(t.Context(), tt.client)
		_, _, err2 := tt.p.CreateSecret(t.Context(), tt.client, provider.NewSecret{})
		err3 := tt.p.RetireSecret(t.Context(), tt.client, "x")
		for _, err := range []error{err1, err2, err3} {
			var told *usher.Error
			if !errors.Is(err, tt.want) || !errors.As(err, &told) || told.Message == "" {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if strings.Contains(told.Error()+told.Hint, "planted") || strings.Contains(told.Error(), v.OktaToken().Reveal()) {
				t.Errorf("%s: a secret is told: %v", tt.name, told)
			}
		}
	}

	// A wrong secret of usher's own, and a provider that is away.
	a, err := entra.New(entra.Config{Tenant: lab.DefaultTenant, ClientID: v.AppID("usher"), Secret: "planted-secret", HTTP: v.http, Login: v.url, Graph: v.url})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.ClientSecrets(t.Context(), v.AppID("shop")); !errors.Is(err, provider.ErrForbidden) || strings.Contains(err.Error(), "planted") || !strings.Contains(err.Error(), "AADSTS7000215") {
		t.Errorf("wrong secret: %v", err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	o, err := okta.New(okta.Config{Org: gone.URL, Token: "x", HTTP: guard.New(guard.Options{Trusted: []string{gone.URL}}).HTTP()})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.CreateSecret(t.Context(), "shop", provider.NewSecret{}); !errors.Is(err, provider.ErrUnreachable) {
		t.Errorf("away: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.auth0(t, "usher").ClientSecrets(ctx, "shop"); !errors.Is(err, provider.ErrUnreachable) {
		t.Errorf("cancelled: %v", err)
	}
}
