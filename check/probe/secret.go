package probe

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

// credential is how a client proves who it is in one request.
type credential struct {
	method   string
	secret   usher.Secret
	sign     *signer
	audience string
	life     time.Duration
}

// ownCredential gives the client's credential as the client itself uses it.
func (a *asking) ownCredential() (*credential, error) {
	c := &credential{method: a.authMethod(), secret: a.opt.Secret, audience: a.opt.Audience, life: a.opt.Lifetime}
	if c.audience == "" {
		c.audience = a.t.Issuer
	}
	if c.life <= 0 {
		c.life = time.Minute
	}
	if err := a.opt.fits(); err != nil {
		return nil, err // an empty secret would be a failed login in the provider's log
	}
	if c.method == oauth.AuthPrivateKeyJWT {
		var err error
		if c.sign, err = readKey(a.opt.Key, a.opt.KeyID); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// authMethod is what the operator said, then what is registered, then what the
// provider offers, then the default of OpenID Connect Discovery section 3.
func (a *asking) authMethod() string {
	fits := func(m string) bool {
		switch m {
		case oauth.AuthPrivateKeyJWT:
			return a.opt.Key != ""
		case oauth.AuthBasic, oauth.AuthPost:
			return a.opt.Secret != ""
		}
		return false
	}
	if a.opt.AuthMethod != "" {
		return a.opt.AuthMethod
	}
	if a.opt.Key != "" {
		return oauth.AuthPrivateKeyJWT
	}
	for _, r := range a.t.Registrations {
		if r.ClientID == a.opt.ClientID && len(r.AuthMethods) > 0 && fits(r.AuthMethods[0]) {
			return r.AuthMethods[0]
		}
	}
	if slices.Contains(a.m.AuthMethods, oauth.AuthPost) && !slices.Contains(a.m.AuthMethods, oauth.AuthBasic) {
		return oauth.AuthPost
	}
	return oauth.AuthBasic
}

// authenticated makes a request with a credential.
func (a *asking) authenticated(endpoint string, form url.Values, c *credential, what string) (ask, error) {
	q := ask{method: http.MethodPost, url: endpoint, form: form, header: http.Header{}, what: what, secret: true}
	switch c.method {
	case oauth.AuthBasic:
		// RFC 6749 section 2.3.1 has both parts form-encoded first.
		pair := url.QueryEscape(a.opt.ClientID) + ":" + url.QueryEscape(c.secret.Reveal())
		q.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
		q.sends = shownForm(form) + "; by Basic: client id " + quote(a.opt.ClientID) + ", secret " + c.secret.Fingerprint()
	case oauth.AuthPost:
		form.Set("client_id", a.opt.ClientID)
		form.Set("client_secret", c.secret.Reveal())
	case oauth.AuthPrivateKeyJWT:
		assertion, err := c.sign.assertion(a.opt.ClientID, c.audience, a.opt.Now(), c.life)
		if err != nil {
			return q, err
		}
		a.t.Secrets = append(a.t.Secrets, assertion)
		form.Set("client_id", a.opt.ClientID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion.Reveal())
		q.sends = shownForm(form) + "; the assertion is for " + quote(c.audience) + ", for " + c.life.String()
	case oauth.AuthNone:
		form.Set("client_id", a.opt.ClientID)
		q.secret = false
	default:
		return q, &usher.Error{Code: usher.ErrUsage, Message: "usher does not try the authentication method " + quote(c.method), Hint: "it tries client_secret_basic, client_secret_post and private_key_jwt"}
	}
	return q, nil
}

// question is a request that no provider can grant, whatever the credential.
type question struct {
	what string // is made up: "code", "scope"
	form func(a *asking) url.Values
}

// questions are asked one after the other until one tells something. Entra
// refuses a code that it cannot read before it looks at who sends it; there a
// scope of an API that nobody has is asked for as well.
func (a *asking) questions() []question {
	list := []question{{"code", (*asking).madeUpCode}}
	if a.provider() == "entra" {
		list = append(list, question{"scope", (*asking).madeUpScope})
	}
	return list
}

// madeUpScope asks for a token of the client itself, for an API that can be nobody's.
func (a *asking) madeUpScope() url.Values {
	form := url.Values{"grant_type": {oauth.GrantClientCredentials}}
	if strings.Contains(a.m.TokenEndpoint, "/v2.0/") {
		form.Set("scope", "https://"+nowhere+"/.default")
	} else {
		form.Set("resource", "https://"+nowhere) // of Entra's older endpoint
	}
	return form
}

// madeUpCode redeems a code that nobody gave.
func (a *asking) madeUpCode() url.Values {
	redirect := a.opt.RedirectURI
	if redirect == "" {
		redirect = "https://" + nowhere + "/callback"
	}
	return url.Values{"grant_type": {oauth.GrantAuthorizationCode}, "code": {made()}, "redirect_uri": {redirect}}
}

// try sends a made-up code with a credential and reads what is said of it.
func (a *asking) try(ctx context.Context, c *credential, what string) (said, *reply, error) {
	return a.tryWith(ctx, c, a.madeUpCode(), what)
}

func (a *asking) tryWith(ctx context.Context, c *credential, form url.Values, what string) (said, *reply, error) {
	q, err := a.authenticated(a.m.TokenEndpoint, form, c, what)
	if err != nil {
		return "", nil, err
	}
	r, err := a.send(ctx, q)
	if err != nil {
		return "", nil, err
	}
	return read(r, a.provider()), r, nil
}

// credentialed tells whether there is a credential to try.
func (a *asking) credentialed() bool {
	switch {
	case a.opt.ClientID == "":
		a.skip("it needs the client: add --client-id")
	case a.opt.Secret == "" && a.opt.Key == "":
		for _, r := range a.t.Registrations {
			if r.ClientID == a.opt.ClientID && r.Public != nil && *r.Public {
				a.found(check.NotApplicable("the client has no secret"))
				return false
			}
		}
		a.skip("it needs the client's own credential: add --secret-file, or --key-file for private_key_jwt")
	case a.m.TokenEndpoint == "":
		a.skip("the metadata names no token endpoint")
	default:
		return true
	}
	return false
}

// secretValid tries the client's own credential with a code that is made up: a
// provider that looks at the credential first complains of the code only when
// the credential was right. Whether it does look first is asked with a
// credential that is made up as well.
func secretValid(ctx context.Context, a *asking) {
	if !a.credentialed() {
		return
	}
	c, err := a.ownCredential()
	if err != nil {
		a.cannot(err)
		return
	}
	for _, q := range a.questions() {
		s, r, err := a.tryWith(ctx, c, q.form(a), "asks for a token with the client's own credential ("+c.method+") and a "+q.what+" that is made up, so that nothing is given")
		if err != nil {
			a.cannot(err)
			return
		}
		switch {
		case s == accepted || s == gave && q.what == "scope":
			a.confirm(ctx, c, q, r)
		case s == gave:
			a.found(check.Wrong("The token endpoint gives a token for a code that is made up", "Nothing of the token was kept.", usher.Proof{
				Place: a.answer.Place, Quote: "a body with access_token", Expected: "invalid_grant", Got: "status " + itoa(r.status),
			}).As(usher.SeverityCritical))
		case s == unclear || s == throttled:
			a.found(check.Unknown(check.NeedNothing, "the answer says nothing of the credential", a.proof(r, "invalid_grant, or invalid_client")))
		default:
			a.refused(ctx, c, s, r)
		}
		if a.answer.Verdict == nil || a.answer.Verdict.Outcome != usher.OutcomeUnknown || s == throttled {
			return
		}
	}
}

// otherWords tells whether a provider refuses the client in one answer and not in
// the other: the error codes differ, and the second is one for clients.
func otherWords(own, fake *reply) bool {
	if own.err == nil || fake.err == nil || own.err.Code == fake.err.Code {
		return false
	}
	switch fake.err.Code {
	case oauth.ErrInvalidClient, oauth.ErrUnauthorizedClient, oauth.ErrAccessDenied:
		return true
	}
	return false
}

// confirm asks with a wrong credential what the provider says then.
func (a *asking) confirm(ctx context.Context, c *credential, q question, first *reply) {
	proof := a.proof(first, "")
	fake := *c
	fake.secret = usher.Secret(made() + made())
	if c.sign != nil {
		other, err := c.sign.other()
		if err != nil {
			a.cannot(err)
			return
		}
		fake.sign = other
	}
	s, r, err := a.tryWith(ctx, &fake, q.form(a), "asks the same with a credential that is made up, to see whether the provider looks at credentials before it looks at the "+q.what)
	if err == nil && s == unclear && otherWords(first, r) {
		s = wrong // in no words of a standard, but not as it answers the client's own
	}
	switch {
	case err != nil:
		a.found(check.Unknown(check.NeedNothing, "the provider complains of the "+q.what+" alone; whether it looked at the credential before is not known, as the second request was not sent: "+err.Error(), proof))
	case s == accepted || s == unclear || s == throttled || s == gave:
		a.found(check.Unknown(check.NeedNothing, "the provider answers the same with a credential that is made up: it looks at the "+q.what+" first, so that this tells nothing", proof, a.proof(r, "invalid_client")))
	default:
		a.answer.Status, a.answer.Header, a.answer.Error = first.status, first.header, first.err
		a.found(check.OK("the provider complains of the made-up "+q.what+" alone, and refuses a made-up credential ("+c.method+")", proof, a.proof(r, "")))
	}
}

// refused says what is wrong with a credential that was refused. Other ways to
// send it are tried where the operator wants it, and of an assertion those that
// the standard recommends.
func (a *asking) refused(ctx context.Context, c *credential, s said, r *reply) {
	id, proof := quote(a.opt.ClientID), a.proof(r, "invalid_grant, as the code is made up")
	if c.sign != nil && (s == wrong || s == audience || s == lifetime) {
		if better, differs, ok := a.betterAssertion(ctx, c); ok {
			a.found(check.Wrong("The provider takes the assertion of "+id+" only with another "+differs,
				"With "+better+" it is taken, as the client makes it now it is not. The key is the right one.", proof).
				Because("client-assertion-invalid").Do("Make the assertion with " + better + "."))
			return
		}
	}
	if c.sign == nil && a.opt.TryMethods && (s == wrong || s == method) {
		if other, ok := a.otherMethod(ctx, c); ok {
			a.found(check.Wrong("The provider takes the secret of "+id+" by "+other+", not by "+c.method,
				"The secret is the right one.", proof).Because("client-auth-method").
				Do("Let the client authenticate by "+other+".", "Or register "+c.method+" for it at the provider."))
			return
		}
	}
	a.found(a.verdict(c, s, proof))
}

// verdict puts a refusal into words.
func (a *asking) verdict(c *credential, s said, proof usher.Proof) check.Verdict {
	id := quote(a.opt.ClientID)
	if s == wrong && c.sign == nil && a.isSecretID(c.secret) {
		s = idSent
	}
	known := a.t.Probed["client-id-known"]
	if s == wrong && known != nil && known.Verdict != nil && known.Verdict.Cause == "client-unknown" {
		s = unknown // invalid_client says no more of the one than of the other
	} else if s == unknown && known != nil && known.Verdict != nil && known.Verdict.Outcome == usher.OutcomeOK {
		s = wrong // the provider has shown that it knows the client
	}
	if s == wrong && !a.offers(c.method) {
		s = method
	}
	switch s {
	case expired:
		return check.Wrong("The secret of "+id+" has expired", "The provider knows it and takes it no more.", proof).Because("client-secret-expired").
			Do("Make a new secret at the provider, roll it out to every instance, and delete the old one.")
	case idSent:
		return check.Wrong("What is sent for the secret of "+id+" is the secret's id, not its value", "It has the form of an id, and the provider refuses it.", proof).
			Because("client-secret-id-used").Do("Copy the secret's value. It is shown once, when the secret is made: make a new one when it is lost.")
	case method:
		return check.Wrong("The provider does not look for the secret of "+id+" where "+c.method+" puts it", "Offered are: "+quote(strings.Join(a.m.AuthMethods, ", "))+".", proof).
			Because("client-auth-method").Do("Let the client authenticate by a method that is registered for it.")
	case unknown:
		return check.Wrong("The provider does not know the client "+id, "It refuses the client, not its credential. The id may be of another tenant, realm or environment.", proof).
			Because("client-unknown").Do("Copy the client id of the right application, tenant and environment.")
	case disabled:
		return check.Wrong("The provider has switched the client "+id+" off", "", proof).Because("client-disabled").
			Do("Enable the client at the provider, or find out who switched it off and why.")
	case public:
		return check.Wrong("The client "+id+" is registered as public and sends a credential", "", proof).Because("client-type-mismatch").
			Do("Leave the credential out, or register the client as confidential.")
	case wrongKey:
		if c.sign != nil && c.sign.kid != "" && has(strings.ToLower(proof.Quote), "load", "find", "found", "no matching", "unknown", "no key") {
			kid := quote(c.sign.kid)
			return check.Wrong("The kid "+kid+" is none of the keys of "+id+" at the provider", "The assertion names it, and the provider looks for the key by that name.", proof).Because("client-assertion-invalid").
				Do("Name the key in the assertion's header as the provider does (--key-id), or register the public key with the kid "+kid+".", "Register the public key or certificate of the key that signs.")
		}
		return check.Wrong("The provider does not know the key that signs the assertion of "+id, "", proof).Because("client-assertion-invalid").
			Do("Register the public key or certificate of the key that signs, with the same kid.")
	case audience:
		return check.Wrong("The assertion of "+id+" is for another audience than the provider is", "Its aud is "+quote(c.audience)+".", proof).Because("client-assertion-invalid").
			Do("Make the assertion for the issuer, " + quote(a.t.Issuer) + ", or for the token endpoint, as the provider wants it.")
	case lifetime:
		return check.Wrong("The provider does not take the dates of the assertion of "+id, "It was valid for "+c.life.String()+" by the clock of this machine.", proof).
			Because("client-assertion-invalid").Do("Compare this machine's clock with the provider's.", "Make the assertion for a minute at most, anew for each request.")
	}
	if c.sign != nil {
		return check.Wrong("The provider refuses the assertion of "+id, "It does not say why. Its key, its audience and its dates are what to look at.", proof).
			Because("client-assertion-invalid").Do("See whether the public key of the key that signs is registered for the client, with the same kid.")
	}
	return check.Wrong("The provider refuses the secret of "+id, a.looks(c.secret), proof).Because("client-secret-invalid").
		Do("Compare where the secret comes from with the provider: tenant, environment, and whether it was replaced since.", "Make a new secret when its value is lost.")
}

func (a *asking) offers(method string) bool {
	return len(a.m.AuthMethods) == 0 || slices.Contains(a.m.AuthMethods, method)
}

// isSecretID tells whether what was sent is the id of a secret.
func (a *asking) isSecretID(s usher.Secret) bool {
	for _, r := range a.t.Registrations {
		for _, c := range r.Credentials {
			if c.ID != "" && c.ID == s.Reveal() {
				return true
			}
		}
	}
	return a.provider() == "entra" && oauth.IsGUID(s.Reveal())
}

// looks says what strikes of a secret, without showing any of it.
func (a *asking) looks(s usher.Secret) string {
	text := s.Reveal()
	var odd []string
	switch {
	case strings.TrimFunc(text, unicode.IsSpace) != text:
		odd = append(odd, "it begins or ends with a blank or a line break")
	case len(text) > 1 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0]:
		odd = append(odd, "it stands in quotes")
	case strings.HasPrefix(text, "${") || strings.HasPrefix(text, "$(") || strings.HasPrefix(text, "<"):
		odd = append(odd, "it looks like a placeholder that was not filled in")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r > 0x7e || r < ' ' }) {
		odd = append(odd, "it holds a character that is no printable ASCII")
	}
	for _, r := range a.t.Registrations {
		if r.ClientID != a.opt.ClientID || len(r.Credentials) == 0 {
			continue
		}
		hints := 0
		fits := slices.ContainsFunc(r.Credentials, func(c evidence.Credential) bool {
			if c.Hint != "" {
				hints++
			}
			return c.Hint != "" && strings.HasPrefix(text, c.Hint)
		})
		if hints > 0 && !fits {
			odd = append(odd, "it begins like none of the registered ones")
		}
	}
	if len(odd) == 0 {
		return "It is another one than the provider has."
	}
	return "Of the value that is sent: " + strings.Join(odd, "; ") + "."
}

// otherMethod tries the secret by the other method.
func (a *asking) otherMethod(ctx context.Context, c *credential) (string, bool) {
	for _, m := range []string{oauth.AuthBasic, oauth.AuthPost} {
		if m == c.method {
			continue
		}
		again := *c
		again.method = m
		s, _, err := a.try(ctx, &again, "asks the same with the secret sent by "+m)
		if err == nil && s == accepted {
			return m, true
		}
	}
	return "", false
}

// betterAssertion tries the audiences and the lifetime that providers want.
func (a *asking) betterAssertion(ctx context.Context, c *credential) (with, differs string, ok bool) {
	for _, aud := range []string{a.t.Issuer, a.m.TokenEndpoint} {
		if aud == c.audience {
			continue
		}
		again := *c
		again.audience = aud
		if s, _, err := a.try(ctx, &again, "asks the same with an assertion for "+quote(aud)); err == nil && s == accepted {
			return "the audience " + quote(aud), "audience than " + quote(c.audience), true
		}
	}
	if c.life > time.Minute {
		again := *c
		again.life = time.Minute
		if s, _, err := a.try(ctx, &again, "asks the same with an assertion that lasts a minute"); err == nil && s == accepted {
			return "a life of a minute", "lifetime than " + c.life.String(), true
		}
	}
	return "", "", false
}
