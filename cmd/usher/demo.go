package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"

	"usher"
	"usher/demo"
	"usher/report"
)

// DemoCmd shows everything, with a small company inside it.
type DemoCmd struct {
	Story  string `default:"first-case" placeholder:"NAME" help:"Which story is played: first-case or shop (${default})."`
	Fast   bool   `help:"Play it once without waiting for a person, and end: 0 if what it tells came true, 1 otherwise."`
	Listen string `placeholder:"HOST:PORT" help:"Address of usher's pages; without it 127.0.0.1:5303, or a free port where that is taken."`
	Format string `enum:"text,json" default:"text" help:"With json what it came to is printed at the end, and the story is told on standard error: ${enum}."`
}

// Run plays the story.
func (c *DemoCmd) Run(env *Env) error {
	ctx, stop := env.Context()
	defer stop()
	tell := env.Stdout
	if c.Format == "json" {
		tell = env.Stderr
	}
	end, err := demo.Play(ctx, demo.Options{
		Story: c.Story, Fast: c.Fast, Listen: c.Listen, Tell: tell, Log: io.Discard, Color: env.Color && c.Format == "text", Now: env.Now, Version: version,
	})
	if end != nil && c.Format == "json" {
		if err := printEnding(env, end); err != nil {
			return err
		}
	}
	switch {
	case err != nil && ctx.Err() == nil:
		var known *usher.Error
		if errors.As(err, &known) && known.Code == usher.ErrUsage {
			return err
		}
		env.fail(err)
		return exitWrong
	case c.Fast && (end == nil || !end.True): // also when it was interrupted
		return exitWrong
	}
	return nil
}

// printEnding prints the case; of the story shop also what became of the
// checkouts with usher and without.
func printEnding(env *Env, end *demo.Ending) error {
	opt := report.CaseOptions{Now: env.Now(), Location: time.Local}
	if end.With == nil {
		if end.Case == nil {
			return nil
		}
		return report.Case(env.Stdout, end.Case, report.FormatJSON, opt)
	}
	var k bytes.Buffer
	k.WriteString("null")
	if end.Case != nil {
		k.Reset()
		if err := report.Case(&k, end.Case, report.FormatJSON, opt); err != nil {
			return err
		}
	}
	out := json.NewEncoder(env.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(struct {
		With    *demo.Tally     `json:"with"`
		Without *demo.Tally     `json:"without"`
		Case    json.RawMessage `json:"case"`
	}{end.With, end.Without, k.Bytes()})
}
