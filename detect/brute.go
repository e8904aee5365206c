package detect

import (
	"slices"
	"time"

	"usher"
)

// target is one user and the tries to get in as that user.
type target struct {
	tries []try
	ok    time.Time // of the last success
	oks   []try     // the last successes
	turn  uint64
}

// fewAddresses is how many addresses tell an attacker from a device that keeps
// an old password.
const fewAddresses = 5

// brute counts a try at its user: very many within a third of the window, or
// many from many addresses.
func (w *Watch) brute(tenant string, t try) (Alert, bool) {
	u := w.users[place{tenant, t.user}]
	if u == nil {
		u = &target{}
		makeRoom(w.users, w.opt.Memory, func(u *target) uint64 { return uint64(min(len(u.tries), 8))<<56 | u.turn })
		w.users[place{tenant, t.user}] = u
	}
	u.turn = w.turn
	u.tries = put(u.tries, t, w.opt.Window/3, max(w.opt.BruteTries, maxTries))
	tries := slices.DeleteFunc(slices.Clone(u.tries), func(t try) bool { return !t.at.After(u.ok) })
	sources := different(tries, func(t *try) string { return t.source })
	enough := w.opt.BruteTries
	if len(sources) >= fewAddresses {
		enough = w.opt.BruteTries * 2 / 5
	}
	if len(tries) < enough {
		return Alert{}, false
	}
	a := Alert{
		Tenant: tenant, Fingerprint: "brute-force " + t.user, Sources: sources,
		Clients: different(tries, func(t *try) string { return t.client }), Events: uids(tries),
	}
	a.Finding = usher.Finding{
		Cause: BruteForce, Outcome: usher.OutcomeWrong, Confidence: 0.9,
		Step: usher.StepSignIn, Fixer: usher.FixerTenantAdmin, Subject: usher.Subject{Tenant: tenant, User: t.user},
	}
	Describe(&a.Finding, extentOf(tries, []string{t.user}, sources, a.Clients))
	return a, w.news(&a, t.at)
}

const (
	burstWithin = 10 * time.Second
	maxOKs      = 8
)

// burst tells whether a user got in from an address from which that user had
// been tried faster than anybody types.
func (w *Watch) burst(tenant, user, source string) (Alert, bool) {
	u := w.users[place{tenant, user}]
	if u == nil || source == "" {
		return Alert{}, false
	}
	since := time.Time{}
	for _, ok := range u.oks {
		tries := slices.DeleteFunc(slices.Clone(u.tries), func(t try) bool {
			return t.source != source || t.at.After(ok.at) || !t.at.After(since) || t.at.Before(ok.at.Add(-w.opt.Window/3))
		})
		since = ok.at
		if ok.source != source || !fast(tries, w.opt.BurstTries) {
			continue
		}
		a := Alert{
			Tenant: tenant, Fingerprint: "brute-force " + user, Sources: []string{source},
			Clients: different(tries, func(t *try) string { return t.client }), Events: uids(tries),
		}
		a.Finding = usher.Finding{
			Cause: BruteForce, Outcome: usher.OutcomeWrong, Confidence: 0.7,
			Step: usher.StepSignIn, Fixer: usher.FixerTenantAdmin, Subject: usher.Subject{Tenant: tenant, User: user},
		}
		Describe(&a.Finding, extentOf(tries, []string{user}, a.Sources, a.Clients))
		return a, w.news(&a, ok.at)
	}
	return Alert{}, false
}

// fast tells whether so many of the tries, which are in the order of time, lie
// within ten seconds.
func fast(tries []try, n int) bool {
	for i := n - 1; i < len(tries); i++ {
		if tries[i].at.Sub(tries[i-n+1].at) <= burstWithin {
			return true
		}
	}
	return false
}
