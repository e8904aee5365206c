package report_test

import "usher"

// sample is one answer with a name; the golden files carry it.
type sample struct {
	name   string
	answer usher.Answer
}

// samples are answers of every kind that explain gives. Each call makes fresh
// ones, so that a test may change them.
func samples() []sample {
	return []sample{
		{"answered-flow", blocked()},
		{"not-answered", undecided()},
		{"redirect-mismatch", redirectMismatch()},
		{"unknowns", unknowns()},
		{"cleared", cleared()},
		{"nothing", usher.Answer{Version: 1}},
		{"claims-cjk", claimsCJK()},
		{"hostile", hostileAnswer(nasty)},
		{"each-line", eachLine()},
	}
}

func blocked() usher.Answer {
	return usher.Answer{
		Version:  1,
		Answered: true,
		Evidence: []usher.Evidence{
			{Kind: usher.KindErrorResponse, Place: "error.json:1", Provider: "entra", Summary: "invalid_grant, AADSTS53003, two policy ids in claims"},
			{Kind: usher.KindHAR, Place: "session.har", Provider: "entra", Summary: "7 requests between 09:41:02 and 09:41:31 UTC"},
			{Kind: usher.KindRegistration, Place: "app-registration.json:1", Provider: "entra", Summary: "Contoso Expenses (web), 2 redirect URIs"},
		},
		Ignored: []usher.Ignored{{Place: "session.har#entry3", Reason: "a style sheet, no part of the flow"}},
		Flow: []usher.FlowStep{
			{Step: usher.StepAuthRequest, Place: "session.har#entry2", Summary: "response_type=code with PKCE, scope openid profile", State: usher.FlowPassed},
			{Step: usher.StepSignIn, Place: "session.har#entry5", Summary: "password accepted; then AADSTS53003", State: usher.FlowFailed},
			{Step: usher.StepConsent, State: usher.FlowUnknown},
			{Step: usher.StepAuthResponse, State: usher.FlowNotReached},
			{Step: usher.StepTokenRequest, State: usher.FlowNotReached},
			{Step: usher.StepValidation, State: usher.FlowNotReached},
			{Step: usher.StepAPICall, State: usher.FlowNotReached},
		},
		Findings: []usher.Finding{
			{
				Cause: "policy-blocked", Outcome: usher.OutcomeWrong, Confidence: 0.91,
				Title:  "A Conditional Access policy blocks this sign-in",
				Detail: "The first factor was accepted; the refusal comes from a policy with the block control, so signing in again or a new password changes nothing.",
				Step:   usher.StepSignIn,
				Subject: usher.Subject{
					Client: "6f1c2a5e-3b0d-4c57-9a41-2f5be8d7c301", User: "ana@contoso.example",
					Policy: "0d5b8f7e-41c6-4a0e-9c35-7be1d2f4a608", Tenant: "3d9c4b10-7f52-4e8a-b6d1-90ac5e27f4b8",
				},
				Proof: []usher.Proof{
					{Place: "error.json:3:25", Quote: `"error_description": "AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."`, Got: "AADSTS53003"},
					{Place: "error.json:9:13", Quote: `{"access_token":{"capolids":{"essential":true,"values":["0d5b8f7e-41c6-4a0e-9c35-7be1d2f4a608"]}}}`, Got: "0d5b8f7e-41c6-4a0e-9c35-7be1d2f4a608"},
				},
				Fixer: usher.FixerTenantAdmin,
				Fix: []usher.FixStep{
					{Text: "Open the policy 0d5b8f7e-41c6-4a0e-9c35-7be1d2f4a608 in the Entra admin center and read which of its conditions this sign-in meets: location, device platform, client app or risk.", Risk: usher.RiskNeutral},
					{Text: "If the refusal is right, tell the person what would pass: a managed device, the office network, another app.", Risk: usher.RiskNeutral},
					{Text: "If the condition names too much, narrow it, for example by adding the office's egress address to the named location.", Risk: usher.RiskNeutral},
					{Text: "Exclude the app or the person from the policy for a stated time, with an owner and a reason", Risk: usher.RiskWeakening},
				},
				Verify:     "The same person signs in to the same app from the same place, and the sign-in log shows the policy as success or not applied.",
				References: []string{"https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes", "RFC 6749 section 4.1.2.1"},
			},
			{
				Cause: "policy-location", Outcome: usher.OutcomeWrong, Confidence: 0.31,
				Title:      "A policy refuses the network or country that the request comes from",
				Detail:     "The address in the evidence belongs to no named location of the tenant.",
				Fixer:      usher.FixerTenantAdmin,
				Proof:      []usher.Proof{{Place: "session.har#entry5", Quote: "IP address: 203.0.113.44"}},
				Fix:        []usher.FixStep{},
				References: []string{},
			},
			{
				Cause: "policy-flow", Outcome: usher.OutcomeWrong, Confidence: 0.12,
				Title: "A policy refuses this way of signing in", Fixer: usher.FixerTenantAdmin,
			},
			{Cause: "redirect-uri-mismatch", Outcome: usher.OutcomeOK, Confidence: 0.99, Title: "The redirect URI is registered", Detail: "https://expenses.contoso.example/signin-oidc equals entry 1 of the registration."},
			{Cause: "client-secret-expired", Outcome: usher.OutcomeOK, Confidence: 0.95, Title: "The client secret is valid until 2026-07-01"},
			{Cause: "pkce-failed", Outcome: usher.OutcomeNotApplicable, Title: "No code was redeemed"},
		},
		Missing: []usher.Missing{
			{
				Evidence: "the sign-in log record",
				Decides:  []string{"policy-location", "policy-device", "policy-flow"},
				How:      "Entra admin center, Monitoring, Sign-in logs: search for the correlation id and open the tab Conditional Access.",
				Query:    "SigninLogs\n| where CorrelationId == \"8b1f6c0e-52d4-4d0b-93a7-6f0c1de4b9a2\"\n| mv-expand policy = ConditionalAccessPolicies\n| where policy.result == \"failure\"\n| project TimeGenerated, UserPrincipalName, IPAddress, policy.displayName, policy.conditionsSatisfied",
			},
			{Evidence: "the policy itself", Decides: []string{"policy-location"}, How: "usher explain error.json policies.json"},
		},
		Notes: []string{"The times of the recording and of the error differ by 2 seconds."},
	}
}

func undecided() usher.Answer {
	return usher.Answer{
		Version:  1,
		Evidence: []usher.Evidence{{Kind: usher.KindErrorText, Place: "stdin", Summary: "invalid_grant, no description"}},
		Findings: []usher.Finding{
			{Cause: "refresh-token-expired", Outcome: usher.OutcomeWrong, Confidence: 0.34, Title: "The refresh token has expired or was revoked", Detail: "The request was a refresh.", Fixer: usher.FixerUser, Proof: []usher.Proof{{Place: "stdin:1:11", Quote: `{"error":"invalid_grant"}`, Got: "invalid_grant"}}},
			{Cause: "code-expired", Outcome: usher.OutcomeWrong, Confidence: 0.22, Title: "The authorization code was used twice or too late", Fixer: usher.FixerDeveloper, Proof: []usher.Proof{{Place: "stdin:1:11", Quote: `{"error":"invalid_grant"}`, Got: "invalid_grant"}}},
			{Cause: "clock-skew", Outcome: usher.OutcomeUnknown, Confidence: 0.05, Title: "Do the clocks agree?", Detail: "No response header with a date was given."},
		},
		Missing: []usher.Missing{{
			Evidence: "the token request", Decides: []string{"refresh-token-expired", "code-expired"},
			How: "Run the failing call once more with curl -v and paste everything, or record it in the browser as a HAR file.",
		}},
	}
}

func redirectMismatch() usher.Answer {
	return usher.Answer{
		Version: 1, Answered: true,
		Evidence: []usher.Evidence{
			{Kind: usher.KindAuthRequest, Place: "request.txt:1", Provider: "entra", Summary: "client 6f1c2a5e-3b0d-4c57-9a41-2f5be8d7c301"},
			{Kind: usher.KindRegistration, Place: "app-registration.json", Provider: "entra", Summary: "1 redirect URI"},
		},
		Findings: []usher.Finding{{
			Cause: "redirect-uri-mismatch", Outcome: usher.OutcomeWrong, Confidence: 0.98,
			Title:  "The redirect URI that the app sends is not registered",
			Detail: "The two differ by a slash at the end; Entra compares the path letter by letter.",
			Step:   usher.StepAuthRequest,
			Proof: []usher.Proof{{
				Place: "request.txt:1:112", Quote: "redirect_uri=https%3A%2F%2Fexpenses.contoso.example%2Fsignin-oidc%2F",
				Expected: "https://expenses.contoso.example/signin-oidc", Got: "https://expenses.contoso.example/signin-oidc/",
			}},
			Fixer:  usher.FixerDeveloper,
			Fix:    []usher.FixStep{{Text: "Send the registered URI: remove the slash at the end of RedirectUri in the app's configuration.", Risk: usher.RiskNeutral}, {Text: "Or register the URI with the slash as well.", Risk: usher.RiskNeutral}},
			Verify: "The sign-in page opens instead of AADSTS50011.",
		}},
	}
}

func unknowns() usher.Answer {
	return usher.Answer{
		Version: 1, Answered: true,
		Evidence: []usher.Evidence{{Kind: usher.KindToken, Place: "token.txt:1", Provider: "entra", Summary: "JWT, RS256, audience api://expenses"}},
		Findings: []usher.Finding{
			{
				Cause: "token-wrong-audience", Outcome: usher.OutcomeWrong, Confidence: 0.84,
				Title: "The token was issued for another API", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
				Proof: []usher.Proof{{Place: "token.txt:1 claim aud", Quote: `"aud": "00000003-0000-0000-c000-000000000000"`, Expected: "api://expenses", Got: "00000003-0000-0000-c000-000000000000"}},
				Fix:   []usher.FixStep{{Text: "Ask for a scope of the API itself: api://expenses/.default instead of User.Read.", Risk: usher.RiskTightening}},
			},
			{Cause: "token-expired", Outcome: usher.OutcomeOK, Title: "The token is within its time", Detail: "It is valid from 09:55:00 to 11:04:12 UTC."},
			{Cause: "signature-invalid", Outcome: usher.OutcomeUnknown, Title: "The signature", Detail: "The key set of the issuer is missing; without it nobody can tell who wrote the token."},
			{Cause: "grant-narrowed", Outcome: "something-new", Title: "An outcome that this version does not know", Detail: "It is listed as not tested."},
		},
		Missing: []usher.Missing{{Evidence: "the key set of the issuer", Decides: []string{"signature-invalid", "key-unknown"}, How: "Fetch it and pass it along.", Query: "curl -s https://login.microsoftonline.com/common/discovery/v2.0/keys > keys.json"}},
	}
}

func cleared() usher.Answer {
	return usher.Answer{
		Version:  1,
		Evidence: []usher.Evidence{{Kind: usher.KindDiscovery, Place: "openid-configuration.json", Provider: "keycloak", Summary: "issuer https://sso.example.com/realms/shop"}},
		Findings: []usher.Finding{{Cause: "issuer-mismatch", Outcome: usher.OutcomeOK, Confidence: 0.9, Title: "The issuer is the one that the token names"}},
	}
}

func claimsCJK() usher.Answer {
	return usher.Answer{
		Version: 1, Answered: true,
		Evidence: []usher.Evidence{{Kind: usher.KindToken, Place: "トークン.txt:1", Summary: "利用者の名前が日本語で書かれたトークン"}},
		Findings: []usher.Finding{{
			Cause: "token-expired", Outcome: usher.OutcomeWrong, Confidence: 0.97, Title: "The token has expired", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
			Detail:  "利用者は再びサインインする必要があります。この説明には空白がないので、どの文字の間でも改行することができます。",
			Subject: usher.Subject{User: "山田太郎 <taro@example.jp>"},
			Proof:   []usher.Proof{{Place: "トークン.txt:1", Quote: `"name": "山田太郎", "exp": 1767607200`, Expected: "after 2026-01-05T11:00:00Z", Got: "1767607200"}},
		}},
		Claims: []usher.ShownClaims{{
			Place:  "トークン.txt:1",
			Header: map[string]any{"alg": "RS256", "typ": "JWT"},
			Claims: map[string]any{"name": "山田太郎", "exp": 1767607200, "amr": []any{"pwd", "mfa"}, "nothing": nil},
		}},
	}
}

func eachLine() usher.Answer {
	a := redirectMismatch()
	a.ID = "row-17"
	return a
}

// nasty tries every way out of a format that we know of.
const nasty = "\x1b[2J\x1b]8;;http://evil.example\x07click\u202egnp.exe \u200b\u2066</pre></style><script>alert(1)</script>" +
	"\r\n# Heading\n| a | b |\n|---|---|\n```\n[link](http://evil.example) ![x](http://evil.example/x.png) <img src=x onerror=alert(1)>" +
	" @everyone #1 www.evil.example \"' onclick=x ` `` | \\| \\` &lt;script&gt; \x9b31m \xff\xfe \x00 $x$ ~~s~~ - 1. javascript:alert(1)"

// hostileAnswer holds one string in every place that can hold any.
func hostileAnswer(s string) usher.Answer {
	finding := func(outcome usher.Outcome, confidence float64) usher.Finding {
		return usher.Finding{
			Cause: s, Outcome: outcome, Confidence: confidence, Title: s, Detail: s, Step: usher.StepSignIn,
			Subject: usher.Subject{Client: s, User: s, Resource: s, Policy: s, Tenant: s, Scope: s},
			Proof:   []usher.Proof{{Place: s, Quote: s, Expected: s, Got: s}, {Place: s, Quote: "before " + s + " after", Got: s}},
			Fixer:   usher.Fixer(s), Fix: []usher.FixStep{{Text: s, Risk: usher.RiskWeakening}, {Text: s, Risk: usher.Risk(s)}},
			Verify: s, References: []string{s, "https://" + s, "javascript:" + s},
		}
	}
	return usher.Answer{
		Version: 1, ID: s, Answered: true,
		Evidence: []usher.Evidence{{Kind: usher.EvidenceKind(s), Place: s, Provider: s, Summary: s}},
		Ignored:  []usher.Ignored{{Place: s, Reason: s}},
		Flow: []usher.FlowStep{
			{Step: usher.StepAuthRequest, Place: s, Summary: s, State: usher.FlowFailed},
			{Step: usher.Step(s), Place: s, Summary: s, State: s},
		},
		Findings: []usher.Finding{
			finding(usher.OutcomeWrong, 0.9), finding(usher.OutcomeWrong, 0.3), finding(usher.OutcomeOK, 1),
			finding(usher.OutcomeUnknown, 0), finding(usher.Outcome(s), 0),
		},
		Missing: []usher.Missing{
			{Evidence: s, Decides: []string{s, s}, How: s, Query: s},
			{Evidence: s, How: s},
		},
		Notes: []string{s},
		Claims: []usher.ShownClaims{{
			Place:  s,
			Header: map[string]any{s: s},
			Claims: map[string]any{s: []any{s, map[string]any{s: s}}},
		}},
	}
}
