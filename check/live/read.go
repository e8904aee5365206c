package live

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"usher"
	"usher/check"
	"usher/guard"
)

// get says how one address is read.
type get struct {
	role, url string
	limit     int64
	// stay follows no redirect: the answer that says where to go is the answer.
	stay bool
	// cut takes the first limit bytes of a larger body, rather than none of it.
	cut    bool
	accept string
	jar    jar // cookies that are kept from one page to the next; nil keeps none
}

// jar holds cookies of one origin while one page leads to the next, as a
// browser does: without them a provider shows an error in place of its page.
type jar map[string]string

func (j jar) send(req *http.Request) {
	for name, value := range j {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
}

func (j jar) keep(resp *http.Response) {
	const most = 32
	for _, c := range resp.Cookies() {
		if len(j) < most {
			j[c.Name] = c.Value
		}
	}
}

// maskCookies keeps the values of cookies out of what is judged: their names and
// attributes are what a check looks at.
func maskCookies(h http.Header) {
	for i, line := range h.Values("Set-Cookie") {
		pair, attributes, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		if attributes != "" {
			attributes = ";" + attributes
		}
		h["Set-Cookie"][i] = name + "=" + usher.Secret(value).Fingerprint() + attributes
	}
}

// read asks one address, and gives what came of it. The answer is always
// there; the body only when it came within its bounds.
func (g *gatherer) read(ctx context.Context, what get) (*check.Answer, []byte) {
	a := &check.Answer{Place: "GET " + shown(what.url), URL: what.url, Role: what.role, At: g.opt.Now()}
	if !g.take(ctx) {
		a.Err, a.Code = "it was not asked: time had run out", usher.ErrUnreachable
		return a, nil
	}
	defer g.give()
	ctx, cancel := context.WithTimeout(ctx, g.opt.One)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, what.url, nil)
	if err != nil {
		a.Err, a.Code = "its address is no URL", usher.ErrUnreadable
		return a, nil
	}
	if what.accept != "" {
		req.Header.Set("Accept", what.accept)
	}
	g.opt.Progress("reads " + shown(what.url))
	if what.jar != nil && g.c.Trusts(req.URL) {
		what.jar.send(req)
	}
	ask := g.c.Do
	if what.stay {
		ask = g.c.Once
	}
	start := g.opt.Now()
	resp, err := ask(req)
	a.At = g.opt.Now()
	a.Took = a.At.Sub(start)
	if err != nil {
		fail(a, err)
		return a, nil
	}
	defer func() { _ = resp.Body.Close() }()
	if what.jar != nil {
		what.jar.keep(resp)
	}
	maskCookies(resp.Header)
	if end := resp.Request.URL.String(); end != what.url {
		a.From, a.URL = what.url, end
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, what.limit+1))
	a.Took = g.opt.Now().Sub(start)
	if err != nil {
		fail(a, guard.Explain(req.URL, err))
		return a, nil
	}
	a.Status, a.Header, a.Size = resp.StatusCode, resp.Header, len(body)
	if int64(len(body)) > what.limit {
		if !what.cut {
			a.Code, a.Defect = usher.ErrTooLarge, "is larger than "+strconv.FormatInt(what.limit>>10, 10)+" KiB"
			return a, nil
		}
		body = body[:what.limit]
	}
	return a, body
}

// fail notes why there is no answer.
func fail(a *check.Answer, err error) {
	a.Err, a.Code, a.NoNetwork = err.Error(), usher.ErrUnreachable, guard.NoNetwork(err)
	var told *usher.Error
	if errors.As(err, &told) {
		a.Err, a.Code = strings.TrimRight(told.Message, ": "), told.Code
	}
}

// object gives the members of a JSON answer of status 200, and notes in the
// answer why it has none.
func object(a *check.Answer, body []byte) map[string]json.RawMessage {
	if !document(a, body) {
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		a.Defect, a.Code = "is no JSON object", usher.ErrUnreadable
		return nil
	}
	return members
}

// document tells whether an answer may be read as a document.
func document(a *check.Answer, body []byte) bool {
	if a.Status != http.StatusOK || a.Defect != "" || body == nil {
		return false
	}
	why, page := guard.NotJSON(a.Header)
	if why != "" {
		a.Defect, a.Code = why, usher.ErrUnreadable
	}
	return !page
}

// shown is an address without its query, for a place or a line of progress.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(no URL)"
	}
	u.RawQuery, u.Fragment, u.User, u.ForceQuery = "", "", nil, false
	return u.String()
}
