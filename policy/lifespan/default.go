package lifespan

import (
	"time"

	"usher"
)

// Default is the policy that counts where nothing else is said. A policy of the
// name default in a Set counts in its place.
func Default() Policy {
	return Policy{
		Name: "default", RenewAt: 0.75, RenewBefore: usher.Duration(2 * time.Minute), Jitter: 0.1,
		LeastLife: usher.Duration(time.Minute), AssumeLife: usher.Duration(5 * time.Minute),
	}
}

// Limits that hold whatever a policy says, as parts of a token's life.
const (
	// mostPromised is the part of its life that a token can promise to callers:
	// with more, it would be renewed all the time.
	mostPromised = 0.75
	// mostBefore bounds RenewBefore for the same reason.
	mostBefore = 0.75
	// mostLead bounds lead.
	mostLead = 0.125
	// mostJitter is the part of the time until the renewal that jitter may take away.
	mostJitter = 0.5
	// refreshUsed is the part of a refresh token's life after which it is used at
	// the latest.
	refreshUsed = 0.75
)

// lead is how much earlier than the promise needs a token is renewed, since the
// renewal itself takes time: providers have been seen to take 30 s.
const lead = 40 * time.Second

// lives bounds every time that is computed with: what a provider or a policy
// says beyond that is as good as for ever.
const lives = 100 * 365 * 24 * time.Hour
