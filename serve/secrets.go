package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"usher"
	"usher/broker/credential"
	"usher/casebook"
	"usher/console"
	"usher/provider"
	"usher/store"
)

// secretary keeps client secrets fresh, with what it needs of the server.
type secretary struct {
	*credential.Manager
	server   *Server
	rotators map[string]provider.Secrets // by the provider's name
}

var _ console.Secrets = (*secretary)(nil)

// openSecrets makes who manages secrets. It rotates where usher has an admin API
// that can do that; elsewhere it verifies, warns and hands out.
func (s *Server) openSecrets(b *brokerage) error {
	rotators, err := s.openRotators()
	if err != nil {
		return err
	}
	s.secrets = &secretary{server: s, rotators: rotators, Manager: credential.New(credential.Options{
		Store: b.store, Seal: b.box, Provider: s.secretsAt, Verify: credential.Verifier(b.asker),
		Report: s.secretFound, Emit: b.events.add, Handed: s.secretHanded, Now: s.env.Now, Holder: s.store.Replica(), Log: s.log,
	})}
	s.engine.spot = s.secretsInLog
	s.engine.observe = func(ctx context.Context, ev *usher.Event) {
		if s.secrets.Own(ev) {
			ev.Interrupted = true // it was asked for: no refusal of anybody's
			return
		}
		s.secrets.Observe(ctx, ev)
	}
	return nil
}

// startSecrets begins with the secrets of the configuration.
func (s *Server) startSecrets(ctx context.Context) error {
	for i := range s.cfg.Secrets {
		if err := s.secrets.declared(ctx, &s.cfg.Secrets[i]); err != nil {
			return err
		}
	}
	if err := s.secrets.Sharpen(ctx); err != nil {
		return err
	}
	s.runBeside("secrets", func(ctx context.Context) error {
		s.secrets.Run(ctx)
		return ctx.Err()
	})
	return nil
}

// declared takes over a secret of the configuration: at the first start with its
// value, later only what is said about it. The value lives in the store then.
func (s *secretary) declared(ctx context.Context, k *Secret) error {
	c := k.config()
	_, err := s.Get(ctx, c.Name)
	if errors.Is(err, credential.ErrNotFound) {
		value, err := k.credential().Secret(s.server.env.Getenv)
		if err != nil {
			return &usher.Error{Code: usher.ErrUnreadable, Message: "the secret " + c.Name, Err: err, Hint: "usher check says what is wrong with the configuration"}
		}
		c.MadeBy = "configuration"
		return s.AddSecret(ctx, c, credential.Handed{Value: value, ID: k.SecretID})
	}
	if err != nil {
		return err
	}
	if err := s.fillIn(ctx, &c); err != nil {
		return err
	}
	return s.Configure(ctx, c)
}

// AddSecret implements console.Secrets.
func (s *secretary) AddSecret(ctx context.Context, c credential.Config, h credential.Handed) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if c.Provider != "" && s.server.broker.provider(c.Provider) == nil {
		return &usher.Error{Code: usher.ErrUsage, Message: "there is no provider of the name " + usher.MarkValue(clip(c.Provider)) + " in the configuration", Hint: "name one of providers in usher.yaml, or leave it out: then usher verifies, warns and hands out, and rotates nothing"}
	}
	if err := s.fillIn(ctx, &c); err != nil {
		return err
	}
	return s.Add(ctx, c, h)
}

// fillIn asks the issuer of the provider where its token endpoint is. One that
// cannot be asked now leaves it open: then the secret cannot be verified yet.
func (s *secretary) fillIn(ctx context.Context, c *credential.Config) error {
	if c.TokenEndpoint != "" || c.Provider == "" {
		return nil
	}
	p := s.server.broker.provider(c.Provider)
	if p == nil || p.Issuer == "" {
		return nil
	}
	made, err := s.server.broker.discover(ctx, p.Issuer, p.Trust)
	if err != nil {
		s.server.log.Warn("the token endpoint of a managed secret is not known, so that it cannot be verified", "secret", c.Name, "error", err)
		if known, err := s.Get(ctx, c.Name); err == nil {
			c.TokenEndpoint = known.Config.TokenEndpoint
		}
		return ctx.Err()
	}
	c.TokenEndpoint = made.Endpoints.Token
	return nil
}

// secretsAt gives what rotates secrets at a provider of the configuration.
func (s *Server) secretsAt(name string) (provider.Secrets, bool) {
	r, ok := s.secrets.rotators[name]
	return r, ok
}

// managed gives the broker the current value of a managed secret.
func (s *Server) managed(ctx context.Context, name string) (usher.Secret, error) {
	return s.secrets.Managed(ctx, name)
}

// secretHanded lets connections that failed for want of the right secret try the
// new one.
func (s *Server) secretHanded(ctx context.Context, name string) {
	const page = 200
	for after := ""; ; {
		views, err := s.broker.List(ctx, after, page)
		if err != nil {
			s.log.Error("connections that use a new secret cannot be looked up", "secret", name, "error", err)
			return
		}
		for _, v := range views {
			after = v.Config.ID
			if v.Managed == name && v.Status.Trouble != nil && v.Status.Trouble.Strategy == "rotate" {
				s.engine.background(func(ctx context.Context) { _, _ = s.broker.Broker.Renew(ctx, v.Config.ID) })
			}
		}
		if len(views) < page {
			return
		}
	}
}

// secretFound takes what was found out about a secret to the book.
func (s *Server) secretFound(ctx context.Context, r credential.Report) error {
	name, kind, tenant := "secrets", "usher", r.Config.Provider
	if p := s.broker.provider(r.Config.Provider); p != nil {
		name, kind, tenant = p.Name, p.Kind, p.Name
		if len(p.Tenants) > 0 {
			tenant = p.Tenants[0]
		}
	}
	_, err := s.engine.update(ctx, func(tx *store.Tx) ([]*usher.Case, error) {
		return s.engine.book.Checked(tx, casebook.Checkup{Provider: kind, Name: name, Tenant: tenant, At: r.At, Findings: r.Findings})
	})
	return err
}

// leakedBy takes a leak that a look at the configuration found: it knows the
// client, and not the value.
func (s *Server) leakedBy(ctx context.Context, findings []usher.Finding) {
	for i := range findings {
		f := &findings[i]
		if f.Check != "secret-exposed" || f.Outcome != usher.OutcomeWrong || f.Subject.Client == "" {
			continue
		}
		if _, err := s.secrets.Leaked(ctx, credential.Seen{Client: f.Subject.Client, Source: "usher check", Detail: f.Title}); err != nil {
			s.log.Error("a leaked secret cannot be taken care of", "client", f.Subject.Client, "error", err)
		}
	}
}

// secretsInLog looks for managed secrets in lines of a log: one that stands
// there has leaked. end is the byte of the file behind the last one. It does not
// hold up the reading.
func (s *Server) secretsInLog(log string, lines [][]byte, end int64) {
	for _, line := range slices.Backward(lines) {
		place := fmt.Sprintf("%s, the line that ends about at byte %d", log, max(end, 0))
		if end <= 0 {
			place = log + ", near its end" // of a file that was rotated away
		}
		end -= int64(len(line)) + 1
		for _, found := range s.secrets.Spot(line) {
			s.engine.background(func(ctx context.Context) {
				if err := s.secrets.LeakedInLog(ctx, found, log, place); err != nil && ctx.Err() == nil {
					s.log.Error("a secret that stands in a log cannot be taken care of; the next line that holds it is told again", "secret", found.Name, "log", log, "error", err)
				}
			})
		}
	}
}

// secretRoute tells whether a path is one at which programs fetch secrets.
func secretRoute(path string) bool {
	name, ok := strings.CutPrefix(path, "/secrets/")
	return ok && name != "" && !strings.Contains(name, "/")
}

// serveSecret answers a program that fetches a secret. A key that is for tokens
// alone may do so when the secret names it.
func (s *Server) serveSecret(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, `{"error":"invalid_request","error_description":"use GET"}`, http.StatusMethodNotAllowed)
		return
	}
	caller, operator, ok := s.broker.door.Recognise(w, r)
	if !ok {
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/secrets/")
	if !operator {
		v, err := s.secrets.Get(r.Context(), name)
		if err != nil || !slices.Contains(v.Config.Callers, strings.TrimPrefix(caller, "key ")) {
			caller = "" // it is told that it may not; so is who asks while nobody can tell
		}
	}
	address, _, _ := net.SplitHostPort(r.RemoteAddr)
	s.secrets.ServeFetch(w, r, name, caller, address)
}
