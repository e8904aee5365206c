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
}

// story is one thing that can happen to the company.
type story struct {
	name, title string
	play        func(context.Context, *company) (*usher.Case, error)
}

// stories in the order in which they are offered.
var stories = []story{
	{"first-case", "A slash is lost, and the shop's sign-ins fail.", firstCase},
}

// storyNames lists the names of the stories.
func storyNames() []string {
	var names []string
	for _, s := range stories {
		names = append(names, s.name)
	}
	return names
}

// Play plays a story and gives the case that it ends with. Without Fast it goes
// on until ctx ends. Everything that was made on the disk is removed again.
func Play(ctx context.Context, opt Options) (*usher.Case, error) {
	s, err := find(opt.Story)
	if err != nil {
		return nil, err
	}
	c, err := build(ctx, opt)
	if err != nil {
		return nil, err
	}
	found, err := s.play(ctx, c)
	if ctx.Err() != nil && !opt.Fast {
		err = nil // the person has seen enough
		c.voice.line("")
		c.voice.say("The demo ends; nothing is kept.")
	}
	return found, errors.Join(err, c.close(ctx))
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
	voice *voice

	password string // one-time, of usher's pages
	cleanups []func(context.Context) error
}

// build starts the company: the identity provider, usher, and the shop.
func build(ctx context.Context, opt Options) (c *company, err error) {
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
	if err = c.openLab(ctx); err != nil {
		return c, err
	}
	if err = c.openUsher(ctx); err != nil {
		return c, err
	}
	c.shop = newShop(c.base, c.lab.Secret("shop"))
	return c, nil
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
	cfg := serve.Default()
	cfg.Data, cfg.Listen = c.data(), c.opt.Listen
	cfg.Providers = []serve.Provider{{
		Name: "shop", Kind: "lab", Issuer: c.base + "/realms/shop", Tenants: []string{"shop"},
		Admin: &serve.Admin{ClientID: "usher", ClientSecretEnv: secretEnv},
		Sources: []serve.Source{
			{Kind: "keycloak", Path: c.logFile(), Zone: "Local", From: "start"},
			{Kind: "usher", Path: c.eventFile(), Zone: "Local", From: "start"},
		},
	}}
	env := serve.Env{
		Stderr: c.opt.Log, Terminal: (*passwordReader)(c), Now: c.opt.Now, Version: c.opt.Version,
		Getenv: func(name string) string {
			if name == secretEnv {
				return c.lab.Secret("usher").Reveal()
			}
			return ""
		},
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:5303"
		if taken(ctx, cfg.Listen) {
			cfg.Listen = "127.0.0.1:0"
		}
	}
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
