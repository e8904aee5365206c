package strategy

import (
	"time"

	"usher"
)

// Name is what is done about a cause.
type Name string

// The strategies.
const (
	Retry        Name = "retry"        // it goes away by itself: ask again, ever more slowly
	Authenticate Name = "authenticate" // begin the grant anew without a person (client credentials, assertion, exchange)
	Ask          Name = "ask"          // a person has to connect again: the link is ready
	Rotate       Name = "rotate"       // the client's credential is no good: replace it, or take the one that was replaced
	Narrow       Name = "narrow"       // ask for the scopes that are granted
	GiveUp       Name = "give-up"      // somebody must change the configuration; asking again changes nothing
)

// Decision is what is done about one refusal.
type Decision struct {
	Cause      string  // label of the taxonomy; "unknown"
	Confidence float64 // of the cause
	Strategy   Name
	Title      string      // what happened, for a person; masked
	Turn       usher.Fixer // whose turn it is; empty: nobody's
	// Wait is the time before the next try. 0 is the back-off's with Retry, at
	// once with Authenticate and Narrow; with Ask, Rotate and GiveUp it means not
	// before somebody acted. What has a wait with those is looked at again after
	// it, slowly, since its cause may go without a word to us.
	Wait time.Duration
	// Endpoint tells that the fault is the endpoint's and not this connection's:
	// it counts for the circuit breaker.
	Endpoint bool
	// Dead tells that the refresh token is of no more use.
	Dead bool
	// Revoked tells that access tokens given before are dead too, or should be.
	Revoked bool
}
