package credential

import (
	"cmp"
	"slices"
	"time"

	"usher"
)

// Step is where a rotation stands.
type Step string

// The steps of a rotation.
const (
	StepCreating  Step = "creating"  // the provider is asked for a new one
	StepVerifying Step = "verifying" // the new one is tried; nobody has it yet
	StepMoving    Step = "moving"    // the new one is handed out; the old one still works
	StepRetiring  Step = "retiring"  // the old one is being ended
	StepDropping  Step = "dropping"  // it was given up before anybody had the new one, which is being ended
)

// VersionState says what a version is to those who fetch.
type VersionState string

// The states of a version. Exactly one is current, always.
const (
	VersionCurrent VersionState = "current" // what callers are given
	VersionNew     VersionState = "new"     // made, and not handed out yet
	VersionOld     VersionState = "old"     // handed out before, and still taken by the provider
	VersionEnded   VersionState = "ended"   // taken by the provider no more, as far as usher knows
)

// Version is one value of a managed secret.
type Version struct {
	N        int64        `json:"n"`                 // counts from 1
	ID       string       `json:"id,omitempty"`      // the provider's; empty: not known
	Label    string       `json:"label,omitempty"`   // what it is called at the provider
	State    VersionState `json:"state"`             //
	Made     time.Time    `json:"made"`              //
	Expires  time.Time    `json:"expires,omitzero"`  //
	Verified time.Time    `json:"verified,omitzero"` // when it was last seen to be right
	Handed   time.Time    `json:"handed,omitzero"`   // when it became current
	Used     time.Time    `json:"used,omitzero"`     // the last use that was seen
	UsedBy   string       `json:"used_by,omitempty"` //
	Logged   time.Time    `json:"logged,omitzero"`   // the last use that a provider's log told
	Blocked  time.Time    `json:"blocked,omitzero"`  // when it was right and a policy shut it out (53003)
	Ended    time.Time    `json:"ended,omitzero"`    //
	EndedWhy string       `json:"ended_why,omitempty"`
	Sealed   []byte       `json:"sealed,omitempty"`
}

// Caller is a program that fetches the secret, an instance of it where it tells
// one.
type Caller struct {
	Given int64 `json:"given"` // the version that it was given last
	// Has is the version that it presented last: what it was given may have been
	// lost on the way. Presents tells that it ever did.
	Has      int64     `json:"has,omitempty"`
	Presents bool      `json:"presents,omitempty"`
	First    time.Time `json:"first"`
	Seen     time.Time `json:"seen"` // to the minute
}

// version gives the version that a caller surely has.
func (c Caller) version() int64 {
	if c.Presents {
		return c.Has
	}
	return c.Given
}

// Attempt is a call of the provider's that was begun: written down before it is
// made, and taken away with its answer.
type Attempt struct {
	Label  string    `json:"label"`
	Holder string    `json:"holder"`
	Began  time.Time `json:"began"`
	Until  time.Time `json:"until"`            // when the sender has surely given up
	Before []string  `json:"before,omitempty"` // ids that were there
}

// Rotation is one replacing of a secret by another.
type Rotation struct {
	ID      string    `json:"id"`
	Step    Step      `json:"step"`
	Why     string    `json:"why,omitempty"`
	By      string    `json:"by,omitempty"`
	Began   time.Time `json:"began"`
	From    int64     `json:"from"`         // the version that is to be retired
	To      int64     `json:"to,omitempty"` // the version that takes its place
	Tries   int       `json:"tries,omitempty"`
	Attempt *Attempt  `json:"attempt,omitempty"`
	Moved   time.Time `json:"moved,omitzero"` // when To was handed out

	Overlap bool          `json:"overlap"`           // the old one works beside the new one
	Delay   time.Duration `json:"delay,omitempty"`   // of the provider
	Logged  bool          `json:"logged,omitempty"`  // the provider's log tells which one is used
	OldEnds time.Time     `json:"old_ends,omitzero"` // when the provider ends the old one by itself
	Undone  string        `json:"undone,omitempty"`  // who handed the old one out again
	// BackEnds is when the provider ends, by itself, the one that was handed out
	// again: of such two it can end no other.
	BackEnds time.Time   `json:"back_ends,omitzero"`
	Forced   string      `json:"forced,omitempty"`  // who retires it although it may be in use
	Trouble  string      `json:"trouble,omitempty"` // why it does not go on
	Turn     usher.Fixer `json:"turn,omitempty"`    // who has to act; empty: nobody, it is tried again
	Since    time.Time   `json:"since,omitzero"`    // of the trouble
	Next     time.Time   `json:"next,omitzero"`     // when it is looked at again
	Labels   []string    `json:"labels,omitempty"`  // of every attempt
}

// Past is a rotation that is over.
type Past struct {
	ID    string    `json:"id"`
	Why   string    `json:"why,omitempty"`
	By    string    `json:"by,omitempty"`
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
	From  int64     `json:"from"`
	To    int64     `json:"to"`
	How   string    `json:"how"` // a sentence
}

// Leak is a place where a version was seen that should not have it.
type Leak struct {
	Version int64     `json:"version"`
	Source  string    `json:"source"` // who says so; two different ones are two signals
	Detail  string    `json:"detail,omitempty"`
	At      time.Time `json:"at"`
}

// Exposed is that a case of a leak is open: it is closed once no version that
// leaked works any more.
type Exposed struct {
	Next time.Time `json:"next"` // when it is looked at again
}

// Health is what the last verification of the current version said.
type Health struct {
	Outcome usher.Outcome `json:"outcome,omitempty"`
	Cause   string        `json:"cause,omitempty"`
	Title   string        `json:"title,omitempty"`
	At      time.Time     `json:"at,omitzero"`
	Wrongs  int           `json:"wrongs,omitempty"` // in a row
	Next    time.Time     `json:"next,omitzero"`
}

// record is a managed secret in the store.
type record struct {
	Config   Config            `json:"config"`
	Versions []Version         `json:"versions"`
	Rotation *Rotation         `json:"rotation,omitempty"`
	Past     []Past            `json:"past,omitempty"`
	Begun    []time.Time       `json:"begun,omitempty"` // rotations of the last hour
	Callers  map[string]Caller `json:"callers,omitempty"`
	Own      time.Time         `json:"own,omitzero"` // when a connection of the broker's last took it, to the hour
	Health   Health            `json:"health"`
	Warned   []string          `json:"warned,omitempty"` // "version/days"
	Leaks    []Leak            `json:"leaks,omitempty"`
	Exposed  *Exposed          `json:"exposed,omitempty"` // a leak was told and its end was not
	LogSeen  time.Time         `json:"log_seen,omitzero"` // the latest record of the provider's log that names one of the versions
	Removed  bool              `json:"removed,omitempty"`

	blob int64 // version of the document
}

// Bounds of a record.
const (
	maxCallers = 5000
	maxPast    = 20
	maxBegun   = 40
	maxLeaks   = 50
	maxEnded   = 5 // versions that have ended and are remembered
)

func (r *record) version(n int64) *Version {
	for i := range r.Versions {
		if r.Versions[i].N == n {
			return &r.Versions[i]
		}
	}
	return nil
}

func (r *record) current() *Version {
	for i := range r.Versions {
		if r.Versions[i].State == VersionCurrent {
			return &r.Versions[i]
		}
	}
	return nil // of a record that was damaged
}

// old is the version that a rotation is to retire, while it works.
func (r *record) old() *Version {
	if r.Rotation == nil {
		return nil
	}
	if v := r.version(r.Rotation.From); v != nil && v.State == VersionOld {
		return v
	}
	return nil
}

// next is the number of a further version.
func (r *record) next() int64 {
	var n int64
	for _, v := range r.Versions {
		n = max(n, v.N)
	}
	return n + 1
}

// handOut makes a version current, and the one that was so old or ended.
func (r *record) handOut(n int64, was VersionState, at time.Time) {
	for i := range r.Versions {
		switch v := &r.Versions[i]; {
		case v.N == n:
			v.State, v.Handed = VersionCurrent, at
		case v.State == VersionCurrent:
			v.State = was
		}
	}
}

// end marks a version ended and forgets those that ended long before.
func (r *record) end(n int64, at time.Time, why string) {
	if v := r.version(n); v != nil && v.State != VersionCurrent {
		v.State, v.Ended, v.EndedWhy = VersionEnded, at, why
	}
	ended := 0
	for i := len(r.Versions) - 1; i >= 0; i-- {
		if r.Versions[i].State == VersionEnded {
			if ended++; ended > maxEnded {
				r.Versions = slices.Delete(r.Versions, i, i+1)
			}
		}
	}
}

// finish ends the rotation.
func (r *record) finish(at time.Time, how string) {
	rot := r.Rotation
	r.Past = append(r.Past, Past{ID: rot.ID, Why: rot.Why, By: rot.By, Began: rot.Began, Ended: at, From: rot.From, To: rot.To, How: how})
	if n := len(r.Past) - maxPast; n > 0 {
		r.Past = slices.Delete(r.Past, 0, n)
	}
	r.Rotation = nil
}

// byID gives the version with an id of the provider's.
func (r *record) byID(id string) *Version {
	for i := len(r.Versions) - 1; i >= 0; i-- {
		if r.Versions[i].ID == id && id != "" {
			return &r.Versions[i]
		}
	}
	return nil
}

// names gives the callers in order.
func (r *record) names() []string {
	names := make([]string, 0, len(r.Callers))
	for name := range r.Callers {
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare)
	return names
}
