package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"usher"
	"usher/check/look"
	"usher/evidence"
	"usher/guard"
	"usher/provider/snapshot"
	"usher/report"
)

// WatchCmd answers: what changed since the last look?
type WatchCmd struct {
	Issuer  string        `arg:"" help:"The provider's issuer."`
	Client  []string      `arg:"" optional:"" name:"file" help:"Files of a client (its registration, its requests), so that usher says what a newer version of the protocol would ask of it."`
	State   string        `help:"Folder that keeps the looks." placeholder:"DIR" default:"${state}"`
	Every   time.Duration `help:"Go on looking, so often; without it usher looks once." placeholder:"DURATION"`
	Profile string        `help:"What a client would have to meet: default, oauth2.1, rfc9700, browser-based, native, fapi2, mcp." default:"default" placeholder:"NAME"`
	Trust   []string      `help:"Further origins that are the provider's own." placeholder:"ORIGIN"`
	CAFile  string        `help:"Certificate authorities to trust beside those of the system, as PEM." placeholder:"FILE"`
	Format  string        `enum:"text,json" default:"text" help:"Form of the answer: ${enum}; json with --every is one object a line."`
}

// leastEvery keeps a watch from being a load on the provider.
const leastEvery = 10 * time.Second

// watchAnswer is the JSON contract of watch, version 1: one value, and with
// --every one a line.
type watchAnswer struct {
	Version int               `json:"version"`
	Issuer  string            `json:"issuer"`
	At      time.Time         `json:"at"`
	Before  *time.Time        `json:"before"`  // the look that is compared with; null: this is the first
	Changes []snapshot.Change `json:"changes"` // the worst first
	Keys    []snapshot.Key    `json:"keys"`    // published now
	Unread  []string          `json:"unread"`  // "discovery", "keys": what could not be read this time
	Answer  usher.Answer      `json:"answer"`  // as usher check gives it
}

// Run looks at the provider and says what changed. The status is 1 when
// something changed that may break a client, 2 when the provider could not be
// read.
func (c *WatchCmd) Run(env *Env) error {
	if c.Every != 0 && c.Every < leastEvery {
		return &usher.Error{Code: usher.ErrUsage, Message: "--every " + c.Every.String() + " is too often", Hint: "look every " + leastEvery.String() + " at most; once an hour is usual"}
	}
	issuer, is := issuerOf(c.Issuer)
	if !is {
		return &usher.Error{Code: usher.ErrUsage, Message: c.Issuer + " is no issuer", Hint: "give the address that the provider's discovery document names as issuer: https://login.example/realms/shop"}
	}
	client := guard.New(guard.Options{Trusted: append([]string{issuer}, c.Trust...), CAFile: c.CAFile, Timeout: lookTimeout})
	if err := client.Err(); err != nil {
		return err
	}
	ctx, stop := env.Context()
	defer stop()
	for {
		err := c.once(ctx, env, issuer, client)
		if c.Every == 0 {
			return err
		}
		if _, isStatus := err.(exitCode); err != nil && !isStatus {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.Every):
		}
	}
}

func (c *WatchCmd) once(ctx context.Context, env *Env, issuer string, client *guard.Client) error {
	dir := snapshot.Dir(c.State)
	history, err := dir.Read(issuer)
	if err != nil {
		return err
	}
	inputs, err := c.files(env)
	if err != nil {
		return err
	}
	res, err := look.At(ctx, look.Request{
		Issuer: issuer, Inputs: inputs, Client: client, Trust: c.Trust, Profile: c.Profile, Previous: look.Earlier(history), Now: env.Now, Progress: env.progress(),
	})
	env.still()
	if err != nil {
		return err
	}
	seen := look.Seen(res.Target)
	a := watchAnswer{Version: 1, Issuer: issuer, At: seen.At, Changes: []snapshot.Change{}, Keys: []snapshot.Key{}, Answer: res.Answer}
	if before := history.Latest(); before != nil {
		at := before.Last
		a.Before = &at
	}
	a.Unread = []string{}
	if seen.Metadata == nil {
		a.Unread = append(a.Unread, "discovery")
	}
	if seen.Keys == nil {
		a.Unread = append(a.Unread, "keys")
	}
	unread := len(a.Unread) == 2
	if !unread {
		a.Changes = append(a.Changes, history.Add(seen)...)
		a.Keys = append(a.Keys, seen.Keys...)
		if err := dir.Write(history); err != nil {
			return err
		}
	}
	switch {
	case c.Format == "text":
		err = c.text(env, &a, unread)
	case c.Every > 0:
		err = report.Record(env.Stdout, a, a.keyIDs()...)
	default:
		err = report.Value(env.Stdout, a, a.keyIDs()...)
	}
	switch {
	case err != nil:
		return err
	case unread:
		return exitUnknown
	}
	for _, ch := range a.Changes {
		if ch.Severity.Rank() <= usher.SeverityMedium.Rank() {
			return exitWrong
		}
	}
	if len(a.Unread) > 0 {
		return exitUnknown
	}
	return nil
}

// keyIDs are the ids of published keys, which are public however they look.
func (a *watchAnswer) keyIDs() (ids []string) {
	for _, k := range a.Keys {
		ids = append(ids, k.Kid, k.Thumbprint)
	}
	for _, ch := range a.Changes {
		if ch.Member == "keys" {
			ids = append(ids, strings.Fields(ch.Old)...)
			ids = append(ids, strings.Fields(ch.New)...)
		}
	}
	return ids
}

func (c *WatchCmd) text(env *Env, a *watchAnswer, unread bool) error {
	w := report.Inked(env.Stdout, report.TextOptions{Color: env.Color, Width: env.Width}, a.keyIDs()...)
	at := a.At.UTC().Format("2006-01-02 15:04:05")
	switch {
	case unread:
		w.Bold(at + "  " + a.Issuer + " could not be read.")
		for _, n := range a.Answer.Notes {
			w.Para("  ", n)
		}
		return w.Err()
	case a.Before == nil:
		w.Bold(at + "  First look at " + a.Issuer + fmt.Sprintf(": %d keys. From now on usher watch says what changed.", len(a.Keys)))
	case len(a.Changes) == 0:
		w.Bold(at + "  Nothing changed at " + a.Issuer + " since " + a.Before.UTC().Format("2006-01-02 15:04:05") + ".")
	default:
		n := "1 change"
		if len(a.Changes) > 1 {
			n = fmt.Sprintf("%d changes", len(a.Changes))
		}
		w.Bold(at + "  " + n + " at " + a.Issuer + " since " + a.Before.UTC().Format("2006-01-02 15:04:05") + ":")
	}
	for _, what := range a.Unread {
		if what == "discovery" {
			what = "discovery document"
		}
		w.Para("  ", "The "+what+" could not be read: of it nothing is known this time.")
	}
	for _, ch := range a.Changes {
		w.Para("  "+fmt.Sprintf("%-8s  ", ch.Severity), ch.Title)
		w.Para("            ", ch.Means)
		if ch.Do != "" {
			w.Para("            to do: ", ch.Do)
		}
	}
	for i := range a.Answer.Findings {
		f := &a.Answer.Findings[i]
		if name := newProtocol(f.Check); name != "" && f.Outcome == usher.OutcomeWrong {
			w.Para("  "+name+" would ask more: ", f.Title+".")
		}
	}
	return w.Err()
}

// files reads what was given of a client; a registration may change between two
// looks, so it is read anew for each.
func (c *WatchCmd) files(env *Env) ([]evidence.Input, error) {
	var list []evidence.Input
	for i, name := range c.Client {
		in, err := input(env, i, name)
		if err != nil {
			return nil, &usher.Error{Code: usher.ErrUnreadable, Message: lost(name, err), Hint: "name files of the client behind the issuer"}
		}
		list = append(list, in)
	}
	return list, nil
}

// newProtocol names the version of the protocol whose demands a check sums up.
func newProtocol(check string) string {
	switch check {
	case "profile-oauth21":
		return "OAuth 2.1"
	case "profile-bcp":
		return "RFC 9700"
	case "profile-mcp":
		return "MCP"
	}
	return ""
}

// stateDir is where looks are kept when nothing else is said.
func stateDir() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "usher", "looks")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", "usher", "looks")
	}
	return "usher-looks"
}
