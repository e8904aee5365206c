package systems_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
)

// failure is a row of the table: what client.mjs calls it, and the causes that
// a first answer may name. Where even a person could not tell the cause from
// what is in hand, undecided says that usher may not claim one.
type failure struct {
	name      string
	causes    []string
	undecided bool
}

// failures are what client.mjs provokes.
var failures = []failure{
	// At the authorization endpoint.
	{name: "redirect URI not registered", causes: []string{"redirect-uri-mismatch"}},
	{name: "redirect URI not registered, the page", causes: []string{"redirect-uri-mismatch"}},
	{name: "unknown client at authorization", causes: []string{"client-unknown"}},
	{name: "unsupported response type", causes: []string{"response-type-not-allowed"}},
	{name: "response type not allowed", causes: []string{"response-type-not-allowed"}},
	{name: "unregistered scope", causes: []string{"scope-invalid"}},
	{name: "missing PKCE", causes: []string{"pkce-missing"}},
	{name: "login_required with prompt=none", causes: []string{"session-missing"}},
	{name: "login_required with prompt=none, the exchange", causes: []string{"session-missing"}},
	{name: "invalid resource at authorization", causes: []string{"resource-unknown"}},
	{name: "pushed request with an unknown redirect URI", causes: []string{"redirect-uri-mismatch"}},
	{name: "request without response_type", causes: []string{"request-malformed"}},

	// The client at the token endpoint.
	{name: "unknown client", causes: []string{"client-unknown"}},
	{name: "unknown client, the log alone", causes: []string{"client-unknown"}},
	{name: "wrong secret", causes: []string{"client-secret-invalid"}},
	{name: "wrong secret, the log alone", causes: []string{"client-secret-invalid"}},
	{name: "wrong secret, the body alone", causes: []string{"client-secret-invalid", "client-unknown"}},
	{name: "wrong secret, the app", causes: []string{"client-secret-invalid", "client-unknown"}},
	{name: "wrong client authentication method", causes: []string{"client-auth-method"}},
	{name: "wrong client authentication method, the log alone", causes: []string{"client-auth-method"}},
	{name: "secret left out", causes: []string{"client-auth-method"}},
	{name: "secret left out, the log alone", causes: []string{"client-auth-method"}},
	{name: "client assertion for another audience", causes: []string{"client-assertion-invalid"}},
	{name: "client assertion for another audience, the log alone", causes: []string{"client-assertion-invalid"}},
	{name: "grant not allowed", causes: []string{"grant-not-allowed"}},
	{name: "grant not allowed, the app", causes: []string{"grant-not-allowed"}},
	{name: "grant unknown to the provider", causes: []string{"grant-not-allowed"}},
	{name: "invalid resource at the token endpoint", causes: []string{"resource-unknown"}},

	// The code and the refresh token.
	{name: "wrong code_verifier", causes: []string{"pkce-mismatch"}},
	{name: "wrong code_verifier, the log alone", causes: []string{"pkce-mismatch"}},
	{name: "code reused", causes: []string{"code-reused"}},
	{name: "code reused, the log alone", causes: []string{"code-reused"}},
	{name: "code reused, both exchanges", causes: []string{"code-reused"}},
	{name: "code reused, the app and the log", causes: []string{"code-reused"}},
	{name: "code expired", causes: []string{"code-expired"}},
	{name: "code expired, the log alone", causes: []string{"code-expired"}},
	{name: "code of another client", causes: []string{"code-wrong-client"}},
	{name: "code of another client, the log alone", causes: []string{"code-wrong-client"}},
	{name: "redirect URI of the token request differs", causes: []string{"redirect-uri-mismatch"}},
	{name: "redirect URI of the token request differs, the log alone", causes: []string{"redirect-uri-mismatch"}},
	{name: "refresh token reused after rotation", causes: []string{"refresh-token-reused"}},
	{name: "refresh token reused after rotation, the log alone", causes: []string{"refresh-token-reused"}},
	{name: "refresh token expired", causes: []string{"refresh-token-expired"}},
	{name: "refresh token expired, the log alone", causes: []string{"refresh-token-expired"}},
	{name: "refresh token unknown", causes: []string{"refresh-token-revoked", "refresh-token-expired"}},
	{name: "refresh token unknown, the log alone", causes: []string{"refresh-token-revoked", "refresh-token-expired"}},
	{name: "refresh token unknown, the body alone", undecided: true},

	// The access token.
	{name: "userinfo without openid", causes: []string{"scope-insufficient"}},
	{name: "userinfo without a token", causes: []string{"token-missing"}},
	{name: "userinfo with an unknown token", undecided: true},
	{name: "userinfo with the token of an API", undecided: true},
	{name: "no token at the API", causes: []string{"token-missing"}},
	{name: "scope missing at the API", causes: []string{"scope-insufficient"}},
	{name: "token of another API", causes: []string{"token-wrong-audience"}},
	{name: "token expired at the API", causes: []string{"token-expired"}},
	{name: "token expired, the log of the API", causes: []string{"token-expired"}},
	{name: "token signed by another", causes: []string{"token-signature-invalid"}},
	{name: "token with an unknown key id", causes: []string{"token-key-not-found"}},
	{name: "token cut short", causes: []string{"token-malformed"}},
	{name: "ID token at the API", causes: []string{"token-wrong-type", "token-wrong-audience"}},

	// What the client's library says by itself.
	{name: "issuer with a slash at the end", causes: []string{"token-wrong-issuer", "issuer-mismatch"}},
	{name: "answer of another issuer", causes: []string{"issuer-mismatch", "token-wrong-issuer"}},
	{name: "issuer by another name", causes: []string{"issuer-mismatch"}},
	{name: "issuer with a path that is not there", causes: []string{"discovery-failed"}},
	{name: "provider that does not listen", causes: []string{"network-proxy"}},
	{name: "state mismatch", causes: []string{"state-mismatch"}},
	{name: "nonce mismatch", causes: []string{"nonce-mismatch"}},
	{name: "login_required, the app", causes: []string{"session-missing"}},

	// The proof of possession.
	{name: "DPoP proof missing", causes: []string{"dpop-invalid"}},
	{name: "DPoP proof missing, the log alone", causes: []string{"dpop-invalid"}},
	{name: "DPoP nonce wanted", causes: []string{"dpop-invalid"}},
	{name: "DPoP proof for another address", causes: []string{"dpop-invalid"}},
	{name: "DPoP proof of last hour", causes: []string{"dpop-invalid", "clock-skew"}},

	// The other endpoints.
	{name: "sign-out to an address not registered", causes: []string{"signout-error", "redirect-uri-mismatch"}},
	{name: "device that waits", causes: []string{"authorization-pending"}},
}

// answer is what these tests read of explain's JSON.
type answer struct {
	Answered bool            `json:"answered"`
	Findings []usher.Finding `json:"findings"`
}

// provoked is a line of client.mjs.
type provoked struct {
	Name    string            `json:"name"`
	Files   map[string]string `json:"files"`
	Secrets []string          `json:"secrets"`
	Broken  string            `json:"broken"`
}

func TestRealFailures(t *testing.T) {
	if err := packages(); err != nil {
		missing(t, err)
	}
	seen := provoke(t)
	for _, want := range failures {
		t.Run(want.name, func(t *testing.T) {
			got, ok := seen[want.name]
			if !ok || got.Broken != "" {
				t.Fatalf("the client did not provoke it: %s", got.Broken)
			}
			dir := t.TempDir()
			var names []string
			for name, text := range got.Files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				names = append(names, name)
			}
			slices.Sort(names)
			said := explained(t, dir, names, got.Secrets)
			if t.Failed() {
				return
			}
			if want.undecided {
				if said.Answered {
					t.Errorf("usher claims %s, which the evidence does not tell:\n%s", summary(said), evidence(got))
				}
				return
			}
			first := usher.Finding{}
			if len(said.Findings) > 0 {
				first = said.Findings[0]
			}
			if !slices.Contains(want.causes, first.Cause) || first.Confidence < 0.5 {
				t.Errorf("usher names %s, want one of %v first with 0.5 at least; the evidence:\n%s", summary(said), want.causes, evidence(got))
			}
		})
	}
}

// explained asks for every format, looks for the secrets in each, and gives
// the answer as JSON has it.
func explained(t *testing.T, dir string, names, secrets []string) answer {
	t.Helper()
	var got answer
	for _, format := range []string{"text", "markdown", "html", "json"} {
		out, all := explain(t, dir, append([]string{"--format", format}, names...)...)
		for _, secret := range secrets {
			if part := shown(all, secret); part != "" {
				t.Errorf("the %s output shows %q of a credential", format, part)
			}
		}
		if format != "json" {
			continue
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("the JSON output: %v\n%s", err, out)
		}
	}
	return got
}

// shown gives the part of a credential that a text shows: all of it, or the
// header, claims or signature of a token.
func shown(text, secret string) string {
	for _, part := range append(strings.Split(secret, "."), secret) {
		if len(part) >= 8 && strings.Contains(text, part) {
			return part
		}
	}
	return ""
}

// summary tells an answer's first findings in a line.
func summary(a answer) string {
	var b strings.Builder
	for _, f := range a.Findings[:min(3, len(a.Findings))] {
		line, _ := json.Marshal(map[string]any{"cause": f.Cause, "outcome": f.Outcome, "confidence": f.Confidence})
		b.Write(line)
	}
	if b.Len() == 0 {
		return "nothing"
	}
	return b.String()
}

// evidence is what usher was given, for the person who reads the failure. Its
// credentials are of this run alone.
func evidence(p provoked) string {
	var b strings.Builder
	for name, text := range p.Files {
		b.WriteString("--- " + name + "\n" + text + "\n")
	}
	return b.String()
}

// provoke starts the provider, lets the client fail, and gives what came of it
// by name.
func provoke(t *testing.T) map[string]provoked {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	env := append(os.Environ(), "USHER_SECRETS="+newSecrets(t), "NO_COLOR=1")

	provider := exec.CommandContext(ctx, "node", "provider.mjs")
	provider.Env = env
	hold, err := provider.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	listening, err := provider.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	provider.Stderr = &log
	if err := provider.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hold.Close(); _ = provider.Wait() })

	line, err := bufio.NewReader(listening).ReadBytes('\n')
	var at struct {
		Issuer string `json:"issuer"`
	}
	if err == nil {
		err = json.Unmarshal(line, &at)
	}
	if err != nil {
		_ = hold.Close()
		_ = provider.Wait()
		t.Fatalf("the provider does not say where it listens: %v\n%s", err, log.String())
	}

	client := exec.CommandContext(ctx, "node", "client.mjs", at.Issuer)
	client.Env = env
	var errs bytes.Buffer
	client.Stderr = &errs
	out, err := client.Output()
	if err != nil {
		t.Fatalf("the client: %v\n%s", err, errs.String())
	}
	seen := map[string]provoked{}
	lines := json.NewDecoder(bytes.NewReader(out))
	for lines.More() {
		var p provoked
		if err := lines.Decode(&p); err != nil {
			t.Fatalf("a line of the client: %v", err)
		}
		seen[p.Name] = p
	}
	return seen
}

// newSecrets makes the clients' secrets of this run.
func newSecrets(t *testing.T) string {
	t.Helper()
	secrets := map[string]string{}
	for _, client := range []string{"web", "brief", "limited", "job", "jwt", "nonce", "dpop"} {
		secrets[client] = rand.Text() + rand.Text() // an HMAC key of 32 bytes at least
	}
	text, err := json.Marshal(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
