package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/console"
	"usher/serve"
)

// gateway is a provider with a token endpoint and an API that takes its tokens.
type gateway struct {
	*httptest.Server
	asked  atomic.Int64
	secret atomic.Value // that it takes now
	away   atomic.Bool
	life   time.Duration
}

const (
	firstSecret  = "planted-first-secret-1"
	secondSecret = "planted-second-secret-2"
)

func newGateway(t *testing.T) *gateway {
	g := &gateway{life: time.Hour}
	g.secret.Store(firstSecret)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q,"authorization_endpoint":%q,"grant_types_supported":["client_credentials","authorization_code"],"token_endpoint_auth_methods_supported":["client_secret_basic"]}`,
			g.URL, g.URL+"/token", g.URL+"/authorize")
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		n := g.asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, secret, _ := r.BasicAuth()
		secret, _ = url.QueryUnescape(secret)
		switch {
		case g.away.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case secret != g.secret.Load():
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"client secret mismatch: planted-`+`echo `+secret+`"}`)
		default:
			fmt.Fprintf(w, `{"access_token":"planted-token-%d","token_type":"Bearer","expires_in":%d,"scope":"pay"}`, n, int(g.life.Seconds()))
		}
	})
	mux.HandleFunc("GET /api", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "paid with "+r.Header.Get("Authorization"))
	})
	g.Server = httptest.NewServer(mux)
	t.Cleanup(g.Close)
	return g
}

const brokerConfig = `
listen: 127.0.0.1:0
data: d
broker:
  policies:
  - {name: short, least_life: 30s, max_life: 9m}
`

func (b *bench) addConnection(g *gateway, id string) console.Connection {
	b.t.Helper()
	var made console.Connection
	body := fmt.Sprintf(`{"config":{"id":%q,"issuer":%q,"client_id":"shop","grant_type":"client_credentials","scopes":["pay"],"policy":"short"},"client_secret":%q}`, id, g.URL, firstSecret)
	if status := b.ask("POST", "/api/v1/connections", body, &made); status != 200 {
		var text string
		b.ask("POST", "/api/v1/connections", body, &text)
		b.t.Fatal(status, text)
	}
	return made
}

// key makes a key of a program.
func (b *bench) key(name, connections string) (id, value string) {
	b.t.Helper()
	var made struct {
		Key   struct{ ID string }
		Value string
	}
	if status := b.ask("POST", "/api/v1/keys", `{"name":"`+name+`","connections":`+connections+`}`, &made); status != 200 {
		b.t.Fatal(status)
	}
	return made.Key.ID, made.Value
}

// take asks the door for a token.
func (b *bench) take(id, key string, header ...string) (status int, body string) {
	b.t.Helper()
	return b.get("/connections/"+id+"/token", key, header...)
}

func (b *bench) get(path, key string, header ...string) (status int, body string) {
	b.t.Helper()
	req, err := http.NewRequest("GET", b.server.URL()+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	data, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data)
}

// TestConnectionStory: a token that cannot be renewed is one case, of that
// connection alone; the next token proves it fixed; no secret is told anywhere.
func TestConnectionStory(t *testing.T) {
	g := newGateway(t)
	b := newBench(t, brokerConfig)
	b.start()
	made := b.addConnection(g, "shop-gateway")
	b.addConnection(g, "shop-ledger")
	if made.Secret != "kept" || made.Managed != "" {
		t.Errorf("its secret is %q %q", made.Secret, made.Managed)
	}
	if made.Config.Endpoints.Token != g.URL+"/token" || made.Config.AuthMethod != "client_secret_basic" {
		t.Errorf("%+v", made.Config)
	}
	_, key := b.key("checkout", `["shop-gateway"]`)
	status, token := b.take("shop-gateway", key)
	if status != 200 || !strings.Contains(token, "planted-token-") || !strings.Contains(token, `"expires_in":5`) {
		t.Fatal(status, token) // 9 minutes, as the policy says
	}

	g.secret.Store(secondSecret)
	var now console.Connection
	if status := b.ask("POST", "/api/v1/connections/shop-gateway/renew", "", &now); status != 200 || now.Status.Trouble == nil {
		t.Fatalf("%d %+v", status, now.Status)
	}
	if tr := now.Status.Trouble; tr.Cause != "client-secret-invalid" || tr.Turn != usher.FixerDeveloper || now.Status.State != broker.StateWaiting {
		t.Errorf("%+v", tr)
	}
	cases := b.wait("the case", count(1))
	c := cases[0]
	if want := "Connection 'shop-gateway' cannot be renewed: the client secret is not the one that the provider holds"; c.Title != want || len(c.Fixes) == 0 || c.Fixes[0].Title != "Replace the client's secret" {
		t.Errorf("%q %+v", c.Title, c.Fixes)
	}
	if len(c.Changed) != 1 || c.Changed[0].Change.Operation != "create" {
		t.Errorf("what was changed before: %+v", c.Changed)
	}
	if status, again := b.take("shop-gateway", key); status != 200 || !strings.Contains(again, "planted-token-") {
		t.Errorf("a token that lives is not given: %d %s", status, again)
	}

	change, _ := json.Marshal(console.ChangedConnection{Revision: now.Revision, Config: now.Config, ClientSecret: secondSecret})
	if status := b.ask("PUT", "/api/v1/connections/shop-gateway", string(change), &now); status != 200 {
		t.Fatal(status)
	}
	b.wait("the proof", func(list []usher.Case) bool { return len(list) == 1 && list[0].State == usher.CaseFixed })
	now = console.Connection{}
	b.ask("GET", "/api/v1/connections/shop-gateway", "", &now)
	if now.Status.State != broker.StateAlive || now.Status.Healed == nil || now.Case != 0 {
		t.Errorf("%+v", now.Status)
	}
	var ledger console.Connection
	if b.ask("GET", "/api/v1/connections/shop-ledger", "", &ledger); ledger.Status.Trouble != nil || ledger.Status.Generation != 1 {
		t.Errorf("the other connection: %+v", ledger.Status)
	}

	var figures string
	if b.ask("GET", "/metrics", "", &figures); !strings.Contains(figures, `usher_connections{state="alive"} 2`) {
		t.Errorf("the metrics do not count: %s", figures)
	}
	var all string
	told := b.stderr.String() + b.told.String()
	for _, path := range []string{"/api/v1/connections", "/api/v1/cases?all=true", "/api/v1/connections/shop-gateway/explain", "/api/v1/cases/1", "/cases/1", "/metrics"} {
		b.ask("GET", path, "", &all)
		told += all
	}
	for _, secret := range []string{firstSecret, secondSecret, "planted-token"} {
		if strings.Contains(told, secret) {
			t.Errorf("%s is told:\n%.3000s", secret, told)
		}
	}
	b.stop()
	kept := ""
	for _, name := range []string{"usher.db", "usher.db-wal"} {
		data, _ := os.ReadFile(filepath.Join(b.dir, "d", name))
		kept += string(data)
	}
	for _, secret := range []string{firstSecret, secondSecret, "planted-token"} {
		if strings.Contains(kept, secret) {
			t.Errorf("%s lies in the database in clear", secret)
		}
	}
}

// TestManagedAway: a connection whose managed secret is not to be had is given
// one of its own, and is told which it has.
func TestManagedAway(t *testing.T) {
	g := newGateway(t)
	b := newBench(t, brokerConfig)
	b.start()
	made := b.addConnection(g, "shop-gateway")
	change := console.ChangedConnection{Revision: made.Revision, Config: made.Config, Managed: "not-there"}
	put := func() {
		t.Helper()
		body, _ := json.Marshal(change)
		made = console.Connection{}
		if status := b.ask("PUT", "/api/v1/connections/shop-gateway", string(body), &made); status != 200 {
			var told string
			b.ask("PUT", "/api/v1/connections/shop-gateway", string(body), &told)
			t.Fatal(status, told)
		}
	}
	put()
	if made.Secret != "managed" || made.Managed != "not-there" {
		t.Errorf("%q %q", made.Secret, made.Managed)
	}
	change = console.ChangedConnection{Revision: made.Revision, Config: made.Config, ClientSecret: firstSecret}
	put()
	if made.Secret != "kept" || made.Managed != "" {
		t.Errorf("%q %q", made.Secret, made.Managed)
	}
	var now console.Connection
	if b.ask("POST", "/api/v1/connections/shop-gateway/renew", "", &now); now.Status.Trouble != nil || now.Status.State != broker.StateAlive {
		t.Errorf("%+v", now.Status)
	}
}

// TestConnectionRestart: a token outlives the server, and nobody is asked for
// another.
func TestConnectionRestart(t *testing.T) {
	g := newGateway(t)
	b := newBench(t, brokerConfig)
	b.start()
	b.addConnection(g, "shop-gateway")
	_, key := b.key("checkout", `["*"]`)
	_, before := b.take("shop-gateway", key)
	asked := g.asked.Load()
	b.stop()
	b.start()
	status, after := b.take("shop-gateway", key)
	if status != 200 || tokenOf(t, after) != tokenOf(t, before) || g.asked.Load() != asked {
		t.Errorf("%d %s, before %s; asked %d times, before %d", status, after, before, g.asked.Load(), asked)
	}
	info, err := os.Stat(filepath.Join(b.dir, "d", "broker.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	if strings.Count(b.told.String(), "a key was made") != 1 {
		t.Errorf("the key is told so: %s", b.told)
	}
}

func tokenOf(t *testing.T, body string) string {
	t.Helper()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err, body)
	}
	return answer.Token
}

// TestLostKey: without its key a server does not start, makes no new one that
// would hide the loss, and says what to do.
func TestLostKey(t *testing.T) {
	g := newGateway(t)
	b := newBench(t, brokerConfig)
	b.start()
	b.addConnection(g, "shop-gateway")
	b.stop()
	file := filepath.Join(b.dir, "d", "broker.key")
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	start := func(text string) error {
		cfg, _, err := serve.Parse(filepath.Join(b.dir, "usher.yaml"), []byte(text), serve.LoadOptions{Static: true})
		if err != nil {
			t.Fatal(err)
		}
		s := serve.New(cfg, serve.Env{Getenv: func(name string) string { return strings.TrimSpace(lastLine(string(kept))) }})
		err = s.Start(t.Context())
		_ = s.Stop(context.WithoutCancel(t.Context()))
		return err
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := start(brokerConfig); err == nil || !strings.Contains(err.Error(), "broker's key is not there") {
		t.Error(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a new key was made in its place")
	}
	if err := start(brokerConfig + "  key_env: USHER_BROKER_KEY\n"); err != nil {
		t.Errorf("the same key from the environment: %v", err)
	}
	other := filepath.Join(b.dir, "other.key")
	if err := start(brokerConfig + "  key_file: other.key\n"); err == nil {
		t.Error("another key file that is not there")
	}
	if err := os.WriteFile(other, []byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(brokerConfig + "  key_file: other.key\n"); err == nil {
		t.Error("it starts with a wrong key")
	}
	if err := os.WriteFile(file, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(brokerConfig); err != nil {
		t.Error(err)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// TestCallersKey: a caller's key is no operator, and takes what it is for.
func TestCallersKey(t *testing.T) {
	g := newGateway(t)
	b := newBench(t, brokerConfig)
	b.start()
	b.addConnection(g, "shop-gateway")
	b.addConnection(g, "shop-ledger")
	id, key := b.key("checkout", `["shop-gateway"]`)
	for _, path := range []string{"/api/v1/cases", "/api/v1/connections", "/api/v1/keys", "/api/v1/watch", "/", "/keys", "/connections", "/cases/1"} {
		if status, body := b.get(path, key); status != 403 || strings.Contains(body, "shop-ledger") {
			t.Errorf("%s: %d %.200s", path, status, body)
		}
	}
	for path, want := range map[string]int{
		"/connections/shop-gateway/token": 200, "/connections/shop-ledger/token": 403, "/connections/none/token": 403, "/healthz": 200,
		"/connections/shop-gateway/token?access_token=x": 400, "/connections/shop-gateway/token?least_life=20m": 200,
	} {
		if status, body := b.get(path, key); status != want {
			t.Errorf("%s: %d, want %d: %.300s", path, status, want, body)
		}
	}
	for _, path := range []string{"/secrets/shop", "/connect/shop-gateway", "/connect/shop-ledger", "/connections/events?connection=shop-ledger"} {
		if status, body := b.get(path, key); status < 400 || strings.Contains(body, "planted") {
			t.Errorf("%s: %d %.300s", path, status, body)
		}
	}
	if status := b.ask("GET", "/connections/shop-ledger/token", "", nil); status != 200 {
		t.Errorf("over the socket: %d", status)
	}
	for body, want := range map[string]int{
		`{"name":"x","connections":[]}`: 422, `{"name":"x","connections":["*","a"]}`: 422, `{"name":"x","connections":["Shop Gateway"]}`: 422, `{"name":"x","connections":["events"]}`: 422,
	} {
		if status := b.ask("POST", "/api/v1/keys", body, nil); status != want {
			t.Errorf("%s: %d", body, status)
		}
	}
	if status := b.ask("DELETE", "/api/v1/keys/"+id, "", nil); status != 204 {
		t.Error(status)
	}
	if status, _ := b.take("shop-gateway", key); status != 401 {
		t.Errorf("%d for a key that was taken away here", status)
	}
}

// TestOldKeys: a key from before keys had rights is what it was.
func TestOldKeys(t *testing.T) {
	b := newBench(t, brokerConfig)
	b.start()
	var made struct{ Value string }
	b.ask("POST", "/api/v1/keys", `{"name":"ci"}`, &made)
	if status, _ := b.get("/api/v1/cases", made.Value); status != 200 {
		t.Error(status)
	}
	if status, _ := b.take("none", made.Value); status != 404 {
		t.Error(status)
	}
}

// TestProviderAway: who has no token is told why and when to come back, and is
// served as soon as the provider is back; a subscriber hears of both.
func TestProviderAway(t *testing.T) {
	g := newGateway(t)
	g.away.Store(true)
	b := newBench(t, brokerConfig)
	b.start()
	b.addConnection(g, "shop-gateway")
	_, key := b.key("checkout", `["*"]`)
	req, _ := http.NewRequest("GET", b.server.URL()+"/connections/events?connection=shop-gateway", nil)
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	told := make(chan string, 100)
	go func() {
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				told <- data
			}
		}
	}()
	status, body := b.take("shop-gateway", key, "Prefer", "wait=1")
	if status != 503 || !strings.Contains(body, `"error":"temporarily_unavailable"`) || strings.Contains(body, "link") {
		t.Errorf("%d %s", status, body)
	}
	b.wait("the case", func(list []usher.Case) bool {
		return len(list) == 1 && strings.HasPrefix(list[0].Title, "Connection 'shop-gateway' has no token")
	})
	g.away.Store(false)
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if status, _ := b.take("shop-gateway", key, "Prefer", "wait=1"); status == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it does not heal by itself")
		}
	}
	b.wait("the proof", func(list []usher.Case) bool { return list[0].State == usher.CaseFixed })
	trouble, healed := false, false
	for end := time.After(20 * time.Second); !trouble || !healed; {
		select {
		case line := <-told:
			trouble = trouble || strings.Contains(line, `"trouble":{`)
			healed = healed || strings.Contains(line, `"healed":{`) && strings.Contains(line, `"state":"alive"`)
			if strings.Contains(line, "planted") {
				t.Error("a token is told to subscribers:", line)
			}
		case <-end:
			t.Fatalf("trouble told: %v, healing told: %v", trouble, healed)
		}
	}
}

// TestProviderAwayForMany: one provider that is away is one case, which every
// connection there shows, and which ends when one of them has a token.
func TestProviderAwayForMany(t *testing.T) {
	g := newGateway(t)
	b := newBench(t, brokerConfig)
	b.start()
	const many = 300
	for i := range many {
		b.addConnection(g, fmt.Sprintf("shop-%d", i))
	}
	g.away.Store(true)
	_, key := b.key("checkout", `["*"]`)
	for i := range 4 { // what people and programs ask for at once
		b.take(fmt.Sprintf("shop-%d", i), key, "Prefer", "wait=0")
		b.ask("POST", fmt.Sprintf("/api/v1/connections/shop-%d/renew", i), "", nil)
	}
	for i := range many { // the pace lets few through while nobody answers: the others come in time
		serve.TellBroker(b.server, usher.Event{
			UID: fmt.Sprintf("away-%d", i), Kind: usher.EventToken, Provider: "usher", LogName: "broker", Time: time.Now(), Session: fmt.Sprintf("shop-%d", i),
			Tenant: strings.TrimPrefix(g.URL, "http://"), Client: usher.Party{UID: "shop"}, Resource: usher.Party{Name: fmt.Sprintf("shop-%d", i)}, Status: usher.StatusFailure,
			Request:  usher.Request{Method: "POST", Host: strings.TrimPrefix(g.URL, "http://"), Path: "/token", Status: 503},
			Unmapped: map[string]string{"fault": usher.FaultOfEndpoint, "cause": "provider-outage", "strategy": "retry", "title": "the provider is away"},
		})
	}
	cases := b.wait("all of them in one case", func(list []usher.Case) bool { return len(list) > 0 && list[0].Connections == many })
	if c := cases[0]; len(cases) != 1 || !strings.HasPrefix(c.Title, "300 connections get no new token from '"+strings.TrimPrefix(g.URL, "http://")+"/token': ") {
		t.Errorf("%d cases, %q", len(cases), c.Title)
	}
	var list struct{ Connections []console.Connection }
	b.ask("GET", "/api/v1/connections", "", &list)
	shown := 0
	for _, c := range list.Connections {
		if c.Status.Trouble == nil {
			continue
		}
		if shown++; c.Case != 1 {
			t.Errorf("%s shows case %d: %+v", c.Config.ID, c.Case, c.Status.Trouble)
		}
	}
	if shown == 0 {
		t.Error("no connection is in trouble")
	}
	var page string
	if b.ask("GET", "/cases/1", "", &page); !strings.Contains(page, "shop-") || !strings.Contains(page, "and 280 others") {
		t.Errorf("the page names no connections: %.2000s", page)
	}
	g.away.Store(false)
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if b.ask("POST", "/api/v1/connections/shop-0/renew", "", nil); b.cases()[0].State == usher.CaseFixed {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the next token proves nothing")
		}
	}
	if n := len(b.cases()); n != 1 {
		t.Errorf("%d cases", n)
	}
}

// TestEgressServed: the proxy of the configuration puts the token in, for the
// targets of the configuration and no others.
func TestEgressServed(t *testing.T) {
	g := newGateway(t)
	b := newBench(t, brokerConfig+"  egress: {listen: '127.0.0.1:0', targets: [{connection: shop-gateway, origin: '"+g.URL+"'}]}\n")
	b.start()
	b.addConnection(g, "shop-gateway")
	b.addConnection(g, "shop-ledger")
	_, key := b.key("checkout", `["*"]`)
	host := strings.TrimPrefix(g.URL, "http://")
	for id, want := range map[string]int{"shop-gateway": 200, "shop-ledger": 403} {
		req, _ := http.NewRequest("GET", "http://"+b.server.EgressAddr()+"/egress/"+id+"/http/"+host+"/api", nil)
		req.Header.Set("Usher-Key", key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != want || want == 200 && !strings.HasPrefix(string(body), "paid with Bearer planted-token-") {
			t.Errorf("%s: %d %s", id, resp.StatusCode, body)
		}
	}
}

// TestConnectionRefused: bad wishes are refused in words, and nothing is made.
func TestConnectionRefused(t *testing.T) {
	g := newGateway(t)
	b := newBench(t, brokerConfig)
	b.start()
	b.addConnection(g, "shop-gateway")
	for body, want := range map[string]string{
		`{"config":{"id":"shop-gateway","issuer":"` + g.URL + `","client_id":"shop","grant_type":"client_credentials"},"client_secret":"s"}`: "there is a connection shop-gateway already",
		`{"config":{"id":"Shop"}}`:                                                                           "small letters, digits and hyphens",
		`{"config":{"id":"a"}}`:                                                                              "it is not said whose token this is",
		`{"config":{"id":"a","preset":"paypall"}}`:                                                           "preset: there is none of the name",
		`{"config":{"id":"a","provider":"none"}}`:                                                            "no provider of this name",
		`{"config":{"id":"a","grant_type":"password","issuer":"` + g.URL + `"}}`:                             "no grant of this name",
		`{"config":{"id":"a","issuer":"` + g.URL + `/other","client_id":"x"},"client_secret":"s"}`:           "issuer",
		`{"config":{"id":"a","issuer":"` + g.URL + `","client_id":"x","policy":"none"},"client_secret":"s"}`: "policy",
		`{"config":{"id":"a"},"secret":"x"}`:                                                                 "not the JSON object",
	} {
		var told string
		if status := b.ask("POST", "/api/v1/connections", body, &told); status < 400 || status >= 500 || !strings.Contains(told, want) {
			t.Errorf("%s: %d %s, want %q", body, status, told, want)
		}
	}
	var list struct{ Connections []console.Connection }
	if b.ask("GET", "/api/v1/connections", "", &list); len(list.Connections) != 1 {
		t.Errorf("%+v", list)
	}
	stale, _ := json.Marshal(console.ChangedConnection{Revision: 99, Config: list.Connections[0].Config})
	if status := b.ask("PUT", "/api/v1/connections/shop-gateway", string(stale), nil); status != 409 {
		t.Error(status)
	}
	if status := b.ask("DELETE", "/api/v1/connections/shop-gateway", "", nil); status != 204 {
		t.Error(status)
	}
	if status := b.ask("DELETE", "/api/v1/connections/shop-gateway", "", nil); status != 404 {
		t.Error(status)
	}
}
