package serve

import (
	"reflect"
	"time"

	"usher"
	"usher/guard"
	"usher/store"
)

// Config is what usher.yaml says. Default gives it with its defaults; Load reads
// the file over them. It holds no secret: only where a secret is to be found.
// The tag doc is the reference page's and the schema's text.
type Config struct {
	Listen    string     `yaml:"listen" doc:"Address of the pages and the API, host:port. Port 0 takes a free one."`
	URL       string     `yaml:"url,omitempty" doc:"Address that people type where a proxy stands in front: https://usher.example.com."`
	Data      string     `yaml:"data" doc:"Folder of the database and of the socket; made if it is missing. A relative path starts at the folder of the file."`
	Providers []Provider `yaml:"providers,omitempty" doc:"The identity providers whose logs are read."`
	Store     string     `yaml:"store" doc:"Where the state is kept: sqlite is a file in the data folder; postgres://user@host/database is shared by any number of replicas. A password for it is in the environment variable PGPASSWORD or in the file that PGPASSFILE names."`
	Broker    Broker     `yaml:"broker" doc:"Tokens for other people's APIs, kept fresh: see docs/connections.md."`
	Secrets   []Secret   `yaml:"secrets,omitempty" doc:"Client secrets that usher keeps fresh: see docs/secrets.md. usher secrets add makes them too."`
	Checks    *Checks    `yaml:"checks,omitempty" doc:"Look at the providers and the clients themselves, on a schedule. Without it nothing is asked but what admin needs."`
	Cases     Cases      `yaml:"cases" doc:"When cases change by themselves."`
	History   History    `yaml:"history" doc:"How long events are kept."`
	Log       Log        `yaml:"log" doc:"What usher writes about itself to standard error."`
}

// Provider joins a log line's tenant or realm to an issuer, its registrations
// and the credential that may repair it.
type Provider struct {
	Name    string   `yaml:"name" required:"true" doc:"Your word for it; in fixes and on pages. Small letters, digits and hyphens."`
	Kind    string   `yaml:"kind" required:"true" enum:"keycloak,lab,entra,okta,auth0,google,other" doc:"Which software it is. What is logged is read of keycloak, lab and entra, and repaired at keycloak and lab; checks looks at each."`
	Issuer  string   `yaml:"issuer,omitempty" doc:"Its issuer, as its discovery document says it. Needed by admin."`
	Tenants []string `yaml:"tenants,omitempty" doc:"Realm or tenant names or ids, as log lines give them. Without any, what its own sources tell belongs to it."`
	Admin   *Admin   `yaml:"admin,omitempty" doc:"The client with which usher reads registrations and carries out fixes. Without it usher explains, but repairs nothing."`
	Sources []Source `yaml:"sources,omitempty" doc:"The log files that are read."`
	CAFile  string   `yaml:"ca_file,omitempty" doc:"Certificate authorities to trust beside those of the system, as PEM: for a provider inside with an authority of its own."`
	Trust   []string `yaml:"trust,omitempty" doc:"Further origins that are the provider's own, where its endpoints lie at several."`
	Clients []Client `yaml:"clients,omitempty" doc:"Clients of yours that checks looks at, beside the provider itself."`
}

// Client is a client whose configuration and credential are checked. Its secret
// is not in the file.
type Client struct {
	ClientID         string `yaml:"client_id" required:"true" doc:"Its client id."`
	RedirectURI      string `yaml:"redirect_uri,omitempty" doc:"The redirect URI that it sends."`
	Scope            string `yaml:"scope,omitempty" doc:"The scopes that it asks for, with blanks between."`
	ClientSecretEnv  string `yaml:"client_secret_env,omitempty" doc:"Environment variable that holds its secret. With a secret, it is verified at the provider's token endpoint with a made-up code."`
	ClientSecretFile string `yaml:"client_secret_file,omitempty" doc:"File that holds its secret, readable by its owner alone."`
	AuthMethod       string `yaml:"token_endpoint_auth_method,omitempty" enum:"client_secret_basic,client_secret_post,none" doc:"How it authenticates; without it, what the registration or the metadata says."`
}

// Checks says how often the providers and clients are looked at.
type Checks struct {
	Every   usher.Duration `yaml:"every" doc:"The time between two looks."`
	Profile string         `yaml:"profile" enum:"default,oauth2.1,rfc9700,browser-based,native,fapi2,mcp" doc:"What they are held to."`
	FailOn  string         `yaml:"fail_on" enum:"critical,high,medium,low" doc:"The mildest severity that opens a case."`
}

// repairable tells whether usher has an admin API of this kind of provider.
func (p *Provider) repairable() bool { return p.Kind == "keycloak" || p.Kind == "lab" }

// guarded makes the client that goes out to the provider.
func (p *Provider) guarded(timeout time.Duration, now func() time.Time) (*guard.Client, error) {
	opt := guard.Options{Trusted: append([]string{}, p.Trust...), CAFile: p.CAFile, Timeout: timeout, Now: now}
	if p.Issuer != "" {
		opt.Trusted = append(opt.Trusted, p.Issuer)
	}
	c := guard.New(opt)
	return c, c.Err()
}

// credential is where the client's secret is found.
func (c *Client) credential() *Admin {
	return &Admin{ClientID: c.ClientID, ClientSecretEnv: c.ClientSecretEnv, ClientSecretFile: c.ClientSecretFile}
}

// defaultChecks are checks before their keys are read.
func defaultChecks() Checks {
	return Checks{Every: usher.Duration(time.Hour), Profile: "default", FailOn: string(usher.SeverityHigh)}
}

// Admin is usher's own client at a provider. Its secret is not in the file.
type Admin struct {
	ClientID         string `yaml:"client_id" required:"true" doc:"Client id of usher's own client there, with the client credentials grant."`
	ClientSecretEnv  string `yaml:"client_secret_env,omitempty" doc:"Environment variable that holds its secret."`
	ClientSecretFile string `yaml:"client_secret_file,omitempty" doc:"File that holds its secret, readable by its owner alone."`
}

// Source is one log file.
type Source struct {
	Kind string `yaml:"kind" required:"true" enum:"keycloak,entra,usher,auto" doc:"The form of its lines."`
	Path string `yaml:"path" required:"true" doc:"The file. It may be missing at the start, and may be rotated."`
	Zone string `yaml:"zone,omitempty" doc:"Time zone of times that are written without one: Local, UTC, or a name like Europe/Berlin."`
	From string `yaml:"from,omitempty" enum:"end,start" doc:"Where reading begins the first time: with what comes (end), or with what is there (start)."`
}

// Cases says when cases change by themselves.
type Cases struct {
	QuietAfter  usher.Duration `yaml:"quiet_after" doc:"An open case without a further try becomes quiet after this time."`
	ProofWithin usher.Duration `yaml:"proof_within" doc:"A fix that was carried out is awaited to be proven for this time."`
}

// History says how long events are kept. Cases stay, and so does every event
// that an active case names.
type History struct {
	Keep usher.Duration `yaml:"keep" doc:"Events that are older are removed."`
}

// Log says what usher writes about itself.
type Log struct {
	Level  string `yaml:"level" enum:"debug,info,warn,error" doc:"The least that is written."`
	Format string `yaml:"format" enum:"text,json" doc:"The form of its lines."`
}

// Default gives the configuration of an empty file.
func Default() *Config {
	return &Config{
		Listen: "127.0.0.1:5303",
		Data:   "usher-data",
		Store:  StoreSQLite,
		Cases: Cases{
			QuietAfter:  usher.Duration(time.Hour),
			ProofWithin: usher.Duration(72 * time.Hour),
		},
		History: History{Keep: usher.Duration(store.DefaultRetention)},
		Log:     Log{Level: "info", Format: "text"},
	}
}

// defaultOf is a value before its keys are read.
func defaultOf(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch t {
	case reflect.TypeFor[Source]():
		v.Set(reflect.ValueOf(Source{Zone: "Local", From: "end"}))
	case reflect.TypeFor[Checks]():
		v.Set(reflect.ValueOf(defaultChecks()))
	case reflect.TypeFor[Egress]():
		v.Set(reflect.ValueOf(defaultEgress()))
	}
	return v
}
