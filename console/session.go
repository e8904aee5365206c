package console

import (
	"net/http"
	"time"

	"usher"
)

// Life of a session: as long as it is used, and never longer than a week.
const (
	sessionIdle = 12 * time.Hour
	sessionLife = 7 * 24 * time.Hour
	setupLife   = 15 * time.Minute // of one that has to set a password
)

// The cookie's name is prefixed where it can be: then a browser takes it from
// nobody but this host, over https.
const (
	cookieName       = "usher_session"
	secureCookieName = "__Host-usher_session"
)

func (s *Session) over(now time.Time) bool {
	return !now.Before(s.Expires) || now.Sub(s.Used) >= sessionIdle
}

// sessionID gives the id that a request brings.
func sessionID(r *http.Request) (usher.Secret, bool) {
	for _, name := range []string{secureCookieName, cookieName} {
		if cookie, err := r.Cookie(name); err == nil && cookie.Value != "" && len(cookie.Value) <= 100 {
			return usher.Secret(cookie.Value), true
		}
	}
	return "", false
}

func hasSessionCookie(r *http.Request) bool {
	_, ok := sessionID(r)
	return ok
}

// begin ends whatever session the browser had and starts a new one, with an id
// that nobody could have planted.
func (c *console) begin(w http.ResponseWriter, r *http.Request, account string) error {
	if old, ok := sessionID(r); ok {
		if err := c.opt.Accounts.DropSession(r.Context(), hashOf(old)); err != nil {
			return err
		}
	}
	now, id := c.opt.Now().UTC(), randomID()
	life := sessionLife
	if account == "" {
		life = setupLife
	}
	session := Session{
		Hash: hashOf(usher.Secret(id)), Account: account,
		Started: now, Used: now.Truncate(time.Minute), Expires: now.Add(life),
	}
	if err := c.opt.Accounts.PutSession(r.Context(), session); err != nil {
		return err
	}
	http.SetCookie(w, c.cookie(r, id, int(life.Seconds())))
	return nil
}

// end ends the session of a browser.
func (c *console) end(w http.ResponseWriter, r *http.Request) error {
	http.SetCookie(w, c.cookie(r, "", -1))
	if id, ok := sessionID(r); ok {
		return c.opt.Accounts.DropSession(r.Context(), hashOf(id))
	}
	return nil
}

func (c *console) cookie(r *http.Request, value string, age int) *http.Cookie {
	cookie := &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: c.secure || r.TLS != nil,
	}
	if cookie.Secure {
		cookie.Name = secureCookieName
	}
	return cookie
}
