package strict

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"usher/test/broker/history"
)

// Reply is an answer of the token endpoint. Status 0 is none: the connection is
// closed.
type Reply struct {
	Status int
	Type   string
	Retry  string
	Body   []byte
	record *history.Request
}

type fromKey struct{}

// From says who asks, for the log.
func From(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, fromKey{}, name)
}

// Phase is how far a request has come.
type Phase string

// The phases.
const (
	Arrived Phase = "arrived"
	Acted   Phase = "acted"
	Answers Phase = "answers" // the answer is about to be written
)

func (p *Provider) watch(phase Phase, conn, from string) {
	if p.Watch != nil {
		p.Watch(phase, conn, from)
	}
}

// Token is the token endpoint: who says who it is, in which style, and what it
// asks. The context ends when the sender is gone.
func (p *Provider) Token(ctx context.Context, id, secret, style string, form url.Values) Reply {
	p.mu.Lock()
	from, _ := ctx.Value(fromKey{}).(string)
	record := &history.Request{
		From: from, Conn: id, Arrived: p.now(), Grant: form.Get("grant_type"), Style: style,
		Presented: history.Ref(form.Get("refresh_token")),
	}
	if p.Brief {
		p.seconds[record.Arrived.Unix()]++
	} else {
		p.requests = append(p.requests, record)
	}
	fault, retry, c := p.fault, p.retry, p.clients[id]
	var before, after time.Duration
	stops := false
	if c != nil {
		before, after, stops = c.Before, c.After, c.Stops
	}
	p.mu.Unlock()
	p.watch(Arrived, id, from)

	done := func(o history.Outcome, r Reply) Reply {
		defer p.watch(Answers, id, from)
		p.mu.Lock()
		defer p.mu.Unlock()
		record.Outcome, record.Status, record.Answered = o, r.Status, p.now()
		p.counts[o]++
		r.record = record
		return r
	}
	switch fault {
	case Resets:
		return done(history.Away, Reply{})
	case Refuses:
		return done(history.Away, Reply{Status: 503, Type: "text/plain", Retry: retry, Body: []byte("Service Unavailable")})
	case Proxy:
		return done(history.Away, Reply{Status: 502, Type: "text/html", Retry: retry, Body: []byte("<html><body><h1>502 Bad Gateway</h1></body></html>")})
	case Hangs:
		<-ctx.Done()
		return done(history.Away, Reply{})
	}
	// Who goes on works although the sender is gone.
	work := context.WithoutCancel(ctx)
	if stops {
		work = ctx
	}
	if p.sleep(work, before) != nil {
		return done(history.Dropped, Reply{})
	}
	outcome, reply := p.act(record, c, secret, style, form)
	if outcome == history.Accepted && p.garble(c) {
		p.mu.Lock()
		record.Garbled = true
		p.mu.Unlock()
		reply = Reply{Status: 200, Type: "text/html", Body: []byte("<html><body>Sign in to the network</body></html>")}
	}
	p.watch(Acted, id, from)
	_ = p.sleep(context.WithoutCancel(ctx), after)
	return done(outcome, reply)
}

func (p *Provider) garble(c *client) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !c.Garbles || c.garbled {
		return false
	}
	c.garbled = true
	return true
}

// act does what is asked.
func (p *Provider) act(record *history.Request, c *client, secret, style string, form url.Values) (history.Outcome, Reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c == nil || secret != c.Secret || style != c.Style {
		return history.Stranger, refuse(401, "invalid_client", "client authentication failed")
	}
	if c.lies < len(c.Lies) {
		l := c.Lies[c.lies]
		c.lies++
		if l.Type == "" {
			l.Type = "application/json"
		}
		return history.Lied, Reply{Status: l.Status, Type: l.Type, Retry: l.Retry, Body: []byte(l.Body)}
	}
	switch form.Get("grant_type") {
	case "client_credentials":
		record.Acted = p.now()
		f := &family{client: c}
		i, token := p.newAccess(f, c.Life)
		record.Gave = i.Ref
		return history.Accepted, give(token, "", c.Life)
	case "refresh_token":
		r := p.refresh[form.Get("refresh_token")]
		switch {
		case r == nil || r.family.client != c || r.family.dead:
			return history.Dead, refuse(400, "invalid_grant", "the refresh token is invalid, expired or revoked")
		case r.spent:
			p.end(r.family, true)
			return history.Reused, refuse(400, "invalid_grant", "the refresh token was already used; all tokens of its family are revoked")
		}
		record.Acted = p.now()
		if !c.Lives {
			for _, a := range r.family.all {
				if a.issued.Died.IsZero() {
					a.issued.Died = record.Acted
				}
			}
		}
		i, token := p.newAccess(r.family, c.Life)
		record.Gave = i.Ref
		next := ""
		if !c.Keeps {
			r.spent = true
			next = p.newRefresh(r.family)
		}
		return history.Accepted, give(token, next, c.Life)
	}
	return history.Dead, refuse(400, "unsupported_grant_type", "")
}

// Introspect tells whether a token is active, RFC 7662; ok is whether the client
// may ask.
func (p *Provider) Introspect(id, secret, style, token string) (active, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.clients[id]
	if c == nil || c.Secret != secret || c.Style != style || c.Blind || p.fault != Up {
		return false, false
	}
	if r := p.refresh[token]; r != nil {
		active = r.family.client == c && !r.family.dead && !r.spent
	} else if a := p.access[token]; a != nil {
		active = a.family.client == c && p.lives(a)
	}
	p.asked = append(p.asked, Question{Conn: id, At: p.now(), Ref: history.Ref(token), Active: active})
	return active, true
}

// Accepts is an API of the provider: it tells whether it takes an access token.
func (p *Provider) Accepts(token string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.access[token]
	return a != nil && p.lives(a)
}

func (p *Provider) lives(a *access) bool {
	return a.issued.Died.IsZero() && p.now().Before(a.issued.Expires)
}

func give(token, refresh string, life time.Duration) Reply {
	body, _ := json.Marshal(struct {
		Access  string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int64  `json:"expires_in"`
		Refresh string `json:"refresh_token,omitempty"`
	}{token, "Bearer", int64(life / time.Second), refresh})
	return Reply{Status: 200, Type: "application/json", Body: body}
}

func refuse(status int, code, description string) Reply {
	body, _ := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{code, description})
	return Reply{Status: status, Type: "application/json", Body: body}
}
