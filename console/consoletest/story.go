package consoletest

import (
	"fmt"
	"time"

	"usher"
)

// Story gives sample cases as they stand at a moment: one of every state, told
// as the console tells them.
func Story(now time.Time) []usher.Case {
	now = now.UTC().Truncate(time.Second)
	return []usher.Case{
		Redirect(now.Add(-4 * time.Minute)), secret(now), intended(now), quiet(now), attack(now), Fixed(now.Add(-50 * time.Minute)), weakening(now),
	}
}

// Redirect is the case of the story, open since a moment: the app sends one
// slash too many.
func Redirect(first time.Time) usher.Case {
	last := first.Add(3*time.Minute + 12*time.Second)
	refusal := usher.Event{
		UID: "kc-1", Class: usher.ClassAuthentication, Kind: usher.EventSignIn, Code: "LOGIN_ERROR", Provider: "keycloak", LogName: "keycloak-log",
		Tenant: "shop", Time: last, Status: usher.StatusFailure, StatusCode: "invalid_redirect_uri",
		Client: usher.Party{UID: "shop"}, Source: usher.Endpoint{IP: "203.0.113.7"},
		OAuth: usher.OAuthFacts{Endpoint: "authorize", RedirectURI: "https://shop.test/cb/", Error: "invalid_redirect_uri", ResponseType: "code"},
	}
	clock := func(t time.Time) string { return t.Format("15:04") }
	c := usher.Case{
		Version: usher.CaseVersion, ID: 1, Fingerprint: "f1", Kind: usher.CaseFailure, State: usher.CaseOpen,
		Title: "Sign-ins to 'shop' are refused: the app sends `https://shop.test/cb/`, registered is `https://shop.test/cb` (1 character)",
		Finding: usher.Finding{
			Cause: "redirect-uri-mismatch", Outcome: usher.OutcomeWrong, Confidence: 0.97, Title: "The redirect URI is not registered", Step: usher.StepAuthRequest,
			Detail:  "The app asks the provider to send the person back to an address that is registered for it only without the slash at the end. Providers compare redirect URIs character by character.",
			Subject: usher.Subject{Client: "shop", Tenant: "shop"}, Fixer: usher.FixerTenantAdmin, Fix: []usher.FixStep{}, References: []string{"RFC 9700 section 2.1"},
			Proof: []usher.Proof{
				{Place: "keycloak.log:214", Quote: `type="LOGIN_ERROR", realmName="shop", clientId="shop", error="invalid_redirect_uri", redirect_uri="https://shop.test/cb/"`, Expected: "https://shop.test/cb", Got: "https://shop.test/cb/"},
				{Place: "registration of 'shop'", Quote: `"redirectUris": ["https://shop.test/cb"]`},
			},
		},
		First: first, Last: last, Opened: first.Add(700 * time.Millisecond), Count: 14, Addresses: 3, Users: 2,
		Affected: []usher.Party{{Name: "ada@shop.test"}, {Name: "linus@shop.test"}}, Refusal: refusal,
		Changed: []usher.Event{{
			UID: "kc-0", Kind: usher.EventAdmin, Provider: "keycloak", Tenant: "master", Time: first.Add(-58 * time.Second), Status: usher.StatusSuccess,
			Actor: usher.Party{Name: "admin"}, Change: &usher.Change{Operation: "update", Type: "client", Target: usher.Party{UID: "shop"}, Fields: []string{"redirectUris"}},
		}},
		Fixes: []usher.Fix{
			{
				ID: "1", Title: "Correct the registered redirect URI of 'shop'", Risk: usher.RiskNeutral, Fixer: usher.FixerTenantAdmin,
				Steps: []usher.FixStep{
					{Text: "In the admin console open Clients, shop, Settings.", Risk: usher.RiskNeutral},
					{Text: "Under \"Valid redirect URIs\" put https://shop.test/cb/ in place of https://shop.test/cb, and save.", Risk: usher.RiskNeutral},
				},
				Action: &usher.Action{Kind: usher.ActionReplaceRedirectURI, Provider: "shop", Tenant: "shop", Client: "shop", From: "https://shop.test/cb", URI: "https://shop.test/cb/"},
				Proof:  usher.ProofCondition{Equal: []string{"client", "oauth.redirect_uri"}, Within: usher.Duration(72 * time.Hour), Text: "the next sign-in of 'shop' with https://shop.test/cb/ succeeds"},
			},
			{
				ID: "2", Title: "Let the app send the registered redirect URI", Risk: usher.RiskNeutral, Fixer: usher.FixerDeveloper,
				Steps: []usher.FixStep{{Text: "Set the app's redirect URI to https://shop.test/cb, without the slash, and deploy.", Risk: usher.RiskNeutral}},
				Proof: usher.ProofCondition{Equal: []string{"client", "user"}, Differ: []string{"oauth.redirect_uri"}, Applied: true, Text: "a person who was refused signs in to 'shop' with another redirect URI"},
			},
		},
		Timeline: []usher.Entry{
			{Time: first.Add(-58 * time.Second), Kind: usher.EntryChange, Text: "The client 'shop' was edited (redirectUris).", By: "admin", Event: "kc-0"},
			{Time: first, Kind: usher.EntryFirst, Text: "The first sign-in was refused."},
			{Time: first.Add(700 * time.Millisecond), Kind: usher.EntryOpened, Text: "usher opened the case."},
			{Time: first.Add(50 * time.Second), Kind: usher.EntryTries, Text: "3 more tries.", Count: 3},
			{Time: first.Add(95 * time.Second), Kind: usher.EntryTries, Text: "6 more tries.", Count: 6},
			{Time: last, Kind: usher.EntryTries, Text: "4 more tries.", Count: 4},
		},
	}
	c.Summary = fmt.Sprintf("%s. Since %s, 14 tries, 3 addresses. What changed: the client was edited at %s by admin.", c.Title, clock(first), clock(first.Add(-58*time.Second)))
	return c
}

// Prove ends a case with the proof that its first fix holds.
func Prove(c *usher.Case, at time.Time) {
	success := c.Refusal
	success.UID, success.Code, success.Status, success.StatusCode, success.Time = "kc-2", "LOGIN", usher.StatusSuccess, "", at
	success.OAuth.Error = ""
	c.State = usher.CaseFixed
	c.Proven = &usher.Proven{
		Fix: "1", Event: success, At: at,
		Fields: []usher.Comparison{
			{Field: "client", Must: "equal", Refusal: "shop", Success: "shop", Holds: true},
			{Field: "oauth.redirect_uri", Must: "equal", Refusal: "https://shop.test/cb/", Success: "https://shop.test/cb/", Holds: true},
		},
		Comment: "The same client signed in with the same redirect URI that was refused 14 times before.",
	}
	c.Timeline = append(c.Timeline, usher.Entry{Time: at, Kind: usher.EntryProven, Text: "A sign-in of 'shop' with the same redirect URI succeeded: fixed.", Event: "kc-2"})
}

// Fixed is a case that was fixed by usher and proven.
func Fixed(first time.Time) usher.Case {
	c := Redirect(first)
	c.ID, c.Fingerprint = 6, "f6"
	applied := c.Last.Add(2 * time.Minute)
	plan, _ := planOf(&c, c.Fixes[0], applied)
	c.Runs = []usher.FixRun{{ID: "1", Plan: plan, State: usher.RunApplied, By: "ada", Started: applied, Finished: applied.Add(80 * time.Millisecond)}}
	c.Timeline = append(c.Timeline, usher.Entry{Time: applied, Kind: usher.EntryApplied, Text: "Fix 1 was carried out: correct the registered redirect URI of 'shop'.", By: "ada"})
	Prove(&c, applied.Add(41*time.Second))
	return c
}

func secret(now time.Time) usher.Case {
	first := now.Add(-26 * time.Hour)
	c := usher.Case{
		Version: 1, ID: 2, Fingerprint: "f2", Kind: usher.CaseFailure, State: usher.CaseVerifying,
		Title:   "Tokens for 'billing' are refused: its client secret expired on 24 November",
		Summary: "Tokens for 'billing' are refused: its client secret expired on 24 November. 312 tries, 1 address.",
		Finding: usher.Finding{
			Cause: "client-secret-expired", Outcome: usher.OutcomeWrong, Confidence: 0.99, Title: "The client secret has expired", Step: usher.StepTokenRequest,
			Detail: "The secret that the app sends was valid until yesterday.", Subject: usher.Subject{Client: "billing"}, Fixer: usher.FixerTenantAdmin,
			Proof: []usher.Proof{{Place: "sign-in log", Quote: "AADSTS7000222: The provided client secret keys for app 'billing' are expired."}}, Fix: []usher.FixStep{}, References: []string{},
		},
		First: first, Last: now.Add(-20 * time.Minute), Opened: first.Add(time.Second), Count: 312, Addresses: 1,
		Refusal: usher.Event{
			UID: "e1", Kind: usher.EventAppSignIn, Provider: "entra", Tenant: "contoso", Time: now.Add(-20 * time.Minute), Status: usher.StatusFailure, StatusCode: "7000222",
			Client: usher.Party{UID: "4f1c", Name: "billing"}, Source: usher.Endpoint{IP: "198.51.100.4"}, OAuth: usher.OAuthFacts{GrantType: "client_credentials", Error: "invalid_client"},
		},
		Fixes: []usher.Fix{{
			ID: "1", Title: "Give 'billing' a new secret", Risk: usher.RiskNeutral, Fixer: usher.FixerTenantAdmin,
			Action: &usher.Action{Kind: usher.ActionReplaceSecret, Provider: "contoso", Client: "billing"},
			Proof:  usher.ProofCondition{Equal: []string{"client"}, Differ: []string{"oauth.credential_uid"}, Applied: true, Within: usher.Duration(72 * time.Hour), Text: "'billing' gets a token with another credential"},
		}},
		Timeline: []usher.Entry{{Time: first, Kind: usher.EntryFirst, Text: "The first token was refused."}},
	}
	for i := range 24 {
		c.Timeline = append(c.Timeline, usher.Entry{Time: first.Add(time.Duration(i+1) * time.Hour), Kind: usher.EntryTries, Text: "More tries.", Count: 11 + (i*5)%7})
	}
	plan, _ := planOf(&c, c.Fixes[0], now)
	c.Runs = []usher.FixRun{{ID: "1", Plan: plan, State: usher.RunApplied, By: "ada", Started: now.Add(-10 * time.Minute), Finished: now.Add(-10 * time.Minute)}}
	return c
}

func intended(now time.Time) usher.Case {
	c := Redirect(now.Add(-70 * time.Hour))
	c.ID, c.Fingerprint, c.State = 3, "f3", usher.CaseIntended
	c.Title = "Sign-ins to 'kiosk' from outside the office are refused by a policy"
	c.Summary, c.Finding.Cause, c.Finding.Step = c.Title+".", "conditional-access-blocked", usher.StepSignIn
	c.Finding.Proof, c.Refusal.Client = nil, usher.Party{UID: "kiosk"}
	c.Finding.Subject.Client = "kiosk"
	c.Refusal.OAuth.Error, c.Refusal.StatusCode = "access_denied", "53003"
	c.Owner, c.Reason, c.Expires = "security team", "Kiosks are used in the office only", now.AddDate(0, 2, 0)
	return c
}

func quiet(now time.Time) usher.Case {
	c := Redirect(now.Add(-30 * time.Hour))
	c.ID, c.Fingerprint, c.State = 4, "f4", usher.CaseQuiet
	c.Title = "API calls of 'mobile' are refused: the token is meant for another API"
	c.Summary, c.Finding.Cause, c.Finding.Step = c.Title+".", "wrong-audience", usher.StepValidation
	c.Finding.Proof = []usher.Proof{{Place: "gateway", Quote: "aud", Expected: "api://orders", Got: "api://payments"}}
	c.Refusal.Client, c.Refusal.Resource = usher.Party{UID: "mobile"}, usher.Party{Name: "orders"}
	c.Finding.Subject.Client = "mobile"
	c.Refusal.OAuth.Error = "invalid_token"
	return c
}

func attack(now time.Time) usher.Case {
	c := Redirect(now.Add(-35 * time.Minute))
	c.ID, c.Fingerprint, c.Kind, c.State = 5, "f5", usher.CaseAttack, usher.CaseOpen
	c.Title = "Passwords are being sprayed over 41 people of 'shop' from 203.0.113.0/24, and one let them in"
	c.Summary, c.Finding.Cause, c.Finding.Step = c.Title+".", "password-spray", usher.StepSignIn
	c.Finding.Proof, c.Changed = nil, nil
	c.Finding.Detail = "One address tries a few passwords on many accounts. A success followed, so the account has to count as taken."
	c.Escalated, c.Users, c.Count, c.Addresses = now.Add(-6*time.Minute), 41, 164, 12
	c.Fixes = []usher.Fix{{
		ID: "1", Title: "Reset the password of the account that was got into and end its sessions", Risk: usher.RiskTightening, Fixer: usher.FixerTenantAdmin,
		Steps: []usher.FixStep{{Text: "Reset the password of linus@shop.test.", Risk: usher.RiskTightening}, {Text: "Sign out all of its sessions.", Risk: usher.RiskTightening}},
		Proof: usher.ProofCondition{Check: "credential-dead", Text: "the credential and its sessions are dead"},
	}}
	c.Timeline = append(c.Timeline, usher.Entry{Time: now.Add(-6 * time.Minute), Kind: usher.EntryEscalated, Text: "An attack got in: linus@shop.test from 203.0.113.9."})
	return c
}

func weakening(now time.Time) usher.Case {
	c := Redirect(now.Add(-9 * time.Minute))
	c.ID, c.Fingerprint, c.State = 7, "f7", usher.CaseRegressed
	c.Title = "Sign-ins to 'preview' are refused: every preview build sends another redirect URI"
	c.Summary = c.Title + "."
	c.Finding.Proof = []usher.Proof{{Place: "keycloak.log:301", Expected: "https://preview-41.shop.test/cb", Got: "https://preview-42.shop.test/cb"}}
	c.Refusal.Client, c.Finding.Subject.Client = usher.Party{UID: "preview"}, "preview"
	c.Fixes = append(c.Fixes[:1:1], usher.Fix{
		ID: "2", Title: "Let any path of the preview host through", Risk: usher.RiskWeakening, Fixer: usher.FixerTenantAdmin,
		Action: &usher.Action{Kind: usher.ActionAddRedirectURI, Provider: "shop", Client: "preview", URI: "https://preview.shop.test/*"},
		Proof:  usher.ProofCondition{Equal: []string{"client", "oauth.redirect_uri"}, Text: "the next sign-in of 'preview' succeeds"},
	})
	return c
}
