package main

import (
	"errors"
	"io"
	"time"

	"usher"
	"usher/demo"
	"usher/report"
)

// DemoCmd shows everything, with a small company inside it.
type DemoCmd struct {
	Story  string `default:"first-case" placeholder:"NAME" help:"Which story is played (${default})."`
	Fast   bool   `help:"Play it once without waiting for a person, and end: 0 if the case ended as fixed, 1 otherwise."`
	Listen string `placeholder:"HOST:PORT" help:"Address of usher's pages; without it 127.0.0.1:5303, or a free port where that is taken."`
	Format string `enum:"text,json" default:"text" help:"With json the case is printed at the end, and the story is told on standard error: ${enum}."`
}

// Run plays the story.
func (c *DemoCmd) Run(env *Env) error {
	ctx, stop := env.Context()
	defer stop()
	tell := env.Stdout
	if c.Format == "json" {
		tell = env.Stderr
	}
	found, err := demo.Play(ctx, demo.Options{
		Story: c.Story, Fast: c.Fast, Listen: c.Listen, Tell: tell, Log: io.Discard, Color: env.Color && c.Format == "text", Now: env.Now, Version: version,
	})
	if found != nil && c.Format == "json" {
		if err := report.Case(env.Stdout, found, report.FormatJSON, report.CaseOptions{Now: env.Now(), Location: time.Local}); err != nil {
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
	case c.Fast && (found == nil || found.State != usher.CaseFixed): // also when it was interrupted
		return exitWrong
	}
	return nil
}
