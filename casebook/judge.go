package casebook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"usher"
)

// verdict is what a success says about a fix.
type verdict struct {
	holds  bool
	near   string // why it does not, where it is of the same thing
	fields []usher.Comparison
	// suspect: the condition holds, and it proves nothing all the same.
	suspect bool
}

// judge holds a success against the condition of a fix. Every way out of this
// function but the last is a defence: it keeps a case from being called fixed.
func (t *turn) judge(c *usher.Case, cand candidate, ev *usher.Event) (verdict, error) {
	cond, r := &cand.fix.Proof, &c.Refusal
	if len(cond.Equal) == 0 || cond.Check != "" {
		return verdict{}, nil // nothing ties it to the refusal, or a check decides
	}
	connection, endpoint := r.Connection(), r.FaultyEndpoint()
	switch {
	case endpoint != "":
		if met, err := t.met(c, ev); err != nil || !met || ev.TokenEndpoint() != endpoint {
			return verdict{}, err // another endpoint, or a connection that never met the fault
		}
	case connection != "" && connection != ev.Connection():
		return verdict{}, nil // another connection, or a sign-in: this one's token is renewed by itself alone
	case connection == "" && r.Tenant != ev.Tenant:
		return verdict{}, nil // another tenant's clients have the same names
	}
	if !alike(r, ev) {
		return verdict{}, nil // what was granted before says nothing of what was refused since
	}
	if endpoint == "" && r.Resource.Known() && !ev.Resource.Is(r.Resource) && !slices.ContainsFunc(cond.Differ, isResource) {
		return verdict{}, nil // another API has other rules
	}
	equal, same := compareAll(r, ev, cond.Equal, "equal")
	if !same {
		near := ""
		if cand.run != nil && ev.Time.After(cand.run.Finished) {
			near = otherThan(equal)
		}
		return verdict{near: near}, nil // of something else
	}
	differ, changed := compareAll(r, ev, cond.Differ, "differ")
	granted, given := contains(ev, cond.Granted)
	if len(cond.Granted) > 0 && len(ev.OAuth.Granted) == 0 {
		return verdict{}, nil // what it was given is told by another event, if at all
	}
	v := verdict{fields: slices.Concat(equal, differ, granted)}
	switch {
	case !changed:
		v.near = sameStill(differ)
	case !given:
		v.near = "it was not given " + said(strings.Join(cond.Granted, " "), 200)
	case connection == "" && otherScopes(t.step(c), r, ev):
		v.near = "it asked for other scopes"
	case !ev.Time.After(c.Last):
		v.near = "it happened before the last refusal"
	case cond.Applied && cand.run == nil:
		v.near = "nobody has carried out or declared the fix"
	case cond.Applied && !ev.Time.After(cand.run.Finished):
		v.near = "it happened before the fix was carried out"
	case cond.Applied && ev.Time.After(cand.run.Finished.Add(t.within(cond))):
		v.near = fmt.Sprintf("it came more than %s after the fix", span(t.within(cond)))
	default:
		why, err := t.suspect(c, cand, ev)
		if err != nil {
			return verdict{}, err
		}
		v.near, v.holds, v.suspect = why, why == "", why != ""
	}
	return v, nil
}

// suspect says why a success that meets the condition proves nothing all the
// same: an attacker had it, or a rule gave way.
func (t *turn) suspect(c *usher.Case, cand candidate, ev *usher.Event) (string, error) {
	attack, err := t.attackFrom(ev)
	if err != nil {
		return "", err
	}
	if attack != nil {
		return fmt.Sprintf("it came from an address that is attacking (case %d)", attack.ID), nil
	}
	return t.weakened(c, cand, ev.Time)
}

// alike tells whether a success is of the sort of a refusal. An old token that
// an API takes, or an old session that goes on silently, says nothing of a
// sign-in that was refused.
func alike(r, ev *usher.Event) bool {
	for _, kind := range [...]usher.EventKind{usher.EventSession, usher.EventAPI} {
		if (r.Kind == kind) != (ev.Kind == kind) {
			return false
		}
	}
	if r.Connection() != "" {
		return true // a connection that is renewed is what it is to be, whichever grant was refused
	}
	return !goesOn(ev) || goesOn(r)
}

// goesOn tells whether an event lives on what was granted before.
func goesOn(ev *usher.Event) bool {
	return ev.Kind == usher.EventSilentSignIn || ev.OAuth.GrantType == "refresh_token"
}

func isResource(path string) bool { return path == "resource" || path == "resource.uid" }

// otherScopes tells whether a success got around a refused consent by asking
// for something else.
func otherScopes(step usher.Step, r, ev *usher.Event) bool {
	a, _ := r.Field("oauth.scopes_requested")
	b, _ := ev.Field("oauth.scopes_requested")
	return step == usher.StepConsent && a != "" && b != "" && a != b
}

func (t *turn) within(cond *usher.ProofCondition) time.Duration {
	if cond.Within > 0 {
		return time.Duration(cond.Within)
	}
	return t.opt.ProofWithin
}

// compareAll compares fields of the refusal and of the success. What one of
// them does not know does not hold.
func compareAll(r, ev *usher.Event, paths []string, must string) (list []usher.Comparison, all bool) {
	all = true
	for _, path := range paths {
		a, known := r.Field(path)
		b, _ := ev.Field(path)
		holds := known && a != "" && b != "" && (a == b) == (must == "equal")
		list = append(list, usher.Comparison{Field: path, Must: must, Refusal: clip(a, 300), Success: clip(b, 300), Holds: holds})
		all = all && holds
	}
	return list, all
}

// contains tells whether a success was given the scopes that it must have been
// given.
func contains(ev *usher.Event, scopes []string) (list []usher.Comparison, all bool) {
	all = true
	for _, scope := range scopes {
		holds := slices.Contains(ev.OAuth.Granted, scope)
		got, _ := ev.Field("oauth.scopes_granted")
		list = append(list, usher.Comparison{Field: "oauth.scopes_granted", Must: "contain", Refusal: clip(scope, 300), Success: clip(got, 300), Holds: holds})
		all = all && holds
	}
	return list, all
}

// sameStill says which field that must differ does not.
func sameStill(fields []usher.Comparison) string {
	for _, f := range fields {
		switch name := "the " + usher.FieldName(f.Field); {
		case f.Holds:
		case f.Refusal == "" || f.Success == "":
			return "the records do not tell " + name + ", which must differ"
		default:
			return name + " is the refused one"
		}
	}
	return ""
}

// otherThan says which field of the request is not that of the refusal, or
// nothing where another client, user or API is at it.
func otherThan(fields []usher.Comparison) (why string) {
	for _, f := range fields {
		switch name := "the " + usher.FieldName(f.Field); {
		case f.Holds:
		case !strings.HasPrefix(f.Field, "oauth."):
			return ""
		case why != "":
		case f.Refusal == "" || f.Success == "":
			why = "the records do not tell " + name + ", which must be the refused one"
		default:
			why = name + " is " + marked(f.Success, 150) + ", the refused one was " + marked(f.Refusal, 150)
		}
	}
	return why
}

// crowded tells whether a case holds many things at once.
func crowded(c *usher.Case) bool { return strings.HasPrefix(c.Fingerprint, crowdPrefix) }
