package live

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"usher/check"
	"usher/evidence"
	"usher/guard"
	"usher/oauth"
)

// resource asks the API without a token, reads what its refusal says, and its
// metadata: where the challenge says that it stands (RFC 9728 section 5.1), at
// the well-known address of its path, or at that of its host.
func (g *gatherer) resource(ctx context.Context) {
	if g.opt.Resource == "" {
		return
	}
	own := guard.NamedBy(ctx, g.opt.Resource)
	var challenged string
	together(
		func() { g.look(own, g.opt.Resource, "resource") },
		func() { challenged = g.withoutToken(own) },
	)
	addresses := resourceAddresses(g.opt.Resource)
	if challenged != "" {
		addresses = append([]string{challenged}, addresses...)
	}
	var first *check.Answer
	for _, address := range addresses {
		a, body := g.read(own, get{role: "resource-metadata", url: address, limit: mostDocument, accept: "application/json"})
		if members := object(a, body); members != nil {
			g.answered(a)
			g.mu.Lock()
			g.t.Resources = append(g.t.Resources, resourceMetadata(g.opt.Resource, address, members, a))
			g.mu.Unlock()
			return
		}
		if first == nil {
			first = a
		}
	}
	g.answered(first)
}

// resourceAddresses are where the metadata may stand, RFC 9728 section 3.1.
func resourceAddresses(resource string) []string {
	u, err := url.Parse(resource)
	if err != nil {
		return nil
	}
	const name = "/.well-known/oauth-protected-resource"
	root := (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	if path == "" {
		return []string{root + name}
	}
	return []string{root + name + path, root + name}
}

func resourceMetadata(resource, address string, members map[string]json.RawMessage, a *check.Answer) *check.ResourceMetadata {
	r := &check.ResourceMetadata{Place: address, URL: resource, Raw: members, Answer: a}
	_ = json.Unmarshal(members["resource"], &r.Resource)
	_ = json.Unmarshal(members["authorization_servers"], &r.AuthorizationServers)
	_ = json.Unmarshal(members["scopes_supported"], &r.Scopes)
	_ = json.Unmarshal(members["bearer_methods_supported"], &r.BearerMethods)
	return r
}

// withoutToken asks the API as somebody without a token, and gives the address
// of the metadata that its challenge names.
func (g *gatherer) withoutToken(ctx context.Context) (metadata string) {
	a, body := g.read(ctx, get{role: "resource", url: g.opt.Resource, limit: mostPage, stay: true, cut: true})
	g.answered(a)
	if a.Status == 0 {
		return ""
	}
	call := &check.APICall{
		Place: a.Place, Time: a.At,
		Exchange: &evidence.Exchange{Method: "GET", URL: a.URL, Status: a.Status, Header: a.Header, Body: string(body), Started: a.At},
	}
	for _, header := range a.Header.Values("Www-Authenticate") {
		challenges, err := oauth.ParseChallenges(header)
		if err != nil {
			continue
		}
		call.Challenges = append(call.Challenges, challenges...)
		for _, c := range challenges {
			if address := c.Params["resource_metadata"]; address != "" && metadata == "" {
				metadata = address
			}
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.t.APICalls = append(g.t.APICalls, call)
	return metadata
}
