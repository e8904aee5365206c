package grant

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"usher"
	"usher/oauth"
)

// maxAnswer bounds the body of an answer, in bytes. A token answer has a few
// thousand.
const maxAnswer = 1 << 20

// answered is what came back.
type answered struct {
	endpoint string
	status   int
	header   http.Header
	body     []byte
	tooLarge bool      // body is the beginning alone
	sent     time.Time // by our clock
	came     time.Time
	asked    []string // scopes
	secretID bool     // see Refusal
	hide     *hider
}

// send authenticates, posts the parameters once and reads the answer.
func (a *Asker) send(ctx context.Context, r *Request) (*answered, *Refusal) {
	if refusal := checkEndpoint(r); refusal != nil {
		return nil, refusal
	}
	form, header := url.Values{}, http.Header{}
	maps.Copy(form, r.Params)
	if refusal := a.authenticate(r, form, header); refusal != nil {
		return nil, refusal
	}
	ctx, cancel := context.WithTimeout(ctx, a.opt.Timeout)
	defer cancel()
	body, kind := form.Encode(), "application/x-www-form-urlencoded"
	if form.Has("grant_type") && a.opt.JSON != nil && a.opt.JSON(r.Endpoint) {
		body, kind = asJSON(form), "application/json"
	}
	var way way
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, way.trace()), http.MethodPost, r.Endpoint, strings.NewReader(body))
	if err != nil {
		return nil, misused(r.Endpoint, "the endpoint is no URL", nil)
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Accept", "application/json")
	// A connection that was idle may be closed by the other side just while this
	// is written on it; then nobody knows whether it was read. A new one costs a
	// round trip and keeps that from happening. Nor may the transport send it
	// again by itself: without GetBody it cannot.
	req.Close, req.GetBody = true, nil

	got := &answered{endpoint: shownEndpoint(r.Endpoint), hide: newHider(r, form), secretID: oauth.IsGUID(r.Secret.Reveal()), sent: a.opt.Now()}
	resp, err := a.opt.HTTP.Once(req)
	if err != nil {
		return nil, way.failed(got, err)
	}
	defer func() { _ = resp.Body.Close() }()
	got.came, got.status, got.header = a.opt.Now(), resp.StatusCode, resp.Header
	got.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	var told *usher.Error
	switch {
	case len(got.body) > maxAnswer, errors.As(err, &told) && told.Code == usher.ErrTooLarge:
		got.body, got.tooLarge = got.body[:min(len(got.body), maxAnswer)], true
	case err != nil && got.status/100 == 2:
		// It was a success, and what it gave is lost.
		return nil, &Refusal{Kind: Lost, Endpoint: got.endpoint, Status: got.status, Err: &usher.Error{
			Code: usher.ErrUnreachable, Message: "its answer broke off", Err: silent{err},
			Hint: "see what stands before it: a proxy may have cut the answer",
		}}
	}
	return got, nil
}

// asJSON writes parameters as an object; one that is given several times is a list.
func asJSON(form url.Values) string {
	object := map[string]any{}
	for name, values := range form {
		if object[name] = values; len(values) == 1 {
			object[name] = values[0]
		}
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(object) // texts and lists of texts can be written
	return strings.TrimSuffix(b.String(), "\n")
}

func checkEndpoint(r *Request) *Refusal {
	u, err := url.Parse(r.Endpoint)
	switch {
	case r.Endpoint == "":
		return misused("the endpoint", "the connection has no such endpoint", nil)
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return misused(r.Endpoint, "the endpoint is no absolute https URL", nil)
	case u.User != nil:
		return misused(r.Endpoint, "the endpoint has a user name in it, which would go into logs", nil)
	case u.Fragment != "":
		return misused(r.Endpoint, "the endpoint has a fragment, which RFC 6749 section 3.2 forbids", nil)
	}
	return nil
}

// way is how far a request got. The transport's own reports that it was written
// come before the bytes leave the buffer, so they prove nothing: what counts as
// not sent is a request that never had a connection, TLS included, to go out on.
type way struct {
	tried     atomic.Bool // a transport that reports took it on
	connected atomic.Bool
}

func (w *way) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { w.tried.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { w.connected.Store(true) },
	}
}

// failed makes a refusal of a request that brought no answer to read.
func (w *way) failed(got *answered, err error) *Refusal {
	r := &Refusal{Kind: Lost, Endpoint: got.endpoint, Err: err}
	var told *usher.Error
	if !errors.As(err, &told) {
		// What another sender than guard says may quote the URL or the answer.
		told = &usher.Error{Code: usher.ErrUnreachable, Message: "no answer came", Err: silent{err}}
		r.Err = told
		if !w.tried.Load() {
			return r // nor does it tell how far it got
		}
	}
	switch {
	case w.connected.Load(): // also where guard did not let the answer in: it may have been a token
	case told.Code == usher.ErrRefused, told.Code == usher.ErrUsage, told.Code == usher.ErrUnreadable:
		r.Kind = Misused // guard refuses to go there, or cannot begin
	default:
		r.Kind = Unreachable
	}
	return r
}

// silent keeps an error for errors.Is and prints nothing of it.
type silent struct{ err error }

func (s silent) Error() string { return "" }
func (s silent) Unwrap() error { return s.err }
