package keycloak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"usher"
	"usher/guard"
	"usher/provider"
)

// maxAnswer bounds an answer, beside the bound that guard sets.
const maxAnswer = 4 << 20

// right is what a call needs, as roles of realm-management.
type right struct{ role string }

// silent keeps a sentinel for errors.Is without repeating it to a person.
type silent struct{ err error }

func (s silent) Error() string { return "" }
func (s silent) Unwrap() error { return s.err }

func (a *Admin) notFound(what string) error {
	return &usher.Error{
		Code: usher.ErrNotFound, Message: a.place + " has no " + what + " that usher's service account may see", Err: silent{provider.ErrNotFound},
		Hint: "see the spelling, and whether the tenant of the log is this realm; the service account '" + short(a.cfg.ClientID) + "' needs the role view-clients to see every client",
	}
}

func (a *Admin) changed(what string) error {
	return &usher.Error{
		Code: usher.ErrChanged, Message: what + " was changed since the plan was made; nothing was written", Err: silent{provider.ErrChanged},
		Hint: "plan the fix again and look at what it would do now",
	}
}

func (a *Admin) unreachable(message string, err error) error {
	kept := provider.ErrUnreachable
	if err != nil {
		kept = errors.Join(kept, err)
	}
	return &usher.Error{Code: usher.ErrUnreachable, Message: message, Err: silent{kept}, Hint: "see whether it runs, and try again"}
}

func (a *Admin) answered(who string, status int) error {
	return a.unreachable(who+" answered with status "+strconv.Itoa(status), nil)
}

func (a *Admin) forbidden(what string, need right) error {
	return &usher.Error{
		Code: usher.ErrForbidden, Err: silent{provider.ErrForbidden},
		Message: "usher's service account '" + short(a.cfg.ClientID) + "' may not reach " + what + " in " + a.place,
		Hint:    need.words(a.realm),
	}
}

// words name the right that lacks, the smallest first for changes.
func (r right) words(realm string) string {
	s := "it needs the role " + r.role + " of realm-management in realm '" + realm + "'"
	switch r.role {
	case "manage-clients":
		s += ", or with fine-grained admin permissions view and manage on this client alone"
	case "view-clients":
		s += ", or with fine-grained admin permissions view on this client alone"
	}
	return s
}

// get reads an object of the admin API into out.
func (a *Admin) get(ctx context.Context, what string, need right, path string, out any) error {
	body, err := a.call(ctx, http.MethodGet, what, need, path, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return a.unreachable(a.place+" described "+what+" in a way that cannot be read", nil)
	}
	return nil
}

// call asks the admin API, with a new token once when the old one is refused.
func (a *Admin) call(ctx context.Context, method, what string, need right, path string, in any) ([]byte, error) {
	var payload []byte
	if in != nil {
		var err error
		if payload, err = json.Marshal(in); err != nil {
			return nil, &usher.Error{Code: usher.ErrInternal, Message: "the request for " + what + " cannot be written as JSON"}
		}
	}
	var stale usher.Secret
	for try := 0; ; try++ {
		bearer, err := a.bearer(ctx, stale)
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, method, a.admin+path, bytes.NewReader(payload))
		if err != nil {
			return nil, &usher.Error{Code: usher.ErrInternal, Message: "no request can be made for " + what}
		}
		if payload == nil {
			req.Body, req.ContentLength = nil, 0
		} else {
			req.Header.Set("Content-Type", "application/json")
		}
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Authorization", "Bearer "+bearer.Reveal())
		status, body, err := a.send(req)
		switch {
		case err != nil:
			return nil, err
		case status == http.StatusUnauthorized && try == 0:
			stale = bearer // it was revoked, or the keys were changed: nothing was done, so ask again
			continue
		case status/100 == 2:
			return body, nil
		case status == http.StatusForbidden, status == http.StatusUnauthorized:
			return nil, a.forbidden(what, need)
		case status == http.StatusNotFound:
			return nil, a.notFound(what)
		case status == http.StatusBadRequest:
			return nil, a.rejected(what, body)
		}
		return nil, a.answered(a.place, status)
	}
}

// rejected passes on why Keycloak did not take a value.
func (a *Admin) rejected(what string, body []byte) error {
	var answer struct {
		Description string `json:"error_description"`
		Message     string `json:"errorMessage"`
	}
	_ = json.Unmarshal(body, &answer) // what cannot be read says nothing
	why := short(answer.Description + answer.Message)
	if why == "" {
		why = "it does not say why"
	}
	return &usher.Error{
		Code: usher.ErrRefused, Message: a.place + " does not take the change of " + what + ": " + why, Err: silent{provider.ErrUnsupported},
		Hint: "the value is not one that Keycloak lets be registered",
	}
}

func (a *Admin) send(req *http.Request) (status int, body []byte, err error) {
	resp, err := a.cfg.HTTP.Do(req)
	if err != nil {
		return 0, nil, a.failed(req, err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, a.failed(req, err)
	}
	if len(body) > maxAnswer {
		return 0, nil, a.unreachable("the answer of "+a.place+" is too large", nil)
	}
	return resp.StatusCode, body, nil
}

// failed tells a person what guard or the network said.
func (a *Admin) failed(req *http.Request, err error) error {
	told := &usher.Error{}
	if !errors.As(guard.Explain(req.URL, err), &told) {
		return a.unreachable(a.place+" gave no answer", err)
	}
	return &usher.Error{Code: told.Code, Message: told.Message, Hint: told.Hint, Err: silent{errors.Join(provider.ErrUnreachable, err)}}
}
