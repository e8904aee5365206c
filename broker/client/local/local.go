// Package local is the client on a broker in the same process: token sources and
// transports without HTTP between.
package local

import (
	"context"
	"errors"

	"usher/broker"
	"usher/broker/client"
)

// New makes a client of a source of tokens. caller is who asks, as events name
// it. Nothing is kept: the broker does.
func New(source broker.Source, caller string) *client.Client {
	return client.New(client.Options{Fetch: func(ctx context.Context, id string, ask client.Ask) (client.Token, error) {
		t, err := source.Token(ctx, id, broker.Ask{Caller: caller, LeastLife: ask.LeastLife, Refused: ask.Refused})
		if err != nil {
			return client.Token{}, explain(id, err)
		}
		return client.Token{
			Connection: id, Access: t.Access, Type: t.Type, Expires: t.Expires, Generation: t.Generation, Scopes: t.Scopes, Short: t.Short,
		}, nil
	}})
}

// explain gives the error that the client over HTTP gives; what it unwraps to is
// the broker's.
func explain(id string, err error) error {
	e := &client.Error{Connection: id, Err: err}
	var away *broker.Unavailable
	if errors.As(err, &away) {
		t := &away.Trouble
		e.State, e.Cause, e.Title, e.Turn, e.Link, e.Retry = string(away.State), t.Cause, t.Title, string(t.Turn), t.Link, away.Retry
	}
	return e
}
