package systems_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/test/systems/keycloak"
)

// strict is the provider of broker_provider.mjs.
type strict struct {
	*brokered
	issuer string
	secret usher.Secret
}

// seenRequest is one request to its token endpoint.
type seenRequest struct {
	Grant, Error, Detail string
	OK                   bool
}

func startStrict(t *testing.T) *strict {
	t.Helper()
	keycloak.Wanted(t) // it takes its time
	if err := packages(); err != nil {
		missing(t, err)
	}
	p := &strict{secret: usher.Secret(rand.Text() + rand.Text())}
	p.issuer, _ = startNode(t, "broker_provider.mjs", "USHER_BROKERED", p.secret)
	return p
}

// startNode starts a provider of Node.js that says where it listens. Where it may
// send people back to it learns by a request: its own address is part of that.
func startNode(t *testing.T, script, variable string, secret usher.Secret) (issuer string, log *bytes.Buffer) {
	t.Helper()
	setup, _ := json.Marshal(map[string]any{"secret": secret.Reveal(), "callback": []string{"http://127.0.0.1/connect/callback"}})
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "node", script)
	cmd.Env = append(os.Environ(), variable+"="+string(setup), "NO_COLOR=1")
	hold, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log = new(bytes.Buffer)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hold.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var at struct {
		Issuer string `json:"issuer"`
	}
	if err == nil {
		err = json.Unmarshal(line, &at)
	}
	if err != nil {
		t.Fatalf("the provider does not say where it listens: %v\n%s", err, log.String())
	}
	return at.Issuer, log
}

func (p *strict) do(method, path string) []byte {
	p.Helper()
	req, _ := http.NewRequest(method, p.issuer+path, nil)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	_, _ = b.ReadFrom(res.Body)
	return b.Bytes()
}

// seen tells how many requests of a grant came, and how many failed.
func (p *strict) seen(grant string) (good, bad int) {
	p.Helper()
	var list []seenRequest
	if err := json.Unmarshal(p.do("GET", "/test/seen"), &list); err != nil {
		p.Fatal(err)
	}
	for _, r := range list {
		if r.Grant == grant && r.OK {
			good++
		} else if r.Grant == grant && r.Error != "authorization_pending" && r.Error != "slow_down" {
			bad++
		}
	}
	return good, bad
}

// TestBrokerOIDCProvider is the life of connections before npm oidc-provider,
// which forgives nothing: a refresh token that is used twice ends all of them.
func TestBrokerOIDCProvider(t *testing.T) {
	p := startStrict(t)
	p.brokered = newBrokered(t, p.issuer)
	code := func(c *broker.Config) {
		c.ClientID, c.Scopes = "shop", []string{"openid", "offline_access", "orders"}
	}
	v := p.add("shop-gateway", p.issuer, code, p.secret)
	p.do("POST", "/test/callback?uri="+p.h.RedirectURI(v.Config))
	if !v.Config.Endpoints.IssuerInResponse || v.Config.AuthMethod != "client_secret_basic" || v.Config.Grant != broker.GrantCode {
		t.Errorf("discovered: %+v", v.Config)
	}

	t.Run("a person connects, callers come at once, the person takes it back and gives it again", func(t *testing.T) {
		ana := p.someone(nil)
		ana.connects("shop-gateway")
		first := p.token("shop-gateway", broker.Ask{})
		if got := p.get("shop-gateway").Status; got.User != "ana" || got.State != broker.StateAlive {
			t.Errorf("%+v", got)
		}
		if _, err := p.replicas[0].Renew(p.ctx, "shop-gateway"); err != nil {
			t.Fatal(err)
		}
		if p.token("shop-gateway", broker.Ask{Refused: first.Access}).Access.Reveal() == first.Access.Reveal() {
			t.Error("the token was not renewed")
		}
		before, _ := p.seen("refresh_token")
		p.herd("shop-gateway")
		if after, bad := p.seen("refresh_token"); after-before != 1 || bad != 0 {
			t.Errorf("it saw %d refreshes, want 1, and refused %d", after-before, bad)
		}

		p.do("POST", "/test/revoke")
		tr := p.gone("shop-gateway", "refresh-token-revoked", "refresh-token-expired")
		asked, refused := p.seen("refresh_token")
		for range 10 {
			if _, err := p.replicas[0].Token(p.ctx, "shop-gateway", broker.Ask{LeastLife: time.Hour}); err == nil {
				break // the old token lives on as long as it was given
			}
		}
		if a, r := p.seen("refresh_token"); a != asked || r != refused {
			t.Errorf("a refresh token that is dead was presented again: %d, %d", a-asked, r-refused)
		}
		ana.connects("shop-gateway")
		p.healed("shop-gateway", tr.Cause)
		if _, err := p.replicas[2].Renew(p.ctx, "shop-gateway"); err != nil {
			t.Errorf("after the healing: %v", err)
		}
	})

	t.Run("somebody else is asked first", func(t *testing.T) {
		p.do("POST", "/test/as?name=ben")
		defer p.do("POST", "/test/as?name=ana")
		link, err := p.h.Link(p.ctx, "shop-gateway")
		if err != nil {
			t.Fatal(err)
		}
		ben := p.someone(map[string]string{"answer": "keep"})
		seen := ben.visit(link, nil)
		if !strings.Contains(seen.text, "The connection stays with ana") || p.get("shop-gateway").Status.User != "ana" {
			t.Errorf("%s", seen.text)
		}
		p.token("shop-gateway", broker.Ask{})
	})

	t.Run("device", func(t *testing.T) {
		p.add("till", p.issuer, func(c *broker.Config) { code(c); c.Grant = broker.GrantDevice }, p.secret)
		code, at := p.someone(nil).code("till")
		p.someone(map[string]string{"user_code": code}).visit(at, nil)
		p.alive("till")
		if got := p.get("till").Status; got.User != "ana" {
			t.Errorf("%+v", got)
		}
		p.do("POST", "/test/slow?ms=2500") // slower than other brokers' locks last
		before, badBefore := p.seen("refresh_token")
		p.herd("till")
		p.do("POST", "/test/slow?ms=0")
		if after, bad := p.seen("refresh_token"); after-before != 1 || bad != badBefore {
			t.Errorf("%d refreshes, %d refused", after-before, bad)
		}
	})

	t.Run("client credentials", func(t *testing.T) {
		p.add("job", p.issuer, func(c *broker.Config) {
			c.ClientID, c.Grant, c.Scopes = "shop", broker.GrantClientCredentials, []string{"orders"}
		}, p.secret)
		p.token("job", broker.Ask{})
		before, _ := p.seen("client_credentials")
		p.herd("job")
		if after, bad := p.seen("client_credentials"); after-before != 1 || bad != 0 {
			t.Errorf("%d requests, %d refused", after-before, bad)
		}
	})
	p.keepsSecrets()
}

// alive waits until a connection is.
func (b *brokered) alive(id string) {
	b.Helper()
	for since := time.Now(); b.get(id).Status.State != broker.StateAlive; time.Sleep(50 * time.Millisecond) {
		if time.Since(since) > 30*time.Second {
			b.Fatalf("%s is %+v\n%s", id, b.get(id).Status, b.log.String())
		}
	}
}
