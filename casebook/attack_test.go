package casebook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/casebook"
	"usher/detect"
)

// stream gives events to the watch and to the book, as the server does.
type stream struct {
	*world
	watch *detect.Watch
}

func newStream(t tester) *stream {
	return &stream{newWorld(t), detect.New(detect.Options{})}
}

func (s *stream) take(ev usher.Event, f usher.Finding) {
	s.t.Helper()
	ev.Provider = "keycloak"
	if ev.UID == "" {
		ev.UID = s.uid()
	}
	alerts := s.watch.Observe(&ev)
	if ev.Status == usher.StatusSuccess {
		s.succeed(ev)
	} else {
		s.refuse(ev, f)
	}
	stored, _ := s.tx.Event(ev.UID)
	for _, a := range alerts {
		s.must(s.book.Alert(s.tx, stored, a))
	}
}

// spray tries users one after the other, a second apart, from noon on.
func (s *stream) spray(users int, ips ...string) {
	s.t.Helper()
	for i := range users {
		ev, f := wrongPassword("11:00", fmt.Sprintf("user%03d", i), ips[i%len(ips)])
		ev.Time = ev.Time.Add(time.Duration(i) * time.Second)
		ev.Status = usher.StatusFailure
		s.take(ev, f)
	}
}

func (s *stream) good(clock, user, ip string) {
	s.t.Helper()
	ev := signIn(clock, user, ip)
	ev.Status = usher.StatusSuccess
	s.take(ev, usher.Finding{})
}

// attack gives the one case of an attack, and the cases that people see.
func (s *stream) attack() (attack *usher.Case, visible []*usher.Case) {
	s.t.Helper()
	for _, c := range s.tx.all() {
		if c.Kind == usher.CaseAttack {
			if attack != nil {
				s.t.Fatalf("two attacks: %s", titles(s.tx.all()))
			}
			attack = c
		}
		if c.Behind == 0 && c.State != usher.CaseFixed {
			visible = append(visible, c)
		}
	}
	if attack == nil {
		s.t.Fatalf("no attack: %s", titles(s.tx.all()))
	}
	return attack, visible
}

func TestSprayIsOneCase(t *testing.T) {
	for name, ips := range map[string][]string{"one address": {"203.0.113.7"}, "three": {"203.0.113.7", "203.0.113.8", "203.0.113.9"}} {
		t.Run(name, func(t *testing.T) {
			s := newStream(t)
			s.spray(500, ips...)
			attack, visible := s.attack()
			if len(visible) != 1 || visible[0].ID != attack.ID {
				t.Errorf("%d cases are seen: %s", len(visible), titles(visible))
			}
			if n := len(s.tx.cases); n > 40 {
				t.Errorf("%d cases were made", n)
			}
			if attack.Count != 500 || attack.Users != 500 || attack.Addresses != len(ips) || len(attack.Sources) != len(ips) || attack.State != usher.CaseOpen {
				t.Errorf("%d tries, %d users, %d addresses, %s", attack.Count, attack.Users, attack.Addresses, attack.State)
			}
			if !attack.Escalated.IsZero() || attack.Proven != nil {
				t.Errorf("escalated %s without a success", attack.Escalated)
			}
			want := fmt.Sprintf("Password spray against 'shop': 500 users tried from %d addresses", len(ips))
			if len(ips) == 1 {
				want = "Password spray against 'shop': 500 users tried from 1 address"
			}
			if attack.Title != want {
				t.Errorf("the title is %q, not %q", attack.Title, want)
			}
		})
	}
}

// TestAttackersSuccess: it escalates, and closes nothing: neither the attack,
// nor the failures of the same user, nor a failure of the same client.
func TestAttackersSuccess(t *testing.T) {
	s := newStream(t)
	s.now = at("11:20")
	ev, f := wrongPassword("10:30", "user005", "192.0.2.50") // the user's own trouble
	s.refuse(ev, f)
	red, rf := redirect("10:40", "https://shop.test/cb/", "203.0.113.7") // the client's own
	red.Tenant = "corp"
	s.refuse(red, rf)
	s.spray(100, "203.0.113.7")
	win := signIn("11:10", "user005", "203.0.113.7")
	win.Status, win.OAuth.RedirectURI = usher.StatusSuccess, "https://shop.test/cb/"
	s.take(win, usher.Finding{})
	s.take(func() usher.Event {
		w := signIn("11:11", "user005", "192.0.2.50")
		w.Source.IP = "203.0.113.7"
		w.Status = usher.StatusSuccess
		return w
	}(), usher.Finding{})

	attack, _ := s.attack()
	for _, c := range s.tx.all() {
		if c.State == usher.CaseFixed {
			t.Errorf("an attacker's success closed case %d: %s\n%s", c.ID, c.Title, story(c))
		}
	}
	if !attack.Escalated.Equal(at("11:10")) || len(attack.Compromised) != 1 || attack.Compromised[0].User.Name != "user005" || !attack.Compromised[0].At.Equal(at("11:11")) {
		t.Errorf("escalated %s, got into %+v", attack.Escalated, attack.Compromised)
	}
	if want := "The attacker got in as 'user005' at 11:10. Password spray"; !strings.HasPrefix(attack.Title, want) {
		t.Errorf("the title is %q", attack.Title)
	}
	if !has(attack, usher.EntryEscalated) {
		t.Error("the timeline does not tell it")
	}

	// It does not fall quiet while the attacker holds the password.
	s.tick(at("23:00"))
	s.state(attack.ID, usher.CaseOpen)
}

// TestSuccessAfterTheSpray: who found a password may well wait until the case
// is quiet, and until the server was started again.
func TestSuccessAfterTheSpray(t *testing.T) {
	s := newStream(t)
	s.spray(60, "203.0.113.7")
	attack, _ := s.attack()
	s.tick(at("15:00"))
	s.state(attack.ID, usher.CaseQuiet)
	s.watch = detect.New(detect.Options{}) // the watch forgets in a restart
	s.now = at("20:00")
	s.good("20:00", "user007", "203.0.113.7")
	if c := s.state(attack.ID, usher.CaseOpen); c.Escalated.IsZero() {
		t.Error("the success of the attacker's address is nobody's")
	}
}

// TestFirstVictim: the title names with whom it began, also where that is told
// late.
func TestFirstVictim(t *testing.T) {
	s := newStream(t)
	s.spray(60, "203.0.113.7")
	s.now = at("12:40")
	s.good("12:30", "user005", "203.0.113.7")
	s.good("12:10", "user006", "203.0.113.7")
	s.good("12:35", "user007", "203.0.113.7")
	attack, _ := s.attack()
	if !strings.Contains(attack.Title, "got in as 'user006' at 12:10 and as 2 more users") {
		t.Errorf("the title: %s", attack.Title)
	}
	invariants(t, attack)
}

// TestSuccessBeforeTheAlert: the attacker is in before it is seen that there
// is an attack. What that success proved is not proven.
func TestSuccessBeforeTheAlert(t *testing.T) {
	s := newStream(t)
	s.spray(5, "203.0.113.7")
	fixed := int64(0)
	s.now = at("11:01")
	s.good("11:00:30", "user003", "203.0.113.7")
	for _, c := range s.tx.all() {
		if c.State == usher.CaseFixed {
			fixed = c.ID
		}
	}
	if fixed == 0 {
		t.Fatal("before anything is known of an attack, a right password after a wrong one is a proof")
	}
	for i := range 20 {
		ev, f := wrongPassword("11:02", fmt.Sprintf("next%d", i), "203.0.113.7")
		s.take(withStatus(ev), f)
	}
	attack, visible := s.attack()
	if attack.Escalated.IsZero() || len(attack.Compromised) != 1 || attack.Compromised[0].User.Name != "user003" {
		t.Errorf("the earlier success does not count: %+v", attack.Compromised)
	}
	if c := s.get(fixed); c.State == usher.CaseFixed || c.Proven != nil || c.Behind != attack.ID || !has(c, usher.EntryUnproven) {
		t.Errorf("the attacker's success still proves case %d: %s\n%s", c.ID, c.State, story(c))
	}
	if len(visible) != 1 {
		t.Errorf("%d cases are seen: %s", len(visible), titles(visible))
	}
}

func withStatus(ev usher.Event) usher.Event { ev.Status = usher.StatusFailure; return ev }

// TestOthers: what is not the attacker's goes its own way.
func TestOthers(t *testing.T) {
	s := newStream(t)
	s.now = at("11:30")
	ev, f := wrongPassword("11:05", "alice", "192.0.2.50")
	s.refuse(ev, f)
	s.spray(60, "203.0.113.7")
	alice := s.get(1)
	if alice.Behind != 0 || alice.State != usher.CaseOpen {
		t.Fatalf("alice's own case is hidden: %s", titles(s.tx.all()))
	}
	s.good("11:06", "alice", "192.0.2.50")
	s.state(1, usher.CaseFixed)
	attack, _ := s.attack()
	if !attack.Escalated.IsZero() {
		t.Errorf("a success from elsewhere escalates: %+v", attack.Compromised)
	}

	other := signIn("11:10", "bob", "203.0.113.7") // the same address at another tenant
	other.Tenant, other.Status = "other", usher.StatusSuccess
	s.take(other, usher.Finding{})
	if attack, _ = s.attack(); !attack.Escalated.IsZero() {
		t.Error("a success in another tenant escalates")
	}

	// A hidden failure that goes on from elsewhere comes out.
	hidden := int64(0)
	for _, c := range s.tx.all() {
		if c.Behind == attack.ID {
			hidden = c.ID
			break
		}
	}
	c := s.get(hidden)
	ev, f = wrongPassword("11:20", c.Refusal.User.Name, "192.0.2.77")
	s.refuse(ev, f)
	if c = s.get(hidden); c.Behind != 0 || !has(c, usher.EntryConsequent) {
		t.Errorf("the user's own try stays behind the attack: %s", story(c))
	}
	if attack = s.get(attack.ID); contains(attack.Consequences, hidden) {
		t.Error("the attack still lists it")
	}
}

func contains(ids []int64, id int64) bool {
	for _, i := range ids {
		if i == id {
			return true
		}
	}
	return false
}

// userChange is a change to a user as Keycloak's audit log tells it.
func userChange(clock, user, path, operation string) usher.Event {
	ev := edit(clock, "user", "")
	ev.Change.Operation, ev.Change.Path, ev.Change.Target = operation, path, usher.Party{UID: "id-" + user}
	return ev
}

func TestHowAnAttackEnds(t *testing.T) {
	reset := userChange("11:30", "user005", "users/id-user005/reset-password", "action")
	tests := []struct {
		name string
		do   func(*stream)
		want usher.CaseState
	}{
		{"a new password", func(s *stream) { s.change(reset) }, usher.CaseFixed},
		{"sessions ended", func(s *stream) {
			s.change(userChange("11:30", "user005", "users/id-user005/logout", "action"))
		}, usher.CaseFixed},
		{"the user deleted", func(s *stream) { s.change(userChange("11:30", "user005", "users/id-user005", "delete")) }, usher.CaseFixed},
		{"Entra's names", func(s *stream) {
			ev := edit("11:30", "user", "user005", "StsRefreshTokenValidFrom")
			s.change(ev)
		}, usher.CaseFixed},
		{"an edited name", func(s *stream) { s.change(edit("11:30", "user", "user005", "displayName")) }, usher.CaseOpen},
		{"a role taken away", func(s *stream) {
			s.change(userChange("11:30", "user005", "users/id-user005/role-mappings", "delete"))
		}, usher.CaseOpen},
		{"somebody else's password", func(s *stream) {
			s.change(userChange("11:30", "user006", "users/id-user006/reset-password", "action"))
		}, usher.CaseOpen},
		{"before the attacker was in", func(s *stream) {
			s.change(userChange("11:05", "user005", "users/id-user005/reset-password", "action"))
		}, usher.CaseOpen},
		{"a reset that failed", func(s *stream) {
			ev := reset
			ev.Status = usher.StatusFailure
			s.change(ev)
		}, usher.CaseOpen},
		{"the attacker sets a new password", func(s *stream) {
			ev := reset
			ev.Source.IP = "203.0.113.7"
			s.change(ev)
		}, usher.CaseOpen},
		{"in the user's own name, from nowhere", func(s *stream) {
			ev := reset
			ev.Actor = usher.Party{UID: "id-user005"}
			s.change(ev)
		}, usher.CaseOpen},
		{"the attacker is in again", func(s *stream) {
			s.change(reset)
			s.now = at("11:40")
			s.good("11:35", "user005", "203.0.113.7")
		}, usher.CaseRegressed},
		{"only one of two", func(s *stream) {
			s.good("11:12", "user009", "203.0.113.7")
			s.change(reset)
		}, usher.CaseOpen},
		{"both", func(s *stream) {
			s.good("11:12", "user009", "203.0.113.7")
			s.change(reset)
			s.change(userChange("11:31", "user009", "users/id-user009/reset-password", "action"))
		}, usher.CaseFixed},
		{"the reset is told before the success", func(s *stream) {
			s.change(userChange("11:30", "user011", "users/id-user011/reset-password", "action"))
			s.change(reset)
			s.good("11:20", "user011", "203.0.113.7")
		}, usher.CaseFixed},
		{"declared", func(s *stream) {
			attack, _ := s.attack()
			s.must(s.book.Declare(s.tx, attack.ID, "1", "ana", "user005 has a new password, sessions ended by hand"))
		}, usher.CaseVerifying},
		{"declared, then still", func(s *stream) {
			attack, _ := s.attack()
			s.must(s.book.Declare(s.tx, attack.ID, "1", "ana", "user005 has a new password"))
			s.tick(at("23:00"))
		}, usher.CaseQuiet},
		{"declared, then in again", func(s *stream) {
			attack, _ := s.attack()
			s.must(s.book.Declare(s.tx, attack.ID, "1", "ana", "user005 has a new password"))
			s.now = at("11:59")
			s.good("11:58", "user005", "203.0.113.7")
		}, usher.CaseOpen},
		{"nothing", func(s *stream) { s.tick(at("23:00")) }, usher.CaseOpen},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStream(t)
			s.now = at("11:32")
			s.spray(60, "203.0.113.7")
			s.good("11:10", "user005", "203.0.113.7")
			test.do(s)
			attack, _ := s.attack()
			c := s.state(attack.ID, test.want)
			if (c.State == usher.CaseFixed) != (c.Proven != nil) {
				t.Errorf("%s, proven by %+v", c.State, c.Proven)
			}
		})
	}
}

func TestDeclareAttackNeedsReason(t *testing.T) {
	s := newStream(t)
	s.spray(60, "203.0.113.7")
	attack, _ := s.attack()
	if _, err := s.book.Declare(s.tx, attack.ID, "1", "ana", " "); err == nil {
		t.Error("an attack is declared ended without a reason")
	}
	s.state(attack.ID, usher.CaseOpen)
}

// TestPasswordKnown: the second factor stopped the attacker, who knows the
// password now.
func TestPasswordKnown(t *testing.T) {
	s := newStream(t)
	s.now = at("11:20")
	s.spray(60, "203.0.113.7")
	ev := signIn("11:10", "user005", "203.0.113.7")
	ev.StatusCode = "invalid_otp"
	s.take(withStatus(ev), finding("mfa-failed", 0.9))
	attack, visible := s.attack()
	if len(attack.Compromised) != 1 || attack.Escalated.IsZero() || len(visible) != 1 {
		t.Errorf("a password that is known does not escalate: %s", story(attack))
	}
	ev = signIn("11:11", "user006", "203.0.113.7")
	ev.StatusCode = "who_knows"
	s.take(withStatus(ev), finding("mfa-failed", 0.3))
	if attack, _ = s.attack(); len(attack.Compromised) != 1 {
		t.Error("a cause that is not told escalates")
	}
	tries := attack.Count
	ev = signIn("11:05", "user005", "203.0.113.7") // told late: the attacker knew the password before
	ev.StatusCode = "invalid_otp"
	s.take(withStatus(ev), finding("mfa-failed", 0.9))
	if attack, _ = s.attack(); attack.Count != tries+1 || len(attack.Compromised) != 1 {
		t.Errorf("%d tries after %d, %d got in", attack.Count, tries, len(attack.Compromised))
	}
	invariants(t, attack)
}

// TestIntendedAttack: a test by one's own people.
func TestIntendedAttack(t *testing.T) {
	s := newStream(t)
	s.spray(60, "203.0.113.7")
	attack, _ := s.attack()
	s.must(s.book.Intend(s.tx, attack.ID, casebook.Intent{Owner: "red team", Reason: "the yearly test", Expires: at("23:00")}))
	s.good("12:00", "user005", "203.0.113.7")
	if c := s.state(attack.ID, usher.CaseIntended); !c.Escalated.IsZero() {
		t.Error("an intended attack escalates")
	}
	for _, c := range s.tx.all() {
		if c.State == usher.CaseFixed {
			t.Errorf("it proves case %d", c.ID)
		}
	}
}

// TestNextAttack: another one, long after, is another case.
func TestNextAttack(t *testing.T) {
	s := newStream(t)
	s.spray(60, "203.0.113.7")
	s.tick(at("18:00"))
	alert := func(day int, first bool) {
		var events []string
		for i := range 3 {
			ev, _ := wrongPassword("09:00", fmt.Sprintf("late%d-%d-%t", day, i, first), "198.51.100.9")
			ev.Time = ev.Time.AddDate(0, 0, day)
			ev = withStatus(ev)
			events = append(events, s.store(&ev).UID)
		}
		ev, _ := s.tx.Event(events[0])
		s.now = ev.Time
		s.must(s.book.Alert(s.tx, ev, detect.Alert{Fingerprint: "password-spray", Finding: finding("password-spray", 0.9), Tenant: "corp", Sources: []string{"198.51.100.9"}, Events: events}))
	}
	alert(30, true)
	alert(30, false)
	var attacks []*usher.Case
	for _, c := range s.tx.all() {
		if c.Kind == usher.CaseAttack {
			attacks = append(attacks, c)
		}
	}
	if len(attacks) != 2 || attacks[0].State != usher.CaseQuiet || attacks[1].Count != 6 || len(attacks[1].Sources) != 1 {
		t.Errorf("the attacks are %s", titles(attacks))
	}
}

// TestAddressIsForgotten: after three days an address may be anybody's.
func TestAddressIsForgotten(t *testing.T) {
	s := newStream(t)
	s.spray(60, "203.0.113.7")
	attack, _ := s.attack()
	s.tick(at("18:00"))
	s.tick(at("18:00").AddDate(0, 0, 4))
	later := signIn("18:00", "alice", "203.0.113.7")
	later.Time, later.Status = later.Time.AddDate(0, 0, 4), usher.StatusSuccess
	s.take(later, usher.Finding{})
	if c := s.state(attack.ID, usher.CaseQuiet); !c.Escalated.IsZero() {
		t.Error("four days later a success from the address is still the attacker's")
	}
	for _, key := range s.tx.keys[attack.ID] {
		if strings.HasPrefix(key, "attack:") {
			t.Error("the address is still filed")
		}
	}
}

// TestIPv6 holds that a neighbour in the attacker's network is the attacker.
func TestIPv6(t *testing.T) {
	s := newStream(t)
	for i := range 60 {
		ev, f := wrongPassword("11:00", fmt.Sprintf("user%03d", i), fmt.Sprintf("2001:db8:1:2::%x", i))
		ev.Time = ev.Time.Add(time.Duration(i) * time.Second)
		s.take(withStatus(ev), f)
	}
	s.good("11:30", "user005", "2001:db8:1:2:ffff::1")
	if attack, _ := s.attack(); attack.Escalated.IsZero() || len(attack.Sources) != 1 {
		t.Errorf("sources %v, escalated %s", attack.Sources, attack.Escalated)
	}
}
