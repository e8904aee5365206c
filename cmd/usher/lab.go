package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"usher"
	"usher/lab"
)

// LabCmd answers: what does my software do when the provider fails like this?
type LabCmd struct {
	Fault       []string `placeholder:"NAME" help:"Start with this fault; may be given several times. --list names them."`
	List        bool     `help:"List the faults: what each does, what shows it, how it is fixed and proven."`
	Listen      string   `default:"127.0.0.1:5304" placeholder:"HOST:PORT" help:"Address to listen on (${default}); port 0 takes a free one."`
	RedirectURI []string `name:"redirect-uri" placeholder:"URI" help:"Redirect URI of your app, in place of the lab's own; may be given several times."`
	Log         string   `placeholder:"FILE" help:"Append Keycloak's log lines to this file; without it they go to standard error."`
	Records     string   `placeholder:"FILE" help:"Append Entra's sign-in records, one a line, to this file; without it they go where the log goes."`
	Events      string   `placeholder:"FILE" help:"Append the API's own events, one a line, to this file; without it they go where the log goes."`
	Format      string   `enum:"text,json" default:"text" help:"Form of the settings and of the list: ${enum}."`
}

// Run lists the faults, or is a lab until it is stopped.
func (c *LabCmd) Run(env *Env) error {
	if c.List {
		return listFaults(env.Stdout, c.Format)
	}
	for _, name := range c.Fault {
		if _, ok := lab.Find(name); !ok {
			return &usher.Error{Code: usher.ErrUsage, Message: fmt.Sprintf("the lab has no fault %s", quoted(name)), Hint: "usher lab --list names them"}
		}
	}
	opt := lab.Options{Now: env.Now, Control: true, Faults: c.Fault, Log: env.Stderr, Clients: lab.DefaultClients()}
	if len(c.RedirectURI) > 0 {
		for i := range opt.Clients {
			if len(opt.Clients[i].RedirectURIs) > 0 {
				opt.Clients[i].RedirectURIs = c.RedirectURI
			}
		}
	}
	for _, out := range []struct {
		name string
		to   *io.Writer
	}{{c.Log, &opt.Log}, {c.Records, &opt.Records}, {c.Events, &opt.Events}} {
		if out.name == "" {
			continue
		}
		f, err := os.OpenFile(out.name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return &usher.Error{Code: usher.ErrUnreadable, Message: "open " + out.name, Err: plainError(err), Hint: "may you write there?"}
		}
		defer f.Close() //nolint:errcheck // each line is written by itself
		*out.to = f
	}
	ctx, stop := env.Context()
	defer stop()
	return c.serve(ctx, env, opt)
}

// serve is a lab until ctx ends.
func (c *LabCmd) serve(ctx context.Context, env *Env, opt lab.Options) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return &usher.Error{Code: usher.ErrUsage, Message: "cannot listen on " + quoted(c.Listen), Err: err, Hint: "is another lab running there? --listen 127.0.0.1:0 takes a free port"}
	}
	l := lab.New(opt)
	server := &http.Server{Handler: l, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	if err := c.tell(env, l.Settings("http://"+listener.Addr().String())); err != nil {
		return errors.Join(err, listener.Close())
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(end)
}

func (c *LabCmd) tell(env *Env, s lab.Settings) error {
	if c.Format == "json" {
		return json.NewEncoder(env.Stdout).Encode(s)
	}
	var b strings.Builder
	row := func(name, value string) { fmt.Fprintf(&b, "  %-14s %s\n", name, value) }
	b.WriteString("A lab runs. Settings for your software, in Keycloak's dialect:\n\n")
	row("issuer", s.Keycloak.Issuer)
	row("client id", s.Keycloak.ClientID)
	row("client secret", "curl -s "+s.SecretAt)
	row("redirect URI", s.Redirect)
	row("API", s.API)
	row("people", strings.Join(s.Users, ", ")+` (the password is the name with "-password" behind it)`)
	b.WriteString("\nin Entra's:\n\n")
	row("issuer", s.Entra.Issuer)
	row("client id", s.Entra.ClientID)
	b.WriteString("\nFaults. Switch one on with curl -X PUT " + s.Base + "/lab/faults/NAME, off with -X DELETE.\nEach can be provoked by your software, or by these commands:\n")
	for _, f := range s.Faults {
		state := ""
		if f.On {
			state = " (on)"
		}
		fmt.Fprintf(&b, "\n%s%s: %s\n", f.Name, state, f.Title)
		for _, line := range strings.Split(f.Command, "\n") {
			b.WriteString("    " + line + "\n")
		}
	}
	b.WriteString("\nCtrl-C ends it. Nothing is kept.\n")
	_, err := io.WriteString(env.Stdout, b.String())
	return err
}

// listFaults prints the table of faults.
func listFaults(w io.Writer, format string) error {
	if format == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(map[string]any{"version": 1, "faults": lab.Faults})
	}
	var b strings.Builder
	for i, f := range lab.Faults {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s (%s)\n  %s\n", f.Name, f.Dialect, f.Title)
		for _, row := range [][2]string{{"does", f.Does}, {"provoke", f.Provoke}, {"shows", f.Shows}, {"fix", f.Fix}, {"proof", f.Proof}, {"usher can", string(f.Action)}} {
			if row[1] != "" {
				fmt.Fprintf(&b, "  %-9s  %s\n", row[0], row[1])
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
