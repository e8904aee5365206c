package casebook

import (
	"fmt"
	"slices"

	"usher"
)

// consequences are, by cause, what else fails because of it at the same client,
// beside what the catalog tells.
func consequences(cause string) []string {
	switch cause {
	case "client-secret-expired", "client-secret-invalid", "client-secret-id-used", "client-assertion-invalid", "client-auth-method":
		return []string{"token-expired", "token-missing", "refresh-token-expired", "refresh-token-missing"}
	case "client-disabled", "client-unknown":
		return []string{"token-expired", "token-missing", "token-revoked", "refresh-token-revoked", "refresh-token-expired"}
	case "refresh-token-expired", "refresh-token-revoked", "refresh-token-reused", "refresh-token-missing", "grant-not-allowed":
		return []string{"token-expired", "token-missing"}
	case "discovery-failed", "network-proxy", "tls-trust", "provider-outage":
		return []string{"token-key-not-found", "token-signature-invalid", "token-expired"}
	case "token-key-not-found":
		return []string{"token-signature-invalid"}
	case "scope-invalid", "consent-required", "admin-consent-required", "consent-declined":
		return []string{"scope-insufficient", "token-missing"}
	case "user-disabled", "password-expired":
		return []string{"session-revoked", "token-revoked"}
	}
	return nil
}

// followsFrom tells whether one cause is a consequence of another.
func (t *turn) followsFrom(cause, of string) bool {
	return cause != of && (slices.Contains(t.opt.ConsequenceOf(cause), of) || slices.Contains(consequences(of), cause))
}

// follows tells whether a case is a consequence of another: by cause, at the
// same tenant and client, and of the same person where the cause lies there.
func (t *turn) follows(c, of *usher.Case) bool {
	a, b := &c.Refusal, &of.Refusal
	if c == of || c.Kind != usher.CaseFailure || of.Kind != usher.CaseFailure || rank(&c.Finding) == 0 || rank(&of.Finding) == 0 ||
		a.Tenant != b.Tenant || !t.followsFrom(c.Finding.Cause, of.Finding.Cause) {
		return false
	}
	if p, q := refusing(a), refusing(b); p.Known() && q.Known() && !p.Is(q) {
		return false // another policy refuses for reasons of its own
	}
	parts := scope(t.cause(&of.Finding))
	if slices.Contains(parts, "user") && !a.User.Is(b.User) {
		return false
	}
	return !slices.Contains(parts, "client") || a.Client.Is(b.Client)
}

// arrange hides a case behind its cause, and behind it what follows from it,
// whichever of them came first.
func (t *turn) arrange(c *usher.Case) error {
	if c.Kind != usher.CaseFailure || rank(&c.Finding) == 0 {
		return nil
	}
	keys := append(keysClient(&c.Refusal), keysUser(&c.Refusal)...)
	cases, err := t.under(keys...)
	if err != nil {
		return err
	}
	for _, other := range cases {
		switch {
		case c.Behind != 0 || other.Behind != 0 || !t.follows(c, other):
		case other.State.Active():
			if err := t.hide(c, other); err != nil {
				return err
			}
		case ended(other, c):
			if err := t.hide(c, other); err != nil {
				return err
			}
			if c.Behind == other.ID {
				if err := t.await(c, other); err != nil {
					return err
				}
			}
		}
	}
	for _, other := range cases {
		if c.Behind == 0 && c.State.Active() && other.Behind == 0 && len(other.Runs) == 0 && other.State.Active() && t.follows(other, c) {
			if err := t.hide(other, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// ended tells whether a cause was proven fixed after the last try of an open
// case: then its tries were only told late.
func ended(cause, c *usher.Case) bool {
	return cause.State == usher.CaseFixed && cause.Proven != nil && !c.Last.After(cause.Proven.Event.Time) &&
		(c.State == usher.CaseOpen || c.State == usher.CaseRegressed)
}

// hide puts a case behind another, together with what is hidden behind it.
func (t *turn) hide(c, behind *usher.Case) error {
	if c == behind || len(behind.Consequences) >= maxHidden {
		return nil
	}
	c.Behind = behind.ID
	attach(behind, c.ID)
	note(c, usher.Entry{Time: t.now, Kind: usher.EntryConsequent, Text: fmt.Sprintf("It is a consequence of case %d and stands behind it.", behind.ID)})
	note(behind, usher.Entry{Time: t.now, Kind: usher.EntryConsequent, Text: fmt.Sprintf("Case %d is a consequence of this one.", c.ID)})
	for _, id := range c.Consequences {
		other, err := t.get(id)
		if err != nil {
			return err
		}
		if other == nil || other == behind {
			continue
		}
		other.Behind = behind.ID
		attach(behind, id)
		if err := t.save(other); err != nil {
			return err
		}
	}
	c.Consequences = nil
	if err := t.save(c); err != nil {
		return err
	}
	return t.save(behind)
}

func attach(behind *usher.Case, id int64) {
	if at, found := slices.BinarySearch(behind.Consequences, id); !found {
		behind.Consequences = slices.Insert(behind.Consequences, at, id)
	}
}

// surface brings a case out from behind another when its new try shows that it
// stands on its own: the cause is closed and it goes on, or the try is not the
// attacker's.
func (t *turn) surface(c *usher.Case, ev *usher.Event, attack *usher.Case) error {
	if c.Behind == 0 || ev.UID != c.Refusal.UID {
		return nil
	}
	cause, err := t.get(c.Behind)
	if err != nil {
		return err
	}
	reason := ""
	switch {
	case cause == nil:
		reason = "What it stood behind is gone."
	case cause.Kind == usher.CaseAttack && attack == nil:
		reason = fmt.Sprintf("It goes on from elsewhere than the attack of case %d.", cause.ID)
	case cause.Kind == usher.CaseAttack || cause.State.Active():
		return nil
	case cause.State == usher.CaseFixed && cause.Proven != nil && !ev.Time.After(cause.Proven.Event.Time):
		return nil // from before the cause was fixed
	default:
		reason = fmt.Sprintf("It goes on although case %d is %s.", cause.ID, cause.State)
	}
	note(c, usher.Entry{Time: ev.Time, Kind: usher.EntryConsequent, Text: reason, Event: ev.UID})
	if c.State == usher.CaseVerifying && finished(c).IsZero() {
		if err := move(c, actRefused); err != nil {
			return err
		}
	}
	return t.detach(c)
}

// detach takes a case out from behind another.
func (t *turn) detach(c *usher.Case) error {
	if c.Behind == 0 {
		return nil
	}
	cause, err := t.get(c.Behind)
	c.Behind = 0
	if err != nil || cause == nil {
		return err
	}
	cause.Consequences = slices.DeleteFunc(cause.Consequences, func(id int64) bool { return id == c.ID })
	return t.save(cause)
}

// release makes the consequences of a case that was fixed wait for a success of
// their own. They stay behind it: if nothing comes any more, they fall quiet
// without a word.
func (t *turn) release(c *usher.Case) error {
	for _, id := range slices.Clone(c.Consequences) {
		k, err := t.get(id)
		if err != nil {
			return err
		}
		if k == nil || k.Kind != usher.CaseFailure || k.State != usher.CaseOpen && k.State != usher.CaseRegressed {
			continue
		}
		if c.Proven != nil && k.Last.After(c.Proven.Event.Time) { // it went on since, which came first
			note(k, usher.Entry{Time: t.now, Kind: usher.EntryConsequent, Text: fmt.Sprintf("It goes on although case %d is %s.", c.ID, c.State)})
			if err := t.detach(k); err != nil {
				return err
			}
			if err := t.save(k); err != nil {
				return err
			}
			continue
		}
		if err := t.await(k, c); err != nil {
			return err
		}
	}
	return nil
}

// await makes a consequence of a case that is fixed wait for its own proof.
func (t *turn) await(k, cause *usher.Case) error {
	if err := move(k, actAwait); err != nil {
		return err
	}
	note(k, usher.Entry{Time: t.now, Kind: usher.EntryState, Text: fmt.Sprintf("Its cause, case %d, is fixed: this one waits for its own proof.", cause.ID)})
	return t.save(k)
}
