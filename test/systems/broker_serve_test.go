package systems_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"usher/broker"
)

// TestBrokerServe is what a person types: a connection is added by its issuer,
// somebody connects by the link, a program takes the token, the grant is taken
// back, and connecting again heals it.
func TestBrokerServe(t *testing.T) {
	p := startStrict(t)
	p.brokered = &brokered{T: t}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "usher-b-") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("usher.yaml", "listen: 127.0.0.1:0\ndata: usher-data\n")
	write("secret.txt", p.secret.Reveal())
	var said lockedBuffer
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(path, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "NO_COLOR=1")
		return cmd
	}
	serve := command("serve", "--config", "usher.yaml")
	serve.Stdout, serve.Stderr = &said, &said
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Process.Signal(syscall.SIGTERM)
		_ = serve.Wait()
		if t.Failed() {
			t.Logf("usher serve said:\n%s", said.String())
		}
	})
	api := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "usher-data", "usher.sock"))
	}}}
	ask := func(path string) (int, string) {
		res, err := api.Get("http://usher" + path)
		if err != nil {
			return 0, err.Error()
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(text)
	}
	for since := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if status, text := ask("/readyz"); status == http.StatusOK {
			break
		} else if time.Since(since) > patience {
			t.Fatalf("usher serve is not ready: %s\n%s", text, said.String())
		}
	}
	do := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		cmd := command(args...)
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("usher %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
		}
		return out.String()
	}

	added := do("connections", "add", "shop-gateway", "--issuer", p.issuer, "--client-id", "shop", "--secret-file", "secret.txt", "--scope", "openid", "--scope", "offline_access", "--scope", "orders")
	redirect := regexp.MustCompile(`http://127\.0\.0\.1:\d+/connect/callback/\S+`).FindString(added)
	if redirect == "" {
		t.Fatalf("it does not say which redirect URI to register:\n%s", added)
	}
	p.do("POST", "/test/callback?uri="+redirect)
	connect := func() sight {
		t.Helper()
		text := do("connections", "connect", "shop-gateway")
		link := regexp.MustCompile(`http://127\.0\.0\.1:\d+/connect/shop-gateway\?t=\S+`).FindString(text)
		if link == "" {
			t.Fatalf("it gives no link:\n%s", text)
		}
		p.url = link[:strings.Index(link, "/connect/")]
		return p.someone(nil).visit(link, nil)
	}
	if seen := connect(); !strings.Contains(seen.text, "<h1>Connected</h1>") {
		t.Fatalf("%d\n%s", seen.status, seen.text)
	}
	status, text := ask("/connections/shop-gateway/token")
	var token struct {
		Access  string `json:"access_token"`
		Expires int    `json:"expires_in"`
		Type    string `json:"token_type"`
	}
	if err := json.Unmarshal([]byte(text), &token); err != nil || status != http.StatusOK || token.Access == "" || token.Expires <= 0 || token.Type != "Bearer" {
		t.Fatalf("the token: %d %s", status, text)
	}

	p.do("POST", "/test/revoke")
	renew := command("connections", "renew", "shop-gateway")
	out, err := renew.CombinedOutput()
	if err == nil || !strings.Contains(strings.ToLower(string(out)), "revoked") {
		t.Errorf("renewing what was taken back: %v\n%s", err, out)
	}
	shown := do("connections", "show", "shop-gateway")
	if !strings.Contains(shown, string(broker.StateWaiting)) && !strings.Contains(shown, "connect") {
		t.Errorf("%s", shown)
	}
	cases := do("cases", "list")
	for since := time.Now(); !strings.Contains(cases, "shop-gateway"); cases = do("cases", "list") {
		if time.Since(since) > patience {
			t.Fatalf("no case tells of it:\n%s", cases)
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("%s\n%s", shown, cases)

	if seen := connect(); !strings.Contains(seen.text, "<h1>Connected</h1>") {
		t.Fatalf("%d\n%s", seen.status, seen.text)
	}
	if status, text := ask("/connections/shop-gateway/token"); status != http.StatusOK || strings.Contains(text, token.Access) {
		t.Errorf("after the healing: %d", status)
	}
	for since := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		all := do("cases", "list", "--all")
		if strings.Contains(all, "fixed") {
			t.Log(all)
			break
		}
		if time.Since(since) > patience {
			t.Errorf("the case is not proven fixed:\n%s", all)
			break
		}
	}
	// What was written to the disk holds no secret in clear.
	files, _ := filepath.Glob(filepath.Join(dir, "usher-data", "*"))
	for _, name := range files {
		if content, err := os.ReadFile(name); err == nil && (bytes.Contains(content, []byte(token.Access)) || bytes.Contains(content, []byte(p.secret.Reveal()))) {
			t.Errorf("%s holds a secret in clear", filepath.Base(name))
		}
	}
}
