package report

import (
	"cmp"
	"slices"
	"strings"

	"usher"
)

// CaseFlow gives the flow of a case's refusals with the failing step in it. A
// log tells of one step only. What comes before it counts as passed where the
// refusal itself proves that (nobody gets to the token request of a code without
// a code), and otherwise as unknown; what comes after as not reached. A case
// whose step cannot be told has no flow.
func CaseFlow(c *usher.Case) []usher.FlowStep {
	at := failingStep(c)
	if at == "" {
		return nil
	}
	before := usher.FlowUnknown
	if c.Finding.Step == at && at != usher.StepAuthResponse { // an answer may come back from any step before it
		before = usher.FlowPassed
	}
	steps := flowOf(at, &c.Refusal)
	out := make([]usher.FlowStep, len(steps))
	failed := slices.Index(steps, at)
	for i, s := range steps {
		out[i] = usher.FlowStep{Step: s, State: before}
		switch {
		case i == failed:
			out[i].State = usher.FlowFailed
			out[i].Summary = strings.TrimSpace(cmp.Or(c.Refusal.StatusCode, c.Refusal.OAuth.Error) + " " + c.Refusal.StatusDetail)
		case i > failed:
			out[i].State = usher.FlowNotReached
		}
	}
	return out
}

// failingStep is the step that the finding names, or else the one that the
// refused request belongs to.
func failingStep(c *usher.Case) usher.Step {
	if c.Finding.Step.Valid() {
		return c.Finding.Step
	}
	switch c.Refusal.OAuth.Endpoint {
	case "authorize", "par":
		return usher.StepAuthRequest
	case "callback":
		return usher.StepAuthResponse
	case "token":
		if c.Refusal.OAuth.GrantType == "refresh_token" {
			return usher.StepRefresh
		}
		return usher.StepTokenRequest
	case "api", "userinfo":
		return usher.StepAPICall
	}
	switch c.Refusal.Kind {
	case usher.EventSignIn, usher.EventSilentSignIn:
		return usher.StepSignIn
	case usher.EventToken, usher.EventAppSignIn:
		return usher.StepTokenRequest
	case usher.EventConsent:
		return usher.StepConsent
	case usher.EventAPI:
		return usher.StepAPICall
	}
	return ""
}

// flowOf gives the steps of the flow that a step belongs to, up to the API.
func flowOf(at usher.Step, ev *usher.Event) []usher.Step {
	grant := ev.OAuth.GrantType
	steps := []usher.Step{usher.StepAuthRequest, usher.StepSignIn, usher.StepAuthResponse, usher.StepTokenRequest, usher.StepAPICall}
	switch {
	case at == usher.StepRefresh: // it comes after a sign-in
	case at == usher.StepTokenRequest && grant != "authorization_code", ev.Kind == usher.EventAppSignIn,
		(at == usher.StepAPICall || at == usher.StepValidation) && grant == "":
		steps = []usher.Step{usher.StepTokenRequest, usher.StepAPICall}
	}
	if !slices.Contains(steps, at) {
		steps = append(steps, at)
		slices.SortStableFunc(steps, func(a, b usher.Step) int { return slices.Index(usher.Steps, a) - slices.Index(usher.Steps, b) })
	}
	return steps
}
