package hostile_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher/lab"

	root "usher"
)

// story is the first case, told by a provider in this process to a server in
// another one.
type story struct {
	tb     testing.TB
	lab    *lab.Lab
	http   *httptest.Server
	server *server
}

const sentURI = "https://shop.test/cb/"

func newStory(tb testing.TB) *story {
	tb.Helper()
	s := &story{tb: tb, server: newServer(tb, "USHER_SHOP_SECRET=s3cr3t-of-usher")}
	f, err := os.OpenFile(filepath.Join(s.server.dir, "kc.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	s.lab = lab.New(lab.Options{
		Log: f, Zone: time.UTC, Control: true,
		Clients: []lab.Client{
			{ID: "shop", Name: "Shop", RedirectURIs: []string{sentURI}},
			{ID: "usher", Service: true, Secret: "s3cr3t-of-usher", Roles: []string{"manage-clients", "view-clients", "view-users"}},
		},
		Users: []lab.User{{Name: "ann", Password: "ann-password"}},
	})
	s.http = httptest.NewServer(s.lab)
	tb.Cleanup(func() {
		s.http.CloseClientConnections()
		s.http.Close()
		_ = f.Close()
	})
	s.server.config(fmt.Sprintf(`
listen: 127.0.0.1:0
data: d
providers:
- name: shop
  kind: lab
  issuer: %s/realms/shop
  tenants: [shop]
  admin: {client_id: usher, client_secret_env: USHER_SHOP_SECRET}
  sources: [{kind: keycloak, path: kc.log, zone: UTC, from: start}]
`, s.http.URL))
	return s
}

// signIn brings somebody to the provider.
func (s *story) signIn(from string) {
	query := url.Values{
		"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {sentURI}, "scope": {"openid"}, "login_hint": {"lab:ann"}, "state": {"x"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
	req, err := http.NewRequest("GET", s.http.URL+"/realms/shop/protocol/openid-connect/auth?"+query.Encode(), nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", from)
	browser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Do(req)
	if err != nil {
		s.tb.Fatal(err)
	}
	_ = resp.Body.Close()
	time.Sleep(3 * time.Millisecond) // lines of one millisecond and address are one event
}

// steps are what happens, in order. Each comes to its end whenever the server
// is killed, as a person who tries again would bring it there.
func (s *story) steps() []func() {
	steps := []func(){func() {
		if err := s.lab.Switch("redirect-uri-mismatch", true); err != nil {
			s.tb.Fatal(err)
		}
	}}
	for i := range 14 {
		steps = append(steps, func() { s.signIn(fmt.Sprintf("203.0.113.%d", 1+i%3)) })
	}
	return append(steps,
		func() { s.wait("14 tries", func(c *root.Case) bool { return c.Count == 14 }) },
		s.fix,
		func() { s.signIn("203.0.113.9") },
		func() { s.wait("the proof", func(c *root.Case) bool { return c.State == root.CaseFixed }) },
	)
}

// wait waits until the case is as wanted.
func (s *story) wait(what string, ok func(*root.Case) bool) {
	s.tb.Helper()
	var list struct{ Cases []root.Case }
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if status, err := s.server.ask("GET", "/api/v1/cases?all=true", "", &list); err == nil && status == 200 && len(list.Cases) > 0 && ok(&list.Cases[len(list.Cases)-1]) {
			return
		}
	}
	text, _ := json.MarshalIndent(list, "", " ")
	s.tb.Fatalf("waited for %s:\n%s", what, text)
}

// fix plans and applies until it is done. It never does it twice.
func (s *story) fix() {
	s.wait("the fix to be carried out", func(c *root.Case) bool {
		for _, r := range c.Runs {
			switch r.State {
			case root.RunApplied:
				return true
			case root.RunApplying: // the server finds out what became of it
				return false
			}
		}
		if len(c.Fixes) == 0 || c.Fixes[0].Action == nil { // the registration is not read yet
			return false
		}
		id := c.Fixes[0].ID // not 1 where the registration came after the first tries
		var plan root.FixPlan
		if status, err := s.server.ask("POST", "/api/v1/cases/1/plan", fmt.Sprintf(`{"fix":%q}`, id), &plan); err != nil || status != 200 {
			return false
		}
		_, _ = s.server.ask("POST", "/api/v1/cases/1/apply", fmt.Sprintf(`{"fix":%q,"plan":%q}`, id, plan.ID), nil)
		return false
	})
}

// outcome is what must be the same however often the server was killed.
func (s *story) outcome() string {
	s.tb.Helper()
	var list struct{ Cases []root.Case }
	if status, err := s.server.ask("GET", "/api/v1/cases?all=true", "", &list); err != nil || status != 200 {
		s.tb.Fatalf("list: %d %v", status, err)
	}
	var b strings.Builder
	for _, c := range list.Cases {
		fmt.Fprintf(&b, "case %d %s %s %s %q\n", c.ID, c.Fingerprint, c.Kind, c.State, c.Title)
		fmt.Fprintf(&b, "cause %s, %d tries, %d addresses, %d users, %d changes\n", c.Finding.Cause, c.Count, c.Addresses, c.Users, len(c.Changed))
		for _, r := range c.Runs {
			if r.State != root.RunFailed { // one that the kill came before
				fmt.Fprintf(&b, "run %s %s %v\n", r.State, r.Plan.Fix.Title, r.Plan.Diff)
			}
		}
		if c.Proven != nil {
			title := "none"
			for _, r := range c.Runs {
				if r.Plan.Fix.ID == c.Proven.Fix {
					title = r.Plan.Fix.Title
				}
			}
			fmt.Fprintf(&b, "proven by fix %s: %v\n", title, c.Proven.Fields)
		}
	}
	resp, err := http.Get(s.http.URL + "/lab/clients/shop")
	if err != nil {
		s.tb.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	var client struct {
		URIs []string `json:"redirect_uris"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&client); err != nil {
		s.tb.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	fmt.Fprintf(&b, "registered %v\n", client.URIs)
	return b.String()
}

// tell runs the story; at begins before its step is taken, so that what it does
// meets the step at its work.
func (s *story) tell(at int, during func()) {
	s.server.start()
	for i, step := range s.steps() {
		if i != at {
			step()
			continue
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			during()
		}()
		step()
		<-done
	}
}

// TestKilledAnywhere kills the server at points all over the story, each time
// without a warning, starts it again, and wants the same end: the same case
// with the same tries, fixed once and proven by the same success.
func TestKilledAnywhere(t *testing.T) {
	quiet := newStory(t)
	quiet.tell(-1, nil)
	want := quiet.outcome()
	if !strings.Contains(want, "14 tries, 3 addresses") || !strings.Contains(want, "proven by fix ") || strings.Contains(want, "proven by fix none") {
		t.Fatalf("undisturbed it ends as\n%s", want)
	}
	points := 6
	if os.Getenv("USHER_SOAK") != "" {
		points = 50
	}
	steps := len(quiet.steps())
	for point := range points {
		t.Run(fmt.Sprintf("point-%02d", point), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(point), uint64(points)))
			at := point * steps / points
			if point%2 == 1 { // half of them where most is at stake
				at = steps - 1 - r.IntN(4)
			}
			after := time.Duration(r.IntN(120)) * time.Millisecond
			s := newStory(t)
			s.tell(at, func() {
				time.Sleep(after)
				s.server.kill()
				s.server.start()
			})
			if got := s.outcome(); got != want {
				t.Errorf("killed %v into step %d of %d it ends as\n%s\nundisturbed as\n%s", after, at, steps, got, want)
			}
		})
	}
}
