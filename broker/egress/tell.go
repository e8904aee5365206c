package egress

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/broker"
	"usher/oauth"
)

// problem is why usher itself answers.
type problem struct {
	status int
	code   string // for programs
	cause  string // label of the taxonomy
	what   string
	hint   string
	retry  string // Retry-After
	turn   string
	silent bool // the broker has told it already, or nobody waits
}

// refuse answers with a problem, and tells it as an event.
func (c *call) refuse(no *problem) {
	if !no.silent {
		c.emit(no.status, no.code, no.what, challenge{}, no)
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set(headerError, no.code)
	if no.retry != "" {
		h.Set("Retry-After", no.retry)
	}
	switch no.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="usher"`)
	case http.StatusProxyAuthRequired:
		h.Set("Proxy-Authenticate", `Basic realm="usher"`)
	case http.StatusMethodNotAllowed:
		h.Set("Allow", "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE")
	case http.StatusRequestHeaderFieldsTooLarge, http.StatusBadRequest:
		h.Set("Connection", "close")
	}
	text, err := json.Marshal(map[string]string{
		"error": no.code, "cause": no.cause, "error_description": no.what, "hint": no.hint, "connection": c.id, "turn": no.turn,
	})
	if err != nil { // strings always can
		text = []byte("{}")
	}
	c.w.WriteHeader(no.status)
	_, _ = c.w.Write(append(text, '\n'))
}

// untold answers where the broker has no token. It has told that as an event of
// its own; nothing was sent.
func (c *call) untold(err error) {
	var away *broker.Unavailable
	no := &problem{status: http.StatusServiceUnavailable, code: "token_unavailable", cause: "unknown", what: "there is no token now", hint: "see: usher connections show " + c.id, retry: "1"}
	switch {
	case errors.As(err, &away):
		no.cause, no.what, no.turn = away.Trouble.Cause, "the connection "+c.id+" has no token: "+away.Trouble.Title, string(away.Trouble.Turn)
		no.retry = retryAfter(away.Retry, c.p.opt.Now())
		no.silent = true // one event and one case, proven by the next token
	case errors.Is(err, broker.ErrNotFound):
		no.status, no.code, no.cause, no.what, no.retry = http.StatusNotFound, "connection_unknown", "client-unknown", "there is no connection "+c.id, ""
	case c.r.Context().Err() != nil:
		no.silent = true
	}
	c.refuse(no)
}

func retryAfter(at, now time.Time) string {
	if at.IsZero() {
		return "60" // only somebody can help
	}
	return strconv.Itoa(int(min(max((at.Sub(now)+time.Second-1)/time.Second, 1), 3600)))
}

// unreached answers where the API gave no answer.
func (c *call) unreached(err error) {
	no := &problem{status: http.StatusBadGateway, code: "target_unreachable", cause: "network-proxy", what: c.to.String() + " gave no answer", hint: "see whether it runs, and whether this machine may reach it"}
	var told *usher.Error
	switch {
	case c.r.Context().Err() != nil:
		no.silent = true // the caller has gone
	case errors.Is(err, errSlow):
		no.status, no.code, no.cause, no.what = http.StatusGatewayTimeout, "target_slow", "provider-outage", c.to.String()+" has not answered in "+c.p.opt.Patience.String()
	case errors.As(err, &told):
		no.what, no.hint = told.Message, cmp.Or(told.Hint, no.hint)
	}
	c.refuse(no)
}

// challenge is what an API says of a token, RFC 6750 section 3.
type challenge struct {
	bearer      bool // there is a Bearer challenge
	other       bool // there is a challenge of another kind only
	code        string
	description string
	scope       string
}

func readChallenge(h http.Header) challenge {
	var c challenge
	list, _ := oauth.ParseChallenges(strings.Join(h.Values("WWW-Authenticate"), ", "))
	for _, one := range list {
		if !strings.EqualFold(one.Scheme, "Bearer") {
			c.other = true
			continue
		}
		if !c.bearer || c.code == "" {
			c.code, c.description, c.scope = one.Params["error"], one.Params["error_description"], one.Params["scope"]
		}
		c.bearer = true
	}
	return c
}

// tokenInvalid tells whether a 401 means the token: it says so, or it says
// nothing, as many APIs do. One that wants another scheme, more of the user, or
// a better request is not helped by another token.
func (c challenge) tokenInvalid() bool {
	switch c.code {
	case oauth.ErrInvalidToken:
		return true
	case "":
		return c.bearer || !c.other
	}
	return false
}

// place is a connection at an origin.
type place struct {
	id string
	to origin
}

// refusal is what is known of refusals at a place.
type refusal struct {
	open bool          // refused, and no success since
	vain time.Time     // until then no token is renewed for it: a renewed one was refused too
	gen  int64         // of that token
	wait time.Duration // 0: it may have been a coincidence
}

const (
	vainLeast  = 30 * time.Second
	vainMost   = 30 * time.Minute
	mostPlaces = 4096
)

func (c *call) place() place { return place{c.id, c.to} }

// at gives what is known of a place; p.mu is held.
func (p *Proxy) at(where place) *refusal {
	r := p.refused[where]
	if r == nil {
		if len(p.refused) >= mostPlaces {
			for other := range p.refused {
				delete(p.refused, other)
				break
			}
		}
		r = &refusal{}
		p.refused[where] = r
	}
	return r
}

// vain tells whether renewing is of no use now: the fault is not the token.
func (p *Proxy) vain(where place, t *broker.Token, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.refused[where]
	switch {
	case r == nil || !now.Before(r.vain):
		return false
	case t.Generation <= r.gen:
		return true
	case r.wait == 0: // so it was no coincidence
		r.pause(t, now)
		return true
	}
	return false
}

// renewedInVain notes that a token was refused that was renewed for a refusal.
// The first time that may be a coincidence, a renewal that was under way when all
// tokens were revoked: then the broker is to be told of this one too.
func (p *Proxy) renewedInVain(where place, t *broker.Token, now time.Time) (tell bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.at(where)
	switch {
	case t.Generation <= r.gen: // known
	case r.gen == 0:
		r.vain, r.gen = now.Add(vainLeast), t.Generation
		return true
	default:
		r.pause(t, now)
	}
	return false
}

func (r *refusal) pause(t *broker.Token, now time.Time) {
	r.wait = min(max(2*r.wait, vainLeast), vainMost)
	r.vain, r.gen = now.Add(r.wait), t.Generation
}

// succeeded tells whether a success is the first since a refusal. That renewing
// was of no use is forgotten with a newer token alone: a success with the same one
// shows that the fault is not the token but what was asked for.
func (p *Proxy) succeeded(where place, t *broker.Token, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.refused[where]
	if r == nil {
		return false
	}
	was := r.open
	if r.open = false; t.Generation > r.gen && !now.Before(r.vain) {
		delete(p.refused, where)
	}
	return was
}

// tell makes an event of an answer that refuses, and of the first success after
// one.
func (c *call) tell(resp *http.Response, token *broker.Token) {
	refuses := resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusTooManyRequests
	switch {
	case refuses:
		c.p.mu.Lock()
		c.p.at(c.place()).open = true
		c.p.mu.Unlock()
	case resp.StatusCode < 400:
		if !c.p.succeeded(c.place(), token, c.p.opt.Now()) {
			return
		}
	default:
		return
	}
	said := readChallenge(resp.Header)
	if resp.StatusCode == http.StatusTooManyRequests && said.code == "" {
		said.code = "too_many_requests"
	}
	c.emit(resp.StatusCode, said.code, said.description, said, nil)
}

// emit tells an event of this request. What the other side wrote is masked.
func (c *call) emit(status int, code, detail string, said challenge, no *problem) {
	now := c.p.opt.Now().UTC()
	ev := usher.Event{
		UID: randomUID(), Class: usher.ClassAPIActivity, Kind: usher.EventAPI, Code: "EGRESS", Provider: "usher", LogName: "broker",
		Time: now, Status: usher.StatusSuccess, Protocol: "oauth2", UserType: "service-principal",
		Session: c.config.ID, // of one that there is: nobody makes up connections
		Actor:   usher.Party{Name: oauth.Redact(c.who.Name)}, Source: usher.Endpoint{IP: sourceIP(c.r)},
		Client: usher.Party{UID: c.config.ClientID}, Tenant: tenant(&c.config),
		Request: usher.Request{Method: clip(c.r.Method), Status: status},
		OAuth:   usher.OAuthFacts{Endpoint: "api", TokenIn: "access_token"},
	}
	if c.to.host != "" {
		ev.Resource = usher.Party{UID: c.to.String(), Name: c.to.authority()}
		ev.Request.Host, ev.Request.Path = c.to.authority(), clip(oauth.Redact(c.path))
	}
	if said.scope != "" {
		ev.OAuth.Requested = strings.Fields(oauth.Redact(said.scope))
	}
	if status >= 400 {
		ev.Status = usher.StatusFailure
		ev.StatusCode, ev.StatusDetail = clip(oauth.Redact(cmp.Or(code, strconv.Itoa(status)))), oauth.Redact(cut(detail))
		ev.OAuth.Error, ev.OAuth.Description = ev.StatusCode, ev.StatusDetail
		ev.Message = oauth.Redact(ev.Request.Method + " " + ev.Resource.UID + ev.Request.Path + ": " + strconv.Itoa(status) + " " + ev.StatusCode + " " + ev.StatusDetail)
	}
	if no != nil { // we know why
		ev.Unmapped = map[string]string{"cause": no.cause, "title": oauth.Redact(no.what), "turn": string(cmp.Or(no.turn, string(usher.FixerDeveloper)))}
	}
	c.p.opt.Emit(context.WithoutCancel(c.r.Context()), ev)
}

func cut(s string) string { return s[:min(len(s), 400)] }

func randomUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func sourceIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// tenant names the provider as all events of the broker do.
func tenant(c *broker.Config) string {
	if c.Provider != "" {
		return c.Provider
	}
	u, err := url.Parse(cmp.Or(c.Issuer, c.Endpoints.Token))
	if err != nil {
		return ""
	}
	return u.Host
}
