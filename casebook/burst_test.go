package casebook_test

import (
	"testing"
	"time"

	"usher"
)

// guess tries a user's password so often within a second.
func (s *stream) guess(n int, clock, user, ip string) {
	s.t.Helper()
	for i := range n {
		ev, f := wrongPassword(clock, user, ip)
		ev.Time = ev.Time.Add(time.Duration(i) * 3 * time.Millisecond)
		s.take(withStatus(ev), f)
	}
}

// TestBurst: thirty passwords within a second, and then one is right. Nothing
// of that is fixed, whatever the cause; and who shares the address has nothing
// to do with it.
func TestBurst(t *testing.T) {
	s := newStream(t)
	ev, f := wrongPassword("11:00", "bob", "203.0.113.99")
	s.take(withStatus(ev), f)
	s.guess(30, "11:01", "bru", "203.0.113.99")
	s.good("11:01:01", "bru", "203.0.113.99")
	attack, _ := s.attack()
	if attack.Count != 30 || len(attack.Compromised) != 1 || attack.Compromised[0].User.Name != "bru" || attack.Escalated.IsZero() {
		t.Fatalf("%s: %d tries, in as %v", attack.Title, attack.Count, attack.Compromised)
	}
	if want := "Somebody, perhaps an attacker, got in as 'bru' at 11:01. A program tries passwords of 'bru': 30 tries from 1 address"; attack.Title != want {
		t.Errorf("the title is %q", attack.Title)
	}
	for _, c := range s.tx.all() {
		if c.State == usher.CaseFixed {
			t.Errorf("fixed by a guess: %s\n%s", c.Title, story(c))
		}
	}
	s.good("11:02", "bob", "203.0.113.99") // who mistyped once, and sits beside it
	for _, c := range s.tx.all() {
		if bob := c.Refusal.User.Name == "bob"; bob && (c.State != usher.CaseFixed || c.Behind != 0) {
			t.Errorf("bob's own trouble is %s behind %d: %s", c.State, c.Behind, story(c))
		}
	}
	if attack, _ = s.attack(); len(attack.Compromised) != 1 {
		t.Errorf("in as %v", attack.Compromised)
	}
	s.good("11:30", "bru", "203.0.113.99")
	for _, c := range s.tx.all() {
		if c.State == usher.CaseFixed && c.Refusal.User.Name == "bru" {
			t.Errorf("fixed by who guessed: %s\n%s", c.Title, story(c))
		}
	}
}

// TestNoBurst: a person who remembers the password at last closes the case.
func TestNoBurst(t *testing.T) {
	s := newStream(t)
	for i := range 9 {
		ev, f := wrongPassword("11:00", "bru", "10.0.0.1")
		ev.Time = ev.Time.Add(time.Duration(i) * 5 * time.Second)
		s.take(withStatus(ev), f)
	}
	s.good("11:02", "bru", "10.0.0.1")
	s.state(1, usher.CaseFixed)
}
