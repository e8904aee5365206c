package strategy

import (
	"time"

	"usher/broker/grant"
)

// Input is a refusal and what is known of the connection that met it.
type Input struct {
	GrantType   string         // of the request that was refused, as it was sent: "refresh_token"
	Interactive bool           // only a person can begin the grant anew
	HasRefresh  bool           // the request presented a refresh token
	Managed     bool           // the client's secret is managed, so that it can be rotated
	Refusal     *grant.Refusal //

	ClientID   string
	AuthMethod string
	Provider   string   // kind, where it is known: "entra"; empty: found out by the endpoint
	Requested  []string // scopes
	Granted    []string // scopes of the token before; nil: not known

	Now time.Time
}

// Decide says what is done about a refusal. It asks nobody and is safe for
// concurrent use.
func Decide(in Input) Decision {
	return Decision{Cause: "unknown", Strategy: Retry, Title: in.Refusal.Error()}
}
