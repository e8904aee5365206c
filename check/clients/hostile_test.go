package clients_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/clients"
	"usher/check/read"
	"usher/evidence"
	"usher/token"
)

// manyTarget is a target with much evidence of many clients.
func manyTarget() *check.Target {
	x := target()
	for i := range 1000 {
		id := fmt.Sprint("client-", i%200)
		a := answered(authorize("client_id", id, "state", fmt.Sprint("state-of-request-", i)), fmt.Sprint("code=code-", i, "&state=state-of-request-", i))
		c := redeem("client_id", id, "code", fmt.Sprint("code-", i), "client_secret", fmt.Sprint("secret-number-", i))
		x.AuthCalls, x.TokenCalls = append(x.AuthCalls, a), append(x.TokenCalls, c)
		x.Events = append(x.Events, event(func(e *usher.Event) {
			e.Client.UID, e.UID, e.OAuth.Credential = id, fmt.Sprint(i), fmt.Sprint("key-", i)
		}))
	}
	for i := range 200 {
		x.Registrations = append(x.Registrations, web(func(r *evidence.Registration) {
			r.ClientID = fmt.Sprint("client-", i)
			for j := range 100 {
				r.Credentials = append(r.Credentials, evidence.Credential{Kind: "secret", ID: fmt.Sprint(j), Starts: now.AddDate(0, 0, j-300), Expires: now.AddDate(0, 0, j-100)})
			}
		}))
	}
	return x
}

// TestMany holds the checks to a bound with much evidence.
func TestMany(t *testing.T) {
	x := manyTarget()
	for _, c := range clients.Checks {
		at := time.Now()
		findings, _ := check.Run(x, []*check.Check{c})
		if len(findings) > 500 {
			t.Errorf("%s: %d findings of 200 clients", c.ID, len(findings))
		}
		for _, f := range findings {
			if len(f.Proof) > 10 {
				t.Errorf("%s: %d proofs in a finding", c.ID, len(f.Proof))
			}
		}
		if d := time.Since(at); d > 5*time.Second {
			t.Errorf("%s took %s", c.ID, d)
		}
	}
}

// FuzzText holds that no text makes a check panic, say ok or wrong without
// pointing at something, or let a secret out.
func FuzzText(f *testing.F) {
	files, _ := filepath.Glob("../../evidence/testdata/*.*")
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil && len(data) < 20_000 {
			f.Add(string(data))
		}
	}
	f.Add("curl https://login.example/token -d 'grant_type=client_credentials&client_id=web&client_secret=" + good + "&client_assertion=" + unsigned(`{"iss":"web","aud":["a","b"]}`) + "'")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := evidence.Read([]evidence.Input{{Name: "fuzz", Data: []byte(text)}})
		if err != nil {
			return
		}
		x := read.Target(set, now, "")
		findings, _ := check.Run(x, clients.Checks)
		all, err := json.Marshal(findings)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range x.TokenCalls {
			if c.Request == nil {
				continue
			}
			if s := c.Request.ClientSecret.Reveal(); len(s) >= 16 && !strings.Contains(c.Request.ClientID, s) && strings.Contains(string(all), s) {
				t.Errorf("the secret %q got out", s)
			}
		}
		for _, fi := range findings {
			if fi.Outcome == usher.OutcomeWrong && (len(fi.Proof) == 0 || fi.Title == "") {
				t.Errorf("%s is wrong without proof", fi.Check)
			}
		}
	})
}

// TestOddTokens holds that tokens of odd forms are no trouble.
func TestOddTokens(t *testing.T) {
	for _, raw := range []string{"", ".", "..", "a.b.c", "e30.e30.e30", unsigned(`{"aud":{"a":1},"cnf":[],"exp":"x","iat":1e300}`), unsigned(`[]`), strings.Repeat("a", 1000)} {
		call := ask("client_assertion", raw)
		p, _ := token.Parse(raw)
		x := target(call, refused(ask("client_assertion", raw), "invalid_client", ""), &check.Token{Parsed: p, Raw: usher.Secret(raw), Place: "x"}, entra(func(r *evidence.Registration) {
			r.ClientID, r.Federated = "web", []evidence.Federated{{}}
		}))
		for _, c := range clients.Checks {
			check.Run(x, []*check.Check{c})
		}
	}
}

// TestManyAssertions holds that those beyond the bound are not called ok.
func TestManyAssertions(t *testing.T) {
	var calls []any
	for i := range 101 {
		c := assertionCall(map[string]any{"jti": strconv.Itoa(i)}, nil)
		c.Time = c.Time.Add(time.Duration(i) * time.Millisecond)
		calls = append(calls, c)
	}
	found, _ := check.Run(target(calls...), []*check.Check{named("assertion-claims")})
	if len(found) != 1 || found[0].Outcome != unknown || !strings.Contains(found[0].Detail, "only the first 100") {
		t.Errorf("%+v", found)
	}
}
