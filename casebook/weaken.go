package casebook

import (
	"slices"
	"strings"
	"time"

	"usher"
)

// weakened says why a success may come from a policy that gave way and not
// from what a person did: then it proves no fix of the person's side. Between
// the last refusal and the success nothing may have been changed that could let
// the refused thing through as it was.
func (t *turn) weakened(c *usher.Case, cand candidate, at time.Time) (string, error) {
	if cand.fix.Fixer != usher.FixerUser && cand.fix.Fixer != usher.FixerDeveloper {
		return "", nil
	}
	for i := range c.Runs {
		r := &c.Runs[i]
		if r != cand.run && done(r) && (r.Plan.Fix.Risk == usher.RiskWeakening || len(r.Plan.Weakens) > 0) && !r.Finished.After(at) {
			return "security was weakened at " + t.when(r.Finished) + " (" + said(r.Plan.Fix.Title, 100) + "), which may be why it succeeded", nil
		}
	}
	changes, err := t.tx.Changes(c.Last, at)
	if err != nil {
		return "", err
	}
	for _, ch := range changes {
		if ch.Time.After(c.Last) && !ch.Time.After(at) && t.loosens(c, ch) {
			return t.changeText(c, ch) + ", which may be why it succeeded", nil
		}
	}
	return "", nil
}

// loosens tells whether a change may let through what was refused. What a
// record tells of a change is rarely enough to see its direction, so every
// change of the thing counts that holds the rule.
func (t *turn) loosens(c *usher.Case, ev *usher.Event) bool {
	if ev.Change == nil || !t.concerns(c, ev) {
		return false
	}
	switch ev.Change.Type {
	case "policy", "realm":
		return ruled(t.step(c))
	case "client", "user":
		for _, field := range ev.Change.Fields {
			if slices.ContainsFunc(looseFields, func(loose string) bool { return strings.EqualFold(field, loose) }) {
				return true
			}
		}
	}
	return false
}

// ruled are the steps at which a policy or a setting of the tenant decides.
func ruled(step usher.Step) bool {
	switch step {
	case usher.StepSignIn, usher.StepConsent, usher.StepRefresh, usher.StepAPICall, "":
		return true
	}
	return false
}

// looseFields are settings of clients and users that switch a check off.
var looseFields = []string{
	"publicClient", "isFallbackPublicClient", "clientAuthenticatorType", "token_endpoint_auth_method",
	"consentRequired", "fullScopeAllowed", "requiredActions", "strongAuthenticationRequirements", "pkce.code.challenge.method",
}

// step gives the step at which a case is refused.
func (t *turn) step(c *usher.Case) usher.Step {
	if c.Finding.Step != "" {
		return c.Finding.Step
	}
	return t.cause(&c.Finding).Step
}
