package main

import (
	"encoding/json"
	"fmt"

	"usher"
	"usher/check"
	"usher/check/all"
	"usher/provider/knowledge"
)

// listedCheck is one check of check --list --format json.
type listedCheck struct {
	ID         string         `json:"check"`
	Group      string         `json:"group"`
	Mode       string         `json:"mode"`
	Severity   usher.Severity `json:"severity"`
	Title      string         `json:"title"`
	Judged     string         `json:"judged,omitempty"`
	Cause      string         `json:"cause,omitempty"`
	Probe      string         `json:"probe,omitempty"`
	Safety     string         `json:"safety,omitempty"`
	References []string       `json:"references"`
}

type listedProfile struct {
	Name     string   `json:"profile"`
	Title    string   `json:"title"`
	Says     string   `json:"says,omitempty"`
	Requires []string `json:"requires,omitempty"`
}

// listedProvider is what is known of a provider. A fact is true as of a day, and
// names where it is written.
type listedProvider struct {
	Name    string                       `json:"provider"`
	Title   string                       `json:"title"`
	AsOf    string                       `json:"as_of"`
	Sources []string                     `json:"sources"`
	Issuers []string                     `json:"issuers,omitempty"` // a star is any run of characters but a slash
	Can     map[string]knowledge.Ability `json:"can,omitempty"`
	Limits  map[string]knowledge.Limit   `json:"limits,omitempty"`
	Quirks  []knowledge.Quirk            `json:"quirks,omitempty"`
	Ended   []knowledge.Ended            `json:"ended,omitempty"`
}

// list prints every check, every profile and every provider that is known.
func (c *CheckCmd) list(env *Env) error {
	var checks []listedCheck
	for _, k := range all.Checks() {
		l := listedCheck{
			ID: k.ID, Group: string(k.Group), Mode: string(k.Mode), Severity: k.Severity, Title: k.Title,
			Judged: k.Judged, Cause: k.Cause, References: append([]string{}, k.References...),
		}
		if k.Probe != nil {
			l.Probe, l.Safety = k.Probe.What, string(k.Probe.Safety)
		}
		checks = append(checks, l)
	}
	switch c.Format {
	case "json":
		var profiles []listedProfile
		for _, p := range check.Profiles() {
			profiles = append(profiles, listedProfile{p.Name, p.Title, p.Says, p.Requires})
		}
		var providers []listedProvider
		for _, p := range knowledge.All() {
			providers = append(providers, listedProvider{p.Name, p.Title, p.AsOf, p.Sources, p.Issuers, p.Can, p.Limits, p.Quirks, p.Ended})
		}
		enc := json.NewEncoder(env.Stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(struct {
			Version   int              `json:"version"`
			Checks    []listedCheck    `json:"checks"`
			Profiles  []listedProfile  `json:"profiles"`
			Providers []listedProvider `json:"providers"`
		}{1, checks, profiles, providers})
	case "text":
	default:
		return &usher.Error{Code: usher.ErrUsage, Message: "--list has no form " + c.Format, Hint: "use --format text or json"}
	}
	group := ""
	for _, k := range checks {
		if k.Group != group {
			group = k.Group
			fmt.Fprintf(env.Stdout, "\n%s\n", group)
		}
		fmt.Fprintf(env.Stdout, "  %-28s %-8s %-8s %s\n", k.ID, k.Severity, k.Mode, k.Title)
	}
	fmt.Fprintf(env.Stdout, "\nprofiles\n")
	for _, p := range check.Profiles() {
		fmt.Fprintf(env.Stdout, "  %-28s %s\n", p.Name, p.Title)
	}
	fmt.Fprintf(env.Stdout, "\nproviders, as of\n")
	for _, p := range knowledge.All() {
		fmt.Fprintf(env.Stdout, "  %-28s %s  %s: %d facts, %d quirks\n", p.Name, p.AsOf, p.Title, len(p.Can)+len(p.Limits)+len(p.Scopes), len(p.Quirks))
	}
	return nil
}
