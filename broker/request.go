package broker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"usher"
	"usher/broker/grant"
)

// errNoWay tells that only a person can get a new token.
var errNoWay = errors.New("there is no refresh token, and the grant cannot begin without a person")

// tokenTypeAccess is the token type identifier of access tokens, RFC 8693
// section 3.
const tokenTypeAccess = "urn:ietf:params:oauth:token-type:access_token"

// renewal is a request for a new token: it presents a refresh token, or begins
// the grant anew.
type renewal struct {
	grant.Request
	grant string // as sent
	scope []string
	// presents is the refresh token; empty: none, so that asking twice does no
	// harm.
	presents usher.Secret
}

// renewal makes the request that renews a connection. Its error is errNoWay, a
// *grant.Refusal of kind Misused, or tells what else is in the way.
func (b *Broker) renewal(ctx context.Context, c Config, st Status, k Keys, t Tokens) (renewal, error) {
	r := renewal{Request: client(c, k), grant: c.Grant, scope: c.Scopes}
	if st.Narrowed != nil {
		r.scope = st.Narrowed
	}
	p := url.Values{}
	for name, value := range c.Extra {
		p.Set(name, value)
	}
	for _, resource := range c.Resources {
		p.Add("resource", resource)
	}
	switch {
	case Interactive(c.Grant):
		if t.Refresh == "" {
			return r, errNoWay
		}
		r.grant, r.presents = GrantRefresh, t.Refresh
		p.Set("refresh_token", t.Refresh.Reveal())
		if st.Narrowed != nil { // else the scope stays that of the grant, RFC 6749 section 6
			p.Set("scope", strings.Join(st.Narrowed, " "))
		}
	default:
		if len(r.scope) > 0 {
			p.Set("scope", strings.Join(r.scope, " "))
		}
		if c.Audience != "" {
			p.Set("audience", c.Audience)
		}
	}
	p.Set("grant_type", r.grant)
	switch c.Grant {
	case GrantJWTBearer:
		assertion, err := b.assertion(c, k, r.scope)
		if err != nil {
			return r, err
		}
		p.Set("assertion", assertion.Reveal())
	case GrantTokenExchange:
		if err := b.exchange(ctx, c, p); err != nil {
			return r, err
		}
	}
	r.Params = p
	return r, nil
}

// client is a request with which the client of a connection names itself.
func client(c Config, k Keys) grant.Request {
	return grant.Request{
		Endpoint: c.Endpoints.Token, AuthMethod: c.AuthMethod, ClientID: c.ClientID,
		Secret: k.ClientSecret, Key: k.PrivateKey, KeyID: c.KeyID, Audience: c.AssertionAudience,
	}
}

// assertion makes the assertion of the JWT bearer grant, RFC 7523 section 2.1.
// Google wants the scopes in it, others as a parameter: they are in both.
func (b *Broker) assertion(c Config, k Keys, scope []string) (usher.Secret, error) {
	a := grant.Assertion{
		Issuer: c.AssertionIssuer, Subject: c.AssertionSubject, Audience: c.AssertionAudience,
		Issued: b.clock.store(), Key: k.PrivateKey, KeyID: c.KeyID,
	}
	if a.Issuer == "" {
		a.Issuer = c.ClientID
	}
	if a.Audience == "" {
		a.Audience = c.Endpoints.Token
	}
	if len(scope) > 0 {
		a.Claims = map[string]any{"scope": strings.Join(scope, " ")}
	}
	signed, err := a.Sign()
	if err != nil {
		return "", &grant.Refusal{Kind: grant.Misused, Endpoint: c.Endpoints.Token, Err: fmt.Errorf("sign the assertion: %w", err)}
	}
	return signed, nil
}

// exchange fills in the subject of a token exchange, RFC 8693 section 2.1: the
// token of another connection, renewed first where it must.
func (b *Broker) exchange(ctx context.Context, c Config, p url.Values) error {
	if err := b.chain(ctx, c); err != nil {
		return &grant.Refusal{Kind: grant.Misused, Endpoint: c.Endpoints.Token, Err: err}
	}
	subject, err := b.Token(ctx, c.Subject, Ask{})
	if err != nil {
		return fmt.Errorf("the token of the connection %s, which is exchanged, is not to be had: %w", c.Subject, err)
	}
	p.Set("subject_token", subject.Access.Reveal())
	p.Set("subject_token_type", tokenTypeAccess)
	if c.SubjectTokenType != "" {
		p.Set("subject_token_type", c.SubjectTokenType)
	}
	if c.RequestedTokenType != "" {
		p.Set("requested_token_type", c.RequestedTokenType)
	}
	return nil
}

// maxChain is how many connections may stand behind each other in token
// exchanges.
const maxChain = 4

// chain follows the subjects of token exchanges and refuses a cycle: its links
// would wait for each other.
func (b *Broker) chain(ctx context.Context, c Config) error {
	seen := []string{c.ID}
	for c.Grant == GrantTokenExchange {
		if c.Subject == "" {
			return errors.New("a token exchange needs subject_connection: whose token is exchanged")
		}
		if slices.Contains(seen, c.Subject) {
			return fmt.Errorf("subject_connection: %s is exchanged for itself", strings.Join(append(seen, c.Subject), ", for "))
		}
		if seen = append(seen, c.Subject); len(seen) > maxChain {
			return fmt.Errorf("subject_connection: more than %d connections stand behind each other", maxChain)
		}
		next, err := b.opt.Store.Connection(ctx, c.Subject)
		if errors.Is(err, ErrNotFound) {
			return fmt.Errorf("subject_connection: there is no connection %s", c.Subject)
		} else if err != nil {
			return err
		}
		c = next.Config
	}
	return nil
}

// spentID names a refresh token in the record of an attempt. Refresh tokens have
// the entropy of keys (RFC 6749 section 10.10), so that a hash of one gives
// nothing away; every replica finds the same.
func spentID(refresh usher.Secret) string {
	if refresh == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("usher refresh token\x00" + refresh.Reveal()))
	return hex.EncodeToString(sum[:12])
}

// keys opens the keys of a connection, with the managed secret in its place.
func (b *Broker) keys(ctx context.Context, rec Record) (Keys, error) {
	k, err := b.openKeys(ctx, rec)
	if err != nil || k.Credential == "" {
		return k, err
	}
	if b.opt.Managed == nil {
		return k, fmt.Errorf("the secret %s is not managed here: configure it under secrets", k.Credential)
	}
	k.ClientSecret, err = b.opt.Managed(ctx, k.Credential)
	if err != nil {
		return k, fmt.Errorf("take the managed secret %s: %w", k.Credential, err)
	}
	return k, nil
}
