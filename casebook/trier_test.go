package casebook_test

import (
	"fmt"
	"testing"

	"usher"
)

// TestNobodyHidesAnOutage: one request that anybody may send, from anywhere,
// hides nothing that happens to somebody else, whichever came first.
func TestNobodyHidesAnOutage(t *testing.T) {
	stranger, people := "203.0.113.7", []string{"10.0.0.1", "10.0.0.2"}
	forged := map[string]func() (usher.Event, usher.Finding){
		"an http redirect URI": func() (usher.Event, usher.Finding) {
			ev, f := redirect("10:00", "http://shop.test/cb", stranger)
			f.Cause = "redirect-scheme-proxy"
			return ev, f
		},
		"the same but for the scheme": func() (usher.Event, usher.Finding) {
			ev, f := redirect("10:00", "http://shop.test/cb/", stranger)
			f.Cause = "redirect-scheme-proxy"
			return ev, f
		},
		"a wrong secret": func() (usher.Event, usher.Finding) {
			ev, _ := redirect("10:00", "", stranger)
			ev.Kind, ev.StatusCode = usher.EventToken, "invalid_client"
			return ev, finding("client-secret-invalid", 0.9)
		},
		"a wrong secret, from nowhere": func() (usher.Event, usher.Finding) {
			ev, _ := redirect("10:00", "", "")
			ev.Kind, ev.StatusCode = usher.EventToken, "invalid_client"
			return ev, finding("client-secret-invalid", 0.9)
		},
		"a wrong secret for a client of its own": func() (usher.Event, usher.Finding) {
			ev, _ := redirect("10:00", "", stranger)
			ev.Kind, ev.StatusCode, ev.OAuth.GrantType, ev.OAuth.ClientAuth = usher.EventAppSignIn, "invalid_client", "client_credentials", "client_secret_basic"
			return ev, finding("client-secret-invalid", 0.9)
		},
	}
	outage := map[string]func(ip string) (usher.Event, usher.Finding){
		"another redirect URI": func(ip string) (usher.Event, usher.Finding) { return redirect("10:01", "https://shop.test/cb/", ip) },
		"expired tokens": func(ip string) (usher.Event, usher.Finding) {
			ev, _ := redirect("10:01", "", ip)
			ev.Kind, ev.StatusCode = usher.EventAPI, "invalid_token"
			return ev, finding("token-expired", 0.9)
		},
		"expired tokens of unknown callers": func(string) (usher.Event, usher.Finding) {
			ev, _ := redirect("10:01", "", "")
			ev.Kind, ev.StatusCode = usher.EventAPI, "invalid_token"
			return ev, finding("token-expired", 0.9)
		},
	}
	for what, forge := range forged {
		for whom, fail := range outage {
			for _, first := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %s, first %t", what, whom, first), func(t *testing.T) {
					w := newWorld(t)
					take := func(ev usher.Event, f usher.Finding) { w.refuse(ev, f) }
					if first {
						take(forge())
					}
					for _, ip := range people {
						take(fail(ip))
					}
					if !first {
						take(forge())
					}
					for _, c := range w.tx.all() {
						if c.Behind != 0 {
							t.Errorf("hidden: %s", titles(w.tx.all()))
						}
					}
				})
			}
		}
	}
}

// TestOnesOwnConsequence: who meets a cause and what follows from it sees one
// case, until somebody else meets the consequence alone.
func TestOnesOwnConsequence(t *testing.T) {
	secret := func(change func(*usher.Event)) (usher.Event, usher.Finding) {
		ev := signIn("10:00", "", "10.0.0.1")
		ev.Kind, ev.User, ev.StatusCode = usher.EventToken, usher.Party{}, "invalid_client"
		change(&ev)
		return ev, finding("client-secret-expired", 0.9)
	}
	token := func(change func(*usher.Event)) (usher.Event, usher.Finding) {
		ev := signIn("10:01", "", "10.0.0.1")
		ev.Kind, ev.User, ev.StatusCode = usher.EventAPI, usher.Party{}, "invalid_token"
		change(&ev)
		return ev, finding("token-expired", 0.9)
	}
	same := func(*usher.Event) {}
	from := func(ip string) func(*usher.Event) { return func(ev *usher.Event) { ev.Source.IP = ip } }
	of := func(uid, name string) func(*usher.Event) {
		return func(ev *usher.Event) { ev.Source.IP, ev.User = "", usher.Party{UID: uid, Name: name} }
	}
	for name, test := range map[string]struct {
		cause, effect func(*usher.Event)
		hidden        bool
	}{
		"the same address":          {same, same, true},
		"the same network":          {from("2001:db8::1"), from("2001:db8::2"), true},
		"another address":           {same, from("10.0.0.2"), false},
		"no address":                {from(""), from(""), false},
		"no address, in one alone":  {same, from(""), false},
		"no IP address":             {from("unknown"), from("unknown"), false},
		"the same user":             {of("u1", "ann"), of("u1", ""), true},
		"the same name":             {of("", "ann"), of("u1", "ann"), true},
		"one name, two users":       {of("u2", "ann"), of("u1", "ann"), false},
		"another user":              {of("u1", "ann"), of("u2", "ben"), false},
		"another user, one address": {func(ev *usher.Event) { ev.User.UID = "u1" }, func(ev *usher.Event) { ev.User.UID = "u2" }, true},
		"the client before its secret": {func(ev *usher.Event) {
			ev.Source.IP, ev.OAuth.GrantType, ev.OAuth.ClientAuth = "", "client_credentials", "client_secret_post"
		}, from(""), false},
	} {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, first %t", name, first), func(t *testing.T) {
				w := newWorld(t)
				take := func(ev usher.Event, f usher.Finding) { w.refuse(ev, f) }
				cause, effect := int64(1), int64(2)
				if first {
					take(secret(test.cause))
					take(token(test.effect))
				} else {
					cause, effect = 2, 1
					take(token(test.effect))
					take(secret(test.cause))
				}
				if c := w.get(effect); (c.Behind == cause) != test.hidden {
					t.Fatalf("%s", titles(w.tx.all()))
				}
				if !test.hidden {
					return
				}
				take(token(from("198.51.100.9")))
				if c := w.get(effect); c.Behind != 0 || contains(w.get(cause).Consequences, effect) || !has(c, usher.EntryConsequent) {
					t.Fatalf("others meet it, and it stays hidden: %s", story(c))
				}
				take(secret(from("198.51.100.9"))) // and meet the cause as well
				if c := w.get(effect); c.Behind != cause {
					t.Errorf("all of them meet the cause, and it stands alone: %s", story(c))
				}
			})
		}
	}
	t.Run("a client that the provider knows", func(t *testing.T) {
		w := newWorld(t)
		ev, _ := secret(func(ev *usher.Event) {
			ev.Source.IP, ev.OAuth.GrantType, ev.OAuth.ClientAuth = "", "client_credentials", "private_key_jwt"
		})
		w.refuse(ev, finding("admin-consent-required", 0.9))
		ev, _ = token(from(""))
		w.refuse(ev, finding("scope-insufficient", 0.9))
		if w.get(2).Behind != 1 {
			t.Errorf("%s", titles(w.tx.all()))
		}
	})
	t.Run("its cause is closed", func(t *testing.T) {
		w := newWorld(t)
		w.refuse(secret(same))
		w.refuse(token(same))
		w.tick(at("18:00"))
		w.now = at("18:01")
		w.state(1, usher.CaseQuiet)
		ev, f := token(from("10.0.0.2")) // told late, of before
		w.refuse(ev, f)
		if c := w.get(2); c.Behind != 0 {
			t.Errorf("a stranger's try stays hidden: %s", story(c))
		}
	})
}

// TestAttackHidesItsOwnTries: a case that others meet as well does not go
// behind an attack.
func TestAttackHidesItsOwnTries(t *testing.T) {
	for name, home := range map[string]string{"from elsewhere too": "10.0.0.1", "from nowhere known too": "", "from there alone": "203.0.113.1"} {
		t.Run(name, func(t *testing.T) {
			s := newStream(t)
			ev, f := wrongPassword("11:00", "user0", home)
			s.take(withStatus(ev), f)
			for i := range 12 {
				ev, f := wrongPassword("11:01", fmt.Sprintf("user%d", i), fmt.Sprintf("203.0.113.%d", 1+i%2))
				ev.Time = ev.Time.Add(secondsOf(i))
				s.take(withStatus(ev), f)
			}
			for _, c := range s.tx.all() {
				if c.Kind == usher.CaseFailure && c.Refusal.User.Name == "user0" && (c.Behind == 0) != (home != "203.0.113.1") {
					t.Errorf("%s", titles(s.tx.all()))
				}
			}
		})
	}
}
