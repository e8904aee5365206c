package lifespan

import (
	"time"

	"usher"
)

// Policy is how long tokens are used and when they are renewed. Zero values are
// the default's.
type Policy struct {
	Name string `yaml:"name" json:"name"`
	// RenewAt is the part of a token's life after which it is renewed, 0 to 1.
	RenewAt float64 `yaml:"renew_at,omitempty" json:"renew_at,omitempty"`
	// RenewBefore is the least time before the end at which it is renewed.
	RenewBefore usher.Duration `yaml:"renew_before,omitempty" json:"renew_before,omitempty"`
	// Jitter spreads renewals over this part of a token's life, 0 to 0.5.
	Jitter float64 `yaml:"jitter,omitempty" json:"jitter,omitempty"`
	// LeastLife is the life that callers are promised.
	LeastLife usher.Duration `yaml:"least_life,omitempty" json:"least_life,omitempty"`
	// MaxLife bounds how long a token is used, whatever the provider says.
	MaxLife usher.Duration `yaml:"max_life,omitempty" json:"max_life,omitempty"`
	// AssumeLife is used where the provider tells no life.
	AssumeLife usher.Duration `yaml:"assume_life,omitempty" json:"assume_life,omitempty"`
	// Idle ends the renewing of a connection that no caller used for so long.
	Idle usher.Duration `yaml:"idle,omitempty" json:"idle,omitempty"`
	// Absolute is how long after it was connected a person must connect again.
	Absolute usher.Duration `yaml:"absolute,omitempty" json:"absolute,omitempty"`
}

// Rule overrides the policy of connections with a scope or a role; the
// strictest value of all that apply counts.
type Rule struct {
	Scope  string `yaml:"scope,omitempty" json:"scope,omitempty"`
	Role   string `yaml:"role,omitempty" json:"role,omitempty"`
	Policy Policy `yaml:",inline" json:"policy"`
}

// Set is all policies of a configuration.
type Set struct {
	Policies []Policy `yaml:"policies,omitempty" json:"policies,omitempty"`
	Rules    []Rule   `yaml:"rules,omitempty" json:"rules,omitempty"`
}

// Input is what a decision is made from.
type Input struct {
	Connection string
	Policy     string // name; empty: the default
	Scopes     []string
	Role       string
	Generation int64 // spreads the jitter

	Connected        time.Time     // when the grant began; zero: now
	Received         time.Time     // when the answer came
	ExpiresIn        time.Duration // as the provider said; 0: it did not
	RefreshExpiresIn time.Duration // 0: not told
	HasRefresh       bool          // the grant can be renewed without a person
	Renewable        bool          // by a refresh token, or by asking again
	Alone            bool          // the grant begins anew without a person, so that Absolute does not count
}

// Plan is what was decided.
type Plan struct {
	Expires   time.Time     // when the access token is no longer used
	RenewAt   time.Time     // when it is renewed; zero: it cannot be
	LeastLife time.Duration // that callers are promised, capped by what the token can give
	Idle      time.Duration // 0: never
	Absolute  time.Time     // zero: never
	Reasons   []Reason      // in the order in which they decided; a default that decided nothing is left out
}

// Reason is one step of a decision: who says what, and what it came to.
type Reason struct {
	Source string `json:"source"` // provider, default, policy, scope, role, limit
	Name   string `json:"name,omitempty"`
	Text   string `json:"text"`            // "the provider says 3600 s"
	Field  string `json:"field,omitempty"` // of Policy
	Value  string `json:"value,omitempty"`
}
