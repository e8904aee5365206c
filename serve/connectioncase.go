package serve

import (
	"cmp"

	"usher"
	"usher/broker/strategy"
	"usher/diagnose"
	"usher/evidence"
)

// connectionFinding is what is known of a renewal that was refused. The broker
// has decided by a cause already, and connection and case must not tell two;
// the diagnosis adds proof where it comes to the same one.
func (e *Engine) connectionFinding(x *diagnose.Explainer, ev *usher.Event) (usher.Finding, bool) {
	label := ev.Unmapped["cause"]
	cause, ok := causeOf(label)
	if ev.Connection() == "" || !ok {
		return usher.Finding{}, false
	}
	set := &evidence.Set{Items: []evidence.Item{evidence.FromEvent(ev)}}
	for _, f := range x.Explain(set, diagnose.Options{Now: ev.Time}).Findings {
		if f.Cause == label && f.Outcome == usher.OutcomeWrong {
			f.Confidence = max(f.Confidence, usher.Confident)
			f.Title = cmp.Or(ev.Unmapped["title"], f.Title)
			f.Fixer = cmp.Or(usher.Fixer(ev.Unmapped["turn"]), f.Fixer)
			return f, true
		}
	}
	f := usher.Finding{
		Cause: label, Outcome: usher.OutcomeWrong, Confidence: usher.Confident, Title: cmp.Or(ev.Unmapped["title"], cause.Title), Step: cause.Step,
		Subject: usher.Subject{Client: ev.Client.String(), Resource: ev.Resource.String(), Tenant: ev.Tenant},
		Fixer:   cmp.Or(usher.Fixer(ev.Unmapped["turn"]), cause.Fixer), Fix: cause.Fix, Verify: cause.Verify, References: []string{}, Proof: []usher.Proof{},
	}
	if quote := cmp.Or(ev.OAuth.Description, ev.OAuth.Error, ev.StatusDetail); quote != "" {
		f.Proof = append(f.Proof, usher.Proof{Place: "answer of the token endpoint", Quote: quote})
	}
	return f, true
}

// connectionFixes are the ways out of a case of a connection. Whatever is done,
// the next token of the connection proves it.
func connectionFixes(c *usher.Case, cause usher.Cause) []usher.Fix {
	id, ev := c.Refusal.Connection(), &c.Refusal
	proof := usher.ProofCondition{Equal: []string{"session_uid"}, Text: "connection " + usher.EscapeValue(id) + " gets a token"}
	if at := ev.FaultyEndpoint(); at != "" {
		proof = usher.ProofCondition{Equal: []string{"http_request.path"}, Text: "a connection that met it gets a token from " + usher.EscapeValue(at)}
	}
	var fixes []usher.Fix
	add := func(title string, fixer usher.Fixer, steps ...string) {
		f := usher.Fix{Title: title, Risk: usher.RiskNeutral, Fixer: fixer, Proof: proof}
		for _, text := range steps {
			f.Steps = append(f.Steps, usher.FixStep{Text: text, Risk: usher.RiskNeutral})
		}
		fixes = append(fixes, f)
	}
	turn := usher.Fixer(ev.Unmapped["turn"])
	switch strategy.Name(ev.Unmapped["strategy"]) {
	case strategy.Ask:
		add("Connect it again", cmp.Or(turn, usher.FixerUser),
			"Open the page of the connection (/connections/"+id+") and press Connect; or run: usher connections connect "+id,
			"Give the link to the person whose account it is: it is for that person alone.",
			"Sign in there and agree. The token is renewed by itself from then on.")
	case strategy.Rotate:
		add("Replace the client's secret", cmp.Or(turn, usher.FixerDeveloper),
			"Where usher manages the secret: look at what would change with usher secrets rotate NAME --plan, then run it without --plan.",
			"Otherwise make a new secret at the provider, and hand it in: usher connections configure "+id+" --secret-file FILE",
			"Take the old secret away at the provider when nobody uses it any more.")
	case strategy.Narrow:
		add("Ask for the scopes that are granted", cmp.Or(turn, usher.FixerDeveloper),
			"usher asks for what was granted before, so that callers have a token meanwhile.",
			"Write the scopes that are needed and no more: usher connections configure "+id+" --scope ...",
			"Where a scope is missing that is needed, have it granted at the provider and connect again.")
	case strategy.Retry, strategy.Authenticate:
		add("Wait: usher tries again by itself", cmp.Or(turn, usher.FixerNobody),
			"usher asks again, ever more slowly, and as soon as the provider answers.",
			"To try now: usher connections renew "+id)
	}
	if len(cause.Fix) > 0 {
		f := usher.Fix{Title: cause.Fix[0].Text, Risk: cause.Fix[0].Risk, Fixer: cmp.Or(cause.Fixer, turn), Proof: proof}
		if len(cause.Fix) > 1 {
			f.Steps = cause.Fix[1:]
		}
		for _, step := range cause.Fix {
			if step.Risk == usher.RiskWeakening {
				f.Risk = usher.RiskWeakening
			}
		}
		if strategy.Name(ev.Unmapped["strategy"]) == strategy.GiveUp {
			fixes = append([]usher.Fix{f}, fixes...)
		} else {
			fixes = append(fixes, f)
		}
	}
	if len(fixes) == 0 {
		add("Look at the connection", cmp.Or(turn, usher.FixerDeveloper),
			"Look at what the provider says: usher connections show "+id,
			"Change what is wrong, there or here, and try again: usher connections renew "+id)
	}
	return inOrder(fixes)
}

// inOrder puts what weakens to the end and numbers the rest.
func inOrder(fixes []usher.Fix) []usher.Fix {
	var safe, weak []usher.Fix
	for _, f := range fixes {
		if f.Risk == usher.RiskWeakening {
			weak = append(weak, f)
			continue
		}
		safe = append(safe, f)
	}
	fixes = append(safe, weak...)
	for i := range fixes {
		fixes[i].ID = string(rune('1' + i))
	}
	return fixes
}
