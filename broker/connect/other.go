package connect

import (
	"context"
	"errors"
	"net/http"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
)

// held are tokens of somebody else than who had connected before, kept sealed
// for ten minutes until that is said to be right. Secrets of grant.Answer do not
// marshal, so they are copied.
type held struct {
	ID      string        `json:"id"`
	Mark    string        `json:"mark"`
	Since   string        `json:"since"`
	T       string        `json:"t,omitempty"`
	By      string        `json:"by,omitempty"`
	Before  string        `json:"before"`
	Subject string        `json:"subject"`
	Name    string        `json:"name,omitempty"`
	Access  string        `json:"access"`
	Refresh string        `json:"refresh,omitempty"`
	IDToken string        `json:"id_token,omitempty"`
	Type    string        `json:"token_type"`
	At      time.Time     `json:"received"`
	Expires time.Duration `json:"expires_in"`
	Ends    time.Duration `json:"refresh_expires_in"`
	Scopes  []string      `json:"scopes"`
	Notes   []string      `json:"notes,omitempty"`
}

const otherPurpose = "as-other"

func keep(p pending, before string, a *grant.Answer, who person) held {
	return held{
		ID: p.ID, Mark: p.Mark, Since: p.Since, T: p.T, By: p.By, Before: before, Subject: who.Subject, Name: who.Name, Access: a.Access.Reveal(), Refresh: a.Refresh.Reveal(), IDToken: a.ID.Reveal(),
		Type: a.TokenType, At: a.Received, Expires: a.ExpiresIn, Ends: a.RefreshExpiresIn, Scopes: a.Scopes, Notes: a.Notes,
	}
}

func (k held) answer() *grant.Answer {
	return &grant.Answer{
		Access: usher.Secret(k.Access), Refresh: usher.Secret(k.Refresh), ID: usher.Secret(k.IDToken), TokenType: k.Type, Received: k.At,
		ExpiresIn: k.Expires, RefreshExpiresIn: k.Ends, Scopes: k.Scopes, User: k.Subject, Notes: k.Notes,
	}
}

// otherView asks whether it is right that somebody else connects.
type otherView struct {
	about
	Now, Then string
	State     string
	Action    string
}

// asOther asks before the tokens of one person take the place of another's: the
// programs that use the connection would act for somebody else from then on.
func (h *Handler) asOther(ctx context.Context, w http.ResponseWriter, r *http.Request, v broker.View, c broker.Config, keys broker.Keys, p pending, answer *grant.Answer, who person) {
	key, err := h.keys.get(ctx)
	state, browser := newState(key, otherPurpose)
	if err == nil {
		err = h.putFlow(ctx, state, c.ID, keep(p, v.Status.User, answer, who))
	}
	if err != nil {
		h.giveBack(ctx, c, keys, answer)
		h.broken(w, r, err)
		return
	}
	h.bind(w, state, browser)
	h.render(w, http.StatusOK, "other", frame{Title: "Somebody else than before", View: otherView{
		about: h.about(v), Now: who.String(), Then: inert(v.Status.User, 100), State: state, Action: "/connect/" + c.ID + "/as-other",
	}})
}

// confirm stores what was held, or gives it back.
func (h *Handler) confirm(w http.ResponseWriter, r *http.Request, id string) {
	form, ok := h.form(w, r)
	if !ok {
		return
	}
	state := form.Get("state")
	key, err := h.keys.get(r.Context())
	if err != nil {
		h.broken(w, r, err)
		return
	}
	if !ownState(key, otherPurpose, state, h.browserOf(r, state)) {
		h.problem(w, http.StatusForbidden, "This answer belongs to nothing that was begun in this browser", "Nothing was stored. Begin again from the link that you were given.")
		return
	}
	var k held
	_, err = h.takeFlow(r.Context(), state, &k)
	h.unbind(w, state)
	switch {
	case errors.Is(err, errFlowOver):
		h.over(w, r, "")
		return
	case err != nil:
		h.broken(w, r, err)
		return
	case k.ID != id:
		h.problem(w, http.StatusForbidden, "This answer belongs to another connection", "Nothing was stored. Begin again from the link that you were given.")
		return
	}
	c, keys, err := h.opt.Broker.Open(r.Context(), id)
	if err != nil {
		h.problem(w, http.StatusGone, "This connection was removed in the meantime", "Nothing was stored.")
		return
	}
	v, err := h.opt.Broker.Get(r.Context(), id)
	if err != nil {
		h.broken(w, r, err)
		return
	}
	p, answer := pending{ID: id, Mark: k.Mark, T: k.T, By: k.By}, k.answer()
	switch {
	case form.Get("answer") != "replace":
		h.giveBack(r.Context(), c, keys, answer)
		h.render(w, http.StatusOK, "result", frame{Title: "Nothing was changed", View: resultView{
			about: h.about(v), Declined: true, What: "The connection stays with " + inert(k.Before, 100) + ".",
			Cause: "What the provider gave for " + person{k.Subject, k.Name}.String() + " was not stored, and was given back where that is possible.",
			Next:  "To connect as " + inert(k.Before, 100) + ", sign out at the provider first.", Again: h.again(id, p),
		}})
	case mark(c) != k.Mark || v.Status.User != k.Before || since(v) != k.Since:
		h.giveBack(r.Context(), c, keys, answer)
		h.refused(w, r, v, p, "token", &grant.Refusal{Kind: grant.Refused, Endpoint: endpointName(c.Endpoints.Token), Code: "configuration_changed", Description: "the connection was changed while somebody was connecting it"})
	default:
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), askPatience)
		defer cancel()
		h.store(ctx, w, r, v, c, keys, p, answer, person{k.Subject, k.Name})
	}
}
