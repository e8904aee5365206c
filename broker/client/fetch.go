package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"usher"
)

// mostAnswer bounds an answer of the server, in bytes.
const mostAnswer = 1 << 20

// fetch asks the server for a token.
func (c *Client) fetch(ctx context.Context, id string, ask Ask) (Token, error) {
	u := *c.server
	u.RawPath = u.EscapedPath() + "/connections/" + url.PathEscape(id) + "/token"
	u.Path += "/connections/" + id + "/token"
	if ask.LeastLife > 0 {
		u.RawQuery = "least_life=" + strconv.Itoa(int((ask.LeastLife+time.Second-1)/time.Second))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Token{}, &Error{Connection: id, Title: "the name of the connection cannot be asked for", Status: http.StatusBadRequest}
	}
	req.Header.Set("Authorization", "Bearer "+c.opt.Key.Reveal())
	if ask.Refused != "" {
		req.Header.Set("Usher-Refused-Token", ask.Refused.Reveal())
	}
	began := c.opt.Now()
	resp, err := c.opt.HTTP.Do(req)
	if err != nil {
		return Token{}, unreachable(id, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer+1))
	if err != nil || len(text) > mostAnswer {
		return Token{}, unreachable(id, errors.Join(errors.New("its answer cannot be read"), err))
	}
	if resp.StatusCode != http.StatusOK {
		return Token{}, refusal(id, resp, text, c.opt.Now())
	}
	return readToken(id, text, began)
}

func readToken(id string, text []byte, began time.Time) (Token, error) {
	var body struct {
		Access     string `json:"access_token"`
		Type       string `json:"token_type"`
		ExpiresIn  *int64 `json:"expires_in"`
		Generation int64  `json:"generation"`
		Scope      string `json:"scope"`
		Short      string `json:"short"`
	}
	if json.Unmarshal(text, &body) != nil || body.Access == "" || strings.ContainsAny(body.Access, "\r\n") {
		return Token{}, &Error{Connection: id, Title: "what answers is not usher: see its address, and proxies before it"}
	}
	t := Token{
		Connection: id, Access: usher.Secret(body.Access), Type: body.Type, Generation: body.Generation,
		Scopes: strings.Fields(body.Scope), Short: body.Short,
	}
	if body.ExpiresIn != nil {
		const longest = 100 * 365 * 24 * 3600
		t.Expires = began.Add(time.Duration(min(max(*body.ExpiresIn, 0), longest)) * time.Second)
	}
	return t, nil
}

// refusal reads why there is no token.
func refusal(id string, resp *http.Response, text []byte, now time.Time) *Error {
	e := &Error{}
	if json.Unmarshal(text, e) != nil || e.Code == "" {
		*e = Error{Title: "usher answered with status " + strconv.Itoa(resp.StatusCode)}
		if resp.StatusCode >= 300 && resp.StatusCode < 400 {
			e.Title = "the address of usher leads elsewhere, where the key does not go: name where it is"
		}
	}
	e.Connection, e.Status = id, resp.StatusCode
	if n, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31); err == nil {
		e.Retry = now.Add(time.Duration(n) * time.Second)
	}
	return e
}
