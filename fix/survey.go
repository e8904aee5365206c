package fix

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/provider"
)

// survey is what was seen at the provider, and the plan that follows.
type survey struct {
	admin  provider.Admin
	client *usher.Client
	plan   usher.FixPlan
}

// survey looks at the provider and makes the plan of one fix. because are
// reasons, found elsewhere, why it weakens security.
func (f *Fixer) survey(ctx context.Context, caseID int64, fix usher.Fix, because []string) (*survey, error) {
	a := fix.Action
	admin, err := f.admin(a)
	if err != nil {
		return nil, err
	}
	can := admin.Capabilities()
	how, ok := can.Actions[a.Kind]
	if !ok {
		return nil, &usher.Error{
			Code: usher.ErrRefused, Message: "usher cannot do " + clip(string(a.Kind)) + " at " + can.Place, Err: quiet{provider.ErrUnsupported},
			Hint: "do it by hand, and tell usher that it is done",
		}
	}
	if a.Client == can.Account {
		return nil, never("'" + clip(a.Client) + "' is the client that usher itself signs in with, which it does not change")
	}
	s := &survey{admin: admin}
	if s.client, err = admin.Client(ctx, a.Client); err != nil {
		return nil, err
	}
	s.plan = usher.FixPlan{
		Case: caseID, Fix: fix, Made: f.opt.Now().UTC(), Object: "client '" + clip(a.Client) + "' of " + can.Place,
		Request: strings.NewReplacer("{uid}", s.client.UID, "{scope}", clip(a.Scope)).Replace(how.Request), Right: how.Right,
	}
	weakens, err := s.differ(ctx, how.Field)
	if err != nil {
		return nil, err
	}
	if slices.Contains(can.BuiltIn, a.Client) {
		weakens = append(weakens, "'"+a.Client+"' is a client of the provider itself, which its own consoles sign in with")
	}
	s.plan.Weakens = distinct(weakens, because)
	s.plan.Fix.Risk = risk(fix.Risk, s.plan.Weakens)
	if s.plan.ID, err = fingerprint(s.plan, relevant(a.Kind, s.client)); err != nil {
		return nil, err
	}
	return s, nil
}

// risk is what a judged plan does to security.
func risk(proposed usher.Risk, weakens []string) usher.Risk {
	switch {
	case len(weakens) > 0:
		return usher.RiskWeakening
	case proposed == usher.RiskWeakening || !proposed.Valid():
		return usher.RiskNeutral // it looked worse before the registration was known
	}
	return proposed
}

func distinct(lists ...[]string) (all []string) {
	for _, s := range slices.Concat(lists...) {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// differ fills in the difference and how it is taken back, and gives why it
// weakens security.
func (s *survey) differ(ctx context.Context, field string) (weakens []string, err error) {
	a, c, p := s.plan.Fix.Action, s.client, &s.plan
	p.Diff = []usher.Difference{} // no difference is a list too
	switch a.Kind {
	case usher.ActionAddRedirectURI, usher.ActionReplaceRedirectURI:
		j := JudgeRedirect(a.URI, c)
		if j.Never != "" {
			return nil, never(j.Never)
		}
		if !slices.Contains(c.RedirectURIs, a.URI) {
			p.Diff = append(p.Diff, usher.Difference{Field: field, To: a.URI})
			weakens = j.Weakens
		}
		p.Undo = "usher takes " + clip(a.URI) + " out of the list again"
		if a.Kind == usher.ActionReplaceRedirectURI && slices.Contains(c.RedirectURIs, a.From) && a.From != a.URI {
			p.Diff = append([]usher.Difference{{Field: field, From: a.From}}, p.Diff...)
			p.Undo += " and puts " + clip(a.From) + " back"
		}
		return weakens, nil
	case usher.ActionAllowScope:
		p.Undo = "usher takes the scope from the client again; tokens that have it keep it until they expire"
		if slices.Contains(c.OptionalScopes, a.Scope) || slices.Contains(c.DefaultScopes, a.Scope) {
			return nil, nil
		}
		scope, err := s.admin.Scope(ctx, a.Scope)
		if err != nil {
			return nil, err
		}
		j := JudgeScope(a.Scope, scope)
		if j.Never != "" {
			return nil, never(j.Never)
		}
		p.Diff = append(p.Diff, usher.Difference{Field: field, To: a.Scope})
		return j.Weakens, nil
	case usher.ActionEnableClient:
		p.Undo = "usher switches the client off again"
		if c.Disabled {
			p.Diff = append(p.Diff, usher.Difference{Field: field, From: "false", To: "true"})
		}
		return nil, nil
	case usher.ActionReplaceSecret:
		if c.Public {
			return nil, never("the client is public: it has no secret that could be replaced")
		}
		p.Diff = append(p.Diff, usher.Difference{Field: field, From: secretName(c), To: "a new secret, made by the provider and shown once"})
		p.Undo = "it cannot be taken back: the provider throws the old secret away, and every program that still has it is refused from then on"
		return nil, nil
	}
	return nil, never("usher does not know how to do " + clip(string(a.Kind)))
}

func never(why string) error {
	return &usher.Error{
		Code: usher.ErrRefused, Message: why, Err: quiet{provider.ErrUnsupported},
		Hint: "usher never does this; whoever is sure does it by hand at the provider",
	}
}

// secretName names a secret without showing anything of it.
func secretName(c *usher.Client) string {
	if c.SecretCreated.IsZero() {
		return "the present secret"
	}
	return "the secret of " + c.SecretCreated.UTC().Format(time.RFC3339)
}

// relevant is the state that a plan rests on: when it changes, the plan is
// stale. The rest of the client may change meanwhile.
func relevant(kind usher.ActionKind, c *usher.Client) *usher.Client {
	r := &usher.Client{ID: c.ID, UID: c.UID, Tenant: c.Tenant, Disabled: c.Disabled, Public: c.Public}
	switch kind {
	case usher.ActionAddRedirectURI, usher.ActionReplaceRedirectURI:
		r.RedirectURIs, r.WebOrigins, r.RootURL = ordered(c.RedirectURIs), ordered(c.WebOrigins), c.RootURL
	case usher.ActionAllowScope:
		r.DefaultScopes, r.OptionalScopes = ordered(c.DefaultScopes), ordered(c.OptionalScopes)
	case usher.ActionReplaceSecret:
		r.SecretCreated, r.SecretExpires, r.AuthMethod = c.SecretCreated, c.SecretExpires, c.AuthMethod
		r.Name = c.SecretMark // which has no JSON form of its own
	}
	return r
}

func ordered(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// fingerprint is the id of a plan: a hash of all of it but the time it was
// made, and of the state that it rests on. So the same plan made twice has one
// id, and a server that was started anew can hold a confirmation against it.
func fingerprint(p usher.FixPlan, state *usher.Client) (string, error) {
	p.ID, p.Made = "", time.Time{}
	text, err := json.Marshal(struct {
		Plan  usher.FixPlan
		State *usher.Client
	}{p, state})
	if err != nil {
		return "", &usher.Error{Code: usher.ErrInternal, Message: "the plan cannot be written as JSON", Err: err}
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]), nil
}

// write makes the difference at the provider.
func (s *survey) write(ctx context.Context) (usher.Secret, error) {
	a, c := s.plan.Fix.Action, s.client
	switch a.Kind {
	case usher.ActionAddRedirectURI, usher.ActionReplaceRedirectURI:
		to := slices.Clone(c.RedirectURIs)
		for _, d := range s.plan.Diff {
			if d.From != "" {
				to = slices.DeleteFunc(to, func(u string) bool { return u == d.From })
			}
			if d.To != "" {
				to = append(to, d.To)
			}
		}
		return "", s.admin.SetRedirectURIs(ctx, a.Client, c.RedirectURIs, to)
	case usher.ActionAllowScope:
		return "", s.admin.AllowScope(ctx, a.Client, a.Scope)
	case usher.ActionEnableClient:
		return "", s.admin.SetEnabled(ctx, a.Client, true)
	case usher.ActionReplaceSecret:
		return s.admin.ReplaceSecret(ctx, c)
	}
	return "", errors.New("no such action") // differ has refused it
}

// reached tells whether a client is as an action wants it.
func reached(a *usher.Action, c *usher.Client) bool {
	switch a.Kind {
	case usher.ActionAddRedirectURI:
		return slices.Contains(c.RedirectURIs, a.URI)
	case usher.ActionReplaceRedirectURI:
		return slices.Contains(c.RedirectURIs, a.URI) && (a.From == a.URI || !slices.Contains(c.RedirectURIs, a.From))
	case usher.ActionAllowScope:
		return slices.Contains(c.OptionalScopes, a.Scope) || slices.Contains(c.DefaultScopes, a.Scope)
	case usher.ActionEnableClient:
		return !c.Disabled
	}
	return false
}
