// Package entra keeps client secrets of Microsoft Entra ID through Microsoft
// Graph.
//
// It follows the documented requests and answers (application: addPassword and
// removePassword, passwordCredential, v1.0, read on 2026-11-25). No real tenant
// was asked.
package entra

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/oauth"
	"usher/provider"
	"usher/provider/rest"
)

// Where the public cloud is.
const (
	Login = "https://login.microsoftonline.com"
	Graph = "https://graph.microsoft.com"
)

// Config says which tenant, and as whom.
type Config struct {
	Tenant   string       // id or domain
	ClientID string       // of usher's own application
	Secret   usher.Secret // of usher's own application
	HTTP     *http.Client // guard's, which trusts both origins
	Login    string       // empty is Login; another one of a national cloud
	Graph    string       // empty is Graph
	Timeout  time.Duration
	Now      func() time.Time
}

// Admin implements provider.Secrets for one tenant.
type Admin struct {
	cfg  Config
	rest *rest.Client
}

var _ provider.Secrets = (*Admin)(nil)

// New makes an Admin. It goes nowhere yet.
func New(cfg Config) (*Admin, error) {
	cfg.Login, cfg.Graph = strings.TrimRight(cmp.Or(cfg.Login, Login), "/"), strings.TrimRight(cmp.Or(cfg.Graph, Graph), "/")
	switch {
	case cfg.Tenant == "" || strings.ContainsAny(cfg.Tenant, "/?#% "):
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "the tenant of Entra is neither an id nor a domain", Hint: "write it as contoso.onmicrosoft.com, or take the tenant id of its overview page"}
	case cfg.ClientID == "" || cfg.Secret == "":
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "there is no application to change the tenant " + cfg.Tenant + " with", Hint: "set client_id and client_secret_env (or client_secret_file) under admin"}
	}
	a := &Admin{cfg: cfg}
	a.rest = &rest.Client{
		HTTP: cfg.HTTP, Place: "the tenant " + cfg.Tenant, Account: "usher's application " + cfg.ClientID, Timeout: cfg.Timeout, Now: cfg.Now,
		Token: func(ctx context.Context) (usher.Secret, time.Duration, error) {
			return a.rest.Grant(ctx, cfg.Login+"/"+cfg.Tenant+"/oauth2/v2.0/token", cfg.ClientID, cfg.Secret, url.Values{"scope": {cfg.Graph + "/.default"}})
		},
	}
	return a, a.rest.Ready()
}

const (
	right = "the application permission Application.ReadWrite.OwnedBy with ownership of the application, or Application.ReadWrite.All"
	reads = "the application permission Application.Read.All, or Application.ReadWrite.OwnedBy"
)

// SecretRules implements provider.Secrets.
func (a *Admin) SecretRules(context.Context, string) (provider.SecretRules, error) {
	return provider.SecretRules{
		Kind: "entra", Place: a.rest.Place, Overlap: true, Named: true, UseTold: true,
		// Nothing is documented. Directory changes reach every server within
		// minutes; until then some answer AADSTS7000215 or show the list of before.
		Delay: 3 * time.Minute,
		Right: right, Reads: reads,
		Creates: "POST /v1.0/applications/{object id of the registration}/addPassword", Retires: "POST /v1.0/applications/{object id of the registration}/removePassword",
		Note: "a new secret ends after two years unless a policy of the tenant says less",
	}, nil
}

// application is a registration, as far as it is read.
type application struct {
	ID        string       `json:"id"` // of the object
	AppID     string       `json:"appId"`
	Passwords []credential `json:"passwordCredentials"`
}

// credential is a passwordCredential.
type credential struct {
	KeyID  string    `json:"keyId,omitempty"`
	Name   *string   `json:"displayName,omitempty"`
	Hint   *string   `json:"hint,omitempty"`
	Starts time.Time `json:"startDateTime,omitzero"`
	Ends   time.Time `json:"endDateTime,omitzero"`
	Text   *string   `json:"secretText,omitempty"`
}

func (c *credential) secret(now time.Time) provider.ClientSecret {
	s := provider.ClientSecret{ID: c.KeyID, Starts: c.Starts, Expires: c.Ends, Created: c.Starts}
	if c.Name != nil {
		s.Name = *c.Name
	}
	if c.Hint != nil {
		s.Hint = *c.Hint
	}
	s.Off = !c.Ends.IsZero() && !now.Before(c.Ends) || now.Before(c.Starts)
	return s
}

// read gives a registration by its client id.
func (a *Admin) read(ctx context.Context, clientID string) (*application, error) {
	if !oauth.IsGUID(clientID) { // it stands in the path of the request
		return nil, &usher.Error{
			Code: usher.ErrNotFound, Message: "Entra has no client " + rest.Short(clientID) + ": its client ids are GUIDs", Err: rest.Silent{Sentinel: provider.ErrNotFound},
			Hint: "take the Application (client) ID of the registration, not its name",
		}
	}
	var app application
	err := a.rest.Do(ctx, rest.Request{
		Method: http.MethodGet, URL: a.cfg.Graph + "/v1.0/applications(appId='" + clientID + "')?$select=id,appId,passwordCredentials",
		What: "the registration of client " + clientID, Right: reads, Out: &app,
	})
	if err != nil {
		return nil, err
	}
	if app.ID == "" || strings.ContainsAny(app.ID, "/?#%") {
		return nil, a.rest.Unreachable(a.rest.Place+" described client "+clientID+" without its id", nil)
	}
	return &app, nil
}

func (a *Admin) secrets(app *application) []provider.ClientSecret {
	now := a.rest.Now()
	list := make([]provider.ClientSecret, 0, len(app.Passwords))
	for i := range app.Passwords {
		list = append(list, app.Passwords[i].secret(now))
	}
	slices.SortStableFunc(list, func(a, b provider.ClientSecret) int { return a.Created.Compare(b.Created) })
	return list
}

// ClientSecrets implements provider.Secrets. Graph tells when a secret becomes
// valid and not when it was made; where nobody chose otherwise that is the same.
func (a *Admin) ClientSecrets(ctx context.Context, clientID string) ([]provider.ClientSecret, error) {
	ctx, cancel := a.rest.Bounded(ctx)
	defer cancel()
	app, err := a.read(ctx, clientID)
	if err != nil {
		return nil, err
	}
	return a.secrets(app), nil
}

// CreateSecret implements provider.Secrets.
func (a *Admin) CreateSecret(ctx context.Context, clientID string, want provider.NewSecret) (made provider.ClientSecret, value usher.Secret, err error) {
	ctx, cancel := a.rest.Bounded(ctx)
	defer cancel()
	app, err := a.read(ctx, clientID)
	if err != nil {
		return made, "", err
	}
	wanted := credential{Ends: want.Expires.UTC()}
	if want.Expires.IsZero() {
		wanted.Ends = time.Time{}
	}
	if want.Name != "" {
		wanted.Name = &want.Name
	}
	var answer credential
	err = a.rest.Do(ctx, rest.Request{
		Method: http.MethodPost, URL: a.cfg.Graph + "/v1.0/applications/" + app.ID + "/addPassword", What: "a new secret of client " + clientID, Right: right,
		In: map[string]credential{"passwordCredential": wanted}, Out: &answer,
	})
	if err != nil {
		return made, "", err
	}
	if answer.Text == nil || *answer.Text == "" || answer.KeyID == "" {
		return made, "", a.rest.Unreachable(a.rest.Place+" made a secret of client "+clientID+" and did not tell it", nil)
	}
	made = answer.secret(a.rest.Now())
	made.Off = false // it begins by their clock
	return made, usher.Secret(*answer.Text), nil
}

// RetireSecret implements provider.Secrets.
func (a *Admin) RetireSecret(ctx context.Context, clientID, id string) error {
	ctx, cancel := a.rest.Bounded(ctx)
	defer cancel()
	release, err := a.rest.Alone(ctx)
	if err != nil {
		return err
	}
	defer release()
	app, err := a.read(ctx, clientID)
	if err != nil {
		return err
	}
	list := a.secrets(app)
	i := slices.IndexFunc(list, func(s provider.ClientSecret) bool { return strings.EqualFold(s.ID, id) })
	if i < 0 {
		return nil
	}
	if !list[i].Off && !slices.ContainsFunc(list, func(s provider.ClientSecret) bool { return !s.Off && s.ID != list[i].ID }) {
		return rest.Refused("this is the last secret that client "+clientID+" can use; it was not removed", "make another one first, and move its callers", provider.ErrLast)
	}
	err = a.rest.Do(ctx, rest.Request{
		Method: http.MethodPost, URL: a.cfg.Graph + "/v1.0/applications/" + app.ID + "/removePassword", What: "a secret of client " + clientID, Right: right,
		In: map[string]string{"keyId": list[i].ID},
	})
	if errors.Is(err, provider.ErrNotFound) || errors.Is(err, provider.ErrUnsupported) {
		// Somebody may have removed it in the same moment.
		if again, err2 := a.read(ctx, clientID); err2 == nil && !slices.ContainsFunc(again.Passwords, func(c credential) bool { return strings.EqualFold(c.KeyID, id) }) {
			return nil
		}
	}
	return err
}
