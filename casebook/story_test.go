package casebook_test

import (
	"slices"
	"strings"
	"testing"

	"usher"
	"usher/casebook"
)

// redirectFixes are what the fix room proposes for a redirect mismatch.
func redirectFixes(*usher.Case) []usher.Fix {
	return []usher.Fix{
		{
			ID: "1", Title: "Register the address", Fixer: usher.FixerTenantAdmin, Risk: usher.RiskNeutral,
			Proof: usher.ProofCondition{Equal: []string{"client", "oauth.redirect_uri"}},
		},
		{
			ID: "2", Title: "Change the app", Fixer: usher.FixerDeveloper, Risk: usher.RiskNeutral,
			Proof: usher.ProofCondition{Equal: []string{"client", "src_endpoint.ip"}, Differ: []string{"oauth.redirect_uri"}, Applied: true},
		},
	}
}

// TestStory is the story of the redirect URI without a slash, as it must read.
func TestStory(t *testing.T) {
	w := newWorld(t, func(o *casebook.Options) { o.Fixes = redirectFixes })
	w.now = at("10:15")
	w.change(edit("10:01", "client", "shop"))
	for i, ip := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
		for j := range 5 - i/2 {
			ev, f := redirect("10:02", "https://shop.test/cb/", ip)
			ev.Time = ev.Time.Add(secondsOf(i*60 + j))
			w.refuse(ev, f)
		}
	}
	c := w.only()
	want := "Sign-ins to 'shop' are refused: the app sends `https://shop.test/cb/`, registered is `https://shop.test/cb` (1 character). " +
		"Since 10:02, 14 tries, 3 addresses. What changed: the client was edited at 10:01 by admin."
	if c.Summary != want {
		t.Errorf("the summary reads\n%s\nnot\n%s", c.Summary, want)
	}
	if !strings.HasPrefix(want, c.Title+". ") {
		t.Errorf("the title is %q", c.Title)
	}
	if c.State != usher.CaseOpen || !c.Opened.Equal(w.now) || !c.First.Equal(at("10:02")) {
		t.Errorf("state %s, opened %s, first %s", c.State, c.Opened, c.First)
	}

	// The fix is looked at, carried out, and proven by the next sign-in.
	plan := usher.FixPlan{ID: "p", Case: 1, Fix: c.Fixes[0]}
	w.must(w.book.Planned(w.tx, 1, plan, "ana"))
	w.state(1, usher.CaseOpen)
	w.must(w.book.Applying(w.tx, 1, plan, "ana"))
	w.state(1, usher.CaseFixing)
	w.now = at("10:16")
	w.must(w.book.Applied(w.tx, 1, "1", w.plan(1, "1")))
	w.state(1, usher.CaseVerifying)
	good, _ := redirect("10:17", "https://shop.test/cb/", "10.0.0.1")
	w.now = at("10:17")
	w.succeed(good)
	c = w.state(1, usher.CaseFixed)
	if c.Proven == nil || c.Proven.Fix != "1" || len(c.Proven.Fields) != 2 || !c.Proven.Fields[1].Holds {
		t.Fatalf("the proof is %+v", c.Proven)
	}
	if want := "A sign-in of 'shop' succeeded at 10:17, after the fix of 10:16, with `https://shop.test/cb/`."; c.Proven.Comment != want {
		t.Errorf("the comment reads %q, not %q", c.Proven.Comment, want)
	}
	t.Logf("\n%s", story(c))
}

// TestWithoutTheFix falls quiet and is never fixed.
func TestWithoutTheFix(t *testing.T) {
	w := newWorld(t, func(o *casebook.Options) { o.Fixes = redirectFixes })
	ev, f := redirect("12:00", "https://shop.test/cb/", "10.0.0.1")
	w.refuse(ev, f)
	w.tick(at("12:59"))
	w.state(1, usher.CaseOpen)
	w.tick(at("13:00"))
	c := w.state(1, usher.CaseQuiet)
	if !strings.Contains(c.Summary, "nothing proves") {
		t.Errorf("the summary of a quiet case: %s", c.Summary)
	}
	ev, f = redirect("13:30", "https://shop.test/cb/", "10.0.0.1")
	w.now = at("13:30")
	w.refuse(ev, f)
	w.state(1, usher.CaseOpen)
}

// TestStoryOtherWay: a sign-in with another registered redirect URI, after the
// fix, proves nothing; what the timeline says of it is said of the fix that was
// carried out, once for the sign-in, by name.
func TestStoryOtherWay(t *testing.T) {
	start := func() *world {
		w := newWorld(t, func(o *casebook.Options) {
			o.Fixes = redirectFixes
			o.UserName = func(id string) string { return map[string]string{"id-ann": "ann"}[id] }
		})
		ev, f := redirect("10:02", "https://shop.test/cb/", "10.0.0.1")
		w.refuse(ev, f)
		w.must(w.book.Applying(w.tx, 1, usher.FixPlan{ID: "p", Case: 1, Fix: w.get(1).Fixes[0]}, "ana"))
		w.now = at("10:16")
		w.must(w.book.Applied(w.tx, 1, "1", w.plan(1, "1")))
		return w
	}
	login, _ := redirect("10:17", "https://shop.test/cb", "10.0.0.1")
	login.Code, login.Session, login.User = "LOGIN", "s1", usher.Party{UID: "id-ann", Name: "ann"}
	tokens := login
	tokens.Code, tokens.Kind, tokens.Time, tokens.OAuth.RedirectURI, tokens.User.Name = "CODE_TO_TOKEN", usher.EventToken, at("10:17:01"), "", ""
	unproven := func(w *world) (texts []string) {
		for _, e := range w.get(1).Timeline {
			if e.Kind == usher.EntryUnproven {
				texts = append(texts, e.Text)
			}
		}
		return texts
	}
	for name, test := range map[string]struct {
		successes []usher.Event
		want      []string
	}{
		"another way in": {[]usher.Event{login, tokens}, []string{"A success of ann proves nothing: the redirect URI is `https://shop.test/cb`, the refused one was `https://shop.test/cb/`."}},
		"tokens alone":   {[]usher.Event{tokens}, []string{"A success of ann proves nothing: the records do not tell the redirect URI, which must be the refused one."}},
		"another client": {[]usher.Event{func() usher.Event { ev := login; ev.Client.UID = "mail"; return ev }()}, nil},
		"before the fix": {[]usher.Event{func() usher.Event { ev := login; ev.Time = at("10:10"); return ev }()}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := start()
			w.now = at("10:18")
			for _, ev := range test.successes {
				w.succeed(ev)
			}
			w.state(1, usher.CaseVerifying)
			if got := unproven(w); !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
