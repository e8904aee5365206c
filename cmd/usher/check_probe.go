package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/check/probe"
	"usher/oauth"
	"usher/report"
)

// Probes are the flags of check that let usher ask the provider.
type Probes struct {
	Probe         bool          `help:"Ask the provider as the client would, without changing anything; usher says what it sends."`
	Change        bool          `help:"With --probe: ask also what makes something, and undo it afterwards; usher asks before each."`
	Yes           bool          `help:"Take every question of --change as answered with yes."`
	SecretFile    string        `help:"File with the client's secret, for its verification; - is standard input. It goes to the provider's own token endpoint alone." placeholder:"FILE"`
	KeyFile       string        `help:"File with the client's private key (PEM or JWK), for private_key_jwt." placeholder:"FILE"`
	KeyID         string        `help:"Key id in the header of the assertion." placeholder:"KID"`
	Audience      string        `help:"Audience that the client's own software puts into its assertion." placeholder:"AUD"`
	Lifetime      time.Duration `help:"Lifetime that it gives its assertion." placeholder:"DURATION"`
	AuthMethod    string        `help:"How the client authenticates: client_secret_basic, client_secret_post, private_key_jwt, none." placeholder:"METHOD"`
	TryMethods    bool          `help:"When the method is refused, try the others at the same endpoint."`
	TokenEndpoint string        `help:"The token endpoint, where it lies at another origin than the issuer." placeholder:"URL"`
	Origin        string        `help:"Origin of the client's pages, for a browser app." placeholder:"ORIGIN"`
	OtherClientID string        `help:"A second client of yours, for refresh-bound." placeholder:"ID"`
	OtherSecret   string        `help:"File with the second client's secret." placeholder:"FILE"`
	Wait          time.Duration `help:"Time between two requests." placeholder:"DURATION" default:"200ms"`
}

// options reads the files and says how a person is asked.
func (p *Probes) options(env *Env) (*probe.Options, error) {
	opt := &probe.Options{
		KeyID: p.KeyID, Audience: p.Audience, Lifetime: p.Lifetime, AuthMethod: p.AuthMethod, TryMethods: p.TryMethods, TokenEndpoint: p.TokenEndpoint, Origin: p.Origin,
		OtherClient: p.OtherClientID, Change: p.Change, Wait: p.Wait,
	}
	for _, f := range []struct {
		name string
		to   *usher.Secret
	}{{p.SecretFile, &opt.Secret}, {p.KeyFile, &opt.Key}, {p.OtherSecret, &opt.OtherSecret}} {
		if f.name == "" {
			continue
		}
		data, err := env.readSmall(f.name)
		if err != nil {
			return nil, err
		}
		text := strings.TrimRight(string(data), "\r\n")
		if text == "" {
			return nil, &usher.Error{Code: usher.ErrUnreadable, Message: f.name + " is empty", Hint: "write the secret into it, and nothing else"}
		}
		*f.to = usher.Secret(text)
	}
	if err := opt.Err(); err != nil {
		var told *usher.Error
		if errors.As(err, &told) && told.Code == usher.ErrUnreadable {
			named := *told
			named.Message = p.KeyFile + ": " + told.Message
			return nil, &named
		}
		return nil, err
	}
	opt.Announce = func(s probe.Step) bool { return p.announce(env, s) }
	if p.Change && env.Width > 0 && !env.Piped {
		opt.SignIn = func(_ context.Context, address string) (usher.Secret, error) { return signIn(env, address) }
	}
	return opt, nil
}

// announce says what is about to be sent, and asks where something is made.
func (p *Probes) announce(env *Env, s probe.Step) bool {
	line := fmt.Sprintf("probe %s (%s): %s %s: %s", s.Check, s.Safety, s.Method, s.URL, s.What)
	if s.Sends != "" {
		line += "; sends " + s.Sends
	}
	if s.Undo != "" {
		line += "; undone by: " + s.Undo
	}
	env.still()
	fmt.Fprintln(env.Stderr, report.Inert(oauth.Redact(line)))
	if s.Safety != check.S2 || p.Yes {
		return true
	}
	if env.Piped {
		fmt.Fprintln(env.Stderr, "left out: nobody is there to ask; --yes answers for you")
		return false
	}
	// Not by ask: standard output belongs to the answer.
	fmt.Fprint(env.Stderr, "Send it? [y/N] ")
	said := strings.ToLower(env.readAnswer())
	return said == "y" || said == "yes"
}

// signIn has the person sign in with a browser and paste where it came back to.
func signIn(env *Env, address string) (usher.Secret, error) {
	fmt.Fprintf(env.Stderr, "Open this address, sign in with a test account, and paste the address that the browser comes back to (the page need not load):\n  %s\n> ", report.Inert(address))
	back := strings.TrimSpace(env.readAnswer())
	if back == "" {
		return "", &usher.Error{Code: usher.ErrUsage, Message: "nobody signed in", Hint: "paste the whole address from the browser's bar"}
	}
	return usher.Secret(back), nil
}
