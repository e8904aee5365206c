package grant

import (
	"context"
	"errors"
	"net/http"
	"time"

	"usher"
)

// Sender sends a request once and follows no redirect; *guard.Client is one.
type Sender interface {
	Once(req *http.Request) (*http.Response, error)
}

// Options are what an Asker needs.
type Options struct {
	HTTP    Sender           // guard's client, which trusts the origins of the endpoints
	Now     func() time.Time // nil is time.Now
	Timeout time.Duration    // of one request with its answer; 0 is DefaultTimeout
}

// DefaultTimeout is how long an answer is waited for.
const DefaultTimeout = 60 * time.Second

// Asker speaks to token endpoints. It is safe for concurrent use.
type Asker struct{ opt Options }

// New makes an Asker.
func New(opt Options) *Asker {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Timeout <= 0 {
		opt.Timeout = DefaultTimeout
	}
	return &Asker{opt: opt}
}

// Ask sends one request to a token endpoint, once. Its error is a *Refusal.
func (a *Asker) Ask(ctx context.Context, r Request) (*Answer, error) {
	return nil, &Refusal{Kind: Misused, Endpoint: r.Endpoint, Err: errors.New("not built yet")}
}

// Introspect asks an introspection endpoint (RFC 7662), named by r.Endpoint,
// whether a token is active. hint is access_token or refresh_token. Its error
// is a *Refusal: then nothing is known of the token.
func (a *Asker) Introspect(ctx context.Context, r Request, token usher.Secret, hint string) (active bool, err error) {
	return false, &Refusal{Kind: Misused, Endpoint: r.Endpoint, Err: errors.New("not built yet")}
}

// Revoke has a revocation endpoint (RFC 7009), named by r.Endpoint, end a token.
// One that it does not know is no error. Its error is a *Refusal.
func (a *Asker) Revoke(ctx context.Context, r Request, token usher.Secret, hint string) error {
	return &Refusal{Kind: Misused, Endpoint: r.Endpoint, Err: errors.New("not built yet")}
}
