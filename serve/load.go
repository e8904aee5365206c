package serve

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"usher"
)

// LoadOptions say what Load looks at beside the file.
type LoadOptions struct {
	// Getenv looks up environment variables; nil: os.LookupEnv.
	Getenv func(name string) (string, bool)
	// Static keeps to the file alone: neither the environment nor the files
	// that it names are looked at.
	Static bool
}

// Load reads the configuration in the file at path. The error is a Problems
// with every mistake in the file, or a usher.Error if it cannot be read. What is
// allowed and perhaps not meant is in warnings, also without an error.
func Load(path string, opt LoadOptions) (cfg *Config, warnings Problems, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	defer f.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	if len(data) > maxConfig {
		return nil, nil, &usher.Error{Code: usher.ErrTooLarge, Message: path + " is larger than 1 MiB", Hint: "is this the configuration?"}
	}
	return Parse(path, data, opt)
}

func unreadable(path string, err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &usher.Error{Code: usher.ErrUnreadable, Message: "read configuration " + path, Err: err, Hint: "is the path right, and may you read it?"}
}

// Parse is Load for text that is read already; name is its file name, where
// relative paths start.
func Parse(name string, data []byte, opt LoadOptions) (*Config, Problems, error) {
	cfg := Default()
	r := &reader{file: name, text: string(data), at: map[string]*yaml.Node{}, clear: map[string]bool{}}
	r.read(cfg)
	c := checker{r, cfg, opt, filepath.Dir(name)}
	c.check()
	problems := r.problems.sort()
	if problems.Wrong() {
		return nil, nil, problems
	}
	return cfg, problems, nil
}

// checker holds what was read against what can work.
type checker struct {
	*reader
	cfg *Config
	opt LoadOptions
	dir string
}

func (c *checker) check() {
	c.listen()
	c.cfg.Data = c.resolve(c.cfg.Data)
	c.publicURL()
	c.store()
	c.broker()
	for _, k := range []string{"cases.quiet_after", "cases.proof_within", "history.keep"} {
		c.tooShort(k)
	}
	c.checks()
	names, tenants, paths := map[string]string{}, map[string]string{}, map[string]string{}
	for i := range c.cfg.Providers {
		c.provider(fmt.Sprintf("providers[%d]", i), &c.cfg.Providers[i], names, tenants, paths)
	}
	c.managedSecrets()
}

func (c *checker) tooShort(key string) {
	d := c.cfg.Cases.QuietAfter
	switch key {
	case "cases.proof_within":
		d = c.cfg.Cases.ProofWithin
	case "history.keep":
		d = c.cfg.History.Keep
	}
	if n := c.at[key]; n != nil && d > 0 && time.Duration(d) < time.Second {
		c.wrong(n, key, key+" is shorter than a second", "write: "+lastKey(key)+": 1h")
	}
}

func (c *checker) listen() {
	n := c.at["listen"]
	if n == nil || n.Kind != yaml.ScalarNode || strings.TrimSpace(n.Value) == "" {
		return
	}
	const hint = "write host:port: listen: 127.0.0.1:5303"
	host, port, err := net.SplitHostPort(c.cfg.Listen)
	p, perr := strconv.Atoi(port)
	addr, aerr := netip.ParseAddr(host)
	switch {
	case err != nil && strings.Contains(c.cfg.Listen, "://"):
		c.wrong(n, "listen", "listen is a URL; it must be host:port", hint)
	case err != nil && strings.Trim(c.cfg.Listen, "0123456789") == "" && c.cfg.Listen != "":
		c.wrong(n, "listen", "listen is a port without an address", "write: listen: 127.0.0.1:"+clip(c.cfg.Listen))
	case err != nil:
		c.wrong(n, "listen", "listen is no address", hint)
	case perr != nil || p < 0 || p > 65535:
		c.wrong(n, "listen", "listen has no port between 0 and 65535", hint)
	case host == "":
		c.wrong(n, "listen", "listen names no address, which would be every one of this machine", "write listen: 127.0.0.1:"+port+"; or 0.0.0.0:"+port+" if you mean every one")
	case host != "localhost" && aerr != nil:
		c.wrong(n, "listen", "listen names a host; it must be an IP address of this machine", hint)
	case host != "localhost" && !addr.IsLoopback():
		c.warn(n, "listen", "others on the network can reach this address, and the pages are served without TLS", "put a server that speaks TLS before it, or write: listen: 127.0.0.1:"+port)
	}
}

func (c *checker) publicURL() {
	n := c.at["url"]
	if n == nil || c.cfg.URL == "" {
		return
	}
	u, err := url.Parse(c.cfg.URL)
	switch {
	case err == nil && u.User != nil:
		c.secrets = append(c.secrets, u.User.String())
		c.wrong(n, "url", "the url holds a user name or a password", "take it out")
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		c.wrong(n, "url", "this is no address of a server", "write scheme and host alone: url: https://usher.example.com")
	}
}

func (c *checker) provider(path string, p *Provider, names, tenants, paths map[string]string) {
	c.name(path, p, names)
	c.issuer(path, p)
	for i, t := range p.Tenants {
		key := fmt.Sprintf("%s.tenants[%d]", path, i)
		switch other, taken := tenants[p.Kind+" "+t]; {
		case t == "": // said already
		case taken:
			c.wrong(c.at[key], key, fmt.Sprintf("the tenant %q belongs to %s already", clip(t), other), "a tenant belongs to one provider: delete it from one of them")
		default:
			tenants[p.Kind+" "+t] = path
		}
	}
	if p.Admin != nil {
		c.admin(path, p)
	}
	for i := range p.Sources {
		c.source(fmt.Sprintf("%s.sources[%d]", path, i), &p.Sources[i], paths)
	}
	c.outbound(path, p)
	for i := range p.Clients {
		c.client(fmt.Sprintf("%s.clients[%d]", path, i), p, &p.Clients[i])
	}
	if len(p.Sources) == 0 && p.Name != "" && c.cfg.Checks == nil {
		c.warn(c.at[path], path, keyName(path)+" has no sources: nothing of it is seen", "write: sources: [{kind: "+sourceKind(p.Kind)+", path: /var/log/...}]")
	}
}

// outbound checks what says where usher may go.
func (c *checker) outbound(path string, p *Provider) {
	if n := c.at[path+".ca_file"]; n != nil && p.CAFile != "" {
		p.CAFile = c.resolve(p.CAFile)
	}
	for i, origin := range p.Trust {
		key := fmt.Sprintf("%s.trust[%d]", path, i)
		u, err := url.Parse(origin)
		if err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
			c.wrong(c.at[key], key, "this is no origin", "write scheme and host: https://id.example.com")
		}
	}
	if p.CAFile == "" || c.opt.Static {
		return
	}
	if _, err := (&Provider{Issuer: p.Issuer, CAFile: p.CAFile}).guarded(0, nil); err != nil {
		c.wrong(c.at[path+".ca_file"], path+".ca_file", err.Error(), "name a PEM file with the certificate of the authority")
	}
}

// client checks a client of ours at a provider.
func (c *checker) client(path string, p *Provider, k *Client) {
	if c.cfg.Checks == nil {
		c.warn(c.at[path], path, keyName(path)+" is looked at by nobody: there is no checks", "write: checks: {every: 1h}")
	}
	if p.Issuer == "" {
		c.wrong(c.at[path], path, keyName(path)+" cannot be asked about: the provider has no issuer", "write: issuer: https://id.example.com/realms/shop")
	}
	if n := c.at[path+".redirect_uri"]; n != nil && k.RedirectURI != "" {
		if u, err := url.Parse(k.RedirectURI); err != nil || u.Scheme == "" {
			c.wrong(n, path+".redirect_uri", "this is no redirect URI", "write it as the app sends it: redirect_uri: https://app.example.com/cb")
		}
	}
	env, file := c.at[path+".client_secret_env"], c.at[path+".client_secret_file"]
	a := k.credential()
	switch {
	case k.ClientSecretEnv != "" && k.ClientSecretFile != "":
		c.wrong(file, path, "the secret has two places", "keep client_secret_env or client_secret_file")
	case k.ClientSecretEnv != "":
		c.secretEnv(path, a, env)
	case k.ClientSecretFile != "":
		c.secretFile(path, a, file)
		k.ClientSecretFile = a.ClientSecretFile
	}
}

// checks holds the schedule of looks to what makes sense.
func (c *checker) checks() {
	k := c.cfg.Checks
	if k == nil {
		return
	}
	if n := c.at["checks.every"]; n != nil && k.Every > 0 && time.Duration(k.Every) < leastEvery {
		c.wrong(n, "checks.every", "checks.every is shorter than "+leastEvery.String()+", a load on the provider", "write: every: 1h")
	}
	for i := range c.cfg.Providers {
		if c.cfg.Providers[i].Issuer != "" {
			return
		}
	}
	c.warn(c.at["checks"], "checks", "checks has nobody to look at: no provider has an issuer", "write: issuer: https://id.example.com/realms/shop under the provider")
}

// leastEvery is the least time between two looks at a provider.
const leastEvery = time.Minute

// sourceKind gives the form of lines that a provider of a kind writes.
func sourceKind(kind string) string {
	if kind == "entra" {
		return "entra"
	}
	return "keycloak"
}

func (c *checker) name(path string, p *Provider, names map[string]string) {
	key := path + ".name"
	n := c.at[key]
	if n == nil || p.Name == "" {
		return
	}
	if len(p.Name) > 63 || strings.Trim(p.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || p.Name[0] == '-' {
		c.wrong(n, key, fmt.Sprintf("%q is no name for a provider", clip(p.Name)), "use small letters, digits and hyphens, 63 at most: name: shop")
	}
	if other, taken := names[p.Name]; taken {
		c.wrong(n, key, fmt.Sprintf("%q is the name of %s already", clip(p.Name), other), "give each provider a name of its own")
		return
	}
	names[p.Name] = path
}

func (c *checker) issuer(path string, p *Provider) {
	key := path + ".issuer"
	n := c.at[key]
	if n == nil || p.Issuer == "" {
		if p.Admin != nil && p.Kind != "" {
			c.wrong(c.at[path], path, keyName(path)+" has admin but no issuer", "write: issuer: https://id.example.com/realms/shop")
		}
		return
	}
	u, err := url.Parse(p.Issuer)
	if err == nil && u.User != nil {
		if pw, ok := u.User.Password(); ok {
			c.secrets = append(c.secrets, pw)
		}
		c.secrets = append(c.secrets, u.User.String())
		c.wrong(n, key, "the issuer holds a user name or a password", "take it out of the URL; credentials belong under admin")
		return
	}
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		c.wrong(n, key, "the issuer is no URL with https:// and a host", "write it as the discovery document says it: issuer: https://id.example.com/realms/shop")
	case u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(p.Issuer, "#") || u.ForceQuery:
		c.wrong(n, key, "an issuer has no '?' and no '#' (RFC 8414 section 2)", "write it as the discovery document says it")
	case strings.Contains(p.Issuer, "/.well-known/"):
		c.wrong(n, key, "this is the address of the discovery document, not the issuer", "write the part before /.well-known/")
	case (p.Kind == "keycloak" || p.Kind == "lab") && p.Admin != nil && !strings.Contains(u.Path, "/realms/"):
		c.wrong(n, key, "the issuer of a Keycloak realm has /realms/ in its path", "write: issuer: "+u.Scheme+"://"+u.Host+"/realms/NAME")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		c.warn(n, key, "the issuer is reached without TLS", "write https://, unless the way to it is private")
	}
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func (c *checker) admin(path string, p *Provider) {
	key := path + ".admin"
	env, file := c.at[key+".client_secret_env"], c.at[key+".client_secret_file"]
	a := p.Admin
	switch {
	case p.Kind == "" || p.repairable():
	case p.rotatable():
		c.warn(c.at[key], key, "usher cannot repair anything at a provider of the kind "+p.Kind+" yet: admin is used for managed secrets alone", "delete it, unless usher manages secrets of this provider")
	default:
		c.warn(c.at[key], key, "usher cannot repair anything at a provider of the kind "+p.Kind+" yet: admin is not used", "delete it")
	}
	switch {
	case a.ClientSecretEnv != "" && a.ClientSecretFile != "":
		c.wrong(file, key, "the secret has two places", "keep client_secret_env or client_secret_file")
	case a.ClientSecretEnv == "" && a.ClientSecretFile == "":
		if env == nil && file == nil && !c.clear[key] {
			c.wrong(c.at[key], key, keyName(key)+" has no secret", "write client_secret_env: NAME of an environment variable, or client_secret_file: PATH")
		}
	case a.ClientSecretEnv != "":
		c.secretEnv(key, a, env)
	default:
		c.secretFile(key, a, file)
	}
}

func (c *checker) secretEnv(key string, a *Admin, n *yaml.Node) {
	key += ".client_secret_env"
	name := a.ClientSecretEnv
	if !envName(name) {
		// People paste the secret itself here, so it is not repeated.
		c.secrets = append(c.secrets, name)
		c.wrong(n, key, "this is no name of an environment variable (capitals, digits and underscores)", "write the name, not the secret: client_secret_env: USHER_SECRET")
		return
	}
	if c.opt.Static {
		return
	}
	lookup := c.opt.Getenv
	if lookup == nil {
		lookup = os.LookupEnv
	}
	if v, ok := lookup(name); !ok || strings.TrimSpace(v) == "" {
		c.wrong(n, key, "the environment variable "+clip(name)+" is not set", "export "+clip(name)+"=... where usher is started, or use client_secret_file")
	}
}

func envName(s string) bool {
	return len(s) > 0 && len(s) <= 200 && (s[0] < '0' || s[0] > '9') && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

func (c *checker) secretFile(key string, a *Admin, n *yaml.Node) {
	key += ".client_secret_file"
	written := a.ClientSecretFile
	a.ClientSecretFile = c.resolve(written)
	if c.opt.Static {
		return
	}
	info, err := os.Stat(a.ClientSecretFile)
	switch {
	case err != nil && !strings.ContainsAny(written, "/.") && len(written) > 8:
		c.secrets = append(c.secrets, written) // it may be the secret itself
		c.wrong(n, key, "the file that should hold the secret is not there", "write the path of a file, not the secret")
	case err != nil:
		c.wrong(n, key, "the file that should hold the secret: "+plainCause(err), "make it, with the secret as its only line, and chmod 600 it")
	case info.IsDir():
		c.wrong(n, key, "this is a folder, not the file that holds the secret", "name the file in it")
	case info.Mode().Perm()&0o077 != 0:
		c.wrong(n, key, fmt.Sprintf("others than its owner may read or write the file (mode %04o)", info.Mode().Perm()), "chmod 600 "+clip(written))
	default:
		if _, err := a.Secret(nil); err != nil {
			c.wrong(n, key, err.Error(), "the file holds the secret as its only line")
		}
	}
}

// plainCause gives the reason of a path error: the path is in the message already.
func plainCause(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

func (c *checker) source(path string, s *Source, paths map[string]string) {
	if n := c.at[path+".path"]; n != nil && s.Path != "" {
		s.Path = c.resolve(s.Path)
		other, taken := paths[s.Path]
		info, err := os.Stat(s.Path)
		switch {
		case taken:
			c.wrong(n, path+".path", "this file is read by "+other+" already", "a file is one source: delete one of them")
		case strings.ContainsAny(s.Path, "\x00"):
			c.wrong(n, path+".path", "a path holds no NUL", "write the path of the file")
		case c.opt.Static:
		case err == nil && info.IsDir():
			c.wrong(n, path+".path", "this is a folder", "name the file in it")
		case err == nil && !info.Mode().IsRegular():
			c.wrong(n, path+".path", "this is no plain file", "name a log file")
		case err != nil:
			c.warn(n, path+".path", "the file cannot be looked at now: "+plainCause(err), "it is waited for; is the path right?")
		}
		paths[s.Path] = path
	}
	if n := c.at[path+".zone"]; n != nil && s.Zone != "" {
		if _, err := s.location(); err != nil {
			c.wrong(n, path+".zone", fmt.Sprintf("%q is no time zone that is known here", clip(s.Zone)), "write Local, UTC, or a name like Europe/Berlin")
		}
	}
}

// location gives the zone of a source's times.
func (s *Source) location() (*time.Location, error) {
	if strings.TrimSpace(s.Zone) != s.Zone || s.Zone == "" {
		return nil, errors.New("no zone")
	}
	return time.LoadLocation(s.Zone)
}

// resolve makes a relative path start at the folder of the file.
func (c *checker) resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	if abs, err := filepath.Abs(filepath.Join(c.dir, path)); err == nil {
		return abs
	}
	return filepath.Join(c.dir, path)
}

// maxSecret bounds a file that holds a secret, in bytes.
const maxSecret = 64 << 10

// Secret reads the secret from where it is to be found. getenv may be nil if it
// is in a file. The error never holds it.
func (a *Admin) Secret(getenv func(string) string) (usher.Secret, error) {
	var value string
	if a.ClientSecretFile != "" {
		f, err := os.Open(a.ClientSecretFile)
		if err != nil {
			return "", fmt.Errorf("read the file of the secret: %s", plainCause(err))
		}
		defer f.Close() //nolint:errcheck // read only
		data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
		switch {
		case err != nil:
			return "", fmt.Errorf("read the file of the secret: %s", plainCause(err))
		case len(data) > maxSecret:
			return "", errors.New("the file of the secret is larger than 64 KiB")
		}
		value = strings.TrimRight(string(data), "\r\n")
	} else {
		if getenv == nil {
			getenv = os.Getenv
		}
		value = strings.TrimSpace(getenv(a.ClientSecretEnv))
	}
	switch {
	case strings.TrimSpace(value) == "":
		return "", errors.New("the secret is empty")
	case strings.ContainsAny(value, "\r\n\x00"):
		return "", errors.New("the secret has more than one line")
	}
	return usher.Secret(value), nil
}
