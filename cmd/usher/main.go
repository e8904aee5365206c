// Command usher says why an OAuth 2.0 or OpenID Connect sign-in or API call
// was refused, with proof; who can fix it and how; and how to see that it is
// fixed.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"usher"
	"usher/oauth"
	"usher/report"
)

// version is set by the release build.
var version = "devel"

type cli struct {
	Explain     ExplainCmd     `cmd:"" help:"Say why a sign-in or an API call was refused."`
	Token       TokenCmd       `cmd:"" help:"Show what is in a token and everything that is wrong with it."`
	Cases       CasesCmd       `cmd:"" help:"What is broken now, who is affected, and is it fixed?"`
	Check       CheckCmd       `cmd:"" help:"Say everything that is wrong with a configuration: a provider's, a client's, or usher's own."`
	Watch       WatchCmd       `cmd:"" help:"Say what changed at a provider since the last look."`
	Connections ConnectionsCmd `cmd:"" help:"Tokens for other people's APIs that are alive when you need them."`
	Secrets     SecretsCmd     `cmd:"" help:"Which client secrets are kept fresh, when do they end, and who still uses an old one?"`
	Serve       ServeCmd       `cmd:"" help:"Follow logs, open cases, prove fixes: pages and an API on this machine."`
	Lab         LabCmd         `cmd:"" help:"Be an identity provider that fails as you say, to test your own software against."`
	Demo        DemoCmd        `cmd:"" help:"See it all: a shop, its provider and usher in one process, with nothing to configure."`
	Version     struct{}       `cmd:"" help:"Print the version."`
}

// memoryGoal is where the collector of garbage begins to hurry, in bytes. It
// is no limit by itself: those of the readers are.
const memoryGoal = 160 << 20

func main() {
	debug.SetMemoryLimit(memoryGoal)
	debug.SetGCPercent(400) // the heap of one answer is small: collect less often, up to the goal
	env := systemEnv()
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go env.interrupts(stop, os.Exit)
	os.Exit(run(os.Args[1:], env))
}

// run is the whole program but for the process: arguments in, exit status out.
func run(args []string, env *Env) int {
	var c cli
	done := false
	parser, err := kong.New(&c,
		kong.Name("usher"),
		kong.Description("Why was this sign-in or API call refused? usher names the cause, with proof, and the fix."),
		kong.Writers(env.Stdout, env.Stderr),
		kong.Exit(func(int) { done = true }),
		kong.Vars{"state": stateDir()},
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return env.fail(&usher.Error{Code: usher.ErrInternal, Message: "the command line does not build", Err: err})
	}
	ctx, err := parser.Parse(args)
	switch {
	case done: // --help
		return int(exitAnswered)
	case err != nil:
		return env.fail(&usher.Error{Code: usher.ErrUsage, Message: err.Error(), Hint: "usher --help lists the commands and flags"})
	case ctx.Command() == "version":
		fmt.Fprintln(env.Stdout, "usher", version)
		return int(exitAnswered)
	}
	return env.fail(ctx.Run(env))
}

// fail prints an error as error and hint, and gives the exit status.
func (e *Env) fail(err error) int {
	var code exitCode
	var known *usher.Error
	switch {
	case err == nil:
		return int(exitAnswered)
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &known):
		e.say("error", known.Error())
		if known.Hint != "" {
			e.say("hint", known.Hint)
		}
	case errors.Is(err, syscall.EPIPE):
		return int(exitAnswered) // the reader has seen enough
	default:
		e.say("error", err.Error())
	}
	return int(exitUsage)
}

// quoted repeats a short argument, and of a long one only that it is long: it
// was meant for another place, and may be a secret.
func quoted(arg string) string {
	if len(arg) > 40 {
		return fmt.Sprintf("of %d characters", len(arg))
	}
	return strconv.Quote(arg)
}

// maxSaid bounds an error: an argument of a megabyte is not repeated.
const maxSaid = 1000

// say prints one line to standard error. What it holds may be somebody else's
// words, so it is masked and made harmless to a terminal.
func (e *Env) say(kind, text string) {
	if len(text) > maxSaid {
		text = strings.ToValidUTF8(text[:maxSaid], "") + "..."
	}
	text = strings.ReplaceAll(report.Inert(oauth.Redact(text)), "\n", `\n`)
	fmt.Fprintf(e.Stderr, "usher: %s: %s\n", kind, text)
}

func systemEnv() *Env {
	env := &Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Now: time.Now, Piped: !terminal(os.Stdin)}
	if terminal(os.Stderr) {
		env.Busy = os.Stderr
	}
	if terminal(os.Stdout) {
		env.Width = 100
		env.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return env
}

func terminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
