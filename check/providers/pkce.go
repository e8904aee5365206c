package providers

import (
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/provider/knowledge"
)

var pkceAnnounced = &check.Check{
	ID: "pkce-announced", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "PKCE is announced with S256",
	Judged: "code_challenge_methods_supported holds S256. Silence proves nothing: several large providers support PKCE and do not say so.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepDiscovery, Fixer: usher.FixerProvider,
	Fix: []usher.FixStep{
		check.Tightening("Publish code_challenge_methods_supported with S256; some clients (MCP) do not go on without it."),
		check.Tightening("In the client: send PKCE with S256 in any case. A provider that does not know it ignores it."),
	},
	References: []string{"RFC 7636 section 4.2", "RFC 8414 section 2", "RFC 9700 section 2.1.1"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict { return announcesPKCE(t, m) })
	},
}

func announcesPKCE(t *check.Target, m *check.Metadata) check.Verdict {
	const name = "code_challenge_methods_supported"
	_, there := m.Raw[name]
	proof := member(m, name, "S256", check.Names(m.CodeChallengeMethods))
	switch {
	case slices.Contains(m.CodeChallengeMethods, "S256"):
		return check.OK("", proof)
	case there:
		return check.Wrong("PKCE is announced without S256", "The methods on offer do not protect a code against one who sees the request.", proof)
	case profile(t) == "mcp":
		return check.Wrong("PKCE is not announced", "Clients of the Model Context Protocol must stop where S256 is not announced.", proof)
	}
	detail := "the document does not say; that does not prove that the provider cannot"
	if able, told := can(t, knowledge.CanPKCE); told && able {
		detail = "the document does not say, but " + known(t).Title + " is known to support it"
	} else if told {
		detail = "the document does not say, and " + known(t).Title + " is not known to support it"
	}
	return check.Unknown(check.NeedProbe, detail, proof)
}

// profile gives the name of what is held against.
func profile(t *check.Target) string {
	if t.Profile == nil {
		return ""
	}
	return t.Profile.Name
}

var pkcePlain = &check.Check{
	ID: "pkce-plain-announced", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "PKCE plain is not on offer",
	Judged: "code_challenge_methods_supported is looked through for plain.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Allow S256 alone, at the provider or for the client."),
		check.Tightening("In the client: send S256, and never fall back to plain."),
	},
	References: []string{"RFC 9700 section 2.1.1", "RFC 7636 section 7.2"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict {
			const name = "code_challenge_methods_supported"
			if _, there := m.Raw[name]; !there {
				return check.Unknown(check.NeedProbe, "the document does not say which methods there are")
			}
			if slices.Contains(m.CodeChallengeMethods, "plain") {
				return check.Wrong("PKCE plain is on offer", "With plain the challenge is the verifier: who sees the request can redeem the code. A client that sends S256 is not touched by the offer.", member(m, name, "S256", "plain"))
			}
			return check.OK("", member(m, name, "", ""))
		})
	},
}

var pkceEnforced = &check.Check{
	ID: "pkce-enforced", Group: check.GroupProvider, Mode: check.Active, Severity: usher.SeverityHigh,
	Title:  "A code flow without PKCE is refused",
	Judged: "A request of the client without code_challenge must be answered with an error that is about it; prompt=none, so that nobody is asked.",
	Cause:  "",
	Step:   usher.StepAuthRequest, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Tightening("Demand PKCE for the client (Keycloak: Advanced, Proof Key for Code Exchange Code Challenge Method S256; Okta: Require PKCE).")},
	References: []string{"RFC 9700 section 2.1.1", "OAuth 2.1 draft section 4.1.1"},
	Probe:      &check.Probe{What: "an authorization request of the client with prompt=none and without code_challenge; nothing but the error is read", Safety: check.S0},
	Judge:      func(t *check.Target) []check.Verdict { return enforced(t) },
}

func enforced(t *check.Target) []check.Verdict {
	if t.Probed["pkce-enforced"] == nil {
		// A flow that was seen tells as much as a probe.
		for _, call := range t.AuthCalls {
			if call.Request == nil || call.Partial || call.Response == nil || call.Request.CodeChallenge != "" || call.Request.RequestURI != "" || call.Request.Params.Get("request") != "" {
				continue
			}
			proof := usher.Proof{Place: call.Place, Quote: "a request without code_challenge"}
			if call.Response.Code != "" {
				proof.Expected, proof.Got = "an error", "a code"
				return check.Only(check.Wrong("The provider gave a code to a request without PKCE", withoutPKCE, proof).Of(call.Request.ClientID))
			}
			if aboutPKCE(call.Response.ErrorDescription) {
				return check.Only(check.OK("", proof).Of(call.Request.ClientID))
			}
		}
	}
	return t.FromProbe("pkce-enforced", check.NeedProbe)
}

const withoutPKCE = "A code that is stolen on its way (from a log, a referrer, another app on the device) can be redeemed by the thief."

func aboutPKCE(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "code_challenge") || strings.Contains(text, "pkce") || strings.Contains(text, "code challenge") || strings.Contains(text, "proof key")
}

var pkceDowngrade = &check.Check{
	ID: "pkce-downgrade", Group: check.GroupProvider, Mode: check.Active, Severity: usher.SeverityHigh,
	Title:  "A verifier without a challenge is refused",
	Judged: "A code that was got without code_challenge is redeemed with a code_verifier: that must fail.",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerProvider,
	Fix:        []usher.FixStep{check.Tightening("Update the provider, or demand PKCE for the client, which has the same effect.")},
	References: []string{"RFC 9700 section 4.8.2", "OAuth 2.1 draft section 4.1.3"},
	Probe:      &check.Probe{What: "one code of a test session, redeemed with a verifier that has no challenge; the tokens are revoked", Safety: check.S2},
	Judge:      func(t *check.Target) []check.Verdict { return t.FromProbe("pkce-downgrade", check.NeedChange) },
}
