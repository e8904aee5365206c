package fix

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/oauth"
)

// Labels of the taxonomy that usher has an action for.
const (
	labelRedirectMismatch = "redirect-uri-mismatch"
	labelRedirectInvalid  = "redirect-uri-invalid"
	labelScopeInvalid     = "scope-invalid"
	labelClientDisabled   = "client-disabled"
	labelSecretExpired    = "client-secret-expired"
	labelSecretInvalid    = "client-secret-invalid"
	labelSecretLeaked     = "client-secret-leaked"
)

const (
	// proofWithin is how long after a fix its proof is awaited.
	proofWithin = usher.Duration(72 * time.Hour)
	// mostScopes is how many scopes of one case usher proposes to allow.
	mostScopes = 3
)

// Propose gives the ways out of a case, the one to take first in front: never
// one that weakens security, and there is always one for a person. The
// registration may be nil (unknown); then no redirect URI is near another, so
// adding one counts as weakening until it is known. An empty name of the
// provider tells that usher may change nothing there: then there are only steps
// for people.
//
// Of two sides that disagree the log does not tell which is wrong. Registering
// what is sent comes before correcting what is registered: it takes nothing
// away from those who still send the other.
func Propose(c *usher.Case, cause usher.Cause, reg *usher.Client, providerName string) []usher.Fix {
	p := &proposer{c: c, cause: cause, reg: reg, provider: providerName}
	if cause.Label == "" && len(cause.Fix) == 0 {
		return nil
	}
	switch {
	case c.Kind == usher.CaseAttack:
		p.person(p.byHand())
	case cause.Label == labelRedirectMismatch || cause.Label == labelRedirectInvalid:
		p.redirect()
	case cause.Label == labelScopeInvalid:
		p.scope()
	case cause.Label == labelClientDisabled:
		p.disabled()
	case cause.Label == labelSecretExpired || cause.Label == labelSecretInvalid || cause.Label == labelSecretLeaked:
		p.secret()
	default:
		p.person(p.byHand())
	}
	// What weakens goes to the end; the rest keeps its order.
	slices.SortStableFunc(p.fixes, func(a, b usher.Fix) int { return cmp.Compare(weakens(a), weakens(b)) })
	for i := range p.fixes {
		p.fixes[i].ID = strconv.Itoa(i + 1)
	}
	return p.fixes
}

func weakens(f usher.Fix) int {
	if f.Risk == usher.RiskWeakening {
		return 1
	}
	return 0
}

type proposer struct {
	c        *usher.Case
	cause    usher.Cause
	reg      *usher.Client
	provider string
	fixes    []usher.Fix
}

// clientID is how the provider's admin API is asked for the client.
func (p *proposer) clientID() string {
	if p.reg != nil {
		return p.reg.ID
	}
	return cmp.Or(p.c.Refusal.Client.UID, p.c.Refusal.Client.Name, p.c.Finding.Subject.Client)
}

func (p *proposer) person(f usher.Fix) { p.fixes = append(p.fixes, f) }

// act adds a fix that usher can carry out, with the reasons why it weakens.
func (p *proposer) act(f usher.Fix, a usher.Action, because []string) {
	if p.provider == "" || p.clientID() == "" {
		return
	}
	a.Provider, a.Tenant, a.Client = p.provider, p.c.Refusal.Tenant, p.clientID()
	f.Action, f.Fixer = &a, usher.FixerTenantAdmin
	for _, why := range because {
		f.Steps = append(f.Steps, usher.FixStep{Text: "Mind: " + why + ".", Risk: usher.RiskWeakening})
	}
	if len(because) > 0 {
		f.Risk = usher.RiskWeakening
	}
	f.Proof.Within = proofWithin
	p.fixes = append(p.fixes, f)
}

// byHand is what the cause's own steps say, for a person.
func (p *proposer) byHand() usher.Fix {
	f := usher.Fix{
		Title: p.cause.Title, Risk: usher.RiskNeutral, Fixer: p.cause.Fixer, Steps: steps(p.cause.Fix),
		Proof: p.same("the next sign-in of '" + p.name() + "' by the same side succeeds"),
	}
	if len(p.cause.Fix) > 0 {
		f.Title = sentence(p.cause.Fix[0].Text)
	}
	if p.cause.Proof != nil {
		f.Proof = *p.cause.Proof
	}
	if !f.Fixer.Valid() {
		f.Fixer = usher.FixerDeveloper
	}
	return f
}

// same is the proof by a later success of the same client from the same side,
// after the fix was carried out or declared done.
func (p *proposer) same(text string) usher.ProofCondition {
	return usher.ProofCondition{Equal: []string{"client", p.side()}, Applied: true, Within: proofWithin, Text: text}
}

// side is what tells the one who was refused: the user, or where nobody had
// signed in yet, the address.
func (p *proposer) side() string {
	if p.c.Refusal.User.Known() {
		return "user"
	}
	return "src_endpoint.ip"
}

func (p *proposer) name() string {
	return clip(cmp.Or(p.c.Refusal.Client.String(), p.c.Finding.Subject.Client, "the client"))
}

// steps are the steps of a cause, what weakens last.
func steps(list []usher.FixStep) []usher.FixStep {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b usher.FixStep) int {
		return cmp.Compare(weakens(usher.Fix{Risk: a.Risk}), weakens(usher.Fix{Risk: b.Risk}))
	})
	return list
}

// sentence gives the first sentence of a step, for a title.
func sentence(text string) string {
	if i := strings.Index(text, ". "); i > 0 {
		text = text[:i]
	}
	if i := strings.Index(text, ": "); i > 20 {
		text = text[:i]
	}
	return clip(strings.TrimSuffix(text, "."))
}

func touches(e usher.Event, fields ...string) bool {
	ch := e.Change
	if ch == nil || ch.Type != "client" && ch.Type != "secret" {
		return false
	}
	return len(ch.Fields) == 0 || slices.ContainsFunc(ch.Fields, func(f string) bool {
		return slices.ContainsFunc(fields, func(g string) bool { return strings.EqualFold(f, g) })
	})
}

// onPurpose gives the reason that only the case tells: somebody switched the
// client off not long ago.
func onPurpose(c *usher.Case, kind usher.ActionKind) []string {
	if kind != usher.ActionEnableClient {
		return nil
	}
	for _, e := range c.Changed {
		if touches(e, "enabled") && e.Actor.Known() {
			return []string{"'" + clip(e.Actor.String()) + "' changed the client at " + e.Time.UTC().Format("2006-01-02 15:04 UTC") + " and may have switched it off on purpose: ask first"}
		}
	}
	return nil
}

// redirect: the app sends one address, another is registered.
func (p *proposer) redirect() {
	uri := p.c.Refusal.OAuth.RedirectURI
	j := JudgeRedirect(uri, p.reg)
	if slices.Contains(p.c.Refusal.Masked, "oauth.redirect_uri") {
		j.Never = "what the app sends was masked"
	}
	app := p.changeApp(uri, j)
	if uri == "" || j.Never != "" {
		p.person(app)
		return
	}
	if p.reg == nil {
		j.Weakens = []string{"the registration is not known yet, so nothing can be said of " + clip(uri)}
	}
	proof := usher.ProofCondition{Equal: []string{"client", "oauth.redirect_uri"}, Text: "the next sign-in of '" + p.name() + "' with " + clip(uri) + " succeeds"}
	add := func() {
		p.act(usher.Fix{
			Title: "Register " + clip(uri) + " too", Risk: usher.RiskNeutral, Proof: proof,
			Steps: []usher.FixStep{{Text: "Add exactly " + clip(uri) + " to the valid redirect URIs of '" + p.name() + "'; what is registered stays.", Risk: usher.RiskNeutral}},
		}, usher.Action{Kind: usher.ActionAddRedirectURI, URI: uri}, j.Weakens)
	}
	replace := func() {
		if len(j.Weakens) > 0 || len(j.Near) != 1 || j.Near[0] == uri {
			return
		}
		from := j.Near[0]
		p.act(usher.Fix{
			Title: "Correct the registered " + clip(from) + " to " + clip(uri), Risk: usher.RiskNeutral, Proof: proof,
			Steps: []usher.FixStep{{Text: "Replace " + clip(from) + " by " + clip(uri) + " in the valid redirect URIs of '" + p.name() + "'; whoever still sends the old one is refused from then on.", Risk: usher.RiskNeutral}},
		}, usher.Action{Kind: usher.ActionReplaceRedirectURI, From: from, URI: uri}, nil)
	}
	add() // first, even where somebody edited the client before: it takes nothing away from those who send the other one
	replace()
	p.person(app)
}

// changeApp is the other side: the app sends what is registered.
func (p *proposer) changeApp(uri string, j Judgement) usher.Fix {
	f := p.byHand()
	f.Title, f.Risk, f.Fixer = "Make the app send a redirect URI that is registered", usher.RiskNeutral, usher.FixerDeveloper
	if len(j.Near) == 1 {
		f.Title = "Make the app send " + clip(j.Near[0])
	} else if p.reg != nil && len(p.reg.RedirectURIs) == 1 && !strings.Contains(p.reg.RedirectURIs[0], "*") {
		f.Title = "Make the app send " + clip(p.reg.RedirectURIs[0])
	}
	f.Proof = usher.ProofCondition{
		Equal: []string{"client", p.side()}, Differ: []string{"oauth.redirect_uri"}, Applied: true, Within: proofWithin,
		Text: "the next sign-in of '" + p.name() + "' from the same side, with another redirect URI than " + clip(cmp.Or(uri, "before")) + ", succeeds",
	}
	return f
}

// scope: the app asks for a scope that the client may not have, or that there
// is not.
func (p *proposer) scope() {
	asked := p.c.Refusal.OAuth.Requested
	if len(asked) == 0 {
		asked = oauth.ParseScope(p.c.Finding.Subject.Scope)
	}
	proposed := 0
	for _, scope := range asked {
		if proposed == mostScopes || !p.addable(scope) {
			continue
		}
		j := JudgeScope(scope, nil)
		if j.Never != "" {
			continue
		}
		proposed++
		p.act(usher.Fix{
			Title: "Let '" + p.name() + "' ask for the scope " + clip(scope), Risk: usher.RiskNeutral,
			Proof: usher.ProofCondition{
				Equal: []string{"client"}, Granted: []string{scope}, Applied: true, Within: proofWithin,
				Text: "the next sign-in of '" + p.name() + "' is given " + clip(scope),
			},
			Steps: []usher.FixStep{{Text: "Add " + clip(scope) + " to the optional client scopes of '" + p.name() + "', so that it is given when the app asks for it.", Risk: usher.RiskNeutral}},
		}, usher.Action{Kind: usher.ActionAllowScope, Scope: scope}, j.Weakens)
	}
	app := p.byHand()
	app.Title = "Make the app ask only for scopes that '" + p.name() + "' may have"
	p.person(app)
}

// addable tells whether a scope is one that can be allowed, as far as is known.
func (p *proposer) addable(scope string) bool {
	switch {
	case scope == "openid", p.reg == nil && len(p.c.Refusal.OAuth.Requested) > 1:
		return false // which of several is refused is not known
	case p.reg == nil:
		return true
	case slices.Contains(p.reg.Scopes, scope):
		return false
	}
	return p.reg.AddableScopes == nil || slices.Contains(p.reg.AddableScopes, scope)
}

// disabled: somebody, or something, switched the client off.
func (p *proposer) disabled() {
	if p.reg == nil || p.reg.Disabled {
		p.act(usher.Fix{
			Title: "Switch '" + p.name() + "' on again", Risk: usher.RiskNeutral,
			Proof: usher.ProofCondition{Equal: []string{"client"}, Text: "the next sign-in of '" + p.name() + "' succeeds"},
			Steps: []usher.FixStep{
				{Text: "See in the admin events who switched it off, and why: it may have been stopped for abuse.", Risk: usher.RiskNeutral},
				{Text: "Switch the client on.", Risk: usher.RiskNeutral},
			},
		}, usher.Action{Kind: usher.ActionEnableClient}, onPurpose(p.c, usher.ActionEnableClient))
	}
	f := p.byHand()
	if p.cause.Proof == nil {
		f.Proof = usher.ProofCondition{Equal: []string{"client"}, Text: "the next sign-in of '" + p.name() + "' succeeds"}
	}
	p.person(f)
}

// secret: the client's secret is expired, wrong, or known to others. A wrong
// one is nearly always wrong in the app alone, and a new one would lock out
// every program that has the right one; the other two need a new one.
func (p *proposer) secret() {
	risk := usher.RiskNeutral
	if p.cause.Label == labelSecretLeaked {
		risk = usher.RiskTightening
	}
	app := p.byHand()
	if p.cause.Label == labelSecretInvalid {
		app.Title = "Give the app the secret that '" + p.name() + "' has at the provider"
		p.person(app)
	}
	if p.reg == nil || !p.reg.Public {
		p.act(usher.Fix{
			Title: "Have the provider make a new secret for '" + p.name() + "'", Risk: risk,
			Proof: usher.ProofCondition{Equal: []string{"client", "kind"}, Applied: true, Text: "the next token request of '" + p.name() + "', with the new secret, succeeds"},
			Steps: []usher.FixStep{
				{Text: "Be ready to roll the new secret out: it is shown once, and every program that has the old one is refused as soon as it is made.", Risk: usher.RiskNeutral},
				{Text: "Put the new secret into the secret store, and restart what reads it only at its start.", Risk: usher.RiskNeutral},
			},
		}, usher.Action{Kind: usher.ActionReplaceSecret}, nil)
	}
	if p.cause.Label != labelSecretInvalid {
		p.person(app)
	}
}
