// Package live gathers what a provider publishes to everybody.
//
// It reads and never asks with anything of ours: metadata under each of its
// well-known addresses, keys, the metadata of a resource and of a client, the
// page that the browser of an own client gets, and a look at the connection to
// every host that they name. What could not be read is kept with the reason, so
// that a check can say why it does not know.
package live

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"usher"
	"usher/check"
	"usher/guard"
)

// Bounds of one Gather.
const (
	DefaultTotal = 9 * time.Second // of everything
	DefaultOne   = 4 * time.Second // of one read or look
	mostAtOnce   = 6               // reads and looks
	mostHosts    = 32
	mostDocument = 256 << 10 // bytes of metadata
	mostKeys     = 1 << 20
	mostPage     = 64 << 10
	mostClient   = 64 << 10 // bytes of a client's document
)

// Options say what to look at.
type Options struct {
	// Issuer is the issuer, as the operator typed it; its well-known address
	// will do, too. Empty gathers no provider.
	Issuer string
	// Trust are further origins that the operator says are the provider's own:
	// endpoints there are asked even where they lie inside. The guard.Client
	// must trust them as well.
	Trust []string
	// Resource is the address of an API, for its metadata (RFC 9728).
	Resource string
	// ClientID is the client that the sign-in page is asked for; when it is a
	// web address, the client's own document is read.
	ClientID string
	// RedirectURI is the client's own; its page is asked for, without parameters.
	RedirectURI string
	Scope       string

	Total time.Duration // of everything; 0 is DefaultTotal
	One   time.Duration // of one read; 0 is DefaultOne
	Now   func() time.Time
	// Progress is told what is about to be read, a line for a person. It may be
	// called from several goroutines at once.
	Progress func(string)
}

// gatherer is one Gather at work.
type gatherer struct {
	c    *guard.Client
	t    *check.Target
	opt  Options
	slot chan struct{}
	mu   sync.Mutex // of the target, and of what follows
	host map[string]*hostLook
}

// Gather reads what opt names and adds it to the target: Issuer (when it was
// empty), Metadata, KeySets, Resources, Documents, APICalls, Answers and Hosts.
// The error, an *usher.Error, is for options that cannot be used; what the
// network did not give is told in Answers and Hosts.
func Gather(ctx context.Context, c *guard.Client, t *check.Target, opt Options) error {
	if err := opt.fill(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, opt.Total)
	defer cancel()
	g := &gatherer{c: c, t: t, opt: opt, slot: make(chan struct{}, mostAtOnce), host: map[string]*hostLook{}}
	if t.Issuer == "" {
		t.Issuer = opt.Issuer
	}
	if t.Now.IsZero() {
		t.Now = opt.Now()
	}
	together(
		func() { g.provider(ctx) },
		func() { g.resource(ctx) },
		func() { g.clientDocument(ctx) },
		func() { g.callbacks(ctx) },
	)
	g.sortHosts()
	return nil
}

func (o *Options) fill() error {
	if o.Total <= 0 {
		o.Total = DefaultTotal
	}
	if o.One <= 0 {
		o.One = DefaultOne
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	o.Issuer = IssuerOf(o.Issuer)
	for _, a := range [...]struct{ what, text, hint string }{
		{"the issuer", o.Issuer, "write it as the provider does, as https://sso.example/realms/shop"},
		{"the resource", o.Resource, "write the address of the API, as https://api.example/orders"},
	} {
		if a.text == "" {
			continue
		}
		u, err := url.Parse(a.text)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
			return &usher.Error{Code: usher.ErrUsage, Message: a.what + " is no web address", Hint: a.hint}
		}
		if u.User != nil {
			return &usher.Error{Code: usher.ErrUsage, Message: a.what + " has a user name in it", Hint: "leave out what stands before the @"}
		}
	}
	return nil
}

// IssuerOf gives the issuer of what an operator typed: the text itself, or what
// is left of a well-known address.
func IssuerOf(text string) string {
	text = strings.TrimSpace(text)
	for _, name := range wellKnownNames {
		mark := "/.well-known/" + name
		head, tail, ok := strings.Cut(text, mark)
		if ok && (tail == "" || tail[0] == '/') {
			return head + tail
		}
	}
	return text
}

// own gives the origins that what the provider names may be trusted at.
func (g *gatherer) own() []string {
	return append([]string{g.opt.Issuer}, g.opt.Trust...)
}

// together runs what does not depend on each other.
func together(list ...func()) {
	var wg sync.WaitGroup
	for _, f := range list {
		wg.Go(f)
	}
	wg.Wait()
}

// take waits for a slot; it gives false when time ran out first.
func (g *gatherer) take(ctx context.Context) bool {
	select {
	case g.slot <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (g *gatherer) give() { <-g.slot }

func (g *gatherer) answered(a *check.Answer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.t.Answers = append(g.t.Answers, a)
}

// sortHosts puts what came in any order into one that is the same each time.
func (g *gatherer) sortHosts() {
	slices.SortStableFunc(g.t.Answers, func(a, b *check.Answer) int { return strings.Compare(a.Role+" "+a.URL, b.Role+" "+b.URL) })
	for _, h := range g.host {
		g.t.Hosts = append(g.t.Hosts, h.host)
	}
	slices.SortStableFunc(g.t.Hosts, func(a, b *check.Host) int { return strings.Compare(a.Name, b.Name) })
}
