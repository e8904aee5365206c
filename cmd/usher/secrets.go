package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"usher"
	"usher/broker/credential"
	"usher/console"
	"usher/report"
)

// SecretsCmd answers: which client secrets are kept fresh, when do they end, and
// who still uses an old one? It asks the running server.
type SecretsCmd struct {
	connectFlags
	List   SecretsListCmd   `cmd:"" default:"withargs" help:"List secrets: age, end, who still uses the old one, what comes next and whose turn it is."`
	Add    SecretsAddCmd    `cmd:"" help:"Begin to manage the secret of a client."`
	Show   SecretsShowCmd   `cmd:"" help:"Show one secret: its versions, who uses it, where a rotation stands."`
	Rotate SecretsRotateCmd `cmd:"" help:"Replace it by another one, while programs go on using it; with --plan only say what that would do."`
	Retire SecretsRetireCmd `cmd:"" help:"End the old one now; who still uses it is shown first."`
	Undo   SecretsUndoCmd   `cmd:"" help:"Hand the old one out again."`
	Verify SecretsVerifyCmd `cmd:"" help:"Try it at its token endpoint now."`
	Forget SecretsForgetCmd `cmd:"" help:"Say that a caller is gone, so that nothing waits for it."`
	Leaked SecretsLeakedCmd `cmd:"" help:"Report a secret that was seen where it should not be."`
	Remove SecretsRemoveCmd `cmd:"" help:"Manage it no longer; at the provider nothing is changed."`
}

type secretFormat struct {
	Format string `enum:"text,json" default:"text" help:"Form of the answer: ${enum}."`
}

type secretName struct {
	Name string `arg:"" help:"Name of the secret."`
}

func (c *secretName) path(rest string) string {
	return "/api/v1/secrets/" + url.PathEscape(c.Name) + rest
}

// SecretsListCmd lists secrets.
type SecretsListCmd struct{ secretFormat }

// Run lists.
func (c *SecretsListCmd) Run(env *Env, at *SecretsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	var list struct {
		Secrets []credential.View `json:"secrets"`
	}
	if err := cl.call(context.Background(), http.MethodGet, "/api/v1/secrets", nil, &list); err != nil {
		return told(env, err)
	}
	if c.Format == "json" {
		return writeJSON(env, list)
	}
	writeSecrets(env, list.Secrets)
	return nil
}

// SecretsAddCmd begins to manage a secret. Its value comes from a file or from
// the terminal: what is typed as a flag is seen by everybody on the machine.
type SecretsAddCmd struct {
	secretName
	secretFormat
	ClientID      string        `required:"" placeholder:"ID" help:"The client whose secret it is."`
	Provider      string        `placeholder:"NAME" help:"Provider of the server's configuration that is asked for another one. Without it usher verifies, warns and hands out, and rotates nothing."`
	SecretFile    string        `placeholder:"FILE" help:"File that holds the secret that is in use now; - for standard input. Without it, it is asked for on a terminal."`
	SecretID      string        `placeholder:"ID" help:"The provider's id of it, where the client has several and usher cannot tell which."`
	Expires       string        `placeholder:"DAY" help:"When it ends, where the provider does not tell: 2027-01-31."`
	TokenEndpoint string        `placeholder:"URL" help:"Where it is verified; without it, what the provider's issuer publishes."`
	AuthMethod    string        `enum:",client_secret_basic,client_secret_post" default:"" placeholder:"METHOD" help:"How it is sent: client_secret_basic or client_secret_post."`
	Grant         string        `enum:",client_credentials" default:"" placeholder:"GRANT" help:"client_credentials: verify it by asking for a token. Without it a code is redeemed that nobody gave."`
	Scope         string        `placeholder:"SCOPE" help:"The scope of that token."`
	Owner         string        `placeholder:"NAME" help:"Who is warned before it ends."`
	Caller        []string      `placeholder:"KEY" help:"Name of the key of a program that uses it: an old one is not retired before each has the new one. May be given again."`
	QuietFor      time.Duration `placeholder:"TIME" help:"How long no use of an old one must be seen before it is retired, and a quarter more; without it 1h."`
	OnLeak        string        `enum:",ask,automatic" default:"" placeholder:"POLICY" help:"What a leak starts: ask (a case with the plan) or automatic (a rotation, when two signals say so)."`
	RotateEvery   time.Duration `placeholder:"TIME" help:"Rotate it by itself when it is so old."`
}

// Run reads the secret and hands it in.
func (c *SecretsAddCmd) Run(env *Env, at *SecretsCmd) error {
	wish := console.NewSecret{SecretID: c.SecretID, Config: credential.Config{
		Name: c.Name, Provider: c.Provider, ClientID: c.ClientID, TokenEndpoint: c.TokenEndpoint, AuthMethod: c.AuthMethod, Grant: c.Grant, Scope: c.Scope,
		Owner: c.Owner, Callers: c.Caller, QuietFor: usher.Duration(c.QuietFor), OnLeak: c.OnLeak, RotateEvery: usher.Duration(c.RotateEvery),
	}}
	if err := wish.Config.Validate(); err != nil {
		return err
	}
	if c.Expires != "" {
		var err error
		if wish.Expires, err = parseDay(c.Expires, env.Now()); err != nil {
			return err
		}
	}
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	if wish.Secret, err = env.secretOf(c.SecretFile, c.Name); err != nil {
		return err
	}
	var made credential.View
	if err := cl.call(context.Background(), http.MethodPost, "/api/v1/secrets", wish, &made); err != nil {
		return told(env, err)
	}
	if c.Format == "json" {
		return writeJSON(env, made)
	}
	writeSecret(env, &made)
	return nil
}

// secretOf reads a secret from a file, or asks for it.
func (e *Env) secretOf(file, name string) (string, error) {
	if file != "" {
		return e.secretFile(file, true)
	}
	text, err := e.askSecret("Secret of " + name + ": ")
	if err == nil && text == "" {
		err = &usher.Error{Code: usher.ErrUsage, Message: "the secret is empty", Hint: "name a file that holds it: --secret-file"}
	}
	return text, err
}

// SecretsShowCmd shows a secret.
type SecretsShowCmd struct {
	secretName
	secretFormat
}

// Run shows.
func (c *SecretsShowCmd) Run(env *Env, at *SecretsCmd) error {
	return c.answer(env, at, http.MethodGet, "", nil, c.Format)
}

// answer does something and shows how the secret stands then.
func (c *secretName) answer(env *Env, at *SecretsCmd, method, path string, body any, format string) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	var found credential.View
	if err := cl.call(context.Background(), method, c.path(path), body, &found); err != nil {
		return told(env, err)
	}
	if format == "json" {
		return writeJSON(env, found)
	}
	writeSecret(env, &found)
	return nil
}

// SecretsRotateCmd rotates a secret.
type SecretsRotateCmd struct {
	secretName
	secretFormat
	Plan   bool   `help:"Only say what would change where, who uses the secret, and when the old one may be retired."`
	Reason string `placeholder:"TEXT" help:"Why, for those who read it later."`
	Yes    bool   `help:"Do not ask."`
}

// Run shows the plan, asks, and begins. The rest happens in the server.
func (c *SecretsRotateCmd) Run(env *Env, at *SecretsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	ctx := context.Background()
	var plan credential.Plan
	if err := cl.call(ctx, http.MethodPost, c.path("/plan"), nil, &plan); err != nil {
		return told(env, err)
	}
	if c.Format == "json" && c.Plan {
		return writeJSON(env, plan)
	}
	if c.Format == "text" {
		writeRotation(env, &plan)
	}
	switch {
	case c.Plan:
		if plan.Refused != "" {
			return exitWrong
		}
		return nil
	case plan.Refused != "" || plan.Rotation != nil:
		return exitWrong
	case !c.Yes && !env.ask("Rotate it? [y/N] "):
		fmt.Fprintln(env.Stdout, "nothing was changed")
		return exitWrong
	}
	if err := cl.call(ctx, http.MethodPost, c.path("/rotate"), map[string]string{"reason": c.Reason}, &plan); err != nil {
		return told(env, err)
	}
	if c.Format == "json" {
		return writeJSON(env, plan)
	}
	fmt.Fprintf(env.Stdout, "begun; the server goes on with it. Look with: usher secrets show %s\n", report.Inert(c.Name))
	return nil
}

// SecretsRetireCmd retires the old version.
type SecretsRetireCmd struct {
	secretName
	Yes      bool   `help:"Do not ask, where nothing speaks against it."`
	InUse    string `placeholder:"NAME" help:"Retire it although it may be in use: type the name of the secret once more."`
	Declared bool   `name:"declare" help:"You have ended it at the provider yourself, where usher cannot."`
}

// Run says what speaks against it, asks, and asks again.
func (c *SecretsRetireCmd) Run(env *Env, at *SecretsCmd) error {
	if c.Declared {
		return c.answer(env, at, http.MethodPost, "/declare", nil, "text")
	}
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	ctx := context.Background()
	var shown credential.Retirement
	if err := cl.call(ctx, http.MethodPost, c.path("/retire"), map[string]string{}, &shown); err != nil {
		return told(env, err)
	}
	if shown.Done {
		fmt.Fprintf(env.Stdout, "version %d is being retired: nothing speaks against it\n", shown.Version)
		return nil
	}
	fmt.Fprintf(env.Stdout, "usher does not retire version %d of %s, because:\n", shown.Version, report.Inert(c.Name))
	for i := range shown.Holds {
		fmt.Fprintf(env.Stdout, "  - %s\n", holdText(&shown.Holds[i], env.Now()))
	}
	if c.InUse == "" {
		if !env.ask("Whoever uses it fails from that moment. Retire it all the same? [y/N] ") {
			fmt.Fprintln(env.Stdout, "nothing was changed")
			return exitWrong
		}
		fmt.Fprintf(env.Stdout, "It cannot be taken back. Type the name of the secret (%s) if you mean it: ", report.Inert(c.Name))
		c.InUse = env.readAnswer()
	}
	if c.InUse != c.Name {
		fmt.Fprintln(env.Stdout, "nothing was changed")
		return exitWrong
	}
	if err := cl.call(ctx, http.MethodPost, c.path("/retire"), map[string]string{"confirm": shown.Confirm}, &shown); err != nil {
		return told(env, err)
	}
	fmt.Fprintf(env.Stdout, "version %d is being retired\n", shown.Version)
	return nil
}

// SecretsUndoCmd takes a rotation back.
type SecretsUndoCmd struct {
	secretName
	secretFormat
	Yes bool `help:"Do not ask."`
}

// Run says what is handed out then, asks, and takes it back.
func (c *SecretsUndoCmd) Run(env *Env, at *SecretsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	var found credential.View
	if err := cl.call(context.Background(), http.MethodGet, c.path(""), nil, &found); err != nil {
		return told(env, err)
	}
	// Where nobody has the new one yet, nothing changes for anybody.
	if r := found.Rotation; !c.Yes && r != nil && r.Step == credential.StepMoving {
		if !env.ask(fmt.Sprintf("Version %d of %s is handed out again to everybody, in place of version %d. Do it? [y/N] ", r.From, report.Inert(c.Name), found.Version)) {
			fmt.Fprintln(env.Stdout, "nothing was changed")
			return exitWrong
		}
	}
	return c.answer(env, at, http.MethodPost, "/undo", nil, c.Format)
}

// SecretsVerifyCmd tries a secret.
type SecretsVerifyCmd struct {
	secretName
	secretFormat
}

// Run tries it.
func (c *SecretsVerifyCmd) Run(env *Env, at *SecretsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	var found credential.View
	if err := cl.call(context.Background(), http.MethodPost, c.path("/verify"), nil, &found); err != nil {
		return told(env, err)
	}
	if c.Format == "json" {
		err = writeJSON(env, found)
	} else {
		_, err = fmt.Fprintf(env.Stdout, "%s: %s\n", outcomeWord(found.Health.Outcome), report.Line(found.Health.Title, 400))
	}
	switch {
	case err != nil:
		return err
	case found.Health.Outcome == usher.OutcomeWrong:
		return exitWrong
	case found.Health.Outcome != usher.OutcomeOK:
		return exitUnknown
	}
	return nil
}

// SecretsForgetCmd takes a caller out of the account.
type SecretsForgetCmd struct {
	secretName
	Caller string `arg:"" help:"Name of the caller as usher secrets show tells it, with or without \"key\"; with an asterisk at its end all that begin so."`
}

// Run forgets.
func (c *SecretsForgetCmd) Run(env *Env, at *SecretsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	var done struct {
		Forgotten int `json:"forgotten"`
	}
	if err := cl.call(context.Background(), http.MethodPost, c.path("/forget"), map[string]string{"caller": c.Caller}, &done); err != nil {
		return told(env, err)
	}
	fmt.Fprintf(env.Stdout, "%d forgotten\n", done.Forgotten)
	return nil
}

// SecretsLeakedCmd reports a leak.
type SecretsLeakedCmd struct {
	secretFormat
	Name       string `arg:"" optional:"" help:"Name of the secret; without it all are compared."`
	SecretFile string `placeholder:"FILE" help:"File that holds what was seen; - for standard input."`
	SHA256     string `name:"sha256" placeholder:"HEX" help:"Its SHA-256, in place of the value."`
	Source     string `placeholder:"NAME" help:"Who saw it: two different ones are two signals."`
	Where      string `placeholder:"TEXT" help:"Where it was seen."`
}

// Run reports.
func (c *SecretsLeakedCmd) Run(env *Env, at *SecretsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	seen := console.LeakedSecret{SHA256: c.SHA256, Source: c.Source, Detail: c.Where}
	if c.SHA256 == "" {
		if seen.Value, err = env.secretOf(c.SecretFile, "what was seen"); err != nil {
			return err
		}
	}
	name := secretName{c.Name}
	if c.Name == "" {
		name.Name = console.AnySecret
	}
	var found struct {
		Secrets []credential.Leaked `json:"secrets"`
	}
	if err := cl.call(context.Background(), http.MethodPost, name.path("/leaked"), seen, &found); err != nil {
		return told(env, err)
	}
	if c.Format == "json" {
		err = writeJSON(env, found)
	} else {
		writeLeaked(env, found.Secrets)
	}
	if err == nil && len(found.Secrets) > 0 {
		return exitWrong
	}
	return err
}

// SecretsRemoveCmd ends the managing of a secret.
type SecretsRemoveCmd struct {
	secretName
	Yes bool `help:"Do not ask."`
}

// Run asks and removes.
func (c *SecretsRemoveCmd) Run(env *Env, at *SecretsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	var found credential.View
	if err := cl.call(context.Background(), http.MethodGet, c.path(""), nil, &found); err != nil {
		return told(env, err)
	}
	if !c.Yes && !env.ask("Remove "+report.Inert(c.Name)+"? Programs that fetch it get none, and nobody else may have its value. [y/N] ") {
		fmt.Fprintln(env.Stdout, "nothing was changed")
		return exitWrong
	}
	if err := cl.call(context.Background(), http.MethodDelete, c.path(""), nil, nil); err != nil {
		return told(env, err)
	}
	fmt.Fprintf(env.Stdout, "%s is removed\n", report.Inert(c.Name))
	return nil
}
