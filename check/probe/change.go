package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"

	"usher"
	"usher/check"
	"usher/oauth"
)

func notRefreshed(a *asking, r *reply) check.Verdict {
	return check.NotApplicable("the client gets no refresh token: " + words(r))
}

// pkceDowngrade redeems a code that was asked for without a challenge with a
// verifier, RFC 9700 section 4.8.2.
func pkceDowngrade(ctx context.Context, a *asking) {
	if !a.askable(true) {
		return
	}
	if a.opt.SignIn == nil {
		a.skip("it needs somebody who signs in: run it at a terminal")
		return
	}
	c, err := a.ownOrPublic()
	if err != nil {
		a.cannot(err)
		return
	}
	q := a.authorization()
	q.Del("code_challenge")
	q.Del("code_challenge_method")
	without, err := a.authorize(ctx, q, "asks for a code without PKCE and without a sign-in, to see whether a code can be got that way at all")
	if err != nil {
		a.cannot(err)
		return
	}
	if without.where == atClient && without.code == oauth.ErrInvalidRequest {
		a.found(check.OK("no code can be got without a challenge, so that none can be downgraded", a.proof(without.reply, "")))
		return
	}
	code, err := a.code(ctx, "")
	if err != nil {
		a.cannot(err)
		return
	}
	t, r, err := a.redeem(ctx, c, code, usher.Secret(made()+made()), "redeems a code that was asked for without a challenge with a verifier, which is to be refused")
	switch {
	case err != nil:
		a.cannot(err)
	case t != nil:
		a.found(check.Wrong("The provider takes a code_verifier for a code without a challenge",
			"Who takes the challenge out of a request makes PKCE count for nothing, and the app does not notice.", a.proof(r, "invalid_grant")))
	case r.err != nil && (r.err.Code == oauth.ErrInvalidGrant || r.err.Code == oauth.ErrInvalidRequest):
		a.found(check.OK("a verifier without a challenge is refused", a.proof(r, "")))
	default:
		a.found(check.Unknown(check.NeedNothing, "the code was refused for another reason", a.proof(r, "invalid_grant")))
	}
}

// dcrOpen asks to register a client that cannot be: the answer tells whether
// anybody may try.
func dcrOpen(ctx context.Context, a *asking) {
	endpoint := a.m.Text("registration_endpoint")
	if endpoint == "" {
		a.found(check.NotApplicable("the provider registers no clients by itself"))
		return
	}
	r, err := a.send(ctx, ask{
		method: http.MethodPost, url: endpoint, body: `{"client_name":"usher probe","redirect_uris":["no address: usher probe"]}`,
		header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}},
		what:   "asks without any credential to register a client whose redirect URI is none, so that nothing is made", sends: `redirect_uris: "no address: usher probe"`,
		undo: "what is made all the same is deleted",
	})
	if err != nil {
		a.cannot(err)
		return
	}
	switch {
	case r.status == http.StatusCreated || r.status == http.StatusOK:
		a.unregister(r)
		a.found(check.Wrong("Anybody may register a client, and even one whose redirect URI is none", "The provider took what it should have refused twice.",
			usher.Proof{Place: a.answer.Place, Quote: words(r), Expected: "401", Got: "status " + itoa(r.status)}))
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden || r.err != nil && r.err.Code == oauth.ErrInvalidToken:
		a.found(check.OK("registration asks for a credential", a.proof(r, "")))
	case r.err != nil && (r.err.Code == oauth.ErrInvalidRedirectURI || r.err.Code == oauth.ErrInvalidClientMetadata):
		a.found(check.Wrong("Anybody may register a client", "The provider complains of the redirect URI alone and asks for no credential: with a valid one it would have registered a client.", a.proof(r, "401")))
	default:
		a.found(check.Unknown(check.NeedNothing, "the answer tells neither that a credential is missing nor that the redirect URI is wrong", a.proof(r, "401, or invalid_redirect_uri")))
	}
}

// unregister notes a client that was made against all odds, RFC 7592 section 2.3.
func (a *asking) unregister(r *reply) {
	var made struct {
		Secret string `json:"client_secret"`
		URI    string `json:"registration_client_uri"`
		Token  string `json:"registration_access_token"`
	}
	_ = json.Unmarshal([]byte(r.body), &made)
	for _, s := range []string{made.Secret, made.Token} {
		if s != "" {
			a.t.Secrets = append(a.t.Secrets, usher.Secret(s))
		}
	}
	a.makes("the client that was registered", func(ctx context.Context) error {
		if made.URI == "" || made.Token == "" {
			return &usher.Error{Code: usher.ErrNotFound, Message: "the provider did not say how: delete it by hand"}
		}
		r, err := a.send(ctx, ask{
			method: http.MethodDelete, url: made.URI, header: http.Header{"Authorization": {"Bearer " + made.Token}}, secret: true,
			what: "deletes the client that was registered", sends: "registration_access_token=" + usher.Secret(made.Token).Fingerprint(),
		})
		if err == nil && r.status/100 != 2 {
			return &usher.Error{Code: usher.ErrUnreachable, Message: "the provider answers " + words(r) + ": delete it by hand"}
		}
		return err
	})
}

// assertionReplay sends the same assertion twice, with a code that is made up.
func assertionReplay(ctx context.Context, a *asking) {
	if a.opt.Key == "" {
		a.skip("it needs the client's own key: add --key-file")
		return
	}
	if !a.credentialed() {
		return
	}
	c, err := a.ownCredential()
	if err != nil {
		a.cannot(err)
		return
	}
	q, err := a.authenticated(a.m.TokenEndpoint, a.madeUpCode(), c, "sends an assertion of the client's own with a code that is made up")
	if err != nil {
		a.cannot(err)
		return
	}
	q.undo = "nothing is made; the provider remembers the assertion until it ends"
	first, err := a.send(ctx, q)
	if err != nil {
		a.cannot(err)
		return
	}
	if s := read(first, a.provider()); s != accepted {
		a.found(check.Unknown(check.NeedNothing, "the assertion was refused the first time, so that nothing can be told of a second", a.proof(first, "invalid_grant, as the code is made up")))
		return
	}
	q.form.Set("code", made())
	q.what, q.sends = "sends the same assertion a second time, which is to be refused", ""
	second, err := a.send(ctx, q)
	if err != nil {
		a.cannot(err)
		return
	}
	proof := a.proof(second, "invalid_client")
	switch read(second, a.provider()) {
	case accepted:
		fake := *c
		if fake.sign, err = c.sign.other(); err != nil {
			a.cannot(err)
			return
		}
		if s, _, err := a.try(ctx, &fake, "sends an assertion of another key, to see whether the provider looks at it at all"); err != nil || s == accepted || s == unclear || s == throttled {
			a.found(check.Unknown(check.NeedNothing, "the provider looks at the code before it looks at assertions, so that this tells nothing", proof))
			return
		}
		a.found(check.Wrong("The provider takes the same assertion twice", "Who sees one, in a log or on the way, can be the client until it ends.", proof))
	case unclear, throttled:
		a.found(check.Unknown(check.NeedNothing, "the second answer says nothing of the assertion", proof))
	default:
		a.found(check.OK("the second use of an assertion is refused", proof))
	}
}

// refreshReuse uses a refresh token after it was rotated, RFC 9700 section 4.14.2.
func refreshReuse(ctx context.Context, a *asking) {
	t, c := a.signedIn(ctx)
	if t == nil {
		return
	}
	next, r, err := a.refresh(ctx, c, t.Refresh, "refreshes")
	switch {
	case err != nil:
		a.cannot(err)
		return
	case next == nil:
		a.found(check.Unknown(check.NeedNothing, "the refresh token was refused the first time", a.proof(r, "new tokens")))
		return
	case next.Refresh == "" || next.Refresh == t.Refresh:
		a.found(check.NotApplicable("the provider does not rotate this client's refresh tokens, so that there is no old one"))
		return
	}
	again, r, err := a.refresh(ctx, c, t.Refresh, "uses the old refresh token a second time, which is to be refused")
	if err != nil {
		a.cannot(err)
		return
	}
	reused := a.proof(r, "invalid_grant")
	if again != nil {
		a.found(check.Wrong("The provider takes a refresh token that was rotated already", "A thief and the app can both go on with it and nobody notices. A short grace time, which some providers allow, looks the same.", reused))
		return
	}
	last, r, err := a.refresh(ctx, c, next.Refresh, "uses the newest refresh token, which is to be dead by now")
	switch {
	case err != nil:
		a.cannot(err)
	case last != nil:
		a.found(check.Wrong("The provider notices a refresh token that is used twice and lets its successors live", "Who stole the newest one keeps it.", reused, a.proof(r, "invalid_grant")).As(usher.SeverityMedium))
	default:
		a.found(check.OK("the second use is refused and ends the whole family", reused, a.proof(r, "")))
	}
}

// refreshBound uses a refresh token as somebody else, RFC 6749 section 6.
func refreshBound(ctx context.Context, a *asking) {
	if a.opt.OtherClient == "" && a.opt.Secret == "" && a.opt.Key == "" {
		a.skip("it needs a second client of yours, as this one has no credential that could be missed")
		return
	}
	t, c := a.signedIn(ctx)
	if t == nil {
		return
	}
	var proofs []usher.Proof
	try := func(as *prober, cred *credential, what, title string) (done bool) {
		other := &asking{prober: as, one: a.one, answer: a.answer, sent: a.sent}
		got, r, err := other.refresh(ctx, cred, t.Refresh, what)
		a.sent = other.sent
		a.made = append(a.made, other.made...)
		switch {
		case err != nil:
			a.cannot(err)
			return true
		case got != nil:
			a.found(check.Wrong(title, "A stolen refresh token works for whoever has it.", a.proof(r, "invalid_grant, or invalid_client")))
			return true
		}
		proofs = append(proofs, a.proof(r, ""))
		return false
	}
	if c.method != oauth.AuthNone && try(a.prober, &credential{method: oauth.AuthNone}, "refreshes without the client's credential, which is to be refused", "The provider refreshes without the client's credential") {
		return
	}
	if a.opt.OtherClient != "" {
		p := *a.prober
		p.opt.ClientID, p.opt.Secret, p.opt.Key = a.opt.OtherClient, a.opt.OtherSecret, ""
		cred := &credential{method: oauth.AuthNone}
		if p.opt.Secret != "" {
			cred = &credential{method: oauth.AuthBasic, secret: p.opt.Secret}
		}
		if try(&p, cred, "refreshes as another client of yours, which is to be refused", "The provider refreshes for another client") {
			return
		}
	}
	a.found(check.OK("the refresh token works for its own client alone", proofs...))
}

// revocationWorks revokes a token and asks whether it is dead, RFC 7009 section 2.
func revocationWorks(ctx context.Context, a *asking) {
	introspection := a.m.Text("introspection_endpoint")
	switch {
	case a.m.Text("revocation_endpoint") == "":
		a.found(check.NotApplicable("the provider has no revocation endpoint"))
		return
	case introspection == "" && a.opt.Resource == "":
		a.skip("there is nothing to ask whether a token is dead: add the own API with --resource")
		return
	}
	if !a.credentialed() {
		return
	}
	c, err := a.ownCredential()
	if err != nil {
		a.cannot(err)
		return
	}
	t, r, err := a.asClient(ctx, c, nil)
	switch {
	case err != nil:
		a.cannot(err)
		return
	case t == nil:
		a.found(check.Unknown(check.NeedNothing, "the client gets no token for itself, so that there is none to revoke", a.proof(r, "a token")))
		return
	}
	before, r, err := a.alive(ctx, t, c, introspection)
	switch {
	case err != nil:
		a.cannot(err)
		return
	case !before:
		a.found(check.Unknown(check.NeedNothing, "the token is refused before it was revoked, so that nothing can be told afterwards", a.proof(r, "a living token")))
		return
	}
	r, err = a.revoke(ctx, t.Access, "access_token", c, "revokes the token")
	switch {
	case err != nil:
		a.cannot(err)
		return
	case r.status != http.StatusOK:
		a.found(check.Wrong("The provider does not revoke a token of the client's own", "RFC 7009 section 2.2 has it answer 200.", a.proof(r, "status 200")))
		return
	}
	for tries := range 3 {
		after, r, err := a.alive(ctx, t, c, introspection)
		switch {
		case err != nil:
			a.cannot(err)
			return
		case !after:
			a.found(check.OK("a token that was revoked is dead", a.proof(r, "")))
			return
		case tries == 2:
			a.found(check.Wrong("A token that was revoked is still taken", "It was asked three times. A token that its holder gave back, or that was reported stolen, goes on working.", a.proof(r, "an inactive token")))
			return
		}
		select {
		case <-time.After(2 * a.opt.Wait):
		case <-ctx.Done():
			a.cannot(ctx.Err())
			return
		}
	}
}

// alive asks whether a token is taken: by introspection, or by the own API.
func (a *asking) alive(ctx context.Context, t *tokens, c *credential, introspection string) (bool, *reply, error) {
	if introspection == "" {
		r, err := a.call(ctx, "Bearer", t.Access, "", "calls the own API with the token, to see whether it is taken")
		return err == nil && r.status/100 == 2, r, err
	}
	q, err := a.authenticated(introspection, url.Values{"token": {t.Access.Reveal()}}, c, "asks whether the token is alive")
	if err != nil {
		return false, nil, err
	}
	q.secret = true
	r, err := a.send(ctx, q)
	if err != nil {
		return false, nil, err
	}
	var said struct{ Active bool }
	_ = json.Unmarshal([]byte(r.body), &said)
	return r.status == http.StatusOK && said.Active, r, nil
}

// call calls the own API, which the operator has named.
func (a *asking) call(ctx context.Context, scheme string, token, proof usher.Secret, what string) (*reply, error) {
	if u, err := url.Parse(a.opt.Resource); err != nil || u.Scheme != "https" && !onThisMachine(u.Hostname()) {
		return nil, &usher.Error{Code: usher.ErrRefused, Message: "no token is sent to " + quote(bare(a.opt.Resource)) + ": it is not https", Hint: "give the API's https address with --resource"}
	}
	h := http.Header{"Authorization": {scheme + " " + token.Reveal()}}
	sends := "Authorization: " + scheme + " " + token.Fingerprint()
	if proof != "" {
		h["Dpop"] = []string{proof.Reveal()}
		sends += "; DPoP: " + proof.Fingerprint()
	}
	return a.send(ctx, ask{method: http.MethodGet, url: a.opt.Resource, header: h, named: []string{a.opt.Resource}, what: what, sends: sends})
}

// dpopRequired calls the own API with a bound token as a bearer of it, RFC 9449
// section 7.2.
func dpopRequired(ctx context.Context, a *asking) {
	if a.opt.Resource == "" {
		a.skip("it needs the own API: add --resource")
		return
	}
	if len(a.m.DPoPAlgs) == 0 {
		a.found(check.NotApplicable("the provider does not say that it binds tokens (dpop_signing_alg_values_supported)"))
		return
	}
	if !a.credentialed() {
		return
	}
	c, err := a.ownCredential()
	if err != nil {
		a.cannot(err)
		return
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.cannot(err)
		return
	}
	t, r, err := a.bound(ctx, c, key)
	switch {
	case err != nil:
		a.cannot(err)
		return
	case t == nil:
		a.found(check.Unknown(check.NeedNothing, "the client gets no token for itself, so that there is none to try", a.proof(r, "a token")))
		return
	case t.Type != "DPoP" && t.Type != "dpop":
		a.found(check.NotApplicable("the token that the client gets is not bound: its type is " + quote(t.Type)))
		return
	}
	proof, err := dpop(key, http.MethodGet, a.opt.Resource, "", t.Access, a.opt.Now())
	if err != nil {
		a.cannot(err)
		return
	}
	good, err := a.call(ctx, "DPoP", t.Access, proof, "calls the own API with the bound token and its proof")
	if err != nil {
		a.cannot(err)
		return
	}
	bad, err := a.call(ctx, "Bearer", t.Access, "", "calls the own API with the bound token as if it were none, which is to be refused")
	switch {
	case err != nil:
		a.cannot(err)
	case bad.status/100 == 2:
		a.found(check.Wrong("The API takes a bound token as a bearer token", "The binding counts for nothing: who steals the token can use it.", a.proof(bad, "401")))
	case good.status/100 != 2:
		a.found(check.Unknown(check.NeedNothing, "the API refuses the token also with its proof, so that nothing can be told", a.proof(good, "status 200")))
	case bad.status == http.StatusUnauthorized || bad.status == http.StatusForbidden || bad.status == http.StatusBadRequest:
		a.found(check.OK("the API takes a bound token with its proof alone", a.proof(bad, "")))
	default:
		a.found(check.Unknown(check.NeedNothing, "the API neither took nor refused the token", a.proof(bad, "401")))
	}
}

// bound gets a bound token, with the nonce that the provider may want.
func (a *asking) bound(ctx context.Context, c *credential, key *ecdsa.PrivateKey) (*tokens, *reply, error) {
	nonce := ""
	for {
		proof, err := dpop(key, http.MethodPost, a.m.TokenEndpoint, nonce, "", a.opt.Now())
		if err != nil {
			return nil, nil, err
		}
		t, r, err := a.asClient(ctx, c, http.Header{"Dpop": {proof.Reveal()}})
		if err != nil || t != nil || nonce != "" || r.err == nil || r.err.Code != oauth.ErrUseDPoPNonce {
			return t, r, err
		}
		if nonce = r.header.Get("DPoP-Nonce"); nonce == "" {
			return nil, r, nil
		}
	}
}

// dpop makes a proof, RFC 9449 section 4.2.
func dpop(key *ecdsa.PrivateKey, method, address, nonce string, token usher.Secret, now time.Time) (usher.Secret, error) {
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": bare(address), "iat": now.Unix()}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if token != "" {
		sum := sha256.Sum256([]byte(token.Reveal()))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	opt := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	return sign(key, jose.ES256, opt, claims)
}
