package broker

import (
	"context"
	"math"
	"time"
)

// adopt takes a record as it was read or written into the cache, unless the
// cache knows a later one already, and gives what the cache holds then.
func (b *Broker) adopt(ctx context.Context, e *entry, rec Record) (*held, error) {
	tokens, err := b.openTokens(ctx, rec)
	if err != nil {
		return nil, err
	}
	return b.hold(e, rec, tokens), nil
}

// hold is adopt with the tokens opened.
func (b *Broker) hold(e *entry, rec Record, tokens Tokens) *held {
	h := b.heldOf(rec, tokens)
	e.mu.Lock()
	old := e.held.Load()
	if old != nil && (old.status.Version > rec.Status.Version || old.record > rec.Revision) {
		e.mu.Unlock()
		return old
	}
	e.held.Store(h)
	e.mu.Unlock()
	if minute := rec.Status.Used.Unix() / 60; !rec.Status.Used.IsZero() && e.told.Load() < minute {
		e.told.Store(minute)
	}
	if old == nil || old.status.Version != rec.Status.Version || old.record != rec.Revision {
		b.publish(h)
	}
	return h
}

// heldOf is what the cache holds of a record.
func (b *Broker) heldOf(rec Record, tokens Tokens) *held {
	now := b.clock.store()
	st := rec.Status
	promising := st
	promising.Refreshable = st.Refreshable || st.Trouble != nil // trouble ends no promise: what cannot keep it says so
	plan := b.plan(rec.Config, promising)
	if !plan.Expires.IsZero() && plan.Expires.Before(st.Expires) && st.Generation > 0 {
		st.Expires = plan.Expires // a policy that became stricter since counts at once
	}
	h := &held{
		config: &rec.Config, status: st, record: rec.Revision,
		lives:   tokens.Access != "" && (st.Expires.IsZero() || st.Expires.After(now)),
		ends:    b.clock.local(st.Expires).UnixNano(),
		promise: plan.LeastLife, life: st.Expires.Sub(st.Obtained),
		token: Token{
			Connection: rec.Config.ID, Access: tokens.Access, Type: tokenType(st.TokenType),
			Expires: b.clock.local(st.Expires), Generation: st.Generation, Scopes: st.Scopes,
		},
	}
	if st.Expires.IsZero() { // it is used until it is refused
		h.ends, h.life = math.MaxInt64, 0
	}
	if st.Scopes == nil {
		h.token.Scopes = rec.Config.Scopes
	}
	if rec.Config.Disabled {
		h.lives = false
	}
	until, trouble := b.calm(rec, now)
	if trouble != nil {
		h.calmDown(b, until, trouble)
	}
	return h
}

// forever is when something is tried that is not tried by itself.
const forever = 100 * 365 * 24 * time.Hour

// calm tells until when nobody asks the provider for a connection, and why; nil:
// it may be asked.
func (b *Broker) calm(rec Record, now time.Time) (time.Time, *Trouble) {
	st, c := rec.Status, rec.Config
	switch t := st.Trouble; {
	case c.Disabled:
		return now.Add(forever), &Trouble{Cause: "client-disabled", Strategy: "give-up", Title: "the connection is switched off", Turn: turnOwner, Since: st.Obtained, Last: now}
	case t != nil && t.Endpoint && !doubtful(st) && st.State != StateWaiting && st.State != StateStopped:
		return t.Last.Add(time.Second), t // whoever needs a token finds out whether it is back; the endpoint's pace guards it
	case t != nil && st.RenewAt.IsZero():
		return now.Add(forever), t
	case t != nil:
		return st.RenewAt, t
	case st.Generation == 0 && Interactive(c.Grant) && !st.Refreshable:
		return now.Add(forever), &Trouble{Cause: "interaction-required", Strategy: "ask", Title: "nobody has connected yet", Turn: turnUser, Since: c.Made, Last: c.Made}
	}
	return time.Time{}, nil
}

// calmDown has the cache answer by itself until a time of the store's clock.
// What this replica may have missed is missed for 30 seconds at most, or for one
// where nobody follows the changes.
func (h *held) calmDown(b *Broker, until time.Time, t *Trouble) {
	now := b.clock.store()
	most := time.Second
	if b.following() {
		most = 30 * time.Second
	}
	calm := until
	if limit := now.Add(most); calm.After(limit) {
		calm = limit
	}
	h.calm = b.clock.local(calm).UnixNano()
	h.short = t.Title
	shown := *b.linked(h.config.ID, t)
	h.why = &Unavailable{ID: h.config.ID, State: h.status.State, Trouble: shown}
	if h.config.Disabled {
		h.why.State = StateStopped
	}
	if until.Before(now.Add(forever / 2)) {
		h.why.Retry = b.clock.local(until)
	}
}

// calmed is h, quiet until a time because of what was not worth writing down:
// the endpoint's pace, another replica's request, the store being away.
func (b *Broker) calmed(e *entry, h *held, until time.Time, t Trouble) *held {
	c := *h
	c.calmDown(b, until, &t)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch now := e.held.Load(); {
	case now == h:
		e.held.Store(&c)
	case now != nil && now.status.Version > h.status.Version:
		return now // the change feed knows better by now
	}
	return &c
}

// linked gives the trouble with the link where a person connects, if one has to.
func (b *Broker) linked(id string, t *Trouble) *Trouble {
	if t == nil || t.Strategy != "ask" {
		return t
	}
	c := *t
	c.Link = b.opt.ConnectURL(id)
	return &c
}

func tokenType(t string) string {
	if t == "" {
		return "Bearer"
	}
	return t
}
