package live

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"usher"
	"usher/check"
	"usher/guard"
	"usher/oauth"
	"usher/token"
)

// wellKnownNames are the names of metadata documents, the most used first.
var wellKnownNames = [...]string{"openid-configuration", "oauth-authorization-server"}

// WellKnown gives the addresses where the metadata of an issuer may stand, the
// most used first: OpenID Connect Discovery section 4.1 puts the name behind
// the issuer's path, RFC 8414 section 3.1 before it, and section 5 there knows
// the older name in the newer place. An issuer without a path has two.
func WellKnown(issuer string) []string {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil
	}
	root := (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	list := []string{
		root + path + "/.well-known/" + wellKnownNames[0],
		root + "/.well-known/" + wellKnownNames[1] + path,
	}
	if path != "" {
		list = append(list, root+"/.well-known/"+wellKnownNames[0]+path)
	}
	return list
}

// form is what one well-known address gave.
type form struct {
	answer   *check.Answer
	metadata *check.Metadata // nil: none
}

// provider reads the metadata of the issuer, and what it names. The first of
// the well-known addresses that serves a document counts; the others are read
// beside, and nothing waits for them.
func (g *gatherer) provider(ctx context.Context) {
	if g.opt.Issuer == "" {
		return
	}
	ctx = guard.NamedBy(ctx, g.own()...)
	addresses := WellKnown(g.opt.Issuer)
	forms := make([]chan form, len(addresses))
	var all sync.WaitGroup
	for i, address := range addresses {
		forms[i] = make(chan form, 1)
		all.Go(func() { forms[i] <- g.form(ctx, address) })
	}
	all.Go(func() { g.look(ctx, g.opt.Issuer, "issuer") })
	var chosen *form
	var rest []form
	for i := range forms {
		f := <-forms[i]
		if f.metadata == nil {
			rest = append(rest, f)
			continue
		}
		chosen = &f
		for _, later := range forms[i+1:] {
			all.Go(func() { g.otherForm(<-later) })
		}
		break
	}
	if chosen == nil {
		// None served one: what the first said is what a person looks at.
		chosen, rest = &rest[0], rest[1:]
	}
	for _, f := range rest {
		g.otherForm(f)
	}
	chosen.answer.Role = "discovery"
	g.answered(chosen.answer)
	if chosen.metadata != nil {
		g.mu.Lock()
		g.t.Metadata = append(g.t.Metadata, chosen.metadata)
		g.mu.Unlock()
		g.named(ctx, chosen.metadata)
	}
	all.Wait()
}

func (g *gatherer) otherForm(f form) {
	f.answer.Role = "discovery-form"
	g.answered(f.answer)
}

func (g *gatherer) form(ctx context.Context, address string) form {
	a, body := g.read(ctx, get{role: "discovery", url: address, limit: mostDocument, accept: "application/json"})
	f := form{answer: a}
	if !document(a, body) {
		return f
	}
	m, err := oauth.ParseMetadata(body)
	if err != nil {
		a.Defect, a.Code = "cannot be used: "+err.Error(), usher.ErrUnreadable
		return f
	}
	f.metadata = &check.Metadata{Metadata: m, Place: address, URL: address, Answer: a}
	return f
}

// named reads what a document names: keys, the page of the own client, and the
// hosts of all endpoints.
func (g *gatherer) named(ctx context.Context, m *check.Metadata) {
	work := []func(){
		func() { g.keys(ctx, m.JWKSURI) },
		func() { g.signInPage(ctx, m) },
	}
	for _, address := range m.Endpoints() {
		work = append(work, func() { g.look(ctx, address, "endpoint") })
	}
	together(work...)
}

func (g *gatherer) keys(ctx context.Context, address string) {
	if address == "" {
		return
	}
	a, body := g.read(ctx, get{role: "jwks", url: address, limit: mostKeys, accept: "application/jwk-set+json, application/json"})
	defer g.answered(a)
	if !document(a, body) {
		return
	}
	keys, err := token.ParseKeySet(body)
	if err != nil {
		fault := &check.Answer{}
		fail(fault, err)
		a.Defect, a.Code = "cannot be used: "+fault.Err, fault.Code
		return
	}
	a.Defect, a.Code = "", "" // the content type of keys is often none that is registered, and nobody minds
	g.mu.Lock()
	defer g.mu.Unlock()
	g.t.KeySets = append(g.t.KeySets, &check.KeySet{KeySet: keys, Place: address, URL: address, Raw: body, Answer: a})
}

// signInPage asks for the page that the browser of the own client gets. A
// redirect within the provider's origin is gone after, one that leads away or
// to the client is the answer.
func (g *gatherer) signInPage(ctx context.Context, m *check.Metadata) {
	if g.opt.ClientID == "" || m.AuthorizationEndpoint == "" {
		return
	}
	at, err := url.Parse(m.AuthorizationEndpoint)
	if err != nil {
		return
	}
	q := at.Query()
	q.Set("response_type", "code")
	q.Set("client_id", g.opt.ClientID)
	scope := g.opt.Scope
	if scope == "" {
		scope = "openid"
	}
	q.Set("scope", scope)
	if g.opt.RedirectURI != "" {
		q.Set("redirect_uri", g.opt.RedirectURI)
	}
	q.Set("state", "usher-looks-at-the-page")
	q.Set("nonce", "usher-looks-at-the-page")
	// The challenge of no verifier: whatever comes of it cannot be redeemed.
	q.Set("code_challenge", "usherLooksAtTheSignInPageAndRedeemsNothing0")
	q.Set("code_challenge_method", "S256")
	at.RawQuery = q.Encode()
	const hops = 3
	jar := jar{}
	for hop := range hops {
		a, body := g.read(ctx, get{role: "authorization", url: at.String(), limit: mostPage, stay: true, cut: true, accept: "text/html", jar: jar})
		if a.Status/100 != 3 { // what a redirect says beside is not looked at, and may hold a code
			a.Body = string(body)
		}
		to := within(at, a)
		g.maskCode(a)
		if to == nil || hop == hops-1 || g.opt.RedirectURI != "" && strings.HasPrefix(to.String(), g.opt.RedirectURI) {
			g.answered(a)
			return
		}
		at = to
	}
}

// maskCode keeps a code out of what is shown, should somebody's provider have
// signed in a browser that brought nothing.
func (g *gatherer) maskCode(a *check.Answer) {
	back, err := oauth.ParseAuthorizationResponse(a.Header.Get("Location"))
	if err != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range []usher.Secret{back.Code, back.AccessToken, back.IDToken} {
		if s != "" {
			g.t.Secrets = append(g.t.Secrets, s)
			a.Header.Set("Location", strings.ReplaceAll(a.Header.Get("Location"), url.QueryEscape(s.Reveal()), "masked"))
		}
	}
}

// within gives where a redirect leads when it stays at the origin.
func within(from *url.URL, a *check.Answer) *url.URL {
	if !slices.Contains([]int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}, a.Status) {
		return nil
	}
	to, err := from.Parse(a.Header.Get("Location"))
	if err != nil || to.Scheme != from.Scheme || !strings.EqualFold(to.Host, from.Host) {
		return nil
	}
	return to
}
