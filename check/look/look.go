// Package look looks at a configuration once: it reads what was given, gathers
// what the provider publishes, probes where it may, and judges.
package look

import (
	"context"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/check/all"
	"usher/check/read"
	"usher/evidence"
	"usher/guard"
	"usher/oauth"
)

// Request says what to look at, and how.
type Request struct {
	Issuer string // of the provider to ask; empty: nothing is asked
	Inputs []evidence.Input
	// What the client sends, as the operator says it; each may be empty.
	ClientID, RedirectURI string
	Scopes                []string
	Resource              string // address of an API whose metadata is asked for

	Provider string   // name of the provider; empty: told by the evidence
	Profile  string   // empty: default
	Only     []string // ids or groups of checks; empty: all
	Skip     []string
	Expect   *check.Expect

	Client   *guard.Client // nil: nothing goes out
	Previous []*check.Seen
	Now      func() time.Time // nil: time.Now
	Progress func(string)     // is told what is being done; may be nil
}

// Result is what was found, with what it was found in.
type Result struct {
	Answer usher.Answer
	Checks []*check.Check // that were asked
	Target *check.Target
}

// At looks once. The error, a *usher.Error, is for a request that cannot be
// carried out; a provider that does not answer is a finding.
func At(ctx context.Context, r Request) (*Result, error) {
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.Progress == nil {
		r.Progress = func(string) {}
	}
	profile, err := check.ProfileNamed(r.Profile)
	if err != nil {
		return nil, err
	}
	checks, err := Select(all.Checks(), profile, r.Only, r.Skip)
	if err != nil {
		return nil, err
	}
	set, err := inputs(r.Inputs)
	if err != nil {
		return nil, err
	}
	t := &check.Target{Now: r.Now(), Issuer: r.Issuer, Profile: profile, Expect: r.Expect, Previous: r.Previous}
	read.Add(t, set)
	said(t, &r)
	read.Settle(t, r.Provider)
	a := usher.Answer{Version: usher.AnswerVersion, Evidence: []usher.Evidence{}, Ignored: set.Ignored}
	a.Notes = append(append(a.Notes, set.Notes...), read.Contradictions(t)...)
	for i := range set.Items {
		a.Evidence = append(a.Evidence, set.Items[i].Evidence)
	}
	a.Findings, a.Missing = check.Run(t, checks)
	a.Answered = slices.ContainsFunc(a.Findings, func(f usher.Finding) bool {
		return f.Outcome == usher.OutcomeWrong || f.Outcome == usher.OutcomeOK
	})
	return &Result{Answer: a, Checks: checks, Target: t}, nil
}

// inputs reads the files. Each that cannot be used is named in the error: a
// check that silently left out a file would call the rest in order.
func inputs(list []evidence.Input) (*evidence.Set, error) {
	if len(list) == 0 {
		return &evidence.Set{}, nil
	}
	set, err := evidence.Read(list)
	if err != nil {
		return nil, err
	}
	var bad []string
	for _, in := range list {
		if !slices.ContainsFunc(set.Items, func(it evidence.Item) bool { return of(it.Place, in.Name) && usable(&it) }) {
			bad = append(bad, in.Name+": "+reason(set, in.Name))
		}
	}
	if len(bad) == 0 {
		return set, nil
	}
	return nil, &usher.Error{
		Code: usher.ErrUnreadable, Message: strings.Join(bad, "; "),
		Hint: "expected a registration, a discovery document, keys, a token or its answer, a request, a HAR or a log, in JSON or as text",
	}
}

// of tells whether a place lies in an input.
func of(place, name string) bool {
	rest, ok := strings.CutPrefix(place, name)
	return ok && (rest == "" || rest[0] == ':' || rest[0] == '#' || rest[0] == ' ')
}

// usable tells whether a check can judge an item.
func usable(it *evidence.Item) bool {
	switch it.Kind {
	case usher.KindStatement, usher.KindErrorText, usher.KindErrorPage:
		return it.Error != nil
	case usher.KindContext:
		return len(it.Facts) > 0
	}
	return true
}

func reason(set *evidence.Set, name string) string {
	for _, ig := range set.Ignored {
		if of(ig.Place, name) {
			return strings.TrimPrefix(strings.TrimPrefix(ig.Place, name), ":") + " " + ig.Reason
		}
	}
	return "nothing in it can be checked"
}

// said adds what the operator says that the client sends.
func said(t *check.Target, r *Request) {
	if r.ClientID == "" && r.RedirectURI == "" && len(r.Scopes) == 0 {
		return
	}
	t.Request = &oauth.AuthorizationRequest{ClientID: r.ClientID, RedirectURI: r.RedirectURI, Scope: r.Scopes}
	t.AuthCalls = append(t.AuthCalls, &check.AuthCall{Place: "the command line", Request: t.Request, Partial: true})
}

// Select gives the checks that were asked for: ids or groups in only (all when
// it is empty), less those in skip and those that the profile leaves out.
func Select(checks []*check.Check, profile *check.Profile, only, skip []string) ([]*check.Check, error) {
	for _, name := range slices.Concat(only, skip) {
		if !slices.ContainsFunc(checks, func(c *check.Check) bool { return named(c, name) }) {
			return nil, unknownCheck(checks, name)
		}
	}
	in := func(names []string, c *check.Check) bool {
		return slices.ContainsFunc(names, func(name string) bool { return named(c, name) })
	}
	var out []*check.Check
	for _, c := range checks {
		if (len(only) == 0 && !slices.Contains(profile.Skips, c.ID) || in(only, c)) && !in(skip, c) {
			out = append(out, c)
		}
	}
	return out, nil
}

func named(c *check.Check, name string) bool { return c.ID == name || string(c.Group) == name }

func unknownCheck(checks []*check.Check, name string) error {
	words := []string{}
	for _, c := range checks {
		words = append(words, c.ID)
		if !slices.Contains(words, string(c.Group)) {
			words = append(words, string(c.Group))
		}
	}
	return &usher.Error{
		Code: usher.ErrUsage, Message: "no check and no group is called " + name,
		Hint: "did you mean " + check.Nearest(name, words) + "? usher check --list names them all",
	}
}
