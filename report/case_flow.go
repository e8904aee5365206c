package report

import (
	"cmp"
	"slices"
	"strings"

	"usher"
)

// caseFlow gives the flow of a case's refusals with the failing step in it. A
// log tells of one step only: what came before is drawn as not seen, never as
// passed, and what comes after as not reached.
func caseFlow(c *usher.Case) []usher.FlowStep {
	at := failingStep(c)
	if at == "" {
		return nil
	}
	steps := flowOf(at, &c.Refusal)
	out := make([]usher.FlowStep, len(steps))
	failed := slices.Index(steps, at)
	for i, s := range steps {
		out[i] = usher.FlowStep{Step: s, State: usher.FlowUnknown}
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

// flowOf gives the steps of the flow that a step belongs to.
func flowOf(at usher.Step, ev *usher.Event) []usher.Step {
	grant := ev.OAuth.GrantType
	switch at {
	case usher.StepTokenRequest:
		if ev.Kind == usher.EventAppSignIn || grant != "" && grant != "authorization_code" {
			return []usher.Step{usher.StepTokenRequest, usher.StepAPICall}
		}
		fallthrough
	case usher.StepAuthRequest, usher.StepSignIn, usher.StepConsent, usher.StepAuthResponse:
		return []usher.Step{usher.StepAuthRequest, usher.StepSignIn, usher.StepConsent, usher.StepAuthResponse, usher.StepTokenRequest}
	case usher.StepRefresh:
		return []usher.Step{usher.StepRefresh, usher.StepAPICall}
	case usher.StepValidation:
		return []usher.Step{usher.StepTokenRequest, usher.StepAPICall, usher.StepValidation}
	case usher.StepAPICall:
		return []usher.Step{usher.StepTokenRequest, usher.StepAPICall}
	}
	return []usher.Step{at}
}
