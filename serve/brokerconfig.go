package serve

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"usher"
	"usher/policy/lifespan"
)

// StoreSQLite is the value of store that needs nothing beside the data folder.
const StoreSQLite = "sqlite"

// Broker says how tokens for other people's APIs are kept.
type Broker struct {
	KeyFile string  `yaml:"key_file,omitempty" doc:"File that holds the key which tokens and secrets are sealed with: one a line, for its owner alone. Without key_file and key_env it is broker.key in the data folder, made at the first start. Replicas that share a store share the key. Who loses it loses every connection."`
	KeyEnv  string  `yaml:"key_env,omitempty" doc:"Environment variable that holds the key instead."`
	CAFile  string  `yaml:"ca_file,omitempty" doc:"Certificate authorities to trust beside those of the system, as PEM: for token endpoints inside with an authority of their own."`
	Policy  []Life  `yaml:"policies,omitempty" doc:"How long tokens are used and when they are renewed, by name. One with the name default counts where a connection names none."`
	Rules   []Rule  `yaml:"rules,omitempty" doc:"What counts beside the policy for connections with a scope or a role: of all values that apply the strictest."`
	Egress  *Egress `yaml:"egress,omitempty" doc:"A proxy on this machine that puts the token into requests. Without it there is none."`
}

// Life is a lifespan policy.
type Life struct {
	Name        string         `yaml:"name" required:"true" doc:"Your word for it. Small letters, digits and hyphens."`
	RenewAt     float64        `yaml:"renew_at,omitempty" doc:"The part of a token's life after which it is renewed, more than 0 and less than 1. Without it 0.75."`
	RenewBefore usher.Duration `yaml:"renew_before,omitempty" doc:"The least time before its end at which it is renewed."`
	Jitter      float64        `yaml:"jitter,omitempty" doc:"Renewals are spread over this part of a token's life, 0 to 0.5."`
	LeastLife   usher.Duration `yaml:"least_life,omitempty" doc:"The life that callers are promised of every token that they get."`
	MaxLife     usher.Duration `yaml:"max_life,omitempty" doc:"A token is used no longer, whatever the provider says."`
	AssumeLife  usher.Duration `yaml:"assume_life,omitempty" doc:"The life of a token of which the provider tells none."`
	Idle        usher.Duration `yaml:"idle,omitempty" doc:"A connection that no caller used for so long is renewed no more."`
	Absolute    usher.Duration `yaml:"absolute,omitempty" doc:"So long after it was connected, a person must connect again."`
}

// Rule is what counts beside the policy for a scope or a role.
type Rule struct {
	Scope       string         `yaml:"scope,omitempty" doc:"Counts for connections that ask for this scope."`
	Role        string         `yaml:"role,omitempty" doc:"Counts for connections of this role."`
	RenewAt     float64        `yaml:"renew_at,omitempty" doc:"As in policies."`
	RenewBefore usher.Duration `yaml:"renew_before,omitempty" doc:"As in policies."`
	LeastLife   usher.Duration `yaml:"least_life,omitempty" doc:"As in policies."`
	MaxLife     usher.Duration `yaml:"max_life,omitempty" doc:"As in policies."`
	Idle        usher.Duration `yaml:"idle,omitempty" doc:"As in policies."`
	Absolute    usher.Duration `yaml:"absolute,omitempty" doc:"As in policies."`
}

// Egress is the proxy that puts tokens into requests.
type Egress struct {
	Listen  string   `yaml:"listen" doc:"Its address, host:port, on this machine: who reaches it spends the tokens."`
	Targets []Target `yaml:"targets,omitempty" doc:"Where which connection's token may be sent, beside the targets of the connection itself."`
}

// Target allows the egress proxy one origin for one connection.
type Target struct {
	Connection string `yaml:"connection" required:"true" doc:"Id of the connection."`
	Origin     string `yaml:"origin" required:"true" doc:"Scheme and host that its token may be sent to: https://api.example.com."`
}

// defaultEgress is egress before its keys are read.
func defaultEgress() Egress { return Egress{Listen: "127.0.0.1:5305"} }

// lifespans gives the policies as the broker wants them.
func (b *Broker) lifespans() *lifespan.Set {
	set := &lifespan.Set{}
	for _, p := range b.Policy {
		set.Policies = append(set.Policies, lifespan.Policy(p))
	}
	for _, r := range b.Rules {
		set.Rules = append(set.Rules, lifespan.Rule{Scope: r.Scope, Role: r.Role, Policy: lifespan.Policy{
			RenewAt: r.RenewAt, RenewBefore: r.RenewBefore, LeastLife: r.LeastLife, MaxLife: r.MaxLife, Idle: r.Idle, Absolute: r.Absolute,
		}})
	}
	return set
}

// store holds where the state is kept to what makes sense.
func (c *checker) store() {
	n := c.at["store"]
	if n == nil || c.cfg.Store == StoreSQLite {
		return
	}
	const hint = "write store: sqlite, or store: postgres://user@host/database"
	u, err := url.Parse(c.cfg.Store)
	if at := strings.LastIndexByte(c.cfg.Store, '@'); err != nil && at > 0 {
		c.secrets = append(c.secrets, c.cfg.Store[:at]) // what did not parse may hold a password
	}
	switch {
	case err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql":
		c.wrong(n, "store", "store is neither sqlite nor the address of a PostgreSQL database", hint)
	case hasPassword(u):
		pw, _ := u.User.Password()
		c.secrets = append(c.secrets, u.User.String(), pw, u.Query().Get("password"))
		c.wrong(n, "store", "store holds a password", "take it out of the file; export it as PGPASSWORD where usher is started, or put it into the file that PGPASSFILE names")
	case strings.Trim(u.Path, "/") == "":
		c.wrong(n, "store", "store names no database", hint)
	}
}

func hasPassword(u *url.URL) bool {
	_, has := u.User.Password()
	return has || u.Query().Has("password")
}

// broker holds what is said of the broker to what makes sense.
func (c *checker) broker() {
	b := &c.cfg.Broker
	c.brokerKey(b)
	if b.CAFile != "" {
		b.CAFile = c.resolve(b.CAFile)
		if !c.opt.Static {
			if _, err := (&Provider{CAFile: b.CAFile}).guarded(0, nil); err != nil {
				c.wrong(c.at["broker.ca_file"], "broker.ca_file", err.Error(), "name a PEM file with the certificate of the authority")
			}
		}
	}
	names := map[string]string{}
	for i := range b.Policy {
		path := fmt.Sprintf("broker.policies[%d]", i)
		p := &b.Policy[i]
		c.lifeName(path, p.Name, names)
		c.part(path+".renew_at", p.RenewAt, 1)
		c.part(path+".jitter", p.Jitter, 0.5)
		c.longerThan(path, "max_life", p.MaxLife, "least_life", p.LeastLife)
		c.longerThan(path, "absolute", p.Absolute, "least_life", p.LeastLife)
	}
	for i := range b.Rules {
		path := fmt.Sprintf("broker.rules[%d]", i)
		r := &b.Rules[i]
		if r.Scope == "" && r.Role == "" && c.at[path+".scope"] == nil && c.at[path+".role"] == nil {
			c.wrong(c.at[path], path, keyName(path)+" counts for nothing: it has neither scope nor role", "write: scope: payments:write")
		}
		c.part(path+".renew_at", r.RenewAt, 1)
		c.longerThan(path, "max_life", r.MaxLife, "least_life", r.LeastLife)
		c.longerThan(path, "absolute", r.Absolute, "least_life", r.LeastLife)
	}
	if b.Egress != nil {
		c.egress(b.Egress)
	}
}

func (c *checker) brokerKey(b *Broker) {
	file, env := c.at["broker.key_file"], c.at["broker.key_env"]
	if b.KeyFile != "" {
		b.KeyFile = c.resolve(b.KeyFile)
	}
	switch {
	case b.KeyFile != "" && b.KeyEnv != "":
		c.wrong(file, "broker.key_file", "the key has two places", "keep key_file or key_env")
	case b.KeyEnv != "" && !envName(b.KeyEnv):
		c.secrets = append(c.secrets, b.KeyEnv) // people paste the key itself here
		c.wrong(env, "broker.key_env", "this is no name of an environment variable (capitals, digits and underscores)", "write the name, not the key: key_env: USHER_BROKER_KEY")
	case c.opt.Static:
	case b.KeyEnv != "":
		lookup := c.opt.Getenv
		if lookup == nil {
			lookup = os.LookupEnv
		}
		v, ok := lookup(b.KeyEnv)
		if !ok || strings.TrimSpace(v) == "" {
			c.wrong(env, "broker.key_env", "the environment variable "+clip(b.KeyEnv)+" is not set", "export "+clip(b.KeyEnv)+"=... where usher is started, or use key_file")
		}
	case b.KeyFile != "":
		info, err := os.Stat(b.KeyFile)
		switch {
		case os.IsNotExist(err): // made at the first start
		case err != nil:
			c.wrong(file, "broker.key_file", "the file that should hold the key: "+plainCause(err), "usher serve makes a file that is not there")
		case info.IsDir():
			c.wrong(file, "broker.key_file", "this is a folder, not the file that holds the key", "name a file in it")
		case info.Mode().Perm()&0o077 != 0:
			c.wrong(file, "broker.key_file", fmt.Sprintf("others than its owner may read or write the file (mode %04o)", info.Mode().Perm()), "chmod 600 "+clip(b.KeyFile))
		}
	}
}

func (c *checker) lifeName(path, name string, names map[string]string) {
	key := path + ".name"
	n := c.at[key]
	if n == nil || name == "" {
		return
	}
	if len(name) > 63 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || name[0] == '-' {
		c.wrong(n, key, fmt.Sprintf("%q is no name for a policy", clip(name)), "use small letters, digits and hyphens, 63 at most: name: payments")
	}
	if other, taken := names[name]; taken {
		c.wrong(n, key, fmt.Sprintf("%q is the name of %s already", clip(name), other), "give each policy a name of its own")
		return
	}
	names[name] = path
}

// part holds a part of a life to its bounds.
func (c *checker) part(key string, v, most float64) {
	n := c.at[key]
	if n == nil {
		return
	}
	if _, err := strconv.ParseFloat(n.Value, 64); err != nil {
		return // said already
	}
	if v <= 0 && lastKey(key) != "jitter" || v < 0 || v > most || v == 1 {
		c.wrong(n, key, fmt.Sprintf("%s is a part of a token's life, between 0 and %g", key, most), "write: "+lastKey(key)+fmt.Sprintf(": %g", most*3/4))
	}
}

func (c *checker) longerThan(path, key string, v usher.Duration, least string, w usher.Duration) {
	if n := c.at[path+"."+key]; n != nil && v > 0 && w > 0 && v <= w {
		c.wrong(n, path+"."+key, key+" is not longer than "+least+": no token could keep the promise", "make "+least+" shorter, or "+key+" longer")
	}
}

func (c *checker) egress(e *Egress) {
	n := c.at["broker.egress.listen"]
	host, _, err := net.SplitHostPort(e.Listen)
	switch {
	case n == nil:
	case err != nil:
		c.wrong(n, "broker.egress.listen", "this is no address", "write host:port: listen: 127.0.0.1:5305")
	case !loopback(host):
		c.wrong(n, "broker.egress.listen", "others than programs on this machine could spend the tokens", "write: listen: 127.0.0.1:5305")
	case e.Listen == c.cfg.Listen && !strings.HasSuffix(e.Listen, ":0"):
		c.wrong(n, "broker.egress.listen", "the pages listen there already", "write another port: listen: 127.0.0.1:5305")
	}
	for i, t := range e.Targets {
		key := fmt.Sprintf("broker.egress.targets[%d].origin", i)
		u, err := url.Parse(t.Origin)
		if n := c.at[key]; n != nil && t.Origin != "" &&
			(err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
			c.wrong(n, key, "this is no origin", "write scheme and host alone: https://api.example.com")
		}
	}
}
