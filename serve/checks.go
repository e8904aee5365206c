package serve

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/casebook"
	"usher/check/look"
	"usher/check/probe"
	"usher/evidence"
	"usher/guard"
	"usher/provider/snapshot"
	"usher/store"
)

// looksFolder keeps the looks at providers, in the data directory.
const looksFolder = "looks"

// news are checks that say what changed since the look before.
var news = [...]string{"discovery-drift", "jwks-flapping", "jwks-rotation-overlap"}

// lookFor bounds one look, at a provider or at a client: many slow clients do
// not take each other's time.
const lookFor = 2 * time.Minute

// checkup looks at the providers and the clients of the configuration, on its
// schedule, and takes what it finds to the book. It looks at one after the
// other: no two looks overlap, and no provider meets all of them at once.
func (s *Server) checkup(ctx context.Context) {
	every := time.Duration(s.cfg.Checks.Every)
	s.unreadHere = map[string]int{}
	for t := time.NewTicker(every); ; {
		for i := range s.cfg.Providers {
			if p := &s.cfg.Providers[i]; p.Issuer != "" && ctx.Err() == nil && s.myTurn(ctx, "look/"+p.Name, every) {
				s.lookAt(ctx, p)
			}
		}
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// lookAt looks at one provider and at each of our clients there.
func (s *Server) lookAt(ctx context.Context, p *Provider) {
	client, err := p.guarded(10*time.Second, s.env.Now)
	if err != nil {
		s.failedLook(ctx, p.Name, "", err)
		return
	}
	defer client.HTTP().CloseIdleConnections()
	history, keep, err := s.looks(ctx, p.Issuer)
	if err != nil {
		s.log.Error("the earlier looks are lost, usher begins anew", "provider", p.Name, "error", err)
		history = &snapshot.History{Version: 1, Issuer: p.Issuer}
	}
	req := look.Request{
		Issuer: p.Issuer, Client: client, Trust: p.Trust, Provider: kindOf(p), Profile: s.cfg.Checks.Profile, Previous: look.Earlier(history), Now: s.env.Now,
	}
	res, err := at(ctx, req)
	if err != nil {
		s.failedLook(ctx, p.Name, "", err)
		return
	}
	if len(res.Target.Metadata) == 0 {
		if s.unread(ctx, p.Name, false) < 2 {
			s.log.Warn("the provider cannot be read; if it cannot at the next look either, that is a case", "provider", p.Name)
			return // it may be starting anew
		}
		// Everything else that is wrong now follows from this.
		res.Answer.Findings = slices.DeleteFunc(res.Answer.Findings, func(f usher.Finding) bool { return f.Check != "discovery-reachable" })
		s.take(ctx, p, res)
		return
	}
	s.unread(ctx, p.Name, true)
	if seen := look.Seen(res.Target); seen.Metadata != nil || seen.Keys != nil {
		for _, ch := range history.Add(seen) {
			s.log.Info("the provider changed", "provider", p.Name, "what", ch.Title, "means", ch.Means)
		}
		if err := keep(history); err != nil {
			s.log.Error("the look cannot be kept", "provider", p.Name, "error", err)
		}
	}
	s.take(ctx, p, res)
	told := map[string]bool{} // of the provider, and not once more of each client
	for i := range res.Answer.Findings {
		if f := &res.Answer.Findings[i]; f.Outcome == usher.OutcomeWrong {
			told[f.Check] = true
		}
	}
	for i := range p.Clients {
		if ctx.Err() != nil {
			return
		}
		s.lookAtClient(ctx, p, &p.Clients[i], client, told)
	}
}

// kindOf names the provider for what is known of providers; what has no name
// there is told by its issuer.
func kindOf(p *Provider) string {
	if p.Kind == "lab" || p.Kind == "other" {
		return ""
	}
	return p.Kind
}

// at looks once, within its bound.
func at(ctx context.Context, req look.Request) (*look.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	return look.At(ctx, req)
}

// lookAtClient holds one client against its registration, where it may be asked
// for, and verifies its secret, where it has one.
func (s *Server) lookAtClient(ctx context.Context, p *Provider, k *Client, client *guard.Client, told map[string]bool) {
	req := look.Request{
		Issuer: p.Issuer, Client: client, Trust: p.Trust, Provider: kindOf(p), Profile: s.cfg.Checks.Profile, Now: s.env.Now,
		ClientID: k.ClientID, RedirectURI: k.RedirectURI, Scopes: strings.Fields(k.Scope),
		Only: []string{"client", "redirect-uri", "scope"},
	}
	if admin := s.admins[p.Name]; admin != nil {
		reg, err := admin.Client(ctx, k.ClientID)
		if err != nil {
			s.failedLook(ctx, p.Name, k.ClientID, err)
		} else {
			req.Items = []evidence.Item{evidence.FromClient(reg, p.Kind, admin.Capabilities().Place)}
		}
	}
	if k.ClientSecretEnv != "" || k.ClientSecretFile != "" {
		secret, err := k.credential().Secret(s.env.Getenv)
		if err != nil {
			s.failedLook(ctx, p.Name, k.ClientID, err)
		} else {
			req.Probe = &probe.Options{Secret: secret, AuthMethod: k.AuthMethod}
		}
	}
	res, err := at(ctx, req)
	if err != nil {
		s.failedLook(ctx, p.Name, k.ClientID, err)
		return
	}
	res.Answer.Findings = slices.DeleteFunc(res.Answer.Findings, func(f usher.Finding) bool {
		return f.Subject.Client == "" && f.Outcome == usher.OutcomeWrong && told[f.Check]
	})
	for i := range res.Answer.Findings {
		if f := &res.Answer.Findings[i]; f.Subject.Client == "" {
			f.Subject.Client = k.ClientID
		}
	}
	s.take(ctx, p, res)
}

// take takes what a look found to the book.
func (s *Server) take(ctx context.Context, p *Provider, res *look.Result) {
	if ctx.Err() != nil {
		return // the server stops: what looks unreachable was not asked
	}
	findings := telling(res.Answer.Findings, usher.Severity(s.cfg.Checks.FailOn))
	s.leakedBy(ctx, findings)
	tenant := p.Name
	if len(p.Tenants) > 0 {
		tenant = p.Tenants[0]
	}
	changed, err := s.engine.update(ctx, func(tx *store.Tx) ([]*usher.Case, error) {
		return s.engine.book.Checked(tx, casebook.Checkup{Provider: p.Kind, Name: p.Name, Tenant: tenant, At: res.Target.Now, Findings: findings, News: news[:]})
	})
	if err != nil {
		s.failedLook(ctx, p.Name, "", err)
		return
	}
	s.log.Debug("looked", "provider", p.Name, "findings", len(findings), "cases", len(changed))
}

// telling leaves out what is wrong and milder than least: it opens no case. What
// is ok is told all the same, for it may prove one, but not where the same
// check finds something mild at the same client: that is not fixed.
func telling(findings []usher.Finding, least usher.Severity) []usher.Finding {
	type subject struct{ check, client string }
	mild := map[subject]bool{}
	for i := range findings {
		if f := &findings[i]; f.Outcome == usher.OutcomeWrong && f.Severity.Rank() > least.Rank() {
			mild[subject{f.Check, f.Subject.Client}] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(findings), func(f usher.Finding) bool {
		return f.Outcome == usher.OutcomeWrong && f.Severity.Rank() > least.Rank() ||
			f.Outcome == usher.OutcomeOK && mild[subject{f.Check, f.Subject.Client}]
	})
}

func (s *Server) failedLook(ctx context.Context, provider, client string, err error) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return // the server stops
	}
	s.log.Error("the look failed; the next one is on schedule", "provider", provider, "client", client, "error", err)
}
