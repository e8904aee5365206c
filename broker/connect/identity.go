package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/broker/preset"
	"usher/provider/keys"
	"usher/token"
)

// person is who has connected, as far as it is known.
type person struct {
	Subject string // sub of the ID token that was verified, or what the answer names
	Name    string // for a page: what that ID token calls the person
}

func (p person) String() string {
	if p.Name != "" && p.Name != p.Subject {
		return inert(p.Name, 100)
	}
	return inert(p.Subject, 100)
}

// identify verifies the ID token where openid was asked for: signature, issuer,
// audience, nonce, times, at_hash (OpenID Connect Core section 3.1.3.7). Where
// it was not asked for, what the answer names is taken as it is.
func (h *Handler) identify(ctx context.Context, c broker.Config, nonce string, answer *grant.Answer) (person, *grant.Refusal) {
	if !slices.Contains(c.Scopes, "openid") {
		return person{Subject: answer.User}, nil
	}
	no := func(code, format string, args ...any) (person, *grant.Refusal) {
		return person{}, &grant.Refusal{Kind: grant.Refused, Endpoint: endpointName(c.Endpoints.Token), Code: code, Description: fmt.Sprintf(format, args...)}
	}
	if answer.ID == "" {
		return no("id_token_missing", "the scope openid was asked for and the answer has no ID token (OpenID Connect Core section 3.1.3.3)")
	}
	parsed, err := token.Parse(answer.ID.Reveal())
	if err != nil {
		return no("id_token_"+token.CodeMalformed, "the ID token cannot be read")
	}
	set, err := h.jwks.of(ctx, c.Endpoints.JWKS, parsed.Kid)
	switch {
	case errors.Is(err, keys.ErrUnknownKey):
		return no("id_token_"+token.CodeKeyNotFound, "the ID token is signed with a key that the provider does not publish at %s", endpointName(c.Endpoints.JWKS))
	case err != nil:
		return person{}, &grant.Refusal{Kind: grant.Unreachable, Endpoint: endpointName(c.Endpoints.JWKS), Code: "keys_unreadable", Err: err}
	}
	report := token.Inspect(answer.ID.Reveal(), h.expect(c, nonce, answer, set, c.Issuer))
	for _, alias := range aliases(c) {
		if report.Verdict != token.Accept {
			report = token.Inspect(answer.ID.Reveal(), h.expect(c, nonce, answer, set, alias))
		}
	}
	if report.Verdict != token.Accept {
		code, why := token.CodeMalformed, "something that decides could not be checked"
		if len(report.Problems) > 0 {
			code, why = report.Problems[0].Code, report.Problems[0].Text
		}
		return no("id_token_"+code, "the ID token does not hold: %s", inert(why, 300))
	}
	p := person{Subject: claim(parsed, "sub")}
	for _, name := range []string{"email", "preferred_username", "name"} {
		if p.Name = claim(parsed, name); p.Name != "" {
			break
		}
	}
	if p.Subject == "" {
		return no("id_token_"+token.CodeMissingClaim, "the ID token names no subject")
	}
	return p, nil
}

func (h *Handler) expect(c broker.Config, nonce string, answer *grant.Answer, set *token.KeySet, issuer string) token.Expect {
	e := token.Expect{Type: token.TypeID, Keys: set, Issuer: issuer, ClientID: c.ClientID, Audience: []string{c.ClientID}, AccessToken: answer.Access, Now: h.opt.Now}
	if nonce != "" { // the device flow has none
		e.Nonce = &nonce
	}
	return e
}

// aliases are further issuers that a provider is known to write.
func aliases(c broker.Config) []string {
	p, err := preset.Named(c.Preset)
	if err != nil || p.Issuer != c.Issuer {
		return nil
	}
	return p.IssuerAliases
}

func claim(p *token.Parsed, name string) string {
	text, _ := p.Claims[name].(string)
	if len(text) > 300 {
		return ""
	}
	return text
}

// keySets are the keys of the providers that people connect to.
type keySets struct {
	h   *Handler
	mu  sync.Mutex
	set map[string]*keys.Cache[*token.Key]
}

const mostSets = 1000

// of gives the keys with an id, of all where the token names none.
func (k *keySets) of(ctx context.Context, address, kid string) (*token.KeySet, error) {
	k.mu.Lock()
	cache := k.set[address]
	if cache == nil {
		if k.set == nil || len(k.set) >= mostSets {
			k.set = map[string]*keys.Cache[*token.Key]{}
		}
		cache = keys.New(keys.Options[*token.Key]{Now: k.h.opt.Now, Fetch: func(ctx context.Context) (map[string][]*token.Key, error) { return k.h.fetchKeys(ctx, address) }})
		k.set[address] = cache
	}
	k.mu.Unlock()
	if kid != "" {
		found, err := cache.Lookup(ctx, kid)
		return &token.KeySet{Keys: found}, err
	}
	all, err := cache.All(ctx)
	if err != nil {
		return nil, err
	}
	set := &token.KeySet{}
	for _, found := range all {
		set.Keys = append(set.Keys, found...)
	}
	return set, nil
}

func (h *Handler) fetchKeys(ctx context.Context, address string) (map[string][]*token.Key, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := h.opt.HTTP.Once(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, token.MaxKeySet+1))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK || len(body) > token.MaxKeySet || !json.Valid(body):
		return nil, &usher.Error{Code: usher.ErrUnreadable, Message: endpointName(address) + " answers " + resp.Status + " and no key set"}
	}
	set, err := token.ParseKeySet(body)
	if err != nil {
		return nil, err
	}
	found := map[string][]*token.Key{}
	for _, key := range set.Keys {
		if !key.Private {
			found[key.Kid] = append(found[key.Kid], key)
		}
	}
	return found, nil
}
