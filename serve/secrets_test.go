package serve_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker/credential"
)

// TestSecretInLog: a managed secret that stands in a log that is followed has
// leaked. One log is one signal, a second one begins the rotation where the
// policy says so; otherwise it is a case. Its value is told nowhere.
func TestSecretInLog(t *testing.T) {
	for _, policy := range []string{"automatic", "ask"} {
		t.Run(policy, func(t *testing.T) {
			b := newBench(t, "")
			s := newShop(t, filepath.Join(b.dir, "lab.log"))
			value := s.lab.Secret("shop").Reveal()
			b.yaml = fmt.Sprintf(`
listen: 127.0.0.1:0
data: d
providers:
- name: shop
  kind: lab
  issuer: %s/realms/shop
  tenants: [shop]
  admin: {client_id: usher, client_secret_env: USHER_SHOP_SECRET}
  sources:
  - {kind: keycloak, path: kc.log, zone: UTC, from: start}
  - {kind: keycloak, path: other.log, zone: UTC, from: start}
`, s.http.URL)
			b.start()
			body := fmt.Sprintf(`{"config":{"name":"shop","provider":"shop","client_id":"shop","on_leak":%q},"client_secret":%q}`, policy, value)
			var text string
			if status := b.ask("POST", "/api/v1/secrets", body, &text); status != 200 {
				t.Fatal(status, text)
			}
			get := func() (v credential.View) {
				b.ask("GET", "/api/v1/secrets/shop", "", &v)
				return v
			}
			until := func(what string, holds func(credential.View) bool) {
				t.Helper()
				var v credential.View
				for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
					if v = get(); holds(v) {
						return
					}
				}
				t.Fatalf("%s does not come: %+v", what, v)
			}
			until("the verification", func(v credential.View) bool { return v.Health.Outcome == usher.OutcomeOK })

			basic := base64.StdEncoding.EncodeToString([]byte("shop:" + value))
			b.write("an innocent line", "debug: Authorization: Basic "+basic, "and once more: "+value)
			until("the first signal", func(v credential.View) bool { return len(v.Leaks) > 0 })
			l := get().Leaks[0]
			if l.Source != "log "+b.log || !strings.Contains(l.Detail, "byte") {
				t.Errorf("it was seen by %q in %q", l.Source, l.Detail)
			}
			b.wait("a case", func(l []usher.Case) bool {
				return len(l) == 1 && l[0].Finding.Check == credential.CheckLeaked && l[0].State == usher.CaseOpen
			})
			if v := get(); v.Rotation != nil || v.Version != 1 || len(v.Leaks) != 1 {
				t.Fatalf("one log is one signal: %+v", v)
			}

			b.log = filepath.Join(b.dir, "other.log")
			b.write("POST /token client_id=shop&client_secret=" + url.QueryEscape(value))
			until("the second signal", func(v credential.View) bool { return len(v.Leaks) == 2 })
			if policy == "automatic" {
				until("the rotation", func(v credential.View) bool { return v.Version == 2 })
				b.wait("the proof", func(l []usher.Case) bool { return len(l) == 1 && l[0].State == usher.CaseFixed })
			} else if v := get(); v.Rotation != nil || v.Version != 1 {
				t.Errorf("it was rotated, and nobody asked for that: %+v", v)
			}

			var shown, cases string
			b.ask("GET", "/api/v1/secrets/shop", "", &shown)
			b.ask("GET", "/api/v1/cases?all=true", "", &cases)
			b.stop()
			stored := ""
			files, _ := os.ReadDir(filepath.Join(b.dir, "d"))
			for _, f := range files {
				data, _ := os.ReadFile(filepath.Join(b.dir, "d", f.Name()))
				stored += string(data)
			}
			for where, text := range map[string]string{"the view": shown, "the cases": cases, "the server's log": b.stderr.String(), "what is stored": stored} {
				if strings.Contains(text, value) || strings.Contains(text, basic) {
					t.Errorf("the value stands in %s", where)
				}
			}
		})
	}
}
