package client

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"usher"
)

// Transport puts the token of a connection into requests to its targets. Requests
// to other origins, as redirects may lead to, go without.
type Transport struct {
	Base http.RoundTripper // nil is http.DefaultTransport

	client  *Client
	id      string
	targets []string
	err     error
}

// Transport gives a Transport for a connection. targets are the origins that its
// token may go to, as "https://api.example".
func (c *Client) Transport(id string, targets ...string) *Transport {
	t := &Transport{client: c, id: id}
	for _, text := range targets {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" {
			t.err = &usher.Error{Code: usher.ErrUsage, Message: "a target of the connection " + id + " is no origin", Hint: "write scheme and host, as https://api.example"}
			continue
		}
		t.targets = append(t.targets, originOf(u))
	}
	if len(t.targets) == 0 && t.err == nil {
		t.err = &usher.Error{Code: usher.ErrUsage, Message: "the token of the connection " + id + " may go nowhere", Hint: "name the origin of the API, as https://api.example"}
	}
	return t
}

// HTTP gives an HTTP client with the Transport of a connection.
func (c *Client) HTTP(id string, targets ...string) *http.Client {
	return &http.Client{Transport: c.Transport(id, targets...)}
}

func originOf(u *url.URL) string {
	scheme, host, port := strings.ToLower(u.Scheme), strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return scheme + "://" + host + ":" + port
}

// RoundTrip implements http.RoundTripper. A request whose token is refused as
// invalid is sent once more with another one, where its method (RFC 9110 section
// 9.2.2) or a header Idempotency-Key makes that safe and its body can be had
// again (Request.GetBody).
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	fail := func(err error) (*http.Response, error) {
		if req.Body != nil {
			_ = req.Body.Close() // as http.RoundTripper demands
		}
		return nil, err
	}
	if t.err != nil {
		return fail(t.err)
	}
	if !slices.Contains(t.targets, originOf(req.URL)) {
		return base.RoundTrip(req)
	}
	token, err := t.client.Token(req.Context(), t.id, Ask{})
	if err != nil {
		return fail(err)
	}
	resp, err := base.RoundTrip(with(req, req.Body, &token))
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !invalidToken(resp.Header) {
		return resp, err
	}
	body, again := safe(req)
	if !again {
		t.client.refused(t.id, &token)
		return resp, nil
	}
	next, err := t.client.Token(req.Context(), t.id, Ask{Refused: token.Access})
	if err != nil || next.Access == token.Access {
		if body != nil {
			_ = body.Close()
		}
		return resp, nil // the API's own refusal says more
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	_ = resp.Body.Close()
	return base.RoundTrip(with(req, body, &next))
}

// with gives the request with a token.
func with(req *http.Request, body io.ReadCloser, t *Token) *http.Request {
	req = req.Clone(req.Context())
	req.Body = body
	kind := t.Type
	if kind == "" || strings.EqualFold(kind, "bearer") {
		kind = "Bearer"
	}
	req.Header.Set("Authorization", kind+" "+t.Access.Reveal())
	return req
}

// safe tells whether a request may be sent again, and gives its body anew.
func safe(req *http.Request) (io.ReadCloser, bool) {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
	default:
		if strings.TrimSpace(req.Header.Get("Idempotency-Key")) == "" {
			return nil, false
		}
	}
	if req.Body == nil || req.Body == http.NoBody {
		return req.Body, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	return body, err == nil
}

// invalidToken tells whether a 401 means the token: it says so, or gives no
// reason, as many APIs do.
func invalidToken(h http.Header) bool {
	values := h.Values("WWW-Authenticate")
	if len(values) == 0 {
		return true
	}
	text := strings.ToLower(strings.Join(values, ", "))
	if !strings.Contains(text, "bearer") {
		return false
	}
	return strings.Contains(text, "invalid_token") || !strings.Contains(text, "error=")
}

// refused has the next token be another one.
func (c *Client) refused(id string, t *Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.kept[id]; e != nil && e.token.Access == t.Access {
		e.token, e.refused = Token{}, t.Access
	}
}
