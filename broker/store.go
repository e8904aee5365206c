package broker

import (
	"context"
	"errors"
	"time"
)

// What a Store answers beside success, for errors.Is.
var (
	ErrNotFound = errors.New("there is no such connection")
	ErrExists   = errors.New("there is a connection of that name")
	ErrStale    = errors.New("it was changed in between")
	ErrHeld     = errors.New("another replica holds the lease")
	ErrLost     = errors.New("the lease was lost")
	// ErrForbidden is no store's: the caller is not one of Config.Callers.
	ErrForbidden = errors.New("this caller may not use the connection")
)

// Store is what the broker keeps, shared by all replicas. Every method is one
// transaction of its own, which is on the disk when it returns. What is sealed
// comes and goes as bytes; the store never sees a secret in clear.
type Store interface {
	// Connections gives connections by id, those after an id, at most limit.
	Connections(ctx context.Context, after string, limit int) ([]Record, error)
	// Connection gives one, or ErrNotFound.
	Connection(ctx context.Context, id string) (Record, error)
	// Add keeps a new connection, or ErrExists.
	Add(ctx context.Context, r Record) error
	// Configure replaces configuration and keys where the revision is still
	// this one, and gives it the next; else ErrStale. The status stays.
	Configure(ctx context.Context, revision int64, c Config, keys []byte) error
	// Remove takes a connection away with all that belongs to it; one that is
	// not there is no error.
	Remove(ctx context.Context, id string) error

	// Due gives the ids of connections whose RenewAt is not after now, the
	// earliest first, without those that are disabled or whose lease is held.
	Due(ctx context.Context, now time.Time, limit int) ([]string, error)
	// Next tells the earliest RenewAt after now; zero: there is none.
	Next(ctx context.Context, now time.Time) (time.Time, error)
	// Changed gives what was written since a time by the clock of the store,
	// which it tells too. Who asks again asks from a little before that time:
	// what is written at once may be seen late.
	Changed(ctx context.Context, since time.Time) (changes []Changed, now time.Time, err error)

	// Begin writes down an attempt, where the lease is held, the version is
	// still this one, and no other attempt stands but the one with the fence
	// replaces (0: none may stand). Else ErrLost or ErrStale. It gives the new
	// version.
	Begin(ctx context.Context, id string, l Lease, version int64, a Attempt, spent string, replaces int64) (int64, error)
	// Answer stores a new token where the generation is still s.Generation-1,
	// whoever holds the lease: of a refresh token that is spent, this is the only
	// successor. Else ErrStale. The attempt is taken away, the version counted.
	Answer(ctx context.Context, id string, s Status, tokens []byte) error
	// Note stores a status without a new token where the lease is held and the
	// version is still s.Version. Else ErrLost or ErrStale. It gives the new
	// version. tokens nil leaves them; an empty slice takes them away.
	Note(ctx context.Context, id string, l Lease, s Status, tokens []byte) (int64, error)
	// Used notes that callers took tokens, to the minute.
	Used(ctx context.Context, at map[string]time.Time) error

	// Acquire takes a lease for a time, by the clock of the store, or ErrHeld.
	// Every taking of a name has a greater fence than all before.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (Lease, error)
	// Extend keeps a lease for ttl from now, or ErrLost.
	Extend(ctx context.Context, l Lease, ttl time.Duration) error
	// Release gives a lease back; one that is lost is no error.
	Release(ctx context.Context, l Lease) error

	// Pace gives what all replicas know of a token endpoint's patience; the zero
	// Pace with the name where nothing is known.
	Pace(ctx context.Context, name string) (Pace, error)
	// SetPace keeps it where the version is still p.Version, else ErrStale.
	SetPace(ctx context.Context, p Pace) error

	// PutFlow keeps a flow that a person has begun.
	PutFlow(ctx context.Context, f Flow) error
	// TakeFlow gives a flow and removes it, or ErrNotFound: of two who ask at
	// once one gets it.
	TakeFlow(ctx context.Context, hash string) (Flow, error)

	// Blobs keeps what packages seal and credential keep: small documents by
	// kind and name, each with a version.
	Blobs(ctx context.Context, kind string) ([]Blob, error)
	Blob(ctx context.Context, kind, name string) (Blob, error) // or ErrNotFound
	// PutBlob keeps a document where the version is still b.Version (0: there is
	// none yet), else ErrStale; it has the next version then.
	PutBlob(ctx context.Context, b Blob) error
	// DropBlob removes it where the version is still b.Version, else ErrStale.
	DropBlob(ctx context.Context, b Blob) error
}

// Changed tells of a connection that was written.
type Changed struct {
	ID         string
	Generation int64
	Version    int64
	Revision   int64
	Removed    bool
}

// Lease is a right that one replica has for a time.
type Lease struct {
	Name   string // "connection/shop-gateway"
	Holder string
	Fence  int64 // greater than that of every earlier one of this name
}

// Pace is how fast a token endpoint may be asked, over all replicas.
type Pace struct {
	Name     string    `json:"name"` // of the token endpoint: origin and path
	Version  int64     `json:"version"`
	Tokens   float64   `json:"tokens"`           // requests that may be sent at once
	Filled   time.Time `json:"filled"`           // when Tokens was true
	Rate     float64   `json:"rate"`             // requests a second; grows slowly after a failure
	Blocked  time.Time `json:"blocked,omitzero"` // nobody asks before: Retry-After, or the open breaker
	Failures int       `json:"failures"`         // in a row, of the endpoint and not of one connection
	Trial    time.Time `json:"trial,omitzero"`   // until then one replica tries whether it is back
}

// Flow is an authorization or device flow that a person has begun.
type Flow struct {
	Hash    string    // hex of SHA-256 of state, or of the device flow's id
	ID      string    // of the connection
	Sealed  []byte    // verifier, nonce, issuer, redirect URI, binding to the browser
	Expires time.Time // a minute count, not days
}

// Blob is a small document.
type Blob struct {
	Kind, Name string
	Version    int64
	Body       []byte
}
