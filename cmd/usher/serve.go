package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"

	"go.yaml.in/yaml/v4"

	"usher/serve"
)

// ServeCmd is the server.
type ServeCmd struct {
	Config      string `placeholder:"FILE" help:"The configuration; without it usher.yaml if there is one here, and otherwise the defaults."`
	PrintConfig bool   `help:"Print the configuration as it takes effect, and end."`
}

// Memory of the server: it lives long and is mostly idle, so it collects
// garbage sooner than a command does.
const (
	serveMemoryGoal = 64 << 20
	serveGCPercent  = 50
)

// Run serves until a signal comes.
func (c *ServeCmd) Run(env *Env) error {
	cfg, err := loadConfig(env, c.Config)
	if err != nil {
		return err
	}
	if c.PrintConfig {
		text, err := yaml.Dump(cfg)
		if err != nil {
			return err
		}
		_, err = env.Stdout.Write(text)
		return err
	}
	debug.SetMemoryLimit(serveMemoryGoal)
	debug.SetGCPercent(serveGCPercent)
	ctx, cancel := env.Context()
	defer cancel()
	return serve.Run(ctx, cfg, serve.Env{Stderr: env.Stderr, Terminal: env.Stderr, Now: env.Now, Version: version})
}

// configFile is read when no other is named and it is there.
const configFile = "usher.yaml"

// loadConfig reads a configuration and says everything that is wrong with it.
func loadConfig(env *Env, path string) (*serve.Config, error) {
	return loadConfigWith(env, path, serve.LoadOptions{})
}

func loadConfigWith(env *Env, path string, opt serve.LoadOptions) (*serve.Config, error) {
	if path == "" {
		if _, err := os.Stat(configFile); errors.Is(err, fs.ErrNotExist) {
			return serve.Default(), nil
		}
		path = configFile
	}
	cfg, warnings, err := serve.Load(path, opt)
	var problems serve.Problems
	if errors.As(err, &problems) {
		fmt.Fprint(env.Stderr, problems.Text())
		env.say("error", "the configuration is wrong, see above")
		return nil, exitWrong
	}
	if err == nil && !opt.Static {
		fmt.Fprint(env.Stderr, warnings.Text())
	}
	return cfg, err
}
