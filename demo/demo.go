package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"usher"
	"usher/lab"
	"usher/serve"
)

// Options say how a story is played.
type Options struct {
	Story string // name of a story; empty: the first
	// Fast plays the story once, does what a person would do, and ends.
	Fast    bool
	Listen  string    // of usher's pages; empty: 127.0.0.1:5303, or a free port where that is taken
	Tell    io.Writer // where the story is told as it happens
	Log     io.Writer // where usher writes about itself; nil: nowhere
	Color   bool      // Tell is a terminal
	Now     func() time.Time
	Version string // of usher

	careless bool  // the payment gateway charges before it looks; for tests
	pace     *pace // nil: as Fast says
}

// Ending is what a story came to.
type Ending struct {
	Case *usher.Case // that it ends with; nil: there is none
	// With and Without are what became of the checkouts of the story shop; nil in
	// other stories.
	With, Without *Tally
	// True tells that what the story tells came true.
	True bool
}

// story is one thing that can happen to the company.
type story struct {
	name, title string
	build       func(context.Context, *company) error // starts what runs in it
	play        func(context.Context, *company) (*Ending, error)
}

// stories in the order in which they are offered.
var stories = []story{
	{"first-case", "A slash is lost, and the shop's sign-ins fail.", buildCompany, firstCase},
	{"shop", "Tokens expire, are revoked, and their provider goes away; people go on buying.", buildPayments, shopStory},
}

// storyNames lists the names of the stories.
func storyNames() []string {
	var names []string
	for _, s := range stories {
		names = append(names, s.name)
	}
	return names
}

// Play plays a story and gives what it came to. Without Fast it goes on until ctx
// ends. Everything that was made on the disk is removed again.
func Play(ctx context.Context, opt Options) (*Ending, error) {
	s, err := find(opt.Story)
	if err != nil {
		return nil, err
	}
	c, err := build(ctx, opt, s)
	if err != nil {
		return nil, err
	}
	end, err := s.play(ctx, c)
	if err == nil && !opt.Fast {
		err = c.stay(ctx, end)
	}
	if ctx.Err() != nil && !opt.Fast {
		err = nil // the person has seen enough
		c.voice.line("")
		c.voice.say("The demo ends; nothing is kept.")
	}
	return end, errors.Join(err, c.close(ctx))
}

// stay leaves everything to be looked at until ctx ends.
func (c *company) stay(ctx context.Context, end *Ending) error {
	if ctx.Err() == nil && end != nil && end.Case != nil {
		c.voice.line("")
		c.voice.point("Look at the case:", fmt.Sprintf("%s/cases/%d", c.usher.URL(), end.Case.ID))
		c.voice.line("          Ctrl-C ends the demo and removes everything.")
	}
	<-ctx.Done()
	return nil
}

func find(name string) (story, error) {
	for _, s := range stories {
		if s.name == cmp.Or(name, stories[0].name) {
			return s, nil
		}
	}
	return story{}, &usher.Error{Code: usher.ErrUsage, Message: fmt.Sprintf("there is no story %q", name), Hint: fmt.Sprintf("the stories are %v", storyNames())}
}

// company is everything that runs.
type company struct {
	opt   Options
	dir   string
	lab   *lab.Lab
	base  string // of the lab
	usher *serve.Server
	shop  *shop
	pay   *payments
	voice *voice

	password string // one-time, of usher's pages
	cleanups []func(context.Context) error
}

// build starts the company as a story needs it.
func build(ctx context.Context, opt Options, s story) (c *company, err error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Tell == nil {
		opt.Tell = io.Discard
	}
	c = &company{opt: opt, voice: &voice{w: opt.Tell, now: opt.Now, color: opt.Color}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close(ctx))
		}
	}()
	if c.dir, err = os.MkdirTemp("", "usher-demo-"); err != nil {
		return c, fmt.Errorf("make a folder for the demo: %w", err)
	}
	c.onClose(func(context.Context) error { return os.RemoveAll(c.dir) })
	return c, s.build(ctx, c)
}

// buildCompany starts the identity provider, usher, and the shop.
func buildCompany(ctx context.Context, c *company) error {
	if err := c.openLab(ctx); err != nil {
		return err
	}
	if err := c.openUsher(ctx); err != nil {
		return err
	}
	c.shop = newShop(c.base, c.lab.Secret("shop"))
	return nil
}

func (c *company) onClose(f func(context.Context) error) { c.cleanups = append(c.cleanups, f) }

// close ends everything, last in first out.
func (c *company) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var errs []error
	for i := len(c.cleanups) - 1; i >= 0; i-- {
		errs = append(errs, c.cleanups[i](ctx))
	}
	c.cleanups = nil
	return errors.Join(errs...)
}

// openLab starts the identity provider. Its log is a file, as that of any
// other provider.
func (c *company) openLab(ctx context.Context) error {
	log, err := os.OpenFile(c.logFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make the provider's log: %w", err)
	}
	c.onClose(func(context.Context) error { return log.Close() })
	events, err := os.OpenFile(c.eventFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make the log of the API: %w", err)
	}
	c.onClose(func(context.Context) error { return events.Close() })
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("find a port for the provider: %w", err)
	}
	c.base = "http://" + listener.Addr().String()
	c.lab = lab.New(lab.Options{
		Now: c.opt.Now, Issuer: c.base, Realm: "shop", Log: log, Events: events, Clients: clients(), Users: people(),
	})
	server := &http.Server{Handler: c.lab, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener) //nolint:errcheck // it ends with Shutdown
	c.onClose(server.Shutdown)
	return nil
}

func (c *company) logFile() string   { return filepath.Join(c.dir, "keycloak.log") }
func (c *company) eventFile() string { return filepath.Join(c.dir, "orders-api.ndjson") }
func (c *company) data() string      { return filepath.Join(c.dir, "data") }

// secretEnv is the name under which usher is handed its secret at the provider.
const secretEnv = "USHER_DEMO_SECRET" //nolint:gosec // a name

// openUsher starts usher with the configuration that a person would write.
func (c *company) openUsher(ctx context.Context) error {
	cfg := c.configuration(ctx)
	cfg.Providers = []serve.Provider{{
		Name: "shop", Kind: "lab", Issuer: c.base + "/realms/shop", Tenants: []string{"shop"},
		Admin: &serve.Admin{ClientID: "usher", ClientSecretEnv: secretEnv},
		Sources: []serve.Source{
			{Kind: "keycloak", Path: c.logFile(), Zone: "Local", From: "start"},
			{Kind: "usher", Path: c.eventFile(), Zone: "Local", From: "start"},
		},
	}}
	return c.startUsher(ctx, cfg, serve.Env{Getenv: func(name string) string {
		if name == secretEnv {
			return c.lab.Secret("usher").Reveal()
		}
		return ""
	}})
}

// configuration gives the default one with the demo's folder and address.
func (c *company) configuration(ctx context.Context) *serve.Config {
	cfg := serve.Default()
	cfg.Data, cfg.Listen = c.data(), c.opt.Listen
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:5303"
		if taken(ctx, cfg.Listen) {
			cfg.Listen = "127.0.0.1:0"
		}
	}
	return cfg
}

func (c *company) startUsher(ctx context.Context, cfg *serve.Config, env serve.Env) error {
	env.Stderr, env.Terminal, env.Now, env.Version = c.opt.Log, (*passwordReader)(c), c.opt.Now, c.opt.Version
	c.usher = serve.New(cfg, env)
	if err := c.usher.Start(ctx); err != nil {
		return err
	}
	c.onClose(c.usher.Stop)
	return nil
}

// taken tells whether somebody listens already.
func taken(ctx context.Context, address string) bool {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return true
	}
	return l.Close() != nil
}
