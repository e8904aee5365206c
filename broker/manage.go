package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/broker/grant"
	"usher/broker/strategy"
	"usher/policy/lifespan"
)

// Add makes a connection. t holds the refresh token of a GrantRefresh and is
// empty otherwise. Its error is ErrExists, or a *usher.Error that names what is
// wrong with the configuration.
func (b *Broker) Add(ctx context.Context, c Config, k Keys, t Tokens) (View, error) {
	b.tellTime(ctx)
	now := b.clock.store()
	if c.Made.IsZero() {
		c.Made = now
	}
	if err := errors.Join(c.Validate(), c.validKeys(k), b.validPolicy(c)); err != nil {
		return View{}, invalid(c.ID, err)
	}
	if c.Grant == GrantRefresh && t.Refresh == "" {
		return View{}, invalid(c.ID, errors.New("the grant refresh_token needs a refresh token"))
	}
	if err := b.chain(ctx, c); err != nil {
		return View{}, invalid(c.ID, err)
	}
	rec := Record{Config: c, Status: Status{State: StateNew, Refreshable: t.Refresh != ""}}
	var err error
	if rec.Keys, err = b.sealKeys(ctx, c.ID, k); err != nil {
		return View{}, err
	}
	if t != (Tokens{}) {
		if rec.Tokens, err = b.sealTokens(ctx, c.ID, t); err != nil {
			return View{}, err
		}
		rec.Status.Connected = now
	}
	if !Interactive(c.Grant) || t.Refresh != "" {
		rec.Status.RenewAt = now
	}
	if err := b.opt.Store.Add(ctx, rec); err != nil {
		return View{}, err
	}
	b.wake()
	return b.Get(ctx, c.ID)
}

// Configure replaces the configuration where its revision is still this one,
// else ErrStale. k nil keeps the keys. What was in trouble is tried again at
// once, and a token whose request changed is renewed.
func (b *Broker) Configure(ctx context.Context, revision int64, c Config, k *Keys) (View, error) {
	rec, err := b.opt.Store.Connection(ctx, c.ID)
	if err != nil {
		return View{}, err
	}
	keys, err := b.openKeys(ctx, rec)
	if err != nil {
		return View{}, err
	}
	if k != nil {
		keys = *k
	}
	if c.Made.IsZero() {
		c.Made, c.MadeBy = rec.Config.Made, rec.Config.MadeBy
	}
	if err := errors.Join(c.Validate(), c.validKeys(keys), b.validPolicy(c)); err != nil {
		return View{}, invalid(c.ID, err)
	}
	if c.Grant != rec.Config.Grant {
		return View{}, invalid(c.ID, errors.New("grant_type: another grant is another connection; add one"))
	}
	if err := b.chain(ctx, c); err != nil {
		return View{}, invalid(c.ID, err)
	}
	sealed, err := b.sealKeys(ctx, c.ID, keys)
	if err != nil {
		return View{}, err
	}
	if err := b.opt.Store.Configure(ctx, revision, c, sealed); err != nil {
		return View{}, err
	}
	err = b.amend(ctx, c.ID, func(st *Status) bool {
		again := st.Trouble != nil || !sameRequest(rec.Config, c)
		if st.Generation > 0 && !st.Expires.IsZero() {
			b.schedule(c, st) // by the policies that apply now
		}
		if Interactive(c.Grant) && !st.Refreshable {
			return true
		}
		if st.Trouble != nil {
			t := *st.Trouble
			t.Tries, st.Trouble = 0, &t
		}
		if again {
			st.RenewAt, st.Narrowed = b.clock.store(), nil
		}
		return true
	})
	if err != nil {
		b.opt.Log.Warn("the new configuration counts from the next renewal on", "connection", c.ID, "err", err)
	}
	b.wake()
	return b.Get(ctx, c.ID)
}

// sameRequest tells whether two configurations ask a provider for the same.
func sameRequest(a, b Config) bool {
	return a.Endpoints.Token == b.Endpoints.Token && a.ClientID == b.ClientID && a.Audience == b.Audience &&
		slices.Equal(a.Scopes, b.Scopes) && slices.Equal(a.Resources, b.Resources) && maps.Equal(a.Extra, b.Extra) &&
		a.AssertionIssuer == b.AssertionIssuer && a.AssertionSubject == b.AssertionSubject && a.AssertionAudience == b.AssertionAudience &&
		a.Subject == b.Subject && a.SubjectTokenType == b.SubjectTokenType && a.RequestedTokenType == b.RequestedTokenType
}

// amend changes a status under the lease, and waits for it a while.
func (b *Broker) amend(ctx context.Context, id string, f func(*Status) bool) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for {
		g, err := b.grip(ctx, id)
		if errors.Is(err, ErrHeld) {
			if sleep(ctx, 50*time.Millisecond) != nil {
				return err
			}
			continue
		} else if err != nil {
			return err
		}
		err = func() error {
			defer g.letGo()
			rec, err := b.opt.Store.Connection(ctx, id)
			if err != nil || !f(&rec.Status) {
				return err
			}
			_, err = b.opt.Store.Note(ctx, id, g.l, rec.Status, nil)
			return err
		}()
		if !errors.Is(err, ErrStale) && !errors.Is(err, ErrLost) {
			return err
		}
	}
}

// Remove revokes the tokens of a connection, where the provider can, and takes
// it away.
func (b *Broker) Remove(ctx context.Context, id string) error {
	rec, err := b.opt.Store.Connection(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	b.revoke(ctx, rec)
	if err := b.opt.Store.Remove(ctx, id); err != nil {
		return err
	}
	b.forget(b.cache.entry(id))
	return nil
}

// revoke ends the tokens of a connection, RFC 7009, as far as that can be done
// in a few seconds: what is taken away here is of no more use anyway.
func (b *Broker) revoke(ctx context.Context, rec Record) {
	if rec.Config.Endpoints.Revocation == "" || rec.Tokens == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	tokens, err := b.openTokens(ctx, rec)
	if err != nil {
		return
	}
	keys, err := b.keys(ctx, rec)
	if err != nil {
		return
	}
	r := client(rec.Config, keys)
	r.Endpoint = rec.Config.Endpoints.Revocation
	if tokens.Refresh != "" {
		err = b.opt.Ask.Revoke(ctx, r, tokens.Refresh, "refresh_token")
	}
	if tokens.Access != "" {
		err = errors.Join(err, b.opt.Ask.Revoke(ctx, r, tokens.Access, "access_token"))
	}
	if err != nil {
		b.opt.Log.Warn("the tokens of a connection that was taken away could not be revoked", "connection", rec.Config.ID, "err", err)
	}
}

// Get gives one connection, or ErrNotFound.
func (b *Broker) Get(ctx context.Context, id string) (View, error) {
	rec, err := b.opt.Store.Connection(ctx, id)
	if err != nil {
		return View{}, err
	}
	return b.view(rec), nil
}

// List gives connections by id, those after an id, at most limit.
func (b *Broker) List(ctx context.Context, after string, limit int) ([]View, error) {
	records, err := b.opt.Store.Connections(ctx, after, limit)
	views := make([]View, 0, len(records))
	for _, rec := range records {
		views = append(views, b.view(rec))
	}
	return views, err
}

func (b *Broker) view(rec Record) View {
	v := View{Config: rec.Config, Revision: rec.Revision, Status: rec.Status, Renewable: !Interactive(rec.Config.Grant) || rec.Status.Refreshable}
	if k, err := b.openKeys(b.ctx, rec); err == nil {
		switch {
		case k.Credential != "":
			v.Secret, v.Managed = "managed", k.Credential
		case k.ClientSecret != "" || k.PrivateKey != "":
			v.Secret = "kept"
		}
	}
	v.Status.Trouble = b.linked(rec.Config.ID, v.Status.Trouble)
	if v.Status.Trouble == nil {
		if _, why := b.calm(rec, b.clock.store()); why != nil && !rec.Config.Disabled {
			v.Status.Trouble = b.linked(rec.Config.ID, why)
		}
	}
	if rec.Config.Disabled {
		v.Status.State = StateStopped
	} else if t := b.overdue(rec); t != nil {
		v.Status.State, v.Status.Trouble = StateFailing, t
	}
	if e := b.cache.get(rec.Config.ID); e != nil {
		if used := e.used.Load(); used > 0 {
			v.Status.Used = later(v.Status.Used, b.clock.stored(time.Unix(used*60, 0)))
		}
	}
	return v
}

// overdue tells what keeps a connection from being renewed that should have been
// by now and was not tried: nobody asks an endpoint that is away for each of its
// connections. nil: nothing does.
func (b *Broker) overdue(rec Record) *Trouble {
	now, st := b.clock.store(), rec.Status
	if st.State != StateAlive && st.State != StateNew || st.Trouble != nil || st.RenewAt.IsZero() || st.RenewAt.After(now) {
		return nil
	}
	g := b.gate(rec.Config.Endpoints.Token)
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed.down || !g.closed.until.After(now) {
		return nil
	}
	t := g.closed.trouble(now)
	t.Since = st.RenewAt
	return t
}

// Config gives the configuration of a connection from the cache, as it was
// within the last second. It is shared: nothing in it may be changed.
func (b *Broker) Config(ctx context.Context, id string) (*Config, error) {
	if e := b.cache.get(id); e != nil {
		if h := e.held.Load(); h != nil {
			return h.config, nil
		}
	}
	rec, err := b.opt.Store.Connection(ctx, id)
	if err != nil {
		return nil, err
	}
	h, err := b.adopt(ctx, b.cache.entry(id), rec)
	if err != nil {
		return nil, err
	}
	return h.config, nil
}

// Renew renews a token now, whatever its life and the back-off. Its error is
// that of Token.
func (b *Broker) Renew(ctx context.Context, id string) (View, error) {
	b.tellTime(ctx)
	rec, err := b.opt.Store.Connection(ctx, id)
	if err != nil {
		return View{}, err
	}
	e := b.cache.entry(id)
	for range 3 {
		f := b.fly(e, want{force: true, above: rec.Status.Generation}, nil)
		select {
		case <-f.done:
		case <-ctx.Done():
			return View{}, context.Cause(ctx)
		}
		if f.held == nil {
			return View{}, f.err
		}
		if f.held.status.Generation > rec.Status.Generation {
			return b.Get(ctx, id)
		}
		if f.tried && (f.held.why != nil || f.held.status.Trouble != nil) {
			break // else it was under way for somebody who wanted less, or had stored its answer already
		}
	}
	v, err := b.Get(ctx, id)
	if err != nil {
		return v, err
	}
	if h := e.held.Load(); h != nil && h.why != nil {
		return v, h.why
	}
	return v, &Unavailable{ID: id, State: v.Status.State, Trouble: Trouble{Cause: "unknown", Strategy: string(strategy.Retry), Title: "it was not renewed"}}
}

// Connected stores what a person's connecting gave, in place of all that the
// connection had. Tokens of before are left alone at the provider: at some the
// new ones would end with them. While the store is away it tries on for a while,
// also when ctx ends: nobody else has these tokens.
func (b *Broker) Connected(ctx context.Context, id string, a *grant.Answer) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectedTry)
	defer cancel()
	b.tellTime(ctx)
	for wait := 50 * time.Millisecond; ; wait = min(wait*2, time.Second) {
		err := b.connected(ctx, id, a)
		if err == nil || errors.Is(err, ErrNotFound) {
			return err
		}
		if !errors.Is(err, ErrStale) && sleep(ctx, wait) != nil {
			return fmt.Errorf("store what connecting %s gave: %w", id, err)
		}
		// Stale: a renewal was stored meanwhile, and the new grant takes its place.
	}
}

// connectedTry is how long a person who has connected waits for the store.
const connectedTry = 20 * time.Second

func (b *Broker) connected(ctx context.Context, id string, a *grant.Answer) error {
	rec, err := b.opt.Store.Connection(ctx, id)
	if err != nil {
		return err
	}
	st := rec.Status
	st.Connected, st.Refreshes, st.Narrowed, st.Rotates, st.User = b.clock.store(), time.Time{}, nil, "", ""
	r := renewal{grant: rec.Config.Grant, scope: rec.Config.Scopes}
	next, tokens := b.answered(rec.Config, st, Tokens{}, "", a)
	sealed, err := b.sealTokens(ctx, id, tokens)
	if err != nil {
		return err
	}
	if err := b.opt.Store.Answer(ctx, id, next, sealed); err != nil {
		return err
	}
	next.Version++
	rec.Status, rec.Tokens = next, sealed
	b.hold(b.cache.entry(id), rec, tokens)
	b.emit(ctx, b.success(rec, st, r))
	b.wake()
	return nil
}

// Explain says why the token lives as long as it does and when it is renewed,
// in the order in which it was decided.
func (b *Broker) Explain(ctx context.Context, id string) ([]lifespan.Reason, error) {
	rec, err := b.opt.Store.Connection(ctx, id)
	if err != nil {
		return nil, err
	}
	return b.plan(rec.Config, rec.Status).Reasons, nil
}

// Open gives the keys of a connection, for those who speak to its provider for
// it: the connect page, the probe of a secret. A managed secret is filled in.
func (b *Broker) Open(ctx context.Context, id string) (Config, Keys, error) {
	rec, err := b.opt.Store.Connection(ctx, id)
	if err != nil {
		return Config{}, Keys{}, err
	}
	keys, err := b.keys(ctx, rec)
	return rec.Config, keys, err
}

// validPolicy tells whether the policy that is named exists.
func (b *Broker) validPolicy(c Config) error {
	if names := b.opt.Lifespans.Names(); c.Policy != "" && !slices.Contains(names, c.Policy) {
		return fmt.Errorf("policy: there is no %q, only %s", c.Policy, strings.Join(names, ", "))
	}
	return nil
}

func invalid(id string, err error) error {
	return &usher.Error{Code: usher.ErrUsage, Message: "the connection " + id + ": " + err.Error(), Err: err}
}
