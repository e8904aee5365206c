package serve_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher"
	"usher/console"
	"usher/lab"
	"usher/serve"
)

// shop is a lab with an app whose redirect URI is lost by an edit.
type shop struct {
	t     *testing.T
	lab   *lab.Lab
	http  *httptest.Server
	log   *os.File
	slow  atomic.Int64 // holds the admin API up
	users atomic.Int64 // how often it was asked for a user
	uids  atomic.Int64 // how often it was asked for a client by its own id
}

func newShop(t *testing.T, log string) *shop {
	t.Helper()
	f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{t: t, log: f}
	s.lab = lab.New(lab.Options{
		Log: f, Zone: time.UTC,
		Clients: []lab.Client{
			{ID: "shop", Name: "Shop", RedirectURIs: []string{"https://shop.test/cb/"}, Scopes: []string{"profile"}},
			{ID: "usher", Service: true, Secret: "s3cr3t-of-usher", Roles: []string{"manage-clients", "view-clients", "view-users"}},
		},
		Users: []lab.User{{Name: "ann", Password: "ann-password"}},
	})
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/admin/") {
			time.Sleep(time.Duration(s.slow.Load()))
			if strings.Contains(r.URL.Path, "/users/") {
				s.users.Add(1)
			}
			if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/clients/") {
				s.uids.Add(1)
			}
		}
		s.lab.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.http.CloseClientConnections()
		s.http.Close()
		_ = f.Close()
	})
	return s
}

func (s *shop) config() string {
	return fmt.Sprintf(`
listen: 127.0.0.1:0
data: d
providers:
- name: shop
  kind: lab
  issuer: %s/realms/shop
  tenants: [shop]
  admin: {client_id: usher, client_secret_env: USHER_SHOP_SECRET}
  sources: [{kind: keycloak, path: kc.log, zone: UTC, from: start}]
`, s.http.URL)
}

// signIn tries to bring somebody in and tells whether a code came back.
func (s *shop) signIn(uri, from string) bool {
	s.t.Helper()
	query := url.Values{
		"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {uri}, "scope": {"openid"}, "login_hint": {"lab:ann"}, "state": {"x"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
	req, err := http.NewRequest("GET", s.http.URL+"/realms/shop/protocol/openid-connect/auth?"+query.Encode(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", from)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	return strings.Contains(resp.Header.Get("Location"), "code=")
}

func (s *shop) breakIt() {
	s.t.Helper()
	if err := s.lab.Switch("redirect-uri-mismatch", true); err != nil {
		s.t.Fatal(err)
	}
}

// actionable tells whether usher itself can carry out the first way out of the
// first case.
func actionable(l []usher.Case) bool {
	return len(l) > 0 && len(l[0].Fixes) > 0 && l[0].Fixes[0].Action != nil
}

// TestStory: a failure becomes a case, is fixed, and is proven fixed.
func TestStory(t *testing.T) {
	b := newBench(t, "")
	s := newShop(t, b.log)
	b.yaml = s.config()
	b.start()
	s.breakIt()
	for i := range 14 {
		if s.signIn("https://shop.test/cb/", fmt.Sprintf("203.0.113.%d", 1+i%3)) {
			t.Fatal("the sign-in is not refused")
		}
		time.Sleep(2 * time.Millisecond) // lines of one millisecond and address are one event
	}
	// The registration may come after the first tries: what a person would have to
	// do has the number 1 then, and what usher can do the next.
	c := b.wait("the case", func(l []usher.Case) bool { return count(14)(l) && actionable(l) })[0]
	for _, want := range []string{"'shop'", "https://shop.test/cb/", "14 tries", "3 addresses", "client was edited"} {
		if !strings.Contains(c.Summary, want) {
			t.Errorf("the summary lacks %q: %s", want, c.Summary)
		}
	}
	fix := c.Fixes[0].ID
	var plan usher.FixPlan
	if status := b.ask("POST", "/api/v1/cases/1/plan", fmt.Sprintf(`{"fix":%q}`, fix), &plan); status != 200 || len(plan.Diff) == 0 {
		t.Fatalf("plan: %d %+v", status, plan)
	}
	if status := b.ask("POST", "/api/v1/cases/1/apply", fmt.Sprintf(`{"fix":%q,"plan":"another"}`, fix), nil); status != http.StatusConflict {
		t.Errorf("another plan is answered with %d", status)
	}
	var applied struct{ Run usher.FixRun }
	if status := b.ask("POST", "/api/v1/cases/1/apply", fmt.Sprintf(`{"fix":%q,"plan":%q}`, fix, plan.ID), &applied); status != 200 || applied.Run.State != usher.RunApplied {
		t.Fatalf("apply: %d %+v", status, applied)
	}
	if state := b.cases()[0].State; state != usher.CaseVerifying {
		t.Errorf("after the fix it is %s", state)
	}
	if !s.signIn("https://shop.test/cb/", "203.0.113.9") {
		t.Fatal("the sign-in is still refused")
	}
	c = b.wait("fixed", func(l []usher.Case) bool { return len(l) == 1 && l[0].State == usher.CaseFixed })[0]
	if c.Proven == nil || c.Proven.Event.OAuth.RedirectURI != "https://shop.test/cb/" {
		t.Errorf("proven %+v", c.Proven)
	}
	var run struct{ Run usher.FixRun }
	if status := b.ask("POST", "/api/v1/cases/1/undo", `{"run":"1"}`, &run); status != 200 || run.Run.State != usher.RunUndone {
		t.Errorf("undo: %d %+v", status, run)
	}
	if s.signIn("https://shop.test/cb/", "203.0.113.9") {
		t.Error("after it was taken back the sign-in works")
	}
}

// TestSlowProvider: a provider that does not answer in time holds nothing up.
func TestSlowProvider(t *testing.T) {
	b := newBench(t, "")
	s := newShop(t, b.log)
	b.yaml = s.config()
	s.breakIt()
	const slow = 4 * time.Second
	s.slow.Store(int64(slow))
	b.start()
	begun := time.Now()
	s.signIn("https://shop.test/cb/", "203.0.113.1")
	b.wait("a case", count(1))
	if took := time.Since(begun); took >= slow {
		t.Errorf("the case took %v: it waited for the provider", took)
	}
	c := b.wait("the registration to arrive", func(l []usher.Case) bool { return strings.Contains(l[0].Title, "(1 character)") })[0]
	if c.Count != 1 || len(c.Fixes) == 0 || c.Fixes[0].Action == nil {
		t.Errorf("%d tries, fixes %+v", c.Count, c.Fixes)
	}
}

// TestRegistrationBetween: a registration that comes after the wait for it and
// before the event is kept is not lost: the fix that usher can carry out comes
// with it.
func TestRegistrationBetween(t *testing.T) {
	b := newBench(t, "")
	s := newShop(t, b.log)
	b.yaml = s.config()
	s.breakIt()
	s.slow.Store(int64(600 * time.Millisecond))
	b.start()
	ev := usher.Event{
		UID: "e", Kind: usher.EventSignIn, Code: "LOGIN_ERROR", Provider: "keycloak", Tenant: "shop", Time: time.Now(), Status: usher.StatusFailure,
		StatusCode: "invalid_redirect_uri", Client: usher.Party{UID: "shop"}, OAuth: usher.OAuthFacts{RedirectURI: "https://shop.test/cb/"},
	}
	serve.TakeSlowly(t, b.server, []usher.Event{ev}, func() {
		if serve.Registered(b.server, "shop") {
			t.Error("the provider is not slow")
		}
		for end := time.Now().Add(30 * time.Second); !serve.Registered(b.server, "shop"); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the registration does not come")
			}
		}
		time.Sleep(50 * time.Millisecond) // whoever is told of it has looked
	})
	c := b.wait("the registration to be used", func(l []usher.Case) bool { return len(l) == 1 && strings.Contains(l[0].Title, "(1 character)") })[0]
	if c.Count != 1 || len(c.Fixes) == 0 || c.Fixes[0].Action == nil || c.Fixes[0].Risk == usher.RiskWeakening {
		t.Errorf("%d tries, fixes %+v", c.Count, c.Fixes)
	}
}

// TestCrashWhileApplying: a run that a crash left under way is made good at the
// next start, whether its fix was carried out or not.
func TestCrashWhileApplying(t *testing.T) {
	for _, done := range []bool{true, false} {
		t.Run(fmt.Sprint(done), func(t *testing.T) {
			b := newBench(t, "")
			s := newShop(t, b.log)
			b.yaml = s.config()
			b.start()
			s.breakIt()
			s.signIn("https://shop.test/cb/", "203.0.113.1")
			b.wait("the case", count(1))
			plan, err := b.server.Engine().Plan(context.Background(), 1, "1", "ann")
			if err != nil {
				t.Fatal(err)
			}
			if done {
				if _, err := b.server.Engine().Apply(context.Background(), 1, console.Confirm{Fix: "1", Plan: plan.ID}, "ann"); err != nil {
					t.Fatal(err)
				}
				b.stop()
				serve.SetRunState(t, b.dir+"/d", usher.RunApplying)
			} else {
				serve.MarkApplying(t, b.server, plan)
				b.stop()
			}
			b.start()
			want := map[bool]usher.RunState{true: usher.RunApplied, false: usher.RunFailed}[done]
			b.wait("the run to end", func(l []usher.Case) bool {
				return slices.ContainsFunc(l[0].Runs, func(r usher.FixRun) bool { return r.State == want })
			})
		})
	}
}

// TestAttack: a spray of passwords against the client of a case, and then a
// success, closes nothing: the success escalates the attack. It survives a
// restart in its middle.
func TestAttack(t *testing.T) {
	b := newBench(t, plainConfig)
	b.start()
	time.Sleep(time.Second)
	now := time.Now()
	b.write(refusal(now, "https://shop.test/cb/", "192.0.2.1"))
	b.wait("the failure", count(1))
	try := func(i int) string {
		at := now.Add(time.Duration(i) * 10 * time.Millisecond)
		return stamp(at) + fmt.Sprintf(` WARN  [org.keycloak.events] (executor-thread-1) type="LOGIN_ERROR", realmId="154ae83d-cf18-4661-b649-4d8d95f38c42", realmName="shop", clientId="shop", userId="00000000-0000-0000-0000-0000000000%02d", ipAddress="198.51.100.66", error="invalid_user_credentials", auth_method="openid-connect", auth_type="code", redirect_uri="https://shop.test/cb/", code_id="x%d", username="user%d"`, i, i, i)
	}
	for i := range 8 {
		b.write(try(10 + i))
	}
	b.wait("some tries", func(l []usher.Case) bool { return len(l) > 1 })
	b.write(refusal(now.Add(2*time.Hour), "https://shop.test/cb/", "192.0.2.1")) // of a clock that goes ahead
	b.wait("another try", func(l []usher.Case) bool {
		return slices.ContainsFunc(l, func(c usher.Case) bool { return c.ID == 1 && c.Count == 2 })
	})
	b.stop()
	b.start() // what was seen of the attack is in the store
	for i := range 8 {
		b.write(try(18 + i))
	}
	attack := func(l []usher.Case) *usher.Case {
		for i := range l {
			if l[i].Kind == usher.CaseAttack {
				return &l[i]
			}
		}
		return nil
	}
	b.wait("the attack", func(l []usher.Case) bool { return attack(l) != nil })
	b.write(success(now.Add(time.Second), "https://shop.test/cb/", "user11", "198.51.100.66"))
	list := b.wait("its escalation", func(l []usher.Case) bool { a := attack(l); return a != nil && !a.Escalated.IsZero() })
	for _, c := range list {
		if c.State == usher.CaseFixed {
			t.Errorf("the attacker's success fixed case %d: %s", c.ID, c.Title)
		}
	}
}

// TestStrangerHidesNothing: one request with http: from anywhere, before or
// after, leaves the outage of others where everybody sees it.
func TestStrangerHidesNothing(t *testing.T) {
	for _, uri := range []string{"http://shop.test/cb", "http://shop.test/cb/"} {
		b := newBench(t, "")
		s := newShop(t, b.log)
		b.yaml = s.config()
		b.start()
		s.breakIt()
		s.signIn(uri, "198.51.100.66")
		for i := range 5 {
			s.signIn("https://shop.test/cb/", fmt.Sprintf("203.0.113.%d", 1+i))
		}
		s.signIn(uri, "198.51.100.67")
		list := b.wait("both", func(l []usher.Case) bool { return len(l) == 2 && l[0].Count+l[1].Count == 7 })
		for _, c := range list {
			if c.Behind != 0 {
				t.Errorf("%s: hidden behind %d: %s", uri, c.Behind, c.Title)
			}
		}
	}
}

// TestBurst: who tries thirty passwords within a second and then has the right
// one has proven nothing, also not for a moment.
func TestBurst(t *testing.T) {
	b := newBench(t, plainConfig)
	b.start()
	time.Sleep(time.Second)
	now := time.Now()
	for i := range 30 {
		b.write(stamp(now.Add(time.Duration(i)*3*time.Millisecond)) + fmt.Sprintf(` WARN  [org.keycloak.events] (executor-thread-1) type="LOGIN_ERROR", realmId="154ae83d-cf18-4661-b649-4d8d95f38c42", realmName="shop", clientId="shop", userId="b1b8b7a4-bb0c-4b73-9d0c-111111111111", ipAddress="203.0.113.99", error="invalid_user_credentials", auth_method="openid-connect", auth_type="code", redirect_uri="https://shop.test/cb/", code_id="x%d", username="bru"`, i))
	}
	b.wait("the failures", count(30))
	b.write(success(now.Add(time.Second), "https://shop.test/cb/", "bru", "203.0.113.99"))
	list := b.wait("its escalation", func(l []usher.Case) bool {
		return slices.ContainsFunc(l, func(c usher.Case) bool { return !c.Escalated.IsZero() })
	})
	for _, c := range list {
		if c.State == usher.CaseFixed || slices.ContainsFunc(c.Timeline, func(e usher.Entry) bool { return e.Kind == usher.EntryProven }) {
			t.Errorf("the guess fixed case %d: %s", c.ID, c.Title)
		}
	}
}

// TestResumeBusy: a run that somebody carries out is looked at again, because the
// provider may answer nothing; otherwise it would stay under way for ever.
func TestResumeBusy(t *testing.T) {
	b := newBench(t, "")
	s := newShop(t, b.log)
	b.yaml = s.config()
	b.start()
	s.breakIt()
	s.signIn("https://shop.test/cb/", "203.0.113.1")
	b.wait("the case", count(1))
	plan, err := b.server.Engine().Plan(context.Background(), 1, "1", "ann")
	if err != nil {
		t.Fatal(err)
	}
	if n := serve.ResumeBusy(t, b.server, 1); n != 0 {
		t.Errorf("without a run %d are to be looked at again", n)
	}
	serve.MarkApplying(t, b.server, plan)
	if n := serve.ResumeBusy(t, b.server, 1); n != 1 {
		t.Errorf("%d runs are to be looked at again", n)
	}
}

// TestStranger: the provider is asked once for the name of somebody whom it does
// not know, not with every change.
func TestStranger(t *testing.T) {
	b := newBench(t, "")
	s := newShop(t, b.log)
	b.yaml = s.config()
	b.start()
	for i := range 5 {
		ev := usher.Event{
			UID: fmt.Sprint("e", i), Kind: usher.EventAdmin, Provider: "keycloak", Tenant: "shop", Time: time.Now(), Status: usher.StatusSuccess,
			Actor: usher.Party{UID: "00000000-0000-0000-0000-000000000001"}, Change: &usher.Change{Operation: "update", Type: "realm", Target: usher.Party{Name: "shop"}},
		}
		if _, err := b.server.Engine().Take(context.Background(), []usher.Event{ev}); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.users.Load(); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
}

// TestChangedClient: the provider is asked once at most for the client and the
// realm of a change whose record has the provider's own id alone, whether it
// knows it or not.
func TestChangedClient(t *testing.T) {
	b := newBench(t, "")
	s := newShop(t, b.log)
	b.yaml = s.config()
	b.start()
	s.breakIt()
	s.signIn("https://shop.test/cb/", "203.0.113.1")
	b.wait("the case", count(1))
	// The case opens at once; the registration is read beside it, and the edit
	// that broke it may have it forgotten just then.
	uid := serve.ClientUID(b.server, "shop", "shop")
	for begun, tries := time.Now(), 1; uid == ""; uid = serve.ClientUID(b.server, "shop", "shop") {
		switch waited := time.Since(begun); {
		case waited > 60*time.Second:
			t.Fatal("the registration is not known")
		case waited > time.Duration(tries)*2*time.Second:
			tries++
			s.signIn("https://shop.test/cb/", "203.0.113.1")
		}
		time.Sleep(5 * time.Millisecond)
	}
	for _, uid := range []string{uid, "00000000-0000-0000-0000-000000000001"} {
		before := s.uids.Load()
		for i := range 5 {
			ev := usher.Event{
				UID: fmt.Sprint(uid, i), Kind: usher.EventAdmin, Provider: "keycloak", Time: time.Now(), Status: usher.StatusSuccess,
				Change: &usher.Change{Operation: "update", Type: "client", Target: usher.Party{UID: uid}},
			}
			if _, err := b.server.Engine().Take(context.Background(), []usher.Event{ev}); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.uids.Load() - before; n > 1 {
			t.Errorf("for %s the provider was asked %d times", uid, n)
		}
	}
}
