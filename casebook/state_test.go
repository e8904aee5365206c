package casebook_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/casebook"
)

// acts are what happens to a case, by name.
var acts = map[string]func(*world) error{
	"plan": func(w *world) error {
		return said(w.book.Planned(w.tx, 1, usher.FixPlan{Case: 1, Fix: usher.Fix{ID: "1", Title: "Do it"}}, "ana"))
	},
	"apply": func(w *world) error {
		return said(w.book.Applying(w.tx, 1, usher.FixPlan{Case: 1, Fix: w.get(1).Fixes[0]}, "ana"))
	},
	"applied": func(w *world) error { return said(w.book.Applied(w.tx, 1, lastRun(w), w.plan(1, lastRun(w)))) },
	"fail":    func(w *world) error { return said(w.book.Failed(w.tx, 1, lastRun(w), "no answer.")) },
	"undo":    func(w *world) error { return said(w.book.Undone(w.tx, 1, lastRun(w), "ana")) },
	"declare": func(w *world) error { return said(w.book.Declare(w.tx, 1, "1", "ana", "")) },
	"intend": func(w *world) error {
		return said(w.book.Intend(w.tx, 1, casebook.Intent{Owner: "ana", Reason: "it is meant so", Expires: w.now.Add(time.Hour)}))
	},
	"reopen": func(w *world) error { return said(w.book.Reopen(w.tx, 1, "ana")) },
	"try": func(w *world) error {
		w.now = w.now.Add(5 * time.Minute)
		return tried(w, w.now)
	},
	"late try": func(w *world) error { return tried(w, at("11:00")) },
	"success": func(w *world) error {
		w.now = w.now.Add(5 * time.Minute)
		ev, _ := redirect("12:00", "https://shop.test/cb/", "10.0.0.1")
		ev.Time = w.now
		w.succeed(ev)
		return nil
	},
	"wait": func(w *world) error {
		w.tick(w.now.Add(time.Hour))
		return nil
	},
}

// said gives what the book answered.
func said(_ []*usher.Case, err error) error { return err }

func tried(w *world, when time.Time) error {
	ev, f := redirect("12:00", "https://shop.test/cb/", "10.0.0.1")
	ev.Time = when
	w.refuse(ev, f)
	return nil
}

func lastRun(w *world) string {
	if runs := w.get(1).Runs; len(runs) > 0 {
		return runs[len(runs)-1].ID
	}
	return "1"
}

// TestStates walks every way that matters. "!act" must be refused and change
// nothing.
func TestStates(t *testing.T) {
	tests := []struct {
		way  string
		want usher.CaseState
	}{
		{"", usher.CaseOpen},
		{"try", usher.CaseOpen},
		{"success", usher.CaseFixed},
		{"wait", usher.CaseQuiet},
		{"wait wait wait", usher.CaseQuiet},
		{"!undo !applied !fail !reopen", usher.CaseOpen},

		{"plan", usher.CaseOpen}, // a look is no act
		{"plan plan try", usher.CaseOpen},
		{"apply applied plan", usher.CaseVerifying},
		{"success try plan", usher.CaseRegressed},
		{"wait plan", usher.CaseQuiet},
		{"plan success", usher.CaseFixed},
		{"plan !reopen", usher.CaseOpen},
		{"plan wait", usher.CaseQuiet},
		{"plan !undo !applied !fail", usher.CaseOpen},
		{"apply", usher.CaseFixing},
		{"apply !apply !reopen !undo", usher.CaseFixing},
		{"apply wait wait", usher.CaseFixing}, // no silence while something is under way
		{"apply fail", usher.CaseOpen},
		{"apply fail !applied !undo", usher.CaseOpen},
		{"apply fail apply applied", usher.CaseVerifying},
		{"plan apply applied", usher.CaseVerifying},
		{"apply applied applied", usher.CaseVerifying}, // said twice after a crash
		{"apply applied !fail", usher.CaseVerifying},

		{"apply applied success", usher.CaseFixed},
		{"apply applied try", usher.CaseOpen},
		{"apply applied try success", usher.CaseFixed},
		{"apply applied late_try", usher.CaseVerifying},
		{"apply applied wait", usher.CaseQuiet},
		{"apply applied wait success", usher.CaseFixed},
		{"apply applied undo", usher.CaseOpen},
		{"apply applied undo !undo", usher.CaseOpen},
		{"apply applied reopen", usher.CaseOpen},
		{"apply applied intend", usher.CaseIntended},
		{"declare", usher.CaseVerifying},
		{"declare declare", usher.CaseVerifying},
		{"declare success", usher.CaseFixed},
		{"declare !undo", usher.CaseVerifying}, // usher did not do it

		{"success success", usher.CaseFixed},
		{"success wait wait", usher.CaseFixed},
		{"success late_try", usher.CaseFixed},
		{"success try", usher.CaseRegressed},
		{"success try success", usher.CaseFixed},
		{"success try wait", usher.CaseQuiet},
		{"success try apply fail", usher.CaseOpen},
		{"success try intend", usher.CaseIntended},
		{"success !plan !apply !declare !intend", usher.CaseFixed},
		{"success reopen", usher.CaseOpen},
		{"apply applied success undo", usher.CaseOpen},
		{"apply success applied", usher.CaseFixed},
		{"apply success fail", usher.CaseFixed},

		{"wait try", usher.CaseOpen},
		{"wait late_try", usher.CaseQuiet},
		{"wait success", usher.CaseFixed}, // a proof is a proof
		{"wait reopen", usher.CaseOpen},
		{"wait apply applied", usher.CaseVerifying},
		{"wait intend", usher.CaseIntended},

		{"intend", usher.CaseIntended},
		{"intend try", usher.CaseIntended},
		{"intend success", usher.CaseIntended}, // it is not fixed, it was never broken
		{"intend intend", usher.CaseIntended},
		{"intend !plan !apply !declare", usher.CaseIntended},
		{"intend reopen", usher.CaseOpen},
		{"intend wait", usher.CaseOpen}, // the time has passed
		{"apply intend applied", usher.CaseIntended},
		{"apply applied intend undo", usher.CaseOpen},
	}
	for _, test := range tests {
		t.Run(test.way, func(t *testing.T) {
			w := newWorld(t, oneFix(usher.Fix{Fixer: usher.FixerTenantAdmin, Proof: usher.ProofCondition{Equal: []string{"client", "oauth.redirect_uri"}}}))
			ev, f := redirect("12:00", "https://shop.test/cb/", "10.0.0.1")
			w.refuse(ev, f)
			for step := range strings.FieldsSeq(test.way) {
				name, refused := strings.CutPrefix(step, "!")
				before := w.tx.cases[1]
				err := acts[strings.ReplaceAll(name, "_", " ")](w)
				var known *usher.Error
				switch {
				case !refused && err != nil:
					t.Fatalf("%s: %v", name, err)
				case refused && (!errors.As(err, &known) || known.Hint == ""):
					t.Fatalf("%s is not refused with a word on what is possible: %v", name, err)
				case refused && before != w.tx.cases[1]:
					t.Fatalf("%s is refused and changes the case", name)
				}
				invariants(t, w.get(1))
			}
			c := w.state(1, test.want)
			if len(c.Timeline) > 1 && test.way != "" && story(c) == "" {
				t.Error("no story")
			}
		})
	}
}

// invariants are what holds of every case at any time.
func invariants(t tester, c *usher.Case) {
	t.Helper()
	check := func(ok bool, what string) {
		t.Helper()
		if !ok {
			t.Fatalf("case %d (%s, %s): %s\n%s", c.ID, c.Kind, c.State, what, story(c))
		}
	}
	check(c.Version == usher.CaseVersion && c.ID > 0 && c.Fingerprint != "" && c.Title != "" && c.Summary != "", "something is missing")
	check((c.State == usher.CaseFixed) == (c.Proven != nil), "fixed and proven are the same")
	check((c.State == usher.CaseIntended) == (c.Owner != "" && c.Reason != "" && !c.Expires.IsZero()), "owner, reason and expiry are of intended cases")
	check(c.Kind == usher.CaseAttack || len(c.Compromised)+len(c.Sources) == 0 && c.Escalated.IsZero(), "only attacks have sources and victims")
	check((len(c.Compromised) > 0) == !c.Escalated.IsZero(), "who got in escalates")
	check(!c.First.After(c.Last) && c.Refusal.Time.Equal(c.Last) || c.Kind == usher.CaseAttack, "first and last")
	check(len(c.Timeline) <= 200 && len(c.Changed) <= 10 && len(c.Affected) <= 20, "bounds")
	check(c.Behind != c.ID, "behind itself")
	check(c.Finding.Proof != nil && c.Finding.Fix != nil && c.Finding.References != nil && c.Finding.Outcome != "", "a finding is whole")
	check(c.Fixes != nil, "fixes are a list, if an empty one")
	tries, firsts := 0, 0
	for i, e := range c.Timeline {
		switch e.Kind {
		case usher.EntryFirst:
			tries++
			firsts++
			check(e.Time.Equal(c.First), "the first try is the first")
		case usher.EntryTries:
			tries += e.Count
		case usher.EntryChange:
			check(c.Kind == usher.CaseAttack || !e.Time.After(c.First), "what changed, changed before")
		}
		check(i == 0 || !e.Time.Before(c.Timeline[i-1].Time), "the timeline is in order")
		check(e.Text != "" && !strings.ContainsAny(e.Text, "\n\r\x00"), "an entry is one line")
	}
	check(tries == c.Count && firsts <= 1, "the timeline counts the tries")
	if c.State == usher.CaseFixed && c.Kind == usher.CaseFailure {
		check(c.Proven.Event.Time.After(c.Last) || c.Proven.Event.Time.After(c.First), "the proof is later than the refusal")
		for _, f := range c.Proven.Fields {
			check(f.Holds, "every field of a proof holds")
		}
		check(len(c.Proven.Fields) > 0, "a proof compares something")
	}
}

func TestPeopleMistakes(t *testing.T) {
	w := newWorld(t, oneFix(usher.Fix{Proof: usher.ProofCondition{Equal: []string{"client"}}}))
	ev, f := redirect("12:00", "https://shop.test/cb/", "10.0.0.1")
	w.refuse(ev, f)
	intend := func(in casebook.Intent) func() error {
		return func() error { return said(w.book.Intend(w.tx, 1, in)) }
	}
	for name, do := range map[string]func() error{
		"no such case":   func() error { return said(w.book.Reopen(w.tx, 7, "ana")) },
		"no such fix":    func() error { return said(w.book.Declare(w.tx, 1, "7", "ana", "")) },
		"no such run":    func() error { return said(w.book.Undone(w.tx, 1, "7", "ana")) },
		"another's plan": func() error { return said(w.book.Applying(w.tx, 1, usher.FixPlan{Case: 2}, "ana")) },
		"no owner":       intend(casebook.Intent{Reason: "r", Expires: at("13:00")}),
		"no reason":      intend(casebook.Intent{Owner: "o", Reason: " ", Expires: at("13:00")}),
		"no day":         intend(casebook.Intent{Owner: "o", Reason: "r"}),
		"a past day":     intend(casebook.Intent{Owner: "o", Reason: "r", Expires: noon}),
	} {
		before := w.tx.cases[1]
		err := do()
		var known *usher.Error
		if !errors.As(err, &known) || known.Hint == "" || known.Code == "" || strings.HasSuffix(known.Message, ".") {
			t.Errorf("%s: %#v", name, err)
		}
		if w.tx.cases[1] != before {
			t.Errorf("%s changes the case", name)
		}
	}
	if _, err := w.book.Reopen(w.tx, 1, "ana"); err == nil || !strings.Contains(err.(*usher.Error).Hint, "mark it as intended") {
		t.Errorf("the hint does not say what is possible: %v", err)
	}
}

// TestIntended tells who, why and until when, and counts on in silence.
func TestIntended(t *testing.T) {
	w := newWorld(t)
	ev, f := redirect("12:00", "https://shop.test/cb/", "10.0.0.1")
	w.refuse(ev, f)
	if err := acts["intend"](w); err != nil {
		t.Fatal(err)
	}
	c := w.get(1)
	if !strings.Contains(c.Summary, "intended until 25 Nov 2026, says ana: it is meant so.") {
		t.Errorf("the summary: %s", c.Summary)
	}
	entries := len(c.Timeline)
	for range 5 {
		_ = acts["try"](w)
	}
	if c = w.state(1, usher.CaseIntended); c.Count != 6 || len(c.Timeline) > entries+1 {
		t.Errorf("%d tries:\n%s", c.Count, story(c))
	}
	w.tick(w.now.Add(2 * time.Hour))
	w.state(1, usher.CaseOpen)
	w.tick(w.now.Add(2 * time.Hour))
	w.state(1, usher.CaseQuiet) // and then nothing more comes
}

// TestPlannedOnce: a person who looks again at what a fix would change adds
// nothing to the timeline.
func TestPlannedOnce(t *testing.T) {
	w := newWorld(t)
	ev, f := redirect("12:00", "https://shop.test/cb/", "10.0.0.1")
	w.refuse(ev, f)
	plan := usher.FixPlan{Case: 1, Fix: w.get(1).Fixes[0]}
	looks := func(by ...string) {
		for _, by := range by {
			w.must(w.book.Planned(w.tx, 1, plan, by))
		}
	}
	looks("ana", "ana", "ben", "ana")
	n := 0
	for _, e := range w.get(1).Timeline {
		if e.Kind == usher.EntryPlanned {
			n++
		}
	}
	if n != 2 {
		t.Errorf("two people looked, and the timeline has %d lines of it", n)
	}
}
