package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"

	"golang.org/x/term"

	"usher"
	"usher/broker"
	"usher/console"
	"usher/report"
)

// ConnectionsAddCmd makes a connection. Secrets come from files or from the
// terminal: what is typed as a flag is seen by everybody on the machine.
type ConnectionsAddCmd struct {
	connectionName
	connectionFormat
	Preset   string            `placeholder:"NAME" help:"What is known of the API: usher connections presets lists them."`
	Set      map[string]string `placeholder:"NAME=VALUE" help:"Fill a gap of the preset: --set environment=sandbox. May be given again."`
	Issuer   string            `placeholder:"URL" help:"The provider that issues the tokens; its metadata says the rest."`
	Provider string            `placeholder:"NAME" help:"A provider of the server's configuration, in place of --issuer."`
	Trust    []string          `placeholder:"ORIGIN" help:"Another origin of the issuer, where its metadata names endpoints elsewhere. May be given again."`

	TokenEndpoint         string `placeholder:"URL" help:"Where there are neither a preset nor metadata: the token endpoint."`
	AuthorizationEndpoint string `placeholder:"URL" help:"As --token-endpoint."`
	DeviceEndpoint        string `placeholder:"URL" help:"As --token-endpoint: the device authorization endpoint."`
	RevocationEndpoint    string `placeholder:"URL" help:"As --token-endpoint."`
	IntrospectionEndpoint string `placeholder:"URL" help:"As --token-endpoint."`
	JWKSURI               string `name:"jwks-uri" placeholder:"URL" help:"As --token-endpoint: the keys of the issuer."`

	Grant            string `placeholder:"GRANT" help:"client_credentials, authorization_code, refresh_token, device_code, jwt_bearer or token_exchange; without it the usual one."`
	ClientID         string `placeholder:"ID" help:"The client id at the provider."`
	AuthMethod       string `placeholder:"METHOD" help:"How the client authenticates: client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt or none; without it the usual one."`
	SecretFile       string `placeholder:"FILE" help:"File that holds the client's secret; - for standard input. Without it, it is asked for on a terminal."`
	ManagedSecret    string `placeholder:"NAME" help:"A secret that usher manages, in place of --secret-file: usher secrets lists them."`
	KeyFile          string `placeholder:"FILE" help:"File that holds the client's private key, PEM or JWK."`
	Kid              string `placeholder:"ID" help:"Id of that key."`
	RefreshTokenFile string `placeholder:"FILE" help:"File that holds a refresh token that was given elsewhere."`
	NoSecret         bool   `help:"The client has no secret: do not ask for one."`

	AssertionIssuer   string `placeholder:"ISS" help:"Of the JWT bearer grant: iss of the assertion."`
	AssertionSubject  string `placeholder:"SUB" help:"Of the JWT bearer grant: sub of the assertion."`
	AssertionAudience string `placeholder:"AUD" help:"Of the JWT bearer grant: aud of the assertion."`
	Subject           string `placeholder:"CONNECTION" help:"Of the token exchange: the connection whose token is exchanged."`

	connectionFlags
}

// connectionFlags are what can be changed later too.
type connectionFlags struct {
	Scope     []string          `placeholder:"SCOPE" sep:"none" help:"Ask for this scope. May be given again."`
	Audience  string            `placeholder:"AUD" help:"Parameter audience of the token request."`
	Resource  []string          `placeholder:"URI" help:"Parameter resource (RFC 8707). May be given again."`
	Parameter map[string]string `placeholder:"NAME=VALUE" help:"A further parameter of the token request. May be given again."`
	Role      string            `placeholder:"ROLE" help:"Role of the callers, for lifespan policies."`
	Policy    string            `placeholder:"NAME" help:"Lifespan policy of the server's configuration."`
	Owner     string            `placeholder:"NAME" help:"Who is asked and warned."`
	Caller    []string          `placeholder:"KEY" help:"Name of a key that may take the token; without one every key that is for the connection. May be given again."`
	Target    []string          `placeholder:"ORIGIN" help:"Where the egress proxy may send the token. May be given again."`
}

// over puts what was said over a configuration.
func (f *connectionFlags) over(c *broker.Config) {
	lists := []struct {
		said []string
		to   *[]string
	}{{words(f.Scope), &c.Scopes}, {f.Resource, &c.Resources}, {f.Caller, &c.Callers}, {f.Target, &c.Targets}}
	for _, l := range lists {
		if len(l.said) > 0 {
			*l.to = l.said
		}
	}
	for _, p := range []struct {
		said string
		to   *string
	}{{f.Audience, &c.Audience}, {f.Role, &c.Role}, {f.Policy, &c.Policy}, {f.Owner, &c.Owner}} {
		if p.said != "" {
			*p.to = p.said
		}
	}
	if len(f.Parameter) > 0 {
		c.Extra = f.Parameter
	}
}

// words splits scopes that were given with blanks between.
func words(list []string) (all []string) {
	for _, s := range list {
		all = append(all, strings.Fields(s)...)
	}
	return all
}

// Run reads the secrets and makes the connection.
func (c *ConnectionsAddCmd) Run(env *Env, at *ConnectionsCmd) error {
	if err := console.CheckConnectionID(c.ID); err != nil {
		return usage(err)
	}
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	wish := console.NewConnection{
		Config: broker.Config{
			ID: c.ID, Preset: c.Preset, Provider: c.Provider, Issuer: c.Issuer, Grant: c.Grant, ClientID: c.ClientID, AuthMethod: c.AuthMethod,
			Endpoints: broker.Endpoints{
				Token: c.TokenEndpoint, Authorization: c.AuthorizationEndpoint, DeviceAuthorization: c.DeviceEndpoint,
				Revocation: c.RevocationEndpoint, Introspection: c.IntrospectionEndpoint, JWKS: c.JWKSURI,
			},
			KeyID: c.Kid, AssertionIssuer: c.AssertionIssuer, AssertionSubject: c.AssertionSubject, AssertionAudience: c.AssertionAudience, Subject: c.Subject,
		},
		Variables: c.Set, Trust: c.Trust, Managed: c.ManagedSecret,
	}
	c.over(&wish.Config)
	if err := c.secrets(env, &wish); err != nil {
		return err
	}
	var made console.Connection
	if err := cl.call(context.Background(), http.MethodPost, "/api/v1/connections", wish, &made); err != nil {
		return told(env, err)
	}
	if err := c.write(env, &made); err != nil || c.Format == "json" {
		return err
	}
	c.next(env, cl, &made)
	return nil
}

// next says what is to be done now.
func (c *ConnectionsAddCmd) next(env *Env, cl *client, made *console.Connection) {
	if made.RedirectURI != "" && made.Config.Grant == broker.GrantCode {
		fmt.Fprintf(env.Stdout, "\nRegister this redirect URI at the provider:\n  %s\n", report.Inert(made.RedirectURI))
	}
	if made.Status.State != broker.StateNew || !broker.Interactive(made.Config.Grant) || made.Config.Grant == broker.GrantRefresh {
		return
	}
	var link connectLink
	if err := cl.call(context.Background(), http.MethodPost, c.path("/connect"), nil, &link); err != nil {
		env.say("hint", "usher connections connect "+c.ID+" makes the link where a person connects it")
		return
	}
	fmt.Fprintf(env.Stdout, "\nOpen this link to connect it; it is for the person whose account it is:\n  %s\n", report.Inert(link.Link))
}

// secrets reads what must not be typed as a flag.
func (c *ConnectionsAddCmd) secrets(env *Env, wish *console.NewConnection) error {
	for _, from := range []struct {
		file string
		to   *string
		most int
	}{{c.SecretFile, &wish.ClientSecret, 1}, {c.KeyFile, &wish.PrivateKey, 0}, {c.RefreshTokenFile, &wish.RefreshToken, 1}} {
		if from.file == "" {
			continue
		}
		text, err := env.secretFile(from.file, from.most == 1)
		if err != nil {
			return err
		}
		*from.to = text
	}
	asks := c.SecretFile == "" && c.KeyFile == "" && c.ManagedSecret == "" && !c.NoSecret && c.AuthMethod != "none"
	if !asks {
		return nil
	}
	secret, err := env.askSecret("Client secret of " + c.ID + " (empty: it has none): ")
	wish.ClientSecret = secret
	return err
}

// ConnectionsConfigureCmd changes a connection.
type ConnectionsConfigureCmd struct {
	connectionName
	connectionFormat
	SecretFile    string `placeholder:"FILE" help:"File that holds a new client secret; - for standard input."`
	AskSecret     bool   `help:"Ask for a new client secret on the terminal."`
	ManagedSecret string `placeholder:"NAME" help:"Use a secret that usher manages from now on."`
	KeyFile       string `placeholder:"FILE" help:"File that holds a new private key of the client, PEM or JWK."`
	Disable       bool   `xor:"disabled" help:"Renew it no more, and give no token."`
	Enable        bool   `xor:"disabled" help:"Take --disable back."`
	AuthMethod    string `placeholder:"METHOD" help:"How the client authenticates."`
	connectionFlags
}

// Run reads the connection, puts what was said over it, and hands it in.
func (c *ConnectionsConfigureCmd) Run(env *Env, at *ConnectionsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	if reflect.DeepEqual(*c, ConnectionsConfigureCmd{connectionName: c.connectionName, connectionFormat: c.connectionFormat}) {
		return &usher.Error{Code: usher.ErrUsage, Message: "it is not said what to change", Hint: "usher connections configure --help lists what can be changed"}
	}
	var found console.Connection
	if err := cl.call(context.Background(), http.MethodGet, c.path(""), nil, &found); err != nil {
		return told(env, err)
	}
	change := console.ChangedConnection{Revision: found.Revision, Config: found.Config, Managed: c.ManagedSecret}
	c.over(&change.Config)
	if c.AuthMethod != "" {
		change.Config.AuthMethod = c.AuthMethod
	}
	if c.Disable || c.Enable {
		change.Config.Disabled = c.Disable
	}
	if c.SecretFile != "" {
		if change.ClientSecret, err = env.secretFile(c.SecretFile, true); err != nil {
			return err
		}
	} else if c.AskSecret {
		if change.ClientSecret, err = env.askSecret("New client secret of " + c.ID + ": "); err != nil {
			return err
		}
	}
	if c.KeyFile != "" {
		if change.PrivateKey, err = env.secretFile(c.KeyFile, false); err != nil {
			return err
		}
	}
	var made console.Connection
	if err := cl.call(context.Background(), http.MethodPut, c.path(""), change, &made); err != nil {
		return told(env, err)
	}
	return c.write(env, &made)
}

// usage makes a mistake of a request one of the command line.
func usage(err error) error {
	if known, ok := err.(*usher.Error); ok { //nolint:errorlint // of console, never wrapped
		return &usher.Error{Code: usher.ErrUsage, Message: known.Message, Hint: known.Hint}
	}
	return err
}

// maxSecretFile bounds a file that holds a secret, in bytes.
const maxSecretFile = 64 << 10

// secretFile reads a secret from a file, or from standard input for "-". Its
// errors never hold it.
func (e *Env) secretFile(name string, oneLine bool) (string, error) {
	r, closeInput, err := e.open(name)
	if err != nil {
		// The secret itself may have been typed here, so a long one is not repeated.
		var opened *usher.Error
		if errors.As(err, &opened) {
			err = opened.Err // the reason without the name
		}
		return "", &usher.Error{Code: usher.ErrUnreadable, Message: "open the file of the secret " + quoted(name), Err: err, Hint: "name a file that holds the secret, not the secret itself"}
	}
	defer closeInput()
	data, err := readBounded(r, "the file of the secret", maxSecretFile)
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case strings.TrimSpace(text) == "":
		return "", &usher.Error{Code: usher.ErrUnreadable, Message: "the file of the secret is empty", Hint: "it holds the secret as its only line"}
	case oneLine && strings.ContainsAny(text, "\r\n\x00"):
		return "", &usher.Error{Code: usher.ErrUnreadable, Message: "the file of the secret has more than one line", Hint: "it holds the secret as its only line"}
	}
	return text, nil
}

// askSecret reads a secret from the terminal without showing it; where there is
// none, nothing is asked.
func (e *Env) askSecret(question string) (string, error) {
	f, ok := e.Stdin.(*os.File)
	if e.Piped || !ok {
		return "", nil
	}
	fmt.Fprint(e.Stderr, question)
	text, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(e.Stderr)
	if err != nil {
		return "", &usher.Error{Code: usher.ErrUnreadable, Message: "read the secret from the terminal", Err: err, Hint: "put it into a file and name that with --secret-file"}
	}
	return strings.TrimSpace(string(text)), nil
}
