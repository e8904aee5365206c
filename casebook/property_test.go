package casebook_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usher"
	"usher/casebook"
	"usher/detect"
)

// delivery is one event on its way to the book.
type delivery struct {
	ev usher.Event
	f  usher.Finding
}

func (w *world) deliver(d delivery) []*usher.Case {
	w.t.Helper()
	ev := d.ev
	if !w.tx.add(&ev) {
		return nil
	}
	return w.again(d)
}

// again gives an event to the book without asking whether it is known.
func (w *world) again(d delivery) []*usher.Case {
	w.t.Helper()
	ev := d.ev
	switch {
	case ev.Change != nil:
		return w.must(w.book.Change(w.tx, &ev))
	case ev.Status == usher.StatusSuccess:
		return w.must(w.book.Success(w.tx, &ev))
	}
	return w.must(w.book.Refusal(w.tx, &ev, d.f))
}

// events draws what one small company sees within an hour: refusals of a few
// causes, successes that may prove them, and changes.
func events(t *rapid.T, most int) (list []delivery) {
	n := rapid.IntRange(1, most).Draw(t, "n")
	for i := range n {
		second := rapid.IntRange(0, 3600).Draw(t, "second")
		user := rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "user")
		ip := rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2", ""}).Draw(t, "ip")
		d := draw(t, user, ip)
		d.ev.UID = fmt.Sprintf("e%03d", i)
		d.ev.Time = at("10:00").Add(time.Duration(second)*time.Second + time.Duration(i))
		list = append(list, d)
	}
	return list
}

func draw(t *rapid.T, user, ip string) (d delivery) {
	switch rapid.SampledFrom([]string{"redirect", "redirect", "proxy", "device", "password", "secret", "refresh", "token", "token", "change"}).Draw(t, "what") {
	case "redirect":
		d.ev, d.f = redirect("10:00", "https://shop.test/"+rapid.SampledFrom([]string{"cb/", "CB"}).Draw(t, "uri"), ip)
		d.ev.Tenant = "corp"
	case "proxy":
		d.ev, d.f = redirect("10:00", "http://shop.test/"+rapid.SampledFrom([]string{"cb/", "CB"}).Draw(t, "uri"), ip)
		d.ev.Tenant, d.f.Cause = "corp", "redirect-scheme-proxy"
	case "refresh":
		d.ev = signIn("10:00", user, ip)
		d.ev.Kind, d.ev.StatusCode = usher.EventToken, "invalid_grant"
		d.f = finding("refresh-token-expired", 0.9)
	case "device":
		d.ev, d.f = deviceCase()
		d.ev.User, d.ev.Source.IP = usher.Party{UID: "id-" + user, Name: user}, ip
		d.ev.Device.UID = rapid.SampledFrom([]string{"laptop", "phone"}).Draw(t, "device")
	case "password":
		d.ev, d.f = wrongPassword("10:00", user, ip)
	case "secret":
		d.ev = usher.Event{Kind: usher.EventToken, Tenant: "corp", Client: usher.Party{UID: "shop"}, StatusCode: "invalid_client", Source: usher.Endpoint{IP: ip}}
		d.f = finding("client-secret-expired", 0.9)
	case "token":
		d.ev = usher.Event{Kind: usher.EventAPI, Tenant: "corp", Client: usher.Party{UID: "shop"}, StatusCode: "invalid_token", Resource: usher.Party{UID: "orders"}, Source: usher.Endpoint{IP: ip}}
		if rapid.Bool().Draw(t, "person") {
			d.ev.User = usher.Party{UID: "id-" + user, Name: user}
		}
		d.ev.OAuth.TokenUID = rapid.SampledFrom([]string{"t1", "t2"}).Draw(t, "token")
		d.f = finding("token-expired", 0.9)
	case "change":
		d.ev = edit("10:00", rapid.SampledFrom([]string{"client", "policy", "realm", "user"}).Draw(t, "type"),
			rapid.SampledFrom([]string{"shop", "p1", "corp", "alice"}).Draw(t, "target"))
		d.ev.Tenant = rapid.SampledFrom([]string{"master", "corp"}).Draw(t, "tenant")
		return d
	}
	d.ev.Status = usher.StatusFailure
	if rapid.IntRange(0, 3).Draw(t, "success") == 0 {
		d.ev.Status, d.ev.StatusCode, d.ev.Policies, d.f = usher.StatusSuccess, "", nil, usher.Finding{}
	}
	return d
}

// essence is what of the cases must not depend on the order of delivery. What
// usher itself did and when stands in the timeline; of it the counts count.
// Whether a case that is not proven was proven for a while depends on it too.
//
// Nor does it count behind which case one stands where there are successes: a
// case that comes when its cause is closed stands on its own.
func essence(w *world) (lines []string) {
	successes := slices.ContainsFunc(w.tx.parsed, func(ev *usher.Event) bool { return ev.Status == usher.StatusSuccess && ev.Change == nil })
	prints := map[int64]string{0: ""}
	for _, c := range w.tx.all() {
		if !successes {
			prints[c.ID] = c.Fingerprint
		}
	}
	for _, c := range w.tx.all() {
		state := c.State
		if state == usher.CaseRegressed || state == usher.CaseVerifying {
			state = usher.CaseOpen
		}
		var changed []string
		for _, ev := range c.Changed {
			changed = append(changed, ev.UID)
		}
		summary, _, _ := strings.Cut(c.Summary, " It was fixed")
		if c.Proven != nil {
			summary = strings.TrimSuffix(summary, c.Proven.Comment)
		}
		lines = append(lines, fmt.Sprintf("%s %s %s behind %q: %d tries, %s to %s, %d users, %d addresses, %v, last %s, changed %v, %s, %q",
			c.Fingerprint, c.Kind, state, prints[c.Behind], c.Count, c.First.Format(time.TimeOnly), c.Last.Format(time.TimeOnly), c.Users, c.Addresses,
			c.Affected, c.Refusal.UID, changed, c.Finding.Cause, strings.TrimSpace(summary)))
	}
	slices.Sort(lines)
	return lines
}

// TestAnyOrder: the same events in another order give the same cases.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := events(t, 14)
		slices.SortFunc(list, func(a, b delivery) int { return a.ev.Time.Compare(b.ev.Time) })
		other := rapid.Permutation(list).Draw(t, "order")
		a, b := newWorld(t), newWorld(t)
		for _, d := range list {
			a.deliver(d)
		}
		for _, d := range other {
			b.deliver(d)
			for _, c := range b.tx.all() {
				invariants(t, c)
			}
		}
		if x, y := essence(a), essence(b); !slices.Equal(x, y) {
			t.Fatalf("in time:\n%s\n%s\nin another order:\n%s\n%s", strings.Join(x, "\n"), stories(a), strings.Join(y, "\n"), stories(b))
		}
	})
}

// TestOnlyOnesOwnIsHidden: whatever stands behind another case was tried by
// those alone who tried that one, and whoever comes later from elsewhere brings
// it out. Who was there is read from the store, without the book.
func TestOnlyOnesOwnIsHidden(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for _, d := range events(t, 20) {
			w.deliver(d)
			for _, c := range w.tx.all() {
				if c.Behind == 0 {
					continue
				}
				cause := w.get(c.Behind)
				for _, try := range w.triesOf(c.ID) {
					if !slices.ContainsFunc(w.triesOf(cause.ID), func(other *usher.Event) bool {
						return try.User.Is(other.User) || try.Source.IP != "" && try.Source.IP == other.Source.IP
					}) {
						t.Fatalf("%q is hidden behind %q, and %s of %q from %q never met that", c.Title, cause.Title, try.UID, try.User, try.Source.IP)
					}
				}
				if a, b := c.Refusal.OAuth.RedirectURI, cause.Refusal.OAuth.RedirectURI; a != "" && b != "" && strings.TrimPrefix(a, "https") != strings.TrimPrefix(b, "http") {
					t.Fatalf("%s is hidden behind %s", a, b)
				}
			}
		}
	})
}

// triesOf gives the tries of a case.
func (w *world) triesOf(id int64) (list []*usher.Event) {
	for key := range w.tx.tries[id] {
		if uid, ok := strings.CutPrefix(key, "event:"); ok {
			ev, _ := w.tx.Event(uid)
			list = append(list, ev)
		}
	}
	return list
}

func stories(w *world) (s string) {
	for _, c := range w.tx.all() {
		s += c.Title + "\n" + story(c)
	}
	return s
}

// TestTwiceIsOnce: what comes again changes nothing, even when the store did
// not notice.
func TestTwiceIsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := events(t, 12)
		w := newWorld(t)
		for _, d := range list {
			w.deliver(d)
		}
		before := essence(w)
		for _, d := range rapid.Permutation(list).Draw(t, "again") {
			w.again(d)
		}
		if after := essence(w); !slices.Equal(before, after) {
			t.Fatalf("once:\n%s\nand again:\n%s\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"), stories(w))
		}
	})
}

// TestNeverFixedWithoutProof plays people, events and time in any order. When a
// case is fixed, its proof is looked over by other eyes.
func TestNeverFixedWithoutProof(t *testing.T) {
	applied := usher.Fix{ID: "1", Title: "Do it", Fixer: usher.FixerDeveloper, Proof: usher.ProofCondition{Equal: []string{"client"}, Applied: true}}
	person := usher.Fix{ID: "2", Title: "Another device", Fixer: usher.FixerUser, Proof: usher.ProofCondition{Equal: []string{"user", "client"}, Differ: []string{"device.uid"}}}
	loose := usher.Fix{ID: "3", Title: "Anything", Proof: usher.ProofCondition{}}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, func(o *casebook.Options) {
			o.Fixes = func(*usher.Case) []usher.Fix { return []usher.Fix{applied, person, loose} }
		})
		states := map[int64]usher.CaseState{}
		w.now = at("10:00")
		for i := range rapid.IntRange(1, 30).Draw(t, "steps") {
			w.now = w.now.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "pause")) * time.Second)
			step(t, w, i)
			for _, c := range w.tx.all() {
				invariants(t, c)
				if c.State == usher.CaseFixed && states[c.ID] != usher.CaseFixed {
					lookOver(t, w, c)
				}
				states[c.ID] = c.State
			}
		}
	})
}

// step does anything.
func step(t *rapid.T, w *world, i int) {
	id := int64(rapid.IntRange(1, 3).Draw(t, "case"))
	run := fmt.Sprint(rapid.IntRange(1, 2).Draw(t, "run"))
	var err error
	switch rapid.IntRange(0, 11).Draw(t, "act") {
	case 0:
		_, err = w.book.Declare(w.tx, id, fmt.Sprint(rapid.IntRange(1, 3).Draw(t, "fix")), "ana", "")
	case 1:
		_, err = w.book.Applying(w.tx, id, usher.FixPlan{Case: id, Fix: usher.Fix{ID: "1", Title: "Do it", Proof: usher.ProofCondition{Equal: []string{"client"}, Applied: true}}}, "ana")
	case 2:
		_, err = w.book.Applied(w.tx, id, run, w.plan(id, run))
	case 3:
		_, err = w.book.Undone(w.tx, id, run, "ana")
	case 4:
		_, err = w.book.Intend(w.tx, id, casebook.Intent{Owner: "ana", Reason: "r", Expires: w.now.Add(10 * time.Minute)})
	case 5:
		_, err = w.book.Tick(w.tx, w.now)
	default:
		user := rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "user")
		d := draw(t, user, rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2"}).Draw(t, "ip"))
		d.ev.UID = fmt.Sprintf("e%03d", i)
		d.ev.Time = w.now.Add(-time.Duration(rapid.IntRange(0, 900).Draw(t, "late")) * time.Second)
		w.deliver(d)
	}
	_ = err // a refused act is as good as none: the invariants are looked at after each
}

// lookOver holds a proof against what stands in the store, without the book.
func lookOver(t *rapid.T, w *world, c *usher.Case) {
	p := c.Proven
	ev, _ := w.tx.Event(p.Event.UID)
	if ev == nil || ev.Status != usher.StatusSuccess || ev.Tenant != c.Refusal.Tenant || !ev.Time.After(c.Last) {
		t.Fatalf("case %d is proven by %+v", c.ID, ev)
	}
	last := c.Refusal
	cond := map[string]usher.ProofCondition{"1": {Equal: []string{"client"}, Applied: true}, "2": {Equal: []string{"user", "client"}, Differ: []string{"device.uid"}}}[p.Fix]
	if len(cond.Equal) == 0 {
		t.Fatalf("case %d is proven by a fix without a condition", c.ID)
	}
	for _, path := range append(cond.Equal, cond.Differ...) {
		a, _ := last.Field(path)
		b, _ := ev.Field(path)
		if a == "" || b == "" || (a == b) != slices.Contains(cond.Equal, path) {
			t.Fatalf("case %d: %s is %q and %q", c.ID, path, a, b)
		}
	}
	if !cond.Applied {
		for _, ch := range w.tx.parsed {
			if ch.Change != nil && ch.Change.Type == "policy" && ch.Change.Target.Name == "p1" && ch.Time.After(c.Last) && !ch.Time.After(ev.Time) && c.Finding.Cause == "policy-device" {
				t.Fatalf("case %d: the policy gave way", c.ID)
			}
		}
		return
	}
	if !slices.ContainsFunc(c.Runs, func(r usher.FixRun) bool {
		return (r.State == usher.RunApplied || r.State == usher.RunDeclared) && r.Plan.Fix.ID == p.Fix && r.Finished.Before(ev.Time)
	}) {
		t.Fatalf("case %d is fixed by a fix that nobody carried out before", c.ID)
	}
}

// TestAttackersProveNothing: whatever else happens, where every success is of
// an attacking address nothing is ever fixed once it is seen to attack.
func TestAttackersProveNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &stream{newWorld(t), detect.New(detect.Options{})}
		s.now = at("13:00")
		for i := range 40 { // the failures of before, and the spray itself
			ip, user := "203.0.113.7", fmt.Sprintf("user%d", i)
			if i < 10 {
				ip, user = fmt.Sprintf("10.0.0.%d", i), rapid.SampledFrom([]string{"alice", "user11"}).Draw(t, "user")
			}
			ev, f := wrongPassword("11:00", user, ip)
			ev.Time = ev.Time.Add(time.Duration(i) * time.Second)
			s.take(withStatus(ev), f)
		}
		for range rapid.IntRange(1, 20).Draw(t, "n") {
			d := draw(t, rapid.SampledFrom([]string{"alice", "user11", "user12"}).Draw(t, "user"), "203.0.113.7")
			d.ev.Time = at("11:05").Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "second")) * time.Second)
			d.ev.Source.IP = "203.0.113.7"
			d.ev.UID = s.uid()
			d.ev.StatusCode = cmp.Or(d.ev.StatusCode, "0")
			if d.ev.Change != nil {
				d.ev.Source.IP = ""
				if d.ev.Change.Type == "user" {
					continue // it may end the attack, which is another test
				}
			}
			s.deliver(d)
		}
		for _, c := range s.tx.all() {
			invariants(t, c)
			if c.State == usher.CaseFixed {
				t.Fatalf("an attacker closed case %d (%s)\n%s", c.ID, c.Title, story(c))
			}
		}
	})
}
