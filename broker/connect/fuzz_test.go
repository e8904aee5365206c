package connect_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"usher/broker"
	"usher/broker/connect"
	"usher/broker/grant"
	"usher/broker/memory"
	"usher/guard"
)

// FuzzCallback: whatever comes back without having been begun here is refused,
// leads nowhere, is quoted nowhere and asks nobody.
func FuzzCallback(f *testing.F) {
	for _, seed := range []string{"", "code=a&state=b", "state=A.B&error=<script>", "state=A.B&iss=https://evil.example&code=x", "%zz", "state=a&state=b", "a=1;b=2", "state=" + strings.Repeat("a", 300), "error_description=%00%1b%e2%80%ae"} {
		f.Add("login.example-01234567", seed)
	}
	f.Add("../../x", "code=1")
	f.Add("\x00", "state=.")
	store := &counting{Store: memory.New(nil)}
	k := &keeper{views: map[string]broker.View{}, answers: map[string][]*grant.Answer{}}
	h, err := connect.New(connect.Options{Broker: k, Store: store, Seal: newSealer(), Ask: grant.New(grant.Options{}), HTTP: guard.New(guard.Options{}), URL: "https://usher.example"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(h.Close)
	f.Fuzz(func(t *testing.T, key, query string) {
		r := httptest.NewRequest(http.MethodGet, "/connect/callback/x", nil)
		r.Host, r.URL.Path, r.URL.RawQuery = "usher.example", "/connect/callback/"+key, query
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code/100 != 4 || w.Header().Get("Location") != "" || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%d to %q", w.Code, w.Header().Get("Location"))
		}
		for _, part := range []string{key, query} {
			if len(part) > 12 && strings.ContainsAny(part, "<&\"'") && strings.Contains(w.Body.String(), part) {
				t.Errorf("the page quotes %q", part)
			}
		}
		if store.took != 0 || store.flows != 0 {
			t.Error("the store was asked for a flow")
		}
	})
}
