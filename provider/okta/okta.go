// Package okta keeps client secrets of Okta through its management API.
//
// It follows the documented requests and answers (/api/v1/apps/{appId}/
// credentials/secrets and its lifecycle operations, read on 2026-11-25). No real
// organisation was asked. It signs in with an API token; OAuth for Okta, which
// wants a service application with a private key, is not spoken.
package okta

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/provider"
	"usher/provider/rest"
)

// Config says which organisation, and as whom.
type Config struct {
	Org     string       // "https://dev-1.okta.com", not a custom domain's authorization server
	Token   usher.Secret // API token of an administrator who may manage the applications
	HTTP    *http.Client // guard's
	Timeout time.Duration
	Now     func() time.Time
}

// Admin implements provider.Secrets for one organisation.
type Admin struct {
	base string
	rest *rest.Client
}

var _ provider.Secrets = (*Admin)(nil)

// New makes an Admin. It goes nowhere yet.
func New(cfg Config) (*Admin, error) {
	u, err := url.Parse(strings.TrimRight(cfg.Org, "/"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "the organisation is no web address of Okta", Hint: "write it as https://dev-1.okta.com, without the path of an authorization server"}
	}
	if cfg.Token == "" {
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "there is no API token to change " + u.Host + " with", Hint: "make one under Security > API > Tokens, and name the variable or file that holds it under admin"}
	}
	a := &Admin{base: u.String()}
	a.rest = &rest.Client{
		HTTP: cfg.HTTP, Place: "the organisation " + u.Host, Account: "the API token", Scheme: "SSWS", Timeout: cfg.Timeout, Now: cfg.Now,
		Token: func(context.Context) (usher.Secret, time.Duration, error) { return cfg.Token, 24 * time.Hour, nil },
	}
	return a, a.rest.Ready()
}

const (
	right = "an administrator's role that manages this application (the scope okta.apps.manage)"
	reads = "an administrator's role that sees this application (the scope okta.apps.read)"
	most  = 2 // documented: two secrets at most
)

// SecretRules implements provider.Secrets.
func (a *Admin) SecretRules(context.Context, string) (provider.SecretRules, error) {
	path := "/api/v1/apps/{appId}/credentials/secrets"
	return provider.SecretRules{
		Kind: "okta", Place: a.rest.Place, Overlap: true, Most: most, Told: true,
		Delay: 30 * time.Second, // none is documented; this is caution
		Right: right, Reads: reads,
		Creates: "POST " + path, Retires: "POST " + path + "/{secretId}/lifecycle/deactivate, then DELETE " + path + "/{secretId}",
	}, nil
}

// secret is a client secret, as Okta writes it.
type secret struct {
	ID      string    `json:"id"`
	Status  string    `json:"status"` // ACTIVE, INACTIVE
	Created time.Time `json:"created"`
	Value   string    `json:"client_secret"` //nolint:gosec // Okta's member
}

func (s *secret) told() provider.ClientSecret {
	return provider.ClientSecret{ID: s.ID, Created: s.Created, Off: s.Status != "ACTIVE", Value: usher.Secret(s.Value)}
}

// path gives the address of a client's secrets. The id of an application is its
// client id, unless somebody chose another client id when it was made.
func (a *Admin) path(clientID string) (string, error) {
	if !rest.Plain(clientID) {
		return "", &usher.Error{
			Code: usher.ErrNotFound, Message: "Okta has no client " + rest.Short(clientID) + ": this is no id of an application", Err: rest.Silent{Sentinel: provider.ErrNotFound},
			Hint: "take the Client ID of the application's General tab",
		}
	}
	return a.base + "/api/v1/apps/" + clientID + "/credentials/secrets", nil
}

func (a *Admin) list(ctx context.Context, clientID string) ([]provider.ClientSecret, string, error) {
	path, err := a.path(clientID)
	if err != nil {
		return nil, "", err
	}
	var found []secret
	err = a.rest.Do(ctx, rest.Request{Method: http.MethodGet, URL: path, What: "the secrets of client '" + clientID + "'", Right: reads, Out: &found})
	if err != nil {
		return nil, "", err
	}
	list := make([]provider.ClientSecret, 0, len(found))
	for i := range found {
		list = append(list, found[i].told())
	}
	slices.SortStableFunc(list, func(a, b provider.ClientSecret) int { return a.Created.Compare(b.Created) })
	return list, path, nil
}

// ClientSecrets implements provider.Secrets. Okta tells their values again.
func (a *Admin) ClientSecrets(ctx context.Context, clientID string) ([]provider.ClientSecret, error) {
	ctx, cancel := a.rest.Bounded(ctx)
	defer cancel()
	list, _, err := a.list(ctx, clientID)
	return list, err
}

// CreateSecret implements provider.Secrets. Okta keeps neither a name nor an end.
func (a *Admin) CreateSecret(ctx context.Context, clientID string, _ provider.NewSecret) (made provider.ClientSecret, value usher.Secret, err error) {
	ctx, cancel := a.rest.Bounded(ctx)
	defer cancel()
	release, err := a.rest.Alone(ctx)
	if err != nil {
		return made, "", err
	}
	defer release()
	list, path, err := a.list(ctx, clientID)
	if err != nil {
		return made, "", err
	}
	if len(list) >= most {
		return made, "", rest.Refused("client '"+clientID+"' has two secrets, and Okta keeps no third one; nothing was changed", "retire the one that nobody uses any more", provider.ErrFull)
	}
	var answer secret
	err = a.rest.Do(ctx, rest.Request{Method: http.MethodPost, URL: path, What: "a new secret of client '" + clientID + "'", Right: right, In: struct{}{}, Out: &answer})
	if err != nil {
		return made, "", err
	}
	if answer.ID == "" || answer.Value == "" {
		return made, "", a.rest.Unreachable(a.rest.Place+" made a secret of client '"+clientID+"' and did not tell it", nil)
	}
	made = answer.told()
	return made, usher.Secret(answer.Value), nil
}

// RetireSecret implements provider.Secrets: Okta deletes only what was
// deactivated before.
func (a *Admin) RetireSecret(ctx context.Context, clientID, id string) error {
	ctx, cancel := a.rest.Bounded(ctx)
	defer cancel()
	release, err := a.rest.Alone(ctx)
	if err != nil {
		return err
	}
	defer release()
	list, path, err := a.list(ctx, clientID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(s provider.ClientSecret) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	if !rest.Plain(id) {
		return a.rest.Unreachable(a.rest.Place+" gave a secret an id that cannot be asked for", nil)
	}
	what := "a secret of client '" + clientID + "'"
	if !list[i].Off {
		if !slices.ContainsFunc(list, func(s provider.ClientSecret) bool { return !s.Off && s.ID != id }) {
			return rest.Refused("this is the last secret that client '"+clientID+"' can use; it was not ended", "make another one first, and move its callers", provider.ErrLast)
		}
		if err := a.rest.Do(ctx, rest.Request{Method: http.MethodPost, URL: path + "/" + id + "/lifecycle/deactivate", What: what, Right: right}); err != nil {
			return gone(err)
		}
	}
	return gone(a.rest.Do(ctx, rest.Request{Method: http.MethodDelete, URL: path + "/" + id, What: what, Right: right}))
}

// gone takes for done what is not there any more.
func gone(err error) error {
	if errors.Is(err, provider.ErrNotFound) {
		return nil
	}
	return err
}
