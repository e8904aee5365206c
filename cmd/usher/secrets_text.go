package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"usher"
	"usher/broker/credential"
	"usher/report"
)

// writeSecrets writes one line a secret, and below it what comes next.
func writeSecrets(env *Env, list []credential.View) {
	if len(list) == 0 {
		fmt.Fprintln(env.Stdout, "There is no managed secret yet: usher secrets add NAME --client-id ID --provider NAME --secret-file FILE.")
		return
	}
	now := env.Now()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SECRET\tCLIENT\tPROVIDER\tAGE\tENDS\tVERSION\tWORKS\tSTILL USE THE OLD ONE")
	for i := range list {
		v := &list[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", report.Inert(v.Config.Name), report.Inert(v.Config.ClientID), report.Inert(cmp.Or(v.Config.Provider, "-")),
			age(v.Born, now), ends(v.Expires, now), v.Version, outcomeWord(v.Health.Outcome), stillUse(v))
	}
	_ = w.Flush() // of a buffer
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	for i, line := range lines {
		fmt.Fprintln(env.Stdout, strings.TrimRight(line, " "))
		if i > 0 {
			fmt.Fprintln(env.Stdout, "  next: "+nextOf(&list[i-1]))
		}
	}
}

// nextOf says what comes next and whose turn it is.
func nextOf(v *credential.View) string {
	text := report.Line(report.SentenceText(v.Next), 300)
	if v.Turn != "" {
		return text + " (turn: " + report.Inert(string(v.Turn)) + ")"
	}
	return text
}

func age(t, now time.Time) string {
	if t.IsZero() {
		return "not known"
	}
	return about(max(now.Sub(t), 0))
}

func ends(t, now time.Time) string {
	switch {
	case t.IsZero():
		return "not told"
	case !t.After(now):
		return "over since " + clock(t, now)
	}
	return clock(t, now) + " (" + about(t.Sub(now)) + ")"
}

// outcomeWord says whether a secret works; unknown is never ok.
func outcomeWord(o usher.Outcome) string {
	switch o {
	case usher.OutcomeOK:
		return "yes"
	case usher.OutcomeWrong:
		return "NO"
	}
	return "unknown"
}

func stillUse(v *credential.View) string {
	if v.Old == nil {
		return "-"
	}
	names := slices.Clone(v.Old.Users)
	if v.Old.UsedBy != "" && !slices.Contains(names, v.Old.UsedBy) {
		names = append(names, v.Old.UsedBy+" (last seen)")
	}
	if len(names) == 0 {
		return "nobody that is known"
	}
	const most = 3
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	for i := range names {
		names[i] = report.Inert(names[i])
	}
	return strings.Join(names, ", ") + more
}

// writeSecret writes everything that is known of a secret.
func writeSecret(env *Env, v *credential.View) {
	now := env.Now()
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	row("secret", report.Inert(v.Config.Name))
	row("client", report.Inert(v.Config.ClientID))
	row("provider", report.Inert(cmp.Or(v.Config.Provider, "none: it is not rotated")))
	row("owner", report.Inert(cmp.Or(v.Config.Owner, "nobody is named")))
	row("version", fmt.Sprintf("%d, %s old", v.Version, age(v.Born, now)))
	row("ends", ends(v.Expires, now))
	works := outcomeWord(v.Health.Outcome)
	if v.Health.Title != "" {
		works += ": " + report.Line(v.Health.Title, 300)
	}
	if !v.Health.At.IsZero() {
		works += ", at " + clock(v.Health.At, now)
	}
	row("works", works)
	row("next", nextOf(v))
	_ = w.Flush() // errors of standard output are told elsewhere
	writeUsers(env, v.Users, now)
	if r := v.Rotation; r != nil {
		writeStanding(env, r, now)
	}
	if len(v.Versions) > 1 {
		fmt.Fprintln(env.Stdout, "versions:")
		for _, n := range v.Versions {
			line := fmt.Sprintf("  %d %s, made %s", n.N, n.State, clock(n.Made, now))
			if n.Leaked {
				line += ", LEAKED"
			}
			if n.EndedWhy != "" {
				line += ", ended " + clock(n.Ended, now) + ": " + report.Line(n.EndedWhy, 200)
			}
			fmt.Fprintln(env.Stdout, line)
		}
	}
	for _, l := range v.Leaks {
		fmt.Fprintf(env.Stdout, "leak: version %d, seen by %s at %s %s\n", l.Version, report.Inert(l.Source), clock(l.At, now), report.Line(l.Detail, 200))
	}
}

func writeUsers(env *Env, users []credential.PlanUser, now time.Time) {
	if len(users) == 0 {
		fmt.Fprintln(env.Stdout, "used by: nobody that usher knows")
		return
	}
	fmt.Fprintln(env.Stdout, "used by:")
	for _, u := range users {
		line := "  - " + report.Inert(u.Name)
		if u.Version != 0 {
			line += fmt.Sprintf(", has version %d", u.Version)
		}
		if !u.Seen.IsZero() {
			line += ", seen " + clock(u.Seen, now)
		}
		if u.Text != "" {
			line += ", " + report.Line(u.Text, 200)
		}
		fmt.Fprintln(env.Stdout, line)
	}
}

// writeStanding says where a rotation stands.
func writeStanding(env *Env, r *credential.RotationAt, now time.Time) {
	line := fmt.Sprintf("rotation: %s, begun %s", r.Step, clock(r.Began, now))
	if r.By != "" {
		line += " by " + report.Inert(r.By)
	}
	if r.Why != "" {
		line += ": " + report.Line(r.Why, 200)
	}
	fmt.Fprintln(env.Stdout, line)
	if r.Undone != "" {
		fmt.Fprintf(env.Stdout, "  taken back by %s\n", report.Inert(r.Undone))
	}
	if r.Trouble != "" {
		fmt.Fprintf(env.Stdout, "  %s\n", report.Line(report.SentenceText(r.Trouble), 400))
	}
	for i := range r.Holds {
		h := &r.Holds[i]
		line := "  waits: " + holdText(h, now)
		if !h.Until.IsZero() {
			line += " (until " + clock(h.Until, now) + ", if nothing happens)"
		}
		fmt.Fprintln(env.Stdout, line)
	}
}

// holdText says what a rotation waits for.
func holdText(h *credential.Hold, now time.Time) string {
	text := report.Line(report.SentenceText(h.Text), 400)
	switch {
	case h.Seen.IsZero():
		return text
	case h.Kind == "caller":
		return text + "; it last asked at " + clock(h.Seen, now)
	}
	return text + "; last seen at " + clock(h.Seen, now)
}

// writeRotation writes a plan.
func writeRotation(env *Env, p *credential.Plan) {
	now := env.Now()
	object := p.Object
	if object == "" {
		object = "client '" + p.Client + "'"
	}
	fmt.Fprintf(env.Stdout, "Rotate the secret %s: version %d of %s\n", report.Inert(p.Name), p.Version, report.Inert(object))
	if p.Refused != "" {
		fmt.Fprintf(env.Stdout, "  it cannot be done: %s\n", report.Line(report.SentenceText(p.Refused), 400))
	}
	for i, s := range p.Steps {
		line := fmt.Sprintf("%3d. %-9s %s", i+1, report.Inert(s.Where), report.Line(s.Text, 300))
		fmt.Fprintln(env.Stdout, line)
		if s.Request != "" {
			fmt.Fprintf(env.Stdout, "               %s\n", report.Inert(s.Request))
		}
	}
	for _, part := range []struct{ word, text string }{{"retired", p.Retire}, {"undo", p.Undo}, {"right", p.Right}} {
		if part.text != "" {
			fmt.Fprintf(env.Stdout, "  %-8s %s\n", part.word+":", report.Line(part.text, 500))
		}
	}
	for _, warning := range p.Warnings {
		fmt.Fprintf(env.Stdout, "  NOTE: %s\n", report.Line(warning, 500))
	}
	writeUsers(env, p.Users, now)
	if p.Rotation != nil {
		fmt.Fprintln(env.Stdout, "One is under way already:")
		writeStanding(env, p.Rotation, now)
	}
}

// writeLeaked says what became of a report of a leak.
func writeLeaked(env *Env, list []credential.Leaked) {
	if len(list) == 0 {
		fmt.Fprintln(env.Stdout, "It is none of the secrets that usher manages.")
	}
	for _, l := range list {
		fmt.Fprintf(env.Stdout, "%s, version %d, is %s. Seen by: %s.\n  %s\n", report.Inert(l.Name), l.Version, report.Inert(string(l.State)), report.Inert(strings.Join(l.Signals, ", ")), report.Line(l.Text, 400))
	}
}
