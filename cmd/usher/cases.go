package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/console"
	"usher/report"
)

// CasesCmd answers: what is broken now, who is affected, and is it fixed? It
// asks the running server.
type CasesCmd struct {
	connectFlags
	List    CasesListCmd    `cmd:"" default:"withargs" help:"List the cases that ask for somebody."`
	Show    CasesShowCmd    `cmd:"" help:"Show one case: cause, proof, fixes, what happened."`
	Fix     CasesFixCmd     `cmd:"" help:"Carry a fix out, and wait until it is proven."`
	Undo    CasesUndoCmd    `cmd:"" help:"Take a fix back."`
	Declare CasesDeclareCmd `cmd:"" help:"Say that a person has carried a fix out."`
	Intend  CasesIntendCmd  `cmd:"" help:"Say that the refusal is right, until a day."`
	Reopen  CasesReopenCmd  `cmd:"" help:"Open a case again."`
	Watch   CasesWatchCmd   `cmd:"" help:"Show the list as it changes."`
}

type caseFormat struct {
	Format string `enum:"text,json,markdown,html" default:"text" help:"Form of the answer: ${enum}."`
}

func (f caseFormat) options(env *Env) (report.Format, report.CaseOptions) {
	return report.Format(f.Format), report.CaseOptions{
		TextOptions: report.TextOptions{Color: env.Color, Width: env.Width}, Now: env.Now(), Location: time.Local,
	}
}

// CasesListCmd lists cases.
type CasesListCmd struct {
	caseFormat
	All    bool     `help:"Every case: also fixed and quiet ones, and those behind another."`
	State  []string `placeholder:"STATE" help:"Only cases in this state; may be given again."`
	Client string   `placeholder:"ID" help:"Only cases of this client."`
}

// Run lists.
func (c *CasesListCmd) Run(env *Env, at *CasesCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	for _, s := range c.State {
		if !slices.Contains(usher.CaseStates, usher.CaseState(s)) {
			words := make([]string, len(usher.CaseStates))
			for i, s := range usher.CaseStates {
				words[i] = string(s)
			}
			return &usher.Error{Code: usher.ErrUsage, Message: "no state is called " + quoted(s), Hint: "the states are " + strings.Join(words, ", ")}
		}
	}
	query := url.Values{"state": c.State}
	if c.Client != "" {
		query.Set("client", c.Client)
	}
	if c.All {
		query.Set("all", "true")
	}
	cases, err := cl.list(context.Background(), "?"+query.Encode())
	if err != nil {
		return told(env, err)
	}
	format, opt := c.options(env)
	return report.Cases(env.Stdout, cases, format, opt)
}

// told gives the exit status of "could not tell" to an error of the way to the
// server, and of "something wrong" to its refusal.
func told(env *Env, err error) error {
	var known *usher.Error
	if !errors.As(err, &known) {
		return err
	}
	env.fail(err)
	switch known.Code {
	case usher.ErrUnreachable, console.CodeUnavailable, usher.ErrInternal, usher.ErrUnreadable, console.CodeTooMany:
		return exitUnknown
	case usher.ErrUsage, usher.ErrNotFound, console.CodeSignIn, console.CodeUnprocessed:
		return exitUsage
	}
	return exitWrong
}

type caseNumber struct {
	ID int64 `arg:"" name:"number" help:"Number of the case."`
}

// CasesShowCmd shows a case.
type CasesShowCmd struct {
	caseNumber
	caseFormat
}

// Run shows.
func (c *CasesShowCmd) Run(env *Env, at *CasesCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	return c.show(env, cl, c.caseFormat)
}

func (c *caseNumber) show(env *Env, cl *client, f caseFormat) error {
	found, err := cl.find(context.Background(), c.ID)
	if err != nil {
		return told(env, err)
	}
	format, opt := f.options(env)
	return report.Case(env.Stdout, found, format, opt)
}

// CasesUndoCmd takes a fix back.
type CasesUndoCmd struct {
	caseNumber
	Run_ string `name:"run" placeholder:"ID" help:"Which run; without it the last one that was carried out."`
	Yes  bool   `help:"Do not ask."`
}

// Run undoes.
func (c *CasesUndoCmd) Run(env *Env, at *CasesCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	ctx := context.Background()
	found, err := cl.find(ctx, c.ID)
	if err != nil {
		return told(env, err)
	}
	run := pickRun(found, c.Run_)
	if run == nil {
		return &usher.Error{Code: usher.ErrUsage, Message: fmt.Sprintf("case %d has no fix that could be taken back", c.ID), Hint: "usher cases show " + strconv.FormatInt(c.ID, 10) + " lists what was carried out"}
	}
	fmt.Fprintf(env.Stdout, "take back: %s\n", report.Inert(run.Plan.Fix.Title))
	writeDiff(env, run.Plan.Object, reversed(run.Plan.Diff))
	if !c.Yes && !env.ask("Take it back? [y/N] ") {
		fmt.Fprintln(env.Stdout, "nothing was changed")
		return exitWrong
	}
	if err := cl.do(ctx, c.ID, "undo", map[string]string{"run": run.ID}, nil); err != nil {
		return told(env, err)
	}
	fmt.Fprintf(env.Stdout, "taken back; case %d is open again\n", c.ID)
	return nil
}

// pickRun gives the run of an id, or the last that can be taken back.
func pickRun(c *usher.Case, id string) *usher.FixRun {
	for i := len(c.Runs) - 1; i >= 0; i-- {
		r := &c.Runs[i]
		if id == "" && report.MayUndo(r) || id != "" && r.ID == id {
			return r
		}
	}
	return nil
}

func reversed(diff []usher.Difference) []usher.Difference {
	out := make([]usher.Difference, len(diff))
	for i, d := range diff {
		out[i] = usher.Difference{Field: d.Field, From: d.To, To: d.From}
	}
	return out
}

// CasesDeclareCmd says that a person did it.
type CasesDeclareCmd struct {
	caseNumber
	Fix    string `required:"" placeholder:"ID" help:"Which fix was carried out."`
	Reason string `placeholder:"TEXT" help:"What was done, and by whom; the end of an attack needs one."`
}

// Run declares.
func (c *CasesDeclareCmd) Run(env *Env, at *CasesCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	if err := cl.do(context.Background(), c.ID, "declare", console.Declaration{Fix: c.Fix, Reason: c.Reason}, nil); err != nil {
		return told(env, err)
	}
	fmt.Fprintf(env.Stdout, "noted; case %d waits for its proof\n", c.ID)
	return nil
}

// CasesIntendCmd says that the refusal is right.
type CasesIntendCmd struct {
	caseNumber
	Owner   string `required:"" placeholder:"NAME" help:"Who answers for it."`
	Reason  string `required:"" placeholder:"TEXT" help:"Why it is right."`
	Expires string `required:"" placeholder:"DAY" help:"When it is asked again: a day (2027-01-31), a time (RFC 3339) or a span (720h, 30d)."`
}

// Run intends.
func (c *CasesIntendCmd) Run(env *Env, at *CasesCmd) error {
	expires, err := parseDay(c.Expires, env.Now())
	if err != nil {
		return err
	}
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	intent := console.Intent{Owner: c.Owner, Reason: c.Reason, Expires: expires}
	if err := cl.do(context.Background(), c.ID, "intend", intent, nil); err != nil {
		return told(env, err)
	}
	fmt.Fprintf(env.Stdout, "case %d is intended until %s\n", c.ID, expires.Local().Format("2006-01-02 15:04"))
	return nil
}

// parseDay reads a day, a time or a span from now.
func parseDay(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation("2006-01-02", s, time.Local); err == nil {
		return t, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n < 36500 {
			return now.AddDate(0, 0, n), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return now.Add(d), nil
	}
	return time.Time{}, &usher.Error{Code: usher.ErrUsage, Message: "--expires " + quoted(s) + " is no day", Hint: "write it like 2027-01-31, or 30d"}
}

// CasesReopenCmd opens a case again.
type CasesReopenCmd struct{ caseNumber }

// Run reopens.
func (c *CasesReopenCmd) Run(env *Env, at *CasesCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	if err := cl.do(context.Background(), c.ID, "reopen", nil, nil); err != nil {
		return told(env, err)
	}
	fmt.Fprintf(env.Stdout, "case %d is open again\n", c.ID)
	return nil
}

// CasesWatchCmd shows the list as it changes.
type CasesWatchCmd struct {
	Format string `enum:"text,json" default:"text" help:"text, or json: a case a line."`
	All    bool   `help:"Every case."`
}

// Run watches until a signal comes.
func (c *CasesWatchCmd) Run(env *Env, at *CasesCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	ctx, cancel := env.Context()
	defer cancel()
	if _, err := cl.list(ctx, ""); err != nil { // somebody is there
		return told(env, err)
	}
	shown := map[int64]string{}
	for change := range cl.watchAgain(ctx) {
		var err error
		switch {
		case env.Width > 0 && c.Format == "text":
			err = c.redraw(ctx, env, cl)
		case change.ID == 0:
			err = c.listAll(ctx, env, cl, shown)
		default:
			err = c.line(ctx, env, cl, change.ID, shown)
		}
		if err != nil && ctx.Err() == nil {
			var known *usher.Error
			if errors.As(err, &known) && known.Code == usher.ErrUnreachable {
				continue // it comes back
			}
			return told(env, err)
		}
	}
	return nil
}

func (c *CasesWatchCmd) query() string {
	if c.All {
		return "?all=true"
	}
	return ""
}

// redraw writes the list over the last one.
func (c *CasesWatchCmd) redraw(ctx context.Context, env *Env, cl *client) error {
	cases, err := cl.list(ctx, c.query())
	if err != nil {
		return err
	}
	fmt.Fprint(env.Stdout, "\x1b[H\x1b[2J")
	format, opt := caseFormat{"text"}.options(env)
	return report.Cases(env.Stdout, cases, format, opt)
}

func (c *CasesWatchCmd) listAll(ctx context.Context, env *Env, cl *client, shown map[int64]string) error {
	cases, err := cl.list(ctx, c.query())
	if err != nil {
		return err
	}
	for i := range cases {
		if err := c.write(env, &cases[i], shown); err != nil {
			return err
		}
	}
	return nil
}

func (c *CasesWatchCmd) line(ctx context.Context, env *Env, cl *client, id int64, shown map[int64]string) error {
	found, err := cl.find(ctx, id)
	if err != nil {
		return err
	}
	return c.write(env, found, shown)
}

// write writes a case in one line, if that is news.
func (c *CasesWatchCmd) write(env *Env, found *usher.Case, shown map[int64]string) error {
	if c.Format == "json" {
		return jsonLine(env, found)
	}
	line := fmt.Sprintf("%d  %s  %s", found.ID, found.State, report.SentenceText(found.Title))
	if shown[found.ID] == line {
		return nil
	}
	shown[found.ID] = line
	_, err := fmt.Fprintln(env.Stdout, report.Inert(line))
	return err
}

// jsonLine writes a case as report does, in one line.
func jsonLine(env *Env, found *usher.Case) error {
	var text, line bytes.Buffer
	if err := report.Case(&text, found, report.FormatJSON, report.CaseOptions{}); err != nil {
		return err
	}
	if err := json.Compact(&line, text.Bytes()); err != nil {
		return err
	}
	line.WriteByte('\n')
	_, err := env.Stdout.Write(line.Bytes())
	return err
}
