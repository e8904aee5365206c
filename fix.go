package usher

import "time"

// Risk says what a fix does to security.
type Risk string

// The risk classes of a fix.
const (
	RiskNeutral    Risk = "neutral"    // security stays as it is
	RiskTightening Risk = "tightening" // security gains
	RiskWeakening  Risk = "weakening"  // something is let through that was refused; never first, never silent
)

// Valid tells whether r is one of the risk classes.
func (r Risk) Valid() bool { return r == RiskNeutral || r == RiskTightening || r == RiskWeakening }

// FixStep is one thing to do.
type FixStep struct {
	Text string `json:"text"` // an instruction, complete in itself
	Risk Risk   `json:"risk"`
}

// Fix is one way out of a case: steps for a person, or an action that usher may
// carry out; what it does to security; and how it is proven.
type Fix struct {
	ID     string         `json:"id"` // within its case, from "1"; it never means another one, whatever is proposed later
	Title  string         `json:"title"`
	Risk   Risk           `json:"risk"`
	Fixer  Fixer          `json:"fixer"`
	Steps  []FixStep      `json:"steps,omitempty"`  // for a person
	Action *Action        `json:"action,omitempty"` // for usher
	Proof  ProofCondition `json:"proof"`
}

// ActionKind names what usher can do at a provider.
type ActionKind string

// The actions.
const (
	ActionAddRedirectURI     ActionKind = "add-redirect-uri"     // arguments: uri
	ActionReplaceRedirectURI ActionKind = "replace-redirect-uri" // arguments: from, uri
	ActionAllowScope         ActionKind = "allow-scope"          // arguments: scope
	ActionEnableClient       ActionKind = "enable-client"
	ActionReplaceSecret      ActionKind = "replace-secret" //nolint:gosec // a name, no secret
)

// Action is one change that usher can carry out through a provider's admin API.
type Action struct {
	Kind     ActionKind `json:"kind"`
	Provider string     `json:"provider"` // name of the provider in the configuration
	Tenant   string     `json:"tenant,omitempty"`
	Client   string     `json:"client"` // client id
	URI      string     `json:"uri,omitempty"`
	From     string     `json:"from,omitempty"`
	Scope    string     `json:"scope,omitempty"`
}

// ProofCondition says what must hold of a later success before a fix counts as
// proven. A field that the refusal or the success does not know never holds.
type ProofCondition struct {
	Equal  []string `json:"equal,omitempty"`  // fields that must equal the refusal's, see FieldPaths
	Differ []string `json:"differ,omitempty"` // fields that must differ from the refusal's
	// Granted are scopes that the success must have been given; one that does
	// not tell its scopes never holds.
	Granted []string `json:"granted,omitempty"`
	// Applied tells that only a success after the fix was carried out (or
	// declared done by a person) counts.
	Applied bool     `json:"applied,omitempty"`
	Within  Duration `json:"within,omitempty"` // after it was carried out; 0: any time
	Check   string   `json:"check,omitempty"`  // the check that must pass in place of a success
	Text    string   `json:"text"`             // for a person: "the next sign-in of 'shop' with https://... succeeds"
}

// FixPlan is the exact difference that a fix would make. Its ID is a hash of
// all of it, so what a person confirms is what is done.
type FixPlan struct {
	ID      string       `json:"id"`
	Case    int64        `json:"case"`
	Fix     Fix          `json:"fix"`
	Made    time.Time    `json:"made"`
	Object  string       `json:"object"` // "client 'shop' of realm 'shop' at http://127.0.0.1:8080"
	Diff    []Difference `json:"diff"`   // empty: nothing to do, it is so already
	Request string       `json:"request,omitempty"`
	Right   string       `json:"right"` // the smallest right that it needs, as the provider names it
	// Weakens says why the fix would weaken security; then it is refused unless
	// the person says so twice.
	Weakens []string `json:"weakens,omitempty"`
	Undo    string   `json:"undo"` // how it can be taken back, or why it cannot
}

// Difference is one change of a value. Of lists, From and To hold one element
// each: only From is taken out, only To is added.
type Difference struct {
	Field string `json:"field"` // "redirectUris"
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
}

// RunState is where a fix that is carried out stands.
type RunState string

// The states of a run. A run is stored as applying before the provider is
// asked, so that a crash in between is noticed and made good.
const (
	RunApplying RunState = "applying"
	RunApplied  RunState = "applied"
	RunUndone   RunState = "undone"
	RunFailed   RunState = "failed"
	RunDeclared RunState = "declared" // a person says that it is done
)

// FixRun is one carrying out of a plan.
type FixRun struct {
	ID       string    `json:"id"` // within its case, from "1"
	Plan     FixPlan   `json:"plan"`
	State    RunState  `json:"state"`
	By       string    `json:"by"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"`
	Error    string    `json:"error,omitempty"`
}

// Duration is a time.Duration that JSON and YAML write as "90s" or "72h0m0s".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// String implements fmt.Stringer.
func (d Duration) String() string { return time.Duration(d).String() }
