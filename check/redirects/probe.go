package redirects

import (
	"usher"
	"usher/check"
)

var serverExact = &check.Check{
	ID: "redirect-server-exact", Group: check.GroupRedirectURI, Mode: check.Active, Severity: usher.SeverityHigh,
	Title:  "The provider compares redirect URIs exactly",
	Judged: "Authorization requests of the own client with an altered redirect URI (path, query, case, encoding) and prompt=none are all refused without leading there.",
	Step:   usher.StepAuthRequest, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Tightening("Have the provider compare letter for letter, or take the wildcard or prefix out of the registration.")},
	References: []string{"RFC 9700 section 4.1.3", "RFC 6749 section 3.1.2.4"},
	Probe:      &check.Probe{What: "sends up to ten authorization requests of the own client with an altered redirect URI and prompt=none; never follows the answer", Safety: check.S0},
	Judge:      func(t *check.Target) []check.Verdict { return t.FromProbe("redirect-server-exact", check.NeedProbe) },
}

var errorNoRedirect = &check.Check{
	ID: "redirect-error-no-redirect", Group: check.GroupRedirectURI, Mode: check.Active, Severity: usher.SeverityHigh,
	Title:  "The provider shows a page of its own for a bad redirect URI",
	Judged: "The answer to a redirect URI that is not registered has no Location that leads there, not even with an error.",
	Step:   usher.StepAuthRequest, Fixer: usher.FixerProvider,
	Fix:        []usher.FixStep{check.Tightening("Update the provider: with a redirect URI that it does not know it must tell the person of the error, and not send the browser there.")},
	References: []string{"RFC 6749 section 4.1.2.1", "RFC 9700 section 4.11.2"},
	Probe:      &check.Probe{What: "looks at the answers to the requests of redirect-server-exact", Safety: check.S0},
	Judge: func(t *check.Target) []check.Verdict {
		return t.FromProbe("redirect-error-no-redirect", check.NeedProbe)
	},
}
