package consoletest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"usher"
	"usher/broker"
	"usher/console"
	"usher/policy/lifespan"
)

// Connections keeps connections in memory and implements console.Connections.
type Connections struct {
	Now func() time.Time

	mu       sync.Mutex
	all      map[string]console.Connection
	watching map[chan string]bool
	secrets  []string // that were handed in
}

// SampleConnections gives a connection in each state that a page has words for.
func SampleConnections(now func() time.Time) *Connections {
	at := now()
	base := func(id, preset, provider string) console.Connection {
		return console.Connection{
			Revision: 1, Secret: "kept",
			Config: broker.Config{
				ID: id, Preset: preset, Grant: broker.GrantClientCredentials, ClientID: "shop-" + id, AuthMethod: "client_secret_basic",
				Endpoints: broker.Endpoints{Token: "https://" + provider + "/token"}, Scopes: []string{"payments:write"}, Owner: "ada", Made: at.Add(-24 * time.Hour), MadeBy: "ada",
			},
			Status: broker.Status{
				State: broker.StateAlive, Generation: 7, Version: 21, Obtained: at.Add(-3 * time.Minute), Expires: at.Add(9 * time.Minute), RenewAt: at.Add(6 * time.Minute),
				Connected: at.Add(-24 * time.Hour), Used: at.Add(-time.Minute), TokenType: "Bearer", ExpiresIn: 720, Scopes: []string{"payments:write"},
			},
		}
	}
	gateway := base("shop-gateway", "paypal", "api.gateway.example")
	person := base("shop-calendar", "", "accounts.example")
	person.Config.Grant, person.Config.Issuer = broker.GrantCode, "https://accounts.example"
	person.Status.State, person.Status.RenewAt = broker.StateWaiting, time.Time{}
	person.Status.Expires = at.Add(-time.Minute)
	person.Status.Trouble = &broker.Trouble{
		Cause: "refresh-token-revoked", Strategy: "ask", Title: "the refresh token was revoked", Turn: usher.FixerUser, Code: "invalid_grant",
		Detail: "Token has been <b>revoked</b>", Status: 400, Since: at.Add(-10 * time.Minute), Last: at.Add(-2 * time.Minute), Tries: 2,
		Link: "https://usher.example/connect/shop-calendar?ticket=abc",
	}
	person.Case = 1
	failing := base("shop-ledger", "", "id.ledger.example")
	failing.Status.State = broker.StateFailing
	failing.Status.Trouble = &broker.Trouble{
		Cause: "provider-unavailable", Strategy: "retry", Title: "the token endpoint does not answer", Status: 503, Since: at.Add(-time.Minute), Last: at, Tries: 4, Endpoint: true,
	}
	fresh := base("shop-mail", "", "mail.example")
	fresh.Config.Grant = broker.GrantDevice
	fresh.Status = broker.Status{State: broker.StateNew, Version: 1}
	stopped := base("shop-old", "", "old.example")
	stopped.Config.Disabled = true
	stopped.Status = broker.Status{State: broker.StateStopped, Version: 3}
	c := &Connections{Now: now, all: map[string]console.Connection{}, watching: map[chan string]bool{}}
	for _, one := range []console.Connection{gateway, person, failing, fresh, stopped} {
		c.all[one.Config.ID] = one
	}
	return c
}

// Secrets gives what was handed in as a secret.
func (c *Connections) Secrets() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.secrets)
}

// Edit changes a connection and tells who watches.
func (c *Connections) Edit(id string, change func(*console.Connection)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.all[id]
	change(&one)
	c.all[id] = one
	for ch := range c.watching {
		select {
		case ch <- id:
		default:
		}
	}
}

func (c *Connections) Connections(context.Context) ([]console.Connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []console.Connection
	for _, one := range c.all {
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b console.Connection) int { return strings.Compare(a.Config.ID, b.Config.ID) })
	return list, nil
}

func (c *Connections) Connection(_ context.Context, id string) (console.Connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one, ok := c.all[id]
	if !ok {
		return one, &usher.Error{Code: usher.ErrNotFound, Message: "there is no connection " + id}
	}
	return one, nil
}

func (c *Connections) Add(ctx context.Context, wish console.NewConnection, by string) (console.Connection, error) {
	if err := console.CheckConnectionID(wish.Config.ID); err != nil {
		return console.Connection{}, err
	}
	if _, err := c.Connection(ctx, wish.Config.ID); err == nil {
		return console.Connection{}, &usher.Error{Code: console.CodeConflict, Message: "there is a connection " + wish.Config.ID + " already"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets = append(c.secrets, wish.ClientSecret, wish.PrivateKey, wish.RefreshToken)
	made := console.Connection{Config: wish.Config, Revision: 1, Status: broker.Status{State: broker.StateNew, Version: 1}}
	made.Config.Made, made.Config.MadeBy = c.Now(), by
	c.all[wish.Config.ID] = made
	return made, nil
}

func (c *Connections) Configure(ctx context.Context, id string, change console.ChangedConnection, _ string) (console.Connection, error) {
	one, err := c.Connection(ctx, id)
	if err != nil {
		return one, err
	}
	if change.Revision != one.Revision {
		return one, &usher.Error{Code: usher.ErrChanged, Message: "the connection was changed since you looked"}
	}
	c.Edit(id, func(k *console.Connection) { k.Config, k.Revision = change.Config, k.Revision+1 })
	return c.Connection(ctx, id)
}

func (c *Connections) Renew(ctx context.Context, id, _ string) (console.Connection, error) {
	if _, err := c.Connection(ctx, id); err != nil {
		return console.Connection{}, err
	}
	c.Edit(id, func(k *console.Connection) { k.Status.Generation++ })
	return c.Connection(ctx, id)
}

func (c *Connections) Connect(ctx context.Context, id, _ string) (string, error) {
	_, err := c.Connection(ctx, id)
	return "/connect/" + id + "?ticket=abc", err
}

func (c *Connections) Remove(ctx context.Context, id, _ string) error {
	if _, err := c.Connection(ctx, id); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, id)
	return nil
}

func (c *Connections) Explain(ctx context.Context, id string) ([]lifespan.Reason, error) {
	_, err := c.Connection(ctx, id)
	return []lifespan.Reason{
		{Source: "provider", Text: "the provider says 720 s", Field: "expires_in", Value: "12m"},
		{Source: "policy", Name: "default", Text: "renewed after 3/4 of its life", Field: "renew_at", Value: "9m"},
	}, err
}

func (c *Connections) Presets(context.Context) []console.Preset {
	return []console.Preset{{Name: "paypal", Title: "PayPal", Grants: []string{"client_credentials"}}}
}

func (c *Connections) WatchConnections(ctx context.Context) <-chan string {
	ch := make(chan string, 16)
	c.mu.Lock()
	c.watching[ch] = true
	c.mu.Unlock()
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watching, ch)
		close(ch)
	})
	return ch
}
