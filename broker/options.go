package broker

import (
	"context"
	"log/slog"
	"time"

	"usher"
	"usher/broker/grant"
	"usher/broker/seal"
	"usher/broker/strategy"
	"usher/policy/lifespan"
)

// Asker speaks to token endpoints; *grant.Asker is one. Every method sends one
// request, once, and its error is a *grant.Refusal.
type Asker interface {
	Ask(ctx context.Context, r grant.Request) (*grant.Answer, error)
	Introspect(ctx context.Context, r grant.Request, token usher.Secret, hint string) (active bool, err error)
	Revoke(ctx context.Context, r grant.Request, token usher.Secret, hint string) error
}

// Options are what a Broker needs. Store, Seal and Ask must be given.
type Options struct {
	Store Store
	Seal  seal.Sealer
	Ask   Asker

	// Lifespans are the policies; nil is the default policy alone.
	Lifespans *lifespan.Set
	// Decide says what is done about a refusal; nil is strategy.Decide.
	Decide func(strategy.Input) strategy.Decision
	// Emit takes what happened, after it is stored and before those who wait are
	// answered, so that it may not block; nil is nobody.
	Emit func(context.Context, usher.Event)
	// Managed gives a managed client secret by its name; nil where there are none.
	Managed func(ctx context.Context, name string) (usher.Secret, error)
	// ConnectURL gives the page where a person connects; nil where there is none.
	ConnectURL func(id string) string

	Now    func() time.Time // of this replica; nil is time.Now. It may be wrong: the store's clock counts.
	Holder string           // names this replica in leases; empty: made up
	Log    *slog.Logger     // nil is silent

	// Deadline is how long an answer of a token endpoint is waited for; 0 is 60 s.
	Deadline time.Duration
	// Lease is how long a lease lasts unless it is extended; 0 is 10 s.
	Lease time.Duration
	// Poll is how often the store is asked what changed; 0 is 500 ms.
	Poll time.Duration
	// Workers bounds renewals by the scheduler at a time; 0 is 256.
	Workers int
	// Rate and Burst are how many requests a second, and at once, an endpoint is
	// sent at most, over all replicas; 0 is 50 and 50.
	Rate  float64
	Burst float64
	// Grace is how long Run waits at its end for answers that come once: those to
	// a single-use refresh token; 0 is 15 s above Deadline. What is cut off then
	// is found by its attempt.
	Grace time.Duration
}

func (o *Options) fill() {
	set(&o.Deadline, grant.DefaultTimeout)
	set(&o.Lease, 10*time.Second)
	set(&o.Poll, 500*time.Millisecond)
	set(&o.Workers, 256)
	set(&o.Rate, 50)
	set(&o.Burst, 50)
	set(&o.Grace, o.Deadline+15*time.Second)
	if o.Lifespans == nil {
		o.Lifespans = &lifespan.Set{}
	}
	if o.Decide == nil {
		o.Decide = strategy.Decide
	}
	if o.Emit == nil {
		o.Emit = func(context.Context, usher.Event) {}
	}
	if o.ConnectURL == nil {
		o.ConnectURL = func(string) string { return "" }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Holder == "" {
		o.Holder = holder()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func set[T int | float64 | time.Duration](to *T, otherwise T) {
	if *to <= 0 {
		*to = otherwise
	}
}
