package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"usher"
	"usher/serve"
)

// serverAnswer is the JSON contract of check for the configuration of usher
// serve, version 1.
type serverAnswer struct {
	Version  int            `json:"version"`
	OK       bool           `json:"ok"` // the server would start
	Problems serve.Problems `json:"problems"`
}

// serverConfig checks the configuration of usher serve.
func (c *CheckCmd) serverConfig(env *Env, file string) error {
	if c.Format != "text" && c.Format != "json" {
		return &usher.Error{Code: usher.ErrUsage, Message: "the configuration of usher serve is not told as " + c.Format, Hint: "use --format text or json"}
	}
	_, problems, err := serve.Load(file, serve.LoadOptions{Static: c.Static})
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
		if err := enc.Encode(serverAnswer{1, ok, problems}); err != nil {
			return err
		}
	} else if _, err := fmt.Fprint(env.Stdout, problems.Text()); err != nil {
		return err
	}
	if !ok {
		return exitWrong
	}
	if c.Format == "text" {
		fmt.Fprintf(env.Stdout, "%s: nothing is wrong\n", file)
	}
	return nil
}
