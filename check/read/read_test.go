package read_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/read"
	"usher/check/tokens"
	"usher/evidence"
	"usher/token"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func target(t *testing.T, name, text string) *check.Target {
	t.Helper()
	set, err := evidence.Read([]evidence.Input{{Name: name, Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return read.Target(set, now, "")
}

func judged(t *testing.T, target *check.Target, id string) usher.Finding {
	t.Helper()
	findings, _ := check.Run(target, tokens.Checks)
	for _, f := range findings {
		if f.Check == id {
			return f
		}
	}
	t.Fatal("there is no check", id)
	return usher.Finding{}
}

// TestLogs: the records of a log are there as they stand, and so are the lines
// of an access log, which tell of no sign-in.
func TestLogs(t *testing.T) {
	const line = `203.0.113.7 - - [12/Oct/2026:10:00:0%s +0000] "GET %s HTTP/1.1" 200 12 "-" "Mozilla/5.0"`
	at := func(second, path string) string {
		return strings.Replace(strings.Replace(line, "%s", second, 1), "%s", path, 1) + "\n"
	}
	fine := at("0", "/a.js") + at("1", "/b.js")
	leaky := fine + at("2", "/orders?access_token=Q7xkW2mVt9RbLz4PnYc8") + at("3", "/c.js")
	for _, c := range []struct {
		name, text, place string
		logs              int
		outcome           usher.Outcome
	}{
		{"access.log", fine, "access.log:1", 2, usher.OutcomeOK},
		{"access.log", leaky, "access.log:3", 4, usher.OutcomeWrong},
		{"kc.log", `2026-11-14 09:12:44,901 WARN  [org.keycloak.events] (executor-thread-12) type="LOGIN_ERROR", realmId="shop", clientId="shop-web", userId="null", ipAddress="203.0.113.9", error="invalid_redirect_uri", redirect_uri="https://shop.example/cb"`, "kc.log:1", 1, usher.OutcomeOK},
		{"words.txt", "The sign-in fails with invalid_grant since HTTP/1.1 is off", "", 0, usher.OutcomeUnknown},
	} {
		x := target(t, c.name, c.text)
		if len(x.Logs) != c.logs {
			t.Errorf("%s: %d records", c.name, len(x.Logs))
			continue
		}
		f := judged(t, x, "token-in-logs")
		if f.Outcome != c.outcome || c.place != "" && (len(f.Proof) == 0 || !strings.HasPrefix(f.Proof[0].Place, c.place)) {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
}

func unsigned(header, claims string) string {
	b := base64.RawURLEncoding
	return b.EncodeToString([]byte(header)) + "." + b.EncodeToString([]byte(claims)) + "." + b.EncodeToString([]byte("no signature at all"))
}

// TestSignedIntrospection: a JWT that an introspection endpoint answers with is
// its answer, and no token that somebody holds.
func TestSignedIntrospection(t *testing.T) {
	const claims = `{"iss":"https://id.test","aud":"api","iat":1764072000,"token_introspection":{"active":true,"exp":1964072000,"scope":"orders"}}`
	answer := unsigned(`{"alg":"RS256","typ":"token-introspection+jwt"}`, claims)
	plain := unsigned(`{"alg":"RS256","typ":"JWT"}`, claims)
	exchange := func(body string) string {
		return "POST /oauth2/introspect HTTP/1.1\nHost: id.test\nContent-Type: application/x-www-form-urlencoded\n\ntoken=Q7xkW2mVt9RbLz4PnYc8\n\nHTTP/1.1 200 OK\nContent-Type: application/token-introspection+jwt\n\n" + body + "\n"
	}
	for _, c := range []struct {
		name, text      string
		answers, tokens int
	}{
		{"alone", answer, 1, 0},
		{"in an exchange", exchange(answer), 1, 0},
		{"with another typ", exchange(plain), 1, 0},
		{"some other token", plain, 0, 1},
	} {
		x := target(t, "in.txt", c.text)
		if len(x.Introspected) != c.answers || len(x.Tokens) != c.tokens {
			t.Errorf("%s: %d answers, %d tokens", c.name, len(x.Introspected), len(x.Tokens))
			continue
		}
		if c.answers == 1 && (x.Introspected[0].JWT == nil || x.Introspected[0].JWT.Form != token.FormJWS) {
			t.Errorf("%s: it is not decoded: %+v", c.name, x.Introspected[0])
		}
	}
	if f := judged(t, target(t, "in.txt", exchange(plain)), "introspection-jwt"); f.Outcome != usher.OutcomeWrong {
		t.Errorf("the wrong typ: %+v", f)
	}
}

// TestContradictingDocuments: two documents of one provider, and two of two.
func TestContradictingDocuments(t *testing.T) {
	document := func(name, issuer, token string) evidence.Input {
		return evidence.Input{Name: name, Data: []byte(`{"issuer":"` + issuer + `","authorization_endpoint":"` + issuer + `/a","token_endpoint":"` + token + `","response_types_supported":["code"]}`)}
	}
	for _, c := range []struct {
		second evidence.Input
		want   string
	}{
		{document("b.json", "https://id.test", "https://id.test/t"), ""},
		{document("b.json", "https://id.test", "https://id.test/t2"), "a.json:1 and b.json:1 contradict each other: the token_endpoint is https://id.test/t in the one and https://id.test/t2 in the other; each was judged by itself"},
		{document("b.json", "https://other.test", "https://other.test/t"), "a.json:1 and b.json:1 contradict each other: the issuer is https://id.test in the one and https://other.test in the other; each was judged by itself"},
	} {
		set, err := evidence.Read([]evidence.Input{document("a.json", "https://id.test", "https://id.test/t"), c.second})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(read.Contradictions(read.Target(set, now, "")), "\n"); got != c.want {
			t.Errorf("%q", got)
		}
	}
}

// TestContradictions: each contradiction is told once and in a few words, also
// where a realm stands beside the client.
func TestContradictions(t *testing.T) {
	long := strings.Repeat(`"https://shop.test/a-long-path-to-come-back-to",`, 60)
	var calls strings.Builder
	for i := range 40 {
		fmt.Fprintf(&calls, "https://id.test/authorize?response_type=code&client_id=other&redirect_uri=https%%3A%%2F%%2Fshop.test%%2Fcb&state=s%d\n", i)
	}
	inputs := []evidence.Input{
		{Name: "realm.json", Data: []byte(`{"realm":"shop","clients":[{"clientId":"shop","publicClient":false,"redirectUris":["https://shop.test/cb"]}]}`)},
		{Name: "app.json", Data: []byte(`{"clientId":"shop","publicClient":true,"redirectUris":[` + long + `"https://shop.test/cb"]}`)},
		{Name: "requests.txt", Data: []byte(calls.String())},
	}
	set, err := evidence.Read(inputs)
	if err != nil {
		t.Fatal(err)
	}
	x := read.Target(set, now, "")
	if len(x.AuthCalls) < 20 {
		t.Fatalf("%d requests", len(x.AuthCalls))
	}
	notes := read.Contradictions(x)
	count := map[string]int{}
	for _, n := range notes {
		if len(n) > 1200 {
			t.Errorf("%d bytes in a note", len(n))
		}
		for _, what := range []string{"public client", "redirect URIs", "the client is shop in the one and other"} {
			if strings.Contains(n, what) {
				count[what]++
			}
		}
	}
	if len(notes) != 3 || len(count) != 3 {
		t.Errorf("%q", notes)
	}
}

// TestLines: what is found in a document is found at its line.
func TestLines(t *testing.T) {
	set, err := evidence.Read([]evidence.Input{{Name: "d.json", Data: []byte("{\n \"issuer\": \"https://id.test\",\n \"authorization_endpoint\": \"https://id.test/a\",\n \"token_endpoint\": \"https://id.test/t\"\n}")}})
	if err != nil {
		t.Fatal(err)
	}
	x := read.Target(set, now, "")
	if got := x.Metadata[0].At("token_endpoint"); got != "d.json:4:2" {
		t.Error(got)
	}
	if got := x.Metadata[0].At("jwks_uri"); got != "d.json:1" {
		t.Error(got)
	}
}
