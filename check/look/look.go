// Package look looks at a configuration once: it reads what was given, gathers
// what the provider publishes, probes where it may, and judges.
package look

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/check/all"
	"usher/check/live"
	"usher/check/probe"
	"usher/check/read"
	"usher/evidence"
	"usher/guard"
	"usher/oauth"
	"usher/provider/snapshot"
)

// Request says what to look at, and how.
type Request struct {
	Issuer string // of the provider to ask; empty: nothing is asked
	Inputs []evidence.Input
	Lost   []string        // files that could not be opened, with the reason; they are named beside those that cannot be read
	Items  []evidence.Item // evidence that was read already: a registration that was asked for
	// What the client sends, as the operator says it; each may be empty.
	ClientID, RedirectURI string
	Scopes                []string
	Resource              string // address of an API whose metadata is asked for

	Provider string   // name of the provider; empty: told by the evidence
	Profile  string   // empty: default
	Only     []string // ids or groups of checks; empty: all
	Skip     []string
	Expect   *check.Expect

	Client   *guard.Client  // nil: nothing goes out
	Trust    []string       // further origins that are the provider's own
	Probe    *probe.Options // nil: nothing is probed; ids, secrets and limits of what is
	Previous []*snapshot.Look
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
	set, err := inputs(&r)
	if err != nil {
		return nil, err
	}
	t := &check.Target{Now: r.Now(), Issuer: r.Issuer, Profile: profile, Expect: r.Expect, Previous: r.Previous}
	if r.Expect != nil && t.Issuer == "" {
		t.Issuer = r.Expect.Issuer
	}
	read.Add(t, set)
	if len(r.Items) > 0 {
		read.Add(t, &evidence.Set{Items: r.Items})
	}
	said(t, &r)
	read.Settle(t, r.Provider)
	if r.Client != nil {
		if err := live.Gather(ctx, r.Client, t, live.Options{
			Issuer: r.Issuer, Trust: r.Trust, Resource: r.Resource, ClientID: r.ClientID, RedirectURI: r.RedirectURI,
			Scope: strings.Join(r.Scopes, " "), Now: r.Now, Progress: r.Progress,
		}); err != nil {
			return nil, err
		}
		read.Settle(t, r.Provider)
		if r.Probe != nil {
			if err := ask(ctx, t, checks, &r); err != nil {
				return nil, err
			}
		}
	}
	a := usher.Answer{Version: usher.AnswerVersion, Evidence: []usher.Evidence{}, Ignored: set.Ignored}
	a.Notes = append(append(a.Notes, set.Notes...), read.Contradictions(t)...)
	a.Evidence = append(a.Evidence, gathered(t)...)
	for i := range set.Items {
		a.Evidence = append(a.Evidence, set.Items[i].Evidence)
	}
	a.Findings, a.Missing = check.Run(t, checks)
	a.Notes = append(a.Notes, silence(t, &r, a.Findings)...)
	a.Notes = append(a.Notes, quirks(t.Provider, a.Findings)...)
	a.Answered = slices.ContainsFunc(a.Findings, func(f usher.Finding) bool {
		return f.Outcome == usher.OutcomeWrong || f.Outcome == usher.OutcomeOK
	})
	return &Result{Answer: a, Checks: checks, Target: t}, nil
}

// ask probes for the checks that were asked for.
func ask(ctx context.Context, t *check.Target, checks []*check.Check, r *Request) error {
	opt := *r.Probe
	opt.ClientID, opt.RedirectURI, opt.Scope, opt.Resource, opt.Now = r.ClientID, r.RedirectURI, strings.Join(r.Scopes, " "), r.Resource, r.Now
	t.Secret = opt.Secret
	opt.Only = nil
	for _, c := range checks {
		if _, ok := probe.IDs()[c.ID]; ok {
			opt.Only = append(opt.Only, c.ID)
		}
	}
	if len(opt.Only) == 0 {
		return nil
	}
	return probe.Run(ctx, r.Client, t, opt)
}

// gathered tells what was got over the network, as evidence.
func gathered(t *check.Target) []usher.Evidence {
	var out []usher.Evidence
	for _, m := range t.Metadata {
		if m.URL != "" {
			out = append(out, usher.Evidence{Kind: usher.KindDiscovery, Place: m.Place, Provider: t.Provider.Name, Summary: "discovery document of " + m.Issuer})
		}
	}
	for _, k := range t.KeySets {
		if k.URL != "" {
			out = append(out, usher.Evidence{Kind: usher.KindKeySet, Place: k.Place, Provider: t.Provider.Name, Summary: fmt.Sprintf("key set of %d keys", len(k.Keys))})
		}
	}
	for _, r := range t.Resources {
		if r.URL != "" {
			out = append(out, usher.Evidence{Kind: usher.KindDiscovery, Place: r.Place, Summary: "metadata of the protected resource " + r.Resource})
		}
	}
	return out
}

// silence says, when the provider could not be reached, what is unknown for it
// and what was judged all the same.
func silence(t *check.Target, r *Request, findings []usher.Finding) []string {
	if r.Client == nil || r.Issuer == "" || len(t.Metadata) > 0 {
		return nil
	}
	why := "no answer"
	for _, a := range t.Answers {
		if a.Role != "discovery" {
			continue
		}
		if why = a.Err; why == "" {
			why = fmt.Sprintf("status %d", a.Status)
		}
		break
	}
	judged, unknown := 0, 0
	for i := range findings {
		switch findings[i].Outcome {
		case usher.OutcomeOK, usher.OutcomeWrong:
			judged++
		case usher.OutcomeUnknown:
			unknown++
		}
	}
	return []string{fmt.Sprintf("%s could not be read (%s): %d checks are unknown now, %d were judged all the same", r.Issuer, why, unknown, judged)}
}

// inputs reads the files. Each that cannot be used is named in the error: a
// check that silently left out a file would call the rest in order.
func inputs(r *Request) (*evidence.Set, error) {
	bad := slices.Clone(r.Lost)
	set := &evidence.Set{}
	if len(r.Inputs) > 0 {
		var err error
		if set, err = evidence.Read(r.Inputs); err != nil {
			for _, in := range r.Inputs {
				if _, err := evidence.Read([]evidence.Input{in}); err != nil {
					bad = append(bad, alone(in.Name, err))
				}
			}
			return nil, unreadable(bad)
		}
	}
	for _, in := range r.Inputs {
		if why := unusable(set, in.Name); why != "" {
			bad = append(bad, in.Name+": "+why)
		}
	}
	if len(bad) > 0 {
		return nil, unreadable(bad)
	}
	return set, nil
}

// alone is what is wrong with one input, with its name in front once.
func alone(name string, err error) string {
	text := err.Error()
	if strings.HasPrefix(text, name) {
		return text
	}
	return name + ": " + text
}

func unreadable(bad []string) error {
	return &usher.Error{
		Code: usher.ErrUnreadable, Message: strings.Join(bad, "; "),
		Hint: "expected a registration, a discovery document, keys, a token or its answer, a request, a HAR or a log, in JSON or as text",
	}
}

// unusable says why an input cannot be judged; empty when it can. A document
// that ends in the middle cannot: of what is not there nobody knows whether it
// was cut off.
func unusable(set *evidence.Set, name string) string {
	document, some := false, false
	for i := range set.Items {
		it := &set.Items[i]
		if !of(it.Place, name) {
			continue
		}
		some = some || usable(it)
		document = document || it.Kind == usher.KindDiscovery || it.Kind == usher.KindKeySet || it.Kind == usher.KindRegistration
	}
	if !some {
		return reason(set, name)
	}
	for _, place := range set.Cut {
		if document && of(place, name) {
			return "it ends in the middle (" + strings.TrimPrefix(place, name+":") + ")"
		}
	}
	return ""
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
		if (len(only) == 0 && profile.Counts(c.ID) || in(only, c)) && !in(skip, c) {
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
	hint := "usher check --list names them all"
	if near := check.Nearest(name, words); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return &usher.Error{Code: usher.ErrUsage, Message: "no check and no group is called " + name, Hint: hint}
}
