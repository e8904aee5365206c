// Package detect watches the stream of events for attacks and leaks: Sigma
// rules, correlations, fingerprints of secrets.
//
// What there is so far are two correlations over failed sign-ins: password
// sprays and brute force. They live on the time of the events, not on that of
// the machine, and within a stated memory.
package detect

import (
	"time"

	"usher"
)

// Options are what a Watch needs to know; every zero has a good default.
type Options struct {
	// Now bounds times: an event from later than five minutes after Now counts as
	// of Now. nil: times are taken as they are.
	Now func() time.Time
	// Window is how long a failed sign-in counts; 0: 30 minutes.
	Window time.Duration
	// SprayUsers is how many users must be tried before it is a spray; 0: 10.
	SprayUsers int
	// BruteTries is how often one user must be tried within a third of the window
	// before it is brute force; 0: 50. From five addresses and more, two fifths
	// of it are enough.
	BruteTries int
	// BurstTries is how often one user must be tried from one address within ten
	// seconds before a success of that user from there, in the ten minutes after,
	// is taken for a guess that was right; 0: 10. Nobody types that fast, but a
	// program that repeats an old password looks the same, so the burst alone is
	// no attack.
	BurstTries int
	// Memory is how many addresses and how many users are watched at once; 0:
	// 10,000 each.
	Memory int
}

// Alert is an attack that the events of one tenant show.
type Alert struct {
	Finding     usher.Finding // what it is, with its subject
	Tenant      string
	Sources     []string // addresses that it comes from, see Source, sorted
	Clients     []string // clients that it was tried at, sorted
	Fingerprint string   // the same for the same attack
	Events      []string // uids of the latest tries that gave it away, at most 200
}

// Watch watches a stream of events. It is for one goroutine at a time.
type Watch struct {
	opt     Options
	sources map[place]*source
	users   map[place]*target
	// suspects are, by tenant, the addresses that tried several users.
	suspects map[string]map[string]*source
	told     map[string]*telling // by tenant and fingerprint
	turn     uint64              // counts events, to know what was not touched for long
}

// place is an address or a user of a tenant.
type place struct{ tenant, name string }

// telling is what of an attack was told already.
type telling struct {
	sources map[string]bool
	last    time.Time
	turn    uint64
}

// New gives a Watch.
func New(opt Options) *Watch {
	if opt.Window <= 0 {
		opt.Window = 30 * time.Minute
	}
	if opt.SprayUsers <= 0 {
		opt.SprayUsers = 10
	}
	if opt.BruteTries <= 0 {
		opt.BruteTries = 50
	}
	if opt.BurstTries <= 0 {
		opt.BurstTries = 10
	}
	if opt.Memory <= 0 {
		opt.Memory = 10_000
	}
	return &Watch{
		opt: opt, sources: map[place]*source{}, users: map[place]*target{},
		suspects: map[string]map[string]*source{}, told: map[string]*telling{},
	}
}

// Observe takes one event and gives the attacks that it makes visible, or of
// which it shows more. A second delivery of an event changes nothing.
func (w *Watch) Observe(ev *usher.Event) []Alert {
	user := userOf(ev)
	if user == "" {
		return nil
	}
	w.turn++
	at := w.timeOf(ev)
	switch {
	case succeeded(ev):
		w.succeed(ev, user, at)
		if a, ok := w.burst(ev.Tenant, user, Source(ev.Source.IP)); ok {
			return []Alert{a}
		}
		return nil
	case !guessed(ev):
		return nil
	}
	t := try{at: at, uid: ev.UID, user: user, source: Source(ev.Source.IP), client: clientOf(ev)}
	var alerts []Alert
	if a, ok := w.spray(ev.Tenant, t); ok {
		alerts = append(alerts, a)
	}
	if a, ok := w.brute(ev.Tenant, t); ok {
		alerts = append(alerts, a)
	} else if a, ok := w.burst(ev.Tenant, user, t.source); ok { // told after the success
		alerts = append(alerts, a)
	}
	return alerts
}

func (w *Watch) timeOf(ev *usher.Event) time.Time {
	if w.opt.Now == nil {
		return ev.Time
	}
	if now := w.opt.Now(); ev.Time.After(now.Add(5 * time.Minute)) {
		return now
	}
	return ev.Time
}

// news tells whether an attack, or one of its addresses, was not told yet. What
// has been still for a window is told anew.
func (w *Watch) news(a *Alert, at time.Time) bool {
	t := w.told[toldKey(a)]
	if t == nil || at.Sub(t.last) > w.opt.Window {
		t = &telling{sources: map[string]bool{}}
		makeRoom(w.told, w.opt.Memory, func(t *telling) uint64 { return t.turn })
		w.told[toldKey(a)] = t
	}
	fresh := len(t.sources) == 0 && len(a.Sources) == 0 && t.turn == 0
	for _, s := range a.Sources {
		if !t.sources[s] && len(t.sources) < maxSources {
			t.sources[s] = true
			fresh = true
		}
	}
	if at.After(t.last) {
		t.last = at
	}
	t.turn = w.turn
	return fresh
}

func toldKey(a *Alert) string { return a.Tenant + "\x00" + a.Fingerprint }

// Untold takes back that an attack was told, because whoever was told of it
// could not keep that: its next try tells it again.
func (w *Watch) Untold(a Alert) { delete(w.told, toldKey(&a)) }

// maxSources is how many addresses of one attack are told.
const maxSources = 100
