// Package probe asks a provider, where an operator lets it: what it does with a
// request that a sound provider refuses, and whether it takes a client's own
// credential.
//
// Each request is told before it goes out and may be left out; there are few,
// with a pause between them; none follows a redirect. A credential goes to the
// token endpoint of the configured issuer alone. What changes something waits
// for leave of its own and is undone afterwards.
package probe

import (
	"context"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/guard"
)

// Bounds of one Run.
const (
	DefaultWait = 150 * time.Millisecond // between two requests
	most        = 10                     // requests of one probe
	mostBody    = 64 << 10               // bytes of an answer
)

// Options say what is asked for, and how far it may go.
type Options struct {
	ClientID    string
	RedirectURI string
	Scope       string // empty: "openid" where the provider knows it
	// Secret and Key are the client's own credential; Key is a private key as
	// PEM or JWK, for private_key_jwt.
	Secret usher.Secret
	Key    usher.Secret
	KeyID  string // kid of the assertion's header; empty: the JWK's, or none
	// AuthMethod is how the client authenticates. Empty takes what the
	// registration says, then what the metadata does.
	AuthMethod string
	// TryMethods lets the other methods be tried at the same endpoint when the
	// one is refused.
	TryMethods bool
	// Audience and Lifetime are what the client's own software puts into its
	// assertion; empty and 0 are the issuer and a minute.
	Audience string
	Lifetime time.Duration
	// TokenEndpoint is named by the operator, for a provider whose endpoints
	// lie at another origin than its issuer. The metadata must name the same.
	TokenEndpoint string
	Origin        string // of the own browser app, for cors-token-spa; empty: the redirect URI's
	Resource      string // the own API, for probes with a token

	// Change allows the probes that make something and undo it.
	Change bool
	// SignIn has a person sign in at an address and gives the address that the
	// browser came back to. nil leaves out what needs a person.
	SignIn func(ctx context.Context, address string) (callback usher.Secret, err error)
	// OtherClient is a second client of the operator, for refresh-bound.
	OtherClient string
	OtherSecret usher.Secret

	// Announce is told each request before it goes out; false leaves it out.
	// nil lets everything go that is not S2.
	Announce func(Step) bool
	Only     []string // ids of checks; empty is all
	Wait     time.Duration
	Now      func() time.Time
}

// Step is a request that is about to be sent.
type Step struct {
	Check  string
	Safety check.Safety
	Method string
	URL    string // without its query
	What   string // what for, a sentence
	Sends  string // what goes along; a credential by its fingerprint
	Undo   string // how it is undone afterwards, S2 only
}

// one is one probe.
type one struct {
	id     string
	safety check.Safety
	run    func(ctx context.Context, p *asking)
}

// probes are all of them, in the order in which they are asked.
var probes = [...]one{
	{"client-id-known", check.S0, clientKnown},
	{"secret-valid", check.S1, secretValid},
	{"pkce-enforced", check.S0, pkceEnforced},
	{"par-required", check.S0, parRequired},
	{"unknown-parameters", check.S0, unknownParameters},
	{"redirect-server-exact", check.S0, redirectExact},
	{"redirect-error-no-redirect", check.S0, redirectNoRedirect},
	{"redirect-open-redirector", check.S0, openRedirector},
	{"token-endpoint-post-only", check.S0, tokenPostOnly},
	{"introspection-auth", check.S0, introspectionAuth},
	{"cors-authorization", check.S0, corsAuthorization},
	{"cors-token-spa", check.S0, corsToken},
	{"pkce-downgrade", check.S2, pkceDowngrade},
	{"dcr-open", check.S2, dcrOpen},
	{"assertion-replay", check.S2, assertionReplay},
	{"refresh-reuse-detected", check.S2, refreshReuse},
	{"refresh-bound", check.S2, refreshBound},
	{"revocation-works", check.S2, revocationWorks},
	{"dpop-required", check.S2, dpopRequired},
}

// IDs gives the checks that are probed, with how far each goes.
func IDs() map[string]check.Safety {
	out := make(map[string]check.Safety, len(probes))
	for _, p := range probes {
		out[p.id] = p.safety
	}
	return out
}

// Run asks what opt allows and fills t.Probed. The target must hold the
// provider's metadata; without it, and where the metadata is of another issuer
// than the configured one, nothing is sent and Probed says why. The error is
// for a context that ended, and for options that cannot be used.
func Run(ctx context.Context, c *guard.Client, t *check.Target, opt Options) error {
	for _, id := range opt.Only {
		if _, ok := IDs()[id]; !ok {
			return &usher.Error{Code: usher.ErrUsage, Message: "there is no probe of the check " + id, Hint: "probed are: " + strings.Join(names(), ", ")}
		}
	}
	if opt.Wait <= 0 {
		opt.Wait = DefaultWait
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if t.Probed == nil {
		t.Probed = map[string]*check.ProbeAnswer{}
	}
	for _, s := range []usher.Secret{opt.Secret, opt.Key, opt.OtherSecret} {
		if s != "" {
			t.Secrets = append(t.Secrets, s)
		}
	}
	p := &prober{c: c, t: t, opt: opt}
	why := p.metadata()
	for i := range probes {
		one := &probes[i]
		if len(opt.Only) > 0 && !slices.Contains(opt.Only, one.id) || one.safety == check.S2 && !opt.Change {
			continue
		}
		if t.Probed[one.id] != nil {
			continue // another probe has found it on its way
		}
		a := &asking{prober: p, one: one, answer: &check.ProbeAnswer{}}
		t.Probed[one.id] = a.answer
		if why != "" {
			a.skip(why)
			continue
		}
		one.run(ctx, a)
		a.undo(ctx)
		if ctx.Err() != nil {
			if a.answer.Skipped == "" {
				a.skip(outOfTime)
			}
			why = outOfTime // for what comes behind
		}
	}
	return ctx.Err()
}

const outOfTime = "not asked: time had run out"

func names() (list []string) {
	for _, p := range probes {
		list = append(list, p.id)
	}
	return list
}

// prober is what all probes of a Run share.
type prober struct {
	c    *guard.Client
	t    *check.Target
	opt  Options
	m    *check.Metadata
	last time.Time // when the last request went out
	own  []string  // origins that are the provider's
	base *landing  // answer to a request that is in order; see baseline
}

// metadata picks the issuer's own document, or says why nothing is asked.
func (p *prober) metadata() (why string) {
	if len(p.t.Metadata) == 0 {
		return "nothing was asked: the provider's metadata could not be read"
	}
	for _, m := range p.t.Metadata {
		if p.t.Issuer != "" && m.Issuer == p.t.Issuer {
			p.m = m
			p.own = []string{p.t.Issuer}
			if p.opt.TokenEndpoint != "" {
				p.own = append(p.own, p.opt.TokenEndpoint)
			}
			return ""
		}
	}
	return "nothing was asked: the metadata is of the issuer " + quote(p.t.Metadata[0].Issuer) + ", configured is " + quote(p.t.Issuer)
}

// asking is one probe at work.
type asking struct {
	*prober
	one    *one
	answer *check.ProbeAnswer
	sent   int

	made    []thing // what the probe made, the oldest first
	undoing bool
}

// found ends a probe with what it judges.
func (a *asking) found(v check.Verdict) {
	if a.opt.ClientID != "" && v.Subject.Client == "" {
		v = v.Of(a.opt.ClientID)
	}
	a.answer.Verdict = &v
}

// skip ends a probe that could not be asked.
func (a *asking) skip(why string) {
	if a.answer.Verdict == nil {
		a.answer.Skipped = why
	}
}
