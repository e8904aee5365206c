package strict

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"usher"
	"usher/broker/grant"
)

// Asker asks the provider without a network, as a grant.Asker would over one:
// for tests with a clock of their own.
type Asker struct {
	Provider *Provider
	From     string // who asks, for the log
	Now      func() time.Time
	Timeout  time.Duration // of a request; 0: grant.DefaultTimeout
}

// Ask sends one request. Its error is a *grant.Refusal.
func (a *Asker) Ask(ctx context.Context, r grant.Request) (*grant.Answer, error) {
	timeout := a.Timeout
	if timeout == 0 {
		timeout = grant.DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	received := a.Now()
	replies := make(chan Reply, 1)
	go func() {
		replies <- a.Provider.Token(From(ctx, a.From), r.ClientID, r.Secret.Reveal(), r.AuthMethod, r.Params)
	}()
	var reply Reply
	select {
	case reply = <-replies:
	case <-ctx.Done():
		return nil, &grant.Refusal{Kind: grant.Lost, Endpoint: r.Endpoint, Err: ctx.Err()}
	}
	if reply.Status == 0 {
		return nil, &grant.Refusal{Kind: grant.Lost, Endpoint: r.Endpoint, Err: http.ErrAbortHandler}
	}
	a.Provider.mu.Lock()
	reply.record.Delivered = true
	a.Provider.mu.Unlock()
	var body struct {
		Access      string `json:"access_token"`
		Refresh     string `json:"refresh_token"`
		Type        string `json:"token_type"`
		Expires     int64  `json:"expires_in"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	err := json.Unmarshal(reply.Body, &body)
	refusal := &grant.Refusal{Kind: grant.Unreadable, Endpoint: r.Endpoint, Status: reply.Status, Code: body.Error, Description: body.Description}
	switch {
	case reply.Status == 429 || reply.Status == 503:
		refusal.Kind = grant.Busy
		if n, err := strconv.Atoi(reply.Retry); err == nil {
			refusal.RetryAfter = time.Duration(n) * time.Second
		}
	case body.Error != "":
		refusal.Kind = grant.Refused
	case err == nil && reply.Status == 200 && body.Access != "":
		return &grant.Answer{
			Access: usher.Secret(body.Access), Refresh: usher.Secret(body.Refresh), TokenType: body.Type,
			Received: received, ExpiresIn: time.Duration(body.Expires) * time.Second,
		}, nil
	}
	return nil, refusal
}

// Introspect asks whether a token is active.
func (a *Asker) Introspect(_ context.Context, r grant.Request, token usher.Secret, _ string) (bool, error) {
	if a.Provider.failing() {
		return false, &grant.Refusal{Kind: grant.Lost, Endpoint: r.Endpoint, Err: http.ErrAbortHandler}
	}
	active, ok := a.Provider.Introspect(r.ClientID, r.Secret.Reveal(), r.AuthMethod, token.Reveal())
	if !ok {
		return false, &grant.Refusal{Kind: grant.Refused, Endpoint: r.Endpoint, Status: 401, Code: "invalid_client"}
	}
	return active, nil
}

// Revoke does nothing.
func (a *Asker) Revoke(context.Context, grant.Request, usher.Secret, string) error { return nil }
