package serve

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"usher"
	"usher/guard"
	"usher/provider"
	"usher/provider/auth0"
	"usher/provider/entra"
	"usher/provider/okta"
)

// openRotators makes what rotates secrets at each provider that usher may change.
// Nobody is asked yet.
func (s *Server) openRotators() (map[string]provider.Secrets, error) {
	all := map[string]provider.Secrets{}
	for name, admin := range s.admins {
		if r, ok := admin.(provider.Secrets); ok {
			all[name] = r
		}
	}
	for i := range s.cfg.Providers {
		p := &s.cfg.Providers[i]
		if p.Admin == nil || !p.rotatable() || p.repairable() {
			continue
		}
		r, err := s.openRotator(p)
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", p.Name, err)
		}
		all[p.Name] = r
	}
	return all, nil
}

// rotatable tells whether usher can rotate secrets at this kind of provider.
func (p *Provider) rotatable() bool {
	return p.repairable() || p.Kind == "entra" || p.Kind == "okta" || p.Kind == "auth0"
}

func (s *Server) openRotator(p *Provider) (provider.Secrets, error) {
	secret, err := p.Admin.Secret(s.env.Getenv)
	if err != nil {
		return nil, &usher.Error{Code: usher.ErrUnreadable, Message: "the secret of its admin", Err: err, Hint: "usher check says what is wrong with the configuration"}
	}
	u, err := url.Parse(p.Issuer)
	if err != nil {
		return nil, err
	}
	origin := u.Scheme + "://" + u.Host
	graph := graphOf(origin)
	client := guard.New(guard.Options{Trusted: append([]string{origin, graph}, p.Trust...), CAFile: p.CAFile, Now: s.env.Now})
	if err := client.Err(); err != nil {
		return nil, err
	}
	s.onStop("admin connections to "+p.Name, func(context.Context) error {
		client.HTTP().CloseIdleConnections()
		return nil
	})
	return rotator(p, origin, graph, secret, client.HTTP(), s)
}

func rotator(p *Provider, origin, graph string, secret usher.Secret, http *http.Client, s *Server) (provider.Secrets, error) {
	switch p.Kind {
	case "okta":
		return okta.New(okta.Config{Org: origin, Token: secret, HTTP: http, Now: s.env.Now})
	case "auth0":
		return auth0.New(auth0.Config{Domain: origin, ClientID: p.Admin.ClientID, Secret: secret, HTTP: http, Now: s.env.Now})
	}
	u, err := url.Parse(p.Issuer)
	if err != nil {
		return nil, err
	}
	tenant, _, _ := strings.Cut(strings.Trim(u.Path, "/"), "/") // https://login.microsoftonline.com/TENANT/v2.0
	return entra.New(entra.Config{Tenant: tenant, ClientID: p.Admin.ClientID, Secret: secret, HTTP: http, Login: origin, Graph: graph, Now: s.env.Now})
}

// graphOf gives Microsoft Graph of the cloud that an authority belongs to. What
// is no cloud of Microsoft's is one host for both.
func graphOf(origin string) string {
	switch strings.TrimPrefix(origin, "https://") {
	case "login.microsoftonline.com", "login.windows.net", "sts.windows.net":
		return "https://graph.microsoft.com"
	case "login.microsoftonline.us":
		return "https://graph.microsoft.us"
	case "login.partner.microsoftonline.cn", "login.chinacloudapi.cn":
		return "https://microsoftgraph.chinacloudapi.cn"
	}
	return origin
}
