package demo

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"usher"
	"usher/oauth"
)

// The checkout services, as clients of the gateway: one that has its tokens put
// in by usher, and one that sees to them by itself.
const (
	withUsher = "checkout"
	alone     = "checkout-alone"
	workers   = 8 // of each
)

// checkout is a service that takes orders and has them paid. Both services are
// this code; what differs is how a request gets its token.
type checkout struct {
	url string
	pay []payer // one for each worker
	up  func() int
}

// payer sends one charge with a token in it.
type payer interface {
	charge(ctx context.Context, body []byte, key string) (reply, error)
}

// reply is what came of a request.
type reply struct {
	status int
	why    string // what the answer says of itself, where it refuses
}

// openCheckout starts a service. up tells how many of its workers run.
func openCheckout(ctx context.Context, pay []payer, up func() int) (*checkout, func(context.Context) error, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("find a port for a checkout service: %w", err)
	}
	c := &checkout{url: "http://" + l.Addr().String(), pay: pay, up: up}
	server := &http.Server{Handler: c, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(l) //nolint:errcheck // it ends with Shutdown
	return c, server.Shutdown, nil
}

// ServeHTTP has an order paid: once, by whichever worker's turn it is. The
// order's own number is the idempotency key.
func (c *checkout) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var order struct {
		Order  string `json:"order"`
		Number int    `json:"number"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 4096)).Decode(&order); err != nil || order.Order == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	body, err := json.Marshal(map[string]any{"order": order.Order, "amount": 1999})
	if err == nil {
		var got reply
		got, err = c.pay[order.Number%max(c.up(), 1)].charge(r.Context(), body, order.Order)
		if err == nil && got.status/100 == 2 {
			w.WriteHeader(http.StatusOK)
			return
		}
		w.Header().Set("Usher-Error", cmp.Or(got.why, "no answer"))
	}
	w.WriteHeader(http.StatusBadGateway) // "your payment did not work"
}

// post sends a charge.
func post(ctx context.Context, client *http.Client, to string, body []byte, key string, header ...string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	got := reply{status: resp.StatusCode}
	if got.status/100 != 2 {
		// usher says what it refused; the gateway says it in its challenge.
		got.why = resp.Header.Get("Usher-Error")
		if said, _ := oauth.ParseChallenges(resp.Header.Get("WWW-Authenticate")); got.why == "" && len(said) > 0 {
			got.why, _, _ = strings.Cut(said[0].Params["error_description"], ":")
		}
		got.why = cmp.Or(got.why, strconv.Itoa(got.status))
	}
	return got, resp.Body.Close()
}

// brokered sends charges through usher's egress proxy, which puts the token in.
type brokered struct {
	client *http.Client
	to     string // address of the charges behind the proxy
	key    usher.Secret
}

func (b *brokered) charge(ctx context.Context, body []byte, key string) (reply, error) {
	return post(ctx, b.client, b.to, body, key, "Usher-Key", b.key.Reveal())
}

// naive is a worker that sees to its token by itself, as people write it: it
// keeps the token until the time that it was told, asks for another one then,
// and after a refusal too. Where there is none to be had it goes on with what it
// has: "it may still work".
type naive struct {
	client     *http.Client
	gateway    *gateway
	id, secret string

	mu      sync.Mutex
	token   string
	expires time.Time
}

func (n *naive) charge(ctx context.Context, body []byte, key string) (reply, error) {
	token := n.current(ctx)
	got, err := post(ctx, n.client, n.gateway.api+"/v1/charges", body, key, "Authorization", "Bearer "+token)
	if got.status == http.StatusUnauthorized {
		n.mu.Lock()
		if n.token == token {
			n.expires = time.Time{} // the next order gets another token
		}
		n.mu.Unlock()
	}
	return got, err
}

// current gives the token, a new one where the old one is over.
func (n *naive) current(ctx context.Context) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.token != "" && n.gateway.now().Before(n.expires) {
		return n.token
	}
	began := n.gateway.now()
	if token, life, err := n.ask(ctx); err == nil {
		n.token, n.expires = token, began.Add(life)
	}
	return n.token
}

func (n *naive) ask(ctx context.Context) (token string, life time.Duration, err error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"charges"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.gateway.tokens+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(n.id, n.secret)
	resp, err := n.client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	var answer struct {
		Token     string `json:"access_token"`
		ExpiresIn int    `json:"expires_in"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&answer); err != nil || answer.Token == "" {
		return "", 0, fmt.Errorf("the gateway gave no token: %d", resp.StatusCode)
	}
	return answer.Token, time.Duration(answer.ExpiresIn) * time.Second, nil
}

// pooled is an HTTP client for many requests at once.
func pooled() (*http.Client, func()) {
	t := &http.Transport{MaxIdleConnsPerHost: 256, MaxIdleConns: 512, IdleConnTimeout: 30 * time.Second}
	return &http.Client{Transport: t, Timeout: 60 * time.Second}, t.CloseIdleConnections
}
