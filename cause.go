package usher

// Fixer is the one who can fix a cause.
type Fixer string

// The fixers of the taxonomy.
const (
	FixerUser        Fixer = "user"         // the person who signs in
	FixerDeveloper   Fixer = "developer"    // whoever owns the client's code, configuration or host
	FixerTenantAdmin Fixer = "tenant-admin" // whoever administers the provider's tenant, realm or organisation
	FixerProvider    Fixer = "provider"     // Microsoft, Okta, ...
	FixerNobody      Fixer = "nobody"       // a normal step, or it passes by itself
)

// Valid tells whether f is one of the fixers.
func (f Fixer) Valid() bool {
	switch f {
	case FixerUser, FixerDeveloper, FixerTenantAdmin, FixerProvider, FixerNobody:
		return true
	}
	return false
}

// Step is a step of an OAuth or OpenID Connect flow, in the order of Steps.
type Step string

// The steps of a flow.
const (
	StepRegistration Step = "registration"           // the client at the provider, RFC 7591
	StepDiscovery    Step = "discovery"              // metadata and keys, RFC 8414
	StepAuthRequest  Step = "authorization-request"  // RFC 6749 section 4.1.1
	StepSignIn       Step = "sign-in"                // the person's authentication and the policies on it
	StepConsent      Step = "consent"                // the grant of scopes
	StepAuthResponse Step = "authorization-response" // RFC 6749 section 4.1.2: the way back to the app
	StepTokenRequest Step = "token-request"          // RFC 6749 section 4.1.3 and the other grants
	StepRefresh      Step = "refresh"                // RFC 6749 section 6
	StepValidation   Step = "token-validation"       // the app or API checks a token
	StepAPICall      Step = "api-call"               // RFC 6750: the token is used
	StepSignOut      Step = "sign-out"               // OpenID Connect RP-Initiated Logout
)

// Steps lists every step in the order of a flow.
var Steps = []Step{
	StepRegistration, StepDiscovery, StepAuthRequest, StepSignIn, StepConsent,
	StepAuthResponse, StepTokenRequest, StepRefresh, StepValidation, StepAPICall, StepSignOut,
}

// Valid tells whether s is one of Steps.
func (s Step) Valid() bool {
	for _, t := range Steps {
		if s == t {
			return true
		}
	}
	return false
}

// Cause is one label of the taxonomy, with what there is to say about it.
type Cause struct {
	Label      string    `json:"label"`               // "redirect-uri-mismatch"
	Title      string    `json:"title"`               // one line, a sentence without a full stop
	Meaning    string    `json:"meaning"`             // what it means, in a few sentences
	Step       Step      `json:"step"`                // where in the flow it usually shows
	Fixer      Fixer     `json:"fixer"`               // who can fix it
	Fix        []FixStep `json:"fix"`                 // in order; a weakening one never comes first
	Verify     string    `json:"verify"`              // how to see that it is fixed
	Questions  []string  `json:"questions,omitempty"` // the ladder: each answer halves the doubt
	References []string  `json:"references"`          // RFC sections and pages
	// Proof says which later success proves that it is fixed; nil: none can.
	Proof *ProofCondition `json:"proof_condition,omitempty"`
}
