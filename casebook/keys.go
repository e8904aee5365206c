package casebook

import (
	"slices"
	"strings"
	"time"

	"usher"
	"usher/detect"
)

// Keys under which cases are filed. Each is a word and a digest, so it is
// bounded and tells nothing.
func keyIs(fingerprint string) string { return "is:" + fingerprint }
func keyCode(ev *usher.Event) string  { return "code:" + digest("", codeOf(ev)...) }
func keyProof(event string) string    { return "proof:" + digest("", event) }

// keyAlike files the cases of one crowd.
func keyAlike(parts []string) string { return "alike:" + digest("", parts...) }

// keysClient and keysUser file what a later success may prove, and where causes
// find their consequences.
func keysClient(ev *usher.Event) []string { return keysParty("client:", ev.Tenant, ev.Client) }
func keysUser(ev *usher.Event) []string   { return keysParty("user:", ev.Tenant, ev.User) }

// keyConnection files what a later success of a connection may prove, whichever
// client it has by then.
func keyConnection(id string) string { return "connection:" + digest("", id) }

// keyEndpoint files what a later success at a token endpoint may prove.
func keyEndpoint(at string) string { return "endpoint:" + digest("", at) }

// keyTenant files cases that belong to no client and no user.
func keyTenant(tenant string) string { return "tenant:" + digest("", tenant) }

// keySource files failures by the address of their last try, keyAttack attacks
// by every address that they come from.
func keySource(tenant, source string) string { return "source:" + digest("", tenant, source) }
func keyAttack(tenant, source string) string { return "attack:" + digest("", tenant, source) }

// keyTarget files cases by what a change to it would explain.
func keyTarget(what string) string { return "target:" + digest("", what) }

// keysVictim files attacks by the users whom they got into.
func keysVictim(p usher.Party) []string { return keysParty("victim:", "", p) }

// keyUnderWay files cases of which a fix is being carried out.
const keyUnderWay = "underway"

func keysParty(word, tenant string, p usher.Party) (keys []string) {
	for _, id := range [...]string{p.UID, p.Name} {
		if id != "" {
			keys = append(keys, word+digest("", tenant, id))
		}
	}
	return keys
}

// keys lists under what a case is filed in its state.
func (t *turn) keys(c *usher.Case) []string {
	keys := []string{keyIs(c.Fingerprint)}
	switch {
	case c.Kind == usher.CaseConfiguration:
		// Looks alone find it, by its fingerprint.
	case c.Kind == usher.CaseAttack:
		alarm, _, _ := strings.Cut(c.Fingerprint, "-")
		keys = append(t.attackKeys(c), keyIs(alarm))
	case c.State == usher.CaseFixed:
		if c.Proven != nil {
			keys = append(keys, keyProof(c.Proven.Event.UID))
			if t.now.Before(c.Proven.At.Add(doubtFor)) {
				keys = append(keys, t.targetKeys(c)...)
				keys = append(keys, keysClient(&c.Refusal)...) // for consequences that are told late
				keys = append(keys, keysUser(&c.Refusal)...)
			}
		}
	case c.State == usher.CaseIntended:
		keys = append(keys, keyCode(&c.Refusal))
	case c.Refusal.FaultyEndpoint() != "":
		keys = append(keys, keyCode(&c.Refusal), keyAlike(t.alike(&c.Refusal, &c.Finding)), keyEndpoint(c.Refusal.TokenEndpoint()), keyConnection(c.Refusal.Connection()))
		keys = append(keys, t.targetKeys(c)...)
	default:
		keys = append(keys, keyCode(&c.Refusal), keyAlike(t.alike(&c.Refusal, &c.Finding)))
		keys = append(keys, keysClient(&c.Refusal)...)
		keys = append(keys, keysUser(&c.Refusal)...)
		if id := c.Refusal.Connection(); id != "" {
			keys = append(keys, keyConnection(id))
		}
		if !c.Refusal.Client.Known() && !c.Refusal.User.Known() {
			keys = append(keys, keyTenant(c.Refusal.Tenant))
		}
		if source := detect.Source(c.Refusal.Source.IP); source != "" && detect.Guess(c.Finding.Cause) {
			keys = append(keys, keySource(c.Refusal.Tenant, source))
		}
		keys = append(keys, t.targetKeys(c)...)
	}
	if applying(c) {
		keys = append(keys, keyUnderWay)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// attackKeys files an attack by its addresses as long as a success from them is
// the attacker's, and by its victims as long as they are not safe.
func (t *turn) attackKeys(c *usher.Case) (keys []string) {
	if t.now.Before(c.Last.Add(attackMemory)) || c.State.Active() {
		for _, source := range c.Sources {
			keys = append(keys, keyAttack(c.Refusal.Tenant, source))
		}
	}
	for i := range c.Compromised {
		if v := &c.Compromised[i]; v.Dead.IsZero() {
			keys = append(keys, keysVictim(v.User)...)
		}
	}
	return keys
}

// targetKeys files a case by what decides it.
func (t *turn) targetKeys(c *usher.Case) (keys []string) {
	for _, what := range t.targets(c) {
		keys = append(keys, keyTarget(what))
	}
	if c.Refusal.Tenant != "" {
		keys = append(keys, keyTarget(c.Refusal.Tenant))
	}
	return keys
}

// targets lists the ids and names of what decides a case: its client and
// policy, and of user, resource and scopes what makes it one thing.
func (t *turn) targets(c *usher.Case) (targets []string) {
	if c.Connections > 1 {
		return nil // nothing that belongs to one of them decides it
	}
	ev := &c.Refusal
	policy := refusing(ev)
	targets = []string{ev.Client.UID, ev.Client.Name, t.clientUID(ev), policy.UID, policy.Name, c.Finding.Subject.Policy}
	for _, part := range scope(t.cause(&c.Finding)) {
		switch part {
		case "user", "user.name":
			targets = append(targets, ev.User.UID, ev.User.Name)
		case "resource":
			targets = append(targets, ev.Resource.UID, ev.Resource.Name)
		case "scope":
			scopes := append(strings.Fields(c.Finding.Subject.Scope), ev.OAuth.Requested...)
			targets = append(targets, scopes[:min(len(scopes), 20)]...)
		}
	}
	targets = append(targets, ev.Connection())
	targets = slices.DeleteFunc(targets, func(s string) bool { return s == "" })
	slices.Sort(targets)
	return slices.Compact(targets)
}

func (t *turn) clientUID(ev *usher.Event) string {
	if t.opt.ClientUID == nil || !ev.Client.Known() {
		return ""
	}
	return t.opt.ClientUID(ev.Tenant, party(ev.Client))
}

const (
	// doubtFor is how long a case that is fixed is found by late events: one may
	// show that a policy was weakened before the proof, or be a consequence.
	doubtFor = 24 * time.Hour
	// attackMemory is how long after the last try a success from an attacking
	// address is the attacker's: who found a password may well wait.
	attackMemory = 72 * time.Hour
)

// wake says when Tick must look at a case again.
func (t *turn) wake(c *usher.Case) time.Time {
	switch c.State {
	case usher.CaseIntended:
		return c.Expires
	case usher.CaseFixed, usher.CaseQuiet:
		switch {
		case c.Kind == usher.CaseAttack && t.now.Before(c.Last.Add(attackMemory)):
			return c.Last.Add(attackMemory) // its addresses are forgotten then
		case c.Proven != nil && t.now.Before(c.Proven.At.Add(doubtFor)):
			return c.Proven.At.Add(doubtFor)
		}
		return time.Time{}
	}
	if lasting(c) {
		return time.Time{}
	}
	return moved(c).Add(t.opt.QuietAfter)
}

// lasting tells whether silence says nothing about a case: a fix is being
// carried out, a configuration stays wrong until it is changed, a connection
// that waits for somebody is not tried (one whose endpoint is away always is), or an attacker holds a credential that
// is not proven dead and that nobody has answered for.
func lasting(c *usher.Case) bool {
	if applying(c) || c.Kind == usher.CaseConfiguration || c.Refusal.Connection() != "" && c.Refusal.FaultyEndpoint() == "" {
		return true
	}
	return c.Kind == usher.CaseAttack && holds(c) && c.State != usher.CaseVerifying
}

// moved gives when something last happened to a case that puts off its
// falling quiet: a try, its opening, or what somebody did about it.
func moved(c *usher.Case) time.Time {
	last := later(c.Last, c.Opened)
	for i := range c.Timeline {
		switch e := &c.Timeline[i]; e.Kind {
		case usher.EntryState, usher.EntryApplied, usher.EntryUndone, usher.EntryFailed, usher.EntryEscalated:
			last = later(last, e.Time)
		}
	}
	return last
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
