package live

import (
	"context"
	"net/url"
	"strings"

	"usher/check"
	"usher/guard"
)

// clientDocument reads the document of a client whose id is a web address
// (draft-ietf-oauth-client-id-metadata-document). A provider follows no
// redirect there, and so nothing is followed here.
func (g *gatherer) clientDocument(ctx context.Context) {
	if !strings.HasPrefix(g.opt.ClientID, "https://") && !strings.HasPrefix(g.opt.ClientID, "http://") {
		return
	}
	ctx = guard.NamedBy(ctx, g.opt.ClientID)
	a, body := g.read(ctx, get{role: "client-document", url: g.opt.ClientID, limit: mostClient, stay: true, accept: "application/json"})
	defer g.answered(a)
	members := object(a, body)
	if members == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.t.Documents = append(g.t.Documents, &check.ClientDocument{Place: g.opt.ClientID, URL: g.opt.ClientID, Raw: members, Size: len(body), Answer: a})
}

// callbacks asks for the page of the own redirect URI, without parameters, and
// looks at the hosts of all that are registered.
func (g *gatherer) callbacks(ctx context.Context) {
	work := []func(){func() { g.callbackPage(guard.NamedBy(ctx, g.opt.RedirectURI)) }}
	for _, address := range g.redirects() {
		work = append(work, func() { g.look(guard.NamedBy(ctx, g.opt.RedirectURI), address, "callback") })
	}
	together(work...)
}

// redirects gives the redirect URIs that lie on the web, one for each host.
func (g *gatherer) redirects() (list []string) {
	seen := map[string]bool{}
	add := func(address string) {
		u, err := url.Parse(address)
		if err != nil || !web(u) || loopback(u.Hostname()) && address != g.opt.RedirectURI || strings.Contains(u.Host, "*") || seen[u.Host] || len(list) >= mostHosts {
			return
		}
		seen[u.Host] = true
		list = append(list, address)
	}
	add(g.opt.RedirectURI)
	for _, r := range g.t.Registrations {
		for _, registered := range r.RedirectURIs {
			add(registered.URI)
		}
	}
	return list
}

func (g *gatherer) callbackPage(ctx context.Context) {
	u, err := url.Parse(g.opt.RedirectURI)
	if err != nil || !web(u) {
		return
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil
	a, body := g.read(ctx, get{role: "callback", url: u.String(), limit: mostPage, stay: true, cut: true, accept: "text/html"})
	a.Body = string(body)
	g.answered(a)
}

func web(u *url.URL) bool {
	return (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != ""
}
