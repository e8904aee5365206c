package grant

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"usher"
	"usher/oauth"
)

// Introspect asks an introspection endpoint (RFC 7662), named by r.Endpoint,
// whether a token is active. hint is access_token or refresh_token. Its error
// is a *Refusal: then nothing is known of the token.
func (a *Asker) Introspect(ctx context.Context, r Request, token usher.Secret, hint string) (active bool, err error) {
	got, refusal := a.send(ctx, about(&r, token, hint))
	if refusal != nil {
		return false, refusal
	}
	reader := &reader{answered: got}
	if err := reader.parse(); err != nil {
		return false, reader.unreadable(err)
	}
	switch raw := string(reader.values["active"]); {
	case got.status/100 != 2:
		return false, reader.refusal()
	case raw == "true", raw == `"true"`:
		return true, nil
	case raw == "false", raw == `"false"`:
		return false, nil
	case reader.refused():
		return false, reader.refusal()
	}
	return false, reader.unreadable(errors.New("its answer does not say whether the token is active (RFC 7662 section 2.2)"))
}

// Revoke has a revocation endpoint (RFC 7009), named by r.Endpoint, end a token.
// One that it does not know is no error. Its error is a *Refusal.
func (a *Asker) Revoke(ctx context.Context, r Request, token usher.Secret, hint string) error {
	got, refusal := a.send(ctx, about(&r, token, hint))
	switch {
	case refusal != nil:
		return refusal
	case got.status == http.StatusOK, got.status == http.StatusNoContent:
		return nil
	}
	reader := &reader{answered: got}
	if err := reader.parse(); err != nil {
		return reader.unreadable(err)
	}
	out := reader.refusal()
	if out.Code == oauth.ErrInvalidToken && got.status == http.StatusBadRequest {
		return nil // Google's word for a token that is gone already
	}
	return out
}

// about makes a request about a token.
func about(r *Request, token usher.Secret, hint string) *Request {
	asked := *r
	asked.Params = url.Values{}
	for name, list := range r.Params {
		asked.Params[name] = list
	}
	asked.Params.Set("token", token.Reveal())
	if hint != "" {
		asked.Params.Set("token_type_hint", hint)
	}
	return &asked
}
