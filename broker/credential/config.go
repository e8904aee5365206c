package credential

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/broker"
)

// Config is a managed secret as somebody set it up. It holds no secret.
type Config struct {
	Name     string `json:"name"`     // small letters, digits, hyphens: "shop"
	Provider string `json:"provider"` // name of the provider that is asked to rotate; empty: usher only verifies, warns and hands out
	ClientID string `json:"client_id"`

	// How the secret is verified.
	TokenEndpoint string `json:"token_endpoint,omitempty"`             // empty: it cannot be verified
	AuthMethod    string `json:"token_endpoint_auth_method,omitempty"` // client_secret_basic, the default, or client_secret_post
	Grant         string `json:"grant_type,omitempty"`                 // client_credentials asks for a token; empty: a code that is made up
	Scope         string `json:"scope,omitempty"`                      // of client_credentials

	Owner   string   `json:"owner,omitempty"`   // who is warned
	Callers []string `json:"callers,omitempty"` // names of the keys that may fetch it, each known to use it; none: every key
	// QuietFor is how long no use of the old one must be seen before it is
	// retired; 0: DefaultQuiet.
	QuietFor    usher.Duration `json:"quiet_for,omitempty"`
	OnLeak      string         `json:"on_leak,omitempty"`      // LeakAsk, the default, or LeakAutomatic
	VerifyEvery usher.Duration `json:"verify_every,omitempty"` // 0: DefaultVerify
	RotateEvery usher.Duration `json:"rotate_every,omitempty"` // 0: never by itself

	Made   time.Time `json:"made"`
	MadeBy string    `json:"made_by,omitempty"`
}

// What a leak starts.
const (
	LeakAsk       = "ask"       // a case with the ready plan
	LeakAutomatic = "automatic" // a rotation, when two independent signals say so
)

// Times that count where a configuration says nothing.
const (
	DefaultQuiet  = time.Hour
	DefaultVerify = 6 * time.Hour
)

// maxName bounds a name: the provider is told it with what tells versions apart.
const maxName = 40

// Validate gives the first breach of what a configuration must hold.
func (c *Config) Validate() error {
	bad := func(message, hint string) error {
		return &usher.Error{Code: usher.ErrUsage, Message: message, Hint: hint}
	}
	switch {
	case c.Name == "" || len(c.Name) > maxName || c.Name[0] == '-' || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return bad("this is no name for a secret", fmt.Sprintf("use small letters, digits and hyphens, %d at most: shop", maxName))
	case strings.TrimSpace(c.ClientID) == "" || len(c.ClientID) > 255:
		return bad("the secret "+c.Name+" names no client", "say whose secret it is: --client-id")
	case c.AuthMethod != "" && c.AuthMethod != "client_secret_basic" && c.AuthMethod != "client_secret_post":
		return bad("the secret "+c.Name+" is sent in a way that has none", "write client_secret_basic or client_secret_post")
	case c.Grant != "" && c.Grant != broker.GrantClientCredentials:
		return bad("the secret "+c.Name+" cannot be verified by "+usher.MarkValue(clip(c.Grant, 60)), "write client_credentials, or leave it out: then a code is asked for that is made up")
	case c.OnLeak != "" && c.OnLeak != LeakAsk && c.OnLeak != LeakAutomatic:
		return bad("what a leak of "+c.Name+" starts is neither ask nor automatic", "write ask or automatic")
	case c.QuietFor < 0 || c.VerifyEvery < 0 || c.RotateEvery < 0:
		return bad("a time of the secret "+c.Name+" is less than nothing", "")
	case c.RotateEvery > 0 && c.Provider == "":
		return bad("the secret "+c.Name+" is to be rotated and names no provider to ask", "name one of providers:")
	case slices.Contains(c.Callers, ""):
		return bad("a caller of the secret "+c.Name+" has no name", "")
	}
	if c.TokenEndpoint != "" {
		u, err := url.Parse(c.TokenEndpoint)
		if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
			return bad("the token endpoint of the secret "+c.Name+" is no web address", "write it as https://sso.example/token")
		}
	}
	return nil
}

func (c *Config) quiet() time.Duration {
	if c.QuietFor > 0 {
		return time.Duration(c.QuietFor)
	}
	return DefaultQuiet
}

func (c *Config) verifyEvery() time.Duration {
	if c.VerifyEvery > 0 {
		return time.Duration(c.VerifyEvery)
	}
	return DefaultVerify
}

// clip bounds a foreign word.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}
