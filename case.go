package usher

import "time"

// CaseState is where a case stands.
type CaseState string

// The states of a case. Only CaseFixed says that it is proven fixed.
const (
	CaseOpen      CaseState = "open"
	CaseFixing    CaseState = "fixing"
	CaseVerifying CaseState = "verifying"
	CaseFixed     CaseState = "fixed"     // proven
	CaseIntended  CaseState = "intended"  // the refusal is right: owner, reason, expiry
	CaseQuiet     CaseState = "quiet"     // stopped without proof
	CaseRegressed CaseState = "regressed" // was fixed and is back
)

// CaseKind says what a case is about.
type CaseKind string

// The kinds of cases.
const (
	CaseFailure       CaseKind = "failure"
	CaseAttack        CaseKind = "attack" // a success escalates it
	CaseExposure      CaseKind = "exposure"
	CaseConfiguration CaseKind = "configuration"
)

// Case is the findings with one fingerprint over time.
type Case struct {
	ID          int64     `json:"id"`
	Fingerprint string    `json:"fingerprint"`
	Kind        CaseKind  `json:"kind"`
	State       CaseState `json:"state"`
	Finding     Finding   `json:"finding"` // the best one so far
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
	Count       int       `json:"count"`
	Affected    []Party   `json:"affected,omitempty"`
	Changed     []Event   `json:"changed,omitempty"` // in the 72 hours before First
}
