package lab

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"usher/oauth"
)

// exchange is one request to the token endpoint on its way.
type exchange struct {
	r       *http.Request
	request *oauth.TokenRequest
	dialect Dialect
	client  *client
	session *session
	family  *family
	token   *refresh // that was presented
	code    *code
	secret  string // id of the client's secret
	issued  issued
	seen    trace // of Entra's answer and record, which share it
}

// trace gives the trace of the exchange, made when it is first asked for.
func (x *exchange) trace(l *Lab) trace {
	if x.seen.id == "" {
		x.seen = l.newTrace(x.r)
	}
	return x.seen
}

// token is the token endpoint, RFC 6749 section 3.2, in a dialect.
func (l *Lab) token(d Dialect) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Pragma", "no-cache")
		if origin := r.Header.Get("Origin"); origin != "" { // a page asks; which one is the client's matter
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Vary", "Origin")
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			writeJSON(w, http.StatusRequestEntityTooLarge, map[string]string{"error": oauth.ErrInvalidRequest})
			return
		}
		req, err := oauth.ParseTokenRequest(l.base(r)+r.URL.Path, r.Header, string(body))
		if err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": oauth.ErrInvalidRequest, "error_description": "the body is no form"})
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		x := &exchange{r: r, request: req, dialect: d}
		bad := l.exchange(x)
		l.tellExchange(x, bad)
		switch {
		case bad.bad():
			l.refuseExchange(w, x, bad)
		case l.loses(x):
			panic(http.ErrAbortHandler) // the answer is lost on its way: the fault refresh-token-reused
		default:
			writeJSON(w, http.StatusOK, l.tokenAnswer(x))
		}
	}
}

// exchange checks the client and the grant and makes the tokens.
func (l *Lab) exchange(x *exchange) refusal {
	req := x.request
	if req.GrantType == "" {
		return refusal{is: requestMalformed, detail: "grant_type"}
	}
	c, bad := l.authenticate(req)
	x.client, x.secret = c, bad.credential
	if bad.bad() {
		return bad
	}
	switch req.GrantType {
	case oauth.GrantAuthorizationCode:
		return l.exchangeCode(x)
	case oauth.GrantRefreshToken:
		return l.exchangeRefresh(x)
	case oauth.GrantClientCredentials:
		return l.exchangeClient(x)
	}
	return refusal{is: grantUnknown, detail: req.GrantType}
}

func (l *Lab) exchangeCode(x *exchange) refusal {
	req := x.request
	if req.Code == "" {
		return refusal{is: requestMalformed, detail: "code"}
	}
	c, ok := l.codes.get(req.Code.Reveal())
	if !ok || c.dialect != x.dialect || l.now().Sub(c.made) > lifeCode {
		return refusal{is: codeInvalid}
	}
	x.code, x.session = c, c.session
	switch {
	case c.client != x.client:
		return refusal{is: codeOfOther}
	case c.used: // RFC 6749 section 4.1.2: what came of it ends too
		c.session.gone[c.client.ID] = true
		return refusal{is: codeUsed}
	case c.redirect != req.RedirectURI:
		c.used = true
		return refusal{is: redirectDiffers}
	}
	c.used = true
	if err := checkPKCE(c, req.CodeVerifier.Reveal()); err != nil {
		return refusal{is: pkceWrong, detail: err.Error()}
	}
	if bad := l.stillAllowed(x, c.session, c.scopes); bad.bad() {
		return bad
	}
	delete(c.session.gone, c.client.ID)
	resource := req.Resource
	if len(resource) == 0 {
		resource = c.resource
	}
	x.family = &family{
		id: randomID(), client: c.client, session: c.session, dialect: x.dialect, scopes: c.scopes, resource: resource, nonce: c.nonce,
	}
	g := grant{
		client: c.client, session: c.session, dialect: x.dialect, scopes: c.scopes, resource: resource,
		nonce: c.nonce, family: x.family, openid: slices.Contains(c.asked, "openid"),
	}
	if x.dialect == DialectEntra && !slices.Contains(c.asked, "offline_access") {
		g.family = nil
	}
	return l.finish(x, g)
}

// checkPKCE holds the verifier against the challenge of the code, RFC 7636.
func checkPKCE(c *code, verifier string) error {
	if c.challenge == "" && verifier == "" {
		return nil
	}
	return oauth.MatchPKCE(c.challenge, c.method, verifier)
}

func (l *Lab) exchangeRefresh(x *exchange) refusal {
	req := x.request
	if req.RefreshToken == "" {
		return refusal{is: requestMalformed, detail: "refresh_token"}
	}
	t, ok := l.refresh.get(req.RefreshToken.Reveal())
	if !ok || t.family.dialect != x.dialect || t.family.client != x.client {
		return refusal{is: refreshInvalid}
	}
	f := t.family
	x.token, x.family, x.session = t, f, f.session
	switch {
	case l.now().Sub(t.made) > lifeRefresh || !f.session.alive(l.now()) || f.session.user.Disabled:
		return refusal{is: refreshEnded}
	case f.session.gone[f.client.ID]:
		return refusal{is: sessionGone}
	case t.used && x.dialect == DialectKeycloak:
		// Reuse can mean theft, so everything that descends from the grant
		// ends with it: RFC 9700 section 4.14.2.
		f.session.gone[f.client.ID] = true
		return refusal{is: refreshReused}
	}
	scopes := f.scopes
	if len(req.Scope) > 0 {
		scopes = nil
		for _, name := range apiScopes(req.Scope) {
			switch {
			case slices.Contains(f.scopes, name):
				scopes = append(scopes, name)
			case x.dialect == DialectEntra && (slices.Contains(x.client.Scopes, name) || slices.Contains(x.client.Optional, name)):
				scopes = append(scopes, name) // Entra's refresh tokens are for everything that is consented
			default:
				return refusal{is: scopeUnknown, detail: strings.Join(req.Scope, " ")}
			}
		}
	}
	if bad := l.stillAllowed(x, f.session, scopes); bad.bad() {
		return bad
	}
	t.used = true
	resource := f.resource
	if len(req.Resource) > 0 {
		resource = req.Resource
	}
	return l.finish(x, grant{
		client: f.client, session: f.session, dialect: x.dialect, scopes: scopes, resource: resource,
		nonce: f.nonce, family: f, openid: slices.Contains(f.scopes, "openid"),
	})
}

// stillAllowed asks what Entra asks at every token: the policies and consent.
func (l *Lab) stillAllowed(x *exchange, s *session, scopes []string) refusal {
	if x.dialect != DialectEntra {
		return refusal{}
	}
	if d := l.device(x.r); d != nil {
		s.device = d
	}
	if l.blocked(s) {
		return refusal{is: deviceBlocked}
	}
	if missing := l.unconsented(x.client, s.user, scopes); len(missing) > 0 {
		return refusal{is: consentMissing, detail: strings.Join(missing, " ")}
	}
	return refusal{}
}

func (l *Lab) exchangeClient(x *exchange) refusal {
	if !x.client.Service || x.client.Public {
		return refusal{is: grantNotAllowed}
	}
	scopes, rest := l.granted(x.client, apiScopes(x.request.Scope))
	if len(rest) > 0 && !l.narrows(rest) {
		return refusal{is: scopeUnknown, detail: strings.Join(rest, " ")}
	}
	scopes = slices.DeleteFunc(scopes, func(s string) bool { return s == "openid" })
	return l.finish(x, grant{client: x.client, dialect: x.dialect, scopes: scopes, resource: x.request.Resource})
}

// narrows tells whether the lab grants less than was asked for in place of
// refusing, as RFC 6749 section 3.3 allows: only for scopes of the API, which
// the fault scope-insufficient takes away.
func (l *Lab) narrows(rest []string) bool {
	return l.on[scopeInsufficient.Name] && !slices.ContainsFunc(rest, func(s string) bool { return !apiScope(s) })
}

func (l *Lab) finish(x *exchange, g grant) refusal {
	out, err := l.issue(x.r, g)
	if err != nil {
		return refusal{is: requestMalformed, detail: "signing"}
	}
	x.issued = out
	return refusal{}
}

// loses tells whether the answer to this refresh gets lost: once a family.
func (l *Lab) loses(x *exchange) bool {
	if !l.loseAnswers || x.token == nil || x.dialect != DialectKeycloak {
		return false
	}
	if _, once := l.lost.get(x.family.id); once {
		return false
	}
	l.lost.put(x.family.id, true)
	return true
}

// tokenAnswer is the answer of RFC 6749 section 5.1 with the dialect's own members.
func (l *Lab) tokenAnswer(x *exchange) map[string]any {
	out := map[string]any{
		"access_token": x.issued.access, "expires_in": x.issued.expires, "token_type": "Bearer",
		"scope": strings.Join(x.issued.scopes, " "),
	}
	if x.issued.refresh != "" {
		out["refresh_token"] = x.issued.refresh
	}
	if x.issued.id != "" {
		out["id_token"] = x.issued.id
	}
	if x.dialect == DialectEntra {
		out["ext_expires_in"] = x.issued.expires
		return out
	}
	out["not-before-policy"], out["refresh_expires_in"] = 0, x.issued.refreshExpiresIn
	if x.session != nil {
		out["session_state"] = x.session.id
	}
	return out
}

func (l *Lab) refuseExchange(w http.ResponseWriter, x *exchange, bad refusal) {
	if x.dialect == DialectEntra {
		status, body := l.entraBody(x, bad)
		writeJSON(w, status, body)
		return
	}
	words := keycloakWords(bad)
	body := map[string]string{"error": words.error}
	if words.text != "" {
		body["error_description"] = words.text
	}
	if words.status == http.StatusUnauthorized && x.r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", "Basic realm="+strconv.Quote(l.opt.Realm)) // RFC 6749 section 5.2
	}
	writeJSON(w, words.status, body)
}

// tellExchange writes down what came of a token request.
func (l *Lab) tellExchange(x *exchange, bad refusal) {
	if x.dialect == DialectEntra {
		l.recordExchange(x, bad)
		return
	}
	l.logExchange(x, bad)
}

func (l *Lab) logExchange(x *exchange, bad refusal) {
	kinds := map[string]string{
		oauth.GrantAuthorizationCode: "CODE_TO_TOKEN", oauth.GrantRefreshToken: "REFRESH_TOKEN", oauth.GrantClientCredentials: "CLIENT_LOGIN",
	}
	req := x.request
	kind := kinds[req.GrantType]
	if kind == "" {
		kind = "LOGIN"
	}
	e := userEvent{kind: kind, client: req.ClientID, ip: address(x.r)}
	if x.session != nil {
		e.session = x.session.id
	}
	words := keycloakWords(bad)
	method := pair{"client_auth_method", "client-secret"}
	var d []pair
	if bad.bad() {
		e.failure = words.log
		if words.reason != "" {
			d = append(d, pair{"reason", words.reason})
		}
	}
	d = append(d, pair{"grant_type", req.GrantType})
	if x.code != nil {
		d = append(d, pair{"code_id", x.session.id})
	}
	if x.token != nil {
		d = append(d, pair{"refresh_token_type", "Refresh"}, pair{"refresh_token_id", x.token.id}, pair{"refresh_token_sub", x.session.user.ID})
	}
	switch bad.is {
	case clientUnknown, clientDisabled, secretMissing, secretWrong, secretExpired, secretIsID:
	default:
		d = append(d, method)
	}
	if !bad.bad() {
		d = append(d, l.issuedDetails(x)...)
		e.user = x.client.serviceID()
		if x.session != nil {
			e.user = x.session.user.ID
		} else {
			e.parent, e.tab = randomID(), random(8)
		}
	}
	e.details = d
	l.logEvent(e)
}

func (l *Lab) issuedDetails(x *exchange) []pair {
	scopes := strings.Join(x.issued.scopes, " ")
	d := []pair{{"token_id", x.issued.accessID}}
	if x.token != nil {
		d = append(d, pair{"access_token_expiration_time", strconv.FormatInt(x.issued.expires, 10)},
			pair{"updated_refresh_token_id", x.issued.refreshID})
	}
	d = append(d, pair{"scope", scopes})
	switch {
	case x.token != nil:
		age := int64(l.now().Sub(x.token.made).Seconds())
		d = append(d, pair{"age_of_refresh_token", strconv.FormatInt(age, 10)})
	case x.issued.refresh != "":
		d = append(d, pair{"refresh_token_type", "Refresh"}, pair{"refresh_token_id", x.issued.refreshID})
	case x.session == nil:
		d = append(d, pair{"username", "service-account-" + x.client.ID})
	}
	return d
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the client has gone away
}
