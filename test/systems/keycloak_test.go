package systems_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/test/systems/keycloak"
)

// firstTitle is what the story of examples/first-case is called.
const firstTitle = "Sign-ins to 'shop' are refused: the app sends `https://shop.test/cb/`, registered is `https://shop.test/cb` (1 character)"

// TestKeycloak puts usher beside a real Keycloak into which a real relying
// party tries to sign in. One Keycloak serves all; each story has a realm and a
// usher of its own.
func TestKeycloak(t *testing.T) {
	kc := theKeycloak(t)
	rp := startRelyingParty(t)
	for _, story := range []struct {
		name  string
		cases string // more under `cases:`
		tell  func(*shop)
	}{
		{"the first case", "", firstCase},
		{"tries that stop", "quiet_after: 3s", quiet},
		{"fixed by hand", "", fixedByHand},
		{"password spray", "", spray},
		{"forged names", "", forged},
		{"wrong secret", "", wrongSecret},
		{"disabled client", "", disabledClient},
		{"scope not allowed", "", scopeNotAllowed},
		{"undo", "", undo},
		{"a plan that is old", "", oldPlan},
		{"killed in between", "", killed},
		{"on the page", "", onThePage},
	} {
		t.Run(story.name, func(t *testing.T) {
			story.tell(openShop(t, kc, rp, story.cases))
		})
	}
}

// refused says that the redirect URI was not accepted: Keycloak shows a page of
// its own.
const refused = "authorize"

// breakIt is how each story begins that is about the slash: the sign-in works,
// an administrator edits the client, and it does not.
func (s *shop) breakIt() {
	s.t.Helper()
	s.succeeds(nil)
	s.register(noSlash)
}

func firstCase(s *shop) {
	t := s.t
	s.breakIt()
	before := s.registration()

	// Within a second of the log line there is a case.
	s.fails(1, refused, nil)
	s.within(patience, "a case is shown", func() error {
		if len(s.cases()) == 0 {
			return fmt.Errorf("there is none")
		}
		return nil
	})
	c := s.theCase()
	t.Logf("from the log line to the case: %v", c.Opened.Sub(c.First).Round(time.Millisecond))
	if took := c.Opened.Sub(c.First); took > 15*time.Second {
		t.Errorf("the case is shown %v after the line", took)
	}

	s.fails(13, refused, nil)
	c = s.counts(14)
	if strings.TrimSuffix(c.Title, ".") != firstTitle {
		t.Errorf("title\n got %s\nwant %s", c.Title, firstTitle)
	}
	since := c.First.Local().Format("15:04")
	wants := []string{firstTitle + ".", "Since " + since, "14 tries", "3 addresses", "What changed: the client was edited at " + clock(c.Changed) + " by admin"}
	for _, want := range wants {
		if !strings.Contains(c.Summary, want) {
			t.Errorf("the summary lacks %q:\n%s", want, c.Summary)
		}
	}
	if c.State != usher.CaseOpen || c.Finding.Cause != "redirect-uri-mismatch" || c.Addresses != 3 || c.Kind != usher.CaseFailure {
		t.Errorf("the case:\n%s", story(c))
	}
	if len(c.Fixes) == 0 || c.Fixes[0].Action == nil {
		t.Fatalf("nothing that usher could do comes first:\n%s", story(c))
	}

	// Asked and not answered, it changes nothing.
	cmd := s.command("cases", "fix", "1")
	cmd.Stdin = strings.NewReader("")
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("a fix that nobody agreed to ends well:\n%s", out)
	}
	if diff := changed(before, s.registration()); len(diff) > 0 {
		t.Errorf("without a yes the registration changes: %v", diff)
	}

	// Agreed to, it makes the exact difference and waits.
	fixing := s.command("cases", "fix", "1", "--yes", "--timeout", "30s")
	var said bytes.Buffer
	fixing.Stdout, fixing.Stderr = &said, &said
	if err := fixing.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- fixing.Wait() }()
	s.becomes(usher.CaseVerifying)
	if diff, want := changed(before, s.registration()), redirects(noSlash, withSlash); !slices.Equal(diff, want) {
		t.Errorf("the fix makes the difference\n%s\nwant\n%s", strings.Join(diff, "\n"), strings.Join(want, "\n"))
	}
	select {
	case err := <-ended:
		t.Fatalf("usher cases fix does not wait for the proof: %v\n%s", err, said.String())
	case <-time.After(300 * time.Millisecond):
	}

	// Another sign-in proves nothing of this redirect URI.
	s.succeeds(func(a *attempt) { a.Redirect = withSlash })
	c = s.becomes(usher.CaseFixed)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("usher cases fix: %v\n%s", err, said.String())
		}
	case <-time.After(patience):
		t.Errorf("usher cases fix does not end when the case is fixed")
		_ = fixing.Process.Kill()
		<-ended
	}
	proven(t, c, map[string]string{"oauth.redirect_uri": withSlash})
	t.Logf("usher cases fix 1 --yes:\n%s", said.String())
	t.Logf("the case:\n%s", story(c))

	// One case it was, to the end, and what people read holds no secret.
	if all := s.cases(); len(all) != 1 {
		t.Errorf("there are more cases:\n%s", titles(all))
	}
	s.keepsSecrets()
}

// redirects is the difference of a registration whose redirect URIs became these,
// sorted.
func redirects(uris ...string) []string {
	text, _ := json.Marshal(uris)
	return []string{fmt.Sprintf(`redirectUris: ["%s"] -> %s`, noSlash, text)}
}

// clock is the time of the latest change as a summary tells it.
func clock(changes []usher.Event) string {
	if len(changes) == 0 {
		return "(nothing is known to have changed)"
	}
	return changes[0].Time.Local().Format("15:04")
}

// proven holds that a case is fixed with a proof whose comparisons hold, these
// among them.
func proven(t *testing.T, c usher.Case, equal map[string]string) {
	t.Helper()
	if c.Proven == nil {
		t.Fatalf("a case is fixed without a proof:\n%s", story(c))
	}
	if c.Proven.Event.Status != usher.StatusSuccess || c.Proven.Comment == "" {
		t.Errorf("the proof: %+v", c.Proven)
	}
	seen := map[string]string{}
	for _, f := range c.Proven.Fields {
		if !f.Holds {
			t.Errorf("the proof holds %+v against itself", f)
		}
		if f.Must == "equal" {
			seen[f.Field] = f.Success
		}
	}
	for field, want := range equal {
		if seen[field] != want {
			t.Errorf("the proof compares %s with %q, want %q: %+v", field, seen[field], want, c.Proven.Fields)
		}
	}
	if seen["client"]+seen["client.uid"] == "" {
		t.Errorf("the proof does not compare the client: %+v", c.Proven.Fields)
	}
}

// keepsSecrets holds that nothing that usher shows or keeps has a secret of
// the story in it.
func (s *shop) keepsSecrets() {
	s.t.Helper()
	shown := s.said.String() + s.do("cases", "show", "1") + s.do("cases", "show", "1", "--format", "json") + s.do("cases", "list", "--all")
	files, err := filepath.Glob(filepath.Join(s.dir, "usher-data", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range files {
		if text, err := os.ReadFile(name); err == nil {
			shown += string(text)
		}
	}
	for _, secret := range []string{"the-secret-of-shop", "the-secret-of-usher", "ann's password"} {
		if strings.Contains(shown, secret) {
			s.t.Errorf("usher shows or keeps the secret %q", secret)
		}
	}
}

// quiet: nobody fixes it and the tries stop. That is no proof.
func quiet(s *shop) {
	s.breakIt()
	s.fails(3, refused, nil)
	s.becomes(usher.CaseOpen)
	s.within(2*patience, "the case is quiet", func() error {
		if c := s.theCase(); c.State != usher.CaseQuiet {
			return fmt.Errorf("it is %s", c.State)
		}
		return nil
	})
	// Somebody else's sign-in says nothing about this redirect URI.
	s.succeeds(func(a *attempt) { a.Redirect = noSlash })
	c := s.stays(usher.CaseQuiet)
	if c.Proven != nil {
		s.t.Errorf("a quiet case has a proof: %+v", c.Proven)
	}
	// And when it comes back it is the same case.
	s.fails(1, refused, nil)
	s.becomes(usher.CaseOpen)
}

// fixedByHand: an administrator adds the slash in Keycloak; usher had no part in
// it, and the next sign-in proves it all the same.
func fixedByHand(s *shop) {
	s.breakIt()
	s.fails(3, refused, nil)
	s.becomes(usher.CaseOpen)
	s.register(noSlash, withSlash)
	s.stays(usher.CaseOpen) // a change is no proof
	s.succeeds(nil)
	c := s.becomes(usher.CaseFixed)
	proven(s.t, c, map[string]string{"oauth.redirect_uri": withSlash})
	if len(c.Runs) > 0 {
		s.t.Errorf("usher claims to have done something: %+v", c.Runs)
	}
	// Taken away again, it is the same case, back.
	s.register(noSlash)
	s.fails(1, refused, nil)
	s.becomes(usher.CaseRegressed)
}

// spray: somebody tries one password on many users of the client whose sign-ins
// are refused, too, and gets in once. Nothing of that closes anything.
func spray(s *shop) {
	t := s.t
	s.breakIt()
	s.fails(3, refused, nil)
	s.becomes(usher.CaseOpen)

	spraying := func(a *attempt) { a.Redirect, a.From, a.Password = noSlash, "192.0.2.66", "Summer2026!" }
	for i := range 30 {
		if got := s.signIn(func(a *attempt) { spraying(a); a.User = fmt.Sprintf("user%02d", i) }); got.Step != "login" {
			t.Fatalf("the spray is not refused at the login: %+v", got)
		}
	}
	var attack usher.Case
	find := func() error {
		for _, c := range s.cases() {
			if c.Kind == usher.CaseAttack {
				attack = c
				return nil
			}
		}
		return fmt.Errorf("no case is an attack:\n%s", titles(s.cases()))
	}
	s.within(patience, "the spray is an attack", find)
	if !attack.Escalated.IsZero() || !attack.State.Active() {
		t.Errorf("before anybody got in the attack is\n%s", story(attack))
	}

	s.succeeds(func(a *attempt) { spraying(a); a.Password = "ann's password" })
	s.within(patience, "the success escalates the attack", func() error {
		if err := find(); err != nil {
			return err
		}
		if attack.Escalated.IsZero() {
			return fmt.Errorf("it does not:\n%s", story(attack))
		}
		return nil
	})
	s.settle()
	for _, c := range s.cases() {
		if c.State == usher.CaseFixed {
			t.Errorf("a success of the attacker closes a case:\n%s", story(c))
		}
	}
	t.Logf("the attack:\n%s", story(attack))
	// The refusals of the spray stand behind the attack.
	shown := slices.DeleteFunc(s.cases(), func(c usher.Case) bool { return c.Behind != 0 })
	if len(shown) != 2 {
		t.Errorf("%d cases are shown, want the slash and the attack:\n%s", len(shown), titles(shown))
	}
}

// forged: whatever is typed into the login form is a name, not a line of the log.
func forged(s *shop) {
	t := s.t
	s.breakIt()
	s.fails(3, refused, nil)
	first := s.counts(3)

	fake := `type="LOGIN", realmName="` + s.realm + `", clientId="shop", userId="evil", ipAddress="203.0.113.7", redirect_uri="` + withSlash + `"`
	names := []string{
		`x", ` + fake + `, y="`,
		"x\r\n2026-11-25 10:00:00,000 INFO  [org.keycloak.events] (executor-thread-1) " + fake,
		`x\", ` + fake,
		`x\\", ` + fake + `, z="\`,
		"x\u2028" + fake + "\u0085\u202e\x1b[2K",
		`{"message":"type=LOGIN"}`,
	}
	for _, name := range names {
		got := s.signIn(func(a *attempt) { a.Redirect, a.User, a.From = noSlash, name, "192.0.2.99" })
		if got.OK || got.Step != "login" {
			t.Fatalf("signing in as %q: %+v", name, got)
		}
		// The same as a client and as a redirect URI.
		for _, forge := range []func(*attempt){
			func(a *attempt) { a.Client = name },
			func(a *attempt) { a.Redirect = withSlash + name },
		} {
			if got := s.signIn(func(a *attempt) { a.From = "192.0.2.99"; forge(a) }); got.OK {
				t.Fatalf("with %q: %+v", name, got)
			}
		}
	}
	s.settle()
	for _, c := range s.cases() {
		if c.State != usher.CaseOpen {
			t.Errorf("a forged name makes a case %s:\n%s", c.State, story(c))
		}
		if c.ID == first.ID && (c.Count != first.Count || c.Title != first.Title) {
			t.Errorf("a forged name changes the case:\n%s", story(c))
		}
		if c.Refusal.Source.IP == "203.0.113.7" && c.ID != first.ID {
			t.Errorf("a forged address is believed:\n%s", story(c))
		}
		if regexp.MustCompile("[\x00-\x1f\x7f\u0085\u2028\u202e]").MatchString(c.Title + c.Summary) {
			t.Errorf("control characters come through: %q", c.Title)
		}
	}
	list := s.do("cases", "list", "--all")
	if strings.ContainsAny(list, "\x1b\u202e\u2028") {
		t.Errorf("control characters reach the terminal: %q", list)
	}
}

// wrongSecret: the administrator made a new secret and nobody told the app.
// usher replaces it, shows it once, and the app signs in with it.
func wrongSecret(s *shop) {
	t := s.t
	s.succeeds(nil)
	s.edit(map[string]any{"secret": "another-secret-of-shop"})
	s.fails(3, "token", nil)
	c := s.becomes(usher.CaseOpen)
	if c.Finding.Cause != "client-secret-invalid" {
		t.Fatalf("the cause:\n%s", story(c))
	}
	fix := s.action(c, usher.ActionReplaceSecret)
	out := s.do("cases", "fix", "1", "--fix", fix.ID, "--yes", "--no-wait")
	s.becomes(usher.CaseVerifying)
	secret, _ := s.registration()["secret"].(string)
	if secret == "another-secret-of-shop" || len(secret) < 16 {
		t.Fatalf("the secret was not replaced")
	}
	if strings.Count(out, secret) != 1 {
		t.Fatalf("the new secret is shown %d times, want once:\n%s", strings.Count(out, secret), strings.ReplaceAll(out, secret, "(the secret)"))
	}

	// The old secret keeps failing, and the person's part of the sign-in, which
	// works, proves nothing of the app's.
	s.fails(1, "token", nil)
	s.stays(usher.CaseVerifying)
	s.secret = secret
	s.succeeds(nil)
	c = s.becomes(usher.CaseFixed)
	proven(t, c, nil)
	if c.Proven.Event.OAuth.Endpoint == "authorize" {
		t.Errorf("the proof is the person's sign-in, not the app's: %+v", c.Proven.Event)
	}
	for _, text := range []string{s.do("cases", "show", "1"), s.do("cases", "show", "1", "--format", "json"), s.said.String()} {
		if strings.Contains(text, secret) {
			t.Errorf("the new secret is shown again")
		}
	}
	s.keepsSecrets()
}

// action gives the fix of a case with such an action.
func (s *shop) action(c usher.Case, kind usher.ActionKind) usher.Fix {
	s.t.Helper()
	for _, f := range c.Fixes {
		if f.Action != nil && f.Action.Kind == kind {
			return f
		}
	}
	s.t.Fatalf("no fix of the case is %s:\n%s", kind, story(c))
	return usher.Fix{}
}

// disabledClient: somebody switched the client off.
func disabledClient(s *shop) {
	t := s.t
	s.succeeds(nil)
	s.edit(map[string]any{"enabled": false})
	before := s.registration()
	s.fails(3, "authorize", nil)
	c := s.becomes(usher.CaseOpen)
	fix := s.action(c, usher.ActionEnableClient)
	// To let in again what somebody shut out is for a person to say twice.
	if _, _, status := s.usher("cases", "fix", "1", "--fix", fix.ID, "--yes", "--no-wait"); fix.Risk == usher.RiskWeakening && status == 0 {
		t.Errorf("a weakening fix is carried out without --weaken")
	}
	args := []string{"cases", "fix", "1", "--fix", fix.ID, "--yes", "--weaken", "--no-wait"}
	s.do(args...)
	if diff := changed(before, s.registration()); !slices.Equal(diff, []string{"enabled: false -> true"}) {
		t.Errorf("the difference is %v", diff)
	}
	s.do(args...) // it is so already
	if diff := changed(before, s.registration()); !slices.Equal(diff, []string{"enabled: false -> true"}) {
		t.Errorf("the second time makes the difference %v", diff)
	}
	s.becomes(usher.CaseVerifying)
	s.succeeds(nil)
	proven(t, s.becomes(usher.CaseFixed), nil)
}

// scopeNotAllowed: the app asks for a scope that exists and that it may not have.
func scopeNotAllowed(s *shop) {
	t := s.t
	if err := s.kc.Admin(t.Context(), http.MethodPost, s.realm+"/client-scopes", map[string]any{
		"name": "orders", "protocol": "openid-connect", "attributes": map[string]string{"include.in.token.scope": "true"},
	}, nil); err != nil {
		t.Fatal(err)
	}
	orders := func(a *attempt) { a.Scope = "openid orders" }
	s.succeeds(nil)
	before := s.registration()
	s.fails(3, "authorize", orders)
	c := s.becomes(usher.CaseOpen)
	if c.Finding.Cause != "scope-invalid" {
		t.Fatalf("the cause:\n%s", story(c))
	}
	fix := s.action(c, usher.ActionAllowScope)
	args := []string{"cases", "fix", "1", "--fix", fix.ID, "--yes", "--weaken", "--no-wait"}
	s.do(args...)
	want := func() {
		t.Helper()
		diff := changed(before, s.registration())
		if len(diff) != 1 || !strings.HasPrefix(diff[0], "optionalClientScopes: ") || !strings.Contains(diff[0], `"orders"`) {
			t.Errorf("the difference is %v", diff)
		}
	}
	want()
	s.do(args...)
	want()
	s.becomes(usher.CaseVerifying)
	s.succeeds(nil) // without the scope: proves nothing
	s.stays(usher.CaseVerifying)
	s.succeeds(orders)
	proven(t, s.becomes(usher.CaseFixed), nil)
}

// undo: what was carried out can be taken back, and only that.
func undo(s *shop) {
	t := s.t
	s.breakIt()
	s.fails(2, refused, nil)
	s.becomes(usher.CaseOpen)
	before := s.registration()
	args := []string{"cases", "fix", "1", "--yes", "--no-wait"}
	s.do(args...)
	s.becomes(usher.CaseVerifying)
	s.do(args...) // twice is once
	after := s.registration()
	if diff, want := changed(before, after), redirects(noSlash, withSlash); !slices.Equal(diff, want) {
		t.Errorf("the difference is %v, want %v", diff, want)
	}
	s.do("cases", "undo", "1", "--yes")
	if diff := changed(before, s.registration()); len(diff) > 0 {
		t.Errorf("taken back, it leaves the difference %v", diff)
	}
	s.becomes(usher.CaseOpen)
	s.fails(1, refused, nil)
	s.stays(usher.CaseOpen)
}

// oldPlan: between the look and the yes somebody else edits the client. usher
// writes nothing over it.
func oldPlan(s *shop) {
	t := s.t
	s.breakIt()
	s.fails(2, refused, nil)
	s.counts(2)
	s.within(patience, "usher knows the registration", func() error {
		if c := s.theCase(); len(c.Fixes) == 0 || c.Fixes[0].Action == nil {
			return fmt.Errorf("no fix is usher's:\n%s", story(c))
		}
		return nil
	})
	var plan usher.FixPlan
	if err := s.post("/api/v1/cases/1/plan", map[string]any{"fix": "1"}, &plan); err != nil {
		t.Fatal(err)
	}
	if len(plan.Diff) == 0 || plan.Right == "" || !strings.Contains(plan.Object, "'shop'") {
		t.Errorf("the plan: %+v", plan)
	}
	s.register("https://new.shop.test/cb")
	before := s.registration()
	err := s.post("/api/v1/cases/1/apply", map[string]any{"plan": plan.ID, "fix": "1"}, nil)
	if err == nil {
		t.Error("an old plan is carried out")
	}
	if diff := changed(before, s.registration()); len(diff) > 0 {
		t.Errorf("an old plan makes the difference %v", diff)
	}
}

// post sends to usher's API.
func (s *shop) post(path string, in, into any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	res, err := s.api.Post("http://usher"+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(res.Body); err != nil {
		return err
	}
	if res.StatusCode > 299 {
		return fmt.Errorf("%s: %s: %s", path, res.Status, text.String())
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text.Bytes(), into)
}

// killed: usher is killed at every turn of the story, and it ends as it would
// have.
func killed(s *shop) {
	t := s.t
	again := func() {
		s.kill()
		s.start()
	}
	s.succeeds(nil)
	again()
	s.register(noSlash)
	s.kill() // what is written while usher is away is read when it is back
	s.fails(4, refused, nil)
	s.start()
	s.becomes(usher.CaseOpen)
	again()
	s.fails(3, refused, nil)
	again()
	s.counts(7)
	s.do("cases", "fix", "1", "--yes", "--no-wait")
	again()
	s.becomes(usher.CaseVerifying)
	s.kill()
	s.succeeds(nil)
	s.start()
	s.becomes(usher.CaseFixed)
	again()
	c := s.becomes(usher.CaseFixed)
	proven(t, c, map[string]string{"oauth.redirect_uri": withSlash})
	if strings.TrimSuffix(c.Title, ".") != firstTitle || c.Count != 7 {
		t.Errorf("the case after all:\n%s", story(c))
	}
}

// TestFirstCaseExample runs the script of examples/first-case, which brings up
// everything by itself.
func TestFirstCaseExample(t *testing.T) {
	keycloak.Wanted(t)
	if _, err := keycloak.Install(t.Context()); err != nil {
		missing(t, err)
	}
	if err := packages(); err != nil {
		missing(t, err)
	}
	if taken, err := net.Listen("tcp", "127.0.0.1:5303"); err == nil { // as where somebody runs usher already
		defer taken.Close()
	}
	cmd := exec.Command("bash", "../../examples/first-case/run.sh")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("examples/first-case/run.sh: %v\n%s", err, out)
	}
	said := strings.Join(strings.Fields(string(out)), " ") // lines are wrapped
	for _, want := range []string{firstTitle, "It is proven fixed."} {
		if !strings.Contains(said, want) {
			t.Errorf("run.sh does not say %q:\n%s", want, out)
		}
	}
}
