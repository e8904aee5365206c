package connect

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"usher/broker"
	"usher/broker/preset"
)

//go:embed pages
var files embed.FS

// frame is what every page has.
type frame struct {
	Title, Style, Icon, Version string
	// Next is where the page goes by itself, after Wait seconds; empty: nowhere.
	Next string
	Wait int
	View any
}

var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").ParseFS(files, "pages/*.html"))
})

// render writes a page, whole or not at all.
func (h *Handler) render(w http.ResponseWriter, status int, name string, f frame) {
	f.Style, f.Icon, f.Version = h.opt.Style, h.opt.Icon, h.opt.Version
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, f); err != nil {
		h.opt.Log.Error("a connect page could not be rendered", "page", name, "error", err)
		http.Error(w, "this page could not be rendered; the log of usher serve says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

type problemView struct {
	Hint  string
	Again string // path of the page to begin anew; empty: none
}

func (h *Handler) problem(w http.ResponseWriter, status int, title, hint string) {
	h.render(w, status, "problem", frame{Title: title, View: problemView{Hint: hint}})
}

// about is what a page tells of a connection.
type about struct {
	ID       string
	Provider string // "PayPal REST APIs"
	Host     string // where the person is sent
	Client   string
	Scopes   []string
	Identity bool // who the person is, too
	Offline  bool // also while the person is away
	Owner    string
	Callers  []string
	Before   string // who has connected before
	Trouble  string // why somebody is asked now
	Since    string
	Alive    bool
}

func (h *Handler) about(v broker.View) about {
	c := v.Config
	a := about{
		ID: c.ID, Provider: providerTitle(c), Client: inert(c.ClientID, 100), Owner: inert(c.Owner, 100), Before: inert(v.Status.User, 100), Alive: v.Status.State == broker.StateAlive,
	}
	for _, s := range c.Scopes {
		switch s {
		case "openid":
			a.Identity = true
			continue
		case "offline_access":
			a.Offline = true
			continue
		}
		a.Scopes = append(a.Scopes, inert(s, 120))
	}
	for _, name := range c.Callers {
		a.Callers = append(a.Callers, inert(name, 60))
	}
	if u, err := url.Parse(c.Endpoints.Authorization); err == nil && c.Grant == broker.GrantCode && u.Host != a.Provider {
		a.Host = u.Host
	}
	if t := v.Status.Trouble; t != nil && v.Status.State != broker.StateNew {
		a.Trouble, a.Since = sentence(inert(t.Title, 300)), t.Since.UTC().Format("2 January 15:04 MST")
	}
	return a
}

// providerTitle is what people call the other side.
func providerTitle(c broker.Config) string {
	if p, err := preset.Named(c.Preset); err == nil {
		return p.Title
	}
	for _, address := range []string{c.Issuer, c.Endpoints.Authorization, c.Endpoints.Token} {
		if u, err := url.Parse(address); err == nil && u.Host != "" {
			if c.Provider != "" {
				return inert(c.Provider, 60) + " (" + u.Host + ")"
			}
			return u.Host
		}
	}
	return inert(c.Provider, 60)
}

// pageView is the page where a person connects.
type pageView struct {
	about
	T        string // the signed link, for the form
	Operator bool
	Device   bool
	Action   string
	// Cannot says why nobody can connect here; empty: somebody can.
	Cannot, Hint string
}

// page shows what will be asked. It changes nothing.
func (h *Handler) page(w http.ResponseWriter, r *http.Request, id string) {
	v, who, ok := h.enter(w, r, id, r.URL.Query().Get("t"))
	if !ok {
		return
	}
	view := pageView{about: h.about(v), T: who.link, Operator: who.operator != "", Device: v.Config.Grant == broker.GrantDevice, Action: "/connect/" + id}
	view.Cannot, view.Hint = cannot(v.Config)
	title := "Connect " + view.Provider
	h.render(w, http.StatusOK, "connect", frame{Title: title, View: view})
}

// enter gives the connection to who has a right to its page, and tells others
// nothing, not even whether there is one of that name.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request, id, t string) (broker.View, visitor, bool) {
	if _, isOperator := h.opt.Operator(r); !isOperator && t == "" {
		h.noLink(w)
		return broker.View{}, visitor{}, false
	}
	v, err := h.opt.Broker.Get(r.Context(), id)
	if err == nil && v.Config.ID != id {
		v.Config.ID = id
	}
	if isNotFound(err) {
		if _, isOperator := h.opt.Operator(r); isOperator {
			h.problem(w, http.StatusNotFound, "There is no connection of that name", "usher connections lists them.")
		} else {
			h.noLink(w)
		}
		return broker.View{}, visitor{}, false
	}
	if err != nil {
		h.broken(w, r, err)
		return broker.View{}, visitor{}, false
	}
	who, err := h.admit(r, v, t)
	switch err {
	case nil:
		return v, who, true
	case errOldLink:
		h.problem(w, http.StatusForbidden, "This link is no longer good", "It was made for a few days, or somebody has connected since. Ask for a new one: usher connections connect "+id)
	case errNoLink:
		h.noLink(w)
	default:
		h.broken(w, r, err)
	}
	return broker.View{}, visitor{}, false
}

func (h *Handler) noLink(w http.ResponseWriter) {
	h.problem(w, http.StatusForbidden, "This page needs a link", "Open the whole link that you were given, up to its last character. It is good for a few days, and until somebody has connected. Operators sign in to usher first.")
}

func (h *Handler) broken(w http.ResponseWriter, r *http.Request, err error) {
	h.opt.Log.Error("a connect page could not be answered", "method", r.Method, "path", inert(r.URL.Path, 100), "error", inert(err.Error(), 300))
	h.problem(w, http.StatusInternalServerError, "Something went wrong inside usher", "Nothing was sent anywhere. The log of usher serve says what it was.")
}

// cannot tells why a person has nothing to do here.
func cannot(c broker.Config) (why, hint string) {
	switch {
	case c.Disabled:
		return "This connection is switched off.", "An operator can switch it on again."
	case c.Grant == broker.GrantRefresh:
		return "This connection lives by a refresh token that somebody handed in.", "Hand in another: usher connections add, with --refresh-token-file."
	case c.Grant != broker.GrantCode && c.Grant != broker.GrantDevice:
		return "This connection needs no person: the program authenticates by itself.", "usher connections explain says why it has no token, if it has none."
	case c.Grant == broker.GrantCode && c.Endpoints.Authorization == "":
		return "The configuration names no authorization_endpoint.", "Set it, or make the connection anew with --issuer or --preset."
	case c.Grant == broker.GrantDevice && c.Endpoints.DeviceAuthorization == "":
		return "The configuration names no device_authorization_endpoint.", "Set it, or make the connection anew with --issuer or --preset."
	case slices.Contains(c.Scopes, "openid") && (c.Issuer == "" || c.Endpoints.JWKS == ""):
		return "The scope openid asks who you are, and the configuration names no issuer or no jwks_uri that the answer could be verified with.", "Set both, or leave openid out of the scopes."
	}
	return "", ""
}

// inert makes text of others safe for a page, a log and one line: no control
// characters, nothing that turns the direction, at most n runes.
func inert(s string, n int) string {
	var b strings.Builder
	count := 0
	for _, r := range s {
		if count == n {
			b.WriteString("…")
			break
		}
		if r == unicode.ReplacementChar || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp) {
			if r != '\n' && r != '\t' && r != '\r' {
				continue
			}
			r = ' '
		}
		b.WriteRune(r)
		count++
	}
	return b.String()
}

// sentence gives text a capital and a full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	runes := []rune(s)
	runes[0] = unicode.ToUpper(runes[0])
	if last := runes[len(runes)-1]; last != '.' && last != '!' && last != '?' && last != '…' {
		runes = append(runes, '.')
	}
	return string(runes)
}

// span says a time in words.
func span(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d <= 0:
		return "no time"
	case d < 2*time.Minute:
		return d.String()
	case d < 2*time.Hour:
		return plural(int(d.Round(time.Minute)/time.Minute), "minute")
	case d < 48*time.Hour:
		return plural(int(d.Round(time.Hour)/time.Hour), "hour")
	}
	return plural(int(d/(24*time.Hour)), "day")
}
