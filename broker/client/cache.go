package client

import (
	"context"
	"errors"
	"time"

	"usher"
)

// entry is what is kept of one connection.
type entry struct {
	token  Token
	life   time.Duration // that it had when it came
	asked  time.Time     // when it was asked for
	flight *flight       // a request that is under way
	pause  time.Time     // the server was away: it is not asked again before
	// refused is a token that an API refused when nobody could wait for another:
	// the server is told with the next request.
	refused usher.Secret
	newest  int64 // generation that Watch has heard of
}

// flight is one request that many wait for.
type flight struct {
	done  chan struct{}
	token Token
	err   error
	ask   Ask
	gone  bool // Watch has heard meanwhile that there is no token any more
}

// pauseAway is how long the server is left alone after it was away, while there
// is a token to go on with.
const pauseAway = time.Second

// cached gives a token from memory, or asks the server for one: once, however
// many want it.
func (c *Client) cached(ctx context.Context, id string, ask Ask) (Token, error) {
	for {
		c.mu.Lock()
		e := c.kept[id]
		if e == nil {
			e = &entry{}
			c.kept[id] = e
		}
		now := c.opt.Now()
		if ask.Refused != "" && e.token.Access == ask.Refused {
			e.token = Token{}
		}
		if c.good(id, e, ask, now) {
			t := e.token
			c.mu.Unlock()
			return t, nil
		}
		f := e.flight
		if f == nil {
			if ask.Refused == "" {
				ask.Refused = e.refused
			}
			f = &flight{done: make(chan struct{}), ask: ask}
			e.flight = f
			go c.fly(context.WithoutCancel(ctx), id, e, f)
		}
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return Token{}, ctx.Err()
		case <-f.done:
		}
		// What was asked for with less in mind may not do: then it is asked anew.
		enough := f.ask.LeastLife >= ask.LeastLife && (ask.Refused == "" || f.token.Access != ask.Refused || f.ask.Refused == ask.Refused)
		switch {
		case f.err != nil:
			return c.withoutServer(id, ask, f.err)
		case enough:
			return f.token, nil
		}
	}
}

// good tells whether the kept token will do.
func (c *Client) good(id string, e *entry, ask Ask, now time.Time) bool {
	if e.token.Access == "" {
		return false
	}
	if now.Before(e.pause) && alive(&e.token, now) && ask.LeastLife == 0 {
		return true
	}
	if !c.listens(id, e.asked) && now.Sub(e.asked) >= c.opt.Fresh {
		return false
	}
	return e.token.Expires.IsZero() || e.token.Expires.Sub(now) > c.least(e, ask)
}

// least is the life that a kept token must have.
func (c *Client) least(e *entry, ask Ask) time.Duration {
	switch {
	case ask.LeastLife > 0:
		return ask.LeastLife
	case c.opt.LeastLife > 0:
		return c.opt.LeastLife
	}
	return min(30*time.Second, e.life/10)
}

func alive(t *Token, now time.Time) bool {
	return t.Access != "" && (t.Expires.IsZero() || now.Before(t.Expires))
}

// fly asks the server, keeps what it gives, and tells those who wait.
func (c *Client) fly(ctx context.Context, id string, e *entry, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, c.opt.Wait)
	defer cancel()
	began := c.opt.Now()
	f.token, f.err = c.fetch(ctx, id, f.ask)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(f.done)
	e.flight = nil
	var told *Error
	switch {
	case f.err == nil:
		// Watch may have heard of a newer one meanwhile, or that it is gone, and an
		// API may have refused this one: what is not the newest is not kept.
		refused := e.refused != "" && e.refused == f.token.Access && f.ask.Refused != e.refused
		if f.token.Generation >= e.newest && !f.gone && !refused {
			e.token, e.asked, e.pause, e.refused = f.token, began, time.Time{}, ""
			e.life = f.token.Expires.Sub(began)
		}
	case errors.As(f.err, &told) && told.away() || errors.Is(f.err, context.DeadlineExceeded):
		e.pause = c.opt.Now().Add(pauseAway)
	default:
		e.token = Token{} // the server has said that it may not be used
	}
}

// withoutServer gives the kept token while it lives, where the server is away.
func (c *Client) withoutServer(id string, ask Ask, err error) (Token, error) {
	var told *Error
	if errors.As(err, &told) && !told.away() {
		return Token{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.kept[id]
	now := c.opt.Now()
	if e == nil || !alive(&e.token, now) || e.token.Access == ask.Refused {
		return Token{}, err
	}
	if ask.LeastLife > 0 && !e.token.Expires.IsZero() && e.token.Expires.Sub(now) < ask.LeastLife {
		return Token{}, err
	}
	t := e.token
	t.Short = "usher is away; this is the token that it gave before"
	return t, nil
}

// heed drops a token that a change says is no longer the one.
func (c *Client) heed(one *Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.kept[one.Connection]
	if e == nil {
		return
	}
	gone := one.Removed || one.State == "stopped" || one.State == "new"
	if gone || e.token.Generation < one.Generation {
		e.token = Token{}
	}
	e.newest = one.Generation
	if gone {
		e.newest = 0 // one that is made anew counts from the beginning
		if e.flight != nil {
			e.flight.gone = true
		}
	}
}
