package casebook_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/casebook"
	"usher/catalog"
)

// coded is a refusal of which nothing but the code is known.
func coded(clock, code string) usher.Event {
	ev := signIn(clock, "alice", "10.0.0.1")
	ev.Code, ev.StatusCode = "LOGIN_ERROR", code
	return ev
}

func TestUnknownCauses(t *testing.T) {
	unknown, unsure := usher.Finding{}, finding("mfa-required", 0.4)
	told, sure := finding("mfa-required", 0.6), finding("mfa-required", 0.9)
	other, otherSure := finding("session-missing", 0.6), finding("session-missing", 0.9)
	compared := finding("session-missing", 0.9)
	compared.Proof = []usher.Proof{{Expected: "a session", Got: "none"}}
	tests := []struct {
		name  string
		order []usher.Finding
		cases int
		cause string // of the first case, empty: not known
	}{
		{"nothing is known", []usher.Finding{unknown, unknown}, 1, ""},
		{"too little is known", []usher.Finding{unknown, unsure}, 1, ""},
		{"the cause is told later", []usher.Finding{unknown, told, unknown}, 1, "mfa-required"},
		{"the cause is told before", []usher.Finding{sure, unknown}, 1, "mfa-required"},
		{"surer and surer", []usher.Finding{unknown, told, sure}, 1, "mfa-required"},
		{"another cause, surely", []usher.Finding{told, otherSure, told}, 1, "session-missing"},
		{"another cause, compared", []usher.Finding{sure, compared, sure}, 1, "session-missing"},
		{"two causes alike", []usher.Finding{told, other}, 2, "mfa-required"},
		{"two sure causes", []usher.Finding{sure, otherSure}, 2, "mfa-required"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			for i, f := range test.order {
				w.refuse(coded(fmt.Sprintf("10:%02d", i), "oops"), f)
			}
			c := w.get(1)
			if int(w.tx.last) != test.cases || test.cause != "" && c.Finding.Cause != test.cause {
				t.Fatalf("%d cases, the first is %q: %s", w.tx.last, c.Finding.Cause, titles(w.tx.all()))
			}
			if test.cases == 1 && c.Count != len(test.order) {
				t.Errorf("%d tries", c.Count)
			}
			if notKnown := strings.Contains(c.Title, "the cause is not known yet (the error is oops)"); notKnown != (test.cause == "") {
				t.Errorf("the title is %q", c.Title)
			}
			if first := test.order[0]; has(c, usher.EntryDiagnosis) != (test.cases == 1 && test.cause != "" && first.Confidence != c.Finding.Confidence || c.Finding.Cause != first.Cause && test.cause != "") {
				t.Errorf("the timeline: %s", story(c))
			}
		})
	}
}

// TestCodesApart: of what nothing is known, another code, client or tenant is
// another case.
func TestCodesApart(t *testing.T) {
	w := newWorld(t)
	w.refuse(coded("10:00", "a"), usher.Finding{})
	w.refuse(coded("10:01", "b"), usher.Finding{})
	ev := coded("10:02", "a")
	ev.Client.UID = "mail"
	w.refuse(ev, usher.Finding{})
	ev = coded("10:03", "a")
	ev.Tenant = "other"
	w.refuse(ev, usher.Finding{})
	if w.tx.last != 4 {
		t.Errorf("there are %d cases: %s", w.tx.last, titles(w.tx.all()))
	}
}

// TestToldAgain: the same refusal, explained better once the registration is
// known, makes its case better and counts nothing.
func TestToldAgain(t *testing.T) {
	w := newWorld(t)
	ev, f := redirect("10:00", "https://shop.test/cb/", "10.0.0.1")
	poor := f
	poor.Proof = nil
	ev.UID = "e1"
	w.refuse(ev, poor)
	if !strings.Contains(w.only().Title, "which is not registered") {
		t.Errorf("the title is %q", w.only().Title)
	}
	w.refuse(ev, f)
	c := w.only()
	if c.Count != 1 || !strings.Contains(c.Title, "registered is `https://shop.test/cb` (1 character)") {
		t.Errorf("%d tries, %q", c.Count, c.Title)
	}
	proxy := finding("redirect-scheme-proxy", 0.95)
	proxy.Proof = []usher.Proof{{Expected: "https://shop.test/cb", Got: "http://shop.test/cb"}}
	w = newWorld(t)
	for i := range 3 { // three tries wait for the registration
		ev, _ = redirect("10:00", "http://shop.test/cb", "10.0.0.1")
		ev.UID, ev.Time = fmt.Sprint(i), ev.Time.Add(time.Duration(i)*time.Second)
		w.refuse(ev, poor)
	}
	for i := range 3 {
		stored, _ := w.tx.Event(fmt.Sprint(i))
		w.refuse(*stored, proxy)
	}
	if c = w.only(); c.Count != 3 || c.Finding.Cause != "redirect-scheme-proxy" {
		t.Errorf("%d tries of %s: %s", c.Count, c.Finding.Cause, titles(w.tx.all()))
	}
}

// TestScope: what makes a refusal another case, and what does not.
func TestScope(t *testing.T) {
	tests := []struct {
		cause  string
		change func(*usher.Event)
		what   string
		apart  bool
	}{
		{"redirect-uri-mismatch", func(ev *usher.Event) { ev.OAuth.RedirectURI = "b" }, "redirect URI", true},
		{"redirect-uri-mismatch", func(ev *usher.Event) { ev.User.UID, ev.Source.IP = "b", "10.0.0.9" }, "user", false},
		{"password-wrong", func(ev *usher.Event) { ev.User.UID = "b" }, "user", true},
		{"password-wrong", func(ev *usher.Event) { ev.Client.UID = "b" }, "client", false},
		{"client-secret-expired", func(ev *usher.Event) { ev.OAuth.Credential = "b" }, "credential", true},
		{"client-secret-expired", func(ev *usher.Event) { ev.User.UID = "b" }, "user", false},
		{"scope-invalid", func(ev *usher.Event) { ev.OAuth.Requested = []string{"b"} }, "scopes", true},
		{"token-wrong-audience", func(ev *usher.Event) { ev.Resource.UID = "b" }, "API", true},
		{"token-wrong-audience", func(ev *usher.Event) { ev.OAuth.TokenUID = "b" }, "token", false},
		{"policy-location", func(ev *usher.Event) { ev.Policies[0].Policy.UID = "b" }, "policy", true},
		{"policy-location", func(ev *usher.Event) { ev.User.UID = "b" }, "user", false},
		{"policy-device", func(ev *usher.Event) { ev.User.UID = "b" }, "user", true},
		{"policy-device", func(ev *usher.Event) { ev.Policies[0].ReportOnly, ev.Policies[0].Policy.UID = true, "b" }, "policy that only reports", true},
		{"refresh-token-expired", func(ev *usher.Event) { ev.User.UID = "b" }, "user", true},
		{"refresh-token-reused", func(ev *usher.Event) { ev.User.UID = "b" }, "user", false},
		{"federation-failed", func(ev *usher.Event) { ev.Client.UID, ev.User.UID = "b", "b" }, "client and user", false},
		{"throttled", func(ev *usher.Event) { ev.User.UID = "b" }, "user", false},
		{"throttled", func(ev *usher.Event) { ev.Client.UID = "b" }, "client", true},
		{"throttled", func(ev *usher.Event) { ev.Tenant = "b" }, "tenant", true},
	}
	for _, test := range tests {
		t.Run(test.cause+" "+test.what, func(t *testing.T) {
			w := newWorld(t)
			refuse := func(change func(*usher.Event)) {
				ev := fullEvent("10:00", "a")
				ev.Policies = []usher.Decision{{Policy: usher.Party{UID: "a"}, Result: "failure"}}
				change(&ev)
				w.refuse(ev, finding(test.cause, 0.9))
			}
			refuse(func(*usher.Event) {})
			refuse(test.change)
			if (w.tx.last == 2) != test.apart {
				t.Errorf("%d cases: %s", w.tx.last, titles(w.tx.all()))
			}
		})
	}
}

// TestCrowd: who can make up users, clients, redirect URIs or errors cannot
// make up cases without end, and of the crowd no success proves all.
func TestCrowd(t *testing.T) {
	for name, make := range map[string]func(int) (usher.Event, usher.Finding){
		"redirect URIs": func(i int) (usher.Event, usher.Finding) {
			return redirect("10:00", fmt.Sprintf("https://shop.test/%d", i), "10.0.0.1")
		},
		"users": func(i int) (usher.Event, usher.Finding) {
			return wrongPassword("10:00", fmt.Sprintf("user%d", i), fmt.Sprintf("10.0.%d.1", i))
		},
		"clients": func(i int) (usher.Event, usher.Finding) {
			ev := coded("10:00", "client_not_found")
			ev.Client.UID = fmt.Sprintf("client%d", i)
			return ev, finding("client-unknown", 0.9)
		},
		"errors": func(i int) (usher.Event, usher.Finding) {
			ev := coded("10:00", fmt.Sprintf("code%d", i))
			return ev, usher.Finding{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for i := range 200 {
				ev, f := make(i)
				ev.Time = ev.Time.Add(time.Duration(i) * time.Second)
				w.refuse(ev, f)
			}
			if w.tx.last > 25 {
				t.Fatalf("%d cases", w.tx.last)
			}
			crowd := w.get(w.tx.last)
			if crowd.Count != 200-int(w.tx.last)+1 || !strings.Contains(crowd.Title, "many different") {
				t.Errorf("the crowd has %d tries and the title %q", crowd.Count, crowd.Title)
			}
			ev, _ := make(199)
			ev.Time = at("11:00")
			w.succeed(ev)
			if c := w.get(crowd.ID); c.State == usher.CaseFixed {
				t.Errorf("one success proves a crowd: %s", story(c))
			}
			ev, _ = make(3)
			ev.Time = at("11:00")
			w.succeed(ev)
			if c := w.get(4); name == "redirect URIs" && c.State != usher.CaseFixed {
				t.Errorf("one of the first cases is %s", c.State)
			}
		})
	}
}

// TestUserByIDAndName: a user whom one try tells by id and another by name is
// one user, as soon as a try tells both, whichever comes first.
func TestUserByIDAndName(t *testing.T) {
	byID, byName, both := usher.Party{UID: "u1"}, usher.Party{Name: "ann"}, usher.Party{UID: "u1", Name: "ann"}
	other := usher.Party{UID: "u2", Name: "ben"}
	for _, order := range [][]usher.Party{
		{byID, byName, both, other},
		{byName, byID, both, other},
		{both, byName, byID, other},
		{byName, both, other, byID},
		{other, byID, both, byName},
		{byID, both, other, byName, byName},
	} {
		w := newWorld(t)
		for i, user := range order {
			ev, f := redirect("10:00", "https://shop.test/cb/", "10.0.0.1")
			ev.User, ev.Time = user, ev.Time.Add(time.Duration(i)*time.Second)
			w.refuse(ev, f)
		}
		c := w.only()
		if c.Users != 2 || !slices.Equal(c.Affected, []usher.Party{both, other}) {
			t.Errorf("%v: %d users, %v", order, c.Users, c.Affected)
		}
	}
	w := newWorld(t)
	for i, user := range []usher.Party{{UID: "u1", Name: "ann"}, {UID: "u9", Name: "ann"}} {
		ev, f := redirect(fmt.Sprintf("10:0%d", i), "https://shop.test/cb/", "10.0.0.1")
		ev.User = user
		w.refuse(ev, f)
	}
	if c := w.only(); c.Users != 2 || len(c.Affected) != 2 {
		t.Errorf("two users of one name are %d: %v", c.Users, c.Affected)
	}
}

// TestClock: an event from the future counts as of now, so it can neither keep
// a case from falling quiet nor hide later successes behind itself.
func TestClock(t *testing.T) {
	w := newWorld(t, func(o *casebook.Options) { o.Fixes = redirectFixes })
	ev, f := redirect("12:00", "https://shop.test/cb/", "10.0.0.1")
	ev.Time = ev.Time.AddDate(10, 0, 0)
	w.refuse(ev, f)
	if c := w.only(); !c.Last.Equal(noon) {
		t.Fatalf("the last try is of %s", c.Last)
	}
	good, _ := redirect("12:01", "https://shop.test/cb/", "10.0.0.1")
	w.now = at("12:02")
	w.succeed(good)
	w.state(1, usher.CaseFixed)
}

func TestNoRefusal(t *testing.T) {
	w := newWorld(t)
	for name, ev := range map[string]usher.Event{
		"a success": signIn("10:00", "alice", "10.0.0.1"),
		"a step":    {Kind: usher.EventSignIn, Status: usher.StatusFailure, Interrupted: true, Time: noon, UID: "step"},
		"a change":  {Kind: usher.EventAdmin, Status: usher.StatusFailure, Time: noon, UID: "change"},
	} {
		if cases := w.must(w.book.Refusal(w.tx, w.store(&ev), finding("mfa-required", 0.9))); len(cases) != 0 {
			t.Errorf("%s makes a case", name)
		}
	}
}

// TestTimeline holds its bound over a long life, and that no try is lost.
func TestTimeline(t *testing.T) {
	w := newWorld(t, func(o *casebook.Options) { o.Fixes = redirectFixes })
	w.now = at("00:01")
	for i := range 400 {
		w.now = w.now.Add(time.Minute)
		ev, f := redirect("10:00", "https://shop.test/cb/", fmt.Sprintf("10.0.%d.%d", i%7, i%250))
		ev.Time = w.now
		w.refuse(ev, f)
		w.now = w.now.Add(time.Minute)
		if i%2 == 0 {
			ev.UID, ev.Time = "", w.now
			w.succeed(ev)
		} else {
			_, _ = w.book.Planned(w.tx, 1, usher.FixPlan{Case: 1, Fix: w.get(1).Fixes[0]}, "ana")
		}
		invariants(t, w.get(1))
	}
	c := w.only()
	if len(c.Timeline) != 200 || c.Timeline[0].Kind != usher.EntryFirst || c.Count != 400 {
		t.Errorf("%d entries, %d tries", len(c.Timeline), c.Count)
	}
}

// TestHostileNames: what strangers write stays on its line and in its bounds.
func TestHostileNames(t *testing.T) {
	w := newWorld(t)
	name := "x\r\n2026 proven\x1b[31m\u202eevil" + strings.Repeat("y", 5000)
	ev, f := wrongPassword("10:00", name, name)
	ev.Client.Name, ev.Tenant, ev.StatusCode, ev.OAuth.RedirectURI = name, name, name, name
	w.refuse(ev, f)
	w.refuse(ev, usher.Finding{})
	_, rf := redirect("10:00", name, name)
	ev.UID = ""
	w.refuse(ev, rf)
	for _, c := range w.tx.all() {
		invariants(t, c)
		texts := []string{c.Title, c.Summary}
		for _, e := range c.Timeline {
			texts = append(texts, e.Text)
		}
		for _, text := range texts {
			if len(text) > 2000 || strings.ContainsAny(text, "\r\n\x1b\u202e") {
				t.Errorf("%d bytes: %q", len(text), text[:min(len(text), 200)])
			}
		}
		if len(c.Fingerprint) > 64 {
			t.Error("a fingerprint without a bound")
		}
	}
	for _, keys := range w.tx.keys {
		for _, key := range keys {
			if len(key) > 80 || strings.Contains(key, "yyy") {
				t.Errorf("the key %q", key)
			}
		}
	}
}

func TestConsequences(t *testing.T) {
	secret := func(clock string) (usher.Event, usher.Finding) {
		ev := coded(clock, "invalid_client")
		ev.Kind = usher.EventToken
		return ev, finding("client-secret-expired", 0.9)
	}
	token := func(clock string) (usher.Event, usher.Finding) {
		ev := coded(clock, "invalid_token")
		ev.Kind, ev.Resource = usher.EventAPI, usher.Party{UID: "orders"}
		return ev, finding("token-expired", 0.9)
	}
	take := func(w *world, d func(string) (usher.Event, usher.Finding), clock string) {
		t.Helper()
		ev, f := d(clock)
		w.refuse(ev, f)
	}
	cause := oneFix(usher.Fix{Proof: usher.ProofCondition{Equal: []string{"client", "kind"}}})

	for _, first := range []string{"cause", "consequence"} {
		t.Run(first+" first", func(t *testing.T) {
			w := newWorld(t, cause)
			root, hidden := int64(1), int64(2)
			if first == "cause" {
				take(w, secret, "10:00")
				take(w, token, "10:01")
			} else {
				root, hidden = 2, 1
				take(w, token, "10:00")
				take(w, secret, "10:01")
			}
			if c, k := w.get(root), w.get(hidden); k.Behind != root || !contains(c.Consequences, hidden) || c.Behind != 0 {
				t.Fatalf("%s", titles(w.tx.all()))
			}
			take(w, token, "10:02")
			if w.get(hidden).Behind != root {
				t.Error("another try brings it out while its cause is open")
			}

			// The cause is fixed: the consequence waits for its own proof.
			ev, _ := secret("10:10")
			w.succeed(ev)
			w.state(root, usher.CaseFixed)
			k := w.state(hidden, usher.CaseVerifying)
			if k.Behind != root {
				t.Error("it comes out although nothing came any more")
			}
			take(w, token, "10:05") // late, from before
			w.state(hidden, usher.CaseVerifying)
			take(w, token, "10:11")
			if k = w.state(hidden, usher.CaseOpen); k.Behind != 0 || contains(w.get(root).Consequences, hidden) {
				t.Errorf("it goes on and stays hidden: %s", story(k))
			}
		})
	}
	t.Run("goes quiet behind its cause", func(t *testing.T) {
		w := newWorld(t, cause)
		take(w, secret, "10:00")
		take(w, token, "10:01")
		ev, _ := secret("10:10")
		w.succeed(ev)
		w.tick(at("18:00"))
		if k := w.state(2, usher.CaseQuiet); k.Behind != 1 {
			t.Error("it comes out to fall quiet")
		}
	})
	t.Run("told when its cause is fixed", func(t *testing.T) {
		w := newWorld(t, cause)
		take(w, secret, "10:00")
		ev, _ := secret("10:10")
		w.succeed(ev)
		take(w, token, "10:05") // from before the proof
		if k := w.state(2, usher.CaseVerifying); k.Behind != 1 || !contains(w.get(1).Consequences, 2) {
			t.Fatalf("it stands alone: %s", titles(w.tx.all()))
		}
		take(w, token, "10:08")
		w.state(2, usher.CaseVerifying)
		take(w, token, "10:11")
		if k := w.state(2, usher.CaseOpen); k.Behind != 0 {
			t.Errorf("it goes on and stays hidden: %s", story(k))
		}
	})
	t.Run("begins after its cause is fixed", func(t *testing.T) {
		w := newWorld(t, cause)
		take(w, secret, "10:00")
		ev, _ := secret("10:10")
		w.succeed(ev)
		take(w, token, "10:11")
		if k := w.state(2, usher.CaseOpen); k.Behind != 0 {
			t.Errorf("it is hidden: %s", story(k))
		}
		take(w, token, "10:05")
		if k := w.state(2, usher.CaseOpen); k.Behind != 0 {
			t.Errorf("a late try hides it: %s", story(k))
		}
	})
	t.Run("its cause is known when the other is fixed", func(t *testing.T) {
		w := newWorld(t, cause)
		take(w, secret, "10:00")
		late, f := token("10:05")
		late.UID = "late"
		w.refuse(late, usher.Finding{})
		w.tick(at("13:30"))
		w.state(2, usher.CaseQuiet)
		ev, _ := secret("10:10")
		w.succeed(ev)
		w.refuse(late, f) // explained again
		w.state(2, usher.CaseQuiet)
	})
	t.Run("a quiet cause hides nothing", func(t *testing.T) {
		w := newWorld(t, cause)
		w.now = at("10:02")
		take(w, secret, "10:00")
		take(w, token, "10:01")
		w.now = at("10:50")
		take(w, token, "10:50")
		w.tick(at("11:10"))
		w.state(1, usher.CaseQuiet)
		w.now = at("11:20")
		take(w, token, "11:20")
		if k := w.state(2, usher.CaseOpen); k.Behind != 0 {
			t.Errorf("%s", titles(w.tx.all()))
		}
	})
	t.Run("apart", func(t *testing.T) {
		for what, change := range map[string]func(*usher.Event){
			"client": func(ev *usher.Event) { ev.Client.UID = "mail" },
			"tenant": func(ev *usher.Event) { ev.Tenant = "other" },
		} {
			w := newWorld(t, cause)
			take(w, secret, "10:00")
			ev, f := token("10:01")
			change(&ev)
			w.refuse(ev, f)
			if w.get(2).Behind != 0 {
				t.Errorf("another %s stands behind it", what)
			}
		}
		w := newWorld(t) // somebody else's account
		ev := signIn("10:00", "alice", "10.0.0.1")
		w.refuse(ev, finding("user-disabled", 0.9))
		ev = signIn("10:01", "bob", "10.0.0.1")
		w.refuse(ev, finding("refresh-token-revoked", 0.9))
		ev = signIn("10:01", "alice", "10.0.0.1")
		w.refuse(ev, finding("refresh-token-revoked", 0.9))
		if w.get(2).Behind != 0 || w.get(3).Behind != 1 {
			t.Errorf("%s", titles(w.tx.all()))
		}
	})
	t.Run("what was dealt with stays where it is", func(t *testing.T) {
		w := newWorld(t, cause)
		take(w, token, "10:00")
		declare("10:01")(w)
		w.now = at("10:02")
		take(w, secret, "10:02")
		if w.get(1).Behind != 0 {
			t.Error("a case with a fix is hidden")
		}
	})
	t.Run("consequences of consequences", func(t *testing.T) {
		w := newWorld(t, cause)
		take(w, token, "10:00") // behind the refresh token
		ev := coded("10:01", "invalid_grant")
		ev.Kind = usher.EventToken
		w.refuse(ev, finding("refresh-token-expired", 0.9)) // behind the secret
		take(w, secret, "10:02")
		if c := w.get(3); len(c.Consequences) != 2 || w.get(1).Behind != 3 || w.get(2).Behind != 3 || len(w.get(2).Consequences) != 0 {
			t.Errorf("%s", titles(w.tx.all()))
		}
	})
}

// TestNobodyIsItsOwnConsequence: no two causes follow from each other, or both
// cases would hide.
func TestNobodyIsItsOwnConsequence(t *testing.T) {
	w := newWorld(t)
	for _, a := range catalog.Causes() {
		for _, b := range catalog.Causes() {
			if a.Label < b.Label && w.book.FollowsFrom(a.Label, b.Label) && w.book.FollowsFrom(b.Label, a.Label) {
				t.Errorf("%s and %s follow from each other", a.Label, b.Label)
			}
		}
	}
}

func TestChanges(t *testing.T) {
	type change struct {
		name   string
		ev     usher.Event
		counts bool
	}
	policed := func(clock, target string) usher.Event {
		ev := edit(clock, "policy", target)
		ev.Tenant = "corp"
		return ev
	}
	withPath := func(path string) usher.Event {
		ev := edit("09:00", "client", "")
		ev.Change.Path = path
		return ev
	}
	failed := edit("09:00", "client", "shop")
	failed.Status = usher.StatusFailure
	tests := []change{
		{"the client", edit("09:00", "client", "shop"), true},
		{"the client by the provider's id", withPath("clients/uuid-of-shop"), true},
		{"something of the client", withPath("clients/uuid-of-shop/client-secret"), true},
		{"another client by its id", withPath("clients/uuid-of-mail"), false},
		{"another client", edit("09:00", "client", "mail"), false},
		{"the policy", policed("09:00", "p1"), true},
		{"another policy", policed("09:00", "p2"), false},
		{"the user", edit("09:00", "user", "alice"), true},
		{"another user", edit("09:00", "user", "bob"), false},
		{"the realm", edit("09:00", "realm", "corp"), true},
		{"another realm", edit("09:00", "realm", "other"), false},
		{"a change that failed", failed, false},
		{"four days ago", func() usher.Event {
			ev := edit("09:00", "client", "shop")
			ev.Time = ev.Time.AddDate(0, 0, -4)
			return ev
		}(), false},
		{"since", edit("10:01", "client", "shop"), false},
	}
	for _, late := range []bool{false, true} {
		for _, test := range tests {
			t.Run(fmt.Sprintf("%s, late %t", test.name, late), func(t *testing.T) {
				w := newWorld(t, func(o *casebook.Options) {
					o.ClientUID = func(tenant, client string) string { return "uuid-of-" + client }
				})
				ev, f := deviceCase()
				if late {
					w.refuse(ev, f)
					w.change(test.ev)
				} else {
					w.change(test.ev)
					w.refuse(ev, f)
				}
				c := w.only()
				if (len(c.Changed) == 1) != test.counts || has(c, usher.EntryChange) != test.counts || strings.Contains(c.Summary, "What changed: ") != test.counts {
					t.Errorf("changed %v: %s\n%s", c.Changed, c.Summary, story(c))
				}
			})
		}
	}

	w := newWorld(t)
	for i := range 30 {
		ev := edit("09:00", "client", "shop")
		ev.Time = ev.Time.Add(time.Duration(i) * time.Minute)
		w.change(ev)
	}
	ev, f := deviceCase()
	w.refuse(ev, f)
	c := w.only()
	if len(c.Changed) != 10 || !c.Changed[0].Time.Equal(at("09:29")) || !strings.Contains(c.Summary, "09:29 by admin; ") || !strings.Contains(c.Summary, "; 7 more changes.") {
		t.Errorf("%d changes: %s", len(c.Changed), c.Summary)
	}

	// A first try from before brings other changes with it.
	ev, f = deviceCase()
	ev.Time = at("09:10")
	w.refuse(ev, f)
	if c = w.only(); len(c.Changed) != 10 || !c.Changed[0].Time.Equal(at("09:10")) {
		t.Errorf("%d changes, the latest of %s", len(c.Changed), c.Changed[0].Time)
	}
	invariants(t, c)
}

// TestTitles reads one title of every cause: a sentence, short, and about the
// right thing.
func TestTitles(t *testing.T) {
	for _, e := range catalog.Causes() {
		w := newWorld(t)
		ev := fullEvent("10:00", "a")
		ev.Client = usher.Party{UID: "shop"}
		ev.Policies = []usher.Decision{{Policy: usher.Party{Name: "Managed devices"}, Result: "failure"}}
		w.refuse(ev, finding(e.Label, 0.9))
		c := w.only()
		if !strings.Contains(c.Title, " are refused: ") || strings.HasSuffix(c.Title, ".") || len(c.Title) > 250 || strings.Contains(c.Title, "  ") {
			t.Errorf("%s: %q", e.Label, c.Title)
		}
		if !strings.HasSuffix(c.Summary, "Since 10:00, 1 try, 1 address.") && !strings.HasSuffix(c.Summary, "Since 10:00, 1 try.") {
			t.Errorf("%s: %q", e.Label, c.Summary)
		}
	}
}

// TestZone tells times in the zone of the reader, and the day when it is
// another.
func TestZone(t *testing.T) {
	w := newWorld(t, func(o *casebook.Options) { o.Location = time.FixedZone("CET", 3600) })
	ev, f := redirect("10:02", "https://shop.test/cb/", "10.0.0.1")
	w.refuse(ev, f)
	if c := w.only(); !strings.Contains(c.Summary, "Since 11:02,") {
		t.Errorf("the summary: %s", c.Summary)
	}
	ev, f = redirect("23:30", "https://shop.test/cb/", "10.0.0.1")
	ev.Time = ev.Time.AddDate(0, 0, -2)
	w.refuse(ev, f)
	if c := w.only(); !strings.Contains(c.Summary, "Since 24 Nov 00:30, 2 tries") {
		t.Errorf("the summary: %s", c.Summary)
	}
}

// TestVisible tells when the case was shown.
func TestVisible(t *testing.T) {
	w := newWorld(t)
	w.now = at("10:02:01")
	ev, f := redirect("10:02", "https://shop.test/cb/", "10.0.0.1")
	w.refuse(ev, f)
	w.now = at("10:30")
	ev.UID = ""
	w.refuse(ev, f)
	if c := w.only(); c.Opened.Sub(c.First) != time.Second {
		t.Errorf("shown after %s", c.Opened.Sub(c.First))
	}
}
