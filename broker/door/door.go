package door

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"usher"
	"usher/broker"
	"usher/oauth"
)

// ErrNotFound is what Keys answers when there is no such key.
var ErrNotFound = errors.New("there is no such key")

// Key is a program's way in, as the store has it.
type Key struct {
	ID          string
	Name        string
	Connections string    // "" is an operator's; AllConnections; else ids with blanks between
	Expires     time.Time // zero: never
}

// AllConnections is the right to take the token of any connection, and nothing else.
const AllConnections = "*"

// Operator tells whether the key is for everything that usher does.
func (k *Key) Operator() bool { return k.Connections == "" }

// May tells whether the key may take the token of a connection, as far as the
// key says it.
func (k *Key) May(id string) bool {
	if k.Connections == "" || k.Connections == AllConnections {
		return true
	}
	for list := k.Connections; list != ""; {
		var one string
		one, list, _ = strings.Cut(list, " ")
		if one == id {
			return true
		}
	}
	return false
}

// Told is what a subscriber is told of a connection. It holds no token.
type Told struct {
	Connection string          `json:"connection"`
	Generation int64           `json:"generation"`
	State      broker.State    `json:"state"`
	Expires    time.Time       `json:"expires,omitzero"`
	Trouble    *broker.Trouble `json:"-"`
	Healed     *broker.Trouble `json:"-"`
	Callers    []string        `json:"-"` // names of the keys that may take the token; none: every key
	Removed    bool            `json:"removed,omitempty"`
}

// Options are what New needs. Source, Key and Watch are required.
type Options struct {
	// Source gives the tokens. It answers broker.ErrForbidden, broker.ErrNotFound, a
	// *broker.Unavailable or the error of the context.
	Source broker.Source
	// Key gives a key by the hex of the SHA-256 of its value, or ErrNotFound.
	Key func(ctx context.Context, hash string) (Key, error)
	// Used is told, at most once a minute and key, that a key was used; nil:
	// nobody is told.
	Used func(id string, at time.Time)
	// Watch tells of connections from now on until ctx ends: first how each of
	// them stands (all of them where ids is empty), then what changes. It closes
	// the channel of who does not keep up.
	Watch func(ctx context.Context, ids []string) <-chan Told
	// Trusted tells whether a request comes from the machine's owner, over the
	// unix socket, and needs no key; nil: never.
	Trusted func(context.Context) bool

	Now  func() time.Time // nil: time.Now
	Wait time.Duration    // the longest that a caller is kept waiting; 0: DefaultWait
	// Stop ends the streams when it is closed.
	Stop <-chan struct{}
}

// DefaultWait is how long a caller is kept waiting: longer than a provider may
// take to answer.
const DefaultWait = 75 * time.Second

// Door answers programs that want tokens. It is safe for concurrent use.
type Door struct {
	opt     Options
	keys    keyCache
	streams chan struct{}
}

// maxStreams bounds the subscribers.
const maxStreams = 1000

// New makes a door.
func New(opt Options) *Door {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Wait <= 0 {
		opt.Wait = DefaultWait
	}
	return &Door{opt: opt, streams: make(chan struct{}, maxStreams)}
}

// Route tells whether a path is the door's.
func Route(path string) bool {
	rest, ok := strings.CutPrefix(path, "/connections/")
	if !ok {
		return false
	}
	if rest == "events" {
		return true
	}
	id, ok := strings.CutSuffix(rest, "/token")
	return ok && id != "" && strings.IndexByte(id, '/') < 0
}

// ServeHTTP answers the paths of Route.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Cache-Control"] = noStore // RFC 6749 section 5.1
	h["X-Content-Type-Options"] = noSniff
	rest := strings.TrimPrefix(r.URL.Path, "/connections/")
	if rest == "events" {
		d.events(w, r)
		return
	}
	id, ok := strings.CutSuffix(rest, "/token")
	if !ok || id == "" {
		refuse(w, http.StatusNotFound, problem{Error: "not_found", Description: "there is nothing at this address"}, "")
		return
	}
	d.token(w, r, id)
}

var (
	noStore = []string{"no-store"}
	noSniff = []string{"nosniff"}
	asJSON  = []string{"application/json"}
)

// caller is who asks.
type caller struct {
	name     string // as events name them
	key      *Key   // nil: the machine's owner
	operator bool
}

// may tells whether a caller may take the token of a connection, as far as the
// key says it.
func (c *caller) may(id string) bool { return c.key == nil || c.key.May(id) }

// recognise tells who asks, or answers the request itself.
func (d *Door) recognise(w http.ResponseWriter, r *http.Request) (caller, bool) {
	if d.opt.Trusted != nil && d.opt.Trusted(r.Context()) {
		return caller{name: "local user", operator: true}, true
	}
	header := r.Header["Authorization"]
	if len(header) == 0 {
		// RFC 6750 section 3.1: who showed nothing is told no error.
		refuse(w, http.StatusUnauthorized, problem{Error: "unauthorized", Description: "send a key as \"Authorization: Bearer\"; an operator makes one: usher connections key NAME"}, "")
		return caller{}, false
	}
	value, ok := bearer(header[0])
	if !ok || len(header) > 1 {
		refuse(w, http.StatusBadRequest, problem{Error: oauth.ErrInvalidRequest, Description: "the Authorization header holds no single Bearer key"}, "")
		return caller{}, false
	}
	key, err := d.keys.find(r.Context(), value, d.opt.Now(), d.opt.Key, d.opt.Used)
	switch {
	case errors.Is(err, ErrNotFound):
		refuse(w, http.StatusUnauthorized, problem{Error: oauth.ErrInvalidToken, Description: "the key is not known here, was taken away, or has expired"}, "")
	case err != nil:
		h := w.Header()
		h.Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, problem{Error: oauth.ErrTemporarilyUnavailable, Description: "the key cannot be looked up now"}, "")
	default:
		return caller{name: key.caller, key: &key.Key, operator: key.Operator()}, true
	}
	return caller{}, false
}

// Caller gives the key with a value from the door's cache, or ErrNotFound, for
// the other doors of the broker. Name is as events name it.
func (d *Door) Caller(ctx context.Context, value usher.Secret) (name string, key Key, err error) {
	if value == "" || len(value) > 200 {
		return "", Key{}, ErrNotFound
	}
	k, err := d.keys.find(ctx, value, d.opt.Now(), d.opt.Key, d.opt.Used)
	if err != nil {
		return "", Key{}, err
	}
	return k.caller, k.Key, nil
}

// bearer gives the key of an Authorization header, RFC 6750 section 2.1.
func bearer(header string) (usher.Secret, bool) {
	const scheme = "bearer "
	if len(header) <= len(scheme) || len(header) > 300 || !strings.EqualFold(header[:len(scheme)], scheme) {
		return "", false
	}
	value := strings.TrimSpace(header[len(scheme):])
	return usher.Secret(value), value != ""
}
