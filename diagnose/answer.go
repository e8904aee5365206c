package diagnose

import (
	"maps"
	"slices"
	"sort"
	"strings"

	"usher"
	"usher/catalog"
	"usher/evidence"
	"usher/oauth"
)

const (
	answered  = 0.5  // from here a first finding is an answer
	worthy    = 0.12 // below it a candidate is not worth a line
	mostNamed = 6    // candidates shown
)

// answer ranks the candidates and says the whole.
func (s *situation) answer() usher.Answer {
	s.applyDemotions()
	s.applyConsequences()
	sort.SliceStable(s.candidates, func(i, j int) bool { return s.candidates[i].confidence > s.candidates[j].confidence })
	s.dropFallbacks()
	s.calibrate()
	s.doubtTopic()
	a := usher.Answer{Version: usher.AnswerVersion, Evidence: []usher.Evidence{}, Findings: make([]usher.Finding, 0, min(len(s.candidates), mostNamed)+len(s.cleared)), Missing: []usher.Missing{}}
	for i := range s.set.Items {
		a.Evidence = append(a.Evidence, s.set.Items[i].Evidence)
	}
	a.Ignored = slices.Clone(s.set.Ignored)
	for _, c := range s.candidates {
		if c.confidence >= worthy && len(a.Findings) < mostNamed {
			a.Findings = append(a.Findings, s.finding(c))
		}
	}
	a.Answered = len(a.Findings) > 0 && a.Findings[0].Confidence >= answered
	a.Missing = append(a.Missing, s.missing(a.Findings)...)
	a.Findings = s.addCleared(a.Findings)
	a.Flow = s.flow(a)
	a.Notes = append(append(a.Notes, s.set.Notes...), s.notes...)
	if s.opt.ShowClaims {
		a.Claims = s.claims()
	}
	s.mask(&a)
	return a
}

// applyDemotions puts causes behind those that rules prefer. The strongest
// rule speaks first; a rule whose own cause was put back says nothing.
func (s *situation) applyDemotions() {
	sort.SliceStable(s.demotions, func(i, j int) bool { return s.demotions[i].confidence > s.demotions[j].confidence })
	for _, d := range s.demotions {
		winner, loser := s.candidate(d.winner), s.candidate(d.cause)
		if loser == nil || winner == nil || loser == winner || winner.demotedBy != "" || loser.demotedBy != "" {
			continue
		}
		loser.demotedBy = d.by
		loser.confidence = min(loser.confidence*0.5, winner.confidence*0.8)
	}
}

// applyConsequences halves a cause that is only the consequence of another one
// for which there is proof.
func (s *situation) applyConsequences() {
	for _, c := range s.candidates {
		entry := catalog.Cause(c.cause)
		if entry == nil || c.demotedBy != "" {
			continue
		}
		for _, label := range entry.ConsequenceOf {
			if root := s.candidate(label); root != nil && root.demotedBy == "" && root.confidence >= 0.6 && root.confidence >= c.confidence*0.9 {
				c.confidence *= 0.5
				c.demotedBy = "consequence of " + label
				break
			}
		}
	}
}

// calibrate lowers the confidence of a first candidate that another one
// contests: both cannot be the cause.
func (s *situation) calibrate() {
	if len(s.candidates) < 2 {
		return
	}
	top, next := s.candidates[0], s.candidates[1]
	if contest := next.confidence / top.confidence; contest > 0.8 {
		top.confidence *= 1 - 0.6*(contest-0.8)
		if next.confidence > top.confidence {
			next.confidence = top.confidence
		}
	}
	for _, c := range s.candidates[2:] {
		if c.confidence > 0.8*top.confidence { // three and more that fit alike: a list of codes, not a failure
			top.confidence *= 0.9
		}
	}
	for _, c := range s.candidates[1:] {
		c.confidence = min(c.confidence, top.confidence)
	}
}

// dropFallbacks takes out what only a status or a generic error suggests as
// soon as something is really known.
func (s *situation) dropFallbacks() {
	if len(s.candidates) < 2 || s.candidates[0].confidence < answered {
		return
	}
	s.candidates = slices.DeleteFunc(s.candidates, func(c *candidate) bool {
		if len(c.sources) != 1 || c.confidence > 0.45 {
			return false
		}
		for source := range c.sources {
			switch source {
			case "words-unauthorized", "words-forbidden", "status-forbidden", "rfc/invalid_grant", "rfc/invalid_token", "rfc/access_denied", "rfc/invalid_request":
				return true
			}
		}
		return false
	})
}

// doubtTopic lowers every confidence when nothing in the evidence speaks of
// identity at all: a refused connection may be any program's.
func (s *situation) doubtTopic() {
	if s.has("topic", "identity") || s.has("code") {
		return
	}
	for _, c := range s.candidates {
		c.confidence *= 0.55
	}
}

func (s *situation) finding(c *candidate) usher.Finding {
	entry := catalog.Cause(c.cause)
	f := usher.Finding{
		Cause: c.cause, Outcome: usher.OutcomeWrong, Confidence: round(c.confidence),
		Title: first(c.title, entry.Title), Detail: first(c.detail, entry.Meaning), Step: s.stepOf(first(c.step, entry.Step)),
		Subject: s.subject, Proof: uniqueProof(c.proof), Fixer: first(c.fixer, entry.Fixer),
		Fix: s.fixSteps(c, entry), Verify: first(c.verify, entry.Verify), References: entry.References,
	}
	if f.Proof == nil {
		f.Proof = []usher.Proof{}
	}
	return f
}

// stepOf is where the refusal showed: a policy that a refresh, a code or an
// on-behalf-of exchange ran into refused at the token endpoint, not at a
// sign-in that a person saw.
func (s *situation) stepOf(step usher.Step) usher.Step {
	if step != usher.StepSignIn || len(s.set.Flow) > 0 {
		return step
	}
	for i := range s.set.Items {
		it := &s.set.Items[i]
		if it.Context || it.Kind != usher.KindErrorResponse || it.Error == nil {
			continue
		}
		switch it.Error.Code {
		case oauth.ErrInvalidGrant, oauth.ErrInteractionRequired, oauth.ErrInvalidClient:
			return usher.StepTokenRequest
		}
	}
	return step
}

// fixSteps are the code's own steps where it has some, else the cause's; a
// rule's step comes first. Steps for another provider are left out, and the
// ones that weaken come last.
func (s *situation) fixSteps(c *candidate, entry *catalog.Entry) []usher.FixStep {
	steps := append([]usher.FixStep{}, c.fix...)
	if !c.ownFix {
		for _, step := range entry.Fix {
			if !s.otherProvider(step.Text) {
				steps = append(steps, step)
			}
		}
	}
	sort.SliceStable(steps, func(i, j int) bool {
		return steps[i].Risk != usher.RiskWeakening && steps[j].Risk == usher.RiskWeakening
	})
	return steps
}

// otherProvider tells whether a step opens with the name of a provider that is
// not the one at hand ("Okta: ...").
func (s *situation) otherProvider(step string) bool {
	name, _, ok := strings.Cut(step, ":")
	provider := s.provider()
	if !ok || provider == "" {
		return false
	}
	switch name = strings.ToLower(name); name {
	case "entra", "okta", "auth0", "keycloak", "google", "cognito", "github", "gitlab", "slack", "salesforce", "apple":
		return name != provider
	}
	return false
}

// uniqueProof keeps one quotation of a line, the one that shows most.
func uniqueProof(list []usher.Proof) (out []usher.Proof) {
next:
	for _, p := range list {
		if p.Quote == "" {
			continue
		}
		for i := range out {
			if lineOf(out[i].Place) != lineOf(p.Place) || !sameWords(out[i].Quote, p.Quote) && (p.Expected != "" || p.Got != "" || len(out[i].Quote) <= 40) {
				continue
			}
			if len(p.Quote) > len(out[i].Quote) && len(p.Quote) < 300 && out[i].Expected == "" {
				out[i].Quote = p.Quote
			}
			if len(p.Place) > len(out[i].Place) && lineOf(out[i].Place) == out[i].Place {
				out[i].Place = p.Place // the one with the column
			}
			out[i].Expected, out[i].Got = first(out[i].Expected, p.Expected), first(out[i].Got, p.Got)
			continue next
		}
		if out = append(out, p); len(out) == 5 {
			break
		}
	}
	return out
}

// lineOf cuts the column off a place: FILE:LINE.
func lineOf(place string) string {
	if head, column, ok := cutLast(place, ":"); ok && strings.Trim(column, "0123456789") == "" && strings.Contains(head, ":") {
		return head
	}
	return place
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// sameWords tells whether one quotation holds the other, or both are windows
// on the same words.
func sameWords(a, b string) bool {
	a, b = strings.Trim(a, "…\"{}, "), strings.Trim(b, "…\"{}, ")
	return strings.Contains(a, b) || strings.Contains(b, a)
}

// addCleared adds the hypotheses that were tested, each complete.
func (s *situation) addCleared(out []usher.Finding) []usher.Finding {
	for _, f := range s.cleared {
		if c := s.candidate(f.Cause); c != nil && c.confidence >= worthy {
			continue
		}
		entry := catalog.Cause(f.Cause)
		if entry == nil {
			continue
		}
		f.Step, f.Subject, f.Fixer = first(f.Step, entry.Step), s.subject, entry.Fixer
		f.References = entry.References
		if f.Proof == nil {
			f.Proof = []usher.Proof{}
		}
		f.Fix = []usher.FixStep{}
		out = append(out, f)
	}
	return out
}

// flow is the flow that a reader saw, else the steps up to the failing one.
func (s *situation) flow(a usher.Answer) []usher.FlowStep {
	if !a.Answered {
		return slices.Clone(s.set.Flow)
	}
	failing := a.Findings[0]
	if len(s.set.Flow) > 0 {
		return marked(s.set.Flow, failing)
	}
	var out []usher.FlowStep
	state := usher.FlowUnknown
	for _, step := range drawn(s, failing.Step) {
		fs := usher.FlowStep{Step: step, State: state}
		if step == failing.Step {
			fs.State, fs.Summary = usher.FlowFailed, failing.Title
			if len(failing.Proof) > 0 {
				fs.Place = failing.Proof[0].Place
			}
			state = usher.FlowNotReached
		}
		out = append(out, fs)
	}
	return out
}

// marked marks the failing step in a flow that a reader saw, if the reader did
// not: a refusal on a page that was delivered well shows only in its words.
func marked(seen []usher.FlowStep, failing usher.Finding) []usher.FlowStep {
	out := append([]usher.FlowStep(nil), seen...)
	at := -1
	for i := range out {
		if out[i].State == usher.FlowFailed {
			return out
		}
		if out[i].Step == failing.Step {
			at = i
		}
	}
	if at < 0 {
		return out
	}
	out[at].State, out[at].Summary = usher.FlowFailed, failing.Title
	if len(failing.Proof) > 0 {
		out[at].Place = failing.Proof[0].Place
	}
	for i := at + 1; i < len(out); i++ {
		out[i].State = usher.FlowNotReached
	}
	return out
}

// drawn are the steps of the flow at hand: a client credentials grant has no
// sign-in, and a refresh comes after all of it.
func drawn(s *situation, failing usher.Step) []usher.Step {
	steps := []usher.Step{usher.StepAuthRequest, usher.StepSignIn, usher.StepConsent, usher.StepAuthResponse, usher.StepTokenRequest, usher.StepAPICall}
	switch {
	case failing == usher.StepRegistration || failing == usher.StepDiscovery:
		return append([]usher.Step{failing}, steps...)
	case failing == usher.StepRefresh:
		return []usher.Step{usher.StepTokenRequest, usher.StepRefresh, usher.StepAPICall}
	case failing == usher.StepSignOut:
		return []usher.Step{usher.StepSignIn, usher.StepSignOut}
	case failing == usher.StepValidation:
		return []usher.Step{usher.StepTokenRequest, usher.StepValidation, usher.StepAPICall}
	case s.has("flow", "client-credentials") && (failing == usher.StepTokenRequest || failing == usher.StepAPICall):
		return []usher.Step{usher.StepTokenRequest, usher.StepAPICall}
	}
	return steps
}

func (s *situation) claims() (out []usher.ShownClaims) {
	for i := range s.set.Items {
		if t := s.set.Items[i].Token; t != nil && t.Claims != nil {
			out = append(out, usher.ShownClaims{Place: s.set.Items[i].Place, Header: maps.Clone(t.Header), Claims: maps.Clone(t.Claims)})
		}
	}
	return out
}

// redactor knows the credentials that the readers met.
func redactor(set *evidence.Set) *oauth.Redactor {
	r := new(oauth.Redactor)
	for _, secret := range set.Secrets {
		r.Add(secret)
	}
	return r
}

// mask takes every credential out of what the answer quotes. Sentences of the
// catalog hold none; those that were filled from the evidence were masked then.
func (s *situation) mask(a *usher.Answer) {
	done := make(map[string]string, 8) // one quotation often proves several candidates
	m := func(text *string) {
		if *text == "" || s.clean[*text] {
			return
		}
		masked, ok := done[*text]
		if !ok {
			masked = s.redactor.Redact(*text)
			done[*text] = masked
		}
		*text = masked
	}
	for i := range a.Evidence {
		m(&a.Evidence[i].Summary)
		m(&a.Evidence[i].Place)
	}
	for i := range a.Findings {
		f := &a.Findings[i]
		for _, field := range []*string{&f.Subject.Client, &f.Subject.User, &f.Subject.Resource, &f.Subject.Policy, &f.Subject.Tenant, &f.Subject.Scope} {
			m(field)
		}
		for j := range f.Proof {
			m(&f.Proof[j].Place)
			m(&f.Proof[j].Quote)
			m(&f.Proof[j].Expected)
			m(&f.Proof[j].Got)
			f.Proof[j].Quote = short(f.Proof[j].Quote)
		}
	}
	for i := range a.Flow {
		m(&a.Flow[i].Place)
		if len(s.set.Flow) > 0 {
			m(&a.Flow[i].Summary)
		}
	}
	for i := range s.set.Notes {
		m(&a.Notes[i])
	}
	for i := range a.Ignored {
		m(&a.Ignored[i].Place)
		m(&a.Ignored[i].Reason)
	}
}

func round(x float64) float64 { return float64(int(x*100+0.5)) / 100 }
