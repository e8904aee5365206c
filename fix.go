package usher

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
