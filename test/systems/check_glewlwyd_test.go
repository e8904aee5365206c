package systems_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"usher"
	"usher/test/systems/keycloak"
)

// glewlwydVersion is the one that Debian 12 has; the page names it.
const glewlwydVersion = "2.7.5"

// glewlwydSchema is the database as the package brings it, with an
// administrator whose password everybody knows.
const glewlwydSchema = "/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz"

// glewlwyd is Debian's OpenID provider of that name, with a database and a
// configuration of the test's own, and its OpenID Connect plugin once for each
// way to set it up.
type glewlwyd struct {
	url    string
	client *http.Client // of the administrator, signed in
	key    *rsa.PrivateKey
}

func startGlewlwyd(t *testing.T) *glewlwyd {
	t.Helper()
	keycloak.Wanted(t)
	program, err := exec.LookPath("glewlwyd")
	if err != nil {
		missing(t, errors.New("glewlwyd is missing"))
	}
	said, _ := exec.Command(program, "--version").CombinedOutput()
	if !strings.Contains(string(said), glewlwydVersion) {
		t.Logf("the tests were written for glewlwyd %s, this is another: %s", glewlwydVersion, said)
	}
	dir := t.TempDir()
	if err := newGlewlwydDatabase(filepath.Join(dir, "db")); err != nil {
		missing(t, fmt.Errorf("the database of glewlwyd: %w", err))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()

	g := &glewlwyd{url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	config := fmt.Sprintf(`port=%d
bind_address="127.0.0.1"
external_url="%s"
login_url="login.html"
api_prefix="api"
static_files_path="/usr/share/glewlwyd/webapp"
log_mode="console"
log_level="INFO"
cookie_secure=0
session_key="GLEWLWYD2_SESSION_ID"
admin_session_authentication="cookie"
profile_session_authentication="cookie"
login_api_enabled=true
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
hash_algorithm="SHA512"
database = { type = "sqlite3"; path = "%s"; };
static_files_mime_types = ( { extension = ".html"; mime_type = "text/html"; } );
`, port, g.url, filepath.Join(dir, "db"))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	server := exec.CommandContext(ctx, program, "--config-file="+fileOf(t, "glewlwyd.conf", []byte(config)))
	var log lockedBuffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Signal(os.Interrupt); _ = server.Wait() })

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	g.client = &http.Client{Jar: jar, Timeout: 10 * time.Second}
	for since := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if err = g.post("/api/auth/", map[string]string{"username": "admin", "password": "password"}); err == nil {
			break
		}
		if time.Since(since) > patience {
			t.Fatalf("glewlwyd does not let its administrator in: %v\n%s", err, log.String())
		}
	}
	if g.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	return g
}

func newGlewlwydDatabase(path string) error {
	f, err := os.Open(glewlwydSchema)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	schema, err := io.ReadAll(z)
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.Exec(string(schema))
	return errors.Join(err, db.Close())
}

// post calls the admin API.
func (g *glewlwyd) post(path string, in any) error {
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	res, err := g.client.Post(g.url+path, "application/json", bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<16)); res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, res.Status, body)
	}
	return nil
}

// plugin sets the OpenID Connect plugin up under a name, and gives its issuer.
func (g *glewlwyd) plugin(t *testing.T, name string, key *rsa.PrivateKey, change map[string]any) string {
	t.Helper()
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	issuer := g.url + "/api/" + name
	p := map[string]any{
		"iss": issuer, "jwt-type": "rsa", "jwt-key-size": "256", "jwks-show": true,
		"key":                   string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		"cert":                  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		"access-token-duration": 600, "refresh-token-duration": 86400, "code-duration": 60, "refresh-token-rolling": true, "refresh-token-one-use": "always",
		"allow-non-oidc": true, "auth-type-code-enabled": true, "auth-type-code-revoke-replayed": true, "auth-type-token-enabled": false, "auth-type-password-enabled": false,
		"auth-type-client-enabled": true, "auth-type-refresh-enabled": true, "auth-type-device-enabled": false, "auth-type-none-enabled": false,
		"allowed-scope": []string{"openid"}, "pkce-allowed": true, "pkce-method-plain-allowed": false, "pkce-required": true,
		"introspection-revocation-allowed": true, "introspection-revocation-auth-scope": []string{"g_admin"}, "introspection-revocation-allow-target-client": true,
		"register-client-allowed": false, "oauth-as-iss-id": true, "oauth-par-allowed": true, "oauth-par-request_uri-prefix": "urn:ietf:params:oauth:request_uri:", "oauth-par-duration": 90,
		"oauth-dpop-allowed": true, "oauth-dpop-iat-duration": 30,
		"session-management-allowed": true, "session-cookie-name": "GLEWLWYD2_OIDC_SID", "session-cookie-expiration": 86400, "front-channel-logout-allowed": false, "back-channel-logout-allowed": true,
		"request-parameter-allow": false,
	}
	for member, value := range change {
		p[member] = value
	}
	if err := g.post("/api/mod/plugin/", map[string]any{"module": "oidc", "name": name, "display_name": name, "parameters": p, "order_rank": 0, "readonly": false}); err != nil {
		t.Fatal(err)
	}
	return issuer
}

// alwaysAtGlewlwyd is wrong whatever the plugin is set to: it names the implicit
// grant as long as it gives ID tokens at its authorization endpoint, which cannot
// be switched off, and it forbids to keep anything that its API answers.
var alwaysAtGlewlwyd = []string{"grant-implicit", "discovery-cache"}

// Asked, it lets scripts of every page in, unless its configuration says
// otherwise, and takes a parameter that is given twice.
var askedGlewlwyd = []string{"cors-authorization", "unknown-parameters"}

func TestCheckGlewlwyd(t *testing.T) {
	g := startGlewlwyd(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Logf("no key of 1024 bits: %v", err)
	}
	const secret, callback = "Vq3mT8sWz5LkY1nRc7HxJd0BfGu2PaE9", "https://localhost/cb"
	if err := g.post("/api/client/", map[string]any{
		"client_id": "web", "name": "The shop", "confidential": true, "enabled": true, "client_secret": secret, "password": secret,
		"redirect_uri": []string{callback}, "authorization_type": []string{"code", "refresh_token", "client_credentials"}, "scope": []string{"openid"},
		"token_endpoint_auth_method": []string{"client_secret_basic"},
	}); err != nil {
		t.Fatal(err)
	}

	var rows []pageRow
	for i, c := range []struct {
		setting string
		change  map[string]any
		key     *rsa.PrivateKey
		client  string   // that is asked for; empty: the public reads alone
		wrong   []string // beside what always is
	}{
		{setting: "as it should be"},
		{setting: "plain PKCE allowed", change: map[string]any{"pkce-method-plain-allowed": true}, wrong: []string{"pkce-plain-announced"}},
		{setting: "no PKCE", change: map[string]any{"pkce-allowed": false, "pkce-required": false}},
		{setting: "password grant on", change: map[string]any{"auth-type-password-enabled": true}, wrong: []string{"grant-password"}},
		{setting: "no introspection and revocation", change: map[string]any{"introspection-revocation-allowed": false}, wrong: []string{"revocation-offered"}},
		{setting: "no sign-out", change: map[string]any{"session-management-allowed": false}, wrong: []string{"logout-offered"}},
		{setting: "no pushed requests", change: map[string]any{"oauth-par-allowed": false}, wrong: []string{"par-supported"}},
		{setting: "no bound tokens", change: map[string]any{"oauth-dpop-allowed": false}, wrong: []string{"sender-constraint-supported"}},
		{setting: "another issuer in the settings", change: map[string]any{"iss": "https://login.shop.example"}, wrong: []string{"issuer-identical", "discovery-hosts-foreign"}},
		{setting: "key of 1024 bits", key: small, wrong: []string{"jwks-key-size"}},
		{setting: "asked", client: "web"},
		{setting: "asked, PKCE not required", client: "web", change: map[string]any{"pkce-required": false}, wrong: []string{"pkce-enforced"}},
		{setting: "tried, registration open", client: "web", change: map[string]any{"register-client-allowed": true, "register-client-auth-scope": []string{}, "register-client-credentials-scope": []string{}, "register-client-management-allowed": true}, wrong: []string{"dcr-open"}},
	} {
		key := g.key
		if strings.Contains(c.setting, "1024") {
			if key = c.key; key == nil {
				continue
			}
		}
		t.Run(c.setting, func(t *testing.T) {
			issuer := g.plugin(t, fmt.Sprintf("p%d", i), key, c.change)
			args := []string{issuer, "--wait", "0s"}
			if c.client != "" {
				args = append(args, "--client-id", c.client, "--redirect-uri", callback, "--secret-file", fileOf(t, "secret", []byte(secret)), "--probe")
			}
			if strings.HasPrefix(c.setting, "tried") {
				args = append(args, "--change", "--yes")
			}
			before := g.clients(t)
			l := look(t, args...)
			wrong := append(c.wrong, alwaysAtGlewlwyd...)
			if c.client != "" {
				wrong = append(wrong, askedGlewlwyd...)
			}
			l.says(wrong...)
			l.keeps(secret)
			if after := g.clients(t); after != before {
				t.Errorf("usher leaves the clients %s, there were %s", after, before)
			}
			rows = append(rows, pageRow{c.setting, wrong})
			if c.setting == "asked" {
				l.is("secret-valid", usher.OutcomeOK)
				args[8] = fileOf(t, "wrong", []byte(strings.ToLower(secret)))
				if f := look(t, args...).of("secret-valid"); f.Outcome == usher.OutcomeOK || f.Outcome == usher.OutcomeWrong && f.Cause != "client-secret-invalid" {
					t.Errorf("of a wrong secret usher says %s: %s, %s", f.Outcome, f.Title, f.Cause)
				}
			}
		})
	}
	holdPage(t, "glewlwyd", rows)

	// It says the same of an unknown client and of one that a person may not use:
	// usher must not claim to know.
	l := look(t, g.plugin(t, "last", g.key, nil), "--wait", "0s", "--client-id", "nobody", "--redirect-uri", callback, "--secret-file", fileOf(t, "secret", []byte(secret)), "--probe")
	l.is("client-id-known", usher.OutcomeUnknown)
	if f := l.of("secret-valid"); f.Outcome == usher.OutcomeOK {
		t.Errorf("the secret of a client that is not there is called right: %+v", f)
	}
}

// clients are the ids of all clients.
func (g *glewlwyd) clients(t *testing.T) string {
	t.Helper()
	res, err := g.client.Get(g.url + "/api/client/?limit=1000")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var list []struct {
		ID string `json:"client_id"`
	}
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(list)
}
