package serve

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	"usher"
	"usher/broker"
	"usher/broker/preset"
	"usher/console"
	"usher/guard"
)

// fillIn completes what somebody said of a new connection: from its preset, or
// from what its issuer publishes. What was said counts.
func (b *brokerage) fillIn(ctx context.Context, c *broker.Config, wish *console.NewConnection) error {
	if c.Grant != "" {
		grant, ok := preset.GrantType(c.Grant)
		if !ok {
			return &usher.Error{Code: console.CodeUnprocessed, Message: "there is no grant of this name that a connection can live by", Hint: "use client_credentials, authorization_code, refresh_token, device_code, jwt_bearer or token_exchange"}
		}
		c.Grant = grant
	}
	if c.Provider != "" && c.Issuer == "" {
		p := b.provider(c.Provider)
		if p == nil || p.Issuer == "" {
			return &usher.Error{Code: console.CodeUnprocessed, Message: "there is no provider of this name with an issuer in the configuration", Hint: "name one of providers in usher.yaml, or give the issuer"}
		}
		c.Issuer = p.Issuer
		wish.Trust = append(wish.Trust, p.Trust...)
	}
	var made broker.Config
	switch {
	case c.Preset != "":
		p, err := preset.Named(c.Preset)
		if err != nil {
			return unprocessed(err)
		}
		made, err = p.Config(preset.Wish{
			ID: c.ID, Grant: c.Grant, ClientID: c.ClientID, AuthMethod: c.AuthMethod, Scopes: c.Scopes, Values: wish.Variables, Params: c.Extra,
		})
		if err != nil {
			return unprocessed(err)
		}
		c.Scopes = made.Scopes // with the one without which there is no refresh token
	case c.Endpoints.Token == "" && c.Issuer == "":
		return &usher.Error{Code: console.CodeUnprocessed, Message: "it is not said whose token this is", Hint: "name a preset, an issuer, or a token endpoint"}
	case c.Endpoints.Token == "":
		var err error
		if made, err = b.discover(ctx, c.Issuer, wish.Trust); err != nil {
			return err
		}
		made.AuthMethod = fitting(made.AuthMethod, wish)
		if grant := cmp.Or(c.Grant, made.Grant); len(c.Scopes) == 0 && (grant == broker.GrantCode || grant == broker.GrantDevice) {
			c.Scopes = made.Scopes
		}
	}
	over(c, &made)
	if c.Grant == "" {
		c.Grant = broker.GrantClientCredentials
		if wish.RefreshToken != "" {
			c.Grant = broker.GrantRefresh
		}
	}
	return nil
}

// checkPolicy refuses the name of a policy that the configuration has not.
func (b *brokerage) checkPolicy(c *broker.Config) error {
	names := b.cfg.Broker.lifespans().Names()
	if c.Policy == "" || slices.Contains(names, c.Policy) {
		return nil
	}
	return &usher.Error{Code: console.CodeUnprocessed, Message: "there is no lifespan policy of this name in the configuration", Hint: "known are " + strings.Join(names, ", ")}
}

// provider gives a configured provider by its name.
func (b *brokerage) provider(name string) *Provider {
	i := slices.IndexFunc(b.cfg.Providers, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &b.cfg.Providers[i]
}

// over puts what was said over what was made.
func over(c, made *broker.Config) {
	c.Preset, c.Issuer, c.Grant = cmp.Or(made.Preset, c.Preset), cmp.Or(c.Issuer, made.Issuer), cmp.Or(c.Grant, made.Grant)
	c.AuthMethod, c.Audience = cmp.Or(c.AuthMethod, made.AuthMethod), cmp.Or(c.Audience, made.Audience)
	c.ReuseGrace = cmp.Or(c.ReuseGrace, made.ReuseGrace)
	if made.Extra != nil {
		c.Extra = made.Extra
	}
	e, m := &c.Endpoints, &made.Endpoints
	e.Token, e.Authorization, e.DeviceAuthorization = cmp.Or(e.Token, m.Token), cmp.Or(e.Authorization, m.Authorization), cmp.Or(e.DeviceAuthorization, m.DeviceAuthorization)
	e.Revocation, e.Introspection, e.JWKS = cmp.Or(e.Revocation, m.Revocation), cmp.Or(e.Introspection, m.Introspection), cmp.Or(e.JWKS, m.JWKS)
	e.IssuerInResponse = e.IssuerInResponse || m.IssuerInResponse
}

// unprocessed makes a mistake of usage one of a request.
func unprocessed(err error) error {
	if known, ok := err.(*usher.Error); ok && (known.Code == usher.ErrUsage || known.Code == usher.ErrNotFound) { //nolint:errorlint // of our own rooms, never wrapped
		return &usher.Error{Code: console.CodeUnprocessed, Message: known.Message, Hint: known.Hint}
	}
	return err
}

// Presets implements console.Connections.
func (b *brokerage) Presets(context.Context) []console.Preset {
	var list []console.Preset
	for _, p := range preset.All() {
		one := console.Preset{Name: p.Name, Title: p.Title, Grants: p.Grants}
		for _, v := range p.Values {
			one.Variables = append(one.Variables, v.Name)
		}
		list = append(list, one)
	}
	return list
}

// hostOf gives the host of the first of some URLs that has one.
func hostOf(urls ...string) string {
	for _, text := range urls {
		if u, err := url.Parse(text); err == nil && u.Host != "" {
			return u.Host
		}
	}
	return ""
}

// discover asks an issuer for its metadata. What it names at another origin must
// be named by the operator too, for secrets will go there.
func (b *brokerage) discover(ctx context.Context, issuer string, named []string) (broker.Config, error) {
	caFile := ""
	if u, err := url.Parse(issuer); err == nil {
		caFile = b.outbound.caFile(u.Scheme + "://" + u.Host)
	}
	client := guard.New(guard.Options{Trusted: append([]string{issuer}, named...), CAFile: caFile, Now: b.now})
	defer client.HTTP().CloseIdleConnections()
	if err := client.Err(); err != nil {
		return broker.Config{}, unprocessed(err)
	}
	made, err := preset.Discover(ctx, client, issuer, named...)
	return made, unprocessed(err)
}

// fitting gives an authentication method that is offered where the client has
// what it needs.
func fitting(offered string, wish *console.NewConnection) string {
	switch secret := wish.ClientSecret != "" || wish.Managed != ""; {
	case strings.HasPrefix(offered, "client_secret_") && secret, offered == "private_key_jwt" && wish.PrivateKey != "":
		return offered
	}
	return methodFor(wish)
}
