package casebook_test

import (
	"strings"
	"testing"
	"time"

	"usher"
	"usher/casebook"
	"usher/catalog"
)

// oneFix makes the book propose one fix.
func oneFix(f usher.Fix) func(*casebook.Options) {
	f.ID = "1"
	if f.Title == "" {
		f.Title = "Do it"
	}
	return func(o *casebook.Options) {
		o.Fixes = func(*usher.Case) []usher.Fix { return []usher.Fix{f} }
	}
}

// deviceCase is a refusal by a policy that asks for a managed device.
func deviceCase() (usher.Event, usher.Finding) {
	ev := signIn("10:00", "alice", "10.0.0.1")
	ev.StatusCode, ev.Device.UID = "53000", "laptop"
	ev.Resource = usher.Party{UID: "orders"}
	ev.OAuth.Requested = []string{"openid", "orders"}
	ev.Policies = []usher.Decision{{Policy: usher.Party{UID: "p1", Name: "Managed devices"}, Result: "failure"}}
	return ev, finding("policy-device", 0.9)
}

// TestProof holds one success after the other against a refusal: which proves,
// and what is said of those that do not.
func TestProof(t *testing.T) {
	device := usher.Fix{Fixer: usher.FixerUser, Proof: usher.ProofCondition{Equal: []string{"user", "client", "resource"}, Differ: []string{"device.uid"}}}
	with := func(change func(*usher.Fix)) usher.Fix { f := device; change(&f); return f }
	policyEdit := func(clock string) usher.Event {
		ev := edit(clock, "policy", "p1")
		ev.Tenant = "corp"
		return ev
	}
	tests := []struct {
		name   string
		fix    usher.Fix
		before func(*world) // before the success
		change func(*usher.Event)
		holds  bool
		says   string // of an unproven one
	}{
		{name: "another device", fix: device, holds: true},
		{name: "the refused device", fix: device, change: func(ev *usher.Event) { ev.Device.UID = "laptop" }, says: "the device is the refused one"},
		{name: "an unknown device", fix: device, change: func(ev *usher.Event) { ev.Device.UID = "" }, says: "do not tell the device"},
		{name: "another user", fix: device, change: func(ev *usher.Event) { ev.User = usher.Party{UID: "id-bob"} }},
		{name: "an unknown user", fix: device, change: func(ev *usher.Event) { ev.User = usher.Party{} }},
		{name: "another client", fix: device, change: func(ev *usher.Event) { ev.Client.UID = "mail" }},
		{name: "another API", fix: device, change: func(ev *usher.Event) { ev.Resource.UID = "payroll" }},
		{name: "an unknown API", fix: device, change: func(ev *usher.Event) { ev.Resource = usher.Party{} }},
		{
			name: "another API, where none was asked for", fix: with(func(f *usher.Fix) { f.Proof.Equal = []string{"user", "client"} }),
			change: func(ev *usher.Event) { ev.Resource.UID = "payroll" },
		},
		{name: "another tenant", fix: device, change: func(ev *usher.Event) { ev.Tenant = "other" }},
		{name: "an unknown tenant", fix: device, change: func(ev *usher.Event) { ev.Tenant = "" }},
		{name: "a sign-out", fix: device, change: func(ev *usher.Event) { ev.Kind = usher.EventSession }},
		{name: "an old token at an API", fix: device, change: func(ev *usher.Event) { ev.Kind = usher.EventAPI }},
		{name: "an old session", fix: device, change: func(ev *usher.Event) { ev.Kind = usher.EventSilentSignIn }},
		{name: "a refresh", fix: device, change: func(ev *usher.Event) { ev.Kind, ev.OAuth.GrantType = usher.EventToken, "refresh_token" }},
		{name: "a fresh token", fix: device, change: func(ev *usher.Event) { ev.Kind, ev.OAuth.GrantType = usher.EventToken, "authorization_code" }, holds: true},
		{name: "an administrator", fix: device, change: func(ev *usher.Event) { ev.Kind = usher.EventAdmin }},
		{name: "a consent", fix: device, change: func(ev *usher.Event) { ev.Kind = usher.EventConsent }},
		{name: "a step that was asked for", fix: device, change: func(ev *usher.Event) { ev.Interrupted = true }},
		{name: "at the same time", fix: device, change: func(ev *usher.Event) { ev.Time = at("10:00") }, says: "before the last refusal"},
		{name: "before", fix: device, before: func(w *world) {
			ev, f := deviceCase()
			ev.Time = at("09:00")
			w.refuse(ev, f)
		}, change: func(ev *usher.Event) { ev.Time = at("09:30") }, says: "before the last refusal"},
		{name: "refused again since", fix: device, before: func(w *world) {
			ev, f := deviceCase()
			ev.Time = at("10:20")
			w.refuse(ev, f)
		}, says: "before the last refusal"},

		{name: "nothing to tie it", fix: with(func(f *usher.Fix) { f.Proof = usher.ProofCondition{} })},
		{name: "only a difference", fix: with(func(f *usher.Fix) { f.Proof.Equal = nil })},
		{name: "a field that does not exist", fix: with(func(f *usher.Fix) { f.Proof.Equal = []string{"user", "shoe.size"} })},
		{name: "a check decides", fix: with(func(f *usher.Fix) { f.Proof.Check = "discovery" })},

		{name: "nobody did it", fix: with(func(f *usher.Fix) { f.Proof.Applied = true }), says: "nobody has carried out or declared"},
		{name: "declared", fix: with(func(f *usher.Fix) { f.Proof.Applied = true }), before: declare("10:05"), holds: true},
		{name: "declared afterwards", fix: with(func(f *usher.Fix) { f.Proof.Applied = true }), before: declare("10:15"), says: "before the fix was carried out"},
		{name: "declared at the same time", fix: with(func(f *usher.Fix) { f.Proof.Applied = true }), before: declare("10:10"), says: "before the fix was carried out"},
		{name: "declared, refused since", fix: with(func(f *usher.Fix) { f.Proof.Applied = true }), before: func(w *world) {
			declare("10:05")(w)
			w.now = at("10:30")
			ev, f := deviceCase()
			ev.Time = at("10:20")
			w.refuse(ev, f)
		}, says: "before the last refusal"},
		{name: "too late", fix: with(func(f *usher.Fix) { f.Proof.Applied, f.Proof.Within = true, usher.Duration(time.Minute) }), before: declare("10:05"), says: "more than 1m after"},
		{name: "long after", fix: with(func(f *usher.Fix) { f.Proof.Applied = true }), before: declare("10:05"), change: func(ev *usher.Event) {
			ev.Time = ev.Time.Add(73 * time.Hour)
		}, says: "more than 72h after"},
		{name: "undone", fix: with(func(f *usher.Fix) { f.Proof.Applied = true }), before: func(w *world) {
			apply("10:05")(w)
			w.must(w.book.Undone(w.tx, 1, "1", "ana"))
		}, says: "nobody has carried out"},
		{name: "still being carried out", fix: with(func(f *usher.Fix) { f.Proof.Applied = true }), before: func(w *world) {
			w.now = at("10:05")
			w.must(w.book.Applying(w.tx, 1, usher.FixPlan{Case: 1, Fix: w.get(1).Fixes[0]}, "ana"))
		}, says: "nobody has carried out"},
		{name: "failed", fix: with(func(f *usher.Fix) { f.Proof.Applied = true }), before: func(w *world) {
			w.now = at("10:05")
			w.must(w.book.Applying(w.tx, 1, usher.FixPlan{Case: 1, Fix: w.get(1).Fixes[0]}, "ana"))
			w.must(w.book.Failed(w.tx, 1, "1", "the provider does not answer"))
		}, says: "nobody has carried out"},

		{name: "the policy was changed", fix: device, before: func(w *world) { w.change(policyEdit("10:05")) }, says: "the policy 'p1' was edited at 10:05 by admin"},
		{name: "the policy was changed, and that is the fix", fix: with(func(f *usher.Fix) { f.Fixer = usher.FixerTenantAdmin }), before: func(w *world) { w.change(policyEdit("10:05")) }, holds: true},
		{name: "a developer's fix", fix: with(func(f *usher.Fix) { f.Fixer = usher.FixerDeveloper }), before: func(w *world) { w.change(policyEdit("10:05")) }, says: "the policy"},
		{name: "the policy was changed before", fix: device, before: func(w *world) { w.change(policyEdit("09:55")) }, holds: true},
		{name: "the policy was changed since", fix: device, before: func(w *world) { w.change(policyEdit("10:11")) }, holds: true},
		{name: "another policy", fix: device, before: func(w *world) {
			ev := policyEdit("10:05")
			ev.Change.Target.Name = "p2"
			w.change(ev)
		}, holds: true},
		{name: "the realm", fix: device, before: func(w *world) {
			ev := edit("10:05", "realm", "corp")
			w.change(ev)
		}, says: "the realm 'corp' was edited"},
		{name: "the user's required actions", fix: with(func(f *usher.Fix) { f.Proof.Differ = nil }), before: func(w *world) {
			w.change(edit("10:05", "user", "alice", "requiredActions"))
		}, says: "the user 'alice' was edited"},
		{name: "the user's mail", fix: device, before: func(w *world) { w.change(edit("10:05", "user", "alice", "email")) }, holds: true},
		{name: "usher weakened it", fix: device, before: func(w *world) {
			w.now = at("10:05")
			w.must(w.book.Applying(w.tx, 1, usher.FixPlan{Case: 1, Fix: usher.Fix{ID: "9", Title: "Exclude the user", Risk: usher.RiskWeakening}}, "ana"))
			w.must(w.book.Applied(w.tx, 1, "1", w.plan(1, "1")))
		}, says: "security was weakened at 10:05 (Exclude the user)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, oneFix(test.fix))
			w.now = at("10:30")
			ev, f := deviceCase()
			w.refuse(ev, f)
			if test.before != nil {
				test.before(w)
			}
			success, _ := deviceCase()
			success.Time, success.Device.UID, success.Policies = at("10:10"), "other", nil
			if test.change != nil {
				test.change(&success)
			}
			w.now = later(at("10:30"), success.Time.Add(time.Minute))
			w.succeed(success)
			c := w.get(1)
			if (c.State == usher.CaseFixed) != test.holds {
				t.Fatalf("it is %s:\n%s", c.State, story(c))
			}
			said := ""
			for _, e := range c.Timeline {
				if e.Kind == usher.EntryUnproven {
					said = e.Text
				}
			}
			if !strings.Contains(said, test.says) || test.says == "" && said != "" {
				t.Errorf("it says %q, not %q", said, test.says)
			}
			if p := c.Proven; test.holds && (p == nil || p.Comment == "" || len(p.Fields) != len(test.fix.Proof.Equal)+len(test.fix.Proof.Differ)) {
				t.Errorf("the proof is %+v", p)
			} else if p != nil {
				for _, f := range p.Fields {
					if !f.Holds || f.Refusal == "" || f.Success == "" {
						t.Errorf("a proof with the field %+v", f)
					}
				}
			}
		})
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// declare and apply bring case 1's first fix to its end at a time.
func declare(clock string) func(*world) {
	return func(w *world) {
		w.now = at(clock)
		w.must(w.book.Declare(w.tx, 1, "1", "ana", ""))
	}
}

func apply(clock string) func(*world) {
	return func(w *world) {
		w.now = at(clock)
		w.must(w.book.Applying(w.tx, 1, usher.FixPlan{Case: 1, Fix: w.get(1).Fixes[0]}, "ana"))
		w.must(w.book.Applied(w.tx, 1, "1", w.plan(1, "1")))
	}
}

// TestLateWeakening: the record of the change comes after the success.
func TestLateWeakening(t *testing.T) {
	for _, test := range []struct {
		name  string
		fixer usher.Fixer
		clock string
		want  usher.CaseState
	}{
		{"between", usher.FixerUser, "10:05", usher.CaseOpen},
		{"before", usher.FixerUser, "09:59", usher.CaseFixed},
		{"after", usher.FixerUser, "10:11", usher.CaseFixed},
		{"and it is the fix", usher.FixerTenantAdmin, "10:05", usher.CaseFixed},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, oneFix(usher.Fix{Fixer: test.fixer, Proof: usher.ProofCondition{Equal: []string{"user", "client"}}}))
			ev, f := deviceCase()
			w.refuse(ev, f)
			ev.Time, ev.Policies, ev.UID = at("10:10"), nil, ""
			w.succeed(ev)
			w.state(1, usher.CaseFixed)
			w.change(edit(test.clock, "policy", "p1"))
			c := w.state(1, test.want)
			if test.want == usher.CaseOpen && (c.Proven != nil || !has(c, usher.EntryUnproven)) {
				t.Errorf("proven %v:\n%s", c.Proven, story(c))
			}
		})
	}
}

// TestConsentProof: fewer scopes are no consent.
func TestConsentProof(t *testing.T) {
	w := newWorld(t)
	ev := signIn("10:00", "alice", "10.0.0.1")
	ev.StatusCode, ev.OAuth.Requested = "65001", []string{"mail.read", "openid"}
	w.refuse(ev, finding("consent-required", 0.9))
	ev.UID = ""
	ev.Time, ev.OAuth.Requested = at("10:05"), []string{"openid"}
	w.succeed(ev)
	if c := w.state(1, usher.CaseOpen); !has(c, usher.EntryUnproven) {
		t.Error("it does not say why")
	}
	ev.UID = ""
	ev.Time, ev.OAuth.Requested = at("10:06"), []string{"openid", "mail.read"}
	w.succeed(ev)
	w.state(1, usher.CaseFixed)
}

// TestUnprovenIsSaidOnce: a client with two ways in does not fill the timeline.
func TestUnprovenIsSaidOnce(t *testing.T) {
	w := newWorld(t, oneFix(usher.Fix{Fixer: usher.FixerDeveloper, Proof: usher.ProofCondition{Equal: []string{"client"}, Applied: true}}))
	ev, f := deviceCase()
	w.refuse(ev, f)
	saves := 0
	for i := range 500 {
		s := signIn("10:01", "alice", "10.0.0.1")
		s.Resource, s.Time = ev.Resource, s.Time.Add(time.Duration(i)*time.Second)
		s.User.Name, s.User.UID = "user"+string(rune('a'+i%26)), ""
		w.succeed(s)
		if i == 100 {
			saves = w.tx.saves
		}
	}
	n := 0
	for _, e := range w.get(1).Timeline {
		if e.Kind == usher.EntryUnproven {
			n++
		}
	}
	if n == 0 || n > 8 || w.tx.saves != saves {
		t.Errorf("%d entries, %d writes in the end", n, w.tx.saves-saves)
	}
}

// TestLateRefusal: the success was taken before the refusal that it follows.
func TestLateRefusal(t *testing.T) {
	w := newWorld(t, func(o *casebook.Options) { o.Fixes = redirectFixes })
	ev, f := redirect("10:00", "https://shop.test/cb/", "10.0.0.1")
	good := ev
	good.Time = at("10:05")
	w.succeed(good)
	w.refuse(ev, f)
	w.state(1, usher.CaseFixed)
}

// TestSuccessOfTheCatalog proves every cause by a success that shares with its
// refusal what the catalog asks for, and by no other: what must be equal made
// unequal or unknown, what must differ made equal or unknown.
func TestSuccessOfTheCatalog(t *testing.T) {
	proven := 0
	for _, e := range catalog.Causes() {
		if e.Proof == nil {
			continue
		}
		t.Run(e.Label, func(t *testing.T) {
			ran := func(change func(*usher.Event)) *usher.Case {
				w := newWorld(t)
				refusal := fullEvent("10:00", "a")
				if refusal.OAuth.GrantType = "authorization_code"; e.Step == usher.StepRefresh {
					refusal.OAuth.GrantType = "refresh_token"
				}
				w.refuse(refusal, finding(e.Label, 0.9))
				if e.Proof.Applied {
					declare("10:05")(w)
				}
				success := refusal
				success.UID, success.Time = "", at("10:10")
				for _, path := range e.Proof.Differ {
					set(&success, path, "b")
				}
				if change != nil {
					change(&success)
				}
				w.now = at("10:20")
				w.succeed(success)
				return w.get(1)
			}
			if c := ran(nil); c.State != usher.CaseFixed {
				t.Fatalf("its own proof leaves it %s:\n%s", c.State, story(c))
			}
			proven++
			for _, path := range e.Proof.Equal {
				for _, v := range []string{"other", ""} {
					if path == "kind" && v == "" {
						continue
					}
					if c := ran(func(ev *usher.Event) { set(ev, path, v) }); c.State == usher.CaseFixed {
						t.Errorf("%s = %q proves it", path, v)
					}
				}
			}
			for _, path := range e.Proof.Differ {
				for _, v := range []string{"a", ""} {
					if c := ran(func(ev *usher.Event) { set(ev, path, v) }); c.State == usher.CaseFixed {
						t.Errorf("%s = %q proves it", path, v)
					}
				}
			}
		})
	}
	if proven < 95 {
		t.Errorf("only %d causes can be proven", proven)
	}
}

// fullEvent knows every field that proofs compare.
func fullEvent(clock, v string) usher.Event {
	ev := usher.Event{Kind: usher.EventToken, Time: at(clock), Tenant: "corp", StatusCode: "refused"}
	for _, path := range usher.FieldPaths() {
		switch path {
		case "kind", "tenant_uid", "provider", "status_code", "event_code":
		default:
			set(&ev, path, v)
		}
	}
	return ev
}

// set gives a field of FieldPaths a value.
func set(ev *usher.Event, path, v string) {
	list := []string{v}
	if v == "" {
		list = nil
	}
	switch path {
	case "kind":
		ev.Kind = usher.EventSignIn
	case "user", "user.uid":
		ev.User.UID = v
		if path == "user" {
			ev.User.Name = v
		}
	case "user.name":
		ev.User.Name = v
	case "client", "client.uid":
		ev.Client = usher.Party{UID: v}
	case "resource", "resource.uid":
		ev.Resource = usher.Party{UID: v}
	case "src_endpoint.ip":
		ev.Source.IP = v
	case "session_uid":
		ev.Session = v
	case "user_agent":
		ev.UserAgent = v
	case "device", "device.uid":
		ev.Device.UID = v
	case "http_request.path":
		ev.Request.Path = v
	case "oauth.endpoint":
		ev.OAuth.Endpoint = v
	case "oauth.grant_type":
		ev.OAuth.GrantType = v
	case "oauth.client_auth":
		ev.OAuth.ClientAuth = v
	case "oauth.redirect_uri":
		ev.OAuth.RedirectURI = v
	case "oauth.token_uid":
		ev.OAuth.TokenUID = v
	case "oauth.key_uid":
		ev.OAuth.KeyID = v
	case "oauth.client_app":
		ev.OAuth.ClientApp = v
	case "oauth.credential_uid":
		ev.OAuth.Credential = v
	case "oauth.scopes_requested":
		ev.OAuth.Requested = list
	case "oauth.scopes_granted":
		ev.OAuth.Granted = list
	case "oauth.audiences":
		ev.OAuth.Audiences = list
	default:
		panic("no way to set " + path)
	}
}
