package probe

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/guard"
	"usher/oauth"
)

// ask is one request.
type ask struct {
	method string
	url    string
	form   url.Values // of a POST
	body   string     // of a POST that is no form
	header http.Header
	// what says what for; sends what goes along, with credentials by their
	// fingerprints; without it the names and values of form and query are shown.
	what, sends string
	undo        string
	// named are the origins that may be asked beside the provider's own.
	named []string
	// secret is a credential in the request: it is sent where it may go alone.
	secret bool
}

// reply is an answer.
type reply struct {
	status   int
	header   http.Header
	body     string
	location *url.URL // nil: none
	err      *evidence.ErrorBody
}

// errLeftOut tells that the operator did not want a request.
var errLeftOut = errors.New("it was left out as you wished")

// errMost tells that a probe has sent all that it may.
var errMost = errors.New("it would take more than " + strconv.Itoa(most) + " requests")

// trouble tells of an answer that says nothing of what was asked: the provider,
// or what stands before it, has no time. It must pass for no refusal.
func trouble(r *reply) error {
	switch r.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return errors.New("it was answered with status " + strconv.Itoa(r.status) + ", which says nothing of what was asked: ask again later, with more time between requests (--wait)")
	}
	return nil
}

// send sends one request: announced, after a pause, and following nothing. What
// came back is noted in the probe's answer, so that the last one stands there.
func (a *asking) send(ctx context.Context, q ask) (*reply, error) {
	if a.sent >= most && !a.undoing {
		return nil, errMost
	}
	req, err := a.request(ctx, &q)
	if err != nil {
		return nil, err
	}
	if q.secret {
		if err := guard.MayHaveCredentials(a.t.Issuer, a.m.Issuer, q.url, a.own[1:]...); err != nil {
			return nil, withFlag(err)
		}
	}
	step := Step{Check: a.one.id, Safety: a.one.safety, Method: q.method, URL: bare(q.url), What: q.what, Sends: q.sends, Undo: q.undo}
	switch {
	case a.opt.Announce != nil:
		// Who agreed to what is made has agreed to its end.
		if !a.opt.Announce(step) && !a.undoing {
			return nil, errLeftOut
		}
	case a.one.safety == check.S2:
		return nil, errors.New("it changes something, and nobody was there to be asked")
	}
	if err := a.pause(ctx); err != nil {
		return nil, err
	}
	a.sent++
	resp, err := a.c.Once(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostBody))
	if err != nil {
		return nil, guard.Explain(req.URL, err)
	}
	r := &reply{status: resp.StatusCode, header: resp.Header, body: string(text)}
	if to := resp.Header.Get("Location"); to != "" && resp.StatusCode/100 == 3 {
		r.location, _ = req.URL.Parse(to)
	}
	r.err = errorOf(r)
	a.note(&q, r)
	return r, nil
}

// withFlag says by which flag an endpoint at another origin is named.
func withFlag(err error) error {
	var told *usher.Error
	if !errors.As(err, &told) || !strings.HasPrefix(told.Hint, "name ") {
		return err
	}
	named := *told
	named.Hint = strings.Replace(told.Hint, "yourself", "yourself, by giving the token endpoint there with --token-endpoint (--trust alone lets no credential go)", 1)
	return &named
}

func (a *asking) request(ctx context.Context, q *ask) (*http.Request, error) {
	ctx = guard.NamedBy(ctx, append(slices.Clone(a.own), q.named...)...)
	var body io.Reader
	switch {
	case q.form != nil:
		body = strings.NewReader(q.form.Encode())
	case q.body != "":
		body = strings.NewReader(q.body)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, q.url, body)
	if err != nil {
		return nil, &usher.Error{Code: usher.ErrUnreadable, Message: "the address " + quote(bare(q.url)) + " is no URL"}
	}
	for name, values := range q.header {
		req.Header[name] = values
	}
	if q.form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept", "application/json")
	}
	if q.sends == "" {
		values := q.form
		if values == nil {
			values = req.URL.Query()
		}
		q.sends = shownForm(values)
	}
	return req, nil
}

// shownForm shows what a form or a query holds, without what is secret.
func shownForm(values url.Values) string {
	list := make([]string, 0, len(values))
	for name, all := range values {
		for _, v := range all {
			switch name {
			case "client_secret", "client_assertion", "refresh_token", "token", "code", "code_verifier", "password", "registration_access_token":
				v = usher.Secret(v).Fingerprint()
			}
			list = append(list, name+"="+quote(v))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// pause waits until the next request may go out.
func (p *prober) pause(ctx context.Context) error {
	if !p.last.IsZero() {
		timer := time.NewTimer(p.opt.Wait - time.Since(p.last))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.last = time.Now()
	return nil
}

func (a *asking) note(q *ask, r *reply) {
	a.answer.Place = q.method + " " + bare(q.url)
	a.answer.Sent = q.sends
	a.answer.Status, a.answer.Header, a.answer.Error = r.status, r.header, r.err
	a.answer.Where = ""
	if r.location != nil {
		a.answer.Where = oauth.Redact(r.location.String())
	}
}

// cannot ends a probe whose request could not be sent.
func (a *asking) cannot(err error) {
	var told *usher.Error
	if errors.As(err, &told) {
		why := strings.TrimRight(told.Message, ": ")
		if told.Hint != "" {
			why += " (" + told.Hint + ")"
		}
		a.skip(why)
		return
	}
	a.skip(err.Error())
}

// proof quotes an answer.
func (a *asking) proof(r *reply, expected string) usher.Proof {
	return usher.Proof{Place: a.answer.Place, Quote: words(r), Expected: expected, Got: "status " + strconv.Itoa(r.status)}
}

// words says what an answer says, in a line.
func words(r *reply) string {
	switch {
	case r.err != nil && r.err.Code+r.err.Description != "":
		return oauth.Redact(errorWords(r.err))
	case r.location != nil:
		return oauth.Redact("Location: " + line(r.location.String()))
	}
	// What a body holds may be a token: its members are told, not their values.
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(r.body), &members) == nil && len(members) > 0 {
		list := slices.Sorted(maps.Keys(members))
		return line("a JSON object with " + strings.Join(list[:min(len(list), 12)], ", "))
	}
	if text := pageText(r.body); text != "" {
		return oauth.Redact(line(text))
	}
	return "status " + strconv.Itoa(r.status)
}

// errorWords says an error with all that its provider's support asks for.
func errorWords(e *evidence.ErrorBody) string {
	text := strings.TrimSuffix(e.Code+": "+line(e.Description), ": ")
	text = strings.TrimPrefix(text, ": ")
	var more []string
	add := func(name, value string) {
		if value != "" && !strings.Contains(text, value) {
			more = append(more, name+" "+quote(value))
		}
	}
	add("code", strings.Join(e.Codes, ", "))
	add("suberror", e.Suberror)
	add("trace id", e.TraceID)
	add("correlation id", e.Correlation)
	add("claims", e.Claims)
	if len(more) > 0 {
		text += " (" + strings.Join(more, ", ") + ")"
	}
	return text
}

// errorOf reads the error of an answer: of its redirect, or of its body.
func errorOf(r *reply) *evidence.ErrorBody {
	if r.location != nil {
		back, err := oauth.ParseAuthorizationResponse(r.location.String())
		if err != nil || back.Error == "" {
			return nil
		}
		return &evidence.ErrorBody{
			Code: back.Error, Description: back.ErrorDescription, URI: back.ErrorURI, Suberror: back.ErrorSubcode,
			Issuer: back.Issuer, State: back.State, Codes: vendorCodes(back.ErrorDescription),
		}
	}
	body := strings.TrimSpace(r.body)
	if !strings.HasPrefix(body, "{") {
		if codes := vendorCodes(body); len(codes) > 0 && r.status >= 400 {
			return &evidence.ErrorBody{Codes: codes, Description: line(pageText(body)), Status: r.status}
		}
		return nil
	}
	set, err := evidence.Read([]evidence.Input{{Name: "answer", Data: []byte(body)}})
	if err != nil {
		return nil
	}
	for i := range set.Items {
		if e := set.Items[i].Error; e != nil {
			if len(e.Codes) == 0 {
				e.Codes = vendorCodes(e.Description)
			}
			return e
		}
	}
	return nil
}

// vendorCodes finds the codes of Entra in a text.
func vendorCodes(text string) (codes []string) {
	const mark = "AADSTS"
	for len(codes) < 4 {
		i := strings.Index(text, mark)
		if i < 0 {
			break
		}
		text = text[i+len(mark):]
		n := 0
		for n < len(text) && text[n] >= '0' && text[n] <= '9' {
			n++
		}
		if n >= 4 && !slices.Contains(codes, mark+text[:n]) {
			codes = append(codes, mark+text[:n])
		}
	}
	return codes
}

// pageText gives the words of a page, without its tags, scripts and styles.
func pageText(page string) string {
	var b strings.Builder
	skip := ""
	for page != "" && b.Len() < 4<<10 {
		i := strings.IndexByte(page, '<')
		if i < 0 {
			i = len(page)
		}
		if skip == "" {
			b.WriteString(page[:i])
			b.WriteByte(' ')
		}
		page = page[i:]
		end := strings.IndexByte(page, '>')
		if end < 0 {
			break
		}
		tag := strings.ToLower(page[:end])
		page = page[end+1:]
		switch {
		case skip != "":
			if strings.HasPrefix(tag, "</"+skip) {
				skip = ""
			}
		case strings.HasPrefix(tag, "<script"):
			skip = "script"
		case strings.HasPrefix(tag, "<style"):
			skip = "style"
		}
	}
	return strings.Join(strings.Fields(html.UnescapeString(b.String())), " ")
}

// line makes a text fit into a proof.
func line(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "..."
	}
	return s
}

// quote makes a value of the other side fit into a sentence.
func quote(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "..."
	}
	if s == "" {
		return "(none)"
	}
	return s
}

func bare(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(no URL)"
	}
	u.RawQuery, u.Fragment, u.User, u.ForceQuery = "", "", nil, false
	return u.String()
}
