package broker

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
	"time"

	"usher/broker/strategy"
)

// Token gives a token; see Source. One that is cached and lives as long as was
// promised costs neither a lock nor an allocation. Otherwise the caller waits
// for the one renewal of this process until its ctx ends; the renewal goes on
// for the others then. When ctx ends and a token lives still, that is given
// short. Who was refused by an API has the store asked, so that the answer is not
// an older token that another replica has replaced.
func (b *Broker) Token(ctx context.Context, id string, ask Ask) (Token, error) {
	now := b.clock.now()
	if e := b.cache.get(id); e != nil {
		if h := e.held.Load(); h != nil {
			if t, err, ok := h.give(now.UnixNano(), &ask); ok && (ask.Refused == "" || err == ErrForbidden) { //nolint:errorlint // never wrapped
				if err == nil {
					e.touch(now)
				}
				return t, err
			}
		}
	}
	return b.wait(ctx, id, ask)
}

// give answers from the cache. ok is false where the provider must be asked, or
// the store.
func (h *held) give(now int64, ask *Ask) (t Token, err error, ok bool) {
	if !h.config.admits(ask.Caller) {
		return t, ErrForbidden, true
	}
	refused := ask.Refused != "" && h.same(ask)
	if h.lives && !refused && now+int64(h.need(ask)) <= h.ends {
		return h.token, nil, true
	}
	if now >= h.calm || refused {
		return t, nil, false
	}
	if h.lives && now < h.ends {
		t = h.token
		t.Short = h.short
		return t, nil, true
	}
	return t, h.why, true
}

// settle answers from what a renewal came to, whatever it was.
func (h *held) settle(now int64, ask *Ask) (Token, error) {
	t, err, ok := h.give(now, ask)
	switch {
	case ok:
		return t, err
	case h.lives && now < h.ends && !(ask.Refused != "" && h.same(ask)):
		t = h.token
		t.Short = h.short
		if t.Short == "" {
			t.Short = "the provider gives tokens that live " + h.life.Round(time.Second).String()
		}
		return t, nil
	case h.why != nil:
		return t, h.why
	}
	return t, &Unavailable{ID: h.config.ID, State: h.status.State, Trouble: Trouble{
		Cause: "unknown", Strategy: "retry", Title: "there is no token, and no reason was found",
	}}
}

// need is the life that a caller wants.
func (h *held) need(ask *Ask) time.Duration { return max(h.promise, ask.LeastLife) }

// same tells whether the caller's refused token is the one that is held.
func (h *held) same(ask *Ask) bool {
	return subtle.ConstantTimeCompare([]byte(h.token.Access.Reveal()), []byte(ask.Refused.Reveal())) == 1
}

// admits tells whether a caller may use the connection. Where callers are named,
// the operator (who has no name, or a local one) may too.
func (c *Config) admits(caller string) bool {
	if len(c.Callers) == 0 || caller == "" || strings.HasPrefix(caller, "local ") {
		return true
	}
	return slices.Contains(c.Callers, strings.TrimPrefix(caller, "key "))
}

// touch notes that a caller took a token.
func (e *entry) touch(now time.Time) {
	if minute := now.Unix() / 60; e.used.Load() < minute {
		e.used.Store(minute)
	}
}

// want is what a renewal is for.
type want struct {
	ask       Ask
	scheduled bool  // RenewAt came
	force     bool  // somebody said so: no back-off is minded
	above     int64 // generation that is not wanted any more
}

// wait gives what a renewal comes to, one that is under way or a new one.
func (b *Broker) wait(ctx context.Context, id string, ask Ask) (Token, error) {
	if !validID(id) {
		return Token{}, ErrNotFound
	}
	e := b.cache.entry(id)
	for tries := 0; ; tries++ {
		f := b.fly(e, want{ask: ask}, nil)
		select {
		case <-f.done:
		case <-ctx.Done():
			return b.meanwhile(ctx, e, ask)
		case <-b.hushed:
			if t, err := b.meanwhile(ctx, e, ask); err == nil && t.Connection != "" {
				return t, nil
			}
			return Token{}, b.unavailableNow(id)
		}
		if f.held == nil {
			return Token{}, f.err
		}
		now := b.clock.now()
		t, err := f.held.settle(now.UnixNano(), &ask)
		if lacking := err != nil || t.Short != ""; lacking && !f.tried && tries < 3 && !errors.Is(err, ErrForbidden) {
			continue // it was under way for somebody who wanted less: the scheduler, which does not wait
		}
		if err != nil || t.Short != "" { // another replica's token may have come in meanwhile
			if h := e.held.Load(); h != nil && h != f.held {
				if newer, none, ok := h.give(now.UnixNano(), &ask); ok && none == nil {
					t, err = newer, nil
				}
			}
		}
		if err == nil {
			e.touch(now)
		}
		return t, err
	}
}

// meanwhile answers a caller whose patience ends before the renewal does.
func (b *Broker) meanwhile(ctx context.Context, e *entry, ask Ask) (Token, error) {
	now := b.clock.now()
	h := e.held.Load()
	if h == nil || !h.lives || now.UnixNano() >= h.ends || !h.config.admits(ask.Caller) || ask.Refused != "" && h.same(&ask) {
		return Token{}, context.Cause(ctx)
	}
	e.touch(now)
	t := h.token
	t.Short = "its renewal takes longer than the caller waits"
	return t, nil
}

// unavailableNow tells a caller that this broker is stopping: another replica, or
// the next start, has the token.
func (b *Broker) unavailableNow(id string) error {
	now := b.clock.now()
	return &Unavailable{ID: id, State: StateFailing, Retry: now.Add(time.Second), Trouble: Trouble{
		Cause: "unknown", Strategy: string(strategy.Retry), Title: "this usher is stopping: ask again", Since: now, Last: now,
	}}
}
