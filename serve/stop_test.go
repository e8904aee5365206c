package serve_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"usher/console"
)

// TestStopKeepsRefreshTokens stops a server while a slow provider holds a
// refresh token: the answer and its event are kept, and nobody is asked to
// connect again.
func TestStopKeepsRefreshTokens(t *testing.T) {
	arrived := make(chan struct{}, 1)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		time.Sleep(6500 * time.Millisecond) // longer than others are waited for
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"planted-token","token_type":"Bearer","expires_in":3600,"refresh_token":"planted-renewer-2"}`)
	}))
	t.Cleanup(provider.Close)
	b := newBench(t, plainConfig)
	b.start()
	body := fmt.Sprintf(`{"config":{"id":"shop","client_id":"shop","grant_type":"refresh_token","endpoints":{"token_endpoint":%q}},"client_secret":"planted-secret","refresh_token":"planted-renewer-1"}`, provider.URL)
	var made console.Connection
	if status := b.ask("POST", "/api/v1/connections", body, &made); status != 200 {
		t.Fatal(status)
	}
	select {
	case <-arrived:
	case <-time.After(20 * time.Second):
		t.Fatal("the provider was not asked")
	}
	b.stop()
	if log := b.stderr.String(); !strings.Contains(log, "usher waits for answers that come once") || strings.Contains(log, "not kept") {
		t.Errorf("the log says\n%s", log)
	}
	b.start()
	if b.ask("GET", "/api/v1/connections/shop", "", &made); made.Status.Generation != 1 || made.Status.Trouble != nil {
		t.Errorf("%+v", made.Status)
	}
}
