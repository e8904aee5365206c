package console

import (
	"context"
	"net/http"
	"strings"
	"time"

	"usher"
	"usher/broker/credential"
)

// Secrets is what the console asks of whoever manages secrets. Errors are as
// those of Cases. By is the person or key who asks.
type Secrets interface {
	List(ctx context.Context) ([]credential.View, error)
	Get(ctx context.Context, name string) (credential.View, error)
	// AddSecret begins to manage a secret: what is not said of its token endpoint
	// is filled in from its provider.
	AddSecret(ctx context.Context, c credential.Config, s credential.Handed) error
	Remove(ctx context.Context, name string) error
	Plan(ctx context.Context, name string) (credential.Plan, error)
	Rotate(ctx context.Context, name, why, by string) (credential.Plan, error)
	Retire(ctx context.Context, name, confirm, by string) (credential.Retirement, error)
	Declare(ctx context.Context, name, by string) error
	Undo(ctx context.Context, name, by string) error
	Verify(ctx context.Context, name string) (credential.Health, error)
	Forget(ctx context.Context, name, caller, by string) (int, error)
	Leaked(ctx context.Context, s credential.Seen) ([]credential.Leaked, error)
}

// NewSecret is what is asked for with a managed secret.
type NewSecret struct {
	Config   credential.Config `json:"config"`
	Secret   string            `json:"client_secret"`           // the one that is in use now
	SecretID string            `json:"secret_id,omitempty"`     // the provider's id of it, where it cannot be found out
	Expires  time.Time         `json:"secret_expires,omitzero"` // where the provider does not tell it
}

// LeakedSecret reports a secret that was seen where it should not be.
type LeakedSecret struct {
	Value  string `json:"value,omitempty"`  // the secret; it is compared and not kept
	SHA256 string `json:"sha256,omitempty"` // of it, in hex, in place of the value
	Source string `json:"source,omitempty"` // who saw it; without one, who asks. Two different ones are two independent signals
	Detail string `json:"detail,omitempty"` // where
}

// AnySecret stands for the name in a report of a leak by who does not know
// whose secret it is.
const AnySecret = "any"

// The bodies of the API.
type (
	secretBody  = credential.View
	secretsBody struct {
		Secrets []credential.View `json:"secrets"`
	}
	rotateBody struct {
		Reason string `json:"reason,omitempty"`
	}
	retireBody struct {
		Confirm string `json:"confirm,omitempty"` // of the answer that told what speaks against it
	}
	forgetBody struct {
		Caller string `json:"caller"` // its name; with an asterisk at its end all that begin so
	}
	forgottenBody struct {
		Forgotten int `json:"forgotten"`
	}
	leakedBody struct {
		Secrets []credential.Leaked `json:"secrets"` // those that usher manages; none: it is nobody's that usher knows
	}
)

// secretNamed gives the name of a request's path.
func (c *console) secretNamed(r *http.Request) (string, error) {
	if c.opt.Secrets == nil {
		return "", refusal(usher.ErrNotFound, "this server manages no secrets", "")
	}
	return r.PathValue("name"), nil
}

func (c *console) apiSecrets(w http.ResponseWriter, r *http.Request) error {
	if _, err := c.secretNamed(r); err != nil {
		return err
	}
	all, err := c.opt.Secrets.List(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, secretsBody{all})
	return nil
}

func (c *console) apiSecret(w http.ResponseWriter, r *http.Request) error {
	name, err := c.secretNamed(r)
	if err != nil {
		return err
	}
	return c.answerSecret(w, r, name)
}

func (c *console) answerSecret(w http.ResponseWriter, r *http.Request, name string) error {
	found, err := c.opt.Secrets.Get(r.Context(), name)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, found)
	return nil
}

func (c *console) apiAddSecret(w http.ResponseWriter, r *http.Request) error {
	if _, err := c.secretNamed(r); err != nil {
		return err
	}
	var wish NewSecret
	if err := readJSON(r, &wish); err != nil {
		return err
	}
	if wish.Config.Name == AnySecret {
		return refusal(CodeUnprocessed, "no secret may be called any", "like shop")
	}
	wish.Config.Made, wish.Config.MadeBy = time.Time{}, by(r)
	ctx, cancel := patient(r)
	defer cancel()
	err := c.opt.Secrets.AddSecret(ctx, wish.Config, credential.Handed{Value: usher.Secret(wish.Secret), ID: wish.SecretID, Ends: wish.Expires})
	if err != nil {
		return unprocessable(err)
	}
	return c.answerSecret(w, r, wish.Config.Name)
}

// unprocessable tells a mistake in what was sent.
func unprocessable(err error) error {
	if told, ok := err.(*usher.Error); ok && told.Code == usher.ErrUsage { //nolint:errorlint // of our own rooms, never wrapped
		return refusal(CodeUnprocessed, told.Message, told.Hint)
	}
	return err
}

func (c *console) apiRemoveSecret(w http.ResponseWriter, r *http.Request) error {
	name, err := c.secretNamed(r)
	if err != nil {
		return err
	}
	if err := c.opt.Secrets.Remove(r.Context(), name); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *console) apiPlanSecret(w http.ResponseWriter, r *http.Request) error {
	name, err := c.secretNamed(r)
	if err != nil {
		return err
	}
	ctx, cancel := patient(r)
	defer cancel()
	plan, err := c.opt.Secrets.Plan(ctx, name)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, plan)
	return nil
}

func (c *console) apiRotateSecret(w http.ResponseWriter, r *http.Request) error {
	name, err := c.secretNamed(r)
	if err != nil {
		return err
	}
	var wish rotateBody
	if err := readJSON(r, &wish); err != nil {
		return err
	}
	ctx, cancel := patient(r)
	defer cancel()
	plan, err := c.opt.Secrets.Rotate(ctx, name, oneLine(wish.Reason), by(r))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, plan)
	return nil
}

func (c *console) apiRetireSecret(w http.ResponseWriter, r *http.Request) error {
	name, err := c.secretNamed(r)
	if err != nil {
		return err
	}
	var wish retireBody
	if err := readJSON(r, &wish); err != nil {
		return err
	}
	if actorOf(r.Context()).program && wish.Confirm != "" { // only a person may say so twice
		return refusal(usher.ErrForbidden, "a key may not retire a secret that may be in use", "a person may, signed in or over the unix socket")
	}
	ctx, cancel := patient(r)
	defer cancel()
	done, err := c.opt.Secrets.Retire(ctx, name, wish.Confirm, by(r))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, done)
	return nil
}

// apiDeclareSecret, apiUndoSecret and apiVerifySecret answer how the secret
// stands then.
func (c *console) apiDeclareSecret(w http.ResponseWriter, r *http.Request) error {
	return c.changeSecret(w, r, func(ctx context.Context, name string) error { return c.opt.Secrets.Declare(ctx, name, by(r)) })
}

func (c *console) apiUndoSecret(w http.ResponseWriter, r *http.Request) error {
	return c.changeSecret(w, r, func(ctx context.Context, name string) error { return c.opt.Secrets.Undo(ctx, name, by(r)) })
}

func (c *console) apiVerifySecret(w http.ResponseWriter, r *http.Request) error {
	return c.changeSecret(w, r, func(ctx context.Context, name string) error {
		_, err := c.opt.Secrets.Verify(ctx, name)
		return err
	})
}

func (c *console) changeSecret(w http.ResponseWriter, r *http.Request, change func(ctx context.Context, name string) error) error {
	name, err := c.secretNamed(r)
	if err != nil {
		return err
	}
	ctx, cancel := patient(r)
	defer cancel()
	if err := change(ctx, name); err != nil {
		return err
	}
	return c.answerSecret(w, r, name)
}

func (c *console) apiForgetCaller(w http.ResponseWriter, r *http.Request) error {
	name, err := c.secretNamed(r)
	if err != nil {
		return err
	}
	var wish forgetBody
	if err := readJSON(r, &wish); err != nil {
		return err
	}
	n, err := c.opt.Secrets.Forget(r.Context(), name, wish.Caller, by(r))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, forgottenBody{n})
	return nil
}

func (c *console) apiLeakedSecret(w http.ResponseWriter, r *http.Request) error {
	name, err := c.secretNamed(r)
	if err != nil {
		return err
	}
	var wish LeakedSecret
	if err := readJSON(r, &wish); err != nil {
		return err
	}
	if name == AnySecret {
		name = ""
	}
	// One who reports under many names is one signal still.
	source := by(r)
	if s := oneLine(wish.Source); s != "" && !actorOf(r.Context()).program {
		source = s
	}
	ctx, cancel := patient(r)
	defer cancel()
	found, err := c.opt.Secrets.Leaked(ctx, credential.Seen{
		Name: name, Value: usher.Secret(strings.TrimSpace(wish.Value)), Sum: wish.SHA256, Source: source, Detail: oneLine(wish.Detail), By: by(r),
	})
	if err != nil {
		return unprocessable(err)
	}
	writeJSON(w, http.StatusOK, leakedBody{found})
	return nil
}
