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
