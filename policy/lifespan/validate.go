package lifespan

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Validate tells everything that is wrong with the policies, joined, each with
// its place.
func (s *Set) Validate() error {
	if s == nil {
		return nil
	}
	var all []error
	named := map[string]int{}
	for i := range s.Policies {
		p := &s.Policies[i]
		place := "policies[" + strconv.Itoa(i) + "]"
		if p.Name == "" {
			all = append(all, fmt.Errorf("%s has no name; give one, or default for what counts without a policy", place))
		} else {
			place += " (" + p.Name + ")"
			if first, ok := named[p.Name]; ok {
				all = append(all, fmt.Errorf("%s has the name of policies[%d]", place, first))
			}
			named[p.Name] = i
		}
		all = append(all, p.wrong(place)...)
	}
	for i := range s.Rules {
		r := &s.Rules[i]
		place := "rules[" + strconv.Itoa(i) + "]"
		if r.Scope == "" && r.Role == "" {
			all = append(all, fmt.Errorf("%s names neither a scope nor a role; what counts for all belongs into a policy of the name default", place))
		}
		if strings.ContainsAny(r.Scope, " \t\n") {
			all = append(all, fmt.Errorf("%s: scope is %q; a rule is about one scope", place, r.Scope))
		}
		if strings.Contains(strings.TrimSuffix(r.Scope, "*"), "*") {
			all = append(all, fmt.Errorf("%s: scope is %q; an asterisk may stand at its end alone", place, r.Scope))
		}
		if r.Policy == (Policy{Name: r.Policy.Name}) {
			all = append(all, fmt.Errorf("%s says nothing: give max_life, least_life or another value", place))
		}
		all = append(all, r.Policy.wrong(place)...)
	}
	return errors.Join(all...)
}

// Names lists the names of the policies, default among them.
func (s *Set) Names() []string {
	names := []string{Default().Name}
	if s == nil {
		return names
	}
	for _, p := range s.Policies {
		if p.Name != "" && p.Name != names[0] {
			names = append(names, p.Name)
		}
	}
	return names
}

// wrong tells what is wrong with the values of a policy.
func (p *Policy) wrong(place string) (all []error) {
	bad := func(f *field, v float64, why string) {
		all = append(all, fmt.Errorf("%s: %s is %s; %s", place, f.name, f.show(v), why))
	}
	for i := range fields {
		f := &fields[i]
		v := f.get(p)
		switch {
		case v == 0: // not said
		case v != v || v < 0:
			bad(f, v, "it cannot be negative")
		case f.name == "renew_at" && (v < 0.05 || v > 0.95):
			bad(f, v, "it is the part of the life after which a token is renewed, from 0.05 to 0.95")
		case f.name == "jitter" && v > 0.5:
			bad(f, v, "it is the part of the life over which renewals are spread, up to 0.5")
		case !f.part && time.Duration(v) > lives:
			bad(f, v, "it is longer than a hundred years")
		case !f.part && f.name != "least_life" && f.name != "renew_before" && time.Duration(v) < 10*time.Second:
			bad(f, v, "less than 10s would ask the provider all the time")
		}
	}
	if p.LeastLife > 0 && p.MaxLife > 0 && p.LeastLife >= p.MaxLife {
		all = append(all, fmt.Errorf("%s: least_life %s is promised of tokens that are used for max_life %s at most", place, span(time.Duration(p.LeastLife)), span(time.Duration(p.MaxLife))))
	}
	return all
}
