package lab

import "slices"

var scopeInsufficient = &Fault{
	Name:    "scope-insufficient",
	Title:   "The client is no longer allowed the API's scope",
	Dialect: DialectAPI,
	Does:    "An administrator takes the scope " + scopeOrders + " from the client. Whoever asks for it gets a token without it, and the answer's member scope says so (RFC 6749 section 3.3).",
	Provoke: "Sign in and call the API.",
	Command: `SECRET=$(curl -s {base}/lab/clients/{client} | jq -r '.secrets[-1].value // .secrets[-1].secret_id')
TOKEN=$(curl -s {token} -d client_id={id} --data-urlencode client_secret=$SECRET -d grant_type=client_credentials | jq -r .access_token)
curl -si {api} -H "Authorization: Bearer $TOKEN"`,
	Shows: "Clients that do not compare the scope of the answer with what they asked for.",
	Fix:   "A person allows the client the scope again at the provider, then ask for it and sign in anew: a refresh does not widen a grant.",
	Proof: "The same client's next call for the same person succeeds, with a token that has the scope.",
	on: func(l *Lab) {
		c := l.target()
		had := [2]bool{slices.Contains(c.Scopes, scopeOrders), slices.Contains(c.Optional, scopeOrders)}
		l.dropScope(c, "default", had[0])
		l.dropScope(c, "optional", had[1])
		l.before["scope-insufficient"] = func() {
			c.Optional = slices.DeleteFunc(c.Optional, func(s string) bool { return s == scopeOrders })
			for i, list := range []*[]string{&c.Scopes, &c.Optional} {
				if had[i] && !slices.Contains(*list, scopeOrders) {
					*list = append(*list, scopeOrders)
					l.tellScope("CREATE", c, []string{"default", "optional"}[i])
				}
			}
		}
	},
	off: func(l *Lab) { l.putBack("scope-insufficient") },
}

func (l *Lab) dropScope(c *client, kind string, had bool) {
	if !had {
		return
	}
	list := c.scopesOf(kind)
	*list = slices.DeleteFunc(*list, func(s string) bool { return s == scopeOrders })
	l.tellScope("DELETE", c, kind)
}

func (l *Lab) tellScope(operation string, c *client, kind string) {
	s, _ := l.scope(scopeOrders)
	l.tellAdmin(l.person(), operation, "CLIENT_SCOPE_CLIENT_MAPPING", "clients/"+c.UUID+"/"+kind+"-client-scopes/"+s.id, nil)
}
