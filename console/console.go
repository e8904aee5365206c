// Package console shows cases to people as pages and to programs as JSON.
//
// It owns the routes, the local sign-in, what the browser is told to allow, and
// the words on the pages. It decides nothing about cases: what it needs of the
// engine and of the store it declares as Cases and Accounts.
package console

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"usher"
)

// Options are what New needs. Cases and Accounts are required, the rest has
// defaults.
type Options struct {
	Cases    Cases
	Accounts Accounts
	// Connections is the broker; nil: there is none, and its pages are not found.
	Connections Connections
	// Secrets manages client secrets; nil: nobody does.
	Secrets Secrets

	// Listen is the address that the server listens on, as it was configured;
	// its host may stand in the Host header beside the names of the loopback.
	Listen string
	// URL is the address that people type where a proxy stands in front, as
	// "https://usher.example". Its host is allowed too, and with https cookies
	// are marked Secure.
	URL string

	Now      func() time.Time // the clock; nil: time.Now
	Location *time.Location   // the zone of the times on pages; nil: time.Local
	Version  string           // of usher, for the foot of the page

	// Cause gives what a label of the taxonomy means; nil: nothing is told.
	Cause func(label string) (usher.Cause, bool)
	// Sources tells what is listened to, for the page that has no case to show;
	// nil: nothing is told.
	Sources func(context.Context) []Source

	Metrics     http.Handler                // /metrics; nil: not found
	OpenMetrics bool                        // /metrics needs no sign-in
	Ready       func(context.Context) error // /readyz; nil: ready
	// Stop ends the streams of watch when it is closed, so that a server that
	// stops does not wait for them.
	Stop <-chan struct{}
	Log  *slog.Logger // nil: nothing is logged
}

// Source is one thing that events are read from.
type Source struct {
	Name  string    // "keycloak log /var/log/keycloak.log"
	Last  time.Time // time of the last event; zero: none yet
	Error string    // why it cannot be read now
}

// Cases is what the console asks of the engine. Errors are *usher.Error with
// one of the codes of the root or of this package; any other error is a defect
// and its text is not shown. By is the person or key who asks.
type Cases interface {
	// List gives the cases that match, those that ask for somebody first, then
	// the latest first.
	List(ctx context.Context, filter Filter) ([]usher.Case, error)
	// Case gives one case, or usher.ErrNotFound.
	Case(ctx context.Context, id int64) (*usher.Case, error)
	// Plan asks the provider for the exact difference that a fix would make and
	// changes nothing there.
	Plan(ctx context.Context, id int64, fix, by string) (usher.FixPlan, error)
	// Apply carries out what was confirmed: usher.ErrChanged when the plan is no
	// longer what would be done, usher.ErrRefused when it weakens and nobody said
	// twice that it may. A secret beside an error was made and could not be noted:
	// it is told all the same, for nobody can ask for it again.
	Apply(ctx context.Context, id int64, confirm Confirm, by string) (Applied, error)
	// Undo takes a run back.
	Undo(ctx context.Context, id int64, run, by string) (usher.FixRun, error)
	// Declare notes that a person has carried out a fix.
	Declare(ctx context.Context, id int64, d Declaration, by string) (usher.FixRun, error)
	// Intend notes that the refusal is right.
	Intend(ctx context.Context, id int64, intent Intent, by string) (*usher.Case, error)
	// Reopen opens a case that is fixed, quiet or intended.
	Reopen(ctx context.Context, id int64, by string) (*usher.Case, error)
	// Subscribe tells of changed cases from now on until ctx ends. The engine
	// never waits for a subscriber: it closes the channel of one that does not keep up.
	Subscribe(ctx context.Context) <-chan Change
	// Take adds events of usher's own doors, all or none, and tells how many of
	// them were new.
	Take(ctx context.Context, events []usher.Event) (added int, err error)
}

// Filter says which cases are asked for. The zero value asks for the active
// ones that are not hidden behind another.
type Filter struct {
	States []usher.CaseState // any of them; none: the active ones, or every one with All
	Client string            // id or name of the client; empty: any
	All    bool              // also those that are hidden behind another case
	Limit  int               // at most so many; 0: as many as there are, up to 1,000
}

// Match tells whether a case is asked for; Limit is the caller's.
func (f Filter) Match(c *usher.Case) bool {
	if f.Client != "" && f.Client != c.Finding.Subject.Client && f.Client != c.Refusal.Client.UID && f.Client != c.Refusal.Client.Name {
		return false
	}
	if len(f.States) > 0 {
		for _, s := range f.States {
			if s == c.State {
				return true
			}
		}
		return false
	}
	return f.All || c.State.Active() && c.Behind == 0
}

// Confirm is what a person says yes to.
type Confirm struct {
	Fix    string `json:"fix"`
	Plan   string `json:"plan"` // id of the FixPlan that was shown
	Weaken bool   `json:"weaken,omitempty"`
}

// Applied is what came of a confirmed fix.
type Applied struct {
	Run    usher.FixRun
	Secret usher.Secret // only of replace-secret; shown once, never stored
}

// Declaration says that a person has carried out a fix.
type Declaration struct {
	Fix    string `json:"fix"`              // id of the fix
	Reason string `json:"reason,omitempty"` // what was done; an attack needs one
}

// Intent says that a refusal is right.
type Intent struct {
	Owner   string    `json:"owner"`
	Reason  string    `json:"reason"`
	Expires time.Time `json:"expires"`
}

// Change tells that a case is new or has changed.
type Change struct {
	ID    int64           `json:"id"`
	State usher.CaseState `json:"state"`
}

// Codes of usher.Error that the console answers with beside those of the root;
// Cases may use them too.
const (
	CodeConflict    = "conflict"      // 409: the case does not allow it in its state, or it was shown too long ago
	CodeUnavailable = "unavailable"   // 503: not now
	CodeSignIn      = "sign-in"       // 401
	CodeTooMany     = "too-many"      // 429
	CodeMethod      = "method"        // 405
	CodeWrongType   = "wrong-type"    // 415
	CodeUnprocessed = "unprocessable" // 422: understood, and refused for what it says
)
