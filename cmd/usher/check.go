package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"usher/serve"
)

// CheckCmd answers: is this configuration right?
type CheckCmd struct {
	File   string `arg:"" optional:"" default:"usher.yaml" help:"The configuration of usher serve."`
	Format string `enum:"text,json" default:"text" help:"Form of the answer: ${enum}."`
	Static bool   `help:"Look at the file alone, not at the environment or at the files that it names."`
}

// checkAnswer is the JSON contract of check, version 1.
type checkAnswer struct {
	Version  int            `json:"version"`
	OK       bool           `json:"ok"` // the server would start
	Problems serve.Problems `json:"problems"`
}

// Run checks the file.
func (c *CheckCmd) Run(env *Env) error {
	_, problems, err := serve.Load(c.File, serve.LoadOptions{Static: c.Static})
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	ok := !problems.Wrong()
	if c.Format == "json" {
		if problems == nil {
			problems = serve.Problems{}
		}
		enc := json.NewEncoder(env.Stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(checkAnswer{1, ok, problems}); err != nil {
			return err
		}
	} else if _, err := fmt.Fprint(env.Stdout, problems.Text()); err != nil {
		return err
	}
	if !ok {
		return exitWrong
	}
	if c.Format == "text" {
		fmt.Fprintf(env.Stdout, "%s: nothing is wrong\n", c.File)
	}
	return nil
}
