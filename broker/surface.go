package broker

import (
	"context"
	"errors"

	"usher/broker/grant"
	"usher/policy/lifespan"
)

var errNotBuilt = errors.New("not built yet")

// Broker keeps the tokens of connections alive. It is safe for concurrent use.
type Broker struct{ opt Options }

// New makes a broker. It asks nobody yet: Run does.
func New(opt Options) *Broker {
	opt.fill()
	return &Broker{opt: opt}
}

// Run renews tokens when they are due and follows what other replicas write,
// until ctx ends. It waits then for requests that are under way.
func (b *Broker) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Token gives a token; see Source.
func (b *Broker) Token(ctx context.Context, id string, ask Ask) (Token, error) {
	return Token{}, errNotBuilt
}

// Add makes a connection. t holds the refresh token of a GrantRefresh and is
// empty otherwise. Its error is ErrExists, or a *usher.Error that names what is
// wrong with the configuration.
func (b *Broker) Add(ctx context.Context, c Config, k Keys, t Tokens) (View, error) {
	return View{}, errNotBuilt
}

// Configure replaces the configuration where its revision is still this one,
// else ErrStale. k nil keeps the keys.
func (b *Broker) Configure(ctx context.Context, revision int64, c Config, k *Keys) (View, error) {
	return View{}, errNotBuilt
}

// Remove revokes the tokens of a connection, where the provider can, and takes
// it away.
func (b *Broker) Remove(ctx context.Context, id string) error { return errNotBuilt }

// Get gives one connection, or ErrNotFound.
func (b *Broker) Get(ctx context.Context, id string) (View, error) { return View{}, errNotBuilt }

// List gives connections by id, those after an id, at most limit.
func (b *Broker) List(ctx context.Context, after string, limit int) ([]View, error) {
	return nil, errNotBuilt
}

// Config gives the configuration of a connection from the cache, as it was
// within the last second. It is shared: nothing in it may be changed.
func (b *Broker) Config(ctx context.Context, id string) (*Config, error) { return nil, errNotBuilt }

// Renew renews a token now, whatever its life and the back-off. Its error is
// that of Token.
func (b *Broker) Renew(ctx context.Context, id string) (View, error) { return View{}, errNotBuilt }

// Connected stores what a person's connecting gave, in place of all that the
// connection had.
func (b *Broker) Connected(ctx context.Context, id string, a *grant.Answer) error {
	return errNotBuilt
}

// Subscribe tells how these connections (none: all) stand, and then each
// change, until ctx ends, which closes the channel. A subscriber that is slow
// is told the last of several changes to one connection.
func (b *Broker) Subscribe(ctx context.Context, ids ...string) <-chan Change {
	c := make(chan Change)
	close(c)
	return c
}

// Explain says why the token lives as long as it does and when it is renewed,
// in the order in which it was decided.
func (b *Broker) Explain(ctx context.Context, id string) ([]lifespan.Reason, error) {
	return nil, errNotBuilt
}

// Open gives the keys of a connection, for those who speak to its provider for
// it: the connect page, the probe of a secret. A managed secret is filled in.
func (b *Broker) Open(ctx context.Context, id string) (Config, Keys, error) {
	return Config{}, Keys{}, errNotBuilt
}
