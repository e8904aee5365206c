package lab

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// lifePage is how long a sign-in page may wait for its person.
const lifePage = 30 * time.Minute

// hold keeps a request until its person answers, and gives where to answer.
func (l *Lab) hold(w http.ResponseWriter, r *http.Request, p *pending) string {
	if cookie, err := r.Cookie(cookieBrowser); err == nil && len(cookie.Value) == 32 {
		p.browser = cookie.Value
	} else {
		p.browser = random(24)
		http.SetCookie(w, &http.Cookie{Name: cookieBrowser, Value: p.browser, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	id := random(16)
	l.pending.put(id, p)
	return "/realms/" + url.PathEscape(l.opt.Realm) + "/login-actions/authenticate?session_code=" + id
}

func (l *Lab) askPassword(w http.ResponseWriter, r *http.Request, p *pending, name, notice string) {
	page := formPage{Realm: l.opt.Realm, Client: p.client.Name, Action: l.hold(w, r, p), User: name, Notice: notice}
	if l.opt.Users == nil {
		for _, u := range l.users {
			page.People = append(page.People, u.Name)
		}
	}
	l.render(w, http.StatusOK, "signin", page)
}

func (l *Lab) askConsent(w http.ResponseWriter, r *http.Request, p *pending, s *session, scopes []string) {
	p.session = s
	if len(scopes) == 0 {
		scopes = p.scopes
	}
	l.render(w, http.StatusOK, "consent", formPage{
		Realm: l.opt.Realm, Client: p.client.Name, User: s.user.Email, Action: l.hold(w, r, p), Scopes: scopes,
	})
}

// answer is where the forms of the sign-in go.
func (l *Lab) answer(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := r.URL.Query().Get("session_code")
	p, ok := l.pending.get(id)
	cookie, err := r.Cookie(cookieBrowser)
	if !ok || err != nil || cookie.Value != p.browser || l.now().Sub(p.made) > lifePage {
		l.page(w, http.StatusBadRequest, errorPage{Realm: l.opt.Realm, Message: "This page has been used or is too old. Start the sign-in again at the app."})
		return
	}
	l.pending.drop(id)
	if p.session != nil {
		l.answerConsent(w, r, p)
		return
	}
	name := strings.TrimSpace(r.PostFormValue("username"))
	u := l.user(name)
	switch {
	case u == nil:
		l.failPassword(w, r, p, name, refusal{is: userUnknown, detail: name})
	case u.Password.Reveal() != r.PostFormValue("password"):
		l.failPassword(w, r, p, name, refusal{is: passwordWrong, detail: name})
	case u.Disabled:
		l.failPassword(w, r, p, name, refusal{is: userDisabled, detail: name})
	default:
		l.finishSignIn(w, r, p, l.newSession(w, r, u))
	}
}

func (l *Lab) failPassword(w http.ResponseWriter, r *http.Request, p *pending, name string, bad refusal) {
	notice := "Invalid username or password."
	if bad.is == userDisabled {
		notice = "Account is disabled, contact your administrator."
	}
	l.tellPassword(r, p, bad)
	l.askPassword(w, r, p, name, notice)
}

func (l *Lab) answerConsent(w http.ResponseWriter, r *http.Request, p *pending) {
	if r.PostFormValue("consent") != "accept" {
		l.refuseBack(w, r, p, p.session, refusal{is: consentRefused})
		return
	}
	l.consent(p.client, p.session.user, p.scopes)
	p.request.Prompt = ""
	l.finishSignIn(w, r, p, p.session)
}

func consentKey(c *client, u *User) string { return c.ID + "\x00" + u.ID }

// consent notes that a person allows a client these scopes.
func (l *Lab) consent(c *client, u *User, scopes []string) {
	key := consentKey(c, u)
	for _, name := range scopes {
		if !slices.Contains(l.consents[key], name) {
			l.consents[key] = append(l.consents[key], name)
		}
	}
}

// unconsented gives the scopes that need a consent which is not there.
func (l *Lab) unconsented(c *client, u *User, scopes []string) []string {
	var missing []string
	for _, name := range scopes {
		if l.needConsent[name] && !slices.Contains(l.consents[consentKey(c, u)], name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// blocked tells whether the policy on devices refuses a session.
func (l *Lab) blocked(s *session) bool {
	return l.deviceRule && (s.device == nil || !s.device.Compliant)
}
