package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"usher"
	"usher/broker"
	"usher/console"
	"usher/report"
)

// writeConnections writes one line a connection, and below it what is wrong.
func writeConnections(env *Env, list []console.Connection) {
	if len(list) == 0 {
		fmt.Fprintln(env.Stdout, "There is no connection yet: usher connections add ID --preset NAME, or --issuer URL.")
		return
	}
	now := env.Now()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CONNECTION\tSTATE\tALIVE UNTIL\tRENEWED AT\tPOLICY")
	for i := range list {
		c := &list[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", report.Inert(c.Config.ID), stateOf(c), until(c, now), renewedAt(c, now), report.Inert(cmp.Or(c.Config.Policy, "default")))
	}
	_ = w.Flush() // of a buffer
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	for i, line := range lines {
		fmt.Fprintln(env.Stdout, strings.TrimRight(line, " "))
		if i == 0 {
			continue
		}
		for _, text := range wrong(&list[i-1], now) {
			fmt.Fprintln(env.Stdout, "  "+text)
		}
	}
}

func stateOf(c *console.Connection) string {
	if c.Config.Disabled {
		return "disabled"
	}
	return report.Inert(string(c.Status.State))
}

// until says how long the token lives.
func until(c *console.Connection, now time.Time) string {
	e := c.Status.Expires
	switch {
	case c.Status.Generation == 0:
		return "never had one"
	case e.IsZero():
		return "not told"
	case !e.After(now):
		return "over since " + clock(e, now)
	}
	return clock(e, now) + " (" + about(e.Sub(now)) + ")"
}

func renewedAt(c *console.Connection, now time.Time) string {
	if c.Status.RenewAt.IsZero() {
		return "-"
	}
	return clock(c.Status.RenewAt, now)
}

// clock gives a time of today by its clock only.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format(time.TimeOnly)
	}
	return t.Format("2006-01-02 15:04")
}

// about gives a time in its largest unit.
func about(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// wrong says what is wrong with a connection and whose turn it is.
func wrong(c *console.Connection, now time.Time) (lines []string) {
	t := c.Status.Trouble
	switch {
	case c.Config.Disabled:
		return nil
	case t == nil && c.Status.State == broker.StateNew && broker.Interactive(c.Config.Grant) && c.Config.Grant != broker.GrantRefresh:
		return []string{"nobody has connected it yet: usher connections connect " + report.Inert(c.Config.ID)}
	case t == nil:
		return nil
	}
	text := fmt.Sprintf("%s, since %s, %s", report.Line(t.Title, 300), clock(t.Since, now), triesOf(t.Tries))
	if t.Cause != "" {
		text += " [" + report.Inert(t.Cause) + "]"
	}
	lines = append(lines, text)
	switch {
	case t.Strategy == "ask":
		lines = append(lines, "turn: "+turnOf(t.Turn)+", to connect it again: usher connections connect "+report.Inert(c.Config.ID))
	case t.Turn != "" && t.Turn != usher.FixerNobody:
		turn := "turn: " + turnOf(t.Turn) + hintFor(t.Strategy)
		if at := c.Status.RenewAt; t.Strategy == "give-up" && !at.IsZero() {
			turn += "; it is looked at again at " + clock(at, now) // the cause may go without a word
		}
		lines = append(lines, turn)
	case !c.Status.RenewAt.IsZero():
		lines = append(lines, "turn: nobody's, it is tried again at "+clock(c.Status.RenewAt, now))
	}
	if c.Case != 0 {
		lines[len(lines)-1] += fmt.Sprintf(" (usher cases show %d)", c.Case)
	}
	return lines
}

func turnOf(f usher.Fixer) string {
	if f == "" || f == usher.FixerNobody {
		return "somebody"
	}
	return report.FixerName(f)
}

func hintFor(strategy string) string {
	switch strategy {
	case "rotate":
		return ", to replace the client's secret"
	case "narrow":
		return ", to ask for the scopes that are granted"
	case "give-up":
		return ", to change the configuration"
	}
	return ""
}

func triesOf(n int) string {
	switch n {
	case 0:
		return "not tried since the last change"
	case 1:
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

// writeConnection writes all that is known of one.
func writeConnection(env *Env, c *console.Connection) {
	now := env.Now()
	s := &c.Status
	fmt.Fprintf(env.Stdout, "%s  %s\n", report.Inert(c.Config.ID), stateOf(c))
	for _, text := range wrong(c, now) {
		fmt.Fprintln(env.Stdout, "  "+text)
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "  %s\t%s\n", name, report.Line(value, 500))
		}
	}
	row("alive until", until(c, now))
	row("renewed at", renewedAt(c, now))
	if !s.Obtained.IsZero() {
		row("obtained", fmt.Sprintf("%s, number %d", clock(s.Obtained, now), s.Generation))
	}
	if !s.Absolute.IsZero() {
		row("connect again", "by "+clock(s.Absolute, now))
	}
	if !s.Used.IsZero() {
		row("last used", clock(s.Used, now))
	}
	row("policy", cmp.Or(c.Config.Policy, "default"))
	row("grant", c.Config.Grant)
	row("client", c.Config.ClientID+secretWords(c))
	row("provider", cmp.Or(c.Config.Provider, c.Config.Preset, c.Config.Issuer))
	row("token endpoint", c.Config.Endpoints.Token)
	row("redirect URI", c.RedirectURI)
	row("scopes", strings.Join(c.Config.Scopes, " "))
	if len(s.Scopes) > 0 && strings.Join(s.Scopes, " ") != strings.Join(c.Config.Scopes, " ") {
		row("granted", strings.Join(s.Scopes, " "))
	}
	row("user", s.User)
	row("role", c.Config.Role)
	row("owner", c.Config.Owner)
	row("callers", strings.Join(c.Config.Callers, " "))
	row("targets", strings.Join(c.Config.Targets, " "))
	for _, note := range s.Notes {
		row("note", note)
	}
	if h := s.Healed; h != nil {
		row("healed", fmt.Sprintf("%s (%s, since %s)", clock(h.Ended, now), h.Title, clock(h.Since, now)))
	}
	_ = w.Flush() // a broken pipe is told by the next write
}

func secretWords(c *console.Connection) string {
	switch {
	case c.Managed != "":
		return ", with the managed secret " + c.Managed
	case c.Secret == "kept":
		return ", with a secret"
	}
	return ""
}

// writeExplained writes the reasons of a life in order.
func writeExplained(env *Env, e *explained) {
	now := env.Now()
	head := "The token of " + report.Inert(e.Connection)
	switch {
	case e.Expires.IsZero():
		head += " has no end that is known"
	case e.Expires.After(now):
		head += " lives until " + clock(e.Expires, now) + " (" + about(e.Expires.Sub(now)) + ")"
	default:
		head += " is over since " + clock(e.Expires, now)
	}
	if !e.RenewAt.IsZero() {
		head += " and is renewed at " + clock(e.RenewAt, now)
	}
	fmt.Fprintln(env.Stdout, head+".")
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	for i, r := range e.Reasons {
		source := report.Inert(r.Source)
		if r.Name != "" {
			source += " " + report.Inert(r.Name)
		}
		value := ""
		if r.Field != "" && r.Value != "" {
			value = report.Inert(r.Field) + " = " + report.Inert(r.Value)
		}
		fmt.Fprintf(w, "%3d. %s\t%s\t%s\n", i+1, source, report.Line(r.Text, 300), value)
	}
	_ = w.Flush() // as above
	if len(e.Reasons) == 0 {
		fmt.Fprintln(env.Stdout, "It has no token yet.")
	}
}

// writePresets writes what is known of APIs.
func writePresets(env *Env, list []console.Preset) {
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	for _, p := range list {
		set := ""
		for _, v := range p.Variables {
			set += " --set " + v + "=..."
		}
		fmt.Fprintf(w, "%s\t%s\t%s%s\n", report.Inert(p.Name), report.Inert(p.Title), report.Inert(strings.Join(p.Grants, ", ")), report.Inert(set))
	}
	_ = w.Flush() // as above
}
