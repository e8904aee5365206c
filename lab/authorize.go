package lab

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"usher/oauth"
)

// pending is an authorization request that waits for a person.
type pending struct {
	request *oauth.AuthorizationRequest
	client  *client
	scopes  []string
	dialect Dialect
	browser string // value of the cookie that the page came with
	made    time.Time
	session *session // signed in already; consent is what is waited for
}

// Cookies of the lab.
const (
	cookieSession = "LAB_SESSION" // a person is signed in
	cookieBrowser = "LAB_BROWSER" // the page belongs to this browser
	cookieDevice  = "LAB_DEVICE"  // the device proves who it is
)

// scripted is the beginning of a login_hint that signs in without a page.
const scripted = "lab:"

// authorize is the authorization endpoint, RFC 6749 section 3.1 and OpenID
// Connect Core section 3.1.2, in a dialect.
func (l *Lab) authorize(d Dialect) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw := r.URL.RequestURI()
		if r.Method == http.MethodPost {
			if err := r.ParseForm(); err != nil {
				l.page(w, http.StatusBadRequest, errorPage{Realm: l.opt.Realm, Message: "The form cannot be read."})
				return
			}
			raw = r.URL.Path + "?" + r.PostForm.Encode()
		}
		req, err := oauth.ParseAuthorizationRequest(l.base(r) + raw)
		if err != nil {
			l.page(w, http.StatusBadRequest, errorPage{Realm: l.opt.Realm, Message: "Invalid Request"})
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.startSignIn(w, r, d, req)
	}
}

// startSignIn checks a request, and signs in whom it can without a page.
func (l *Lab) startSignIn(w http.ResponseWriter, r *http.Request, d Dialect, req *oauth.AuthorizationRequest) {
	c := l.client(req.ClientID)
	p := &pending{request: req, client: c, dialect: d, made: l.now()}
	// Before client and redirect URI are known to be good nobody is sent
	// anywhere: RFC 6749 section 4.1.2.1.
	switch {
	case c == nil:
		l.refusePage(w, r, p, refusal{is: clientUnknown})
		return
	case c.Disabled:
		l.refusePage(w, r, p, refusal{is: clientDisabled})
		return
	case !c.registered(req.RedirectURI, d):
		l.refusePage(w, r, p, refusal{is: redirectUnknown})
		return
	}
	if bad := l.checkRequest(p); bad.bad() {
		l.refuseBack(w, r, p, nil, bad)
		return
	}
	s := l.signedIn(r)
	if name, ok := strings.CutPrefix(req.LoginHint, scripted); ok && s == nil {
		u := l.user(name)
		if u == nil {
			l.refuseBack(w, r, p, nil, refusal{is: userUnknown, detail: name})
			return
		}
		s = l.newSession(w, r, u)
	}
	prompt := strings.Fields(req.Prompt)
	if s != nil && slices.Contains(prompt, "login") && !strings.HasPrefix(req.LoginHint, scripted) {
		s = nil
	}
	if s == nil {
		if slices.Contains(prompt, "none") {
			l.refuseBack(w, r, p, nil, refusal{is: loginRequired})
			return
		}
		l.askPassword(w, r, p, "", "")
		return
	}
	l.finishSignIn(w, r, p, s)
}

// checkRequest checks what is told to the client.
func (l *Lab) checkRequest(p *pending) refusal {
	req := p.request
	switch {
	case req.ResponseType == "":
		return refusal{is: requestMalformed, detail: "response_type"}
	case req.ResponseType != "code":
		return refusal{is: responseType, detail: req.ResponseType}
	case len(req.Repeated) > 0:
		return refusal{is: requestMalformed, detail: "duplicated parameter " + req.Repeated[0]}
	case p.client.Public && req.CodeChallenge == "":
		return refusal{is: pkceMissing}
	case req.CodeChallenge != "" && (len(req.CodeChallenge) < 43 || len(req.CodeChallenge) > 128):
		return refusal{is: pkceMalformed}
	case req.CodeChallengeMethod != "" && req.CodeChallengeMethod != oauth.PKCES256 && req.CodeChallengeMethod != oauth.PKCEPlain:
		return refusal{is: requestMalformed, detail: "code_challenge_method"}
	}
	asked := apiScopes(req.Scope)
	scopes, rest := l.granted(p.client, asked)
	if len(rest) > 0 && !l.narrows(rest) {
		return refusal{is: scopeUnknown, detail: strings.Join(req.Scope, " ")}
	}
	p.scopes = scopes
	return refusal{}
}

// apiScopes turns Entra's way to name a scope (api://orders/orders.read,
// api://orders/.default) into the scope's name.
func apiScopes(asked []string) []string {
	var list []string
	for _, s := range asked {
		if name, ok := strings.CutPrefix(s, apiEntra+"/"); ok {
			s = name
			if name == ".default" {
				s = scopeOrders
			}
		}
		if strings.HasPrefix(s, "http") && strings.HasSuffix(s, "/.default") { // of Microsoft Graph: what the client's roles allow
			continue
		}
		list = append(list, s)
	}
	return list
}

// signedIn gives the live session of the browser.
func (l *Lab) signedIn(r *http.Request) *session {
	cookie, err := r.Cookie(cookieSession)
	if err != nil {
		return nil
	}
	s, ok := l.sessions.get(cookie.Value)
	if !ok || !s.alive(l.now()) || s.user.Disabled {
		return nil
	}
	s.device = l.device(r)
	return s
}

// device gives the device that a request proves to come from: by the cookie
// that it got when it was enrolled, or by the header of a script.
func (l *Lab) device(r *http.Request) *device {
	id := r.Header.Get("X-Lab-Device")
	if cookie, err := r.Cookie(cookieDevice); err == nil && id == "" {
		id = cookie.Value
	}
	return l.devices[id]
}

func (l *Lab) newSession(w http.ResponseWriter, r *http.Request, u *User) *session {
	s := &session{id: randomID(), user: u, started: l.now(), gone: map[string]bool{}, device: l.device(r)}
	secret := random(24)
	l.sessions.put(secret, s)
	http.SetCookie(w, &http.Cookie{Name: cookieSession, Value: secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return s
}

// finishSignIn asks the policies and for consent, and sends the code.
func (l *Lab) finishSignIn(w http.ResponseWriter, r *http.Request, p *pending, s *session) {
	silent := slices.Contains(strings.Fields(p.request.Prompt), "none")
	if p.dialect == DialectEntra {
		if l.blocked(s) {
			if silent {
				l.refuseBack(w, r, p, s, refusal{is: deviceBlocked})
				return
			}
			l.refusePageFor(w, r, p, s, refusal{is: deviceBlocked})
			return
		}
		missing := l.unconsented(p.client, s.user, p.scopes)
		if len(missing) > 0 || slices.Contains(strings.Fields(p.request.Prompt), "consent") {
			if silent {
				l.refuseBack(w, r, p, s, refusal{is: consentMissing, detail: strings.Join(missing, " ")})
				return
			}
			l.askConsent(w, r, p, s, missing)
			return
		}
	}
	value := l.newCode(p, s)
	l.tellSignIn(r, p, s)
	q := url.Values{"code": {value}, "session_state": {s.id}}
	l.back(w, r, p, q)
}

func (l *Lab) newCode(p *pending, s *session) string {
	value := randomID() + "." + s.id + "." + p.client.UUID
	if p.dialect == DialectEntra {
		value = "1." + random(48)
	}
	req := p.request
	l.codes.put(value, &code{
		client: p.client, session: s, dialect: p.dialect, redirect: req.RedirectURI, scopes: p.scopes, asked: req.Scope,
		nonce: req.Nonce, challenge: req.CodeChallenge, method: req.CodeChallengeMethod, resource: req.Resource, made: l.now(),
	})
	return value
}

// back sends the browser to the client, RFC 6749 section 4.1.2, RFC 9207.
func (l *Lab) back(w http.ResponseWriter, r *http.Request, p *pending, q url.Values) {
	if p.request.State != "" {
		q.Set("state", p.request.State)
	}
	q.Set("iss", l.issuer(r, p.dialect))
	w.Header().Set("Cache-Control", "no-store, must-revalidate, max-age=0")
	if p.request.ResponseMode == "form_post" {
		l.postBack(w, p.request.RedirectURI, q)
		return
	}
	to, err := url.Parse(p.request.RedirectURI)
	if err != nil { // it is registered, so an administrator wrote nonsense
		l.page(w, http.StatusBadRequest, errorPage{Realm: l.opt.Realm, Message: "Invalid parameter: redirect_uri"})
		return
	}
	if p.request.ResponseMode == "fragment" {
		to.Fragment = ""
		http.Redirect(w, r, to.String()+"#"+q.Encode(), http.StatusFound) //nolint:gosec // it was compared with the registration
		return
	}
	have := to.Query()
	for name := range q {
		have.Set(name, q.Get(name))
	}
	to.RawQuery = have.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound) //nolint:gosec // it was compared with the registration
}
