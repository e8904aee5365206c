package egress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"usher/broker"
)

// Headers of an answer that say what usher did.
const (
	headerError    = "Usher-Error"        // on answers that are usher's own: what it refused
	headerReplayed = "Usher-Replayed"     // "1": the API refused a token, the answer is of the second request
	headerNot      = "Usher-Not-Replayed" // why a 401 was passed on
)

// errSlow tells that an API did not begin to answer within Patience.
var errSlow = errors.New("no answer in time")

// forward sends the request on, once more where the token is refused and that is
// safe, and gives the answer.
func (c *call) forward() {
	ctx := c.r.Context()
	token, err := c.p.opt.Source.Token(ctx, c.id, broker.Ask{Caller: c.who.Name})
	if err != nil {
		c.untold(err)
		return
	}
	if no := usable(&token); no != nil {
		c.refuse(no)
		return
	}
	body, err := c.body()
	if err != nil {
		c.refuse(bad("the body cannot be read", "send it again"))
		return
	}
	defer body.done()
	if !body.whole { // an API may begin to answer before it has read all
		_ = http.NewResponseController(c.w).EnableFullDuplex() // HTTP/2 does it anyway
	}
	resp, end, err := c.send(ctx, &token, body)
	if err != nil {
		c.unreached(err)
		return
	}
	if resp.StatusCode == http.StatusUnauthorized {
		if resp, end = c.refusedToken(resp, end, &token, body); resp == nil {
			return
		}
	}
	defer end()
	c.tell(resp, &token)
	c.answer(resp)
}

// usable refuses tokens that cannot be put in as they are.
func usable(t *broker.Token) *problem {
	if t.Type != "" && !strings.EqualFold(t.Type, "Bearer") {
		return &problem{status: http.StatusNotImplemented, code: "token_type", cause: "token-wrong-type", what: "the token is of the type " + clip(t.Type) + ", which needs a proof with every request", hint: "take the token by GET /connections/{id}/token and make the proof yourself"}
	}
	for _, b := range []byte(t.Access.Reveal()) { // RFC 6750 section 2.1
		if b <= ' ' || b >= 0x7f {
			return &problem{status: http.StatusBadGateway, code: "token_unfit", cause: "token-malformed", what: "the token holds characters that no header may have", hint: "see what the provider answers"}
		}
	}
	return nil
}

// send makes one request with a token. end must be called when the answer was
// read.
func (c *call) send(ctx context.Context, token *broker.Token, body *body) (resp *http.Response, end func(), err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(c.p.opt.Patience, func() { cancel(errSlow) })
	req, err := c.request(ctx, token, body)
	if err == nil {
		resp, err = c.p.client(c.to).Once(req)
	}
	if !timer.Stop() && err != nil && errors.Is(context.Cause(ctx), errSlow) {
		err = errSlow
	}
	if err != nil {
		cancel(nil)
		return nil, nil, err
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "Usher-") { // it is us who say such things
			delete(resp.Header, name)
		}
	}
	return resp, func() { _ = resp.Body.Close(); cancel(nil) }, nil
}

// request makes what is sent from what came.
func (c *call) request(ctx context.Context, token *broker.Token, body *body) (*http.Request, error) {
	path, err := url.PathUnescape(c.path)
	if err != nil {
		return nil, err
	}
	u := &url.URL{Scheme: c.to.scheme, Host: c.to.authority(), Path: path, RawPath: c.path, RawQuery: c.r.URL.RawQuery, ForceQuery: c.r.URL.ForceQuery}
	req := (&http.Request{Method: c.r.Method, URL: u, Header: forwarded(c.r.Header), Host: u.Host}).WithContext(ctx)
	body.put(req)
	req.Header.Set("Authorization", "Bearer "+token.Access.Reveal())
	return req, nil
}

// hop are the headers that belong to one connection, RFC 9110 section 7.6.1, and
// those of proxies.
var hop = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
}

// own are the headers that say who the caller is, or where it came from. They
// are for us.
var own = []string{
	"Authorization", "Cookie", "Cookie2", "Dpop", "Expect", "Content-Length", "Host",
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Server",
	"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Access-Token", "X-Real-Ip",
}

func forwarded(from http.Header) http.Header {
	h := make(http.Header, len(from)+3)
	for name, values := range from {
		if !strings.HasPrefix(name, "Usher-") {
			h[name] = slices.Clone(values)
		}
	}
	dropHop(h, from)
	for _, name := range own {
		h.Del(name)
	}
	if _, says := h["User-Agent"]; !says {
		h["User-Agent"] = []string{"usher"}
	}
	if h.Get("Accept-Encoding") == "" {
		h.Set("Accept-Encoding", "identity") // what was not asked for packed is not to be unpacked here
	}
	h.Add("Via", "1.1 "+via)
	return h
}

// dropHop takes away what belongs to one connection, and what the header
// Connection says does.
func dropHop(h, from http.Header) {
	for _, line := range from.Values("Connection") {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hop {
		h.Del(name)
	}
}

// body is the caller's body: kept whole, so that it can be sent again, or passed
// on as it comes.
type body struct {
	kept   []byte
	whole  bool // kept is all of it
	stream io.Reader
	length int64
	why    string // why it is not kept
	done   func()
}

// body looks at the body. It is kept where the request may be sent again by its
// method or key, and the body is small enough.
func (c *call) body() (*body, error) {
	r := c.r
	b := &body{length: r.ContentLength, done: func() {}}
	limit := int64(c.p.opt.Replay)
	switch {
	case r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0:
		b.whole = true
		return b, nil
	case !c.safe():
		b.stream = r.Body
		return b, nil
	case limit <= 0 || r.ContentLength > limit:
		b.stream, b.why = r.Body, "the body is larger than is kept"
		return b, nil
	}
	if c.p.kept.Add(limit) > mostKept {
		c.p.kept.Add(-limit)
		b.stream, b.why = r.Body, "too many bodies are kept at once"
		return b, nil
	}
	b.done = sync.OnceFunc(func() { c.p.kept.Add(-limit) })
	first, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		b.done()
		return nil, err
	}
	if int64(len(first)) > limit {
		b.done()
		b.stream, b.why = io.MultiReader(bytes.NewReader(first), r.Body), "the body is larger than is kept"
		return b, nil
	}
	b.kept, b.whole, b.length = first, true, int64(len(first))
	return b, nil
}

// put gives a request its body.
func (b *body) put(req *http.Request) {
	switch {
	case !b.whole:
		req.Body, req.ContentLength = io.NopCloser(b.stream), b.length
	case len(b.kept) > 0:
		req.ContentLength = b.length
		req.Body = io.NopCloser(bytes.NewReader(b.kept))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.kept)), nil }
	default:
		req.Body = http.NoBody
	}
}

// safe tells whether a request may be carried out twice without harm: by its
// method (RFC 9110 section 9.2.2) or by a key of the caller's.
func (c *call) safe() bool {
	switch c.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return slices.ContainsFunc(c.p.opt.KeyHeaders, func(name string) bool {
		v := c.r.Header.Values(name)
		return len(v) == 1 && strings.TrimSpace(v[0]) != "" && !connectionSays(c.r.Header, name)
	})
}

// refusedToken handles a 401: it has the broker get another token and sends the
// request again, once, where that is safe. It gives what is to be answered, or
// nil where it has answered itself.
func (c *call) refusedToken(resp *http.Response, end func(), token *broker.Token, body *body) (*http.Response, func()) {
	pass := func(why string) (*http.Response, func()) {
		resp.Header.Set(headerNot, why)
		return resp, end
	}
	challenge := readChallenge(resp.Header)
	if !challenge.tokenInvalid() {
		return pass("the API does not say that the token is invalid")
	}
	if c.p.vain(c.place(), token, c.p.opt.Now()) {
		return pass("a token that was renewed was refused as well, so that another one would not help")
	}
	if !c.safe() || !body.whole {
		c.tellBroker(token)
		if !c.safe() {
			return pass("the method " + c.r.Method + " without an Idempotency-Key might be carried out twice")
		}
		return pass(body.why)
	}
	c.tell(resp, token) // the refusal is one event, whatever comes of it
	next, renewed, err := c.another(token)
	switch {
	case err != nil:
		why := "no other token can be had now"
		var away *broker.Unavailable
		if errors.As(err, &away) {
			why = "no other token can be had: " + away.Trouble.Title
		}
		resp.Header.Set(headerNot, headerText(why))
		defer end()
		c.answer(resp)
		return nil, nil
	case next.Access == token.Access || usable(&next) != nil:
		resp.Header.Set(headerNot, "the broker has no other token")
		defer end()
		c.answer(resp)
		return nil, nil
	}
	drain(resp.Body)
	end()
	resp, end, err = c.send(c.r.Context(), &next, body)
	if err != nil {
		c.unreached(err)
		return nil, nil
	}
	*token = next
	resp.Header.Set(headerReplayed, "1")
	if resp.StatusCode == http.StatusUnauthorized {
		resp.Header.Set(headerNot, "it was sent again already, with another token")
		if !renewed || c.p.renewedInVain(c.place(), token, c.p.opt.Now()) {
			if readChallenge(resp.Header).tokenInvalid() {
				c.tellBroker(token)
			}
		}
	}
	return resp, end
}

// another gives a token in place of a refused one. renewed tells that it was got
// since, so that the fault is not the token where it is refused as well: one that
// the broker had already may be as dead as the other, as when all are revoked
// while a request is under way.
func (c *call) another(refused *broker.Token) (t broker.Token, renewed bool, err error) {
	ask := broker.Ask{Caller: c.who.Name}
	t, err = c.p.opt.Source.Token(c.r.Context(), c.id, ask)
	if err == nil && t.Access != refused.Access {
		return t, false, nil
	}
	ask.Refused = refused.Access
	t, err = c.p.opt.Source.Token(c.r.Context(), c.id, ask)
	return t, true, err
}

// drain reads a little, so that the connection can be used again.
func drain(r io.Reader) { _, _ = io.CopyN(io.Discard, r, 4<<10) }

// tellBroker tells of a refused token without waiting, once at a time for a
// connection: whoever asks next is to have another one.
func (c *call) tellBroker(token *broker.Token) {
	p, id, ask := c.p, c.id, broker.Ask{Caller: c.who.Name, Refused: token.Access}
	p.mu.Lock()
	busy := p.asking[id]
	p.asking[id] = true
	p.mu.Unlock()
	if busy {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), p.opt.Patience)
	go func() {
		defer cancel()
		_, _ = p.opt.Source.Token(ctx, id, ask) // what comes of it is the broker's to tell
		p.mu.Lock()
		delete(p.asking, id)
		p.mu.Unlock()
	}()
}

// buffers serve the copying of answers.
var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// answer passes an answer on as it comes.
func (c *call) answer(resp *http.Response) {
	h := c.w.Header()
	maps.Copy(h, resp.Header)
	dropHop(h, resp.Header)
	if resp.StatusCode == http.StatusSwitchingProtocols {
		clear(h)
		c.refuse(&problem{status: http.StatusBadGateway, code: "upgrade", cause: "request-malformed", what: "the API changed the protocol, which nobody asked for", hint: "see what stands at " + c.to.String()})
		return
	}
	for name := range resp.Trailer {
		h.Add("Trailer", name)
	}
	if resp.ContentLength >= 0 && h.Get("Content-Length") == "" && len(resp.Trailer) == 0 && bodyAllowed(resp.StatusCode) {
		h.Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	c.w.WriteHeader(resp.StatusCode)
	if err := c.copy(resp); err != nil {
		// Half an answer must not pass for a whole one: the connection is cut.
		panic(http.ErrAbortHandler)
	}
	for name, values := range resp.Trailer {
		h[name] = values
	}
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

func (c *call) copy(resp *http.Response) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	flush := func() error { return nil }
	if resp.ContentLength < 0 {
		flush = http.NewResponseController(c.w).Flush
	}
	for {
		n, err := resp.Body.Read(*buf)
		if n > 0 {
			if _, werr := c.w.Write((*buf)[:n]); werr != nil {
				return werr
			}
			if ferr := flush(); ferr != nil {
				return ferr
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// headerText makes a text fit for a header.
func headerText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 300)]
}
