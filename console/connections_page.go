package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher"
	"usher/broker"
	"usher/policy/lifespan"
	"usher/report"
)

// connectionsView is the page of connections.
type connectionsView struct {
	Rows []connectionRow
}

// connectionRow is a connection as the list and the head of its page show it.
type connectionRow struct {
	ID, URL            string
	State, Word        string // State is one of the classes that cases have: open, verifying, fixed, quiet
	At, Policy, Client string
	Alive, Renew       moment
	AliveFor           string // "8 minutes", or that it is over
	Trouble            *troubleRow
	Life               *life
	Case               int64
}

// troubleRow is what is wrong and whose turn it is.
type troubleRow struct {
	Title, Cause, Detail string
	Turn                 string // whose turn it is and for what
	Since                moment
	Tries                string
	Again                moment // when it is tried again
	Connect              bool   // a person has to connect
	Secret               bool   // the secret has to be replaced
}

// connectionView is the page of one connection.
type connectionView struct {
	Row         connectionRow
	Revision    int64
	Interactive bool // a person connects it
	Generation  int64
	Obtained    moment
	Used        moment
	Absolute    moment
	Healed      *troubleRow
	HealedAt    moment
	Notes       []string
	Facts       []fact
	Reasons     []lifespan.Reason
	HasSecret   bool
	Address     string // that programs ask
}

// newConnectionView is the page with the form of a new one.
type newConnectionView struct {
	Presets []Preset
	Form    url.Values // what was typed, without the secret
}

// Get gives what was typed into a field.
func (v newConnectionView) Get(name string) string { return show(v.Form.Get(name)) }

func (c *console) connectionsPage(w http.ResponseWriter, r *http.Request) error {
	if c.opt.Connections == nil {
		return errNoBroker
	}
	all, err := c.opt.Connections.Connections(r.Context())
	if err != nil {
		return err
	}
	view := connectionsView{}
	ill := 0
	for i := range all {
		row := c.connectionRow(&all[i])
		if row.State == "open" {
			ill++
		}
		view.Rows = append(view.Rows, row)
	}
	title := "Connections"
	if ill > 0 {
		title = "(" + thousands(ill) + ") Connections"
	}
	c.render(w, r, http.StatusOK, "connections", page{Title: title, View: view, Live: true})
	return nil
}

func (c *console) connectionPage(w http.ResponseWriter, r *http.Request) error {
	id, err := c.connectionID(r)
	if err != nil {
		return err
	}
	return c.showConnection(w, r, id, http.StatusOK, nil)
}

// showConnection shows one; what went wrong is told with everything else in sight.
func (c *console) showConnection(w http.ResponseWriter, r *http.Request, id string, status int, problem error) error {
	found, err := c.opt.Connections.Connection(r.Context(), id)
	if err != nil {
		return err
	}
	reasons, err := c.opt.Connections.Explain(r.Context(), id)
	if err != nil {
		return err
	}
	view := c.connectionView(&found, reasons)
	view.Address = show(cmp.Or(strings.TrimSuffix(c.opt.URL, "/"), "http://"+r.Host))
	p := page{Title: show(id), Section: "connections", View: view, Live: true, URL: connectionURL(id)}
	if problem != nil {
		var body problemBody
		body, status = c.asProblem(r, problem)
		p.Problem = sentence(capital(body.Error.Message)) + hintAfter(body.Error.Hint)
	}
	c.render(w, r, status, "connection", p)
	return nil
}

func connectionURL(id string) string { return "/connections/" + url.PathEscape(id) }

func (c *console) connectionRow(k *Connection) connectionRow {
	s := &k.Status
	row := connectionRow{
		ID: show(k.Config.ID), URL: connectionURL(k.Config.ID), State: "quiet", Word: capital(show(string(s.State))),
		At: show(cmp.Or(k.Config.Provider, k.Config.Preset, hostOf(k.Config.Issuer, k.Config.Endpoints.Token))), Policy: show(cmp.Or(k.Config.Policy, "default")),
		Client: show(k.Config.ClientID), Alive: c.moment(s.Expires), Renew: c.moment(s.RenewAt), Case: k.Case, Life: c.drawLife(s),
	}
	now := c.opt.Now()
	switch {
	case s.Generation == 0:
		row.AliveFor = "no token yet"
	case s.Expires.IsZero():
		row.AliveFor = "for an unknown time"
	case s.Expires.After(now):
		row.AliveFor = span(s.Expires.Sub(now))
	default:
		row.AliveFor = "over"
	}
	switch {
	case k.Config.Disabled:
		row.Word = "Disabled"
		return row
	case s.State == broker.StateAlive:
		row.State = "fixed"
	case s.State == broker.StateFailing:
		row.State = "verifying"
	case s.State == broker.StateWaiting:
		row.State = "open"
	}
	row.Trouble = c.troubleRow(s.Trouble, s.RenewAt)
	if row.Trouble == nil && s.State == broker.StateNew && broker.Interactive(k.Config.Grant) {
		row.Trouble = &troubleRow{Title: "nobody has connected it yet", Turn: "somebody’s, to connect it", Connect: true}
	}
	return row
}

func (c *console) troubleRow(t *broker.Trouble, again time.Time) *troubleRow {
	if t == nil {
		return nil
	}
	row := &troubleRow{
		Title: show(t.Title), Cause: show(t.Cause), Since: c.moment(t.Since), Tries: count(t.Tries, "try", "tries"), Again: c.moment(again),
		Connect: t.Strategy == "ask", Secret: t.Strategy == "rotate",
	}
	var said []string
	for _, part := range []string{t.Code, t.Detail} {
		if part != "" {
			said = append(said, text(part))
		}
	}
	row.Detail = strings.Join(said, ": ")
	who := "nobody’s"
	if t.Turn != "" && t.Turn != usher.FixerNobody {
		who = report.FixerName(t.Turn) + "’s"
	}
	switch t.Strategy {
	case "ask":
		row.Turn = who + ", to connect it again"
	case "rotate":
		row.Turn = who + ", to replace the client’s secret"
	case "narrow":
		row.Turn = who + ", to ask for the scopes that are granted"
	case "give-up":
		row.Turn = who + ", to change the configuration"
	default:
		row.Turn = who + ": usher tries again by itself"
	}
	return row
}

func (c *console) connectionView(k *Connection, reasons []lifespan.Reason) connectionView {
	s := &k.Status
	view := connectionView{
		Row: c.connectionRow(k), Revision: k.Revision, Interactive: broker.Interactive(k.Config.Grant), Generation: s.Generation,
		Obtained: c.moment(s.Obtained), Used: c.moment(s.Used), Absolute: c.moment(s.Absolute), Healed: c.troubleRow(s.Healed, time.Time{}),
		HasSecret: strings.HasPrefix(k.Config.AuthMethod, "client_secret") && k.Managed == "",
	}
	if s.Healed != nil {
		view.HealedAt = c.moment(s.Healed.Ended)
	}
	for _, note := range s.Notes {
		view.Notes = append(view.Notes, text(note))
	}
	for _, r := range reasons {
		r.Source, r.Name, r.Text, r.Field, r.Value = show(r.Source), show(r.Name), text(r.Text), show(r.Field), show(r.Value)
		view.Reasons = append(view.Reasons, r)
	}
	add := func(name, value string) {
		if value != "" {
			view.Facts = append(view.Facts, fact{name, show(value)})
		}
	}
	add("Grant", k.Config.Grant)
	add("Client", k.Config.ClientID)
	add("Authenticates with", k.Config.AuthMethod)
	add("Managed secret", k.Managed)
	add("Issuer", k.Config.Issuer)
	add("Token endpoint", k.Config.Endpoints.Token)
	add("Redirect URI", k.RedirectURI)
	add("Scopes asked for", strings.Join(k.Config.Scopes, " "))
	add("Scopes granted", strings.Join(s.Scopes, " "))
	add("User", s.User)
	add("Role", k.Config.Role)
	add("Owner", k.Config.Owner)
	add("Callers", strings.Join(k.Config.Callers, " "))
	add("Egress targets", strings.Join(k.Config.Targets, " "))
	if s.ExpiresIn > 0 {
		add("The provider said", fmt.Sprintf("expires_in %d", s.ExpiresIn))
	}
	return view
}

func hostOf(urls ...string) string {
	for _, text := range urls {
		if u, err := url.Parse(text); err == nil && u.Host != "" {
			return u.Host
		}
	}
	return ""
}

// life is the drawing of a token's life: obtained, now, renewed, end.
type life struct {
	From, To, Now  int64 // seconds since 1970, for the script that moves now
	NowX, RenewX   int   // of lifeWidth; RenewX below 0: not by itself
	Left, Middle   string
	Words          string
	Over           bool
	Begin, End, At moment
}

const lifeWidth = 560

// drawLife draws a token that has an end.
func (c *console) drawLife(s *broker.Status) *life {
	if s.Generation == 0 || s.Expires.IsZero() || !s.Expires.After(s.Obtained) {
		return nil
	}
	now := c.opt.Now()
	l := &life{
		From: s.Obtained.Unix(), To: s.Expires.Unix(), Now: now.Unix(), RenewX: -1,
		Begin: c.moment(s.Obtained), End: c.moment(s.Expires), At: c.moment(s.RenewAt), Over: !s.Expires.After(now),
	}
	x := func(t time.Time) int {
		part := float64(t.Sub(s.Obtained)) / float64(s.Expires.Sub(s.Obtained))
		return int(min(max(part, 0), 1) * lifeWidth)
	}
	l.NowX = x(now)
	l.Words = "The token was obtained at " + l.Begin.Short + " and lives until " + l.End.Short + "."
	if s.RenewAt.After(s.Obtained) && !s.RenewAt.After(s.Expires) {
		l.RenewX = x(s.RenewAt)
		l.Words += " It is renewed at " + l.At.Short + "."
	}
	if l.Over {
		l.Words = "The token of " + l.Begin.Short + " is over since " + l.End.Short + "."
	}
	return l
}

// actConnection runs what a form asks for and goes back to the connection, where
// what went wrong is told.
func (c *console) actConnection(w http.ResponseWriter, r *http.Request, do func(id string) (to string, err error)) error {
	id, err := c.connectionID(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return err
	}
	to, err := do(id)
	if err != nil {
		var known *usher.Error
		if errors.As(err, &known) && known.Code == usher.ErrNotFound {
			return err
		}
		return c.showConnection(w, r, id, http.StatusConflict, err)
	}
	if to != "" {
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
	return nil
}

func (c *console) renewForm(w http.ResponseWriter, r *http.Request) error {
	return c.actConnection(w, r, func(id string) (string, error) {
		ctx, cancel := patient(r)
		defer cancel()
		_, err := c.opt.Connections.Renew(ctx, id, by(r))
		return connectionURL(id), err
	})
}

// linkView is the page that shows a link, once.
type linkView struct{ ID, Back, Link string }

func (c *console) connectForm(w http.ResponseWriter, r *http.Request) error {
	return c.actConnection(w, r, func(id string) (string, error) {
		link, err := c.opt.Connections.Connect(r.Context(), id, by(r))
		if err != nil {
			return "", err
		}
		c.render(w, r, http.StatusOK, "link", page{Title: "Connect " + show(id), Section: "connections", URL: connectionURL(id), View: linkView{show(id), connectionURL(id), link}})
		return "", nil
	})
}

func (c *console) newSecretForm(w http.ResponseWriter, r *http.Request) error {
	return c.actConnection(w, r, func(id string) (string, error) {
		secret := strings.TrimSpace(r.PostFormValue("secret"))
		if secret == "" {
			return "", refusal(CodeUnprocessed, "there is no secret in the form", "paste the new one")
		}
		found, err := c.opt.Connections.Connection(r.Context(), id)
		if err != nil {
			return "", err
		}
		ctx, cancel := patient(r)
		defer cancel()
		_, err = c.opt.Connections.Configure(ctx, id, ChangedConnection{Revision: found.Revision, Config: found.Config, ClientSecret: secret}, by(r))
		return connectionURL(id), err
	})
}

func (c *console) removeForm(w http.ResponseWriter, r *http.Request) error {
	return c.actConnection(w, r, func(id string) (string, error) {
		if r.PostFormValue("id") != id {
			return "", refusal(CodeUnprocessed, "the id that was typed is not that of the connection", "type "+id+" if you mean it")
		}
		ctx, cancel := patient(r)
		defer cancel()
		return "/connections", c.opt.Connections.Remove(ctx, id, by(r))
	})
}

func (c *console) newConnectionPage(w http.ResponseWriter, r *http.Request) error {
	if c.opt.Connections == nil {
		return errNoBroker
	}
	return c.showNewConnection(w, r, http.StatusOK, nil, "")
}

func (c *console) showNewConnection(w http.ResponseWriter, r *http.Request, status int, form url.Values, problem string) error {
	view := newConnectionView{Presets: c.opt.Connections.Presets(r.Context()), Form: form}
	c.render(w, r, status, "newconnection", page{Title: "A new connection", Section: "connections", Problem: problem, View: view, URL: "/connections/new"})
	return nil
}

func (c *console) addForm(w http.ResponseWriter, r *http.Request) error {
	if c.opt.Connections == nil {
		return errNoBroker
	}
	if err := r.ParseForm(); err != nil {
		return err
	}
	form := r.PostForm
	wish := NewConnection{
		Config: broker.Config{
			ID: strings.TrimSpace(form.Get("id")), Preset: form.Get("preset"), Issuer: strings.TrimSpace(form.Get("issuer")), Grant: form.Get("grant"),
			ClientID: strings.TrimSpace(form.Get("client")), Scopes: strings.Fields(form.Get("scopes")), Owner: strings.TrimSpace(form.Get("owner")),
		},
		ClientSecret: strings.TrimSpace(form.Get("secret")), Variables: map[string]string{},
	}
	for _, pair := range strings.Fields(form.Get("variables")) {
		name, value, _ := strings.Cut(pair, "=")
		wish.Variables[name] = value
	}
	ctx, cancel := patient(r)
	defer cancel()
	made, err := c.opt.Connections.Add(ctx, wish, by(r))
	if err != nil {
		body, status := c.asProblem(r, err)
		form.Del("secret")
		return c.showNewConnection(w, r, status, form, sentence(capital(body.Error.Message))+hintAfter(body.Error.Hint))
	}
	http.Redirect(w, r, connectionURL(made.Config.ID), http.StatusSeeOther)
	return nil
}
