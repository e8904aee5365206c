package detect_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"usher"
	"usher/detect"
)

var start = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

func failed(after time.Duration, user, ip string) *usher.Event {
	return &usher.Event{
		UID: fmt.Sprintf("%s/%s/%s", after, user, ip), Kind: usher.EventSignIn, Provider: "keycloak", Tenant: "corp", Time: start.Add(after),
		Status: usher.StatusFailure, StatusCode: "invalid_user_credentials", User: usher.Party{Name: user}, Client: usher.Party{UID: "shop"},
		Source: usher.Endpoint{IP: ip},
	}
}

func signedIn(after time.Duration, user, ip string) *usher.Event {
	ev := failed(after, user, ip)
	ev.UID += "/ok"
	ev.Status, ev.StatusCode = usher.StatusSuccess, ""
	return ev
}

// watch gives the alerts of a stream.
func watch(w *detect.Watch, events ...*usher.Event) (alerts []detect.Alert) {
	for _, ev := range events {
		alerts = append(alerts, w.Observe(ev)...)
	}
	return alerts
}

func spray(users int, ips ...string) (events []*usher.Event) {
	for i := range users {
		events = append(events, failed(time.Duration(i)*10*time.Second, fmt.Sprintf("user%03d", i), ips[i%len(ips)]))
	}
	return events
}

func TestAttacks(t *testing.T) {
	change := func(events []*usher.Event, f func(int, *usher.Event)) []*usher.Event {
		for i, ev := range events {
			f(i, ev)
		}
		return events
	}
	office := func() (events []*usher.Event) { // everybody mistypes once and gets in
		for i := range 40 {
			user, after := fmt.Sprintf("user%03d", i), time.Duration(i)*time.Minute/2
			events = append(events, failed(after, user, "10.0.0.1"), signedIn(after+time.Second, user, "10.0.0.1"))
		}
		return events
	}
	brute := func(n int, every time.Duration, ips ...string) (events []*usher.Event) {
		for i := range n {
			events = append(events, failed(time.Duration(i)*every, "alice", ips[i%len(ips)]))
		}
		return events
	}
	tests := []struct {
		name   string
		events []*usher.Event
		cause  string // of the first alert, empty: none
		alerts int
	}{
		{"a spray from one address", spray(500, "203.0.113.7"), "password-spray", 1},
		{"as many users as it takes", spray(10, "203.0.113.7"), "password-spray", 1},
		{"one user fewer", spray(9, "203.0.113.7"), "", 0},
		{"a spray from three addresses", spray(30, "203.0.113.7", "203.0.113.8", "203.0.113.9"), "password-spray", 1},
		{"an address in one IPv6 network", change(spray(20, "x"), func(i int, ev *usher.Event) { ev.Source.IP = fmt.Sprintf("2001:db8:1:2::%x", i) }), "password-spray", 1},
		{"addresses all over", change(spray(40, "x"), func(i int, ev *usher.Event) { ev.Source.IP = fmt.Sprintf("198.51.100.%d", i) }), "", 0},
		{"slower than the window", change(spray(40, "203.0.113.7"), func(i int, ev *usher.Event) { ev.Time = start.Add(time.Duration(i) * 10 * time.Minute) }), "", 0},
		{"users in other tenants", change(spray(18, "203.0.113.7"), func(i int, ev *usher.Event) { ev.Tenant = fmt.Sprint(i % 2) }), "", 0},
		{"one user in many spellings", change(spray(40, "203.0.113.7"), func(i int, ev *usher.Event) {
			name := []byte("alice")
			for bit := range name {
				if i>>bit&1 == 1 {
					name[bit] -= 'a' - 'A'
				}
			}
			ev.User.Name = string(name)
		}), "", 0},
		{"tries of nobody", change(spray(100, "203.0.113.7"), func(i int, ev *usher.Event) { ev.User.Name = "" }), "", 0},
		{"an office where some give up", gaveUp(), "", 0},
		{"two halves, hours apart", change(spray(12, "203.0.113.7", "203.0.113.8"), func(i int, ev *usher.Event) {
			ev.Time = ev.Time.Add(time.Duration(i%2) * 2 * time.Hour)
		}), "", 0},
		{"ten, of whom three get in", threeGetIn(), "", 0},
		{"an office that mistypes", office(), "", 0},
		{"refused by policy", change(spray(40, "203.0.113.7"), func(_ int, ev *usher.Event) { ev.Provider, ev.StatusCode = "entra", "53003" }), "", 0},
		{"Entra's numbers", change(spray(10, "203.0.113.7"), func(_ int, ev *usher.Event) { ev.Provider, ev.StatusCode = "entra", "50126" }), "password-spray", 1},
		{"the password grant at our own door", change(spray(10, "203.0.113.7"), func(_ int, ev *usher.Event) {
			ev.Provider, ev.StatusCode, ev.Kind = "usher", "", usher.EventToken
			ev.OAuth = usher.OAuthFacts{GrantType: "password", Error: "invalid_grant"}
		}), "password-spray", 1},
		{"a refresh that failed", change(spray(40, "203.0.113.7"), func(_ int, ev *usher.Event) {
			ev.Provider, ev.StatusCode, ev.Kind = "usher", "", usher.EventToken
			ev.OAuth = usher.OAuthFacts{GrantType: "refresh_token", Error: "invalid_grant"}
		}), "", 0},
		{"steps that were asked for", change(spray(40, "203.0.113.7"), func(_ int, ev *usher.Event) { ev.Interrupted = true }), "", 0},
		{"brute force", brute(60, time.Second, "203.0.113.7"), "brute-force", 1},
		{"brute force without an address", brute(60, time.Second, ""), "brute-force", 1},
		{"one try fewer", brute(49, time.Second, "203.0.113.7"), "", 0},
		{"a phone with an old password", brute(100, 30*time.Second, "203.0.113.7"), "", 0},
		{"many addresses", brute(20, 10*time.Second, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"), "brute-force", 1},
		{"who remembers it at last", append(brute(49, 10*time.Second, "192.0.2.1"), signedIn(500*time.Second, "alice", "192.0.2.1"), failed(501*time.Second, "alice", "192.0.2.1")), "", 0},
		{"a burst and a success", append(brute(30, 2*time.Millisecond, "192.0.2.1"), signedIn(time.Second, "alice", "192.0.2.1")), "brute-force", 1},
		{"a success minutes after a burst", append(brute(10, time.Second, "192.0.2.1"), signedIn(5*time.Minute, "alice", "192.0.2.1")), "brute-force", 1},
		{"a burst that is told after its success", append(append(brute(9, time.Second, "192.0.2.1"), signedIn(time.Minute, "alice", "192.0.2.1")), failed(9500*time.Millisecond, "alice", "192.0.2.1")), "brute-force", 1},
		{"a burst without a success", brute(30, 2*time.Millisecond, "192.0.2.1"), "", 0},
		{"a burst with one try fewer", append(brute(9, time.Millisecond, "192.0.2.1"), signedIn(time.Second, "alice", "192.0.2.1")), "", 0},
		{"ten, slower than a program", append(brute(10, 1200*time.Millisecond, "192.0.2.1"), signedIn(time.Minute, "alice", "192.0.2.1")), "", 0},
		{"a burst long before the success", append(brute(30, time.Millisecond, "192.0.2.1"), signedIn(11*time.Minute, "alice", "192.0.2.1")), "", 0},
		{"a burst and a success from elsewhere", append(brute(30, time.Millisecond, "192.0.2.1"), signedIn(time.Second, "alice", "10.0.0.1")), "", 0},
		{"a burst from many and a success", append(brute(20, time.Millisecond, "192.0.2.1", "192.0.2.2", "192.0.2.3"), signedIn(time.Second, "alice", "192.0.2.1")), "", 0},
		{"a burst and somebody else's success", append(brute(30, time.Millisecond, "192.0.2.1"), signedIn(time.Second, "bob", "192.0.2.1")), "", 0},
		{"a success and a burst", append([]*usher.Event{signedIn(0, "alice", "192.0.2.1")}, brute(30, time.Millisecond, "192.0.2.1")[1:]...), "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			alerts := watch(detect.New(detect.Options{}), test.events...)
			if len(alerts) != test.alerts || test.alerts > 0 && alerts[0].Finding.Cause != test.cause {
				t.Fatalf("%d alerts, want %d of %q: %+v", len(alerts), test.alerts, test.cause, alerts)
			}
			for _, a := range alerts {
				if a.Fingerprint == "" || len(a.Events) == 0 || len(a.Events) > 200 || !slices.IsSorted(a.Sources) {
					t.Errorf("the alert is %+v", a)
				}
			}
		})
	}
}

// gaveUp is an office in which twelve give up beside thirty who get in.
func gaveUp() (events []*usher.Event) {
	for i := range 42 {
		ev := signedIn(time.Duration(i)*time.Second, fmt.Sprintf("user%03d", i), "10.0.0.1")
		if i >= 30 {
			ev = failed(time.Duration(i)*time.Second, fmt.Sprintf("user%03d", i), "10.0.0.1")
		}
		events = append(events, ev)
	}
	return events
}

func threeGetIn() (events []*usher.Event) {
	for i := range 10 {
		user := fmt.Sprintf("user%03d", i)
		events = append(events, failed(time.Duration(i)*time.Minute, user, "10.0.0.1"))
		if i < 3 {
			events = append(events, signedIn(time.Duration(i)*time.Minute+time.Second, user, "10.0.0.1"))
		}
	}
	return events
}

func TestAnyOrder(t *testing.T) {
	events := spray(15, "203.0.113.7", "203.0.113.8")
	for range 20 {
		rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		alerts := watch(detect.New(detect.Options{}), events...)
		if len(alerts) == 0 || alerts[0].Fingerprint != "password-spray" {
			t.Fatalf("in this order it was not seen")
		}
	}
}

func TestTwiceIsOnce(t *testing.T) {
	w := detect.New(detect.Options{})
	ev := failed(0, "alice", "203.0.113.7")
	for range 200 {
		if alerts := w.Observe(ev); len(alerts) != 0 {
			t.Fatalf("one try delivered again and again is an attack: %+v", alerts)
		}
	}
}

func TestTold(t *testing.T) {
	w := detect.New(detect.Options{})
	if n := len(watch(w, spray(20, "203.0.113.7")...)); n != 1 {
		t.Fatalf("%d alerts", n)
	}
	var more []*usher.Event
	for i := range 5 {
		more = append(more, failed(5*time.Minute+time.Duration(i), fmt.Sprintf("next%d", i), "203.0.113.99"))
	}
	alerts := watch(w, more...)
	if len(alerts) != 1 || !slices.Equal(alerts[0].Sources, []string{"203.0.113.7", "203.0.113.99"}) {
		t.Errorf("another address of the spray gives %+v", alerts)
	}
	var next []*usher.Event
	for _, ev := range spray(10, "203.0.113.7") {
		ev.Time = ev.Time.Add(6 * time.Hour)
		ev.UID += "/next"
		next = append(next, ev)
	}
	if n := len(watch(w, next...)); n != 1 {
		t.Errorf("the next spray gives %d alerts", n)
	}
}

// TestPadding holds that tries of one's own account cannot push the others out.
func TestPadding(t *testing.T) {
	w := detect.New(detect.Options{BruteTries: 1 << 20})
	n := 0
	for i := range 10 {
		after := time.Duration(i) * time.Minute
		for j := range 100 {
			n += len(w.Observe(failed(after+time.Duration(j)*time.Millisecond, "mallory", "203.0.113.7")))
		}
		n += len(w.Observe(failed(after+time.Second, fmt.Sprintf("user%d", i), "203.0.113.7")))
	}
	if n != 1 {
		t.Errorf("%d alerts", n)
	}
}

// TestFuture holds that a forged time cannot push the others out of the window.
func TestFuture(t *testing.T) {
	w := detect.New(detect.Options{Now: func() time.Time { return start.Add(10 * time.Minute) }})
	events := spray(10, "203.0.113.7")
	forged := failed(0, "nobody", "203.0.113.7")
	forged.Time = start.AddDate(50, 0, 0)
	events = slices.Insert(events, 5, forged)
	if len(watch(w, events...)) == 0 {
		t.Error("one event from the future hides a spray")
	}
}

// TestMemory holds the bound under a flood of addresses and users.
func TestMemory(t *testing.T) {
	w := detect.New(detect.Options{Memory: 1000})
	flood := func(n int) {
		for i := range n {
			ip := fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)
			w.Observe(failed(time.Duration(i)*time.Millisecond, fmt.Sprintf("flood%d", i), ip))
			w.Observe(signedIn(time.Duration(i)*time.Millisecond, fmt.Sprintf("guest%d", i), "192.0.2.1"))
		}
	}
	flood(2000)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	flood(50_000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2<<20 {
		t.Errorf("a flood makes the memory grow by %d bytes", grown)
	}
	if len(watch(w, spray(10, "203.0.113.7")...)) == 0 {
		t.Error("after a flood a spray is not seen")
	}
	runtime.KeepAlive(w)
}

// TestUntold holds that an attack of which the news got lost is told again.
func TestUntold(t *testing.T) {
	w := detect.New(detect.Options{})
	alerts := watch(w, spray(10, "203.0.113.7")...)
	if len(alerts) != 1 {
		t.Fatalf("%d alerts", len(alerts))
	}
	more := func(after time.Duration) int {
		return len(w.Observe(failed(after, fmt.Sprint("more", after), "203.0.113.7")))
	}
	if more(10*time.Minute) != 0 {
		t.Error("it is told twice")
	}
	w.Untold(alerts[0])
	if more(11*time.Minute) != 1 || more(12*time.Minute) != 0 {
		t.Error("it is not told again, once")
	}
}

// TestToldOnce holds that an attack is told once also where the memory for what
// was told is full.
func TestToldOnce(t *testing.T) {
	w := detect.New(detect.Options{Memory: 3, BruteTries: 4})
	for n := range 6 { // attacks, one after the other
		told := 0
		for i := range 12 {
			at := time.Duration(n)*time.Minute + time.Duration(i)*time.Second
			told += len(w.Observe(failed(at, fmt.Sprintf("user%d", n), "203.0.113.7")))
		}
		if told != 1 {
			t.Errorf("attack %d is told %d times", n+1, told)
		}
	}
}

// TestFloodBetween holds that a flood of other addresses does not push out one
// that is at it.
func TestFloodBetween(t *testing.T) {
	w := detect.New(detect.Options{Memory: 100})
	seen := 0
	for i, ev := range spray(12, "203.0.113.7") {
		seen += len(w.Observe(ev))
		if i < 3 {
			continue
		}
		for j := range 250 {
			w.Observe(failed(time.Duration(i*1000+j)*time.Millisecond, fmt.Sprintf("f%d-%d", i, j), fmt.Sprintf("10.0.%d.%d", i, j)))
		}
	}
	if seen == 0 {
		t.Error("the spray was pushed out of memory")
	}
}

// TestBusyAddress holds the bound of one address through which many sign in.
func TestBusyAddress(t *testing.T) {
	w := detect.New(detect.Options{})
	watch(w, spray(3, "10.0.0.1")...)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range 50_000 {
		w.Observe(signedIn(time.Duration(i)*time.Millisecond, fmt.Sprintf("guest%d", i), "10.0.0.1"))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("it grows by %d bytes", grown)
	}
	runtime.KeepAlive(w)
}

func TestSource(t *testing.T) {
	for ip, want := range map[string]string{
		"203.0.113.7": "203.0.113.7", "::ffff:203.0.113.7": "203.0.113.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "": "", "somewhere": "", "203.0.113.7:443": "",
	} {
		if got := detect.Source(ip); got != want {
			t.Errorf("Source(%q) = %q, want %q", ip, got, want)
		}
	}
}
