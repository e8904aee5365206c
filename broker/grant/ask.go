package grant

import (
	"context"
	"net/http"
	"strings"
	"time"

	"usher/oauth"
)

// Sender sends a request once and follows no redirect; *guard.Client is one.
type Sender interface {
	Once(req *http.Request) (*http.Response, error)
}

// Options are what an Asker needs.
type Options struct {
	// HTTP is guard's client, which trusts the origins of the endpoints. Its own
	// bound of time should be no less than Timeout.
	HTTP    Sender
	Now     func() time.Time // nil is time.Now
	Timeout time.Duration    // of one request with its answer; 0 is DefaultTimeout
	// JSON tells of a token endpoint that it takes its requests as JSON and not as
	// the form of RFC 6749; nil: none does. Requests to other endpoints are forms.
	JSON func(endpoint string) bool
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
// When ctx ends while the answer is on its way, the answer is lost: give it one
// that lives on when a caller goes away.
func (a *Asker) Ask(ctx context.Context, r Request) (*Answer, error) {
	if r.Params.Get("grant_type") == "" {
		return nil, misused(r.Endpoint, "the request names no grant_type", nil)
	}
	got, refusal := a.send(ctx, &r)
	if refusal != nil {
		return nil, refusal
	}
	got.asked = oauth.ParseScope(r.Params.Get("scope"))
	answer, refusal := read(got)
	if refusal != nil {
		return nil, refusal
	}
	return answer, nil
}

// shownEndpoint gives origin and path of an endpoint, for a sentence.
func shownEndpoint(raw string) string {
	raw, _, _ = strings.Cut(raw, "#")
	raw, _, _ = strings.Cut(raw, "?")
	if scheme, rest, ok := strings.Cut(raw, "://"); ok {
		authority, path, slash := strings.Cut(rest, "/")
		if at := strings.LastIndex(authority, "@"); at >= 0 {
			authority = authority[at+1:]
		}
		if raw = scheme + "://" + authority; slash {
			raw += "/" + path
		}
	}
	return clip(raw, 300)
}
