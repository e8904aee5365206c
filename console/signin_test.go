package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/console"
	"usher/console/consoletest"
)

// TestFirstSignIn is the story of the first start.
func TestFirstSignIn(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	if got := s.do(t, "GET", "/cases/1", ""); got.header.Get("Location") != "/signin?next=%2Fcases%2F1" {
		t.Fatalf("nobody is sent to %q", got.header.Get("Location"))
	}
	if got := s.do(t, "GET", "/signin", ""); !strings.Contains(got.body, "one-time password") {
		t.Error("the first page does not ask for the one-time password")
	}
	once, err := console.FirstPassword(t.Context(), s.memory, s.clock())
	if err != nil || len(once.Reveal()) != 23 {
		t.Fatalf("the one-time password is %d characters: %v", len(once.Reveal()), err)
	}
	if strings.Contains(s.memory.Kept(), strings.ReplaceAll(once.Reveal(), "-", "")) || strings.Contains(s.memory.Kept(), once.Reveal()) {
		t.Error("the one-time password itself is kept")
	}
	// People type it in capitals and without the hyphens.
	typed := strings.ToUpper(strings.ReplaceAll(once.Reveal(), "-", " "))
	first := s.submit(t, "/signin", url.Values{"password": {typed}})
	if first.status != 303 || first.header.Get("Location") != "/password" {
		t.Fatalf("the one-time password is refused: %d", first.status)
	}
	setup := withCookie(cookie(t, first))
	if again := s.submit(t, "/signin", url.Values{"password": {once.Reveal()}}); again.status != 401 {
		t.Errorf("the one-time password works twice: %d", again.status)
	}
	for path, want := range map[string]int{"/": 303, "/cases/1": 303, "/api/v1/cases": 401, "/api/v1/watch": 401, "/keys": 303} {
		if got := s.do(t, "GET", path, "", setup); got.status != want || strings.Contains(got.body, "shop.test") {
			t.Errorf("before a password is set, %s answers %d", path, got.status)
		}
	}
	for name, bad := range map[string]url.Values{
		"short":    {"name": {"ada"}, "password": {"too short"}, "again": {"too short"}},
		"dull":     {"name": {"ada"}, "password": {"aaaaaaaaaaaaaaa"}, "again": {"aaaaaaaaaaaaaaa"}},
		"differ":   {"name": {"ada"}, "password": {goodPassword}, "again": {goodPassword + "x"}},
		"no name":  {"name": {" "}, "password": {goodPassword}, "again": {goodPassword}},
		"long":     {"name": {"ada"}, "password": {strings.Repeat("abcdefgh", 40)}, "again": {strings.Repeat("abcdefgh", 40)}},
		"bad name": {"name": {"a\x00b"}, "password": {goodPassword}, "again": {goodPassword}},
	} {
		if got := s.submit(t, "/password", bad, setup); got.status != 422 || !strings.Contains(got.body, `role="alert"`) {
			t.Errorf("%s: status %d", name, got.status)
		}
	}
	set := s.submit(t, "/password", url.Values{"name": {"ada"}, "password": {goodPassword}, "again": {goodPassword}}, setup)
	if set.status != 303 {
		t.Fatalf("a good password is refused: %d %s", set.status, set.body)
	}
	session := cookie(t, set)
	if got := s.do(t, "GET", "/cases/1", "", withCookie(session)); got.status != 200 || !strings.Contains(got.body, ">ada</a>") {
		t.Errorf("signed in, the case answers %d", got.status)
	}
	if got := s.do(t, "GET", "/password", "", setup); got.status != 303 {
		t.Error("the session of the one-time password lives on")
	}
	kept := s.memory.Kept()
	for what, value := range map[string]string{"password": goodPassword, "session id": session.Value} {
		if strings.Contains(kept, value) {
			t.Errorf("the %s itself is kept", what)
		}
	}
	if !strings.Contains(kept, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the password is not kept as argon2id: %s", kept)
	}
	if once, err := console.FirstPassword(t.Context(), s.memory, s.clock()); once != "" || err != nil {
		t.Error("a one-time password is made although somebody has an account")
	}
}

func TestTicketExpires(t *testing.T) {
	s := start(t)
	once, err := console.FirstPassword(t.Context(), s.memory, s.clock())
	if err != nil {
		t.Fatal(err)
	}
	s.pass(24 * time.Hour)
	if got := s.submit(t, "/signin", url.Values{"password": {once.Reveal()}}); got.status != 401 {
		t.Errorf("after a day: %d", got.status)
	}
}

// TestTicketRace: of many who try the one-time password at once one gets in.
func TestTicketRace(t *testing.T) {
	s := start(t)
	once, err := console.FirstPassword(t.Context(), s.memory, s.clock())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	in := 0
	for i := range 8 {
		wg.Go(func() {
			got := s.submit(t, "/signin", url.Values{"password": {once.Reveal()}}, header("Test-From", "192.0.2."+string(rune('1'+i))))
			mu.Lock()
			defer mu.Unlock()
			if got.status == 303 {
				in++
			}
		})
	}
	wg.Wait()
	if in != 1 {
		t.Errorf("%d got in", in)
	}
}

// TestSetupCannotReplace: a session of the one-time password that is still open
// when somebody else has set a password can set none.
func TestSetupCannotReplace(t *testing.T) {
	s := start(t)
	once, _ := console.FirstPassword(t.Context(), s.memory, s.clock())
	stale := withCookie(cookie(t, s.submit(t, "/signin", url.Values{"password": {once.Reveal()}})))
	s.signIn(t)
	if got := s.submit(t, "/password", url.Values{"name": {"eve"}, "password": {"another long one"}, "again": {"another long one"}}, stale); got.status != 403 {
		t.Errorf("status %d", got.status)
	}
}

func TestSignIn(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	s.signIn(t)
	good := url.Values{"name": {"ada"}, "password": {goodPassword}, "next": {"/cases/6"}}
	got := s.submit(t, "/signin", good)
	if got.status != 303 || got.header.Get("Location") != "/cases/6" {
		t.Fatalf("%d %q", got.status, got.header.Get("Location"))
	}
	first := cookie(t, got)
	// Signing in again makes a new session and ends the old one.
	second := cookie(t, s.submit(t, "/signin", good, withCookie(first)))
	if first.Value == second.Value {
		t.Error("the session keeps its id")
	}
	if got := s.do(t, "GET", "/", "", withCookie(first)); got.status != 303 {
		t.Error("the session from before the sign-in lives on")
	}
	// A planted id is not taken over.
	planted := &http.Cookie{Name: "usher_session", Value: "planted-by-somebody-else"}
	if c := cookie(t, s.submit(t, "/signin", good, withCookie(planted))); c.Value == planted.Value {
		t.Error("a planted session id is used")
	}
	out := s.submit(t, "/signout", nil, withCookie(second))
	if out.status != 303 || !strings.Contains(out.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("signing out: %d %v", out.status, out.header)
	}
	if got := s.do(t, "GET", "/", "", withCookie(second)); got.status != 303 {
		t.Error("the session outlives the sign-out")
	}
}

func TestSessionEnds(t *testing.T) {
	s := start(t)
	idle := withCookie(s.signIn(t))
	s.pass(12*time.Hour + time.Minute)
	if got := s.do(t, "GET", "/", "", idle); got.status != 303 {
		t.Error("a session that nobody uses lives on")
	}
	used := withCookie(cookie(t, s.submit(t, "/signin", url.Values{"name": {"ada"}, "password": {goodPassword}})))
	for range 16 {
		s.pass(10 * time.Hour)
		if got := s.do(t, "GET", "/", "", used); got.status != 200 {
			t.Fatal("a session that is used has ended")
		}
	}
	s.pass(10 * time.Hour) // 170 hours
	if got := s.do(t, "GET", "/", "", used); got.status != 303 {
		t.Error("a session lives longer than a week")
	}
	if s.memory.Sessions() != 0 {
		t.Errorf("%d sessions are kept that are over", s.memory.Sessions())
	}
}

// TestGuessing holds wrong passwords to their limits, and right ones to none.
func TestGuessing(t *testing.T) {
	s := start(t)
	s.signIn(t)
	wrong := url.Values{"name": {"ada"}, "password": {"not the password"}}
	for i := range 5 {
		if got := s.submit(t, "/signin", wrong); got.status != 401 {
			t.Fatalf("guess %d: %d", i, got.status)
		}
	}
	got := s.submit(t, "/signin", url.Values{"name": {"ada"}, "password": {goodPassword}})
	if got.status != 429 || got.header.Get("Retry-After") == "" {
		t.Errorf("the sixth guess: %d", got.status)
	}
	if got := s.submit(t, "/signin", url.Values{"name": {"ada"}, "password": {goodPassword}}, header("Test-From", "192.0.2.7")); got.status != 303 {
		t.Errorf("somebody at another address is kept out: %d", got.status)
	}
	s.pass(10 * time.Second)
	if got := s.submit(t, "/signin", wrong); got.status != 401 {
		t.Errorf("after ten seconds: %d", got.status)
	}
	s.pass(time.Hour)
	for i := range 12 { // who knows the password is not limited
		if got := s.submit(t, "/signin", url.Values{"name": {"ada"}, "password": {goodPassword}}); got.status != 303 {
			t.Fatalf("sign-in %d: %d", i, got.status)
		}
	}
	// Many addresses together meet the limit of all of them.
	refused := 0
	for i := range 60 {
		got := s.submit(t, "/signin", url.Values{"name": {"x"}, "password": {""}}, header("Test-From", "198.51.100."+string(rune('0'+i%10))+string(rune('0'+i/10))))
		if got.status == 429 {
			refused++
		}
	}
	if refused < 20 {
		t.Errorf("of 60 guesses from 60 addresses %d are refused", refused)
	}
}

// TestRefusalInTheLog: whose account was tried, and nothing of what was typed.
func TestRefusalInTheLog(t *testing.T) {
	s := start(t)
	s.signIn(t)
	s.submit(t, "/signin", url.Values{"name": {goodPassword}, "password": {"x"}})
	if log := s.log.String(); !strings.Contains(log, "refused") || strings.Contains(log, "horse") {
		t.Errorf("a password in the field of the name: %s", log)
	}
	s.submit(t, "/signin", url.Values{"name": {"ada"}, "password": {"battery horse"}})
	if log := s.log.String(); !strings.Contains(log, "account=ada") || strings.Contains(log, "horse") {
		t.Errorf("a wrong password: %s", log)
	}
}

// TestConstantWork: whether a name exists shows neither in the answer nor in
// the work.
func TestConstantWork(t *testing.T) {
	s := start(t)
	s.signIn(t)
	guess := func(name, password string) (string, int64) {
		s.pass(time.Hour)
		before := s.derived()
		got := s.submit(t, "/signin", url.Values{"name": {name}, "password": {password}})
		if got.status != 401 {
			t.Errorf("%q: %d", name, got.status)
		}
		return strings.ReplaceAll(got.body, `value="`+name+`"`, ""), s.derived() - before
	}
	known, work := guess("ada", "not the password")
	for _, c := range [][2]string{{"eve", "not the password"}, {"", ""}, {"ada", strings.Repeat("x", 5000)}, {"ada", ""}} {
		other, w := guess(c[0], c[1])
		if w != work || w != 1 {
			t.Errorf("%q costs %d, a known name %d", c[0], w, work)
		}
		if c[0] != "" && other != known {
			t.Errorf("the answers for a known and an unknown name differ")
		}
	}
}

func TestChangePassword(t *testing.T) {
	s := start(t)
	session := withCookie(s.signIn(t))
	other := withCookie(cookie(t, s.submit(t, "/signin", url.Values{"name": {"ada"}, "password": {goodPassword}})))
	next := "another staple altogether"
	if got := s.submit(t, "/password", url.Values{"old": {"wrong wrong wrong"}, "password": {next}, "again": {next}}, session); got.status != 422 {
		t.Errorf("without the old password: %d", got.status)
	}
	if got := s.submit(t, "/password", url.Values{"name": {"eve"}, "old": {goodPassword}, "password": {next}, "again": {next}}, session); got.status != 303 {
		t.Fatalf("with the old password: %d %s", got.status, got.body)
	}
	for name, old := range map[string]with{"own": session, "other": other} {
		if got := s.do(t, "GET", "/", "", old); got.status != 303 {
			t.Errorf("the %s session outlives the change", name)
		}
	}
	if got := s.submit(t, "/signin", url.Values{"name": {"ada"}, "password": {goodPassword}}); got.status != 401 {
		t.Error("the old password still works")
	}
	if got := s.submit(t, "/signin", url.Values{"name": {"eve"}, "password": {next}}); got.status != 401 {
		t.Error("the name was changed along")
	}
	if got := s.submit(t, "/signin", url.Values{"name": {"ada"}, "password": {next}}); got.status != 303 {
		t.Error("the new password does not work")
	}
}

func TestKeys(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	session := withCookie(s.signIn(t))
	got := s.submit(t, "/keys", url.Values{"name": {"ci <b>"}, "days": {"30"}}, session)
	at := strings.Index(got.body, "usher_")
	if got.status != 200 || at < 0 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	value := got.body[at : at+6+43]
	if strings.Contains(s.memory.Kept(), value) {
		t.Error("the key itself is kept")
	}
	bearer := header("Authorization", "Bearer "+value)
	if got := s.do(t, "GET", "/api/v1/cases", "", bearer); got.status != 200 {
		t.Fatalf("the key is refused: %d %s", got.status, got.body)
	}
	if got := s.do(t, "POST", "/api/v1/cases/1/declare", `{"fix":"2"}`, bearer, header("Content-Type", "application/json")); got.status != 200 || !strings.Contains(got.body, `"by":"key ci`) {
		t.Errorf("a program without Origin: %d %s", got.status, got.body)
	}
	if got := s.do(t, "POST", "/api/v1/keys", `{"name":"more"}`, bearer, header("Content-Type", "application/json")); got.status != 403 || strings.Contains(got.body, "usher_") {
		t.Errorf("a key makes another: %d %s", got.status, got.body)
	}
	page := s.do(t, "GET", "/keys", "", session).body
	if strings.Contains(page, value) || strings.Contains(page, "ci <b>") || !strings.Contains(page, "ci &lt;b&gt;") {
		t.Error("the page of keys shows the wrong things")
	}
	s.pass(30 * 24 * time.Hour)
	if got := s.do(t, "GET", "/api/v1/cases", "", bearer); got.status != 401 {
		t.Errorf("the expired key: %d", got.status)
	}
	again := s.do(t, "POST", "/api/v1/keys", `{"name":"x"}`, trusted, header("Content-Type", "application/json"))
	id := again.body[strings.Index(again.body, `"id":"`)+6:]
	id = id[:strings.Index(id, `"`)]
	value = again.body[strings.Index(again.body, "usher_"):]
	value = value[:strings.Index(value, `"`)]
	bearer = header("Authorization", "Bearer "+value)
	if got := s.do(t, "DELETE", "/api/v1/keys/"+id, "", bearer); got.status != 204 {
		t.Errorf("taking it away: %d", got.status)
	}
	if got := s.do(t, "GET", "/api/v1/cases", "", bearer); got.status != 401 {
		t.Error("a key that was taken away works")
	}
}

// TestSocketUser: over the socket a client may say who types, in plain words.
func TestSocketUser(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	for name, want := range map[string]string{"ada": "ada", "": "local user", "a b": "local user", strings.Repeat("x", 65): "local user"} {
		got := s.do(t, "POST", "/api/v1/cases/1/declare", `{"fix":"2"}`, trusted, header("Usher-User", name), header("Content-Type", "application/json"))
		if !strings.Contains(got.body, `"by":"`+want+`"`) {
			t.Errorf("%q is noted as %s", name, got.body)
		}
	}
}
