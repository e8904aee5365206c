// Package check holds a configuration against the standards and the provider's rules.
//
// A Check is one question with the way it is judged; a Target is the
// configuration, as far as it was given or gathered; Run holds the one against
// the other and gives findings. The checks themselves lie in the folders below,
// one for each group, with a value for each check and its judgement beside it;
// folder all lists them. Nothing here goes out: folder live gathers what a
// provider publishes, folder probe asks it.
package check

import "usher"

// Group sorts checks by what they look at.
type Group string

// The groups.
const (
	GroupToken       Group = "token"
	GroupClient      Group = "client"
	GroupRedirectURI Group = "redirect-uri"
	GroupScope       Group = "scope"
	GroupProvider    Group = "provider"
	GroupTransport   Group = "transport"
	GroupProtocol    Group = "protocol"
)

// Mode says how a check gets what it judges.
type Mode string

// The modes.
const (
	Offline Mode = "offline" // from what was given
	Passive Mode = "passive" // from what a provider publishes to everybody
	Active  Mode = "active"  // from the answer to a probe
)

// Safety says what a probe may do.
type Safety string

// The classes of safety, the mildest first.
const (
	S0  Safety = "S0"  // no credential, changes nothing
	S1  Safety = "S1"  // one credential to its own endpoint, changes nothing
	S2  Safety = "S2"  // makes something that is undone afterwards
	Lab Safety = "lab" // against usher's own lab alone
)

// Probe is what an active or passive check sends.
type Probe struct {
	What   string
	Safety Safety
}

// Check is one question to a configuration.
type Check struct {
	ID       string // "redirect-registered"; never changes once it is out
	Group    Group
	Mode     Mode
	Severity usher.Severity // when it is wrong, unless the verdict or the profile says otherwise
	Title    string         // what is asked, as what is in order: "The redirect URI is registered"
	Judged   string         // how it is judged, a sentence
	// Needs is the evidence without which nothing can be said. Where one of
	// them is missing, Run answers unknown and Judge is not called.
	Needs []Need
	// Cause is the label of the taxonomy that it stands for when it is wrong;
	// empty where there is none.
	Cause      string
	Step       usher.Step
	Fixer      usher.Fixer
	Fix        []usher.FixStep // a weakening one never first
	References []string        // "RFC 9700 section 2.1"
	Probe      *Probe          // nil: sends nothing
	// Judge gives a verdict for each subject that it looked at; none is not
	// applicable. It must not keep or change the target.
	Judge func(t *Target) []Verdict
	// Sum, in place of Judge, judges by what the other checks found.
	Sum func(t *Target, got Results) []Verdict
}

// Verdict is what a check found of one subject.
type Verdict struct {
	Outcome  usher.Outcome
	Detail   string // a sentence or two; may quote evidence, Run masks it
	Proof    []usher.Proof
	Subject  usher.Subject
	Missing  Need           // with unknown: what would have to be given; NeedNothing when nothing can help
	Severity usher.Severity // empty: the check's
	Cause    string         // empty: the check's
	Title    string         // empty: the check's; say what is wrong, with the words that differ
	Fix      []usher.FixStep
	Verify   string
}

// OK is a verdict that all is in order.
func OK(detail string, proof ...usher.Proof) Verdict {
	return Verdict{Outcome: usher.OutcomeOK, Detail: detail, Proof: proof}
}

// Wrong is a verdict that something is not. title says what, in a clause.
func Wrong(title, detail string, proof ...usher.Proof) Verdict {
	return Verdict{Outcome: usher.OutcomeWrong, Title: title, Detail: detail, Proof: proof}
}

// Unknown is a verdict that it cannot be told without something.
func Unknown(missing Need, detail string, proof ...usher.Proof) Verdict {
	return Verdict{Outcome: usher.OutcomeUnknown, Missing: missing, Detail: detail, Proof: proof}
}

// NotApplicable is a verdict that the question does not arise.
func NotApplicable(detail string) Verdict {
	return Verdict{Outcome: usher.OutcomeNotApplicable, Detail: detail}
}

// Of gives the verdict with a client as its subject.
func (v Verdict) Of(client string) Verdict { v.Subject.Client = client; return v }

// As gives the verdict with another severity than the check's.
func (v Verdict) As(s usher.Severity) Verdict { v.Severity = s; return v }

// Because gives the verdict with a cause of the taxonomy.
func (v Verdict) Because(cause string) Verdict { v.Cause = cause; return v }

// Do gives the verdict with fixes of its own, neutral ones.
func (v Verdict) Do(steps ...string) Verdict {
	v.Fix = nil
	for _, s := range steps {
		v.Fix = append(v.Fix, usher.FixStep{Text: s, Risk: usher.RiskNeutral})
	}
	return v
}

// Neutral, Tightening and Weakening make a fix of steps for the value of a check.
func Neutral(text string) usher.FixStep { return usher.FixStep{Text: text, Risk: usher.RiskNeutral} }

// Tightening is a step by which security gains.
func Tightening(text string) usher.FixStep {
	return usher.FixStep{Text: text, Risk: usher.RiskTightening}
}

// Weakening is a step that lets through what was refused; never the first.
func Weakening(text string) usher.FixStep {
	return usher.FixStep{Text: text, Risk: usher.RiskWeakening}
}
