package serve

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"usher"
	"usher/broker"
	"usher/console"
	"usher/policy/lifespan"
)

var _ console.Connections = (*brokerage)(nil)

// Connections implements console.Connections.
func (b *brokerage) Connections(ctx context.Context) ([]console.Connection, error) {
	const page = 500
	var all []console.Connection
	cases, err := b.cases(ctx)
	if err != nil {
		return nil, awayNow(err)
	}
	for after := ""; ; {
		views, err := b.List(ctx, after, page)
		if err != nil {
			return nil, told(after, err)
		}
		for i := range views {
			all = append(all, b.shown(&views[i], cases))
		}
		if len(views) < page {
			return all, nil
		}
		after = views[len(views)-1].Config.ID
	}
}

// connectionCases are the active cases of connections: each its own, and those of
// token endpoints.
type connectionCases struct{ own, endpoint map[string]int64 }

// cases gives the active cases about connections, the first one about each.
func (b *brokerage) cases(ctx context.Context) (connectionCases, error) {
	found := connectionCases{map[string]int64{}, map[string]int64{}}
	list, err := b.engine.List(ctx, console.Filter{})
	for i := range list {
		in, name := found.own, list[i].Refusal.Connection()
		if at := list[i].Refusal.FaultyEndpoint(); at != "" {
			in, name = found.endpoint, at
		}
		if name != "" && in[name] == 0 {
			in[name] = list[i].ID
		}
	}
	return found, err
}

// of gives the case of a connection, or 0. One whose trouble is the endpoint's
// shares it with the others there.
func (c connectionCases) of(v *broker.View) int64 {
	if t := v.Status.Trouble; t != nil && t.Endpoint {
		if id := c.endpoint[broker.EndpointName(v.Config.Endpoints.Token)]; id != 0 {
			return id
		}
	}
	return c.own[v.Config.ID]
}

func (b *brokerage) shown(v *broker.View, cases connectionCases) console.Connection {
	c := console.Connection{Config: v.Config, Revision: v.Revision, Secret: v.Secret, Managed: v.Managed, Status: v.Status, Case: cases.of(v)}
	c.Status.Spent = "" // of no use to anybody but the broker
	if v.Config.Grant == broker.GrantCode && b.connect != nil {
		c.RedirectURI = b.connect.RedirectURI(v.Config)
	}
	return c
}

// Connection implements console.Connections.
func (b *brokerage) Connection(ctx context.Context, id string) (console.Connection, error) {
	view, err := b.Get(ctx, id)
	if err != nil {
		return console.Connection{}, told(id, err)
	}
	return b.show(ctx, &view)
}

func (b *brokerage) show(ctx context.Context, v *broker.View) (console.Connection, error) {
	cases, err := b.cases(ctx)
	if err != nil {
		return console.Connection{}, awayNow(err)
	}
	return b.shown(v, cases), nil
}

// Renew implements console.Connections. What the provider says stands in the
// status: a refusal there is no error here.
func (b *brokerage) Renew(ctx context.Context, id, by string) (console.Connection, error) {
	view, err := b.Broker.Renew(ctx, id)
	var away *broker.Unavailable
	if errors.As(err, &away) {
		view, err = b.Get(ctx, id)
	}
	if err != nil {
		return console.Connection{}, told(id, err)
	}
	return b.show(ctx, &view)
}

// Remove implements console.Connections.
func (b *brokerage) Remove(ctx context.Context, id, by string) error {
	view, err := b.Get(ctx, id)
	if err == nil {
		err = b.Broker.Remove(ctx, id)
	}
	if err != nil {
		return told(id, err)
	}
	b.changed("delete", &view.Config, by)
	return nil
}

// Explain implements console.Connections.
func (b *brokerage) Explain(ctx context.Context, id string) ([]lifespan.Reason, error) {
	view, err := b.Get(ctx, id)
	if err != nil || view.Status.Generation == 0 { // what would count of a token that never was explains nothing
		return nil, told(id, err)
	}
	reasons, err := b.Broker.Explain(ctx, id)
	return reasons, told(id, err)
}

// WatchConnections implements console.Connections.
func (b *brokerage) WatchConnections(ctx context.Context) <-chan string {
	out := make(chan string)
	go func() {
		defer close(out)
		for c := range b.Subscribe(ctx) {
			select {
			case out <- c.ID:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// Configure implements console.Connections.
func (b *brokerage) Configure(ctx context.Context, id string, change console.ChangedConnection, by string) (console.Connection, error) {
	before, err := b.Get(ctx, id)
	if err != nil {
		return console.Connection{}, told(id, err)
	}
	c := change.Config
	c.ID, c.Made, c.MadeBy = id, before.Config.Made, before.Config.MadeBy
	if err := b.checkPolicy(&c); err != nil {
		return console.Connection{}, err
	}
	var keys *broker.Keys
	if change.ClientSecret != "" || change.PrivateKey != "" || change.Managed != "" {
		old, err := b.kept(ctx, id)
		if err != nil {
			return console.Connection{}, told(id, err)
		}
		keys = &old
		if change.ClientSecret != "" {
			keys.ClientSecret, keys.Credential = usher.Secret(change.ClientSecret), ""
		}
		if change.PrivateKey != "" {
			keys.PrivateKey = usher.Secret(change.PrivateKey)
		}
		if change.Managed != "" {
			keys.ClientSecret, keys.Credential = "", change.Managed
		}
	}
	view, err := b.Broker.Configure(ctx, change.Revision, c, keys)
	if err != nil {
		return console.Connection{}, told(id, err)
	}
	b.changed("update", &view.Config, by)
	return b.show(ctx, &view)
}

// kept gives what a connection keeps itself. The value of a managed secret is no
// part of it, and need not be there.
func (b *brokerage) kept(ctx context.Context, id string) (broker.Keys, error) {
	_, keys, err := b.Open(ctx, id)
	if keys.Credential != "" {
		keys.ClientSecret, err = "", nil
	}
	return keys, err
}

// Add implements console.Connections.
func (b *brokerage) Add(ctx context.Context, wish console.NewConnection, by string) (console.Connection, error) {
	c := wish.Config
	if err := console.CheckConnectionID(c.ID); err != nil {
		return console.Connection{}, err
	}
	if err := b.fillIn(ctx, &c, &wish); err != nil {
		return console.Connection{}, err
	}
	if err := b.checkPolicy(&c); err != nil {
		return console.Connection{}, err
	}
	if c.AuthMethod == "" {
		c.AuthMethod = methodFor(&wish)
	}
	c.Made, c.MadeBy = b.now().UTC(), by
	keys := broker.Keys{ClientSecret: usher.Secret(wish.ClientSecret), PrivateKey: usher.Secret(wish.PrivateKey), Credential: wish.Managed}
	view, err := b.Broker.Add(ctx, c, keys, broker.Tokens{Refresh: usher.Secret(wish.RefreshToken)})
	if err != nil {
		return console.Connection{}, told(c.ID, err)
	}
	b.changed("create", &view.Config, by)
	return b.show(ctx, &view)
}

// methodFor gives the usual authentication for what the client has.
func methodFor(wish *console.NewConnection) string {
	switch {
	case wish.ClientSecret != "" || wish.Managed != "":
		return "client_secret_basic"
	case wish.PrivateKey != "" && wish.Config.Grant != broker.GrantJWTBearer:
		return "private_key_jwt"
	}
	return "none"
}

// changed tells that somebody changed a connection: what is refused afterwards
// may come of it.
func (b *brokerage) changed(operation string, c *broker.Config, by string) {
	now := b.now().UTC()
	b.events.add(context.Background(), usher.Event{
		UID: fmt.Sprintf("usher-connection-%s-%s-%d", operation, c.ID, now.UnixNano()), Class: usher.ClassEntityChange, Kind: usher.EventAdmin,
		Code: "CONNECTION_" + strings.ToUpper(operation), Provider: "usher", LogName: "broker", Tenant: tenantOf(c), Time: now,
		Session: c.ID, Client: usher.Party{UID: c.ClientID}, Actor: usher.Party{Name: by}, Status: usher.StatusSuccess,
		Message: fmt.Sprintf("connection %s: %s", c.ID, operation),
		Change:  &usher.Change{Operation: operation, Type: "connection", Target: usher.Party{Name: c.ID}},
	})
}

// tenantOf names whose tokens a connection has, as the broker's events do.
func tenantOf(c *broker.Config) string {
	if c.Provider != "" {
		return c.Provider
	}
	return hostOf(c.Issuer, c.Endpoints.Token)
}

// told gives an error of the broker the code that tells what kind it is.
func told(id string, err error) error {
	var known *usher.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, broker.ErrNotFound):
		return &usher.Error{Code: usher.ErrNotFound, Message: "there is no connection " + id, Hint: "usher connections lists them"}
	case errors.Is(err, broker.ErrExists):
		return &usher.Error{Code: console.CodeConflict, Message: "there is a connection " + id + " already", Hint: "remove it first, or choose another id"}
	case errors.Is(err, broker.ErrStale):
		return &usher.Error{Code: usher.ErrChanged, Message: "the connection was changed since you looked", Hint: "look at it again"}
	case errors.Is(err, context.DeadlineExceeded):
		return &usher.Error{Code: console.CodeUnavailable, Message: "the provider has not answered in time", Hint: "usher goes on waiting: look again in a moment"}
	}
	return awayNow(err)
}

// awayNow tells that the store is away.
func awayNow(err error) error {
	return &usher.Error{Code: console.CodeUnavailable, Message: "the connections cannot be read or kept now", Err: err, Hint: "the server's log says more; try again"}
}
