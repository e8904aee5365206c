package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usher/check"
	"usher/check/all"
	"usher/provider/knowledge"
)

// providersPage is what usher knows of providers, for a person.
func providersPage() []byte {
	var b bytes.Buffer
	b.WriteString("# What usher knows of providers\n\nDated facts that `usher check` judges by: what a provider can do although its metadata is silent, its limits, its scopes by what they open, what it has ended, and how it departs from the standard. This page is made from the source (`make docs`), `provider/knowledge`. Where a fact is wrong, the source named beside it decides: please say so.\n")
	for _, p := range knowledge.All() {
		if p.Name == "generic" {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\nName: `%s`. As of %s. Redirect rule: `%s`.", p.Title, p.Name, p.AsOf, p.Redirect)
		if len(p.Issuers) > 0 {
			fmt.Fprintf(&b, " Issuers: `%s`.", strings.Join(p.Issuers, "`, `"))
		}
		b.WriteString("\n")
		for _, s := range p.Sources {
			fmt.Fprintf(&b, "\n- <%s>", s)
		}
		b.WriteString("\n\n| can | | note | from |\n|---|---|---|---|\n")
		for _, name := range slices.Sorted(maps.Keys(p.Can)) {
			a := p.Can[name]
			yes := "no"
			if a.Can {
				yes = "yes"
			}
			if a.Since != "" {
				yes += ", since " + a.Since
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, yes, a.Note, a.From)
		}
		if len(p.Limits) > 0 {
			b.WriteString("\n| limit | value | note | from |\n|---|---:|---|---|\n")
			for _, name := range slices.Sorted(maps.Keys(p.Limits)) {
				l := p.Limits[name]
				fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", name, l.Value, l.Note, l.From)
			}
		}
		b.WriteString("\n| departs from the standard | from which | effect | from |\n|---|---|---|---|\n")
		for _, q := range p.Quirks {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", q.Says, q.Standard, q.Effect, q.From)
		}
		for _, e := range p.Ended {
			fmt.Fprintf(&b, "\nEnded on %s: %s. Instead: %s (%s).\n", e.On, e.What, e.Instead, e.From)
		}
	}
	return b.Bytes()
}

// checksPage lists every check and profile.
func checksPage() []byte {
	var b bytes.Buffer
	b.WriteString("# Checks\n\nWhat `usher check` asks. Ids never change once they are out. *Offline* checks judge what was given, *passive* ones what a provider publishes, *active* ones the answer to a probe (`--probe`; S2 also needs `--change`; `lab` are asked in usher's own tests alone). This page is made from the source (`make docs`).\n")
	group := check.Group("")
	for _, c := range all.Checks() {
		if c.Group != group {
			group = c.Group
			fmt.Fprintf(&b, "\n## %s\n\n| check | severity | mode | in order is | judged by | where |\n|---|---|---|---|---|---|\n", group)
		}
		mode := string(c.Mode)
		if c.Probe != nil {
			mode += ", " + string(c.Probe.Safety)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", c.ID, c.Severity, mode, cell(c.Title), cell(c.Judged), cell(strings.Join(c.References, "; ")))
	}
	b.WriteString("\n## Profiles\n\n| profile | is | requires |\n|---|---|---|\n")
	for _, p := range check.Profiles() {
		fmt.Fprintf(&b, "| `%s` | %s. %s | %s |\n", p.Name, cell(p.Title), cell(p.Says), cell(strings.Join(p.Requires, ", ")))
	}
	return b.Bytes()
}

func cell(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "|", "\\|"), "\n", " ")
}
