package probe

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"usher/check"
	"usher/oauth"
)

// nowhere is a host that can never be anybody's (RFC 2606 section 2).
const nowhere = "usher-probe.invalid"

// where says where an authorization request ended.
type where string

const (
	atClient   where = "client"   // redirected to the redirect URI
	atPage     where = "page"     // a page of the provider's
	atProvider where = "provider" // redirected to another address of the provider's
	elsewhere  where = "elsewhere"
)

// landing is where an authorization request ended, and with which error.
type landing struct {
	*reply
	where where
	code  string // error, or "code" when one was given
	text  string // in lower case: description, or the words of the page
}

// authorization makes the parameters of a request that is in order.
func (a *asking) authorization() url.Values {
	q := url.Values{
		"response_type": {"code"}, "client_id": {a.opt.ClientID}, "scope": {a.scope()}, "prompt": {"none"},
		"state": {made()}, "nonce": {made()},
	}
	if a.opt.RedirectURI != "" {
		q.Set("redirect_uri", a.opt.RedirectURI)
	}
	if challenge, err := oauth.PKCEChallenge(oauth.PKCES256, made()+made()); err == nil {
		q.Set("code_challenge", challenge)
		q.Set("code_challenge_method", oauth.PKCES256)
	}
	return q
}

func (p *prober) scope() string {
	if p.opt.Scope != "" {
		return p.opt.Scope
	}
	if len(p.m.ScopesSupported) > 0 && !slices.Contains(p.m.ScopesSupported, "openid") {
		return p.m.ScopesSupported[0]
	}
	return "openid"
}

// made gives a value that nobody has chosen before.
func made() string { return "usher" + rand.Text() }

// authorize sends an authorization request. No cookie goes along, so that it
// can end at no session.
func (a *asking) authorize(ctx context.Context, q url.Values, what string) (*landing, error) {
	u, err := url.Parse(a.m.AuthorizationEndpoint)
	if err != nil {
		return nil, err
	}
	all := u.Query()
	for name, values := range q {
		all[name] = values
	}
	u.RawQuery = all.Encode()
	r, err := a.send(ctx, ask{method: http.MethodGet, url: u.String(), what: what, sends: shownForm(q)})
	if err != nil {
		return nil, err
	}
	if err := trouble(r); err != nil {
		return nil, err
	}
	return land(r, u, q.Get("redirect_uri")), nil
}

func land(r *reply, asked *url.URL, redirect string) *landing {
	l := &landing{reply: r, where: atPage, text: strings.ToLower(pageText(r.body))}
	if r.err != nil {
		l.code = r.err.Code
		l.text = strings.ToLower(r.err.Description + " " + strings.Join(r.err.Codes, " ") + " " + l.text)
	}
	if r.location == nil {
		return l
	}
	l.text = strings.ToLower(strings.Join(strings.Fields(l.text+" "+wordsOf(r.location)), " "))
	switch to, err := url.Parse(redirect); {
	case redirect != "" && err == nil && sameAddress(r.location, to):
		l.where = atClient
		if back, err := oauth.ParseAuthorizationResponse(r.location.String()); err == nil && back.Error == "" {
			l.code = "code"
		}
	case strings.EqualFold(r.location.Host, asked.Host):
		l.where = atProvider
	default:
		l.where = elsewhere
	}
	return l
}

// wordsOf gives the path and the parameters of where an answer leads, without
// those of the request, which a sign-in page is handed on as they were: they are
// our own words.
func wordsOf(u *url.URL) string {
	var b strings.Builder
	b.WriteString(u.Path)
	for name, values := range u.Query() {
		switch name {
		case "client_id", "redirect_uri", "scope", "state", "nonce", "response_type", "prompt", "code_challenge", "code_challenge_method":
			continue
		}
		for _, v := range values {
			if !strings.Contains(v, "client_id=") && !strings.Contains(v, "client_id%3D") {
				b.WriteString(" " + name + " " + v)
			}
		}
	}
	return b.String()
}

// sameAddress compares what leads a browser, without query and fragment.
func sameAddress(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host) && strings.TrimSuffix(a.EscapedPath(), "/") == strings.TrimSuffix(b.EscapedPath(), "/")
}

// waits tells that the provider took a request and only wants a person.
func (l *landing) waits() bool {
	switch l.code {
	case oauth.ErrLoginRequired, oauth.ErrInteractionRequired, oauth.ErrConsentRequired, oauth.ErrAccountSelection, "code":
		return l.where == atClient
	}
	return false
}

// says tells whether an answer has one of the words, in lower case.
func (l *landing) says(words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(l.text, w) })
}

// askable tells whether authorization requests can be sent for the client.
func (a *asking) askable(needsRedirect bool) bool {
	switch {
	case a.opt.ClientID == "":
		a.skip("it needs the client: add --client-id")
	case a.m.AuthorizationEndpoint == "":
		a.skip("the metadata names no authorization endpoint")
	case needsRedirect && a.opt.RedirectURI == "":
		a.skip("it needs a registered redirect URI of the client: add --redirect-uri")
	default:
		return true
	}
	return false
}

// baseline asks with a request that is in order; its answer is kept for the
// other probes, for whom it tells what the provider says when nothing is wrong.
func (a *asking) baseline(ctx context.Context) (*landing, error) {
	if a.base != nil {
		return a.base, nil
	}
	l, err := a.authorize(ctx, a.authorization(), "asks for a code with a request that is in order, without a sign-in (prompt=none), to see what the provider says then")
	if err == nil {
		a.base = l
	}
	return l, err
}

// Words of pages and errors, in lower case.
var (
	wordsOfRedirect = []string{"redirect_uri", "redirect uri", "redirect url", "reply url", "reply address", "callback url", "aadsts50011"}
	wordsOfClient   = []string{
		"client not found", "unknown client", "invalid_client", "client is invalid", "invalid client", "aadsts700016", "client was not found",
		"unknown application", "application with identifier", "invalid app id", "app not found", "client does not exist",
	}
	wordsOfDisabled = []string{"login requester not enabled", "aadsts7000112", "client is disabled", "client disabled"}
	wordsOfPKCE     = []string{"code_challenge", "code challenge", "pkce", "proof key"}
	wordsOfPAR      = []string{"pushed", "request_uri", "par "}
)

func clientKnown(ctx context.Context, a *asking) {
	if !a.askable(false) {
		return
	}
	l, err := a.baseline(ctx)
	if err != nil {
		a.cannot(err)
		return
	}
	id := quote(a.opt.ClientID)
	switch {
	case l.where == atClient:
		a.found(check.OK("the provider sent the browser back to the client "+id+", so it knows it", a.proof(l.reply, "")))
		return
	case l.says(wordsOfDisabled...):
		a.found(check.Wrong("The provider knows the client "+id+" and has switched it off", "It refuses every request of the client before it looks at anything else.",
			a.proof(l.reply, "the client is enabled")).Because("client-disabled").Do("Enable the client " + id + " at the provider, or find out who switched it off and why."))
		return
	case l.says(wordsOfClient...) && !l.says(wordsOfRedirect...):
		a.found(check.Wrong("The provider does not know the client id "+id, "It refuses a request for it with words that it has for unknown clients. The id may be of another tenant, realm or environment.",
			a.proof(l.reply, "a client with the id "+id)).Because("client-unknown"))
		return
	case l.says(wordsOfRedirect...) && !l.says(wordsOfClient...):
		a.found(check.OK("the provider refuses the redirect URI alone, so it knows the client "+id, a.proof(l.reply, "")))
		a.notRegistered(l)
		return
	}
	// A page tells nothing by itself. What does the provider say of a client
	// that cannot exist?
	q := a.authorization()
	q.Set("client_id", made())
	control, err := a.authorize(ctx, q, "asks the same for a client id that is made up, to see whether the provider says the same")
	if err != nil {
		a.cannot(err)
		return
	}
	if control.where != l.where || control.status/100 != l.status/100 {
		a.found(check.OK("the provider answers otherwise than for a client id that is made up, so it knows the client "+id, a.proof(control.reply, "")))
		return
	}
	a.found(check.Unknown(check.NeedNothing, "the provider shows the same for the client "+id+" as for a made-up id", a.proof(l.reply, "")))
}

// notRegistered notes for another check what the provider said of the redirect
// URI: where no registration is given, nobody else can tell.
func (a *asking) notRegistered(l *landing) {
	if a.opt.RedirectURI == "" || l.location != nil || a.t.Probed["redirect-registered"] != nil {
		return
	}
	id, uri := quote(a.opt.ClientID), quote(a.opt.RedirectURI)
	v := check.Wrong("The provider refuses the redirect URI "+uri+" of the client "+id, "It knows the client and sends the browser nowhere: the address is not registered to the byte.",
		a.proof(l.reply, "a redirect to "+uri)).Because("redirect-uri-mismatch").Of(a.opt.ClientID).
		Do("Register "+uri+" for the client, or let the client send what is registered.", "Compare scheme, host, port, path, case and the slash at the end: each must be the same.")
	a.t.Probed["redirect-registered"] = &check.ProbeAnswer{Place: a.answer.Place, Sent: a.answer.Sent, Status: a.answer.Status, Error: a.answer.Error, Verdict: &v}
}

func pkceEnforced(ctx context.Context, a *asking) {
	if !a.askable(true) {
		return
	}
	base, err := a.baseline(ctx)
	if err != nil {
		a.cannot(err)
		return
	}
	q := a.authorization()
	q.Del("code_challenge")
	q.Del("code_challenge_method")
	l, err := a.authorize(ctx, q, "asks for a code without PKCE (no code_challenge), without a sign-in; reads the error alone")
	if err != nil {
		a.cannot(err)
		return
	}
	refuses := l.code == oauth.ErrInvalidRequest && l.where == atClient || l.says(wordsOfPKCE...) && !l.waits()
	switch {
	case !base.waits() && !(refuses && base.code != l.code):
		a.found(check.Unknown(check.NeedNothing, "the provider refuses also a request with PKCE, so that its answer tells nothing of PKCE", a.proof(base.reply, "login_required, as nobody is signed in")))
	case refuses:
		a.found(check.OK("the provider refuses a request without code_challenge", a.proof(l.reply, "")))
	case a.provider() == "entra":
		a.found(check.Unknown(check.NeedNothing, "Entra asks for PKCE when the code is redeemed, not before: this request tells nothing", a.proof(l.reply, "")))
	case l.waits():
		a.found(check.Wrong("The provider takes a code request of "+quote(a.opt.ClientID)+" without PKCE",
			"It only asks for a sign-in, as it does with code_challenge. A stolen code can then be redeemed by whoever has it.",
			a.proof(l.reply, "invalid_request: code_challenge is missing")).Because("pkce-missing"))
	default:
		a.found(check.Unknown(check.NeedNothing, "the answer does not tell whether PKCE is what is missed", a.proof(l.reply, "invalid_request, or login_required")))
	}
}

func (p *prober) provider() string {
	if p.t.Provider == nil {
		return ""
	}
	return p.t.Provider.Name
}

func parRequired(ctx context.Context, a *asking) {
	required, _ := a.m.Bool("require_pushed_authorization_requests")
	if !required {
		a.found(check.NotApplicable("the provider does not say that it requires pushed requests"))
		return
	}
	if !a.askable(true) {
		return
	}
	l, err := a.baseline(ctx)
	if err != nil {
		a.cannot(err)
		return
	}
	switch {
	case l.waits():
		a.found(check.Wrong("The provider says that it requires pushed requests and takes a plain one",
			"Its metadata has require_pushed_authorization_requests: true, and a request with plain parameters is only asked to sign in.",
			a.proof(l.reply, "invalid_request: a request_uri is required")))
	case l.code == oauth.ErrInvalidRequest || l.says(wordsOfPAR...):
		a.found(check.OK("a request that was not pushed is refused", a.proof(l.reply, "")))
	default:
		a.found(check.Unknown(check.NeedNothing, "the answer does not tell whether the missing request_uri is what is refused", a.proof(l.reply, "")))
	}
}

func unknownParameters(ctx context.Context, a *asking) {
	if !a.askable(true) {
		return
	}
	base, err := a.baseline(ctx)
	if err != nil {
		a.cannot(err)
		return
	}
	if !base.waits() {
		a.found(check.Unknown(check.NeedNothing, "the provider refuses also the request as it should be, so that nothing can be told of parameters", a.proof(base.reply, "login_required, as nobody is signed in")))
		return
	}
	q := a.authorization()
	q.Set("usher_probe", "1")
	extra, err := a.authorize(ctx, q, "asks with a parameter that no standard knows (usher_probe=1)")
	if err != nil {
		a.cannot(err)
		return
	}
	if !extra.waits() {
		a.found(check.Wrong("The provider refuses a request with a parameter that it does not know",
			"RFC 6749 section 3.1 has it ignore what it does not recognise: extensions of the protocol are built on that.",
			a.proof(extra.reply, "the answer without the parameter: "+base.code)))
		return
	}
	q = a.authorization()
	q["state"] = []string{made(), made()}
	twice, err := a.authorize(ctx, q, "asks with the parameter state given twice")
	if err != nil {
		a.cannot(err)
		return
	}
	if twice.waits() {
		a.found(check.Wrong("The provider takes a request with the parameter state given twice",
			"Two parts of a system that read different ones of the two can be played off against each other.",
			a.proof(twice.reply, "invalid_request")))
		return
	}
	a.found(check.OK("an unknown parameter is ignored, a doubled one is refused", a.proof(twice.reply, "")))
}
