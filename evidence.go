package usher

// EvidenceKind says what a piece of evidence is. The words are part of the
// JSON contract.
type EvidenceKind string

// The kinds of evidence that usher reads.
const (
	KindErrorText     EvidenceKind = "error-text"            // an error in a log, a stack trace, a message
	KindErrorResponse EvidenceKind = "error-response"        // an error body of a token, authorization or API endpoint, in JSON or form encoding
	KindErrorPage     EvidenceKind = "error-page"            // a provider's HTML error page or its text
	KindErrorDetails  EvidenceKind = "error-details"         // the "Troubleshooting details" block of Entra's error page
	KindRedirectURL   EvidenceKind = "redirect-url"          // the URL that the provider sent the browser back to
	KindAuthRequest   EvidenceKind = "authorization-request" // the URL that the app sent the browser to
	KindTokenRequest  EvidenceKind = "token-request"         // a form or curl command for the token endpoint
	KindChallenge     EvidenceKind = "www-authenticate"      // WWW-Authenticate, RFC 9110 section 11.6.1
	KindExchange      EvidenceKind = "http-exchange"         // a raw request and response, or the output of curl -v
	KindHAR           EvidenceKind = "har"                   // a browser's HTTP archive
	KindToken         EvidenceKind = "token"                 // a JWT or an opaque token
	KindLogRecord     EvidenceKind = "log-record"            // a provider's sign-in, audit or access log record
	KindRegistration  EvidenceKind = "registration"          // what a provider knows of a client
	KindDiscovery     EvidenceKind = "discovery"             // OpenID provider or authorization server metadata
	KindKeySet        EvidenceKind = "jwks"                  // a JSON Web Key Set, RFC 7517
	KindPolicy        EvidenceKind = "policy"                // a Conditional Access policy or a set of them
	KindStatement     EvidenceKind = "statement"             // plain sentences of a person
	KindContext       EvidenceKind = "context"               // facts of the setup: settings, commands, code
)

// Evidence is one thing that a person or a door has, as the answer tells it:
// its content stays in the room evidence.
type Evidence struct {
	Kind EvidenceKind `json:"kind"`
	// Place is where it was found: FILE:LINE, FILE:LINE:COLUMN, or FILE#entry
	// for a HAR. Pasted evidence is "stdin" or "argument 1".
	Place string `json:"place"`
	// Provider is the identity provider that speaks in it ("entra", "okta"),
	// or empty when nothing tells.
	Provider string `json:"provider,omitempty"`
	// Summary is one line for a person, with every secret masked.
	Summary string `json:"summary"`
}

// Ignored is a part of the input that was not used, and why.
type Ignored struct {
	Place  string `json:"place"`
	Reason string `json:"reason"`
}
