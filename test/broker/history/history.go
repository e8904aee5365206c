// Package history decides whether what the broker did was right: it takes what
// the provider saw, what callers were told, what was stored and which replicas
// were killed, and names everything that broke a promise.
package history

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Ref names a token in a history without telling it.
func Ref(token string) string {
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:8])
}

// Outcome is what became of a request to the token endpoint.
type Outcome string

// The outcomes.
const (
	Accepted Outcome = "accepted" // a token was given
	Reused   Outcome = "reused"   // a spent refresh token was presented: the family is revoked
	Dead     Outcome = "dead"     // a refresh token of a revoked family, or one that nobody gave
	Stranger Outcome = "stranger" // the client was not who it said it is, or showed it in another style
	Away     Outcome = "away"     // the provider was down
	Lied     Outcome = "lied"     // the provider answered nonsense on purpose, and did nothing
	Dropped  Outcome = "dropped"  // the sender was gone before the provider did anything
)

// Request is one request to the token endpoint, as the provider saw it.
type Request struct {
	From      string // replica, where it says so
	Conn      string // client id, which is the connection's id
	Arrived   time.Time
	Acted     time.Time // when tokens were spent and made; zero: never
	Answered  time.Time // when the answer was written
	Grant     string
	Style     string // of client authentication
	Presented string // Ref of the refresh token; empty: none
	Gave      string // Ref of the access token
	Outcome   Outcome
	Status    int
	Garbled   bool // a proxy put something else in the answer's place
	Delivered bool // the sender was there when the answer was written
}

// Issued is one access token.
type Issued struct {
	Conn    string
	Ref     string
	At      time.Time
	Expires time.Time
	Died    time.Time // revoked, or replaced at a provider where that ends it; zero: it lives to its end
	Seed    bool      // given to the test and not to the broker
}

// Revocation is the end of a family.
type Revocation struct {
	Conn  string
	At    time.Time
	Reuse bool // because a spent refresh token was presented
}

// Span is a time in which the provider was away.
type Span struct{ From, Until time.Time }

// Stored is one answer that a replica stored.
type Stored struct {
	Replica    string
	Conn       string
	Ref        string // of the access token; empty: not known
	Generation int64
	Begin      time.Time
	End        time.Time // zero: nobody knows whether it was stored
	Err        string    // the store's error
	Stale      bool      // the store said that there is another answer already
}

// Call is what callers asked and were told. Several that were told the same are
// one Call with a Count.
type Call struct {
	Replica  string
	Conn     string
	Count    int
	Asked    time.Time     // the first
	Answered time.Time     // the first
	Last     time.Time     // the last answer; zero: Answered
	Patience time.Duration // how long the caller would have waited
	Wanted   time.Duration // life that was promised
	Refused  string        // Ref of the token that the caller said was refused

	Token      string // Ref; empty: none was given
	Generation int64
	Expires    time.Time
	Short      bool // the broker said that it lives less long than promised

	Err   string    // empty: a token was given
	State string    // of an Unavailable
	Link  bool      // a person was given a link
	Retry time.Time // when the broker says that it is worth asking again
	Late  bool      // the caller's patience ended
}

func (c Call) last() time.Time {
	if c.Last.IsZero() {
		return c.Answered
	}
	return c.Last
}

// Database is the replica of an End that is the store's.
const Database = "database"

// End is a replica that was killed, or stood still for a time, or the Database
// that was away.
type End struct {
	Replica string
	At      time.Time
	Until   time.Time // when it went on, or its successor began; zero: never
	Killed  bool
}

// Final is where a connection stood when all was over.
type Final struct {
	Conn       string
	State      string
	Generation int64
	Link       bool
	Attempt    bool // one still stands
}

// Rule is what was promised of a connection.
type Rule struct {
	Renew time.Duration // life left at which it is renewed at the earliest, jitter and all
	Life  time.Duration // least life of a token that is handed out; 0: as the call says
	Takes time.Duration // of the provider, for one answer
	// Takeover is how long another replica may need until it knows what became
	// of a request whose sender is gone.
	Takeover time.Duration
	// Recover is how long after an outage it may take until a connection is
	// renewed, by the pace at which the provider may be asked.
	Recover time.Duration
	// Spread is how long replicas may need until they see what one has stored.
	Spread time.Duration
	// Margin is the life below which a token is as good as dead.
	Margin time.Duration
	// Slack is how late a caller may see an answer, on a machine that is busy.
	Slack time.Duration
	// Blind tells that the provider has no introspection: what became of a
	// request whose sender is gone stays unknown.
	Blind bool
	// Pace is how many requests a second the provider may be sent, and Burst how
	// many at once; 0: not held.
	Pace, Burst float64
}

// History is what happened.
type History struct {
	Requests    []Request
	Issued      []Issued
	Revocations []Revocation
	Down        []Span
	Stored      []Stored
	Calls       []Call
	Ends        []End
	Finals      []Final
	Asked       map[string]int // by connection: callers who were sent; nil: not counted
	Rule        func(conn string) Rule
}
