package console

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"usher"
)

// console is the server's state between requests: what limits guesses, which
// plans were shown, and how many streams are open. All of it may be lost.
type console struct {
	opt     Options
	doors   []string // hosts that may stand in the Host header
	secure  bool     // people come over https
	hasher  *hasher
	limits  *limits
	plans   *plans
	streams chan struct{}
	mux     *http.ServeMux
}

// maxStreams is the number of pages and programs that may watch at once.
const maxStreams = 256

// Site is the handler of every page and of the API.
type Site struct {
	http.Handler
	console *console
}

// New makes a Site.
func New(opt Options) *Site {
	c := newConsole(opt)
	return &Site{c.handler(), c}
}

// Operator tells who asks, for the pages beside the console's that want to know
// whether somebody is signed in. A program with a key is nobody here.
func (s *Site) Operator(r *http.Request) (name string, ok bool) {
	who, err := s.console.recognise(r)
	if err != nil || who.program || who.name == "" {
		return "", false
	}
	return who.name, true
}

func newConsole(opt Options) *console {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Cause == nil {
		opt.Cause = func(string) (usher.Cause, bool) { return usher.Cause{}, false }
	}
	opt.Location = cmp.Or(opt.Location, time.Local)
	opt.Log = cmp.Or(opt.Log, slog.New(slog.DiscardHandler))
	c := &console{
		opt:     opt,
		doors:   allowedHosts(opt.Listen, opt.URL),
		hasher:  newHasher(),
		limits:  newLimits(),
		plans:   newPlans(),
		streams: make(chan struct{}, maxStreams),
		mux:     http.NewServeMux(),
	}
	if u, err := url.Parse(opt.URL); err == nil && u.Scheme == "https" {
		c.secure = true
	}
	for _, r := range routes {
		c.mux.Handle(r.Method+" "+r.Path, c.serve(r))
	}
	c.mux.Handle("/", c.serve(route{Access: open, Handle: notFound}))
	return c
}

func (c *console) handler() http.Handler { return c.defend(c.mux) }
