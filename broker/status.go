package broker

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/broker/grant"
	"usher/broker/strategy"
)

const (
	turnUser  = usher.FixerUser
	turnOwner = usher.FixerDeveloper
)

// answered gives status and tokens after an answer. presented is the refresh
// token that the request presented; empty: none. A refresh token that the answer
// does not replace stays, RFC 6749 section 6.
func (b *Broker) answered(c Config, st Status, old Tokens, presented usher.Secret, a *grant.Answer) (Status, Tokens) {
	received := b.clock.stored(a.Received)
	if a.Received.IsZero() {
		received = b.clock.store()
	}
	next := Status{
		State: StateAlive, Generation: st.Generation + 1, Version: st.Version, Obtained: received, Connected: st.Connected,
		Used: st.Used, TokenType: a.TokenType, Scopes: a.Scopes, ExpiresIn: int64(a.ExpiresIn / time.Second),
		User: a.User, Notes: slices.Clone(a.Notes), Healed: st.Healed, Rotates: st.Rotates, Narrowed: st.Narrowed,
		Forced: st.Forced, ForcedAt: st.ForcedAt,
	}
	if next.Connected.IsZero() {
		next.Connected = received
	}
	if next.User == "" {
		next.User = st.User
	}
	tokens := Tokens{Access: a.Access, Refresh: a.Refresh, ID: a.ID}
	switch {
	case a.RefreshExpiresIn > 0:
		next.Refreshes = received.Add(a.RefreshExpiresIn)
	case a.Refresh == "" || a.Refresh == old.Refresh:
		next.Refreshes = st.Refreshes
	}
	if !Interactive(c.Grant) {
		tokens.Refresh, next.Refreshes = "", time.Time{} // asking again needs no refresh token, RFC 6749 section 4.4.3
	}
	if presented != "" {
		next.Rotates = "yes"
		if a.Refresh == "" || a.Refresh == presented {
			next.Rotates = "no"
		}
		if a.Refresh == "" {
			tokens.Refresh = presented
		}
	}
	if tokens.ID == "" {
		tokens.ID = old.ID
	}
	next.Refreshable = tokens.Refresh != ""
	if missing := lacking(b.asked(c, st), a.Scopes); len(missing) > 0 {
		next.Notes = append(next.Notes, "the provider did not grant "+strings.Join(missing, ", "))
	}

	b.schedule(c, &next)
	if st.Trouble != nil {
		healed := *st.Trouble
		healed.Ended = b.clock.store()
		next.Healed = &healed
	}
	if unusable := b.unusable(a.TokenType); unusable != nil {
		next.Trouble, next.State, next.Healed = unusable, StateStopped, st.Healed
		next.RenewAt, next.Expires = b.clock.store().Add(slowly(1)), time.Time{}
		tokens.Access = ""
	}
	return next, tokens
}

// schedule has the policies say until when the token is used and when it is
// renewed.
func (b *Broker) schedule(c Config, st *Status) {
	plan := b.plan(c, *st)
	st.Expires, st.RenewAt, st.Absolute = plan.Expires, plan.RenewAt, plan.Absolute
	switch {
	case st.RenewAt.IsZero() && !st.Absolute.IsZero() && Interactive(c.Grant) && (st.Expires.IsZero() || st.Absolute.Before(st.Expires)):
		st.RenewAt = st.Absolute // a person is asked then
	case st.RenewAt.IsZero():
		st.RenewAt = st.Expires // also then
	}
}

// leastApart is the time between two renewals of a connection by the scheduler,
// however short its tokens live.
const leastApart = 10 * time.Second

// asked gives the scopes that are asked for.
func (b *Broker) asked(c Config, st Status) []string {
	if st.Narrowed != nil {
		return st.Narrowed
	}
	return c.Scopes
}

// unusable is the trouble with a token that nobody here can use: a DPoP token is
// bound to a key (RFC 9449), and given as Bearer it is refused everywhere.
func (b *Broker) unusable(kind string) *Trouble {
	switch strings.ToLower(kind) {
	case "", "bearer", "n_a": // N_A: of an exchange for what is no access token, RFC 8693 section 2.2.1
		return nil
	}
	now := b.clock.store()
	return &Trouble{
		Cause: "token-wrong-type", Strategy: string(strategy.GiveUp), Turn: turnOwner, Since: now, Last: now, Tries: 1,
		Title: "the provider gives tokens of the type " + strconv.Quote(short(kind)) + ", and only Bearer tokens can be handed out",
	}
}

func short(s string) string {
	if len(s) > 40 {
		s = s[:40]
	}
	return strings.ToValidUTF8(s, "?")
}

// lacking gives what of the scopes asked for was not granted; granted nil is
// all.
func lacking(asked, granted []string) []string {
	if granted == nil {
		return nil
	}
	var out []string
	for _, s := range asked {
		if !slices.Contains(granted, s) && s != "openid" && s != "offline_access" { // some never tell these
			out = append(out, s)
		}
	}
	return out
}

// troubled gives status and tokens after a refusal. changed tells that tokens
// are not what they were.
func (b *Broker) troubled(c Config, st Status, old Tokens, r *grant.Refusal, d strategy.Decision, managed bool) (next Status, tokens Tokens, changed bool) {
	now := b.clock.store()
	next, tokens = st, old
	t := &Trouble{
		Cause: d.Cause, Strategy: string(d.Strategy), Title: d.Title, Turn: d.Turn, Endpoint: d.Endpoint,
		Code: r.Code, Detail: r.Description, Status: r.Status, Since: now, Last: now, Tries: 1,
	}
	if t.Cause == "" {
		t.Cause = "unknown"
	}
	if before := st.Trouble; before != nil {
		t.Tries = before.Tries + 1
		if before.Cause == t.Cause {
			t.Since = before.Since
		}
	}
	next.Trouble = t
	if d.Dead && tokens.Refresh != "" {
		tokens.Refresh, next.Refreshable, changed = "", false, true
	}
	if d.Revoked && tokens.Access != "" {
		tokens.Access, next.Expires, changed = "", time.Time{}, true
	}
	wait := min(max(d.Wait, r.RetryAfter), 24*time.Hour)
	soon := now.Add(max(wait, backoff(t.Tries)))
	slow := now.Add(max(wait, slowly(t.Tries)))
	if d.Wait == 0 {
		slow = time.Time{} // not before somebody acts
	}
	first := st.Trouble == nil || st.Trouble.Strategy != t.Strategy
	next.State, next.RenewAt = StateFailing, soon
	switch d.Strategy {
	case strategy.Authenticate:
		if Interactive(c.Grant) { // nobody can begin it but a person
			t.Strategy = string(strategy.Ask)
			b.ask(&next, t, slow)
		} else if first {
			next.RenewAt = now.Add(wait)
		}
	case strategy.Ask:
		b.ask(&next, t, slow)
	case strategy.Rotate:
		next.State, next.RenewAt = StateWaiting, slow
		if managed { // it may be replaced any time
			next.RenewAt = soon
		}
	case strategy.Narrow:
		narrowed := st.Scopes
		if len(narrowed) == 0 || !first || len(lacking(b.asked(c, st), narrowed)) == 0 {
			next.State, next.RenewAt = StateStopped, now.Add(max(wait, slowly(t.Tries)))
			break
		}
		next.Narrowed, next.RenewAt = slices.Clone(narrowed), now.Add(wait)
	case strategy.GiveUp:
		// Whatever it was may have been mended at the provider, which tells nobody.
		next.State, next.RenewAt = StateStopped, now.Add(max(wait, slowly(t.Tries)))
	}
	return next, tokens, changed
}

// ask has a person connect again. Where there is something to present still, it
// is tried now and then: what refused it (a policy, a locked user) may be gone.
func (b *Broker) ask(st *Status, t *Trouble, slow time.Time) {
	if t.Turn == "" {
		t.Turn = turnUser
	}
	st.State, st.RenewAt = StateWaiting, slow
	if !st.Refreshable {
		st.RenewAt = time.Time{}
	}
}

// backoff is how long to wait after so many tries: 2 s at first, 5 minutes at
// most, a quarter more or less.
func backoff(tries int) time.Duration {
	return jittered(min(2*time.Second<<min(max(tries-1, 0), 10), 5*time.Minute))
}

// slowly is the back-off of what hardly ever goes away by itself: 10 minutes at
// first, 6 hours at most.
func slowly(tries int) time.Duration {
	return jittered(min(10*time.Minute<<min(max(tries-1, 0), 10), 6*time.Hour))
}

func jittered(d time.Duration) time.Duration {
	return d - d/4 + rand.N(d/2+1)
}
