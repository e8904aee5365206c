package systems_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/lab"
)

// labFaults are what a real relying party gets to hear of each fault of the
// lab, and the word in the lab's log or records that tells of it.
var labFaults = map[string]struct {
	status int
	error  string
	log    string
}{
	"redirect-uri-mismatch": {400, "", `error="invalid_redirect_uri"`},
	"policy-device":         {400, "invalid_grant", `"errorCode":53003`},
	"consent-required":      {400, "invalid_grant", `"errorCode":65001`},
	"client-secret-invalid": {401, "unauthorized_client", `error="invalid_client_credentials"`},
	"client-secret-expired": {401, "invalid_client", `"errorCode":7000222`},
	"client-secret-id-used": {401, "invalid_client", `"errorCode":7000215`},
	"refresh-token-reused":  {400, "invalid_grant", `type="REFRESH_TOKEN_ERROR"`},
	"token-expired":         {401, "invalid_token", `"status_code":"invalid_token"`},
	"token-wrong-audience":  {401, "invalid_token", `"status_code":"invalid_token"`},
	"token-key-not-found":   {401, "invalid_token", `"status_code":"invalid_token"`},
	"clock-skew":            {401, "invalid_token", `"status_code":"invalid_token"`},
	"scope-insufficient":    {403, "insufficient_scope", `"status_code":"insufficient_scope"`},
}

// TestLabFaults has a real relying party meet every fault of the lab; the
// program names each from the line that the lab wrote.
func TestLabFaults(t *testing.T) {
	if err := packages(); err != nil {
		missing(t, err)
	}
	for _, f := range lab.Faults {
		t.Run(f.Name, func(t *testing.T) {
			want, ok := labFaults[f.Name]
			if !ok {
				t.Fatal("the table has no row for this fault")
			}
			var log lockedBuffer
			l := lab.New(lab.Options{Log: &log, Control: true})
			server := httptest.NewServer(l)
			defer server.Close()
			got := meet(t, l.Settings(server.URL), f.Name)
			if got.Status != want.status || got.Error != want.error || got.Message != "" && want.error != "" {
				t.Errorf("the relying party is told %+v, want %d %s", got, want.status, want.error)
			}
			line := lastWith(log.String(), want.log)
			if line == "" {
				t.Fatalf("the lab wrote no line with %s:\n%s", want.log, log.String())
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "line.log"), []byte(line+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			out, all := explain(t, dir, "--format", "json", "line.log")
			var said answer
			if err := json.Unmarshal([]byte(out), &said); err != nil {
				t.Fatalf("%v\n%s", err, all)
			}
			if len(said.Findings) == 0 || said.Findings[0].Cause != f.Name || said.Findings[0].Confidence < usher.Confident {
				t.Errorf("usher names %s, want %s with 0.8 at least, from\n%s", summary(said), f.Name, line)
			}
		})
	}
}

// met is what the relying party was told.
type met struct {
	Status      int    `json:"status"`
	Error       string `json:"error"`
	Description string `json:"description"`
	Message     string `json:"message"`
}

// meet runs the relying party against one fault.
func meet(t *testing.T, settings lab.Settings, fault string) met {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	told, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", "lab.mjs", string(told))
	cmd.Stdin = strings.NewReader(fault + "\n")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	var m met
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(fmt.Errorf("%w\n%s", err, out))
	}
	return m
}

func lastWith(log, word string) (found string) {
	lines := bufio.NewScanner(strings.NewReader(log))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.Contains(lines.Text(), word) {
			found = lines.Text()
		}
	}
	return found
}
