package broker_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/policy/lifespan"
)

// refusing answers with a code until told otherwise.
func refusing(code string) func(grant.Request) *grant.Refusal {
	return func(r grant.Request) *grant.Refusal {
		return &grant.Refusal{Kind: grant.Refused, Endpoint: r.Endpoint, Status: 400, Code: code}
	}
}

// TestStrategies tells for each strategy how a connection stands, how seldom the
// provider is asked, and that it heals by itself when its cause has gone.
func TestStrategies(t *testing.T) {
	tests := []struct {
		code     string
		strategy string
		state    broker.State
		turn     usher.Fixer
		requests int // at most, in six hours
	}{
		{"invalid_client", "rotate", broker.StateWaiting, usher.FixerDeveloper, 2},
		{"unauthorized_client", "give-up", broker.StateStopped, usher.FixerTenantAdmin, 8},
		{"something_odd", "retry", broker.StateFailing, "", 100},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				b := h.replica("one")
				stop := h.run(b)
				h.provider.refuses = refusing(tt.code)
				c, k := machine()
				if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(6 * time.Hour)
				v := h.view(b)
				if v.Status.State != tt.state || v.Status.Trouble.Strategy != tt.strategy || v.Status.Trouble.Turn != tt.turn {
					t.Errorf("%+v %+v", v.Status, v.Status.Trouble)
				}
				if n := h.provider.requests(); n > tt.requests {
					t.Errorf("%d requests", n)
				}
				h.provider.set(func(p *provider) { p.refuses = nil })
				// Somebody configures it anew: it is tried at once.
				if _, err := b.Configure(t.Context(), v.Revision, v.Config, &k); err != nil {
					t.Fatal(err)
				}
				time.Sleep(3 * time.Second)
				if v := h.view(b); v.Status.State != broker.StateAlive || v.Status.Healed == nil || v.Status.Healed.Strategy != tt.strategy {
					t.Errorf("%+v", v.Status)
				}
				stop()
			})
		})
	}
}

// TestManagedSecretHeals takes a managed secret that was replaced by itself.
func TestManagedSecretHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var secret atomic.Value
		secret.Store(usher.Secret("old"))
		b := h.replica("one", func(o *broker.Options) {
			o.Managed = func(_ context.Context, name string) (usher.Secret, error) {
				if name != "shop" {
					return "", errors.New("no such secret")
				}
				return secret.Load().(usher.Secret), nil
			}
		})
		stop := h.run(b)
		h.provider.refuses = func(r grant.Request) *grant.Refusal {
			if r.Secret != "new" {
				return &grant.Refusal{Kind: grant.Refused, Endpoint: r.Endpoint, Status: 401, Code: "invalid_client"}
			}
			return nil
		}
		c, _ := machine()
		if _, err := b.Add(t.Context(), c, broker.Keys{Credential: "shop"}, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if v := h.view(b); v.Status.State != broker.StateWaiting || v.Managed != "shop" || v.Secret != "managed" {
			t.Errorf("%+v", v)
		}
		secret.Store(usher.Secret("new"))
		time.Sleep(7 * time.Minute)
		if v := h.view(b); v.Status.State != broker.StateAlive {
			t.Errorf("%+v", v.Status)
		}
		stop()
	})
}

// TestNarrow asks for the scopes that were granted where one is not allowed any
// more, at once, and in the next answer says what is missing.
func TestNarrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		c, k := machine()
		c.Scopes = []string{"pay", "refund"}
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		h.provider.oddly = func(a *grant.Answer) { a.Scopes = []string{"pay"} }
		h.token(b, broker.Ask{})
		if v := h.view(b); len(v.Status.Notes) != 1 || !strings.Contains(v.Status.Notes[0], "did not grant refund") {
			t.Errorf("%q", v.Status.Notes)
		}
		h.provider.refuses = func(r grant.Request) *grant.Refusal {
			if strings.Contains(r.Params.Get("scope"), "refund") {
				return refusing("invalid_scope")(r)
			}
			return nil
		}
		time.Sleep(time.Hour)
		if tok := h.token(b, broker.Ask{}); len(tok.Scopes) != 1 || tok.Short != "" {
			t.Errorf("%+v", tok)
		}
		if n := h.provider.requests(); n != 3 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestIdleAndAbsolute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one", func(o *broker.Options) {
			rarely(o)
			o.Lifespans = &lifespan.Set{Policies: []lifespan.Policy{{Name: "default", Idle: usher.Duration(5 * time.Hour), Absolute: usher.Duration(48 * time.Hour)}}}
		})
		stop := h.run(b)
		h.connected(b)
		time.Sleep(20 * time.Hour)
		n := h.provider.requests()
		if n < 5 || n > 9 {
			t.Errorf("%d renewals of what nobody uses", n)
		}
		if v := h.view(b); v.Status.State != broker.StateAlive || !v.Status.RenewAt.IsZero() {
			t.Errorf("%+v", v.Status)
		}
		if tok := h.token(b, broker.Ask{}); tok.Short != "" || h.provider.requests() != n+1 {
			t.Errorf("the next caller has it renewed: %+v", tok)
		}
		for range 27 {
			time.Sleep(time.Hour)
			h.token(b, broker.Ask{})
		}
		time.Sleep(2 * time.Hour)
		var u *broker.Unavailable
		if _, err := b.Token(t.Context(), shop, broker.Ask{}); !errors.As(err, &u) || u.Trouble.Cause != "reauth-required" || u.Trouble.Link == "" {
			t.Errorf("%v", err)
		}
		stop()
	})
}

func TestNobodyConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		c, k := person()
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		var u *broker.Unavailable
		if _, err := b.Token(t.Context(), shop, broker.Ask{}); !errors.As(err, &u) || u.Trouble.Turn != usher.FixerUser || u.Trouble.Link == "" || u.State != broker.StateNew {
			t.Errorf("%v %+v", err, u)
		}
		if _, err := b.Renew(t.Context(), shop); !errors.As(err, &u) {
			t.Error(err)
		}
		if h.provider.requests() != 0 {
			t.Error("the provider was asked for nothing")
		}
		h.connectedAgain(b)
		h.token(b, broker.Ask{})
		if err := b.Remove(t.Context(), shop); err != nil {
			t.Fatal(err)
		}
	})
}

// TestNoRefreshToken uses what a person's connecting gave while it lives, and
// then asks again.
func TestNoRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		stop := h.run(b)
		c, k := person()
		c.Endpoints.Revocation = "https://idp.example/revoke"
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		if err := b.Connected(t.Context(), shop, &grant.Answer{Access: "access-x", TokenType: "bearer", Received: time.Now(), ExpiresIn: time.Hour}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		if tok := h.token(b, broker.Ask{}); tok.Access != "access-x" {
			t.Errorf("%+v", tok)
		}
		time.Sleep(5 * time.Minute)
		v := h.view(b)
		if v.Status.State != broker.StateWaiting || v.Status.Trouble.Cause != "refresh-token-missing" || v.Renewable {
			t.Errorf("%+v", v)
		}
		if h.provider.requests() != 0 {
			t.Error("the provider was asked for nothing")
		}
		stop()
		if err := b.Remove(t.Context(), shop); err != nil {
			t.Fatal(err)
		}
		if len(h.provider.revoked) != 1 || h.provider.revoked[0] != "access-x" {
			t.Errorf("revoked %v", h.provider.revoked)
		}
	})
}

// TestForEver uses a token that nobody says ends until an API refuses it.
func TestForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one", rarely)
		stop := h.run(b)
		c, k := person()
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		if err := b.Connected(t.Context(), shop, &grant.Answer{Access: "access-x", TokenType: "bearer", Received: time.Now()}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(24 * time.Hour)
			if tok := h.token(b, broker.Ask{}); tok.Access != "access-x" || tok.Short != "" || !tok.Expires.IsZero() {
				t.Fatalf("%+v", tok)
			}
		}
		var u *broker.Unavailable
		if tok, err := b.Token(t.Context(), shop, broker.Ask{Refused: "access-x"}); !errors.As(err, &u) || u.Trouble.Turn != usher.FixerUser {
			t.Errorf("%+v %v", tok, err)
		}
		stop()
	})
}

func TestJWTBearer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		der, _ := x509.MarshalPKCS8PrivateKey(key)
		c, _ := machine()
		c.Grant, c.AuthMethod, c.AssertionIssuer, c.AssertionSubject, c.KeyID = broker.GrantJWTBearer, "none", "robot", "anna", "k1"
		k := broker.Keys{PrivateKey: usher.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		h.token(b, broker.Ask{})
		p := h.provider.params[0]
		parsed, err := jwt.ParseSigned(p.Get("assertion"), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil || p.Get("grant_type") != broker.GrantJWTBearer {
			t.Fatal(p, err)
		}
		var claims struct {
			jwt.Claims
			Scope string `json:"scope"`
		}
		if err := parsed.Claims(&key.PublicKey, &claims); err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(claims)
		if claims.Issuer != "robot" || claims.Subject != "anna" || !claims.Audience.Contains("https://idp.example/token") || claims.Scope != "pay" || claims.ID == "" {
			t.Errorf("%s", text)
		}
	})
}

func TestTokenExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one")
		c, k := machine()
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		c.ID, c.Grant, c.Subject, c.Audience = "inner", broker.GrantTokenExchange, shop, "ledger"
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Token(t.Context(), "inner", broker.Ask{}); err != nil {
			t.Fatal(err)
		}
		p := h.provider.params[1]
		if p.Get("subject_token") != "access-1" || p.Get("subject_token_type") != "urn:ietf:params:oauth:token-type:access_token" || p.Get("audience") != "ledger" {
			t.Errorf("%v", p)
		}
		v, _ := b.Get(t.Context(), "inner")
		v.Config.Subject = "inner"
		if _, err := b.Configure(t.Context(), v.Revision, v.Config, nil); err == nil || !strings.Contains(err.Error(), "inner, for inner is exchanged for itself") {
			t.Error(err)
		}
		// The subject's trouble is told as its own.
		h.provider.set(func(p *provider) { p.down = true })
		time.Sleep(2 * time.Hour)
		var u *broker.Unavailable
		if _, err := b.Token(t.Context(), "inner", broker.Ask{}); !errors.As(err, &u) || !strings.Contains(u.Trouble.Title, shop) {
			t.Errorf("%v", err)
		}
	})
}

// TestShortLives has a provider give tokens that live less than is promised: the
// provider is not asked all the time.
func TestShortLives(t *testing.T) {
	for _, life := range []time.Duration{time.Second, 5 * time.Second, 45 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			h.provider.life = life
			b := h.replica("one")
			stop := h.run(b)
			c, k := machine()
			if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if n := h.provider.requests(); n > 361 {
				t.Errorf("%v: %d requests in an hour without a caller", life, n)
			}
			before := h.provider.requests()
			for range 1000 {
				if _, err := b.Token(t.Context(), shop, broker.Ask{LeastLife: 10 * time.Minute}); err != nil {
					t.Fatal(life, err)
				}
				time.Sleep(10 * time.Millisecond)
			}
			if n := h.provider.requests() - before; n > 110 {
				t.Errorf("%v: %d requests for a thousand callers in ten seconds", life, n)
			}
			stop()
		})
	}
}

func TestValidate(t *testing.T) {
	good, keys := machine()
	tests := map[string]func(*broker.Config, *broker.Keys){
		"id:":                         func(c *broker.Config, _ *broker.Keys) { c.ID = "Shop/../x" },
		"grant_type:":                 func(c *broker.Config, _ *broker.Keys) { c.Grant = "password" },
		"token_endpoint_auth_method:": func(c *broker.Config, _ *broker.Keys) { c.AuthMethod = "" },
		"client_id:":                  func(c *broker.Config, _ *broker.Keys) { c.ClientID = "" },
		"token_endpoint:":             func(c *broker.Config, _ *broker.Keys) { c.Endpoints.Token = "http://idp.example/token" },
		"revocation_endpoint:":        func(c *broker.Config, _ *broker.Keys) { c.Endpoints.Revocation = "/revoke" },
		"authorization_endpoint:":     func(c *broker.Config, _ *broker.Keys) { c.Grant = broker.GrantCode },
		"parameters:":                 func(c *broker.Config, _ *broker.Keys) { c.Extra = map[string]string{"client_secret": "x"} },
		"targets:":                    func(c *broker.Config, _ *broker.Keys) { c.Targets = []string{"api.example.com"} },
		"client_secret:":              func(c *broker.Config, k *broker.Keys) { k.ClientSecret = "" },
		"private_key:":                func(c *broker.Config, k *broker.Keys) { c.AuthMethod = "private_key_jwt" },
		"subject_connection:":         func(c *broker.Config, k *broker.Keys) { c.Grant, c.Subject = broker.GrantTokenExchange, "nobody" },
		"policy:":                     func(c *broker.Config, k *broker.Keys) { c.Policy = "no-such" },
	}
	for want, spoil := range tests {
		hs := newHouse(t)
		b := hs.replica("one")
		c, k := good, keys
		spoil(&c, &k)
		_, err := b.Add(t.Context(), c, k, broker.Tokens{})
		var told *usher.Error
		if !errors.As(err, &told) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %v", want, err)
		}
		if err != nil && strings.Contains(fmt.Sprint(err), "s3cret") {
			t.Errorf("the secret is told: %v", err)
		}
	}
}
