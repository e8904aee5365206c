package credential_test

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker/credential"
	"usher/broker/grant"
	"usher/broker/memory"
	"usher/guard"
	"usher/lab"
	"usher/provider"
	"usher/provider/auth0"
	"usher/provider/entra"
	"usher/provider/okta"
)

// losing is a provider whose first answer to the making of a secret is lost.
type losing struct {
	provider.Secrets
	lost bool
}

func (l *losing) CreateSecret(ctx context.Context, client string, want provider.NewSecret) (provider.ClientSecret, usher.Secret, error) {
	s, v, err := l.Secrets.CreateSecret(ctx, client, want)
	if !l.lost {
		l.lost = true
		return provider.ClientSecret{}, "", provider.ErrUnreachable
	}
	return s, v, err
}

// TestLab rotates at Entra, Okta and Auth0 as they document themselves and the
// lab plays them: they take 30 s to tell their parts of a new secret, and the
// answer that told its value is lost. A program goes on all the while.
func TestLab(t *testing.T) {
	const delay = 30 * time.Second
	for _, tt := range []struct {
		name, endpoint, client string
		open                   func(l *lab.Lab, base string, c *clock, g *guard.Client) (provider.Secrets, error)
		overlap                bool
	}{
		{"entra", "/" + lab.DefaultTenant + "/oauth2/v2.0/token", "", func(l *lab.Lab, base string, c *clock, g *guard.Client) (provider.Secrets, error) {
			return entra.New(entra.Config{Tenant: lab.DefaultTenant, ClientID: l.AppID("usher"), Secret: l.Secret("usher"), HTTP: g.HTTP(), Login: base, Graph: base, Now: c.now})
		}, true},
		{"okta", "/oauth2/default/v1/token", "shop", func(l *lab.Lab, base string, c *clock, g *guard.Client) (provider.Secrets, error) {
			return okta.New(okta.Config{Org: base, Token: l.OktaToken(), HTTP: g.HTTP(), Now: c.now})
		}, true},
		{"auth0", "/oauth/token", "shop", func(l *lab.Lab, base string, c *clock, g *guard.Client) (provider.Secrets, error) {
			return auth0.New(auth0.Config{Domain: base, ClientID: "usher", Secret: l.Secret("usher"), HTTP: g.HTTP(), Now: c.now})
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock()
			opt := lab.Options{Log: io.Discard, Now: c.now, SecretDelay: delay}
			if !tt.overlap {
				opt.SecretDelay = 0
			}
			l := lab.New(opt)
			s := httptest.NewServer(l)
			defer s.Close()
			g := guard.New(guard.Options{Trusted: []string{s.URL}})
			asker := grant.New(grant.Options{HTTP: g, Now: c.now})
			at, err := tt.open(l, s.URL, c, g)
			if err != nil {
				t.Fatal(err)
			}
			client := tt.client
			if client == "" {
				client = l.AppID("shop")
			}
			p := &losing{Secrets: at}
			store := memory.New(c.now)
			start := func() *credential.Manager {
				return credential.New(credential.Options{
					Store: store, Seal: box{}, Now: c.now, Verify: credential.Verifier(asker), Pace: credential.Pace{Lease: time.Hour},
					Provider: func(string) (provider.Secrets, bool) { return p, true },
				})
			}
			m := start()
			cfg := credential.Config{Name: "shop", Provider: "x", ClientID: client, TokenEndpoint: s.URL + tt.endpoint, AuthMethod: "client_secret_post", Grant: "client_credentials", QuietFor: usher.Duration(5 * time.Minute)}
			first := l.Secret("shop")
			if err := m.Add(ctx, cfg, credential.Handed{Value: first}); err != nil {
				t.Fatal(err)
			}
			var has int64
			var value usher.Secret
			fetch := func() {
				t.Helper()
				given, err := m.Fetch(ctx, "shop", "key app", has)
				if err != nil {
					t.Fatal(err)
				}
				if given.Value != "" {
					has, value = given.Version, given.Value
				}
			}
			works := func(secret usher.Secret) bool {
				t.Helper()
				_, err := asker.Ask(ctx, grant.Request{Endpoint: s.URL + tt.endpoint, AuthMethod: "client_secret_post", ClientID: client, Secret: secret, Params: url.Values{"grant_type": {"client_credentials"}}})
				var refused *grant.Refusal
				if err != nil && (!errors.As(err, &refused) || refused.Kind != grant.Refused) {
					t.Fatal(err)
				}
				return err == nil
			}
			fetch()
			if _, err := m.Rotate(ctx, "shop", "", "ann"); err != nil {
				t.Fatal(err)
			}
			_ = m.Tick(ctx) // its answer is lost
			m = start()     // and its process ends
			for end := c.now().Add(2 * time.Hour); c.now().Before(end); {
				c.pass(5 * time.Second)
				if err := m.Tick(ctx); err != nil {
					t.Fatal(err)
				}
				if !works(value) {
					fetch() // where there is no overlap, who is refused fetches and tries again
					if tt.overlap || !works(value) {
						t.Fatalf("%s: the program is refused", c.now().Format(time.TimeOnly))
					}
				}
				fetch()
				v, err := m.Get(ctx, "shop")
				if err != nil {
					t.Fatal(err)
				}
				if tt.name == "entra" && v.Version == 2 { // its log tells who used which
					m.Observe(ctx, &usher.Event{Time: c.now(), Status: usher.StatusSuccess, Client: usher.Party{UID: client}, OAuth: usher.OAuthFacts{Credential: v.ID}})
				}
				if v.Rotation == nil {
					break
				}
			}
			v, err := m.Get(ctx, "shop")
			if err != nil || v.Rotation != nil || v.Version != 2 {
				t.Fatalf("it does not end: %s %+v %v", v.Next, v.Rotation, err)
			}
			if works(first) || !works(value) {
				t.Errorf("the old one works: %v, the new one: %v", works(first), works(value))
			}
			list, err := at.ClientSecrets(ctx, client)
			if err != nil {
				t.Fatal(err)
			}
			live := 0
			for _, s := range list {
				if !s.Off {
					live++
				}
				if strings.HasPrefix(s.Name, "usher/") && s.ID != v.ID {
					t.Errorf("an orphan is left: %+v", s)
				}
			}
			if live != 1 {
				t.Errorf("%d secrets live at the provider", live)
			}
		})
	}
}
