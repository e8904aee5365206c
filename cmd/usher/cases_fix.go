package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/console"
	"usher/report"
)

// CasesFixCmd carries a fix out.
type CasesFixCmd struct {
	caseNumber
	Fix     string        `placeholder:"ID" help:"Which fix; without it the first that usher can carry out, and with --weaken also one that weakens security."`
	Yes     bool          `help:"Do not ask."`
	Weaken  bool          `help:"Yes, although it weakens security."`
	NoWait  bool          `help:"Do not wait for the proof."`
	Timeout time.Duration `default:"15m" help:"How long to wait for the proof."`
}

// Run shows the difference, asks, carries it out and waits.
func (c *CasesFixCmd) Run(env *Env, at *CasesCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	ctx, cancel := env.Context()
	defer cancel()
	found, err := cl.find(ctx, c.ID)
	if err != nil {
		return told(env, err)
	}
	f, err := c.pick(env, found)
	if err != nil {
		return err
	}
	var plan usher.FixPlan
	if err := cl.do(ctx, c.ID, "plan", map[string]string{"fix": f.ID}, &plan); err != nil {
		return told(env, err)
	}
	writePlan(env, &plan)
	if ok, err := c.agreed(env, &plan); !ok || err != nil {
		return err
	}
	var applied struct {
		Run    usher.FixRun
		Secret string
	}
	confirm := console.Confirm{Fix: f.ID, Plan: plan.ID, Weaken: len(plan.Weakens) > 0}
	if err := cl.do(ctx, c.ID, "apply", confirm, &applied); err != nil {
		if errors.Is(err, context.Canceled) {
			env.say("error", "interrupted while the fix was being carried out")
			env.say("hint", c.command("show")+" tells whether it was")
			return exitUnknown
		}
		return told(env, err)
	}
	fmt.Fprintln(env.Stdout, doneWords(&applied.Run))
	if applied.Secret != "" {
		fmt.Fprintf(env.Stdout, "the new secret, shown this once: %s\n", applied.Secret)
	}
	if c.NoWait {
		fmt.Fprintf(env.Stdout, "the case is fixed once this is seen: %s\n", report.Inert(plan.Fix.Proof.Text))
		return nil
	}
	return c.await(ctx, env, cl, &applied.Run)
}

// doneWords says what a run has done.
func doneWords(run *usher.FixRun) string {
	if len(run.Plan.Diff) == 0 {
		return "it was so already: nothing was changed."
	}
	return "done."
}

func (c *caseNumber) command(what string) string {
	return fmt.Sprintf("usher cases %s %d", what, c.ID)
}

// pick chooses the fix.
func (c *CasesFixCmd) pick(env *Env, found *usher.Case) (*usher.Fix, error) {
	if c.Fix != "" {
		i := slices.IndexFunc(found.Fixes, func(f usher.Fix) bool { return f.ID == c.Fix })
		if i < 0 {
			return nil, &usher.Error{Code: usher.ErrUsage, Message: fmt.Sprintf("case %d has no fix %s", c.ID, quoted(c.Fix)), Hint: c.command("show") + " lists them"}
		}
		if found.Fixes[i].Action != nil {
			return &found.Fixes[i], nil
		}
		c.writeSteps(env, found.Fixes[i:i+1])
		return nil, exitWrong
	}
	for i := range found.Fixes {
		// What weakens is chosen by whoever names it, or says that it may.
		if f := &found.Fixes[i]; f.Action != nil && (f.Risk != usher.RiskWeakening || c.Weaken) {
			return f, nil
		}
	}
	c.writeSteps(env, found.Fixes)
	return nil, exitWrong
}

// writeSteps says what a person must do where usher can do nothing.
func (c *CasesFixCmd) writeSteps(env *Env, fixes []usher.Fix) {
	fmt.Fprintf(env.Stdout, "usher cannot carry this out for you; a person must:\n")
	for _, f := range fixes {
		if f.Action != nil { // it weakens, or it would have been chosen
			fmt.Fprintf(env.Stdout, "\n%s. %s\n   This weakens security. usher can do it, if it has to be: %s --fix %s\n", report.Inert(f.ID), report.Inert(f.Title), c.command("fix"), report.Inert(f.ID))
			continue
		}
		fmt.Fprintf(env.Stdout, "\n%s. %s\n", report.Inert(f.ID), report.Inert(f.Title))
		for _, s := range f.Steps {
			fmt.Fprintf(env.Stdout, "   - %s\n", report.Inert(s.Text))
		}
		fmt.Fprintf(env.Stdout, "   then: %s --fix %s\n", c.command("declare"), report.Inert(f.ID))
	}
}

// writePlan shows exactly what would be changed.
func writePlan(env *Env, p *usher.FixPlan) {
	fmt.Fprintln(env.Stdout, report.Inert(p.Fix.Title))
	writeDiff(env, p.Object, p.Diff)
	for _, part := range []struct{ word, text string }{{"request", p.Request}, {"right", p.Right}, {"undo", p.Undo}, {"proof", p.Fix.Proof.Text}} {
		if part.text != "" {
			fmt.Fprintf(env.Stdout, "  %-8s %s\n", part.word+":", report.Inert(part.text))
		}
	}
	for _, w := range p.Weakens {
		fmt.Fprintf(env.Stdout, "  WEAKENS: %s\n", report.Inert(w))
	}
}

func writeDiff(env *Env, object string, diff []usher.Difference) {
	fmt.Fprintf(env.Stdout, "at %s\n", report.Inert(object))
	if len(diff) == 0 {
		fmt.Fprintln(env.Stdout, "  it is so already: nothing would be changed")
	}
	for _, d := range diff {
		if d.From != "" {
			fmt.Fprintf(env.Stdout, "  %s - %s\n", report.Inert(d.Field), report.Inert(d.From))
		}
		if d.To != "" {
			fmt.Fprintf(env.Stdout, "  %s + %s\n", report.Inert(d.Field), report.Inert(d.To))
		}
	}
}

// agreed asks, twice where security is weakened.
func (c *CasesFixCmd) agreed(env *Env, p *usher.FixPlan) (bool, error) {
	weakens := len(p.Weakens) > 0
	if c.Yes && weakens && !c.Weaken {
		return false, &usher.Error{Code: usher.ErrUsage, Message: "the fix weakens security, and --yes alone does not say that you mean that", Hint: "add --weaken if you do"}
	}
	if !c.Yes && !env.ask("Carry it out? [y/N] ") {
		fmt.Fprintln(env.Stdout, "nothing was changed")
		return false, exitWrong
	}
	if weakens && !c.Weaken {
		client := ""
		if p.Fix.Action != nil {
			client = p.Fix.Action.Client
		}
		fmt.Fprintf(env.Stdout, "This weakens security. Type the name of the client (%s) if you mean it: ", report.Inert(client))
		if answer := env.readAnswer(); client == "" || answer != client {
			fmt.Fprintln(env.Stdout, "nothing was changed")
			return false, exitWrong
		}
	}
	return true, nil
}

// ask asks a question that only y or yes affirms.
func (e *Env) ask(question string) bool {
	fmt.Fprint(e.Stdout, question)
	answer := strings.ToLower(e.readAnswer())
	return answer == "y" || answer == "yes"
}

// readAnswer reads one line from standard input.
func (e *Env) readAnswer() string {
	if e.answers == nil {
		e.answers = bufio.NewReaderSize(e.Stdin, 4096)
	}
	line, _ := e.answers.ReadSlice('\n')
	if e.Piped {
		fmt.Fprintln(e.Stdout)
	}
	return strings.TrimSpace(string(line))
}

// await waits until the case is fixed by a run, and says so when it is not.
func (c *CasesFixCmd) await(ctx context.Context, env *Env, cl *client, run *usher.FixRun) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	fmt.Fprintf(env.Stdout, "waiting for the proof: %s\n", report.Inert(run.Plan.Fix.Proof.Text))
	begun := env.Now()
	changes := cl.watchAgain(ctx)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var live <-chan time.Time
	if env.Width > 0 {
		live = tick.C
	}
	for {
		select {
		case <-live:
			fmt.Fprintf(env.Stdout, "\r\x1b[K%s  (Ctrl-C ends the waiting, the fix stays)", env.Now().Sub(begun).Round(time.Second))
			continue
		case change, ok := <-changes:
			if !ok || ctx.Err() != nil {
				return c.unproven(env, run)
			}
			if change.ID != 0 && change.ID != c.ID {
				continue
			}
		case <-ctx.Done():
			return c.unproven(env, run)
		}
		found, err := cl.find(ctx, c.ID)
		if err != nil {
			continue // watchAgain comes back
		}
		if done, err := c.ended(env, found); done {
			return err
		}
	}
}

// ended says how the case ended, if it has.
func (c *CasesFixCmd) ended(env *Env, found *usher.Case) (bool, error) {
	switch found.State {
	case usher.CaseVerifying, usher.CaseFixing:
		return false, nil
	case usher.CaseFixed:
		c.clear(env)
		fmt.Fprintf(env.Stdout, "case %d is fixed.", c.ID)
		if found.Proven != nil {
			fmt.Fprintf(env.Stdout, " %s", report.SentenceText(found.Proven.Comment))
		}
		fmt.Fprintln(env.Stdout)
		return true, nil
	}
	c.clear(env)
	fmt.Fprintf(env.Stdout, "case %d is not fixed: it is %s.\n", c.ID, found.State)
	if n := len(found.Timeline); n > 0 {
		fmt.Fprintln(env.Stdout, report.SentenceText(found.Timeline[n-1].Text))
	}
	return true, exitWrong
}

// unproven says that the proof has not come yet. Whether the fix was the right
// one cannot be told then: that is another status than "it was not".
func (c *CasesFixCmd) unproven(env *Env, run *usher.FixRun) error {
	c.clear(env)
	fmt.Fprintf(env.Stdout, "not proven yet. The server goes on waiting; look with: %s\n", c.command("show"))
	if report.MayUndo(run) {
		fmt.Fprintf(env.Stdout, "take the fix back with: %s\n", c.command("undo"))
	}
	return exitUnknown
}

func (c *CasesFixCmd) clear(env *Env) {
	if env.Width > 0 {
		fmt.Fprint(env.Stdout, "\r\x1b[K")
	}
}
