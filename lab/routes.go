package lab

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"usher/oauth"
	"usher/token"
)

// routes mounts everything. Paths are those of the providers whose dialect is spoken.
func (l *Lab) routes() {
	realm, tenant := "/realms/"+l.opt.Realm, "/"+l.opt.Tenant
	kc := realm + "/protocol/openid-connect"
	l.mux.HandleFunc("GET /{$}", l.home)
	l.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })

	l.mux.HandleFunc("GET "+realm, l.realmPage)
	l.mux.HandleFunc("GET "+realm+"/.well-known/openid-configuration", l.discovery(DialectKeycloak))
	l.mux.HandleFunc("GET "+kc+"/certs", l.certs)
	l.mux.HandleFunc("GET "+kc+"/auth", l.authorize(DialectKeycloak))
	l.mux.HandleFunc("POST "+kc+"/auth", l.authorize(DialectKeycloak))
	l.mux.HandleFunc("POST "+realm+"/login-actions/authenticate", l.answer)
	l.mux.HandleFunc("POST "+kc+"/token", l.token(DialectKeycloak))
	l.mux.HandleFunc(kc+"/userinfo", l.userinfo)
	l.mux.HandleFunc("GET "+kc+"/logout", l.logout(DialectKeycloak))
	l.mux.HandleFunc("POST "+kc+"/logout", l.logout(DialectKeycloak))

	l.mux.HandleFunc("GET "+tenant+"/v2.0/.well-known/openid-configuration", l.discovery(DialectEntra))
	l.mux.HandleFunc("GET "+tenant+"/discovery/v2.0/keys", l.certs)
	l.mux.HandleFunc("GET "+tenant+"/oauth2/v2.0/authorize", l.authorize(DialectEntra))
	l.mux.HandleFunc("POST "+tenant+"/oauth2/v2.0/authorize", l.authorize(DialectEntra))
	l.mux.HandleFunc("POST "+tenant+"/oauth2/v2.0/token", l.token(DialectEntra))
	l.mux.HandleFunc("GET "+tenant+"/oauth2/v2.0/logout", l.logout(DialectEntra))

	l.mux.HandleFunc("GET /api/orders", l.orders)
	l.adminRoutes("/admin/realms/" + l.opt.Realm)
	l.graphRoutes()
	l.oktaRoutes()
	l.auth0Routes()
	l.controlRoutes()
}

// endpoints gives the addresses of a dialect.
func (l *Lab) endpoints(r *http.Request, d Dialect) (authorize, token, keys, userinfo, logout string) {
	base := l.base(r)
	if d == DialectEntra {
		t := base + "/" + l.opt.Tenant
		return t + "/oauth2/v2.0/authorize", t + "/oauth2/v2.0/token", t + "/discovery/v2.0/keys", "", t + "/oauth2/v2.0/logout"
	}
	p := base + "/realms/" + url.PathEscape(l.opt.Realm) + "/protocol/openid-connect"
	return p + "/auth", p + "/token", p + "/certs", p + "/userinfo", p + "/logout"
}

// discovery is OpenID Connect Discovery 1.0 section 4.
func (l *Lab) discovery(d Dialect) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		authorize, token, keys, userinfo, logout := l.endpoints(r, d)
		doc := map[string]any{
			"issuer": l.issuer(r, d), "authorization_endpoint": authorize, "token_endpoint": token, "jwks_uri": keys,
			"end_session_endpoint":                           logout,
			"response_types_supported":                       []string{"code"},
			"response_modes_supported":                       []string{"query", "fragment", "form_post"},
			"grant_types_supported":                          []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials},
			"subject_types_supported":                        []string{"public"},
			"id_token_signing_alg_values_supported":          []string{"RS256"},
			"token_endpoint_auth_methods_supported":          []string{oauth.AuthBasic, oauth.AuthPost, oauth.AuthNone},
			"code_challenge_methods_supported":               []string{oauth.PKCES256, oauth.PKCEPlain},
			"scopes_supported":                               l.scopeNames(),
			"claims_supported":                               []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "name", "given_name", "family_name", "preferred_username", "email", "email_verified"},
			"authorization_response_iss_parameter_supported": true,
			"request_parameter_supported":                    false,
			"request_uri_parameter_supported":                false,
			"claims_parameter_supported":                     false,
			"prompt_values_supported":                        []string{"none", "login", "consent"},
		}
		if userinfo != "" {
			doc["userinfo_endpoint"] = userinfo
		}
		anyOrigin(w)
		writeJSON(w, http.StatusOK, doc)
	}
}

func (l *Lab) scopeNames() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := []string{"openid"}
	for _, s := range l.scopes {
		names = append(names, s.name)
	}
	return names
}

func anyOrigin(w http.ResponseWriter) { w.Header().Set("Access-Control-Allow-Origin", "*") }

// certs is the key set, RFC 7517.
func (l *Lab) certs(w http.ResponseWriter, _ *http.Request) {
	l.mu.Lock()
	doc := l.keys.document()
	l.mu.Unlock()
	anyOrigin(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(doc)
}

func (l *Lab) realmPage(w http.ResponseWriter, r *http.Request) {
	base := l.issuer(r, DialectKeycloak)
	writeJSON(w, http.StatusOK, map[string]any{
		"realm": l.opt.Realm, "token-service": base + "/protocol/openid-connect", "account-service": base + "/account", "tokens-not-before": 0,
	})
}

// userinfo is OpenID Connect Core section 5.3.
func (l *Lab) userinfo(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	refuse := func(status int, code, text string) {
		challenge := `Bearer realm="` + l.opt.Realm + `"`
		if code != "" {
			challenge += `, error="` + code + `", error_description="` + text + `"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(status)
		l.logEvent(userEvent{
			kind: "USER_INFO_REQUEST", ip: address(r), failure: map[bool]string{true: "access_denied", false: "invalid_token"}[status == http.StatusForbidden],
			details: []pair{{"reason", text}, {"auth_method", "validate_access_token"}},
		})
	}
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		refuse(http.StatusUnauthorized, "", "Missing token")
		return
	}
	keys, err := l.keys.verifier()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	rep := token.Inspect(raw, token.Expect{Type: token.TypeAny, Keys: keys, Algs: []string{"RS256"}, Issuer: l.issuer(r, DialectKeycloak), Now: l.opt.Now})
	if rep.Wrong() || rep.Parsed.Claims["typ"] != "Bearer" {
		refuse(http.StatusUnauthorized, oauth.ErrInvalidToken, "Token verification failed")
		return
	}
	sub, _ := rep.Parsed.Claims["sub"].(string)
	u := l.userByID(sub)
	if !oauth.ContainsScope(tokenScopes(rep.Parsed), "openid") {
		refuse(http.StatusForbidden, oauth.ErrInsufficientScope, "Missing openid scope")
		return
	}
	if u == nil || u.Disabled {
		refuse(http.StatusUnauthorized, oauth.ErrInvalidToken, "user_not_found")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"sub": u.ID, "preferred_username": u.Name, "name": strings.TrimSpace(u.Given + " " + u.Family),
		"given_name": u.Given, "family_name": u.Family, "email": u.Email, "email_verified": true,
	})
}

// logout is OpenID Connect RP-Initiated Logout 1.0 section 2.
func (l *Lab) logout(d Dialect) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		_ = r.ParseForm()
		c := l.client(r.Form.Get("client_id"))
		if hint, err := token.Parse(r.Form.Get("id_token_hint")); err == nil && c == nil {
			aud, _ := hint.Claims["aud"].(string)
			c = l.client(aud)
		}
		if cookie, err := r.Cookie(cookieSession); err == nil {
			if s, ok := l.sessions.get(cookie.Value); ok && !s.ended {
				s.ended = true
				if d == DialectKeycloak {
					l.logEvent(userEvent{kind: "LOGOUT", client: clientID(c), user: s.user.ID, session: s.id, ip: address(r), details: []pair{{"redirect_uri", r.Form.Get("post_logout_redirect_uri")}}})
				}
			}
			http.SetCookie(w, &http.Cookie{Name: cookieSession, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		}
		to := r.Form.Get("post_logout_redirect_uri")
		if to == "" {
			l.page(w, http.StatusOK, errorPage{Realm: l.opt.Realm, Message: "You are signed out."})
			return
		}
		if c == nil || !slices.Contains(c.RedirectURIs, to) {
			l.page(w, http.StatusBadRequest, errorPage{Realm: l.opt.Realm, Message: "Invalid redirect uri"})
			return
		}
		if state := r.Form.Get("state"); state != "" {
			u, err := url.Parse(to)
			if err == nil {
				q := u.Query()
				q.Set("state", state)
				u.RawQuery = q.Encode()
				to = u.String()
			}
		}
		http.Redirect(w, r, to, http.StatusFound) //nolint:gosec // it is registered
	}
}

func clientID(c *client) string {
	if c == nil {
		return ""
	}
	return c.ID
}

// number reads a claim that may be a json.Number or a float.
func number(v any) (int64, bool) {
	switch n := v.(type) {
	case json.Number:
		i, err := n.Int64()
		if err != nil {
			f, ferr := n.Float64()
			return int64(f), ferr == nil
		}
		return i, true
	case float64:
		return int64(n), true
	}
	return 0, false
}

func unix(s int64) time.Time { return time.Unix(s, 0).UTC() }
