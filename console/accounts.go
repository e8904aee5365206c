package console

import (
	"context"
	"errors"
	"time"
)

// ErrNotFound is what Accounts answers when it has no such account, session,
// ticket or key.
var ErrNotFound = errors.New("not found")

// Accounts is what the sign-in asks of the store. Nothing in it can be used to
// sign in: passwords, session ids, one-time passwords and keys are kept as
// hashes only.
type Accounts interface {
	// HasAccounts tells whether anybody has set a password yet.
	HasAccounts(ctx context.Context) (bool, error)
	// Account gives an account by its name, or ErrNotFound.
	Account(ctx context.Context, name string) (Account, error)
	// PutAccount adds an account or replaces the one of that name.
	PutAccount(ctx context.Context, account Account) error

	// Session gives a session by the hash of its id, or ErrNotFound.
	Session(ctx context.Context, hash string) (Session, error)
	// PutSession adds a session or replaces the one of that hash.
	PutSession(ctx context.Context, session Session) error
	// TouchSession notes that a session was used. One that is not there is no
	// error and stays away: a request that was under way while its person signed
	// out must not bring the session back.
	TouchSession(ctx context.Context, hash string, used time.Time) error
	// DropSession ends a session; one that is not there is no error.
	DropSession(ctx context.Context, hash string) error
	// DropSessions ends every session of an account, and of any account those
	// that expired before now.
	DropSessions(ctx context.Context, account string, now time.Time) error

	// PutTicket keeps the hash of the one-time password in place of any other.
	PutTicket(ctx context.Context, ticket Ticket) error
	// TakeTicket removes the one-time password with that hash and gives it, or
	// ErrNotFound: of two who ask at once only one gets it.
	TakeTicket(ctx context.Context, hash string) (Ticket, error)

	// Key gives an API key by the hash of its value, or ErrNotFound.
	Key(ctx context.Context, hash string) (Key, error)
	// Keys lists the API keys, the oldest first.
	Keys(ctx context.Context) ([]Key, error)
	// PutKey adds a key or replaces the one of that id.
	PutKey(ctx context.Context, key Key) error
	// TouchKey notes that a key was used, and brings none back, as TouchSession.
	TouchKey(ctx context.Context, id string, used time.Time) error
	// DropKey removes a key by its id; one that is not there is no error.
	DropKey(ctx context.Context, id string) error
}

// Account is a person who may sign in.
type Account struct {
	Name     string    `json:"name"`     // as the timeline names who did what
	Password string    `json:"password"` // argon2id in PHC form
	Changed  time.Time `json:"changed"`  // when the password was set
}

// Session is one signed-in browser.
type Session struct {
	Hash    string    `json:"hash"`    // hex of SHA-256 of the id
	Account string    `json:"account"` // empty: came in with the one-time password and has to set one
	Started time.Time `json:"started"`
	Used    time.Time `json:"used"`    // rounded down to the minute
	Expires time.Time `json:"expires"` // whatever its use
}

// Ticket is the one-time password of the first start.
type Ticket struct {
	Hash    string    `json:"hash"` // hex of SHA-256
	Expires time.Time `json:"expires"`
}

// Key is a program's way in: it is sent as a bearer token.
type Key struct {
	ID      string    `json:"id"`
	Hash    string    `json:"-"` // hex of SHA-256 of the value
	Name    string    `json:"name"`
	By      string    `json:"by"` // who made it
	Made    time.Time `json:"made"`
	Used    time.Time `json:"used,omitzero"` // rounded down to the minute
	Expires time.Time `json:"expires,omitzero"`
	// Connections is what the key is for: empty, everything that people may do;
	// "*", to take the tokens of connections and nothing else; otherwise those of
	// the connections with these ids, with blanks between.
	Connections string `json:"connections,omitempty"`
}
