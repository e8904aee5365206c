package connect

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/broker/seal"
	"usher/broker/strategy"
	"usher/check"
)

// Broker is what connect asks of the broker; *broker.Broker is one.
type Broker interface {
	Get(ctx context.Context, id string) (broker.View, error)
	Open(ctx context.Context, id string) (broker.Config, broker.Keys, error)
	Connected(ctx context.Context, id string, a *grant.Answer) error
}

// Store is what connect keeps, shared by all replicas; a broker.Store is one.
type Store interface {
	PutFlow(ctx context.Context, f broker.Flow) error
	TakeFlow(ctx context.Context, hash string) (broker.Flow, error)
	Blobs(ctx context.Context, kind string) ([]broker.Blob, error)
	Blob(ctx context.Context, kind, name string) (broker.Blob, error)
	PutBlob(ctx context.Context, b broker.Blob) error
	DropBlob(ctx context.Context, b broker.Blob) error
}

// Asker speaks to token endpoints; *grant.Asker is one.
type Asker interface {
	Ask(ctx context.Context, r grant.Request) (*grant.Answer, error)
	Device(ctx context.Context, r grant.Request) (*grant.Device, error)
	Revoke(ctx context.Context, r grant.Request, token usher.Secret, hint string) error
}

// Sender sends a request once and follows no redirect; *guard.Client is one.
type Sender interface {
	Once(req *http.Request) (*http.Response, error)
}

// Options are what New needs. Broker, Store, Seal, Ask, HTTP and URL are required.
type Options struct {
	Broker Broker
	Store  Store
	Seal   seal.Sealer
	Ask    Asker
	HTTP   Sender // for key sets

	// URL is the address of the console as people and providers reach it, without
	// a path: "https://usher.example", or "http://127.0.0.1:5303".
	URL string
	// Operator tells who is signed in to the console; nil: nobody is. An operator
	// needs no signed link.
	Operator func(*http.Request) (name string, ok bool)

	Decide   func(strategy.Input) strategy.Decision // nil: strategy.Decide
	Emit     func(context.Context, usher.Event)     // nil: nobody
	Now      func() time.Time                       // nil: time.Now
	Log      *slog.Logger                           // nil: silent
	LinkLife time.Duration                          // of a signed link; 0: three days
	Version  string                                 // for the foot of the page
	Style    string                                 // path of the stylesheet; empty: the console's
	Icon     string                                 // path of the icon; empty: the console's
}

const (
	flowLife    = 10 * time.Minute
	mostQuery   = 16 << 10 // bytes of a query
	mostForm    = 16 << 10 // bytes of a form
	askPatience = 75 * time.Second
)

// Handler serves the pages under /connect/. It is safe for concurrent use.
type Handler struct {
	opt    Options
	base   *url.URL
	secure bool
	keys   keyring

	jwks keySets

	waits waiting
	sleep func(ctx context.Context, d time.Duration) bool

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup
}

// New makes a Handler. It asks nobody yet.
func New(opt Options) (*Handler, error) {
	if opt.Broker == nil || opt.Store == nil || opt.Seal == nil || opt.Ask == nil || opt.HTTP == nil {
		return nil, errors.New("connect: broker, store, seal, asker and HTTP client are needed")
	}
	base, err := url.Parse(strings.TrimSuffix(opt.URL, "/"))
	if err != nil || base.Host == "" || base.Path != "" || base.RawQuery != "" || base.Fragment != "" || base.User != nil ||
		base.Scheme != "https" && !(base.Scheme == "http" && check.Loopback(base.Hostname())) {
		return nil, &usher.Error{
			Code: usher.ErrUsage, Message: "url: providers send people back to it, and it is no https address (or http on this machine) without a path",
			Hint: "set url in usher.yaml to the address that people type, as https://usher.example",
		}
	}
	if opt.Decide == nil {
		opt.Decide = strategy.Decide
	}
	if opt.Emit == nil {
		opt.Emit = func(context.Context, usher.Event) {}
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Operator == nil {
		opt.Operator = func(*http.Request) (string, bool) { return "", false }
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.LinkLife <= 0 {
		opt.LinkLife = 72 * time.Hour
	}
	if opt.Style == "" {
		opt.Style = "/assets/console.css"
	}
	if opt.Icon == "" {
		opt.Icon = "/assets/icon.svg"
	}
	h := &Handler{opt: opt, base: base, secure: base.Scheme == "https", sleep: pause}
	h.keys.h = h
	h.jwks.h = h
	h.ctx, h.stop = context.WithCancel(context.Background())
	return h, nil
}

// Close ends what goes on behind the pages and waits for it.
func (h *Handler) Close() {
	h.stop()
	h.work.Wait()
}

// policy lets in the stylesheet and the icon and nothing else: no script, no
// frame, no form to another place.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP answers below /connect/.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hd := w.Header()
	hd.Set("Content-Security-Policy", policy)
	hd.Set("X-Frame-Options", "DENY")
	hd.Set("X-Content-Type-Options", "nosniff")
	// The address may hold a signed link or a code: no other site learns of it.
	// Not no-referrer on forms: see ownOrigin.
	hd.Set("Referrer-Policy", "same-origin")
	hd.Set("Cross-Origin-Opener-Policy", "same-origin")
	hd.Set("Cross-Origin-Resource-Policy", "same-origin")
	hd.Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		hd.Set("Allow", "GET, POST")
		h.problem(w, http.StatusMethodNotAllowed, "This address does not take "+inert(r.Method, 20), "")
		return
	}
	if len(r.URL.RawQuery) > mostQuery {
		h.problem(w, http.StatusRequestURITooLong, "The address is too long", "Nothing was done. Begin again from the link that you were given.")
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/connect/")
	if !ok {
		h.problem(w, http.StatusNotFound, "There is nothing at this address", "")
		return
	}
	if !h.meant(r) {
		h.elsewhere(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	first, rest, _ := strings.Cut(path, "/")
	switch {
	case first == "callback" && rest != "" && r.Method == http.MethodGet: // HEAD would use up the state
		h.callback(w, r, rest)
	case rest == "" && goodID(first) && r.Method == http.MethodPost:
		h.begin(w, r, first)
	case rest == "" && goodID(first):
		h.page(w, r, first)
	case rest == "as-other" && goodID(first) && r.Method == http.MethodPost:
		h.confirm(w, r, first)
	case strings.HasPrefix(rest, "device/") && goodID(first) && r.Method != http.MethodPost:
		h.devicePage(w, r, first, strings.TrimPrefix(rest, "device/"))
	default:
		h.problem(w, http.StatusNotFound, "There is nothing at this address", "Use the link that you were given, or ask for a new one.")
	}
}

// meant tells whether the request names this server as it was configured:
// another name that leads here would lose the cookie on the way back, and may
// be a page that reaches into a network (DNS rebinding).
func (h *Handler) meant(r *http.Request) bool { return strings.EqualFold(r.Host, h.base.Host) }

// elsewhere leads a person to the configured address. Only the path and the
// signed link are taken along; nothing of the request says where to.
func (h *Handler) elsewhere(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		h.problem(w, http.StatusForbidden, "This server does not answer to that name", "Use "+h.base.String()+" in its place.")
		return
	}
	to := *h.base
	to.Path = "/connect/" + strings.TrimPrefix(r.URL.Path, "/connect/")
	to.RawQuery = r.URL.RawQuery
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

// ownOrigin tells whether a form comes from a page of this server. Browsers say
// where a form comes from; what does not say is none.
func (h *Handler) ownOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	switch origin := r.Header.Get("Origin"); origin {
	case "":
		return r.Header.Get("Sec-Fetch-Site") == "same-origin"
	case "null":
		return false
	default:
		return strings.EqualFold(origin, h.base.String())
	}
}

// goodID tells whether a text may be the id of a connection: small letters,
// digits, hyphens.
func goodID(id string) bool {
	if id == "" || len(id) > 100 || id == "callback" {
		return false
	}
	for _, c := range id {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return true
}
