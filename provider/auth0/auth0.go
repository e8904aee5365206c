// Package auth0 keeps client secrets and client keys of Auth0 through its
// Management API.
//
// A client that authenticates with a secret has one: rotating it ends the old
// one in the same moment, and nothing in the API makes an overlap. A client
// that authenticates by private_key_jwt may have two keys at a time. So which
// rules hold depends on the client.
//
// It follows the documented requests and answers (Management API v2: clients,
// rotate-secret, credentials; read on 2026-11-25). No real tenant was asked.
package auth0

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/provider"
	"usher/provider/rest"
)

// Config says which tenant, and as whom.
type Config struct {
	Domain   string       // "https://shop.eu.auth0.com", the tenant's own and no custom one
	ClientID string       // of usher's machine-to-machine application
	Secret   usher.Secret // of usher's machine-to-machine application
	HTTP     *http.Client // guard's
	Timeout  time.Duration
	Now      func() time.Time
}

// Admin implements provider.Secrets for one tenant.
type Admin struct {
	cfg  Config
	base string
	rest *rest.Client
}

var _ provider.Secrets = (*Admin)(nil)

// New makes an Admin. It goes nowhere yet.
func New(cfg Config) (*Admin, error) {
	u, err := url.Parse(strings.TrimRight(cfg.Domain, "/"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "the domain is no web address of an Auth0 tenant", Hint: "write it as https://shop.eu.auth0.com"}
	}
	if cfg.ClientID == "" || cfg.Secret == "" {
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "there is no application to change " + u.Host + " with", Hint: "set client_id and client_secret_env (or client_secret_file) under admin"}
	}
	a := &Admin{cfg: cfg, base: u.String()}
	a.rest = &rest.Client{
		HTTP: cfg.HTTP, Place: "the tenant " + u.Host, Account: "usher's application " + cfg.ClientID, Timeout: cfg.Timeout, Now: cfg.Now,
		Token: func(ctx context.Context) (usher.Secret, time.Duration, error) {
			return a.rest.Grant(ctx, a.base+"/oauth/token", cfg.ClientID, cfg.Secret, url.Values{"audience": {a.base + "/api/v2/"}})
		},
	}
	return a, a.rest.Ready()
}

const most = 2 // keys; documented: two credentials at one time

// client is an application, as far as it is read.
type client struct {
	ID      string  `json:"client_id"`
	Secret  string  `json:"client_secret"` //nolint:gosec // Auth0's member; there only with read:client_keys
	Method  string  `json:"token_endpoint_auth_method"`
	Methods *method `json:"client_authentication_methods"` // nil: by Method
}

// method is client_authentication_methods.
type method struct {
	PrivateKeyJWT *struct {
		Credentials []reference `json:"credentials"`
	} `json:"private_key_jwt,omitempty"`
}

type reference struct {
	ID string `json:"id"`
}

// keyed tells whether the client authenticates by private_key_jwt.
func (c *client) keyed() bool { return c.Methods != nil && c.Methods.PrivateKeyJWT != nil }

// enabled are the ids of the keys that work.
func (c *client) enabled() (ids []string) {
	if !c.keyed() {
		return nil
	}
	for _, r := range c.Methods.PrivateKeyJWT.Credentials {
		ids = append(ids, r.ID)
	}
	return ids
}

func (a *Admin) path(clientID string) (string, error) {
	if !rest.Plain(clientID) {
		return "", &usher.Error{
			Code: usher.ErrNotFound, Message: "Auth0 has no client " + rest.Short(clientID) + ": this is no client id", Err: rest.Silent{Sentinel: provider.ErrNotFound},
			Hint: "take the Client ID of the application's settings",
		}
	}
	return a.base + "/api/v2/clients/" + clientID, nil
}

// read gives a client.
func (a *Admin) read(ctx context.Context, clientID string) (*client, string, error) {
	path, err := a.path(clientID)
	if err != nil {
		return nil, "", err
	}
	var c client
	err = a.rest.Do(ctx, rest.Request{
		Method: http.MethodGet, URL: path + "?fields=client_id,client_secret,token_endpoint_auth_method,client_authentication_methods&include_fields=true",
		What: "the client '" + clientID + "'", Right: "the permission read:clients", Out: &c,
	})
	if err != nil {
		return nil, "", err
	}
	switch {
	case c.keyed():
	case c.Method == "none":
		return nil, "", rest.Refused("client '"+clientID+"' is public and has no secret", "", provider.ErrUnsupported)
	case c.Methods != nil:
		return nil, "", rest.Refused("client '"+clientID+"' authenticates by a TLS certificate and has no secret", "", provider.ErrUnsupported)
	}
	return &c, path, nil
}

// SecretRules implements provider.Secrets.
func (a *Admin) SecretRules(ctx context.Context, clientID string) (provider.SecretRules, error) {
	ctx, cancel := a.rest.Bounded(ctx)
	defer cancel()
	c, _, err := a.read(ctx, clientID)
	if err != nil {
		return provider.SecretRules{}, err
	}
	rules := provider.SecretRules{Kind: "auth0", Place: a.rest.Place, Delay: 30 * time.Second} // none is documented; this is caution
	if c.keyed() {
		rules.Overlap, rules.Most, rules.Named = true, most, true
		rules.Right, rules.Reads = "the permissions create:client_credentials, delete:client_credentials and update:clients", "the permissions read:clients and read:client_credentials"
		rules.Creates = "POST /api/v2/clients/{id}/credentials, then PATCH /api/v2/clients/{id}"
		rules.Retires = "PATCH /api/v2/clients/{id}, then DELETE /api/v2/clients/{id}/credentials/{credential_id}"
		rules.Note = "the client authenticates by private_key_jwt: what is made is a private key, as a JWK, and Auth0 gets the public one"
		return rules, nil
	}
	rules.Most, rules.Told = 1, c.Secret != ""
	rules.Right, rules.Reads = "the permission update:client_keys", "the permissions read:clients and read:client_keys"
	rules.Creates = "POST /api/v2/clients/{id}/rotate-secret"
	rules.Note = "Auth0 ends the old secret in the moment in which it makes the new one: callers who have not got it yet are refused. A client that authenticates by private_key_jwt can have two keys at a time"
	return rules, nil
}

// secretID makes the id that Auth0's secrets lack, keyed with the secret of
// usher's own application, so that nobody can try values against it.
func (a *Admin) secretID(clientID, value string) string {
	if value == "" {
		return "present" // it may not be seen
	}
	mac := hmac.New(sha256.New, []byte(a.cfg.Secret.Reveal()))
	mac.Write([]byte("usher secret id\x00" + clientID + "\x00" + value))
	return "a-" + hex.EncodeToString(mac.Sum(nil)[:8])
}

// ClientSecrets implements provider.Secrets. The secret is told with the
// permission read:client_keys.
func (a *Admin) ClientSecrets(ctx context.Context, clientID string) ([]provider.ClientSecret, error) {
	ctx, cancel := a.rest.Bounded(ctx)
	defer cancel()
	c, path, err := a.read(ctx, clientID)
	if err != nil {
		return nil, err
	}
	if c.keyed() {
		return a.keys(ctx, c, path)
	}
	return []provider.ClientSecret{{ID: a.secretID(clientID, c.Secret), Value: usher.Secret(c.Secret)}}, nil
}

// CreateSecret implements provider.Secrets.
func (a *Admin) CreateSecret(ctx context.Context, clientID string, want provider.NewSecret) (made provider.ClientSecret, value usher.Secret, err error) {
	ctx, cancel := a.rest.Bounded(ctx)
	defer cancel()
	release, err := a.rest.Alone(ctx)
	if err != nil {
		return made, "", err
	}
	defer release()
	c, path, err := a.read(ctx, clientID)
	if err != nil {
		return made, "", err
	}
	if c.keyed() {
		return a.createKey(ctx, c, path, want)
	}
	var answer client
	err = a.rest.Do(ctx, rest.Request{Method: http.MethodPost, URL: path + "/rotate-secret", What: "the secret of client '" + clientID + "'", Right: "the permission update:client_keys", Out: &answer})
	if err != nil {
		return made, "", err
	}
	if answer.Secret == "" {
		return made, "", a.rest.Unreachable(a.rest.Place+" rotated the secret of client '"+clientID+"' and did not tell the new one", nil)
	}
	value = usher.Secret(answer.Secret)
	return provider.ClientSecret{ID: a.secretID(clientID, answer.Secret), Created: a.rest.Now().UTC().Truncate(time.Second), Value: value}, value, nil
}

// RetireSecret implements provider.Secrets. The one secret of a client cannot be
// ended without another in its place; the one before it has ended already.
func (a *Admin) RetireSecret(ctx context.Context, clientID, id string) error {
	ctx, cancel := a.rest.Bounded(ctx)
	defer cancel()
	release, err := a.rest.Alone(ctx)
	if err != nil {
		return err
	}
	defer release()
	c, path, err := a.read(ctx, clientID)
	if err != nil {
		return err
	}
	if c.keyed() {
		return a.retireKey(ctx, c, path, id)
	}
	if id == a.secretID(clientID, c.Secret) {
		return rest.Refused("this is the only secret of client '"+clientID+"': it cannot be ended without another in its place", "rotate it", provider.ErrLast)
	}
	return nil
}

// without gives a list without one entry.
func without(list []string, id string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == id })
}
