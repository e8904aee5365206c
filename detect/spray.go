package detect

import (
	"slices"
	"time"

	"usher"
)

// source is one address and whom it tried.
type source struct {
	tries []try                // at most three for a user, so that many of one cannot push out the others
	ok    map[string]time.Time // users who signed in from it
	turn  uint64
}

const (
	maxTries    = 200 // of an address
	perUser     = 3
	suspicious  = 3  // users, from which an address counts together with others
	maxSuspects = 20 // addresses of one spray that are looked at together
)

// spray counts a try at its address: many users, few tries each, from one
// address or a few.
func (w *Watch) spray(tenant string, t try) (Alert, bool) {
	if t.source == "" {
		return Alert{}, false
	}
	s := w.source(tenant, t.source)
	s.add(t, w.opt.Window)
	if len(s.failed(w.opt.Window)) < suspicious {
		return Alert{}, false
	}
	w.suspect(tenant, t.source, s)
	tries := w.suspectTries(tenant, t.at)
	users := different(tries, func(t *try) string { return t.user })
	if len(users) < w.opt.SprayUsers {
		return Alert{}, false
	}
	a := Alert{
		Tenant: tenant, Fingerprint: "password-spray",
		Sources: different(tries, func(t *try) string { return t.source }),
		Clients: different(tries, func(t *try) string { return t.client }),
	}
	a.Finding = sprayFinding(tenant, a.Sources, a.Clients, users, tries)
	a.Events = uids(tries)
	return a, w.news(&a, t.at)
}

// add counts a try, of one user at most the latest three.
func (s *source) add(t try, window time.Duration) {
	s.tries = put(s.tries, t, window, maxTries)
	n := 0
	for i := range slices.Backward(s.tries) {
		if s.tries[i].user != t.user {
			continue
		}
		if n++; n > perUser {
			s.tries = slices.Delete(s.tries, i, i+1)
			return
		}
	}
}

// failed lists the users who were tried and did not get in from here. Where
// more than half as many got in, it is an office with people who mistype, or a
// proxy, and nobody is listed.
func (s *source) failed(window time.Duration) []string {
	users := different(s.tries, func(t *try) string { return t.user })
	ok := 0
	if len(s.tries) > 0 {
		edge := s.tries[len(s.tries)-1].at.Add(-window)
		for _, at := range s.ok {
			if !at.Before(edge) {
				ok++
			}
		}
	}
	users = slices.DeleteFunc(users, func(u string) bool { _, in := s.ok[u]; return in })
	if len(users) <= 2*ok {
		return nil
	}
	return users
}

// succeed notes that a user got in from an address.
func (w *Watch) succeed(ev *usher.Event, user string, at time.Time) {
	if u := w.users[place{ev.Tenant, user}]; u != nil {
		u.ok = latest(u.ok, at)
		u.oks = put(u.oks, try{at: at, uid: ev.UID, source: Source(ev.Source.IP)}, w.opt.Window, maxOKs)
	}
	ip := Source(ev.Source.IP)
	if ip == "" {
		return
	}
	s := w.source(ev.Tenant, ip)
	s.ok[user] = latest(s.ok[user], at)
	if len(s.ok) > maxTries {
		for u, t := range s.ok {
			if t.Before(at.Add(-w.opt.Window)) || len(s.ok) > maxTries {
				delete(s.ok, u)
			}
		}
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// suspect remembers an address that tried several users, of a tenant the
// strongest few.
func (w *Watch) suspect(tenant, ip string, s *source) {
	m := w.suspects[tenant]
	if m == nil {
		m = map[string]*source{}
		w.suspects[tenant] = m
	}
	m[ip] = s
	if len(m) <= maxSuspects {
		return
	}
	weakest, least := "", 0
	for ip, s := range m {
		if n := len(s.failed(w.opt.Window)); weakest == "" || n < least || n == least && ip < weakest {
			weakest, least = ip, n
		}
	}
	delete(m, weakest)
}

// suspectTries gives the tries of the suspicious addresses of a tenant within
// the window before a time.
func (w *Watch) suspectTries(tenant string, at time.Time) (tries []try) {
	for ip, s := range w.suspects[tenant] {
		failed := s.failed(w.opt.Window)
		if len(failed) < suspicious || w.sources[place{tenant, ip}] != s {
			delete(w.suspects[tenant], ip)
			continue
		}
		if last := s.tries[len(s.tries)-1].at; last.Before(at.Add(-w.opt.Window)) || s.tries[0].at.After(at.Add(w.opt.Window)) {
			continue
		}
		for _, t := range s.tries {
			if slices.Contains(failed, t.user) {
				tries = append(tries, t)
			}
		}
	}
	if len(w.suspects[tenant]) == 0 {
		delete(w.suspects, tenant)
	}
	return tries
}

// source gives what is known of an address. Where the memory is full, the
// addresses that tried the fewest users go first, of those the ones that were
// not heard of for longest.
func (w *Watch) source(tenant, ip string) *source {
	s := w.sources[place{tenant, ip}]
	if s == nil {
		makeRoom(w.sources, w.opt.Memory, func(s *source) uint64 {
			return uint64(min(len(s.tries), suspicious))<<56 | s.turn
		})
		s = &source{ok: map[string]time.Time{}}
		w.sources[place{tenant, ip}] = s
	}
	s.turn = w.turn
	return s
}

func sprayFinding(tenant string, sources, clients, users []string, tries []try) usher.Finding {
	f := usher.Finding{
		Cause: PasswordSpray, Outcome: usher.OutcomeWrong, Confidence: 0.9,
		Step: usher.StepSignIn, Fixer: usher.FixerTenantAdmin, Subject: usher.Subject{Tenant: tenant},
	}
	if len(clients) == 1 {
		f.Subject.Client = clients[0]
	}
	Describe(&f, extentOf(tries, users, sources, clients))
	return f
}
