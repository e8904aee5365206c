package systems_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/client"
	"usher/console"
	"usher/lab"
	"usher/serve"
)

// TestClientAtServe is the Go client at a real server: it hears of changes, has a
// refused token replaced and its request sent again, and goes on for a while
// without the server.
func TestClientAtServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + l.Addr().String()
	provider := lab.New(lab.Options{Issuer: base, Realm: "shop", Log: io.Discard, Events: io.Discard, Clients: []lab.Client{{ID: "shop", Scopes: []string{"orders"}, Service: true}}})
	labServer := &http.Server{Handler: provider, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = labServer.Serve(l) }()
	t.Cleanup(func() { _ = labServer.Close() })

	dir, err := os.MkdirTemp("/tmp", "c") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg := serve.Default()
	cfg.Data, cfg.Listen = dir, "127.0.0.1:0"
	s := serve.New(cfg, serve.Env{Now: time.Now, Stderr: io.Discard, Getenv: func(string) string { return "" }})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := s.Stop(ctx); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	operator := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, serve.SocketName))
	}}}
	post := func(path string, in, out any) {
		t.Helper()
		text, _ := json.Marshal(in)
		resp, err := operator.Post("http://usher"+path, "application/json", bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		got, _ := io.ReadAll(resp.Body)
		if resp.StatusCode/100 != 2 {
			t.Fatalf("%s: %d %s", path, resp.StatusCode, got)
		}
		if out != nil {
			if err := json.Unmarshal(got, out); err != nil {
				t.Fatal(err)
			}
		}
	}
	post("/api/v1/connections", console.NewConnection{
		Config: broker.Config{
			ID: "shop-gateway", Endpoints: broker.Endpoints{Token: base + "/realms/shop/protocol/openid-connect/token"}, Grant: broker.GrantClientCredentials,
			ClientID: "shop", AuthMethod: "client_secret_basic", Scopes: []string{"orders"},
		},
		ClientSecret: provider.Secret("shop").Reveal(),
	}, nil)
	var key struct{ Value string }
	post("/api/v1/keys", map[string]any{"name": "checkout", "connections": []string{"shop-gateway"}}, &key)

	c := client.New(client.Options{Server: s.URL(), Key: usher.Secret(key.Value)})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard := make(chan client.Change, 100)
	go func() { _ = c.Watch(ctx, func(one client.Change) { heard <- one }, "shop-gateway") }()
	await := func(generation int64) {
		t.Helper()
		for deadline := time.After(patience); ; {
			select {
			case one := <-heard:
				if one.Generation >= generation {
					return
				}
			case <-deadline:
				t.Fatalf("nobody tells of token %d", generation)
			}
		}
	}
	call := func() int {
		t.Helper()
		resp, err := c.HTTP("shop-gateway", base).Get(base + "/api/orders")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	await(1)
	if status := call(); status != http.StatusOK {
		t.Fatalf("%d", status)
	}
	first, err := c.Token(ctx, "shop-gateway", client.Ask{})
	if err != nil {
		t.Fatal(err)
	}

	// The next token is one that the API refuses: the client has it replaced.
	if err := provider.Switch("token-expired", true); err != nil {
		t.Fatal(err)
	}
	post("/api/v1/connections/shop-gateway/renew", struct{}{}, nil)
	await(first.Generation + 1)
	if status := call(); status != http.StatusOK {
		t.Errorf("a refused token was not replaced: %d", status)
	}
	last, err := c.Token(ctx, "shop-gateway", client.Ask{})
	if err != nil || last.Generation != first.Generation+2 {
		t.Errorf("token %d, %v", last.Generation, err)
	}

	// Without the server the token is used on.
	stop()
	if status := call(); status != http.StatusOK {
		t.Errorf("with the server away: %d", status)
	}
}
