package report_test

import (
	"fmt"
	"time"

	"usher"
	"usher/report"
)

// ten is the morning of the story.
var ten = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return ten.Add(time.Duration(n) * time.Minute) }

// caseOptions are those of the samples.
var caseOptions = report.CaseOptions{Now: minute(15)}

type caseSample struct {
	name string
	c    usher.Case
}

// caseSamples are cases in every state and of several kinds. Each call makes
// fresh ones.
func caseSamples() []caseSample {
	return []caseSample{
		{"case-open", openCase()},
		{"case-verifying", verifyingCase()},
		{"case-fixed", fixedCase()},
		{"case-quiet", quietCase()},
		{"case-intended", intendedCase()},
		{"case-regressed", regressedCase()},
		{"case-attack", attackCase()},
		{"case-long", longCase()},
		{"case-empty", usher.Case{}},
		{"case-hostile", hostileCase(nasty)},
	}
}

func openCase() usher.Case {
	refused := usher.Event{
		UID: "c68a3e48c392986abe98b75f93936407", Kind: usher.EventSignIn, Code: "LOGIN_ERROR", Provider: "keycloak", Tenant: "shop", Time: minute(14),
		Status: usher.StatusFailure, StatusCode: "invalid_redirect_uri", Client: usher.Party{UID: "shop"}, Source: usher.Endpoint{IP: "203.0.113.21"},
		OAuth: usher.OAuthFacts{Endpoint: "authorize", RedirectURI: "https://shop.test/cb/"},
	}
	changed := usher.Event{
		UID: "a1", Kind: usher.EventAdmin, Tenant: "master", Time: minute(1), Status: usher.StatusSuccess, Actor: usher.Party{Name: "admin"}, Source: usher.Endpoint{IP: "10.0.0.5"},
		Change: &usher.Change{Operation: "update", Type: "client", Target: usher.Party{UID: "shop"}, Fields: []string{"redirectUris"}},
	}
	return usher.Case{
		Version: 1, ID: 1, Fingerprint: "88afcd32610b68fa354cd7cf", Kind: usher.CaseFailure, State: usher.CaseOpen,
		Title: "Sign-ins to 'shop' are refused: the app sends `https://shop.test/cb/`, registered is `https://shop.test/cb` (1 character)",
		Summary: "Sign-ins to 'shop' are refused: the app sends `https://shop.test/cb/`, registered is `https://shop.test/cb` (1 character). " +
			"Since 10:02, 14 tries, 3 addresses. What changed: the client was edited at 10:01 by admin.",
		Finding: usher.Finding{
			Cause: "redirect-uri-mismatch", Outcome: usher.OutcomeWrong, Confidence: 0.96, Title: "The redirect URI is not registered",
			Detail: "the app sends https://shop.test/cb/, registered is https://shop.test/cb (1 character more: a slash at the end)", Step: usher.StepAuthRequest,
			Subject: usher.Subject{Client: "shop", Tenant: "shop"},
			Proof: []usher.Proof{
				{Place: "keycloak.log:118", Quote: `type="LOGIN_ERROR", realmName="shop", clientId="shop", error="invalid_redirect_uri", redirect_uri="https://shop.test/cb/"`, Expected: "https://shop.test/cb", Got: "https://shop.test/cb/"},
			},
			Fixer: usher.FixerTenantAdmin, References: []string{"RFC 6749 section 3.1.2.3", "https://www.rfc-editor.org/rfc/rfc9700"},
		},
		First: minute(2), Last: minute(14), Opened: minute(2), Count: 14, Addresses: 3, Users: 2,
		Affected: []usher.Party{{UID: "u-1", Name: "ana"}, {Name: "ben"}}, Refusal: refused, Changed: []usher.Event{changed},
		Fixes: []usher.Fix{
			{
				ID: "1", Title: "Register https://shop.test/cb/ too", Risk: usher.RiskNeutral, Fixer: usher.FixerTenantAdmin,
				Action: &usher.Action{Kind: usher.ActionAddRedirectURI, Provider: "shop", Tenant: "shop", Client: "shop", URI: "https://shop.test/cb/"},
				Proof:  usher.ProofCondition{Equal: []string{"client", "oauth.redirect_uri"}, Text: "the next sign-in of 'shop' with https://shop.test/cb/ succeeds"},
			},
			{
				ID: "2", Title: "Make the app send https://shop.test/cb", Risk: usher.RiskNeutral, Fixer: usher.FixerDeveloper,
				Steps: []usher.FixStep{{Text: "Take the slash off the callback address in the app's settings.", Risk: usher.RiskNeutral}},
				Proof: usher.ProofCondition{Equal: []string{"client", "src_endpoint.ip"}, Differ: []string{"oauth.redirect_uri"}, Applied: true, Within: usher.Duration(72 * time.Hour)},
			},
			{
				ID: "3", Title: "Register https://shop.test/* as a pattern", Risk: usher.RiskWeakening, Fixer: usher.FixerTenantAdmin,
				Action: &usher.Action{Kind: usher.ActionAddRedirectURI, Provider: "shop", Client: "shop", URI: "https://shop.test/*"},
				Proof:  usher.ProofCondition{Equal: []string{"client"}},
			},
		},
		Timeline: []usher.Entry{
			{Time: minute(1), Kind: usher.EntryChange, Text: "The client was edited.", By: "admin", Event: "a1"},
			{Time: minute(2), Kind: usher.EntryFirst, Text: "The first try: invalid_redirect_uri, from 203.0.113.7."},
			{Time: minute(2), Kind: usher.EntryOpened, Text: "usher opened the case."},
			{Time: minute(14), Kind: usher.EntryTries, Text: "13 more tries.", Count: 13},
		},
	}
}

func verifyingCase() usher.Case {
	c := openCase()
	c.State = usher.CaseVerifying
	c.Runs = []usher.FixRun{
		{ID: "1", By: "ana", State: usher.RunFailed, Started: minute(15), Finished: minute(15), Error: "the provider says 403 Forbidden: the admin client lacks the role manage-clients", Plan: usher.FixPlan{Fix: c.Fixes[0]}},
		{
			ID: "2", By: "ana", State: usher.RunApplied, Started: minute(16), Finished: minute(16),
			Plan: usher.FixPlan{
				ID: "3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea", Case: 1, Fix: c.Fixes[0], Object: "client 'shop' of realm 'shop' at http://127.0.0.1:8080",
				Diff: []usher.Difference{{Field: "redirectUris", From: "https://shop.test/old"}, {Field: "redirectUris", To: "https://shop.test/cb/"}}, Undo: "usher takes https://shop.test/cb/ out of the list again",
			},
		},
	}
	c.Timeline = append(c.Timeline, usher.Entry{Time: minute(16), Kind: usher.EntryApplied, Text: "The fix was carried out: Register https://shop.test/cb/ too.", By: "ana"},
		usher.Entry{Time: minute(16), Kind: usher.EntryUnproven, Text: "A sign-in with another redirect URI succeeded; it proves nothing."})
	return c
}

func fixedCase() usher.Case {
	c := verifyingCase()
	c.State = usher.CaseFixed
	good := c.Refusal
	good.UID, good.Status, good.StatusCode, good.Time = "e9", usher.StatusSuccess, "", minute(17)
	c.Proven = &usher.Proven{
		Fix: "1", Event: good, At: minute(17), Comment: "A sign-in of 'shop' succeeded at 10:17, after the fix of 10:16, with `https://shop.test/cb/`.",
		Fields: []usher.Comparison{
			{Field: "client", Must: "equal", Refusal: "shop", Success: "shop", Holds: true},
			{Field: "oauth.redirect_uri", Must: "equal", Refusal: "https://shop.test/cb/", Success: "https://shop.test/cb/", Holds: true},
		},
	}
	c.Timeline = append(c.Timeline, usher.Entry{Time: minute(17), Kind: usher.EntryProven, Text: c.Proven.Comment})
	return c
}

func quietCase() usher.Case {
	c := openCase()
	c.State, c.Fixes = usher.CaseQuiet, c.Fixes[1:2]
	c.Consequences = []int64{4, 7}
	return c
}

func intendedCase() usher.Case {
	c := openCase()
	c.State, c.Owner, c.Reason, c.Expires = usher.CaseIntended, "security@shop.test", "the old app is switched off on purpose", ten.AddDate(0, 3, 0)
	return c
}

func regressedCase() usher.Case {
	c := fixedCase()
	c.State, c.Proven = usher.CaseRegressed, nil
	c.Behind = 3
	c.Timeline = append(c.Timeline, usher.Entry{Time: minute(60 * 20), Kind: usher.EntryState, Text: "It was fixed and is back."})
	return c
}

func attackCase() usher.Case {
	c := openCase()
	c.Kind, c.ID, c.Title = usher.CaseAttack, 2, "A password spray against 'shop': 212 users tried from 2 addresses, ana was got into"
	c.Finding = usher.Finding{Cause: "password-spray", Outcome: usher.OutcomeWrong, Confidence: 0.9, Title: "Many users, few passwords", Step: usher.StepSignIn}
	c.Escalated, c.Count, c.Users, c.Addresses = minute(9), 1040, 1000, 2
	c.Refusal.StatusCode, c.Refusal.OAuth.RedirectURI = "invalid_user_credentials", ""
	c.Sources = []string{"198.51.100.4", "2001:db8:1::/64"}
	c.Compromised = []usher.Compromise{
		{User: usher.Party{UID: "u-1", Name: "ana"}, Client: usher.Party{UID: "shop"}, Event: "e5", At: minute(9)},
		{User: usher.Party{Name: "ben"}, Client: usher.Party{UID: "shop"}, Event: "e6", At: minute(10), Dead: minute(12), How: "the password was reset by admin"},
	}
	c.Changed = nil
	c.Fixes = []usher.Fix{{ID: "1", Title: "End what the attacker got hold of", Risk: usher.RiskTightening, Fixer: usher.FixerTenantAdmin, Steps: []usher.FixStep{{Text: "Reset the password of every user whom the case names.", Risk: usher.RiskTightening}}, Proof: usher.ProofCondition{Applied: true, Text: "the log shows that the password was reset"}}}
	c.Timeline = append(c.Timeline, usher.Entry{Time: minute(9), Kind: usher.EntryEscalated, Text: "ana was got into from 198.51.100.4."})
	return c
}

// longCase has more of everything than is shown, and values that fill a table
// over its edge.
func longCase() usher.Case {
	c := fixedCase()
	c.State = usher.CaseVerifying
	long := "https://a-very-long-name-of-a-host.shop.test/and/a/path/that/goes/on/and/on/callback?tenant=0d5b8f7e-41c6-4a0e-9c35-7be1d2f4a608"
	c.Proven.Fields[1].Refusal, c.Proven.Fields[1].Success, c.Proven.Fields[1].Holds = long, long+"/ ", false
	c.Proven.Fields = append(c.Proven.Fields, usher.Comparison{Field: "user", Must: "equal", Refusal: "山田太郎", Success: ""})
	for i := range 150 {
		c.Timeline = append(c.Timeline, usher.Entry{Time: minute(20 + i), Kind: usher.EntryTries, Text: fmt.Sprintf("%d more tries.", i)})
		c.Affected = append(c.Affected, usher.Party{Name: fmt.Sprint("user", i)})
		c.Changed = append(c.Changed, c.Changed[0])
		c.Fixes = append(c.Fixes, c.Fixes[0])
		c.Consequences = append(c.Consequences, int64(i+2))
	}
	return c
}

// hostileCase holds one string in every place that can hold any.
func hostileCase(s string) usher.Case {
	party := usher.Party{UID: s, Name: s}
	ev := usher.Event{
		UID: s, Kind: usher.EventKind(s), Tenant: s, Time: minute(14), Message: s, Status: usher.StatusFailure, StatusCode: s, StatusDetail: s, UserAgent: s,
		User: party, Actor: party, Client: party, Resource: party, Source: usher.Endpoint{IP: s}, OAuth: usher.OAuthFacts{Endpoint: s, RedirectURI: s, Error: s},
		Change: &usher.Change{Operation: s, Type: s, Target: party, Fields: []string{s}}, Unmapped: map[string]string{"note": s},
	}
	plain := ev
	plain.Change = nil
	fix := func(id string, risk usher.Risk, kind usher.ActionKind) usher.Fix {
		return usher.Fix{
			ID: id, Title: s, Risk: risk, Fixer: usher.Fixer(s), Steps: []usher.FixStep{{Text: s, Risk: usher.RiskWeakening}},
			Action: &usher.Action{Kind: kind, Provider: s, Tenant: s, Client: s, URI: s, From: s, Scope: s}, Proof: usher.ProofCondition{Text: s},
		}
	}
	run := usher.FixRun{
		ID: s, State: usher.RunState(s), By: s, Started: minute(15), Error: s,
		Plan: usher.FixPlan{ID: s, Fix: fix(s, usher.Risk(s), usher.ActionKind(s)), Object: s, Diff: []usher.Difference{{Field: s, From: s, To: s}}, Request: s, Right: s, Weakens: []string{s}, Undo: s},
	}
	failed := run
	failed.State = usher.RunFailed
	a := hostileAnswer(s)
	return usher.Case{
		Version: 1, ID: 9, Fingerprint: s, Kind: usher.CaseAttack, State: usher.CaseOpen, Title: s, Summary: s, Finding: a.Findings[0],
		First: minute(2), Last: minute(14), Opened: minute(2), Count: 14, Addresses: 3, Users: 2, Affected: []usher.Party{party, party}, Refusal: ev,
		Changed: []usher.Event{ev, plain}, Consequences: []int64{3}, Behind: 2,
		Fixes: []usher.Fix{
			fix("1", usher.RiskWeakening, usher.ActionReplaceRedirectURI), fix("2", usher.RiskNeutral, usher.ActionKind(s)),
			{ID: s + ";", Title: s, Risk: usher.Risk(s), Proof: usher.ProofCondition{Equal: []string{s}, Differ: []string{s}, Check: ""}},
			{ID: "4", Title: s, Risk: usher.RiskTightening, Proof: usher.ProofCondition{Check: s}},
		},
		Runs:      []usher.FixRun{run, failed},
		Proven:    &usher.Proven{Fix: s, Event: ev, At: minute(17), Comment: s, Fields: []usher.Comparison{{Field: s, Must: s, Refusal: s, Success: s}}},
		Escalated: minute(9), Sources: []string{s, s}, Compromised: []usher.Compromise{{User: party, Client: party, Session: s, Event: s, At: minute(9), Dead: minute(10), How: s}},
		Owner: s, Reason: s, Expires: minute(90),
		Timeline: []usher.Entry{{Time: minute(1), Kind: usher.EntryKind(s), Text: s, By: s, Event: s}, {Time: minute(2), Kind: usher.EntryProven, Text: s}},
	}
}
