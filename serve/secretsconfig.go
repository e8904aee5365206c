package serve

import (
	"errors"
	"fmt"
	"slices"

	"usher"
	"usher/broker/credential"
)

// Secret is a client's secret that usher manages. Its value is not in the file:
// it is read once, at the first start, and kept sealed from then on.
type Secret struct {
	Name             string         `yaml:"name" required:"true" doc:"Your word for it; programs fetch it at /secrets/NAME. Small letters, digits and hyphens."`
	Provider         string         `yaml:"provider,omitempty" doc:"Name of the provider that is asked for another one, with admin. Without one usher verifies, warns and hands out, and rotates nothing."`
	ClientID         string         `yaml:"client_id" required:"true" doc:"The client whose secret it is."`
	ClientSecretEnv  string         `yaml:"client_secret_env,omitempty" doc:"Environment variable that holds the secret that is in use at the first start. Later it is not read."`
	ClientSecretFile string         `yaml:"client_secret_file,omitempty" doc:"File that holds it, readable by its owner alone."`
	SecretID         string         `yaml:"secret_id,omitempty" doc:"The provider's id of it, where the client has several and usher cannot tell which."`
	TokenEndpoint    string         `yaml:"token_endpoint,omitempty" doc:"Where it is verified. Without it, what the issuer of the provider publishes."`
	AuthMethod       string         `yaml:"token_endpoint_auth_method,omitempty" enum:"client_secret_basic,client_secret_post" doc:"How it is sent. Without it client_secret_basic."`
	GrantType        string         `yaml:"grant_type,omitempty" enum:"client_credentials" doc:"Verify it by asking for a token, which is thrown away. Without it a code is redeemed that nobody gave."`
	Scope            string         `yaml:"scope,omitempty" doc:"The scope of that token."`
	Owner            string         `yaml:"owner,omitempty" doc:"Who is warned 30, 7 and 1 days before it ends."`
	Callers          []string       `yaml:"callers,omitempty" doc:"Names of the keys of the programs that use it: they alone may fetch it, and an old one is not retired before each of them has the new one."`
	QuietFor         usher.Duration `yaml:"quiet_for,omitempty" doc:"How long no use of an old one must be seen before it is retired, and a quarter more: uses are noted no finer. Without it 1h."`
	OnLeak           string         `yaml:"on_leak,omitempty" enum:"ask,automatic" doc:"What a leak starts: a case with the ready plan (ask), or a rotation when two independent signals say so (automatic). Without it ask."`
	VerifyEvery      usher.Duration `yaml:"verify_every,omitempty" doc:"How often it is verified. Without it 6h."`
	RotateEvery      usher.Duration `yaml:"rotate_every,omitempty" doc:"How old it may become before it is rotated by itself. Without it never."`
}

// credential is where its first value is found.
func (k *Secret) credential() *Admin {
	return &Admin{ClientID: k.ClientID, ClientSecretEnv: k.ClientSecretEnv, ClientSecretFile: k.ClientSecretFile}
}

func (k *Secret) config() credential.Config {
	return credential.Config{
		Name: k.Name, Provider: k.Provider, ClientID: k.ClientID, TokenEndpoint: k.TokenEndpoint, AuthMethod: k.AuthMethod, Grant: k.GrantType,
		Scope: k.Scope, Owner: k.Owner, Callers: k.Callers, QuietFor: k.QuietFor, OnLeak: k.OnLeak, VerifyEvery: k.VerifyEvery, RotateEvery: k.RotateEvery,
	}
}

// managedSecrets holds what is said of managed secrets to what makes sense.
func (c *checker) managedSecrets() {
	names := map[string]string{}
	for i := range c.cfg.Secrets {
		k := &c.cfg.Secrets[i]
		path := fmt.Sprintf("secrets[%d]", i)
		c.managedSecret(path, k)
		if k.Name == "" {
			continue
		}
		if other, taken := names[k.Name]; taken {
			c.wrong(c.at[path+".name"], path+".name", fmt.Sprintf("%q is the name of %s already", clip(k.Name), other), "give each secret a name of its own")
			continue
		}
		names[k.Name] = path
	}
}

func (c *checker) managedSecret(path string, k *Secret) {
	var told *usher.Error
	if cfg := k.config(); k.Name != "" && k.ClientID != "" && errors.As(cfg.Validate(), &told) {
		c.wrong(c.at[path], path, told.Message, told.Hint)
	}
	if k.Provider != "" {
		i := slices.IndexFunc(c.cfg.Providers, func(p Provider) bool { return p.Name == k.Provider })
		switch n := c.at[path+".provider"]; {
		case i < 0:
			c.wrong(n, path+".provider", fmt.Sprintf("there is no provider %q", clip(k.Provider)), "name one of providers, or delete it: then the secret is not rotated")
		case c.cfg.Providers[i].Admin == nil:
			c.warn(n, path+".provider", "usher may change nothing at this provider: the secret is not rotated", "add admin: to the provider")
		}
	}
	env, file := c.at[path+".client_secret_env"], c.at[path+".client_secret_file"]
	a := k.credential()
	switch {
	case k.ClientSecretEnv != "" && k.ClientSecretFile != "":
		c.wrong(file, path, "the secret has two places", "keep client_secret_env or client_secret_file")
	case k.ClientSecretEnv == "" && k.ClientSecretFile == "":
		if env == nil && file == nil && !c.clear[path] {
			c.wrong(c.at[path], path, keyName(path)+" has no secret", "write client_secret_env: NAME of an environment variable, or client_secret_file: PATH")
		}
	case k.ClientSecretEnv != "":
		c.secretEnv(path, a, env)
	default:
		c.secretFile(path, a, file)
		k.ClientSecretFile = a.ClientSecretFile
	}
}
