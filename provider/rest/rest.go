// Package rest asks admin APIs that speak JSON, as a service account.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"usher"
	"usher/guard"
	"usher/oauth"
	"usher/provider"
)

// Client asks one API. It is safe for concurrent use.
type Client struct {
	HTTP    *http.Client // guard's
	Place   string       // names the tenant for a person
	Account string       // names whom it is asked as
	Scheme  string       // of Authorization: "Bearer", "SSWS"
	// Token gives a token and how long it lives; it is asked again when the one
	// before nears its end or was refused.
	Token   func(ctx context.Context) (usher.Secret, time.Duration, error)
	Timeout time.Duration // of one call with all its requests; 0 is 15 s
	Now     func() time.Time

	turn chan struct{}
	mu   sync.Mutex // of the rest, also while a token is asked for
	held usher.Secret
	ends time.Time
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 1 << 20

// Ready makes c usable, and tells what is missing.
func (c *Client) Ready() error {
	if c.HTTP == nil {
		return &usher.Error{Code: usher.ErrInternal, Message: "an admin API needs an HTTP client"}
	}
	if c.Timeout <= 0 {
		c.Timeout = 15 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Scheme == "" {
		c.Scheme = "Bearer"
	}
	c.turn = make(chan struct{}, 1)
	return nil
}

// Bounded bounds one call in time.
func (c *Client) Bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.Timeout)
}

// Alone lets one change at a time go on, so that two do not count the same
// secrets. It waits for its turn until ctx ends.
func (c *Client) Alone(ctx context.Context) (release func(), err error) {
	select {
	case c.turn <- struct{}{}:
		return func() { <-c.turn }, nil
	case <-ctx.Done():
		return nil, c.Unreachable(c.Place+" was not asked in time", ctx.Err())
	}
}

// Request is one request.
type Request struct {
	Method, URL string
	What        string // what it is about, for a person: "the secrets of client 'shop'"
	Right       string // what it needs, as the provider names it
	In, Out     any    // JSON; nil is none
}

// Do sends a request, once more with a new token where the one before is
// refused: then nothing was done. Its errors are those of provider.Admin.
func (c *Client) Do(ctx context.Context, r Request) error {
	var body []byte
	if r.In != nil {
		var err error
		if body, err = json.Marshal(r.In); err != nil {
			return &usher.Error{Code: usher.ErrInternal, Message: "the request for " + r.What + " cannot be written as JSON"}
		}
	}
	var stale usher.Secret
	for try := 0; ; try++ {
		token, err := c.token(ctx, stale)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(body))
		if err != nil {
			return &usher.Error{Code: usher.ErrInternal, Message: "no request can be made for " + r.What}
		}
		if body == nil {
			req.Body, req.ContentLength = nil, 0
		} else {
			req.Header.Set("Content-Type", "application/json")
		}
		req.Header.Set("Authorization", c.Scheme+" "+token.Reveal())
		status, answer, err := c.Send(req)
		switch {
		case err != nil:
			return err
		case status == http.StatusUnauthorized && try == 0:
			stale = token
			continue
		case status/100 == 2:
			return c.read(r, answer)
		}
		return c.refused(r, status, answer)
	}
}

func (c *Client) read(r Request, answer []byte) error {
	if r.Out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, r.Out); err != nil {
		return c.Unreachable(c.Place+" described "+r.What+" in a way that cannot be read", nil)
	}
	return nil
}

// token gives a token that is good for a while yet, and not the stale one.
func (c *Client) token(ctx context.Context, stale usher.Secret) (usher.Secret, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held != "" && c.held != stale && c.Now().Before(c.ends) {
		return c.held, nil
	}
	asked := c.Now()
	value, life, err := c.Token(ctx)
	if err != nil {
		return "", err
	}
	c.held, c.ends = value, asked.Add(life-min(life/3, 30*time.Second))
	return value, nil
}

// Send sends a request with a bounded answer.
func (c *Client) Send(req *http.Request) (status int, body []byte, err error) {
	req.Header.Set("Accept", "application/json")
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return 0, nil, c.failed(req, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, c.failed(req, err)
	}
	if len(body) > maxAnswer {
		return 0, nil, c.Unreachable("the answer of "+c.Place+" is too large", nil)
	}
	return resp.StatusCode, body, nil
}

// Grant asks a token endpoint for client credentials, RFC 6749 section 4.4,
// with the secret in the form.
func (c *Client) Grant(ctx context.Context, endpoint, clientID string, secret usher.Secret, more url.Values) (usher.Secret, time.Duration, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {secret.Reveal()}}
	for name, list := range more {
		form[name] = list
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, c.Unreachable("no token could be asked of "+c.Place, nil)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, body, err := c.Send(req)
	if err != nil {
		return "", 0, err
	}
	var answer struct {
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"`
		Error       string  `json:"error"`
		Description string  `json:"error_description"`
	}
	parsed := json.Unmarshal(body, &answer) == nil
	switch {
	case status/100 != 2 && answer.Error != "" && status < 500 && status != http.StatusTooManyRequests:
		return "", 0, &usher.Error{
			Code: usher.ErrForbidden, Err: Silent{provider.ErrForbidden},
			Message: c.Account + " gets no token of " + c.Place + ": " + c.masked(secret, answer.Error+" "+answer.Description),
			Hint:    "see its client id and secret in the configuration, and what usher explain says about this error",
		}
	case status/100 != 2:
		return "", 0, c.Unreachable("the token endpoint of "+c.Place+" answered with status "+strconv.Itoa(status), nil)
	case !parsed || answer.AccessToken == "":
		return "", 0, c.Unreachable("the token endpoint of "+c.Place+" gave no token", nil)
	}
	return usher.Secret(answer.AccessToken), time.Duration(min(max(answer.ExpiresIn, 0), 24*3600)) * time.Second, nil
}

func (c *Client) masked(secret usher.Secret, text string) string {
	var r oauth.Redactor
	r.Add(secret)
	return Short(r.Redact(strings.TrimSpace(text)))
}

// refused makes an error of an answer beside success.
func (c *Client) refused(r Request, status int, answer []byte) error {
	said := said(answer)
	told := &usher.Error{Code: usher.ErrRefused, Message: c.Place + " does not take the request for " + r.What + said, Err: Silent{provider.ErrUnsupported}}
	switch {
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		told.Code, told.Err = usher.ErrForbidden, Silent{provider.ErrForbidden}
		told.Message, told.Hint = c.Account+" may not reach "+r.What+" in "+c.Place+said, "it needs "+r.Right
	case status == http.StatusNotFound, status == http.StatusGone:
		told.Code, told.Err = usher.ErrNotFound, Silent{provider.ErrNotFound}
		told.Message, told.Hint = c.Place+" has no "+strings.TrimPrefix(r.What, "the ")+" that "+c.Account+" may see"+said, "see the spelling of the client id, and the tenant"
	case status == http.StatusConflict, status == http.StatusPreconditionFailed:
		told.Code, told.Err = usher.ErrChanged, Silent{provider.ErrChanged}
		told.Message = c.Place + " is changing " + r.What + " just now" + said
	case status == http.StatusTooManyRequests, status >= 500, status/100 == 3, status < 200:
		return c.Unreachable(c.Place+" answered with status "+strconv.Itoa(status)+said, nil)
	}
	return told
}

// said gives what the answer says, masked, as the end of a sentence: Graph and
// Google put it into error, Okta into errorSummary, Auth0 into message.
func said(answer []byte) string {
	var body struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Summary string          `json:"errorSummary"`
		Causes  []struct {
			Summary string `json:"errorSummary"`
		} `json:"errorCauses"`
	}
	if json.Unmarshal(answer, &body) != nil {
		return ""
	}
	var inner struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body.Error, &inner) // what cannot be read says nothing
	text := strings.TrimSpace(inner.Code + " " + inner.Message)
	if text == "" {
		text = strings.TrimSpace(body.Message + body.Summary)
	}
	for i, cause := range body.Causes {
		if i < 3 {
			text += " " + cause.Summary
		}
	}
	if text == "" {
		return ""
	}
	return ": " + Short(oauth.Redact(text))
}

// Unreachable is an error with provider.ErrUnreachable.
func (c *Client) Unreachable(message string, err error) error {
	kept := provider.ErrUnreachable
	if err != nil {
		kept = errors.Join(kept, err)
	}
	return &usher.Error{Code: usher.ErrUnreachable, Message: message, Err: Silent{kept}, Hint: "see whether it runs, and try again"}
}

// failed tells a person what guard or the network said.
func (c *Client) failed(req *http.Request, err error) error {
	told := &usher.Error{}
	if !errors.As(guard.Explain(req.URL, err), &told) {
		return c.Unreachable(c.Place+" gave no answer", err)
	}
	return &usher.Error{Code: told.Code, Message: told.Message, Hint: told.Hint, Err: Silent{errors.Join(provider.ErrUnreachable, err)}}
}

// Silent keeps a sentinel for errors.Is without repeating it to a person.
type Silent struct{ Sentinel error }

func (s Silent) Error() string { return "" }

// Unwrap gives the sentinel.
func (s Silent) Unwrap() error { return s.Sentinel }

// Plain tells whether a text can stand in a path as it is.
func Plain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}

// Short cuts a text of the other side for a sentence.
func Short(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "..."
	}
	return s
}

// Refused is an error of the implementation's own with a sentinel of provider.
func Refused(message, hint string, sentinel error) error {
	return &usher.Error{Code: usher.ErrRefused, Message: message, Hint: hint, Err: Silent{sentinel}}
}
