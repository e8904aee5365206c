package broker

import (
	"context"
	"time"

	"usher"
)

// Token is what a caller is given.
type Token struct {
	Connection string
	Access     usher.Secret
	Type       string // "Bearer"
	Expires    time.Time
	Generation int64
	Scopes     []string
	// Short tells why it lives less long than was promised: the provider is
	// away, or gives no longer life. Empty: the promise is kept.
	Short string
}

// Ask says which token a caller wants.
type Ask struct {
	Caller string // who asks, as events name them
	// LeastLife is the life that the caller needs; 0 is what the policy
	// promises. What the provider gives no longer life than is given short.
	LeastLife time.Duration
	// Refused is a token that an API has just refused as invalid: another one is
	// wanted. It is compared by fingerprint; a token that was renewed since is
	// given at once.
	Refused usher.Secret
}

// Unavailable tells that a connection has no token to give: why, whose turn it
// is, and the link where a person can connect again.
type Unavailable struct {
	ID      string
	State   State
	Trouble Trouble
	Retry   time.Time // when it is worth asking again; zero: not before somebody acts
}

func (u *Unavailable) Error() string {
	return "the connection " + u.ID + " has no token: " + u.Trouble.Title
}

// Source gives tokens. The broker is one; so is the Go client, which asks a
// broker over HTTP.
type Source interface {
	// Token gives a token that lives as long as was asked for, renewing it first
	// where it must. Its error is an *Unavailable, ErrNotFound, or that of ctx.
	Token(ctx context.Context, id string, ask Ask) (Token, error)
}

// View is a connection as it may be shown: it holds no secret.
type View struct {
	Config   Config `json:"config"`
	Revision int64  `json:"revision"` // of the configuration, for Configure
	Status   Status `json:"status"`
	// Renewable tells that it lives on without a person: by a refresh token, or
	// by asking again.
	Renewable bool `json:"renewable"`
	// Secret says where the client's secret is: "kept" with the connection,
	// "managed" by the name Managed; empty: there is none.
	Secret  string `json:"secret,omitempty"`
	Managed string `json:"managed_secret,omitempty"`
}

// Change tells a subscriber how a connection stands now.
type Change struct {
	ID         string    `json:"connection"`
	Generation int64     `json:"generation"` // of its token; greater: it has a new one
	State      State     `json:"state,omitempty"`
	Expires    time.Time `json:"expires,omitzero"`
	Trouble    *Trouble  `json:"trouble,omitempty"`
	Healed     *Trouble  `json:"healed,omitempty"`
	Callers    []string  `json:"-"` // as in Config: who may be told
	Removed    bool      `json:"removed,omitempty"`
}
