package casebook_test

import (
	"strings"
	"testing"
	"time"

	"usher"
	"usher/casebook"
)

func found(check, client string, outcome usher.Outcome) usher.Finding {
	f := usher.Finding{Check: check, Outcome: outcome, Title: "A star in a redirect URI", Severity: usher.SeverityHigh, Subject: usher.Subject{Client: client}, Proof: []usher.Proof{}, Fix: []usher.FixStep{}, References: []string{}}
	if outcome == usher.OutcomeWrong {
		f.Fix = []usher.FixStep{{Text: "Register whole URIs.", Risk: usher.RiskTightening}}
	}
	return f
}

// look takes one look a minute after the one before.
func (w *world) look(findings ...usher.Finding) []*usher.Case {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	return w.must(w.book.Checked(w.tx, casebook.Checkup{Provider: "keycloak", Name: "shop", Tenant: "shop", At: w.now, Findings: findings}))
}

func TestChecked(t *testing.T) {
	w := newWorld(t)
	got := w.look(found("redirect-wildcard", "web", usher.OutcomeWrong), found("pkce-sent", "web", usher.OutcomeOK), found("tls-version", "", usher.OutcomeUnknown))
	if len(got) != 1 {
		t.Fatalf("%d cases changed", len(got))
	}
	c := got[0]
	if c.Kind != usher.CaseConfiguration || c.State != usher.CaseOpen || c.Title != "Configuration of 'web': A star in a redirect URI" || len(c.Fixes) != 1 || c.Fixes[0].Proof.Check != "redirect-wildcard" {
		t.Fatalf("%+v", c)
	}
	// The same again joins, another client does not.
	w.look(found("redirect-wildcard", "web", usher.OutcomeWrong), found("redirect-wildcard", "app", usher.OutcomeWrong))
	if c = w.get(c.ID); c.Count != 2 || len(w.tx.cases) != 2 {
		t.Fatalf("count %d, %d cases", c.Count, len(w.tx.cases))
	}
	// Silence proves nothing, and neither does a look that saw nothing.
	w.now = w.now.Add(100 * time.Hour)
	w.tick(w.now)
	w.look(found("redirect-wildcard", "web", usher.OutcomeUnknown))
	w.look()
	w.look(found("redirect-wildcard", "web", usher.OutcomeNotApplicable))
	if c = w.get(c.ID); c.State != usher.CaseOpen {
		t.Fatalf("it is %s without anybody having changed anything", c.State)
	}
	// A check that is wrong for one thing and ok for another is wrong.
	w.look(found("redirect-wildcard", "web", usher.OutcomeOK), found("redirect-wildcard", "web", usher.OutcomeWrong))
	if c = w.get(c.ID); c.State != usher.CaseOpen {
		t.Fatalf("half is fixed: %s", c.State)
	}
	w.look(found("redirect-wildcard", "web", usher.OutcomeOK))
	if c = w.get(c.ID); c.State != usher.CaseFixed || c.Proven == nil || !strings.Contains(c.Summary, "the check redirect-wildcard passes") {
		t.Fatalf("%s %+v %s", c.State, c.Proven, c.Summary)
	}
	w.look(found("redirect-wildcard", "web", usher.OutcomeWrong))
	if c = w.get(c.ID); c.State != usher.CaseRegressed || c.Proven != nil {
		t.Fatalf("%s", c.State)
	}
}

// TestCheckedOld: a look that was taken before what is known changes nothing.
func TestCheckedOld(t *testing.T) {
	w := newWorld(t)
	c := w.look(found("redirect-wildcard", "web", usher.OutcomeWrong))[0]
	old := casebook.Checkup{Name: "shop", Tenant: "shop", At: c.Last.Add(-time.Hour), Findings: []usher.Finding{found("redirect-wildcard", "web", usher.OutcomeOK)}}
	if got := w.must(w.book.Checked(w.tx, old)); len(got) != 0 {
		t.Fatalf("%+v", got[0])
	}
	same := old
	same.At, same.Findings = c.Last, []usher.Finding{found("redirect-wildcard", "web", usher.OutcomeWrong)}
	if got := w.must(w.book.Checked(w.tx, same)); len(got) != 0 {
		t.Fatal("one look counts twice")
	}
}

// TestCheckedNews: that nothing changed since the last look proves nothing,
// until somebody says that the change is dealt with.
func TestCheckedNews(t *testing.T) {
	w := newWorld(t)
	c := w.look(found("discovery-drift", "", usher.OutcomeWrong))[0]
	quiet := func() {
		w.now = w.now.Add(time.Minute)
		w.must(w.book.Checked(w.tx, casebook.Checkup{Name: "shop", At: w.now, Findings: []usher.Finding{found("discovery-drift", "", usher.OutcomeOK)}, News: []string{"discovery-drift"}}))
	}
	quiet()
	if c = w.get(c.ID); c.State != usher.CaseOpen {
		t.Fatal(c.State)
	}
	// The same news in a later look is no second try, and does not take back
	// what somebody says of it.
	again := func() {
		w.now = w.now.Add(time.Minute)
		w.must(w.book.Checked(w.tx, casebook.Checkup{Provider: "keycloak", Name: "shop", Tenant: "shop", At: w.now, Findings: []usher.Finding{found("discovery-drift", "", usher.OutcomeWrong)}, News: []string{"discovery-drift"}}))
	}
	again()
	if c = w.get(c.ID); c.Count != 1 {
		t.Fatalf("counted %d times", c.Count)
	}
	w.must(w.book.Declare(w.tx, c.ID, "1", "ann", ""))
	again()
	if c = w.get(c.ID); c.State != usher.CaseVerifying {
		t.Fatal(c.State)
	}
	quiet()
	if c = w.get(c.ID); c.State != usher.CaseFixed {
		t.Fatal(c.State)
	}
}

// TestCheckedAndSignIns: a sign-in proves nothing about a configuration, and a
// refusal does not join it.
func TestCheckedAndSignIns(t *testing.T) {
	w := newWorld(t)
	c := w.look(found("redirect-wildcard", "shop", usher.OutcomeWrong))[0]
	w.succeed(usher.Event{Kind: usher.EventSignIn, Tenant: "shop", Client: usher.Party{UID: "shop"}, Time: w.now.Add(time.Minute)})
	w.refuse(usher.Event{Kind: usher.EventSignIn, Tenant: "shop", Client: usher.Party{UID: "shop"}, Time: w.now.Add(2 * time.Minute)}, usher.Finding{})
	if c = w.get(c.ID); c.State != usher.CaseOpen || c.Count != 1 {
		t.Fatalf("%s, %d", c.State, c.Count)
	}
}
