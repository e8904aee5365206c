package snapshot_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/provider/snapshot"
)

func look(t *testing.T, metadata string, kids ...string) *snapshot.Look {
	t.Helper()
	l := &snapshot.Look{At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Issuer: "https://id.test"}
	if metadata != "" {
		if err := json.Unmarshal([]byte(metadata), &l.Metadata); err != nil {
			t.Fatal(err)
		}
	}
	for _, kid := range kids {
		kid, print, _ := strings.Cut(kid, "=")
		l.Keys = append(l.Keys, snapshot.Key{Kid: kid, Thumbprint: print})
	}
	return l
}

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		name         string
		older, newer *snapshot.Look
		title        string // of the first change; empty: none
		severity     usher.Severity
		n            int
	}{
		{"the same", look(t, `{"a_endpoint":"x"}`), look(t, `{"a_endpoint": "x"}`), "", "", 0},
		{"another order", look(t, `{"scopes_supported":["a","b"]}`), look(t, `{"scopes_supported":["b","a"]}`), "", "", 0},
		{"another layout", look(t, `{"x":{"a":1,"b":[2]}}`), look(t, `{"x": {"b": [2], "a": 1}}`), "", "", 0},
		{"issuer", look(t, `{"issuer":"https://a"}`), look(t, `{"issuer":"https://b"}`), "the issuer is another one", usher.SeverityCritical, 1},
		{"token endpoint moved", look(t, `{"token_endpoint":"https://a/t"}`), look(t, `{"token_endpoint":"https://a/t2"}`), "the token endpoint moved from https://a/t to https://a/t2", usher.SeverityHigh, 1},
		{"revocation gone", look(t, `{"revocation_endpoint":"https://a/r"}`), look(t, `{"x":1}`), "the revocation endpoint is gone", usher.SeverityMedium, 2},
		{"par is new", look(t, `{}`), look(t, `{"pushed_authorization_request_endpoint":"https://a/p"}`), "there is a pushed authorization request endpoint now", usher.SeverityInfo, 1},
		{"PKCE announced", look(t, `{}`), look(t, `{"code_challenge_methods_supported":["S256"]}`), "S256 is new in code_challenge_methods_supported", usher.SeverityInfo, 1},
		{"PKCE silent", look(t, `{"code_challenge_methods_supported":["S256","plain"]}`), look(t, `{}`), "PKCE is no longer announced", usher.SeverityHigh, 1},
		{"S256 dropped", look(t, `{"code_challenge_methods_supported":["S256","plain"]}`), look(t, `{"code_challenge_methods_supported":["plain"]}`), "S256 is no longer in code_challenge_methods_supported", usher.SeverityHigh, 1},
		{"grants silent", look(t, `{"grant_types_supported":["authorization_code","password"]}`), look(t, `{}`), "grant_types_supported is no longer published", usher.SeverityMedium, 1},
		{"keys silent", look(t, `{"jwks_uri":"https://a/k"}`), look(t, `{}`), "the document names no keys any more", usher.SeverityHigh, 1},
		{"signed requests demanded", look(t, `{}`), look(t, `{"require_signed_request_object":true}`), "authorization requests must be signed", usher.SeverityHigh, 1},
		{"method of revocation dropped", look(t, `{"revocation_endpoint_auth_methods_supported":["none","client_secret_basic"]}`), look(t, `{"revocation_endpoint_auth_methods_supported":["client_secret_basic"]}`), "none is no longer in revocation_endpoint_auth_methods_supported", usher.SeverityHigh, 1},
		{"alg dropped", look(t, `{"id_token_signing_alg_values_supported":["RS256","ES256"]}`), look(t, `{"id_token_signing_alg_values_supported":["ES256"]}`), "RS256 is no longer in id_token_signing_alg_values_supported", usher.SeverityHigh, 1},
		{"alg none is new", look(t, `{"id_token_signing_alg_values_supported":["RS256"]}`), look(t, `{"id_token_signing_alg_values_supported":["RS256","none"]}`), "none is new in id_token_signing_alg_values_supported", usher.SeverityHigh, 1},
		{"iss is sent", look(t, `{}`), look(t, `{"authorization_response_iss_parameter_supported":true}`), "iss is sent in authorization responses now", usher.SeverityInfo, 1},
		{"iss is not sent", look(t, `{"authorization_response_iss_parameter_supported":true}`), look(t, `{}`), "iss is no longer sent in authorization responses", usher.SeverityHigh, 1},
		{"PAR demanded", look(t, `{}`), look(t, `{"require_pushed_authorization_requests":true}`), "authorization requests must be pushed first", usher.SeverityHigh, 1},
		{"key new", look(t, "", "a"), look(t, "", "a", "b"), "the key b is new", usher.SeverityInfo, 1},
		{"key gone", look(t, "", "a", "b"), look(t, "", "a"), "the key b is gone", usher.SeverityMedium, 1},
		{"no key left", look(t, "", "a"), &snapshot.Look{Keys: []snapshot.Key{}}, "no key is published any more", usher.SeverityCritical, 2},
		{"no overlap", look(t, "", "a"), look(t, "", "b"), "all keys were replaced at once", usher.SeverityHigh, 3},
		{"same id, other key", look(t, "", "a=1"), look(t, "", "a=2"), "the key a has another value under the same id", usher.SeverityHigh, 1},
		{"same id, other key beside one that stays", look(t, "", "a=1", "b=2"), look(t, "", "b=2", "a=3"), "the key a has another value under the same id", usher.SeverityHigh, 1},
		{"one id for two keys", look(t, "", "a=1", "a=2"), look(t, "", "a=2", "a=1"), "", "", 0},
		{"keys without an id", look(t, "", "=1", "=2"), look(t, "", "=1", "=2"), "", "", 0},
		{"a key without an id is replaced", look(t, "", "=1", "=2"), look(t, "", "=1", "=3"), "the key without id is gone", usher.SeverityMedium, 2},
		{"a text becomes a boolean", look(t, `{"claims_parameter_supported":"true"}`), look(t, `{"claims_parameter_supported":true}`), "claims_parameter_supported changed from true to true", usher.SeverityLow, 1},
		{"two words become one", look(t, `{"scopes_supported":["a","b"]}`), look(t, `{"scopes_supported":["a b"]}`), "a is no longer in scopes_supported", usher.SeverityMedium, 3},
		{"keys not seen", look(t, `{"a":1}`, "a"), look(t, `{"a":1}`), "", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := snapshot.Diff(c.older, c.newer)
			if len(got) != c.n {
				t.Fatalf("%d changes: %+v", len(got), got)
			}
			if c.n == 0 {
				return
			}
			if got[0].Title != c.title || got[0].Severity != c.severity {
				t.Fatalf("%+v", got[0])
			}
			for _, ch := range got {
				if ch.Means == "" || !ch.Severity.Valid() {
					t.Errorf("without a meaning: %+v", ch)
				}
				if ch.Severity != usher.SeverityInfo && ch.Do == "" && ch.Member != "x" && ch.Severity.Rank() <= usher.SeverityMedium.Rank() {
					t.Errorf("without anything to do: %+v", ch)
				}
			}
		})
	}
}

func TestHistory(t *testing.T) {
	dir := snapshot.Dir(filepath.Join(t.TempDir(), "looks"))
	h, err := dir.Read("https://id.test")
	if err != nil || h.Latest() != nil {
		t.Fatal(h, err)
	}
	first := look(t, `{"token_endpoint":"https://id.test/t"}`, "a")
	if got := h.Add(first); got != nil {
		t.Fatal("the first look changed something:", got)
	}
	if err := dir.Write(h); err != nil {
		t.Fatal(err)
	}
	h, err = dir.Read("https://id.test")
	if err != nil {
		t.Fatal(err)
	}
	same := look(t, `{"token_endpoint":"https://id.test/t"}`, "a")
	same.At = same.At.Add(time.Hour)
	if got := h.Add(same); got != nil || len(h.Looks) != 1 || !h.Latest().Last.Equal(same.At) {
		t.Fatalf("%v %+v", got, h.Latest())
	}
	down := &snapshot.Look{At: same.At.Add(time.Hour), Issuer: "https://id.test"}
	if got := h.Add(down); got != nil || len(h.Looks) != 1 {
		t.Fatal("a provider that is down changed everything:", got)
	}
	moved := look(t, `{"token_endpoint":"https://id.test/t2"}`, "a")
	if got := h.Add(moved); len(got) != 1 || len(h.Looks) != 2 {
		t.Fatal(got)
	}
	if err := dir.Write(h); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(string(dir), "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	for i := range 500 {
		h.Add(look(t, `{"token_endpoint":"https://id.test/`+strings.Repeat("x", i)+`"}`))
	}
	if len(h.Looks) > 200 {
		t.Fatalf("%d looks are kept", len(h.Looks))
	}
}

func TestHistoryBroken(t *testing.T) {
	dir := snapshot.Dir(t.TempDir())
	h, _ := dir.Read("https://id.test")
	h.Add(look(t, `{}`))
	if err := dir.Write(h); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(string(dir), "*"))
	for _, text := range []string{"", "{", `{"looks":[null]`, `{"issuer":"https://other.test"}`, `[]`} {
		if err := os.WriteFile(files[0], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := dir.Read("https://id.test"); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	if err := os.WriteFile(files[0], []byte(`{"issuer":"https://id.test","looks":[null]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := dir.Read("https://id.test")
	if err != nil {
		t.Fatal(err)
	}
	h.Add(look(t, `{"a":1}`))
}

// FuzzDiff: no two documents make it panic, and a document does not differ from
// itself.
func FuzzDiff(f *testing.F) {
	f.Add(`{"issuer":"a","scopes_supported":["x"]}`, `{"issuer":1,"scopes_supported":{}}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		var older, newer snapshot.Look
		if json.Unmarshal([]byte(a), &older.Metadata) != nil || json.Unmarshal([]byte(b), &newer.Metadata) != nil {
			return
		}
		snapshot.Diff(&older, &newer)
		if got := snapshot.Diff(&older, &older); len(got) > 0 {
			t.Fatal(got)
		}
	})
}

// TestHistoryHalfSeen: what was not seen does not go on to hold, and that no key
// is published is kept as such.
func TestHistoryHalfSeen(t *testing.T) {
	var h snapshot.History
	h.Add(look(t, `{"a":1}`, "a"))
	at := h.Latest().Last
	half := look(t, `{"a":1}`)
	half.At = at.Add(time.Hour)
	if h.Add(half); !h.Latest().Last.Equal(at) {
		t.Error("keys that were not read are said to have been there")
	}
	whole := look(t, `{"a":1}`, "a")
	whole.At = at.Add(2 * time.Hour)
	if h.Add(whole); !h.Latest().Last.Equal(whole.At) {
		t.Error("a whole look does not count")
	}
	dir := snapshot.Dir(t.TempDir())
	none := &snapshot.Look{At: at, Issuer: "https://id.test", Keys: []snapshot.Key{}}
	first := &snapshot.History{Version: 1, Issuer: "https://id.test"}
	first.Add(none)
	if err := dir.Write(first); err != nil {
		t.Fatal(err)
	}
	back, err := dir.Read("https://id.test")
	if err != nil {
		t.Fatal(err)
	}
	if changes := back.Add(look(t, "", "a")); len(changes) != 1 {
		t.Errorf("the first key after none: %v", changes)
	}
}

// TestHistoryLarge: a large document that is another one each time does not grow
// into a file that cannot be read again.
func TestHistoryLarge(t *testing.T) {
	dir := snapshot.Dir(t.TempDir())
	h, _ := dir.Read("https://id.test")
	pad := strings.Repeat("x", 200<<10)
	for i := range 40 {
		h.Add(look(t, fmt.Sprintf(`{"x":%d,"pad":%q}`, i, pad)))
	}
	if err := dir.Write(h); err != nil {
		t.Fatal(err)
	}
	back, err := dir.Read("https://id.test")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(back.Looks); n < 2 || string(back.Latest().Metadata["x"]) != "39" {
		t.Errorf("%d looks are left", n)
	}
	files, _ := filepath.Glob(filepath.Join(string(dir), "*"))
	if info, err := os.Stat(files[0]); err != nil || info.Size() > 4<<20 {
		t.Error(info.Size(), err)
	}
}

// TestKeyBack: a key that vanished and returns is not told as a new one.
func TestKeyBack(t *testing.T) {
	h := &snapshot.History{}
	h.Add(look(t, "", "a", "b"))
	h.Add(look(t, "", "a"))
	got := h.Add(look(t, "", "a", "b", "c"))
	if len(got) != 2 || got[0].Title != "the key b is back" || !strings.Contains(got[0].Means, "2026-01-01") || got[1].Title != "the key c is new" {
		t.Fatalf("%+v", got)
	}
}
