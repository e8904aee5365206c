package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"usher"
	"usher/check"
	"usher/check/live"
	"usher/check/look"
	"usher/guard"
	"usher/provider/knowledge"
	"usher/report"
)

// CheckCmd answers: is this configuration right?
type CheckCmd struct {
	What []string `arg:"" optional:"" help:"The issuer of a provider, files with its configuration or a client's (registration, discovery document, keys, requests, tokens, logs), or the configuration of usher serve. Without any: usher.yaml."`

	ClientID    string   `help:"The client that is looked at." placeholder:"ID"`
	RedirectURI string   `help:"The redirect URI that it sends." placeholder:"URI"`
	Scope       string   `help:"The scopes that it asks for, in one word of the shell: 'openid orders'." placeholder:"SCOPES"`
	Issuer      string   `help:"The issuer that the client is configured with, where files alone are looked at." placeholder:"URL"`
	Resource    string   `help:"An API whose metadata (RFC 9728) is looked at." placeholder:"URL"`
	Provider    string   `help:"Whose configuration it is, where nothing tells: entra, okta, keycloak ..." placeholder:"NAME"`
	Expect      string   `help:"A YAML file with what you expect: audiences, tenants, lifetimes, roles." placeholder:"FILE"`
	Profile     string   `help:"What it is held to: default, oauth2.1, rfc9700, browser-based, native, fapi2, mcp." default:"default" placeholder:"NAME"`
	Only        []string `help:"Ask these checks or groups alone." placeholder:"CHECK"`
	Skip        []string `help:"Leave these checks or groups out." placeholder:"CHECK"`
	Trust       []string `help:"Further origins that are the provider's own, where it spreads over several." placeholder:"ORIGIN"`
	CAFile      string   `help:"Certificate authorities to trust beside those of the system, as PEM." placeholder:"FILE"`
	Now         string   `help:"Judge at this moment: RFC 3339 or seconds since 1970." placeholder:"TIME"`

	Probes `embed:"" group:"Probes"`

	Format  string `enum:"text,json,markdown,html,sarif,junit" default:"text" help:"Form of the answer: ${enum}."`
	FailOn  string `enum:"critical,high,medium,low,info,never" default:"low" help:"The mildest severity that ends with status 1: ${enum}."`
	Verbose bool   `short:"v" help:"Tell each check that is in order or could not be looked at."`
	List    bool   `help:"List every check, every profile and every provider that is known."`
	Static  bool   `help:"Of the configuration of usher serve look at the file alone, not at the environment or at the files that it names."`
}

// Run looks at the configuration and prints the answer.
func (c *CheckCmd) Run(env *Env) error {
	if c.List {
		return c.list(env)
	}
	if len(c.What) == 0 && !c.asks() {
		return c.serverConfig(env, "usher.yaml")
	}
	if len(c.What) == 1 && isYAML(c.What[0]) {
		return c.serverConfig(env, c.What[0])
	}
	req, err := c.request(env)
	if err != nil {
		return err
	}
	ctx, stop := env.Context()
	defer stop()
	res, err := look.At(ctx, req)
	env.still()
	if err != nil {
		return err
	}
	opt := report.CheckOptions{
		TextOptions: report.TextOptions{Color: env.Color, Width: env.Width},
		Subject:     subject(&req), FailOn: usher.Severity(c.FailOn), Verbose: c.Verbose, Rules: rules(res),
	}
	if err := report.Check(env.Stdout, &res.Answer, report.Format(c.Format), opt); err != nil {
		return err
	}
	return c.status(&res.Answer)
}

// lookTimeout bounds one request of a look.
const lookTimeout = 10 * time.Second

// asks tells whether flags alone say that something else than usher.yaml is meant.
func (c *CheckCmd) asks() bool {
	return c.Issuer != "" || c.Resource != "" || c.RedirectURI != "" || c.ClientID != "" || c.Scope != "" || c.Expect != "" || c.Provider != "" || c.Probe
}

// status is 1 where something is wrong that counts, 2 where nothing could be judged.
func (c *CheckCmd) status(a *usher.Answer) error {
	for i := range a.Findings {
		f := &a.Findings[i]
		if f.Outcome == usher.OutcomeWrong && c.FailOn != "never" && f.Severity.Rank() <= usher.Severity(c.FailOn).Rank() {
			return exitWrong
		}
	}
	if !a.Answered {
		return exitUnknown
	}
	return nil
}

// request sorts the arguments: an issuer to ask, and files to read.
func (c *CheckCmd) request(env *Env) (look.Request, error) {
	r := look.Request{
		Issuer: c.Issuer, ClientID: c.ClientID, RedirectURI: c.RedirectURI, Scopes: strings.Fields(c.Scope), Resource: c.Resource,
		Provider: c.Provider, Profile: c.Profile, Only: c.Only, Skip: c.Skip, Trust: c.Trust, Now: env.Now, Progress: env.progress(),
	}
	if c.Now != "" {
		now, err := parseMoment(c.Now)
		if err != nil {
			return r, err
		}
		r.Now = fixedClock(now)
	}
	if err := knownProvider(c.Provider); err != nil {
		return r, err
	}
	live := ""
	for i, arg := range c.What {
		switch issuer, is := issuerOf(arg); {
		case !is:
			in, err := input(env, i, arg)
			if err != nil {
				r.Lost = append(r.Lost, lost(arg, err))
				continue
			}
			r.Inputs = append(r.Inputs, in)
		case live != "":
			return r, &usher.Error{Code: usher.ErrUsage, Message: "two issuers: " + live + " and " + issuer, Hint: "check one provider at a time"}
		default:
			if err := webAddress(issuer); err != nil {
				return r, err
			}
			live = issuer
		}
	}
	if live != "" {
		if r.Issuer != "" && r.Issuer != live {
			return r, &usher.Error{Code: usher.ErrUsage, Message: "--issuer " + r.Issuer + " is another one than " + live, Hint: "give the issuer once"}
		}
		r.Issuer = live
	}
	if live != "" || c.Resource != "" {
		r.Client = guard.New(guard.Options{Trusted: trusted(append([]string{r.Issuer, c.Resource, webOnly(c.RedirectURI)}, c.Trust...)...), CAFile: c.CAFile, Timeout: lookTimeout})
		if err := r.Client.Err(); err != nil {
			return r, err
		}
	}
	if c.Probe {
		var err error
		if r.Probe, err = c.options(env); err != nil {
			return r, err
		}
		if live == "" {
			return r, &usher.Error{Code: usher.ErrUsage, Message: "--probe has nobody to ask", Hint: "give the provider's issuer as the first argument"}
		}
	} else if c.Change || c.SecretFile != "" || c.KeyFile != "" {
		return r, &usher.Error{Code: usher.ErrUsage, Message: "--change, --secret-file and --key-file are for probes", Hint: "add --probe: usher says what it sends before it does"}
	}
	if c.Expect != "" {
		var err error
		if r.Expect, err = readExpect(env, c.Expect); err != nil {
			return r, err
		}
	}
	return r, nil
}

// knownProvider refuses a name that no provider has: judged by nobody's rules,
// a configuration looks better than it is.
func knownProvider(name string) error {
	if name == "" {
		return nil
	}
	var names []string
	for _, p := range knowledge.All() {
		if strings.EqualFold(p.Name, name) {
			return nil
		}
		names = append(names, p.Name)
	}
	hint := "known are " + strings.Join(names, ", ")
	if near := check.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return &usher.Error{Code: usher.ErrUsage, Message: "nothing is known of a provider called " + name, Hint: hint}
}

// lost says why an argument is no file, and what was probably meant.
func lost(arg string, err error) string {
	_, statErr := os.Stat(arg)
	switch {
	case statErr == nil:
		return plainError(err).Error()
	case strings.Contains(arg, "://"):
		return arg + ": usher asks over https and http alone"
	}
	if host, _, err := net.SplitHostPort(strings.SplitN(arg, "/", 2)[0]); err == nil && host != "" {
		return arg + ": there is no such file; for a provider write https://" + arg
	}
	return arg + ": there is no such file"
}

// webAddress refuses what cannot be an issuer before anything is asked.
func webAddress(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Hostname() == "":
		return &usher.Error{Code: usher.ErrUsage, Message: "the issuer has no host", Hint: "write it as the discovery document says it: https://login.example/realms/shop"}
	case u.User != nil:
		return &usher.Error{Code: usher.ErrUsage, Message: "the issuer has a user name in it", Hint: "leave out what stands before the @"}
	}
	return nil
}

// issuerOf tells an issuer from a file and from a URL of a flow.
func issuerOf(arg string) (string, bool) {
	if !strings.HasPrefix(arg, "https://") && !strings.HasPrefix(arg, "http://") || strings.ContainsAny(arg, "?# \n") {
		return "", false
	}
	return live.IssuerOf(arg), true
}

// webOnly gives an address of the web; the callback of a native app is none.
func webOnly(uri string) string {
	if strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://") {
		return uri
	}
	return ""
}

func trusted(origins ...string) []string {
	return slices.DeleteFunc(origins, func(s string) bool { return s == "" })
}

// readExpect reads what the operator expects. Unknown keys are refused.
func readExpect(env *Env, name string) (*check.Expect, error) {
	data, err := env.readSmall(name)
	if err != nil {
		return nil, err
	}
	var e check.Expect
	if err := yaml.Load(data, &e, yaml.WithKnownFields()); err != nil {
		return nil, &usher.Error{
			Code: usher.ErrUnreadable, Message: name + ": " + strings.TrimPrefix(err.Error(), "yaml: "),
			Hint: "the keys are issuer, audiences, clients, tenants, algs, access_max, secret_max_age, roles, scopes, production",
		}
	}
	return &e, nil
}

func subject(r *look.Request) string {
	var parts []string
	if r.Issuer != "" {
		parts = append(parts, r.Issuer)
	}
	for _, in := range r.Inputs {
		parts = append(parts, in.Name)
	}
	if len(parts) > 4 {
		parts = append(parts[:3], fmt.Sprintf("%d more", len(parts)-3))
	}
	if len(parts) == 0 && r.Resource != "" {
		parts = []string{r.Resource}
	}
	return strings.Join(parts, ", ")
}

func rules(res *look.Result) []report.Rule {
	list := make([]report.Rule, 0, len(res.Checks))
	for _, k := range res.Checks {
		r := report.Rule{ID: k.ID, Title: k.Title, Judged: k.Judged, Group: string(k.Group), Severity: k.Severity, References: k.References}
		for _, step := range k.Fix {
			r.Help += sentenceEnd(step.Text) + "\n"
		}
		list = append(list, r)
	}
	return list
}

func sentenceEnd(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

func isYAML(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return ext == ".yaml" || ext == ".yml"
}
