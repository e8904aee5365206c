package providers_test

import (
	"testing"

	"usher"
	"usher/check"
	"usher/check/providers"
)

// TestNoNetwork: where this machine has no way out, nothing is said of the
// provider; what is asked for again is the network.
func TestNoNetwork(t *testing.T) {
	const realm = "https://id.example/realms/shop"
	target := &check.Target{Issuer: realm, Profile: &check.Profile{Name: "default"}}
	for _, a := range [][2]string{
		{"discovery", realm + "/.well-known/openid-configuration"},
		{"discovery-form", "https://id.example/.well-known/openid-configuration/realms/shop"},
		{"discovery-form", "https://id.example/.well-known/oauth-authorization-server/realms/shop"},
		{"jwks", realm + "/keys"},
	} {
		target.Answers = append(target.Answers, &check.Answer{URL: a[1], Role: a[0], Err: a[1] + " was not found: no name server tells where id.example lies", Code: usher.ErrUnreachable, NoNetwork: true})
	}
	findings, missing := check.Run(target, providers.Checks)
	asked := map[string]bool{"discovery-reachable": true, "jwks-reachable": true, "discovery-path-form": true}
	for i := range findings {
		f := &findings[i]
		if asked[f.Check] && f.Outcome != usher.OutcomeUnknown {
			t.Errorf("%s: %s (%s)", f.Check, f.Outcome, f.Title)
		}
	}
	for _, m := range missing {
		if m.Evidence == check.Needs[check.NeedNetwork].What {
			return
		}
	}
	t.Error("the network is not told to be missing")
}
