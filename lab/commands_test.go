package lab_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"usher/lab"
)

// TestCommands runs what `usher lab` prints for each fault: a person who pastes
// it sees the failure, and usher names it from what the person sees or from the
// lab's log.
func TestCommands(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("USHER_SYSTEMS") == "require" {
				t.Fatal(err)
			}
			t.Skipf("NOT TESTED: %v", err)
		}
	}
	words := map[string]string{ // what the last answer or the log has
		"redirect-uri-mismatch": `error="invalid_redirect_uri"`, "client-secret-invalid": `error="invalid_client_credentials"`,
		"client-secret-expired": "7000222", "client-secret-id-used": "7000215", "token-expired": `"kind":"api"`,
		"token-wrong-audience": `"kind":"api"`, "token-key-not-found": `"kind":"api"`, "clock-skew": `"kind":"api"`,
		"scope-insufficient": `"kind":"api"`, "consent-required": "65001", "refresh-token-reused": "REFRESH_TOKEN_ERROR", "policy-device": "53003",
	}
	for _, f := range lab.Faults {
		t.Run(f.Name, func(t *testing.T) {
			b := newBench(t, lab.Options{Faults: []string{f.Name}})
			for _, each := range b.lab.Settings(b.url).Faults {
				if each.Name != f.Name {
					continue
				}
				if !each.On {
					t.Error("the settings do not say that the fault is on")
				}
				cmd := exec.CommandContext(t.Context(), "bash", "-c", each.Command)
				cmd.WaitDelay = 5 * time.Second
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s\n%s", err, each.Command, out)
				}
				if strings.Contains(each.Command, "{") && strings.Contains(each.Command, "{base}") {
					t.Errorf("a place in braces is left:\n%s", each.Command)
				}
				line := last(t, b.log.take(), words[f.Name])
				explains(t, f.Name, "log", line)
			}
		})
	}
}
