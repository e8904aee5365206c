package usher

import "time"

// CaseVersion is the version of the JSON contract of Case. Later versions add
// members and never rename or remove one.
const CaseVersion = 1

// CaseState is where a case stands.
type CaseState string

// The states of a case. Only CaseFixed says that it is proven fixed.
const (
	CaseOpen      CaseState = "open"
	CaseFixing    CaseState = "fixing"    // a fix is being carried out
	CaseVerifying CaseState = "verifying" // a fix was carried out; its proof is awaited
	CaseFixed     CaseState = "fixed"     // proven
	CaseIntended  CaseState = "intended"  // the refusal is right: owner, reason, expiry
	CaseQuiet     CaseState = "quiet"     // stopped without proof
	CaseRegressed CaseState = "regressed" // was fixed and is back
)

// CaseStates lists every state, those that ask for somebody first.
var CaseStates = []CaseState{
	CaseRegressed, CaseOpen, CaseFixing, CaseVerifying, CaseQuiet, CaseIntended, CaseFixed,
}

// Active tells whether a case in this state asks for somebody.
func (s CaseState) Active() bool {
	return s == CaseOpen || s == CaseFixing || s == CaseVerifying || s == CaseRegressed
}

// CaseKind says what a case is about.
type CaseKind string

// The kinds of cases.
const (
	CaseFailure       CaseKind = "failure"
	CaseAttack        CaseKind = "attack" // a success escalates it; it ends when the credential or session is proven dead
	CaseExposure      CaseKind = "exposure"
	CaseConfiguration CaseKind = "configuration"
)

// Case is the findings with one fingerprint over time. Every string is masked. In
// the title, the summary, the texts of the timeline and the comment of a proof, a
// value that is shown as one stands between backticks, and a backtick within a
// value is doubled.
type Case struct {
	Version     int       `json:"version"`     // of the contract, 1
	ID          int64     `json:"id"`          // from 1, in the order of their opening
	Fingerprint string    `json:"fingerprint"` // what makes two findings one case, hashed
	Kind        CaseKind  `json:"kind"`        // what it is about
	State       CaseState `json:"state"`       // where it stands
	Title       string    `json:"title"`       // "Sign-ins to 'shop' are refused: ..."
	Summary     string    `json:"summary"`     // the title, since when, how often, what changed: one paragraph
	Finding     Finding   `json:"finding"`     // the best one so far

	First  time.Time `json:"first"`  // of the first try that belongs to it
	Last   time.Time `json:"last"`   // of the last
	Opened time.Time `json:"opened"` // when usher showed it: Opened minus First is the time to visible
	Count  int       `json:"count"`  // tries

	Addresses int     `json:"addresses"`          // different source addresses, counted up to 1,000
	Users     int     `json:"users"`              // different users, counted up to 1,000
	Affected  []Party `json:"affected,omitempty"` // the first 20 users
	// Connections counts the different connections that a fault of their token
	// endpoint keeps from a new token, up to 1,000; 0: it is no such fault.
	Connections   int      `json:"connections,omitempty"`
	ConnectionIDs []string `json:"connection_ids,omitempty"` // the first 20 of them
	Refusal       Event    `json:"refusal"`                  // the last try: what proofs are compared with

	Changed      []Event `json:"changed,omitempty"`      // in the 72 hours before First, what may explain it, latest first, at most 10
	Consequences []int64 `json:"consequences,omitempty"` // cases that are hidden behind this one
	Behind       int64   `json:"behind,omitempty"`       // the case that this one is hidden behind

	Fixes []Fix    `json:"fixes"`          // in order; a weakening one never comes first
	Runs  []FixRun `json:"runs,omitempty"` // what was carried out
	// What proved it, once the state is fixed.
	Proven *Proven `json:"proven,omitempty"`

	Sources     []string     `json:"sources,omitempty"`     // of an attack: the addresses that it comes from (IPv6 as /64), at most 100
	Compromised []Compromise `json:"compromised,omitempty"` // of an attack: who was got into, at most 100

	Escalated time.Time `json:"escalated,omitzero"` // an attack that had a success
	Owner     string    `json:"owner,omitempty"`    // of an intended one
	Reason    string    `json:"reason,omitempty"`   // of an intended one
	Expires   time.Time `json:"expires,omitzero"`   // when intended is asked again

	Timeline []Entry `json:"timeline"` // at most 200: the first, and the last ones
}

// Compromise is one user whom an attack got into.
type Compromise struct {
	User    Party     `json:"user"`
	Client  Party     `json:"client"`
	Session string    `json:"session_uid,omitempty"`
	Event   string    `json:"event"`         // uid of the attacker's first success
	At      time.Time `json:"at"`            // of the attacker's last success
	Dead    time.Time `json:"dead,omitzero"` // when the credential or the session was proven dead
	How     string    `json:"how,omitempty"` // what proved it: "the password was reset by admin"
}

// Proven is the proof that a case is fixed: the success and how it was held
// against the refusal.
type Proven struct {
	Fix     string       `json:"fix"`     // id of the Fix whose condition holds
	Event   Event        `json:"event"`   // the success
	Fields  []Comparison `json:"fields"`  // each field of the condition
	At      time.Time    `json:"at"`      // when usher saw it
	Comment string       `json:"comment"` // one sentence for a person
}

// Comparison is one field of a proof.
type Comparison struct {
	Field   string `json:"field"`   // path, see FieldPaths
	Must    string `json:"must"`    // "equal", "differ" or "contain"
	Refusal string `json:"refusal"` // its value there
	Success string `json:"success"` // its value there
	Holds   bool   `json:"holds"`
}

// EntryKind says what an entry of a timeline tells.
type EntryKind string

// The kinds of entries.
const (
	EntryChange     EntryKind = "change"   // somebody changed what decides
	EntryFirst      EntryKind = "first"    // the first try
	EntryOpened     EntryKind = "opened"   // usher showed the case
	EntryTries      EntryKind = "tries"    // more tries, counted
	EntryState      EntryKind = "state"    // the state changed
	EntryPlanned    EntryKind = "planned"  // somebody looked at what a fix would change
	EntryApplied    EntryKind = "applied"  // a fix was carried out
	EntryUndone     EntryKind = "undone"   // a fix was taken back
	EntryFailed     EntryKind = "failed"   // a fix could not be carried out
	EntryUnproven   EntryKind = "unproven" // a success that proves nothing, and why
	EntryProven     EntryKind = "proven"
	EntryEscalated  EntryKind = "escalated" // an attack had a success
	EntryDiagnosis  EntryKind = "diagnosis" // the finding became better
	EntryConsequent EntryKind = "consequence"
)

// Entry is one line of a case's timeline.
type Entry struct {
	Time  time.Time `json:"time"`
	Kind  EntryKind `json:"kind"`
	Text  string    `json:"text"`
	By    string    `json:"by,omitempty"`    // who, where a person did it
	Event string    `json:"event,omitempty"` // uid of the event
	Count int       `json:"count,omitempty"` // of tries
}
