package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"usher"
)

// signInView is the sign-in page.
type signInView struct {
	First bool   // nobody has an account: the one-time password is asked for
	Name  string // as it was typed
	Next  string // the page that was asked for
}

func (c *console) signInPage(w http.ResponseWriter, r *http.Request) error {
	if who := actorOf(r.Context()); who.name != "" {
		http.Redirect(w, r, ownPath(r.URL.Query().Get("next")), http.StatusSeeOther)
		return nil
	}
	return c.showSignIn(w, r, http.StatusOK, "", "")
}

func (c *console) showSignIn(w http.ResponseWriter, r *http.Request, status int, name, problem string) error {
	has, err := c.opt.Accounts.HasAccounts(r.Context())
	if err != nil {
		return err
	}
	c.render(w, r, status, "signin", page{
		Title: "Sign in", Problem: problem,
		View: signInView{First: !has, Name: name, Next: ownPath(r.FormValue("next"))},
	})
	return nil
}

// signInForm lets in who knows a password. Whether the name exists cannot be
// told from the answer, nor from the time that it takes.
func (c *console) signInForm(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	name, password := strings.TrimSpace(r.PostFormValue("name")), usher.Secret(r.PostFormValue("password"))
	back, ok := c.limits.guess(c, r)
	if !ok {
		w.Header().Set("Retry-After", "10")
		return c.showSignIn(w, r, http.StatusTooManyRequests, show(name), "Too many tries. Wait ten seconds, then try once more.")
	}
	has, err := c.opt.Accounts.HasAccounts(r.Context())
	if err != nil {
		return err
	}
	if !has {
		return c.signInFirst(w, r, password, back)
	}
	account, err := c.opt.Accounts.Account(r.Context(), name)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	kept := nobody
	if known {
		kept = account.Password
	}
	if len(password) > maxPassword {
		password, known = "", false
	}
	right, err := c.hasher.matches(r.Context(), password, kept)
	if err != nil {
		return err
	}
	if !right || !known {
		who := "nobody here" // what was typed may be a password that went into the wrong field
		if account.Name != "" {
			who = account.Name
		}
		c.opt.Log.Warn("a sign-in was refused", "account", who, "address", remoteHost(r))
		return c.showSignIn(w, r, http.StatusUnauthorized, show(name), "The name and the password do not belong together.")
	}
	back()
	if err := c.begin(w, r, account.Name); err != nil {
		return err
	}
	http.Redirect(w, r, ownPath(r.PostFormValue("next")), http.StatusSeeOther)
	return nil
}

// signInFirst lets in who has read the one-time password on the terminal, as
// far as the page where a password is set.
func (c *console) signInFirst(w http.ResponseWriter, r *http.Request, password usher.Secret, back func()) error {
	ticket, err := c.opt.Accounts.TakeTicket(r.Context(), hashOf(plainTicket(password)))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err != nil || !c.opt.Now().Before(ticket.Expires) {
		return c.showSignIn(w, r, http.StatusUnauthorized, "",
			"That is not the one-time password, or it was used already or is older than a day. A restart of usher serve prints a new one.")
	}
	back()
	if err := c.begin(w, r, ""); err != nil {
		return err
	}
	http.Redirect(w, r, "/password", http.StatusSeeOther)
	return nil
}

func (c *console) signOutForm(w http.ResponseWriter, r *http.Request) error {
	if err := c.end(w, r); err != nil {
		return err
	}
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
	return nil
}

// passwordView is the page where a password is set.
type passwordView struct {
	First bool
	Name  string
}

func (c *console) passwordPage(w http.ResponseWriter, r *http.Request) error {
	who := actorOf(r.Context())
	if who.session == nil {
		http.Redirect(w, r, "/signin", http.StatusSeeOther)
		return nil
	}
	c.render(w, r, http.StatusOK, "password", page{Title: "Set a password", View: passwordView{First: who.setup, Name: show(who.name)}})
	return nil
}

func (c *console) passwordForm(w http.ResponseWriter, r *http.Request) error {
	who := actorOf(r.Context())
	if who.session == nil {
		return refusal(CodeSignIn, "sign in first", "")
	}
	if err := r.ParseForm(); err != nil {
		return err
	}
	name, password := who.name, usher.Secret(r.PostFormValue("password"))
	if who.setup {
		name = strings.TrimSpace(r.PostFormValue("name"))
	}
	again := func(err error) error {
		body, status := c.asProblem(r, err)
		c.render(w, r, status, "password", page{
			Title: "Set a password", Problem: sentence(capital(body.Error.Message)) + hintAfter(body.Error.Hint),
			View: passwordView{First: who.setup, Name: show(name)},
		})
		return nil
	}
	if err := c.maySet(r, who); err != nil {
		return again(err)
	}
	if err := checkName(name); err != nil {
		return again(err)
	}
	if err := checkPassword(name, password); err != nil {
		return again(err)
	}
	if password != usher.Secret(r.PostFormValue("again")) {
		return again(refusal(CodeUnprocessed, "the two passwords differ", "type the same one twice"))
	}
	kept, err := c.hasher.hash(r.Context(), password)
	if err != nil {
		return err
	}
	now := c.opt.Now().UTC()
	if err := c.opt.Accounts.PutAccount(r.Context(), Account{Name: name, Password: kept, Changed: now}); err != nil {
		return err
	}
	// Whoever was signed in with the old password is not any longer.
	if err := c.opt.Accounts.DropSessions(r.Context(), name, now); err != nil {
		return err
	}
	if err := c.begin(w, r, name); err != nil {
		return err
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// maySet asks for the old password where there is one, so that an unlocked
// screen is not enough; and a setup session is over once somebody has an account.
func (c *console) maySet(r *http.Request, who actor) error {
	if who.setup {
		has, err := c.opt.Accounts.HasAccounts(r.Context())
		if err == nil && has {
			err = refusal(usher.ErrForbidden, "somebody has set a password already", "sign in with it")
		}
		return err
	}
	back, ok := c.limits.guess(c, r)
	if !ok {
		return refusal(CodeTooMany, "too many tries", "wait ten seconds")
	}
	account, err := c.opt.Accounts.Account(r.Context(), who.name)
	if err != nil {
		return err
	}
	right, err := c.hasher.matches(r.Context(), usher.Secret(r.PostFormValue("old")), account.Password)
	if err == nil && !right {
		err = refusal(CodeUnprocessed, "the old password is wrong", "")
	}
	if err == nil {
		back()
	}
	return err
}

// ownPath gives the page to go to next: one of ours, whatever was asked for.
func ownPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\t\r\n") || strings.HasPrefix(u.Path, "/signin") {
		return "/"
	}
	return next
}

func nextQuery(r *http.Request) string {
	if changes(r) || r.URL.Path == "/" && r.URL.RawQuery == "" {
		return ""
	}
	return "?next=" + url.QueryEscape(r.URL.RequestURI())
}
