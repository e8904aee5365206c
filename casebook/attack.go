package casebook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/detect"
)

// Bounds of an attack.
const (
	maxSources = 100
	maxVictims = 100
	maxHidden  = 1000 // cases behind one
)

// Alert takes an alert that ev set off, before or after ev itself is taken as a
// refusal or a success. A second alert with the same fingerprint joins the
// first.
func (b *Book) Alert(tx Tx, ev *usher.Event, a detect.Alert) ([]*usher.Case, error) {
	t := b.turn(tx)
	c, err := t.attackCase(t.bounded(ev), a)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, uid := range a.Events {
		try, err := tx.Event(uid)
		if err != nil {
			return nil, err
		}
		if try == nil || try.Tenant != a.Tenant || !try.Refused() {
			continue
		}
		addresses = append(addresses, try.Source.IP)
		if err := t.countAttack(c, t.bounded(try)); err != nil {
			return nil, err
		}
	}
	if err := t.save(c); err != nil {
		return nil, err
	}
	if err := t.hideTries(c); err != nil {
		return nil, err
	}
	return t.done(t.lookBack(c, addresses))
}

// attackCase gives the case of an alert, with the addresses that it adds. An
// attack that is long over stays as it ended; the next one is another case.
func (t *turn) attackCase(ev *usher.Event, a detect.Alert) (*usher.Case, error) {
	fp := digest("attack", a.Tenant, a.Fingerprint)
	found, err := t.under(keyIs(fp))
	if err != nil {
		return nil, err
	}
	var c *usher.Case
	if len(found) > 0 {
		c = found[len(found)-1]
		fp = fmt.Sprintf("%s-%d", fp, len(found)+1)
	}
	if c == nil || over(c, ev.Time) {
		c = &usher.Case{
			Version: usher.CaseVersion, Fingerprint: fp, Kind: usher.CaseAttack, State: usher.CaseOpen,
			Finding: known(&a.Finding), Refusal: *ev, First: ev.Time, Last: ev.Time, Opened: t.now, Fixes: attackFixes(),
		}
		c.Refusal.Tenant = a.Tenant
		note(c, usher.Entry{Time: t.now, Kind: usher.EntryOpened, Text: "usher saw the attack."})
	}
	if a.Finding.Confidence > c.Finding.Confidence {
		c.Finding.Confidence = a.Finding.Confidence
	}
	c.Sources = append(c.Sources, a.Sources...)
	slices.Sort(c.Sources)
	c.Sources = slices.Compact(c.Sources)
	c.Sources = c.Sources[:min(len(c.Sources), maxSources)]
	return c, t.save(c)
}

// over tells whether an attack ended so long ago that what comes at a time is
// another one.
func over(c *usher.Case, at time.Time) bool {
	return (c.State == usher.CaseFixed || c.State == usher.CaseQuiet) && at.After(c.Last.Add(attackMemory))
}

// attackFixes are the ways out of an attack. No success proves them.
func attackFixes() []usher.Fix {
	return []usher.Fix{
		{
			ID: "1", Title: "End what the attacker got hold of", Risk: usher.RiskTightening, Fixer: usher.FixerTenantAdmin,
			Steps: []usher.FixStep{
				{Text: "Reset the password of every user whom the case names, and end their sessions and refresh tokens.", Risk: usher.RiskTightening},
				{Text: "Look at what the user did since: consents, new devices and factors, mail rules, changed clients.", Risk: usher.RiskNeutral},
			},
			Proof: usher.ProofCondition{Applied: true, Text: "the log shows that the password was reset, the sessions were ended or the user was disabled, later than the attacker's last success"},
		},
		{
			ID: "2", Title: "Shut the addresses out and ask for a second factor", Risk: usher.RiskTightening, Fixer: usher.FixerTenantAdmin,
			Steps: []usher.FixStep{
				{Text: "Block the addresses of the case in front of the provider, or by a policy of the tenant.", Risk: usher.RiskTightening},
				{Text: "Ask for a second factor, and switch the provider's protection against guessing on.", Risk: usher.RiskTightening},
			},
			Proof: usher.ProofCondition{Applied: true, Text: "the tries stop"},
		},
	}
}

// attackTry takes a try that comes from an attacking address.
func (t *turn) attackTry(c *usher.Case, ev *usher.Event, f *usher.Finding) error {
	if err := t.countAttack(c, ev); err != nil {
		return err
	}
	if pastPassword(f) {
		if err := t.gotIn(c, ev, "the password is known to the attacker; what stopped it: "+t.clause(f, ev)); err != nil {
			return err
		}
	}
	return t.save(c) // in any case: the try is counted
}

// countAttack counts a try of an attack, and notes the client at which it was.
func (t *turn) countAttack(c *usher.Case, ev *usher.Event) error {
	try, err := t.join(c, ev)
	if err != nil || !try.added {
		return err
	}
	if client := party(ev.Client); client != "" {
		if _, err := t.tx.AddMark(c.ID, clientMark+clip(client, 200)); err != nil {
			return err
		}
	}
	return t.tried(c, ev, try.latest)
}

// clientMark begins the marks of an attack that name its clients.
const clientMark = "client "

// describe tells an attack as it is by now: alerts come once, tries go on.
func (t *turn) describe(c *usher.Case) error {
	marks, err := t.tx.Marks(c.ID)
	if err != nil {
		return err
	}
	x := detect.Extent{Count: c.Users, Tries: c.Count, Sources: c.Sources, Span: c.Last.Sub(c.First)}
	for _, m := range marks {
		if client, ok := strings.CutPrefix(m, clientMark); ok {
			x.Clients = append(x.Clients, client)
		}
	}
	slices.Sort(x.Clients)
	for _, user := range c.Affected {
		x.Users = append(x.Users, user.String())
	}
	detect.Describe(&c.Finding, x)
	if len(x.Clients) != 1 {
		c.Finding.Subject.Client = ""
	}
	return nil
}

// attackFrom gives the attack to whose addresses an event belongs, or nil.
func (t *turn) attackFrom(ev *usher.Event) (*usher.Case, error) {
	source := detect.Source(ev.Source.IP)
	if source == "" {
		return nil, nil
	}
	attacks, err := t.under(keyAttack(ev.Tenant, source))
	if err != nil {
		return nil, err
	}
	since := ev.Time
	if ev.Refused() {
		since = since.Add(lateTries)
	}
	for _, c := range attacks {
		if concerns(c, ev) && !since.Before(c.First) && (c.State.Active() || !ev.Time.After(c.Last.Add(attackMemory))) {
			return c, nil
		}
	}
	return nil, nil
}

// concerns tells whether what comes from an address of an attack is of the
// attack: of one that is no more than likely, what is done as its user alone.
// Others who use the address have nothing to do with a program that may only
// repeat an old password.
func concerns(c *usher.Case, ev *usher.Event) bool {
	name := c.Finding.Subject.User
	if c.Finding.Confidence >= usher.Confident || name == "" {
		return true
	}
	return strings.EqualFold(name, ev.User.Name) || strings.EqualFold(name, ev.User.UID) ||
		slices.ContainsFunc(c.Affected, func(user usher.Party) bool { return user.Is(ev.User) })
}

// lateTries is how long before the first known try of an attack another one
// from its addresses belongs to it.
const lateTries = time.Hour

// gotIn escalates an attack: somebody's credential is in the attacker's hands.
// how is empty for a success.
func (t *turn) gotIn(c *usher.Case, ev *usher.Event, how string) error {
	i := slices.IndexFunc(c.Compromised, func(v usher.Compromise) bool {
		return v.User == ev.User || v.User.Is(ev.User)
	})
	switch {
	case c.State == usher.CaseIntended:
		t.noteUnproven(c, ev, "it came from an address of this attack, which "+c.Owner+" declared as intended")
		return t.save(c)
	case i < 0 && len(c.Compromised) >= maxVictims:
		return nil
	case i < 0:
		i = len(c.Compromised)
		if ev.Time.Before(c.Escalated) {
			i = 0 // the one with whom it began stands first
		}
		c.Compromised = slices.Insert(c.Compromised, i, usher.Compromise{User: ev.User, Client: ev.Client, Session: ev.Session, Event: ev.UID, At: ev.Time})
		note(c, usher.Entry{Time: ev.Time, Kind: usher.EntryEscalated, Text: t.gotInText(ev, how), Event: ev.UID})
	case ev.Time.Before(c.Compromised[i].At) || c.Compromised[i].Event == ev.UID:
		return nil // an earlier one, of which a later one says the same
	default:
		c.Compromised[i].At = ev.Time
	}
	v := &c.Compromised[i]
	if !v.Dead.IsZero() && !v.Dead.After(v.At) {
		v.Dead, v.How = time.Time{}, ""
	}
	if c.Escalated.IsZero() || ev.Time.Before(c.Escalated) {
		c.Escalated = ev.Time
	}
	if v.Dead.IsZero() {
		if err := move(c, actGotIn); err != nil {
			return err
		}
		if err := t.killedSince(c, v); err != nil {
			return err
		}
	}
	return t.save(c)
}

// killedSince looks whether the record of the credential's end came before the
// record of its use.
func (t *turn) killedSince(c *usher.Case, v *usher.Compromise) error {
	changes, err := t.tx.Changes(v.At, t.now.Add(maxAhead))
	if err != nil {
		return err
	}
	for _, ev := range slices.Backward(changes) {
		if kills(ev, v) && !t.attackers(c, ev) {
			return t.end(c, ev)
		}
	}
	return nil
}

// kill takes a change that may prove a credential dead.
func (t *turn) kill(ev *usher.Event) error {
	var keys []string
	for _, what := range changeTargets(ev) {
		keys = append(keys, keysVictim(usher.Party{UID: what})...)
	}
	attacks, err := t.under(keys...)
	if err != nil {
		return err
	}
	for _, c := range attacks {
		if t.attackers(c, ev) {
			continue
		}
		if err := t.end(c, ev); err != nil {
			return err
		}
		if err := t.save(c); err != nil {
			return err
		}
	}
	return nil
}

// end marks those whom a change made safe. When all are safe the attack is
// over, with the change as its proof.
func (t *turn) end(c *usher.Case, ev *usher.Event) error {
	killed := false
	for i := range c.Compromised {
		if v := &c.Compromised[i]; v.Dead.IsZero() && kills(ev, v) {
			v.Dead, v.How = ev.Time, t.killText(ev)
			note(c, usher.Entry{Time: ev.Time, Kind: usher.EntryChange, Text: upper(v.How) + ".", By: ev.Actor.String(), Event: ev.UID})
			killed = true
		}
	}
	if !killed || holds(c) || !can(c, actProof) {
		return nil
	}
	if err := move(c, actProof); err != nil {
		return err
	}
	c.Proven = &usher.Proven{Fix: "1", Event: *ev, At: t.now, Comment: "What the attacker got hold of is dead: " + t.killText(ev) + "."}
	note(c, usher.Entry{Time: ev.Time, Kind: usher.EntryProven, Text: c.Proven.Comment, Event: ev.UID})
	return nil
}

// holds tells whether an attacker holds something that is not proven dead.
func holds(c *usher.Case) bool {
	return slices.ContainsFunc(c.Compromised, func(v usher.Compromise) bool { return v.Dead.IsZero() })
}

// kills tells whether a change ends the credential or the session of a victim,
// after the attacker's last success.
func kills(ev *usher.Event, v *usher.Compromise) bool {
	if ev.Change == nil || ev.Status == usher.StatusFailure || !ev.Time.After(v.At) || !v.User.Known() {
		return false
	}
	targets := changeTargets(ev)
	if !slices.Contains(targets, v.User.UID) && !slices.Contains(targets, v.User.Name) {
		return false
	}
	ch := ev.Change
	if ch.Type == "user" && ch.Operation == "delete" && !nested(ch.Path, v.User) {
		return true
	}
	last := lastSegment(ch.Path)
	for _, word := range append([]string{last}, ch.Fields...) {
		if slices.ContainsFunc(deadly, func(d string) bool { return strings.EqualFold(d, word) }) {
			return true
		}
	}
	return false
}

// attackers tells whether the attacker may have made a change: it came from an
// address of the attack, or it was made in the name of a user whom the attack
// got into and nothing tells from where.
func (t *turn) attackers(c *usher.Case, ev *usher.Event) bool {
	source := detect.Source(ev.Source.IP)
	if source != "" {
		return slices.Contains(c.Sources, source)
	}
	return slices.ContainsFunc(c.Compromised, func(v usher.Compromise) bool { return ev.Actor.Is(v.User) })
}

// deadly are the names under which providers change what ends a credential or
// a session: the last part of Keycloak's path, the property that Entra names.
// A field that only tells that the account was edited is not among them.
var deadly = []string{
	"reset-password", "password", "passwordProfile", "logout", "sessions", "disable",
	"refreshTokensValidFromDateTime", "signInSessionsValidFromDateTime", "StsRefreshTokenValidFrom", "revokeSignInSessions", "disable-user",
}

// nested tells whether a path names something below the user: a deleted role
// of the user is no deleted user.
func nested(path string, user usher.Party) bool {
	last := lastSegment(path)
	return last != "" && last != user.UID && last != user.Name
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// hideTries puts the failures behind an attack that were its tries before it
// was seen: of the cases whose last try came from its addresses those that came
// from nowhere else.
func (t *turn) hideTries(c *usher.Case) error {
	var keys []string
	for _, source := range c.Sources {
		keys = append(keys, keySource(c.Refusal.Tenant, source))
	}
	cases, err := t.under(keys...)
	if err != nil {
		return err
	}
	for _, f := range cases {
		if f.Kind != usher.CaseFailure || f.Behind != 0 || f.Last.Before(c.First) || len(f.Runs) > 0 || !concerns(c, &f.Refusal) {
			continue
		}
		if only, err := t.cameFrom(f, c.Sources); err != nil || !only {
			if err != nil {
				return err
			}
			continue
		}
		if err := t.hide(f, c); err != nil {
			return err
		}
	}
	return nil
}

// lookBack takes the successes that the attacking addresses had before the
// attack was seen: they escalate it, and what they proved is not proven.
func (t *turn) lookBack(c *usher.Case, addresses []string) error {
	addresses = slices.DeleteFunc(addresses, func(ip string) bool { return !slices.Contains(c.Sources, detect.Source(ip)) })
	slices.Sort(addresses)
	for _, address := range slices.Compact(addresses) {
		successes, err := t.tx.Successes(c.Refusal.Tenant, "", address, c.First, t.now.Add(maxAhead))
		if err != nil {
			return err
		}
		for _, ev := range successes {
			if !proves(ev) || !concerns(c, ev) {
				continue
			}
			if err := t.gotIn(c, t.bounded(ev), ""); err != nil {
				return err
			}
			if err := t.unprove(ev, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// unprove opens the cases again that an attacker's success had closed.
func (t *turn) unprove(ev *usher.Event, attack *usher.Case) error {
	cases, err := t.under(keyProof(ev.UID))
	if err != nil {
		return err
	}
	for _, c := range cases {
		if c.State != usher.CaseFixed || c.Proven == nil || c.Proven.Event.UID != ev.UID {
			continue
		}
		if err := move(c, actDoubt); err != nil {
			return err
		}
		t.noteUnproven(c, ev, fmt.Sprintf("it came from an address that is attacking (case %d)", attack.ID))
		if detect.Guess(c.Finding.Cause) && c.Behind == 0 {
			if err := t.hide(c, attack); err != nil {
				return err
			}
			continue
		}
		if err := t.save(c); err != nil {
			return err
		}
	}
	return nil
}

// pastPassword tells whether a cause shows only after the password was right.
func pastPassword(f *usher.Finding) bool {
	if rank(f) == 0 {
		return false
	}
	switch f.Cause {
	case "mfa-required", "mfa-failed", "mfa-registration-required", "step-up-required", "password-expired",
		"policy-blocked", "policy-location", "policy-device", "policy-risk", "policy-client-app", "policy-flow", "policy-user",
		"consent-required", "admin-consent-required", "terms-of-use", "user-not-assigned", "security-defaults":
		return true
	}
	return false
}
