package broker

import (
	"context"
	"errors"
	"time"

	"usher/broker/grant"
	"usher/broker/strategy"
)

// keep stores an answer. It does not give up while the process lives: the
// refresh token that was presented is spent, and this answer holds its only
// successor. Nobody is given the new token before it is stored.
func (b *Broker) keep(ctx context.Context, rec Record, old Tokens, r renewal, a *grant.Answer, w want) outcome {
	id, before, now := rec.Config.ID, rec.Status, b.clock.store()
	if b.clock.now().Sub(a.Received) > b.opt.Lease {
		// The lease may have been lost: what others noted meanwhile is healed by
		// this answer, and not forgotten.
		if fresh, err := b.opt.Store.Connection(ctx, id); err == nil && fresh.Status.Generation == before.Generation {
			before = fresh.Status
		}
	}
	st, tokens := b.answered(rec.Config, before, old, r.presents, a)
	switch {
	case w.ask.Refused != "":
		if now.Sub(st.ForcedAt) > 6*time.Hour {
			st.Forced = 0
		}
		st.Forced, st.ForcedAt = st.Forced+1, now
	case now.Sub(st.ForcedAt) > 6*time.Hour:
		st.Forced, st.ForcedAt = 0, time.Time{}
	}
	var sealed []byte
	storing, cancel := outlast(ctx)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(wait*2, 2*time.Second) {
		var err error
		if sealed == nil {
			sealed, err = b.sealTokens(storing, id, tokens)
		}
		if err == nil {
			err = b.opt.Store.Answer(storing, id, st, sealed)
		}
		switch {
		case err == nil:
			st.Version++ // as far as is known here; a later write of another is told by the change feed
			rec.Status, rec.Tokens = st, sealed
			b.emit(ctx, b.success(rec, before, r))
			return outcome{rec: rec, tokens: tokens}
		case errors.Is(err, ErrStale), errors.Is(err, ErrNotFound):
			// A person connected anew meanwhile, or took the connection away: what
			// this answer holds belongs to nothing any more.
			b.opt.Log.Info("an answer came for a connection that was replaced meanwhile", "connection", id)
			if errors.Is(err, ErrNotFound) {
				rec.Tokens = sealed
				b.revoke(storing, rec) // Remove did not know of these
			}
			return outcome{stale: true}
		case storing.Err() != nil:
			b.opt.Log.Error("the answer to a renewal could not be stored before the end, and is lost", "connection", id, "err", err)
			return outcome{away: err, say: "the broker is stopping"}
		}
		b.opt.Log.Warn("the answer to a renewal cannot be stored yet; it is kept in memory", "connection", id, "err", err)
		_ = sleep(storing, wait)
	}
}

// lastTry is how long after the end what came from a provider is still written
// down: it came all the same.
const lastTry = 5 * time.Second

// outlast gives a context that goes on for lastTry when ctx has ended.
func outlast(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		_ = sleep(longer, lastTry)
		cancel()
	})
	return longer, func() { stop(); cancel() }
}

// answeredFor is how long after a server's error the provider may be at the
// request still. An error that took longer to come is a lost patience: whoever
// stands before the provider has given up, and it works on.
const answeredFor = 5 * time.Second

// refused notes a refusal with what is done about it.
func (b *Broker) refused(ctx context.Context, g *grip, rec Record, tokens Tokens, r renewal, refusal *grant.Refusal, p *pass) outcome {
	d, managed := b.decide(rec, r, refusal)
	alone := refusal.RetryAfter
	if refusal.Status == 429 {
		alone = min(alone, longest429)
	}
	p.report(!d.Endpoint, alone)
	before, now := rec.Status, b.clock.store()
	st, tokens, changed := b.troubled(rec.Config, before, tokens, refusal, d, managed)
	st.Attempt, st.Spent = nil, ""
	if a := before.Attempt; a != nil && !refusal.Unsure() && !d.Dead {
		st.Attempt, st.Spent = b.underneath(*a, before.Spent)
		if s := st.Attempt; s != nil && !inGrace(rec.Config, *s, st.RenewAt) {
			st.RenewAt = later(st.RenewAt, s.Until)
		}
	} else if a != nil && r.presents != "" && before.Rotates != "no" && refusal.Unsure() {
		quick := refusal.Status/100 == 5 && refusal.Status != 504 && now.Sub(a.Began) < answeredFor
		switch {
		case rec.Config.Endpoints.Introspection != "" || refusal.Status/100 != 5:
			// The refresh token may be spent: the attempt stands until it is known,
			// or is presented again while the provider takes it twice.
			standing := *a
			if quick {
				standing.Until = now.Add(answeredFor)
				if before, _ := b.underneath(*a, ""); before != nil {
					standing.Until = later(standing.Until, before.Until)
				}
			}
			st.Attempt, st.Spent = &standing, before.Spent
			if !inGrace(rec.Config, standing, st.RenewAt) {
				st.RenewAt = later(st.RenewAt, standing.Until)
			}
		case !st.Expires.IsZero():
			// A server's error with nobody to ask what it did. It is presented again
			// when the access token, which a lost family would take along, is of
			// little more use.
			st.Spent = before.Spent
			st.RenewAt = later(st.RenewAt, st.Expires.Add(-time.Minute))
		}
	}
	return b.note(ctx, g, rec, st, tokens, changed, r, refusal)
}

// underneath gives what stands when an attempt is over and has spent nothing: the
// one that it replaced in a grace period may have.
func (b *Broker) underneath(a Attempt, spent string) (*Attempt, string) {
	if a.First.IsZero() {
		return nil, ""
	}
	a.Began, a.Until, a.First = a.First, a.First.Add(b.opt.Deadline+margin), time.Time{}
	return &a, spent
}

// refusal is refused for what was refused before anything was sent for a token.
func (b *Broker) refusal(ctx context.Context, g *grip, rec Record, tokens Tokens, r renewal, refusal *grant.Refusal) outcome {
	d, managed := b.decide(rec, r, refusal)
	st, tokens, changed := b.troubled(rec.Config, rec.Status, tokens, refusal, d, managed)
	return b.note(ctx, g, rec, st, tokens, changed, r, refusal)
}

func (b *Broker) decide(rec Record, r renewal, refusal *grant.Refusal) (d strategy.Decision, managed bool) {
	if k, err := b.openKeys(b.ctx, rec); err == nil {
		managed = k.Credential != ""
	}
	in := strategy.Input{
		GrantType: r.grant, Interactive: Interactive(rec.Config.Grant), HasRefresh: r.presents != "", Refusal: refusal,
		ClientID: rec.Config.ClientID, AuthMethod: rec.Config.AuthMethod, Requested: r.scope, Granted: rec.Status.Scopes,
		Managed: managed, Now: b.clock.store(),
	}
	if t := rec.Status.Trouble; t != nil {
		in.Tries = t.Tries
	}
	return b.opt.Decide(in), managed
}

// spent tells that the answer to an attempt is lost and that its refresh token
// counts as spent: it is never presented again. Whoever holds the answer may
// come back with it still; then that heals it.
func (b *Broker) spent(ctx context.Context, g *grip, rec Record, tokens Tokens) outcome {
	st, now, a := rec.Status, b.clock.store(), rec.Status.Attempt
	say := "the answer to a renewal was lost (" + a.Holder + " asked at " + a.Began.Format(time.TimeOnly) + "), and its refresh token is spent"
	if rec.Config.Endpoints.Introspection == "" {
		say = "the answer to a renewal was lost (" + a.Holder + " asked at " + a.Began.Format(time.TimeOnly) + "), and the provider cannot be asked whether its refresh token is spent"
	}
	return b.waiting(ctx, g, rec, tokens, Trouble{
		Cause: "refresh-token-reused", Title: say, Since: now, Last: now, Tries: 1,
		Detail: "a refresh token that is used twice ends the whole session at a provider that detects reuse (RFC 9700 section 4.14.2), so it was not presented again",
	}, st)
}

// end tells that only a person can go on.
func (b *Broker) end(ctx context.Context, rec Record, tokens Tokens, w want) outcome {
	now := b.clock.store()
	t := Trouble{Cause: "refresh-token-missing", Title: "the provider gave no refresh token", Since: now, Last: now, Tries: 1}
	if limit(rec, now) {
		t.Cause, t.Title = "reauth-required", "the time for which a person connected is over"
		rec.Status.Expires = rec.Status.Absolute
	}
	if before := rec.Status.Trouble; before != nil && before.Strategy == string(strategy.Ask) {
		t = *before
		t.Last = now
	}
	return b.waiting(ctx, nil, rec, tokens, t, rec.Status)
}

// waiting notes that a person has to connect again; the refresh token is given
// up, the access token is used while it lives.
func (b *Broker) waiting(ctx context.Context, g *grip, rec Record, tokens Tokens, t Trouble, st Status) outcome {
	t.Strategy, t.Turn = string(strategy.Ask), turnUser
	changed := tokens.Refresh != ""
	tokens.Refresh = ""
	st.State, st.Trouble, st.RenewAt, st.Refreshable, st.Attempt, st.Spent = StateWaiting, &t, time.Time{}, false, nil, ""
	return b.note(ctx, g, rec, st, tokens, changed, renewal{grant: GrantRefresh, scope: rec.Config.Scopes}, nil)
}

// rest stops the renewing of a connection that nobody uses. The next caller has
// it renewed.
func (b *Broker) rest(ctx context.Context, rec Record, tokens Tokens, idle time.Duration) outcome {
	st := rec.Status
	st.RenewAt = time.Time{}
	st.Notes = append(st.Notes[:len(st.Notes):len(st.Notes)], "not renewed any more, because nobody took it for "+idle.String()+"; the next caller has it renewed")
	return b.note(ctx, nil, rec, st, tokens, false, renewal{}, nil)
}

// note writes a status down. Where the lease was lost it is taken anew: if the
// attempt is still this one's, nobody else knows what came of it.
func (b *Broker) note(ctx context.Context, g *grip, rec Record, st Status, tokens Tokens, changed bool, r renewal, refusal *grant.Refusal) outcome {
	id, before := rec.Config.ID, rec.Status
	ctx, cancel := outlast(ctx)
	defer cancel()
	var sealed []byte
	giveUp := time.Now().Add(30 * time.Second)
	written := func() outcome {
		rec.Status = st
		if st.Trouble != nil && (refusal != nil || before.Trouble == nil || before.Trouble.Cause != st.Trouble.Cause) {
			b.emit(ctx, b.failure(rec, r, refusal))
		}
		return outcome{rec: rec, tokens: tokens}
	}
	for wait := 50 * time.Millisecond; ; wait = min(wait*2, time.Second) {
		err := error(nil)
		if g == nil {
			if g, err = b.grip(ctx, id); err == nil {
				defer g.letGo()
			}
		}
		if err == nil && changed && sealed == nil {
			sealed, err = b.sealTokens(ctx, id, tokens)
		}
		if err == nil {
			st.Version, err = b.opt.Store.Note(ctx, id, g.l, withVersion(st, before.Version), sealed)
		}
		switch {
		case err == nil:
			if sealed != nil {
				rec.Tokens = sealed
			}
			return written()
		case errors.Is(err, ErrNotFound):
			return outcome{stale: true}
		case errors.Is(err, ErrStale):
			fresh, err := b.opt.Store.Connection(ctx, id)
			if t, there := st.Trouble, fresh.Status.Trouble; err == nil && refusal != nil && there != nil && there.Cause == t.Cause && there.Last.Equal(t.Last) && sameAttempt(fresh.Status.Attempt, st.Attempt) {
				st.Version, rec.Tokens = fresh.Status.Version, fresh.Tokens // it was written, and only the confirmation was lost
				return written()
			}
			if err != nil || !sameAttempt(fresh.Status.Attempt, before.Attempt) || fresh.Status.Generation != before.Generation || before.Attempt == nil {
				return outcome{stale: true}
			}
			before.Version = fresh.Status.Version
		case errors.Is(err, ErrLost):
			g = nil
		case ctx.Err() != nil || time.Now().After(giveUp):
			if a := before.Attempt; a != nil && refusal != nil && !refusal.Unsure() && st.Refreshable {
				b.unsent.add(id, *a) // nobody else knows that it is over
			}
			return outcome{away: err, say: "what a provider answered could not be written down"}
		}
		_ = sleep(ctx, wait)
	}
}

func withVersion(st Status, version int64) Status {
	st.Version = version
	return st
}

func sameAttempt(a, b *Attempt) bool {
	return a == b || a != nil && b != nil && a.Fence == b.Fence && a.Holder == b.Holder
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
