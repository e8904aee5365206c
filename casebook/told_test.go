package casebook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"usher"
)

// TestAttackToldOfOneMoment: the title, the detail and the proof of an attack
// tell the same numbers, and the title every client.
func TestAttackToldOfOneMoment(t *testing.T) {
	s := newStream(t)
	take := func(i int, client, ip string) {
		ev, f := wrongPassword("11:00", fmt.Sprintf("user%03d", i), ip)
		ev.Time, ev.Client = ev.Time.Add(time.Duration(i)*time.Second), usher.Party{UID: client}
		s.take(withStatus(ev), f)
	}
	for i := range 7 {
		take(i, "shop", "203.0.113.7")
	}
	for i := range 40 {
		take(7+i, "spr", "203.0.113.66")
	}
	for _, more := range []int{0, 6} {
		for i := range more {
			take(47+i, "spr", "203.0.113.66")
		}
		attack, _ := s.attack()
		n := 47 + more
		if want := fmt.Sprintf("Password spray against 'shop' and 'spr': %d users tried from 2 addresses", n); attack.Title != want {
			t.Errorf("the title is %q, want %q", attack.Title, want)
		}
		if want := fmt.Sprintf("%d users were tried from 2 addresses within ", n); !strings.HasPrefix(attack.Finding.Detail, want) {
			t.Errorf("the detail is %q, want %q", attack.Finding.Detail, want)
		}
		if want := fmt.Sprintf("%d failed users from 203.0.113.66, 203.0.113.7", n); attack.Finding.Proof[0].Got != want {
			t.Errorf("the proof is %q, want %q", attack.Finding.Proof[0].Got, want)
		}
	}
	for i := range 5 {
		take(60+i, fmt.Sprintf("app%d", i), "203.0.113.66")
	}
	if attack, _ := s.attack(); !strings.HasPrefix(attack.Title, "Password spray against 'app0', 'app1', 'app2' and 4 more clients: ") {
		t.Errorf("the title is %q", attack.Title)
	}
}
