package door

import (
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"usher"
	"usher/broker"
	"usher/oauth"
)

// RefusedHeader carries a token that an API has refused as invalid: another one
// is wanted. In a URL it would end in logs.
const RefusedHeader = "Usher-Refused-Token"

// Bounds of a request.
const (
	maxRefused   = 32 << 10 // bytes of a refused token
	maxBody      = 40 << 10
	maxLeastLife = 24 * time.Hour
)

func (d *Door) token(w http.ResponseWriter, r *http.Request, id string) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		refuse(w, http.StatusMethodNotAllowed, problem{Error: oauth.ErrInvalidRequest, Description: "a token is asked for with GET, or with POST where one was refused"}, "")
		return
	}
	who, ok := d.recognise(w, r)
	if !ok {
		return
	}
	if !who.may(id) {
		refuse(w, http.StatusForbidden, problem{Error: oauth.ErrInsufficientScope, Connection: id, Description: "this key is not for this connection"}, "")
		return
	}
	ask := broker.Ask{Caller: who.name}
	if wrong := readAsk(w, r, &ask); wrong != "" {
		refuse(w, http.StatusBadRequest, problem{Error: oauth.ErrInvalidRequest, Connection: id, Description: wrong}, "")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), d.wait(r))
	defer cancel()
	token, err := d.opt.Source.Token(ctx, id, ask)
	if err != nil {
		d.untold(w, r, id, &who, err)
		return
	}
	give(w, &token, d.opt.Now())
}

// readAsk reads what is asked for, or tells what is wrong with it.
func readAsk(w http.ResponseWriter, r *http.Request, ask *broker.Ask) (wrong string) {
	var form url.Values
	if r.URL.RawQuery != "" {
		query, err := url.ParseQuery(r.URL.RawQuery)
		switch {
		case err != nil:
			return "the query cannot be read"
		case query.Has("access_token"): // RFC 9700 section 4.3.2
			return "a key in a URL ends in logs: send it as \"Authorization: Bearer\", and make a new one"
		case query.Has("refused"):
			return "a token in a URL ends in logs: send the refused one as the header " + RefusedHeader + ", or in the body of a POST"
		}
		form = query
	}
	if r.Method == http.MethodPost {
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || kind != "application/x-www-form-urlencoded" {
			return "the body must be application/x-www-form-urlencoded"
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			return "the body cannot be read, or is larger than 40 KiB"
		}
		posted, err := url.ParseQuery(string(body))
		if err != nil {
			return "the body is no form"
		}
		if posted.Has("access_token") {
			return "the key belongs into the Authorization header"
		}
		for name, values := range posted {
			if form == nil {
				form = url.Values{}
			}
			form[name] = append(form[name], values...)
		}
	}
	for name, values := range form {
		if len(values) != 1 {
			return "the parameter " + strconv.Quote(clip(name)) + " stands more than once" // RFC 6749 section 3.2
		}
		switch name {
		case "least_life":
			life, err := readLife(values[0])
			if err != nil || life < 0 || life > maxLeastLife {
				return "least_life must be a time like 5m or 90s, or a number of seconds, at most 24h"
			}
			ask.LeastLife = life
		case "refused":
			ask.Refused = usher.Secret(values[0])
		default:
			return "the parameter " + strconv.Quote(clip(name)) + " is not known; known are least_life and, in a body, refused"
		}
	}
	if refused := r.Header[RefusedHeader]; len(refused) > 0 {
		if ask.Refused != "" || len(refused) > 1 {
			return "the refused token is given more than once"
		}
		ask.Refused = usher.Secret(refused[0])
	}
	if len(ask.Refused) > maxRefused {
		return "the refused token is longer than 32 KiB"
	}
	return ""
}

// readLife reads a duration, or a number of seconds.
func readLife(s string) (time.Duration, error) {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	return time.ParseDuration(s)
}

// wait gives how long the caller is kept waiting: "Prefer: wait=5" (RFC 7240
// section 4.3) makes it shorter.
func (d *Door) wait(r *http.Request) time.Duration {
	for _, line := range r.Header["Prefer"] {
		for _, part := range strings.Split(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			if n, err := strconv.ParseUint(value, 10, 16); err == nil && strings.EqualFold(name, "wait") {
				return min(d.opt.Wait, max(time.Duration(n)*time.Second, 10*time.Millisecond))
			}
		}
	}
	return d.opt.Wait
}

// buffers hold answers while they are written.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// give answers with a token, in the names of RFC 6749 section 5.1.
func give(w http.ResponseWriter, t *broker.Token, now time.Time) {
	buf := buffers.Get().(*[]byte)
	b := append((*buf)[:0], `{"access_token":`...)
	b = appendJSON(b, t.Access.Reveal())
	b = append(b, `,"token_type":`...)
	b = appendJSON(b, t.Type)
	if !t.Expires.IsZero() {
		// Rounded down: a caller must not count on what is not there.
		b = append(b, `,"expires_in":`...)
		b = strconv.AppendInt(b, max(0, int64(t.Expires.Sub(now)/time.Second)), 10)
	}
	b = append(b, `,"connection":`...)
	b = appendJSON(b, t.Connection)
	b = append(b, `,"generation":`...)
	b = strconv.AppendInt(b, t.Generation, 10)
	if len(t.Scopes) > 0 {
		b = append(b, `,"scope":`...)
		b = appendJSON(b, strings.Join(t.Scopes, " "))
	}
	if t.Short != "" {
		b = append(b, `,"short":`...)
		b = appendJSON(b, t.Short)
	}
	b = append(b, "}\n"...)
	h := w.Header()
	h["Content-Type"] = asJSON
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(b)
	clear(b) // it held a token
	*buf = b
	if cap(b) <= 64<<10 {
		buffers.Put(buf)
	}
}

// untold answers when there is no token to give.
func (d *Door) untold(w http.ResponseWriter, r *http.Request, id string, who *caller, err error) {
	var away *broker.Unavailable
	switch {
	case errors.Is(err, broker.ErrNotFound):
		refuse(w, http.StatusNotFound, problem{Error: "not_found", Connection: id, Description: "there is no connection of this name"}, "")
	case errors.Is(err, broker.ErrForbidden):
		refuse(w, http.StatusForbidden, problem{Error: oauth.ErrInsufficientScope, Connection: id, Description: "the connection is not for this key"}, "")
	case errors.As(err, &away):
		p := problem{
			Error: oauth.ErrTemporarilyUnavailable, Connection: id, State: string(away.State),
			Cause: away.Trouble.Cause, Title: away.Trouble.Title, Turn: string(cmp.Or(away.Trouble.Turn, usher.FixerNobody)),
		}
		if who.operator { // whoever has the link connects the program to an account
			p.Link = away.Trouble.Link
		}
		refuse(w, http.StatusServiceUnavailable, p, retryAfter(away.Retry, d.opt.Now()))
	case r.Context().Err() != nil: // nobody waits for the answer
	case errors.Is(err, context.DeadlineExceeded):
		refuse(w, http.StatusServiceUnavailable, problem{Error: oauth.ErrTemporarilyUnavailable, Connection: id, Title: "the provider has not answered yet"}, "1")
	default: // the text may be of a database, and is for the log
		refuse(w, http.StatusServiceUnavailable, problem{Error: oauth.ErrTemporarilyUnavailable, Connection: id, Title: "usher cannot give the token now"}, "1")
	}
}

// untilActed is what a caller is told to wait where only a person can help.
const untilActed = 60

// retryAfter gives whole seconds, rounded up, 1 to 3600.
func retryAfter(at, now time.Time) string {
	if at.IsZero() {
		return strconv.Itoa(untilActed)
	}
	seconds := (at.Sub(now) + time.Second - 1) / time.Second
	return strconv.Itoa(int(min(max(seconds, 1), 3600)))
}
