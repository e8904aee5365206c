package credential

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/oauth"
)

// Verdict is what trying a secret came to. Unknown is never ok.
type Verdict struct {
	Outcome usher.Outcome // ok, wrong or unknown
	Cause   string        // of wrong: label of the taxonomy
	Title   string        // a sentence without a full stop
	// Blocked tells that the secret is right and a policy stands in its way: it
	// is live, but blocked here.
	Blocked bool
}

// Asker sends one request to a token endpoint: package grant.
type Asker interface {
	Ask(ctx context.Context, r grant.Request) (*grant.Answer, error)
}

// Verifier gives the function that tries secrets at their token endpoints. With
// client_credentials a token is asked for, and thrown away. Otherwise a code is
// redeemed that nobody gave: a provider that complains of the code alone has
// taken the secret, if it complains of a secret that is made up.
func Verifier(ask Asker) func(ctx context.Context, c Config, secret usher.Secret) Verdict {
	return func(ctx context.Context, c Config, secret usher.Secret) Verdict {
		if c.TokenEndpoint == "" {
			return Verdict{Outcome: usher.OutcomeUnknown, Title: "no token endpoint is configured for it"}
		}
		v := verification{ask: ask, c: c}
		return v.verify(ctx, secret)
	}
}

type verification struct {
	ask Asker
	c   Config
}

func (v *verification) verify(ctx context.Context, secret usher.Secret) Verdict {
	own, err := v.try(ctx, secret)
	switch {
	case err == nil && v.c.Grant == broker.GrantClientCredentials:
		return Verdict{Outcome: usher.OutcomeOK, Title: "the provider gives a token for it"}
	case err == nil:
		return Verdict{Outcome: usher.OutcomeUnknown, Title: "the provider gives a token for a code that is made up, which tells nothing of the secret"}
	case own == nil:
		return unknown(err)
	}
	text := own.Code + " " + own.Description + " " + own.Body
	switch {
	case Blocked(text):
		return Verdict{Outcome: usher.OutcomeOK, Blocked: true, Title: "the secret is live, but blocked here: a policy of the tenant (AADSTS53003) stands in its way, after the secret was found right"}
	case strings.Contains(text, "7000222"):
		return Verdict{Outcome: usher.OutcomeWrong, Cause: "client-secret-expired", Title: "the secret has expired"}
	case own.Kind != grant.Refused:
		return unknown(own)
	}
	other, err := v.try(ctx, usher.Secret("usher-made-up-"+random(20)))
	switch {
	case err == nil:
		return Verdict{Outcome: usher.OutcomeUnknown, Title: "the provider takes a secret that is made up just as well"}
	case other == nil || other.Kind != grant.Refused:
		return unknown(err)
	case ofClient(own) && alike(own, other):
		return Verdict{Outcome: usher.OutcomeWrong, Cause: "client-secret-invalid", Title: "the provider refuses it: " + clip(own.Error(), 200)}
	case !alike(own, other) && ofClient(other) && !ofSecret(own):
		return Verdict{Outcome: usher.OutcomeOK, Title: "the provider takes it, and refuses one that is made up"}
	}
	return Verdict{Outcome: usher.OutcomeUnknown, Title: "the provider answers the same to a secret that is made up: " + clip(own.Error(), 200)}
}

func unknown(err error) Verdict {
	return Verdict{Outcome: usher.OutcomeUnknown, Title: "the provider's answer says nothing of it: " + clip(err.Error(), 200)}
}

func (v *verification) try(ctx context.Context, secret usher.Secret) (*grant.Refusal, error) {
	params := url.Values{"grant_type": {broker.GrantClientCredentials}}
	if v.c.Scope != "" {
		params.Set("scope", v.c.Scope)
	}
	if v.c.Grant != broker.GrantClientCredentials {
		params = url.Values{"grant_type": {broker.GrantCode}, "code": {"usher-made-up-" + random(16)}, "redirect_uri": {"https://usher.invalid/callback"}}
	}
	method := v.c.AuthMethod
	if method == "" {
		method = oauth.AuthBasic
	}
	_, err := v.ask.Ask(ctx, grant.Request{Endpoint: v.c.TokenEndpoint, AuthMethod: method, ClientID: v.c.ClientID, Secret: secret, Params: params})
	var refusal *grant.Refusal
	errors.As(err, &refusal)
	return refusal, err
}

// ofClient tells whether a refusal is one of the client or its secret.
func ofClient(r *grant.Refusal) bool {
	return r.Code == oauth.ErrInvalidClient || r.Code == oauth.ErrUnauthorizedClient || r.Status == http.StatusUnauthorized
}

// ofSecret tells whether a refusal surely complains of the secret.
func ofSecret(r *grant.Refusal) bool { return r.Code == oauth.ErrInvalidClient }

// alike tells whether two refusals say the same, but for what is another one
// each time: ids and times.
func alike(a, b *grant.Refusal) bool {
	return a.Status == b.Status && a.Code == b.Code && words(a.Description) == words(b.Description)
}

// words gives the words of a description up to its first line, without those
// that hold a digit and are no code of the provider's.
func words(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	s, _, _ = strings.Cut(s, "Trace ID")
	var kept []string
	for w := range strings.FieldsSeq(s) {
		if !strings.ContainsAny(w, "0123456789") || strings.HasPrefix(w, "AADSTS") {
			kept = append(kept, w)
		}
	}
	return strings.Join(kept, " ")
}

// equal compares secrets without telling by its time where they differ.
func equal(a, b usher.Secret) bool {
	return subtle.ConstantTimeCompare([]byte(a.Reveal()), []byte(b.Reveal())) == 1
}
