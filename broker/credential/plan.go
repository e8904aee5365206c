package credential

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"usher"
	"usher/provider"
)

// Plan says what a rotation would do, and where one that is under way stands.
// Making it changes nothing.
type Plan struct {
	Name     string      `json:"name"`
	Client   string      `json:"client"`
	Object   string      `json:"object"` // "client 'shop' of realm 'shop' at http://127.0.0.1:8080"
	Version  int64       `json:"version"`
	Overlap  bool        `json:"overlap"`           // both work while callers move
	Steps    []PlanStep  `json:"steps"`             //
	Users    []PlanUser  `json:"users"`             // who is known to use the secret
	Retire   string      `json:"retire"`            // when the old one may be retired
	Undo     string      `json:"undo"`              //
	Right    string      `json:"right,omitempty"`   // the smallest right that it needs
	Refused  string      `json:"refused,omitempty"` // why it cannot be done
	Warnings []string    `json:"warnings,omitempty"`
	Rotation *RotationAt `json:"rotation,omitempty"` // where the one that is under way stands
}

// PlanStep is one step of a plan.
type PlanStep struct {
	Text    string `json:"text"`
	Where   string `json:"where,omitempty"`   // the provider, usher, the callers
	Request string `json:"request,omitempty"` // method and path at the provider
}

// PlanUser is who uses a secret.
type PlanUser struct {
	Name    string    `json:"name"`
	Version int64     `json:"version,omitempty"` // that it has; 0: not known
	Seen    time.Time `json:"seen,omitzero"`
	Text    string    `json:"text,omitempty"`
}

// Plan says what a rotation of a secret would do.
func (m *Manager) Plan(ctx context.Context, name string) (Plan, error) {
	r, err := m.load(ctx, name)
	if err != nil {
		return Plan{}, err
	}
	now := m.now().UTC()
	p := Plan{Name: name, Client: r.Config.ClientID, Version: r.current().N, Users: r.users(), Rotation: m.rotationAt(r, now)}
	secrets, err := m.secrets(&r.Config)
	if r.Config.Provider == "" {
		err = &usher.Error{Code: usher.ErrRefused, Message: "the secret names no provider that could be asked for another one"}
	}
	if err != nil {
		p.Refused = told(err)
		return p, nil
	}
	rules, list, err := m.look(ctx, secrets, r)
	if err != nil {
		if ctx.Err() != nil {
			return p, ctx.Err()
		}
		p.Refused = told(err)
		return p, nil
	}
	p.Object, p.Right, p.Overlap = rules.Place, rules.Right, rules.Overlap
	if !strings.Contains(p.Object, r.Config.ClientID) {
		p.Object = "client '" + r.Config.ClientID + "' of " + p.Object
	}
	if rules.Note != "" {
		p.Warnings = append(p.Warnings, rules.Note)
	}
	m.planSteps(&p, r, rules)
	active := 0
	for _, s := range list {
		if !s.Off {
			active++
		}
	}
	if rules.Overlap && rules.Most > 0 && active >= rules.Most && r.Rotation == nil {
		p.Refused = fmt.Sprintf("the client has %d secrets already, as many as it may have: retire one that nobody uses", active)
	}
	if v := r.current(); rules.Overlap && m.match(ctx, r, v, list) == nil && r.Rotation == nil {
		p.Warnings = append(p.Warnings, "which of the client's secrets at the provider is the one in use cannot be told: after the rotation you have to end it there yourself")
	}
	if r.Health.Outcome == usher.OutcomeWrong {
		p.Warnings = append(p.Warnings, "the secret in use does not work now: "+r.Health.Title)
	}
	return p, nil
}

func (m *Manager) planSteps(p *Plan, r *record, rules provider.SecretRules) {
	next := r.next()
	step := func(where, text, request string) {
		request = strings.ReplaceAll(request, "/clients/{id}", "/clients/"+url.PathEscape(p.Client))
		p.Steps = append(p.Steps, PlanStep{text, where, request})
	}
	quiet := r.Config.quiet()
	if !rules.Overlap {
		step("provider", fmt.Sprintf("make version %d; version %d works no more from that moment", next, p.Version), rules.Creates)
		step("usher", fmt.Sprintf("hand version %d out at once, before it is verified: there is nothing to wait for", next), "")
		step("callers", "fail until they have fetched it, and must fetch and try again after invalid_client", "")
		step("usher", "verify it, and tell until every caller has it", "")
		p.Retire = "it cannot be kept: the provider ends the old one when the new one is made"
		p.Undo = "cannot be undone: the old one is dead then. Another rotation makes another secret"
		return
	}
	step("provider", fmt.Sprintf("make version %d beside version %d", next, p.Version), rules.Creates)
	wait := ""
	if rules.Delay > 0 {
		wait = ", for up to " + span(rules.Delay) + " and as long as it takes"
	}
	step("usher", "try the new one until it works"+wait+"; nobody has it before", "")
	step("usher", fmt.Sprintf("hand version %d out: the connections of usher move at once", next), "")
	step("callers", "fetch it when they ask next; the old one goes on working", "")
	step("provider", fmt.Sprintf("retire version %d", p.Version), rules.Retires)
	p.Retire = "when every caller that is known presents the new one, and no use of the old one was seen for " + span(slack(quiet))
	if rules.UseTold {
		p.Retire += ", and the provider's log covers that time"
	}
	if rules.Grace > 0 {
		p.Retire += "; the provider ends it after " + span(rules.Grace) + " by itself, whoever still uses it"
		if rules.Grace < 2*quiet {
			p.Warnings = append(p.Warnings, "the provider's period of "+span(rules.Grace)+" is short beside the quiet time of "+span(slack(quiet))+": callers that are late fail")
		}
	}
	p.Undo = "until the old one is being retired: usher secrets undo " + p.Name
	if len(r.Callers) == 0 && len(r.Config.Callers) == 0 && r.Own.IsZero() && !rules.UseTold {
		p.Warnings = append(p.Warnings, "nobody fetches the secret from usher yet and no log tells which one is used: the old one will not be retired by itself")
	}
}

// users lists who is known to use a secret.
func (r *record) users() []PlanUser {
	users := []PlanUser{}
	for _, name := range r.names() {
		c := r.Callers[name]
		users = append(users, PlanUser{Name: name, Version: c.version(), Seen: c.Seen})
	}
	seen := map[string]bool{}
	for known := range r.Callers {
		seen[keyOf(known)] = true
	}
	for _, name := range r.Config.Callers {
		if !seen[name] {
			users = append(users, PlanUser{Name: name, Text: "never fetched it from usher"})
		}
	}
	if !r.Own.IsZero() {
		users = append(users, PlanUser{Name: OwnConnections, Version: r.current().N, Seen: r.Own})
	}
	for _, v := range r.Versions {
		if v.State != VersionEnded && !v.Logged.IsZero() {
			users = append(users, PlanUser{Name: v.UsedBy, Version: v.N, Seen: v.Logged, Text: "as the provider's log tells"})
		}
	}
	return users
}

// Retirement is what was shown to a person who wants the old secret retired.
type Retirement struct {
	Name    string `json:"name"`
	Version int64  `json:"version"` // that would be retired
	Holds   []Hold `json:"holds"`   // why usher does not retire it; none: it does by itself
	Confirm string `json:"confirm"` // what is to be sent back by who means it all the same
	Done    bool   `json:"done"`
}

// Retire ends the old secret of a rotation. Without confirm, and while something
// speaks against it, it only says what: who sends back what was shown means it,
// and that must still be all that speaks against it.
func (m *Manager) Retire(ctx context.Context, name, confirm, by string) (Retirement, error) {
	out := Retirement{Name: name, Holds: []Hold{}}
	now := m.now().UTC()
	r, err := m.change(ctx, name, func(r *record) error {
		out.Holds, out.Confirm, out.Done = []Hold{}, "", false
		old := r.old()
		switch {
		case r.Rotation == nil || r.Rotation.Step != StepMoving && r.Rotation.Step != StepRetiring:
			return &usher.Error{Code: usher.ErrRefused, Message: "the secret " + name + " has no old version that could be retired", Hint: "usher secrets shows where it stands"}
		case !r.Rotation.BackEnds.IsZero():
			return &usher.Error{
				Code: usher.ErrRefused, Message: "the provider can end version " + itoa(r.Rotation.To) + " of the secret " + name + " alone, which is the one that was handed out again",
				Hint: "hand version " + itoa(r.Rotation.From) + " out again: usher secrets undo " + name,
			}
		case old == nil:
			return &usher.Error{Code: usher.ErrRefused, Message: "the old version of the secret " + name + " works no more already"}
		}
		out.Version = old.N
		if r.Rotation.Step == StepRetiring {
			out.Done = true
			return errKeep
		}
		out.Holds = append(out.Holds, m.holdups(r, now)...)
		out.Confirm = confirmation(r, out.Holds)
		if len(out.Holds) > 0 && confirm != out.Confirm {
			if confirm != "" {
				return &usher.Error{Code: usher.ErrChanged, Message: "what speaks against retiring the old secret of " + name + " is not what you were shown", Hint: "look at it again"}
			}
			return errKeep
		}
		out.Done = true
		if len(out.Holds) > 0 {
			r.Rotation.Forced = by
		}
		r.Rotation.Next = now
		return nil
	})
	if err != nil {
		return out, err
	}
	if out.Done {
		if r.Rotation != nil && r.Rotation.Forced != "" {
			m.emit(ctx, &r.Config, "update", usher.StatusSuccess, "the old secret of `"+name+"` is to be retired without proof that nobody uses it", by)
		}
		m.Wake()
	}
	return out, nil
}

// confirmation names what was shown: the rotation and who still has the old
// secret, not since when.
func confirmation(r *record, holds []Hold) string {
	parts := []string{r.Config.Name, r.Rotation.ID, itoa(r.Rotation.From)}
	for _, h := range holds {
		parts = append(parts, h.Kind, h.Who)
	}
	return digest(parts...)
}

// Declare says that a person has ended the old secret at the provider, where
// usher cannot.
func (m *Manager) Declare(ctx context.Context, name, by string) error {
	now := m.now().UTC()
	var rot Rotation
	r, err := m.change(ctx, name, func(r *record) error {
		if r.Rotation == nil || r.Rotation.Step != StepRetiring || r.old() == nil {
			return &usher.Error{Code: usher.ErrRefused, Message: "the secret " + name + " has no version that waits to be ended by hand"}
		}
		rot = *r.Rotation
		r.end(rot.From, now, by+" ended it at the provider")
		r.finish(now, by+" ended the old one at the provider")
		return nil
	})
	if err != nil {
		return err
	}
	r.Rotation = &rot
	m.over(ctx, r, "a secret of `"+name+"` was ended at the provider by hand")
	return nil
}
