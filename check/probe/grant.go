package probe

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"usher"
	"usher/oauth"
)

// tokens is what a token endpoint gave.
type tokens struct {
	Access  usher.Secret `json:"-"`
	Refresh usher.Secret `json:"-"`
	Type    string
}

// tokensOf reads tokens; nil when there are none.
func tokensOf(r *reply) *tokens {
	if r.status/100 != 2 {
		return nil
	}
	var raw struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Type    string `json:"token_type"`
	}
	if json.Unmarshal([]byte(r.body), &raw) != nil || raw.Access == "" {
		return nil
	}
	return &tokens{usher.Secret(raw.Access), usher.Secret(raw.Refresh), raw.Type}
}

// keep notes tokens as made, to be revoked afterwards.
func (a *asking) keep(what string, t *tokens, c *credential) {
	a.t.Secrets = append(a.t.Secrets, t.Access)
	if t.Refresh != "" {
		// With it the whole grant goes, RFC 7009 section 2.1.
		a.revokes("the refresh token of "+what, t.Refresh, "refresh_token", c)
		return
	}
	a.revokes("the access token of "+what, t.Access, "access_token", c)
}

// ownOrPublic gives the client's credential, or that of a client that has none.
func (a *asking) ownOrPublic() (*credential, error) {
	if a.opt.Secret == "" && a.opt.Key == "" {
		return &credential{method: oauth.AuthNone}, nil
	}
	return a.ownCredential()
}

// asClient gets a token for the client itself, RFC 6749 section 4.4.
func (a *asking) asClient(ctx context.Context, c *credential, header http.Header) (*tokens, *reply, error) {
	form := url.Values{"grant_type": {oauth.GrantClientCredentials}}
	if a.opt.Scope != "" {
		list := slices.DeleteFunc(strings.Fields(a.opt.Scope), func(s string) bool { return s == "openid" || s == "offline_access" })
		if len(list) > 0 {
			form.Set("scope", strings.Join(list, " "))
		}
	}
	q, err := a.authenticated(a.m.TokenEndpoint, form, c, "gets a token for the client itself, to try it")
	if err != nil {
		return nil, nil, err
	}
	for name, values := range header {
		q.header[name] = values
	}
	q.undo = "the token is revoked"
	r, err := a.send(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	t := tokensOf(r)
	if t != nil {
		a.keep("the test", t, c)
	}
	return t, r, nil
}

// code has a person sign in and gives the code that came back.
func (a *asking) code(ctx context.Context, challenge string) (usher.Secret, error) {
	q := a.authorization()
	q.Del("prompt")
	q.Del("code_challenge")
	q.Del("code_challenge_method")
	if challenge != "" {
		q.Set("code_challenge", challenge)
		q.Set("code_challenge_method", oauth.PKCES256)
	}
	if slices.Contains(a.m.ScopesSupported, "offline_access") && !slices.Contains(strings.Fields(q.Get("scope")), "offline_access") {
		q.Set("scope", q.Get("scope")+" offline_access")
	}
	u, err := url.Parse(a.m.AuthorizationEndpoint)
	if err != nil {
		return "", err
	}
	all := u.Query()
	for name, values := range q {
		all[name] = values
	}
	u.RawQuery = all.Encode()
	step := Step{
		Check: a.one.id, Safety: a.one.safety, Method: "a browser, GET", URL: bare(u.String()), Sends: shownForm(q),
		What: "has you sign in as a person of your own, for a test grant", Undo: "the grant's tokens are revoked",
	}
	if a.opt.Announce == nil || !a.opt.Announce(step) {
		return "", errLeftOut
	}
	back, err := a.opt.SignIn(ctx, u.String())
	if err != nil {
		return "", err
	}
	a.t.Secrets = append(a.t.Secrets, back)
	got, err := oauth.ParseAuthorizationResponse(back.Reveal())
	switch {
	case err != nil:
		return "", errors.New("what the browser came back to holds neither a code nor an error")
	case got.State != q.Get("state"):
		return "", errors.New("the browser came back with another state than it was sent with")
	case got.Error != "":
		return "", errors.New("the sign-in ended with " + quote(got.Error) + ": " + quote(oauth.Redact(got.ErrorDescription)))
	case got.Code == "":
		return "", errors.New("the browser came back without a code")
	}
	a.t.Secrets = append(a.t.Secrets, got.Code)
	return got.Code, nil
}

// redeem exchanges a code.
func (a *asking) redeem(ctx context.Context, c *credential, code, verifier usher.Secret, what string) (*tokens, *reply, error) {
	form := url.Values{"grant_type": {oauth.GrantAuthorizationCode}, "code": {code.Reveal()}, "redirect_uri": {a.opt.RedirectURI}}
	if verifier != "" {
		form.Set("code_verifier", verifier.Reveal())
	}
	return a.grant(ctx, c, form, what, "the sign-in")
}

// refresh uses a refresh token.
func (a *asking) refresh(ctx context.Context, c *credential, token usher.Secret, what string) (*tokens, *reply, error) {
	return a.grant(ctx, c, url.Values{"grant_type": {oauth.GrantRefreshToken}, "refresh_token": {token.Reveal()}}, what, "the refresh")
}

func (a *asking) grant(ctx context.Context, c *credential, form url.Values, what, of string) (*tokens, *reply, error) {
	q, err := a.authenticated(a.m.TokenEndpoint, form, c, what)
	if err != nil {
		return nil, nil, err
	}
	q.secret, q.undo = true, "what it gives is revoked"
	r, err := a.send(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	t := tokensOf(r)
	if t != nil {
		a.keep(of, t, c)
	}
	return t, r, nil
}

// signedIn gets a grant with a refresh token from a person's sign-in, or ends
// the probe with the reason why not.
func (a *asking) signedIn(ctx context.Context) (*tokens, *credential) {
	if !a.askable(true) {
		return nil, nil
	}
	if a.opt.SignIn == nil {
		a.skip("it needs somebody who signs in: run it at a terminal")
		return nil, nil
	}
	c, err := a.ownOrPublic()
	if err != nil {
		a.cannot(err)
		return nil, nil
	}
	verifier := usher.Secret(made() + made())
	challenge, err := oauth.PKCEChallenge(oauth.PKCES256, verifier.Reveal())
	if err != nil {
		a.cannot(err)
		return nil, nil
	}
	code, err := a.code(ctx, challenge)
	if err != nil {
		a.cannot(err)
		return nil, nil
	}
	t, r, err := a.redeem(ctx, c, code, verifier, "redeems the code of the sign-in")
	switch {
	case err != nil:
		a.cannot(err)
		return nil, nil
	case t == nil:
		a.skip("the code of the sign-in was not redeemed: " + words(r))
		return nil, nil
	case t.Refresh == "":
		a.found(notRefreshed(a, r))
		return nil, nil
	}
	return t, c
}
