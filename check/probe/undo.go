package probe

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher"
)

// thing is something that a probe made and that is to be gone afterwards.
type thing struct {
	what string // "the refresh token of the test sign-in"
	undo func(ctx context.Context) error
}

// makes notes what was made, with the way to undo it.
func (a *asking) makes(what string, undo func(ctx context.Context) error) {
	a.made = append(a.made, thing{what, undo})
}

// undo undoes what was made, the youngest first, also when time has run out.
// What could not be undone is said in the answer's note and in what was found.
func (a *asking) undo(ctx context.Context) {
	if len(a.made) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	a.undoing = true
	kept := *a.answer // what the undoing is answered is no proof of anything
	var left, gone []string
	for i := len(a.made) - 1; i >= 0; i-- {
		if err := a.made[i].undo(ctx); err != nil {
			left = append(left, a.made[i].what+" ("+err.Error()+")")
		} else {
			gone = append(gone, a.made[i].what)
		}
	}
	*a.answer = kept
	a.made = nil
	var notes []string
	if len(gone) > 0 {
		notes = append(notes, "undone: "+strings.Join(gone, ", "))
	}
	if len(left) > 0 {
		notes = append(notes, "not undone: "+strings.Join(left, ", "))
	}
	a.answer.Note = strings.Join(notes, "; ")
	if len(left) > 0 {
		a.tell("Not undone: " + strings.Join(left, ", ") + ".")
	}
}

// tell puts a sentence where a person reads it: behind what was found, or behind
// why nothing was.
func (a *asking) tell(sentence string) {
	text := &a.answer.Skipped
	if a.answer.Verdict != nil {
		text = &a.answer.Verdict.Detail
	}
	if *text != "" && !strings.HasSuffix(*text, ".") {
		*text += "."
	}
	*text = strings.TrimSpace(*text + " " + sentence)
}

// revokes notes a token that is to be revoked afterwards, RFC 7009.
func (a *asking) revokes(what string, token usher.Secret, hint string, c *credential) {
	if token == "" {
		return
	}
	a.t.Secrets = append(a.t.Secrets, token)
	a.makes(what, func(ctx context.Context) error {
		r, err := a.revoke(ctx, token, hint, c, "revokes "+what)
		switch {
		case err != nil:
			return err
		case r.status != http.StatusOK:
			return &usher.Error{Code: usher.ErrUnreachable, Message: "the revocation endpoint answers " + words(r)}
		}
		return nil
	})
}

func (a *asking) revoke(ctx context.Context, token usher.Secret, hint string, c *credential, what string) (*reply, error) {
	endpoint := a.m.Text("revocation_endpoint")
	if endpoint == "" {
		return nil, &usher.Error{Code: usher.ErrNotFound, Message: "the provider has no revocation endpoint; it ends by itself"}
	}
	form := url.Values{"token": {token.Reveal()}, "token_type_hint": {hint}}
	q, err := a.authenticated(endpoint, form, c, what)
	if err != nil {
		return nil, err
	}
	q.secret = true // the token is one
	return a.send(ctx, q)
}
