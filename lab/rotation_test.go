package lab_test

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker/credential"
	"usher/broker/grant"
	"usher/broker/memory"
	"usher/guard"
	"usher/ingest"
	"usher/lab"
	"usher/provider"
)

// open seals nothing: what is sealed is not what is tested here.
type open struct{}

func (open) Seal(_ context.Context, _ string, plain []byte) ([]byte, error)  { return plain, nil }
func (open) Open(_ context.Context, _ string, sealed []byte) ([]byte, error) { return sealed, nil }

// TestRotateWithDelay rotates a secret at each provider that needs 30 s to know
// a new one everywhere, while a caller asks for tokens every second: it is never
// refused, and the old secret ends only when nobody uses it.
func TestRotateWithDelay(t *testing.T) {
	for _, tt := range []struct {
		name, endpoint string
		client         func(*vault) string
		open           func(*testing.T, *vault) provider.Secrets
		delay          time.Duration
		fails          bool // there is no overlap: the caller is refused until it has the new one
	}{
		{"entra", "/" + lab.DefaultTenant + "/oauth2/v2.0/token", func(v *vault) string { return v.AppID("shop") }, func(t *testing.T, v *vault) provider.Secrets { return v.entra(t, "usher") }, 30 * time.Second, false},
		{"okta", "/oauth2/default/v1/token", func(*vault) string { return "shop" }, func(t *testing.T, v *vault) provider.Secrets { return v.okta(t, v.OktaToken()) }, 30 * time.Second, false},
		{"auth0", "/oauth/token", func(*vault) string { return "shop" }, func(t *testing.T, v *vault) provider.Secrets { return v.auth0(t, "usher") }, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(t, tt.delay)
			records := &buffer{}
			v.Lab = lab.New(lab.Options{Log: io.Discard, Records: records, Now: v.clock, SecretDelay: tt.delay})
			s := httptest.NewServer(v.Lab)
			t.Cleanup(s.Close)
			g := guard.New(guard.Options{Trusted: []string{s.URL}})
			v.url, v.http, v.asker = s.URL, g.HTTP(), grant.New(grant.Options{HTTP: g, Now: v.clock})
			p, client, ctx := tt.open(t, v), tt.client(v), t.Context()

			m := credential.New(credential.Options{
				Store: memory.New(v.clock), Seal: open{}, Now: v.clock, Verify: credential.Verifier(v.asker), Cap: credential.Cap{PerHour: 100, Apart: time.Second},
				Provider: func(name string) (provider.Secrets, bool) { return p, name == tt.name }, Pace: credential.Pace{Lease: time.Hour},
			})
			err := m.Add(ctx, credential.Config{
				Name: "shop", Provider: tt.name, ClientID: client, TokenEndpoint: v.url + tt.endpoint, AuthMethod: "client_secret_post", Grant: "client_credentials",
				Owner: "the shop", QuietFor: usher.Duration(5 * time.Minute),
			}, credential.Handed{Value: v.Secret("shop")})
			if err != nil {
				t.Fatal(err)
			}
			decoder, err := ingest.NewDecoder("entra", ingest.Options{Now: v.clock})
			if err != nil {
				t.Fatal(err)
			}
			first := v.Secret("shop")
			given, err := m.Fetch(ctx, "shop", "key shop", 0)
			if err != nil || given.Value != first {
				t.Fatalf("%+v %v", given, err)
			}
			has, value, refused, asked := given.Version, given.Value, 0, 0
			live := func(d time.Duration) { // so much of a caller's life, and of usher's
				v.pass(d)
				if err := m.Tick(ctx); err != nil {
					t.Fatal(err)
				}
				if given, err := m.Fetch(ctx, "shop", "key shop", has); err != nil {
					t.Fatal(err)
				} else if given.Value != "" {
					has, value = given.Version, given.Value
				}
				asked++
				if !v.works(t, tt.endpoint, client, value) {
					refused++
				}
				for line := range strings.Lines(records.take()) { // what the provider's log tells
					events, err := decoder.Line([]byte(line))
					if err != nil {
						t.Fatal(err)
					}
					for i := range events {
						m.Observe(ctx, &events[i])
					}
				}
			}
			for range 3 {
				live(time.Second)
			}
			if _, err := m.Rotate(ctx, "shop", "a test", "ann"); err != nil {
				t.Fatal(err)
			}
			for i := range 200 {
				live([]time.Duration{time.Second, 10 * time.Second}[min(i/40, 1)])
				if view, err := m.Get(ctx, "shop"); err != nil {
					t.Fatal(err)
				} else if view.Rotation == nil {
					break
				}
			}
			view, err := m.Get(ctx, "shop")
			if err != nil || view.Rotation != nil || view.Version != 2 || has != 2 {
				t.Fatalf("it is not over after %d requests: version %d, the caller has %d: %s %v", asked, view.Version, has, view.Next, err)
			}
			if refused > 0 && !tt.fails || refused > 2 {
				t.Errorf("%d of %d requests were refused", refused, asked)
			}
			if v.works(t, tt.endpoint, client, first) || !v.works(t, tt.endpoint, client, value) {
				t.Error("the old one should have ended, and the new one not")
			}
			list, err := p.ClientSecrets(ctx, client)
			if err != nil || len(list) != 1 {
				t.Errorf("there are %d secrets: %v", len(list), err)
			}
		})
	}
}
