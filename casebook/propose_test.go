package casebook_test

import (
	"strconv"
	"strings"
	"testing"

	"usher"
	"usher/casebook"
)

// asked is a case for which the ways out depend on what is known of it: what was
// changed, and whether the registration has come.
func asked(known *bool) func(*casebook.Options) {
	return func(o *casebook.Options) {
		o.Fixes = func(c *usher.Case) []usher.Fix {
			f := usher.Fix{ID: "1", Title: "Ask the developer", Risk: usher.RiskNeutral}
			if *known {
				f.Title, f.Action = "Enable the client", &usher.Action{Kind: usher.ActionEnableClient, Client: "shop"}
			}
			if len(c.Changed) > 0 {
				f.Risk = usher.RiskWeakening
			}
			return []usher.Fix{f}
		}
	}
}

// TestProposeLast: the ways out are asked for when all else is known of a case,
// and anew when more of it is known, until somebody goes one.
func TestProposeLast(t *testing.T) {
	refuse := func(w *world) {
		ev, f := redirect("10:00", "https://shop.test/cb/", "10.0.0.1")
		ev.UID = "try"
		w.refuse(ev, f)
	}
	edited := func(w *world) { w.change(edit("09:00", "client", "shop", "enabled")) }
	tests := []struct {
		name  string
		do    func(w *world, known *bool)
		title string
		risk  usher.Risk
	}{
		{"at once", func(w *world, known *bool) { refuse(w) }, "Ask the developer", usher.RiskNeutral},
		{"changed before", func(w *world, known *bool) { edited(w); refuse(w) }, "Ask the developer", usher.RiskWeakening},
		{"changed before, told late", func(w *world, known *bool) { refuse(w); edited(w) }, "Ask the developer", usher.RiskWeakening},
		{"told again", func(w *world, known *bool) { refuse(w); *known = true; refuse(w) }, "Enable the client", usher.RiskNeutral},
		{"told again when it is quiet", func(w *world, known *bool) {
			refuse(w)
			w.tick(at("15:00"))
			*known = true
			refuse(w)
		}, "Enable the client", usher.RiskNeutral},
		{"told again when a fix was looked at", func(w *world, known *bool) {
			refuse(w)
			w.must(w.book.Planned(w.tx, 1, usher.FixPlan{Case: 1, Fix: w.get(1).Fixes[0]}, "ana"))
			*known = true
			refuse(w)
			edited(w)
		}, "Enable the client", usher.RiskWeakening},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			known := false
			w := newWorld(t, asked(&known))
			test.do(w, &known)
			c := w.only()
			if c.Count != 1 || len(c.Fixes) != 1 || c.Fixes[0].Title != test.title || c.Fixes[0].Risk != test.risk {
				t.Errorf("%d tries, fixes %+v", c.Count, c.Fixes)
			}
			saves := w.tx.saves
			if refuse(w); w.tx.saves != saves {
				t.Error("what is known already is written down again")
			}
		})
	}
}

// TestProposeOnNextTry: a provider that answers at the second try only shows the
// way out that usher can go; otherwise a further try changes none.
func TestProposeOnNextTry(t *testing.T) {
	known := false
	w := newWorld(t, asked(&known))
	next := func(clock, title string) {
		t.Helper()
		ev, f := redirect(clock, "https://shop.test/cb/", "10.0.0.1")
		w.refuse(ev, f)
		if got := w.only().Fixes[0].Title; got != title {
			t.Errorf("at %s: %s", clock, got)
		}
	}
	next("10:00", "Ask the developer")
	next("10:01", "Ask the developer")
	known = true
	next("10:02", "Enable the client")
	known = false
	next("10:03", "Enable the client")
}

// TestAppliedPlan: a run keeps the plan as it was carried out, for what was so
// already is not to be taken back.
func TestAppliedPlan(t *testing.T) {
	w := newWorld(t, func(o *casebook.Options) { o.Fixes = redirectFixes })
	ev, f := redirect("10:00", "https://shop.test/cb/", "10.0.0.1")
	w.refuse(ev, f)
	plan := usher.FixPlan{Case: 1, Fix: w.get(1).Fixes[0], Diff: []usher.Difference{{Field: "redirectUris", To: "https://shop.test/cb/"}}}
	w.must(w.book.Applying(w.tx, 1, plan, "ana"))
	if under := w.must(w.book.UnderWay(w.tx)); len(under) != 1 || under[0].ID != 1 {
		t.Errorf("%d cases are under way", len(under))
	}
	plan.Diff = nil // somebody did it in the meantime
	w.must(w.book.Applied(w.tx, 1, "1", plan))
	if r := w.get(1).Runs[0]; r.State != usher.RunApplied || len(r.Plan.Diff) != 0 {
		t.Errorf("the run is %+v", r)
	}
	if under := w.must(w.book.UnderWay(w.tx)); len(under) != 0 {
		t.Errorf("%d cases are still under way", len(under))
	}
}

// TestFixIDs: an id that was shown never means another fix, whatever is proposed
// later. A list names fixes: "+x" is one that usher can carry out, another one
// is for a person.
func TestFixIDs(t *testing.T) {
	tests := []struct {
		name  string
		lists []string
		want  string // ids of the last list
	}{
		{"as proposed", []string{"+a b"}, "1 2"},
		{"the same again", []string{"+a b", "+a b"}, "1 2"},
		{"another order", []string{"b +a", "+a b"}, "2 1"},
		{"the registration comes late", []string{"app +add", "+add +replace app"}, "2 3 1"},
		{"one with better words", []string{"app +add", "+add +replace app-better"}, "2 3 4"},
		{"the last one goes and comes", []string{"a +b", "a", "a +c"}, "3 4"},
		{"nothing stays", []string{"a b", "c d"}, "3 4"},
		{"again and again", []string{"a b", "c", "d", "a"}, "5"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var list string
			w := newWorld(t, func(o *casebook.Options) {
				o.Fixes = func(*usher.Case) (fixes []usher.Fix) {
					for i, name := range strings.Fields(list) {
						f := usher.Fix{ID: strconv.Itoa(i + 1), Title: name, Risk: usher.RiskNeutral}
						if uri, ok := strings.CutPrefix(name, "+"); ok {
							f.Action = &usher.Action{Kind: usher.ActionAddRedirectURI, Client: "shop", URI: uri}
						}
						fixes = append(fixes, f)
					}
					return fixes
				}
			})
			meant := map[string]string{}
			for _, list = range test.lists {
				ev, f := redirect("10:00", "https://shop.test/cb/", "10.0.0.1")
				ev.UID = "try"
				w.refuse(ev, f)
				for _, f := range w.only().Fixes {
					if was, ok := meant[f.ID]; ok && was != f.Title {
						t.Errorf("fix %s was %q and is %q", f.ID, was, f.Title)
					}
					meant[f.ID] = f.Title
				}
			}
			var ids []string
			for _, f := range w.only().Fixes {
				ids = append(ids, f.ID)
			}
			if got := strings.Join(ids, " "); got != test.want {
				t.Errorf("ids %s, want %s", got, test.want)
			}
		})
	}
}
