package connect

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/broker/preset"
	"usher/oauth"
)

// Bounds of what a provider may send back.
const (
	mostCode  = 8 << 10
	mostState = 200
)

// resultView is what became of a connecting.
type resultView struct {
	about
	OK       bool
	Done     bool   // it was done before: the answer came a second time
	What     string // what happened, one sentence
	Cause    string // why
	Next     string // what to do
	Turn     string // who
	Again    string // path to begin anew; empty: no use
	User     string
	Expires  string // how long the access token lives
	Renews   string // how it goes on
	Missing  []string
	Declined bool
}

// callback takes the answer of a provider. Everything that can be checked
// without a secret is checked first; then the state is taken, once; then the
// code is redeemed, once.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request, key string) {
	q, err := single(r.URL.RawQuery)
	if err != nil {
		h.problem(w, http.StatusBadRequest, "This answer is not as a provider sends it", "Nothing was done: "+err.Error()+". Begin again from the link that you were given.")
		return
	}
	state := q.Get("state")
	if state == "" || len(state) > mostState || len(q.Get("code")) > mostCode {
		h.problem(w, http.StatusBadRequest, "This answer belongs to nothing that was begun here", "Nothing was done. Begin again from the link that you were given.")
		return
	}
	signing, err := h.keys.get(r.Context())
	if err != nil {
		h.broken(w, r, err)
		return
	}
	// In this browser, or not at all: an answer that somebody else brought here
	// would connect that person's account, or ours to them (CSRF).
	if !ownState(signing, statePurpose, state, h.browserOf(r, state)) {
		h.problem(w, http.StatusForbidden, "This answer belongs to nothing that was begun in this browser",
			"Nothing was done. Begin and end in the same browser, within ten minutes, with cookies allowed. If you did not begin at all, somebody sent you here: close this page.")
		return
	}
	var p pending
	id, err := h.takeFlow(r.Context(), state, &p)
	h.unbind(w, state)
	if errors.Is(err, errFlowOver) {
		h.over(w, r, id)
		return
	}
	if err != nil {
		h.broken(w, r, err)
		return
	}
	c, keys, err := h.opt.Broker.Open(r.Context(), p.ID)
	if isNotFound(err) {
		h.problem(w, http.StatusGone, "This connection was removed in the meantime", "Nothing was stored.")
		return
	}
	if err != nil {
		h.broken(w, r, err)
		return
	}
	v, err := h.opt.Broker.Get(r.Context(), p.ID)
	if err != nil {
		h.broken(w, r, err)
		return
	}
	if refusal := answerRefused(c, v, p, q, key); refusal != nil {
		h.refused(w, r, v, p, "authorize", refusal)
		return
	}
	h.redeem(w, r, v, c, keys, p, usher.Secret(q.Get("code")))
}

// single reads a query in which no parameter that decides stands twice: two
// readers could see two answers (RFC 6749 section 3.1).
func single(raw string) (url.Values, error) {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errors.New("its query cannot be read")
	}
	for _, name := range []string{"state", "code", "iss", "error", "error_description"} {
		if len(q[name]) > 1 {
			return nil, errors.New("it has " + name + " twice")
		}
	}
	return q, nil
}

// answerRefused holds an answer against the flow that it is to end; nil: its
// code may be redeemed.
func answerRefused(c broker.Config, v broker.View, p pending, q url.Values, key string) *grant.Refusal {
	no := func(code, description string) *grant.Refusal {
		return &grant.Refusal{Kind: grant.Refused, Endpoint: endpointName(c.Endpoints.Authorization), Code: code, Description: description}
	}
	switch iss := q.Get("iss"); {
	case mark(c) != p.Mark:
		return no("configuration_changed", "the connection was changed while somebody was connecting it")
	case since(v) != p.Since: // the link that began it is no longer good, and what it began neither
		return no(codeMeanwhile, meanwhileWords)
	case key != providerKey(c):
		return no("issuer_mismatch", "the answer came to the address of another provider than the one that was asked (mix-up)")
	case iss != "" && c.Issuer != "" && iss != c.Issuer:
		return no("issuer_mismatch", "the answer is of issuer "+inert(oauth.Redact(iss), 200)+", asked was "+c.Issuer+" (RFC 9207)")
	case iss == "" && c.Endpoints.IssuerInResponse:
		return no("issuer_missing", "the provider says that its answers name their issuer, and this one does not (RFC 9207 section 2.4)")
	case q.Get("error") != "":
		return no(inert(q.Get("error"), 100), inert(oauth.Redact(q.Get("error_description")), 500))
	case q.Get("code") == "":
		return no("invalid_response", "the answer has neither a code nor an error")
	}
	return nil
}

// Two people who were given one link, or one who took it from another: the first
// who connects is the one.
const (
	codeMeanwhile  = "connected_meanwhile"
	meanwhileWords = "somebody has connected since this was begun"
)

// endpointName gives origin and path.
func endpointName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the provider"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// redeem sends the code and stores what comes back.
func (h *Handler) redeem(w http.ResponseWriter, r *http.Request, v broker.View, c broker.Config, keys broker.Keys, p pending, code usher.Secret) {
	form := url.Values{"grant_type": {broker.GrantCode}, "code": {code.Reveal()}}
	if !p.Omit {
		form.Set("redirect_uri", p.Redirect)
	}
	if p.Verifier != "" {
		form.Set("code_verifier", p.Verifier)
	}
	for name, value := range c.Extra {
		if form.Get(name) == "" {
			form.Set(name, value)
		}
	}
	for _, resource := range c.Resources {
		form.Add("resource", resource)
	}
	// A code is redeemed once: a person who closes the page must not stop it
	// half-way.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), askPatience)
	defer cancel()
	answer, err := h.opt.Ask.Ask(ctx, h.request(c, keys, c.Endpoints.Token, form))
	if err != nil {
		h.refused(w, r, v, p, "token", asRefusal(err, c.Endpoints.Token))
		return
	}
	h.settle(ctx, w, r, c, keys, p, answer)
}

func (h *Handler) request(c broker.Config, keys broker.Keys, endpoint string, form url.Values) grant.Request {
	return grant.Request{
		Endpoint: endpoint, AuthMethod: c.AuthMethod, ClientID: c.ClientID, Secret: keys.ClientSecret, Key: keys.PrivateKey, KeyID: c.KeyID, Audience: c.AssertionAudience, Params: form,
	}
}

func asRefusal(err error, endpoint string) *grant.Refusal {
	var refusal *grant.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	return &grant.Refusal{Kind: grant.Lost, Endpoint: endpointName(endpoint), Err: err}
}

// settle verifies who has connected and stores the tokens, or asks first where
// it is somebody else than before.
func (h *Handler) settle(ctx context.Context, w http.ResponseWriter, r *http.Request, c broker.Config, keys broker.Keys, p pending, answer *grant.Answer) {
	who, refusal := h.identify(ctx, c, p.Nonce, answer)
	v, err := h.opt.Broker.Get(ctx, p.ID) // anew: the provider may have taken a minute
	if err != nil {
		h.giveBack(ctx, c, keys, answer)
		h.broken(w, r, err)
		return
	}
	if refusal == nil && since(v) != p.Since {
		refusal = &grant.Refusal{Kind: grant.Refused, Endpoint: endpointName(c.Endpoints.Token), Code: codeMeanwhile, Description: meanwhileWords}
	}
	if refusal != nil {
		h.giveBack(ctx, c, keys, answer)
		h.refused(w, r, v, p, "token", refusal)
		return
	}
	answer.User = who.Subject
	if before := v.Status.User; before != "" && who.Subject != "" && before != who.Subject {
		h.asOther(ctx, w, r, v, c, keys, p, answer, who)
		return
	}
	h.store(ctx, w, r, v, c, keys, p, answer, who)
}

// store hands the tokens to the broker and says how it stands.
func (h *Handler) store(ctx context.Context, w http.ResponseWriter, r *http.Request, v broker.View, c broker.Config, keys broker.Keys, p pending, answer *grant.Answer, who person) {
	if err := h.opt.Broker.Connected(ctx, c.ID, answer); err != nil {
		h.giveBack(ctx, c, keys, answer)
		h.opt.Log.Error("what a person's connecting gave could not be stored", "connection", c.ID, "error", inert(err.Error(), 300))
		h.emit(ctx, c, "token", usher.StatusFailure, &grant.Refusal{Kind: grant.Misused, Endpoint: "usher", Err: errors.New("the tokens could not be stored")}, nil, r)
		h.render(w, http.StatusInternalServerError, "result", frame{Title: "Not connected", View: resultView{
			about: h.about(v), What: "The provider said yes, and usher could not store what it gave.", Cause: "It was given back to the provider, where that is possible.",
			Next: "The log of usher serve says what is in the way. Then connect once more.", Again: h.again(c.ID, p),
		}})
		return
	}
	h.opt.Log.Info("a person has connected", "connection", c.ID, "by", p.By)
	h.render(w, http.StatusOK, "result", frame{Title: "Connected", View: h.success(v, c, answer, who)})
}

func (h *Handler) success(v broker.View, c broker.Config, answer *grant.Answer, who person) resultView {
	view := resultView{about: h.about(v), OK: true, User: who.String()}
	view.Trouble, view.Alive = "", true
	if answer.ExpiresIn > 0 {
		view.Expires = span(answer.ExpiresIn)
	}
	switch {
	case answer.Refresh != "":
		view.Renews = "usher renews it before it ends. You have nothing more to do."
	case answer.ExpiresIn > 0:
		view.Renews = "The provider gave no refresh token, so somebody has to connect again when it ends" + refreshHint(c) + "."
	default:
		view.Renews = "The provider says neither when it ends nor how it is renewed. usher tells when an API refuses it."
	}
	for _, scope := range lacking(c.Scopes, answer.Scopes) {
		view.Missing = append(view.Missing, inert(scope, 120))
	}
	return view
}

// refreshHint says what would have brought a refresh token.
func refreshHint(c broker.Config) string {
	p, err := preset.Named(c.Preset)
	switch {
	case err == nil && p.Refresh.Given == "scope" && !slices.Contains(c.Scopes, p.Scopes.Refresh):
		return "; the scope " + p.Scopes.Refresh + " brings one"
	case err == nil && p.Refresh.Given == "setting":
		return "; a setting of the app at the provider brings one"
	case err != nil && !slices.Contains(c.Scopes, "offline_access"):
		return "; at many providers the scope offline_access brings one"
	}
	return ""
}

// lacking gives the scopes that were asked for and not granted. Where the
// answer names none, all were granted (RFC 6749 section 5.1).
func lacking(asked, granted []string) (missing []string) {
	if granted == nil {
		return nil
	}
	for _, scope := range asked {
		if !slices.Contains(granted, scope) && scope != "openid" && scope != "offline_access" && scope != "refresh_token" {
			missing = append(missing, scope)
		}
	}
	return missing
}

// giveBack revokes tokens that nobody will use.
func (h *Handler) giveBack(ctx context.Context, c broker.Config, keys broker.Keys, answer *grant.Answer) {
	token, hint := answer.Refresh, "refresh_token"
	if token == "" {
		token, hint = answer.Access, "access_token"
	}
	if c.Endpoints.Revocation == "" || token == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	if err := h.opt.Ask.Revoke(ctx, h.request(c, keys, c.Endpoints.Revocation, url.Values{}), token, hint); err != nil {
		h.opt.Log.Warn("tokens that are not kept could not be revoked", "connection", c.ID, "error", inert(err.Error(), 200))
	}
}

// again is where a person begins anew.
func (h *Handler) again(id string, p pending) string {
	if p.T == "" {
		return "/connect/" + id
	}
	return "/connect/" + id + "?t=" + url.QueryEscape(p.T)
}

// refused tells a person why there is no connection, and everybody else by an
// event.
func (h *Handler) refused(w http.ResponseWriter, r *http.Request, v broker.View, p pending, endpoint string, refusal *grant.Refusal) {
	told := h.explain(v.Config, refusal)
	h.emit(r.Context(), v.Config, endpoint, usher.StatusFailure, refusal, &told, r)
	view := resultView{about: h.about(v), What: told.what, Cause: told.why, Next: told.next, Turn: told.turn}
	if told.again {
		view.Again = h.again(v.Config.ID, p)
	}
	h.render(w, told.status, "result", frame{Title: "Not connected", View: view})
}

// over answers a state that was taken or is too old: a second click, a reload, a
// replay. Nothing is done; how the connection stands is told.
func (h *Handler) over(w http.ResponseWriter, r *http.Request, id string) {
	if id == "" {
		h.problem(w, http.StatusGone, "This answer was used already, or is older than ten minutes",
			"Nothing was done this time. If you clicked twice or loaded the page again, the first time counts: look at the page of the connection. Otherwise begin again from the link that you were given.")
		return
	}
	h.problem(w, http.StatusGone, "It took longer than ten minutes", "Nothing was done. Begin again from the link that you were given.")
}
