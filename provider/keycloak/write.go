package keycloak

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"usher"
	"usher/provider"
)

var manage = right{"manage-clients"}

// SetRedirectURIs implements provider.Admin.
func (a *Admin) SetRedirectURIs(ctx context.Context, clientID string, from, to []string) error {
	from, to = sorted(from), sorted(to)
	return a.change(ctx, clientID, "the redirect URIs of client '"+short(clientID)+"'", "redirectUris", to, func(rep *clientRep) (done, planned bool) {
		now := sorted(rep.RedirectURIs)
		return slices.Equal(now, to), slices.Equal(now, from)
	})
}

// SetEnabled implements provider.Admin.
func (a *Admin) SetEnabled(ctx context.Context, clientID string, enabled bool) error {
	return a.change(ctx, clientID, "the client '"+short(clientID)+"'", "enabled", enabled, func(rep *clientRep) (done, planned bool) {
		return rep.Enabled == enabled, true
	})
}

// change sets one member of a client, when it is as it was planned against.
func (a *Admin) change(ctx context.Context, clientID, what, member string, value any, look func(*clientRep) (done, planned bool)) error {
	ctx, cancel := a.bounded(ctx)
	defer cancel()
	unlock, err := a.lock(ctx, clientID)
	if err != nil {
		return err
	}
	defer unlock()
	rep, whole, err := a.read(ctx, clientID, manage)
	if err != nil {
		return err
	}
	done, planned := look(rep)
	if done {
		return nil
	}
	if !planned {
		return a.changed(what)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return &usher.Error{Code: usher.ErrInternal, Message: what + " cannot be written as JSON"}
	}
	whole[member] = encoded
	delete(whole, "access") // what this account may do is no part of the client
	if _, err := a.call(ctx, http.MethodPut, what, manage, "/clients/"+url.PathEscape(rep.ID), whole); err != nil {
		return err
	}
	// Keycloak has no conditional write. Whoever wrote in the same moment is
	// seen here.
	after, _, err := a.read(ctx, clientID, manage)
	if err != nil {
		return err
	}
	if done, _ := look(after); !done {
		return &usher.Error{
			Code: usher.ErrChanged, Message: what + " was written, and somebody else wrote in the same moment", Err: silent{provider.ErrChanged},
			Hint: "plan the fix again and look at what is there now",
		}
	}
	return nil
}

// AllowScope implements provider.Admin.
func (a *Admin) AllowScope(ctx context.Context, clientID, scope string) error {
	return a.optionalScope(ctx, http.MethodPut, clientID, scope, func(rep *clientRep) (done bool, err error) {
		return slices.Contains(rep.OptionalScopes, scope) || slices.Contains(rep.DefaultScopes, scope), nil
	})
}

// DisallowScope implements provider.Admin.
func (a *Admin) DisallowScope(ctx context.Context, clientID, scope string) error {
	return a.optionalScope(ctx, http.MethodDelete, clientID, scope, func(rep *clientRep) (done bool, err error) {
		if slices.Contains(rep.DefaultScopes, scope) {
			return false, a.changed("the scope '" + short(scope) + "' of client '" + short(clientID) + "' (it is given by default by now)")
		}
		return !slices.Contains(rep.OptionalScopes, scope), nil
	})
}

func (a *Admin) optionalScope(ctx context.Context, method, clientID, scope string, look func(*clientRep) (done bool, err error)) error {
	ctx, cancel := a.bounded(ctx)
	defer cancel()
	unlock, err := a.lock(ctx, clientID)
	if err != nil {
		return err
	}
	defer unlock()
	rep, _, err := a.read(ctx, clientID, manage)
	if err != nil {
		return err
	}
	if done, err := look(rep); done || err != nil {
		return err
	}
	s, err := a.scope(ctx, scope)
	if err != nil {
		return err
	}
	what := "the scopes of client '" + short(clientID) + "'"
	path := "/clients/" + url.PathEscape(rep.ID) + "/optional-client-scopes/" + url.PathEscape(s.ID)
	if _, err := a.call(ctx, method, what, manage, path, nil); err != nil {
		return err
	}
	after, _, err := a.read(ctx, clientID, manage)
	if err != nil {
		return err
	}
	if done, err := look(after); !done && err == nil {
		return a.unreachable(a.place+" took the change of "+what+" and does not show it", nil)
	}
	return err
}

// ReplaceSecret implements provider.Admin.
func (a *Admin) ReplaceSecret(ctx context.Context, was *usher.Client) (usher.Secret, error) {
	ctx, cancel := a.bounded(ctx)
	defer cancel()
	unlock, err := a.lock(ctx, was.ID)
	if err != nil {
		return "", err
	}
	defer unlock()
	rep, _, err := a.read(ctx, was.ID, manage)
	if err != nil {
		return "", err
	}
	what := "the secret of client '" + short(was.ID) + "'"
	now := rep.client(a.realm)
	switch {
	case now.Public:
		return "", &usher.Error{Code: usher.ErrRefused, Message: "client '" + short(was.ID) + "' is public and has no secret", Err: silent{provider.ErrUnsupported}}
	case now.UID != was.UID, !now.SecretCreated.Equal(was.SecretCreated), was.SecretMark != "" && now.SecretMark != was.SecretMark:
		return "", a.changed(what)
	}
	body, err := a.call(ctx, http.MethodPost, what, manage, "/clients/"+url.PathEscape(rep.ID)+"/client-secret", nil)
	if err != nil {
		return "", err
	}
	var answer struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Value == "" {
		return "", a.unreachable(a.place+" took the change of "+what+" and gave no new one", nil)
	}
	return usher.Secret(answer.Value), nil
}
