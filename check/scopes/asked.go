package scopes

import (
	"slices"
	"strings"

	"usher/check"
	"usher/oauth"
)

// maxScopes is how many scopes of one request are looked at.
const maxScopes = 200

// wish is what one request asks for.
type wish struct {
	client, place, endpoint string
	raw                     string // as it was sent
	audience                string
	scopes                  []string
	repeated                bool
	token                   bool // at the token endpoint
}

// quote gives the words for a proof.
func (w wish) quote() string { return brief("scope=" + w.raw) }

// wishes gives the scopes of all requests, each wording of a client once.
func wishes(t *check.Target) []wish {
	const most = 64
	var out []wish
	add := func(w wish) {
		same := func(o wish) bool {
			return o.client == w.client && o.raw == w.raw && o.token == w.token && o.repeated == w.repeated
		}
		w.scopes = w.scopes[:min(len(w.scopes), maxScopes)]
		if len(out) < most && (w.raw != "" || w.repeated) && !slices.ContainsFunc(out, same) {
			out = append(out, w)
		}
	}
	for _, c := range t.AuthCalls {
		if q := c.Request; q != nil {
			add(wish{
				client: q.ClientID, place: c.Place, endpoint: q.Endpoint, raw: rawScope(q.Params.Get("scope"), q.Scope),
				audience: q.Audience, scopes: words(t, q.Endpoint, q.Scope), repeated: slices.Contains(q.Repeated, "scope"),
			})
		}
	}
	for _, c := range t.TokenCalls {
		if q := c.Request; q != nil {
			add(wish{
				client: q.ClientID, place: c.Place, endpoint: q.Endpoint, raw: rawScope(q.Params.Get("scope"), q.Scope),
				audience: q.Audience, scopes: words(t, q.Endpoint, q.Scope), token: true,
			})
		}
	}
	return out
}

// rawScope gives the parameter as it was sent, or puts it together where only
// its words are known.
func rawScope(param string, scopes []string) string {
	if param != "" {
		return param
	}
	raw := ""
	for i, s := range scopes {
		if i > 0 {
			raw += " "
		}
		raw += s
	}
	return raw
}

// authCallOf finds the authorization request that a token request completes: by
// its code, else the only one of the client.
func authCallOf(t *check.Target, c *check.TokenCall) *check.AuthCall {
	if c.Request == nil || c.Request.GrantType != oauth.GrantAuthorizationCode {
		if c.Request != nil {
			return nil
		}
	}
	var only *check.AuthCall
	n := 0
	for _, a := range t.AuthCalls {
		if a.Request == nil || a.Request == t.Request && len(a.Request.Scope) == 0 {
			continue
		}
		if c.Request != nil && c.Request.Code != "" && a.Response != nil && a.Response.Code == c.Request.Code {
			return a
		}
		if c.Request == nil || c.Request.ClientID == "" || a.Request.ClientID == c.Request.ClientID {
			n, only = n+1, a
		}
	}
	if n == 1 {
		return only
	}
	return nil
}

// grant is a request for a token with what came of it.
type grant struct {
	client   string
	call     *check.TokenCall
	asked    []string // nil: not known
	askedAt  string
	endpoint string
	earlier  bool // what was granted before was asked for too (Google's include_granted_scopes)
}

// byName tells whether the request itself would have to name the scopes: no
// authorization request goes before it.
func (g grant) byName() bool {
	if g.call.Request == nil {
		return false
	}
	switch g.call.Request.GrantType {
	case oauth.GrantClientCredentials, oauth.GrantPassword, oauth.GrantTokenExchange, oauth.GrantJWTBearer, oauth.GrantSAMLBearer:
		return true
	}
	return false
}

// granted gives the scopes that the answer names. Some providers put commas
// between them although they are asked with blanks.
func (g grant) granted(t *check.Target) []string {
	got := words(t, g.endpoint, g.call.Response.Scope[:min(len(g.call.Response.Scope), maxScopes)])
	var out []string
	for _, s := range got {
		if !strings.Contains(s, ",") || slices.Contains(g.asked, s) {
			out = append(out, s)
			continue
		}
		for w := range strings.SplitSeq(s, ",") {
			if w != "" && len(out) < maxScopes {
				out = append(out, w)
			}
		}
	}
	return out
}

// grants gives the successful answers of the token endpoint with what had been
// asked for.
func grants(t *check.Target) []grant {
	var out []grant
	for _, c := range t.TokenCalls {
		if c.Response == nil || c.Response.Error != nil {
			continue
		}
		g := grant{call: c}
		if c.Request != nil {
			g.client, g.endpoint = c.Request.ClientID, c.Request.Endpoint
			g.asked, g.askedAt = c.Request.Scope, c.Place
		}
		if len(g.asked) == 0 {
			if a := authCallOf(t, c); a != nil {
				g.asked, g.askedAt = a.Request.Scope, a.Place
				g.earlier = a.Request.Params.Get("include_granted_scopes") == "true"
				if g.client == "" {
					g.client = a.Request.ClientID
				}
				if g.endpoint == "" {
					g.endpoint = a.Request.Endpoint
				}
			}
		}
		g.asked = words(t, g.endpoint, g.asked[:min(len(g.asked), maxScopes)])
		out = append(out, g)
	}
	for _, a := range t.AuthCalls {
		if g, ok := implicit(t, a); ok {
			out = append(out, g)
		}
	}
	return out
}

// implicit gives the grant of an authorization response that brought a token
// and tells its scope.
func implicit(t *check.Target, a *check.AuthCall) (grant, bool) {
	if a.Request == nil || a.Response == nil || a.Response.AccessToken == "" || !a.Response.Params.Has("scope") {
		return grant{}, false
	}
	place := a.ResponsePlace
	if place == "" {
		place = a.Place
	}
	return grant{
		client: a.Request.ClientID, endpoint: a.Request.Endpoint, asked: words(t, a.Request.Endpoint, a.Request.Scope), askedAt: a.Place,
		earlier: a.Request.Params.Get("include_granted_scopes") == "true",
		call: &check.TokenCall{Place: place, Response: &check.TokenResponse{
			Place: place, AccessToken: a.Response.AccessToken, IDToken: a.Response.IDToken, HasScope: true, Scope: oauth.ParseScope(a.Response.Params.Get("scope")),
		}},
	}, true
}
