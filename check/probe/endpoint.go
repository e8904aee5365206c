package probe

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

func itoa(n int) string { return strconv.Itoa(n) }

func tokenPostOnly(ctx context.Context, a *asking) {
	if a.m.TokenEndpoint == "" {
		a.found(check.NotApplicable("the metadata names no token endpoint"))
		return
	}
	r, err := a.send(ctx, ask{method: http.MethodGet, url: a.m.TokenEndpoint, what: "asks the token endpoint with GET and without any parameter", sends: "nothing"})
	if err != nil {
		a.cannot(err)
		return
	}
	switch {
	case r.status >= 500 || r.status == http.StatusTooManyRequests:
		a.found(check.Unknown(check.NeedNothing, "the endpoint had trouble of its own", a.proof(r, "405 Method Not Allowed")))
	case r.status >= 400:
		a.found(check.OK("GET is refused", a.proof(r, "")))
	case r.status >= 300:
		a.found(check.Unknown(check.NeedNothing, "the endpoint answers GET with a redirect, which was not followed", a.proof(r, "405 Method Not Allowed")))
	case r.err != nil:
		a.found(check.OK("GET is refused, if with status "+itoa(r.status), a.proof(r, "")))
	case strings.Contains(r.body, `"access_token"`):
		a.found(check.Wrong("The token endpoint gives a token for GET without anything", "Whoever asks gets a token.", usher.Proof{
			Place: a.answer.Place, Quote: "a body with access_token", Expected: "405 Method Not Allowed", Got: "status " + itoa(r.status),
		}).As(usher.SeverityCritical))
	case strings.HasPrefix(strings.TrimSpace(r.body), "{"):
		a.found(check.Wrong("The token endpoint answers GET as if it were POST", "Credentials in an address end up in logs, histories and the Referer header.", a.proof(r, "405 Method Not Allowed")))
	default:
		a.found(check.Unknown(check.NeedNothing, "the endpoint answers GET with a page, which tells nothing of token requests", a.proof(r, "405 Method Not Allowed")))
	}
}

func introspectionAuth(ctx context.Context, a *asking) {
	endpoint := a.m.Text("introspection_endpoint")
	if endpoint == "" {
		a.found(check.NotApplicable("the metadata names no introspection endpoint"))
		return
	}
	r, err := a.send(ctx, ask{
		method: http.MethodPost, url: endpoint, form: url.Values{"token": {made()}},
		what: "asks about a token that is made up, without any credential",
	})
	if err != nil {
		a.cannot(err)
		return
	}
	switch {
	case r.status == http.StatusOK && strings.Contains(r.body, `"active"`):
		a.found(check.Wrong("The introspection endpoint answers whoever asks", "Who finds a token learns from it whose it is and what it opens, and can try tokens one after the other.",
			a.proof(r, "401: the client must authenticate")))
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden || r.err != nil && r.status == http.StatusBadRequest:
		a.found(check.OK("a question without credentials is refused", a.proof(r, "")))
	default:
		a.found(check.Unknown(check.NeedNothing, "the answer is neither a refusal nor an answer", a.proof(r, "401: the client must authenticate")))
	}
}

// preflight asks as a browser does before a script of an origin may.
func (a *asking) preflight(ctx context.Context, endpoint, origin, method, what string) (*reply, error) {
	h := http.Header{"Origin": {origin}, "Access-Control-Request-Method": {method}}
	if method == http.MethodPost {
		h.Set("Access-Control-Request-Headers", "content-type")
	}
	r, err := a.send(ctx, ask{method: http.MethodOptions, url: endpoint, header: h, what: what, sends: "Origin: " + origin})
	if err == nil {
		err = trouble(r)
	}
	return r, err
}

// allows tells whether a preflight's answer lets an origin in.
func allows(r *reply, origin string) bool {
	got := r.header.Get("Access-Control-Allow-Origin")
	return r.status < 400 && (got == "*" || got == origin)
}

func corsAuthorization(ctx context.Context, a *asking) {
	if a.m.AuthorizationEndpoint == "" {
		a.found(check.NotApplicable("the metadata names no authorization endpoint"))
		return
	}
	origin := "https://" + nowhere
	r, err := a.preflight(ctx, a.m.AuthorizationEndpoint, origin, http.MethodGet, "asks as a browser does whether a script of a foreign page may ask the authorization endpoint (OPTIONS)")
	if err != nil {
		a.cannot(err)
		return
	}
	proof := usher.Proof{
		Place: a.answer.Place, Quote: "Access-Control-Allow-Origin: " + quote(r.header.Get("Access-Control-Allow-Origin")),
		Expected: "no such header", Got: "status " + itoa(r.status),
	}
	if allows(r, origin) {
		a.found(check.Wrong("Scripts of any page may ask the authorization endpoint", "Browsers are sent there, scripts never need it (RFC 9700 section 2.6): with a session a script could read codes.", proof))
		return
	}
	a.found(check.OK("scripts of a foreign page may not ask it", usher.Proof{Place: proof.Place, Quote: "status " + itoa(r.status) + ", no leave for " + origin}))
}

// browserClient tells whether the client is an app in a browser, and why not.
func (a *asking) browserClient() (origins []string, isOne bool, why string) {
	if a.opt.Origin != "" {
		return []string{a.opt.Origin}, true, ""
	}
	u, err := url.Parse(a.opt.RedirectURI)
	origin := ""
	if err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		origin = u.Scheme + "://" + u.Host
	}
	for _, r := range a.t.Registrations {
		if a.opt.ClientID != "" && r.ClientID != a.opt.ClientID {
			continue
		}
		if r.Public != nil && !*r.Public {
			return nil, false, "the client keeps a secret on a server, so that no script asks for its tokens"
		}
		for _, known := range r.RedirectURIs {
			if known.Platform == "spa" && origin == "" {
				if u, err := url.Parse(known.URI); err == nil && u.Host != "" {
					origin = u.Scheme + "://" + u.Host
				}
			}
		}
		for _, o := range r.WebOrigins {
			if strings.HasPrefix(o, "http") && !strings.Contains(o, "*") {
				return []string{o}, true, ""
			}
		}
		if spa(r.RedirectURIs) && origin != "" {
			return []string{origin}, true, ""
		}
	}
	if a.opt.Secret != "" || a.opt.Key != "" {
		return nil, false, "the client has a secret, so that no script asks for its tokens"
	}
	if a.opt.AuthMethod == oauth.AuthNone && origin != "" {
		return []string{origin}, true, ""
	}
	return nil, false, ""
}

func corsToken(ctx context.Context, a *asking) {
	origins, is, why := a.browserClient()
	switch {
	case why != "":
		a.found(check.NotApplicable(why))
		return
	case !is:
		a.skip("nothing tells whether the client runs in a browser: give its registration, or its origin")
		return
	case a.m.TokenEndpoint == "":
		a.found(check.NotApplicable("the metadata names no token endpoint"))
		return
	}
	origin := origins[0]
	r, err := a.preflight(ctx, a.m.TokenEndpoint, origin, http.MethodPost, "asks as a browser does whether a script of "+origin+" may ask the token endpoint (OPTIONS)")
	if err != nil {
		a.cannot(err)
		return
	}
	proof := usher.Proof{
		Place: a.answer.Place, Quote: "Access-Control-Allow-Origin: " + quote(r.header.Get("Access-Control-Allow-Origin")),
		Expected: origin, Got: "status " + itoa(r.status),
	}
	if allows(r, origin) {
		a.found(check.OK("scripts of "+origin+" may ask the token endpoint", proof))
		return
	}
	a.found(check.Wrong("The token endpoint lets no script of "+origin+" in", "The browser app gets a code and then fails when it redeems it, with a CORS error that tells nothing.", proof).Because("cors-blocked"))
}

func spa(uris []evidence.RegisteredURI) bool {
	return slices.ContainsFunc(uris, func(u evidence.RegisteredURI) bool { return u.Platform == "spa" })
}
