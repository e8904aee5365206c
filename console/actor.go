package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"usher"
)

// actor is who asks.
type actor struct {
	name    string   // as the timeline names them; empty: nobody is signed in
	session *Session // of a browser
	setup   bool     // came in with the one-time password and may only set one
	program bool     // has a key
	caller  bool     // has a key for tokens of connections alone, which is none here
}

type actorKey struct{}

func actorOf(ctx context.Context) actor {
	who, _ := ctx.Value(actorKey{}).(actor)
	return who
}

// by is the name under which what a request does is noted.
func by(r *http.Request) string { return actorOf(r.Context()).name }

// recognise tells who asks: the machine's owner over the unix socket, a program
// by its key, a person by the session; and notes that key or session was used.
func (c *console) recognise(r *http.Request) (actor, error) { return c.identify(r, true) }

// identify is recognise; without use it only looks.
func (c *console) identify(r *http.Request, use bool) (actor, error) {
	ctx := r.Context()
	if IsTrusted(ctx) {
		return actor{name: localName(r)}, nil
	}
	if scheme, value, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return c.program(r, strings.TrimSpace(value), use)
	}
	id, ok := sessionID(r)
	if !ok {
		return actor{}, nil
	}
	session, err := c.opt.Accounts.Session(ctx, hashOf(id))
	if errors.Is(err, ErrNotFound) {
		return actor{}, nil
	}
	if err != nil {
		return actor{}, err
	}
	now := c.opt.Now()
	if session.over(now) {
		return actor{}, c.opt.Accounts.DropSession(ctx, session.Hash)
	}
	if minute := now.UTC().Truncate(time.Minute); use && minute.After(session.Used) {
		if err := c.opt.Accounts.TouchSession(ctx, session.Hash, minute); err != nil {
			return actor{}, err
		}
	}
	return actor{name: session.Account, session: &session, setup: session.Account == ""}, nil
}

// localName is who asks over the unix socket: the client may say which user of
// the machine types, for the timeline.
func localName(r *http.Request) string {
	name := r.Header.Get("Usher-User")
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(c rune) bool { return c < 0x21 || c > 0x7e }) {
		return "local user"
	}
	return name
}

// program recognises a key.
func (c *console) program(r *http.Request, value string, use bool) (actor, error) {
	if value == "" || len(value) > 200 {
		return actor{}, errWrongKey
	}
	key, err := c.opt.Accounts.Key(r.Context(), hashOf(usher.Secret(value)))
	if errors.Is(err, ErrNotFound) {
		return actor{}, errWrongKey
	}
	if err != nil {
		return actor{}, err
	}
	now := c.opt.Now()
	if !key.Expires.IsZero() && !now.Before(key.Expires) {
		return actor{}, refusal(CodeSignIn, "the key has expired", "make a new one at /keys")
	}
	if key.Connections != "" {
		return actor{caller: true}, nil
	}
	if minute := now.UTC().Truncate(time.Minute); use && minute.After(key.Used) {
		if err := c.opt.Accounts.TouchKey(r.Context(), key.ID, minute); err != nil {
			return actor{}, err
		}
	}
	return actor{name: "key " + key.Name, program: true}, nil
}

var errWrongKey = refusal(CodeSignIn, "the key is not known here", "make one at /keys, or with POST /api/v1/keys over the unix socket")

// turnAway answers who is not signed in: programs with a status, people with
// the page where they can do so.
func (c *console) turnAway(rt route, w http.ResponseWriter, r *http.Request, who actor) {
	if who.caller {
		c.tell(rt, w, r, refusal(usher.ErrForbidden, "this key is for tokens of connections, and for nothing else", "GET /connections/ID/token takes it"))
		return
	}
	if rt.API {
		c.tell(rt, w, r, refusal(CodeSignIn, "sign in first", "send a key as \"Authorization: Bearer\", or use the unix socket on the same machine"))
		return
	}
	if who.setup {
		http.Redirect(w, r, "/password", http.StatusSeeOther)
		return
	}
	if site := r.Header.Get("Sec-Fetch-Site"); !changes(r) && (site == "cross-site" || site == "same-site") && !hasSessionCookie(r) {
		// The cookie is not sent along a link from elsewhere, so this may be
		// somebody who is signed in. The page asks for itself once more.
		c.render(w, r, http.StatusOK, "again", page{Title: "One moment"})
		return
	}
	http.Redirect(w, r, "/signin"+nextQuery(r), http.StatusSeeOther)
}
