package usher

// Outcome is what was found when a cause or a check was held against evidence.
type Outcome string

// The four outcomes. Unknown is never shown as ok.
const (
	OutcomeWrong         Outcome = "wrong"
	OutcomeOK            Outcome = "ok"
	OutcomeUnknown       Outcome = "unknown"
	OutcomeNotApplicable Outcome = "not-applicable"
)

// Confident is the confidence from which an answer counts as told. Of the
// answers at or above it at most one in fifty may be wrong.
const Confident = 0.8

// Severity says how bad it is when a check finds something wrong.
type Severity string

// The severities, worst first.
const (
	SeverityCritical Severity = "critical" // an account or a token can be taken
	SeverityHigh     Severity = "high"     // sign-ins fail, or one mistake away from critical
	SeverityMedium   Severity = "medium"   // will fail one day, or weakens a defence
	SeverityLow      Severity = "low"      // untidy; worth mending with the next change
	SeverityInfo     Severity = "info"     // good to know
)

// Rank orders severities: 0 is the worst, what is no severity comes last.
func (s Severity) Rank() int {
	for i, t := range [...]Severity{SeverityCritical, SeverityHigh, SeverityMedium, SeverityLow, SeverityInfo} {
		if s == t {
			return i
		}
	}
	return 5
}

// Valid tells whether s is one of the severities.
func (s Severity) Valid() bool { return s.Rank() < 5 }

// Subject is whom and what a finding is about. Empty fields are unknown.
type Subject struct {
	Client   string `json:"client,omitempty"`   // client id, or name where no id is known
	User     string `json:"user,omitempty"`     // user name or object id
	Resource string `json:"resource,omitempty"` // API identifier or client id of the resource
	Policy   string `json:"policy,omitempty"`   // policy id or name
	Tenant   string `json:"tenant,omitempty"`   // tenant id, realm or organisation
	Scope    string `json:"scope,omitempty"`    // scopes, blank-separated
}

// Proof is one quotation from the evidence, with what was expected there and
// what was got. All strings are masked.
type Proof struct {
	Place    string `json:"place"`
	Quote    string `json:"quote"`
	Expected string `json:"expected,omitempty"`
	Got      string `json:"got,omitempty"`
}

// Finding is a cause or a check held against evidence.
type Finding struct {
	Cause      string    `json:"cause"`              // label of the taxonomy; of a check's finding it may be empty
	Check      string    `json:"check,omitempty"`    // id of the check that found it
	Severity   Severity  `json:"severity,omitempty"` // of a check's finding
	Outcome    Outcome   `json:"outcome"`
	Confidence float64   `json:"confidence"` // 0 to 1, calibrated
	Title      string    `json:"title"`
	Detail     string    `json:"detail,omitempty"` // what is special about this one, a sentence or two
	Step       Step      `json:"step,omitempty"`
	Subject    Subject   `json:"subject"`
	Proof      []Proof   `json:"proof"`
	Fixer      Fixer     `json:"fixer,omitempty"`
	Fix        []FixStep `json:"fix"`
	Verify     string    `json:"verify,omitempty"`
	References []string  `json:"references"`
}

// Missing is the next thing to look at: evidence that would decide between
// causes, and the way to get it.
type Missing struct {
	Evidence string   `json:"evidence"`        // "sign-in log record"
	Decides  []string `json:"decides"`         // labels of the taxonomy
	How      string   `json:"how"`             // where to click or what to run
	Query    string   `json:"query,omitempty"` // ready to paste, with the ids and times of the evidence
}

// FlowStep is one step of the flow as the evidence shows it.
type FlowStep struct {
	Step    Step   `json:"step"`
	Place   string `json:"place,omitempty"`
	Summary string `json:"summary,omitempty"`
	State   string `json:"state"` // "passed", "failed", "unknown" (not seen) or "not-reached"
}

// States of a FlowStep.
const (
	FlowPassed     = "passed"
	FlowFailed     = "failed"
	FlowUnknown    = "unknown"
	FlowNotReached = "not-reached"
)

// AnswerVersion is the version of the JSON contract of Answer.
const AnswerVersion = 1

// Answer is what explain says: the evidence that was recognised, the findings
// ranked, and what is missing. It is the JSON contract, version 1; later
// versions add members and never rename or remove one.
type Answer struct {
	Version  int        `json:"version"`
	ID       any        `json:"id,omitempty"` // of the row, with --each-line
	Evidence []Evidence `json:"evidence"`
	Ignored  []Ignored  `json:"ignored,omitempty"`
	Flow     []FlowStep `json:"flow,omitempty"`
	Findings []Finding  `json:"findings"`
	Missing  []Missing  `json:"missing"`
	Notes    []string   `json:"notes,omitempty"`
	// Answered tells whether a cause could be named: the first finding is
	// wrong with at least half the confidence. The rest is a list of candidates.
	Answered bool `json:"answered"`
	// Claims are the decoded claims of tokens, with --show-claims only.
	Claims []ShownClaims `json:"claims,omitempty"`
}

// ShownClaims are the header and claims of one token, never its signature.
type ShownClaims struct {
	Place  string         `json:"place"`
	Header map[string]any `json:"header"`
	Claims map[string]any `json:"claims"`
}
