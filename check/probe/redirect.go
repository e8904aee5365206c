package probe

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"usher"
	"usher/check"
)

// variant is a redirect URI that differs from the registered one.
type variant struct{ what, uri string }

// variants alter a redirect URI, in ways by which codes have been stolen.
// Those that the client has registered as well, and those that its provider
// lets through by rule on this machine, are left out.
func (a *asking) variants() (list []variant) {
	u, err := url.Parse(a.opt.RedirectURI)
	if err != nil || u.Host == "" {
		return nil
	}
	with := func(what string, change func(*url.URL)) {
		v := *u
		change(&v)
		if uri := v.String(); uri != a.opt.RedirectURI && !a.registered(uri) {
			list = append(list, variant{what, uri})
		}
	}
	path := u.Path
	if path == "" {
		path = "/"
	}
	with("a longer path", func(v *url.URL) { v.Path, v.RawPath = strings.TrimSuffix(path, "/")+"/usher-probe", "" })
	with("more letters behind the path", func(v *url.URL) { v.Path, v.RawPath = strings.TrimSuffix(path, "/")+"usher", "" })
	with("a parameter", func(v *url.URL) { v.RawQuery = strings.TrimPrefix(v.RawQuery+"&usher_probe=1", "&") })
	with("dots that climb out of the path", func(v *url.URL) {
		v.RawPath = strings.TrimSuffix(path, "/") + "/%2e%2e/usher-probe"
		v.Path = strings.TrimSuffix(path, "/") + "/../usher-probe"
	})
	if upper := strings.ToUpper(path); upper != path {
		with("another case", func(v *url.URL) { v.Path, v.RawPath = upper, "" })
	}
	if !onThisMachine(u.Hostname()) {
		with("a subdomain", func(v *url.URL) { v.Host = "usher-probe." + v.Host })
		with("another port", func(v *url.URL) { v.Host = v.Hostname() + ":8444" })
	}
	with("the host as a user name", func(v *url.URL) { v.User, v.Host = url.User(v.Hostname()), nowhere })
	return list[:min(len(list), most-2)]
}

func onThisMachine(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// registered tells whether the client has registered an address itself.
func (a *asking) registered(uri string) bool {
	for _, r := range a.t.Registrations {
		for _, known := range r.RedirectURIs {
			if r.ClientID == a.opt.ClientID && known.URI == uri {
				return true
			}
		}
	}
	return false
}

func redirectExact(ctx context.Context, a *asking) {
	if !a.askable(true) {
		return
	}
	variants := a.variants()
	if len(variants) == 0 {
		a.skip("the redirect URI is no web address, so that nothing of it can be varied")
		return
	}
	base, err := a.baseline(ctx)
	if err != nil {
		a.cannot(err)
		return
	}
	if base.where != atClient {
		a.found(check.Unknown(check.NeedNothing, "the provider does not send the browser to "+quote(a.opt.RedirectURI)+" either: it may not be registered",
			a.proof(base.reply, "a redirect to "+quote(a.opt.RedirectURI))))
		return
	}
	var taken []usher.Proof
	var what []string
	for _, v := range variants {
		q := a.authorization()
		q.Set("redirect_uri", v.uri)
		l, err := a.authorize(ctx, q, "asks with a redirect URI that has "+v.what+", which is to be refused; follows nothing")
		if err != nil {
			a.cannot(err)
			return
		}
		if l.where == atClient {
			taken = append(taken, usher.Proof{Place: a.answer.Place, Quote: "redirect_uri=" + v.uri, Expected: "an error page, no redirect", Got: words(l.reply)})
			what = append(what, v.what)
		}
	}
	if len(taken) > 0 {
		a.found(check.Wrong("The provider sends the browser to redirect URIs that have "+strings.Join(what, ", "),
			"Sent as registered is "+quote(a.opt.RedirectURI)+". Whoever can put a page there, or an open redirector, gets the codes.", taken...).
			Do("Register the redirect URI exactly, without a star.", "Switch the provider to exact comparison (RFC 9700 section 4.1.3), or ask its maker."))
		return
	}
	a.found(check.OK("it refuses every one of the altered redirect URIs", usher.Proof{Place: a.answer.Place, Quote: "altered " + quote(a.opt.RedirectURI) + " in " + itoa(len(variants)) + " ways"}))
}

func redirectNoRedirect(ctx context.Context, a *asking) {
	if !a.askable(false) {
		return
	}
	foreign := "https://" + nowhere + "/callback"
	q := a.authorization()
	q.Set("redirect_uri", foreign)
	l, err := a.authorize(ctx, q, "asks with a redirect URI that is nobody's (https://"+nowhere+"), which is to end at an error page; follows nothing")
	if err != nil {
		a.cannot(err)
		return
	}
	switch {
	case l.where == atClient || l.location != nil && strings.EqualFold(l.location.Hostname(), nowhere):
		a.found(check.Wrong("The provider sends the browser to a redirect URI that nobody registered",
			"It is an open redirector: a link to the trusted provider ends at an attacker's page, with the error or the code.",
			a.proof(l.reply, "an error page, no redirect")))
	case l.where == elsewhere:
		a.found(check.Unknown(check.NeedNothing, "the provider sends the browser to a third place, which was not asked", a.proof(l.reply, "an error page, no redirect")))
	default:
		a.found(check.OK("the provider does not send the browser to a redirect URI that is not registered", a.proof(l.reply, "")))
	}
}

// parameters by which pages are told where to go on to.
var onward = [...]string{"next", "return", "returnTo", "return_to", "returnUrl", "return_url", "redirect", "redirect_to", "redirect_url", "continue", "target", "url", "goto", "dest", "RelayState"}

func openRedirector(ctx context.Context, a *asking) {
	u, err := url.Parse(a.opt.RedirectURI)
	if a.opt.RedirectURI == "" || err != nil || u.Scheme != "https" && u.Scheme != "http" {
		a.skip("it needs the client's own redirect URI, a web address: add --redirect-uri")
		return
	}
	for _, target := range []string{"https://" + nowhere + "/", "//" + nowhere + "/"} {
		q := u.Query()
		for _, name := range onward {
			q.Set(name, target)
		}
		u.RawQuery = q.Encode()
		r, err := a.send(ctx, ask{
			method: http.MethodGet, url: u.String(), named: []string{a.opt.RedirectURI},
			what: "asks the own callback page with a foreign address in every parameter that such pages go on to (" + target + "), without a code; follows nothing", sends: strings.Join(onward[:], ", ") + "=" + target,
		})
		if err == nil {
			err = trouble(r)
		}
		if err != nil {
			a.cannot(err)
			return
		}
		if r.location != nil && strings.EqualFold(r.location.Hostname(), nowhere) {
			a.found(check.Wrong("The callback page "+quote(bare(a.opt.RedirectURI))+" sends the browser wherever a parameter says",
				"A code or a token in its address goes along, or a person is led to an attacker's page under the app's name.",
				a.proof(r, "no redirect to "+nowhere)))
			return
		}
	}
	a.found(check.OK("the callback page goes to no foreign address by a redirect", usher.Proof{Place: a.answer.Place, Quote: "status " + itoa(a.answer.Status)}))
}
